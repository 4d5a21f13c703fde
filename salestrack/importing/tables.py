"""The tables of a new generation as Parquet files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb

from salestrack import store
from salestrack.schema import CANONICAL
from salestrack.sources.account import load_log_table
from salestrack.sources.build import Raw
from salestrack.sources.mapping import quoted
from salestrack.sources.parquet import Files


def write_tables(
    con: duckdb.DuckDBPyConnection, raws: Sequence[Raw], log: list[dict[str, Any]], files: Files
) -> dict[str, dict[str, Any]]:
    """The Parquet files of every table; a part that nothing changed is moved, not written again."""
    load_log_table(con, log)
    untouched = _views(con) - files.pieces.keys()
    for name in [*CANONICAL, "load_log", "quarantine", "import_notes"]:
        if name in untouched:
            for part in (part for raw in raws for part in raw.parts if part.table == name):
                files.take(name, part.path, part.accepted)
        elif name not in files.pieces:
            order = " ORDER BY ALL" if name == "quarantine" else ""  # files are read at the same time
            files.write(con, name, f"SELECT * FROM {quoted(name)}{order}")
    return {name: store.entry(name, *found) for name, found in files.settle().items()}


def _views(con: duckdb.DuckDBPyConnection) -> set[str]:
    rows = con.execute(
        "SELECT view_name FROM duckdb_views() WHERE NOT internal AND schema_name = 'main'"
    ).fetchall()
    return {row[0] for row in rows}
