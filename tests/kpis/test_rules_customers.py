"""The mistakes that the KPI reference names in customers' figures, each as a few rows to check in the head."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from kpis.rows import day, deals

from salestrack import kpis

# -- customers (33, 36)


def test_acquisition_cost_looks_back_by_the_lag_and_counts_new_families_only() -> None:
    costs = pd.DataFrame({"cost_date": day("2026-07-15", "2026-10-15"), "amount": [600.0, 9_000.0]})
    won = deals(
        ("won", 1, "2020-01-01"),
        ("won", 1, "2026-10-01"),
        ("won", 1, "2026-10-02"),
        ("won", 1, "2026-10-03"),
        account_id=["old", "old", "new", "sub"],
        parent_account_id=[None, None, None, "new"],
        lead_created_at=day(*["2026-07-03"] * 4),
    )
    table = kpis.customer_acquisition_cost(costs, won, period="2026-10")
    assert table[["cost", "n", "customer_acquisition_cost", "lag_months"]].iloc[0].tolist() == [
        600,
        1,
        600,
        3,
    ]


def test_acquisition_cost_without_new_customers_is_undefined() -> None:
    costs = pd.DataFrame({"cost_date": day("2026-10-15"), "amount": [600.0]})
    table = kpis.customer_acquisition_cost(
        costs, deals(("lost", 1, "2026-10-01"), account_id="x"), period="2026-10"
    )
    assert math.isnan(table["customer_acquisition_cost"][0])
    assert table[["cost", "note"]].iloc[0].tolist() == [600, "no_data"]


def test_only_a_share_of_the_costs_goes_to_new_customers_and_is_printed() -> None:
    costs = pd.DataFrame({"cost_date": day("2026-10-15"), "amount": [600.0]})
    won = deals(("won", 1, "2026-10-01"), account_id="x")
    table = kpis.customer_acquisition_cost(costs, won, by="month", acquisition_share=0.5)
    assert table[["customer_acquisition_cost", "acquisition_share"]].iloc[0].tolist() == [300, 0.5]


def test_a_person_answers_once_with_the_latest_score() -> None:
    surveys = pd.DataFrame(
        {
            "score": [0, 10, 9, None],
            "contact_id": ["x", "x", "y", "z"],
            "survey_type": "nps",
            "responded_at": day("2026-01-01", "2026-06-01", "2026-02-01", None),
            "sent_at": day("2026-01-01", "2026-05-30", "2026-01-30", "2026-01-30"),
        }
    )
    table = kpis.net_promoter_score(surveys)
    assert table[["promoters", "detractors", "net_promoter_score", "n", "response_rate"]].iloc[
        0
    ].tolist() == [2, 0, 100, 2, 0.75]
    assert table["high"][0] <= 100


@pytest.mark.parametrize(
    ("score", "column"),
    [
        (10, "promoters"),
        (9, "promoters"),
        (8, "passives"),
        (7, "passives"),
        (6, "detractors"),
        (0, "detractors"),
    ],
)
def test_what_a_score_counts_as(score: int, column: str) -> None:
    table = kpis.net_promoter_score(pd.DataFrame({"score": [score]}))
    assert table[["promoters", "passives", "detractors"]].iloc[0].to_dict() == {
        name: int(name == column) for name in ("promoters", "passives", "detractors")
    }


def test_costs_whose_wins_are_still_to_come_do_not_count_yet() -> None:
    days = pd.to_datetime(["2026-09-30", "2026-10-31"])
    costs = pd.DataFrame({"cost_date": days, "amount": [900.0, 500.0]})
    deals = pd.DataFrame(
        {"status": ["won"], "account_id": ["x"], "closed_date": pd.to_datetime(["2026-10-03"])}
    )
    found = kpis.customer_acquisition_cost(costs, deals, by="month", lag_months=1, as_of="2026-10-31")
    assert list(found["cost"]) == [900.0]
