"""What the small companies have for the KPIs of forecasts, weighted pipeline, hygiene and concentration."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

SCHEMAS: dict[str, dict[str, str]] = {
    "deals": {
        "probability": "DOUBLE",
        "win_probability": "DOUBLE",
        "next_step": "VARCHAR",
        "is_current": "BOOLEAN",
    },
    "deal_versions": {"stage_name": "VARCHAR", "probability": "DOUBLE"},
    "forecasts": {
        "rep_id": "VARCHAR",
        "team": "VARCHAR",
        "period_start_date": "DATE",
        "submitted_at": "TIMESTAMP",
        "forecast_category": "VARCHAR",
        "forecast_amount_base_cents": "BIGINT",
    },
}
"""Tables, or further columns of tables."""
KEPT: set[str] = set()
"""Columns that are never NULL."""
TIED: dict[str, Any] = {"probability": 0.5, "win_probability": 0.5}
"""Columns that are the same everywhere in the company full of ties."""


def add(tables: dict[str, list[dict[str, Any]]], rng: np.random.Generator) -> None:
    """Fills the tables and columns; every row must have every column."""
    for row in tables["deals"]:
        row |= {
            "probability": _pick(rng, [None, 0.1, 0.25, 0.5, 0.8]),
            "win_probability": _pick(rng, [0.0, 0.05, 0.3, 0.6, None]),
            "next_step": _pick(rng, [None, "", "call", "visit"]),
            "is_current": _pick(rng, [True, True, True, False]),
        }
    for rep in range(4):
        for quarter in range(6):
            first = date(2025 + quarter // 4, quarter % 4 * 3 + 1, 1)
            tables["forecasts"] += [_forecast(rng, rep, first) for _ in range(6)]


def finish(tables: dict[str, list[dict[str, Any]]], rng: np.random.Generator) -> None:
    """Further columns of rows that other topics made."""
    for row in tables["deal_versions"]:
        row |= {
            "stage_name": _pick(rng, ["Stage 1", "Stage 2", None]),
            "probability": _pick(rng, [None, 0.1, 0.25, 0.5, 0.75]),
        }


def _pick(rng: np.random.Generator, values: Any) -> Any:
    return values[int(rng.integers(len(values)))]


def _forecast(rng: np.random.Generator, rep: int, first: date) -> dict[str, Any]:
    made = datetime.combine(first, datetime.min.time()) + timedelta(hours=int(rng.integers(-99, 2_400)))
    return {
        "rep_id": f"r{rep}",
        "team": ("North", "South", None)[rep % 3],
        "period_start_date": first,
        "submitted_at": made,
        "forecast_category": _pick(rng, ["commit", "commit", "best_case"]),
        "forecast_amount_base_cents": int(rng.integers(0, 900_000)),
    }
