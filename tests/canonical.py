"""Canonical tables from literal rows, for tests that start behind the import."""

from __future__ import annotations

from typing import Any

import duckdb

from salestrack.schema import TABLES


def connection(**tables: list[dict[str, Any]]) -> duckdb.DuckDBPyConnection:
    """A database with every canonical table; those named are filled, columns left out are NULL."""
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    for name, table in TABLES.items():
        if table.derived and name not in ("quarantine", "import_notes"):
            continue
        columns = table.columns if table.derived else table.imported
        con.execute(
            f"CREATE TABLE {name} ({', '.join(f'{c} {spec.duckdb_type}' for c, spec in columns.items())})"
        )
        for number, row in enumerate(tables.get(name, []), start=1):
            row = {"source_system": "test", "source_ref": f"{name}.csv#{number}", "is_deleted": False} | row
            marks = ", ".join("?" for _ in row)
            con.execute(f"INSERT INTO {name} ({', '.join(row)}) VALUES ({marks})", list(row.values()))
    return con


STAGES = [
    {
        "stage_id": "Q",
        "stage_name": "Qualification",
        "stage_order": 1,
        "stage_type": "open",
        "probability": 0.1,
    },
    {"stage_id": "P", "stage_name": "Proposal", "stage_order": 2, "stage_type": "open", "probability": 0.5},
    {"stage_id": "W", "stage_name": "Closed Won", "stage_order": 3, "stage_type": "won", "probability": 1.0},
    {
        "stage_id": "L",
        "stage_name": "Closed Lost",
        "stage_order": 4,
        "stage_type": "lost",
        "probability": 0.0,
    },
]


def deal(deal_id: str = "d1", **values: Any) -> dict[str, Any]:
    """A deal in euros, created on 5 January 2026, open in Qualification."""
    return {
        "deal_id": deal_id,
        "deal_name": f"Deal {deal_id}",
        "owner_rep_id": "r1",
        "stage_id": "Q",
        "status": "open",
        "amount": 100,
        "currency_code": "EUR",
        "created_at": "2026-01-05 09:00:00",
        "expected_close_date": "2026-03-31",
        "updated_at": "2026-01-05 09:00:00",
    } | values


def entered(deal_id: str, seq: int, stage: str, at: str, **values: Any) -> dict[str, Any]:
    """One entry into a stage."""
    return {"deal_id": deal_id, "seq": seq, "to_stage_id": stage, "entered_at": at} | values


def changed(deal_id: str, field: str, old: str | None, new: str | None, at: str) -> dict[str, Any]:
    """One change of a field."""
    return {"deal_id": deal_id, "field": field, "old_value": old, "new_value": new, "changed_at": at}
