"""What the probabilities call for: the measures of the page, each with the rule that triggers it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from salestrack.stories.win_probability.expected_value import expected, weighted_by_crm
from salestrack.stories.win_probability.open_deals import too_old

if TYPE_CHECKING:
    from salestrack.book import Book
    from salestrack.i18n import Words
    from salestrack.models import WinProbability

OPTIMISM = 1.25  # weighted pipeline over the model's expected value from which planning with it misleads


def measures(book: Book, found: WinProbability, words: Words) -> list[dict[str, Any]]:
    """What the probabilities call for: close the overaged, plan with the model, record more."""
    if found.scores.empty:
        return []
    old = too_old(found)
    crm, model = weighted_by_crm(book), expected(found)
    ratio = crm / model if model else math.nan
    made = []
    if "n" in old:
        made.append(
            {
                "measure": {
                    "en": "Close the overaged deals or open them anew with a fresh reason to buy.",
                    "de": "Überalterte Deals schließen oder mit neuem Kaufgrund neu anlegen.",
                },
                "rule": {
                    "en": f"Open deals older than any that was won: {old['n']}.",
                    "de": f"Offene Deals, die älter sind als jeder gewonnene: {old['n']}.",
                },
                "owner": "team_lead",
                "metric": "open_pipeline",
            }
        )
    if ratio > OPTIMISM:
        times = words.fmt(ratio, "ratio")
        made.append(
            {
                "measure": {
                    "en": "Plan with the probabilities of this page, not with those of the CRM's stages.",
                    "de": "Mit den Wahrscheinlichkeiten dieser Seite planen, nicht mit denen der CRM-Phasen.",
                },
                "rule": {
                    "en": f"The CRM's weighted value is {times} what the model expects in "
                    f"{found.model.horizon_days} days.",
                    "de": f"Der gewichtete CRM-Wert ist das {times} dessen, was das Modell in "
                    f"{found.model.horizon_days} Tagen erwartet.",
                },
                "owner": "finance",
                "metric": {"en": "Expected value against won value", "de": "Erwartungswert gegen Gewonnenes"},
            }
        )
    if found.rung != "logistic":
        made.append(
            {
                "measure": {
                    "en": "Record stage changes, activities and lost deals completely, and judge again next "
                    "quarter.",
                    "de": "Phasenwechsel, Aktivitäten und Verluste vollständig erfassen und im nächsten "
                    "Quartal neu prüfen.",
                },
                "rule": {
                    "en": "The fields of a deal say no more than its stage or the base rate.",
                    "de": "Die Merkmale eines Deals sagen nicht mehr als seine Phase oder die Grundrate.",
                },
                "owner": "sales_operations",
                "metric": {"en": "Log loss against the stage rate", "de": "Log-Loss gegen die Phasenrate"},
            }
        )
    return made
