"""What is wrong with the open pipeline, and how much of it hangs on a few deals."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any, Literal

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._card import card
from salestrack.kpis._facts import By, Facts, facts
from salestrack.kpis._frames import Part, Rows, flag, foremost, frame, masked, once, small, summarise
from salestrack.kpis._joining import joined
from salestrack.kpis._money import CENTS, with_cents
from salestrack.kpis._periods import day_number, last_day, number_of
from salestrack.kpis._results import Cluster, cluster_of, divided, layout, note, proportion, together
from salestrack.kpis._survival import checked_day, checked_horizon
from salestrack.periods import PeriodLike

OPEN, WON = nw.col("status") == "open", nw.col("status") == "won"
CHECKS = ("month_end", "no_activity", "no_amount", "no_next_step", "past_due", "too_old")
LEAST_WON = 20
"""Won deals below which nobody can say what an unusual age is."""


@card(
    number=39,
    unit="share",
    date="expected_close_date",
    label_en="Pipeline hygiene",
    label_de="Pipeline-Hygiene",
    description_de="Anteil der offenen Verkaufschancen mit einem Mangel, der jede Prognose daraus fraglich "
    "macht, je Prüfung.",
    formula_de="Offene Verkaufschancen mit dem Mangel / offene Verkaufschancen, bei denen die Prüfung möglich "
    "ist, je Prüfung: Abschlusstermin vor dem Stichtag, kein Betrag, kein nächster Schritt, keine erledigte "
    "Aktivität in den letzten quiet_days Tagen (nur bei mindestens so alten), älter als 95 % der gewonnenen, "
    "Abschlusstermin am Monatsletzten.",
    undefined_de="NaN mit dem Hinweis no_data, wenn es keinen prüfbaren Fall gibt, not_recorded, wenn das Feld "
    "bei keiner Verkaufschance gepflegt ist, too_few, wenn für das übliche Alter weniger als 20 gewonnene "
    "vorliegen. Ohne offene Verkaufschance gibt es keine Zeile.",
)
def pipeline_hygiene(
    deals: Any,
    activities: Any,
    *,
    as_of: date | str,
    by: By = None,
    period: PeriodLike | None = None,
    quiet_days: int = 30,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """Share of the open deals with a fault that makes every forecast of them doubtful, by check.

    Formula: open deals with the fault / open deals to which the check applies, by check: expected close before
    as_of, no amount, no next step, no completed activity in the last quiet_days days (of deals at least that
    old), older than 95 % of the won deals were when they were won, expected close on the last day of a month.

    Undefined: NaN with the note no_data where the check applies to no deal, not_recorded where the field is
    filled for no deal at all, too_few where fewer than 20 wins tell the usual age. Without an open deal there
    is no row.

    Parameters
    ----------
    deals : deals in their state of `as_of`, in any engine: `deal_id`, `status`, `created_date`,
        `closed_date`, `expected_close_date`, an amount (see bookings), optionally `next_step` and `is_current`
        (false where the record was changed after `as_of`, so that its next step of then is unknown)
    activities : `deal_id`, `started_at`, optionally `is_done`
    as_of : the day of looking
    by : columns or period words of the expected close; None gives one row per check
    period : of the expected close; None takes all open deals
    quiet_days : days without an activity that count as silence
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group and `check` (month_end, no_activity, no_amount, no_next_step, past_due, too_old):
    `failing` (deals), `value` (of the failing, currency units), `value_share` (of the value of the deals to
    which the check applies), `limit` (days: of silence, of age), `pipeline_hygiene` (0 to 1), `low`, `high`
    (95 % Wilson interval), `n` (deals to which the check applies), `note`. By chance about one date in 30 is
    the last of a month.

    Examples
    --------
    >>> dates = pd.to_datetime(["2026-10-01", "2026-12-15"])
    >>> deals = pd.DataFrame({"deal_id": ["a", "b"], "status": "open", "amount": [100.0, None],
    ...                       "created_date": pd.Timestamp("2026-01-01"), "closed_date": pd.NaT,
    ...                       "expected_close_date": dates})
    >>> calls = pd.DataFrame({"deal_id": ["a"], "started_at": pd.to_datetime(["2026-10-20"])})
    >>> found = pipeline_hygiene(deals, calls, as_of="2026-10-31")
    >>> found.loc[found["n"] > 0, ["check", "failing", "n", "pipeline_hygiene"]]
             check  failing  n  pipeline_hygiene
    0    month_end        0  2               0.0
    1  no_activity        1  2               0.5
    2    no_amount        1  2               0.5
    4     past_due        1  2               0.5
    """
    name = "pipeline_hygiene"
    today, quiet = checked_day(as_of, name), checked_horizon(quiet_days, name)
    every = facts(
        deals,
        function=name,
        needs=("deal_id", "status", "created_date", "closed_date", "expected_close_date"),
    )
    x = facts(
        deals,
        function=name,
        date="expected_close_date",
        by=by,
        period=period,
        fiscal_year_start=fiscal_year_start,
    )
    x = with_cents(x).keep(OPEN)
    rows = joined(x.rows, _active(activities, number_of(today), quiet), "deal_id", "left")
    x = replace(x, rows=rows.join(_usual_age(every), how="cross"))
    cells = x.finish(small(_cells(_checked(x, number_of(today), quiet))))
    return layout(_long(cells, x, quiet), x, *COLUMNS)


COLUMNS = (
    "check",
    "failing",
    "value",
    "value_share",
    "limit",
    "pipeline_hygiene",
    "low",
    "high",
    "n",
    "note",
)


def _usual_age(x: Facts) -> Rows:
    """One row: the age in days that 95 % of the won deals had not passed, and whether fields are ever filled."""
    cycle = day_number("closed_date") - day_number("created_date")
    step = nw.col("next_step").cast(nw.String) if "next_step" in x.columns else nw.lit(None).cast(nw.String)
    rows = x.rows.with_columns(
        _cycle=nw.when(WON & (cycle >= 0)).then(cycle), _step=flag(step.fill_null("") != "")
    )
    return summarise(rows, _p95=("_cycle", 0.95), _wins=("_cycle", "count"), _steps=("_step", "max"))


def _active(activities: Any, today: int, quiet: int) -> Rows:
    """One row per deal on which something was completed in the last days."""
    rows = frame(activities, needs=("deal_id", "started_at"), function="pipeline_hygiene")
    columns = rows.collect_schema().names()
    day = day_number("started_at")
    rows = rows.filter(~nw.col("deal_id").is_null(), day <= today, day > today - quiet)
    if "is_done" in columns:
        rows = rows.filter(nw.col("is_done").fill_null(False))
    if "is_deleted" in columns:
        rows = rows.filter(~nw.col("is_deleted").fill_null(False))
    return summarise(rows, ("deal_id",), _recent="len")


def _checked(x: Facts, today: int, quiet: int) -> Facts:
    """With `_state`: per check, in its place of base 3, 0 if it does not apply, 1 if it does and 2 if it fails."""
    due, age = day_number("expected_close_date"), today - day_number("created_date")
    has = x.columns
    step = nw.col("next_step").cast(nw.String) if "next_step" in has else nw.lit(None).cast(nw.String)
    current = nw.col("is_current").fill_null(False) if "is_current" in has else nw.lit(True)
    some = nw.lit(True)
    tests = {
        "month_end": (~due.is_null(), due == last_day("expected_close_date")),
        "no_activity": (age >= quiet, nw.col("_recent").is_null()),
        "no_amount": (some, nw.col(CENTS).is_null()),
        "no_next_step": (current & (nw.col("_steps") == 1), step.fill_null("") == ""),
        "past_due": (~due.is_null(), due < today),
        "too_old": (~age.is_null() & (nw.col("_wins") >= LEAST_WON), age > nw.col("_p95")),
    }
    states = [flag(tests[check][0]) + flag(tests[check][0] & tests[check][1]) for check in CHECKS]
    first, *rest = (state * 3**place for place, state in enumerate(states))
    return x.mark(_state=sum(rest, first))


def _cells(x: Facts) -> Rows:
    """Deals and their value per group and state, beside what holds for all."""
    of_all = {name: (name, "max") for name in ("_p95", "_wins", "_steps")}
    return summarise(x.rows, (*x.by, "_state"), n="len", value=(CENTS, "sum"), **of_all)  # type: ignore[arg-type]


def _long(cells: pd.DataFrame, x: Facts, quiet: int) -> pd.DataFrame:
    """One row per group and check."""
    state = cells["_state"].to_numpy()[:, None] // 3 ** np.arange(len(CHECKS)) % 3
    long = cells.loc[cells.index.repeat(len(CHECKS))].reset_index(drop=True)
    applies, fails = (state > 0).ravel(), (state == 2).ravel()
    long = long.assign(
        check=list(CHECKS) * len(cells),
        failing=long["n"] * fails,
        n=long["n"] * applies,
        value=long["value"] * fails / 100,
        all=long["value"] * applies / 100,
    )
    sums = ["failing", "n", "value", "all"]
    long = long.groupby([*x.by, "check"], sort=False, dropna=False)[sums].sum().reset_index()
    known = cells[["_p95", "_wins", "_steps"]].max()
    limits = long["check"].map({"no_activity": quiet, "too_old": known["_p95"]}).astype("float64")
    long = proportion(long.assign(limit=limits), "pipeline_hygiene", "failing")
    unknown = long["n"] == 0
    reason = long["note"].mask(
        unknown & (long["check"] == "no_next_step") & (known["_steps"] != 1), "not_recorded"
    )
    reason = reason.mask(unknown & (long["check"] == "too_old") & ~(known["_wins"] >= LEAST_WON), "too_few")
    long = long.assign(value_share=divided(long["value"], long["all"]), note=reason)
    return long.astype({"check": "str", "failing": "int64", "n": "int64"})


@card(
    number=40,
    unit="share",
    date="expected_close_date",
    label_en="Concentration",
    label_de="Konzentration",
    description_de="Wie stark Pipeline oder Auftragseingang an wenigen Kunden oder Verkaufschancen hängen "
    "(Herfindahl-Index).",
    formula_de="Summe der quadrierten Anteile der Kunden (oder der einzelnen Verkaufschancen) am Wert; ihr "
    "Kehrwert ist die Zahl gleich großer Kunden mit derselben Konzentration.",
    undefined_de="NaN mit dem Hinweis no_data, wenn es keinen positiven Betrag gibt; Verkaufschancen ohne Betrag "
    "bleiben außen vor und stehen in without_amount.",
)
def concentration(
    deals: Any,
    *,
    as_of: date | str,
    by: By = None,
    period: PeriodLike | None = None,
    status: Literal["open", "won"] = "open",
    unit: Literal["account", "deal"] = "account",
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """How much of the pipeline or of the bookings hangs on a few customers or deals (Herfindahl index).

    Formula: sum of the squared shares of the customers (or single deals) in the value; its inverse is the
    number of equally large customers that would be as concentrated.

    Undefined: NaN with the note no_data where there is no positive amount; deals without an amount are left
    out and show in `without_amount`.

    Parameters
    ----------
    deals : deals in their state of `as_of`, in any engine: `status`, an amount (see bookings), `account_id`
        for customers (a deal without one stands for itself), for periods `expected_close_date` (open) or
        `closed_date` (won)
    as_of : the day of looking; deals closed later do not count
    by : columns or period words of the expected close (open) or of the closing (won)
    period : of the same date; None takes all
    status : open for the pipeline, won for the bookings
    unit : account or deal
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group: `value`, `value_without_top1` (currency units), `top1_share`, `top5_share` (0 to 1),
    `effective_number`, `without_amount` (deals), `concentration` (0 to 1), `n` (customers or deals with a
    positive value), `note`.

    Examples
    --------
    >>> deals = pd.DataFrame({"status": "open", "account_id": ["a", "a", "b"], "amount": [30.0, 50.0, 20.0]})
    >>> concentration(deals, as_of="2026-10-31")[["value_without_top1", "top1_share", "concentration", "n"]]
       value_without_top1  top1_share  concentration  n
    0                20.0         0.8           0.68  2
    """
    name, today = "concentration", checked_day(as_of, "concentration")
    _known(status, unit, name)
    x = facts(
        deals,
        function=name,
        needs=("status", *(("account_id",) if unit == "account" else ())),
        date="expected_close_date" if status == "open" else "closed_date",
        by=by,
        period=period,
        fiscal_year_start=fiscal_year_start,
    )
    x = with_cents(x).keep(nw.col("status") == status)
    if status == "won" and "closed_date" in x.columns:
        x = x.keep(nw.col("closed_date").is_null() | (day_number("closed_date") <= number_of(today)))
    owner: Cluster = ()
    if unit == "account":
        x, owner = cluster_of(x, "deal_id")
    table = _shares(x, owner)
    index = divided(table["squares"], table["value"].astype(float) ** 2)
    table = table.assign(
        value=table["value"] / 100,
        value_without_top1=(table["value"] - table["top1"]) / 100,
        top1_share=divided(table["top1"], table["value"]),
        top5_share=divided(table["top5"], table["value"]),
        effective_number=1 / index,
        concentration=index,
        note=note(index),
    )
    return layout(
        table,
        x,
        "value",
        "value_without_top1",
        "top1_share",
        "top5_share",
        "effective_number",
        "without_amount",
        "concentration",
        "n",
        "note",
    )


def _shares(x: Facts, owner: Cluster) -> pd.DataFrame:
    """Per group the sums over customers or deals of what is above 0."""
    rows = x.rows.select(*together(x.keys, owner), CENTS, _none=flag(nw.col(CENTS).is_null()))
    if owner:
        sums: dict[str, Part] = {CENTS: (CENTS, "sum"), "_none": ("_none", "sum")}
        rows = summarise(rows, together(x.keys, owner), **sums)
    rows = once(rows.with_columns(_size=masked(nw.col(CENTS) > 0, CENTS)))
    size = nw.col("_size").cast(nw.Float64)
    totals = summarise(
        rows.with_columns(_square=size * size),
        x.by,
        value=("_size", "sum"),
        top1=("_size", "max"),
        squares=("_square", "sum"),
        without_amount=("_none", "sum"),
        n=("_size", "count"),
    )
    largest = foremost(rows.with_columns(_down=-nw.col("_size")), x.keys, "_down", 5)
    figures = ("value", "top1", "top5", "squares", "without_amount", "n")
    return x.known(totals, summarise(largest, x.by, top5=("_size", "sum")), sums=figures)


def _known(status: str, unit: str, function: str) -> None:
    if status not in ("open", "won"):
        raise KpiError.bad_option(function, "status", status, "give open or won")
    if unit not in ("account", "deal"):
        raise KpiError.bad_option(function, "unit", unit, "give account or deal")
