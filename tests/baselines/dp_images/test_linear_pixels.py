from pathlib import Path

import numpy as np
import pytest

from fourfold.suite import Budget
from fourfold.suite.task import Draw
from fourfold.tasks.dp_images import DPImages

DECLARED = {"features": "pixels", "access": "records"}


def test_pixels_alone_tell_most_digits(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    from fourfold.baselines.dp_images.linear_pixels import LinearPixels

    task, draw = DPImages(), Draw(b"0123456789abcdef", "dp-images", "digits", 0)
    problem = task.draw(task.load("digits", tmp_path), draw, DECLARED)
    method = LinearPixels(Budget())
    method.fit(problem.asks[0].give, Budget())
    answer = method.predict(problem.asks[1].give)

    assert answer.shape == problem.asks[1].want.shape
    assert np.allclose(answer.sum(axis=1), 1, atol=1e-5)
    scored = task.score(problem, [None, answer.astype(np.float64)], DECLARED, Budget(), draw)
    [accuracy] = [score for score in scored.scores if score.metric == "accuracy" and not score.group]
    assert 0.93 < accuracy.value < 0.99
