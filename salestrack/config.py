"""salestrack.toml of a company's folder as one frozen, checked object."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from salestrack.errors import ConfigError, MissingData, nearest

FILE = "salestrack.toml"
Share = Annotated[float, Field(ge=0, le=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Company(_Section):
    """Who reports, in which money, zone and calendar."""

    name: str = "Company"
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    time_zone: str = "Europe/Berlin"
    fiscal_year_start_month: Annotated[int, Field(ge=1, le=12)] = 1
    language: Literal["de", "en"] = "en"

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        zones = available_timezones()
        if value not in zones:
            raise ValueError(f"'{value}' is not a time zone{nearest(value, zones)}")
        return value


class Import(_Section):
    """How exports are read where their own evidence does not settle it."""

    number_format: Literal["auto", "de", "en"] = "auto"
    date_format: Literal["auto", "ymd", "dmy", "mdy"] = "auto"
    time_zone: str | None = None
    max_quarantine_share: Share = 0.01
    tables: tuple[str, ...] = ()
    """Addresses of tables in databases, fetched by every import (sources/database.py)."""


class Quota(_Section):
    """What counts towards a quota: won deals, or orders where there is no pipeline."""

    credit: Literal["deals", "orders"] = "deals"


class Stages(_Section):
    """Which stages of the source are won or lost, and in which order they come, where the source does not say it."""

    won: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    order: tuple[str, ...] = ()


class Aliases(_Section):
    """Other names under which people, companies and things appear: `"A. Weber" = "Anna Weber"`, or an id."""

    reps: dict[str, str] = {}
    accounts: dict[str, str] = {}
    products: dict[str, str] = {}
    campaigns: dict[str, str] = {}
    teams: dict[str, str] = {}
    territories: dict[str, str] = {}


class Engine(_Section):
    """What works out the KPIs: the embedded DuckDB in so much `memory` (default: four fifths of the machine's), or Spark
    at `master` (default: what Spark itself is set to).
    """

    name: Literal["duckdb", "spark"] = "duckdb"
    memory: str = ""
    master: Annotated[str, Field(pattern=r"^$|^(spark|k8s)://|^yarn$|^local(\[|$)")] = ""

    @field_validator("memory")
    @classmethod
    def _amount(cls, value: str) -> str:
        if value and not re.fullmatch(r"[1-9]\d*(\.\d+)? ?[MG]i?B", value):
            raise ValueError(f"'{value}' is no amount of memory: write one like 3GB or 800MB")
        return value


class Goals(_Section):
    """Goals of the business that the measures are derived from."""

    win_rate: Share | None = None
    selling_time_share: Share | None = None
    net_promoter_score: Annotated[float, Field(ge=-100, le=100)] | None = None
    pipeline_coverage: Annotated[float, Field(gt=0)] | None = None


class Privacy(_Section):
    """People are protected by default: no figure per person without a recorded agreement."""

    person_level: bool = False
    agreement: str = ""
    k: Annotated[int, Field(ge=1)] = 5

    @field_validator("agreement")
    @classmethod
    def _strip(cls, value: str) -> str:
        return value.strip()


class Config(_Section):
    """A company's whole configuration; every key has a default."""

    company: Company = Company()
    imports: Import = Field(default=Import(), alias="import")
    quota: Quota = Quota()
    engine: Engine = Engine()
    stages: Stages = Stages()
    aliases: Aliases = Aliases()
    goals: Goals = Goals()
    privacy: Privacy = Privacy()

    @property
    def name(self) -> str:
        return self.company.name

    @property
    def currency(self) -> str:
        return self.company.currency

    @property
    def time_zone(self) -> str:
        return self.company.time_zone

    @property
    def fiscal_year_start_month(self) -> int:
        return self.company.fiscal_year_start_month

    @property
    def language(self) -> Literal["de", "en"]:
        return self.company.language


def load_config(data_dir: Path | str) -> Config:
    """The configuration of the company in `data_dir`; a folder without the file gets the defaults.

    Raises MissingData when the folder is not there, ConfigError (file, key, cure) when the file is wrong.
    """
    folder = Path(data_dir)
    if not folder.is_dir():
        raise MissingData.no_folder(folder)
    path = folder / FILE
    if not path.exists():
        return Config(company=Company(name=folder.resolve().name))
    try:
        config = Config.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError.wrong(path, "not valid TOML", str(error)) from None
    except ValidationError as error:
        raise _explained(path, error) from None
    if config.privacy.person_level and not config.privacy.agreement:
        raise ConfigError.wrong(
            path, "[privacy]", 'person_level = true needs the agreement it rests on: set agreement = "…"'
        )
    return config


def _explained(path: Path, error: ValidationError) -> ConfigError:
    first = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    where = f"[{place[0]}] {'.'.join(place[1:])}".strip() if place else "file"
    if first["type"] == "extra_forbidden":
        return ConfigError.wrong(
            path, where, f"unknown key{nearest(place[-1], _known(place[:-1])) or '; remove it'}"
        )
    return ConfigError.wrong(path, where, first["msg"].removeprefix("Value error, "))


def _known(section: list[str]) -> list[str]:
    aliases = {(field.alias or name): field for name, field in Config.model_fields.items()}
    if not section:
        return list(aliases)
    kind = aliases[section[0]].annotation
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else []
