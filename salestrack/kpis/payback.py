"""When a new customer has earned what it cost to win it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.kpis._acquisition import lag_of, new_customers, spent, whole_months, won_by_month
from salestrack.kpis._card import card
from salestrack.kpis._facts import By, Facts, facts, group_names, named_groups
from salestrack.kpis._frames import Rows, once, small, stacked, summarise
from salestrack.kpis._joining import joined
from salestrack.kpis._margins import SUMS, bought, checked_margin, earned, margin_rate
from salestrack.kpis._money import CENTS, with_cents
from salestrack.kpis._periods import month_number, number_of
from salestrack.kpis._results import layout
from salestrack.kpis._survival import checked_day, per_group, whole
from salestrack.periods import PeriodLike, month_index

NAME = "cac_payback"


@card(
    number=34,
    unit="ratio",
    date="closed_date",
    label_en="CAC payback (months)",
    label_de="Amortisation der Gewinnungskosten (Monate)",
    description_de="Monate, bis der Rohertrag eines Neukunden seine Gewinnungskosten gedeckt hat.",
    formula_de="erster Monat (der des Gewinns ist Monat 1), in dem der kumulierte Rohertrag je gewonnenem Kunden die "
    "Gewinnungskosten erreicht; geteilt wird durch alle Kunden, deren so vielter Monat vorüber ist, auch durch die "
    "verlorenen.",
    undefined_de="Ohne Wert mit dem Hinweis „noch nicht erreicht“, solange die Kosten nicht gedeckt sind, „keine Fälle“ "
    "ohne neue Kunden, ohne Kosten oder wenn keine Stückkosten bekannt sind, „noch zu jung“, bevor ein Monat vorüber "
    "ist.",
)
def cac_payback(
    costs: Any,
    deals: Any,
    orders: Any,
    order_lines: Any,
    *,
    as_of: date | str,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
    lag_months: int | None = None,
    acquisition_share: float = 1.0,
    margin_share: float | None = None,
) -> pd.DataFrame:
    """Months until a new customer's gross margin has covered the cost of winning it.

    Formula: first month t (that of winning is 1) at which the cumulative gross margin per acquired customer >=
    CAC; each month's margin is divided by all customers whose t-th month is over, those who left included.

    Undefined: NaN with the note not_reached while the cost is not covered, no_data without new customers, costs
    or any known unit cost, immature before a month is over.

    Parameters
    ----------
    costs, deals, lag_months, acquisition_share : as in customer_acquisition_cost
    orders : `order_id`, `account_id`, `order_date`, a net amount, optionally `order_status`; what was ordered
        before the month of winning does not count
    order_lines : `order_id`, an amount (`line_amount…`), `quantity`, `unit_cost`; value without a known cost
        earns the margin rate of the value with one
    as_of : the day at whose end things are looked at; only months that are over then count
    by : columns that costs and deals have, or the words month, quarter, year (of winning)
    period : of winning, whole months
    fiscal_year_start : month (1 to 12) in which the fiscal year starts
    margin_share : gross margin (0 to 1) assumed for value without a known cost

    Returns
    -------
    One row per group: `customer_acquisition_cost`, `margin` (per customer, to the last month followed),
    `months_followed` (of the oldest customers), `cac_payback` (months), `coverage` (share of the order value whose
    cost is known), `n` (new customers), `matured` (share of them followed to the month of payback, or to the
    last), `note`.

    Examples
    --------
    >>> day = pd.Timestamp
    >>> costs = pd.DataFrame({"cost_date": [day("2026-01-05")], "amount": [100.0]})
    >>> deals = pd.DataFrame({"status": ["won"], "account_id": ["x"], "closed_date": [day("2026-01-10")]})
    >>> orders = pd.DataFrame({"order_id": ["1", "2"], "account_id": "x", "net_amount": 120.0,
    ...                        "order_date": [day("2026-01-10"), day("2026-03-10")]})
    >>> lines = pd.DataFrame({"order_id": ["1", "2"], "line_amount": 120.0, "quantity": 1, "unit_cost": 60.0})
    >>> cac_payback(costs, deals, orders, lines, as_of="2026-04-30")[["margin", "cac_payback", "n"]]
       margin  cac_payback  n
    0   120.0          3.0  1
    """
    day, groups = checked_day(as_of, NAME), group_names(by)
    margin_share, months = checked_margin(margin_share, NAME), whole_months(period, fiscal_year_start, NAME)
    full = month_index(day + timedelta(days=1)) - 1
    new, family = _new(deals, by, fiscal_year_start, day)
    margins = _margins(new, family, bought(orders, function=NAME, as_of=day), order_lines)
    nothing = nw.lit(0).cast(nw.Int64)
    counts = won_by_month(new).with_columns(**dict.fromkeys(("_age", *SUMS), nothing))
    margins = margins.with_columns(_wait=nothing, n=nothing)
    columns = [*new.by, "_month", "_wait", "n", "_age", *SUMS]
    table = small(stacked([counts.select(*columns), margins.select(*columns)]))
    lag = lag_of(table) if lag_months is None else int(lag_months)
    paid = with_cents(spent(costs, groups, lag, fiscal_year_start, NAME))
    paid = paid.keep(nw.col("_month") <= month_index(day))
    if months:
        paid = paid.keep((nw.col("_month") >= months[0]) & (nw.col("_month") < months[1]))
        table = table[(table["_month"] >= months[0]) & (table["_month"] < months[1])]
    cost = paid.finish(small(summarise(paid.rows, paid.by, cents=(CENTS, "sum"))))
    table = pd.concat([cost, new.finish(table.drop(columns="_wait"))], ignore_index=True)
    numbers = ["cents", "n", "_month", "_age", *SUMS]
    table[numbers] = table[numbers].astype("float64").fillna(0)
    table["cents"] *= float(acquisition_share)
    made = per_group(table, new.by, lambda part: _figures(part, full, margin_share))
    made = whole(named_groups(made, new.by), "n", "months_followed")
    made = made.assign(note=_reason(made))
    made = new.dated(made)
    return layout(
        made,
        new,
        "customer_acquisition_cost",
        "margin",
        "months_followed",
        NAME,
        "coverage",
        "n",
        "matured",
        "note",
    )


def _new(deals: Any, by: By, fiscal_year_start: int, day: date) -> tuple[Facts, Rows | None]:
    """New customers with the month of winning, and the family of each account where deals name parents."""
    x = facts(
        deals,
        function=NAME,
        needs=("status", "closed_date", "account_id"),
        date="closed_date",
        by=by,
        fiscal_year_start=fiscal_year_start,
    )
    family = None
    if "parent_account_id" in x.columns:
        family = summarise(x.rows, ("account_id",), _parent=("parent_account_id", "max"))
        family = family.filter(~nw.col("account_id").is_null())
    new = new_customers(x).keep(nw.col("_when") <= number_of(day))
    names = list(dict.fromkeys(("account_id", *new.by, "_month", "_wait")))
    return replace(new, rows=once(new.rows.select(*names))), family


def _margins(new: Facts, family: Rows | None, x: Facts, order_lines: Any) -> Rows:
    """Value and margin per group, month of winning and month since then, counted from 0."""
    x = x.mark(_ordered=month_number("order_date"))
    rows = summarise(
        x.rows, ("order_id", "account_id", "_ordered"), _net=(CENTS, "sum"), _has=(CENTS, "count")
    )
    if family is not None:
        rows = joined(rows, family, "account_id", "left")
        rows = rows.with_columns(account_id=nw.coalesce(nw.col("_parent"), nw.col("account_id")))
    customers = new.rows.select("account_id", "_month", *new.by).filter(~nw.col("account_id").is_null())
    rows = joined(rows, customers, "account_id").with_columns(_age=nw.col("_ordered") - nw.col("_month"))
    return earned(rows.filter(nw.col("_age") >= 0), order_lines, NAME, *new.by, "_month", "_age")


def _figures(part: pd.DataFrame, full: int, margin_share: float | None) -> dict[str, float]:
    n = float(part["n"].sum())
    cac = part["cents"].sum() / n / 100 if n else float("nan")
    curve, followed = _curve(part, full, margin_share)
    reached = np.flatnonzero(curve >= cac - 1e-9) if cac > 0 else np.array([], dtype=int)
    at = int(reached[0]) if len(reached) else len(curve) - 1
    value = float(part["value"].sum())
    return {
        "customer_acquisition_cost": cac,
        "margin": float(curve[-1]) if len(curve) else float("nan"),
        "months_followed": float(len(curve)),
        NAME: float(at + 1) if len(reached) else float("nan"),
        "coverage": float(part["known"].sum()) / value if value > 0 else float("nan"),
        "n": n,
        "matured": float(followed[at]) / n if len(curve) else (0.0 if n else float("nan")),
        "_value": value,
    }


def _curve(part: pd.DataFrame, full: int, margin_share: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Cumulative margin per customer by month since winning, and how many customers each month rests on."""
    lasts = (full - part["_month"] + 1).where(part["n"] > 0)
    length = int(max(lasts.max(), 0)) if lasts.notna().any() else 0
    ages = np.arange(length)
    followed = np.array([part["n"][lasts > age].sum() for age in ages], dtype=float)
    over = (part["_month"] + part["_age"] <= full) & (part["n"] == 0) & (part["_month"] > 0)
    rate, rows = margin_rate(part, margin_share), part[over]
    unknown = rows["value"] - rows["known"]
    gain = rows["margin"] + (unknown * rate).where(unknown != 0, 0.0)
    per_age = (
        np.bincount(rows["_age"].astype(int), weights=gain, minlength=length)[:length] if length else ages
    )
    return np.cumsum(per_age / 100 / followed) if length else np.array([]), followed


def _reason(made: pd.DataFrame) -> pd.Series[str]:
    cac, margin = made["customer_acquisition_cost"], made["margin"]
    nothing = (made["n"] == 0) | ~(cac > 0) | (margin.isna() & (made["months_followed"] > 0))
    late = np.where(made["months_followed"] == 0, "immature", "not_reached")
    reason = np.where(made[NAME].notna(), "", np.where(nothing, "no_data", late))
    return pd.Series(reason, index=made.index, dtype="str")
