"""What studies are made of: images drawn here, images of real files, or studies that others made."""

from pathlib import Path
from typing import Any

from fourfold.suite.datasets import Dataset

PHANTOM = "phantom"
_PHANTOM = Dataset(
    name=PHANTOM, task="dicom-deid",
    title="Drawn images like those of eight modalities, and parts of pydicom's own files, with planted identities",
    licence="Apache-2.0; pydicom's files are MIT",
    source="fourfold.tasks.dicom_deid.phantoms",
    version="1",  # rises whenever other files are drawn from the same seed
)
DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in (_PHANTOM,)}


def load(dataset: str, cache: Path) -> Any:
    """What ``problem.draw`` draws from: the images' source by name, or what a real dataset's loader reads."""
    return dataset
