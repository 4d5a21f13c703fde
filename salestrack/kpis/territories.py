"""Whether territories are alike in customers, potential and work, and what a new plan would move."""

from __future__ import annotations

from functools import partial
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._card import card
from salestrack.kpis._facts import By, Facts, facts, own_names
from salestrack.kpis._frames import flag, masked_sum, small, summarise
from salestrack.kpis._joining import joined
from salestrack.kpis._results import divided, layout, note
from salestrack.kpis._survival import per_group, whole

MEASURES = ("accounts", "potential", "workload")
OWN = "past sales of whoever holds it: a territory would earn its size by how well it was worked"
SALES = (
    "amount",
    "amount_base",
    "amount_base_cents",
    "net_amount",
    "net_amount_base_cents",
    "bookings",
    "revenue",
)


@card(
    number=42,
    unit="ratio",
    label_en="Territory balance",
    label_de="Gleichgewicht der Gebiete",
    description_de="Wie sehr sich Gebiete in Kunden, Potenzial und offenen Verkaufschancen unterscheiden: "
    "Standardabweichung im Verhältnis zum Mittelwert.",
    formula_de="Standardabweichung über die Gebiete / Mittelwert über die Gebiete (Variationskoeffizient), je für die "
    "Zahl der Kunden, ihr Potenzial (etwa Beschäftigte, nie frühere Umsätze) und ihre offenen Verkaufschancen; 0 "
    "heißt überall gleich.",
    undefined_de="Ohne Wert mit dem Hinweis „keine Fälle“, wenn es kein Gebiet gibt oder die Größe überall null oder "
    "unbekannt ist.",
)
def territory_balance(
    accounts: Any,
    deals: Any,
    *,
    by: By = None,
    unit: str = "territory_id",
    potential: str = "employee_count",
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """How far territories differ in accounts, potential and open deals: standard deviation over mean.

    Formula: standard deviation over territories / mean over territories (coefficient of variation), each for
    the number of accounts, their potential and their open deals; 0 means all alike.

    Undefined: NaN with the note no_data where there is no territory, or the measure is 0 or unknown everywhere.

    Parameters
    ----------
    accounts : one row per account, in any engine: `account_id`, the column `unit`, optionally `potential`
    deals : the open ones are the work to be done: `account_id`, `status`
    by : columns of the accounts; None gives one row per measure
    unit : the column of accounts that makes a territory (territory_id, region, owner_rep_id, …)
    potential : a number of the accounts that says what could be sold there (employees, a modelled value); never
        past sales, which measure whoever worked the territory
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group and measure: `measure` (accounts, potential, workload), `mean`, `largest` (per territory),
    `max_to_mean`, `territory_balance` (coefficient of variation), `coverage` (share of accounts in a territory
    whose figure is known), `unassigned` (accounts in no territory), `n` (territories with an account), `note`.

    Examples
    --------
    >>> accounts = pd.DataFrame({"account_id": ["a", "b", "c", "d"], "territory_id": ["N", "N", "N", "S"],
    ...                          "employee_count": [10, 20, 30, 60]})
    >>> deals = pd.DataFrame({"account_id": ["d"], "status": ["open"]})
    >>> territory_balance(accounts, deals)[["measure", "max_to_mean", "territory_balance", "n"]]
         measure  max_to_mean  territory_balance  n
    0   accounts          1.5                0.5  2
    1  potential          1.0                0.0  2
    2   workload          2.0                1.0  2
    """
    name = "territory_balance"
    if potential in SALES:
        raise KpiError.bad_option(name, "potential", potential, f"that is {OWN}")
    x = facts(accounts, function=name, needs=("account_id", unit), by=by, fiscal_year_start=fiscal_year_start)
    x = _sized(_with_work(x, deals), unit, potential)
    table = x.finish(
        small(
            summarise(
                x.rows,
                (*x.by, "_unit"),
                accounts="len",
                potential=("_potential", "sum"),
                workload=("_open", "sum"),
                known=("_known", "sum"),
            )
        )
    )
    made = [
        per_group(table, x.by, partial(_balance, measure=measure)).assign(measure=measure, _order=i)
        for i, measure in enumerate(MEASURES)
    ]
    out = pd.concat(made, ignore_index=True).sort_values(["_order"], kind="stable")
    out = _in_order(out, table, x)
    out = whole(out, "unassigned", "n").assign(note=note(out[name]))
    return layout(
        out,
        x,
        "measure",
        "mean",
        "largest",
        "max_to_mean",
        name,
        "coverage",
        "unassigned",
        "n",
        "note",
    )


@card(
    number=42,
    unit="share",
    label_en="Accounts that would move",
    label_de="Anteil wechselnder Kunden",
    description_de="Anteil der Kunden, die nach einem neuen Plan das Gebiet wechseln würden.",
    formula_de="Kunden, deren Gebiet im Plan ein anderes ist als bisher / alle Kunden, die heute in einem Gebiet sind; "
    "wer im Plan nicht vorkommt, bleibt.",
    undefined_de="Ohne Wert mit dem Hinweis „keine Fälle“, wenn kein Kunde in einem Gebiet ist.",
)
def territory_disruption(
    accounts: Any,
    plan: Any,
    *,
    by: By = None,
    unit: str = "territory_id",
    value: str = "employee_count",
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """Share of the accounts that would change their territory under a new plan.

    Formula: accounts whose territory in the plan differs from today's / accounts in a territory today; an
    account that the plan does not name stays where it is.

    Undefined: NaN with the note no_data where no account is in a territory.

    Parameters
    ----------
    accounts : one row per account, in any engine: `account_id`, the column `unit`, optionally `value`
    plan : one row per account that the plan places: `account_id`, the column `unit`
    by : columns of the accounts; None gives one row
    unit : territory_id, owner_rep_id or any other column that both have
    value : a number of the accounts by which they weigh (NULL: not in the share of value)
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group: `moved`, `newly_placed` (in no territory before: no disruption), `territory_disruption`
    (share of accounts), `value_share` (share of their value), `coverage` (share of accounts whose value is
    known), `n` (accounts in a territory today), `note`.

    Examples
    --------
    >>> accounts = pd.DataFrame({"account_id": ["a", "b", "c"], "territory_id": ["N", "N", None],
    ...                          "employee_count": [10, 30, 5]})
    >>> plan = pd.DataFrame({"account_id": ["b", "c"], "territory_id": ["S", "S"]})
    >>> territory_disruption(accounts, plan)[["moved", "newly_placed", "territory_disruption", "value_share"]]
       moved  newly_placed  territory_disruption  value_share
    0      1             1                   0.5         0.75
    """
    name = "territory_disruption"
    x = facts(accounts, function=name, needs=("account_id", unit), by=by, fiscal_year_start=fiscal_year_start)
    x = _sized(_planned(x, plan, unit), unit, value)
    table = x.totals(
        moved=("_moved", "sum"),
        newly_placed=("_new", "sum"),
        value=("_potential", "sum"),
        moved_value=("_moved_value", "sum"),
        known=("_known", "sum"),
        n=("_placed", "sum"),
    )
    rate = divided(table["moved"], table["n"])
    table = table.assign(
        territory_disruption=rate,
        value_share=divided(table["moved_value"], table["value"]),
        coverage=divided(table["known"], table["n"]),
        note=note(rate),
    )
    return layout(table, x, "moved", "newly_placed", name, "value_share", "coverage", "n", "note")


def _with_work(x: Facts, deals: Any) -> Facts:
    """With the number of open deals of each account in `_open`."""
    work = facts(deals, function=x.function, needs=("account_id", "status"))
    work = work.keep((nw.col("status") == "open") & ~nw.col("account_id").is_null())
    counts = summarise(work.rows, ("account_id",), _open="len")
    rows = joined(x.rows, counts, "account_id", "left")
    return Facts(rows, x.by, x.function, x.fiscal_year_start).mark(_open=nw.col("_open").fill_null(0))


def _planned(x: Facts, plan: Any, unit: str) -> Facts:
    """With 1 in `_moved` where the plan gives an account to another territory, in `_new` where it had none."""
    rows = facts(plan, function=x.function, needs=("account_id", unit)).rows
    rows = rows.filter(~nw.col("account_id").is_null())
    rows = rows.select("account_id", _to=nw.col(unit).cast(nw.String))
    rows = summarise(rows, ("account_id",), _to=("_to", "max"), _named="len")
    rows = joined(x.rows, rows, "account_id", "left")
    now, then = nw.col(unit).cast(nw.String).fill_null(""), nw.col("_to").fill_null("")
    rows = rows.with_columns(_change=(nw.col("_named").fill_null(0) > 0) & (now != then), _now=now)
    rows = rows.with_columns(
        _moved=flag(nw.col("_change") & (nw.col("_now") != "")),
        _new=flag(nw.col("_change") & (nw.col("_now") == "")),
    )
    return Facts(rows, x.by, x.function, x.fiscal_year_start)


def _sized(x: Facts, unit: str, potential: str) -> Facts:
    """With `_unit` (territory as text, NULL where none), `_placed`, `_potential` and whether it is `_known`."""
    columns = x.columns
    if potential not in columns and potential != "employee_count":
        raise KpiError.missing_column(potential, x.function, own_names(columns))
    size = nw.col(potential).cast(nw.Float64) if potential in columns else nw.lit(None).cast(nw.Float64)
    placed = ~nw.col(unit).is_null()
    x = x.mark(
        _unit=nw.col(unit).cast(nw.String), _placed=flag(placed), _size=nw.when(~size.is_nan()).then(size)
    )
    known = placed & ~nw.col("_size").is_null()
    x = x.mark(_potential=masked_sum(known, "_size"), _known=flag(known))
    if "_moved" in x.columns:
        x = x.mark(_moved_value=masked_sum(nw.col("_moved") == 1, "_potential"))
    return x


def _balance(part: pd.DataFrame, measure: str) -> dict[str, float]:
    placed = part[part["_unit"].notna()]
    size = placed[measure].to_numpy(dtype=float)
    accounts = float(placed["accounts"].sum())
    mean = float(size.mean()) if len(size) else 0.0
    known = float(placed["known"].sum()) if measure == "potential" else accounts
    nothing = not mean > 0
    return {
        "mean": float("nan") if nothing else mean,
        "largest": float("nan") if nothing else float(size.max()),
        "max_to_mean": float("nan") if nothing else float(size.max()) / mean,
        "territory_balance": float("nan") if nothing else float(np.std(size)) / mean,
        "coverage": known / accounts if accounts else float("nan"),
        "unassigned": float(part["accounts"].sum()) - accounts,
        "n": float(len(size)),
    }


def _in_order(out: pd.DataFrame, table: pd.DataFrame, x: Facts) -> pd.DataFrame:
    """The measures of each group together, the groups in the order of the table; none without an account."""
    if not x.by:
        return out[: len(out) * bool(len(table))].reset_index(drop=True)
    place = table[list(x.by)].drop_duplicates().reset_index(drop=True)
    place = place.assign(_place=range(len(place)))
    return out.merge(place, on=list(x.by)).sort_values(["_place", "_order"], kind="stable", ignore_index=True)
