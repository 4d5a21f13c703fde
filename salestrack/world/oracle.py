"""The truth about open deals: the probability that an observer with a deal's whole history would give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from salestrack.world.parameters import Floats, Ints, day_number
from salestrack.world.process import Process, horizons
from salestrack.world.weeks import spans, weekday

if TYPE_CHECKING:
    from salestrack.world.simulate import Life


@dataclass(frozen=True)
class Oracle:
    """P(win), ever and within each horizon, at the ends of the given days."""

    process: Process
    dates: Sequence[date]

    @cached_property
    def days(self) -> list[int]:
        return sorted(day_number(day) for day in self.dates)

    def of_week(self, monday: int) -> list[int]:
        """The days in the week that starts on `monday`."""
        return [day for day in self.days if monday <= day < monday + 7]

    def row(
        self,
        life: Life,
        act: Ints,
        earlier: tuple[Ints, Ints, Floats],
        seen: tuple[Ints, Floats],
        worked: tuple[Ints, Ints],
        tick: Ints,
        begin: Ints,
        day: int,
        week: int,
    ) -> tuple[Ints | Floats, ...]:
        """The truth at the end of a day for the deals of its week; see `Life._week` for the arguments."""
        today = day - life.world.monday - 7 * week
        decided = tick <= today
        stage = np.where(decided, life.stage[act], earlier[0])
        weeks_in = np.where(decided, life.weeks_in[act], earlier[1])
        moves = np.where(decided[:, None], life.log_moves[act], earlier[2])
        rows, weekdays = worked
        count = seen[0] + np.bincount(rows[weekdays <= today], minlength=len(act))
        exposure = seen[1].copy()
        start = np.clip(np.maximum(begin, day_number(life.world.start) - day + today), 0, 5)
        last = min(4, day_number(life.world.end) - day + today)
        for stages, low, high in spans(earlier[0], life.stage[act], tick, start, last):
            days = np.maximum(np.minimum(high, today + 1) - low, 0)
            exposure += life.process.activity_rates[np.clip(stages, 0, 3)] * days / 5
        gone = life.deals.deleted[act]
        here = (stage >= 0) & (stage < 4) & (begin <= today) & ((gone < 0) | (gone > day))
        belief = self.process.posterior(moves[here], count[here], exposure[here])
        place = self.process.centre + life.deals.x[act[here]][:, None] + self.process.grades
        where = (stage[here][:, None], weeks_in[here][:, None], place)
        undecided = (~decided[here]).astype(np.int64)
        chances = self._chances(life.deals.uid[act[here]], where, belief, undecided, day, week)
        return (act[here], np.full(len(belief), day), *chances)

    def _chances(
        self, uid: Ints, where: tuple[Ints, Ints, Ints], belief: Floats, undecided: Ints, day: int, week: int
    ) -> list[Floats]:
        """P(win) ever and within each horizon: the tables at the deal's next tick, averaged over z."""
        ever = self.process.ever[week : week + 2]
        result = [(belief * ever[(1 - undecided)[:, None], *where]).sum(axis=1)]
        for tables, last in self._horizons(day, week):
            target_week, target_day = last
            late = (weekday(uid, target_week) <= target_day).astype(np.int64)
            result.append((belief * tables[late[:, None], (1 - undecided)[:, None], *where]).sum(axis=1))
        return result

    def _horizons(self, day: int, week: int) -> list[tuple[Floats, tuple[int, int]]]:
        """Per horizon: tables by (does the last week's tick count, is this week's over), and the last day."""
        if day not in self._cache:
            self._cache[day] = []
            for end in horizons(date.fromordinal(day + 719_163)).values():
                offset = day_number(end) - self.process.world.monday
                last, weekday_ = divmod(offset, 7)
                tables = np.stack([self.process.within(week, last - 1), self.process.within(week, last)])
                self._cache[day].append((tables, (last, weekday_)))
        return self._cache[day]

    @cached_property
    def _cache(self) -> dict[int, list[tuple[Floats, tuple[int, int]]]]:
        return {}
