"""Whether a fit did what its ledger says: tests on what its curator noted, in the scored run and in a rehearsal.

They catch mistakes and shortcuts: noise left out or too small, batches drawn in another way, gradients not clipped,
records that act around the curator. A method that rewrites the curator beside it, notes and all, escapes them: only
``verified`` is safe from that. Each statistical test errs on an honest method once in a million.
"""

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import chdtr, chdtrc, kolmogorov, ndtr

from fourfold.suite.evidence import COMPARED, EVERYONE, RELEASES, Rehearsal
from fourfold.suite.method import Mechanism
from fourfold.suite.metrics import accountant

CHECKS = ("ledger", "sensitivity", "noise", "sampler", "chain")
LEVEL = 1e-6
"""How often a statistical test may fail an honest method."""
ROUNDING = 1e-5
"""What single precision may move a sum by, in clips times the square root of its batch's size."""
LEDGER = 1 << 20
"""The most letters of a ledger."""
ANSWERS = 256
"""The first queries, which a rehearsal to the end answers again, beside that about the witness."""

Answered = Sequence[Sequence[npt.NDArray[np.float64] | None]]
"""Of each run, what it answered to each ask; None where that wants no answer, or got none."""

_NONE = np.empty(0, np.int64)


@dataclass(frozen=True)
class Verdict:
    """Whether one check passed, and what it saw."""

    passed: bool
    said: str


@dataclass(frozen=True)
class Notes:
    """A curator's evidence, read.

    sums, releases: of each of the first releases, before and after the noise. clips, spreads, sizes, dropped: theirs;
    the noise's standard deviation, the records summed, whether the witness was left out. spans: (given, 2), of every
    release, how long its sum was, in clips, and of how many records. chain: (r, 4), a hash of all parameters so far at
    each. counts: how often each unit was drawn; drawn, rates: each batch's size and rate. scores:
    (m,) the white-box canaries'. summed: the rows in any of the sums to be compared, the earliest first. given:
    releases in all; whole: ``kept`` has all of them.
    """

    sums: list[npt.NDArray[np.float32]]
    kept: list[npt.NDArray[np.float32]]
    clips: npt.NDArray[np.float64]
    spreads: npt.NDArray[np.float64]
    sizes: npt.NDArray[np.int64]
    dropped: npt.NDArray[np.bool_]
    spans: npt.NDArray[np.float64]
    chain: npt.NDArray[np.uint64]
    counts: npt.NDArray[np.int64]
    drawn: npt.NDArray[np.int64]
    rates: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float64]
    summed: npt.NDArray[np.int64]
    given: int
    whole: bool
    ledger: list[Mechanism]


def read(fields: Mapping[str, Any], canaries: int) -> Notes:
    """The notes in what a curator sent. Raises ValueError for what is none: a guest may have written it."""
    try:
        lengths, facts = fields["lengths"], fields["facts"].astype(np.float64)
        if len(lengths) > RELEASES or np.any(lengths < 0) or lengths.sum() != len(fields["releases"]):
            raise ValueError("its releases are not as long as it says, or too many")
        ends = np.cumsum(lengths)
        kept = np.split(fields["releases"].astype(np.float32), ends[:-1])
        sums = np.split(fields["sums"].astype(np.float32), ends[: len(facts)][:-1])
        notes = Notes(
            sums=sums[: len(facts)], kept=kept[: len(lengths)], clips=facts[:, 0], spreads=facts[:, 1],
            sizes=facts[:, 2].astype(np.int64), dropped=facts[:, 3] > 0,
            spans=fields["spans"].astype(np.float64).reshape(-1, 2), chain=fields["chain"],
            counts=fields["counts"].astype(np.int64), drawn=fields["sizes"].astype(np.int64),
            rates=fields["rates"].astype(np.float64), scores=fields["scores"].astype(np.float64),
            summed=fields["summed"].astype(np.int64), given=int(fields["given"][0]), whole=bool(fields["whole"][0]),
            ledger=_ledger(fields["ledger"]),
        )
        sound = (
            all(len(a) == len(b) for a, b in zip(notes.sums, notes.kept, strict=False))
            and len(notes.chain) == len(facts) <= len(notes.kept)
            and notes.scores.shape == (canaries,)
            and notes.counts.ndim == 1
            and (notes.summed >= 0).all()
            and len(notes.drawn) == len(notes.rates)
            and len(notes.spans) == notes.given
            and all(np.isfinite(each).all() for each in (*notes.sums, *notes.kept, notes.scores, notes.spans, facts))
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"the curator's notes are none: {error!r:.200}") from error
    if not sound:
        raise ValueError("the curator's notes contradict themselves")
    return notes


def _ledger(text: str) -> list[Mechanism]:
    if len(text) > LEDGER:
        raise ValueError(f"a ledger of {len(text):,} letters")
    found = [Mechanism(*each) for each in json.loads(text)]
    accountant.check_entries(found)
    return found


def rehearsal(notes: Notes, members: npt.NDArray[np.int64] = _NONE) -> Rehearsal | None:
    """What to try again after a scored run; None where nothing was summed.

    members: records that are also asked about, of which the witness is one if any was summed: then a method that
    answers from its memory is asked for what it no longer has.
    """
    known = notes.summed[np.isin(notes.summed, members)]
    if not len(notes.summed) or not notes.kept:
        return None
    lengths = np.array([len(each) for each in notes.kept], np.int64)
    witness = int(known[0] if len(known) else notes.summed[0])
    return Rehearsal(witness, np.concatenate(notes.kept), lengths, notes.whole)


def blank(notes: Notes) -> Rehearsal | None:
    """What to try after that: all records are garbage, and in no batch. None where not all releases were kept.

    One record less is nothing to a fit that learns from all of them and rounds; this one has nothing to learn from.
    """
    again = rehearsal(notes) if notes.whole else None
    return again and dataclasses.replace(again, witness=EVERYONE)


def garbled(train: Any, witness: int) -> Any:
    """The training records with one of them made into something else entirely, of the same shape, type and range.

    witness: its row; EVERYONE: all are made into what the first would be. Raises ValueError where there is no such
    record: it is the notes that name it.
    """
    changed = {}
    for name in train.private:
        column = np.array(getattr(train, name))
        if witness >= len(column):
            raise ValueError(f"the curator's notes name record {witness:,} of {len(column):,}")
        row, places = (column[0], slice(None)) if witness == EVERYONE else (column[witness], witness)
        if column.ndim == 1:  # A label: one that another record has.
            others = column[column != row]
            column[places] = others[0] if len(others) else row
        elif column.dtype == np.uint8:
            column[places] = 255 - np.flip(row)
        else:
            column[places] = -4 * np.flip(row) - 1
        changed[name] = column
    return dataclasses.replace(train, **changed)


def verdicts(notes: Notes, rehearsed: Sequence[Notes], answers: Answered | None) -> dict[str, Verdict]:
    """The verdict of each of ``CHECKS`` on a fit.

    notes, rehearsed: of the scored run, and of its rehearsals, that of ``rehearsal`` first. answers: what the runs
    answered to the same queries, where they went to the end.
    """
    return {
        "ledger": ledger(notes),
        "sensitivity": sensitivity(notes, rehearsed),
        "noise": noise(notes, rehearsed[0]),
        "sampler": sampler(notes),
        "chain": chain(notes, rehearsed, answers),
    }


def ledger(notes: Notes) -> Verdict:
    """Every release is entered, with the noise and the rate it had: none more, none less."""
    entered = sum(each.steps for each in notes.ledger)
    if entered != notes.given:
        return Verdict(False, f"{notes.given:,} releases were made and {entered:,} steps are in the ledger")
    multipliers = np.array([each.noise_multiplier for each in notes.ledger])
    for clip, spread in zip(notes.clips, notes.spreads, strict=True):
        if not np.isclose(multipliers * clip, spread, rtol=1e-6).any():
            return Verdict(False, f"noise of {spread:.4g} at clip {clip:.4g} is not in the ledger")
    return Verdict(True, f"{entered:,} releases, each entered")


def sensitivity(notes: Notes, rehearsed: Sequence[Notes]) -> Verdict:
    """One record less moves a clipped sum by at most C where it was drawn, and not at all elsewhere; none leaves 0.

    And no sum is longer than its records together can make it.
    """
    for run in (notes, *rehearsed):
        lengths, sizes = run.spans.T
        beyond = lengths - (1 + 1e-4) * sizes - ROUNDING * np.sqrt(np.maximum(sizes, 1))
        for at in np.flatnonzero(beyond > 0)[:1]:
            return Verdict(False, f"a sum over {sizes[at]:,.0f} records is {lengths[at]:.4g} C long (release {at + 1})")
    again = rehearsed[0]
    pairs = list(zip(notes.sums, again.sums, notes.clips, again.sizes, again.dropped, strict=False))[:COMPARED]
    worst = 0.0
    if not any(dropped for *_, dropped in pairs):
        return Verdict(False, "the witness was in no batch that could be compared")
    for place, (first, second, clip, size, dropped) in enumerate(pairs):
        if not len(first):
            return Verdict(False, f"release {place + 1} is of no number: what others hold cannot be compared")
        if len(first) != len(second):
            return Verdict(False, f"release {place + 1} has another length where one record is left out")
        moved = float(np.linalg.norm(first.astype(np.float64) - second)) / clip
        allowed = (1 + 1e-4 if dropped else 0.0) + ROUNDING * max(1.0, float(np.sqrt(size)))
        if moved > allowed:
            where = "in a batch it was drawn for" if dropped else "in a batch that it was not drawn for"
            return Verdict(False, f"one record less moved a sum by {moved:.4g} C {where} (release {place + 1})")
        worst = max(worst, moved if dropped else 0.0)
    return Verdict(True, f"one record less moved {len(pairs)} sums by at most {worst:.4g} C")


def noise(notes: Notes, again: Notes | None) -> Verdict:
    """What was added to each sum is Gaussian noise of the standard deviation in the ledger, anew each time."""
    places = [(notes, place) for place in range(len(notes.sums))]
    if again is not None:
        places += [(again, place) for place in range(COMPARED, len(again.sums))]
    standard: list[npt.NDArray[np.float64]] = []
    for run, place in places:
        if run.spreads[place] <= 0 or not len(run.sums[place]):
            return Verdict(False, f"release {place + 1} has no noise")
        drawn = (run.kept[place].astype(np.float64) - run.sums[place]) / run.spreads[place]
        size, square = len(drawn), float(drawn @ drawn)
        if min(chdtr(size, square), chdtrc(size, square)) < LEVEL / 2:
            return Verdict(False, f"the noise of release {place + 1} is {np.sqrt(square / size):.4g} times what is "
                           f"entered (chi-square {square:.4g} at {size:,} degrees of freedom)")
        if standard and len(standard[-1]) == size:
            likeness = float(drawn @ standard[-1]) / max(float(np.linalg.norm(standard[-1])), 1e-30)
            if 2 * ndtr(-abs(likeness)) < LEVEL:
                return Verdict(False, f"the noise of release {place + 1} resembles the one before")
        standard.append(drawn)
    if not standard:
        return Verdict(False, "nothing was released")
    if (p := _gaussian(np.concatenate(standard))) < LEVEL:
        return Verdict(False, f"the noise is not Gaussian (Kolmogorov-Smirnov p = {p:.2g})")
    return Verdict(True, f"{len(standard)} releases have the noise that is entered")


def _gaussian(standard: npt.NDArray[np.float64]) -> float:
    """The p-value of numbers as draws from a standard normal (Kolmogorov and Smirnov)."""
    n, below = len(standard), ndtr(np.sort(standard))
    apart = max(np.max(np.arange(1, n + 1) / n - below), np.max(below - np.arange(n) / n))
    return float(kolmogorov(np.sqrt(n) * apart))


def sampler(notes: Notes) -> Verdict:
    """Inclusion counts and batch sizes are binomial: each unit was drawn by a coin of its own, at each step."""
    entered = Counter[float]()
    for each in notes.ledger:
        if each.sampling == "poisson":
            entered[each.sample_rate] += each.steps
    if not entered:
        return Verdict(True, "nothing was sampled")
    at, sampled = notes.rates < 1, entered.total()
    if int(at.sum()) != sampled:
        return Verdict(False, f"{int(at.sum()):,} batches were drawn for {sampled:,} sampled releases")
    if entered != Counter(notes.rates[at].tolist()):
        return Verdict(False, "batches were drawn at other rates than those entered")
    rates, sizes, n = notes.rates[at], notes.drawn[at], len(notes.counts)
    counts = notes.counts - int((~at).sum())
    spread = float((rates * (1 - rates)).sum())
    if int(counts.sum()) != int(sizes.sum()):
        return Verdict(False, "counts and sizes of batches do not add up")
    tests = {
        "batch sizes": _two_sided(float(((sizes - n * rates) ** 2 / (n * rates * (1 - rates))).sum()), len(sizes)),
        "inclusion counts": _dispersion(counts, rates, n),
        "mean rate": float(2 * ndtr(-abs(counts.sum() - n * rates.sum()) / np.sqrt(n * spread))),
    }
    name = min(tests, key=lambda each: tests[each])
    said = ", ".join(f"{each} p = {p:.2g}" for each, p in tests.items())
    return Verdict(tests[name] >= LEVEL, said if tests[name] >= LEVEL else f"{name} are not binomial: {said}")


def _two_sided(square: float, freedom: int) -> float:
    """Of a chi-square; skewed where few batches of few records are large, so far tails are taken with a grain."""
    return float(min(1.0, 2 * min(chdtr(freedom, square), chdtrc(freedom, square))))


def _dispersion(counts: npt.NDArray[np.int64], rates: npt.NDArray[np.float64], n: int) -> float:
    """The p-value of the variance of inclusion counts, sums of coins whose second and fourth moments are known."""
    variances = rates * (1 - rates)
    second = float(variances.sum())
    fourth = float((variances * (1 - 6 * variances)).sum()) + 3 * second**2
    square = float(((counts - rates.sum()) ** 2).sum())
    return float(2 * ndtr(-abs(square - n * second) / np.sqrt(n * max(fourth - second**2, 1e-30))))


def chain(notes: Notes, rehearsed: Sequence[Notes], answers: Answered | None) -> Verdict:
    """Given the same releases, the fit went through the same parameters to the same answers, whatever the records."""
    links = min(len(run.chain) for run in (notes, *rehearsed))
    same = np.all([(notes.chain[:links] == again.chain[:links]).all(axis=1) for again in rehearsed], axis=0)
    if not same.all():
        at = int(np.argmin(same)) + 1
        return Verdict(False, f"parameters changed otherwise than by releases, before release {at}")
    if not notes.whole:
        return Verdict(True, f"parameters at {links} releases follow from the releases before")
    given = {again.given for again in rehearsed}
    if given != {notes.given} or answers is None:
        return Verdict(False, f"{notes.given:,} releases were made, {min(given):,} where records were left out")
    first, *others = answers
    moved = max((_moved(*pair) for other in others for pair in zip(first, other, strict=True)), default=0.0)
    if moved > 1e-6:
        return Verdict(False, f"answers moved by {moved:.2g} though all releases were the same")
    return Verdict(True, f"parameters and answers follow from the {notes.given:,} releases alone")


def _moved(first: npt.NDArray[np.float64] | None, second: npt.NDArray[np.float64] | None) -> float:
    """The most that an answer moved; without end where it came once and not the other time."""
    if first is None or second is None:
        return 0.0 if first is second else np.inf
    return float(np.abs(first - second).max(initial=0.0))
