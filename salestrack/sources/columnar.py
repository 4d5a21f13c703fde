"""Parquet files as text: what is typed there is written the one way in which it can be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb

from salestrack import duck
from salestrack.errors import ReadError
from salestrack.sources.decode import Decoded, sha256_of
from salestrack.sources.mapping import literal, quoted


def table(path: Path, name: str, work: Path, sha256: str) -> Iterator[tuple[str, Decoded]]:
    """The one table of a Parquet file, as decoded CSV text with a header.

    Raises ReadError where it is none.
    """
    sha256 = sha256 or sha256_of(path)
    target = work / f"{sha256[:16]}.parquet.csv"
    with duck.connect() as con:
        try:
            rows = copy_as_text(con, f"read_parquet({literal(str(path))})", target)
        except duckdb.Error as error:
            if duck.of_machine(error):
                raise
            raise ReadError.damaged(path, str(error).splitlines()[0]) from None
    yield "", Decoded(name, target, sha256, path.stat().st_size, "parquet", rows + 1, True, False)


def copy_as_text(con: duckdb.DuckDBPyConnection, source: str, target: Path) -> int:
    """Writes a table as CSV that leaves no choice of how to read it; line ends within cells become spaces."""
    columns = con.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    cells = ", ".join(f"{_text(quoted(column[0]), column[1])} AS {quoted(column[0])}" for column in columns)
    done = con.execute(
        f"COPY (SELECT {cells} FROM {source}) TO {literal(str(target))} (FORMAT csv, HEADER true, QUOTE '\"')"
    ).fetchone()
    return int(done[0]) if done else 0


def _text(column: str, kind: str) -> str:
    """SQL for a value as text; a number that could be in thousands gets a further decimal, what is nested is JSON."""
    if kind.endswith("[]") or kind.startswith(("STRUCT", "MAP")):
        return f"CAST(to_json({column}) AS VARCHAR)"
    plain = f"CAST({column} AS VARCHAR)"
    if kind in ("FLOAT", "DOUBLE") or kind.startswith("DECIMAL"):
        return f"CASE WHEN regexp_full_match({plain}, '-?\\d{{1,3}}\\.\\d{{3}}') THEN {plain} || '0' ELSE {plain} END"
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"strftime({column} AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')"
    if kind == "VARCHAR":
        return f"regexp_replace({column}, '[\\r\\n]+', ' ', 'g')"
    return plain
