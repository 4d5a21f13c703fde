"""Pipedrive's change log is the history of its deals; a whole company as Pipedrive exports it has the same figures."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from source_files import company, imported, rows
from systems.pipedrive_deals import LIST, STAGES, USERS
from systems.same import differing, figures, stored, unaccounted

from salestrack.errors import ReadError
from salestrack.exports import export
from salestrack.importing import import_company

LOG = """\
deal_id,field_key,old_value,new_value,actor_user_id,log_time,change_source,is_bulk_update_flag
1,stage_id,7,8,11,2026-02-01 09:00:00,app,false
1,value,100,300,11,2026-02-02 09:00:00,app,false
1,user_id,11,12,11,2026-02-03 09:00:00,app,false
1,expected_close_date,2026-03-31,2026-05-31,11,2026-02-04 09:00:00,app,false
1,stage_id,8,7,12,2026-03-01 09:00:00,app,false
1,stage_id,7,8,12,2026-04-01 08:00:00,automation,false
1,probability,10,60,12,2026-04-01 08:00:00,app,false
1,status,open,lost,12,2026-03-02 09:00:00,app,false
1,status,lost,open,12,2026-03-03 09:00:00,app,false
1,status,open,won,12,2026-04-02 10:00:00,app,false
1,title,Alfa,Alpha,12,2026-04-02 10:00:00,app,false
2,value,40,50,12,2026-04-02 10:00:00,app,false
3,title,G,Gamma,12,2026-04-02 10:00:00,app,false
"""
PROCESS = {"deals.csv": LIST, "stages.csv": STAGES, "users.csv": USERS, "changelog.csv": LOG}


def test_the_change_log_is_the_history(tmp_path: Path) -> None:
    result = imported(tmp_path, PROCESS)
    entries = (
        "deal_id, seq, from_stage_id, to_stage_id, entered_at, is_backward, changed_by_rep_id, change_source"
    )
    assert rows(tmp_path, "deal_stage_history", entries) == [
        ("1", 1, None, "Sales / Contact", datetime(2026, 1, 5, 9), None, None, None),
        ("1", 2, "Sales / Contact", "Sales / Offer", datetime(2026, 2, 1, 9), False, "11", "user"),
        ("1", 3, "Sales / Offer", "Sales / Contact", datetime(2026, 3, 1, 9), True, "12", "user"),
        ("1", 4, "Sales / Contact", "Sales / Offer", datetime(2026, 4, 1, 8), False, "12", "workflow"),
        ("2", 1, None, "Sales / Contact", datetime(2026, 1, 6, 9), None, None, None),
    ]
    assert rows(tmp_path, "deal_field_history", "field, old_value, new_value", "deal_id = '1'") == [
        ("amount", "100", "300"),
        ("expected_close_date", "2026-03-31", "2026-05-31"),
        ("owner_rep_id", "11", "12"),
        ("probability", "0.1", "0.6"),
        ("status", "lost", "open"),
        ("status", "open", "lost"),
        ("status", "open", "won"),
    ]
    assert unaccounted(result) == []


def test_a_closed_deal_stays_in_its_stage_and_a_reopened_one_is_open_again(tmp_path: Path) -> None:
    imported(tmp_path, PROCESS)
    versions = (
        "valid_from, status, stage_id, CAST(amount AS DOUBLE), owner_rep_id, closed_at_source, reopened"
    )
    found = rows(tmp_path, "deal_versions", versions, "deal_id = '1'")
    assert [(row[0].day, row[0].month, *row[1:]) for row in found] == [
        (5, 1, "open", "Sales / Contact", 100, "11", None, 0),
        (1, 2, "open", "Sales / Offer", 100, "11", None, 0),
        (2, 2, "open", "Sales / Offer", 300, "11", None, 0),
        (3, 2, "open", "Sales / Offer", 300, "12", None, 0),
        (4, 2, "open", "Sales / Offer", 300, "12", None, 0),
        (5, 2, "open", "Sales / Offer", 300, "12", None, 0),
        (1, 3, "open", "Sales / Contact", 300, "12", None, 0),
        (2, 3, "lost", "Sales / Contact", 300, "12", "history", 0),
        (3, 3, "open", "Sales / Contact", 300, "12", None, 1),
        (1, 4, "open", "Sales / Offer", 300, "12", None, 1),
        (2, 4, "won", "Sales / Offer", 300, "12", "history", 1),
    ]


def test_the_change_log_as_the_api_answers_it(tmp_path: Path) -> None:
    changes = [
        {key: int(value) if key.endswith("_id") else value or None for key, value in row.items()}
        for row in csv.DictReader(LOG.splitlines())
    ]
    answer = json.dumps({"success": True, "data": changes, "additional_data": {"next_cursor": None}})
    imported(tmp_path / "csv", PROCESS)
    without = {name: text for name, text in PROCESS.items() if name != "changelog.csv"}
    imported(tmp_path / "json", {**without, "changelog.json": answer})
    assert stored(tmp_path / "json") == stored(tmp_path / "csv")


def test_numbers_of_stages_without_the_stages_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"line 2: .*new_value '8' cannot be translated"):
        imported(tmp_path, {"deals.csv": LIST, "changelog.csv": LOG})


def test_owners_by_number_mean_nothing_without_the_users(tmp_path: Path) -> None:
    imported(tmp_path, {name: text for name, text in PROCESS.items() if name != "users.csv"})
    assert rows(tmp_path, "deal_field_history", "field", "field = 'owner_rep_id'") == []
    assert rows(tmp_path, "deals", "deal_id, owner_rep_id", "deal_id = '1'") == [("1", "Ben Borg")]


def test_a_stage_that_was_deleted_has_no_place(tmp_path: Path) -> None:
    imported(
        tmp_path, {**PROCESS, "changelog.csv": LOG + "2,stage_id,7,5,12,2026-05-02 10:00:00,app,false\n"}
    )
    assert rows(tmp_path, "stages", "stage_id, stage_type, stage_order", "stage_order IS NULL") == [
        ("stage 5", "open", None)
    ]


# The whole company


DIFFERENT = {
    "activity_mix": "activities.duration_s: calls last whole minutes",
    "selling_time_share": "activities.duration_s: calls last whole minutes",
}


@pytest.fixture(scope="module")
def exported(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The invented company as Pipedrive exports it in English."""
    folder = tmp_path_factory.mktemp("pipedrive") / "en"
    export(original, folder, "pipedrive")
    return folder


def test_every_row_of_the_company_is_read(exported: Path) -> None:
    result = import_company(exported)
    assert unaccounted(result) == []
    assert [file.file for file in result.files if "pipedrive" in file.file and file.unmapped] == []


def test_every_figure_is_the_same_but_for_what_cannot_be_exported(
    exported: Path, original_figures: dict[str, Any]
) -> None:
    import_company(exported)
    assert set(differing(original_figures, figures(exported))) == set(DIFFERENT)


def test_the_german_export_tells_the_same_rows(exported: Path, original: Path, tmp_path: Path) -> None:
    import_company(exported)
    export(original, tmp_path / "de", "pipedrive", "de")
    import_company(tmp_path / "de")
    assert stored(tmp_path / "de") == stored(exported)


def test_times_are_written_in_the_company_s_zone(exported: Path) -> None:
    head, first = (
        (exported / "raw" / "pipedrive" / "deals-1.csv").read_text(encoding="utf-8").splitlines()[:2]
    )
    cells = dict(zip(head.split(","), first.split(","), strict=False))
    created = datetime(2023, 1, 24, 8, 26, tzinfo=UTC).astimezone(ZoneInfo("Europe/Berlin"))
    assert cells["Deal - Deal created"] == f"{created:%Y-%m-%d %H:%M:%S}"


def test_a_company_that_uses_pipedrive_is_written_as_it_was_read(tmp_path: Path) -> None:
    made = company(tmp_path / "a", {"deals.csv": LIST, "stages.csv": STAGES, "users.csv": USERS})
    export(made, tmp_path / "b", "pipedrive")
    import_company(tmp_path / "b")
    assert rows(tmp_path / "b", "deals", "deal_id, status, stage_id, owner_rep_id") == rows(
        made, "deals", "deal_id, status, stage_id, owner_rep_id"
    )
