"""The task as the suite meets it."""

import math

import numpy as np
import pytest

from fourfold.suite import registry
from fourfold.suite.task import Draw
from fourfold.tasks.dp_images import DPImages

DRAW = Draw(b"0123456789abcdef", "dp-images", "digits", 0)


def test_it_is_found_by_its_name():
    assert isinstance(registry.task("dp-images"), DPImages)


def test_what_it_shows_it_or_the_suite_measures():
    from fourfold.suite.protocol import COST, PRIVACY

    measured = {metric.name for metric in (*DPImages.metrics, *PRIVACY, *COST)}
    assert set(DPImages.shown) <= measured
    assert DPImages.shown[0] == DPImages.headline
    assert DPImages.embedded in DPImages.datasets
    assert set(DPImages.unranked) <= set(DPImages.datasets)
    assert DPImages.epsilons == (1, 3, 8, math.inf)


def test_declared_scattering_features_are_given_and_computed_once(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    task = DPImages()
    digits = task.load("digits", tmp_path)
    declared = {"features": "scattering", "access": "records"}
    problem = task.draw(digits, DRAW, declared)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "fourfold").rglob("*.f16")}
    assert len(kept) == 1

    pixels = task.draw(digits, DRAW, declared | {"features": "pixels"})
    assert np.array_equal(problem.asks[0].give.labels, pixels.asks[0].give.labels)
    fit, predict = problem.asks
    assert fit.give.features.shape == (fit.give.n, 81, 2, 2)
    assert predict.give.features.shape == (predict.want.shape[0], 81, 2, 2)
    assert fit.give.features.dtype == np.float16
    assert not len(fit.give.images)

    again = task.draw(digits, DRAW, declared)
    assert np.array_equal(again.asks[0].give.features, fit.give.features)
    assert kept == {path: path.stat().st_mtime_ns for path in (tmp_path / "fourfold").rglob("*.f16")}
