"""Why deals were lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.kpis._card import card
from salestrack.kpis._facts import MISSING, By, Facts, facts, group_names
from salestrack.kpis._money import CENTS, with_cents
from salestrack.kpis._results import divided, group_total, layout
from salestrack.kpis.winning import JUNK
from salestrack.periods import PeriodLike
from salestrack.stats.intervals import wilson

OTHER = (
    "other",
    "others",
    "unknown",
    "n/a",
    "misc",
    "miscellaneous",
    "sonstige",
    "sonstiges",
    "andere",
    "unbekannt",
)
SAYS_NOTHING = (MISSING, "other")


@card(
    number=30,
    unit="share",
    date="closed_date",
    label_en="Loss reasons",
    label_de="Verlustgründe",
    description_de="Anteil jedes Grundes an den im Zeitraum verlorenen Verkaufschancen, die unbekannten zuerst.",
    formula_de="Verkaufschancen mit diesem Grund / verlorene Verkaufschancen; eine mit mehreren Gründen zählt bei "
    "jedem zu gleichen Teilen.",
    undefined_de="Nie; ohne verlorene Verkaufschance gibt es keine Zeile. Wo mehr als die Hälfte keinen Grund nennt, "
    "gibt es keine Rangfolge (`rank` ist NaN, der Hinweis mostly_unknown).",
)
def loss_reasons(
    deals: Any,
    *,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
    junk: Sequence[str] = JUNK,
) -> pd.DataFrame:
    """Share of the deals lost in the period for each reason, the unknown ones first.

    Formula: deals with this reason / lost deals; a deal with several reasons counts in each with an equal part.

    Undefined: never; without a lost deal there is no row. Where more than half say no reason there is no order
    of precedence (`rank` is NaN, the note mostly_unknown).

    Parameters
    ----------
    deals : deals in any engine: `status`, `lost_reason` (several ones separated by ";"), for periods
        `closed_date`; for values an amount (see bookings), optionally `last_open_amount_base_cents`
    by : columns or period words of closing; None gives the reasons of all
    period : of closing
    fiscal_year_start : month (1 to 12) in which the fiscal year starts
    junk : reasons that mark what never was a deal; such deals are left out, as in win_rate

    Returns
    -------
    One row per group and reason: `lost_reason`, `deals` (parts of deals add up), `loss_reasons` (0 to 1), `low`,
    `high` (95 % Wilson interval), `rank` (1 is the most frequent known reason), `lost_value` (currency units),
    `value_share`, `unknown_share` (of the group: no reason, or one like "other"), `n` (lost deals of the
    group), `note`. Rows without a reason, "(missing)", and "other" come first, then the most frequent; spellings
    that differ in upper and lower case are one reason.

    Examples
    --------
    >>> deals = pd.DataFrame({"status": "lost", "lost_reason": ["Price", "Price; Timing", None], "amount": 10.0})
    >>> loss_reasons(deals)[["lost_reason", "deals", "loss_reasons", "rank"]]
      lost_reason  deals  loss_reasons  rank
    0   (missing)    1.0      0.333333   NaN
    1       Price    1.5      0.500000   1.0
    2      Timing    0.5      0.166667   2.0
    """
    x = facts(
        deals,
        function="loss_reasons",
        needs=("status", "lost_reason"),
        date="closed_date",
        by=[name for name in group_names(by) if name != "lost_reason"],
        period=period,
        fiscal_year_start=fiscal_year_start,
    )
    told = _at_loss(with_cents(x).keep(nw.col("status") == "lost")).also_by("lost_reason")
    table = told.totals(cents=(CENTS, "sum"), n="len")
    reason = table["lost_reason"].mask(table["lost_reason"] == MISSING, "").str.lower()
    table = table[~reason.isin([word.lower() for word in junk])].reset_index(drop=True)
    groups = list(x.by)
    table = _ranked(_shares(_split(table, groups), groups), groups)
    return layout(
        table,
        x,
        "lost_reason",
        "deals",
        "loss_reasons",
        "low",
        "high",
        "rank",
        "lost_value",
        "value_share",
        "unknown_share",
        "n",
        "note",
    )


def _at_loss(x: Facts) -> Facts:
    """Lost deals with their last open amount for the one at closing, where it is known."""
    if "last_open_amount_base_cents" not in x.columns:
        return x
    return x.mark(**{CENTS: nw.coalesce(nw.col("last_open_amount_base_cents"), nw.col(CENTS)).cast(nw.Int64)})


def _split(raw: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """One row per group and single reason, with the parts of deals and of value that fall to it."""
    parts = raw["lost_reason"].map(lambda text: list(_reasons(str(text))))
    count = parts.map(len).astype(float)
    single = raw.assign(lost_reason=parts, deals=raw["n"] / count, lost_value=raw["cents"] / count / 100)
    single = single.explode("lost_reason", ignore_index=True)
    single = single.assign(lost_reason=_one_spelling(single["lost_reason"].astype("str"), single["deals"]))
    keys = [*by, "lost_reason"]
    return single.groupby(keys, sort=False, dropna=False, as_index=False)[["deals", "lost_value"]].sum()


def _reasons(text: str) -> Iterator[str]:
    """The reasons of one text, each once; none is "(missing)".

    >>> list(_reasons("Price; Other ;price;"))
    ['Price', 'other']
    """
    found: dict[str, str] = {}
    for part in text.split(";"):
        if reason := part.strip():
            reason = "other" if reason.casefold() in OTHER else reason
            found.setdefault(reason.casefold(), reason)
    yield from found.values() or [MISSING]


def _one_spelling(reasons: pd.Series[str], deals: pd.Series[float]) -> pd.Series[str]:
    """Of spellings that differ in upper and lower case the most frequent one; of equal ones the first by alphabet."""
    total = deals.groupby(reasons).sum().rename_axis("spelling").rename("deals").reset_index()
    total = total.sort_values(["deals", "spelling"], ascending=[False, True], kind="stable")
    total["key"] = total["spelling"].str.casefold()
    best = total.drop_duplicates("key").set_index("key")["spelling"]
    return reasons.str.casefold().map(best).astype("str")


def _shares(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """With the shares of deals, of value and of what says nothing, and the interval."""
    n = group_total(table, by, "deals").astype(float)
    silent = table["lost_reason"].isin(SAYS_NOTHING)
    unknown = group_total(table.assign(_silent=table["deals"].where(silent, 0.0)), by, "_silent")
    low, high = wilson(table["deals"], n)
    return table.assign(
        loss_reasons=divided(table["deals"], n),
        low=low,
        high=high,
        value_share=divided(table["lost_value"], group_total(table, by, "lost_value")),
        unknown_share=divided(unknown, n),
        n=(n + 0.5).astype("int64"),
        silent=silent,
    )


def _ranked(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """In order: what says nothing first, then the most frequent; ranks unless more than half is unknown."""
    often = np.floor(table["deals"] * 1e6 + 0.5)  # thirds that add up to a whole are one
    unknown = table["unknown_share"] > 0.5 + 1e-9
    known = often.where(~table["silent"] & ~unknown)
    places = known.groupby([table[c] for c in by], dropna=False) if by else known
    table = table.assign(
        rank=places.rank(method="min", ascending=False).astype(float),
        note=pd.Series("", index=table.index, dtype="str").mask(unknown, "mostly_unknown"),
        first=table["lost_reason"].map({MISSING: 0, "other": 1}).fillna(2).astype(int),
        often=-often,
        group=table.groupby(by, sort=False, dropna=False).ngroup() if by else 0,
    )
    return table.sort_values(["group", "first", "often", "lost_reason"], kind="stable")
