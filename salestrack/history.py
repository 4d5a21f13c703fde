"""The history of deals on plain arrays, one element per row: what was known since when, spans, stays in stages.

Deals, stages and reps are whole numbers from 0, times are microseconds and days are days since 1970, amounts are
ten-thousandths. Rows are ordered by deal and time, so that every step is one pass over them: windows in SQL take
ten times as long.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # of whole numbers, of whatever width
Flags = NDArray[np.bool_]

NONE = -1
"""No stage, no rep, and no status: NULL."""
OPEN, WON, LOST, DELETED = 1, 2, 3, 4
NO_TIME = np.iinfo(np.int64).min
"""NULL as a time; NumPy's NaT is the same number."""
NO_DAY = np.iinfo(np.int32).min
NO_AMOUNT = np.iinfo(np.int64).min
BLANK = NO_AMOUNT + 1
"""An amount set back to "unknown": unlike NO_AMOUNT it is news."""
DAY = 86_400_000_000


@dataclass(frozen=True)
class Events:
    """What became known about deals, one row per deal and source; what a source does not tell is missing."""

    deal: Array
    since: Array
    stage: Array
    status: Array
    amount: Array
    close: Array
    rep: Array
    by_field: Flags

    def __len__(self) -> int:
        return len(self.deal)

    def at(self, rows: NDArray[np.int64] | Flags | slice) -> Events:
        """Some of the rows."""
        return Events(*(getattr(self, f.name)[rows] for f in fields(self)))


def events(deal: Array, since: Array, **known: Array) -> Events:
    """Events of one source, with everything missing that is not given.

    >>> events(np.array([0]), np.array([5]), status=np.array([OPEN])).stage
    array([-1], dtype=int32)
    """
    n = len(deal)
    missing: dict[str, Any] = {
        "stage": np.full(n, NONE, np.int32),
        "status": np.full(n, NONE, np.int8),
        "amount": np.full(n, NO_AMOUNT, np.int64),
        "close": np.full(n, NO_DAY, np.int32),
        "rep": np.full(n, NONE, np.int32),
        "by_field": np.zeros(n, np.bool_),
    }
    return Events(deal, since, **(missing | known))


def joined(parts: list[Events]) -> Events:
    """All events in the order of deal and time; of one moment, those of a later source come later."""
    whole = Events(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Events)))
    return whole.at(ordered(whole.since, whole.deal))


def ordered(*keys: Array) -> NDArray[np.int64] | slice:
    """Where the rows stand in the order of the last key, then the one before it, and so on.

    All of them as they are (a slice, which copies nothing) where they are in order already.

    >>> ordered(np.array([2, 1, 3]), np.array([1, 1, 0]))
    array([2, 1, 0])
    """
    if _is_ordered(keys):
        return slice(None)
    return np.lexsort(keys)


def _is_ordered(keys: tuple[Array, ...]) -> bool:
    same = np.ones(max(len(keys[-1]) - 1, 0), np.bool_)
    for key in reversed(keys):
        if np.any(same & (key[1:] < key[:-1])):
            return False
        same &= key[1:] == key[:-1]
    return True


def starts(*keys: Array) -> Flags:
    """Whether a row begins a new run of equal keys.

    >>> starts(np.array([1, 1, 2])).tolist()
    [True, False, True]
    """
    first = np.ones(len(keys[0]), np.bool_)
    first[1:] = False
    for key in keys:
        first[1:] |= key[1:] != key[:-1]
    return first


def carried(values: Array, known: Flags, first: Flags) -> Array:
    """Every missing value replaced by the last known one of its deal.

    >>> carried(np.array([7, 0, 0, 8]), np.array([True, False, False, True]), np.array([True, False, True, False]))
    array([7, 7, 0, 8])
    """
    return values[_last(known, first)]


def _last(marked: Flags, first: Flags) -> NDArray[np.int64]:
    """Per row the last marked row so far; where there is none in the deal, the deal's first."""
    at = np.where(marked | first, np.arange(len(first), dtype=np.int32), np.int32(0))
    return np.maximum.accumulate(at)


def before(values: Array, first: Flags, missing: int) -> Array:
    """The value of the row before in the same deal.

    >>> before(np.array([1, 2, 3]), np.array([True, False, True]), NONE)
    array([-1,  1, -1])
    """
    shifted = np.empty_like(values)
    shifted[1:] = values[:-1]
    shifted[first] = missing
    return shifted


def after(values: Array, first: Flags, missing: int) -> Array:
    """The value of the row after in the same deal.

    >>> after(np.array([1, 2, 3]), np.array([True, False, True]), NONE)
    array([ 2, -1, -1])
    """
    shifted = np.full_like(values, missing)
    shifted[:-1] = np.where(first[1:], missing, values[1:])
    return shifted


def states(told: Events) -> Events:
    """One row per deal and moment with everything known by then, from ordered events."""
    first = starts(told.deal)
    last = np.append(starts(told.deal, told.since)[1:], True) if len(told) else np.zeros(0, np.bool_)
    moment = np.flatnonzero(last)
    by_field = np.zeros(len(moment), np.bool_)
    by_field[np.searchsorted(moment, np.flatnonzero(told.by_field))] = True
    amount = carried(told.amount, told.amount != NO_AMOUNT, first)[last]
    return Events(
        told.deal[last],
        told.since[last],
        carried(told.stage, told.stage != NONE, first)[last],
        carried(told.status, told.status != NONE, first)[last],
        np.where(amount == BLANK, NO_AMOUNT, amount),
        carried(told.close, told.close != NO_DAY, first)[last],
        carried(told.rep, told.rep != NONE, first)[last],
        by_field,
    )


def pushes(known: Events) -> tuple[NDArray[np.int64], Array]:
    """Moves of the expected close to a later calendar month while a deal is open: state that holds, and time.

    Of edits within 24 hours the last counts, so a move is a push only once it has stood for 24 hours: before
    that, nobody could know.
    """
    first = starts(known.deal)
    old = before(known.close, first, NO_DAY)
    was_open = (known.status == OPEN) & (before(known.status, first, NONE) == OPEN)
    moved = np.flatnonzero((known.close != old) & (known.close != NO_DAY) & (old != NO_DAY) & was_open)
    deal, since = known.deal[moved], known.since[moved]
    stood = np.ones(len(moved), np.bool_)
    stood[:-1] = (deal[1:] != deal[:-1]) | (since[1:] > since[:-1] + DAY)
    moved, deal, since = moved[stood], deal[stood], since[stood]
    begun = known.close[_last(np.zeros(len(known), np.bool_), first)[moved]]
    last = before(known.close[moved], starts(deal), NO_DAY)
    base = np.where(last == NO_DAY, begun, last)
    later = (base != NO_DAY) & (_month(known.close[moved]) > _month(base))
    since = since[later] + DAY
    held = _state_at(known, moved[later], since)
    still_open = known.status[held] == OPEN
    return held[still_open], since[still_open]


def _month(days: Array) -> Array:
    return days.astype("M8[D]").astype("M8[M]").astype(np.int64)


def _state_at(known: Events, row: NDArray[np.int64], time: Array) -> NDArray[np.int64]:
    """The last state of the row's deal that began by `time`, from the row on."""
    row = row.copy()
    ahead = np.arange(len(row))
    while len(ahead):
        following = row[ahead] + 1
        ahead, following = ahead[following < len(known)], following[following < len(known)]
        goes = (known.deal[following] == known.deal[row[ahead]]) & (known.since[following] <= time[ahead])
        ahead = ahead[goes]
        row[ahead] += 1
    return row


@dataclass(frozen=True)
class Entries:
    """What the entries into stages tell about each other, in the order of the entries given."""

    seq: Array
    came_from: Array
    exited: Array
    backward: Array


def entries(deal: Array, since: Array, stage: Array, place: Array) -> Entries:
    """Number, stage before, time of the next entry and whether it went back (NONE: unknown), from ordered rows."""
    first = starts(deal)
    old, new = before(place[stage], first, NO_DAY), place[stage]
    known = (old != NO_DAY) & (new != NO_DAY)
    return Entries(
        _counted(np.ones(len(deal), np.bool_), first),
        before(stage, first, NONE),
        after(since, first, NO_TIME),
        np.where(known, new < old, NONE).astype(np.int8),
    )


def first_known(n: int, deal: Array, values: Array, missing: int) -> Array:
    """The first value of each of `n` deals that is not missing, from rows in order.

    >>> first_known(3, np.array([0, 0, 2]), np.array([-1, 5, 6]), -1)
    array([ 5, -1,  6])
    """
    found = np.full(n, missing, values.dtype)
    told = np.flatnonzero(values != missing)[::-1]
    found[deal[told]] = values[told]
    return found


@dataclass(frozen=True)
class Versions:
    """One row per deal and span in which its state did not change; the arrays of `Events` and more."""

    deal: Array
    since: Array
    until: Array
    stage: Array
    status: Array
    amount: Array
    close: Array
    rep: Array
    credit: Array
    closed_at: Array
    by_field: Flags
    pushes: Array
    reopened: Array


def versions(known: Events) -> Versions:
    """The spans of time between two changes of a deal's state, a push being a change."""
    held, time = pushes(known)
    row = np.concatenate([np.arange(len(known)), held])
    order = np.argsort(row, kind="stable")
    row, pushed = row[order], order >= len(known)
    run = known.at(row)
    since = run.since
    since[pushed] = time
    first = starts(run.deal)
    was = before(run.status, first, NONE)
    turn = _last(run.status != was, first)
    closed = (run.status == WON) | (run.status == LOST)
    again = (run.status == OPEN) & ((was == WON) | (was == LOST))
    return Versions(
        run.deal,
        since,
        after(since, first, NO_TIME),
        run.stage,
        run.status,
        run.amount,
        run.close,
        run.rep,
        np.where(closed, run.rep[turn], run.rep),
        np.where(closed, since[turn], NO_TIME),
        run.by_field[turn],
        _counted(pushed, first),
        _counted(again, first),
    )


def _counted(marked: Flags, first: Flags) -> Array:
    """How many rows of the deal were marked so far.

    >>> _counted(np.array([True, False, True]), np.array([True, False, True])).tolist()
    [1, 1, 1]
    """
    total = np.cumsum(marked, dtype=np.int32)
    begun = (total - marked)[_last(np.zeros(len(first), np.bool_), first)] if len(first) else total
    return total - begun


@dataclass(frozen=True)
class Spells:
    """One row per stay of a deal in an open stage."""

    deal: Array
    seq: Array
    stage: Array
    entered: Array
    left: Array
    exit: Array
    is_first: Flags
    forward_at: Array
    won_at: Array
    lost_at: Array


EXITS = ("forward", "backward", "won", "lost", "deleted", "transferred")
HIGHEST = 1_000_000
"""Place of a won deal: behind every stage."""


def spells(known: Events, place: Array, pipeline: Array) -> Spells:
    """The stays in open stages; `place` and `pipeline` are those of each stage by its number, NO_DAY for NULL."""
    place, pipeline = (
        np.append(place, NO_DAY),
        np.append(pipeline, NO_DAY),
    )  # NONE, that is -1, finds the last
    was_in = before(known.stage, starts(known.deal), NONE)
    was = before(known.status, starts(known.deal), NONE)
    run = known.at((known.stage != was_in) | (known.status != was))
    first = starts(run.deal)
    at = np.where(run.status == OPEN, place[run.stage], np.where(run.status == WON, HIGHEST, NO_DAY))
    stay = np.flatnonzero((run.status == OPEN) & (run.stage != NONE))
    left = after(run.since, first, NO_TIME)[stay]
    return Spells(
        run.deal[stay],
        _counted(np.ones(len(stay), np.bool_), starts(run.deal[stay])),
        run.stage[stay],
        run.since[stay],
        left,
        np.where(left == NO_TIME, NONE, _exits(run, first, at, pipeline)[stay]).astype(np.int8),
        _first_entries(run.deal[stay], run.stage[stay]),
        _first_ahead(run, at, stay),
        _next_time(run, WON)[stay],
        _next_time(run, LOST)[stay],
    )


def _exits(run: Events, first: Flags, place: Array, pipeline: Array) -> Array:
    """Number of the exit in EXITS, from what comes after."""
    status, stage = after(run.status, first, NONE), after(run.stage, first, NONE)
    further = after(place, first, NO_DAY)
    forward = (further > place) & (place != NO_DAY)
    other = pipeline[stage] != pipeline[run.stage]
    return np.select(
        [status == WON, status == LOST, status == DELETED, other, forward], [2, 3, 4, 5, 0], default=1
    )


def _first_entries(deal: Array, stage: Array) -> Flags:
    order = np.lexsort((stage, deal))
    first = np.empty(len(deal), np.bool_)
    first[order] = starts(deal[order], stage[order])
    return first


def _next_time(run: Events, status: int) -> Array:
    """The first later time at which the deal had a status."""
    n = len(run)
    at = np.where(run.status == status, np.arange(n), n)
    following = np.append(np.minimum.accumulate(at[::-1])[::-1][1:], n)[:n]
    found = following < n
    found[found] = run.deal[following[found]] == run.deal[found]
    return np.where(found, run.since[np.minimum(following, n - 1)], NO_TIME) if n else run.since


def _first_ahead(run: Events, place: Array, rows: NDArray[np.int64]) -> Array:
    """The first later time at which the deal was further than in each of the rows."""
    times = np.full(len(rows), NO_TIME)
    left, step = np.flatnonzero(place[rows] != NO_DAY), 1
    while len(left):
        left = left[rows[left] + step < len(run)]
        ahead = rows[left] + step
        same = run.deal[ahead] == run.deal[rows[left]]
        left, ahead = left[same], ahead[same]
        further = place[ahead] > place[rows[left]]
        times[left[further]] = run.since[ahead[further]]
        left, step = left[~further], step + 1
    return times
