"""Pipedrive: the API's answers for deals, of both versions and in every wrapping, tell the same deals as the exports."""

import csv
import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from source_files import CONFIG, imported, rows
from systems.same import stored, unaccounted

from salestrack.errors import ReadError

LIST = """\
Deal - ID,Deal - Title,Deal - Status,Deal - Value,Deal - Currency of Value,Deal - Probability,Deal - Pipeline,Deal - Stage,Deal - Owner,Deal - Organization ID,Deal - Contact person ID,Deal - Deal created,Deal - Update time,Deal - Last stage change,Deal - Expected close date,Deal - Won time,Deal - Lost time,Deal - Deal closed on,Deal - Lost reason,Deal - ARR,Deal - Archive status,d4de,d4de_currency
1,"Press, line 2",Won,1000.5,EUR,60,Sales,Offer,Ada Ahrens,5,8,2026-01-05 10:00:00,2026-04-02 12:00:00,2026-02-01 10:00:00,2026-05-31,2026-03-31 23:30:00,,2026-03-31 23:30:00,,120,Not archived,2300,USD
2,Conveyor,Lost,,EUR,,Sales,Contact,Ben Borg,,,2026-01-06 10:00:00,2026-04-03 12:00:00,,,2026-02-01 10:00:00,2026-03-01 10:00:00,2026-03-01 10:00:00,Price,,Archived,,
3,Robot,Open,70,EUR,50,Partners,Offer,Ada Ahrens,5,,2026-07-01 00:30:00,2026-07-01 00:30:00,,2026-09-30,,,,,,Not archived,,
"""
GERMAN = dict(
    [
        ("Deal - Title", "Deal - Titel"), ("Deal - Value", "Deal - Wert"), ("Deal - Currency of Value", "Deal - Währung von Wert"),
        ("Deal - Probability", "Deal - Wahrscheinlichkeit"), ("Deal - Stage", "Deal - Phase"), ("Deal - Owner", "Deal - Besitzer"),
        ("Deal - Organization ID", "Deal - Organisations-ID"), ("Deal - Contact person ID", "Deal - Kontaktperson-ID"),
        ("Deal - Deal created", "Deal - Deal erstellt"), ("Deal - Update time", "Deal - Zeit der Aktualisierung"),
        ("Deal - Last stage change", "Deal - Letzte Phasenänderung"), ("Deal - Expected close date", "Deal - Erwartetes Abschlussdatum"),
        ("Deal - Won time", "Deal - Datum des gewonnenen Deals"), ("Deal - Lost time", "Deal - Datum des verlorenen Deals"),
        ("Deal - Deal closed on", "Deal - Deal abgeschlossen am"), ("Deal - Lost reason", "Deal - Verlustgrund"),
        ("Deal - Archive status", "Deal - Archivstatus"), (",Won,", ",Gewonnen,"), (",Lost,", ",Verloren,"), (",Open,", ",Offen,"),
        (",Not archived,", ",Nicht archiviert,"), (",Archived,", ",Archiviert,"),
    ]
)  # fmt: skip
STAGES = """\
id,order_nr,name,deal_probability,pipeline_id,active_flag
7,1,Contact,10,1,true
8,2,Offer,60,1,true
9,1,Offer,50,2,true
"""
PIPELINES = "id,name,order_nr,url_title,active\n1,Sales,1,default,true\n2,Partners,2,partners,true\n"
USERS = "id,name,email,active_flag,default_currency,timezone_name\n11,Ada Ahrens,a@example.org,true,EUR,Europe/Berlin\n12,Ben Borg,b@example.org,false,EUR,Europe/Berlin\n"
LOG = """\
deal_id,field_key,old_value,new_value,actor_user_id,log_time,change_source
1,stage_id,7,8,11,2026-02-01 09:00:00,app
1,title,Press,"Press, line 2",11,2026-02-01 09:00:00,app
3,value,60,70,11,2026-07-02 09:00:00,app
"""
BESIDE = {"stages.csv": STAGES, "pipelines.csv": PIPELINES, "users.csv": USERS, "changelog.csv": LOG}
V2: list[dict[str, Any]] = [
    {
        "id": 1, "title": "Press, line 2", "creator_user_id": 12, "owner_id": 11, "value": 1000.5, "person_id": 8, "org_id": 5, "stage_id": 8,
        "pipeline_id": 1, "currency": "EUR", "add_time": "2026-01-05T09:00:00Z", "update_time": "2026-04-02T10:00:00Z",
        "stage_change_time": "2026-02-01T09:00:00Z", "status": "won", "is_deleted": False, "probability": 60, "lost_reason": None,
        "visible_to": 3, "close_time": "2026-03-31T21:30:00Z", "won_time": "2026-03-31T21:30:00Z", "lost_time": None,
        "local_won_date": "2026-03-31", "local_lost_date": None, "local_close_date": "2026-03-31", "expected_close_date": "2026-05-31",
        "label_ids": [1, 2], "origin": "ManuallyCreated", "origin_id": None, "channel": None, "channel_id": None, "acv": None, "arr": 120, "mrr": None,
        "custom_fields": {"d4de": {"value": 2300, "currency": "USD"}}, "is_archived": False, "archive_time": None,
    },
    {
        "id": 2, "title": "Conveyor", "creator_user_id": 12, "owner_id": 12, "value": None, "person_id": None, "org_id": None, "stage_id": 7,
        "pipeline_id": 1, "currency": "EUR", "add_time": "2026-01-06T09:00:00Z", "update_time": "2026-04-03T10:00:00Z",
        "stage_change_time": None, "status": "lost", "is_deleted": False, "probability": None, "lost_reason": "Price", "visible_to": 3,
        "close_time": "2026-03-01T09:00:00Z", "won_time": "2026-02-01T09:00:00Z", "lost_time": "2026-03-01T09:00:00Z",
        "expected_close_date": None, "label_ids": [], "arr": None, "custom_fields": {"d4de": None}, "is_archived": True,
        "archive_time": "2026-04-03T10:00:00Z",
    },
    {
        "id": 3, "title": "Robot", "creator_user_id": 11, "owner_id": 11, "value": 70, "person_id": None, "org_id": 5, "stage_id": 9,
        "pipeline_id": 2, "currency": "EUR", "add_time": "2026-06-30T22:30:00Z", "update_time": "2026-06-30T22:30:00Z",
        "stage_change_time": None, "status": "open", "is_deleted": False, "probability": 50, "lost_reason": None, "visible_to": 3,
        "close_time": None, "won_time": None, "lost_time": None, "expected_close_date": "2026-09-30", "label_ids": [],
        "arr": None, "custom_fields": {"d4de": None}, "is_archived": False, "archive_time": None,
    },
]  # fmt: skip
NAMES = {11: "Ada Ahrens", 12: "Ben Borg"}


def user(number: int) -> dict[str, Any]:
    person = {
        "name": NAMES[number],
        "email": "x@example.org",
        "has_pic": 0,
        "pic_hash": None,
        "active_flag": True,
    }
    return {"id": number} | person | {"value": number}


def first_version(deal: dict[str, Any]) -> dict[str, Any]:
    """A deal as version 1 of the API answers it: people and companies inside it, times without a zone."""
    own = {
        key: value
        for key, value in deal.items()
        if key not in ("custom_fields", "owner_id", "is_deleted", "label_ids")
    }
    own = {
        key: value.replace("T", " ").removesuffix("Z") if key.endswith("_time") and value else value
        for key, value in own.items()
    }
    amount = deal["custom_fields"]["d4de"] or {"value": None, "currency": None}
    person = {
        "active_flag": True,
        "name": "Cara Canary",
        "email": [{"value": "c@example.org", "primary": True}],
        "value": deal["person_id"],
    }
    company = {
        "name": "Hüttenwerk GmbH",
        "people_count": 1,
        "owner_id": 11,
        "address": None,
        "value": deal["org_id"],
    }
    return own | {
        "creator_user_id": user(deal["creator_user_id"]), "user_id": user(deal["owner_id"]), "owner_name": NAMES[deal["owner_id"]],
        "person_id": person if deal["person_id"] else None, "org_id": company if deal["org_id"] else None, "person_name": "Cara Canary",
        "org_name": "Hüttenwerk GmbH", "active": deal["status"] == "open", "deleted": False, "visible_to": "3", "label": "1,2",
        "stage_order_nr": 1, "formatted_value": "1.000,50 €", "weighted_value": 600.3, "cc_email": "x+deal1@pipedrivemail.com",
        "arr_currency": "EUR", "d4de": amount["value"], "d4de_currency": amount["currency"],
    }  # fmt: skip


V1 = [first_version(deal) for deal in V2]


def page(deals: Any, more: str | None = None) -> str:
    return json.dumps(
        {"success": True, "data": deals, "additional_data": {"next_cursor": more}}, ensure_ascii=False
    )


def old_page(deals: Any, indent: int | None = None) -> str:
    pagination = {"start": 0, "limit": 100, "more_items_in_collection": False}
    users = {"user": {"11": user(11)}}
    answer = {
        "success": True,
        "data": deals,
        "additional_data": {"pagination": pagination},
        "related_objects": users,
    }
    return json.dumps(answer, indent=indent)


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the list view tells."""
    folder = tmp_path_factory.mktemp("listed")
    imported(folder, {"deals.csv": LIST} | BESIDE)
    return stored(folder)


def german(text: str) -> str:
    for english, word in GERMAN.items():
        text = text.replace(english, word)
    return text


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"deals.csv": german(LIST)}, id="the German list view"),
        pytest.param({"deals.json": page(V2)}, id="version 2, one page"),
        pytest.param({"deals.json": page(V2[:2], "eyJ") + "\n" + page(V2[2:])}, id="version 2, a page per line"),
        pytest.param({"deals.jsonl": "\n".join(map(json.dumps, V2)) + "\n"}, id="version 2, a deal per line"),
        pytest.param({"deals.json": f"[{page(V2[:1], 'eyJ')}, {page(V2[1:])}]"}, id="version 2, a list of pages"),
        pytest.param({"1.json": page(V2[:2], "eyJ"), "2.json": page(V2[2:])}, id="version 2, a file per page"),
        pytest.param({"deals.json": page(V2[:1] + V2[2:]), "archived.json": page(V2[1:2])}, id="version 2, archived deals apart"),
        pytest.param({f"{deal['id']}.json": page(deal) for deal in V2}, id="version 2, a file per deal"),
        pytest.param({"deals.json": old_page(V1)}, id="version 1, one page"),
        pytest.param({"deals.json": old_page(V1[:2], 2) + "\n\n" + old_page(V1[2:], 2) + old_page(None, 2)}, id="version 1, pages below each other, the last one empty"),
        pytest.param({"deals.json": ("\ufeff" + old_page(V1, 1)).replace("\n", "\r\n")}, id="version 1, from Windows"),
        pytest.param({"1.json": old_page(V1[:2]), "2.json": page(V2[2:])}, id="both versions"),
    ],
)  # fmt: skip
def test_every_shape_tells_the_same(listed: dict[str, Any], tmp_path: Path, files: dict[str, Any]) -> None:
    result = imported(tmp_path, files | BESIDE)
    assert without_own(stored(tmp_path)) == without_own(listed)
    assert unaccounted(result) == []


def without_own(tables: dict[str, Any]) -> dict[str, Any]:
    """The tables without the company's own fields, which each file lists as it has them."""
    return {
        name: [tuple(cell for cell in row if "d4de" not in str(cell)) for row in told]
        for name, told in tables.items()
    }


def test_deals_of_the_api(tmp_path: Path) -> None:
    imported(tmp_path, {"deals.json": old_page(V1[:1]), "more.json": page(V2[1:])} | BESIDE)
    columns = "deal_id, deal_name, owner_rep_id, account_id, primary_contact_id, pipeline_id, stage_id, status, CAST(amount AS DOUBLE), probability, CAST(arr AS DOUBLE)"
    assert rows(tmp_path, "deals", columns) == [
        ("1", "Press, line 2", "11", "5", "8", "Sales", "Sales / Offer", "won", 1000.5, 0.6, 120.0),
        ("2", "Conveyor", "12", None, None, "Sales", "Sales / Contact", "lost", None, None, None),
        ("3", "Robot", "11", "5", None, "Partners", "Partners / Offer", "open", 70.0, 0.5, None),
    ]
    columns = "deal_id, created_at, closed_at, closed_date, expected_close_date, stage_entered_at, lost_reason, is_archived"
    assert rows(tmp_path, "deals", columns) == [
        ("1", datetime(2026, 1, 5, 9), datetime(2026, 3, 31, 21, 30), date(2026, 3, 31), date(2026, 5, 31), datetime(2026, 2, 1, 9), None, False),
        ("2", datetime(2026, 1, 6, 9), datetime(2026, 3, 1, 9), date(2026, 3, 1), None, None, "Price", True),
        ("3", datetime(2026, 6, 30, 22, 30), None, None, date(2026, 9, 30), None, None, False),
    ]  # fmt: skip
    assert rows(tmp_path, "deal_stage_history", "deal_id, seq, to_stage_id, entered_at") == [
        ("1", 1, "Sales / Contact", datetime(2026, 1, 5, 9)),
        ("1", 2, "Sales / Offer", datetime(2026, 2, 1, 9)),
        ("3", 1, "Partners / Offer", datetime(2026, 6, 30, 22, 30)),
    ]


@pytest.mark.parametrize("deals", [pytest.param(V1, id="version 1"), pytest.param(V2, id="version 2")])
def test_fields_of_the_companys_own_are_kept_but_no_person(
    tmp_path: Path, deals: list[dict[str, Any]]
) -> None:
    result = imported(tmp_path, {"deals.json": page(deals)} | BESIDE)
    (told,) = [file.unmapped for file in result.files if file.table == "deals"]
    assert set(told) == {"channel", "channel_id", "d4de", "d4de_currency"}
    ((own,),) = rows(tmp_path, "deals", "custom_fields", "deal_id = '1'")
    kept = {key: value for key, value in json.loads(str(own)).items() if value}
    assert kept == {"d4de": "2300", "d4de_currency": "USD"}
    assert "canary" not in str(stored(tmp_path)).lower()


def test_times_are_utc_whatever_zone_the_import_names(tmp_path: Path) -> None:
    config = CONFIG + '[import]\ntime_zone = "America/New_York"\n'
    imported(tmp_path, {"deals.json": old_page(V1)} | BESIDE, config)
    assert rows(tmp_path, "deals", "created_at", "deal_id = '1'") == [(datetime(2026, 1, 5, 9),)]


def test_stages_and_pipelines_may_be_answers_too(listed: dict[str, Any], tmp_path: Path) -> None:
    stages = [
        {"id": int(s["id"]), "order_nr": int(s["order_nr"]), "name": s["name"], "is_deleted": False, "deal_probability": int(s["deal_probability"]),
         "pipeline_id": int(s["pipeline_id"]), "is_deal_rot_enabled": False, "days_to_rotten": None, "add_time": "2026-01-01T09:00:00Z", "update_time": None}
        for s in csv.DictReader(STAGES.splitlines())
    ]  # fmt: skip
    pipelines = [
        {"id": 1, "name": "Sales", "order_nr": 1, "is_deleted": False},
        {"id": 2, "name": "Partners", "order_nr": 2, "is_deleted": False},
    ]
    answers = {
        "stages.json": page(stages),
        "pipelines.json": page(pipelines),
        "users.csv": USERS,
        "changelog.csv": LOG,
    }
    imported(tmp_path, {"deals.json": page(V2)} | answers)
    assert without_own(stored(tmp_path)) == without_own(listed)


@pytest.mark.parametrize("version", [1, 2])
def test_a_deleted_deal_is_gone_from_its_last_update_on(tmp_path: Path, version: int) -> None:
    gone = V1[0] | {"status": "deleted", "deleted": True} if version == 1 else V2[0] | {"is_deleted": True}
    imported(tmp_path, {"deals.json": page([gone])} | BESIDE)
    assert rows(tmp_path, "deals", "status, is_deleted, deleted_at") == [
        ("won", True, datetime(2026, 4, 2, 10))
    ]


def test_owners_of_version_1_have_a_name_without_the_users(tmp_path: Path) -> None:
    files = {name: text for name, text in BESIDE.items() if name != "users.csv"}
    imported(tmp_path, {"deals.json": old_page(V1)} | files)
    assert rows(tmp_path, "deals", "deal_id, owner_rep_id") == [
        ("1", "Ada Ahrens"),
        ("2", "Ben Borg"),
        ("3", "Ada Ahrens"),
    ]


def test_a_newer_answer_counts(tmp_path: Path) -> None:
    newer = V2[2] | {"value": 90, "update_time": "2026-08-01T10:00:00Z"}
    result = imported(tmp_path, {"1.json": page(V2), "2.json": page([newer])} | BESIDE)
    assert rows(tmp_path, "deals", "CAST(amount AS DOUBLE)", "deal_id = '3'") == [(90.0,)]
    assert [(f.rows_read, f.accepted, f.superseded) for f in result.files if f.table == "deals"] == [
        (3, 2, 1),
        (1, 1, 0),
    ]


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        pytest.param({"stages.csv": "", "changelog.csv": ""}, "line 2: stage_id '8' cannot be translated", id="without the stages"),
        pytest.param({"pipelines.csv": ""}, "line 2: pipeline_id '1' cannot be translated", id="without the pipelines"),
        pytest.param(
            {"deals.json": page(V2) + '{"success": false, "error": "unauthorized access", "data": null}'},
            "deals.json: one of its answers is an error (unauthorized access): fetch it again",
            id="an answer is an error",
        ),
        pytest.param({"deals.json": page(V2) + '\n{"success": true, '}, "deals.json, line 2: the row cannot be read", id="cut off"),
        pytest.param({"deals.json": page([])}, "deals.json", id="no deals at all"),
        pytest.param({"deals.json": page([V2[0] | {"status": "paused"}])}, "status 'paused' is not one of the known values", id="unknown status"),
    ],
)  # fmt: skip
def test_what_is_not_certain_is_refused(tmp_path: Path, files: dict[str, str], sentence: str) -> None:
    given = {name: text for name, text in ({"deals.json": page(V2)} | BESIDE | files).items() if text}
    with pytest.raises(ReadError) as refused:
        imported(tmp_path, given)
    assert sentence in str(refused.value)
