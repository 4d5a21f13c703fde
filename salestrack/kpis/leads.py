"""From marketing-qualified to sales-qualified leads."""

from __future__ import annotations

from datetime import date
from typing import Any

import narwhals as nw
import pandas as pd

from salestrack.kpis._card import card
from salestrack.kpis._facts import By, facts
from salestrack.kpis._frames import flag, small, summarise
from salestrack.kpis._periods import number_of
from salestrack.kpis._results import layout
from salestrack.kpis._survival import (
    checked_day,
    checked_horizon,
    counted,
    day_known,
    days_from,
    earliest,
    incidence_by,
    maturity,
    on_or_before,
    per_group,
    whole,
)
from salestrack.periods import PeriodLike


@card(
    number=12,
    unit="share",
    date="mql_at",
    label_en="MQL to SQL",
    label_de="MQL-zu-SQL-Quote",
    description_en="Share of marketing-qualified leads that sales accepts as qualified within the horizon.",
    description_de="Anteil der marketingqualifizierten Leads, die der Vertrieb innerhalb der Frist als "
    "qualifiziert annimmt.",
)
def mql_to_sql(
    leads: Any,
    *,
    as_of: date | str,
    horizon_days: int = 90,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """Share of marketing-qualified leads that become sales-qualified within a horizon.

    Formula: Aalen-Johansen cumulative incidence of SQL at the horizon after the MQL date; disqualified is the
    competing event, leads still waiting are censored at as_of.

    Undefined: NaN with the note no_data where there is no MQL, immature while none has been followed up
    to the horizon and some are still waiting.

    Parameters
    ----------
    leads : one row per lead, in any engine: `mql_at`, `sql_at`, `disqualified_at`
    as_of : the day at whose end things are looked at; what happened later is unknown
    horizon_days : days after the MQL date within which an SQL counts
    by : columns, or period words of the MQL date (of the SQL date for leads that never were an MQL)
    period : of the MQL date
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group: `sql`, `disqualified` (within the horizon), `open` (younger, undecided),
    `sql_without_mql` (in no rate), `mql_to_sql` (0 to 1), `low`, `high` (95 %), `n` (MQLs), `matured`
    (share of them whose outcome at the horizon is known), `note`.

    Examples
    --------
    >>> leads = pd.DataFrame({"mql_at": pd.to_datetime(["2026-01-05", "2026-01-07", None]),
    ...                       "sql_at": pd.to_datetime(["2026-02-01", None, "2026-02-02"]),
    ...                       "disqualified_at": pd.NaT})
    >>> mql_to_sql(leads, as_of="2026-10-31")[["sql", "sql_without_mql", "mql_to_sql", "n"]]
       sql  sql_without_mql  mql_to_sql  n
    0    1                1         0.5  2
    """
    name, day, h = "mql_to_sql", checked_day(as_of, "mql_to_sql"), checked_horizon(horizon_days, "mql_to_sql")
    dated = _dated(leads)
    x = facts(
        dated,
        function=name,
        needs=("mql_at", "sql_at", "disqualified_at"),
        date="_date",
        by=by,
        period=period,
        fiscal_year_start=fiscal_year_start,
    )
    x = x.mark(
        _in=day_known("mql_at", day, x.columns),
        _sql=day_known("sql_at", day, x.columns),
        _out=day_known("disqualified_at", day, x.columns),
    )
    x = x.keep(~nw.col("_in").is_null() | ~nw.col("_sql").is_null())
    x = x.mark(_mql=flag(~nw.col("_in").is_null()), _end=earliest("_sql", "_out"))
    cause = (
        nw.when(nw.col("_end").is_null()).then(nw.lit(0)).when(on_or_before("_sql", "_out")).then(nw.lit(1))
    )
    wait = days_from("_in", nw.col("_end").fill_null(number_of(day)))
    x = x.mark(_cause=cause.otherwise(nw.lit(2)).cast(nw.Int64), _wait=wait)
    x = x.mark(
        _day=nw.when(nw.col("_wait") > h).then(nw.lit(h + 1)).otherwise(nw.col("_wait")).cast(nw.Int64)
    )
    counts = x.finish(small(summarise(x.rows, (*x.by, "_mql", "_day", "_cause"), n="len")))

    def figures(every: pd.DataFrame) -> dict[str, float]:
        c = every[every["_mql"] == 1]
        made, n = incidence_by(c, h), float(c["n"].sum())
        return {
            "sql": counted(c, [1], h),
            "disqualified": counted(c, [2], h),
            "open": n - made["known"],
            "sql_without_mql": float(every["n"].sum()) - n,
            name: made["value"],
            "low": made["low"],
            "high": made["high"],
            "n": n,
        }

    table = whole(per_group(counts, x.by, figures), "sql", "disqualified", "open", "sql_without_mql", "n")
    return layout(
        maturity(table, name),
        x,
        "sql",
        "disqualified",
        "open",
        "sql_without_mql",
        name,
        "low",
        "high",
        "n",
        "matured",
        "note",
    )


def _dated(leads: Any) -> Any:
    """The leads with the day they count on: of the MQL, else of the SQL."""
    rows = facts(leads, function="mql_to_sql", needs=("mql_at", "sql_at", "disqualified_at")).rows
    return rows.with_columns(_date=nw.coalesce(nw.col("mql_at"), nw.col("sql_at")))
