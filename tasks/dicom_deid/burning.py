"""Text burned into pixels where each modality's machines burn it: who the patient is, and markings that must stay.

Both images are made at once, *given* with all of it and *reference* with the markings alone, so that a mask is where
the two differ. What is drawn is never of the value that it is drawn on, so that every pixel of a glyph is in its mask.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fourfold.tasks.dicom_deid.bases import Base, Samples
from fourfold.tasks.dicom_deid.glyphs import drawable, glyphs
from fourfold.tasks.dicom_deid.key import Mask, Person

Bools = npt.NDArray[np.bool_]
Line = tuple[str, str]
"""A kind, of ``key.KINDS`` or ``distractor``, and the text that is burned."""
SMALLEST = 9
"""Pixels of the smallest type; what does not fit even so is cut short, as scanners do."""
TELLING = 6
"""Characters that what is no name must keep when it is cut: the year alone of a date is nobody's."""
INKS = ("bright", "bright", "bright", "faint", "boxed")
"""As the brightest or, on what is bright, the darkest value; as the ground a fifth brighter; dark on a bright box."""
PLACES = ("usual", "usual", "usual", "usual", "turned", "over")
"""Where the identity stands: the modality's usual place, along the left edge upwards, or over the anatomy."""

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


@dataclass(frozen=True)
class Mark:
    """One text, or one drawn marking, in the pixels. kind: of ``key.KINDS``, or ``distractor``."""

    kind: str
    text: str
    mask: Mask


@dataclass(frozen=True)
class Burned:
    """given: pixels with identity and distractors; reference: with distractors alone; both shaped as the base's.

    A text that is on some frames only has one mark for each of them.
    """

    given: Samples
    reference: Samples
    identity: tuple[Mark, ...]
    distractors: tuple[Mark, ...]


@dataclass(frozen=True)
class Look:
    """How a text is drawn. height: of the type in pixels. frame: the one that has it, -1 = all have."""

    face: str
    height: int
    ink: str
    colour: int = 0
    frame: int = -1


@dataclass(frozen=True)
class Block:
    """Lines that stand together at ``at``, the shares of the way down and to the right, 0 to 1.

    across: they stand in one row and not beneath each other. turned: they read upwards.
    """

    lines: Sequence[Line]
    at: tuple[float, float]
    look: Look
    across: bool = False
    turned: bool = False


def identity_lines(person: Person, day: str, accession: str, institution: str,
                   rng: np.random.Generator) -> tuple[Line, ...]:
    """What a machine burns of a patient: the name and the record number, and some of the rest.

    The name is as the person writes it where that can be drawn, in six cases of ten, else in Latin letters. day: of
    the study, as ``YYYYMMDD``. Draws from ``rng`` do not depend on the person, so that twins are laid out alike.
    """
    own, order, style, chosen = rng.random() < 0.6, int(rng.integers(4)), int(rng.integers(5)), rng.random(4) < 0.55
    family, given = person.native if own and drawable("".join(person.native)) else person.latin
    if own and person.script in ("Han", "Japanese", "Hangul") and family == person.native[0]:
        name = (f"{family}{given}", f"{family} {given}", f"{family}{given}", f"{family}^{given}")[order]
    else:
        name = (f"{family}, {given}", f"{given} {family}", f"{family}^{given}", f"{family} {given}".upper())[order]
    rest = (("date", dated(person.day, style)), ("date", dated(day, style)), ("accession", accession),
            ("institution", institution))
    lines = [("name", name), ("mrn", person.numbers["mrn"]),
             *(line for line, is_in in zip(rest, chosen, strict=True) if is_in)]
    printed = ((kind, "".join(character for character in text if drawable(character)).strip()) for kind, text in lines)
    return tuple((kind, text) for kind, text in printed if text)


def dated(day: str, style: int) -> str:
    """A ``YYYYMMDD`` as machines print it, in one of five styles, numbered from 0."""
    year, month, number = day[:4], day[4:6], day[6:]
    word = _MONTHS[int(month) - 1]
    return (f"{year}-{month}-{number}", f"{number}.{month}.{year}", f"{month}/{number}/{year}",
            f"{number}-{word}-{year}", day)[style]


def burn(base: Base, lines: Sequence[Line], rng: np.random.Generator) -> Burned:
    """Burn identity, and distractors around it, into a base as its modality does it.

    lines: as ``identity_lines`` makes them, or none: then the image has distractors alone, and given is reference.
    """
    page = _Page(base)
    look = _look(base, rng)
    place = str(rng.choice(PLACES)) if base.modality != "SC" else "usual"
    layout = {"US": _banner, "SC": _report, "XA": _bottom_line, "CR": _label, "DX": _label}.get(base.modality, _corners)
    blocks = layout(lines if place == "usual" else (), look, base, rng)
    if place != "usual":
        at = (1.0, 0.0) if place == "turned" else (rng.uniform(0.35, 0.6), rng.uniform(0.3, 0.6))
        blocks = [Block(lines, at, look, turned=place == "turned"), *blocks]
    marks = [mark for block in blocks for mark in page.write(block)]
    if base.modality != "SC":
        marks += page.rule(rng)
    kinds = [[mark for mark in marks if (mark.kind == "distractor") == kept] for kept in (False, True)]
    return Burned(page.given, page.reference, tuple(kinds[0]), tuple(kinds[1]))


def _look(base: Base, rng: np.random.Generator) -> Look:
    """How the identity looks: type of 10 to 16 pixels at 512, on all frames of a loop, on the first, or on any one."""
    frames, rows = base.pixels.shape[:2]
    height = max(SMALLEST + 1, round(float(rng.uniform(11, 17)) * min(1.2, rows / 512)))
    on, any_one = rng.random(), int(rng.integers(frames))
    frame = -1 if frames == 1 or on < 0.5 else 0 if on < 0.75 else any_one
    face = str(rng.choice(("sans", "sans", "mono", "bitmap", "bold")))
    return Look(face, height, str(rng.choice(INKS)), int(rng.integers(4)), frame)


def _kept(look: Look) -> Look:
    """How what stays is drawn beside a look: alike, but always bright and on every frame."""
    return Look(look.face, look.height, "bright", look.colour)


def _distractors(*texts: str) -> list[Line]:
    return [("distractor", text) for text in texts]


def _corners(lines: Sequence[Line], look: Look, base: Base, rng: np.random.Generator) -> list[Block]:
    """CT, MR, NM: the patient in one upper corner, study and institution in the other, technique below."""
    first, second = ((0.0, 0.0), (0.0, 1.0)) if rng.random() < 0.7 else ((0.0, 1.0), (0.0, 0.0))
    series, image, number = int(rng.integers(1, 12)), int(rng.integers(1, 90)), float(rng.uniform(1, 9))
    technique = {
        "CT": (f"kVp {rng.choice((80, 100, 120, 140))}", f"{int(rng.integers(50, 400))} mA", f"{number:.1f} mm"),
        "MR": (f"TR {int(rng.integers(400, 5000))}", f"TE {number * 10:.0f}", f"FA {int(rng.integers(10, 150))}"),
    }.get(base.modality, ("ANT", f"{int(number * 100)} kcts"))
    kept = _kept(look)
    sides = ("R", "L") if rng.random() < 0.5 else ("L", "R")
    patient = [line for line in lines if line[0] in ("name", "mrn", "date")]
    return [
        Block(patient, first, look), Block([line for line in lines if line not in patient], second, look),
        Block(_distractors(*technique), (1.0, 0.0), kept), Block(_distractors(f"Se {series}", f"Im {image}"),
                                                                 (1.0, 1.0), kept),
        Block(_distractors(sides[0]), (0.5, 0.0), kept), Block(_distractors(sides[1]), (0.5, 1.0), kept),
        Block(_distractors("A"), (0.0, 0.5), kept),
    ]


def _label(lines: Sequence[Line], look: Look, base: Base, rng: np.random.Generator) -> list[Block]:
    """CR, DX: a lead marker at a side, and the patient on a label strip in a corner."""
    large = max(18, base.pixels.shape[1] // 18)
    marker = Look("bold", large, str(rng.choice(("bright", "boxed"))), look.colour)
    at = ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0))[int(rng.integers(4))]
    side = float(rng.choice((0.03, 0.97)))
    strip = Look(look.face, look.height, "boxed" if rng.random() < 0.5 else look.ink, look.colour)
    view = str(rng.choice(("AP", "PA", "AP PORTABLE", "SUPINE")))
    return [
        Block(lines, at, strip),
        Block(_distractors(str(rng.choice(("L", "R")))), (rng.uniform(0.08, 0.2), side), marker),
        Block(_distractors(view), (1.0 - at[0], 0.5), _kept(look)),
        Block(_distractors(f"kVp {int(rng.integers(70, 130))}"), (1.0 - at[0], 1.0 - at[1]), _kept(look)),
    ]


def _banner(lines: Sequence[Line], look: Look, base: Base, rng: np.random.Generator) -> list[Block]:
    """US: the patient in a banner on top, parameters in a column at the left, indices at the right."""
    kept = _kept(look)
    column = (f"{int(rng.integers(12, 60))}Hz", "2D", f"Gn {int(rng.integers(30, 90))}",
              f"DR {int(rng.integers(40, 75))}", f"{rng.uniform(5, 18):.1f}cm")
    return [
        Block(lines[:3], (0.0, 0.0), look, across=True), Block(lines[3:], (0.06, 0.0), look, across=True),
        Block(_distractors(*column), (0.35, 0.0), kept),
        Block(_distractors(f"MI {rng.uniform(0.4, 1.4):.1f}", f"TIS {rng.uniform(0.1, 0.9):.1f}"), (0.2, 1.0), kept),
    ]


def _bottom_line(lines: Sequence[Line], look: Look, base: Base, rng: np.random.Generator) -> list[Block]:
    """XA: a line or two at the bottom, the gantry's angles on top."""
    angles = (f"LAO {int(rng.integers(0, 60))}", f"CRAN {int(rng.integers(0, 40))}")
    kept = _kept(look)
    return [
        Block(lines[:3], (1.0, 0.0), look, across=True), Block(lines[3:], (0.94, 0.0), look, across=True),
        Block(_distractors(*angles), (0.0, 0.0), kept),
        Block(_distractors(f"Run {int(rng.integers(1, 20))}"), (0.0, 1.0), kept),
    ]


def _report(lines: Sequence[Line], look: Look, base: Base, rng: np.random.Generator) -> list[Block]:
    """SC: a page whose middle has the patient, and a finding beneath, which must stay."""
    look = Look("sans" if look.face == "bitmap" else look.face, max(look.height, 12), "bright")
    findings = ("No focal lesion", "Mild cardiomegaly", "Right kidney 10.4 cm", "No pleural effusion", "T-score -1.8",
                "Follow-up in 12 months")
    chosen = [findings[at] for at in rng.permutation(len(findings))[:3]]
    title = str(rng.choice(("RADIOLOGY REPORT", "ULTRASOUND REPORT", "DOSE REPORT", "BONE DENSITY")))
    left = rng.uniform(0.05, 0.3)
    return [
        Block(_distractors(title), (0.12, 0.5), Look("bold", look.height + 4, "bright")),
        Block(lines, (rng.uniform(0.3, 0.45), left), look),
        Block(_distractors(*chosen), (rng.uniform(0.65, 0.8), left), _kept(look)),
    ]


@dataclass
class _Page:
    """Both images while they are written on, and which of their pixels are taken."""

    base: Base
    given: Samples = field(init=False)
    reference: Samples = field(init=False)
    taken: Bools = field(init=False)

    def __post_init__(self) -> None:
        pixels = self.base.pixels
        least, most = int(pixels.min()), int(pixels.max())
        if most - least < 16:
            least, most = self.base.limits
        self.low, self.high = least, most
        self.given = pixels.clip(least + 1, most - 1)
        self.reference = self.given.copy()
        self.taken = np.zeros(pixels.shape[1:3], bool)

    def write(self, block: Block) -> "Iterator[Mark]":
        """Write a block's lines from where it stands inwards, each where there is still room."""
        if not block.lines:
            return
        rows, columns = self.taken.shape
        wide = (rows if block.turned else columns) - 8
        room = wide if block.across or len(block.lines) == 1 or block.turned else round(wide * 0.72)
        drawn = [(kind, *_fitting(text, block.look, room)) for kind, text in block.lines]
        whole = [text for _, text in block.lines]
        if block.across:
            total = sum(ink.shape[1] + block.look.height for _, _, ink in drawn)
            drawn = [(kind, *_fitting(text, block.look, max(24, int(ink.shape[1] * min(1, wide / total)))))
                     for kind, text, ink in drawn]
        if block.turned:
            drawn = [(kind, text, np.rot90(ink)) for kind, text, ink in drawn]
        corners = _corners_of(block, [ink.shape for *_, ink in drawn], (rows, columns))
        for (kind, text, ink), full, corner in zip(drawn, whole, corners, strict=True):
            spot = self._free(corner, ink.shape, block.at[0] < 0.5)
            if spot is not None and (kind == "name" or len(text) >= min(len(full), TELLING)):
                yield self._draw(kind, text, ink, *spot, block.look)

    def rule(self, rng: np.random.Generator) -> list[Mark]:
        """A scale bar with ticks along the right edge, where there is room for one."""
        rows, columns = self.taken.shape
        length = round(rows * float(rng.uniform(0.2, 0.4)))
        ink = np.zeros((length, 7), bool)
        ink[:, -1] = ink[::max(4, length // 10)] = True
        spot = self._free((rows // 2 - length // 2 + rows // 8, columns - 10), ink.shape, True)
        if spot is None:
            return []
        return [self._draw("distractor", "scale bar", ink, *spot, Look("sans", 10, "bright"))]

    def _free(self, wanted: tuple[int, int], size: Sequence[int], down: bool) -> tuple[int, int] | None:
        """The place nearest to a wanted one, going up or down, where a box is within the image and free."""
        rows, columns = self.taken.shape
        tall, wide = size
        top, left = max(2, min(wanted[0], rows - tall - 2)), max(2, min(wanted[1], columns - wide - 2))
        steps = range(top, rows - tall - 1, 2) if down else range(top, 1, -2)
        for row in steps:
            if not self.taken[max(0, row - 2):row + tall + 2, max(0, left - 3):left + wide + 3].any():
                return row, left
        return None

    def _draw(self, kind: str, text: str, ink: Bools, top: int, left: int, look: Look) -> Mark:
        """Draw one text into both images, or into the given one alone, and say where."""
        tall, wide = ink.shape
        self.taken[top:top + tall, left:left + wide] = True
        white_is_low = self.base.photometric == "MONOCHROME1"
        bright, dark = (self.low, self.high) if white_is_low else (self.high, self.low)
        frames = slice(None) if look.frame < 0 else slice(look.frame, look.frame + 1)
        images = (self.given, self.reference) if kind == "distractor" else (self.given,)
        if look.ink == "boxed":
            paper = (slice(None), slice(max(0, top - 2), top + tall + 2), slice(max(0, left - 3), left + wide + 3))
            for image in (self.given, self.reference):
                image[paper] = bright + (1 if white_is_low else -1)
        ground = self.given[frames, top:top + tall, left:left + wide]
        middle = float(np.median(ground))
        is_bright = abs(middle - bright) < 0.4 * (self.high - self.low)
        value: npt.NDArray[np.int32] | int
        if look.ink == "faint":
            step = max(4, round(0.2 * (self.high - self.low)))
            value = np.where(ground + step <= self.high, ground + step, ground - step)[:, ink]
        elif is_bright:
            value = dark
        else:
            value = self._coloured(bright, look.colour)
        for image in images:
            image[frames, top:top + tall, left:left + wide][:, ink] = value
        return Mark(kind, text, Mask(top, left, ink, look.frame))

    def _coloured(self, bright: int, colour: int) -> npt.NDArray[np.int32] | int:
        """White, yellow, cyan or green, where there is colour."""
        if self.base.photometric != "RGB":
            return bright
        return np.where(((1, 1, 1), (1, 1, 0), (0, 1, 1), (0, 1, 0))[colour], self.high, self.low).astype(np.int32)


def _fitting(text: str, look: Look, room: int) -> tuple[str, Bools]:
    """A text and its ink, in smaller type or cut short where ``room`` columns do not hold it."""
    height = look.height
    while (ink := glyphs(text, height, look.face)).shape[1] > room:
        if height > SMALLEST:
            height -= 1
        elif len(text) > 3:
            text = text[:-1].rstrip()
        else:
            break
    return text, ink


def _corners_of(block: Block, shapes: Sequence[tuple[int, ...]], size: tuple[int, int]) -> list[tuple[int, int]]:
    """The wanted top left corner of each of a block's lines, in an image of so many rows and columns."""
    gap = 3 + block.look.height // 4
    along = 0 if not (block.across or block.turned) else 1
    step = gap if along == 0 or block.turned else block.look.height
    total = [max(shape[axis] for shape in shapes) for axis in (0, 1)]
    total[along] = sum(shape[along] for shape in shapes) + step * (len(shapes) - 1)
    start = [4 + block.at[axis] * (size[axis] - 8 - total[axis]) for axis in (0, 1)]
    share = block.at[1 - along]
    aligned = 0.0 if share < 0.4 else 0.5 if share < 0.6 else 1.0
    found, passed = [], 0.0
    for shape in shapes:
        spare = aligned * (total[1 - along] - shape[1 - along])
        at = (start[0] + passed, start[1] + spare) if along == 0 else (start[0] + spare, start[1] + passed)
        found.append((round(at[0]), round(at[1])))
        passed += shape[along] + step
    return found
