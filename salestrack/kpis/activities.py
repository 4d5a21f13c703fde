"""What the sales team does: the mix of activities and the share of time spent selling."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._card import card
from salestrack.kpis._facts import By, Facts, facts, own_names
from salestrack.kpis._frames import flag, frame, masked_sum, small, summarise
from salestrack.kpis._periods import MONTHS, day_number, number_of
from salestrack.kpis._results import divided, group_total, layout, note, outer, ratio
from salestrack.kpis._survival import checked_day
from salestrack.periods import WORDS, Period, PeriodLike

SELLING = ("call", "email", "meeting")


@card(
    number=25,
    unit="share",
    date="started_at",
    label_en="Activity mix",
    label_de="Aktivitätenmix",
    description_en="Share of each type among the activities done; planned ones do not count.",
    description_de="Anteil jeder Art an den erledigten Aktivitäten; geplante zählen nicht.",
)
def activity_mix(
    activities: Any,
    *,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """Number, hours and share of the activities of each type.

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
    table = x.totals(n="len", seconds=("_seconds", "sum"), without_duration=("_none", "sum"))
    whole = {c: group_total(table, outer_groups, c) for c in ("n", "seconds")}
    table = table.assign(
        activities=table["n"],
        hours=table["seconds"] / 3600,
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
    description_en="Share of the recorded working hours spent on calls, e-mails and meetings with customers.",
    description_de="Anteil der erfassten Arbeitsstunden für Telefonate, E-Mails und Termine mit Kunden.",
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
    """Hours in selling categories over all recorded working hours.

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
    One row per group: `selling_hours`, `recorded_hours`, `contracted_hours`, `coverage` (recorded over
    contracted), `selling_time_share` (0 to 1), `low`, `high` (95 %, clustered by rep), `n` (activities
    with a duration), `note`.

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
    x = x.mark(_selling=masked_sum(nw.col("activity_type").cast(nw.String).is_in(list(selling)), "_seconds"))
    table = x.totals(sold=("_selling", "sum"), seconds=("_seconds", "sum"), n=("_timed", "sum"))
    table = ratio(table, x, name, "_selling", "_seconds", cluster="rep_id", share=True)
    span = _span(x, period, fiscal_year_start, as_of)
    contracted = _contracted(rep_assignments, x, table, span)
    table = (
        outer(table.drop(columns="note"), contracted, x.by)
        if x.by
        else pd.concat([table, contracted], axis=1)
    )
    table = table.assign(selling_hours=table["sold"] / 3600, recorded_hours=table["seconds"] / 3600)
    table["coverage"] = divided(table["recorded_hours"], table["contracted_hours"])
    thin = ~(table["coverage"] >= min_coverage)
    figures = [name, "low", "high"]
    table[figures] = table[figures].where(~thin & (table["seconds"] > 0))
    table["note"] = note(table[name], "coverage").where(table["seconds"] > 0, "no_data")
    return layout(
        table, x, "selling_hours", "recorded_hours", "contracted_hours", "coverage", *figures, "n", "note"
    )


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
    length = nw.col("duration_s").cast(nw.Float64)
    x = x.mark(
        _timed=flag(length >= 0), _none=flag(length.is_null() | (length < 0)), _long=(length + 0.5).floor()
    )
    x = x.mark(_seconds=masked_sum(nw.col("_timed") == 1, "_long").cast(nw.Int64))
    return x.mark(_started=day_number(day)) if day in columns else x


def _span(
    x: Facts, period: PeriodLike | None, fiscal_year_start: int, as_of: date | str | None
) -> tuple[int, int]:
    """First day and day after the last: of the period, else of the activities, cut after as_of."""
    if period is not None:
        asked = Period.parse(period, fiscal_year_start=fiscal_year_start)
        first, end = number_of(asked.start), number_of(asked.end)
    else:
        seen = small(summarise(x.rows, first=("_started", "min"), last=("_started", "max"))).iloc[0]
        first, end = (0, 0) if pd.isna(seen["first"]) else (int(seen["first"]), int(seen["last"]) + 1)
    if as_of is not None:
        end = min(end, number_of(checked_day(as_of, x.function)) + 1)
    return first, max(first, end)


def _contracted(rep_assignments: Any, x: Facts, table: pd.DataFrame, span: tuple[int, int]) -> pd.DataFrame:
    """Contracted hours per group: hours a week times the days of each assignment in the group's time."""
    groups = [name for name in x.by if name not in WORDS]
    reps = _assignments(rep_assignments, x, groups)
    cells = table[list(x.words)].drop_duplicates() if x.words else pd.DataFrame({"_": [0]})
    start, end = _bounds(cells, x, span)
    days = np.minimum.outer(reps["_to"].to_numpy(), end) - np.maximum.outer(reps["_from"].to_numpy(), start)
    hours = np.maximum(days, 0) / 7 * reps["contracted_hours_per_week"].to_numpy()[:, None]
    long = reps[groups].merge(cells, how="cross").assign(contracted_hours=hours.ravel())
    if not x.by:
        return pd.DataFrame({"contracted_hours": [float(hours.sum())]})
    sums = long.groupby(list(x.by), dropna=False)["contracted_hours"].sum().reset_index()
    return sums.loc[sums["contracted_hours"] > 0]


def _assignments(rep_assignments: Any, x: Facts, groups: list[str]) -> pd.DataFrame:
    needs = ("rep_id", "contracted_hours_per_week", "valid_from_date", "valid_to_date")
    r = facts(rep_assignments, function=x.function, needs=needs)
    names = {
        name: f"{name}_id"
        for name in groups
        if name not in r.columns and f"{name}_id" in r.columns and f"{name}_id" in x.columns
    }
    r = r.also_by(*(names.get(name, name) for name in _known(groups, names, r)))
    r = r.mark(
        _from=day_number("valid_from_date").fill_null(-(10**6)),
        _to=(day_number("valid_to_date") + 1).fill_null(10**6),
        contracted_hours_per_week=nw.col("contracted_hours_per_week").cast(nw.Float64).fill_null(0.0),
    )
    table = small(r.rows.select("_from", "_to", "contracted_hours_per_week", *r.by))
    for name, key in names.items():
        labels = small(x.rows.select(key, name).unique()).dropna().drop_duplicates(key).set_index(key)[name]
        table[name] = table[key].map(labels).fillna(table[key])
    return table


def _known(groups: Sequence[str], names: dict[str, str], r: Facts) -> list[str]:
    for name in groups:
        if name not in names and name not in r.columns:
            raise KpiError.unknown_group(name, f"{r.function} (rep_assignments)", own_names(r.columns))
    return list(groups)


def _bounds(
    cells: pd.DataFrame, x: Facts, span: tuple[int, int]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """First day and day after the last of each cell of period words, within the span."""
    start, end = np.full(len(cells), span[0]), np.full(len(cells), span[1])
    for word in x.words:
        first = cells[word].fillna(pd.Timestamp("1970-01-01"))
        step = (
            pd.DateOffset(months=MONTHS[word])
            if word in MONTHS
            else pd.Timedelta(days=7 if word == "week" else 1)
        )
        start, end = np.maximum(start, _numbers(first)), np.minimum(end, _numbers(first + step))
    return start, end


def _numbers(days: pd.Series[Any]) -> np.ndarray[Any, Any]:
    return days.to_numpy().astype("datetime64[D]").astype("int64")
