"""The waterfall of the pipeline: how the stock of one day became that of another, to the cent."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import narwhals as nw
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._card import card
from salestrack.kpis._facts import By, Facts, named_groups
from salestrack.kpis._frames import flag, masked, masked_sum, once, small, summarise
from salestrack.kpis._joining import joined
from salestrack.kpis._periods import day_number, number_of
from salestrack.kpis._survival import checked_day
from salestrack.kpis._versions import (
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

BARS = {  # the sign of each bar; 0 for the two stocks
    "open_start": 0,
    "created": 1,
    "pulled_in": 1,
    "reopened": 1,
    "transferred_in": 1,
    "amount_up": 1,
    "fx": 1,
    "won": -1,
    "lost": -1,
    "pushed_out": -1,
    "amount_down": -1,
    "deleted": -1,
    "transferred_out": -1,
    "open_end": 0,
}
AT_START = ("open_start", "transferred_out")


@card(
    number=21,
    unit="money",
    date="expected_close_date",
    label_en="Pipeline waterfall",
    label_de="Pipeline-Wasserfall",
    description_de="Was zwischen zwei Tagen in die offene Pipeline kam und was sie verließ; es geht auf den "
    "Cent auf.",
    formula_de="offen am Anfang + neu + hereingezogen + wieder geöffnet + übernommen + Betrag erhöht + "
    "Wechselkurs − gewonnen − verloren − hinausgeschoben − Betrag gesenkt − gelöscht − abgegeben = offen am "
    "Ende. Jeder Wert gilt zum Wechselkurs des Anfangs; der Wechselkurs kommt zuletzt und nur auf dem "
    "verbliebenen Bestand.",
    undefined_de="nie; Verkaufschancen ohne Betrag zählen mit 0. Gab es keine, hat die Tabelle keine Zeile.",
)
def pipeline_waterfall(
    deal_versions: Any,
    exchange_rates: Any = None,
    *,
    period: PeriodLike,
    as_of: date | str,
    scope: PeriodLike | None = "period",
    by: By = None,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """What came into the open pipeline and what left it between two days; it adds up to the cent.

    Formula: open at the start + created + pulled in + reopened + transferred in + amount up + exchange rate
    - won - lost - pushed out - amount down - deleted - transferred out = open at the end. Every value is at the
    exchange rate of the start; the rate comes last, on the surviving stock alone.

    Undefined: never; deals without an amount count with 0. Without any deal the table has no row.

    In the pipeline is an open deal that is expected to close within the scope; a won deal counts as expected on
    the day of winning. Every deal that was in it has one way in and, unless it still is, one way out: its state
    at the end decides. A deal that came and went within the period shows in both bars; a deal created before is
    never new. Amounts changed in between are bars of their own, so that a deal comes in with its first amount
    and leaves with its last (won: with the amount won; lost or deleted: with the last open one). Dates that did
    not stand at the end of a day put no deal into the scope, unless it closed that day.

    A deal that changed its group is handed over with its value at the start; all else stands with the last group,
    so that the groups add up to the whole.

    Parameters
    ----------
    deal_versions : spans of unchanged state in any engine: `deal_id`, `valid_from`, `valid_to`, `status`,
        `expected_close_date`, `closed_date` and `amount` with `currency_code` (or an amount as in bookings)
    exchange_rates : `from_currency_code`, `to_currency_code` (one), `rate_date`, `rate`; None where all amounts
        are in one currency
    period : the time looked at, from the end of the day before it to the end of its last day or of `as_of`
    as_of : nothing known later counts
    scope : "period" (deals expected to close in it), another period, or None for the whole open pipeline
    by : columns of the spans, such as the team of the time
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group and bar, in order: `step` (1 to 14), `bar`, `sign` (1 in, -1 out, 0 stock), `value` (currency
    units), `pipeline_waterfall` (the value with its sign), `n` (deals).

    Examples
    --------
    >>> spans = pd.DataFrame({"deal_id": ["a", "a", "b"], "status": ["open", "won", "open"], "amount": [70., 60., 9.],
    ...     "valid_from": pd.to_datetime(["2026-09-01", "2026-10-05", "2026-10-07"]),
    ...     "valid_to": pd.to_datetime(["2026-10-05", None, None]),
    ...     "expected_close_date": pd.to_datetime(["2026-10-20"] * 3),
    ...     "closed_date": pd.to_datetime([None, "2026-10-05", None])})
    >>> bars = pipeline_waterfall(spans, period="2026-10", as_of="2026-10-31")
    >>> bars[bars["n"] > 0][["bar", "pipeline_waterfall", "n"]]
                bar  pipeline_waterfall  n
    0    open_start                70.0  1
    1       created                 9.0  1
    7           won               -60.0  1
    10  amount_down               -10.0  1
    13     open_end                 9.0  1
    """
    name, today = "pipeline_waterfall", checked_day(as_of, "pipeline_waterfall")
    span = Period.parse(period, fiscal_year_start=fiscal_year_start)
    start, end = day_before(span.start), min(span.last_day, today)
    if start > end:
        raise KpiError.bad_option(name, "period", period, f"it begins after {today}")
    within = span if scope == "period" else scope
    if within is not None:
        within = Period.parse(within, fiscal_year_start=fiscal_year_start)
    x = versions(
        deal_versions,
        function=name,
        as_of=end,
        by=by,
        needs=("valid_from", "expected_close_date", "closed_date"),
    )
    x, rates = priced(x, exchange_rates)
    pairs = _moves(_stories(_spans(x, rates, start, end, within)))
    return _bars(pairs, x)


def _spans(x: Facts, rates: Rates, start: date, end: date, scope: Period | None) -> Facts:
    """The spans that matter, with flags for the states at both ends and the ways in between."""
    first, last = number_of(start), number_of(end)
    began = nw.col("_from") > first
    moving = (
        OPEN | ~begun(x, start) | ~lasting(x, end)
    )  # what was closed before and stayed so never was in it
    x = x.keep(lasting(x, start) & moving)
    due = nw.when(WON).then(day_number("closed_date")).otherwise(day_number("expected_close_date"))
    x = x.mark(_due=due, _value=rates.cents(start), _value1=rates.cents(end))
    names = ("deal_id", "valid_from", "status", "_from", "_to", "_due", "_value", "_value1", *x.by)
    x = replace(x, rows=once(x.rows.select(*names)))
    inside = OPEN | (WON & began & (nw.col("_due") > first) & (nw.col("_due") <= last))
    if scope is not None:
        inside = inside & (nw.col("_due") >= number_of(scope.start)) & (nw.col("_due") < number_of(scope.end))
    valued, before, now = ~nw.col("_value").is_null(), held(first), held(last)
    stood = WON | (nw.col("_to") > nw.col("_from"))
    entry, way_out = (OPEN | WON) & began & valued, OPEN & valued
    ends = x.mark(_came=masked(entry, "valid_from"), _went=masked(way_out, "valid_from"))
    ways = summarise(ends.rows, ("deal_id",), _entry=("_came", "min"), _exit=("_went", "max"))
    x = x.mark(
        _inside=flag(inside & stood & began),
        _touched=flag(inside & began),
        _seen0=flag(before),
        _open0=flag(before & OPEN),
        _in0=flag(before & inside & OPEN),
        _value0=masked_sum(before & OPEN, "_value"),
        _open1=flag(now & OPEN),
        _in1=flag(now & inside & OPEN),
        _won1=flag(now & WON),
        _lost1=flag(now & LOST),
        _last=masked_sum(now & (OPEN | WON), "_value"),
        _last1=masked_sum(now & OPEN, "_value1"),
        **{f"_was_{group}": masked(before, group) for group in x.by},
        **{f"_is_{group}": masked(now, group) for group in x.by},
    )
    x = replace(x, rows=joined(x.rows, ways, on="deal_id", how="left"))
    return x.mark(
        _first=masked_sum(entry & (nw.col("_entry") == nw.col("valid_from")), "_value"),
        _open_last=masked_sum(way_out & (nw.col("_exit") == nw.col("valid_from")), "_value"),
    )


FLAGS = ("_inside", "_touched", "_seen0", "_open0", "_in0", "_open1", "_in1", "_won1", "_lost1")
SUMS = ("_value0", "_last", "_last1", "_first", "_open_last")


def _stories(x: Facts) -> Facts:
    """One row per deal that was in the pipeline: how it came in, how it went, and its values on the way."""
    sums: dict[str, Any] = {name: (name, "sum") for name in SUMS}
    groups = [f"_{when}_{group}" for group in x.by for when in ("was", "is")]
    most: dict[str, Any] = {name: (name, "max") for name in (*FLAGS, *groups)}
    rows = summarise(x.rows, ("deal_id",), **sums, **most)
    was_in, is_in, is_open = (nw.col(name) == 1 for name in ("_in0", "_in1", "_open1"))
    came = was_in | (nw.col("_inside") == 1) | ((nw.col("_touched") == 1) & ~is_open)
    old, left = nw.col("_open0") == 1, (nw.col("_lost1") == 1) | (~is_open & (nw.col("_won1") == 0))
    rows = rows.filter(came).with_columns(
        _way_in=nw.when(was_in)
        .then(nw.lit("open_start"))
        .when(old)
        .then(nw.lit("pulled_in"))
        .when(nw.col("_seen0") == 1)
        .then(nw.lit("reopened"))
        .otherwise(nw.lit("created")),
        _way_out=nw.when(is_in)
        .then(nw.lit("open_end"))
        .when(is_open)
        .then(nw.lit("pushed_out"))
        .when(nw.col("_won1") == 1)
        .then(nw.lit("won"))
        .when(nw.col("_lost1") == 1)
        .then(nw.lit("lost"))
        .otherwise(nw.lit("deleted")),
        _in=nw.when(old).then(nw.col("_value0")).otherwise(nw.col("_first")),
        _out=nw.when(left).then(nw.col("_open_last")).otherwise(nw.col("_last")),
        _fx=nw.when(is_in).then(nw.col("_last1") - nw.col("_last")).otherwise(nw.lit(0)),
        **{group: nw.coalesce(nw.col(f"_is_{group}"), nw.col(f"_was_{group}")) for group in x.by},
    )
    return Facts(rows, x.by, x.function, x.fiscal_year_start)


def _moves(x: Facts) -> pd.DataFrame:
    """Sums and counts per pair of groups, way in and way out: as few rows as there are kinds of stories."""
    same = nw.lit(True)
    for group in x.by:
        same = same & (nw.col(group) == nw.coalesce(nw.col(f"_was_{group}"), nw.col(group)))
    stays = same | (nw.col("_way_in") != "open_start")
    rows = x.mark(
        _change=nw.col("_out") - nw.col("_in"),
        _moved=flag(~stays),
        **{f"_was_{g}": nw.when(stays).then(nw.col(g)).otherwise(nw.col(f"_was_{g}")) for g in x.by},
    ).mark(
        _up=masked_sum(nw.col("_change") > 0, "_change"),
        _down=-masked_sum(nw.col("_change") < 0, "_change"),
        _is_up=flag(nw.col("_change") > 0),
        _is_down=flag(nw.col("_change") < 0),
        _is_fx=flag(nw.col("_fx") != 0),
    )
    keys = ("_way_in", "_way_out", "_moved", *x.by, *(f"_was_{group}" for group in x.by))
    names = ("_in", "_out", "_up", "_down", "_fx", "_last1", "_is_up", "_is_down", "_is_fx")
    sums: dict[str, Any] = {name: (name, "sum") for name in names}
    return small(summarise(rows.rows, keys, n="len", **sums))


def _bars(pairs: pd.DataFrame, x: Facts) -> pd.DataFrame:
    """The fourteen bars of each group."""
    parts = []
    for step, (bar, sign) in enumerate(BARS.items(), 1):
        value, n = _bar(pairs, bar)
        groups = {g: pairs[f"_was_{g}" if bar in AT_START else g] for g in x.by}
        parts.append(pd.DataFrame({**groups, "step": step, "bar": bar, "sign": sign, "value": value, "n": n}))
    long = pd.concat(parts, ignore_index=True)
    keys = [*x.by, "step", "bar", "sign"]
    table = named_groups(
        long.groupby(keys, dropna=False, sort=False)[["value", "n"]].sum().reset_index(), x.by
    )
    table["value"] = table["value"] / 100
    table["pipeline_waterfall"] = table["value"] * table["sign"].where(table["sign"] != 0, 1) + 0.0
    columns = ["step", "bar", "sign", "value", "pipeline_waterfall", "n"]
    return table[[*x.by, *columns]].reset_index(drop=True)


def _bar(pairs: pd.DataFrame, bar: str) -> tuple[pd.Series[int], pd.Series[int]]:
    """Hundredths and deals of one bar, per kind of story."""
    changes = {"amount_up": "_up", "amount_down": "_down", "fx": "_fx"}
    if bar in changes:
        return pairs[changes[bar]], pairs["_is" + changes[bar]]
    if bar in ("transferred_in", "transferred_out"):
        chosen, value = pairs["_moved"] == 1, pairs["_in"]
    elif bar in ("open_start", "created", "pulled_in", "reopened"):
        chosen, value = pairs["_way_in"] == bar, pairs["_in"]
    else:
        chosen = pairs["_way_out"] == bar
        value = pairs["_last1"] if bar == "open_end" else pairs["_out"]
    return value.where(chosen, 0), pairs["n"].where(chosen, 0)
