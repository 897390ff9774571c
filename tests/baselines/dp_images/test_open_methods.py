"""Methods without privacy: as accurate as their kind is, and each with what it was made for."""

from collections.abc import Callable
from typing import Any

import pytest

METHODS: dict[str, tuple[float, dict[str, int]]] = {
    "plain:CNNPlain": (0.93, {}), "plain:AdversarialCNN": (0.87, {"updates": 160}), "plain:PrunedCNN": (0.85, {}),
    "plain:Int8CNN": (0.93, {}), "scattering_logistic:ScatteringLogistic": (0.93, {}),
}
"""An accuracy that is exceeded, and parameters with which a fit takes seconds."""


@pytest.mark.parametrize("method", METHODS)
def test_it_is_accurate(method: str, scored: Callable[..., Any], value: Callable[..., float | None]) -> None:
    accuracy, parameters = METHODS[method]
    assert (value(scored(method, **parameters), "accuracy") or 0) > accuracy


def test_training_against_attacks_withstands_them_better(
    scored: Callable[..., Any], value: Callable[..., float | None]
) -> None:
    plain, hardened = (
        value(scored(method, **METHODS[method][1]), "pgd_accuracy") or 0
        for method in ("plain:CNNPlain", "plain:AdversarialCNN"))
    assert hardened > plain + 0.05


def test_pruning_leaves_a_tenth_of_the_weights_and_rounding_leaves_bytes() -> None:
    torch = pytest.importorskip("torch")
    from fourfold.baselines.dp_images.plain import Int8CNN, PrunedCNN
    from fourfold.suite import Budget
    from fourfold.tasks.dp_images.problem import Train

    coins = torch.Generator().manual_seed(0)
    images = torch.randint(256, (60, 8, 8), generator=coins, dtype=torch.uint8).numpy()
    labels = torch.randint(3, (60,), generator=coins).numpy()
    train = Train(images, None, labels, ("a", "b", "c"), 60, ("images", "labels"))
    pruned, rounded = PrunedCNN(Budget(), {"updates": 5}), Int8CNN(Budget(), {"updates": 5})
    for method in (pruned, rounded):
        method.fit(train, Budget())
    kernels = torch.cat([value.flatten() for value in pruned.weights.values() if value.ndim > 1])
    assert float((kernels != 0).float().mean()) == pytest.approx(0.1, abs=0.001)
    function, weights = rounded.model()
    assert all(len(row.unique()) <= 255 for row in weights["dense"])
    assert function(weights, torch.tensor(images[0])).sum() == pytest.approx(1, abs=1e-5)
