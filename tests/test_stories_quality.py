"""Page 10: the verdict, what is missing for which page, and what to correct."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from books import make_book
from canonical import STAGES, deal

from salestrack.i18n import NBSP
from salestrack.page import Page
from salestrack.stories import quality as story

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def log(file: str = "crm/Deal.csv", **values: Any) -> dict[str, Any]:
    counts = {"accepted": 0, "superseded": 0, "quarantined": 0, "excluded": 0, "footer": 0, "rows_read": 0}
    return {"file": file, "system": "crm", "table_name": "deals", "encoding": "utf-8"} | counts | values


NEGATIVE = {"deals": [deal(amount=-1)], "stages": STAGES}


@pytest.mark.parametrize(
    ("tables", "text"),
    [
        pytest.param(
            {"load_log": [log(rows_read=3, accepted=3)]},
            "The figures can be trusted: no check was raised. None of the 3 rows read was refused.",
            id="all is well",
        ),
        pytest.param(
            {
                "load_log": [
                    log(rows_read=3, accepted=2, quarantined=1),
                    log("a.csv", rows_read=1, accepted=1),
                ]
            },
            "The figures can be used with care; to be looked at: 1 of 2 checks. Rows refused: 1 of 4 that "
            "were read, "
            "each with its reason.",
            id="a refused row calls for care",
        ),
        pytest.param(
            {"load_log": [log(rows_read=3, accepted=2)]},
            "The figures cannot be trusted yet; raised: 1 of 1 checks, at least one of them as an error. "
            "None of the 3 "
            "rows read was refused.",
            id="a lost row is an error",
        ),
        pytest.param(
            {"load_log": [log(rows_read=3, accepted=3), log(table_name="orders", rows_read=3, accepted=3)]},
            "The figures can be trusted: no check was raised. None of the 3 rows read was refused.",
            id="a file that fills two tables is read once",
        ),
    ],
)
def test_the_verdict(tmp_path: Path, tables: dict[str, Any], text: str) -> None:
    with make_book(tmp_path, **tables) as book:
        page = Page(book, "en")
        assert page.text(**story.verdict(book)).text.replace(NBSP, " ") == text


def test_missing_tables_are_named_with_what_rests_on_them(tmp_path: Path) -> None:
    with make_book(tmp_path, surveys=[{"response_id": "s"}]) as book:
        page = Page(book, "de")
        found = story.missing(book, page.words).set_index("table")
    assert "surveys" not in found.index
    assert found.loc["leads"].to_dict() == {
        "figures": "vom Lead zur Verkaufschance",
        "pages": "Funnel, Kunden",
    }


def test_errors_come_first_then_large_shares(tmp_path: Path) -> None:
    later = {"expected_close_date": "2026-12-01"}
    deals = [deal("d1", amount=-1), deal("d2"), deal("d3", owner_rep_id=None, **later)]
    with make_book(tmp_path, stages=STAGES, deals=deals) as book:
        found = story.raised_first(story.quality.plausibility(book))
    assert list(found["check"][:3]) == ["negative amount", "past due", "no owner"]


def test_measures_name_every_raised_check(tmp_path: Path) -> None:
    refused = {
        "table_name": "deals",
        "file": "a.csv",
        "line": 7,
        "reasons": '["x"]',
        "reason_en": "bad",
        "reason_de": "falsch",
    }
    tables = {
        "deals": [deal(amount=-1, expected_close_date="2026-12-01")],
        "orders": [{"order_id": "o", "order_date": "2026-01-05", "net_amount": 1, "currency_code": "EUR"}],
        "load_log": [log(rows_read=2, accepted=1)],
        "quarantine": [refused],
    }
    with make_book(tmp_path, stages=STAGES, **tables) as book:
        found = story.measures(Page(book, "en"))
    rules = [m["rule"]["en"] for m in found]
    assert rules == [
        "crm/Deal.csv: rows do not add up",
        "1 of 1: deals with a negative amount",
        "1 × bad (a.csv#7)",
        "deals: newest entry 5 Jan 2026",
        "orders: newest entry 5 Jan 2026",
    ]


def test_nothing_raised_is_no_measure(tmp_path: Path) -> None:
    with make_book(tmp_path, load_log=[log(rows_read=1, accepted=1)]) as book:
        assert story.measures(Page(book, "en")) == []


def test_sentences_stand_where_a_table_would_be_empty(tmp_path: Path) -> None:
    with make_book(tmp_path, load_log=[log(unmapped='["Farbe"]')]) as book:
        page = Page(book, "en")
        assert story.refused(page).text == "No row was refused."
        assert story.dated(page).text.startswith("This section cannot be shown")
        assert "Farbe" in story.unmapped(page).text
        assert "Activities" in story.absent(page).text


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_pages_and_what_they_need_are_those_of_the_notebooks(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    number = path.stem[:2]
    if number == "10":
        return
    assert notebook["metadata"]["salestrack"]["title"] == story.PAGES[number]
    code = "\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code")
    needed = {
        name for call in re.findall(r"page\.needs\(([^)]*)\)", code) for name in re.findall(r'"(\w+)"', call)
    }
    assert needed <= {table for table, rest in story.RESTS.items() if number in rest[0].split()}


def test_the_card_counts_the_checks_that_the_verdict_counts(tmp_path: Path) -> None:
    with make_book(
        tmp_path, load_log=[log(rows_read=2, accepted=1, quarantined=1), log(file="b.csv")]
    ) as book:
        page = Page(book, "en")
        told, cards = story.verdict(book), story.cards(page)
    assert (told["raised"], told["checks"]) == (1, 2)
    assert "50.0%" in cards[0].text
