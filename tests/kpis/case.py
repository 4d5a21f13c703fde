"""How one KPI is called to be compared with its plain SQL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

AS_OF = "2026-04-20"
EVERY, NO_MONTH, WHOLE = (None, "team", "month"), (None, "team"), (None,)


@dataclass(frozen=True)
class Case:
    """A function, its SQL (text, or made from the grouping), the date of its period words, options, groupings.

    `rows` are the columns that make rows of their own even without a grouping, such as stages; only the columns
    that the SQL gives are compared.
    """

    function: Callable[..., pd.DataFrame]
    sql: str | Callable[[str | None], str]
    date: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    each: tuple[str | None, ...] = EVERY
    rows: tuple[str, ...] = ()
