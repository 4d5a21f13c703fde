"""From marketing-qualified to sales-qualified leads, and from leads to customers."""

from __future__ import annotations

from datetime import date
from typing import Any

import narwhals as nw
import pandas as pd

from salestrack.kpis._card import card
from salestrack.kpis._facts import By, facts
from salestrack.kpis._funnel import entered_in
from salestrack.kpis._periods import number_of, until
from salestrack.kpis._prospects import prospects
from salestrack.kpis._results import layout
from salestrack.kpis._survival import (
    Cells,
    Figures,
    at,
    checked_day,
    checked_horizon,
    counted,
    day_known,
    days_from,
    earliest,
    incidence_by,
    maturity,
    on_or_before,
    only,
    per_curve,
    whole,
)
from salestrack.periods import PeriodLike

NO_MQL = 4
"""Stands for the way out of leads that never were an MQL."""


@card(
    number=12,
    unit="share",
    date="mql_at",
    label_en="MQL to SQL",
    label_de="MQL-zu-SQL-Quote",
    description_de="Anteil der marketingqualifizierten Leads, die der Vertrieb innerhalb der Frist als "
    "qualifiziert annimmt.",
    formula_de="Aalen-Johansen-Anteil der SQL bis zur Frist nach dem MQL-Datum; Disqualifikation ist das konkurrierende Ereignis, noch wartende Leads sind zum Stichtag zensiert.",
    undefined_de="NaN mit dem Hinweis no_data, wo es keinen MQL gibt, immature, solange keiner bis zur Frist verfolgt wurde und noch welche warten.",
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
    """Share of marketing-qualified leads that sales accepts as qualified within the horizon.

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
    x = facts(
        _dated(leads, day),
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
    x = x.mark(_end=earliest("_sql", "_out"))
    wait = days_from("_in", nw.col("_end").fill_null(number_of(day)))
    way = nw.when(nw.col("_end").is_null()).then(nw.lit(0)).when(on_or_before("_sql", "_out")).then(nw.lit(1))
    within = nw.when(wait > h).then(nw.lit(h + 1)).otherwise(wait)
    known = nw.when(~nw.col("_in").is_null()).then(at(within, way.otherwise(nw.lit(2))))
    x = x.mark(_at=known.otherwise(nw.lit(NO_MQL)).cast(nw.Int64))

    def figures(every: Cells) -> Figures:
        c = only(every, every["way"] < NO_MQL)
        made, n = incidence_by(c, h), float(c["n"].sum())
        return {
            "sql": counted(c, 1, h),
            "disqualified": counted(c, 2, h),
            "open": n - made["known"],
            "sql_without_mql": float(every["n"].sum()) - n,
            name: made["value"],
            "low": made["low"],
            "high": made["high"],
            "n": n,
        }

    table = whole(per_curve(x, figures), "sql", "disqualified", "open", "sql_without_mql", "n")
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


def _dated(leads: Any, as_of: date) -> Any:
    """Leads that were an MQL or SQL by then, with the day they count on: of the MQL, else of the SQL."""
    x = facts(leads, function="mql_to_sql", needs=("mql_at", "sql_at", "disqualified_at"))
    schema = x.rows.collect_schema()
    mql, sql = (until(column, schema, as_of) for column in ("mql_at", "sql_at"))
    return x.rows.filter(mql | sql).with_columns(_date=nw.coalesce(nw.col("mql_at"), nw.col("sql_at")))


@card(
    number=11,
    unit="share",
    date="created_date",
    label_en="Lead conversion",
    label_de="Lead-Konversion",
    description_de="Anteil der im Zeitraum als Leads gekommenen Personen und Firmen, die Kunden werden.",
    formula_de="Aalen-Johansen-Inzidenz des ersten gewonnenen Auftrags bis zur Frist nach dem ersten Lead; "
    "Disqualifizieren ist das konkurrierende Ereignis, wartende sind am Stichtag zensiert. Gezählt werden Personen "
    "oder Firmen, nicht Leads.",
    undefined_de="leer mit dem Hinweis „keine Fälle“, wo kein Lead kam, und „noch zu jung“, solange keiner bis zur "
    "Frist verfolgt werden konnte und noch welche warten.",
)
def lead_conversion(
    leads: Any,
    deals: Any,
    *,
    as_of: date | str,
    horizon_days: int = 180,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """Share of the people and companies that came as leads in the period and become customers.

    Formula: Aalen-Johansen cumulative incidence of the first won deal at the horizon after the first lead;
    disqualified is the competing event, those still waiting are censored at as_of. One person or company
    counts once, however many leads and deals there are.

    Undefined: NaN with the note no_data where no lead came, immature while none has been followed up to the
    horizon and some are still waiting.

    One person or company: the same `contact_id`; without one the same `account_id` or, once converted, the same
    `converted_account_id`; without either the same `company_name` (case and outer blanks aside), which joins
    the account that any lead of this name has; without all of them the lead stands alone. It is disqualified
    when its last lead is. Its groups (channel, team, month) are those of its first lead and stay so.

    Parameters
    ----------
    leads : one row per lead, in any engine: `lead_id`, `created_date` (or `created_at`), `disqualified_at`,
        optionally `contact_id`, `account_id`, `company_name`, `converted_at`, `converted_deal_id`,
        `converted_account_id`
    deals : deals in any engine: `deal_id`, `status`, `closed_date`, optionally `lead_id`
    as_of : the day at whose end things are looked at; what happened later is unknown
    horizon_days : days after the first lead within which a win counts
    by : columns of the leads, or period words of their creation; None gives one row for all
    period : of the creation of the first lead
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group: `won`, `disqualified` (within the horizon), `open` (younger, undecided), `leads` (of
    these people and companies), `lead_conversion` (0 to 1), `low`, `high` (95 %), `n` (people and companies),
    `matured` (share of them whose outcome at the horizon is known), `note`.

    Examples
    --------
    >>> day = pd.Timestamp("2026-01-01")
    >>> leads = pd.DataFrame({"lead_id": ["a", "b", "c"], "company_name": ["Acme", "ACME ", "Bolt"],
    ...                       "created_date": day, "disqualified_at": pd.NaT})
    >>> deals = pd.DataFrame({"deal_id": ["d"], "lead_id": ["b"], "status": ["won"],
    ...                       "closed_date": [day + pd.Timedelta(days=60)]})
    >>> lead_conversion(leads, deals, as_of="2026-10-31")[["won", "leads", "lead_conversion", "n"]]
       won  leads  lead_conversion  n
    0    1      3              0.5  2
    """
    name, day = "lead_conversion", checked_day(as_of, "lead_conversion")
    h = checked_horizon(horizon_days, name)
    x = prospects(leads, deals, function=name, as_of=day, by=by, fiscal_year_start=fiscal_year_start)
    x = entered_in(x, period)

    def figures(c: Cells) -> Figures:
        made, n = incidence_by(c, h), float(c["n"].sum())
        return {
            "won": counted(c, 1, h),
            "disqualified": counted(c, 2, h),
            "open": n - made["known"],
            "leads": float(c["leads"].sum()),
            name: made["value"],
            "low": made["low"],
            "high": made["high"],
            "n": n,
        }

    table = per_curve(x, figures, leads=("_leads", "sum"))
    table = whole(table, "won", "disqualified", "open", "leads", "n")
    return layout(
        maturity(table, name),
        x,
        "won",
        "disqualified",
        "open",
        "leads",
        name,
        "low",
        "high",
        "n",
        "matured",
        "note",
    )
