"""The rules of response times to leads: each mistake that the KPI reference names, as a few rows."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kpis.rows import at

from salestrack import kpis
from salestrack.errors import KpiError
from salestrack.kpis._clock import BusinessHours

AS_OF = "2026-10-31"


def leads(*created: str, **more: Any) -> pd.DataFrame:
    """Leads a, b, c, … that arrived then."""
    return pd.DataFrame({"lead_id": list("abcdefghijkl"[: len(created)]), "created_at": at(*created)} | more)


def touches(*rows: tuple[str, str], **more: Any) -> pd.DataFrame:
    """Outbound calls as (lead, start)."""
    table = pd.DataFrame({"lead_id": [r[0] for r in rows], "started_at": at(*(r[1] for r in rows))})
    return table.assign(**({"activity_type": "call", "direction": "outbound"} | more))


def minutes(table: pd.DataFrame, column: str = "lead_response_time") -> float:
    return float(table[column].iloc[0] * 24 * 60)


# -- lead response time (24)

NINE = ["2026-10-05 09:00"] * 4


def test_unanswered_leads_are_not_left_out_of_the_response_time() -> None:
    answered = touches(("a", "2026-10-05 09:10"), ("b", "2026-10-05 09:30"))
    table = kpis.lead_response_time(leads(*NINE), answered, as_of=AS_OF)
    assert minutes(table) == 30  # the mean, or median, of the answered ones would be 20
    assert table[["answered", "unanswered", "n"]].iloc[0].tolist() == [2, 2, 4]
    assert table["share_1h"][0] == 0.5
    assert math.isnan(table["p90"][0])


def test_while_fewer_than_half_are_answered_there_is_no_median() -> None:
    table = kpis.lead_response_time(leads(*NINE), touches(("a", "2026-10-05 09:10")), as_of=AS_OF)
    assert math.isnan(table["lead_response_time"][0])
    assert table["note"][0] == "not_reached"
    assert table["share_1h"][0] == 0.25


@pytest.mark.parametrize("more", [
    pytest.param({"is_automated": True}, id="an automatic reply"),
    pytest.param({"is_done": False}, id="a planned call"),
    pytest.param({"direction": "inbound"}, id="a call of the lead's own"),
    pytest.param({"direction": "none"}, id="nobody noted who called"),
    pytest.param({"activity_type": "task"}, id="a task, such as an assignment"),
    pytest.param({"is_deleted": True}, id="deleted"),
    pytest.param({"started_at": at("2026-10-05 08:59")}, id="before the lead arrived"),
    pytest.param({"started_at": at("2026-11-01 09:00")}, id="after the day of the report"),
])  # fmt: skip
def test_what_is_no_answer(more: dict[str, Any]) -> None:
    table = kpis.lead_response_time(leads(NINE[0]), touches(("a", "2026-10-05 09:10"), **more), as_of=AS_OF)
    assert table["answered"][0] == 0
    assert table["undirected"][0] == (more.get("direction") == "none")


def test_the_clock_starts_with_the_arrival_not_with_an_assignment() -> None:
    assigned = leads(NINE[0], assigned_at=at("2026-10-05 11:00"), mql_at=at("2026-10-05 11:00"))
    table = kpis.lead_response_time(assigned, touches(("a", "2026-10-05 11:01")), as_of=AS_OF)
    assert minutes(table) == 121


def test_five_minutes_sharp_are_within_five_minutes_and_a_second_more_is_not() -> None:
    calls = touches(("a", "2026-10-05 09:05:00"), ("b", "2026-10-05 09:05:01"))
    table = kpis.lead_response_time(leads(*NINE[:2]), calls, as_of=AS_OF)
    assert table["share_5min"][0] == 0.5
    assert minutes(table) == 5
    assert minutes(table, "p90") == 6  # counted by the minute, rounded up


def test_leads_too_young_for_a_limit_are_neither_in_time_nor_late() -> None:
    calls = touches(("a", "2026-10-31 23:40"), ("b", "2026-10-05 09:01"))
    table = kpis.lead_response_time(leads("2026-10-31 23:30", NINE[0]), calls, as_of=AS_OF)
    assert table["share_5min"][0] == 0.5  # half an hour is enough to have failed here
    assert table["share_1h"][0] == table["high_1h"][0] == 1.0  # of one lead: the other is not an hour old
    assert table["matured"][0] == 0.5


def test_an_activity_of_which_only_the_day_is_known_makes_nobody_quick() -> None:
    calls = touches(("a", "2026-10-05 00:00"), ("b", "2026-10-06 00:00"))
    table = kpis.lead_response_time(leads("2026-10-05 09:00", "2026-10-05 23:55"), calls, as_of=AS_OF)
    assert table["untimed"][0] == 2
    assert table["share_1h"][0] == 0  # the second would be five minutes
    assert minutes(table) == 15 * 60
    told = kpis.lead_response_time(
        leads(NINE[0]), touches(("a", "2026-10-04 22:00"), is_timed=False), as_of=AS_OF
    )  # local midnight in UTC
    assert told["untimed"][0] == 1


def test_when_no_activity_names_a_lead_nothing_is_known_instead_of_nothing_done() -> None:
    table = kpis.lead_response_time(leads(*NINE), touches(("z", "2026-10-05 09:10")), as_of=AS_OF)
    assert table["note"][0] == "unrecorded"
    assert table[["share_5min", "share_1h", "share_24h", "low_1h"]].isna().all(axis=None)


OFFICE = BusinessHours(opens=9, closes=17, zone="Europe/Berlin", holidays=(date(2026, 10, 5),))


@pytest.mark.parametrize(("arrived", "answered", "expected"), [
    pytest.param("2026-10-07 08:00", "2026-10-07 08:30", 30, id="within one day"),
    pytest.param("2026-10-02 14:30", "2026-10-06 07:15", 45, id="over a weekend and a holiday"),
    pytest.param("2026-10-10 12:00", "2026-10-12 07:10", 10, id="arrived on a Saturday"),
    pytest.param("2026-10-07 20:00", "2026-10-07 21:00", 0, id="answered in the evening"),
    pytest.param("2026-10-23 14:00", "2026-10-26 08:30", 90, id="the clocks were changed in between"),
])  # fmt: skip
def test_business_hours_are_those_of_the_place(arrived: str, answered: str, expected: int) -> None:
    table = kpis.lead_response_time(
        leads(arrived), touches(("a", answered)), as_of=AS_OF, business_hours=OFFICE
    )
    assert minutes(table) == expected


def _worked(start: pd.Timestamp, end: pd.Timestamp) -> int:
    """Business minutes, one by one."""
    every = pd.date_range(start, end, freq="min", inclusive="left", tz="UTC").tz_convert("Europe/Berlin")
    days = pd.Series(every.date)
    there = (every.day_of_week < 5) & (every.hour >= 9) & (every.hour < 17) & (days != date(2026, 10, 5))
    return int(there.sum())


def test_business_minutes_counted_one_by_one_are_the_same() -> None:
    rng = np.random.default_rng(4)
    start = pd.Timestamp("2026-10-01") + pd.to_timedelta(rng.integers(0, 60 * 24 * 25, 300), "min")
    end = start + pd.to_timedelta(rng.integers(0, 60 * 24 * 3, 300), "min")
    names = [f"l{i}" for i in range(300)]
    calls = pd.DataFrame({"lead_id": names, "started_at": end, "is_timed": True})
    table = kpis.lead_response_time(
        pd.DataFrame({"lead_id": names, "created_at": start, "name": names}),
        calls.assign(activity_type="call", direction="outbound"),
        as_of="2026-11-30",
        business_hours=OFFICE,
        by="name",
    ).set_index("name")
    gone = pd.Series([_worked(*pair) for pair in zip(start, end, strict=True)], index=names)
    found = table["lead_response_time"].loc[names] * 24 * 60
    assert gone.max() <= 1440  # counted by the minute up to there
    assert found.to_numpy() == pytest.approx(gone.to_numpy())


@pytest.mark.parametrize(
    "hours", [BusinessHours(17, 9), BusinessHours(weekdays=()), BusinessHours(weekdays=(7,))]
)
def test_hours_that_cannot_be_are_refused(hours: BusinessHours) -> None:
    with pytest.raises(KpiError, match="business_hours"):
        kpis.lead_response_time(leads(NINE[0]), touches(("a", NINE[0])), as_of=AS_OF, business_hours=hours)
