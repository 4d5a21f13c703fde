"""What is wrong with the open pipeline, and how much of it hangs on a few deals."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

import narwhals as nw
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._card import card
from salestrack.kpis._facts import By, Facts, facts
from salestrack.kpis._frames import Rows, flag, frame, masked, masked_sum, small, summarise
from salestrack.kpis._money import CENTS, with_cents
from salestrack.kpis._periods import day_number, number_of
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
    limits = _usual_age(every)
    rows = every.rows.join(_active(activities, number_of(today), quiet), on="deal_id", how="left")
    x = facts(
        rows.join(limits, how="cross").to_native(),
        function=name,
        date="expected_close_date",
        by=by,
        period=period,
        fiscal_year_start=fiscal_year_start,
    )
    x = _checked(with_cents(x).keep(OPEN), number_of(today), quiet)
    parts: dict[str, Any] = {"n": "len", "_limit": ("_p95", "max"), "_wins": ("_wins", "max")}
    for check in CHECKS:
        parts |= {f"{part}_{check}": (f"_{part}_{check}", "sum") for part in ("n", "bad", "worth", "all")}
    totals = x.totals(
        **parts, **{f"some_{c}": (f"_some_{c}", "max") for c in ("no_activity", "no_next_step")}
    )
    return layout(_long(totals[totals["n"] > 0], x, quiet), x, *COLUMNS)


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
        _cycle=nw.when(WON & (cycle >= 0)).then(cycle), _step=flag(step.fill_null("").str.len_chars() > 0)
    )
    return summarise(rows, _p95=("_cycle", 0.95), _wins=("_cycle", "count"), _steps=("_step", "max"))


def _active(activities: Any, today: int, quiet: int) -> Rows:
    """One row per deal with an activity: how many completed ones the last days saw."""
    rows = frame(activities, needs=("deal_id", "started_at"), function="pipeline_hygiene")
    columns = rows.collect_schema().names()
    done = nw.col("is_done").fill_null(False) if "is_done" in columns else nw.lit(True)
    if "is_deleted" in columns:
        done = done & ~nw.col("is_deleted").fill_null(False)
    day = day_number("started_at")
    rows = rows.filter(~nw.col("deal_id").is_null())
    rows = rows.with_columns(_recent=flag(done & (day <= today) & (day > today - quiet)), _seen=nw.lit(1))
    return summarise(rows, ("deal_id",), _recent=("_recent", "sum"), _seen=("_seen", "max"))


def _checked(x: Facts, today: int, quiet: int) -> Facts:
    """For each check whether it applies (`_n_`), whether it fails (`_bad_`) and the amounts of both."""
    due, age = day_number("expected_close_date"), today - day_number("created_date")
    has = x.columns
    step = nw.col("next_step").cast(nw.String) if "next_step" in has else nw.lit(None).cast(nw.String)
    current = nw.col("is_current").fill_null(False) if "is_current" in has else nw.lit(True)
    some = nw.lit(True)
    tests = {
        "month_end": (~due.is_null(), _month_end("expected_close_date")),
        "no_activity": (age >= quiet, nw.col("_recent").fill_null(0) == 0),
        "no_amount": (some, nw.col(CENTS).is_null()),
        "no_next_step": (current & (nw.col("_steps") == 1), step.fill_null("").str.len_chars() == 0),
        "past_due": (~due.is_null(), due < today),
        "too_old": (~age.is_null() & (nw.col("_wins") >= LEAST_WON), age > nw.col("_p95")),
    }
    marks: dict[str, nw.Expr] = {
        "_some_no_activity": nw.col("_seen").fill_null(0),
        "_some_no_next_step": nw.col("_steps").fill_null(0),
    }
    for check, (applies, fails) in tests.items():
        marks |= {
            f"_n_{check}": flag(applies),
            f"_bad_{check}": flag(applies & fails),
            f"_all_{check}": masked_sum(applies, CENTS),
            f"_worth_{check}": masked_sum(applies & fails, CENTS),
        }
    return x.mark(**marks)


def _month_end(column: str) -> nw.Expr:
    """True on the last day of a month."""
    month, year = (getattr(nw.col(column).dt, part)().cast(nw.Int64) for part in ("month", "year"))
    leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    length = nw.when(month.is_in([4, 6, 9, 11])).then(nw.lit(30)).when((month == 2) & leap).then(nw.lit(29))
    last: nw.Expr = length.when(month == 2).then(nw.lit(28)).otherwise(nw.lit(31))
    return nw.col(column).dt.day().cast(nw.Int64) == last


def _long(totals: pd.DataFrame, x: Facts, quiet: int) -> pd.DataFrame:
    """One row per group and check."""
    nothing = pd.Series(float("nan"), index=totals.index)
    parts = []
    for check in CHECKS:
        bad, n = totals[f"bad_{check}"], totals[f"n_{check}"]
        part = totals[list(x.by)].assign(
            check=check,
            failing=bad,
            n=n,
            value=totals[f"worth_{check}"] / 100,
            value_share=divided(totals[f"worth_{check}"], totals[f"all_{check}"]),
            limit={"no_activity": nothing.fillna(quiet), "too_old": totals["_limit"]}.get(check, nothing),
            _order=range(len(totals)),
        )
        part = proportion(part, "pipeline_hygiene", "failing")
        parts.append(part.assign(note=_reason(part, totals, check)))
    long = pd.concat(parts).sort_values(["_order", "check"], kind="stable").reset_index(drop=True)
    return long.astype({"check": "str", "failing": "int64", "n": "int64"})


def _reason(part: pd.DataFrame, totals: pd.DataFrame, check: str) -> pd.Series[str]:
    reason = note(part["pipeline_hygiene"])
    if check == "no_next_step":
        return reason.mask((part["n"] == 0) & (totals["some_no_next_step"] == 0), "not_recorded")
    if check == "too_old":
        return reason.mask((part["n"] == 0) & (totals["_wins"] < LEAST_WON), "too_few")
    return reason


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
    x = x.mark(_none=flag(nw.col(CENTS).is_null()))
    owner: Cluster = ()
    if unit == "account":
        x, owner = cluster_of(x, "deal_id")
    table = x.finish(small(_shares(x, owner)))
    for column in ("value", "top1", "top5", "squares"):
        table[column] = table[column].fillna(0)
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


def _shares(x: Facts, owner: Cluster) -> Rows:
    """Per group the sums over customers or deals of what is above 0."""
    rows = x.rows.with_columns(_one=masked_sum(~nw.col(CENTS).is_null(), CENTS))
    if owner:
        rows = summarise(rows, together(x.keys, owner), _one=("_one", "sum"), _none=("_none", "sum"))
    rows = rows.with_columns(_size=masked(nw.col("_one") > 0, "_one"))
    rows = rows.with_columns(_down=-nw.col("_size"), _float=nw.col("_size").cast(nw.Float64))
    rows = rows.with_columns(
        _square=nw.col("_float") * nw.col("_float"),
        _rank=nw.col("_down").cum_count().over(*x.keys, order_by="_down").cast(nw.Int64),
    )
    rows = rows.with_columns(_top=masked_sum(nw.col("_rank") <= 5, "_size"))
    return summarise(
        rows,
        x.by,
        value=("_size", "sum"),
        top1=("_size", "max"),
        top5=("_top", "sum"),
        squares=("_square", "sum"),
        without_amount=("_none", "sum"),
        n=("_size", "count"),
    )


def _known(status: str, unit: str, function: str) -> None:
    if status not in ("open", "won"):
        raise KpiError.bad_option(function, "status", status, "give open or won")
    if unit not in ("account", "deal"):
        raise KpiError.bad_option(function, "unit", unit, "give account or deal")
