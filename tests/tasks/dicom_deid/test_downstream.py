from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from fourfold.tasks.dicom_deid.downstream import SIDE, Classifier, Downstream, features, macro_auc
from fourfold.tasks.dicom_deid.reading import File

VIEWS = ("AP", "PA", "lateral")


def image(view: int, seed: int) -> np.ndarray:
    """A disc whose place is the view's, in noise."""
    rng = np.random.default_rng((view, seed))
    rows, columns = np.mgrid[:96, :80]
    disc = (rows - 30 - 15 * view) ** 2 + (columns - 40) ** 2 < 150
    return (1000 + 120 * disc + rng.normal(0, 60, (96, 80))).astype(np.uint16)


def saved(samples: np.ndarray) -> File:
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1", "1.2.3"
    data.Rows, data.Columns = samples.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0
    data.PixelData = samples.tobytes()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = BytesIO()
    data.save_as(buffer, enforce_file_format=True)
    return File("a", buffer.getvalue())


def downstream(given: list[File], written: list[File | None], label: list[str], patient: list[int]) -> Downstream:
    return Classifier(given, label, patient).judged(written)


@pytest.fixture(scope="module")
def images() -> tuple[list[File], list[str], list[int]]:
    """Twenty patients with one image of each view."""
    places = [(view, patient) for patient in range(20) for view in range(3)]
    return (
        [saved(image(view, patient)) for view, patient in places],
        [VIEWS[view] for view, _ in places],
        [patient for _, patient in places],
    )


def test_images_that_are_kept_are_classified_as_before_and_labels_can_be_learned(images):
    given, label, patient = images
    found = downstream(given, given, label, patient)
    assert found.auc_before == found.auc_after
    assert found.auc_before is not None
    assert found.auc_before > 0.95
    assert found.label.shape == (60,)
    np.testing.assert_allclose(found.before.sum(axis=1), 1)


def test_blank_images_say_nothing_and_missing_ones_are_worse(images):
    given, label, patient = images
    blank = [saved(np.zeros((96, 80), np.uint16)) for _ in given]
    assert downstream(given, blank, label, patient).auc_after == pytest.approx(0.5)
    assert downstream(given, [None] * len(given), label, patient).auc_after == 0.0
    half = [file if number % 2 else None for number, file in enumerate(given)]
    assert downstream(given, half, label, patient).auc_after < 0.8


def test_no_image_is_classified_by_a_model_that_saw_its_patient(images):
    patient = images[2]
    # Labels by patient alone: whoever trains on a patient's other images knows them.
    label = [("AP", "PA")[number % 2] for number in np.random.default_rng(3).permutation(20)[patient]]
    again = [saved(image(0, who)) for who in patient]
    found = downstream(again, again, label, patient)
    assert found.auc_before is not None
    assert found.auc_before < 0.75


def test_it_says_the_same_twice_and_leaves_out_what_has_no_pixels_or_label(images):
    given, label, patient = images
    dataset = dcmread(BytesIO(given[0].data))
    del dataset.PixelData
    buffer = BytesIO()
    dataset.save_as(buffer)
    given, label = [File("a", buffer.getvalue()), *given[1:]], [label[0], "", *label[2:]]
    one, other = (downstream(given, given, label, patient) for _ in range(2))
    np.testing.assert_array_equal(one.before, other.before)
    assert one.rows.tolist() == list(range(2, 60))


def test_without_classes_or_images_there_is_no_auc(images):
    given, label, patient = images
    found = downstream(given, given, ["AP"] * len(label), patient)
    assert (found.auc_before, found.auc_after, len(found.label)) == (None, None, 0)
    assert downstream([], [], [], []).auc_before is None


def test_macro_auc_is_that_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    label, p = rng.integers(0, 3, 50), rng.dirichlet([1, 1, 1], 50)
    assert macro_auc(label, p) == pytest.approx(metrics.roc_auc_score(label, p, multi_class="ovr"))


def test_features_are_means_of_blocks_of_the_middle_frame():
    frame = np.arange(128 * 128, dtype=float).reshape(128, 128)
    blocks = frame.reshape(64, 2, 64, 2).mean(axis=(1, 3)).ravel()
    expected = (blocks - blocks.mean()) / blocks.std()
    stack = np.stack([np.zeros((128, 128)), frame, np.ones((128, 128))])
    np.testing.assert_allclose(features(stack), expected)
    np.testing.assert_allclose(features(np.repeat(stack[..., None], 3, axis=3)), expected)


@pytest.mark.parametrize("size", [(1, 1), (16, 300), (65, 63)])
def test_features_have_one_size_whatever_the_images(size):
    found = features(np.random.default_rng(0).integers(0, 9, (1, *size)))
    assert found.shape == (SIDE * SIDE,)
    assert np.isfinite(found).all()
