"""One definition, everywhere: the card is what docstring, command line, glossary, tooltip and README say."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from salestrack import kpis
from salestrack.blocks import definitions
from salestrack.cli import cli
from salestrack.glossary import explained, facts_of, markdown, spoken
from salestrack.i18n import Language, Words, messages
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
    assert said.rstrip("\n") == explained(Words(language), card)
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


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_pages_say_the_period_date_and_the_unit_in_words(name: str, language: Language) -> None:
    card = kpis.CARDS[name]
    facts = dict(facts_of(Words(language), card))
    assert ("definition_date" in facts) == (card.date is not None)
    assert card.date is None or facts["definition_date"] == messages()["dates"][card.date][language]
    assert facts["definition_unit"] == messages()["unit_names"][card.unit][language]


@pytest.mark.parametrize(
    ("language", "unit", "date"),
    [
        pytest.param("en", "Unit: share, 0 to 1", "Period date: closed_date", id="in English"),
        pytest.param("de", "Einheit: Anteil, 0 bis 1", "Datum des Zeitraums: closed_date", id="in German"),
    ],
)
def test_the_command_line_says_what_its_tables_hold(language: Language, unit: str, date: str) -> None:
    said = explained(Words(language), kpis.CARDS["win_rate"]).splitlines()
    assert said[4:6] == [unit, date]


def test_a_figure_of_a_day_has_no_period_date() -> None:
    card = kpis.CARDS["territory_balance"]
    assert "Period date: none" in explained(Words("en"), card)
    assert "definition_date" not in dict(facts_of(Words("en"), card))


def test_a_date_of_ones_own_is_shown_by_its_name() -> None:
    own = replace(kpis.CARDS["win_rate"], date="signed_date")
    assert ("definition_date", "signed_date") in facts_of(Words("de"), own)


def test_every_card_of_the_reference_has_a_function() -> None:
    assert {card.number for card in kpis.CARDS.values()} >= set(range(1, 44))


def test_the_readme_shows_the_catalogue() -> None:
    text = README.read_text(encoding="utf-8")
    shown = re.search(r"<!-- catalogue: [^>]*-->\n(.*?)<!-- /catalogue -->", text, re.S)
    assert shown is not None
    assert shown[1] == markdown(Words("en")), "put the output of `python -m salestrack.glossary` there"
