"""Small companies for the contract test: ordinary, empty, of one row, full of NULLs, full of ties."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

import duckdb
import numpy as np
import polars as pl
from kpis import world_activities, world_forecast, world_history, world_money, world_people, world_winning

MORE = (world_activities, world_forecast, world_history, world_money, world_people, world_winning)
Row = dict[str, Any]
SCHEMAS = {
    "deals": {
        "deal_id": "VARCHAR",
        "account_id": "VARCHAR",
        "parent_account_id": "VARCHAR",
        "team": "VARCHAR",
        "owner_rep_id": "VARCHAR",
        "status": "VARCHAR",
        "amount_base_cents": "BIGINT",
        "lost_reason": "VARCHAR",
        "created_date": "DATE",
        "closed_date": "DATE",
        "expected_close_date": "DATE",
        "lead_created_at": "TIMESTAMP",
        "is_deleted": "BOOLEAN",
    },
    "stage_spells": {
        "deal_id": "VARCHAR",
        "seq": "BIGINT",
        "stage_name": "VARCHAR",
        "stage_order": "BIGINT",
        "team": "VARCHAR",
        "entered_at": "TIMESTAMP",
        "left_at": "TIMESTAMP",
        "exit_type": "VARCHAR",
        "is_first_entry": "BOOLEAN",
        "forward_at": "TIMESTAMP",
        "lost_at": "TIMESTAMP",
        "won_at": "TIMESTAMP",
        "amount_base_cents": "BIGINT",
    },
    "leads": {
        "lead_id": "VARCHAR",
        "team": "VARCHAR",
        "mql_at": "TIMESTAMP",
        "sql_at": "TIMESTAMP",
        "disqualified_at": "TIMESTAMP",
    },
    "orders": {
        "order_id": "VARCHAR",
        "account_id": "VARCHAR",
        "team": "VARCHAR",
        "order_date": "DATE",
        "order_status": "VARCHAR",
        "net_amount_base_cents": "BIGINT",
    },
    "activities": {
        "activity_id": "VARCHAR",
        "activity_type": "VARCHAR",
        "owner_rep_id": "VARCHAR",
        "team": "VARCHAR",
        "started_at": "TIMESTAMP",
        "duration_s": "BIGINT",
        "is_done": "BOOLEAN",
    },
    "rep_assignments": {
        "rep_id": "VARCHAR",
        "team": "VARCHAR",
        "contracted_hours_per_week": "DOUBLE",
        "valid_from_date": "DATE",
        "valid_to_date": "DATE",
    },
    "quotas": {
        "rep_id": "VARCHAR",
        "team": "VARCHAR",
        "metric": "VARCHAR",
        "period_start_date": "DATE",
        "period_end_date": "DATE",
        "quota_amount_base_cents": "BIGINT",
    },
    "credits": {
        "rep_id": "VARCHAR",
        "team": "VARCHAR",
        "credit_date": "DATE",
        "amount_base_cents": "BIGINT",
    },
    "costs": {"cost_id": "VARCHAR", "team": "VARCHAR", "cost_date": "DATE", "amount_base_cents": "BIGINT"},
    "surveys": {
        "response_id": "VARCHAR",
        "survey_type": "VARCHAR",
        "contact_id": "VARCHAR",
        "account_id": "VARCHAR",
        "team": "VARCHAR",
        "score": "BIGINT",
        "responded_at": "TIMESTAMP",
        "sent_at": "TIMESTAMP",
    },
}
for more in MORE:
    for table, columns in more.SCHEMAS.items():
        SCHEMAS[table] = SCHEMAS.get(table, {}) | columns
KEPT = {  # what a row must have to be a row at all
    "deal_id",
    "seq",
    "stage_name",
    "stage_order",
    "lead_id",
    "order_id",
    "activity_id",
    "owner_rep_id",
    "response_id",
    "cost_id",
    "is_first_entry",
    "metric",
    "period_start_date",
    "period_end_date",
    "entered_at",
    "contact_id",
}.union(*(more.KEPT for more in MORE))
WORLDS = ("ordinary", "empty", "one row", "full of nulls", "full of ties")
POLARS = {
    "VARCHAR": pl.String,
    "BIGINT": pl.Int64,
    "DOUBLE": pl.Float64,
    "BOOLEAN": pl.Boolean,
    "DATE": pl.Date,
    "TIMESTAMP": pl.Datetime("us"),
}
START = datetime(2025, 1, 1, 8)
TEAMS = ("North", "South", None)


@cache
def world(name: str) -> dict[str, tuple[Row, ...]]:
    """The rows of each table of a company."""
    tables = _ordinary()
    if name == "empty":
        return {table: () for table in tables}
    if name == "one row":
        return {table: rows[:1] for table, rows in tables.items()}
    if name == "full of nulls":
        return {table: _with_nulls(rows) for table, rows in tables.items()}
    if name == "full of ties":
        return {table: tuple(_tied(table, row) for row in rows) for table, rows in tables.items()}
    return tables


def database(name: str) -> duckdb.DuckDBPyConnection:
    """The company as typed DuckDB tables."""
    con = duckdb.connect()
    for table, columns in SCHEMAS.items():
        con.execute(f"CREATE TABLE {table} ({', '.join(f'{c} {t}' for c, t in columns.items())})")
        rows = [[row[c] for c in columns] for row in world(name)[table]]
        if rows:
            con.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' for _ in columns)})", rows)
    return con


def frames(con: duckdb.DuckDBPyConnection, name: str, table: str, engine: str) -> Any:
    """One table of the company in an engine."""
    if engine == "duckdb":
        return con.table(table)
    if engine == "pandas":
        return con.table(table).df()
    rows = {c: [row[c] for row in world(name)[table]] for c in SCHEMAS[table]}
    eager = pl.DataFrame(rows, schema={c: POLARS[t] for c, t in SCHEMAS[table].items()})
    return eager if engine == "polars" else eager.lazy()


def _ordinary() -> dict[str, tuple[Row, ...]]:
    rng = np.random.default_rng(11)
    tables: dict[str, list[Row]] = {name: [] for name in SCHEMAS}
    for number in range(120):
        _deal(rng, number, tables)
    for number in range(80):
        _lead(rng, number, tables)
        _order(rng, number, tables)
        _survey(rng, number, tables)
    _team(rng, tables)
    for number, more in enumerate(MORE):
        more.add(tables, np.random.default_rng(number))
    world_forecast.finish(tables, np.random.default_rng(len(MORE)))
    return {name: tuple(rows) for name, rows in tables.items()}


def _pick(rng: np.random.Generator, values: Any) -> Any:
    return values[int(rng.integers(len(values)))]


def _deal(rng: np.random.Generator, number: int, tables: dict[str, list[Row]]) -> None:
    created = START + timedelta(days=int(rng.integers(0, 480)), hours=int(rng.integers(0, 10)))
    team, cents = (
        _pick(rng, TEAMS),
        _pick(rng, [None, 0, int(rng.integers(1, 9_000_000))] + [int(rng.integers(1, 999_999))] * 5),
    )
    outcome = _pick(rng, ["won", "won", "lost", "lost", "open", "deleted"])
    end = _spells(rng, f"d{number}", created, team, outcome, cents, tables["stage_spells"])
    if outcome == "deleted":
        return
    rep = f"r{int(rng.integers(4))}"
    closed = end.date() if outcome != "open" else None
    tables["deals"].append(
        {
            "deal_id": f"d{number}",
            "account_id": _pick(rng, [None, *(f"a{i}" for i in range(25))]),
            "parent_account_id": _pick(rng, [None, None, None, "a1"]),
            "team": team,
            "owner_rep_id": rep,
            "status": outcome,
            "amount_base_cents": cents,
            "lost_reason": _pick(rng, [None, "price", "Duplicate"]) if outcome == "lost" else None,
            "created_date": created.date(),
            "closed_date": closed,
            "is_deleted": _pick(rng, [False] * 9 + [True]),
            "expected_close_date": _pick(rng, [None, date(2026, 3, 1), date(2026, 5, 15), date(2026, 6, 30)]),
            "lead_created_at": _pick(rng, [None, created - timedelta(days=40)]),
        }
    )
    if outcome == "won":
        tables["credits"].append(
            {
                "rep_id": _pick(rng, [None, rep, rep, rep, rep]),
                "team": team,
                "credit_date": closed,
                "amount_base_cents": cents,
            }
        )


def _spells(
    rng: np.random.Generator, deal: str, at: datetime, team: Any, outcome: str, cents: Any, rows: list[Row]
) -> datetime:
    steps = [1, *_pick(rng, [[], [2], [2, 3], [3], [2, 1, 2, 3]])]
    times = [at]
    for _ in steps:
        times.append(times[-1] + timedelta(days=int(rng.integers(0, 40)), hours=int(rng.integers(0, 12))))
    end = times[-1]
    for index, order in enumerate(steps):
        last = index == len(steps) - 1
        leaves = None if last and outcome == "open" else times[index + 1]
        way = outcome if last else ("forward" if steps[index + 1] > order else "backward")
        further = next((times[i] for i in range(index + 1, len(steps)) if steps[i] > order), None)
        rows.append(
            {
                "deal_id": deal,
                "seq": index + 1,
                "stage_name": f"Stage {order}",
                "stage_order": order,
                "team": team,
                "entered_at": times[index],
                "left_at": leaves,
                "exit_type": None if leaves is None else way,
                "is_first_entry": order not in steps[:index],
                "forward_at": further or (end if outcome == "won" else None),
                "lost_at": end if outcome == "lost" else None,
                "won_at": end if outcome == "won" else None,
                "amount_base_cents": cents,
            }
        )
    return end


def _lead(rng: np.random.Generator, number: int, tables: dict[str, list[Row]]) -> None:
    mql = START + timedelta(days=int(rng.integers(0, 500)))
    sql = _pick(rng, [None, mql + timedelta(days=int(rng.integers(0, 120)))])
    out = _pick(rng, [None, mql + timedelta(days=int(rng.integers(0, 120)))])
    tables["leads"].append(
        {
            "lead_id": f"l{number}",
            "team": _pick(rng, TEAMS),
            "mql_at": _pick(rng, [None, mql, mql, mql]),
            "sql_at": sql,
            "disqualified_at": out,
        }
    )


def _order(rng: np.random.Generator, number: int, tables: dict[str, list[Row]]) -> None:
    tables["orders"].append(
        {
            "order_id": f"o{number // 2 if number % 5 == 0 else number}",
            "account_id": _pick(rng, [None, "a1", "a2", "a3"]),
            "team": TEAMS[number % 2],
            "order_date": (START + timedelta(days=number // 10 * 31)).date(),
            "order_status": _pick(rng, ["placed", "fulfilled", "cancelled", "returned", "placed"]),
            "net_amount_base_cents": _pick(
                rng, [None, -500, *(int(v) for v in rng.integers(100, 90_000, 6))]
            ),
        }
    )


def _survey(rng: np.random.Generator, number: int, tables: dict[str, list[Row]]) -> None:
    sent = START + timedelta(days=int(rng.integers(0, 500)))
    back = _pick(rng, [None, sent + timedelta(days=3), sent + timedelta(days=9)])
    tables["surveys"].append(
        {
            "response_id": f"s{number}",
            "survey_type": _pick(rng, ["nps", "nps", "nps", "csat"]),
            "team": _pick(rng, TEAMS),
            "contact_id": f"c{int(rng.integers(30))}",
            "account_id": f"a{int(rng.integers(9))}",
            "responded_at": back,
            "score": int(rng.integers(0, 11)) if back else None,
            "sent_at": _pick(rng, [sent, sent, None]),
        }
    )


def _team(rng: np.random.Generator, tables: dict[str, list[Row]]) -> None:
    for rep in range(5):
        team = TEAMS[rep % 3]
        tables["rep_assignments"].append(
            {
                "rep_id": f"r{rep}",
                "team": team,
                "contracted_hours_per_week": _pick(rng, [20.0, 38.5]),
                "valid_from_date": date(2025, 1, 1),
                "valid_to_date": date(2025, 9, 30) if rep == 3 else None,
            }
        )
        for month in range(18):
            first = date(2025 + month // 12, month % 12 + 1, 1)
            if rep == 4 and month < 12:
                continue
            last = date(2025 + (month + 1) // 12, (month + 1) % 12 + 1, 1) - timedelta(days=1)
            tables["quotas"].append(
                {
                    "rep_id": f"r{rep}" if rep else None if month == 3 else "r0",
                    "team": team,
                    "metric": "bookings",
                    "period_start_date": first,
                    "period_end_date": last,
                    "quota_amount_base_cents": int(rng.integers(50_000, 900_000)),
                }
            )
            tables["costs"].append(
                {
                    "cost_id": f"k{rep}-{month}",
                    "team": team,
                    "cost_date": first + timedelta(days=rep),
                    "amount_base_cents": int(rng.integers(1_000, 90_000)),
                }
            )
        for number in range(60):
            tables["activities"].append(
                {
                    "activity_id": f"v{rep}-{number}",
                    "owner_rep_id": f"r{rep}",
                    "team": team,
                    "activity_type": _pick(rng, ["call", "email", "meeting", "admin", "travel"]),
                    "started_at": START + timedelta(days=int(rng.integers(0, 365))),
                    "duration_s": _pick(rng, [None, *(int(v) for v in rng.integers(60, 400_000, 5))]),
                    "is_done": _pick(rng, [True, True, True, False]),
                }
            )


def _with_nulls(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    rng = np.random.default_rng(5)
    return tuple(
        {c: None if c not in KEPT and rng.random() < 0.3 else v for c, v in row.items()} for row in rows
    )


def _tied(table: str, row: Row) -> Row:
    same: dict[str, Any] = {
        "amount_base_cents": 5_000,
        "net_amount_base_cents": 5_000,
        "account_id": "a1",
        "team": "North",
        "score": 9,
        "duration_s": 3_600,
        "closed_date": date(2026, 3, 31),
        "created_date": date(2026, 3, 1),
        "expected_close_date": date(2026, 5, 31),
        "order_date": date(2026, 1, 31),
        "credit_date": date(2026, 2, 28),
    }
    for more in MORE:
        same |= more.TIED
    kept = {c: v for c, v in same.items() if c in row and row[c] is not None}
    if table == "stage_spells":
        kept |= {"entered_at": START} | {
            c: START + timedelta(days=7)
            for c in ("left_at", "forward_at", "lost_at", "won_at")
            if row[c] is not None
        }
    return row | kept
