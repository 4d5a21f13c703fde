"""The values that a deal's properties have had, and the stages with the numbers of the API."""

from __future__ import annotations

import duckdb

from salestrack.exports.hubspot.headed_cells import INSTANT, MINUTE
from salestrack.sources.mapping import literal

PIPELINE = "Sales Pipeline"
"""Name of the pipeline of companies whose stages name none; it is what HubSpot calls the first one."""
KEPT = 20
"""Values of a property that its history keeps."""
TRACKED = {  # canonical field: label and API name of the property
    "amount": ("Amount", "amount"),
    "expected_close_date": ("Close Date", "closedate"),
    "owner_rep_id": ("Deal owner", "hubspot_owner_id"),
    "currency_code": ("Currency", "deal_currency_code"),
}


def prepare(con: duckdb.DuckDBPyConnection, zone: str) -> None:
    """`places` of the stages, and `told`: every value that a property of a deal had, as the API and its export tell it."""
    midnight = f"CAST(CAST(value AS DATE) AS TIMESTAMP) AT TIME ZONE {literal(zone)} AT TIME ZONE 'UTC'"
    fields = ", ".join(
        f"({literal(name)}, {literal(label)}, {literal(api)})" for name, (label, api) in TRACKED.items()
    )
    con.execute(
        f"""
        CREATE TEMP TABLE places AS
        SELECT s.*, CAST(1000 + row_number() OVER (ORDER BY pipeline, s.stage_order, s.stage_id) AS VARCHAR) AS api_id,
               CASE dense_rank() OVER (ORDER BY is_default DESC, pipeline) WHEN 1 THEN 'default'
                    ELSE CAST(100 + dense_rank() OVER (ORDER BY is_default DESC, pipeline) AS VARCHAR) END AS api_pipeline
        FROM (SELECT s.*, coalesce(p.pipeline_name, s.pipeline_id, '{PIPELINE}') AS pipeline, coalesce(p.is_default, false) AS is_default
              FROM stages s LEFT JOIN pipelines p USING (pipeline_id)) s;
        CREATE TEMP TABLE told AS
        WITH fields AS (SELECT * FROM (VALUES {fields}) f(field, label, api)),
        known AS (
            SELECT deal_id, 'amount' AS field, entered_at AS moment, 1 AS turn, CAST(amount AS VARCHAR) AS value, NULL AS rep_id
            FROM deal_stage_history WHERE amount IS NOT NULL
            UNION ALL
            SELECT deal_id, 'expected_close_date', entered_at, 1, CAST(expected_close_date AS VARCHAR), NULL
            FROM deal_stage_history WHERE expected_close_date IS NOT NULL
            UNION ALL
            SELECT deal_id, field, changed_at, 2, new_value, changed_by_rep_id FROM deal_field_history
            UNION ALL
            SELECT c.deal_id, c.field, d.created_at, 0, min_by(c.old_value, c.changed_at), NULL FROM deal_field_history c JOIN deals d USING (deal_id)
            WHERE c.field = 'owner_rep_id' OR c.field = 'currency_code' GROUP BY ALL
            UNION ALL
            SELECT d.deal_id, f.field, d.created_at, 0, CASE f.field WHEN 'amount' THEN CAST(d.amount AS VARCHAR) WHEN 'owner_rep_id' THEN d.owner_rep_id
                   WHEN 'currency_code' THEN d.currency_code ELSE CAST(d.expected_close_date AS VARCHAR) END, NULL
            FROM deals d CROSS JOIN fields f WHERE NOT EXISTS (SELECT 1 FROM deal_field_history c WHERE c.deal_id = d.deal_id AND c.field = f.field)
            AND (f.field IN ('owner_rep_id', 'currency_code') OR NOT EXISTS (SELECT 1 FROM deal_stage_history h WHERE h.deal_id = d.deal_id))),
        written AS (
            SELECT deal_id, label, api, moment, turn, rep_id, value AS shown, CASE label WHEN 'Amount' THEN CAST(CAST(value AS DOUBLE) AS VARCHAR)
                   WHEN 'Close Date' THEN strftime({midnight}, '{INSTANT}') ELSE value END AS value FROM known JOIN fields USING (field))
        FROM written QUALIFY value IS DISTINCT FROM lag(value) OVER (PARTITION BY deal_id, api ORDER BY moment, turn)
        UNION ALL
        SELECT h.deal_id, 'Deal Stage', 'dealstage', h.entered_at, 1, h.changed_by_rep_id, p.stage_name, p.api_id
        FROM deal_stage_history h JOIN places p ON p.stage_id = h.to_stage_id
        """
    )
    con.execute(
        f"DELETE FROM told WHERE rowid IN (SELECT rowid FROM told QUALIFY row_number() OVER "
        f"(PARTITION BY deal_id, api ORDER BY moment DESC, turn DESC) > {KEPT})"
    )


HISTORY = f"""
SELECT t.deal_id AS "Record ID", d.deal_name AS "Deal Name", t.label AS "Property",
       CASE t.label WHEN 'Deal Stage' THEN t.shown WHEN 'Deal owner' THEN r.rep_name ELSE t.value END AS "Value", 'CRM_UI' AS "Source",
       strftime(t.moment, '{MINUTE}') AS "Timestamp", t.rep_id AS "Updated by"
FROM told t JOIN deals d USING (deal_id) LEFT JOIN reps r ON r.rep_id = t.value
WHERE NOT coalesce(d.is_deleted, false) ORDER BY t.deal_id, t.label, t.moment, t.turn
"""
