"""Growth of revenue and of the size of deals by hand, one year against the year before."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals._common import YEAR, YEAR_BEFORE, between, dates_of, student

WORKED, WORKED_BEFORE = (np.busday_count(*span) for span in (YEAR, YEAR_BEFORE))
"""Mondays to Fridays of both years."""
BOTH = f"closed_date >= DATE '{YEAR_BEFORE[0]}' AND closed_date < DATE '{YEAR[1]}'"


def _revenue_growth(deals: pd.DataFrame) -> pd.DataFrame:
    at = dates_of(deals["closed_date"])
    now = between(at, *YEAR)
    counts = (now | between(at, *YEAR_BEFORE)) & (deals["status"] == "won")
    won, now = deals[counts], now[counts]
    cents, amount = won["amount_base_cents"].astype("float64"), won["amount"].astype("float64")
    seen = cents.notna() & amount.notna()
    parts = pd.DataFrame(
        {
            "value": cents,
            "own": cents.where(seen),
            "native": np.floor(amount * 100 + 0.5).where(seen),
            "n": 1,
        }
    )
    sums = parts.groupby([won["currency_code"], now], dropna=False).sum().unstack(fill_value=0)
    value, own, native = sums["value"], sums["own"], sums["native"]
    rate = own[False] / native[False].where(native[False] > 0)
    rate = rate.mask(rate.isna() & (own[True] == native[True]), 1)
    rest = value[True] - own[True]
    constant = (rest + (native[True] * rate).fillna(own[True])).sum()
    new, old = value[True].sum(), value[False].sum()
    return pd.DataFrame(
        {
            "bookings": [new / 100],
            "previous": old / 100,
            "revenue_growth": (new - old) / old,
            "per_working_day": new * WORKED_BEFORE / (old * WORKED) - 1,
            "constant_currency": (constant - old) / old,
            "at_previous_rates": constant / 100,
            "own_rate_share": (rest + own[True].where(rate.isna(), 0)).sum() / new,
            "n": sums["n"][True].sum(),
            "previous_n": sums["n"][False].sum(),
        }
    )


REVENUE_GROWTH = f"""
SELECT sum(v) / 100 AS bookings, sum(v0) / 100 AS previous, (sum(v) - sum(v0)) / sum(v0) AS revenue_growth,
       sum(v) * {WORKED_BEFORE} / (sum(v0) * {WORKED}) - 1 AS per_working_day,
       (sum(constant) - sum(v0)) / sum(v0) AS constant_currency, sum(constant) / 100 AS at_previous_rates,
       sum(v - CASE WHEN rate IS NULL THEN 0 ELSE own END) / sum(v) AS own_rate_share, sum(n) AS n, sum(n0) AS previous_n
FROM (SELECT *, v - own + coalesce(native * rate, own) AS constant
      FROM (SELECT *, coalesce(own0 / CASE WHEN native0 > 0 THEN native0 END, CASE WHEN own = native THEN 1 END) AS rate
            FROM (SELECT count(*) FILTER (now) AS n, count(*) FILTER (NOT now) AS n0,
                         coalesce(sum(cents) FILTER (now), 0)::DOUBLE AS v,
                         coalesce(sum(cents) FILTER (NOT now), 0)::DOUBLE AS v0,
                         coalesce(sum(cents) FILTER (now AND native IS NOT NULL), 0)::DOUBLE AS own,
                         coalesce(sum(cents) FILTER (NOT now AND native IS NOT NULL), 0)::DOUBLE AS own0,
                         coalesce(sum(native) FILTER (now), 0) AS native, coalesce(sum(native) FILTER (NOT now), 0) AS native0
                  FROM (SELECT currency_code, amount_base_cents AS cents, closed_date >= DATE '{YEAR[0]}' AS now,
                               CASE WHEN amount_base_cents IS NOT NULL AND currency_code IS NOT NULL
                                    THEN floor(amount::DOUBLE * 100 + 0.5) END AS native
                        FROM deals WHERE status = 'won' AND {BOTH}) d
                  GROUP BY currency_code) c) r) s
"""


def _change(cells: pd.DataFrame, sums: pd.DataFrame) -> pd.DataFrame:
    """The change of the mean (t/b now, s/c before) by segment, and its interval from products over accounts."""
    t, b, s, c = (cells[name].to_numpy(dtype=float) for name in "tbsc")
    n, n0 = b.sum(), c.sum()
    m, m0, p, p0 = t.sum() / n, s.sum() / n0, b / n, c / n0
    each, each0 = t / np.where(b > 0, b, np.nan), s / np.where(c > 0, c, np.nan)
    each, each0 = np.where(b > 0, each, each0), np.where(c > 0, each0, each)
    x = {name: float(column.sum()) for name, column in sums.items()}
    now = (x["tt"] - 2 * m * x["tb"] + m**2 * x["bb"]) / n**2
    then = (x["ss"] - 2 * m0 * x["sc"] + m0**2 * x["cc"]) / n0**2
    both = (x["ts"] - m0 * x["tc"] - m * x["bs"] + m * m0 * x["bc"]) / (n * n0)
    half = student(x["g"]) * np.sqrt(max(now + then - 2 * both, 0) * x["g"] / (x["g"] - 1))
    half = half if x["g1"] > 1 and x["g0"] > 1 else np.nan
    return pd.DataFrame(
        {
            "mean": [m / 100],
            "previous_mean": m0 / 100,
            "deal_size_change": (m - m0) / 100,
            "mix_effect": ((p - p0) * (each + each0) / 2).sum() / 100,
            "price_effect": ((each - each0) * (p + p0) / 2).sum() / 100,
            "low": (m - m0 - half) / 100,
            "high": (m - m0 + half) / 100,
            "n": n,
            "previous_n": n0,
        }
    )


def _size_change(deals: pd.DataFrame) -> pd.DataFrame:
    at = dates_of(deals["closed_date"])
    now = between(at, *YEAR)
    counts = (now | between(at, *YEAR_BEFORE)) & (deals["status"] == "won")
    counts &= deals["amount_base_cents"] > 0
    won, now = deals[counts], now[counts]
    cents = won["amount_base_cents"].to_numpy(dtype=float)
    parts = pd.DataFrame(
        {"t": cents * now, "b": now * 1.0, "s": cents * ~now, "c": ~now * 1.0}, index=won.index
    )
    cells = parts.groupby(won["segment"], dropna=False).sum()
    each = parts.groupby(won["account_id"].fillna(won["deal_id"])).sum()
    pairs = ("tt", "tb", "bb", "ss", "sc", "cc", "ts", "tc", "bs", "bc")
    sums = {f"{i}{j}": each[i] * each[j] for i, j in pairs}
    ones = pd.Series(1, each.index)
    return _change(cells, pd.DataFrame(sums | {"g": ones, "g1": each["b"] > 0, "g0": each["c"] > 0}))


# The segment is the account's: one pass by account gives the sums of the segments as well.
SIZE_CHANGE = f"""
SELECT sum(t) AS t, sum(b) AS b, sum(s) AS s, sum(c) AS c, sum(t * t) AS tt, sum(t * b) AS tb, sum(b * b) AS bb,
       sum(s * s) AS ss, sum(s * c) AS sc, sum(c * c) AS cc, sum(t * s) AS ts, sum(t * c) AS tc, sum(b * s) AS bs,
       sum(b * c) AS bc, count(*) AS g, count(*) FILTER (b > 0) AS g1, count(*) FILTER (c > 0) AS g0
FROM (SELECT segment, coalesce(sum(cents) FILTER (now), 0)::DOUBLE AS t, (count(*) FILTER (now))::DOUBLE AS b,
             coalesce(sum(cents) FILTER (NOT now), 0)::DOUBLE AS s, (count(*) FILTER (NOT now))::DOUBLE AS c
      FROM (SELECT segment, coalesce(account_id, deal_id) AS account, amount_base_cents AS cents,
                   closed_date >= DATE '{YEAR[0]}' AS now
            FROM deals WHERE status = 'won' AND amount_base_cents > 0 AND {BOTH}) d
      GROUP BY segment, account) a
GROUP BY segment
"""


RIVALS = {
    "revenue_growth": Rival(
        reads={"deals": ["status", "closed_date", "amount_base_cents", "amount", "currency_code"]},
        options={"period": YEAR},
        sql=REVENUE_GROWTH,
        pandas=_revenue_growth,
    ),
    "deal_size_change": Rival(
        reads={"deals": ["deal_id", "status", "closed_date", "amount_base_cents", "segment", "account_id"]},
        options={"period": YEAR},
        sql=SIZE_CHANGE,
        finish=lambda sums: _change(sums, sums),
        pandas=_size_change,
    ),
}
