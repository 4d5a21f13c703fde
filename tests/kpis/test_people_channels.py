"""The rules of channels and surveys: tests that a known mistake would fail."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest
from kpis.rows import day

from salestrack import kpis
from salestrack.errors import KpiError

nan = math.nan


# -- channels (41)

VISITS = pd.DataFrame(
    {"date": day(*["2026-10-05"] * 2), "channel_group": ["Organic", "Paid"], "sessions": [100, 50]}
)
LEADS = pd.DataFrame(
    {
        "lead_id": ["1", "2", "3"],
        "created_at": day(*["2026-10-06"] * 3),
        "lead_source": ["Website", "Paid", None],
    }
)


def sold(**more: Any) -> pd.DataFrame:
    frame = pd.DataFrame(
        {"lead_id": ["1", "1", "2"], "status": ["won", "won", "lost"], "amount": [100.0, 50.0, 900.0]}
    )
    return frame.assign(**more)


def by_channel(
    visits: pd.DataFrame = VISITS, deals: pd.DataFrame | None = None, **options: Any
) -> pd.DataFrame:
    options = {"as_of": "2026-10-31", "channels": {"Website": "Organic"}} | options
    return kpis.channel_yield(visits, LEADS, sold() if deals is None else deals, **options)


def test_a_channel_has_one_name_and_its_leads_count_once() -> None:
    table = by_channel()
    assert table[["channel", "sessions", "leads", "won", "value"]].to_numpy().tolist() == [
        ["Organic", 100, 1, 1, 150],
        ["Paid", 50, 1, 0, 0],
        ["(missing)", pytest.approx(nan, nan_ok=True), 1, 0, 0],
    ]
    assert table["join_rate"].tolist() == pytest.approx([2 / 3] * 3)
    assert set(table["scope"]) == {"session"}


def test_the_channel_is_that_of_the_lead_and_not_what_somebody_wrote_on_the_deal() -> None:
    pd.testing.assert_frame_equal(by_channel(deals=sold(lead_source="Fair")), by_channel())


def test_scopes_of_web_analytics_are_not_mixed() -> None:
    with pytest.raises(KpiError, match="several scopes"):
        by_channel(VISITS.assign(scope=["session", "first_user"]))
    assert set(by_channel(VISITS.assign(scope="first_user"))["scope"]) == {"first_user"}


def test_what_was_won_or_came_after_the_day_does_not_count() -> None:
    table = by_channel(deals=sold(closed_date=day("2026-10-20", "2026-11-02", "2026-10-20")))
    assert table["value"].sum() == 100
    assert len(by_channel(as_of="2026-10-05")) == 2  # the visits of that day


def test_a_channel_without_visits_on_record_has_no_rate_per_visit() -> None:
    table = by_channel(channels=None).set_index("channel")
    assert math.isnan(table.loc["Website", "lead_rate"])
    assert table.loc["Website", "channel_yield"] == 150
    assert table.loc["Organic", "note"] == "no_data"


def test_visits_that_know_no_teams_stay_unknown_per_team() -> None:
    table = kpis.channel_yield(
        VISITS, LEADS.assign(team=["N", "N", "S"]), sold(), as_of="2026-10-31", by="team"
    )
    assert table[table["channel"] == "Paid"]["leads"].tolist() == [1]
    assert table["leads"].sum() == 3


# -- what customers say (36)


def test_a_score_comes_with_a_margin_and_thirty_answers_say_little() -> None:
    surveys = pd.DataFrame({"score": [10] * 15 + [8] * 8 + [3] * 7})
    found = kpis.net_promoter_score(surveys).iloc[0]
    assert found["high"] - found["low"] > 50
    assert found["low"] < found["net_promoter_score"] < found["high"]


def test_a_survey_that_few_answer_says_so() -> None:
    surveys = pd.DataFrame({"score": [10.0, 10, None, None, None], "sent_at": day(*["2026-10-01"] * 5)})
    surveys["responded_at"] = surveys["sent_at"].where(surveys["score"].notna())
    assert kpis.net_promoter_score(surveys)["response_rate"][0] == 0.4
