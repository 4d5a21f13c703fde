"""What was known of every open deal on a row of past days, and what became of it.

One row is one open deal at one instant. Every field uses only what happened *strictly before* it, so that a
model learns from what it will see when it is used. Deals that are still open keep their rows: leaving them
out, or taking the last row of closed deals instead, makes a win probability worse than the plain win rate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, TypeAlias

import duckdb
import pandas as pd

from salestrack.errors import InputError

Relation: TypeAlias = duckdb.DuckDBPyRelation
Frame: TypeAlias = pd.DataFrame | Relation

STEP_DAYS = 28
ACTIVITY_DAYS = 91
OWNER_SHRINK = 8
LABELS = ("deal_name", "account_id", "team", "territory", "expected_close_date", "amount_base_cents")
CONTACT = ("call", "email", "meeting", "sms", "social")
NUMBERS = ("age_days", "days_in_stage", "pushes_per_week", "activities_per_week", "owner_win_rate", "amount")
LEVELS = ("stage", "segment", "source")
FIELDS = (*LEVELS, *NUMBERS)
COLUMNS = ("snapshot_at", "deal_id", "stage_name", *FIELDS)

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


def relations(frames: Mapping[str, Frame | None]) -> dict[str, Relation]:
    """The given frames as DuckDB relations of one connection; an optional one that is None becomes empty."""
    connection = duckdb.connect()
    tables = {}
    for name, frame in frames.items():
        if frame is None:
            frame = connection.sql(EMPTY[name])
        elif isinstance(frame, pd.DataFrame):
            frame = connection.from_df(frame.copy())  # DuckDB cannot read a reversed view such as frame[::-1]
        elif not isinstance(frame, Relation):
            raise InputError(
                f"{name} is a {type(frame).__name__}: give a pandas frame (to_pandas) or a DuckDB relation"
            )
        for column in NEEDED[name]:
            if column not in frame.columns:
                raise InputError.missing_column(column, f"win_probability({name})", frame.columns)
        tables[name] = frame
    # a state of no length was never there on any day
    tables["deal_versions"] = tables["deal_versions"].filter("valid_to IS NULL OR valid_to > valid_from")
    return tables


def end_of(as_of: date) -> datetime:
    """The first instant after a day, where no time zone says otherwise.

    >>> end_of(date(2026, 10, 31))
    datetime.datetime(2026, 11, 1, 0, 0)
    """
    return datetime.combine(as_of + timedelta(days=1), time())


def grid(first: datetime, end: datetime, *, step_days: int = STEP_DAYS) -> list[datetime]:
    """The snapshot instants after `first`, `step_days` apart, the last one `end`.

    >>> [f"{t:%d.%m.}" for t in grid(datetime(2026, 1, 1), datetime(2026, 3, 1))]
    ['04.01.', '01.02.', '01.03.']
    """
    steps = max((end - first).days // step_days, 0)
    return [end - timedelta(days=step_days * k) for k in range(steps, -1, -1)]


def snapshots(
    tables: dict[str, Relation], *, end: datetime, currency: str | None = None, step_days: int = STEP_DAYS
) -> pd.DataFrame:
    """Every open deal at every snapshot, with the nine fields as known strictly before that instant.

    Parameters
    ----------
    tables : what `relations` returns: deals, deal_versions, stage_spells, activities, exchange_rates
    end : the last snapshot: the first instant (UTC) after the last day that counts
    currency : the reporting currency that open amounts are converted to; None when there is only one
    step_days : days between two snapshots

    Returns
    -------
    One row per snapshot and deal, sorted: `snapshot_at`, `deal_id`, `stage_name`, nine fields (`stage`,
    `segment`, `source`; `age_days`, `days_in_stage`, `pushes_per_week`, `activities_per_week` of the last 91
    days, `owner_win_rate` shrunk towards everybody's, `amount` in the reporting currency). Unknown is NaN, an
    unnamed group "(missing)". Segment and source are those of today: they are taken as fixed from the start.
    No open deal at any snapshot: no row.
    """
    deals, versions = tables["deals"], tables["deal_versions"]
    found = versions.aggregate("min(valid_from)::TIMESTAMP").fetchall()
    days = grid(found[0][0] or end, end, step_days=step_days)
    names = {
        "days": ", ".join(f"({_instant(day)})" for day in days),
        "amount": _amount(versions, currency),
        "currency": _or_null(versions, "currency_code"),
        "credit": "credit_rep_id" if "credit_rep_id" in versions.columns else "owner_rep_id",
        "segment": _or_null(deals, "segment"),
        "source": _or_null(deals, "lead_source"),
        "contact": _contact(tables["activities"]),
        "known_at": _known_at(tables["activities"]),
        "seq": "seq" if "seq" in tables["stage_spells"].columns else "0",
        "to_currency": f"'{currency}'" if currency else "NULL",
    }
    return _run(_SNAPSHOTS.format(**names), tables)[list(COLUMNS)]


def outcomes(
    tables: dict[str, Relation], rows: pd.DataFrame, *, end: datetime, horizon_days: int
) -> pd.DataFrame:
    """The snapshots whose horizon has passed by `end`, with `won`: was the deal won at its end?

    A deal that is still open (or open again) at the end of its horizon counts 0: not yet won.
    """
    due = rows["snapshot_at"] + pd.Timedelta(days=horizon_days)
    ripe = rows[due <= pd.Timestamp(end)]
    keys = ripe[["deal_id", "snapshot_at"]]
    found = _run(_OUTCOMES.format(horizon=int(horizon_days)), {**tables, "keys": keys})
    joined = ripe.merge(found, on=["deal_id", "snapshot_at"], how="left", validate="one_to_one")
    return joined.reset_index(drop=True)


def closings(tables: dict[str, Relation], *, end: datetime) -> pd.DataFrame:
    """Every deal just before `end`: deal_id, status, and `won_age_days` (its age when won, else NaN)."""
    return _run(_CLOSINGS.format(end=_instant(end)), tables)


def left_out(tables: dict[str, Relation]) -> int:
    """Number of deals that have a history but no row among the deals: deleted since, not fitted."""
    counted = _run(_LEFT_OUT, tables)
    return int(counted["deals"].iloc[0])


def labels_of_open(tables: dict[str, Relation], *, end: datetime) -> pd.DataFrame:
    """Names of the deals that are open just before `end`: deal_id and those of `LABELS` that there are."""
    has = tables["deals"].columns
    names = ", ".join(["d.deal_id", *(f"d.{label}" for label in LABELS if label in has)])
    return _run(_OPEN.format(end=_instant(end), names=names), tables)


def deals_to_scan(tables: dict[str, Relation], *, end: datetime, most: int = 50_000) -> pd.DataFrame:
    """Deals with every column they came with and their `status` just before `end`; a fixed sample of many."""
    names = ", ".join(f'd."{column}"' for column in tables["deals"].columns if column != "status")
    return _run(_SCANNED.format(end=_instant(end), names=names, most=most), tables)


def _run(sql: str, tables: dict[str, Any]) -> pd.DataFrame:
    """The result of `sql` over relations of one connection, their names being the tables of the query."""
    deals, deal_versions = tables["deals"], tables["deal_versions"]  # noqa: F841 - found by name in the query
    stage_spells, activities = tables["stage_spells"], tables["activities"]  # noqa: F841
    exchange_rates, keys = tables["exchange_rates"], tables.get("keys")  # noqa: F841
    frame: pd.DataFrame = deal_versions.query("versions", sql).df()
    if "snapshot_at" in frame:
        frame["snapshot_at"] = frame["snapshot_at"].astype("datetime64[us]")
    return frame


def _instant(when: datetime) -> str:
    return f"TIMESTAMP '{when:%Y-%m-%d %H:%M:%S}'"


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
    if (
        len(
            versions.project("currency_code")
            .filter("currency_code IS NOT NULL")
            .distinct()
            .limit(2)
            .fetchall()
        )
        > 1
    ):
        raise InputError(
            "deal_versions hold mixed currencies: give currency and exchange_rates, or a column amount_base"
        )
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
    SELECT deal_id, created_at::TIMESTAMP AS created_at, {{segment}} AS segment, {{source}} AS source
    FROM deals
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
    SELECT deal_id, {{known_at}} AS since FROM activities
    WHERE is_done AND deal_id IS NOT NULL AND {{contact}}
),
active AS (
    SELECT t, deal_id, count(*) AS contacts
    FROM days JOIN contacts ON since < t AND since >= t - INTERVAL {ACTIVITY_DAYS} DAY GROUP BY ALL
),
-- deals now won and lost by owner, as a running sum: +1 when a closed state begins, -1 when it ends
moves AS (
    SELECT {{credit}} AS owner_rep_id, valid_from AS since, (status = 'won')::INT AS won, 1 AS closed
    FROM deal_versions WHERE status IN ('won', 'lost')
    UNION ALL
    SELECT {{credit}}, valid_to, -(status = 'won')::INT, -1
    FROM deal_versions WHERE status IN ('won', 'lost') AND valid_to IS NOT NULL
),
everybody AS (
    SELECT since, sum(sum(won)) OVER (ORDER BY since) AS won, sum(sum(closed)) OVER (ORDER BY since) AS closed
    FROM moves GROUP BY since
),
owners AS (
    SELECT owner_rep_id, since, sum(sum(won)) OVER mine AS won, sum(sum(closed)) OVER mine AS closed
    FROM moves WHERE owner_rep_id IS NOT NULL GROUP BY owner_rep_id, since
    WINDOW mine AS (PARTITION BY owner_rep_id ORDER BY since)
),
base AS (
    SELECT t, CASE WHEN closed > 0 THEN won / closed END AS rate
    FROM days ASOF LEFT JOIN everybody ON everybody.since < days.t
),
aged AS (
    SELECT p.*, k.segment, k.source, greatest(epoch(p.t - k.created_at) / 86400, 0)::DOUBLE AS age_days
    FROM priced p JOIN known k USING (deal_id)
)
SELECT a.t AS snapshot_at, a.deal_id, coalesce(s.stage_name, a.stage_id) AS stage_name,
       coalesce(a.stage_id, '(missing)') AS stage,
       coalesce(a.segment, '(missing)') AS segment,
       coalesce(a.source, '(missing)') AS source,
       a.age_days,
       (epoch(a.t - s.entered_at) / 86400)::DOUBLE AS days_in_stage,
       (a.pushes / greatest(a.age_days / 7, 1))::DOUBLE AS pushes_per_week,
       (coalesce(c.contacts, 0) / greatest(least(a.age_days, {ACTIVITY_DAYS}) / 7, 1))::DOUBLE
           AS activities_per_week,
       ((coalesce(w.won, 0) + {OWNER_SHRINK} * b.rate) / (coalesce(w.closed, 0) + {OWNER_SHRINK}))::DOUBLE
           AS owner_win_rate,
       a.amount
FROM aged a
JOIN base b ON a.t = b.t
ASOF LEFT JOIN stays s ON a.deal_id = s.deal_id AND s.entered_at < a.t
ASOF LEFT JOIN owners w ON a.owner_rep_id = w.owner_rep_id AND w.since < a.t
LEFT JOIN active c ON a.t = c.t AND a.deal_id = c.deal_id
ORDER BY snapshot_at, a.deal_id
"""

_OUTCOMES = """
SELECT k.deal_id, k.snapshot_at, (v.status = 'won')::INT AS won
FROM (SELECT deal_id, snapshot_at, snapshot_at + INTERVAL {horizon} DAY AS due FROM keys) k
ASOF LEFT JOIN deal_versions v ON k.deal_id = v.deal_id AND v.valid_from < k.due
"""

_STATES = """
    SELECT d.*, s.status AS state, s.won_at FROM deals d JOIN (
        SELECT deal_id, arg_max(status, valid_from) AS status,
               min(valid_from) FILTER (status = 'won') AS won_at
        FROM deal_versions WHERE valid_from < {end} GROUP BY deal_id
    ) s USING (deal_id)
"""

_CLOSINGS = f"""
SELECT deal_id, state AS status,
       CASE WHEN state = 'won' THEN (epoch(won_at - created_at::TIMESTAMP) / 86400)::DOUBLE END
           AS won_age_days
FROM ({_STATES}) ORDER BY deal_id
"""

_LEFT_OUT = "SELECT count(DISTINCT deal_id) AS deals FROM deal_versions ANTI JOIN deals USING (deal_id)"

_OPEN = f"SELECT {{names}} FROM ({_STATES}) d WHERE state = 'open' ORDER BY d.deal_id"

_SCANNED = f"""
SELECT {{names}}, state AS status FROM ({_STATES}) d
ORDER BY md5(d.deal_id), d.deal_id LIMIT {{most}}
"""
