"""What a task provides: problems drawn from a dataset, and their scores. Trusted code; methods never see this side."""

import hashlib
import hmac
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from fourfold.suite.datasets import Dataset
from fourfold.suite.method import Budget

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True)
class Metric:
    """What a score means, so that a board can show it without knowing the task.

    family: ``accuracy``, ``privacy``, ``fairness`` or ``cost``. better: ``higher``, ``lower``, or ``none`` where the
    value is a fact and no goal. low, high: the range it can take. doc: one sentence, with the source of the formula.
    """

    name: str
    title: str
    family: str
    better: str
    doc: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    names: tuple[str, ...] = ()
    """Where a value is one of several kinds: their names, from 0."""
    averages: bool = True
    """Whether the errors of seeds average out. They do not where noise pushes each the same way, as it widens the
    greatest of several gaps, nor where all seeds score the same records."""


@dataclass(frozen=True)
class Score:
    """One number of one cell. ``value`` is None where the metric is undefined, never 0; ``n`` counts what it rests on.

    group: the part of the records it speaks of, as ``attribute=value`` (``race=black``, ``race=black,sex=female``),
    ``black-white`` for a signed gap, empty for all. low, high: the 95 % interval. replicates: bootstrap values of a
    ranked metric; number b is drawn with the same resampling for every method of the problem, so that they pair.
    """

    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    group: str = ""
    replicates: "npt.NDArray[np.float32] | None" = None


@dataclass(frozen=True)
class Certificate:
    """What a task certifies: a gap between two groups, each outcome by itself, within a tolerance.

    metric: one whose groups are ``group,outcome``, with a rate as value and its records as n. within: the tolerance.
    seeds: how many seeds in a row rest on different records, so that their counts add up.
    """

    metric: str
    within: float
    seeds: int


@dataclass(frozen=True)
class Second:
    """A table beside that of the headline, with a ranking of its own.

    metrics: the first ranks (with replicates, as a headline), the others stand beside it. gate: a metric that is 1
    where a row may rank and 0 where it is shown only, on every seed; '' where every row may.
    """

    title: str
    metrics: tuple[str, ...]
    gate: str = ""


@dataclass(frozen=True)
class Want:
    """The answer an ask must bring: a finite float array of this shape, each value within [low, high].

    low, high: numbers, or arrays that broadcast to the shape. total: what each row of the last axis must sum to,
    within 1e-3; None: anything. counts: how many answers it counts as; None: its rows.
    """

    shape: tuple[int, ...]
    low: "float | npt.NDArray[np.float64]" = -math.inf
    high: "float | npt.NDArray[np.float64]" = math.inf
    total: float | None = None
    counts: int | None = None

    @property
    def answers(self) -> int:
        """How many answers it counts as."""
        return self.shape[0] if self.counts is None else self.counts


@dataclass(frozen=True)
class FolderWant:
    """The folder an ask must bring: at most ``most`` bytes in files; of ``answers`` files, as the cost counts them."""

    most: int
    answers: int


@dataclass(frozen=True)
class Ask:
    """One call of the method: ``verb`` is its name there, ``give`` the record of arrays it gets, ``want`` its answer.

    ``fit`` also gets the budget and answers nothing. Where a folder is wanted, ``give`` has a ``Folder``'s fields among
    its own: the method is called with the path of that folder, that of an empty one to fill, and what else was given.
    may_fail: where the method raises, or answers what is not wanted, the answer is None and the next ask follows; a
    visit fails where all such asks do.
    """

    verb: str
    give: Any
    want: Want | FolderWant | None = None
    may_fail: bool = False


@dataclass(frozen=True)
class Answers:
    """The trusted side's half of a problem: whatever ``score`` needs, the coins among it. It never leaves."""

    hidden: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Problem:
    """What one (dataset, seed) asks of a method, in order, and what the suite keeps back."""

    asks: Sequence[Ask]
    answers: Answers
    examined: "Sequence[np.ndarray]" = ()
    """What the task's examination of a model gets beside it: a row a query, and whatever else it needs."""
    members: "npt.NDArray[np.int64] | None" = None
    """(k, 2), of each canary that is in, its row among the training records and its row among the queries."""
    prepared: float = 0.0
    """CPU seconds that the suite spent to prepare what is given, such as features; they count as the method's."""


@dataclass(frozen=True)
class Scored:
    """What a task makes of a method's answers.

    scores: its accuracy and fairness. coin: (m,) bool, canary i was among the training records; membership: (m,)
    float, the higher the likelier the answers make it that it was; from these two the suite measures leakage.
    exhibits: what is to be seen of the answers, by name, each as ``exhibit.encode`` gives it.
    """

    scores: Sequence[Score]
    coin: "npt.NDArray[np.bool_]"
    membership: "npt.NDArray[np.float64]"
    exhibits: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Spent:
    """What a visit cost that ended well. start: seconds of wall clock until the method stood ready.

    cpu, wall: (asks,) seconds of processor time and of wall clock that each ask took, in their order.
    """

    start: float
    cpu: Sequence[float]
    wall: Sequence[float]


class Draw:
    """The secret randomness of one (key, task, dataset, seed): the same on every machine that holds the key."""

    def __init__(self, key: bytes, task: str, dataset: str, seed: int) -> None:
        self._secret = hmac.digest(key, json.dumps([task, dataset, seed]).encode(), hashlib.sha256)
        self._dataset_secret = hmac.digest(key, json.dumps([task, dataset]).encode(), hashlib.sha256)
        self.seed = seed

    def rng(self, purpose: str, *, every_seed: bool = False) -> "np.random.Generator":
        """A generator for one purpose; with ``every_seed`` it is the same for all seeds of the dataset (folds)."""
        import numpy as np

        secret = self._dataset_secret if every_seed else self._secret
        return np.random.default_rng(int.from_bytes(hmac.digest(secret, purpose.encode(), hashlib.sha256), "big"))

    @property
    def digest(self) -> str:
        """Names the problem without giving it away: cells of equal digest were asked the same."""
        return hmac.digest(self._secret, b"digest", hashlib.sha256).hex()[:16]


class Task(ABC):
    """A standardized task. ``version`` rises whenever its draws or scores change, and every cell with it."""

    name: ClassVar[str]
    version: ClassVar[str]
    title: ClassVar[str]
    embedded: ClassVar[str]
    """The dataset that needs no download: what ``check`` and a bare ``run`` use."""
    datasets: ClassVar[Mapping[str, Dataset]]
    metrics: ClassVar[Sequence[Metric]]
    """In the order in which a board shows them."""
    headline: ClassVar[str]
    """The metric that ranks."""
    shown: ClassVar[Sequence[str]]
    """The metrics a table shows before it is asked for more; the headline first."""
    declares: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """What a method may declare for this task as a class attribute, and its values; the first is assumed."""
    certificate: ClassVar[Certificate | None] = None
    """What a board certifies of a method over all its seeds together, if anything."""
    second: ClassVar[Second | None] = None
    """What else the task ranks by, in a table of its own, if anything."""
    unranked: ClassVar[frozenset[str]] = frozenset()
    """Datasets too small to separate methods: scored and shown, never ranked."""
    fixed: ClassVar[frozenset[str]] = frozenset()
    """Datasets of which every seed scores the same records: more seeds tell no more of other records."""
    epsilons: ClassVar[Sequence[float]] = (1.0, 3.0, 8.0)
    """The budgets at which a method that claims privacy is run, unless others are asked for; the others run at none."""
    examine: ClassVar[str] = ""
    """``module:function`` that examines a model a method hands over, if one does: called with its graph, its parameters
    and ``Problem.examined`` in a confined process of the suite's, it returns arrays for ``examined``."""

    @abstractmethod
    def load(self, dataset: str, cache: Path) -> Any:
        """Read a dataset whole, once a worker; what it returns is plain arrays and travels between nodes."""

    @abstractmethod
    def draw(self, data: Any, draw: Draw, declared: Mapping[str, str], *, small: bool = False) -> Problem:
        """Make the problem of one draw; ``small`` is a quick one for ``check``."""

    @abstractmethod
    def score(
        self,
        problem: Problem,
        answers: "Sequence[np.ndarray | None]",
        declared: Mapping[str, str],
        budget: Budget,
        draw: Draw,
    ) -> Scored:
        """Compute accuracy, fairness and the canaries' membership scores from the answers, one an ask.

        Pure: equal input, equal output. Its random numbers, if any, come from ``draw``.
        """

    def examined(
        self, problem: Problem, found: Mapping[str, Any], answers: "Sequence[np.ndarray | None]"
    ) -> Sequence[Score]:
        """Scores from what ``examine`` found of the model, where it answers as the method did, one answer an ask."""
        return ()

    def costs(self, problem: Problem, spent: Spent) -> Sequence[Score]:
        """What it cost by the task's own measure of how much was asked, beside what the suite tells of every cell."""
        return ()
