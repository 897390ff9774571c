"""Every picture in an output beside its own: an icon, further frames, floating-point or unused bits, a private blob.

Where a picture may be is tried: samples of any depth as many as an image of these rows and columns has, files that
Pillow or pydicom opens, and what is compressed. Messages that are hidden in what looks like noise are not looked for.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from fourfold.tasks.dicom_deid.containers import unpacked
from fourfold.tasks.dicom_deid.key import Key
from fourfold.tasks.dicom_deid.moved import thumbnail
from fourfold.tasks.dicom_deid.planes import planes
from fourfold.tasks.dicom_deid.reading import LARGEST, File
from fourfold.tasks.dicom_deid.residual import Grey, grey
from fourfold.tasks.dicom_deid.stretches import TEXT, Stretch

if TYPE_CHECKING:
    from pydicom import Dataset

MOST, RAW = 64, 8
"""Frames that are looked at of an image, and of bytes that may be one."""
HEADER = 4096
"""Bytes that may stand before or behind samples."""
ALIKE = 0.8
"""The correlation of two thumbnails from which on they may show one image."""
SMALLEST = 16
"""Rows or columns under which an image is like any."""
OWN = "pixels"
_SAMPLES = "(7FE0,0010)"
_DEPTHS = (("u1", 1), ("<u2", 1), (">u2", 1), ("u1", 3), ("<f4", 1), ("<f8", 1), ("<u4", 1))
"""How samples may be stored: their type, and how many a pixel has."""
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "JPEG2000", "WEBP")
_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"\0\0\0\x0cjP  ", b"\xffO\xffQ", b"RIFF")


def own(file: File) -> Iterator[tuple[str, Grey]]:
    """The images of a file, by frame; (place, (rows, columns)) each."""
    stored, _ = file.pixels
    for image in grey(stored)[:MOST] if stored is not None else ():
        yield OWN, image


def others(file: File, sizes: Sequence[tuple[int, int, int]]) -> Iterator[tuple[str, Grey]]:
    """All other pictures in a file that was written for one of these sizes, (frames, rows, columns), by their place."""
    yield from _further(file, max((size[0] for size in sizes), default=MOST))
    dataset, _ = file.parsed
    if dataset is not None:
        for plane in planes(dataset):
            yield "overlay", plane.astype(np.float64)
        yield from _nested(file)
    large = [one for one in _beside_own(file) if one.end - one.start >= SMALLEST**2 and one.vr not in TEXT]
    for one in [*large, *unpacked(large)]:
        for image in chain(_opened(one), *(_raw(one, shape) for shape in dict.fromkeys(size[1:] for size in sizes))):
            yield one.place, image


def _further(file: File, frames: int) -> Iterator[tuple[str, Grey]]:
    """Frames that were not given, and bits of samples that are said to be unused."""
    stored, _ = file.pixels
    dataset, _ = file.parsed
    if stored is None or dataset is None:
        return
    for image in grey(stored[frames : frames + MOST]):
        yield f"{OWN}, a further frame", image
    one, used = file.by_place.get(_SAMPLES), int(dataset.get("BitsStored") or 0)
    width = stored.dtype.itemsize
    if one is None or stored.ndim != 3 or not 0 < used < 8 * width or not 0 <= one.end - one.start - stored.nbytes <= 1:
        return
    order = "<" if dataset.original_encoding[1] else ">"
    unused = np.frombuffer(one.data, f"{order}u{width}", stored.size, one.start).reshape(stored.shape) >> used
    for image in unused[:MOST] if np.ptp(unused) else ():
        yield f"{OWN}, unused bits", image.astype(np.float64)


def _nested(file: File) -> Iterator[tuple[str, Grey]]:
    """Pictures in the items of sequences, such as icons."""
    found, _ = file.parsed
    items = [(place, item) for place, element in file.elements if element.VR == "SQ" for item in element.value or ()]
    for place, item in items if found is not None else ():
        if "PixelData" in item:
            item.file_meta = getattr(found, "file_meta", None)
            for image in _decoded(item):
                yield place, image


def _decoded(item: "Dataset") -> Iterator[Grey]:
    """The first frame of a picture that has its own description."""
    from pydicom.pixels import pixel_array

    try:
        frames, samples, rows, columns = (
            int(item.get(name) or 1) for name in ("NumberOfFrames", "SamplesPerPixel", "Rows", "Columns")
        )
        if 0 < frames * samples * rows * columns * 2 <= LARGEST:
            array = np.asarray(pixel_array(item, raw=True, allow_excess_frames=False))
            yield grey(array.reshape((frames, rows, columns) + (samples,) * (samples > 1))[:1])[0]
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # What cannot be decoded shows nothing. A decoder in Rust panics by what is no Exception.
        return


def _beside_own(file: File) -> Iterator[Stretch]:
    """The stretches that are not as they were given; of the file's own samples what stands behind them."""
    stored, _ = file.pixels
    for one in file.stretches:
        if one.place == _SAMPLES and stored is not None:
            if one.end - one.start > stored.nbytes + HEADER:
                yield one._replace(start=one.start + stored.nbytes)
        elif one.place not in file.alike:
            yield one


def _raw(one: Stretch, shape: tuple[int, int]) -> Iterator[Grey]:
    """What is seen where bytes are taken for samples of images of this shape."""
    length = one.end - one.start
    for kind, samples in _DEPTHS:
        dtype, pixels = np.dtype(kind), shape[0] * shape[1]
        each = pixels * dtype.itemsize * samples
        if not each or length < each or length % each > HEADER:
            continue
        for start in dict.fromkeys((0, length % each)):
            for number in range(min(RAW, length // each)):
                flat = np.frombuffer(one.data, dtype, pixels * samples, one.start + start + number * each)
                with np.errstate(all="ignore"):
                    image = grey(flat.reshape(1, *shape, *((samples,) if samples > 1 else ())))[0]
                if np.isfinite(image).all():
                    yield image


def _opened(one: Stretch) -> Iterator[Grey]:
    """The picture that a stretch is a file of: DICOM, or what Pillow opens."""
    data = one.data[one.start : one.end]
    if data[128:132] == b"DICM":
        yield from (image for _, image in own(File("", data)))
    elif data.startswith(_MAGIC):
        from PIL import Image

        try:
            with Image.open(BytesIO(data), formats=_FORMATS) as picture:
                if picture.width * picture.height * 16 <= LARGEST:
                    yield np.asarray(picture.convert("F" if picture.mode in ("I", "F", "I;16") else "L"), np.float64)
        except Exception:  # What cannot be decoded shows nothing.
            return


@dataclass(frozen=True)
class Gallery:
    """The images that were given, of those files in whose pixels or overlays identifiers are drawn."""

    key: Key
    given: Mapping[str, File]

    @cached_property
    def sizes(self) -> list[tuple[int, int, int]]:
        """All that there are: frames, rows and columns."""
        return list(dict.fromkeys(one.size for one in self.key.instances if one.size[0]))

    def ink(self, number: int) -> Grey:
        """The image, (rows, columns), that shows an item; of an overlay the item alone."""
        item = self.key.planted[number]
        stored, _ = self.given[item.path].pixels
        assert item.mask is not None
        if item.burned is not None and stored is not None:
            frame = max(0, item.mask.frame)
            return grey(stored[frame : frame + 1])[0]
        mask, plane = item.mask, np.zeros(stored.shape[1:3] if stored is not None else (0, 0))
        box = plane[mask.top : mask.top + mask.glyphs.shape[0], mask.left : mask.left + mask.glyphs.shape[1]]
        box[mask.glyphs[: box.shape[0], : box.shape[1]]] = 1
        return plane

    def shown(self, image: Grey) -> list[int]:
        """The items in the two given images that this one is most like, if it is."""
        places, known = self._thumbnails
        if min(image.shape) < SMALLEST or not places:
            return []
        like = np.abs(known @ thumbnail(image).ravel())
        return [number for at in np.argsort(-like)[:2] if like[at] >= ALIKE for number in places[at]]

    @cached_property
    def _thumbnails(self) -> tuple[list[list[int]], Grey]:
        """The burned-in items of each frame that has any, and what that frame looks like, (n, pixels)."""
        places: dict[tuple[str, int], list[int]] = {}
        for number, item in enumerate(self.key.planted):
            if item.burned is not None and self.given[item.path].pixels[0] is not None:
                places.setdefault((item.path, max(0, item.burned.frame)), []).append(number)
        found = list(places.values())
        return found, np.array([thumbnail(self.ink(numbers[0])).ravel() for numbers in found])
