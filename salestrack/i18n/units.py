"""The units that a value can have, each with what writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from salestrack.i18n.calendar import day, month, quarter, week, year
from salestrack.i18n.cleaning import clean
from salestrack.i18n.numbers import change, decimal, difference, duration, money, plain, share
from salestrack.i18n.style import Style, Writer

if TYPE_CHECKING:
    from salestrack.i18n.words import Words


def _flag(words: Words, value: object, style: Style) -> str:
    return words.text("yes" if value else "no")


def _text(words: Words, value: object, style: Style) -> str:
    return clean(value)


FORMATS: Mapping[str, Writer] = {
    "money": money,
    "share": share,
    "change": change,
    "difference": difference,
    "days": duration("days"),
    "hours": duration("hours"),
    "months": duration("months"),
    "count": plain(0),
    "points": plain(0),
    "ratio": plain(1, "×"),
    "score": plain(3),
    "number": decimal,
    "cents": plain(2),
    "date": day,
    "day": day,
    "week": week,
    "month": month,
    "quarter": quarter,
    "year": year,
    "flag": _flag,
    "text": _text,
}
