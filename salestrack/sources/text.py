"""From a text file to a Parquet file of text, one column per cell and `_line`, the row's line in the file.

DuckDB reads well-formed files in parallel. Where lines and rows do not add up, the file goes once through
Python's csv reader, which names the line of every row, sets apart rows of a wrong width and finds the footer.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from salestrack.errors import ReadError
from salestrack.sources.decode import Decoded
from salestrack.sources.locate import Located
from salestrack.sources.mapping import literal, quoted

MOST_IN_A_CELL = 32 << 20
TOTAL = re.compile(
    r"\s*(grand total|sub-?total|total|summe|gesamt|gesamtsumme|insgesamt|zwischensumme)\b", re.I
)
FOOTER_ROWS = 5


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row of a wrong width: it goes to quarantine as it stands."""

    line: int
    cells: int
    original: str


@dataclass(slots=True)
class Text:
    """The rows of a file as text in Parquet, ready for typing."""

    view: str
    columns: tuple[str, ...]
    rows: int
    footer: int = 0
    footer_lines: tuple[int, ...] = ()
    bad: list[BadRow] = field(default_factory=list)
    direct: bool = False
    """The view reads the file itself and `rows` counts its lines: not yet looked at, only hoped to be in order."""


def read_text(con: duckdb.DuckDBPyConnection, source: Decoded, found: Located, view: str, work: Path) -> Text:
    """Makes the view `view` of a file's rows as text; columns bear the mapping's names.

    Raises ReadError for a file that ends inside a row and for cells that no reader can take apart.
    """
    target = work / f"{view}.parquet"
    text = _fast(con, source, found, view, target) or _repaired(con, source, found, view, target, work)
    text.footer_lines = _totals(con, text)
    text.footer += len(text.footer_lines)
    return text


def direct_text(con: duckdb.DuckDBPyConnection, source: Decoded, found: Located, view: str) -> Text | None:
    """The view `view` straight over a file that looks as if every line were a row; None where it does not.

    A file with a total at its end does not, and whoever reads the view must see as many rows as there are lines.
    """
    if any(TOTAL.match(next((cell for cell in row if cell.strip()), "")) for row in _tail(source, found)):
        return None
    cells = ", ".join(f"c{i} AS {quoted(name)}" for i, name in enumerate(found.columns))
    reader = read_csv_sql(source.path, len(found.columns), found.delimiter, found.skip, found.spec.nulls)
    con.execute(
        f"CREATE OR REPLACE VIEW {quoted(view)} AS "
        f"SELECT row_number() OVER () + {found.skip} AS _line, {cells} FROM {reader}"
    )
    return Text(view, found.columns, _lines(source, found), direct=True)


def _lines(source: Decoded, found: Located) -> int:
    return source.newlines + (not source.ends_with_newline) - found.skip


def _tail(source: Decoded, found: Located) -> list[list[str]]:
    """The last rows of the file, more or less."""
    with source.path.open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - (1 << 16)))
        text = file.read().decode("utf-8", "replace")
    last = text.splitlines()[-FOOTER_ROWS:]
    return list(csv.reader(last, delimiter=found.delimiter))


def read_csv_sql(
    path: Path, columns: int, delimiter: str, skip: int, nulls: tuple[str, ...], most: int = 0
) -> str:
    """The `read_csv` call for a file whose shape is known: nothing is sniffed."""
    names = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(columns))
    null = ", ".join(literal(text) for text in ("", *nulls))
    size = f", max_line_size = {most}" if most else ""
    return (
        f"read_csv({literal(str(path))}, auto_detect = false, header = false, skip = {skip}, "
        f"delim = {literal(delimiter)}, quote = '\"', escape = '\"', nullstr = [{null}], "
        f"strict_mode = true, null_padding = false, columns = {{{names}}}{size})"
    )


def _fast(
    con: duckdb.DuckDBPyConnection, source: Decoded, found: Located, view: str, target: Path
) -> Text | None:
    reader = read_csv_sql(source.path, len(found.columns), found.delimiter, found.skip, found.spec.nulls)
    try:
        rows = _copy(con, f"SELECT * FROM {reader}", target)
    except duckdb.Error:
        return None
    lines = _lines(source, found)
    line = f"file_row_number + {found.skip + 1}"
    if lines != rows:
        inside = " + ".join(
            f"length(c{i}) - length(replace(c{i}, chr(10), ''))" for i in range(len(found.columns))
        )
        inside = re.sub(
            r"(length\(c\d+\) - length\(replace\(c\d+, chr\(10\), ''\)\))", r"coalesce(\1, 0)", inside
        )
        extra = con.execute(
            f"SELECT coalesce(sum({inside}), 0) FROM read_parquet({literal(str(target))})"
        ).fetchone()
        if extra is None or rows + int(extra[0]) != lines:
            return None
        before = "ORDER BY file_row_number ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"
        line += f" + coalesce(sum({inside}) OVER ({before}), 0)"
    _view(con, view, target, found.columns, line)
    return Text(view, found.columns, rows)


def _copy(con: duckdb.DuckDBPyConnection, select: str, target: Path) -> int:
    done = con.execute(
        f"COPY ({select}) TO {literal(str(target))} (FORMAT parquet, COMPRESSION snappy)"
    ).fetchone()
    return int(done[0]) if done else 0


def _view(
    con: duckdb.DuckDBPyConnection, view: str, target: Path, columns: tuple[str, ...], line: str
) -> None:
    cells = ", ".join(f"c{i} AS {quoted(name)}" for i, name in enumerate(columns))
    con.execute(
        f"CREATE OR REPLACE VIEW {quoted(view)} AS SELECT CAST({line} AS BIGINT) AS _line, {cells} "
        f"FROM read_parquet({literal(str(target))}, file_row_number = true)"
    )


def _repaired(
    con: duckdb.DuckDBPyConnection, source: Decoded, found: Located, view: str, target: Path, work: Path
) -> Text:
    text = Text(view, found.columns, 0)
    clean = work / f"{view}.csv"
    with clean.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        for line, row in _sound_rows(source, found, text):
            writer.writerow([line, *row])
            text.rows += 1
    nulls = found.spec.nulls
    reader = read_csv_sql(clean, len(found.columns) + 1, ",", 0, nulls, most=MOST_IN_A_CELL + (1 << 20))
    names = ", ".join(f"c{i + 1} AS c{i}" for i in range(len(found.columns)))
    try:
        _copy(con, f"SELECT CAST(c0 AS BIGINT) AS _at, {names} FROM {reader}", target)
    except duckdb.Error as error:
        raise ReadError.broken_row(source.name, found.skip + 1, str(error).splitlines()[0]) from None
    _view(con, view, target, found.columns, "_at")
    return text


def _sound_rows(source: Decoded, found: Located, text: Text) -> Iterator[tuple[int, list[str]]]:
    """Rows of the right width with their line; the others become bad rows or the footer."""
    width = len(found.columns)
    short: list[tuple[int, list[str]]] = []
    for line, row in _records(source, found):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) > width and not any(cell.strip() for cell in row[width:]):
            row = row[:width]
        if len(row) < width:
            short.append((line, row))
            continue
        text.bad += [_bad(*each) for each in short]
        short = []
        if len(row) > width:
            text.bad.append(_bad(line, row))
        else:
            yield line, row
    if short and not source.ends_with_newline and _looks_cut(short[-1][1], width):
        raise ReadError.cut_off(source.name, short[-1][0])
    text.footer += len(short)


def _looks_cut(row: list[str], width: int) -> bool:
    """A last row that begins like data but stops early; a footer is a sentence or a total instead."""
    return sum(bool(cell.strip()) for cell in row) > 1 and width > 2 and not TOTAL.match(row[0])


def _bad(line: int, row: list[str]) -> BadRow:
    return BadRow(line, len(row), json.dumps(row, ensure_ascii=False))


def _records(source: Decoded, found: Located) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(MOST_IN_A_CELL)
    with source.path.open(encoding="utf-8-sig", newline="") as file:
        for _ in range(found.skip):
            file.readline()
        reader = csv.reader(file, delimiter=found.delimiter, strict=True)
        before = 0
        while True:
            start = found.skip + before + 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if "unexpected end of data" in str(error):
                    raise ReadError.cut_off(source.name, start) from None
                raise ReadError.broken_row(source.name, start, str(error)) from None
            yield start, row
            before = reader.line_num


def _totals(con: duckdb.DuckDBPyConnection, text: Text) -> tuple[int, ...]:
    """Lines of rows at the end whose first filled cell says that they are a total."""
    if not text.rows:
        return ()
    last = con.execute(
        f"SELECT * FROM {quoted(text.view)} "
        f"WHERE _line > (SELECT max(_line) - {FOOTER_ROWS} FROM {quoted(text.view)}) "
        "ORDER BY _line DESC"
    ).fetchall()
    found: list[int] = []
    for line, *cells in last:
        first = next((cell for cell in cells if cell and cell.strip()), "")
        if not TOTAL.match(first):
            break
        found.append(int(line))
    return tuple(found)


def unpivoted_columns(found: Located) -> tuple[str, ...]:
    """The columns of a table whose wide columns were turned into rows."""
    unpivot = found.spec.unpivot
    assert unpivot is not None
    kept = [name for name in found.columns if not re.fullmatch(unpivot.columns, name)]
    return (*kept, unpivot.name, unpivot.value)


def unpivot_view(con: duckdb.DuckDBPyConnection, text: Text, found: Located) -> None:
    """Turns the columns that are really rows into rows, in the file's view."""
    unpivot = found.spec.unpivot
    if unpivot is None:
        return
    wide = [name for name in found.columns if re.fullmatch(unpivot.columns, name)]
    flat = quoted(text.view + " wide")
    con.execute(f"ALTER VIEW {quoted(text.view)} RENAME TO {flat}")
    con.execute(
        f"CREATE VIEW {quoted(text.view)} AS SELECT * FROM {flat} "
        f"UNPIVOT ({quoted(unpivot.value)} FOR {quoted(unpivot.name)} IN ({', '.join(map(quoted, wide))}))"
    )
