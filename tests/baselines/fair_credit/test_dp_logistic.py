import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent, SelfComposedDpEvent
from dp_accounting.pld import PLDAccountant
from opacus.accountants import PRVAccountant
from sklearn.metrics import roc_auc_score
from torch.optim.optimizer import register_optimizer_step_pre_hook

from fourfold.baselines.fair_credit.dp_logistic import CLIP, DPLogistic, public_scale
from fourfold.suite import Budget


def fitted(train, **budget):
    method = DPLogistic(Budget(**budget), {})
    method.fit(train, Budget(**budget))
    return method


def watched(train, **budget):
    """Fit, and return each step's weights and bias with the gradients that the optimizer was about to apply."""
    seen = []
    hook = register_optimizer_step_pre_hook(lambda optimizer, *_: seen.append(
        [tensor.detach().clone() for p in optimizer.param_groups[0]["params"] for tensor in (p, p.grad)]))
    try:
        return fitted(train, **budget), seen
    finally:
        hook.remove()


@pytest.mark.filterwarnings("ignore:Optimal order is the largest alpha")
@pytest.mark.parametrize("epsilon", [1.0, 8.0])
def test_two_accountants_find_the_ledger_within_epsilon(epsilon, draw):
    (entry,) = fitted(draw(600), epsilon=epsilon, delta=1e-5).ledger.mechanisms
    assert (entry.kind, entry.sampling) == ("gaussian", "poisson")
    opacus = PRVAccountant()
    opacus.history = [(entry.noise_multiplier, entry.sample_rate, entry.steps)]
    assert 0.9 * epsilon < opacus.get_epsilon(delta=1e-5) <= epsilon
    google = PLDAccountant(value_discretization_interval=1e-3)
    step = PoissonSampledDpEvent(entry.sample_rate, GaussianDpEvent(entry.noise_multiplier))
    google.compose(SelfComposedDpEvent(step, entry.steps))
    assert google.get_epsilon(1e-5) <= epsilon


def test_every_step_carries_the_noise_that_the_ledger_names(draw):
    train = draw(600)  # its last column is a flag that nobody raises: its gradient is noise alone
    method, seen = watched(train, epsilon=1.0)
    (entry,) = method.ledger.mechanisms
    noise = torch.tensor([gradient[0, 5] for _, gradient, _, _ in seen]) * entry.sample_rate * len(train.label)
    assert len(noise) == entry.steps
    assert noise.std() / (entry.noise_multiplier * CLIP) == pytest.approx(1, abs=0.15)
    assert abs(np.corrcoef(noise[1:], noise[:-1])[0, 1]) < 0.2


def test_batches_are_as_many_and_as_uneven_as_poisson_sampling_makes_them(draw):
    n = 2000
    # All records are equal, so a step's gradient is the batch's size times one record's.
    train = replace(draw(n), features=np.zeros((n, 6)), label=np.zeros(n, np.int8), bounds=np.tile([0.0, 1.0], (6, 1)))
    method, seen = watched(train, epsilon=math.inf)
    rate = fitted(train, epsilon=3.0).ledger.mechanisms[0].sample_rate
    size = np.array([float(gradient * rate * n / torch.sigmoid(bias)) for _, _, bias, gradient in seen])
    assert method.ledger.mechanisms == []
    assert size == pytest.approx(np.round(size), abs=0.05)
    assert size.mean() == pytest.approx(rate * n, rel=0.03)
    assert size.std() == pytest.approx(math.sqrt(n * rate * (1 - rate)), rel=0.2)


def test_no_record_can_move_a_step_by_more_than_the_clip(draw):
    train = draw(40)
    train.features[0] = [1e6, 100, 4, 90, 1, 1]
    _, seen = watched(replace(train, features=np.repeat(train.features[:1], 40, axis=0)), epsilon=math.inf)
    largest = max(math.hypot(weights.norm(), bias.norm()) for _, weights, _, bias in seen)
    assert largest * 0.1 <= CLIP * 1.0001  # were all 40 in the batch, of 4 expected


def test_less_privacy_is_more_accurate(draw):
    train, test = draw(1500), draw(8000, seed=1)
    auc = [np.mean([roc_auc_score(test.label, fitted(train, epsilon=e, seed=s).predict(test.ask(False)))
                    for s in range(2)]) for e in (0.1, math.inf)]
    assert auc[0] < auc[1] - 0.03


def test_the_scale_of_a_record_depends_on_no_other(draw):
    records = draw(300)
    scaled = public_scale(records.features, records.bounds)
    assert torch.equal(scaled[:7], public_scale(records.features[:7], records.bounds))
    assert scaled.abs().max() <= 1
    assert torch.equal(scaled[:, 4], torch.tensor(records.features[:, 4], dtype=torch.float32))
