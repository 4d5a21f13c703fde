"""The tables kept by hand: territories, teams, who works where, and the monthly quotas."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np

from salestrack.world import labels, writing
from salestrack.world.commerce import Wins
from salestrack.world.marketing import write_lines
from salestrack.world.parameters import Floats, Ints, World, day_number, day_of, month_after
from salestrack.world.people import MONTH_WEIGHT, Market, Rep, team_of

AMBITION = (1.0, 1.02, 1.01)
"""Quotas of a year in relation to what it brought."""
INSIGHT = 0.5
"""How far a quota follows the rep's own accounts instead of the share of the territory."""
RAMP_MONTHS, RAMP = 6, 0.5
PART_TIME = 4
"""The rep who works fewer hours from the middle of the recorded time on."""


def write_territories(to: Path) -> None:
    """territories.csv and teams.csv."""
    rows = [f"G{i + 1},{name},G0,region" for i, name in enumerate(labels.TERRITORIES)]
    head = "territory_id,territory_name,parent_territory_id,territory_type"
    write_lines(to / "territories.csv", [head, "G0,All regions,,world", *rows])
    rows = [f"T{i + 1},{name},T0" for i, name in enumerate(labels.TEAMS)]
    write_lines(to / "teams.csv", ["team_id,team_name,parent_team_id", "T0,Sales,", *rows])


def write_assignments(world: World, market: Market, to: Path) -> None:
    """rep_assignments.csv: one row per rep and span; the last day is part of it."""
    users = writing.words(writing.ids("user", np.arange(len(market.reps) + 1)))
    halfway = month_after(world.start, world.months // 2)
    head = "rep_id,team_id,territory_id,manager_rep_id,role_name,valid_from_date,valid_to_date"
    lines = [f"{head},contracted_hours_per_week"]
    for number, rep in enumerate(market.reps):
        territory = int(market.seat_territory[rep.seat])
        team = int(team_of(territory))
        lead = int(np.flatnonzero(team_of(market.seat_territory) == team)[0])
        role, manager = ("Team Lead", len(users) - 1) if number == lead else ("Account Executive", lead)
        fixed = f"{users[number]},T{team + 1},G{territory + 1},{users[manager]},{role}"
        for first, last, hours in _spans(rep, halfway if number == PART_TIME else None):
            lines.append(f"{fixed},{first.isoformat()},{last.isoformat() if last else ''},{hours:g}")
    write_lines(to / "rep_assignments.csv", lines)


def _spans(rep: Rep, change: date | None) -> list[tuple[date, date | None, float]]:
    first, last = day_of(rep.joined), day_of(rep.left) if rep.left >= 0 else None
    if change is None or not first < change or (last and last <= change):
        return [(first, last, rep.hours)]
    return [(first, change - timedelta(days=1), rep.hours), (change, last, 30.0)]


def months_of(world: World) -> list[date]:
    """First days of the planned months: the recorded ones, the rest of their last year and a quarter more."""
    return [month_after(world.start, i) for i in range(world.months + 12 - world.end.month + 3)]


def quota_table(world: World, market: Market, bookings: Floats) -> Floats:
    """Quotas in euros, reps × months; `bookings` are the euros that each rep won in each recorded month.

    A year's plan follows what the year brought and is shared out by territory and presence, and by what the
    rep's accounts turned out to be good for: planners know their accounts. The months after the last recorded
    year go on with its plan.
    """
    months = months_of(world)
    season = np.array([MONTH_WEIGHT[m.month - 1] for m in months])
    year = np.array([m.year - world.start.year - (m.year > world.start.year) for m in months])
    year = np.minimum(year, year[world.months - 1])
    weight, table = _weights(market, months), np.zeros((len(market.reps), len(months)))
    for y in range(int(year.max()) + 1):
        mine, past = year == y, (year == y)[: world.months]
        plan = season * mine * weight / np.maximum(weight.sum(axis=0), 1e-9)
        fair, won = plan[:, : world.months].sum(axis=1), bookings[:, past].sum(axis=1)
        fair = fair / fair.sum() * won.sum()
        insight = 1 - INSIGHT + INSIGHT * won / np.maximum(fair, 1e-9)
        level = AMBITION[y % len(AMBITION)] * won.sum() / season[: world.months][past].sum()
        table += level * plan * insight[:, None]
    return table


def _weights(market: Market, months: list[date]) -> Floats:
    """Share of the plan that a rep carries in a month: territory, presence, ramp."""
    territory = market.seat_territory
    per_seat = np.array(labels.TERRITORY_SHARE)[territory] / np.bincount(territory)[territory]
    starts = np.array([day_number(m) for m in months])
    ends = np.array([day_number(month_after(m, 1)) - 1 for m in months])
    rows = []
    for rep in market.reps:
        there = (rep.joined <= starts) & ((rep.left < 0) | (rep.left >= ends))
        ramp = np.where(starts - rep.joined < 30 * RAMP_MONTHS, RAMP, 1.0)
        weak = 0.62 if territory[rep.seat] == 4 else 1.06
        rows.append(there * ramp * weak * per_seat[rep.seat])
    return np.array(rows)


def write_quotas(world: World, market: Market, bookings: Floats, to: Path) -> None:
    """quotas.xlsx: one row per rep and month, in the currency of the rep."""
    users = writing.words(writing.ids("user", np.arange(len(market.reps))))
    table, rows = quota_table(world, market, bookings), []
    for m, month in enumerate(months_of(world)):
        for number, rep in enumerate(market.reps):
            if table[number, m] > 0:
                currency = labels.TERRITORY_CURRENCY[market.seat_territory[rep.seat]]
                amount = int(table[number, m] / labels.BOOK_RATES[currency] / 500 + 0.5) * 500
                last = month_after(month, 1) - timedelta(days=1)
                name = f"Q{month:%y%m}-{number + 1:02d}"
                rows.append(
                    (name, users[number], "bookings", month, last, amount, labels.CURRENCIES[currency])
                )
    head = (
        "quota_id",
        "rep_id",
        "metric",
        "period_start_date",
        "period_end_date",
        "quota_amount",
        "currency_code",
    )
    writing.write_xlsx(to / "quotas.xlsx", "quotas", head, rows)


def monthly(world: World, market: Market, wins: Wins) -> Floats:
    """Euros won by each rep in each recorded month, at the rates of the price book."""
    first = (world.start.year - 1970) * 12 + world.start.month - 1
    month = wins.day.astype("datetime64[D]").astype("datetime64[M]").astype(int) - first
    euros = wins.amount / 100 * np.array(labels.BOOK_RATES)[wins.currency]
    size = len(market.reps)
    place = wins.owner * world.months + month
    total = np.bincount(place, weights=euros, minlength=size * world.months).astype(np.float64)
    return total.reshape(size, world.months)


def heads(world: World, market: Market) -> Ints:
    """Sales people by team and recorded month."""
    table = np.zeros((len(labels.TEAMS), world.months), dtype=np.int64)
    for month in range(world.months):
        day = day_number(month_after(world.start, month))
        for rep in market.reps:
            here = rep.joined <= day and (rep.left < 0 or rep.left >= day)
            table[team_of(market.seat_territory[rep.seat]), month] += here
    return table
