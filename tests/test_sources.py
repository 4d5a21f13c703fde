"""What becomes of a file: a sound three-row file, then the same file with one thing different or broken."""

from datetime import date, datetime
from decimal import Decimal

import pytest
import source_files as sf
import xlsxwriter

from salestrack.errors import SalestrackError

GERMAN = (
    "cost_id;cost_date;cost_type;amount;currency_code\n"
    "K1;01.01.2026;tools;1.000,50;EUR\nK2;01.02.2026;tools;2.000,25;EUR\nK3;01.03.2026;event;3.000,00;EUR\n"
)
AMOUNTS = [("K1", Decimal("1000.5000")), ("K2", Decimal("2000.2500")), ("K3", Decimal("3000.0000"))]
NOT_STRICT = sf.CONFIG + "[import]\nmax_quarantine_share = 1.0\n"


def changed(old, new, text=sf.COSTS):
    assert old in text
    return text.replace(old, new)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(sf.COSTS, id="as it should be"),
        pytest.param(GERMAN, id="German: semicolon, decimal comma, day first"),
        pytest.param(GERMAN.encode("cp1252"), id="Windows-1252"),
        pytest.param(sf.COSTS.encode("utf-8-sig"), id="UTF-8 with a byte order mark"),
        pytest.param(sf.COSTS.encode("utf-16"), id="UTF-16"),
        pytest.param(sf.COSTS.encode("utf-16-le"), id="UTF-16 without a byte order mark"),
        pytest.param(sf.COSTS.replace("\n", "\r\n"), id="Windows line ends"),
        pytest.param(sf.COSTS.replace("\n", "\r"), id="old Mac line ends"),
        pytest.param(sf.COSTS.rstrip("\n"), id="no line end after the last row"),
        pytest.param(sf.COSTS.replace(",", "\t"), id="tabs"),
        pytest.param(sf.COSTS.replace(",", "|"), id="bars"),
        pytest.param("Costs of 2026\n\n" + sf.COSTS, id="a title above the header"),
        pytest.param(
            changed("cost_id,cost_date", " COST_ID ,Cost_Date"), id="header in another case, with spaces"
        ),
        pytest.param(sf.COSTS.replace("\n", ",\n"), id="a delimiter at the end of every row"),
        pytest.param(changed("K1,", "\nK1,"), id="an empty line between rows"),
        pytest.param(sf.COSTS + "Total,,,6000.75,\n", id="a total row is never counted"),
        pytest.param(sf.COSTS + "\nConfidential\n", id="a footer after the data"),
        pytest.param(changed("1000.50", '" € 1,000.50 "'), id="a currency sign and thousands"),
        pytest.param(changed("3000.00", "3E3"), id="scientific notation"),
        pytest.param(changed("2026-01-01", "2026-01-01 00:00:00"), id="a day with a time"),
    ],
)
def test_the_same_facts_in_another_form(tmp_path, content):
    result = sf.imported(tmp_path, {"costs.csv": content})
    assert sf.rows(tmp_path, "costs", "cost_id, amount") == AMOUNTS
    assert sf.rows(tmp_path, "costs", "cost_date") == [(date(2026, m, 1),) for m in (1, 2, 3)]
    assert [r.accepted for r in result.files] == [3]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(b"", "costs.csv is empty", id="empty file"),
        pytest.param(
            changed("tools,1000", "to\0ols,1000"),
            "costs.csv, line 2: the file holds zero bytes",
            id="zero bytes",
        ),
        pytest.param(
            b"cost_id,\x81\n",
            "costs.csv, line 1: the text is neither UTF-8 nor Windows-1252",
            id="no known text",
        ),
        pytest.param(
            changed("cost_date,cost_type", "cost_dat,kind"),
            "needs 'cost_date', did you mean 'cost_dat'?, 'cost_type'",
            id="missing columns are named, all at once, with the nearest name",
        ),
        pytest.param(
            sf.COSTS.replace("cost_type,amount", "cost_type,amount,amount")
            .replace("tools,", "tools,1,")
            .replace("event,", "event,1,"),
            "costs.csv: the column 'amount' stands there twice",
            id="a column twice",
        ),
        pytest.param(
            changed("tools,1000.50", "tools,office,1000.50"),
            "costs.csv: 1 of 3 rows cannot be used, the first is line 2: the row has 6 cells, the header 5",
            id="an unquoted comma",
        ),
        pytest.param(
            sf.COSTS.rstrip("\n")[:-9],
            "costs.csv, line 4: the file ends in the middle of a row",
            id="cut inside a row",
        ),
        pytest.param(
            sf.COSTS + 'K4,2026-04-01,"tools',
            "costs.csv, line 5: the file ends in the middle of a row",
            id="cut inside quotes",
        ),
        pytest.param(
            changed("1000.50", "abc"), "line 2: amount 'abc' is not a number", id="text for an amount"
        ),
        pytest.param(changed("1000.50", "inf"), "line 2: amount 'inf' is not a number", id="infinity"),
        pytest.param(changed("1000.50", ""), "line 2: amount is empty", id="blank is not 0"),
        pytest.param(
            changed("2026-02-01", "2026-02-29"),
            "line 3: cost_date '2026-02-29' is not a date",
            id="a day that is not",
        ),
        pytest.param(
            changed("K3,2026-03-01,event", "K3,2026-03-01,party"),
            "line 4: cost_type 'party' is not one of",
            id="unknown kind",
        ),
        pytest.param(changed("K2,", ","), "line 3: cost_id is empty", id="blank id"),
        pytest.param(
            changed("2000.25,EUR", "2000.25,"), "line 3: currency_code is empty", id="blank currency"
        ),
        pytest.param(
            changed("1000.50", '"1.000,50"'),
            "costs.csv: the numbers are written in two forms, 2000.25 (line 3) and 1.000,50 (line 2)",
            id="German and English numbers in one file",
        ),
        pytest.param(
            sf.COSTS.replace("1000.50", "1.000").replace("2000.25", "2.000").replace("3000.00", "3.000"),
            "costs.csv: numbers such as 1.000 (line 2) can be read in two ways: set number_format",
            id="only numbers that can be read in two ways",
        ),
        pytest.param(
            changed("2026-02-01", "01.02.2026"),
            "the dates in 'cost_date' are written in two forms, 31.10.2026 and 2026-10-31",
            id="two date forms in one column",
        ),
        pytest.param(
            sf.COSTS.replace("2026-01-01", "01/01/2026")
            .replace("2026-02-01", "01/02/2026")
            .replace("2026-03-01", "01/03/2026"),
            "dates such as 01/01/2026 can be read in two ways: set date_format",
            id="day or month first",
        ),
        pytest.param(
            sf.COSTS + "K1,2026-01-01,tools,7.00,EUR\n",
            "costs K1 stands in costs.csv#2 and costs.csv#5",
            id="one id, two contents",
        ),
    ],
)
def test_what_cannot_be_read_for_certain_is_refused_in_words(tmp_path, content, sentence):
    with pytest.raises(SalestrackError) as refused:
        sf.imported(tmp_path, {"costs.csv": content})
    assert sentence in str(refused.value)
    assert not (tmp_path / "store" / "CURRENT").exists()


@pytest.mark.parametrize(
    ("setting", "days"),
    [
        ("dmy", [date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)]),
        ("mdy", [date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 3)]),
    ],
)
def test_the_answer_to_a_question_about_dates_counts(tmp_path, setting, days):
    slashed = (
        sf.COSTS.replace("2026-01-01", "01/01/2026")
        .replace("2026-02-01", "01/02/2026")
        .replace("2026-03-01", "01/03/2026")
    )
    sf.imported(tmp_path, {"costs.csv": slashed}, sf.CONFIG + f'[import]\ndate_format = "{setting}"\n')
    assert sf.rows(tmp_path, "costs", "cost_date") == [(day,) for day in days]


@pytest.mark.parametrize(("setting", "amount"), [("de", "1000.0000"), ("en", "1.0000")])
def test_the_answer_to_a_question_about_numbers_counts(tmp_path, setting, amount):
    odd = "cost_id,cost_date,cost_type,amount\nK1,2026-01-01,tools,1.000\n"
    sf.imported(tmp_path, {"costs.csv": odd}, sf.CONFIG + f'[import]\nnumber_format = "{setting}"\n')
    assert sf.rows(tmp_path, "costs", "amount, currency_code") == [(Decimal(amount), "EUR")]


def test_a_bad_row_goes_to_quarantine_with_all_its_reasons(tmp_path):
    bad = changed("K2,2026-02-01,tools,2000.25", "K2,32.13.2026,party,abc")
    result = sf.imported(tmp_path, {"costs.csv": bad}, NOT_STRICT).files[0]
    assert (result.rows_read, result.accepted, result.quarantined) == (3, 2, 1)
    assert result.amounts == {"amount": {"accepted": "4000.5000", "quarantined": "0.0000"}}
    assert sf.rows(tmp_path, "quarantine", "table_name, file, line, reasons, reason_de, original") == [
        (
            "costs",
            "costs.csv",
            3,
            '["date:cost_date","value:cost_type","number:amount"]',
            "cost_date „32.13.2026“ ist kein Datum; cost_type „party“ ist kein bekannter Wert; "
            "amount „abc“ ist keine Zahl",
            '{"cost_id":"K2","cost_date":"32.13.2026","cost_type":"party","amount":"abc","currency_code":"EUR"}',
        )
    ]


def test_amounts_of_quarantined_rows_are_reported(tmp_path):
    result = sf.imported(tmp_path, {"costs.csv": changed("event", "party")}, NOT_STRICT).files[0]
    assert result.amounts == {"amount": {"accepted": "3000.7500", "quarantined": "3000.0000"}}


def test_lines_are_right_after_a_line_break_inside_a_cell(tmp_path):
    head = "response_id,survey_type,score,responded_at,comment\n"
    text = head + 'A,nps,9,2026-01-01,"one\ntwo"\nB,nps,3,2026-01-02,\n'
    sf.imported(tmp_path, {"surveys.csv": text})
    assert sf.rows(tmp_path, "surveys", "response_id, source_ref") == [
        ("A", "surveys.csv#2"),
        ("B", "surveys.csv#4"),
    ]


def test_columns_without_a_meaning_are_listed_and_kept(tmp_path):
    text = changed("currency_code\n", "currency_code,Cost centre\n").replace("EUR\n", "EUR,007\n")
    result = sf.imported(tmp_path, {"costs.csv": text}).files[0]
    assert result.unmapped == ("Cost centre",)
    assert sf.rows(tmp_path, "costs", "DISTINCT custom_fields") == [('{"Cost centre":"007"}',)]


def test_text_stays_text(tmp_path):
    names = ["=1+1", "NA", "null", "<script>alert(1)</script>", "Jürgen 🦊", "0012", "O'Neill; DROP"]
    body = "".join(f'0{n},"{name}"\n' for n, name in enumerate(names))
    sf.imported(tmp_path, {"teams.csv": "team_id,team_name\n" + body})
    assert sf.rows(tmp_path, "teams", "team_id, team_name") == [
        (f"0{n}", name) for n, name in enumerate(names)
    ]


def test_a_header_alone_is_a_table_without_rows(tmp_path):
    result = sf.imported(tmp_path, {"costs.csv": sf.COSTS.splitlines()[0] + "\n"})
    assert (result.files[0].rows_read, result.files[0].accepted) == (0, 0)


def workbook(path, rows, sheet="costs"):
    with xlsxwriter.Workbook(path) as book:
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        page = book.add_worksheet(sheet)
        for number, row in enumerate(rows):
            for place, cell in enumerate(row):
                if isinstance(cell, datetime):
                    page.write_datetime(number, place, cell, day)
                else:
                    page.write(number, place, cell)


def test_a_workbook_is_read_with_its_own_types(tmp_path):
    head = ["cost_id", "cost_date", "cost_type", "amount"]
    sf.company(tmp_path, {})
    workbook(
        tmp_path / "raw" / "costs.xlsx",
        [
            ["Costs"],
            head,
            ["K1", datetime(2026, 1, 1), "tools", 1.234],
            ["K2", datetime(2026, 2, 1), "event", 1000],
        ],
    )
    sf.imported(tmp_path, {})
    assert sf.rows(tmp_path, "costs", "cost_id, cost_date, amount, source_ref") == [
        ("K1", date(2026, 1, 1), Decimal("1.2340"), "costs.xlsx#3"),
        ("K2", date(2026, 2, 1), Decimal("1000.0000"), "costs.xlsx#4"),
    ]


@pytest.mark.parametrize("content", [b"PK\x03\x04 no workbook", b"\xd0\xcf\x11\xe0 locked"])
def test_a_damaged_workbook_is_refused(tmp_path, content):
    with pytest.raises(SalestrackError, match=r"costs.xlsx: the workbook is damaged, locked"):
        sf.imported(tmp_path, {"costs.xlsx": content})


def test_a_workbook_with_a_cell_far_away_is_refused_before_it_is_read(tmp_path):
    sf.company(tmp_path, {})
    with xlsxwriter.Workbook(tmp_path / "raw" / "costs.xlsx") as book:
        book.add_worksheet("costs").write(1048575, 16383, 1)
    with pytest.raises(SalestrackError, match="a cell lies at row 1,048,576, column 16,384"):
        sf.imported(tmp_path, {})
