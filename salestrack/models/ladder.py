"""From rung to rung: each richer model must prove itself on snapshots that it had not seen."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from salestrack.models import evaluate as ev
from salestrack.models.additive import Rung
from salestrack.models.rungs import Fitted, fit_base, fit_logistic, fit_stage

MIN_STAGE, MIN_LOGISTIC = 20, 40


@dataclass(frozen=True)
class Climbed:
    """The rung reached, fitted to all labelled snapshots, with its tests and the tables about it."""

    rung: Rung
    fitted: Fitted
    gate: list[dict[str, Any]]
    why: dict[str, Any]
    evaluation: pd.DataFrame
    reliability: pd.DataFrame
    by_origin: pd.DataFrame
    by_stage: pd.DataFrame


def climb(rows: pd.DataFrame, fields: list[str], horizon_days: int, *, seed: int) -> Climbed:
    """The richest rung that beats the simpler one by more than a standard error of mean log loss.

    Fewer than 20 deals won or 20 not: base rate. Fewer than 40 of either: at most the stage rate. Of more
    than 20,000 deals an even sample is used.
    """
    rows = ev.thinned(rows)
    won, other = ev.usable_deals(rows)
    fits = _allowed(min(won, other), fields)
    rungs = list(fits)
    scheme, cuts = ev.folds(rows, horizon_days, MIN_LOGISTIC if "logistic" in fits else MIN_STAGE)
    said = ev.predictions(rows, cuts, fits, horizon_days)
    rung, gate = _reached(said, rungs)
    counts = {"won": won, "not_won": other, "snapshots": len(rows), "tested": len(said), "scheme": scheme}
    return Climbed(
        rung=rung,
        fitted=fits[rung](rows, horizon_days),
        gate=gate,
        why={"verdict": verdict(rung, min(won, other)), **counts, **_gate_numbers(gate)},
        evaluation=ev.scores_by_rung(said, rungs, seed=seed),
        reliability=ev.reliability(said, rung),
        by_origin=ev.by_group(said, rungs, "origin"),
        by_stage=ev.by_group(said, rungs, "stage_name"),
    )


def verdict(rung: Rung, least: int) -> str:
    """The outcome as one word for a page to word; `least` is the fewer of won and not won deals.

    >>> verdict("stage", 300)
    'no_signal_beyond_stage'
    """
    if least < MIN_STAGE:
        return "too_few_deals"
    if rung == "base":
        return "no_signal"
    if rung == "logistic":
        return "nine_fields_win"
    return "too_few_for_fields" if least < MIN_LOGISTIC else "no_signal_beyond_stage"


def _allowed(least: int, fields: list[str]) -> dict[Rung, ev.Fit]:
    fits: dict[Rung, ev.Fit] = {"base": fit_base}
    if least >= MIN_STAGE:
        fits["stage"] = fit_stage
    if least >= MIN_LOGISTIC:
        fits["logistic"] = partial(fit_logistic, fields=fields)
    return fits


def _reached(said: pd.DataFrame, rungs: list[Rung]) -> tuple[Rung, list[dict[str, Any]]]:
    rung, gate = rungs[0], []
    for richer in rungs[1:]:
        gate.append(ev.gain(said, richer, rung))
        rung = richer if gate[-1]["passed"] else rung
    return rung, gate


def _gate_numbers(gate: list[dict[str, Any]]) -> dict[str, Any]:
    """`stage_over`, `stage_gain`, `stage_standard_error`, the same for `logistic`, and what they needed."""
    tests = {
        f"{step['rung']}_{key}": step[key] for step in gate for key in ("over", "gain", "standard_error")
    }
    return {"needed_for_stage": MIN_STAGE, "needed_for_logistic": MIN_LOGISTIC} | tests
