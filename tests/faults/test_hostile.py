"""Hostile files are refused in words, in bounded memory and time: each import runs in a process with a gigabyte."""

from __future__ import annotations

import resource
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from faults.company import CONFIG, DEALS
from source_files import company

MEMORY = 4 << 30
"""Address space of the process: DuckDB and Polars alone reserve more than a gigabyte of it without using it."""
PEAK = 1 << 20
"""Kilobytes that it may really use."""
SECONDS = 30

HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
TYPES = (
    HEAD + '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
    '<Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
    "</Types>"
)
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def _relations(kind: str, target: str) -> str:
    return (
        HEAD + '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="rId1" Type="{OFFICE}/{kind}" Target="{target}"/></Relationships>'
    )


def workbook(path: Path, sheet: str, before: str = "") -> None:
    """A workbook by hand whose one sheet holds `sheet`; `before` stands before its root element."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", TYPES)
        archive.writestr("_rels/.rels", _relations("officeDocument", "xl/workbook.xml"))
        archive.writestr("xl/_rels/workbook.xml.rels", _relations("worksheet", "worksheets/sheet1.xml"))
        book = '<sheets><sheet name="deals" sheetId="1" r:id="rId1"/></sheets>'
        archive.writestr(
            "xl/workbook.xml", f'{HEAD}<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}">{book}</workbook>'
        )
        data = f'<worksheet xmlns="{MAIN}"><sheetData>{sheet}</sheetData></worksheet>'
        archive.writestr("xl/worksheets/sheet1.xml", HEAD + before + data)


def _text(cell: str, text: str) -> str:
    return f'<c r="{cell}" t="inlineStr"><is><t>{text}</t></is></c>'


def zip_bomb(folder: Path) -> None:
    workbook(folder / "deals.xlsx", '<row r="1">' + _text("A1", "x" * (300 << 20)) + "</row>")


def giant_text(folder: Path) -> None:
    text = DEALS.replace("Alpha", "x" * (40 << 20))
    (folder / "deals.csv").write_text(text, encoding="utf-8")


def entities(folder: Path) -> None:
    """Ten entities, each ten times the one before: a thousand million characters if anybody resolved them."""
    names = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    before = f'<!DOCTYPE w [<!ENTITY e0 "xxxxxxxxxx">{names}]>'
    workbook(folder / "deals.xlsx", '<row r="1">' + _text("A1", "&e9;") + "</row>", before)


def foreign_entity(folder: Path) -> None:
    before = '<!DOCTYPE w [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    workbook(folder / "deals.xlsx", '<row r="1">' + _text("A1", "deal_id &e;") + "</row>", before)


def far_cell(folder: Path) -> None:
    workbook(folder / "deals.xlsx", '<row r="1048576">' + _text("XFD1048576", "x") + "</row>")


def many_columns(folder: Path) -> None:
    (folder / "deals.csv").write_text(",".join(f"c{n}" for n in range(200_000)) + "\n", encoding="utf-8")


def many_quotes(folder: Path) -> None:
    (folder / "deals.csv").write_text(DEALS + '"' * 5_000_001, encoding="utf-8")


CASES: dict[Callable[[Path], None], str] = {
    zip_bomb: "packed more tightly",
    giant_text: "deals.csv",
    entities: "deals.xlsx",
    foreign_entity: "deals.xlsx",
    far_cell: "a cell lies at row 1,048,576",
    many_columns: "deals.csv",
    many_quotes: "deals.csv",
}


@pytest.mark.parametrize(("make", "words"), CASES.items(), ids=lambda case: getattr(case, "__name__", ""))
def test_a_hostile_file_is_refused(tmp_path: Path, make: Callable[[Path], None], words: str) -> None:
    company(tmp_path, {}, CONFIG)
    make(tmp_path / "raw")
    code = (
        "import resource, sys; from salestrack.cli import main; sys.argv = ['salestrack', 'import', '--data', sys.argv[1]]\n"
        "try: main()\n"
        "finally: print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    )
    said = done.stdout + done.stderr
    assert done.returncode in (65, 66), said
    assert words in done.stderr
    assert "Traceback" not in said
    assert "root:" not in said
    assert int(done.stdout.rsplit("peak", 1)[1]) < PEAK
