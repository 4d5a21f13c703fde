"""Reports of Google Analytics 4 taken apart: comment blocks with the report's days, several tables below each other.

One table per span of days is counted, because the tables of a report show the same visits in different cuts; it gets
the columns `Report day`, `Report start`, `Report end` and `Thresholded`. The others get the column `Not counted`.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path

from salestrack.errors import ReadError
from salestrack.schema import TABLES
from salestrack.sources.decode import Decoded
from salestrack.sources.lines import AtLines, cells, delimiter_of, filled, first_lines, fitted, rows, trimmed
from salestrack.sources.mapping import FOLDER, normal, read_mapping

ADDED = ("Report day", "Report start", "Report end", "Thresholded")
NOT_COUNTED = "Not counted"
TOTALS = frozenset({"grand total", "total", "totals", "gesamtsumme", "gesamt", "insgesamt", "total général"})
NTH_DAY = "nth day"
OTHER_TIMES = re.compile(
    r"nth (week|month|year|hour)|(iso )?(week|year|month|hour)\b.*|woche|monat|jahr|stunde"
)
_DAY = re.compile(r"#.*?:\s*(20\d\d)-?(\d\d)-?(\d\d)\s*$")
_SPAN = re.compile(r"#\s*(20\d{6})\s*[-\u2013]\s*(20\d{6})\s*$")
_OF_SESSIONS = re.compile(r"session[ _]?[a-z]{4,}|sitzung [–-]")
_THRESHOLD = re.compile(r"threshold|schwellenwert|seuil", re.I)


@dataclass(slots=True)
class Block:
    """One table of a report: where its header and its last row are, and of which days it tells."""

    line: int
    header: list[str]
    days: tuple[date, date] | None
    thresholded: bool = False
    last: int = 0
    totals: list[int] = field(default_factory=list)

    @property
    def columns(self) -> tuple[str, ...]:
        """The mapping's names of the columns that it knows."""
        return tuple(found for cell in self.header if (found := known().get(normal(cell))))

    @property
    def rank(self) -> tuple[int, bool]:
        """More of the mapping's dimensions first, then days of its own."""
        return len(set(self.columns) & dimensions()), self.dated

    @property
    def dated(self) -> bool:
        """Whether its rows tell their day."""
        return "Date" in self.columns or NTH_DAY in map(normal, self.header)


@lru_cache
def known() -> dict[str, str]:
    """Column names in every language, in their normal form, to the mapping's own."""
    return read_mapping(FOLDER / "ga4.toml").files["report"].known


@lru_cache
def dimensions() -> frozenset[str]:
    """The columns that split visits: those that fill the key of web_traffic, apart from the day."""
    rules = read_mapping(FOLDER / "ga4.toml").files["report"].to["web_traffic"]
    keys = [name for name in TABLES["web_traffic"].key if name in rules and name != "date"]
    return frozenset(name for key in keys for name in rules[key].names)


def layout(text: Decoded, work: Path) -> list[tuple[str, Decoded]] | None:
    """The tables of a report, each with its title; None for a text that is no report of GA4.

    Raises ReadError for a sum over several days that are not one calendar month: it has no day.
    """
    first = next(iter(first_lines(text.path, 1)), "")
    if not first.lstrip('"').startswith("#"):
        return _plain(text, work, first)
    delimiter = _delimiter(text.path)
    blocks, days = _blocks(text.path, delimiter)
    if days is None:
        return None
    counted = (
        _counted(blocks) or blocks
    )  # without visits anywhere, the search for a mapping tells what is missing
    made = [_write(text, work, n, block, delimiter, block in counted) for n, block in enumerate(blocks)]
    if not made:
        return [("", _empty(text, work))]
    return [("" if len(made) == 1 else f"table {n}", one) for n, one in enumerate(made, start=1)]


def _plain(text: Decoded, work: Path, first: str) -> list[tuple[str, Decoded]] | None:
    """A table without comments, as interfaces and queries give it: days, visits and where they came from."""
    delimiter = delimiter_of(first)
    block = Block(1, cells(first, delimiter), None)
    split = any(_OF_SESSIONS.match(normal(cell)) for cell in block.header)
    if not {"Date", "Sessions"} <= set(block.columns) or not block.rank[0] or not split:
        return None
    for line, row in rows(text.path, delimiter):
        _follow(block, line, row)
    return [("", _write(text, work, 0, block, delimiter, True))]


def _delimiter(path: Path) -> str:
    """What stands between the cells of the first line that is no comment."""
    lines = (line for line in first_lines(path, 200) if not line.lstrip('"').startswith("#"))
    return delimiter_of(next(lines, ","))


def _blocks(path: Path, delimiter: str) -> tuple[list[Block], tuple[date, date] | None]:
    """The tables of a report, and the days that its last comments name."""
    blocks: list[Block] = []
    told = Comments()
    inside = False
    for line, row in rows(path, delimiter):
        if not filled(row):
            inside = False
        elif row[0].startswith("#"):
            told.read(row[0])
            inside = False
        elif inside:
            _follow(blocks[-1], line, row)
        else:
            blocks.append(Block(line, trimmed(row), told.span, told.thresholded, line))
            told.over, inside = True, True
    return blocks, told.span


@dataclass(slots=True)
class Comments:
    """What the comments above a table tell; those after a table begin anew."""

    days: list[date] = field(default_factory=list)
    thresholded: bool = False
    over: bool = False

    def read(self, comment: str) -> None:
        """Takes in one line."""
        found = _days(comment)
        if found and self.over:
            self.days, self.thresholded, self.over = [], False, False
        self.days += found
        self.thresholded = self.thresholded or bool(_THRESHOLD.search(comment))

    @property
    def span(self) -> tuple[date, date] | None:
        """The first two days named are the start and the end, in every language that was seen."""
        return (min(self.days[:2]), max(self.days[:2])) if len(self.days) > 1 else None


def _days(comment: str) -> list[date]:
    """The days that a comment names, in whatever language."""
    if found := _SPAN.match(comment.strip()):
        return [_day(found[1]), _day(found[2])]
    found = _DAY.match(comment.strip())
    return [_day("".join(found.groups()))] if found else []


def _day(digits: str) -> date:
    return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))


def _follow(block: Block, line: int, row: list[str]) -> None:
    """Takes a row into a table; a total is remembered by its line."""
    if line <= block.line or not filled(row):
        return
    told = [normal(cell) for cell in row if cell.strip()]
    if told[0] in TOTALS or told[-1] in TOTALS:
        block.totals.append(line)
    block.last = line


def _counted(blocks: Sequence[Block]) -> list[Block]:
    """Of each span of days the table with visits that tells most; the first of several."""
    best: dict[tuple[date, date] | None, Block] = {}
    for block in blocks:
        if "Sessions" in block.columns and (block.days not in best or block.rank > best[block.days].rank):
            best[block.days] = block
    return list(best.values())


def _write(text: Decoded, work: Path, number: int, block: Block, delimiter: str, counted: bool) -> Decoded:
    """A table on the lines that it has in the report, with the columns that the report's comments fill."""
    if counted:
        _needs_days(text.name, block)
    with AtLines(work / f"{text.path.stem[:40]}-{text.sha256[:16]}-ga4-{number}.csv", delimiter) as file:
        file.write(block.line, [*block.header, *(ADDED if counted else (NOT_COUNTED,))])
        for line, row in _rows(text.path, delimiter, block):
            file.write(line, [*fitted(row, len(block.header)), *(_told(block, row) if counted else ("",))])
    return replace(text, path=file.path, newlines=file.line, ends_with_newline=True, footer=len(block.totals))


def _rows(path: Path, delimiter: str, block: Block) -> Iterator[tuple[int, list[str]]]:
    """The rows of a table without its totals."""
    for line, row in rows(path, delimiter):
        if block.line < line <= block.last and line not in block.totals and filled(row):
            yield line, row


def _told(block: Block, row: list[str]) -> tuple[str, ...]:
    """The cells that the report's comments fill."""
    if block.days is None:
        return "", "", "", ""
    start, end = block.days
    nth = [normal(cell) for cell in block.header]
    day = "" if block.dated else start.isoformat()
    if NTH_DAY in nth and (number := row[nth.index(NTH_DAY)].strip()).isdigit():
        day = (start + timedelta(int(number))).isoformat()
    return day, start.isoformat(), end.isoformat(), str(block.thresholded).lower()


def _needs_days(file: str, block: Block) -> None:
    """A table without days counts on the first day of its span, where that is one day or one calendar month."""
    if block.dated or "Sessions" not in block.columns:
        return
    if block.days is None:
        raise ReadError.incomplete(
            file, "the report does not tell its days", "export it with the dimension Date"
        )
    start, end = block.days
    month = start.day == 1 and end == start.replace(day=monthrange(start.year, start.month)[1])
    finer = [cell for cell in block.header if OTHER_TIMES.fullmatch(normal(cell))]
    if (start == end or month) and not finer:
        return
    what = f"the rows are split by '{finer[0]}'" if finer else f"its rows are sums from {start} to {end}"
    cure = "export it with the dimension Date, or for one day or one calendar month at a time"
    raise ReadError.incomplete(file, f"{what} and tell no day", cure)


def _empty(text: Decoded, work: Path) -> Decoded:
    """A report without any table: a header and nothing below it."""
    target = work / f"{text.sha256[:16]}-ga4-empty.csv"
    target.write_text(NOT_COUNTED + "\n", encoding="utf-8")
    return replace(text, path=target, newlines=1, ends_with_newline=True)
