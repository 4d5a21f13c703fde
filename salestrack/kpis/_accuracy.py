"""Forecasts as they stood at fixed horizons beside what came in, and how far they were off."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._facts import Facts, facts, own_names
from salestrack.kpis._frames import Rows, flag, small, stacked, summarise
from salestrack.kpis._money import CENTS, with_cents
from salestrack.kpis._periods import MONTHS, day_number, number_of
from salestrack.kpis._weights import (
    EPOCH,
    horizon_day,
    horizon_parts,
    key_of,
    looked_up,
)
from salestrack.periods import Period, month_index, month_start
from salestrack.stats import forecasts as errors
from salestrack.stats.intervals import ratio_interval, ratio_variance

MADE = ("made_date", "made_at", "submitted_at")


def said_of(forecasts: Any, groups: list[str], category: str, name: str) -> Facts:
    """The forecasts of one category, with their amount, the start of their period and the time they were made."""
    x = facts(forecasts, function=name, needs=("period_start_date",), by=groups)
    x = with_cents(x, "forecast_amount").keep(
        ~nw.col("period_start_date").is_null() & ~nw.col(CENTS).is_null()
    )
    has = x.columns
    if "horizon" not in has and not any(column in has for column in MADE):
        raise KpiError.missing_column("submitted_at", name, own_names(has))
    if "forecast_category" in has and "forecast_category" not in groups:
        x = x.keep(nw.col("forecast_category").cast(nw.String) == category)
    for bound in ("low", "high"):
        given = nw.col(bound).cast(nw.Float64) * 100 if bound in has else nw.lit(None).cast(nw.Float64)
        x = x.mark(**{f"_{bound}": given})
    return x.mark(_start=day_number("period_start_date"))


def at_horizons(
    x: Facts, day: date, each: str, horizons: Sequence[str], fiscal_year_start: int
) -> pd.DataFrame:
    """Sums per group, period and horizon of the forecasts that stood on the day of the horizon."""
    made = next((column for column in MADE if column in x.columns), None)
    starts = small(summarise(x.rows, ("_start",), n="len"))["_start"]
    spans = _finished(starts, each, day, x.function, fiscal_year_start)
    holders = [c for c in ("rep_id", "team_id", "forecast_category") if c in x.columns]
    frames: list[Rows] = []
    for horizon in horizons:
        horizon_parts(horizon, x.function)
        days = {start: horizon_day(horizon, span, x.function) for start, span in spans.items()}
        known = {start: found for start, found in days.items() if found is not None}
        y = x.keep(nw.col("_start").is_in(list(known) or [-(10**9)]))
        if "horizon" in x.columns:
            y = y.keep(nw.col("horizon").cast(nw.String) == horizon)
        if made and known:
            y = y.keep(day_number(made) <= looked_up("_start", known))
            filled = {f"_h{i}": nw.col(c).cast(nw.String).fill_null("") for i, c in enumerate(holders)}
            y = y.mark(**filled)
            keys = [*dict.fromkeys(("_start", *x.by, *filled))]
            y = y.mark(_latest=nw.col(made).max().over(*keys)).keep(nw.col(made) == nw.col("_latest"))
        columns = dict.fromkeys((*x.by, "_start", CENTS, "_low", "_high", *holders))
        frames.append(y.rows.select(*columns).with_columns(horizon=nw.lit(horizon)))
    rows = stacked(frames)
    rows = rows.with_columns(_person=flag(~nw.col("rep_id").is_null()) if "rep_id" in holders else nw.lit(1))
    keys_of = (*x.by, "horizon", "_start")
    table = small(
        summarise(
            rows,
            keys_of,
            said=(CENTS, "sum"),
            low=("_low", "sum"),
            high=("_high", "sum"),
            bounds=("_low", "count"),
            rows="len",
            least=("_person", "min"),
            most=("_person", "max"),
        )
    )
    if "team_id" in holders and (table["least"] < table["most"]).any():
        raise KpiError.bad_rows(
            x.function,
            "persons and teams both forecast the same period",
            "keep the rows of persons or of teams",
        )
    single = (table["rows"] == 1) & (table["bounds"] == 1)
    return table.assign(low=table["low"].where(single), high=table["high"].where(single))


def _finished(
    starts: pd.Series[int], each: str, day: date, function: str, fiscal_year_start: int
) -> dict[int, Period]:
    """The periods that are over by the day, by their first days."""
    spans = {}
    for number in sorted(int(s) for s in starts.dropna()):
        first = EPOCH + timedelta(days=number)
        span = Period(first, first + timedelta(days=1)).containing(each, fiscal_year_start=fiscal_year_start)
        if span.start != first:
            raise KpiError.bad_rows(
                function, f"a forecast's period starts on {first}, which starts no {each}", "say each='month'"
            )
        if span.last_day <= day:
            spans[number] = span
    return spans


def actuals_of(credits: Any, groups: list[str], day: date, each: str, fiscal_year_start: int) -> pd.DataFrame:
    """Hundredths that came in, per group and first day of the period."""
    x = facts(credits, function="forecast_accuracy", needs=("credit_date",), by=groups)
    x = with_cents(x).keep(~nw.col("credit_date").is_null() & (day_number("credit_date") <= number_of(day)))
    x = x.mark(_k=key_of(each, "credit_date", fiscal_year_start))
    table = small(summarise(x.rows, (*x.by, "_k"), actual=(CENTS, "sum")))
    months = table["_k"] * MONTHS[each] + (fiscal_year_start - 1 if each != "month" else 0)
    table["_start"] = [number_of(month_start(int(m))) for m in months]
    return table.drop(columns="_k").astype({"_start": "int64"})


def beside_actuals(table: pd.DataFrame, actuals: pd.DataFrame, groups: list[str], each: str) -> pd.DataFrame:
    """The forecasts with what came in, and what came in a year before (`naive`), 0 where it was nothing."""
    keys, first = [*groups, "_start"], actuals["_start"].min() if len(actuals) else np.inf
    actuals = actuals.astype({g: table[g].dtype for g in groups})
    later = actuals.assign(_start=[_year_later(int(s)) for s in actuals["_start"]]).astype(
        {"_start": "int64"}
    )
    both = table.merge(actuals, on=keys, how="left")
    both = both.merge(later.rename(columns={"actual": "naive"}), on=keys, how="left")
    reached = pd.Series([_year_later(int(s), -1) >= first for s in both["_start"]], both.index, dtype=bool)
    return both.assign(
        actual=both["actual"].fillna(0).astype(float),
        naive=both["naive"].astype(float).fillna(0.0).where(reached),
        said=both["said"].astype(float),
    )


def _year_later(start: int, years: int = 1) -> int:
    return number_of(month_start(month_index(EPOCH + timedelta(days=start)) + 12 * years))


def errors_of(part: pd.DataFrame, level: float) -> dict[str, float]:
    """The figures of one group at one horizon; its rows are forecasts of parts that add up per period."""
    sums = part.groupby("_start")[["said", "actual", "naive"]].sum(min_count=1) / 100
    f, a = sums["said"], sums["actual"]
    off = (f - a).abs()
    value, variance = ratio_variance(
        off.sum(), a.sum(), (off**2).sum(), (off * a).sum(), (a**2).sum(), len(a)
    )
    low, high = ratio_interval(value, variance, len(a))
    wape = errors.wape(f, a)
    known = np.isfinite(wape)
    inside, of = errors.interval_coverage(part["low"], part["high"], part["actual"])
    edge = (1 - level) / 2
    bounds = part.dropna(subset=["low", "high"])
    losses = [
        errors.pinball(bounds[column] / 100, bounds["actual"] / 100, at)
        for column, at in (("low", edge), ("said", 0.5), ("high", 1 - edge))
    ]
    return {
        "forecast": float(f.sum()),
        "actual": float(a.sum()),
        "bias": errors.bias(f, a),
        "forecast_accuracy": wape,
        "low": max(float(low), 0.0) if known else float("nan"),
        "high": float(high) if known else float("nan"),
        "mase": errors.mase(f, a, sums["naive"]),
        "coverage": inside / of if of else float("nan"),
        "pinball": float(np.mean(losses)),
        "came_true": float(a.sum() / f.sum()) if f.sum() > 0 else float("nan"),
        "n": float(len(a)),
    }


def no_errors(table: pd.DataFrame, shown: Facts, level: float) -> pd.DataFrame:
    """The columns of `errors_of` without a row."""
    empty = table.iloc[:0]
    figures = errors_of(empty, level)
    return pd.concat(
        [empty[list(shown.by)], pd.DataFrame({c: pd.Series([], dtype=float) for c in figures})], axis=1
    )
