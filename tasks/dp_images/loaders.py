"""Files of images as ``ImageData``. Whatever they hold is read as plain bytes; nothing is ever unpickled."""

import difflib
import gzip
import io
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from fourfold.suite.datasets import Dataset, DatasetError, require
from fourfold.tasks.dp_images.data import ImageData
from fourfold.tasks.dp_images.sources import DATASETS, DIGITS, GARMENTS, OBJECTS

Bytes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Part = tuple[Bytes, Labels]
Read = TypeVar("Read")

CUT = 8
"""The class of which ``mnist-imbalanced`` keeps a tenth (Bagdasaryan, Poursaeed and Shmatikov 2019)."""
CIFAR_BATCHES = (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")
CIFAR_RECORD = 1 + 3 * 32 * 32


def load(name: str, cache: Path) -> ImageData:
    """Read a dataset of ``DATASETS`` from the cache.

    Raises DatasetError if the name is unknown, or if a file is absent, damaged or not what it should be: which file,
    what is wrong with it and what to do.
    """
    if name not in _LOADERS:
        near = difflib.get_close_matches(name, _LOADERS, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(_LOADERS)}"
        raise DatasetError(f"dp-images has no dataset called {name}: {hint}")
    require(DATASETS[name], cache)
    return _LOADERS[name](DATASETS[name], cache)


def _digits(dataset: Dataset, cache: Path) -> ImageData:
    """Scikit-learn's digits, whose 17 shades of ink are spread over the 256 of a byte."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DatasetError("digits come with scikit-learn, which is not installed. Run: pip install 'fourfold[images]'"
                           ) from error
    digits = load_digits()
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)
    none = np.arange(0, dtype=np.int64)
    return ImageData(dataset.name, images, digits.target.astype(np.int64), DIGITS, np.arange(len(images)), none)


def _mnist(dataset: Dataset, cache: Path) -> ImageData:
    return _split(dataset.name, _idx_files(dataset, cache), DIGITS)


def _fashion(dataset: Dataset, cache: Path) -> ImageData:
    return _split(dataset.name, _idx_files(dataset, cache), GARMENTS)


def _mnist_imbalanced(dataset: Dataset, cache: Path) -> ImageData:
    """MNIST, of whose training eights the first tenth is kept; the test digits are the same."""
    whole = _mnist(dataset, cache)
    of_class = whole.train[whole.labels[whole.train] == CUT]
    return replace(whole, train=np.setdiff1d(whole.train, of_class[len(of_class) // 10 :]))


def _cifar10(dataset: Dataset, cache: Path) -> ImageData:
    return _split(dataset.name, _read(dataset, cache, 0, read_cifar), OBJECTS)


def _cifar10_jpeg(dataset: Dataset, cache: Path) -> ImageData:
    parts = [_read(dataset, cache, 0, lambda path: read_jpeg(path, 50_000)),
             _read(dataset, cache, 1, lambda path: read_jpeg(path, 10_000))]
    return _split(dataset.name, parts, OBJECTS)


_LOADERS: dict[str, Callable[[Dataset, Path], ImageData]] = {
    "digits": _digits,
    "mnist": _mnist,
    "fashion-mnist": _fashion,
    "mnist-imbalanced": _mnist_imbalanced,
    "cifar10": _cifar10,
    "cifar10-jpeg": _cifar10_jpeg,
}


def _split(name: str, parts: list[Part], classes: tuple[str, ...]) -> ImageData:
    (train, train_labels), (test, test_labels) = parts
    rows = np.arange(len(train) + len(test))
    images, labels = np.concatenate([train, test]), np.concatenate([train_labels, test_labels])
    return ImageData(name, images, labels, classes, rows[: len(train)], rows[len(train) :])


def _read(dataset: Dataset, cache: Path, place: int, reader: Callable[[Path], Read]) -> Read:
    """Read one file; what goes wrong is told with its path and the command that replaces it."""
    import pyarrow as pa

    path = cache / dataset.files[place].path
    try:
        return reader(path)
    except (ValueError, KeyError, OSError, EOFError, zlib.error, tarfile.TarError, pa.ArrowException) as error:
        said = str(error.args[0] if error.args else error).splitlines()[0]
        raise DatasetError(f"{path}: not the file of {dataset.name}: {said}. Run: fourfold data fetch dp-images "
                           f"{dataset.name}, which replaces it") from error


def _idx_files(dataset: Dataset, cache: Path) -> list[Part]:
    """Images and labels, of training and test, of 28x28 each."""

    def part(place: int, n: int) -> Part:
        images = _read(dataset, cache, place, lambda path: read_idx(path, (n, 28, 28)))
        return images, _read(dataset, cache, place + 1, lambda path: _labels(read_idx(path, (n,)), 10))

    return [part(0, 60_000), part(2, 10_000)]


def read_idx(path: Path, shape: tuple[int, ...]) -> Bytes:
    """Read a gzipped IDX file of unsigned bytes (LeCun's format: 0, 0, 8, dimensions, then each size as big-endian).

    Raises ValueError where it is not one of this shape, OSError, EOFError or zlib.error where gzip finds it damaged.
    """
    head, size = 4 + 4 * len(shape), int(np.prod(shape))
    with gzip.open(path) as stream:
        raw = stream.read(head + size + 1)
    if raw[:4] != bytes([0, 0, 8, len(shape)]) or len(raw) < head:
        raise ValueError(f"it is no IDX file of bytes in {len(shape)} dimensions")
    sizes = tuple(int(size) for size in np.frombuffer(raw, ">u4", len(shape), 4))
    if sizes != shape:
        raise ValueError(f"it holds {sizes} values instead of {shape}")
    if len(raw) > head + size:
        raise ValueError(f"it has more than {size:,} bytes of values")
    if len(raw) < head + size:
        raise ValueError(f"it has {len(raw) - head:,} bytes of values instead of {size:,}")
    return np.frombuffer(raw, np.uint8, offset=head).reshape(shape)


def read_cifar(path: Path, records: int = 10_000) -> list[Part]:
    """Read CIFAR-10's binary archive: [(training images, labels), (test images, labels)], five batches and one.

    A record is a label and 32x32 red, green and blue bytes, a plane each; ``records`` a batch. Raises ValueError where
    a batch is missing, short or holds a label above 9; tarfile.TarError, EOFError or OSError where the archive is
    damaged.
    """
    batches: dict[str, Bytes] = {}
    with tarfile.open(path, "r:gz") as archive:
        for member in archive:
            name = member.name.rpartition("/")[2]
            stream = archive.extractfile(member) if name in CIFAR_BATCHES else None
            if stream is not None:
                batches[name] = np.frombuffer(stream.read(records * CIFAR_RECORD + 1), np.uint8)
    for name in CIFAR_BATCHES:
        if name not in batches:
            raise ValueError(f"{name} is not in it")
        if batches[name].size != records * CIFAR_RECORD:
            raise ValueError(f"{name} is not {records:,} records of {CIFAR_RECORD:,} bytes")
    parts = [np.concatenate([batches[name] for name in names]).reshape(-1, CIFAR_RECORD)
             for names in (CIFAR_BATCHES[:5], CIFAR_BATCHES[5:])]
    return [(np.ascontiguousarray(part[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)),
             _labels(part[:, 0], len(OBJECTS))) for part in parts]


def read_jpeg(path: Path, n: int) -> Part:
    """Read a Parquet file of ``n`` rows: ``label``, and ``jpeg``, the bytes of a 32x32 RGB JPEG.

    Raises ValueError or pyarrow.ArrowException where it is not that, ImportError where Pillow is missing.
    """
    import pyarrow.parquet as pq
    from PIL import Image

    from fourfold.suite.rowcounts import check_rows

    file = pq.ParquetFile(path)
    check_rows(file.metadata, path.stat().st_size)
    table = file.read(columns=["label", "jpeg"])
    if missing := {"label", "jpeg"} - set(table.column_names):
        raise ValueError(f"it has no column {' and no '.join(sorted(missing))}")
    if table.num_rows != n:
        raise ValueError(f"it has {table.num_rows:,} rows instead of {n:,}")
    images = np.empty((n, 32, 32, 3), np.uint8)
    for row, jpeg in enumerate(table.column("jpeg").to_pylist()):
        image = Image.open(io.BytesIO(jpeg), formats=["JPEG"])
        if image.size != (32, 32) or image.mode != "RGB":
            raise ValueError(f"row {row} is a {image.mode} image of {image.size} instead of RGB of (32, 32)")
        images[row] = np.asarray(image)
    return images, _labels(table.column("label").to_numpy(), len(OBJECTS))


def _labels(values: npt.NDArray[np.integer], classes: int) -> Labels:
    if values.size and not 0 <= values.min() <= values.max() < classes:
        raise ValueError(f"it has labels from {values.min()} to {values.max()} instead of 0 to {classes - 1}")
    return values.astype(np.int64)
