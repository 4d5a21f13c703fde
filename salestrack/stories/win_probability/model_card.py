"""The model card in words: what was learnt from, how it was tested, which fields were refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from salestrack.i18n import Words
    from salestrack.models import WinProbability


def facts(found: WinProbability, words: Words) -> pd.DataFrame:
    """The model card as `fact` and `told`: what was learnt from, how it was tested, what was refused."""
    card = found.card
    if not card.snapshots["all"]:
        return pd.DataFrame()

    def day(value: Any) -> str:
        return words.fmt(value, "date")

    def count(value: Any) -> str:
        return words.fmt(value, "count")

    said = {
        "window": f"{day(card.first_snapshot)} {words.text('to')} {day(card.last_training_snapshot)}",
        "deals": " / ".join(count(card.deals[name]) for name in ("won", "lost", "open")),
        "snapshots": f"{count(card.snapshots['fitted'])} / {count(card.snapshots['tested'])}",
        "scheme": _SCHEMES[card.scheme][words.language],
        "fields": ", ".join(words.value("field", field) for field in card.fields) or "–",
        "refused": ", ".join(words.value("field", field) for field in card.refused) or "–",
        "leaks": ", ".join(dict.fromkeys(words.label(str(leak["column"])) for leak in card.leak_scan)) or "–",
        "data": card.data_sha256[:12],
    }
    return pd.DataFrame(
        [(_FACTS[key][words.language], text) for key, text in said.items()], columns=["fact", "told"]
    )


_SCHEMES = {
    "forward": {
        "en": "forward in time: learnt before, tested after",
        "de": "in der Zeit vorwärts: vorher gelernt, nachher geprüft",
    },
    "by deal": {
        "en": "by deal, in five parts (history too short to test forward)",
        "de": "nach Deals, in fünf Teilen (Verlauf zu kurz für Prüfung in der Zeit)",
    },
    "none": {"en": "not tested: too few deals", "de": "nicht geprüft: zu wenige Deals"},
}


_FACTS = {
    "window": {"en": "Learnt from snapshots of", "de": "Gelernt aus Momentaufnahmen vom"},
    "deals": {"en": "Deals won / lost / open", "de": "Deals gewonnen / verloren / offen"},
    "snapshots": {"en": "Snapshots learnt from / tested", "de": "Momentaufnahmen gelernt / geprüft"},
    "scheme": {"en": "Tested", "de": "Geprüft"},
    "fields": {"en": "Fields in use", "de": "Verwendete Merkmale"},
    "refused": {
        "en": "Fields refused (they know the outcome)",
        "de": "Abgewiesene Merkmale (sie kennen den Ausgang)",
    },
    "leaks": {
        "en": "Columns that know the outcome, never used",
        "de": "Spalten, die den Ausgang kennen, nie verwendet",
    },
    "data": {"en": "Fingerprint of the data", "de": "Fingerabdruck der Daten"},
}
