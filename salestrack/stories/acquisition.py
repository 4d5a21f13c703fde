"""What page 7 says of winning customers: what they cost, and what each channel and campaign brought."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from salestrack.kpis import channel_yield, customer_acquisition_cost
from salestrack.stories.common import full_quarters

if TYPE_CHECKING:
    from salestrack.book import Book
    from salestrack.page import Page

WEBSITE = "Website"  # the lead source of visits whose own channel is none

COSTS = {"en": "Sales and marketing costs by type", "de": "Kosten für Vertrieb und Marketing nach Art"}
CHANNELS = {
    "en": "What the leads of the last twelve months brought so far",
    "de": "Was die Leads der letzten zwölf Monate bisher brachten",
}
CAMPAIGNS = {"en": "Campaigns", "de": "Kampagnen"}
BROUGHT = ("lead_source", "sessions", "leads", "sql", "won", "value", "channel_yield")
SPENT = ("campaign_name", "cost", "leads", "won", "bookings", "cost_per_won")
LABELS = {
    "sessions": {"en": "Visits", "de": "Besuche"},
    "value": {"en": "Won value", "de": "Wert"},
    "channel_yield": {"en": "Per lead", "de": "Je Lead"},
    "bookings": {"en": "Won value", "de": "Wert"},
    "cost_per_won": {"en": "Per won deal", "de": "Je gewonnenem Deal"},
}
UNITS = {"sessions": "count"}
WHOSE = {
    "en": "One and the same leads throughout: those that came in the twelve months, by the source that "
    "brought them, and what they have become so far; leads of the last months may still be won. Visits "
    "stand beside: through a channel that is itself a lead source they count there, all others for the "
    "website.",
    "de": "Durchgehend dieselben Leads: die der zwölf Monate, nach der Quelle, die sie brachte, und was bisher "
    "aus ihnen wurde; Leads der letzten Monate können noch gewonnen werden. Besuche stehen daneben: Über "
    "einen Kanal, der selbst Leadquelle ist, zählen sie dort, alle anderen bei der Website.",
}
CLOSED = {
    "en": "Win rate by the source of the deal, deals closed in the last twelve months",
    "de": "Abschlussquote nach Quelle des Deals, Abschlüsse der letzten zwölf Monate",
}
PER_WON = {
    "en": "Costs booked on the campaign so far, divided by the won deals that name it; its open deals may "
    "still be won.",
    "de": "Bisher auf die Kampagne gebuchte Kosten, geteilt durch die gewonnenen Deals, die sie nennen; "
    "offene Deals können noch gewonnen werden.",
}


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


def channels(page: Page) -> pd.DataFrame:
    """`channel_yield` of the leads of the last twelve months, the most won value first.

    Returns
    -------
    The KPI's table; its channel is called `lead_source`, as on the other pages.
    """
    book = page.book
    table: pd.DataFrame = book.kpi(channel_yield, channels=one_name(book), period=page.last_12)
    ordered = table.sort_values("value", ascending=False, kind="stable", ignore_index=True)
    return ordered.rename(columns={"channel": "lead_source"})


def one_name(book: Book) -> dict[str, str]:
    """The website for each channel of visits that is no lead source, where the website is one."""
    known, seen = (
        {name for (name,) in book.table(table).project(column).distinct().fetchall()}
        for table, column in (("leads", "lead_source"), ("web_traffic", "channel_group"))
    )
    return dict.fromkeys(sorted(seen - known - {None}), WEBSITE) if WEBSITE in known else {}


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
