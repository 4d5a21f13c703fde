"""Deals as they were on several days: the spans of unchanged state, and what their amounts were worth then.

The state at the end of a day is the one span with `_from` <= day < `_to`, so that two days, or eight, are flags
on one pass over the spans; no deal is walked and no snapshot is stored.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date as Day
from datetime import timedelta
from typing import Any, cast

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._facts import By, Facts, facts, group_names
from salestrack.kpis._frames import frame, small
from salestrack.kpis._money import CENTS, hundredths, one_currency, with_cents
from salestrack.kpis._periods import day_number, until
from salestrack.periods import WORDS, PeriodLike

FOREVER = 10_000_000
"""The day on which a span ends that has not ended."""
OPEN, WON, LOST = (nw.col("status") == status for status in ("open", "won", "lost"))


def versions(
    deal_versions: Any,
    *,
    function: str,
    as_of: Day,
    by: By = None,
    needs: Iterable[str] = (),
    date: str | None = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
) -> Facts:
    """The spans that had begun by `as_of`, with the days `_from` and `_to` (FOREVER: not ended).

    Days are `valid_from_date` and `valid_to_date` (local) where the frame has them, else those of the times.
    Period words are for figures with a `date` of their own.
    """
    if date is None:
        no_words(group_names(by), function)
    x = facts(
        deal_versions,
        function=function,
        needs=("deal_id", "status", "valid_from", "valid_to", *needs),
        date=date,
        by=by,
        period=period,
        fiscal_year_start=fiscal_year_start,
    )
    start, end = _ends(x)
    x = x.keep(begun(x, as_of))
    return x.mark(_from=day_number(start), _to=day_number(end).fill_null(FOREVER))


def _ends(x: Facts) -> tuple[str, str]:
    """The columns that tell the first day of a span and the one after its last."""
    columns = x.columns
    first, after = (c + "_date" if c + "_date" in columns else c for c in ("valid_from", "valid_to"))
    return first, after


def begun(x: Facts, day: Day) -> nw.Expr:
    """True for spans that had begun by the end of a day: compares dates, for filters that many spans go through."""
    return until(_ends(x)[0], x.rows.collect_schema(), day)


def lasting(x: Facts, day: Day) -> nw.Expr:
    """True for spans that had not ended by the end of a day; compares dates as `begun`."""
    end = _ends(x)[1]
    return nw.col(end).is_null() | ~until(end, x.rows.collect_schema(), day)


def stood(x: Facts, day: Day) -> nw.Expr:
    """As `held`, by comparing dates."""
    return begun(x, day) & lasting(x, day)


def no_words(groups: Iterable[str], function: str) -> None:
    """Refuses period words where the figure is that of one period."""
    for word in groups:
        if word in WORDS:
            raise KpiError.bad_option(function, "by", word, "the period is one; call it once per period")


def held(day: int | nw.Expr) -> nw.Expr:
    """True for the span that held at the end of a day (days since 1970), the same for all rows or each row's own."""
    return (nw.col("_from") <= day) & (nw.col("_to") > day)


@dataclass(frozen=True)
class Rates:
    """Exchange rates to one currency by day; without any, all amounts are in one currency (`_cents`)."""

    table: pd.DataFrame
    base: str = ""

    def on(self, day: Day) -> dict[str, float]:
        """The newest rate of each currency by then; its first one where there was none yet."""
        first = self.table.drop_duplicates("from_currency_code", keep="first")
        known = self.table[self.table["rate_date"] <= pd.Timestamp(day)]
        rates = pd.concat([first, known]).drop_duplicates("from_currency_code", keep="last")
        return dict(zip(rates["from_currency_code"], rates["rate"], strict=True)) | {self.base: 1.0}

    def of(self, codes: pd.Series[Any], days: pd.Series[Any]) -> pd.Series[float]:
        """The rate of each currency on each day (counted from 1970): as `on`, for many days at once."""
        found = pd.Series(np.nan, index=codes.index, dtype="float64").mask(codes == self.base, 1.0)
        for code, rows in self.table.groupby("from_currency_code"):
            at = codes == code
            starts = rows["rate_date"].to_numpy().astype("datetime64[D]").astype("int64")
            place = np.searchsorted(starts, days[at].to_numpy(dtype="int64"), side="right") - 1
            found[at] = rows["rate"].to_numpy(dtype="float64")[np.maximum(place, 0)]
        return found

    def cents(self, day: Day) -> nw.Expr:
        """Hundredths of the amount at the rates of a day; NULL without amount, or where no rate is known."""
        if self.table.empty:
            return nw.col(CENTS)
        return converted(nw.col("amount").cast(nw.Float64), self.rate(day))

    def rate(self, day: Day) -> nw.Expr:
        """The rate of a row's currency on a day."""
        rate: Any = nw.lit(None).cast(nw.Float64)
        for code, value in sorted(self.on(day).items()):
            rate = nw.when(nw.col("currency_code") == code).then(nw.lit(float(value))).otherwise(rate)
        return cast(nw.Expr, rate)

    def booked(self, x: Facts, day: Day) -> nw.Expr:
        """Hundredths of closed deals: at the rate of closing where the spans have it, else at that of a day."""
        if "amount_base_cents" in x.columns:
            return nw.coalesce(nw.col("amount_base_cents").cast(nw.Int64), self.cents(day))
        return self.cents(day)


def converted(amount: nw.Expr, rate: nw.Expr) -> nw.Expr:
    """Hundredths of amount times rate, half away from zero, as the import rounds them.

    What a product falls short of a half by the error of a float alone counts as the half.
    """
    value = nw.when(~amount.is_nan()).then(amount) * rate * 100
    size = (value.abs() * (1 + 1e-15) + 0.5).floor().cast(nw.Int64)
    return nw.when(value < 0).then(-size).otherwise(size)


def priced(x: Facts, exchange_rates: Any) -> tuple[Facts, Rates]:
    """The spans and the rates for their amounts.

    Without rates the amounts must be in one currency: `_cents` is then the amount in the reporting currency,
    or where it is unknown (open spans of a Book) the amount itself.
    """
    rates = _rates(exchange_rates, x.function)
    if not rates.table.empty and {"amount", "currency_code"} <= set(x.columns):
        return x, rates
    single = Rates(rates.table.iloc[:0])
    if not {"amount", "amount_base_cents"} <= set(x.columns):
        return with_cents(x), single
    one_currency(x.keep(nw.col("amount_base_cents").is_null()), "amount")
    known = nw.coalesce(nw.col("amount_base_cents").cast(nw.Int64), hundredths("amount"))
    return x.mark(**{CENTS: known}), single


def _rates(exchange_rates: Any, function: str) -> Rates:
    names = ("from_currency_code", "to_currency_code", "rate_date", "rate")
    if exchange_rates is None:
        return Rates(pd.DataFrame(columns=list(names)))
    rows = frame(exchange_rates, needs=names, function=function).select(*names)
    table = small(rows.with_columns(rate=nw.col("rate").cast(nw.Float64)))
    targets = table["to_currency_code"].dropna().unique()
    if len(targets) > 1:
        raise KpiError.bad_rows(
            function,
            f"the exchange rates lead to {' and '.join(sorted(targets))}",
            "keep those to the reporting currency",
        )
    ordered = table.dropna().sort_values(["rate_date", "from_currency_code", "rate"], kind="stable")
    return Rates(ordered.reset_index(drop=True), str(targets[0]) if len(targets) else "")


def day_before(day: Day) -> Day:
    """The day before."""
    return day - timedelta(days=1)
