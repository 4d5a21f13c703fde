"""Faults of data: each case gives the same figures as the clean company, the right ones, a warning, or a refusal in words."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path

import pytest
from faults.company import CLEAN, CONFIG, DEALS, RATES, REPS, Files, books, changed, files, total
from source_files import imported, rows

from salestrack.book import Book
from salestrack.errors import SalestrackError
from salestrack.kpis import bookings, win_rate
from salestrack.quality import plausibility

HEADER, *ROWS = DEALS.splitlines(keepends=True)
GERMAN = "".join(
    line.replace(",", ";").replace("1000.50", "1.000,50").replace("500.00", "500,00").replace("2000.00", "2.000,00")
    .replace("100.00", "100,00")
    for line in [HEADER, *ROWS]
).replace("Gamma", "Gammä")  # fmt: skip
for _iso, _german in (("2026-03-02;2026-03-02", "02.03.2026;02.03.2026"), ("2026-03-05;2026-03-05", "05.03.2026;05.03.2026"),
                      (";2026-05-01", ";01.05.2026"), ("2026-03-09;2026-03-09", "09.03.2026;09.03.2026")):  # fmt: skip
    GERMAN = GERMAN.replace(_iso, _german)
REORDERED = "\n".join(",".join(reversed(line.split(","))) for line in DEALS.splitlines()) + "\n"
WIDER = "".join(line.rstrip("\n") + (",Note\n" if line == HEADER else ",x\n") for line in [HEADER, *ROWS])

SAME: dict[str, Files] = {
    "encoding: a byte order mark": files(DEALS.encode("utf-8-sig")),
    "encoding: UTF-16": files(DEALS.encode("utf-16")),
    "encoding: Windows-1252": files(changed(("Alpha", "Älpha")).encode("cp1252")),
    "line ends: CR": files(DEALS.replace("\n", "\r")),
    "line ends: CRLF": files(DEALS.replace("\n", "\r\n")),
    "cells: a line break, quotes and a comma inside": files(changed(("Alpha", '"Al\npha, ""the"" first"'))),
    "columns: reordered": files(REORDERED),
    "columns: one more": files(WIDER),
    "columns: header in capitals, with spaces": files(changed(("deal_id,deal_name", " DEAL_ID , Deal_Name "))),
    "columns: a delimiter at the end of every row": files(DEALS.replace("\n", ",\n")),
    "German Excel: semicolon, comma, day first": files(GERMAN),
    "German Excel in Windows-1252": files(GERMAN.encode("cp1252")),
    "footer: a total row": files(DEALS + "Total,,,,3600.50,,,,,,\n"),
    "footer: a sentence": files(DEALS + "\nConfidential - do not share\n"),
    "duplicates: the very same row again": files(DEALS + ROWS[0]),
    "duplicates: the file twice": files(deals_again=DEALS) | {"deals_again.csv": DEALS},
    "versions: an older one comes later": files(
        changed(("2026-03-02T10:00:00Z", "2026-03-03T10:00:00Z"))
    ) | {"deals_z.csv": HEADER + ROWS[0].replace("1000.50", "9.00").replace("Won,won", "Offer,open")},
    "versions: overlapping exports out of order": {
        "deals_2.csv": HEADER + ROWS[0] + ROWS[3].replace("100.00", "1.00").replace("03-09T10", "03-01T10"),
        "deals_1.csv": HEADER + "".join(ROWS[1:]),
        "exchange_rates.csv": RATES,
        "reps.csv": REPS,
    },
    "amounts: currency sign and thousands": files(changed(("1000.50", '"€1,000.50"'))),
    "amounts: scientific": files(changed(("2000.00", "2E3"))),
    "currency: lower case with a space": files(changed(("100.00,USD", "100.00, usd"))),
    "time: an offset instead of Z": files(changed(("2026-01-07T23:30:00Z", "2026-01-08T00:30:00+01:00"))),
    "text: a person called NA": files(reps=REPS.replace("Anna Weber", "NA")),
    "text: a deal called null": files(changed(("Alpha", "null"))),
    "text: right to left, an emoji, zero width": files(changed(("Alpha", "\u202eעסקה\u200b🚀"))),
    "text: ten thousand characters": files(changed(("Alpha", "x" * 10_000))),
    "text: a million characters": files(changed(("Alpha", "y" * 1_000_000))),
    "text: a formula": files(changed(("Alpha", '"=HYPERLINK(""http://x"",""y"")"'))),
    "text: markup and templates": files(changed(("Alpha", "<script>alert(1)</script>{{7*7}}${x}"))),
    "text: a space behind an id of a person": files(changed(("EUR,R1,2026-01-05", "EUR,R1 ,2026-01-05"))),
}  # fmt: skip


@pytest.mark.parametrize("given", SAME.values(), ids=SAME.keys())
def test_the_same_figures(tmp_path: Path, given: Files) -> None:
    assert books(tmp_path, given) == CLEAN


REFUSED: dict[str, tuple[Files, tuple[str, ...]]] = {
    "encoding: bytes of no known text": (
        files(b"\x81\x8d\n" + DEALS.encode("cp1252")), ("deals.csv", "line 1")),
    "encoding: zero bytes": (files(changed(("Alpha", "Al\0pha"))), ("deals.csv", "line 2")),
    "columns: missing ones are named, all of them": (
        files(changed(("status,amount", "state,amount"), ("created_at", "made"))), ("status", "created_at")),
    "columns: one twice": (files(changed(("deal_name,stage_id", "deal_name,amount"))), ("amount", "twice")),
    "columns: an unquoted comma": (files(changed(("Alpha", "Al,pha"))), ("deals.csv", "line 2")),
    "half a file: cut inside a row": (files(DEALS[: DEALS.index("D4,Delta") + 20]), ("deals.csv", "line 5")),
    "half a file: cut inside quotes": (files(DEALS[: DEALS.index("Delta")] + '"Del'), ("deals.csv", "line 5")),
    "half a file: empty": (files(b""), ("deals.csv is empty",)),
    "one id, one time, two contents": (
        files(deals_b=HEADER + ROWS[0].replace("1000.50", "7.00")) , ("007", "deals.csv#2", "deals_b.csv#2")),
    "amounts: text": (files(changed(("1000.50", "a lot"))), ("line 2", "amount 'a lot'")),
    "amounts: infinity": (files(changed(("1000.50", "inf"))), ("line 2", "amount 'inf'")),
    "amounts: German and English in one file": (
        files(changed(("1000.50", '"1.000,50"'), ("500.00", "0.5"))), ("1.000,50", "0.5")),
    "amounts: readable in two ways only": (
        files(changed(("1000.50", "1.234"), ("500.00", "500"), ("2000.00", "2.000"), ("100.00", "100"))),
        ("1.234", "number_format")),
    "currency: no rate": (files(exchange_rates=RATES.replace("USD", "CHF")), ("exchange rate",)),
    "currency: a blank rate": (files(exchange_rates=RATES.replace("0.90", "")), ("exchange_rates.csv", "rate is empty")),
    "time: 29 February of no leap year": (
        files(changed(("2026-03-02,2026-03-02", "2026-02-29,2026-02-29"))), ("line 2", "closed_date '2026-02-29'")),
    "time: two forms in one column": (
        files(changed(("2026-03-02,2026-03-02", "2026-03-02,02.03.2026"))), ("2026-10-31", "31.10.2026")),
    "time: day or month first": (
        files(changed(*[(d, f"0{d[6]}/0{d[9]}/2026") for d in
              ("2026-03-02", "2026-03-05", "2026-03-09", "2026-05-01")])
              .replace("03/09/2026T10", "2026-03-09T10").replace("03/05/2026T10", "2026-03-05T10")
              .replace("03/02/2026T10", "2026-03-02T10")), ("date_format",)),
    "ids: blank": (files(changed(("D2,Beta", ",Beta"))), ("line 3", "deal_id is empty")),
    "shape: won, but the row says nothing of when": (
        files(changed(("2026-03-02,2026-03-02", ","))), ("line 2", "no closing day")),
    "status: a word of its own": (files(changed(("Won,won,1000.50", "Won,gewinnend,1000.50"))), ("line 2", "status 'gewinnend'")),
}  # fmt: skip


@pytest.mark.parametrize(("given", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_a_refusal_in_words(tmp_path: Path, given: Files, words: tuple[str, ...]) -> None:
    with pytest.raises(SalestrackError) as refused:
        books(tmp_path, given)
    for word in words:
        assert word in str(refused.value)
    assert "Traceback" not in str(refused.value)


RIGHT: dict[str, tuple[Files, dict[str, object]]] = {
    "header only": (
        files(HEADER) | {"activities.csv": "activity_id,activity_type,started_at\nA1,call,2026-03-31T10:00:00Z\n"},
        {"bookings": 0.0, "won": 0, "pipeline": 0.0, "owners": ""}),
    "an amount that is blank is unknown, not 0": (files(changed(("2000.00,EUR", ",EUR"))), {"pipeline": 0.0, "won": 2}),
    "a credit note lowers what was booked": (
        files(DEALS + ROWS[0].replace("007,", "C1,").replace("1000.50", "(200.50)")), {"bookings": 890.0, "won": 3}),
    "a minus behind the number": (
        files(DEALS + ROWS[0].replace("007,", "C1,").replace("1000.50", "200.50-")), {"bookings": 890.0}),
    "a deleted deal is gone": (
        files(DEALS.replace("updated_at\n", "updated_at,is_deleted\n").replace("10:00:00Z\n", "10:00:00Z,false\n")
              .replace("2026-03-09T10:00:00Z,false", "2026-03-09T10:00:00Z,true")),
        {"bookings": 1000.5, "won": 1, "owners": "R1 R1 R2"}),
    "a reopened deal is open again": (
        files(deals_z=HEADER + ROWS[0].replace("Won,won", "Offer,open").replace("2026-03-02,2026-03-02", ",2026-06-30")
              .replace("2026-03-02T10", "2026-03-20T10")),
        {"bookings": 90.0, "won": 1, "pipeline": 3000.5}),
    "a UTC evening is the next local day": (
        files(changed(("created_at,closed_date", "created_at,closed_at"), ("2026-03-02,2026-03-02,", "2026-03-31T22:30:00Z,2026-03-02,"),
                      ("2026-03-05,2026-03-05", "2026-03-05T09:00:00Z,2026-03-05"), ("2026-03-09,2026-03-09", "2026-03-09T09:00:00Z,2026-03-09"))),
        {"won": 1, "bookings": 90.0}),
    "letter case tells ids apart": (files(DEALS + ROWS[1].replace("D2,", "d2,")), {"win_rate": 2 / 4}),
    "1E3 is not 1000 as an id": (
        files(DEALS + ROWS[1].replace("D2,", "1E3,") + ROWS[1].replace("D2,", "1000,")), {"win_rate": 2 / 5}),
}  # fmt: skip


@pytest.mark.parametrize(("given", "expected"), RIGHT.values(), ids=RIGHT.keys())
def test_the_right_figures(tmp_path: Path, given: Files, expected: dict[str, object]) -> None:
    found = books(tmp_path, given)
    assert {name: found[name] for name in expected} == expected


WARNED: dict[str, tuple[Files, str]] = {
    "open, although its stage means won": (files(changed(("Offer,open", "Won,open"))), "status against stage"),
    "open, with a closing day": (files(changed(("23:30:00Z,,", "23:30:00Z,2026-03-01,"))), "open with closing day"),
    "closed before it was created": (files(changed(("2026-01-05T09", "2026-03-20T09"))), "closed before created"),
    "won without an amount": (files(changed(("1000.50,EUR", ",EUR"))), "won without amount"),
    "a year of long ago": (files(changed(("2026-01-06T09:00:00Z", "1899-12-30T09:00:00Z"))), "implausible day"),
    "a year that never comes": (files(changed((",2026-05-01", ",9999-12-31"))), "implausible day"),
    "a stage that nobody has described": (files(changed(("Offer,open", "Offerr,open"))), "stage without place"),
}  # fmt: skip
STAGES = "stage_id,stage_name,stage_order,stage_type\nOffer,Offer,1,open\nWon,Won,2,won\nLost,Lost,3,lost\n"


@pytest.mark.parametrize(("given", "check"), WARNED.values(), ids=WARNED.keys())
def test_a_warning(tmp_path: Path, given: Files, check: str) -> None:
    imported(tmp_path / "clean", files(stages=STAGES), CONFIG)
    imported(tmp_path / "faulty", given | {"stages.csv": STAGES}, CONFIG)
    levels = []
    for name in ("clean", "faulty"):
        with Book.open(tmp_path / name, "2026-03-31") as book:
            levels.append(plausibility(book).set_index("check").at[check, "level"])
    assert levels[0] == "ok"
    assert levels[1] in ("warn", "fail")


def test_ids_keep_their_zeros(tmp_path: Path) -> None:
    imported(tmp_path, files(), CONFIG)
    assert rows(tmp_path, "deals", "deal_id", "deal_name = 'Alpha'") == [("007",)]


def test_one_name_in_two_spellings_is_one_person(tmp_path: Path) -> None:
    composed, decomposed = "Bj\u00f6rn Kranz", "bjo\u0308rn  KRANZ "
    mapping = """
system = "named"
title = "Named"
[files.named]
match = ["Nr", "Wer"]
[files.named.to.deals]
deal_id = "Nr"
deal_name = "Nr"
status = { const = "open" }
owner_rep_id = { from = "Wer", name_of = "reps" }
created_at = "Am"
"""
    (tmp_path / "mappings").mkdir(parents=True)
    (tmp_path / "mappings" / "named.toml").write_text(mapping, encoding="utf-8")
    text = f"Nr,Wer,Am\n1,{composed},2026-01-01\n2,{decomposed},2026-01-02\n"
    imported(tmp_path, {"named.csv": text, "reps.csv": REPS}, CONFIG)
    assert rows(tmp_path, "deals", "owner_rep_id") == [("R2",), ("R2",)]


def test_large_amounts_to_the_cent(tmp_path: Path) -> None:
    imported(tmp_path, files(changed(("1000.50", "1000000000000.01"))), CONFIG)
    assert total(tmp_path, "deal_id = '007'") == Decimal("1000000000000.01")


def test_ten_thousand_times_ten_cents_are_a_thousand(tmp_path: Path) -> None:
    many = "".join(ROWS[0].replace("007,", f"M{n},").replace("1000.50", "0.10") for n in range(10_000))
    assert books(tmp_path, files(HEADER + many))["bookings"] == 1000.0


@pytest.mark.parametrize(
    ("local", "utc"),
    [("2026-03-29 02:30:00", "2026-03-29 01:30:00"), ("2026-10-25 02:30:00", "2026-10-25 01:30:00")],
    ids=["an hour that there is not", "an hour that there is twice"],
)
def test_hours_around_the_change_of_the_clock(tmp_path: Path, local: str, utc: str) -> None:
    text = changed(("2026-01-08T09:00:00Z", local)).replace("2026-03-09", "2026-12-09")
    imported(tmp_path, files(text), CONFIG)
    (found,) = rows(tmp_path, "deals", "CAST(created_at AS VARCHAR)", "deal_id = 'D4'")
    assert found in [(utc,), (utc.replace("01:30", "00:30"),)]


def test_a_leap_day_is_a_day(tmp_path: Path) -> None:
    imported(tmp_path, files(changed((",2026-05-01", ",2028-02-29"))), CONFIG)
    assert rows(tmp_path, "deals", "CAST(expected_close_date AS VARCHAR)", "deal_id = 'D3'") == [
        ("2028-02-29",)
    ]


def test_an_empty_month_has_no_win_rate(tmp_path: Path) -> None:
    imported(tmp_path, files(), CONFIG)
    with Book.open(tmp_path, "2026-03-31") as book:
        assert math.isnan(book.kpi(win_rate, period="2026-02").iloc[0]["win_rate"])
        assert book.kpi(bookings, period="2026-02").iloc[0]["n"] == 0


@pytest.mark.parametrize(
    "month", ["../../etc", "2026-13", '2026-02"; import os', "2026-2", ""], ids=lambda month: repr(month)
)
def test_a_month_that_is_none_is_refused(tmp_path: Path, month: str) -> None:
    imported(tmp_path, files(), CONFIG)
    with pytest.raises(SalestrackError, match="month"):
        Book.for_month(tmp_path, month or " ")
