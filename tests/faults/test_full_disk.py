"""A disk that is full during an import: one sentence, the old data whole, and the next import brings everything in."""

from __future__ import annotations

import re
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import source_files as sf

from salestrack.importing import import_company
from salestrack.store import Store

IMPORT = [sys.executable, "-m", "salestrack", "import", "--data"]
OWN_DISK = ["unshare", "--user", "--map-root-user", "--mount"]
SENTENCE = (
    r"salestrack: no space left in \S+: [\d.]+ MB are free and the import may need [\d.]+ MB; "
    r"make room and run the command again"
)
LIMITED = r"salestrack: \S+ takes no more \(a quota or a limit of file sizes\): have it raised and run the command again"
ON_A_FULL_DISK = """
set -e
mount -t tmpfs -o size=8m none "$1"
cp -r "$2/." "$1"
cp -r "$3" "$1/raw/"
free=$(df --output=avail -k "$1" | tail -1)
head -c $(((free - $4) * 1024)) /dev/zero > "$1/filler"
shift 4
set +e
"$@"
echo "code $?"
cat store/CURRENT
rm filler
"$@" > /dev/null
echo "code $?"
cat store/CURRENT
"""


def company(folder: Path) -> tuple[str, Path]:
    """A company with data; the generation, and an export of 2,000 deals that comes later."""
    files = {"Opportunity.csv": sf.DEALS, "OpportunityStage.csv": sf.STAGES, "costs.csv": sf.COSTS}
    before = sf.imported(folder, files).generation
    head, row, *_ = sf.DEALS.splitlines()
    key = row.split(",")[0]
    later = folder.parent / "Opportunity_2.csv"
    later.write_text(
        "\n".join([head, *(row.replace(key, f"{key[:-7]}{n:04d}{key[-3:]}") for n in range(2_000))]) + "\n"
    )
    return before, later


def has_own_disks() -> bool:
    """Whether this machine lets a process mount a disk of its own."""
    tried = [*OWN_DISK, "true"]
    return bool(shutil.which("unshare")) and subprocess.run(tried, check=False).returncode == 0


@pytest.mark.parametrize("free", [4, 40, 90, 160], ids=lambda free: f"{free} kB")
@pytest.mark.skipif(not has_own_disks(), reason="a disk of one's own needs user namespaces")
def test_a_full_disk_leaves_the_old_data_and_says_so(tmp_path: Path, free: int) -> None:
    before, later = company(tmp_path / "company")
    disk = tmp_path / "disk"
    disk.mkdir()
    arguments = [str(disk), str(tmp_path / "company"), str(later), str(free), *IMPORT, "."]
    script = ON_A_FULL_DISK.replace("set +e", f"set +e\ncd {disk}", 1)
    run = subprocess.run(
        [*OWN_DISK, "sh", "-c", script, "sh", *arguments], capture_output=True, text=True, check=False
    )
    assert re.fullmatch(SENTENCE, run.stderr.strip()), run.stderr
    first, kept, second, new = run.stdout.splitlines()
    assert (first, kept) == ("code 74", before)
    assert second == "code 0"
    assert new > before


@pytest.mark.parametrize("most", [500, 2_000, 8_000])
def test_a_file_that_the_system_lets_grow_no_further_is_the_same(tmp_path: Path, most: int) -> None:
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    before, later = company(tmp_path / "company")
    shutil.copy(later, tmp_path / "company" / "raw")
    run = subprocess.run(
        [*IMPORT, str(tmp_path / "company")], capture_output=True, text=True, check=False, preexec_fn=limit
    )
    assert re.fullmatch(LIMITED, run.stderr.strip()), run.stderr
    assert run.returncode == 74
    store = Store.open(tmp_path / "company" / "store", verify=True)
    assert store.generation == before
    assert import_company(tmp_path / "company").changed
