"""What page 7 says of customers: who buys what, what winning them costs, whether they are content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from salestrack.kpis import (
    average_order_value,
    bookings,
    customer_acquisition_cost,
    net_promoter_score,
    win_rate,
)
from salestrack.markup import Html
from salestrack.stories.common import full_quarters

if TYPE_CHECKING:
    from duckdb import DuckDBPyRelation

    from salestrack.blocks import Measure
    from salestrack.book import Book
    from salestrack.page import Page
    from salestrack.periods import Period

DEARER, SMALLER = 1.10, 0.90  # against the twelve months before
DEAR_CAMPAIGN = 2.0  # times the cost per won deal of all campaigns together
LEAST_WON = 5  # won deals from which the cost of one can be judged
WEBSITE = "Website"  # the lead source of visits whose own channel is none
PLACED = "order_status IS NULL OR order_status NOT IN ('cancelled', 'returned')"

NEW = {"en": "New customers", "de": "Neukunden"}
COSTS = {"en": "Sales and marketing costs by type", "de": "Kosten für Vertrieb und Marketing nach Art"}
CONTENT = {
    "en": "Net promoter score by segment, last twelve months",
    "de": "Net Promoter Score nach Segment, letzte zwölf Monate",
}
SCORE = {"en": "Net promoter score by quarter", "de": "Net Promoter Score nach Quartal"}
VALUE = {"en": "Value of an order by quarter", "de": "Wert je Bestellung nach Quartal"}
SPENT = ("campaign_name", "cost", "leads", "won", "bookings", "cost_per_won")
LABELS = {
    "average_order_value": {"en": "Per order", "de": "Je Bestellung"},
    "bookings": {"en": "Won value", "de": "Wert"},
    "cost_per_won": {"en": "Per won deal", "de": "Je gewonnenem Deal"},
}
CAMPAIGNS = {"en": "Campaigns", "de": "Kampagnen"}
SEGMENTS = {
    "en": "Customers by segment, last twelve months",
    "de": "Kunden nach Segment, letzte zwölf Monate",
}
SOLD = {
    "en": "What was sold to them, last twelve months",
    "de": "Was ihnen verkauft wurde, letzte zwölf Monate",
}
ORDERS = {"en": "Orders of new and of known customers", "de": "Bestellungen von neuen und bekannten Kunden"}
WHOSE = {
    "en": "Visits through a channel that is itself a lead source count there, all others for the website. "
    "Leads by day "
    "of arrival, won deals by day of closing: they are not the same cases.",
    "de": "Besuche über einen Kanal, der selbst Leadquelle ist, zählen dort, alle anderen bei der Website. "
    "Leads nach "
    "Eingang, gewonnene Deals nach Abschluss: Es sind nicht dieselben Fälle.",
}
PER_WON = {
    "en": "Costs booked on the campaign so far, divided by the won deals that name it; its open deals may "
    "still be won.",
    "de": "Bisher auf die Kampagne gebuchte Kosten, geteilt durch die gewonnenen Deals, die sie nennen; "
    "offene Deals "
    "können noch gewonnen werden.",
}


def finding(page: Page) -> dict[str, Any]:
    """The arguments of `page.text`: new customers and their cost, orders, contentment, where there are data.

    Returns
    -------
    `en`, `de` and the values that both sentences name.
    """
    book, span, parts = page.book, page.last_12, []
    values: dict[str, Any] = {}
    if book.has("deals", "costs"):
        values["won"] = book.kpi(customer_acquisition_cost, period=span)
        parts.append(SENTENCES["won"])
    if book.has("orders"):
        values["sold"] = book.kpi(average_order_value, period=span)
        parts.append(SENTENCES["sold"])
    if book.has("surveys"):
        score = book.kpi(net_promoter_score, period=span)
        values |= {
            "score": score,
            "interval": page.words.interval(score["low"].iloc[0], score["high"].iloc[0], "points"),
        }
        parts.append(SENTENCES["score"])
    if not parts:
        parts.append(SENTENCES["nothing"])
    return {"en": " ".join(p[0] for p in parts), "de": " ".join(p[1] for p in parts)} | values


SENTENCES = {
    "won": (
        "In the last twelve months {won.n:count} new customers were won at "
        "{won.customer_acquisition_cost:money} each.",
        "In den letzten zwölf Monaten wurden {won.n:count} Neukunden zu je "
        "{won.customer_acquisition_cost:money} gewonnen.",
    ),
    "sold": (
        "Customers placed {sold.n:count} orders worth {sold.value:money} in twelve months, "
        "{sold.average_order_value:money} "
        "each.",
        "Kunden gaben in zwölf Monaten {sold.n:count} Bestellungen über {sold.value:money} auf, je "
        "{sold.average_order_value:money}.",
    ),
    "score": (
        "The net promoter score is {score.net_promoter_score:points} points (95% interval {interval}, "
        "{score.n:count} "
        "answers).",
        "Der Net Promoter Score liegt bei {score.net_promoter_score:points} Punkten (95-%-Intervall "
        "{interval}, "
        "{score.n:count} Antworten).",
    ),
    "nothing": (
        "The data hold neither won deals with costs, nor orders, nor surveys.",
        "Die Daten enthalten weder gewonnene Deals mit Kosten noch Bestellungen noch Befragungen.",
    ),
}


def cards(page: Page) -> list[Html | None]:
    """The headline cards of the last twelve months; None where the company lacks the tables."""
    goals = page.book.config.goals
    return [
        _new_customers(page),
        page.headline(customer_acquisition_cost, months=12),
        page.headline(average_order_value, months=12),
        page.headline(net_promoter_score, months=12, target=goals.net_promoter_score),
    ]


def _new_customers(page: Page) -> Html | None:
    """Customers whose first deal ever was won; None without deals."""
    if not page.book.has("deals", "costs"):
        return None
    now, before = (
        page.book.kpi(customer_acquisition_cost, period=span)[["n"]]
        for span in (page.last_12, page.last_12.shifted(-12))
    )
    return page.card(now, "n", compare=before, against="year", label=NEW)


def acquisition(book: Book) -> pd.DataFrame:
    """`customer_acquisition_cost` of the last full quarters; unknown where costs do not reach back so far.

    The costs of a quarter's customers lie `lag_months` before it; a quarter of which a part lies before the
    first month with costs has no figure, because its customers would look cheap.
    """
    span = full_quarters(book)
    table = book.kpi(customer_acquisition_cost, by="quarter", period=span)
    inside = table["quarter"].between(pd.Timestamp(span.start), pd.Timestamp(span.last_day))
    table = table[inside].reset_index(drop=True)
    first = book.costs.aggregate("date_trunc('month', min(cost_date))::DATE").fetchall()[0][0]
    lagged = [
        start - pd.DateOffset(months=int(lag))
        for start, lag in zip(table["quarter"], table["lag_months"], strict=True)
    ]
    known = pd.Series(lagged, index=table.index, dtype="datetime64[ns]") >= pd.Timestamp(first)
    figures = ["cost", "customer_acquisition_cost"]
    return table.assign(**{name: table[name].where(known) for name in figures})


def lag(page: Page, table: pd.DataFrame) -> dict[str, Any]:
    """The arguments of `page.text`: how costs are set against the customers that they won."""
    months = int(table["lag_months"].iloc[0]) if len(table) else 0
    if not months:
        return {
            "en": "Costs are set against the customers won in the same month.",
            "de": "Kosten stehen den im selben Monat gewonnenen Kunden gegenüber.",
        }
    return {
        "en": "A new customer is won {lag} after the lead came in (median), so the costs are those of "
        "{lag} earlier.",
        "de": "Vom Lead bis zum gewonnenen Neukunden vergehen im Median {lag}; die Kosten sind deshalb um "
        "{lag} versetzt.",
        "lag": page.words.fmt(months, "months"),
    }


def costs(book: Book) -> pd.DataFrame:
    """Costs of the last full quarters by type: `quarter`, `cost_type`, `cost` (currency units)."""
    span = full_quarters(book)
    inside = book.costs.filter(f"cost_date >= DATE '{span.start}' AND cost_date < DATE '{span.end}'")
    start = book.config.fiscal_year_start_month - 1
    quarter = f"date_trunc('quarter', cost_date - INTERVAL {start} MONTH) + INTERVAL {start} MONTH"
    made = inside.aggregate(f"({quarter})::TIMESTAMP AS quarter, cost_type, sum(amount_base_cents) AS cents")
    table: pd.DataFrame = made.df()
    table = table.sort_values(["quarter", "cost_type"], ignore_index=True)
    table["cost"] = table["cents"].astype("float64") / 100
    return table[["quarter", "cost_type", "cost"]]


def sources(page: Page) -> pd.DataFrame:
    """What each lead source brought in the last twelve months, the most won value first.

    Returns
    -------
    `lead_source`, `visits` (unknown where the web tells nothing), `leads`, `sql` (of those leads so far),
    `won`, `win_rate`, `low`, `high`, `bookings`; `n` is the number of closed deals.
    """
    book, span = page.book, page.last_12
    won = book.kpi(win_rate, by="lead_source", period=span)[
        ["lead_source", "won", "win_rate", "low", "high", "n"]
    ]
    table: pd.DataFrame = won.merge(
        book.kpi(bookings, by="lead_source", period=span)[["lead_source", "bookings"]],
        on="lead_source",
        how="outer",
    )
    if book.has("leads"):
        table = table.merge(_leads(book, span), on="lead_source", how="outer")
    if book.has("web_traffic"):
        table = table.merge(_visits(book, span, set(table["lead_source"])), on="lead_source", how="outer")
    for column in ("visits", "leads", "sql"):
        table[column] = table.get(column, pd.Series(float("nan"), index=table.index))
    columns = ["lead_source", "visits", "leads", "sql", "won", "win_rate", "low", "high", "n", "bookings"]
    return table[columns].sort_values("bookings", ascending=False, na_position="last", ignore_index=True)


def _leads(book: Book, span: Period) -> pd.DataFrame:
    """Leads that came in, and how many of them sales has accepted as an opportunity so far."""
    inside = book.leads.filter(f"created_date >= DATE '{span.start}' AND created_date < DATE '{span.end}'")
    made = inside.aggregate(
        "coalesce(lead_source, '(missing)') AS lead_source, count(*) AS leads, count(sql_at) AS sql"
    )
    table: pd.DataFrame = made.df()
    return table


def _visits(book: Book, span: Period, known: set[str]) -> pd.DataFrame:
    """Visits by lead source; through a channel that is none itself, they count for the website."""
    inside = book.web_traffic.filter(f"date >= DATE '{span.start}' AND date < DATE '{span.end}'")
    table: pd.DataFrame = inside.aggregate("channel_group AS channel, sum(sessions) AS visits").df()
    own = table["channel"].isin(known) | (WEBSITE not in known)
    table["lead_source"] = table["channel"].where(own, WEBSITE)
    return table.groupby("lead_source", as_index=False).agg(visits=("visits", "sum"))


def campaigns(book: Book) -> pd.DataFrame:
    """What each campaign has cost and brought so far, the dearest first.

    Formula: cost per won deal = costs booked on the campaign up to now / won deals that name it.

    Returns
    -------
    One row per campaign with costs: `campaign_name`, `cost`, `leads`, `open`, `won`, `bookings`,
    `cost_per_won` (currency units; unknown without a won deal).
    """
    spent: pd.DataFrame = (
        book.costs.filter("campaign_id IS NOT NULL")
        .aggregate("campaign_id, sum(amount_base_cents) AS cents")
        .df()
    )
    named = book.campaigns.project("campaign_id, campaign_name").df()
    table = spent.merge(named, on="campaign_id").merge(_brought(book), on="campaign_id", how="left")
    counts = ["leads", "open", "won"]
    table[counts] = table[counts].fillna(0).astype("int64")
    table["bookings"] = table["won_cents"].fillna(0).astype("float64") / 100
    table["cost"] = table["cents"].astype("float64") / 100
    table["cost_per_won"] = table["cost"] / table["won"].where(table["won"] > 0)
    columns = ["campaign_name", "cost", *counts, "bookings", "cost_per_won"]
    return table.sort_values(["cost", "campaign_name"], ascending=[False, True])[columns].reset_index(
        drop=True
    )


def _brought(book: Book) -> pd.DataFrame:
    """Leads, open and won deals of each campaign."""
    deals = book.deals.filter("campaign_id IS NOT NULL").aggregate(
        "campaign_id, count(*) FILTER (status = 'open') AS open, count(*) FILTER (status = 'won') AS won, "
        "sum(amount_base_cents) FILTER (status = 'won') AS won_cents"
    )
    leads = book.leads.filter("campaign_id IS NOT NULL").aggregate("campaign_id, count(*) AS leads")
    found: pd.DataFrame = deals.df()
    return found.merge(leads.df(), on="campaign_id", how="outer")


def placed(book: Book) -> DuckDBPyRelation:
    """The orders that count, each with `buyer`: `new` for the first order of its account, else `known`."""
    counted = book.orders.filter(PLACED)
    numbered = counted.project(
        "*, row_number() OVER (PARTITION BY account_id ORDER BY order_date, order_id) AS nth"
    )
    return numbered.project(
        "*, CASE WHEN account_id IS NULL THEN NULL WHEN nth = 1 THEN 'new' ELSE 'known' END AS buyer"
    )


def buyers(book: Book) -> pd.DataFrame:
    """Orders of the last full quarters by new and known customers: `quarter`, `buyer`, `orders`."""
    start = book.config.fiscal_year_start_month
    table = average_order_value(
        placed(book), by=["quarter", "buyer"], period=full_quarters(book), fiscal_year_start=start
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
    orders = book.orders.filter(PLACED).filter(
        f"order_date >= DATE '{span.start}' AND order_date < DATE '{span.end}'"
    )
    who: pd.DataFrame = orders.aggregate(
        "coalesce(segment, '(missing)') AS segment, count(DISTINCT account_id) AS accounts"
    ).df()
    value = book.kpi(average_order_value, by="segment", period=span).rename(
        columns={"n": "orders", "value": "order_value"}
    )
    columns = ["segment", "orders", "order_value", "average_order_value", "low", "high"]
    table = who.merge(value[columns], on="segment", how="right")
    return table.sort_values("order_value", ascending=False, na_position="last", ignore_index=True)


def content(page: Page) -> pd.DataFrame:
    """The net promoter score by segment in the last twelve months, the most answers first.

    Returns
    -------
    `segment`, `promoters`, `detractors`, `net_promoter_score`, `low`, `high`, `n` (answers) and
    `response_rate`, which is left out where nothing but answers is recorded.
    """
    table = asked(page.book, by="segment", period=page.last_12)
    columns = ["segment", "promoters", "detractors", "net_promoter_score", "low", "high", "n"]
    columns += ["response_rate"] if (table["response_rate"] < 1).any() else []
    return table[columns].sort_values("n", ascending=False, kind="stable", ignore_index=True)


def asked(book: Book, **options: Any) -> pd.DataFrame:
    """`net_promoter_score` of the surveys with the segment of the account that answered."""
    accounts = book.accounts.project("account_id, segment").set_alias("a")
    surveys = book.surveys.set_alias("s").join(accounts, "s.account_id = a.account_id", how="left")
    start = book.config.fiscal_year_start_month
    return net_promoter_score(surveys.project("s.*, a.segment"), fiscal_year_start=start, **options)


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
    counted = book.orders.filter(PLACED).project("order_id, order_date AS day").set_alias("o")
    lines = book.order_lines.set_alias("l").join(counted, "l.order_id = o.order_id")
    inside = lines.filter(f"o.day >= DATE '{span.start}' AND o.day < DATE '{span.end}'")
    table: pd.DataFrame = inside.aggregate(
        "coalesce(l.sale_type, '(missing)') AS sale_type, count(*) AS order_lines, "
        "sum(l.line_amount_base_cents)::DOUBLE / 100 AS line_value"
    ).df()
    whole = table["line_value"].sum()
    return table.assign(share=table["line_value"] / whole if whole > 0 else float("nan"))


def measures(page: Page) -> list[Measure | None]:
    """What the figures of the last twelve months call for."""
    return [*_cost_measures(page), *_order_measures(page), _score_measure(page)]


def _cost_measures(page: Page) -> list[Measure | None]:
    book, ago = page.book, page.last_12.shifted(-12)
    found: list[Measure | None] = []
    if book.has("deals", "costs"):
        name = "customer_acquisition_cost"
        now, before = (book.kpi(customer_acquisition_cost, period=span) for span in (page.last_12, ago))
        found.append(
            page.measure(
                now,
                name,
                above=_times(before[name].iloc[0], DEARER),
                owner="marketing",
                en="New customers cost over a tenth more than a year ago: move budget from the dearest "
                "campaigns to the cheapest.",
                de="Neukunden kosten über ein Zehntel mehr als vor einem Jahr: Budget von den teuersten "
                "Kampagnen zu den günstigsten verlagern.",
            )
        )
    if book.has("deals", "costs", "campaigns"):
        table = campaigns(book)
        limit = DEAR_CAMPAIGN * table["cost"].sum() / table["won"].sum() if table["won"].sum() else None
        found.append(
            page.measure(
                table.rename(columns={"won": "n"}),
                "cost_per_won",
                above=limit,
                by="campaign_name",
                least=LEAST_WON,
                owner="marketing",
                metric=customer_acquisition_cost,
                en="Stop or rebuild these campaigns: a won deal costs more than twice that of all "
                "campaigns together.",
                de="Diese Kampagnen beenden oder neu aufsetzen: Ein gewonnener Deal kostet mehr als "
                "doppelt so viel wie im "
                "Mittel aller Kampagnen.",
            )
        )
    return found


def _order_measures(page: Page) -> list[Measure | None]:
    book, name = page.book, "average_order_value"
    if not book.has("orders"):
        return []
    now, before = (book.kpi(average_order_value, period=s) for s in (page.last_12, page.last_12.shifted(-12)))
    return [
        page.measure(
            now,
            name,
            below=_times(before[name].iloc[0], SMALLER),
            owner="sales_manager",
            en="Orders are over a tenth smaller than a year ago: form bundles, set minimum quantities, make "
            "offers to those who buy less.",
            de="Bestellungen sind über ein Zehntel kleiner als vor einem Jahr: Pakete schnüren, "
            "Mindestmengen setzen, Angebote an alle machen, die weniger kaufen.",
        )
    ]


def _score_measure(page: Page) -> Measure | None:
    book = page.book
    if not book.has("surveys"):
        return None
    return page.measure(
        book.kpi(net_promoter_score, period=page.last_12),
        net_promoter_score,
        below=book.config.goals.net_promoter_score,
        owner="customer_success",
        en="Call back the detractors of the last quarter and settle what recurs.",
        de="Die Detraktoren des letzten Quartals zurückrufen und abstellen, was sich wiederholt.",
    )


def _times(value: float, factor: float) -> float | None:
    """A limit that moves with last year's value; None, and so no rule, where that is unknown."""
    return None if pd.isna(value) else float(value) * factor
