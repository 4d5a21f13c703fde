"""Task.csv and Event.csv: contact with customers, and the entries of the time sheets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from salestrack.world import labels, writing
from salestrack.world.parameters import WARM_UP, Floats, Ints, Random, World, day_number
from salestrack.world.people import Market, team_of

CALL, EMAIL, NOTE, ONLINE, VISIT, INTERNAL, ADMIN, TRAVEL, TRAINING, PREPARATION = range(10)
MIX = np.array([
    [0.32, 0.32, 0.04, 0.22, 0.10],
    [0.18, 0.23, 0.03, 0.30, 0.26],
    [0.18, 0.26, 0.03, 0.24, 0.29],
    [0.20, 0.22, 0.02, 0.22, 0.34],
])  # fmt: skip
"""Kinds of contact in each stage of a deal."""
CARE = (0.12, 0.08, 0.0, 0.12, 0.68)
"""Kinds of contact with customers who have no deal at hand."""
SHORTEST, LONGEST = np.array([5, 5, 5, 30, 90]), np.array([46, 21, 16, 90, 255])
"""Minutes of a contact, the end not included; meetings are entered in quarters of an hour."""
TIMESHEET = (
    (INTERNAL, 10.2, 2, 0),
    (ADMIN, 16.6, 2, 1),
    (PREPARATION, 10.8, 2, 1),
    (TRAVEL, 11.8, 2, 0),
    (TRAINING, 8.0, 6, 2),
)
"""Entries of the time sheets: kind, hours since the last one, every how many weeks, in which of them."""
SEEN = 1.9
"""Contacts outside deals of a rep in a week, halfway through the recorded time."""
CARE_GROWTH, PAPER_GROWTH = 0.1, -0.1
"""Change from the start to the end: more time with customers, less with paper."""
ABSENT = 0.075


@dataclass
class Entries:
    """Activities as arrays; `deal` is -1 for those that belong to none."""

    deal: Ints
    day: Ints
    rep: Ints
    kind: Ints
    minutes: Ints

    def take(self, which: Ints) -> Entries:
        return Entries(*(column[which] for column in vars(self).values()))


def contacts(activities: dict[str, Ints], first: int, random: Random) -> Entries:
    """The activities of deals, with kind and length."""
    size, stage = len(activities["deal"]), np.clip(activities["stage"], 0, 3)
    kind = (random.uniform(size)[:, None] > np.cumsum(MIX, axis=1)[stage, :4]).sum(axis=1)
    minutes = lengths(kind, random.uniform(size))
    found = Entries(first + activities["deal"], activities["day"], activities["rep"], kind, minutes)
    return found.take(np.lexsort((found.deal, found.day)))


def lengths(kind: Ints, u: Floats) -> Ints:
    """Minutes of single contacts: most calls and e-mails are short.

    >>> lengths(np.array([CALL, EMAIL, VISIT]), np.array([0.0, 0.999, 0.5])).tolist()
    [5, 20, 165]
    """
    meeting = kind >= ONLINE
    span = (LONGEST - SHORTEST)[kind] * np.where(meeting, u, u**1.4)
    minutes: Ints = SHORTEST[kind] + np.floor(span).astype(np.int64)
    return np.where(meeting, minutes // 15 * 15, minutes)


def care(world: World, market: Market) -> Entries:
    """Contacts with customers outside deals; how many varies by team and quarter."""
    random, (rep, week) = Random(world, 41), _present(world, market)
    quarter = (week - WARM_UP) // 13
    team = team_of(market.seat_territory[np.array([r.seat for r in market.reps])])[rep]
    mood = 0.8 + 0.4 * random.uniform(len(labels.TEAMS), int(quarter.max(initial=0)) + 1)
    trend = 1 + CARE_GROWTH * ((week - WARM_UP) / (world.weeks - WARM_UP) - 0.5)
    count = random.poisson(SEEN * trend * mood[team, quarter])
    rep, week = np.repeat(rep, count), np.repeat(week, count)
    day = world.monday + 7 * week + random.whole(len(week), 0, 5)
    kind = random.choice(len(week), CARE)
    found = Entries(np.full(len(day), -1), day, rep, kind, lengths(kind, random.uniform(len(week))))
    found = found.take(np.flatnonzero((day >= day_number(world.start)) & (day <= day_number(world.end))))
    return found.take(np.lexsort((found.kind, found.rep, found.day)))


def _present(world: World, market: Market) -> tuple[Ints, Ints]:
    """Rep and week of all whole weeks of employment without those of absence."""
    random, weeks = Random(world, 40), np.arange(WARM_UP, world.weeks)
    monday = world.monday + 7 * weeks
    joined, left = (np.array([getattr(rep, name) for rep in market.reps]) for name in ("joined", "left"))
    there = (joined[:, None] <= monday) & ((left[:, None] < 0) | (left[:, None] >= monday + 4))
    month = (monday + 4).astype("datetime64[D]").astype("datetime64[M]").astype(int) % 12
    absent = ABSENT * np.where(month == 7, 1.8, np.where(month == 11, 1.7, 0.8))
    rep, week = np.nonzero(there & (random.uniform(*there.shape) > absent))
    return rep, weeks[week]


def time_sheets(world: World, market: Market) -> Entries:
    """What reps enter for the time behind them, each on a weekday of their own; nothing after absence."""
    random, (rep, week) = Random(world, 42), _present(world, market)
    share = np.array([r.hours for r in market.reps])[rep] / 38.5
    trend = 1 + PAPER_GROWTH * ((week - WARM_UP) / (world.weeks - WARM_UP) - 0.5)
    day, parts = world.monday + 7 * week + rep % 5, []
    inside = (day >= day_number(world.start)) & (day <= day_number(world.end))
    for kind, hours, every, turn in TIMESHEET:
        minutes = hours * 60 * share * trend * (0.75 + 0.5 * random.uniform(len(rep)))
        due = ((week + rep) % every == turn) & inside
        whole = np.floor(minutes / 15 + 0.5).astype(np.int64) * 15
        parts.append((day[due], rep[due], np.full(due.sum(), kind), whole[due]))
    on, who, kinds, length = (np.concatenate(column) for column in zip(*parts, strict=True))
    found = Entries(np.full(len(on), -1), on, who, kinds, length)
    return found.take(np.lexsort((found.kind, found.rep, found.day)))


def write(world: World, found: Entries, counts: tuple[int, int], random: Random, to: Path) -> tuple[int, int]:
    """Add to both files; `counts` are the tasks and events written so far, the result has the new counts.

    Subjects are free text in a CRM and stay empty: the kind says it all.
    """
    meeting = np.isin(found.kind, (ONLINE, VISIT, INTERNAL))
    tasks, events = found.take(np.flatnonzero(~meeting)), found.take(np.flatnonzero(meeting))
    size = len(tasks.day)
    call = tasks.kind == CALL
    seconds = tasks.minutes * 60 + np.where(call, random.whole(size, 0, 60), 0)
    cells = {
        "Id": writing.ids("task", counts[0] + np.arange(size)),
        "WhatId": writing.ids("deal", tasks.deal),
        "OwnerId": writing.ids("user", tasks.rep),
        "Subject": writing.always("", size),
        "Type": writing.text(labels.TYPES, tasks.kind),
        "Status": writing.always("Completed", size),
        "ActivityDate": writing.dates(tasks.day),
        "CallDurationInSeconds": writing.number(np.where(call, seconds, -1)),
        "Minutes__c": writing.number(np.where(call, -1, tasks.minutes)),
    }
    writing.append(to / "Task.csv", cells)
    number = len(events.day)
    hours = random.whole(number, 7 * 4, 14 * 4) * 900
    cells = {
        "Id": writing.ids("event", counts[1] + np.arange(number)),
        "WhatId": writing.ids("deal", events.deal),
        "OwnerId": writing.ids("user", events.rep),
        "Subject": writing.always("", number),
        "Type": writing.text(labels.TYPES, events.kind),
        "ActivityDateTime": writing.stamps(events.day, hours),
        "DurationInMinutes": writing.number(events.minutes),
    }
    writing.append(to / "Event.csv", cells)
    return counts[0] + size, counts[1] + number
