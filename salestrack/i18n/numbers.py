"""Amounts, shares, durations and counts as text."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from babel.numbers import format_decimal, get_currency_symbol

from salestrack.i18n.style import Style, Writer

if TYPE_CHECKING:
    from salestrack.i18n.texts import Language
    from salestrack.i18n.words import Words

MINUS, NBSP = "−", "\u00a0"
FULL_MONEY_BELOW = 10_000
COMPACT_STEPS = ((1e9, "billion"), (1e6, "million"), (1e3, "thousand"))


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


def _suffix(words: Words, style: Style, unit: str, amount: object) -> Callable[[str], str]:
    one = abs(float(cast(Any, amount))) == 1 and style.places(0) == 0
    name = words.text(f"unit_{unit}_one" if one else f"unit_{unit}")
    return lambda body: body if style.bare else f"{body}{NBSP}{name}"


def money(words: Words, value: object, style: Style) -> str:
    """`€3,512,345`, compact `€3.5M`."""
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


def share(words: Words, value: object, style: Style) -> str:
    """`52.3%`."""
    gap = NBSP if words.language == "de" else ""
    percent = Decimal(str(value)) * 100
    sign = "" if style.bare else gap + "%"
    return _number(words, percent, style.places(1), style.signed, lambda body: body + sign)


def change(words: Words, value: object, style: Style) -> str:
    """A share with its sign: `+4.2%`."""
    return share(words, value, Style(style.digits, True))


def difference(words: Words, value: object, style: Style) -> str:
    """Of two shares: `1.5 percentage points`."""
    points = Decimal(str(value)) * 100
    return _number(words, points, style.places(1), style.signed, _suffix(words, style, "difference", points))


def duration(unit: str) -> Writer:
    """What writes spans of a unit: `3 days`, `1 day`, one decimal below 10."""

    def write(words: Words, value: object, style: Style) -> str:
        amount = float(cast(Any, value))
        digits = style.places(0 if abs(amount) >= 10 or amount == int(amount) else 1)
        wrap = _suffix(words, Style(digits, bare=style.bare), unit, value)
        return _number(words, value, digits, style.signed, wrap)

    return write


def plain(default: int, sign: str = "") -> Writer:
    """What writes numbers with a fixed count of decimals."""

    def write(words: Words, value: object, style: Style) -> str:
        return _number(words, value, style.places(default), style.signed, lambda body: body + sign)

    return write


def decimal(words: Words, value: object, style: Style) -> str:
    """A bare number with about three figures."""
    size = abs(float(cast(Any, value)))
    return _number(words, value, style.places(0 if size >= 1000 else 1 if size >= 10 else 2), style.signed)
