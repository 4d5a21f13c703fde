"""One block of deals lived week by week: moves, postponements, changes, activities, and the truth."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from salestrack.world.deals import Deals, month_end
from salestrack.world.oracle import Oracle
from salestrack.world.parameters import Floats, Ints, Random, World, day_number
from salestrack.world.people import Market
from salestrack.world.process import LONGEST, LOST, STAY, WON, Process
from salestrack.world.weeks import CLOSED_WON, quiet_weeks, spans, weekday

CLOSED_LOST = 5
Row = tuple[NDArray[Any], ...]
Table = dict[str, NDArray[Any]]
"""Columns of the same length; `deal` is the place of the deal in its block."""
AMOUNT, CLOSE, OWNER = range(3)
REOPENED = {CLOSED_LOST: 0.015, CLOSED_WON: 0.004}
OVERDUE_PUSH, AMOUNT_CHANGE, REASSIGNED, FINAL_CUT = 0.45, 0.03, 0.003, 0.35


@dataclass
class Block:
    """What happened to the deals of a block; `moves`, `changes` and `activities` are tables of columns."""

    deals: Deals
    stage: Ints
    amount: Ints
    """Cents; -1 where none was entered yet."""
    close: Ints
    owner: Ints
    seat: Ints
    reopened: Ints
    moves: Table
    """deal, day, second, stage, amount, close: one row per creation, change of stage and reopening."""
    changes: Table
    """deal, day, second, field, old, new."""
    activities: Table
    """deal, day, rep, stage."""
    truth: Table
    """deal, day, p_win and the horizons; only deals that are open at the end of that day."""

    def take(self, which: Ints) -> Block:
        """Only these deals (ascending), renumbered."""
        place = np.full(len(self.stage), -1)
        place[which] = np.arange(len(which))
        parts: dict[str, Any] = {"deals": self.deals.take(which)}
        for name in ("stage", "amount", "close", "owner", "seat", "reopened"):
            parts[name] = getattr(self, name)[which]
        for name in ("moves", "changes", "activities", "truth"):
            parts[name] = _kept(getattr(self, name), place)
        return Block(**parts)

    def status(self) -> tuple[Ints, Ints, Ints]:
        """Day and second of the last move, and the day of closing (-1 while open), per deal."""
        day, second = np.zeros((2, len(self.stage)), dtype=np.int64)
        day[self.moves["deal"]], second[self.moves["deal"]] = self.moves["day"], self.moves["second"]
        return day, second, np.where(self.stage >= CLOSED_WON, day, -1)


def _kept(table: Table, place: Ints) -> Table:
    deal = place[table["deal"]]
    return {name: (deal if name == "deal" else column)[deal >= 0] for name, column in table.items()}


@dataclass
class Life:
    """The running state of a block; `run` gives the finished `Block`."""

    world: World
    market: Market
    process: Process
    deals: Deals
    random: Random
    dates: list[date]
    rows: dict[str, list[Row]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        size = len(self.deals)
        self.stage, self.weeks_in, self.exposure = np.full(size, -1), np.zeros(size, np.int64), np.zeros(size)
        self.amount, self.close, self.seat = (
            self.deals.amount.copy(),
            self.deals.close.copy(),
            self.deals.seat.copy(),
        )
        self.owner, self.reopen = np.full(size, -1), np.full(size, -1)
        self.done, self.reopened = np.zeros(size, np.int64), np.zeros(size, np.int64)
        self.hidden = self.deals.unknown_amount.astype(bool).copy()
        self.log_moves = np.zeros((size, len(self.process.prior)))
        self.rows = {"moves": [], "changes": [], "activities": [], "truth": []}
        self.open = np.zeros(0, np.int64)
        self.oracle = Oracle(self.process, self.dates)

    def run(self) -> Block:
        """Live through all weeks."""
        first = (int(self.deals.day.min()) - self.world.monday) // 7
        for week in range(first, self.world.weeks):
            self._week(week)
        names = {
            "moves": ("deal", "day", "second", "stage", "amount", "close"),
            "changes": ("deal", "day", "second", "field", "old", "new"),
            "activities": ("deal", "day", "rep", "stage"),
            "truth": ("deal", "day", "p_win", "p_quarter_end", "p_13_weeks", "p_26_weeks"),
        }
        tables = {table: _stacked(columns, self.rows[table]) for table, columns in names.items()}
        amount = np.where(self.hidden, -1, self.amount)
        return Block(
            deals=self.deals,
            stage=self.stage,
            amount=amount,
            close=self.close,
            owner=self.owner,
            seat=self.seat,
            reopened=self.reopened,
            moves=tables["moves"],
            changes=tables["changes"],
            activities=tables["activities"],
            truth=tables["truth"],
        )

    def _week(self, week: int) -> None:
        monday = self.world.monday + 7 * week
        end = day_number(self.world.end)
        gone = self.deals.deleted[self.open]
        self.open = self.open[(gone < 0) | (gone > monday)]
        self._hand_over(week, monday)
        old, new, back = self.open, self._created(monday), np.flatnonzero(self.reopen == week)
        back = back[monday + weekday(self.deals.uid[back], week) <= end]
        act = np.concatenate([old, new, back])
        if not len(act):
            return
        tick = np.full(len(act), -1)
        tick[: len(old)] = weekday(self.deals.uid[old], week)
        begin = np.zeros(len(act), np.int64)
        begin[len(old) :] = np.concatenate(
            [self.deals.day[new] - monday, weekday(self.deals.uid[back], week)]
        )
        if monday + 4 > end:
            tick = np.where(monday + tick > end, 7, tick)
        earlier = (self.stage[act], self.weeks_in[act], self.log_moves[act])
        seen = (self.done[act], self.exposure[act])
        self._enter(new, back, week, monday)
        rep = self.owner[act]
        ticking = (tick >= 0) & (tick < 7)
        self._tick(act[ticking], week, monday + tick[ticking])
        worked = self._work(act, rep, earlier[0], tick, begin, monday)
        for day in self.oracle.of_week(monday):
            truth = self.oracle.row(self, act, earlier, seen, worked, tick, begin, day, week)
            self.rows["truth"].append(truth)
        self.open = act[self.stage[act] < CLOSED_WON]

    def _created(self, monday: int) -> Ints:
        low, high = np.searchsorted(self.deals.day, [monday, monday + 7])
        return np.arange(low, high)

    def _hand_over(self, week: int, monday: int) -> None:
        """Open deals follow the occupant of their seat on Mondays."""
        owner = self.market.occupant[self.seat[self.open], max(week, 0)]
        moved = owner != self.owner[self.open]
        deal = self.open[moved]
        self._change(deal, monday, 6 * 3600, OWNER, self.owner[deal], owner[moved])
        self.owner[deal] = owner[moved]

    def _enter(self, new: Ints, back: Ints, week: int, monday: int) -> None:
        self.stage[new], self.stage[back], self.weeks_in[back] = 0, 2, 0
        for deal in (new, back):
            self.owner[deal] = self.market.occupant[self.seat[deal], week]
        self._move(new, self.deals.day[new], self.deals.second[new])
        if len(back):
            day = monday + weekday(self.deals.uid[back], week)
            self.reopened[back] += 1
            self._set_close(back, day, month_end(day + 45), 9 * 3600)
            self._move(back, day, np.full(len(back), 9 * 3600))

    def _tick(self, deal: Ints, week: int, day: Ints) -> None:
        """What happens to open deals in a week, and what it tells about their unseen quality."""
        u = self.random.uniform(8, len(deal))
        stage, place = self.stage[deal], self.process.centre + self.deals.x[deal]
        chances, weeks_in = self.process.weekly(week), self.weeks_in[deal]
        own = chances[stage, weeks_in, place + self.process.grades[self.deals.grade[deal]]]
        event = (u[0][:, None] > np.cumsum(own[:, :WON], axis=1)).sum(axis=1)
        every = place[:, None] + self.process.grades
        seen = chances[stage[:, None], weeks_in[:, None], every, event[:, None]]
        seen = seen * self._push(deal, stage, event, day, u[1:4])
        self.log_moves[deal] += np.log(seen)
        second = 13 * 3600 + np.floor(u[4] * 150).astype(np.int64) * 60
        self._change_amount(deal, event, week, day, second, u[5:7])
        self._reassign(deal[event == STAY], week, day[event == STAY], u[7][event == STAY])
        moved = event != STAY
        self._apply(deal, event)
        closed = event >= LOST
        self.close[deal[closed]] = day[closed]
        self._move(deal[moved], day[moved], second[moved])
        self._plan_reopening(deal[closed], week, u[1:3][:, closed])

    def _apply(self, deal: Ints, event: Ints) -> None:
        step = np.array([0, 1, -1, 0, 0])[event]
        after = np.where(
            event == WON, CLOSED_WON, np.where(event == LOST, CLOSED_LOST, self.stage[deal] + step)
        )
        self.weeks_in[deal] = np.where(event == STAY, np.minimum(self.weeks_in[deal] + 1, LONGEST - 1), 0)
        self.stage[deal] = after

    def _push(self, deal: Ints, stage: Ints, event: Ints, day: Ints, u: Floats) -> Floats:
        """Postponed close dates; returns the likelihood of what is seen, by grade.

        A date that has passed is postponed whatever the deal's quality; one still ahead is postponed more
        often where the quality is low.
        """
        going, overdue = event < LOST, self.close[deal] <= day
        chance = self.process.push_chance[stage]
        own = np.where(overdue, OVERDUE_PUSH, chance[np.arange(len(deal)), self.deals.grade[deal]])
        pushed = going & (u[0] < own)
        later = np.maximum(self.close[deal], day) + 10 + np.floor(u[1] * 45).astype(np.int64)
        later = np.where(u[2] < 0.45, month_end(later), later)
        self._set_close(deal[pushed], day[pushed], later[pushed], 12 * 3600 + 1800)
        likelihood = np.where(pushed[:, None], chance, 1 - chance)
        likelihood[overdue | ~going] = 1.0
        return likelihood

    def _set_close(self, deal: Ints, day: Ints, close: Ints, second: int) -> None:
        new = self.close[deal] != close
        deal, day, close = deal[new], day[new], close[new]
        self._change(deal, day, second, CLOSE, self.close[deal], close)
        self.close[deal] = close

    def _change_amount(self, deal: Ints, event: Ints, week: int, day: Ints, second: Ints, u: Floats) -> None:
        """Amounts change now and then, are cut when a deal is won, and are entered late for some deals."""
        late = self.hidden[deal] & (event != STAY) & (event != LOST)
        self._change(
            deal[late],
            day[late],
            second[late] - 600,
            AMOUNT,
            np.full(late.sum(), -1),
            self.amount[deal[late]],
        )
        self.hidden[deal[late]] = False
        cut = 0.02 + 0.06 * u[1] + 0.05 * (quiet_weeks(self.world, week) < 2)
        factor = np.where(event == WON, 1 - cut, 0.75 + 0.45 * u[1])
        chance = np.where(event == WON, FINAL_CUT, np.where(event == LOST, 0.0, AMOUNT_CHANGE))
        new = np.floor(self.amount[deal] / 10_000 * factor).astype(np.int64) * 10_000
        changed = (u[0] < chance) & ~self.hidden[deal] & ~late & (new > 0) & (new != self.amount[deal])
        who = deal[changed]
        self._change(who, day[changed], second[changed] - 60, AMOUNT, self.amount[who], new[changed])
        self.amount[who] = new[changed]

    def _reassign(self, deal: Ints, week: int, day: Ints, u: Floats) -> None:
        """A few deals go to the next seat of the territory."""
        deal, day = deal[u < REASSIGNED], day[u < REASSIGNED]
        seat, territory = self.seat[deal] + 1, self.market.seat_territory
        over = (seat >= len(territory)) | (
            territory[np.minimum(seat, len(territory) - 1)] != territory[seat - 1]
        )
        seat = np.where(over, self.market.first_seat[self.seat[deal]], seat)
        owner = self.market.occupant[seat, week]
        new = owner != self.owner[deal]
        self.seat[deal] = seat
        self._change(deal[new], day[new], 12 * 3600, OWNER, self.owner[deal[new]], owner[new])
        self.owner[deal] = owner

    def _plan_reopening(self, deal: Ints, week: int, u: Floats) -> None:
        rate = np.where(self.stage[deal] == CLOSED_WON, REOPENED[CLOSED_WON], REOPENED[CLOSED_LOST])
        rate = np.where(self.deals.deleted[deal] >= 0, 0.0, rate)
        again = u[0] < rate
        self.reopen[deal] = np.where(again, week + 3 + np.floor(u[1] * 8).astype(np.int64), -1)

    def _work(
        self, act: Ints, rep: Ints, stage: Ints, tick: Ints, begin: Ints, monday: int
    ) -> tuple[Ints, Ints]:
        """The week's activities: Poisson with the rate of the stage before and after the tick of the week."""
        start = day_number(self.world.start) - monday
        begin = np.clip(np.maximum(begin, start), 0, 5)
        last = min(4, day_number(self.world.end) - monday)
        who, weekdays = [], []
        for stages, low, high in spans(stage, self.stage[act], tick, begin, last):
            expected = self.process.activity_rates[np.clip(stages, 0, 3)] * (high - low) / 5
            self.exposure[act] += expected
            count = self.random.poisson(expected * self.process.activity_factor[self.deals.grade[act]])
            row = np.repeat(np.arange(len(act)), count)
            on = low[row] + np.floor(self.random.uniform(len(row)) * (high - low)[row]).astype(np.int64)
            self.rows["activities"].append((act[row], monday + on, rep[row], stages[row]))
            who.append(row)
            weekdays.append(on)
        rows = np.concatenate(who)
        self.done += np.bincount(act[rows], minlength=len(self.done))
        return rows, np.concatenate(weekdays)

    def _change(
        self, deal: Ints, day: Ints | int, second: Ints | int, what: int, old: Ints, new: Ints
    ) -> None:
        size = len(deal)
        full = [np.broadcast_to(np.asarray(v), (size,)) for v in (day, second, what)]
        self.rows["changes"].append((deal, *full, old, new))

    def _move(self, deal: Ints, day: Ints, second: Ints) -> None:
        amount = np.where(self.hidden[deal], -1, self.amount[deal])
        self.rows["moves"].append((deal, day, second, self.stage[deal], amount, self.close[deal]))


def _stacked(names: tuple[str, ...], rows: list[Row]) -> Table:
    columns = zip(*rows, strict=True) if rows else [[np.zeros(0, np.int64)]] * len(names)
    return {name: np.concatenate(list(column)) for name, column in zip(names, columns, strict=True)}
