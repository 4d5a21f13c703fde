"""How good a probability was for deals that it had not seen, judged forward in time and by deal.

Snapshots of one deal are alike, so every standard error and every bootstrap draws deals, never snapshots.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from salestrack.models.additive import Array
from salestrack.models.rungs import Fitted
from salestrack.stats.intervals import wilson

Scheme = Literal["forward", "by deal", "none"]
Fit = Callable[[pd.DataFrame, int], Fitted]
Fold = tuple[pd.Timestamp | None, pd.Series, pd.Series]

MIN_CASES = 20
MOST_DEALS = 20_000
MIN_ORIGINS = 3
MAX_ORIGINS = 26
FOLDS = 5
DRAWS = 500


def thinned(rows: pd.DataFrame, most: int = MOST_DEALS) -> pd.DataFrame:
    """The snapshots of at most so many deals, evenly picked by id: more would cost time and tell little."""
    place, deals = pd.factorize(rows["deal_id"], sort=True)
    step = -(-len(deals) // most) if most else 1
    return rows[place % step == 0].reset_index(drop=True) if step > 1 else rows


def usable_deals(rows: pd.DataFrame) -> tuple[int, int]:
    """Distinct deals that were won within the horizon of some snapshot, and those that never were."""
    won = rows.groupby("deal_id")["won"].max()
    return int(won.sum()), int((1 - won).sum())


def forward_folds(rows: pd.DataFrame, horizon_days: int, least: int = MIN_CASES) -> list[Fold]:
    """Test on the snapshots of one day, train on those whose horizon had passed by that day.

    Days with fewer than `least` won or other deals to learn from are skipped; the newest 26 days are used.
    """
    due = rows["snapshot_at"] + pd.Timedelta(days=horizon_days)
    folds: list[Fold] = []
    for day in sorted(rows["snapshot_at"].unique(), reverse=True)[:MAX_ORIGINS]:
        train = due <= day
        if min(usable_deals(rows[train])) < least:
            break
        folds.append((pd.Timestamp(day), train, rows["snapshot_at"] == day))
    return folds[::-1]


def deal_folds(rows: pd.DataFrame) -> list[Fold]:
    """Five folds, each deal whole in one of them; for histories too short to be tested forward."""
    order = pd.Series(pd.factorize(rows["deal_id"], sort=True)[0], index=rows.index) % FOLDS
    return [(None, order != fold, order == fold) for fold in range(FOLDS)]


def folds(rows: pd.DataFrame, horizon_days: int, least: int = MIN_CASES) -> tuple[Scheme, list[Fold]]:
    """Forward in time where that tests half of the deals and three days at least, else by deal, else none."""
    if min(usable_deals(rows)) < MIN_CASES:
        return "none", []
    forward = forward_folds(rows, horizon_days, least)
    tested = rows["snapshot_at"].isin([day for day, _, _ in forward])
    if len(forward) >= MIN_ORIGINS and 2 * rows.loc[tested, "deal_id"].nunique() >= rows["deal_id"].nunique():
        return "forward", forward
    return "by deal", deal_folds(rows)


def predictions(
    rows: pd.DataFrame, cuts: Sequence[Fold], fits: Mapping[Any, Fit], horizon_days: int
) -> pd.DataFrame:
    """Every test snapshot with what each rung said about it before it knew: one column per rung."""
    if not cuts:
        nothing = rows.iloc[:0]
        return nothing[["deal_id", "stage", "stage_name", "won"]].assign(
            fold=0, origin=nothing["snapshot_at"], **dict.fromkeys(fits, 0.0)
        )
    return pd.concat(_predicted(rows, cuts, fits, horizon_days), ignore_index=True)


def _predicted(
    rows: pd.DataFrame, cuts: Sequence[Fold], fits: Mapping[Any, Fit], horizon_days: int
) -> Iterator[pd.DataFrame]:
    for fold, (day, train, test) in enumerate(cuts):
        seen, new = rows[train], rows[test]
        said = {name: fit(seen, horizon_days).model.predict(new) for name, fit in fits.items()}
        origin = new["snapshot_at"] if day is None else day
        yield new[["deal_id", "stage", "stage_name", "won"]].assign(fold=fold, origin=origin, **said)


def brier(won: Array, p: Array) -> Array:
    """Squared distance of each probability from what happened."""
    result: Array = (p - won) ** 2
    return result


def log_loss(won: Array, p: Array) -> Array:
    """Minus the log of the probability given to what happened."""
    result: Array = -np.log(np.where(won == 1, p, 1 - p))
    return result


def auc(won: Array, p: Array) -> float:
    """Chance that a won case got a higher figure than another; ties count half, NaN when one kind is missing.

    >>> auc(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.4, 0.9]))
    0.875
    """
    hits, ranks = np.asarray(won) == 1, pd.Series(p).rank().to_numpy()
    ones = int(hits.sum())
    zeros = len(hits) - ones
    if not ones or not zeros:
        return float("nan")
    return float((ranks[hits].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def auc_within(said: pd.DataFrame, rung: str) -> float:
    """`auc` among the snapshots of one origin, averaged over origins by their pairs; NaN without a pair.

    Pooled over origins a base rate that moves with time would seem to rank deals.
    """
    pairs = total = 0.0
    for _, part in said.groupby(["fold", "origin"]):
        weight = float(part["won"].sum() * (1 - part["won"]).sum())
        if weight:
            pairs, total = pairs + weight, total + weight * auc(part["won"].to_numpy(), part[rung].to_numpy())
    return total / pairs if pairs else float("nan")


def gain(said: pd.DataFrame, rung: str, over: str) -> dict[str, Any]:
    """Mean log-loss gain of `rung` over `over`, its cluster-robust standard error, and whether it passes.

    Formula: passed = gain > 1 standard error (clusters are deals).
    """
    won = said["won"].to_numpy()
    difference = log_loss(won, said[over].to_numpy()) - log_loss(won, said[rung].to_numpy())
    mean = float(difference.mean())
    sums = pd.Series(difference - mean).groupby(said["deal_id"].to_numpy()).sum().to_numpy()
    few = len(sums) / max(len(sums) - 1, 1)
    error = float(np.sqrt(few * (sums**2).sum()) / len(difference))
    return {"rung": rung, "over": over, "gain": mean, "standard_error": error, "passed": mean > error}


def scores_by_rung(said: pd.DataFrame, rungs: Sequence[str], *, seed: int) -> pd.DataFrame:
    """Brier, log loss, AUC and skill of each rung, with 95 % bootstrap intervals over deals.

    Returns
    -------
    One row per rung: `rung`, `brier`, `log_loss`, `auc` (within origins), `skill_vs_base`, `skill_vs_stage`
    (1 - Brier / Brier of the simpler rung), `low`, `high` (of `skill_vs_base`), `stage_low`, `stage_high` (of
    `skill_vs_stage`), `n` snapshots and `deals`. Nothing tested: `n` is 0, the rest NaN.
    """
    order = ["rung", "brier", "log_loss", "auc", "skill_vs_base", "skill_vs_stage", "low", "high"]
    order += ["stage_low", "stage_high", "n", "deals"]
    if said.empty:
        return pd.DataFrame({"rung": list(rungs), "n": 0, "deals": 0}, columns=order)
    won = said["won"].to_numpy()
    losses = pd.DataFrame({rung: brier(won, said[rung].to_numpy()) for rung in rungs})
    sums = losses.groupby(said["deal_id"].to_numpy()).sum().to_numpy()
    draws = (
        np.random.default_rng(seed).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), DRAWS) @ sums
    )
    totals = sums.sum(axis=0)
    out = []
    for i, rung in enumerate(rungs):
        row: dict[str, Any] = {
            "rung": rung,
            "brier": totals[i] / len(said),
            "log_loss": float(log_loss(won, said[rung].to_numpy()).mean()),
            "auc": auc_within(said, rung),
        }
        for over, low, high in (("base", "low", "high"), ("stage", "stage_low", "stage_high")):
            row[f"skill_vs_{over}"] = row[low] = row[high] = np.nan
            if over in rungs and rungs.index(over) < i:
                j = rungs.index(over)
                row[f"skill_vs_{over}"] = 1 - totals[i] / totals[j]
                row[low], row[high] = np.quantile(1 - draws[:, i] / draws[:, j], [0.025, 0.975])
        out.append({**row, "n": len(said), "deals": len(sums)})
    return pd.DataFrame(out)[order]


def reliability(said: pd.DataFrame, rung: str, *, bins: int = 10) -> pd.DataFrame:
    """What was said against what happened, in up to ten bins of equally many snapshots.

    Returns
    -------
    One row per bin, rising: `bin`, `p_mean` (said), `share` (won), `low`, `high` (95 % Wilson bars that count
    deals, not snapshots), `won`, `n` snapshots, `deals`. Equal probabilities share a bin.
    """
    if said.empty:
        return pd.DataFrame(
            columns=["bin", "p_mean", "share", "low", "high", "won", "n", "deals"], dtype=float
        )
    edges = np.unique(np.quantile(said[rung], np.linspace(0, 1, bins + 1)[1:-1]))
    place = np.searchsorted(edges, said[rung].to_numpy(), side="left")
    out = (
        said.assign(bin=pd.factorize(place, sort=True)[0] + 1)
        .groupby("bin")
        .agg(
            p_mean=(rung, "mean"),
            share=("won", "mean"),
            won=("won", "sum"),
            n=("won", "size"),
            deals=("deal_id", "nunique"),
        )
        .reset_index()
    )
    low, high = wilson(out["share"] * out["deals"], out["deals"])
    return out.assign(low=low, high=high)[["bin", "p_mean", "share", "low", "high", "won", "n", "deals"]]


def by_group(said: pd.DataFrame, rungs: Sequence[str], group: str) -> pd.DataFrame:
    """One row per `origin` or `stage_name`: cases, won share, mean probability and losses of each rung."""
    won = said["won"].to_numpy()
    parts: dict[str, Any] = {"won": won}
    for rung in rungs:
        p = said[rung].to_numpy()
        parts |= {f"p_{rung}": p, f"brier_{rung}": brier(won, p), f"log_loss_{rung}": log_loss(won, p)}
    frame = pd.DataFrame(parts, index=said.index).groupby(said[group])
    out = frame.mean().assign(n=frame.size(), won=frame["won"].sum(), share=frame["won"].mean()).reset_index()
    first = [group, "n", "won", "share"]
    return out[[*first, *(column for column in out if column not in first)]]
