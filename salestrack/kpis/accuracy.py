"""Forecasts at fixed horizons, rebuilt from history, and how far they and the submitted ones were off."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Literal

import narwhals as nw
import pandas as pd

from salestrack.errors import KpiError
from salestrack.kpis._accuracy import (
    actuals_of,
    at_horizons,
    beside_actuals,
    errors_of,
    no_errors,
    said_of,
)
from salestrack.kpis._card import card
from salestrack.kpis._facts import By, Facts, group_names
from salestrack.kpis._frames import flag, masked_sum, small, summarise
from salestrack.kpis._money import CENTS
from salestrack.kpis._periods import MONTHS, month_word, number_of
from salestrack.kpis._results import layout, note
from salestrack.kpis._survival import checked_day, per_group, whole
from salestrack.kpis._versions import Rates, held, priced, versions
from salestrack.kpis._weights import (
    EPOCH,
    OPEN,
    WON,
    cents_then,
    horizon_day,
    key_of,
    looked_up,
    period_key,
    refuse_percent,
    split_words,
    spread_of,
    weight,
    with_probability,
    won_cents,
)
from salestrack.periods import Period, month_index

HORIZONS = ("day_1", "day_30", "t-30", "t-7")
Word = Literal["month", "quarter", "year"]


@card(
    number=23,
    unit="money",
    date="period_start_date",
    label_en="Forecasts from the CRM's history",
    label_de="Prognosen aus der CRM-Historie",
    description_de="Was die mit den CRM-Wahrscheinlichkeiten gewichtete Pipeline an festen Tagen für frühere "
    "Zeiträume vorhersagte.",
    formula_de="Im Zeitraum bis zum Tag des Horizonts gewonnener Betrag + Summe aus Betrag mal Wahrscheinlichkeit "
    "über die an diesem Tag offenen Verkaufschancen mit Abschlusstermin im Zeitraum, alles nach dem Stand des "
    "Tages.",
    undefined_de="NaN mit dem Hinweis no_probability, wenn es offene Beträge, aber keine Wahrscheinlichkeit gab. "
    "Ein Zeitraum ohne Verkaufschance hat keine Zeile.",
)
def crm_forecasts(
    deal_versions: Any,
    exchange_rates: Any = None,
    *,
    as_of: date | str,
    each: Word = "quarter",
    periods: int = 8,
    horizons: Sequence[str] = HORIZONS,
    by: By = None,
    probability: str = "probability",
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """What the pipeline weighted by the CRM's probabilities foretold for past periods on fixed days.

    Formula: won in the period up to the day of the horizon + sum of amount x probability over the deals open on
    that day with expected close in the period, all as it stood on the day.

    Undefined: NaN with the note no_probability where there were open amounts but no probability. A period
    without a deal has no row.

    Parameters
    ----------
    deal_versions, exchange_rates, probability : as in weighted_pipeline_bias
    as_of : the day of looking; horizons that have not come by then have no row
    each : length of the periods: month, quarter or year
    periods : how many finished periods, beside the one under way
    horizons : `day_1`, `day_30`: the first, the 30th day; `t-30`, `t-7`: 30 and 7 days before the end. One that
        lies outside a period has no row
    by : columns of the deals' states; None gives one row per period and horizon
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group, `period_start_date`, `made_date` and `horizon`: `period_end_date` (last day), `won_value`
    (won so far), `weighted_value`, `crm_forecasts` (currency units), `low`, `high` (95 % for independent deals:
    too narrow, as forecast_accuracy shows), `forecast_amount_base_cents`, `n` (open deals weighed), `note`.
    forecast_accuracy takes the table.

    Examples
    --------
    >>> stamps = pd.to_datetime(["2026-06-01", "2026-08-15"])
    >>> versions = pd.DataFrame({"deal_id": "a", "status": ["open", "won"], "valid_from": stamps,
    ...     "valid_to": [stamps[1], pd.NaT], "probability": [0.5, 1.0], "amount": 100.0,
    ...     "expected_close_date": pd.Timestamp("2026-09-01"), "closed_date": [pd.NaT, stamps[1]]})
    >>> crm_forecasts(versions, as_of="2026-10-31")[["horizon", "won_value", "weighted_value", "crm_forecasts"]]
      horizon  won_value  weighted_value  crm_forecasts
    0   day_1        0.0            50.0           50.0
    1  day_30        0.0            50.0           50.0
    2    t-30      100.0             0.0          100.0
    3     t-7      100.0             0.0          100.0
    """
    name = "crm_forecasts"
    day, (groups, _) = checked_day(as_of, name), split_words(group_names(by), (), name)
    spans = _spans(day, each, periods, name, fiscal_year_start)
    x = versions(
        deal_versions, function=name, as_of=day, by=groups, needs=("expected_close_date", "closed_date")
    )
    x, rates = priced(with_probability(x, probability), exchange_rates)
    due, closed = (key_of(each, f"{c}_date", fiscal_year_start) for c in ("expected_close", "closed"))
    x = x.mark(_k=nw.when(OPEN).then(due).when(WON).then(closed)).keep(nw.col("_k").is_in(list(spans)))
    x = x.mark(_closed_cents=won_cents(x, rates))
    parts: dict[str, Any] = {"_least": ("_p", "min"), "_most": ("_p", "max")}
    days = {horizon: _days(horizon, spans, day, name) for horizon in horizons}
    for i, horizon in enumerate(horizons):
        x = _at(x, i, days[horizon], rates)
        parts |= {f"{part}{i}": (f"_{part}{i}", "sum") for part in ("won", "w", "v", "n", "open")}
    sums = small(summarise(x.rows, (*x.by, "_k"), **parts))
    refuse_percent(sums, name, probability)
    return layout(_forecast_rows(sums, x, spans, days), x, *FORECAST)


FORECAST = (
    "period_start_date",
    "period_end_date",
    "made_date",
    "horizon",
    "won_value",
    "weighted_value",
    "crm_forecasts",
    "low",
    "high",
    "forecast_amount_base_cents",
    "n",
    "note",
)


def _spans(day: date, each: str, periods: int, function: str, fiscal_year_start: int) -> dict[int, Period]:
    """The period under way and the ones before it by their whole numbers."""
    if each not in MONTHS:
        raise KpiError.bad_option(function, "each", each, "give month, quarter or year")
    if periods < 1:
        raise KpiError.bad_option(function, "periods", periods, "give a number above 0")
    now = Period(day, day + timedelta(days=1)).containing(each, fiscal_year_start=fiscal_year_start)
    if now.last_day == day:  # it is over with the day
        periods -= 1
    spans = [now.shifted(-MONTHS[each] * back) for back in range(periods, -1, -1)]
    return {period_key(each, span.start, fiscal_year_start): span for span in spans}


def _days(horizon: str, spans: dict[int, Period], day: date, function: str) -> dict[int, int]:
    """The day of a horizon in each period in which it has come."""
    days = {key: horizon_day(horizon, span, function) for key, span in spans.items()}
    return {key: found for key, found in days.items() if found is not None and found <= number_of(day)}


def _at(x: Facts, i: int, days: dict[int, int], rates: Rates) -> Facts:
    """With what each state adds to the forecast at one horizon."""
    if not days:
        none = {f"_{part}{i}": nw.lit(0) for part in ("won", "w", "n", "open")}
        return x.mark(**none, **{f"_v{i}": nw.lit(0.0)})
    x = x.mark(**{CENTS: cents_then(rates, days)}, _day=looked_up("_k", days))
    here = held(nw.col("_day")).fill_null(False)
    weights = weight(OPEN & here)
    both = ~nw.col(CENTS).is_null() & ~nw.col("_p").is_null()
    return x.mark(
        **{
            f"_won{i}": masked_sum(WON & here, "_closed_cents"),
            f"_w{i}": weights["_w"],
            f"_v{i}": weights["_v"],
            f"_n{i}": flag(OPEN & here & both),
            f"_open{i}": flag(OPEN & here & ~nw.col(CENTS).is_null()),
        }
    )


def _forecast_rows(
    sums: pd.DataFrame, x: Facts, spans: dict[int, Period], days: dict[str, dict[int, int]]
) -> pd.DataFrame:
    """One row per group, period and horizon, in the order of time."""
    parts = []
    for i, (horizon, known) in enumerate(days.items()):
        part = sums[sums["_k"].isin(list(known))]
        cents = part[f"won{i}"] + part[f"w{i}"]
        unknown = (part[f"n{i}"] == 0) & (part[f"open{i}"] > 0)
        parts.append(
            part[list(x.by)].assign(
                period_start_date=[spans[k].start for k in part["_k"]],
                period_end_date=[spans[k].last_day for k in part["_k"]],
                made_date=[EPOCH + timedelta(days=known[k]) for k in part["_k"]],
                horizon=horizon,
                won_value=part[f"won{i}"] / 100,
                weighted_value=(part[f"w{i}"] / 100).mask(unknown),
                crm_forecasts=(cents / 100).mask(unknown),
                _half=spread_of(part[f"v{i}"]),
                forecast_amount_base_cents=cents.astype("Int64").mask(unknown),
                n=part[f"n{i}"],
            )
        )
    table = pd.concat(parts, ignore_index=True)
    for day in ("period_start_date", "period_end_date", "made_date"):
        table[day] = pd.to_datetime(table[day]).astype("datetime64[us]")
    table = table.sort_values(["period_start_date", "made_date", "horizon"], kind="stable")
    least = table[["won_value", "crm_forecasts"]].min(axis=1)
    table = table.assign(
        low=(table["crm_forecasts"] - table["_half"]).clip(lower=least).where(table["crm_forecasts"].notna()),
        high=table["crm_forecasts"] + table["_half"],
        note=note(table["crm_forecasts"], "no_probability"),
    )
    return x.finish(table.astype({"horizon": "str"}))


@card(
    number=23,
    unit="ratio",
    date="period_start_date",
    label_en="Forecast error (WAPE)",
    label_de="Prognosefehler (WAPE)",
    description_de="Summe der Abweichungen der Prognosen im Verhältnis zu allem, was einging, bei festem Horizont.",
    formula_de="Summe der Beträge von (Prognose - Ist) / Summe Ist über die abgeschlossenen Zeiträume, je "
    "Horizont; die Verzerrung (bias) ohne Beträge.",
    undefined_de="NaN mit dem Hinweis no_data, wenn nichts einging oder nichts vorhergesagt war; too_few bei "
    "weniger als vier Zeiträumen: Ein einzelnes Quartal sagt nichts über eine Prognose.",
)
def forecast_accuracy(
    forecasts: Any,
    credits: Any,
    *,
    as_of: date | str,
    each: Word = "quarter",
    horizons: Sequence[str] = HORIZONS,
    by: By = None,
    category: str = "commit",
    level: float = 0.95,
    fiscal_year_start: int = 1,
) -> pd.DataFrame:
    """Sum of what the forecasts were off, in relation to all that came in, at a fixed horizon.

    Formula: sum of |forecast - actual| / sum of actual over the finished periods, by horizon; bias is the
    same with signs.

    Undefined: NaN with the note no_data where nothing came in or nothing was forecast; too_few stands beside
    figures from fewer than four periods: one quarter does not judge a forecast.

    Parameters
    ----------
    forecasts : one row per forecast, in any engine: `period_start_date`, `forecast_amount_base_cents` (or
        forecast_amount in one currency) and when it was made: `submitted_at`, `made_at` or `made_date`, or its
        `horizon`; optionally `rep_id`, `team_id`, `forecast_category`, `low`, `high` (currency units).
        At a horizon the last forecast of each rep or team made by that day counts, never a later revision
    credits : what came in: `credit_date` and an amount (see bookings)
    as_of : the day of looking; only periods that are over by then count
    each : length of the periods: month, quarter or year
    horizons : `day_1`, `day_30`: the first, the 30th day; `t-30`, `t-7`: 30 and 7 days before the end
    by : columns that both tables have (`forecast_category` only the forecasts), or period words
    category : the one category that is compared, where the frame has categories and `by` does not name them
    level : what share of cases `low` and `high` claim to enclose
    fiscal_year_start : month (1 to 12) in which the fiscal year starts

    Returns
    -------
    One row per group and `horizon`: `forecast`, `actual` (currency units, sums), `bias`, `forecast_accuracy`
    (WAPE: 0.2 is 20 % off), `low`, `high` (95 % of it, from the differences between periods), `mase` (against
    the same period of the year before; below 1 is better), `coverage` (share of periods inside the forecast's
    interval), `pinball` (mean loss over low, forecast, high; currency units), `came_true` (actual / forecast),
    `n` (periods), `note`.

    Examples
    --------
    >>> starts = pd.to_datetime(["2026-01-01", "2026-04-01"])
    >>> said = pd.DataFrame({"period_start_date": starts, "horizon": "day_1", "forecast_amount": [120.0, 80.0]})
    >>> won = pd.DataFrame({"credit_date": pd.to_datetime(["2026-02-01", "2026-05-01"]), "amount": 100.0})
    >>> forecast_accuracy(said, won, as_of="2026-10-31")[["horizon", "bias", "forecast_accuracy", "n", "note"]]
      horizon  bias  forecast_accuracy  n     note
    0   day_1   0.0                0.2  2  too_few
    """
    name = "forecast_accuracy"
    day = checked_day(as_of, name)
    if each not in MONTHS:
        raise KpiError.bad_option(name, "each", each, "give month, quarter or year")
    words = [word for word in MONTHS if MONTHS[word] >= MONTHS[each]]
    groups, said = split_words(group_names(by), words, name)
    x = said_of(forecasts, groups, category, name)
    table = at_horizons(x, day, each, horizons, fiscal_year_start)
    common = [g for g in groups if g != "forecast_category"]
    table = beside_actuals(table, actuals_of(credits, common, day, each, fiscal_year_start), common, each)
    months = pd.Series(
        [month_index(EPOCH + timedelta(days=int(d))) for d in table["_start"]], table.index, "int64"
    )
    for word in said:
        table[word] = month_word(word, months, fiscal_year_start)
    shown = Facts(x.rows, (*group_names(by), "horizon"), name, fiscal_year_start)
    made = (
        per_group(table, shown.by, lambda part: errors_of(part, level))
        if len(table)
        else no_errors(table, shown, level)
    )
    made = shown.finish(whole(made, "n"))
    reason = note(made[name]).where(made[name].isna() | (made["n"] >= 4), "too_few")
    return layout(made.assign(note=reason), shown, *ACCURACY)


ACCURACY = (
    "forecast",
    "actual",
    "bias",
    "forecast_accuracy",
    "low",
    "high",
    "mase",
    "coverage",
    "pinball",
    "came_true",
    "n",
    "note",
)
