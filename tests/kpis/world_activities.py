"""What the small companies have for the KPIs of activities, response times and contacts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np

SCHEMAS: dict[str, dict[str, str]] = {
    "deals": {"segment": "VARCHAR", "lead_source": "VARCHAR"},
    "leads": {"created_at": "TIMESTAMP"},
    "activities": {
        "deal_id": "VARCHAR",
        "lead_id": "VARCHAR",
        "contact_id": "VARCHAR",
        "account_id": "VARCHAR",
        "direction": "VARCHAR",
        "is_automated": "BOOLEAN",
    },
    "activity_participants": {
        "activity_id": "VARCHAR",
        "participant_type": "VARCHAR",
        "participant_id": "VARCHAR",
    },
}
"""Tables, or further columns of tables."""
KEPT: set[str] = set()
"""Columns that are never NULL."""
TIED: dict[str, Any] = {"segment": "Large", "lead_source": "Web", "direction": "outbound"}
"""Columns that are the same everywhere in the company full of ties."""


def add(tables: dict[str, list[dict[str, Any]]], rng: np.random.Generator) -> None:
    """Fills the tables and columns; every row must have every column."""
    for row in tables["deals"]:
        row |= {"segment": _pick(rng, ["Large", "Small", None]), "lead_source": _pick(rng, ["Web", "Fair"])}
    for row in tables["leads"]:
        mql = row["mql_at"] or datetime(2025, 6, 1, 9)
        row["created_at"] = _pick(rng, [None, *([mql - timedelta(minutes=int(rng.integers(9_000)))] * 9)])
    for row in tables["activities"]:
        row |= dict.fromkeys(("deal_id", "lead_id", "contact_id", "account_id")) | {
            "direction": "none",
            "is_automated": False,
        }
    for number in range(500):
        tables["activities"].append(_on_deal(rng, number, _pick(rng, tables["deals"])))
    for number in range(160):
        tables["activities"].append(_on_lead(rng, number, _pick(rng, tables["leads"])))
    for row in list(tables["activities"])[-400::9]:  # once more for another attendee
        tables["activities"].append(row | {"contact_id": "c99"})
    for number in range(120):
        tables["activity_participants"].append({
            "activity_id": f"w{number * 2}",
            "participant_type": _pick(rng, ["contact", "contact", "rep"]),
            "participant_id": f"c{int(rng.integers(6))}",
        })  # fmt: skip


def _on_deal(rng: np.random.Generator, number: int, deal: dict[str, Any]) -> dict[str, Any]:
    born = datetime.combine(deal["created_date"], datetime.min.time())
    at = born + timedelta(days=int(rng.integers(-25, 70)), hours=int(rng.integers(24)))
    return _activity(rng, f"w{number}", at) | {
        "deal_id": deal["deal_id"],
        "contact_id": _pick(rng, [None, "c1", "c2", "c3"]),
        "account_id": _pick(rng, [None, deal["account_id"]]),
    }


def _on_lead(rng: np.random.Generator, number: int, lead: dict[str, Any]) -> dict[str, Any]:
    wait = int(_pick(rng, [-900, 200, 300, 301, 3_000, 40_000, 200_000, 2_000_000, 900_000]))
    at = (lead["created_at"] or datetime(2025, 7, 1)) + timedelta(seconds=wait)
    return _activity(rng, f"x{number}", at) | {"lead_id": lead["lead_id"]}


def _activity(rng: np.random.Generator, name: str, at: datetime) -> dict[str, Any]:
    rep = int(rng.integers(5))
    return {
        "activity_id": name,
        "owner_rep_id": f"r{rep}",
        "team": ("North", "South", None)[rep % 3],
        "activity_type": _pick(rng, ["call", "email", "meeting", "admin"]),
        "started_at": at,
        "duration_s": int(rng.integers(60, 9_000)),
        "is_done": _pick(rng, [True] * 6 + [False]),
        "deal_id": None,
        "lead_id": None,
        "contact_id": None,
        "account_id": None,
        "direction": _pick(rng, ["outbound", "outbound", "inbound", "none"]),
        "is_automated": _pick(rng, [False] * 5 + [True]),
    }


def _pick(rng: np.random.Generator, values: Any) -> Any:
    return values[int(rng.integers(len(values)))]
