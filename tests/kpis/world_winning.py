"""What the small companies have for the KPIs of cohort win rates, velocity, leads and bottlenecks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np

SCHEMAS: dict[str, dict[str, str]] = {
    "leads": {
        "contact_id": "VARCHAR",
        "account_id": "VARCHAR",
        "company_name": "VARCHAR",
        "converted_at": "TIMESTAMP",
        "converted_deal_id": "VARCHAR",
        "converted_account_id": "VARCHAR",
    },
}
"""Tables, or further columns of tables."""
KEPT: set[str] = set()
"""Columns that are never NULL."""
TIED: dict[str, Any] = {"company_name": "Acme"}
"""Columns that are the same everywhere in the company full of ties."""
COMPANIES = (None, "Acme", " ACME", "Bolt", "bolt ", "Crux", "", "Dyne", "Elan")


def add(tables: dict[str, list[dict[str, Any]]], rng: np.random.Generator) -> None:
    """Fills the tables and columns; every row must have every column."""
    deals = [row["deal_id"] for row in tables["deals"]]
    for row in tables["leads"]:
        at = row["created_at"]
        done = _pick(rng, [None, at and at + timedelta(days=int(rng.integers(0, 200)))])
        row |= {
            "contact_id": _pick(rng, [None, None, None, None, f"p{int(rng.integers(20))}"]),
            "account_id": _pick(rng, [None, None, None, f"a{int(rng.integers(25))}"]),
            "company_name": _pick(rng, COMPANIES),
            "converted_at": done,
            "converted_deal_id": _pick(rng, [None, *deals]) if done else None,
            "converted_account_id": _pick(rng, [None, f"a{int(rng.integers(25))}"]) if done else None,
        }


def _pick(rng: np.random.Generator, values: Any) -> Any:
    return values[int(rng.integers(len(values)))]
