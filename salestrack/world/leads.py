"""Lead.csv: those that became deals and those that did not."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from salestrack.world import labels, writing
from salestrack.world.crm import account_names
from salestrack.world.marketing import Campaigns
from salestrack.world.parameters import Ints, Random, World, day_number
from salestrack.world.people import Market
from salestrack.world.simulate import Block

FROM_LEAD = np.array([0.60, 0.38, 0.48, 0.38, 0.38, 0.13])
"""Share of new deals that began as a lead, by source."""
LEAD_SHARE = (0.27, 0.34, 0.17, 0.04, 0.07, 0.11)
MARKETING_QUALIFIED = np.array([0.55, 0.36, 0.48, 0.75, 0.65, 0.4])
SALES_QUALIFIED = 0.16
STATUS = ("New", "Working", "Qualified", "Unqualified")


def write_leads(
    world: World, market: Market, block: Block, first: int, count: int, random: Random, to: Path
) -> int:
    """The leads that go with a block of deals; returns the number of leads written so far."""
    converted = _converted(world, block, random)
    size = max(round(world.leads_per_deal * len(block.stage)) - len(converted["day"]), 0)
    parts = [converted, _others(world, market, block, size, random)]
    lead = {name: np.concatenate([part[name] for part in parts]) for name in converted}
    order = np.argsort(lead["day"], kind="stable")
    lead = {name: column[order] for name, column in lead.items()}
    every, deal = count + np.arange(len(order)), lead["deal"]
    account = np.where(deal >= 0, block.deals.account[np.maximum(deal, 0)], -1)
    campaign = Campaigns(world).of(lead["source"], lead["day"], random.uniform(len(order)))
    campaign = np.where(deal >= 0, block.deals.campaign[np.maximum(deal, 0)], campaign)
    week = (lead["day"] - world.monday) // 7
    status = np.where(deal >= 0, 2, np.where(lead["out"] >= 0, 3, np.where(lead["mql"] >= 0, 1, 0)))
    cells = {
        "Id": writing.ids("lead", every),
        "Company": _companies(market, account, every),
        "LeadSource": writing.text(labels.SOURCES[world.language], lead["source"]),
        "Status": writing.text(STATUS, status),
        "OwnerId": writing.ids("user", market.occupant[lead["seat"], week]),
        "CreatedDate": writing.stamps(lead["day"], lead["second"]),
        "MQL_Date__c": writing.dates(lead["mql"]),
        "SQL_Date__c": writing.dates(lead["sql"]),
        "Disqualified_Date__c": writing.dates(lead["out"]),
        "IsConverted": writing.flags(deal >= 0),
        "ConvertedDate": writing.dates(np.where(deal >= 0, block.deals.day[np.maximum(deal, 0)], -1)),
        "ConvertedOpportunityId": writing.ids("deal", np.where(deal >= 0, first + deal, -1)),
        "ConvertedAccountId": writing.ids("account", account),
        "CampaignId__c": writing.ids("campaign", campaign),
    }
    writing.append(to / "Lead.csv", cells)
    return count + len(every)


def _converted(world: World, block: Block, random: Random) -> dict[str, Ints]:
    deals = block.deals
    u = random.uniform(len(deals))
    made = deals.day
    day = made - 8 - np.floor(70 * random.uniform(len(deals)) ** 1.6).astype(np.int64)
    share = np.minimum(random.uniform(2, len(deals)), 0.999)
    mql = day + 1 + np.floor((made - day - 4) * share[0] * 0.6).astype(np.int64)
    sql = mql + 1 + np.floor((made - mql - 1) * share[1]).astype(np.int64)
    which = np.flatnonzero((u < FROM_LEAD[deals.source]) & (day >= day_number(world.start)))
    return {
        "deal": which, "day": day[which], "second": random.whole(len(which), 6 * 60, 18 * 60) * 60,
        "source": deals.source[which], "seat": deals.seat[which], "mql": mql[which], "sql": sql[which],
        "out": np.full(len(which), -1),
    }  # fmt: skip


def _others(world: World, market: Market, block: Block, size: int, random: Random) -> dict[str, Ints]:
    end, days = day_number(world.end), block.deals.day[block.deals.day >= day_number(world.start)]
    if not len(days):
        days = np.array([day_number(world.start)])
    day = days[np.floor(random.uniform(size) * len(days)).astype(np.int64)]
    source = random.choice(size, LEAD_SHARE)
    mql = day + random.whole(size, 1, 26)
    mql = np.where(random.uniform(size) < MARKETING_QUALIFIED[source], mql, -1)
    sql = mql + 3 + np.floor(75 * random.uniform(size) ** 1.5).astype(np.int64)
    sql = np.where((mql >= 0) & (random.uniform(size) < SALES_QUALIFIED), sql, -1)
    out = np.maximum(np.maximum(day, mql), sql) + random.whole(size, 6, 110)
    out = np.where(random.uniform(size) < 0.78, out, -1)
    past = [np.where(moment <= end, moment, -1) for moment in (mql, sql, out)]
    second, seat = random.whole(size, 6 * 60, 18 * 60) * 60, random.whole(size, 0, len(market.seat_territory))
    return {
        "deal": np.full(size, -1), "day": day, "second": second, "source": source, "seat": seat,
        "mql": past[0], "sql": past[1], "out": past[2],
    }  # fmt: skip


def _companies(market: Market, account: Ints, every: Ints) -> writing.Bytes:
    known = account_names(np.maximum(account, 0), market.accounts.place[np.maximum(account, 0)])
    stems, kinds = writing.text(labels.STEMS, every * 7 % 40), writing.text(labels.KINDS, every * 11 % 29)
    other = np.hstack([stems, writing.always(" ", len(every)), kinds])
    width = max(known.shape[1], other.shape[1])
    names = [np.pad(part, ((0, 0), (0, width - part.shape[1]))) for part in (known, other)]
    return np.where((account >= 0)[:, None], *names)
