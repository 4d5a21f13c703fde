"""Kinds of won deals: first order, connected, expansion, renewal; by account family."""

from __future__ import annotations

from typing import Any

import narwhals as nw

from salestrack.kpis._facts import MISSING, Facts
from salestrack.kpis._frames import Rows, flag, frame, summarise
from salestrack.kpis._periods import day_number

CUSTOMER_TYPES = ("expansion", "renewal", "existing")


def with_family(x: Facts, accounts: Any) -> Facts:
    """The won deals with `_family`: the topmost known account above theirs."""
    x = x.keep((nw.col("status") == "won") & ~nw.col("closed_date").is_null())
    parent = "parent_account_id"
    named = [nw.col(parent)] if parent in x.columns else []
    rows = x.rows
    if accounts is not None:
        rows, named = (
            rows.join(_tops(accounts, x.function), on="account_id", how="left"),
            [nw.col("_top"), *named],
        )
    rows = rows.with_columns(_family=nw.coalesce(*named, nw.col("account_id")).cast(nw.String))
    return Facts(rows, x.by, x.function, x.fiscal_year_start)


def _tops(accounts: Any, function: str) -> Rows:
    """The parent of each account that has one, or the parent's parent, `_top`."""
    parents = frame(accounts, needs=("account_id", "parent_account_id"), function=function)
    parents = parents.filter(~nw.col("parent_account_id").is_null() & ~nw.col("account_id").is_null())
    parents = summarise(parents, ("account_id",), parent_account_id=("parent_account_id", "min"))
    above = parents.rename({"account_id": "parent_account_id", "parent_account_id": "_above"})
    tops = parents.join(above, on="parent_account_id", how="left")
    return tops.select("account_id", _top=nw.coalesce(nw.col("_above"), nw.col("parent_account_id")))


def with_kind(x: Facts) -> Facts:
    """With the kind of each won deal; of several on one day the first by id comes first."""
    x = x.mark(_day=day_number("closed_date"))
    order = ["_day", *(["deal_id"] if "deal_id" in x.columns else [])]
    x = x.placed(_nth=(["account_id"], order), _of_family=(["_family"], order))
    typed = nw.col("deal_type").cast(nw.String).fill_null("") if "deal_type" in x.columns else nw.lit("")
    x = x.mark(_type=typed)
    kind = (
        nw.when(nw.col("account_id").is_null())
        .then(nw.lit(MISSING))
        .otherwise(
            nw.when(nw.col("_of_family") == 1)
            .then(nw.lit("first_order"))
            .otherwise(
                nw.when(nw.col("_nth") == 1)
                .then(nw.lit("connected_new"))
                .otherwise(
                    nw.when(nw.col("_type") == "renewal")
                    .then(nw.lit("renewal"))
                    .otherwise(nw.lit("expansion"))
                )
            )
        )
    )
    x = x.mark(kind=kind)
    return x.mark(_typed=flag((nw.col("kind") == "first_order") & nw.col("_type").is_in(CUSTOMER_TYPES)))
