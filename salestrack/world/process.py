"""The process that a deal follows, and what can be known about its end.

Every week an open deal stays, advances, falls back, is lost or is won: an absorbing chain over four stages,
the weeks in the stage and the calendar. All that is known about a deal enters through one index `x`, all that
is not through its quality `z`; both lie on one grid. So P(win) is a table made by backward recursion, and
what an observer can know of `z` is an exact forward filter (`posterior`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

import numpy as np

from salestrack.world.parameters import TAIL, Floats, Ints, World, day_number, day_of, quarter_end

STAY, ADVANCE, BACK, LOST, WON = range(5)
OPEN_STAGES = 4
LONGEST = 16
"""Weeks in a stage after which nothing changes any more."""
STEP = 0.1
"""Width of the grid of x and z."""
X_STEPS = 30
"""x lies between -X_STEPS and X_STEPS steps."""
GRADES = 9
"""Number of values that z can take."""

ADVANCES = np.array([-1.25, -1.3, -1.6, -np.inf])
BACKS = np.array([-np.inf, -4.3, -4.1, -3.9])
LOSSES = np.array([-3.25, -3.4, -3.3, -3.3])
WINS = np.array([-np.inf, -np.inf, -4.6, -1.4])
FLAT = np.array([[0.22, 0.0], [0.22, 0.03], [0.22, 0.03], [0.0, 0.03]])
FLAT_LOST, FLAT_WON = 0.050, 0.0222
ACTIVITY = np.array([0.8, 1.05, 1.15, 1.3])
PUSH = np.array([-2.9, -2.7, -2.5, -2.4])
BOTTLENECK = 0.35
RIPEN, FADE, SOUR = 0.3, 0.95, 0.05
"""Moves ahead: more often in the first weeks of a stage, seldom after the fourth. Losses: ever more often."""


@dataclass(frozen=True)
class Process:
    """The chain of a world: its weekly probabilities, its tables of P(win), its filter."""

    world: World
    _weekly: dict[tuple[int, float, int], Floats] = field(default_factory=dict, repr=False)

    @property
    def sigma(self) -> float:
        return self.world.sigma_z if self.world.signal else 0.0

    @property
    def grade_steps(self) -> int:
        """Distance between two values of z, in steps of the grid."""
        return round(self.sigma / 2 / STEP)

    @property
    def centre(self) -> int:
        """Position of x = 0 on the grid of s = x + z."""
        return X_STEPS + GRADES // 2 * self.grade_steps

    @cached_property
    def grades(self) -> Ints:
        """Offset of each value of z on the grid."""
        return (np.arange(GRADES) - GRADES // 2) * self.grade_steps

    @cached_property
    def prior(self) -> Floats:
        """Probability of each value of z."""
        weights = np.exp(-0.5 * ((np.arange(GRADES) - GRADES // 2) / 2) ** 2)
        share: Floats = weights / weights.sum()
        return share

    @property
    def news(self) -> float:
        """How strongly activities and postponements tell of z."""
        return float(self.world.emissions and self.world.signal)

    @cached_property
    def activity_rates(self) -> Floats:
        """Activities per week by stage, at z = 0."""
        return ACTIVITY * self.world.activities_per_deal / 13.5

    @cached_property
    def activity_factor(self) -> Floats:
        """Factor on the activities by grade."""
        factor: Floats = np.exp(0.35 * self.news * self.grades * STEP)
        return factor

    @cached_property
    def push_chance(self) -> Floats:
        """Probability of a postponed close date per week, by stage and grade."""
        odds = np.exp(PUSH[:, None] - 0.5 * self.news * self.grades[None, :] * STEP)
        share: Floats = odds / (1 + odds)
        return share

    def weekly(self, week: int) -> Floats:
        """Probabilities of what happens in a week: stage, weeks in stage, place on the grid, event."""
        key = self._kind(week)
        if key not in self._weekly:
            self._weekly[key] = self._chances(*key) if self.world.signal else self._flat()
        return self._weekly[key]

    def _kind(self, week: int) -> tuple[int, float, int]:
        """What a week's probabilities depend on: quarter end, quiet season, quarters since the start."""
        friday = day_of(self.world.monday + 7 * week + 4)
        closing = int((quarter_end(friday) - friday).days < 14)
        holidays = friday.month == 12 and friday.day >= 24 or friday.month == 1 and friday.day < 4
        quiet = 1.0 if holidays else 0.25 if friday.month == 8 else 0.0
        last = (self.world.end.year - self.world.start.year) * 4 + self.world.end.month // 3
        quarter = (friday.year - self.world.start.year) * 4 + friday.month // 3
        return closing, quiet, min(quarter, last)

    def _chances(self, closing: int, quiet: float, quarter: int) -> Floats:
        s = (np.arange(2 * self.centre + 1) - self.centre) * STEP
        w = np.arange(LONGEST)[:, None]
        ripe = RIPEN * np.minimum(w, 2) - FADE * np.maximum(w - 4, 0)
        shift = self.world.drift * quarter / 4
        slow = BOTTLENECK * np.array([0, 0, 1 + (quarter >= self._late), 0.0])[:, None, None]
        u = np.zeros((OPEN_STAGES, LONGEST, len(s), 5))
        u[..., ADVANCE] = ADVANCES[:, None, None] + ripe + 0.35 * s - slow
        u[..., BACK] = BACKS[:, None, None]
        u[..., LOST] = LOSSES[:, None, None] + SOUR * w - 0.75 * (s + shift)
        u[..., WON] = WINS[:, None, None] + ripe + 0.65 * (s + shift) + self.world.quarter_end * closing
        odds = np.exp(u)
        odds[..., ADVANCE:] *= np.exp(-quiet)
        chances: Floats = odds / odds.sum(axis=-1, keepdims=True)
        return chances

    @property
    def _late(self) -> int:
        """The quarter from which the bottleneck is worse: a year before the end."""
        return (self.world.end.year - self.world.start.year - 1) * 4 + self.world.end.month // 3

    def _flat(self) -> Floats:
        chances = np.zeros((OPEN_STAGES, LONGEST, 2 * self.centre + 1, 5))
        chances[..., ADVANCE] = FLAT[:, 0, None, None]
        chances[..., BACK] = FLAT[:, 1, None, None]
        chances[..., LOST], chances[..., WON] = FLAT_LOST, FLAT_WON
        chances[..., STAY] = 1 - chances.sum(axis=-1)
        return chances

    def before(self, week: int, after: Floats) -> Floats:
        """P(win) before the event of a week, given P(win) after it: one step of the recursion."""
        p = self.weekly(week)
        value: Floats = p[..., WON] + p[..., STAY] * np.concatenate([after[:, 1:], after[:, -1:]], axis=1)
        value[:-1] += p[:-1, ..., ADVANCE] * after[1:, :1]
        value[1:] += p[1:, ..., BACK] * after[:-1, :1]
        return value

    def nothing(self) -> Floats:
        """P(win) after the last week that counts."""
        return np.zeros((OPEN_STAGES, LONGEST, 2 * self.centre + 1))

    @cached_property
    def ever(self) -> Floats:
        """P(win) before the event of each week from the warm-up to a week after the end."""
        value, weeks = self.nothing(), self.world.weeks + 2
        table = np.empty((weeks, *value.shape))
        for week in range(weeks + TAIL - 1, -1, -1):
            value = self.before(week, value)
            if week < weeks:
                table[week] = value
        return table

    def within(self, first: int, last: int) -> Floats:
        """P(win) by `last` before the events of the weeks `first` and `first + 1`, in this order."""
        value = self.nothing()
        values = [value, value]
        for week in range(last, first - 1, -1):
            value = self.before(week, value)
            values = [value, values[0]]
        return np.stack(values)

    def posterior(self, log_moves: Floats, activities: Ints, exposure: Floats) -> Floats:
        """What an observer knows of z: one row per deal, the probability of each grade.

        `log_moves` is the log-likelihood of stage moves and postponements by grade, `activities` the number
        of activities, `exposure` the number that was to be expected at z = 0.
        """
        factor = self.activity_factor
        score = log_moves + activities[:, None] * np.log(factor) - exposure[:, None] * factor
        score += np.log(self.prior)
        weight = np.exp(score - score.max(axis=1, keepdims=True))
        share: Floats = weight / weight.sum(axis=1, keepdims=True)
        return share


def horizons(day: date) -> dict[str, date]:
    """The last day that counts for each of the truth's horizons, seen from the end of a day.

    The quarter is that of the following day, so on the last day of a quarter it is the next one.

    >>> horizons(date(2026, 9, 30))["p_quarter_end"]
    datetime.date(2026, 12, 31)
    """
    number = day_number(day)
    return {
        "p_quarter_end": quarter_end(day_of(number + 1)),
        "p_13_weeks": day_of(number + 91),
        "p_26_weeks": day_of(number + 182),
    }
