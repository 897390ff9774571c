"""What the suite measures of every method, whatever the task: privacy from the canaries and the ledger, and cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fourfold.suite.cell import Cell
from fourfold.suite.mechanism_checks import Notes, Verdict
from fourfold.suite.method import Mechanism
from fourfold.suite.metrics import accountant, ledger_audit, privacy
from fourfold.suite.metrics.tradeoff import tradeoff
from fourfold.suite.task import Metric, Score, Scored
from fourfold.suite.visit import Visit

RUNGS = ("none", "claimed", "accounted", "verified")
ADJACENCIES = ("add-or-remove", "zero-out")
SAMPLINGS = ("full", "poisson", "shuffle", "poisson+full", "shuffle+full", "poisson+shuffle", "poisson+shuffle+full")
UNITS = ("record", "user", "record+user")

PRIVACY = (
    Metric(
        "epsilon_claimed",
        "claimed ε",
        "privacy",
        "lower",
        "The epsilon that the author says the method keeps, for each "
        "training record, at the row's delta; empty where nothing is claimed.",
        low=0,
    ),
    Metric(
        "epsilon_accounted",
        "accounted ε",
        "privacy",
        "lower",
        "Epsilon recomputed by the suite from the ledger of mechanisms by numerical composition of privacy loss "
        "(Gopi, Lee and Wutschitz 2021), Poisson and shuffled sampling told apart.",
        low=0,
    ),
    Metric(
        "epsilon_audited",
        "audited ε ≥",
        "privacy",
        "lower",
        "An empirical lower bound on epsilon at 95 % confidence, from how well the canaries' coins are guessed "
        "(Steinke, Nasr and Jagielski 2023; white-box by the ledger's trade-off curve, Mahloujifar, Melis, Chaudhuri "
        "2025). It can refute a claim and prove none. The 95 % are of one run, and the greatest bound of many runs "
        "exceeds epsilon more often; a run refutes at 99 %.",
        low=0,
    ),
    Metric(
        "leakage_auc",
        "leakage AUC",
        "privacy",
        "lower",
        "How well the answers tell canaries that were trained on from those "
        "that were not: area under the ROC curve; 0.5 is guessing.",
        low=0,
        high=1,
    ),
    Metric(
        "tpr_at_fpr_1pct",
        "TPR at 1 % FPR",
        "privacy",
        "lower",
        "The share of trained-on canaries found when 1 % of the others are falsely accused (Carlini et al. 2022).",
        low=0,
        high=1,
    ),
    Metric(
        "tpr_at_fpr_01pct",
        "TPR at 0.1 % FPR",
        "privacy",
        "lower",
        "The same when 0.1 % are falsely accused; with fewer than 1,000 canaries out, when none is.",
        low=0,
        high=1,
    ),
    Metric(
        "epsilon_second",
        "second accountant's ε",
        "privacy",
        "lower",
        "The same ledger's epsilon by the lower of two accountants, Opacus' PRV and dp_accounting's PLD, where "
        "accounted ε is the higher; where they differ by more than 0.02, the ledger is not believed.",
        low=0,
    ),
    Metric(
        "adjacency",
        "adjacency",
        "privacy",
        "none",
        "Which neighbouring datasets the accounted epsilon is about; epsilons of different adjacency do not compare.",
        names=ADJACENCIES,
    ),
    Metric(
        "sampling",
        "sampling",
        "privacy",
        "none",
        "How records came into the batches of the ledger's mechanisms.",
        names=SAMPLINGS,
    ),
    Metric("unit", "unit", "privacy", "none", "What the guarantee is for: one record, or a user with all records of "
           "theirs.", names=UNITS),
    Metric(
        "mechanism_check",
        "mechanism checks",
        "privacy",
        "higher",
        "1 where a check of the ledger's mechanisms passed: sensitivity, noise, sampler, chain of parameters, ledger.",
        low=0,
        high=1,
        names=("failed", "passed"),
    ),
    Metric(
        "rung",
        "backing",
        "privacy",
        "higher",
        "What backs the claim: 0 none, 1 claimed, 2 accounted (ledger, and the mechanism "
        "checks passed), 3 verified (the suite drew the batches and added the noise).",
        low=0,
        high=3,
        names=RUNGS,
    ),
    Metric(
        "refuted",
        "refuted",
        "privacy",
        "lower",
        "1 where the audit, at 99 % confidence a cell, exceeds the claimed or accounted epsilon, the ledger exceeds "
        "the claim, or a mechanism check failed; such a row does not rank.",
        low=0,
        high=1,
    ),
)

COST = (
    Metric(
        "cpu_seconds",
        "CPU",
        "cost",
        "lower",
        "CPU time of fit and predict over all the guest's threads and processes, by the operating system's count, "
        "imports left out; with that of features which the suite computed for it once.",
        "s",
        low=0,
    ),
    Metric(
        "wall_seconds", "wall clock", "cost", "lower", "Elapsed time of fit and predict, imports left out.", "s", low=0
    ),
    Metric(
        "peak_memory",
        "peak memory",
        "cost",
        "lower",
        "The most resident memory the guest held, libraries included, by the operating system's count.",
        "MiB",
        low=0,
    ),
    Metric(
        "latency_per_thousand",
        "latency per 1,000",
        "cost",
        "lower",
        "Elapsed time of predict for a thousand queries.",
        "ms",
        low=0,
    ),
    Metric(
        "throughput",
        "answers a second",
        "cost",
        "higher",
        "Answers for each second of processor time that all asks but fit took: predictions, forecasts or files.",
        "1/s",
        low=0,
    ),
    Metric(
        "parameters",
        "parameters",
        "cost",
        "lower",
        "Numbers in the fitted method's state, counted in the guest: the elements "
        "of its arrays and tensors, and the numbers spelled out in its texts.",
        low=0,
    ),
    Metric(
        "energy",
        "energy",
        "cost",
        "lower",
        "Joules that the machine's processors used during fit and predict, whoever used "
        "them; empty where the machine does not tell.",
        "J",
        low=0,
    ),
)

REFUTING = 0.99
"""The confidence at which an audit refutes: five seeds then refute an honest method in 5 % of campaigns at most."""



CANARIES = 1000
"""White-box canaries: coordinates of their own, by which a curator's sums are longer."""


@dataclass(frozen=True)
class Backed:
    """What the suite found of a run's mechanisms.

    ledger: what the method wrote down by itself. notes: its curator's, or None. coins: the white-box canaries'.
    verdicts: of the mechanism checks, where the curator ran beside the method; untried: why they, or some of them,
    could not be made there. verified: it ran in a process of the suite's.
    """

    ledger: Sequence[Mechanism]
    notes: Notes | None
    coins: npt.NDArray[np.bool_]
    verdicts: Mapping[str, Verdict]
    verified: bool
    untried: str = ""

    @property
    def mechanisms(self) -> list[Mechanism]:
        """Everything that was spent."""
        return [*self.ledger, *(self.notes.ledger if self.notes else ())]

    @property
    def checked(self) -> bool:
        """All that was spent went through a curator, and every check was made and passed."""
        passed = bool(self.verdicts) and all(each.passed for each in self.verdicts.values())
        return passed and not self.ledger and not self.untried


def privacy_scores(cell: Cell, private: bool, backed: Backed, scored: Scored) -> list[Score]:
    """Claimed, accounted, audited and leaked, side by side. Raises ValueError for a ledger that is not one."""
    claimed = cell.budget.epsilon if private and np.isfinite(cell.budget.epsilon) else None
    mechanisms, delta = backed.mechanisms, cell.budget.delta
    accounted = accountant.accounted_epsilon(mechanisms, delta)
    coin, membership = scored.coin, scored.membership
    inside, contradicted = _white_box(backed, delta)
    level = REFUTING if not inside else (1 + REFUTING) / 2  # Two attacks on one claim share what both may err.
    refuting = privacy.audited_epsilon(membership, coin, delta, level).value if len(coin) else None
    agreed = accounted is not None and accounted.agrees
    rung, refuted = accountant.backing(
        claimed,
        accounted.epsilon if accounted else None,
        refuting,
        checked=agreed and backed.checked,
        verified=agreed and backed.verified and not backed.ledger,
    )
    audited = privacy.audited_epsilon(membership, coin, delta).value if len(coin) else None
    failed = not all(each.passed for each in backed.verdicts.values())
    return [
        Score("epsilon_claimed", claimed),
        Score("epsilon_accounted", accounted.epsilon if accounted else None, n=sum(m.steps for m in mechanisms)),
        *_facts(accounted),
        *_leaked("", coin, membership, audited),
        *inside,
        *(Score("mechanism_check", float(each.passed), group=name) for name, each in backed.verdicts.items()),
        Score("rung", float(RUNGS.index(rung))),
        Score("refuted", float(refuted or contradicted or failed)),
    ]


def _white_box(backed: Backed, delta: float) -> tuple[list[Score], bool]:
    """What a curator's own canaries say of its ledger, and whether they contradict it.

    They went through the very mechanisms of the ledger, so these are held to their trade-off curve.
    """
    if backed.notes is None or not len(backed.coins):
        return [], False
    coin, score, ledger = backed.coins, backed.notes.scores, backed.notes.ledger
    if not ledger:
        return _leaked("white-box", coin, score, privacy.audited_epsilon(score, coin, delta).value), False
    p = ledger_audit.ledger_p_value(score, coin, tradeoff(ledger))
    audited = ledger_audit.audited_epsilon_of_ledger(score, coin, ledger, delta)
    return _leaked("white-box", coin, score, audited), p <= (1 - REFUTING) / 2


def _facts(accounted: accountant.Accounted | None) -> list[Score]:
    """What an accounted epsilon is of: its second opinion, and for which neighbours, sampling and unit it holds."""
    if accounted is None:
        return []
    kinds = {"adjacency": ADJACENCIES, "sampling": SAMPLINGS, "unit": UNITS}
    told = [(name, names.index(getattr(accounted, name))) for name, names in kinds.items()
            if getattr(accounted, name) in names]
    return [Score("epsilon_second", accounted.second), *(Score(name, float(place)) for name, place in told)]


def _leaked(
    name: str, coin: npt.NDArray[np.bool_], membership: npt.NDArray[np.float64], audited: float | None
) -> list[Score]:
    """What one attack makes of its canaries; name: whose, empty for those among the records."""
    m, there, nothing = len(coin), int(coin.sum()), (None, None, None)
    auc = (privacy.leakage_auc(membership, coin) if m else None) or nothing
    found = {
        metric: (privacy.tpr_at_fpr(membership, coin, rate) if m else None) or nothing
        for metric, rate in (("tpr_at_fpr_1pct", 0.01), ("tpr_at_fpr_01pct", 0.001))
    }
    return [
        Score("epsilon_audited", audited, n=m, group=name),
        Score("leakage_auc", auc[0], auc[1], auc[2], m, name),
        *(Score(metric, value[0], value[1], value[2], there, name) for metric, value in found.items()),
    ]


def cost_scores(visit: Visit, queries: int, prepared: float) -> list[Score]:
    """What the guest used, a row a verb and one for all; of a visit that failed, as far as it came.

    prepared: CPU seconds that went before, into what it was given.
    """
    scores = []
    for metric, attribute in (("cpu_seconds", "cpu"), ("wall_seconds", "wall")):
        verbs = {"prepare": prepared} if prepared and attribute == "cpu" else {}
        for phase in visit.phases:
            verbs[phase.verb] = verbs.get(phase.verb, 0.0) + getattr(phase, attribute)
        scores += [Score(metric, value, group=verb, n=1) for verb, value in verbs.items()]
        scores.append(Score(metric, sum(verbs.values()), n=1))
    asking = [phase for phase in visit.phases if phase.verb != "fit"]
    asked, used = sum(phase.wall for phase in asking), sum(phase.cpu for phase in asking)
    whole = queries > 0 and visit.status == "ok"
    return [
        *scores,
        Score("peak_memory", visit.peak_memory / 2**20, n=1),
        Score("latency_per_thousand", 1e6 * asked / queries if whole else None, n=queries),
        Score("throughput", queries / used if whole and used else None, n=queries),
        Score("parameters", visit.parameters, n=int(visit.parameters is not None)),
        Score("energy", visit.energy, n=int(visit.energy is not None)),
    ]
