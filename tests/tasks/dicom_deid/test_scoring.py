"""What leaked and what stayed, as scores of a cell."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest

from fourfold.suite import folder
from fourfold.suite.task import Draw, Score
from fourfold.tasks.dicom_deid import problem, scoring
from fourfold.tasks.dicom_deid.corpus import draw
from fourfold.tasks.dicom_deid.key import Corpus
from fourfold.tasks.dicom_deid.phantoms import phantom


@pytest.fixture(scope="module")
def drawn() -> Corpus:
    return draw(np.random.default_rng(21), np.random.default_rng(22), phantom, 6, small=True)


def scores(drawn: Corpus, files: dict[str, bytes]) -> dict[tuple[str, str], Score]:
    asked = problem.asked(drawn, {})
    found = scoring.score(asked.answers.hidden, [folder.folder(files)], Draw(b"k" * 32, "dicom-deid", "phantom", 0))
    return {(score.metric, score.group): score for score in found.scores}


def test_a_leak_of_one_file_tells_no_more_of_others_than_its_few_patients_can(drawn):
    """One file comes back as it was: of patients who might be drawn as well, all may leak as often as if none had."""
    patients, one = len(drawn.key.patients), drawn.key.instances[0].path
    found = scores(drawn, {**drawn.reference, one: drawn.given[one]})["item_leak_rate", ""]
    assert 0 < found.value < 0.5
    assert found.low < found.value / 5
    assert found.high > 0.9 * binomtest(0, patients).proportion_ci(0.95, "exact").high


def test_without_planted_items_no_share_of_them_leaks(drawn):
    nobody = replace(drawn, key=replace(drawn.key, planted=[]))
    assert scores(nobody, dict(drawn.reference))["item_leak_rate", ""].value is None
