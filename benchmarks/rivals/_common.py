"""What several rivals share: days, intervals, curves, rates of exchange.

Curves are counts per day with running products over them. The days of the pandas way are those of the Book as of
`DAY`, the last day of the companies that `salestrack world` invents.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

DAY = (np.datetime64("2026-10-31") - np.datetime64("1970-01-01")).astype(float)
Z = 1.959963984540054
NO_DEALS = ("duplicate", "test", "spam")
"""Reasons of losses that never were deals."""
JUNK = f"coalesce(lower(lost_reason) IN {NO_DEALS}, FALSE)"
WILSON = f"""({{k}} + {Z**2 / 2} - {Z} * sqrt({{k}} * ({{n}} - {{k}}) / {{n}} + {Z**2 / 4})) / ({{n}} + {Z**2}) AS low,
       ({{k}} + {Z**2 / 2} + {Z} * sqrt({{k}} * ({{n}} - {{k}}) / {{n}} + {Z**2 / 4})) / ({{n}} + {Z**2}) AS high"""


Array = np.ndarray[Any, np.dtype[Any]]


def days(dates: pd.Series[Any]) -> Array:
    """Days since 1970, NaN where there is none."""
    found = dates.to_numpy().astype("datetime64[D]")
    return np.where(np.isnat(found), np.nan, found.astype(float))


def wilson(k: Any, n: Any) -> tuple[Any, Any]:
    """The 95 % interval of a share."""
    half = Z * np.sqrt(k * (n - k) / n + Z**2 / 4)
    return (k + Z**2 / 2 - half) / (n + Z**2), (k + Z**2 / 2 + half) / (n + Z**2)


def each(frame: pd.DataFrame, by: Any, figures: Callable[[pd.DataFrame], dict[str, Any]]) -> pd.DataFrame:
    """One row of figures per group."""
    return pd.DataFrame([figures(part) for _, part in frame.groupby(by, dropna=False, sort=True)])


def real_deals(deals: pd.DataFrame) -> Array:
    """False for losses that never were deals."""
    return ~deals["lost_reason"].str.lower().isin(NO_DEALS).to_numpy()


# Stays in stages from the exported history, of deals that were not deleted: what `raw` starts from.
STAYS = """
h AS (SELECT h.deal_id, h.seq, h.entered_at, h.exited_at, s.stage_order, s.stage_name, s.stage_type, d.amount_base_cents
      FROM deal_stage_history h JOIN stages s ON s.stage_id = h.to_stage_id JOIN deals d USING (deal_id))"""


STAGE = ["stage_order", "stage_name"]
SPELL = ["stage_order", "stage_name", "entered_at", "left_at", "exit_type"]


def number(day: str) -> float:
    """Days since 1970."""
    return float((np.datetime64(day) - np.datetime64("1970-01-01")).astype(float))


def rate_on(exchange_rates: pd.DataFrame, day: float) -> dict[str, float]:
    """The newest rate of each currency on a day."""
    known = exchange_rates[days(exchange_rates["rate_date"]) <= day].sort_values("rate_date", kind="stable")
    newest = known.drop_duplicates("from_currency_code", keep="last")
    return dict(zip(newest["from_currency_code"], newest["rate"].astype(float), strict=True)) | {"EUR": 1.0}


def converted(versions: pd.DataFrame, rate: dict[str, float]) -> Array:
    """Hundredths of the reporting currency."""
    amount = versions["amount"].to_numpy(dtype=float, na_value=np.nan)
    return np.asarray(np.floor(amount * versions["currency_code"].map(rate).to_numpy() * 100 + 0.5))


def spans_of(deal_versions: pd.DataFrame) -> tuple[Array, Array]:
    """First day of each span and the day after its last one."""
    end = days(deal_versions["valid_to_date"])
    return days(deal_versions["valid_from_date"]), np.where(np.isnan(end), np.inf, end)


RATES = ["from_currency_code", "rate_date", "rate"]
SPAN = ["deal_id", "valid_from_date", "valid_to_date", "status", "amount", "currency_code"]
AS_OF = "2026-10-31"
"""The day of looking, given to the KPI as well: pandas has no other way to know it."""
YEAR, YEAR_BEFORE = ("2025-11-01", "2026-11-01"), ("2024-11-01", "2025-11-01")
"""The twelve months that are judged, and the twelve before, which they are compared with."""


TODAY = np.datetime64(AS_OF)


def dates_of(column: pd.Series[Any]) -> np.ndarray[Any, Any]:
    """Dates as NumPy days, whatever they were read as."""
    return column.to_numpy().astype("datetime64[D]")


def between(at: np.ndarray[Any, Any], start: str, end: str) -> np.ndarray[Any, Any]:
    """True from the first day up to, not including, the last."""
    return (at >= np.datetime64(start)) & (at < np.datetime64(end))


def alive(rows: pd.DataFrame) -> np.ndarray[Any, Any]:
    """True where a row is not deleted."""
    return ~rows["is_deleted"].fillna(False).to_numpy(dtype=bool)


# Intervals of ratios of sums whose cases belong together by account: from sums of squares over the accounts.


def student(groups: Any) -> Any:
    """The 97.5 % quantile of Student's t with one degree less than there are groups."""
    from scipy.special import stdtrit

    g = np.asarray(groups, dtype=float)
    return stdtrit(np.where(g > 1, g - 1, np.nan), 0.975)


def ratio_spread(t: Any, b: Any, tt: Any, tb: Any, bb: Any, g: Any) -> tuple[Array, Array]:
    """A ratio of sums t/b and half its 95 % interval, from sums over g accounts of their squares and products."""
    t, b, tt, tb, bb, g = (np.asarray(v, dtype=float) for v in (t, b, tt, tb, bb, g))
    b, g = np.where(b != 0, b, np.nan), np.where(g > 1, g, np.nan)
    ratio = t / b
    squares = tt - 2 * ratio * tb + ratio**2 * bb
    squares = np.where(np.abs(squares) <= tt * 1e-12, 0, np.maximum(squares, 0))
    return ratio, student(g) * np.sqrt(g / (g - 1) * squares) / np.abs(b)


def logit_interval(share: Any, half: Any) -> tuple[Any, Any]:
    """The interval of a share strictly between 0 and 1, put around its logit."""
    odds, step = np.log(share / (1 - share)), half / (share * (1 - share))
    return 1 / (1 + np.exp(step - odds)), 1 / (1 + np.exp(-step - odds))


def median_bounds(n: Any, effect: Any = 1.0) -> Any:
    """The place (from 1) of the value below the median that bounds it with 95 %; 0 or less where there is none."""
    return np.floor((n + 1 - Z * np.sqrt(n * np.maximum(effect, 1.0))) / 2).astype(int)


# Curves as tables of one row per group and one column per day from 0 on. A query packs the day and the way out of a
# case into one whole number, `at`: 8 * day + way. Ways: 0 waits, 1 the event, 2 and 3 competing, from 4 on aside.


def rows_of(cells: pd.DataFrame, groups: list[str]) -> tuple[pd.DataFrame, Array]:
    """The groups in their order, missing ones last, and the number of the row of each cell."""
    names = cells[groups].drop_duplicates().sort_values(groups, na_position="last", ignore_index=True)
    return names, cells.groupby(groups, dropna=False, sort=True).ngroup().to_numpy()


def spread_out(row: Array, day: Array, n: Array, shape: tuple[int, int]) -> Array:
    """What falls on each day, per group."""
    flat = np.bincount(row * shape[1] + day, weights=n, minlength=shape[0] * shape[1])
    return flat.reshape(shape)


def still_there(gone: Array) -> Array:
    """How many are there on each day when so many go on it."""
    return gone[:, ::-1].cumsum(axis=1)[:, ::-1]


def greenwood(left: Array, risk: Array) -> Array:
    rest = risk - left
    return np.divide(left, risk * rest, out=np.zeros(np.shape(risk)), where=rest > 0)


def aalen(event: Array, left: Array, risk: Array, final: bool = False) -> tuple[Array, Array, Array]:
    """Incidence of the event, share that waits on, and the incidence's variance, or covariance with its last value."""
    safe = np.maximum(risk, 1)
    after = np.cumprod(1 - left / safe, axis=1)
    before = np.column_stack([np.ones(len(after)), after[:, :-1]])
    share = np.cumsum(before * event / safe, axis=1)
    end = share[:, -1:] if final else share
    a, c = greenwood(left, risk), before * event / safe**2
    own = np.cumsum(before**2 * event * (risk - event) / safe**3, axis=1)
    squares = share * end * np.cumsum(a, axis=1) + np.cumsum(a * share**2, axis=1)
    cross = (share + end) * (np.cumsum(a * share, axis=1) + np.cumsum(c, axis=1))
    return share, after, squares + own - cross + 2 * np.cumsum(c * share, axis=1)


def log_log(p: Array, variance: Array) -> tuple[Array, Array]:
    """95 % interval of a probability on the log(-log) scale; 0 and 1 stay as they are."""
    inner = (p > 0) & (p < 1)
    q = np.where(inner, p, 0.5)
    half = Z * np.sqrt(np.maximum(variance, 0)) / np.abs(q * np.log(q))
    return np.where(inner, q ** np.exp(half), p), np.where(inner, q ** np.exp(-half), p)


def within(cells: pd.DataFrame, groups: list[str], horizon: int, *sums: str) -> pd.DataFrame:
    """Per group what became of the cases within the horizon, from numbers of cases `n` per `at`, and further sums.

    The share is unknown where nobody was followed that long and some waited on the last day.
    """
    names, row = rows_of(cells, groups)
    at, n = cells["at"].to_numpy(), cells["n"].to_numpy()
    day, way, size = at >> 3, at & 7, max(int(at.max()) >> 3, horizon) + 1
    made = spread_out(row + len(names) * way, day, n, (8 * len(names), size)).reshape(8, len(names), size)
    waits, won, lost, moved = made[:4]
    left = won + lost + moved
    risk = still_there(left + waits)
    share, _, variance = aalen(won, left, risk)
    last = np.maximum((risk > 0).sum(axis=1) - 1, 0)
    told = (risk[:, horizon] > 0) | ((waits[np.arange(len(last)), last] == 0) & (risk[:, 0] > 0))
    value = np.where(told, share[:, horizon], np.nan)
    known = left[:, :horizon].sum(axis=1) + risk[:, horizon]
    low, high = log_log(value, variance[:, horizon])
    edge = (value == 0) | (value == 1)
    low[edge], high[edge] = wilson((known * value)[edge], known[edge])
    some = np.where(risk[:, 0] > 0, risk[:, 0], np.nan)
    ways = {"won": won, "lost": lost, "transferred": moved}
    return names.assign(
        **{name: counts[:, : horizon + 1].sum(axis=1) for name, counts in ways.items()},
        **{f"aside{kind}": made[kind].sum(axis=1) for kind in (4, 5)},
        **{name: np.bincount(row, weights=cells[name], minlength=len(names)) for name in sums},
        open=risk[:, 0] - known,
        share=value,
        low=low,
        high=high,
        final=share[:, -1] + 0 * some,
        followed=last + 0 * some,
        n=risk[:, 0],
        matured=known / some,
    )
