"""Methods that clip and sum gradients by themselves: the first releases rehearsed, rung and accuracy."""

from collections.abc import Callable
from typing import Any

import pytest

METHODS: dict[str, tuple[int, float, dict[str, int]]] = {
    "opacus_modes:OpacusHooks": (2, 0.7, {"steps": 100}),
    "opacus_modes:OpacusGhost": (2, 0.7, {"steps": 100}),
    "opacus_modes:OpacusHooksLinear": (2, 0.90, {"steps": 160}),
    "opacus_modes:OpacusGhostLinear": (2, 0.90, {"steps": 160}),
    "fedavg:DPFedAvg": (2, 0.65, {}),
}
"""The rung, an accuracy that is exceeded, and parameters with which a fit takes seconds."""


@pytest.mark.parametrize("method", METHODS)
def test_it_keeps_its_rung(
    method: str, scored: Callable[..., Any], value: Callable[..., float | None]
) -> None:
    rung, accuracy, parameters = METHODS[method]
    result = scored(method, 3.0, **parameters)
    failed = {name: check["said"] for name, check in result.provenance["checks"].items() if not check["passed"]}
    assert (value(result, "rung"), value(result, "refuted"), failed) == (rung, 0, {})
    assert 2.9 < (value(result, "epsilon_accounted") or 0) <= 3
    assert (value(result, "accuracy") or 0) > accuracy


def test_without_privacy_it_is_more_accurate(
    scored: Callable[..., Any], value: Callable[..., float | None]
) -> None:
    method = "fedavg:DPFedAvg"
    private, twin = (value(scored(method, *epsilon), "accuracy") or 0 for epsilon in ((3.0,), ()))
    assert private < twin - 0.05
