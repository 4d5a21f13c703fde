"""Cycles and velocity by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals._common import (
    DAY,
    JUNK,
    Array,
    Z,
    aalen,
    days,
    median_bounds,
    real_deals,
    rows_of,
    spread_out,
    still_there,
    student,
)
from benchmarks.rivals.winning import WAITED, waited


def _sales_cycle(deals: pd.DataFrame) -> pd.DataFrame:
    closed = deals[deals["status"].isin(["won", "lost"])]
    took = days(closed["closed_date"]) - days(closed["created_date"])
    x = pd.DataFrame({"team": closed["team"], "won": closed["status"] == "won", "took": took})
    won = x["won"] & (x["took"] >= 0)
    deal = closed["account_id"].fillna(closed["deal_id"])
    middle = x["took"] - x["took"].where(won).groupby(x["team"], dropna=False).transform("median")
    sides = np.sign(middle[won]).groupby([x["team"], deal], dropna=False, sort=False).sum() ** 2
    spread = sides.groupby("team", dropna=False).sum().rename("spread")
    cells = x.groupby(["team", "won", "took"], dropna=False, sort=False).size().rename("n").reset_index()
    return _cycles(cells.merge(spread, on="team", how="left"))


def _cycles(cells: pd.DataFrame) -> pd.DataFrame:
    """Medians, means and quantiles from numbers of deals per day; `spread` is of the winners' accounts."""
    made = []
    for _, part in cells.sort_values("took").groupby("team", dropna=False):
        took, n, won = (part[c].to_numpy() for c in ("took", "n", "won"))
        fine, won = took >= 0, won.astype(bool)
        days_won = np.repeat(took[fine & won], n[fine & won])
        days_lost = np.repeat(took[fine & ~won], n[fine & ~won])
        count = len(days_won)
        place = int(median_bounds(count, part["spread"].iloc[0] / count)) if count else 0
        bounded = place >= 1
        made.append(
            {
                "sales_cycle": np.median(days_won) if count else np.nan,
                "low": days_won[place - 1] if bounded else np.nan,
                "high": days_won[count - place] if bounded else np.nan,
                "p90": np.quantile(days_won, 0.9) if count else np.nan,
                "mean": days_won.mean() if count else np.nan,
                "n": count,
                "days_to_lost": np.median(days_lost) if len(days_lost) else np.nan,
                "lost": len(days_lost),
                "negative": n[took < 0].sum(),
            }
        )
    return pd.DataFrame(made)


# Deals of one account on the same side of the median more often than chance widen its interval.
SALES_CYCLE = """
WITH h AS (SELECT team, status = 'won' AS won, closed_date - created_date AS took, count(*) AS n
           FROM deals WHERE status IN ('won', 'lost') GROUP BY ALL),
r AS (SELECT team, took, sum(n) OVER (PARTITION BY team ORDER BY took) AS rank,
             sum(n) OVER (PARTITION BY team) AS every
      FROM h WHERE won AND took >= 0),
m AS (SELECT team, min(took) FILTER (2 * rank >= every) + min(took) FILTER (2 * rank > every) AS twice
      FROM r GROUP BY team),
s AS (SELECT team, sum(side * side) AS spread
      FROM (SELECT d.team, sum(sign(2 * (closed_date - created_date) - twice)::INT) AS side
            FROM deals d JOIN m ON m.team IS NOT DISTINCT FROM d.team
            WHERE status = 'won' AND closed_date >= created_date
            GROUP BY d.team, coalesce(account_id, deal_id))
      GROUP BY team)
SELECT h.*, spread FROM h LEFT JOIN s ON h.team IS NOT DISTINCT FROM s.team
"""


def _expected_sales_cycle(deals: pd.DataFrame) -> pd.DataFrame:
    cells = pd.DataFrame({"lead_source": deals["lead_source"], "at": waited(deals)})
    sizes = cells.groupby(["lead_source", "at"], dropna=False, sort=False).size()
    return _expected(sizes.rename("n").reset_index())


def _expected(cells: pd.DataFrame) -> pd.DataFrame:
    cells = cells[cells["at"] & 7 < 4]
    names, row = rows_of(cells, ["lead_source"])
    at, n = cells["at"].to_numpy(), cells["n"].to_numpy()
    day, way, shape = at >> 3, at & 7, (len(names), (int(at.max()) >> 3) + 1)
    waits, won, lost = (spread_out(row, day, np.where(way == kind, n, 0), shape) for kind in range(3))
    left, seen = won + lost, won + lost + waits > 0
    risk = still_there(left + waits)
    share, after, variance = aalen(won, left, risk)
    final, waiting = share[:, -1], after[:, -1]

    def first(reached: Array, known: Array) -> Array:
        reached = reached & seen
        return np.where(known & reached.any(axis=1), reached.argmax(axis=1), np.nan)

    def half(event: Array) -> tuple[Array, Array, Array]:
        """The day of half of all events, and the days between which it lies."""
        f, _, v = (share, after, variance) if event is won else aalen(event, left, risk)
        both = aalen(event, left, risk, final=True)[2]
        gap, end = f - f[:, -1:] / 2, np.maximum(v, 0)
        wide = Z * np.sqrt(np.maximum(end + end[:, -1:] / 4 - both, 0))
        known = (f[:, -1] > 0) & (waiting <= 0.1)
        middle, low, high = (first(x > -1e-12, known) for x in (gap, gap + wide, gap - wide))
        return middle, low, high

    cycle, low, high = half(won)
    latest = share - (final + waiting)[:, None] / 2
    return pd.DataFrame(
        {
            "expected_sales_cycle": cycle,
            "low": low,
            "high": high,
            "latest": first(latest > -1e-12, final > 0),
            "time_to_lost": half(lost)[0],
            "expected_final": final,
            "undecided": waiting,
            "won": won.sum(axis=1),
            "lost": lost.sum(axis=1),
            "n": risk[:, 0],
            "matured": left.sum(axis=1) / risk[:, 0],
        }
    )


EXPECTED_SALES_CYCLE = f"SELECT lead_source, {WAITED}"


def _sales_velocity(deals: pd.DataFrame) -> pd.DataFrame:
    start = DAY - 364
    closed = deals["status"].isin(["won", "lost"]).to_numpy()
    begun, end = days(deals["created_date"]), np.where(closed, days(deals["closed_date"]), np.inf)
    seen = (end >= start) & (~closed | (deals["status"] == "won").to_numpy() | real_deals(deals))
    x = deals.loc[seen, ["status", "amount_base_cents", "account_id"]]
    begun, end, lost = begun[seen], end[seen], (x["status"] == "lost").to_numpy()
    last = deals.loc[seen, "last_open_amount_base_cents"].fillna(x["amount_base_cents"]).to_numpy(dtype=float)
    first = pd.Series(begun).groupby(x["account_id"].to_numpy()).transform("min").fillna(pd.Series(begun))
    x = pd.DataFrame(
        {
            "block": first.to_numpy() % 20,
            "since": np.maximum(start - begun, 0),
            "day": np.maximum(np.minimum(end, DAY) - begun, 0),
            "way": np.where(lost, 2, np.where(x["status"] == "won", 1, 0)),
            "cents": np.where(lost, last, x["amount_base_cents"].to_numpy(dtype=float)),
        }
    )
    known = x[x["cents"].notna()].astype({"block": int, "since": int, "day": int})
    known["rich"] = known["cents"].clip(lower=0)
    sums = {"n": ("cents", "size"), "cents": ("cents", "sum"), "rich": ("rich", "sum")}
    ends = known.groupby(["block", "day", "way"], sort=False).agg(**sums).reset_index()
    starts = known.groupby(["block", "since"], sort=False).agg(**sums).reset_index()
    cells = pd.concat([ends, starts.rename(columns={"since": "day"}).assign(way=3)])
    return _velocity(cells.assign(every=len(x), first=begun.min(), last=DAY))


def _velocity(cells: pd.DataFrame) -> pd.DataFrame:
    """The factors for all deals and without each block of accounts, from sums per block, day and way.

    Ways are 0 open, 1 won, 2 lost and 3 for the first day on which a deal is watched.
    """
    blocks, row = np.unique(cells["block"], return_inverse=True)
    way, b = cells["way"].to_numpy(), len(blocks)
    size = int(cells["day"].max()) + 1

    def sums(column: str) -> Array:
        """Way, all and then all but each block, day."""
        weight, day = cells[column].to_numpy(dtype=float), cells["day"].to_numpy().astype(int)
        made = spread_out(4 * row + way, day, weight, (4 * b, size)).reshape(b, 4, size)
        whole = made.sum(axis=0, keepdims=True)
        return np.concatenate([whole, whole - made]).transpose(1, 0, 2)

    def watched(parts: Array) -> Array:
        gone = parts[:3].sum(axis=0)
        return parts[3].cumsum(axis=1) - gone.cumsum(axis=1) + gone

    def steps(part: Array, risk: Array) -> Array:
        return np.divide(part, risk, out=np.zeros(part.shape), where=part > 0)

    n, cents, rich = sums("n"), sums("cents"), sums("rich")
    after = np.cumprod(1 - steps(n[1] + n[2], watched(n)), axis=1)
    last = size - 1 - np.argmax(n[:3].sum(axis=0)[:, ::-1] > 0, axis=1)
    stay = np.where(np.arange(size) < last[:, None], after, 0).sum(axis=1)
    value = watched(rich)
    left = np.cumprod(1 - steps(rich[1] + rich[2], value), axis=1)
    before = np.column_stack([np.ones(b + 1), left[:, :-1]])
    share = (before * steps(rich[1], value)).sum(axis=1)
    mean = cents[3, :, 0] / n[3, :, 0] / 100
    open_ = n[0].sum(axis=1)
    velocity = open_ * share * mean / stay
    logs = np.log(velocity[1:] * b / (b - 1))
    half = student(b) * np.sqrt((b - 1) / b * ((logs - logs.mean()) ** 2).sum())
    won, closed = n[1, 0].sum(), n[1:3, 0].sum()
    won_value = cents[1, 0].sum() / 100
    window = min(365.0, float(cells["last"].iloc[0] - cells["first"].iloc[0]) + 1)
    figures: dict[str, Any] = {
        "sales_velocity": velocity[0],
        "low": velocity[0] * np.exp(-half),
        "high": velocity[0] * np.exp(half),
        "classic": open_[0] * won / closed * won_value / (n[1, 0] * np.arange(size)).sum(),
        "realised": won_value / window,
        "open": open_[0],
        "win_rate_by_value": share[0],
        "mean_amount": mean[0],
        "days_in_pipeline": stay[0],
        "coverage": n[3, 0].sum() / cells["every"].iloc[0],
        "window": window,
        "n": n[3, 0].sum(),
    }
    return pd.DataFrame([figures])


SALES_VELOCITY = f"""
WITH p AS (SELECT created_date AS b, closed_date AS e, account_id, {{as_of}} - 364 AS start,
                  CASE status WHEN 'open' THEN 0 WHEN 'won' THEN 1 ELSE 2 END AS way,
                  CASE status WHEN 'lost' THEN coalesce(last_open_amount_base_cents, amount_base_cents)
                       ELSE amount_base_cents END::DOUBLE AS cents
           FROM deals
           WHERE status = 'open' OR (closed_date >= {{as_of}} - 364 AND NOT (status = 'lost' AND {JUNK}))),
a AS (SELECT account_id, min(b) AS f FROM p WHERE account_id IS NOT NULL GROUP BY account_id),
w AS (SELECT (coalesce(f, b) - DATE '1970-01-01') % 20 AS block, b, way, cents,
             greatest(start - b, 0) AS since,
             greatest(CASE way WHEN 0 THEN {{as_of}} ELSE e END - b, 0) AS day
      FROM p LEFT JOIN a USING (account_id)),
c AS (SELECT block, since, day, way, count(cents) AS n, sum(cents) AS cents, sum(greatest(cents, 0)) AS rich,
             min(b) AS f, count(*) AS c FROM w GROUP BY ALL),
z AS (SELECT sum(c) AS every, min(f) - DATE '1970-01-01' AS first, {{as_of}} - DATE '1970-01-01' AS last
      FROM c)
SELECT * FROM (SELECT block, day, way, sum(n) AS n, sum(cents) AS cents, sum(rich) AS rich
               FROM c WHERE n > 0 GROUP BY ALL UNION ALL
               SELECT block, since, 3, sum(n), sum(cents), sum(rich) FROM c WHERE n > 0 GROUP BY ALL), z
"""


RIVALS = {
    "sales_cycle": Rival(
        reads={"deals": ["deal_id", "account_id", "team", "status", "created_date", "closed_date"]},
        options={"by": "team"},
        sql=SALES_CYCLE,
        finish=_cycles,
        pandas=_sales_cycle,
    ),
    "expected_sales_cycle": Rival(
        reads={"deals": ["status", "created_date", "closed_date", "lost_reason", "lead_source"]},
        options={"by": "lead_source"},
        sql=EXPECTED_SALES_CYCLE,
        finish=_expected,
        pandas=_expected_sales_cycle,
    ),
    "sales_velocity": Rival(
        reads={
            "deals": [
                "account_id",
                "status",
                "created_date",
                "closed_date",
                "lost_reason",
                "amount_base_cents",
                "last_open_amount_base_cents",
            ]
        },
        sql=SALES_VELOCITY,
        finish=_velocity,
        pandas=_sales_velocity,
    ),
}
