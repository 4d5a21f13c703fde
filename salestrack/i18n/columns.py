"""What is known of a column: its unit, the KPI whose figure it is, which direction is good news."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from importlib import import_module
from typing import Any, Literal

import pandas as pd

from salestrack.errors import SalestrackError
from salestrack.i18n.cleaning import is_unknown
from salestrack.i18n.texts import messages
from salestrack.periods import WORDS as PERIODS


def unit_of(column: str) -> str:
    """The unit of a column from the catalogue, the KPI's card or its name's ending; empty if none knows it.

    >>> unit_of("month"), unit_of("won"), unit_of("amount_base")
    ('month', 'count', 'money')
    """
    if (entry := messages()["columns"].get(column)) and "unit" in entry:
        return str(entry["unit"])
    if card := find_card(column):
        return "change" if column in messages()["meaning"]["signed"] else str(card.unit)
    return next((unit for end, unit in messages()["endings"].items() if column.endswith(end)), "")


def unit_for(column: str, values: pd.Series, given: Mapping[str, str] | None = None) -> str:
    """The unit of a table's column: the one given, else the known one, else guessed from the values' type.

    >>> unit_for("x", pd.Series(["a"])), unit_for("x", pd.Series([1])), unit_for("x", pd.Series([0.5]))
    ('text', 'count', 'number')
    """
    if given and column in given:
        return given[column]
    known = unit_of(column)
    kind = values.dtype.kind if hasattr(values.dtype, "kind") else "O"
    if (
        known in PERIODS
        and kind in "OUiuf"
        and not values.map(lambda v: isinstance(v, date | datetime)).all()
    ):
        return "text" if kind not in "iuf" else "count"
    if known and (known == "text" or kind != "O" or known in PERIODS or _numeric(values)):
        return known
    return {"i": "count", "u": "count", "f": "number", "M": "date", "b": "flag"}.get(
        kind, "number" if _numeric(values) else "text"
    )


def _numeric(values: pd.Series) -> bool:
    known = [v for v in values if not is_unknown(v)]
    return bool(known) and all(
        isinstance(v, int | float | Decimal) and not isinstance(v, bool) for v in known
    )


def better(column: str) -> Literal["higher", "lower", "neither"]:
    """Which direction of a KPI is good news.

    >>> better("win_rate"), better("sales_cycle")
    ('higher', 'lower')
    """
    meaning = messages()["meaning"]
    return "lower" if column in meaning["lower"] else "neither" if column in meaning["neither"] else "higher"


def estimated(column: str | None) -> bool:
    """False for a KPI that counts everything there is, so that few cases do not make it uncertain.

    >>> estimated("win_rate"), estimated("bookings")
    (True, False)
    """
    return column not in messages()["meaning"]["exact"]


@cache
def find_card(name: str) -> Any | None:
    """The card of the KPI with this name, None if there is no such KPI."""
    try:
        return import_module("salestrack.kpis").CARDS.get(name)
    except (ImportError, SalestrackError):
        return None
