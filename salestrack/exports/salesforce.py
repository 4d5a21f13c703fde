"""The facts of a company as Salesforce reports ("Details Only"), with the labels, numbers and dates of the language.

Data Loader files by API names are what an invented company is made of anyway (`salestrack.world`); these are the other
exports of the same system: ids of 15 characters, people by name, local times to the minute, sentences below the data.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from salestrack.exports._writing import headed, local, plain, words, zone_of
from salestrack.sources.mapping import literal, quoted
from salestrack.sources.salesforce import ID18

if TYPE_CHECKING:
    from salestrack.exports import Language

TABLES: Collection[str] = (
    "reps",
    "accounts",
    "contacts",
    "leads",
    "campaigns",
    "products",
    "deals",
    "deal_products",
    "deal_stage_history",
    "deal_field_history",
    "activities",
)
LOST: dict[str, tuple[str, str]] = {
    "deal_field_history": (
        "There is no report of all changes of fields: amount, close date and owner of a past day are known only as the "
        "stage history shows them.",
        "Einen Bericht über alle Feldänderungen gibt es nicht: Betrag, Schlusstermin und Inhaber eines früheren Tages "
        "sind nur so bekannt, wie der Phasenverlauf sie zeigt.",
    ),
    "deals.is_deleted": (
        "A report does not show deleted records, nor anything that hangs on them.",
        "Ein Bericht zeigt gelöschte Datensätze nicht, auch nicht, was an ihnen hängt.",
    ),
    "deals.updated_at": (
        "Times are known to the minute.",
        "Zeiten sind auf die Minute bekannt.",
    ),
    "leads.mql_at": (
        "Of the steps of a lead only the day is known.",
        "Von den Schritten eines Leads ist nur der Tag bekannt.",
    ),
}

ACTIVITIES = {
    "call": ("Call", "Anruf"),
    "email": ("Email", "E-Mail"),
    "note": ("Note", "Notiz"),
    "meeting": ("Meeting", "Besprechung"),
    "meeting digital": ("Online Meeting", "Online-Besprechung"),
    "meeting in_person": ("Customer Visit", "Kundenbesuch"),
    "internal_meeting": ("Internal Meeting", "Interne Besprechung"),
    "admin": ("Administration", "Verwaltung"),
    "travel": ("Travel", "Reise"),
    "training": ("Training", "Schulung"),
    "preparation": ("Preparation", "Vorbereitung"),
    "task": ("Task", "Aufgabe"),
    "sms": ("SMS", "SMS"),
    "social": ("Other", "Sonstiges"),
    "other": ("Other", "Sonstiges"),
}
DONE = {"true": ("Completed", "Abgeschlossen"), "false": ("Not Started", "Nicht begonnen")}
CALLS = {"outbound": ("Outbound", "Ausgehend"), "inbound": ("Inbound", "Eingehend")}
FORECASTS = {
    "pipeline": ("Pipeline", "Pipeline"),
    "best_case": ("Best Case", "Bester Fall"),
    "commit": ("Commit", "Zusage"),
    "closed": ("Closed", "Geschlossen"),
    "omitted": ("Omitted", "Ausgelassen"),
}
TYPES = {
    "new": ("New Business", "Neugeschäft"),
    "existing": ("Existing Business", "Bestandsgeschäft"),
    "expansion": ("Existing Customer - Upgrade", "Existing Customer - Upgrade"),
    "renewal": ("Renewal", "Verlängerung"),
    "other": ("Other", "Sonstiges"),
}
STANDINGS = {
    "customer": ("Customer", "Kunde"),
    "prospect": ("Prospect", "Interessent"),
    "partner": ("Partner", "Partner"),
    "former": ("Former Customer", "Ehemaliger Kunde"),
}
FOOTER = {
    "en": ("Confidential: do not pass on", "Copyright (c) 2000-2026 salesforce.com, inc."),
    "de": ("Vertraulich: nicht weitergeben", "Copyright (c) 2000-2026 salesforce.com, inc."),
}


class Form:
    """How a language writes ids, numbers and times in a report, each as SQL for a cell's text."""

    def __init__(self, language: Language, zone: str) -> None:
        self.language, self.zone = language, zone
        self.day = "%d.%m.%Y" if language == "de" else "%m/%d/%Y"
        self.minute = f"{self.day}, " + ("%H:%M" if language == "de" else "%-I:%M %p")

    def number(self, text: str) -> str:
        """A number's machine text in the language's way."""
        return f"translate({text}, ',.', '.,')" if self.language == "de" else text

    def money(self, column: str, name: str) -> str:
        """An amount with its decimals and separators of thousands."""
        text = self.number(f"format('{{:,.2f}}', CAST({column} AS DOUBLE))")
        return f"{text} AS {quoted(name)}"

    def percent(self, column: str, name: str) -> str:
        """A share as a percentage."""
        text = self.number(plain(f"{column} * 100"))
        return f"{text} || '{' %' if self.language == 'de' else '%'}' AS {quoted(name)}"

    def time(self, column: str, name: str) -> str:
        """A time, to the minute."""
        return f"{local(column, self.zone, self.minute)} AS {quoted(name)}"

    def date(self, column: str, name: str) -> str:
        """A day."""
        return f"strftime({column}, {literal(self.day)}) AS {quoted(name)}"

    def local_date(self, column: str, name: str) -> str:
        """The day of a time."""
        return f"{local(column, self.zone, self.day)} AS {quoted(name)}"

    def word(self, values: str, told: dict[str, tuple[str, str]], name: str) -> str:
        """A value in the language's words."""
        return f"{words(values, told, self.language)} AS {quoted(name)}"


def short(column: str, name: str) -> str:
    """SQL for an id as reports show it: without its three check characters."""
    return f"CASE WHEN id18(left({column}, 15)) = {column} THEN left({column}, 15) ELSE {column} END AS {quoted(name)}"


def flag(condition: str, name: str) -> str:
    """SQL for a tick box: 1 or 0."""
    return f"CASE WHEN {condition} THEN '1' ELSE '0' END AS {quoted(name)}"


def write(con: duckdb.DuckDBPyConnection, folder: Path, language: Language) -> None:
    """Writes the reports into the folder: in German `;` and Windows-1252, in English `,` and UTF-8."""
    con.execute(ID18)
    form = Form(language, zone_of(folder))
    reports = {
        "Users": _users(),
        "Accounts": _accounts(form),
        "Contacts": _contacts(form),
        "Leads": _leads(form),
        "Campaigns": _campaigns(form),
        "Products": _products(form),
        "Opportunities": _deals(form),
        "Opportunity History": _history(form),
        "Opportunities with Products": _lines(form),
        "Tasks and Events": _activities(form),
    }
    for name, columns_from_where in reports.items():
        query = headed(con, columns_from_where, "salesforce_reports", language)
        _save(con, query, folder / f"{name}.csv", language)


def _save(con: duckdb.DuckDBPyConnection, query: str, path: Path, language: Language) -> None:
    """A report: every cell quoted, an empty line and sentences below the data."""
    delimiter = ";" if language == "de" else ","
    con.execute(
        f"COPY ({query}) TO {literal(str(path))} (FORMAT csv, HEADER true, DELIMITER {literal(delimiter)}, "
        "QUOTE '\"', FORCE_QUOTE *)"
    )
    text = path.read_text(encoding="utf-8") + "\n" + "".join(f'"{line}"\n' for line in FOOTER[language])
    try:
        path.write_bytes(text.encode("cp1252" if language == "de" else "utf-8"))
    except UnicodeEncodeError:
        path.write_bytes(text.encode("utf-8-sig"))


def _select(columns: list[str], tables: str, key: str) -> str:
    return f"SELECT {', '.join(columns)} FROM {tables} WHERE NOT t.is_deleted ORDER BY t.{key}"


def _name(table: str, key: str, joined: str) -> str:
    """A join that gives the display name beside an id."""
    return f"LEFT JOIN {table} {joined} ON {joined}.{table[:-1]}_id = t.{key}"


def _users() -> str:
    columns = [
        short("rep_id", "User ID"),
        'rep_name AS "Full Name"',
        flag("is_active", "Active"),
        'default_currency_code AS "Default Currency ISO Code"',
        'time_zone AS "Time Zone"',
    ]
    return _select(columns, "reps t", "rep_id")


def _accounts(form: Form) -> str:
    columns = [
        short("t.account_id", "Account ID"),
        't.account_name AS "Account Name"',
        'r.rep_name AS "Account Owner"',
        short("t.parent_account_id", "Parent Account ID"),
        't.domain AS "Website"',
        't.industry AS "Industry"',
        't.segment AS "Segment"',
        't.employee_count AS "Employees"',
        't.currency_code AS "Annual Revenue Currency"',
        form.money("t.annual_revenue", "Annual Revenue"),
        't.country_code AS "Billing Country"',
        't.region AS "Billing State/Province"',
        't.city AS "Billing City"',
        't.postal_code AS "Billing Zip/Postal Code"',
        form.word("t.account_type", STANDINGS, "Type"),
        form.time("t.created_at", "Created Date"),
        form.time("t.updated_at", "Last Modified Date"),
    ]
    return _select(columns, f"accounts t {_name('reps', 'owner_rep_id', 'r')}", "account_id")


def _contacts(form: Form) -> str:
    columns = [
        short("contact_id", "Contact ID"),
        short("account_id", "Account ID"),
        'job_title AS "Title"',
        form.time("created_at", "Created Date"),
    ]
    return _select(columns, "contacts t", "contact_id")


def _leads(form: Form) -> str:
    steps = {
        "MQL Date": "mql_at",
        "SAL Date": "sal_at",
        "SQL Date": "sql_at",
        "Disqualified Date": "disqualified_at",
    }
    columns = [
        short("t.lead_id", "Lead ID"),
        'r.rep_name AS "Lead Owner"',
        't.company_name AS "Company / Account"',
        't.lead_source AS "Lead Source"',
        short("t.campaign_id", "Campaign ID"),
        't.lead_status AS "Lead Status"',
        form.time("t.created_at", "Created Date"),
        *(form.local_date(f"t.{column}", name) for name, column in steps.items()),
        't.disqualify_reason AS "Disqualify Reason"',
        flag("t.converted_at IS NOT NULL", "Converted"),
        form.local_date("t.converted_at", "Converted Date"),
        short("t.converted_deal_id", "Opportunity ID"),
        short("t.converted_account_id", "Account ID"),
        short("t.converted_contact_id", "Contact ID"),
        form.time("t.updated_at", "Last Modified Date"),
    ]
    return _select(columns, f"leads t {_name('reps', 'owner_rep_id', 'r')}", "lead_id")


def _campaigns(form: Form) -> str:
    columns = [
        short("campaign_id", "Campaign ID"),
        'campaign_name AS "Campaign Name"',
        'channel AS "Type"',
        form.date("starts_on_date", "Start Date"),
        form.date("ends_on_date", "End Date"),
        'currency_code AS "Budgeted Cost Currency"',
        form.money("budget_amount", "Budgeted Cost"),
    ]
    return _select(columns, "campaigns t", "campaign_id")


def _products(form: Form) -> str:
    columns = [
        short("product_id", "Product ID"),
        'product_name AS "Product Name"',
        'sku AS "Product Code"',
        'product_family AS "Product Family"',
        'currency_code AS "List Price Currency"',
        form.money("list_price", "List Price"),
        form.money("unit_cost", "Unit Cost"),
        flag("is_recurring", "Recurring"),
        flag("is_active", "Active"),
    ]
    return _select(columns, "products t", "product_id")


def _deals(form: Form) -> str:
    columns = [
        short("t.deal_id", "Opportunity ID"),
        't.deal_name AS "Opportunity Name"',
        'r.rep_name AS "Opportunity Owner"',
        short("t.account_id", "Account ID"),
        'a.account_name AS "Account Name"',
        't.stage_id AS "Stage"',
        flag("t.status <> 'open'", "Closed"),
        flag("t.status = 'won'", "Won"),
        't.currency_code AS "Amount Currency"',
        form.money("t.amount", "Amount"),
        form.percent("t.probability", "Probability (%)"),
        form.word("t.forecast_category", FORECASTS, "Forecast Category"),
        form.date("t.expected_close_date", "Close Date"),
        form.time("t.created_at", "Created Date"),
        form.word("t.deal_type", TYPES, "Type"),
        't.lead_source AS "Lead Source"',
        short("t.campaign_id", "Primary Campaign Source ID"),
        't.lost_reason AS "Loss Reason"',
        't.competitor AS "Main Competitor(s)"',
        't.next_step AS "Next Step"',
        form.local_date("t.last_activity_at", "Last Activity"),
        form.time("t.stage_entered_at", "Last Stage Change Date"),
        form.time("t.updated_at", "Last Modified Date"),
    ]
    names = f"{_name('reps', 'owner_rep_id', 'r')} {_name('accounts', 'account_id', 'a')}"
    return _select(columns, f"deals t {names}", "deal_id")


_OF_DEALS = "JOIN deals d ON d.deal_id = t.deal_id AND NOT d.is_deleted"


def _history(form: Form) -> str:
    columns = [
        short("t.deal_id", "Opportunity ID"),
        'd.deal_name AS "Opportunity Name"',
        't.from_stage_id AS "From Stage"',
        't.to_stage_id AS "To Stage"',
        'coalesce(t.currency_code, d.currency_code) AS "Amount Currency"',
        form.money("t.amount", "Amount"),
        form.percent("t.probability", "Probability (%)"),
        form.date("t.expected_close_date", "Close Date"),
        'r.rep_name AS "Last Modified By"',
        form.time("t.entered_at", "Last Modified"),
    ]
    names = _name("reps", "changed_by_rep_id", "r")
    return _select(columns, f"deal_stage_history t {_OF_DEALS} {names}", "deal_id, t.entered_at")


def _lines(form: Form) -> str:
    columns = [
        short("t.deal_product_id", "Line Item ID"),
        short("t.deal_id", "Opportunity ID"),
        'd.deal_name AS "Opportunity Name"',
        short("t.product_id", "Product ID"),
        'p.product_name AS "Product Name"',
        form.money("t.quantity", "Quantity"),
        form.money("t.list_price", "List Price"),
        form.percent("t.discount_share", "Discount"),
        form.money("t.unit_price", "Sales Price"),
        't.currency_code AS "Total Price Currency"',
        form.money("t.line_amount", "Total Price"),
        form.date("t.starts_on_date", "Date"),
    ]
    names = _name("products", "product_id", "p")
    return _select(columns, f"deal_products t {_OF_DEALS} {names}", "deal_product_id")


def _activities(form: Form) -> str:
    midnight = f"{local('t.started_at', form.zone, '%H:%M')} = '00:00'"
    seconds = "t.activity_type = 'call' OR t.duration_s % 60 <> 0"
    kind = "CASE WHEN t.activity_type = 'meeting' AND t.channel IN ('digital', 'in_person') THEN 'meeting ' || t.channel ELSE t.activity_type END"
    columns = [
        short("t.activity_id", "Activity ID"),
        't.subject AS "Subject"',
        'r.rep_name AS "Assigned"',
        form.word(kind, ACTIVITIES, "Type"),
        form.local_date("t.started_at", "Date"),
        form.time(f"CASE WHEN NOT {midnight} THEN t.started_at END", "Start"),
        form.time("t.ended_at", "End"),
        f'CASE WHEN {seconds} THEN t.duration_s END AS "Call Duration (seconds)"',
        f'CASE WHEN NOT ({seconds}) THEN t.duration_s // 60 END AS "Duration (Minutes)"',
        form.word("t.direction", CALLS, "Call Type"),
        't.outcome_raw AS "Call Result"',
        form.word("CAST(t.is_done AS VARCHAR)", DONE, "Status"),
        form.time("t.completed_at", "Completed Date/Time"),
        short("t.deal_id", "Opportunity ID"),
        short("t.account_id", "Account ID"),
        short("t.lead_id", "Lead ID"),
        short("t.contact_id", "Contact ID"),
    ]
    return _select(columns, f"activities t {_name('reps', 'owner_rep_id', 'r')}", "activity_id")
