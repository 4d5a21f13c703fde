"""The website's visits as a report of Google Analytics 4: comments, a grand total, days without separators."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from salestrack.sources.mapping import literal, quoted

if TYPE_CHECKING:
    from salestrack.exports import Language

TABLES: Collection[str] = ("web_traffic",)
LOST: dict[str, tuple[str, str]] = {}

DIMENSIONS = {
    "date": ("Date", "Datum"),
    "source": ("Session source", "Sitzung – Quelle"),
    "medium": ("Session medium", "Sitzung – Medium"),
    "campaign_name": ("Session campaign", "Sitzung – Kampagne"),
    "channel_group": ("Session default channel group", "Sitzung – Standard-Channelgruppe"),
    "landing_page": ("Landing page", "Landingpage"),
    "country_code": ("Country ID", "Länder-ID"),
    "currency_code": ("Currency", "Währung"),
}
COUNTS = {
    "sessions": ("Sessions", "Sitzungen"),
    "engaged_sessions": ("Engaged sessions", "Sitzungen mit Interaktionen"),
    "total_users": ("Total users", "Nutzer insgesamt"),
    "new_users": ("New users", "Neue Nutzer"),
    "key_events": ("Key events", "Schlüsselereignisse"),
    "event_count": ("Event count", "Ereignisanzahl"),
    "transactions": ("Transactions", "Transaktionen"),
    "purchase_revenue": ("Purchase revenue", "Umsatz aus Käufen"),
}
WORDS = {
    "name": ("Free form-Visits", "Freies Format-Besuche"),
    "users": ("All Users", "Alle Nutzer"),
    "start": ("Start date", "Startdatum"),
    "end": ("End date", "Enddatum"),
    "total": ("Grand total", "Gesamtsumme"),
}


def write(con: duckdb.DuckDBPyConnection, folder: Path, language: Language) -> None:
    """Writes the system's files into the folder."""
    write_ga4(con, folder, language)


def write_ga4(con: duckdb.DuckDBPyConnection, folder: Path, language: Language) -> None:
    """Writes one report of all visits, by day and by whatever else the visits are split by."""
    place = 1 if language == "de" else 0
    dimensions, counts = _filled(con, DIMENSIONS), _filled(con, COUNTS)
    days = con.execute("SELECT min(date), max(date) FROM web_traffic").fetchone()
    if not days or days[0] is None:
        return
    cells = [f"strftime(date, '%Y%m%d') AS {quoted('date')}", *map(quoted, (dimensions + counts)[1:])]
    path = folder / "free-form.csv"
    con.execute(
        f"COPY (SELECT {', '.join(cells)} FROM web_traffic ORDER BY ALL) TO {literal(str(path))} (FORMAT csv, HEADER false)"
    )
    rows = path.read_bytes()
    lines = _comments(days, place)
    lines.append(",".join((DIMENSIONS | COUNTS)[name][place] for name in dimensions + counts))
    lines.append(_totals(con, dimensions, counts, WORDS["total"][place]))
    path.write_bytes(("\n".join(lines) + "\n").encode() + rows)


def _filled(con: duckdb.DuckDBPyConnection, names: Collection[str]) -> list[str]:
    """Those columns that hold anything."""
    tests = ", ".join(f"count({quoted(name)})" for name in names)
    found = con.execute(f"SELECT {tests} FROM web_traffic").fetchone() or ()
    return [name for name, count in zip(names, found, strict=True) if count]


def _comments(days: tuple[object, ...], place: int) -> list[str]:
    """The lines above the table."""
    rule = "# " + "-" * 40
    told = [
        f"# {WORDS[key][place]}: {str(day).replace('-', '')}"
        for key, day in zip(("start", "end"), days, strict=True)
    ]
    return [rule, f"# {WORDS['name'][place]}", rule, "#", f"# {WORDS['users'][place]}", *told, ""]


def _totals(con: duckdb.DuckDBPyConnection, dimensions: list[str], counts: list[str], word: str) -> str:
    """The row of the grand total, which has a cell more than the others."""
    sums = ", ".join(f"sum({quoted(name)})" for name in counts)
    row = con.execute(f"SELECT {sums} FROM web_traffic").fetchone() or ()
    return ",".join(["" for _ in dimensions] + [str(cell) for cell in row] + [word])
