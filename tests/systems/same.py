"""Whether two companies tell the same: every KPI of both books, compared."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from salestrack import kpis
from salestrack.book import Book
from salestrack.errors import SalestrackError
from salestrack.importing import ImportResult
from salestrack.kpis import CARDS
from salestrack.schema import CANONICAL
from salestrack.store import Store

PERIOD = "2026-Q3"
PLANNING = ("territory_disruption",)
"""Figures that need a plan beside the books."""


def figures(company: Path) -> dict[str, pd.DataFrame | str]:
    """Every KPI of the catalogue for a company as of 31 October 2026; where it is refused, the refusal's class."""
    with Book.open(company, "2026-10-31") as book:
        return {name: _figure(book, name) for name in CARDS if name not in PLANNING}


def _figure(book: Book, name: str) -> pd.DataFrame | str:
    known = inspect.signature(getattr(kpis, name)).parameters
    needed = "period" in known and known["period"].default is inspect.Parameter.empty
    options: dict[str, Any] = {"period": PERIOD} if needed else {}
    try:
        return book.kpi(getattr(kpis, name), **options)
    except SalestrackError as error:
        return type(error).__name__


def differing(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    """The names of the figures that differ: numbers by more than 1e-9 of themselves, texts at all."""
    return [name for name in a if not _same(a[name], b[name])]


def _same(a: pd.DataFrame | str, b: pd.DataFrame | str) -> bool:
    if isinstance(a, str) or isinstance(b, str):
        return isinstance(a, str) and isinstance(b, str) and a == b
    if list(a.columns) != list(b.columns) or len(a) != len(b):
        return False
    return all(_equal(a[column], b[column]) for column in a)


def _equal(a: pd.Series, b: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(a) and pd.api.types.is_numeric_dtype(b):
        numbers = (np.asarray(a, dtype=float), np.asarray(b, dtype=float))
        return bool(np.allclose(*numbers, rtol=1e-9, atol=1e-9, equal_nan=True))
    return a.astype(str).tolist() == b.astype(str).tolist()


def stored(company: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every filled canonical table of a company, without the reference to its file."""
    files = Store.open(company / "store").tables
    found = {
        name: duckdb.sql(f"SELECT * EXCLUDE (source_ref) FROM '{files[name]}' ORDER BY ALL").fetchall()
        for name in CANONICAL
    }
    return {name: rows for name, rows in found.items() if rows}


def unaccounted(result: ImportResult) -> list[str]:
    """The files of which some row went nowhere, or into quarantine."""
    return [
        file.file
        for file in result.files
        if file.quarantined or file.rows_read != file.accepted + file.superseded + file.excluded + file.footer
    ]
