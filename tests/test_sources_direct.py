"""A file in order is typed in one pass; one that is not is read with care. Both give the same tables and account."""

import duckdb
import pytest
import source_files as sf

from salestrack.errors import SalestrackError
from salestrack.sources import build
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
