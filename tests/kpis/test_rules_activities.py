"""The mistakes that the KPI reference names in activities, each as a few rows to check in the head."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from kpis.rows import day

from salestrack import kpis

# -- activities (25, 27)


def activities(*rows: tuple[Any, ...]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["activity_type", "hours", "owner_rep_id", "started_at", "is_done"])
    return table.assign(duration_s=table["hours"] * 3600, started_at=day(*table["started_at"]))


STAFF = pd.DataFrame(
    {
        "rep_id": ["a"],
        "contracted_hours_per_week": [40.0],
        "valid_from_date": day("2026-01-01"),
        "valid_to_date": day(None),
    }
)


def test_planned_activities_are_not_done() -> None:
    frame = activities(
        ("call", 1, "a", "2026-10-01", True),
        ("call", 1, "a", "2026-10-01", False),
        ("email", None, "a", "2026-10-02", True),
    )
    table = kpis.activity_mix(frame)
    assert table[
        ["activity_type", "activities", "hours", "without_duration", "activity_mix"]
    ].to_numpy().tolist() == [["call", 1, 1.0, 0, 0.5], ["email", 1, 0.0, 1, 0.5]]


def test_selling_time_of_a_half_recorded_week_is_not_shown() -> None:
    week = ("2026-10-05", "2026-10-12")
    full = activities(("call", 10, "a", "2026-10-05", True), ("admin", 30, "a", "2026-10-06", True))
    table = kpis.selling_time_share(full, STAFF, period=week)
    assert table[
        ["selling_hours", "recorded_hours", "contracted_hours", "coverage", "selling_time_share"]
    ].iloc[0].tolist() == [10, 40, 40, 1, 0.25]
    thin = kpis.selling_time_share(full[:1], STAFF, period=week)
    assert math.isnan(thin["selling_time_share"][0])
    assert thin[["coverage", "note"]].iloc[0].tolist() == [0.25, "coverage"]


def test_a_rep_who_records_nothing_lowers_the_coverage() -> None:
    staff = pd.concat([STAFF, STAFF.assign(rep_id="b")])
    frame = activities(("call", 40, "a", "2026-10-05", True))
    assert kpis.selling_time_share(frame, staff, period=("2026-10-05", "2026-10-12"))["coverage"][0] == 0.5


def test_team_names_are_found_through_their_ids() -> None:
    frame = activities(("call", 40, "a", "2026-10-05", True)).assign(team="North", team_id="t1")
    table = kpis.selling_time_share(
        frame, STAFF.assign(team_id="t1"), by="team", period=("2026-10-05", "2026-10-12")
    )
    assert table[["team", "coverage"]].to_numpy().tolist() == [["North", 1.0]]
