"""A win probability that a person can read: log-odds as a start value plus one effect per field.

All rungs have this form: the base rate has no field, the stage rate has one, the logistic regression up to
nine. So one JSON, one prediction and one explanation serve all of them, and nothing is ever unpickled.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from salestrack.errors import DataError

FORMAT = "salestrack win probability 1"
Rung = Literal["base", "stage", "logistic"]
Array = NDArray[np.float64]


def signed_log(values: pd.Series | Array) -> Array:
    """sign(x) * log(1 + |x|): tames long tails, keeps zero and the sign, leaves unknown unknown.

    >>> signed_log(np.array([0.0, 1.0, -1.0])).round(3).tolist()
    [0.0, 0.693, -0.693]
    """
    x = np.asarray(values, dtype=float)
    result: Array = np.sign(x) * np.log1p(np.abs(x))
    return result


def sigmoid(log_odds: Array) -> Array:
    """The probability that belongs to log-odds.

    >>> sigmoid(np.array([0.0])).tolist()
    [0.5]
    """
    result: Array = 1 / (1 + np.exp(-np.asarray(log_odds, dtype=float)))
    return result


def logit(probability: Array | float) -> Array:
    """Log-odds of a probability, the inverse of `sigmoid`."""
    p = np.asarray(probability, dtype=float)
    result: Array = np.log(p) - np.log1p(-p)
    return result


@dataclass(frozen=True)
class NumberEffect:
    """Effect of a number: `slope` per deviation of its signed log, plus `present`; `missing` if unknown."""

    field: str
    slope: float
    mean: float
    scale: float
    present: float = 0.0
    missing: float = 0.0

    def effect(self, values: pd.Series) -> Array:
        x = signed_log(values)
        z = (x - self.mean) / self.scale
        return np.where(np.isnan(x), self.missing, self.slope * z + self.present)


@dataclass(frozen=True)
class LevelEffect:
    """Effect of a group: one figure per level known in training, `other` for rare and new ones."""

    field: str
    levels: Mapping[str, float]
    other: float = 0.0

    def effect(self, values: pd.Series) -> Array:
        return np.asarray(values.map(dict(self.levels)).fillna(self.other), dtype=np.float64)


@dataclass(frozen=True)
class AdditiveModel:
    """Log-odds = `start` (the average training deal) + one effect per field.

    >>> model = AdditiveModel("base", 182, float(logit(0.25)))
    >>> model.predict(pd.DataFrame({"stage": ["a", "b"]})).round(3).tolist()
    [0.25, 0.25]
    """

    rung: Rung
    horizon_days: int
    start: float
    levels: tuple[LevelEffect, ...] = ()
    numbers: tuple[NumberEffect, ...] = ()

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that have an effect."""
        return tuple(term.field for term in self._terms)

    @property
    def _terms(self) -> tuple[LevelEffect | NumberEffect, ...]:
        return (*self.levels, *self.numbers)

    def contributions(self, rows: pd.DataFrame) -> pd.DataFrame:
        """What each field adds to the log-odds of each row; with `start` they sum to the log-odds exactly."""
        effects = {term.field: term.effect(rows[term.field]) for term in self._terms}
        return pd.DataFrame(effects, index=rows.index, dtype=float)

    def log_odds(self, rows: pd.DataFrame) -> Array:
        """Start value plus contributions, added in the order of `fields`."""
        total = np.full(len(rows), self.start)
        for term in self._terms:
            total = total + term.effect(rows[term.field])
        return total

    def predict(self, rows: pd.DataFrame) -> Array:
        """Probability of each row to be won within `horizon_days`."""
        return sigmoid(self.log_odds(rows))

    def as_dict(self) -> dict[str, Any]:
        """The model as plain values; a start value that is unknown (nothing to learn from) is None."""
        start = self.start if math.isfinite(self.start) else None
        return {"format": FORMAT, **asdict(self), "start": start}

    def to_json(self) -> str:
        """The model as text that a person can read and that `from_json` turns into the same figures."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> AdditiveModel:
        """The model written by `to_json`; anything else is refused."""
        try:
            raw: dict[str, Any] = json.loads(text)
            if raw.pop("format") != FORMAT:
                raise KeyError
            start = math.nan if raw["start"] is None else float(raw["start"])
            levels = tuple(LevelEffect(**term) for term in raw.pop("levels"))
            numbers = tuple(NumberEffect(**term) for term in raw.pop("numbers"))
            return cls(**{**raw, "start": start}, levels=levels, numbers=numbers)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise DataError(
                f"this is not a model of the form '{FORMAT}': fit it again and store its to_json()"
            ) from None

    def coefficients(self) -> pd.DataFrame:
        """Every effect as a row: `field`, `level` (None for a number), `log_odds`, `mean`, `scale`.

        For a number `log_odds` is the effect of one standard deviation more (on the signed-log scale).
        """
        levels = [
            {"field": term.field, "level": level, "log_odds": effect}
            for term in self.levels
            for level, effect in term.levels.items()
        ]
        numbers = [
            {"field": term.field, "log_odds": term.slope, "mean": term.mean, "scale": term.scale}
            for term in self.numbers
        ]
        columns = ["field", "level", "log_odds", "mean", "scale"]
        return pd.DataFrame([*levels, *numbers], columns=columns).astype(
            {"field": "str", "level": "str", "log_odds": float, "mean": float, "scale": float}
        )
