"""The weighted pipeline, and how far the same weights were off before."""

from __future__ import annotations

from datetime import date
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from salestrack.kpis._card import card
from salestrack.kpis._facts import By, Facts, facts, group_names
from salestrack.kpis._frames import flag, masked, small, summarise
from salestrack.kpis._money import CENTS, with_cents
from salestrack.kpis._past import VERSION, past_of, weighed
from salestrack.kpis._periods import literal
from salestrack.kpis._results import divided, layout, note
from salestrack.kpis._survival import checked_day, per_group, whole
from salestrack.kpis._versions import priced, versions
from salestrack.kpis._weights import (
    OPEN,
    refuse_percent,
    split_words,
    spread_of,
    with_probability,
)
from salestrack.periods import PeriodLike
from salestrack.stats.intervals import ratio_interval, ratio_variance

NO_PROBABILITY = "no_probability"


@card(
    number=19,
    unit="money",
    date="expected_close_date",
    label_en="Weighted pipeline",
    label_de="Gewichtete Pipeline",
    description_de="Wert der offenen Verkaufschancen, jeweils mal der Wahrscheinlichkeit, im Zeitraum gewonnen "
    "zu werden.",
    formula_de="Summe aus Betrag mal Wahrscheinlichkeit über die offenen Verkaufschancen mit Abschlusstermin im "
    "Zeitraum; die Wahrscheinlichkeit muss die eines Gewinns bis zum Ende des Zeitraums sein.",
    undefined_de="NaN mit dem Hinweis no_probability, wenn es Beträge, aber keine Wahrscheinlichkeiten gibt; ohne "
    "offene Verkaufschance 0. Was keinen Betrag oder keine Wahrscheinlichkeit hat, bleibt außen vor und wird "
    "gezählt.",
)
def weighted_pipeline(
    deals: Any,
    *,
    as_of: date | str,
    period: PeriodLike | None = None,
    by: By = None,
    probability: str = "probability",
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """Value of the open deals, each multiplied by its probability of being won in the period.

    Formula: sum of amount x probability over the open deals with expected close in the period; the
    probability must be that of winning by the end of the period, not of winning ever.

    Undefined: NaN with the note no_probability where there are amounts but no probability; without an open
    deal 0. Deals without an amount or without a probability are left out and counted.

    Parameters
    ----------
    deals : deals in their state of `as_of`, in any engine: `status`, `expected_close_date`, an amount (see
        bookings), the column of probabilities
    as_of : the day; deals expected to close before it are past due
    period : of the expected close; None takes all open deals
    by : columns or period words of the expected close; None gives one row for all
    probability : the column with the probability (0 to 1): the CRM's, an own rate (`stage_age_rates`) or a
        model's; a percentage is refused
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group: `open_value` (currency units), `weighted_pipeline`, `low`, `high` (95 % for the sum of
    independent deals, variance Σp(1-p)A²; too narrow where deals share their luck: see
    weighted_pipeline_bias for what really came), `n` (open deals), `without_amount`, `without_probability`,
    `past_due`, `top_deal_share` (of the heaviest deal, 0 to 1), `note`. Each product is rounded to a hundredth.

    Examples
    --------
    >>> deals = pd.DataFrame({"status": "open", "amount": [100.0, 50.0, None], "probability": [0.5, 0.2, 0.9],
    ...                       "expected_close_date": pd.Timestamp("2026-12-01")})
    >>> weighted_pipeline(deals, as_of="2026-10-31")[["open_value", "weighted_pipeline", "n", "without_amount"]]
       open_value  weighted_pipeline  n  without_amount
    0       150.0               60.0  3               1
    """
    name = "weighted_pipeline"
    today = checked_day(as_of, name)
    x = facts(
        deals,
        function=name,
        needs=("status", "expected_close_date"),
        date="expected_close_date",
        by=by,
        period=period,
        fiscal_year_start=fiscal_year_start,
    )
    x = with_probability(with_cents(x), probability)
    late = nw.col("expected_close_date") < literal(today, x.rows.collect_schema()["expected_close_date"])
    x = x.mark(_value=masked(OPEN, CENTS), _q=masked(OPEN, "_p"), _open=flag(OPEN), _late=flag(OPEN & late))
    money, chance = nw.col("_value").cast(nw.Float64), nw.col("_q")
    x = x.mark(
        _w=(money * chance + 0.5).floor().cast(nw.Int64),
        _variance=money * money * chance * (1 - chance),
        _said=masked(~chance.is_null(), "_value"),
    ).mark(_below=masked(nw.col("_said") < 0, "_said"))
    table = x.totals(
        weighted=("_w", "sum"),
        variance=("_variance", "sum"),
        top=("_w", "max"),
        value=("_value", "sum"),
        below=("_below", "sum"),
        said=("_said", "sum"),
        n=("_open", "sum"),
        priced=("_value", "count"),
        likely=("_q", "count"),
        both=("_said", "count"),
        past_due=("_late", "sum"),
        _least=("_p", "min"),
        _most=("_p", "max"),
    )
    table = table.assign(
        without_amount=table["n"] - table["priced"], without_probability=table["n"] - table["likely"]
    )
    refuse_percent(table, name, probability)
    unknown = (table["both"] == 0) & (table["without_probability"] > 0) & (table["value"] != 0)
    value, half = (table["weighted"] / 100).mask(unknown), spread_of(table["variance"])
    table = table.assign(
        open_value=table["value"] / 100,
        weighted_pipeline=value,
        low=(value - half).clip(lower=table["below"] / 100),
        high=(value + half).clip(upper=(table["said"] - table["below"]) / 100),
        top_deal_share=divided(table["top"], table["weighted"]),
        note=note(value, NO_PROBABILITY),
    )
    return layout(
        table,
        x,
        "open_value",
        "weighted_pipeline",
        "low",
        "high",
        "n",
        "without_amount",
        "without_probability",
        "past_due",
        "top_deal_share",
        "note",
    )


@card(
    number=19,
    unit="ratio",
    date="expected_close_date",
    label_en="Bias of the weighted pipeline",
    label_de="Verzerrung der gewichteten Pipeline",
    description_de="Um wie viel die gewichtete Pipeline früherer Zeiträume, am gleichen Tag des Zeitraums, über "
    "dem lag, was diese Verkaufschancen bis zu dessen Ende einbrachten.",
    formula_de="(Summe aus Betrag mal Wahrscheinlichkeit - bis zum Ende des Zeitraums gewonnener Betrag) / "
    "gewonnener Betrag, über die letzten abgeschlossenen Zeiträume zusammen.",
    undefined_de="NaN mit dem Hinweis no_data, wenn von den gewichteten Verkaufschancen nichts gewonnen wurde.",
)
def weighted_pipeline_bias(
    deal_versions: Any,
    exchange_rates: Any = None,
    *,
    as_of: date | str,
    period: PeriodLike | None = None,
    periods: int = 8,
    by: By = None,
    probability: str = "probability",
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """How far the weighted pipeline of past periods, on the same day of the period, was above what
    those deals brought in by its end.

    Formula: (sum of amount x probability - amount won by the end of the period) / amount won, over the last
    finished periods together, each looked at as far into the period as as_of is.

    Undefined: NaN with the note no_data where none of the weighted deals was won.

    Parameters
    ----------
    deal_versions : states of deals over time, in any engine: `deal_id`, `status`, `valid_from`, `valid_to`,
        `expected_close_date`, `closed_date`, the column of probabilities, `amount` with `currency_code` and
        `amount_base_cents` at closing (or an amount as in bookings)
    exchange_rates : `from_currency_code`, `to_currency_code` (one), `rate_date`, `rate`; None where all amounts
        are in one currency. Open amounts are converted at the rates of the day looked at
    as_of : the day of looking; nothing later counts
    period : month, quarter or year that is forecast; None takes the quarter of the next day
    periods : how many finished periods to look at
    by : columns, or the word of the period (one row per period)
    probability : the column with the probability, as it was then
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group: `forecast` (Σp·A on the day), `won_value` (of the same deals by the end; currency
    units), `weighted_pipeline_bias` (0.2: 20 % too high), `low`, `high` (95 %, from the differences between
    periods), `count_bias` (the same in deals), `amount_bias` (amounts on the day over amounts at closing of the
    deals won, less 1), `other_mean`, `other_sd` (what other deals brought in per period after the day: the
    `creation` of forecast_distribution), `periods`, `n` (deals weighed, each once per period), `note`.

    Examples
    --------
    >>> stamps = pd.to_datetime(["2026-06-01", "2026-08-15", "2026-06-01"])
    >>> versions = pd.DataFrame({"deal_id": ["a", "a", "b"], "status": ["open", "won", "open"],
    ...     "valid_from": stamps, "valid_to": [stamps[1], pd.NaT, pd.NaT], "probability": [0.75, 1.0, 0.75],
    ...     "expected_close_date": pd.Timestamp("2026-09-01"), "closed_date": [pd.NaT, stamps[1], pd.NaT],
    ...     "amount": 100.0})
    >>> found = weighted_pipeline_bias(versions, as_of="2026-10-31")
    >>> found[["forecast", "won_value", "weighted_pipeline_bias", "n"]]
       forecast  won_value  weighted_pipeline_bias  n
    0     150.0      100.0                     0.5  2
    """
    name = "weighted_pipeline_bias"
    past, word = past_of(as_of, period, periods, name, fiscal_year_start)
    groups, words = split_words(group_names(by), (word,), name)
    day = checked_day(as_of, name)
    x = versions(deal_versions, function=name, as_of=day, by=groups, needs=VERSION)
    x, rates = priced(with_probability(x, probability), exchange_rates)
    rows = weighed(x, rates, past)
    both, came = ~nw.col(CENTS).is_null() & ~nw.col("_p").is_null(), ~nw.col("_won_cents").is_null()
    rows = rows.with_columns(
        _w=(nw.col(CENTS).cast(nw.Float64) * nw.col("_p") + 0.5).floor().cast(nw.Int64),
        _n=flag(both),
        _likely=masked(both, "_p"),
        _wins=flag(both & came),
        _came=masked(both, "_won_cents"),
        _then=masked(both & came, CENTS),
        _rest=masked(~both, "_won_cents"),
    )
    table = small(
        summarise(
            rows,
            (*x.by, "_k"),
            forecast=("_w", "sum"),
            won=("_came", "sum"),
            likely=("_likely", "sum"),
            wins=("_wins", "sum"),
            then=("_then", "sum"),
            rest=("_rest", "sum"),
            n=("_n", "sum"),
            _least=("_p", "min"),
            _most=("_p", "max"),
        )
    )
    refuse_percent(table, name, probability)
    table[words] = np.repeat(table[["_k"]].to_numpy(), len(words), axis=1)
    by_name = Facts(x.rows, tuple(group_names(by)), name, fiscal_year_start)
    had = 1 if words else sum(o.key >= table["_k"].min() for o in past)
    made = whole(per_group(table, by_name.by, lambda part: _bias(part, had)), "periods", "n")
    made = by_name.finish(made).assign(note=lambda t: note(t[name]))
    return layout(
        made,
        by_name,
        "forecast",
        "won_value",
        name,
        "low",
        "high",
        "count_bias",
        "amount_bias",
        "other_mean",
        "other_sd",
        "periods",
        "n",
        "note",
    )


def _bias(part: pd.DataFrame, periods: int) -> dict[str, float]:
    """The figures of one group from its sums per period."""
    each = part.groupby("_k")[["forecast", "won", "rest"]].sum().astype(float)
    known = part.loc[part["n"] > 0].groupby("_k")[["forecast", "won"]].sum().astype(float)
    off, won = known["forecast"] - known["won"], known["won"]
    value, variance = ratio_variance(
        off.sum(), won.sum(), (off**2).sum(), (off * won).sum(), (won**2).sum(), len(known)
    )
    bias = float(value) if won.sum() > 0 else float("nan")
    low, high = ratio_interval(bias, variance, len(known))
    rest = np.pad(each["rest"].to_numpy() / 100, (0, max(periods - len(each), 0)))
    wins, likely = float(part["wins"].sum()), float(part["likely"].sum())
    return {
        "forecast": known["forecast"].sum() / 100,
        "won_value": won.sum() / 100,
        "weighted_pipeline_bias": bias,
        "low": float(low),
        "high": float(high),
        "count_bias": (likely - wins) / wins if wins else float("nan"),
        "amount_bias": float(part["then"].sum()) / won.sum() - 1 if won.sum() > 0 else float("nan"),
        "other_mean": float(rest.mean()) if len(rest) else float("nan"),
        "other_sd": float(rest.std(ddof=1)) if len(rest) > 1 else float("nan"),
        "periods": float(len(known)),
        "n": float(part["n"].sum()),
    }
