"""What the open deals are worth by the model, by the CRM's probabilities and in full."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pandas as pd

from salestrack.kpis import weighted_pipeline, weighted_pipeline_bias

if TYPE_CHECKING:
    from salestrack.book import Book
    from salestrack.i18n import Words
    from salestrack.markup import Html
    from salestrack.models import WinProbability
    from salestrack.page import Page


def weighted_by_crm(book: Book) -> float:
    """`weighted_pipeline` with the CRM's probabilities; NaN where there are none."""
    return float(book.kpi(weighted_pipeline)["weighted_pipeline"].iloc[0])


def expected(found: WinProbability | None) -> float:
    """Expected won value of the open deals; NaN where it is unknown."""
    known = (
        found.scores["expected_value"].dropna().astype(float) if found is not None else pd.Series(dtype=float)
    )
    return float(known.sum()) if len(known) else math.nan


def cards(page: Page, found: WinProbability) -> list[Html]:
    """Expected won value by quarter end and within the horizon, and by the CRM; none without deals."""
    if found.scores.empty:
        return []
    near, n = found.by_quarter_end, len(found.scores)
    until = page.words.fmt(_last_day(near), "date") if near is not None else ""
    days = found.model.horizon_days
    told: list[tuple[float, dict[str, str], dict[str, str]]] = [
        (
            expected(found),
            {"en": f"Expected within {days} days", "de": f"Erwartet binnen {days} Tagen"},
            {"en": "amount times probability, summed", "de": "Betrag mal Wahrscheinlichkeit, summiert"},
        ),
        (
            weighted_by_crm(page.book),
            {"en": "Weighted by the CRM", "de": "Gewichtet nach CRM"},
            {"en": "no date: whenever it closes", "de": "ohne Datum: wann immer geschlossen wird"},
        ),
    ]
    if near is not None:
        told.insert(
            0, (expected(near), {"en": f"Expected until {until}", "de": f"Erwartet bis {until}"}, told[0][2])
        )
    return [
        page.card(
            pd.DataFrame({"expected_value": [value], "n": [n]}), "expected_value", label=label, note=note
        )
        for value, label, note in told
    ]


def _last_day(found: WinProbability) -> pd.Timestamp:
    return pd.Timestamp(found.card.as_of) + pd.Timedelta(days=found.model.horizon_days)


def bases(book: Book, found: WinProbability, words: Words) -> pd.DataFrame:
    """The open pipeline in full, by the CRM and by the model: `basis`, `value`, `open_share`."""
    if found.scores.empty:
        return pd.DataFrame()
    whole = float(found.scores["amount_base"].sum())
    near = found.by_quarter_end
    rows = [
        ("open", whole, ""),
        ("crm", weighted_by_crm(book), ""),
        ("model", expected(found), found.model.horizon_days),
    ]
    rows += [("near", expected(near), words.fmt(_last_day(near), "date"))] if near is not None else []
    told = [
        (_BASES[name][words.language].format(by=by), value, value / (whole or math.nan))
        for name, value, by in rows
    ]
    return pd.DataFrame(told, columns=["basis", "value", "open_share"])


def past_bias(book: Book) -> dict[str, Any]:
    """How far weighting with the CRM's probabilities was off in the last finished quarters, with interval and count."""
    found = book.kpi(weighted_pipeline_bias).iloc[0]
    if not found["n"] or pd.isna(found["weighted_pipeline_bias"]):
        return {
            "en": "There is no finished quarter yet that could tell how far the CRM's probabilities are off.",
            "de": "Noch gibt es kein abgeschlossenes Quartal, das zeigte, wie falsch die CRM-Wahrscheinlichkeiten liegen.",
        }
    return {
        "en": "Weighting with the CRM's probabilities was {bias:change} off in the past (95 %: {low:change} to {high:change}; "
        "finished quarters: {periods}): on the same day of the quarter it promised {forecast:money} from {n} open deals, "
        "and they brought {won:money} by its end.",
        "de": "Die Gewichtung mit den CRM-Wahrscheinlichkeiten lag bisher um {bias:change} daneben (95 %: {low:change} bis "
        "{high:change}; abgeschlossene Quartale: {periods}): Sie versprach am selben Tag des Quartals {forecast:money} aus {n} "
        "offenen Deals, bis zu seinem Ende brachten diese {won:money}.",
        "bias": float(found["weighted_pipeline_bias"]),
        "low": float(found["low"]),
        "high": float(found["high"]),
        "forecast": float(found["forecast"]),
        "won": float(found["won_value"]),
        "periods": int(found["periods"]),
        "n": int(found["n"]),
    }


_BASES = {
    "open": {"en": "Open value in full", "de": "Offener Wert voll gezählt"},
    "crm": {
        "en": "Weighted by the CRM's probability of the stage (ever won)",
        "de": "Gewichtet mit der Phasenwahrscheinlichkeit des CRM (irgendwann gewonnen)",
    },
    "model": {"en": "Model: won within {by} days", "de": "Modell: gewonnen binnen {by} Tagen"},
    "near": {"en": "Model: won until {by}", "de": "Modell: gewonnen bis {by}"},
}
