"""What the small companies have for the KPIs of attainment, ramp, territories, pay-back, lifetime value and channels."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

SCHEMAS: dict[str, dict[str, str]] = {
    "reps": {
        "rep_id": "VARCHAR",
        "team": "VARCHAR",
        "hire_date": "DATE",
        "start_ramp_date": "DATE",
        "termination_date": "DATE",
    },
    "accounts": {
        "account_id": "VARCHAR",
        "team": "VARCHAR",
        "territory_id": "VARCHAR",
        "employee_count": "BIGINT",
        "churned_at": "TIMESTAMP",
    },
    "plan": {"account_id": "VARCHAR", "territory_id": "VARCHAR"},
    "order_lines": {
        "order_id": "VARCHAR",
        "line_amount_base_cents": "BIGINT",
        "quantity": "DOUBLE",
        "unit_cost": "DOUBLE",
    },
    "web_traffic": {"date": "DATE", "team": "VARCHAR", "channel_group": "VARCHAR", "sessions": "BIGINT"},
    "leads": {"lead_source": "VARCHAR"},
    "deals": {"lead_id": "VARCHAR"},
}
"""Tables, or further columns of tables."""
KEPT: set[str] = set()
"""Columns that are never NULL."""
TIED: dict[str, Any] = {
    "employee_count": 7,
    "unit_cost": 2.5,
    "hire_date": date(2025, 3, 1),
    "channel_group": "Web",
}
"""Columns that are the same everywhere in the company full of ties."""
FIRST = date(2025, 1, 1)
TEAMS = ("North", "South", None)


def add(tables: dict[str, list[dict[str, Any]]], rng: np.random.Generator) -> None:
    """Fills the tables and columns; every row must have every column."""
    tables["reps"] += [_rep(rng, number) for number in range(14)]
    for row in tables["accounts"]:
        row |= {
            "team": _pick(rng, TEAMS),
            "territory_id": _pick(rng, [None, "T1", "T2", "T3", "T4"]),
            "employee_count": _pick(rng, [None, 0, *(int(n) for n in rng.integers(1, 900, 5))]),
            "churned_at": _pick(rng, [None, None, _moment(rng, 300, 600)]),
        }
        if rng.random() < 0.6:
            to = _pick(rng, [row["territory_id"], "T1", "T5", None])
            tables["plan"].append({"account_id": row["account_id"], "territory_id": to})
    tables["plan"].append({"account_id": "unheard of", "territory_id": "T1"})
    for row in tables["order_lines"]:
        row |= {
            "line_amount_base_cents": _pick(rng, [None, *(int(n) for n in rng.integers(100, 50_000, 5))]),
            "quantity": float(rng.integers(1, 5)),
            "unit_cost": _pick(rng, [None, *(int(n) / 100 for n in rng.integers(10, 9_000, 3))]),
        }
    for _ in range(150):
        tables["web_traffic"].append({
            "date": FIRST + timedelta(days=int(rng.integers(0, 520))),
            "team": _pick(rng, TEAMS),
            "channel_group": _pick(rng, [None, "Web", "Ads", "Social"]),
            "sessions": _pick(rng, [None, *(int(n) for n in rng.integers(1, 400, 5))]),
        })  # fmt: skip
    names = [row["lead_id"] for row in tables["leads"]]
    for row in tables["leads"]:
        row["lead_source"] = _pick(rng, [None, "Website", "Ads", "Fair"])
    for row in tables["deals"]:
        row["lead_id"] = _pick(rng, [None, *names[:60]])


def _rep(rng: np.random.Generator, number: int) -> dict[str, Any]:
    hired = FIRST + timedelta(days=int(rng.integers(-40, 420)))
    return {
        "rep_id": f"r{number}",
        "team": TEAMS[number % 3],
        "hire_date": hired,
        "start_ramp_date": _pick(rng, [None, hired + timedelta(days=9)]),
        "termination_date": _pick(rng, [None, None, hired + timedelta(days=int(rng.integers(30, 400)))]),
    }


def _moment(rng: np.random.Generator, low: int, high: int) -> Any:
    return datetime(2025, 1, 1, 9) + timedelta(days=int(rng.integers(low, high)))


def _pick(rng: np.random.Generator, values: Any) -> Any:
    return values[int(rng.integers(len(values)))]
