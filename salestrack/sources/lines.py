"""Text files of which the rows keep their lines: what layouts read, and what they write for the tables in it."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from salestrack.errors import ReadError
from salestrack.sources.locate import DELIMITERS

_EMPTY = ' ,;|\t"\r\n'


def first_lines(path: Path, most: int = 40) -> list[str]:
    """The first lines that hold anything; long ones are cut."""
    found: list[str] = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        while len(found) < most and (line := file.readline(1 << 16)):
            if line.strip(_EMPTY):
                found.append(line.rstrip("\r\n"))
    return found


def delimiter_of(line: str) -> str:
    """What stands most often in a line, of all that may stand between cells.

    >>> delimiter_of("Name;Amount, net;Owner")
    ';'
    """
    return max(DELIMITERS, key=line.count)


def cells(line: str, delimiter: str) -> list[str]:
    """The cells of a line.

    >>> cells('Name,"Amount, net"', ",")
    ['Name', 'Amount, net']
    """
    return next(csv.reader([line], delimiter=delimiter), [])


def rows(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with the line on which they begin; ReadError for a row that cannot be taken apart."""
    csv.field_size_limit(1 << 25)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader, start = csv.reader(file, delimiter=delimiter), 1
        try:
            for row in reader:
                yield start, row
                start = reader.line_num + 1
        except csv.Error as error:
            raise ReadError.broken_row(path.name, start, str(error)) from None


def filled(row: Sequence[str]) -> bool:
    """Whether any cell of a row holds anything."""
    return any(cell.strip() for cell in row)


def trimmed(row: Sequence[str]) -> list[str]:
    """A row without the empty cells at its end.

    >>> trimmed(["a", "", "b", " ", ""])
    ['a', '', 'b']
    """
    last = max((place for place, cell in enumerate(row, start=1) if cell.strip()), default=0)
    return list(row[:last])


def fitted(row: Sequence[str], width: int) -> list[str]:
    """A row in the width of its header, as far as no filled cell is lost.

    >>> fitted(["a"], 2), fitted(["a", "b", ""], 2), fitted(["a", "b", "c"], 2)
    (['a', ''], ['a', 'b'], ['a', 'b', 'c'])
    """
    cells = trimmed(row)
    return cells + [""] * (width - len(cells))


class AtLines:
    """Writes rows, each on the line that it has in the file it comes from; the lines between stay blank."""

    def __init__(self, path: Path, delimiter: str = ",") -> None:
        self.path, self.line = path, 0
        self._file = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, delimiter=delimiter, lineterminator="\n")

    def __enter__(self) -> AtLines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, line: int, row: Sequence[str]) -> None:
        """A row on a line behind the last one."""
        self._file.write("\n" * (line - self.line - 1))
        self._writer.writerow(row)
        self.line = line + sum(cell.count("\n") for cell in row)
