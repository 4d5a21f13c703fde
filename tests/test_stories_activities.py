"""Page 5: contacts with customers, their channels, full quarters, the measures."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from books import make_book
from pandas.testing import assert_frame_equal

from salestrack.config import Company, Config
from salestrack.page import Page
from salestrack.stories import activities
from salestrack.stories.common import full_quarters


def done(number: int, kind: str, channel: str | None = None, **values: Any) -> dict[str, Any]:
    """An hour with a customer in October 2026."""
    row = {"activity_id": f"x{number}", "activity_type": kind, "channel": channel, "owner_rep_id": "r1"}
    return (
        row
        | {"deal_id": "d1", "is_done": True, "duration_s": 3600, "started_at": "2026-10-05 10:00:00"}
        | values
    )


@pytest.mark.parametrize(
    ("as_of", "start", "first", "last"),
    [
        pytest.param(date(2026, 10, 31), 1, date(2026, 4, 1), date(2026, 9, 30), id="a running quarter does not count"),
        pytest.param(date(2026, 9, 30), 1, date(2026, 4, 1), date(2026, 9, 30), id="a quarter that ends now counts"),
        pytest.param(date(2026, 10, 31), 2, date(2026, 5, 1), date(2026, 10, 31), id="quarters of the fiscal year"),
    ],
)  # fmt: skip
def test_full_quarters(tmp_path: Path, as_of: date, start: int, first: date, last: date) -> None:
    config = Config(company=Company(fiscal_year_start_month=start))
    with make_book(tmp_path, as_of=as_of, config=config) as book:
        span = full_quarters(book, 2)
    assert (span.start, span.last_day) == (first, last)


@pytest.mark.parametrize(
    ("row", "counts"),
    [
        pytest.param(done(1, "call"), True, id="a call with a deal"),
        pytest.param(done(1, "meeting", deal_id=None, account_id="a1"), True, id="a meeting with a customer"),
        pytest.param(done(1, "email", deal_id=None, lead_id="l1"), True, id="an e-mail to a lead"),
        pytest.param(done(1, "call", deal_id=None), False, id="nobody stands with it: a sum of a time sheet"),
        pytest.param(done(1, "call", is_done=False), False, id="planned"),
        pytest.param(done(1, "email", is_automated=True), False, id="sent by a machine"),
        pytest.param(done(1, "internal_meeting"), False, id="not with the customer"),
    ],
)
def test_what_is_a_contact(tmp_path: Path, row: dict[str, Any], counts: bool) -> None:
    with make_book(tmp_path, activities=[row]) as book:
        assert bool(activities.contacts(book).fetchall()) is counts


def test_channels_share_the_contacts_of_a_quarter(tmp_path: Path) -> None:
    rows = [done(1, "call"), done(2, "email"), done(3, "meeting", "digital"), done(4, "meeting", "in_person")]
    with make_book(tmp_path, activities=rows) as book:
        found = activities.channels(book, by="quarter", period=book.month)
    rows_ = [("digital", 2, 0.5, 4), ("in_person", 1, 0.25, 4), ("phone", 1, 0.25, 4)]
    expected = pd.DataFrame(rows_, columns=["channel", "contacts", "share", "n"])
    expected.insert(0, "quarter", pd.Timestamp("2026-10-01"))
    assert_frame_equal(found, expected, check_dtype=False)


def test_the_share_in_person_counts_meetings_of_a_known_channel() -> None:
    rows = [
        ("DACH", "digital", 3),
        ("DACH", "in_person", 1),
        ("DACH", "(missing)", 5),
        ("West", "digital", 2),
    ]
    found = activities.in_person(pd.DataFrame(rows, columns=["team", "channel", "contacts"]), "team")
    assert found[["team", "in_person", "in_person_share", "n"]].to_dict("records") == [
        {"team": "DACH", "in_person": 1, "in_person_share": 0.25, "n": 4},
        {"team": "West", "in_person": 0, "in_person_share": 0.0, "n": 2},
    ]
    assert (found["low"] <= found["in_person_share"]).all()
    assert (found["high"] > found["in_person_share"]).all()


def test_no_meetings_have_no_share() -> None:
    none = pd.DataFrame({"team": [], "channel": [], "contacts": []})
    assert activities.in_person(none, "team").empty


ASSIGNED = {
    "rep_id": "r1",
    "team_id": "t1",
    "contracted_hours_per_week": 1.0,
    "valid_from_date": "2025-01-01",
}
TEAM = {"team_id": "t1", "team_name": "DACH"}


def test_measures_name_selling_time_large_blocks_and_thin_records(tmp_path: Path) -> None:
    rows = [done(i, "call") for i in range(10)] + [done(99, "admin", duration_s=30 * 3600)]
    config = Config.model_validate({"goals": {"selling_time_share": 0.38}})
    tables = {"activities": rows, "rep_assignments": [ASSIGNED], "teams": [TEAM], "reps": [{"rep_id": "r1"}]}
    with make_book(tmp_path, config=config, **tables) as book:
        found = [m for m in activities.measures(Page(book, "en")) if m is not None]
    assert [m.rule for m in found] == [  # type: ignore[union-attr]
        "Selling time is 25.0%, below 38.0%",
        "Share of hours above 20.0%: Administration 75.0%",
        "Coverage below 80.0%: DACH 76.7%",
    ]


def test_without_activities_the_measure_is_to_record_them(tmp_path: Path) -> None:
    with make_book(tmp_path) as book:
        assert activities.measures(Page(book, "de")) == [activities.RECORD]
