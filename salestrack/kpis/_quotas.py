"""Quotas cut into months, and the credits that fall into them: small tables, made once for all quota KPIs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import narwhals as nw
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._facts import MISSING, By, Facts, facts, group_names
from salestrack.kpis._frames import small, summarise
from salestrack.kpis._money import CENTS, with_cents
from salestrack.kpis._periods import MONTHS, day_number, month_number, month_word, number_of
from salestrack.periods import WORDS, Period, month_index, month_start

EPOCH = date(1970, 1, 1)
VALUES = ("bookings", "revenue")


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
    groups, `_key` and `_end` (days, half-open), `quota`, `months` (share of a month).
    """
    groups = [name for name in group_names(by) if name not in WORDS]
    rows = _valid(
        facts(quotas, function=function, needs=("rep_id", "period_start_date", "period_end_date"), by=groups),
        metric,
    )
    keys = tuple(dict.fromkeys(("rep_id", *groups, "_from", "_to")))
    table = small(summarise(with_cents(rows, "quota_amount").rows, keys, quota=(CENTS, "sum")))
    _refuse_overlaps(table, function)
    pieces = [
        {**{name: row[name] for name in dict.fromkeys(("rep_id", *groups))}, **piece}
        for row in _records(table)
        for piece in _pieces(row, span)
    ]
    columns = [*dict.fromkeys(("rep_id", *groups)), "_key", "_end", "quota", "months"]
    made = pd.DataFrame(pieces, columns=columns).astype(
        {"rep_id": "str", "_key": "int64", "_end": "int64", "quota": "int64", "months": "float64"}
    )
    return _worded(made, by, fiscal_year_start, function)


def credited_pieces(
    pieces: pd.DataFrame, credits: Any, *, function: str, by: By, span: Period | None, fiscal_year_start: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The pieces with the hundredths `credited` in each, and the credits that no quota covers."""
    table = _credits(pieces, credits, function, by, span)
    joined = pd.merge_asof(
        table.sort_values("_key", kind="stable"),
        pieces[["rep_id", "_key", "_end"]].assign(_start=pieces["_key"]).sort_values("_key"),
        on="_key",
        by="rep_id",
        direction="backward",
    )
    covered = (joined["_key"] < joined["_end"]).fillna(False).astype(bool)
    fits = joined[covered].assign(_key=joined["_start"], credited=joined["cents"])
    sums = fits.groupby(["rep_id", "_key"])["credited"].sum().reset_index().astype({"_key": "int64"})
    done = pieces.merge(sums, on=["rep_id", "_key"], how="left")
    done["credited"] = done["credited"].fillna(0).astype("int64")
    return done, _worded(joined[~covered].drop(columns=["_end", "_start"]), by, fiscal_year_start, function)


def month_aligned(pieces: pd.DataFrame) -> bool:
    """True when every piece is a whole month."""
    return bool((abs(pieces["months"] - 1) < 1e-9).all())


def _valid(x: Facts, metric: str | None) -> Facts:
    x = x.keep(~nw.col("rep_id").is_null())
    x = x.mark(
        rep_id=nw.col("rep_id").cast(nw.String),
        _from=day_number("period_start_date"),
        _to=day_number("period_end_date") + 1,
    )
    if "metric" not in x.columns:
        return x
    wanted = (metric,) if metric else VALUES
    x = x.keep(nw.col("metric").cast(nw.String).is_in(list(wanted)))
    found = small(x.rows.select(nw.col("metric").cast(nw.String)).unique())["metric"]
    if len(found) > 1:
        raise KpiError.bad_rows(
            x.function, "the quotas have several metrics", "choose one with metric='bookings'"
        )
    return x


def _refuse_overlaps(table: pd.DataFrame, function: str) -> None:
    ordered = table.sort_values(["rep_id", "_from"], kind="stable")
    clash = ordered["_from"] < ordered.groupby("rep_id")["_to"].shift()
    if clash.any():
        row = ordered[clash].iloc[0]
        raise KpiError.bad_rows(
            function,
            f"the rep {row['rep_id']} has two quotas for {_day(row['_from'])}",
            "keep one row per rep and period",
        )


def _pieces(row: dict[str, Any], span: Period | None) -> Iterator[dict[str, Any]]:
    start, end = int(row["_from"]), int(row["_to"])
    first, last = (number_of(span.start), number_of(span.end)) if span else (start, end)
    cuts = _cuts(start, end, first, last)
    for low, high in zip(cuts, cuts[1:], strict=False):
        if first <= low and high <= last:
            share = int(row["quota"]) * (high - start) // (end - start) - int(row["quota"]) * (
                low - start
            ) // (end - start)
            month = Period.months(_day(low).replace(day=1), 1)
            yield {"_key": low, "_end": high, "quota": share, "months": (high - low) / month.days}


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _cuts(start: int, end: int, first: int, last: int) -> list[int]:
    months = range(month_index(_day(start)) + 1, month_index(_day(end - 1)) + 1)
    inner = {number_of(month_start(index)) for index in months} | {first, last}
    return [start, *sorted(cut for cut in inner if start < cut < end), end]


def _day(number: float) -> date:
    return EPOCH + timedelta(days=int(number))


def _credits(pieces: pd.DataFrame, credits: Any, function: str, by: By, span: Period | None) -> pd.DataFrame:
    """Hundredths per rep and month (or day, where quotas begin within months), with the groups they know."""
    groups = [name for name in group_names(by) if name not in (*WORDS, "rep_id")]
    x = facts(credits, function=function, needs=("rep_id", "credit_date"), date="credit_date", period=span)
    known = [name for name in groups if name in x.columns]
    x = with_cents(x).keep(~nw.col("credit_date").is_null()).also_by(*known)
    key = month_number("credit_date") if month_aligned(pieces) else day_number("credit_date")
    x = x.mark(rep_id=nw.col("rep_id").cast(nw.String).fill_null(MISSING), _key=key)
    table = small(summarise(x.rows, ("rep_id", "_key", *known), cents=(CENTS, "sum")))
    if month_aligned(pieces):
        table["_key"] = [number_of(month_start(int(index))) for index in table["_key"]]
    return table.assign(**{name: MISSING for name in groups if name not in known}).astype({"_key": "int64"})


def _worded(table: pd.DataFrame, by: By, fiscal_year_start: int, function: str) -> pd.DataFrame:
    """With the whole number of each period word, by the month that a row starts in."""
    months = pd.Series([month_index(_day(key)) for key in table["_key"]], index=table.index, dtype="int64")
    words = [name for name in group_names(by) if name in WORDS]
    for word in words:
        if word not in MONTHS:
            raise KpiError.unusable_word(word, function, MONTHS)
        table = table.assign(**{word: month_word(word, months, fiscal_year_start)})
    return table
