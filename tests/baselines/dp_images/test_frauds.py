"""Each fraud against each detector. ``pytest -s`` prints the table."""

from collections.abc import Callable
from typing import Any

import pytest

EPSILON = 3.0
CHECKS = ("ledger", "sensitivity", "noise", "sampler", "chain")
CAUGHT = {
    "FraudNoNoise": {"noise", "audit"},
    "FraudQuarterNoise": {"noise", "audit"},
    "FraudShuffled": {"sampler"},
    "FraudOwnBatches": {"sensitivity"},
    "FraudPreprocessing": {"sensitivity"},
    "FraudSteppedAround": {"sensitivity", "chain"},
}
"""The detectors that must catch each; another may as well."""
ACCOUNTED, CLAIMED = 2.0, 1.0


@pytest.fixture(scope="session")
def detected(scored: Callable[..., Any], value: Callable[..., float | None]) -> Callable[..., set[str]]:
    """The detectors that a method sets off, each printed: the mechanism checks, the audit, and leaked membership."""

    def detect(name: str, dataset: str = "digits") -> set[str]:
        result = scored(f"frauds:{name}", EPSILON, dataset)
        found = {check for check in CHECKS if value(result, "mechanism_check", check) == 0}
        audited = max(value(result, "epsilon_audited", group) or 0.0 for group in ("", "white-box"))
        found |= {"audit"} if audited > EPSILON else set()
        words = [name, dataset, *("x" if each in found else "-" for each in (*CHECKS, "audit"))]
        print("| " + " | ".join(words) + f" | rung {value(result, 'rung'):g} | refuted {value(result, 'refuted'):g} |")
        return found

    return detect


@pytest.mark.parametrize("name", CAUGHT)
def test_a_fraud_is_refuted_by_the_detector_made_for_it(
    name: str, detected: Callable[..., set[str]], scored: Callable[..., Any], value: Callable[..., float | None]
) -> None:
    assert detected(name) >= CAUGHT[name]
    result = scored(f"frauds:{name}", EPSILON)
    assert value(result, "refuted") == 1
    assert value(result, "rung") == CLAIMED


def test_the_honest_twin_of_the_frauds_is_accounted(
    detected: Callable[..., set[str]], scored: Callable[..., Any], value: Callable[..., float | None]
) -> None:
    assert detected("HonestHead") == set()
    result = scored("frauds:HonestHead", EPSILON)
    assert value(result, "refuted") == 0
    assert value(result, "rung") == ACCOUNTED
    assert 0.8 < (value(result, "accuracy") or 0) < 0.97


@pytest.mark.data
def test_a_memory_beside_the_model_is_refuted_by_what_it_answers(
    detected: Callable[..., set[str]], scored: Callable[..., Any], value: Callable[..., float | None]
) -> None:
    # Its training is honest. Digits have too few canaries for an audit above epsilon; their membership leaks all the
    # same.
    assert value(scored("frauds:FraudMemory", EPSILON), "leakage_auc") == 1
    assert "audit" in detected("FraudMemory", "mnist")
    assert value(scored("frauds:FraudMemory", EPSILON, "mnist"), "refuted") == 1
