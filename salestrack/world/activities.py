"""Task.csv and Event.csv: contact with customers, and the weekly entries of the time sheets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from salestrack.world import labels, writing
from salestrack.world.parameters import WARM_UP, Ints, Random, World, day_number
from salestrack.world.people import Market

CALL, EMAIL, NOTE, ONLINE, VISIT, INTERNAL, ADMIN, TRAVEL, TRAINING, PREPARATION, CALLS, EMAILS = range(12)
MIX = np.array([
    [0.38, 0.38, 0.06, 0.15, 0.03],
    [0.25, 0.30, 0.08, 0.27, 0.10],
    [0.25, 0.35, 0.07, 0.22, 0.11],
    [0.28, 0.32, 0.05, 0.18, 0.17],
])  # fmt: skip
SHORTEST, LONGEST = np.array([4, 6, 5, 30, 60]), np.array([40, 24, 16, 95, 190])
WEEKLY = (
    (INTERNAL, 4.2, 1, 0),
    (CALLS, 10.8, 2, 0),
    (EMAILS, 7.2, 2, 0),
    (ADMIN, 15.4, 2, 1),
    (PREPARATION, 9.4, 2, 1),
    (TRAVEL, 8.0, 2, 1),
    (TRAINING, 7.0, 6, 2),
)
"""Entries of the time sheets: kind, hours since the last one, every how many weeks, in which of them."""
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
    span = LONGEST[kind] - SHORTEST[kind]
    minutes = SHORTEST[kind] + np.floor(span * random.uniform(size) ** 1.4).astype(np.int64)
    minutes = np.where(kind >= ONLINE, minutes // 15 * 15, minutes)
    found = Entries(first + activities["deal"], activities["day"], activities["rep"], kind, minutes)
    return found.take(np.lexsort((found.deal, found.day)))


def time_sheets(world: World, market: Market) -> Entries:
    """What reps enter at the end of a week; nothing in weeks of absence."""
    random, weeks = Random(world, 40), np.arange(WARM_UP, world.weeks)
    friday = np.minimum(world.monday + 7 * weeks + 4, day_number(world.end))
    joined, left = (np.array([getattr(rep, name) for rep in market.reps]) for name in ("joined", "left"))
    there = (joined[:, None] <= friday - 4) & ((left[:, None] < 0) | (left[:, None] >= friday))
    there &= friday >= day_number(world.start)
    month = friday.astype("datetime64[D]").astype("datetime64[M]").astype(int) % 12
    absent = ABSENT * np.where(month == 7, 2.6, np.where(month == 11, 1.7, 0.8))
    rep, week = np.nonzero(there & (random.uniform(*there.shape) > absent))
    share = np.array([r.hours for r in market.reps])[rep] / 38.5
    parts = []
    for kind, hours, every, turn in WEEKLY:
        minutes = hours * 60 * share * (0.75 + 0.5 * random.uniform(len(rep)))
        due = (weeks[week] + rep) % every == turn
        whole = np.floor(minutes / 15 + 0.5).astype(np.int64) * 15
        parts.append((friday[week][due], rep[due], np.full(due.sum(), kind), whole[due]))
    day, who, kinds, length = (np.concatenate(column) for column in zip(*parts, strict=True))
    found = Entries(np.full(len(day), -1), day, who, kinds, length)
    return found.take(np.lexsort((found.kind, found.rep, found.day)))


def write(world: World, found: Entries, counts: tuple[int, int], random: Random, to: Path) -> tuple[int, int]:
    """Add to both files; `counts` are the tasks and events written so far, the result has the new counts."""
    meeting = np.isin(found.kind, (ONLINE, VISIT, INTERNAL))
    tasks, events = found.take(np.flatnonzero(~meeting)), found.take(np.flatnonzero(meeting))
    size, subjects = len(tasks.day), labels.SUBJECTS[world.language]
    call = np.isin(tasks.kind, (CALL, CALLS))
    seconds = tasks.minutes * 60 + np.where(tasks.kind == CALL, random.whole(size, 0, 60), 0)
    cells = {
        "Id": writing.ids("task", counts[0] + np.arange(size)),
        "WhatId": writing.ids("deal", tasks.deal),
        "OwnerId": writing.ids("user", tasks.rep),
        "Subject": writing.text(subjects, np.where(tasks.deal < 0, -1, tasks.kind)),
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
        "Subject": writing.text(subjects, np.where(events.deal < 0, -1, events.kind)),
        "Type": writing.text(labels.TYPES, events.kind),
        "ActivityDateTime": writing.stamps(events.day, hours),
        "DurationInMinutes": writing.number(events.minutes),
    }
    writing.append(to / "Event.csv", cells)
    return counts[0] + size, counts[1] + number
