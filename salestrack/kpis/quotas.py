"""Quota attainment and the share of reps who reach their quota."""

from __future__ import annotations

from typing import Any

import pandas as pd

from salestrack.kpis._card import card
from salestrack.kpis._facts import By, group_names, named_groups
from salestrack.kpis._periods import MONTHS, word_start
from salestrack.kpis._quotas import credited_pieces, quota_pieces
from salestrack.kpis._results import divided, note, proportion
from salestrack.periods import WORDS, Period, PeriodLike


@card(
    number=3,
    unit="share",
    date="period_start_date",
    label_en="Quota attainment",
    label_de="Quotenerreichung",
    description_de="Angerechneter Auftragseingang im Verhältnis zur Quote derselben Personen und Monate.",
    formula_de="Summe der Anrechnungen innerhalb der Quotenzeiträume der Personen / Summe dieser Quoten; Teams sind "
    "Summe durch Summe.",
    undefined_de="Ohne Wert mit dem Hinweis „keine Quote“, wenn niemand eine Quote hat, „keine Fälle“, wenn die Quoten "
    "0 sind. Anrechnungen, die keine Quote ihrer Person abdeckt, bleiben außen vor und stehen in `without_quota`.",
)
def quota_attainment(
    quotas: Any,
    credits: Any,
    *,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
    metric: str | None = None,
) -> pd.DataFrame:
    """Credited bookings as a share of the quota of the same reps and months.

    Formula: sum of credits within the reps' quota periods / sum of these quotas; teams are sum over sum.

    Undefined: NaN with the note no_quota where nobody has a quota, no_data where the quotas are 0.
    Credits that no quota of their rep covers are left out and stand in `without_quota`.

    Parameters
    ----------
    quotas : one row per rep and period, in any engine: `rep_id`, `period_start_date`, `period_end_date`
        (its last day), `quota_amount_base_cents` (or `quota_amount_base`, or `quota_amount` in one
        currency), optionally `metric`
    credits : amounts credited to reps: `rep_id`, `credit_date`, an amount (see bookings)
    by : columns of the quotas (rep_id, team_id, team, …) and the words month, quarter, year; None gives
        one row
    period : of quotas and credits; quotas over several months are spread by days
    fiscal_year_start : month (1 to 12) in which the fiscal year starts
    metric : the metric of the quotas when they have more than one (bookings, revenue)

    Returns
    -------
    One row per group: `credited`, `quota` (currency units), `quota_attainment` (1 is the whole quota),
    `without_quota` (credited where no quota is), `n` (reps with a quota, those without any credit
    included), `note`.

    Examples
    --------
    >>> quotas = pd.DataFrame({"rep_id": ["a", "b"], "period_start_date": pd.Timestamp("2026-10-01"),
    ...                        "period_end_date": pd.Timestamp("2026-10-31"), "quota_amount": [100.0, 100.0]})
    >>> credits = pd.DataFrame({"rep_id": ["a", "c"], "credit_date": pd.Timestamp("2026-10-05"),
    ...                         "amount": [90.0, 7.0]})
    >>> quota_attainment(quotas, credits)[["credited", "quota", "quota_attainment", "without_quota", "n"]]
       credited  quota  quota_attainment  without_quota  n
    0      90.0  200.0              0.45            7.0  2
    """
    span = Period.parse(period, fiscal_year_start=fiscal_year_start) if period is not None else None
    groups = group_names(by)
    pieces, rest = _pieces(quotas, credits, "quota_attainment", groups, span, fiscal_year_start, metric)
    first = ~pieces.duplicated([*groups, "_rep"])
    rest = rest.rename(columns={"cents": "rest"})
    rows = pd.concat(
        [pieces.assign(n=first.astype("int64"))[[*groups, "credited", "quota", "n"]], rest[[*groups, "rest"]]]
    )
    table = named_groups(_sums(rows, groups, "credited", "quota", "n", "rest"), groups)
    rate = divided(table["credited"], table["quota"])
    table = table.assign(
        credited=table["credited"] / 100,
        quota=table["quota"] / 100,
        quota_attainment=rate,
        without_quota=table["rest"] / 100,
        note=note(rate, "no_quota").where((table["n"] == 0) | rate.notna(), "no_data"),
    )
    return _dated(table, groups, fiscal_year_start)[
        [*groups, "credited", "quota", "quota_attainment", "without_quota", "n", "note"]
    ]


@card(
    number=4,
    unit="share",
    date="period_start_date",
    label_en="Reps at quota",
    label_de="Anteil mit erreichter Quote",
    description_de="Anteil der Personen mit Quote, die sie erreicht oder übertroffen haben.",
    formula_de="Personen mit Anrechnungen >= Quote / Personen, die für mindestens die Hälfte der Monate des Zeitraums "
    "eine Quote haben, Anrechnungen und Quote je Person über diese Monate; Ausgeschiedene eingeschlossen.",
    undefined_de="Ohne Wert mit dem Hinweis „keine Fälle“, wenn niemand lange genug eine Quote hat.",
)
def share_of_reps_at_quota(
    quotas: Any,
    credits: Any,
    *,
    by: By = None,
    period: PeriodLike | None = None,
    fiscal_year_start: int = 1,
    metric: str | None = None,
    min_share: float = 0.5,
) -> pd.DataFrame:
    """Share of the reps holding a quota who reached or passed it.

    Formula: reps with credits >= quota / reps who hold a quota for at least half of the period's months,
    each rep's credits and quota over those months; leavers included.

    Undefined: NaN with the note no_data where no rep holds a quota for long enough.

    Parameters
    ----------
    quotas, credits, metric, fiscal_year_start : as in quota_attainment
    by : columns of the quotas and the words month, quarter, year; without a word the whole period is judged
    period : as in quota_attainment; None takes all months that have quotas
    min_share : share of the period's months for which a rep must hold a quota to count

    Returns
    -------
    One row per group: `at_quota`, `part_period` (reps counted who held a quota for part of the period),
    `left_out` (reps with a quota for too short a time), `share_of_reps_at_quota` (0 to 1), `low`, `high`
    (95 % Wilson), `n` (reps counted), `note`.

    Examples
    --------
    >>> quotas = pd.DataFrame({"rep_id": ["a", "b"], "period_start_date": pd.Timestamp("2026-10-01"),
    ...                        "period_end_date": pd.Timestamp("2026-10-31"), "quota_amount": [100.0, 100.0]})
    >>> credits = pd.DataFrame({"rep_id": ["a"], "credit_date": pd.Timestamp("2026-10-05"),
    ...                         "amount": [100.0]})
    >>> share_of_reps_at_quota(quotas, credits)[["at_quota", "share_of_reps_at_quota", "n"]]
       at_quota  share_of_reps_at_quota  n
    0         1                     0.5  2
    """
    span = Period.parse(period, fiscal_year_start=fiscal_year_start) if period is not None else None
    groups = group_names(by)
    pieces, _ = _pieces(quotas, credits, "share_of_reps_at_quota", groups, span, fiscal_year_start, metric)
    reps = _rep_totals(pieces, groups, _months(pieces, groups, span), min_share)
    table = _sums(reps, groups, "at_quota", "part_period", "left_out", "n")
    table = proportion(table, "share_of_reps_at_quota", "at_quota")
    table = _dated(named_groups(table, groups), groups, fiscal_year_start)
    return table[
        [*groups, "at_quota", "part_period", "left_out", "share_of_reps_at_quota", "low", "high", "n", "note"]
    ]


def _pieces(
    quotas: Any,
    credits: Any,
    function: str,
    groups: list[str],
    span: Period | None,
    fiscal_year_start: int,
    metric: str | None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    pieces = quota_pieces(
        quotas, function=function, by=groups, span=span, fiscal_year_start=fiscal_year_start, metric=metric
    )
    return credited_pieces(
        pieces, credits, function=function, by=groups, span=span, fiscal_year_start=fiscal_year_start
    )


def _sums(table: pd.DataFrame, groups: list[str], *columns: str) -> pd.DataFrame:
    """Whole-number sums per group, what is missing being 0; without groups one row."""
    if not groups:
        return pd.DataFrame({name: [int(table[name].sum())] for name in columns})
    numbers = table[[*groups, *columns]]
    if not numbers.empty:  # groups of nothing would lose the type of their text
        numbers = numbers.groupby(groups, as_index=False, dropna=False).sum()
    return numbers.astype(dict.fromkeys(columns, "int64"))


def _months(pieces: pd.DataFrame, groups: list[str], span: Period | None) -> float:
    """Months of the period that is judged: of the shortest word, else of the span, else of all quotas."""
    words = [MONTHS[name] for name in groups if name in WORDS]
    if words:
        return min(words)
    if span:
        return max(1.0, (span.end.year - span.start.year) * 12 + span.end.month - span.start.month)
    return float(pieces["_key"].nunique())


def _rep_totals(pieces: pd.DataFrame, groups: list[str], months: float, min_share: float) -> pd.DataFrame:
    """One row per rep (and group) with its quota and credits, and what it counts as, 1 or 0."""
    sums = pieces.groupby([*groups, "_rep"], as_index=False, dropna=False, sort=False)
    reps = sums[["quota", "credited", "months"]].sum()
    quota, credited, held = (reps[name].to_numpy() for name in ("quota", "credited", "months"))
    counts = (held >= min_share * months - 1e-9) & (quota > 0)
    kinds = {
        "n": counts,
        "at_quota": counts & (credited >= quota),
        "part_period": counts & (held < months - 1e-9),
        "left_out": ~counts,
    }
    return reps.assign(**{name: kind.astype("int64") for name, kind in kinds.items()})


def _dated(table: pd.DataFrame, groups: list[str], fiscal_year_start: int) -> pd.DataFrame:
    words = {name: word_start(name, table[name], fiscal_year_start) for name in groups if name in WORDS}
    return table.assign(**words)
