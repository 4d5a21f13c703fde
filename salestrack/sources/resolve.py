"""Names to ids: columns in which an export gives the display name of a person, company or thing instead of its id.

Names are compared in Unicode's composed form, trimmed, without double spaces and letter case. A name of several rows
is never guessed: the rows that use it go to quarantine. A name that no table knows becomes a row of its own, whose id
is the name: it is all that the exports tell.
"""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from salestrack.config import Config
from salestrack.schema import TABLES
from salestrack.sources.cells import NAMED
from salestrack.sources.mapping import FileSpec, Rule, literal, quoted
from salestrack.sources.quarantine import as_table, quarantine_rows

Connection = duckdb.DuckDBPyConnection

NAMES = {
    "reps": ("rep_id", "rep_name"),
    "accounts": ("account_id", "account_name"),
    "products": ("product_id", "product_name"),
    "campaigns": ("campaign_id", "campaign_name"),
    "teams": ("team_id", "team_name"),
    "territories": ("territory_id", "territory_name"),
}
"""Table to its id and its display name."""

MACRO = (
    "CREATE OR REPLACE MACRO name_key(x) AS lower(nfc_normalize(trim(regexp_replace(x, '\\s+', ' ', 'g'))))"
)


def named_columns(specs: Iterable[FileSpec]) -> dict[tuple[str, str], str]:
    """The canonical columns that files may fill with names: (table, column) to the table that knows the names."""
    found: dict[tuple[str, str], str] = {}
    for spec in specs:
        for table, rules in spec.to.items():
            for column, rule in rules.items():
                for of in _name_of(rule):
                    found[table, column] = of
    return found


def _name_of(rule: Rule) -> tuple[str, ...]:
    own = (rule.name_of,) if rule.name_of else ()
    return own + (_name_of(rule.alternative) if rule.alternative else ())


def resolve(con: Connection, columns: dict[tuple[str, str], str], config: Config) -> None:
    """Replaces every name by its id, in the tables of the connection.

    Rows with a name that fits several go to quarantine (`name:ambiguous`).
    """
    con.execute(MACRO)
    for (table, column), of in columns.items():
        names = _names(con, table, column)
        if not names:
            continue
        as_table(con, table)
        ids = _ids(con, of, names, config)
        for name in [name for name, found in ids.items() if len(found) > 1]:
            _refuse(con, table, column, name, of, ids.pop(name))
        unknown = [name for name, found in ids.items() if not found]
        if unknown:
            _add(con, table, column, of, unknown)
            ids |= _ids(con, of, unknown, config)
        _replace(con, table, column, {name: found[0] for name, found in ids.items()})


def _names(con: Connection, table: str, column: str) -> list[str]:
    rows = con.execute(
        f"SELECT DISTINCT substr({quoted(column)}, {len(NAMED) + 1}) AS name FROM {quoted(table)} "
        f"WHERE starts_with({quoted(column)}, {literal(NAMED)}) ORDER BY name"
    ).fetchall()
    return [row[0] for row in rows]


def _ids(con: Connection, of: str, names: list[str], config: Config) -> dict[str, list[str]]:
    """The ids that each name may stand for; an alias leads to another name or straight to an id."""
    key, shown = NAMES[of]
    aliases = getattr(config.aliases, of)
    con.execute("CREATE OR REPLACE TEMP TABLE wanted (name VARCHAR, meant VARCHAR)")
    folded = {_key(con, other): meant for other, meant in aliases.items()}
    con.executemany(
        "INSERT INTO wanted VALUES (?, ?)", [[name, folded.get(_key(con, name), name)] for name in names]
    )
    rows = con.execute(
        f"""
        SELECT w.name, list(DISTINCT coalesce(i.{key}, n.{key}) ORDER BY coalesce(i.{key}, n.{key}))
               FILTER (coalesce(i.{key}, n.{key}) IS NOT NULL)
        FROM wanted w
        LEFT JOIN {of} i ON i.{key} = w.meant AND w.meant <> w.name
        LEFT JOIN {of} n ON name_key(n.{shown}) = name_key(w.meant)
        GROUP BY w.name ORDER BY w.name
        """
    ).fetchall()
    return {name: found or [] for name, found in rows}


def _key(con: Connection, name: str) -> str:
    row = con.execute("SELECT name_key(?)", [name]).fetchone()
    return str(row[0]) if row else name


def _refuse(con: Connection, table: str, column: str, name: str, of: str, ids: list[str]) -> None:
    shown = ", ".join(ids[:5])
    quarantine_rows(
        con,
        table,
        f"{quoted(column)} = {literal(NAMED + name)}",
        f"name:ambiguous:{column}",
        f"{column} '{name}' is the name of several {of} ({shown}): export ids, or say which one in [aliases.{of}]",
        f"{column} „{name}“ heißen mehrere in {of} ({shown}): Kennungen exportieren oder in [aliases.{of}] festlegen",
    )


def _add(con: Connection, table: str, column: str, of: str, names: list[str]) -> None:
    """A row for each name that no table knows; one name in several spellings is one row."""
    key, shown = NAMES[of]
    as_table(con, of)
    defaults = {
        name: f"CAST({literal(found.default)} AS {found.duckdb_type})"
        for name, found in TABLES[of].imported.items()
        if found.default and "{" not in found.default
    }
    more = "".join(f", {value} AS {quoted(name)}" for name, value in defaults.items())
    created = (
        ", min(created_at) AS created_at" if _has(of, "created_at") and _has(table, "created_at") else ""
    )
    con.execute(
        f"""
        INSERT INTO {of} BY NAME
        SELECT min(name) AS {key}, min(name) AS {shown}, any_value(source_system) AS source_system,
               min(source_ref) AS source_ref{created}{more}
        FROM (SELECT *, substr({quoted(column)}, {len(NAMED) + 1}) AS name FROM {quoted(table)}
              WHERE starts_with({quoted(column)}, {literal(NAMED)}))
        WHERE name IN ({", ".join(map(literal, names))}) GROUP BY name_key(name)
        """
    )


def _has(table: str, column: str) -> bool:
    return column in TABLES[table].imported


def _replace(con: Connection, table: str, column: str, ids: dict[str, str]) -> None:
    con.execute("CREATE OR REPLACE TEMP TABLE resolved (name VARCHAR, id VARCHAR)")
    rows = [[NAMED + name, found] for name, found in ids.items()]
    if rows:
        con.executemany("INSERT INTO resolved VALUES (?, ?)", rows)
    con.execute(
        f"UPDATE {quoted(table)} SET {quoted(column)} = r.id FROM resolved r WHERE {quoted(table)}.{quoted(column)} = r.name"
    )
