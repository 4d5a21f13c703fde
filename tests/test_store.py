"""The store: whole generations, checked, one import at a time."""

import subprocess
import sys

import pytest
import source_files as sf

from salestrack import store
from salestrack.errors import Busy, MissingData, ReadError
from salestrack.importing import import_company
from salestrack.store import Store


@pytest.fixture
def folder(tmp_path):
    sf.imported(tmp_path, {"costs.csv": sf.COSTS})
    return tmp_path


def test_an_empty_store_says_what_to_do(tmp_path):
    with pytest.raises(MissingData, match="run salestrack import"):
        Store.open(tmp_path / "store")


def test_every_table_is_a_parquet_file_named_in_the_manifest(folder):
    opened = Store.open(folder / "store")
    assert opened.generation.startswith("000001-")
    assert {"costs", "deals", "load_log", "quarantine"} <= set(opened.tables)
    assert {path.name for path in opened.folder.iterdir()} == {p.name for p in opened.tables.values()} | {
        "manifest.json"
    }


@pytest.mark.parametrize(
    "damage",
    [lambda b: b[:-1], lambda b: b[:60] + bytes([b[60] ^ 1]) + b[61:]],
    ids=["cut short", "one bit flipped"],
)
def test_a_damaged_file_is_refused(folder, damage):
    path = Store.open(folder / "store").tables["costs"]
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ReadError, match="not as it was written"):
        Store.open(folder / "store", verify=True)


def test_a_generation_that_was_never_pointed_at_is_ignored_and_removed(folder):
    before = Store.open(folder / "store").generation
    half = folder / "store" / "generations" / "000009-dead"
    half.mkdir()
    (half / "manifest.json").write_text("{}")
    (folder / "store" / "staging" / "work").mkdir(parents=True)
    assert Store.open(folder / "store").generation == before
    (folder / "raw" / "costs.csv").write_text(sf.COSTS.replace("K3", "K4"))
    assert import_company(folder).generation.startswith("000002-")
    assert sorted(p.name[:6] for p in (folder / "store" / "generations").iterdir()) == ["000001", "000002"]
    assert not (folder / "store" / "staging").exists()


def test_only_the_last_two_generations_are_kept(folder):
    for number in range(4, 8):
        (folder / "raw" / "costs.csv").write_text(sf.COSTS.replace("K3", f"K{number}"))
        import_company(folder)
    assert sorted(p.name[:6] for p in (folder / "store" / "generations").iterdir()) == ["000004", "000005"]


def test_a_second_import_waits_and_is_then_refused(folder):
    first, second = store.lock(folder / "store"), store.lock(folder / "store", wait=0.2)
    with first, pytest.raises(Busy, match="in use by another import") as refused, second:
        pass
    assert refused.value.exit_code == 75


def test_the_lock_goes_with_its_process(folder):
    code = "import os, sys; from pathlib import Path; from salestrack import store\n"
    code += "with store.lock(Path(sys.argv[1])): os._exit(9)"
    assert subprocess.run([sys.executable, "-c", code, str(folder / "store")], check=False).returncode == 9
    with store.lock(folder / "store", wait=0):
        pass
