"""What a period will bring: won so far, plus the open deals by their probabilities, plus new business."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, TypeAlias

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._card import card
from salestrack.kpis._draws import SINGLE, Cells, drawn, new_business
from salestrack.kpis._facts import By, Facts, facts, group_names
from salestrack.kpis._frames import Rows, flag, masked_sum, small, summarise
from salestrack.kpis._money import CENTS, with_cents
from salestrack.kpis._periods import day_number, number_of
from salestrack.kpis._results import divided, layout
from salestrack.kpis._survival import checked_day
from salestrack.kpis._weights import OPEN, WON, refuse_percent, split_words, with_probability
from salestrack.periods import Period, PeriodLike

EXACT = 200_000
"""Open deals up to which each is read with its own amount; more are added up by probability before."""
QUANTILES = {"low": 0.025, "p10": 0.1, "forecast_distribution": 0.5, "p90": 0.9, "high": 0.975}
New: TypeAlias = tuple[float, float]


@card(
    number=22,
    unit="money",
    date="closed_date",
    label_en="Forecast",
    label_de="Prognose",
    description_de="Median dessen, was der Zeitraum bringen wird, aus den offenen Verkaufschancen simuliert; "
    "zwischen low und high liegen 95 % der Simulationen.",
    formula_de="Median von: im Zeitraum bereits gewonnener Betrag + Summe über die offenen Verkaufschancen aus "
    "Bernoulli(p) mal Betrag + Neugeschäft des Zeitraums, in draws Ziehungen mit einem gemeinsamen Schock.",
    undefined_de="NaN mit dem Hinweis no_probability, wenn keine der offenen Verkaufschancen mit Betrag eine "
    "Wahrscheinlichkeit hat. Ohne offene Verkaufschance ist es der bereits gewonnene Betrag.",
)
def forecast_distribution(
    deals: Any,
    *,
    as_of: date | str,
    period: PeriodLike,
    by: By = None,
    probability: str = "win_probability",
    expected_only: bool = False,
    draws: int = 10_000,
    seed: int = 1,
    common_shock: float = 0.05,
    creation: New | Mapping[str, New] | None = None,
    target: float | Mapping[str, float] | None = None,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """Median of what the period will bring, simulated from the open deals; low and high enclose 95 % of
    the simulations.

    Formula: median of won so far in the period + sum of Bernoulli(p) x amount over the open deals + new
    business of the period, over `draws` draws with a common shock.

    Undefined: NaN with the note no_probability where none of the open deals with an amount has a probability.
    Without an open deal it is what has been won so far.

    Parameters
    ----------
    deals : deals in their state of `as_of`, in any engine: `status`, `closed_date`, an amount (see bookings),
        the column of probabilities, `expected_close_date` for `expected_only`. Of up to 200,000 open deals
        probability and amount are brought into memory, of more only sums per thousandth of probability
    as_of : the day of looking; wins after it do not count
    period : the period that is forecast; once it is over no deal is drawn
    by : columns; None gives one row. Quantiles of groups do not add up
    probability : the column with the probability (0 to 1) of being won by the end of the period
    expected_only : take only the deals expected to close in the period (for the CRM's probability, and for
        rates of stage_age_rates, which are learned from such deals)
    draws, seed : how often and from which seed to draw: the same give the same result
    common_shock : correlation (0 to below 1) of what decides the deals, for what hits them all; each p stays as
        it is. 0 makes independent deals, whose interval is too narrow wherever quarters differ; the default is
        an assumption, to be judged by the coverage that forecast_accuracy measures
    creation : mean and standard deviation (currency units) of what deals not yet there will bring in the rest
        of the period (`other_mean`, `other_sd` of weighted_pipeline_bias), or a mapping from group to both
    target : amount (currency units) for `p_target`, or a mapping from group to amount
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group, in currency units: `won_so_far`, `open_value` (of the deals drawn), `expected` (the
    mean), `low`, `p10`, `forecast_distribution` (median), `p90`, `high` (95 % between low and high);
    `median_without_top` (without the largest open deal; NaN above 200,000), `top_deal_share` (of it in
    `open_value`), `p_target` (0 to 1), `without_amount`, `without_probability` (open deals not drawn), `n`
    (deals drawn), `note`.

    Examples
    --------
    >>> deals = pd.DataFrame({"status": ["won", "open"], "amount": [40.0, 100.0], "win_probability": [1.0, 0.3],
    ...                       "closed_date": pd.to_datetime(["2026-10-05", None])})
    >>> made = forecast_distribution(deals, as_of="2026-10-31", period="2026-Q4", target=140.0)
    >>> made[["won_so_far", "expected", "p10", "forecast_distribution", "p90", "n"]]
       won_so_far  expected   p10  forecast_distribution    p90  n
    0        40.0      70.0  40.0                   40.0  140.0  1
    """
    name = "forecast_distribution"
    today = checked_day(as_of, name)
    span = Period.parse(period, fiscal_year_start=fiscal_year_start)
    groups, _ = split_words(group_names(by), (), name)
    _options(name, draws, common_shock)
    x = facts(deals, function=name, needs=("status", "closed_date"), by=groups)
    x = _counted(with_probability(with_cents(x), probability), span, today, expected_only)
    table = x.totals(
        won=("_won", "sum"),
        value=("_value", "sum"),
        top=("_value", "max"),
        without_amount=("_none", "sum"),
        without_probability=("_unsaid", "sum"),
        unsaid_value=("_unsaid_value", "sum"),
        n=("_n", "sum"),
        _least=("_p", "min"),
        _most=("_p", "max"),
    )
    refuse_percent(table, name, probability)
    exact = int(table["n"].sum()) <= EXACT
    cells = x.finish(small(_cells(x, exact)))
    rows = []
    for row in table.to_dict("records"):
        key = str(row[groups[0]]) if len(groups) == 1 else None
        mine = cells[np.logical_and.reduce([cells[g] == row[g] for g in groups])] if groups else cells
        new, goal = _of_group(creation, key, name, "creation", by), _of_group(target, key, name, "target", by)
        rows.append(_figures(row, mine, exact, draws, seed, common_shock, new, goal))
    made = pd.DataFrame(rows, columns=[*FIGURES, "note"], index=table.index)
    table = table.assign(
        won_so_far=table["won"] / 100,
        open_value=table["value"] / 100,
        top_deal_share=divided(table["top"], table["value"]),
        **made.astype({"note": "str"} | dict.fromkeys(FIGURES, "float64")),
    )
    return layout(table, x, *COLUMNS)


FIGURES = ("expected", *QUANTILES, "median_without_top", "p_target")
COLUMNS = (
    "won_so_far",
    "open_value",
    "expected",
    *QUANTILES,
    "median_without_top",
    "top_deal_share",
    "p_target",
    "without_amount",
    "without_probability",
    "n",
    "note",
)


def _counted(x: Facts, span: Period, today: date, expected_only: bool) -> Facts:
    """With what was won so far (`_won`) and the open deals that can be drawn (`_n`)."""
    closed = day_number("closed_date")
    until = min(number_of(today), number_of(span.last_day))
    won = WON & (closed >= number_of(span.start)) & (closed <= until)
    still = OPEN if today < span.last_day else nw.lit(False)
    if expected_only:
        if "expected_close_date" not in x.columns:
            raise KpiError.missing_column("expected_close_date", x.function, x.columns)
        due = day_number("expected_close_date")
        still = still & (due >= number_of(span.start)) & (due < number_of(span.end))
    priced, said = ~nw.col(CENTS).is_null(), ~nw.col("_p").is_null()
    return x.mark(
        _won=masked_sum(won, CENTS),
        _value=masked_sum(still & said, CENTS),
        _n=flag(still & priced & said),
        _none=flag(still & ~priced),
        _unsaid=flag(still & ~said),
        _unsaid_value=masked_sum(still & ~said, CENTS),
    )


def _cells(x: Facts, exact: bool) -> Rows:
    """Deals of equal probability and amount, or of equal probability to the thousandth, added up."""
    size = nw.col(CENTS).cast(nw.Float64)
    rows = x.keep(nw.col("_n") == 1).rows.with_columns(_size=size, _square=size * size)
    if not exact:
        rows = rows.with_columns(_p=(nw.col("_p") * 1000 + 0.5).floor() / 1000)
    keys = (*x.by, "_p", *((CENTS,) if exact else ()))
    return summarise(rows, keys, n="len", amounts=("_size", "sum"), squares=("_square", "sum"))


def _figures(
    row: dict[Any, Any],
    cells: pd.DataFrame,
    exact: bool,
    draws: int,
    seed: int,
    shock: float,
    new: New | None,
    target: float | None,
) -> dict[str, Any]:
    """The figures of one group, in units."""
    if not row["n"] and row["unsaid_value"]:
        return dict.fromkeys(FIGURES, float("nan")) | {"note": "no_probability"}
    deals = Cells.of(cells)
    total, top = drawn(deals, draws=draws, seed=seed, shock=shock, single=SINGLE if exact else 0)
    mean, sd = new or (0.0, 0.0)
    total = row["won"] / 100 + total / 100 + new_business(mean, sd, draws=draws, seed=seed)
    levels = np.quantile(total, list(QUANTILES.values()))
    reached = float("nan") if target is None else float((total >= target - 1e-6).mean())
    return {
        "expected": row["won"] / 100 + float((deals.p * deals.amounts).sum()) / 100 + max(mean, 0.0),
        **dict(zip(QUANTILES, levels, strict=True)),
        "median_without_top": float(np.median(total - top / 100)) if exact else float("nan"),
        "p_target": reached,
        "note": "",
    }


def _of_group(option: Any, key: str | None, function: str, name: str, by: By) -> Any:
    """The option itself for the whole, its entry for a group; a group that it does not name has none."""
    if option is None:
        return None
    if isinstance(option, Mapping):
        if key is None:
            raise KpiError.bad_option(function, name, option, "a mapping needs one group column in by")
        return option.get(key)
    if group_names(by):
        raise KpiError.bad_option(function, name, option, "give a mapping from group to value, or no by")
    return option


def _options(function: str, draws: int, shock: float) -> None:
    if draws < 100:
        raise KpiError.bad_option(function, "draws", draws, "give at least 100")
    if not 0 <= shock < 1:
        raise KpiError.bad_option(function, "common_shock", shock, "give a correlation from 0 to below 1")
