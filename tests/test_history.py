"""The history does not depend on the order of the rows, nor on how many deals are worked on at a time."""

import random

import pytest
from canonical import STAGES, changed, connection, deal, entered

from salestrack import prepare
from salestrack.config import Config

DEALS = [
    deal("d1", status="won", stage_id="W"),
    deal("d2"),
    deal("d3", status="lost", stage_id="L", closed_date="2026-02-20", owner_rep_id=None),
    deal("d4", deleted_at="2026-04-01 08:00:00", amount=None),
    deal("d5", status="won", stage_id="W", expected_close_date="2026-07-31"),
]
HISTORY = [
    entered("d1", 1, "Q", "2026-01-05 09:00:00", amount=100, expected_close_date="2026-03-31"),
    entered("d1", 2, "L", "2026-02-01 12:00:00"),
    entered("d1", 3, "P", "2026-02-01 12:00:00"),
    entered("d1", 4, "Q", "2026-02-11 12:00:00"),
    entered("d1", 5, "W", "2026-02-20 12:00:00", amount=130),
    entered("d2", 1, "Q", "2026-01-05 09:00:00", amount=90),
    entered("d4", 1, "Q", "2026-01-05 09:00:00"),
    entered("d4", 2, "P", "2026-03-05 09:00:00"),
    entered("nobody's", 1, "Q", "2026-01-05 09:00:00"),
    entered("nobody's", 2, "P", "2026-01-06 09:00:00"),
]
CHANGES = [
    changed("d2", "expected_close_date", "2026-03-31", "2026-04-30", "2026-02-01 09:00:00"),
    changed("d2", "expected_close_date", "2026-04-30", "2026-06-30", "2026-02-01 19:00:00"),
    changed("d2", "expected_close_date", "2026-06-30", "2026-05-31", "2026-03-01 19:00:00"),
    changed("d2", "owner_rep_id", "r1", "r2", "2026-03-01 19:00:00"),
    changed("d5", "amount", "500", None, "2026-02-01 09:00:00"),
    changed("d5", "amount", None, "700", "2026-03-01 09:00:00"),
]
TABLES = ("deal_stage_history", "deal_versions", "stage_spells")


def derived(deals, history, changes):
    con = connection(stages=STAGES, deals=deals, deal_stage_history=history, deal_field_history=changes)
    prepare.derive(con, Config())
    con.execute("ALTER TABLE deal_stage_history DROP source_ref")
    return {name: con.execute(f"FROM {name} ORDER BY ALL").fetchall() for name in TABLES}


@pytest.mark.parametrize("block", [1, 2, 3, 250_000])
@pytest.mark.parametrize("seed", [1, 2])
def test_neither_the_order_of_the_rows_nor_the_size_of_a_block_matters(monkeypatch, seed, block):
    expected = derived(DEALS, HISTORY, CHANGES)
    monkeypatch.setattr(prepare, "BLOCK", block)
    assert derived(DEALS, HISTORY, CHANGES) == expected
    shuffled = [random.Random(seed).sample(rows, len(rows)) for rows in (DEALS, HISTORY, CHANGES)]
    assert derived(*shuffled) == expected


def test_entries_of_a_deal_that_is_not_there_are_numbered_all_the_same():
    con = connection(stages=STAGES, deals=DEALS, deal_stage_history=HISTORY)
    prepare.derive(con, Config())
    rows = con.execute(
        "SELECT seq, from_stage_id, to_stage_id, exited_at::VARCHAR, is_backward FROM deal_stage_history "
        "WHERE deal_id = 'nobody''s' ORDER BY seq"
    ).fetchall()
    assert rows == [(1, None, "Q", "2026-01-06 09:00:00", None), (2, "Q", "P", None, False)]
    assert con.execute("SELECT count(*) FROM deal_versions WHERE deal_id NOT LIKE 'd_'").fetchone() == (0,)


def test_a_company_without_deals_has_an_empty_history():
    assert derived([], [], []) == dict.fromkeys(TABLES, [])
