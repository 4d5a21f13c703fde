"""The value of a deal's field in words, and the least effect of one that is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from salestrack.i18n import is_unknown

if TYPE_CHECKING:
    from salestrack.i18n import Words

LEAST_EFFECT = 0.005  # of probability: less is not shown
UNITS = {"age_days": "days", "days_in_stage": "days", "amount": "money", "owner_win_rate": "share"}
COLUMNS = {
    "stage": "stage_name",
    "segment": "segment",
    "source": "lead_source",
}  # whose words a field's groups have


def value_in_words(field: str, value: object, words: Words) -> str:
    """A field's value in words."""
    if field in COLUMNS:
        return words.value(COLUMNS[field], value)
    unit = UNITS.get(field, "number")
    if unit == "days":
        return words.fmt(value if is_unknown(value) else round(float(value)), unit)  # type: ignore[arg-type]
    return words.fmt(value, unit, compact=True, **({"digits": 0} if unit == "share" else {}))
