import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.tasks.fair_credit.data import Attribute, CreditData
from fourfold.tasks.fair_credit.simulated import load, simulate

COST_CUT = 1 / 6  # approve where a default, five times as dear as a lost good loan, is less likely than this


@pytest.fixture(scope="module")
def embedded() -> CreditData:
    return load()


def out_of_fold(model: object, features: np.ndarray, label: np.ndarray) -> np.ndarray:
    from sklearn.model_selection import cross_val_predict

    return cross_val_predict(model, features, label, cv=3, method="predict_proba")[:, 1]


def logistic() -> object:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression())


def equalized_odds(data: CreditData, default: np.ndarray) -> float:
    from fairlearn.metrics import equalized_odds_difference

    return equalized_odds_difference(
        1 - data.label, default < COST_CUT, sensitive_features=data.groups["group"].code, agg="worst_case"
    )


def test_default_rates_stand_to_each_other_as_published(embedded):
    group, sex = embedded.groups["group"], embedded.groups["sex"]
    rate = {v: embedded.label[group.code == i].mean() for i, v in enumerate(group.values)}
    rate |= {v: embedded.label[sex.code == i].mean() for i, v in enumerate(sex.values)}

    assert embedded.label.shape == (40_000,)
    assert embedded.label.mean() == pytest.approx(0.15, abs=0.01)
    assert (group.code == 1).mean() == pytest.approx(0.28, abs=0.01)
    assert rate["B"] / rate["A"] == pytest.approx(21.7 / 9.2, abs=0.25)  # HMDA 2018, black and white
    assert rate["male"] / rate["female"] == pytest.approx(24.2 / 20.8, abs=0.08)  # Taiwan


@pytest.mark.filterwarnings("ignore:Bins whose width")  # a count has fewer values than bins
def test_trees_beat_a_scorecard_beats_a_line_and_all_are_unfair(embedded):
    lightgbm = pytest.importorskip("lightgbm")
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import KBinsDiscretizer

    bins = KBinsDiscretizer(10, encode="onehot", quantile_method="averaged_inverted_cdf")
    trees = lightgbm.LGBMClassifier(n_estimators=80, learning_rate=0.05, num_leaves=15, verbose=-1, n_jobs=1)
    default = [out_of_fold(model, embedded.features, embedded.label)
               for model in (logistic(), make_pipeline(bins, LogisticRegression(C=0.3, max_iter=300)), trees)]
    line, card, boosted = (roc_auc_score(embedded.label, p) for p in default)

    assert 0.75 < line < card - 0.005 < boosted - 0.01 < 0.80
    assert 0.08 < equalized_odds(embedded, default[2]) < 0.20
    betrayed = roc_auc_score(embedded.groups["group"].code,
                             out_of_fold(trees, embedded.features, embedded.groups["group"].code))
    assert betrayed == pytest.approx(0.70, abs=0.03)


def test_without_bias_and_proxies_the_group_changes_nothing():
    data = simulate(np.random.default_rng(3), 60_000, bias=0, proxy=0)

    assert np.array_equal(data.counterfactual, data.features)
    assert equalized_odds(data, out_of_fold(logistic(), data.features, data.label)) < 0.04


def test_the_gap_grows_with_bias():
    gaps = []
    for bias in (0.0, 0.5, 1.0, 1.5):
        data = simulate(np.random.default_rng(5), 40_000, bias=bias)
        gaps.append(equalized_odds(data, out_of_fold(logistic(), data.features, data.label)))

    assert gaps == sorted(gaps)
    assert gaps[-1] - gaps[0] > 0.1


def test_a_proxy_betrays_the_group_and_explains_no_default():
    plain, betraying = (simulate(np.random.default_rng(5), 20_000, proxy=proxy) for proxy in (0.0, 2.0))
    proxies = [plain.columns.index(name) for name in ("area_index", "address_years")]
    others = [i for i in range(len(plain.columns)) if i not in proxies]

    assert np.array_equal(plain.label, betraying.label)
    assert np.array_equal(plain.features[:, others], betraying.features[:, others])
    assert np.array_equal(plain.counterfactual[:, proxies], plain.features[:, proxies])
    minority = betraying.groups["group"].code == 1
    assert (betraying.features[minority][:, proxies] <= betraying.counterfactual[minority][:, proxies]).all()
    assert (betraying.features[minority][:, proxies] < betraying.counterfactual[minority][:, proxies]).mean() > 0.9


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.floats(0, 2), st.floats(0, 2))
def test_a_counterfactual_keeps_the_person(seed, bias, proxy):
    data = simulate(np.random.default_rng(seed), 300, bias=bias, proxy=proxy)
    column = {name: i for i, name in enumerate(data.columns)}
    minority = data.groups["group"].code == 1
    change = data.counterfactual - data.features

    for untouched in ("inquiries", "employment_years", "loan_term"):
        assert not change[:, column[untouched]].any()
    for harmed in ("income", "savings_months", "history_years"):
        assert (change[minority, column[harmed]] >= 0).all()
        assert (change[~minority, column[harmed]] <= 0).all()


def test_the_same_generator_draws_the_same_people(embedded):
    again = load()
    assert np.array_equal(again.features, embedded.features)
    assert np.array_equal(again.label, embedded.label)
    other = simulate(np.random.default_rng(1), 20_000)
    assert not np.array_equal(other.features, embedded.features)


def test_it_travels_between_nodes_as_plain_arrays(embedded):
    there = pickle.loads(pickle.dumps(embedded))
    assert np.array_equal(there.features, embedded.features)
    assert there.groups["group"].values == ("A", "B")


@pytest.mark.parametrize("broken", ["nan", "bounds", "label", "code", "protected", "compared", "columns"])
def test_a_dataset_that_breaks_a_promise_is_refused(broken):
    good = {
        "name": "loans", "features": np.array([[0.5], [1.0]]), "columns": ("income",), "bounds": np.array([[0.0, 1.0]]),
        "label": np.array([0, 1], np.int8), "groups": {"sex": Attribute("sex", ("male", "female"), np.array([0, -1]))},
        "protected": "sex", "compared": ("female", "male"),
    }
    CreditData(**good)
    bad = {
        "nan": {"features": np.array([[0.5], [np.nan]])}, "bounds": {"features": np.array([[0.5], [1.5]])},
        "label": {"label": np.array([1, 2], np.int8)}, "protected": {"protected": "race"},
        "code": {"groups": {"sex": Attribute("sex", ("male", "female"), np.array([0, 2]))}},
        "compared": {"compared": ("female", "other")}, "columns": {"columns": ("income", "age")},
    }[broken]
    with pytest.raises(ValueError, match="loans"):
        CreditData(**(good | bad))
