"""Probabilities of deals, what they weigh, and the past days on which the same was said before."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import narwhals as nw
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._facts import Facts, own_names
from salestrack.kpis._frames import small, summarise
from salestrack.kpis._money import CENTS
from salestrack.kpis._periods import MONTHS, month_number, month_word, number_of
from salestrack.kpis._versions import Rates, converted
from salestrack.periods import WORDS, Period, PeriodLike, month_index

OPEN, WON = nw.col("status") == "open", nw.col("status") == "won"
HORIZON = re.compile(r"(day_|t-)([1-9]\d{0,3})")
Z = 1.959963984540054
EPOCH = date(1970, 1, 1)


def with_probability(x: Facts, column: str) -> Facts:
    """With the probability as `_p`, NULL where there is none; a column of text is refused."""
    schema = x.rows.collect_schema()
    if column not in schema:
        raise KpiError.missing_column(column, x.function, own_names(schema.names()))
    if schema[column].is_numeric():
        number = nw.col(column).cast(nw.Float64)
        return x.mark(_p=nw.when(~number.is_nan()).then(number))
    if int(small(summarise(x.rows, some=(column, "count")))["some"].iloc[0]):
        raise KpiError.wrong_type(column, x.function, str(schema[column]), "number")
    return x.mark(_p=nw.lit(None).cast(nw.Float64))


def refuse_percent(table: pd.DataFrame, function: str, column: str) -> None:
    """Refuses probabilities outside 0 to 1, from their extremes `_least` and `_most` in the table."""
    least, most = table["_least"].min(), table["_most"].max()
    if least < 0 or most > 1:
        wrong = most if most > 1 else least
        raise KpiError.bad_rows(
            function,
            f"the column '{column}' holds {wrong:g}, which is no probability between 0 and 1",
            "divide a percentage by 100 before",
        )


def weight(counts: nw.Expr) -> dict[str, nw.Expr]:
    """Of deals that count, have an amount and a probability: `_w` = p·A to the hundredth, `_v` = p(1-p)·A²."""
    both = counts & ~nw.col(CENTS).is_null() & ~nw.col("_p").is_null()
    cents = nw.col(CENTS).cast(nw.Float64)
    p = nw.col("_p")
    return {
        "_w": nw.when(both).then((cents * p + 0.5).floor()).otherwise(nw.lit(0.0)).cast(nw.Int64),
        "_v": nw.when(both).then(cents * cents * p * (1 - p)).otherwise(nw.lit(0.0)),
    }


def spread_of(variance: pd.Series[float]) -> pd.Series[float]:
    """Half the width of the 95 % interval, in units, of a sum of hundredths with this variance."""
    return Z * variance.astype(float).clip(lower=0) ** 0.5 / 100


def won_cents(x: Facts, rates: Rates) -> nw.Expr:
    """Hundredths of closed deals: as converted at their closing."""
    if rates.table.empty:
        return nw.col(CENTS).cast(nw.Int64)
    if "amount_base_cents" not in x.columns:
        raise KpiError.missing_column("amount_base_cents", x.function, own_names(x.columns))
    return nw.col("amount_base_cents").cast(nw.Int64)


def cents_then(rates: Rates, days: dict[int, int], key: str = "_k") -> nw.Expr:
    """Hundredths of open deals at the rates of the day that belongs to their period."""
    if rates.table.empty:
        return nw.col(CENTS).cast(nw.Int64)
    chain: Any = nw
    for number, day in days.items():
        chain = chain.when(nw.col(key) == number).then(rates.rate(EPOCH + timedelta(days=day)))
    return converted(nw.col("amount").cast(nw.Float64), chain)


@dataclass(frozen=True)
class Origin:
    """A past period, its whole number as `word_key` counts, and the day on which it was looked at."""

    key: int
    period: Period
    day: int

    @property
    def last(self) -> int:
        """The last day of the period."""
        return number_of(self.period.last_day)


def forecast_period(
    period: PeriodLike | None, as_of: date, function: str, fiscal_year_start: int
) -> tuple[str, Period]:
    """The period that is forecast and its word: the one given, else the quarter of the day after `as_of`."""
    tomorrow = as_of + timedelta(days=1)
    asked = period or Period(tomorrow, tomorrow + timedelta(days=1)).containing(
        "quarter", fiscal_year_start=fiscal_year_start
    )
    span = Period.parse(asked, fiscal_year_start=fiscal_year_start)
    for word in MONTHS:
        if span == span.containing(word, fiscal_year_start=fiscal_year_start):
            if as_of >= span.last_day:
                break
            return word, span
    raise KpiError.bad_option(
        function, "period", span.label, "give a month, quarter or year that is not over on as_of"
    )


def origins(word: str, span: Period, as_of: date, periods: int, fiscal_year_start: int) -> list[Origin]:
    """The last `periods` finished periods, each on the day that is as far into it as `as_of` is into `span`.

    At least one day of each remains.
    """
    found: list[Origin] = []
    passed = (as_of - span.start).days
    while len(found) < periods:
        span = span.shifted(-MONTHS[word])
        if span.last_day <= as_of:
            day = min(number_of(span.start) + passed, number_of(span.last_day) - 1)
            found.append(Origin(period_key(word, span.start, fiscal_year_start), span, day))
    return found[::-1]


def period_key(word: str, start: date, fiscal_year_start: int) -> int:
    """The whole number of the period that starts on a day."""
    return month_word(word, month_index(start), fiscal_year_start)


def key_of(word: str, column: str, fiscal_year_start: int) -> nw.Expr:
    """The whole number of the period that a column's date lies in."""
    return month_word(word, month_number(column), fiscal_year_start)


def looked_up(key: str, values: dict[int, int]) -> nw.Expr:
    """The value that belongs to a whole number, NULL for the others."""
    chain: Any = nw
    for number, value in values.items():
        chain = chain.when(nw.col(key) == number).then(nw.lit(value))
    return chain.cast(nw.Int64)  # type: ignore[no-any-return]


def horizon_day(horizon: str, period: Period, function: str) -> int | None:
    """The day of a horizon: `day_30` is the 30th day, `t-7` the one 7 days before the end; None if outside."""
    counted = horizon_parts(horizon, function)
    day = number_of(period.start) + counted[1] - 1 if counted[0] else number_of(period.end) - counted[1]
    return day if number_of(period.start) <= day < number_of(period.end) else None


def horizon_parts(horizon: str, function: str) -> tuple[bool, int]:
    """Whether a horizon counts from the start, and how many days."""
    found = HORIZON.fullmatch(horizon)
    if not found:
        raise KpiError.bad_option(function, "horizons", horizon, "write day_30 or t-7")
    return found[1] == "day_", int(found[2])


def split_words(groups: Sequence[str], can: Sequence[str], function: str) -> tuple[list[str], list[str]]:
    """The groups that are columns, and the period words among those that the function can take."""
    words = [name for name in groups if name in WORDS]
    for name in words:
        if name not in can:
            raise KpiError.unusable_word(name, function, can)
    return [name for name in groups if name not in WORDS], words
