"""A mapping drafted for a file that none explains: guessed from the names of its columns and the form of their content.

A guess is never used unseen: the draft is saved into the company's own `mappings/`, where people read and correct it.
"""

from __future__ import annotations

import json
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb

from salestrack.schema import TABLES, Column, words
from salestrack.sources.cells import DATES, NUMBERS
from salestrack.sources.formats import DATE_FORMS
from salestrack.sources.mapping import FILLED_BY_US, FileSpec, Mapping, Rule, literal, quoted, required
from salestrack.sources.resolve import NAMES

FEW = 30
"""Distinct values up to which a column counts as a choice of values, which the draft lists."""
_WORDS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("synonyms.toml").read_text(encoding="utf-8"))
_NAMED = {key: table for table, (key, _) in NAMES.items()} | {"owner_rep_id": "reps"}
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
_AN_ID = re.compile(r"(^|[^a-z])(id|nr|no|num|number|nummer|key|code|kuerzel)($|[^a-z])|nummer$")


@dataclass(frozen=True, slots=True)
class Facts:
    """What the cells of one column are like."""

    name: str
    filled: int = 0
    distinct: int = 0
    dates: int = 0
    numbers: int = 0
    largest: float = 0
    percent: bool = False
    spaces: bool = False
    values: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """date, number, few (a choice of values), text or empty."""
        if not self.filled:
            return "empty"
        if self.dates == self.filled:
            return "date"
        if self.numbers == self.filled:
            return "number"
        return "few" if 0 < len(self.values) <= FEW else "text"


def facts(con: duckdb.DuckDBPyConnection, view: str, columns: Sequence[str]) -> list[Facts]:
    """The facts of every column of a view of text."""
    return [_facts(con, view, name) for name in columns]


def _facts(con: duckdb.DuckDBPyConnection, view: str, name: str) -> Facts:
    dated = " OR ".join(f"regexp_full_match(x, {literal(pattern)})" for pattern, _ in DATE_FORMS.values())
    number = "coalesce(TRY_CAST(x AS DOUBLE), TRY_CAST(english_number(x) AS DOUBLE), TRY_CAST(german_number(x) AS DOUBLE))"
    row = con.execute(
        f"""
        SELECT count(x), count(DISTINCT x), count(*) FILTER (TRY_CAST(x AS TIMESTAMP) IS NOT NULL OR {dated}),
               count({number}), coalesce(max({number}), 0), coalesce(bool_or(x LIKE '%\\%%' ESCAPE '\\'), false),
               coalesce(bool_or(contains(x, ' ')), false)
        FROM (SELECT nullif(trim({quoted(name)}), '') AS x FROM {quoted(view)})
        """
    ).fetchone()
    assert row is not None
    few = con.execute(
        f"SELECT x, count(*) FROM (SELECT nullif(trim({quoted(name)}), '') AS x FROM {quoted(view)}) "
        f"WHERE x IS NOT NULL GROUP BY x ORDER BY 2 DESC, x LIMIT {FEW + 1}"
    ).fetchall()
    values = tuple(value for value, _ in few) if len(few) <= FEW else ()
    filled, distinct, dates, numbers, largest, percent, spaces = row
    return Facts(name, filled, distinct, dates, numbers, largest, percent, spaces, values)


# Which column means what


def plain(name: str) -> str:
    """A name reduced to its words: lower case, umlauts spelt out, everything else a space.

    >>> plain("Abschluss-Datum (geplant)"), plain("dealID"), plain("Währung")
    ('abschluss datum geplant', 'deal id', 'waehrung')
    """
    text = unicodedata.normalize("NFC", re.sub(r"(?<=[a-zäöü])(?=[A-Z])", " ", name)).casefold()
    return " ".join(re.findall(r"[a-z0-9]+", text.translate(_UMLAUTS)))


@lru_cache
def _names(table: str, column: str) -> tuple[frozenset[str], frozenset[str]]:
    """The names that mean a column for certain, and those that other systems may use for it."""
    own = {column, words.heading(table, column, "en"), words.heading(table, column, "de")}
    return frozenset(map(plain, own)), frozenset(map(plain, _WORDS["columns"].get(column, ())))


def _score(table: str, column: Column, found: Facts) -> float:
    """How well a column of the file fits a canonical one: 0 where its content speaks against it."""
    if not _fits(column, found):
        return 0
    own, other = _names(table, column.name)
    name = plain(found.name)
    if name in own:
        return 4
    if name in other:
        return 3
    spoken = set(name.split())
    near = [known for known in own | other if len(known) > 3 and set(known.split()) <= spoken]
    return 1 + max(map(len, near)) / 100 if near else 0


def _fits(column: Column, found: Facts) -> bool:
    if found.kind == "empty":
        return True
    if column.type in DATES:
        return found.kind == "date"
    if column.type in NUMBERS:
        return found.kind == "number" or (column.name == "duration_s" and found.dates == 0)
    if column.name == "status" and column.values:
        return bool(found.values) and all(_meant("status", value) for value in found.values)
    if column.type in ("enum", "flag"):
        return len(found.values) > 0 and found.kind != "date"
    if column.type == "currency":
        return all(re.fullmatch("[A-Za-z]{3}", value) for value in found.values) and bool(found.values)
    return found.kind != "date"


def assign(table: str, columns: Sequence[Facts]) -> dict[str, Facts]:
    """Each canonical column of a table with the column of the file that fits it best; none is used twice."""
    needed = required(TABLES[table])
    scored = sorted(
        (
            (-_score(table, column, found), column.name not in needed, place, column.name, found)
            for place, column in enumerate(_fillable(table))
            for found in columns
            if _score(table, column, found)
        ),
        key=lambda each: each[:3],
    )
    taken: dict[str, Facts] = {}
    for _, _, _, name, found in scored:
        if name not in taken and found not in taken.values():
            taken[name] = found
    return _with_key(table, columns, taken)


def _fillable(table: str) -> list[Column]:
    return [column for column in TABLES[table].imported.values() if column.name not in _NOT_GUESSED]


_NOT_GUESSED = (*FILLED_BY_US, "is_deleted", "amount_source_base")


def _with_key(table: str, columns: Sequence[Facts], taken: dict[str, Facts]) -> dict[str, Facts]:
    """Where no name says which column is the key: one whose values are all different, without spaces before with."""
    key = TABLES[table].key[0]
    if key in taken or len(TABLES[table].key) > 1:
        return taken
    most = max((found.filled for found in columns), default=0)
    unique = [f for f in columns if f.filled == f.distinct == most > 0 and f.kind != "date"]
    free = [f for f in unique if f not in taken.values()]
    chosen = sorted(free, key=lambda f: f.spaces) or [f for f in unique if f is taken.get(_shown(table))]
    return taken | ({key: chosen[0]} if chosen else {})


def _shown(table: str) -> str:
    return next((name for name in TABLES[table].imported if name.endswith("_name")), "")


def likely_table(stem: str, columns: Sequence[Facts]) -> str:
    """The canonical table that a file is most likely meant for, by its name and its columns."""

    def weight(table: str) -> float:
        found = assign(table, columns)
        needed = required(TABLES[table])
        named = any(word in plain(stem).replace(" ", "") for word in _WORDS["tables"].get(table, ()))
        lacking = sum(name not in found and not _can_do_without(table, name, found) for name in needed)
        certain = sum(_score(table, TABLES[table].imported[name], each) for name, each in found.items())
        return certain - 4 * lacking + 6 * named

    return max(words.FILLED, key=weight)


def _can_do_without(table: str, name: str, found: dict[str, Facts]) -> bool:
    return table == "deals" and name == "status" and "stage_id" in found


# The draft


def draft(stem: str, columns: Sequence[Facts]) -> tuple[str, list[str]]:
    """A mapping as TOML, and the needed columns that nothing in the file fits."""
    table = likely_table(stem, columns)
    found = assign(table, columns)
    rules = {name: _rule(table, TABLES[table].imported[name], each) for name, each in found.items()}
    if table == "deals" and "status" not in rules and "stage_id" in found:
        rules["status"] = _status(found["stage_id"])
    lacking = [name for name in required(TABLES[table]) if name not in rules]
    used = {each.name for each in found.values()}
    kind = plain(stem).replace(" ", "_") or "file"
    proving = [found[name].name for name in required(TABLES[table]) if name in found]
    proving += [each.name for each in found.values() if each.name not in proving][: max(0, 4 - len(proving))]
    lines = [
        f"# Drafted by salestrack doctor: one row is taken to be {words.one_row(table, 'en')}. Read it, correct it, import.",
        f'system = "{"own" if kind[0].isdigit() else re.sub("_?[0-9].*", "", kind) or "own"}"',
        f"title = {_toml(stem)}",
        "",
        f"[files.{kind}]",
        f"match = [{', '.join(map(_toml, dict.fromkeys(proving)))}]  # the columns that prove such a file",
        "",
        f"[files.{kind}.to.{table}]",
        *(f"{name} = {rule}" for name, rule in rules.items()),
        *(f'# {name} = ""  # needed: {TABLES[table].columns[name].meaning}' for name in lacking),
        *_stages(found),
        *(
            f"# no meaning yet, kept in custom_fields: {_toml(each.name)}{_seen(each)}"
            for each in columns
            if each.name not in used
        ),
    ]
    return "\n".join(lines) + "\n", lacking


def _rule(table: str, column: Column, found: Facts) -> str:
    """The right side of a column's line."""
    name = _toml(found.name)
    if column.type == "enum":
        return f"{{ from = {name}, map = {_map(column, found)}{_other(column, found)} }}"
    if column.name == "duration_s" and found.kind == "number" and (scale := _seconds(plain(found.name))):
        return f"{{ from = {name}, scale = {scale} }}"
    if column.type == "share" and found.largest > 1 and not found.percent:
        return f"{{ from = {name}, scale = 0.01 }}"
    of = _NAMED.get(column.name)
    if of and of != table and not _AN_ID.search(plain(found.name)) and found.kind != "number":
        return f'{{ from = {name}, name_of = "{of}" }}'
    return name


def _seconds(name: str) -> int:
    return 60 if "min" in name else 3600 if re.search("stunde|std|hour", name) else 0


def _status(stage: Facts) -> str:
    """Won and lost from the names of the stages; whatever else there is counts as open."""
    known = {value: meant for value in stage.values if (meant := _meant("status", value)) in ("won", "lost")}
    return f'{{ from = {_toml(stage.name)}, map = {_pairs(known.items())}, other = "open" }}'


def _map(column: Column, found: Facts) -> str:
    return _pairs((value, meant) for value in found.values if (meant := _meant(column.name, value)))


def _other(column: Column, found: Facts) -> str:
    if all(_meant(column.name, value) for value in found.values):
        return ""
    other = "open" if column.name == "status" else "other" if "other" in column.values else ""
    return f', other = "{other}"' if other else ""


def _meant(column: str, value: str) -> str:
    """The canonical value that a word most likely means; empty where none is known."""
    spoken = plain(value)
    for table in words.FILLED:
        known = TABLES[table].columns.get(column)
        for canonical in known.values if known else ():
            own = {canonical, words.value(column, canonical, "de")}
            if spoken in map(plain, [*own, *_WORDS["values"].get(column, {}).get(canonical, ())]):
                return canonical
    return ""


def _stages(found: dict[str, Facts]) -> list[str]:
    """Every stage of the file with its guessed meaning, to be put in order by people who know it."""
    if not (stage := found.get("stage_id")) or not stage.values:
        return []
    meant = {value: _meant("status", value) or "open" for value in stage.values}
    open_ones = [value for value, meaning in meant.items() if meaning == "open"]
    return [
        "",
        "# Stages in the file. Put this, in the right order, into salestrack.toml:",
        "# [stages]",
        f"# order = [{', '.join(map(_toml, open_ones))}]",
        *(
            f"# {status} = [{', '.join(_toml(v) for v, m in meant.items() if m == status)}]"
            for status in ("won", "lost")
        ),
        "",
    ]


def _seen(found: Facts) -> str:
    return f"  ({', '.join(found.values[:5])})" if found.kind == "few" and len(found.values) <= 5 else ""


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    inside = ", ".join(f"{_toml(key)} = {_toml(value)}" for key, value in pairs)
    return f"{{ {inside} }}" if inside else "{}"


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


# A system that is known, but was customised

_HABITS = ("number_format", "date_format", "time_zone", "id_prefix", "status_beside_stages")


def customised(mapping: Mapping, kind: str, stem: str, unmapped: Sequence[Facts]) -> str:
    """The known mapping of a file as the company's own, with its further columns to be given a meaning."""
    spec: FileSpec = mapping.files[kind]
    rest = spec.model_dump(by_alias=True, exclude_defaults=True, exclude={"to", "names", "match"})
    pattern = re.sub(r"[\d][\d._ -]*", "*", stem)
    lines = [
        f"# {mapping.title}, file {kind}, for files named {pattern}: the known mapping with columns of your own.",
        f'system = "{mapping.system}"',
        f"title = {_toml(mapping.title + ', customised')}",
        *(f"{key} = {_inline(value)}" for key in _HABITS if (value := getattr(mapping, key))),
        "",
        f"[files.{kind}_own]",
        f"names = [{_toml(pattern)}]",
        f"match = [{', '.join(map(_toml, spec.match))}]",
        *(f"{key} = {_inline(value)}" for key, value in rest.items()),
    ]
    for table, rules in spec.to.items():
        lines += [
            "",
            f"[files.{kind}_own.to.{table}]",
            *(f"{name} = {_known(rule)}" for name, rule in rules.items()),
        ]
        lines += [_comment(each, guess) for each, guess in _free(table, rules, unmapped)]
    return "\n".join(lines) + "\n"


def _free(table: str, rules: dict[str, Rule], unmapped: Sequence[Facts]) -> list[tuple[Facts, str]]:
    """The further columns, each with the canonical column it may mean."""
    guessed = {found.name: name for name, found in _assigned(table, unmapped).items() if name not in rules}
    return [(each, guessed.get(each.name, "")) for each in unmapped]


def _comment(found: Facts, guess: str) -> str:
    said = f"{guess} = " if guess else "no meaning yet, kept in custom_fields: "
    return f"# {said}{_toml(found.name)}{_seen(found)}"


def _assigned(table: str, columns: Sequence[Facts]) -> dict[str, Facts]:
    return assign(table, columns) if table in words.FILLED else {}


def _known(rule: Rule) -> str:
    """A rule as TOML."""
    told = rule.model_dump(by_alias=True, exclude_defaults=True)
    return _toml(told["from"][0]) if set(told) == {"from"} and len(told["from"]) == 1 else _inline(told)


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_inline(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return _toml(value) if isinstance(value, str) else json.dumps(value)


def _key(name: str) -> str:
    return name if re.fullmatch("[a-z_]+", name) else _toml(name)
