"""Data quality: each check on rows that a person can judge, loads and quarantine, freshness, `salestrack check`."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from books import make_book
from canonical import STAGES, deal, entered
from click.testing import CliRunner
from pandas.testing import assert_frame_equal

from salestrack import quality
from salestrack.cli import cli

DEMO = Path(__file__).parents[1] / "data" / "demo"
ACCOUNTS = [{"account_id": "a1"}]
REPS = [{"rep_id": "r1"}]
ORDER = {"order_id": "o", "order_date": "2026-10-20", "currency_code": "EUR"}


def won(deal_id: str = "d1", **values: Any) -> dict[str, Any]:
    return deal(deal_id, status="won", stage_id="W", closed_at="2026-02-10 12:00:00", **values)


def log(file: str = "crm/Deal.csv", **values: Any) -> dict[str, Any]:
    counts = {"accepted": 0, "superseded": 0, "quarantined": 0, "excluded": 0, "footer": 0}
    return (
        {"file": file, "system": "crm", "table_name": "deals", "encoding": "utf-8", "rows_read": 0}
        | counts
        | values
    )


def refused(line: int, reason: str = "number:amount", table: str = "deals", **values: Any) -> dict[str, Any]:
    told = {"reason_en": f"row {line} is wrong", "reason_de": f"Zeile {line} ist falsch"}
    return (
        {"table_name": table, "file": "crm/Deal.csv", "line": line, "reasons": f'["{reason}"]'}
        | told
        | values
    )


@pytest.mark.parametrize(
    ("check", "tables", "count", "n", "level"),
    [
        pytest.param("won without amount", {"deals": [won(amount=None)]}, 1, 1, "warn", id="won without an amount"),
        pytest.param(
            "status against stage", {"deals": [deal(stage_id="W"), won("d2")], "stages": STAGES}, 1, 2, "fail",
            id="open in a stage that means won",
        ),
        pytest.param(
            "open with closing day", {"deals": [deal(closed_date="2026-02-01"), deal("d2"), won("d3")]}, 1, 2, "warn",
            id="open, with a closing day",
        ),
        pytest.param(
            "implausible day", {"deals": [deal(expected_close_date="2099-01-01"), deal("d2")]}, 1, 2, "warn",
            id="expected to close in 73 years",
        ),
        pytest.param(
            "stage without place", {"stages": [*STAGES, {"stage_id": "X", "stage_name": "X", "stage_type": "open"}]},
            1, len(STAGES) + 1, "warn", id="a stage without a place",
        ),
        pytest.param(
            "won without amount", {"deals": [deal(amount=None), won("d2")]}, 0, 1, "ok",
            id="an open deal may lack its amount",
        ),
        pytest.param(
            "closed before created", {"deals": [won(created_at="2026-03-01 09:00:00")]}, 1, 1, "fail",
            id="closed before it was created",
        ),
        pytest.param(
            "closed before created", {"deals": [deal(status="lost", stage_id="L", closed_date="2026-01-04")]}, 0, 1, "ok",
            id="a day earlier may be the time zone",
        ),
        pytest.param("negative amount", {"deals": [deal(amount=-1)]}, 1, 1, "fail", id="negative amount"),
        pytest.param(
            "perhaps twice", {"deals": [deal("d1", account_id="a1"), deal("d2", account_id="a1")]}, 2, 2, "warn",
            id="same customer, amount and day",
        ),
        pytest.param(
            "perhaps twice",
            {"deals": [deal("d1", account_id="a1"), deal("d2", account_id="a1", amount=200), deal("d3", account_id="a2")]},
            0, 3, "ok",
            id="another amount or customer is another deal",
        ),
        pytest.param("perhaps twice", {"deals": [deal("d1"), deal("d2")]}, 0, 2, "ok", id="no customer: nothing to compare"),
        pytest.param("open but certain", {"deals": [deal(probability=1.0)]}, 1, 1, "warn", id="open at 100 %"),
        pytest.param("open but certain", {"deals": [won(probability=1.0)]}, 0, 0, "ok", id="won at 100 % is right"),
        pytest.param("closing from field", {"deals": [won()]}, 1, 1, "warn", id="closing without a history"),
        pytest.param(
            "closing from field",
            {"deals": [won()], "deal_stage_history": [
                entered("d1", 1, "Q", "2026-01-05 09:00:00"), entered("d1", 2, "W", "2026-02-09 12:00:00")]},
            0, 1, "ok",
            id="closing from the history",
        ),
        pytest.param("no owner", {"deals": [deal(owner_rep_id=None)]}, 1, 1, "warn", id="no owner"),
        pytest.param("no team", {"deals": [deal()], "teams": [{"team_id": "t1"}]}, 1, 1, "warn", id="owner without a team"),
        pytest.param("past due", {"deals": [deal(expected_close_date="2026-10-30")]}, 1, 1, "warn", id="overdue"),
        pytest.param("past due", {"deals": [deal(expected_close_date="2026-10-31")]}, 0, 1, "ok", id="due on the day itself"),
        pytest.param(
            "no duration",
            {"activities": [{"activity_id": "x", "started_at": "2026-10-01 10:00:00", "is_done": True}]}, 1, 1, "warn",
            id="done without a duration",
        ),
        pytest.param(
            "no duration",
            {"activities": [{"activity_id": "x", "started_at": "2026-10-01 10:00:00", "is_done": False}]}, 0, 0, "ok",
            id="a planned activity needs none",
        ),
        pytest.param(
            "long duration", {"activities": [{"activity_id": "x", "duration_s": 5 * 86400 + 1}]}, 1, 1, "warn",
            id="longer than five days",
        ),
        pytest.param(
            "long duration", {"activities": [{"activity_id": "x", "duration_s": 5 * 86400}]}, 0, 1, "ok", id="five days",
        ),
        pytest.param(
            "lead order",
            {"leads": [{"lead_id": "l", "created_at": "2026-05-02 00:00:00", "mql_at": "2026-05-01 00:00:00"}]}, 1, 1, "fail",
            id="qualified before it arrived",
        ),
        pytest.param(
            "not its lines",
            {"orders": [{"net_amount": 100} | ORDER], "order_lines": [{"order_id": "o", "line_amount": 90}]},
            1, 1, "warn",
            id="lines of 90 in an order of 100",
        ),
        pytest.param(
            "not its lines",
            {"orders": [{"net_amount": 100} | ORDER],
             "order_lines": [{"order_id": "o", "line_amount": 99.97}, {"order_id": "p", "line_amount": 5}]},
            0, 1, "ok",
            id="a few cents are rounding",
        ),
        pytest.param(
            "score out of range", {"surveys": [{"response_id": "s", "score": 11, "score_min": 0, "score_max": 10}]},
            1, 1, "fail",
            id="11 of 10",
        ),
        pytest.param(
            "deals.account_id unknown", {"deals": [deal(account_id="a9")], "accounts": ACCOUNTS}, 1, 1, "warn",
            id="deal of an unknown customer",
        ),
        pytest.param(
            "deals.account_id unknown", {"deals": [deal(account_id=None)], "accounts": ACCOUNTS}, 0, 1, "ok",
            id="no customer is no unknown one",
        ),
        pytest.param(
            "deals.owner_rep_id unknown", {"deals": [deal(owner_rep_id="r9")], "reps": REPS}, 1, 1, "warn",
            id="deal of an unknown owner",
        ),
        pytest.param(
            "activities.deal_id unknown", {"activities": [{"activity_id": "x", "deal_id": "d9"}], "deals": [deal()]},
            1, 1, "warn",
            id="activity of an unknown deal",
        ),
        pytest.param(
            "orders.account_id unknown", {"orders": [{"order_id": "o", "account_id": "a9"}], "accounts": ACCOUNTS},
            1, 1, "warn",
            id="order of an unknown customer",
        ),
        pytest.param(
            "order_lines.order_id unknown", {"order_lines": [{"order_id": "p"}], "orders": [{"order_id": "o"}]}, 1, 1, "warn",
            id="line of an unknown order",
        ),
        pytest.param("quotas.rep_id unknown", {"quotas": [{"rep_id": "r9"}], "reps": REPS}, 1, 1, "warn", id="quota of nobody"),
    ],
)  # fmt: skip
def test_a_check(tmp_path: Path, check: str, tables: dict[str, Any], count: int, n: int, level: str) -> None:
    with make_book(tmp_path, **({"stages": STAGES} | tables)) as book:
        found = quality.plausibility(book).set_index("check").loc[check]
    assert (found["count"], found["n"], found["level"]) == (count, n, level)


def test_every_check_is_tried_above() -> None:
    marks = test_a_check.pytestmark[0].args[1]  # type: ignore[attr-defined]
    assert {mark.values[0] for mark in marks} == {check.name for check in quality.CHECKS}


def test_a_check_rests_where_the_table_it_looks_into_is_missing(tmp_path: Path) -> None:
    with make_book(tmp_path, stages=STAGES, deals=[deal(account_id="a9")]) as book:
        assert "deals.account_id unknown" not in set(quality.plausibility(book)["check"])


def test_a_few_faults_are_no_reason_to_worry(tmp_path: Path) -> None:
    overdue = deal("d0", expected_close_date="2026-10-01")
    others = [deal(f"d{i}", expected_close_date="2026-12-01") for i in range(1, 10)]
    with make_book(tmp_path, stages=STAGES, deals=[overdue, *others]) as book:
        found = quality.plausibility(book).set_index("check").loc["past due"]
    assert (found["count"], found["n"], found["share"], found["level"]) == (1, 10, 0.1, "ok")


def test_a_single_impossible_row_among_many_is_a_warning(tmp_path: Path) -> None:
    deals = [deal(f"d{i}", amount=100 if i else -1) for i in range(100)]
    with make_book(tmp_path, stages=STAGES, deals=deals) as book:
        assert quality.plausibility(book).set_index("check").loc["negative amount", "level"] == "warn"


def test_an_empty_company_has_no_checks(tmp_path: Path) -> None:
    with make_book(tmp_path) as book:
        table = quality.plausibility(book)
        assert (len(table), quality.worst(book)) == (0, "ok")
        assert list(table.columns) == ["check", "table", "count", "n", "share", "level", "en", "de"]


@pytest.mark.parametrize(
    ("row", "balanced", "level"),
    [
        pytest.param({"rows_read": 5, "accepted": 5}, True, "ok", id="all accepted"),
        pytest.param(
            {"rows_read": 5, "accepted": 1, "superseded": 1, "excluded": 2, "footer": 1},
            True,
            "ok",
            id="all used",
        ),
        pytest.param({"rows_read": 5, "accepted": 4, "quarantined": 1}, True, "warn", id="one refused"),
        pytest.param({"rows_read": 5, "accepted": 4}, False, "fail", id="one lost"),
        pytest.param({"rows_read": 5, "accepted": 6}, False, "fail", id="one too many"),
    ],
)
def test_a_load_balances(tmp_path: Path, row: dict[str, int], balanced: bool, level: str) -> None:
    with make_book(tmp_path, load_log=[log(**row)]) as book:
        found = quality.loads(book).iloc[0]
        assert (found["balanced"], found["level"], quality.worst(book)) == (balanced, level, level)


def test_loads_name_the_columns_without_a_meaning(tmp_path: Path) -> None:
    rows = [log("b.csv", unmapped=None), log("a.csv", unmapped='["Farbe", "Region"]')]
    with make_book(tmp_path, load_log=rows) as book:
        found = quality.loads(book)
    assert list(zip(found["file"], found["unmapped"], strict=True)) == [
        ("a.csv", "Farbe, Region"),
        ("b.csv", ""),
    ]


def test_the_money_of_a_load(tmp_path: Path) -> None:
    sums = {"amount": {"accepted": "10.50", "quarantined": "1.00"}}
    with make_book(tmp_path, load_log=[log(amounts=json.dumps(sums)), log(file="crm/b.csv")]) as book:
        found = quality.amounts(book)
    assert found.values.tolist() == [
        ["crm/Deal.csv", "deals", "amount", Decimal("10.50"), Decimal("0"), Decimal("1.00")]
    ]


def test_quarantine_counts_by_reason_and_shows_the_first_row_of_each(tmp_path: Path) -> None:
    rows = [refused(10), refused(9), refused(3, "missing:deal_id"), refused(4, table="orders")]
    with make_book(tmp_path, quarantine=rows) as book:
        found = quality.quarantine(book)
    expected = pd.DataFrame(
        [
            ("deals", '["number:amount"]', "row 9 is wrong", "Zeile 9 ist falsch", 2, "crm/Deal.csv#9"),
            ("deals", '["missing:deal_id"]', "row 3 is wrong", "Zeile 3 ist falsch", 1, "crm/Deal.csv#3"),
            ("orders", '["number:amount"]', "row 4 is wrong", "Zeile 4 ist falsch", 1, "crm/Deal.csv#4"),
        ],
        columns=["table_name", "reasons", "reason_en", "reason_de", "n", "example"],
    )
    assert_frame_equal(found, expected)


@pytest.mark.parametrize(
    ("newest", "age", "level"),
    [
        pytest.param("2026-10-31", 0, "ok", id="an order on the last day"),
        pytest.param("2026-10-17", 14, "ok", id="two weeks are allowed"),
        pytest.param("2026-10-16", 15, "warn", id="longer is stale"),
    ],
)
def test_freshness(tmp_path: Path, newest: str, age: int, level: str) -> None:
    orders = [{"order_id": "o", "order_date": newest}, {"order_id": "p", "order_date": "2026-01-01"}]
    later = {"order_id": "q", "order_date": "2026-11-05"}  # not known yet
    with make_book(tmp_path, orders=[*orders, later]) as book:
        found = quality.freshness(book)
        assert found.to_dict("records") == [
            {"table": "orders", "n": 2, "newest": pd.Timestamp(newest), "age_days": age, "level": level}
        ]
        assert quality.worst(book) == level


def test_history_says_where_closings_come_from(tmp_path: Path) -> None:
    entries = [entered("d1", 1, "Q", "2026-01-05 09:00:00"), entered("d1", 2, "W", "2026-02-09 12:00:00")]
    earlier = won("d2", created_at="2025-01-05 09:00:00") | {"closed_at": "2025-03-01 12:00:00"}
    deals = [won("d1"), earlier, won("d3"), deal("d4")]
    with make_book(tmp_path, stages=STAGES, deals=deals, deal_stage_history=entries) as book:
        found = quality.history(book)
    rows = [(pd.Timestamp("2026-01-01"), 1, 1, 0.5, 2), (pd.Timestamp("2025-01-01"), 0, 1, 0.0, 1)]
    expected = pd.DataFrame(rows, columns=["year", "from_history", "from_field", "share", "n"])
    assert_frame_equal(found, expected, check_dtype=False)


def test_the_demo_company_is_checked_by_the_command() -> None:
    done = CliRunner().invoke(cli, ["check", "--data", str(DEMO), "--month", "2026-10", "--json"])
    told = json.loads(done.output)
    assert sorted(told) == ["amounts", "checks", "freshness", "level", "loads", "notes", "quarantine"]
    assert {row["check"] for row in told["checks"]} == {check.name for check in quality.CHECKS}
    assert all(row["balanced"] for row in told["loads"])
    assert (done.exit_code, told["level"]) in {(0, "ok"), (0, "warn")}


def test_the_command_leaves_with_65_when_something_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = make_book(tmp_path, stages=STAGES, deals=[deal(amount=-1)])
    monkeypatch.setattr("salestrack.book.Book.for_month", lambda data, month: book)
    done = CliRunner().invoke(cli, ["check", "--data", str(tmp_path)])
    assert done.exit_code == 65
    assert done.output.splitlines()[-1] == "level: fail"


def test_nothing_is_mutated(tmp_path: Path) -> None:
    with make_book(tmp_path, stages=STAGES, deals=[deal()], as_of=date(2026, 2, 1), load_log=[log()]) as book:
        assert_frame_equal(quality.plausibility(book), quality.plausibility(book))
        assert_frame_equal(quality.loads(book), quality.loads(book))
