"""New customers and more from those there are: kinds of won deals, expansion, and revenue that stays."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._against import Against, shifted
from salestrack.kpis._card import card
from salestrack.kpis._customers import inside, latest, valid_orders
from salestrack.kpis._facts import MISSING, By, Facts, facts, group_names
from salestrack.kpis._frames import Part, Rows, flag, masked_sum, summarise
from salestrack.kpis._kinds import with_family, with_kind
from salestrack.kpis._money import CENTS, with_cents
from salestrack.kpis._periods import within
from salestrack.kpis._results import divided, group_total, layout, proportion
from salestrack.kpis._retention import retention, with_rate
from salestrack.kpis._survival import checked_day
from salestrack.periods import WORDS, Period, PeriodLike

KINDS = {
    "first_order": "first_order",
    "connected_new": "connected_new",
    "expansion": "growth",
    "renewal": "growth",
}


@card(
    number=31,
    unit="money",
    date="closed_date",
    label_en="New customers and expansion",
    label_de="Neukunden und Ausbau",
    description_de="Im Zeitraum gewonnener Wert von Neukunden, von deren Schwesterfirmen, aus dem Ausbau bei Kunden "
    "und aus Verlängerungen.",
    formula_de="Summe der Beträge gewonnener Verkaufschancen nach Art: die erste der Firmengruppe ist first_order, die "
    "erste einer Firma, deren Gruppe schon Kunde ist, connected_new, jede weitere renewal, wenn sie so bezeichnet ist, "
    "sonst expansion.",
    undefined_de="Nie; eine Art ohne gewonnene Verkaufschance hat keine Zeile. Verkaufschancen ohne Firma stehen "
    "unter (missing).",
)
def new_and_expansion(
    deals: Any,
    accounts: Any = None,
    *,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """Value won in the period from new customers, from their sister companies, from more sold to
    customers, and from renewals.

    Formula: sum of the amounts of won deals by kind: the first of the account family is first_order, the first
    of an account whose family is a customer already is connected_new, any other is renewal if its type says
    so, else expansion.

    Undefined: never; a kind without a won deal has no row. Deals without an account stand under (missing).

    Which deal was the first is judged over all deals given, whatever the period: pass all of them. What was won
    before the data begin is unknown; `typed_existing` counts first orders whose type calls them a customer's.

    Parameters
    ----------
    deals : all deals in any engine: `status`, `closed_date`, `account_id`, an amount (see bookings), optionally
        `deal_id`, `deal_type`, `parent_account_id`
    accounts : `account_id`, `parent_account_id`; a parent's parent is followed, too. Without them the parent
        that deals name counts, else every account is its own family
    by : columns or period words of closing; None gives the kinds of all
    period : of closing
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group and kind: `kind` (first_order, connected_new, expansion, renewal), `order_type` (first_order,
    connected_new, growth), `new_and_expansion` (value, currency units), `share` (of the group's won value), `n`
    (won deals), `without_amount`, `typed_existing`.

    Examples
    --------
    >>> deals = pd.DataFrame({"status": "won", "account_id": ["x", "x", "y"], "amount": [10.0, 20.0, 30.0],
    ...                       "closed_date": pd.to_datetime(["2026-01-01", "2026-02-01", "2026-03-01"])})
    >>> new_and_expansion(deals)[["kind", "new_and_expansion", "n"]]
              kind  new_and_expansion  n
    0  first_order               40.0  2
    1    expansion               20.0  1
    """
    name = "new_and_expansion"
    x = facts(
        deals,
        function=name,
        needs=("status", "closed_date", "account_id"),
        date="closed_date",
        by=[group for group in group_names(by) if group != "kind"],
        fiscal_year_start=fiscal_year_start,
    )
    x = with_kind(with_family(with_cents(x), accounts))
    if period is not None:
        span = Period.parse(period, fiscal_year_start=fiscal_year_start)
        x = x.keep(within("closed_date", x.rows.collect_schema()["closed_date"], span))
    x = x.mark(_value=masked_sum(nw.lit(True), CENTS), _none=flag(nw.col(CENTS).is_null()))
    table = x.also_by("kind").totals(
        value=("_value", "sum"),
        n="len",
        without_amount=("_none", "sum"),
        typed_existing=("_typed", "sum"),
    )
    table = table.assign(
        new_and_expansion=table["value"] / 100,
        share=divided(table["value"], group_total(table, x.by, "value")),
        order_type=table["kind"].map(KINDS).fillna(MISSING).astype("str"),
        place=table["kind"].map({kind: i for i, kind in enumerate(KINDS)}).fillna(len(KINDS)),
        group=table.groupby(list(x.by), sort=False, dropna=False).ngroup() if x.by else 0,
    ).sort_values(["group", "place"], kind="stable")
    return layout(table, x, "kind", "order_type", name, "share", "n", "without_amount", "typed_existing")


@card(
    number=32,
    unit="share",
    date="order_date",
    label_en="Expansion rate",
    label_de="Ausbauquote",
    description_de="Anteil der zu Beginn des Zeitraums aktiven Kunden, die darin mehr oder etwas Neues kauften.",
    formula_de="Kunden mit mindestens einer Position upsell oder cross_sell im Zeitraum / Kunden mit einer Bestellung "
    "in den 12 Monaten vor seinem Beginn; stornierte und zurückgesandte Bestellungen zählen nicht.",
    undefined_de="NaN mit dem Hinweis no_data, wo kein Kunde aktiv war, und not_classified, wo Positionen verkauft "
    "wurden, aber keine nach ihrer Art eingeordnet ist.",
)
def expansion_rate(
    orders: Any,
    order_lines: Any,
    *,
    period: PeriodLike,
    by: By = None,
    as_of: date | str | None = None,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """Share of the customers active at the start of the period who bought more or something new in it.

    Formula: customers with at least one line of upsell or cross_sell in the period / customers with an order
    in the 12 months before its start; cancelled and returned orders do not count.

    Undefined: NaN with the note no_data where no customer was active, and not_classified where lines were sold
    but none says what kind of sale it was.

    Parameters
    ----------
    orders : orders in any engine: `order_id`, `account_id`, `order_date`, optionally `order_status`
    order_lines : their lines: `order_id`, `sale_type` (new, upsell, cross_sell, renewal)
    period : in which customers may expand
    by : columns of orders; a customer counts where its latest order before the period belongs. No period words
    as_of : the day up to which orders are known; a later end of the period gets the note to_date
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group: `upsell`, `cross_sell`, `expanded` (customers with the one, the other, either),
    `expansion_rate` (0 to 1), `low`, `high` (95 % Wilson interval), `upsell_rate`, `cross_sell_rate`, `n` (active
    customers), `note`. Orders without an account are left out.

    Examples
    --------
    >>> orders = pd.DataFrame({"order_id": ["1", "2", "3"], "account_id": ["x", "y", "x"],
    ...                        "order_date": pd.to_datetime(["2025-05-01", "2025-06-01", "2026-03-01"])})
    >>> lines = pd.DataFrame({"order_id": ["1", "2", "3"], "sale_type": ["new", "new", "upsell"]})
    >>> expansion_rate(orders, lines, period="2026")[["expanded", "n", "expansion_rate"]]
       expanded  n  expansion_rate
    0         1  2             0.5
    """
    name = "expansion_rate"
    if words := [word for word in group_names(by) if word in WORDS]:
        raise KpiError.unusable_word(words[0], name, ())
    span = Period.parse(period, fiscal_year_start=fiscal_year_start)
    last = span.end if as_of is None else min(span.end, checked_day(as_of, name) + timedelta(days=1))
    if last <= span.start:
        raise KpiError.bad_option(name, "as_of", str(as_of), f"the period starts later, on {span.start}")
    x = valid_orders(orders, name, by, fiscal_year_start)
    before = x.keep(inside(x, Period(shifted(span.start, -12), span.start)))
    active = latest(before, ["account_id"])
    sold = x.keep(inside(x, Period(span.start, last))).rows.select("order_id", "account_id")
    lines = facts(order_lines, function=name, needs=("order_id", "sale_type")).rows
    lines = lines.select("order_id", _kind=nw.col("sale_type").cast(nw.String))
    more = _bought(active, sold, lines.filter(nw.col("_kind").is_in(["upsell", "cross_sell"])))
    table = Facts(more, x.by, name, fiscal_year_start).totals(
        upsell=("_up", "sum"), cross_sell=("_cross", "sum"), expanded=("_line", "sum"), n="len"
    )
    table = table.assign(told=table["expanded"], lines=table["expanded"])
    if ((table["expanded"] == 0) & (table["n"] > 0)).any():  # did none expand, or does no line say so?
        every = Facts(_bought(active, sold, lines), x.by, name, fiscal_year_start)
        table = table.assign(**every.totals(told=("_told", "sum"), lines=("_line", "sum"))[["told", "lines"]])
    table = proportion(table, name, "expanded")
    table = table.assign(
        upsell_rate=divided(table["upsell"], table["n"]),
        cross_sell_rate=divided(table["cross_sell"], table["n"]),
    )
    table = _unless_told(table, "to_date" if last < span.end else "")
    return layout(
        table,
        x,
        "upsell",
        "cross_sell",
        "expanded",
        name,
        "low",
        "high",
        "upsell_rate",
        "cross_sell_rate",
        "n",
        "note",
    )


def _bought(active: Rows, sold: Rows, lines: Rows) -> Rows:
    """The active accounts and whether lines say that they bought more (`_up`), something new (`_cross`), anything."""
    kind = nw.col("_kind")
    rows = sold.join(lines, on="order_id", how="inner").with_columns(
        _up=flag(kind == "upsell"),
        _cross=flag(kind == "cross_sell"),
        _told=flag(kind != ""),
        _line=nw.lit(1).cast(nw.Int64),
    )
    names = ("_up", "_cross", "_told", "_line")
    flags: dict[str, Part] = {name: (name, "max") for name in names}
    rows = active.join(summarise(rows, ("account_id",), **flags), on="account_id", how="left")
    return rows.with_columns(*(nw.col(name).fill_null(0) for name in names))


def _unless_told(table: pd.DataFrame, reason: str) -> pd.DataFrame:
    """Without rates where lines were sold but none is classified."""
    silent = (table["told"] == 0) & (table["lines"] > 0)
    rates = ["expansion_rate", "low", "high", "upsell_rate", "cross_sell_rate"]
    table[rates] = table[rates].mask(silent)
    text = np.where(silent, "not_classified", np.where(table["n"] == 0, "no_data", reason))
    return table.assign(note=pd.Series(text, index=table.index, dtype="str"))


@card(
    number=32,
    unit="share",
    date="order_date",
    label_en="Net revenue retention",
    label_de="Netto-Umsatzbindung",
    description_de="Was die Kunden des Vorjahreszeitraums heute ausgeben, als Anteil dessen, was sie damals ausgaben.",
    formula_de="jetziger Nettowert der Bestellungen der Kunden des früheren Zeitraums / deren damaliger; stornierte "
    "und zurückgesandte Bestellungen zählen nicht, neue Kunden auch nicht.",
    undefined_de="NaN mit dem Hinweis no_data, wo es im früheren Zeitraum keinen Kunden mit einem Wert über 0 gab.",
)
def net_revenue_retention(
    orders: Any,
    *,
    period: PeriodLike,
    by: By = None,
    against: Against = "year",
    as_of: date | str | None = None,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """What the customers of the same period a year before spend now, as a share of what they spent
    then.

    Formula: net value now of the orders of the earlier period's customers / their net value then; cancelled
    and returned orders do not count, and new customers do not either.

    Undefined: NaN with the note no_data where the earlier period had no customer with a value above 0.

    Parameters
    ----------
    orders : orders in any engine: `order_id`, `account_id`, `order_date`, `net_amount_base_cents` (or
        `net_amount_base`, or `net_amount` in one currency), optionally `order_status`
    period : of the order date, not longer than `against`
    by : columns of orders (a customer counts where its latest order of the earlier period belongs) or the words
        month, quarter, year (not longer than `against`); None gives one row
    against : how far back the earlier period lies: "year", "quarter" or "month"
    as_of : the day up to which orders are known; a later end of the period is cut there in both periods, and
        the note says to_date
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group: `previous` (value then, currency units), `retained` (value now of the same customers),
    `expansion`, `contraction`, `churn` (previous + expansion - contraction - churn = retained), `new` (value now
    less value then of those who were no customers then), `net_new` (new + expansion - contraction - churn),
    `churned` (customers without value now), `net_revenue_retention`, `low`, `high` (95 %, customers being
    drawn), `n` (customers then), `note`. Orders without an account are left out.

    Examples
    --------
    >>> orders = pd.DataFrame({"order_id": ["1", "2", "3"], "account_id": ["x", "y", "x"],
    ...                        "order_date": pd.to_datetime(["2025-05-01", "2025-06-01", "2026-03-01"]),
    ...                        "net_amount": [100.0, 100.0, 150.0]})
    >>> net_revenue_retention(orders, period="2026")[["previous", "retained", "net_revenue_retention"]]
       previous  retained  net_revenue_retention
    0     200.0     150.0                   0.75
    """
    name = "net_revenue_retention"
    x, open_end = retention(orders, name, period, by, against, as_of, fiscal_year_start)
    table = with_rate(
        x,
        name,
        "_stay",
        open_end,
        share=False,
        previous=("_base", "sum"),
        retained=("_stay", "sum"),
        expansion=("_more", "sum"),
        contraction=("_less", "sum"),
        churn=("_gone", "sum"),
        new=("_new", "sum"),
        churned=("_left", "sum"),
        n=("_member", "sum"),
    )
    table["net_new"] = table["new"] + table["expansion"] - table["contraction"] - table["churn"]
    money = ["previous", "retained", "expansion", "contraction", "churn", "new", "net_new"]
    table[money] = table[money].astype("float64") / 100
    return layout(table, x, *money, "churned", name, "low", "high", "n", "note")


@card(
    number=32,
    unit="share",
    date="order_date",
    label_en="Gross revenue retention",
    label_de="Brutto-Umsatzbindung",
    description_de="Was die Kunden des Vorjahreszeitraums von ihren damaligen Ausgaben noch ausgeben, ohne Mehrausgaben.",
    formula_de="Summe über die Kunden des früheren Zeitraums von min(jetziger, damaliger Nettowert) / Summe der "
    "damaligen; stornierte und zurückgesandte Bestellungen zählen nicht.",
    undefined_de="NaN mit dem Hinweis no_data, wo es im früheren Zeitraum keinen Kunden mit einem Wert über 0 gab.",
)
def gross_revenue_retention(
    orders: Any,
    *,
    period: PeriodLike,
    by: By = None,
    against: Against = "year",
    as_of: date | str | None = None,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """What the customers of the same period a year before still spend of what they spent then, without
    what they spend more.

    Formula: sum over the earlier period's customers of min(value now, value then) / sum of the values then;
    cancelled and returned orders do not count.

    Undefined: NaN with the note no_data where the earlier period had no customer with a value above 0.

    Parameters
    ----------
    orders, period, by, against, as_of, fiscal_year_start : as in net_revenue_retention

    Returns
    -------
    One row per group: `previous` (value then, currency units), `kept` (of each customer at most its value then, at
    least 0), `gross_revenue_retention` (0 to 1), `low`, `high` (95 %, customers being drawn), `n` (customers
    then), `note`.

    Examples
    --------
    >>> orders = pd.DataFrame({"order_id": ["1", "2", "3"], "account_id": ["x", "y", "x"],
    ...                        "order_date": pd.to_datetime(["2025-05-01", "2025-06-01", "2026-03-01"]),
    ...                        "net_amount": [100.0, 100.0, 150.0]})
    >>> gross_revenue_retention(orders, period="2026")[["previous", "kept", "gross_revenue_retention"]]
       previous   kept  gross_revenue_retention
    0     200.0  100.0                      0.5
    """
    name = "gross_revenue_retention"
    x, open_end = retention(orders, name, period, by, against, as_of, fiscal_year_start)
    totals: dict[str, Part] = {
        "previous": ("_base", "sum"),
        "kept": ("_kept", "sum"),
        "n": ("_member", "sum"),
    }
    table = with_rate(x, name, "_kept", open_end, share=True, **totals)
    table[["previous", "kept"]] = table[["previous", "kept"]].astype("float64") / 100
    return layout(table, x, "previous", "kept", name, "low", "high", "n", "note")
