"""The demo company through the Book: what the model says against what its inventor knows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from salestrack.book import Book
from salestrack.models import WinProbability, win_probability
from salestrack.page import Page
from salestrack.stories.win_probability import verdict
from salestrack.world import generate

DEMO = Path(__file__).parents[1] / "data" / "demo"


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    """The demo's book, imported into a folder of its own so that tests can run side by side."""
    folder = tmp_path_factory.mktemp("company")
    shutil.copytree(DEMO, folder / "demo", ignore=shutil.ignore_patterns("store"))
    with Book.open(folder / "demo", date(2026, 10, 31)) as opened:
        yield opened


@pytest.fixture(scope="module")
def found(book: Book) -> WinProbability:
    return win_probability(book)


def truth(column: str) -> pd.Series:
    known = pd.read_csv(DEMO / "truth" / "deal_truth.csv", dtype={"deal_id": str})
    return known[known["date"] == "2026-10-31"].set_index("deal_id")[column].clip(1e-6, 1 - 1e-6)


def captured(p: np.ndarray, true: np.ndarray) -> float:
    """1 - KL(model) / KL(best constant): 1 is the truth itself."""

    def divergence(q: np.ndarray | float) -> float:
        return float((true * np.log(true / q) + (1 - true) * np.log((1 - true) / (1 - q))).mean())

    return 1 - divergence(p) / divergence(true.mean())


def test_forward_in_time_the_fields_beat_the_stage_and_the_stage_the_base_rate(found: WinProbability) -> None:
    table = found.evaluation.set_index("rung")
    assert found.rung == "logistic"
    assert found.why["scheme"] == "forward"
    assert table.loc["logistic", "brier"] < table.loc["stage", "brier"] < table.loc["base", "brier"]
    assert table.loc["logistic", "stage_low"] > 0


def test_it_comes_near_the_truth_that_nobody_can_see(found: WinProbability) -> None:
    scores = found.scores.set_index("deal_id")["p_win"]
    known = truth("p_26_weeks")
    assert set(scores.index) == set(known.index)
    assert captured(scores.to_numpy(), known[scores.index].to_numpy()) > 0.55
    assert np.corrcoef(scores, known[scores.index])[0, 1] > 0.75
    assert scores.mean() == pytest.approx(known.mean(), abs=0.05)


def test_wins_until_the_quarter_ends_are_a_question_of_their_own(found: WinProbability) -> None:
    quarter = found.by_quarter_end
    assert quarter is not None
    assert quarter.card.horizon_days == 61
    scores = quarter.scores.set_index("deal_id")["p_win"]
    known = truth("p_quarter_end")[scores.index].to_numpy()
    assert captured(scores.to_numpy(), known) > 0.5
    ever_less = found.scores.set_index("deal_id")["p_win"][scores.index].to_numpy()
    assert captured(ever_less, known) < captured(scores.to_numpy(), known)


def test_on_the_last_day_of_a_quarter_the_next_one_counts(book: Book) -> None:
    with Book(book.store, book.config, date(2026, 9, 30)) as then:
        quarter = win_probability(then).by_quarter_end
    assert quarter is not None
    assert quarter.card.horizon_days == 92
    assert quarter.card.as_of == date(2026, 9, 30)


def test_open_amounts_are_those_of_the_book(book: Book, found: WinProbability) -> None:
    cents = book.deals.filter("status = 'open'").aggregate("sum(amount_base_cents)").fetchall()[0][0]
    assert round(found.scores["amount_base"].sum() * 100) == cents


def test_no_person_is_named(found: WinProbability) -> None:
    assert not {"owner_rep_id", "rep_name"} & set(found.scores)
    told = {reason.field for row in found.scores["reasons_up"] for reason in row}
    assert told
    assert "owner_win_rate" not in told
    assert "owner_win_rate" in found.model.fields


def test_columns_written_at_closing_are_reported(found: WinProbability) -> None:
    columns = {finding["column"] for finding in found.card.leak_scan}
    assert {"closed_at", "lost_reason"} <= columns
    assert found.card.refused == {}


def test_in_a_company_without_signal_the_base_rate_is_taken_and_the_page_says_so(tmp_path: Path) -> None:
    generate(tmp_path / "company", signal=False)
    page = Page.open(str(tmp_path / "company"), "2026-10", "en")
    found = win_probability(page.book)
    assert (found.rung, found.why["verdict"]) == ("base", "no_signal")
    assert found.scores["p_win"].nunique() == 1
    assert page.text(**verdict(found)).text.startswith("No signal beyond the base rate")
    page.book.close()
