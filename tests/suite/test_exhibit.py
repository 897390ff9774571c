"""An exhibit keeps what it is given, and takes nothing from a stranger that a page could not show."""

import base64
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.suite import exhibit, store
from fourfold.suite.cellfile import FOOTER, SCORES
from fourfold.suite.compact import compact, retire
from fourfold.suite.merge import merge

Make = Callable[..., tuple[str, list[dict[str, Any]]]]
HEAD = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"


def png(width: int, height: int) -> str:
    return base64.b64encode(HEAD + struct.pack(">II", width, height) + b"...").decode()


PNG = png(640, 320)


def chart(**changes: Any) -> dict[str, Any]:
    plain = {
        "series": "CA truck",
        "target": "displaced",
        "origin": "2026Q4",
        "periods": ["2026Q3", "2026Q4", "2027Q1", "2027Q2"],
        "history": [1, None],
        "outcome": [3.5, None],
        "quantiles": {level: [float(level), 2] for level in exhibit.QUANTILES},
    }
    return plain | changes


def fans(*charts: Any) -> dict[str, Any]:
    return {"kind": "fans", "title": "Forecasts", "charts": list(charts)}


def sheet(*images: Any) -> dict[str, Any]:
    return {"kind": "sheet", "title": "Before and after", "note": "Red can be read.", "images": list(images)}


def leak(**changes: Any) -> dict[str, Any]:
    plain = {
        "file": "a/1.dcm",
        "where": "(0008,1030)",
        "kind": "name",
        "form": "other order",
        "locus": "text",
        "snippet": ["CT for ", "Jane Roe", ", chest"],
    }
    return plain | changes


def leaks(*listed: Any, total: Any = 1) -> dict[str, Any]:
    return {"kind": "leaks", "title": "Leaks", "note": "Marked.", "total": total, "leaks": list(listed)}


def packed(found: Any) -> bytes:
    return zlib.compress(json.dumps(found).encode())


_number = st.none() | st.integers(-(10**14), 10**14) | st.floats(-1e14, 1e14)


@settings(max_examples=50)
@given(
    history=st.lists(_number, max_size=5), ahead=st.lists(_number, min_size=1, max_size=5), title=st.text(max_size=9)
)
def test_what_is_encoded_is_decoded(history: list[Any], ahead: list[Any], title: str) -> None:
    periods = [str(place) for place in range(len(history) + len(ahead))]
    quantiles = dict.fromkeys(exhibit.QUANTILES, ahead)
    one = chart(periods=periods, history=history, outcome=ahead, quantiles=quantiles)
    found = fans(one) | {"title": title}
    try:
        title.encode()
    except UnicodeEncodeError:
        return
    assert exhibit.decode(exhibit.encode(found)) == found


def test_a_sheet_of_pictures_is_kept() -> None:
    found = sheet({"png": PNG, "caption": "a <b>"})
    assert exhibit.decode(exhibit.encode(found)) == found
    assert exhibit.size(found["images"][0]["png"]) == (640, 320)


def test_a_list_of_leaks_is_kept() -> None:
    found = leaks(leak(), leak(where="filename"), total=900)
    assert exhibit.decode(exhibit.encode(found)) == found


def test_what_no_kind_knows_is_left_out() -> None:
    stray = fans(chart(onload="alert(1)")) | {"script": "alert(1)"}
    assert exhibit.decode(packed(stray)) == fans(chart())


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "cut short"),
        (b"no zlib", "no compressed JSON"),
        (packed(fans(chart()))[:-3], "cut short"),
        (zlib.compress(b"{"), "no compressed JSON"),
        (zlib.compress(b"[" * 100_000), "no compressed JSON"),
        (zlib.compress(b" " * (exhibit.UNPACKED + 1)), "unpacks to more"),
        (b"0" * (exhibit.LARGEST + 1), "show less"),
        (packed([]), "no JSON object"),
        (packed({"kind": "html", "title": ""}), "known are fans, sheet, leaks"),
        (packed({"kind": ["fans"], "title": ""}), "known are fans, sheet, leaks"),
        (packed(fans(chart()) | {"title": 5}), "its title"),
        (packed(fans(chart()) | {"title": "x" * 301}), "at most 300 characters"),
        (packed(fans(chart()) | {"title": "\ud800"}), "half a character"),
        (packed(fans("chart")), "a chart is no JSON object"),
        (packed(fans(*[chart()] * 5001)), "at most 5,000"),
        (packed(fans(chart(series=["CA"]))), "its series"),
        (packed(fans(chart(history=[1]))), "periods are not those"),
        (packed(fans(chart(periods=["1", "2"], outcome=[]))), "periods are not those"),
        (packed(fans(chart(outcome=[float("nan"), 1]))), "no number that can be drawn"),
        (packed(fans(chart(outcome=[float("inf"), 1]))), "no number that can be drawn"),
        (packed(fans(chart(outcome=[10**400, 1]))), "no number that can be drawn"),
        (packed(fans(chart(outcome=[True, 1]))), "no number that can be drawn"),
        (packed(fans(chart(outcome=["<script>", 1]))), "no number that can be drawn"),
        (packed(fans(chart(quantiles={"0.5": [1, 2]}))), "the quantile 0.05"),
        (packed(fans(chart(quantiles={level: [1] for level in exhibit.QUANTILES}))), "one for each period"),
        (packed(sheet({"png": "PHN2Zz4=", "caption": ""})), "no PNG"),
        (packed(sheet({"png": base64.b64encode(HEAD).decode(), "caption": ""})), "no PNG"),
        (packed(sheet({"png": PNG + '" onload="', "caption": ""})), "no PNG"),
        (packed(sheet({"png": PNG, "caption": 5})), "a caption"),
        (packed(sheet({"png": png(40_000, 1), "caption": ""})), "40000 x 1 pixels"),
        (packed(sheet({"png": png(2000, 2000), "caption": ""})), "1,048,576 are allowed"),
        (packed(sheet({"png": png(0, 5), "caption": ""})), "0 x 5 pixels"),
        (packed(sheet(*[{"png": PNG, "caption": ""}] * 65)), "at most 64"),
        (packed(sheet() | {"note": None}), "its note"),
        (packed(leaks("leak")), "a leak is no JSON object"),
        (packed(leaks(*[leak()] * 201, total=201)), "at most 200"),
        (packed(leaks(leak(), leak())), "no count"),
        (packed(leaks(leak(), total=True)), "no count"),
        (packed(leaks(leak(), total="<script>")), "no count"),
        (packed(leaks(leak(total=10**400), total=10**12)), "no count"),
        (packed(leaks(leak(form="x" * 301))), "a leak's form"),
        (packed(leaks(leak(file=None))), "a leak's file"),
        (packed(leaks(leak(snippet=["a", "b"]))), "a snippet is not"),
        (packed(leaks(leak(snippet=["a", "b", "\ud800"]))), "half a character"),
    ],
)
def test_what_cannot_be_shown_is_refused(data: bytes, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        exhibit.decode(data)


def test_an_exhibit_too_large_never_becomes_a_row() -> None:
    with pytest.raises(ValueError, match="'fans' has 2,000,001 bytes"):
        exhibit.rows({}, {"fans": b"0" * (exhibit.LARGEST + 1)})


def shown(make_cell: Make, number: int, data: bytes) -> tuple[str, list[dict[str, Any]]]:
    """A cell that carries an exhibit."""
    cell, rows = make_cell(number)
    return cell, rows + exhibit.rows(rows[0], {"fans": data})


def test_exhibits_are_stored_compacted_retired_and_merged(tmp_path: Path, make_cell: Make) -> None:
    data = exhibit.encode(fans(chart()))
    root = store.create(tmp_path / "results")
    for number in range(3):
        store.write_cell(root, *shown(make_cell, number, data), {})
    store.write_cell(root, *make_cell(3), {})

    def held(folder: Path) -> list[tuple[str, bytes]]:
        rows = store.read(folder, ["cell", "group", "exhibit"], metric=exhibit.METRIC).rows
        return sorted((row["cell"], row["exhibit"]) for row in rows.to_pylist())

    before = held(root)
    assert [one for _, one in before] == [data] * 3
    compact(root)
    assert held(root) == before
    merge([root], tmp_path / "other")
    assert held(tmp_path / "other") == before
    retire(root, [before[0][0]])
    assert held(root) == before[1:]


def test_two_runs_that_show_something_else_are_no_conflict(tmp_path: Path, make_cell: Make) -> None:
    for name, one in (("left", chart()), ("right", chart(series="TX bus"))):
        root = store.create(tmp_path / name)
        store.write_cell(root, *shown(make_cell, 0, exhibit.encode(fans(one))), {})
    assert merge([tmp_path / "right"], tmp_path / "left").conflicts == []


def test_scores_are_read_without_exhibits(tmp_path: Path, make_cell: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    root = store.create(tmp_path / "results")
    store.write_cell(root, *shown(make_cell, 0, exhibit.encode(fans(chart()))), {})
    read: list[Any] = []
    plain = pq.ParquetFile.read

    def watched(file: Any, **options: Any) -> Any:
        read.append(options["columns"])
        return plain(file, **options)

    monkeypatch.setattr(pq.ParquetFile, "read", watched)
    assert "exhibit" not in store.read(root, SCORES).rows.column_names
    assert read
    assert all("exhibit" not in columns for columns in read)


def test_a_file_from_before_exhibits_reads_on(tmp_path: Path, make_cell: Make) -> None:
    root, (cell, rows) = store.create(tmp_path / "results"), make_cell(0)
    store.write_cell(root, cell, rows, {})
    path = store.cell_path(root, cell)
    told = {FOOTER: pq.read_metadata(path).metadata[FOOTER]}
    pq.write_table(pq.read_table(path).drop_columns(["exhibit"]).replace_schema_metadata(told), path)
    compact(root)
    store.write_cell(root, *shown(make_cell, 1, exhibit.encode(fans(chart()))), {})
    found = store.read(root).rows
    assert found["exhibit"].null_count == found.num_rows - 1 == 6
