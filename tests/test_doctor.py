"""Doctor: a mapping drafted for files that none explains, and the documented example of an unknown system."""

from __future__ import annotations

import re
import sys
import tomllib
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import source_files as sf

from salestrack.cli import main
from salestrack.config import load_config
from salestrack.errors import CannotWrite
from salestrack.importing import import_company
from salestrack.sources import doctor
from salestrack.sources.mapping import Mapping

PAGE = (Path(__file__).parents[1] / "docs" / "sources" / "other.md").read_text(encoding="utf-8")

ENGLISH = """\
Ref,Subject,Customer,Sales Rep,Deal Stage,Deal Value,Currency,Win Probability,Opened,Expected Close,Loss Reason,Shoe size
A1,Pumps,Example Ltd,Ada Berg,Closed Won,"12,500.00",EUR,100,2026-01-05,2026-02-28,,43
A2,Valves,Sample Inc,Ben Kern,Closed Lost,"3,200.50",EUR,0,2026-01-12,2026-03-15,price,41
A3,Filters,Example Ltd,Ada Berg,Proposal,"48,000.00",EUR,60,2026-02-03,2026-06-30,,44
"""
GERMAN = """\
Vorgangsnummer;Titel;Firma;Zuständig;Phase;Auftragswert;Erstellt am;Abschlusstermin
A1;Pumps;Example Ltd;Ada Berg;Gewonnen;12.500,00;05.01.2026;28.02.2026
A2;Valves;Sample Inc;Ben Kern;Verloren;3.200,50;12.01.2026;15.03.2026
A3;Filters;Example Ltd;Ada Berg;Angebot;48.000,00;03.02.2026;30.06.2026
"""
WANTED = [
    ("A1", "Pumps", "Example Ltd", "Ada Berg", "won", Decimal("12500.0000"), datetime(2026, 1, 4, 23), date(2026, 2, 28)),
    ("A2", "Valves", "Sample Inc", "Ben Kern", "lost", Decimal("3200.5000"), datetime(2026, 1, 11, 23), date(2026, 3, 15)),
    ("A3", "Filters", "Example Ltd", "Ada Berg", "open", Decimal("48000.0000"), datetime(2026, 2, 2, 23), date(2026, 6, 30)),
]  # fmt: skip
DEAL = "deal_id, deal_name, account_id, owner_rep_id, status, amount, created_at, expected_close_date"
VISITS = """\
Nr;Art;Datum;Dauer (Min);Mitarbeiter;Betreff
1;Anruf;05.01.2026 09:30;15;Ada Berg;Erstgespräch
2;Besuch;06.01.2026 14:00;90;Ben Kern;Vorführung
3;Sonstwas;07.01.2026 08:00;30;Ben Kern;
"""


def saved(folder: Path, name: str, text: str) -> Path:
    """A company whose mapping was drafted from this file, and nothing else done."""
    company = sf.company(folder / "company", {})
    export = folder / name
    export.write_text(text, encoding="utf-8")
    doctor(export, load_config(company), company).save(company / "mappings" / "drafted.toml")
    import_company(company, paths=[export])
    return company


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("acme_crm.csv", ENGLISH, id="English headings"),
        pytest.param("Liste.csv", GERMAN, id="German headings, numbers and dates"),
    ],
)
def test_a_simple_list_of_deals_is_imported_by_the_draft_as_it_is(
    tmp_path: Path, name: str, text: str
) -> None:
    assert sf.rows(saved(tmp_path, name, text), "deals", DEAL) == WANTED


def test_a_probability_in_percent_becomes_a_share(tmp_path: Path) -> None:
    company = saved(tmp_path, "acme_crm.csv", ENGLISH)
    assert sf.rows(company, "deals", "probability") == [(0.0,), (0.6,), (1.0,)]


def test_activities_are_told_from_deals_and_minutes_become_seconds(tmp_path: Path) -> None:
    company = saved(tmp_path, "Besuche.csv", VISITS)
    columns = "activity_id, activity_type, started_at, duration_s, owner_rep_id, subject"
    assert sf.rows(company, "activities", columns) == [
        ("1", "call", datetime(2026, 1, 5, 8, 30), 900, "Ada Berg", "Erstgespräch"),
        ("2", "meeting", datetime(2026, 1, 6, 13), 5400, "Ben Kern", "Vorführung"),
        ("3", "other", datetime(2026, 1, 7, 7), 1800, "Ben Kern", None),
    ]


def test_the_draft_lists_the_stages_and_what_it_could_not_place(tmp_path: Path) -> None:
    (tmp_path / "crm.csv").write_text(ENGLISH)
    text = doctor(tmp_path / "crm.csv", load_config(sf.company(tmp_path / "c", {}))).mapping_toml()
    assert '# order = ["Proposal"]\n# won = ["Closed Won"]\n# lost = ["Closed Lost"]' in text
    assert '# no meaning yet, kept in custom_fields: "Shoe size"' in text


def test_a_needed_column_that_is_missing_is_told_and_marked(tmp_path, monkeypatch, capsys) -> None:
    company = sf.company(tmp_path / "c", {})
    (tmp_path / "deals_old.csv").write_text("Ref,Subject,Deal Stage,Value\n1,Pumps,Won,5\n2,Valves,Lost,6\n")
    command = ["salestrack", "doctor", str(tmp_path / "deals_old.csv"), "--data", str(company), "--save"]
    monkeypatch.setattr(sys, "argv", command)
    main()
    assert "read and correct it (still needed: created_at), then import" in capsys.readouterr().out
    draft = (company / "mappings" / "deals_old.toml").read_text()
    assert '# created_at = ""  # needed: time of creation in the source' in draft
    assert Mapping.model_validate(tomllib.loads(draft))


def test_a_mapping_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    company = saved(tmp_path, "acme_crm.csv", ENGLISH)
    with pytest.raises(CannotWrite, match=r"drafted.toml is there already"):
        doctor(tmp_path / "acme_crm.csv", load_config(company), company).save(
            company / "mappings" / "drafted.toml"
        )


def test_a_known_system_with_columns_of_its_own_keeps_what_is_known(tmp_path: Path) -> None:
    deals = sf.DEALS.replace("SystemModstamp", "SystemModstamp,Competition__c").replace(
        ":00.000Z\n", ":00.000Z,Rival\n"
    )
    company = sf.company(tmp_path / "c", {"OpportunityStage.csv": sf.STAGES})
    export = tmp_path / "Opportunity 2026-10.csv"
    export.write_text(deals)
    report = doctor(export, load_config(company), company)
    assert "custom_fields <- Competition__c" in report.text()
    line = '# no meaning yet, kept in custom_fields: "Competition__c"  (Rival)'
    assert line in report.draft
    report.draft = report.draft.replace(line, 'competitor = "Competition__c"').replace(
        'competitor = "MainCompetitors__c"\n', ""
    )
    report.save(company / "mappings" / "own.toml")
    import_company(company, paths=[export])
    columns = "deal_id, status, amount, competitor, source_system"
    assert sf.rows(company, "deals", columns) == [
        ("006A", "won", Decimal("1000.5000"), "Rival", "salesforce"),
        ("006B", "lost", None, "Rival", "salesforce"),
        ("006C", "open", Decimal("2000.0000"), "Rival", "salesforce"),
    ]


def blocks(language: str) -> list[str]:
    """The code blocks of a language in the documented example."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)


def test_the_documented_example_runs_as_it_stands(tmp_path, monkeypatch, capsys) -> None:
    (export,), (mapping, stages, tables), (shown,) = blocks("csv"), blocks("toml"), blocks("text")
    assert len(mapping.splitlines()) <= 25
    assert "tables" in tomllib.loads(tables)["import"]
    monkeypatch.chdir(tmp_path)
    company = sf.company(tmp_path / "data" / "acme", {}, f"{sf.CONFIG}{stages}")
    Path("vertriebsheft.csv").write_text(export, encoding="utf-8")
    for command in re.findall(r"^\$ salestrack (.* vertriebsheft.csv.*|.*vertriebsheft.csv.*)$", PAGE, re.M):
        monkeypatch.setattr(sys, "argv", ["salestrack", *command.split()])
        if command.startswith("import"):
            (company / "mappings" / "vertriebsheft.toml").write_text(mapping, encoding="utf-8")
        main()
    assert shown in capsys.readouterr().out
    assert sf.rows(
        company, "deals", "deal_id, account_id, owner_rep_id, stage_id, status, amount, probability"
    ) == [
        ("V-1001", "Muster AG", "Ada Berg", "Auftrag erhalten", "won", Decimal("12500.0000"), 1.0),
        ("V-1002", "Beispiel GmbH", "Ben Kern", "Kein Auftrag", "lost", Decimal("3200.5000"), 0.0),
        ("V-1003", "Muster AG", "Ada Berg", "Angebot liegt vor", "open", Decimal("48000.0000"), 0.6),
        ("V-1004", "Probe KG", "Ben Kern", "Gespräch", "open", None, 0.2),
    ]
    assert sf.rows(company, "stages", "stage_id, stage_order, stage_type", "stage_type = 'open'") == [
        ("Angebot liegt vor", 2, "open"),
        ("Gespräch", 1, "open"),
    ]


def test_the_draft_of_the_example_differs_only_in_the_words_of_the_house(tmp_path: Path) -> None:
    (tmp_path / "vertriebsheft.csv").write_text(blocks("csv")[0], encoding="utf-8")
    draft = doctor(tmp_path / "vertriebsheft.csv", load_config(sf.company(tmp_path / "c", {}))).draft
    found, wanted = (
        tomllib.loads(text)["files"]["vertriebsheft"]["to"]["deals"] for text in (draft, blocks("toml")[0])
    )
    found.pop("status"), wanted.pop("status")
    assert found == wanted
