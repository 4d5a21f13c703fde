"""The facts of a company as HubSpot exports them: list views, the history of properties, and answers of the API.

A view has the labels of the properties as headings, every cell in quotes and times of the account to the minute. What
no view shows (owners that have left, pipelines, deleted deals) comes from the API.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from salestrack.exports._writing import headed, local, words, zone_of
from salestrack.sources.mapping import literal

if TYPE_CHECKING:
    from salestrack.exports import Language

TABLES: Collection[str] = (
    "reps",
    "accounts",
    "contacts",
    "leads",
    "lifecycle_history",
    "pipelines",
    "stages",
    "deals",
    "deal_stage_history",
    "deal_field_history",
    "deal_contacts",
    "deal_products",
    "products",
    "activities",
    "campaigns",
)
LOST: dict[str, tuple[str, str]] = {
    "reps.default_currency_code": (
        "People have no currency, no time zone and no dates of hiring.",
        "Personen haben keine Währung, keine Zeitzone und keine Daten der Einstellung.",
    ),
    "stages.forecast_category": (
        "Stages have no forecast category; only deals have one.",
        "Phasen haben keine Prognosekategorie, nur Deals haben eine.",
    ),
    "deal_stage_history.amount": (
        "An entry into a stage does not tell the amount of then; the history of the amount does.",
        "Ein Phaseneintritt nennt den damaligen Betrag nicht; das tut die Historie des Betrags.",
    ),
    "deal_field_history.changed_at": (
        "Of each property of a deal the last 20 values are kept.",
        "Von jeder Eigenschaft eines Deals werden die letzten 20 Werte aufbewahrt.",
    ),
    "deal_products.list_price": (
        "A line has one price before its discount: where none was known, it is the price paid.",
        "Eine Position hat einen Preis vor Rabatt: Wo keiner bekannt war, ist es der gezahlte Preis.",
    ),
    "leads.contact_id": (
        "A lead is a contact: it has one id, and the company of its deal is its company.",
        "Ein Lead ist ein Kontakt: Er hat eine Kennung, und das Unternehmen seines Deals ist sein Unternehmen.",
    ),
    "accounts.account_type": (
        "There are no former customers.",
        "Ehemalige Kunden gibt es nicht.",
    ),
    "activities.is_done": (
        "A meeting that was only planned counts as scheduled; why it did not take place is not told.",
        "Ein nur geplantes Meeting gilt als geplant; warum es nicht stattfand, steht nicht darin.",
    ),
    "orders": ("There are no orders.", "Es gibt keine Aufträge."),
}

PIPELINE = "Sales Pipeline"
"""Name of the pipeline of companies whose stages name none; it is what HubSpot calls the first one."""
KEPT = 20
"""Values of a property that its history keeps."""
FORECASTS = {
    "pipeline": ("Pipeline", "Pipeline"),
    "best_case": ("Best case", "Best case"),
    "commit": ("Commit", "Commit"),
    "closed": ("Closed won", "Closed won"),
    "omitted": ("Not forecasted", "Not forecasted"),
}
"""Values stand in the language of the account in every export; only headings are translated."""
TYPES = {
    "new": ("New Business", "New Business"),
    "existing": ("Existing Business", "Existing Business"),
    "expansion": ("Expansion", "Expansion"),
    "renewal": ("Renewal", "Renewal"),
    "other": ("Other", "Other"),
}
MEETINGS = {
    "meeting digital": ("Online Meeting", "Online Meeting"),
    "meeting in_person": ("Customer Visit", "Customer Visit"),
    "internal_meeting": ("Internal Meeting", "Internal Meeting"),
    "admin": ("Administration", "Administration"),
    "travel": ("Travel", "Travel"),
    "training": ("Training", "Training"),
    "preparation": ("Preparation", "Preparation"),
    "other": ("Other", "Other"),
}
DIRECTIONS = {"outbound": ("Outbound", "Outbound"), "inbound": ("Inbound", "Inbound")}
OUTCOMES = {
    "connected": ("Connected", "Connected"),
    "voicemail": ("Left voicemail", "Left voicemail"),
    "no_answer": ("No answer", "No answer"),
    "busy": ("Busy", "Busy"),
    "wrong_number": ("Wrong number", "Wrong number"),
    "held": ("Completed", "Completed"),
    "no_show": ("No show", "No show"),
    "cancelled": ("Canceled", "Canceled"),
    "bounced": ("BOUNCED", "BOUNCED"),
}
TRACKED = {  # canonical field: label and API name of the property
    "amount": ("Amount", "amount"),
    "expected_close_date": ("Close Date", "closedate"),
    "owner_rep_id": ("Deal owner", "hubspot_owner_id"),
    "currency_code": ("Currency", "deal_currency_code"),
}


def write(con: duckdb.DuckDBPyConnection, folder: Path, language: Language) -> None:
    """Writes the system's files into the folder."""
    zone = zone_of(folder)
    _process(con, zone)
    views = {
        "all-deals": _deals(zone),
        "all-companies": _companies(zone),
        "all-contacts": _contacts(zone),
        "all-calls": _calls(zone),
        "all-meetings": _meetings(zone),
        "all-emails": _emails(zone),
        "all-tasks": _tasks(zone),
        "all-notes": _notes(zone),
        "all-communications": _communications(zone),
        "all-line-items": _LINES,
        "all-products": _PRODUCTS,
        "all-campaigns": _CAMPAIGNS,
        "deal-property-history": _HISTORY,
    }
    for name, query in views.items():
        _save(con, headed(con, query, "hubspot", language), folder / f"hubspot-crm-exports-{name}.csv")
    answers = {"owners": _owners(con), "pipelines": _pipelines(con), "deals-archived": _archived(con)}
    for name, records in answers.items():
        text = json.dumps({"results": records}, ensure_ascii=False, indent=2)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def _save(con: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    """A view's file: every cell in quotes, the empty ones, too."""
    from salestrack.exports import save_csv

    save_csv(con, f"SELECT coalesce(CAST(COLUMNS(*) AS VARCHAR), '') FROM ({query})", path, quote_all=True)


def _process(con: duckdb.DuckDBPyConnection, zone: str) -> None:
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
                   WHEN 'Close Date' THEN strftime({midnight}, '%Y-%m-%dT%H:%M:%SZ') ELSE value END AS value FROM known JOIN fields USING (field))
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


def _time(column: str, zone: str, label: str) -> str:
    return f'{local(column, zone, "%Y-%m-%d %H:%M")} AS "{label}"'


def _number(column: str, label: str) -> str:
    return f'CAST({column} AS DOUBLE) AS "{label}"'


def _flag(condition: str, label: str) -> str:
    return f"CASE WHEN {condition} THEN 'Yes' ELSE 'No' END AS \"{label}\""


def _deals(zone: str) -> str:
    hour = f"coalesce({local('c.closed_at', zone, '%H:%M')}, '00:00')"
    return f"""
    SELECT d.deal_id AS "Record ID", d.deal_name AS "Deal Name", coalesce(p.pipeline, '{PIPELINE}') AS "Pipeline", p.stage_name AS "Deal Stage",
           {_number("d.amount", "Amount")}, d.currency_code AS "Currency", {_number("d.amount_source_base", "Amount in company currency")},
           CAST(d.expected_close_date AS VARCHAR) || ' ' || CASE WHEN d.status = 'open' THEN '00:00' ELSE {hour} END AS "Close Date",
           {_time("d.created_at", zone, "Create Date")}, r.rep_name AS "Deal owner", {words("d.deal_type", TYPES, "en")} AS "Deal Type",
           d.lost_reason AS "Closed Lost Reason", d.won_reason AS "Closed Won Reason", d.probability AS "Deal probability",
           {words("d.forecast_category", FORECASTS, "en")} AS "Forecast category", {_time("d.last_activity_at", zone, "Last Activity Date")},
           d.next_step AS "Next step", d.lead_source AS "Lead Source", d.campaign_id AS "Campaign ID", d.competitor AS "Competitor",
           {_time("d.stage_entered_at", zone, "Date entered current stage")}, {_flag("d.status = 'won'", "Is Closed Won")},
           {_flag("d.status = 'lost'", "Is closed lost")}, {_flag("d.status <> 'open'", "Is Deal Closed?")},
           {_number("d.arr", "Annual recurring revenue")}, {_number("d.mrr", "Monthly recurring revenue")},
           {_number("d.acv", "Annual contract value")}, {_number("d.tcv", "Total contract value")},
           {_time("d.updated_at", zone, "Last Modified Date")}, a.account_name AS "Associated Company", d.account_id AS "Associated Company IDs",
           array_to_string(list_distinct([d.primary_contact_id]) || coalesce(k.others, []), ';') AS "Associated Contact IDs"
    FROM deals d LEFT JOIN places p ON p.stage_id = d.stage_id LEFT JOIN reps r ON r.rep_id = d.owner_rep_id LEFT JOIN accounts a USING (account_id)
    LEFT JOIN (SELECT h.deal_id, max(h.entered_at) AS closed_at FROM deal_stage_history h JOIN stages s ON s.stage_id = h.to_stage_id
               WHERE s.stage_type <> 'open' GROUP BY 1) c ON c.deal_id = d.deal_id
    LEFT JOIN (SELECT k.deal_id, list(k.contact_id ORDER BY k.is_primary DESC, k.contact_id) AS others FROM deal_contacts k JOIN deals e USING (deal_id)
               WHERE k.contact_id IS DISTINCT FROM e.primary_contact_id GROUP BY 1) k ON k.deal_id = d.deal_id
    WHERE NOT coalesce(d.is_deleted, false) ORDER BY d.deal_id
    """


_HISTORY = """
SELECT t.deal_id AS "Record ID", d.deal_name AS "Deal Name", t.label AS "Property",
       CASE t.label WHEN 'Deal Stage' THEN t.shown WHEN 'Deal owner' THEN r.rep_name ELSE t.value END AS "Value", 'CRM_UI' AS "Source",
       strftime(t.moment, '%Y-%m-%d %H:%M') AS "Timestamp", t.rep_id AS "Updated by"
FROM told t JOIN deals d USING (deal_id) LEFT JOIN reps r ON r.rep_id = t.value
WHERE NOT coalesce(d.is_deleted, false) ORDER BY t.deal_id, t.label, t.moment, t.turn
"""


def _companies(zone: str) -> str:
    return f"""
    SELECT a.account_id AS "Record ID", a.account_name AS "Company name", a.domain AS "Company Domain Name", a.industry AS "Industry", a.segment AS "Segment",
           CAST(a.employee_count AS DOUBLE) AS "Number of Employees", {_number("a.annual_revenue", "Annual Revenue")},
           a.country_code AS "Country/Region Code", a.region AS "State/Region", a.city AS "City", a.postal_code AS "Postal Code",
           CASE WHEN a.account_type = 'partner' THEN 'Partner' END AS "Type", CASE WHEN a.account_type = 'customer' THEN 'Customer' ELSE 'Lead' END AS "Lifecycle Stage",
           r.rep_name AS "Company owner", a.parent_account_id AS "Parent Company", {_time("a.created_at", zone, "Create Date")},
           {_time("a.updated_at", zone, "Last Modified Date")}
    FROM accounts a LEFT JOIN reps r ON r.rep_id = a.owner_rep_id ORDER BY a.account_id
    """


def _contacts(zone: str) -> str:
    """Leads are contacts with a lifecycle stage."""
    return f"""
    WITH people AS (
        SELECT contact_id AS id, account_id, job_title, created_at FROM contacts
        WHERE contact_id NOT IN (SELECT lead_id FROM leads)
        UNION ALL BY NAME
        SELECT * EXCLUDE (account_id), lead_id AS id, coalesce(converted_account_id, account_id) AS account_id,
               CASE WHEN converted_at IS NOT NULL THEN 'Opportunity' WHEN sql_at IS NOT NULL THEN 'Sales Qualified Lead'
                    WHEN mql_at IS NOT NULL THEN 'Marketing Qualified Lead' ELSE 'Lead' END AS lifecycle FROM leads)
    SELECT p.id AS "Record ID", '' AS "First Name", '' AS "Last Name", '' AS "Email", p.job_title AS "Job Title", p.company_name AS "Company name",
           p.account_id AS "Primary Associated Company ID", r.rep_name AS "Contact owner", p.lifecycle AS "Lifecycle Stage", p.lead_status AS "Lead Status",
           p.lead_source AS "Lead Source", p.campaign_id AS "Campaign ID", {_time("p.created_at", zone, "Create Date")},
           {_time("p.updated_at", zone, "Last Modified Date")}, {_time("CASE WHEN p.lifecycle IS NOT NULL THEN p.created_at END", zone, "Became a Lead Date")},
           {_time("p.mql_at", zone, "Became a Marketing Qualified Lead Date")}, {_time("p.sal_at", zone, "Became a Sales Accepted Lead Date")},
           {_time("p.sql_at", zone, "Became a Sales Qualified Lead Date")}, {_time("p.converted_at", zone, "Became an Opportunity Date")},
           {_time("p.disqualified_at", zone, "Disqualified Date")}, p.disqualify_reason AS "Disqualification reason", p.converted_deal_id AS "Associated Deal IDs"
    FROM people p LEFT JOIN reps r ON r.rep_id = p.owner_rep_id ORDER BY p.id
    """


def _activity(zone: str, kinds: str, own: str, start: str = "Activity date") -> str:
    """An object of activities: what all have in common, and its own columns."""
    return f"""
    SELECT a.activity_id AS "Record ID", {_time("a.started_at", zone, start)}, r.rep_name AS "Activity assigned to", {own},
           d.deal_name AS "Associated Deal", a.deal_id AS "Associated Deal IDs", coalesce(a.lead_id, a.contact_id) AS "Associated Contact IDs",
           a.account_id AS "Associated Company IDs"
    FROM activities a LEFT JOIN reps r ON r.rep_id = a.owner_rep_id LEFT JOIN deals d USING (deal_id)
    WHERE a.activity_type IN ({kinds}) ORDER BY a.activity_id
    """


_SPENT = 'CAST(a.duration_s / 60 AS DOUBLE) AS "Time spent (minutes)"'


def _calls(zone: str) -> str:
    return _activity(
        zone,
        "'call'",
        f"""a.subject AS "Call Title", CAST(a.duration_s * 1000 AS BIGINT) AS "Call duration",
        {words("a.direction", DIRECTIONS, "en")} AS "Call direction", {words("a.outcome", OUTCOMES, "en")} AS "Call outcome",
        CASE WHEN a.is_done THEN 'COMPLETED' ELSE 'QUEUED' END AS "Call status" """,
    )


def _meetings(zone: str) -> str:
    kind = "CASE WHEN a.activity_type = 'meeting' THEN concat_ws(' ', 'meeting', a.channel) ELSE a.activity_type END"
    end = "coalesce(a.ended_at, a.started_at + to_seconds(a.duration_s))"
    return _activity(
        zone,
        "'meeting', 'internal_meeting', 'admin', 'travel', 'training', 'preparation', 'other'",
        f"""a.subject AS "Meeting name", {_time(end, zone, "Meeting end time")}, {words(kind, MEETINGS, "en")} AS "Call and meeting type",
        coalesce({words("a.outcome", OUTCOMES, "en")}, CASE WHEN NOT a.is_done THEN 'Scheduled' END) AS "Meeting outcome" """,
        start="Meeting start time",
    )


def _emails(zone: str) -> str:
    directions = {"outbound": ("EMAIL", "EMAIL"), "inbound": ("INCOMING_EMAIL", "INCOMING_EMAIL")}
    return _activity(
        zone,
        "'email'",
        f"""a.subject AS "Email subject", {words("a.direction", directions, "en")} AS "Email direction",
        {words("a.outcome", OUTCOMES, "en")} AS "Email send status", {_SPENT}""",
    )


def _tasks(zone: str) -> str:
    return _activity(
        zone,
        "'task'",
        f"""a.subject AS "Task Title", CASE WHEN a.is_done THEN 'Completed' ELSE 'Not started' END AS "Task Status",
        {_time("a.due_at", zone, "Due date")}, {_SPENT}""",
        start="Completed at",
    )


def _notes(zone: str) -> str:
    return _activity(zone, "'note'", f"""'' AS "Note body", {_SPENT}""")


def _communications(zone: str) -> str:
    channels = {"sms": ("SMS", "SMS"), "social": ("LINKEDIN_MESSAGE", "LINKEDIN_MESSAGE")}
    return _activity(
        zone, "'sms', 'social'", f"""{words("a.activity_type", channels, "en")} AS "Channel Type", {_SPENT}"""
    )


_LINES = f"""
SELECT l.deal_product_id AS "Record ID", p.product_name AS "Name", l.product_id AS "Product ID", {_number("l.quantity", "Quantity")},
       {_number("coalesce(l.list_price, l.unit_price)", "Unit price")}, round(100 * l.discount_share, 6) AS "Discount Percentage",
       {_number("l.discount_amount / nullif(l.quantity, 0)", "Unit discount")}, {_number("l.line_amount", "Net price")},
       coalesce(l.currency_code, d.currency_code) AS "Currency", l.term_months AS "Term (months)", l.billing_frequency AS "Billing frequency",
       l.starts_on_date AS "Billing start date", l.deal_id AS "Associated Deal IDs"
FROM deal_products l LEFT JOIN deals d USING (deal_id) LEFT JOIN products p USING (product_id) ORDER BY l.deal_product_id
"""
_PRODUCTS = f"""
SELECT product_id AS "Record ID", product_name AS "Name", sku AS "SKU", product_family AS "Product family", {_number("list_price", "Unit price")},
       {_number("unit_cost", "Unit cost")}, CASE WHEN is_recurring THEN 'Monthly' END AS "Billing frequency",
       CASE WHEN is_active THEN 'Active' ELSE 'Inactive' END AS "Status"
FROM products ORDER BY product_id
"""
_CAMPAIGNS = f"""
SELECT campaign_id AS "Campaign ID", campaign_name AS "Campaign name", channel AS "Campaign type", starts_on_date AS "Start date",
       ends_on_date AS "End date", {_number("budget_amount", "Total budget")}, currency_code AS "Currency", utm_campaign AS "UTM campaign"
FROM campaigns ORDER BY campaign_id
"""


def _fetched(con: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    return con.execute(query).fetchall()


def _owners(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
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


def _pipelines(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
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


def _archived(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """The API's archived deals, that is those which were deleted, with the history of their properties."""
    form = "'%Y-%m-%dT%H:%M:%SZ'"
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
        "SELECT api, value, strftime(moment, '%Y-%m-%dT%H:%M:%SZ') FROM told WHERE deal_id = ? ORDER BY api, moment DESC, turn DESC",
        [deal],
    ).fetchall():
        found.setdefault(api, []).append({"value": value, "timestamp": moment, "sourceType": "CRM_UI"})
    return found
