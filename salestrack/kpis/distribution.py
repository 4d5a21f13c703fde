"""How quota attainment is spread over the people who hold a quota."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._card import card
from salestrack.kpis._facts import By, group_names, named_groups
from salestrack.kpis._periods import MONTHS, number_of
from salestrack.kpis._survival import checked_day, per_group, whole
from salestrack.kpis.quotas import _dated, _months, _pieces, _rep_totals
from salestrack.periods import Period, PeriodLike
from salestrack.stats.intervals import median_ranks

COLUMNS = (
    "p10",
    "attainment_distribution",
    "low",
    "high",
    "p90",
    "mean",
    "gini",
    "just_below",
    "just_above",
    "bunching_p",
    "n",
    "left_out",
    "note",
)


@card(
    number=5,
    unit="share",
    date="period_start_date",
    label_en="Median quota attainment",
    label_de="Mittlere Quotenerreichung (Median)",
    description_de="Die Quotenerreichung, die die Hälfte der Personen mit Quote erreicht, mit ihrer Streuung.",
    formula_de="Median von angerechnetem Betrag / Quote über die Personen, die für mindestens die Hälfte der Monate "
    "des Zeitraums eine Quote haben, Ausgeschiedene eingeschlossen; Monate, die am Stichtag noch laufen, zählen "
    "nicht.",
    undefined_de="Ohne Wert mit dem Hinweis „keine Fälle“, wenn niemand lange genug eine Quote hat.",
)
def attainment_distribution(
    quotas: Any,
    credits: Any,
    *,
    by: By = None,
    period: PeriodLike | None = None,
    as_of: date | str | None = None,
    fiscal_year_start: int = 1,
    metric: str | None = None,
    min_share: float = 0.5,
    each: str | None = None,
) -> pd.DataFrame:
    """The attainment that half of the people with a quota reach, with its spread.

    Formula: median of credits / quota over the reps who hold a quota for at least half of the period's months,
    leavers included; months that are not over by as_of do not count.

    Undefined: NaN with the note no_data where nobody holds a quota for long enough.

    Parameters
    ----------
    quotas, credits, by, period, fiscal_year_start, metric, min_share : as in share_of_reps_at_quota
    as_of : last day that is known; None takes every month that has a quota
    each : month, quarter or year: one case per rep and this much time (as their targets are paid) in place of
        one per rep and period

    Returns
    -------
    One row per group: `p10`, `attainment_distribution` (median; 1 is the whole quota), `low`, `high` (95 %, order
    statistics; NaN below six cases), `p90`, `mean` (a few large ones pull it), `gini` (0: all alike; NaN where
    somebody is below 0), `just_below`, `just_above` (shares in [0.9, 1.0) and [1.0, 1.1)), `bunching_p` (exact
    binomial test of equally many on both sides of 1), `n` (cases), `left_out` (cases with a quota for too short a
    time), `note`.

    Examples
    --------
    >>> quotas = pd.DataFrame({"rep_id": ["a", "b", "c"], "period_start_date": pd.Timestamp("2026-10-01"),
    ...                        "period_end_date": pd.Timestamp("2026-10-31"), "quota_amount": 100.0})
    >>> credits = pd.DataFrame({"rep_id": ["a", "b"], "credit_date": pd.Timestamp("2026-10-05"),
    ...                         "amount": [100.0, 500.0]})
    >>> attainment_distribution(quotas, credits)[["attainment_distribution", "mean", "just_above", "n"]]
       attainment_distribution  mean  just_above  n
    0                      1.0   2.0    0.333333  3
    """
    name, groups = "attainment_distribution", group_names(by)
    if each is not None and each not in MONTHS:
        raise KpiError.bad_option(name, "each", each, "give 'month', 'quarter' or 'year'")
    span = Period.parse(period, fiscal_year_start=fiscal_year_start) if period is not None else None
    cases = [*groups, *([each] if each and each not in groups else [])]
    pieces, _ = _pieces(quotas, credits, name, cases, span, fiscal_year_start, metric)
    if as_of is not None:
        pieces = pieces[pieces["_end"] <= number_of(checked_day(as_of, name)) + 1]
    reps = _rep_totals(pieces, cases, _months(pieces, cases, span), min_share)
    table = whole(per_group(reps, groups, _figures), "n", "left_out")
    table = table.assign(
        note=pd.Series(np.where(table["n"] > 0, "", "no_data"), index=table.index, dtype="str")
    )
    return _dated(named_groups(table, groups), groups, fiscal_year_start)[[*groups, *COLUMNS]]


def _figures(reps: pd.DataFrame) -> dict[str, float]:
    counts = reps["n"].to_numpy(dtype=bool)
    credited, quota = (reps[c].to_numpy(dtype=float)[counts] for c in ("credited", "quota"))
    share = np.sort(credited / quota)
    n = len(share)
    made = {"n": float(n), "left_out": float(len(reps) - n)}
    if not n:
        return dict.fromkeys(COLUMNS[:-3], float("nan")) | made
    ranks = median_ranks(n)
    low, high = (share[ranks[0] - 1], share[ranks[1] - 1]) if ranks else (float("nan"), float("nan"))
    below, above = int(((share >= 0.9) & (share < 1)).sum()), int(((share >= 1) & (share < 1.1)).sum())
    return {
        "p10": float(np.quantile(share, 0.1)),
        "attainment_distribution": float(np.median(share)),
        "low": float(low),
        "high": float(high),
        "p90": float(np.quantile(share, 0.9)),
        "mean": float(share.mean()),
        "gini": gini(share),
        "just_below": below / n,
        "just_above": above / n,
        "bunching_p": _bunching(below, above),
    } | made


def gini(values: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    """Gini coefficient of sorted values; NaN where they add up to nothing or one is negative.

    >>> gini(np.array([0.0, 0.0, 3.0]))
    0.6666666666666666
    """
    if values.sum() <= 0 or values[0] < 0:
        return float("nan")
    n = len(values)
    return float(((2 * np.arange(1, n + 1) - n - 1) * values).sum() / (n * values.sum()))


def _bunching(below: int, above: int) -> float:
    """Exact two-sided binomial test of equally many: p = min(1, 2·P(at most the fewer)).

    >>> round(_bunching(1, 5), 6), _bunching(2, 2)
    (0.21875, 1.0)
    """
    from scipy.special import bdtr

    fewer, every = min(below, above), below + above
    return min(1.0, 2 * float(bdtr(fewer, every, 0.5))) if every else float("nan")
