"""Win probability of open deals: fitted, judged forward in time, taken back where it has nothing to say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from salestrack.errors import InputError
from salestrack.models.additive import AdditiveModel, Rung
from salestrack.models.card import ModelCard, fingerprint, plain, records, versions
from salestrack.models.ladder import Climbed, climb
from salestrack.models.leaks import leak_scan
from salestrack.models.reasons import reasons
from salestrack.models.rungs import Fitted
from salestrack.models.snapshots import (
    FIELDS,
    STEP_DAYS,
    Frame,
    Relation,
    closings,
    deals_to_scan,
    end_of,
    labels_of_open,
    left_out,
    outcomes,
    relations,
    snapshots,
)

if TYPE_CHECKING:
    from salestrack.book import Book

HORIZON_DAYS = 182
SEED = 20261031
STATIC = {"segment": "segment", "source": "lead_source"}
TABLES = ("deals", "deal_versions", "stage_spells", "activities", "exchange_rates")


@dataclass(frozen=True)
class WinProbability:
    """What `win_probability` found; see there for the columns of each frame."""

    rung: Rung
    why: dict[str, Any]
    scores: pd.DataFrame
    evaluation: pd.DataFrame
    reliability: pd.DataFrame
    by_origin: pd.DataFrame
    by_stage: pd.DataFrame
    coefficients: pd.DataFrame
    model: AdditiveModel
    card: ModelCard
    by_quarter_end: WinProbability | None = None


def win_probability(
    book: Book, *, horizon_days: int = HORIZON_DAYS, quarter_end: bool = True, seed: int = SEED
) -> WinProbability:
    """Probability of each open deal to be won within the horizon, from the simplest model not beaten.

    Formula: base rate, then the stage's rate, then a logistic regression on nine fields; a richer one is
    taken only where its mean log-loss gain on snapshots that it had not seen is above one standard error
    (clusters: deals).

    Parameters
    ----------
    book : a Book as of a day
    horizon_days : days from the end of `book.as_of` within which a win counts
    quarter_end : also fit wins up to the end of the (fiscal) quarter of the next day, as `by_quarter_end`
    seed : seed of the bootstrap intervals; nothing else is random

    Returns
    -------
    `rung` ("base", "stage" or "logistic") and `why` (a `verdict` and the numbers behind it);
    `scores`: one row per open deal with `deal_id`, `deal_name`, `team`, `stage_name`, `amount_base`,
    `age_days`, `p_win`, `low`, `high` (95 %), `expected_value` (NaN without amount), `older_than_any_win`,
    `reasons_up`, `reasons_down` (tuples of Reason: field, value, effect in percentage points);
    `evaluation`: one row per rung (`brier`, `log_loss`, `auc`, `skill_vs_base`, `skill_vs_stage`, `n`, …);
    `reliability`, `by_origin`, `by_stage`, `coefficients`, the `model` and its `card`.
    Nothing open: `scores` is empty. No snapshot old enough to have an outcome: `p_win` is NaN.
    """
    tables = relations({name: book.table(name) for name in TABLES})
    data = _prepare(tables, book.as_of, end=book.at.cutoff, currency=book.config.currency)
    person_level = book.config.privacy.person_level
    whole = _fit(data, horizon_days, seed=seed, person_level=person_level)
    if not quarter_end:
        return whole
    left = _days_left_of_quarter(book)
    return replace(whole, by_quarter_end=_fit(data, left, seed=seed, person_level=person_level))


def _days_left_of_quarter(book: Book) -> int:
    """Days from the book's day to the end of the quarter in which the next day lies."""
    month, start = book.month, book.config.fiscal_year_start_month
    last = month.containing("quarter", fiscal_year_start=start).last_day
    if last == book.as_of:
        last = month.shifted(1).containing("quarter", fiscal_year_start=start).last_day
    return (last - book.as_of).days


def fit_frames(
    deals: Frame,
    deal_versions: Frame,
    stage_spells: Frame,
    activities: Frame | None = None,
    exchange_rates: Frame | None = None,
    *,
    as_of: date,
    currency: str | None = None,
    horizon_days: int = HORIZON_DAYS,
    step_days: int = STEP_DAYS,
    seed: int = SEED,
    person_level: bool = False,
) -> WinProbability:
    """`win_probability` of plain frames: pandas frames, or DuckDB relations of one connection.

    What happened after `as_of` changes nothing. Amounts in several currencies need `currency` and
    `exchange_rates`, or a column `amount_base` in `deal_versions`.

    Examples
    --------
    >>> day = pd.Timestamp("2026-10-05")
    >>> deals = pd.DataFrame({"deal_id": ["a"], "created_at": [day]})
    >>> state = {"stage_id": ["s"], "status": ["open"], "amount": [9.0], "owner_rep_id": ["r"], "pushes": [0]}
    >>> versions = pd.DataFrame({"deal_id": ["a"], "valid_from": [day], "valid_to": [pd.NaT], **state})
    >>> stay = {"stage_name": ["s"], "entered_at": [day], "left_at": [pd.NaT]}
    >>> spells = pd.DataFrame({"deal_id": ["a"], **stay})
    >>> found = fit_frames(deals, versions, spells, as_of=date(2026, 10, 31))
    >>> found.rung, found.why["verdict"]
    ('base', 'too_few_deals')
    """
    frames = (deals, deal_versions, stage_spells, activities, exchange_rates)
    tables = relations(dict(zip(TABLES, frames, strict=True)))
    data = _prepare(tables, as_of, end=end_of(as_of), currency=currency, step_days=step_days)
    return _fit(data, horizon_days, seed=seed, person_level=person_level)


@dataclass(frozen=True)
class _Data:
    """Snapshots and states of one book, made once and used for every horizon."""

    tables: dict[str, Relation]
    rows: pd.DataFrame
    labels: pd.DataFrame
    states: pd.DataFrame
    as_of: date
    end: datetime
    step_days: int
    found: list[dict[str, Any]]
    left_out: int

    def day(self, snapshot_at: Any) -> date:
        """The day at whose end a snapshot was taken."""
        return self.as_of - timedelta(days=(pd.Timestamp(self.end) - pd.Timestamp(snapshot_at)).days)


def _prepare(
    tables: dict[str, Relation],
    as_of: date,
    *,
    end: datetime,
    currency: str | None,
    step_days: int = STEP_DAYS,
) -> _Data:
    rows = snapshots(tables, end=end, currency=currency, step_days=step_days)
    states = closings(tables, end=end)
    labels = labels_of_open(tables, end=end)
    found = leak_scan(deals_to_scan(tables, end=end))
    return _Data(tables, rows, labels, states, as_of, end, step_days, found, left_out(tables))


def _fit(data: _Data, horizon_days: int, *, seed: int, person_level: bool) -> WinProbability:
    if horizon_days < 1:
        raise InputError(f"a horizon must be at least one day, not {horizon_days}: give horizon_days=182")
    rows = outcomes(data.tables, data.rows, end=data.end, horizon_days=horizon_days)
    flagged = {finding["column"]: finding["check"] for finding in data.found}
    refused = {field: flagged[column] for field, column in STATIC.items() if column in flagged}
    with threadpool_limits(limits=1):
        found = climb(rows, [f for f in FIELDS if f not in refused], horizon_days, seed=seed)
        scores = _scores(data, found.fitted, person_level)
    by_origin = found.by_origin.assign(origin=[data.day(at) for at in found.by_origin["origin"]])
    found = replace(found, by_origin=by_origin)
    return WinProbability(
        rung=found.rung,
        why=found.why,
        scores=scores,
        evaluation=found.evaluation,
        reliability=found.reliability,
        by_origin=found.by_origin,
        by_stage=found.by_stage,
        coefficients=found.fitted.model.coefficients(),
        model=found.fitted.model,
        card=_card(data, rows, found, refused, seed),
    )


def _scores(data: _Data, fitted: Fitted, person_level: bool) -> pd.DataFrame:
    """The deals that are open now, likeliest first."""
    now = data.rows[data.rows["snapshot_at"] == pd.Timestamp(data.end)].reset_index(drop=True)
    low, high = fitted.interval(now)
    up, down = reasons(fitted.model, now, person_level=person_level)
    told = now[["deal_id", "stage_name", "age_days"]].assign(
        amount_base=now["amount"],
        p_win=fitted.model.predict(now),
        low=low,
        high=high,
        older_than_any_win=now["age_days"] > data.states["won_age_days"].max(),
        reasons_up=pd.Series(up, dtype=object),
        reasons_down=pd.Series(down, dtype=object),
    )
    out = told.merge(data.labels, on="deal_id", how="left", validate="one_to_one")
    if "amount_base_cents" in out:  # the Book's own conversion, equal to the cent to every other page
        out["amount_base"] = out["amount_base_cents"].astype(float) / 100
    out["expected_value"] = out["p_win"] * out["amount_base"]
    names = [c for c in data.labels if c != "amount_base_cents"]
    numbers = ["stage_name", "amount_base", "age_days", "p_win", "low", "high", "expected_value"]
    shown = out[[*names, *numbers, "older_than_any_win", "reasons_up", "reasons_down"]]
    return shown.sort_values(["p_win", "deal_id"], ascending=[False, True], ignore_index=True)


def _card(data: _Data, rows: pd.DataFrame, found: Climbed, refused: dict[str, str], seed: int) -> ModelCard:
    status = data.states["status"].value_counts()
    times, model = data.rows["snapshot_at"], found.fitted.model
    return ModelCard(
        as_of=data.as_of,
        horizon_days=model.horizon_days,
        first_snapshot=data.day(times.min()) if len(times) else None,
        last_training_snapshot=data.day(rows["snapshot_at"].max()) if len(rows) else None,
        step_days=data.step_days,
        deals={name: int(status.get(name, 0)) for name in ("won", "lost", "open")}
        | {"left_out": data.left_out},
        snapshots={
            "all": len(data.rows),
            "labelled": len(rows),
            "fitted": found.why["snapshots"],
            "tested": found.why["tested"],
        },
        rung=found.rung,
        why=plain(found.why),
        gate=plain(found.gate),
        scheme=found.why["scheme"],
        evaluation=records(found.evaluation),
        by_origin=records(found.by_origin),
        by_stage=records(found.by_stage),
        reliability=records(found.reliability),
        fields=list(model.fields),
        refused=refused,
        leak_scan=plain(data.found),
        seed=seed,
        data_sha256=fingerprint(data.rows),
        versions=versions(),
        model=model.as_dict(),
    )
