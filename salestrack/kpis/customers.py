"""What a new customer costs, and what customers say."""

from __future__ import annotations

from datetime import date
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._card import card
from salestrack.kpis._facts import ALL, By, Facts, facts, group_names
from salestrack.kpis._frames import flag, frame, small, summarise
from salestrack.kpis._money import CENTS, with_cents
from salestrack.kpis._periods import MONTHS, day_number, month_number, month_word
from salestrack.kpis._results import beside, cluster_of, divided, layout, note, outer
from salestrack.kpis._survival import checked_day
from salestrack.periods import WORDS, Period, PeriodLike, month_index
from salestrack.stats.intervals import net_promoter

DAYS_IN_MONTH = 365.25 / 12


@card(
    number=33,
    unit="money",
    date="closed_date",
    label_en="Customer acquisition cost",
    label_de="Kundengewinnungskosten",
    description_en="Sales and marketing cost per new customer, from the months in which the customers "
    "were leads.",
    description_de="Vertriebs- und Marketingkosten je Neukunde, aus den Monaten, in denen die "
    "Kunden Leads waren.",
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
    """Cost of winning a new customer.

    Formula: acquisition costs of the period shifted back by the lag / new customers won in the period;
    new is the first won deal ever of the account (of its parent where deals have one), so a returning
    customer is not new.

    Undefined: NaN with the note no_data where no new customer was won.

    Parameters
    ----------
    costs : sales and marketing costs in any engine: `cost_date`, an amount (see bookings)
    deals : all deals, not only those of the period: `status`, `closed_date`, `account_id`, optionally
        `deal_id`, `parent_account_id`, `lead_created_at`
    by : columns that both have, or the words month, quarter, year (of winning); None gives one row
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
    groups, months = group_names(by), _whole_months(period, fiscal_year_start)
    new = _new_customers(
        facts(
            deals,
            function=name,
            needs=("status", "closed_date", "account_id"),
            date="closed_date",
            by=by,
            fiscal_year_start=fiscal_year_start,
        )
    )
    lag = _lag(new) if lag_months is None else int(lag_months)
    spent = with_cents(_spent(costs, groups, lag, fiscal_year_start))
    if as_of is not None:
        spent = spent.keep(nw.col("_month") <= month_index(checked_day(as_of, name)))
    if months:
        new, spent = (
            side.keep((nw.col("_month") >= months[0]) & (nw.col("_month") < months[1]))
            for side in (new.mark(_month=month_number("closed_date")), spent)
        )
    table = outer(spent.totals(cents=(CENTS, "sum")), new.totals(n="len"), groups)
    cost = table["cents"] * float(acquisition_share) / 100
    rate = divided(cost, table["n"])
    table = table.assign(
        cost=cost,
        customer_acquisition_cost=rate,
        lag_months=lag,
        acquisition_share=float(acquisition_share),
        note=note(rate),
    )
    return layout(table, new, "cost", name, "n", "lag_months", "acquisition_share", "note")


@card(
    number=36,
    unit="points",
    date="responded_at",
    label_en="Net promoter score",
    label_de="Net Promoter Score",
    description_en="Share of promoters (9 and 10) minus share of detractors (0 to 6), in points.",
    description_de="Anteil der Promotoren (9 und 10) minus Anteil der Detraktoren (0 bis 6), in Punkten.",
)
def net_promoter_score(
    surveys: Any,
    *,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """Promoters minus detractors among the latest answers, with its margin.

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
    sent = x.totals(sent=("_sent", "sum"), back=("_back", "sum"), n="len")
    x = _latest(x.keep(~nw.col("score").is_null()))
    x, cluster = cluster_of(x, "response_id")
    table = x.totals(promoters=("_up", "sum"), passives=("_mid", "sum"), detractors=("_down", "sum"), n="len")
    table = beside(table, _design_effect(x, cluster), x)
    table = x.dated(outer(sent.drop(columns="n"), table, x.by))
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


def _whole_months(period: PeriodLike | None, fiscal_year_start: int) -> tuple[int, int] | None:
    if period is None:
        return None
    span = Period.parse(period, fiscal_year_start=fiscal_year_start)
    if span.start.day != 1 or span.end.day != 1:
        raise KpiError.bad_option("customer_acquisition_cost", "period", span.label, "give whole months")
    return month_index(span.start), month_index(span.end)


def _new_customers(x: Facts) -> Facts:
    """The first won deal of each account family."""
    if "parent_account_id" in x.columns:
        x = x.mark(account_id=nw.coalesce(nw.col("parent_account_id"), nw.col("account_id")))
    x, family = cluster_of(x.keep((nw.col("status") == "won") & ~nw.col("closed_date").is_null()), "deal_id")
    order = ["_when", *(["deal_id"] if "deal_id" in x.columns else [])]
    x = x.mark(_when=day_number("closed_date"))
    x = x.mark(_nth=nw.col("_when").cum_count().over(family or ALL, order_by=order).cast(nw.Int64))
    return x.keep(nw.col("_nth") == 1)


def _lag(new: Facts) -> int:
    """Median months from lead to win of new customers, rounded half up; 0 without lead dates."""
    lead = next((c for c in ("lead_created_date", "lead_created_at") if c in new.columns), None)
    if lead is None:
        return 0
    x = new.mark(_wait=nw.col("_when") - day_number(lead))
    x = x.keep(nw.col("_wait") >= 0)
    wait = small(summarise(x.rows, wait=("_wait", "median")))["wait"][0]
    return 0 if pd.isna(wait) else int(np.floor(wait / DAYS_IN_MONTH + 0.5))


def _spent(costs: Any, groups: list[str], lag: int, fiscal_year_start: int) -> Facts:
    """The costs with the month in which they bear fruit, `_month`, and the period words of that month."""
    name = "customer_acquisition_cost"
    words = [word for word in groups if word in WORDS]
    for word in words:
        if word not in MONTHS:
            raise KpiError.unusable_word(word, name, MONTHS)
    x = facts(costs, function=name, needs=("cost_date",), by=[g for g in groups if g not in WORDS])
    x = x.mark(_month=month_number("cost_date") + lag)
    x = x.mark(**{word: month_word(word, nw.col("_month"), fiscal_year_start) for word in words})
    return Facts(x.rows, tuple(groups), name, fiscal_year_start)


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
    x = _checked(x.mark(score=score.cast(nw.Float64)))
    x = x.mark(_up=flag(score >= 9), _mid=flag((score >= 7) & (score < 9)), _down=flag(score < 7))
    sent = ~nw.col("sent_at").is_null() if "sent_at" in has else nw.lit(False)
    x = x.mark(_sent=flag(sent), _back=flag(sent & answered), _points=nw.col("_up") - nw.col("_down"))
    return x.mark(_day=day_number(day[0]) if day[:1] == ["responded_at"] else nw.lit(0).cast(nw.Int64))


def _checked(x: Facts) -> Facts:
    seen = small(summarise(x.rows, low=("score", "min"), high=("score", "max"))).iloc[0]
    if seen["low"] < 0 or seen["high"] > 10:
        raise KpiError.bad_rows(
            x.function, f"scores run from {seen['low']:g} to {seen['high']:g}", "give answers from 0 to 10"
        )
    return x


def _latest(x: Facts) -> Facts:
    """One answer per person and group: the latest; of several on one day the lowest."""
    if "contact_id" not in x.columns:
        return x
    x = x.mark(_since=-nw.col("_day").fill_null(-(10**6)))
    latest_first = nw.col("_since").cum_count().over(*x.keys, "contact_id", order_by=["_since", "score"])
    x = x.mark(_nth=latest_first.cast(nw.Int64))
    return x.keep(nw.col("contact_id").is_null() | (nw.col("_nth") == 1))


def _design_effect(x: Facts, cluster: str | None) -> pd.DataFrame:
    """Variance of the score by accounts over that of independent answers, at least 1."""
    points = x.mark(_squared=nw.col("_points") * nw.col("_points"))
    table = points.totals(_n="len", _sum=("_points", "sum"), _single=("_squared", "sum"))
    if cluster is None:
        return table[list(x.by)].assign(effect=1.0)
    rows = summarise(x.rows, tuple(dict.fromkeys((*x.keys, cluster))), _t=("_points", "sum"), _b="len")
    t, b = nw.col("_t"), nw.col("_b")
    sums = summarise(
        rows.with_columns(_tt=t * t, _tb=t * b, _bb=b * b),
        x.by,
        _tt=("_tt", "sum"),
        _tb=("_tb", "sum"),
        _bb=("_bb", "sum"),
    )
    table = beside(table, x.finish(small(sums)), x)
    mean = table["_sum"] / table["_n"].where(table["_n"] > 0)
    between = table["_tt"] - 2 * mean * table["_tb"] + mean**2 * table["_bb"]
    alone = table["_single"] - mean**2 * table["_n"]
    return table[list(x.by)].assign(effect=(between / alone.where(alone > 0)).clip(lower=1.0).fillna(1.0))
