"""The Salesforce files of deals: opportunities, their history and lines, accounts, people, stages."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from salestrack.world import labels, writing
from salestrack.world.commerce import lines_of
from salestrack.world.parameters import Floats, Ints, Random, World, day_number
from salestrack.world.people import Market, team_of
from salestrack.world.simulate import AMOUNT, CLOSE, CLOSED_LOST, OWNER, Block
from salestrack.world.weeks import CLOSED_WON

FIELDS = ("Amount", "CloseDate", "OwnerId")


def write_deals(
    world: World, market: Market, block: Block, first: int, isnew: Ints, random: Random, to: Path
) -> None:
    """Opportunity.csv: one row per deal as it is at the end."""
    deals, size, words = block.deals, len(block.stage), world.language
    number, (moved, second, closed) = np.arange(first, first + len(block.stage)), block.status()
    touched, last_second = _last_touch(block, moved, second)
    deleted = deals.deleted >= 0
    last_activity = np.full(size, -1)
    np.maximum.at(last_activity, block.activities["deal"], block.activities["day"])
    u = random.uniform(3, size)
    reason = np.where((block.stage == CLOSED_LOST) & (u[0] > 0.1), pick_reason(u[1], deals.family), -1)
    step = np.where((block.stage < CLOSED_WON) & (u[0] > 0.2), np.floor(u[2] * 5).astype(np.int64), -1)
    stem = [f"{s} {f}" for s in labels.STEMS for f in labels.FAMILIES]
    cells = {
        "Id": writing.ids("deal", number),
        "IsDeleted": writing.flags(deleted),
        "AccountId": writing.ids("account", deals.account),
        "Name": writing.text(stem, deals.account % len(labels.STEMS) * len(labels.FAMILIES) + deals.family),
        "StageName": writing.text(labels.STAGES[words], block.stage),
        "Amount": writing.money(block.amount),
        "CurrencyIsoCode": writing.text(labels.CURRENCIES, deals.currency),
        "Probability": writing.number(np.array(labels.PROBABILITIES)[block.stage]),
        "CloseDate": writing.dates(block.close),
        "Type": writing.text(["Existing Business", "New Business"], isnew),
        "LeadSource": writing.text(labels.SOURCES[words], deals.source),
        "IsClosed": writing.flags(closed >= 0),
        "IsWon": writing.flags(block.stage == CLOSED_WON),
        "ForecastCategoryName": writing.text(labels.FORECASTS, block.stage),
        "OwnerId": writing.ids("user", block.owner),
        "CampaignId": writing.ids("campaign", deals.campaign),
        "NextStep": writing.text(labels.NEXT_STEPS[words], step),
        "Loss_Reason__c": writing.text(labels.LOSS_REASONS[words], reason),
        "LastActivityDate": writing.dates(last_activity),
        "LastStageChangeDate": writing.stamps(moved, second),
        "CreatedDate": writing.stamps(deals.day, deals.second),
        "SystemModstamp": writing.stamps(
            np.where(deleted, deals.deleted, touched), np.where(deleted, 6 * 3600 + 1800, last_second)
        ),
    }
    writing.append(to / "Opportunity.csv", cells)


REPEATED = 10


def repeat_newest(world: World, to: Path) -> None:
    """A second delivery with the deals entered last, unchanged: rows that stand in both files."""
    path = to / "Opportunity.csv"
    with path.open("rb") as file:
        head = file.readline()
        file.seek(max(file.tell(), path.stat().st_size - 10_000))
        newest = file.read().splitlines(keepends=True)[1:][-REPEATED:]
    (to / f"Opportunity_{world.end}.csv").write_bytes(head + b"".join(newest))


def pick_reason(u: Floats, family: Ints) -> Ints:
    """Why a deal was lost: price more often for machines."""
    edges = np.array(
        [[0.26, 0.46, 0.6, 0.76, 0.9], [0.4, 0.6, 0.74, 0.84, 0.95], [0.24, 0.4, 0.58, 0.8, 0.95]]
    )
    reason: Ints = (u[:, None] > edges[family]).sum(axis=1)
    return reason


def _last_touch(block: Block, day: Ints, second: Ints) -> tuple[Ints, Ints]:
    moment = day * 86_400 + second
    changes = block.changes
    np.maximum.at(moment, changes["deal"], changes["day"] * 86_400 + changes["second"])
    return moment // 86_400, moment % 86_400


def write_history(world: World, block: Block, first: int, count: int, to: Path) -> int:
    """OpportunityHistory.csv; returns the number of rows written so far."""
    moves = block.moves
    order = np.lexsort((moves["second"], moves["day"], moves["deal"]))
    deal, day, second, stage, amount, close = (moves[n][order] for n in moves)
    cells = {
        "Id": writing.ids("history", count + np.arange(len(deal))),
        "OpportunityId": writing.ids("deal", first + deal),
        "StageName": writing.text(labels.STAGES[world.language], stage),
        "Amount": writing.money(amount),
        "CloseDate": writing.dates(close),
        "Probability": writing.number(np.array(labels.PROBABILITIES)[stage]),
        "CreatedDate": writing.stamps(day, second),
    }
    writing.append(to / "OpportunityHistory.csv", cells)
    return count + len(deal)


def write_changes(block: Block, first: int, to: Path) -> None:
    """OpportunityFieldHistory.csv: changes of amount, close date and owner."""
    changes = block.changes
    order = np.lexsort((changes["second"], changes["day"], changes["deal"]))
    deal, day, second, what, old, new = (column[order] for column in changes.values())
    cells = {
        "OpportunityId": writing.ids("deal", first + deal),
        "Field": writing.text(FIELDS, what),
        "OldValue": _value(what, old),
        "NewValue": _value(what, new),
        "CreatedDate": writing.stamps(day, second),
    }
    writing.append(to / "OpportunityFieldHistory.csv", cells)


def _value(what: Ints, value: Ints) -> writing.Bytes:
    amount, close, owner = (np.where(what == kind, value, -1) for kind in (AMOUNT, CLOSE, OWNER))
    return np.hstack([writing.money(amount), writing.dates(close), writing.ids("user", owner)])


def write_lines(block: Block, first: int, count: int, to: Path) -> int:
    """OpportunityLineItem.csv for won deals and offers; returns the number of rows written so far."""
    with_offer = np.flatnonzero((block.stage >= 2) & (block.stage <= CLOSED_WON) & (block.amount > 0))
    deals = block.deals
    lines = lines_of(block.amount[with_offer], deals.family[with_offer], deals.currency[with_offer],
                     deals.discount[with_offer])  # fmt: skip
    size = len(lines.row)
    percent = np.where(lines.list_price > 0, deals.discount[with_offer[lines.row]], -1)
    cells = {
        "Id": writing.ids("line", count + np.arange(size)),
        "OpportunityId": writing.ids("deal", first + with_offer[lines.row]),
        "Product2Id": writing.ids("product", lines.product),
        "Quantity": writing.number(lines.quantity),
        "UnitPrice": writing.money(lines.unit_price),
        "ListPrice": writing.money(lines.list_price),
        "Discount": writing.number(percent),
        "TotalPrice": writing.money(lines.quantity * lines.unit_price),
    }
    writing.append(to / "OpportunityLineItem.csv", cells)
    return count + size


def write_accounts(world: World, market: Market, first_win: Ints, to: Path) -> None:
    """Account.csv, and Contact.csv with one contact at each customer."""
    accounts = market.accounts
    random, known = Random(world, 4), accounts.created <= day_number(world.end)
    which = np.flatnonzero(known)
    place, segment = accounts.place[which], accounts.segment[which]
    u = random.uniform(6, len(which))
    staff = np.floor(np.array([1_500, 260, 40])[segment] * np.exp(1.1 * (u[0] - 0.4))).astype(np.int64)
    turnover = staff * (110 + np.floor(150 * u[1]).astype(np.int64)) * 1_000
    bought = (first_win[which] >= 0) | (accounts.customer[which] > 0)
    cells = {
        "Id": writing.ids("account", which),
        "Name": account_names(which, place),
        "ParentId": writing.ids("account", np.where((u[2] < 0.04) & (which > 50), which - 17, -1)),
        "Industry": writing.text(labels.INDUSTRIES, accounts.industry[which]),
        "NumberOfEmployees": writing.number(staff),
        "AnnualRevenue": writing.number(np.where(u[3] < 0.6, turnover, -1)),
        "BillingCountryCode": writing.text([p.code for p in labels.PLACES], place),
        "BillingCity": _cities(place, u[4]),
        "OwnerId": writing.ids("user", market.occupant[accounts.seat[which], world.weeks - 1]),
        "Type": writing.text(["Prospect", "Customer"], bought.astype(np.int64)),
        "Segment__c": writing.text(labels.SEGMENTS, segment),
        "CreatedDate": writing.stamps(
            accounts.created[which], 7 * 3600 + np.floor(u[5] * 500).astype(np.int64) * 60
        ),
    }
    writing.append(to / "Account.csv", cells)
    people = {
        "Id": writing.ids("contact", which[bought]),
        "AccountId": writing.ids("account", which[bought]),
        "Title": writing.text(labels.TITLES, np.floor(u[0, bought] * len(labels.TITLES)).astype(np.int64)),
        "CreatedDate": writing.stamps(accounts.created[which[bought]], np.full(bought.sum(), 15 * 3600)),
    }
    writing.append(to / "Contact.csv", people)


def account_names(account: Ints, place: Ints) -> writing.Bytes:
    """Invented companies: a stem, a trade, a number if that is taken, a legal form."""
    stems, kinds = len(labels.STEMS), len(labels.KINDS)
    again = account // (stems * kinds)
    forms = [f" {form}" for p in labels.PLACES for form in (p.forms * 3)[:3]]
    return np.hstack([
        writing.text(labels.STEMS, account % stems),
        writing.always(" ", len(account)),
        writing.text(labels.KINDS, (account + account // stems) % kinds),
        np.where((again > 0)[:, None], writing.always(" ", len(account)), np.uint8(0)),
        writing.number(np.where(again > 0, again + 1, -1)),
        writing.text(forms, place * 3 + account % 3),
    ])  # fmt: skip


def _cities(place: Ints, u: Floats) -> writing.Bytes:
    sizes = np.array([len(p.cities) for p in labels.PLACES])
    every = [city for p in labels.PLACES for city in p.cities]
    return writing.text(
        every, (np.cumsum(sizes) - sizes)[place] + np.floor(u * sizes[place]).astype(np.int64)
    )


def write_people(world: World, market: Market, to: Path) -> None:
    """User.csv, UserRole.csv and OpportunityStage.csv."""
    teams, reps = len(labels.TEAMS), market.reps
    team = team_of(market.seat_territory[[rep.seat for rep in reps]])
    numbers, head = np.arange(len(reps) + 1), np.array([teams])
    currency = np.array(labels.TERRITORY_CURRENCY)[market.seat_territory[[rep.seat for rep in reps]]]
    users = {
        "Id": writing.ids("user", numbers),
        "Name": writing.text([*(rep.name for rep in reps), "Leonore Castlebeck"], numbers),
        "IsActive": writing.flags(np.array([*(rep.left < 0 for rep in reps), True])),
        "UserRoleId": writing.ids("role", np.concatenate([team, head])),
        "DefaultCurrencyIsoCode": writing.text(labels.CURRENCIES, np.append(currency, 0)),
    }
    writing.append(to / "User.csv", users)
    roles = {
        "Id": writing.ids("role", np.arange(teams + 1)),
        "Name": writing.text(
            [*(f"Sales {team}" for team in labels.TEAMS), "Head of Sales"], np.arange(teams + 1)
        ),
        "ParentRoleId": writing.ids("role", np.append(np.full(teams, teams), -1)),
    }
    writing.append(to / "UserRole.csv", roles)
    stages, every = labels.STAGES[world.language], np.arange(6)
    cells = {
        "Id": writing.ids("stage", every),
        "MasterLabel": writing.text(stages, every),
        "ApiName": writing.text(stages, every),
        "SortOrder": writing.number(every + 1),
        "DefaultProbability": writing.number(np.array(labels.PROBABILITIES)),
        "IsClosed": writing.flags(every >= CLOSED_WON),
        "IsWon": writing.flags(every == CLOSED_WON),
        "ForecastCategoryName": writing.text(labels.FORECASTS, every),
    }
    writing.append(to / "OpportunityStage.csv", cells)
