"""History from successive exports: what changed in a deal between two exports that show it.

An export tells the state of a deal when it was last changed (`updated_at`), else on the day in the file's name; a table
of `deal_snapshots` tells it of its days. Stage entries made here are marked `snapshot_diff`, all changes `derived`.
They only fill gaps: a deal whose history was exported keeps that, because it has every change with its own time. Where
an export shows such a deal otherwise than its history tells of that day, the import notes it (`import_notes`).
"""

from __future__ import annotations

import re

import duckdb

from salestrack.duck import local_date
from salestrack.sources.mapping import literal
from salestrack.sources.notes import note
from salestrack.sources.quarantine import as_table

FIELDS = {  # what changes besides the stage: its words, and how its texts are compared
    "amount": ("amount", "Betrag", "TRY_CAST({} AS DECIMAL(22, 4))"),
    "expected_close_date": ("expected closing", "erwarteter Abschluss", "TRY_CAST({} AS DATE)"),
    "owner_rep_id": ("owner", "Verantwortliche", "{}"),
    "status": ("status", "Status", "{}"),
}
_DAY = re.compile(r"(?<!\d)(20\d\d)[-_.]?(0[1-9]|1[0-2])[-_.]?(0[1-9]|[12]\d|3[01])(?!\d)")
STATE = "source_system, deal_id, stage_id, pipeline_id, status, amount, currency_code, probability, expected_close_date, owner_rep_id"


def day_in_name(name: str) -> str | None:
    """The day in a file's name, None where there is none.

    >>> day_in_name("crm-exports-all-deals-2026-10-31.csv"), day_in_name("Deals_20261031.csv"), day_in_name("v2.csv")
    ('2026-10-31', '2026-10-31', None)
    """
    found = _DAY.findall(name)
    return "-".join(found[-1]) if found else None


def note_versions(con: duckdb.DuckDBPyConnection, days: list[str | None]) -> None:
    """Keeps every version of the deals that several rows show, with the time of which it tells.

    `days` are those in the names of the files, by the number of the part; `versions` holds the rows.
    """
    whens = " ".join(f"WHEN {n} THEN DATE {literal(found)}" for n, found in enumerate(days) if found)
    day = f"CASE _part {whens} END" if whens else "CAST(NULL AS DATE)"
    con.execute(
        f"""
        CREATE OR REPLACE TABLE "deals seen" AS
        SELECT {STATE}, _changed AS seen_at, {day} AS seen_day, created_at, stage_entered_at, source_ref FROM versions
        """
    )


def add_history(con: duckdb.DuckDBPyConnection, zone: str) -> None:
    """Adds to `deal_stage_history` and `deal_field_history` what successive exports and snapshots tell.

    The states seen stay as the table `deals seen`. Days are days of the time zone `zone` and count from their beginning.
    """
    con.execute(
        f"""
        CREATE TABLE IF NOT EXISTS "deals seen" AS
        SELECT {STATE}, created_at AS seen_at, closed_date AS seen_day, created_at, stage_entered_at, source_ref
        FROM deals WHERE false
        """
    )
    con.execute(
        """
        INSERT INTO "deals seen" BY NAME
        SELECT s.source_system, s.deal_id, s.stage_id, d.pipeline_id, s.status, s.amount, s.currency_code, s.probability,
               s.expected_close_date, s.owner_rep_id, s.snapshot_date AS seen_day, d.created_at, s.source_ref
        FROM deal_snapshots s JOIN deals d ON d.source_system = s.source_system AND d.deal_id = s.deal_id
        """
    )
    if _any_seen(con):
        _settle(con, zone)
    if _any_seen(con):  # the tables of history come into memory only where there is something to add
        _add_entries(con)
        _add_changes(con)


def _any_seen(con: duckdb.DuckDBPyConnection) -> bool:
    return con.execute('SELECT 1 FROM "deals seen" LIMIT 1').fetchone() is not None


def _settle(con: duckdb.DuckDBPyConnection, zone: str) -> None:
    """Only deals without exported history, and only what has a time."""
    con.execute(
        f"""
        UPDATE "deals seen" SET seen_at = CAST(seen_day AS TIMESTAMP) AT TIME ZONE {literal(zone)} AT TIME ZONE 'UTC'
        WHERE seen_at IS NULL;
        UPDATE "deals seen" SET seen_day = {local_date("seen_at", zone)};
        DELETE FROM "deals seen" s WHERE seen_at IS NULL
        """
    )
    _reconcile(con, zone)
    con.execute(
        """
        DELETE FROM "deals seen" s WHERE EXISTS (
            FROM (FROM deal_stage_history SELECT source_system, deal_id UNION ALL
                  FROM deal_field_history SELECT source_system, deal_id) h
            WHERE h.source_system = s.source_system AND h.deal_id = s.deal_id)
        """
    )


def _reconcile(con: duckdb.DuckDBPyConnection, zone: str) -> None:
    """Notes the deals that an export shows in a state that their history has at no time of that day."""
    then = "OVER (PARTITION BY source_system, deal_id ORDER BY {at})"
    entered = local_date("entered_at", zone)
    _compare(
        con,
        "deal_stage_history",
        "stage_id",
        ("stage", "Phase"),
        f"SELECT source_system, deal_id, to_stage_id AS told, {entered} AS since, "
        f"lead({entered}) {then.format(at='entered_at')} AS until FROM deal_stage_history",
    )
    for field, (en, de, typed) in FIELDS.items():
        changed = local_date("changed_at", zone)
        old, new = typed.format("old_value"), typed.format("new_value")
        _compare(
            con,
            "deal_field_history",
            field,
            (en, de),
            f"""
            SELECT source_system, deal_id, {new} AS told, {changed} AS since, lead({changed}) {then.format(at="changed_at")} AS until
            FROM deal_field_history WHERE field = '{field}'
            UNION ALL
            SELECT source_system, deal_id, min_by({old}, changed_at), DATE '0001-01-01', min({changed})
            FROM deal_field_history WHERE field = '{field}' GROUP BY ALL
            """,
        )


def _compare(
    con: duckdb.DuckDBPyConnection, table: str, field: str, what: tuple[str, str], spans: str
) -> None:
    """Notes deals seen on a day of which the history tells, but of none of its `spans` (told, since, until)."""
    row = con.execute(
        f"""
        SELECT count(DISTINCT deal_id) FILTER (NOT agrees), count(DISTINCT deal_id), min(source_ref) FILTER (NOT agrees)
        FROM (SELECT s.deal_id, s.source_ref, bool_or(s.{field} IS NOT DISTINCT FROM h.told) AS agrees
              FROM "deals seen" s JOIN ({spans}) h ON h.source_system = s.source_system AND h.deal_id = s.deal_id
                   AND h.since <= s.seen_day AND s.seen_day <= coalesce(h.until, s.seen_day)
              GROUP BY s.source_system, s.deal_id, s.source_ref, s.seen_day)
        """
    ).fetchone()
    if row:
        note(con, "export against history", table, row, what)


def _add_entries(con: duckdb.DuckDBPyConnection) -> None:
    """An entry at the beginning and one whenever the stage differs from the one seen before."""
    as_table(con, "deal_stage_history")
    con.execute(
        """
        INSERT INTO deal_stage_history BY NAME
        SELECT source_system, deal_id, before AS from_stage_id, stage_id AS to_stage_id, pipeline_id, amount, currency_code,
               probability, expected_close_date, source_ref, 'derived' AS change_source, 'snapshot_diff' AS history_quality,
               CASE WHEN stage_entered_at <= seen_at AND (seen_before IS NULL OR stage_entered_at > seen_before)
                    THEN stage_entered_at WHEN seen_before IS NULL THEN created_at ELSE seen_at END AS entered_at
        FROM (SELECT *, lag(stage_id) OVER seen AS before, lag(seen_at) OVER seen AS seen_before FROM "deals seen"
              WINDOW seen AS (PARTITION BY source_system, deal_id ORDER BY seen_at))
        WHERE stage_id IS NOT NULL AND stage_id IS DISTINCT FROM before
        """
    )


def _add_changes(con: duckdb.DuckDBPyConnection) -> None:
    as_table(con, "deal_field_history")
    for field in FIELDS:
        con.execute(
            f"""
            INSERT INTO deal_field_history BY NAME
            SELECT source_system, deal_id, '{field}' AS field, CAST(before AS VARCHAR) AS old_value,
                   CAST({field} AS VARCHAR) AS new_value, seen_at AS changed_at, 'derived' AS change_source, source_ref
            FROM (SELECT *, lag({field}) OVER seen AS before, row_number() OVER seen AS place FROM "deals seen"
                  WINDOW seen AS (PARTITION BY source_system, deal_id ORDER BY seen_at))
            WHERE place > 1 AND {field} IS DISTINCT FROM before
            """
        )
