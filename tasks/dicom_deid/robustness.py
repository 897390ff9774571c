"""The hard set: a corpus whose files are written in ways that tools trip over, each in one that it names."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fourfold.suite.metrics.bootstrap import wilson_interval
from fourfold.suite.task import Score
from fourfold.tasks.dicom_deid import hard_encodings as hard
from fourfold.tasks.dicom_deid.directory import directory
from fourfold.tasks.dicom_deid.key import Corpus, Dated, Instance, Kept, Key, Mask, Planted

BLOB = 1_000_000
"""Bytes of a private element that hides an identity in its middle."""
MOST = {"hundred-frames": 4, "private-blob": 8}
"""How many files may become so large."""
DIRECTORIES = 4
"""Of so many patients one has a DICOMDIR."""
UID_ROOT = "1.2.826.0.1.3680043.10.1492.3"
"""Of the directories' own UIDs."""


@dataclass(frozen=True)
class Case:
    """One file, with and without identity, and what the key says of it."""

    given: bytes
    reference: bytes
    instance: Instance
    planted: tuple[Planted, ...]
    kept: tuple[Kept, ...]
    dated: tuple[Dated, ...]


@dataclass(frozen=True)
class Rough:
    """A corpus and, by path, the variant that each file was written in."""

    corpus: Corpus
    variants: Mapping[str, str]


Variant = Callable[[Case, Sequence[Case], np.random.Generator], Case | None]
"""Writes a case anew, given all cases as they were; None where it cannot be written so."""


def roughen(corpus: Corpus, rng: np.random.Generator) -> Rough:
    """Write each file in the least used of VARIANTS that suits it, and give some patients a DICOMDIR.

    Twins are written in one that suits both, so that they differ in the identity alone. The reference is written alike,
    and the key changes with the files. A file that no variant suits is left out, and its twin.
    """
    cases = _cases(corpus)
    found: dict[str, tuple[str, Case]] = {}
    times = dict.fromkeys(VARIANTS, 0)
    for alike in _together(cases, rng):
        seed = int(rng.integers(2**63))
        for name in sorted(VARIANTS, key=lambda name: times[name]):
            if times[name] + len(alike) > MOST.get(name, len(cases)):
                continue
            written = [VARIANTS[name](case, cases, np.random.default_rng(seed)) for case in alike]
            if None not in written:
                found |= {case.instance.path: (name, case) for case in written if case is not None}
                times[name] += len(alike)
                break
    found = {one.path: found[one.path] for one in corpus.key.instances if one.path in found}
    for case in _directories([case for _, case in found.values()], rng):
        found[case.instance.path] = "dicomdir", case
    rough = _corpus([case for _, case in found.values()], corpus.key)
    return Rough(rough, {path: name for path, (name, _) in found.items()})


def handled(key: Key, variants: Mapping[str, str], leaked: npt.NDArray[np.bool_], failed: set[str]) -> list[Score]:
    """The share of files that were handled, by variant and of all, with Wilson's intervals.

    leaked: (n,) bool, in the order of ``key.planted``; failed: paths of files that did not come back or are unreadable.
    """
    bad = failed | {item.path for item, found in zip(key.planted, leaked.tolist(), strict=True) if found}
    scores = []
    for name in ("", *sorted(set(variants.values()))) if variants else ():
        of = [path not in bad for path, variant in variants.items() if name in ("", variant)]
        low, high = (float(end) for end in wilson_interval(sum(of), len(of)))
        group = f"variant={name}" if name else ""
        scores.append(Score("handled", sum(of) / len(of), low, high, len(of), group))
    return scores


def _cases(corpus: Corpus) -> list[Case]:
    planted: dict[str, list[Planted]] = {}
    kept: dict[str, list[Kept]] = {}
    dated: dict[str, list[Dated]] = {}
    for item in corpus.key.planted:
        planted.setdefault(item.path, []).append(item)
    for stays in corpus.key.kept:
        kept.setdefault(stays.path, []).append(stays)
    for day in corpus.key.dated:
        dated.setdefault(day.path, []).append(day)

    def case(one: Instance) -> Case:
        at = one.path
        notes = tuple(planted.get(at, ())), tuple(kept.get(at, ())), tuple(dated.get(at, ()))
        return Case(corpus.given[at], corpus.reference[at], one, *notes)

    return [case(one) for one in corpus.key.instances]


def _together(cases: Sequence[Case], rng: np.random.Generator) -> list[list[Case]]:
    """The cases in an order that is drawn, each with its twin or alone."""
    groups: dict[str | int, list[Case]] = {}
    for place in rng.permutation(len(cases)).tolist():
        one = cases[place].instance
        groups.setdefault(one.document if one.document >= 0 else one.path, []).append(cases[place])
    return list(groups.values())


def _corpus(cases: Sequence[Case], key: Key) -> Corpus:
    changed = replace(
        key,
        instances=[case.instance for case in cases],
        planted=[item for case in cases for item in case.planted],
        kept=[item for case in cases for item in case.kept],
        dated=[item for case in cases for item in case.dated],
    )
    given = {case.instance.path: case.given for case in cases}
    return Corpus(given, {case.instance.path: case.reference for case in cases}, changed)


def _rewritten(rewrite: Callable[[bytes], bytes | None], case: Case) -> Case | None:
    """The case with both of its files rewritten."""
    given, reference = rewrite(case.given), rewrite(case.reference)
    return None if given is None or reference is None else replace(case, given=given, reference=reference)


def _plainly(rewrite: Callable[[bytes], bytes | None]) -> Variant:
    return lambda case, cases, rng: _rewritten(rewrite, case)


def _without_preamble(case: Case, cases: Sequence[Case], rng: np.random.Generator) -> Case | None:
    if any(item.locus == "preamble" for item in case.planted):
        return None
    return _rewritten(hard.without_preamble, case)


def _without_type_2(case: Case, cases: Sequence[Case], rng: np.random.Generator) -> Case | None:
    """What the key says of the elements that go, goes with them."""
    from pydicom.datadict import tag_for_keyword

    tags = [tag_for_keyword(keyword) or 0 for keyword in hard.TYPE_2]
    gone = {f"({tag >> 16:04X},{tag & 0xFFFF:04X})" for tag in tags}
    planted = tuple(item for item in case.planted if item.where not in gone)
    kept = tuple(item for item in case.kept if item.where not in gone)
    dated = tuple(item for item in case.dated if item.where not in gone)
    return _rewritten(hard.without_type_2, replace(case, planted=planted, kept=kept, dated=dated))


def _truncated(case: Case, cases: Sequence[Case], rng: np.random.Generator) -> Case | None:
    """Of files without an identity in pixels, as it may be cut off; of a mark that must stay it cannot be told."""
    if any(item.burned is not None for item in case.planted):
        return None
    kept = tuple(stays for stays in case.kept if stays.mask is None)
    return _rewritten(hard.truncated, replace(case, kept=kept))


def _many_frames(case: Case, cases: Sequence[Case], rng: np.random.Generator) -> Case | None:
    def everywhere(mask: Mask | None) -> Mask | None:
        return None if mask is None else replace(mask, frame=-1)

    planted = tuple(replace(item, mask=everywhere(item.mask)) for item in case.planted)
    kept = tuple(replace(item, mask=everywhere(item.mask)) for item in case.kept)
    instance = replace(case.instance, size=(hard.FRAMES, *case.instance.size[1:]))
    return _rewritten(hard.many_frames, replace(case, planted=planted, kept=kept, instance=instance))


def _private_blob(case: Case, cases: Sequence[Case], rng: np.random.Generator) -> Case | None:
    """A megabyte of noise with the patient's name or number in its middle; a perfect method removes it.

    It is the longer one, as two letters would be found in any noise; of a twin the number, as names differ in length.
    """
    told = [item for item in case.planted if item.kind in ("name", "mrn") and item.locus == "direct"]
    if not told:
        return None
    twin = case.instance.document >= 0
    item = max(told, key=lambda item: (twin and item.kind == "mrn", len(item.text)))
    group, creator, element = 0x0077, "FOURFOLD DUMP", 0x10
    noise, text = rng.bytes(BLOB), item.text.encode()
    blob = noise[: BLOB // 2] + b"\0" + text + b"\0" * (1 + len(text) % 2) + noise[BLOB // 2 + 2 :]
    where = f'({group:04X},"{creator}",{element:02X})'
    planted = (*case.planted, replace(item, locus="binary", where=where))
    return replace(case, given=hard.with_private(case.given, group, creator, element, blob), planted=planted)


def _duplicate_uid(case: Case, cases: Sequence[Case], rng: np.random.Generator) -> Case | None:
    """The SOP instance UID of the patient's first file."""
    first = next(each for each in cases if each.instance.patient == case.instance.patient)
    if first is case:
        return None
    own = ("(0008,0018)", "(0002,0003)")
    theirs = tuple(replace(item, path=case.instance.path) for item in first.planted if item.where in own)
    return replace(
        case,
        given=hard.with_instance_uid(case.given, hard.instance_uid(first.given)),
        reference=hard.with_instance_uid(case.reference, hard.instance_uid(first.reference)),
        planted=(*(item for item in case.planted if item.where not in own), *theirs),
    )


def _directories(cases: Sequence[Case], rng: np.random.Generator) -> Iterator[Case]:
    """A DICOMDIR beside the files of some patients, of those whose files are not named after them."""
    by_patient: dict[int, list[Case]] = {}
    for case in cases:
        by_patient.setdefault(case.instance.patient, []).append(case)
    opaque = [
        patient
        for patient, of in by_patient.items()
        if not any(item.locus == "filename" for case in of for item in case.planted)
    ]
    count = -(-len(opaque) // DIRECTORIES)
    for patient in sorted(rng.choice(opaque, count, replace=False).tolist()) if opaque else ():
        yield _directory(patient, by_patient[patient], f"{UID_ROOT}.{int(rng.integers(10**9))}")


def _directory(patient: int, cases: Sequence[Case], uid: str) -> Case:
    folder = cases[0].instance.path.rpartition("/")[0].partition("/")[0]
    inside = {case.instance.path: case for case in cases if case.instance.path.startswith(f"{folder}/")}
    given, repeated = directory({path.removeprefix(f"{folder}/"): case.given for path, case in inside.items()}, uid)
    reference, _ = directory({path.removeprefix(f"{folder}/"): case.reference for path, case in inside.items()}, uid)
    at = f"{folder}/DICOMDIR"
    planted = [
        replace(item, path=at, where=place, locus="uid" if item.kind == "uid" else "nested")
        for path, where, place in repeated
        for item in inside[f"{folder}/{path}"].planted
        if item.where == where
    ]
    return Case(given, reference, Instance(at, patient, 0, ""), tuple(planted), (), ())


VARIANTS: Mapping[str, Variant] = {
    "no-preamble": _without_preamble,
    "implicit": _plainly(hard.implicit),
    "big-endian": _plainly(hard.big_endian),
    "deflated": _plainly(hard.deflated),
    "undefined-lengths": _plainly(hard.undefined_lengths),
    "bad-delimiters": _plainly(hard.bad_delimiters),
    "character-sets": _plainly(hard.other_character_set),
    "missing-type-2": _without_type_2,
    "truncated": _truncated,
    "hundred-frames": _many_frames,
    "private-blob": _private_blob,
    "duplicate-uid": _duplicate_uid,
}
"""By name; what a file cannot be written in, it is not."""
