"""What comes from outside, made fit to be shown: unknown values, control characters, long lines."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Any, cast

import pandas as pd

UNKNOWN = "–"


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
