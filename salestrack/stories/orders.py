"""What page 7 says of orders: who places them, how many are of new customers, what their lines sell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from salestrack.kpis import average_order_value
from salestrack.kpis._margins import VOID
from salestrack.markup import Html
from salestrack.stories.common import full_quarters

if TYPE_CHECKING:
    from duckdb import DuckDBPyRelation

    from salestrack.book import Book
    from salestrack.page import Page
    from salestrack.periods import Period

VALUE = {"en": "Value of an order by quarter", "de": "Wert je Bestellung nach Quartal"}
SEGMENTS = {
    "en": "Customers by segment, last twelve months",
    "de": "Kunden nach Segment, letzte zwölf Monate",
}
SOLD = {
    "en": "What was sold to them, last twelve months",
    "de": "Was ihnen verkauft wurde, letzte zwölf Monate",
}
ORDERS = {"en": "Orders of new and of known customers", "de": "Bestellungen von neuen und bekannten Kunden"}
LABELS = {"average_order_value": {"en": "Per order", "de": "Je Bestellung"}}


def counted(book: Book) -> DuckDBPyRelation:
    """The orders that count: all that were neither cancelled nor returned, by the rule of the KPIs."""
    void = ", ".join(f"'{status}'" for status in VOID)
    return book.table("orders").filter(f"coalesce(order_status, '') NOT IN ({void})")


def placed(book: Book) -> DuckDBPyRelation:
    """The orders that count, each with `buyer`: `new` for the first order of its account, else `known`."""
    numbered = counted(book).project(
        "*, row_number() OVER (PARTITION BY account_id ORDER BY order_date, order_id) AS nth"
    )
    return numbered.project(
        "*, CASE WHEN account_id IS NULL THEN NULL WHEN nth = 1 THEN 'new' ELSE 'known' END AS buyer"
    )


def buyers(book: Book) -> pd.DataFrame:
    """Orders of the last full quarters by new and known customers: `quarter`, `buyer`, `orders`."""
    table = book.kpi(
        average_order_value, orders=placed(book), by=["quarter", "buyer"], period=full_quarters(book)
    )
    return table.rename(columns={"n": "orders"})[["quarter", "buyer", "orders", "value"]]


def segments(page: Page) -> pd.DataFrame:
    """Customers and orders by segment in the last twelve months, the largest order value first.

    Returns
    -------
    `segment`, `accounts` (that ordered), `orders`, `order_value`, `average_order_value`, `low`, `high`
    of it.
    """
    book, span = page.book, page.last_12
    orders = counted(book).filter(f"order_date >= DATE '{span.start}' AND order_date < DATE '{span.end}'")
    who: pd.DataFrame = orders.aggregate(
        "coalesce(segment, '(missing)') AS segment, count(DISTINCT account_id) AS accounts"
    ).df()
    value = book.kpi(average_order_value, by="segment", period=span).rename(
        columns={"n": "orders", "value": "order_value"}
    )
    columns = ["segment", "orders", "order_value", "average_order_value", "low", "high"]
    table = who.merge(value[columns], on="segment", how="right")
    return table.sort_values("order_value", ascending=False, na_position="last", ignore_index=True)


def sale_types(page: Page) -> pd.DataFrame:
    """What order lines sell: new business, upsell, cross-sell, renewal; the largest value first.

    Formula: value of the lines of a type / value of all lines of orders that were not cancelled or returned,
    in the last twelve months, and beside it in the twelve months before.

    Returns
    -------
    `sale_type`, `order_lines`, `line_value` (currency units), `share`, `share_before`; empty where no
    line names its type.
    """
    book, span = page.book, page.last_12
    if (
        not book.has("order_lines")
        or not book.order_lines.filter("sale_type IS NOT NULL").limit(1).fetchall()
    ):
        return pd.DataFrame(columns=["sale_type", "order_lines", "line_value", "share", "share_before"])
    now, ago = _lines(book, span), _lines(book, span.shifted(-12))
    table = now.merge(
        ago[["sale_type", "share"]].rename(columns={"share": "share_before"}), on="sale_type", how="left"
    )
    return table.sort_values("line_value", ascending=False, ignore_index=True)


def sold(page: Page) -> Html:
    """The table of `sale_types`; nothing where no line names its type."""
    table = sale_types(page)
    return page.table(table, title=SOLD) if len(table) else Html("", "")


def _lines(book: Book, span: Period) -> pd.DataFrame:
    placed = counted(book).project("order_id, order_date AS day").set_alias("o")
    lines = book.order_lines.set_alias("l").join(placed, "l.order_id = o.order_id")
    inside = lines.filter(f"o.day >= DATE '{span.start}' AND o.day < DATE '{span.end}'")
    table: pd.DataFrame = inside.aggregate(
        "coalesce(l.sale_type, '(missing)') AS sale_type, count(*) AS order_lines, "
        "sum(l.line_amount_base_cents)::DOUBLE / 100 AS line_value"
    ).df()
    whole = table["line_value"].sum()
    return table.assign(share=table["line_value"] / whole if whole > 0 else float("nan"))
