"""How much is done per day that a deal is open, or per working day of a rep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Literal

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._card import card
from salestrack.kpis._facts import By, Facts, facts, group_names, named_groups
from salestrack.kpis._frames import Part, Rows, flag, frame, once, small, smalls, stacked, summarise
from salestrack.kpis._joining import joined
from salestrack.kpis._landmark import dated, done, merged
from salestrack.kpis._periods import day_number, month_word, number_of, word_start
from salestrack.kpis._results import divided, note
from salestrack.kpis._survival import checked_day, day_known, whole
from salestrack.kpis._working import assignments
from salestrack.periods import WORDS, Period, PeriodLike
from salestrack.stats.testing import poisson_rate

COUNTS = ("activities", "outbound", "inbound", "days", "n")


@card(
    number=25,
    unit="ratio",
    date="started_date",
    label_en="Activity rate",
    label_de="Aktivitätsrate",
    description_de="Erledigte Aktivitäten je Tag, an dem eine Verkaufschance offen war, nach Art.",
    formula_de="erledigte Aktivitäten der Art an offenen Verkaufschancen / Tage, an denen diese offen waren "
    "(oder, mit per=rep_day, alle erledigten Aktivitäten / Arbeitstage der Personen im Vertrieb).",
    undefined_de="NaN mit dem Vermerk no_data, wo keine Verkaufschance offen war (niemand da war).",
)
def activity_rate(
    activities: Any,
    deals: Any,
    rep_assignments: Any = None,
    *,
    as_of: date | str,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
    per: Literal["deal_day", "rep_day"] = "deal_day",
) -> pd.DataFrame:
    """Activities done per day that a deal was open, by type.

    Formula: activities of the type done on deals while they were open / days that the deals were open (or,
    with per=rep_day, all activities done / working days of the reps).

    Undefined: NaN with the note no_data where no deal was open (nobody was there).

    Numbers of activities per deal must not be compared between won and lost deals: a deal that stays open
    longer gathers more of them whatever they do. Days of exposure take that out.

    Parameters
    ----------
    activities : `activity_type`, `started_date` or `started_at`, `deal_id` (for rep_day `owner_rep_id`),
        optionally `activity_id` (rows of one activity count once), `direction`, `is_done`, `is_automated`
    deals : `deal_id`, `status`, `created_date` or `created_at`, `closed_date` or `closed_at`; a deal closed on an
        unknown day is left out
    rep_assignments : for rep_day: `rep_id`, `valid_from_date`, `valid_to_date` (its last day)
    as_of : the day up to which things are known, itself included
    by : columns of deals (for rep_day: that activities and rep_assignments both have), or period words
    period : in which activities and days are counted; None begins with the first activity that counts
    fiscal_year_start : month (1 to 12) in which the fiscal year starts
    per : "deal_day": a day that a deal was open, its first and last included; "rep_day": a Monday to Friday
        of a rep's assignment

    Returns
    -------
    One row per group and `activity_type`: `activities`, `outbound`, `inbound`, `days`, `activity_rate`
    (activities per day), `low`, `high` (exact 95 % Poisson interval, as if each came by itself),
    `outbound_rate`, `inbound_rate`, `n` (deals, or reps, counted in `days`), `note`. A type that a group never
    has stands there with 0.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": ["a"], "status": ["won"],
    ...                       "created_date": pd.Timestamp("2026-01-01"), "closed_date": pd.Timestamp("2026-01-10")})
    >>> calls = pd.DataFrame({"activity_id": ["1", "2", "2"], "activity_type": "call", "deal_id": "a",
    ...                       "started_at": pd.Timestamp("2026-01-05")})
    >>> activity_rate(calls, deals, as_of="2026-10-31", period="2026")[["activity_type", "activities", "days", "activity_rate"]]
      activity_type  activities  days  activity_rate
    0          call           2    10            0.2
    """
    name, day = "activity_rate", checked_day(as_of, "activity_rate")
    groups = group_names(by)
    names, words = [g for g in groups if g not in WORDS], [g for g in groups if g in WORDS]
    key = {"deal_day": "deal_id", "rep_day": "owner_rep_id"}.get(per)
    if key is None or (per == "rep_day" and rep_assignments is None):
        raise KpiError.bad_option(name, "per", per, "give deal_day, or rep_day with rep_assignments")
    acts = done(
        activities, day, key, function=name, period=period, fiscal_year_start=fiscal_year_start,
        by=words if per == "deal_day" else groups,
    )  # fmt: skip
    acts = acts.mark(_way=_way(acts))
    if per == "deal_day":
        spans = _deals(deals, names, day, fiscal_year_start)
        counts, changed = smalls(_counts(_of_open_deals(acts, spans), groups), _changes(spans))
        changes = spans.finish(changed)
    else:
        counts = small(_counts(merged(acts.rows, *groups, "activity_type", "_day", "_way"), groups))
        changes = _reps(rep_assignments, acts, names)
    counted = Facts(acts.rows, (*groups, "activity_type"), name, fiscal_year_start).finish(counts)
    cells = _cells(words, _bounds(counted["first"], period, day, fiscal_year_start), fiscal_year_start)
    exposed = (_open_days if per == "deal_day" else _working_days)(changes, cells, names)
    return _rates(counted, exposed, groups)


def _way(acts: Facts) -> nw.Expr:
    """1 for outbound, 2 for inbound activities, 0 for others."""
    if "direction" not in acts.columns:
        return nw.lit(0)
    way = nw.col("direction").cast(nw.String)
    return flag(way == "outbound") + 2 * flag(way == "inbound")


def _deals(deals: Any, names: Sequence[str], as_of: date, fiscal_year_start: int) -> Facts:
    """Deals with the first and the last day that they were open, as far as known."""
    rows = frame(deals, needs=("deal_id", "status"), function="activity_rate")
    columns = rows.collect_schema().names()
    born, closed = dated(columns, "created", "activity_rate"), dated(columns, "closed", "activity_rate")
    x = facts(rows, function="activity_rate", by=names, fiscal_year_start=fiscal_year_start)
    unknown = nw.col("status").fill_null("").is_in(["won", "lost"]) & nw.col(closed).is_null()
    x = x.mark(
        deal_id=nw.col("deal_id").cast(nw.String),
        _first=day_number(born),
        _last=day_known(closed, as_of, x.columns).fill_null(number_of(as_of)),
    )
    x = x.keep((nw.col("_first") <= number_of(as_of)) & (nw.col("_last") >= nw.col("_first")) & ~unknown)
    return replace(x, rows=once(x.rows.select("deal_id", "_first", "_last", *x.by)))


def _of_open_deals(acts: Facts, spans: Facts) -> Rows:
    """Activities on days that their deal was open, with the deal's groups, each once."""
    wanted = [c for c in ("activity_id", "deal_id", "activity_type", "_day", "_way") if c in acts.columns]
    rows = joined(acts.rows.select(*wanted, *acts.by), spans.rows, "deal_id")
    rows = rows.filter((nw.col("_day") >= nw.col("_first")) & (nw.col("_day") <= nw.col("_last")))
    return merged(rows, "deal_id", "activity_type", "_day", "_way", *acts.by, *spans.by)


def _counts(rows: Rows, groups: Sequence[str]) -> Rows:
    """Activities per group and type, and the day of the first one."""
    rows = rows.with_columns(_out=flag(nw.col("_way") == 1), _in=flag(nw.col("_way") == 2))
    sums: dict[str, Part] = {"outbound": ("_out", "sum"), "inbound": ("_in", "sum")}
    return summarise(rows, (*groups, "activity_type"), activities="len", **sums, first=("_day", "min"))


def _changes(spans: Facts) -> Rows:
    """Per group and day how many deals opened on it, and how many were open for the last time the day before."""
    starts = spans.rows.select(*spans.by, nw.col("_first").alias("_day")).with_columns(
        _up=nw.lit(1), _down=nw.lit(0)
    )
    ends = spans.rows.select(*spans.by, (nw.col("_last") + 1).alias("_day"))
    ends = ends.with_columns(_up=nw.lit(0), _down=nw.lit(1))
    both = stacked([starts, ends])
    return summarise(both, (*spans.by, "_day"), _up=("_up", "sum"), _down=("_down", "sum"))


def _reps(rep_assignments: Any, acts: Facts, names: list[str]) -> pd.DataFrame:
    """Assignments from day to day, with their groups."""
    return assignments(rep_assignments, acts, names, hours=False).rename(columns={"_from": "_day"})


def _bounds(
    first: pd.Series[Any], period: PeriodLike | None, as_of: date, fiscal_year_start: int
) -> tuple[int, int]:
    """The first day that counts, without a period that of the first activity, and the day after the last."""
    end = number_of(as_of) + 1
    if period is None:
        return (int(first.min()) if len(first) else end), end
    span = Period.parse(period, fiscal_year_start=fiscal_year_start)
    end = min(end, number_of(span.end))
    return min(number_of(span.start), end), end


def _cells(words: Sequence[str], bounds: tuple[int, int], fiscal_year_start: int) -> pd.DataFrame:
    """The stretches of days (`_a` up to, not including, `_b`) that the period words cut the time into."""
    if not words:
        return pd.DataFrame({"_a": [bounds[0]], "_b": [bounds[1]]})
    days = np.arange(*bounds)
    months = days.astype("datetime64[D]").astype("datetime64[M]").astype("int64") + 1970 * 12
    keys = {"day": days, "week": (days + 3) // 7}
    table = pd.DataFrame({"_day": days})
    for word in words:
        key = pd.Series(keys[word] if word in keys else month_word(word, months, fiscal_year_start))
        table[word] = word_start(word, key, fiscal_year_start)
    grouped = table.groupby(list(words))["_day"]
    return pd.DataFrame({"_a": grouped.min(), "_b": grouped.max() + 1}).reset_index()


def _open_days(changes: pd.DataFrame, cells: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Days that deals were open and deals that were so at all, per group and stretch."""
    table = changes.merge(cells, how="cross")
    left = np.maximum(table["_b"] - np.maximum(table["_a"], table["_day"]), 0)
    table["days"] = (table["_up"] - table["_down"]) * left
    table["n"] = table["_up"] * (table["_day"] < table["_b"]) - table["_down"] * (
        table["_day"] <= table["_a"]
    )
    return _summed(table, cells, names)


def _working_days(reps: pd.DataFrame, cells: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Mondays to Fridays of reps, and reps that had any, per group and stretch."""
    table = reps.merge(cells, how="cross")
    first, end = np.maximum(table["_a"], table["_day"]), np.minimum(table["_b"], table["_to"])
    there = np.stack([first, np.maximum(first, end)]).astype("int64").astype("datetime64[D]")
    table["days"] = np.busday_count(there[0], there[1])
    table = table[table["days"] > 0]
    keys = [*names, *(c for c in cells if c not in ("_a", "_b"))]
    table["n"] = (~table.duplicated([*keys, "_rep"])).astype("int64")
    return _summed(table, cells, names)


def _summed(table: pd.DataFrame, cells: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    keys = [*names, *(c for c in cells if c not in ("_a", "_b"))]
    if not keys:
        return pd.DataFrame({c: [int(table[c].sum())] for c in ("days", "n")})
    grouped = table.groupby(keys, dropna=False)
    found = pd.DataFrame({c: grouped[c].sum() for c in ("days", "n")}).reset_index()
    return found[found["days"] > 0]


def _rates(counted: pd.DataFrame, exposed: pd.DataFrame, groups: Sequence[str]) -> pd.DataFrame:
    """Every type beside every group that was exposed, with its rate and interval."""
    types = pd.DataFrame({"activity_type": counted["activity_type"].unique()})
    rows = exposed.merge(types, how="cross")
    both = rows.merge(counted, on=[*groups, "activity_type"], how="outer")
    both[list(COUNTS)] = both[list(COUNTS)].fillna(0)
    table = whole(named_groups(both, (*groups, "activity_type")), *COUNTS)
    low, high = poisson_rate(table["activities"], table["days"])
    rate = divided(table["activities"], table["days"])
    table = table.assign(
        activity_rate=rate,
        low=low,
        high=high,
        outbound_rate=divided(table["outbound"], table["days"]),
        inbound_rate=divided(table["inbound"], table["days"]),
        note=note(rate),
    )
    figures = ("activity_rate", "low", "high", "outbound_rate", "inbound_rate")
    return table[[*groups, "activity_type", *COUNTS[:4], *figures, "n", "note"]]
