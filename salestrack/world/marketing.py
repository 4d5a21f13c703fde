"""Campaigns, what they and the sales team cost, and the visits of the website."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from salestrack.world import labels, writing
from salestrack.world.parameters import Floats, Ints, Random, World, day_number, day_of, month_after

MOST_SLOTS = 4


@dataclass(frozen=True)
class Campaign:
    """One campaign; `months` counts from the start of the recorded time."""

    name: str
    type: str
    source: int
    first_month: int
    months: int
    budget: int
    pull: int
    """How many of four leads of its source and time it brings."""
    region: str = ""
    """What the company's own field says, which no mapping knows; empty for all regions."""


PLAN = (
    Campaign("SEO and Content", "Other", 0, 0, 36, 58_000, 2),
    Campaign("Webinar Series Takt", "Webinar", 0, 8, 22, 23_000, 1),
    Campaign("Search Ads DACH", "Advertisement", 1, 0, 36, 98_000, 2, "DACH"),
    Campaign("Search Ads International", "Advertisement", 1, 5, 31, 71_000, 2, "International"),
    Campaign("Werkschau Nord 2024", "Trade Show", 2, 3, 7, 19_000, 3, "DACH"),
    Campaign("Packforum 2024", "Trade Show", 2, 10, 6, 17_000, 3, "DACH"),
    Campaign("Werkschau Nord 2025", "Trade Show", 2, 16, 7, 20_500, 3, "DACH"),
    Campaign("Grand Industry Expo 2025", "Trade Show", 2, 22, 4, 90_000, 1, "International"),
    Campaign("Packforum 2025", "Trade Show", 2, 23, 5, 18_000, 2, "DACH"),
    Campaign("Werkschau Nord 2026", "Trade Show", 2, 28, 7, 21_500, 3, "DACH"),
    Campaign("Kunden werben Kunden", "Referral Program", 3, 4, 32, 26_000, 2),
    Campaign("Partner Days", "Partners", 4, 2, 34, 37_000, 2),
    Campaign("Letter Campaign Spring", "Direct Mail", 5, 5, 4, 4_600, 1, "DACH"),
    Campaign("Letter Campaign Autumn", "Direct Mail", 5, 22, 4, 4_200, 1, "DACH"),
)
"""The Expo of 2025 is the one that costs too much for what it brings."""


@dataclass(frozen=True)
class Campaigns:
    """Which campaign a lead or deal comes from."""

    world: World

    @cached_property
    def table(self) -> Ints:
        """Campaign (or -1) by source, month since the start, and one of four slots."""
        table = np.full((len(labels.SOURCE_SHARE), self.world.months, MOST_SLOTS), -1)
        for number, campaign in enumerate(PLAN):
            for month in range(
                campaign.first_month, min(campaign.first_month + campaign.months, self.world.months)
            ):
                free = np.flatnonzero(table[campaign.source, month] < 0)[: campaign.pull]
                table[campaign.source, month, free] = number
        return table

    def of(self, source: Ints, days: Ints, u: Floats) -> Ints:
        """The campaign of each lead or deal, -1 for none."""
        month = days.astype("datetime64[D]").astype("datetime64[M]").astype(int)
        start = (self.world.start.year - 1970) * 12 + self.world.start.month - 1
        inside = (month >= start) & (month < start + self.world.months)
        slot = np.floor(u * MOST_SLOTS).astype(np.int64)
        return np.where(inside, self.table[source, np.where(inside, month - start, 0), slot], -1)

    def running(self) -> list[tuple[int, Campaign, Ints]]:
        """Campaigns of the recorded time: number, campaign, its months."""
        last = self.world.months
        return [(i, c, np.arange(c.first_month, min(c.first_month + c.months, last)))
                for i, c in enumerate(PLAN) if c.first_month < last]  # fmt: skip


def write_campaigns(world: World, folder: Path) -> None:
    """Campaign.csv."""
    running = Campaigns(world).running()
    number = np.array([i for i, _, _ in running])
    every = [campaign for _, campaign, _ in running]
    first = np.array([day_number(month_after(world.start, c.first_month)) for c in every])
    last = np.array([day_number(month_after(world.start, c.first_month + c.months)) - 1 for c in every])
    factor = _factor(world)
    cells = {
        "Id": writing.ids("campaign", number),
        "Name": writing.text([c.name for c in every], np.arange(len(every))),
        "Type": writing.text([c.type for c in every], np.arange(len(every))),
        "StartDate": writing.dates(first),
        "EndDate": writing.dates(last),
        "BudgetedCost": writing.number(np.array([round(c.budget * factor) for c in every])),
        "CurrencyIsoCode": writing.always("EUR", len(every)),
        "Region__c": writing.text([c.region for c in every], np.arange(len(every))),
    }
    writing.append(folder / "Campaign.csv", cells)


def _factor(world: World) -> float:
    """Budgets grow with the size of the world."""
    return float(world.scale(1_000, 0.8)) / 1_000


FAULTS = (
    "N01;15.03.{year};other;;;12.5OO,00;EUR",
    "N02;31.02.{year};other;;;1.480,00;EUR",
)
"""Typed in later by hand: letters for zeros, and a day that no calendar has."""
FAULTS_FROM = 300
"""Rows from which two faults stay below the one per cent that an import bears."""


AHEAD = 3
"""Months of costs before the recorded time: they paid for its first customers."""


def write_costs(world: World, folder: Path, heads: Ints) -> None:
    """costs.csv as a German spreadsheet saves it; `heads` are the sales people by team and month."""
    random, rows, total = Random(world, 50), list[str](), 0
    wobble = random.uniform(world.months, 24)
    ids = writing.words(writing.ids("campaign", np.arange(len(PLAN))))
    for month in range(-AHEAD, world.months):
        day = month_after(world.start, month)
        raise_ = 1.03 ** (month // 12)
        euros = [("marketing_salary", "", "", 17_200 * raise_), ("tools", "", "", 4_300 * raise_)]
        euros += [("agency", "", "", 3_000 + 2_500 * wobble[month, 20])]
        euros = [(kind, c, t, value * _factor(world)) for kind, c, t, value in euros]
        for team in range(len(labels.TEAMS)):
            euros.append(
                ("sales_salary", "", f"T{team + 1}", float(heads[team, max(month, 0)]) * 4_500 * raise_)
            )
        for number, campaign, months in Campaigns(world).running():
            if month in months:
                kind = {"Advertisement": "ad_spend", "Trade Show": "event"}.get(campaign.type, "other")
                share = (0.85 + 0.3 * wobble[month, number]) / campaign.months
                euros.append((kind, ids[number], "", campaign.budget * _factor(world) * share))
        rows += [f"K{month + AHEAD:02d}{i:02d};{day:%d.%m.%Y};{kind};{c};{t};{_german(value)};EUR"
                 for i, (kind, c, t, value) in enumerate(euros)]  # fmt: skip
        total += sum(int(value * 100 + 0.5) for *_, value in euros)
    if len(rows) >= FAULTS_FROM:
        rows += [row.format(year=world.end.year) for row in FAULTS]
    head = "cost_id;cost_date;cost_type;campaign_id;team_id;amount;currency_code"
    write_lines(folder / "costs.csv", [head, *rows, f"Summe;;;;;{_german(total / 100)};EUR"])


def _german(value: float) -> str:
    """1.234,50: hundredths, points between thousands, a decimal comma.

    >>> _german(1234.5)
    '1.234,50'
    """
    return f"{int(value * 100 + 0.5) / 100:,.2f}".replace(",", " ").replace(".", ",").replace(" ", ".")


def write_lines(path: Path, lines: list[str]) -> None:
    """A text file in UTF-8 with plain line ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(("\n".join(lines) + "\n").encode())


CHANNELS = ("Organic Search", "Direct", "Paid Search")
VISITS = (165.0, 95.0, 70.0)


def write_traffic(world: World, folder: Path) -> None:
    """web_traffic.csv: the visits of each day and channel."""
    days = np.arange(day_number(world.start), day_number(world.end) + 1)
    day, channel = np.repeat(days, len(CHANNELS)), np.tile(np.arange(len(CHANNELS)), len(days))
    random = Random(world, 51)
    season = np.where((day + 3) % 7 < 5, 1.0, 0.35) * (1 + world.growth) ** ((day - days[0]) / 365.25)
    noise = np.exp(0.18 * random.normal(len(day)))
    sessions = np.floor(np.array(VISITS)[channel] * season * noise * world.scale(1_000, 0.8) / 1_000) + 1
    events = np.floor(sessions * np.array([0.022, 0.02, 0.035])[channel] * 2 * random.uniform(len(day)))
    cells = {
        "date": writing.dates(day),
        "channel_group": writing.text(CHANNELS, channel),
        "sessions": writing.number(sessions.astype(np.int64)),
        "key_events": writing.number(events.astype(np.int64)),
    }
    writing.append(folder / "web_traffic.csv", cells)


RATES = {"CHF": 1.045, "GBP": 1.155, "USD": 0.925}


def write_rates(world: World, folder: Path) -> None:
    """exchange_rates.csv: euros for one unit of each other currency, from the first of each month on."""
    random, first = Random(world, 52), month_after(day_of(world.monday), 0)
    months = world.months + (world.start.year - first.year) * 12 + world.start.month - first.month
    steps = {code: np.cumsum(0.011 * random.normal(months)) * 0.6 for code in RATES}
    lines = ["from_currency_code,to_currency_code,rate_date,rate,rate_type,rate_source"]
    for month in range(months):
        day = month_after(first, month).isoformat()
        for code, level in RATES.items():
            lines.append(f"{code},EUR,{day},{level * (1 + steps[code][month]):.4f},month_avg,invented")
    write_lines(folder / "exchange_rates.csv", lines)
