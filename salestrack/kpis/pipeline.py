"""The open pipeline and how far it covers what is still to be won."""

from __future__ import annotations

from datetime import date
from typing import Any

import narwhals as nw
import pandas as pd

from salestrack.kpis._card import card
from salestrack.kpis._facts import By, Facts, facts, group_names
from salestrack.kpis._frames import Part, flag, foremost, masked, once, summarise
from salestrack.kpis._money import CENTS, with_cents
from salestrack.kpis._periods import day_number, number_of
from salestrack.kpis._quotas import quota_pieces
from salestrack.kpis._results import divided, layout, note, outer
from salestrack.kpis._survival import checked_day
from salestrack.kpis._versions import no_words
from salestrack.periods import Period, PeriodLike

OPEN = nw.col("status") == "open"


@card(
    number=16,
    unit="money",
    date="expected_close_date",
    label_en="Open pipeline",
    label_de="Offene Pipeline",
    description_de="Wert der am Stichtag offenen Verkaufschancen, überfällige eingeschlossen.",
    formula_de="Summe der Beträge der offenen Verkaufschancen.",
    undefined_de="nie; ohne offene Verkaufschance ist sie 0. Solche ohne Betrag stehen in `without_amount`; `top5_share` ist NaN, wo der Wert 0 ist.",
)
def open_pipeline(
    deals: Any,
    *,
    as_of: date | str,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """Value of the deals open on the day; those past their expected date are included.

    Formula: sum of the amounts of deals whose status is open.

    Undefined: never; no open deal gives 0. Deals without an amount show in `without_amount`; `top5_share`
    is NaN where the value is 0.

    Parameters
    ----------
    deals : deals in their state of `as_of`, in any engine: `status`, `expected_close_date`, an amount
        (see bookings)
    as_of : the day; deals expected to close before it are past due
    by : columns or period words of the expected close; None gives one row for all
    period : of the expected close; None takes all open deals
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group: `open_pipeline` (currency units), `n` (open deals), `without_amount`, `undated` (no
    expected close), `past_due` (deals), `past_due_value`, `top5_share` (of the five largest deals, 0 to
    1).

    Examples
    --------
    >>> deals = pd.DataFrame({"status": ["open", "open", "won"], "amount": [100.0, None, 50.0],
    ...     "expected_close_date": pd.to_datetime(["2026-10-01", "2026-12-01", "2026-09-01"])})
    >>> open_pipeline(deals, as_of="2026-10-31")[["open_pipeline", "n", "without_amount", "past_due"]]
       open_pipeline  n  without_amount  past_due
    0          100.0  2               1         1
    """
    today = number_of(checked_day(as_of, "open_pipeline"))
    x = with_cents(
        facts(
            deals,
            function="open_pipeline",
            needs=("status", "expected_close_date"),
            date="expected_close_date",
            by=by,
            period=period,
            fiscal_year_start=fiscal_year_start,
        )
    )
    late = day_number("expected_close_date") < today
    x = x.only(OPEN).mark(_late=flag(late), _late_value=masked(late, CENTS), _down=-nw.col(CENTS))
    rows = once(x.rows.select(*x.keys, CENTS, "expected_close_date", "_late", "_late_value", "_down"))
    totals: dict[str, Part] = {
        "open_pipeline": (CENTS, "sum"),
        "n": "len",
        "valued": (CENTS, "count"),
        "dated": ("expected_close_date", "count"),
        "past_due": ("_late", "sum"),
        "past_due_value": ("_late_value", "sum"),
    }
    largest = summarise(foremost(rows, x.keys, "_down", 5), x.by, top=(CENTS, "sum"))
    table = x.known(summarise(rows, x.by, **totals), largest, sums=(*totals, "top"))
    table = table.assign(
        top5_share=divided(table["top"], table["open_pipeline"]),
        open_pipeline=table["open_pipeline"] / 100,
        past_due_value=table["past_due_value"] / 100,
        without_amount=table["n"] - table["valued"],
        undated=table["n"] - table["dated"],
    )
    return layout(
        table,
        x,
        "open_pipeline",
        "n",
        "without_amount",
        "undated",
        "past_due",
        "past_due_value",
        "top5_share",
    )


@card(
    number=18,
    unit="ratio",
    date="expected_close_date",
    label_en="Pipeline coverage",
    label_de="Pipeline-Deckung",
    description_de="Im Zeitraum erwartete offene Pipeline im Verhältnis zum Rest bis zur Quote; "
    "immer zusammen mit dem Tag des Zeitraums zu lesen.",
    formula_de="offener Betrag mit erwartetem Abschluss vom Stichtag bis zum Ende des Zeitraums / (Quote - im Zeitraum schon gewonnen). Überfällige zählen nicht mit.",
    undefined_de="NaN mit dem Hinweis target_met, wo nichts mehr zu gewinnen ist, no_quota ohne Quote.",
)
def pipeline_coverage(
    deals: Any,
    quotas: Any,
    *,
    as_of: date | str,
    period: PeriodLike,
    by: By = None,
    fiscal_year_start: int = 1,
    metric: str | None = None,
) -> pd.DataFrame:
    """Open pipeline expected in the period over what is still missing to the quota; read it with the
    day of the period.

    Formula: open amount with expected close from as_of to the end of the period / (quota - won so far in
    the period). Past-due deals are not in it.

    Undefined: NaN with the note target_met where nothing is left to win, no_quota where there is no quota.

    Parameters
    ----------
    deals : deals in their state of `as_of`: `status`, `expected_close_date`, `closed_date`, an amount
        (see bookings)
    quotas : as in quota_attainment
    as_of : the day of looking
    period : the period of the quota
    by : columns that deals and quotas both have (team, territory, …); None gives one row
    fiscal_year_start, metric : as in quota_attainment

    Returns
    -------
    One row per group: `open_value`, `won_value`, `quota`, `remaining`, `past_due_value` (currency units),
    `pipeline_coverage`, `coverage_of_full_quota`, `day` (of the period), `days`, `n` (open deals
    counted), `note`.

    Examples
    --------
    >>> deals = pd.DataFrame({"status": ["open", "won"], "amount": [120.0, 40.0],
    ...                       "expected_close_date": pd.to_datetime(["2026-12-01", "2026-10-20"]),
    ...                       "closed_date": pd.to_datetime([None, "2026-10-20"])})
    >>> quotas = pd.DataFrame({"rep_id": ["a"], "period_start_date": pd.Timestamp("2026-10-01"),
    ...                        "period_end_date": pd.Timestamp("2026-12-31"), "quota_amount": [100.0]})
    >>> covered = pipeline_coverage(deals, quotas, as_of="2026-10-31", period="2026-Q4")
    >>> covered[["remaining", "pipeline_coverage", "day"]]
       remaining  pipeline_coverage  day
    0       60.0                2.0   31
    """
    name, today = "pipeline_coverage", checked_day(as_of, "pipeline_coverage")
    span = Period.parse(period, fiscal_year_start=fiscal_year_start)
    groups = group_names(by)
    no_words(groups, name)
    x = _in_period(
        facts(deals, function=name, needs=("status", "expected_close_date", "closed_date"), by=by),
        span,
        today,
    )
    table = x.totals(
        open_value=("_value", "sum"),
        won_value=("_won_value", "sum"),
        past_due_value=("_late", "sum"),
        n=("_open", "sum"),
    )
    pieces = quota_pieces(
        quotas, function=name, by=by, span=span, fiscal_year_start=fiscal_year_start, metric=metric
    )
    table = outer(table, _quota_sums(pieces, groups), groups)
    left = table["quota"] - table["won_value"]
    rate = divided(table["open_value"], left)
    reason = note(rate, "target_met").where(rate.notna() | (table["quota"] > 0), "no_quota")
    full = divided(table["open_value"], table["quota"])
    money = ["open_value", "won_value", "quota", "past_due_value"]
    table[money] = table[money] / 100
    table = table.assign(
        pipeline_coverage=rate.where(table["quota"] > 0),
        coverage_of_full_quota=full,
        note=reason,
        remaining=left / 100,
        days=span.days,
        day=min(max((today - span.start).days + 1, 0), span.days),
    )
    return layout(
        table,
        x,
        "open_value",
        "won_value",
        "quota",
        "remaining",
        "past_due_value",
        "pipeline_coverage",
        "coverage_of_full_quota",
        "day",
        "days",
        "n",
        "note",
    )


def _in_period(x: Facts, span: Period, today: date) -> Facts:
    x = with_cents(x)
    due, closed = day_number("expected_close_date"), day_number("closed_date")
    first, end, now = number_of(span.start), number_of(span.end), number_of(today)
    ahead = OPEN & (due >= max(now, first)) & (due < end)
    won = (nw.col("status") == "won") & (closed >= first) & (closed < min(end, now + 1))
    return x.mark(
        _value=masked(ahead, CENTS),
        _open=flag(ahead),
        _won_value=masked(won, CENTS),
        _late=masked(OPEN & (due < now), CENTS),
    )


def _quota_sums(pieces: pd.DataFrame, groups: list[str]) -> pd.DataFrame:
    if not groups:
        return pd.DataFrame({"quota": [int(pieces["quota"].sum())]})
    return pieces.groupby(groups, dropna=False)["quota"].sum().reset_index()
