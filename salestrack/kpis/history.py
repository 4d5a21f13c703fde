"""The pipeline over time: what was created, and what was pushed."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._card import card
from salestrack.kpis._facts import By, Facts
from salestrack.kpis._frames import Part, Rows, flag, masked, masked_sum, once, small, smalls, summarise
from salestrack.kpis._joining import joined
from salestrack.kpis._money import CENTS, hundredths
from salestrack.kpis._periods import day_number, number_of
from salestrack.kpis._results import divided, layout, note, proportion
from salestrack.kpis._survival import Figures, checked_day, per_group
from salestrack.kpis._versions import (
    FOREVER,
    LOST,
    OPEN,
    WON,
    Rates,
    begun,
    day_before,
    held,
    lasting,
    priced,
    versions,
)
from salestrack.periods import Period, PeriodLike


@card(
    number=20,
    unit="money",
    date="created_date",
    label_en="Pipeline created",
    label_de="Neu geschaffene Pipeline",
    description_de="Wert der im Zeitraum angelegten Verkaufschancen, mit dem ersten dafür erfassten Betrag.",
    formula_de="Summe der ersten bekannten Beträge der im Zeitraum angelegten Verkaufschancen, zum Wechselkurs "
    "des Tages, an dem der Betrag bekannt wurde; daneben der heutige Betrag, der mit dem Nachwissen wächst.",
    undefined_de="nie; ohne neue Verkaufschance ist der Wert 0. Chancen, für die nie ein Betrag erfasst wurde, "
    "stehen in without_amount.",
)
def pipeline_created(
    deal_versions: Any,
    exchange_rates: Any = None,
    *,
    as_of: date | str,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """Value of the deals created in the period, at the first amount that was entered for them.

    Formula: sum of the first known amounts of the deals created in the period, at the exchange rate of the day
    on which the amount became known; beside it the amount now, which grows with hindsight.

    Undefined: never; no deal gives 0. Deals for which no amount was ever entered show in `without_amount`.

    Deals deleted since then were created all the same: they keep their first amount and have none now. The group
    is that of the deal when it was created.

    Parameters
    ----------
    deal_versions : spans of unchanged state in any engine (see pipeline_waterfall), with `created_date`
    exchange_rates : as in pipeline_waterfall
    as_of : nothing known later counts
    by : columns or period words of the day of creation; None gives one row for all
    period : of the day of creation; None takes all deals
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group: `pipeline_created`, `value_now` (currency units; open deals at the rate of as_of, closed ones
    at that of closing), `n` (deals), `without_amount`, `deleted` (deals deleted since).

    Examples
    --------
    >>> spans = pd.DataFrame({"deal_id": ["a", "a"], "status": ["open", "open"], "amount": [70.0, 90.0],
    ...     "valid_from": pd.to_datetime(["2026-10-01", "2026-10-20"]),
    ...     "valid_to": pd.to_datetime(["2026-10-20", None]), "created_date": pd.Timestamp("2026-10-01")})
    >>> pipeline_created(spans, period="2026-10", as_of="2026-10-31")[["pipeline_created", "value_now", "n"]]
       pipeline_created  value_now  n
    0              70.0       90.0  1
    """
    today = checked_day(as_of, "pipeline_created")
    x = versions(
        deal_versions,
        function="pipeline_created",
        as_of=today,
        needs=("created_date",),
        date="created_date",
        by=by,
        period=period,
        fiscal_year_start=fiscal_year_start,
    )
    x, rates = priced(x, exchange_rates)
    whole, firsts = _now_and_first(x, rates, today)
    firsts["first"] *= _rate_of(firsts, rates)
    table = _summed(whole, firsts, x)
    table = x.finish(table)
    table = table.assign(
        pipeline_created=table["first"] / 100,
        value_now=table["now"] / 100,
        without_amount=table["n"] - table["known"],
        deleted=table["n"] - table["alive"],
    )
    return layout(table, x, "pipeline_created", "value_now", "n", "without_amount", "deleted")


def _now_and_first(x: Facts, rates: Rates, today: date) -> list[pd.DataFrame]:
    """The deals of each group and what they are worth now; and hundredths of the currency by group, currency and day
    (`_from`) on which the first amount became known."""
    own, code = (
        (CENTS, nw.lit("")) if rates.table.empty else ("_own", nw.col("currency_code").cast(nw.String))
    )
    x = x.mark(_own=hundredths("amount")) if own == "_own" else x
    now, alive = held(number_of(today)), OPEN | WON | LOST
    value = nw.when(now & OPEN).then(rates.cents(today)).when(now & alive).then(rates.booked(x, today))
    known = ~nw.col(own).is_null() & alive & ~code.is_null()
    x = x.mark(_known=masked(known, "valid_from"), _now=value, _alive=flag(now & alive))
    deals = summarise(
        x.rows,
        ("deal_id",),
        _begun=("valid_from", "min"),
        _since=("_known", "min"),
        _now=("_now", "sum"),
        _alive=("_alive", "max"),
        **{word: (word, "max") for word in x.words},
    )
    deals = once(_with_first_groups(x, deals))
    whole = summarise(
        deals, x.by, now=("_now", "sum"), n="len", known=("_since", "count"), alive=("_alive", "sum")
    )
    amounts = x.rows.select("deal_id", "_from", own, _code=code, _since="_known")
    firsts = joined(amounts, deals.select("deal_id", "_since", *x.by), on=["deal_id", "_since"])
    return smalls(whole, summarise(firsts, (*x.by, "_code", "_from"), first=(own, "sum")))


def _with_first_groups(x: Facts, deals: Rows) -> Rows:
    """The deals with the groups that they were in when they began."""
    groups = [name for name in x.by if name not in x.words]
    if not groups:
        return deals
    begun = joined(
        x.rows.select("deal_id", "valid_from", *groups),
        deals.select("deal_id", valid_from="_begun"),
        on=["deal_id", "valid_from"],
    )
    first: dict[str, Part] = {name: (name, "max") for name in groups}
    return joined(deals, summarise(begun, ("deal_id",), **first), on="deal_id")


def _rate_of(firsts: pd.DataFrame, rates: Rates) -> pd.Series[float] | float:
    """The rate of the currency and day of each row; 1 where all is in one currency."""
    return 1.0 if rates.table.empty else rates.of(firsts["_code"], firsts["_from"])


def _summed(whole: pd.DataFrame, firsts: pd.DataFrame, x: Facts) -> pd.DataFrame:
    """The deals of each group with their first amounts."""
    by = list(x.by)
    if not by:
        return whole.assign(first=firsts["first"].sum()).fillna({"now": 0})
    sums = firsts.groupby(by, dropna=False)["first"].sum().reset_index()
    return whole.merge(sums, on=by, how="left").fillna({"now": 0, "first": 0})


@card(
    number=22,
    unit="share",
    date="expected_close_date",
    label_en="Push rate",
    label_de="Verschiebungsquote",
    description_de="Anteil der Verkaufschancen, die im Zeitraum abschließen sollten und an dessen Ende noch offen "
    "waren.",
    formula_de="am Ende noch offen / am Anfang offen und mit erwartetem Abschluss im Zeitraum. Ob der Termin "
    "verschoben wurde oder nur verstrichen ist, macht keinen Unterschied; Termine, die keine 24 Stunden standen, "
    "gelten nicht.",
    undefined_de="NaN mit dem Hinweis no_data, wenn keine Verkaufschance im Zeitraum abschließen sollte, und mit "
    "immature, solange der Zeitraum nicht vorbei ist.",
)
def push_rate(
    deal_versions: Any,
    exchange_rates: Any = None,
    *,
    period: PeriodLike,
    as_of: date | str,
    by: By = None,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """Share of the deals that were to close in the period and were still open at its end.

    Formula: still open at the end / open at the start and expected to close in the period. Whether the date was
    moved or has just passed makes no difference; a date that did not stand for 24 hours does not count.

    Undefined: NaN with the note no_data where no deal was to close in the period, immature until it is over.

    Parameters
    ----------
    deal_versions, exchange_rates : as in pipeline_waterfall, optionally with `pushes`
    period : the period in which the deals were to close
    as_of : nothing known later counts
    by : columns of the spans, as they were at the start of the period; None gives one row
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group: `pushed`, of which `past_due` (the date has passed and no later one was set), `push_rate` (0 to
    1), `low`, `high` (95 % Wilson interval), `n` (deals that were to close), `value`, `pushed_value` (currency units,
    at the start), `push_rate_by_value`, `mean_pushes` (moves to a later month so far per deal), `median_push_days`
    (of those moved later), `pulled_in` (expected later or undated at the start, won in the period or now expected
    in it), `pulled_in_rate` (of all such deals), `matured` (share of n whose fate in the period is known), `note`.

    Examples
    --------
    >>> spans = pd.DataFrame({"deal_id": ["a", "b", "b"], "status": "open", "amount": 10.0,
    ...     "valid_from": pd.to_datetime(["2026-09-01", "2026-09-01", "2026-10-05"]),
    ...     "valid_to": pd.to_datetime([None, "2026-10-05", None]), "closed_date": pd.NaT,
    ...     "expected_close_date": pd.to_datetime(["2026-10-20", "2026-10-20", "2026-11-19"])})
    >>> push_rate(spans, period="2026-10", as_of="2026-10-31")[["pushed", "past_due", "push_rate", "median_push_days"]]
       pushed  past_due  push_rate  median_push_days
    0       2         1        1.0              30.0
    """
    name, today = "push_rate", checked_day(as_of, "push_rate")
    span = Period.parse(period, fiscal_year_start=fiscal_year_start)
    if day_before(span.start) > today:
        raise KpiError.bad_option(name, "period", period, f"it begins after {today}")
    over = span.last_day <= today
    end = min(span.last_day, today)
    needs = ("expected_close_date", "closed_date")
    x, rates = priced(versions(deal_versions, function=name, as_of=end, by=by, needs=needs), exchange_rates)
    deals = _promised(_both_ends(x, rates, span, end), span, over)
    counts = deals.finish(small(summarise(deals.rows, (*x.by, "_later"), **_PUSH_SUMS)))
    table = per_group(counts, x.by, _pushes)
    table = table.astype(dict.fromkeys(("pushed", "past_due", "n", "pulled_in"), "int64"))
    table = proportion(table[(table["n"] + table["_elsewhere"] > 0) | (not x.by)], "push_rate", "pushed")
    table = table.assign(
        push_rate_by_value=divided(table["pushed_value"], table["value"]),
        pulled_in_rate=divided(table["pulled_in"], table["_elsewhere"]),
        mean_pushes=divided(table["_moves"], table["_counted"]),
        matured=1 - divided(table["_waiting"], table["n"]),
    )
    if not over:
        rates_ = ["push_rate", "low", "high", "push_rate_by_value", "pulled_in_rate", "median_push_days"]
        table[rates_] = np.nan
        table["note"] = note(table["push_rate"], "immature").where(table["n"] > 0, "no_data")
    return layout(table, x, *_PUSH_COLUMNS)


_PUSH_COLUMNS = (
    "pushed",
    "past_due",
    "push_rate",
    "low",
    "high",
    "n",
    "value",
    "pushed_value",
    "push_rate_by_value",
    "mean_pushes",
    "median_push_days",
    "pulled_in",
    "pulled_in_rate",
    "matured",
    "note",
)
_PUSH_SUMS: dict[str, Any] = {
    name: (name, "sum")
    for name in (
        "_due_then",
        "_pushed",
        "_past_due",
        "_waiting",
        "_value",
        "_pushed_value",
        "_moves",
        "_counted",
        "_other",
        "_pulled",
    )
}


def _both_ends(x: Facts, rates: Rates, span: Period, end: date) -> Facts:
    """One row per deal open at the start, with its expected close then and its state at the end."""
    first, last = number_of(day_before(span.start)), number_of(end)
    eve = day_before(span.start)
    x = x.keep(lasting(x, eve - timedelta(days=2)) & (OPEN | ~begun(x, eve)))
    schema = x.rows.collect_schema()
    start, stop = (_minute(c, schema[c]) for c in ("valid_from", "valid_to"))
    x = x.mark(
        _due=day_number("expected_close_date").fill_null(FOREVER),
        _start=start,
        _stop=stop.fill_null(FOREVER * 1440),
        _cents=rates.cents(eve),
    ).mark(_start=masked(OPEN, "_start"), _stop=masked(OPEN, "_stop"))
    x = x.mark(
        _set=nw.col("_start").min().over("deal_id", "_due"),
        _left=nw.col("_stop").max().over("deal_id", "_due"),
    )
    before, after, now = held(first) & OPEN, held(min(first + 1, last)) & OPEN, held(last)
    won_in = (day_number("closed_date") > first) & (day_number("closed_date") <= last)
    pushes = nw.col("pushes") if "pushes" in x.columns else nw.lit(None).cast(nw.Int64)
    x = x.mark(_push=pushes).mark(
        _open0=flag(before),
        _stood=flag(before & (nw.col("_left") - nw.col("_set") >= 1440)),
        _due0=masked_sum(before, "_due"),
        _next=masked(after, "_due"),
        _value=masked_sum(before, "_cents"),
        _open1=flag(now & OPEN),
        _won1=flag(now & WON & won_in),
        _due1=masked_sum(now & OPEN, "_due"),
        _moves=masked(now, "_push"),
        **{group: masked(before, group) for group in x.by},
    )
    sums = ("_open0", "_stood", "_due0", "_value", "_open1", "_won1", "_due1")
    what: dict[str, Any] = {c: (c, "sum") for c in sums} | {c: (c, "max") for c in ("_next", "_moves", *x.by)}
    rows = summarise(x.rows, ("deal_id",), **what).filter(nw.col("_open0") > 0)
    return Facts(rows, x.by, x.function, x.fiscal_year_start)


def _minute(column: str, dtype: Any) -> nw.Expr:
    """Minutes since 1970."""
    day = day_number(column) * 1440
    if dtype == nw.Date:
        return day
    return day + nw.col(column).dt.hour().cast(nw.Int64) * 60 + nw.col(column).dt.minute().cast(nw.Int64)


def _promised(x: Facts, span: Period, over: bool) -> Facts:
    """Flags of the deals that were to close in the period, and of those that came into it."""
    start, end = number_of(span.start), number_of(span.end)
    x = x.mark(
        _due0=nw.when(nw.col("_stood") == 1)
        .then(nw.col("_due0"))
        .otherwise(nw.coalesce(nw.col("_next"), nw.col("_due0")))
    )
    due0, due1, still = nw.col("_due0"), nw.col("_due1"), nw.col("_open1") == 1
    promised, other = (due0 >= start) & (due0 < end), due0 >= end
    pushed = promised & still & ((due1 >= end) | nw.lit(over))
    return x.mark(
        _due_then=flag(promised),
        _pushed=flag(pushed),
        _past_due=flag(pushed & (due1 < end)),
        _waiting=flag(promised & still & ~pushed),
        _pushed_value=masked_sum(pushed, "_value"),
        _value=masked_sum(promised, "_value"),
        _later=nw.when(pushed & (due1 > due0) & (due1 < FOREVER)).then(due1 - due0).otherwise(nw.lit(0)),
        _counted=flag(promised & ~nw.col("_moves").is_null()),
        _moves=masked_sum(promised, "_moves"),
        _other=flag(other),
        _pulled=flag(other & ((nw.col("_won1") == 1) | (still & (due1 >= start) & (due1 < end)))),
    )


def _pushes(counts: pd.DataFrame) -> Figures:
    """Sums of one group, and the median of the days by which its deals were moved."""
    later = counts[counts["_later"] > 0].sort_values("_later")
    return {
        "pushed": float(counts["_pushed"].sum()),
        "past_due": float(counts["_past_due"].sum()),
        "n": float(counts["_due_then"].sum()),
        "value": float(counts["_value"].sum()) / 100,
        "pushed_value": float(counts["_pushed_value"].sum()) / 100,
        "median_push_days": _middle(later["_later"].to_numpy(), later["_pushed"].to_numpy()),
        "pulled_in": float(counts["_pulled"].sum()),
        "_elsewhere": float(counts["_other"].sum()),
        "_waiting": float(counts["_waiting"].sum()),
        "_moves": float(counts["_moves"].sum()),
        "_counted": float(counts["_counted"].sum()),
    }


def _middle(values: Any, counts: Any) -> float:
    """Median of sorted values that occur as often as counted; NaN without any."""
    total = int(counts.sum())
    if not total:
        return float("nan")
    upto = np.cumsum(counts)
    low, high = (values[np.searchsorted(upto, rank)] for rank in ((total + 1) // 2, total // 2 + 1))
    return (float(low) + float(high)) / 2
