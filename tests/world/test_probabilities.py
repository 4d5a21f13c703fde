"""The truth about the invented company: what is given a chance of p comes true in p of the cases, however it is computed."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from world.files import Files

from salestrack.errors import InputError
from salestrack.world import HORIZONS, World, truth
from salestrack.world import blocks as blocks_of
from salestrack.world.parameters import day_number, day_of
from salestrack.world.people import Market
from salestrack.world.process import ADVANCE, BACK, LONGEST, LOST, OPEN_STAGES, STAY, WON, Process, horizons
from salestrack.world.simulate import CLOSE, Block
from salestrack.world.weeks import weekday

WIDE = World(deals=20_000, seed=5)
DAYS = (date(2024, 7, 31), date(2025, 1, 15), date(2025, 6, 30))


@pytest.fixture(scope="module")
def wide() -> pd.DataFrame:
    return truth(WIDE, DAYS, outcomes=True)


def decile_misses(p: pd.Series, came_true: pd.Series) -> list[str]:
    """Deciles in which the number of events lies outside the central 99.9 % of what p says."""
    tenth = (p.rank(method="first", pct=True) * 10).clip(upper=9.99).astype(int)
    misses = []
    for place, mine in p.groupby(tenth):
        low, high = binom.ppf([0.0005, 0.9995], len(mine), mine.mean())
        seen = came_true[mine.index].sum()
        if not low <= seen <= high:
            misses.append(f"{place}: {seen} of {len(mine)} at {mine.mean():.3f}")
    return misses


@pytest.mark.parametrize("day", DAYS, ids=str)
@pytest.mark.parametrize("column", ["p_win", "p_quarter_end", "p_13_weeks", "p_26_weeks"])
def test_what_was_given_a_chance_of_p_comes_true_in_p_of_the_cases(
    wide: pd.DataFrame, column: str, day: date
) -> None:
    rows = wide[(wide["date"] == pd.Timestamp(day)) & (wide["outcome"] != "deleted")]
    if column == "p_win":
        rows = rows[rows["outcome"] != "open"]
    won = rows["outcome"] == "won"
    if column != "p_win":
        won &= rows["closed_date"] <= pd.Timestamp(horizons(day)[column])
    assert len(rows) > 1_300
    assert decile_misses(rows[column], won) == []


class Observer:
    """One deal followed day by day in plain Python, from what is recorded about it (decided weekly, from the
    week after its creation on): the filter once more."""

    def __init__(self, process: Process, block: Block, deal: int, day: int) -> None:
        self.process, self.block, self.deal, self.day = process, block, deal, day
        deals = block.deals
        self.stage, self.weeks_in, self.close = 0, 0, int(deals.close[deal])
        self.place = process.centre + int(deals.x[deal]) + process.grades
        self.log_moves, self.exposure = np.zeros(len(process.prior)), 0.0
        self.week = self.first = process.world.week_of(int(deals.day[deal]))
        start = day_number(process.world.start)
        for today in range(int(deals.day[deal]), day + 1):
            if today >= start and (today + 3) % 7 < 5:
                self.exposure += process.activity_rates[self.stage] / 5
            if today == self.tick(self.week) and self.week > self.first:
                self.see(today)
            if (today + 3) % 7 == 6:
                self.week += 1

    def tick(self, week: int) -> int:
        return self.process.world.monday + 7 * week + int(weekday(self.block.deals.uid[[self.deal]], week)[0])

    def recorded(self, table: dict[str, np.ndarray], column: str, day: int, **where: int) -> int | None:
        rows = (table["deal"] == self.deal) & (table["day"] == day)
        for name, value in where.items():
            rows &= table[name] == value
        return int(table[column][rows][-1]) if rows.any() else None

    def see(self, day: int) -> None:
        after = self.recorded(self.block.moves, "stage", day)
        after = self.stage if after is None else after
        event = {4: WON, 5: LOST}.get(after, {0: STAY, 1: ADVANCE, -1: BACK}.get(after - self.stage))
        self.log_moves += np.log(self.process.weekly(self.week)[self.stage, self.weeks_in, self.place, event])
        pushed = self.recorded(self.block.changes, "new", day, field=CLOSE)
        if self.close > day:
            chance = self.process.push_chance[self.stage]
            self.log_moves += np.log(1 - chance if pushed is None else chance)
        self.close = pushed or self.close
        self.weeks_in = min(self.weeks_in + 1, LONGEST - 1) if event == STAY else 0
        self.stage = after

    def chances(self) -> list[float]:
        """P(win) ever and within each horizon."""
        table, process = self.block.activities, self.process
        done = ((table["deal"] == self.deal) & (table["day"] <= self.day)).sum()
        belief = process.posterior(self.log_moves[None], np.array([done]), np.array([self.exposure]))[0]
        weeks = range(max(self.week - 1, self.first + 1), self.week + 2)
        following = next(week for week in weeks if self.tick(week) > self.day)
        result = [process.ever[following][self.stage, self.weeks_in, self.place]]
        for end in horizons(day_of(self.day)).values():
            last = process.world.week_of(day_number(end))
            last -= self.tick(last) > day_number(end)
            result.append(process.within(following, last)[0][self.stage, self.weeks_in, self.place])
        return [float(belief @ values) for values in result]


@pytest.mark.parametrize(
    "day",
    [date(2025, 4, 30), date(2025, 8, 31), date(2026, 3, 31)],
    ids=["Wednesday", "Sunday", "quarter's end"],
)
def test_the_filter_agrees_with_a_slow_one(day: date) -> None:
    world = World(deals=300, seed=9)
    *_, (_, block) = blocks_of(world, Market(world), [day])
    deal, once = block.truth["deal"], block.reopened[block.truth["deal"]] == 0
    slow = [Observer(Process(world), block, i, day_number(day)).chances() for i in deal[once][:20]]
    fast = np.stack([block.truth[name][once][:20] for name in HORIZONS], axis=1)
    assert len(slow) == 20
    np.testing.assert_allclose(fast, slow, rtol=1e-9)


def test_probabilities_grow_with_the_horizon(wide: pd.DataFrame) -> None:
    assert (wide["p_quarter_end"] <= wide["p_13_weeks"] + 1e-12).mean() > 0.8
    assert (wide["p_13_weeks"] <= wide["p_26_weeks"] + 1e-12).all()
    assert (wide["p_26_weeks"] <= wide["p_win"] + 1e-12).all()
    assert wide["p_win"].std() > 0.2


def test_the_file_of_the_truth_is_what_truth_says(made: Path) -> None:
    written = pd.read_csv(made / "truth" / "deal_truth.csv", parse_dates=["date"])
    said = truth(World(), [date(2025, 3, 31)])
    mine = written[written["date"] == "2025-03-31"].sort_values("deal_id").reset_index(drop=True)
    assert mine["deal_id"].tolist() == said["deal_id"].tolist()
    np.testing.assert_allclose(mine.iloc[:, 2:], said.iloc[:, 2:], atol=0.5001e-4)


def test_the_truth_has_a_row_for_each_deal_that_is_open_on_the_day(made: Path, files: Files) -> None:
    history = files["OpportunityHistory"]
    stand = history[history["CreatedDate"] < "2025-04-01"].groupby("OpportunityId")["StageName"].last()
    deals = files["Opportunity"].set_index("Id")
    gone = deals[(deals["IsDeleted"] == "true") & (deals["SystemModstamp"] < "2025-04-01")].index
    there = set(stand[~stand.isin(["Closed Won", "Closed Lost"])].index) - set(gone)
    written = pd.read_csv(made / "truth" / "deal_truth.csv")
    assert set(written.loc[written["date"] == "2025-03-31", "deal_id"]) == there


def test_without_signal_every_open_deal_has_the_same_chance() -> None:
    frame = truth(World(deals=2_000, signal=False), [date(2024, 8, 31), date(2026, 2, 28)])
    assert frame["p_win"].max() - frame["p_win"].min() < 1e-9
    assert 0.25 < frame["p_win"].iloc[0] < 0.35
    assert frame["p_13_weeks"].max() - frame["p_13_weeks"].min() < 0.03


def test_without_emissions_activities_say_nothing() -> None:
    process = Process(World(emissions=False))
    log_moves = np.zeros((2, len(process.prior)))
    belief = process.posterior(log_moves, np.array([0, 9]), np.array([3.0, 3.0]))
    np.testing.assert_allclose(belief, np.stack([process.prior] * 2))


def test_many_activities_speak_for_a_good_deal() -> None:
    process = Process(World())
    belief = process.posterior(np.zeros((2, len(process.prior))), np.array([0, 9]), np.array([3.0, 3.0]))
    quality = belief @ process.grades
    assert quality[0] < 0 < quality[1]


def test_backward_recursion_equals_forward_propagation() -> None:
    process, week, place = Process(World()), 60, 20
    state = np.zeros(process.nothing().shape[:2])
    state[1, 2], won = 1.0, 0.0
    for ahead in range(13):
        p = process.weekly(week + ahead)[:, :, place]
        won += (state * p[..., WON]).sum()
        stay, following = state * p[..., STAY], np.zeros_like(state)
        following[:, 1:] += stay[:, :-1]
        following[:, -1] += stay[:, -1]
        following[1:, 0] += (state * p[..., ADVANCE]).sum(axis=1)[: OPEN_STAGES - 1]
        following[:-1, 0] += (state * p[..., BACK]).sum(axis=1)[1:]
        state = following
    assert process.within(week, week + 12)[0][1, 2, place] == pytest.approx(won, abs=1e-12)


def test_days_outside_the_world_have_no_truth() -> None:
    with pytest.raises(InputError, match="its days run from 2023-11-01 to 2026-10-31"):
        truth(World(deals=10), [date(2027, 1, 1)])
