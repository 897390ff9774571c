"""What dicom-deid measures, by name: titles, directions and definitions, as the board shows them."""

from fourfold.suite.task import Metric

_PRIVACY = (
    Metric(
        "patient_leak_rate", "patients leaked", "privacy", "lower",
        "The share of patients of whom at least one planted identifier is found in any byte, pixel or file name of any "
        "output. One leak is a breach. A patient any of whose files did not come back, or cannot be read, counts: who "
        "returns nothing has de-identified nothing.",
        low=0, high=1,
    ),
    Metric(
        "item_leak_rate", "items leaked", "privacy", "lower",
        "The share of planted identifiers that are found, or whose file did not come back; by locus, by kind, and by "
        "category, the letters (A) to (R) of 45 CFR 164.514(b)(2)(i).",
        low=0, high=1,
    ),
    Metric(
        "files_failed", "files missing or unreadable", "privacy", "lower",
        "The share of files that did not come back under their name, or the one that the mapping gives, as DICOM.",
        low=0, high=1,
    ),
    Metric(
        "replaced_by_identity", "another's identity", "privacy", "lower",
        "The share of patients whose new name or number is that of another person of the corpus or the roster.",
        low=0, high=1,
    ),
    Metric(
        "replaced_by_hash", "plain hash", "privacy", "lower",
        "The share of patients of whom an unsalted hash of a name or number is found, which a dictionary turns around.",
        low=0, high=1,
    ),
    Metric(
        "constant_offset", "one date offset", "privacy", "lower",
        "1 where the dates of all patients were shifted by the same number of days, other than none: one known date "
        "then tells all others.",
        low=0, high=1, names=("no", "yes"),
    ),
    Metric(
        "k_anonymity", "smallest k", "privacy", "higher",
        "The fewest patients who share sex, band of age, modalities, body parts and institution in what is kept "
        "(Sweeney 2002).",
        "patients", low=0,
    ),
    Metric(
        "share_below_5", "patients with k < 5", "privacy", "lower",
        "The share of patients who share these with fewer than four others.", low=0, high=1,
    ),
    Metric(
        "image_reidentification", "re-identified by image", "privacy", "none",
        "How well images of one patient's two studies are told from those of two patients: area under the ROC curve by "
        "correlation of their thumbnails; group ``given`` before de-identification. Header tools cannot change it, "
        "so it is reported and does not rank (cf. Packhaeuser et al. 2022).",
        low=0, high=1,
    ),
    Metric(
        "leaks_little", "under 5 % leaked", "privacy", "higher",
        "1 where fewer than 5 % of the patients leak: what the table by utility asks for.",
        low=0, high=1, names=("no", "yes"),
    ),
)
_UTILITY = (
    Metric(
        "utility", "utility", "accuracy", "higher",
        "The mean of text, private values, characteristics, other attributes, intervals, UIDs, identity maps, pixels, "
        "marks and validity kept, each a share in [0, 1]; what did not come back kept nothing.",
        low=0, high=1,
    ),
    Metric("text_kept", "text kept", "accuracy", "higher",
           "The share of clinically useful text, around identifiers, that is still in its element and not among many "
           "new words: three for each identifier that stood there, or as many as went.", low=0, high=1),
    Metric("private_kept", "private values kept", "accuracy", "higher",
           "The share of safe private elements whose value is unchanged (Retain Safe Private).", low=0, high=1),
    Metric("characteristics_kept", "characteristics kept", "accuracy", "higher",
           "The share of sexes, ages up to 89, sizes and weights that are unchanged (Retain Patient Characteristics).",
           low=0, high=1),
    Metric("attributes_kept", "attributes kept", "accuracy", "higher",
           "The share of values unchanged that identify nobody and that PS3.15 takes none of: numbers of series and "
           "instances, devices, how images were made, windows, outlines on overlays, codes and measures of reports.",
           low=0, high=1),
    Metric("intervals_kept", "intervals kept", "accuracy", "higher",
           "The share of a patient's dates that lie exactly as many days apart as before.", low=0, high=1),
    Metric("uids_intact", "UIDs intact", "accuracy", "higher",
           "The share of references between files that still resolve, of those that did.", low=0, high=1),
    Metric("maps_injective", "identities apart", "accuracy", "higher",
           "The share of patients with one new identity that no other has.", low=0, high=1),
    Metric("pixels_equal", "pixels equal", "accuracy", "higher",
           "The share of images equal after decoding, identifiers and 3 pixels around them left out, whose modality, "
           "spacing, orientation, position, side and scale of greys are said as before.", low=0, high=1),
    Metric("changed_outside", "changed outside", "accuracy", "lower",
           "The share of pixels changed outside of identifiers and 3 pixels around them.", low=0, high=1),
    Metric("psnr", "PSNR", "accuracy", "higher", "Peak signal-to-noise ratio outside of identifiers; 100 where equal.",
           "dB", low=0),
    Metric("ssim", "SSIM", "accuracy", "higher",
           "Structural similarity outside of identifiers (Wang et al. 2004).", low=-1, high=1),
    Metric("distractors_kept", "marks kept", "accuracy", "higher",
           "The share of burned-in marks that identify nobody (side, view, kV, scale bars) and are still visible.",
           low=0, high=1),
    Metric("valid", "valid", "accuracy", "higher",
           "The share of files of which validators say nothing that they did not say of the file as given.",
           low=0, high=1),
    Metric("downstream_auc", "downstream AUC", "accuracy", "higher",
           "Area under the ROC curve of a classifier of the images, trained on originals of other patients; group "
           "``given`` on the images as they were.", low=0, high=1),
    Metric("midi_action_accuracy", "MIDI action accuracy", "accuracy", "higher",
           "The share of required actions that were taken, as MIDI-B scores them (arXiv:2507.23608), written anew; "
           "missing files fail. Group ``original rule``: with them passing where that rule lets them. It is shown "
           "because papers state it; a leak hardly moves it.", low=0, high=1),
)
_ROBUSTNESS = (
    Metric(
        "handled",
        "hard files handled",
        "privacy",
        "higher",
        "Share of files in an unusual encoding that came back readable and without any identity; those that are "
        "missing, broken or leak are not handled. By variant and of all.",
        low=0,
        high=1,
    ),
)
_FAIRNESS = (
    Metric(
        "group_leak_rate",
        "leak rate by group",
        "fairness",
        "lower",
        "Share of the identities planted for patients of a group that are found in what the method wrote.",
        low=0,
        high=1,
    ),
    Metric(
        "worst_group_leak",
        "worst group's leak rate",
        "fairness",
        "lower",
        "Leak rate of the group that fares worst, by each attribute and of all; the interval allows for its having "
        "been picked.",
        low=0,
        high=1,
        averages=False,
    ),
    Metric(
        "leak_gap",
        "leak gap",
        "fairness",
        "lower",
        "Greatest leak rate of a group less the least, by each attribute, and the greatest of these.",
        low=0,
        high=1,
        averages=False,
    ),
    Metric(
        "pixel_recall",
        "pixel recall",
        "fairness",
        "higher",
        "Share of the identities burned into pixels that cannot be read in what the method wrote.",
        low=0,
        high=1,
    ),
    Metric(
        "worst_pixel_recall",
        "worst group's pixel recall",
        "fairness",
        "higher",
        "Pixel recall of the group that fares worst, by each attribute and of all; the interval allows for its having "
        "been picked.",
        low=0,
        high=1,
        averages=False,
    ),
    Metric(
        "swap_gap",
        "leak gap of twins",
        "fairness",
        "none",
        "Leak rate in a document less that in its twin, which differs in the identity alone, that one in Latin "
        "script: the mean over documents, of each script and of all. Whatever differs, the identity has caused: twins "
        "have one encoding, and no file of theirs is named after its patient.",
        low=-1,
        high=1,
    ),
)
_COST = (
    Metric("cpu_per_instance", "CPU a file", "cost", "lower",
           "CPU time of all groups, by the operating system's count, over their files.", "s", low=0),
    Metric("cpu_per_megapixel", "CPU a megapixel", "cost", "lower",
           "The same over the pixels of all frames as they were given, in millions.", "s", low=0),
    Metric("cold_start", "cold start", "cost", "lower",
           "Elapsed time until the method stands ready, imports of what it names beforehand left out, and that by "
           "which its first group takes longer than as many files of a later one do, by their median.", "s", low=0),
)
METRICS = (*_PRIVACY, *_ROBUSTNESS, *_UTILITY, *_FAIRNESS, *_COST)
