"""What was known of every open deal on a row of past days, and what became of it.

One row is one open deal on one day. Every field uses only what happened *strictly before* that day, so that a model
learns from what it will see when it is used. Deals that are still open keep their rows: leaving them out, or taking
the last row of closed deals instead, is what makes most win probabilities worse than the plain win rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, TypeAlias

import duckdb
import pandas as pd

from salestrack.errors import InputError

Relation: TypeAlias = duckdb.DuckDBPyRelation
Frame: TypeAlias = Any  # pandas, Polars or Arrow frame, or a DuckDB relation

STEP_DAYS = 28
ACTIVITY_DAYS = 91
OWNER_SHRINK = 8
CONTACT = ("call", "email", "meeting", "sms", "social")
NUMBERS = ("age_days", "days_in_stage", "pushes_per_week", "activities_per_week", "owner_win_rate", "amount")
LEVELS = ("stage", "segment", "source")
FIELDS = (*LEVELS, *NUMBERS)
COLUMNS = ("snapshot_date", "deal_id", "stage_name", "amount_base", *FIELDS)

NEEDED = {
    "deals": ("deal_id", "created_at"),
    "deal_versions": ("deal_id", "valid_from", "valid_to", "stage_id", "status", "owner_rep_id", "pushes"),
    "stage_spells": ("deal_id", "stage_name", "entered_at", "left_at"),
    "activities": ("deal_id", "started_at", "is_done"),
    "exchange_rates": ("from_currency_code", "to_currency_code", "rate_date", "rate"),
}
EMPTY = {
    "activities": "SELECT NULL::VARCHAR AS deal_id, NULL::TIMESTAMP AS started_at, false AS is_done LIMIT 0",
    "exchange_rates": "SELECT NULL::VARCHAR AS from_currency_code, NULL::VARCHAR AS to_currency_code, "
    "NULL::DATE AS rate_date, NULL::DOUBLE AS rate LIMIT 0",
}


def relations(connection: duckdb.DuckDBPyConnection | None = None, **frames: Frame | None) -> dict[str, Relation]:
    """The given frames as DuckDB relations of one connection; a missing optional table becomes an empty one."""
    connection = connection or duckdb.connect()
    tables = {}
    for name, frame in frames.items():
        if frame is None:
            frame = connection.sql(EMPTY[name])
        elif isinstance(frame, pd.DataFrame):
            frame = connection.from_df(frame)
        elif not isinstance(frame, Relation):
            frame = connection.from_arrow(frame)
        for column in NEEDED[name]:
            if column not in frame.columns:
                raise InputError.missing_column(column, f"win_probability({name})", frame.columns)
        tables[name] = frame
    # a state of no length was never there on any day
    tables["deal_versions"] = tables["deal_versions"].filter("valid_to IS NULL OR valid_to > valid_from")
    return tables


def grid(first: date, as_of: date, *, step_days: int = STEP_DAYS) -> list[date]:
    """The snapshot days, the last one the day after `as_of` (its rows know everything up to the end of `as_of`).

    >>> grid(date(2026, 1, 1), date(2026, 2, 28))
    [datetime.date(2026, 1, 4), datetime.date(2026, 2, 1), datetime.date(2026, 3, 1)]
    """
    end = as_of + timedelta(days=1)
    steps = max((end - first).days // step_days, 0)
    return [end - timedelta(days=step_days * k) for k in range(steps, -1, -1)]


def snapshots(
    tables: dict[str, Relation], *, as_of: date, currency: str | None = None, step_days: int = STEP_DAYS
) -> pd.DataFrame:
    """Every open deal on every snapshot day, with the nine fields as known strictly before that day.

    Parameters
    ----------
    tables : what `relations` returns: deals, deal_versions, stage_spells, activities, exchange_rates
    as_of : the last day that counts; the last snapshot is the state at its end
    currency : the reporting currency that open amounts are converted to; None when there is only one
    step_days : days between two snapshots

    Returns
    -------
    One row per day and deal, sorted: `snapshot_date`, `deal_id`, `stage_name`, `amount_base`, the nine fields
    (`stage`, `segment`, `source`; `age_days`, `days_in_stage`, `pushes_per_week`, `activities_per_week` of the
    last 91 days, `owner_win_rate` shrunk towards everybody's, `amount`). Unknown is NaN, an unnamed group
    "(missing)". No open deal on any day: no row.
    """
    deals, versions = tables["deals"], tables["deal_versions"]
    first = versions.aggregate("min(valid_from)::DATE").fetchone()
    assert first is not None
    days = grid(first[0] or as_of, as_of, step_days=step_days)
    names = {
        "days": ", ".join(f"(TIMESTAMP '{day}')" for day in days),
        "amount": _amount(versions, currency),
        "currency": _or_null(versions, "currency_code"),
        "segment": _or_null(deals, "segment"),
        "source": _or_null(deals, "lead_source"),
        "contact": _contact(tables["activities"]),
        "known_at": _known_at(tables["activities"]),
        "seq": "seq" if "seq" in tables["stage_spells"].columns else "0",
        "to_currency": f"'{currency}'" if currency else "NULL",
    }
    return _run(_SNAPSHOTS.format(**names), tables)[list(COLUMNS)]


def outcomes(
    tables: dict[str, Relation], rows: pd.DataFrame, *, as_of: date, horizon_days: int
) -> pd.DataFrame:
    """The snapshots whose horizon has passed by the end of `as_of`, with `won`: was the deal won at its end?

    A deal that is still open (or open again) at the end of its horizon counts 0: not yet won.
    """
    end = pd.Timestamp(as_of + timedelta(days=1))
    due = rows["snapshot_date"] + pd.Timedelta(days=horizon_days)
    ripe = rows[due <= end]
    keys = ripe[["deal_id", "snapshot_date"]]
    found = _run(_OUTCOMES.format(horizon=int(horizon_days)), {**tables, "keys": keys})
    return ripe.merge(found, on=["deal_id", "snapshot_date"], how="left", validate="one_to_one").reset_index(drop=True)


def closings(tables: dict[str, Relation], *, as_of: date) -> pd.DataFrame:
    """Every deal's state at the end of `as_of`: deal_id, status, and `won_age_days` (age at its win, else NaN)."""
    return _run(_CLOSINGS.format(end=as_of + timedelta(days=1)), tables)


def _run(sql: str, tables: dict[str, Any]) -> pd.DataFrame:
    """The result of `sql` over relations of one connection, their names being the tables of the query."""
    deals, deal_versions = tables["deals"], tables["deal_versions"]  # noqa: F841 - found by name in the query
    stage_spells, activities = tables["stage_spells"], tables["activities"]  # noqa: F841
    exchange_rates, keys = tables["exchange_rates"], tables.get("keys")  # noqa: F841
    frame: pd.DataFrame = deal_versions.query("versions", sql).df()
    if "snapshot_date" in frame:
        frame["snapshot_date"] = frame["snapshot_date"].astype("datetime64[us]")
    return frame


def _amount(versions: Relation, currency: str | None) -> str:
    """How an open amount becomes one of the reporting currency, from the columns that are there."""
    has = versions.columns
    if "amount_base" in has:
        return "amount_base::DOUBLE"
    if "amount" not in has:
        raise InputError.missing_column("amount", "win_probability(deal_versions)", has)
    if "currency_code" not in has:
        return "amount::DOUBLE"
    if currency:
        return f"amount::DOUBLE * CASE WHEN currency_code = '{currency}' THEN 1 ELSE rate END"
    if len(versions.project("currency_code").filter("currency_code IS NOT NULL").distinct().fetchmany(2)) > 1:
        raise InputError("deal_versions hold mixed currencies: give currency and exchange_rates, or a column amount_base")
    return "amount::DOUBLE"


def _or_null(relation: Relation, column: str) -> str:
    return column if column in relation.columns else "NULL"


def _contact(activities: Relation) -> str:
    """Only contact with the customer counts as activity, where the type is known."""
    if "activity_type" not in activities.columns:
        return "true"
    return f"activity_type IN ({_quoted(CONTACT)})"


def _known_at(activities: Relation) -> str:
    """When an activity was known to be done: a planned one may start long before it is ticked off."""
    if "completed_at" not in activities.columns:
        return "started_at"
    return "greatest(started_at, coalesce(completed_at, started_at))"


def _quoted(words: Sequence[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


_SNAPSHOTS = f"""
WITH days(t) AS (VALUES {{days}}),
known AS (
    SELECT deal_id, created_at::TIMESTAMP AS created_at, {{segment}} AS segment, {{source}} AS source FROM deals
),
open_deals AS (
    SELECT t, v.* FROM days JOIN deal_versions v
      ON v.valid_from < t AND (v.valid_to IS NULL OR v.valid_to >= t)
    WHERE v.status = 'open'
),
rates AS (
    SELECT from_currency_code, rate_date::TIMESTAMP AS rate_date, max(rate)::DOUBLE AS rate
    FROM exchange_rates WHERE to_currency_code = {{to_currency}} GROUP BY ALL
),
priced AS (
    SELECT o.t, o.deal_id, o.stage_id, o.owner_rep_id, o.pushes, {{amount}} AS amount
    FROM (SELECT *, {{currency}} AS priced_in FROM open_deals) o
    ASOF LEFT JOIN rates r ON o.priced_in = r.from_currency_code AND r.rate_date < o.t
),
-- a stay of no length never holds a snapshot
stays AS (
    SELECT deal_id, entered_at, arg_max(stage_name, {{seq}}) AS stage_name FROM stage_spells
    WHERE left_at IS NULL OR left_at > entered_at GROUP BY ALL
),
contacts AS (
    SELECT deal_id, {{known_at}} AS at FROM activities WHERE is_done AND deal_id IS NOT NULL AND {{contact}}
),
active AS (
    SELECT t, deal_id, count(*) AS contacts
    FROM days JOIN contacts ON at < t AND at >= t - INTERVAL {ACTIVITY_DAYS} DAY GROUP BY ALL
),
-- deals now won and lost by owner, as a running sum: +1 when a closed state begins, -1 when it ends
moves AS (
    SELECT owner_rep_id, valid_from AS at, (status = 'won')::INT AS won, 1 AS closed
    FROM deal_versions WHERE status IN ('won', 'lost')
    UNION ALL
    SELECT owner_rep_id, valid_to, -(status = 'won')::INT, -1
    FROM deal_versions WHERE status IN ('won', 'lost') AND valid_to IS NOT NULL
),
everybody AS (
    SELECT at, sum(sum(won)) OVER (ORDER BY at) AS won, sum(sum(closed)) OVER (ORDER BY at) AS closed
    FROM moves GROUP BY at
),
owners AS (
    SELECT owner_rep_id, at, sum(sum(won)) OVER mine AS won, sum(sum(closed)) OVER mine AS closed
    FROM moves WHERE owner_rep_id IS NOT NULL GROUP BY owner_rep_id, at
    WINDOW mine AS (PARTITION BY owner_rep_id ORDER BY at)
),
base AS (
    SELECT t, CASE WHEN closed > 0 THEN won / closed END AS rate
    FROM days ASOF LEFT JOIN everybody ON everybody.at < days.t
),
aged AS (
    SELECT p.*, k.segment, k.source, greatest(epoch(p.t - k.created_at) / 86400, 0)::DOUBLE AS age_days
    FROM priced p JOIN known k USING (deal_id)
)
SELECT a.t AS snapshot_date, a.deal_id, coalesce(s.stage_name, a.stage_id) AS stage_name, a.amount AS amount_base,
       coalesce(a.stage_id, '(missing)') AS stage,
       coalesce(a.segment, '(missing)') AS segment,
       coalesce(a.source, '(missing)') AS source,
       a.age_days,
       (epoch(a.t - s.entered_at) / 86400)::DOUBLE AS days_in_stage,
       (a.pushes / greatest(a.age_days / 7, 1))::DOUBLE AS pushes_per_week,
       (coalesce(c.contacts, 0) / greatest(least(a.age_days, {ACTIVITY_DAYS}) / 7, 1))::DOUBLE AS activities_per_week,
       ((coalesce(w.won, 0) + {OWNER_SHRINK} * b.rate) / (coalesce(w.closed, 0) + {OWNER_SHRINK}))::DOUBLE
           AS owner_win_rate,
       a.amount
FROM aged a
JOIN base b ON a.t = b.t
ASOF LEFT JOIN stays s ON a.deal_id = s.deal_id AND s.entered_at < a.t
ASOF LEFT JOIN owners w ON a.owner_rep_id = w.owner_rep_id AND w.at < a.t
LEFT JOIN active c ON a.t = c.t AND a.deal_id = c.deal_id
ORDER BY snapshot_date, a.deal_id
"""

_OUTCOMES = """
SELECT k.deal_id, k.snapshot_date, (v.status = 'won')::INT AS won
FROM (SELECT deal_id, snapshot_date, snapshot_date + INTERVAL {horizon} DAY AS due FROM keys) k
ASOF LEFT JOIN deal_versions v ON k.deal_id = v.deal_id AND v.valid_from < k.due
"""

_CLOSINGS = """
SELECT v.deal_id, v.status,
       CASE WHEN v.status = 'won' THEN (epoch(v.valid_from - d.created_at::TIMESTAMP) / 86400)::DOUBLE END AS won_age_days
FROM (
    SELECT deal_id, arg_max(status, valid_from) AS status, max(valid_from) AS valid_from
    FROM deal_versions WHERE valid_from < TIMESTAMP '{end}' GROUP BY deal_id
) v JOIN deals d USING (deal_id)
ORDER BY v.deal_id
"""
