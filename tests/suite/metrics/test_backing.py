"""What backs a claim of privacy, and what refutes it."""

import math

import pytest

from fourfold.suite.method import Mechanism
from fourfold.suite.metrics.accountant import accounted_epsilon, backing


@pytest.mark.parametrize(
    ("claimed", "accounted", "checks", "rung"),
    [
        (None, None, {}, "none"),
        (math.inf, None, {}, "none"),
        (math.inf, math.inf, {"checked": True}, "none"),
        (3.0, None, {}, "claimed"),
        (3.0, None, {"checked": True, "verified": True}, "claimed"),
        (3.0, 2.9, {}, "claimed"),
        (None, 2.9, {}, "claimed"),
        (3.0, 2.9, {"checked": True}, "accounted"),
        (3.0, 2.9, {"verified": True}, "verified"),
        (3.0, 2.9, {"checked": True, "verified": True}, "verified"),
    ],
)
def test_what_backs_a_claim(claimed, accounted, checks, rung):
    assert backing(claimed, accounted, 1.0, **checks) == (rung, False)


@pytest.mark.parametrize(
    ("claimed", "accounted", "audited", "refuted"),
    [
        (None, None, 5.0, False),  # who claims nothing is refuted by nothing
        (math.inf, None, 5.0, False),
        (3.0, None, None, False),
        (3.0, None, 3.0, False),
        (3.0, None, 3.1, True),
        (3.0, 2.9, 2.95, True),  # the audit contradicts the ledger
        (None, 2.9, 3.0, True),
        (3.0, 3.1, 0.0, True),  # the ledger spends more than was claimed
        (3.0, 3.01, 0.0, False),  # within what two accountants differ by
        (3.0, math.inf, 0.0, False),
        (0.0, None, 0.1, True),
    ],
)
def test_what_refutes_a_claim(claimed, accounted, audited, refuted):
    for checks in ({}, {"checked": True}, {"verified": True}):
        assert backing(claimed, accounted, audited, **checks)[1] is refuted


def test_claim_calibrated_by_another_accountant_stands():
    pytest.importorskip("opacus")
    accounted = accounted_epsilon([Mechanism("gaussian", 1.23, 512 / 60000, 4680, "poisson")], 1e-5)
    assert accounted.second < accounted.epsilon - 0.005
    assert backing(accounted.second, accounted.epsilon, 0.0) == ("claimed", False)


def test_epsilon_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="claimed nan"):
        backing(math.nan, 1.0, 0.0)
