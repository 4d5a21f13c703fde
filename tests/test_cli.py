"""The command line: what a user reads when all is well, and the one sentence when it is not."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from salestrack.cli import main

ROOT = Path(__file__).parents[1]
DEMO = str(ROOT / "data" / "demo")
ADVENTUREWORKS = str(ROOT / "data" / "adventureworks")


def salestrack(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Runs the command in this process; its exit code."""
    monkeypatch.setattr(sys, "argv", ["salestrack", *arguments])
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        pytest.param(["kpii"], 64, "there is no command 'kpii', did you mean 'kpi'?", id="misspelt command"),
        pytest.param(
            ["kpi", "winrate"],
            64,
            "there is no figure 'winrate', did you mean 'win_rate'?",
            id="misspelt figure",
        ),
        pytest.param(
            ["kpi", "win_rate", "--by", "temas"],
            64,
            "win_rate cannot group by 'temas', did you mean 'team'?",
            id="misspelt group",
        ),
        pytest.param(
            ["kpi", "win_rate", "--month", "2026-13"],
            64,
            "'2026-13' is not a month: write year and month as 2026-10",
            id="no month",
        ),
        pytest.param(
            ["kpi", "win_rate", "--month", "../../etc"],
            64,
            "'../../etc' is not a month",
            id="a path for a month",
        ),
        pytest.param(
            ["kpi", "win_rate", "--month", '2026-02"; import os'], 64, "is not a month", id="code for a month"
        ),
        pytest.param(
            ["kpi", "win_rate", "--month", "2019-01"],
            66,
            "has no data for 2019-01: its data run from",
            id="month without data",
        ),
        pytest.param(
            ["kpi", "win_rate", "--by", "owner_rep_id"],
            64,
            "figures per person ('owner_rep_id') are off",
            id="persons",
        ),
        pytest.param(["kpi", "win_rate", "--period", "soon"], 64, "'soon' is not a period", id="no period"),
        pytest.param(["report", "--data", "nowhere"], 66, "there is no folder nowhere", id="missing folder"),
        pytest.param(["report", "--only", "3x"], 64, "there is no notebook '3x'", id="unknown notebook"),
        pytest.param(["report", "--month", "01"], 64, "'01' is not a month", id="half a month"),
        pytest.param(["report", "--language", "fr"], 64, "'fr' is not one of", id="unknown language"),
        pytest.param(["import", "nofile.csv"], 66, "there is no file nofile.csv", id="missing file"),
        pytest.param(
            ["doctor", "nofile.csv"], 66, "there is no file nofile.csv", id="doctor of a missing file"
        ),
    ],
)
def test_bad_input_gets_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: list[str],
    code: int,
    sentence: str,
) -> None:
    monkeypatch.chdir(ROOT)
    if arguments[0] == "report":
        arguments = [*arguments, "--out", str(tmp_path)]
    assert salestrack(monkeypatch, *arguments) == code
    said = capsys.readouterr().err
    assert sentence in said
    assert "Traceback" not in said
    assert len(said.strip().splitlines()[-1:]) == 1


def test_debug_shows_the_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert salestrack(monkeypatch, "--debug", "kpi", "winrate") == 64
    assert "Traceback" in capsys.readouterr().err


def test_average_order_value_of_adventureworks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Order lines of Microsoft's sample: 80,977,720.21 dollars in 3,796 orders (sums over the two raw files)."""
    assert salestrack(monkeypatch, "kpi", "average_order_value", "--data", ADVENTUREWORKS, "--json") == 0
    row = json.loads(capsys.readouterr().out)[0]
    assert row["value"] == 80_977_720.21
    assert row["n"] == 3796
    assert row["average_order_value"] == pytest.approx(21_332.3815, abs=5e-5)


def test_reps_at_quota_of_adventureworks_by_fiscal_year(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        salestrack(
            monkeypatch, "kpi", "share_of_reps_at_quota", "--by", "year", "--data", ADVENTUREWORKS, "--json"
        )
        == 0
    )
    rows = json.loads(capsys.readouterr().out)
    assert [(r["year"], r["at_quota"], r["n"]) for r in rows] == [
        ("2017-07-01", 2, 12),
        ("2018-07-01", 4, 15),
        ("2019-07-01", 3, 18),
    ]


def test_the_three_forms_say_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = {}
    for form in ("--json", "--csv", None):
        arguments = [
            "kpi",
            "win_rate",
            "--by",
            "team",
            "--period",
            "2026",
            "--data",
            DEMO,
            *([form] if form else []),
        ]
        assert salestrack(monkeypatch, *arguments) == 0
        printed[form] = capsys.readouterr().out
    rows = json.loads(printed["--json"])
    head, *lines = printed["--csv"].strip().splitlines()
    assert [dict(zip(head.split(","), line.split(","), strict=True))["team"] for line in lines] == [
        r["team"] for r in rows
    ]
    assert len(printed[None].strip().splitlines()) == len(rows) + 1


def test_a_month_is_the_day_of_a_stock_and_the_span_of_a_flow(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = {}
    for figure in ("open_pipeline", "bookings"):
        for month in ("2026-09", "2026-10"):
            assert salestrack(monkeypatch, "kpi", figure, "--month", month, "--data", DEMO, "--json") == 0
            counts[figure, month] = json.loads(capsys.readouterr().out)[0]["n"]
    assert min(counts["open_pipeline", m] for m in ("2026-09", "2026-10")) > 200
    assert max(counts["bookings", m] for m in ("2026-09", "2026-10")) < 60


def test_unknown_is_null_in_json_and_a_dash_for_the_eye(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["kpi", "win_rate", "--data", ADVENTUREWORKS]
    assert salestrack(monkeypatch, *arguments, "--json") == 0
    row = json.loads(capsys.readouterr().out)[0]
    assert row["win_rate"] is None
    assert row["won"] == 0
    assert salestrack(monkeypatch, *arguments) == 0
    assert "–" in capsys.readouterr().out


def test_explain_prints_the_definition(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert salestrack(monkeypatch, "kpi", "win_rate", "--explain") == 0
    assert "Formula:" in capsys.readouterr().out


def test_check_of_the_demo_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert salestrack(monkeypatch, "check", "--data", DEMO, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["level"] in ("ok", "warn")
    assert all(load["balanced"] for load in told["loads"])


def test_doctor_explains_and_saves_a_mapping(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    saved = tmp_path / "mapping.toml"
    arguments = ["doctor", f"{DEMO}/raw/salesforce/Opportunity.csv", "--data", DEMO, "--save", str(saved)]
    assert salestrack(monkeypatch, *arguments) == 0
    assert "StageName" in capsys.readouterr().out
    assert saved.read_text(encoding="utf-8")


def test_world_writes_a_company_that_can_be_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert salestrack(monkeypatch, "world", str(tmp_path / "tiny"), "--deals", "60", "--seed", "5") == 0
    assert salestrack(monkeypatch, "kpi", "bookings", "--data", str(tmp_path / "tiny"), "--json") == 0
    told = capsys.readouterr().out
    assert json.loads(told[told.index("[") :])[0]["n"] > 0
