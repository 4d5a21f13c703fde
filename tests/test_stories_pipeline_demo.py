"""The stories on the demo company: their own history of the pipeline must equal the Book's, to the cent."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from salestrack.book import Book
from salestrack.i18n import Words
from salestrack.kpis import open_pipeline
from salestrack.stories import coverage, pipeline

DEMO = Path(__file__).parents[1] / "data" / "demo"


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("company") / "demo"
    shutil.copytree(DEMO, folder, ignore=shutil.ignore_patterns("store"))
    return folder


def test_the_stock_of_each_month_is_what_the_book_of_that_month_says(company: Path) -> None:
    with Book.open(company, date(2026, 10, 31)) as book, Book.open(company, date(2026, 7, 31)) as earlier:
        stock = pipeline.stock(book, months=4)
        expected = [
            one.kpi(open_pipeline)[["open_pipeline", "n"]].iloc[0].tolist() for one in (earlier, book)
        ]
    assert stock[["open_pipeline", "n"]].iloc[[0, -1]].values.tolist() == expected


def test_the_steps_of_the_month_add_up_to_the_open_pipeline(company: Path) -> None:
    with Book.open(company, date(2026, 10, 31)) as book:
        steps = pipeline.changes(book, Words("en"))
        now = float(book.kpi(open_pipeline)["open_pipeline"].iloc[0])
    assert round(float(steps["value"].iloc[:-1].sum()), 2) == round(now, 2) == steps["value"].iloc[-1]


def test_the_need_is_that_of_the_eight_quarters_together(company: Path) -> None:
    with Book.open(company, date(2026, 10, 31)) as book:
        past = coverage.record(book, book.month.containing("quarter"))
    whole, sums = past.together.iloc[0], past.each[["open_value", "won_value", "won_besides"]].sum()
    assert (whole["n"], whole["day"], whole["days"]) == (len(past.each), 31, 92) == (8, 31, 92)
    brought = (sums["won_value"] + sums["won_besides"]) / sums["open_value"]
    assert coverage.needed(past) == pytest.approx(1 / brought, rel=1e-12)
