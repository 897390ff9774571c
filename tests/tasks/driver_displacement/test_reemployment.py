from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize

from fourfold.tasks.driver_displacement import reemployment
from fourfold.tasks.driver_displacement.reemployment import COURSE, DISCOUNT, SHAPE, WEEKS, Person


def people(m: int, *, occupation: int = 0, age: float = 45, wage: float = 44_000, unemployment: float = 5) -> Person:
    def full(value: float) -> np.ndarray:
        return np.full(m, value, np.float32)

    return Person(np.full(m, occupation), full(age), full(wage), full(unemployment))


@pytest.fixture(scope="module")
def mccall(cache: Path) -> pd.DataFrame:
    frame = pd.read_csv(cache / "driver/mccall_unempdur_displaced.csv")
    return frame.assign(found=frame[["censor1", "censor2", "censor3"]].any(axis=1), insured=frame["ui"] == "yes")


@pytest.mark.data
def test_search_is_mccalls_by_maximum_likelihood(mccall):
    """A Weibull law of spells known to two weeks, refitted to the survey: the coefficients are those of the module."""
    wage = mccall["logwage"] - mccall["logwage"].mean()
    columns = [np.ones(len(mccall)), (mccall["age"] - 40) / 10, mccall["insured"], wage]
    x, end = np.column_stack(columns).astype(float), 2.0 * mccall["spell"].to_numpy()

    @np.errstate(all="ignore")  # The search passes through parameters at which no spell is possible.
    def loss(theta: np.ndarray) -> float:
        hazard = [(w / np.exp(x @ theta[1:])) ** np.exp(theta[0]) for w in (end - 2, end)]
        survived = np.exp(-np.array(hazard))
        return -np.log(np.where(mccall["found"], survived[0] - survived[1], survived[1])).sum()

    fitted = minimize(loss, [0.0, 3.0, 0.0, 0.0, 0.0], method="Nelder-Mead", options={"maxfev": 4000, "xatol": 1e-4}).x
    ours = [reemployment._LOG_SCALE, reemployment._BY_DECADE, reemployment._BY_INSURED, reemployment._BY_LOG_WAGE]
    assert np.exp(fitted[0]) == pytest.approx(SHAPE, abs=0.002)
    assert ours == pytest.approx(fitted[1:], abs=0.003)


@pytest.mark.data
def test_as_many_are_without_work_as_in_mccalls_survey(mccall):
    """Kaplan and Meier's survivors against the hazard of the module, for the same workers."""
    wage = np.exp(mccall["logwage"] - mccall["logwage"].mean() + reemployment._MEAN_LOG_WAGE)
    age, unemployment = mccall["age"].to_numpy(np.float32), np.full(len(mccall), 7.5, np.float32)
    person = Person(np.zeros(len(mccall), int), age, wage.to_numpy(np.float32), unemployment)
    scale = reemployment.search_scale(person, mccall["insured"].to_numpy())
    left = 1.0
    for period in range(1, 27):
        left *= 1 - (mccall["found"] & (mccall["spell"] == period)).sum() / (mccall["spell"] >= period).sum()
        assert np.exp(-((2 * period / scale) ** SHAPE)).mean() == pytest.approx(left, abs=0.05), 2 * period


@pytest.mark.parametrize(("unemployment", "years"), [(4.8, 1.4), (8.5, 2.8)])
def test_a_lost_job_costs_what_davis_and_von_wachter_found(unemployment, years):
    person = people(200_000, age=44, unemployment=unemployment)
    untrained = reemployment.outcomes(np.random.default_rng(0), person).earnings[0]
    never_displaced = (1 - np.exp(-DISCOUNT * 20)) / DISCOUNT
    assert never_displaced - untrained.mean() / 44_000 == pytest.approx(years, abs=0.2)


def test_a_lost_job_costs_truck_drivers_near_what_groshen_found():
    """Some $80,000 over the 16 working years they have left, a sum quoted as about."""
    person = people(200_000, age=51, unemployment=6)
    untrained = reemployment.outcomes(np.random.default_rng(0), person).earnings[0]
    full = 44_000 * (1 - np.exp(-DISCOUNT * 16)) / DISCOUNT
    assert 60_000 < full - untrained.mean() < 100_000


def test_earnings_are_the_integral_of_what_is_earned():
    cases = ((30, 10.0, 0.2, 0.1), (60, 80.0, 0.4, 0.2), (45, 0.5, 0.0, 0.05), (66, 500.0, 0.1, 0.1))
    for age, weeks, scar, gain in cases:
        person, end = people(1, age=age), max(min(67 - age, 20), 1)
        single = (np.array([value], np.float32) for value in (weeks, scar, gain))
        found, healing, adding = single
        start = min(weeks / WEEKS, end)

        def paid(t: float, scar: float = scar) -> float:
            return 44_000 * (1 - scar * np.exp(-t / 15)) * np.exp(-DISCOUNT * t)

        def more(t: float, gain: float = gain) -> float:
            return 44_000 * gain * max(1 - (t - COURSE) / 10, 0) * np.exp(-DISCOUNT * t)

        expected = quad(paid, start, end)[0]
        assert reemployment.earnings(person, found, healing)[0] == pytest.approx(expected, rel=1e-4, abs=1)
        last = min(end, COURSE + 10)
        expected = quad(more, min(max(start, COURSE), last), last)[0]
        assert reemployment.added(person, found, adding)[0] == pytest.approx(expected, rel=1e-3, abs=1)


def test_training_locks_in_then_speeds_up():
    hazard, scale = np.array([0.05, 2.0, 2.0], np.float32), np.full(3, 30.0, np.float32)
    without = reemployment.weeks_untrained(hazard, scale)
    trained = reemployment.weeks_trained(hazard, scale, np.array([True, True, False]))

    assert (without / scale) ** SHAPE == pytest.approx(hazard, rel=1e-4)
    assert trained[0] == pytest.approx(without[0] / reemployment._LOCK_IN ** (1 / SHAPE), rel=1e-4)
    by_end = (13 / 30) ** SHAPE
    reached = reemployment._LOCK_IN * by_end + reemployment._SEARCH * ((trained[1] / 30) ** SHAPE - by_end)
    assert reached == pytest.approx(2.0, rel=1e-4)
    assert trained[1] < without[1] < trained[2]


def test_both_arms_share_their_luck():
    person = people(50_000)
    outcome = reemployment.outcomes(np.random.default_rng(1), person)
    assert np.corrcoef(outcome.weeks)[0, 1] > 0.95
    difference = outcome.earnings[1] - outcome.earnings[0]
    assert difference.std() < 0.6 * outcome.earnings[0].std()


def gain(**about: float) -> float:
    outcome = reemployment.outcomes(np.random.default_rng(2), people(100_000, **about))
    return float((outcome.earnings[1] - outcome.earnings[0]).mean() - reemployment.COST)


def test_it_matters_who_is_trained():
    assert gain(age=28) > gain(age=45) > 0 > gain(age=62)
    assert gain(unemployment=8) > gain(unemployment=5) > gain(unemployment=3)
    assert gain(occupation=2) > gain(occupation=1) > gain(occupation=0)


def test_the_gain_lies_between_the_published_ones():
    """Several hundred dollars a quarter (Heinrich et al. 2013) and $10,000 a year (Hyman 2018), in the first years."""
    person = people(100_000, unemployment=5)
    outcome = reemployment.outcomes(np.random.default_rng(3), person)
    after_five = float((outcome.kept[1] - outcome.kept[0]).mean()) * 44_000
    assert 4 * 200 < after_five < 5_000


def test_insurance_is_paid_for_26_weeks_at_most():
    outcome = reemployment.outcomes(np.random.default_rng(4), people(50_000))
    paid = outcome.unemployment_insurance
    assert paid.max() == pytest.approx(26 * min(0.44 * 44_000 / WEEKS, 480), rel=1e-4)
    assert (paid[0] > 0).mean() == pytest.approx(0.68, abs=0.01)
    assert (paid[1] >= paid[0] - 1e-3).mean() > 0.5  # Search is locked in, so that more is drawn.


def test_who_has_no_work_after_five_years_has_kept_nothing():
    weeks, scar = np.array([10.0, 300.0], np.float32), np.array([0.2, 0.2], np.float32)
    assert reemployment.kept(weeks, scar) == pytest.approx([1 - 0.2 * np.exp(-5 / 15), 0], rel=1e-5)
