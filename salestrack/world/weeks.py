"""The parts of a week, and the day of the week on which a deal's week is decided (its tick)."""

from __future__ import annotations

import numpy as np

from salestrack.world.parameters import Ints, World

CLOSED_WON = 4
"""The first of the two closed stages; open stages are 0 to 3."""


def spans(stage: Ints, after: Ints, tick: Ints, begin: Ints, last: int) -> list[tuple[Ints, Ints, Ints]]:
    """The parts of a week before and after the tick: stage, first weekday, weekday behind the last one.

    The day of the tick belongs to the part before it; closed deals have no part after it.
    """
    cut = np.minimum(tick, last) + 1
    low = np.minimum(begin, last + 1)
    first_high = np.maximum(np.where(tick < 0, low, cut), low)
    second_low = np.maximum(cut, low)
    second_high = np.where(after < CLOSED_WON, last + 1, second_low)
    return [(stage, low, first_high), (after, second_low, np.maximum(second_high, second_low))]


def weekday(uid: Ints, week: int) -> Ints:
    """The weekday (0 is Monday) on which a deal's week is decided: known in advance, spread evenly.

    >>> weekday(np.array([1, 2, 3]), 5).tolist() == weekday(np.array([1, 2, 3]), 5).tolist()
    True
    """
    turn = np.uint64(week * 0x632BE59BD9B4E019 % 2**64)
    mixed = uid.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + turn
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return ((mixed >> np.uint64(33)) % np.uint64(5)).astype(np.int64)


def quiet_weeks(world: World, week: int) -> int:
    """Whole weeks from a week's Friday to the end of its quarter."""
    friday = np.array([world.monday + 7 * week + 4]).astype("datetime64[D]")
    months = friday.astype("datetime64[M]").astype(int)
    end = ((months // 3 + 1) * 3).astype("datetime64[M]").astype("datetime64[D]").astype(int) - 1
    return int((end - friday.astype(int))[0]) // 7
