"""What the figures mean, in words: definitions for pages and the command line, the catalogue of README.

`python -m salestrack.glossary` prints the catalogue as Markdown; `de` after it: in German.
"""

from __future__ import annotations

import re
import sys

from salestrack.i18n import Words, messages
from salestrack.kpis import CARDS, Card


def facts_of(words: Words, card: Card, *, bare: bool = False) -> list[tuple[str, str]]:
    """Formula, unit, date and null rule of a card, each with its key in the catalogue of words.

    Parameters
    ----------
    bare : as the tables of the command line hold them: shares from 0 to 1, columns and notes by name; else as
        pages show them, where a figure without a date has no line for it

    Examples
    --------
    >>> facts_of(Words(), CARDS["win_rate"])[1:3]
    [('definition_unit', 'share (0 to 100%)'), ('definition_date', 'day of closing')]
    >>> facts_of(Words(), CARDS["win_rate"], bare=True)[1:3]
    [('definition_unit', 'share, 0 to 1'), ('definition_column', 'closed_date')]
    """
    formula, undefined = card.formula_in(words.language), card.undefined_in(words.language)
    if not bare:
        formula, undefined = (spoken(words, text.rstrip(".")) for text in (formula, undefined))
    return [
        ("definition_formula", formula),
        ("definition_unit", unit_of(words, card, bare=bare)),
        *_date(words, card, bare),
        ("definition_undefined", undefined),
    ]


def unit_of(words: Words, card: Card, *, bare: bool = False) -> str:
    """What a figure is measured in, in words; `bare` as a table holds it, not as a page shows it.

    >>> unit_of(Words("de"), CARDS["bookings"]), unit_of(Words("de"), CARDS["bookings"], bare=True)
    ('Betrag in der Berichtswährung', 'Einheiten der Berichtswährung')
    """
    names = messages()["unit_names"] | (messages()["bare_unit_names"] if bare else {})
    return str(names[card.unit][words.language])


def explained(words: Words, card: Card) -> str:
    """A card as plain text, as `salestrack kpi NAME --explain` prints it: name, meaning, formula, unit, date, null rule.

    >>> print(explained(Words(), CARDS["win_rate"]).splitlines()[0])
    Win rate (win_rate, card 8)
    """
    lines = [
        f"{card.label(words.language)} ({card.name}, {words.text('definition_card')} {card.number})",
        card.description(words.language),
        "",
        *(f"{words.text(key)}: {fact}" for key, fact in facts_of(words, card, bare=True)),
    ]
    return "\n".join(lines)


def markdown(words: Words) -> str:
    """The catalogue as a Markdown table, by number of the card.

    >>> print(markdown(Words()).splitlines()[0])
    | | figure | what it says |
    """
    rows = [f"| | {words.text('catalogue_figure')} | {words.text('catalogue_meaning')} |", "|---|---|---|"]
    for card in sorted(CARDS.values(), key=lambda card: (card.number, card.name)):
        label, said = card.label(words.language), card.description(words.language)
        rows.append(f"| {card.number} | **{label}** `{card.name}` | {said} |")
    return "\n".join(rows) + "\n"


def spoken(words: Words, text: str) -> str:
    """A definition as pages say it: unknown is a dash, a note has its words, columns are no code.

    >>> spoken(Words("en"), "NaN with the note no_data; see `n`")
    '– with the note “no cases”; see n'
    """
    left, right = ("„", "“") if words.language == "de" else ("“", "”")
    for code in messages()["values"]["note"]:
        if "_" in code or code == "immature":
            text = re.sub(rf"\b{code}\b", f"{left}{words.value('note', code)}{right}", text)
    return re.sub(r"\bNaN\b", "–", text).replace("`", "")


def _date(words: Words, card: Card, bare: bool) -> list[tuple[str, str]]:
    """Which date puts a case into a period: its column, or on pages its meaning, where the column is a known one."""
    if bare:
        return [("definition_column", card.date or words.text("definition_no_column"))]
    if card.date is None:
        return []
    meaning = messages()["dates"].get(card.date, {})
    return [("definition_date", str(meaning.get(words.language, card.date)))]


if __name__ == "__main__":
    print(markdown(Words("de" if "de" in sys.argv[1:] else "en")), end="")
