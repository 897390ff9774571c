"""Contact sheets: images as they were given and as they were written, with what was burned into them outlined."""

import base64
import io
from collections.abc import Mapping, Sequence
from itertools import product, zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fourfold.suite.exhibit import TEXT
from fourfold.tasks.dicom_deid.key import Instance, Key, Mask
from fourfold.tasks.dicom_deid.palettes import coloured
from fourfold.tasks.dicom_deid.reading import File

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageDraw import ImageDraw as Drawing

PICTURES, SIDE, CHARACTERS = 12, 320, 500_000
"""The most pictures of a sheet, pixels on the longer side of an image in one, and characters of all as base64."""
GAP = 8
"""Pixels between the two images of a picture."""
COLOURS = (
    *(((255 * grey) // 23,) * 3 for grey in range(24)),
    *(colour for colour in product((0, 85, 170, 255), repeat=3) if len({*colour}) > 1),
    *((232, 64, 48), (70, 150, 250), (240, 190, 40), (128, 128, 128)),
)
"""Those of a picture, few so that it stays small: greys, a few others, and four of its own."""
READ, HIDDEN, STAYS, BETWEEN = range(len(COLOURS) - 4, len(COLOURS))
"""What outlines an identity that is still there, one that is not, and a mark that must stay; and what parts images."""
NOTE = (
    "As given on the left, as written on the right. Red, twice framed: an identity that is still there. Blue: one that "
    "is hidden. Yellow: a mark that must stay. The people are made up."
)

Shown = npt.NDArray[np.uint8]
Outline = tuple[Mask, int]


def contact_sheet(
    given: Mapping[str, File], written: Mapping[str, File], key: Key, leaked: npt.NDArray[np.bool_]
) -> dict[str, Any]:
    """An exhibit of kind ``sheet``: of each modality in turn, those first from which most leaked.

    given, written: by the path in the key; what was not written is missing there. leaked: (n,) bool, in the order of
    ``key.planted``.
    """
    outlines: dict[str, list[Outline]] = {}
    for item, found in zip(key.planted, leaked.tolist(), strict=True):
        if item.burned is not None:
            outlines.setdefault(item.path, []).append((item.burned, READ if found else HIDDEN))
    burned = [each for each in key.instances if each.path in outlines]
    for kept in key.kept:
        if kept.kind == "distractor" and kept.mask is not None and kept.path in outlines:
            outlines[kept.path].append((kept.mask, STAYS))
    images: list[dict[str, str]] = []
    for instance in _chosen(burned, outlines):
        before, after = given[instance.path], written.get(instance.path)
        png, why = _picture(before, after, instance.size, outlines[instance.path])
        if sum(len(image["png"]) for image in images) + len(png) <= CHARACTERS:
            told = why or _told(outlines[instance.path])
            caption = f"{instance.modality}, {key.patients[instance.patient].script}: {told} {instance.path}"
            images.append({"png": png, "caption": caption[:TEXT].encode(errors="replace").decode()})
    return {"kind": "sheet", "title": "Before and after", "note": NOTE, "images": images}


def _chosen(burned: Sequence[Instance], outlines: Mapping[str, Sequence[Outline]]) -> list[Instance]:
    """One of each modality, then a second of each, and so on; those first from which most leaked."""

    def leaks(instance: Instance) -> tuple[int, str]:
        return -sum(colour == READ for _, colour in outlines[instance.path]), instance.path

    by_modality: dict[str, list[Instance]] = {}
    for instance in sorted(burned, key=leaks):
        by_modality.setdefault(instance.modality, []).append(instance)
    turns = zip_longest(*by_modality.values())
    return [instance for turn in turns for instance in turn if instance is not None][:PICTURES]


def _told(outlines: Sequence[Outline]) -> str:
    colours = [colour for _, colour in outlines if colour != STAYS]
    left = sum(colour == READ for colour in colours)
    return f"{left} of {len(colours)} identities still there." if left else "all identities hidden."


def _picture(
    before: File, after: File | None, size: tuple[int, int, int], outlines: Sequence[Outline]
) -> tuple[str, str]:
    """Both images side by side as PNG in base64; and why there is none on the right, if so. size: as ``Instance``'s."""
    from PIL import ImageDraw

    frame = _frame(outlines)
    window = _window(before, frame)
    left, right = _shown(before, frame, window), None
    if after is not None:
        same = after.given is before and after.same_pixels and _colours(after) == _colours(before)
        own = window if same or _bits(after) == _bits(before) else _window(after, frame)
        right = left if same else _shown(after, frame, own)
    why = "" if right is not None else "it was not written." if after is None else f"{after.pixels[1][:150]}."
    scale = min(1.0, SIDE / max(size[1:]))
    height, width = (max(1, round(length * scale)) for length in size[1:])
    second = width + GAP
    sheet = _beside(left, right, (width, height))
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((width, 0, second - 1, height), BETWEEN)
    for mask, colour in outlines:
        if mask.frame in (-1, frame):
            _outlined(draw, mask, scale, 0, HIDDEN if colour == READ else colour)
            if right is not None:
                _outlined(draw, mask, scale, second, colour)
    if right is None:
        draw.line((second, 0, second + width, height), READ)
        draw.line((second, height, second + width, 0), READ)
    into = io.BytesIO()
    sheet.save(into, "PNG")
    return base64.b64encode(into.getvalue()).decode(), why


def _beside(left: Shown | None, right: Shown | None, size: tuple[int, int]) -> "Picture":
    """Two images, each made as large as ``size``, in the colours of a picture; black where there is none."""
    from PIL import Image

    def small(shown: Shown) -> "Picture":
        return Image.fromarray(shown).resize(size, Image.Resampling.BOX).convert("RGB")

    first = small(left) if left is not None else None
    second = first if right is left else small(right) if right is not None else None
    sheet = Image.new("RGB", (2 * size[0] + GAP, size[1]))
    for place, shown in enumerate((first, second)):
        if shown is not None:
            sheet.paste(shown, (place * (size[0] + GAP), 0))
    palette = Image.new("P", (1, 1))
    palette.putpalette([value for colour in COLOURS[:READ] for value in colour])
    few = sheet.quantize(palette=palette, dither=Image.Dither.NONE)
    few.putpalette([value for colour in COLOURS for value in colour])
    return few


def _frame(outlines: Sequence[Outline]) -> int:
    """The frame to show: one from which an identity leaked, or else one with any."""
    first = sorted(outlines, key=lambda outline: (outline[1] != READ, outline[1] == STAYS))[0][0]
    return max(0, first.frame)


def _outlined(draw: "Drawing", mask: Mask, scale: float, left: int, colour: int) -> None:
    """Frame the glyphs, twice where they can be read, so that colour alone does not tell."""
    height, width = mask.glyphs.shape
    x, y = left + mask.left * scale, mask.top * scale
    for off in (2, 4) if colour == READ else (2,):
        draw.rectangle((x - off, y - off, x + width * scale + off, y + height * scale + off), outline=colour)


def _bits(file: File) -> tuple[Any, ...]:
    """How many bits a sample has, and whether it is signed: where that changed, grey levels cannot be compared."""
    parsed = file.parsed[0]
    return () if parsed is None else (parsed.get("BitsStored"), parsed.get("PixelRepresentation"))


def _colours(file: File) -> list[object]:
    """What else tells how samples are shown: the palette, if there is one."""
    tables = ("(0028,1101)", "(0028,1102)", "(0028,1103)", "(0028,1201)", "(0028,1202)", "(0028,1203)")
    return [each.value for table in tables for each in file.index.get(table, ())]


def _window(file: File, frame: int) -> tuple[float, float]:
    """The values to be shown as black and as white."""
    found = _samples(file, frame)
    if found is None:
        return 0.0, 1.0
    low, high = np.percentile(found[::2, ::2], (0.5, 99.5)).tolist()
    return low, max(high, low + 1)


def _shown(file: File, frame: int, window: tuple[float, float]) -> Shown | None:
    """A frame of the file as it would be seen, (rows, columns), or with colours (rows, columns, 3)."""
    found, parsed = _samples(file, frame), file.parsed[0]
    if found is None or parsed is None:
        return None
    if found.ndim == 3 and found.shape[2] == 3:
        return np.clip(found, 0, 255).astype(np.uint8)
    found = found if found.ndim == 2 else found[..., 0]
    share = np.clip((found.astype(np.float64) - window[0]) / (window[1] - window[0]), 0, 1)
    return (255 * (1 - share if parsed.get("PhotometricInterpretation") == "MONOCHROME1" else share)).astype(np.uint8)


def _samples(file: File, frame: int) -> npt.NDArray[Any] | None:
    """One frame, its palette applied; None where there is none."""
    pixels, parsed = file.pixels[0], file.parsed[0]
    if pixels is None or parsed is None or not pixels.size:
        return None
    found = pixels[min(frame, len(pixels) - 1)]
    if parsed.get("PhotometricInterpretation") != "PALETTE COLOR":
        return found
    try:
        colours = coloured(found, parsed)
    except Exception:  # Whoever wrote the file may have broken its palette: then its indexes are shown as grey.
        return found
    return colours >> 8 if colours.dtype.itemsize > 1 else colours
