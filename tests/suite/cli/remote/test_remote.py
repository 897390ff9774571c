"""Results in a bucket, through the front door, against a real S3-compatible server on loopback."""

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from buckets import SECRET, SLEEPERS, SLOPE, mirror, objects

from fourfold.suite import compact, remote, store
from fourfold.suite.atomic import StoreError
from fourfold.suite.mirror import waiting

Run = Callable[..., Any]
_SPY = """
import os
from fourfold.suite import Method

class Spy(Method):
    task = "coins"
    def fit(self, train, budget):
        print(dict(os.environ))
        print([each for each in {places!r} if os.access(each, os.R_OK)])
    def predict(self, query):
        return [0.5] * len(query.features)
"""


def test_what_one_machine_scores_every_other_reads_and_no_method_sees_the_credentials(
    at: Run, told: Run, there: Any, url: str, tmp_path: Path
) -> None:
    secrets, spy = tmp_path / "a" / ".aws" / "credentials", tmp_path / "spy.py"
    secrets.parent.mkdir(parents=True)
    secrets.write_text(f"[default]\naws_access_key_id = testing\naws_secret_access_key = {SECRET}\n")
    spy.write_text(_SPY.format(places=[str(secrets), str(tmp_path / "a" / "fourfold" / "remote")]))
    said, complained = at("a", *SLOPE, "-m", str(spy), "--seeds", "1", "--results", url).communicate()
    assert "2 ok" in said, complained
    assert f"to see the board: fourfold board '{url}'" in said
    cells = objects(there, url)
    assert len(cells) == 2
    status = json.loads(told("b", "status", url, "--json")[1])
    assert (status["cells"], status["statuses"], status["skipped"]) == (2, {"ok": 2}, [])
    assert "coin-slope" in told("b", "board", url, "--format", "md")[1]
    shown = [json.loads(told("b", "show", each[:8], "--results", url, "--json")[1]) for each in cells]
    (known,) = (each["provenance"] for each in shown if each["rows"][0]["method"] == "spy")
    assert "PATH" in known["log"]
    assert "AWS_" not in known["log"]
    assert SECRET not in known["log"]
    if known["confinement"] == "namespaces":
        assert known["log"].strip().endswith("[]")
    said, complained = at("b", *SLOPE, "--seeds", "2", "--results", url).communicate()
    assert "1 cells to run, 1 cached" in said, complained
    assert "3 cells: 3 ok" in told("a", "status", url)[1]
    assert objects(there, url, "").keys() >= {"key", *cells}
    assert oct(mirror(tmp_path, "a").stat().st_mode & 0o777) == "0o700"


def test_folders_and_urls_merge_into_each_other(told: Run, there: Any, url: str, results: Path, tmp_path: Path) -> None:
    assert told("a", "compact", "results")[0] == 0
    assert json.loads(told("a", "merge", "results", "--out", url, "--json")[1])["copied"] == 5
    assert {path.rpartition("/")[2] for path in there.find(f"{url}/compacted")} == {"rows.parquet", "cells.parquet"}
    assert json.loads(told("b", "merge", url, "--out", "copy", "--json")[1])["copied"] == 5
    assert store.statuses(tmp_path / "copy") == store.statuses(results)
    code, _, complained = told("b", "compact", url)
    assert (code, "fourfold merge" in complained) == (2, True)


def test_a_compacted_cell_is_not_run_anew_at_a_url(opened: Run, url: str, results: Path, there: Any) -> None:
    compact.compact(results)
    there.put(f"{results}/", f"{url}/", recursive=True)
    before = objects(there, url, "")
    found = opened("a", url)
    with pytest.raises(StoreError, match=r"is in a compacted folder of s3://.*`fourfold merge"):
        remote.retire(found, [min(store.done(results))])
    assert objects(there, url, "") == before


def test_two_campaigns_at_once_come_to_one_store(at: Run, there: Any, url: str, tmp_path: Path) -> None:
    backends = {"a": "serial", "b": "process"}
    for campaign in [at(name, *SLEEPERS[:-1], backends[name], "--results", url) for name in "ab"]:
        said, complained = campaign.communicate()
        assert "4 ok" in said, complained
    assert (len(objects(there, url)), len(objects(there, url, "methods"))) == (4, 1)
    for name in "ab":
        found = mirror(tmp_path, name)
        assert {path.name: path.read_bytes() for path in found.glob("cells/*/*")} == objects(there, url)
        assert (found / "key").read_bytes() == there.cat_file(f"{url}/key")


@pytest.mark.parametrize(
    ("place", "changes", "advice"),
    [
        ("s3://no-such-bucket/results", {}, "make the bucket, or give another URL"),
        ("URL", {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "see that your credentials are there"),
        ("URL", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "look at the server, then run the same command again"),
        ("s4://bucket/results", {}, "give a folder, or a URL such as s3://bucket/results"),
        ("gs://bucket/results", {}, "pip install 'fourfold[remote]'"),
    ],
)
def test_what_is_wrong_is_told_before_anything_runs(
    told: Run, url: str, place: str, changes: dict[str, str], advice: str
) -> None:
    place = url if place == "URL" else place
    code, said, complained = told("a", "run", "-t", "fair-credit", "-m", "approve-all", "--results", place, **changes)
    assert (code, said) == (2, "")
    assert advice in complained
    assert place in complained
    assert len(complained.splitlines()) == 1


def test_a_password_in_a_url_is_neither_used_nor_repeated(told: Run) -> None:
    code, said, complained = told("a", "status", f"sftp://somebody:{SECRET}@127.0.0.1/results")
    assert (code, said) == (2, "")
    assert "give the URL without it" in complained
    assert SECRET not in complained


def test_a_server_that_denies(told: Run, url: str, server: int) -> None:
    def let(count: str) -> None:
        where, kind = f"http://127.0.0.1:{server}/moto-api/reset-auth", {"Content-Type": "text/plain"}
        urllib.request.urlopen(urllib.request.Request(where, count.encode(), kind)).close()

    let("0")
    try:
        code, _, complained = told("a", "status", url)
    finally:
        let("inf")
    assert code == 2
    assert complained.startswith(f"fourfold: cannot read {url}: ")
    assert "see that your credentials are there, as AWS_PROFILE or AWS_ACCESS_KEY_ID, and allow it" in complained


def test_a_bucket_without_results(told: Run, url: str) -> None:
    code, _, complained = told("a", "status", url)
    assert (code, f"there are no results at {url}: " in complained) == (2, True)


def test_the_first_result_at_the_url_stands_and_another_is_a_conflict(
    opened: Run, make_cell: Run, url: str, there: Any
) -> None:
    machines = [opened(name, url) for name in "ab"]
    for each, value in zip(machines, (0.5, 0.75), strict=True):
        for number in (0, 1):
            cell, rows = make_cell(number)
            rows[0]["value"] = value if number else 0.5
            store.write_cell(store.create(each.mirror), cell, rows, {"machine": value})
    for each in machines:
        remote.push(each)
    first, second = machines
    assert (first.clashes.conflicts, first.clashes.differs) == ([], [])
    (conflict,) = second.clashes.conflicts
    assert (conflict.metric, conflict.left, conflict.right) == ("auc", {"value": 0.5}, {"value": 0.75})
    for each in machines:
        assert {path.name: path.read_bytes() for path in each.mirror.glob("cells/*/*")} == objects(there, url)
        assert waiting(each.mirror) == []
    assert len(list((second.mirror / "retired").iterdir())) == 2


def test_no_object_leads_out_of_the_mirror(told: Run, there: Any, url: str, tmp_path: Path) -> None:
    there.pipe_file(f"{url}/cells/../../../escaped.parquet", b"PAR1")
    _, _, complained = told("a", "status", url)
    assert f"skipped {url}/cells/../../../escaped.parquet: nothing of fourfold's" in complained
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_who_has_a_cell_whole_puts_it_in_the_place_of_a_damaged_one(
    opened: Run, make_cell: Run, url: str, there: Any
) -> None:
    cell, rows = make_cell(0)
    found = opened("a", url)
    store.write_cell(store.create(found.mirror), cell, rows, {})
    remote.push(found)
    before = objects(there, url)
    there.pipe_file(f"{url}/cells/{cell[:2]}/{cell}.parquet", b"PAR1 and nothing else")
    found = opened("a", url)
    assert len(found.notes) == 1
    remote.push(found)
    assert objects(there, url) == before
    assert opened("b", url).notes == []
