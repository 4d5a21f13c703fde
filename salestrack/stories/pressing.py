"""The rules of all topics in short, and their measures, ranked by how far a limit is passed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from salestrack.kpis import (
    average_order_value,
    customer_acquisition_cost,
    funnel_leakage,
    mql_to_sql,
    net_promoter_score,
    open_pipeline,
    pipeline_coverage,
    pipeline_hygiene,
    quota_attainment,
    revenue_growth,
    sales_cycle,
    selling_time_share,
    share_of_reps_at_quota,
    win_rate,
)
from salestrack.stories.coverage import ahead
from salestrack.stories.revenue import growth

if TYPE_CHECKING:
    from salestrack.page import Page
    from salestrack.show import Measure

CLOSE_TO_PLAN = 0.95  # from here on a year counts as close to its quota
TEAM_BEHIND = 0.95
HALF_OF_REPS = 0.5
STALLED = 0.25  # by definition a tenth of the winners took that long; more than a quarter is a backlog
PAST_DUE = 0.05
LARGEST_DEALS = 0.25
SLOWER, DEARER, FEWER = 1.10, 1.10, 0.90  # against the twelve months before
POINTS = 100.0  # a score from -100 to 100 is measured against this, not against its limit, which may be 0


@dataclass(frozen=True)
class Candidate:
    """A measure whose rule was triggered, and how far the figure is beyond its limit (0.1: by a tenth)."""

    measure: Measure
    excess: float


def excess(values: pd.Series[Any], limit: float, side: str, scale: float | None = None) -> float:
    """How far the worst value lies beyond a limit, as a share of the limit (or of `scale`); at least 0.

    >>> excess(pd.Series([9.0, 6.0]), 8.0, "below")
    0.25
    """
    beyond = values - limit if side == "above" else limit - values
    worst = beyond.astype("float64").max() / (scale or abs(limit) or 1.0)
    return 0.0 if pd.isna(worst) else max(0.0, float(worst))


def most_pressing(
    candidates: Iterator[Candidate | None] | list[Candidate | None], count: int = 3
) -> list[Measure]:
    """The measures that are furthest beyond their limits, the worst first; equal ones keep their order."""
    found = sorted((one for one in candidates if one is not None), key=lambda one: -one.excess)
    return [one.measure for one in found[:count]]


def candidates(page: Page) -> Iterator[Candidate | None]:
    """The rules of all topics, applied to the page's month; None where a rule is silent."""
    yield from _plan(page)
    if page.book.has("deals"):
        yield from _deals(page)
        yield from _funnel(page)
    else:
        yield from _orders(page)
    yield from _work(page)


def candidate(
    page: Page,
    table: pd.DataFrame,
    kpi: Any,
    *,
    above: float | None = None,
    below: float | None = None,
    scale: float | None = None,
    by: str | None = None,
    least: int = 10,
    **told: Any,
) -> Candidate | None:
    """A measure by `page.measure` with its excess; None when its rule is not triggered or no goal is set."""
    made = page.measure(table, kpi, above=above, below=below, by=by, least=least, **told)
    limit = above if above is not None else below
    if made is None or limit is None:
        return None
    rows = table if by is None or "n" not in table.columns else table[table["n"] >= least]
    values = rows[kpi if isinstance(kpi, str) else kpi.__name__]
    return Candidate(made, excess(values, limit, "above" if above is not None else "below", scale))


def coverage(page: Page) -> pd.DataFrame:
    """`pipeline_coverage` of the quarter ahead: the running one, on its last day the next."""
    table: pd.DataFrame = page.book.kpi(pipeline_coverage, period=ahead(page))
    return table


def _plan(page: Page) -> Iterator[Candidate | None]:
    """Result and quotas: growth of the year, attainment of the year, teams behind, reps at quota."""
    book, so_far = page.book, page.year_to_date
    yield candidate(
        page,
        growth(book, period=so_far),
        revenue_growth,
        below=0.0,
        scale=1.0,
        owner="sales_manager",
        en="Find the segments and territories behind the fall of the year's result and decide on each of "
        "them.",
        de="Die Segmente und Gebiete hinter dem Rückgang des Jahresergebnisses bestimmen und für jedes "
        "entscheiden.",
    )
    if not book.has("quotas"):
        return
    yield candidate(
        page,
        book.kpi(quota_attainment, period=so_far),
        quota_attainment,
        below=CLOSE_TO_PLAN,
        owner="management",
        en="Decide how the gap to the year's quota is to be closed, or set the plan anew.",
        de="Entscheiden, wie die Lücke zur Jahresquote geschlossen wird, oder den Plan neu setzen.",
    )
    if book.has("teams"):
        yield candidate(
            page,
            book.kpi(quota_attainment, by="team", period=so_far),
            quota_attainment,
            below=TEAM_BEHIND,
            by="team",
            least=book.config.privacy.k,
            owner="team_lead",
            en="Agree a recovery plan with the teams behind quota: which deals close the gap, and by when.",
            de="Mit den Teams unter Quote einen Aufholplan vereinbaren: welche Deals die Lücke schließen "
            "und bis wann.",
        )
    yield candidate(
        page,
        book.kpi(share_of_reps_at_quota, period=so_far),
        share_of_reps_at_quota,
        below=HALF_OF_REPS,
        owner="sales_manager",
        en="Check whether quotas fit the territories' potential, and coach where they do.",
        de="Prüfen, ob die Quoten zum Potenzial der Gebiete passen, und dort coachen, wo sie passen.",
    )


def _deals(page: Page) -> Iterator[Candidate | None]:
    """Pipeline and winning: coverage, overdue deals, few large deals, win rate, sales cycle."""
    book, goals, ago = page.book, page.book.config.goals, page.last_12.shifted(-12)
    if book.has("quotas"):
        yield candidate(
            page,
            coverage(page),
            pipeline_coverage,
            below=goals.pipeline_coverage,
            owner="sales_manager",
            en="Build pipeline for the quarter ahead: campaign, outbound week, deals pulled in.",
            de="Pipeline für das kommende Quartal aufbauen: Kampagne, Outbound-Woche, Vorziehen von Deals.",
        )
    yield candidate(
        page,
        past_due(book.kpi(pipeline_hygiene)),
        "past_due_share",
        above=PAST_DUE,
        owner="sales_operations",
        metric=pipeline_hygiene,
        en="Give every overdue deal a new date with a next step, or close it.",
        de="Jedem überfälligen Deal einen neuen Termin mit nächstem Schritt geben oder ihn schließen.",
    )
    yield candidate(
        page,
        book.kpi(open_pipeline),
        "top5_share",
        above=LARGEST_DEALS,
        owner="sales_manager",
        metric=open_pipeline,
        en="Review the five largest deals one by one: the quarter hangs on them.",
        de="Die fünf größten Deals einzeln prüfen: An ihnen hängt das Quartal.",
    )
    yield candidate(
        page,
        book.kpi(win_rate, period=page.last_12),
        win_rate,
        below=goals.win_rate,
        owner="sales_manager",
        en="Qualify harder and learn from the lost deals: reasons and stages of loss are on the page on "
        "winning.",
        de="Strenger qualifizieren und aus verlorenen Deals lernen: Gründe und Phasen stehen auf der Seite "
        "zum Gewinnen.",
    )
    before = book.kpi(sales_cycle, period=ago)["sales_cycle"].iloc[0]
    yield candidate(
        page,
        book.kpi(sales_cycle, period=page.last_12),
        sales_cycle,
        above=_times(before, SLOWER),
        owner="sales_operations",
        en="Find the stage in which deals have become slower and remove what holds them up.",
        de="Die Phase finden, in der Deals langsamer geworden sind, und beseitigen, was sie aufhält.",
    )


def _funnel(page: Page) -> Iterator[Candidate | None]:
    """Stages and leads: deals that stall, leads that do not become opportunities, dear customers."""
    book, ago = page.book, page.last_12.shifted(-12)
    if book.has("stage_spells"):
        yield candidate(
            page,
            stalled(book.kpi(funnel_leakage)),
            "stalled_share",
            above=STALLED,
            by="stage_name",
            owner="team_lead",
            metric=funnel_leakage,
            en="Go through the stalled deals of these stages: a dated next step, or out of the pipeline.",
            de="Die stockenden Deals dieser Phasen durchgehen: nächster Schritt mit Datum oder raus aus "
            "der Pipeline.",
        )
    if book.has("leads"):
        before = book.kpi(mql_to_sql, period=ago)["mql_to_sql"].iloc[0]
        yield candidate(
            page,
            book.kpi(mql_to_sql, period=page.last_12),
            mql_to_sql,
            below=_times(before, FEWER),
            owner="marketing",
            en="Agree anew with sales what makes a lead ready, and drop the sources that no longer deliver.",
            de="Mit dem Vertrieb neu vereinbaren, wann ein Lead reif ist, und Quellen streichen, die nicht "
            "mehr liefern.",
        )
    if book.has("costs"):
        before = book.kpi(customer_acquisition_cost, period=ago)["customer_acquisition_cost"].iloc[0]
        yield candidate(
            page,
            book.kpi(customer_acquisition_cost, period=page.last_12),
            customer_acquisition_cost,
            above=_times(before, DEARER),
            owner="marketing",
            en="Move the budget from the channels with the dearest new customers to the cheapest.",
            de="Budget von den Kanälen mit den teuersten Neukunden zu den günstigsten verlagern.",
        )


def _orders(page: Page) -> Iterator[Candidate | None]:
    """A company without a pipeline: the value of an order against the year before."""
    if not page.book.has("orders"):
        return
    now, before = (
        page.book.kpi(average_order_value, period=span) for span in (page.last_12, page.last_12.shifted(-12))
    )
    yield candidate(
        page,
        now,
        average_order_value,
        below=_times(before["average_order_value"].iloc[0], FEWER),
        owner="sales_manager",
        en="Raise the value of an order: bundles, minimum quantities, offers for the customers who buy "
        "less per order.",
        de="Den Wert je Bestellung heben: Pakete, Mindestmengen, Angebote an Kunden, die je Bestellung "
        "weniger kaufen.",
    )


def _work(page: Page) -> Iterator[Candidate | None]:
    """Time and customers: selling time of the last three months, satisfaction of the last twelve."""
    book, goals = page.book, page.book.config.goals
    if book.has("activities", "rep_assignments"):
        yield candidate(
            page,
            book.kpi(selling_time_share, period=page.month.trailing(3)),
            selling_time_share,
            below=goals.selling_time_share,
            owner="sales_operations",
            en="Take administration, internal meetings and travel off the reps: the largest block first.",
            de="Verwaltung, interne Treffen und Reisen aus dem Vertriebsalltag nehmen: den größten Block "
            "zuerst.",
        )
    if book.has("surveys"):
        yield candidate(
            page,
            book.kpi(net_promoter_score, period=page.last_12),
            net_promoter_score,
            below=goals.net_promoter_score,
            scale=POINTS,
            owner="customer_success",
            en="Call back the detractors of the last quarter and settle what recurs.",
            de="Die Detraktoren des letzten Quartals zurückrufen und abstellen, was sich wiederholt.",
        )


def past_due(hygiene: pd.DataFrame) -> pd.DataFrame:
    """Share of the dated open value that is past the day on which it was to close, from `pipeline_hygiene`.

    >>> past_due(pd.DataFrame({"check": ["no_amount", "past_due"], "value_share": [0.0, 0.07]}))
       past_due_share
    0            0.07
    """
    rows = hygiene[hygiene["check"] == "past_due"].reset_index(drop=True)
    return rows[["value_share"]].rename(columns={"value_share": "past_due_share"})


def stalled(leakage: pd.DataFrame) -> pd.DataFrame:
    """Share of each stage's open deals that have been in it longer than nine of ten winners were.

    >>> stalled(pd.DataFrame({"stage_name": ["Proposal"], "open": [80], "stalled": [20]}))
      stage_name  stalled_share   n
    0   Proposal           0.25  80
    """
    share = leakage["stalled"] / leakage["open"]
    return pd.DataFrame({"stage_name": leakage["stage_name"], "stalled_share": share, "n": leakage["open"]})


def _times(value: float, factor: float) -> float | None:
    """A limit that moves with last year's value; None, and so no rule, where that is unknown."""
    return None if pd.isna(value) else float(value) * factor
