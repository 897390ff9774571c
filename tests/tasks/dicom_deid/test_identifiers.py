"""UIDs that refer to each other, and identities that stay apart."""

import pytest
from pydicom import Dataset


def test_one_id_for_all_patients_and_one_for_each_file_are_no_maps(small, shares, lost):
    def constant(path: str, dataset: Dataset) -> None:
        dataset.PatientID = "ANON"

    def each(path: str, dataset: Dataset) -> None:
        dataset.PatientID = path

    def two_alike(path: str, dataset: Dataset) -> None:
        if path[0] in "01":
            dataset.PatientID = "ANON"

    assert lost(shares(small, constant)) == {"maps_injective": 0.0}
    assert lost(shares(small, each)) == {"maps_injective": 0.0}
    assert lost(shares(small, two_alike)) == {"maps_injective": pytest.approx(1 / 3)}


def test_studies_that_become_one_are_no_map(small, shares, lost):
    def merge(path: str, dataset: Dataset) -> None:
        if path.startswith("2/"):
            dataset.StudyInstanceUID = "2.25.5"

    assert lost(shares(small, merge)) == {"maps_injective": pytest.approx(2 / 3)}


def test_images_of_one_space_stay_in_it_and_those_of_two_apart(small, shares, lost):
    def constant(path: str, dataset: Dataset) -> None:
        dataset.FrameOfReferenceUID = "2.25.6"

    def each(path: str, dataset: Dataset) -> None:
        dataset.FrameOfReferenceUID = f"{dataset.SOPInstanceUID}.7"

    assert lost(shares(small, constant)) == {"maps_injective": 0.0}
    assert lost(shares(small, each)) == {"maps_injective": 0.0}


def test_references_must_resolve_uids_be_unique_and_meta_information_agree(small, shares, lost):
    def dangling(path: str, dataset: Dataset) -> None:
        if "ReferencedImageSequence" in dataset:
            dataset.ReferencedImageSequence[0].ReferencedSOPInstanceUID = "2.25.9"

    def removed(path: str, dataset: Dataset) -> None:
        dataset.pop("ReferencedImageSequence", None)

    def doubled(path: str, dataset: Dataset) -> None:
        if path in ("0/0/1.dcm", "0/1/1.dcm"):
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "2.25.8"

    def stale(path: str, dataset: Dataset) -> None:
        dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.840.99"

    assert lost(shares(small, dangling)) == {"uids_intact": 0.5}
    assert lost(shares(small, removed)) == {"uids_intact": 0.5}
    assert lost(shares(small, doubled)) == {"uids_intact": pytest.approx(10 / 12)}
    assert lost(shares(small, stale)) == {"uids_intact": 0.0, "valid": 0.0}


def test_a_reference_to_a_file_that_is_gone_does_not_resolve(small, scored):
    found = scored(small, {path: data for path, data in small.reference.items() if path != "0/0/0.dcm"})
    assert found.values["uids_intact"].tolist()[:4] == [0.0, 0.0, 1.0, 1.0]
    assert found.values["maps_injective"].tolist() == [0.0, 1.0, 1.0]
