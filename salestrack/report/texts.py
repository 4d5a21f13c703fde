"""The words of the page's frame in each language; everything else on a page comes from its notebook."""

from __future__ import annotations

from datetime import date
from typing import Final

from babel.dates import format_date

from salestrack.periods import Period

TEXTS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "report": "Sales report",
        "skip": "Skip to the content",
        "pages": "Pages of the report",
        "data": "Data",
        "chart": "Chart",
        "table": "Table",
        "as_of": "Data as of",
        "period": "Period",
        "source": "Data fingerprint",
        "notebook": "Notebook",
        "made_by": "Made by",
        "zone": "Time zone",
        "previous": "Previous",
        "next": "Next",
        "archive": "All reports",
        "archive_intro": "Every month that has been published, the newest first.",
        "draft": "Draft: not all pages",
        "month": "Month",
        "empty": "No report has been published yet.",
        "around": "Previous and next page",
        "provenance": "Where this page comes from",
        "dash": "to",
    },
    "de": {
        "report": "Vertriebsbericht",
        "skip": "Zum Inhalt springen",
        "pages": "Seiten des Berichts",
        "data": "Daten",
        "chart": "Diagramm",
        "table": "Tabelle",
        "as_of": "Datenstand",
        "period": "Zeitraum",
        "source": "Prüfsumme der Daten",
        "notebook": "Notebook",
        "made_by": "Erstellt mit",
        "zone": "Zeitzone",
        "previous": "Zurück",
        "next": "Weiter",
        "archive": "Alle Berichte",
        "archive_intro": "Alle veröffentlichten Monate, der neueste zuerst.",
        "draft": "Entwurf: nicht alle Seiten",
        "month": "Monat",
        "empty": "Es wurde noch kein Bericht veröffentlicht.",
        "around": "Vorige und nächste Seite",
        "provenance": "Woher diese Seite stammt",
        "dash": "bis",
    },
}
LANGUAGES: Final = tuple(TEXTS)


def month_name(month: str, language: str) -> str:
    """A month in words.

    >>> month_name("2026-10", "de")
    'Oktober 2026'
    """
    return str(format_date(Period.month(month).start, "LLLL y", locale=language))


def day_name(day: date, language: str) -> str:
    """A day in words.

    >>> day_name(date(2026, 10, 31), "en")
    '31 October 2026'
    """
    return str(format_date(day, "d. MMMM y" if language == "de" else "d MMMM y", locale=language))
