"""Scattering features of a dataset: computed once a machine, kept on its disk, mapped into every process that asks."""

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fourfold.suite.atomic import temporary_beside
from fourfold.tasks.dp_images import scattering

Tell = Callable[[str], None]

_AT_ONCE = 512  # Images that are scattered between two looks at the clock.
_QUIET = 15.0  # Seconds between two lines of progress.


class Features(NamedTuple):
    """Scattering features of images and what they cost.

    values: (n, channels, rows, columns) float16, read-only. cpu_seconds: of processor time, when they were computed.
    """

    values: npt.NDArray[np.float16]
    cpu_seconds: float


class _Kept(NamedTuple):
    """What is on record of the file beside it; without such a record, a file is nothing."""

    sha256: str
    cpu_seconds: float


def features(images: npt.NDArray[np.uint8], folder: Path | None = None, tell: Tell | None = None) -> Features:
    """The scattering features of images (n, h, w) or (n, h, w, c), by ``scattering.scatter`` of values from 0 to 1.

    They are kept in ``folder`` (None: the user's cache) under a name made of the images and of the transform's version;
    of several processes that ask for the same, one computes and the others wait. A kept file that is not what was
    written is made anew. Where nothing can be kept, the features are in memory alone. ``tell`` hears of all that, and
    of progress where it takes long (None: standard error). All of torch's threads work on it.
    Raises ValueError where the images are of another type or shape, or too small.
    """
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise ValueError(f"features are of uint8 images (n, h, w) or (n, h, w, c), not {images.dtype} {images.shape}")
    tell = tell or (lambda line: print(line, file=sys.stderr, flush=True))
    place = (folder or _cache()) / f"{_name(images)}.f16"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with _alone(place, tell):
            return _kept(images, place, tell) or _keep(_computed(images, tell), place, tell)
    except OSError as error:
        tell(f"no features can be kept in {place.parent}: {error.strerror or error}; each process makes its own")
        return _computed(images, tell)


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fourfold" / "features"


def _name(images: npt.NDArray[np.uint8]) -> str:
    digest = hashlib.sha256(json.dumps(["scattering", scattering.VERSION, images.shape]).encode())
    digest.update(np.ascontiguousarray(images).data)
    return digest.hexdigest()[:32]


def _shape(images: npt.NDArray[np.uint8]) -> tuple[int, int, int, int]:
    n, height, width, channels = (*images.shape, 1)[:4]
    return n, channels * scattering.PATHS, height // scattering.SHRINKS, width // scattering.SHRINKS


@contextlib.contextmanager
def _alone(place: Path, tell: Tell) -> Iterator[None]:
    """Be the only one on this machine at this file; the lock ends with its holder, however that ends."""
    with open(place.with_suffix(".lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(f"waiting for the features {place.stem[:8]}, which another process computes")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _kept(images: npt.NDArray[np.uint8], place: Path, tell: Tell) -> Features | None:
    """What an earlier call kept, if it is whole."""
    record = place.with_suffix(".json")
    if not (place.exists() and record.exists()):
        return None
    try:
        known = _Kept(**json.loads(record.read_text()))
        status = place.stat()
        whole = _sha256(place, status.st_ino, status.st_size, status.st_mtime_ns) == known.sha256
    except (ValueError, TypeError):
        whole = False
    if not whole:
        tell(f"{place} is damaged; its features are computed again")
        return None
    return Features(np.memmap(place, np.float16, "r", shape=_shape(images)), float(known.cpu_seconds))


@functools.lru_cache(maxsize=16)
def _sha256(place: Path, inode: int, size: int, changed: int) -> str:
    """A file's digest, which a process takes once for as long as the file is untouched."""
    with open(place, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _keep(made: Features, place: Path, tell: Tell) -> Features:
    """Write features and then the record of them, each whole or not at all, and map what was written."""
    record = json.dumps(_Kept(hashlib.sha256(made.values.data).hexdigest(), made.cpu_seconds)._asdict())
    try:
        _replace(place, made.values.data)
        _replace(place.with_suffix(".json"), record.encode())
    except OSError as error:
        told = f"{made.values.nbytes / 2**20:,.0f} MiB of features cannot be kept in {place}: {error.strerror or error}"
        tell(f"{told}; free some space there, or set XDG_CACHE_HOME, or they are computed again each time")
        return made
    return Features(np.memmap(place, np.float16, "r", shape=made.values.shape), made.cpu_seconds)


def _replace(place: Path, data: "bytes | memoryview") -> None:
    """Put a file in its place whole, whatever was there before."""
    temporary = temporary_beside(place)
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(place)
    finally:
        temporary.unlink(missing_ok=True)


def _computed(images: npt.NDArray[np.uint8], tell: Tell) -> Features:
    import torch

    started, told = time.process_time(), time.monotonic()
    values = np.empty(_shape(images), np.float16)
    planes = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)

    def fill(first: int) -> None:
        chunk = torch.from_numpy(np.ascontiguousarray(planes[first : first + _AT_ONCE])).float() / 255
        with torch.inference_mode():
            values[first : first + _AT_ONCE] = scattering.scatter(chunk).half().numpy()

    with _one_thread_an_operation() as threads, ThreadPoolExecutor(threads) as pool:
        starts = range(0, len(images), _AT_ONCE)
        for first, _ in zip(starts, pool.map(fill, starts), strict=True):
            if time.monotonic() - told > _QUIET:
                told = time.monotonic()
                tell(f"scattering features: {min(first + _AT_ONCE, len(images)):,} of {len(images):,} images")
    values.flags.writeable = False
    return Features(values, time.process_time() - started)


@contextlib.contextmanager
def _one_thread_an_operation() -> Iterator[int]:
    """Let torch's threads work on an image each: many on one small product wait for the slowest on a busy machine."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)
