"""Stages by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals._common import DAY, SPELL, STAYS, curve_of, days, share_by_then, stages_on, within_days


def _stage_conversion(stage_spells: pd.DataFrame) -> pd.DataFrame:
    left = stage_spells["exit_type"]
    first = stage_spells[stage_spells["is_first_entry"]]
    begun = days(first["entered_at"])
    forward = np.fmin(days(first["forward_at"]), days(first["won_at"]))
    lost, ends = days(first["lost_at"]), {}
    for way in ("deleted", "transferred"):
        few = stage_spells[left == way]
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
    made = stages_on(
        first.assign(day=day, cause=cause), lambda part: share_by_then(part, 90), ["day", "cause"]
    )
    return made.rename(columns={"won": "forward", "share": "stage_conversion"})


STAGE_CONVERSION = f"""
WITH gone AS (SELECT deal_id, max(left_at::DATE) FILTER (exit_type = 'deleted') AS deleted,
                     max(left_at::DATE) FILTER (exit_type = 'transferred') AS moved
              FROM stage_spells WHERE exit_type IN ('deleted', 'transferred') GROUP BY ALL),
v AS (SELECT stage_order, stage_name, entered_at::DATE AS begun, least(forward_at, won_at)::DATE AS f,
             lost_at::DATE AS l, CASE WHEN deleted >= begun THEN deleted END AS g, CASE WHEN moved >= begun THEN moved END AS m
      FROM stage_spells LEFT JOIN gone USING (deal_id) WHERE is_first_entry),
w AS (SELECT stage_order, stage_name, least(greatest(coalesce(least(f, l, g, m), {{as_of}}) - begun, 0), 91) AS day,
             CASE WHEN least(f, l, m) IS NULL OR g < least(f, l, m) THEN 0 WHEN f <= coalesce(least(l, m), f) THEN 1
                  WHEN l <= coalesce(m, l) THEN 2 ELSE 3 END AS cause FROM v),
t AS (WITH {within_days("stage_order, stage_name", 90, "stage_conversion")})
SELECT *, won AS forward FROM t ORDER BY stage_order
"""


STAGE_CONVERSION_RAW = f"""
WITH {STAYS},
first AS (SELECT deal_id, seq, stage_order, stage_name, entered_at FROM h WHERE stage_type = 'open'
          QUALIFY row_number() OVER (PARTITION BY deal_id, stage_name ORDER BY seq) = 1),
v AS (SELECT a.stage_order, a.stage_name, a.entered_at::DATE AS begun, min(b.entered_at) FILTER (b.stage_type = 'won'
               OR (b.stage_type = 'open' AND b.stage_order > a.stage_order))::DATE AS f,
             min(b.entered_at) FILTER (b.stage_type = 'lost')::DATE AS l
      FROM first a LEFT JOIN h b ON b.deal_id = a.deal_id AND b.seq > a.seq
      GROUP BY a.deal_id, a.seq, a.stage_order, a.stage_name, a.entered_at),
w AS (SELECT stage_order, stage_name, least(greatest(coalesce(least(f, l), {{as_of}}) - begun, 0), 91) AS day,
             CASE WHEN f <= coalesce(l, f) THEN 1 WHEN l IS NOT NULL THEN 2 ELSE 0 END AS cause FROM v),
t AS (WITH {within_days("stage_order, stage_name", 90, "stage_conversion")})
SELECT *, won AS forward FROM t ORDER BY stage_order
"""


def _stage_dwell(stage_spells: pd.DataFrame) -> pd.DataFrame:
    end = days(stage_spells["left_at"])
    stay = np.maximum(np.where(np.isnan(end), DAY, end) - days(stage_spells["entered_at"]), 0)

    def figures(part: pd.DataFrame) -> dict[str, Any]:
        way, day = part["exit_type"], part["day"].to_numpy()
        after, _, _ = curve_of(day, (way.notna() & (way != "deleted")).to_numpy().astype(int))

        def first(level: float) -> float:
            reached = after <= level + 1e-12
            return float(np.argmax(reached)) if reached.any() else np.nan

        counts = way.value_counts()
        return {name: counts.get(name, 0) for name in ("forward", "backward", "won", "lost")} | {
            "open": way.isna().sum(),
            "stage_dwell": first(0.5),
            "p90": first(0.1),
            "rmst": after[: int(min(180, day.max()))].sum(),
            "n": len(part),
        }

    return stages_on(stage_spells.assign(day=stay), figures, ["day", "exit_type"])


STAGE_DWELL = """
WITH d AS (SELECT stage_order, stage_name, greatest(coalesce(left_at::DATE, {as_of}) - entered_at::DATE, 0) AS day,
             count(*) AS c, count(*) FILTER (left_at IS NOT NULL AND exit_type <> 'deleted') AS x,
             count(*) FILTER (exit_type = 'forward') AS forward, count(*) FILTER (exit_type = 'backward') AS backward,
             count(*) FILTER (exit_type = 'won') AS won, count(*) FILTER (exit_type = 'lost') AS lost,
             count(*) FILTER (left_at IS NULL) AS open FROM stage_spells GROUP BY ALL),
r AS (SELECT *, sum(c) OVER (PARTITION BY stage_order, stage_name ORDER BY day DESC) AS risk FROM d),
s AS (SELECT *, product(1 - x / risk) OVER stage AS after, lead(day) OVER stage AS until FROM r
      WINDOW stage AS (PARTITION BY stage_order, stage_name ORDER BY day))
SELECT stage_order, stage_name, sum(forward) AS forward, sum(backward) AS backward, sum(won) AS won, sum(lost) AS lost,
       sum(open) AS open, min(day) FILTER (after <= 0.5 + 1e-12) AS stage_dwell, min(day) FILTER (after <= 0.1 + 1e-12) AS p90,
       least(min(day), 180) + coalesce(sum(after * (least(until, 180) - day)) FILTER (day < 180), 0) AS rmst, sum(c) AS n
FROM s GROUP BY ALL ORDER BY stage_order
"""


STAGE_DWELL_RAW = STAGE_DWELL.replace(
    "WITH d",
    f"""WITH {STAYS},
spells AS (SELECT *, exited_at AS left_at, CASE WHEN next_type <> 'open' THEN next_type
                     WHEN next_order > stage_order THEN 'forward' WHEN next_order IS NOT NULL THEN 'backward' END AS exit_type
           FROM (SELECT *, lead(stage_type) OVER deal AS next_type, lead(stage_order) OVER deal AS next_order
                 FROM h WINDOW deal AS (PARTITION BY deal_id ORDER BY seq)) WHERE stage_type = 'open'),
d""",
).replace("FROM stage_spells", "FROM spells")


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
        pandas=_stage_conversion,
        same=("forward", "lost", "open", "n", "stage_conversion"),
    ),
    "stage_dwell": Rival(
        reads={"stage_spells": SPELL},
        sql=STAGE_DWELL,
        raw=STAGE_DWELL_RAW,
        pandas=_stage_dwell,
        same=("forward", "backward", "won", "lost", "open", "stage_dwell", "p90", "rmst", "n"),
    ),
}
