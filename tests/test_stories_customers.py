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
from salestrack.stories import acquisition, customers, orders

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
        found = acquisition.costs(book)
    expected = pd.DataFrame([("ad_spend", 120.0), ("tools", 5.0)], columns=["cost_type", "cost"])
    expected.insert(0, "quarter", pd.Timestamp("2026-07-01"))
    assert_frame_equal(found, expected, check_dtype=False)


def test_a_quarter_whose_costs_are_not_known_in_full_has_no_cost_per_customer(tmp_path: Path) -> None:
    deals = [won("d1", "2026-05-05"), won("d2", "2026-08-05")]
    costs = [cost(1, "2026-06-01"), cost(2, "2026-07-01", 300)]
    with make_book(tmp_path, stages=STAGES, deals=deals, costs=costs) as book:
        found = acquisition.acquisition(book)
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
        told = page.text(**acquisition.lag(page, pd.DataFrame({"lag_months": [months]}))).text
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
        found = acquisition.campaigns(book)
    rows = [("Fair", 300.0, 0, 0, 2, 200.0, 150.0), ("Ads", 90.0, 1, 1, 0, 0.0, NAN)]
    columns = ["campaign_name", "cost", "leads", "open", "won", "bookings", "cost_per_won"]
    assert_frame_equal(found, pd.DataFrame(rows, columns=columns), check_dtype=False)


def came(lead_id: str, source: str, day: str = "2026-08-01") -> dict[str, Any]:
    return {"lead_id": lead_id, "lead_source": source, "created_at": f"{day} 08:00:00"}


def visits(channel: str, sessions: int) -> dict[str, Any]:
    return {"date": "2026-08-01", "channel_group": channel, "sessions": sessions}


def test_channels_follow_the_leads_that_came_in_the_year(tmp_path: Path) -> None:
    """A deal without its lead and a lead of the year before are in no row, whatever source the deal names."""
    tables = {
        "deals": [won("d1", "2026-09-05", lead_id="l1", lead_source="Fair"), won("d2", "2026-08-05", lead_source="Website"),
                  won("d3", "2026-09-05", lead_id="l3")],
        "leads": [came("l1", "Website"), came("l2", "Fair"), came("l3", "Fair", "2025-08-01"), came("l4", "Paid Search"),
                  came("l5", "Website") | {"sql_at": "2026-08-09 08:00:00"}],
        "web_traffic": [visits("Paid Search", 5), visits("Direct", 7), visits("Organic Search", 10)],
    }  # fmt: skip
    with make_book(tmp_path, stages=STAGES, **tables) as book:
        found = acquisition.channels(Page(book, "en"))
    columns = ["lead_source", "sessions", "leads", "sql", "won", "value", "channel_yield"]
    assert found[columns].fillna(-1).to_numpy().tolist() == [
        ["Website", 17, 2, 1, 1, 100, 50], ["Fair", -1, 1, 0, 0, 0, 0], ["Paid Search", 5, 1, 0, 0, 0, 0],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("leads", "names"),
    [
        pytest.param(
            [came("l1", "Website")], {"Direct": "Website"}, id="what is no lead source is the website"
        ),
        pytest.param([came("l1", "Web")], {}, id="no such source: every channel keeps its name"),
        pytest.param([came("l1", "Website"), came("l2", "Direct")], {}, id="a channel that is a lead source"),
        pytest.param([], {}, id="no leads"),
    ],
)
def test_visits_of_channels_that_bring_no_leads(
    tmp_path: Path, leads: list[dict[str, Any]], names: dict[str, str]
) -> None:
    with make_book(tmp_path, leads=leads, web_traffic=[visits("Direct", 7)]) as book:
        assert acquisition.one_name(book) == names


def test_channels_of_a_company_without_leads_are_no_table(tmp_path: Path) -> None:
    with make_book(tmp_path, stages=STAGES, deals=[won("d1", "2026-09-05")]) as book:
        assert acquisition.channels(Page(book, "en")).empty


def test_net_and_gross_retention_stand_side_by_side(tmp_path: Path) -> None:
    """Small: 100 and 100 then, 150 and nothing now. Enterprise: 200 then, 50 now. The new account a4 is in none."""
    accounts = [
        {"account_id": a, "segment": s}
        for a, s in [("a1", "small"), ("a2", "small"), ("a3", "enterprise"), ("a4", "small")]
    ]
    rows = [order(1, "2025-05-01", 100), order(2, "2025-05-01", 100, "a2"), order(3, "2025-05-01", 200, "a3"),
            order(4, "2026-05-01", 150), order(5, "2026-05-01", 50, "a3"), order(6, "2026-05-01", 70, "a4")]  # fmt: skip
    with make_book(tmp_path, orders=rows, accounts=accounts) as book:
        page = Page(book, "en")
        parts, whole = (customers.kept(book, page.last_12, by) for by in ("segment", None))
        told = page.text(**customers.finding(page)).text
    columns = ["previous", "net_revenue_retention", "gross_revenue_retention", "churned", "n"]
    assert parts[["segment", *columns]].to_numpy().tolist() == [
        ["enterprise", 200, 0.25, 0.25, 0, 1], ["small", 200, 0.75, 0.5, 1, 2],
    ]  # fmt: skip
    assert whole[columns].to_numpy().tolist() == [[400, 0.5, 0.375, 1, 3]]
    assert "The customers of the twelve months before spent 50.0% of what they spent then" in told


def test_the_first_order_of_an_account_is_that_of_a_new_customer(tmp_path: Path) -> None:
    rows = [
        order(1, "2026-07-01", order_status="cancelled"),
        order(2, "2026-08-01"),
        order(3, "2026-08-02"),
        order(4, "2026-08-03", account="a2"),
        order(5, "2026-10-02", account="a3"),
    ]
    with make_book(tmp_path, orders=rows) as book:
        found = orders.buyers(book)
    assert found[["buyer", "orders", "value"]].to_numpy().tolist() == [["known", 1, 50], ["new", 2, 100]]


def test_segments_show_who_orders(tmp_path: Path) -> None:
    accounts = [{"account_id": "a1", "segment": "small"}, {"account_id": "a2", "segment": "enterprise"}]
    rows = [order(1, "2026-08-01"), order(2, "2026-08-02"), order(3, "2026-08-03", 900, "a2"),
            order(4, "2025-08-03", 5000)]  # fmt: skip
    with make_book(tmp_path, orders=rows, accounts=accounts) as book:
        found = orders.segments(Page(book, "en"))
    columns = ["segment", "accounts", "orders", "order_value", "average_order_value"]
    assert found[columns].to_numpy().tolist() == [["enterprise", 1, 1, 900, 900], ["small", 1, 2, 100, 50]]


def test_sale_types_share_the_value_of_the_lines(tmp_path: Path) -> None:
    placed = [
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
    with make_book(tmp_path, orders=placed, order_lines=lines) as book:
        found = orders.sale_types(Page(book, "en"))
    rows = [("new", 1, 75.0, 0.75, NAN), ("upsell", 1, 25.0, 0.25, 1.0)]
    columns = ["sale_type", "order_lines", "line_value", "share", "share_before"]
    assert_frame_equal(found, pd.DataFrame(rows, columns=columns), check_dtype=False)


def test_lines_that_name_no_type_make_no_table(tmp_path: Path) -> None:
    with make_book(tmp_path, orders=[order(1, "2026-08-01")], order_lines=[line(1, 1, 50, None)]) as book:
        assert orders.sale_types(Page(book, "en")).empty
        assert orders.sold(Page(book, "en")).text == ""


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
