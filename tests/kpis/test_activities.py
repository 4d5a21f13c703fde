"""Activities, response times and contacts: each mistake that the KPI reference names, as a few rows."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from salestrack import kpis
from salestrack.errors import KpiError
from salestrack.kpis._clock import BusinessHours

AS_OF = "2026-10-31"


def at(*texts: str | None) -> Any:
    return pd.to_datetime(pd.Series(list(texts), dtype="object")).astype("datetime64[us]")


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
    there = (every.dayofweek < 5) & (every.hour >= 9) & (every.hour < 17) & (days != date(2026, 10, 5))
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


# -- a company in which activities have no effect at all


def without_effect(seed: int, slow: str, size: int = 3000) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Deals won by the toss of a coin; calls at the same rate per open day; those of one outcome live longer."""
    rng = np.random.default_rng(seed)
    won = rng.random(size) < 0.4
    mean = np.where(won == (slow == "won"), 144, 72)
    born = rng.integers(0, 700, size)
    lived = np.minimum(rng.exponential(mean).astype(int), 400)
    count = rng.poisson(0.08 * (lived + 1))
    which = np.repeat(np.arange(size), count)
    day = born[which] + (rng.random(len(which)) * (lived[which] + 1)).astype(int)
    start = np.datetime64("2023-01-01")
    table = pd.DataFrame({
        "deal_id": [f"d{i}" for i in range(size)], "status": np.where(won, "won", "lost"),
        "created_date": start + born, "closed_date": start + born + lived,
    })  # fmt: skip
    calls = pd.DataFrame({"deal_id": table["deal_id"].to_numpy()[which], "started_at": start + day})
    return calls.assign(activity_type="call", activity_id=[f"v{i}" for i in range(len(day))]), table


@pytest.mark.parametrize(("slow", "sign"), [("lost", -1), ("won", 1)])
def test_without_any_effect_raw_counts_go_with_winning_but_rate_and_landmark_do_not(
    slow: str, sign: int
) -> None:
    # KPI reference, card 25: with zero effect raw counts correlate with -0.35 or +0.43, the landmark with 0.00
    calls, table = without_effect(5, slow)
    counts = calls.groupby("deal_id").size().reindex(table["deal_id"], fill_value=0)
    raw = np.corrcoef(counts, table["status"] == "won")[0, 1]
    assert sign * raw > 0.25
    rates = kpis.activity_rate(calls, table, as_of=AS_OF, by="status").set_index("status")
    assert rates["activity_rate"]["won"] == pytest.approx(rates["activity_rate"]["lost"], rel=0.05)
    found = kpis.activity_association(calls, table, as_of=AS_OF, adjust=(), horizon_days=400).iloc[0]
    assert abs(found["activity_association"]) < 0.05
    assert found["low"] < 0 < found["high"]


def test_an_effect_that_is_there_is_found() -> None:
    rng = np.random.default_rng(2)
    size = 1200
    many = rng.random(size) < 0.5
    won = rng.random(size) < np.where(many, 0.5, 0.3)
    start = pd.Timestamp("2025-01-01")
    table = pd.DataFrame({
        "deal_id": [f"d{i}" for i in range(size)], "status": np.where(won, "won", "lost"), "created_date": start,
        "closed_date": start + pd.Timedelta(days=90),
    })  # fmt: skip
    calls = pd.DataFrame({"deal_id": table["deal_id"][many], "activity_type": "call", "started_at": start})
    found = kpis.activity_association(calls, table, as_of=AS_OF, adjust=()).iloc[0]
    assert found["low"] < 0.2 < found["high"]
    assert found["p"] < 1e-6


# -- association (26)

START = pd.Timestamp("2026-01-01")


def cohort(*rows: tuple[str, int, int | None], **more: Any) -> pd.DataFrame:
    """Deals d0, d1, … as (status, day of creation, days lived)."""
    return pd.DataFrame({
        "deal_id": [f"d{i}" for i in range(len(rows))], "status": [r[0] for r in rows],
        "created_date": [START + pd.Timedelta(days=r[1]) for r in rows],
        "closed_date": [START + pd.Timedelta(days=r[1] + r[2]) if r[2] is not None else pd.NaT for r in rows],
    }).assign(**more)  # fmt: skip


def on_days(*rows: tuple[str, int], **more: Any) -> pd.DataFrame:
    """Calls as (deal, day)."""
    days = [START + pd.Timedelta(days=d) for _, d in rows]
    return pd.DataFrame(
        {"deal_id": [r[0] for r in rows], "started_at": days, "activity_type": "call"}
    ).assign(**more)


def test_only_deals_open_at_the_landmark_and_what_was_done_before_it_count() -> None:
    table = cohort(("won", 0, 60), ("won", 0, 30), ("lost", 0, 31), ("lost", 0, 10))
    calls = on_days(("d0", 30), ("d2", 31), ("d1", 2), ("d3", 2))
    found = kpis.activity_association(calls, table, as_of=AS_OF, adjust=()).iloc[0]
    assert found[["n", "left_out", "exposed", "unexposed"]].tolist() == [2, 2, 1, 1]
    assert found["activity_association"] == 1


def test_deals_not_yet_followed_to_the_horizon_are_left_out_whatever_came_of_them() -> None:
    # on 31 October the deal of day 94 has been followed for 30 + 179 days, that of day 93 for all 210
    table = cohort(("won", 0, 60), ("won", 93, 60), ("won", 94, 60), ("lost", 94, 60), ("lost", 0, 60))
    found = kpis.activity_association(on_days(("d0", 1)), table, as_of=AS_OF, adjust=()).iloc[0]
    assert found[["n", "too_young"]].tolist() == [3, 2]
    young = kpis.activity_association(
        on_days(("d0", 95)), table[2:3].assign(deal_id="d0"), as_of=AS_OF, adjust=()
    )
    assert young.empty  # no type of activity among the deals that count


def test_a_win_after_the_horizon_is_none() -> None:
    table = cohort(("won", 0, 210), ("won", 0, 211))
    found = kpis.activity_association(on_days(("d0", 1)), table, as_of=AS_OF, adjust=()).iloc[0]
    assert found[["exposed_won", "unexposed_won"]].tolist() == [1, 0]


def test_what_a_segment_explains_is_not_laid_to_the_activities() -> None:
    # large customers are called and win; within either segment calls make no difference
    rows = [("won", 0, 60)] * 8 + [("lost", 0, 60)] * 2 + [("won", 0, 60)] * 2 + [("lost", 0, 60)] * 8
    table = cohort(*rows, segment=["L"] * 10 + ["S"] * 10, lead_source="Web")
    calls = on_days(*((f"d{i}", 3) for i in (0, 1, 2, 3, 8, 10, 14, 15, 16, 17)))
    called = [0, 1, 2, 3, 8, 10, 14, 15, 16, 17]
    assert len(called) == 10
    found = kpis.activity_association(calls, table, as_of=AS_OF).iloc[0]
    plain = kpis.activity_association(calls, table, as_of=AS_OF, adjust=()).iloc[0]
    assert found["activity_association"] == pytest.approx(0.0)
    assert plain["activity_association"] == pytest.approx(found["exposed_share"] - found["unexposed_share"])


def test_several_types_are_not_each_a_find_of_their_own() -> None:
    rng = np.random.default_rng(0)
    table = cohort(*((("won", "lost")[int(rng.integers(2))], 0, 60) for _ in range(200)))
    calls = pd.concat([
        on_days(*((f"d{i}", 2) for i in rng.permutation(200)[:90]), activity_type=f"t{k}") for k in range(12)
    ])  # fmt: skip
    found = kpis.activity_association(calls, table, as_of=AS_OF, adjust=())
    assert len(found) == 12
    assert (found["q"] >= found["p"]).all()
    assert found["q"].max() == found["p"].max()


def test_activities_before_the_deal_show_where_it_is_the_customer() -> None:
    # good customers are called always, also before there is a deal: the control shows the same difference
    rows = [("won", 40, 60)] * 10 + [("lost", 40, 60)] * 10
    table = cohort(*rows, account_id=[f"a{i}" for i in range(20)])
    before = on_days(*((None, 20) for _ in range(10)), account_id=[f"a{i}" for i in range(10)])
    after = on_days(*((f"d{i}", 45) for i in range(10)), account_id=None)
    found = kpis.activity_association(pd.concat([before, after]), table, as_of=AS_OF, adjust=()).iloc[0]
    assert found["activity_association"] == found["control"] == 1
    found = kpis.activity_association(after, table, as_of=AS_OF, adjust=()).iloc[0]
    assert math.isnan(found["control"])


def test_exposed_is_who_has_more_than_the_median_deal() -> None:
    table = cohort(*[("won", 0, 60)] * 2, *[("lost", 0, 60)] * 2)
    calls = on_days(("d0", 1), ("d0", 2), ("d1", 1), ("d1", 2), ("d2", 1), ("d3", 1))
    found = kpis.activity_association(calls, table, as_of=AS_OF, adjust=()).iloc[0]
    assert found[["more_than", "exposed", "activity_association"]].tolist() == [1, 2, 1]


def test_a_machine_and_a_plan_expose_nobody() -> None:
    table = cohort(("won", 0, 60), ("lost", 0, 60))
    calls = on_days(
        ("d0", 1), ("d1", 1), ("d0", 1), is_automated=[False, True, False], is_done=[True, True, False]
    )
    found = kpis.activity_association(calls, table, as_of=AS_OF, adjust=()).iloc[0]
    assert found[["exposed", "more_than"]].tolist() == [1, 0]


def test_an_unknown_stratum_is_refused_by_name() -> None:
    with pytest.raises(KpiError, match="segment"):
        kpis.activity_association(on_days(("d0", 1)), cohort(("won", 0, 60)), as_of=AS_OF)


# -- multi-threading (43)


def test_one_person_met_twice_is_one_and_later_ones_do_not_count() -> None:
    table = cohort(("open", 0, None), ("open", 0, None), ("open", 0, None))
    calls = on_days(
        ("d0", 1),
        ("d0", 2),
        ("d1", 1),
        ("d1", 2),
        ("d2", 1),
        ("d2", 31),
        contact_id=["k", "k", "k", "l", "k", "l"],
    )
    found = kpis.multi_threading(table, calls, as_of=AS_OF, adjust=()).iloc[0]
    assert found[["multi", "n"]].tolist() == [1, 3]
    assert found["contacts"] == pytest.approx(4 / 3)


def test_attendees_of_a_meeting_are_people_met_and_our_own_are_not() -> None:
    table = cohort(("open", 0, None))
    calls = on_days(("d0", 1), contact_id="k", activity_id="m")
    people = pd.DataFrame({
        "activity_id": "m", "participant_type": ["contact", "contact", "rep"], "participant_id": ["k", "l", "r"]
    })  # fmt: skip
    assert kpis.multi_threading(table, calls, as_of=AS_OF, adjust=())["multi"][0] == 0
    assert kpis.multi_threading(table, calls, people, as_of=AS_OF, adjust=())["contacts"][0] == 2


def test_deals_younger_than_the_landmark_are_not_counted_as_met_by_few() -> None:
    table = cohort(("open", 0, None), ("open", 274, None))  # the second is 29 days old
    calls = on_days(("d0", 1), ("d0", 1), contact_id=["k", "l"])
    assert kpis.multi_threading(table, calls, as_of=AS_OF, adjust=())["n"][0] == 1


def test_without_recorded_contacts_nobody_knows() -> None:
    table, calls = cohort(("open", 0, None)), on_days(("d0", 1), contact_id=None)
    found = kpis.multi_threading(table, calls, as_of=AS_OF, adjust=()).iloc[0]
    assert math.isnan(found["multi_threading"])
    assert found[["note", "n", "without_contact"]].tolist() == ["unrecorded", 1, 1]


def test_more_people_and_winning_are_compared_at_the_landmark() -> None:
    table = cohort(("won", 0, 60), ("lost", 0, 60), ("lost", 0, 5))
    calls = on_days(
        ("d0", 1), ("d0", 1), ("d1", 1), ("d2", 1), ("d2", 1), contact_id=["k", "l", "k", "k", "l"]
    )
    found = kpis.multi_threading(table, calls, as_of=AS_OF, adjust=()).iloc[0]
    assert found[["association", "followed", "n"]].tolist() == [1, 2, 2]


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
