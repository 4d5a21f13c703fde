"""Three deals as a list view of HubSpot's, in two languages, and the owners and pipelines that stand beside them."""

import json
from typing import Any

DEALS = """\
"Record ID","Deal Name","Pipeline","Deal Stage","Amount","Currency","Close Date","Create Date","Deal owner","Deal Type",\
"Closed Lost Reason","Deal probability","Forecast category","Is Closed Won","Is closed lost","Last Modified Date",\
"Associated Company","Associated Company IDs","Associated Contact","Associated Contact IDs"
"101","Alpha","Sales","Won","1000.5","EUR","2026-03-02 11:00","2026-01-05 10:00","Anna Weber","New Business",\
"","1.0","Closed won","Yes","No","2026-03-02 11:00","Muster GmbH","900","Ada; Ben","70;71"
"102","Beta","Partners","Won","250.0","EUR","2026-04-01 09:30","2026-01-06 10:00","Jörg Maier","Existing Business",\
"","0.4","Commit","No","No","2026-03-03 11:00","","","",""
"103","Gamma","Sales","No interest","","EUR","2026-03-05 11:00","2026-01-07 10:00","","",\
"Price","0.0","Not forecasted","No","Yes","2026-03-05 11:00","","901","",""
"""
GERMAN = {
    "Record ID": "Datensatz-ID",
    "Deal Name": "Deal-Name",
    "Deal Stage": "Deal-Phase",
    "Amount": "Betrag",
    "Currency": "Währung",
    "Close Date": "Abschlussdatum",
    "Create Date": "Erstellungsdatum",
    "Deal owner": "Für Deal zuständiger Mitarbeiter",
    "Deal Type": "Deal-Typ",
    "Closed Lost Reason": "Grund für verlorenen Deal",
    "Deal probability": "Deal-Wahrscheinlichkeit",
    "Forecast category": "Prognosekategorie",
    "Is Closed Won": "Ist abgeschlossen und gewonnen",
    "Is closed lost": "Ist abgeschlossen und verloren",
    "Last Modified Date": "Letztes Änderungsdatum",
    "Associated Company": "Zugeordnetes Unternehmen",
    "Associated Company IDs": "Zugeordnete Unternehmens-IDs",
    "Associated Contact": "Zugeordneter Kontakt",
    "Associated Contact IDs": "Zugeordnete Kontakt-IDs",
}
OWNERS = [
    {
        "id": "11",
        "email": "a@example.com",
        "firstName": "Anna",
        "lastName": "Weber",
        "userId": 1,
        "archived": False,
    },
    {
        "id": "12",
        "email": "j@example.com",
        "firstName": "Jörg",
        "lastName": "Maier",
        "userId": 2,
        "archived": True,
    },
]


def _stage(key: str, label: str, order: int, closed: bool, probability: str) -> dict[str, Any]:
    metadata = {"isClosed": str(closed).lower(), "probability": probability}
    return {"id": key, "label": label, "displayOrder": order, "metadata": metadata, "archived": False}


PIPELINES = [
    {
        "id": "default",
        "label": "Sales",
        "displayOrder": 0,
        "stages": [
            _stage("501", "Offer", 0, False, "0.4"),
            _stage("closedwon", "Won", 1, True, "1.0"),
            _stage("503", "No interest", 2, True, "0.0"),
        ],
    },
    {"id": "77", "label": "Partners", "displayOrder": 1, "stages": [_stage("601", "Won", 0, False, "0.4")]},
]
BESIDE = {
    "owners.json": json.dumps({"results": OWNERS}),
    "pipelines.json": json.dumps({"results": PIPELINES}),
}


def german(text: str) -> str:
    head, _, rest = text.partition("\n")
    for english, heading in sorted(GERMAN.items(), key=lambda pair: -len(pair[0])):
        head = head.replace(f'"{english}"', f'"{heading}"')
    return f"{head}\n{rest}"
