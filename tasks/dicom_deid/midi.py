"""The action accuracy of the MIDI-B challenge (MICCAI 2024), re-implemented from its definition.

Answers are checks, one for each action that a de-identifier should have taken in one place of one file; the score is
the share that passes, all of equal weight. Definition: Rutherford and others, "Medical Image De-Identification
Resources: Synthetic DICOM Data and Tools for Validation" (2025), arXiv 2508.01889, and what the challenge's validation
script does. In its own rule a file that was never written passes every check of removal.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from hashlib import md5
from typing import Any

import numpy as np
import numpy.typing as npt

from fourfold.tasks.dicom_deid.identifiers import FRAME, INSTANCE, PATIENT, SERIES, STUDY
from fourfold.tasks.dicom_deid.key import Kept, Key, Mask, Planted
from fourfold.tasks.dicom_deid.pixels_kept import boxes, contrast, grey, ring, stored
from fourfold.tasks.dicom_deid.reading import File, of_pixels
from fourfold.tasks.dicom_deid.values import Index, first, index

ACTIONS = (
    *("tag_retained", "text_notnull", "text_retained", "text_removed", "date_shifted"),
    *("uid_changed", "uid_consistent", "patid_consistent", "pixels_hidden", "pixels_retained"),
)
"""What a check may ask for."""
PASS_WHEN_MISSING = frozenset(("text_removed", "date_shifted", "uid_changed", "pixels_hidden"))
"""The actions that a file which is not there has taken, as the challenge's rule has it."""
HIDDEN = 0.1
"""Share of their contrast under which glyphs count as hidden where nothing reads them."""

_WORD = re.compile(r"\w+(?:[-'./:@]\w+)*")
_STOP = frozenset(
    _WORD.findall(
        "a an the and or but if of at by for with about to from in on off over under again then once here there when "
        "where why how all any both each few more most other some such no nor not only own same so than too very can "
        "will just i me my we our you your he him his she her it its they them their what which who whom this that "
        "these those am is are was were be been being have has had having do does did doing as until while into "
        "through during before after above below up down out between"
    )
)
"""Words that say nothing by themselves."""

Reader = Callable[[npt.NDArray[np.uint8]], str]
"""Reads the text in an 8-bit image (rows, columns)."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Check:
    """One action that should have been taken. path: the given file; where: the place in it, as in ``key``.

    text: what must stay or go; of dates, UIDs and IDs the original value, of ``pixels_retained`` the MD5 of the bytes.
    mask: of ``pixels_hidden``, where the text stands; its glyphs are all True where only a box is known.
    """

    path: str
    action: str
    where: str = ""
    text: str = ""
    mask: Mask | None = None


@dataclass(frozen=True)
class Claims:
    """What a method says that each UID and each patient ID became, from old to new."""

    uids: Mapping[str, str]
    patients: Mapping[str, str]


def checks(key: Key, given: Mapping[str, File], reference: Mapping[str, File]) -> list[Check]:
    """The checks that the challenge's curators would have derived of such files.

    What is planted in an element is to be removed, shifted or changed, and the element to stay, not empty, where the
    reference has it so. What is to be kept is to be retained. Pixels are to be hidden where an identity is burned in,
    and to be the same bytes where none is.
    """
    found = [check for planted in key.planted for check in _of_planted(planted)]
    found += [check for kept in key.kept for check in _of_kept(kept)]
    retained = {(check.path, check.where) for check in found if check.action == "text_retained"}
    burned = {planted.path for planted in key.planted if planted.burned is not None}
    named: dict[str, set[str]] = {one.path: set() for one in key.instances}
    for planted in key.planted:
        named[planted.path].add(planted.where)
    for one in key.instances:
        before, after = index(given[one.path]), index(reference.get(one.path))
        for where in sorted(named[one.path] & set(after)):
            if (one.path, where) not in retained:
                found.append(Check(one.path, "text_notnull" if first(after, where) else "tag_retained", where))
        for where in (INSTANCE, SERIES, STUDY, FRAME):
            if where in before and where in after and where not in named[one.path]:
                found += _of_uid(one.path, where, first(before, where))
        digest = _digest(given[one.path])
        if digest and one.path not in burned:
            found.append(Check(one.path, "pixels_retained", "(7FE0,0010)", digest))
    return list(dict.fromkeys(found))


def claims(given: Mapping[str, File], written: Mapping[str, File]) -> Claims:
    """What UIDs and patient IDs became, by what the first file with each says: of a method that hands in no list."""
    uids: dict[str, str] = {}
    patients: dict[str, str] = {}
    for path, file in given.items():
        before, after = index(file), index(written.get(path))
        for names, places in ((uids, (INSTANCE, SERIES, STUDY, FRAME)), (patients, (PATIENT,))):
            for place in places:
                if place in before and place in after:
                    names.setdefault(first(before, place), first(after, place))
    return Claims(uids, patients)


def passes(
    checks: Sequence[Check],
    given: Mapping[str, File],
    written: Mapping[str, File],
    claimed: Claims,
    *,
    missing_fails: bool = True,
    read: Reader | None = None,
) -> Floats:
    """Whether each check passes (checks,): 1, 0, or nan where the challenge's script fails itself, which scores as 0.

    missing_fails: a file that is missing or unreadable fails every check; else it passes those of PASS_WHEN_MISSING.
    read: reads what is in a box of pixels, as the challenge does; without it, glyphs are hidden if they have under
    HIDDEN of their contrast left.
    """
    there = {path: index(file) for path, file in written.items() if file.parsed[0] is not None}
    result = np.empty(len(checks))
    for number, check in enumerate(checks):
        if check.path not in there:
            result[number] = not missing_fails and check.action in PASS_WHEN_MISSING
        elif check.action in ("pixels_hidden", "pixels_retained"):
            result[number] = _pixels(check, given.get(check.path), written[check.path], read)
        else:
            result[number] = _element(check, there[check.path], claimed)
    return result


def action_accuracy(passed: Floats) -> float | None:
    """The share of checks that pass, what the script cannot tell counted against the method; None without checks."""
    return float(np.nansum(passed) / len(passed)) if len(passed) else None


def by_action(checks: Sequence[Check], passed: Floats) -> dict[str, float]:
    """``action_accuracy`` of the checks of each action that there is."""
    of = np.array([check.action for check in checks])
    return {action: float(np.nan_to_num(passed[of == action]).mean()) for action in ACTIONS if (of == action).any()}


def _of_planted(planted: Planted) -> Iterator[Check]:
    path, where = planted.path, planted.where
    if planted.burned is not None:
        yield Check(path, "pixels_hidden", "(7FE0,0010)", planted.text, planted.burned)
    elif not where.startswith("(") or planted.locus == "binary" or planted.mask is not None:
        return  # The challenge looks at elements alone, and at their text.
    elif planted.kind == "date" and planted.locus in ("direct", "nested", "report"):
        yield Check(path, "date_shifted", where, planted.text)
    elif planted.kind == "uid":
        yield from _of_uid(path, where, planted.text)
    else:
        yield Check(path, "text_removed", where, planted.text)
        if where == PATIENT:
            yield Check(path, "patid_consistent", where, planted.text)


def _of_uid(path: str, where: str, uid: str) -> Iterator[Check]:
    yield Check(path, "uid_changed", where, uid)
    if where in (INSTANCE, SERIES, STUDY, FRAME):
        yield Check(path, "uid_consistent", where, uid)


def _of_kept(kept: Kept) -> Iterator[Check]:
    if kept.kind == "private":
        yield Check(kept.path, "tag_retained", kept.where)
    elif kept.kind in ("text", "characteristic"):  # With all other attributes a leak would move the score even less.
        yield Check(kept.path, "text_retained", kept.where, " ".join(kept.words))


def _element(check: Check, written: Index, claimed: Claims) -> float:
    """Whether a check of an element passes in a file that is there."""
    if check.action not in ACTIONS:
        raise ValueError(f"{check.action!r} is no action of MIDI-B: {', '.join(ACTIONS)}")
    there = check.where in written
    value = first(written, check.where)
    if check.action in ("tag_retained", "text_notnull"):
        return float(bool(value) if check.action == "text_notnull" else there)
    if check.action == "text_retained":
        return _tokens(value, check.text, retain=True) if value else 0.0
    if not there:
        return 1.0
    if check.action == "text_removed":
        return _tokens(value, check.text, retain=False) if value else 1.0
    if check.action in ("date_shifted", "uid_changed"):
        return float(check.text.replace("\\", "") not in value.replace("\\", ""))
    names = claimed.uids if check.action == "uid_consistent" else claimed.patients
    return float(value == names.get(check.text, ""))


def _tokens(value: str, wanted: str, retain: bool) -> float:
    """Whether all of a text, or of its tokens that are no stop words, are anywhere in a value, or none is; nan without
    tokens, of which the challenge's script takes a share."""
    value, wanted = value.lower(), wanted.lower()
    with suppress(ValueError):
        if all(part.replace(".", "", 1).isdigit() for part in (value, wanted)):
            return float((float(value) == float(wanted)) == retain)
    if wanted in value:
        return float(retain)
    tokens = [token for token in _WORD.findall(wanted) if token not in _STOP]
    if not tokens:
        return np.nan
    return float(all((token in value) == retain for token in tokens))


def _pixels(check: Check, given: File | None, written: File, read: Reader | None) -> float:
    if check.action == "pixels_retained":
        return float(_digest(written) == check.text)
    after, _ = written.pixels
    if check.mask is None or after is None:
        return 0.0
    patches = list(boxes(after, check.mask))
    if read is not None:
        value = " ".join(read(as_the_challenge_scales(patch)) for patch in patches)
        return _tokens(value, check.text, retain=False) if value.strip() else 1.0
    before = given.pixels[0] if given is not None else None
    if before is None or before.shape != after.shape:
        return 0.0
    around = _around(check.mask)
    was = (_signal(patch, check.mask, around) for patch in boxes(before, check.mask))
    now = (_signal(patch, check.mask, around) for patch in patches)
    return float(all(after <= HIDDEN * before for before, after in zip(was, now, strict=True)))


@lru_cache(1 << 12)
def _around(mask: Mask) -> npt.NDArray[np.bool_]:
    """What is next to the glyphs of a mask, worked out once for all methods."""
    return ring(mask.glyphs)


def as_the_challenge_scales(patch: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """A box of pixels as the challenge's script shows it to OCR: 16 unsigned bits by their maximum, others modulo 256.

    So text on signed pixels, as of most CT and MR, may fold into its background and count as hidden.
    """
    if patch.dtype == np.uint16:
        return np.asarray(patch / max(float(patch.max()), 1.0) * 255, dtype=np.uint8)
    return patch.astype(np.uint8)


def _signal(patch: npt.NDArray[Any], mask: Mask, around: npt.NDArray[np.bool_]) -> float:
    """How much is to be seen in a box: the contrast of its glyphs, or where only the box is known its spread."""
    image = grey(patch)
    return float(image.std()) if mask.glyphs.all() else abs(contrast(image, mask.glyphs, around))


@of_pixels
def _digest(file: File) -> str:
    data = stored(file)
    return md5(data, usedforsecurity=False).hexdigest() if data else ""
