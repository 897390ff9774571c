"""A pace for what is computed over private records: it takes as long as over made-up ones.

How long a sum takes tells of what it sums: of the size of its batch, and of single records too, as the root of a
negative number takes twenty times as long as that of another. Whoever waits for the sum can measure it, and what is
learnt that way is in no ledger (Haeberlen, Pierce & Narayan 2011, "Differential privacy under fire"). So each
computation is first made on records that nobody has, and over the private ones takes that long and some more, whatever
they hold (their "predictable transactions").
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SLACK = 1.15
"""How many times as long as over made-up records a computation takes at first, and by how much it grows."""
FLOOR = 1e-3
"""Seconds that each takes besides: what an interrupt or a cold cache may cost, however short the computation."""
OVERRUNS = 24
"""How often a computation may take longer than that; each may tell when it was, and a few bits by how much."""


class PaceError(RuntimeError):
    """The private records have made too many computations slower than made-up records did."""


class Pace:
    """The pace of one curator. Seconds are of this thread's CPU: waiting for a core tells nothing of the records.

    What is left of a computation's time is spent computing, not sleeping, so that who shares the machine sees no end
    of it either. device: where it is computed, ``cpu`` or ``cuda``. On a CPU, torch computes in this thread alone from
    here on: what others do for it, its time does not show.
    """

    def __init__(self, device: str) -> None:
        import torch

        torch.set_num_threads(1)
        self._device, self._slack, self._overruns = device, SLACK, 0

    def taken(self, act: Callable[[], object]) -> float:
        """Seconds that ``act`` takes, which is to hang on no private number: the least of three, after a first."""
        times = []
        for _ in range(4):
            began = time.thread_time()
            act()
            self._settle()
            times.append(time.thread_time() - began)
        return min(times)

    @contextmanager
    def held(self, expected: float) -> Iterator[None]:
        """Make what is done within take ``expected`` seconds, as ``taken`` found them, with slack.

        What takes longer all the same takes the next power of SLACK as long, and from then on everything may take
        longer. Raises PaceError where that has happened more than OVERRUNS times.
        """
        began = time.thread_time()
        yield
        self._settle()
        given = self._slack * expected + FLOOR
        if time.thread_time() - began > given:
            self._overruns += 1
            if self._overruns > OVERRUNS:
                raise PaceError(f"{self._overruns} computations took longer than over made-up records")
            self._slack *= SLACK
            while time.thread_time() - began > given:
                given *= SLACK
        while time.thread_time() - began < given:
            pass

    def _settle(self) -> None:
        """Wait for what a GPU still computes."""
        if self._device == "cuda":
            import torch

            torch.cuda.synchronize()
