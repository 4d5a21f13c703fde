"""Zoho CRM: module exports, the data backup and German organisations tell the same company."""

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from source_files import CONFIG, imported, rows
from systems.same import differing, figures, stored, unaccounted

from salestrack.errors import ReadError
from salestrack.exports import export
from salestrack.importing import import_company

MODULES = {
    "Deals_2026_10_31.csv": """\
Record Id,Deal Owner.id,Deal Owner,Deal Name,Account Name.id,Account Name,Contact Name.id,Contact Name,Amount,Currency,Stage,Closing Date,Probability (%),Type,Lead Source,Reason For Loss,Created Time,Modified Time,Expected Revenue
4876876000000101001,4876876000000100001,Ada Ahrens,"Press, line 2",4876876000000103001,Hüttenwerk GmbH,4876876000000104001,Cara Canary,"1,000.50",EUR,Closed Won,2026-03-02,100,New Business,Website,,2026-01-05 10:00:00,2026-03-02 11:30:00,"1,000.50"
4876876000000101002,4876876000000100002,Ben Borg,Conveyor,4876876000000103002,Nordkai AG,,,,EUR,Closed Lost,2026-03-31,0,Existing Business,Fair,Price,2026-01-06 10:00:00,2026-03-31 23:30:00,0.00
4876876000000101003,4876876000000100001,Ada Ahrens,Robot,4876876000000103001,Hüttenwerk GmbH,,,"12,000.00",EUR,Proposal,2026-09-30,60,New Business,Website,,2026-07-01 00:30:00,2026-07-02 00:30:00,"7,200.00"
""",
    "Deals_Stage_History.csv": """\
Deal Name.id,Deal Name,Stage,Amount,Probability (%),Closing Date,Modified Time,Modified By.id,Modified By
4876876000000101001,"Press, line 2",Proposal,900.00,60,2026-02-28,2026-01-05 10:00:00,4876876000000100001,Ada Ahrens
4876876000000101001,"Press, line 2",Closed Won,"1,000.50",100,2026-03-02,2026-03-02 11:30:00,4876876000000100001,Ada Ahrens
""",
    "Accounts_2026_10_31.csv": """\
Record Id,Account Owner.id,Account Owner,Account Name,Parent Account.id,Industry,Employees,Annual Revenue,Billing Country,Billing Code,Account Type,Created Time
4876876000000103001,4876876000000100001,Ada Ahrens,Hüttenwerk GmbH,,Metal,"1,200","5,000,000.00",Germany,01067,Customer,2025-01-05 10:00:00
4876876000000103002,4876876000000100002,Ben Borg,Nordkai AG,4876876000000103001,Ports,80,,Austria,1010,Prospect,2025-02-05 10:00:00
""",
    "Contacts_2026_10_31.csv": """\
Record Id,First Name,Last Name,Account Name.id,Account Name,Email,Title,Created Time
4876876000000104001,Cara,Canary,4876876000000103001,Hüttenwerk GmbH,c@example.org,Buyer,2025-01-06 10:00:00
""",
    "Leads_2026_10_31.csv": """\
Record Id,Lead Owner.id,Lead Owner,Last Name,Company,Lead Source,Lead Status,Created Time,Converted Date Time,Converted Deal.id,Converted Account.id
4876876000000105001,4876876000000100001,Ada Ahrens,Canary,Hüttenwerk,Website,Qualified,2026-01-02 10:00:00,2026-01-05 10:00:00,4876876000000101001,4876876000000103001
""",
    "Calls_2026_10_31.csv": """\
Record Id,Subject,Call Type,Call Status,Call Start Time,Call Duration,Call Owner.id,Call Owner,Related To.id,Related To,Call Result
4876876000000106001,Ask,Outbound,Completed,2026-07-01 09:30:00,20:15,4876876000000100001,Ada Ahrens,4876876000000101001,"Press, line 2",Interested
4876876000000106002,Again,Missed,Completed,2026-07-01 09:45:00,00:00,4876876000000100002,Ben Borg,4876876000000103002,Nordkai AG,
4876876000000106003,Plan,Outbound,Scheduled,2026-12-01 09:45:00,,4876876000000100002,Ben Borg,4876876000000105001,Canary,
""",
    "Tasks_2026_10_31.csv": """\
Record Id,Subject,Status,Due Date,Closed Time,Task Owner.id,Task Owner,Related To.id,Priority
4876876000000107001,Offer,Completed,2026-07-02,2026-07-03 12:00:00,4876876000000100001,Ada Ahrens,4876876000000101003,High
4876876000000107002,Remind,Not Started,2026-12-02,,4876876000000100002,Ben Borg,,Low
""",
    "Meetings_2026_10_31.csv": """\
Record Id,Title,From,To,Host.id,Host,Related To.id,Meeting Venue
4876876000000108001,Line 2,2026-07-01 14:00:00,2026-07-01 15:30:00,4876876000000100001,Ada Ahrens,4876876000000101001,Client location
""",
    "Users_2026_10_31.csv": """\
Record Id,First Name,Last Name,Email,Role,Profile,Status
4876876000000100001,Ada,Ahrens,a@example.org,Manager,Administrator,Active
4876876000000100002,Ben,Borg,b@example.org,Rep,Standard,Inactive
""",
}
GERMAN_HEADS = {
    "Deals_2026_10_31.csv": "Datensatz-ID,Deal-Besitzer.id,Deal-Besitzer,Deal-Name,Kundenname.id,Kundenname,Kontaktname.id,Kontaktname,Betrag,Währung,Phase,Abschlussdatum,Wahrscheinlichkeit (%),Typ,Lead-Quelle,Verlustgrund,Erstellungszeit,Änderungszeit,Erwarteter Umsatz",
    "Deals_Stage_History.csv": "Deal-Name.id,Deal-Name,Phase,Betrag,Wahrscheinlichkeit (%),Abschlussdatum,Änderungszeit,Geändert von.id,Geändert von",
    "Accounts_2026_10_31.csv": "Datensatz-ID,Kundenbesitzer.id,Kundenbesitzer,Kundenname,Übergeordneter Kunde.id,Branche,Mitarbeiter,Jahresumsatz,Rechnungsland,Rechnungs-PLZ,Kundentyp,Erstellungszeit",
    "Contacts_2026_10_31.csv": "Datensatz-ID,Vorname,Nachname,Kundenname.id,Kundenname,E-Mail,Position,Erstellungszeit",
    "Leads_2026_10_31.csv": "Datensatz-ID,Lead-Besitzer.id,Lead-Besitzer,Nachname,Firma,Lead-Quelle,Lead-Status,Erstellungszeit,Umgewandelt am,Umgewandelter Deal.id,Umgewandelter Kunde.id",
    "Calls_2026_10_31.csv": "Datensatz-ID,Betreff,Anruftyp,Anrufstatus,Anrufbeginn,Anrufdauer,Anrufbesitzer.id,Anrufbesitzer,Bezieht sich auf.id,Bezieht sich auf,Anrufergebnis",
    "Tasks_2026_10_31.csv": "Datensatz-ID,Betreff,Status,Fälligkeitsdatum,Abgeschlossen am,Aufgabenbesitzer.id,Aufgabenbesitzer,Bezieht sich auf.id,Priority",
    "Meetings_2026_10_31.csv": "Datensatz-ID,Titel,Von,Bis,Gastgeber.id,Gastgeber,Bezieht sich auf.id,Ort des Meetings",
    "Users_2026_10_31.csv": "Datensatz-ID,Vorname,Nachname,E-Mail,Rolle,Profil,Status",
}
GERMAN = {name: "\n".join([GERMAN_HEADS[name], *text.splitlines()[1:], ""]) for name, text in MODULES.items()}
BACKUP = {
    f"{name.split('_2026')[0].removesuffix('.csv')}_001.csv": "".join(
        ",".join(f"zcrm_{cell}" if cell.startswith("4876876") else cell for cell in line.split(",")) + "\n"
        for line in text.splitlines()
    )
    for name, text in MODULES.items()
}
SECONDS = MODULES | {
    "Calls_2026_10_31.csv": MODULES["Calls_2026_10_31.csv"]
    .replace("Call Duration", "Call Duration (in seconds)")
    .replace(",20:15,", ",1215,")
    .replace(",00:00,", ",0,")
}
OTHER_LOOKUPS = MODULES | {
    "Deals_2026_10_31.csv": MODULES["Deals_2026_10_31.csv"]
    .replace("Account Name", "Company Name")
    .replace("Record Id", "Deal Id")
}


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the module exports tell."""
    folder = tmp_path_factory.mktemp("english")
    imported(folder, dict(MODULES))
    return stored(folder)


def test_deals(tmp_path: Path) -> None:
    result = imported(tmp_path, dict(MODULES))
    columns = "right(deal_id, 2), status, CAST(amount AS DOUBLE), stage_id, right(owner_rep_id, 1), right(account_id, 1), probability, deal_type"
    assert rows(tmp_path, "deals", columns) == [
        ("01", "won", 1000.5, "Closed Won", "1", "1", 1.0, "new"),
        ("02", "lost", None, "Closed Lost", "2", "2", 0.0, "existing"),
        ("03", "open", 12000, "Proposal", "1", "1", 0.6, "new"),
    ]
    columns = "right(deal_id, 2), created_at, closed_date, expected_close_date, lost_reason"
    assert rows(tmp_path, "deals", columns) == [
        ("01", datetime(2026, 1, 5, 9), date(2026, 3, 2), date(2026, 3, 2), None),
        ("02", datetime(2026, 1, 6, 9), date(2026, 3, 31), date(2026, 3, 31), "Price"),
        ("03", datetime(2026, 6, 30, 22, 30), None, date(2026, 9, 30), None),
    ]
    assert (unaccounted(result), {file.unmapped for file in result.files}) == ([], {()})


def test_stage_history(tmp_path: Path) -> None:
    imported(tmp_path, dict(MODULES))
    columns = "seq, from_stage_id, to_stage_id, CAST(amount AS DOUBLE), probability, expected_close_date, entered_at, right(changed_by_rep_id, 1)"
    assert rows(tmp_path, "deal_stage_history", columns) == [
        (1, None, "Proposal", 900, 0.6, date(2026, 2, 28), datetime(2026, 1, 5, 9), "1"),
        (2, "Proposal", "Closed Won", 1000.5, 1.0, date(2026, 3, 2), datetime(2026, 3, 2, 10, 30), "1"),
    ]


def test_activities_of_three_modules(tmp_path: Path) -> None:
    imported(tmp_path, dict(MODULES))
    columns = "right(activity_id, 4), activity_type, channel, direction, started_at, duration_s, is_done, outcome, outcome_raw"
    assert rows(tmp_path, "activities", columns) == [
        ("6001", "call", "phone", "outbound", datetime(2026, 7, 1, 7, 30), 1215, True, None, "Interested"),
        ("6002", "call", "phone", "inbound", datetime(2026, 7, 1, 7, 45), 0, True, "no_answer", None),
        ("6003", "call", "phone", "outbound", None, None, False, None, None),
        ("7001", "task", None, "none", datetime(2026, 7, 1, 22), None, True, None, None),
        ("7002", "task", None, "none", None, None, False, None, None),
        ("8001", "meeting", "in_person", "none", datetime(2026, 7, 1, 12), 5400, True, None, None),
    ]
    columns = "right(activity_id, 4), right(deal_id, 4), right(account_id, 4), right(lead_id, 4)"
    assert rows(tmp_path, "activities", columns) == [
        ("6001", "1001", None, None),
        ("6002", None, "3002", None),
        ("6003", None, None, "5001"),
        ("7001", "1003", None, None),
        ("7002", None, None, None),
        ("8001", "1001", None, None),
    ]


def test_people_and_companies(tmp_path: Path) -> None:
    imported(tmp_path, dict(MODULES))
    assert rows(tmp_path, "reps", "rep_name, is_active, email") == [
        ("Ada Ahrens", True, None),
        ("Ben Borg", False, None),
    ]
    columns = "account_name, right(parent_account_id, 1), employee_count, CAST(annual_revenue AS DOUBLE), country_code, postal_code, account_type"
    assert rows(tmp_path, "accounts", columns) == [
        ("Hüttenwerk GmbH", None, 1200, 5_000_000, "Germany", "01067", "customer"),
        ("Nordkai AG", "1", 80, None, "Austria", "1010", "prospect"),
    ]
    assert rows(tmp_path, "contacts", "job_title, contact_name, email, custom_fields") == [
        ("Buyer", None, None, None)
    ]
    columns = "lead_status, company_name, created_at, converted_at, right(converted_deal_id, 4)"
    assert rows(tmp_path, "leads", columns) == [
        ("Qualified", "Hüttenwerk", datetime(2026, 1, 2, 9), datetime(2026, 1, 5, 9), "1001")
    ]


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(GERMAN, id="German headings"),
        pytest.param(BACKUP, id="the data backup with its prefix before ids"),
        pytest.param(SECONDS, id="durations of calls in seconds"),
        pytest.param(OTHER_LOOKUPS, id="renamed labels"),
        pytest.param({n: "\ufeff" + t.replace("\n", "\r\n") for n, t in MODULES.items()}, id="from Windows"),
        pytest.param({n: t.encode("utf-16") for n, t in MODULES.items()}, id="UTF-16"),
    ],
)
def test_every_shape_tells_the_same(english: dict[str, Any], tmp_path: Path, files: dict[str, Any]) -> None:
    result = imported(tmp_path, dict(files))
    assert stored(tmp_path) == english
    assert unaccounted(result) == []


def test_amounts_written_the_german_way(tmp_path: Path) -> None:
    text = MODULES["Deals_2026_10_31.csv"].replace("1,000.50", "1.000,50").replace("12,000.00", "12.000,00")
    text = text.replace("7,200.00", "7.200,00").replace(",0.00\n", ',"0,00"\n')
    imported(tmp_path, {"Deals.csv": text})
    assert rows(tmp_path, "deals", "CAST(amount AS DOUBLE)") == [(1000.5,), (12000,), (None,)]


def test_times_are_those_of_the_organisation(tmp_path: Path) -> None:
    config = CONFIG + '[import]\ntime_zone = "Asia/Kolkata"\n'
    imported(tmp_path, {"Deals.csv": MODULES["Deals_2026_10_31.csv"]}, config)
    assert rows(tmp_path, "deals", "created_at", "deal_name = 'Robot'") == [(datetime(2026, 6, 30, 19),)]


def test_ids_keep_every_digit(tmp_path: Path) -> None:
    imported(tmp_path, dict(BACKUP))
    assert rows(
        tmp_path, "deals", "deal_id, account_id, owner_rep_id, primary_contact_id", "status = 'won'"
    ) == [("4876876000000101001", "4876876000000103001", "4876876000000100001", "4876876000000104001")]


def test_a_lookup_without_its_id_is_resolved_by_name(tmp_path: Path) -> None:
    deals = MODULES["Deals_2026_10_31.csv"]
    deals = deals.replace("Deal Owner.id", "Old owner").replace("Account Name.id", "Old account")
    imported(tmp_path, {**MODULES, "Deals_2026_10_31.csv": deals})
    assert rows(tmp_path, "deals", "right(owner_rep_id, 1), right(account_id, 1)") == [
        ("1", "1"),
        ("1", "1"),
        ("2", "2"),
    ]


def test_a_name_of_two_companies_is_not_guessed(tmp_path: Path) -> None:
    deals = MODULES["Deals_2026_10_31.csv"].replace("Account Name.id", "Old account")
    accounts = MODULES["Accounts_2026_10_31.csv"].replace("Nordkai AG", "Hüttenwerk GmbH")
    files = {**MODULES, "Deals_2026_10_31.csv": deals, "Accounts_2026_10_31.csv": accounts}
    with pytest.raises(ReadError, match="account_id 'Hüttenwerk GmbH' is the name of several accounts"):
        imported(tmp_path, files)


def test_closed_stages_of_the_company_s_own(tmp_path: Path) -> None:
    text = MODULES["Deals_2026_10_31.csv"].replace("Closed Won", "Signed").replace("Closed Lost", "Gone")
    config = CONFIG + '[stages]\nwon = ["Signed"]\nlost = ["Gone"]\n'
    imported(tmp_path, {"Deals.csv": text}, config)
    assert rows(tmp_path, "deals", "stage_id, status, closed_date") == [
        ("Gone", "lost", date(2026, 3, 31)),
        ("Proposal", "open", None),
        ("Signed", "won", date(2026, 3, 2)),
    ]


def test_closed_stages_in_german(tmp_path: Path) -> None:
    text = MODULES["Deals_2026_10_31.csv"]
    text = text.replace("Closed Won", "Abgeschlossen (gewonnen)").replace(
        "Closed Lost", "An Mitbewerber verloren"
    )
    imported(tmp_path, {"Deals.csv": text})
    assert rows(tmp_path, "deals", "status") == [("lost",), ("open",), ("won",)]


def test_stages_of_one_name_in_two_pipelines_are_two(tmp_path: Path) -> None:
    deals = MODULES["Deals_2026_10_31.csv"].replace("Expected Revenue", "Pipeline")
    deals = (
        deals.replace('"1,000.50"\n', "Sales\n")
        .replace("0.00\n", "Partners\n")
        .replace('"7,200.00"\n', "Sales\n")
    )
    deals = deals.replace('"7,200.Partners', "Sales")
    imported(tmp_path, {"Deals.csv": deals, "Stage History.csv": MODULES["Deals_Stage_History.csv"]})
    assert rows(tmp_path, "deals", "stage_id, status") == [
        ("Partners / Closed Lost", "lost"),
        ("Sales / Closed Won", "won"),
        ("Sales / Proposal", "open"),
    ]
    assert rows(tmp_path, "deal_stage_history", "to_stage_id") == [
        ("Sales / Closed Won",),
        ("Sales / Proposal",),
    ]


CHANGE = {
    "record": {"module": {"api_name": "Deals"}, "id": "4876876000000101001", "name": "Press"},
    "audited_time": "2026-02-01T10:00:00+01:00",
    "action": "updated",
    "source": "crm_ui",
    "done_by": {"name": "Ada Ahrens", "id": "4876876000000100001"},
    "field_history": [
        {"api_name": "Amount", "data_type": "currency", "_value": {"new": "1,000.50", "old": "900"}},
        {"api_name": "Description", "data_type": "text", "_value": {"new": "x", "old": None}},
        {
            "api_name": "Owner",
            "_value": {
                "new": {"id": "4876876000000100001", "name": "Ada"},
                "old": {"id": "4876876000000100002", "name": "Ben"},
            },
        },
    ],
}
STAGES = {
    "stages": [
        {"display_value": "Proposal", "actual_value": "Proposal", "sequence_number": 1, "forecast_type": "Open",
         "forecast_category": {"name": "Pipeline", "id": "1"}, "probability": 60},
        {"display_value": "Closed Won", "actual_value": "Closed Won", "sequence_number": 2, "forecast_type": "Closed Won",
         "forecast_category": {"name": "Closed", "id": "2"}, "probability": 100},
    ]
}  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(json.dumps({"__timeline": [CHANGE], "info": {}}), id="one answer"),
        pytest.param(
            json.dumps([{"__timeline": [CHANGE]}, {"__timeline": []}], indent=1), id="a list of answers"
        ),
        pytest.param(
            json.dumps({"__timeline": [CHANGE]}) + '\n{"__timeline": []}\n', id="one answer per line"
        ),
    ],
)
def test_timelines_are_the_history_of_fields(tmp_path: Path, text: str) -> None:
    result = imported(tmp_path, {**MODULES, "timeline.json": text})
    columns = "field, old_value, new_value, changed_at, change_source"
    assert rows(tmp_path, "deal_field_history", columns) == [
        ("amount", "900", "1000.50", datetime(2026, 2, 1, 9), "user"),
        ("owner_rep_id", "4876876000000100002", "4876876000000100001", datetime(2026, 2, 1, 9), "user"),
    ]
    (log,) = [file for file in result.files if file.table == "deal_field_history"]
    assert (log.rows_read, log.accepted, log.excluded) == (3, 2, 1)


def test_stages_of_the_api(tmp_path: Path) -> None:
    imported(tmp_path, {**MODULES, "stages.json": json.dumps(STAGES)})
    columns = "stage_id, stage_order, stage_type, probability, forecast_category"
    assert rows(tmp_path, "stages", columns, "stage_id <> 'Closed Lost'") == [
        ("Closed Won", 2, "won", 1.0, "closed"),
        ("Proposal", 1, "open", 0.6, "pipeline"),
    ]


def test_lines_campaigns_and_products(tmp_path: Path) -> None:
    files = {
        "Deals_Products.csv": "Record Id,Parent ID.id,Product Name.id,Product Name,Quantity,List Price,Discount,Total After Discount\n"
        '9001,4876876000000101001,8001,Seat,3,"1,000.00",300.00,"2,700.00"\n',
        "Campaigns.csv": 'Record Id,Campaign Name,Type,Status,Start Date,End Date,Budgeted Cost\n7001,Fair 2026,Trade Show,Active,2026-03-01,2026-03-05,"5,000.00"\n',
        "Products.csv": 'Record Id,Product Name,Product Code,Product Category,Unit Price,Product Active\n8001,Seat,0042,Software,"1,000.00",true\n',
    }
    result = imported(tmp_path, files)
    columns = (
        "CAST(list_price AS DOUBLE), CAST(discount_amount AS DOUBLE), CAST(line_amount AS DOUBLE), quantity"
    )
    assert rows(tmp_path, "deal_products", columns) == [(1000, 300, 2700, 3)]
    assert rows(
        tmp_path, "campaigns", "campaign_id, channel, CAST(budget_amount AS DOUBLE), ends_on_date"
    ) == [("7001", "Trade Show", 5000, date(2026, 3, 5))]
    assert rows(tmp_path, "products", "product_id, sku, CAST(list_price AS DOUBLE), is_active") == [
        ("8001", "0042", 1000, True)
    ]
    assert (unaccounted(result), {file.unmapped for file in result.files}) == ([], {()})


def test_columns_of_the_company_s_own_are_kept(tmp_path: Path) -> None:
    text = MODULES["Deals_2026_10_31.csv"].replace("Expected Revenue", "Region")
    result = imported(tmp_path, {"Deals.csv": text})
    assert [file.unmapped for file in result.files] == [("Region",)]
    assert rows(tmp_path, "deals", "custom_fields", "status = 'open'") == [('{"Region":"7,200.00"}',)]


def test_a_duration_in_other_words_is_refused(tmp_path: Path) -> None:
    calls = MODULES["Calls_2026_10_31.csv"].replace("20:15", "20 min")
    with pytest.raises(ReadError, match="line 2: duration_s '20 min' is not a number"):
        imported(tmp_path, {"Calls.csv": calls})


# The whole company


DIFFERENT = {"pipeline_created": "deals.is_deleted: deleted deals are not in the files"}


@pytest.fixture(scope="module")
def exported(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The invented company as Zoho CRM backs it up in English, imported."""
    folder = tmp_path_factory.mktemp("zoho") / "en"
    export(original, folder, "zoho")
    return folder


def test_every_row_of_the_company_is_read(exported: Path) -> None:
    result = import_company(exported)
    assert unaccounted(result) == []
    assert [file.file for file in result.files if "zoho" in file.file and file.unmapped] == []


def test_every_figure_is_the_same_but_for_what_cannot_be_exported(
    exported: Path, original_figures: dict[str, Any]
) -> None:
    import_company(exported)
    assert set(differing(original_figures, figures(exported))) == set(DIFFERENT)


def test_the_german_backup_tells_the_same_rows(exported: Path, original: Path, tmp_path: Path) -> None:
    import_company(exported)
    export(original, tmp_path / "de", "zoho", "de")
    import_company(tmp_path / "de")
    assert stored(tmp_path / "de") == stored(exported)


def test_the_backup_looks_like_one(exported: Path) -> None:
    head, first = (exported / "raw" / "zoho" / "Deals_001.csv").read_text(encoding="utf-8").splitlines()[:2]
    assert head.startswith(
        '"Record Id","Deal Owner.id","Deal Owner","Deal Name","Account Name.id","Account Name"'
    )
    assert first.startswith('"zcrm_006Kj0000005000IAA","zcrm_005Kj0000005000IAA","Annika Ahrendsen"')
    assert '"27,600.00","CHF"' in first
