"""How good the probabilities are: scores of each method, said and happened by stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from salestrack.i18n import is_unknown

if TYPE_CHECKING:
    from salestrack.book import Book
    from salestrack.i18n import Words
    from salestrack.models import WinProbability

RELIABILITY = {
    "en": "Of the deals that were given a probability, so many were won",
    "de": "So viele der Deals mit einer bestimmten Wahrscheinlichkeit wurden gewonnen",
}


def methods(found: WinProbability, words: Words) -> pd.DataFrame:
    """How good each method was on what it had not seen, gains with their 95 % intervals in words.

    Returns
    -------
    `rung`, `brier`, `log_loss`, `against_base`, `against_stage`; no row where nothing could be tested.
    """
    rows = found.evaluation[found.evaluation["n"] > 0].astype({"rung": "str"})
    against = {
        "against_base": [
            _gain(*ends, words) for ends in zip(rows["skill_vs_base"], rows["low"], rows["high"], strict=True)
        ],
        "against_stage": [
            _gain(*ends, words)
            for ends in zip(rows["skill_vs_stage"], rows["stage_low"], rows["stage_high"], strict=True)
        ],
    }
    return rows.assign(**against)[["rung", "brier", "log_loss", *against]].reset_index(drop=True)


def _gain(value: float, low: float, high: float, words: Words) -> str:
    """`+4.2% (+2.9 to +5.6%)`; `–` where there is nothing simpler to compare with."""
    if is_unknown(value):
        return "–"
    ends = words.interval(low, high, "share", signed=True)
    return f"{words.fmt(value, 'change')} ({ends})"


def by_stage(book: Book, found: WinProbability) -> pd.DataFrame:
    """Said and happened by stage, beside the CRM's mean probability of today's open deals."""
    if found.by_stage.empty:
        return pd.DataFrame()
    now = (
        book.deals.filter("status = 'open'")
        .aggregate("stage_name, min(stage_order) AS stage_order, avg(probability) AS crm_share", "stage_name")
        .df()
    )
    table = found.by_stage.assign(model_share=found.by_stage[f"p_{found.rung}"]).merge(
        now, on="stage_name", how="left"
    )
    return table.sort_values(["stage_order", "stage_name"], ignore_index=True)[
        ["stage_name", "model_share", "share", "crm_share", "n"]
    ]
