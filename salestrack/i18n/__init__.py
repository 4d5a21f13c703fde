"""Every word and every number format of the report, in English and German; the words stand in messages.toml.

`fmt` is the one place where a value becomes text: `fmt(0.523, "share", "de")` is `52,3 %`; unknown is `–`.
`Words` carries language, currency and fiscal calendar, so that charts, tables and cards speak alike.
"""

from salestrack.i18n.cleaning import UNKNOWN, clean, is_unknown, printable
from salestrack.i18n.columns import better, estimated, find_card, unit_for, unit_of
from salestrack.i18n.numbers import MINUS, NBSP, get_symbol
from salestrack.i18n.texts import LANGUAGES, Language, messages
from salestrack.i18n.units import FORMATS
from salestrack.i18n.words import Words, fmt
from salestrack.periods import WORDS as PERIODS

__all__ = [
    "FORMATS",
    "LANGUAGES",
    "MINUS",
    "NBSP",
    "PERIODS",
    "UNKNOWN",
    "Language",
    "Words",
    "better",
    "clean",
    "estimated",
    "find_card",
    "fmt",
    "get_symbol",
    "is_unknown",
    "messages",
    "printable",
    "unit_for",
    "unit_of",
]
