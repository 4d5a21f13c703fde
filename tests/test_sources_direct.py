"""A file in order is typed in one pass; one that is not is read with care. Both give the same tables and account."""

import duckdb
import pytest
import source_files as sf

from salestrack.errors import SalestrackError
from salestrack.sources import build, text, typed
from salestrack.store import Store

DEAL = "006B,Beta,Lost,,EUR,0,2026-03-05,true,false,005X,2026-01-06T09:00:00.000Z,2026-03-05T10:00:00.000Z"
LOOSE = sf.CONFIG + "[import]\nmax_quarantine_share = 1.0\n"


def with_beta(*cells: tuple[str, str]) -> str:
    row = DEAL
    for old, new in cells:
        assert old in row
        row = row.replace(old, new, 1)
    return sf.DEALS.replace(DEAL, row)


IN_ORDER = {
    "as Salesforce writes it": sf.DEALS,
    "no newline at the end": sf.DEALS.rstrip("\n"),
    "a number without a point": sf.DEALS.replace("1000.50", "1000"),
    "quoted cells": sf.DEALS.replace("Beta", '"Beta, Inc."'),
    "a day where a time could be": with_beta(("2026-01-06T09:00:00.000Z", "2026-01-06")),
    "a time where a day could be": with_beta(("2026-03-05,", "2026-03-05T23:30:00.000Z,")),
}
NOT_IN_ORDER = {
    "a line break in a cell": sf.DEALS.replace("Beta", '"Be\nta"'),
    "an empty line": sf.DEALS.replace(DEAL, "\n" + DEAL),
    "a total at the end": sf.DEALS + "Total,,,3000.50,,,,,,,,\n",
    "a total at the end that could be a deal": sf.DEALS + DEAL.replace("006B", "Total") + "\n",
    "a row that is too short": sf.DEALS.replace(DEAL, "006B,Beta"),
    "an amount that is none": with_beta((",,", ",many,")),
    "an amount with thousands": with_beta((",,", ',"1,234.50",')),
    "an amount with a comma, as three thousand or three": with_beta((",,", ',"3,000",')),
    "an amount that only a German writes": with_beta((",,", ',"0,500",')),
    "a share with a per cent sign": with_beta((",0,", ",0%,")),
    "a time with an offset": with_beta(("2026-01-06T09:00:00.000Z", "2026-01-06T09:00:00.000+0200")),
    "a German day": with_beta(("2026-03-05,", "05.03.2026,")),
    "a day that is none": with_beta(("2026-03-05,", "2026-02-30,")),
    "a row without an id": with_beta(("006B,", ",")),
}


def outcome(folder, text):
    """Every table and the account of the import, or why it was refused."""
    folder.mkdir()
    try:
        result = sf.imported(folder, {"Opportunity.csv": text}, LOOSE)
    except SalestrackError as error:
        return str(error)
    tables = {
        name: duckdb.sql(f"FROM '{path}' ORDER BY ALL").fetchall()
        for name, path in Store.open(folder / "store").tables.items()
    }
    return tables, result.files


@pytest.mark.parametrize("text", (IN_ORDER | NOT_IN_ORDER).values(), ids=(IN_ORDER | NOT_IN_ORDER).keys())
def test_one_pass_and_careful_reading_give_the_same(tmp_path, monkeypatch, text):
    quick = outcome(tmp_path / "quick", text)
    monkeypatch.setattr(build, "direct_text", lambda *_: None)
    assert quick == outcome(tmp_path / "careful", text)


@pytest.mark.parametrize("text", (IN_ORDER | NOT_IN_ORDER).values(), ids=(IN_ORDER | NOT_IN_ORDER).keys())
def test_two_halves_give_the_same_as_the_whole(tmp_path, monkeypatch, text):
    whole = outcome(tmp_path / "whole", text)
    monkeypatch.setattr(build, "HALVED", 0)
    assert outcome(tmp_path / "halves", text) == whole


def test_a_large_file_is_read_in_two_halves_once(tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(build, "HALVED", 0)
    monkeypatch.setattr(build, "halves", lambda *a, f=text.halves: read.append(f(*a)) or read[-1])
    many = sf.DEALS + "".join(DEAL.replace("006B", f"X{n}") + "\n" for n in range(100))
    result = sf.imported(tmp_path, {"Opportunity.csv": many}, LOOSE)
    assert [half.rows for half in read[0]] == [51, 52]
    assert [(f.rows_read, f.accepted) for f in result.files] == [(103, 103)]
    assert sf.rows(tmp_path, "deals", "source_ref", "deal_id = 'X99'") == [("Opportunity.csv#104",)]


def test_two_contents_of_one_id_in_two_halves_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "HALVED", 0)
    many = (
        GERMAN
        + "".join(f"M{n};03.02.2026;tools;1,50;EUR;\n" for n in range(100))
        + "K1;01.02.2026;tools;9,50;EUR;a\n"
    )
    with pytest.raises(SalestrackError, match="K1 stands in costs.csv#106 and costs.csv#2"):
        sf.imported(tmp_path, {"costs.csv": many}, LOOSE)


@pytest.mark.parametrize(
    ("text", "again"),
    [(text, False) for text in IN_ORDER.values()] + [(text, True) for text in NOT_IN_ORDER.values()],
    ids=[*IN_ORDER, *NOT_IN_ORDER],
)
def test_a_file_in_order_is_not_read_a_second_time(tmp_path, monkeypatch, text, again):
    read = []
    monkeypatch.setattr(build, "read_text", lambda *a, f=build.read_text: read.append(a[1].name) or f(*a))
    outcome(tmp_path / "company", text)
    assert read == ["Opportunity.csv"] * again


GERMAN = """cost_id;cost_date;cost_type;amount;currency_code;Notiz
K1;01.02.2026;tools;1.000,50;EUR;a
K2;02.02.2026;event;20,5;EUR;
K3;13.02.2026;event;7;EUR;b
K4;14.02.2026;tools;1.234.567,00;EUR;c
"""
ENGLISH = (
    GERMAN.replace("1.234.567,00", "1,234,567.00").replace("1.000,50", "1,000.50").replace("20,5", "20.5")
)
FORMS = {
    "German throughout": (GERMAN, False),
    "English throughout, days first": (ENGLISH, False),
    "days with slashes": (GERMAN.replace(".02.2026", "/02/2026"), True),
    "the 13th comes among the first rows": (GERMAN.replace(".02.2026", "/02/2026").replace("02/02", "25/02"), False),
    "whole numbers first": (GERMAN.replace("1.000,50", "1000").replace("20,5", "20"), True),
    "later an English number": (GERMAN.replace("1.234.567,00", "0.75"), True),
    "later a number in two readings": (GERMAN.replace("1.234.567,00", "1.234"), False),
    "later a number with three decimals or thousands": (GERMAN.replace("1.234.567,00", "0.123"), True),
    "later a minus behind": (GERMAN.replace("1.234.567,00", "5,00-"), True),
    "later an ISO day": (GERMAN.replace("14.02.2026", "2026-02-14"), True),
    "later a day that is none": (GERMAN.replace("14.02.2026", "31.02.2026"), True),
    "later a time of day": (GERMAN.replace("14.02.2026", "14.02.2026 10:00"), True),
    "two readings among the first rows": (
        GERMAN.replace("1.000,50", "1.000").replace("20,5", "20").replace("1.234.567,00", "2,5"), True),
}  # fmt: skip


@pytest.mark.parametrize(("text", "again"), FORMS.values(), ids=FORMS.keys())
def test_the_form_that_the_first_rows_prove_holds_or_the_file_is_read_again(
    tmp_path, monkeypatch, text, again
):
    monkeypatch.setattr(typed, "FIRST_ROWS", 2)
    read = []
    monkeypatch.setattr(build, "read_text", lambda *a, f=build.read_text: read.append(a[1].name) or f(*a))
    quick = german_outcome(tmp_path / "quick", text)
    assert read == ["costs.csv"] * again
    monkeypatch.setattr(build, "direct_text", lambda *_: None)
    assert quick == german_outcome(tmp_path / "careful", text)


def german_outcome(folder, text):
    """The costs and their account, or why they were refused."""
    try:
        result = sf.imported(folder, {"costs.csv": text}, LOOSE)
    except SalestrackError as error:
        return str(error)
    facts = [(f.rows_read, f.accepted, f.quarantined, f.amounts) for f in result.files]
    return sf.rows(folder, "costs", "*"), facts, sf.rows(folder, "quarantine", "*")
