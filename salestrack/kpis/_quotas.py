"""Quotas cut into months, and the credits that fall into them: small tables, made once for all quota KPIs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._facts import MISSING, By, Facts, facts, group_names
from salestrack.kpis._frames import flag, small, summarise
from salestrack.kpis._money import CENTS, with_cents
from salestrack.kpis._periods import MONTHS, day_number, month_number, month_word, number_of
from salestrack.periods import WORDS, Period

VALUES = ("bookings", "revenue")
REACH = 10**7
"""Days that each rep has on the one line on which quotas and credits meet."""


def quota_pieces(
    quotas: Any,
    *,
    function: str,
    by: By,
    span: Period | None,
    fiscal_year_start: int,
    metric: str | None = None,
) -> pd.DataFrame:
    """One row per rep and month (or part of one, at the ends of the span): the quota that falls there, in
    hundredths.

    Quotas over several months are spread by days; the parts of a quota add up to it. Columns: rep_id, the
    groups, `_rep` (a number for each rep_id), `_key` and `_end` (days, half-open), `quota`, `months` (share of a
    month).
    """
    groups = [name for name in group_names(by) if name not in WORDS]
    x = facts(quotas, function=function, needs=("rep_id", "period_start_date", "period_end_date"), by=groups)
    x = _valid(x, span, metric)
    own = list(dict.fromkeys(("rep_id", *groups)))
    keys = (*own, "_from", "_to", "_metric")
    table = small(summarise(with_cents(x, "quota_amount").rows, keys, quota=(CENTS, "sum")))
    if (table["_metric"] != table["_metric"].min()).any():
        raise KpiError.bad_rows(
            function, "the quotas have several metrics", "choose one with metric='bookings'"
        )
    table["_rep"] = pd.factorize(table["rep_id"])[0]
    _refuse_overlaps(table, function)
    return _pieces(table, [*own, "_rep"], span, lambda key: _words(key, by, fiscal_year_start, function))


def credited_pieces(
    pieces: pd.DataFrame, credits: Any, *, function: str, by: By, span: Period | None, fiscal_year_start: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The pieces with the hundredths `credited` in each, and the credits that no quota covers."""
    table = _credits(pieces, credits, function, by, span)
    rep, key, end = (pieces[name].to_numpy() for name in ("_rep", "_key", "_end"))
    order = np.argsort(rep * REACH + key, kind="stable")
    starts, ends = (rep * REACH + key)[order], (rep * REACH + end)[order]
    days, cents = table["_key"].to_numpy(), table["cents"].to_numpy()
    at = _reps_of(table, pieces) * REACH + days
    before = np.searchsorted(
        starts, at, side="right"
    )  # how many pieces start by then; the last of them may cover it
    covered = at < np.append(-2 * REACH, ends)[before]
    credited = np.zeros(len(pieces), dtype="int64")
    np.add.at(credited, order[before[covered] - 1], cents[covered])
    rest = table[~covered]
    words = _words(days[~covered], by, fiscal_year_start, function)
    return pieces.assign(credited=credited), rest.assign(**words) if words else rest


def month_aligned(pieces: pd.DataFrame) -> bool:
    """True when every piece is a whole month."""
    return bool((abs(pieces["months"].to_numpy() - 1) < 1e-9).all())


def _valid(x: Facts, span: Period | None, metric: str | None) -> Facts:
    """The quotas of the span that are money, with `_from` and `_to` (days, half-open) and a number for the metric."""
    kind = nw.col("metric").cast(nw.String) if "metric" in x.columns else nw.lit(VALUES[0])
    x = x.mark(
        rep_id=nw.col("rep_id").cast(nw.String),
        _from=day_number("period_start_date"),
        _to=day_number("period_end_date") + 1,
        _metric=flag(kind == VALUES[0]),
    )
    counts = ~nw.col("rep_id").is_null() & (nw.col("_from") < nw.col("_to"))
    if span:
        counts = counts & (nw.col("_from") < number_of(span.end)) & (nw.col("_to") > number_of(span.start))
    if "metric" in x.columns:
        counts = counts & (kind == metric if metric else kind.is_in(list(VALUES)))
    return x.keep(counts)


def _refuse_overlaps(table: pd.DataFrame, function: str) -> None:
    rep, start, end = (table[name].to_numpy() for name in ("_rep", "_from", "_to"))
    order = np.lexsort((start, rep))
    clash = (rep[order][1:] == rep[order][:-1]) & (start[order][1:] < end[order][:-1])
    if clash.any():
        row = table.iloc[order[1:][clash]].sort_values(["rep_id", "_from"]).iloc[0]
        raise KpiError.bad_rows(
            function,
            f"the rep {row['rep_id']} has two quotas for {np.datetime64(int(row['_from']), 'D')}",
            "keep one row per rep and period",
        )


def _pieces(
    table: pd.DataFrame, columns: list[str], span: Period | None, words: Callable[[Any], dict[str, Any]]
) -> pd.DataFrame:
    """The quotas cut where months and the span begin and end: with these columns, a row for each part of a month."""
    start, end, quota = (table[name].to_numpy(dtype="int64") for name in ("_from", "_to", "quota"))
    first, last = start, end
    if span:
        first, last = np.maximum(start, number_of(span.start)), np.minimum(end, number_of(span.end))
    months = _months_of(first)
    parts = _months_of(last - 1) - months + 1
    row = np.repeat(np.arange(len(table)), parts)
    month = months[row] + np.arange(len(row)) - (np.cumsum(parts) - parts)[row]
    begins, ends = _first_days(month), _first_days(month + 1)
    low, high = np.maximum(begins, first[row]), np.minimum(ends, last[row])
    start, days, quota = start[row], (end - start)[row], quota[row]
    share = quota * (high - start) // days - quota * (low - start) // days
    made = {name: table[name].array.take(row) for name in columns}
    made |= {"_key": low, "_end": high, "quota": share, "months": (high - low) / (ends - begins)}
    return pd.DataFrame(made | words(low))


def _reps_of(table: pd.DataFrame, pieces: pd.DataFrame) -> Any:
    """The numbers that the pieces give to the reps of a table; -1 for those that they do not know."""
    return pd.Index(pieces["rep_id"].unique()).get_indexer(table["rep_id"])


def _credits(pieces: pd.DataFrame, credits: Any, function: str, by: By, span: Period | None) -> pd.DataFrame:
    """Hundredths per rep and month (or day, where quotas begin within months), with the groups they know."""
    groups = [name for name in group_names(by) if name not in (*WORDS, "rep_id")]
    x = facts(credits, function=function, needs=("rep_id", "credit_date"), date="credit_date", period=span)
    known = [name for name in groups if name in x.columns]
    x = with_cents(x).keep(~nw.col("credit_date").is_null()).also_by(*known)
    whole = month_aligned(pieces)
    key = month_number("credit_date") if whole else day_number("credit_date")
    x = x.mark(rep_id=nw.col("rep_id").cast(nw.String).fill_null(MISSING), _key=key)
    table = small(summarise(x.rows, ("rep_id", "_key", *known), cents=(CENTS, "sum")))
    days = table["_key"].to_numpy(dtype="int64")
    table["_key"] = _first_days(days) if whole else days
    return table.assign(**dict.fromkeys((name for name in groups if name not in known), MISSING))


def _words(days: Any, by: By, fiscal_year_start: int, function: str) -> dict[str, Any]:
    """The whole number of each period word, by the month that a day lies in."""
    words = [name for name in group_names(by) if name in WORDS]
    for word in words:
        if word not in MONTHS:
            raise KpiError.unusable_word(word, function, MONTHS)
    return {word: month_word(word, _months_of(days), fiscal_year_start) for word in words}


def _months_of(days: Any) -> Any:
    """Months since year 0 of numbers of days since 1970, as `month_number`."""
    return days.astype("datetime64[D]").astype("datetime64[M]").astype("int64") + 1970 * 12


def _first_days(months: Any) -> Any:
    """The first days, since 1970, of numbers of months."""
    return (months - 1970 * 12).astype("datetime64[M]").astype("datetime64[D]").astype("int64")
