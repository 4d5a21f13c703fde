"""The facts of a company as Pipedrive exports them: list views with local times, and answers of its API.

A list view has headings in the user's language, but machine numbers and dates. Won and lost are a status beside the
stages, so that a closed deal stays in the stage in which it was.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from salestrack.exports._writing import headed, local, plain, words, zone_of

if TYPE_CHECKING:
    from salestrack.exports import Language

TABLES: Collection[str] = (
    "reps",
    "accounts",
    "contacts",
    "leads",
    "pipelines",
    "stages",
    "deals",
    "deal_stage_history",
    "deal_field_history",
    "deal_products",
    "products",
    "activities",
)
LOST: dict[str, tuple[str, str]] = {
    "activities.duration_s": (
        "Durations are exported in whole minutes.",
        "Dauern werden in ganzen Minuten exportiert.",
    ),
    "activities.direction": (
        "An activity does not say who started it, nor what came of it.",
        "Eine Aktivität sagt nicht, von wem sie ausging und was dabei herauskam.",
    ),
    "deals.forecast_category": (
        "There are no forecast categories.",
        "Es gibt keine Prognosekategorien.",
    ),
    "deals.stage_id": (
        "A closed deal stays in its last open stage; there are no stages for won and lost.",
        "Ein abgeschlossener Deal bleibt in seiner letzten offenen Phase; Phasen für gewonnen und verloren gibt es nicht.",
    ),
    "campaigns": ("There are no marketing campaigns with a budget.", "Es gibt keine Kampagnen mit Budget."),
    "orders": ("There are no orders.", "Es gibt keine Aufträge."),
}

PIPELINE = "Pipeline"
"""Name of the pipeline of companies whose stages name none; it is what Pipedrive calls the first one."""
STATUS = {
    "open": ("Open", "Offen"),
    "won": ("Won", "Gewonnen"),
    "lost": ("Lost", "Verloren"),
    "deleted": ("Deleted", "Gelöscht"),
}
ARCHIVED = {"true": ("Archived", "Archiviert"), "false": ("Not archived", "Nicht archiviert")}
DONE = {"true": ("Done", "Erledigt"), "false": ("To do", "Zu erledigen")}
ACTIVE = {"true": ("Active", "Aktiv"), "false": ("Inactive", "Inaktiv")}
KINDS = {
    "call": ("Call", "Anruf"),
    "email": ("Email", "E-Mail"),
    "meeting": ("Meeting", "Besprechung"),
    "meeting digital": ("Online meeting", "Online-Besprechung"),
    "meeting in_person": ("Customer visit", "Kundenbesuch"),
    "task": ("Task", "Aufgabe"),
    "note": ("Note", "Notiz"),
    "sms": ("SMS", "SMS"),
    "social": ("Social", "Social"),
    "internal_meeting": ("Internal meeting", "Interne Besprechung"),
    "admin": ("Administration", "Verwaltung"),
    "travel": ("Travel", "Reise"),
    "training": ("Training", "Schulung"),
    "preparation": ("Preparation", "Vorbereitung"),
    "other": ("Other", "Sonstiges"),
}
TYPES = {
    "new": ("New business", "New business"),
    "existing": ("Existing business", "Existing business"),
    "expansion": ("Upsell", "Upsell"),
    "renewal": ("Renewal", "Renewal"),
    "other": ("Other", "Other"),
}
"""Values of a field of the company's own: like its name for stages they are the same in every language."""
LABELS = {
    "customer": ("Customer", "Customer"),
    "partner": ("Partner", "Partner"),
    "former": ("Former customer", "Former customer"),
}


def write(con: duckdb.DuckDBPyConnection, folder: Path, language: Language) -> None:
    """Writes the system's files into the folder."""
    from salestrack.exports import save_csv

    zone = zone_of(folder)
    _process(con)
    lists = {
        "deals": _deals(zone, language),
        "organizations": _organizations(zone, language),
        "people": _people(zone),
        "activities": _activities(zone, language),
        "products": _products(language),
        "leads": _leads(zone),
    }
    for name, query in lists.items():
        save_csv(con, headed(con, query, "pipedrive", language), folder / f"{name}-1.csv")
    answers = {"stages": _STAGES, "users": _USERS, "deal_products": _LINES, "changelog": _CHANGELOG}
    for name, query in answers.items():
        save_csv(con, query, folder / f"api_{name}.csv")


def _process(con: duckdb.DuckDBPyConnection) -> None:
    """`open_stages` with the numbers of the API, and `steps`: every entry into a stage with what was there before."""
    con.execute(
        f"""
        CREATE TEMP TABLE open_stages AS
        SELECT row_number() OVER (ORDER BY pipeline, s.stage_order, s.stage_id) AS stage_no, s.*, pipeline,
               row_number() OVER (PARTITION BY pipeline ORDER BY s.stage_order, s.stage_id) AS order_nr
        FROM (SELECT s.*, coalesce(p.pipeline_name, s.pipeline_id, '{PIPELINE}') AS pipeline
              FROM stages s LEFT JOIN pipelines p USING (pipeline_id)) s WHERE s.stage_type = 'open';
        CREATE TEMP TABLE steps AS
        SELECT h.deal_id, h.entered_at, t.stage_type AS status, o.stage_no, h.changed_by_rep_id,
               lag(t.stage_type, 1, 'open') OVER entry AS old_status,
               last_value(o.stage_no IGNORE NULLS) OVER (
                   PARTITION BY h.deal_id ORDER BY h.entered_at, t.stage_order ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS old_no
        FROM deal_stage_history h JOIN stages t ON t.stage_id = h.to_stage_id LEFT JOIN open_stages o ON o.stage_id = h.to_stage_id
        WINDOW entry AS (PARTITION BY h.deal_id ORDER BY h.entered_at, t.stage_order)
        """
    )
    con.execute(_CHANGES)


_CHANGES = f"""
CREATE TEMP TABLE changes AS
WITH told AS (
    SELECT deal_id, changed_at AS moment, 1 AS source, old_value, new_value, changed_by_rep_id,
           CASE field WHEN 'amount' THEN 'value' WHEN 'owner_rep_id' THEN 'user_id' WHEN 'currency_code' THEN 'currency' ELSE field END AS key
    FROM deal_field_history WHERE field IN ('amount', 'owner_rep_id', 'currency_code', 'expected_close_date', 'status')
    UNION ALL
    SELECT deal_id, entered_at, 0, NULL, {plain("amount")}, changed_by_rep_id, 'value' FROM deal_stage_history WHERE amount IS NOT NULL
    UNION ALL
    SELECT deal_id, entered_at, 0, NULL, CAST(expected_close_date AS VARCHAR), changed_by_rep_id, 'expected_close_date'
    FROM deal_stage_history WHERE expected_close_date IS NOT NULL)
SELECT * REPLACE (CASE WHEN source = 1 THEN old_value ELSE before END AS old_value)
FROM (SELECT *, lag(new_value) OVER known AS before, lag(moment) OVER known AS since FROM told
      WINDOW known AS (PARTITION BY deal_id, key ORDER BY moment, source DESC))
WHERE source = 1 OR (since < moment AND new_value IS DISTINCT FROM before)
"""
"""What happened to a deal's fields: the changes told, and what only the entries into stages show."""


def _deals(zone: str, language: Language) -> str:
    time = {name: local(f"d.{name}", zone) for name in ("created_at", "updated_at")}
    closed = f"coalesce({local('c.closed_at', zone)}, {local('d.closed_at', zone)}, CAST(d.closed_date AS VARCHAR))"
    return f"""
    WITH moved AS (
        SELECT deal_id, max_by(stage_no, entered_at) FILTER (stage_no IS NOT NULL) AS stage_no,
               max(entered_at) FILTER (stage_no IS NOT NULL AND stage_no IS DISTINCT FROM old_no) AS stage_entered_at
        FROM steps GROUP BY deal_id),
    ended AS (SELECT deal_id, max(entered_at) AS closed_at FROM steps WHERE status <> 'open' GROUP BY deal_id)
    SELECT d.deal_id AS "Deal - ID", d.deal_name AS "Deal - Title", r.rep_name AS "Deal - Owner",
           {plain("d.amount")} AS "Deal - Value", d.currency_code AS "Deal - Currency of Value",
           {plain("d.amount * round(d.probability, 4)")} AS "Deal - Weighted value", round(100 * d.probability)::INTEGER AS "Deal - Probability",
           a.account_name AS "Deal - Organization", d.account_id AS "Deal - Organization ID", d.primary_contact_id AS "Deal - Contact person ID",
           coalesce(o.pipeline, '{PIPELINE}') AS "Deal - Pipeline", o.stage_name AS "Deal - Stage",
           {words("CASE WHEN d.is_deleted THEN 'deleted' ELSE d.status END", STATUS, language)} AS "Deal - Status",
           {time["created_at"]} AS "Deal - Deal created", coalesce({local("d.deleted_at", zone)}, {time["updated_at"]}) AS "Deal - Update time",
           {local("coalesce(m.stage_entered_at, d.stage_entered_at)", zone)} AS "Deal - Last stage change",
           {local("d.last_activity_at", zone, "%Y-%m-%d")} AS "Deal - Last activity date",
           CASE WHEN d.status = 'won' THEN {closed} END AS "Deal - Won time", CASE WHEN d.status = 'lost' THEN {closed} END AS "Deal - Lost time",
           CASE WHEN d.status <> 'open' THEN {closed} END AS "Deal - Deal closed on",
           d.won_reason AS "Deal - Won reason", d.lost_reason AS "Deal - Lost reason",
           d.expected_close_date AS "Deal - Expected close date", d.lead_source AS "Deal - Source channel",
           {words("d.is_archived::VARCHAR", ARCHIVED, language)} AS "Deal - Archive status",
           {words("d.deal_type", TYPES, language)} AS "Deal - Type", k.campaign_name AS "Deal - Campaign",
           d.next_step AS "Deal - Next step", d.competitor AS "Deal - Competitor", d.lead_id AS "Deal - Source lead ID"
    FROM deals d LEFT JOIN reps r ON r.rep_id = d.owner_rep_id LEFT JOIN accounts a ON a.account_id = d.account_id
    LEFT JOIN campaigns k ON k.campaign_id = d.campaign_id LEFT JOIN moved m ON m.deal_id = d.deal_id LEFT JOIN ended c ON c.deal_id = d.deal_id
    LEFT JOIN open_stages o ON o.stage_no = coalesce(m.stage_no, (SELECT min(p.stage_no) FROM open_stages p WHERE p.stage_id = d.stage_id))
    ORDER BY d.deal_id
    """


def _organizations(zone: str, language: Language) -> str:
    return f"""
    SELECT a.account_id AS "Organization - ID", a.account_name AS "Organization - Name", r.rep_name AS "Organization - Owner", p.account_name AS "Organization - Parent organization",
           {words("a.account_type", LABELS, language)} AS "Organization - Label", a.domain AS "Organization - Website",
           a.industry AS "Organization - Industry", a.segment AS "Organization - Segment", a.employee_count AS "Organization - Number of employees",
           {plain("a.annual_revenue")} AS "Organization - Annual revenue", a.city AS "Organization - City/town/village/locality of Address",
           a.region AS "Organization - State/county of Address", a.postal_code AS "Organization - ZIP/Postal code of Address",
           a.country_code AS "Organization - Country of Address", {local("a.created_at", zone)} AS "Organization - Organization created",
           {local("a.updated_at", zone)} AS "Organization - Update time"
    FROM accounts a LEFT JOIN reps r ON r.rep_id = a.owner_rep_id LEFT JOIN accounts p ON p.account_id = a.parent_account_id ORDER BY a.account_id
    """


def _people(zone: str) -> str:
    return f"""
    SELECT c.contact_id AS "Person - ID", 'Person ' || row_number() OVER (ORDER BY c.contact_id) AS "Person - Name",
           a.account_name AS "Person - Organization", c.account_id AS "Person - Organization ID", c.job_title AS "Person - Job title",
           {local("c.created_at", zone)} AS "Person - Person created"
    FROM contacts c LEFT JOIN accounts a USING (account_id) ORDER BY c.contact_id
    """


def _activities(zone: str, language: Language) -> str:
    day = local("coalesce(a.started_at, a.due_at)", zone, "%Y-%m-%d")
    hour = local("coalesce(a.started_at, a.due_at)", zone, "%H:%M")
    minutes = "CAST(round(a.duration_s / 60) AS BIGINT)"
    kind = "CASE WHEN a.activity_type = 'meeting' THEN concat_ws(' ', 'meeting', a.channel) ELSE a.activity_type END"
    return f"""
    SELECT a.activity_id AS "Activity - ID", a.subject AS "Activity - Subject", {words(kind, KINDS, language)} AS "Activity - Type",
           {words("a.is_done::VARCHAR", DONE, language)} AS "Activity - Done", {day} AS "Activity - Due date",
           nullif({hour}, '00:00') AS "Activity - Due time", printf('%02d:%02d', {minutes} // 60, {minutes} % 60) AS "Activity - Duration",
           r.rep_name AS "Activity - Assigned to user", d.deal_name AS "Activity - Deal", a.deal_id AS "Activity - Deal ID",
           a.lead_id AS "Activity - Lead ID", a.contact_id AS "Activity - Contact person ID", a.account_id AS "Activity - Organization ID",
           {local("a.completed_at", zone)} AS "Activity - Marked as done time"
    FROM activities a LEFT JOIN reps r ON r.rep_id = a.owner_rep_id LEFT JOIN deals d USING (deal_id) ORDER BY a.activity_id
    """


def _products(language: Language) -> str:
    billing = words(
        "is_recurring::VARCHAR",
        {"true": ("Monthly", "Monatlich"), "false": ("One-time", "Einmalig")},
        language,
    )
    return f"""
    SELECT product_id AS "Product - ID", product_name AS "Product - Name", sku AS "Product - Product code", product_family AS "Product - Category",
           {plain("list_price")} AS "Product - Price", currency_code AS "Product - Currency", {plain("unit_cost")} AS "Product - Cost",
           {billing} AS "Product - Billing frequency", {words("is_active::VARCHAR", ACTIVE, language)} AS "Product - Active"
    FROM products ORDER BY product_id
    """


def _leads(zone: str) -> str:
    dates = {
        "MQL date": "mql_at",
        "SAL date": "sal_at",
        "SQL date": "sql_at",
        "Converted on": "converted_at",
        "Disqualified on": "disqualified_at",
    }
    own = ", ".join(
        f'{local("l." + name, zone, "%Y-%m-%d")} AS "Lead - {heading}"' for heading, name in dates.items()
    )
    return f"""
    SELECT l.lead_id AS "Lead - ID", 'Lead ' || row_number() OVER (ORDER BY l.lead_id) AS "Lead - Title", r.rep_name AS "Lead - Owner",
           l.company_name AS "Lead - Organization", coalesce(l.converted_account_id, l.account_id) AS "Lead - Organization ID",
           l.contact_id AS "Lead - Contact person ID", l.lead_source AS "Lead - Source channel", k.campaign_name AS "Lead - Campaign",
           l.lead_status AS "Lead - Status", {local("l.created_at", zone)} AS "Lead - Lead created", {local("l.updated_at", zone)} AS "Lead - Update time",
           {own}, l.converted_deal_id AS "Lead - Converted deal ID", l.disqualify_reason AS "Lead - Disqualify reason"
    FROM leads l LEFT JOIN reps r ON r.rep_id = l.owner_rep_id LEFT JOIN campaigns k USING (campaign_id) ORDER BY l.lead_id
    """


_STAGES = """
SELECT stage_no AS id, order_nr, stage_name AS name, round(100 * probability)::INTEGER AS deal_probability,
       dense_rank() OVER (ORDER BY pipeline) AS pipeline_id, pipeline AS pipeline_name, rotting_days AS rotten_days
FROM open_stages ORDER BY stage_no
"""
_USERS = """
SELECT rep_id AS id, rep_name AS name, default_currency_code AS default_currency, time_zone AS timezone_name, is_active AS active_flag
FROM reps ORDER BY rep_id
"""
_LINES = f"""
SELECT l.deal_product_id AS id, l.deal_id, l.product_id, p.product_name AS name, {plain("coalesce(l.list_price, l.unit_price)")} AS item_price,
       {plain("l.quantity")} AS quantity, {plain("100 * round(l.discount_share, 6)")} AS discount, 'percentage' AS discount_type,
       {plain("l.line_amount")} AS sum, coalesce(l.currency_code, d.currency_code) AS currency
FROM deal_products l LEFT JOIN deals d USING (deal_id) LEFT JOIN products p USING (product_id) ORDER BY l.deal_product_id
"""
_CHANGELOG = """
SELECT deal_id, field_key, old_value, new_value, actor_user_id, strftime(moment, '%Y-%m-%d %H:%M:%S') AS log_time, 'app' AS change_source
FROM (
    SELECT deal_id, 'stage_id' AS field_key, CAST(old_no AS VARCHAR) AS old_value, CAST(stage_no AS VARCHAR) AS new_value,
           changed_by_rep_id AS actor_user_id, entered_at AS moment
    FROM steps WHERE stage_no IS NOT NULL AND old_no IS NOT NULL AND stage_no <> old_no
    UNION ALL
    SELECT deal_id, 'status', old_status, status, changed_by_rep_id, entered_at FROM steps WHERE status <> old_status
    UNION ALL
    SELECT deal_id, key, old_value, new_value, changed_by_rep_id, moment FROM changes
) ORDER BY deal_id, moment, field_key
"""
