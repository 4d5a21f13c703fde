"""Fast, deterministic files: a column is a matrix of bytes, a table is such matrices side by side.

A cell shorter than its column is padded with zero bytes, which are dropped when the rows are written. That
writes some hundred megabytes a second from numpy alone, and the same bytes on every machine.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import xlsxwriter
from numpy.typing import NDArray

from salestrack.world.parameters import Floats, Ints, day_of

Bytes = NDArray[np.uint8]
Cells = Mapping[str, Bytes]
ALPHABET = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", dtype=np.uint8)
CHECK = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345", dtype=np.uint8)
PREFIXES = {
    "account": "001", "contact": "003", "user": "005", "deal": "006", "history": "008", "lead": "00Q",
    "task": "00T", "event": "00U", "role": "00E", "stage": "01J", "line": "00k", "product": "01t",
    "campaign": "701", "order": "801", "order_line": "802",
}  # fmt: skip


def append(path: Path, cells: Cells) -> None:
    """Add rows to a CSV file; a new file gets the names of the columns first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    head = b"" if path.exists() else ",".join(cells).encode() + b"\n"
    with path.open("ab") as file:
        file.write(head)
        for part in _slices(len(next(iter(cells.values())))):
            file.write(_rows([column[part] for column in cells.values()]))


def _slices(size: int, step: int = 100_000) -> list[slice]:
    return [slice(i, i + step) for i in range(0, size, step)]


def _rows(columns: Sequence[Bytes]) -> bytes:
    size = len(columns[0])
    comma, end = (np.full((size, 1), ord(mark), dtype=np.uint8) for mark in ",\n")
    parts = [part for column in columns for part in (column, comma)]
    flat = np.hstack([*parts[:-1], end]).ravel()
    packed: bytes = flat[flat != 0].tobytes()
    return packed


def text(words: Sequence[str], codes: Ints) -> Bytes:
    """The word of each code; code -1 is an empty cell.

    >>> text(["a", "bc"], np.array([1, -1])).tobytes()
    b'bc\\x00\\x00'
    """
    encoded = [word.encode() for word in words] + [b""]
    width = max(1, *map(len, encoded))
    table = np.frombuffer(b"".join(word.ljust(width, b"\0") for word in encoded), dtype=np.uint8)
    return table.reshape(-1, width)[codes]


def always(word: str, size: int) -> Bytes:
    """The same word in every row."""
    return text([word], np.zeros(size, dtype=np.int64))


def flags(values: NDArray[np.bool_]) -> Bytes:
    """`true` or `false`."""
    return text(["false", "true"], values.astype(np.int64))


def number(values: Ints, digits: int = 0) -> Bytes:
    """Whole numbers without leading zeros (with `digits` given: with them, to at least so many); -1 is an empty cell.

    >>> number(np.array([7, 120, -1])).tobytes()
    b'\\x00\\x007120\\x00\\x00\\x00'
    >>> number(np.array([7, 120]), 2).tobytes()
    b'007120'
    """
    width = max(digits, 1, len(str(int(values.max(initial=0)))))
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    cells: Bytes = (values[:, None] // powers % 10 + 48).astype(np.uint8)
    if not digits:
        cells[(values[:, None] < powers) & (powers > 1)] = 0
    cells[values < 0] = 0
    return cells


def money(cents: Ints) -> Bytes:
    """Hundredths as an amount; full units are written without decimals, -1 is an empty cell."""
    decimals = np.hstack([always(".", len(cents)), number(np.where(cents < 0, 0, cents) % 100, 2)])
    decimals[cents % 100 == 0] = 0
    decimals[cents < 0] = 0
    return np.hstack([number(np.where(cents < 0, -1, cents // 100)), decimals])


def fraction(shares: Floats, digits: int) -> Bytes:
    """Probabilities with that many decimals."""
    units = np.floor(shares * 10**digits + 0.5).astype(np.int64)
    whole, rest = number(units // 10**digits), number(units % 10**digits, digits)
    return np.hstack([whole, always(".", len(units)), rest])


def dates(days: Ints) -> Bytes:
    """Day numbers as 2026-10-31; -1 is an empty cell."""
    known = days[days >= 0]
    if not len(known):
        return np.zeros((len(days), 1), dtype=np.uint8)
    first, last = int(known.min()), int(known.max())
    table = [day_of(day).isoformat() for day in range(first, last + 1)]
    return text(table, np.where(days < 0, -1, days - first))


def stamps(days: Ints, seconds: Ints) -> Bytes:
    """Days and seconds as 2026-10-31T13:45:00.000Z; day -1 is an empty cell."""
    parts = [number(seconds // 3600, 2), number(seconds // 60 % 60, 2), number(seconds % 60, 2)]
    size = len(days)
    marks = [always("T", size), always(":", size), always(":", size)]
    clock = np.hstack(
        [part for pair in zip(marks, parts, strict=True) for part in pair] + [always(".000Z", size)]
    )
    clock[days < 0] = 0
    return np.hstack([dates(days), clock])


def ids(kind: str, numbers: Ints) -> Bytes:
    """Salesforce ids of 18 characters, the last three of them the checksum; -1 is an empty cell."""
    counter = numbers + 62**3 * 5
    cells = np.empty((len(numbers), 18), dtype=np.uint8)
    cells[:, :10] = np.frombuffer(f"{PREFIXES[kind]}Kj00000"[:10].encode(), dtype=np.uint8)
    for place in range(14, 9, -1):
        cells[:, place] = ALPHABET[counter % 62]
        counter = counter // 62
    upper = (cells[:, :15] >= 65) & (cells[:, :15] <= 90)
    for chunk in range(3):
        bits = upper[:, 5 * chunk : 5 * chunk + 5] @ (1 << np.arange(5))
        cells[:, 15 + chunk] = CHECK[bits]
    cells[numbers < 0] = 0
    return cells


def words(cells: Bytes) -> list[str]:
    """The cells of a column as strings."""
    return [bytes(row[row != 0]).decode() for row in cells]


def write_xlsx(path: Path, sheet: str, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """An Excel file with one table, the same bytes each time: fixed properties, stored uncompressed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = BytesIO()
    book = xlsxwriter.Workbook(raw, {"in_memory": True})
    book.set_properties({"created": datetime(2026, 11, 2), "author": ""})
    page = book.add_worksheet(sheet)
    style = {
        date: book.add_format({"num_format": "yyyy-mm-dd"}),
        datetime: book.add_format({"num_format": "yyyy-mm-dd hh:mm"}),
    }
    page.write_row(0, 0, head, book.add_format({"bold": True}))
    page.freeze_panes(1, 0)
    for i, row in enumerate(rows, start=1):
        for j, value in enumerate(row):
            if isinstance(value, date):
                page.write_datetime(i, j, value, style[type(value)])
            else:
                page.write(i, j, value)
    book.close()
    _store(raw, path)


def _store(raw: BytesIO, path: Path) -> None:
    """Copy a zip file without compression (its bytes would depend on the zlib at hand) and mere hints."""
    with zipfile.ZipFile(raw) as packed, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as plain:
        for name in sorted(packed.namelist()):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system = 0
            plain.writestr(info, re.sub(rb' spans="[0-9:]+"', b"", packed.read(name)))
