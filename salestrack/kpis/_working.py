"""How long reps were there: contracted hours and working days per group, from their assignments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._facts import Facts, facts, own_names
from salestrack.kpis._frames import small
from salestrack.kpis._periods import MONTHS, day_number, number_of
from salestrack.kpis._survival import checked_day
from salestrack.periods import WORDS, Period, PeriodLike


def span_of(
    table: pd.DataFrame,
    period: PeriodLike | None,
    fiscal_year_start: int,
    as_of: date | str | None,
    function: str,
) -> tuple[int, int]:
    """First day and day after the last: of the period, else of the activities (`first`, `last`), cut after as_of."""
    if period is not None:
        asked = Period.parse(period, fiscal_year_start=fiscal_year_start)
        first, end = number_of(asked.start), number_of(asked.end)
    else:
        begun, last = table["first"].min(), table["last"].max()
        first, end = (0, 0) if pd.isna(begun) else (int(begun), int(last) + 1)
    if as_of is not None:
        end = min(end, number_of(checked_day(as_of, function)) + 1)
    return first, max(first, end)


def contracted(rep_assignments: Any, x: Facts, table: pd.DataFrame, span: tuple[int, int]) -> pd.DataFrame:
    """Contracted hours per group: hours a week times the days of each assignment in the group's time."""
    groups = [name for name in x.by if name not in WORDS]
    reps = assignments(rep_assignments, x, groups)
    cells = table[list(x.words)].drop_duplicates() if x.words else pd.DataFrame({"_": [0]})
    start, end = _bounds(cells, x, span)
    days = np.minimum.outer(reps["_to"].to_numpy(), end) - np.maximum.outer(reps["_from"].to_numpy(), start)
    hours = np.maximum(days, 0) / 7 * reps["contracted_hours_per_week"].to_numpy()[:, None]
    long = reps[groups].merge(cells, how="cross").assign(contracted_hours=hours.ravel())
    if not x.by:
        return pd.DataFrame({"contracted_hours": [float(hours.sum())]})
    sums = long.groupby(list(x.by), dropna=False)["contracted_hours"].sum().reset_index()
    return sums.loc[sums["contracted_hours"] > 0]


def assignments(rep_assignments: Any, x: Facts, groups: list[str], *, hours: bool = True) -> pd.DataFrame:
    """From which day to which (not included) each rep was there, with the groups and the hours a week."""
    needs = ("rep_id", "valid_from_date", "valid_to_date", *(("contracted_hours_per_week",) if hours else ()))
    r = facts(rep_assignments, function=x.function, needs=needs)
    names = {
        name: f"{name}_id"
        for name in groups
        if name not in r.columns and f"{name}_id" in r.columns and f"{name}_id" in x.columns
    }
    r = r.also_by(*(names.get(name, name) for name in _known(groups, names, r)))
    weekly = nw.col("contracted_hours_per_week").cast(nw.Float64).fill_null(0.0) if hours else nw.lit(0.0)
    r = r.mark(
        _rep=nw.col("rep_id").cast(nw.String),
        _from=day_number("valid_from_date").fill_null(-(10**6)),
        _to=(day_number("valid_to_date") + 1).fill_null(10**6),
        contracted_hours_per_week=weekly,
    )
    table = small(r.rows.select("_rep", "_from", "_to", "contracted_hours_per_week", *r.by))
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
