"""What an author subclasses. This file runs beside the method, in the guest, and imports the standard library alone."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from fourfold.suite.curator import Curator

Value = bool | int | float | str


@dataclass(frozen=True)
class Budget:
    """What a method may spend on one cell; handed to ``fit``.

    epsilon, delta: the differential-privacy guarantee it must keep for each training record (``inf``: none asked).
    fairness_tolerance: the largest equalized-odds difference at which a decision still counts as fair, in [0, 1].
    time_limit: wall-clock seconds from the first record given to the last answer taken.
    memory_limit: bytes of resident memory.
    device: ``cpu`` or ``cuda``.
    cpus: threads it may use; the numerical libraries are already pinned to this many.
    seed: for the method's own random numbers; it says nothing about the suite's.
    """

    epsilon: float = math.inf
    delta: float = 1e-5
    fairness_tolerance: float = 0.05
    time_limit: float = 3600.0
    memory_limit: int = 4 << 30
    device: str = "cpu"
    cpus: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class Mechanism:
    """One entry of the ledger: ``steps`` runs of a mechanism with noise of ``noise_multiplier`` times its sensitivity.

    kind: ``gaussian`` or ``laplace``. sample_rate: the probability with which a record enters a step.
    sampling: ``poisson`` (each record by its own coin), ``shuffle`` (fixed batches, each record once an epoch; a step
    is then an epoch, and nothing is gained by sampling) or ``full`` (every record, every step). unit: what one sampled
    thing is, and so what the guarantee is for: a ``record``, or a ``user`` with all records of theirs.
    """

    kind: str
    noise_multiplier: float
    sample_rate: float = 1.0
    steps: int = 1
    sampling: str = "full"
    unit: str = "record"


class Ledger:
    """The mechanisms a method says it ran. The suite recomputes epsilon from them; it believes no total."""

    def __init__(self) -> None:
        self.mechanisms: list[Mechanism] = []

    def subsampled_gaussian(self, noise_multiplier: float, sample_rate: float, steps: int) -> None:
        """Gaussian noise on sums over Poisson-sampled batches (DP-SGD, Abadi et al. 2016)."""
        self.mechanisms.append(Mechanism("gaussian", noise_multiplier, sample_rate, steps, "poisson"))

    def shuffled_gaussian(self, noise_multiplier: float, epochs: int) -> None:
        """Gaussian noise on sums over shuffled fixed batches: one un-amplified release an epoch."""
        self.mechanisms.append(Mechanism("gaussian", noise_multiplier, 1.0, epochs, "shuffle"))

    def gaussian(self, noise_multiplier: float, steps: int = 1) -> None:
        """Gaussian noise on a function of all records; ``noise_multiplier`` is sigma over its L2 sensitivity."""
        self.mechanisms.append(Mechanism("gaussian", noise_multiplier, 1.0, steps))

    def laplace(self, noise_multiplier: float, steps: int = 1) -> None:
        """Laplace noise on a function of all records; ``noise_multiplier`` is the scale over its L1 sensitivity."""
        self.mechanisms.append(Mechanism("laplace", noise_multiplier, 1.0, steps))


class Method:
    """A submission: a subclass with ``fit``, ``predict`` and a docstring, which appears on the board.

    Annotated class attributes are parameters (``strength: float = 1.0``), set on the command line as
    ``name[strength=0.1]``; their defaults are literals, so that a method can be described without running it.
    The plain attributes below are its declarations. What else a task lets a method declare, the task says.

    One that learns by torch may write ``model(self)`` too, which hands over what was learnt: a function
    ``f(parameters, *query)`` of one query, and its parameters, a dict of tensors. The suite runs it as a graph: to
    attack, weigh and quantize it, and where ``access = "curator"`` to answer the queries in place of ``predict``.
    """

    task: ClassVar[str]
    """The task it solves, such as ``fair-credit``."""
    version: ClassVar[str] = "0"
    author: ClassVar[str] = ""
    licence: ClassVar[str] = ""
    private: ClassVar[bool] = False
    """True: it keeps ``budget.epsilon``, and claims so. It is then run at each epsilon asked for; others at none."""
    requirements: ClassVar[tuple[str, ...]] = ()
    """Packages it needs beyond fourfold's own environment, as pip writes them; each set gets an environment."""
    cpus: ClassVar[float] = 1
    gpus: ClassVar[float] = 0
    memory: ClassVar[float] = 4
    """Resident memory it may use, in GiB."""

    def __init__(self, budget: Budget, parameters: dict[str, Value] | None = None) -> None:
        self.budget = budget
        self.ledger = Ledger()
        for name, value in (parameters or {}).items():
            setattr(self, name, value)
        self._curate: Callable[..., Curator] | None = None

    def curator(self, train: Any, unit: Any = None) -> "Curator":
        """The suite's sampler and noise over the private records of ``train``; see ``fourfold.suite.curator``.

        A method that touches its records through it alone can reach the rung ``accounted``; one that declares
        ``access = "curator"``, to which the records are never given, the rung ``verified``. unit: (n,) whole numbers,
        the user each record belongs to, where it is users that are to be kept private.
        """
        if self._curate is None:
            raise RuntimeError("the suite gives a curator to a method that it runs; run it by fourfold check or run")
        return self._curate(train, unit)

    def fit(self, train: Any, budget: Budget) -> None:
        """Learn from the training records, within the budget."""
        raise NotImplementedError(f"{type(self).__name__} has no fit(train, budget)")

    def predict(self, query: Any) -> Any:
        """Answer the queries, in their order, as an array."""
        raise NotImplementedError(f"{type(self).__name__} has no predict(query)")
