"""What a new customer costs, and what customers say."""

from __future__ import annotations

from datetime import date
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._acquisition import collapsed, lag_of, new_customers, spent, whole_months, won_by_month
from salestrack.kpis._card import card
from salestrack.kpis._facts import By, Facts, facts, group_names
from salestrack.kpis._frames import Part, Rows, flag, frame, masked_sum, small, smalls, summarise
from salestrack.kpis._money import CENTS, with_cents
from salestrack.kpis._periods import day_number
from salestrack.kpis._results import Cluster, cluster_of, divided, layout, note, outer, together
from salestrack.kpis._survival import checked_day
from salestrack.periods import PeriodLike, month_index
from salestrack.stats.intervals import net_promoter


@card(
    number=33,
    unit="money",
    date="closed_date",
    label_en="Customer acquisition cost",
    label_de="Kundengewinnungskosten",
    description_de="Vertriebs- und Marketingkosten je Neukunde, aus den Monaten, in denen die "
    "Kunden Leads waren.",
    formula_de="um den Vorlauf zurückversetzte Gewinnungskosten des Zeitraums / im Zeitraum gewonnene Neukunden; neu "
    "ist der allererste gewonnene Abschluss des Kunden (seiner Muttergesellschaft, wo die Abschlüsse eine nennen), ein "
    "wiederkehrender Kunde also nicht.",
    undefined_de="Ohne Wert mit dem Hinweis „keine Fälle“, wenn kein Neukunde gewonnen wurde. Der Hinweis „nur "
    "Werbekosten“ steht, wenn die Kosten allein aus Werbung bestehen: ohne Gehälter und Werkzeuge sind es keine "
    "Vollkosten.",
)
def customer_acquisition_cost(
    costs: Any,
    deals: Any,
    *,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
    lag_months: int | None = None,
    acquisition_share: float = 1.0,
    as_of: date | str | None = None,
) -> pd.DataFrame:
    """Sales and marketing cost per new customer, from the months in which the customers were leads.

    Formula: acquisition costs of the period shifted back by the lag / new customers won in the period;
    new is the first won deal ever of the account (of its parent where deals have one), so a returning
    customer is not new.

    Undefined: NaN with the note no_data where no new customer was won. The note media_only marks a cost that is
    advertising alone: without salaries and tools it is no full cost.

    Parameters
    ----------
    costs : sales and marketing costs in any engine, all of them, not only advertising: `cost_date`, an amount
        (see bookings), optionally `cost_type`
    deals : all deals, not only those of the period: `status`, `closed_date`, `account_id`, optionally
        `deal_id`, `parent_account_id`, `lead_created_at`
    by : columns that both have (campaign_id, channel, team, …), or the words month, quarter, year (of
        winning); None gives one row. Costs that belong to no single channel stand in the row (missing): only
        the row for all is fully loaded
    period : of winning, whole months
    fiscal_year_start : month (1 to 12) in which the fiscal year starts
    lag_months : months between cost and win; None takes the median from lead to win, 0 if deals have no
        lead dates
    acquisition_share : share of the costs that is spent on new rather than existing customers
    as_of : last day that is known; costs whose wins are due in later months do not count yet

    Returns
    -------
    One row per group: `cost` (currency units), `customer_acquisition_cost`, `n` (new customers),
    `lag_months`, `acquisition_share`, `note`.

    Examples
    --------
    >>> costs = pd.DataFrame({"cost_date": [pd.Timestamp("2026-09-30")], "amount": [900.0]})
    >>> deals = pd.DataFrame({"status": "won", "account_id": ["x", "y", "x"],
    ...                       "closed_date": pd.to_datetime(["2026-10-03", "2026-10-09", "2026-10-20"])})
    >>> cac = customer_acquisition_cost(costs, deals, period="2026-10", lag_months=1)
    >>> cac[["cost", "customer_acquisition_cost", "n"]]
        cost  customer_acquisition_cost  n
    0  900.0                      450.0  2
    """
    name = "customer_acquisition_cost"
    groups, months = group_names(by), whole_months(period, fiscal_year_start, name)
    new = new_customers(
        facts(
            deals,
            function=name,
            needs=("status", "closed_date", "account_id"),
            date="closed_date",
            by=by,
            fiscal_year_start=fiscal_year_start,
        )
    )
    counts = small(won_by_month(new))
    lag = lag_of(counts) if lag_months is None else int(lag_months)
    paid = with_cents(spent(costs, groups, lag, fiscal_year_start, name))
    if as_of is not None:
        paid = paid.keep(nw.col("_month") <= month_index(checked_day(as_of, name)))
    if months:
        paid = paid.keep((nw.col("_month") >= months[0]) & (nw.col("_month") < months[1]))
    table = outer(_loaded(paid), new.finish(collapsed(counts, groups, months)), groups)
    cost = table["cents"] * float(acquisition_share) / 100
    rate = divided(cost, table["n"])
    media_only = (table["cents"] != 0) & (table["media"] == table["cents"])
    table = table.assign(
        cost=cost,
        customer_acquisition_cost=rate,
        lag_months=lag,
        acquisition_share=float(acquisition_share),
        note=note(rate).mask(rate.notna() & media_only, "media_only"),
    )
    return layout(table, new, "cost", name, "n", "lag_months", "acquisition_share", "note")


def _loaded(paid: Facts) -> pd.DataFrame:
    """Hundredths per group, and how many of them are media spend where the kind of cost is known."""
    is_media = nw.lit(False)
    if "cost_type" in paid.columns:
        is_media = nw.col("cost_type").cast(nw.String).fill_null("") == "ad_spend"
    paid = paid.mark(_media=masked_sum(is_media, CENTS))
    return paid.totals(cents=(CENTS, "sum"), media=("_media", "sum"))


@card(
    number=36,
    unit="points",
    date="responded_at",
    label_en="Net promoter score",
    label_de="Net Promoter Score",
    description_de="Anteil der Promotoren (9 und 10) minus Anteil der Detraktoren (0 bis 6), in Punkten.",
    formula_de="100 · (Antworten 9 und 10 − Antworten 0 bis 6) / Antworten; jede Person zählt einmal, mit ihrer letzten "
    "Antwort.",
    undefined_de="Ohne Wert mit dem Hinweis „keine Fälle“, wenn niemand geantwortet hat.",
)
def net_promoter_score(
    surveys: Any,
    *,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """Share of promoters (9 and 10) minus share of detractors (0 to 6), in points.

    Formula: 100 · (answers of 9 and 10 - answers of 0 to 6) / answers; one person counts once, with the
    latest answer.

    Undefined: NaN with the note no_data where nobody answered.

    Parameters
    ----------
    surveys : one row per survey, in any engine: `score` (0 to 10), for periods `responded_at`, optionally
        `survey_type` (only nps counts), `contact_id`, `account_id`, `sent_at`
    by : columns or period words of the answer (of the sending, for what was not answered); None gives one row
    period : of the answer
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group: `promoters`, `passives`, `detractors`, `net_promoter_score` (-100 to 100), `low`,
    `high` (95 % adjusted Wald, widened where answers of one account resemble each other), `n` (persons),
    `response_rate` (NaN where sendings are not recorded), `note`.

    Examples
    --------
    >>> surveys = pd.DataFrame({"score": [10, 9, 8, 3]})
    >>> net_promoter_score(surveys)[["promoters", "detractors", "net_promoter_score"]]
       promoters  detractors  net_promoter_score
    0          2           1                25.0
    """
    x = _answers(surveys, by, period, fiscal_year_start)
    sums: dict[str, Part] = {"sent": ("_sent", "sum"), "back": ("_back", "sum")}
    sent = summarise(x.rows, x.by, **sums, least=("score", "min"), most=("score", "max"))
    given, cluster = cluster_of(_latest(x.keep(~nw.col("score").is_null())), "response_id")
    asked, scores = smalls(sent, _scores(given, cluster))
    _check(asked)
    table = outer(x.finish(asked.drop(columns=["least", "most"])), x.finish(scores), x.by)
    table = x.dated(table.assign(effect=_effect(table) if cluster else 1.0))
    score = 100 * divided(table["promoters"] - table["detractors"], table["n"])
    low, high = net_promoter(table["promoters"], table["detractors"], table["n"], table["effect"])
    table = table.assign(
        net_promoter_score=score,
        low=low,
        high=high,
        note=note(score),
        response_rate=divided(table["back"], table["sent"]),
    )
    return layout(
        table,
        x,
        "promoters",
        "passives",
        "detractors",
        "net_promoter_score",
        "low",
        "high",
        "n",
        "response_rate",
        "note",
    )


def _answers(surveys: Any, by: By, period: PeriodLike | None, fiscal_year_start: int) -> Facts:
    """The NPS surveys on the day of their answer, else of their sending, with what a score counts as."""
    rows = frame(surveys, needs=("score",), function="net_promoter_score")
    has = rows.collect_schema().names()
    day = [c for c in ("responded_at", "sent_at") if c in has]
    if day:
        rows = rows.with_columns(
            _date=nw.coalesce(*(nw.col(c) for c in day)) if len(day) > 1 else nw.col(day[0])
        )
    x = facts(
        rows,
        function="net_promoter_score",
        date="_date" if day else "responded_at",
        by=by,
        period=period,
        fiscal_year_start=fiscal_year_start,
    )
    if "survey_type" in has:
        x = x.keep(nw.col("survey_type").cast(nw.String) == "nps")
    score, answered = nw.col("score"), ~nw.col("score").is_null()
    x = x.mark(score=score.cast(nw.Float64))
    x = x.mark(_up=flag(score >= 9), _mid=flag((score >= 7) & (score < 9)), _down=flag(score < 7))
    sent = ~nw.col("sent_at").is_null() if "sent_at" in has else nw.lit(False)
    x = x.mark(_sent=flag(sent), _back=flag(sent & answered))
    return x.mark(_day=day_number(day[0]) if day[:1] == ["responded_at"] else nw.lit(0).cast(nw.Int64))


def _check(sent: pd.DataFrame) -> None:
    """Scores outside 0 to 10 are refused."""
    low, high = sent["least"].min(), sent["most"].max()
    if low < 0 or high > 10:
        raise KpiError.bad_rows(
            "net_promoter_score", f"scores run from {low:g} to {high:g}", "give answers from 0 to 10"
        )


def _latest(x: Facts) -> Facts:
    """One answer per person and group: the latest; of several on one day the lowest."""
    if "contact_id" not in x.columns:
        return x
    x = x.mark(_since=-nw.col("_day").fill_null(-(10**6)))
    x = x.placed(_nth=([*x.by, "contact_id"], ["_since", "score"]))
    return x.keep(nw.col("contact_id").is_null() | (nw.col("_nth") == 1))


def _scores(x: Facts, cluster: Cluster) -> Rows:
    """What the answers count as, and over accounts the sums of squares that `_effect` needs."""
    parts: dict[str, Part] = {name: (name, "sum") for name in ("_up", "_mid", "_down")}
    rows = (
        summarise(x.rows, together(x.by, cluster), **parts, _b="len")
        if cluster
        else x.mark(_b=nw.lit(1).cast(nw.Int64)).rows
    )
    t, b = nw.col("_up") - nw.col("_down"), nw.col("_b")
    squares: dict[str, Part] = {name: (name, "sum") for name in ("_tt", "_tb", "_bb")}
    return summarise(
        rows.with_columns(_tt=t * t, _tb=t * b, _bb=b * b),
        x.by,
        promoters=("_up", "sum"),
        passives=("_mid", "sum"),
        detractors=("_down", "sum"),
        n=("_b", "sum"),
        **squares,
    )


def _effect(table: pd.DataFrame) -> Any:
    """Variance of the score by accounts over that of independent answers, at least 1."""
    names = ("promoters", "detractors", "n", "_tt", "_tb", "_bb")
    up, down, n, tt, tb, bb = (table[name].to_numpy(dtype=float) for name in names)
    mean = (up - down) / np.where(n > 0, n, np.nan)
    alone = up + down - mean**2 * n
    effect = (tt - 2 * mean * tb + mean**2 * bb) / np.where(alone > 0, alone, np.nan)
    return np.nan_to_num(np.maximum(effect, 1.0), nan=1.0)
