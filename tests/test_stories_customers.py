"""Page 7: what customers cost and bring, who orders what, from rows that a person can add up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from books import make_book
from canonical import STAGES, deal
from pandas.testing import assert_frame_equal

from salestrack.i18n import NBSP
from salestrack.page import Page
from salestrack.stories import customers

NAN = float("nan")


def won(deal_id: str, day: str, **values: Any) -> dict[str, Any]:
    made = {"created_at": f"{day} 08:00:00", "account_id": deal_id.replace("d", "a")}
    return deal(deal_id, status="won", stage_id="W", closed_at=f"{day} 12:00:00", **(made | values))


def cost(number: int, day: str, amount: float = 100, **values: Any) -> dict[str, Any]:
    row = {"cost_id": f"k{number}", "cost_date": day, "cost_type": "ad_spend", "amount": amount}
    return row | {"currency_code": "EUR"} | values


def order(
    number: int, day: str, amount: float = 50, account: str | None = "a1", **values: Any
) -> dict[str, Any]:
    row = {"order_id": f"o{number}", "order_date": day, "net_amount": amount, "account_id": account}
    return row | {"currency_code": "EUR", "order_status": "placed"} | values


def line(number: int, of: int, amount: float, kind: str | None) -> dict[str, Any]:
    return {"order_line_id": f"p{number}", "order_id": f"o{of}", "line_amount": amount, "sale_type": kind}


def answer(number: int, score: int, account: str = "a1") -> dict[str, Any]:
    row = {"response_id": f"s{number}", "survey_type": "nps", "score": score, "account_id": account}
    return row | {
        "responded_at": "2026-09-10 10:00:00",
        "sent_at": "2026-09-01 10:00:00",
        "contact_id": f"c{number}",
    }


def test_costs_add_up_by_quarter_and_type(tmp_path: Path) -> None:
    rows = [cost(1, "2026-07-01"), cost(2, "2026-09-30", 20), cost(3, "2026-08-01", 5, cost_type="tools"),
            cost(4, "2026-10-01", 999)]  # fmt: skip
    with make_book(tmp_path, costs=rows) as book:
        found = customers.costs(book)
    expected = pd.DataFrame([("ad_spend", 120.0), ("tools", 5.0)], columns=["cost_type", "cost"])
    expected.insert(0, "quarter", pd.Timestamp("2026-07-01"))
    assert_frame_equal(found, expected, check_dtype=False)


def test_a_quarter_whose_costs_are_not_known_in_full_has_no_cost_per_customer(tmp_path: Path) -> None:
    deals = [won("d1", "2026-05-05"), won("d2", "2026-08-05")]
    costs = [cost(1, "2026-06-01"), cost(2, "2026-07-01", 300)]
    with make_book(tmp_path, stages=STAGES, deals=deals, costs=costs) as book:
        found = customers.acquisition(book)
    assert list(found["quarter"]) == [pd.Timestamp("2026-04-01"), pd.Timestamp("2026-07-01")]
    assert list(found["customer_acquisition_cost"].fillna(-1)) == [-1, 300]


@pytest.mark.parametrize(
    ("months", "text"),
    [
        pytest.param(0, "Costs are set against the customers won in the same month.", id="no lag"),
        pytest.param(
            3,
            "A new customer is won 3 months after the lead came in (median), so the costs are those of 3 "
            "months "
            "earlier.",
            id="three months",
        ),
    ],
)
def test_the_lag_is_said(tmp_path: Path, months: int, text: str) -> None:
    with make_book(tmp_path) as book:
        page = Page(book, "en")
        told = page.text(**customers.lag(page, pd.DataFrame({"lag_months": [months]}))).text
    assert told.replace(NBSP, " ") == text


def test_a_lead_counts_for_the_deal_that_it_became(tmp_path: Path) -> None:
    """Salesforce links the lead to its deal, not the deal to its lead."""
    lead = {"lead_id": "l1", "created_at": "2026-03-01 08:00:00", "converted_deal_id": "d1"}
    with make_book(tmp_path, stages=STAGES, deals=[won("d1", "2026-08-05")], leads=[lead]) as book:
        assert book.deals.project("lead_id, lead_created_at::VARCHAR").fetchall() == [
            ("l1", "2026-03-01 08:00:00")
        ]


def test_campaigns_cost_per_won_deal(tmp_path: Path) -> None:
    tables = {
        "campaigns": [{"campaign_id": "x", "campaign_name": "Fair"}, {"campaign_id": "y", "campaign_name": "Ads"}],
        "costs": [cost(1, "2026-01-01", 300, campaign_id="x"), cost(2, "2026-02-01", 90, campaign_id="y"),
                  cost(3, "2026-02-01", 7)],
        "deals": [won("d1", "2026-05-05", campaign_id="x"), won("d2", "2026-05-05", campaign_id="x"),
                  deal("d3", campaign_id="y")],
        "leads": [{"lead_id": "l1", "campaign_id": "y", "created_at": "2026-01-09 08:00:00"}],
    }  # fmt: skip
    with make_book(tmp_path, stages=STAGES, **tables) as book:
        found = customers.campaigns(book)
    rows = [("Fair", 300.0, 0, 0, 2, 200.0, 150.0), ("Ads", 90.0, 1, 1, 0, 0.0, NAN)]
    columns = ["campaign_name", "cost", "leads", "open", "won", "bookings", "cost_per_won"]
    assert_frame_equal(found, pd.DataFrame(rows, columns=columns), check_dtype=False)


def test_sources_join_visits_leads_and_wins(tmp_path: Path) -> None:
    tables = {
        "deals": [won("d1", "2026-08-05", lead_source="Website"), won("d2", "2026-08-05", lead_source="Paid Search", amount=70)],
        "leads": [{"lead_id": "l1", "lead_source": "Website", "created_at": "2026-08-01 08:00:00"},
                  {"lead_id": "l2", "lead_source": "Fair", "created_at": "2026-08-01 08:00:00"},
                  {"lead_id": "l3", "lead_source": "Fair", "created_at": "2025-08-01 08:00:00"}],
        "web_traffic": [{"date": "2026-08-01", "channel_group": "Paid Search", "sessions": 5},
                        {"date": "2026-08-01", "channel_group": "Direct", "sessions": 7},
                        {"date": "2026-08-02", "channel_group": "Organic Search", "sessions": 10}],
    }  # fmt: skip
    with make_book(tmp_path, stages=STAGES, **tables) as book:
        found = customers.sources(Page(book, "en"))
    shown = found[["lead_source", "visits", "leads", "won", "bookings"]].fillna(-1)
    assert shown.to_numpy().tolist() == [
        ["Website", 17, 1, 1, 100], ["Paid Search", 5, -1, 1, 70], ["Fair", -1, 1, -1, -1],
    ]  # fmt: skip


def test_the_first_order_of_an_account_is_that_of_a_new_customer(tmp_path: Path) -> None:
    rows = [
        order(1, "2026-07-01", order_status="cancelled"),
        order(2, "2026-08-01"),
        order(3, "2026-08-02"),
        order(4, "2026-08-03", account="a2"),
        order(5, "2026-10-02", account="a3"),
    ]
    with make_book(tmp_path, orders=rows) as book:
        found = customers.buyers(book)
    assert found[["buyer", "orders", "value"]].to_numpy().tolist() == [["known", 1, 50], ["new", 2, 100]]


def test_segments_show_who_orders(tmp_path: Path) -> None:
    accounts = [{"account_id": "a1", "segment": "small"}, {"account_id": "a2", "segment": "enterprise"}]
    rows = [order(1, "2026-08-01"), order(2, "2026-08-02"), order(3, "2026-08-03", 900, "a2"),
            order(4, "2025-08-03", 5000)]  # fmt: skip
    with make_book(tmp_path, orders=rows, accounts=accounts) as book:
        found = customers.segments(Page(book, "en"))
    columns = ["segment", "accounts", "orders", "order_value", "average_order_value"]
    assert found[columns].to_numpy().tolist() == [["enterprise", 1, 1, 900, 900], ["small", 1, 2, 100, 50]]


def test_sale_types_share_the_value_of_the_lines(tmp_path: Path) -> None:
    orders = [
        order(1, "2026-08-01", 100),
        order(2, "2025-08-01", 50),
        order(3, "2026-08-01", 9, order_status="returned"),
    ]
    lines = [
        line(1, 1, 75, "new"),
        line(2, 1, 25, "upsell"),
        line(3, 2, 50, "upsell"),
        line(4, 3, 9, "renewal"),
    ]
    with make_book(tmp_path, orders=orders, order_lines=lines) as book:
        found = customers.sale_types(Page(book, "en"))
    rows = [("new", 1, 75.0, 0.75, NAN), ("upsell", 1, 25.0, 0.25, 1.0)]
    columns = ["sale_type", "order_lines", "line_value", "share", "share_before"]
    assert_frame_equal(found, pd.DataFrame(rows, columns=columns), check_dtype=False)


def test_lines_that_name_no_type_make_no_table(tmp_path: Path) -> None:
    with make_book(tmp_path, orders=[order(1, "2026-08-01")], order_lines=[line(1, 1, 50, None)]) as book:
        assert customers.sale_types(Page(book, "en")).empty
        assert customers.sold(Page(book, "en")).text == ""


@pytest.mark.parametrize("unanswered", [True, False])
def test_a_response_rate_needs_surveys_without_an_answer(tmp_path: Path, unanswered: bool) -> None:
    rows = [
        answer(1, 10),
        answer(2, 3),
        answer(3, 9) | ({"score": None, "responded_at": None} if unanswered else {}),
    ]
    with make_book(tmp_path, surveys=rows, accounts=[{"account_id": "a1", "segment": "small"}]) as book:
        found = customers.content(Page(book, "en"))
    assert list(found["segment"]) == ["small"]
    assert ("response_rate" in found.columns) is unanswered


@pytest.mark.parametrize(
    ("tables", "text"),
    [
        pytest.param(
            {}, "The data hold neither won deals with costs, nor orders, nor surveys.", id="nothing"
        ),
        pytest.param(
            {"orders": [order(1, "2026-08-01"), order(2, "2026-08-02", 70)]},
            "Customers placed 2 orders worth €120 in twelve months, €60 each.",
            id="orders alone",
        ),
    ],
)
def test_the_finding_says_what_there_is(tmp_path: Path, tables: dict[str, Any], text: str) -> None:
    with make_book(tmp_path, **tables) as book:
        page = Page(book, "en")
        assert page.text(**customers.finding(page)).text == text


def test_a_dear_campaign_with_enough_wins_is_a_measure(tmp_path: Path) -> None:
    dear = [won(f"d{i}", "2026-08-05", campaign_id="x") for i in range(5)]
    cheap = [won(f"d{i}", "2026-08-05", campaign_id="y") for i in range(5, 30)]
    tables = {
        "campaigns": [
            {"campaign_id": "x", "campaign_name": "Fair"},
            {"campaign_id": "y", "campaign_name": "Ads"},
        ],
        "costs": [cost(1, "2026-01-01", 5000, campaign_id="x"), cost(2, "2026-02-01", 1000, campaign_id="y")],
        "deals": [*dear, *cheap],
    }
    with make_book(tmp_path, stages=STAGES, **tables) as book:
        found = [m for m in customers.measures(Page(book, "en")) if m is not None]
    assert [m.rule for m in found] == ["Cost per won deal above €400: Fair €1,000"]
