"""What the small companies have for the KPIs of growth, prices, loss reasons and customers' spending."""

from __future__ import annotations

from typing import Any

import numpy as np

SCHEMAS: dict[str, dict[str, str]] = {
    "deals": {
        "amount": "DOUBLE",
        "currency_code": "VARCHAR",
        "segment": "VARCHAR",
        "deal_type": "VARCHAR",
    },
    "accounts": {"account_id": "VARCHAR", "parent_account_id": "VARCHAR"},
    "order_lines": {"order_line_id": "VARCHAR", "order_id": "VARCHAR", "sale_type": "VARCHAR"},
    "deal_products": {
        "deal_product_id": "VARCHAR",
        "deal_id": "VARCHAR",
        "quantity": "DOUBLE",
        "list_price": "DOUBLE",
        "line_amount": "DOUBLE",
        "currency_code": "VARCHAR",
        "is_optional": "BOOLEAN",
    },
}
"""Tables, or further columns of tables."""
KEPT: set[str] = {"order_line_id", "deal_product_id"}
"""Columns that are never NULL."""
TIED: dict[str, Any] = {"list_price": 10.0}
"""Columns that are the same everywhere in the company full of ties."""
RATES = {"EUR": (1.0, 1.0), "USD": (0.95, 0.8), "CHF": (1.05, 1.1), "JPY": (0.006, 0.005)}
REASONS = (
    None,
    "price",
    "Duplicate",
    "price; timing",
    "Other",
    " ",
    "timing;product; price",
    "no budget",
    "unknown",
)


def add(tables: dict[str, list[dict[str, Any]]], rng: np.random.Generator) -> None:
    """Fills the tables and columns; every row must have every column."""
    for number, deal in enumerate(tables["deals"]):
        _deal(rng, number, deal)
        tables["deal_products"] += [_line(rng, deal, f"{number}-{i}") for i in range(number % 4)]
    for number, order in enumerate(tables["orders"]):
        order["account_id"] = _pick(rng, [None, *(f"a{i}" for i in range(10))])
        for i in range(number % 3):
            kind = _pick(rng, [None, "new", "upsell", "cross_sell", "renewal", "new"])
            tables["order_lines"].append(
                {"order_line_id": f"{number}-{i}", "order_id": order["order_id"], "sale_type": kind}
            )
    for number in range(25):
        parent = _pick(rng, [None, None, f"a{(number + 7) % 25}", "a1", "a99"])
        tables["accounts"].append({"account_id": f"a{number}", "parent_account_id": parent})


def _deal(rng: np.random.Generator, number: int, deal: dict[str, Any]) -> None:
    code = _pick(rng, ["EUR", "EUR", "USD", "CHF", "JPY" if number % 2 else "EUR"])
    cents, rate = deal["amount_base_cents"], RATES[code][int(rng.integers(2))]
    deal["amount"] = None if cents is None else float(np.floor(cents / rate)) / 100
    deal["currency_code"] = code
    deal["segment"] = _pick(rng, [None, "small", "small", "large", "public"])
    deal["deal_type"] = _pick(rng, [None, "new", "new", "existing", "renewal", "expansion"])
    if deal["status"] == "lost":
        deal["lost_reason"] = _pick(rng, REASONS)


def _line(rng: np.random.Generator, deal: dict[str, Any], number: str) -> dict[str, Any]:
    price, pieces = float(rng.integers(1, 900)), float(rng.integers(1, 5))
    return {
        "deal_product_id": number,
        "deal_id": deal["deal_id"],
        "quantity": pieces,
        "list_price": _pick(rng, [None, 0.0, price, price, price, price]),
        "line_amount": float(np.floor(price * pieces * (1 - _pick(rng, [0, 0.05, 0.3, -0.1])) * 100)) / 100,
        "currency_code": _pick(rng, [None, None, deal["currency_code"], "USD"]),
        "is_optional": _pick(rng, [None, False, False, True]),
    }


def _pick(rng: np.random.Generator, values: Any) -> Any:
    return values[int(rng.integers(len(values)))]
