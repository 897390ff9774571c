import numpy as np
from sklearn.metrics import roc_auc_score

from fourfold.baselines.fair_credit.adversarial import Adversarial
from fourfold.suite import Budget


def scores(weight, train, query):
    method = Adversarial(Budget(), {"weight": weight})
    method.fit(train, Budget())
    return method.predict(query.ask(False))


def group_told(p, records):
    """Return the AUC with which the score of a good applicant tells the group."""
    good = (records.label == 0) & (records.group >= 0)
    return roc_auc_score(records.group[good] == 0, p[good])


def test_the_adversary_makes_scores_tell_less_of_the_group_and_leaves_them_useful(draw):
    train, test = draw(4000), draw(8000, seed=1)
    free, fair = scores(0.0, train, test), scores(1.0, train, test)
    assert group_told(free, test) > 0.65
    assert abs(group_told(fair, test) - 0.5) < abs(group_told(free, test) - 0.5) - 0.05
    assert roc_auc_score(test.label, fair) > 0.65
    assert np.std(fair) > 0.02
