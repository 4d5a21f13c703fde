"""One definition, everywhere: the card is what docstring, command line, glossary, tooltip and README say."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from salestrack import kpis
from salestrack.blocks import definitions, spoken
from salestrack.cli import cli
from salestrack.i18n import Language, Words
from salestrack.kpis._card import explained, markdown
from salestrack.markup import element

README = Path(__file__).parents[1] / "README.md"
NAMES = sorted(kpis.CARDS)
LANGUAGES: tuple[Language, ...] = ("en", "de")


def plain(text: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", "", text).split())


def written(text: str) -> str:
    return plain(str(element("p", text)))


@pytest.mark.parametrize("name", NAMES)
def test_the_docstring_begins_with_what_the_card_says(name: str) -> None:
    paragraphs = (inspect.getdoc(getattr(kpis, name)) or "").split("\n\n")
    card = kpis.CARDS[name]
    assert plain(paragraphs[0]) == plain(card.description_en)
    assert f"Formula: {card.formula}" in [" ".join(p.split()) for p in paragraphs]
    assert f"Undefined: {card.undefined}" in [" ".join(p.split()) for p in paragraphs]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_the_command_line_and_the_glossary_say_the_same(name: str, language: Language) -> None:
    card = kpis.CARDS[name]
    said = CliRunner().invoke(cli, ["kpi", name, "--explain", "--language", language]).stdout
    assert said.rstrip("\n") == explained(card, language)
    page = plain(definitions(Words(language), name).html)
    parts = (
        card.label(language),
        card.description(language),
        card.formula_in(language),
        card.undefined_in(language),
    )
    for number, part in enumerate(parts):
        assert part.rstrip(".") in said
        shown = spoken(Words(language), part) if number > 1 else part
        assert written(shown).rstrip(".") in page


@pytest.mark.parametrize("name", NAMES)
def test_a_card_is_whole_in_both_languages(name: str) -> None:
    card = kpis.CARDS[name]
    for language in LANGUAGES:
        assert card.label(language)
        assert card.description(language).endswith(".")
        assert card.formula_in(language)
        assert card.undefined_in(language)
    assert card.label("en") != card.formula_in("en")
    assert card.description("en") != card.description("de")
    assert card.formula_in("en") != card.formula_in("de")


def test_every_card_of_the_reference_has_a_function() -> None:
    assert {card.number for card in kpis.CARDS.values()} >= set(range(1, 44))


def test_the_readme_shows_the_catalogue() -> None:
    text = README.read_text(encoding="utf-8")
    shown = re.search(r"<!-- catalogue: [^>]*-->\n(.*?)<!-- /catalogue -->", text, re.S)
    assert shown is not None
    assert shown[1] == markdown("en"), "put the output of `python -m salestrack.kpis` there"
