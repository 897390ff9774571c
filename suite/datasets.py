"""The dataset cache: what is there, whether it is whole, and how to get it.

A cache is a folder that holds the files of all datasets, each at its ``File.path``. Some files are kept as they come;
their bytes are pinned. Others are converted to Parquet on arrival; as Parquet's bytes differ between writers, it is
their values that are pinned (``content_digest``), wherever a copy was made. Of a gzip file, whose bytes differ between
compressors, it is the bytes inside.
"""

import gzip
import hashlib
import importlib
import json
import os
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Progress = Callable[[str, int, int | None], None]
"""Called as (path, bytes done, bytes in all or None) while a file comes in."""


class DatasetError(Exception):
    """A dataset is absent, damaged or out of reach. The message says which file, what is wrong and what to do."""


@dataclass(frozen=True)
class File:
    """One file of a dataset, beneath the cache.

    sha256, size: of the bytes at ``url`` ('' and 0: not known). url: where they are; '' = by hand, or from a mirror.
    convert: ``module:function`` that makes of those bytes the cached Parquet file, given both paths; '' = it is they.
    content: the ``content_digest`` of the file that ``convert`` makes.
    unpacked: SHA-256 of the bytes inside a gzip file that is kept as it comes, pinned instead of ``sha256``.
    check: ``module:function`` that returns what is wrong with the file at a path, or '': for bytes that nobody pinned.
    """

    path: str
    sha256: str = ""
    size: int = 0
    url: str = ""
    convert: str = ""
    content: str = ""
    unpacked: str = ""
    check: str = ""


@dataclass(frozen=True)
class Dataset:
    """What a dataset is, where its bytes come from, and under which terms. Embedded ones: no files but a version.

    by_hand: how to get what may not be fetched. task: whose dataset it is, as the command line names it.
    """

    name: str
    title: str
    licence: str
    source: str
    files: Sequence[File] = ()
    by_hand: str = ""
    version: str = ""
    task: str = ""


def cache_folder() -> Path:
    """The cache in use: the folder in the environment variable FOURFOLD_DATA, else the user's cache folder."""
    if chosen := os.environ.get("FOURFOLD_DATA"):
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "fourfold"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fourfold"


def state(dataset: Dataset, cache: Path) -> str:
    """Tell at a glance: ``embedded``, ``present``, ``absent``, ``incomplete`` (files missing) or ``corrupt``.

    It looks at sizes and file ends alone, so that a listing costs nothing; ``verify`` reads every byte.
    """
    if not dataset.files:
        return "embedded"
    there = [file for file in dataset.files if (cache / file.path).is_file()]
    if any(_misshapen(file, cache / file.path) for file in there):
        return "corrupt"
    return "present" if len(there) == len(dataset.files) else "incomplete" if there else "absent"


def verify(dataset: Dataset, cache: Path) -> list[str]:
    """Read every file and say what is wrong with each, and what to do; an empty list means that all is well."""
    wrong = []
    for file in dataset.files:
        path = cache / file.path
        fault = _fault(file, path) if path.is_file() else "it is not there"
        if fault:
            wrong.append(f"{path}: {fault}. {_remedy(dataset, file)}")
    return wrong


def require(dataset: Dataset, cache: Path) -> None:
    """Raise DatasetError, with the next command, unless the dataset looks present (as ``state`` sees it)."""
    for file in dataset.files:
        path = cache / file.path
        fault = _misshapen(file, path) if path.is_file() else "it is not there"
        if fault:
            raise DatasetError(f"dataset {dataset.name} needs {path}: {fault}. {_remedy(dataset, file)}")


def checksum(dataset: Dataset, cache: Path) -> str:
    """The identity of the dataset's contents, which enters the hash of a cell: the same wherever they are the same.

    It is made of the pinned digests; only a file that has none is read. Raises DatasetError if that one is absent.
    """
    if not dataset.files:
        return _sha256_text(f"{dataset.name} {dataset.version}")
    identity = []
    for file in dataset.files:
        pinned = file.content or file.unpacked or (file.sha256 if not file.convert else "")
        if not pinned:
            require(dataset, cache)
        identity.append([file.path, pinned or sha256_of(cache / file.path)])
    return _sha256_text(json.dumps(identity))


def fetch(dataset: Dataset, cache: Path, progress: Progress | None = None) -> list[Path]:
    """Bring every file that is absent or wrong into the cache; return the paths of those brought.

    A file comes from its own address, or in its cached form from beneath the address in FOURFOLD_MIRROR. A transfer
    that broke off goes on where it stopped. A file in the cache is replaced only once its successor has been checked.
    Raises DatasetError where one cannot be had or is not what it should be.
    """
    mirror = os.environ.get("FOURFOLD_MIRROR", "").rstrip("/")
    brought = []
    for file in dataset.files:
        path = cache / file.path
        if path.is_file() and not _fault(file, path):
            continue
        if not mirror and not file.url:
            raise DatasetError(f"{file.path} of {dataset.name} cannot be fetched. {_remedy(dataset, file)}")
        try:
            _bring(file, path, f"{mirror}/{file.path}" if mirror else "", progress)
        except OSError as error:
            raise DatasetError(f"{path}: {error.strerror or error}. Make room, or choose another folder with "
                               "FOURFOLD_DATA, then run the same command again") from error
        brought.append(path)
    return brought


def content_digest(path: Path) -> str:
    """SHA-256 of the values in a Parquet file, whatever wrote it and however it is encoded.

    Columns are taken by name; numbers and booleans as float64 (so int8 and int64 agree), a null as NaN; strings as
    UTF-8, bytes by their SHA-256. Row order counts. Raises OSError or pyarrow.ArrowInvalid where the file cannot be
    read.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from fourfold.suite.rowcounts import check_rows

    file = pq.ParquetFile(path)
    check_rows(file.metadata, path.stat().st_size)
    table = file.read()
    digest = hashlib.sha256()
    for name in sorted(table.column_names):
        column = table.column(name)
        digest.update(json.dumps([name, len(column)]).encode())
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            digest.update(json.dumps(column.to_pylist()).encode())
            continue
        if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
            each = (None if value is None else hashlib.sha256(value).hexdigest() for value in column.to_pylist())
            digest.update(json.dumps(list(each)).encode())
            continue
        values = column.cast(pa.int8() if pa.types.is_boolean(column.type) else column.type).cast(pa.float64())
        numbers = values.to_numpy().astype("<f8") + 0.0  # one zero, not two
        numbers[np.isnan(numbers)] = np.nan  # one NaN, not many
        digest.update(numbers.tobytes())
    return digest.hexdigest()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sha256_inside(path: Path) -> str:
    """SHA-256 of the bytes inside a gzip file. Raises OSError, EOFError or zlib.error where it is no whole one."""
    with gzip.open(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sha256_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _misshapen(file: File, path: Path) -> str:
    """What is wrong with a file that is there, as far as its size and ends tell."""
    size = path.stat().st_size
    if not file.convert:
        return f"it has {size} bytes instead of {file.size}" if file.size and size != file.size else ""
    with path.open("rb") as stream:
        ends = stream.read(4)
        stream.seek(max(0, size - 4))
        ends += stream.read(4)
    return "" if ends == b"PAR1PAR1" else "it is no whole Parquet file"


def _fault(file: File, path: Path) -> str:
    """What is wrong with a file that is there, having read it whole; '' if nothing."""
    if fault := _misshapen(file, path):
        return fault
    if file.convert:
        import pyarrow as pa

        try:
            found, pinned, what = content_digest(path), file.content, "values"
        except (pa.ArrowException, OSError) as error:
            return f"it cannot be read ({str(error).splitlines()[0]})"
    elif file.unpacked:
        try:
            found, pinned, what = _sha256_inside(path), file.unpacked, "bytes, unpacked,"
        except (OSError, EOFError, zlib.error) as error:
            return f"it is no whole gzip file ({error})"
    elif file.sha256:
        found, pinned, what = sha256_of(path), file.sha256, "bytes"
    else:
        return str(_named(file.check)(path)) if file.check else ""
    return "" if found == pinned else f"its {what} have SHA-256 {found[:12]}..., not {pinned[:12]}..."


def _remedy(dataset: Dataset, file: File) -> str:
    if file.url:
        return f"Run: fourfold data fetch {dataset.task} {dataset.name}".replace("  ", " ")
    return dataset.by_hand or "Put it there by hand"


def _named(function: str) -> Callable[..., Any]:
    module, name = function.split(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


def _bring(file: File, path: Path, mirrored: str, progress: Progress | None) -> None:
    """Download, convert, check, and only then put in place."""
    from fourfold.suite.download import download

    path.parent.mkdir(parents=True, exist_ok=True)

    def report(done: int, total: int | None) -> None:
        if progress:
            progress(file.path, done, total)

    def wrong(arrived: Path) -> str:
        if mirrored or file.unpacked:
            return _fault(file, arrived)
        if file.sha256 and (found := sha256_of(arrived)) != file.sha256:
            return f"its bytes have SHA-256 {found[:12]}..., not {file.sha256[:12]}..."
        return ""

    arrived = download(mirrored or file.url, path, wrong, report)
    made = arrived
    try:
        if file.convert and not mirrored:
            made = arrived.with_suffix(".made")
            _named(file.convert)(arrived, made)
            if fault := _fault(file, made):
                raise DatasetError(f"{file.url} arrived as it should, but once converted {fault}. {path} was left as "
                                   "it was. This is a fault of fourfold or of the installed pyarrow: please report it")
        os.replace(made, path)
    finally:
        arrived.unlink(missing_ok=True)
        made.unlink(missing_ok=True)
