"""Drawn anatomy: images that look enough like CT, MR, ultrasound and the rest for text to hide in, and are nobody's."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fourfold.tasks.dicom_deid.bases import Base, noise, shipped, varied

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

Field = npt.NDArray[np.float32]
"""Brightness, (rows, columns)."""


SHIPPED = 0.15
"""The share of images that are not drawn but varied from a file that pydicom ships, where it has one."""


def phantom(rng: np.random.Generator, modality: str) -> Base:
    """An image that every installation can make, drawn or from pydicom's files; as ``drawn`` otherwise."""
    own = [base for base in shipped() if base.modality == modality]
    if own and rng.random() < SHIPPED:
        return varied(rng, own[int(rng.integers(len(own)))])
    return drawn(rng, modality)


def drawn(rng: np.random.Generator, modality: str) -> Base:
    """A drawing of a modality in MODALITIES, 128 to 512 pixels wide, unlike any other by its noise.

    Raises ValueError for another modality.
    """
    if modality not in _DRAWN:
        raise ValueError(f"no drawing of {modality!r}: there are {', '.join(_DRAWN)}")
    return _DRAWN[modality](rng)


def _canvas(rows: int, columns: int, value: float) -> "tuple[ImageDraw, Callable[[float], Field]]":
    """Something to draw on, and a function that gives it back, blurred by a Gaussian."""
    from PIL import Image, ImageDraw
    from scipy.ndimage import gaussian_filter

    image = Image.new("F", (columns, rows), value)
    return ImageDraw.Draw(image), lambda blur: gaussian_filter(np.asarray(image, np.float32), blur, truncate=2.5)


def _outline(rng: np.random.Generator, centre: Sequence[float], radii: Sequence[float], rough: float = 0.05,
             turn: float = 0.0) -> list[tuple[float, float]]:
    """The points of an ellipse whose edge is wavy, as organs are; centre and radii as (row, column) in pixels."""
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    wave = 1 + sum(rough / order * rng.normal() * np.cos(order * angle + rng.uniform(0, 6.3)) for order in (2, 3, 5))
    y, x = radii[0] * wave * np.sin(angle), radii[1] * wave * np.cos(angle)
    return list(zip((centre[1] + x * np.cos(turn) - y * np.sin(turn)).tolist(),
                    (centre[0] + x * np.sin(turn) + y * np.cos(turn)).tolist(), strict=True))


def _grain(rng: np.random.Generator, rows: int, columns: int, coarse: int) -> Field:
    """A smooth random field of mean 0 and deviation near 1 whose features are ``coarse`` pixels wide."""
    from PIL import Image

    few = rng.standard_normal((rows // coarse + 3, columns // coarse + 3), dtype=np.float32)
    size = (few.shape[1] * coarse, few.shape[0] * coarse)
    fine = np.asarray(Image.fromarray(few).resize(size, Image.Resampling.BICUBIC))
    return fine[coarse:coarse + rows, coarse:coarse + columns]


def _moving(rng: np.random.Generator, still: Field, frames: int) -> Iterator[Field]:
    """Noise that was drawn once, moved about for each frame of a loop, as drawing it anew would take too long."""
    for _ in range(frames):
        yield np.roll(still, rng.integers(0, min(still.shape), 2).tolist(), (0, 1))


def _ct(rng: np.random.Generator) -> Base:
    """An axial slice in Hounsfield units: chest or abdomen, with spine, ribs and the table."""
    n = int(rng.choice((256, 384, 512, 512)))
    draw, done = _canvas(n, n, -1000)
    y, x = n * rng.uniform(0.44, 0.5), n * rng.uniform(0.48, 0.52)
    a, b = n * rng.uniform(0.25, 0.31), n * rng.uniform(0.34, 0.42)
    low = y + a * 1.04
    draw.arc((x - b * 1.4, low - n * 0.4, x + b * 1.4, low + n * 0.05), 50, 130, fill=200, width=max(2, n // 100))
    draw.polygon(_outline(rng, (y, x), (a, b), 0.03), fill=-100)
    draw.polygon(_outline(rng, (y, x), (a * 0.9, b * 0.91), 0.03), fill=50)
    (_chest_organs if rng.random() < 0.5 else _belly_organs)(rng, draw, (y, x), (a, b))
    for angle in np.linspace(0.1, 2 * np.pi + 0.1, 18, endpoint=False) + rng.uniform(-0.08, 0.08, 18):
        if abs(np.sin(angle) - 1) > 0.15:
            at = (y + a * 0.84 * np.sin(angle), x + b * 0.85 * np.cos(angle))
            draw.polygon(_outline(rng, at, (n * 0.008, n * rng.uniform(0.015, 0.035)), 0.05, angle + np.pi / 2),
                         fill=rng.uniform(300, 700))
    for down, tall, wide, value in ((0.62, 0.17, 0.13, 520), (0.62, 0.13, 0.1, 260), (0.82, 0.11, 0.1, 480),
                                    (0.8, 0.06, 0.055, 30)):
        draw.polygon(_outline(rng, (y + a * down, x), (a * tall, b * wide)), fill=value)
    field = done(0.8) + noise(rng, (1, n, n), rng.uniform(10, 28))[0]
    if rng.random() < 0.6:
        return Base("CT", _stored(field, -1024, 3071), 16, signed=True)
    return Base("CT", _stored(field + 1024, 0, 4095), 12)


def _chest_organs(rng: np.random.Generator, draw: "ImageDraw", centre: Sequence[float], radii: Sequence[float]) -> None:
    """Lungs with vessels, and the heart, in a slice of a body with this centre and these radii."""
    (y, x), (a, b) = centre, radii
    for side in (-1, 1):
        draw.polygon(_outline(rng, (y - a * 0.05, x + side * b * 0.44), (a * 0.62, b * 0.33), 0.06), fill=-860)
        for _ in range(14):
            at = (y + a * rng.uniform(-0.45, 0.4), x + side * b * rng.uniform(0.28, 0.6))
            draw.polygon(_outline(rng, at, (rng.uniform(0.6, 3.0, 2) * a / 70).tolist()), fill=20)
    draw.polygon(_outline(rng, (y - a * 0.1, x + b * 0.1), (a * 0.42, b * 0.26), 0.08), fill=rng.uniform(60, 180))


def _belly_organs(rng: np.random.Generator, draw: "ImageDraw", centre: Sequence[float], radii: Sequence[float]) -> None:
    """Kidneys, the liver, and bowel with or without gas."""
    (y, x), (a, b) = centre, radii
    for side in (-1, 1):
        draw.polygon(_outline(rng, (y + a * 0.35, x + side * b * 0.42), (a * 0.24, b * 0.13), 0.06, side * 0.4),
                     fill=rng.uniform(90, 190))
    draw.polygon(_outline(rng, (y - a * 0.15, x - b * 0.4), (a * 0.5, b * 0.42), 0.1), fill=rng.uniform(70, 120))
    for _ in range(7):
        at = (y - a * rng.uniform(-0.1, 0.6), x + b * rng.uniform(-0.05, 0.65))
        loop = (rng.uniform(0.06, 0.13) * a, rng.uniform(0.06, 0.13) * a)
        draw.polygon(_outline(rng, at, loop), fill=60)
        draw.polygon(_outline(rng, at, (loop[0] * 0.7, loop[1] * 0.7)), fill=float(rng.choice((-700, 20, 120))))


def _stored(field: Field, low: int, high: int) -> npt.NDArray[np.int32]:
    """One frame, or several, of integers between two values."""
    pixels = np.rint(field).clip(low, high).astype(np.int32)
    return pixels[None] if pixels.ndim == 2 else pixels


def _mr(rng: np.random.Generator) -> Base:
    """An axial slice of a head, weighted T1 or T2, with the bias of a coil and Rician noise."""
    n = int(rng.choice((256, 256, 320, 512)))
    draw, done = _canvas(n, n, 0)
    y, x, a, b = n * rng.uniform(0.47, 0.53), n * 0.5, n * rng.uniform(0.38, 0.43), n * rng.uniform(0.3, 0.35)
    t1 = rng.random() < 0.5
    fat, bone, grey, white, fluid = (900, 60, 480, 700, 120) if t1 else (620, 50, 560, 400, 1100)
    shades = zip((1.0, 0.94, 0.87, 0.84), (fat, bone, fluid, grey), strict=True)
    for share, value in shades:
        draw.polygon(_outline(rng, (y, x), (a * share, b * share), 0.008), fill=value)
    for side in (-1, 1):
        for _ in range(26):  # White matter reaches into the gyri.
            angle = rng.uniform(-1.35, 1.35)
            at = (y + a * 0.62 * np.sin(angle), x + side * b * (0.08 + 0.56 * np.cos(angle)))
            draw.polygon(_outline(rng, at, (a * 0.12, b * 0.07), 0.15, side * angle), fill=white)
        draw.polygon(_outline(rng, (y, x + side * b * 0.38), (a * 0.56, b * 0.3), 0.1), fill=white)
        draw.polygon(_outline(rng, (y, x + side * b * 0.27), (a * 0.14, b * 0.1), 0.1), fill=grey)
        draw.polygon(_outline(rng, (y - a * 0.14, x + side * b * 0.11), (a * 0.22, b * 0.07), 0.1, side * 0.25),
                     fill=fluid)
    draw.line([(x, y - a * 0.82), (x, y - a * 0.4)], fill=fluid, width=max(1, n // 170))
    draw.line([(x, y + a * 0.4), (x, y + a * 0.82)], fill=fluid, width=max(1, n // 170))
    field = done(n / 230) * (1 + 0.12 * _grain(rng, n, n, n // 3)) * rng.uniform(0.8, 1.4)
    deviation = rng.uniform(12, 30)
    real, imaginary = noise(rng, (2, n, n), deviation)
    return Base("MR", _stored(np.hypot(field + real, imaginary), 0, 4095), int(rng.choice((12, 16))))


def _us(rng: np.random.Generator) -> Base:
    """A fan of speckle on a black screen, in grey or in RGB, as a still or as a short loop."""
    rows, columns = ((384, 512), (360, 480), (300, 400))[int(rng.integers(3))]
    frames = int(rng.choice((1, 1, 1, 5)))
    draw, done = _canvas(rows, columns, rng.uniform(55, 90))
    for _ in range(9):
        at = (rows * rng.uniform(0.3, 0.9), columns * rng.uniform(0.2, 0.8))
        draw.polygon(_outline(rng, at, (rng.uniform(0.03, 0.2, 2) * rows).tolist(), 0.12, rng.uniform(0, 3)),
                     fill=float(rng.choice((6, 35, 110, 170))))
    for _ in range(4):
        left, depth, tilt = columns * rng.uniform(0.2, 0.5), rows * rng.uniform(0.3, 0.85), rng.uniform(-40, 40)
        draw.line([(left, depth), (left + columns * rng.uniform(0.1, 0.3), depth + tilt)], fill=230, width=3)
    tissue = done(1.5)
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    top, opening = rows * rng.uniform(-0.05, 0.06), rng.uniform(0.6, 0.85)
    depth, angle = np.hypot(y - top, x - columns / 2), np.abs(np.arctan2(x - columns / 2, y - top))
    fan = (angle < opening) & (depth > rows * 0.15) & (depth < rows * 0.93) & (y > rows * 0.12)
    speckle = np.sqrt(1.28 * rng.standard_exponential((rows, columns), dtype=np.float32))  # Rayleigh's, of 0.8.
    streak = (speckle + np.roll(speckle, 1, 1) + np.roll(speckle, 2, 1)) / 3
    shown = np.where(fan, tissue * np.exp(-depth / rows * 0.7) * 1.5, 0)
    pixels = _stored(np.stack([shown * moved for moved in _moving(rng, streak, frames)]), 0, 255)
    if rng.random() < 0.35:
        return Base("US", pixels, 8)
    coloured = np.repeat(pixels[..., None], 3, axis=-1)
    if rng.random() < 0.5:  # Colour Doppler: flow to and fro within a part of the fan.
        at = (rows * rng.uniform(0.45, 0.65), columns * rng.uniform(0.4, 0.6))
        flow = fan & (np.hypot((y - at[0]) / rows, (x - at[1]) / columns) < 0.12) & (_grain(rng, rows, columns, 12) > 0)
        towards = _grain(rng, rows, columns, 24) > 0
        coloured[:, flow & towards] = coloured[:, flow & towards] // 2 + np.array((110, 20, 0))
        coloured[:, flow & ~towards] = coloured[:, flow & ~towards] // 2 + np.array((0, 30, 120))
    return Base("US", coloured, 8, photometric="RGB")


def _chest(rng: np.random.Generator, modality: str) -> Base:
    """A frontal chest radiograph of 10 to 12 bits; bone is bright as displayed, whichever end is stored as white."""
    rows, columns = ((512, 448), (448, 512), (480, 480))[int(rng.integers(3))]
    middle = rng.uniform(0.48, 0.52)
    soft = _soft_tissue(rng, rows // 2, columns // 2, middle).repeat(2, axis=0).repeat(2, axis=1)
    field = soft + _bones(rows, columns, middle)
    field += 0.012 * _grain(rng, rows, columns, 9) + noise(rng, (1, rows, columns), 0.008)[0]
    bits = int(rng.choice((10, 12)))
    top = (1 << bits) - 1
    pixels = _stored(field.clip(0, 1) ** np.float32(rng.uniform(0.8, 1.2)) * top, 0, top)
    if rng.random() < 0.4:
        return Base(modality, top - pixels, bits, photometric="MONOCHROME1")
    return Base(modality, pixels, bits)


def _soft_tissue(rng: np.random.Generator, rows: int, columns: int, middle: float) -> Field:
    """The chest without bones: lungs, heart, diaphragm and what lies between the lungs."""
    draw, done = _canvas(rows, columns, 0.08)
    x, lung = columns * middle, rng.uniform(0.22, 0.3)
    draw.polygon(_outline(rng, (rows * 0.66, x), (rows * 0.62, columns * 0.47), 0.02), fill=0.62)
    draw.polygon(_outline(rng, (rows * 0.04, x), (rows * 0.2, columns * 0.12)), fill=0.6)
    for side in (-1, 1):
        at = (rows * 0.46, x + side * columns * 0.21)
        draw.polygon(_outline(rng, at, (rows * 0.34, columns * 0.155), 0.05, side * -0.1), fill=lung)
        at = (rows * (0.86 - 0.03 * side), x + side * columns * 0.22)
        draw.polygon(_outline(rng, at, (rows * 0.17, columns * 0.2), 0.03), fill=0.72)
    draw.polygon(_outline(rng, (rows * 0.6, x + columns * 0.07), (rows * 0.19, columns * 0.16), 0.04, 0.5), fill=0.74)
    draw.polygon(_outline(rng, (rows * 0.45, x), (rows * 0.5, columns * 0.055), 0.03), fill=0.76)
    return done(2.5)


def _bones(rows: int, columns: int, middle: float) -> Field:
    """What ribs, spine and collar bones add to the brightness of a chest."""
    draw, done = _canvas(rows, columns, 0)
    x = columns * middle
    for number in range(9):
        for side in (-1, 1):
            y, reach = rows * (0.12 + 0.075 * number), columns * (0.22 + 0.015 * number)
            box = (x + side * columns * 0.16 - reach, y, x + side * columns * 0.16 + reach, y + rows * 0.24)
            draw.arc(box, *((270, 355) if side > 0 else (185, 270)), fill=0.1, width=rows // 48)
            draw.arc(box, *((15, 60) if side > 0 else (120, 165)), fill=0.05, width=rows // 56)
    for number in range(14):
        y = rows * (0.04 + 0.07 * number)
        draw.rectangle((x - columns * 0.03, y, x + columns * 0.03, y + rows * 0.052), fill=0.07)
    for side in (-1, 1):
        ends = [(x + side * columns * 0.03, rows * 0.2), (x + side * columns * 0.3, rows * 0.11)]
        draw.line(ends, fill=0.12, width=rows // 36)
    return done(1.6)


def _xa(rng: np.random.Generator) -> Base:
    """A coronary angiogram: dark vessels that fill over the frames, on grey, within a round collimator."""
    from scipy.ndimage import gaussian_filter, maximum_filter

    n, frames = int(rng.choice((256, 384, 512))), int(rng.choice((1, 3, 6)))
    reached = _vessels(rng, n)
    vessels, reached = gaussian_filter((reached > 0).astype(np.float32), 1.0, truncate=2.5), maximum_filter(reached, 5)
    ground = 0.55 + 0.07 * _grain(rng, n, n, n // 5) + 0.03 * _grain(rng, n, n, n // 30)
    y, x = np.mgrid[0:n, 0:n].astype(np.float32) / n - 0.5
    lit = np.where(np.hypot(y, x) < (0.53 if rng.random() < 0.7 else 1), np.float32(1), np.float32(0.05))
    grains = _moving(rng, noise(rng, (1, n, n), 0.03)[0], frames)
    loop = [(ground - 0.3 * vessels * (reached <= (frame + 1) / frames * reached.max())) * lit + grain
            for frame, grain in enumerate(grains)]
    bits = int(rng.choice((8, 8, 10)))
    top = (1 << bits) - 1
    return Base("XA", _stored(np.stack(loop) * top, 0, top), bits)


def _vessels(rng: np.random.Generator, n: int) -> Field:
    """Vessels that branch, each point with the order in which the contrast reaches it, and 0 elsewhere."""
    draw, done = _canvas(n, n, 0)
    tips = [(n * rng.uniform(0.2, 0.4), n * rng.uniform(0.15, 0.3), rng.uniform(0.3, 0.9), n / 45)]
    order = 0
    while tips and order < 420:
        x, y, heading, width = tips.pop(0)
        for _ in range(int(rng.integers(9, 16))):
            to = (x + np.cos(heading) * n / 40, y + np.sin(heading) * n / 40)
            order += 1
            draw.line([(x, y), to], fill=order, width=max(1, round(width)))
            (x, y), heading, width = to, heading + rng.normal(0, 0.22), width * 0.985
        if width > n / 220:
            tips += [(x, y, heading + rng.uniform(*turn), width * rng.uniform(0.5, 0.9))
                     for turn in ((-0.7, -0.1), (0.1, 0.9))]
    return done(0)


def _nm(rng: np.random.Generator) -> Base:
    """A whole-body bone scan, anterior and posterior as two frames: counts, whose variance is their mean."""
    rows, columns = ((384, 192), (448, 224), (512, 256))[int(rng.integers(3))]
    spots = [(rows * rng.uniform(0.15, 0.5), columns * rng.uniform(0.35, 0.65)) for _ in range(int(rng.integers(0, 4)))]
    views = []
    for view in range(2):
        draw, done = _canvas(rows, columns, 0.2)
        x = columns * 0.5
        parts = [(0.08, 0.0, 0.055, 0.09, 14.0), (0.27, 0, 0.15, 0.2, 8.0), (0.47, 0, 0.07, 0.17, 12.0)]
        parts += [(0.3, side * 0.28, 0.2, 0.045, 5.0) for side in (-1, 1)]
        parts += [(0.74, side * 0.11, 0.24, 0.06, 6.0) for side in (-1, 1)]
        for y, shift, tall, wide, value in parts:
            draw.polygon(_outline(rng, (rows * y, x + columns * shift), (rows * tall, columns * wide), 0.02),
                         fill=value)
        draw.line([(x, rows * 0.13), (x, rows * 0.46)], fill=26 if view else 17, width=max(2, columns // 22))
        for side in (-1, 1):
            draw.ellipse(_box(rows * 0.36, x + side * columns * 0.08, rows * 0.022), fill=24 if view else 9)
        draw.ellipse(_box(rows * 0.5, x, rows * 0.024), fill=12 if view else 45)
        for spot in spots:
            draw.ellipse(_box(*spot, rows * 0.012), fill=40)
        counts = done(rows / 110) * np.float32(rng.uniform(1.5, 4))
        views.append(counts + np.sqrt(counts) * noise(rng, (1, rows, columns), 1)[0])
    return Base("NM", _stored(np.stack(views), 0, 4095), 16)


def _box(y: float, x: float, radius: float) -> tuple[float, float, float, float]:
    return (x - radius, y - radius, x + radius, y + radius)


def _sc(rng: np.random.Generator) -> Base:
    """A screenshot of a report: a white page with a bar on top and a small picture, to be filled with text."""
    rows, columns = ((512, 480), (480, 512), (512, 400))[int(rng.integers(3))]
    page = np.full((rows, columns, 3), 250, np.float32)
    page[:rows // 14] = rng.uniform(40, 150, 3)
    page[:, :2] = page[:, -2:] = page[-2:] = 120
    side = columns // 5
    picture = 90 + 45 * _grain(rng, side, side, side // 5)
    page[rows - side - 12:rows - 12, columns - side - 12:columns - 12] = picture[..., None]
    page += noise(rng, (1, rows, columns, 3), 1.2)[0]
    pixels = np.rint(page).clip(0, 255).astype(np.int32)[None]
    return Base("SC", pixels, 8, photometric="RGB") if rng.random() < 0.6 else Base("SC", pixels[..., 1].copy(), 8)


_DRAWN: dict[str, Callable[[np.random.Generator], Base]] = {
    "CT": _ct, "MR": _mr, "US": _us, "CR": lambda rng: _chest(rng, "CR"), "DX": lambda rng: _chest(rng, "DX"),
    "XA": _xa, "NM": _nm, "SC": _sc,
}
MODALITIES = tuple(_DRAWN)
"""What can be drawn."""
