"""The sentences and tables of page 3, from literal rows."""

from __future__ import annotations

import inspect
from datetime import date
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from salestrack.blocks import text
from salestrack.i18n import NBSP, Words
from salestrack.periods import Period
from salestrack.stories import coverage, pipeline
from salestrack.stories.coverage import Record

EN, DE = Words("en"), Words("de")
NAN = float("nan")


def said(words: Words, sentence: dict[str, object]) -> str:
    return text(words, **sentence).text.replace(NBSP, " ")  # type: ignore[arg-type]


def cover(**changed: object) -> pd.DataFrame:
    row = {
        "quarter": pd.Timestamp("2026-10-01"),
        "open_value": 900_000.0,
        "remaining": 300_000.0,
        "note": "",
        "pipeline_coverage": 3.0,
        "day": 31,
        "days": 92,
        "quota": 500_000.0,
    }
    return pd.DataFrame([row | changed])


def record(*shares: tuple[float, float], low: float = 4.0) -> Record:
    """Quarters by what they won of 100 open, and besides; all together won 20 of 100, and 15 besides."""
    each = pd.DataFrame(shares, columns=["won_share", "besides_share"])
    together = {"won_share": 0.2, "besides_share": 0.15, "required_coverage": 5.0, "low": low, "high": 6.7}
    return Record(pd.DataFrame([together | {"n": len(shares)}]), each)


FOUR = record((0.1, 0.1), (0.2, 0.1), (0.2, 0.2), (0.3, 0.2))


def book_of(**frames: pd.DataFrame) -> Any:
    """A book of October 2026 that works every KPI out from these frames."""

    def kpi(function: Any, **options: Any) -> pd.DataFrame:
        known = {name: frames[name] for name in inspect.signature(function).parameters if name in frames}
        return function(**known, as_of=date(2026, 10, 31), **options)  # type: ignore[no-any-return]

    return SimpleNamespace(month=Period.month("2026-10"), kpi=kpi)


def spans(*rows: tuple[str, str, str | None, str, float | None]) -> pd.DataFrame:
    """States of deals: id, from, to, status, amount; all to close on 20 October, closed where a state ends open."""
    frame = pd.DataFrame(rows, columns=["deal_id", "valid_from", "valid_to", "status", "amount"])
    begun, ended = pd.to_datetime(frame["valid_from"]), pd.to_datetime(frame["valid_to"])
    return frame.assign(
        valid_from=begun,
        valid_to=ended,
        amount=frame["amount"].astype(float),
        expected_close_date=pd.Timestamp("2026-10-20"),
        closed_date=begun.where(frame["status"] != "open"),
    )


def test_overview_counts_deals_and_names_the_share_that_is_past_due() -> None:
    now = pd.DataFrame(
        {"open_pipeline": [2_000_000.0], "n": [40], "past_due": [3], "past_due_value": [100_000.0]}
    )
    assert said(EN, pipeline.overview(now)) == (
        "€2.0M stand open in 40 deals; 3 of them are past the day on which they were to close (5.0% of the "
        "value)."
    )
    assert said(DE, pipeline.overview(now)).startswith("2,0 Mio. € stehen in 40 Deals offen; 3 davon")


@pytest.mark.parametrize(
    ("row", "past", "end"),
    [
        pytest.param(
            {},
            FOUR,
            "On the same day of the last 4 quarters 5.0× as much stood open as was won of it (95% interval "
            "4.0× to 6.7×), and deals that came later brought another 15.0% of the open value. Both together, "
            "a coverage of 2.9× was needed; with the shares of 2 of these 4 quarters it would be enough.",
            id="the need of past quarters, and how many of them would do",
        ),
        pytest.param(
            {},
            record((0.3, 0.2), low=NAN),
            "Too few past quarters are known to say which coverage is enough.",
            id="a need without an interval is none",
        ),
        pytest.param(
            {"note": "no_quota"},
            FOUR,
            "No quota is set for Q4 2026, so it cannot be said whether €900K are enough.",
            id="no quota: unknown, not covered",
        ),
        pytest.param(
            {"note": "target_met", "remaining": -5.0},
            FOUR,
            "The quota of Q4 2026 is met already; another €900K are open for it.",
            id="quota met: coverage has no meaning",
        ),
    ],
)
def test_enough(row: dict[str, object], past: Record, end: str) -> None:
    assert said(EN, coverage.enough(cover(**row), past)).endswith(end)


def test_enough_says_nothing_without_deals() -> None:
    assert said(DE, coverage.enough(pd.DataFrame(), FOUR)) == ""


def test_the_need_counts_later_deals_because_coverage_is_of_the_whole_gap() -> None:
    assert coverage.needed(FOUR) == pytest.approx(100 / 35)
    assert coverage.needed(record(low=NAN)) is None


def test_changes_are_the_bars_that_a_deal_is_in_and_both_ends() -> None:
    versions = spans(
        ("kept", "2026-01-01", "2026-10-05", "open", 1.0),
        ("kept", "2026-10-05", None, "open", 1.5),
        ("won", "2026-01-01", "2026-10-08", "open", 2.0),
        ("won", "2026-10-08", None, "won", 9.99),
        ("lost", "2026-01-01", "2026-10-09", "open", 3.0),
        ("lost", "2026-10-09", None, "lost", 0.0),
        ("gone", "2026-01-01", "2026-10-10", "open", 4.0),
        ("bare", "2026-01-01", None, "open", None),
        ("new", "2026-10-02", None, "open", 0.7),
        ("back", "2026-01-01", "2026-10-12", "lost", 0.2),
        ("back", "2026-10-12", None, "open", 0.2),
        ("flash", "2026-10-02", "2026-10-20", "open", 5.0),
        ("flash", "2026-10-20", None, "won", 5.0),
    )
    expected = pd.DataFrame(
        [
            ("Open at the end of last month", 5, 10.0),
            ("New", 2, 5.7),
            ("Reopened", 1, 0.2),
            ("Amount raised", 2, 8.49),
            ("Won", 2, -14.99),
            ("Lost", 1, -3.0),
            ("Deleted", 1, -4.0),
            ("Open now", 4, 2.4),
        ],
        columns=["step", "deals", "value"],
    )
    assert_frame_equal(pipeline.changes(book_of(deal_versions=versions), EN), expected)


def test_changes_show_both_ends_even_where_nothing_is_open() -> None:
    versions = spans(("a", "2026-10-02", "2026-10-07", "open", 1.0), ("a", "2026-10-07", None, "lost", 1.0))
    found = pipeline.changes(book_of(deal_versions=versions), DE)
    assert found["step"].tolist() == ["Offen am Ende des Vormonats", "Neu", "Verloren", "Jetzt offen"]
    assert found["value"].tolist() == [0.0, 1.0, -1.0, 0.0]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param(
            [("a", "2026-09-10", "2026-10-05", "open", 1.0), ("a", "2026-10-05", None, "open", 2.0)],
            [("2026-09", 1.0, 1), ("2026-10", 2.0, 1)],
            id="months before the first deal are left out",
        ),
        pytest.param(
            [("a", "2026-01-01", "2026-09-10", "open", 1.0), ("a", "2026-09-10", None, "lost", 1.0)],
            [("2026-08", 1.0, 1)],
            id="months after the last deal are left out",
        ),
    ],
)
def test_stock(rows: list[Any], expected: list[Any]) -> None:
    found = pipeline.stock(book_of(deal_versions=spans(*rows)), months=3)
    found["month"] = found["month"].dt.strftime("%Y-%m")
    assert [*found.itertuples(index=False, name=None)] == expected


def test_slipped_has_a_row_per_month_with_its_push_rate() -> None:
    versions = spans(
        ("stays", "2026-09-01", None, "open", 10.0),
        ("moves", "2026-09-01", "2026-10-05", "open", 30.0),
        ("moves", "2026-10-05", None, "open", 30.0),
        ("wins", "2026-09-01", "2026-10-07", "open", 40.0),
        ("wins", "2026-10-07", None, "won", 40.0),
    )
    versions.loc[2, "expected_close_date"] = pd.Timestamp("2026-11-19")
    found = pipeline.slipped(book_of(deal_versions=versions), Period.month("2026-10").trailing(2))
    names = ["due_then", "pushed", "past_due", "push_rate", "push_value_share", "median_push_days", "note"]
    assert found["month"].dt.strftime("%Y-%m").tolist() == ["2026-09", "2026-10"]
    assert found[names].iloc[1].tolist() == [3, 2, 1, 2 / 3, 0.5, 30.0, ""]
    assert found["note"].iloc[0] == "no_data"


def test_by_close_puts_past_due_first_and_the_far_future_together() -> None:
    months = pd.to_datetime(["2026-11-01", "2026-10-01", "2026-12-01", "2027-01-01", None])
    monthly = pd.DataFrame(
        {
            "month": months,
            "open_pipeline": [50.0, 30.0, 20.0, 5.0, 7.0],
            "n": [5, 3, 2, 1, 1],
            "past_due": [0, 2, 0, 0, 0],
            "past_due_value": [0.0, 10.0, 0.0, 0.0, 0.0],
        }
    )
    expected = pd.DataFrame(
        [
            ("Past due", 10.0, 2),
            ("October 2026", 20.0, 1),
            ("November 2026", 50.0, 5),
            ("Later", 25.0, 3),
            ("Without expected close", 7.0, 1),
        ],
        columns=["expected_close", "open_pipeline", "n"],
    )
    assert_frame_equal(pipeline.by_close(monthly, EN, most=2), expected)


def test_hygiene_counts_a_deal_under_every_check_it_fails_and_says_what_cannot_be_checked() -> None:
    deals = pd.DataFrame(
        {
            "deal_id": ["a", "b", "c"],
            "status": "open",
            "created_date": pd.Timestamp("2026-10-20"),
            "closed_date": pd.NaT,
            "expected_close_date": pd.to_datetime(["2026-10-30", None, "2026-10-31"]),
            "amount": [10.0, None, 5.0],
        }
    )
    calls = pd.DataFrame({"deal_id": ["a"], "started_at": pd.to_datetime(["2026-10-20"])})
    expected = pd.DataFrame(
        [
            ("Expected close is past", 1, 2, 1 / 2, 10.0, ""),
            ("No amount", 1, 3, 1 / 3, 0.0, ""),
            ("No next step", 0, 0, NAN, 0.0, "not_recorded"),
            ("No activity of late (30 days)", 0, 0, NAN, 0.0, "no_data"),
            ("Older than 95% of the won deals were", 0, 0, NAN, 0.0, "too_few"),
            ("To close on the last of a month", 1, 2, 1 / 2, 5.0, ""),
        ],
        columns=["check", "deals", "checked", "share", "open_value", "note"],
    )
    found = pipeline.hygiene(book_of(deals=deals, activities=calls), EN)
    found["check"] = found["check"].str.replace(NBSP, " ")
    assert_frame_equal(found, expected, check_dtype=False)


def test_largest_leaves_out_deals_without_amount() -> None:
    rows = pd.DataFrame(
        {
            "deal_id": ["a", "b", "c"],
            "deal_name": ["A", "B", "C"],
            "stage_name": "Proposal",
            "pushes": 0,
            "expected_close_date": pd.Timestamp("2026-12-01"),
            "amount_base_cents": pd.array([100, None, 300], "Int64"),
        }
    )
    found = pipeline.largest(rows, most=1)
    assert found[["deal_name", "amount_base", "share"]].values.tolist() == [["C", 3.0, 0.75]]
