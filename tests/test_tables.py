"""KPI tables, read from their HTML."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from salestrack.errors import InputError
from salestrack.i18n import Words
from salestrack.markup import Html, data_table, element
from salestrack.tables import kpi_table

EN, DE = Words("en"), Words("de")
EVIL = '<script>alert("x")</script>'


@pytest.fixture
def teams() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "team": ["North", EVIL, None],
            "won": [40, 4, 20],
            "win_rate": [0.40, np.nan, 0.25],
            "low": [0.31, np.nan, 0.17],
            "high": [0.50, np.nan, 0.35],
            "n": [100, 8, 80],
            "note": [None, "no_data", None],
        }
    )


def parsed(made: Html) -> ElementTree.Element:
    found = re.search(r"<table.*</table>", made.html, re.DOTALL)
    assert found
    return ElementTree.fromstring(found[0])


def words_of(cell: ElementTree.Element) -> str:
    return "".join(cell.itertext()).replace("\u00a0", " ").strip()


def head(made: Html) -> list[str]:
    return [words_of(th) for th in parsed(made).findall("./thead/tr/th")]


def rows(made: Html) -> list[list[str]]:
    return [[words_of(cell) for cell in tr] for tr in parsed(made).findall("./tbody/tr")]


def test_labels_and_figures_come_from_the_cards(teams: pd.DataFrame) -> None:
    made = kpi_table(DE, teams)
    assert head(made) == ["Team", "Gewonnen", "Abschlussquote", "95-%-Intervall", "n", "Anmerkung"]
    assert rows(made) == [
        ["North", "40", "40,0 %", "31,0 bis 50,0 %", "100", "–"],
        [EVIL, "4", "–", "–", "8", "keine Fälle"],
        ["–", "20", "25,0 %", "17,0 bis 35,0 %", "80", "–"],
    ]


def test_a_note_column_without_notes_is_left_out(teams: pd.DataFrame) -> None:
    assert "Note" not in head(kpi_table(EN, teams.assign(note=None)))


def test_columns_can_be_chosen_named_and_given_units(teams: pd.DataFrame) -> None:
    from salestrack.kpis import win_rate

    made = kpi_table(
        DE,
        teams.assign(x=[0.1, 0.2, 0.3]),
        columns=["team", win_rate, "x"],
        labels={"x": {"en": "Growth", "de": "Wachstum"}},
        units={"x": "change"},
    )
    assert head(made) == ["Team", "Abschlussquote", "Wachstum"]
    assert [row[2] for row in rows(made)] == ["+10,0 %", "+20,0 %", "+30,0 %"]


def test_the_total_is_given_not_summed_up(teams: pd.DataFrame) -> None:
    whole = pd.DataFrame({"won": [64], "win_rate": [0.34], "low": [0.3], "high": [0.4], "n": [188]})
    made = kpi_table(EN, teams.drop(columns="note"), total=whole)
    assert rows(made)[-1] == ["Total", "64", "34.0%", "30.0 to 40.0%", "188"]


def test_days_stand_in_the_head_and_share_their_decimals() -> None:
    table = pd.DataFrame(
        {
            "team": ["A", "B"],
            "sales_cycle": [48.0, 5.5],
            "low": [40.0, 3.0],
            "high": [60.0, 9.0],
            "n": [30, 20],
        }
    )
    made = kpi_table(DE, table)
    assert head(made) == ["Team", "Vertriebszyklus (realisiert), Tage", "95-%-Intervall", "n"]
    assert [row[1] for row in rows(made)] == ["48,0", "5,5"]
    assert rows(made)[0][2] == "40 bis 60"


def test_money_is_whole_in_large_columns_and_exact_in_small_ones() -> None:
    table = pd.DataFrame({"team": ["A"], "bookings": [443_358.4], "average_order_value": [85.4]})
    assert rows(kpi_table(DE, table)) == [["A", "443.358 €", "85,40 €"]]


def test_figures_are_right_aligned_and_rows_have_heads(teams: pd.DataFrame) -> None:
    table = parsed(kpi_table(EN, teams))
    sides = [
        "right" if "gt_right" in (th.get("class") or "") else "left" for th in table.findall("./thead/tr/th")
    ]
    assert sides == ["left", "right", "right", "right", "right", "left"]
    assert {th.get("scope") for th in table.findall("./thead/tr/th")} == {"col"}
    assert [tr[0].tag for tr in table.findall("./tbody/tr")] == ["th", "th", "th"]


def test_small_groups_are_grey_and_said_to_be(teams: pd.DataFrame) -> None:
    made = kpi_table(EN, teams)
    styled = [
        {"color" in (cell.get("style") or "") for cell in tr} for tr in parsed(made).findall("./tbody/tr")
    ]
    assert styled == [{False}, {True}, {False}]
    assert "Grey: fewer than 10 cases" in made.html


def test_what_is_counted_in_full_is_not_grey() -> None:
    assert "Grey" not in kpi_table(EN, pd.DataFrame({"team": ["A"], "bookings": [1000.0], "n": [2]})).html


def test_text_from_the_data_stays_text(teams: pd.DataFrame) -> None:
    made = kpi_table(
        EN,
        teams.rename(columns={"won": EVIL}),
        title=EVIL,
        note=EVIL,
        labels={"win_rate": EVIL},
        total=teams.head(1),
    )
    assert "<script" not in made.html
    assert EVIL in rows(made)[1]
    assert made.html.count("&lt;script") >= 5


def test_no_outside_address_and_no_styles_of_great_tables(teams: pd.DataFrame) -> None:
    html = kpi_table(EN, teams).html
    assert "http" not in html
    assert "#D3D3D3" not in html
    assert 'class="gt_table kpi"' in html


def test_same_table_same_bytes_and_no_mutation(teams: pd.DataFrame) -> None:
    before = teams.copy(deep=True)
    assert kpi_table(EN, teams, title="t").html == kpi_table(EN, teams, title="t").html
    pd.testing.assert_frame_equal(teams, before)


def test_different_tables_have_different_ids(teams: pd.DataFrame) -> None:
    ids = {re.search(r'<div id="([^"]+)"', kpi_table(EN, t).html)[1] for t in (teams, teams.head(1))}  # type: ignore[index]
    assert len(ids) == 2


def test_trend_lines_are_hidden_from_screen_readers(teams: pd.DataFrame) -> None:
    trend = pd.DataFrame(
        {
            "month": pd.to_datetime(["2026-09-01", "2026-10-01"] * 2),
            "team": ["North", "North", EVIL, EVIL],
            "win_rate": [0.3, 0.4, np.nan, np.nan],
        }
    )
    made = kpi_table(DE, teams, trend=trend, total=teams.head(1))
    assert head(made)[-1] == "Verlauf"
    pictures = [len(tr.findall(".//svg")) for tr in parsed(made).findall("./tbody/tr")]
    assert pictures == [1, 0, 0, 0]
    assert made.html.count("<svg") == made.html.count('aria-hidden="true"')


def test_only_so_many_rows(teams: pd.DataFrame) -> None:
    made = kpi_table(EN, teams, most=2)
    assert len(rows(made)) == 2
    assert "2 largest of 3" in made.html


@pytest.mark.parametrize(
    "table", [None, pd.DataFrame(), pd.DataFrame({"team": []})], ids=["none", "bare", "empty"]
)
def test_nothing_to_show_is_a_sentence(table: pd.DataFrame | None) -> None:
    assert kpi_table(DE, table, title="Teams").text == "Teams: keine Daten im gewählten Zeitraum."


def test_missing_columns_are_named(teams: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="table needs the column 'wins'"):
        kpi_table(EN, teams, columns=["team", "wins"])


def test_texts_in_two_languages_show_only_the_readers() -> None:
    table = pd.DataFrame(
        {"check": ["a"], "en": ["stale"], "de": ["veraltet"], "reason_en": ["x"], "reason_de": ["y"]}
    )
    assert rows(kpi_table(DE, table)) == [["a", "veraltet", "y"]]
    assert rows(kpi_table(EN, table)) == [["a", "stale", "x"]]


def test_plain_text_for_terminals(teams: pd.DataFrame) -> None:
    made = kpi_table(EN, teams[["team", "won"]].head(1), title="Won")
    assert made.text == "Won\nTeam   Won\nNorth   40"


def test_chart_data_table_has_heads_and_formats() -> None:
    table = pd.DataFrame({"month": pd.to_datetime(["2026-10-01"]), "win_rate": [0.5]})
    html = data_table(DE, table, "Daten <1>", ["month", "win_rate"])
    root = ElementTree.fromstring(html)
    assert root.find("caption").text == "Daten <1>"  # type: ignore[union-attr]
    assert [words_of(th) for th in root.findall("./thead/tr/th")] == ["Monat", "Abschlussquote"]
    assert [words_of(cell) for cell in root.findall("./tbody/tr/*")] == ["Oktober 2026", "50,0 %"]


def test_elements_escape_text_and_attributes() -> None:
    assert str(element("p", "<b>", title='"><x', class_="a")) == (
        '<p title="&#34;&gt;&lt;x" class="a">&lt;b&gt;</p>'
    )
