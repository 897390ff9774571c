from dataclasses import replace

import numpy as np
import pytest

from fourfold.baselines.driver_displacement.private_diffusion import PrivateDiffusion, counted
from fourfold.suite import Budget
from fourfold.suite.cell import Cell
from fourfold.suite.curator import Curator
from fourfold.suite.evaluate import Evaluator, Job
from fourfold.suite.evidence import Secret
from fourfold.suite.metrics.accountant import accounted_epsilon
from fourfold.suite.registry import installed
from fourfold.tasks.driver_displacement import DriverDisplacement

ENDS = np.arange(3, 40, 4)


def fitted(train, epsilon):
    budget, made = Budget(epsilon=epsilon, delta=1e-5), []
    method = PrivateDiffusion(budget, {})

    def curate(records, unit):
        columns = [getattr(records, name) for name in records.private]
        made.append(Curator(columns, budget, Secret(1, np.zeros(0, bool)), unit))
        return made[0]

    method._curate = curate
    method.fit(train, budget)
    return method, made[0]


def test_the_budget_is_spent_on_one_release(problems):
    train, _, _ = problems["simulated"]()
    _, curator = fitted(train, 3.0)
    [entry] = curator.spent()
    assert (entry.kind, entry.sampling, entry.steps) == ("gaussian", "full", 1)
    assert 2.9 < accounted_epsilon([entry], 1e-5).epsilon <= 3.0 + 1e-9


def test_no_record_moves_the_table_by_more_than_the_clip(problems):
    train, _, _ = problems["simulated"]()
    rng = np.random.default_rng(0)
    short = lambda: rng.integers(-(2**15), 2**15, train.n).astype(np.int16)  # noqa: E731
    wild = replace(train, world=short(), place=short(), lost=short(), returned=short())
    for one in range(200):
        table = counted(wild, np.array([one]), ENDS)
        assert np.linalg.norm(table) <= np.sqrt(len(ENDS))
        assert set(np.unique(table)) <= {0.0, 1.0}


def test_without_a_budget_the_table_is_the_stock(problems):
    train, queries, secret = problems["simulated"]()
    method, _ = fitted(train, np.inf)
    for query, whole in zip(queries, secret, strict=True):
        assert method.table[query.world, :, 6] == pytest.approx(whole["displaced"][:, 27], rel=0.1, abs=15)


def test_less_privacy_is_less_noise(problems):
    train, _, _ = problems["simulated"]()
    exact, strict, mild = (fitted(train, epsilon)[0] for epsilon in (np.inf, 0.5, 8.0))
    errors = [np.std(each.table - exact.table) for each in (strict, mild)]
    assert errors == pytest.approx([strict.noise, mild.noise], rel=0.05)
    assert errors[0] > 5 * errors[1]


def test_its_rung(tmp_path):
    task, pack = DriverDisplacement(), installed("private-diffusion")
    cell = Cell(task.name, task.version, "simulated", "0", "draw", pack.name, pack.digest, (), Budget(epsilon=3.0), 0)
    with Evaluator(b"0123456789abcdef", tmp_path) as evaluator:
        result = evaluator.run(Job(cell, pack), task, task.load("simulated", tmp_path))
    assert result.status == "ok", result.reason
    found = {row["metric"]: row["value"] for row in result.rows if row["metric"] in ("rung", "refuted")}
    assert found == {"rung": 2, "refuted": 0}
    assert all(check["passed"] for check in result.provenance["checks"].values())
