"""The open deals one by one: the largest, why they have their probability, those that are too old."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from salestrack.markup import Html
from salestrack.stories.win_probability.field_words import LEAST_EFFECT, value_in_words
from salestrack.stories.win_probability.headings import LABELS

if TYPE_CHECKING:
    from salestrack.i18n import Words
    from salestrack.models import Reason, WinProbability
    from salestrack.page import Page

NOTHING = Html("", "")
MOST = 10  # deals in a table
NAMED = 2  # reasons for and against that a row of the table names


def largest(found: WinProbability, words: Words, most: int = MOST) -> pd.DataFrame:
    """The open deals of the largest amount with stage, age, probability, interval, expected value."""
    rows = _largest(found, most)
    where = [
        f"{words.value('stage_name', stage)}, {value_in_words('age_days', age, words)}"
        for stage, age in zip(rows["stage_name"], rows["age_days"], strict=True)
    ]
    return rows.assign(where=where)[
        ["deal_name", "where", "amount_base", "p_win", "low", "high", "expected_value"]
    ]


def reasons(found: WinProbability, words: Words, most: int = MOST) -> pd.DataFrame:
    """Why the same deals have their probability; no row where no field has an effect."""
    rows = _largest(found, most)
    told = [
        _reasons(up, down, words) for up, down in zip(rows["reasons_up"], rows["reasons_down"], strict=True)
    ]
    table = rows.assign(reasons=told)[["deal_name", "p_win", "reasons"]]
    return table if any(told) else table.head(0)


def explained_deals(page: Page, found: WinProbability) -> Html:
    """The table of the `reasons`; nothing where no field has an effect."""
    table = reasons(found, page.words)
    return NOTHING if table.empty else page.table(table, labels=LABELS)


def _largest(found: WinProbability, most: int) -> pd.DataFrame:
    rows = found.scores.dropna(subset=["amount_base"]).sort_values(
        ["amount_base", "deal_id"], ascending=[False, True]
    )
    return rows.head(most).reset_index(drop=True)


def _reasons(up: Sequence[Reason], down: Sequence[Reason], words: Words) -> str:
    """`Time in stage 1 day (+35), Stage Negotiation (+16); Age 400 days (−4)`."""
    named = [*up[:NAMED], *down[:NAMED]]
    return ", ".join(
        f"{words.value('field', r.field)} {value_in_words(r.field, r.value, words)} "
        f"({words.fmt(r.effect, 'points', signed=True)})"
        for r in named
        if abs(r.effect) >= 100 * LEAST_EFFECT
    )


def too_old(found: WinProbability) -> dict[str, Any]:
    """How many open deals are older than any deal was when it was won."""
    old = found.scores[found.scores["older_than_any_win"].astype(bool)] if len(found.scores) else found.scores
    if old.empty:
        return {
            "en": "No open deal is older than the oldest that was ever won.",
            "de": "Kein offener Deal ist älter als der älteste, der je gewonnen wurde.",
        }
    return {
        "en": "Open deals that are older than any deal was when it was won: {n}, worth {value:money}; "
        "the model still expects {expected:money} of them, which nothing in the past backs.",
        "de": "Offene Deals, die älter sind als jeder Deal, als er gewonnen wurde: {n}, zusammen "
        "{value:money}; "
        "das Modell erwartet davon noch {expected:money}, was die Vergangenheit nicht stützt.",
        "n": len(old),
        "value": float(old["amount_base"].sum()),
        "expected": float(old["expected_value"].sum()),
    }
