"""Answers of HubSpot's API, for what no list view shows: owners that have left, pipelines, deleted deals."""

from __future__ import annotations

from typing import Any

import duckdb

from salestrack.exports.hubspot.headed_cells import INSTANT
from salestrack.sources.mapping import literal


def _fetched(con: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    return con.execute(query).fetchall()


def owners(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """The API's owners; those who have left are archived."""
    found = _fetched(con, "SELECT rep_id, rep_name, is_active FROM reps ORDER BY rep_id")
    return [
        {
            "id": rep,
            "email": f"{number}@example.com",
            "firstName": name.rpartition(" ")[0],
            "lastName": name.rpartition(" ")[2],
            "userId": 7000 + number,
            "archived": not active,
        }
        for number, (rep, name, active) in enumerate(found, start=1)
    ]


def pipelines(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """The API's pipelines with their stages."""
    columns = "api_pipeline, pipeline, api_id, stage_name, stage_order, stage_type, probability"
    pipelines: dict[str, dict[str, Any]] = {}
    for pipeline, label, stage, name, order, kind, probability in _fetched(
        con, f"SELECT {columns} FROM places ORDER BY api_pipeline, stage_order, api_id"
    ):
        entry = pipelines.setdefault(
            pipeline,
            {"id": pipeline, "label": label, "displayOrder": len(pipelines), "archived": False, "stages": []},
        )
        certain = {"won": 1.0, "lost": 0.0}.get(kind, probability)
        metadata = {
            "isClosed": str(kind != "open").lower(),
            "probability": "" if certain is None else str(certain),
        }
        entry["stages"].append(
            {"id": stage, "label": name, "displayOrder": order, "metadata": metadata, "archived": False}
        )
    return list(pipelines.values())


def archived(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """The API's archived deals, that is those which were deleted, with the history of their properties."""
    form = literal(INSTANT)
    deals = _fetched(
        con,
        f"""
        SELECT d.deal_id, strftime(coalesce(d.deleted_at, d.updated_at, d.created_at), {form}), {{
            'dealname': d.deal_name, 'dealstage': p.api_id, 'pipeline': p.api_pipeline, 'amount': CAST(CAST(d.amount AS DOUBLE) AS VARCHAR),
            'deal_currency_code': d.currency_code, 'hubspot_owner_id': d.owner_rep_id, 'createdate': strftime(d.created_at, {form}),
            'closedate': (SELECT max_by(value, (moment, turn)) FROM told t WHERE t.deal_id = d.deal_id AND t.api = 'closedate'),
            'hs_deal_stage_probability': CAST(d.probability AS VARCHAR), 'hs_manual_forecast_category': upper(d.forecast_category),
            'dealtype': CASE d.deal_type WHEN 'new' THEN 'newbusiness' WHEN 'existing' THEN 'existingbusiness' ELSE d.deal_type END,
            'closed_lost_reason': d.lost_reason, 'hs_next_step': d.next_step, 'Lead Source': d.lead_source, 'Campaign ID': d.campaign_id,
            'hs_v2_date_entered_current_stage': strftime(d.stage_entered_at, {form}), 'notes_last_updated': strftime(d.last_activity_at, {form}),
            'hs_lastmodifieddate': strftime(d.updated_at, {form}) }}, d.account_id
        FROM deals d LEFT JOIN places p ON p.stage_id = d.stage_id WHERE d.is_deleted ORDER BY d.deal_id
        """,
    )
    return [
        {
            "id": deal,
            "properties": properties,
            "propertiesWithHistory": _versions(con, deal),
            "associations": {
                "companies": {"results": [{"id": account, "type": "deal_to_company"}] if account else []}
            },
            "archived": True,
            "archivedAt": when,
        }
        for deal, when, properties, account in deals
    ]


def _versions(con: duckdb.DuckDBPyConnection, deal: str) -> dict[str, list[dict[str, Any]]]:
    """Every value that the properties of a deal had, the newest first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for api, value, moment in con.execute(
        f"SELECT api, value, strftime(moment, '{INSTANT}') FROM told WHERE deal_id = ? ORDER BY api, moment DESC, turn DESC",
        [deal],
    ).fetchall():
        found.setdefault(api, []).append({"value": value, "timestamp": moment, "sourceType": "CRM_UI"})
    return found
