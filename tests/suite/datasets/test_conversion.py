"""Files that are kept in another form than they come in: their values are pinned, not their bytes."""

import gzip
import hashlib
import re
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fourfold.suite.datasets import Dataset, DatasetError, File, checksum, content_digest, fetch, state, verify

UNPACKED = np.random.default_rng(0).bytes(5000)


def csv_to_parquet(arrived: Path, made: Path) -> None:
    pd.read_csv(arrived).to_parquet(made, index=False)


def wrong_conversion(arrived: Path, made: Path) -> None:
    pd.read_csv(arrived).assign(income=0).to_parquet(made, index=False)


def converted(server: Any, tmp_path: Path, convert: str) -> tuple[Dataset, pd.DataFrame]:
    frame = pd.DataFrame({"income": [1.5, None, 3.0], "name": ["a", "b", None], "default": [0, 1, 0]})
    body = frame.to_csv(index=False).encode()
    server.files["/upstream.csv"] = body
    frame.astype({"default": "int8", "income": "float32"}).to_parquet(tmp_path / "other.parquet", compression="gzip")
    file = File("credit/loans.parquet", hashlib.sha256(body).hexdigest(), len(body), f"{server.address}/upstream.csv",
                f"{__name__}:{convert}", content_digest(tmp_path / "other.parquet"))
    return Dataset("loans", "Loans", "CC0", "nowhere", (file,), task="fair-credit"), frame


@pytest.fixture
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType(__name__)
    module.__dict__.update(csv_to_parquet=csv_to_parquet, wrong_conversion=wrong_conversion)
    monkeypatch.setitem(sys.modules, __name__, module)


@pytest.mark.usefixtures("_importable")
def test_what_is_converted_is_checked_by_its_values(server, tmp_path, monkeypatch):
    dataset, frame = converted(server, tmp_path, "csv_to_parquet")
    path = tmp_path / "credit/loans.parquet"
    fetch(dataset, tmp_path)

    assert path.read_bytes() != (tmp_path / "other.parquet").read_bytes()
    assert verify(dataset, tmp_path) == []
    assert sorted(p.name for p in path.parent.iterdir()) == ["loans.parquet"]

    frame.assign(default=[0, 1, 1]).to_parquet(path)
    assert state(dataset, tmp_path) == "present"
    [complaint] = verify(dataset, tmp_path)
    assert "its values have SHA-256" in complaint
    assert "fourfold data fetch fair-credit loans" in complaint

    monkeypatch.setenv("FOURFOLD_MIRROR", server.address)
    server.files["/credit/loans.parquet"] = (tmp_path / "other.parquet").read_bytes()
    assert fetch(dataset, tmp_path) == [path]
    assert verify(dataset, tmp_path) == []


@pytest.mark.usefixtures("_importable")
def test_a_conversion_that_goes_wrong_leaves_nothing(server, tmp_path):
    dataset, _ = converted(server, tmp_path, "wrong_conversion")
    with pytest.raises(DatasetError, match="once converted its values have SHA-256"):
        fetch(dataset, tmp_path)
    assert list((tmp_path / "credit").iterdir()) == []


def gzipped(server: Any, level: int = 9) -> Dataset:
    server.files["/loans.gz"] = gzip.compress(UNPACKED, level, mtime=0)
    file = File("credit/loans.gz", url=f"{server.address}/loans.gz", unpacked=hashlib.sha256(UNPACKED).hexdigest())
    return Dataset("loans", "Loans", "CC0", "nowhere", (file,), task="fair-credit")


def test_a_gzip_file_is_pinned_by_what_is_inside(server, tmp_path):
    dataset, path = gzipped(server), tmp_path / "credit/loans.gz"
    assert fetch(dataset, tmp_path) == [path]
    assert path.read_bytes() == server.files["/loans.gz"]

    path.write_bytes(gzip.compress(UNPACKED, 1, mtime=99))
    assert path.read_bytes() != server.files["/loans.gz"]
    assert verify(dataset, tmp_path) == []
    assert fetch(dataset, tmp_path) == []
    assert checksum(dataset, tmp_path) == checksum(dataset, tmp_path / "empty")


@pytest.mark.parametrize(("body", "complaint"), [
    (gzip.compress(UNPACKED[:-1]), "its bytes, unpacked, have SHA-256"),
    (gzip.compress(UNPACKED)[:-2000], r"no whole gzip file \(Compressed file ended"),
    (gzip.compress(UNPACKED)[:-8] + bytes(8), r"no whole gzip file \(CRC check failed"),
    (b"<html>moved</html>", r"no whole gzip file \(Not a gzipped file"),
    (gzip.compress(UNPACKED)[:20] + bytes(5000), "no whole gzip file"),
], ids=["other", "truncated", "checksum", "foreign", "damaged"])
def test_a_gzip_file_that_is_not_what_it_should_be_is_named_and_not_taken(server, tmp_path, body, complaint):
    dataset, path = gzipped(server), tmp_path / "credit/loans.gz"
    path.parent.mkdir()
    path.write_bytes(body)
    [wrong] = verify(dataset, tmp_path)
    assert re.search(complaint, wrong)
    assert "Run: fourfold data fetch fair-credit loans" in wrong

    server.files["/loans.gz"] = body
    with pytest.raises(DatasetError, match=complaint):
        fetch(dataset, tmp_path)
    assert path.read_bytes() == body
