"""From cells' files to a method's page: contact sheets and leaks, some of them written by somebody hostile."""

import base64
import hashlib
import html
import io
import math
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fourfold.leaderboard import pages as rendering
from fourfold.leaderboard import reading, sheets
from fourfold.leaderboard.board import Board
from fourfold.suite import cards, exhibit, store

PageOf = Callable[[Path, str], Path]
HOSTILE = "</figcaption></script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
TURNED = "\u202emirrored\u2066"
METHODS = ("leaky", "hostile", "clean", "bomb")
TASK = {
    "name": "hide",
    "version": "1",
    "title": "Hide people",
    "headline": "leak_rate",
    "shown": ["leak_rate"],
    "unranked": [],
    "metrics": [
        {"name": "leak_rate", "title": "leak rate", "family": "privacy", "better": "lower", "doc": "", "unit": ""}
        | {"names": [], "low": 0, "high": 1}
    ],
}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def picture(width: int = 648, height: int = 320, seed: int = 0) -> str:
    """Before and after, side by side, as PNG in base64."""
    grey = np.random.default_rng(seed).integers(0, 120, (height // 8, width // 8), dtype=np.uint8)
    drawn = Image.fromarray(grey).resize((width, height)).convert("RGB")
    ImageDraw.Draw(drawn).rectangle((8, 8, width // 4, 30), outline=(224, 96, 72))
    into = io.BytesIO()
    drawn.quantize(16).save(into, "PNG")
    return base64.b64encode(into.getvalue()).decode()


def sheet(text: str, count: int = 5) -> dict[str, Any]:
    images = [{"png": picture(seed=at), "caption": f"{text} {at}.dcm, CT"} for at in range(count)]
    return {"kind": "sheet", "title": f"Before and after {text}", "note": f"Red: {text}.", "images": images}


def leaks(text: str, count: int = 12) -> dict[str, Any]:
    leak = {
        "file": f"{text}/" + "9f" * 30 + ".dcm",
        "where": '(0040,0275)[0].(0019,"GEMS_ACQU_01",10)',
        "kind": f"name {text}",
        "form": f"other order {text}",
        "locus": "nested",
        "snippet": [f"{text} CT chest for ", f"김 민준 {text}", f", then nothing {text}"],
    }
    listed = [leak] * count
    return {"kind": "leaks", "title": f"What leaked {text}", "note": f"Note {text}", "total": 900, "leaks": listed}


def bomb() -> bytes:
    """A sheet whose one picture unfolds to 16 GB, as an outsider would write it: past the checks of ``encode``."""
    head = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR" + struct.pack(">IIBBBBB", 65535, 65535, 8, 6, 0, 0, 0)
    found = sheet("", 0) | {"images": [{"png": base64.b64encode(head).decode(), "caption": ""}]}
    return zlib.compress(str(found).replace("'", '"').encode())


def exhibits(method: str) -> dict[str, bytes]:
    if method == "bomb":
        return {"sheet": bomb()}
    if method == "clean":
        return {"leaks": exhibit.encode(leaks("", 0) | {"total": 0})}
    text = f"{HOSTILE}{TURNED}" if method == "hostile" else ""
    return {"leaks": exhibit.encode(leaks(text)), "sheet": exhibit.encode(sheet(text))}


@pytest.fixture(scope="module")
def hidden(tmp_path_factory: pytest.TempPathFactory) -> Board:
    root = store.create(tmp_path_factory.mktemp("sheets") / "results")
    cards.write_card(root, "task", "hide-1", TASK)
    for method in METHODS:
        here = {"cell": digest(method), "task": "hide", "dataset": "drawn", "method": method, "parameters": "{}"}
        here |= {"method_digest": digest(method), "epsilon": math.inf, "delta": 1e-5, "seed": 0, "status": "ok"}
        score = {"metric": "leak_rate", "family": "privacy", "group": "", "value": 0.1, "low": 0.0, "high": 0.2, "n": 9}
        rows = [here | score | {"reason": "", "replicates": [0.1] * 200}]
        shared = here | {"reason": ""}
        store.write_cell(root, here["cell"], rows + exhibit.rows(shared, exhibits(method)), {"task_version": "1"})  # type: ignore[arg-type]
    return reading.aggregate(root)


@pytest.fixture(scope="module")
def folder(hidden: Board, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("board")
    rendering.render(hidden, out)
    return out


def test_a_method_page_shows_its_pictures_with_their_size_and_what_they_are(folder: Path, page_of: PageOf) -> None:
    text = page_of(folder, "leaky").read_text()
    images = re.findall(r"<img [^>]*>", text)
    assert len(images) == 5
    for at, image in enumerate(images):
        assert f'src="data:image/png;base64,{picture(seed=at)}" width="648" height="320"' in image
        assert f'alt="Before and after :  {at}.dcm, CT"' in image


def test_a_method_page_lists_leaks_with_what_was_found_marked(folder: Path, page_of: PageOf) -> None:
    text = page_of(folder, "leaky").read_text()
    table = html.unescape(text.split('class="leaks"')[1].split("</table>")[0])
    assert table.count("<mark>김 민준 </mark>") == 12
    assert '(0040,0275)[0].(0019,"GEMS_ACQU_01",10)' in table
    assert "12 of 900 are here." in text


def test_a_method_that_leaks_nothing_is_said_to(folder: Path, page_of: PageOf) -> None:
    text = page_of(folder, "clean").read_text()
    assert "None was found." in text
    assert "<img" not in text


def test_a_picture_that_unfolds_to_gigabytes_is_named_and_not_shown(
    hidden: Board, folder: Path, page_of: PageOf
) -> None:
    assert [why for what, why in hidden.skipped if "'sheet' of cell" in what] == [
        "an image of 65535 x 65535 pixels, where 2048 a side and 1,048,576 are allowed"
    ]
    assert "<img" not in page_of(folder, "bomb").read_text()


def test_a_page_carries_so_many_pictures_and_counts_the_others() -> None:
    each = len(picture())
    shown = sheets.view({"sheet": sheet("", 5) | {"images": [{"png": picture(), "caption": ""}] * 5}}, 3 * each + 1)
    assert shown is not None
    assert len(shown["sheets"][0]["images"]) == 3
    assert shown["sheets"][0]["left_out"] == 2


def test_a_task_without_pictures_has_no_section_for_them(pages: Path, page_of: PageOf) -> None:
    text = page_of(pages, "scorecard").read_text()
    assert 'class="sheet"' not in text
    assert 'class="leaks"' not in text
    assert sheets.view({"fans": {"kind": "fans", "title": "", "charts": []}}, 100) is None


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1400, "light")])
def test_pictures_are_drawn_and_no_page_scrolls_sideways(opened: Any, folder: Path, width: int, scheme: str) -> None:
    tab = opened("leaky", folder, viewport={"width": width, "height": 844}, color_scheme=scheme)
    drawn = tab.evaluate("[...document.querySelectorAll('.pictures img')].map(i => [i.naturalWidth, i.clientWidth])")
    assert len(drawn) == 5
    assert all(natural == 648 and 0 < shown <= min(648, width) for natural, shown in drawn)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.browser
def test_what_a_stranger_wrote_stays_text(opened: Any, folder: Path) -> None:
    tab = opened("hostile", folder, viewport={"width": 390, "height": 844})
    assert tab.locator("script").count() == 0
    assert tab.locator("img").count() == 5
    assert tab.locator(".pictures figcaption").first.inner_text() == f"{HOSTILE}{TURNED} 0.dcm, CT"
    row = tab.locator(".leaks tbody tr").first
    assert row.locator("mark").inner_text() == f"김 민준 {HOSTILE}{TURNED}"
    assert row.locator("th").inner_text() == f"name {HOSTILE}{TURNED}"
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
