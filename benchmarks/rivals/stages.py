"""Stages by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals._common import (
    DAY,
    SPELL,
    STAGE,
    STAYS,
    days,
    greenwood,
    log_log,
    rows_of,
    spread_out,
    still_there,
    within,
)


def _stage_conversion(stage_spells: pd.DataFrame) -> pd.DataFrame:
    left = stage_spells["exit_type"]
    first = stage_spells[stage_spells["is_first_entry"]]
    begun = days(first["entered_at"])
    forward = np.fmin(days(first["forward_at"]), days(first["won_at"]))
    lost, ends = days(first["lost_at"]), {}
    for way in ("deleted", "transferred"):
        few = stage_spells[left == way]
        if few.empty:
            ends[way] = np.full(len(first), np.nan)
            continue
        last = pd.Series(days(few["left_at"]), index=few["deal_id"]).groupby(level=0).max()
        at = first["deal_id"].map(last).to_numpy(dtype=float)
        ends[way] = np.where(at >= begun, at, np.nan)
    gone, moved = ends["deleted"], ends["transferred"]
    away = np.fmin(lost, moved)
    end = np.fmin(forward, away)
    over = np.fmin(end, gone)
    open_ = np.isnan(end) | (gone < end)
    won = forward <= np.where(np.isnan(away), forward, away)
    cause = np.select([open_, won, lost <= np.where(np.isnan(moved), lost, moved)], [0, 1, 2], 3)
    day = np.clip(np.where(np.isnan(over), DAY, over) - begun, 0, 91)
    back = (first["exit_type"] == "backward").to_numpy()
    x = first[STAGE].assign(at=(8 * day + cause).astype(int), backward=back)
    sums = x.groupby([*STAGE, "at"], dropna=False, sort=False)["backward"].agg(n="size", backward="sum")
    return _converted(sums.reset_index())


def _converted(cells: pd.DataFrame) -> pd.DataFrame:
    names = {"won": "forward", "share": "stage_conversion", "aside4": "otherwise"}
    return within(cells, STAGE, 90, "backward").rename(columns=names)


# Few deals are deleted or transferred; where none was, nothing has to be joined.
STAGE_CONVERSION = """
WITH gone AS (SELECT deal_id, max(left_at) FILTER (exit_type = 'deleted') AS deleted,
                     max(left_at) FILTER (exit_type = 'transferred') AS moved
              FROM stage_spells WHERE exit_type IN ('deleted', 'transferred') GROUP BY ALL),
e AS NOT MATERIALIZED (
      SELECT deal_id, stage_order, stage_name, entered_at,
             datediff('day', entered_at, least(forward_at, won_at)) AS f,
             datediff('day', entered_at, lost_at) AS l, exit_type = 'backward' AS back
      FROM stage_spells WHERE is_first_entry),
v AS (SELECT stage_order, stage_name, back, coalesce(least(f, l), {as_of} - entered_at::DATE) AS day,
             CASE WHEN f <= coalesce(l, f) THEN 1 WHEN l IS NOT NULL THEN 2 ELSE 0 END AS way
      FROM e WHERE NOT EXISTS (FROM gone)
      UNION ALL
      SELECT stage_order, stage_name, back, coalesce(least(f, l, g, m), {as_of} - entered_at::DATE),
             CASE WHEN least(f, l, m) IS NULL OR g < least(f, l, m) THEN 0
                  WHEN f <= coalesce(least(l, m), f) THEN 1
                  WHEN l <= coalesce(m, l) THEN 2 ELSE 3 END
      FROM (SELECT e.*,
                   CASE WHEN deleted::DATE >= entered_at::DATE
                        THEN datediff('day', entered_at, deleted) END AS g,
                   CASE WHEN moved::DATE >= entered_at::DATE
                        THEN datediff('day', entered_at, moved) END AS m
            FROM e LEFT JOIN gone USING (deal_id)) WHERE EXISTS (FROM gone))
SELECT stage_order, stage_name, 8 * least(greatest(day, 0), 91) + way AS at, count(*) AS n,
       count(*) FILTER (back) AS backward
FROM v GROUP BY ALL
"""


STAGE_CONVERSION_RAW = f"""
WITH {STAYS},
n AS (SELECT deal_id, seq, stage_order, stage_name, stage_type, entered_at,
             row_number() OVER (PARTITION BY deal_id, stage_name ORDER BY seq) AS times,
             lead(stage_type) OVER deal = 'open' AND lead(stage_order) OVER deal <= stage_order AS back
      FROM h WINDOW deal AS (PARTITION BY deal_id ORDER BY seq)),
first AS (SELECT * FROM n WHERE stage_type = 'open' AND times = 1),
v AS (SELECT a.stage_order, a.stage_name, a.back, a.entered_at::DATE AS begun,
             min(b.entered_at) FILTER (b.stage_type = 'won'
               OR (b.stage_type = 'open' AND b.stage_order > a.stage_order))::DATE AS f,
             min(b.entered_at) FILTER (b.stage_type = 'lost')::DATE AS l
      FROM first a LEFT JOIN h b ON b.deal_id = a.deal_id AND b.seq > a.seq
      GROUP BY a.deal_id, a.seq, a.stage_order, a.stage_name, a.entered_at, a.back)
SELECT stage_order, stage_name, 8 * least(greatest(coalesce(least(f, l), {{as_of}}) - begun, 0), 91)
         + CASE WHEN f <= coalesce(l, f) THEN 1 WHEN l IS NOT NULL THEN 2 ELSE 0 END AS at,
       count(*) AS n, count(*) FILTER (back) AS backward
FROM v GROUP BY ALL
"""


WAYS = {"forward": 1, "backward": 2, "won": 3, "lost": 4}
"""Ways out of a stage: 0 is there still, 5 deleted, 6 gone otherwise."""


def _stage_dwell(stage_spells: pd.DataFrame) -> pd.DataFrame:
    end = days(stage_spells["left_at"])
    stay = np.maximum(np.where(np.isnan(end), DAY, end) - days(stage_spells["entered_at"]), 0).astype(int)
    way = stage_spells["exit_type"].map(WAYS | {"deleted": 5}).fillna(6).to_numpy(dtype=int)
    x = stage_spells[STAGE].assign(at=8 * stay + np.where(np.isnan(end), 0, way))
    return _dwelt(x.groupby([*STAGE, "at"], dropna=False, sort=False).size().rename("n").reset_index())


def _dwelt(cells: pd.DataFrame) -> pd.DataFrame:
    names, row = rows_of(cells, STAGE)
    at, n = cells["at"].to_numpy(), cells["n"].to_numpy()
    day, way, groups, size = at >> 3, at & 7, len(names), (int(at.max()) >> 3) + 1
    made = spread_out(row + groups * way, day, n, (8 * groups, size)).reshape(8, groups, size)
    every = made.sum(axis=0)
    left, risk = every - made[0] - made[5], still_there(every)
    after = np.cumprod(1 - left / np.maximum(risk, 1), axis=1)
    low, high = log_log(after, after**2 * np.cumsum(greenwood(left, risk), axis=1))

    def first(curve: np.ndarray, level: float) -> np.ndarray:
        reached = (curve <= level + 1e-12) & (every > 0)
        return np.where(reached.any(axis=1), reached.argmax(axis=1), np.nan)

    tau = np.minimum((risk > 0).sum(axis=1) - 1, 180)
    return names.assign(
        **{name: made[kind].sum(axis=1) for name, kind in WAYS.items()},
        open=made[0].sum(axis=1),
        stage_dwell=first(after, 0.5),
        low=first(low, 0.5),
        high=first(high, 0.5),
        p90=first(after, 0.1),
        rmst=np.where(np.arange(size) < tau[:, None], after, 0).sum(axis=1),
        tau=tau,
        n=risk[:, 0],
    )


STAGE_DWELL = """
SELECT stage_order, stage_name, 8 * greatest(coalesce(left_at::DATE, {as_of}) - entered_at::DATE, 0) + CASE
         WHEN left_at IS NULL THEN 0 WHEN exit_type = 'forward' THEN 1 WHEN exit_type = 'backward' THEN 2
         WHEN exit_type = 'won' THEN 3 WHEN exit_type = 'lost' THEN 4
         WHEN exit_type = 'deleted' THEN 5 ELSE 6 END AS at,
       count(*) AS n
FROM stage_spells GROUP BY ALL
"""


STAGE_DWELL_RAW = f"""
WITH {STAYS},
stage_spells AS (SELECT *, exited_at AS left_at, CASE WHEN next_type <> 'open' THEN next_type
                        WHEN next_order > stage_order THEN 'forward'
                        WHEN next_order IS NOT NULL THEN 'backward' END AS exit_type
                 FROM (SELECT *, lead(stage_type) OVER deal AS next_type,
                       lead(stage_order) OVER deal AS next_order
                       FROM h WINDOW deal AS (PARTITION BY deal_id ORDER BY seq)) WHERE stage_type = 'open')
{STAGE_DWELL}
"""


RIVALS = {
    "stage_conversion": Rival(
        reads={
            "stage_spells": [
                "deal_id",
                *SPELL,
                "is_first_entry",
                "forward_at",
                "won_at",
                "lost_at",
            ]
        },
        sql=STAGE_CONVERSION,
        raw=STAGE_CONVERSION_RAW,
        finish=_converted,
        pandas=_stage_conversion,
    ),
    "stage_dwell": Rival(
        reads={"stage_spells": SPELL},
        sql=STAGE_DWELL,
        raw=STAGE_DWELL_RAW,
        finish=_dwelt,
        pandas=_stage_dwell,
    ),
}
