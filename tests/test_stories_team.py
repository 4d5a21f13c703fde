"""Teams and the spread of attainment: sums, and that no person can be read off."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from salestrack import quota_attainment, share_of_reps_at_quota
from salestrack.periods import Period
from salestrack.stories import team

NAN = float("nan")
OCTOBER = Period.month("2026-10")


def book(reps: int, k: int = 5) -> Any:
    """A company of so many reps; the first sold 10 of his or her 100, the next 20, and so on."""
    names = [f"rep-{i}" for i in range(reps)]
    quotas = pd.DataFrame({"rep_id": names, "quota_amount": 100.0}).assign(
        period_start_date=pd.Timestamp("2026-10-01"), period_end_date=pd.Timestamp("2026-10-31")
    )
    sold = pd.DataFrame({"rep_id": names, "amount": [10.0 * i + 10 for i in range(reps)]})
    tables = {"quotas": quotas, "credits": sold.assign(credit_date=pd.Timestamp("2026-10-05"))}
    config = SimpleNamespace(fiscal_year_start_month=1, privacy=SimpleNamespace(k=k))
    return SimpleNamespace(table=tables.__getitem__, config=config)


@pytest.mark.parametrize(
    ("reps", "k", "shown"),
    [
        pytest.param(5, 5, [0.1, 0.2, 0.3, 0.4, 0.5], id="enough people: sorted, without ids"),
        pytest.param(4, 5, [], id="fewer than k: nothing"),
        pytest.param(1, 1, [], id="a single person is never shown, whatever k says"),
    ],
)
def test_attainments_are_nobodys(reps: int, k: int, shown: list[float]) -> None:
    assert_frame_equal(
        team.attainments(book(reps, k), OCTOBER), pd.DataFrame({"quota_attainment": shown}, dtype="float64")
    )


def test_attainments_are_told_in_steps_of_five_points_and_never_reach_a_quota_by_rounding() -> None:
    given = pd.Series([1.013, 0.999, 0.15, NAN], index=["Ada", "Ben", "Cyd", "Dan"])
    assert_frame_equal(team.anonymous(given, 2), pd.DataFrame({"quota_attainment": [0.15, 0.95, 1.0]}))


def test_credited_per_rep_counts_joiners_for_their_months() -> None:
    months = pd.to_datetime(["2026-01-01", "2026-02-01"])
    monthly = pd.DataFrame(
        {
            "team": ["North", "North", "South", "South"],
            "month": [*months, *months],
            "credited": [60.0, 90.0, 10.0, 10.0],
            "quota": [100.0, 100.0, 0.0, 0.0],
            "n": [1, 2, 0, 0],
        }
    )
    expected = pd.DataFrame(
        {
            "team": ["North", "South"],
            "credited": [150.0, 20.0],
            "quota": [200.0, 0.0],
            "quota_attainment": [0.75, NAN],
            "reps": [1.5, 0.0],
            "bookings_per_rep": [100.0, NAN],
        }
    )
    assert_frame_equal(team.bookings_per_rep(monthly), expected)


def test_the_share_at_quota_of_a_small_team_is_not_shown() -> None:
    monthly = pd.DataFrame(
        {
            "team": ["Big", "Small"],
            "month": pd.Timestamp("2026-10-01"),
            "credited": [50.0, 90.0],
            "quota": 100.0,
            "n": [5, 4],
        }
    )
    reached = pd.DataFrame({"team": ["Big", "Small"], "share_of_reps_at_quota": [0.4, 0.5], "n": [5, 4]})
    answers = {quota_attainment: monthly, share_of_reps_at_quota: reached}
    company: Any = SimpleNamespace(
        kpi=lambda kpi, **_: answers[kpi], config=SimpleNamespace(privacy=SimpleNamespace(k=5))
    )
    table = team.per_team(company, OCTOBER)
    assert table["team"].to_list() == ["Small", "Big"]
    assert table["share_of_reps_at_quota"].to_list() == pytest.approx([NAN, 0.4], nan_ok=True)


def test_only_a_team_whose_whole_interval_is_below_the_rest_is_surely_below() -> None:
    teams = pd.DataFrame({"team": ["a", "b"], "win_rate": [0.2, 0.25], "high": [0.25, 0.31]})
    assert team.surely_below(teams, pd.DataFrame({"win_rate": [0.3]}))["team"].to_list() == ["a"]
