"""How much open pipeline used to be enough on the same day of past periods."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, cast

import narwhals as nw
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._card import card
from salestrack.kpis._facts import By, Facts, group_names
from salestrack.kpis._frames import Part, Rows, masked_sum, once, smalls, summarise
from salestrack.kpis._joining import joined
from salestrack.kpis._periods import day_number, number_of, within
from salestrack.kpis._results import layout, note
from salestrack.kpis._survival import Figures, checked_day, per_group
from salestrack.kpis._versions import OPEN, WON, Rates, held, priced, stood, versions
from salestrack.kpis._weights import cents_then, looked_up
from salestrack.periods import Period, PeriodLike, month_index
from salestrack.stats.intervals import ratio_interval, ratio_variance

LEAST_QUARTERS = 4


@card(
    number=18,
    unit="ratio",
    date="expected_close_date",
    label_en="Required coverage",
    label_de="Nötige Pipeline-Deckung",
    description_de="Wie viel offene Pipeline frühere Zeiträume am selben Tag je daraus gewonnener Einheit hatten.",
    formula_de="Wert, der am selben Tag früherer Zeiträume für deren Rest offen war / was davon bis zum Ende "
    "gewonnen wurde, über alle Zeiträume summiert. Danach erst angelegte oder hereingezogene Verkaufschancen zählen "
    "nicht; sie stehen in won_besides.",
    undefined_de="NaN mit dem Hinweis no_data, wenn in keinem früheren Zeitraum etwas offen war oder nichts davon "
    "gewonnen wurde. Unter vier Zeiträumen gibt es kein Intervall.",
)
def required_coverage(
    deal_versions: Any,
    exchange_rates: Any = None,
    *,
    as_of: date | str,
    period: PeriodLike | None = None,
    periods: int = 8,
    by: By = None,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """How much open pipeline past periods had on the same day for each unit that was won from it.

    Formula: value open on the same day of past periods for the rest of them / what was won of it by their end,
    summed over the periods. Deals created or pulled in after that day do not count; they show in `won_besides`.

    Undefined: NaN with the note no_data where nothing was open in any past period, or nothing of it was won. With
    fewer than four periods there is no interval.

    Compare it with `pipeline_coverage` of the same day, after taking from the target what `besides_share` promises
    to bring besides.

    Parameters
    ----------
    deal_versions, exchange_rates : as in pipeline_waterfall
    as_of : the day; its place in the period is looked up in the past ones, and nothing known later counts
    period : the period to be covered; None takes the quarter of as_of, on its last day the next one
    periods : number of past periods
    by : columns of the spans on that day, and `quarter` (the start of each past period); None gives one row
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group: `open_value` (on that day, expected from then to the end), `won_value` (of these deals, as won),
    `won_besides` (won in the same time from other deals; currency units), `won_share` (won_value / open_value),
    `besides_share` (won_besides / open_value), `required_coverage`, `low`, `high` (95 % interval over the periods),
    `day`, `days` (of the period to be covered), `n` (past periods with something open), `note`.

    Examples
    --------
    >>> spans = pd.DataFrame({"deal_id": ["a", "a", "b"], "status": ["open", "won", "open"], "amount": 10.0,
    ...     "valid_from": pd.to_datetime(["2026-07-01", "2026-09-01", "2026-07-02"]),
    ...     "valid_to": pd.to_datetime(["2026-09-01", None, None]),
    ...     "closed_date": pd.to_datetime([None, "2026-09-01", None]),
    ...     "expected_close_date": pd.to_datetime(["2026-09-20"] * 3)})
    >>> required_coverage(spans, as_of="2026-10-31")[["open_value", "won_value", "required_coverage"]]
       open_value  won_value  required_coverage
    0        20.0       10.0                2.0
    """
    name, today = "required_coverage", checked_day(as_of, "required_coverage")
    if periods < 1:
        raise KpiError.bad_option(name, "periods", periods, "give a number above 0")
    span = _ahead(period, today, fiscal_year_start)
    passed = (today - span.start).days
    groups = [group for group in group_names(by) if group != "quarter"]
    past = _past(span, periods, today, passed)
    needs = ("expected_close_date", "closed_date")
    x, rates = priced(
        versions(deal_versions, function=name, as_of=today, by=groups, needs=needs), exchange_rates
    )
    long = _looked_back(x, rates, past, today)
    x = Facts(x.rows, tuple(group_names(by)), name, fiscal_year_start)
    table = per_group(_in_order(long, x), x.by, _need)
    table["note"] = note(table["required_coverage"])
    table = table.assign(day=min(max(passed + 1, 0), span.days), days=span.days).astype({"n": "int64"})
    return layout(table, x, *_NEED_COLUMNS)


_NEED_COLUMNS = (
    "open_value",
    "won_value",
    "won_besides",
    "won_share",
    "besides_share",
    "required_coverage",
    "low",
    "high",
    "day",
    "days",
    "n",
    "note",
)


def _ahead(period: PeriodLike | None, today: date, fiscal_year_start: int) -> Period:
    """The period to be covered."""
    if period is not None:
        return Period.parse(period, fiscal_year_start=fiscal_year_start)
    quarter = Period.months(today.replace(day=1), 1).containing(
        "quarter", fiscal_year_start=fiscal_year_start
    )
    return quarter.shifted(3) if quarter.last_day <= today else quarter


def _past(span: Period, periods: int, today: date, passed: int) -> list[tuple[date, Period]]:
    """Past periods that are over, oldest first, each with the day that corresponds to today."""
    size = month_index(span.end) - month_index(span.start)
    before = [span.shifted(-size * back) for back in range(periods, 0, -1)]
    return [(p.start + timedelta(days=min(passed, p.days - 1)), p) for p in before if p.last_day <= today]


def _looked_back(x: Facts, rates: Rates, past: list[tuple[date, Period]], today: date) -> pd.DataFrame:
    """Hundredths per group and past period (`quarter`): open on the day, won of it, won in all from then on."""
    if not past:
        return pd.DataFrame(columns=[*x.by, "quarter", "open", "won", "all"])
    reach = Period(min(day for day, _ in past), max(span.end for _, span in past))
    dtype = x.rows.collect_schema()["closed_date"]
    won = x.keep(WON & within("closed_date", dtype, reach) & stood(x, today))
    won = won.mark(_closed=day_number("closed_date"), _gain=rates.booked(won, today))
    won = replace(won, rows=once(won.rows.select("deal_id", "_closed", "_gain", *x.by)))
    open_, wide = smalls(_opened(x, won, rates, past), _every_win(won, past))
    keys, names = [*x.by, "_k"], ["open", "won", "all"]
    both = pd.concat([open_, _long(wide, won)], ignore_index=True)
    long = both.groupby(keys, dropna=False, sort=False)[names].sum().reset_index()
    figures = long[names].astype("float64")
    starts = long["_k"].map({number: pd.Timestamp(span.start) for number, (_, span) in enumerate(past)})
    long = long.assign(quarter=starts, **figures).sort_values("_k", kind="stable")
    return long[(long["open"] > 0) | (long["all"] > 0)].drop(columns="_k").reset_index(drop=True)


def _opened(x: Facts, won: Facts, rates: Rates, past: list[tuple[date, Period]]) -> Rows:
    """What was open on the day of each past period (`_k`) and expected by its end, and what of it was won by then."""
    dtype = x.rows.collect_schema()["expected_close_date"]
    rest = [Period(max(day, span.start), span.end) for day, span in past]

    def each(values: Iterable[int]) -> nw.Expr:
        chain: Any = nw
        for span, value in zip(rest, values, strict=True):
            chain = chain.when(within("expected_close_date", dtype, span)).then(nw.lit(value))
        return cast(nw.Expr, chain.cast(nw.Int64))

    days = {number: number_of(day) for number, (day, _) in enumerate(past)}
    reach = Period(min(span.start for span in rest), max(span.end for span in rest))
    x = x.keep(OPEN & within("expected_close_date", dtype, reach)).keep(held(each(days.values())))
    ends = {number: number_of(span.end) for number, span in enumerate(rest)}
    x = x.mark(_k=each(days)).mark(_day=looked_up("_k", days), _end=looked_up("_k", ends))
    wins = summarise(won.rows, ("deal_id",), _closed=("_closed", "max"), _gain=("_gain", "max"))
    rows = joined(x.mark(_value=cents_then(rates, days)).rows, wins, on="deal_id", how="left")
    in_time = (nw.col("_closed") > nw.col("_day")) & (nw.col("_closed") < nw.col("_end"))
    rows = rows.with_columns(_gain=masked_sum(in_time, "_gain"))
    return summarise(rows, (*x.by, "_k"), open=("_value", "sum"), won=("_gain", "sum"))


def _every_win(won: Facts, past: list[tuple[date, Period]]) -> Rows:
    """What was won in all from the day of each past period to its end, in columns `_0`, `_1`, …"""
    closed = nw.col("_closed")
    inside = {
        f"_{number}": masked_sum((closed > number_of(day)) & (closed < number_of(span.end)), "_gain")
        for number, (day, span) in enumerate(past)
    }
    sums: dict[str, Part] = {name: (name, "sum") for name in inside}
    return summarise(won.mark(**inside).rows, won.by, **sums)


def _long(wide: pd.DataFrame, won: Facts) -> pd.DataFrame:
    """One row per group and past period (`_k`) instead of one column per period."""
    numbers = {name: int(name[1:]) for name in wide.columns if name not in won.by}
    return (
        wide.rename(columns=numbers)
        .melt(list(won.by), var_name="_k", value_name="all")
        .astype({"_k": "int64"})
    )


def _in_order(long: pd.DataFrame, x: Facts) -> pd.DataFrame:
    """Groups readable and in order; the start of a period is a date already."""
    words = Facts(x.rows, tuple(group for group in x.by if group != "quarter"), x.function)
    found = words.finish(long)
    return found.sort_values("quarter", kind="stable") if x.by == ("quarter",) else found


def _need(rows: pd.DataFrame) -> Figures:
    """The ratio of sums over the past periods with its interval: they are what varies."""
    rows = rows[rows["open"] > 0]
    opened, won = rows["open"].to_numpy(dtype=float), rows["won"].to_numpy(dtype=float)
    besides = rows["all"].to_numpy(dtype=float) - won
    total, gained = float(opened.sum()), float(won.sum())
    low = high = float("nan")
    if len(rows) >= LEAST_QUARTERS:
        sums = (gained, total, won @ won, won @ opened, opened @ opened, len(rows))
        least, most = (float(v) for v in ratio_interval(*ratio_variance(*sums), len(rows)))
        low, high = (1 / most if most > 0 else float("nan")), (1 / least if least > 0 else float("inf"))
    known = total > 0 and gained > 0
    return {
        "open_value": total / 100,
        "won_value": gained / 100,
        "won_besides": float(besides.sum()) / 100,
        "won_share": gained / total if total > 0 else float("nan"),
        "besides_share": float(besides.sum()) / total if total > 0 else float("nan"),
        "required_coverage": total / gained if known else float("nan"),
        "low": low if known else float("nan"),
        "high": high if known else float("nan"),
        "n": float(len(rows)),
    }
