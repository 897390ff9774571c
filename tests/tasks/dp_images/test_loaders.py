"""Real files are what was published, and others in their place are named."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fourfold.suite.datasets import DatasetError, checksum, content_digest, state, verify
from fourfold.tasks.dp_images.data import ImageData
from fourfold.tasks.dp_images.loaders import CIFAR_BATCHES, load, read_cifar, read_idx, read_jpeg
from fourfold.tasks.dp_images.sources import DATASETS, OBJECTS, convert_test, convert_train

MNIST_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
MNIST_TEST_COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def per_class(data: ImageData, rows: np.ndarray) -> list[int]:
    return np.bincount(data.labels[rows], minlength=len(data.classes)).tolist()


def moments(pixels: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation on a scale from 0 to 1."""
    share = np.bincount(pixels.ravel(), minlength=256) / pixels.size
    ink = np.arange(256) / 255
    mean = float(share @ ink)
    return mean, float(share @ (ink - mean) ** 2) ** 0.5


@pytest.mark.data
@pytest.mark.parametrize(("name", "shape", "train", "test"), [
    ("mnist", (70_000, 28, 28), MNIST_COUNTS, MNIST_TEST_COUNTS),
    ("fashion-mnist", (70_000, 28, 28), [6_000] * 10, [1_000] * 10),
    ("mnist-imbalanced", (70_000, 28, 28), [*MNIST_COUNTS[:8], 585, MNIST_COUNTS[9]], MNIST_TEST_COUNTS),
    ("cifar10-jpeg", (60_000, 32, 32, 3), [5_000] * 10, [1_000] * 10),
])
def test_shapes_and_classes_are_those_published(loaded, name, shape, train, test):
    data = loaded(name)
    assert data.images.shape == shape
    assert data.images.dtype == np.uint8
    assert per_class(data, data.train) == train
    assert per_class(data, data.test) == test
    assert len(data.classes) == 10


@pytest.mark.data
@pytest.mark.parametrize(("name", "mean", "deviation"), [
    ("mnist", 0.1307, 0.3081), ("fashion-mnist", 0.2860, 0.3530),  # torchvision's constants of normalization
])
def test_pixels_are_those_published(loaded, name, mean, deviation):
    data = loaded(name)
    assert moments(data.images[data.train]) == pytest.approx((mean, deviation), abs=6e-5)


@pytest.mark.data
def test_jpeg_images_have_the_originals_means_and_not_their_deviations(loaded):
    data = loaded("cifar10-jpeg")
    channels = [moments(data.images[data.train][..., channel]) for channel in range(3)]
    assert [mean for mean, _ in channels] == pytest.approx([0.4914, 0.4822, 0.4465], abs=2e-4)
    assert [deviation for _, deviation in channels] == pytest.approx([0.2452, 0.2428, 0.2606], abs=2e-4)


@pytest.mark.data
def test_every_file_is_as_pinned(cache):
    for name in ("mnist", "fashion-mnist", "mnist-imbalanced", "cifar10-jpeg"):
        assert verify(DATASETS[name], cache) == []
        assert state(DATASETS[name], cache) == "present"


def test_each_dataset_has_an_identity_even_where_it_is_absent(tmp_path):
    identity = {name: checksum(dataset, tmp_path) for name, dataset in DATASETS.items()}
    assert identity.pop("mnist-imbalanced") == identity["mnist"]  # the same files; the name tells the cells apart
    assert len(set(identity.values())) == len(identity)


@pytest.mark.data
def test_the_imbalanced_digits_are_the_first_of_the_class_and_nothing_else_is_gone(loaded):
    whole, cut = loaded("mnist"), loaded("mnist-imbalanced")
    gone = np.setdiff1d(whole.train, cut.train)
    eights = np.flatnonzero(whole.labels[:60_000] == 8)
    assert np.array_equal(gone, eights[585:])
    assert np.array_equal(whole.images, cut.images)
    assert np.array_equal(whole.test, cut.test)


def test_digits_are_scikit_learns(digits):
    sklearn = pytest.importorskip("sklearn.datasets").load_digits()
    assert np.array_equal(np.round(digits.images / 255 * 16), sklearn.images)
    assert digits.images.max() == 255
    assert np.array_equal(digits.labels, sklearn.target)
    assert not len(digits.test)


def test_an_unknown_name_gets_the_nearest(tmp_path):
    with pytest.raises(DatasetError, match=r"no dataset called fashion: did you mean fashion-mnist\?"):
        load("fashion", tmp_path)
    with pytest.raises(DatasetError, match=r"imagenet: there are digits, mnist"):
        load("imagenet", tmp_path)


def idx(values: np.ndarray) -> bytes:
    return bytes([0, 0, 8, values.ndim]) + b"".join(n.to_bytes(4, "big") for n in values.shape) + values.tobytes()


def put(cache: Path, name: str, body: bytes) -> Path:
    path = cache / "mnist" / f"{name}.gz"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(body)
    return path


@pytest.fixture
def blank(tmp_path: Path) -> Path:
    """A cache with an MNIST of the right form, whose images are blank and whose labels are all 3."""
    for part, n in (("train", 60_000), ("t10k", 10_000)):
        put(tmp_path, f"{part}-images-idx3-ubyte", gzip.compress(idx(np.zeros((n, 28, 28), np.uint8)), 1))
        put(tmp_path, f"{part}-labels-idx1-ubyte", gzip.compress(idx(np.full(n, 3, np.uint8)), 1))
    return tmp_path


def test_the_form_is_read_whatever_compressed_it_and_the_contents_are_verifys(blank):
    data = load("mnist", blank)
    assert data.images.shape == (70_000, 28, 28)
    assert set(data.labels) == {3}
    wrong = verify(DATASETS["mnist"], blank)
    assert len(wrong) == 4
    assert all("its bytes, unpacked, have SHA-256" in each for each in wrong)


DAMAGED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "truncated archive": (lambda raw: gzip.compress(raw)[:-9], "Compressed file ended"),
    "flipped bit": (lambda raw: gzip.compress(raw)[:-8] + b"\0\0\0\0" + gzip.compress(raw)[-4:], "CRC check failed"),
    "page instead": (lambda raw: b"<html>Moved</html>", "Not a gzipped file"),
    "empty": (lambda raw: b"", "no IDX file"),
    "truncated inside": (lambda raw: gzip.compress(raw[:-1]), "has 9,999 bytes of values instead of 10,000"),
    "other format": (lambda raw: gzip.compress(b"PK" + raw[2:]), "no IDX file of bytes in 1 dimensions"),
    "header alone": (lambda raw: gzip.compress(raw[:6]), "no IDX file"),
    "other size": (lambda raw: gzip.compress(idx(np.zeros(60_000, np.uint8))), r"\(60000,\) values .* of \(10000,\)"),
    "label out of range": (lambda raw: gzip.compress(raw[:-1] + b"\x0a"), "labels from 3 to 10 instead of 0 to 9"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_or_foreign_file_is_named_with_its_fault_and_the_next_step(blank, damage):
    make, said = DAMAGED[damage]
    path = put(blank, "t10k-labels-idx1-ubyte", make(idx(np.full(10_000, 3, np.uint8))))
    fault = f"{path}: not the file of mnist: .*{said}.* Run: fourfold data fetch dp-images mnist"
    with pytest.raises(DatasetError, match=fault):
        load("mnist", blank)


def test_an_absent_file_is_named(blank):
    (blank / "mnist/train-images-idx3-ubyte.gz").unlink()
    with pytest.raises(DatasetError, match=r"train-images.*: it is not there\. Run: .*fetch dp-images mnist"):
        load("mnist", blank)


def test_idx_files_read_as_they_were_written(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (3, 4, 5), np.uint8)
    (tmp_path / "a.gz").write_bytes(gzip.compress(idx(values)))
    np.testing.assert_array_equal(read_idx(tmp_path / "a.gz", (3, 4, 5)), values)


def cifar_archive(path: Path, records: int, names: tuple[str, ...] = CIFAR_BATCHES) -> dict[str, np.ndarray]:
    """An archive of CIFAR-10's layout with random records; returns them by name, (records, 3073)."""
    rng, made = np.random.default_rng(1), {}
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name in ("batches.meta.txt", *names, "readme.html"):
            made[name] = np.hstack([rng.integers(0, 10, (records, 1)), rng.integers(0, 256, (records, 3072))])
            body = made[name].astype(np.uint8).tobytes()
            entry = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
    return made


def test_cifars_archive_is_read_as_bytes(tmp_path):
    made = cifar_archive(tmp_path / "a.tar.gz", 7)
    (train, train_labels), (test, test_labels) = read_cifar(tmp_path / "a.tar.gz", 7)

    assert train.shape == (35, 32, 32, 3)
    assert test.shape == (7, 32, 32, 3)
    assert train_labels.tolist() == np.concatenate([made[name][:, 0] for name in CIFAR_BATCHES[:5]]).tolist()
    assert test_labels.tolist() == made["test_batch.bin"][:, 0].tolist()
    record = made["data_batch_2.bin"][3]
    for channel, row, column in ((0, 0, 0), (1, 0, 31), (2, 31, 5)):
        assert train[10, row, column, channel] == record[1 + 1024 * channel + 32 * row + column]


def test_another_archive_in_the_place_of_cifars_is_refused(tmp_path):
    path = tmp_path / "cifar10/cifar-10-binary.tar.gz"
    cifar_archive(path, 7)
    with pytest.raises(DatasetError, match=r"it has \d+ bytes instead of 170052171\. Run: fourfold data fetch"):
        load("cifar10", tmp_path)
    with pytest.raises(ValueError, match=r"data_batch_1\.bin is not 10,000 records of 3,073 bytes"):
        read_cifar(path)
    with pytest.raises(ValueError, match=r"data_batch_1\.bin is not 6 records"):
        read_cifar(path, 6)
    cifar_archive(path, 7, CIFAR_BATCHES[1:])
    with pytest.raises(ValueError, match=r"data_batch_1\.bin is not in it"):
        read_cifar(path, 7)
    path.write_bytes(path.read_bytes()[:50_000])
    with pytest.raises((EOFError, tarfile.TarError)):
        read_cifar(path, 7)


@pytest.mark.data
def test_the_archive_of_jpeg_files_converts_to_the_pinned_values(cache, tmp_path):
    """The whole of the test part, and each hundredth image of the other."""
    tables = {part: pq.read_table(cache / f"cifar10-jpeg/{part}.parquet") for part in ("test", "train")}
    tables["train"] = tables["train"].take(np.arange(0, len(tables["train"]), 100))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("CIFAR-10-images-d7d0561/README.md", "images")
        for table in tables.values():
            pairs = zip(table["path"].to_pylist(), table["jpeg"].to_pylist(), strict=True)
            for name, jpeg in sorted(pairs, reverse=True):
                archive.writestr(f"CIFAR-10-images-d7d0561/{name}", jpeg)
    convert_test(tmp_path / "a.zip", tmp_path / "test.parquet")
    assert content_digest(tmp_path / "test.parquet") == DATASETS["cifar10-jpeg"].files[1].content
    convert_train(tmp_path / "a.zip", tmp_path / "train.parquet")
    assert pq.read_table(tmp_path / "train.parquet").to_pylist() == tables["train"].to_pylist()


def jpegs(colours: list[tuple[int, int, int]], side: int = 32, mode: str = "RGB") -> list[bytes]:
    image = pytest.importorskip("PIL.Image")
    made = []
    for colour in colours:
        stream = io.BytesIO()
        image.new("RGB", (side, side), colour).convert(mode).save(stream, "JPEG")
        made.append(stream.getvalue())
    return made


def written(path: Path, **columns: list) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_jpeg_files_are_decoded(tmp_path):
    colours = [(200, 30, 40), (10, 220, 90)]
    path = written(tmp_path / "a.parquet", label=[3, 9], jpeg=jpegs(colours))
    images, labels = read_jpeg(path, 2)
    assert labels.tolist() == [3, 9]
    assert OBJECTS[3] == "cat"
    assert np.abs(images.reshape(2, -1, 3).astype(int) - np.array(colours)[:, None]).max() <= 3


@pytest.mark.parametrize(("columns", "said"), [
    (lambda: dict(label=[3], jpeg=jpegs([(0, 0, 0)])), "it has 1 rows instead of 2"),
    (lambda: dict(label=[3, 10], jpeg=jpegs([(0, 0, 0)] * 2)), "labels from 3 to 10"),
    (lambda: dict(label=[3, 3], jpeg=jpegs([(0, 0, 0)] * 2, side=16)), r"row 0 is a RGB image of \(16, 16\)"),
    (lambda: dict(label=[3, 3], jpeg=jpegs([(0, 0, 0)] * 2, mode="L")), "row 0 is a L image"),
    (lambda: dict(label=[3, 3], jpeg=[b"\x89PNG", b""]), "cannot identify image file"),
    (lambda: dict(label=[3, 3]), "no column jpeg"),
], ids=["rows", "label", "size", "mode", "no jpeg", "column"])
def test_another_parquet_file_is_refused(tmp_path, columns, said):
    with pytest.raises((ValueError, OSError), match=said):
        read_jpeg(written(tmp_path / "a.parquet", **columns()), 2)
