"""Results at a URL, such as a bucket's: a folder of this machine mirrors them, and what is new there is put at the URL.

An object is what the results folder has under that name (see layout.py). None is ever changed: the first one stands,
and the only ones taken away are cells to be run anew, of which a copy stays under ``retired/``. So machines need not
know of each other.
"""

import contextlib
import difflib
import errno
import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from fourfold.suite.atomic import StoreError, explained
from fourfold.suite.events import Event, Finished
from fourfold.suite.layout import cell_path
from fourfold.suite.merge import Merged
from fourfold.suite.mirror import NAMES, adopt, forget, known, note, unsound, waiting

_PARTS = ("cells/", "cards/", "compacted/", "methods/")
_VERSIONS = ("ETag", "etag", "md5Hash", "LastModified", "last_modified", "updated", "mtime", "created")
"""What file systems call that by which two contents of one object are told apart; the best come first."""
_AT_ONCE = 8
_ATTEMPTS = 4
T = TypeVar("T")


@dataclass(frozen=True)
class Remote:
    """Results at a URL. fs, base: fsspec's file system, and the path there. mirror: the folder of this machine.

    notes: objects that were left out, and why. clashes: how cells of this machine alone disagree with those at the URL,
    which stay.
    """

    url: str
    fs: Any
    base: str
    mirror: Path
    notes: list[str] = field(default_factory=list)
    clashes: Merged = field(default_factory=Merged)


def opened(url: str) -> Remote:
    """Find what reads a URL, and its mirror in the user's cache. Asks no server yet. Raises StoreError."""
    url = url.rstrip("/")
    if urlsplit(url).password:
        raise StoreError("a password in the URL of results would be kept with each: give the URL without it, and "
                         "credentials as the environment or the configuration of what reads it takes them")
    try:
        import fsspec

        fs, base = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        raise StoreError(f"results at {url} need a package that is not installed: {error}; "
                         "for s3:// it is pip install 'fourfold[remote]'") from error
    except ValueError as error:
        near = difflib.get_close_matches(url.partition(":")[0], fsspec.available_protocols(), 1) or ["s3"]
        raise StoreError(f"cannot use {url}: {error}; give a folder, or a URL such as {near[0]}://bucket/results"
                         ) from error
    # A bucket's name is another bucket's at another server.
    told = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    name = hashlib.sha256(f"{url} {getattr(fs, 'endpoint_url', None) or told}".encode()).hexdigest()[:24]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fourfold" / "remote"
    return Remote(url, fs, base.rstrip("/"), cache / name)


def fetch(remote: Remote) -> None:
    """Bring into the mirror what is new at the URL.

    Cells that were taken away there go to the mirror's ``retired/``. An object that is no whole cell, or nothing of
    ours, is noted and left alone. Raises StoreError.
    """
    with explained("write", remote.mirror):
        remote.mirror.mkdir(mode=0o700, parents=True, exist_ok=True)
    mine = known(remote.mirror)  # Before the listing, which then has all that another process puts there meanwhile.
    with _told(remote, "read", remote.url):
        found = _patiently(lambda: remote.fs.find(remote.base, detail=True))
    there = {path[len(remote.base) + 1 :]: _version(info) for path, info in found.items()}
    remote.notes.extend(f"skipped {remote.url}/{name}: nothing of fourfold's"
                        for name in there if name.startswith(_PARTS) and not NAMES.fullmatch(name))
    there = {name: version for name, version in there.items() if NAMES.fullmatch(name)}
    for name in mine.keys() - there.keys():
        forget(remote.mirror, name)
    new = [name for name, version in there.items() if mine.get(name) != version or not (remote.mirror / name).exists()]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for name, data in zip(new, pool.map(partial(_read, remote), new), strict=True):
            if data is not None and (why := unsound(name, data)):
                remote.notes.append(f"skipped {remote.url}/{name}: {why}")
                note(remote.mirror, name, None)  # Should the mirror have it whole, that waits to be put there.
            elif data is not None:
                adopt(remote.mirror, name, data, None if name in mine else remote.clashes)
                note(remote.mirror, name, there[name])


def push(remote: Remote) -> None:
    """Put at the URL all that waits in the mirror. Raises StoreError; what could not be put there goes on waiting."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(partial(put, remote), waiting(remote.mirror)))


def put(remote: Remote, name: str) -> None:
    """Put one object at the URL, or have the one that is there already. Raises StoreError."""
    local, path = remote.mirror / name, f"{remote.base}/{name}"
    if not local.exists():  # A cell that was in the store before, among compacted ones.
        return
    data = local.read_bytes()
    with _told(remote, "write", f"{remote.url}/{name}"):
        if not _patiently(lambda: _create(remote.fs, path, data)):
            theirs = remote.fs.cat_file(path)
            if unsound(name, theirs):
                _keep(remote, name, theirs)
                remote.fs.pipe_file(path, data)
            else:
                adopt(remote.mirror, name, theirs, remote.clashes)
        note(remote.mirror, name, _version(remote.fs.info(path)))


def retire(remote: Remote, cells: Iterable[str]) -> None:
    """Take cells away at the URL, so that they can be run anew; a copy of each stays there. Raises StoreError.

    One that another machine has run anew meanwhile is left as it is.
    """
    mine = known(remote.mirror)
    for cell in cells:
        local = cell_path(remote.mirror, cell)
        name = local.relative_to(remote.mirror).as_posix()
        if not local.exists():
            raise StoreError(f"cell {cell[:12]} is in a compacted folder of {remote.url}, whose cells cannot be run "
                             f"anew there: `fourfold merge {remote.url} --out FOLDER`, and run it in that folder")
        with _told(remote, "write", f"{remote.url}/{name}"), contextlib.suppress(FileNotFoundError):
            if _version(remote.fs.info(f"{remote.base}/{name}")) == mine.get(name):
                _keep(remote, name, local.read_bytes())
                remote.fs.rm_file(f"{remote.base}/{name}")
        note(remote.mirror, name, None)


def uploaded(remote: Remote, events: Iterable[Event]) -> Iterator[Event]:
    """Pass on a campaign's events, the end of a cell once it is at the URL. Raises StoreError."""
    under_way: deque[tuple[Finished, Future[None]]] = deque()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for event in events:
            if isinstance(event, Finished):
                place = cell_path(remote.mirror, event.result.cell.id).relative_to(remote.mirror)
                under_way.append((event, pool.submit(put, remote, place.as_posix())))
            else:
                yield event
            while under_way and under_way[0][1].done():
                yield _arrived(*under_way.popleft())
        while under_way:
            yield _arrived(*under_way.popleft())


def _arrived(event: Finished, upload: "Future[None]") -> Finished:
    upload.result()
    return event


def _create(fs: Any, path: str, data: bytes) -> bool:
    """Put an object where there is none; False where there is one. Both at once, if the server can."""
    try:
        fs.pipe_file(path, data, mode="create")
    except FileExistsError:
        return False
    except OSError as error:  # Some servers do not say which condition failed, and some know none.
        if error.errno not in (errno.EINVAL, errno.ENOSYS):
            raise
        if fs.exists(path):
            return False
        if error.errno == errno.EINVAL:
            raise
        fs.pipe_file(path, data)
    return True


def _keep(remote: Remote, name: str, data: bytes) -> None:
    """Keep a copy under ``retired/`` at the URL, named by its content: to do so twice is as once."""
    stem, _, kind = name.rpartition("/")[2].partition(".")
    remote.fs.pipe_file(f"{remote.base}/retired/{stem}.{hashlib.sha256(data).hexdigest()[:8]}.{kind}", data)


def _read(remote: Remote, name: str) -> bytes | None:
    """An object's content; None where it has been taken away since it was listed."""
    with _told(remote, "read", f"{remote.url}/{name}"):
        try:
            return _patiently(lambda: bytes(remote.fs.cat_file(f"{remote.base}/{name}")))
        except FileNotFoundError:
            return None


def _version(info: Mapping[str, Any]) -> str:
    return f"{info['size']} {next((info[name] for name in _VERSIONS if info.get(name)), '')}"


def _patiently(call: Callable[[], T]) -> T:
    """Call, and again where it fails in a way that may pass; what networks do, s3fs has tried to make up for before."""
    for attempt in range(1, _ATTEMPTS):
        try:
            return call()
        except (FileExistsError, FileNotFoundError, PermissionError):
            raise
        except OSError:
            time.sleep(0.2 * 2**attempt)
    return call()


@contextlib.contextmanager
def _told(remote: Remote, doing: str, where: str) -> Iterator[None]:
    """Turn what a file system raises, which may be any error of its library's, into a ``StoreError``."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        advice = f"look at the server, then run the same command again; {remote.mirror} keeps what is done"
        if isinstance(error, FileNotFoundError):
            advice = "make the bucket, or give another URL"
        elif isinstance(error, PermissionError) or "credentials" in str(error).lower():
            advice = "see that your credentials are there, as AWS_PROFILE or AWS_ACCESS_KEY_ID, and allow it"
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise StoreError(f"cannot {doing} {where}: {reason}; {advice}") from error
