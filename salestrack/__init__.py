"""salestrack: KPIs, models and reports for sales tracking.

A KPI is a function from canonical tables to a small table; everything else brings data to it or shows what it returned.
The public names are those of `__all__`; heavier ones are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from salestrack import kpis
from salestrack.kpis import *  # noqa: F403
from salestrack.periods import Period

if TYPE_CHECKING:
    from salestrack.book import Book
    from salestrack.models import win_probability
    from salestrack.page import Page
    from salestrack.show import Show

__version__ = "0.1.0"
_LATER = {
    "Book": "salestrack.book",
    "Page": "salestrack.page",
    "Show": "salestrack.show",
    "win_probability": "salestrack.models",
}
__all__ = ["Book", "Page", "Period", "Show", "win_probability", *kpis.__all__]


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module 'salestrack' has no attribute '{name}'")
