"""Features are computed once, survive what befalls a cache, and are what the transform says."""

import json
import resource
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fourfold.tasks.dp_images import features as module  # noqa: E402
from fourfold.tasks.dp_images.features import features  # noqa: E402
from fourfold.tasks.dp_images.scattering import scatter  # noqa: E402

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 12, 16), dtype=np.uint8)


def files(folder):
    (values,), (record,) = folder.glob("*.f16"), folder.glob("*.json")
    return values, record


def wanted(images):
    return scatter(torch.tensor(images)[:, None] / 255).half().numpy()


def test_grey_images(tmp_path):
    made = features(IMAGES, tmp_path)
    assert made.values.dtype == np.float16
    assert not made.values.flags.writeable
    assert made.cpu_seconds > 0
    np.testing.assert_array_equal(made.values, wanted(IMAGES))


def test_colour_images(tmp_path):
    colour = np.stack([IMAGES, 255 - IMAGES, IMAGES // 2], -1)
    made = features(colour, tmp_path).values
    assert made.shape == (40, 243, 3, 4)
    np.testing.assert_allclose(made[:, 81:162], wanted(255 - IMAGES), rtol=2e-3, atol=1e-6)


def test_more_images_than_are_scattered_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_AT_ONCE", 7)
    monkeypatch.setattr(module, "_QUIET", 0)
    said = []
    np.testing.assert_allclose(features(IMAGES, tmp_path, said.append).values, wanted(IMAGES), rtol=2e-3, atol=1e-6)
    assert said[0] == "scattering features: 7 of 40 images"


def test_a_second_call_maps_what_the_first_computed(tmp_path):
    first, second = features(IMAGES, tmp_path), features(IMAGES.copy(), tmp_path)
    assert isinstance(second.values, np.memmap)
    np.testing.assert_array_equal(first.values, second.values)
    assert second.cpu_seconds == first.cpu_seconds  # No other computation takes the same time to the nanosecond.


def test_other_images_have_other_files(tmp_path):
    features(IMAGES, tmp_path)
    changed = IMAGES.copy()
    changed[-1, -1, -1] ^= 1
    features(changed, tmp_path)
    features(IMAGES.reshape(40, 16, 12), tmp_path)
    assert len(list(tmp_path.glob("*.f16"))) == 3


def test_a_new_version_of_the_transform_has_new_files(tmp_path, monkeypatch):
    features(IMAGES, tmp_path)
    monkeypatch.setattr(module.scattering, "VERSION", "next")
    features(IMAGES, tmp_path)
    assert len(list(tmp_path.glob("*.f16"))) == 2


def test_the_users_cache_is_where_they_are_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    features(IMAGES)
    files(tmp_path / "fourfold" / "features")


def truncate(values, record):
    values.write_bytes(values.read_bytes()[:-2])


def flip(values, record):
    data = bytearray(values.read_bytes())
    data[100] ^= 1
    values.write_bytes(data)


def lose_the_record(values, record):
    record.unlink()


def garble_the_record(values, record):
    record.write_bytes(b"\xff{")


def swap_the_record(values, record):
    record.write_text(json.dumps(json.loads(record.read_text()) | {"sha256": "0"}))


@pytest.mark.parametrize("harm", [truncate, flip, lose_the_record, garble_the_record, swap_the_record])
def test_a_damaged_file_is_made_anew(tmp_path, harm):
    features(IMAGES, tmp_path)
    sound = files(tmp_path)[0].read_bytes()
    harm(*files(tmp_path))
    said = []
    again = features(IMAGES, tmp_path, said.append)
    np.testing.assert_array_equal(again.values, wanted(IMAGES))
    assert files(tmp_path)[0].read_bytes() == sound
    assert harm is lose_the_record or "is damaged; its features are computed again" in said[0]
    assert features(IMAGES, tmp_path).cpu_seconds == again.cpu_seconds


def test_two_processes_compute_once(tmp_path):
    script = (
        "import sys, pathlib, numpy as np\n"
        "from fourfold.tasks.dp_images.features import features\n"
        "images = np.random.default_rng(1).integers(0, 256, (300, 28, 28), dtype=np.uint8)\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "made = features(images, pathlib.Path(sys.argv[1]))\n"
        "print(made.cpu_seconds.hex(), float(made.values.astype(float).sum()).hex())\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    pipe = subprocess.PIPE
    both = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(2)]
    for each in both:
        assert each.stdout.readline() == "ready\n"
    for each in both:
        each.stdin.write("go\n")
        each.stdin.flush()
    said = [each.communicate(timeout=120)[0] for each in both]
    assert said[0]
    assert said[0] == said[1]


def test_a_full_disk_leaves_them_in_memory(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    said = []
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        made = features(IMAGES, tmp_path, said.append)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    np.testing.assert_array_equal(made.values, wanted(IMAGES))
    assert "MiB of features cannot be kept in" in said[0]
    assert "File too large; free some space there" in said[0]
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]


def test_a_folder_that_cannot_be_made_leaves_them_in_memory(tmp_path):
    (tmp_path / "file").touch()
    said = []
    made = features(IMAGES, tmp_path / "file", said.append)
    np.testing.assert_array_equal(made.values, wanted(IMAGES))
    assert said[0].startswith(f"no features can be kept in {tmp_path / 'file'}: ")


def test_the_harshest_images_fit_half_precision(tmp_path):
    y, x = np.mgrid[:28, :28]
    harsh = [0 * x, 0 * x + 1, (x + y) % 2, x % 2, y % 2, x // 2 % 2, x // 4 % 2, (x + y) // 4 % 2, (x > 13) * 1]
    made = features(255 * np.array(harsh, np.uint8), tmp_path).values
    assert np.isfinite(made).all()
    assert made.max() <= 1.001


@pytest.mark.parametrize("images", [IMAGES.astype(float), IMAGES[0]])
def test_other_types_and_shapes_are_refused(images, tmp_path):
    with pytest.raises(ValueError, match="features are of uint8 images"):
        features(images, tmp_path)


def test_images_that_are_too_small_are_refused(tmp_path):
    with pytest.raises(ValueError, match="at least 8 x 8"):
        features(IMAGES[:, :6], tmp_path)
