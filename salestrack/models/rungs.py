"""The three rungs of the ladder: base rate, stage rate, logistic regression on the nine fields."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import betaincinv
from sklearn.linear_model import LogisticRegression

from salestrack.models.additive import (
    AdditiveModel,
    Array,
    LevelEffect,
    NumberEffect,
    logit,
    sigmoid,
    signed_log,
)
from salestrack.models.snapshots import FIELDS, LEVELS, NUMBERS
from salestrack.stats.intervals import Z95

STAGE_SHRINK = 8
RARE_DEALS = 20
C = 0.05


@dataclass(frozen=True)
class Fitted:
    """A rung fitted to training snapshots: its model and a 95 % interval for the probability of each row."""

    model: AdditiveModel
    interval: Callable[[pd.DataFrame], tuple[Array, Array]]


def beta_interval(rate: Array | float, deals: Array | float) -> tuple[Array, Array]:
    """95 % Beta interval (Jeffreys) of a rate that rests on so many independent deals.

    >>> low, high = beta_interval(0.3, 20)
    >>> round(float(low), 2), round(float(high), 2)
    (0.14, 0.52)
    """
    a, b = rate * deals + 0.5, (1 - rate) * deals + 0.5
    return betaincinv(a, b, 0.025), betaincinv(a, b, 0.975)


def _rate(won: pd.Series) -> float:
    """Share of ones, with half a case added to either side so that it is never 0 or 1; NaN of nothing."""
    return float((won.sum() + 0.5) / (len(won) + 1)) if len(won) else float("nan")


def fit_base(train: pd.DataFrame, horizon_days: int) -> Fitted:
    """The same probability for every deal; its interval counts deals, not snapshots."""
    rate = _rate(train["won"])
    low, high = beta_interval(rate, train["deal_id"].nunique())
    model = AdditiveModel("base", horizon_days, float(logit(rate)))
    return Fitted(model, lambda rows: (np.full(len(rows), float(low)), np.full(len(rows), float(high))))


def fit_stage(train: pd.DataFrame, horizon_days: int) -> Fitted:
    """Each stage's rate, shrunk to the base rate as if by eight deals more."""
    base = _rate(train["won"])
    by = train.groupby("stage").agg(mean=("won", "mean"), deals=("deal_id", "nunique"))
    rates = (by["mean"] * by["deals"] + STAGE_SHRINK * base) / (by["deals"] + STAGE_SHRINK)
    effects = logit(rates.to_numpy()) - logit(base)
    stage = LevelEffect("stage", dict(zip(rates.index.tolist(), effects.tolist(), strict=True)))
    weight = (by["deals"] + STAGE_SHRINK).to_dict()

    def interval(rows: pd.DataFrame) -> tuple[Array, Array]:
        deals = rows["stage"].map(weight).fillna(STAGE_SHRINK).to_numpy(dtype=float)
        return beta_interval(model.predict(rows), deals)

    model = AdditiveModel("stage", horizon_days, float(logit(base)), levels=(stage,))
    return Fitted(model, interval)


def fit_logistic(
    train: pd.DataFrame, horizon_days: int, fields: Sequence[str] = FIELDS, c: float = C
) -> Fitted:
    """Ridge logistic regression on standardised signed logs and one-hot groups; nothing random in it."""
    columns = _columns(train, fields)
    x = _design(train, columns)
    fit = LogisticRegression(C=c, solver="newton-cholesky", tol=1e-10, max_iter=200).fit(x, train["won"])
    weights = fit.coef_[0]
    centre = x.mean(axis=0)
    model = _additive(columns, weights, centre, float(fit.intercept_[0]), horizon_days)

    def interval(rows: pd.DataFrame) -> tuple[Array, Array]:
        spread = _sandwich(x - centre, train, model.predict(train), c)
        d = np.column_stack([np.ones(len(rows)), _design(rows, columns) - centre])
        half = Z95 * np.sqrt(np.einsum("ij,jk,ik->i", d, spread, d))
        middle = model.log_odds(rows)
        return sigmoid(middle - half), sigmoid(middle + half)

    return Fitted(model, interval)


@dataclass(frozen=True)
class _Column:
    """One column of the design matrix: a level of a group, a standardised number or its missing flag."""

    field: str
    kind: str  # "level", "other", "number" or "missing"
    level: str = ""
    known: tuple[str, ...] = ()
    mean: float = 0.0
    scale: float = 1.0

    def values(self, rows: pd.DataFrame) -> Array:
        if self.kind == "level":
            return np.asarray(rows[self.field] == self.level, dtype=float)
        if self.kind == "other":
            return np.asarray(~rows[self.field].isin(self.known), dtype=float)
        x = signed_log(rows[self.field])
        if self.kind == "missing":
            return np.isnan(x).astype(float)
        return np.nan_to_num((x - self.mean) / self.scale, nan=0.0)


def _columns(train: pd.DataFrame, fields: Sequence[str]) -> list[_Column]:
    """The design of the training data: groups with enough deals, numbers that vary, flags for missing."""
    columns: list[_Column] = []
    for field in (f for f in LEVELS if f in fields):
        deals = train.groupby(field)["deal_id"].nunique().sort_index()
        known = tuple(deals.index[deals >= RARE_DEALS])
        columns += [_Column(field, "level", level=level) for level in known]
        if known and len(known) < len(deals):
            columns.append(_Column(field, "other", known=known))
    for field in (f for f in NUMBERS if f in fields):
        x = signed_log(train[field])
        missing = np.isnan(x)
        scale = float(np.nanstd(x)) if not missing.all() else 0.0
        if scale > 1e-9:
            columns.append(_Column(field, "number", mean=float(np.nanmean(x)), scale=scale))
            if train.loc[missing, "deal_id"].nunique() >= RARE_DEALS:
                columns.append(_Column(field, "missing"))
    return columns


def _design(rows: pd.DataFrame, columns: Sequence[_Column]) -> Array:
    return (
        np.column_stack([column.values(rows) for column in columns]) if columns else np.zeros((len(rows), 1))
    )


def _additive(
    columns: Sequence[_Column], weights: Array, centre: Array, intercept: float, horizon_days: int
) -> AdditiveModel:
    """The fitted weights as effects around the average training deal."""
    found = list(zip(columns, weights.tolist(), centre.tolist(), strict=True)) if columns else []
    levels, numbers = [], []
    for field in dict.fromkeys(column.field for column, _, _ in found):
        mine = [(column, weight, mean) for column, weight, mean in found if column.field == field]
        average = sum(weight * mean for _, weight, mean in mine)
        if field in LEVELS:
            effects = {column.level: weight - average for column, weight, _ in mine if column.kind == "level"}
            other = sum(weight for column, weight, _ in mine if column.kind == "other")
            levels.append(LevelEffect(field, effects, other - average))
        else:
            number, slope, _ = mine[0]
            missing = sum(weight for column, weight, _ in mine[1:])
            numbers.append(NumberEffect(field, slope, number.mean, number.scale, -average, missing - average))
    start = intercept + float(weights @ centre) if columns else intercept
    return AdditiveModel("logistic", horizon_days, start, tuple(levels), tuple(numbers))


def _sandwich(x: Array, train: pd.DataFrame, p: Array, c: float) -> Array:
    """Covariance of the weights that allows for snapshots of one deal being alike (clusters are deals)."""
    d = np.column_stack([np.ones(len(x)), x])
    penalty = np.diag([0.0] + [1 / c] * x.shape[1])
    bread = np.linalg.inv((d * (p * (1 - p))[:, None]).T @ d + penalty)
    scores = d * (train["won"].to_numpy() - p)[:, None]
    deals = pd.factorize(train["deal_id"])[0]
    sums = np.zeros((deals.max() + 1, d.shape[1]))
    np.add.at(sums, deals, scores)
    result: Array = bread @ (sums.T @ sums) @ bread
    return result
