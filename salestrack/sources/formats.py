"""Which form numbers and dates have: settled by the evidence of the whole file, or refused.

Expressions handed in are SQL for a cell's text; those handed out give text that DuckDB can cast for certain.
"""

from __future__ import annotations

from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from typing import Literal

import duckdb

from salestrack.errors import ReadError
from salestrack.sources.mapping import literal

Form = Literal["de", "en"]

# What a number looks like when only one reading is possible, without sign, currency and spaces.
ENGLISH = (
    r"(\d{1,3}(,\d{3})+\.\d*|\d*\.(\d{0,2}|\d{4,})|0\.\d+|\d{4,}\.\d+|\d{1,3}(,\d{3}){2,})([eE][+-]?\d+)?"
)
GERMAN = r"(\d{1,3}(\.\d{3})+,\d*|\d*,(\d{0,2}|\d{4,})|0,\d+|\d{4,},\d+|\d{1,3}(\.\d{3}){2,})([eE][+-]?\d+)?"
EITHER = r"[1-9]\d{0,2}[.,]\d{3}"
WHOLE = (rf"{ENGLISH}|[1-9]\d{{0,2}},\d{{3}}", rf"{GERMAN}|[1-9]\d{{0,2}}\.\d{{3}}", "")
READ_ENGLISH = r"-?(\d+|\d{1,3}(,\d{3})+)?(\.\d*)?([eE][+-]?\d+)?"
READ_GERMAN = r"-?(\d+|\d{1,3}(\.\d{3})+)?(,\d*)?([eE][+-]?\d+)?"

# Date forms other than ISO: name, pattern that proves it, strptime formats.
_TIMES = (" %H:%M:%S", " %H:%M", ", %H:%M:%S", ", %H:%M", " %I:%M %p", " %I:%M:%S %p", ", %I:%M %p", "")
DATE_FORMS = {
    "dotted": (r"\d{1,2}\.\d{1,2}\.\d{4}\b.*", "%d.%m.%Y"),
    "dotted_short": (r"\d{1,2}\.\d{1,2}\.\d{2}(\D.*)?", "%d.%m.%y"),
    "slash": (r"\d{1,2}/\d{1,2}/\d{4}\b.*", ""),
    "compact": (r"(19|20)\d{6}", "%Y%m%d"),
    "worded": (r"(\pL{3,9}\.? \d{1,2}|\d{1,2}\.? \pL{3,9}\.?),? \d{4}\b.*", ""),
    "serial": (r"[2-7]\d{4}(\.\d+)?( \d{1,2}:\d\d(:\d\d)?)?", ""),
}
SLASH = {"dmy": "%d/%m/%Y", "mdy": "%m/%d/%Y"}
SHOWN = {
    "iso": "2026-10-31",
    "dotted": "31.10.2026",
    "dotted_short": "31.10.26",
    "slash": "10/31/2026",
    "compact": "20261031",
    "worded": "Oct 31, 2026",
    "serial": "46326 (a spreadsheet's number of the day)",
}

MACROS = (
    # The digits of a number with its sign in front: without currency and spaces; (5) and 5- mean -5.
    r"""CREATE OR REPLACE MACRO bare_number(x) AS (
        CASE WHEN x LIKE '(%)' OR rtrim(x) LIKE '%-' THEN '-' ELSE '' END ||
        regexp_replace(replace(x, chr(8722), '-'),
            '^\s*\+|^\s*[A-Z]{3}\b|\b[A-Z]{3}\s*$|[\s\x{00a0}\x{202f}''€$£¥%()]|-\s*$', '', 'g'))""",
    f"""CREATE OR REPLACE MACRO english_number(x) AS (
        CASE WHEN regexp_full_match(bare_number(x), '{READ_ENGLISH}')
             THEN replace(bare_number(x), ',', '') END)""",
    f"""CREATE OR REPLACE MACRO german_number(x) AS (
        CASE WHEN regexp_full_match(bare_number(x), '{READ_GERMAN}')
             THEN replace(replace(bare_number(x), '.', ''), ',', '.') END)""",
    """CREATE OR REPLACE MACRO yes_or_no(x) AS (
        CASE WHEN lower(trim(x)) IN ('true', '1', 'yes', 'ja', 'wahr', 'x', 'v', 't', 'y', 'j') THEN true
             WHEN lower(trim(x)) IN ('false', '0', 'no', 'nein', 'falsch', 'f', 'n') THEN false END)""",
    # The number of a month from its name, in full or short, in English or German; two digits.
    # A map takes the name once; every branch of a CASE would work it out anew, and prepare its patterns anew.
    """CREATE OR REPLACE MACRO month_number(x) AS (
        MAP {'jan': '01', 'feb': '02', 'mar': '03', 'mrz': '03', 'apr': '04', 'may': '05', 'mai': '05', 'jun': '06', 'jul': '07',
             'aug': '08', 'sep': '09', 'oct': '10', 'okt': '10', 'nov': '11', 'dec': '12', 'dez': '12'}
        [left(strip_accents(lower(x)), 3)])""",
    # A day with the name of its month, the time of day behind it: May 2, 2024 3:04 PM; 2. Mai 2024 um 15:04 Uhr.
    r"""CREATE OR REPLACE MACRO worded_time(x) AS (
        try_strptime(trim(concat(regexp_extract(x, '\d{4}'), '-', month_number(regexp_extract(x, '\pL{3,}')), '-',
                                 regexp_extract(x, '\d{1,2}'), ' ', regexp_extract(x, '\d{1,2}:\d\d.*'))),
                     ['%Y-%m-%d %I:%M %p', '%Y-%m-%d %I:%M:%S %p', '%Y-%m-%d %H:%M', '%Y-%m-%d %H:%M:%S', '%Y-%m-%d %H:%M Uhr', '%Y-%m-%d']))""",
    # The currency that stands in the cell of an amount, as a code or as a sign of one currency only.
    r"""CREATE OR REPLACE MACRO currency_in(x) AS (
        coalesce(nullif(regexp_extract(x, '\b([A-Z]{3})\b', 1), ''),
                 CASE WHEN contains(x, '€') THEN 'EUR' WHEN contains(x, '£') THEN 'GBP' WHEN contains(x, '$') THEN 'USD' END))""",
    # A duration as on a clock in seconds: h:mm:ss, or two parts of which the first has so many; any other text as it is.
    r"""CREATE OR REPLACE MACRO clock_seconds(x, first) AS (
        CASE WHEN regexp_full_match(trim(x), '\d+:\d{1,2}')
             THEN CAST(CAST(split_part(trim(x), ':', 1) AS BIGINT) * first
                       + CAST(split_part(trim(x), ':', 2) AS BIGINT) * (first // 60) AS VARCHAR)
             WHEN regexp_full_match(trim(x), '\d+:\d{1,2}:\d{1,2}')
             THEN CAST(CAST(split_part(trim(x), ':', 1) AS BIGINT) * 3600 + CAST(split_part(trim(x), ':', 2) AS BIGINT) * 60
                       + CAST(split_part(trim(x), ':', 3) AS BIGINT) AS VARCHAR)
             ELSE x END)""",
    # An amount with a decimal point, from a text that can be read in one way only; NULL for any other.
    rf"""CREATE OR REPLACE MACRO sure_number(x) AS (
        CASE WHEN contains(x, '%') THEN NULL WHEN regexp_full_match(ltrim(bare_number(x), '-'), '\d+|{ENGLISH}') THEN english_number(x)
             WHEN regexp_full_match(ltrim(bare_number(x), '-'), '{GERMAN}') THEN german_number(x) END)""",
    # What is left of an amount without another, in the form of the two; where that is in doubt, a text that is no number.
    rf"""CREATE OR REPLACE MACRO amount_less(x, y) AS (
        CASE WHEN coalesce(regexp_full_match(bare_number(y), '-?[0.,]*'), true) THEN x
             WHEN sure_number(x) IS NULL OR sure_number(y) IS NULL THEN x || ' - ' || y
             ELSE replace(regexp_replace(CAST(CAST(sure_number(x) AS DECIMAL(28, 4)) - CAST(sure_number(y) AS DECIMAL(28, 4)) AS VARCHAR), '\.0+$', ''), '.',
                 CASE WHEN regexp_full_match(ltrim(bare_number(x), '-'), '{GERMAN}') OR regexp_full_match(ltrim(bare_number(y), '-'), '{GERMAN}') THEN ',' ELSE '.' END) END)""",
    # A time without a zone is one of UTC.
    r"""CREATE OR REPLACE MACRO in_utc(x) AS (CASE WHEN regexp_matches(x, '(Z|[+-]\d\d:?\d\d)$') THEN x ELSE x || 'Z' END)""",
)


@dataclass(slots=True)
class Formats:
    """The forms found in one file."""

    number: Form = "en"
    dates: dict[str, str] = field(default_factory=dict)
    zoned: dict[str, str] = field(default_factory=dict)
    separators: frozenset[str] = frozenset()
    habitual: bool = False
    """Numbers have a decimal point and no thousands, as the system is known to write them."""
    plain: bool = False
    """Every number and date is in the one form that was found, written in full; anything else counts as bad."""

    def record(self) -> dict[str, object]:
        """What the load log keeps."""
        return {"number": self.number, "dates": dict(sorted(self.dates.items()))}


def find_number_form(
    con: duckdb.DuckDBPyConnection,
    file: str,
    source: str,
    cells: Dict[str, str],
    wanted: str,
    habit: Form | None,
    whole: frozenset[str] = frozenset(),
) -> tuple[Form, frozenset[str]]:
    """The number form of a file and the columns that hold a comma or a point at all.

    `wanted` is the company's setting ("auto" leaves it to the evidence), `habit` how the system writes
    numbers: it counts only where the file could be read in two ways. In the columns `whole` a count such as
    1.200 is no decimal number.
    """
    seen = _with_separators(con, source, cells)
    if wanted in ("de", "en"):
        return ("de" if wanted == "de" else "en"), seen
    if not seen:
        return "en", seen
    english, german, either = _number_evidence(
        con, source, {cells[name]: name in whole for name in sorted(seen)}
    )
    if english and german:
        raise ReadError.two_forms(file, "the numbers are written", english, german)
    if english or german:
        return ("en" if english else "de"), seen
    if either and habit is None:
        raise ReadError.ask_format(file, "numbers", either, "number_format", '"de" or "en"')
    return habit or "en", seen


def _with_separators(con: duckdb.DuckDBPyConnection, source: str, cells: Dict[str, str]) -> frozenset[str]:
    if not cells:
        return frozenset()
    tests = ", ".join(
        f"coalesce(bool_or(contains({x}, ',') OR contains({x}, '.')), false)" for x in cells.values()
    )
    row = con.execute(f"SELECT {tests} FROM {source}").fetchone() or ()
    return frozenset(name for name, found in zip(cells, row, strict=True) if found)


def _number_evidence(
    con: duckdb.DuckDBPyConnection, source: str, cells: Dict[str, bool]
) -> tuple[str, str, str]:
    """An example with its line for each reading that the file proves; a count is known to have no decimals."""
    found = ["", "", ""]
    for cell, whole in cells.items():
        kinds = ", ".join(
            f"min({{'line': _line, 'x': x}}) FILTER (regexp_full_match(n, '{pattern}'))"
            for pattern in (WHOLE if whole else (ENGLISH, GERMAN, EITHER))
        )
        row = con.execute(
            f"SELECT {kinds} FROM (SELECT _line, x, ltrim(bare_number(x), '-') AS n FROM "
            f"(SELECT _line, {cell} AS x FROM {source}) WHERE contains(x, ',') OR contains(x, '.'))"
        ).fetchone() or (None, None, None)
        for place, example in enumerate(row):
            if example and not found[place]:
                found[place] = f"{example['x'].strip()} (line {example['line']})"
    return found[0], found[1], found[2]


def number_sql(cell: str, form: Form, duckdb_type: str, has_separators: bool) -> str:
    """SQL that reads a cell as a number of a type, NULL where it is none.

    >>> number_sql("x", "en", "BIGINT", False)
    'coalesce(TRY_CAST(x AS BIGINT), TRY_CAST(english_number(x) AS BIGINT))'
    """
    if form == "de" and has_separators:
        plain = f"NOT contains({cell}, ',') AND NOT contains({cell}, '.')"
        german = f"TRY_CAST(german_number({cell}) AS {duckdb_type})"
        return f"coalesce(CASE WHEN {plain} THEN TRY_CAST({cell} AS {duckdb_type}) END, {german})"
    return f"coalesce(TRY_CAST({cell} AS {duckdb_type}), TRY_CAST(english_number({cell}) AS {duckdb_type}))"


def find_date_forms(
    con: duckdb.DuckDBPyConnection,
    file: str,
    source: str,
    cells: Dict[str, str],
    wanted: str,
    habit: str | None,
) -> tuple[dict[str, str], dict[str, str]]:
    """Per column the date form (iso, dotted, slash:dmy, …) and whether its times name a zone."""
    if not cells:
        return {}, {}
    tests = []
    for cell in cells.values():
        tests += [
            f"count({cell})",
            f"count(TRY_CAST({cell} AS TIMESTAMP))",
            f"count(*) FILTER (right({cell}, 1) = 'Z')",
        ]
        tests.append(
            f"count(*) FILTER (length({cell}) > 16 AND regexp_matches({cell}, '[+-]\\d\\d:?\\d\\d$'))"
        )
    row = con.execute(f"SELECT {', '.join(tests)} FROM {source}").fetchone() or ()
    forms: dict[str, str] = {}
    zoned: dict[str, str] = {}
    for place, (name, cell) in enumerate(cells.items()):
        filled, iso, utc, offset = row[place * 4 : place * 4 + 4]
        forms[name] = "iso" if iso == filled else _other_form(con, file, source, name, cell, int(iso))
        zoned[name] = (
            "offset" if offset else "utc" if utc == filled and filled else "mixed" if utc else "none"
        )
    return _settled_slashes(con, file, source, cells, forms, wanted, habit), zoned


def _other_form(
    con: duckdb.DuckDBPyConnection, file: str, source: str, name: str, cell: str, iso: int
) -> str:
    rest = f"FROM (SELECT {cell} AS x FROM {source}) WHERE x IS NOT NULL AND TRY_CAST(x AS TIMESTAMP) IS NULL"
    looks = {form: f"regexp_full_match(trim(x), '{pattern}')" for form, (pattern, _) in DATE_FORMS.items()}
    seen = [form for form, count in _counts(con, looks, rest).items() if count]
    # reading a day is dear to plan, so only what looks like one is read
    counts = _counts(con, {form: f"{looks[form]} AND {_is_a_day(form)}" for form in seen}, rest)
    counts |= {"iso": iso} if iso else {}
    found = [form for form, count in counts.items() if count]
    if len(found) > 1:
        raise ReadError.two_forms(
            file, f"the dates in '{name}' are written", SHOWN[found[0]], SHOWN[found[1]]
        )
    return found[0] if found else "iso"


def _counts(con: duckdb.DuckDBPyConnection, conditions: Dict[str, str], rest: str) -> dict[str, int]:
    """How many rows meet each of the conditions."""
    if not conditions:
        return {}
    counts = ", ".join(f"count(*) FILTER ({condition})" for condition in conditions.values())
    row = con.execute(f"SELECT {counts} {rest}").fetchone() or ()
    return dict(zip(conditions, row, strict=True))


def _is_a_day(form: str) -> str:
    """SQL for whether a text is a day in a form: 32.13.2026 is no evidence for anything."""
    if form != "slash":
        return f"{stamp_sql('x', form)} IS NOT NULL"
    return " OR ".join(f"{stamp_sql('x', f'slash:{order}')} IS NOT NULL" for order in SLASH).join("()")


def _settled_slashes(
    con: duckdb.DuckDBPyConnection,
    file: str,
    source: str,
    cells: Dict[str, str],
    forms: dict[str, str],
    wanted: str,
    habit: str | None,
) -> dict[str, str]:
    """Whether 03/04/2026 is in March or April is a matter of the file: any day above 12 settles it."""
    slashed = [name for name, form in forms.items() if form == "slash"]
    if not slashed:
        return forms
    order = wanted if wanted in SLASH else ""
    if not order:
        parts = " UNION ALL ".join(
            f"SELECT TRY_CAST(split_part(trim({cells[n]}), '/', 1) AS INTEGER) AS a, "
            f"TRY_CAST(split_part({cells[n]}, '/', 2) AS INTEGER) AS b, {cells[n]} AS x FROM {source}"
            for n in slashed
        )
        days, months, example = con.execute(
            f"SELECT coalesce(max(a), 0) > 12, coalesce(max(b), 0) > 12, min(x) FROM ({parts})"
        ).fetchone() or (False, False, "")
        if days and months:
            raise ReadError.two_forms(file, "the dates are written", "31/10/2026", "10/31/2026")
        order = "dmy" if days else "mdy" if months else habit if habit in SLASH else ""
        if not order:
            raise ReadError.ask_format(file, "dates", example, "date_format", '"dmy" or "mdy"')
    return forms | {name: f"slash:{order}" for name in slashed}


def local_day_macro(zone: str) -> str:
    """SQL that makes the macro `local_day`: the day of `zone` in a text that is an ISO time or milliseconds since 1970."""
    stamp = "epoch_ms(CAST(trim(x) AS BIGINT))"
    counted = f"CAST({stamp} AT TIME ZONE 'UTC' AT TIME ZONE {literal(zone)} AS DATE)"
    return (
        "CREATE OR REPLACE MACRO local_day(x) AS (CASE WHEN regexp_full_match(trim(x), '\\d{12,13}') "
        f"THEN {counted} ELSE {day_sql('x', 'iso', 'offset', zone)} END)"
    )


def plain_number_sql(cell: str, form: Form, duckdb_type: str, has_separators: bool) -> str:
    """SQL that reads a number written in a form, NULL for whatever could be meant in another; signs come first."""
    if not has_separators:
        return f"CASE WHEN NOT contains({cell}, '.') AND NOT contains({cell}, ',') THEN TRY_CAST({cell} AS {duckdb_type}) END"
    group, point = (r"\.", ",") if form == "de" else (",", r"\.")
    shape = rf"-?(\d+|[1-9]\d{{0,2}}({group}\d{{3}})+)({point}\d*)?"
    digits = f"replace(replace({cell}, '.', ''), ',', '.')" if form == "de" else f"replace({cell}, ',', '')"
    return f"CASE WHEN regexp_full_match({cell}, '{shape}') THEN TRY_CAST({digits} AS {duckdb_type}) END"


def plain_stamp_sql(cell: str, form: str) -> str:
    """SQL that reads a day in a form other than ISO, without a time of day, as a local TIMESTAMP."""
    base = SLASH[form.partition(":")[2]] if form.startswith("slash") else DATE_FORMS[form][1]
    return f"try_strptime({cell}, '{base}')"


def plain_utc_sql(cell: str, zone: str) -> str:
    """SQL that reads an ISO time with Z, or one without any zone, as a UTC TIMESTAMP; NULL for others."""
    stamp = f"TRY_CAST({cell} AS TIMESTAMP)"
    local = f"{stamp} AT TIME ZONE {literal(zone)} AT TIME ZONE 'UTC'"
    return f"CASE WHEN right({cell}, 1) = 'Z' THEN {stamp} WHEN length({cell}) <= 16 THEN {local} END"


def plain_day_sql(cell: str, zone: str) -> str:
    """SQL that reads an ISO day, or an ISO time with Z as a local day of `zone`; NULL for others."""
    stamp = f"TRY_CAST({cell} AS TIMESTAMP)"
    local = f"CAST({stamp} AT TIME ZONE 'UTC' AT TIME ZONE {literal(zone)} AS DATE)"
    return f"CASE WHEN length({cell}) = 10 THEN TRY_CAST({cell} AS DATE) WHEN right({cell}, 1) = 'Z' THEN {local} END"


def stamp_sql(cell: str, form: str) -> str:
    """SQL that reads a cell as a TIMESTAMP without a zone, NULL where it is none."""
    if form == "iso":
        return f"TRY_CAST({cell} AS TIMESTAMP)"
    if form == "serial":
        return _serial_sql(f"trim({cell})")
    if form == "worded":
        return f"CASE WHEN regexp_full_match(trim({cell}), '{DATE_FORMS[form][0]}') THEN worded_time(trim({cell})) END"
    base = SLASH[form.partition(":")[2]] if form.startswith("slash") else DATE_FORMS[form][1]
    if form == "compact":
        return f"try_strptime(trim({cell}), '{base}')"
    formats = ", ".join(literal(base + end) for end in _TIMES)
    return f"try_strptime(trim({cell}), [{formats}])"


def _serial_sql(cell: str) -> str:
    """SQL that reads a spreadsheet's day number, its time of day as a fraction or behind it, as a TIMESTAMP.

    >>> duckdb.sql("SELECT x: CAST(" + _serial_sql("'46326.5'") + " AS VARCHAR)").fetchall()
    [('2026-10-31 12:00:00',)]
    """
    pattern = DATE_FORMS["serial"][0]
    seconds = f"CAST(round(TRY_CAST(split_part({cell}, ' ', 1) AS DOUBLE) * 86400) AS BIGINT)"
    time = f"coalesce(TRY_CAST(nullif(split_part({cell}, ' ', 2), '') AS INTERVAL), to_seconds(0))"
    day = f"TIMESTAMP '1899-12-30' + to_seconds({seconds}) + {time}"
    return f"CASE WHEN regexp_full_match({cell}, '{pattern}') THEN {day} END"


def utc_sql(cell: str, form: str, zoned: str, zone: str) -> str:
    """SQL that reads a cell as a UTC TIMESTAMP; times without a zone are local times of `zone`."""
    local = f"{stamp_sql(cell, form)} AT TIME ZONE {literal(zone)} AT TIME ZONE 'UTC'"
    with_zone = f"CAST(TRY_CAST({cell} AS TIMESTAMPTZ) AS TIMESTAMP)"
    if zoned == "utc":
        return stamp_sql(cell, form)
    if zoned == "none":
        return local
    named = (
        f"right({cell}, 1) = 'Z' OR (length({cell}) > 16 AND regexp_matches({cell}, '[+-]\\d\\d:?\\d\\d$'))"
    )
    return f"CASE WHEN {named} THEN {with_zone} ELSE {local} END"


def day_sql(cell: str, form: str, zoned: str, zone: str) -> str:
    """SQL that reads a cell as a local day of `zone`."""
    if zoned == "none":
        return f"CAST({stamp_sql(cell, form)} AS DATE)"
    return f"CAST({utc_sql(cell, form, zoned, zone)} AT TIME ZONE 'UTC' AT TIME ZONE {literal(zone)} AS DATE)"
