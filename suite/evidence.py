"""What a curator writes down of a fit for the mechanism checks, and the rehearsal by which a fit is tried again.

In a *rehearsal* the method fits once more with the same seeds, but one record, the *witness*, is replaced by garbage
and left out of every batch, and each release of the scored run is given out again in place of the new one. A fit whose
records act through clipped sums alone cannot tell the difference: its sums move by the witness's gradient where it was
drawn and not at all elsewhere, and its parameters and answers not at all. In a second rehearsal all records are garbage
and all batches empty, and still the answers are the same. Runs beside the method; needs numpy alone, and takes tensors
as they come.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

COMPARED = 4
"""The first releases, whose sums before the noise are kept and compared."""
EMPTY = 2
"""The releases after them that a rehearsal makes over empty batches: they are noise alone."""
EVERYONE = -1
"""In place of a witness: all records."""
NUMBERS = 1 << 26
"""The most numbers of releases that are kept. Where all fit, a fit can be rehearsed to its end."""
RELEASES = 1 << 20
"""The most releases that are kept."""


class Rehearsed(BaseException):
    """A rehearsal has seen enough, and ends the fit. Not an Exception, so that no method swallows it."""


@dataclass(frozen=True)
class Rehearsal:
    """What to try again. witness: the record's row, or EVERYONE. releases, lengths: of the scored run, end to end.

    whole: they are all there were, and the fit is rehearsed to its end.
    """

    witness: int
    releases: npt.NDArray[np.float32]
    lengths: npt.NDArray[np.int64]
    whole: bool


@dataclass(frozen=True)
class Secret:
    """What a curator is told of the suite's own, and the author of a method is not.

    seed: of its batches and its noise. coins: (m,) bool, the white-box canaries that are in: records whose gradient is
    as long as the clip, along a coordinate of their own, by which every sum is longer.
    """

    seed: int
    coins: npt.NDArray[np.bool_]
    rehearsal: Rehearsal | None = None

    def fields(self) -> dict[str, Any]:
        """As fields that may cross."""
        rehearsal = vars(self.rehearsal) if self.rehearsal else {}
        return {"seed": self.seed, "coins": self.coins, **rehearsal}

    @classmethod
    def read(cls, fields: dict[str, Any]) -> "Secret":
        """Of ``fields``."""
        rest = {name: value for name, value in fields.items() if name not in ("seed", "coins")}
        return cls(fields["seed"], fields["coins"], Rehearsal(**rest) if rest else None)


class Evidence:
    """Notes on one fit; ``arrays`` is what the suite gets of them."""

    def __init__(self, n: int, canaries: int, rehearsal: Rehearsal | None = None) -> None:
        self._rehearsal = rehearsal
        self._counts = np.zeros(n, np.int64)
        self._sizes: list[tuple[int, float]] = []
        self._scores = np.zeros(canaries)
        self._sums: list[npt.NDArray[np.float32]] = []
        self._releases: list[npt.NDArray[np.float32]] = []
        self._facts: list[tuple[float, float, int, int]] = []
        self._spans: list[tuple[float, int]] = []
        self._chain: list[bytes] = []
        self._rows: list[npt.NDArray[np.int64]] = []
        self._kept, self._given, self._whole = 0, 0, True

    @property
    def emptied(self) -> bool:
        """Whether the batch to be drawn now is to be empty."""
        return self._rehearsal is not None and COMPARED <= self._given < COMPARED + EMPTY

    @property
    def known(self) -> bool:
        """Whether the sum to be taken now can be left out, as nothing will be learnt from it."""
        if self._rehearsal is None:
            return False
        return self._rehearsal.witness == EVERYONE or self._given >= COMPARED + EMPTY

    def drew(self, drawn: npt.NDArray[np.int64], rate: float) -> None:
        """A batch of units was drawn, each by a coin of ``rate``."""
        self._counts[drawn] += 1
        self._sizes.append((len(drawn), rate))

    def released(
        self, total: Any, noisy: Any, canaries: Any, parameters: Sequence[Any], rows: npt.NDArray[np.int64],
        dropped: bool, clip: float, spread: float,
    ) -> Any:
        """Note one release and return what is to be given out: ``noisy``, or in a rehearsal what was before.

        total, noisy: (d,) tensors, before and after noise of standard deviation ``spread``. canaries: (m,), the noisy
        sum over the canaries' own coordinates in units of ``clip``. rows: the records that were summed. dropped: the
        witness would have been among them. Raises Rehearsed.
        """
        self._scores += canaries.double().cpu().numpy()
        self._spans.append((float(total.double().norm()) / clip, len(rows)))
        place, self._given = self._given, self._given + 1
        if place < COMPARED:
            self._rows.append(rows)
        kept = _numbers(noisy)
        self._keep(kept, place)
        if place < COMPARED + EMPTY:
            self._sums.append(_numbers(total))
            self._facts.append((clip, spread, len(rows), dropped))
            self._chain.append(_hash(self._chain[-1:], parameters))
        if self._rehearsal is None:
            return noisy
        return self._before(place, noisy)

    def _keep(self, noisy: npt.NDArray[np.float32], place: int) -> None:
        """Keep a release while there is room; the first ones always."""
        full = len(self._releases) >= RELEASES or self._kept + len(noisy) > NUMBERS
        if place >= COMPARED + EMPTY and (not self._whole or full or self._rehearsal):
            self._whole = False
            return
        self._kept += len(noisy)
        self._releases.append(noisy)

    def _before(self, place: int, noisy: Any) -> Any:
        """What the scored run gave out at this place."""
        assert self._rehearsal is not None
        lengths = self._rehearsal.lengths
        if place >= len(lengths) or int(lengths[place]) != len(noisy):
            raise Rehearsed
        if place == COMPARED + EMPTY - 1 and not self._rehearsal.whole:
            raise Rehearsed
        start = int(lengths[:place].sum())
        before = self._rehearsal.releases[start : start + len(noisy)]
        return noisy.new_tensor(before)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All of it as plain arrays, as ``mechanism_checks.read`` takes them."""
        empty = [np.empty(0, np.float32)]
        return {
            "counts": self._counts,
            "sizes": np.array([size for size, _ in self._sizes], np.int64),
            "rates": np.array([rate for _, rate in self._sizes]),
            "scores": self._scores,
            "lengths": np.array([len(each) for each in self._releases], np.int64),
            "sums": np.concatenate(self._sums or empty),
            "releases": np.concatenate(self._releases or empty),
            "facts": np.array(self._facts).reshape(-1, 4),
            "spans": np.array(self._spans).reshape(-1, 2),
            "chain": np.frombuffer(b"".join(self._chain), "<u8").reshape(-1, 4),
            "summed": _first_seen(np.concatenate(self._rows or [np.empty(0, np.int64)])),
            "given": np.array([self._given]),
            "whole": np.array([int(self._whole)]),
        }


def _numbers(tensor: Any) -> npt.NDArray[np.float32]:
    array: npt.NDArray[np.float32] = tensor.detach().float().cpu().numpy().copy()
    return array


def _first_seen(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Each row once, in the order in which they first come."""
    return rows[np.sort(np.unique(rows, return_index=True)[1])]


def _hash(before: list[bytes], parameters: Sequence[Any]) -> bytes:
    """The next link: of the link before and of the parameters, tensor for tensor."""
    digest = hashlib.sha256(b"".join(before))
    for each in parameters:
        digest.update(_numbers(each).tobytes())
    return digest.digest()
