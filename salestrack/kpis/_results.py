"""What is worked out on the small table: rates with intervals, ratios of sums, medians, columns in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.kpis._facts import MISSING, Facts, named_groups, sums_of
from salestrack.kpis._frames import How, Part, Rows, flag, masked, once, small, summarise
from salestrack.kpis._joining import joined
from salestrack.kpis._periods import floored
from salestrack.stats.intervals import Z95, ratio_interval, ratio_variance, share_interval, wilson

NO_DATA = "no_data"
OF_CLUSTERS = ("_t", "_b", "_tt", "_tb", "_bb", "_g")
Cluster: TypeAlias = tuple[str, ...]
"""Columns that tell clusters of rows apart; none where every row is its own."""


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
    x: Facts, name: str, top: str, bottom: str, *, cluster: Cluster, share: bool = False, **totals: Part
) -> pd.DataFrame:
    """sum(top)/sum(bottom) per group as `name` with its cluster-robust interval, and the `totals` beside it.

    Only sums per cluster (account), and sums of their squares, are needed: the engine makes them, and the totals
    (sums, counts, least and largest) from those of the clusters in the same pass. Without columns of a cluster
    every row is its own.
    """
    return rated(x.finish(small(ratio_sums(x, top, bottom, cluster=cluster, **totals))), name, share=share)


def ratio_sums(x: Facts, top: str, bottom: str, *, cluster: Cluster, **totals: Part) -> Rows:
    """The `totals` per group, and the sums over clusters that `rated` needs."""
    rows = x.rows
    if cluster:
        parts: dict[str, Part] = {f"_{total}_part": part for total, part in totals.items()}
        rows = summarise(rows, together(x.keys, cluster), **parts, _top=(top, "sum"), _bottom=(bottom, "sum"))
        totals = {total: (f"_{total}_part", _of_parts(part)) for total, part in totals.items()}
        top, bottom = "_top", "_bottom"
    t, b = nw.col(top).cast(nw.Float64), nw.col(bottom).cast(nw.Float64)
    rows = rows.with_columns(_t=t, _b=b, _tt=t * t, _tb=t * b, _bb=b * b, _g=flag((t != 0) | (b != 0)))
    sums: dict[str, Part] = {c: (c, "sum") for c in OF_CLUSTERS}
    return summarise(rows, x.by, **sums, **totals)


def rated(table: pd.DataFrame, name: str, *, share: bool = False) -> pd.DataFrame:
    """The table of `ratio_sums` with the ratio, its interval and the note in place of the sums."""
    figures = [table[c].fillna(0).astype(float) for c in OF_CLUSTERS]
    value, variance = ratio_variance(*figures)
    low, high = (share_interval if share else ratio_interval)(value, variance, figures[-1])
    rate = pd.Series(value, index=table.index)
    return table.drop(columns=list(OF_CLUSTERS)).assign(**{name: rate}, low=low, high=high, note=note(rate))


def _of_parts(part: Part) -> How:
    """How the figure of a whole follows from those of its parts."""
    how = "count" if part == "len" else part[1]
    return "sum" if how in ("sum", "count") else how


def cluster_of(x: Facts, own: str) -> tuple[Facts, Cluster]:
    """The facts with the columns that tell clusters apart: the account, and the row's own id where it has none."""
    if "account_id" not in x.columns:
        return x, ()
    if own not in x.columns:
        return x, ("account_id",)
    return x.mark(_alone=masked(nw.col("account_id").is_null(), own)), ("account_id", "_alone")


def together(keys: Sequence[str], cluster: Cluster) -> tuple[str, ...]:
    """Groups and clusters as one list without repetitions."""
    return tuple(dict.fromkeys((*keys, *cluster)))


def spread(x: Facts, value: str, *, cluster: Cluster = (), **totals: Part) -> pd.DataFrame:
    """Per group the median of a column with a 95 % interval, mean, 10 % trimmed sum, 90 % quantile and count, and totals.

    The interval runs between order statistics (binomial ranks); where rows of one account lie on the same
    side of the median more often than chance, Woodruff's design effect widens it. Rows are counted per value
    first: ranks are running sums of these counts. Rows without a value count for the `totals` only.
    """
    schema = x.rows.collect_schema()
    keys = {f"_key{i}": _without_null(name, schema[name]) for i, name in enumerate(x.by)} or {
        "_key0": nw.lit(1)
    }
    rows = x.rows.with_columns(**keys)
    if cluster:
        used = [part[0] for part in totals.values() if part != "len"]
        rows = once(rows.select(*together((*x.by, *keys), (*cluster, value, *used))))
    counts = _ranked(rows, (*x.by, *keys), value, totals)
    n, last, first = nw.col("_n"), nw.col("_last"), nw.col("_first")
    counts = counts.with_columns(_reach=n.cast(nw.Float64) * Z95**2)
    if cluster:
        counts = _widened(counts, rows, list(keys), value, cluster)
    below, above = n + 1 - 2 * first, 2 * last - n - 1  # distance from the middle rank, twice
    cut = floored(n, 10)
    upper = nw.when(last < n - cut).then(last).otherwise(n - cut)
    lower = nw.when(first > cut + 1).then(first).otherwise(cut + 1)
    inner = nw.when(upper >= lower).then(upper - lower + 1).otherwise(nw.lit(0))
    counts = counts.with_columns(
        _low=masked((below >= 0) & (below * below >= nw.col("_reach")), value),
        _high=masked((above >= 0) & (above * above >= nw.col("_reach")), value),
        _kept=inner * nw.col(value),
        _whole=nw.col("_c") * nw.col(value),
    )
    parts: dict[str, Part] = {name: (f"_{name}", "max") for name in RANKS}
    parts |= {"low": ("_low", "max"), "high": ("_high", "min"), "kept": ("_kept", "sum")}
    parts |= {name: (f"_{name}_part", _of_parts(part)) for name, part in totals.items()}
    parts |= {"whole": ("_whole", "sum"), "n": ("_c", "sum")}
    table = x.known(summarise(counts, x.by, **parts), sums=sums_of(parts))
    part = (9 * (table["n"] - 1) % 10) / 10
    return table.assign(
        median=(table["mid"] + table["mid2"]) / 2,
        mean=divided(table["whole"], table["n"]),
        p90=table["ninth"] + part * (table["ninth2"] - table["ninth"]),
    ).drop(columns=[*RANKS, "whole"])


def _without_null(name: str, dtype: Any) -> nw.Expr:
    """A group as a column to join on: NULL is equal to nothing."""
    if dtype == nw.Int64:
        return nw.col(name).fill_null(NO_NUMBER)
    return nw.col(name).cast(nw.String).fill_null(MISSING)


NO_NUMBER = -(2**62)
"""In place of a missing whole number: none that a group can have."""
RANKS = ("mid", "mid2", "ninth", "ninth2")
"""The values at the middle ranks, (n + 1) // 2 and n // 2 + 1, and at those around nine tenths."""


def _ranked(rows: Rows, keys: Sequence[str], value: str, totals: dict[str, Part]) -> Rows:
    """One row per value with its count, its first and last rank in its group, and itself where a rank of `RANKS` is."""
    parts = {f"_{name}_part": part for name, part in totals.items()}
    counts = summarise(rows, (*keys, value), _c=(value, "count"), **parts).with_columns(
        _last=nw.col("_c").cum_sum().over(*keys, order_by=value).cast(nw.Int64),
        _n=nw.col("_c").sum().over(*keys).cast(nw.Int64),
    )
    counts = counts.with_columns(_first=nw.col("_last") - nw.col("_c") + 1)
    n = nw.col("_n")
    ninth = floored(9 * (n - 1), 10) + 1
    after = nw.when(ninth < n).then(ninth + 1).otherwise(n)
    ranks = dict(zip(RANKS, (floored(n + 1, 2), floored(n, 2) + 1, ninth, after), strict=True))
    within = {
        f"_{name}": (nw.col("_first") <= rank) & (rank <= nw.col("_last")) for name, rank in ranks.items()
    }
    return counts.with_columns(**{name: masked(condition, value) for name, condition in within.items()})


def _widened(counts: Rows, rows: Rows, keys: list[str], value: str, cluster: Cluster) -> Rows:
    """With `_reach`, how far (squared) from the middle rank a row must be, where accounts keep to one side of it."""
    counts = once(counts)
    middle = summarise(counts, keys, _lower=("_mid", "max"), _upper=("_mid2", "max"))
    rows = rows.filter(~nw.col(value).is_null()).select(*keys, *cluster, value)
    rows = joined(rows, middle, on=keys)
    double, both = 2 * nw.col(value), nw.col("_lower") + nw.col("_upper")
    rows = rows.with_columns(_side=flag(double > both) - flag(double < both))
    sides = summarise(rows, (*keys, *cluster), _side=("_side", "sum"))
    sides = sides.with_columns(_square=(nw.col("_side") * nw.col("_side")).cast(nw.Float64))
    counts = joined(counts, summarise(sides, keys, _spread=("_square", "sum")), keys, "left")
    wide = nw.col("_spread") * Z95**2
    return counts.with_columns(_reach=nw.when(wide > nw.col("_reach")).then(wide).otherwise(nw.col("_reach")))


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
