"""Values, labels and sentences in the words of a language, with the company's currency and fiscal calendar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from salestrack.errors import InputError
from salestrack.i18n.cleaning import UNKNOWN, clean, is_unknown
from salestrack.i18n.columns import find_card
from salestrack.i18n.numbers import get_symbol
from salestrack.i18n.style import Style
from salestrack.i18n.texts import LANGUAGES, Language, messages
from salestrack.i18n.units import FORMATS


def fmt(
    value: object,
    unit: str,
    language: Language = "en",
    currency: str = "EUR",
    *,
    digits: int | None = None,
    signed: bool = False,
    compact: bool = False,
    bare: bool = False,
    fiscal_year_start: int = 1,
) -> str:
    """One value as text in a language.

    Parameters
    ----------
    unit : `money`, `share` (0 to 1), `change` (a share with its sign), `difference` (of two shares, in
        percentage points), `days`, `hours`, `months`, `count`, `points`, `ratio`, `score`, `number`, `cents`,
        `date`, `day`, `week`, `month`, `quarter`, `year`, `flag` or `text`
    digits : decimal places; each unit has its own default
    signed : write a plus sign too
    compact : money as `€3.5M` / `3,5 Mio. €`
    bare : leave out the unit (%, days, hours, months, percentage points) where a header or axis says it

    Returns
    -------
    The text; `–` for None, NaN, NaT and infinities. Minus is U+2212; spaces inside a figure do not break.

    Examples
    --------
    >>> fmt(3_512_345, "money", "en", compact=True), fmt(-0.0213, "share", "en"), fmt(float("nan"), "money")
    ('€3.5M', '−2.1%', '–')
    """
    if unit not in FORMATS:
        raise InputError.unknown_name("unit", unit, FORMATS)
    if is_unknown(value):
        return UNKNOWN
    words = Words(language, currency, fiscal_year_start)
    return FORMATS[unit](words, value, Style(digits, signed, compact, bare))


@dataclass(frozen=True)
class Words:
    """A language with the company's currency and fiscal calendar: all that writing a value or label needs."""

    language: Language = "en"
    currency: str = "EUR"
    fiscal_year_start: int = 1

    def __post_init__(self) -> None:
        if self.language not in LANGUAGES:
            raise InputError.unknown_name("language", self.language, LANGUAGES)

    def fmt(self, value: object, unit: str, **style: Any) -> str:
        """`fmt` in this language and currency.

        >>> Words("de").fmt(0.523, "share").replace("\\u00a0", " ")
        '52,3 %'
        """
        return fmt(
            value, unit, self.language, self.currency, fiscal_year_start=self.fiscal_year_start, **style
        )

    def text(self, key: str, **values: object) -> str:
        """A fixed sentence of the catalogue with its blanks filled in.

        >>> Words("de").text("n", n=12).replace("\\u00a0", " ")
        'n = 12'
        """
        texts = messages()["text"]
        if key not in texts:
            raise InputError.unknown_name("text", key, texts)
        return str(texts[key][self.language]).format(**values)

    def label(self, column: str) -> str:
        """What a column is called: from the KPI's card, the catalogue, or the name itself.

        >>> Words("de").label("lead_source"), Words().label("my_own_column")
        ('Leadquelle', 'My own column')
        """
        if entry := messages()["columns"].get(column):
            return str(entry[self.language])
        if card := find_card(column):
            return str(getattr(card, f"label_{self.language}"))
        text = clean(column).replace("_", " ")
        return text[:1].upper() + text[1:]

    def value(self, column: str, raw: object) -> str:
        """A category as words: known values of known columns are translated, all else stays as it is.

        >>> Words("de").value("activity_type", "internal_meeting"), Words("de").value("team", "new")
        ('Internes Treffen', 'new')
        """
        if is_unknown(raw):
            return UNKNOWN
        if column in ("table", "table_name") and str(raw) in messages()["tables"]:
            return str(messages()["tables"][str(raw)][self.language])
        known = messages()["values"]
        entry = known.get(column, {}).get(str(raw)) or known["any"].get(str(raw))
        return str(entry[self.language]) if entry else clean(raw)

    def cell(self, column: str, raw: object, unit: str, **style: Any) -> str:
        """A cell of a table: categories by `value`, everything else by `fmt`."""
        return self.value(column, raw) if unit == "text" else self.fmt(raw, unit, **style)

    def interval(self, low: object, high: object, unit: str, **style: Any) -> str:
        """A 95 % interval, a word of the unit only once; `–` if an end is unknown.

        >>> Words().interval(0.481, 0.559, "share"), Words().interval(3, 5, "days").replace("\\u00a0", " ")
        ('48.1 to 55.9%', '3 to 5 days')
        """
        if is_unknown(low) or is_unknown(high):
            return UNKNOWN
        first = self.fmt(low, unit, **{**style, "bare": True})
        return f"{first} {self.text('to')} {self.fmt(high, unit, **style)}"

    def n(self, count: object) -> str:
        """`n = 1,234`."""
        return self.text("n", n=self.fmt(count, "count"))

    def unit_name(self, unit: str) -> str:
        """The word of a unit for a header or an axis: `days`, `€`; empty where the figure carries it."""
        if unit == "money":
            return get_symbol(self.currency, self.language)
        entry = messages()["units"].get(unit)
        return str(entry[self.language]) if entry else ""
