"""What a campaign shows while it runs: live in a terminal, plain lines anywhere else."""

import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from fourfold.suite import registry, schedule
from fourfold.suite.cell import Cell
from fourfold.suite.evaluate import Job, Result
from fourfold.suite.events import Event, Finished, Retried, Started

if TYPE_CHECKING:
    from rich.text import Text

MODES = ("auto", "rich", "plain", "none")
_RUNNING = 6  # Cells that the live display names.


class Progress:
    """What is done, under way and left of a campaign, kept from its events; knows no terminal.

    learned: the estimates come from the store. Where they do not, nothing is said of what is left until a cell is done.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        estimate: Callable[[Cell], float],
        learned: bool,
        slots: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total, self._clock, self._learned = len(jobs), clock, learned
        self._estimates = {job.cell.id: estimate(job.cell) for job in jobs}
        self._waiting = {job.cell.id for job in jobs}
        self._taken: list[tuple[float, float]] = []
        self._began = clock()
        self.slots = slots
        self.running: dict[str, tuple[Cell, float]] = {}
        self.statuses: Counter[str] = Counter()
        self.failures: Counter[tuple[str, str, str]] = Counter()

    def take(self, event: Event) -> None:
        """Note what happened."""
        cell = event.result.cell if isinstance(event, Finished) else event.cell
        _, began = self.running.pop(cell.id, (cell, self._clock()))
        if isinstance(event, Started):
            self._waiting.discard(cell.id)
            self.running[cell.id] = cell, self._clock()
            self.slots = max(self.slots, len(self.running))
        elif isinstance(event, Retried):
            self._waiting.add(cell.id)
        else:
            self._waiting.discard(cell.id)
            self._taken.append((self._estimates.get(cell.id, schedule.UNKNOWN), self._clock() - began))
            self.statuses[event.result.status] += 1
            if event.result.status != "ok":
                self.failures[cell.method, event.result.status, event.result.reason] += 1

    @property
    def done(self) -> int:
        """How many cells have a result."""
        return self.statuses.total()

    @property
    def elapsed(self) -> float:
        """Seconds since the campaign began."""
        return self._clock() - self._began

    def left(self) -> float | None:
        """Seconds until all is done, by the estimates and by how far off they were so far; None: too early to say."""
        if not (self._learned or self._taken):
            return None
        off, now = schedule.drift(self._taken), self._clock()
        running = [
            (off * self._estimates.get(cell, schedule.UNKNOWN), now - began)
            for cell, (_, began) in self.running.items()
        ]
        return schedule.remaining([off * self._estimates[cell] for cell in self._waiting], running, self.slots)

    def tally(self) -> str:
        """``12/60 done, 2 failed (1 timeout, 1 failed), about 3 min left``."""
        failed = {status: count for status, count in sorted(self.statuses.items()) if status != "ok"}
        said = [f"{self.done}/{self.total} done"]
        if failed:
            inside = ", ".join(f"{count} {status}" for status, count in failed.items())
            said.append(f"{sum(failed.values())} without a score ({inside})")
        left = self.left()
        if self.done < self.total:
            said.append(f"about {duration(left)} left" if left is not None else "too early to tell what is left")
        return ", ".join(said)


class Display(AbstractContextManager["Display"]):
    """Shows a campaign as it runs. The base shows nothing: mode ``none``."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def take(self, event: Event) -> None:
        """Note and show what happened."""
        self.progress.take(event)
        if isinstance(event, Finished):
            done, total = self.progress.done, self.progress.total
            left = self.progress.left() if done < total else None
            rest = f"  (about {duration(left)} left)" if left is not None else ""
            self._print(f"{done:>{len(str(total))}}/{total}  {line(event)}{rest}", failed=event.result.status != "ok")
        elif isinstance(event, Retried):
            self.show(f"again: {where(event.cell)}: {event.reason}")

    def show(self, text: str) -> None:
        """Show one line of what goes on besides, whoever said it."""
        self._print(spoken(text, 300))

    def _print(self, text: str, failed: bool = False) -> None:
        """Print one line."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        return None


class Plain(Display):
    """A line an event, and nothing but text."""

    def _print(self, text: str, failed: bool = False) -> None:
        print(text, flush=True)


class Live(Display):
    """Lines that scroll by, and beneath them what is under way."""

    def __init__(self, progress: Progress) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        super().__init__(progress)
        self._console = Console(force_terminal=True, highlight=False)
        self._live = RichLive(console=self._console, get_renderable=self._status, refresh_per_second=4, transient=True)

    def _print(self, text: str, failed: bool = False) -> None:
        from rich.text import Text

        self._console.print(Text(text, "red" if failed else ""), overflow="ellipsis", no_wrap=True)

    def _status(self) -> "Text":
        from rich.text import Text

        now = self.progress.running.copy()
        lines = [self.progress.tally()]
        lines += [f"  running: {where(cell)}" for cell, _ in list(now.values())[:_RUNNING]]
        if len(now) > _RUNNING:
            lines.append(f"  and {len(now) - _RUNNING} more")
        return Text("\n".join(lines), "dim", overflow="ellipsis", no_wrap=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._live.stop()


def display(mode: str, progress: Progress) -> Display:
    """The display of a mode; ``auto`` is live where the output is a terminal that can."""
    if mode == "auto":
        from rich.console import Console

        console = Console()
        mode = "rich" if console.is_terminal and not console.is_dumb_terminal and sys.stdout.isatty() else "plain"
    return {"rich": Live, "plain": Plain, "none": Display}[mode](progress)


def line(event: Finished) -> str:
    """One line on a finished cell: where, status, the headline's value and CPU seconds, or why there is none."""
    result = event.result
    said = [where(result.cell), result.status]
    if result.status == "ok":
        headline = registry.task(result.cell.task).headline
        value = value_of(result, headline)
        said.append(f"{headline} {'undefined' if value is None else f'{value:.4g}'}")
    else:
        said.append(spoken(result.reason, 120))
    if (cpu := value_of(result, "cpu_seconds")) is not None:
        said.append(f"{cpu:.3g} s CPU")
    if not event.written:
        said.append("another campaign was first; its result stays")
    return "  ".join(said)


def where(cell: Cell) -> str:
    """A cell as people name it."""
    epsilon = f" epsilon={cell.budget.epsilon:g}" if math.isfinite(cell.budget.epsilon) else ""
    return f"{cell.task}/{cell.dataset}  {cell.title}{epsilon}  seed {cell.seed}"


def value_of(result: Result, metric: str) -> float | None:
    """The value of a metric over all records; None where there is none."""
    return next((row["value"] for row in result.rows if row["metric"] == metric and row["group"] == ""), None)


def spoken(text: str, most: int = 1000) -> str:
    """A method's words as one line that no terminal obeys: no control characters, and not too many."""
    plain = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return plain if len(plain) <= most else plain[: most - 3] + "..."


def duration(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3.5 h``."""
    if not math.isfinite(seconds):
        return "for ever"
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def reasons(failures: Iterable[tuple[tuple[str, str, str], int]]) -> list[str]:
    """Why cells have no score, once a method and reason: ``logistic: failed (5 cells): ...``."""
    return [
        f"{method}: {status} ({count} {'cell' if count == 1 else 'cells'}): {spoken(reason, 400)}"
        for (method, status, reason), count in sorted(failures)
    ]
