"""The facts of a company as HubSpot exports them: list views, the history of properties, and answers of the API.

A view has the labels of the properties as headings, every cell in quotes and times of the account to the minute. What
no view shows (owners that have left, pipelines, deleted deals) comes from the API.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from salestrack.exports._writing import headed, zone_of
from salestrack.exports.hubspot.activities import calls, communications, emails, meetings, notes, tasks
from salestrack.exports.hubspot.api import archived, owners, pipelines
from salestrack.exports.hubspot.carried import LOST, TABLES
from salestrack.exports.hubspot.offers import CAMPAIGNS, LINES, PRODUCTS
from salestrack.exports.hubspot.property_history import HISTORY, prepare
from salestrack.exports.hubspot.records import companies, contacts, deals

if TYPE_CHECKING:
    from salestrack.exports import Language

__all__ = ["LOST", "TABLES", "write"]


def write(con: duckdb.DuckDBPyConnection, folder: Path, language: Language) -> None:
    """Writes the system's files into the folder."""
    zone = zone_of(folder)
    prepare(con, zone)
    views = {
        "all-deals": deals(zone),
        "all-companies": companies(zone),
        "all-contacts": contacts(zone),
        "all-calls": calls(zone),
        "all-meetings": meetings(zone),
        "all-emails": emails(zone),
        "all-tasks": tasks(zone),
        "all-notes": notes(zone),
        "all-communications": communications(zone),
        "all-line-items": LINES,
        "all-products": PRODUCTS,
        "all-campaigns": CAMPAIGNS,
        "deal-property-history": HISTORY,
    }
    for name, query in views.items():
        _save(con, headed(con, query, "hubspot", language), folder / f"hubspot-crm-exports-{name}.csv")
    answers = {"owners": owners(con), "pipelines": pipelines(con), "deals-archived": archived(con)}
    for name, records in answers.items():
        text = json.dumps({"results": records}, ensure_ascii=False, indent=2)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def _save(con: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    """A view's file: every cell in quotes, the empty ones, too."""
    from salestrack.exports import save_csv

    save_csv(con, f"SELECT coalesce(CAST(COLUMNS(*) AS VARCHAR), '') FROM ({query})", path, quote_all=True)
