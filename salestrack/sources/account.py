"""The account of an import: where the rows of every file went."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import duckdb

from salestrack.schema import TABLES
from salestrack.sources.build import Raw
from salestrack.sources.mapping import quoted


def account(con: duckdb.DuckDBPyConnection, raws: Sequence[Raw]) -> list[dict[str, Any]]:
    """The account of every file; rows that only the whole company's data showed to be bad are moved in it."""
    later = {
        (file, table): int(count)
        for file, table, count in con.execute(
            "SELECT file, table_name, count(*) FROM quarantine GROUP BY ALL"
        ).fetchall()
    }
    log: list[dict[str, Any]] = []
    for raw in raws:
        whole = {
            "file": raw.file,
            "file_sha256": raw.decoded.sha256,
            "file_bytes": raw.decoded.size,
            "system": raw.found.mapping.system,
            "mapping": f"{raw.found.mapping.system}/{raw.found.kind}",
            "encoding": raw.decoded.encoding,
            "delimiter": None if raw.decoded.encoding == "workbook" else raw.found.delimiter,
        }
        rows = raw.text.rows + raw.text.footer - len(raw.text.footer_lines) + len(raw.text.bad)
        if not raw.parts:
            log.append(whole | _counts(None, rows, excluded=rows - raw.text.footer, footer=raw.text.footer))
        for part in raw.parts:
            moved = later.get((raw.file, part.table), part.quarantined) - part.quarantined
            counts = _counts(
                part.table,
                part.rows,
                part.accepted - moved,
                part.superseded,
                part.quarantined + moved,
                part.excluded,
                part.footer,
            )
            log.append(
                whole
                | counts
                | {"formats": part.formats.record(), "amounts": part.amounts, "unmapped": list(part.unmapped)}
            )
    return log


def _counts(
    table: str | None,
    rows: int,
    accepted: int = 0,
    superseded: int = 0,
    quarantined: int = 0,
    excluded: int = 0,
    footer: int = 0,
) -> dict[str, Any]:
    return {
        "table_name": table,
        "rows_read": rows,
        "accepted": accepted,
        "superseded": superseded,
        "quarantined": quarantined,
        "excluded": excluded,
        "footer": footer,
        "formats": {},
        "amounts": {},
        "unmapped": [],
    }


def load_log_table(con: duckdb.DuckDBPyConnection, log: list[dict[str, Any]]) -> None:
    """The account as the table `load_log`."""
    columns = TABLES["load_log"].columns
    con.execute(
        "CREATE OR REPLACE TABLE load_log "
        f"({', '.join(f'{quoted(c.name)} {c.duckdb_type}' for c in columns.values())})"
    )
    rows = [[_plain(entry[name]) for name in columns] for entry in log]
    if rows:
        con.executemany(f"INSERT INTO load_log VALUES ({', '.join('?' * len(columns))})", rows)


def _plain(value: Any) -> Any:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, sort_keys=True) if value else None
    return value
