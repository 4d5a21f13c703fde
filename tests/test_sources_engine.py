"""The engine behind every mapping: headings of other languages, columns that are rows, names, stages, crosswalks."""

from pathlib import Path

import pytest
from source_files import company, imported, rows

from salestrack.errors import SalestrackError

MAPPING = """
system = "tiny"
title = "Tiny"
[headings]
"Phase" = "Stage"
"Inhaber" = "Owner"
[crosswalks]
stage_status = "SELECT * FROM (VALUES ('Won', 'won'), ('Lost', 'lost')) t(from_id, to_id)"
[files.deals]
match = ["No", "Stage", "Owner"]
[files.deals.rules.deal_stage_history]
unpivot = { columns = 'Entered "(?P<into>.+)"', name = "column", value = "when" }
[files.deals.to.deals]
deal_id = "No"
deal_name = "No"
stage_id = "Stage"
status = { from = "Stage", crosswalk = "stage_status", const = "open" }
amount = "Value"
owner_rep_id = { from = "Owner", name_of = "reps" }
created_at = "Created"
closed_date = "Closed"
updated_at = "Changed"
[files.deals.to.deal_stage_history]
deal_id = "No"
to_stage_id = "into"
entered_at = "when"
"""
ENGLISH = 'No,Stage,Owner,Value,Created,Closed,"Entered ""Offer""","Entered ""Won"""\n'
GERMAN = ENGLISH.replace("Stage", "Phase").replace("Owner", "Inhaber")
ROWS = "1,Won,Anna Weber,100,2026-01-05,2026-02-01,2026-01-05,2026-02-01\n2,Offer,anna  weber,200,2026-01-06,,2026-01-06,\n"
REPS = "rep_id,rep_name\nR1,Anna Weber\n"


def with_mapping(folder: Path, files: dict[str, str | bytes], config: str | None = None) -> Path:
    """A company with the mapping of the invented system."""
    made = company(folder, files, config) if config else company(folder, files)
    (made / "mappings").mkdir()
    (made / "mappings" / "tiny.toml").write_text(MAPPING, encoding="utf-8")
    return made


@pytest.mark.parametrize("header", [ENGLISH, GERMAN], ids=["English headings", "German headings"])
def test_headings_of_another_language_read_the_same(tmp_path: Path, header: str) -> None:
    with_mapping(tmp_path, {"export.csv": header + ROWS, "reps.csv": REPS})
    imported(tmp_path, {})
    assert rows(tmp_path, "deals", "deal_id, stage_id, status, owner_rep_id") == [
        ("1", "Won", "won", "R1"),
        ("2", "Offer", "open", "R1"),
    ]


def test_columns_that_are_rows_fill_a_second_table(tmp_path: Path) -> None:
    with_mapping(tmp_path, {"export.csv": ENGLISH + ROWS, "reps.csv": REPS})
    result = imported(tmp_path, {})
    found = rows(tmp_path, "deal_stage_history", "deal_id, to_stage_id, seq")
    assert found == [("1", "Offer", 1), ("1", "Won", 2), ("2", "Offer", 1)]
    assert [f.unmapped for f in result.files if f.file == "export.csv"] == [(), ()]


def test_a_german_file_is_refused_in_its_own_words(tmp_path: Path) -> None:
    many = "".join(f"{n},Offer,Anna Weber,100,2026-01-05,,,\n" for n in range(3, 300))
    with_mapping(tmp_path, {"export.csv": GERMAN.replace("Value", "Wert") + ROWS + many, "reps.csv": REPS})
    mapping = tmp_path / "mappings" / "tiny.toml"
    mapping.write_text(
        mapping.read_text().replace('"Phase" =', '"Wert" = "Value"\n"Phase" ='), encoding="utf-8"
    )
    text = (tmp_path / "raw" / "export.csv").read_text(encoding="utf-8").replace("Weber,200", "Weber,zwei")
    (tmp_path / "raw" / "export.csv").write_text(
        text.replace("anna  weber,200", "anna  weber,zwei"), encoding="utf-8"
    )
    imported(tmp_path, {})
    assert rows(tmp_path, "quarantine", "line, reason_en") == [(3, "Wert 'zwei' is not a number")]


def test_an_unknown_name_becomes_a_row_known_by_its_name(tmp_path: Path) -> None:
    with_mapping(tmp_path, {"export.csv": ENGLISH + ROWS})
    imported(tmp_path, {})
    assert rows(tmp_path, "reps", "rep_id, rep_name, is_active") == [("Anna Weber", "Anna Weber", True)]
    assert rows(tmp_path, "deals", "owner_rep_id") == [("Anna Weber",), ("Anna Weber",)]


def test_an_alias_leads_to_the_person(tmp_path: Path) -> None:
    config = '[company]\nname = "T"\n[aliases.reps]\n"A. Weber" = "Anna Weber"\n"AW" = "R1"\n'
    text = ROWS.replace("anna  weber", "AW").replace("Anna Weber", "a. weber")
    with_mapping(tmp_path, {"export.csv": ENGLISH + text, "reps.csv": REPS}, config)
    imported(tmp_path, {}, config)
    assert rows(tmp_path, "deals", "owner_rep_id") == [("R1",), ("R1",)]


def test_a_name_of_two_persons_is_not_guessed(tmp_path: Path) -> None:
    config = '[company]\nname = "T"\n[import]\nmax_quarantine_share = 1.0\n'
    with_mapping(tmp_path, {"export.csv": ENGLISH + ROWS, "reps.csv": REPS + "R2,ANNA WEBER\n"}, config)
    result = imported(tmp_path, {}, config)
    assert rows(tmp_path, "deals", "deal_id") == []
    (reason,) = set(rows(tmp_path, "quarantine", "reason_en", "line = 2"))
    assert reason[0].startswith("owner_rep_id 'Anna Weber' is the name of several reps (R1, R2)")
    (deals,) = [f for f in result.files if f.table == "deals"]
    assert (deals.rows_read, deals.accepted, deals.quarantined) == (2, 0, 2)


def test_stages_that_no_file_describes(tmp_path: Path) -> None:
    with_mapping(tmp_path, {"export.csv": ENGLISH + ROWS})
    config = '[company]\nname = "T"\n[stages]\norder = ["Offer", "Won"]\n'
    imported(tmp_path, {}, config)
    assert rows(tmp_path, "stages", "stage_id, stage_type, stage_order") == [
        ("Offer", "open", 1),
        ("Won", "won", 2),
    ]


def test_columns_of_ones_own_can_be_grouped_by(tmp_path: Path) -> None:
    from salestrack.book import Book
    from salestrack.kpis import bookings, stage_dwell

    header = ENGLISH.replace("Value", "Value,Product Line")
    text = ROWS.replace(",100,", ",100,Pumps,").replace(",200,", ",200,Valves,")
    with_mapping(tmp_path, {"export.csv": header + text})
    imported(tmp_path, {})
    with Book.open(tmp_path, "2026-02-28") as book:
        found = book.kpi(bookings, by="Product Line")[["Product Line", "bookings"]].values.tolist()
        assert found == [["Pumps", 100.0], ["Valves", 0.0]]
        assert book.kpi(stage_dwell, by="Product Line")["Product Line"].tolist() == ["Pumps", "Valves"]


def test_a_prefix_of_ids_that_only_some_exports_write_is_left_out(tmp_path: Path) -> None:
    with_mapping(tmp_path, {"a.csv": ENGLISH + ROWS, "reps.csv": REPS})
    mapping = tmp_path / "mappings" / "tiny.toml"
    text = mapping.read_text(encoding="utf-8").replace('title = "Tiny"', 'title = "Tiny"\nid_prefix = "t_"')
    mapping.write_text(text, encoding="utf-8")
    (tmp_path / "raw" / "b.csv").write_text(ENGLISH + ROWS.replace("1,Won", "t_1,Won"), encoding="utf-8")
    imported(tmp_path, {})
    assert rows(tmp_path, "deals", "deal_id") == [("1",), ("2",)]


def test_rows_are_left_out_by_a_column_that_the_file_does_not_have(tmp_path: Path) -> None:
    with_mapping(tmp_path, {"export.csv": ENGLISH + ROWS})
    mapping = tmp_path / "mappings" / "tiny.toml"
    rule = '[files.deals]\ndrop = ["Gone"]\nrules.deals = { skip = "Gone IS NOT NULL" }\n'
    mapping.write_text(mapping.read_text(encoding="utf-8").replace("[files.deals]\n", rule), encoding="utf-8")
    imported(tmp_path, {})
    assert len(rows(tmp_path, "deals", "deal_id")) == 2


MORE = """
system = "tiny"
title = "Tiny, another kind of file"
[crosswalks]
level = "SELECT Name AS from_id, Level AS to_id FROM tiny.levels"
[files.levels]
match = ["Name", "Level"]
[files.reports]
match = ["Deal Name", "Stage", "Owner"]
[files.reports.needs]
"No" = "add the column 'No' to the list and export it again"
[files.reports.to.deals]
deal_id = "No"
deal_name = "Deal Name"
stage_id = { from = "Stage", crosswalk = "level" }
status = { from = "Stage", crosswalk = "stage_status", const = "open" }
owner_rep_id = { from = "Owner", name_of = "reps" }
created_at = "Created"
expected_close_date = "Created"
"""
LIST = "No,Deal Name,Stage,Owner,Created\n1,Alpha,Won,Anna Weber,2026-01-05\n2,Beta,Offer,Anna Weber,2026-01-06\n"


def with_two_mappings(folder: Path, files: dict[str, str | bytes]) -> Path:
    """A company with two mapping files of the invented system."""
    made = with_mapping(folder, files)
    (made / "mappings" / "tiny_more.toml").write_text(MORE, encoding="utf-8")
    return made


def test_two_mapping_files_of_one_system_share_crosswalks_and_identity(tmp_path: Path) -> None:
    levels = "Name,Level\nOffer,2 Offer\nWon,9 Won\n"
    with_two_mappings(tmp_path, {"list.csv": LIST, "levels.csv": levels})
    imported(tmp_path, {})
    assert rows(tmp_path, "deals", "source_system, deal_id, stage_id, status") == [
        ("tiny", "1", "9 Won", "won"),
        ("tiny", "2", "2 Offer", "open"),
    ]


def test_a_column_that_is_needed_is_asked_for_in_the_mapping_s_words(tmp_path: Path) -> None:
    with_two_mappings(tmp_path, {"list.csv": LIST.replace("No,", "Nr,")})
    with pytest.raises(
        SalestrackError, match="^list.csv: add the column 'No' to the list and export it again$"
    ):
        imported(tmp_path, {})


def test_a_file_named_like_our_own_goes_to_the_mapping_that_explains_more(tmp_path: Path) -> None:
    header = "deal_id,deal_name,status,created_at,No,Stage,Owner,Value,Closed\n"
    with_mapping(tmp_path, {"deals.csv": header + "1,Alpha,won,2026-01-05,1,Won,Anna Weber,100,2026-02-01\n"})
    mapping = tmp_path / "mappings" / "tiny.toml"
    mapping.write_text(mapping.read_text().replace('"Created"', '"created_at"'), encoding="utf-8")
    assert {f.system for f in imported(tmp_path, {}).files} == {"tiny"}


@pytest.mark.parametrize(
    ("last", "footer"),
    [
        pytest.param("Confidential: for us only,,,,\n", 1, id="a sentence alone in its row"),
        pytest.param("Total,,,,300\n,,,,\nGenerated by Anna,,,,\n", 2, id="a total and a sentence"),
        pytest.param("Confidential,Gamma,Offer,Anna Weber,2026-01-07\n", 0, id="a deal of such a number"),
    ],
)
def test_sentences_below_the_data_are_no_rows(tmp_path: Path, last: str, footer: int) -> None:
    with_two_mappings(tmp_path, {"list.csv": LIST + last})
    (found,) = [f for f in imported(tmp_path, {}).files if f.file == "list.csv"]
    assert (found.footer, found.quarantined, found.rows_read) == (footer, 0, found.accepted + footer)


LOOKED_UP = """
system = "pairs"
title = "A system whose stages and people have several names"
[headings]
"Kontakte" = "People"
[crosswalks]
stage_status = "SELECT Pipeline || '/' || Name AS from_id, Means AS to_id FROM pairs.meanings"
number = "SELECT Name AS from_id, min(Number) AS to_id FROM pairs.meanings GROUP BY 1"
[files.meanings]
match = ["Pipeline", "Name", "Means"]
drop = ["Number"]
[files.list]
match = ["No", "Stage", "Pipeline", "Day"]
[files.list.rules.deal_contacts.each]
column = "People"
name = "one"
place = "place of one"
[files.list.to.deals]
deal_id = "No"
deal_name = "No"
stage_id = { from = "Code", or = { from = "Stage", crosswalk = "number", or = { from = "Stage" } } }
status = { from = "Stage", crosswalk = "stage_status", key = "Pipeline || '/' || Stage", uses = ["Pipeline"], const = "open" }
created_at = { const = "2026-01-05" }
expected_close_date = { sql = "CAST(local_day(Day) AS VARCHAR)", uses = ["Day"] }
[files.list.to.deal_contacts]
deal_id = "No"
contact_id = "one"
is_primary = { sql = "CASE WHEN \\"place of one\\" = '1' THEN 'yes' ELSE 'no' END", uses = ["place of one"] }
"""
MEANINGS = "Pipeline,Name,Means,Number\nA,Done,won,7\nB,Done,lost,7\n"


def looked_up(folder: Path, table: str) -> None:
    made = company(folder, {"list.csv": table, "meanings.csv": MEANINGS})
    (made / "mappings").mkdir()
    (made / "mappings" / "pairs.toml").write_text(LOOKED_UP, encoding="utf-8")
    imported(folder, {})


def test_a_crosswalk_looks_up_more_than_one_column_and_stands_behind_another_rule(tmp_path: Path) -> None:
    looked_up(
        tmp_path,
        "No,Stage,Pipeline,Day,Code\n1,Done,A,2026-03-01,\n2,Done,B,2026-03-01,9\n3,New,B,2026-03-01,\n",
    )
    assert rows(tmp_path, "deals", "deal_id, stage_id, status") == [
        ("1", "7", "won"),
        ("2", "9", "lost"),
        ("3", "New", "open"),
    ]


@pytest.mark.parametrize("heading", ["People", "Kontakte", "PEOPLE"])
def test_each_id_of_a_cell_is_a_row(tmp_path: Path, heading: str) -> None:
    looked_up(
        tmp_path,
        f"No,Stage,Pipeline,Day,{heading}\n1,Done,A,2026-03-01,8; 7\n2,Done,A,2026-03-01,\n3,New,B,,6;\n",
    )
    assert rows(tmp_path, "deal_contacts", "deal_id, contact_id, is_primary") == [
        ("1", "7", False),
        ("1", "8", True),
        ("3", "6", True),
    ]
    counts = rows(tmp_path, "load_log", "rows_read, accepted, quarantined", "table_name = 'deal_contacts'")
    assert counts == [(3, 3, 0)]


def test_a_file_without_the_column_of_ids_has_no_such_rows(tmp_path: Path) -> None:
    looked_up(tmp_path, "No,Stage,Pipeline,Day\n1,Done,A,2026-03-01\n")
    assert rows(tmp_path, "deal_contacts", "deal_id") == []


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param("2026-03-02", id="a day"),
        pytest.param("2026-03-01T23:30:00Z", id="a time in UTC is the next day in Berlin"),
        pytest.param("2026-03-01T18:30:00-05:00", id="a time with an offset"),
        pytest.param("1772407800000", id="milliseconds since 1970"),
        pytest.param("2026-03-02 00:30", id="a local time"),
    ],
)
def test_the_day_of_a_text(tmp_path: Path, cell: str) -> None:
    looked_up(tmp_path, f"No,Stage,Pipeline,Day\n1,Done,A,{cell}\n")
    assert [str(row[0]) for row in rows(tmp_path, "deals", "expected_close_date")] == ["2026-03-02"]


def test_a_key_without_a_crosswalk_is_a_mistake_of_the_mapping(tmp_path: Path) -> None:
    made = company(tmp_path, {"list.csv": "No,Stage,Pipeline,Day\n"})
    (made / "mappings").mkdir()
    wrong = LOOKED_UP.replace('crosswalk = "stage_status", key', "key")
    (made / "mappings" / "pairs.toml").write_text(wrong, encoding="utf-8")
    with pytest.raises(SalestrackError, match="key says what a crosswalk looks up: add crosswalk"):
        imported(tmp_path, {})
