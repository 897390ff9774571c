import math

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.special import expit
from scipy.stats import binom

from fourfold.suite.method import Ledger
from fourfold.suite.metrics.accountant import gaussian_mu, noise_multiplier
from fourfold.suite.metrics.ledger_audit import audited_epsilon_of_ledger, ledger_p_value, tail_is_excluded
from fourfold.suite.metrics.privacy import audited_epsilon
from fourfold.suite.metrics.tradeoff import tradeoff

DELTA = 1e-5
RATE, STEPS = 4096 / 60000, 560


def ledger(*entries):
    book = Ledger()
    for name, *arguments in entries:
        getattr(book, name)(*arguments)
    return book.mechanisms


def gaussian_ledger(epsilon):
    return ledger(("gaussian", 1 / gaussian_mu(epsilon, DELTA)))


def gaussian_canaries(rng, m, epsilon):
    """Each canary in a coordinate of its own, its coin released with Gaussian noise."""
    coin = rng.random(m) < 0.5
    return coin + (0 if math.isinf(epsilon) else rng.standard_normal(m) / gaussian_mu(epsilon, DELTA)), coin


def white_box_canaries(rng, m, noise, rate=RATE, steps=STEPS):
    """Dummy coordinates in a training step: canary j, if in, gives C e_j at each step that draws it, and the noise of
    every step is added; its score is the sum of what the steps released in coordinate j, over C.
    """
    coin = rng.random(m) < 0.5
    drawn = np.where(coin, rng.binomial(steps, rate, m), 0)
    return drawn + noise * math.sqrt(steps) * rng.standard_normal(m), coin


def randomized_response(rng, m, epsilon):
    coin = rng.random(m) < 0.5
    return (coin ^ (rng.random(m) > expit(epsilon))).astype(float), coin


def laplace_canaries(rng, m, scale):
    coin = rng.random(m) < 0.5
    return coin + rng.laplace(0, scale, m), coin


def all_or_nothing(rng, m, delta):
    """As dependent as canaries can be: all are given away together, with probability delta, or nothing is."""
    coin = rng.random(m) < 0.5
    return coin.astype(float) if rng.random() < delta else rng.random(m), coin


@pytest.fixture(scope="module")
def trained():
    """A ledger of epsilon 3 as one trains with, its noise, and its curve."""
    pytest.importorskip("opacus")
    pytest.importorskip("dp_accounting")
    noise = noise_multiplier(3.0, DELTA, RATE, STEPS)
    mechanisms = ledger(("subsampled_gaussian", noise, RATE, STEPS))
    return mechanisms, noise, tradeoff(mechanisms)


# --- the theorem ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("guesses", "correct"), [(20, 17), (40, 25), (60, 60), (10, 1)])
@pytest.mark.parametrize("mechanisms", [gaussian_ledger(1.0), gaussian_ledger(6.0), ledger(("laplace", 0.5))])
def test_recursion_finds_the_most_that_the_constraints_allow(mechanisms, guesses, correct):
    """The largest tail of any distribution of right guesses, by linear programming with the curve's tangents."""
    canaries, curve = 100, tradeoff(mechanisms)
    hits = np.arange(guesses + 1)
    rows, limits = [], []
    rates = np.linspace(0, 1, 2001)
    values = np.array([curve(rate) for rate in rates])
    slopes = np.diff(values) / np.diff(rates)
    for least in range(1, guesses + 1):
        right = np.where(hits >= least, hits, 0) / canaries
        wrong = np.where(hits >= least - 1, guesses - hits, 0) / canaries
        for slope, rate, value in list(zip(slopes, rates, values, strict=False))[::40]:
            rows.append(slope * right - wrong)  # wrong >= value + slope (right - rate)
            limits.append(slope * rate - value)
    most = linprog(-(hits >= correct).astype(float), rows, limits, np.ones((1, guesses + 1)), [1], bounds=(0, 1))
    assert tail_is_excluded(min(1, -most.fun + 0.02), curve, canaries, guesses, correct) or -most.fun > 0.98
    assert not tail_is_excluded(-most.fun * 0.97 - 0.01, curve, canaries, guesses, correct)


def test_no_mechanism_at_all_excludes_nothing_by_chance_alone():
    """With no privacy promised, nothing that is seen is a surprise."""
    coin = np.arange(1000) % 2 == 0
    assert ledger_p_value(coin.astype(float), coin, tradeoff(ledger(("gaussian", 1e-2)))) == 1


# --- it holds its level -----------------------------------------------------------------------------------------------

RUNS = 200


@pytest.mark.parametrize(
    ("mechanism", "mechanisms"),
    [
        (lambda rng: gaussian_canaries(rng, 500, 1.0), gaussian_ledger(1.0)),
        (lambda rng: gaussian_canaries(rng, 500, 8.0), gaussian_ledger(8.0)),
        (lambda rng: randomized_response(rng, 300, 1.0), ledger(("laplace", 1.0))),
        (lambda rng: randomized_response(rng, 300, 4.0), ledger(("laplace", 0.25))),
        (lambda rng: laplace_canaries(rng, 300, 1.0), ledger(("laplace", 1.0))),
        (lambda rng: (rng.standard_normal(300), rng.random(300) < 0.5), gaussian_ledger(0.1)),
    ],
    ids=["gaussian-1", "gaussian-8", "response-1", "response-4", "laplace", "nothing"],
)
def test_honest_ledger_is_seldom_refuted(mechanism, mechanisms):
    rng, curve = np.random.default_rng(0), tradeoff(mechanisms)
    refuted = sum(ledger_p_value(*mechanism(rng), curve) <= 0.05 for _ in range(RUNS))
    assert refuted <= binom.ppf(0.999, RUNS, 0.05)


@pytest.mark.parametrize("delta", [0.03, 0.2])
def test_canaries_that_are_given_away_together_are_allowed_for(delta):
    """(0, delta)-DP: the run is refuted where all is given away and delta is below the level, and nowhere else."""
    rng = np.random.default_rng(7)
    p_values = [ledger_p_value(*all_or_nothing(rng, 300, delta), lambda y: max(0.0, y - delta)) for _ in range(RUNS)]
    assert min(p_values) >= delta
    assert sum(p <= 0.05 for p in p_values) <= binom.ppf(0.999, RUNS, min(delta, 0.05))


def test_honest_training_is_seldom_refuted(trained):
    _, noise, curve = trained
    rng = np.random.default_rng(1)
    for m in (200, 1000):
        refuted = sum(ledger_p_value(*white_box_canaries(rng, m, noise), curve) <= 0.05 for _ in range(RUNS))
        assert refuted <= binom.ppf(0.999, RUNS, 0.05)


def test_another_mechanism_of_the_same_epsilon_is_not_what_the_test_is_for():
    """Randomized response at exactly epsilon 3 lies outside the curve of the Gaussian of epsilon 3: say whose it is."""
    rng = np.random.default_rng(2)
    canaries = randomized_response(rng, 1000, 3.0)
    assert ledger_p_value(*canaries, tradeoff(gaussian_ledger(3.0))) < 0.01
    assert ledger_p_value(*canaries, tradeoff(ledger(("laplace", 1 / 3.0)))) > 0.05


# --- what it finds ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("m", "epsilon", "gain"),
    [(500, 3, 0.3), (500, 8, 1.0), (1000, 3, 0.3), (1000, 8, 1.0), (2000, 3, 0.3), (2000, 8, 1.0), (2000, 16, 2.0)],
)
def test_own_curve_finds_more_than_one_pair_of_epsilon_and_delta(m, epsilon, gain):
    rng = np.random.default_rng(3)
    runs = [gaussian_canaries(rng, m, epsilon) for _ in range(20)]
    one_pair = np.mean([audited_epsilon(*run, DELTA).value for run in runs])
    own_curve = [audited_epsilon_of_ledger(*run, gaussian_ledger(3.0), DELTA) for run in runs]
    assert np.mean(own_curve) > one_pair + gain
    assert np.mean(np.array(own_curve) > epsilon) <= 0.2  # one in twenty is the level


def test_training_with_less_noise_than_its_ledger_says_is_refuted(trained):
    mechanisms, noise, curve = trained
    rng = np.random.default_rng(4)
    for factor in (0.0, 0.25):
        assert ledger_p_value(*white_box_canaries(rng, 1000, noise * factor), curve) < 1e-3
    assert audited_epsilon_of_ledger(*white_box_canaries(rng, 1000, noise / 4), mechanisms, DELTA) > 4
    assert audited_epsilon(*white_box_canaries(rng, 1000, 0.0), DELTA, 0.99).value > 3


def test_honest_training_is_shown_a_bound_below_its_epsilon(trained):
    mechanisms, noise, _ = trained
    rng = np.random.default_rng(5)
    runs = [white_box_canaries(rng, 1000, noise) for _ in range(2)]
    bounds = [audited_epsilon_of_ledger(*run, mechanisms, DELTA) for run in runs]
    assert max(bounds) < 3
    assert np.mean(bounds) > np.mean([audited_epsilon(*run, DELTA).value for run in runs])


def test_one_pair_of_epsilon_and_delta_seldom_refutes_honest_training(trained):
    _, noise, _ = trained
    rng = np.random.default_rng(6)
    refuted = sum(audited_epsilon(*white_box_canaries(rng, 1000, noise), DELTA).value > 3 for _ in range(RUNS))
    assert refuted <= binom.ppf(0.999, RUNS, 0.05)


# --- hard inputs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("m", [0, 1, 2, 4])
def test_few_canaries_refute_nothing(m):
    coin = np.arange(m) % 2 == 0
    assert ledger_p_value(coin.astype(float), coin, tradeoff(gaussian_ledger(1.0))) > 0.05
    assert audited_epsilon_of_ledger(coin.astype(float), coin, gaussian_ledger(1.0), DELTA) == 0


def test_ledger_of_another_kind_gets_no_bound_from_the_gaussian_family():
    coin = np.arange(1000) % 2 == 0
    assert audited_epsilon_of_ledger(coin.astype(float), coin, ledger(("laplace", 1.0)), DELTA) == 0


def test_what_is_no_canary_is_refused():
    with pytest.raises(ValueError, match="score is NaN for 1 of 2"):
        ledger_p_value([0.1, math.nan], [True, False], tradeoff(gaussian_ledger(1.0)))
    with pytest.raises(ValueError, match="array of bool"):
        audited_epsilon_of_ledger([0.1, 0.2], [1, 0], gaussian_ledger(1.0), DELTA)
