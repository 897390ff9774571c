"""What studies are made of: images drawn here or of real files, in plain encodings or unusual ones."""

from pathlib import Path
from typing import Any

from fourfold.suite.datasets import Dataset, File

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
_ROBUSTNESS = Dataset(
    name="robustness", task="dicom-deid",
    title="The phantom studies in encodings that tools trip over, from no preamble to a hundred frames",
    licence="Apache-2.0; pydicom's files are MIT",
    source="fourfold.tasks.dicom_deid.robustness",
    version="1",
)
DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in (_PHANTOM, CLINICAL, _ROBUSTNESS)}


def load(dataset: str, cache: Path) -> Any:
    """What ``problem.draw`` makes studies of: a dataset's name where images are drawn, else the images by modality.

    Raises DatasetError where files are absent or damaged.
    """
    from fourfold.tasks.dicom_deid import clinical

    return clinical.images(cache) if dataset == CLINICAL.name else dataset
