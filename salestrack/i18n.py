"""Every word and every number format of the report, in English and German; the words stand in messages.toml.

`fmt` is the one place where a value becomes text: `fmt(0.523, "share", "de")` is `52,3 %`; unknown is `–`.
`Words` carries language, currency and fiscal calendar, so that charts, tables and cards speak alike.
"""

from __future__ import annotations

import math
import re
import tomllib
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import Any, Literal, cast

import pandas as pd
from babel.dates import format_date
from babel.numbers import format_decimal, get_currency_symbol

from salestrack.errors import InputError, SalestrackError

Language = Literal["en", "de"]
LANGUAGES: tuple[Language, ...] = ("en", "de")
UNKNOWN, MINUS, NBSP = "–", "−", "\u00a0"
PERIODS = ("day", "week", "month", "quarter", "year")
FULL_MONEY_BELOW = 10_000
COMPACT_STEPS = ((1e9, "billion"), (1e6, "million"), (1e3, "thousand"))


@cache
def messages() -> Mapping[str, Any]:
    """The catalogue messages.toml: sections of keys, each key with its text in both languages."""
    return tomllib.loads((files("salestrack") / "messages.toml").read_text(encoding="utf-8"))


def is_unknown(value: object) -> bool:
    """True for None, NaN, NaT, NA and infinities: whatever must be shown as `–`.

    >>> [is_unknown(v) for v in (None, float("nan"), float("inf"), 0, "")]
    [True, True, True, False, False]
    """
    if value is None or value is pd.NaT or value is pd.NA:
        return True
    try:
        return not math.isfinite(cast(Any, value))
    except (TypeError, ValueError, OverflowError):
        return False


def printable(text: object) -> str:
    """Text without control characters (XML forbids them) and direction marks (they turn their neighbours).

    >>> printable(" a\\tb\\u202ec ")
    ' a bc '
    """
    spaced = (" " if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} else c for c in str(text))
    return "".join(c for c in spaced if not ("\u202a" <= c <= "\u202e" or "\u2066" <= c <= "\u2069"))


def clean(text: object, most: int | None = None) -> str:
    """Text from outside on one line, `printable`, cut to `most` characters with an ellipsis.

    >>> clean("Ada\\x00\\n Ltd")
    'Ada Ltd'
    >>> clean("Donaudampfschifffahrt", most=10)
    'Donaudamp…'
    """
    line = re.sub(" +", " ", printable(text)).strip(" ")
    return line if most is None or len(line) <= most else line[: most - 1].rstrip() + "…"


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
        percentage points), `days`, `hours`, `months`, `count`, `points`, `ratio`, `score`, `number`,
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
    return FORMATS[unit](words, value, _Style(digits, signed, compact, bare))


@dataclass(frozen=True)
class _Style:
    digits: int | None = None
    signed: bool = False
    compact: bool = False
    bare: bool = False

    def places(self, default: int) -> int:
        return default if self.digits is None else self.digits


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

        >>> Words("de").fmt(0.523, "share").replace(NBSP, " ")
        '52,3 %'
        """
        return fmt(
            value, unit, self.language, self.currency, fiscal_year_start=self.fiscal_year_start, **style
        )

    def text(self, key: str, **values: object) -> str:
        """A fixed sentence of the catalogue with its blanks filled in.

        >>> Words("de").text("n", n=12).replace(NBSP, " ")
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

        >>> Words().interval(0.481, 0.559, "share"), Words().interval(3, 5, "days").replace(NBSP, " ")
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


def unit_of(column: str) -> str:
    """The unit of a column from the catalogue, the KPI's card or its name's ending; empty if none knows it.

    >>> unit_of("month"), unit_of("won"), unit_of("amount_base")
    ('month', 'count', 'money')
    """
    if (entry := messages()["columns"].get(column)) and "unit" in entry:
        return str(entry["unit"])
    if card := find_card(column):
        return "change" if column in messages()["meaning"]["signed"] else str(card.unit)
    return next((unit for end, unit in messages()["endings"].items() if column.endswith(end)), "")


def better(column: str) -> Literal["higher", "lower", "neither"]:
    """Which direction of a KPI is good news.

    >>> better("win_rate"), better("sales_cycle")
    ('higher', 'lower')
    """
    meaning = messages()["meaning"]
    return "lower" if column in meaning["lower"] else "neither" if column in meaning["neither"] else "higher"


def estimated(column: str | None) -> bool:
    """False for a KPI that counts everything there is, so that few cases do not make it uncertain.

    >>> estimated("win_rate"), estimated("bookings")
    (True, False)
    """
    return column not in messages()["meaning"]["exact"]


@cache
def find_card(name: str) -> Any | None:
    """The card of the KPI with this name, None if there is no such KPI."""
    try:
        return import_module("salestrack.kpis").CARDS.get(name)
    except (ImportError, SalestrackError):
        return None


@cache
def get_symbol(currency: str, language: Language) -> str:
    """The sign of a currency, its code where there is none.

    >>> get_symbol("EUR", "de"), get_symbol("CHF", "en")
    ('€', 'CHF')
    """
    return str(get_currency_symbol(currency, language))


def _number(words: Words, value: object, digits: int, signed: bool, wrap: Callable[[str], str] = str) -> str:
    """The rounded number with its sign in front of everything that `wrap` adds."""
    exact = Decimal(str(value)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    pattern = "#,##0" + ("." + "0" * digits if digits else "")
    body = wrap(str(format_decimal(abs(exact), format=pattern, locale=words.language)))
    sign = MINUS if exact < 0 else "" if not signed else "+" if exact > 0 else "±"
    return sign + body


def _suffix(words: Words, style: _Style, unit: str, amount: object) -> Callable[[str], str]:
    one = abs(float(cast(Any, amount))) == 1 and style.places(0) == 0
    name = words.text(f"unit_{unit}_one" if one else f"unit_{unit}")
    return lambda body: body if style.bare else f"{body}{NBSP}{name}"


def _money(words: Words, value: object, style: _Style) -> str:
    amount = float(cast(Any, value))
    symbol = get_symbol(words.currency, words.language)
    size, short = _compact_step(abs(amount), words) if style.compact else (1.0, "")
    digits = style.places(1 if size > 1e3 and abs(amount) / size < 99.95 else 0)

    def wrap(body: str) -> str:
        if words.language == "de":
            return f"{body}{NBSP + short if short else ''}{NBSP}{symbol}"
        return f"{symbol}{NBSP if symbol[-1:].isalpha() else ''}{body}{short}"

    exact = value if size == 1.0 else amount / size
    return _number(words, exact, digits, style.signed, wrap)


def _compact_step(amount: float, words: Words) -> tuple[float, str]:
    if amount < FULL_MONEY_BELOW - 0.5:
        return 1.0, ""
    size, name = next((s, n) for s, n in COMPACT_STEPS if amount >= s * 0.9995)
    return size, words.text(f"short_{name}")


def _share(words: Words, value: object, style: _Style) -> str:
    gap = NBSP if words.language == "de" else ""
    percent = Decimal(str(value)) * 100
    sign = "" if style.bare else gap + "%"
    return _number(words, percent, style.places(1), style.signed, lambda body: body + sign)


def _change(words: Words, value: object, style: _Style) -> str:
    return _share(words, value, _Style(style.digits, True))


def _difference(words: Words, value: object, style: _Style) -> str:
    points = Decimal(str(value)) * 100
    return _number(words, points, style.places(1), style.signed, _suffix(words, style, "difference", points))


def _duration(unit: str) -> Callable[[Words, object, _Style], str]:
    def write(words: Words, value: object, style: _Style) -> str:
        amount = float(cast(Any, value))
        digits = style.places(0 if abs(amount) >= 10 or amount == int(amount) else 1)
        wrap = _suffix(words, _Style(digits, bare=style.bare), unit, value)
        return _number(words, value, digits, style.signed, wrap)

    return write


def _plain(default: int, sign: str = "") -> Callable[[Words, object, _Style], str]:
    def write(words: Words, value: object, style: _Style) -> str:
        return _number(words, value, style.places(default), style.signed, lambda body: body + sign)

    return write


def _decimal(words: Words, value: object, style: _Style) -> str:
    """A bare number with about three figures."""
    size = abs(float(cast(Any, value)))
    return _number(words, value, style.places(0 if size >= 1000 else 1 if size >= 10 else 2), style.signed)


def _day(value: object) -> date:
    stamp = pd.Timestamp(cast(Any, value))
    return date(stamp.year, stamp.month, stamp.day)


def _date(words: Words, value: object, style: _Style) -> str:
    return str(format_date(_day(value), "dd.MM.y" if words.language == "de" else "d MMM y", words.language))


def _month(words: Words, value: object, style: _Style) -> str:
    return str(format_date(_day(value), "MMM y" if style.compact else "MMMM y", words.language))


def _quarter(words: Words, value: object, style: _Style) -> str:
    year, month = _fiscal(words, _day(value))
    return f"Q{month // 3 + 1}{NBSP}{_year_name(words, year)}"


def _year(words: Words, value: object, style: _Style) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return _year_name(words, value)
    return _year_name(words, _fiscal(words, _day(value))[0])


def _week(words: Words, value: object, style: _Style) -> str:
    year, week, _ = _day(value).isocalendar()
    return words.text("week", week=week, year=year)


def _fiscal(words: Words, day: date) -> tuple[int, int]:
    """The fiscal year (numbered after the calendar year in which it ends) and the months since its start."""
    offset = words.fiscal_year_start - 1
    year, month = divmod(day.year * 12 + day.month - 1 - offset, 12)
    return year + (offset > 0), month


def _year_name(words: Words, year: int) -> str:
    return str(year) if words.fiscal_year_start == 1 else words.text("fiscal_year", year=year)


def _flag(words: Words, value: object, style: _Style) -> str:
    return words.text("yes" if value else "no")


def _text(words: Words, value: object, style: _Style) -> str:
    return clean(value)


FORMATS: Mapping[str, Callable[[Words, object, _Style], str]] = {
    "money": _money,
    "share": _share,
    "change": _change,
    "difference": _difference,
    "days": _duration("days"),
    "hours": _duration("hours"),
    "months": _duration("months"),
    "count": _plain(0),
    "points": _plain(0),
    "ratio": _plain(1, "×"),
    "score": _plain(3),
    "number": _decimal,
    "date": _date,
    "day": _date,
    "week": _week,
    "month": _month,
    "quarter": _quarter,
    "year": _year,
    "flag": _flag,
    "text": _text,
}


def unit_for(column: str, values: pd.Series, given: Mapping[str, str] | None = None) -> str:
    """The unit of a table's column: the one given, else the known one, else guessed from the values' type.

    >>> unit_for("x", pd.Series(["a"])), unit_for("x", pd.Series([1])), unit_for("x", pd.Series([0.5]))
    ('text', 'count', 'number')
    """
    if given and column in given:
        return given[column]
    known = unit_of(column)
    kind = values.dtype.kind if hasattr(values.dtype, "kind") else "O"
    if (
        known in PERIODS
        and kind in "OUiuf"
        and not values.map(lambda v: isinstance(v, date | datetime)).all()
    ):
        return "text" if kind not in "iuf" else "count"
    if known and (known == "text" or kind != "O" or known in PERIODS or _numeric(values)):
        return known
    return {"i": "count", "u": "count", "f": "number", "M": "date", "b": "flag"}.get(
        kind, "number" if _numeric(values) else "text"
    )


def _numeric(values: pd.Series) -> bool:
    known = [v for v in values if not is_unknown(v)]
    return bool(known) and all(
        isinstance(v, int | float | Decimal) and not isinstance(v, bool) for v in known
    )
