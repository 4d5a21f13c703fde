"""Leads put together to the people and companies that they are, with what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import narwhals as nw

from salestrack.kpis._facts import By, Facts, alternatives, facts
from salestrack.kpis._frames import Rows, once, stacked, summarise
from salestrack.kpis._periods import day_number, number_of, until
from salestrack.kpis._survival import at, day_known, days_from, earliest, on_or_before

UNIT = ["_kind", "_unit"]
"""A person or company: the first id of it that is known, and which kind of id that is."""


def prospects(leads: Any, deals: Any, *, function: str, as_of: date, by: By, fiscal_year_start: int) -> Facts:
    """One row per person or company, in the groups of its first lead: day of that lead `_in`, number of
    `_leads`, and in `_at` days waited and 1 won, 2 disqualified, 0 waiting."""
    created = alternatives(facts(leads, function=function), "created_date", "created_at")
    x = facts(
        leads,
        function=function,
        needs=("lead_id", created, "disqualified_at"),
        date=created,
        by=by,
        fiscal_year_start=fiscal_year_start,
    )
    x = x.keep(until(created, x.rows.collect_schema(), as_of))
    x = _named(x, created, as_of)
    units = once(_units(x))
    wins = _wins(x, units, facts(deals, function=function, needs=("deal_id", "status", "closed_date")), as_of)
    return _ended(replace(x, rows=_grouped(x, units).join(wins, on=UNIT, how="left")), as_of)


def _named(x: Facts, created: str, as_of: date) -> Facts:
    """Leads with their person or company, and `_deal`, the deal that they became."""
    has = x.columns
    done = ~day_known("converted_at", as_of, has).is_null() if "converted_at" in has else nw.lit(True)
    account = _text("account_id", has)
    if "converted_account_id" in has:
        account = nw.coalesce(account, nw.when(done).then(_text("converted_account_id", has)))
    company = _stripped(_text("company_name", has)).str.to_lowercase()
    rows = x.rows.select(
        *x.by,
        _in=day_number(created),
        _out=day_known("disqualified_at", as_of, has),
        _id=nw.col("lead_id").cast(nw.String),
        _deal=nw.when(done).then(_text("converted_deal_id", has)),
        _contact=_text("contact_id", has),
        _account=account,
        _company=nw.when(company != "").then(company),
    )
    rows = once(rows)
    known = rows.filter(~nw.col("_company").is_null() & ~nw.col("_account").is_null())
    shared = summarise(known, ("_company",), _shared=("_account", "max"))
    rows = rows.join(shared, on="_company", how="left")
    ids = (nw.col("_contact"), nw.coalesce(nw.col("_account"), nw.col("_shared")), nw.col("_company"))
    kind: Any = nw
    for number, name in enumerate(ids):
        kind = kind.when(~name.is_null()).then(nw.lit(number))
    rows = rows.with_columns(_kind=kind.otherwise(nw.lit(len(ids))), _unit=nw.coalesce(*ids, nw.col("_id")))
    return replace(x, rows=once(rows.select(*x.by, *UNIT, "_id", "_deal", "_in", "_out")))


def _units(x: Facts) -> Rows:
    """One row per person or company: day of the first lead, how many there are and are over, and the last end."""
    first: dict[str, Any] = {word: (word, "min") for word in x.words}
    return summarise(
        x.rows,
        UNIT,
        _in=("_in", "min"),
        _leads="len",
        _overs=("_out", "count"),
        _out=("_out", "max"),
        **first,
    )


def _wins(x: Facts, units: Rows, deals: Facts, as_of: date) -> Rows:
    """The first win of each person or company since it came, whichever side knows of the other."""
    won = deals.keep(nw.col("status") == "won").mark(_won=day_known("closed_date", as_of, deals.columns))
    found = [won.rows.select("_won", _deal=nw.col("deal_id").cast(nw.String))]
    if "lead_id" in won.columns:
        found.append(won.rows.select("_won", _id=nw.col("lead_id").cast(nw.String)))
    keys = ("_deal", "_id")
    wins = [
        x.rows.select(*UNIT, key).join(rows, on=key, how="inner").select(*UNIT, "_won")
        for rows, key in zip(found, keys, strict=False)
    ]
    since = units.select(*UNIT, "_in")
    every = (stacked(wins) if len(wins) > 1 else wins[0]).join(since, on=UNIT, how="inner")
    return summarise(every.filter(nw.col("_won") >= nw.col("_in")), UNIT, _won=("_won", "min"))


def _grouped(x: Facts, units: Rows) -> Rows:
    """The units with the groups of their first lead; of several on its day the one with the smallest id."""
    groups = [name for name in x.by if name not in x.words]
    if not groups:
        return units
    first = x.rows.select(*groups, *UNIT, "_in", "_id").join(units, on=[*UNIT, "_in"], how="inner")
    first = first.with_columns(_place=nw.col("_id").cum_count().over(*UNIT, order_by="_id"))
    return first.filter(nw.col("_place") == 1)


def _ended(x: Facts, as_of: date) -> Facts:
    x = x.mark(_gone=nw.when(nw.col("_overs") == nw.col("_leads")).then(nw.col("_out")))
    x = x.mark(_end=earliest("_won", "_gone"))
    way = (
        nw.when(nw.col("_end").is_null()).then(nw.lit(0)).when(on_or_before("_won", "_gone")).then(nw.lit(1))
    )
    day = days_from("_in", nw.col("_end").fill_null(number_of(as_of)))
    return x.mark(_at=at(day, way.otherwise(nw.lit(2))))


def _stripped(text: nw.Expr) -> nw.Expr:
    """Without outer blanks; looking at both ends is quicker than stripping, which few names need."""
    ends = (text.str.head(1), text.str.tail(1))
    plain = [(end > " ") & (end < "\x7f") for end in ends]  # other letters may be blanks of some kind
    return nw.when(plain[0] & plain[1]).then(text).otherwise(text.str.strip_chars())


def _text(column: str, has: Sequence[str]) -> nw.Expr:
    return nw.col(column).cast(nw.String) if column in has else nw.lit(None).cast(nw.String)
