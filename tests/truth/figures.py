"""Every figure over many worlds: how often its interval holds the truth, and by how much the naive figure misses.

`python -m truth.figures`, in the folder tests, prints the table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from numpy.typing import ArrayLike
from truth.simulate import AS_OF, Company, Kind, Marketing, Stage, Survey, Weibull, stays

from salestrack import kpis

YEAR = (AS_OF - timedelta(days=364), AS_OF + timedelta(days=1))
WON, LOST = pl.col("status") == "won", pl.col("status") == "lost"

STEADY = Company(per_day=0.8, days=1100)
"""Long enough that the deals of its first days are over when the last year begins."""
ACCOUNTS = Company(per_day=0.8, days=1100, deals_per_account=6)
LARGER = Company(per_day=2.0, days=1100, deals_per_account=8)
TWO_SIZES = Company(
    per_day=1.5,
    days=1100,
    deals_per_account=5,
    kinds=(Kind("small", 0.5, 0.3, median_amount=4_000), Kind("large", 0.5, 0.3, median_amount=16_000)),
)
"""In these three the deals of an account resemble each other: intervals that overlook it hold the truth too rarely."""
YOUNG = Company(per_day=1.5, days=365, growth=0.004)
GROWING = Company(per_day=1.0, days=900, growth=0.003)
BUSY = Company(per_day=1.2, days=500)
STAGES = (
    Stage("Qualified", Weibull(1.0, 140), 0.8),
    Stage("Offer", Weibull(1.5, 160), 0.75),
    Stage("Negotiation", Weibull(0.8, 120), 0.6),
)
"""Stays are long: where a day is a large part of the error, intervals in whole days hold the truth more often."""
HORIZON = 180
MARKETING = Marketing(per_day=1.6, days=300, growth=0.006)
SURVEY = Survey(accounts=60, people=3)


@dataclass(frozen=True)
class Measured:
    """What came out for one figure; errors in its own unit, `apart` in standard errors of their mean."""

    figure: str
    worlds: int
    n: float
    truth: float
    coverage: float
    error: float
    apart: float
    naive: str
    naive_error: float
    naive_apart: float
    undefined: int


def measured(
    table: pd.DataFrame,
    figure: str,
    truth: float,
    naive: str,
    found: ArrayLike,
    *,
    label: str = "",
) -> Measured:
    """The row of a figure from its table, one row per world, and the naive figures of the same worlds."""
    error = table[figure].to_numpy() - truth
    wrong = np.asarray(found, dtype=float) - truth
    assert len(error) == len(wrong)
    return Measured(
        figure=label or figure,
        worlds=len(table),
        n=float(table["n"].mean()),
        truth=truth,
        coverage=float(((table["low"] <= truth) & (truth <= table["high"])).mean()),
        error=float(error.mean()),
        apart=_apart(error),
        naive=naive,
        naive_error=float(wrong.mean()),
        naive_apart=_apart(wrong),
        undefined=int(table[[figure, "low", "high"]].isna().any(axis=1).sum()),
    )


def win_rate(worlds: int = 2000) -> Iterator[Measured]:
    deals = STEADY.deals(8, worlds)
    table = kpis.win_rate(deals, by="world", period=YEAR)
    of_year = deals.filter(pl.col("created_date") >= YEAR[0])
    yield measured(
        table, "win_rate", STEADY.win_rate, "open counted as lost", _per_world(of_year, WON.mean())
    )


def win_rate_by_value(worlds: int = 1000) -> Iterator[Measured]:
    deals = LARGER.deals(9, worlds)
    table = kpis.win_rate_by_value(deals, by="world", period=YEAR)
    closed = deals.filter(pl.col("closed_date") >= YEAR[0])
    truth = LARGER.mean_won_amount / LARGER.mean_amount
    yield measured(table, "win_rate_by_value", truth, "win rate by count", _per_world(closed, WON.mean()))


def average_deal_size(worlds: int = 1000) -> Iterator[Measured]:
    deals = TWO_SIZES.deals(6, worlds)
    table = kpis.average_deal_size(deals, by="world", period=YEAR)
    won = deals.filter(WON, pl.col("closed_date") >= YEAR[0])
    mean = _per_world(won, pl.col("amount_base_cents").mean() / 100)
    yield measured(table, "average_deal_size", TWO_SIZES.median_won_amount(), "mean of won deals", mean)


def win_rate_cohort(worlds: int = 1000) -> Iterator[Measured]:
    deals = YOUNG.deals(10, worlds)
    table = kpis.win_rate_cohort(deals, as_of=AS_OF, horizon_days=HORIZON, by="world")
    closed = _per_world(deals, WON.sum() / (WON | LOST).sum())
    yield measured(table, "win_rate_cohort", YOUNG.won_by(180), "won / closed so far", closed)


def expected_sales_cycle(worlds: int = 1000) -> Iterator[Measured]:
    deals = GROWING.deals(15, worlds)
    table = kpis.expected_sales_cycle(deals, as_of=AS_OF, by="world")
    realised = _per_world(deals.filter(WON), pl.col("lived").median())
    truth = GROWING.to_win.middle()
    yield measured(table, "expected_sales_cycle", truth, "median of those won so far", realised)


def stages(worlds: int = 800) -> Iterator[Measured]:
    spells = stays(13, worlds, STAGES, per_day=0.95, days_=730, growth=0.002)
    moved = kpis.stage_conversion(spells, as_of=AS_OF, horizon_days=HORIZON, by="world")
    dwelt = kpis.stage_dwell(spells, as_of=AS_OF, by="world")
    long = (pl.col("left_at") - pl.col("entered_at")).dt.total_days()
    for stage in STAGES:
        of_stage = spells.filter(pl.col("stage_name") == stage.name)
        mine = moved["stage_name"] == stage.name
        yield measured(
            moved[mine],
            "stage_conversion",
            stage.onward * stage.dwell.by(HORIZON),
            "open counted as not moved on",
            moved["forward"][mine] / moved["n"][mine],
            label=f"stage_conversion, {stage.name}",
        )
        mine = dwelt["stage_name"] == stage.name
        yield measured(
            dwelt[mine],
            "stage_dwell",
            stage.dwell.middle(),
            "median of completed stays",
            _per_world(of_stage, long.median()),
            label=f"stage_dwell, {stage.name}",
        )


def mql_to_sql(worlds: int = 1000) -> Iterator[Measured]:
    leads = MARKETING.leads(12, worlds)
    table = kpis.mql_to_sql(leads, as_of=AS_OF, horizon_days=90, by="world")
    month = AS_OF - timedelta(days=29)
    same = _per_world(leads, (pl.col("sql_at") >= month).sum() / (pl.col("mql_at") >= month).sum())
    yield measured(table, "mql_to_sql", MARKETING.accepted_by(90), "SQLs / MQLs of the month", same)


def net_promoter_score(worlds: int = 2000) -> Iterator[Measured]:
    answers = SURVEY.answers(36, worlds)
    table = kpis.net_promoter_score(answers, by="world")
    points = (pl.col("score") >= 9).cast(int) - (pl.col("score") < 7).cast(int)
    yield measured(
        table,
        "net_promoter_score",
        SURVEY.score,
        "every answer counted",
        _per_world(answers, 100 * points.mean()),
    )


def sales_velocity(worlds: int = 500) -> Iterator[Measured]:
    deals = ACCOUNTS.deals(17, worlds)
    table = kpis.sales_velocity(deals, as_of=AS_OF, by="world")
    truth = ACCOUNTS.per_day * ACCOUNTS.mean_won_amount
    yield measured(table, "sales_velocity", truth, "classic velocity", table["classic"])


def activity_association(worlds: int = 500) -> Iterator[Measured]:
    deals, calls, table = idle_calls(worlds)
    made = deals.join(calls.group_by("deal_id").len("calls"), on="deal_id", how="left")
    made = made.with_columns(pl.col("calls").fill_null(0))
    more = _per_world(made, pl.col("calls").filter(WON).mean() - pl.col("calls").filter(LOST).mean())
    yield measured(table, "activity_association", 0.0, "calls per won - per lost deal", more)
    plain = table["exposed_share"] - table["unexposed_share"]
    yield measured(
        table, "activity_association", 0.0, "without strata", plain, label="activity_association, strata"
    )


@cache
def idle_calls(worlds: int) -> tuple[pl.DataFrame, pl.DataFrame, pd.DataFrame]:
    """Deals, calls that do nothing for them, and what the association makes of it."""
    deals = BUSY.deals(26, worlds).drop("account_id")
    calls = BUSY.calls(27, deals)
    table = kpis.activity_association(calls, deals, as_of=AS_OF, adjust=("segment",), by="world")
    return deals, calls, table


FIGURES: tuple[Callable[..., Iterator[Measured]], ...] = (
    win_rate,
    win_rate_by_value,
    win_rate_cohort,
    average_deal_size,
    mql_to_sql,
    stages,
    expected_sales_cycle,
    sales_velocity,
    activity_association,
    net_promoter_score,
)


def _per_world(rows: pl.DataFrame, figure: pl.Expr) -> Any:
    return rows.group_by("world").agg(figure.alias("_")).sort("world")["_"].to_numpy()


def _apart(error: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    return float(error.mean() / (error.std(ddof=1) / math.sqrt(len(error))))


def main() -> None:
    import sys
    from time import perf_counter

    fewer = {"worlds": int(sys.argv[1])} if sys.argv[1:] else {}
    print(
        f"{'figure':32}{'worlds':>7}{'n':>6}{'truth':>10}{'coverage':>10}{'mean error':>12}{'(se)':>7}  "
        f"{'naive figure':31}{'mean error':>12}{'(se)':>8}"
    )
    for figure in FIGURES:
        begun = perf_counter()
        for m in figure(**fewer):
            print(
                f"{m.figure:32}{m.worlds:7d}{m.n:6.0f}{m.truth:10.4g}{m.coverage:10.1%}{m.error:12.3g}{m.apart:7.1f}  "
                f"{m.naive:31}{m.naive_error:12.3g}{m.naive_apart:8.0f}{f'  undefined {m.undefined}' if m.undefined else ''}"
            )
        print(f"  {perf_counter() - begun:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
