"""A book of literal rows: the derived tables are made, everything is stored as Parquet, as an import would."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from canonical import connection

from salestrack.book import Book
from salestrack.config import Config
from salestrack.prepare import derive
from salestrack.schema import TABLES
from salestrack.store import Store

AS_OF = date(2026, 10, 31)


def make_book(
    folder: Path, *, as_of: date = AS_OF, config: Config | None = None, **tables: list[dict[str, Any]]
) -> Book:
    """The book of these rows at the end of `as_of`; `load_log`, `quarantine` and `import_notes` may be among the tables."""
    config = config or Config()
    records = {name: tables.pop(name, []) for name in ("load_log", "quarantine", "import_notes")}
    con = connection(**tables)
    derive(con, config)
    for name, rows in records.items():
        columns = ", ".join(f"{c} {spec.duckdb_type}" for c, spec in TABLES[name].columns.items())
        con.execute(f"CREATE OR REPLACE TABLE {name} ({columns})")
        for row in rows:
            marks = ", ".join("?" for _ in row)
            con.execute(f"INSERT INTO {name} ({', '.join(row)}) VALUES ({marks})", [*row.values()])
    kept = {}
    for (name,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall():
        count = con.execute(f"COPY {name} TO '{folder / name}.parquet' (FORMAT parquet)").fetchall()[0][0]
        kept[name] = {"file": f"{name}.parquet", "rows": count}
    con.close()
    return Book(Store(folder, "test", {"tables": kept}), config, as_of)
