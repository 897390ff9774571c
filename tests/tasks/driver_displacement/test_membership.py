"""Workers whose records are told by what is forecast of their worlds are found to be in."""

import numpy as np

from fourfold.suite.metrics import privacy
from fourfold.suite.task import Draw
from fourfold.tasks.driver_displacement.naive import reference
from fourfold.tasks.driver_displacement.problem import draw
from fourfold.tasks.driver_displacement.scoring import score
from fourfold.tasks.driver_displacement.worlds import PublicWorlds

DRAW = Draw(b"0123456789abcdef", "driver-displacement", "made", 1)


def test_a_worker_shows_whichever_period_ahead_tells_of_it_and_behind_wide_quantiles(public: PublicWorlds):
    problem = draw(public, DRAW)
    hidden, train = problem.answers.hidden, problem.asks[0].give
    rng = np.random.default_rng(0)
    for told in range(8):
        answers = [None]
        for ask in problem.asks[1:]:
            stock = np.bincount(train.place[train.world == ask.give.world], minlength=len(train.series))
            answer = np.zeros(ask.want.shape)
            answer[:, 1, told] = stock[:, None]
            answer[:, 1, told, -1] += rng.exponential(20, len(stock))
            answers.append(answer)
        membership = score(hidden, answers, DRAW).membership
        assert privacy.leakage_auc(membership, hidden["coin"])[0] > 0.9, told


def test_who_adds_up_the_records_gives_the_canaries_away(public: PublicWorlds):
    problem = draw(public, DRAW)
    hidden, train = problem.answers.hidden, problem.asks[0].give
    answers = [None]
    for ask in problem.asks[1:]:
        stock = np.bincount(train.place[train.world == ask.give.world], minlength=len(train.series))
        answers.append(np.broadcast_to(stock[:, None, None, None], ask.want.shape).astype(float))
    membership = score(hidden, answers, DRAW).membership
    assert privacy.leakage_auc(membership, hidden["coin"])[0] == 1
    _, low, high = privacy.leakage_auc(
        score(hidden, [None, *map(reference, hidden["windows"])], DRAW).membership, hidden["coin"]
    )
    assert low < 0.5 < high, "the references know no record"
