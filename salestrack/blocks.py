"""Blocks of a page besides figures: sentences, missing sections, measures and definitions."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup

from salestrack.errors import InputError
from salestrack.findings import newest
from salestrack.glossary import facts_of
from salestrack.i18n import Words, find_card, is_unknown, messages, unit_for
from salestrack.markup import Html, Kpi, Table, as_float, element, name_of, paragraph, pick, styled

LISTED = 5  # groups that a rule names


@dataclass(frozen=True)
class Measure:
    """What to do, the rule that flagged it, the role that owns it, the figure that will show its effect."""

    measure: str
    rule: str
    owner: str
    metric: str
    due: object = None


class _Filler(string.Formatter):
    """`{name}`, `{name:unit}` and `{name.column:unit}`; a KPI table stands for its newest value."""

    def __init__(self, words: Words) -> None:
        self.words = words

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, str]:
        name, _, column = field_name.partition(".")
        if name not in kwargs:
            raise InputError.unknown_name("value", name, kwargs)
        value = kwargs[name]
        if not isinstance(value, pd.DataFrame):
            return (value, ""), name
        wanted = column or name
        if value.empty:
            return (None, "text"), name
        if wanted not in value.columns:
            raise InputError.missing_column(wanted, "text", map(str, value.columns))
        unit = unit_for(wanted, value[wanted])
        if wanted in ("low", "high") and name in value.columns:
            unit = unit_for(name, value[name])
        return (newest(value)[wanted], unit), name

    def format_field(self, value: Any, format_spec: str) -> str:
        amount, unit = value
        asked = format_spec or unit or ("text" if isinstance(amount, str) else "number")
        if not format_spec and not unit and isinstance(amount, int):
            asked = "count"
        return self.words.fmt(amount, asked, compact=True)


def text(words: Words, /, *, en: str, de: str, **values: object) -> Html:
    """A sentence with figures written for the language.

    Parameters
    ----------
    en, de : the sentence; `{share:share}` writes a number by a unit of `i18n.fmt`, `{win_rate}` of a KPI
        table its newest value by the KPI's own unit, `{win_rate.low}` another column of that row
    values : numbers, texts, dates or KPI tables

    Examples
    --------
    >>> text(Words(), en="We won {share:share} of {n} deals.", de="…", share=0.523, n=1234).text
    'We won 52.3% of 1,234 deals.'
    """
    return paragraph(_Filler(words).vformat(de if words.language == "de" else en, (), values), "finding")


def missing(words: Words, *tables: str) -> Html:
    """The one sentence that says which tables a section lacks."""
    if not tables:
        raise InputError("missing() needs the name of the table that is not there")
    known = messages()["tables"]
    names = [known[t][words.language] if t in known else t for t in tables]
    return paragraph(
        words.text("missing" if len(names) == 1 else "missing_many", table=", ".join(names)), "no-data"
    )


def measure(
    words: Words,
    table: Table,
    kpi: Kpi,
    *,
    above: float | None = None,
    below: float | None = None,
    en: str,
    de: str,
    owner: str,
    by: str | None = None,
    metric: Kpi | None = None,
    least: int = 10,
    due: object = None,
) -> Measure | None:
    """A measure if its rule is triggered (the newest value or a group's lies beyond the limit), else None.

    Parameters
    ----------
    table : KPI table; with `by`, one row per group
    kpi : the KPI that the rule looks at
    above, below : the limit; None for both (no goal is set) never triggers
    en, de : what to do
    owner : the role that does it (`sales_manager`, `team_lead`, `sales_operations`, `marketing`, …)
    by : the column of groups; groups of fewer than `least` cases do not trigger
    metric : the KPI that will show the effect; by default the same
    due : a date until when
    """
    name = name_of(kpi)
    if above is not None and below is not None:
        raise InputError(f"the rule on {name} has both above and below; make two measures of it")
    limit = above if above is not None else below
    if table is None or table.empty or limit is None:
        return None
    if name not in table.columns:
        raise InputError.missing_column(name, "measure", map(str, table.columns))
    rows = table if by is not None else newest(table).to_frame().T
    if "n" in rows.columns and by is not None:
        rows = rows[rows["n"].map(lambda n: not is_unknown(n) and n >= least)]
    values = as_float(rows[name])
    flagged = rows[values > limit if above is not None else values < limit]
    if flagged.empty:
        return None
    rule = _rule(
        words,
        flagged,
        name,
        unit_for(name, table[name]),
        limit,
        "above" if above is not None else "below",
        by,
    )
    shown = words.label(name_of(metric) if metric is not None else name)
    return Measure(de if words.language == "de" else en, rule, owner, shown, due)


def _rule(
    words: Words, flagged: pd.DataFrame, kpi: str, unit: str, limit: float, side: str, by: str | None
) -> str:
    what, goal = words.label(kpi), words.fmt(limit, unit, compact=True)
    if by is None:
        value = words.fmt(flagged.iloc[0][kpi], unit, compact=True)
        if value == goal:  # rounded alike: then in full
            value, goal = (words.fmt(amount, unit) for amount in (flagged.iloc[0][kpi], limit))
        return words.text(f"rule_{side}", what=what, value=value, limit=goal)
    ordered = flagged.sort_values(kpi, ascending=side == "below", kind="stable")
    groups = [
        f"{words.value(by, g)} {words.fmt(v, unit, compact=True)}"
        for g, v in zip(ordered[by], ordered[kpi], strict=True)
    ]
    more = [words.text("rule_more", count=len(groups) - LISTED)] if len(groups) > LISTED else []
    return words.text(
        f"rule_groups_{side}", what=what, limit=goal, groups=", ".join([*groups[:LISTED], *more])
    )


def measures(words: Words, found: Iterable[Measure | Mapping[str, Any] | None] | None) -> Html:
    """What to do: each measure with its rule, its owner and the figure that will show the effect.

    Parameters
    ----------
    found : `Measure`s, or mappings with `measure`, `rule`, `owner`, `metric` and perhaps `due`, whose texts
        may be given per language as `{"en": …, "de": …}`; None among them is a rule that was not triggered

    Returns
    -------
    An ordered list; the sentence that nothing is called for when no rule was triggered.
    """
    if isinstance(found, pd.DataFrame):
        found = found.to_dict("records")
    kept = [_measure(words, one) for one in found or () if one is not None]
    if not kept:
        return paragraph(words.text("no_measures"), "no-data")
    items = [element("li", element("p", element("strong", m.measure)), _facts(words, m)) for m in kept]
    told = [f"{i}. {m.measure} ({m.rule}; {words.value('owner', m.owner)})" for i, m in enumerate(kept, 1)]
    return Html(styled("measures", element("ol", *items, class_="measures")), "\n".join(told))


def _measure(words: Words, given: Measure | Mapping[str, Any]) -> Measure:
    if isinstance(given, Measure):
        return given
    for key in ("measure", "rule", "owner", "metric"):
        if key not in given:
            raise InputError.missing_column(key, "measures", given)
    metric = given["metric"]
    named = (
        words.label(name_of(metric)) if callable(metric) or find_card(str(metric)) else pick(words, metric)
    )
    return Measure(
        pick(words, given["measure"]),
        pick(words, given["rule"]),
        pick(words, given["owner"]),
        named,
        given.get("due"),
    )


def _facts(words: Words, given: Measure) -> Markup:
    facts = [("rule", given.rule), ("owner", words.value("owner", given.owner)), ("metric", given.metric)]
    facts += [] if is_unknown(given.due) else [("due", _due(words, given.due))]
    return element(
        "dl",
        *(part for key, value in facts for part in (element("dt", words.text(key)), element("dd", value))),
    )


def _due(words: Words, due: object) -> str:
    """A day in the language's way; other text as it is."""
    day = not isinstance(due, str) or re.fullmatch(r"\d{4}-\d{2}-\d{2}", due)
    return words.fmt(due, "date") if day else str(due)


def definitions(words: Words, *kpis: Kpi) -> Html:
    """The definitions of the KPIs of a page, from their cards: meaning, formula, unit, which date counts."""
    parts: list[Markup] = []
    told: list[str] = []
    for kpi in kpis:
        card = find_card(kpi) if isinstance(kpi, str) else getattr(kpi, "card", None)
        if card is None:
            raise InputError(
                f"{name_of(kpi)} has no card, so it has no definition: give a KPI of salestrack.kpis"
            )
        label, said = getattr(card, f"label_{words.language}"), getattr(card, f"description_{words.language}")
        parts += [
            element("dt", label, id=f"kpi-{card.name}"),
            element("dd", said),
            element("dd", *_card_facts(words, card), class_="definition-facts"),
        ]
        told.append(f"{label}: {said}")
    if not parts:
        raise InputError("definitions() needs at least one KPI")
    return Html(styled("definitions", element("dl", *parts, class_="definitions")), "\n".join(told))


def _card_facts(words: Words, card: Any) -> list[Any]:
    """Formula, unit and date of a card, divided by middle dots."""
    out: list[Any] = []
    for index, (key, fact) in enumerate(facts_of(words, card)):
        value = element("code", fact) if key == "definition_formula" else fact
        out += [" · " if index else "", f"{words.text(key)}: ", value]
    return out
