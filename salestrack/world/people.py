"""Who sells and who buys: territories with seats, the reps who sit on them over time, and the accounts.

A seat is a share of a territory. Reps come and go, seats stay: a rep who leaves hands the seat's accounts
and open deals to the colleague on the territory's first seat, later to a successor.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from salestrack.world import labels
from salestrack.world.parameters import WARM_UP, Floats, Ints, Random, World, day_number

ESTABLISHED = 0.4
"""Share of the accounts that are known when the recorded time starts."""
MONTH_WEIGHT = (0.9, 1.0, 1.12, 1.0, 1.02, 1.08, 0.92, 0.78, 1.12, 1.1, 1.1, 0.82)


@dataclass(frozen=True)
class Rep:
    """One sales person; days are day numbers, `left` is the last day or -1."""

    name: str
    seat: int
    joined: int
    left: int
    hours: float


@dataclass(frozen=True)
class Accounts:
    """The accounts as arrays."""

    place: Ints
    segment: Ints
    seat: Ints
    industry: Ints
    effect: Floats
    created: Ints
    customer: Ints
    """1 for those that had bought before the recorded time."""


@dataclass(frozen=True)
class Market:
    """Seats, reps, accounts and the flow of new deals."""

    world: World

    @cached_property
    def seat_territory(self) -> Ints:
        """The territory of each seat, ascending."""
        total = self.world.scale(22, 0.6, least=6)
        shares = np.array(labels.TERRITORY_SHARE) * (total - 6) / sum(labels.TERRITORY_SHARE)
        seats = 1 + np.floor(shares).astype(int)
        for territory in np.argsort(np.floor(shares) - shares, kind="stable")[: total - seats.sum()]:
            seats[territory] += 1
        return np.repeat(np.arange(6), seats)

    @cached_property
    def first_seat(self) -> Ints:
        """For each seat the first seat of its territory, which covers it while it is empty."""
        return np.searchsorted(self.seat_territory, self.seat_territory)

    @cached_property
    def reps(self) -> list[Rep]:
        """Every rep of the recorded time, in the order of the seats, successors after all others."""
        random, world = Random(self.world, 1), self.world
        seats = len(self.seat_territory)
        spare = np.flatnonzero(self.first_seat != np.arange(seats))
        order = spare[np.argsort(random.uniform(len(spare)))]
        new = set(order[: max(1, round(0.14 * seats))].tolist()) if len(spare) > 2 else set()
        leaving = [s for s in order[::-1].tolist() if s not in new][: max(2, round(0.14 * seats))]
        leaving += [s for s in range(seats - 1, -1, -1) if s not in new and s not in leaving][
            : max(0, 2 - len(leaving))
        ]
        span, tenure = world.weeks - WARM_UP, random.whole(seats + len(leaving), 300, 3600)
        change = random.uniform(seats + len(leaving))
        reps = []
        for seat in range(seats):
            joined = world.monday - int(tenure[seat])
            if seat in new:
                joined = self._monday(WARM_UP + int(span * (0.15 + 0.6 * change[seat])))
            left = (
                self._monday(WARM_UP + int(span * (0.2 + 0.55 * change[seat]))) - 1 if seat in leaving else -1
            )
            reps.append(Rep(self._name(seat), seat, joined, left, _hours(self.seat_territory[seat])))
        for i, seat in enumerate(leaving):
            gap = 0 if self.first_seat[seat] == seat else 4 + int(5 * change[seats + i])
            reps.append(Rep(self._name(seats + i), seat, reps[seat].left + 1 + 7 * gap, -1, reps[seat].hours))
        return reps

    def _monday(self, week: int) -> int:
        return self.world.monday + 7 * week

    def _name(self, number: int) -> str:
        first, last = len(labels.FIRST_NAMES), len(labels.LAST_NAMES)
        name = f"{labels.FIRST_NAMES[number % first]} {labels.LAST_NAMES[number % last]}"
        again = number // (first * last)
        return f"{name} {again + 1}" if again else name

    @cached_property
    def occupant(self) -> Ints:
        """The rep who looks after a seat in a week: seats × weeks."""
        weeks = np.arange(self.world.weeks + 1)
        table = np.full((len(self.seat_territory), len(weeks)), -1)
        for number, rep in enumerate(self.reps):
            first = self.world.week_of(rep.joined)
            last = self.world.week_of(rep.left) if rep.left >= 0 else len(weeks)
            table[rep.seat, (weeks >= first) & (weeks <= last)] = number
        cover = table[self.first_seat]
        return np.where(table < 0, cover, table)

    @cached_property
    def skill(self) -> Floats:
        return 0.3 * Random(self.world, 2).normal(len(self.reps))

    @cached_property
    def accounts(self) -> Accounts:
        random, world = Random(self.world, 3), self.world
        size = max(20, round(0.40 * world.deals))
        places = [
            0.0 if p.weight == 0 else p.weight * labels.TERRITORY_SHARE[p.territory] for p in labels.PLACES
        ]
        place = random.choice(size, places)
        territory = np.array([p.territory for p in labels.PLACES])[place]
        low, high = (np.searchsorted(self.seat_territory, territory, side=s) for s in ("left", "right"))
        seat = low + np.floor(random.uniform(size) * (high - low)).astype(np.int64)
        known = round(ESTABLISHED * size)
        created = world.monday - random.whole(size, 10, 2600)
        flow = (np.arange(size) / size - ESTABLISHED) / (1 - ESTABLISHED)
        later = self.days[np.minimum(np.searchsorted(self.flow, flow), len(self.days) - 1)] - random.whole(
            size, 0, 9
        )
        fresh = np.arange(size) >= known
        return Accounts(
            place=place,
            segment=random.choice(size, labels.SEGMENT_SHARE),
            seat=seat,
            industry=random.whole(size, 0, len(labels.INDUSTRIES)),
            effect=0.3 * random.normal(size),
            created=np.where(fresh, later, created),
            customer=(~fresh & (random.uniform(size) < 0.45)).astype(np.int64),
        )

    @cached_property
    def days(self) -> Ints:
        """The working days on which deals are created, from the start to the end."""
        every = np.arange(day_number(self.world.start), day_number(self.world.end) + 1)
        return every[(every + 3) % 7 < 5]

    @cached_property
    def flow(self) -> Floats:
        """Share of the deals created up to each of these days: growth and season."""
        weight = np.cumsum(self.weight(self.days))
        share: Floats = weight / weight[-1]
        return share

    def weight(self, days: Ints) -> Floats:
        """New deals of a day, relative to others."""
        month = (days.astype("datetime64[D]").astype("datetime64[M]").astype(int)) % 12
        years = (days - day_number(self.world.start)) / 365.25
        rate: Floats = np.array(MONTH_WEIGHT)[month] * (1 + self.world.growth) ** years
        return rate

    @cached_property
    def known(self) -> Floats:
        """Number of accounts that a deal of each of these days can belong to."""
        before = np.concatenate([[0.0], self.flow[:-1]])
        return np.floor(len(self.accounts.seat) * (ESTABLISHED + (1 - ESTABLISHED) * before))


def _hours(territory: int) -> float:
    return 40.0 if territory in (1, 5) else 38.5


def team_of(territory: Ints | int) -> Ints:
    """The team that works a territory."""
    return np.array(labels.TERRITORY_TEAM)[territory]
