"""One file over HTTP: in parts if need be, whole in the end."""

import contextlib
import fcntl
import os
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO

from fourfold.suite.datasets import DatasetError

TIMEOUT = 60.0  # seconds without a byte
CHUNK = 1 << 18


def download(url: str, beside: Path, wrong: Callable[[Path], str], report: Callable[[int, int | None], None]) -> Path:
    """Download ``url`` into a file of this call next to ``beside`` and return its path, for the caller to move.

    What came of an earlier attempt is kept in ``<name>.part`` and only the rest is asked for, provided that the server
    still has the same file (If-Range, RFC 9110 section 13.1.5). ``wrong`` says what is wrong with the arrived file, or
    ''; if it was pieced together it is then fetched once more, whole. Two calls may do this at once: the second works
    on a partial file of its own. Raises DatasetError where nothing usable arrives.
    """
    shared = beside.with_name(beside.name + ".part")
    part, stream = _open_part(shared)
    whole = beside.with_name(f"{beside.name}.{uuid.uuid4().hex}.whole")
    try:
        with stream:
            resumed = _receive(url, part, stream, report)
            fault = wrong(part)
            if fault and resumed:
                _forget(part, stream)
                _receive(url, part, stream, report)
                fault = wrong(part)
            os.replace(part, whole)  # while the lock holds
            _origin(part).unlink(missing_ok=True)
    finally:
        if part != shared:
            _origin(part).unlink(missing_ok=True)
            part.unlink(missing_ok=True)
    if fault:
        whole.unlink()
        kept = f"{beside} was left as it was" if beside.exists() else f"{beside} was not written"
        raise DatasetError(f"{url} is not what it should be: {fault}. {kept}. Try again later; if it stays so, the "
                           "file has changed at its source: set FOURFOLD_MIRROR to a place that has the old one")
    return whole


def _open_part(shared: Path) -> tuple[Path, BinaryIO]:
    """The partial file, held by a lock that ends with this process; a fresh one where another process holds it."""
    stream = shared.open("ab+")
    with contextlib.suppress(OSError):  # taken, moved away meanwhile, or a file system without locks
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(stream.fileno()), shared.stat()):
            return shared, stream
    stream.close()
    own = shared.with_name(f"{shared.stem}.{uuid.uuid4().hex}.part")
    return own, own.open("ab+")


def _receive(url: str, part: Path, stream: BinaryIO, report: Callable[[int, int | None], None]) -> bool:
    """Append what is missing of ``url``; True if part of it was there before."""
    response = _ask(url, part, stream)
    with response:
        start = stream.seek(0, os.SEEK_END) if response.status == 206 else 0
        if start == 0:
            _forget(part, stream)
            if mark := response.headers.get("ETag") or response.headers.get("Last-Modified"):
                _origin(part).write_text(f"{url}\n{mark}\n")
        length = response.headers.get("Content-Length")
        total = start + int(length) if length else None
        done = start
        report(done, total)
        try:
            while chunk := _next(response):
                stream.write(chunk)
                done += len(chunk)
                report(done, total)
        finally:
            stream.flush()
    if chunk is None or (total is not None and done < total):
        raise DatasetError(f"{url}: the transfer broke off after {done} of {total or 'an unknown number of'} bytes. "
                           "Run the same command again: it goes on from there")
    return start > 0


def _next(response: HTTPResponse) -> bytes | None:
    """The next bytes, none at the end, None if the connection broke."""
    try:
        return response.read(CHUNK)
    except (HTTPException, OSError):
        return None


def _ask(url: str, part: Path, stream: BinaryIO) -> HTTPResponse:
    """Open ``url``, from the end of the partial file on if that came from the same version of it."""
    have = stream.seek(0, os.SEEK_END)
    mark = _mark(part, url)
    headers = {"User-Agent": "fourfold"}
    if have and mark and not mark.startswith("W/"):  # a weak mark does not tell versions apart
        headers |= {"Range": f"bytes={have}-", "If-Range": mark}
    try:
        request = urllib.request.Request(url, headers=headers)
        response: HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing lies beyond what we have: it is whole already, or not that file at all
            _forget(part, stream)
            return _ask(url, part, stream)
        raise DatasetError(f"{url}: the server answers {error.code} {error.reason}. Try again later, or set "
                           "FOURFOLD_MIRROR to a place that holds the cache's files") from error
    except (urllib.error.URLError, HTTPException, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise DatasetError(f"{url} cannot be reached: {reason}. Check the connection, or set FOURFOLD_MIRROR to a "
                           "place that holds the cache's files") from error
    if response.status == 206 and have and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
        response.close()
        _forget(part, stream)
        return _ask(url, part, stream)
    return response


def _origin(part: Path) -> Path:
    """Remembers beside a partial file which version of which address it is a part of."""
    return part.with_name(part.name + ".from")


def _mark(part: Path, url: str) -> str:
    try:
        address, mark = _origin(part).read_text().splitlines()
    except (OSError, ValueError):
        return ""
    return mark if address == url else ""


def _forget(part: Path, stream: BinaryIO) -> None:
    if stream.seek(0, os.SEEK_END):
        stream.truncate(0)
    _origin(part).unlink(missing_ok=True)
