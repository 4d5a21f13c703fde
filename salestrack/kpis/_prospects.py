"""Leads put together to the people and companies that they are, with what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import narwhals as nw

from salestrack.kpis._facts import By, Facts, alternatives, facts
from salestrack.kpis._frames import Rows, flag, stacked, summarise
from salestrack.kpis._periods import number_of
from salestrack.kpis._survival import day_known, days_from, earliest, on_or_before

UNIT = "_unit"


def prospects(leads: Any, deals: Any, *, function: str, as_of: date, by: By, fiscal_year_start: int) -> Facts:
    """One row per person or company, in the groups of its first lead: day of that lead `_in`, number of
    `_leads`, `_day` waited and `_cause` 1 won, 2 disqualified, 0 waiting."""
    created = alternatives(facts(leads, function=function), "created_date", "created_at")
    x = facts(
        leads,
        function=function,
        needs=("lead_id", created, "disqualified_at"),
        date=created,
        by=by,
        fiscal_year_start=fiscal_year_start,
    )
    x = x.mark(
        _in=day_known(created, as_of, x.columns),
        _out=day_known("disqualified_at", as_of, x.columns),
        _id=nw.col("lead_id").cast(nw.String),
    )
    x = _units(x.keep(~nw.col("_in").is_null()), as_of)
    wins = _wins(x, facts(deals, function=function, needs=("deal_id", "status", "closed_date")), as_of)
    x = Facts(x.rows.join(wins, on="_id", how="left"), x.by, function, fiscal_year_start)
    return _ended(_first_leads(x), as_of)


def _units(x: Facts, as_of: date) -> Facts:
    """With `_unit`, the person or company, and `_deal`, the deal that the lead became."""
    has = x.columns
    done = ~day_known("converted_at", as_of, has).is_null() if "converted_at" in has else nw.lit(True)
    account = _text("account_id", has)
    if "converted_account_id" in has:
        account = nw.coalesce(account, nw.when(done).then(_text("converted_account_id", has)))
    company = _text("company_name", has).str.strip_chars().str.to_lowercase()
    x = x.mark(
        _contact=_text("contact_id", has),
        _account=account,
        _company=nw.when(company != "").then(company),
        _deal=nw.when(done).then(_text("converted_deal_id", has)),
    )
    shared = nw.when(~nw.col("_company").is_null()).then(nw.col("_account").max().over("_company"))
    x = x.mark(_account=nw.coalesce(nw.col("_account"), shared))
    kinds = {"_contact": "contact ", "_account": "account ", "_company": "company ", "_id": "lead "}
    named = [
        nw.when(~nw.col(c).is_null()).then(nw.concat_str(nw.lit(t), nw.col(c))) for c, t in kinds.items()
    ]
    x = x.mark(**{UNIT: nw.coalesce(*named)})
    return x.mark(_since=nw.col("_in").min().over(UNIT))


def _wins(x: Facts, deals: Facts, as_of: date) -> Rows:
    """The first win of each lead since its unit came, whichever side knows of the other."""
    day = nw.when(nw.col("status") == "won").then(day_known("closed_date", as_of, deals.columns))
    won = deals.mark(_won=day).keep(~nw.col("_won").is_null())
    here = won.rows.select("_won", _deal=nw.col("deal_id").cast(nw.String))
    ours = x.rows.select("_id", "_deal", "_since")
    every = ours.join(here, on="_deal", how="inner").select("_id", "_since", "_won")
    if "lead_id" in won.columns:
        named = won.rows.select("_won", _id=nw.col("lead_id").cast(nw.String))
        found = ours.join(named, on="_id", how="inner").select("_id", "_since", "_won")
        every = stacked([every, found])
    return summarise(every.filter(nw.col("_won") >= nw.col("_since")), ("_id",), _won=("_won", "min"))


def _first_leads(x: Facts) -> Facts:
    """The first lead of each unit, with the first win and the end of the last lead of all."""
    disqualified = flag(~nw.col("_out").is_null())
    x = x.mark(_over=disqualified).mark(
        _place=nw.col("_id").cum_count().over(UNIT, order_by=["_in", "_id"]),
        _leads=nw.len().over(UNIT).cast(nw.Int64),
        _overs=nw.col("_over").sum().over(UNIT).cast(nw.Int64),
        _won=nw.col("_won").min().over(UNIT),
        _out=nw.col("_out").max().over(UNIT),
    )
    return x.keep(nw.col("_place") == 1)


def _ended(x: Facts, as_of: date) -> Facts:
    x = x.mark(_gone=nw.when(nw.col("_overs") == nw.col("_leads")).then(nw.col("_out")))
    x = x.mark(_end=earliest("_won", "_gone"))
    cause = (
        nw.when(nw.col("_end").is_null()).then(nw.lit(0)).when(on_or_before("_won", "_gone")).then(nw.lit(1))
    )
    return x.mark(
        _cause=cause.otherwise(nw.lit(2)).cast(nw.Int64),
        _day=days_from("_in", nw.col("_end").fill_null(number_of(as_of))),
    )


def _text(column: str, has: Sequence[str]) -> nw.Expr:
    return nw.col(column).cast(nw.String) if column in has else nw.lit(None).cast(nw.String)
