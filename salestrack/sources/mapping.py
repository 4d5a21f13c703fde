"""Mappings: what the files of a system look like and which canonical columns they fill.

A mapping is a TOML file. `[files.NAME]` describes one kind of file, `[files.NAME.to.TABLE]` gives the
canonical columns: `amount = "Amount"` for a plain column, or a table with `from`, `sql`, `const`, `map`, ….
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from salestrack.errors import ConfigError, nearest
from salestrack.schema import CANONICAL, TABLES, Table, words

FOLDER = Path(__file__).parent / "mappings"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Rule(_Part):
    """How one canonical column is filled."""

    source: tuple[str, ...] = Field(default=(), alias="from")
    sql: str | None = None
    uses: tuple[str, ...] = ()
    const: str | None = None
    map: dict[str, str] | None = None
    other: str | None = None
    scale: float = 1
    crosswalk: str | None = None
    key: str | None = None
    """SQL for what the crosswalk looks up, where it is not the column's text alone."""
    must: bool = False
    name_of: Literal["reps", "accounts", "products", "campaigns", "teams", "territories"] | None = None
    """The column holds display names of the rows of this table, which are resolved to ids (resolve.py)."""
    macro: Literal["id18"] | None = None
    """An SQL macro that the column's text goes through first."""
    alternative: Rule | None = Field(default=None, alias="or")

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"from": (value,)}
        if isinstance(value, dict) and isinstance(value.get("from"), str):
            return value | {"from": (value["from"],)}
        return value

    @model_validator(mode="after")
    def _has_a_source(self) -> Rule:
        if not (self.source or self.sql or self.const is not None):
            raise ValueError("say where the column comes from: from, sql or const")
        if self.crosswalk and not self.source:
            raise ValueError("a crosswalk translates a column: add from")
        if self.key and not self.crosswalk:
            raise ValueError("key says what a crosswalk looks up: add crosswalk")
        return self

    @property
    def all(self) -> tuple[Rule, ...]:
        """The rule and its alternatives."""
        return (self, *(self.alternative.all if self.alternative else ()))

    @property
    def names(self) -> tuple[str, ...]:
        """Every column of the file that the rule may read."""
        return self.source + self.uses + (self.alternative.names if self.alternative else ())


class Unpivot(_Part):
    """Columns that are really rows: `columns` is a pattern of their names.

    Of each cell that is filled, `name` holds the column it stood in, `value` its text and every named group of the
    pattern what it found in the column's name.
    """

    columns: str
    name: str
    value: str

    @model_validator(mode="after")
    def _is_a_pattern(self) -> Unpivot:
        try:
            re.compile(self.columns)
        except re.error as error:
            raise ValueError(f"columns is no pattern: {error}") from None
        return self

    @property
    def groups(self) -> tuple[str, ...]:
        """The named groups of the pattern."""
        return tuple(re.compile(self.columns).groupindex)

    @property
    def made(self) -> tuple[str, ...]:
        """The columns that it makes."""
        return (self.name, self.value, *self.groups)

    def found(self, columns: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """The columns of a file that are rows, each with what the groups find in its name."""
        matches = {name: re.fullmatch(self.columns, name) for name in columns}
        return {
            name: tuple(match[group] for group in self.groups) for name, match in matches.items() if match
        }


class Each(_Part):
    """A column whose cells hold several ids, each of which is a row: the column `name`, numbered from 1 in `place`."""

    column: str
    separator: str = ";"
    name: str
    place: str


class TableRule(_Part):
    """Which rows of a file are meant for a table, and whether several rows make one."""

    skip: str | None = None
    unpivot: Unpivot | None = None
    each: Each | None = None
    group_by: tuple[str, ...] = ()
    total: tuple[str, ...] = ()


class FileSpec(_Part):
    """One kind of file of a system."""

    names: tuple[str, ...] = ()
    match: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    delimiter: str | None = None
    nulls: tuple[str, ...] = ()
    headings: dict[str, str] = {}
    drop: tuple[str, ...] | Literal["*"] = ()
    unpivot: Unpivot | None = None
    to: dict[str, dict[str, Rule]] = {}
    rules: dict[str, TableRule] = {}
    needs: dict[str, str] = {}
    """Columns that people leave out, each with the sentence that asks for it."""

    @model_validator(mode="after")
    def _can_be_recognised(self) -> FileSpec:
        if not self.match and not (self.header and self.names):
            raise ValueError(
                "give match (columns that prove the file), or names and header for a file without a header"
            )
        for table, columns in self.to.items():
            known = TABLES[table].imported if table in CANONICAL else None
            if known is None:
                raise ValueError(f"there is no canonical table '{table}'{nearest(table, CANONICAL)}")
            for column in columns:
                if column not in known:
                    raise ValueError(f"{table} has no column '{column}'{nearest(column, known)}")
        return self

    @cached_property
    def known(self) -> dict[str, str]:
        """Every column name that the mapping reads, by its normal form."""
        names: list[str] = [*self.header, *self.match, *(self.drop if self.drop != "*" else ())]
        for columns in self.to.values():
            names += [name for rule in columns.values() for name in rule.names]
        names += [rule.each.column for rule in self.rules.values() if rule.each]
        own = {normal(name): name for name in names}
        other = {
            normal(name): own[normal(meant)] for name, meant in self.headings.items() if normal(meant) in own
        }
        return other | own

    @property
    def unpivots(self) -> tuple[Unpivot, ...]:
        """The columns that are rows, of the whole file or of one of its tables."""
        every = (self.unpivot, *(rule.unpivot for rule in self.rules.values()))
        return tuple(unpivot for unpivot in every if unpivot)

    def wide(self, columns: Iterable[str]) -> int:
        """How many of the columns are really rows."""
        names = tuple(columns)
        return len({name for unpivot in self.unpivots for name in unpivot.found(names)})

    @property
    def positional(self) -> bool:
        """Whether the file has no header row, so that the mapping names its columns by position."""
        return bool(self.header)

    def fits_name(self, stem: str) -> bool:
        """Whether a file or sheet of this name may be such a file."""
        return not self.names or any(fnmatch(normal(stem), normal(name)) for name in self.names)


class Mapping(_Part):
    """All kinds of files of one system."""

    system: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    title: str
    number_format: Literal["de", "en"] | None = None
    date_format: Literal["ymd", "dmy", "mdy"] | None = None
    time_zone: str | None = None
    id_prefix: str = ""
    """What some exports of the system write before every id and others do not; it is left out."""
    status_beside_stages: bool = False
    """Deals are won or lost beside their stages: no stage of the system means either."""
    headings: dict[str, str] = {}
    files: dict[str, FileSpec]
    crosswalks: dict[str, str] = {}

    @model_validator(mode="after")
    def _share_headings(self) -> Mapping:
        """Headings of other languages stand once for all files of a system; a file's own have precedence."""
        for name, spec in self.files.items() if self.headings else ():
            shared = spec.model_copy(update={"headings": self.headings | spec.headings})
            shared.__dict__.pop("known", None)
            self.files[name] = shared
        return self


@lru_cache(maxsize=10_000)
def normal(name: str) -> str:
    """A column name as it is compared: NFC, no outer or double spaces, case folded.

    >>> normal("  Close   DATE ")
    'close date'
    """
    return " ".join(unicodedata.normalize("NFC", name).replace("\ufeff", "").split()).casefold()


def read_mapping(path: Path) -> Mapping:
    """The mapping in a TOML file; ConfigError names file, key and cure when it is wrong."""
    try:
        return Mapping.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError.wrong(path, "not valid TOML", str(error)) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "mapping"
        if first["type"] == "extra_forbidden":
            raise ConfigError.wrong(path, where, _unknown_key(str(first["loc"][-1]))) from None
        raise ConfigError.wrong(path, where, first["msg"].removeprefix("Value error, ")) from None


def _unknown_key(name: str) -> str:
    keys = {
        field.alias or key
        for kind in (Mapping, FileSpec, Rule, TableRule, Unpivot, Each)
        for key, field in kind.model_fields.items()
    }
    return f"unknown key '{name}'{nearest(name, keys) or '; remove it'}"


def load_mappings(own: Path | None = None) -> list[Mapping]:
    """The package's mappings, the canonical layout and those of a company's own `mappings` folder."""
    paths = sorted(own.glob("*.toml")) if own is not None and own.is_dir() else []
    packaged, canonical = _packaged()
    return [*packaged, *map(read_mapping, paths), canonical]


@lru_cache(maxsize=1)
def _packaged() -> tuple[tuple[Mapping, ...], Mapping]:
    """The mappings that come with the package and the canonical layout; they do not change while it runs."""
    return tuple(read_mapping(path) for path in sorted(FOLDER.glob("*.toml"))), canonical_mapping()


def mapping_files(own: Path | None = None) -> Iterator[Path]:
    """The files that `load_mappings` reads."""
    yield from sorted(FOLDER.glob("*.toml"))
    if own is not None and own.is_dir():
        yield from sorted(own.glob("*.toml"))


def canonical_mapping() -> Mapping:
    """The project's own layout: the file name is the table, the header its columns, one row per fact.

    Headings may also be those of the templates for manual entry, and values German words (schema/words.py).
    """
    files = {name: _canonical_file(TABLES[name]) for name in CANONICAL}
    return Mapping(system="salestrack", title="salestrack's own layout", files=files | {"notes": _NOTES})


def _canonical_file(table: Table) -> FileSpec:
    columns = {name: _canonical_rule(table, name) for name in table.imported if name not in FILLED_BY_US}
    match = tuple(name for name in required(table) if not columns[name].alternative)
    titles = (
        (words.title(table.name, "de"), words.title(table.name, "en")) if table.name in words.FILLED else ()
    )
    names = tuple(pattern for name in (table.name, *titles) for pattern in (name, f"{name}[._ -]*"))
    return FileSpec(
        names=names, match=match, to={table.name: columns}, headings=words.other_words(table.name)
    )


def _canonical_rule(table: Table, name: str) -> Rule:
    """A column by its own name, with what people write instead of ids, values and seconds."""
    if name == "duration_s":
        return _DURATION
    rule: dict[str, Any] = {"from": name}
    if name == "quota_id":
        rule["or"] = _MADE_QUOTA_ID
    if table.name in words.FILLED and (values := table.imported[name].values):
        rule["map"] = {
            words.value(name, value, language): value for value in values for language in ("de", "en")
        }
    return Rule.model_validate(rule)


FILLED_BY_US = ("source_system", "source_ref", "custom_fields")
"""Columns that no file has: where a row comes from, and what else stood in it."""
_NOTES = FileSpec(
    names=("notes", "hinweise"),
    match=("Column", "Meaning", "Needed"),
    headings=words.NOTES_DE,
)
"""The sheet of explanations in a template."""
_MADE_QUOTA_ID = Rule(
    sql="concat_ws('|', coalesce(rep_id, team_id, territory_id), metric, period_start_date, "
    "product_id, pipeline_id)",
    uses=("rep_id", "team_id", "territory_id", "metric", "period_start_date", "product_id", "pipeline_id"),
)
_DURATION = Rule(
    sql="CASE WHEN regexp_full_match(trim(duration_s), '\\d+:\\d\\d(:\\d\\d)?') "
    "THEN CAST(CAST(split_part(trim(duration_s), ':', 1) AS BIGINT) * 3600 "
    "+ CAST(split_part(trim(duration_s), ':', 2) AS BIGINT) * 60 "
    "+ CAST(coalesce(nullif(split_part(trim(duration_s), ':', 3), ''), '0') AS BIGINT) AS VARCHAR) "
    "ELSE duration_s END",
    uses=("duration_s",),
)
"""A duration in seconds, or as hours, minutes and seconds."""


def required(table: Table) -> list[str]:
    """Columns that a row cannot do without and that have no default."""
    return [
        name
        for name, column in table.imported.items()
        if not column.nullable and column.default is None and name not in FILLED_BY_US
    ]


def quoted(name: str) -> str:
    """A name as an SQL identifier.

    >>> quoted('Amount "net"')
    '"Amount ""net\"""'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as an SQL literal.

    >>> literal("O'Neill")
    "'O''Neill'"
    """
    return "'" + text.replace("'", "''") + "'"


def systems(mappings: Iterable[Mapping]) -> list[str]:
    """The names of the systems that mappings are there for."""
    return sorted({mapping.system for mapping in mappings})
