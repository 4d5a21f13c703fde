"""monday.com: boards are no tables; items, subitems, sums of groups and the activity log are taken apart."""

import csv
import io
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from source_files import imported, rows
from systems.same import differing, figures

from salestrack.errors import ReadError
from salestrack.exports import export
from salestrack.importing import ImportResult, import_company

Row = list[Any]
HEADER = [
    "Name", "Subitems", "Owner", "Stage", "Deal value", "Currency", "Close date", "Closed on", "Created at", "Notes", "Notes",
    "Item ID (auto generated)",
]  # fmt: skip
INNER = ["Subitems", "Name", "Quantity", "Unit price", "Line amount", "Item ID (auto generated)"]
BOARD: list[Row] = [
    ["Sales"],
    ["Open deals"],
    HEADER,
    ["Alpha", "", "Anna Weber", "Offer", 9000, "EUR", date(2026, 5, 31), None, "May 2, 2025 3:04 PM", "a", "b", "8396967148"],
    INNER,
    ["", "Saw", 2, 4000, 8000, "9000000001"],
    ["", "Service", 1, 1000, 1000, "9000000002"],
    ["Beta", "", "Ben Klein, Anna Weber", "Offer", None, "EUR", None, None, "Apr 17, 2025 11:41 AM", "", "", "8345080496"],
    [None, None, None, None, 9000],
    [],
    ["Closed deals"],
    HEADER,
    ["Gamma", "", "Anna Weber", "Won", 1200.5, "EUR", date(2026, 3, 2), date(2026, 3, 2), "Feb 18, 2025 1:38 PM", "", "", "8365173510"],
    INNER,
    ["", "Saw", 1, 1200.5, 1200.5, "9000000003"],
    ["", "", "", "", 1200.5],
    ["Delta", "", "", "Lost", 500, "EUR", date(2026, 3, 5), date(2026, 3, 5), "Feb 19, 2025 12:10 AM", "", "", "8365173511"],
    [None, None, None, None, 1700.5],
]  # fmt: skip
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


def workbook(folder: Path, sheets: dict[str, list[Row]], name: str = "Sales_1700000000.xlsx") -> Path:
    """A board as monday writes it to a workbook, with real days."""
    path = folder / "raw" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with xlsxwriter.Workbook(path) as book:
        day = book.add_format({"num_format": "m/d/yyyy"})
        for title, board in sheets.items():
            sheet = book.add_worksheet(title)
            for place, row in enumerate(board):
                for column, cell in enumerate(row):
                    if isinstance(cell, date):
                        sheet.write_datetime(place, column, cell, day)
                    elif cell not in (None, ""):
                        sheet.write(place, column, cell)
    return folder


def text(board: list[Row], delimiter: str = ",") -> str:
    """A board as CSV, every row as wide as it is."""
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(board)
    return out.getvalue()


def changed(board: list[Row], old: Any, new: Any) -> list[Row]:
    return [[new if cell == old else cell for cell in row] for row in board]


def balanced(result: ImportResult) -> bool:
    return all(
        f.rows_read == f.accepted + f.superseded + f.excluded + f.footer and not f.quarantined
        for f in result.files
    )


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


# Activity logs: Gamma was made as Lead, went to Offer and Won; Alpha was made as Offer; the amount of Gamma rose.

LOG = """\
Created at,Event,Item ID,Item,Column,Previous value,Value
"Mar 2, 2026 10:00 AM",update_column_value,8365173510,Gamma,Stage,Offer,Won
"Mar 1, 2026 9:30 AM",update_column_value,8365173510,Gamma,Deal value,1000,1200.5
"Feb 1, 2026 9:30 AM",update_column_value,8365173510,Gamma,Owner,Ben Klein,Anna Weber
"Feb 1, 2026 9:00 AM",update_column_value,8365173510,Gamma,Close date,2026-02-28,2026-03-31
"Jan 5, 2026 9:00 AM",update_column_value,8365173510,Gamma,Stage,Lead,Offer
"Jan 5, 2026 8:00 AM",update_name,8365173510,Gamma,Name,G,Gamma
"May 2, 2025 3:04 PM",create_pulse,8396967148,Alpha,,,
"Feb 18, 2025 1:38 PM",create_pulse,8365173510,Gamma,,,
"Feb 1, 2025 9:00 AM",create_pulse,111,Gone,,,
"""
ENTRIES = [
    ("8365173510", "2025-02-18 12:38:00", None, "Sales / Lead"),
    ("8365173510", "2026-01-05 08:00:00", "Sales / Lead", "Sales / Offer"),
    ("8365173510", "2026-03-02 09:00:00", "Sales / Offer", "Sales / Won"),
    ("8396967148", "2025-05-02 13:04:00", None, "Sales / Offer"),
]
CHANGES = [
    ("amount", "1000", "1200.5", "2026-03-01 08:30:00"),
    ("expected_close_date", "2026-02-28", "2026-03-31", "2026-02-01 08:00:00"),
    ("owner_rep_id", "Ben Klein", "Anna Weber", "2026-02-01 08:30:00"),
]
OF_ENTRIES = "deal_id, CAST(entered_at AS VARCHAR), from_stage_id, to_stage_id"
OF_CHANGES = "field, old_value, new_value, CAST(changed_at AS VARCHAR)"


def test_the_activity_log_is_the_history(tmp_path: Path) -> None:
    result = imported(workbook(tmp_path, {"sales": BOARD}), {"log.csv": LOG})
    assert rows(tmp_path, "deal_stage_history", OF_ENTRIES) == ENTRIES
    assert rows(tmp_path, "deal_field_history", OF_CHANGES) == CHANGES
    assert [(f.table, f.rows_read, f.accepted, f.excluded) for f in result.files if f.file == "log.csv"] == [
        ("deal_stage_history", 9, 4, 5),
        ("deal_field_history", 9, 3, 6),
    ]


def answers() -> str:
    """The same events as the interface answers: JSON in a cell, time in ten-millionths of a second, people as numbers."""
    told = [
        ("17724420000000000", "update_column_value", '{"pulse_id":8365173510,"column_title":"Stage","value":{"label":{"text":"Won"}},"previous_value":{"label":{"text":"Offer"}}}'),
        ("17723538000000000", "update_column_value", '{"pulse_id":8365173510,"column_title":"Deal value","value":{"value":1200.5},"previous_value":{"value":"1000"}}'),
        ("17699346000000000", "update_column_value", '{"pulse_id":8365173510,"column_title":"Owner","value":{"personsAndTeams":[{"id":7}]},"previous_value":{"personsAndTeams":[{"id":8}]}}'),
        ("17699328000000000", "update_column_value", '{"pulse_id":8365173510,"column_title":"Close date","value":{"date":"2026-03-31"},"previous_value":{"date":"2026-02-28"}}'),
        ("17676000000000000", "update_column_value", '{"pulse_id":8365173510,"column_title":"Stage","value":{"label":{"text":"Offer"}},"previous_value":{"label":{"text":"Lead"}}}'),
        ("17461910400000000", "create_pulse", '{"pulse_id":8396967148,"pulse_name":"Alpha"}'),
        ("17398822800000000", "create_pulse", '{"pulse_id":8365173510,"pulse_name":"Gamma"}'),
    ]  # fmt: skip
    return text([["id", "created_at", "event", "data"], *([n, *row] for n, row in enumerate(told))])


def test_answers_of_the_interface_tell_the_same_history_except_for_people(tmp_path: Path) -> None:
    imported(workbook(tmp_path, {"sales": BOARD}), {"activity_logs.csv": answers()})
    assert rows(tmp_path, "deal_stage_history", OF_ENTRIES) == ENTRIES
    assert rows(tmp_path, "deal_field_history", OF_CHANGES) == CHANGES[:2]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("1000,1200.5", "1000,12OO", "line 3: '12OO' of the column 'Deal value' is no number"),
        ("2026-02-28,2026-03-31", "2026-02-28,soon", "line 5: 'soon' of the column 'Close date' is no day"),
    ],
    ids=["an amount with letters", "a day that is none"],
)
def test_a_log_with_nonsense_is_refused_by_its_line(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    with pytest.raises(ReadError) as refused:
        imported(workbook(tmp_path, {"sales": BOARD}), {"log.csv": LOG.replace(old, new)})
    assert sentence in str(refused.value)


# The invented company on a board.

LOSES = {"pipeline_created": "deleted deals are not on the board (deals.deleted_at)"}


@pytest.fixture(scope="module")
def english(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("monday")
    export(original, folder, "monday")
    return folder


def test_the_company_on_monday_has_the_same_figures(english: Path, original_figures: dict[str, Any]) -> None:
    assert balanced(import_company(english))
    assert differing(original_figures, figures(english)) == list(LOSES)


def test_the_german_board_gives_the_same_rows(english: Path, original: Path, tmp_path: Path) -> None:
    import_company(english)
    export(original, tmp_path / "de", "monday", "de")
    assert balanced(import_company(tmp_path / "de"))
    for table in (
        "pipelines",
        "stages",
        "deals",
        "deal_stage_history",
        "deal_field_history",
        "deal_products",
    ):
        own = "* EXCLUDE (source_ref)"
        assert rows(tmp_path / "de", table, own) == rows(english, table, own), table
