"""monday.com: boards of leads, contacts and accounts, as its CRM has them, beside the board of deals."""

import csv
import io
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from source_files import CONFIG, imported, rows
from systems.monday_board import Row, write_boards
from systems.same import stored, unaccounted

from salestrack.errors import ReadError

LEAD = ["Name", "Subitems", "Owner", "Status", "Company", "Title", "Email", "Phone", "Source", "MQL date", "Region", "Creation log", "Last updated", "Item ID (auto generated)"]  # fmt: skip
CONTACT = ["Name", "Email", "Phone", "Accounts", "Deals", "Deals value", "Title", "Priority", "Comments", "Creation log", "Item ID (auto generated)"]  # fmt: skip
ACCOUNT = ["Name", "Owner", "Domain", "Industry", "Description", "Number of employees", "Annual revenue", "Country", "Type", "Contacts", "Creation log", "Item ID (auto generated)"]  # fmt: skip
LEADS: list[Row] = [
    ["Leads"],
    ["New leads"],
    LEAD,
    ["Cara Canary", "", "Anna Weber, Ben Klein", "Contacted", "Hüttenwerk GmbH", "Buyer", "c@example.org", "+49 1", "Fair", date(2026, 1, 4), "North", "Ben Klein Jan 2, 2026 10:00 AM", "Ben Klein Jan 6, 2026 10:00 AM", "101"],
    ["Subitems", "Name", "Date", "Amount", "Item ID (auto generated)"],
    ["", "Call back", date(2026, 1, 5), 500, "9001"],
    ["Dan Dohle", "", "", "", "Nordkai AG", "", "d@example.org", "", "", None, "", "Ben Klein Jan 3, 2026 10:00 AM", "", "102"],
    [None, None, None, None, None, None, None, None, 2],
    [],
    ["Qualified leads"],
    LEAD,
    ["Eva Erle", "", "Ben Klein", "Qualified", "", "", "", "", "Web", None, "", "Ben Klein Jan 4, 2026 11:30 PM", "", "103"],
]  # fmt: skip
CONTACTS: list[Row] = [
    ["Contacts"],
    ["My contacts"],
    CONTACT,
    ["Cara Canary", "c@example.org", "+49 1", "Hüttenwerk GmbH", "Press", 9000, "Buyer", "High", "Likes tea", "Anna Weber Feb 18, 2025 1:38 PM", "201"],
    ["Dan Dohle", "", "", "Nordkai AG, Hüttenwerk GmbH", "", None, "", "", "", "Anna Weber Feb 19, 2025 1:38 PM", "202"],
    ["Eva Erle", "", "", "Mast, Schot & Co.", "", None, "", "", "", "Anna Weber Feb 20, 2025 1:38 PM", "203"],
    ["Finn Fock", "", "", "", "", None, "", "", "", "Anna Weber Feb 21, 2025 1:38 PM", "204"],
]  # fmt: skip
ACCOUNTS: list[Row] = [
    ["Accounts"],
    ["Accounts"],
    ACCOUNT,
    ["Hüttenwerk GmbH", "Anna Weber", "huettenwerk.example", "Metal", "Big", 1200, 5000000, "Germany", "Customer", "Cara Canary", "Anna Weber Feb 1, 2025 1:38 PM", "301"],
    ["Nordkai AG", "", "", "Ports", "", None, None, "Austria", "Vendor", "", "Anna Weber Feb 2, 2025 1:38 PM", "302"],
    ["Mast, Schot & Co.", "Ben Klein", "", "", "", 80, None, "", "", "", "Anna Weber Feb 3, 2025 1:38 PM", "303"],
]  # fmt: skip
BOARDS = {"Leads": LEADS, "Contacts": CONTACTS, "Accounts": ACCOUNTS}
WORDS = {
    "Leads": {
        "Name": "Lead", "Subitems": "Unterelemente", "Owner": "Zuständig", "Company": "Unternehmen", "Email": "E-Mail", "Phone": "Telefon", "Source": "Quelle",
        "MQL date": "MQL-Datum", "Creation log": "Erstellungsprotokoll", "Last updated": "Zuletzt aktualisiert", "Item ID (auto generated)": "Element-ID (automatisch generiert)",
        "Status": "Lead-Status", "Jan 2, 2026 10:00 AM": "2. Januar 2026 10:00", "Jan 3, 2026 10:00 AM": "3. Jan. 2026 10:00",
        "Jan 4, 2026 11:30 PM": "4. Jan. 2026 23:30", "Jan 6, 2026 10:00 AM": "6. Jan. 2026 10:00",
    },
    "Contacts": {
        "Contacts": "Kontakte", "Name": "Element", "Email": "E-Mail", "Phone": "Telefon", "Accounts": "Konten", "Title": "Position", "Priority": "Priorität", "Comments": "Kommentare",
        "Creation log": "Erstellungsprotokoll", "Item ID (auto generated)": "Element-ID",
    },
    "Accounts": {
        "Accounts": "Konten", "Owner": "Zuständig", "Industry": "Branche", "Description": "Beschreibung", "Number of employees": "Anzahl der Mitarbeiter",
        "Annual revenue": "Jahresumsatz", "Country": "Land", "Type": "Typ", "Contacts": "Kontakte", "Customer": "Kunde", "Creation log": "Erstellungsprotokoll",
    },
}  # fmt: skip


def german(name: str) -> list[Row]:
    words = WORDS[name]
    return [[_said(cell, words) for cell in row] for row in BOARDS[name]]


def _said(cell: Any, words: dict[str, str]) -> Any:
    if not isinstance(cell, str):
        return cell
    times = {old: new for old, new in words.items() if old.endswith(("AM", "PM")) and old in cell}
    for old, new in times.items():
        cell = cell.replace(old, new)
    return words.get(cell, cell)


def workbook(path: Path, board: list[Row]) -> bytes:
    return write_boards(path, {"board": board})


def text(board: list[Row]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(board)
    return out.getvalue()


def flat(board: list[Row]) -> list[Row]:
    """Headings once and items, as a table is exported from a view: without titles, groups, subitems and sums."""
    return [
        board[2],
        *(
            row
            for row in board[3:]
            if str((row or [""])[-1]).isdigit() and row[0] not in ("", "Subitems", None)
        ),
    ]


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the boards tell as workbooks."""
    folder = tmp_path_factory.mktemp("english")
    imported(
        folder,
        {f"{name}_1700000000.xlsx": workbook(folder / "made.xlsx", board) for name, board in BOARDS.items()},
    )
    return stored(folder)


def boards(folder: Path, **changed: list[Row]) -> dict[str, str | bytes]:
    return {
        f"{name}_17.xlsx": workbook(folder / "made.xlsx", board) for name, board in (BOARDS | changed).items()
    }


def test_leads(tmp_path: Path) -> None:
    result = imported(tmp_path, boards(tmp_path))
    columns = "lead_id, company_name, owner_rep_id, lead_source, lead_status, created_at, CAST(mql_at AS DATE), updated_at"
    assert rows(tmp_path, "leads", columns) == [
        ("101", "Hüttenwerk GmbH", "Anna Weber", "Fair", "Contacted", datetime(2026, 1, 2, 9), date(2026, 1, 3), datetime(2026, 1, 6, 9)),
        ("102", "Nordkai AG", None, None, "New leads", datetime(2026, 1, 3, 9), None, None),
        ("103", None, "Ben Klein", "Web", "Qualified", datetime(2026, 1, 4, 22, 30), None, None),
    ]  # fmt: skip
    told = {
        f.file: (f.table, f.rows_read, f.accepted, f.excluded, f.footer, f.unmapped) for f in result.files
    }
    assert told["Leads_17.xlsx [items]"] == (
        "leads",
        4,
        3,
        0,
        1,
        ("Title", "Region", "Group", "Further owners"),
    )
    assert told["Leads_17.xlsx [subitems]"] == (None, 1, 0, 1, 0, ())
    assert unaccounted(result) == []


def test_contacts_and_their_accounts(tmp_path: Path) -> None:
    result = imported(tmp_path, boards(tmp_path))
    assert rows(
        tmp_path, "contacts", "contact_id, account_id, job_title, created_at, contact_name, email"
    ) == [
        ("201", "301", "Buyer", datetime(2025, 2, 18, 12, 38), None, None),
        ("202", "302", None, datetime(2025, 2, 19, 12, 38), None, None),
        ("203", "303", None, datetime(2025, 2, 20, 12, 38), None, None),
        ("204", None, None, datetime(2025, 2, 21, 12, 38), None, None),
    ]
    columns = "account_id, account_name, owner_rep_id, domain, industry, employee_count, CAST(annual_revenue AS DOUBLE), country_code, account_type"
    assert rows(tmp_path, "accounts", columns) == [
        ("301", "Hüttenwerk GmbH", "Anna Weber", "huettenwerk.example", "Metal", 1200, 5000000.0, "Germany", "customer"),
        ("302", "Nordkai AG", None, None, "Ports", None, None, "Austria", "prospect"),
        ("303", "Mast, Schot & Co.", "Ben Klein", None, None, 80, None, None, "prospect"),
    ]  # fmt: skip
    assert unaccounted(result) == []
    kept = str(stored(tmp_path))
    assert not [word for word in ("Canary", "Dohle", "Erle", "example.org", "+49", "tea") if word in kept]


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({f"{n}.csv": text(b) for n, b in BOARDS.items()}, id="CSV with titles and groups"),
        pytest.param({f"board{n}.csv": text(german(k)) for n, k in enumerate(BOARDS)}, id="German CSV, told by its title"),
        pytest.param({f"{n}.csv": text(german(n)).encode("utf-16") for n in BOARDS}, id="German CSV in UTF-16"),
        pytest.param({"German workbooks": ""}, id="German workbooks"),
    ],
)  # fmt: skip
def test_every_shape_tells_the_same(english: dict[str, Any], tmp_path: Path, files: dict[str, Any]) -> None:
    if "German workbooks" in files:
        files = {f"{name}.xlsx": workbook(tmp_path / "made.xlsx", german(name)) for name in BOARDS}
    result = imported(tmp_path, files)
    assert without_own(stored(tmp_path)) == without_own(english)
    assert unaccounted(result) == []


def without_own(tables: dict[str, Any]) -> dict[str, Any]:
    """The tables without the columns of the company's own, whose names are of another language."""
    return {
        name: [tuple(cell for cell in row if '"Group"' not in str(cell)) for row in told]
        for name, told in tables.items()
    }


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_flat_table_without_titles_is_told_by_its_file(tmp_path: Path, language: str) -> None:
    made = {name: flat(german(name) if language == "de" else board) for name, board in BOARDS.items()}
    names = (
        {"Leads": "Leads", "Contacts": "Kontakte", "Accounts": "Konten"}
        if language == "de"
        else {n: n for n in made}
    )
    result = imported(
        tmp_path, {f"{names[name]}_1700000000 (2).csv": text(board) for name, board in made.items()}
    )
    assert rows(tmp_path, "leads", "lead_id, lead_status, company_name") == [
        ("101", "Contacted", "Hüttenwerk GmbH"),
        ("102", "None", "Nordkai AG"),
        ("103", "Qualified", None),
    ]
    assert rows(tmp_path, "contacts", "contact_id, account_id") == [
        ("201", "301"),
        ("202", "302"),
        ("203", "303"),
        ("204", None),
    ]
    assert rows(tmp_path, "accounts", "account_id, account_type") == [
        ("301", "customer"),
        ("302", "prospect"),
        ("303", "prospect"),
    ]
    assert unaccounted(result) == []


DEALS: list[Row] = [
    ["Deals"],
    ["Open"],
    [
        "Name",
        "Subitems",
        "Owner",
        "Stage",
        "Deal value",
        "Currency",
        "Account",
        "Created at",
        "Item ID (auto generated)",
    ],
    ["Press", "", "Anna Weber", "Offer", 9000, "EUR", "Hüttenwerk GmbH", "May 2, 2025 3:04 PM", "401"],
]


def test_deals_find_their_account_on_the_board_of_accounts(tmp_path: Path) -> None:
    imported(tmp_path, boards(tmp_path, Deals=DEALS))
    assert rows(tmp_path, "deals", "deal_id, account_id, stage_id") == [("401", "301", "Deals / Offer")]


def test_deals_on_a_board_called_leads_are_deals(tmp_path: Path) -> None:
    imported(tmp_path, {"Leads_17.xlsx": workbook(tmp_path / "made.xlsx", [["Leads"], *DEALS[1:]])})
    assert rows(tmp_path, "deals", "deal_id, stage_id") == [("401", "Leads / Offer")]


def test_a_name_of_two_accounts_is_not_guessed(tmp_path: Path) -> None:
    twins = [*ACCOUNTS, ["Hüttenwerk GmbH", *ACCOUNTS[4][1:-1], "304"]]
    with pytest.raises(
        ReadError, match=r"account_id 'Hüttenwerk GmbH' is the name of several accounts \(301, 304\)"
    ):
        imported(tmp_path, boards(tmp_path, Accounts=twins))


def without(board: list[Row], column: str) -> list[Row]:
    place = board[2].index(column)
    return [
        [*row[:place], *row[place + 1 :]] if len(row) > place and row[0] not in ("", "Subitems") else row
        for row in board
    ]


def renamed(board: list[Row], old: str, new: str) -> list[Row]:
    return [[new if cell == old else cell for cell in row] for row in board]


@pytest.mark.parametrize(
    ("name", "board", "sentence"),
    [
        pytest.param("Leads", without(LEADS, "Item ID (auto generated)"), "the leads have no id: show the column Item ID on the board and export it again", id="no ids"),
        pytest.param("Leads", without(LEADS, "Creation log"), "the items do not tell when they were made: add the column Creation log", id="leads without their time"),
        pytest.param(
            "Leads", renamed(LEADS, "Phone", "Amount"),
            "its items are called leads, but have an amount ('Amount') as only deals have: hide that column, or call the board Deals, and export it again",
            id="leads with an amount",
        ),
        pytest.param("Accounts", renamed(ACCOUNTS, "Industry", "Website"), "the column 'Domain' stands there twice", id="two columns of one meaning"),
        pytest.param("Accounts", renamed(ACCOUNTS, 80, "51-200"), "line 6: Number of employees '51-200' is not a number", id="a range of people"),
        pytest.param("Vendors", renamed(CONTACTS, "Contacts", "Vendors"), "no mapping explains its columns", id="a board of another kind"),
    ],
)  # fmt: skip
def test_what_is_not_certain_is_refused(tmp_path: Path, name: str, board: list[Row], sentence: str) -> None:
    with pytest.raises(ReadError) as refused:
        imported(tmp_path, boards(tmp_path, **{name: board}))
    assert sentence in str(refused.value)


BARE = """Deals
,,,,,,
Name,Owner,Stage,Deal Value,Close Date,Creation log,Item ID
Alpha,Anna Weber,New,{first},2026-03-01,"Anna Weber Jan 5, 2026 9:00 AM",11
Beta,Anna Weber,Won,{second},2026-02-01,"Anna Weber Jan 6, 2026 9:00 AM",12
"""


def test_amounts_without_a_currency_are_in_the_companys(tmp_path: Path) -> None:
    imported(tmp_path, {"deals.csv": BARE.format(first="1000", second="2000.5 USD")}, WITH_QUARANTINE)
    assert rows(tmp_path, "deals", "deal_name, currency_code") == [("Alpha", "EUR")]
    assert rows(tmp_path, "quarantine", "line, original ->> '$.currency_code'") == [(5, "USD")]


def test_an_empty_cell_in_a_column_of_currencies_is_not_the_companys(tmp_path: Path) -> None:
    text = BARE.replace("Deal Value,", "Deal Value,Currency,").format(first="1000,EUR", second="2000.5,")
    imported(tmp_path, {"deals.csv": text}, WITH_QUARANTINE)
    assert rows(tmp_path, "deals", "deal_name") == [("Alpha",)]


WITH_QUARANTINE = CONFIG + "[import]\nmax_quarantine_share = 1.0\n"
