"""Bookings: the value of the deals won, by the day they were won."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.kpis._against import Against, Pair, pair
from salestrack.kpis._card import card
from salestrack.kpis._facts import By, Facts, facts
from salestrack.kpis._frames import Part, flag, masked_sum, smalls, summarise
from salestrack.kpis._money import CENTS, hundredths, with_cents
from salestrack.kpis._periods import MONTHS
from salestrack.kpis._results import divided, layout, note, outer
from salestrack.periods import Period, PeriodLike

WON = nw.col("status") == "won"


@card(
    number=1,
    unit="money",
    date="closed_date",
    label_en="Bookings",
    label_de="Auftragseingang",
    description_de="Wert der im Zeitraum gewonnenen Aufträge; weder fakturierter noch realisierter Umsatz.",
    formula_de="Summe der Beträge der gewonnenen Verkaufschancen, in der Berichtswährung.",
    undefined_de="Nie; ohne gewonnene Verkaufschance ist der Wert 0. Verkaufschancen ohne Betrag zählen nur in "
    "`n` und `without_amount`.",
)
def bookings(
    deals: Any,
    *,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """Value of the deals won in the period; not invoiced and not recognised revenue.

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
    description_de="Veränderung des Auftragseingangs gegenüber dem Vergleichszeitraum.",
    formula_de="(Auftragseingang - vorheriger Auftragseingang) / vorheriger Auftragseingang; solange der Zeitraum "
    "noch läuft, enden beide am gleichen Tag. Währungsbereinigt wird der jetzige Wert zu den Kursen des früheren "
    "Zeitraums umgerechnet.",
    undefined_de="NaN mit dem Hinweis no_base, wo der vorherige Wert 0 oder negativ ist; währungsbereinigt auch, wo "
    "die Tabelle nicht Beträge und Währung neben dem umgerechneten Betrag führt.",
)
def revenue_growth(
    deals: Any,
    *,
    period: PeriodLike,
    by: By = None,
    against: Against = "year",
    as_of: date | str | None = None,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """Change of the bookings of a period against the same period before.

    Formula: (bookings - previous) / previous; while the period is still filling both are cut at the same day.
    At constant currency the bookings are converted at the rates of the earlier period.

    Undefined: NaN with the note no_base where the previous value is 0 or negative; at constant currency also
    where the frame does not have amount and currency beside the converted amount.

    The rate of a currency is what the deals won earlier imply: sum of converted amounts / sum of amounts, in
    the row's own month, quarter or year where it had some, else in the whole earlier period. A currency
    without an earlier rate keeps its own; `own_rate_share` shows how much that is.

    Parameters
    ----------
    deals : deals in any engine, as in bookings; `closed_date` is needed. For constant currency `amount` and
        `currency_code` beside `amount_base_cents` or `amount_base`
    period : the period that is judged
    by : columns or the words month, quarter, year (not longer than `against`); None gives one row
    against : how far back the period of comparison lies
    as_of : the day up to which deals are known; a later end of the period is cut there and the note says
        to_date
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group: `bookings`, `previous` (currency units), `revenue_growth` (0.1 is ten per cent),
    `per_working_day` (growth per Monday to Friday), `constant_currency` (growth at the earlier rates),
    `at_previous_rates` (bookings at the earlier rates, currency units), `own_rate_share` (share of the bookings
    for which there is no earlier rate), `n`, `previous_n` (won deals), `note`.

    Examples
    --------
    >>> deals = pd.DataFrame({"status": "won", "amount": [100.0, 150.0],
    ...                       "closed_date": pd.to_datetime(["2025-10-02", "2026-10-30"])})
    >>> revenue_growth(deals, period="2026-10")[["bookings", "previous", "revenue_growth"]]
       bookings  previous  revenue_growth
    0     150.0     100.0             0.5
    """
    name = "revenue_growth"
    spans = pair(
        period, function=name, by=by, against=against, as_of=as_of, fiscal_year_start=fiscal_year_start
    )
    now = _won_value(deals, by, spans.now, fiscal_year_start)
    then = _won_value(deals, by, spans.then, fiscal_year_start)
    then = then.mark(**spans.moved(then.words))
    each, earlier = now.also_by("_currency"), then.also_by("_currency")
    sums: dict[str, Part] = {"own": ("_own", "sum"), "native": ("_native", "sum")}
    tables = smalls(
        summarise(each.rows, each.by, value=("_value", "sum"), n=("_won", "sum"), **sums),
        summarise(earlier.rows, earlier.by, before=("_value", "sum"), previous_n=("_won", "sum"), **sums),
    )
    new, old = each.finish(tables[0]), earlier.finish(tables[1])
    new = _at_previous_rates(new, old, list(now.words), _converts(now))
    table = outer(
        _collapsed(new.drop(columns=["own", "native"]), now.by),
        _collapsed(old.drop(columns=["own", "native"]), now.by),
        now.by,
    )
    return layout(
        _growth(table, now, spans),
        now,
        "bookings",
        "previous",
        name,
        "per_working_day",
        "constant_currency",
        "at_previous_rates",
        "own_rate_share",
        "n",
        "previous_n",
        "note",
    )


def _won_value(deals: Any, by: By, span: Period, fiscal_year_start: int) -> Facts:
    """The deals won in a span: `_value`, and where a conversion can be seen `_own` and `_native` of `_currency`."""
    x = with_cents(
        facts(
            deals,
            function="revenue_growth",
            needs=("status",),
            date="closed_date",
            by=by,
            period=span,
            fiscal_year_start=fiscal_year_start,
        )
    )
    x = x if x.by else x.keep(WON)  # no group is lost
    if not _converts(x):
        nothing = nw.lit(0).cast(nw.Int64)
        x = x.mark(_value=masked_sum(WON, CENTS), _won=flag(WON), _own=nothing, _native=nothing)
        return x.mark(_currency=nw.lit(""))
    seen = ~nw.col("currency_code").is_null() & ~nw.col("amount").is_null() & ~nw.col(CENTS).is_null()
    x = x.mark(_amount=hundredths("amount"))
    return x.mark(
        _value=masked_sum(WON, CENTS),
        _won=flag(WON),
        _own=masked_sum(WON & seen, CENTS),
        _native=masked_sum(WON & seen, "_amount"),
        _currency=nw.col("currency_code").cast(nw.String).fill_null(""),
    )


def _converts(x: Facts) -> bool:
    """The frame has amounts in their currency beside the converted ones."""
    has = set(x.columns)
    return {"amount", "currency_code"} <= has and bool({"amount_base_cents", "amount_base"} & has)


def _at_previous_rates(
    new: pd.DataFrame, old: pd.DataFrame, words: Sequence[str], converts: bool
) -> pd.DataFrame:
    """With the value at the earlier rates, `constant`, and what has none, `unrated` (hundredths)."""
    if not converts:
        return new.assign(constant=new["value"].astype(float), unrated=0.0)
    rate = _rates(new, old, [*words, "_currency"]).fillna(_rates(new, old, ["_currency"]))
    rate = rate.mask(rate.isna() & (new["own"] == new["native"]), 1.0)  # the reporting currency itself
    constant = (new["native"] * rate).where(rate.notna(), new["own"])
    unrated = (new["value"] - new["own"]) + new["own"].where(rate.isna(), 0)
    return new.assign(constant=new["value"] - new["own"] + constant, unrated=unrated.astype(float))


def _rates(new: pd.DataFrame, old: pd.DataFrame, keys: list[str]) -> pd.Series[float]:
    """The earlier rate beside each row of `new`, NaN where there was no amount."""
    sums = old.groupby(keys, as_index=False)[["own", "native"]].sum()
    beside = new[keys].merge(sums, on=keys, how="left").set_index(new.index)
    return divided(beside["own"], beside["native"])


def _collapsed(table: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """The sums of the currencies; without groups one row, also for no data."""
    numbers = [c for c in table.columns if c not in by and c != "_currency"]
    if not by:
        return pd.DataFrame({c: [table[c].sum()] for c in numbers})
    return table.groupby(list(by), sort=False, dropna=False, as_index=False)[numbers].sum()


def _growth(table: pd.DataFrame, x: Facts, spans: Pair) -> pd.DataFrame:
    growth = divided(table["value"] - table["before"], table["before"])
    days, days_before, open_end = _cells(table, x, spans)
    one_currency = not {"amount_base_cents", "amount_base"} & set(x.columns)
    known = 1.0 if one_currency or _converts(x) else float("nan")
    return table.assign(
        bookings=table["value"] / 100,
        previous=table["before"] / 100,
        revenue_growth=growth,
        per_working_day=divided(table["value"] * days_before, table["before"] * days) - 1,
        constant_currency=known * divided(table["constant"] - table["before"], table["before"]),
        at_previous_rates=known * table["constant"] / 100,
        own_rate_share=known * divided(table["unrated"], table["value"]),
        note=note(growth, "no_base").where(growth.isna() | ~open_end, "to_date"),
    )


def _cells(
    table: pd.DataFrame, x: Facts, spans: Pair
) -> tuple[pd.Series[float], pd.Series[float], pd.Series[bool]]:
    """Working days of each row's time and of the time before, and whether its end is still to come."""
    span = spans.now
    start = pd.Series(pd.Timestamp(span.start), index=table.index)
    end = pd.Series(pd.Timestamp(spans.asked.end), index=table.index)
    for word in x.words:
        first = table[word].fillna(pd.Timestamp(span.start))
        start, end = (
            start.where(start > first, first),
            end.where(end < _next(first, word), _next(first, word)),
        )
    until = end.where(end < pd.Timestamp(span.end), pd.Timestamp(span.end))
    until = until.where(until > start, start)
    shift = pd.DateOffset(months=-spans.months)
    return _busdays(start, until), _busdays(start + shift, until + shift), end > pd.Timestamp(span.end)


def _next(first: pd.Series[Any], word: str) -> pd.Series[Any]:
    return first + pd.DateOffset(months=MONTHS[word])


def _busdays(start: pd.Series[Any], end: pd.Series[Any]) -> pd.Series[float]:
    days = np.busday_count(start.to_numpy().astype("datetime64[D]"), end.to_numpy().astype("datetime64[D]"))
    return pd.Series(days, index=start.index, dtype="float64")
