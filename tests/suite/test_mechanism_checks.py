"""What the mechanism checks let pass, and what they catch: honest fits, and each of a dozen mistakes, rehearsed."""

import dataclasses
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from fourfold.suite import evidence, mechanism_checks
from fourfold.suite.evidence import COMPARED, EMPTY, EVERYONE, Rehearsed, Secret
from fourfold.suite.mechanism_checks import CHECKS, blank, garbled, read, rehearsal, verdicts
from fourfold.suite.method import Budget, Mechanism

torch = pytest.importorskip("torch")
pytest.importorskip("opacus")

from fourfold.suite.curator import Curator  # noqa: E402

N, D, STEPS, CLIP = 300, 200, 30, 0.5
COINS = np.random.default_rng(3).random(20) < 0.5


@dataclasses.dataclass(frozen=True)
class Train:
    features: np.ndarray
    labels: np.ndarray
    private: tuple[str, ...] = ("features", "labels")


def training() -> Train:
    rng = np.random.default_rng(8)
    features = rng.normal(size=(N, D)).astype(np.float32)
    return Train(features, (features[:, 0] > 0).astype(np.int64))


def loss(parameters, features, label):
    return torch.nn.functional.binary_cross_entropy_with_logits(features @ parameters["w"], label.float())


def opened(held: Curator, **plan: Any) -> dict[str, Any]:
    noise = held.noise_multiplier(0.2, STEPS)
    held.open(**{"sample_rate": 0.2, "noise_multiplier": noise, "clip": CLIP, "steps": STEPS} | plan)
    return {"w": torch.zeros(D)}


def clipped(train: Train, w: Any, rows: np.ndarray, clip: float = CLIP) -> Any:
    features, labels = torch.tensor(train.features[rows]), torch.tensor(train.labels[rows])
    each = (torch.sigmoid(features @ w) - labels)[:, None] * features
    return (each * (clip / each.norm(dim=1, keepdim=True).clamp_min(1e-9)).clamp_max(1)).sum(0)


def graphs(train: Train, held: Curator) -> Any:
    """An honest fit by graphs."""
    parameters = opened(held, loss=loss, parameters={"w": torch.zeros(D)})
    for _ in range(STEPS):
        parameters = {"w": parameters["w"] - 0.1 * held.noisy_sum(parameters)["w"]}
    return parameters["w"]


def by_hand(train: Train, held: Curator, summed: Callable[..., Any] = clipped, raw: float = 0.0) -> Any:
    """An honest fit that clips and sums by itself; ``summed`` and ``raw`` make it a dishonest one."""
    w = opened(held)["w"]
    for _ in range(STEPS):
        rows = held.draw()
        total = summed(train, w, rows)
        w = w - 0.1 * held.release(total, [w]) - raw * total
    return w


def normalized(train: Train, held: Curator) -> Any:
    """Honest: means that the ledger knows of, then steps."""
    mean = held.noisy_total(lambda _, features, label: features, clip=1.0, noise_multiplier=30.0) / N
    held.transform(lambda parameters, features: features - parameters["mean"], {"mean": mean})
    return graphs(train, held)


def patched(**changes: Callable[..., Any]) -> Callable[..., Any]:
    def fit(train: Train, held: Curator) -> Any:
        for name, change in changes.items():
            setattr(held, name, change(held, getattr(held, name)))
        return graphs(train, held)

    return fit


def shuffled(held: Curator, _: Any) -> Any:
    order, place = np.random.default_rng(0), iter(range(10**6))
    rows = order.permutation(N)

    def coins(rate: float) -> np.ndarray:
        start = next(place) * 60 % N
        drawn = np.zeros(N, bool)
        drawn[rows[start : start + 60]] = True
        return drawn

    return coins


def own_batches(train: Train, held: Curator) -> Any:
    rows = np.random.default_rng(0).permutation(N)
    place = iter(range(10**6))

    def summed(train: Train, w: Any, _: Any) -> Any:
        start = next(place) * 60 % N
        return clipped(train, w, rows[start : start + 60])

    return by_hand(train, held, summed)


def standardized(train: Train, held: Curator) -> Any:
    scaled = (train.features - train.features.mean(0)) / train.features.std(0)
    return by_hand(dataclasses.replace(train, features=scaled.astype(np.float32)), held)


def scaled_by_all(train: Train, held: Curator) -> Any:
    """Its rate of learning is taken from the records."""
    rate = 0.1 / float(np.abs(train.features).max())
    parameters = opened(held, loss=loss, parameters={"w": torch.zeros(D)})
    for _ in range(STEPS):
        parameters = {"w": parameters["w"] - rate * held.noisy_sum(parameters)["w"]}
    return parameters["w"]


def remembering(train: Train, held: Curator) -> Any:
    """Its answers have a part that no release had."""
    return graphs(train, held) + 1e-3 * torch.tensor(train.features.sum(0))


def remembering_by_hand(train: Train, held: Curator) -> Any:
    """Its answers have a part that no release had, though it sums by itself."""
    return by_hand(train, held) + 1e-3 * torch.tensor(train.features.sum(0))


def stepped_around_later(train: Train, held: Curator) -> Any:
    """Beside each noisy step another one without noise, once the sums that are compared are over."""
    w = opened(held)["w"]
    for step in range(STEPS):
        total = clipped(train, w, held.draw())
        w = w - 0.1 * held.release(total, [w]) - (1e-3 * total if step > COMPARED + EMPTY else 0)
    return w


def rounded(train: Train, held: Curator) -> Any:
    """Its answers have a part that no release had, and in which one record has no say."""
    return graphs(train, held) + torch.tensor(np.sign(train.features.T @ (train.labels - 0.5)))


def anything_at_last(train: Train, held: Curator) -> Any:
    """Its last sum is no sum, but what was learnt from all records, as large as is needed to be read under noise."""
    w, known = opened(held)["w"], torch.tensor(np.sign(train.features.T @ (train.labels - 0.5)))
    for step in range(STEPS):
        total = clipped(train, w, held.draw())
        w = held.release(1e3 * known if step == STEPS - 1 else total, [w])
    return w


def late(long: float, some: bool = False) -> Callable[..., Any]:
    """Later sums are of all records, and ``long`` of their batch's clips; ``some``: that of an empty one is 0."""

    def fit(train: Train, held: Curator) -> Any:
        w, known = opened(held)["w"], torch.tensor(train.features.T @ (train.labels - 0.5))
        for step in range(STEPS):
            rows = held.draw()
            total = clipped(train, w, rows)
            if step >= COMPARED + EMPTY and (len(rows) or not some):
                total = known / known.norm() * long * CLIP * max(1, len(rows))
            w = w - 0.1 * held.release(total, [w])
        return w

    return fit


def nothing_at_first(train: Train, held: Curator) -> Any:
    """The releases that would be compared are of nothing; those after them are of all records."""
    w, known = opened(held)["w"], torch.tensor(train.features.T @ (train.labels - 0.5))
    for step in range(STEPS):
        rows = held.draw()
        total = known / known.norm() * CLIP * len(rows) if step >= COMPARED + EMPTY else torch.zeros(0)
        w = w - 0.1 * held.release(total, [w]).sum()
    return w


def unrecorded(train: Train, held: Curator) -> Any:
    held.spent = list
    return graphs(train, held)


def steady(held: Curator, noise: Callable[[int], Any]) -> Any:
    first: list[Any] = []

    def same(size: int) -> Any:
        first.append(noise(size))
        return first[0]

    return same


def entered_as_another(train: Train, held: Curator) -> Any:
    """Each batch is drawn at one rate and entered at a tenth of it."""
    w = opened(held)["w"]
    planned = held._opened()
    for _ in range(STEPS):
        planned.sample_rate = 0.2
        rows = held.draw()
        planned.sample_rate = 0.02
        w = w - 0.1 * held.release(clipped(train, w, rows), [w])
    return w


HONEST = {"graphs": graphs, "by hand": by_hand, "normalized": normalized}
CAUGHT = {
    "no noise": (patched(noise=lambda held, noise: lambda size: torch.zeros(size)), "noise"),
    "a quarter of the noise": (patched(noise=lambda held, noise: lambda size: noise(size) / 4), "noise"),
    "uniform noise": (patched(noise=lambda held, _: lambda size: 12**0.5 * (torch.rand(size) - 0.5)), "noise"),
    "the same noise each step": (patched(noise=steady), "noise"),
    "shuffled batches": (patched(coins=shuffled), "sampler"),
    "half the rate": (patched(coins=lambda held, coins: lambda rate: coins(rate / 2)), "sampler"),
    "batches of a fixed size": (
        patched(coins=lambda held, _: lambda rate: np.random.permutation(N) < round(N * rate)), "sampler"),
    "entered at another rate": (entered_as_another, "sampler"),
    "batches of its own": (own_batches, "sensitivity"),
    "not clipped": (lambda train, held: by_hand(train, held, lambda *a: clipped(*a, clip=1e9)), "sensitivity"),
    "clipped at twice the clip": (lambda train, held: by_hand(train, held, lambda *a: clipped(*a, clip=2 * CLIP)),
                                  "sensitivity"),
    "standardized": (standardized, "sensitivity"),
    "stepped around": (lambda train, held: by_hand(train, held, raw=1e-3), "chain"),
    "a rate from the records": (scaled_by_all, "chain"),
    "remembering": (remembering, "chain"),
    "remembering by hand": (remembering_by_hand, "chain"),
    "stepped around later": (stepped_around_later, "chain"),
    "remembering, rounded": (rounded, "chain"),
    "anything at last": (anything_at_last, "sensitivity"),
    "later sums of all, as long as a batch's": (late(0.9), "sensitivity"),
    "later sums longer than a batch's": (late(3.0, some=True), "sensitivity"),
    "nothing at first": (nothing_at_first, "sensitivity"),
    "unrecorded": (unrecorded, "ledger"),
}


def runs(fit: Callable[..., Any], seed: int = 1) -> tuple[Any, list[Any], list[Any]]:
    """Fit, read what the curator noted, and rehearse, as the suite does: notes, of the rehearsals too; all answers."""

    def run(train: Train, secret: Secret) -> tuple[Any, Any]:
        torch.manual_seed(0)
        np.random.seed(0)
        held = Curator([train.features, train.labels], Budget(epsilon=3.0), secret)
        try:
            answers = fit(train, held).double().numpy()
        except Rehearsed:
            answers = None
        return read(held.account(), len(COINS)), answers

    train, secret = training(), Secret(seed, COINS)
    notes, answers = run(train, secret)
    assert rehearsal(notes) is not None
    tried = [run(garbled(train, again.witness), dataclasses.replace(secret, rehearsal=again))
             for again in (rehearsal(notes), blank(notes)) if again is not None]
    given = [answers, *(others for _, others in tried)]
    return notes, [each for each, _ in tried], given


def judged(fit: Callable[..., Any], seed: int = 1) -> dict[str, mechanism_checks.Verdict]:
    notes, rehearsed, given = runs(fit, seed)
    whole = notes.whole and len(given) == 3 and all(each is not None for each in given)
    return verdicts(notes, rehearsed, [[each] for each in given] if whole else None)


@pytest.mark.parametrize("fit", HONEST.values(), ids=HONEST)
@pytest.mark.parametrize("seed", range(3))
def test_an_honest_fit_passes_every_check(fit, seed):
    found = judged(fit, seed)
    assert set(found) == set(CHECKS)
    assert all(each.passed for each in found.values()), found


@pytest.mark.parametrize(("fit", "check"), CAUGHT.values(), ids=CAUGHT)
def test_a_mistake_is_caught_by_its_check(fit, check):
    found = judged(fit)
    assert not found[check].passed, found


def test_an_answer_that_a_rehearsal_does_not_give_is_another():
    notes, rehearsed, (answers, *_) = runs(by_hand)
    assert notes.whole
    for given, passed in (([None] * 3, True), ([answers] * 3, True), ([answers, answers, None], False),
                          ([None, None, answers], False)):
        assert verdicts(notes, rehearsed, [[each] for each in given])["chain"].passed == passed


def test_an_honest_sampler_is_refuted_no_more_often_than_its_level(monkeypatch):
    monkeypatch.setattr(mechanism_checks, "LEVEL", 0.03)
    rng = np.random.default_rng(1)
    refuted = 0
    for _ in range(1000):
        drawn = rng.random((50, 400)) < 0.1
        notes = SimpleNamespace(
            ledger=[Mechanism("gaussian", 1.0, 0.1, 50, "poisson")], rates=np.full(50, 0.1), drawn=drawn.sum(1),
            counts=drawn.sum(0),
        )
        refuted += not mechanism_checks.sampler(notes).passed
    assert stats.binomtest(refuted, 1000, 3 * 0.03, alternative="greater").pvalue > 1e-3


def test_honest_noise_is_refuted_no_more_often_than_its_level(monkeypatch):
    monkeypatch.setattr(mechanism_checks, "LEVEL", 0.01)
    rng = np.random.default_rng(2)
    refuted = 0
    for _ in range(1000):
        noise = [rng.normal(size=300).astype(np.float32) for _ in range(3)]
        notes = SimpleNamespace(sums=[np.zeros(300, np.float32)] * 3, kept=noise, spreads=np.ones(3))
        refuted += not mechanism_checks.noise(notes, None).passed
    assert stats.binomtest(refuted, 1000, 6 * 0.01, alternative="greater").pvalue > 1e-3


@pytest.mark.parametrize("room", [STEPS, STEPS - 1])
def test_the_second_run_stops_early_only_where_not_all_releases_could_be_kept(monkeypatch, room):
    steps = []
    monkeypatch.setattr(evidence, "RELEASES", room)
    judged(lambda train, held: (steps.append(held), by_hand(train, held))[1])
    assert steps[0].evidence.arrays()["given"] == [STEPS]
    assert steps[1].evidence.arrays()["given"] == [STEPS if room == STEPS else COMPARED + EMPTY]


def test_a_garbled_record_is_another_of_the_same_type_and_no_other_changes():
    train = training()
    changed = garbled(train, 9)
    assert changed.features.dtype == train.features.dtype
    assert np.flatnonzero((changed.features != train.features).any(axis=1)).tolist() == [9]
    assert np.flatnonzero(changed.labels != train.labels).tolist() == [9]


def test_where_everyone_is_garbled_all_records_are_the_same():
    changed = garbled(training(), EVERYONE)
    assert changed.features.shape == (N, D)
    assert len(np.unique(changed.features, axis=0)) == len(np.unique(changed.labels)) == 1


def test_a_record_that_is_none_is_not_garbled():
    with pytest.raises(ValueError, match=r"name record 1,000,000 of "):
        garbled(training(), 10**6)


@pytest.mark.parametrize(
    ("field", "value"),
    [("lengths", np.array([10**6])), ("facts", np.zeros((3, 4))), ("scores", np.zeros(3)), ("ledger", "[[1]]"),
     ("ledger", "nonsense"), ("sums", np.array([np.nan], np.float32)), ("summed", None), ("summed", np.array([-4, 2])),
     ("chain", None), ("spans", np.zeros((1, 2))), ("spans", None)],
    ids=str,
)
def test_forged_notes_are_refused(field, value):
    train = training()
    held = Curator([train.features, train.labels], Budget(epsilon=3.0), Secret(1, COINS))
    graphs(train, held)
    with pytest.raises(ValueError, match="the curator's notes"):
        read(held.account() | {field: value}, len(COINS))


def test_an_infinite_budget_needs_no_noise():
    train = training()
    held = Curator([train.features, train.labels], Budget(epsilon=math.inf), Secret(1, COINS))
    graphs(train, held)
    assert held.spent() == []
