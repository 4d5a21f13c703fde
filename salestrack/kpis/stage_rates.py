"""Own win rates by stage and age, to weigh a pipeline with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import narwhals as nw
import pandas as pd

from salestrack.kpis._card import card
from salestrack.kpis._facts import By, Facts, alternatives, facts, group_names
from salestrack.kpis._frames import Part, masked, small, summarise
from salestrack.kpis._past import VERSION, met, past_of
from salestrack.kpis._periods import day_number, number_of
from salestrack.kpis._results import layout, proportion
from salestrack.kpis._survival import checked_day
from salestrack.kpis._versions import versions
from salestrack.kpis._weights import OPEN, split_words
from salestrack.periods import PeriodLike

AGES = (0, 30, 90, 180, 365)


@card(
    number=19,
    unit="share",
    date="expected_close_date",
    label_en="Win rate by stage and age",
    label_de="Gewinnquote nach Phase und Alter",
    description_de="Anteil der in früheren Zeiträumen erwarteten Verkaufschancen, die bis zum Ende des Zeitraums "
    "gewonnen wurden, nach Phase und Alter am gleichen Tag des Zeitraums.",
    formula_de="Bis zum Ende des Zeitraums gewonnene / offene Verkaufschancen mit Abschlusstermin im Zeitraum, "
    "gezählt in den letzten abgeschlossenen Zeiträumen, jeweils so weit im Zeitraum wie der Stichtag.",
    undefined_de="Eine Zelle ohne Verkaufschance hat keine Zeile.",
)
def stage_age_rates(
    deal_versions: Any,
    *,
    as_of: date | str,
    period: PeriodLike | None = None,
    periods: int = 8,
    by: By = None,
    ages: Sequence[int] = AGES,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """Share of the deals expected in past periods that were won by the period's end, by their stage and
    age on the same day of the period.

    Formula: won by the end of the period / open deals with expected close in the period, counted over the
    last finished periods, each looked at as far into the period as as_of is.

    Undefined: a cell without a deal has no row.

    Parameters
    ----------
    deal_versions : states of deals over time, in any engine: `deal_id`, `status`, `valid_from`, `valid_to`,
        `expected_close_date`, `closed_date`, `stage_name` or `stage_id`; the age counts from `created_date` or
        `created_at`, else from the deal's first state
    as_of : the day of looking
    period : month, quarter or year that is forecast; None takes the quarter of the next day
    periods : how many finished periods to learn from
    by : further columns; None gives one row per stage and age
    ages : days from which a new class of age begins
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group, stage (`stage_name` or `stage_id`) and `age_from` (days): `won`, `stage_age_rates`
    (0 to 1), `low`, `high` (95 % Wilson interval), `n` (deals, each once per period), `note`.
    `with_stage_age_rates` puts them beside deals.

    Examples
    --------
    >>> stamps = pd.to_datetime(["2026-06-01", "2026-08-15", "2026-06-01"])
    >>> versions = pd.DataFrame({"deal_id": ["a", "a", "b"], "status": ["open", "won", "open"],
    ...     "valid_from": stamps, "valid_to": [stamps[1], pd.NaT, pd.NaT], "stage_id": "offer",
    ...     "expected_close_date": pd.Timestamp("2026-09-01"), "closed_date": [pd.NaT, stamps[1], pd.NaT]})
    >>> stage_age_rates(versions, as_of="2026-10-31")[["stage_id", "age_from", "won", "n", "stage_age_rates"]]
      stage_id  age_from  won  n  stage_age_rates
    0    offer        30    1  2              0.5
    """
    name = "stage_age_rates"
    groups, _ = split_words(group_names(by), (), name)
    past, _ = past_of(as_of, period, periods, name, fiscal_year_start)
    day = checked_day(as_of, name)
    x = versions(deal_versions, function=name, as_of=day, by=groups, needs=VERSION)
    x = x.also_by(alternatives(x, "stage_name", "stage_id"))
    x = met(_with_created(x), past)
    x = x.mark(_age=nw.col("_day") - nw.col("_created"))
    then = {name: masked(OPEN, name) for name in (*x.by, "_age")}
    largest: dict[str, Part] = {name: (name, "max") for name in ("_here", "_won", *then)}
    rows = summarise(x.mark(**then).rows, ("deal_id", "_k"), **largest).filter(nw.col("_here") == 1)
    rows = rows.with_columns(age_from=_class_of("_age", sorted({0, *ages})))
    table = small(summarise(rows, (*x.by, "age_from"), won=("_won", "sum"), n="len"))
    table = _sorted(x, table, "age_from").astype({"age_from": "int64"})
    table = proportion(table, name, "won")
    return layout(table, x, "age_from", "won", name, "low", "high", "n", "note")


def with_stage_age_rates(
    deals: Any, rates: pd.DataFrame, *, as_of: date | str, into: str = "stage_age_rate", least: int = 10
) -> Any:
    """The deals, in their engine, with the rate of their stage and age in the column `into`.

    A cell of fewer than `least` deals gives way to the rate of its stage, that one to the rate of all.
    `weighted_pipeline(…, probability="stage_age_rate")` takes the column.
    """
    name = "with_stage_age_rates"
    today = number_of(checked_day(as_of, name))
    keys = list(rates.columns[: list(rates.columns).index("age_from")])
    x = facts(deals, function=name, needs=keys)
    rows = x.mark(_age=today - day_number(alternatives(x, "created_date", "created_at"))).rows
    if not rates["n"].sum():
        return rows.with_columns(nw.lit(None).cast(nw.Float64).alias(into)).drop("_all", "_age").to_native()
    chain: Any = nw
    for row in _rated(rates, keys, least).to_dict("records"):
        here = nw.col("_age") >= row["age_from"]
        for key in keys:
            here = here & (nw.col(key) == row[key])
        chain = chain.when(here).then(nw.lit(float(row["rate"])))
    all_of = float(rates["won"].sum() / rates["n"].sum())
    return rows.with_columns(chain.otherwise(nw.lit(all_of)).alias(into)).drop("_all", "_age").to_native()


def _rated(rates: pd.DataFrame, keys: list[str], least: int) -> pd.DataFrame:
    """The rates to use, oldest class first, so that the first condition that holds is the right one."""
    pooled = rates.groupby(keys, dropna=False)[["won", "n"]].transform("sum")
    everything = rates["won"].sum() / rates["n"].sum()
    stage = (pooled["won"] / pooled["n"]).where(pooled["n"] >= least, everything)
    rate = rates["stage_age_rates"].where(rates["n"] >= least, stage)
    return rates.assign(rate=rate).sort_values("age_from", ascending=False, kind="stable")


def _with_created(x: Facts) -> Facts:
    """With the day on which the deal was created, or first seen."""
    for column in ("created_date", "created_at"):
        if column in x.columns:
            return x.mark(_created=day_number(column))
    days = summarise(x.rows, ("deal_id",), _created=("_from", "min"))
    return replace(x, rows=x.rows.join(days, on="deal_id", how="left"))


def _class_of(column: str, starts: list[int]) -> nw.Expr:
    """The largest of the starts that a number reaches, 0 for less."""
    chain: Any = nw
    for start in reversed(starts):
        chain = chain.when(nw.col(column) >= start).then(nw.lit(start))
    return chain.otherwise(nw.lit(0)).cast(nw.Int64)  # type: ignore[no-any-return]


def _sorted(x: Facts, table: pd.DataFrame, further: str) -> pd.DataFrame:
    return x.finish(table.sort_values(further, kind="stable"))
