"""The canonical tables as data, and the documentation made from them."""

from pathlib import Path

import duckdb
import pytest

from salestrack.schema import CANONICAL, DUCKDB_TYPES, TABLES, markdown

README = Path(__file__).parents[1] / "data" / "README.md"
START, END = "<!-- tables: begin (python -m salestrack.schema) -->\n", "<!-- tables: end -->"


def test_readme_shows_the_tables_as_they_are():
    text = README.read_text(encoding="utf-8")
    assert text.partition(START)[2].partition(END)[0] == markdown()


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_table_says_what_its_row_key_and_columns_are(name):
    table = TABLES[name]
    assert table.row.startswith("one ") or table.row.startswith("the ")
    assert set(table.key) <= set(table.columns)
    for column in table.columns.values():
        assert column.type in DUCKDB_TYPES
        assert column.meaning
        assert column.nullable == bool(column.null_rule)
        assert bool(column.values) == (column.type == "enum")


@pytest.mark.parametrize("name", CANONICAL)
def test_checks_are_conditions_over_the_tables_own_columns(name):
    table = TABLES[name]
    columns = ", ".join(f'"{c.name}" {c.duckdb_type}' for c in table.columns.values())
    con = duckdb.connect()
    con.execute(f"CREATE TABLE t ({columns})")
    for check in table.checks:
        assert con.execute(f"SELECT count(*) FROM t WHERE {check.bad}").fetchone() == (0,)


def test_money_facts_have_a_column_in_the_reporting_currency():
    made = {
        f"{t.name}.{c.name}"
        for t in TABLES.values()
        for c in t.columns.values()
        if c.name.endswith("_base_cents")
    }
    assert made >= {
        "orders.net_amount_base_cents",
        "order_lines.line_amount_base_cents",
        "costs.amount_base_cents",
        "quotas.quota_amount_base_cents",
    }


def test_every_canonical_row_can_be_traced_to_its_file():
    for name in CANONICAL:
        assert {"source_system", "source_ref", "custom_fields", "is_deleted"} <= set(TABLES[name].columns)
