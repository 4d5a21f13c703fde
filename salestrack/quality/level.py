"""What a finding about the data is worth: nothing, a warning, an error."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

Level = Literal["ok", "warn", "fail"]
LEVELS: tuple[Level, ...] = ("ok", "warn", "fail")


def level_of(levels: Iterable[str]) -> Level:
    """The worst of some levels; ok if there are none.

    >>> level_of(["ok", "warn", "ok"]), level_of([])
    ('warn', 'ok')
    """
    found = set(levels)
    return next((level for level in reversed(LEVELS) if level in found), "ok")
