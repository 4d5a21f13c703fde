"""The rules of pipeline hygiene and concentration: each mistake as rows to check in the head."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kpis.rows import day
from kpis.rows_forecast import pipeline

from salestrack import kpis

NOW = "2026-10-31"


# -- hygiene (39)


def checked(deals: pd.DataFrame, calls: pd.DataFrame | None = None, **options: Any) -> pd.DataFrame:
    calls = pd.DataFrame({"deal_id": ["x"], "started_at": day("2026-10-20")}) if calls is None else calls
    return kpis.pipeline_hygiene(deals, calls, **{"as_of": NOW} | options).set_index("check")


def opened(count: int = 2, **more: Any) -> pd.DataFrame:
    frame = pipeline(*[(100.0, 0.5)] * count)
    return frame.assign(
        deal_id=[f"d{i}" for i in range(count)], created_date=pd.Timestamp("2026-01-01"), **more
    )


@pytest.mark.parametrize(("due", "failing"), [
    ("2026-10-31", 1), ("2026-12-30", 0), ("2028-02-29", 1), ("2027-02-28", 1), ("2028-02-28", 0), ("2026-11-30", 1),
])  # fmt: skip
def test_the_last_of_a_month_is_known_in_leap_years_too(due: str, failing: int) -> None:
    found = checked(opened(1).assign(expected_close_date=day(due)))
    assert found.loc["month_end", "failing"] == failing


def test_a_deal_is_past_due_from_the_day_after() -> None:
    found = checked(opened().assign(expected_close_date=day("2026-10-30", "2026-10-31")))
    assert found.loc["past_due", ["failing", "n", "pipeline_hygiene", "value_share"]].tolist() == [
        1,
        2,
        0.5,
        0.5,
    ]


def test_a_young_deal_is_not_silent_yet_and_a_planned_call_is_no_activity() -> None:
    frame = opened(3).assign(created_date=day("2026-10-25", "2026-01-01", "2026-01-01"))
    calls = pd.DataFrame(
        {"deal_id": ["d1", "d2"], "started_at": day("2026-10-20", "2026-10-20"), "is_done": [True, False]}
    )
    assert checked(frame, calls).loc["no_activity", ["failing", "n"]].tolist() == [1, 2]
    late = pd.DataFrame({"deal_id": ["d1", "d2"], "started_at": day("2026-11-01", "2026-10-01")})
    assert checked(frame, late).loc["no_activity", "failing"] == 2


def test_a_field_that_nobody_fills_is_not_a_fault_of_every_deal() -> None:
    assert checked(opened(next_step=None)).loc["no_next_step", "note"] == "not_recorded"
    assert checked(opened(next_step=["call", None])).loc["no_next_step", "pipeline_hygiene"] == 0.5


def test_a_next_step_written_after_the_day_is_not_known() -> None:
    found = checked(opened(next_step=["call", None], is_current=[True, False]))
    assert found.loc["no_next_step", ["failing", "n"]].tolist() == [0, 1]


def test_unusual_age_is_measured_on_won_deals_and_needs_some() -> None:
    won = opened(20).assign(
        status="won", created_date=day("2026-01-01").repeat(20), closed_date=day("2026-03-01").repeat(20)
    )
    deals = pd.concat([opened(1), won])
    assert checked(deals).loc["too_old", ["failing", "limit", "n"]].tolist() == [1, 59.0, 1]
    assert checked(pd.concat([opened(1), won.iloc[:19]])).loc["too_old", "note"] == "too_few"


# -- concentration (40)


def test_one_account_with_many_deals_is_one_risk() -> None:
    frame = pipeline(*[(10.0, 0.5)] * 10, account_id=["a"] * 9 + ["b"])
    by_account, by_deal = (
        kpis.concentration(frame.assign(deal_id=range(10)), as_of=NOW, unit=u) for u in ("account", "deal")
    )
    assert by_account[["top1_share", "concentration", "n"]].iloc[0].tolist() == pytest.approx([0.9, 0.82, 2])
    assert by_deal[["top1_share", "concentration", "n"]].iloc[0].tolist() == pytest.approx([0.1, 0.1, 10])
    assert by_deal["effective_number"][0] == pytest.approx(10)
    assert by_account["value_without_top1"][0] == 10


def test_deals_without_an_account_stand_for_themselves() -> None:
    frame = pipeline((10.0, 0.5), (10.0, 0.5), account_id=None, deal_id=["a", "b"])
    assert kpis.concentration(frame, as_of=NOW)["n"][0] == 2


def test_bookings_count_by_closing_up_to_the_day() -> None:
    frame = pipeline((10.0, 1), (30.0, 1), (60.0, 1), status="won", account_id=["a", "b", "c"])
    frame = frame.assign(closed_date=day("2026-10-01", "2026-10-02", "2026-11-02"))
    found = kpis.concentration(frame, as_of=NOW, status="won", period="2026-Q4")
    assert found[["value", "top1_share", "n"]].iloc[0].tolist() == [40.0, 0.75, 2]


def test_no_amount_has_no_concentration() -> None:
    found = kpis.concentration(pipeline((None, 0.5), account_id="a"), as_of=NOW).iloc[0]
    assert (math.isnan(found["concentration"]), found["note"], found["without_amount"]) == (
        True,
        "no_data",
        1,
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=30))
def test_the_index_lies_between_one_nth_and_one(values: list[int]) -> None:
    frame = pd.DataFrame({"status": "open", "amount_base_cents": values})
    found = kpis.concentration(frame, as_of=NOW, unit="deal").iloc[0]
    assert 1 / len(values) - 1e-12 <= found["concentration"] <= 1 + 1e-12
    assert found["top1_share"] <= found["top5_share"] <= 1 + 1e-12
    assert found["concentration"] >= found["top1_share"] ** 2 - 1e-12
