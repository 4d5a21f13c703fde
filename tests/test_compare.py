"""What other systems would show: each habit differs from ours for the reason that it gives."""

from __future__ import annotations

from datetime import datetime
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from books import make_book
from canonical import STAGES, deal
from click.testing import CliRunner

from salestrack import kpis
from salestrack.cli import cli
from salestrack.compare import as_text, compare, habits
from salestrack.i18n import Words

RATES = [
    {
        "from_currency_code": "USD",
        "to_currency_code": "EUR",
        "rate_date": day,
        "rate": rate,
        "rate_type": "spot",
    }
    for day, rate in (("2026-01-01", 0.5), ("2026-10-31", 0.8))
]


def closed(number: int, stage: str, **values: object) -> dict[str, object]:
    """A deal closed on 10 October 2026, whose Close Date field says so too unless told otherwise."""
    status = "won" if stage == "W" else "lost"
    return deal(
        f"d{number}",
        **{
            "stage_id": stage,
            "status": status,
            "closed_at": datetime(2026, 10, 10, 12),
            "expected_close_date": "2026-10-10",
        }
        | values,
    )


DEALS = [
    closed(1, "W", amount=100),
    closed(2, "W", amount=300, currency_code="USD"),
    closed(3, "W", amount=1_000, expected_close_date="2026-11-05"),
    closed(4, "L", amount=500),
    closed(5, "L", amount=500, lost_reason="Duplicate", is_archived=True),
]


@pytest.fixture
def table(tmp_path: Path) -> pd.DataFrame:
    with make_book(tmp_path, stages=STAGES, deals=DEALS, exchange_rates=RATES) as book:
        return compare(book)


@pytest.mark.parametrize(
    ("figure", "system", "ours", "theirs"),
    [
        ("bookings", "Salesforce", 1_250, 250),
        ("bookings", "Salesforce, static rates", 1_250, 1_340),
        ("bookings", "dbt_salesforce", 1_250, 400),
        ("average_deal_size", "Salesforce, HubSpot, Pipedrive", 150, 1_250 / 3),
        ("average_deal_size", "dbt_salesforce", 150, 200),
        ("win_rate", "Salesforce, HubSpot, Pipedrive", 3 / 4, 3 / 5),
        ("win_rate", "dbt_salesforce", 3 / 4, 400 / 1_400),
        ("win_rate", "Pipedrive, without archived deals", 3 / 4, 3 / 4),
    ],
)
def test_a_habit_gives_its_own_figure(
    table: pd.DataFrame, figure: str, system: str, ours: float, theirs: float
) -> None:
    row = table[(table["figure"] == figure) & (table["system"] == system)].iloc[0]
    assert row["ours"] == pytest.approx(ours)
    assert row["theirs"] == pytest.approx(theirs)
    assert row["difference"] == pytest.approx(theirs - ours)


def test_every_habit_is_about_a_figure_of_ours_and_gives_its_reason_in_both_languages() -> None:
    for habit in habits():
        assert habit.figure in kpis.CARDS
        assert habit.en.endswith(".")
        assert habit.de.endswith(".")
        assert bool(habit.sql) != bool(habit.theirs)
    named = " ".join(habit.system for habit in habits())
    assert all(system in named for system in ("Salesforce", "HubSpot", "Pipedrive", "dbt_salesforce"))


def test_the_text_names_the_figure_in_the_readers_language_and_unknown_is_a_dash(table: pd.DataFrame) -> None:
    german = as_text(table.assign(theirs=float("nan")), Words("de", "EUR"))
    assert german.startswith("Auftragseingang: 1.250")
    assert "\n  dbt_salesforce: –" in german
    assert "Addiert die Beträge aller Währungen" in german


def test_a_company_without_a_pipeline_has_nothing_to_compare(tmp_path: Path) -> None:
    with make_book(tmp_path) as book:
        table = compare(book)
    assert table.empty
    assert as_text(table, Words("en", "EUR")).startswith("No data")


def test_the_command_compares_the_demo_company() -> None:
    done = CliRunner().invoke(cli, ["compare", "--month", "2026-10", "--csv"])
    assert done.exit_code == 0, done.output
    table = pd.read_csv(StringIO(done.stdout))
    assert set(table["figure"]) == {habit.figure for habit in habits()}
    assert table["theirs"].notna().mean() > 0.9
