"""What studies are made of: images drawn here or of real files, in plain encodings or unusual ones."""

from pathlib import Path
from typing import Any

from fourfold.suite.datasets import Dataset, DatasetError, File, require

HOME = "medical"
"""The folder of the real files, in a cache."""

_PHANTOM = Dataset(
    name="phantom", task="dicom-deid",
    title="Drawn images like those of eight modalities, and parts of pydicom's own files, with planted identities",
    licence="Apache-2.0; pydicom's files are MIT",
    source="fourfold.tasks.dicom_deid.phantoms",
    version="1",  # rises whenever other files are drawn from the same seed
)
CLINICAL = Dataset(
    name="clinical", task="dicom-deid",
    title="Real CT, MR, ultrasound, bone scan and 243 chest radiographs of 71 patients, with planted identities",
    licence="CC BY 3.0 (radiographs: Hannover, doi 10.6084/m9.figshare.12275009, made smaller); BSD-2-Clause (MR of "
            "fruit: dcm_qa_deident); MIT (pydicom-data, deid-data)",
    source="github.com/ml-workgroup/covid-19-image-repository at ad7ab09, neurolabusc/dcm_qa_deident at 7c331e2, "
           "pydicom/pydicom-data at b0d40d1, pydicom/deid-data at 5750d25",
    files=(
        File(
            path=f"{HOME}/dicom/manifest.csv",
            sha256="8170d4b5dd73d65978ed60b9f8a506c4640ca5a2fcf202dd070ce75e5a9fc154", size=11_764,
        ),
        File(
            path=f"{HOME}/cxr_hannover/metadata.csv",
            sha256="9b14ed25ea8f5e70be2586a6a980dd816cd9a9b04288d78eca5ae0de52994f32", size=54_670,
        ),
    ),
    by_hand=f"Copy the folder {HOME} from a cache that has it: its two tables are pinned, and in them each file's "
            "SHA-256. The files are those of the four repositories, the radiographs no longer than 512 pixels",
)
"""The dataset: what is pinned are two tables, which hold the digest of each image."""
MIDI_B = Dataset(
    name="midi-b", task="dicom-deid",
    title="MIDI-B challenge (MICCAI 2024): real images of TCIA with planted identities, and an answer database",
    licence="that of the collection at The Cancer Imaging Archive",
    source="M. W. Rutherford et al. (2025), arXiv:2508.01889",
    files=(File(path=f"{HOME}/midi-b/answers.db", check=f"{__name__}:check_midi_b"),),
    by_hand="Download MIDI-B's test or validation collection from The Cancer Imaging Archive and put its images, in "
            f"any folders, beneath {HOME}/midi-b in the cache, and its answer database as {HOME}/midi-b/answers.db. "
            "Their bytes are not pinned: each image that the database has answers on must be there",
)
"""The dataset whose files the user brings; what it is known by is its answer database."""
_ROBUSTNESS = Dataset(
    name="robustness", task="dicom-deid",
    title="The phantom studies in encodings that tools trip over, from no preamble to a hundred frames",
    licence="Apache-2.0; pydicom's files are MIT",
    source="fourfold.tasks.dicom_deid.robustness",
    version="1",
)
DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in (_PHANTOM, CLINICAL, _ROBUSTNESS, MIDI_B)}


def load(dataset: str, cache: Path) -> Any:
    """What ``problem.draw`` makes studies of: a dataset's name where images are drawn, the images by modality where
    they are real, or where studies lie that others planted identities in.

    Raises DatasetError where files are absent or damaged.
    """
    from fourfold.tasks.dicom_deid import clinical, midi_b

    if dataset == MIDI_B.name:
        require(MIDI_B, cache)
        try:
            return midi_b.scan((cache / MIDI_B.files[0].path).parent)
        except ValueError as error:
            raise DatasetError(f"{error}. {MIDI_B.by_hand}") from error
    return clinical.images(cache) if dataset == CLINICAL.name else dataset


def check_midi_b(path: Path) -> str:
    """What is wrong with an answer database and the files beside it, or ''."""
    from fourfold.tasks.dicom_deid import midi_b

    try:
        midi_b.scan(path.parent)
    except ValueError as error:
        return str(error)
    return ""
