"""What a customer is worth over its time as a customer."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._card import card
from salestrack.kpis._facts import By, Facts, facts
from salestrack.kpis._frames import Part, Rows, flag, once, small, stacked, summarise
from salestrack.kpis._joining import joined
from salestrack.kpis._margins import SUMS, bought, checked_margin, earned, margin_rate
from salestrack.kpis._money import CENTS
from salestrack.kpis._periods import floored, number_of
from salestrack.kpis._results import layout, together
from salestrack.kpis._survival import checked_day, day_known, earliest, per_group, whole
from salestrack.periods import Period, PeriodLike
from salestrack.stats.buying import fit_buying, fit_spending
from salestrack.stats.survival import kaplan_meier, life_table

NAME = "customer_lifetime_value"
Method = Literal["contractual", "non_contractual"]
MONTH = 12175, 400
"""Days of 400 months: ages in months are whole-number divisions."""
WEEKS_IN_MONTH = 365.25 / 12 / 7
FEW_LEFT, FEW_BACK = 10, 30
BINS = 50
COLUMNS = (
    NAME,
    "months",
    "retained",
    "margin_over_churn",
    "flat_p",
    "coverage",
    "left",
    "returned",
    "n",
    "matured",
    "note",
)


@card(
    number=35,
    unit="money",
    date="order_date",
    label_en="Customer lifetime value",
    label_de="Kundenwert (CLV)",
    description_de="Abgezinster Rohertrag, den ein neuer Kunde innerhalb des Horizonts bringt.",
    formula_de="Summe über die Monate seit dem ersten Auftrag von S(t) · Rohertrag je verbliebenem Kunden im Monat t / "
    "(1 + Zins)^(t/12), S(t) nach Kaplan-Meier, bis zum Horizont oder so weit die Daten reichen; ohne Verträge aus "
    "BG/NBD (Käufe) und Gamma-Gamma (Wert je Kauf).",
    undefined_de="Ohne Wert mit dem Hinweis „keine Fälle“ ohne Kunden oder ohne bekannte Stückkosten, „noch zu jung“, "
    "bevor jemand einen Monat lang Kunde war, „zu wenige Fälle“, wenn weniger als 30 Kunden wiederkamen (ohne "
    "Verträge).",
)
def customer_lifetime_value(
    orders: Any,
    order_lines: Any,
    accounts: Any,
    *,
    as_of: date | str,
    method: Method = "contractual",
    horizon_months: int = 36,
    discount_rate: float = 0.1,
    contract_months: int | None = 12,
    margin_share: float | None = None,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """Discounted gross margin that a new customer brings within the horizon.

    Formula: sum over the months t since the first order of S(t) · margin per remaining customer in month t /
    (1 + discount rate)^(t/12), S(t) by Kaplan-Meier, up to the horizon or as far as the data reach; without
    contracts from BG/NBD (purchases) and Gamma-Gamma (value of a purchase).

    Undefined: NaN with the note no_data without customers or any known unit cost, immature before anybody was a
    customer for a month, too_few where less than 30 customers came back (non-contractual).

    Parameters
    ----------
    orders : all of them, since the first on record begins a customer's time: `order_id`, `account_id`,
        `order_date`, a net amount, optionally `order_status`
    order_lines : `order_id`, an amount, `quantity`, `unit_cost` (as in cac_payback)
    accounts : `account_id`, optionally `churned_at`
    as_of : the day at whose end things are looked at; what happened later is unknown
    method : contractual (a customer leaves at `churned_at`, or `contract_months` after the last order) or
        non_contractual (nobody says goodbye: the purchases themselves tell)
    horizon_months : months since the first order that are counted
    discount_rate : interest a year
    contract_months : how long an order keeps a customer; None: only `churned_at` ends it
    margin_share : gross margin (0 to 1) assumed for value without a known cost, else that of the known value
    by : columns of the orders (of the customer's first order), or period words of that day
    period : of the first order: customers won then
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group: `customer_lifetime_value` (currency units), `months` (counted: the horizon, or less where no
    customer has been followed for longer; a fitted model counts it in full), `retained` (S at their end),
    `margin_over_churn` (the usual shortcut, undiscounted and without end: only where at least 10 left and `flat_p` is 0.05 or
    more), `flat_p` (test of a churn rate that is the same in every year; NaN within the first),
    `coverage` (share of the value whose cost is known), `left`, `returned` (customers with more than one
    purchase week), `n` (customers), `matured` (share who left or were followed to the end), `note`.

    Examples
    --------
    >>> orders = pd.DataFrame({"order_id": ["1", "2", "3"], "account_id": ["a", "a", "b"], "net_amount": 100.0,
    ...                        "order_date": pd.to_datetime(["2024-01-01", "2025-01-01", "2024-01-01"])})
    >>> lines = pd.DataFrame({"order_id": ["1", "2", "3"], "line_amount": 100.0, "quantity": 1,
    ...                       "unit_cost": 40.0})
    >>> accounts = pd.DataFrame({"account_id": ["a", "b"], "churned_at": pd.NaT})
    >>> clv = customer_lifetime_value(orders, lines, accounts, as_of="2026-10-31", discount_rate=0,
    ...                               horizon_months=24)
    >>> clv[["customer_lifetime_value", "months", "left", "n"]]
       customer_lifetime_value  months  left  n
    0                     90.0      24     2  2
    """
    day, given = checked_day(as_of, NAME), checked_margin(margin_share, NAME)
    _check(method, horizon_months, discount_rate)
    x = bought(orders, function=NAME, as_of=day, by=by, fiscal_year_start=fiscal_year_start)
    placed = once(_placed(x))
    people = once(_customers(x, placed, accounts, day, period, contract_months))
    table = _tables(x, placed, people, order_lines)
    if method == "non_contractual":
        table = pd.concat([table, *_repeats(x, people, day)], ignore_index=True)
    numbers = [c for c in (*SUMS, "_months", "_event", "_age", "n", "again", "cells", *CELL) if c in table]
    table[numbers] = table[numbers].astype("float64").fillna(0)

    def figures(part: pd.DataFrame) -> dict[str, float]:
        made = _contractual(part, horizon_months, discount_rate, given)
        if method == "non_contractual":
            made |= _fitted(part, horizon_months, discount_rate, given)
        return made

    made = whole(per_group(table, x.by, figures), "months", "left", "returned", "n")
    return layout(made.assign(note=_reason(made, method)), x, *COLUMNS)


def _check(method: str, horizon_months: int, discount_rate: float) -> None:
    if method not in ("contractual", "non_contractual"):
        raise KpiError.bad_option(NAME, "method", method, "give 'contractual' or 'non_contractual'")
    if horizon_months < 1:
        raise KpiError.bad_option(NAME, "horizon_months", horizon_months, "give a number of months above 0")
    if discount_rate <= -1:
        raise KpiError.bad_option(NAME, "discount_rate", discount_rate, "give a rate a year such as 0.1")


def _placed(x: Facts) -> Rows:
    """One row per order of a customer: its first and last `_day` and `_latest`, its value `_net`, and `_has` (amounts)."""
    return summarise(
        x.rows,
        ("order_id", "account_id"),
        _day=("_day", "min"),
        _latest=("_day", "max"),
        _net=(CENTS, "sum"),
        _has=(CENTS, "count"),
    )


def _customers(
    x: Facts, placed: Rows, accounts: Any, day: date, period: PeriodLike | None, contract_months: int | None
) -> Rows:
    """One row per customer: first day, groups of then, months as a customer, whether it left, whether it came back."""
    rows = summarise(placed, ("account_id",), _first=("_day", "min"), _last=("_latest", "max"))
    if period is not None:
        span = Period.parse(period, fiscal_year_start=x.fiscal_year_start)
        first, end = number_of(span.start), number_of(span.end)
        rows = rows.filter((nw.col("_first") >= first) & (nw.col("_first") < end))
    if names := [name for name in x.by if name != "account_id"]:
        then = joined(x.rows.select("account_id", "_day", *names), rows, "account_id")
        then = then.filter(nw.col("_day") == nw.col("_first"))
        groups: dict[str, Part] = {name: (name, "min") for name in names}
        rows = joined(rows, summarise(then, ("account_id",), **groups), "account_id")
    known = facts(accounts, function=NAME, needs=("account_id",))
    known = known.mark(_gone=day_known("churned_at", day, known.columns)).keep(
        ~nw.col("account_id").is_null() & ~nw.col("_gone").is_null()
    )
    rows = joined(rows, summarise(known.rows, ("account_id",), _gone=("_gone", "min")), "account_id", "left")
    silent = nw.lit(None).cast(nw.Int64)
    if contract_months is not None:
        silent = nw.col("_last") + (contract_months * MONTH[0] + MONTH[1] // 2) // MONTH[1]
    rows = rows.with_columns(_silent=nw.when(silent <= number_of(day)).then(silent).cast(nw.Int64))
    rows = rows.with_columns(_end=earliest("_gone", "_silent"))
    alive = nw.col("_end").fill_null(number_of(day)) - nw.col("_first")
    return rows.select(
        *together(x.by, ("account_id", "_first")),
        _months=floored(nw.when(alive > 0).then(alive).otherwise(nw.lit(0)) * MONTH[1], MONTH[0]),
        _event=flag(~nw.col("_end").is_null()),
        _back=flag(nw.col("_last") - nw.col("_first") >= 7),
    )


def _tables(x: Facts, placed: Rows, people: Rows, order_lines: Any) -> pd.DataFrame:
    """Customers per group, months and event; value and margin per group and month since the first order."""
    lives = summarise(people, (*x.by, "_months", "_event"), n="len", again=("_back", "sum"))
    sales = joined(placed.select("order_id", "account_id", "_day", "_net", "_has"), people, "account_id")
    sales = sales.with_columns(_age=floored((nw.col("_day") - nw.col("_first")) * MONTH[1], MONTH[0]))
    sales = sales.filter(nw.col("_age") < nw.col("_months") + nw.col("_event"))
    gains = earned(sales, order_lines, NAME, *x.by, "_age")
    nothing = nw.lit(0).cast(nw.Int64)
    lives = lives.select(*x.by, "_months", "_event", "n", "again", **dict.fromkeys(("_age", *SUMS), nothing))
    gains = gains.select(
        *x.by,
        **dict.fromkeys(("_months", "_event", "n", "again"), nothing),
        **{name: nw.col(name) for name in ("_age", *SUMS)},
    )
    return x.finish(small(stacked([lives, gains])))


CELL = ("_x", "_tx", "_t", "_bin", "first_value")


def _repeats(x: Facts, people: Rows, day: date) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Customers per number of repeat weeks, last week and weeks since the first; and per mean value."""
    rows = joined(x.rows.select("account_id", "_day", CENTS), people, "account_id")
    rows = rows.with_columns(_week=floored(nw.col("_day") - nw.col("_first"), 7))
    rows = summarise(rows, (*together(x.by, ("account_id", "_first")), "_week"), _paid=(CENTS, "sum"))
    later = nw.col("_week") > 0
    rows = rows.with_columns(
        _one=flag(later),
        _later=nw.when(later).then(nw.col("_paid")).otherwise(nw.lit(0)),
        _start=nw.when(later).then(nw.lit(0)).otherwise(nw.col("_paid")),
    )
    people = summarise(
        rows,
        together(x.by, ("account_id", "_first")),
        _x=("_one", "sum"),
        _tx=("_week", "max"),
        _paid=("_later", "sum"),
        first_value=("_start", "sum"),
    )
    people = people.with_columns(_t=floored(nw.lit(number_of(day)) - nw.col("_first"), 7))
    counts = summarise(people, (*x.by, "_x", "_tx", "_t"), cells="len", first_value=("first_value", "sum"))
    paying = people.filter((nw.col("_x") > 0) & (nw.col("_paid") > 0))
    mean = nw.col("_paid").cast(nw.Float64) / nw.col("_x").cast(nw.Float64)
    paying = paying.with_columns(_bin=(mean.log() * BINS).floor().cast(nw.Int64))
    values = summarise(paying, (*x.by, "_x", "_bin"), cells="len")
    return (
        x.finish(small(counts)).assign(_kind="buying"),
        x.finish(small(values)).assign(_kind="spending"),
    )


def _contractual(part: pd.DataFrame, horizon: int, rate: float, given: float | None) -> dict[str, float]:
    lives = part[part["n"] > 0]
    n, event, months = (lives[c].to_numpy(dtype=float) for c in ("n", "_event", "_months"))
    days = months + event  # who left in month m (from 0) was there in m + 1 of them
    tau = int(min(horizon, days.max())) if len(days) else 0
    value = float(part["value"].sum())
    made = {
        "months": float(tau),
        "left": float((n * event).sum()),
        "returned": float(lives["again"].sum()),
        "n": float(n.sum()),
        "coverage": float(part["known"].sum()) / value if value > 0 else float("nan"),
        "matured": float(n[(event > 0) | (days >= tau)].sum() / n.sum()) if len(n) else float("nan"),
        "flat_p": flat_churn(days, event, n),
    }
    if not tau:
        return dict.fromkeys((NAME, "retained", "margin_over_churn"), float("nan")) | made
    curve = kaplan_meier(life_table(days, event, n))
    survival = np.array([curve.at(t, before=1.0)[0] for t in range(tau + 1)])
    risk = np.array([n[days > t].sum() for t in range(tau)])
    gain = _gains(part, tau, margin_rate(part, given))
    worth = survival[:-1] * gain / risk / (1 + rate) ** (np.arange(tau) / 12)
    steady = made["flat_p"] >= 0.05 and made["left"] >= FEW_LEFT
    churn = float((n * event).sum() / (n * days).sum())
    monthly = float(_gains(part, int(days.max()), margin_rate(part, given)).sum() / (n * days).sum())
    return {
        NAME: float(worth.sum()),
        "retained": float(survival[-1]),
        "margin_over_churn": monthly / churn if steady else float("nan"),
    } | made


def _gains(part: pd.DataFrame, months: int, rate: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Margin per month since the first order, in currency units."""
    unknown = part["value"] - part["known"]
    gain = part["margin"] + (unknown * rate).where(unknown != 0, 0.0)
    return np.bincount(part["_age"].astype(int), weights=gain / 100, minlength=months)[:months].astype(float)


def flat_churn(days: Any, event: Any, n: Any) -> float:
    """p value of a likelihood-ratio test that the monthly churn is the same in every year as a customer.

    Formula: 2 Σ d·ln((d/e) / (D/E)) over years with exposure, against chi² with one degree less than years.
    """
    from scipy.stats import chi2

    days, event, n = (np.asarray(v, float) for v in (days, event, n))
    years = int(np.ceil(days.max() / 12)) if len(days) else 0
    exposed = np.array([(n * np.clip(days - 12 * y, 0, 12)).sum() for y in range(years)])
    gone = np.array([(n * event * ((days > 12 * y) & (days <= 12 * y + 12))).sum() for y in range(years)])
    if years < 2 or not gone.sum():
        return float("nan")
    shares = np.where(gone > 0, gone / exposed / (gone.sum() / exposed.sum()), 1.0)
    return float(chi2.sf(2 * (gone * np.log(shares)).sum(), years - 1))


def _fitted(part: pd.DataFrame, horizon: int, rate: float, given: float | None) -> dict[str, float]:
    """The value from the two fitted models; NaN where too few came back."""
    # engines give the rows in any order, and a fit follows the order of its sums in the last digits
    part = part.sort_values(["_kind", "_x", "_tx", "_t", "_bin"], ignore_index=True)
    cells, values = part[part["_kind"] == "buying"], part[part["_kind"] == "spending"]
    back = float(cells["cells"][cells["_x"] > 0].sum())
    none = {NAME: float("nan"), "months": float(horizon), "retained": float("nan"), "matured": float("nan")}
    none |= {"margin_over_churn": float("nan"), "flat_p": float("nan"), "left": 0.0}
    if back < FEW_BACK or values["cells"].sum() < FEW_BACK:
        return none
    earn = margin_rate(part, given)
    buying = fit_buying(cells["_x"], cells["_tx"], cells["_t"], cells["cells"])
    spending = fit_spending(values["_x"], np.exp((values["_bin"] + 0.5) / BINS), values["cells"])
    expected = buying.purchases(np.arange(horizon + 1) * WEEKS_IN_MONTH)
    discounted = float((np.diff(expected) / (1 + rate) ** ((np.arange(horizon) + 0.5) / 12)).sum())
    first = float(cells["first_value"].sum() / cells["cells"].sum())
    return none | {NAME: (first + discounted * spending.mean) * earn / 100}


def _reason(made: pd.DataFrame, method: str) -> pd.Series[str]:
    few = (method == "non_contractual") & (made["returned"] < FEW_BACK)
    late = np.where(made["months"] == 0, "immature", np.where(few, "too_few", "no_data"))
    reason = np.where(made[NAME].notna(), "", np.where(made["n"] == 0, "no_data", late))
    return pd.Series(reason, index=made.index, dtype="str")
