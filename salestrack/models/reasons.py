"""Why a deal has the probability it has: the exact effect of each field, no approximation."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from salestrack.models.additive import AdditiveModel, sigmoid

PERSONAL = ("owner_win_rate",)
MOST = 3


class Reason(NamedTuple):
    """One field of one deal: its value and what it does to the probability (in percentage points)."""

    field: str
    value: Any
    effect: float


def effects(model: AdditiveModel, rows: pd.DataFrame) -> pd.DataFrame:
    """Percentage points that each field adds to a row's probability.

    Formula: 100 * (p - p with this field's contribution replaced by that of the average training deal, 0).
    """
    log_odds = model.log_odds(rows)
    parts = model.contributions(rows)
    without = sigmoid(log_odds[:, None] - parts.to_numpy())
    return pd.DataFrame(100 * (sigmoid(log_odds)[:, None] - without), index=rows.index, columns=parts.columns)


def reasons(
    model: AdditiveModel, rows: pd.DataFrame, *, person_level: bool = False
) -> tuple[list[tuple[Reason, ...]], list[tuple[Reason, ...]]]:
    """For each row the up to three fields that raise its probability most, and those that lower it most.

    The owner's past win rate is a figure about a person: it is only named with `person_level`.
    """
    points = effects(model, rows)
    shown = [field for field in points if person_level or field not in PERSONAL]
    values = rows.assign(stage=rows["stage_name"])[shown].to_dict("list")
    ups, downs = [], []
    for i, row in enumerate(points[shown].to_numpy()):
        order = np.argsort(row, kind="stable")
        named = [Reason(shown[j], values[shown[j]][i], float(row[j])) for j in order]
        downs.append(tuple(reason for reason in named[:MOST] if reason.effect < 0))
        ups.append(tuple(reason for reason in named[::-1][:MOST] if reason.effect > 0))
    return ups, downs
