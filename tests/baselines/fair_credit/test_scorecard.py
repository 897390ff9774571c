import numpy as np
from sklearn.metrics import roc_auc_score

from fourfold.baselines.fair_credit.logistic import Logistic
from fourfold.baselines.fair_credit.scorecard import Scorecard
from fourfold.suite import Budget


def fitted(method, train, **parameters):
    model = method(Budget(), parameters)
    model.fit(train, Budget())
    return model


def test_bins_catch_a_risk_that_rises_at_both_ends(draw):
    train, test = draw(3000), draw(3000, seed=1)
    auc = {m: roc_auc_score(test.label, fitted(m, train).predict(test.ask(False))) for m in (Scorecard, Logistic)}
    assert auc[Scorecard] > auc[Logistic] + 0.05


def test_a_stronger_penalty_draws_all_points_together(draw):
    train, test = draw(1000), draw(1000, seed=1)
    spread = [np.std(fitted(Scorecard, train, strength=s).predict(test.ask(False))) for s in (0.1, 10.0, 1000.0)]
    assert spread[0] > spread[1] > spread[2]


def test_a_code_or_bin_not_seen_in_training_is_no_error(draw):
    train, test = draw(600), draw(50, seed=1)
    test.features[:, 4] = 3
    test.features[:, 0] = 1e9
    assert np.isfinite(fitted(Scorecard, train).predict(test.ask(False))).all()
