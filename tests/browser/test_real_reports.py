"""The reports of both companies as a reader gets them: whole, clean, and with the figures of the raw exports."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import raw_sql as sql
from browser.devtools import Page
from bs4 import BeautifulSoup

from salestrack.i18n import Words
from salestrack.report.run import run_report

ROOT = Path(__file__).parents[2]
DEMO, ADVENTUREWORKS = ROOT / "data" / "demo", ROOT / "data" / "adventureworks"
NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"))
LONG = pytest.mark.whole
COMPANIES = ["demo", pytest.param("adventureworks", marks=LONG), pytest.param("german", marks=LONG)]
PAGES = ["index" if name.startswith("01") else name for name in NOTEBOOKS]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the demo's report of October 2026, in English."""
    return run_report(DEMO, month="2026-10", language="en", out=tmp_path_factory.mktemp("demo")).parent


@pytest.fixture(scope="module")
def german(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same report in German."""
    return run_report(DEMO, month="2026-10", language="de", out=tmp_path_factory.mktemp("german")).parent


@pytest.fixture(scope="module")
def adventureworks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of AdventureWorks' report of June 2020."""
    return run_report(ADVENTUREWORKS, month="2020-06", out=tmp_path_factory.mktemp("aw")).parent


def soup(folder: Path, page: str) -> BeautifulSoup:
    return BeautifulSoup((folder / f"{page}.html").read_text(encoding="utf-8"), "html.parser")


def cards(folder: Path) -> dict[str, str]:
    """The headline figures of the overview by their labels."""
    found = soup(folder, "index").select(".card")
    return {
        c.select_one(".card-label").get_text(strip=True): c.select_one(".card-value").get_text(strip=True)
        for c in found
    }


def test_there_is_a_page_per_notebook_and_the_record(demo: Path) -> None:
    assert len(NOTEBOOKS) >= 9
    assert {p.name for p in demo.glob("*.html")} == {f"{page}.html" for page in PAGES}
    assert {p.stem for p in (demo / "notebooks").glob("*.ipynb")} == set(NOTEBOOKS)
    record = json.loads((demo / "run.json").read_text(encoding="utf-8"))
    told = json.dumps(record)
    assert {len(sha256) for sha256 in record["data"]["inputs"].values()} == {64}
    assert record["seconds"].keys() == set(NOTEBOOKS)
    assert all(name in told for name in NOTEBOOKS)
    assert "duckdb" in told


def test_the_headline_figures_are_those_of_plain_sql_over_the_raw_exports(demo: Path) -> None:
    con, words, shown = sql.raw(DEMO), Words("en", "EUR", 1), cards(demo)
    booked = float(sql.one(con, sql.BOOKINGS)[0])
    won, lost = sql.one(con, sql.WIN_RATE)
    promoters, detractors, n = sql.one(con, sql.NPS)
    expected = {
        "Bookings": words.fmt(booked, "money", compact=True),
        "Quota attainment": words.fmt(booked / float(sql.one(con, sql.QUOTA)[0]), "share", compact=True),
        "Win rate": words.fmt(won / (won + lost), "share", compact=True),
        "Deal size": words.fmt(float(sql.one(con, sql.DEAL_SIZE)[0]), "money", compact=True),
        "Open pipeline": words.fmt(float(sql.one(con, sql.OPEN)[0]), "money", compact=True),
        "Net promoter score": words.fmt(100 * (promoters - detractors) / n, "points", compact=True),
    }
    assert {label: shown[label] for label in expected} == expected


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("company", COMPANIES)
def test_a_page_is_whole_and_says_nothing_silly(
    request: pytest.FixtureRequest, company: str, page: str
) -> None:
    whole = soup(request.getfixturevalue(company), page)
    text = whole.get_text(" ")
    assert not re.search(r"\b(nan|NaN|None(?! of)|NaT|inf|Traceback)\b", text)
    assert not whole.find_all("script")
    assert not [tag for tag in whole.find_all(src=True) if not tag["src"].startswith("data:")]
    assert not re.search(r"(?:src|href)=[\"']?https?:|url\(\s*[\"']?https?:", str(whole))
    assert all(image.get("alt", "").strip() for image in whole.find_all("img"))
    assert len(whole.find_all("h1")) == 1
    assert whole.html["lang"] == ("de" if company == "german" else "en")


@LONG
@pytest.mark.parametrize("page", ["03_pipeline", "04_funnel", "08_win_probability", "05_activities"])
def test_a_missing_table_is_said_in_one_sentence(adventureworks: Path, page: str) -> None:
    said = [tag.get_text() for tag in soup(adventureworks, page).select(".no-data")]
    assert any("hold no table" in sentence for sentence in said)


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("company", COMPANIES)
def test_axe_finds_no_violation(
    request: pytest.FixtureRequest, page: Callable[..., Page], axe: str, company: str, name: str, width: int
) -> None:
    opened = page(request.getfixturevalue(company) / f"{name}.html", width=width)
    assert opened.violations(axe) == []
    assert opened.console == []
    assert all(address.startswith(("file:", "data:")) for address in opened.requests)
    assert opened.evaluate("document.documentElement.scrollWidth") <= width


def test_plain_papermill_runs_a_notebook(tmp_path: Path) -> None:
    """As a scheduler or an analyst would call it, from the project's folder."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "papermill",
            "notebooks/03_pipeline.ipynb",
            str(tmp_path / "out.ipynb"),
            "-p",
            "month",
            "2026-09",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    executed = json.loads((tmp_path / "out.ipynb").read_text(encoding="utf-8"))
    shown = json.dumps([cell["outputs"] for cell in executed["cells"] if cell["cell_type"] == "code"])
    assert "September 2026" in shown
    assert "image/svg+xml" in shown
