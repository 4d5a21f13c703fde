"""Salesforce's other reports say the same in two languages; a whole company written as reports has the same figures."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from source_files import imported, rows
from systems.salesforce_texts import USERS
from systems.same import differing, figures

from salestrack.exports import export
from salestrack.exports.salesforce import LOST
from salestrack.importing import import_company
from salestrack.schema import CANONICAL
from salestrack.store import Store

KINDS: dict[str, tuple[str, str, str, str, list[tuple[object, ...]]]] = {
    "opportunity history": (
        '"Opportunity ID","Opportunity Name","From Stage","To Stage","Stage","Amount","Probability (%)","Close Date",'
        '"Last Modified","Last Modified By"\n'
        '"006Kj0000005000","Ölpumpe","Offer","Won","Won","1,234.56","100%","03/31/2026","03/31/2026, 2:30 PM","Anna Weber"\n',
        '"Opportunity-ID";"Opportunity-Name";"Von Phase";"Zu Phase";"Phase";"Betrag";"Wahrscheinlichkeit (%)";"Schlusstermin";'
        '"Zuletzt geändert";"Zuletzt geändert von"\n'
        '"006Kj0000005000";"Ölpumpe";"Offer";"Won";"Won";"1.234,56";"100 %";"31.03.2026";"31.03.2026, 14:30";"Anna Weber"\n',
        "deal_stage_history",
        "deal_id, from_stage_id, to_stage_id, amount, probability, expected_close_date, entered_at, changed_by_rep_id",
        [
            ("006Kj0000005000IAA", "Offer", "Won", Decimal("1234.5600"), 1.0, date(2026, 3, 31),
             datetime(2026, 3, 31, 12, 30), "005Kj0000005000IAA"),
        ],
    ),
    "activities": (
        '"Activity ID","Subject","Assigned","Type","Date","Start","Status","Call Duration (seconds)","Duration (Minutes)",'
        '"Opportunity ID","Lead ID"\n'
        '"00TKj0000005000","Hallo","Anna Weber","Call","03/31/2026","","Completed","95","","006Kj0000005000",""\n'
        '"00UKj0000005000","Besuch","Anna Weber","Customer Visit","03/31/2026","03/31/2026, 2:00 PM","","","90","","00QKj0000005000"\n'
        '"00TKj0000005001","Mail","Anna Weber","Email","03/31/2026","","Not Started","","","",""\n',
        '"Aktivitäts-ID";"Betreff";"Zugewiesen";"Typ";"Datum";"Beginn";"Status";"Anrufdauer (Sekunden)";"Dauer (Minuten)";'
        '"Opportunity-ID";"Lead-ID"\n'
        '"00TKj0000005000";"Hallo";"Anna Weber";"Anruf";"31.03.2026";"";"Abgeschlossen";"95";"";"006Kj0000005000";""\n'
        '"00UKj0000005000";"Besuch";"Anna Weber";"Kundenbesuch";"31.03.2026";"31.03.2026, 14:00";"";"";"90";"";"00QKj0000005000"\n'
        '"00TKj0000005001";"Mail";"Anna Weber";"E-Mail";"31.03.2026";"";"Nicht begonnen";"";"";"";""\n',
        "activities",
        "activity_type, channel, is_done, duration_s, started_at, deal_id, lead_id, owner_rep_id",
        [
            ("call", "phone", True, 95, datetime(2026, 3, 30, 22), "006Kj0000005000IAA", None, "005Kj0000005000IAA"),
            ("email", "digital", False, None, datetime(2026, 3, 30, 22), None, None, "005Kj0000005000IAA"),
            ("meeting", "in_person", True, 5400, datetime(2026, 3, 31, 12), None, "00QKj0000005000MAA", "005Kj0000005000IAA"),
        ],
    ),
    "leads": (
        '"Lead ID","Lead Owner","First Name","Company / Account","Lead Source","Lead Status","Create Date","Converted",'
        '"Converted Date","Opportunity ID","Account ID"\n'
        '"00QKj0000005000","Anna Weber","Canary","Kern","Web","Qualified","03/31/2026, 2:00 PM","1","03/31/2026","006Kj0000005000","001Kj0000005001"\n',
        '"Lead-ID";"Lead-Inhaber";"Vorname";"Firma/Account";"Lead-Quelle";"Lead-Status";"Erstelldatum";"Konvertiert";'
        '"Konvertierungsdatum";"Opportunity-ID";"Account-ID"\n'
        '"00QKj0000005000";"Anna Weber";"Canary";"Kern";"Web";"Qualified";"31.03.2026, 14:00";"1";"31.03.2026";"006Kj0000005000";"001Kj0000005001"\n',
        "leads",
        "lead_id, owner_rep_id, company_name, lead_status, created_at, converted_at, converted_deal_id, converted_account_id, custom_fields",
        [
            ("00QKj0000005000MAA", "005Kj0000005000IAA", "Kern", "Qualified", datetime(2026, 3, 31, 12),
             datetime(2026, 3, 31, 12), "006Kj0000005000IAA", "001Kj0000005001IAA", None),
        ],
    ),
    "accounts": (
        '"Account ID","Account Name","Account Owner","Industry","Employees","Annual Revenue","Billing Country","Type","Created Date"\n'
        '"001Kj0000005001","Kern AG","Anna Weber","Machinery","1,200","2,500,000.50","DE","Customer","03/31/2026"\n',
        '"Account-ID";"Accountname";"Accountinhaber";"Branche";"Mitarbeiter";"Jahresumsatz";"Land (Rechnungsanschrift)";"Typ";"Erstelldatum"\n'
        '"001Kj0000005001";"Kern AG";"Anna Weber";"Machinery";"1.200";"2.500.000,50";"DE";"Kunde";"31.03.2026"\n',
        "accounts",
        "account_id, account_name, owner_rep_id, industry, employee_count, annual_revenue, country_code, account_type, created_at",
        [
            ("001Kj0000005001IAA", "Kern AG", "005Kj0000005000IAA", "Machinery", 1200, Decimal("2500000.5000"), "DE",
             "customer", datetime(2026, 3, 30, 22)),
        ],
    ),
    "users": (
        '"User ID","Full Name","Active","Email"\n"005Kj0000005002","Eva Kern","1","canary@example.org"\n',
        '"Benutzer-ID";"Vollständiger Name";"Aktiv";"E-Mail"\n"005Kj0000005002";"Eva Kern";"1";"canary@example.org"\n',
        "reps WHERE rep_name = 'Eva Kern'",
        "rep_id, rep_name, is_active, email, custom_fields",
        [("005Kj0000005002IAA", "Eva Kern", True, None, None)],
    ),
    "products of opportunities": (
        '"Line Item ID","Opportunity ID","Product Name","Product ID","Quantity","Sales Price","Discount","Total Price"\n'
        '"00kKj0000005000","006Kj0000005000","Pumpe","01tKj0000005000","2.00","1,100.00","12.5%","1,925.00"\n',
        '"Positions-ID";"Opportunity-ID";"Produktname";"Produkt-ID";"Menge";"Verkaufspreis";"Rabatt";"Gesamtpreis"\n'
        '"00kKj0000005000";"006Kj0000005000";"Pumpe";"01tKj0000005000";"2,00";"1.100,00";"12,5 %";"1.925,00"\n',
        "deal_products",
        "deal_product_id, deal_id, product_id, quantity, unit_price, discount_share, line_amount",
        [
            ("00kKj0000005000IAA", "006Kj0000005000IAA", "01tKj0000005000IAA", 2.0, Decimal("1100.0000"), 0.125, Decimal("1925.0000")),
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("language", ["English", "German"])
@pytest.mark.parametrize("kind", KINDS)
def test_other_reports_say_the_same_in_both_languages(tmp_path: Path, kind: str, language: str) -> None:
    english, german, table, columns, expected = KINDS[kind]
    content = english.encode() if language == "English" else german.encode("cp1252")
    result = imported(tmp_path, {"report.csv": content, "users.csv": USERS})
    name, _, where = table.partition(" WHERE ")
    assert rows(tmp_path, name, columns, where or "true") == expected
    (report,) = [file for file in result.files if file.file == "report.csv"]
    assert (report.system, report.quarantined, report.excluded, report.unmapped) == ("salesforce", 0, 0, ())


# --- a whole company, written as reports ----------------------------------------------------------

CHANGED_BY_LOSS = {
    "deal_field_history": {
        "crm_forecasts", "loss_reasons", "pipeline_created", "pipeline_waterfall", "push_rate", "required_coverage",
        "sales_velocity", "stage_age_rates", "weighted_pipeline_bias", "win_rate_by_value",
    },
}  # fmt: skip
"""Figures that tell another story, by what the reports have lost: all look at open deals as they were on an earlier day."""


@pytest.fixture(scope="module")
def english(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("english") / "company"
    export(original, folder, "salesforce", "en")
    import_company(folder)
    return folder


@pytest.fixture(scope="module")
def german(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("german") / "company"
    export(original, folder, "salesforce", "de")
    import_company(folder)
    return folder


def test_the_figures_are_those_of_the_original_but_for_what_is_lost(
    english: Path, original_figures: dict[str, Any]
) -> None:
    assert set(CHANGED_BY_LOSS) <= set(LOST)
    assert set(differing(original_figures, figures(english))) == set().union(*CHANGED_BY_LOSS.values())


def test_german_reports_give_the_same_tables(english: Path, german: Path) -> None:
    ours, theirs = (Store.open(folder / "store").tables for folder in (english, german))
    for table in CANONICAL:
        both = [f"SELECT * EXCLUDE (source_ref) FROM '{tables[table]}'" for tables in (ours, theirs)]
        differences = duckdb.sql(
            f"(({both[0]}) EXCEPT ALL ({both[1]})) UNION ALL (({both[1]}) EXCEPT ALL ({both[0]}))"
        )
        assert differences.fetchall() == [], table


@pytest.mark.parametrize("language", ["english", "german"])
def test_every_row_of_the_reports_is_accounted_for(request: pytest.FixtureRequest, language: str) -> None:
    folder: Path = request.getfixturevalue(language)
    files = [file for file in import_company(folder).files if file.file.startswith("salesforce/")]
    assert len(files) == 10
    for file in files:
        assert file.rows_read == file.accepted + file.footer
        assert (file.quarantined, file.footer, file.unmapped, file.system) == (0, 2, (), "salesforce")
