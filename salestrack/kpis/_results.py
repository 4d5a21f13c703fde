"""What is worked out on the small table: rates with intervals, ratios of sums, medians, columns in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.kpis._facts import Facts, named_groups
from salestrack.kpis._frames import Rows, flag, masked, masked_sum, small, summarise
from salestrack.stats.intervals import Z95, ratio_interval, ratio_variance, share_interval, wilson

NO_DATA = "no_data"


def layout(table: pd.DataFrame, x: Facts, *columns: str) -> pd.DataFrame:
    """The groups first, then these columns."""
    return table[[*x.by, *columns]].reset_index(drop=True)


def divided(part: pd.Series[float], whole: pd.Series[float]) -> pd.Series[float]:
    """part / whole; NaN where the whole is 0 or less: undefined is never 0 and never infinite."""
    return part.astype("float64") / whole.astype("float64").where(whole > 0)


def proportion(table: pd.DataFrame, name: str, part: str, whole: str = "n") -> pd.DataFrame:
    """With the share part/whole of counts as `name`, its Wilson interval `low`, `high` and a `note`."""
    low, high = wilson(table[part], table[whole])
    rate = divided(table[part], table[whole])
    return table.assign(**{name: rate}, low=low, high=high, note=note(rate))


def note(figure: pd.Series[float], reason: str = NO_DATA) -> pd.Series[str]:
    """The reason where the figure is undefined, else an empty text."""
    return pd.Series(np.where(figure.isna(), reason, ""), index=figure.index, dtype="str")


def ratio(
    table: pd.DataFrame,
    x: Facts,
    name: str,
    top: str,
    bottom: str,
    *,
    cluster: str | None,
    share: bool = False,
) -> pd.DataFrame:
    """The table of totals with sum(top)/sum(bottom) as `name` and its cluster-robust interval.

    Only sums per cluster (account), and sums of their squares, are needed: the engine makes them.
    Without a cluster column every row is its own.
    """
    squares = x.finish(small(_squares(x, top, bottom, cluster)))
    table = beside(table, squares, x)
    sums = [table[c].fillna(0).astype(float) for c in ("_t", "_b", "_tt", "_tb", "_bb", "_g")]
    value, variance = ratio_variance(*sums)
    low, high = (share_interval if share else ratio_interval)(value, variance, sums[-1])
    rate = pd.Series(value, index=table.index)
    return table.assign(**{name: rate}, low=low, high=high, note=note(rate))


def _squares(x: Facts, top: str, bottom: str, cluster: str | None) -> Rows:
    used = x.keep((nw.col(bottom) != 0) | (nw.col(top) != 0))
    rows = used.rows.with_columns(_t=nw.col(top).cast(nw.Float64), _b=nw.col(bottom).cast(nw.Float64))
    if cluster:
        rows = summarise(rows, (*x.keys, cluster), _t=("_t", "sum"), _b=("_b", "sum"))
    t, b = nw.col("_t"), nw.col("_b")
    rows = rows.with_columns(_tt=t * t, _tb=t * b, _bb=b * b)
    return summarise(
        rows,
        x.by,
        _t=("_t", "sum"),
        _b=("_b", "sum"),
        _tt=("_tt", "sum"),
        _tb=("_tb", "sum"),
        _bb=("_bb", "sum"),
        _g="len",
    )


def cluster_of(x: Facts, own: str) -> tuple[Facts, str | None]:
    """The facts with a column of clusters: the account, or the row's own id where it has none."""
    if "account_id" not in x.columns:
        return x, None
    account = nw.col("account_id").cast(nw.String)
    if own not in x.columns:
        return x.mark(_cluster=account.fill_null("")), "_cluster"
    alone = nw.concat_str(nw.lit("alone "), nw.col(own).cast(nw.String).fill_null(""))
    return x.mark(_cluster=nw.when(account.is_null()).then(alone).otherwise(account)), "_cluster"


def spread(x: Facts, value: str, *, cluster: str | None = None) -> Rows:
    """Per group the median of a column with a 95 % interval, mean, 10 % trimmed sum, 90 % quantile and count.

    The interval runs between order statistics (binomial ranks); where rows of one account lie on the same
    side of the median more often than chance, Woodruff's design effect widens it. All by window functions.
    """
    rows = x.keep(~nw.col(value).is_null()).rows
    rows = rows.with_columns(
        _pos=nw.col(value).cum_count().over(*x.keys, order_by=value).cast(nw.Int64),
        _n=nw.len().over(*x.keys).cast(nw.Int64),
    )
    off = nw.col("_n") + 1 - 2 * nw.col("_pos")  # distance from the middle rank, twice
    rows = rows.with_columns(_off=off, _mid=masked((off <= 1) & (off >= -1), value))
    rows = _spans(rows.with_columns(_mid=nw.col("_mid").mean().over(*x.keys)), x, value, cluster)
    below = (nw.col("_off") >= 0) & (nw.col("_off") * nw.col("_off") >= nw.col("_reach"))
    above = (nw.col("_off") <= 0) & (nw.col("_off") * nw.col("_off") >= nw.col("_reach"))
    cut = nw.col("_n") // 10
    inner = (nw.col("_pos") > cut) & (nw.col("_pos") <= nw.col("_n") - cut)
    rows = rows.with_columns(
        _low=masked(below, value), _high=masked(above, value), _kept=masked_sum(inner, value)
    )
    return summarise(
        rows,
        x.by,
        median=("_mid", "min"),
        low=("_low", "max"),
        high=("_high", "min"),
        mean=(value, "mean"),
        kept=("_kept", "sum"),
        p90=(value, 0.9),
        n="len",
    )


def _spans(rows: Rows, x: Facts, value: str, cluster: str | None) -> Rows:
    """With `_reach`: how far (squared) from the middle rank a row must be to bound the median."""
    count = nw.col("_n").cast(nw.Float64)
    if cluster is None:
        return rows.with_columns(_reach=count * Z95**2)
    side = flag(nw.col(value) > nw.col("_mid")) - flag(nw.col(value) < nw.col("_mid"))
    rows = rows.with_columns(_side=side)
    rows = rows.with_columns(_sides=nw.col("_side").sum().over(*x.keys, cluster).cast(nw.Int64))
    rows = rows.with_columns(_squares=(nw.col("_side") * nw.col("_sides")).cast(nw.Float64))
    rows = rows.with_columns(_spread=nw.col("_squares").sum().over(*x.keys).cast(nw.Float64))
    wide = nw.when(nw.col("_spread") > count).then(nw.col("_spread")).otherwise(count)
    return rows.with_columns(_reach=wide * Z95**2)


def group_total(table: pd.DataFrame, groups: Sequence[str], column: str) -> pd.Series[Any]:
    """The sum of a column over the rows of the same group, beside each row."""
    if not groups:
        return pd.Series(table[column].sum(), index=table.index)
    return table.groupby(list(groups), dropna=False)[column].transform("sum")


def beside(table: pd.DataFrame, more: pd.DataFrame, x: Facts) -> pd.DataFrame:
    """Another table of the same groups beside the first, NaN where it lacks a group."""
    return table.merge(more, on=list(x.by), how="left") if x.by else pd.concat([table, more], axis=1)


def outer(table: pd.DataFrame, more: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Both tables side by side with every group that either has, sorted, numbers that are missing being 0."""
    by = list(by)
    if not by:
        return pd.concat([table, more], axis=1)
    both = table.merge(more, on=by, how="outer")
    numbers = [c for c in both.columns if c not in by and pd.api.types.is_numeric_dtype(both[c])]
    types = {c: (table if c in table else more)[c].dtype for c in numbers}
    both[numbers] = both[numbers].fillna(0)
    return named_groups(both.astype(types), by)
