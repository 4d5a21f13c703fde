"""Restatements: what changed in the bookings of months that had been reported already."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import narwhals as nw
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._card import card
from salestrack.kpis._facts import By, Facts
from salestrack.kpis._frames import flag, masked_sum, small, summarise
from salestrack.kpis._periods import last_day, literal, month_number, number_of
from salestrack.kpis._results import layout
from salestrack.kpis._survival import checked_day
from salestrack.kpis._versions import WON, Rates, held, priced, versions

SHOWN = 20
"""Deals of a month that are named."""


@card(
    number=1,
    unit="money",
    date="closed_date",
    label_en="Restatements",
    label_de="Nachträgliche Änderungen",
    description_de="Was sich am Auftragseingang vergangener Monate seit dem Bericht geändert hat.",
    formula_de="Auftragseingang eines vergangenen Monats nach heutigem Stand − derselbe nach dem Stand seines letzten "
    "Tages (oder des Tages der Veröffentlichung), je Verkaufschance verglichen: wieder geöffnet, gelöscht, umdatiert, "
    "neu bewertet oder nachgetragen.",
    undefined_de="nie; ein Monat ohne Änderung hat 0. Monate ohne Auftragseingang in beiden Ständen haben keine Zeile.",
)
def restatements(
    deal_versions: Any,
    exchange_rates: Any = None,
    *,
    as_of: date | str,
    published: date | str | None = None,
    grace_days: int = 0,
    by: By = None,
) -> pd.DataFrame:
    """What changed in the bookings of past months since they were reported.

    Formula: bookings of a past month as known at as_of - the same as known at the end of its last day (or on the day
    of publishing), compared deal by deal: reopened, deleted, re-dated, re-valued or entered late.

    Undefined: never; a month without a change has 0. A month without bookings in either state has no row.

    Parameters
    ----------
    deal_versions : spans of unchanged state (see pipeline_waterfall): `status`, `closed_date`, an amount
    exchange_rates : only for amounts that the spans do not have in the reporting currency
    as_of : the state of today; months that were not over by then, grace included, are left out
    published : the day on which all months were last reported; None compares with the end of each month itself
    grace_days : days after the end of a month in which late entries still belong to its report
    by : columns of the spans; a deal whose group changed shows in both

    Returns
    -------
    One row per group and month of closing: `month`, `published_value`, `known_value`, `restatements` (their difference,
    currency units), `n` (deals that differ), `deals` (ids of the first 20 of them, by name).

    Examples
    --------
    >>> spans = pd.DataFrame({"deal_id": ["a", "a"], "status": ["won", "open"], "amount": [70.0, 70.0],
    ...     "valid_from": pd.to_datetime(["2026-08-05", "2026-09-07"]), "valid_to": pd.to_datetime(["2026-09-07", None]),
    ...     "closed_date": pd.to_datetime(["2026-08-05", None])})
    >>> restatements(spans, as_of="2026-10-31")[["month", "published_value", "known_value", "restatements", "deals"]]
           month  published_value  known_value  restatements deals
    0 2026-08-01             70.0          0.0         -70.0     a
    """
    name, today = "restatements", checked_day(as_of, "restatements")
    if grace_days < 0:
        raise KpiError.bad_option(name, "grace_days", grace_days, "give 0 or more days")
    told = checked_day(published, name) if published is not None else None
    x = versions(deal_versions, function=name, as_of=today, by=by, needs=("closed_date",))
    x, rates = priced(x, exchange_rates)
    x = _booked(x, rates, today, told, grace_days)
    table = x.finish(_totals(x))
    money = {"published_value": table["_old"] / 100, "known_value": table["_new"] / 100}
    table = table.assign(**money, restatements=(table["_new"] - table["_old"]) / 100)
    return layout(table, x, "published_value", "known_value", "restatements", "n", "deals")


def _booked(x: Facts, rates: Rates, today: date, told: date | None, grace: int) -> Facts:
    """One row per deal and month of closing with what was booked for it then (`_old`) and is now (`_new`)."""
    known = today if told is None else min(told, today)
    over = (known - timedelta(days=grace - 1)).replace(
        day=1
    )  # the months before were over by then, grace included
    x = x.keep(WON & (nw.col("closed_date") < literal(over, x.rows.collect_schema()["closed_date"])))
    reported = last_day("closed_date") + grace if told is None else nw.lit(number_of(told)).cast(nw.Int64)
    x = x.mark(month=month_number("closed_date"), _end=reported, _cents=rates.booked(x, today))
    then = (nw.col("_from") <= nw.col("_end")) & (nw.col("_to") > nw.col("_end"))
    now = held(number_of(today))
    x = x.mark(
        _old=masked_sum(then, "_cents"), _new=masked_sum(now, "_cents"), _then=flag(then), _now=flag(now)
    )
    sums: dict[str, Any] = {c: (c, "sum") for c in ("_old", "_new", "_then", "_now")}
    rows = summarise(x.rows, (*x.by, "month", "deal_id"), **sums).filter(nw.col("_then") + nw.col("_now") > 0)
    differs = (nw.col("_old") != nw.col("_new")) | (nw.col("_then") != nw.col("_now"))
    return Facts(rows.with_columns(_differs=flag(differs)), (*x.by, "month"), x.function, x.fiscal_year_start)


def _totals(x: Facts) -> pd.DataFrame:
    """The sums per group and month, with the ids of the deals that differ, the first of each month."""
    name = nw.when(nw.col("_differs") == 1).then(nw.col("deal_id").cast(nw.String))
    sums: dict[str, Any] = {"_old": ("_old", "sum"), "_new": ("_new", "sum"), "n": ("_differs", "sum")}
    parts = small(summarise(x.rows.with_columns(_name=name), (*x.by, "_name"), **sums))
    months = parts.sort_values("_name", kind="stable").groupby(list(x.by), dropna=False)
    named = months["_name"].apply(lambda ids: ", ".join(ids.dropna().head(SHOWN)))
    return months[list(sums)].sum().assign(deals=named.astype("str")).reset_index()
