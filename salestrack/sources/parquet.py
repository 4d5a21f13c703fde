"""The Parquet files of the tables being made: one per table, several where a table came in pieces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from salestrack.sources.mapping import literal, quoted


def read_parquet_sql(paths: Sequence[Path]) -> str:
    """The `read_parquet` call for the pieces of a table.

    >>> read_parquet_sql([Path("deals.parquet")])
    "read_parquet(['deals.parquet'])"
    """
    return f"read_parquet([{', '.join(literal(str(path)) for path in paths)}])"


def copy(con: duckdb.DuckDBPyConnection, query: str, target: Path) -> int:
    """Writes the rows of a query to a file; returns how many."""
    row = con.execute(
        f"COPY ({query}) TO {literal(str(target))} (FORMAT parquet, COMPRESSION zstd)"
    ).fetchone()
    return int(row[0]) if row else 0


class Files:
    """The files of each table in a folder, with their rows; each table written is a view over its files."""

    def __init__(self, con: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self.con, self.folder = con, folder
        self.pieces: dict[str, list[Path]] = {}
        self.rows: dict[str, int] = {}

    def write(self, name: str, query: str) -> None:
        """Puts the rows of a query in a new file of the table; the first replaces what the table was."""
        target = self._next(name)
        self.rows[name] = self.rows.get(name, 0) + copy(self.con, query, target)
        self.pieces.setdefault(name, []).append(target)
        for kind in self._kinds(name):
            self.con.execute(f"DROP {kind} {quoted(name)}")
        self.con.execute(f"CREATE VIEW {quoted(name)} AS SELECT * FROM {read_parquet_sql(self.pieces[name])}")

    def take(self, name: str, path: Path, rows: int) -> None:
        """Moves a file that is a piece of the table as it stands."""
        target = self._next(name)
        path.replace(target)
        self.pieces.setdefault(name, []).append(target)
        self.rows[name] = self.rows.get(name, 0) + rows

    def _next(self, name: str) -> Path:
        return self.folder / f"{name}.{len(self.pieces.get(name, ()))}.parquet"

    def _kinds(self, name: str) -> list[str]:
        found = self.con.execute(
            "SELECT table_type FROM information_schema.tables WHERE table_schema = 'main' AND table_name = ?",
            [name],
        ).fetchall()
        return ["VIEW" if kind == "VIEW" else "TABLE" for (kind,) in found]

    def settle(self) -> dict[str, tuple[list[Path], int]]:
        """Files and rows of every table; a table in one piece loses the number in its file's name."""
        for name, paths in self.pieces.items():
            if len(paths) == 1:
                paths[0] = paths[0].replace(self.folder / f"{name}.parquet")
        return {name: (paths, self.rows[name]) for name, paths in self.pieces.items()}
