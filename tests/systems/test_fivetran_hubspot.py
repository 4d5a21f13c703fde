"""HubSpot's tables as Fivetran loads them: its own sample tables, of which every row is accounted for."""

import shutil
from datetime import datetime
from pathlib import Path

import duckdb
from source_files import company, rows

from salestrack.importing import import_company

FILES = Path(__file__).parent / "files" / "hubspot_fivetran"


def test_fivetrans_tables_are_read_and_every_row_is_accounted_for(tmp_path: Path) -> None:
    folder = company(tmp_path, {})
    for file in FILES.glob("*.csv"):
        shutil.copyfile(file, folder / "raw" / file.name)
    import_company(folder)
    told = rows(
        folder,
        "load_log",
        "file, table_name, rows_read, accepted, excluded, superseded + quarantined + footer, system",
    )
    assert len({row[0] for row in told}) == len(list(FILES.glob("*.csv"))) == 27
    assert {row[6] for row in told} == {"fivetran_hubspot"}
    for file, _, read, accepted, excluded, rest, _ in told:
        assert (read, rest) == (accepted + excluded, 0), file
        assert read == len(_lines(FILES / str(file))), file
    assert {(row[1], row[3]) for row in told if row[3]} >= {
        ("accounts", 24), ("contacts", 19), ("deals", 44), ("reps", 100), ("stages", 71), ("pipelines", 6), ("teams", 3),
        ("deal_stage_history", 14), ("deal_contacts", 11), ("activities", 100),
    }  # fmt: skip


def _lines(path: Path) -> list[tuple[str, ...]]:
    return duckdb.sql(f"FROM read_csv('{path}', all_varchar = true, header = true)").fetchall()


def test_fivetrans_engagements_find_their_deal_and_merged_contacts_are_left_out(tmp_path: Path) -> None:
    folder = company(tmp_path, {})
    for file in FILES.glob("*.csv"):
        shutil.copyfile(file, folder / "raw" / file.name)
    import_company(folder)
    assert rows(folder, "activities", "activity_id, contact_id, started_at", "activity_type = 'call'") == [
        ("19732910159", "501", datetime(2014, 8, 27, 20, 50, 44, 778000))
    ]
    assert rows(
        folder, "contacts", "contact_id", "contact_id IN ('78971951', '76340251', '46897301', '76226001')"
    ) == [("78971951",)]
    assert rows(folder, "activities", "duration_s", "activity_id = '3416212491'") == [(5400,)]
