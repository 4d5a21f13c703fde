"""From visits to won deals, by the channel that first brought a lead."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import narwhals as nw
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._card import card
from salestrack.kpis._facts import MISSING, By, Facts, facts, group_names, named_groups
from salestrack.kpis._frames import flag, masked_sum, small, summarise
from salestrack.kpis._joining import joined
from salestrack.kpis._money import CENTS, with_cents
from salestrack.kpis._periods import until
from salestrack.kpis._results import divided, layout, note
from salestrack.kpis._survival import checked_day
from salestrack.periods import WORDS, PeriodLike

NAME = "channel_yield"
COUNTS = ("leads", "sql", "won", "cents")


@card(
    number=41,
    unit="money",
    date="created_at",
    label_en="Channel yield per lead",
    label_de="Kanalertrag je Lead",
    description_de="Gewonnener Auftragswert je Lead nach dem Kanal, der den Lead zuerst brachte; daneben die Besuche.",
    formula_de="gewonnener Auftragswert der im Zeitraum entstandenen Leads / diese Leads, je Kanal bei ihrer "
    "Entstehung; Besuche stehen im Bereich der Sitzungen daneben und gehen in keinen Wert aus dem CRM ein.",
    undefined_de="Ohne Wert mit dem Hinweis „keine Fälle“, wenn der Kanal keinen Lead brachte.",
)
def channel_yield(
    web_traffic: Any,
    leads: Any,
    deals: Any,
    *,
    as_of: date | str,
    channels: Mapping[str, str] | None = None,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """Won value per lead, by the channel that first brought the lead; visits beside.

    Formula: won value of the leads created in the period / these leads, by their channel at creation; visits,
    in session scope, stand beside and enter no figure of the CRM.

    Undefined: NaN with the note no_data where a channel brought no lead.

    Parameters
    ----------
    web_traffic : visits in any engine: `date`, `channel_group`, `sessions`; optionally `scope` (all rows must
        have the same: visits by session, by first user and by attributed event must not be added)
    leads : `created_at` (or `created_date`), `lead_source` as it was at creation, optionally `sql_at`, `lead_id`
    deals : `lead_id`, `status`, an amount, optionally `closed_date`; their own source is not looked at
    as_of : the day at whose end things are looked at; what happened later is unknown
    channels : one name for what CRM and web analytics call differently, such as {"Website": "Organic Search"};
        names that are not in it stay as they are
    by : columns of the leads, or period words (of the lead's creation, of the visit); None gives one row a channel
    period : of the lead's creation and of the visit
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group and channel: `channel`, `scope` (of the visits), `sessions` (NaN where the channel or group
    has no visits on record), `leads`, `sql`, `won` (leads with at least one won deal), `value` (currency units),
    `lead_rate` (leads per visit), `channel_yield` (value per lead), `value_per_session`, `join_rate` (share of the
    group's leads whose channel has visits), `n` (leads), `note`.

    Examples
    --------
    >>> day = pd.Timestamp("2026-10-05")
    >>> web = pd.DataFrame({"date": [day], "channel_group": ["Paid Search"], "sessions": [50]})
    >>> leads = pd.DataFrame({"lead_id": ["1", "2"], "created_at": day, "lead_source": ["Ads", "Fair"]})
    >>> deals = pd.DataFrame({"lead_id": ["1"], "status": ["won"], "amount": [900.0]})
    >>> table = channel_yield(web, leads, deals, as_of="2026-10-31", channels={"Ads": "Paid Search"})
    >>> table[["channel", "sessions", "leads", "value", "channel_yield", "join_rate"]]
           channel  sessions  leads  value  channel_yield  join_rate
    0         Fair       NaN      1    0.0            0.0        0.5
    1  Paid Search      50.0      1  900.0          900.0        0.5
    """
    day, groups = checked_day(as_of, NAME), group_names(by)
    named = dict(channels or {})
    x = _leads(leads, deals, by, period, fiscal_year_start, day)
    crm = x.finish(
        small(
            summarise(
                x.rows,
                (*x.by, "lead_source"),
                leads="len",
                sql=("_sql", "sum"),
                won=("_won", "sum"),
                cents=("_value", "sum"),
            )
        )
    )
    crm = _per_channel(crm, "lead_source", x.by, COUNTS, named)
    visits, scope = _visits(web_traffic, x, period, day)
    visits = _per_channel(visits, "channel_group", [c for c in groups if c in visits], ("sessions",), named)
    on = [*(c for c in groups if c in visits), "channel"]
    how = "outer" if len(on) == len(groups) + 1 else "left"
    table = crm.merge(visits, on=on, how=how)  # type: ignore[arg-type]
    table[list(COUNTS)] = table[list(COUNTS)].fillna(0).astype("int64")
    table = _rates(_joined(table, groups), scope)
    return layout(
        named_groups(table, [*groups, "channel"]),
        x,
        "channel",
        "scope",
        "sessions",
        "leads",
        "sql",
        "won",
        "value",
        "lead_rate",
        NAME,
        "value_per_session",
        "join_rate",
        "n",
        "note",
    )


def _leads(
    leads: Any, deals: Any, by: By, period: PeriodLike | None, fiscal_year_start: int, day: date
) -> Facts:
    """The leads that had come by then, with 1 or 0 in `_sql` and `_won` and the won hundredths in `_value`."""
    plain = facts(leads, function=NAME, needs=("lead_id", "lead_source"))
    arrived = next((c for c in ("created_date", "created_at") if c in plain.columns), "created_at")
    x = facts(
        plain.rows,
        function=NAME,
        needs=(arrived,),
        date=arrived,
        by=by,
        period=period,
        fiscal_year_start=fiscal_year_start,
    )
    x = x.keep(until(arrived, x.rows.collect_schema(), day)).mark(
        _sql=flag(until("sql_at", x.rows.collect_schema(), day))
        if "sql_at" in x.columns
        else nw.lit(0).cast(nw.Int64),
        lead_source=nw.col("lead_source").cast(nw.String).fill_null(MISSING),
    )
    won = with_cents(facts(deals, function=NAME, needs=("lead_id", "status")))
    is_won = (nw.col("status") == "won") & ~nw.col("lead_id").is_null()
    if "closed_date" in won.columns:
        is_won = is_won & until("closed_date", won.rows.collect_schema(), day)
    won = won.keep(is_won).mark(_cents_won=masked_sum(~nw.col(CENTS).is_null(), CENTS))
    sums = summarise(won.rows, ("lead_id",), _deals="len", _value=("_cents_won", "sum"))
    rows = joined(x.rows, sums, "lead_id", "left")
    rows = rows.with_columns(_won=flag(~nw.col("_deals").is_null()), _value=nw.col("_value").fill_null(0))
    return Facts(rows, x.by, NAME, fiscal_year_start)


def _visits(web_traffic: Any, x: Facts, period: PeriodLike | None, day: date) -> tuple[pd.DataFrame, str]:
    """Sessions per channel and the groups that the visits have, and the scope that they are counted in."""
    has = facts(web_traffic, function=NAME, needs=("date", "channel_group", "sessions"))
    groups = [name for name in x.by if name in WORDS or name in has.columns]
    v = facts(
        has.rows,
        function=NAME,
        date="date",
        by=groups,
        period=period,
        fiscal_year_start=x.fiscal_year_start,
    )
    v = v.keep(until("date", v.rows.collect_schema(), day))
    scoped = "scope" in has.columns
    v = v.mark(
        channel_group=nw.col("channel_group").cast(nw.String).fill_null(MISSING),
        _scope=(nw.col("scope").cast(nw.String) if scoped else nw.lit("session")),
    )
    table = v.finish(
        small(summarise(v.rows, (*v.by, "channel_group", "_scope"), sessions=("sessions", "sum")))
    )
    scopes = sorted(set(table["_scope"].dropna()))
    if len(scopes) > 1:
        raise KpiError.bad_rows(
            NAME, f"the visits are counted in several scopes ({', '.join(scopes)})", "keep the rows of one"
        )
    return table, scopes[0] if scopes else "session"


def _per_channel(
    table: pd.DataFrame,
    source: str,
    groups: list[str] | tuple[str, ...],
    figures: tuple[str, ...],
    named: dict[str, str],
) -> pd.DataFrame:
    """The sums per group and channel, each channel under its one name."""
    keys = [*groups, "channel"]
    names = pd.Series([named.get(name, name) for name in table[source]], index=table.index, dtype="str")
    table = table.assign(channel=names)[[*keys, *figures]]
    if table.empty:  # groups of nothing would lose the type of their text
        return table
    return table.groupby(keys, as_index=False, dropna=False)[list(figures)].sum()


def _joined(table: pd.DataFrame, groups: list[str]) -> pd.DataFrame:
    """With the share of each group's leads whose channel has visits."""
    seen = table["leads"].where(table["sessions"].notna(), 0)
    sums = pd.DataFrame({"seen": seen, "every": table["leads"]})
    if groups:
        sums = sums.groupby([table[name] for name in groups], dropna=False).transform("sum")
    else:
        sums = pd.DataFrame([sums.sum()] * len(table), index=table.index, columns=["seen", "every"])
    return table.assign(join_rate=divided(sums["seen"], sums["every"]))


def _rates(table: pd.DataFrame, scope: str) -> pd.DataFrame:
    value, sessions = table["cents"] / 100, table["sessions"].astype("float64")
    rate = divided(value, table["leads"])
    return table.assign(
        scope=pd.Series(scope, index=table.index, dtype="str"),
        sessions=sessions,
        value=value,
        lead_rate=divided(table["leads"], sessions),
        channel_yield=rate,
        value_per_session=divided(value, sessions),
        n=table["leads"],
        note=note(rate),
    )
