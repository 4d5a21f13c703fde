"""Where deals are lost or stay, by hand; bottlenecks in two windows of a year each, now and before.

Stays are watched from the first day on which they are seen in a window.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals._common import DAY, SPELL, STAYS, Array, curve_of, days, each, stages_on, watched_days


def _funnel_leakage(stage_spells: pd.DataFrame) -> pd.DataFrame:
    x = stage_spells.assign(begun=days(stage_spells["entered_at"]), end=days(stage_spells["left_at"]))
    x["stay"] = np.maximum(x["end"].fillna(DAY) - x["begun"], 0)
    x = x.sort_values(["deal_id", "seq"])
    final = x["deal_id"].ne(x["deal_id"].shift(-1))
    left = x["exit_type"]
    x["cause"] = np.select([x["end"].isna(), (left == "lost") & final, left == "deleted"], [0, 1, -1], 2)
    x["end"] = x["end"].fillna(DAY)
    units = x.groupby(["deal_id", "stage_order", "stage_name"], sort=False).agg(
        begun=("begun", "min"),
        stay=("stay", "sum"),
        won=("won_at", "max"),
        cents=("amount_base_cents", "first"),
        cause=("cause", "last"),
        end=("end", "last"),
    )
    units = units.reset_index()
    units["day"] = np.maximum(units["end"] - units["begun"], 0)

    def figures(part: pd.DataFrame) -> dict[str, Any]:
        cause, cents = part["cause"], part["cents"].fillna(0)
        _, share, _ = curve_of(part["day"].to_numpy(), cause.to_numpy())
        winners = np.sort(part["stay"][(cause != 0) & part["won"].notna()].to_numpy())
        limit = winners[int(np.ceil(0.9 * len(winners) - 1e-9)) - 1] if len(winners) else np.nan
        late = (cause == 0) & (part["stay"] > limit)
        return {
            "lost": (cause == 1).sum(),
            "lost_value": cents[cause == 1].sum() / 100,
            "open": (cause == 0).sum(),
            "stalled": late.sum(),
            "stalled_value": cents[late].sum() / 100,
            "winners_p90": limit,
            "funnel_leakage": share[-1],
            "n": len(part),
        }

    made = stages_on(units, figures, ["day", "cause", "stay", "won", "cents"])
    return made.assign(share_of_loss=made["lost"] / made["lost"].sum())


LEAKAGE = """
x AS (SELECT *, CASE WHEN NOT gone IS NULL THEN CASE WHEN way = 'lost' AND last = max(last) OVER (PARTITION BY deal_id) THEN 1
                                                     WHEN way = 'deleted' THEN -1 ELSE 2 END ELSE 0 END AS cause,
             greatest(coalesce(gone, {as_of}) - begun, 0) AS day FROM u),
p AS (SELECT stage_name, quantile_disc(stay, 0.9) AS p90 FROM x WHERE cause <> 0 AND won GROUP BY ALL),
d AS (SELECT stage_order, stage_name, day, count(*) AS c, count(*) FILTER (cause = 1) AS e, count(*) FILTER (cause > 0) AS x,
             count(*) FILTER (cause = 0) AS open, sum(cents) FILTER (cause = 1) AS value, any_value(p90) AS p90,
             count(*) FILTER (cause = 0 AND stay > p90) AS stalled, sum(cents) FILTER (cause = 0 AND stay > p90) AS stalled_value
      FROM x LEFT JOIN p USING (stage_name) GROUP BY ALL),
r AS (SELECT *, sum(c) OVER (PARTITION BY stage_order, stage_name ORDER BY day DESC) AS risk FROM d),
s AS (SELECT *, coalesce(product(1 - x / risk) OVER (PARTITION BY stage_order, stage_name ORDER BY day
                         ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 1) AS before FROM r)
SELECT stage_order, stage_name, sum(e) AS lost, coalesce(sum(value), 0) / 100 AS lost_value,
       sum(e) / sum(sum(e)) OVER () AS share_of_loss, sum(open) AS open, sum(stalled) AS stalled,
       coalesce(sum(stalled_value), 0) / 100 AS stalled_value, any_value(p90) AS winners_p90,
       sum(before * e / risk) AS funnel_leakage, sum(c) AS n
FROM s GROUP BY ALL ORDER BY stage_order
"""


FUNNEL_LEAKAGE = f"""
WITH u AS (SELECT deal_id, stage_order, stage_name, max(seq) AS last, arg_max(exit_type, seq) AS way,
             max_by({{'day': left_at::DATE}}, seq).day AS gone, min(entered_at)::DATE AS begun,
             sum(greatest(coalesce(left_at::DATE, {{as_of}}) - entered_at::DATE, 0)) AS stay,
             count(won_at) > 0 AS won, any_value(amount_base_cents) AS cents
      FROM stage_spells GROUP BY ALL),
{LEAKAGE}
"""


FUNNEL_LEAKAGE_RAW = f"""
WITH {STAYS},
n AS (SELECT *, lead(stage_type) OVER deal AS way, max(seq) FILTER (stage_type = 'won') OVER (PARTITION BY deal_id) AS won_seq
      FROM h WINDOW deal AS (PARTITION BY deal_id ORDER BY seq)),
u AS (SELECT deal_id, stage_order, stage_name, max(seq) AS last, arg_max(way, seq) AS way,
             max_by({{'day': exited_at::DATE}}, seq).day AS gone, min(entered_at)::DATE AS begun,
             sum(greatest(coalesce(exited_at::DATE, {{as_of}}) - entered_at::DATE, 0)) AS stay,
             coalesce(bool_or(seq < won_seq), FALSE) AS won, any_value(amount_base_cents) AS cents
      FROM n WHERE stage_type = 'open' GROUP BY ALL),
{LEAKAGE}
"""


def _stays(part: pd.DataFrame, size: int) -> tuple[Array, Array, Array]:
    """Per day: watched, left, and the share that still stays after it."""
    since, day = part["since"].to_numpy().astype(int), part["day"].to_numpy().astype(int)
    risk = watched_days(size, since, day)
    left = np.bincount(day[part["out"].to_numpy()], minlength=size)
    return risk, left, np.cumprod(1 - np.divide(left, risk, out=np.zeros(size), where=left > 0))


def _bottleneck(stage_spells: pd.DataFrame) -> pd.DataFrame:
    begun, left = days(stage_spells["entered_at"]), days(stage_spells["left_at"])
    gone = (stage_spells["exit_type"] == "deleted").to_numpy()
    parts = []
    for now, last in ((True, DAY), (False, DAY - 365)):
        start, end = last - 364, np.where(np.isnan(left), np.inf, left)
        seen = (begun <= last) & (end >= start)
        spans = stage_spells.loc[seen, ["stage_order", "stage_name"]].assign(
            now=now,
            since=np.maximum(start - begun, 0)[seen],
            day=np.maximum(np.minimum(end, last) - begun, 0)[seen],
            out=((end <= last) & ~gone)[seen],
            still=(end > last)[seen],
        )
        parts.append(spans)

    def figures(part: pd.DataFrame) -> dict[str, Any]:
        now, before = part[part["now"]], part[~part["now"]]
        size = int(part["day"].max()) + 1
        (r1, x1, s1), (r0, x0, s0) = _stays(now, size), _stays(before, size)
        tau, both = int(before["day"].max()), int(min(now["day"].max(), before["day"].max()))
        arrivals = (now["since"] == 0).sum() / 365
        r, x = r0 + r1, x0 + x1
        expected = np.divide(x * r1, r, out=np.zeros(size), where=x > 0).sum()
        usual, wip = s0[:tau].sum(), now["still"].sum()
        return {
            "wip": wip,
            "arrivals": arrivals,
            "dwell": s1[:both].sum(),
            "dwell_before": usual,
            "expected": arrivals * usual,
            "bottleneck": wip - arrivals * usual,
            "dwell_change": s1[:both].sum() - s0[:both].sum(),
            "hazard_ratio": x1.sum() / expected / (x0.sum() / (x.sum() - expected)),
            "tau": tau,
            "n": len(now),
        }

    return each(pd.concat(parts), ["stage_order", "stage_name"], figures)


BOTTLENECK = """
WITH p AS (SELECT stage_order, stage_name, entered_at::DATE AS e, left_at::DATE AS l, exit_type = 'deleted' AS gone
           FROM stage_spells WHERE left_at IS NULL OR left_at::DATE >= {as_of} - 729),
w AS (SELECT stage_order, stage_name, now, greatest(first - e, 0) AS since, greatest(least(coalesce(l, last), last) - e, 0) AS day,
             coalesce(l <= last AND NOT gone, FALSE) AS out, coalesce(l > last, TRUE) AS still
      FROM p JOIN (VALUES (TRUE, {as_of} - 364, {as_of}), (FALSE, {as_of} - 729, {as_of} - 365)) v(now, first, last)
      ON e <= last AND coalesce(l >= first, TRUE)),
d AS (SELECT stage_order, stage_name, t, count(*) FILTER (now AND NOT ends) AS come1, count(*) FILTER (NOT now AND NOT ends) AS come0,
             count(*) FILTER (now AND ends) AS go1, count(*) FILTER (NOT now AND ends) AS go0,
             count(*) FILTER (now AND out) AS x1, count(*) FILTER (NOT now AND out) AS x0, count(*) FILTER (now AND ends AND still) AS wip
      FROM (SELECT stage_order, stage_name, now, since AS t, FALSE AS ends, FALSE AS out, still FROM w
            UNION ALL SELECT stage_order, stage_name, now, day, TRUE, out, still FROM w) GROUP BY ALL),
r AS (SELECT *, sum(come1 - go1) OVER stage + go1 AS r1, sum(come0 - go0) OVER stage + go0 AS r0,
             lead(t) OVER stage AS until, max(t) FILTER (go1 > 0) OVER whole AS m1, max(t) FILTER (go0 > 0) OVER whole AS m0
      FROM d WINDOW stage AS (PARTITION BY stage_order, stage_name ORDER BY t), whole AS (PARTITION BY stage_order, stage_name)),
s AS (SELECT *, product(CASE WHEN x1 > 0 THEN 1 - x1 / r1 ELSE 1 END) OVER stage AS s1,
             product(CASE WHEN x0 > 0 THEN 1 - x0 / r0 ELSE 1 END) OVER stage AS s0, least(m0, m1) AS m
      FROM r WINDOW stage AS (PARTITION BY stage_order, stage_name ORDER BY t)),
g AS (SELECT stage_order, stage_name, sum(go1) AS n, sum(wip) AS wip, coalesce(sum(come1) FILTER (t = 0), 0) / 365 AS arrivals,
             least(min(t), any_value(m0)) + coalesce(sum(s0 * (least(until, m0) - t)) FILTER (t < m0), 0) AS usual,
             least(min(t), any_value(m)) + coalesce(sum(s0 * (least(until, m) - t)) FILTER (t < m), 0) AS was,
             least(min(t), any_value(m)) + coalesce(sum(s1 * (least(until, m) - t)) FILTER (t < m), 0) AS dwell,
             sum(x1) AS o1, sum(x0) AS o0, sum((x0 + x1) * r1 / (r0 + r1)) FILTER (x0 + x1 > 0) AS e1, any_value(m0) AS tau
      FROM s GROUP BY ALL)
SELECT stage_order, stage_name, wip, arrivals, dwell, usual AS dwell_before, arrivals * usual AS expected,
       wip - arrivals * usual AS bottleneck, dwell - was AS dwell_change, o1 / e1 / (o0 / (o0 + o1 - e1)) AS hazard_ratio, tau, n
FROM g ORDER BY stage_order
"""


BOTTLENECK_RAW = (
    BOTTLENECK.replace("exit_type = 'deleted' AS gone", "FALSE AS gone")
    .replace("WITH p", f"WITH {STAYS},\np")
    .replace("left_at", "exited_at")
    .replace("FROM stage_spells WHERE", "FROM h WHERE stage_type = 'open' AND (")
    .replace("- 729),\nw AS", "- 729)),\nw AS")
)


RIVALS = {
    "funnel_leakage": Rival(
        reads={"stage_spells": ["deal_id", "seq", *SPELL, "won_at", "amount_base_cents"]},
        sql=FUNNEL_LEAKAGE,
        raw=FUNNEL_LEAKAGE_RAW,
        pandas=_funnel_leakage,
        same=(
            "lost",
            "lost_value",
            "share_of_loss",
            "open",
            "stalled",
            "stalled_value",
            "winners_p90",
            "funnel_leakage",
            "n",
        ),
    ),
    "bottleneck": Rival(
        reads={"stage_spells": SPELL},
        sql=BOTTLENECK,
        raw=BOTTLENECK_RAW,
        pandas=_bottleneck,
        same=(
            "wip",
            "arrivals",
            "dwell",
            "dwell_before",
            "expected",
            "bottleneck",
            "dwell_change",
            "hazard_ratio",
            "tau",
            "n",
        ),
    ),
}
