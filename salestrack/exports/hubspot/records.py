"""List views of deals and whom they are made with: companies, contacts, leads."""

from __future__ import annotations

from salestrack.exports._writing import local
from salestrack.exports.hubspot.headed_cells import flag, number, time, worded
from salestrack.exports.hubspot.property_history import PIPELINE

FORECASTS = {
    "pipeline": "Pipeline",
    "best_case": "Best case",
    "commit": "Commit",
    "closed": "Closed won",
    "omitted": "Not forecasted",
}
TYPES = {
    "new": "New Business",
    "existing": "Existing Business",
    "expansion": "Expansion",
    "renewal": "Renewal",
    "other": "Other",
}


def deals(zone: str) -> str:
    """Deals that are not deleted, with their company and contacts."""
    hour = f"coalesce({local('c.closed_at', zone, '%H:%M')}, '00:00')"
    return f"""
    SELECT d.deal_id AS "Record ID", d.deal_name AS "Deal Name", coalesce(p.pipeline, '{PIPELINE}') AS "Pipeline", p.stage_name AS "Deal Stage",
           {number("d.amount", "Amount")}, d.currency_code AS "Currency", {number("d.amount_source_base", "Amount in company currency")},
           CAST(d.expected_close_date AS VARCHAR) || ' ' || CASE WHEN d.status = 'open' THEN '00:00' ELSE {hour} END AS "Close Date",
           {time("d.created_at", zone, "Create Date")}, r.rep_name AS "Deal owner", {worded("d.deal_type", TYPES)} AS "Deal Type",
           d.lost_reason AS "Closed Lost Reason", d.won_reason AS "Closed Won Reason", d.probability AS "Deal probability",
           {worded("d.forecast_category", FORECASTS)} AS "Forecast category", {time("d.last_activity_at", zone, "Last Activity Date")},
           d.next_step AS "Next step", d.lead_source AS "Lead Source", d.campaign_id AS "Campaign ID", d.competitor AS "Competitor",
           {time("d.stage_entered_at", zone, "Date entered current stage")}, {flag("d.status = 'won'", "Is Closed Won")},
           {flag("d.status = 'lost'", "Is closed lost")}, {flag("d.status <> 'open'", "Is Deal Closed?")},
           {number("d.arr", "Annual recurring revenue")}, {number("d.mrr", "Monthly recurring revenue")},
           {number("d.acv", "Annual contract value")}, {number("d.tcv", "Total contract value")},
           {time("d.updated_at", zone, "Last Modified Date")}, a.account_name AS "Associated Company", d.account_id AS "Associated Company IDs",
           array_to_string(list_distinct([d.primary_contact_id]) || coalesce(k.others, []), ';') AS "Associated Contact IDs"
    FROM deals d LEFT JOIN places p ON p.stage_id = d.stage_id LEFT JOIN reps r ON r.rep_id = d.owner_rep_id LEFT JOIN accounts a USING (account_id)
    LEFT JOIN (SELECT h.deal_id, max(h.entered_at) AS closed_at FROM deal_stage_history h JOIN stages s ON s.stage_id = h.to_stage_id
               WHERE s.stage_type <> 'open' GROUP BY 1) c ON c.deal_id = d.deal_id
    LEFT JOIN (SELECT k.deal_id, list(k.contact_id ORDER BY k.is_primary DESC, k.contact_id) AS others FROM deal_contacts k JOIN deals e USING (deal_id)
               WHERE k.contact_id IS DISTINCT FROM e.primary_contact_id GROUP BY 1) k ON k.deal_id = d.deal_id
    WHERE NOT coalesce(d.is_deleted, false) ORDER BY d.deal_id
    """


def companies(zone: str) -> str:
    """Companies."""
    return f"""
    SELECT a.account_id AS "Record ID", a.account_name AS "Company name", a.domain AS "Company Domain Name", a.industry AS "Industry", a.segment AS "Segment",
           CAST(a.employee_count AS DOUBLE) AS "Number of Employees", {number("a.annual_revenue", "Annual Revenue")},
           a.country_code AS "Country/Region Code", a.region AS "State/Region", a.city AS "City", a.postal_code AS "Postal Code",
           CASE WHEN a.account_type = 'partner' THEN 'Partner' END AS "Type", CASE WHEN a.account_type = 'customer' THEN 'Customer' ELSE 'Lead' END AS "Lifecycle Stage",
           r.rep_name AS "Company owner", a.parent_account_id AS "Parent Company", {time("a.created_at", zone, "Create Date")},
           {time("a.updated_at", zone, "Last Modified Date")}
    FROM accounts a LEFT JOIN reps r ON r.rep_id = a.owner_rep_id ORDER BY a.account_id
    """


def contacts(zone: str) -> str:
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
           p.lead_source AS "Lead Source", p.campaign_id AS "Campaign ID", {time("p.created_at", zone, "Create Date")},
           {time("p.updated_at", zone, "Last Modified Date")}, {time("CASE WHEN p.lifecycle IS NOT NULL THEN p.created_at END", zone, "Became a Lead Date")},
           {time("p.mql_at", zone, "Became a Marketing Qualified Lead Date")}, {time("p.sal_at", zone, "Became a Sales Accepted Lead Date")},
           {time("p.sql_at", zone, "Became a Sales Qualified Lead Date")}, {time("p.converted_at", zone, "Became an Opportunity Date")},
           {time("p.disqualified_at", zone, "Disqualified Date")}, p.disqualify_reason AS "Disqualification reason", p.converted_deal_id AS "Associated Deal IDs"
    FROM people p LEFT JOIN reps r ON r.rep_id = p.owner_rep_id ORDER BY p.id
    """
