"""Templates for lists kept by hand: what is in them, and that they are read however people fill them in."""

from __future__ import annotations

import zipfile
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import source_files as sf
import xlsxwriter
from python_calamine import CalamineWorkbook

from salestrack.cli import cli
from salestrack.errors import CannotWrite, InputError, ReadError
from salestrack.exports.manual import templates
from salestrack.importing import import_company
from salestrack.schema import TABLES, words
from salestrack.sources.mapping import canonical_mapping, normal, required

NOT_BY_HAND = ("source_system", "source_ref", "custom_fields")
LANGUAGES = ("de", "en")


def filled(folder: Path, name: str, rows: list[list[object]], sheet: str) -> str:
    """Imports a company with one workbook of these rows; what the import tells about its file."""
    (folder / "raw").mkdir(parents=True)
    days = {"default_date_format": "dd.mm.yyyy hh:mm", "strings_to_numbers": False}
    with xlsxwriter.Workbook(folder / "raw" / name, days) as book:
        page = book.add_worksheet(sheet)
        for number, row in enumerate(rows):
            page.write_row(number, 0, row)
    (result,) = sf.imported(folder, {}).files
    return f"{result.table}: {result.rows_read} read, {result.accepted} accepted"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("table", words.FILLED)
def test_a_template_has_every_column_of_its_table_and_explains_it(tmp_path, table, language):
    (path,) = templates(tmp_path, language, [table])
    book = CalamineWorkbook.from_path(str(path))
    title, notes = book.sheet_names
    (header,) = book.get_sheet_by_name(title).to_python()
    columns = [name for name in TABLES[table].imported if name not in NOT_BY_HAND]
    assert (title, path.stem) == (words.title(table, language),) * 2
    assert header == [words.heading(table, name, language) for name in columns]
    explained = book.get_sheet_by_name(notes).to_python(skip_empty_area=False)
    assert words.one_row(table, language) in explained[0][0]
    assert [row[:2] for row in explained[3:]] == [
        [words.heading(table, name, language), words.meaning(table, name, language)] for name in columns
    ]
    assert [bool(row[2]) for row in explained[3:]] == [name in required(TABLES[table]) for name in columns]


@pytest.mark.parametrize("table", words.FILLED)
def test_words_for_a_table_are_complete_and_mean_one_column_each(table):
    spec = canonical_mapping().files[table]
    columns = [name for name in TABLES[table].imported if name not in NOT_BY_HAND]
    for language in LANGUAGES:
        headings = [words.heading(table, name, language) for name in columns]
        assert [spec.known[normal(heading)] for heading in headings] == columns
        for name in columns:
            choices = [words.value(name, value, language) for value in TABLES[table].columns[name].values]
            assert len(",".join(choices)) <= 255, "Excel takes no longer list of values"
            assert len({choice.casefold() for choice in choices}) == len(choices)
            assert len(words.meaning(table, name, language)) <= 255, "Excel shows no longer hint"
    assert len(words.title(table, "de")) <= 31, "Excel takes no longer title of a sheet"


def test_a_template_offers_values_and_holds_no_macro_and_no_formula(tmp_path):
    (path,) = templates(tmp_path, "de", ["deals"])
    with zipfile.ZipFile(path) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
        styles = archive.read("xl/styles.xml").decode()
        names = archive.namelist()
    assert '"offen,gewonnen,verloren"' in sheet
    assert '"ja,nein"' in sheet
    assert "dd.mm.yyyy" in styles
    assert "<f>" not in sheet
    assert not [name for name in names if "vba" in name.casefold() or "external" in name.casefold()]


def test_templates_are_written_again_byte_for_byte(tmp_path):
    first, second = (templates(tmp_path / name, "de", ["costs"])[0].read_bytes() for name in "ab")
    assert first == second


def test_an_empty_template_is_read_as_a_table_without_rows(tmp_path):
    company = sf.company(tmp_path, {})
    templates(company / "raw", "de")
    result = import_company(company)
    assert {file.table for file in result.files} - {None} == set(words.FILLED)
    assert {(file.accepted, file.quarantined) for file in result.files} == {(0, 0)}
    assert "Verkaufschancen.xlsx [Hinweise]: explanations, left alone" in result.summary()


DEALS = [
    "Chancen-ID",
    "Bezeichnung",
    "Status",
    "Betrag",
    "Wahrscheinlichkeit",
    "Angelegt am",
    "Abgeschlossen am",
]
WANTED = [
    ("1", "Pumpen", "won", Decimal("1234.5000"), 1.0, datetime(2026, 3, 1, 23), date(2026, 3, 31)),
    ("2", "Ventile", "lost", Decimal("1500000.0000"), 0.0, datetime(2026, 3, 2, 8, 30), date(2026, 4, 1)),
    ("3", "Filter", "open", Decimal("1.2500"), 0.4, datetime(2026, 7, 3, 7, 30), None),
]
REAL = [
    DEALS,
    ["1", "Pumpen", "gewonnen", 1234.5, 1, datetime(2026, 3, 2), datetime(2026, 3, 31)],
    ["2", "Ventile", "verloren", 1_500_000, 0, datetime(2026, 3, 2, 9, 30), datetime(2026, 4, 1)],
    ["3", "Filter", "offen", 1.25, 0.4, datetime(2026, 7, 3, 9, 30), None],
]
TEXT = [
    DEALS,
    ["1", "Pumpen", "gewonnen", "1.234,50 €", "100 %", "02.03.2026", "31.03.2026"],
    ["2", "Ventile", "Verloren", "1.500.000", "0 %", "2.3.2026 9:30", "01.04.2026"],
    ["3", "Filter", "offen ", "1,25", "40 %", "03.07.2026 09:30", None],
]
MIXED = [TEXT[0], REAL[1], TEXT[2], REAL[3]]
ENGLISH = [
    ["Deal ID", "Deal name", "Status", "Amount", "Probability", "Created at", "Closed date"],
    ["1", "Pumpen", "won", 1234.5, 1, datetime(2026, 3, 2), datetime(2026, 3, 31)],
    ["2", "Ventile", "Lost", 1_500_000, 0, datetime(2026, 3, 2, 9, 30), datetime(2026, 4, 1)],
    ["3", "Filter", "open", 1.25, 0.4, datetime(2026, 7, 3, 9, 30), None],
]


@pytest.mark.parametrize(
    ("rows", "sheet"),
    [
        pytest.param(REAL, "Verkaufschancen", id="real dates and numbers"),
        pytest.param(TEXT, "Verkaufschancen", id="everything typed as text in German form"),
        pytest.param(MIXED, "Verkaufschancen", id="some cells real, some pasted as text"),
        pytest.param(ENGLISH, "Deals", id="English headings and values"),
        pytest.param([*REAL, [None] * 7, [None] * 7], "Verkaufschancen", id="empty rows at the end"),
    ],
)
def test_a_filled_template_gives_the_same_rows_however_it_was_filled_in(tmp_path, rows, sheet):
    assert filled(tmp_path, f"{sheet} 2026.xlsx", rows, sheet) == "deals: 3 read, 3 accepted"
    columns = "deal_id, deal_name, status, amount, probability, created_at, closed_date"
    assert sf.rows(tmp_path, "deals", columns) == WANTED


def test_a_list_under_another_name_is_known_by_its_sheet(tmp_path):
    company = sf.company(tmp_path, {})
    (path,) = templates(company / "raw", "de", ["deals"])
    path.rename(path.with_name("Kopie von Anna.xlsx"))
    assert {file.table for file in import_company(company).files} == {"deals", None}


def test_real_numbers_do_not_settle_how_a_number_typed_as_text_is_read(tmp_path):
    rows = [["Kosten-ID", "Datum", "Kostenart", "Betrag"]]
    rows += [["1", date(2026, 1, 1), "Werbung", 0.5], ["2", date(2026, 1, 1), "Werbung", "1.234"]]
    with pytest.raises(ReadError, match=r"numbers such as 1.234 \(line 3\) can be read in two ways"):
        filled(tmp_path, "Kosten.xlsx", rows, "Kosten")


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        pytest.param("1:30", 5400, id="hours and minutes"),
        pytest.param("0:00:45", 45, id="with seconds"),
        pytest.param("1200", 1200, id="seconds, as our own layout has them"),
        pytest.param("", None, id="unknown"),
    ],
)
def test_durations_are_hours_and_minutes_or_seconds(tmp_path, written, seconds):
    sf.imported(tmp_path, {"activities.csv": f"activity_id,activity_type,duration_s\n1,call,{written}\n"})
    assert sf.rows(tmp_path, "activities", "duration_s") == [(seconds,)]


def test_a_wrong_value_is_refused_with_the_heading_that_people_see(tmp_path):
    rows = [["Kosten-ID", "Datum", "Kostenart", "Betrag"], ["1", "01.01.2026", "Werbungg", "5,00"]]
    with pytest.raises(ReadError, match=r"'Werbungg' in Kostenart|Kostenart.*Werbungg"):
        filled(tmp_path, "Kosten.xlsx", rows, "Kosten")


def test_the_command_names_the_files_it_wrote(tmp_path):
    from click.testing import CliRunner

    done = CliRunner().invoke(cli, ["template", str(tmp_path / "out"), "Ziele", "deals", "--language", "de"])
    assert done.output.split() == [f"{tmp_path}/out/Ziele.xlsx", f"{tmp_path}/out/Verkaufschancen.xlsx"]


def test_an_unknown_table_is_named_with_the_nearest_one(tmp_path):
    with pytest.raises(InputError, match="there is no template 'deal', did you mean 'deals'"):
        templates(tmp_path, "en", ["deal"])


def test_a_filled_list_is_never_overwritten(tmp_path):
    templates(tmp_path, "en", ["deals"])
    with pytest.raises(CannotWrite, match=r"Deals.xlsx is there already: give another folder"):
        templates(tmp_path, "en", ["costs", "deals"])
    assert not (tmp_path / "Costs.xlsx").exists()
