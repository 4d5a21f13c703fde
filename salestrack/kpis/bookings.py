"""Bookings: the value of the deals won, by the day they were won."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Literal

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._card import card
from salestrack.kpis._facts import By, Facts, facts, group_names
from salestrack.kpis._frames import flag, masked_sum
from salestrack.kpis._money import CENTS, with_cents
from salestrack.kpis._periods import MONTHS
from salestrack.kpis._results import divided, layout, note, outer
from salestrack.kpis._survival import checked_day
from salestrack.periods import WORDS, Period, PeriodLike

WON = nw.col("status") == "won"


@card(
    number=1,
    unit="money",
    date="closed_date",
    label_en="Bookings",
    label_de="Auftragseingang",
    description_en="Value of the deals won in the period; not invoiced and not recognised revenue.",
    description_de="Wert der im Zeitraum gewonnenen Aufträge; weder fakturierter noch realisierter Umsatz.",
)
def bookings(
    deals: Any,
    *,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """Value of the deals won, by closing date.

    Formula: sum of the amounts of deals whose status is won, in the reporting currency.

    Undefined: never; no won deal gives 0. Deals without an amount count in `n` and `without_amount` only.

    Parameters
    ----------
    deals : deals in any engine; `status`, for periods `closed_date`, and the money as `amount_base_cents`
        (whole hundredths), `amount_base`, or `amount` in one currency
    by : columns or period words (day, week, month, quarter, year of closing); None gives one row for all
    period : "2026-10", "2026-Q3", "2026" or a pair of days, half-open
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group: `bookings` (currency units), `n` (won deals), `without_amount` (amount unknown).

    Examples
    --------
    >>> deals = pd.DataFrame({"status": ["won", "won", "lost"], "amount": [1200.0, 800.5, 99.0],
    ...                       "closed_date": pd.to_datetime(["2026-01-31", "2026-02-01", "2026-02-01"])})
    >>> bookings(deals, by="month")
           month  bookings  n  without_amount
    0 2026-01-01    1200.0  1               0
    1 2026-02-01     800.5  1               0
    """
    x = facts(
        deals,
        function="bookings",
        needs=("status",),
        date="closed_date",
        by=by,
        period=period,
        fiscal_year_start=fiscal_year_start,
    )
    x = with_cents(x)
    x = x.mark(_value=masked_sum(WON, CENTS), _won=flag(WON), _unknown=flag(WON & nw.col(CENTS).is_null()))
    table = x.totals(bookings=("_value", "sum"), n=("_won", "sum"), without_amount=("_unknown", "sum"))
    return layout(table.assign(bookings=table["bookings"] / 100), x, "bookings", "n", "without_amount")


@card(
    number=2,
    unit="share",
    date="closed_date",
    label_en="Revenue growth",
    label_de="Umsatzwachstum",
    description_en="Change of the bookings of a period against the same period before.",
    description_de="Veränderung des Auftragseingangs gegenüber dem Vergleichszeitraum.",
)
def revenue_growth(
    deals: Any,
    *,
    period: PeriodLike,
    by: By = None,
    against: Literal["year", "quarter", "month"] = "year",
    as_of: date | str | None = None,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """Growth of bookings against the same period a year (quarter, month) before.

    Formula: (bookings - previous) / previous; while the period is still filling both are cut at the same day.

    Undefined: NaN with the note no_base where the previous value is 0 or negative.

    Parameters
    ----------
    deals : deals in any engine, as in bookings; `closed_date` is needed
    period : the period that is judged
    by : columns or the words month, quarter, year (not longer than `against`); None gives one row
    against : how far back the period of comparison lies
    as_of : the day up to which deals are known; a later end of the period is cut there and the note says
        to_date
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group: `bookings`, `previous` (currency units), `revenue_growth` (0.1 is ten per cent),
    `per_working_day` (growth per Monday to Friday), `n`, `previous_n` (won deals), `note`.

    Examples
    --------
    >>> deals = pd.DataFrame({"status": "won", "amount": [100.0, 150.0],
    ...                       "closed_date": pd.to_datetime(["2025-10-02", "2026-10-30"])})
    >>> revenue_growth(deals, period="2026-10")[["bookings", "previous", "revenue_growth"]]
       bookings  previous  revenue_growth
    0     150.0     100.0             0.5
    """
    asked = Period.parse(period, fiscal_year_start=fiscal_year_start)
    span = _cut(asked, as_of)
    back = _months_back(against, by)
    now = _won_value(deals, by, span, fiscal_year_start)
    then = _won_value(
        deals, by, Period(_shifted(span.start, -back), _shifted(span.end, -back)), fiscal_year_start
    )
    then = then.mark(**{word: nw.col(word) + back // MONTHS[word] for word in then.words})
    table = outer(
        now.totals(value=("_value", "sum"), n=("_won", "sum")),
        then.totals(before=("_value", "sum"), previous_n=("_won", "sum")),
        now.by,
    )
    growth = divided(table["value"] - table["before"], table["before"])
    days, days_before, open_end = _cells(table, now, asked, span, back)
    table = table.assign(
        bookings=table["value"] / 100,
        previous=table["before"] / 100,
        revenue_growth=growth,
        per_working_day=divided(table["value"] * days_before, table["before"] * days) - 1,
        note=note(growth, "no_base").where(growth.isna() | ~open_end, "to_date"),
    )
    return layout(
        table, now, "bookings", "previous", "revenue_growth", "per_working_day", "n", "previous_n", "note"
    )


def _won_value(deals: Any, by: By, span: Period, fiscal_year_start: int) -> Facts:
    x = facts(
        deals,
        function="revenue_growth",
        needs=("status",),
        date="closed_date",
        by=by,
        period=span,
        fiscal_year_start=fiscal_year_start,
    )
    return with_cents(x).mark(_value=masked_sum(WON, CENTS), _won=flag(WON))


def _cut(asked: Period, as_of: date | str | None) -> Period:
    if as_of is None:
        return asked
    day = checked_day(as_of, "revenue_growth")
    if day < asked.start:
        raise KpiError.bad_option(
            "revenue_growth", "as_of", str(day), f"the period starts later, on {asked.start}"
        )
    return Period(asked.start, min(asked.end, day + timedelta(days=1)))


def _months_back(against: str, by: By) -> int:
    if against not in MONTHS:
        raise KpiError.bad_option("revenue_growth", "against", against, "give 'year', 'quarter' or 'month'")
    can = [word for word, size in MONTHS.items() if size <= MONTHS[against]]
    for word in group_names(by):
        if word in WORDS and word not in can:
            raise KpiError.unusable_word(word, "revenue_growth", can)
    return MONTHS[against]


def _shifted(day: date, months: int) -> date:
    return (pd.Timestamp(day) + pd.DateOffset(months=months)).date()


def _cells(
    table: pd.DataFrame, x: Facts, asked: Period, span: Period, back: int
) -> tuple[pd.Series[float], pd.Series[float], pd.Series[bool]]:
    """Working days of each row's time and of the time before, and whether its end is still to come."""
    start = pd.Series(pd.Timestamp(span.start), index=table.index)
    end = pd.Series(pd.Timestamp(asked.end), index=table.index)
    for word in x.words:
        first = table[word].fillna(pd.Timestamp(span.start))
        start, end = (
            start.where(start > first, first),
            end.where(end < _next(first, word), _next(first, word)),
        )
    until = end.where(end < pd.Timestamp(span.end), pd.Timestamp(span.end))
    until = until.where(until > start, start)
    shift = pd.DateOffset(months=-back)
    return _busdays(start, until), _busdays(start + shift, until + shift), end > pd.Timestamp(span.end)


def _next(first: pd.Series[Any], word: str) -> pd.Series[Any]:
    return first + pd.DateOffset(months=MONTHS[word])


def _busdays(start: pd.Series[Any], end: pd.Series[Any]) -> pd.Series[float]:
    days = np.busday_count(start.to_numpy().astype("datetime64[D]"), end.to_numpy().astype("datetime64[D]"))
    return pd.Series(days, index=start.index, dtype="float64")
