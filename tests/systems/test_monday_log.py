"""monday.com's activity log is the history of its items; a whole company on a board has the same figures."""

from pathlib import Path
from typing import Any

import pytest
from source_files import imported, rows
from systems.monday_board import BOARD, balanced, text, workbook
from systems.same import differing, figures

from salestrack.errors import ReadError
from salestrack.exports import export
from salestrack.importing import import_company

# Activity logs: Gamma was made as Lead, went to Offer and Won; Alpha was made as Offer; the amount of Gamma rose.

LOG = """\
Created at,Event,Item ID,Item,Column,Previous value,Value
"Mar 2, 2026 10:00 AM",update_column_value,8365173510,Gamma,Stage,Offer,Won
"Mar 1, 2026 9:30 AM",update_column_value,8365173510,Gamma,Deal value,1000,1200.5
"Feb 1, 2026 9:30 AM",update_column_value,8365173510,Gamma,Owner,Ben Klein,Anna Weber
"Feb 1, 2026 9:00 AM",update_column_value,8365173510,Gamma,Close date,2026-02-28,2026-03-31
"Jan 5, 2026 9:00 AM",update_column_value,8365173510,Gamma,Stage,Lead,Offer
"Jan 5, 2026 8:00 AM",update_name,8365173510,Gamma,Name,G,Gamma
"May 2, 2025 3:04 PM",create_pulse,8396967148,Alpha,,,
"Feb 18, 2025 1:38 PM",create_pulse,8365173510,Gamma,,,
"Feb 1, 2025 9:00 AM",create_pulse,111,Gone,,,
"""
ENTRIES = [
    ("8365173510", "2025-02-18 12:38:00", None, "Sales / Lead"),
    ("8365173510", "2026-01-05 08:00:00", "Sales / Lead", "Sales / Offer"),
    ("8365173510", "2026-03-02 09:00:00", "Sales / Offer", "Sales / Won"),
    ("8396967148", "2025-05-02 13:04:00", None, "Sales / Offer"),
]
CHANGES = [
    ("amount", "1000", "1200.5", "2026-03-01 08:30:00"),
    ("expected_close_date", "2026-02-28", "2026-03-31", "2026-02-01 08:00:00"),
    ("owner_rep_id", "Ben Klein", "Anna Weber", "2026-02-01 08:30:00"),
]
OF_ENTRIES = "deal_id, CAST(entered_at AS VARCHAR), from_stage_id, to_stage_id"
OF_CHANGES = "field, old_value, new_value, CAST(changed_at AS VARCHAR)"


def test_the_activity_log_is_the_history(tmp_path: Path) -> None:
    result = imported(workbook(tmp_path, {"sales": BOARD}), {"log.csv": LOG})
    assert rows(tmp_path, "deal_stage_history", OF_ENTRIES) == ENTRIES
    assert rows(tmp_path, "deal_field_history", OF_CHANGES) == CHANGES
    assert [(f.table, f.rows_read, f.accepted, f.excluded) for f in result.files if f.file == "log.csv"] == [
        ("deal_stage_history", 9, 4, 5),
        ("deal_field_history", 9, 3, 6),
    ]


def answers() -> str:
    """The same events as the interface answers: JSON in a cell, time in ten-millionths of a second, people as numbers."""
    told = [
        ("17724420000000000", "update_column_value", '{"pulse_id":8365173510,"column_title":"Stage","value":{"label":{"text":"Won"}},"previous_value":{"label":{"text":"Offer"}}}'),
        ("17723538000000000", "update_column_value", '{"pulse_id":8365173510,"column_title":"Deal value","value":{"value":1200.5},"previous_value":{"value":"1000"}}'),
        ("17699346000000000", "update_column_value", '{"pulse_id":8365173510,"column_title":"Owner","value":{"personsAndTeams":[{"id":7}]},"previous_value":{"personsAndTeams":[{"id":8}]}}'),
        ("17699328000000000", "update_column_value", '{"pulse_id":8365173510,"column_title":"Close date","value":{"date":"2026-03-31"},"previous_value":{"date":"2026-02-28"}}'),
        ("17676000000000000", "update_column_value", '{"pulse_id":8365173510,"column_title":"Stage","value":{"label":{"text":"Offer"}},"previous_value":{"label":{"text":"Lead"}}}'),
        ("17461910400000000", "create_pulse", '{"pulse_id":8396967148,"pulse_name":"Alpha"}'),
        ("17398822800000000", "create_pulse", '{"pulse_id":8365173510,"pulse_name":"Gamma"}'),
    ]  # fmt: skip
    return text([["id", "created_at", "event", "data"], *([n, *row] for n, row in enumerate(told))])


def test_answers_of_the_interface_tell_the_same_history_except_for_people(tmp_path: Path) -> None:
    imported(workbook(tmp_path, {"sales": BOARD}), {"activity_logs.csv": answers()})
    assert rows(tmp_path, "deal_stage_history", OF_ENTRIES) == ENTRIES
    assert rows(tmp_path, "deal_field_history", OF_CHANGES) == CHANGES[:2]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("1000,1200.5", "1000,12OO", "line 3: '12OO' of the column 'Deal value' is no number"),
        ("2026-02-28,2026-03-31", "2026-02-28,soon", "line 5: 'soon' of the column 'Close date' is no day"),
    ],
    ids=["an amount with letters", "a day that is none"],
)
def test_a_log_with_nonsense_is_refused_by_its_line(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    with pytest.raises(ReadError) as refused:
        imported(workbook(tmp_path, {"sales": BOARD}), {"log.csv": LOG.replace(old, new)})
    assert sentence in str(refused.value)


# The invented company on a board.

LOSES = {"pipeline_created": "deleted deals are not on the board (deals.deleted_at)"}


@pytest.fixture(scope="module")
def english(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("monday")
    export(original, folder, "monday")
    return folder


def test_the_company_on_monday_has_the_same_figures(english: Path, original_figures: dict[str, Any]) -> None:
    assert balanced(import_company(english))
    assert differing(original_figures, figures(english)) == list(LOSES)


def test_the_german_board_gives_the_same_rows(english: Path, original: Path, tmp_path: Path) -> None:
    import_company(english)
    export(original, tmp_path / "de", "monday", "de")
    assert balanced(import_company(tmp_path / "de"))
    for table in (
        "pipelines",
        "stages",
        "deals",
        "deal_stage_history",
        "deal_field_history",
        "deal_products",
    ):
        own = "* EXCLUDE (source_ref)"
        assert rows(tmp_path / "de", table, own) == rows(english, table, own), table
