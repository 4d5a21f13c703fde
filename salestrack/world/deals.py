"""The deals of one block as they are created: who, what, how much, and their place on the grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from salestrack.world import labels
from salestrack.world.marketing import Campaigns
from salestrack.world.parameters import WARM_UP, Floats, Ints, Random, World, day_number
from salestrack.world.people import ESTABLISHED, Market
from salestrack.world.process import GRADES, STEP, X_STEPS, Process


@dataclass
class Deals:
    """What is fixed when a deal is created; one array per column."""

    uid: Ints
    day: Ints
    second: Ints
    account: Ints
    seat: Ints
    source: Ints
    family: Ints
    campaign: Ints
    currency: Ints
    amount: Ints
    """Cents of the deal's currency."""
    unknown_amount: Ints
    """1 where the amount is entered only when the deal leaves its first stage."""
    close: Ints
    """Expected day of closing."""
    deleted: Ints
    """Day on which the deal is deleted, -1 for never."""
    discount: Ints
    """Percent off the list prices."""
    x: Ints
    """Known quality, in steps of the grid."""
    grade: Ints
    """Unknown quality: which value of z."""

    def take(self, which: Ints) -> Deals:
        """Some of the deals."""
        return Deals(**{name: column[which] for name, column in vars(self).items()})

    def __len__(self) -> int:
        return len(self.uid)


@dataclass(frozen=True)
class Arrivals:
    """When the deals of a world are created, block by block."""

    world: World
    market: Market

    def before(self) -> Ints:
        """Creation days of the deals of the warm-up."""
        first = self.world.monday
        days = np.arange(first, int(self.market.days[0]))
        days = days[(days + 3) % 7 < 5]
        weight = self.market.weight(days)
        total = self.market.weight(self.market.days).sum()
        size = round(self.world.deals * float(weight.sum() / total))
        return days[np.searchsorted(np.cumsum(weight) / weight.sum(), (np.arange(size) + 0.5) / max(size, 1))]

    def recorded(self, first: int, last: int, total: int, random: Random) -> Ints:
        """Creation days of the deals number `first` to `last` of `total`."""
        place = (np.arange(first, last) + random.uniform(last - first)) / total
        return self.market.days[np.searchsorted(self.market.flow, place)]


def draw(world: World, market: Market, campaigns: Campaigns, random: Random, first: int, days: Ints) -> Deals:
    """New deals on the given days (ascending); `first` is the number of the first."""
    size = len(days)
    account = _accounts(market, random, days)
    accounts = market.accounts
    place, segment, seat = accounts.place[account], accounts.segment[account], accounts.seat[account]
    source = random.choice(size, labels.SOURCE_SHARE)
    family = random.choice(size, labels.FAMILY_SHARE)
    spread = 0.68 * random.normal(size)
    currency = np.array([p.currency for p in labels.PLACES])[place]
    euros = np.array(labels.FAMILY_MEDIAN)[family] * np.array(labels.SEGMENT_SIZE)[segment] * np.exp(spread)
    territory = market.seat_territory[seat]
    rep = market.occupant[seat, np.maximum((days - world.monday) // 7, WARM_UP)]
    known = (
        np.array(labels.SEGMENT_EFFECT)[segment]
        + np.array(labels.SOURCE_EFFECT)[source]
        + np.array(labels.SEGMENT_SOURCE_EFFECT)[segment, source]
        + np.array(labels.FAMILY_EFFECT)[family]
        + np.array(labels.TERRITORY_EFFECT)[territory]
        + market.skill[rep]
        + accounts.effect[account]
        - 0.25 * np.abs(spread)
        - 0.15
    )
    effect = world.effect if world.signal else 0.0
    weakness = 6.0 * (territory == 4)
    return Deals(
        uid=first + np.arange(size),
        day=days,
        second=random.whole(size, 7 * 60, 13 * 60) * 60,
        account=account,
        seat=seat,
        source=source,
        family=family,
        campaign=campaigns.of(source, days, random.uniform(size)),
        currency=currency,
        amount=_rounded(euros / np.array(labels.BOOK_RATES)[currency]),
        unknown_amount=(random.uniform(size) < 0.16).astype(np.int64),
        close=_expected(days, random),
        deleted=_deleted(world, days, random),
        discount=np.floor(np.clip(9 + 5 * random.normal(size) + weakness, 0, 32)).astype(np.int64),
        x=np.clip(np.rint(effect * known / STEP), -X_STEPS, X_STEPS).astype(np.int64),
        grade=pick_grade(world, random, size),
    )


def pick_grade(world: World, random: Random, size: int) -> Ints:
    """The unseen quality of new deals."""
    return np.minimum(random.choice(size, Process(world).prior), GRADES - 1)


def _deleted(world: World, days: Ints, random: Random) -> Ints:
    """The Monday on which a deal is deleted, for one in a hundred whatever becomes of it."""
    later = days + random.whole(len(days), 5, 300)
    monday = later - (later + 3) % 7 + 7
    deleted = (random.uniform(len(days)) < 0.012) & (monday <= day_number(world.end))
    return np.where(deleted, monday, -1)


def _accounts(market: Market, random: Random, days: Ints) -> Ints:
    """Half of the deals are with accounts that came in lately, half with any that is known by then."""
    place = np.searchsorted(market.days, days)
    known = market.known[np.minimum(place, len(market.known) - 1)]
    known = np.where(days < market.days[0], np.floor(ESTABLISHED * len(market.accounts.seat)), known)
    lately, anyone = random.uniform(2, len(days))
    back = np.where(random.uniform(len(days)) < 0.5, 0.1 * lately, anyone)
    chosen: Ints = np.minimum(np.floor(known * (1 - back)), known - 1).astype(np.int64)
    return chosen


def _expected(days: Ints, random: Random) -> Ints:
    """Expected days of closing: two to four months ahead, often just the end of that month."""
    day = days + random.whole(len(days), 45, 125)
    return np.where(random.uniform(len(days)) < 0.45, month_end(day), day)


def month_end(days: Ints) -> Ints:
    """The last day of each day's month.

    >>> month_end(np.array([0, 31]))
    array([30, 58])
    """
    months = days.astype("datetime64[D]").astype("datetime64[M]")
    return (months + 1).astype("datetime64[D]").astype(np.int64) - 1


def _rounded(amount: Floats) -> Ints:
    """Amounts in cents, rounded as people do: to hundreds, large ones to five hundreds."""
    step = np.where(amount < 20_000, 100, 500)
    return np.maximum(np.floor(amount / step + 0.5), 1).astype(np.int64) * step * 100
