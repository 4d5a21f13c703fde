"""What the small companies have for the KPIs of pipeline over time."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

SCHEMAS: dict[str, dict[str, str]] = {
    "deal_versions": {
        "deal_id": "VARCHAR",
        "team": "VARCHAR",
        "status": "VARCHAR",
        "amount": "DOUBLE",
        "currency_code": "VARCHAR",
        "amount_base_cents": "BIGINT",
        "created_date": "DATE",
        "expected_close_date": "DATE",
        "closed_date": "DATE",
        "valid_from": "TIMESTAMP",
        "valid_to": "TIMESTAMP",
        "pushes": "BIGINT",
    },
    "exchange_rates": {
        "from_currency_code": "VARCHAR",
        "to_currency_code": "VARCHAR",
        "rate_date": "DATE",
        "rate": "DOUBLE",
    },
}
"""Tables, or further columns of tables."""
KEPT: set[str] = {"valid_from", "valid_to", *SCHEMAS["exchange_rates"]}
"""Columns that are never NULL."""
TIED: dict[str, Any] = {}
"""Columns that are the same everywhere in the company full of ties."""
START = datetime(2025, 1, 1, 8)
CHANGES = ("amount", "amount", "due", "due", "due", "team", "won", "won", "lost", "lost", "open", "deleted")


def add(tables: dict[str, list[dict[str, Any]]], rng: np.random.Generator) -> None:
    """Fills the tables and columns; every row must have every column."""
    for number in range(150):
        tables["deal_versions"] += spans(rng, f"v{number}")
    for number in range(18):
        first = date(2025 + number // 12, number % 12 + 1, 1)
        rows = [("USD", 0.9), ("CHF", 1.05)] if number > 8 else [("USD", 0.9)]
        tables["exchange_rates"] += [
            {
                "from_currency_code": code,
                "to_currency_code": "EUR",
                "rate_date": first,
                "rate": rate + int(rng.integers(-9999, 9999)) / 100_000,
            }
            for code, rate in rows
        ]


def spans(rng: np.random.Generator, deal: str) -> list[dict[str, Any]]:
    """The spans of one deal: amounts, dates, teams and states change at random, some within a day."""
    at = START + timedelta(days=int(rng.integers(0, 480)), hours=int(rng.integers(0, 12)))
    state = {
        "deal_id": deal,
        "team": _pick(rng, ("North", "South", None)),
        "status": "open",
        "amount": _pick(rng, [None, 0.0, float(rng.integers(1, 9_999_999)) / 100]),
        "currency_code": _pick(rng, ["EUR", "EUR", "USD", "CHF"]),
        "amount_base_cents": None,
        "created_date": at.date(),
        "expected_close_date": _day(rng, at),
        "closed_date": None,
        "pushes": 0,
    }
    rows = [state | {"valid_from": at, "valid_to": None}]
    for _ in range(int(rng.integers(0, 9))):
        at += timedelta(days=_pick(rng, [0, 0, *range(1, 45)]), hours=int(rng.integers(0, 9)), minutes=7)
        rows[-1]["valid_to"] = at
        state = _changed(rng, state, at)
        rows.append(state | {"valid_from": at, "valid_to": None})
    return rows


def _changed(rng: np.random.Generator, state: dict[str, Any], at: datetime) -> dict[str, Any]:
    change = _pick(rng, CHANGES)
    if change == "amount":
        return state | {"amount": _pick(rng, [None, float(rng.integers(1, 9_999_999)) / 100])}
    if change == "team":
        return state | {"team": _pick(rng, ("North", "South", None))}
    if change == "due":
        return state | {
            "expected_close_date": _day(rng, at),
            "pushes": state["pushes"] + int(rng.integers(2)),
        }
    closed = change in ("won", "lost")
    cents = int(rng.integers(1, 9_999_999)) if closed and state["amount"] else None
    return state | {
        "status": change,
        "closed_date": at.date() if closed else None,
        "amount_base_cents": cents,
        "expected_close_date": at.date() if closed else state["expected_close_date"],
    }


def _day(rng: np.random.Generator, at: datetime) -> date | None:
    return _pick(rng, [None, *[at.date() + timedelta(days=int(rng.integers(-10, 150)))] * 9])


def _pick(rng: np.random.Generator, values: Any) -> Any:
    return values[int(rng.integers(len(values)))]
