"""The account of an import: where the rows of every file went."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import duckdb

from salestrack.schema import TABLES
from salestrack.sources.build import Raw
from salestrack.sources.parts import Part

MACHINE_MADE = ("workbook", "parquet", "json")
"""What stands for the encoding of a file that is no text: it has no delimiter either."""


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
            "delimiter": None if raw.decoded.encoding in MACHINE_MADE else raw.found.delimiter,
        }
        rows = raw.text.rows + raw.text.footer - len(raw.text.footer_lines) + len(raw.text.bad)
        if not raw.parts:
            log.append(whole | _counts(None, rows, excluded=rows - raw.text.footer, footer=raw.text.footer))
        for part in _whole(raw.parts):
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
                | {
                    "formats": part.formats.record(),
                    "amounts": _moved(con, raw.file, part) if moved else part.amounts,
                    "unmapped": list(part.unmapped),
                }
            )
    return log


def _whole(parts: Sequence[Part]) -> list[Part]:
    """One part per table, where a file was read in halves."""
    found: dict[str, Part] = {}
    for part in parts:
        first = found.get(part.table)
        found[part.table] = _together(first, part) if first else part
    return list(found.values())


def _together(a: Part, b: Part) -> Part:
    counts = {
        name: getattr(a, name) + getattr(b, name)
        for name in ("rows", "accepted", "superseded", "quarantined", "excluded", "footer")
    }
    amounts = {
        column: {
            use: str(sum((Decimal(part.amounts.get(column, {}).get(use, "0")) for part in (a, b)), Decimal()))
            for use in {*a.amounts.get(column, {}), *b.amounts.get(column, {})}
        }
        for column in {**a.amounts, **b.amounts}
    }
    return replace(a, **counts, amounts=amounts)


def _moved(con: duckdb.DuckDBPyConnection, file: str, part: Part) -> dict[str, dict[str, str]]:
    """The amounts of a part of which rows went to quarantine after they had been typed.

    Those rows are kept there as the typed row with its reference, others as the text of the file.
    """
    amounts = {name: dict(sums) for name, sums in part.amounts.items()}
    for name, sums in amounts.items():
        row = con.execute(
            f"""
            SELECT CAST(coalesce(sum(CAST(original ->> '$.{name}' AS DECIMAL(38, 4))), 0) AS VARCHAR) FROM quarantine
            WHERE file = ? AND table_name = ? AND original ->> '$.source_ref' = file || '#' || line
            """,
            [file, part.table],
        ).fetchone()
        moved = Decimal(row[0]) if row else Decimal()
        sums["accepted"] = str(Decimal(sums.get("accepted", "0")) - moved)
        sums["quarantined"] = str(Decimal(sums.get("quarantined", "0")) + moved)
    return amounts


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
    con.execute(f"CREATE OR REPLACE TABLE load_log ({TABLES['load_log'].columns_sql()})")
    rows = [[_plain(entry[name]) for name in columns] for entry in log]
    if rows:
        con.executemany(f"INSERT INTO load_log VALUES ({', '.join('?' * len(columns))})", rows)


def _plain(value: Any) -> Any:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, sort_keys=True) if value else None
    return value
