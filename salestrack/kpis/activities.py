"""What the sales team does: the mix of activities and the share of time spent selling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import narwhals as nw
import pandas as pd

from salestrack.kpis._card import card
from salestrack.kpis._facts import By, Facts, facts
from salestrack.kpis._frames import Part, flag, frame, masked_sum, summarise
from salestrack.kpis._periods import day_number
from salestrack.kpis._results import divided, group_total, layout, note, outer, ratio, together
from salestrack.kpis._working import contracted, span_of
from salestrack.periods import PeriodLike

SELLING = ("call", "email", "meeting", "sms", "social")
CATEGORIES = {
    "preparation": ("preparation",),
    "internal": ("internal_meeting",),
    "admin": ("admin", "task", "note"),
    "travel": ("travel",),
    "training": ("training",),
}
"""Types of activity in each kind of working time beside selling; what is in none of them is `other`."""


@card(
    number=25,
    unit="share",
    date="started_at",
    label_en="Activity mix",
    label_de="Aktivitätenmix",
    description_de="Anteil jeder Art an den erledigten Aktivitäten; geplante zählen nicht.",
    formula_de="Aktivitäten der Art / alle Aktivitäten der Gruppe, nur erledigte.",
    undefined_de="nie (eine Art ohne Aktivitäten hat keine Zeile); `hours_share` ist NaN, wo keine Stunden "
    "erfasst sind.",
)
def activity_mix(
    activities: Any,
    *,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """Share of each type among the activities done; planned ones do not count.

    Formula: activities of the type / all activities of the group, done ones only.

    Undefined: never (a type without activities has no row); `hours_share` is NaN where no hours are recorded.

    Parameters
    ----------
    activities : one row per activity, in any engine: `activity_type`, `duration_s`, for periods
        `started_date` or `started_at`, optionally `is_done`
    by : columns or period words of the start; there is always a row per activity type
    period : of the start
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group and `activity_type`: `activities`, `hours`, `without_duration`, `activity_mix`
    (share of the group's activities, 0 to 1), `hours_share` (of its hours), `n` (activities of the
    group).

    Examples
    --------
    >>> activities = pd.DataFrame({"activity_type": ["call", "call", "email"],
    ...                            "duration_s": [1800, 1800, None]})
    >>> activity_mix(activities)[["activity_type", "activities", "hours", "activity_mix"]]
      activity_type  activities  hours  activity_mix
    0          call           2    1.0      0.666667
    1         email           1    0.0      0.333333
    """
    x = _done(activities, "activity_mix", by, period, fiscal_year_start)
    outer_groups = list(x.by)
    x = x.also_by("activity_type")
    table = x.totals(n="len", seconds=("_seconds", "sum"), timed=("_timed", "sum"))
    whole = {c: group_total(table, outer_groups, c) for c in ("n", "seconds")}
    table = table.assign(
        activities=table["n"],
        hours=table["seconds"] / 3600,
        without_duration=table["n"] - table["timed"],
        n=whole["n"],
        activity_mix=divided(table["n"], whole["n"]),
        hours_share=divided(table["seconds"], whole["seconds"]),
    )
    return layout(table, x, "activities", "hours", "without_duration", "activity_mix", "hours_share", "n")


@card(
    number=27,
    unit="share",
    date="started_at",
    label_en="Selling time",
    label_de="Verkaufszeitanteil",
    description_de="Anteil der erfassten Arbeitsstunden für Telefonate, E-Mails und Termine mit Kunden.",
    formula_de="Stunden der erledigten Aktivitäten in den Verkaufskategorien / Stunden aller erledigten "
    "Aktivitäten.",
    undefined_de="NaN mit dem Vermerk coverage, wo weniger als 70 % der Vertragsstunden erfasst sind, no_data, "
    "wo nichts erfasst ist.",
)
def selling_time_share(
    activities: Any,
    rep_assignments: Any,
    *,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
    as_of: date | str | None = None,
    selling: Sequence[str] = SELLING,
    min_coverage: float = 0.7,
) -> pd.DataFrame:
    """Share of the recorded working hours spent on calls, e-mails and meetings with customers.

    Formula: hours of activities done in the selling categories / hours of all activities done.

    Undefined: NaN with the note coverage where recorded hours are less than 70 % of the contracted ones,
    no_data where nothing is recorded.

    Parameters
    ----------
    activities : one row per activity: `activity_type`, `duration_s`, `owner_rep_id`, `started_date` or
        `started_at`, optionally `is_done`
    rep_assignments : `rep_id`, `contracted_hours_per_week`, `valid_from_date`, `valid_to_date` (its last day)
    by : columns that both have (rep_id, team_id, or team beside team_id) or period words; None gives one row
    period : of the start; None runs from the first to the last activity
    fiscal_year_start : month (1 to 12) in which the fiscal year starts
    as_of : the day up to which things are known; contracted hours end there
    selling : activity types that count as selling
    min_coverage : share of the contracted hours that must be recorded for a rate to be shown

    Returns
    -------
    One row per group: `selling_hours` and the hours of the other six kinds of working time,
    `preparation_hours`, `internal_hours`, `admin_hours` (also tasks and notes), `travel_hours`,
    `training_hours`, `other_hours`, which add up to `recorded_hours`; `contracted_hours`, `coverage` (recorded
    over contracted), `selling_time_share` (0 to 1), `low`, `high` (95 %, clustered by rep), `n`
    (activities with a duration), `note`.

    Examples
    --------
    >>> day = pd.Timestamp("2026-10-05")
    >>> activities = pd.DataFrame({"activity_type": ["call", "admin"], "duration_s": [36000, 108000],
    ...                            "owner_rep_id": "a", "started_at": [day, day + pd.Timedelta(days=6)]})
    >>> reps = pd.DataFrame({"rep_id": ["a"], "contracted_hours_per_week": [40.0],
    ...                      "valid_from_date": pd.Timestamp("2026-01-01"), "valid_to_date": pd.NaT})
    >>> selling_time_share(activities, reps)[["selling_hours", "coverage", "selling_time_share"]]
       selling_hours  coverage  selling_time_share
    0           10.0       1.0                0.25
    """
    name = "selling_time_share"
    x = _done(activities, name, by, period, fiscal_year_start, rep="owner_rep_id")
    kinds: dict[str, Part] = {kind: (f"_{kind}", "sum") for kind in ("selling", *CATEGORIES)}
    totals: dict[str, Part] = {"seconds": ("_seconds", "sum"), "n": ("_timed", "sum"), **kinds}
    days: dict[str, Part] = {"first": ("_first", "min"), "last": ("_last", "max")}
    each = _per_rep_and_type(x).mark(**_kinds(selling))
    table = ratio(each, name, "_selling", "_seconds", cluster=("rep_id",), share=True, **totals, **days)
    span = span_of(table, period, fiscal_year_start, as_of, name)
    hours = contracted(rep_assignments, x, table, span)
    table = (
        outer(table.drop(columns=["note", *days]), hours, x.by) if x.by else pd.concat([table, hours], axis=1)
    )
    table = table.assign(
        **{f"{kind}_hours": table[kind] / 3600 for kind in kinds}, recorded_hours=table["seconds"] / 3600
    )
    table["other_hours"] = (table["seconds"] - table[list(kinds)].sum(axis=1)) / 3600
    table["coverage"] = divided(table["recorded_hours"], table["contracted_hours"])
    thin = ~(table["coverage"] >= min_coverage)
    figures = [name, "low", "high"]
    table[figures] = table[figures].where(~thin & (table["seconds"] > 0))
    table["note"] = note(table[name], "coverage").where(table["seconds"] > 0, "no_data")
    rest = [f"{kind}_hours" for kind in (*CATEGORIES, "other")]
    parts = ("selling_hours", *rest, "recorded_hours", "contracted_hours", "coverage")
    return layout(table, x, *parts, *figures, "n", "note")


def _per_rep_and_type(x: Facts) -> Facts:
    """Seconds, activities with a duration, first and last day of each rep and type of activity."""
    sums: dict[str, Part] = {"_seconds": ("_seconds", "sum"), "_timed": ("_timed", "sum")}
    days: dict[str, Part] = {"_first": ("_started", "min"), "_last": ("_started", "max")}
    return replace(x, rows=summarise(x.rows, together(x.keys, ("rep_id", "activity_type")), **sums, **days))


def _kinds(selling: Sequence[str]) -> dict[str, nw.Expr]:
    """Seconds of each kind of working time, 0 where an activity is of another; selling comes first."""
    kind = nw.col("activity_type").cast(nw.String).fill_null("")
    made = {"_selling": masked_sum(kind.is_in(list(selling)), "_seconds")}
    for name, types in CATEGORIES.items():
        own = [word for word in types if word not in selling]
        made[f"_{name}"] = masked_sum(kind.is_in(own), "_seconds") if own else nw.lit(0)
    return made


def _done(
    activities: Any,
    function: str,
    by: By,
    period: PeriodLike | None,
    fiscal_year_start: int,
    rep: str | None = None,
) -> Facts:
    """Activities that were done, with their seconds (0 where unknown) and the day they started."""
    rows = frame(
        activities, needs=("activity_type", "duration_s", *((rep,) if rep else ())), function=function
    )
    columns = rows.collect_schema().names()
    if rep:
        rows = rows.with_columns(rep_id=nw.col(rep).cast(nw.String))
    day = "started_date" if "started_date" in columns else "started_at"
    x = facts(
        rows,
        function=function,
        needs=(day,) if rep else (),
        date=day,
        by=by,
        period=period,
        fiscal_year_start=fiscal_year_start,
    )
    if "is_done" in columns:
        x = x.keep(nw.col("is_done").fill_null(False))
    length = nw.col("duration_s")
    if not x.rows.collect_schema()["duration_s"].is_integer():
        length = (length.cast(nw.Float64) + 0.5).floor()
    timed = nw.col("duration_s") >= 0
    x = x.mark(_timed=flag(timed), _seconds=nw.when(timed).then(length).otherwise(nw.lit(0)).cast(nw.Int64))
    return x.mark(_started=day_number(day)) if day in columns else x
