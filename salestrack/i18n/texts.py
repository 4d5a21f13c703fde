"""The fixed words of the report in both languages: the catalogue messages.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal

Language = Literal["en", "de"]
LANGUAGES: tuple[Language, ...] = ("en", "de")


@cache
def messages() -> Mapping[str, Any]:
    """The catalogue messages.toml: sections of keys, each key with its text in both languages."""
    return tomllib.loads((files("salestrack") / "messages.toml").read_text(encoding="utf-8"))
