"""What a curator gives out, what it refuses, and what it writes into its ledger."""

import math
import pickle

import numpy as np
import pytest
from scipy import stats

from fourfold.suite import boundary, custodian, model
from fourfold.suite.evidence import Secret
from fourfold.suite.method import Budget, Mechanism
from fourfold.suite.metrics.accountant import accounted_epsilon

torch = pytest.importorskip("torch")
pytest.importorskip("opacus")

from fourfold.suite.curator import Curator, CuratorError  # noqa: E402

N, D = 200, 3
FREE = Budget(epsilon=math.inf)


def records(n: int = N) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    features = rng.normal(size=(n, D)).astype(np.float32)
    return [features, (features[:, 0] > 0).astype(np.int64)]


def curator(budget: Budget = FREE, seed: int = 1, canaries: int = 0, **given: object) -> Curator:
    return Curator(records(), budget, Secret(seed, np.random.default_rng(2).random(canaries) < 0.5), **given)


def loss(parameters, features, label):
    return torch.nn.functional.binary_cross_entropy_with_logits(features @ parameters["w"], label.float())


def weights():
    return {"w": torch.linspace(-1, 1, D)}


def test_without_noise_and_with_every_record_it_is_the_clipped_sum():
    held = curator()
    held.open(sample_rate=1.0, noise_multiplier=0.0, clip=0.3, steps=1, loss=loss, parameters=weights())
    given = held.noisy_sum(weights())["w"].numpy()
    features, label = records()
    slope = 1 / (1 + np.exp(-features @ weights()["w"].numpy())) - label
    each = slope[:, None] * features
    each *= np.minimum(1, 0.3 / np.linalg.norm(each, axis=1, keepdims=True))
    np.testing.assert_allclose(given, each.sum(axis=0), rtol=1e-4)


def test_each_unit_is_drawn_by_a_coin_of_its_own():
    held = curator()
    held.open(sample_rate=0.3, noise_multiplier=0.0, clip=1.0, steps=2000)
    drawn = np.zeros((2000, N), bool)
    for step in range(2000):
        drawn[step, held.draw()] = True
        held.release(torch.zeros(1))
    p = [stats.binomtest(int(each), 2000, 0.3).pvalue for each in drawn.sum(axis=0)]
    assert stats.kstest(p, "uniform").pvalue > 1e-4
    assert drawn.sum(axis=1).var() == pytest.approx(N * 0.3 * 0.7, rel=0.15)
    assert abs(np.corrcoef(drawn[:, 0], drawn[:, 1])[0, 1]) < 0.1


@pytest.mark.parametrize("form", ["tensor", "list", "mapping"])
def test_a_release_has_the_planned_noise_in_the_form_of_the_sum(form):
    held = curator(Budget(epsilon=8.0), canaries=50)
    held.open(sample_rate=0.1, noise_multiplier=2.0, clip=0.5, steps=3)
    total = {"tensor": torch.zeros(20_000), "list": [torch.zeros(100, 100), torch.zeros(10_000)],
             "mapping": {"a": torch.zeros(20_000)}}[form]
    held.draw()
    noisy = held.release(total)
    assert type(noisy) is type(total)
    first = noisy if form == "tensor" else noisy[0] if form == "list" else noisy["a"]
    shaped = total if form == "tensor" else total[0] if form == "list" else total["a"]
    assert first.shape == shaped.shape
    assert stats.kstest(first.reshape(-1).numpy() / (2.0 * 0.5), "norm").pvalue > 1e-4


def test_equal_secrets_draw_alike_and_others_do_not():
    def drawn(seed):
        held = curator(Budget(epsilon=8.0), seed)
        held.open(sample_rate=0.5, noise_multiplier=3.0, clip=1.0, steps=1)
        return held.draw(), held.release(torch.zeros(4))

    (rows, noise), (same_rows, same_noise), (other_rows, other_noise) = drawn(1), drawn(1), drawn(2)
    assert np.array_equal(rows, same_rows)
    assert torch.equal(noise, same_noise)
    assert not np.array_equal(rows, other_rows)
    assert not torch.equal(noise, other_noise)


def test_the_ledger_has_what_was_released_and_keeps_the_budget():
    budget = Budget(epsilon=3.0)
    held = curator(budget)
    mean = held.noisy_total(lambda _, features, label: features, clip=1.0, noise_multiplier=8.0)
    assert mean.shape == (D,)
    noise = held.noise_multiplier(0.1, 40)
    held.open(sample_rate=0.1, noise_multiplier=noise, clip=1.0, steps=40, loss=loss, parameters=weights())
    for _ in range(25):
        held.noisy_sum(weights())
    assert held.spent() == [Mechanism("gaussian", 8.0, 1.0, 1, "full"),
                            Mechanism("gaussian", noise, 0.1, 25, "poisson")]
    whole = accounted_epsilon([Mechanism("gaussian", 8.0), Mechanism("gaussian", noise, 0.1, 40, "poisson")], 1e-5)
    assert 2.9 < whole.epsilon <= 3.0


@pytest.mark.parametrize("first", ["total", "steps"])
def test_what_is_released_without_noise_leaves_no_ledger_of_the_rest(first):
    """Sixty steps without noise and a total with much of it were entered as the total, at an epsilon of 0.0003."""
    held = curator()
    noise = {"total": 0.0, "steps": 5000.0} if first == "total" else {"total": 5000.0, "steps": 0.0}
    held.noisy_total(lambda _, features, label: features, clip=1.0, noise_multiplier=noise["total"])
    held.open(sample_rate=0.5, noise_multiplier=noise["steps"], clip=1.0, steps=2, loss=loss, parameters=weights())
    held.noisy_sum(weights())
    assert held.spent() == []


def test_a_plan_beyond_the_budget_is_refused_and_leaves_nothing():
    held = curator(Budget(epsilon=1.0))
    with pytest.raises(CuratorError, match=r"needs epsilon .* where 1 is the budget: more noise"):
        held.open(sample_rate=0.5, noise_multiplier=0.5, clip=1.0, steps=100)
    with pytest.raises(CuratorError, match="open"):
        held.draw()
    with pytest.raises(CuratorError, match="needs epsilon inf"):
        held.open(sample_rate=0.5, noise_multiplier=0.0, clip=1.0, steps=1)
    assert held.spent() == []


@pytest.mark.parametrize(
    "asked",
    [{"what": "noise_multiplier", "sample_rate": 1.0, "steps": 10**9},
     {"what": "noise_multiplier", "sample_rate": 2.0, "steps": 1},
     {"what": "open", "sample_rate": 0.5, "steps": 10**10},
     {"what": "open", "sample_rate": 1e-320, "steps": 1},
     {"what": "open", "sample_rate": 0.5, "steps": 1, "noise_multiplier": 1e300}],
    ids=str,
)
def test_numbers_that_make_no_plan_are_refused_and_end_no_process(asked):
    """What ends the custodian is told as a graph that failed: a plan beyond the budget was."""
    held = curator(Budget(epsilon=0.01))
    graph = model.packed(loss, weights(), model.example(records()))
    request = {"noise_multiplier": 1.0, "clip": 1.0} | asked | (graph if asked["what"] == "open" else {})
    assert custodian._served(held, bytes(boundary.encode(request)))["refused"]


def test_no_more_steps_than_planned():
    held = curator(Budget(epsilon=8.0))
    held.open(sample_rate=0.5, noise_multiplier=5.0, clip=1.0, steps=2, loss=loss, parameters=weights())
    for _ in range(2):
        held.noisy_sum(weights())
    with pytest.raises(CuratorError, match="2 steps of the plan are taken"):
        held.noisy_sum(weights())


@pytest.mark.parametrize(
    "plan",
    [{"sample_rate": 0.0}, {"sample_rate": 1.5}, {"noise_multiplier": -1.0}, {"clip": 0.0}, {"steps": 0},
     {"sample_rate": math.nan}, {"noise_multiplier": math.nan}, {"clip": math.nan}, {"clip": 1e-30}, {"clip": 1e38}],
    ids=str,
)
def test_what_is_no_plan_is_refused(plan):
    with pytest.raises(CuratorError, match=r"a plan has|a clip from 1e-06 to 1e"):
        curator().open(**{"sample_rate": 0.5, "noise_multiplier": 1.0, "clip": 1.0, "steps": 1} | plan)


def test_a_release_follows_a_draw():
    held = curator()
    held.open(sample_rate=0.5, noise_multiplier=0.0, clip=1.0, steps=3)
    with pytest.raises(CuratorError, match="a release follows a draw"):
        held.release(torch.zeros(2))
    held.draw()
    held.release(torch.zeros(2))
    with pytest.raises(CuratorError, match="a release follows a draw"):
        held.release(torch.zeros(2))


def test_a_batch_is_released_under_the_plan_it_was_drawn_for():
    """Half of the records, entered as one in a hundred, would be an epsilon of 29 entered as 0.6 after 60 steps."""
    held = curator(Budget(epsilon=3.0))
    held.open(sample_rate=0.5, noise_multiplier=40.0, clip=1.0, steps=1)
    held.draw()
    with pytest.raises(CuratorError, match="release its sum before another plan"):
        held.open(sample_rate=0.01, noise_multiplier=1.0, clip=1.0, steps=1)
    held.release(torch.zeros(2))
    held.open(sample_rate=0.01, noise_multiplier=1.0, clip=1.0, steps=1)


def test_a_loss_is_one_number():
    with pytest.raises(CuratorError, match="one number a record"):
        curator().open(sample_rate=0.5, noise_multiplier=0.0, clip=1.0, steps=1, parameters=weights(),
                       loss=lambda parameters, features, label: features * parameters["w"])


def test_a_user_is_drawn_with_all_records_of_theirs():
    user = np.arange(N) // 8
    held = curator(unit=user)
    assert held.n == 25
    held.open(sample_rate=0.4, noise_multiplier=0.0, clip=1.0, steps=1)
    rows = held.draw()
    assert np.array_equal(rows, np.flatnonzero(np.isin(user, user[rows])))
    held.release(torch.zeros(1))
    budgeted = curator(Budget(epsilon=8.0), unit=user)
    budgeted.open(sample_rate=0.4, noise_multiplier=3.0, clip=1.0, steps=1)
    budgeted.draw()
    budgeted.release(torch.zeros(1))
    assert budgeted.spent()[0].unit == "user"


def test_a_total_and_a_noisy_sum_clip_records_and_so_refuse_users():
    held = curator(unit=np.arange(N) // 8)
    with pytest.raises(CuratorError, match="clips records, not users"):
        held.noisy_total(lambda _, features, label: features, clip=1.0, noise_multiplier=1.0)
    with pytest.raises(CuratorError, match="clips records, not users"):
        held.open(sample_rate=0.5, noise_multiplier=1.0, clip=1.0, steps=1, loss=loss, parameters=weights())


def test_users_are_named_for_every_record():
    with pytest.raises(CuratorError, match="for each of the 200 records, got 3"):
        curator(unit=np.arange(3))


def test_a_transform_maps_each_record_and_keeps_half_precision():
    features, label = records()
    held = Curator([features.astype(np.float16), label], FREE, Secret(1, np.zeros(0, bool)))
    held.transform(lambda parameters, first: first[:, None] * parameters["by"], {"by": torch.tensor([1.0, 10.0])})
    assert held.shapes == ((D, 2), ())
    held.open(sample_rate=1.0, noise_multiplier=0.0, clip=1e9, steps=1, parameters={"w": torch.zeros(D, 2)},
              loss=lambda parameters, first, _: (first * parameters["w"]).sum())
    total = held.noisy_sum({"w": torch.zeros(D, 2)})["w"].numpy()
    np.testing.assert_allclose(total, np.outer(features.sum(axis=0), [1, 10]), rtol=2e-2, atol=0.2)
    assert held._record[0].dtype == torch.float16


def test_a_record_whose_gradient_is_no_number_adds_nothing():
    features, label = records()
    features[7] = np.inf
    held = Curator([features, label], FREE, Secret(1, np.zeros(0, bool)))
    held.open(sample_rate=1.0, noise_multiplier=0.0, clip=1.0, steps=1, loss=loss, parameters=weights())
    assert torch.isfinite(held.noisy_sum(weights())["w"]).all()
    assert torch.isfinite(held.noisy_total(lambda _, features, label: features, clip=1.0, noise_multiplier=0.0)).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64], ids=str)
def test_one_record_moves_a_total_in_any_precision_by_its_own_part_alone(dtype):
    """A bfloat16 holds no integers between 59,904 and 60,160."""

    def total(n: int) -> float:
        held = Curator([np.ones((n, 1), np.float32)], FREE, Secret(1, np.zeros(0, bool)))
        return float(held.noisy_total(lambda _, x: x.to(dtype), clip=1.0, noise_multiplier=0.0))

    assert total(60_033) - total(60_032) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64], ids=str)
def test_one_record_moves_a_sum_at_parameters_of_any_precision_by_its_own_part_alone(dtype):
    def total(n: int) -> float:
        held = Curator([np.ones((n, 1), np.float32)], FREE, Secret(1, np.zeros(0, bool)))
        held.open(sample_rate=1.0, noise_multiplier=0.0, clip=1.0, steps=1, parameters={"w": torch.zeros(1)},
                  loss=lambda parameters, x: (parameters["w"] * x).sum())
        return float(held.noisy_sum({"w": torch.zeros(1, dtype=dtype)})["w"])

    assert total(60_033) - total(60_032) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("size", [1.0, 1e29, 1e35, 2.85e38, 3.3e38])
def test_a_record_of_any_size_counts_in_a_total_for_a_clip_at_most(size):
    """A scale of 3.5e-45 is rounded up by a fifth: single precision has no number nearer."""
    held = Curator([np.full((1, 1), size, np.float32)], FREE, Secret(1, np.zeros(0, bool)))
    total = held.noisy_total(lambda _, x: x, clip=1e-6, noise_multiplier=0.0)
    assert float(total) <= 1e-6 * (1 + 1e-5)


@pytest.mark.parametrize("clip", [1e-30, 1e38])
def test_a_total_is_refused_a_clip_at_which_single_precision_fails(clip):
    """Squares of what is as short underflow, and nothing is clipped; sums of what is as long overflow, noise or not."""
    with pytest.raises(CuratorError, match="a clip from"):
        curator().noisy_total(lambda _, features, label: features, clip=clip, noise_multiplier=1.0)


def test_canaries_that_are_in_show_in_their_coordinates_and_nowhere_else():
    held = curator(canaries=400)
    held.open(sample_rate=0.5, noise_multiplier=0.0, clip=0.7, steps=20)
    for _ in range(20):
        held.draw()
        assert held.release(torch.zeros(3)).tolist() == [0, 0, 0]
    scores, coins = held.evidence.arrays()["scores"], np.random.default_rng(2).random(400) < 0.5
    assert (scores[~coins] == 0).all()
    assert scores[coins].mean() == pytest.approx(10, abs=0.6)


def test_it_cannot_be_kept_as_part_of_a_method():
    with pytest.raises(TypeError, match="private records"):
        pickle.dumps(curator())
