"""What the suite measures of every method, whatever the task: privacy from the canaries and the ledger, and cost."""

from collections.abc import Sequence

import numpy as np

from fourfold.suite.cell import Cell
from fourfold.suite.method import Mechanism
from fourfold.suite.metrics import accountant, privacy
from fourfold.suite.task import Metric, Score, Scored
from fourfold.suite.visit import Visit

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
        "(Steinke, Nasr and Jagielski 2023). It can refute a claim and prove none.",
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
        "rung",
        "backing",
        "privacy",
        "higher",
        "What backs the claim: 0 none, 1 claimed, 2 accounted (ledger, and the mechanism "
        "checks passed), 3 verified (the suite drew the batches and added the noise).",
        low=0,
        high=3,
    ),
    Metric(
        "refuted",
        "refuted",
        "privacy",
        "lower",
        "1 where the audit, at 99 % confidence a cell, exceeds the claimed or accounted epsilon, or the ledger exceeds "
        "the claim; such a row does not rank.",
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
        "CPU time of fit and predict over all the guest's threads and processes, by the "
        "operating system's count, imports left out.",
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

RUNGS = ("none", "claimed", "accounted", "verified")


def privacy_scores(cell: Cell, private: bool, ledger: Sequence[Mechanism], scored: Scored) -> list[Score]:
    """Claimed, accounted, audited and leaked, side by side. Raises ValueError for a ledger that is not one."""
    coin, membership, m = scored.coin, scored.membership, len(scored.coin)
    claimed = cell.budget.epsilon if private and np.isfinite(cell.budget.epsilon) else None
    accounted = accountant.accounted_epsilon(ledger, cell.budget.delta)
    audited, refuting = (
        privacy.audited_epsilon(membership, coin, cell.budget.delta, level).value if m else None
        for level in (0.95, REFUTING)
    )
    rung, refuted = accountant.backing(claimed, accounted.epsilon if accounted else None, refuting)
    auc = (privacy.leakage_auc(membership, coin) if m else None) or (None, None, None)
    tpr = (privacy.tpr_at_fpr(membership, coin, 0.01) if m else None) or (None, None, None)
    return [
        Score("epsilon_claimed", claimed),
        Score("epsilon_accounted", accounted.epsilon if accounted else None, n=sum(each.steps for each in ledger)),
        Score("epsilon_audited", audited, n=m),
        Score("leakage_auc", auc[0], auc[1], auc[2], m),
        Score("tpr_at_fpr_1pct", tpr[0], tpr[1], tpr[2], int(coin.sum())),
        Score("rung", float(RUNGS.index(rung))),
        Score("refuted", float(refuted)),
    ]


def cost_scores(visit: Visit, queries: int) -> list[Score]:
    """What the guest used, a row a verb and one for all; of a visit that failed, as far as it came."""
    scores = []
    for metric, attribute in (("cpu_seconds", "cpu"), ("wall_seconds", "wall")):
        verbs: dict[str, float] = {}
        for phase in visit.phases:
            verbs[phase.verb] = verbs.get(phase.verb, 0.0) + getattr(phase, attribute)
        scores += [Score(metric, value, group=verb, n=1) for verb, value in verbs.items()]
        scores.append(Score(metric, sum(verbs.values()), n=1))
    asked = sum(phase.wall for phase in visit.phases if phase.verb != "fit")
    return [
        *scores,
        Score("peak_memory", visit.peak_memory / 2**20, n=1),
        Score("latency_per_thousand", 1e6 * asked / queries if queries and visit.status == "ok" else None, n=queries),
        Score("parameters", visit.parameters, n=1),
        Score("energy", visit.energy, n=1),
    ]
