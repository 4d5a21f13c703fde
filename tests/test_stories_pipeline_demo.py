"""The stories on the demo company: their own history of the pipeline must equal the Book's, to the cent."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from salestrack.book import Book
from salestrack.i18n import Words
from salestrack.kpis import open_pipeline
from salestrack.stories import pipeline

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


def test_the_record_looks_at_the_same_day_of_each_past_quarter(company: Path) -> None:
    with Book.open(company, date(2026, 10, 31)) as book:
        past = pipeline.record(book, book.month.containing("quarter"), quarters=2)
    assert [str(day.date()) for day in past["day"]] == ["2026-05-01", "2026-07-31"]
    assert (past["yield"] == past["won_later"] / past["open_value"]).all()
