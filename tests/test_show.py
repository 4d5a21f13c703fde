"""The page object: cards, findings, sentences, measures, definitions."""

from __future__ import annotations

import inspect
import re
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from salestrack import charts, kpis
from salestrack.cards import spark
from salestrack.errors import InputError
from salestrack.findings import change, claim
from salestrack.i18n import Words
from salestrack.markup import Html
from salestrack.show import Measure, Show

EVIL = "<script>alert(1)</script>"
EN, DE = Show(language="en"), Show(language="de")


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def parsed(made: Html) -> ElementTree.Element:
    body = re.sub(r"<style>.*?</style>", "", made.html, flags=re.DOTALL)
    return ElementTree.fromstring(f"<x>{body}</x>")


def of_class(made: Html, name: str) -> list[str]:
    found = [e for e in parsed(made).iter() if name in (e.get("class") or "").split()]
    return [plain("".join(e.itertext())) for e in found]


@pytest.fixture
def monthly() -> pd.DataFrame:
    at = pd.date_range("2025-10-01", periods=13, freq="MS")
    return pd.DataFrame({"month": at, "bookings": [2.0e6, *[2.5e6] * 10, 2.4e6, 3.0e6], "n": 40})


@pytest.fixture
def rate() -> pd.DataFrame:
    return pd.DataFrame(
        {"won": [52], "lost": [48], "win_rate": [0.52], "low": [0.42], "high": [0.62], "n": [100]}
    )


@pytest.fixture
def teams() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "team": ["North", "South", "Tiny"],
            "win_rate": [0.4, 0.2, 0.9],
            "low": [0.3, 0.1, 0.5],
            "high": [0.5, 0.35, 1.0],
            "n": [90, 60, 4],
        }
    )


def test_the_page_takes_money_calendar_and_language_from_the_book() -> None:
    config = SimpleNamespace(currency="CHF", name="x", fiscal_year_start_month=7, language="de")
    assert Show(SimpleNamespace(config=config)).words == Words("de", "CHF", 7)
    assert Show(SimpleNamespace(config=config), language="en").words == Words("en", "CHF", 7)


def test_card_shows_value_change_target_certainty_and_definition(monthly: pd.DataFrame) -> None:
    made = DE.card(monthly, "bookings", compare="year", target=4e6)
    assert of_class(made, "card-label") == ["Auftragseingang"]
    assert of_class(made, "card-value") == ["3,0 Mio. €"]
    assert of_class(made, "card-delta") == ["▲ 50,0 % über Vorjahr", "Ziel 4,0 Mio. €, zu 75 % erreicht"]
    assert of_class(made, "card-note")[0] == "n = 40"
    assert of_class(made, "card-definition")[0] in kpis.bookings.card.description_de
    label = next(e for e in parsed(made).iter("p") if e.get("class") == "card-label")
    assert label.get("title") == kpis.bookings.card.description_de
    assert [s.get("aria-hidden") for s in parsed(made).iter("svg")] == ["true"]


def test_card_of_one_row_has_its_interval_and_no_line(rate: pd.DataFrame) -> None:
    made = EN.card(rate, kpis.win_rate, compare=rate.assign(win_rate=0.54), against="month")
    assert of_class(made, "card-delta") == ["▼ 2.0 percentage points below previous month"]
    assert of_class(made, "card-note")[0] == "95% interval 42.0 to 62.0%, n = 100"
    assert "<svg" not in made.html


@pytest.mark.parametrize(
    ("kpi", "value", "before", "kind"),
    [
        pytest.param("bookings", 2.0, 1.0, "card-delta good", id="more bookings are good"),
        pytest.param("bookings", 1.0, 2.0, "card-delta bad", id="fewer are bad"),
        pytest.param("sales_cycle", 50.0, 40.0, "card-delta bad", id="a longer cycle is bad"),
        pytest.param("sales_cycle", 30.0, 40.0, "card-delta good", id="a shorter one is good"),
        pytest.param("activity_mix", 0.3, 0.2, "card-delta", id="a mix is neither"),
        pytest.param("bookings", 2.0, 2.0, "card-delta", id="no change is neither"),
    ],
)
def test_colour_says_whether_a_change_is_good(kpi: str, value: float, before: float, kind: str) -> None:
    made = EN.card(pd.DataFrame({kpi: [value]}), kpi, compare=before)
    assert [e.get("class") for e in parsed(made).iter("p") if "card-delta" in (e.get("class") or "")] == [
        kind
    ]


def test_card_without_data_or_comparison(monthly: pd.DataFrame) -> None:
    assert of_class(DE.card(None, "win_rate"), "card-value") == ["–"]
    made = EN.card(pd.DataFrame({"win_rate": [np.nan], "n": [0]}), "win_rate", compare=0.4)
    assert of_class(made, "card-value") == ["–"]
    assert of_class(made, "card-note")[0] == "no comparable value for previous year"
    assert "no comparable value" in EN.card(monthly.tail(3), "bookings", compare="year").html


def test_card_refuses_a_table_of_groups(teams: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="one value of win_rate, the table has 3 groups"):
        EN.card(teams, "win_rate")


def test_cards_stand_side_by_side(rate: pd.DataFrame) -> None:
    made = EN.cards(EN.card(rate, "win_rate"), None, EN.card(None, "bookings", label={"en": EVIL, "de": "x"}))
    assert len(of_class(made, "cards")) == 1
    assert len(of_class(made, "card")) == 2
    assert "<script" not in made.html


@pytest.mark.parametrize(
    ("unit", "new", "old", "en", "de"),
    [
        pytest.param("money", 120.0, 100.0, "20.0% above target", "20,0 % über Ziel", id="money by per cent"),
        pytest.param(
            "share",
            0.5,
            0.56,
            "6.0 percentage points below target",
            "6,0 Prozentpunkte unter Ziel",
            id="shares by points",
        ),
        pytest.param("days", 49, 48, "1 day above target", "1 Tag über Ziel", id="days by days"),
        pytest.param("points", 30.0, 29.0, "1 point above target", "1 Punkt über Ziel", id="points"),
        pytest.param(
            "share",
            0.5,
            0.5001,
            "unchanged from target",
            "unverändert gegenüber dem Ziel",
            id="too little to say",
        ),
    ],
)
def test_changes_in_words(unit: str, new: float, old: float, en: str, de: str) -> None:
    said = [change(Words(lang), "x", new, old, unit, "target") for lang in ("en", "de")]  # type: ignore[arg-type]
    assert [plain(one.text) for one in said if one] == [en, de]


@pytest.mark.parametrize(("new", "old"), [(None, 1.0), (1.0, np.nan), (1.0, 0.0), (1.0, -5.0)])
def test_no_change_without_a_positive_base(new: Any, old: Any) -> None:
    assert change(Words(), "bookings", new, old, "money") is None


def test_claims_are_sentences() -> None:
    when = ("2026-10-01", "month")
    assert claim(Words("en"), "bookings", 3.5e6, "money", when=when, before=2.8e6, target=4e6) == (
        "Bookings: €3.5M in October 2026, 25.0% above previous year and 12.5% below target"
    )
    assert claim(Words("de"), "win_rate", None, "share") == (
        "Abschlussquote: Für diesen Zeitraum lässt sich kein Wert angeben."
    )


def test_findings_weigh_chance(rate: pd.DataFrame) -> None:
    within = EN.finding("win_rate", rate, compare=0.45)
    assert plain(within.text) == (
        "Win rate: 52.0%, 7.0 percentage points above previous year. "
        "The earlier value lies within the 95% interval (42.0 to 62.0%), so the change may be chance."
    )
    assert "may be chance" not in EN.finding("win_rate", rate, compare=0.3).text
    assert of_class(within, "finding") == [plain(within.text)]


def test_findings_about_groups_leave_small_ones_out(teams: pd.DataFrame) -> None:
    assert plain(DE.finding("win_rate", teams, by="team").text) == (
        "Abschlussquote: am höchsten bei North (40,0 %, n = 90), am niedrigsten bei South (20,0 %, n = 60). "
        "Ihre 95-%-Intervalle überschneiden sich: Der Abstand kann Zufall sein."
    )


def test_a_finding_can_be_a_title(monthly: pd.DataFrame) -> None:
    found = EN.finding("bookings", monthly, compare="year")
    chart = EN.columns(monthly, y="bookings", title=found)
    assert isinstance(chart, charts.Chart)
    assert found.text in chart.alt + "."


def test_sentences_fill_in_figures_and_escape_texts(rate: pd.DataFrame) -> None:
    made = DE.text(
        en="…", de="Quote {win_rate} (ab {win_rate.low}), {n} Deals, {sum:money} von {name}.",
        win_rate=rate, n=1234, sum=3.5e6, name=EVIL,
    )  # fmt: skip
    assert plain(made.text) == f"Quote 52,0 % (ab 42,0 %), 1.234 Deals, 3,5 Mio. € von {EVIL}."
    assert "<script" not in made.html


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "–"), (pd.DataFrame({"win_rate": []}), "–"), (float("nan"), "–")]
)
def test_unknown_figures_in_sentences_are_dashes(value: Any, shown: str) -> None:
    assert EN.text(en="{win_rate}", de="", win_rate=value).text == shown


def test_a_blank_without_a_value_is_refused() -> None:
    with pytest.raises(InputError, match="no value 'win_rat', did you mean 'win_rate'"):
        EN.text(en="{win_rat}", de="", win_rate=0.5)


def test_missing_tables_are_named() -> None:
    assert EN.missing("stage_spells").text.endswith("hold no table “stays in stages”.")
    assert DE.missing("deals", "leads").text.endswith("fehlen die Tabellen Deals, Leads.")


@pytest.mark.parametrize(
    ("limits", "rule"),
    [
        pytest.param({"below": 0.6}, "Win rate is 52.0%, below 60.0%", id="below its limit"),
        pytest.param({"above": 0.5}, "Win rate is 52.0%, above 50.0%", id="above its limit"),
        pytest.param({"below": 0.52}, None, id="on the limit is not below it"),
        pytest.param({"above": 0.52}, None, id="on the limit is not above it"),
        pytest.param({"below": None}, None, id="no goal, no rule"),
    ],
)
def test_rules_flag_measures(rate: pd.DataFrame, limits: dict[str, float], rule: str | None) -> None:
    found = EN.measure(rate, "win_rate", **limits, en="Act", de="Handeln", owner="sales_manager")
    assert (plain(found.rule) if found else None) == rule


def test_rules_on_groups_name_them_and_skip_small_ones(teams: pd.DataFrame) -> None:
    found = DE.measure(teams, "win_rate", below=0.95, by="team", en="", de="Üben", owner="team_lead")
    assert plain(found.rule) == "Abschlussquote unter 95,0 %: South 20,0 %, North 40,0 %"


def test_rules_on_nothing_do_not_trigger() -> None:
    assert EN.measure(None, "win_rate", below=1.0, en="", de="", owner="marketing") is None


def test_measures_list_rule_owner_metric_and_date(rate: pd.DataFrame) -> None:
    first = DE.measure(
        rate,
        "win_rate",
        below=0.6,
        en="",
        de=f"Prüfen {EVIL}",
        owner="sales_manager",
        metric="bookings",
        due="2026-12-01",
    )
    given = {"measure": {"en": "x", "de": "Rufen"}, "rule": "immer", "owner": "Ada", "metric": kpis.win_rate}
    made = DE.measures([first, None, given])
    assert "<script" not in made.html
    facts = [
        [plain("".join(d.itertext())) for d in li.iter() if d.tag in ("dt", "dd")]
        for li in parsed(made).iter("li")
    ]
    assert facts[0] == [
        "Auslöser", "Abschlussquote: 52,0 %, unter 60,0 %", "Verantwortlich", "Vertriebsleitung",
        "Messgröße", "Auftragseingang", "Bis", "01.12.2026",
    ]  # fmt: skip
    assert facts[1] == ["Auslöser", "immer", "Verantwortlich", "Ada", "Messgröße", "Abschlussquote"]


@pytest.mark.parametrize("found", [None, [], [None]], ids=["none", "empty", "not triggered"])
def test_no_measure_is_said(found: Any) -> None:
    assert EN.measures(found).text.startswith("No measure is called for")


def test_measures_may_be_plain_objects() -> None:
    assert EN.measures([Measure("Do", "rule", "marketing", "Win rate")]).text == "1. Do (rule; Marketing)"


def test_definitions_come_from_the_cards() -> None:
    made = DE.definitions(kpis.win_rate, "bookings")
    assert [plain(dt.text or "") for dt in parsed(made).iter("dt")] == ["Abschlussquote", "Auftragseingang"]
    facts = of_class(made, "definition-facts")[0]
    assert facts.startswith("Formel: ")
    assert "Einheit: Anteil (0 bis 100 %)" in facts
    assert "Zeitbezug: Tag des Abschlusses" in facts
    with pytest.raises(InputError, match="won has no card"):
        EN.definitions("won")


def test_sparklines_leave_gaps_and_hold_one_value() -> None:
    assert str(spark([1, None, 2, 3])).count("<polyline") == 2
    assert "nan" not in str(spark([1]))


def test_methods_have_the_options_and_documentation_of_what_they_call() -> None:
    for name in (
        "columns",
        "bars",
        "lines",
        "heatmap",
        "funnel",
        "stacked",
        "histogram",
        "strip",
        "curve",
        "forest",
    ):
        own, made = getattr(Show, name), getattr(charts, name)
        assert own.__doc__ == made.__doc__
        assert list(inspect.signature(own).parameters)[1:] == list(inspect.signature(made).parameters)[1:]


def test_every_method_accepts_a_missing_table() -> None:
    for made in (
        EN.columns(None, y="bookings"),
        EN.bars(None, x="win_rate", y="team"),
        EN.table(None),
        EN.finding("win_rate", None),
        EN.card(None, "win_rate"),
        EN.measures(None),
    ):
        assert isinstance(made, Html)


def test_same_call_same_bytes(monthly: pd.DataFrame) -> None:
    before = monthly.copy(deep=True)
    first, second = (
        EN.cards(EN.card(monthly, "bookings", compare="year", target=4e6)).html for _ in range(2)
    )
    assert first == second
    pd.testing.assert_frame_equal(monthly, before)


def test_display_in_jupyter(rate: pd.DataFrame) -> None:
    data, told = EN.card(rate, "win_rate")._repr_mimebundle_()
    assert set(data) == {"text/html", "text/plain"}
    assert told == {}
