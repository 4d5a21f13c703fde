"""An invented company whose truth is known: its systems' exports, and the true chances of its deals.

`generate` writes the files of a world, `truth` gives the true probabilities at any days. A world of any
size is made block by block and never held in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import date
from json import dumps
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from salestrack.errors import CannotWrite, InputError
from salestrack.world import activities, commerce, crm, leads, marketing, plan, writing
from salestrack.world.commerce import Wins
from salestrack.world.deals import Arrivals, draw
from salestrack.world.parameters import BLOCK, Ints, Random, World, day_number
from salestrack.world.people import Market
from salestrack.world.process import Process, horizons
from salestrack.world.simulate import Block, Life
from salestrack.world.weeks import CLOSED_WON

__all__ = ["World", "generate", "truth"]

HORIZONS = ("p_win", "p_quarter_end", "p_13_weeks", "p_26_weeks")
TOML = """[company]
name = "Kelvarra Technik"
currency = "EUR"
time_zone = "Europe/Berlin"
fiscal_year_start_month = 1
language = "{language}"

[quota]
credit = "deals"

[goals]
win_rate = 0.32
selling_time_share = 0.30
net_promoter_score = 35
pipeline_coverage = 3.0
"""


def generate(out: Path | str, **parameters: Any) -> World:
    """Write a world: `out`/raw (the exports), `out`/truth (never inside raw) and `out`/salestrack.toml.

    Parameters
    ----------
    out : folder; it may exist but must not hold data yet
    parameters : those of `World`, such as deals=2_500, seed=16, signal=True

    Returns
    -------
    The world, so that `truth(generate(...), days)` continues from it.
    """
    world, folder = World(**parameters), Path(out)
    if any((folder / name).exists() for name in ("raw", "truth")):
        raise CannotWrite(f"{folder} already holds data: give a folder without raw and truth")
    market, crm_folder, manual = Market(world), folder / "raw" / "salesforce", folder / "raw" / "manual"
    wins, first_win = _write_blocks(world, market, crm_folder, folder / "truth")
    crm.repeat_newest(world, crm_folder)
    crm.write_people(world, market, crm_folder)
    crm.write_accounts(world, market, first_win, crm_folder)
    commerce.write_products(crm_folder)
    orders = commerce.joined(
        commerce.deal_orders(world, wins), commerce.repeat_orders(world, market, first_win)
    )
    commerce.write_orders(orders, crm_folder)
    marketing.write_campaigns(world, crm_folder)
    plan.write_territories(manual)
    plan.write_assignments(world, market, manual)
    plan.write_quotas(world, market, plan.monthly(world, market, wins), manual)
    marketing.write_costs(world, manual, plan.heads(world, market))
    marketing.write_traffic(world, manual)
    marketing.write_rates(world, manual)
    commerce.write_surveys(world, market, first_win, manual)
    (folder / "truth" / "world.json").write_bytes(_description(world).encode())
    (folder / "salestrack.toml").write_bytes(TOML.format(language=world.language).encode())
    return world


def truth(world: World, dates: Sequence[date], *, outcomes: bool = False) -> pd.DataFrame:
    """The true probabilities of every deal that is open at the end of each of the given days.

    Parameters
    ----------
    world : the world, as given to or returned by `generate`
    dates : days of its recorded time
    outcomes : also give what became of the deal: `outcome` (won, lost, open, deleted) and `closed_date`

    Returns
    -------
    One row per deal and day: `deal_id`, `date`, `p_win`, `p_quarter_end`, `p_13_weeks`, `p_26_weeks`.

    Examples
    --------
    >>> frame = truth(World(deals=50), [date(2026, 10, 31)])
    >>> list(frame)
    ['deal_id', 'date', 'p_win', 'p_quarter_end', 'p_13_weeks', 'p_26_weeks']
    """
    for day in dates:
        if not world.start <= day <= world.end:
            raise InputError(f"the world has no {day}: its days run from {world.start} to {world.end}")
    frames = []
    for first, block in blocks(world, Market(world), dates):
        rows = block.truth
        frame = pd.DataFrame({name: rows[name] for name in HORIZONS})
        frame.insert(0, "date", rows["day"].astype("datetime64[D]").astype("datetime64[s]"))
        frame.insert(0, "deal_id", writing.words(writing.ids("deal", first + rows["deal"])))
        if outcomes:
            frame["outcome"], frame["closed_date"] = _outcomes(block)
        frames.append(frame)
    return pd.concat(frames).sort_values(["date", "deal_id"], kind="stable", ignore_index=True)


def blocks(world: World, market: Market, dates: Sequence[date]) -> Iterator[tuple[int, Block]]:
    """All blocks of deals in the order of creation, each with the number of its first deal."""
    process, campaigns, arrivals = Process(world), marketing.Campaigns(world), Arrivals(world, market)

    def live(topic: int, number: int, days: Ints) -> Block:
        random = Random(world, topic, number)
        drawn = draw(world, market, campaigns, random, topic * 10**9 + number * BLOCK, days)
        return Life(world, market, process, drawn, random, list(dates)).run()

    written, early = 0, arrivals.before()
    for number, start in enumerate(range(0, len(early), BLOCK)):
        block = live(10, number, early[start : start + BLOCK])
        block = block.take(np.flatnonzero(_open_at_start(world, block)))
        yield written, block
        written += len(block.stage)
    total = world.deals - written
    for number, first in enumerate(range(0, total, BLOCK)):
        last = min(first + BLOCK, total)
        days = arrivals.recorded(first, last, total, Random(world, 12, number))
        yield written + first, live(11, number, days)


def _open_at_start(world: World, block: Block) -> NDArray[np.bool_]:
    """Deals of the warm-up that are open when the recorded time starts."""
    moves, start = block.moves, day_number(world.start)
    stage = np.zeros(len(block.stage), dtype=np.int64)
    before = moves["day"] < start
    stage[moves["deal"][before]] = moves["stage"][before]
    kept = (stage < CLOSED_WON) & ~((block.deals.deleted >= 0) & (block.deals.deleted <= start))
    return kept


def _outcomes(block: Block) -> tuple[NDArray[np.str_], NDArray[np.datetime64]]:
    """How the deal's life of each row of the truth ended: its first closing after that day."""
    moves = block.moves
    closing = moves["stage"] >= CLOSED_WON
    key = moves["deal"][closing] * 100_000 + moves["day"][closing]
    order = np.argsort(key, kind="stable")
    key, stage = np.append(key[order], -1), np.append(moves["stage"][closing][order], -1)
    row = block.truth["deal"]
    place = np.searchsorted(key[:-1], row * 100_000 + block.truth["day"], side="right")
    found = key[place] // 100_000 == row
    end = np.where(block.deals.deleted[row] >= 0, "deleted", "open")
    outcome = np.where(found, np.where(stage[place] == CLOSED_WON, "won", "lost"), end)
    day = (key[place] % 100_000).astype("datetime64[D]").astype("datetime64[s]")
    return outcome, np.where(found, day, np.datetime64("NaT"))


def _write_blocks(world: World, market: Market, crm_folder: Path, truth_folder: Path) -> tuple[Wins, Ints]:
    """Everything that comes block by block; returns the won deals and each account's first win (-1: none)."""
    first_win = np.full(len(market.accounts.seat), -1)
    wins, history, line, lead, done = [], 0, 0, 0, (0, 0)
    for number, (first, block) in enumerate(blocks(world, market, world.month_ends())):
        random = Random(world, 20, number)
        wins.append(_won(block, first))
        _note_first(first_win, wins[-1])
        account = block.deals.account
        known = (first_win[account] >= 0) & (first_win[account] < block.deals.day)
        isnew = (~known & (market.accounts.customer[account] == 0)).astype(np.int64)
        crm.write_deals(world, market, block, first, isnew, random, crm_folder)
        history = crm.write_history(world, block, first, history, crm_folder)
        crm.write_changes(block, first, crm_folder)
        line = crm.write_lines(block, first, line, crm_folder)
        lead = leads.write_leads(world, market, block, first, lead, random, crm_folder)
        found = activities.contacts(block.activities, first, random)
        done = activities.write(world, found, done, random, crm_folder)
        _write_truth(block, first, truth_folder)
    for found in (activities.care(world, market), activities.time_sheets(world, market)):
        done = activities.write(world, found, done, Random(world, 21, done[0]), crm_folder)
    return Wins.join(wins), first_win


def _won(block: Block, first: int) -> Wins:
    _, _, closed = block.status()
    won, deals = np.flatnonzero((block.stage == CLOSED_WON) & (block.deals.deleted < 0)), block.deals
    return Wins(first + won, deals.account[won], closed[won], block.amount[won], deals.family[won],
                deals.currency[won], deals.discount[won], block.owner[won])  # fmt: skip


def _note_first(first_win: Ints, wins: Wins) -> None:
    never = np.iinfo(np.int64).max
    day = np.where(first_win < 0, never, first_win)
    np.minimum.at(day, wins.account, wins.day)
    first_win[:] = np.where(day == never, -1, day)


def _write_truth(block: Block, first: int, folder: Path) -> None:
    rows = block.truth
    cells = {"deal_id": writing.ids("deal", first + rows["deal"]), "date": writing.dates(rows["day"])}
    cells |= {name: writing.fraction(rows[name], 4) for name in HORIZONS}
    writing.append(folder / "deal_truth.csv", cells)


def _description(world: World) -> str:
    """world.json: parameters and the rules by which the truth is to be read."""
    rules = {
        "file": "one row per deal and month end at which it is open; deals deleted by then are left out",
        "p": "probability that the deal's current life ends as won, given all that is recorded up to the end "
        "of that day; the observer knows the process, the first owner's skill, the account's quality and the "
        "amount even where it was entered late, but not the deal's own quality",
        "p_win": "ever",
        "p_quarter_end": "by the last day of the calendar quarter in which the following day lies",
        "p_13_weeks": "within 91 days",
        "p_26_weeks": "within 182 days",
        "amounts": "changes of amounts and owners tell nothing about the outcome, the first ones do",
        "reopened": "closed deals are reopened at random; the first life counts up to its closing, "
        "a reopened deal has rows of its new life",
        "deleted": "deals are deleted at random, whatever their outcome; what would follow is not recorded",
        "activities": "recorded from the start of the world on; before it there is stage history only",
    }
    ends = {
        day.isoformat(): {k: v.isoformat() for k, v in horizons(day).items()} for day in world.month_ends()
    }
    parameters = {k: v.isoformat() if isinstance(v, date) else v for k, v in asdict(world).items()}
    end = world.end.isoformat()
    every = {"world": parameters, "end": end, "rules": rules, "horizon_dates": ends}
    return dumps(every, indent=1, ensure_ascii=False) + "\n"
