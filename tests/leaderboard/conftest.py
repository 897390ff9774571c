"""A results table as the suite would write it: a dozen methods on two datasets, with failures, and a hostile name."""

import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from fourfold.leaderboard.board import Board, build
from fourfold.suite.cellfile import SCHEMA

HOSTILE = "</script><script>alert(1)</script>"
B = 400


def metric(
    name: str,
    title: str,
    family: str,
    better: str,
    unit: str = "",
    low: float | None = 0,
    high: float | None = 1,
    names: tuple[str, ...] = (),
) -> dict[str, Any]:
    return {
        "name": name,
        "title": title,
        "family": family,
        "better": better,
        "doc": f"What {title} means.",
        "unit": unit,
        "low": low,
        "high": high,
        "names": list(names),
    }


TASK = {
    "name": "fair-credit",
    "version": "1",
    "title": "Score loan applicants",
    "doc": "Probabilities of default, at one threshold.",
    "headline": "net_benefit_fair",
    "unranked": ["german"],
    "declares": {"track": ["blind", "aware"]},
    "shown": [
        "net_benefit_fair",
        "auc",
        "brier",
        "equalized_odds_difference",
        "demographic_parity_difference",
        "adverse_impact_ratio",
        "cpu_seconds",
    ],
    "metrics": [
        metric("net_benefit_fair", "net benefit, fair", "accuracy", "higher", low=None),
        metric("auc", "AUC", "accuracy", "higher"),
        metric("brier", "Brier score", "accuracy", "lower"),
        metric("equalized_odds_difference", "equalized odds gap", "fairness", "lower") | {"averages": False},
        metric("demographic_parity_difference", "demographic parity gap", "fairness", "lower"),
        metric("adverse_impact_ratio", "adverse impact ratio", "fairness", "higher"),
        metric("selection_rate", "approval rate", "fairness", "none"),
        metric("epsilon_claimed", "claimed ε", "privacy", "lower", high=None),
        metric("epsilon_accounted", "accounted ε", "privacy", "lower", high=None),
        metric("epsilon_audited", "audited ε ≥", "privacy", "lower", high=None),
        metric("leakage_auc", "leakage AUC", "privacy", "lower"),
        metric("rung", "backing", "privacy", "higher", high=3, names=("none", "claimed", "accounted", "verified")),
        metric("refuted", "refuted", "privacy", "lower"),
        metric("cpu_seconds", "CPU", "cost", "lower", "s", high=None),
        metric("peak_memory", "peak memory", "cost", "lower", "MiB", high=None),
    ],
}

# name, parameters, epsilon, track, headline, AUC, equalized odds gap, CPU seconds: the order of published baselines
METHODS: list[tuple[str, dict[str, Any], float, str, float, float, float, float]] = [
    ("approve-all", {}, math.inf, "blind", 0.0, 0.5, 0.0, 0.002),
    ("logistic", {}, math.inf, "blind", 0.200, 0.716, 0.031, 0.31),
    ("scorecard", {"bins": 12}, math.inf, "blind", 0.280, 0.771, 0.034, 1.9),
    ("lightgbm", {}, math.inf, "blind", 0.291, 0.778, 0.036, 2.8),
    ("lightgbm-reweighed", {}, math.inf, "blind", 0.284, 0.777, 0.029, 2.9),
    ("correlation-remover", {}, math.inf, "blind", 0.190, 0.709, 0.024, 0.5),
    ("grid-search", {"constraint": "equalized-odds"}, math.inf, "blind", 0.194, 0.712, 0.022, 14.0),
    ("threshold-optimizer", {}, math.inf, "aware", 0.262, 0.770, 0.012, 3.6),
    ("relaxed-equalized-odds", {}, math.inf, "aware", 0.297, 0.778, 0.015, 4.1),
    ("dp-sgd-logistic", {}, 1.0, "blind", 0.110, 0.66, 0.033, 22.0),
    ("dp-sgd-logistic", {}, 3.0, "blind", 0.156, 0.69, 0.033, 22.0),
    ("dp-sgd-logistic", {}, 8.0, "blind", 0.171, 0.70, 0.033, 22.0),
    ("boastful", {}, 1.0, "blind", 0.310, 0.78, 0.030, 2.0),
    ("adversarial", {}, math.inf, "blind", 0.205, 0.73, 0.020, 61.0),
    ("out-of-luck", {"depth": 99}, math.inf, "blind", 0.1, 0.6, 0.1, 1.0),
    (HOSTILE, {}, math.inf, "blind", 0.13, 0.65, 0.08, 0.7),
]


def digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def cards() -> dict[str, dict[str, Any]]:
    return {
        digest(name): {
            "name": name,
            "digest": digest(name),
            "version": "1",
            "author": "A. N. Author",
            "licence": "Apache-2.0",
            "doc": f"What {name} does, in its author's words.",
            "declared": {"track": track},
            "private": math.isfinite(epsilon),
            "parameters": given,
        }
        for name, given, epsilon, track, *_ in METHODS
    }


def cell_rows(method: tuple[Any, ...], dataset: str, seed: int) -> list[dict[str, Any]]:
    """The rows of one cell. Resamples of one (dataset, seed) share their noise, as the suite's do."""
    name, given, epsilon, _, fair, auc, gap, cpu = method
    shared = np.random.default_rng([len(dataset), seed])
    own = np.random.default_rng([int(digest(name)[:6], 16), seed, len(dataset), int(min(epsilon, 99))])
    here = {
        "cell": digest(repr((name, given, epsilon, dataset, seed))),
        "task": "fair-credit",
        "dataset": dataset,
        "method": name,
        "method_digest": digest(name),
        "parameters": json.dumps(given),
        "epsilon": epsilon,
        "delta": 1e-5,
        "seed": seed,
        "n": 9000,
        "status": "ok",
        "reason": "",
        "replicates": None,
    }
    still = 0.0 if name == "approve-all" else 1.0
    drift = still * (0.010 * shared.normal() + 0.004 * own.normal())
    common = shared.normal(0, 0.012, B)
    values = {
        "net_benefit_fair": fair + drift,
        "auc": auc + still * 0.004 * own.normal(),
        "brier": 0.14 + 0.02 * own.random(),
        "equalized_odds_difference": gap * (0.8 + 0.4 * own.random()),
        "adverse_impact_ratio": 1 - gap,
        "demographic_parity_difference": gap / 2,
        "leakage_auc": 0.5 + 0.03 * own.random(),
        "cpu_seconds": cpu * (0.9 + 0.2 * own.random()),
        "peak_memory": 180 + 40 * own.random(),
        "epsilon_audited": 2.4 if name == "boastful" else 0.1 * own.random(),
        "epsilon_claimed": epsilon if math.isfinite(epsilon) else None,
        "refuted": float(name == "boastful"),
        "epsilon_accounted": 0.97 * epsilon if math.isfinite(epsilon) else None,
        "rung": 2.0 * math.isfinite(epsilon),
    }
    family = {each["name"]: each["family"] for each in TASK["metrics"]}  # type: ignore[attr-defined,index]
    bare = {"epsilon_audited", "epsilon_claimed", "epsilon_accounted", "refuted", "rung", "cpu_seconds", "peak_memory"}
    rows = [
        here
        | {
            "metric": key,
            "group": "",
            "family": family[key],
            "value": value,
            "low": None if key in bare or value is None else value - 0.02,
            "high": None if key in bare or value is None else value + 0.02,
        }
        for key, value in values.items()
    ]
    rows[0]["replicates"] = (values["net_benefit_fair"] + still * (common + own.normal(0, 0.004, B))).tolist()
    rows[0] |= {"low": values["net_benefit_fair"] - 0.025 * still, "high": values["net_benefit_fair"] + 0.025 * still}
    for place, group in enumerate(("sex=female", "sex=male", "age=young", "age=old")):
        undefined = group == "age=old" and dataset == "german"
        rows.append(
            here
            | {
                "metric": "selection_rate",
                "group": group,
                "family": "fairness",
                "n": 3 if undefined else 2000,
                "value": None if undefined else 0.7 + 0.02 * place,
                "low": None if undefined else 0.68 + 0.02 * place,
                "high": None if undefined else 0.72 + 0.02 * place,
            }
        )
    return rows


def failed(method: tuple[Any, ...], dataset: str, seed: int, status: str, reason: str) -> list[dict[str, Any]]:
    row = cell_rows(method, dataset, seed)[0]
    return [
        row
        | {
            "metric": "",
            "family": "",
            "value": None,
            "low": None,
            "high": None,
            "replicates": None,
            "n": 0,
            "status": status,
            "reason": reason,
        }
    ]


def example_rows(seeds: int = 5) -> Iterator[list[dict[str, Any]]]:
    for dataset in ("taiwan", "german"):
        for method in METHODS:
            for seed in range(seeds):
                if method[0] == "adversarial" and seed == 3:
                    yield failed(method, dataset, seed, "timeout", "took longer than 600 s of wall clock")
                elif method[0] == "out-of-luck":
                    yield failed(method, dataset, seed, "failed", f"ValueError: {HOSTILE}")
                else:
                    yield cell_rows(method, dataset, seed)


def table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=SCHEMA)


Example = tuple[pa.Table, dict[str, Any], dict[str, dict[str, Any]]]


@pytest.fixture(scope="session")
def example() -> Example:
    """Rows, task card, method cards."""
    return table([row for cell in example_rows() for row in cell]), TASK, cards()


@pytest.fixture(scope="session")
def board(example: Example) -> Board:
    rows, task, methods = example
    return build(
        rows, {"fair-credit": task}, methods, skipped=[("results/cells/ab/abcd.parquet", "not a whole Parquet file")]
    )


@pytest.fixture(scope="session")
def pages(board: Board, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from fourfold.leaderboard import pages

    out = tmp_path_factory.mktemp("board")
    pages.render(board, out)
    return out


PageOf = Callable[[Path, str], Path]


@pytest.fixture(scope="session")
def page_of() -> PageOf:
    """Finds the page of a folder that has this heading."""
    return lambda folder, name: next(
        path for path in sorted(folder.glob("*.html")) if f"<h1>{name}" in path.read_text()
    )


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    path = os.environ.get("FOURFOLD_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not path:
        pytest.skip("no Chromium on the path; name one in FOURFOLD_CHROMIUM")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium: Any, pages: Path, page_of: PageOf) -> Iterator[Any]:
    """Open a page by its heading, in a context with options; whatever it complains of or asks for is an error.

    The page is one of ``pages``, or of another ``folder``.
    """
    wrong: list[str] = []
    contexts = []

    def open_page(name: str, folder: Path = pages, **options: Any) -> Any:
        context = chromium.new_context(**options)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on(
            "request", lambda asked: None if asked.url.startswith("file:") else wrong.append(f"request: {asked.url}")
        )
        tab.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        tab.goto((folder / "index.html" if name == "index" else page_of(folder, name)).as_uri())
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


Rows = Callable[..., Board]


@pytest.fixture
def board_of() -> Rows:
    """A board of bare scores: ``{method: [headline of seed 0, of seed 1, ...]}``, None for a cell that failed.

    reach: of each cell's own interval to both sides of the score; none by default. fixed: whether all seeds score the
    same records.
    """

    def make(
        scores: dict[str, list[float | None]],
        replicates: dict[str, np.ndarray] | None = None,
        refuted: tuple[str, ...] = (),
        dataset: str = "taiwan",
        provenance: dict[str, Any] | None = None,
        reach: float | None = None,
        fixed: bool = False,
    ) -> Board:
        rows = []
        for name, values in scores.items():
            for seed, value in enumerate(values):
                method = (name, {}, math.inf, "blind", value or 0.0, 0.7, 0.03, 1.0)
                if value is None:
                    rows += failed(method, dataset, seed, "failed", "no luck")
                    continue
                first = cell_rows(method, dataset, seed)[0]
                first["replicates"] = None if replicates is None else replicates[name][seed].tolist()
                rows += [
                    first
                    | {"value": value, "low": None, "high": None}
                    | ({} if reach is None else {"low": value - reach, "high": value + reach}),
                    first | {"metric": "refuted", "value": float(name in refuted), "replicates": None},
                ]
        task = {**TASK, "fixed": [dataset]} if fixed else TASK
        return build(table(rows), {"fair-credit": task}, {}, provenance=provenance)

    return make
