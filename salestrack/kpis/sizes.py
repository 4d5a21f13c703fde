"""How large deals and orders are."""

from __future__ import annotations

from typing import Any, Literal

import narwhals as nw
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._card import card
from salestrack.kpis._facts import By, Facts, facts
from salestrack.kpis._frames import Rows, flag, masked, masked_sum, small, summarise
from salestrack.kpis._money import CENTS, with_cents
from salestrack.kpis._results import cluster_of, layout, note, ratio, spread
from salestrack.periods import PeriodLike


@card(
    number=6,
    unit="money",
    date="closed_date",
    label_en="Deal size",
    label_de="Auftragsgröße",
    description_de="Medianwert der im Zeitraum gewonnenen Aufträge.",
    formula_de="Median der Beträge gewonnener Verkaufschancen nach dem Tag des Abschlusses; Beträge von 0 und darunter "
    "bleiben in der Regel außen vor.",
    undefined_de="NaN mit dem Hinweis no_data, wo keine gewonnene Verkaufschance einen Betrag hat; solche ohne Betrag "
    "zeigen sich in `without_amount`.",
)
def average_deal_size(
    deals: Any,
    *,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
    zero: Literal["exclude", "include"] = "exclude",
) -> pd.DataFrame:
    """Median value of the deals won in the period.

    Formula: median of the amounts of won deals by closing date; amounts of 0 and below are left out by
    default.

    Undefined: NaN with the note no_data where no won deal has an amount; deals without one show in
    `without_amount`.

    Parameters
    ----------
    deals : deals in any engine: `status`, an amount (see bookings), for periods `closed_date`, optionally
        `account_id`
    by : columns or period words of closing; None gives one row for all
    period : of closing
    fiscal_year_start : month (1 to 12) in which the fiscal year starts
    zero : "include" takes deals with an amount of 0 in

    Returns
    -------
    One row per group: `average_deal_size` (median, currency units), `low`, `high` (95 % order statistics,
    widened for deals of one account; NaN below six deals), `mean`, `trimmed_mean` (without the 10 %
    smallest and largest), `n` (deals measured), `zero` (won deals with no positive amount),
    `without_amount`, `note`.

    Examples
    --------
    >>> deals = pd.DataFrame({"status": ["won", "won", "won", "open"], "amount": [10.0, 20.0, 900.0, 5.0]})
    >>> average_deal_size(deals)[["average_deal_size", "mean", "n"]]
       average_deal_size   mean  n
    0               20.0  310.0  3
    """
    if zero not in ("exclude", "include"):
        raise KpiError.bad_option("average_deal_size", "zero", zero, "give 'exclude' or 'include'")
    x = facts(
        deals,
        function="average_deal_size",
        needs=("status",),
        date="closed_date",
        by=by,
        period=period,
        fiscal_year_start=fiscal_year_start,
    )
    x, cluster = cluster_of(with_cents(x), "deal_id")
    cents = nw.col(CENTS)
    counts = cents > 0 if zero == "exclude" else cents >= 0
    x = x.only(nw.col("status") == "won")
    x = x.mark(_size=masked(counts, CENTS), _zero=flag(cents <= 0), _none=flag(cents.is_null()))
    table = spread(x, "_size", cluster=cluster, zero=("_zero", "sum"), without_amount=("_none", "sum"))
    table["trimmed_mean"] = table["kept"] / (table["n"] - 2 * (table["n"] // 10)).where(table["n"] > 0)
    table["average_deal_size"] = table["median"]
    money = ["average_deal_size", "low", "high", "mean", "trimmed_mean"]
    table[money] = table[money].astype("float64") / 100
    table["note"] = note(table["average_deal_size"])
    return layout(table, x, *money, "n", "zero", "without_amount", "note")


@card(
    number=7,
    unit="money",
    date="order_date",
    label_en="Average order value",
    label_de="Durchschnittlicher Bestellwert",
    description_de="Nettowert je Bestellung, ohne Umsatzsteuer, Stornos und Rücksendungen.",
    formula_de="Summe der Nettobeträge / Zahl der Bestellungen, ohne stornierte und zurückgesandte; eine Zeile mit "
    "negativem Betrag (Gutschrift) mindert den Wert und ist keine Bestellung, Zeilen mit derselben order_id sind eine "
    "Bestellung.",
    undefined_de="NaN mit dem Hinweis no_data, wo es keine Bestellung gibt; Bestellungen ohne Betrag zeigen sich in "
    "`without_amount`.",
)
def average_order_value(
    orders: Any,
    *,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """Net value per order, without VAT, cancelled and returned orders.

    Formula: sum of net amounts / number of orders, without cancelled and returned orders; a row with a
    negative amount (credit note) lowers the value and is no order, rows of the same order_id are one
    order.

    Undefined: NaN with the note no_data where there is no order; orders without an amount show in
    `without_amount`.

    Parameters
    ----------
    orders : orders in any engine: `order_id`, `net_amount_base_cents` (or `net_amount_base`, or
        `net_amount` in one currency), for periods `order_date`, optionally `order_status`, `account_id`
    by : columns or period words of the order date; None gives one row for all
    period : of the order date
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group: `value` (currency units), `average_order_value`, `low`, `high` (95 %, clustered by
    account), `n` (orders), `cancelled`, `returned`, `without_amount`, `note`.

    Examples
    --------
    >>> orders = pd.DataFrame({"order_id": ["1", "1", "2"], "net_amount": [60.0, 40.0, 50.0]})
    >>> average_order_value(orders)[["value", "average_order_value", "n"]]
       value  average_order_value  n
    0  150.0                 75.0  2
    """
    x = facts(
        orders,
        function="average_order_value",
        needs=("order_id",),
        date="order_date",
        by=by,
        period=period,
        fiscal_year_start=fiscal_year_start,
    )
    x, cluster = cluster_of(_orders(with_cents(x, "net_amount")), "order_id")
    table = ratio(
        x,
        "average_order_value",
        "_value",
        "_order",
        cluster=cluster,
        value=("_value", "sum"),
        n=("_order", "sum"),
        cancelled=("_cancelled", "sum"),
        returned=("_returned", "sum"),
        without_amount=("_none", "sum"),
    )
    money = ["value", "average_order_value", "low", "high"]
    table[money] = table[money].astype("float64") / 100
    return layout(table, x, *money, "n", "cancelled", "returned", "without_amount", "note")


def _orders(x: Facts) -> Facts:
    """One row per order: its net value `_value`, and whether it counts as an order."""
    alone = _once_each(x)
    if not alone:
        x = x.mark(**{word: nw.col(word).min().over("order_id") for word in x.words})
    status = (
        nw.col("order_status").cast(nw.String).fill_null("") if "order_status" in x.columns else nw.lit("")
    )
    x = x.mark(_status=status)
    void = nw.col("_status").is_in(["cancelled", "returned"])
    x = x.mark(
        _value=masked_sum(~void, CENTS),
        _known=flag(~void & (nw.col(CENTS) >= 0)),
        _none=flag(~void & nw.col(CENTS).is_null()),
        _cancelled=flag(nw.col("_status") == "cancelled"),
        _returned=flag(nw.col("_status") == "returned"),
    )
    rows = x.rows if alone else _merged(x)
    rows = rows.with_columns(
        _order=nw.col("_known"), _none=flag((nw.col("_none") == 1) & (nw.col("_known") == 0))
    )
    return Facts(rows, x.by, x.function, x.fiscal_year_start)


def _once_each(x: Facts) -> bool:
    """True where every row is an order of its own: then nothing needs to be put together."""
    rows = summarise(x.rows, ("order_id",), _rows="len")
    return bool((small(summarise(rows, most=("_rows", "max")))["most"] == 1).all())


def _merged(x: Facts) -> Rows:
    """The rows of one order as one."""
    account = ("account_id",) if "account_id" in x.columns and "account_id" not in x.by else ()
    return summarise(
        x.rows,
        tuple(dict.fromkeys((*x.keys, "order_id", *account))),
        _value=("_value", "sum"),
        _known=("_known", "max"),
        _none=("_none", "max"),
        _cancelled=("_cancelled", "max"),
        _returned=("_returned", "max"),
    )
