"""monday.com: boards are no tables; items, subitems and sums of groups are taken apart."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from source_files import imported, rows
from systems.monday_board import BOARD, HEADER, Row, balanced, text, workbook

from salestrack.errors import ReadError

WORDS = {
    "Name": "Element", "Subitems": "Unterelemente", "Owner": "Zuständig", "Stage": "Phase", "Deal value": "Betrag",
    "Currency": "Währung", "Close date": "Voraussichtliches Abschlussdatum", "Closed on": "Abgeschlossen am",
    "Created at": "Erstellt am", "Notes": "Notizen", "Item ID (auto generated)": "Element-ID (automatisch generiert)",
    "Quantity": "Menge", "Unit price": "Stückpreis", "Line amount": "Summe",
    "May 2, 2025 3:04 PM": "2. Mai 2025 15:04", "Apr 17, 2025 11:41 AM": "17. Apr. 2025 11:41",
    "Feb 18, 2025 1:38 PM": "18. Februar 2025 13:38", "Feb 19, 2025 12:10 AM": "19. Feb. 2025 0:10",
}  # fmt: skip
DEALS = [
    ("8345080496", "Beta", "Ben Klein", "Sales / Offer", "open", None, "2025-04-17 09:41:00", None),
    (
        "8365173510",
        "Gamma",
        "Anna Weber",
        "Sales / Won",
        "won",
        "1200.5000",
        "2025-02-18 12:38:00",
        "2026-03-02",
    ),
    ("8365173511", "Delta", None, "Sales / Lost", "lost", "500.0000", "2025-02-18 23:10:00", "2026-03-05"),
    ("8396967148", "Alpha", "Anna Weber", "Sales / Offer", "open", "9000.0000", "2025-05-02 13:04:00", None),
]
LINES = [
    ("9000000001", "8396967148", "Saw", 2.0, "8000.0000"),
    ("9000000002", "8396967148", "Service", 1.0, "1000.0000"),
    ("9000000003", "8365173510", "Saw", 1.0, "1200.5000"),
]
OF_DEALS = (
    "deal_id, deal_name, owner_rep_id, stage_id, status, CAST(amount AS VARCHAR), CAST(created_at AS VARCHAR), "
    "CAST(closed_date AS VARCHAR)"
)
OF_LINES = "deal_product_id, deal_id, product_id, quantity, CAST(line_amount AS VARCHAR)"
WHOLE = "* EXCLUDE (source_ref, custom_fields)"


def german(board: list[Row]) -> list[Row]:
    return [[WORDS.get(cell, cell) for cell in row] for row in board]


def changed(board: list[Row], old: Any, new: Any) -> list[Row]:
    return [[new if cell == old else cell for cell in row] for row in board]


# Boards


def test_items_and_subitems_are_told_apart(tmp_path: Path) -> None:
    result = imported(workbook(tmp_path, {"sales": BOARD}), {})
    assert rows(tmp_path, "deals", OF_DEALS) == DEALS
    assert rows(tmp_path, "deal_products", OF_LINES) == LINES
    assert rows(tmp_path, "pipelines", "pipeline_id, pipeline_name") == [("Sales", "Sales")]
    assert [(f.file, f.table, f.rows_read, f.accepted, f.footer) for f in result.files] == [
        ("Sales_1700000000.xlsx [items]", "pipelines", 7, 4, 3),
        ("Sales_1700000000.xlsx [items]", "deals", 7, 4, 3),
        ("Sales_1700000000.xlsx [subitems]", "deal_products", 3, 3, 0),
    ]
    assert balanced(result)


def test_the_money_is_that_of_the_items_alone(tmp_path: Path) -> None:
    """A flat reading would add the sums of the groups and take subitems' ids for values: billions."""
    imported(workbook(tmp_path, {"sales": BOARD}), {})
    assert rows(tmp_path, "deals", "sum(amount)") == [(Decimal("10700.5000"),)]
    assert rows(tmp_path, "deal_products", "sum(line_amount)") == [(Decimal("10200.5000"),)]


def test_rows_keep_their_lines(tmp_path: Path) -> None:
    imported(workbook(tmp_path, {"sales": BOARD}), {})
    assert rows(tmp_path, "deals", "source_ref", "deal_name = 'Delta'") == [
        ("Sales_1700000000.xlsx [items]#17",)
    ]
    assert rows(tmp_path, "deal_products", "source_ref", "quantity = 2") == [
        ("Sales_1700000000.xlsx [subitems]#6",)
    ]


FLAT = [[cell.isoformat() if isinstance(cell, date) else cell for cell in row] for row in BOARD]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(text(FLAT), id="CSV with the headings repeated inside"),
        pytest.param(text(FLAT, ";").encode("cp1252"), id="semicolons"),
        pytest.param(b"\xef\xbb\xbf" + text(FLAT).replace("\n", "\r\n").encode(), id="BOM and CRLF"),
        pytest.param(text(german(FLAT)).encode("cp1252"), id="German headings and names of months"),
        pytest.param(None, id="German workbook"),
    ],
)
def test_every_shape_of_the_board_gives_the_same_rows(tmp_path: Path, content: str | bytes | None) -> None:
    plain = workbook(tmp_path / "plain", {"sales": BOARD})
    imported(plain, {})
    shape = tmp_path / "shape"
    if content is None:
        result = imported(workbook(shape, {"sales": german(BOARD)}), {})
    else:
        result = imported(shape, {"board.csv": content})
    assert balanced(result)
    for table in ("deals", "deal_products", "pipelines", "stages", "reps", "products"):
        assert rows(shape, table, WHOLE) == rows(plain, table, WHOLE)


def test_columns_of_ones_own_are_kept_and_so_is_the_group(tmp_path: Path) -> None:
    imported(workbook(tmp_path, {"sales": BOARD}), {})
    (kept,) = rows(tmp_path, "deals", "custom_fields", "deal_name = 'Alpha'")
    assert json.loads(str(kept[0])) == {
        "Notes": "a",
        "Notes#2": "b",
        "Group": "Open deals",
        "Further owners": None,
    }


def test_several_owners_are_one_owner_and_further_ones(tmp_path: Path) -> None:
    imported(workbook(tmp_path, {"sales": BOARD}), {})
    (kept,) = rows(tmp_path, "deals", "custom_fields ->> '$.\"Further owners\"'", "deal_name = 'Beta'")
    assert kept == ("Anna Weber",)
    assert rows(tmp_path, "reps", "rep_id") == [("Anna Weber",), ("Ben Klein",)]


def test_an_item_with_nothing_but_a_name_is_no_title(tmp_path: Path) -> None:
    board = [*BOARD[:8], ["Epsilon", *[""] * 7, "May 3, 2025 9:00 AM", "", "", "77"], ["Zeta"], *BOARD[8:]]
    config = (
        '[company]\ncurrency = "EUR"\ntime_zone = "Europe/Berlin"\n[import]\nmax_quarantine_share = 0.5\n'
    )
    imported(workbook(tmp_path, {"sales": board}), {}, config)
    names = rows(tmp_path, "deals", "deal_name")
    assert ("Epsilon",) in names
    assert len(names) == 5
    assert rows(tmp_path, "quarantine", "DISTINCT line") == [(10,)]


def test_stages_of_two_boards_are_told_apart(tmp_path: Path) -> None:
    other = changed(
        changed(changed(changed(BOARD, "Sales", "Renewals"), "8396967148", "1"), "8345080496", "2"),
        "8365173510",
        "3",
    )
    other = [
        [
            {"9000000001": "91", "9000000002": "92", "9000000003": "93", "8365173511": "4"}.get(c, c)
            if isinstance(c, str)
            else c
            for c in row
        ]
        for row in other
    ]
    workbook(tmp_path, {"sales": BOARD})
    imported(workbook(tmp_path, {"renewals": other}, "Renewals.xlsx"), {})
    assert rows(tmp_path, "deals", "DISTINCT stage_id", "status = 'open'") == [
        ("Renewals / Offer",),
        ("Sales / Offer",),
    ]
    assert rows(tmp_path, "pipelines", "pipeline_id") == [("Renewals",), ("Sales",)]
    assert rows(tmp_path, "stages", "stage_id, pipeline_id, stage_type", "stage_type <> 'open'") == [
        ("Renewals / Lost", "Renewals", "lost"),
        ("Renewals / Won", "Renewals", "won"),
        ("Sales / Lost", "Sales", "lost"),
        ("Sales / Won", "Sales", "won"),
    ]


def test_a_group_may_mean_what_the_label_does_not(tmp_path: Path) -> None:
    board = changed(changed(BOARD, "Won", "Contract"), "Closed deals", "Closed won")
    imported(workbook(tmp_path, {"sales": board}), {})
    assert rows(tmp_path, "deals", "deal_name, status") == [
        ("Alpha", "open"),
        ("Beta", "open"),
        ("Delta", "lost"),
        ("Gamma", "won"),
    ]


def test_without_a_column_of_stages_the_groups_are_the_stages(tmp_path: Path) -> None:
    board = changed(changed(BOARD, "Stage", "Priority"), "Closed deals", "Won")
    imported(workbook(tmp_path, {"sales": board}), {})
    assert rows(tmp_path, "deals", "stage_id, status", "deal_name IN ('Alpha', 'Gamma')") == [
        ("Sales / Open deals", "open"),
        ("Sales / Won", "won"),
    ]


def test_a_company_says_what_its_labels_mean(tmp_path: Path) -> None:
    config = '[company]\ncurrency = "EUR"\ntime_zone = "Europe/Berlin"\n[stages]\nwon = ["Sales / Signed"]\n'
    imported(workbook(tmp_path, {"sales": changed(BOARD, "Won", "Signed")}), {}, config)
    assert rows(tmp_path, "deals", "status", "deal_name = 'Gamma'") == [("won",)]


def test_the_log_of_creation_tells_the_time_behind_the_person(tmp_path: Path) -> None:
    board = changed(BOARD, "Created at", "Creation log")
    board = [
        ["Jürgen Maier " + c if isinstance(c, str) and c.endswith(("AM", "PM")) else c for c in row]
        for row in board
    ]
    imported(workbook(tmp_path, {"sales": board}), {})
    assert rows(tmp_path, "deals", OF_DEALS) == DEALS


def test_subitems_without_amounts_are_activities(tmp_path: Path) -> None:
    inner = ["Subitems", "Name", "Owner", "Type", "Date", "Done", "Item ID (auto generated)"]
    board = [
        *BOARD[:4], inner, ["", "First call", "Anna Weber", "Call", date(2025, 5, 5), "v", "9000000001"],
        ["", "Demo", "Anna Weber", "Meeting", date(2025, 6, 1), "", "9000000002"], *BOARD[7:12],
    ]  # fmt: skip
    imported(workbook(tmp_path, {"sales": board}), {})
    found = rows(
        tmp_path,
        "activities",
        "activity_id, activity_type, channel, is_done, deal_id, CAST(started_at AS VARCHAR)",
    )
    assert found == [
        ("9000000001", "call", "phone", True, "8396967148", "2025-05-04 22:00:00"),
        ("9000000002", "meeting", None, False, "8396967148", "2025-05-31 22:00:00"),
    ]


def test_subitems_of_another_kind_and_updates_are_read_and_not_counted(tmp_path: Path) -> None:
    inner = ["Subitems", "Name", "Owner", "Item ID (auto generated)"]
    board = [*BOARD[:4], inner, ["", "Ask legal", "Anna Weber", "9000000001"], *BOARD[7:12]]
    updates = [
        ["Sales"],
        ["Item ID", "Item Name", "Content Type", "User", "Update Content", "Content Type"],
        ["8396967148", "Alpha", "Update", "Ben Klein", "Hello", "x"],
    ]
    result = imported(workbook(tmp_path, {"sales": board, "updates": updates}), {})
    told = {f.file: (f.table, f.accepted, f.excluded) for f in result.files}
    assert told["Sales_1700000000.xlsx [sales subitems]"] == (None, 0, 1)
    assert told["Sales_1700000000.xlsx [updates]"] == (None, 0, 1)
    assert rows(tmp_path, "deals", "deal_name") == [("Alpha",), ("Beta",)]
    assert balanced(result)


@pytest.mark.parametrize(
    ("board", "sentence"),
    [
        pytest.param(
            changed(BOARD, "Item ID (auto generated)", "Number"),
            "the items have no id: show the column Item ID on the board and export it again",
            id="no ids",
        ),
        pytest.param(
            changed(BOARD, "Deal value", "Budget"), "'Deal value'", id="no amount: the column is named"
        ),
        pytest.param(
            changed(BOARD, "Created at", "Begun"),
            "the items do not tell when they were made: add the column Creation log",
            id="no time of creation",
        ),
        pytest.param(
            changed(BOARD, "Currency", "Amount"),
            "the column 'Deal value' stands there twice",
            id="two amounts",
        ),
        pytest.param(
            [*BOARD[:11], [*HEADER[:4], "Budget", *HEADER[5:]], *BOARD[12:]],
            "the headings of line 12 are not those at the beginning of the board: export each board into a file of its own",
            id="headings change",
        ),
    ],
)
def test_what_cannot_be_read_for_certain_is_refused(tmp_path: Path, board: list[Row], sentence: str) -> None:
    with pytest.raises(ReadError) as refused:
        imported(workbook(tmp_path, {"sales": board}), {})
    assert sentence in str(refused.value)
    assert "Sales_1700000000.xlsx" in str(refused.value)
