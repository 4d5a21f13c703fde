"""The Parquet files of the tables being made: one per table, several where a table came in pieces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import duckdb

from salestrack.sources.mapping import literal, quoted


def read_parquet_sql(paths: Sequence[Path]) -> str:
    """The `read_parquet` call for the pieces of a table.

    >>> read_parquet_sql([Path("deals.parquet")])
    "read_parquet(['deals.parquet'])"
    """
    return f"read_parquet([{', '.join(literal(str(path)) for path in paths)}])"


DISTINCT = 1000
"""Values of a column and row group up to which they are listed once: beyond that, the list costs more than it saves."""


def copy(con: duckdb.DuckDBPyConnection, query: str, target: Path) -> int:
    """Writes the rows of a query to a file; returns how many."""
    row = con.execute(
        f"COPY ({query}) TO {literal(str(target))} "
        f"(FORMAT parquet, COMPRESSION zstd, DICTIONARY_SIZE_LIMIT {DISTINCT})"
    ).fetchone()
    return int(row[0]) if row else 0


class Files:
    """The files of each table in a folder, with their rows; a table written anew is a view over its files."""

    def __init__(self, con: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self.con, self.folder = con, folder
        self.pieces: dict[str, dict[int, Path]] = {}
        self.rows: dict[str, int] = {}
        self._lock = Lock()

    def write(self, con: duckdb.DuckDBPyConnection, name: str, query: str, piece: int = 0) -> None:
        """Puts the rows of a query in a file of the table; several threads may write pieces, each on its connection."""
        target = self._file(name, piece)
        rows = copy(con, query, target)
        with self._lock:
            self._add(name, piece, target, rows)
            for kind in self._kinds(name):
                self.con.execute(f"DROP {kind} {quoted(name)}")
                self.con.execute(f"CREATE VIEW {quoted(name)} AS SELECT * FROM {read_parquet_sql([target])}")

    def take(self, name: str, path: Path, rows: int) -> None:
        """Moves a file that is a piece of the table as it stands."""
        piece = len(self.pieces.get(name, ()))
        target = self._file(name, piece)
        path.replace(target)
        self._add(name, piece, target, rows)

    def _file(self, name: str, piece: int) -> Path:
        return self.folder / f"{name}.{piece}.parquet"

    def _add(self, name: str, piece: int, path: Path, rows: int) -> None:
        self.pieces.setdefault(name, {})[piece] = path
        self.rows[name] = self.rows.get(name, 0) + rows

    def _kinds(self, name: str) -> list[str]:
        found = self.con.execute(
            "SELECT table_type FROM information_schema.tables WHERE table_schema = 'main' AND table_name = ?",
            [name],
        ).fetchall()
        return ["VIEW" if kind == "VIEW" else "TABLE" for (kind,) in found]

    def settle(self) -> dict[str, tuple[list[Path], int]]:
        """Files and rows of every table; a table in one piece loses the number in its file's name."""
        settled: dict[str, tuple[list[Path], int]] = {}
        for name, pieces in self.pieces.items():
            paths = [path for _, path in sorted(pieces.items())]
            if len(paths) == 1:
                paths = [paths[0].replace(self.folder / f"{name}.parquet")]
            settled[name] = (paths, self.rows[name])
        return settled
