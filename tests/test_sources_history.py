"""Successive exports tell the history of a deal; counts, numbers of days and names of months are what they mean."""

from pathlib import Path

import pytest
from source_files import COSTS, imported, rows

from salestrack.errors import ReadError

SEEN = "deal_id,deal_name,stage_id,status,amount,owner_rep_id,created_at,expected_close_date\n"
FIRST = SEEN + "D1,Alpha,Offer,open,100,R1,2026-01-05T09:00:00Z,2026-03-31\n"
SECOND = SEEN + "D1,Alpha,Contract,open,150,R1,2026-01-05T09:00:00Z,2026-04-30\n"
THIRD = SEEN + "D1,Alpha,Contract,won,150,R2,2026-01-05T09:00:00Z,2026-04-30\n"


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)], ids=["in order", "in any order"])
def test_successive_exports_tell_the_history(tmp_path: Path, order: tuple[int, ...]) -> None:
    files = {
        "deals_2026-01-31.csv": FIRST,
        "deals_2026-02-28.csv": SECOND,
        "deals_2026-03-31.csv": THIRD,
    }
    for n in order:
        name = sorted(files)[n]
        imported(tmp_path, {name: files[name]})
    entries = "to_stage_id, CAST(entered_at AS VARCHAR), amount, history_quality"
    assert rows(tmp_path, "deal_stage_history", entries) == [
        ("Contract", "2026-02-27 23:00:00", 150, "snapshot_diff"),
        ("Offer", "2026-01-05 09:00:00", 100, "snapshot_diff"),
    ]
    changes = "field, old_value, new_value, CAST(changed_at AS DATE)::VARCHAR, change_source"
    assert rows(tmp_path, "deal_field_history", changes) == [
        ("amount", "100.0000", "150.0000", "2026-02-27", "derived"),
        ("expected_close_date", "2026-03-31", "2026-04-30", "2026-02-27", "derived"),
        ("owner_rep_id", "R1", "R2", "2026-03-30", "derived"),
        ("status", "open", "won", "2026-03-30", "derived"),
    ]


def test_the_book_of_a_day_is_what_the_exports_said_on_that_day(tmp_path: Path) -> None:
    from salestrack.book import Book

    files = {"deals_2026-01-31.csv": FIRST, "deals_2026-02-28.csv": SECOND, "deals_2026-03-31.csv": THIRD}
    imported(tmp_path, {**files, "costs.csv": COSTS})
    states = []
    for day in ("2026-01-31", "2026-02-28", "2026-03-31"):
        with Book.open(tmp_path, day) as book:
            states += book.sql(
                "SELECT stage_id, status, CAST(amount AS DOUBLE), owner_rep_id FROM deals"
            ).fetchall()
    assert states == [
        ("Offer", "open", 100, "R1"),
        ("Contract", "open", 150, "R1"),
        ("Contract", "won", 150, "R2"),
    ]


def test_amounts_of_rows_that_later_proved_bad_are_moved_in_the_account(tmp_path: Path) -> None:
    orders = "order_id,account_id,order_date,order_status,net_amount,currency_code,is_first_order\n"
    lines = [f"O{n},A1,2026-01-05,placed,10.00,{'USD' if n == 7 else 'EUR'},true\n" for n in range(1, 201)]
    result = imported(tmp_path, {"orders.csv": orders + "".join(lines)})
    (found,) = [f for f in result.files if f.table == "orders"]
    assert (found.rows_read, found.accepted, found.quarantined) == (200, 199, 1)
    assert found.amounts["net_amount"] == {"accepted": "1990.0000", "quarantined": "10.0000"}


@pytest.mark.parametrize(
    ("cell", "count"),
    [("1.200", 1200), ("1,200", 1200), ("12", 12)],
    ids=["German thousands", "English thousands", "plain"],
)
def test_a_count_has_no_decimals(tmp_path: Path, cell: str, count: int) -> None:
    accounts = (
        f'Id,Name,Industry,OwnerId,BillingCountryCode,NumberOfEmployees\n001A,Alpha,Steel,005X,DE,"{cell}"\n'
    )
    imported(tmp_path, {"Account.csv": accounts})
    assert rows(tmp_path, "accounts", "employee_count") == [(count,)]


SERIALS = (
    "deal_id,deal_name,status,created_at,closed_date\n1,A,won,46023.375,46052\n2,B,won,46024 09:30,46053\n"
)


def test_days_that_a_spreadsheet_left_as_numbers(tmp_path: Path) -> None:
    imported(tmp_path, {"deals.csv": SERIALS})
    assert rows(tmp_path, "deals", "CAST(created_at AS VARCHAR), CAST(closed_date AS VARCHAR)") == [
        ("2026-01-01 08:00:00", "2026-01-30"),
        ("2026-01-02 08:30:00", "2026-01-31"),
    ]


def test_numbers_of_days_beside_dates_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="closed_date.*46326.*2026-10-31"):
        imported(tmp_path, {"deals.csv": SERIALS.replace("46053", "2026-01-31")})


def test_today_a_deal_is_what_its_newest_export_shows_whatever_its_history_leaves_out(tmp_path: Path) -> None:
    deals = (
        "deal_id,deal_name,stage_id,status,amount,owner_rep_id,created_at,expected_close_date,updated_at\n"
    )
    deals += (
        "1,Alpha,Offer,open,150,R2,2026-01-05T09:00:00Z,2026-04-30,2026-02-20T09:00:00Z\n"
        "2,Beta,Offer,open,,R1,2026-01-05T09:00:00Z,2026-03-31,2026-01-05T08:00:00Z\n"
    )
    history = "deal_id,to_stage_id,entered_at,amount,expected_close_date\n"
    history += "1,Offer,2026-01-05T09:00:00Z,100,2026-03-31\n"
    imported(tmp_path, {"deals.csv": deals, "deal_stage_history.csv": history})
    columns = (
        "deal_id, CAST(valid_from AS VARCHAR), amount, CAST(expected_close_date AS VARCHAR), owner_rep_id"
    )
    assert rows(tmp_path, "deal_versions", columns, "pushes = 0") == [
        ("1", "2026-01-05 09:00:00", 100, "2026-03-31", "R2"),
        ("1", "2026-02-20 09:00:00", 150, "2026-04-30", "R2"),
        ("2", "2026-01-05 09:00:00", None, "2026-03-31", "R1"),
    ]


@pytest.mark.parametrize(
    "cell",
    ["May 2, 2026", "2. Mai 2026", "2 May 2026", "Mai 2, 2026 15:04", "May 2, 2026 3:04 PM"],
    ids=["English", "German", "day first", "German month, English order", "with a time"],
)
def test_days_with_names_of_months_are_days(tmp_path: Path, cell: str) -> None:
    imported(
        tmp_path,
        {
            "costs.csv": COSTS.replace("2026-01-01", f'"{cell}"', 1)
            .replace("2026-02-01", f'"{cell}"')
            .replace("2026-03-01", f'"{cell}"')
        },
    )
    assert rows(tmp_path, "costs", "CAST(cost_date AS VARCHAR)") == [("2026-05-02",)] * 3
