"""What page 7 says of customers: what winning them costs, whether they stay, whether they are content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from salestrack.kpis import (
    average_order_value,
    channel_yield,
    customer_acquisition_cost,
    gross_revenue_retention,
    net_promoter_score,
    net_revenue_retention,
    new_and_expansion,
    win_rate,
)
from salestrack.stories.acquisition import campaigns

if TYPE_CHECKING:
    from salestrack.blocks import Measure
    from salestrack.book import Book
    from salestrack.markup import Html
    from salestrack.page import Page
    from salestrack.periods import Period

SHOWN = (
    *(customer_acquisition_cost, channel_yield, win_rate, average_order_value, net_revenue_retention),
    *(gross_revenue_retention, new_and_expansion, net_promoter_score),
)
DEARER, SMALLER = 1.10, 0.90  # against the twelve months before
DEAR_CAMPAIGN = 2.0  # times the cost per won deal of all campaigns together
LEAST_WON = 5  # won deals from which the cost of one can be judged

NEW = {"en": "New customers", "de": "Neukunden"}
CONTENT = {
    "en": "Net promoter score by segment, last twelve months",
    "de": "Net Promoter Score nach Segment, letzte zwölf Monate",
}
SCORE = {"en": "Net promoter score by quarter", "de": "Net Promoter Score nach Quartal"}
STAYED = {
    "en": "What the customers of the twelve months before spend now",
    "de": "Was die Kunden der zwölf Monate davor jetzt ausgeben",
}
GROWN = {
    "en": "Won value by quarter: from new customers and from those there are",
    "de": "Gewonnener Wert nach Quartal: von Neukunden und von bestehenden",
}
KEPT = ("previous", "net_revenue_retention", "interval", "gross_revenue_retention", "churned", "n")
LABELS = {
    "previous": {"en": "Spent then", "de": "Damals"},
    "churned": {"en": "Gone", "de": "Weggefallen"},
    "n": {"en": "Customers then", "de": "Kunden damals"},
    "net_revenue_retention": {"en": "Net retention", "de": "Netto-Bindung"},
    "gross_revenue_retention": {"en": "Gross retention", "de": "Brutto-Bindung"},
}
UNITS = {"churned": "count"}
STYLE = {"labels": LABELS, "units": UNITS}
STAYING = {
    "en": "Net retention: then, plus more, minus less and gone, as a share of then; gross retention leaves out "
    "what is more. Where customers buy once in several years, both are low without anyone being lost.",
    "de": "Netto-Bindung: damals plus mehr minus weniger und weggefallen, als Anteil von damals; die "
    "Brutto-Bindung lässt das Mehr weg. Wo Kunden nur alle paar Jahre kaufen, sind beide niedrig, ohne dass "
    "jemand verloren ist.",
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
        stay = book.kpi(net_revenue_retention, period=span)
        if stay["net_revenue_retention"].notna().any():
            values |= {"stay": stay, "spread": page.words.interval(*_ends(stay), "share")}
            parts.append(SENTENCES["stay"])
    if book.has("surveys"):
        score = book.kpi(net_promoter_score, period=span)
        values |= {
            "score": score,
            "interval": page.words.interval(*_ends(score), "points"),
        }
        parts.append(SENTENCES["score"])
    if not parts:
        parts.append(SENTENCES["nothing"])
    return {"en": " ".join(p[0] for p in parts), "de": " ".join(p[1] for p in parts)} | values


def _ends(table: pd.DataFrame) -> tuple[float, float]:
    return table["low"].iloc[0], table["high"].iloc[0]


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
    "stay": (
        "The customers of the twelve months before spent {stay.net_revenue_retention:share} of what they spent "
        "then (95% interval {spread}).",
        "Die Kunden der zwölf Monate davor gaben {stay.net_revenue_retention:share} dessen aus, was sie damals "
        "ausgaben (95-%-Intervall {spread}).",
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


def kept(book: Book, period: Period, by: str | None = None) -> pd.DataFrame:
    """Net and gross retention of the revenue of the customers of the year before, side by side.

    Returns
    -------
    The table of `net_revenue_retention` with the column `gross_revenue_retention`.
    """
    net, gross = (
        book.kpi(kpi, by=by, period=period) for kpi in (net_revenue_retention, gross_revenue_retention)
    )
    return net.assign(gross_revenue_retention=gross["gross_revenue_retention"])


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
    return book.kpi(net_promoter_score, surveys=surveys.project("s.*, a.segment"), **options)


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
