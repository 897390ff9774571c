"""What a dataset in the cache is known by: where it is, whether it is whole, and the digest of its values."""

from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.suite.datasets import (
    Dataset,
    DatasetError,
    File,
    cache_folder,
    checksum,
    content_digest,
    fetch,
    require,
    state,
    verify,
)


def test_the_digest_of_bytes_sees_every_byte_and_where_one_ends(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    def digest(*values: bytes | None, kind: str = "binary") -> str:
        pq.write_table(pa.table({"jpeg": pa.array(values, kind)}), tmp_path / "a.parquet")
        return content_digest(tmp_path / "a.parquet")

    first = digest(b"\xff\xd8", b"\x00")
    assert first == digest(b"\xff\xd8", b"\x00", kind="large_binary")
    assert len({first, digest(b"\xff", b"\xd8\x00"), digest(b"\xff\xd8", b"\x01"), digest(b"\xff\xd8", None)}) == 4


def test_require_names_the_file_and_the_command(loans, body, tmp_path):
    dataset = loans
    with pytest.raises(DatasetError, match=r"loans\.csv: it is not there. Run: fourfold data fetch fair-credit loans"):
        require(dataset, tmp_path)
    (tmp_path / "credit").mkdir()
    (tmp_path / "credit/loans.csv").write_bytes(body[:-1])
    with pytest.raises(DatasetError, match="it has 2999999 bytes instead of 3000000"):
        require(dataset, tmp_path)
    assert state(dataset, tmp_path) == "corrupt"
    (tmp_path / "credit/loans.csv").write_bytes(body)
    require(dataset, tmp_path)


def test_a_dataset_of_two_files_can_be_half_there(loans, tmp_path):
    two = replace(loans, files=(loans.files[0], File("credit/more.csv")))
    fetch(loans, tmp_path)
    assert state(two, tmp_path) == "incomplete"
    [complaint] = verify(two, tmp_path)
    assert "more.csv: it is not there" in complaint


def test_the_checksum_is_that_of_the_contents(loans, tmp_path):
    pinned = checksum(loans, tmp_path)
    assert pinned == checksum(replace(loans, title="Other", licence="MIT"), tmp_path)
    assert pinned != checksum(replace(loans, files=(replace(loans.files[0], sha256="0"),)), tmp_path)

    unpinned = replace(loans, files=(File("credit/loans.csv"),))
    with pytest.raises(DatasetError, match="it is not there"):
        checksum(unpinned, tmp_path)
    fetch(loans, tmp_path)
    assert checksum(unpinned, tmp_path) == pinned

    embedded = Dataset("simulated", "Simulated", "Apache-2.0", "here", version="1")
    assert state(embedded, tmp_path) == "embedded"
    assert verify(embedded, tmp_path) == []
    assert checksum(embedded, tmp_path) != checksum(replace(embedded, version="2"), tmp_path)


def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("FOURFOLD_DATA", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("FOURFOLD_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr("sys.platform", "linux")
    assert cache_folder() == tmp_path / "xdg" / "fourfold"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "fourfold"


columns = st.lists(st.tuples(st.integers(-100, 100), st.floats(width=32, allow_infinity=False), st.text(max_size=5)),
                   min_size=1, max_size=8)


@settings(max_examples=40, deadline=None)
@given(columns, st.integers(0, 7))
def test_the_digest_sees_values_and_nothing_else(tmp_path_factory, rows, at):
    folder = tmp_path_factory.mktemp("digest")
    frame = pd.DataFrame(rows, columns=["whole", "real", "text"])
    frame.to_parquet(folder / "a.parquet")
    frame[["text", "real", "whole"]].astype({"whole": "int16", "real": "float32"}).to_parquet(
        folder / "b.parquet", compression=None, row_group_size=2)
    digest = content_digest(folder / "a.parquet")
    assert content_digest(folder / "b.parquet") == digest

    at %= len(rows)
    for column, value in (("whole", rows[at][0] + 1), ("text", rows[at][2] + "x")):
        changed = frame.copy()
        changed.loc[at, column] = value
        changed.to_parquet(folder / "c.parquet")
        assert content_digest(folder / "c.parquet") != digest


def test_this_module_is_light_to_import():
    import subprocess
    import sys

    heavy = "import sys, fourfold.suite.datasets; print(*{'numpy', 'pyarrow', 'urllib.request'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
