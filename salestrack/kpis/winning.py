"""Win rates of closed deals: by count and by value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import pandas as pd

from salestrack.kpis._card import card
from salestrack.kpis._facts import By, Facts, facts
from salestrack.kpis._frames import flag, masked_sum
from salestrack.kpis._money import CENTS, with_cents
from salestrack.kpis._results import cluster_of, divided, layout, proportion, ratio
from salestrack.periods import PeriodLike

WON = nw.col("status") == "won"
LOST = nw.col("status") == "lost"
JUNK = ("duplicate", "test", "spam")


@card(
    number=8,
    unit="share",
    date="closed_date",
    label_en="Win rate",
    label_de="Abschlussquote",
    description_de="Anteil der im Zeitraum abgeschlossenen Verkaufschancen, die gewonnen wurden.",
    formula_de="gewonnen / (gewonnen + verloren), gezählt in Verkaufschancen nach dem Tag des Abschlusses; offene "
    "zählen nicht.",
    undefined_de="NaN mit dem Hinweis no_data, wo nichts abgeschlossen wurde; Verkaufschancen ohne Betrag zählen mit.",
)
def win_rate(
    deals: Any,
    *,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
    junk: Sequence[str] = JUNK,
) -> pd.DataFrame:
    """Share of the deals closed in the period that were won, counted in deals.

    Formula: won / (won + lost), counted in deals by closing date; open deals do not count.

    Undefined: NaN with the note no_data where no deal was closed; a deal without an amount counts.

    Parameters
    ----------
    deals : deals in any engine; `status`, for periods `closed_date`, optionally `lost_reason`
    by : columns or period words (day, week, month, quarter, year of closing); None gives one row for all
    period : "2026-10", "2026-Q3", "2026" or a pair of days, half-open
    fiscal_year_start : month (1 to 12) in which the fiscal year starts
    junk : reasons of loss that mark what never was a deal; such deals are left out and counted in `junk`

    Returns
    -------
    One row per group: `won`, `lost`, `junk`, `win_rate` (0 to 1), `low`, `high` (95 % Wilson interval),
    `n` (won and lost), `note`. Rates of groups must not be averaged.

    Examples
    --------
    >>> deals = pd.DataFrame({"rep": ["Ada", "Ada", "Ben"], "status": ["won", "lost", "open"]})
    >>> win_rate(deals, by="rep")[["rep", "won", "lost", "win_rate"]]
       rep  won  lost  win_rate
    0  Ada    1     1       0.5
    1  Ben    0     0       NaN
    """
    x = closed_deals(
        facts(
            deals,
            function="win_rate",
            needs=("status",),
            date="closed_date",
            by=by,
            period=period,
            fiscal_year_start=fiscal_year_start,
        ),
        junk,
    )
    table = x.totals(won=("_won", "sum"), lost=("_lost", "sum"), junk=("_junk", "sum"), n=("_closed", "sum"))
    table = proportion(table, "win_rate", "won")
    return layout(table, x, "won", "lost", "junk", "win_rate", "low", "high", "n", "note")


@card(
    number=9,
    unit="share",
    date="closed_date",
    label_en="Win rate by value",
    label_de="Abschlussquote nach Wert",
    description_de="Anteil des im Zeitraum abgeschlossenen Auftragswerts, der gewonnen wurde.",
    formula_de="gewonnener Betrag / (gewonnener + verlorener Betrag), Beträge zum Zeitpunkt des Abschlusses; von einer "
    "verlorenen Verkaufschance der letzte Betrag, als sie noch offen war (`last_open_amount_base_cents`), wo die "
    "Tabelle ihn hat, da viele ihn beim Verlieren auf 0 setzen.",
    undefined_de="NaN mit dem Hinweis no_data, wo kein Betrag abgeschlossen wurde; Verkaufschancen ohne Betrag bleiben "
    "außen vor und zeigen sich in `coverage`.",
)
def win_rate_by_value(
    deals: Any,
    *,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
    junk: Sequence[str] = JUNK,
) -> pd.DataFrame:
    """Share of the value closed in the period that was won.

    Formula: won amount / (won amount + lost amount), amounts at closing; of a lost deal the last open amount
    (`last_open_amount_base_cents`) where the frame has it, since many users set it to zero when they lose.

    Undefined: NaN with the note no_data where no amount was closed; deals without an amount are left out and
    show in `coverage`.

    Parameters
    ----------
    deals : deals in any engine; `status`, an amount (see bookings), optionally `account_id`, `lost_reason`
    by, period, fiscal_year_start, junk : as in win_rate

    Returns
    -------
    One row per group: `won_value`, `lost_value` (currency units), `coverage` (share of closed deals that have
    an amount), `top_deal_share` (of the largest closed deal), `win_rate_by_value` (0 to 1), `low`, `high`
    (95 % interval clustered by account), `n` (closed deals with an amount), `note`.

    Examples
    --------
    >>> deals = pd.DataFrame({"status": ["won", "lost", "lost"], "amount": [900.0, 100.0, None]})
    >>> win_rate_by_value(deals)[["won_value", "lost_value", "coverage", "win_rate_by_value"]]
       won_value  lost_value  coverage  win_rate_by_value
    0      900.0       100.0  0.666667                0.9
    """
    x = facts(
        deals,
        function="win_rate_by_value",
        needs=("status",),
        date="closed_date",
        by=by,
        period=period,
        fiscal_year_start=fiscal_year_start,
    )
    x, cluster = cluster_of(_valued(closed_deals(with_cents(x), junk)), "deal_id")
    table = ratio(
        x,
        "win_rate_by_value",
        "_won_value",
        "_value",
        cluster=cluster,
        share=True,
        won=("_won_value", "sum"),
        value=("_value", "sum"),
        closed=("_closed", "sum"),
        n=("_valued", "sum"),
        largest=("_value", "max"),
    )
    table = table.assign(
        won_value=table["won"] / 100,
        lost_value=(table["value"] - table["won"]) / 100,
        coverage=divided(table["n"], table["closed"]),
        top_deal_share=divided(table["largest"], table["value"]),
    )
    return layout(
        table,
        x,
        "won_value",
        "lost_value",
        "coverage",
        "top_deal_share",
        "win_rate_by_value",
        "low",
        "high",
        "n",
        "note",
    )


def closed_deals(x: Facts, junk: Sequence[str]) -> Facts:
    """With 1 or 0 in `_won`, `_lost`, `_closed` and, for losses that never were deals, `_junk`."""
    x = x.mark(_won=flag(WON), _junk=flag(nw.when(LOST).then(is_junk(x, junk))))
    x = x.mark(_lost=flag(LOST) - nw.col("_junk"))
    return x.mark(_closed=nw.col("_won") + nw.col("_lost"))


def is_junk(x: Facts, junk: Sequence[str]) -> nw.Expr:
    """True for a reason of loss that is among these, upper or lower case."""
    if "lost_reason" not in x.columns or not junk:
        return nw.lit(False)
    return nw.col("lost_reason").cast(nw.String).str.to_lowercase().is_in([word.lower() for word in junk])


def at_loss(x: Facts) -> Facts:
    """With the last open amount of lost deals for the one at closing, where it is known."""
    if "last_open_amount_base_cents" not in x.columns:
        return x
    last = nw.coalesce(nw.col("last_open_amount_base_cents"), nw.col(CENTS)).cast(nw.Int64)
    return x.mark(**{CENTS: nw.when(nw.col("_lost") == 1).then(last).otherwise(nw.col(CENTS))})


def _valued(x: Facts) -> Facts:
    """With the amounts that count: `_value` of closed deals, `_won_value` of won ones."""
    x = at_loss(x)
    closed = nw.col("_closed") == 1
    return x.mark(
        _value=masked_sum(closed, CENTS),
        _won_value=masked_sum(nw.col("_won") == 1, CENTS),
        _valued=flag(closed & ~nw.col(CENTS).is_null()),
    )
