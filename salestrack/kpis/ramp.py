"""How long new sales people take until they sell."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._card import card
from salestrack.kpis._facts import MISSING, By, Facts, facts, group_names
from salestrack.kpis._frames import Rows, small, summarise
from salestrack.kpis._joining import joined
from salestrack.kpis._periods import day_number, number_of
from salestrack.kpis._quotas import credited_pieces, quota_pieces
from salestrack.kpis._results import divided, layout
from salestrack.kpis._survival import checked_day, per_group, whole
from salestrack.periods import WORDS, PeriodLike
from salestrack.stats.survival import kaplan_meier, life_table, quantile, quantile_interval

Until = Literal["first_win", "full_quota"]
FOREVER = 10**7
COLUMNS = ("reached", "left", "ramping", "ramp_time", "low", "high", "p90", "n", "matured", "before", "note")


@card(
    number=38,
    unit="days",
    date="hire_date",
    label_en="Ramp-up time",
    label_de="Einarbeitungszeit",
    description_de="Tage vom Eintritt, bis die Hälfte der neuen Vertriebsleute den ersten Abschluss oder den ersten "
    "Monat mit voller Quote hat.",
    formula_de="Kaplan-Meier-Median der Tage vom Beginn (der Einarbeitung, sonst der Anstellung) bis zum ersten "
    "gewonnenen Abschluss oder zum Ende des ersten Monats mit mindestens 100 % der Quote; wer vorher geht oder noch "
    "dabei ist, zählt als zensiert.",
    undefined_de="Ohne Wert mit dem Hinweis „keine Fälle“, wenn niemand mit bekanntem Beginn dabei ist, „noch nicht "
    "erreicht“, solange nicht die Hälfte so weit ist.",
)
def ramp_time(
    reps: Any,
    deals: Any,
    quotas: Any,
    credits: Any,
    *,
    as_of: date | str,
    until: Until = "first_win",
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
    metric: str | None = None,
) -> pd.DataFrame:
    """Days from a sales person's start until half of the starters have their first win, or their first
    month at full quota.

    Formula: Kaplan-Meier median of the days from start_ramp_date (else hire_date) to the first won deal, or to
    the end of the first month with credits >= quota; who left before, or is still ramping, is censored.

    Undefined: NaN with the note no_data where no start is known, not_reached while less than half have got there.

    Parameters
    ----------
    reps : one row per person, in any engine: `rep_id`, `hire_date`, optionally `start_ramp_date`,
        `termination_date`
    deals : `owner_rep_id`, `status`, `closed_date`
    quotas, credits, metric : as in quota_attainment; the quota of a month is prorated by its days
    as_of : the day at whose end things are looked at; what happened later is unknown
    until : first_win or full_quota
    by : columns of the reps (else of their first quota: team, territory, …), or period words of the start. No
        person comes out unless asked for by `rep_id`
    period : of the start
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group: `reached`, `left` (before they got there), `ramping`, `ramp_time` (days, median), `low`,
    `high` (95 %), `p90`, `n` (reps), `matured` (share who reached it or left), `before` (reps left out: they
    started before the first deal or quota on record, so their first is not known), `note`.

    Examples
    --------
    >>> day = pd.Timestamp
    >>> reps = pd.DataFrame({"rep_id": ["a", "b", "c"], "hire_date": day("2026-01-01"),
    ...                      "termination_date": [None, None, day("2026-02-01")]})
    >>> deals = pd.DataFrame({"owner_rep_id": ["z", "a", "b"], "status": "won",
    ...                       "closed_date": [day("2025-12-01"), day("2026-03-02"), day("2026-05-01")]})
    >>> quotas = pd.DataFrame({"rep_id": [], "period_start_date": [], "period_end_date": [], "quota_amount": []})
    >>> credits = pd.DataFrame({"rep_id": [], "credit_date": [], "amount": []})
    >>> ramp_time(reps, deals, quotas, credits, as_of="2026-10-31")[["reached", "left", "ramp_time", "n"]]
       reached  left  ramp_time  n
    0        2     1       60.0  3
    """
    name, day = "ramp_time", checked_day(as_of, "ramp_time")
    if until not in ("first_win", "full_quota"):
        raise KpiError.bad_option(name, "until", until, "give 'first_win' or 'full_quota'")
    starters, x = _starters(reps, quotas, by, period, fiscal_year_start, day)
    if until == "first_win":
        hits, since = _first_wins(x, deals, day)
    else:
        hits, since = _full_months(starters, quotas, credits, metric, fiscal_year_start, day)
    cases = _cases(starters.merge(hits, on="rep_id", how="left"), since, number_of(day))
    table = whole(per_group(cases, x.by, _figures), "reached", "left", "ramping", "n", "before")
    reason = np.where(table["n"] == 0, "no_data", np.where(table["ramp_time"].isna(), "not_reached", ""))
    decided = table["reached"] + table["left"]
    table = table.assign(
        matured=divided(decided, table["n"]), note=pd.Series(reason, table.index, dtype="str")
    )
    return layout(table, x, *COLUMNS)


def _starters(
    reps: Any, quotas: Any, by: By, period: PeriodLike | None, fiscal_year_start: int, day: date
) -> tuple[pd.DataFrame, Facts]:
    """One row per rep who had started: the groups, first and last day; and the same rows as facts."""
    plain = facts(reps, function="ramp_time", needs=("rep_id", "hire_date"))
    has = plain.columns
    ramp = [c for c in ("start_ramp_date", "hire_date") if c in has]
    start = nw.coalesce(*(nw.col(c) for c in ramp)) if len(ramp) > 1 else nw.col("hire_date")
    rows = plain.mark(_start_date=start, rep_id=nw.col("rep_id").cast(nw.String)).rows
    rows = _with_quota_columns(rows, quotas, [n for n in group_names(by) if n not in (*WORDS, *has)])
    x = facts(
        rows,
        function="ramp_time",
        date="_start_date",
        by=by,
        period=period,
        fiscal_year_start=fiscal_year_start,
    )
    gone = day_number("termination_date") if "termination_date" in has else nw.lit(None).cast(nw.Int64)
    x = x.mark(_start=day_number("_start_date"), _gone=gone)
    x = x.keep((nw.col("_start") <= number_of(day)) & ~nw.col("rep_id").is_null())
    keys = tuple(dict.fromkeys(("rep_id", *x.by)))
    return x.finish(small(summarise(x.rows, keys, _start=("_start", "min"), _gone=("_gone", "max")))), x


def _with_quota_columns(rows: Rows, quotas: Any, names: list[str]) -> Rows:
    """With columns that only the quotas have, from the first quota of each rep."""
    if not names:
        return rows
    q = facts(quotas, function="ramp_time", needs=("rep_id", "period_start_date"), by=names)
    q = q.keep(~nw.col("rep_id").is_null()).mark(rep_id=nw.col("rep_id").cast(nw.String))
    q = q.mark(_nth=nw.col("period_start_date").rank("dense").over("rep_id").cast(nw.Int64))
    first = summarise(q.keep(nw.col("_nth") == 1).rows, ("rep_id",), **{n: (n, "min") for n in names})
    rows = joined(rows, first, "rep_id", "left")
    return rows.with_columns(*(nw.col(n).fill_null(MISSING) for n in names))


def _first_wins(x: Facts, deals: Any, day: date) -> tuple[pd.DataFrame, float]:
    """The day of the first win of each rep since the start, and the day of the first win on record."""
    won = facts(deals, function="ramp_time", needs=("owner_rep_id", "status", "closed_date"))
    won = won.mark(_when=day_number("closed_date"), rep_id=nw.col("owner_rep_id").cast(nw.String))
    won = won.keep((nw.col("status") == "won") & (nw.col("_when") <= number_of(day)))
    starts = summarise(x.rows, ("rep_id",), _start=("_start", "min"))
    rows = joined(won.rows.select("rep_id", "_when"), starts, "rep_id", "left")
    rows = rows.with_columns(_hit=nw.when(nw.col("_when") >= nw.col("_start")).then(nw.col("_when")))
    table = small(summarise(rows, ("rep_id",), _hit=("_hit", "min"), _since=("_when", "min")))
    return table[["rep_id", "_hit"]], float(table["_since"].min()) if len(table) else FOREVER


def _full_months(
    starters: pd.DataFrame, quotas: Any, credits: Any, metric: str | None, fiscal_year_start: int, day: date
) -> tuple[pd.DataFrame, float]:
    """The end of the first month at full quota of each rep, and the first day that has a quota."""
    options: dict[str, Any] = {"function": "ramp_time", "by": None, "span": None}
    options["fiscal_year_start"] = fiscal_year_start
    pieces, _ = credited_pieces(quota_pieces(quotas, metric=metric, **options), credits, **options)
    since = float(pieces["_key"].min()) if len(pieces) else FOREVER
    pieces = pieces.merge(starters[["rep_id", "_start"]], on="rep_id")
    full = (
        (pieces["credited"] >= pieces["quota"]) & (pieces["quota"] > 0) & (pieces["_end"] > pieces["_start"])
    )
    full &= pieces["_end"] <= number_of(day) + 1
    first = pieces[full].groupby("rep_id")["_end"].min() - 1
    return first.rename("_hit").astype("float64").reset_index(), since


def _cases(table: pd.DataFrame, since: float, now: int) -> pd.DataFrame:
    """With the days `_day` of each rep, the `_cause` (1 reached, 0 not) and whether they left before."""
    start, hit, gone = (table[c].astype("float64") for c in ("_start", "_hit", "_gone"))
    hit = hit.mask(hit > gone)
    end = hit.fillna(gone.where(gone <= now)).fillna(now)
    return table.assign(
        _day=(end - start).clip(lower=0),
        _cause=hit.notna().astype(int),
        _left=(hit.isna() & (gone <= now)).astype(int),
        _known=(start >= since).astype(int),
    )


def _figures(cases: pd.DataFrame) -> dict[str, float]:
    c = cases[cases["_known"] == 1]
    reached, left, n = float(c["_cause"].sum()), float(c["_left"].sum()), float(len(c))
    made = dict.fromkeys(("ramp_time", "low", "high", "p90"), float("nan"))
    if n:
        curve = kaplan_meier(life_table(c["_day"], c["_cause"], np.ones(len(c))))
        low, high = quantile_interval(curve, 0.5)
        made = {"ramp_time": quantile(curve, 0.5), "low": low, "high": high, "p90": quantile(curve, 0.9)}
    counts = {"reached": reached, "left": left, "ramping": n - reached - left, "n": n}
    return counts | made | {"before": float(len(cases)) - n}
