"""Words and number formats in both languages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import salestrack
from salestrack.errors import InputError
from salestrack.i18n import (
    FORMATS,
    LANGUAGES,
    UNKNOWN,
    Words,
    better,
    clean,
    fmt,
    messages,
    printable,
    unit_for,
)

DAY = pd.Timestamp("2026-10-01")


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("value", "unit", "style", "en", "de"),
    [
        pytest.param(3_512_345, "money", {"compact": True}, "€3.5M", "3,5 Mio. €", id="money in millions"),
        pytest.param(443_358, "money", {"compact": True}, "€443K", "443 Tsd. €", id="money in thousands"),
        pytest.param(8_750, "money", {"compact": True}, "€8,750", "8.750 €", id="small money stays whole"),
        pytest.param(
            999_999, "money", {"compact": True}, "€1.0M", "1,0 Mio. €", id="not a thousand thousands"
        ),
        pytest.param(2.5e9, "money", {"compact": True}, "€2.5B", "2,5 Mrd. €", id="billions"),
        pytest.param(-443_358.5, "money", {}, "−€443,359", "−443.359 €", id="half up, true minus"),
        pytest.param(85.4, "money", {"digits": 2}, "€85.40", "85,40 €", id="with cents"),
        pytest.param(Decimal("0.523"), "share", {}, "52.3%", "52,3 %", id="share"),
        pytest.param(-0.00001, "share", {}, "0.0%", "0,0 %", id="no minus before zero"),
        pytest.param(0.429, "change", {}, "+42.9%", "+42,9 %", id="a change has its sign"),
        pytest.param(0.0, "change", {}, "±0.0%", "±0,0 %", id="no change"),
        pytest.param(0.057, "difference", {}, "5.7 percentage points", "5,7 Prozentpunkte", id="of shares"),
        pytest.param(0.057, "difference", {"bare": True}, "5.7", "5,7", id="its unit is in the header"),
        pytest.param(48, "days", {}, "48 days", "48 Tage", id="days"),
        pytest.param(1, "days", {}, "1 day", "1 Tag", id="one day"),
        pytest.param(4.25, "days", {}, "4.3 days", "4,3 Tage", id="few days with a decimal"),
        pytest.param(12.4, "hours", {"bare": True}, "12", "12", id="hours without the word"),
        pytest.param(2.43, "ratio", {}, "2.4×", "2,4×", id="coverage"),
        pytest.param(-32.4, "points", {}, "−32", "−32", id="points"),
        pytest.param(np.int64(1234), "count", {}, "1,234", "1.234", id="count"),
        pytest.param(0.0213, "number", {}, "0.02", "0,02", id="bare number"),
        pytest.param(date(2026, 10, 31), "date", {}, "31 Oct 2026", "31.10.2026", id="date"),
        pytest.param(DAY, "month", {}, "October 2026", "Oktober 2026", id="month"),
        pytest.param(DAY, "month", {"compact": True}, "Oct 2026", "Okt. 2026", id="month, short"),
        pytest.param(DAY, "quarter", {}, "Q4 2026", "Q4 2026", id="quarter"),
        pytest.param(DAY, "year", {}, "2026", "2026", id="year"),
        pytest.param(
            DAY, "year", {"fiscal_year_start": 7}, "FY 2027", "GJ 2027", id="fiscal year by its end"
        ),
        pytest.param(DAY, "quarter", {"fiscal_year_start": 7}, "Q2 FY 2027", "Q2 GJ 2027", id="its quarter"),
        pytest.param("2026-12-31", "week", {}, "week 53, 2026", "KW 53/2026", id="week 53"),
        pytest.param("2027-01-01", "week", {}, "week 53, 2026", "KW 53/2026", id="its year is the ISO year"),
        pytest.param(True, "flag", {}, "yes", "ja", id="flag"),
        pytest.param("a\x00\u202eb", "text", {}, "a b", "a b", id="text is cleaned"),
    ],
)
def test_formats(value: object, unit: str, style: dict[str, Any], en: str, de: str) -> None:
    assert (plain(fmt(value, unit, "en", **style)), plain(fmt(value, unit, "de", **style))) == (en, de)


@pytest.mark.parametrize("unit", FORMATS)
@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), pd.NaT, pd.NA, np.nan, Decimal("NaN")])
def test_unknown_is_a_dash_never_zero(unit: str, value: object) -> None:
    assert fmt(value, unit, "de") == UNKNOWN


def test_other_currencies() -> None:
    assert plain(fmt(1234, "money", "en", "CHF")) == "CHF 1,234"
    assert plain(fmt(1234, "money", "de", "USD")) == "1.234 $"


def test_a_figure_never_breaks_across_lines() -> None:
    assert " " not in fmt(3_512_345, "money", "de", compact=True) + fmt(0.5, "share", "de") + fmt(4, "days")


def test_unknown_unit_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="no unit 'monney', did you mean 'money'"):
        fmt(1, "monney")


def test_unknown_language_is_refused() -> None:
    with pytest.raises(InputError, match="no language 'fr'"):
        Words("fr")  # type: ignore[arg-type]


def test_intervals_name_their_unit_once() -> None:
    assert plain(Words("de").interval(0.481, 0.559, "share")) == "48,1 bis 55,9 %"
    assert plain(Words("en").interval(2e6, 3e6, "money", compact=True)) == "€2.0M to €3.0M"
    assert Words().interval(None, 0.5, "share") == UNKNOWN


def entries(section: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key, value in section.items():
        if (
            isinstance(value, Mapping)
            and (set(value) & set(LANGUAGES))
            and not any(isinstance(v, Mapping) for v in value.values())
        ):
            yield f"{path}{key}", value
        elif isinstance(value, Mapping):
            yield from entries(value, f"{path}{key}.")


def test_every_message_has_both_languages() -> None:
    found = list(entries({k: v for k, v in messages().items() if k not in ("meaning", "endings")}))
    assert len(found) > 300
    assert [key for key, texts in found if not all(texts.get(lang) for lang in LANGUAGES)] == []


def test_both_languages_have_the_same_blanks() -> None:
    from string import Formatter

    def blanks(text: str) -> set[str | None]:
        return {name for _, name, _, _ in Formatter().parse(text) if name}

    assert [
        key for key, texts in messages()["text"].items() if blanks(texts["en"]) != blanks(texts["de"])
    ] == []


def test_every_unit_of_a_column_is_known() -> None:
    units = {entry["unit"] for entry in messages()["columns"].values() if "unit" in entry}
    assert units | set(messages()["endings"].values()) <= set(FORMATS)


def test_no_message_is_left_unused() -> None:
    folder = Path(salestrack.__file__).parent
    files = [*folder.glob("*.py"), *folder.glob("charts/*.py"), *folder.glob("i18n/*.py")]
    source = "".join(f.read_text(encoding="utf-8") for f in files)
    made_up = ("alt_", "axis_", "base_", "compare_dative_", "rule_", "short_", "unit_", "when_")
    unused = [k for k in messages()["text"] if f'"{k}"' not in source and f"'{k}'" not in source]
    assert [key for key in unused if not key.startswith(made_up)] == []


def test_labels_come_from_the_card_the_catalogue_or_the_name() -> None:
    assert Words("de").label("win_rate") == "Abschlussquote"
    assert Words("de").label("lead_source") == "Leadquelle"
    assert Words("de").label("my_column") == "My column"


def test_categories_are_translated_only_in_their_own_column() -> None:
    assert Words("de").value("deal_type", "new") == "Neugeschäft"
    assert Words("de").value("team", "new") == "new"
    assert Words("de").value("team", "(missing)") == "(ohne Angabe)"
    assert Words("de").value("table", "deals") == "Deals"


@pytest.mark.parametrize(
    ("column", "values", "unit"),
    [
        pytest.param("win_rate", [0.5], "share", id="a KPI by its card"),
        pytest.param("revenue_growth", [0.5], "change", id="growth with its sign"),
        pytest.param("month", [DAY], "month", id="a period"),
        pytest.param("month", ["October"], "text", id="a text that only looks like a period"),
        pytest.param("day", [31], "count", id="day of the period is a number"),
        pytest.param("list_price", [2.5], "money", id="by the end of its name"),
        pytest.param("top5_share", [0.5], "share", id="by the catalogue"),
        pytest.param("x", [Decimal("1.5")], "number", id="decimals"),
        pytest.param("x", [date(2026, 1, 1)], "text", id="objects are text"),
        pytest.param("x", [True], "flag", id="flags"),
    ],
)
def test_units_of_columns(column: str, values: list[object], unit: str) -> None:
    assert unit_for(column, pd.Series(values)) == unit


def test_given_units_win() -> None:
    assert unit_for("win_rate", pd.Series([0.5]), {"win_rate": "number"}) == "number"


def test_what_is_good_news() -> None:
    assert [better(k) for k in ("win_rate", "sales_cycle", "activity_mix")] == ["higher", "lower", "neither"]


def test_text_is_one_printable_line() -> None:
    assert clean("  a\n\tb\x00 \u202ec\u2066  ") == "a b c"
    assert clean("x" * 10_000, 12) == "x" * 11 + "…"
    assert printable("a\ud800b") == "a b"
    assert clean("12\u00a0%") == "12\u00a0%"
