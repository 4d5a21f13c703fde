"""The sentences and tables of page 3, from literal rows."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from salestrack.blocks import text
from salestrack.i18n import NBSP, Words
from salestrack.stories import pipeline

EN, DE = Words("en"), Words("de")
DAY = date(2026, 9, 30)


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


def record(*yields: float) -> pd.DataFrame:
    return pd.DataFrame({"yield": list(yields)})


def deals(*rows: tuple[str, str, int | None, str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["deal_id", "status", "amount_base_cents", "created_date"])
    return frame.astype({"amount_base_cents": "Int64"})


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
            record(0.2, 0.3, 0.4, 0.5),
            "with the yield of 2 of these 4 quarters it would be enough (median need: 2.9×).",
            id="counts the past quarters whose yield would do",
        ),
        pytest.param(
            {},
            record(0.5, 0.5, 0.5),
            "Too few past quarters are known to say which coverage is enough.",
            id="three quarters are no record",
        ),
        pytest.param(
            {"note": "no_quota"},
            record(0.5),
            "No quota is set for Q4 2026, so it cannot be said whether €900K are enough.",
            id="no quota: unknown, not covered",
        ),
        pytest.param(
            {"note": "target_met", "remaining": -5.0},
            record(0.5),
            "The quota of Q4 2026 is met already; another €900K are open for it.",
            id="quota met: coverage has no meaning",
        ),
    ],
)
def test_enough(row: dict[str, object], past: pd.DataFrame, end: str) -> None:
    assert said(EN, pipeline.enough(cover(**row), past)).endswith(end)


def test_enough_says_nothing_without_deals() -> None:
    assert said(DE, pipeline.enough(pd.DataFrame(), record())) == ""


def test_waterfall_adds_up_exactly_and_every_deal_leaves_once() -> None:
    before = pd.DataFrame(
        {
            "deal_id": ["kept", "won", "lost", "gone", "bare"],
            "cents": pd.array([100, 200, 300, 400, None], "Int64"),
        }
    )
    now = deals(
        ("kept", "open", 150, "2026-01-01"),
        ("won", "won", 999, "2026-01-01"),
        ("lost", "lost", 0, "2026-01-01"),
        ("bare", "open", None, "2026-01-01"),
        ("new", "open", 70, "2026-10-02"),
        ("back", "open", 20, "2026-01-01"),
        ("flash", "won", 500, "2026-10-02"),
    )
    expected = pd.DataFrame(
        [
            ("Open at the end of last month", 5, 10.0),
            ("New and still open", 1, 0.7),
            ("Reopened", 1, 0.2),
            ("Amount or exchange rate changed", 1, 0.5),
            ("Won", 1, -2.0),
            ("Lost", 1, -3.0),
            ("Deleted", 1, -4.0),
            ("Open now", 4, 2.4),
        ],
        columns=["step", "deals", "value"],
    )
    assert_frame_equal(pipeline.waterfall(before, now, DAY, EN), expected)


def test_waterfall_of_nothing_shows_both_ends() -> None:
    nothing = pd.DataFrame({"deal_id": pd.Series(dtype="str"), "cents": pd.Series(dtype="Int64")})
    found = pipeline.waterfall(
        nothing, deals().astype({"deal_id": "str", "amount_base_cents": "Int64"}), DAY, DE
    )
    assert found["step"].tolist() == ["Offen am Ende des Vormonats", "Jetzt offen"]


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


def test_hygiene_counts_a_deal_under_every_rule_it_breaks() -> None:
    rows = pd.DataFrame(
        {
            "expected_close_date": pd.to_datetime(["2026-10-30", None, "2026-10-31"]),
            "pushes": [3, 0, 2],
            "amount_base_cents": pd.array([1000, None, 500], "Int64"),
        }
    )
    expected = pd.DataFrame(
        [
            ("Expected close is past", 1, 1 / 3, 10.0),
            ("No expected close", 1, 1 / 3, 0.0),
            ("No amount", 1, 1 / 3, 0.0),
            ("Pushed 3 times or more", 1, 1 / 3, 10.0),
        ],
        columns=["check", "deals", "share", "open_value"],
    )
    assert_frame_equal(pipeline.hygiene(rows, date(2026, 10, 31), EN), expected)


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
