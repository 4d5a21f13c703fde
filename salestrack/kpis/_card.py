"""Cards: what a KPI is called, measures and means, once, for charts, tables and the glossary."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, ParamSpec, Protocol, TypeVar, cast

Unit = Literal["share", "money", "days", "count", "points", "ratio"]
Language = Literal["en", "de"]
P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True)
class Card:
    """What a KPI is: number in the reference, name, unit, labels, descriptions, date, formula, null rule."""

    number: int
    name: str
    unit: Unit
    label_en: str
    label_de: str
    description_en: str
    description_de: str
    formula: str
    undefined: str
    date: str | None = None
    formula_de: str = ""
    undefined_de: str = ""

    def label(self, language: Language = "en") -> str:
        """The title in a language."""
        return self.label_de if language == "de" else self.label_en

    def description(self, language: Language = "en") -> str:
        """One sentence for readers in a language."""
        return self.description_de if language == "de" else self.description_en

    def formula_in(self, language: Language = "en") -> str:
        """How it is worked out, in a language."""
        return self.formula_de if language == "de" else self.formula

    def undefined_in(self, language: Language = "en") -> str:
        """When there is no figure, in a language."""
        return self.undefined_de if language == "de" else self.undefined


class Kpi(Protocol[P, R_co]):
    """A KPI function with its card."""

    card: Card
    __name__: str
    __doc__: str | None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...


CARDS: dict[str, Card] = {}


def card(
    *,
    number: int,
    unit: Unit,
    label_en: str,
    label_de: str,
    description_de: str,
    formula_de: str,
    undefined_de: str,
    date: str | None = None,
) -> Callable[[Callable[P, R_co]], Kpi[P, R_co]]:
    """Gives a KPI its card; the meaning is the docstring's first paragraph, formula and null rule its `Formula:` and
    `Undefined:`.

    `formula_de` and `undefined_de` say the same in German, without the leading word.
    """

    def give(function: Callable[P, R_co]) -> Kpi[P, R_co]:
        name = function.__name__
        made = Card(
            number,
            name,
            unit,
            label_en,
            label_de,
            _first(function),
            description_de,
            _line(function, "Formula:"),
            _line(function, "Undefined:"),
            date,
            formula_de,
            undefined_de,
        )
        CARDS[name] = made
        kpi = cast("Kpi[P, R_co]", function)
        kpi.card = made
        return kpi

    return give


def _line(function: Callable[..., object], mark: str) -> str:
    """The paragraph of the docstring that begins with the mark, on one line."""
    for paragraph in (inspect.getdoc(function) or "").split("\n\n"):
        if paragraph.startswith(mark):
            return " ".join(paragraph[len(mark) :].split())
    raise TypeError(f"{function.__name__} needs a paragraph '{mark}' in its docstring")


def _first(function: Callable[..., object]) -> str:
    return " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())
