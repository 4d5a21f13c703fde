"""The facts of a company as monday.com exports them: a board with groups, items and their subitems, and its activity log.

monday knows no stages apart from the labels of a column, so what they mean is kept by hand in `stages.csv`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import xlsxwriter

from salestrack.exports._writing import local, zone_of
from salestrack.sources.mapping import literal, quoted

if TYPE_CHECKING:
    from salestrack.exports import Language

TABLES: Collection[str] = (
    "pipelines",
    "stages",
    "deals",
    "deal_stage_history",
    "deal_field_history",
    "deal_products",
)
LOST: dict[str, tuple[str, str]] = {
    "deals.deleted_at": (
        "Deleted items are not on the board, and so not in its export.",
        "Gelöschte Elemente stehen nicht auf dem Board und damit nicht im Export.",
    ),
    "deal_stage_history.amount": (
        "An entry into a stage does not tell amount, probability and closing day of then; the log of those columns does.",
        "Ein Phaseneintritt nennt Betrag, Wahrscheinlichkeit und Abschlusstag von damals nicht; das Protokoll dieser Spalten tut es.",
    ),
    "deals.primary_contact_id": (
        "Contacts are told by name only, and names of contacts are not kept.",
        "Kontakte stehen nur mit Namen darin, und Namen von Kontakten werden nicht aufbewahrt.",
    ),
    "deal_field_history.changed_by_rep_id": (
        "The log tells who changed something by number or display name, also for automations; it is left out.",
        "Das Protokoll nennt, wer etwas änderte, als Nummer oder Anzeigename, auch bei Automationen; das bleibt weg.",
    ),
}

BOARD = "Sales Pipeline"
"""The board of deals that name no pipeline."""
GROUPS = {"open": "Open deals", "won": "Won deals", "lost": "Lost deals"}
_CLOCK = "%b %-d, %Y %-I:%M %p"
HEADINGS = {
    "Name": "Element",
    "Subitems": "Unterelemente",
    "Owner": "Zuständig",
    "Stage": "Phase",
    "Deal value": "Dealwert",
    "Currency": "Währung",
    "Close date": "Voraussichtliches Abschlussdatum",
    "Closed on": "Abgeschlossen am",
    "Close probability": "Abschlusswahrscheinlichkeit",
    "Forecast category": "Prognosekategorie",
    "Deal type": "Dealtyp",
    "Account": "Unternehmen",
    "Lead source": "Leadquelle",
    "Campaign": "Kampagne",
    "Lost reason": "Verlustgrund",
    "Won reason": "Gewinngrund",
    "Competitor": "Wettbewerber",
    "Next step": "Nächster Schritt",
    "Last activity": "Letzte Aktivität",
    "Stage since": "Phase seit",
    "Created at": "Erstellt am",
    "Last updated": "Zuletzt aktualisiert",
    "Item ID (auto generated)": "Element-ID (automatisch generiert)",
    "Product": "Produkt",
    "Quantity": "Menge",
    "Unit price": "Stückpreis",
    "List price": "Listenpreis",
    "Discount %": "Rabatt %",
    "Line amount": "Betrag",
    "Event": "Ereignis",
    "Changed at": "Zeitpunkt",
    "Item ID": "Element-ID",
    "Column": "Spalte",
    "Previous value": "Vorheriger Wert",
    "Value": "Neuer Wert",
}
"""Titles of columns and what a German board calls them."""
TYPES = {
    "new": "New business",
    "expansion": "Upsell",
    "existing": "Existing business",
    "renewal": "Renewal",
    "other": "Other",
}
FORECASTS = {
    "pipeline": "Pipeline", "best_case": "Best case", "commit": "Commit", "closed": "Closed", "omitted": "Omitted",
}  # fmt: skip
LOGGED = {
    "stage": "Stage",
    "amount": "Deal value",
    "expected_close_date": "Close date",
    "owner_rep_id": "Owner",
}
"""Columns of which the log keeps every change."""


def write(con: duckdb.DuckDBPyConnection, folder: Path, language: Language) -> None:
    """Writes the system's files into the folder."""
    zone = zone_of(folder)
    con.execute(_SHOWN)
    boards = con.execute("SELECT DISTINCT board(pipeline_id) AS board FROM deals ORDER BY board").fetchall()
    for (board,) in boards:
        _write_board(con, folder / f"{_file_name(board)}.xlsx", board, zone, language)
        _write_log(con, folder / f"{_file_name(board)}_activity_log.csv", board, zone, language)
    _write_stages(con, folder / "stages.csv")


_SHOWN = f"""
CREATE TEMP MACRO board(x) AS coalesce((SELECT pipeline_name FROM pipelines WHERE pipeline_id = x), x, {literal(BOARD)});
CREATE TEMP MACRO label(x) AS coalesce((SELECT stage_name FROM stages WHERE stage_id = x), x);
CREATE TEMP MACRO person(x) AS coalesce((SELECT rep_name FROM reps WHERE rep_id = x), x);
"""


def _file_name(board: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in board)


def _word(heading: str, language: Language) -> str:
    return HEADINGS.get(heading, heading) if language == "de" else heading


# The board


def _items(zone: str) -> str:
    """The items of a board with the titles of its columns."""
    kinds = " ".join(f"WHEN {literal(value)} THEN {literal(shown)}" for value, shown in TYPES.items())
    forecasts = " ".join(f"WHEN {literal(value)} THEN {literal(shown)}" for value, shown in FORECASTS.items())
    return f"""
    SELECT d.deal_id, d.status, d.deal_name AS "Name", '' AS "Subitems", r.rep_name AS "Owner", label(d.stage_id) AS "Stage",
           CAST(d.amount AS DOUBLE) AS "Deal value", d.currency_code AS "Currency", d.expected_close_date AS "Close date", d.closed_date AS "Closed on",
           round(d.probability * 100, 4) AS "Close probability", CASE d.forecast_category {forecasts} END AS "Forecast category",
           CASE d.deal_type {kinds} END AS "Deal type", a.account_name AS "Account", d.lead_source AS "Lead source", c.campaign_name AS "Campaign",
           d.lost_reason AS "Lost reason", d.won_reason AS "Won reason", d.competitor AS "Competitor", d.next_step AS "Next step",
           {local("d.last_activity_at", zone, _CLOCK)} AS "Last activity", {local("d.stage_entered_at", zone, _CLOCK)} AS "Stage since",
           CAST(d.arr AS DOUBLE) AS "ARR", CAST(d.mrr AS DOUBLE) AS "MRR", CAST(d.acv AS DOUBLE) AS "ACV", CAST(d.tcv AS DOUBLE) AS "TCV",
           {local("d.created_at", zone, _CLOCK)} AS "Created at", {local("d.updated_at", zone, _CLOCK)} AS "Last updated",
           d.deal_id AS "Item ID (auto generated)"
    FROM deals d LEFT JOIN reps r ON r.rep_id = d.owner_rep_id LEFT JOIN accounts a USING (account_id) LEFT JOIN campaigns c USING (campaign_id)
    WHERE board(d.pipeline_id) = ? AND NOT coalesce(d.is_deleted, false)
    ORDER BY list_position(['open', 'won', 'lost'], d.status), d.deal_id
    """


_LINES = """
SELECT l.deal_id, '' AS "Subitems", coalesce(p.product_name, l.product_id) AS "Name", CAST(l.quantity AS DOUBLE) AS "Quantity",
       CAST(l.unit_price AS DOUBLE) AS "Unit price", CAST(l.list_price AS DOUBLE) AS "List price", round(l.discount_share * 100, 6) AS "Discount %",
       CAST(l.line_amount AS DOUBLE) AS "Line amount", l.currency_code AS "Currency", l.deal_product_id AS "Item ID (auto generated)"
FROM deal_products l LEFT JOIN products p USING (product_id) ORDER BY l.deal_id, l.deal_product_id
"""


def _write_board(
    con: duckdb.DuckDBPyConnection, path: Path, board: str, zone: str, language: Language
) -> None:
    """The workbook of a board: a sheet of items, and one of updates that nobody counts."""
    items = con.execute(_items(zone), [board])
    titles = [column[0] for column in items.description or ()]
    rows = items.fetchall()
    inner, lines = _lines(con)
    with xlsxwriter.Workbook(path) as book:
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        sheet = book.add_worksheet("board")
        for place, row in enumerate(_sheet(board, titles[2:], rows, inner, lines, language)):
            _write_row(sheet, place, row, day)
        updates = book.add_worksheet("updates")
        for place, row in enumerate(
            ([board], ["Item ID", "Item Name", "Content Type", "User", "Created At", "Update Content"])
        ):
            _write_row(updates, place, row, day)


def _lines(con: duckdb.DuckDBPyConnection) -> tuple[list[str], dict[str, list[tuple[Any, ...]]]]:
    """The titles of the subitems, and the subitems of each item."""
    found = con.execute(_LINES)
    titles = [column[0] for column in found.description or ()][1:]
    lines: dict[str, list[tuple[Any, ...]]] = {}
    for deal, *row in found.fetchall():
        lines.setdefault(deal, []).append(tuple(row))
    return titles, lines


def _sheet(
    board: str,
    titles: list[str],
    items: list[tuple[Any, ...]],
    inner: list[str],
    lines: dict[str, list[tuple[Any, ...]]],
    language: Language,
) -> Iterator[list[Any]]:
    """The rows of the sheet: titles, and group for group its header, its items with their subitems, and its sum."""
    header = [_word(title, language) for title in titles]
    yield [board]
    for status, group in GROUPS.items():
        own = [row for row in items if row[1] == status]
        if not own:
            continue
        yield [group]
        yield header
        for deal, _, *cells in own:
            yield cells
            if deal in lines:
                yield [_word(title, language) for title in inner]
                yield from map(list, lines[deal])
        value = titles.index("Deal value")
        yield [None] * value + [sum(row[value + 2] or 0 for row in own)]
        yield []


def _write_row(sheet: Any, place: int, row: list[Any], day: Any) -> None:
    for column, cell in enumerate(row):
        if isinstance(cell, datetime | date):
            sheet.write_datetime(place, column, cell, day)
        elif isinstance(cell, int | float):
            sheet.write_number(place, column, cell)
        elif cell:
            sheet.write_string(place, column, str(cell))


# The activity log

_VALUES = """
SELECT deal_id, field, moment, lag(value) OVER told AS old, value AS new,
       row_number() OVER told > 1 AND value IS DISTINCT FROM lag(value) OVER told AS changed
FROM (SELECT deal_id, 'amount' AS field, entered_at AS moment, 1 AS turn, CAST(CAST(amount AS DOUBLE) AS VARCHAR) AS value
      FROM deal_stage_history WHERE amount IS NOT NULL
      UNION ALL
      SELECT deal_id, 'expected_close_date', entered_at, 1, CAST(expected_close_date AS VARCHAR)
      FROM deal_stage_history WHERE expected_close_date IS NOT NULL
      UNION ALL
      SELECT deal_id, field, changed_at, 2, {number} FROM deal_field_history WHERE field IN ('amount', 'expected_close_date')
      UNION ALL
      SELECT c.deal_id, field, d.created_at, 0, min_by({old}, changed_at) FROM deal_field_history c JOIN deals d USING (deal_id)
      WHERE field IN ('amount', 'expected_close_date') GROUP BY ALL)
WINDOW told AS (PARTITION BY deal_id, field ORDER BY moment, turn)
""".format(
    number="CASE field WHEN 'amount' THEN CAST(CAST(new_value AS DOUBLE) AS VARCHAR) ELSE new_value END",
    old="CASE field WHEN 'amount' THEN CAST(CAST(old_value AS DOUBLE) AS VARCHAR) ELSE old_value END",
)
"""Every value that amount and closing day had, as the entries into stages and the history of fields tell it."""
_EVENTS = f"""
entries AS (
    SELECT deal_id, entered_at AS moment, coalesce(seq, 0) AS turn, label(to_stage_id) AS stage,
           lag(label(to_stage_id)) OVER told AS before, row_number() OVER told AS place
    FROM deal_stage_history WINDOW told AS (PARTITION BY deal_id ORDER BY entered_at, seq)),
events AS (
    SELECT deal_id, moment, turn, 'create_pulse' AS event, NULL AS field, NULL AS old, NULL AS new FROM entries WHERE place = 1
    UNION ALL
    SELECT deal_id, moment, turn, 'update_column_value', 'stage', before, stage FROM entries WHERE place > 1
    UNION ALL
    SELECT deal_id, moment, 0, 'update_column_value', field, old, new FROM ({_VALUES}) WHERE changed
    UNION ALL
    SELECT deal_id, changed_at, 0, 'update_column_value', field, person(old_value), person(new_value)
    FROM deal_field_history WHERE field = 'owner_rep_id')
"""


def _write_log(con: duckdb.DuckDBPyConnection, path: Path, board: str, zone: str, language: Language) -> None:
    """Every event of the board, the newest first."""
    from salestrack.exports import save_csv

    word = {heading: quoted(_word(heading, language)) for heading in HEADINGS}
    columns = " ".join(
        f"WHEN {literal(field)} THEN {literal(_word(title, language))}" for field, title in LOGGED.items()
    )
    query = f"""
    WITH {_EVENTS}
    SELECT {local("e.moment", zone, _CLOCK)} AS {word["Changed at"]}, e.event AS {word["Event"]}, e.deal_id AS {word["Item ID"]},
           d.deal_name AS {word["Name"]}, CASE e.field {columns} END AS {word["Column"]}, e.old AS {word["Previous value"]}, e.new AS {word["Value"]}
    FROM events e JOIN deals d USING (deal_id) WHERE board(d.pipeline_id) = {literal(board)} AND NOT coalesce(d.is_deleted, false)
    ORDER BY e.moment DESC, e.turn DESC, e.deal_id, e.field
    """
    save_csv(con, query, path)


def _write_stages(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    """What the labels mean, in the project's own layout: monday does not know it."""
    from salestrack.exports import save_csv

    own = "stage_name, stage_order, probability, stage_type, forecast_category, rotting_days, valid_from, valid_to"
    named = "board(pipeline_id)"
    save_csv(
        con,
        f"SELECT {named} || ' / ' || stage_name AS stage_id, {named} AS pipeline_id, {own} FROM stages ORDER BY ALL",
        path,
    )
