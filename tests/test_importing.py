"""Imports: once is enough, all or nothing, nothing lost."""

import subprocess
import sys
from decimal import Decimal

import duckdb
import pytest
import source_files as sf

from salestrack import prepare
from salestrack.config import load_config
from salestrack.errors import ReadError, SalestrackError
from salestrack.importing import import_company, raw_files
from salestrack.sources import doctor
from salestrack.store import Store


def test_a_second_import_has_nothing_to_do(tmp_path):
    first = sf.imported(tmp_path, {"costs.csv": sf.COSTS})
    second = import_company(tmp_path)
    assert (first.changed, second.changed) == (True, False)
    assert second.generation == first.generation
    assert second.files == first.files


def test_a_touched_file_of_the_same_content_changes_nothing(tmp_path):
    first = sf.imported(tmp_path, {"costs.csv": sf.COSTS})
    (tmp_path / "raw" / "costs.csv").write_text(sf.COSTS)
    assert import_company(tmp_path).generation == first.generation


@pytest.mark.parametrize("what", ["file", "config", "mapping"])
def test_what_tables_depend_on_makes_a_new_generation(tmp_path, what):
    first = sf.imported(tmp_path, {"costs.csv": sf.COSTS})
    if what == "file":
        (tmp_path / "raw" / "costs_2.csv").write_text(sf.COSTS.replace("K", "L"))
    elif what == "config":
        (tmp_path / "salestrack.toml").write_text(sf.CONFIG + "[goals]\nwin_rate = 0.3\n")
    else:
        (tmp_path / "mappings").mkdir()
        (tmp_path / "mappings" / "own.toml").write_text(
            'system = "own"\ntitle = "Own"\n[files.x]\nmatch = ["zzz"]\n'
        )
    second = import_company(tmp_path)
    assert second.changed
    assert second.generation != first.generation


def test_two_imports_of_the_same_files_give_the_same_content(tmp_path):
    files = {"Opportunity.csv": sf.DEALS, "OpportunityStage.csv": sf.STAGES, "costs.csv": sf.COSTS}
    one, two = sf.imported(tmp_path / "one", files), sf.imported(tmp_path / "two", files)
    assert one.files == two.files
    hashes = [
        Store.open(tmp_path / n / "store").manifest["tables"]["deals"]["sha256"] for n in ("one", "two")
    ]
    assert hashes[0] == hashes[1]


def test_an_export_delivered_twice_changes_no_fact(tmp_path):
    result = sf.imported(tmp_path, {"costs.csv": sf.COSTS, "costs_again.csv": sf.COSTS})
    assert sf.rows(tmp_path, "costs", "count(*), sum(amount)") == [(3, Decimal("6000.7500"))]
    assert [(f.accepted, f.superseded) for f in result.files] == [(0, 3), (3, 0)]


def test_files_named_on_the_way_are_copied_once(tmp_path):
    folder = sf.company(tmp_path / "firm", {"costs.csv": sf.COSTS})
    new = tmp_path / "teams.csv"
    new.write_text("team_id,team_name\nT1,North\n")
    assert import_company(folder, paths=[new]).changed
    assert not import_company(folder, paths=[new]).changed
    assert sorted(raw_files(folder)[0]) == ["costs.csv", "imported/teams.csv"]


def test_a_file_that_cannot_be_read_leaves_raw_and_store_as_they_were(tmp_path):
    folder = tmp_path / "firm"
    before = sf.imported(folder, {"costs.csv": sf.COSTS}).generation
    strange = tmp_path / "strange.csv"
    strange.write_text("a,b\n1,2\n")
    with pytest.raises(SalestrackError, match=r"strange.csv: no mapping explains its columns"):
        import_company(folder, paths=[strange])
    assert list(raw_files(folder)[0]) == ["costs.csv"]
    assert import_company(folder).generation == before


def test_an_unknown_system_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(SalestrackError, match="there is no system 'salesforc', did you mean 'salesforce'"):
        import_company(sf.company(tmp_path, {"costs.csv": sf.COSTS}), as_system="salesforc")


def test_other_files_in_raw_are_named_and_left_alone(tmp_path):
    result = sf.imported(tmp_path, {"costs.csv": sf.COSTS, "notes.pdf": "x", ".hidden": "x"})
    assert result.ignored == ("notes.pdf",)


@pytest.mark.parametrize("quarantined", [0, 1])
def test_every_row_is_accounted_for(tmp_path, quarantined):
    bad = sf.COSTS.replace("2000.25", "two") if quarantined else sf.COSTS
    config = sf.CONFIG + "[import]\nmax_quarantine_share = 0.5\n"
    result = sf.imported(
        tmp_path, {"costs.csv": bad + "Summe,,,9,\n", "costs_b.csv": sf.COSTS.replace("K1", "K9")}, config
    )
    for file in result.files:
        assert (
            file.rows_read == file.accepted + file.superseded + file.quarantined + file.excluded + file.footer
        )
    assert (
        sum(f.quarantined for f in result.files)
        == quarantined
        == len(sf.rows(tmp_path, "quarantine", "line"))
    )
    assert sum(f.accepted for f in result.files) == len(sf.rows(tmp_path, "costs", "cost_id")) == 4


def test_rows_without_an_exchange_rate_move_to_quarantine_in_the_account_too(tmp_path):
    config = sf.CONFIG + "[import]\nmax_quarantine_share = 0.5\n"
    result = sf.imported(
        tmp_path, {"costs.csv": sf.COSTS.replace("2000.25,EUR", "2000.25,USD")}, config
    ).files[0]
    assert (result.accepted, result.quarantined) == (2, 1)
    assert sf.rows(tmp_path, "quarantine", "line, reasons") == [(3, '["rate:missing"]')]


def test_too_many_rows_without_an_exchange_rate_stop_the_import(tmp_path):
    before = sf.imported(tmp_path, {"costs.csv": sf.COSTS}).generation
    with pytest.raises(ReadError, match="1 of 3 rows cannot be used, the first is line 3: no exchange rate"):
        sf.imported(tmp_path, {"costs.csv": sf.COSTS.replace("2000.25,EUR", "2000.25,USD")})
    assert Store.open(tmp_path / "store").generation == before


def test_an_import_that_needs_more_memory_than_usual_gets_it(tmp_path, monkeypatch):
    limits = []

    def derive(con, *rest, real=prepare.derive):
        limits.append(con.execute("SELECT current_setting('memory_limit')").fetchone()[0])
        if len(limits) == 1:
            raise duckdb.OutOfMemoryException("too little")
        return real(con, *rest)

    monkeypatch.setattr(prepare, "derive", derive)
    assert sf.imported(tmp_path, {"costs.csv": sf.COSTS}).files[0].accepted == 3
    assert len(set(limits)) == len(limits) == 2


def test_an_import_that_no_memory_suffices_for_is_refused_in_words(tmp_path, monkeypatch):
    def derive(*_):
        raise duckdb.OutOfMemoryException("too little")

    monkeypatch.setattr(prepare, "derive", derive)
    with pytest.raises(
        SalestrackError, match="cannot be imported with 4GB of memory: import it in smaller parts"
    ):
        sf.imported(tmp_path, {"costs.csv": sf.COSTS})


def test_an_import_killed_on_its_way_leaves_the_old_data(tmp_path):
    before = sf.imported(tmp_path, {"costs.csv": sf.COSTS}).generation
    (tmp_path / "raw" / "costs.csv").write_text(sf.COSTS.replace("K3", "K4"))
    code = (
        "import os, sys; from salestrack import importing, store\n"
        "store.publish = lambda *a: os._exit(9)\nimporting.import_company(sys.argv[1])"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 9
    assert Store.open(tmp_path / "store").generation == before
    assert import_company(tmp_path).changed
    assert not (tmp_path / "store" / "staging").exists()


def test_a_damaged_store_is_mended_by_the_next_import(tmp_path):
    sf.imported(tmp_path, {"costs.csv": sf.COSTS})
    path = Store.open(tmp_path / "store").tables["costs"]
    path.unlink()
    assert import_company(tmp_path).changed
    assert len(sf.rows(tmp_path, "costs", "cost_id")) == 3


def test_doctor_says_where_every_column_goes(tmp_path):
    folder = sf.company(tmp_path, {"Opportunity.csv": sf.DEALS})
    text = doctor(folder / "raw" / "Opportunity.csv", load_config(folder)).text()
    assert "Salesforce (API names" in text
    assert "amount <- Amount (money)" in text
    assert "created_at <- CreatedDate (timestamp, iso)" in text


def test_doctor_drafts_a_mapping_that_then_reads_the_file(tmp_path):
    folder = sf.company(tmp_path, {})
    export = tmp_path / "Ausgaben.csv"
    export.write_text(
        sf.COSTS.replace("cost_id", "Cost ID")
        .replace("cost_date", "Cost Date")
        .replace("cost_type", "Cost Type")
    )
    report = doctor(export, load_config(folder))
    assert "no mapping explains its columns" in report.problem
    (folder / "mappings").mkdir()
    (folder / "mappings" / "mine.toml").write_text(report.mapping_toml())
    assert import_company(folder, paths=[export]).files[0].accepted == 3


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        (
            'system = "own"\ntitle = "x"\n[files.a]\nmatch = ["a"]\n[files.a.to.dealz]\nx = "a"\n',
            "no canonical table 'dealz', did you mean 'deals'",
        ),
        (
            'system = "own"\ntitle = "x"\n[files.a]\nmatch = ["a"]\n[files.a.to.deals]\namout = "a"\n',
            "no column 'amout', did you mean 'amount'",
        ),
        (
            'system = "own"\ntitle = "x"\n[files.a]\nmach = ["a"]\n',
            "unknown key 'mach', did you mean 'match'",
        ),
        (
            'system = "own"\ntitle = "x"\n[files.a]\nmatch = ["a"]\n[files.a.to.deals]\namount = {}\n',
            "say where the column comes from",
        ),
        ("system = ", "not valid TOML"),
    ],
)
def test_a_wrong_mapping_is_refused_in_words(tmp_path, toml, sentence):
    folder = sf.company(tmp_path, {"costs.csv": sf.COSTS})
    (folder / "mappings").mkdir()
    (folder / "mappings" / "own.toml").write_text(toml)
    with pytest.raises(SalestrackError) as refused:
        import_company(folder)
    assert sentence in str(refused.value)
    assert "own.toml" in str(refused.value)
