"""Histories of one or two deals, small enough to work out in the head."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from canonical import STAGES, changed, connection, deal, entered

from salestrack.config import Config
from salestrack.prepare import derive

CONFIG = Config()
FIRST = entered("d1", 1, "Q", "2026-01-05 09:00:00", amount=100, expected_close_date="2026-03-31")


def derived(**tables: list[dict[str, Any]]) -> duckdb.DuckDBPyConnection:
    con = connection(**({"stages": STAGES} | tables))
    derive(con, CONFIG)
    return con


def rows(con: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return con.execute(sql).fetchall()


def test_a_won_deal_has_its_spells_and_its_closing_from_the_history() -> None:
    con = derived(
        deals=[deal(status="won", stage_id="W")],
        deal_stage_history=[
            FIRST,
            entered("d1", 2, "P", "2026-02-01 12:00:00", amount=120),
            entered("d1", 3, "W", "2026-02-28 23:30:00", amount=120),
        ],
    )
    spells = "SELECT stage_id, left_at::VARCHAR, exit_type, forward_at::VARCHAR, won_at::VARCHAR, lost_at FROM stage_spells ORDER BY seq"
    assert rows(con, spells) == [
        ("Q", "2026-02-01 12:00:00", "forward", "2026-02-01 12:00:00", "2026-02-28 23:30:00", None),
        ("P", "2026-02-28 23:30:00", "won", "2026-02-28 23:30:00", "2026-02-28 23:30:00", None),
    ]
    closed = "SELECT status, closed_date::VARCHAR, closed_at_source, amount_base_cents FROM deal_versions ORDER BY valid_from"
    assert rows(con, closed)[-1] == ("won", "2026-03-01", "history", 12000), (
        "23:30 UTC is the next day in Berlin"
    )
    assert [r[0] for r in rows(con, closed)] == ["open", "open", "won"]


def test_a_reopened_deal_is_open_again_and_counts_where_it_closed_last() -> None:
    con = derived(
        deals=[deal(status="won", stage_id="W")],
        deal_stage_history=[
            FIRST,
            entered("d1", 2, "L", "2026-02-01 12:00:00"),
            entered("d1", 3, "P", "2026-03-01 12:00:00"),
            entered("d1", 4, "W", "2026-04-01 12:00:00"),
        ],
    )
    versions = "SELECT status, closed_date::VARCHAR, reopened FROM deal_versions ORDER BY valid_from"
    assert rows(con, versions) == [
        ("open", None, 0),
        ("lost", "2026-02-01", 0),
        ("open", None, 1),
        ("won", "2026-04-01", 1),
    ]
    assert rows(con, "SELECT stage_id, exit_type, is_first_entry FROM stage_spells ORDER BY seq") == [
        ("Q", "lost", True),
        ("P", "won", True),
    ]


def test_a_deleted_deal_leaves_from_its_deletion_on() -> None:
    con = derived(deals=[deal(is_deleted=True, deleted_at="2026-02-01 00:00:00")], deal_stage_history=[FIRST])
    assert rows(con, "SELECT status, valid_to::VARCHAR FROM deal_versions ORDER BY valid_from") == [
        ("open", "2026-02-01 00:00:00"),
        ("deleted", None),
    ]
    assert rows(con, "SELECT exit_type FROM stage_spells") == [("deleted",)]


def test_the_owner_at_closing_keeps_the_credit() -> None:
    con = derived(
        deals=[deal(status="won", stage_id="W", owner_rep_id="r3")],
        deal_stage_history=[FIRST, entered("d1", 2, "W", "2026-03-01 12:00:00")],
        deal_field_history=[
            changed("d1", "owner_rep_id", "r1", "r2", "2026-02-01 12:00:00"),
            changed("d1", "owner_rep_id", "r2", "r3", "2026-04-01 12:00:00"),
        ],
    )
    assert rows(con, "SELECT owner_rep_id, credit_rep_id FROM deal_versions ORDER BY valid_from") == [
        ("r1", "r1"),
        ("r2", "r2"),
        ("r2", "r2"),
        ("r3", "r2"),
    ]


def test_an_amount_set_back_to_unknown_is_unknown_and_not_the_old_one() -> None:
    con = derived(
        deals=[deal(amount=None)],
        deal_stage_history=[FIRST],
        deal_field_history=[changed("d1", "amount", "100", None, "2026-02-01 12:00:00")],
    )
    assert rows(con, "SELECT amount FROM deal_versions ORDER BY valid_from") == [(100,), (None,)]


@pytest.mark.parametrize(
    ("moves", "pushes"),
    [
        pytest.param([("2026-02-01 10:00:00", "2026-04-30")], 1, id="a later month is a push"),
        pytest.param([("2026-02-01 10:00:00", "2026-03-15")], 0, id="earlier is not"),
        pytest.param(
            [("2026-02-01 10:00:00", "2026-03-01"), ("2026-02-10 10:00:00", "2026-03-31")],
            0,
            id="within the month is not",
        ),
        pytest.param(
            [("2026-02-01 10:00:00", "2026-04-30"), ("2026-02-01 18:00:00", "2026-05-31")],
            1,
            id="edits within a day count once",
        ),
        pytest.param(
            [("2026-02-01 10:00:00", "2026-04-30"), ("2026-02-01 18:00:00", "2026-03-31")],
            0,
            id="a slip put right the same day is none",
        ),
        pytest.param(
            [("2026-02-01 10:00:00", "2026-04-30"), ("2026-02-20 10:00:00", "2026-05-31")], 2, id="two pushes"
        ),
    ],
)
def test_pushes(moves: list[tuple[str, str]], pushes: int) -> None:
    history, old = [], "2026-03-31"
    for at, new in moves:
        history.append(changed("d1", "expected_close_date", old, new, at))
        old = new
    con = derived(deals=[deal()], deal_stage_history=[FIRST], deal_field_history=history)
    assert rows(con, "SELECT max(pushes) FROM deal_versions") == [(pushes,)]


def test_a_push_counts_once_it_has_stood_for_a_day() -> None:
    moved = changed("d1", "expected_close_date", "2026-03-31", "2026-04-30", "2026-02-01 10:00:00")
    con = derived(deals=[deal()], deal_stage_history=[FIRST], deal_field_history=[moved])
    assert rows(
        con, "SELECT valid_from::VARCHAR, valid_to::VARCHAR, pushes FROM deal_versions ORDER BY valid_from"
    ) == [
        ("2026-01-05 09:00:00", "2026-02-01 10:00:00", 0),
        ("2026-02-01 10:00:00", "2026-02-02 10:00:00", 0),
        ("2026-02-02 10:00:00", None, 1),
    ]


def test_a_close_date_set_on_closing_is_not_a_push() -> None:
    con = derived(
        deals=[deal(status="won", stage_id="W")],
        deal_stage_history=[
            FIRST,
            entered("d1", 2, "W", "2026-05-02 10:00:00", expected_close_date="2026-05-02"),
        ],
    )
    assert rows(con, "SELECT max(pushes) FROM deal_versions") == [(0,)]


def test_without_a_history_the_closing_comes_from_the_field_and_says_so() -> None:
    con = derived(deals=[deal(status="lost", stage_id="L", expected_close_date="2026-02-10")])
    assert rows(
        con,
        "SELECT status, stage_id, closed_date::VARCHAR, closed_at_source FROM deal_versions ORDER BY valid_from",
    ) == [
        ("open", None, None, None),
        ("lost", "L", "2026-02-10", "field"),
    ]
    assert rows(con, "SELECT count(*) FROM stage_spells") == [(0,)]


RATES = [
    {"from_currency_code": "CHF", "to_currency_code": "EUR", "rate_date": "2026-01-01", "rate": "1.05"},
    {"from_currency_code": "CHF", "to_currency_code": "EUR", "rate_date": "2026-02-01", "rate": "1.10"},
]


def test_a_closed_amount_takes_the_rate_of_its_closing_day() -> None:
    con = derived(
        exchange_rates=RATES,
        deals=[deal(status="won", stage_id="W", currency_code="CHF", amount=100)],
        deal_stage_history=[FIRST, entered("d1", 2, "W", "2026-02-10 10:00:00")],
    )
    assert rows(con, "SELECT amount_base_cents FROM deal_versions ORDER BY valid_from") == [(None,), (11000,)]


def test_without_a_rate_a_row_goes_to_quarantine_and_is_never_taken_one_to_one() -> None:
    con = derived(
        exchange_rates=RATES,
        deals=[deal(), deal("d2", currency_code="USD")],
        costs=[
            {
                "cost_id": "c1",
                "cost_date": "2025-12-31",
                "cost_type": "ad_spend",
                "amount": 5,
                "currency_code": "CHF",
            }
        ],
    )
    assert rows(con, "SELECT deal_id FROM deals") == [("d1",)]
    assert rows(con, "SELECT count(*) FROM costs") == [(0,)]
    assert rows(con, "SELECT table_name, reasons FROM quarantine ORDER BY 1") == [
        ("costs", '["rate:missing"]'),
        ("deals", '["rate:missing"]'),
    ]


def test_order_lines_take_the_day_and_the_rate_of_their_order() -> None:
    con = derived(
        exchange_rates=RATES,
        orders=[
            {
                "order_id": "o1",
                "account_id": "a",
                "order_date": "2026-02-03",
                "order_status": "placed",
                "net_amount": 10,
                "currency_code": "CHF",
            }
        ],
        order_lines=[
            {
                "order_line_id": "l1",
                "order_id": "o1",
                "product_id": "p",
                "quantity": 1,
                "unit_price": 10,
                "line_amount": 10,
            }
        ],
    )
    assert rows(con, "SELECT net_amount_base_cents FROM orders") == [(1100,)]
    assert rows(con, "SELECT line_amount_base_cents FROM order_lines") == [(1100,)]
