"""Where deals are lost or stay, by hand; bottlenecks in two windows of a year each, now and before.

Stays are watched from the first day on which they are seen in a window.
"""

from __future__ import annotations

from math import erfc, sqrt

import numpy as np
import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals._common import (
    DAY,
    SPELL,
    STAGE,
    STAYS,
    Array,
    Z,
    aalen,
    days,
    greenwood,
    log_log,
    rows_of,
    spread_out,
    still_there,
    wilson,
)


def _funnel_leakage(stage_spells: pd.DataFrame) -> pd.DataFrame:
    begun, end = days(stage_spells["entered_at"]), days(stage_spells["left_at"])
    deal, known = stage_spells["deal_id"].factorize()
    seq, left = stage_spells["seq"].to_numpy(), stage_spells["exit_type"]
    last, again = np.zeros(len(known), dtype=seq.dtype), np.zeros(len(known), dtype=bool)
    np.maximum.at(last, deal, seq)
    lost, final = (left == "lost").to_numpy(), seq == last[deal]
    again[deal[~stage_spells["is_first_entry"].to_numpy() | (lost & ~final)]] = True
    x = stage_spells[STAGE].assign(
        deal=deal,
        seq=seq,
        begun=begun,
        end=np.where(np.isnan(end), DAY, end),
        stay=np.maximum(np.where(np.isnan(end), DAY, end) - begun, 0),
        won=stage_spells["won_at"].notna().to_numpy(),
        cents=stage_spells["amount_base_cents"].to_numpy(dtype=float),
        way=np.select([np.isnan(end), lost & final, (left == "deleted").to_numpy()], [0, 1, 3], 2),
    )
    several = x[again[deal]].sort_values("seq").groupby(["deal", *STAGE], sort=False)
    units = several.agg(
        begun=("begun", "min"),
        end=("end", "last"),
        stay=("stay", "sum"),
        won=("won", "max"),
        cents=("cents", "max"),
        way=("way", "last"),
    )
    units = pd.concat([x[~again[deal]], units.reset_index()])
    kind = np.where(units["way"] == 0, 0, np.where(units["won"], 1, 2))
    units["at"] = (8 * np.maximum(units["end"] - units["begun"], 0) + units["way"]).astype(int)
    units["wait"] = (8 * units["stay"] + kind).astype(int)
    cells = [
        units.groupby([*STAGE, by], dropna=False, sort=False)["cents"].agg(n="size", cents="sum")
        for by in ("at", "wait")
    ]
    return _leaked(pd.concat([part.reset_index() for part in cells]))


def _leaked(cells: pd.DataFrame) -> pd.DataFrame:
    """From numbers and values of deals, once per day and way out (`at`), once per stay and kind (`wait`)."""
    names, row = rows_of(cells, STAGE)
    ended = cells["at"].notna().to_numpy()
    n, cents = cells["n"].to_numpy(dtype=float), cells["cents"].fillna(0).to_numpy(dtype=float)

    def tables(column: str, chosen: Array, weight: Array, kinds: int) -> Array:
        key = cells[column].to_numpy(dtype=float)[chosen].astype(int)
        place, size = row[chosen] + len(names) * (key & 7), (int(key.max()) >> 3) + 1
        made = spread_out(place, key >> 3, weight[chosen], (kinds * len(names), size))
        return made.reshape(kinds, len(names), size)

    here, lost, on, deleted = tables("at", ended, n, 4)
    left = lost + on
    share, _, variance = (curve[:, -1] for curve in aalen(lost, left, still_there(left + here + deleted)))
    low, high = log_log(share, variance)
    edge = (share == 0) | (share == 1)
    low[edge], high[edge] = wilson(lost.sum(axis=1)[edge], left.sum(axis=1)[edge])
    waits, worth = tables("wait", ~ended, n, 3), tables("wait", ~ended, cents, 3)
    winners = waits[1].cumsum(axis=1)
    none = winners[:, -1] == 0
    limit = (winners >= 0.9 * winners[:, -1:] - 1e-9).argmax(axis=1)
    late = np.arange(waits.shape[2]) > limit[:, None]
    return names.assign(
        lost=lost.sum(axis=1),
        lost_value=tables("at", ended, cents, 4)[1].sum(axis=1) / 100,
        share_of_loss=lost.sum(axis=1) / lost.sum(),
        open=here.sum(axis=1),
        stalled=np.where(none, np.nan, (waits[0] * late).sum(axis=1)),
        stalled_value=np.where(none, np.nan, (worth[0] * late).sum(axis=1) / 100),
        winners_p90=np.where(none, np.nan, limit),
        funnel_leakage=share,
        low=low,
        high=high,
        n=(here + left + deleted).sum(axis=1),
    )


# Ways: 0 here, 1 lost from here, 2 moved on, 3 deleted. Kinds: 0 here, 1 of a deal won since, 2 others.
SETS = """
SELECT stage_order, stage_name, ended AS at, wait, sum(c) AS n, sum(cents) AS cents
FROM (SELECT *, 8 * stay + CASE WHEN ended & 7 = 0 THEN 0 WHEN won THEN 1 ELSE 2 END AS wait FROM v)
GROUP BY GROUPING SETS ((stage_order, stage_name, ended), (stage_order, stage_name, wait))
"""


# Only deals that came back to a stage, or went on after a loss, have to be put together.
FUNNEL_LEAKAGE = f"""
WITH again AS (SELECT deal_id, max(seq) AS last FROM stage_spells GROUP BY deal_id
               HAVING bool_or(NOT is_first_entry) OR max(seq) > min(seq) FILTER (exit_type = 'lost')),
x AS (SELECT again.deal_id AS deal, stage_order, stage_name, seq, entered_at::DATE AS begun,
             coalesce(left_at::DATE, {{as_of}}) AS gone, won_at IS NOT NULL AS won,
             amount_base_cents AS cents,
             CASE WHEN left_at IS NULL THEN 0 WHEN exit_type = 'lost' AND seq = coalesce(last, seq) THEN 1
                  WHEN exit_type = 'deleted' THEN 3 ELSE 2 END AS way
      FROM stage_spells LEFT JOIN again USING (deal_id)),
u AS (SELECT deal, stage_order, stage_name,
             CASE WHEN deal IS NULL THEN 8 * greatest(gone - begun, 0) + 4 * won::INT + way END AS alone,
             bool_or(won) AS won, count(*) AS c, sum(cents) AS cents, min(begun) AS begun,
             sum(greatest(gone - begun, 0)) AS stay,
             max((4 * seq + way) * 100000 + (gone - DATE '1970-01-01')) AS latest
      FROM x GROUP BY ALL),
v AS (SELECT stage_order, stage_name, won, CASE WHEN deal IS NULL THEN c ELSE 1 END AS c,
             CASE WHEN deal IS NULL THEN cents ELSE cents // c END AS cents,
             coalesce(alone // 8, stay) AS stay,
             coalesce(alone & ~4, 8 * greatest(latest % 100000 - (begun - DATE '1970-01-01'), 0)
                                  + latest // 100000 % 4) AS ended
      FROM u)
{SETS}"""


FUNNEL_LEAKAGE_RAW = f"""
WITH {STAYS},
n AS (SELECT *, lead(stage_type) OVER deal AS exit_type,
             max(seq) FILTER (stage_type = 'won') OVER (PARTITION BY deal_id) AS won_seq,
             max(seq) FILTER (stage_type = 'open') OVER (PARTITION BY deal_id) AS last
      FROM h WINDOW deal AS (PARTITION BY deal_id ORDER BY seq)),
u AS (SELECT deal_id, stage_order, stage_name, min(entered_at)::DATE AS begun,
             any_value(amount_base_cents) AS cents,
             sum(greatest(coalesce(exited_at::DATE, {{as_of}}) - entered_at::DATE, 0)) AS stay,
             bool_or(seq < won_seq) AS won,
             max((4 * seq + CASE WHEN exited_at IS NULL THEN 0
                                 WHEN exit_type = 'lost' AND seq = last THEN 1 ELSE 2 END) * 100000
                 + (coalesce(exited_at::DATE, {{as_of}}) - DATE '1970-01-01')) AS latest
      FROM n WHERE stage_type = 'open' GROUP BY ALL),
v AS (SELECT *, 1 AS c, 8 * greatest(latest % 100000 - (begun - DATE '1970-01-01'), 0)
                        + latest // 100000 % 4 AS ended FROM u)
{SETS}"""


def _bottleneck(stage_spells: pd.DataFrame) -> pd.DataFrame:
    begun, left = days(stage_spells["entered_at"]), days(stage_spells["left_at"])
    end, deleted = np.where(np.isnan(left), DAY, left), (stage_spells["exit_type"] == "deleted").to_numpy()
    now, seen = end >= DAY - 364, end >= DAY - 729
    way = np.where(np.isnan(left), 0, np.where(deleted, 2, 1))
    since = np.maximum(np.where(now, DAY - 364, DAY - 729) - begun, 0)
    x = stage_spells.loc[seen, STAGE].assign(
        now=now[seen],
        since=since[seen].astype(int),
        at=(8 * np.maximum(end - begun, 0) + way)[seen].astype(int),
    )
    cells = [
        x.groupby([*STAGE, "now", by], dropna=False, sort=False).size().rename("n") for by in ("since", "at")
    ]
    return _clogged(pd.concat([part.reset_index() for part in cells]))


def _clogged(cells: pd.DataFrame) -> pd.DataFrame:
    """From numbers of stays per window, once per age when first seen (`since`), once per day and way (`at`).

    Ways are 0 here, 1 left and 2 deleted. Of stays that go over from the window before into this one, the
    former saw the age at which they did.
    """
    names, row = rows_of(cells, STAGE)
    now, n = cells["now"].to_numpy(dtype=bool), cells["n"].to_numpy()
    first = cells["since"].notna().to_numpy()
    since = cells["since"].fillna(0).to_numpy(dtype=int)
    at = cells["at"].fillna(0).to_numpy(dtype=int)
    day, last, over = at >> 3, ~first, first & now & (since > 0)
    size, left = int(day.max()) + 2, ~first & (at & 7 == 1)

    def table(who: Array, when: Array) -> Array:
        return spread_out(row[who], when[who], n[who], (len(names), size))

    come1, go1, x1 = table(first & now, since), table(last & now, day), table(left & now, day)
    come0 = table(first & ~now, since) + table(over, np.maximum(since - 365, 0))
    go0, x0 = table(last & ~now, day) + table(over, since - 1), table(left & ~now, day)
    risk1, risk0 = (come.cumsum(axis=1) - go.cumsum(axis=1) + go for come, go in ((come1, go1), (come0, go0)))
    end1, end0 = (size - 1 - (go[:, ::-1] > 0).argmax(axis=1) for go in (go1, go0))
    usual, usual_var = _mean_stay(x0, risk0, end0)
    both = np.minimum(end0, end1)
    (dwell, var), (was, was_var) = _mean_stay(x1, risk1, both), _mean_stay(x0, risk0, both)
    wip, arrivals = table(last & (at & 7 == 0), day).sum(axis=1), come1[:, 0] / 365
    expected = arrivals * usual
    half = Z * np.sqrt(np.maximum(wip, expected) + usual**2 * arrivals / 365 + arrivals**2 * usual_var)
    change = Z * np.sqrt(var + was_var)
    ratio, p = _log_rank(x1, risk1, x0, risk0)
    return names.assign(
        wip=wip,
        arrivals=arrivals,
        dwell=dwell,
        dwell_before=usual,
        expected=expected,
        bottleneck=wip - expected,
        low=wip - expected - half,
        high=wip - expected + half,
        excess_share=(wip - expected) / expected,
        dwell_change=dwell - was,
        change_low=dwell - was - change,
        change_high=dwell - was + change,
        hazard_ratio=ratio,
        p_value=p,
        tau=end0,
        n=go1.sum(axis=1),
    )


def _mean_stay(left: Array, risk: Array, tau: Array) -> tuple[Array, Array]:
    """Mean days of at most tau, and its variance."""
    after = np.cumprod(1 - np.divide(left, risk, out=np.zeros(left.shape), where=left > 0), axis=1)
    area = still_there(np.where(np.arange(left.shape[1]) < tau[:, None], after, 0))
    return area[:, 0], (area**2 * greenwood(left, risk)).sum(axis=1)


def _log_rank(x1: Array, risk1: Array, x0: Array, risk0: Array) -> tuple[Array, list[float]]:
    """Ratio of observed to expected exits now and before, and the p-value of the log-rank test."""
    x, risk = x1 + x0, np.maximum(risk1 + risk0, 1)
    part = risk1 / risk
    expected = (x * part).sum(axis=1)
    variance = (x * part * (1 - part) * (risk - x) / np.maximum(risk - 1, 1)).sum(axis=1)
    seen, every = x1.sum(axis=1), x.sum(axis=1)
    p = [erfc(sqrt(value / 2)) for value in (seen - expected) ** 2 / variance]
    return seen / expected / ((every - seen) / (every - expected)), p


# The curves need two margins only: when stays come under watch, and when they end.
BOTTLENECK = """
SELECT stage_order, stage_name, now, since, ended AS at, sum(n) AS n
FROM (SELECT stage_order, stage_name, now,
             greatest(CASE WHEN now THEN {as_of} - 364 ELSE {as_of} - 729 END - begun, 0) AS since,
             8 * greatest(coalesce(gone, {as_of}) - begun, 0)
               + CASE WHEN gone IS NULL THEN 0 WHEN deleted THEN 2 ELSE 1 END AS ended,
             count(*) AS n
      FROM (SELECT stage_order, stage_name, entered_at::DATE AS begun, left_at::DATE AS gone,
                   exit_type = 'deleted' AS deleted, coalesce(left_at >= {as_of} - 364, TRUE) AS now
            FROM stage_spells WHERE left_at IS NULL OR left_at >= {as_of} - 729)
      GROUP BY ALL)
GROUP BY GROUPING SETS ((stage_order, stage_name, now, since), (stage_order, stage_name, now, ended))
"""


BOTTLENECK_RAW = f"WITH {STAYS}" + (
    BOTTLENECK.replace("exit_type = 'deleted' AS deleted", "FALSE AS deleted")
    .replace("left_at", "exited_at")
    .replace("FROM stage_spells WHERE", "FROM h WHERE stage_type = 'open' AND (")
    .replace("- 729)\n", "- 729))\n")
)


RIVALS = {
    "funnel_leakage": Rival(
        reads={"stage_spells": ["deal_id", "seq", *SPELL, "is_first_entry", "won_at", "amount_base_cents"]},
        sql=FUNNEL_LEAKAGE,
        raw=FUNNEL_LEAKAGE_RAW,
        finish=_leaked,
        pandas=_funnel_leakage,
    ),
    "bottleneck": Rival(
        reads={"stage_spells": SPELL},
        sql=BOTTLENECK,
        raw=BOTTLENECK_RAW,
        finish=_clogged,
        pandas=_bottleneck,
    ),
}
