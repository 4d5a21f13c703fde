"""A small pipeline whose true win probabilities are known, for the tests of the models."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import numpy as np
import pandas as pd

AS_OF = date(2026, 10, 31)
WEEKS = 156
STAGES = ("1 contact", "2 offer", "3 decision")
START = datetime.combine(AS_OF + timedelta(days=1), time()) - timedelta(weeks=WEEKS)


@dataclass(frozen=True)
class World:
    """Frames as `fit_frames` takes them, and each open deal's true probability to be won within 26 weeks."""

    frames: dict[str, pd.DataFrame]
    truth: pd.Series


def _chances(stage: np.ndarray, s: np.ndarray, by_stage: bool) -> tuple[np.ndarray, np.ndarray]:
    """Weekly chance to move on and to be lost; one multinomial logit of stage and index."""
    level = stage if by_stage else 0 * stage
    ahead, lost = np.exp(-1.6 - 0.1 * level + 0.5 * s), np.exp(-2.6 - 0.2 * level - 0.5 * s)
    return ahead / (1 + ahead + lost), lost / (1 + ahead + lost)


def _when(weeks: np.ndarray) -> pd.Series:
    seconds = pd.to_timedelta(np.floor(weeks * 7 * 86400), unit="s")
    return pd.Series(pd.Timestamp(START) + seconds).astype("datetime64[us]")


def world(deals: int, *, seed: int = 1, effect: float = 1.0, stages: int = 3) -> World:
    """Deals that move week by week through `stages`; `effect` = 0 takes all signal but the stage away.

    With one stage and no effect nothing known about a deal says anything about its chance.
    """
    rng = np.random.default_rng(seed)
    segment, source, rep = rng.integers(0, 3, deals), rng.integers(0, 4, deals), rng.integers(0, 12, deals)
    amount = np.round(np.exp(rng.normal(9.5, 1, deals)), 2)
    s = np.array([0.6, 0, -0.6])[segment] + np.array([0.5, 0.2, -0.2, -0.5])[source]
    s = effect * (s + rng.normal(0, 0.4, 12)[rep] - 0.25 * (np.log(amount) - 9.5))
    ids = np.array([f"D{i:05d}" for i in range(deals)])
    created = rng.uniform(0, WEEKS, deals)
    spans = _walk(rng, created, s, stages)
    versions = spans.assign(deal_id=ids[spans["i"]], amount=amount[spans["i"]], pushes=0)
    versions["owner_rep_id"] = np.array([f"R{r:02d}" for r in range(12)])[rep[spans["i"]]]
    is_open = versions["status"] == "open"
    spells = versions[is_open].rename(columns={"valid_from": "entered_at", "valid_to": "left_at"})
    life = (spans.groupby("i")["since"].max().to_numpy() - created).clip(1)
    calls = np.repeat(np.arange(deals), rng.poisson(4, deals))
    frames = {
        "deals": pd.DataFrame(
            {
                "deal_id": ids,
                "deal_name": [f"Deal {i}" for i in range(deals)],
                "segment": np.array(["small", "mid-market", "enterprise"])[segment],
                "lead_source": np.array(["referral", "web", "event", "cold call"])[source],
                "created_at": _when(created),
            }
        ),
        "deal_versions": versions.drop(columns=["i", "since", "stage_name"]),
        "stage_spells": spells[["deal_id", "stage_name", "entered_at", "left_at"]].reset_index(drop=True),
        "activities": pd.DataFrame(
            {
                "deal_id": ids[calls],
                "started_at": _when(np.minimum(created[calls] + rng.random(len(calls)) * life[calls], WEEKS)),
                "is_done": True,
                "activity_type": "call",
            }
        ),
    }
    last = spans[(spans["status"] == "open") & spans["valid_to"].isna()]
    stage = last["stage_id"].str[0].astype(int).to_numpy() - 1
    truth = _won_within(26, stage, s[last["i"]], stages)
    return World(frames, pd.Series(truth, index=ids[last["i"]]))


def _walk(rng: np.random.Generator, created: np.ndarray, s: np.ndarray, stages: int) -> pd.DataFrame:
    n = len(created)
    now, entered, stage, alive = created.copy(), created.copy(), np.zeros(n, int), np.ones(n, bool)
    rows: list[tuple[int, float, float, str, str]] = []
    while alive.any():
        i = np.flatnonzero(alive)
        ahead, lost = _chances(stage[i], s[i], stages > 1)
        draw = rng.random(n)[i]
        now[i] += 1
        for deal in i[now[i] >= WEEKS]:
            rows.append((deal, entered[deal], np.nan, STAGES[stage[deal]], "open"))
        moves = (now[i] < WEEKS) & (draw < ahead + lost)
        for deal, won in zip(i[moves], (draw < ahead)[moves], strict=True):
            rows.append((deal, entered[deal], now[deal], STAGES[stage[deal]], "open"))
            entered[deal] = now[deal]
            closed = not won or stage[deal] == stages - 1
            if closed:
                rows.append((deal, now[deal], np.nan, "closed", "won" if won else "lost"))
            alive[deal], stage[deal] = not closed, stage[deal] + (not closed)
        alive[i[now[i] >= WEEKS]] = False
    out = pd.DataFrame(rows, columns=["i", "since", "until", "stage_id", "status"])
    out = out.assign(valid_from=_when(out["since"].to_numpy()), stage_name=out["stage_id"].str[2:])
    out["valid_to"] = _when(out["until"].fillna(0).to_numpy()).where(out["until"].notna())
    return out.drop(columns="until")


def _won_within(weeks: int, stage: np.ndarray, s: np.ndarray, stages: int) -> np.ndarray:
    p = np.zeros((stages + 1, len(s)))
    p[stages] = 1
    for _ in range(weeks):
        before = p.copy()
        for k in range(stages):
            ahead, lost = _chances(np.full(len(s), k), s, stages > 1)
            p[k] = ahead * before[k + 1] + (1 - ahead - lost) * before[k]
    return p[stage, np.arange(len(s))]
