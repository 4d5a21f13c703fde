"""What an import notices without refusing a row: rows twice in a file, exports that contradict the exported history."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from source_files import COSTS, imported

from salestrack import quality
from salestrack.book import Book
from salestrack.page import Page
from salestrack.sources.notes import NOTES
from salestrack.stories import quality as story

DAY = "2026-03-31"
HEAD = "deal_id,deal_name,stage_id,status,amount,owner_rep_id,created_at,expected_close_date,currency_code,updated_at\n"
TODAY = "1,Alpha,Contract,open,150.00,R2,2026-01-05T09:00:00Z,2026-04-30,EUR,2026-03-10T12:00:00Z\n"
BEFORE = "1,Alpha,Offer,open,100.00,R1,2026-01-05T09:00:00Z,2026-03-31,EUR,2026-01-20T12:00:00Z\n"
ENTRIES = """deal_id,to_stage_id,entered_at
1,Offer,2026-01-05T09:00:00Z
1,Contract,2026-02-10T09:00:00Z
"""
CHANGES = """deal_id,field,old_value,new_value,changed_at
1,amount,100.00,150.00,2026-02-10T09:00:00Z
1,owner_rep_id,R1,R2,2026-02-10T09:00:00Z
1,expected_close_date,2026-03-31,2026-04-30,2026-02-10T09:00:00Z
"""


def notes(folder: Path, files: dict[str, str]) -> pd.DataFrame:
    """What the import of these files notes."""
    imported(folder, {"costs.csv": COSTS, **files})
    with Book.open(folder, DAY) as book:
        return quality.notes(book)


def with_history(folder: Path, before: str = BEFORE, changes: str = CHANGES) -> pd.DataFrame:
    """The notes on an older export beside the newest one and the exported history."""
    return notes(
        folder,
        {
            "deals_1.csv": HEAD + before,
            "deals_2.csv": HEAD + TODAY,
            "deal_stage_history.csv": ENTRIES,
            "deal_field_history.csv": changes,
        },
    )


def test_a_row_that_stands_twice_in_a_file_counts_once_and_is_noted(tmp_path: Path) -> None:
    twice = COSTS + "K2,2026-02-01,tools,2000.25,EUR\n"
    found = notes(tmp_path, {"costs.csv": twice})
    assert found[["code", "table", "count", "n", "example", "level"]].to_numpy().tolist() == [
        ["same row twice", "costs", 1, 4, "costs.csv#5", "warn"]
    ]
    with Book.open(tmp_path, DAY) as book:
        assert book.sql("SELECT CAST(sum(amount) AS DOUBLE) FROM costs").fetchall() == [(6000.75,)]


@pytest.mark.parametrize(
    "files",
    [
        {"costs_2.csv": COSTS},
        {"deals_1.csv": HEAD + BEFORE + TODAY, "deal_stage_history.csv": ENTRIES},
    ],
    ids=["in two files", "two states of a record"],
)
def test_what_overlapping_exports_repeat_is_not_noted(tmp_path: Path, files: dict[str, str]) -> None:
    assert notes(tmp_path, files).empty


def test_an_export_that_agrees_with_the_history_is_not_noted(tmp_path: Path) -> None:
    assert with_history(tmp_path).empty


def test_a_change_on_the_day_of_the_export_is_no_contradiction(tmp_path: Path) -> None:
    early = BEFORE.replace("2026-01-20T12", "2026-02-10T07")
    assert with_history(tmp_path, early).empty
    late = TODAY.replace("2026-03-10T12", "2026-02-10T22").replace("Contract", "Offer")
    assert with_history(tmp_path / "late", late).empty


@pytest.mark.parametrize(
    ("old", "new", "table", "what"),
    [
        (",Offer,", ",Talk,", "deal_stage_history", ("stage", "Phase")),
        (",100.00,", ",120.00,", "deal_field_history", ("amount", "Betrag")),
        (",R1,", ",R3,", "deal_field_history", ("owner", "Verantwortliche")),
        (",2026-03-31,", ",2026-05-31,", "deal_field_history", ("expected closing", "erwarteter Abschluss")),
    ],
)
def test_an_export_against_the_history_is_noted_and_the_history_stays(
    tmp_path: Path, old: str, new: str, table: str, what: tuple[str, str]
) -> None:
    found = with_history(tmp_path, BEFORE.replace(old, new))
    assert found[["code", "table", "count", "n", "example"]].to_numpy().tolist() == [
        ["export against history", table, 1, 1, "deals_1.csv#2"]
    ]
    assert f"({what[0]}); the history is used" in found["en"][0]
    assert f"({what[1]}); es gilt der Verlauf" in found["de"][0]
    with Book.open(tmp_path, "2026-01-31") as book:
        assert book.sql("SELECT stage_id, amount FROM deals").fetchall() == [("Offer", 100)]


def test_a_status_that_the_history_tells_otherwise_is_noted(tmp_path: Path) -> None:
    changes = CHANGES + "1,status,lost,open,2026-02-10T09:00:00Z\n"
    found = with_history(tmp_path, BEFORE, changes)
    assert list(found["en"]) == [NOTES["export against history"][0].format(what="status")]


def test_notes_are_a_warning_a_table_and_a_measure_on_the_page(tmp_path: Path) -> None:
    assert len(notes(tmp_path, {"costs.csv": COSTS + "K2,2026-02-01,tools,2000.25,EUR\n"})) == 1
    with Book.open(tmp_path, DAY) as book:
        assert list(quality.levels(book)).count("warn") == 1 + list(quality.freshness(book)["level"]).count(
            "warn"
        )
        page = Page(book, "de")
        shown = story.noted(page).text
        assert "wortgleich zweimal in dieser Datei" in shown
        assert "costs.csv#5" in shown
        rules = [measure["rule"]["de"] for measure in story.measures(page)]
    assert any("wortgleich" in rule and rule.startswith("1 ") for rule in rules)


def test_the_money_of_each_file_is_shown_with_what_became_of_it(tmp_path: Path) -> None:
    notes(tmp_path, {"costs.csv": COSTS + "K2,2026-02-01,tools,2000.25,EUR\n"})
    with Book.open(tmp_path, DAY) as book:
        found = quality.amounts(book)
        shown = story.money(Page(book, "en")).text
    assert [str(found[use][0]) for use in ("accepted", "superseded")] == ["6000.7500", "2000.2500"]
    assert "6,000.75" in shown
    assert "2,000.25" in shown
