"""The rules of activity rates and selling time: each mistake that the KPI reference names, as a few rows."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from kpis.rows import at

from salestrack import kpis
from salestrack.errors import KpiError

AS_OF = "2026-10-31"


# -- activity rate (25)


def deal(name: str, status: str, created: str, closed: str | None, **more: Any) -> dict[str, Any]:
    return {"deal_id": name, "status": status, "created_date": created, "closed_date": closed} | more


def deals(*rows: dict[str, Any]) -> pd.DataFrame:
    table = pd.DataFrame(list(rows))
    return table.assign(created_date=at(*table["created_date"]), closed_date=at(*table["closed_date"]))


def acts(*rows: tuple[str, str, str], **more: Any) -> pd.DataFrame:
    """Activities as (deal, type, start)."""
    table = pd.DataFrame(rows, columns=["deal_id", "activity_type", "started_at"])
    return table.assign(
        started_at=at(*table["started_at"]), activity_id=[f"v{i}" for i in table.index], **more
    )


TEN_DAYS = deals(deal("a", "won", "2026-01-01", "2026-01-10"))


def test_a_long_deal_is_not_more_active_than_a_short_one_for_its_length() -> None:
    both = deals(
        deal("a", "won", "2026-01-01", "2026-01-10", team="quick"),
        deal("b", "lost", "2026-01-01", "2026-04-10", team="slow"),
    )
    days = [
        *pd.date_range("2026-01-01", "2026-01-10", freq="5D"),
        *pd.date_range("2026-01-01", "2026-04-10", freq="5D"),
    ]
    calls = acts(*(("a" if i < 2 else "b", "call", str(d)) for i, d in enumerate(days)))
    table = kpis.activity_rate(calls, both, as_of=AS_OF, by="team")
    assert table["activities"].tolist() == [2, 20]
    assert table["activity_rate"].tolist() == [0.2, 0.2]


def test_planned_activities_do_not_count() -> None:
    calls = acts(("a", "call", "2026-01-05"), ("a", "call", "2026-01-06"), is_done=[True, False])
    assert kpis.activity_rate(calls, TEN_DAYS, as_of=AS_OF, period="2026")["activities"].tolist() == [1]


def test_a_meeting_with_three_attendees_is_one_meeting() -> None:
    rows = acts(*[("a", "meeting", "2026-01-05")] * 3, contact_id=["c1", "c2", "c3"]).assign(activity_id="m")
    table = kpis.activity_rate(rows, TEN_DAYS, as_of=AS_OF, period="2026")
    assert table[["activities", "days", "activity_rate"]].iloc[0].tolist() == [1, 10, 0.1]


def test_outbound_and_inbound_stand_apart() -> None:
    calls = acts(*[("a", "call", "2026-01-05")] * 4, direction=["outbound", "outbound", "inbound", "none"])
    table = kpis.activity_rate(calls, TEN_DAYS, as_of=AS_OF, period="2026")
    assert table[["activities", "outbound", "inbound"]].iloc[0].tolist() == [4, 2, 1]
    assert table[["outbound_rate", "inbound_rate"]].iloc[0].tolist() == [0.2, 0.1]


def test_what_was_done_after_the_deal_was_closed_is_outside_of_its_days() -> None:
    calls = acts(("a", "call", "2026-01-10"), ("a", "call", "2026-01-11"))
    assert kpis.activity_rate(calls, TEN_DAYS, as_of=AS_OF)["activities"].tolist() == [1]


def test_days_of_open_deals_end_with_the_day_of_the_report() -> None:
    calls = acts(("a", "call", "2026-10-30"))
    open_deal = deals(deal("a", "open", "2026-10-22", None))
    table = kpis.activity_rate(calls, open_deal, as_of=AS_OF, period="2026-Q4")
    assert table["days"].tolist() == [10]
    later = deals(deal("a", "won", "2026-10-22", "2026-11-20"))
    assert kpis.activity_rate(calls, later, as_of=AS_OF, period="2026-Q4")["days"].tolist() == [10]


def test_months_share_the_days_of_a_deal() -> None:
    long = deals(deal("a", "won", "2026-01-22", "2026-02-14"))
    table = kpis.activity_rate(acts(("a", "call", "2026-01-22")), long, as_of=AS_OF, by="month")
    assert table["days"].tolist() == [10, 14]
    assert table["activity_rate"].tolist() == [0.1, 0.0]
    assert table["n"].tolist() == [1, 1]


def test_a_team_that_never_calls_stands_with_nought() -> None:
    two = deals(
        deal("a", "won", "2026-01-01", "2026-01-10", team="x"),
        deal("b", "won", "2026-01-01", "2026-01-10", team="y"),
    )
    table = kpis.activity_rate(acts(("a", "call", "2026-01-01")), two, as_of=AS_OF, by="team")
    assert table[["team", "activities"]].to_numpy().tolist() == [["x", 1], ["y", 0]]
    assert table["high"][1] == pytest.approx(3.689 / 10, abs=1e-3)  # the exact bound for none in ten days


def test_working_days_of_reps_are_mondays_to_fridays_of_their_assignment() -> None:
    calls = acts(("", "call", "2026-01-05"), ("", "call", "2026-01-06"), owner_rep_id="r")
    reps = pd.DataFrame(
        {"rep_id": ["r"], "valid_from_date": at("2026-01-05"), "valid_to_date": at("2026-01-18")}
    )
    table = kpis.activity_rate(calls, TEN_DAYS, reps, as_of=AS_OF, period="2026", per="rep_day")
    assert table[["activities", "days", "activity_rate", "n"]].iloc[0].tolist() == [2, 10, 0.2, 1]
    with pytest.raises(KpiError, match="rep_assignments"):
        kpis.activity_rate(calls, TEN_DAYS, as_of=AS_OF, per="rep_day")


# -- selling time (27)

WORK = ("call", "sms", "preparation", "internal_meeting", "task", "travel", "training", "other", None)


def test_the_seven_kinds_of_working_time_add_up() -> None:
    start = pd.Timestamp("2026-10-05")
    rows = pd.DataFrame(
        {"activity_type": list(WORK), "duration_s": 3600, "owner_rep_id": "r", "started_at": start}
    )
    reps = pd.DataFrame({
        "rep_id": ["r"], "contracted_hours_per_week": 70.0, "valid_from_date": start, "valid_to_date": pd.NaT
    })  # fmt: skip
    table = kpis.selling_time_share(rows, reps, period=(start, start + pd.Timedelta(days=1)))
    kinds = [
        f"{kind}_hours"
        for kind in ("selling", "preparation", "internal", "admin", "travel", "training", "other")
    ]
    assert table[kinds].iloc[0].tolist() == [2, 1, 1, 1, 1, 1, 2]
    assert table[kinds].sum(axis=1)[0] == table["recorded_hours"][0] == 9
    own = kpis.selling_time_share(rows, reps, selling=("travel", "other"))
    assert own[["selling_hours", "travel_hours", "other_hours"]].iloc[0].tolist() == [2, 0, 3]


@pytest.mark.parametrize(("hours", "shown"), [(27, False), (28, True)])
def test_below_seventy_percent_recorded_there_is_no_rate(hours: int, shown: bool) -> None:
    start = pd.Timestamp("2026-10-05")
    rows = pd.DataFrame({
        "activity_type": ["call", "travel"], "duration_s": [3600 * 10, 3600 * (hours - 10)], "owner_rep_id": "r",
        "started_at": start,
    })  # fmt: skip
    reps = pd.DataFrame({
        "rep_id": ["r"], "contracted_hours_per_week": 40.0, "valid_from_date": start, "valid_to_date": pd.NaT
    })  # fmt: skip
    table = kpis.selling_time_share(rows, reps, period=(start, start + pd.Timedelta(days=7)))
    assert table["coverage"][0] == hours / 40
    assert table["selling_time_share"].notna()[0] == shown
    assert table["note"][0] == ("" if shown else "coverage")
