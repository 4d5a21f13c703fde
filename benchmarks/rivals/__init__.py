"""What each KPI is measured against: the same figure by hand, as DuckDB SQL and as plain pandas.

Both start from the same tables as the KPI: the Book's, as of the last day of the data. The SQL is what somebody
who knows DuckDB would write for this figure alone, reading no column and making no pass that it can do without;
the pandas is what a careful analyst would write. `raw` starts from the exported history (`deal_stage_history`,
`deal_field_history`) where the KPI uses what was worked out at import (`stage_spells`, `deal_versions`).
Every rival is compared with the KPI before it is timed: a rival that is fast and wrong proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Rival:
    """One KPI by hand.

    `reads` names the columns that the pandas way needs of each table; `sql`, `raw` and `pandas` give every number
    that the KPI gives, in the order of the KPI's rows; `{as_of}` in the SQL is the last day.
    `finish` does on the small result of a query what is arithmetic and not worth writing in SQL; it is timed with it.
    """

    reads: dict[str, list[str]]
    sql: str
    pandas: Callable[..., pd.DataFrame]
    options: dict[str, Any] = field(default_factory=dict)
    raw: str = ""
    finish: Callable[[pd.DataFrame], pd.DataFrame] | None = None
