"""Images to write on: no two alike, within their bits, and from real files without their text."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from fourfold.suite.datasets import DatasetError, state
from fourfold.tasks.dicom_deid.bases import Base, shipped, varied
from fourfold.tasks.dicom_deid.clinical import _PARTS, images, varied_from
from fourfold.tasks.dicom_deid.phantoms import MODALITIES, drawn, phantom
from fourfold.tasks.dicom_deid.sources import CLINICAL, HOME


@pytest.fixture(scope="module")
def cache():
    chosen = os.environ.get("FOURFOLD_DATA")
    folder = Path(chosen).expanduser() if chosen else Path(__file__).parents[4] / "shared" / "data"
    if state(CLINICAL, folder) != "present":
        pytest.skip(f"no {HOME} folder in {folder}: set FOURFOLD_DATA to a cache that has it")
    return folder


def checked(base: Base, modality: str) -> None:
    low, high = base.limits
    assert base.modality == modality
    assert base.pixels.dtype == np.int32
    assert base.pixels.ndim == (4 if base.photometric == "RGB" else 3)
    assert low <= base.pixels.min() < base.pixels.max() <= high
    assert base.pixels.shape[2] % 2 == 0
    assert base.pixels.std() > 1


@pytest.mark.parametrize("modality", MODALITIES)
def test_drawings_are_unique_and_can_be_drawn_again(modality):
    bases = [drawn(np.random.default_rng(seed), modality) for seed in range(12)]
    for base in bases:
        checked(base, modality)
        assert all(128 <= size <= 512 for size in base.pixels.shape[1:3])
    assert len({base.pixels.tobytes() for base in bases}) == len(bases)
    again = drawn(np.random.default_rng(3), modality)
    assert again.pixels.tobytes() == bases[3].pixels.tobytes()
    assert (again.bits, again.signed, again.photometric) == (bases[3].bits, bases[3].signed, bases[3].photometric)


def test_drawings_have_the_depths_signs_and_colours_that_are_in_use():
    kinds = {(base.modality, base.bits, base.signed, base.photometric, len(base.pixels) > 1)
             for modality in MODALITIES for base in (drawn(np.random.default_rng(seed), modality)
                                                     for seed in range(16))}
    assert {kind[1] for kind in kinds} == {8, 10, 12, 16}
    assert {kind[2] for kind in kinds} == {False, True}
    assert {kind[3] for kind in kinds} == {"MONOCHROME1", "MONOCHROME2", "RGB"}
    assert {kind[0] for kind in kinds if kind[4]} == {"US", "XA", "NM"}


def test_a_chest_is_darker_in_its_lungs_than_between_them_whatever_is_stored_as_white():
    for seed in range(8):
        base = drawn(np.random.default_rng(seed), "DX")
        rows, columns = base.pixels.shape[1:3]
        row = base.pixels[0, int(rows * 0.42):int(rows * 0.46)].mean(axis=0)
        lung, middle = row[int(columns * 0.25):int(columns * 0.33)].mean(), row[int(columns * 0.49):][:10].mean()
        assert (lung < middle) == (base.photometric == "MONOCHROME2")


def test_unsigned_ct_is_stored_1024_higher():
    for seed in range(12):
        base = drawn(np.random.default_rng(seed), "CT")
        air = np.median(base.pixels[0, :20, :20]) - (0 if base.signed else 1024)
        assert air == pytest.approx(-1000, abs=20)


def test_an_unknown_modality_is_refused_by_name():
    with pytest.raises(ValueError, match="no drawing of 'PT': there are CT, MR"):
        drawn(np.random.default_rng(0), "PT")


def test_some_phantoms_are_of_pydicoms_own_files():
    bases = [phantom(np.random.default_rng(seed), "MR") for seed in range(60)]
    for base in bases:
        checked(base, "MR")
    assert {base.pixels.shape[1] == base.pixels.shape[2] for base in bases} == {True, False}


def test_pydicoms_files_are_read_without_a_network():
    bases = shipped()
    assert {base.modality for base in bases} == {"CT", "MR", "NM", "US"}
    for base in bases:
        assert min(base.pixels.shape[1:3]) >= 200
        assert base.limits[0] <= base.pixels.min() < base.pixels.max() <= base.limits[1]


def test_what_is_varied_cannot_be_had_from_the_original_by_a_difference():
    for original in shipped():
        one, other = (varied(np.random.default_rng(seed), original) for seed in (1, 2))
        checked(one, original.modality)
        assert one.pixels.tobytes() == varied(np.random.default_rng(1), original).pixels.tobytes()
        assert one.pixels.shape != other.pixels.shape or (one.pixels != other.pixels).mean() > 0.3
        rows, columns = (min(sizes) for sizes in zip(one.pixels.shape[1:3], original.pixels.shape[1:3], strict=True))
        least = min((one.pixels[:, :rows - 40, :columns - 40] != original.pixels[
            :, top:top + rows - 40, left:left + columns - 40]).mean() for top in range(0, 25, 3)
            for left in range(0, 25, 3))
        assert least > 0.3


def test_ultrasound_keeps_no_text_above_its_image():
    for base in shipped():
        if base.modality == "US":
            assert (base.pixels[:, :base.pixels.shape[1] // 10] < 60).mean() > 0.99


@pytest.mark.data
def test_real_files_become_bases_of_their_modality(cache):
    sources = images(cache)
    for modality in MODALITIES:
        bases = [varied_from(sources, np.random.default_rng(seed), modality) for seed in range(6)]
        for base in bases:
            checked(base, modality)
        assert len({base.pixels.tobytes() for base in bases}) == len(bases)
    one, other = (varied_from(sources, np.random.default_rng(1), "CR") for _ in range(2))
    assert one.pixels.tobytes() == other.pixels.tobytes()


@pytest.mark.data
def test_files_that_are_all_labels_are_left_out(cache):
    sources = images(cache)
    used = {name.rpartition("/")[2] for name in _PARTS}
    assert not used & {"OBXXXX1A_rle.dcm", "RGB_IMAGE.dcm", "vlut_04.dcm", "liver.dcm"}
    assert all(source.part != (0, 0, 1, 1) for source in sources["US"])
    assert {modality: len(several) for modality, several in sources.items()} == {
        "CR": 213, "CT": 2, "DX": 32, "MR": 22, "NM": 1, "US": 4}


@pytest.mark.data
def test_a_missing_or_damaged_file_is_named(cache, tmp_path):
    for part in ("dicom", "cxr_hannover"):
        shutil.copytree(cache / HOME / part, tmp_path / HOME / part)
    scan = tmp_path / HOME / "dicom" / "pydicom_data" / "JPEG-LL.dcm"
    os.chmod(scan.parent, 0o755)
    os.chmod(scan, 0o644)
    scan.write_bytes(scan.read_bytes()[:-9] + b"tampering")
    with pytest.raises(DatasetError, match=r"JPEG-LL\.dcm of dataset clinical is damaged.*Copy the folder medical"):
        images(tmp_path)
    scan.unlink()
    with pytest.raises(DatasetError, match=r"JPEG-LL\.dcm: it is not there.*Copy the folder medical"):
        images(tmp_path)


def test_an_absent_dataset_says_what_to_do(tmp_path):
    with pytest.raises(DatasetError, match=r"dataset clinical needs .*manifest\.csv: it is not there.*Copy the folder"):
        images(tmp_path)
