"""salestrack: KPIs, models and reports for sales tracking.

A KPI is a function from canonical tables to a small table; everything else brings data to it or shows what it returned.
The public names are those of `__all__`; each is imported on first use, so that a command loads only what it needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from salestrack import kpis as kpis
    from salestrack.book import Book as Book
    from salestrack.kpis import *  # noqa: F403
    from salestrack.models import win_probability as win_probability
    from salestrack.page import Page as Page
    from salestrack.periods import Period as Period
    from salestrack.show import Show as Show

__version__ = "0.1.0"
_LATER = {
    "Book": "salestrack.book",
    "Page": "salestrack.page",
    "Period": "salestrack.periods",
    "Show": "salestrack.show",
    "win_probability": "salestrack.models",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    if name == "__all__":
        return __dir__()
    found = import_module("salestrack.kpis") if name == "kpis" or not name.startswith("_") else None
    if name == "kpis":
        return found
    if found and name in found.__all__:
        return getattr(found, name)
    raise AttributeError(f"module 'salestrack' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*_LATER, *import_module("salestrack.kpis").__all__]
