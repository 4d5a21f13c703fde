"""The overview: where the business stands in a sentence, and the most pressing measures of all topics."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pandas as pd

from salestrack.kpis import (
    average_deal_size,
    average_order_value,
    open_pipeline,
    pipeline_coverage,
    quota_attainment,
    win_rate,
)
from salestrack.periods import Period
from salestrack.stories import team
from salestrack.stories.coverage import ahead
from salestrack.stories.pipeline import stock
from salestrack.stories.pressing import CLOSE_TO_PLAN, candidates, coverage, most_pressing
from salestrack.stories.revenue import growth, result

if TYPE_CHECKING:
    from salestrack.page import Page
    from salestrack.show import Html, Measure


def pressing(page: Page, count: int = 3) -> list[Measure]:
    """The most pressing measures of all topics for the page's month: those furthest beyond their limits."""
    return most_pressing(candidates(page), count)


def coverage_card(page: Page) -> Html | None:
    """The card of the pipeline's coverage of the quarter ahead; None without a pipeline or quotas."""
    if not page.book.has("deals", "quotas"):
        return None
    told, goal = coverage(page), page.book.config.goals.pipeline_coverage
    label = f"{page.words.label('pipeline_coverage')} {page.words.fmt(ahead(page).start, 'quarter')}"
    note = page.words.value("note", told["note"].iloc[0])
    return page.card(told, pipeline_coverage, target=goal, label=label, note=note)


def pipeline_card(page: Page) -> Html | None:
    """The card of the open pipeline with what of it is past due; None for a company without a pipeline."""
    if not page.book.has("deals"):
        return None
    told, history = page.book.kpi(open_pipeline), stock(page.book)
    count = int(told["past_due"].iloc[0])
    value = page.words.fmt(told["past_due_value"].iloc[0], "money", compact=True)
    note = {"en": f"{count} past due, worth {value}", "de": f"{count} überfällig, im Wert von {value}"}
    return page.card(told, open_pipeline, compare=history.head(1), trend=history, note=note)


def year_card(page: Page) -> Html | None:
    """The card of the year's attainment of its quota; None without quotas or a pipeline."""
    return team.year_card(page) if page.book.has("deals") else None


def order_card(page: Page) -> Html | None:
    """The card of the average order value for a company without a pipeline, else None."""
    return None if page.book.has("deals") else page.headline(average_order_value)


def reps_card(page: Page) -> Html | None:
    """The card of the share of reps at quota for a company without a pipeline, else None."""
    return None if page.book.has("deals") else team.reps_card(page)


def lead(page: Page) -> Html:
    """One sentence: the month's result, what it changed, and where that puts the year against its quota."""
    name = result(page.book).__name__
    now, year = growth(page.book, period=page.month), growth(page.book, period=page.year_to_date)
    share = _attainment(page, page.year_to_date)
    english, german = verdict(share)
    known = pd.notna(share)
    en, de = LEADS[name]
    return page.text(
        en=english + en + (", {share:share} of its quota so far." if known else "."),
        de=german + de + (", das sind {share:share} der bisherigen Quote." if known else "."),
        value=now[name].iloc[0],
        change=now["revenue_growth"].iloc[0],
        month=page.words.fmt(page.month.start, "month"),
        year=year[name].iloc[0],
        growth=year["revenue_growth"].iloc[0],
        share=share,
    )


LEADS = {
    "bookings": (
        "bookings of {value:money} in {month} ({change:change} on the previous year) bring the fiscal year "
        "to {year:money} ({growth:change})",
        "Der Auftragseingang von {value:money} im {month} ({change:change} zum Vorjahr) bringt das "
        "Geschäftsjahr auf {year:money} ({growth:change})",
    ),
    "order_value": (
        "orders of {value:money} in {month} ({change:change} on the previous year) bring the fiscal year "
        "to {year:money} ({growth:change})",
        "Bestellungen von {value:money} im {month} ({change:change} zum Vorjahr) bringen das Geschäftsjahr "
        "auf {year:money} ({growth:change})",
    ),
}


def verdict(attainment: float) -> tuple[str, str]:
    """The judgement on a year's attainment of its quota so far, in both languages; NaN is no plan.

    >>> verdict(1.02), verdict(0.8)[0]
    (('Ahead of plan: ', 'Über Plan: '), 'Behind plan: ')
    """
    if pd.isna(attainment):
        return "No plan to compare with: ", "Ohne Plan zum Vergleich: "
    if attainment >= 1:
        return "Ahead of plan: ", "Über Plan: "
    return (
        ("Close to plan: ", "Nahe am Plan: ")
        if attainment >= CLOSE_TO_PLAN
        else ("Behind plan: ", "Hinter dem Plan: ")
    )


def _attainment(page: Page, period: Period) -> float:
    if not page.book.has("quotas"):
        return float("nan")
    return float(page.book.kpi(quota_attainment, period=period)["quota_attainment"].iloc[0])


def outlook(page: Page) -> Html:
    """Two sentences on what is ahead and how sure it is: the quarter's pipeline, and the win rate."""
    if not page.book.has("deals", "quotas"):
        return page.text(
            en="Without a pipeline nothing can be said of the months ahead.",
            de="Ohne Pipeline lässt sich über die kommenden Monate nichts sagen.",
        )
    covered, won = coverage(page), page.book.kpi(win_rate, period=page.last_12)
    quarter = ahead(page).start
    en, de = OUTLOOKS[covered["note"].iloc[0] or "open"]
    return page.text(
        en=en + " Of the {n:count} deals closed in the last twelve months {won.win_rate} were won "
        "(95% interval {interval}).",
        de=de + " Von den {n:count} in den letzten zwölf Monaten abgeschlossenen Deals wurden {won.win_rate} "
        "gewonnen (95-%-Intervall {interval}).",
        covered=covered,
        won=won,
        quarter=quarter,
        n=int(won["n"].iloc[0]),
        times=page.words.fmt(covered["pipeline_coverage"].iloc[0], "ratio").removesuffix("×"),
        interval=page.words.interval(won["low"].iloc[0], won["high"].iloc[0], "share"),
    )


OUTLOOKS = {
    "open": (
        "For {quarter:quarter} {covered.remaining:money} is still missing to the quota; the open pipeline "
        "due by then is {covered.open_value:money}, {times} times that.",
        "Für {quarter:quarter} fehlen bis zur Quote noch {covered.remaining:money}; die bis dahin fällige "
        "offene Pipeline beträgt {covered.open_value:money}, das {times}-Fache.",
    ),
    "target_met": (
        "The quota of {quarter:quarter} is already met.",
        "Die Quote für {quarter:quarter} ist bereits erreicht.",
    ),
    "no_quota": (
        "No quota is set for {quarter:quarter} yet; the open pipeline due by then is "
        "{covered.open_value:money}.",
        "Für {quarter:quarter} ist noch keine Quote gesetzt; die bis dahin fällige offene Pipeline beträgt "
        "{covered.open_value:money}.",
    ),
}


LABELS = {
    "n": {"en": "Deals", "de": "Aufträge"},
    "revenue_growth": {"en": "Growth", "de": "Wachstum"},
    "average_deal_size": {"en": "Deal size", "de": "Je Auftrag"},
    "quota_attainment": {"en": "Quota", "de": "Quote"},
    "average_order_value": {"en": "Average order", "de": "Je Bestellung"},
}


def labels(page: Page) -> dict[str, dict[str, str]]:
    """Short headings of the columns of `years_to_date`."""
    orders = {"n": {"en": "Orders", "de": "Bestellungen"}}
    return LABELS if page.book.has("deals") else LABELS | orders


def years_to_date(page: Page, count: int = 3) -> pd.DataFrame:
    """The fiscal year so far beside the same months of the years before, one row per year, the newest first.

    Returns
    -------
    `year` and, with a pipeline: `bookings`, `revenue_growth`, `n` (won deals), `average_deal_size`,
    `win_rate`; without: `order_value`, `revenue_growth`, `n` (orders), `average_order_value`; with quotas
    `quota_attainment`. A year without any result is left out.
    """
    rows = [_year_to_date(page, page.year_to_date.shifted(-12 * back)) for back in range(count)]
    return pd.DataFrame([row for row in rows if row["n"]])


def same_months(page: Page) -> str:
    """What the rows of `years_to_date` cover, for the note below the table."""
    first, last = (
        page.words.fmt(day, "date") for day in (page.year_to_date.start, page.year_to_date.last_day)
    )
    if page.words.language == "de":
        return f"Jede Zeile: dieselben Monate des jeweiligen Jahres, zuletzt {first} bis {last}."
    return f"Each row covers the same months of its year, most recently {first} to {last}."


def _year_to_date(page: Page, span: Period) -> dict[str, Any]:
    name = result(page.book).__name__
    grown = growth(page.book, period=span)
    row = {"year": pd.Timestamp(page.year.shifted(span.start.year * 12 - page.year.start.year * 12).start)}
    row |= {column: grown[column].iloc[0] for column in (name, "revenue_growth", "n")}
    deals, orders = (average_deal_size, win_rate), (average_order_value,)
    kpis: tuple[Callable[..., pd.DataFrame], ...] = deals if name == "bookings" else orders
    kpis += (quota_attainment,) if page.book.has("quotas") else ()
    return row | {kpi.__name__: page.book.kpi(kpi, period=span)[kpi.__name__].iloc[0] for kpi in kpis}
