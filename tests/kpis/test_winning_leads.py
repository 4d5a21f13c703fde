"""The mistakes that the reference names for leads that become customers."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from kpis.rows import day

from salestrack import kpis

NOW = "2026-10-31"


# -- leads to customers (11)


def leads(*rows: tuple[str, str, str | None], **more: Any) -> pd.DataFrame:
    """Leads as (id, created, disqualified)."""
    table = pd.DataFrame(rows, columns=["lead_id", "created_date", "disqualified_at"])
    return table.assign(**{c: day(*table[c]) for c in ("created_date", "disqualified_at")}).assign(**more)


def won(*rows: tuple[str, str | None, str]) -> pd.DataFrame:
    """Won deals as (id, lead, closed)."""
    table = pd.DataFrame(rows, columns=["deal_id", "lead_id", "closed_date"]).astype({"lead_id": "str"})
    return table.assign(closed_date=day(*table["closed_date"]), status="won")


def test_a_win_belongs_to_the_month_in_which_its_lead_came() -> None:
    frame = leads(("a", "2026-01-10", None), ("b", "2026-02-10", None), ("c", "2026-02-11", None))
    table = kpis.lead_conversion(frame, won(("d", "a", "2026-02-20")), as_of=NOW, by="month")
    assert table[["won", "n", "lead_conversion"]].to_numpy().tolist() == [[1, 1, 1.0], [0, 2, 0.0]]


def test_a_company_counts_once_however_many_leads_and_deals_it_has() -> None:
    frame = leads(
        *[(name, "2026-01-10", None) for name in "abcde"],
        company_name=["Acme", " acme", "ACME", "Bolt", None],
        contact_id=None,
    )
    table = kpis.lead_conversion(
        frame, won(("d", "a", "2026-02-20"), ("e", "b", "2026-03-20"), ("f", "b", "2026-04-20")), as_of=NOW
    )
    assert table[["won", "leads", "n"]].iloc[0].tolist() == [1, 5, 3]
    assert table["lead_conversion"][0] == pytest.approx(1 / 3)


def test_a_lead_that_was_not_converted_is_of_the_company_that_another_one_became() -> None:
    frame = leads(
        ("a", "2026-01-10", None),
        ("b", "2026-03-10", None),
        company_name=["Acme", "acme"],
        converted_account_id=[None, "x"],
        converted_deal_id=[None, "d"],
        converted_at=day(None, "2026-03-15"),
    )
    table = kpis.lead_conversion(frame, won(("d", None, "2026-05-01")), as_of=NOW)
    assert table[["won", "n"]].iloc[0].tolist() == [1, 1]
    before = kpis.lead_conversion(frame, won(("d", None, "2026-05-01")), as_of="2026-03-12")
    assert before[["won", "n"]].iloc[0].tolist() == [0, 1]


def test_leads_that_become_one_account_later_are_two_until_then() -> None:
    frame = leads(
        ("a", "2026-01-10", None),
        ("b", "2026-03-10", None),
        converted_account_id="x",
        converted_at=day("2026-03-15", "2026-03-16"),
    )
    assert kpis.lead_conversion(frame, won(), as_of="2026-03-14")["n"][0] == 2
    assert kpis.lead_conversion(frame, won(), as_of="2026-03-16")["n"][0] == 1


def test_the_channel_is_that_of_the_first_lead() -> None:
    frame = leads(
        ("a", "2026-03-10", None), ("b", "2026-01-10", None), contact_id="p", lead_source=["Fair", "Website"]
    )
    table = kpis.lead_conversion(frame, won(("d", "a", "2026-04-01")), as_of=NOW, by="lead_source")
    assert table[["lead_source", "won", "n"]].to_numpy().tolist() == [["Website", 1, 1]]


def test_a_second_lead_in_the_period_is_no_new_person() -> None:
    frame = leads(("a", "2026-01-10", None), ("b", "2026-03-10", None), contact_id="p")
    assert kpis.lead_conversion(frame, won(), as_of=NOW, period="2026-03")["n"][0] == 0
    assert kpis.lead_conversion(frame, won(), as_of=NOW, period="2026-01")["n"][0] == 1


def test_a_person_is_disqualified_when_the_last_of_the_leads_is() -> None:
    frame = leads(("a", "2026-01-10", "2026-01-12"), ("b", "2026-02-10", None), contact_id="p")
    assert kpis.lead_conversion(frame, won(), as_of=NOW)["disqualified"][0] == 0
    over = leads(("a", "2026-01-10", "2026-01-12"), ("b", "2026-02-10", "2026-03-01"), contact_id="p")
    assert kpis.lead_conversion(over, won(), as_of=NOW)["disqualified"][0] == 1
    assert kpis.lead_conversion(over, won(), as_of="2026-02-20")["disqualified"][0] == 0


def test_a_deal_won_before_the_lead_came_is_not_its_conversion() -> None:
    frame = leads(("a", "2026-03-10", None))
    earlier, later = ("d", "a", "2026-02-01"), ("e", "a", "2026-05-01")
    assert kpis.lead_conversion(frame, won(earlier), as_of=NOW)["won"][0] == 0
    assert kpis.lead_conversion(frame, won(earlier, later), as_of=NOW)["won"][0] == 1
