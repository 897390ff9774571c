"""What radiology writes into free text: clinical words that must stay, with slots for an identity that must not.

A phrase in ``[ ]`` holds slots in ``{ }`` and goes with them, unless dates are all it holds: those are shifted instead.
Words outside are clinical. Some are surnames as well (Long, Young, Grant, Big, Paris, Hope), on purpose.
"""

import re

STUDIES = {
    "CT": ("CT chest with contrast[ {name}]", "CT abdomen, liver protocol[ {name}]", "CT head young adult[ {native}]"),
    "MR": ("MR heart, long axis views[ {name}]", "MR brain with gadolinium[ {native}]", "MR lumbar spine[ {mrn}]"),
    "US": ("US thyroid, both lobes[ {name}]", "US abdomen, renal arteries[ {latin}]", "US big toe, tophus[ {name}]"),
    "CR": ("XR chest AP portable[ for {name}]", "XR wrist, plaster of Paris[ {name}]", "XR knee[ {ssn}]"),
    "DX": ("XR chest PA and lateral[ for {latin}]", "XR hand, erosions[ {native}]", "XR hip, long stem[ {name}]"),
    "XA": ("Coronary angiography[ {name}]", "Cerebral angiography, DSA[ {native}]", "Renal artery stent[ {name}]"),
    "NM": ("Bone scintigraphy, whole body[ {name}]", "Thyroid uptake[ {native}]", "Myocardial perfusion[ {latin}]"),
    "SC": ("Dose summary screenshot[ {name}]", "Outside films, scanned[ {native}]", "Perfusion maps[ {mrn}]"),
    "SR": ("Chest report, final[ {name}]", "Measurement report, nodule[ {native}]", "Echo findings[ {latin}]"),
}
"""Study descriptions (LO, 64 characters) by modality."""
SERIES = (
    "Axial soft tissue kernel[ {name}]",
    "Long axis cine, breath hold[ {latin}]",
    "Coronal reformat 3 mm[ {native}]",
    "Lateral projection, upright[ {mrn}]",
    "Late phase, subtraction[ seen {date}]",
    "Scout and localizer[ {accession}]",
)
"""Series descriptions (LO)."""
PROTOCOLS = (
    "Thorax routine 1.5 mm[ {family}]",
    "Grant study protocol B, low dose[ {name}]",
    "Cardiac long axis retro gated[ {native}]",
    "Young adult low kV[ {mrn}]",
    "Spine T2 sagittal fat sat[ {birth}]",
)
"""Protocol names (LO)."""
REQUESTS = (
    "Rule out pulmonary embolism[, {name}]",
    "Staging of hepatic lesion[, {native}]",
    "Follow up aortic aneurysm 42 mm[ {date}]",
    "Exclude fracture after fall[, call {phone}]",
)
"""Requested procedure and admitting diagnosis (LO)."""
COMMENTS = (
    "6 mm nodule in the right upper lobe, unchanged[ since {date}][. Discussed with {name}, phone {phone}].",
    "[{title} {name}, born {birth}, MRN {mrn}: ]pleural effusion on the left, basal atelectasis[, seen {date}].",
    "Long axis view degraded by motion; ejection fraction 48 percent[. Result sent to {email}][ on {date}].",
    "Hope for bone healing at the next visit, callus visible[ ({name}, {address})].",
    "No intracranial haemorrhage[. {given} was informed by Dr. {staff} on {date}]. Ventricles of normal width.",
    "Big toe with erosion of the proximal phalanx[, referred by {staff}, {institution}]; urate crystals suspected.",
    "Plaster of Paris cast in place; distal radius fracture, alignment satisfactory[; {native}, ID {ssn}].",
    "Young adult lung with hyperinflation[; aged {age}, account {account}]. No pneumothorax.",
    "Research grant imaging: hepatic fat fraction 14 percent[, subject {latin} ({mrn})], iron load low.",
    "Stenosis of the proximal LAD, 70 percent[. Images at {url}]. Stent planned[ for {name}][ after {date}].",
    "Thyroid nodule 12 mm, TI-RADS 3[; compare with accession {accession}][ of {date}]. Cervical nodes normal.",
    "[Patient {family} ]tolerated contrast well, creatinine 0.9 mg/dl[; next of kin reached at {phone}].",
)
"""Comments and histories (LT, ST)."""
HISTORIES = (
    "Former smoker, 20 pack years[. {title} {name} lives at {address}]. Hypertension, type 2 diabetes.",
    "Left mastectomy[ on {date}], adjuvant radiotherapy completed[; oncologist Dr. {staff}, {institution}].",
    "Known penicillin allergy[ (reported by {native}, phone {phone})]. Chronic kidney disease stage 3.",
    "Coronary bypass[ {date}][ at {institution}], ejection fraction reduced. Pacemaker[, serial {device}].",
)
"""Patient history and comments (LT)."""
FINDINGS = (
    "Lungs: 8 mm part solid nodule in the left lower lobe[, unchanged since {date}]. No lymphadenopathy.",
    "Heart: long axis diameter 52 mm, mild mitral regurgitation[, discussed with {name}][ on {date}].",
    "Liver: hypodense lesion in segment 7, 23 mm, probably haemangioma[. {title} {native} informed, {phone}].",
    "Skeleton: young fracture of the fourth rib without dislocation[ ({latin}, born {birth})].",
    "Impression: stable disease; follow up in six months[. Report to Dr. {staff}, {email}].",
)
"""Sentences of structured reports."""
GRAPHICS = ("Lesion 14 mm[ {name}]", "Long axis[ {latin}]", "Aneurysm neck[ {native}]", "Catheter tip[ {mrn}]")
"""Notes on overlays and annotations."""

_PHRASE = re.compile(r"\[([^\]]*)\]")
_WORD = re.compile(r"[^\W_][\w.\-]*[^\W_]|[A-Z0-9]")
_FILLERS = frozenset(
    ["the", "of", "and", "with", "in", "on", "at", "for", "is", "by", "a", "an", "to", "as", "after", "both"]
)
_TEXTS = (*(text for some in STUDIES.values() for text in some), *SERIES, *PROTOCOLS, *REQUESTS, *COMMENTS, *HISTORIES)


def clinical(template: str) -> tuple[str, ...]:
    """The words of a template that must stay whoever it is written for."""
    found = _WORD.findall(_PHRASE.sub(" ", template))
    return tuple(dict.fromkeys(word for word in found if word.casefold() not in _FILLERS and len(word) > 1))


def phrases(template: str) -> list[tuple[str, bool]]:
    """The parts of a template in order, each with whether it is a phrase that goes with the identity in it."""
    return [(part, bool(number % 2)) for number, part in enumerate(_PHRASE.split(template)) if part]


MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
WORDS = frozenset(
    word.casefold()
    for text in (*_TEXTS, *FINDINGS, *GRAPHICS, *MONTHS)
    for word in re.findall(r"[^\W\d_]+", re.sub(r"\{\w+\}", " ", text))
)
"""Every word of these texts and dates, in lower case: what no name may equal by chance."""
POLYSEMOUS = ("Hope", "Long", "Grant", "Young", "Big", "Paris")
"""Surnames that are clinical words as well."""
