"""What moves the probability of the average deal, one field at a time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from salestrack.models.additive import sigmoid
from salestrack.stories.win_probability.field_words import LEAST_EFFECT, value_in_words

if TYPE_CHECKING:
    from salestrack.charts import Chart
    from salestrack.i18n import Words
    from salestrack.markup import Html
    from salestrack.models import WinProbability
    from salestrack.page import Page

EFFECTS = {
    "en": "What moves the probability of the average deal, one field at a time",
    "de": "Was die Wahrscheinlichkeit des mittleren Deals verschiebt, je Merkmal für sich",
}
EFFECTS_NOTE = {
    "en": "Groups against the average deal; for numbers the step of one standard deviation that the label "
    "names. These are "
    "associations, not levers.",
    "de": "Gruppen gegenüber dem mittleren Deal; bei Zahlen der genannte Schritt um eine Standardabweichung. "
    "Das sind "
    "Zusammenhänge, keine Hebel.",
}


def effects(found: WinProbability, words: Words) -> pd.DataFrame:
    """Effects of half a point and more on the average deal's probability; none of the base rate.

    Formula: p(start + effect) - p(start).

    Returns
    -------
    `effect` (in words) and `effect_on_probability` (-1 to 1).
    """
    start = found.model.start
    rows = [
        (
            _effect_name(row, words),
            float(sigmoid(np.array([start + row["log_odds"]]))[0] - sigmoid(np.array([start]))[0]),
        )
        for _, row in found.coefficients.iterrows()
    ]
    table = pd.DataFrame(rows, columns=["effect", "effect_on_probability"]).astype(
        {"effect_on_probability": float}
    )
    return table[table["effect_on_probability"].abs() >= LEAST_EFFECT].reset_index(drop=True)


def explained(page: Page, found: WinProbability) -> Chart | Html:
    """The chart of the `effects`; one sentence where no field has one."""
    table = effects(found, page.words)
    if table.empty:
        return page.text(
            en="No field has a proven effect, so nothing speaks for one deal more than for another.",
            de="Kein Merkmal hat eine belegte Wirkung; für keinen Deal spricht mehr als für andere.",
        )
    return page.bars(table, x="effect_on_probability", y="effect", title=EFFECTS, note=EFFECTS_NOTE)


def _effect_name(row: pd.Series[Any], words: Words) -> str:
    field = str(row["field"])
    if not math.isnan(float(row["scale"])):
        middle, more = (
            value_in_words(field, math.expm1(row["mean"] + step), words) for step in (0.0, row["scale"])
        )
        return f"{words.value('field', field)}: {more} {_INSTEAD[words.language]} {middle}"
    return f"{words.value('field', field)}: {value_in_words(field, row['level'], words)}"


_INSTEAD = {"en": "instead of", "de": "statt"}
