"""Salesforce reports: every shape tells the same, ids of 15 and 18 characters are one record, names are resolved."""

from datetime import date, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import duckdb
import pytest
import xlsxwriter
from source_files import CONFIG, STAGES, imported, rows
from systems.salesforce_texts import ENGLISH_TEXT, GERMAN, GERMAN_TEXT, RATES, USERS

from salestrack.errors import SalestrackError
from salestrack.sources.salesforce import ID18

ENGLISH_FOOTER = '\n"Grand Totals (3 records)"\n\n"Confidential: do not pass on"\n"Copyright (c) 2000-2026 salesforce.com, inc."\n'
GERMAN_FOOTER = '\n"Summe (3 Datensätze)"\n\n"Vertraulich: nicht weitergeben"\n"Erstellt von: Anna Weber 01.06.2026, 10:00"\n'
PREAMBLE = '"Alle Opportunities"\n"Stand: 01.06.2026 10:00 • Erstellt von: Anna Weber"\n\n"Filter: Alle Opportunities; Erstelldatum"\n\n'
LONG = {f"006Kj000000500{n}": f"006Kj000000500{n}IAA" for n in range(3)}
WITH_CODES = GERMAN_TEXT.replace('"EUR";"1.234,56"', '"";"1.234,56 €"').replace(
    '"CHF";"20.000,00"', '"";"CHF 20.000,00"'
)


def replaced(text: str, pairs: dict[str, str]) -> str:
    for old, new in pairs.items():
        text = text.replace(f'"{old}"', f'"{new}"')
    return text


def formatted() -> bytes:
    """The report as formatted XLSX: an empty first column, title and filters above, sentences below, typed cells."""
    raw = BytesIO()
    book = xlsxwriter.Workbook(raw, {"in_memory": True})
    page = book.add_worksheet("Alle Opportunities")
    day, minute = (book.add_format({"num_format": f}) for f in ("dd.mm.yyyy", "dd.mm.yyyy hh:mm"))
    page.write(1, 1, "Alle Opportunities")
    page.write(2, 1, "Stand: 2026-06-01 10:00:00 • Erstellt von: Anna Weber")
    page.write(4, 1, "Gefiltert nach")
    page.write(5, 1, "Anzeigen: Alle Opportunities")
    page.write_row(9, 1, [cell.strip('"') for cell in GERMAN.split(";")])
    facts = [
        ("006Kj0000005000", "Ölpumpe", "Anna Weber", "001Kj0000005000", "Müller, Söhne", "Closed Won", datetime(2026, 3, 31),
         datetime(2026, 1, 5, 9, 5), datetime(2026, 3, 31, 14, 30), 1.0, "EUR", 1234.56, "Web", ""),
        ("006Kj0000005001", "Ventil", "Jörg Groß", "001Kj0000005001", "Kern AG", "Angebot", datetime(2026, 4, 30),
         datetime(2026, 1, 6), datetime(2026, 2, 1, 12, 15), 0.5, "CHF", 20000, "Messe", "anrufen"),
        ("006Kj0000005002", "Dichtung", "Jörg Groß", "", "", "Closed Lost", datetime(2026, 5, 13),
         datetime(2026, 1, 7, 23, 59), datetime(2026, 5, 13, 8), 0.0, "EUR", "", "", ""),
    ]  # fmt: skip
    for line, fact in enumerate(facts, start=10):
        for place, value in enumerate(fact, start=1):
            if isinstance(value, datetime):
                page.write_datetime(line, place, value, minute if value.hour + value.minute else day)
            elif place == 10:
                page.write(line, place, f"{value:.0%}")
            else:
                page.write(line, place, value)
    for line, sentence in ((13, "Summe"), (15, "Vertraulich: nicht weitergeben"), (16, "Copyright © 2026")):
        page.write(line, 1, sentence)
    book.close()
    return raw.getvalue()


SHAPES: dict[str, tuple[str, bytes]] = {
    "English, UTF-8, commas": ("r.csv", ENGLISH_TEXT.encode()),
    "English, UTF-8 with BOM and footer": ("r.csv", (ENGLISH_TEXT + ENGLISH_FOOTER).encode("utf-8-sig")),
    "English, CRLF, ids of 18 characters": (
        "r.csv",
        replaced(ENGLISH_TEXT, LONG).replace("\n", "\r\n").encode(),
    ),
    "German, Windows-1252, semicolons, footer": ("r.csv", (GERMAN_TEXT + GERMAN_FOOTER).encode("cp1252")),
    "German, UTF-8, commas": (
        "r.csv",
        GERMAN_TEXT.replace('";"', '","').encode(),
    ),
    "German, UTF-16, tabs": ("r.csv", GERMAN_TEXT.replace('";"', '"\t"').encode("utf-16")),
    "German, rows above the header": ("r.csv", (PREAMBLE + GERMAN_TEXT + GERMAN_FOOTER).encode("cp1252")),
    "German, currency inside the cells": ("r.csv", WITH_CODES.encode("cp1252")),
    "German, footer without a line end": (
        "r.csv",
        (GERMAN_TEXT + "Copyright (c) 2000-2026; alle Rechte vorbehalten").encode(),
    ),
    "formatted XLSX": ("r.xlsx", formatted()),
}
DEALS = [
    ("006Kj0000005000IAA", "Ölpumpe", "005Kj0000005000IAA", "001Kj0000005000IAA", "Closed Won", "won", Decimal("1234.5600"),
     "EUR", 1.0, datetime(2026, 1, 5, 8, 5), date(2026, 3, 31), datetime(2026, 3, 31, 12, 30), "Web", None, None),
    ("006Kj0000005001IAA", "Ventil", "005Kj0000005001IAA", "001Kj0000005001IAA", "Angebot", "open", Decimal("20000.0000"),
     "CHF", 0.5, datetime(2026, 1, 5, 23), date(2026, 4, 30), datetime(2026, 2, 1, 11, 15), "Messe", "anrufen", None),
    ("006Kj0000005002IAA", "Dichtung", "005Kj0000005001IAA", None, "Closed Lost", "lost", None,
     "EUR", 0.0, datetime(2026, 1, 7, 22, 59), date(2026, 5, 13), datetime(2026, 5, 13, 6), None, None, None),
]  # fmt: skip
TOLD = (
    "deal_id, deal_name, owner_rep_id, account_id, stage_id, status, amount, currency_code, probability, created_at, "
    "expected_close_date, updated_at, lead_source, next_step, custom_fields"
)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_the_report_tells_the_same(tmp_path: Path, shape: str) -> None:
    name, content = SHAPES[shape]
    result = imported(tmp_path, {name: content, "users.csv": USERS, "exchange_rates.csv": RATES})
    found = rows(tmp_path, "deals", TOLD)
    if "inside the cells" in shape:  # an empty cell has no currency either
        found[2] = (*found[2][:7], "EUR", *found[2][8:])
    assert found == DEALS
    (deals,) = [file for file in result.files if file.file == name]
    assert (deals.accepted, deals.quarantined, deals.excluded) == (3, 0, 0)
    assert deals.rows_read == deals.accepted + deals.footer
    assert deals.unmapped == ()


@pytest.mark.parametrize(
    ("short", "long"),
    [
        pytest.param("006Kj0000005000", "006Kj0000005000IAA", id="two capitals in the first five"),
        pytest.param("001D000000IqhSL", "001D000000IqhSLIAZ", id="check characters of letters only"),
        pytest.param("00Q00000000000Z", "00Q00000000000ZEAQ", id="capitals at both ends"),
        pytest.param("000000000000000", "000000000000000AAA", id="no capital at all"),
        pytest.param("ABCDEABCDEABCDE", "ABCDEABCDEABCDE555", id="nothing but capitals"),
        pytest.param(" 006Kj0000005000IAA ", "006Kj0000005000IAA", id="complete already"),
        pytest.param("R1", "R1", id="no Salesforce id"),
        pytest.param("", None, id="empty"),
    ],
)
def test_an_id_gets_its_check_characters(short: str, long: str | None) -> None:
    with duckdb.connect() as con:
        con.execute(ID18)
        assert con.execute("SELECT id18(?)", [short]).fetchone() == (long,)


LOADER = """\
Id,Name,StageName,Amount,CurrencyIsoCode,Probability,CloseDate,IsClosed,IsWon,OwnerId,CreatedDate,SystemModstamp
006Kj0000005000IAA,Ölpumpe,Offer,900.00,EUR,50,2026-04-15,false,false,005Kj0000005000IAA,\
2026-01-05T08:05:31.000Z,2026-02-01T08:00:00.000Z
006Kj0000005001IAA,Ventil,Offer,20500.00,CHF,50,2026-04-30,false,false,005Kj0000005001IAA,\
2026-01-05T23:00:10.000Z,2026-02-01T11:15:00.000Z
"""


def test_reports_and_data_loader_files_tell_of_the_same_deals(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "Opportunity.csv": LOADER,
        "OpportunityStage.csv": STAGES,
        "report.csv": GERMAN_TEXT.replace("Closed Won", "Won").encode("cp1252"),
        "users.csv": USERS,
        "exchange_rates.csv": RATES,
    }
    result = imported(tmp_path, files)
    assert rows(tmp_path, "deals", "source_system, deal_id, status, amount, source_ref") == [
        ("salesforce", "006Kj0000005000IAA", "won", Decimal("1234.5600"), "report.csv#2"),
        ("salesforce", "006Kj0000005001IAA", "open", Decimal("20000.0000"), "report.csv#3"),
        ("salesforce", "006Kj0000005002IAA", "lost", None, "report.csv#4"),
    ]
    account = {f.file: (f.rows_read, f.accepted, f.superseded) for f in result.files if f.table == "deals"}
    assert account == {"Opportunity.csv": (2, 0, 2), "report.csv": (3, 3, 0)}


def test_the_label_of_a_stage_is_the_stage_of_that_api_name(tmp_path: Path) -> None:
    stages = STAGES.replace("2,Won,Won,", "2,Auftrag erteilt,Won,")
    text = GERMAN_TEXT.replace("Closed Won", "Auftrag erteilt")
    imported(tmp_path, {"r.csv": text, "OpportunityStage.csv": stages, "exchange_rates.csv": RATES})
    assert rows(tmp_path, "deals", "stage_id", "deal_name = 'Ölpumpe'") == [("Won",)]


def without(text: str, heading: str, delimiter: str = ",") -> str:
    """The text of a report without one of its columns."""
    lines = [line.split(f'"{delimiter}"') for line in text.strip().strip('"').split('"\n"')]
    place = lines[0].index(heading)
    kept = [f'"{delimiter}"'.join(cell for n, cell in enumerate(line) if n != place) for line in lines]
    return '"' + '"\n"'.join(kept) + '"\n'


HISTORY = (
    '"Opportunity Name","From Stage","To Stage","Last Modified"\n"Ventil","","Offer","01/13/2026, 9:00 AM"\n'
)
LEADS = '"Lead Owner","Lead Status","Created Date"\n"Anna Weber","New","01/13/2026"\n'
ACTIVITIES = '"Subject","Assigned","Date","Status"\n"Call","Anna Weber","01/13/2026","Completed"\n'
ACCOUNTS = '"Account Name","Account Owner","Type"\n"Kern AG","Anna Weber","Customer"\n'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param(
            without(ENGLISH_TEXT, "Opportunity ID"),
            "r.csv: opportunities of one name cannot be told apart: add the column 'Opportunity ID' "
            "(German: 'Opportunity-ID') to the report and export it again",
            id="opportunities, English",
        ),
        pytest.param(
            without(GERMAN_TEXT, "Opportunity-ID", ";"), "add the column 'Opportunity ID'", id="opportunities"
        ),
        pytest.param(HISTORY, "r.csv: a change of stage cannot be given to its opportunity by a name", id="history"),
        pytest.param(LEADS, "add the column 'Lead ID' (German: 'Lead-ID')", id="leads"),
        pytest.param(ACTIVITIES, "add the column 'Activity ID' (German: 'Aktivitäts-ID')", id="activities"),
        pytest.param(ACCOUNTS, "add the column 'Account ID' (German: 'Account-ID')", id="accounts"),
    ],
)  # fmt: skip
def test_a_report_of_names_only_is_refused_with_what_to_add(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(SalestrackError) as refused:
        imported(tmp_path, {"r.csv": text})
    assert sentence in str(refused.value)


def test_a_report_without_creation_dates_is_refused_with_the_column(tmp_path: Path) -> None:
    with pytest.raises(SalestrackError) as refused:
        imported(tmp_path, {"r.csv": without(ENGLISH_TEXT, "Created Date")})
    assert "deals cannot do without the columns 'Created Date'" in str(refused.value)


def test_two_people_of_one_name_are_not_guessed(tmp_path: Path) -> None:
    text = GERMAN_TEXT.replace("Anna Weber", "Jörg Groß")
    with pytest.raises(SalestrackError) as refused:
        imported(tmp_path, {"r.csv": text, "users.csv": USERS.replace("Anna,Weber", "jörg,GROß")})
    assert "owner_rep_id 'Jörg Groß' is the name of several reps (005Kj0000005000IAA" in str(refused.value)


@pytest.mark.parametrize(
    ("stage", "status"),
    [
        pytest.param("Geschlossen und gewonnen", "won", id="won in German"),
        pytest.param("Geschlossen und verloren", "lost", id="lost in German"),
        pytest.param("closed won", "won", id="won in English"),
        pytest.param("Auftrag erteilt", "open", id="a stage of one's own is open unless told otherwise"),
    ],
)
def test_what_a_stage_means_without_further_columns(tmp_path: Path, stage: str, status: str) -> None:
    text = GERMAN_TEXT.replace("Closed Won", stage)
    imported(tmp_path, {"r.csv": text, "exchange_rates.csv": RATES})
    assert rows(tmp_path, "deals", "status", "deal_name = 'Ölpumpe'") == [(status,)]


def test_a_stage_of_ones_own_is_won_where_the_company_says_so(tmp_path: Path) -> None:
    text = GERMAN_TEXT.replace("Closed Won", "Auftrag erteilt")
    config = CONFIG + '[stages]\nwon = ["Auftrag erteilt"]\n'
    imported(tmp_path, {"r.csv": text, "exchange_rates.csv": RATES}, config)
    assert rows(tmp_path, "deals", "status, closed_date", "deal_name = 'Ölpumpe'") == [("won", None)]
    assert rows(tmp_path, "deal_versions", "closed_date", "status = 'won'") == [(date(2026, 3, 31),)]
