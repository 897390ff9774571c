from pathlib import Path

import pytest

from fourfold.suite import registry
from fourfold.suite.atomic import StoreError
from fourfold.suite.campaign import task_card
from fourfold.suite.cards import read_cards, write_card

CARD = {"title": "Fair credit", "metrics": [{"name": "auc", "low": 0.0}], "doc": "façade"}


def test_cards_are_read_as_they_were_written(tmp_path: Path) -> None:
    assert read_cards(tmp_path).task == {}
    assert write_card(tmp_path, "task", "fair-credit-1.2", CARD)
    assert write_card(tmp_path, "method", "ab" * 32, {"title": "Scorecard"})
    cards = read_cards(tmp_path)
    assert cards.task == {"fair-credit-1.2": CARD}
    assert cards.method == {"ab" * 32: {"title": "Scorecard"}}
    assert cards.skipped == []


def test_a_card_never_changes(tmp_path: Path) -> None:
    assert write_card(tmp_path, "task", "t-1", CARD)
    assert write_card(tmp_path, "task", "t-1", dict(reversed(CARD.items())))
    assert not write_card(tmp_path, "task", "t-1", {**CARD, "title": "Other"})
    assert read_cards(tmp_path).task == {"t-1": CARD}


@pytest.mark.parametrize("text", ["", '{"title": "Fai', "[1, 2]", "\xff"])
def test_a_malformed_card_is_named_and_does_not_stand_in_the_way(tmp_path: Path, text: str) -> None:
    write_card(tmp_path, "task", "t-1", CARD)
    bad = tmp_path / "cards" / "method-abc.json"
    bad.write_text(text, encoding="latin-1")
    (tmp_path / "cards" / "notes.txt").write_text("mine")
    cards = read_cards(tmp_path)
    assert cards.task == {"t-1": CARD}
    assert {skipped.path.name for skipped in cards.skipped} == {"method-abc.json", "notes.txt"}
    assert write_card(tmp_path, "method", "abc", CARD)
    assert read_cards(tmp_path).method == {"abc": CARD}
    assert (tmp_path / "retired" / "method-abc.1.json").read_text(encoding="latin-1") == text


def test_a_name_cannot_leave_the_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="names no card"):
        write_card(tmp_path, "task", "../../elsewhere", CARD)
    with pytest.raises(StoreError, match="names no card"):
        write_card(tmp_path, "tusk", "t-1", CARD)


def test_a_task_card_carries_the_names_of_kinds(tmp_path: Path) -> None:
    task = registry.task("dp-images")
    write_card(tmp_path, "task", "dp-images-1", task_card(task))
    metrics = {metric["name"]: metric for metric in read_cards(tmp_path).task["dp-images-1"]["metrics"]}
    assert metrics["rung"]["names"] == ["none", "claimed", "accounted", "verified"]
    assert metrics["sampling"]["names"][1] == "poisson"
    assert metrics["accuracy"]["names"] == []
