"""What is paid: discounts from the list price, and what a change of the deal size comes from."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.kpis._against import Against, Pair, apart, pair
from salestrack.kpis._card import card
from salestrack.kpis._facts import By, Facts, facts
from salestrack.kpis._frames import Part, Rows, flag, masked_sum, once, smalls, summarise
from salestrack.kpis._lines import priced, sold_lines
from salestrack.kpis._money import CENTS, with_cents
from salestrack.kpis._periods import within
from salestrack.kpis._results import (
    Cluster,
    beside,
    cluster_of,
    divided,
    layout,
    note,
    rated,
    ratio_sums,
    together,
)
from salestrack.kpis._survival import per_group
from salestrack.periods import PeriodLike
from salestrack.stats.decomposition import kitagawa
from salestrack.stats.intervals import ratio_interval

SUMS: dict[str, Part] = {name: (name, "sum") for name in ("_now", "_then", "_value", "_before")}
MOMENTS = [tuple(m) for m in ("tt", "tb", "bb", "ss", "sc", "cc", "ts", "tc", "bs", "bc")]


@card(
    number=37,
    unit="share",
    date="closed_date",
    label_en="Discount",
    label_de="Rabatt",
    description_de="Anteil des Listenpreises, der bei den im Zeitraum verkauften Positionen nachgelassen wurde.",
    formula_de="1 - Summe der Nettowerte / Summe der Listenwerte, über gewonnene Positionen, deren Listenpreis beim "
    "Verkauf bekannt ist.",
    undefined_de="NaN mit dem Hinweis no_data, wo keine Position einen bekannten Listenpreis hat; wie viel vom Wert "
    "einen hat, zeigt `coverage`.",
)
def discount(
    deal_products: Any,
    deals: Any = None,
    *,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """Share of the list price that was given away on the lines sold in the period.

    Formula: 1 - sum of net values / sum of list values, over won lines whose list price at the sale is known.

    Undefined: NaN with the note no_data where no line has a known list price; how much of the value has one
    shows in `coverage`.

    The list price is that of the line as it was sold, never the product's of today: a list price that was
    edited later changes nothing. Optional lines do not count.

    Parameters
    ----------
    deal_products : lines in any engine: `deal_id`, `quantity`, `list_price` (of one piece), `line_amount` (after
        discount). Lines of orders go in alone (`deals=None`), with `order_id` and, for periods, `order_date`
    deals : their deals: `deal_id`, `status`, for periods `closed_date`, optionally `account_id`; for several
        currencies `amount`, `currency_code`, `amount_base_cents`
    by : columns of deals or lines, period words of closing, or weeks_to_quarter_end (whole weeks from closing
        to the last day of its quarter, 0 being the last week); None gives one row for all
    period : of closing
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group: `list_value`, `net_value` (currency units, lines with a known list price), `discount`
    (0.1 is ten per cent; below 0 where more than the list price was paid), `low`, `high` (95 %, clustered by
    account), `median`, `p90` (of the discounts of single deals), `coverage` (share of the value sold that has a
    list price), `n` (deals with a known list price), `note`.

    Examples
    --------
    >>> lines = pd.DataFrame({"deal_id": ["1", "2"], "quantity": 1, "list_price": [900.0, 100.0],
    ...                       "line_amount": [900.0, 50.0]})
    >>> deals = pd.DataFrame({"deal_id": ["1", "2"], "status": "won"})
    >>> discount(lines, deals)[["list_value", "net_value", "discount", "median"]]
       list_value  net_value  discount  median
    0      1000.0      950.0      0.05    0.25
    """
    rows, day = sold_lines(deal_products, deals, by, "discount", fiscal_year_start)
    x = priced(
        facts(rows, function="discount", date=day, by=by, period=period, fiscal_year_start=fiscal_year_start)
    )
    x, cluster = cluster_of(_by_deal(x), "deal_id")
    x = replace(x, rows=once(x.rows))
    sums = ratio_sums(
        x,
        "_cut",
        "_list",
        cluster=cluster,
        list=("_list", "sum"),
        sold=("_sold", "sum"),
        net=("_net", "sum"),
        n=("_known", "sum"),
    )
    spread = summarise(x.rows, x.by, median=("_rate", "median"), p90=("_rate", 0.9))
    table, middle = (x.finish(part) for part in smalls(sums, spread))
    table = beside(rated(table, "discount"), middle, x)
    table = table.assign(
        list_value=table["list"] / 100,
        net_value=table["sold"] / 100,
        coverage=divided(table["sold"], table["net"]),
    )
    return layout(
        table,
        x,
        "list_value",
        "net_value",
        "discount",
        "low",
        "high",
        "median",
        "p90",
        "coverage",
        "n",
        "note",
    )


def _by_deal(x: Facts) -> Facts:
    """One row per deal with its list value, what was paid for it, all it brought, and its discount."""
    account = ("account_id",) if "account_id" in x.columns and "account_id" not in x.by else ()
    rows = summarise(
        x.rows,
        tuple(dict.fromkeys((*x.keys, "deal_id", *account))),
        _list=("_list", "sum"),
        _sold=("_sold", "sum"),
        _cut=("_cut", "sum"),
        _net=("_net", "sum"),
        _known=("_known", "max"),
    )
    share = nw.col("_cut").cast(nw.Float64) / nw.col("_list").cast(nw.Float64)
    rows = rows.with_columns(_rate=nw.when(nw.col("_list") > 0).then(share))
    return Facts(rows, x.by, x.function, x.fiscal_year_start)


@card(
    number=6,
    unit="money",
    date="closed_date",
    label_en="Change of the deal size",
    label_de="Veränderung der Auftragsgröße",
    description_de="Veränderung des Mittelwerts der gewonnenen Aufträge, zerlegt in eine andere Mischung der Segmente "
    "und andere Größen innerhalb der Segmente.",
    formula_de="Mittelwert - vorheriger Mittelwert = Mischung Σ (p - p0)·(m + m0)/2 + Preis Σ (m - m0)·(p + p0)/2, mit "
    "den Anteilen p der Segmente an den Aufträgen und ihren Mittelwerten m (Kitagawa).",
    undefined_de="NaN mit dem Hinweis no_data, wo einer der beiden Zeiträume keine gewonnene Verkaufschance mit einem "
    "Betrag über 0 hat.",
)
def deal_size_change(
    deals: Any,
    *,
    period: PeriodLike,
    segment: str = "segment",
    against: Against = "year",
    by: By = None,
    as_of: date | str | None = None,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """Change of the mean value of won deals, split into another mix of segments and other sizes within
    them.

    Formula: mean - previous mean = mix Σ (p - p0)·(m + m0)/2 + price Σ (m - m0)·(p + p0)/2, with the shares p
    of the segments in the deals and their means m (Kitagawa).

    Undefined: NaN with the note no_data where one of the two periods has no won deal with an amount above 0.

    A segment that only one of the periods has belongs to the mix.

    Parameters
    ----------
    deals : deals in any engine: `status`, `closed_date`, the segment's column, an amount (see bookings),
        optionally `account_id`
    period : of closing, not longer than `against`
    segment : the column whose mix is meant
    against : how far back the period of comparison lies: "year", "quarter" or "month"
    by : columns or the words month, quarter, year (not longer than `against`); None gives one row
    as_of : the day up to which deals are known; a later end of the period is cut there, in both periods
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group: `mean`, `previous_mean`, `deal_size_change`, `mix_effect`, `price_effect` (currency units;
    the effects add up to the change), `low`, `high` (95 % of the change, clustered by account; NaN unless both
    periods have two accounts), `n`, `previous_n` (deals measured), `note`.

    Examples
    --------
    >>> deals = pd.DataFrame({"status": "won", "segment": ["small", "small", "small", "large"],
    ...                       "amount": [10.0, 10.0, 10.0, 100.0],
    ...                       "closed_date": pd.to_datetime(["2025-10-01", "2025-10-02", "2026-10-01", "2026-10-02"])})
    >>> deal_size_change(deals, period="2026-10")[["deal_size_change", "mix_effect", "price_effect"]]
       deal_size_change  mix_effect  price_effect
    0              45.0        45.0           0.0
    """
    name = "deal_size_change"
    spans = pair(
        period, function=name, by=by, against=against, as_of=as_of, fiscal_year_start=fiscal_year_start
    )
    x = facts(
        deals,
        function=name,
        needs=("status", "closed_date", segment),
        date="closed_date",
        by=by,
        fiscal_year_start=fiscal_year_start,
    )
    x = _in_both(with_cents(x), apart(spans, name))
    x, cluster = cluster_of(x, "deal_id")
    y = x.also_by(segment)
    rows = once(summarise(y.rows, together(y.keys, cluster), **SUMS) if cluster else y.rows)
    cells, moments = smalls(
        summarise(
            rows, y.by, n=SUMS["_now"], previous_n=SUMS["_then"], value=SUMS["_value"], before=SUMS["_before"]
        ),
        _moments(replace(x, rows=rows), cluster),
    )
    table = beside(per_group(y.finish(cells), x.by, _effects), x.finish(moments), x)
    table = _interval(table)
    return layout(
        table,
        x,
        "mean",
        "previous_mean",
        name,
        "mix_effect",
        "price_effect",
        "low",
        "high",
        "n",
        "previous_n",
        "note",
    )


def _in_both(x: Facts, spans: Pair) -> Facts:
    """The won deals of both spans, as deals now or then, under the words of now."""
    dtype = x.rows.collect_schema()["closed_date"]
    now, then = within("closed_date", dtype, spans.now), within("closed_date", dtype, spans.then)
    x = x.keep((nw.col("status") == "won") & (nw.col(CENTS) > 0) & (now | then))
    x = x.mark(_now=flag(now), _then=flag(then))
    earlier = nw.col("_then") == 1
    words = {
        word: nw.when(earlier).then(moved).otherwise(nw.col(word))
        for word, moved in spans.moved(x.words).items()
    }
    return x.mark(_value=masked_sum(~earlier, CENTS), _before=masked_sum(earlier, CENTS), **words)


def _effects(cells: pd.DataFrame) -> dict[str, float]:
    """Counts, means, change and its two effects of the segments of one group, in hundredths."""
    n, before = float(cells["n"].sum()), float(cells["previous_n"].sum())
    mix, price = kitagawa(cells["n"], cells["value"], cells["previous_n"], cells["before"])
    mean = float(cells["value"].sum()) / n if n else np.nan
    previous = float(cells["before"].sum()) / before if before else np.nan
    return {
        "n": n,
        "previous_n": before,
        "mean": mean,
        "previous_mean": previous,
        "deal_size_change": mean - previous,
        "mix_effect": mix,
        "price_effect": price,
    }


def _moments(x: Facts, cluster: Cluster) -> Rows:
    """Sums over accounts of the products of their values and counts, now (t, b) and before (s, c)."""
    rows = summarise(x.rows, together(x.by, cluster), **SUMS) if cluster else x.rows
    pairs = {"t": "_value", "b": "_now", "s": "_before", "c": "_then"}
    rows = rows.with_columns(**{f"_{k}": nw.col(c).cast(nw.Float64) for k, c in pairs.items()})
    made = {f"_{i}{j}": nw.col(f"_{i}") * nw.col(f"_{j}") for i, j in MOMENTS}
    rows = rows.with_columns(**made, _g1=flag(nw.col("_b") > 0), _g0=flag(nw.col("_c") > 0))
    figures: dict[str, Part] = {f"_{i}{j}": (f"_{i}{j}", "sum") for i, j in MOMENTS}
    return summarise(rows, x.by, **figures, _g1=("_g1", "sum"), _g0=("_g0", "sum"), _g="len")


def _interval(table: pd.DataFrame) -> pd.DataFrame:
    """With the interval of the change from what each account adds to either mean, in currency units."""
    made = [str(name) for name in table.columns if str(name).startswith("_")]
    sums = {name: table[name].to_numpy(dtype="float64") for name in made}
    n, n0, m, m0, change = (table[name].to_numpy(dtype="float64") for name in FIGURES)
    n, n0 = np.where(sums["_g1"] > 1, n, np.nan), np.where(sums["_g0"] > 1, n0, np.nan)
    now = (sums["_tt"] - 2 * m * sums["_tb"] + m**2 * sums["_bb"]) / n**2
    then = (sums["_ss"] - 2 * m0 * sums["_sc"] + m0**2 * sums["_cc"]) / n0**2
    both = sums["_ts"] - m0 * sums["_tc"] - m * sums["_bs"] + m * m0 * sums["_bc"]
    groups = np.nan_to_num(sums["_g"])
    drawn = groups / np.where(groups > 1, groups - 1, np.nan)
    low, high = ratio_interval(change, np.maximum(now + then - 2 * both / (n * n0), 0) * drawn, groups)
    money = {
        name: table[name].to_numpy(dtype="float64") / 100
        for name in (*FIGURES[2:], "mix_effect", "price_effect")
    }
    counts = {name: table[name].astype("int64") for name in FIGURES[:2]}
    reason = note(table["deal_size_change"])
    return table.assign(**money, low=low / 100, high=high / 100, **counts, note=reason)


FIGURES = ("n", "previous_n", "mean", "previous_mean", "deal_size_change")
