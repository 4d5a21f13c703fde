"""Many small companies at once whose truth is known: all of them in one frame, told apart by `world`.

Time is counted in whole days. What ends in the course of its d-th day has lasted d days, so the share ended by day d
is the continuous law at d, exactly. Nothing is known after the last day.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

AS_OF = date(2026, 10, 31)
MORE_DEALS_WITHIN = 200
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Weibull:
    """A waiting time; shape 1 is exponential."""

    shape: float
    scale: float

    def by(self, day: float) -> float:
        """Share that has ended by a day."""
        return -math.expm1(-((day / self.scale) ** self.shape))

    def middle(self) -> float:
        """First day by which half has ended."""
        return math.ceil(self.scale * math.log(2) ** (1 / self.shape))

    def draw(self, rng: np.random.Generator, size: int) -> Ints:
        """Whole days, at least one."""
        return np.maximum(np.ceil(self.scale * rng.weibull(self.shape, size)), 1).astype(np.int64)


@dataclass(frozen=True)
class Kind:
    """A kind of account. What its deals have in common is the effect that they share."""

    name: str
    share: float
    wins: float
    median_amount: float
    calls_per_day: float = 0.0


SMALL = Kind("small", 0.7, wins=0.40, median_amount=4_000, calls_per_day=0.03)
LARGE = Kind("large", 0.3, wins=0.15, median_amount=16_000, calls_per_day=0.09)


@dataclass(frozen=True)
class Company:
    """Deals arrive at a rate that is constant or grows; each is bound to be won or lost, after a time of its own.

    Accounts come at random, each with a first deal and maybe some more in the months after; so with several deals
    per account the rate of deals is `per_day` from the day MORE_DEALS_WITHIN on, if nothing grows.
    """

    per_day: float
    days: int
    growth: float = 0.0
    """Growth of the arrivals per day, as a logarithm."""
    deals_per_account: float = 1.0
    kinds: Sequence[Kind] = (SMALL, LARGE)
    to_win: Weibull = Weibull(1.5, 80)
    to_lose: Weibull = Weibull(1.5, 160)
    spread: float = 0.6
    """Standard deviation of the logarithm of amounts of one kind."""

    @property
    def win_rate(self) -> float:
        """Share of deals won in the end."""
        return sum(kind.share * kind.wins for kind in self.kinds)

    def won_by(self, day: float) -> float:
        """Share of deals won by an age in days."""
        return self.win_rate * self.to_win.by(day)

    @property
    def mean_amount(self) -> float:
        return sum(kind.share * self._mean(kind) for kind in self.kinds)

    @property
    def mean_won_amount(self) -> float:
        """Won per deal: the amount of those won, 0 of those lost, on average."""
        return sum(kind.share * kind.wins * self._mean(kind) for kind in self.kinds)

    def median_won_amount(self) -> float:
        """The amount that half of the won deals do not exceed."""
        low, high = 0.0, 20.0
        while high - low > 1e-12:
            middle = (low + high) / 2
            below = sum(
                kind.share * kind.wins * _normal((middle - math.log(kind.median_amount)) / self.spread)
                for kind in self.kinds
            )
            low, high = (middle, high) if below < self.win_rate / 2 else (low, middle)
        return math.exp(low)

    def deals(self, seed: int, worlds: int) -> pl.DataFrame:
        """Deals as they are known at the end of the last day."""
        rng = np.random.default_rng(seed)
        world, came = arrivals(rng, worlds, self.per_day / self.deals_per_account, self.days, self.growth)
        account = np.repeat(np.arange(len(came)), 1 + rng.poisson(self.deals_per_account - 1, len(came)))
        later = rng.integers(0, MORE_DEALS_WITHIN, len(account))
        later[np.unique(account, return_index=True)[1]] = 0
        account, later = account[came[account] + later < self.days], later[came[account] + later < self.days]
        world, born = world[account], came[account] + later
        kind = rng.choice(len(self.kinds), len(came), p=[k.share for k in self.kinds])[account]
        won = rng.random(len(world)) < np.array([k.wins for k in self.kinds])[kind]
        lasts = np.where(won, self.to_win.draw(rng, len(won)), self.to_lose.draw(rng, len(won)))
        medians = np.array([k.median_amount for k in self.kinds])[kind]
        amount = medians * np.exp(rng.normal(0, self.spread, len(world)))
        closed = until_now(born + lasts, self.days)
        rows = pl.DataFrame(
            {
                "world": world,
                "deal_id": np.arange(len(world)),
                "account_id": account,
                "created_date": days(born, self.days),
                "closed_date": closed,
                "amount_base_cents": np.round(amount * 100).astype(np.int64),
                "_won": won,
                "_kind": kind,
                "lived": np.minimum(lasts, self.days - 1 - born),
            }
        )
        status = pl.when(pl.col("closed_date").is_null()).then(pl.lit("open"))
        names = dict(enumerate(k.name for k in self.kinds))
        return rows.with_columns(
            status=status.when("_won").then(pl.lit("won")).otherwise(pl.lit("lost")),
            segment=pl.col("_kind").replace_strict(names, return_dtype=pl.String),
        ).drop("_won", "_kind")

    def calls(self, seed: int, deals: pl.DataFrame) -> pl.DataFrame:
        """Calls at a constant rate on every day that a deal is open, which do nothing for it."""
        rng = np.random.default_rng(seed)
        rate = {kind.name: kind.calls_per_day for kind in self.kinds}
        open_days = deals["lived"].to_numpy() + 1
        rates = deals["segment"].replace_strict(rate, return_dtype=pl.Float64).to_numpy()
        deal = np.repeat(np.arange(len(deals)), rng.poisson(rates * open_days))
        born = deals["created_date"].to_numpy()[deal]
        return pl.DataFrame(
            {
                "deal_id": deals["deal_id"].to_numpy()[deal],
                "activity_type": pl.repeat("call", len(deal), eager=True),
                "started_date": born + rng.integers(0, open_days[deal]).astype("timedelta64[D]"),
            }
        )

    def _mean(self, kind: Kind) -> float:
        return kind.median_amount * math.exp(self.spread**2 / 2)


@dataclass(frozen=True)
class Stage:
    """A stage that deals leave after a time, forward with a chance, else lost."""

    name: str
    dwell: Weibull
    onward: float


def stays(
    seed: int, worlds: int, stages: Sequence[Stage], per_day: float, days_: int, growth: float
) -> pl.DataFrame:
    """Stays of deals that run through the stages one after the other."""
    rng = np.random.default_rng(seed)
    world, entered = arrivals(rng, worlds, per_day, days_, growth)
    deal, parts = np.arange(len(world)), []
    for order, stage in enumerate(stages):
        on = rng.random(len(deal)) < stage.onward
        left = entered + stage.dwell.draw(rng, len(deal))
        gone = until_now(left, days_)
        parts.append(
            pl.DataFrame(
                {
                    "world": world,
                    "deal_id": deal,
                    "stage_order": order,
                    "stage_name": stage.name,
                    "entered_at": days(entered, days_),
                    "left_at": gone,
                    "is_first_entry": True,
                    "_on": on,
                    "_last": order == len(stages) - 1,
                }
            )
        )
        stayed = on & (left < days_)
        world, deal, entered = world[stayed], deal[stayed], left[stayed]
    way = pl.when("_on", "_last").then(pl.lit("won")).when("_on").then(pl.lit("forward"))
    rows = pl.concat(parts).with_columns(
        exit_type=pl.when(pl.col("left_at").is_not_null()).then(way.otherwise(pl.lit("lost")))
    )
    ends = {"forward_at": "forward", "won_at": "won", "lost_at": "lost"}
    at = {name: pl.when(pl.col("exit_type") == end).then("left_at") for name, end in ends.items()}
    return rows.with_columns(**at).drop("_on", "_last")


@dataclass(frozen=True)
class Marketing:
    """Qualified leads at a rate that grows; sales accepts a share of them, after a time, and drops the others."""

    per_day: float
    days: int
    growth: float = 0.0
    accepted: float = 0.35
    to_accept: Weibull = Weibull(1.2, 45)
    to_drop: Weibull = Weibull(1.2, 70)

    def accepted_by(self, day: float) -> float:
        return self.accepted * self.to_accept.by(day)

    def leads(self, seed: int, worlds: int) -> pl.DataFrame:
        rng = np.random.default_rng(seed)
        world, born = arrivals(rng, worlds, self.per_day, self.days, self.growth)
        good = rng.random(len(world)) < self.accepted
        taken, dropped = (born + law.draw(rng, len(born)) for law in (self.to_accept, self.to_drop))
        return pl.DataFrame(
            {
                "world": world,
                "mql_at": days(born, self.days),
                "sql_at": until_now(np.where(good, taken, self.days), self.days),
                "disqualified_at": until_now(np.where(good, self.days, dropped), self.days),
            }
        )


@dataclass(frozen=True)
class Mood:
    """A kind of account by what its people answer: shares of promoters and detractors."""

    share: float
    promoters: float
    detractors: float


@dataclass(frozen=True)
class Survey:
    """Answers of several people per account; some detractors had answered a month earlier, too."""

    accounts: int
    people: int
    moods: Sequence[Mood] = (Mood(0.6, 0.65, 0.10), Mood(0.4, 0.15, 0.45))
    again: float = 0.5

    @property
    def score(self) -> float:
        return 100 * sum(mood.share * (mood.promoters - mood.detractors) for mood in self.moods)

    def answers(self, seed: int, worlds: int) -> pl.DataFrame:
        rng = np.random.default_rng(seed)
        account = np.repeat(np.arange(worlds * self.accounts), self.people)
        mood = rng.choice(len(self.moods), worlds * self.accounts, p=[m.share for m in self.moods])[account]
        up, down = (
            np.array([getattr(m, side) for m in self.moods])[mood] for side in ("promoters", "detractors")
        )
        chance = rng.random(len(account))
        points = np.where(chance < up, 1, np.where(chance < up + down, -1, 0))
        score = np.choose(
            points + 1,
            [
                rng.integers(0, 7, len(points)),
                rng.integers(7, 9, len(points)),
                rng.integers(9, 11, len(points)),
            ],
        )
        latest = pl.DataFrame(
            {
                "world": account // self.accounts,
                "account_id": account,
                "contact_id": np.arange(len(account)),
                "score": score,
                "responded_at": days(np.zeros(len(account), dtype=np.int64), 1),
            }
        )
        more = latest.filter(pl.Series(rng.random(len(latest)) < self.again) & (pl.col("score") < 7))
        return pl.concat(
            [latest, more.with_columns(responded_at=pl.col("responded_at").dt.offset_by("-1mo"))]
        )


def arrivals(
    rng: np.random.Generator, worlds: int, per_day: float, days_: int, growth: float
) -> tuple[Ints, Ints]:
    """World and day of each arrival, the number per day being Poisson; `per_day` is that of the last day."""
    expected = per_day * np.exp(growth * (np.arange(days_) - days_ + 1))
    count = rng.poisson(np.broadcast_to(expected, (worlds, days_)))
    world, day = np.nonzero(count)
    each = count[world, day]
    return np.repeat(world, each).astype(np.int64), np.repeat(day, each).astype(np.int64)


def days(day: Ints, of: int) -> NDArray[Any]:
    """Day numbers as dates, the last of so many days being AS_OF."""
    return np.datetime64(AS_OF) + (day - of + 1).astype("timedelta64[D]")


def until_now(day: Ints, of: int) -> NDArray[Any]:
    """As `days`; what has not happened yet has no date."""
    return np.where(day < of, days(day, of), np.datetime64("NaT"))


def _normal(x: float) -> float:
    return math.erfc(-x / math.sqrt(2)) / 2
