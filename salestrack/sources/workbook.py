"""Workbooks as text: each sheet becomes a CSV file of machine-written values, row for row.

Limits come first: a workbook of a kilobyte can ask for gigabytes, so sizes and the furthest cell are
looked at in the packed file before anything is read.
"""

from __future__ import annotations

import csv
import re
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path

from python_calamine import CalamineError, CalamineWorkbook

from salestrack.errors import ReadError
from salestrack.sources.decode import Decoded, sha256_of

MOST_BYTES = 512 << 20
MOST_RATIO = 200
MOST_PARTS = 2_000
MOST_CELLS = 20_000_000
_CELL = re.compile(rb'<(?:\w+:)?c [^>]*?r="([A-Z]{1,3})(\d{1,7})"')
_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml")


def sheets(path: Path, name: str, work: Path) -> Iterator[tuple[str, Decoded]]:
    """Every filled sheet of a workbook with its name, as decoded CSV text.

    Raises ReadError for a workbook that is damaged, encrypted or asks for more memory than is sane.
    """
    _check_size(path, name)
    digest, size = sha256_of(path), path.stat().st_size
    try:
        with CalamineWorkbook.from_path(str(path)) as book:
            for number, sheet in enumerate(book.sheet_names):
                rows = book.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
                if any(cell != "" for row in rows for cell in row):
                    target = work / f"{digest[:16]}-{number}.csv"
                    lines = _write(target, rows)
                    yield sheet, Decoded(name, target, digest, size, "workbook", lines, True, False)
    except (CalamineError, OSError, ValueError) as error:
        raise ReadError.workbook(name, f"the workbook cannot be read ({error})") from None


def _write(target: Path, rows: Sequence[Sequence[object]]) -> int:
    """Writes the rows one per line, so that line numbers are the sheet's row numbers."""
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        for row in rows:
            writer.writerow([machine_text(cell).replace("\r", "").replace("\n", " ") for cell in row])
    return len(rows)


def machine_text(cell: object) -> str:
    """A cell's value as text that can be read in one way only.

    >>> machine_text(1234.5), machine_text(1.234), machine_text(3.0), machine_text(True)
    ('1234.5', '1.2340', '3', 'true')
    >>> machine_text(datetime(2026, 10, 31)), machine_text(datetime(2026, 10, 31, 9, 5))
    ('2026-10-31', '2026-10-31 09:05:00')
    """
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):
        if cell.is_integer() and abs(cell) < 1e15:
            return str(int(cell))
        text = repr(cell)
        return text + "0" if re.fullmatch(r"-?\d{1,3}\.\d{3}", text) else text
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ") if cell.time() != time() else cell.date().isoformat()
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return str(int(cell.total_seconds()))
    return str(cell)


def _check_size(path: Path, name: str) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            whole = sum(part.file_size for part in parts)
            if len(parts) > MOST_PARTS or whole > MOST_BYTES:
                raise ReadError.workbook(name, "the workbook is too large when unpacked")
            if whole > 1 << 20 and whole > MOST_RATIO * max(path.stat().st_size, 1):
                raise ReadError.workbook(name, "the workbook is packed more tightly than any real one")
            for part in parts:
                if _SHEET.fullmatch(part.filename):
                    _check_cells(archive, part, name)
    except zipfile.BadZipFile:
        raise ReadError.workbook(
            name, "the workbook is damaged, locked with a password, or no .xlsx at all"
        ) from None


def _check_cells(archive: zipfile.ZipFile, part: zipfile.ZipInfo, name: str) -> None:
    """Refuses a sheet whose furthest cells span more than `MOST_CELLS`."""
    right = bottom = 0
    rest = b""
    with archive.open(part) as file:
        while block := file.read(1 << 20):
            block = rest + block
            for letters, digits in _CELL.findall(block):
                right, bottom = max(right, _number(letters)), max(bottom, int(digits))
            if right * bottom > MOST_CELLS:
                raise ReadError.workbook(name, f"a cell lies at row {bottom:,}, column {right:,}")
            rest = block[-64:]


def _number(letters: bytes) -> int:
    """A column's number from its letters.

    >>> _number(b"AA")
    27
    """
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number
