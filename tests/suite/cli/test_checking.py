import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]
GOOD = '''
import numpy as np
from fourfold.suite import Method

class Mine(Method):
    """Mine."""
    task = "coins"
    version, author, licence = "3", "Me", "MIT"
    lean: float = 0.5
    def fit(self, train, budget):
        self.mean = train.label.mean()
    def predict(self, query):
        return np.full(len(query.features), self.mean * self.lean)
'''.replace('version, author, licence = "3", "Me", "MIT"', 'version = "3"\n    author = "Me"\n    licence = "MIT"')


def test_a_sound_method_keeps_the_contract(fourfold: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(GOOD)
    done = fourfold("check", "mine.py")
    assert done.returncode == 0, done.stderr
    assert "class Mine in method.py, for coins; parameters: lean = 0.5" in done.stdout
    assert "two runs with one seed answer the same" in done.stdout
    assert done.stdout.endswith("mine keeps the contract\n")
    assert fourfold("check", "coin-slope").returncode == 0


def test_a_broken_method_is_told_what_where_and_what_to_do(fourfold: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(GOOD.replace("len(query.features)", "3"))
    done = fourfold("check", "mine.py", "--json")
    assert done.returncode == 2
    wrong = [each for each in json.loads(done.stdout)["findings"] if each["level"] == "wrong"]
    assert [each["what"] for each in wrong] == ["run"]
    assert "predict returned shape (3,) where (100,) was asked for" in wrong[0]["said"]
    assert wrong[0]["remedy"]


def test_what_is_no_method_is_told(fourfold: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("x = 1\n")
    for words in (["check", "mine.py"], ["submit", "mine.py"], ["check", "./mine.pi"]):
        done = fourfold(*words)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert "mine.py" in done.stderr
    assert json.loads(fourfold("check", "mine.py", "--json").stdout)["ok"] is False


def test_submit_checks_packs_and_scores(fourfold: Run, answer: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(GOOD)
    done = fourfold("submit", "mine.py[lean=0.9]", "--seeds", "2", "--backend", "serial")
    assert done.returncode == 0, done.stderr
    digest = next(line.split()[1] for line in done.stdout.splitlines() if line.startswith("digest"))
    for line in ("name      mine", "version   3", "author    Me", "licence   MIT", "2 ok, in "):
        assert line in done.stdout
    done = fourfold("check", f"results/methods/{digest}.zip")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "mine keeps the contract")
    row = answer(fourfold("board", "--json"))["standings"][0]["rows"][0]
    assert (row["method"], row["digest"], row["parameters"]) == ("mine", digest, '{"lean":0.9}')


def test_the_same_code_has_one_identity_and_other_code_another(fourfold: Run, tmp_path: Path) -> None:
    def digest(name: str, text: str) -> str:
        (tmp_path / name).write_text(text)
        return str(json.loads(fourfold("check", name, "--json").stdout)["method"]["digest"])

    assert digest("mine.py", GOOD) == digest("elsewhere.py", GOOD) != digest("mine.py", GOOD + "\n# another\n")


def test_submit_scores_nothing_that_breaks_the_contract(fourfold: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(GOOD.replace("self.mean * self.lean", "'high'"))
    done = fourfold("submit", "mine.py", "--backend", "serial")
    assert done.returncode == 2
    assert "breaks the contract" in done.stderr
    assert not (tmp_path / "results").exists()
