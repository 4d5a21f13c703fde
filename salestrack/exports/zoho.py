"""The facts of a company as Zoho CRM's data backup writes them: one file per module, ids with a prefix, pairs of columns.

Times are local times of the organisation, amounts have commas between thousands. The timeline and the stages are answers
of the API.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from salestrack.exports._writing import headed, local, words, zone_of

if TYPE_CHECKING:
    from salestrack.exports import Language

TABLES: Collection[str] = (
    "reps",
    "accounts",
    "contacts",
    "leads",
    "campaigns",
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
    "deals.is_deleted": (
        "Deleted deals are not in the files.",
        "Gelöschte Deals stehen nicht in den Dateien.",
    ),
    "orders": (
        "The files written here have no sales orders (Zoho's own are read); invoices are not read: they are kept in a list of one's own.",
        "Die hier geschriebenen Dateien haben keine Aufträge (die von Zoho werden gelesen); Rechnungen werden nicht gelesen: Sie stehen in einer eigenen Liste.",
    ),
}

TYPES = {
    "new": ("New Business", "New Business"),
    "existing": ("Existing Business", "Existing Business"),
    "expansion": ("Upsell", "Upsell"),
    "renewal": ("Renewal", "Renewal"),
    "other": ("Other", "Other"),
}
"""Choices of a list: they are the organisation's own, like its stages, and the same in every language."""
STANDING = {
    "customer": ("Customer", "Customer"),
    "prospect": ("Prospect", "Prospect"),
    "partner": ("Partner", "Partner"),
    "former": ("Former Customer", "Former Customer"),
}
FORECASTS = {
    "pipeline": ("Pipeline", "Pipeline"),
    "best_case": ("Best Case", "Best Case"),
    "commit": ("Committed", "Committed"),
    "closed": ("Closed", "Closed"),
    "omitted": ("Omitted", "Omitted"),
}
KINDS = {
    "email": ("Email", "E-Mail"),
    "task": ("Task", "Aufgabe"),
    "note": ("Note", "Notiz"),
    "sms": ("SMS", "SMS"),
    "social": ("Social", "Social"),
    "internal_meeting": ("Internal Meeting", "Interne Besprechung"),
    "admin": ("Administration", "Verwaltung"),
    "travel": ("Travel", "Reise"),
    "training": ("Training", "Schulung"),
    "preparation": ("Preparation", "Vorbereitung"),
    "other": ("Other", "Sonstiges"),
}
VENUES = {"digital": ("Online", "Online"), "in_person": ("Client location", "Beim Kunden")}
CALLS = {"outbound": ("Outbound", "Ausgehend"), "inbound": ("Inbound", "Eingehend"), "none": ("None", "None")}
API_NAMES = {
    "amount": "Amount",
    "expected_close_date": "Closing_Date",
    "owner_rep_id": "Owner",
    "currency_code": "Currency",
}


def write(con: duckdb.DuckDBPyConnection, folder: Path, language: Language) -> None:
    """Writes the system's files into the folder."""
    from salestrack.exports import save_csv

    zone = zone_of(folder)
    modules = {
        "Deals": _deals(zone, language),
        "Deals_Stage_History": _stage_history(zone),
        "Deals_Products": _lines(),
        "Accounts": _accounts(zone, language),
        "Contacts": _contacts(zone),
        "Leads": _leads(zone),
        "Calls": _calls(zone, language),
        "Tasks": _tasks(zone, language),
        "Events": _events(zone, language),
        "Campaigns": _campaigns(),
        "Products": _products(),
        "Users": _users(),
    }
    for name, query in modules.items():
        save_csv(con, headed(con, query, "zoho", language), folder / f"{name}_001.csv", quote_all=True)
    _answers(con, folder)


def number(x: str) -> str:
    """SQL for an amount as Zoho writes it: a comma between thousands, two decimals.

    >>> duckdb.sql("SELECT " + number("CAST(1234567.5 AS DECIMAL(19, 4))")).fetchall()
    [('1,234,567.50',)]
    """
    cents = f"CAST(CAST({x} AS DECIMAL(19, 2)) AS VARCHAR)"
    return f"regexp_replace(format('{{:,}}', CAST(split_part({cents}, '.', 1) AS BIGINT)) || '.' || split_part({cents}, '.', 2), '^0', CASE WHEN {x} < 0 THEN '-0' ELSE '0' END)"


def _id(x: str) -> str:
    return f"'zcrm_' || {x}"


def _pair(heading: str, key: str, shown: str) -> str:
    """The two columns of a lookup."""
    return f'{_id(key)} AS "{heading}.id", {shown} AS "{heading}"'


def _deals(zone: str, language: Language) -> str:
    return f"""
    SELECT {_id("d.deal_id")} AS "Record Id", {_pair("Deal Owner", "d.owner_rep_id", "r.rep_name")}, d.deal_name AS "Deal Name",
           {_pair("Account Name", "d.account_id", "a.account_name")}, {_id("d.primary_contact_id")} AS "Contact Name.id",
           {number("d.amount")} AS "Amount", d.currency_code AS "Currency", s.stage_name AS "Stage", coalesce(p.pipeline_name, d.pipeline_id) AS "Pipeline",
           round(100 * d.probability)::INTEGER AS "Probability (%)", {words("d.forecast_category", FORECASTS, language)} AS "Forecast Category",
           coalesce(d.closed_date, d.expected_close_date) AS "Closing Date", {words("d.deal_type", TYPES, language)} AS "Type", d.lead_source AS "Lead Source",
           {_pair("Campaign Source", "d.campaign_id", "k.campaign_name")}, d.lost_reason AS "Reason For Loss", d.competitor AS "Competitor",
           d.next_step AS "Next Step", {local("d.created_at", zone)} AS "Created Time", {local("d.updated_at", zone)} AS "Modified Time",
           {local("d.stage_entered_at", zone)} AS "Stage Modified Time", {local("d.last_activity_at", zone)} AS "Last Activity Time"
    FROM deals d LEFT JOIN reps r ON r.rep_id = d.owner_rep_id LEFT JOIN accounts a ON a.account_id = d.account_id
    LEFT JOIN stages s ON s.stage_id = d.stage_id LEFT JOIN pipelines p ON p.pipeline_id = d.pipeline_id
    LEFT JOIN campaigns k ON k.campaign_id = d.campaign_id WHERE NOT d.is_deleted ORDER BY d.deal_id
    """


def _stage_history(zone: str) -> str:
    return f"""
    SELECT {_pair("Deal Name", "h.deal_id", "d.deal_name")}, s.stage_name AS "Stage", {number("h.amount")} AS "Amount",
           round(100 * h.probability)::INTEGER AS "Probability (%)", h.expected_close_date AS "Closing Date",
           {local("h.entered_at", zone)} AS "Modified Time", {_pair("Modified By", "h.changed_by_rep_id", "r.rep_name")}
    FROM deal_stage_history h JOIN deals d ON d.deal_id = h.deal_id AND NOT d.is_deleted LEFT JOIN stages s ON s.stage_id = h.to_stage_id
    LEFT JOIN reps r ON r.rep_id = h.changed_by_rep_id ORDER BY h.deal_id, h.entered_at
    """


def _lines() -> str:
    discount = "coalesce(l.discount_amount, l.quantity * l.list_price - l.line_amount)"
    return f"""
    SELECT {_id("l.deal_product_id")} AS "Record Id", {_id("l.deal_id")} AS "Parent ID.id", {_pair("Product Name", "l.product_id", "p.product_name")},
           l.quantity AS "Quantity", {number("l.list_price")} AS "List Price", {number("l.unit_price")} AS "Unit Price",
           {number(discount)} AS "Discount", {number("l.line_amount")} AS "Total After Discount"
    FROM deal_products l LEFT JOIN products p ON p.product_id = l.product_id ORDER BY l.deal_product_id
    """


def _accounts(zone: str, language: Language) -> str:
    return f"""
    SELECT {_id("a.account_id")} AS "Record Id", {_pair("Account Owner", "a.owner_rep_id", "r.rep_name")}, a.account_name AS "Account Name",
           {_pair("Parent Account", "a.parent_account_id", "p.account_name")}, a.domain AS "Website", a.industry AS "Industry", a.segment AS "Segment",
           a.employee_count AS "Employees", {number("a.annual_revenue")} AS "Annual Revenue", a.currency_code AS "Currency",
           a.city AS "Billing City", a.region AS "Billing State", a.postal_code AS "Billing Code", a.country_code AS "Billing Country",
           {words("a.account_type", STANDING, language)} AS "Account Type",
           {local("a.created_at", zone)} AS "Created Time", {local("a.updated_at", zone)} AS "Modified Time"
    FROM accounts a LEFT JOIN reps r ON r.rep_id = a.owner_rep_id LEFT JOIN accounts p ON p.account_id = a.parent_account_id ORDER BY a.account_id
    """


def _contacts(zone: str) -> str:
    return f"""
    SELECT {_id("c.contact_id")} AS "Record Id", 'Person ' || row_number() OVER (ORDER BY c.contact_id) AS "Last Name",
           {_pair("Account Name", "c.account_id", "a.account_name")}, c.job_title AS "Title", {local("c.created_at", zone)} AS "Created Time"
    FROM contacts c LEFT JOIN accounts a ON a.account_id = c.account_id ORDER BY c.contact_id
    """


def _leads(zone: str) -> str:
    day = {
        name: local(f"l.{name}", zone, "%Y-%m-%d")
        for name in ("mql_at", "sal_at", "sql_at", "disqualified_at")
    }
    return f"""
    SELECT {_id("l.lead_id")} AS "Record Id", {_pair("Lead Owner", "l.owner_rep_id", "r.rep_name")}, l.company_name AS "Company",
           l.lead_source AS "Lead Source", {_pair("Campaign", "l.campaign_id", "k.campaign_name")}, l.lead_status AS "Lead Status",
           {local("l.created_at", zone)} AS "Created Time", {local("l.updated_at", zone)} AS "Modified Time",
           {day["mql_at"]} AS "MQL Date", {day["sal_at"]} AS "SAL Date", {day["sql_at"]} AS "SQL Date", {day["disqualified_at"]} AS "Disqualified Date",
           {local("l.converted_at", zone)} AS "Converted Date Time", {_id("l.converted_account_id")} AS "Converted Account.id",
           {_id("coalesce(l.converted_contact_id, l.contact_id)")} AS "Converted Contact.id", {_id("l.converted_deal_id")} AS "Converted Deal.id",
           l.disqualify_reason AS "Disqualify Reason"
    FROM leads l LEFT JOIN reps r ON r.rep_id = l.owner_rep_id LEFT JOIN campaigns k ON k.campaign_id = l.campaign_id ORDER BY l.lead_id
    """


_RELATED = f'{_id("coalesce(a.deal_id, a.account_id, a.lead_id)")} AS "Related To.id", {_id("a.contact_id")} AS "Contact Name.id"'


def _calls(zone: str, language: Language) -> str:
    status = "CASE WHEN a.is_done THEN 'Completed' ELSE 'Scheduled' END"
    return f"""
    SELECT {_id("a.activity_id")} AS "Record Id", a.subject AS "Subject", {words("a.direction", CALLS, language)} AS "Call Type", {status} AS "Call Status",
           {local("coalesce(a.started_at, a.due_at)", zone)} AS "Call Start Time", printf('%02d:%02d', a.duration_s // 60, a.duration_s % 60) AS "Call Duration",
           {_pair("Call Owner", "a.owner_rep_id", "r.rep_name")}, {_RELATED}, a.outcome_raw AS "Call Result"
    FROM activities a LEFT JOIN reps r ON r.rep_id = a.owner_rep_id WHERE a.activity_type = 'call' ORDER BY a.activity_id
    """


def _tasks(zone: str, language: Language) -> str:
    status = "CASE WHEN a.is_done THEN 'Completed' ELSE 'Not Started' END"
    return f"""
    SELECT {_id("a.activity_id")} AS "Record Id", coalesce(a.subject, '') AS "Subject", {words("a.activity_type", KINDS, language)} AS "Activity Type",
           {status} AS "Status", {local("coalesce(a.started_at, a.due_at)", zone, "%Y-%m-%d")} AS "Due Date", {local("a.completed_at", zone)} AS "Closed Time",
           {_pair("Task Owner", "a.owner_rep_id", "r.rep_name")}, {_RELATED}, a.duration_s / 60 AS "Duration (Minutes)"
    FROM activities a LEFT JOIN reps r ON r.rep_id = a.owner_rep_id
    WHERE a.activity_type NOT IN ('call', 'meeting', 'internal_meeting') ORDER BY a.activity_id
    """


def _events(zone: str, language: Language) -> str:
    kind = "CASE WHEN a.activity_type = 'internal_meeting' THEN a.activity_type END"
    return f"""
    SELECT {_id("a.activity_id")} AS "Record Id", a.subject AS "Event Title", {words(kind, KINDS, language)} AS "Activity Type",
           {local("a.started_at", zone)} AS "From", {local("coalesce(a.ended_at, a.started_at + to_seconds(a.duration_s))", zone)} AS "To",
           {_pair("Host", "a.owner_rep_id", "r.rep_name")}, {_RELATED}, {words("a.channel", VENUES, language)} AS "Meeting Venue"
    FROM activities a LEFT JOIN reps r ON r.rep_id = a.owner_rep_id WHERE a.activity_type IN ('meeting', 'internal_meeting') ORDER BY a.activity_id
    """


def _campaigns() -> str:
    return f"""
    SELECT {_id("campaign_id")} AS "Record Id", campaign_name AS "Campaign Name", channel AS "Type", starts_on_date AS "Start Date", ends_on_date AS "End Date",
           {number("budget_amount")} AS "Budgeted Cost", currency_code AS "Currency"
    FROM campaigns ORDER BY campaign_id
    """


def _products() -> str:
    return f"""
    SELECT {_id("product_id")} AS "Record Id", product_name AS "Product Name", sku AS "Product Code", product_family AS "Product Category",
           {number("list_price")} AS "Unit Price", currency_code AS "Currency", {number("unit_cost")} AS "Unit Cost",
           is_recurring AS "Recurring", is_active AS "Product Active"
    FROM products ORDER BY product_id
    """


def _users() -> str:
    return f"""
    SELECT {_id("rep_id")} AS "Record Id", split_part(rep_name, ' ', 1) AS "First Name", nullif(substr(rep_name, length(split_part(rep_name, ' ', 1)) + 2), '') AS "Last Name",
           CASE WHEN is_active THEN 'Active' ELSE 'Inactive' END AS "Status", 'Sales' AS "Role", default_currency_code AS "Default Currency", time_zone AS "Time Zone"
    FROM reps ORDER BY rep_id
    """


def _answers(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """The stages, and the timeline of every deal, as the API answers them."""
    stages = con.execute(
        "SELECT s.stage_name, s.stage_order, s.stage_type, s.forecast_category, round(100 * s.probability)::INTEGER, "
        "coalesce(p.pipeline_name, s.pipeline_id) FROM stages s LEFT JOIN pipelines p ON p.pipeline_id = s.pipeline_id ORDER BY s.stage_order, s.stage_id"
    ).fetchall()
    found = [
        {
            "display_value": name,
            "actual_value": name,
            "sequence_number": place,
            "forecast_type": {"won": "Closed Won", "lost": "Closed Lost"}.get(kind, "Open"),
            "forecast_category": {"name": FORECASTS[category][0]} if category else None,
            "probability": share,
            "pipeline": pipeline,
        }
        for name, place, kind, category, share, pipeline in stages
    ]
    (folder / "stages.json").write_text(json.dumps({"stages": found}), encoding="utf-8")
    changes = con.execute(
        "SELECT h.deal_id, h.field, h.old_value, h.new_value, strftime(h.changed_at, '%Y-%m-%dT%H:%M:%S+00:00') "
        f"FROM deal_field_history h JOIN deals d ON d.deal_id = h.deal_id AND NOT d.is_deleted WHERE h.field IN {tuple(API_NAMES)} "
        "ORDER BY h.changed_at, h.deal_id, h.field"
    ).fetchall()
    with (folder / "timeline.jsonl").open("w", encoding="utf-8") as file:
        for deal, field, old, new, moment in changes:
            file.write(json.dumps({"__timeline": [_entry(deal, field, old, new, moment)]}) + "\n")


def _entry(deal: str, field: str, old: str | None, new: str | None, moment: str) -> dict[str, object]:
    change = {"api_name": API_NAMES[field], "_value": {"old": old, "new": new}}
    record = {"id": deal, "module": {"api_name": "Deals"}}
    return {
        "record": record,
        "audited_time": moment,
        "action": "updated",
        "source": "crm_ui",
        "field_history": [change],
    }
