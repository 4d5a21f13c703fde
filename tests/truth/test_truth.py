"""Over hundreds of invented companies the intervals hold the truth as often as they say, and naive figures miss it.

The table: `python -m truth.figures`, in the folder tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cache

import numpy as np
import polars as pl
import pytest
from truth import figures
from truth.figures import FIGURES, Measured
from truth.simulate import AS_OF, Company, Marketing, Survey, stays

pytestmark = pytest.mark.whole
Figure = Callable[[], Iterator[Measured]]
every_figure = pytest.mark.parametrize("figure", FIGURES, ids=lambda f: f.__name__)


@cache
def measured(figure: Figure) -> tuple[Measured, ...]:
    return tuple(figure())


@every_figure
def test_intervals_hold_the_truth_in_95_of_100_worlds(figure: Figure) -> None:
    for found in measured(figure):
        assert found.worlds >= 500
        assert found.undefined == 0, found
        assert 0.93 <= found.coverage <= 0.97, found


@every_figure
def test_figures_hit_the_truth_where_naive_ones_miss_it(figure: Figure) -> None:
    for found in measured(figure):
        assert abs(found.naive_apart) > 8, found
        assert abs(found.error) < abs(found.naive_error) / 8, found


def test_calls_that_do_nothing_have_no_effect() -> None:
    deals, calls, table = figures.idle_calls(500)
    assert 0.03 <= (table["p"] < 0.05).mean() <= 0.07
    assert (table["q"] < 0.05).sum() <= 1
    made = deals.join(calls.group_by("deal_id").len("calls"), on="deal_id", how="left").fill_null(0)
    closed = made.filter(pl.col("status") != "open", pl.col("segment") == "small")
    raw = closed.select(pl.corr("calls", (pl.col("status") == "won").cast(pl.Float64))).item()
    assert raw < -0.2  # won deals close sooner, so they gather fewer calls


# -- the truth that the worlds claim is the one they have: one large world in which everything is over


def test_deals_end_as_claimed() -> None:
    company = Company(per_day=80, days=2500, deals_per_account=3)
    deals = company.deals(1, 1).filter(pl.col("created_date") < AS_OF - timedelta(days=1500))
    won, amount = (deals["status"] == "won").to_numpy(), deals["amount_base_cents"].to_numpy() / 100
    lived = deals["lived"].to_numpy()
    assert not (deals["status"] == "open").any()
    assert won.mean() == pytest.approx(company.win_rate, rel=0.02)
    assert (won & (lived <= 60)).mean() == pytest.approx(company.won_by(60), rel=0.03)
    assert (won & (lived <= 15)).mean() == pytest.approx(company.won_by(15), rel=0.05)  # a day more: 10 %
    assert np.median(lived[won]) == pytest.approx(company.to_win.middle(), abs=1)
    assert np.median(amount[won]) == pytest.approx(company.median_won_amount(), rel=0.03)
    assert amount.mean() == pytest.approx(company.mean_amount, rel=0.03)
    assert (amount * won).mean() == pytest.approx(company.mean_won_amount, rel=0.03)
    firsts = deals.group_by("account_id").agg(pl.col("created_date").min(), pl.len())
    came = firsts.filter(pl.col("created_date") < AS_OF - timedelta(days=1700))
    assert came["len"].mean() == pytest.approx(company.deals_per_account, rel=0.02)
    late = deals.filter(pl.col("created_date") >= AS_OF - timedelta(days=2299))
    assert late.group_by("created_date").len()["len"].mean() == pytest.approx(company.per_day, rel=0.02)


def test_stages_leads_and_answers_are_as_claimed() -> None:
    rows = stays(1, 1, figures.STAGES, per_day=60, days_=2500, growth=0.0)
    for stage in figures.STAGES:
        mine = rows.filter(
            pl.col("stage_name") == stage.name, pl.col("entered_at") < AS_OF - timedelta(days=1000)
        )
        long = (mine["left_at"] - mine["entered_at"]).dt.total_days()
        assert long.median() == pytest.approx(stage.dwell.middle(), rel=0.03)
        on = mine["exit_type"].is_in(["forward", "won"])
        assert (on & (long <= 30)).mean() == pytest.approx(stage.onward * stage.dwell.by(30), rel=0.04)
    marketing = Marketing(per_day=100, days=1000)
    leads = marketing.leads(1, 1).filter(pl.col("mql_at") < AS_OF - timedelta(days=500))
    soon = (leads["sql_at"] - leads["mql_at"]).dt.total_days() <= 90
    assert soon.fill_null(False).mean() == pytest.approx(marketing.accepted_by(90), rel=0.03)
    survey = Survey(accounts=60_000, people=3)
    last = survey.answers(1, 1).filter(pl.col("responded_at") == AS_OF)["score"].to_numpy()
    score = 100 * ((last >= 9).mean() - (last <= 6).mean())
    assert score == pytest.approx(survey.score, abs=1)


def test_calls_come_at_a_constant_rate_while_deals_are_open() -> None:
    company = Company(per_day=40, days=900)
    deals = company.deals(2, 1)
    calls = company.calls(3, deals)
    both = calls.join(deals, on="deal_id")
    age = (both["started_date"] - both["created_date"]).dt.total_days()
    assert age.min() == 0
    assert (age <= both["lived"]).all()
    for kind in company.kinds:
        of_kind = deals["segment"] == kind.name
        days = (deals["lived"].filter(of_kind) + 1).sum()
        assert (both["segment"] == kind.name).sum() / days == pytest.approx(kind.calls_per_day, rel=0.03)
