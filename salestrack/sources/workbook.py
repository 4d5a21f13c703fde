"""Workbooks as text: each sheet becomes a CSV file of machine-written values, row for row.

Limits come first: a workbook of a kilobyte can ask for gigabytes, so sizes and the furthest cell are
looked at in the packed file before anything is read.
"""

from __future__ import annotations

import csv
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from pathlib import Path

from python_calamine import CalamineError, CalamineWorkbook

from salestrack.duck import is_full
from salestrack.errors import ReadError
from salestrack.sources.decode import Decoded, sha256_of
from salestrack.sources.formats import EITHER, GERMAN

MOST_BYTES = 512 << 20
MOST_RATIO = 200
MOST_PARTS = 2_000
MOST_CELLS = 20_000_000
_CELL = re.compile(rb'<(?:\w+:)?c [^>]*?r="([A-Z]{1,3})(\d{1,7})"')
_NUMBER = re.compile(rf"[-+]?({GERMAN}|{EITHER})(\s*[€%])?")
_DOTTED = re.compile(r"\d{1,2}\.\d{1,2}\.\d{4}( \d{1,2}:\d{2}(:\d{2})?)?")
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
        if is_full(error):
            raise
        raise ReadError.workbook(name, f"the workbook cannot be read ({error})") from None


def _write(target: Path, rows: Sequence[Sequence[object]]) -> int:
    """Writes the rows one per line, so that line numbers are the sheet's row numbers."""
    dated = _dated(rows)
    number = neutral_number if _has_number_as_text(rows) else machine_text
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        for row in rows:
            texts = (
                day_in_text(cell) if place in dated else number(cell) if isinstance(cell, float) else cell
                for place, cell in enumerate(row)
            )
            cells = [machine_text(text).replace("\r", "").replace("\n", " ") for text in texts]
            writer.writerow(cells if any(cells) else [])
    return len(rows)


def _has_number_as_text(rows: Sequence[Sequence[object]]) -> bool:
    """Whether somebody typed or pasted a number as text, so that its form is to be found out.

    The real numbers of the sheet must then be no evidence for a decimal point.
    """
    return any(isinstance(cell, str) and _NUMBER.fullmatch(cell.strip()) for row in rows for cell in row)


def _dated(rows: Sequence[Sequence[object]]) -> frozenset[int]:
    """The columns in which real days stand beside days typed as text, such as 31.10.2026."""
    real = {place for row in rows for place, cell in enumerate(row) if isinstance(cell, date)}
    return frozenset(
        place
        for row in rows
        for place, cell in enumerate(row)
        if place in real and isinstance(cell, str) and _DOTTED.fullmatch(cell.strip())
    )


def day_in_text(cell: object) -> object:
    """A day typed as text, with or without a time, as machine text; anything else as it is.

    >>> day_in_text("31.10.2026"), day_in_text("1.2.2026 9:05"), day_in_text("32.10.2026"), day_in_text(7)
    ('2026-10-31', '2026-02-01 09:05:00', '32.10.2026', 7)
    """
    if not isinstance(cell, str) or not _DOTTED.fullmatch(cell.strip()):
        return cell
    for form in ("%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S"):
        with suppress(ValueError):
            return machine_text(datetime.strptime(cell.strip(), form))
    return cell


def neutral_number(cell: float) -> str:
    """A number as text that has neither point nor comma.

    >>> neutral_number(1234.5), neutral_number(-0.05), neutral_number(3.0), neutral_number(1e-9)
    ('12345e-1', '-5e-2', '3', '1e-9')
    """
    if cell.is_integer() or not isfinite(cell):
        return machine_text(cell)
    sign, digits, exponent = Decimal(repr(cell)).as_tuple()
    return f"{'-' if sign else ''}{''.join(map(str, digits))}e{exponent}"


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
