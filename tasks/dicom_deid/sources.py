"""What studies are made of: images drawn here or of real files, in plain encodings or unusual ones."""

from pathlib import Path
from typing import Any

from fourfold.suite.datasets import Dataset
from fourfold.tasks.dicom_deid.clinical import CLINICAL

_PHANTOM = Dataset(
    name="phantom", task="dicom-deid",
    title="Drawn images like those of eight modalities, and parts of pydicom's own files, with planted identities",
    licence="Apache-2.0; pydicom's files are MIT",
    source="fourfold.tasks.dicom_deid.phantoms",
    version="1",  # rises whenever other files are drawn from the same seed
)
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
