"""Google Analytics 4: reports, tables of the Data API and rows of the BigQuery export tell the same visits."""

from pathlib import Path
from typing import Any

import duckdb
import pytest
import xlsxwriter
from source_files import imported, rows
from systems.same import differing, figures

from salestrack.errors import ReadError
from salestrack.exports import export
from salestrack.importing import ImportResult, import_company

ENGLISH = """\
# ----------------------------------------
# Traffic acquisition: Session default channel group
# Account: Muster & Söhne, Ulm
# Property: "www"
# ----------------------------------------
#
# All Users
# Start date: 20260701
# End date: 20260702

Date,Session default channel group,Sessions,Engaged sessions,Engagement rate,Total users,New users,Event count,Key events
,,1540,770,0.5,1300,900,4620,31,Grand total
20260701,Organic Search,1200,600,0.5,1100,700,3600,20
20260701,(other),40,20,0.5,40,30,120,1
20260702,Organic Search,300,150,0.5,290,170,900,10
"""
GERMAN = """\
# ----------------------------------------
# Neu generierte Zugriffe: Sitzung – Standard-Channelgruppe
# ----------------------------------------
#
# Alle Nutzer
# Startdatum: 20260701
# Enddatum: 20260702

Datum;Sitzung – Standard-Channelgruppe;Sitzungen;Sitzungen mit Interaktionen;Engagement-Rate;Nutzer insgesamt;Neue Nutzer;Ereignisanzahl;Schlüsselereignisse
;;1.540;770;50,0%;1.300;900;4.620;31;Gesamtsumme
20260701;Organic Search;1.200;600;50,0%;1.100;700;3.600;20
20260701;(other);40;20;50,0%;40;30;120;1
20260702;Organic Search;300;150;50,0%;290;170;900;10
"""
FRENCH = ENGLISH.replace("# Start date:", "# Date de début:").replace("# End date:", "# Date de fin:")
EARLIER = ENGLISH.replace("Key events", "Conversions").replace(
    "Session default channel group,", "Session primary channel group (Default Channel Group),"
)
EXPLORATION = """\
# ----------------------------------------
# Muster & Söhne
# Free form-Free form 1
# 20260701-20260702
# ----------------------------------------

""" + "".join(ENGLISH.partition("\n\n")[2:])
NTH_DAY = (
    ENGLISH.replace("\nDate,", "\nNth day,")
    .replace("\n20260701,", "\n0000,")
    .replace("\n20260702,", "\n0001,")
)
TABLE = ENGLISH.partition("\n\n")[2].splitlines()
DATA_API = "\n".join(
    [
        "date,sessionDefaultChannelGroup,sessions,engagedSessions,engagementRate,totalUsers,newUsers,eventCount,keyEvents",
        *TABLE[2:],
        "",
    ]
)
DATABASE = "\n".join(
    [
        "date,session_default_channel_group,sessions,engaged_sessions,Engagement rate,total_users,new_users,event_count,key_events",
        *TABLE[2:],
        "",
    ]
)
VISITS = [
    ("2026-07-01", "(other)", 40, 20, 40, 30, 1, 120),
    ("2026-07-01", "Organic Search", 1200, 600, 1100, 700, 20, 3600),
    ("2026-07-02", "Organic Search", 300, 150, 290, 170, 10, 900),
]
WHOLE = "* EXCLUDE (source_ref)"
MONTH = """\
# Start date: 20260701
# End date: 20260731

Session default channel group,Sessions
Direct,100
"""


def workbook(path: Path, text: str) -> None:
    """The report as GA4 writes it to a workbook: a comment per row, numbers as numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Sheet 1")
        for place, line in enumerate(text.splitlines()):
            cells = [line] if line.startswith("#") else line.split(",")
            for column, cell in enumerate(cells):
                number = cell.replace(".", "", 1).isdigit() and column > 1
                (sheet.write_number if number else sheet.write_string)(
                    place, column, float(cell) if number else cell
                )


def parquet(path: Path, text: str) -> None:
    """A table as a query writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source = path.with_suffix(".part")
    source.write_text(text, encoding="utf-8")
    duckdb.sql(
        f"COPY (FROM read_csv('{source}', types = {{'date': 'VARCHAR'}})) TO '{path}' (FORMAT parquet)"
    )
    source.unlink()


def balanced(result: ImportResult) -> bool:
    """Whether every row that was read is accounted for, none of them in quarantine."""
    return all(
        f.rows_read == f.accepted + f.superseded + f.excluded + f.footer and not f.quarantined
        for f in result.files
    )


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(ENGLISH.encode(), id="English"),
        pytest.param(b"\xef\xbb\xbf" + ENGLISH.replace("\n", "\r\n").encode(), id="English, BOM and CRLF"),
        pytest.param(GERMAN.encode(), id="German headings, semicolons, German numbers"),
        pytest.param(GERMAN.encode("cp1252"), id="German in Windows-1252"),
        pytest.param(GERMAN.replace("–", "-").encode("utf-16"), id="German in UTF-16, plain dashes"),
        pytest.param(FRENCH.encode(), id="French comments"),
        pytest.param(EARLIER.encode(), id="Conversions and the primary channel group"),
        pytest.param(EXPLORATION.encode(), id="exploration: both days in one comment"),
        pytest.param(NTH_DAY.encode(), id="days counted from the start"),
        pytest.param(DATA_API.encode(), id="names of the Data API"),
        pytest.param(DATABASE.encode(), id="names as databases spell them"),
    ],
)
def test_every_shape_of_the_report_gives_the_same_rows(tmp_path: Path, content: bytes) -> None:
    imported(tmp_path / "plain", {"report.csv": ENGLISH})
    result = imported(tmp_path / "shape", {"report.csv": content})
    assert balanced(result)
    assert rows(tmp_path / "shape", "web_traffic", WHOLE) == rows(tmp_path / "plain", "web_traffic", WHOLE)


@pytest.mark.parametrize("kind", ["xlsx", "parquet"])
def test_a_workbook_and_a_parquet_file_give_the_same_rows(tmp_path: Path, kind: str) -> None:
    imported(tmp_path / "plain", {"report.csv": ENGLISH})
    path = tmp_path / "shape" / "raw" / f"report.{kind}"
    workbook(path, ENGLISH) if kind == "xlsx" else parquet(path, DATABASE)
    assert balanced(imported(tmp_path / "shape", {}))
    assert rows(tmp_path / "shape", "web_traffic", WHOLE) == rows(tmp_path / "plain", "web_traffic", WHOLE)


def test_the_figures_are_those_of_the_report_and_its_total_is_a_footer(tmp_path: Path) -> None:
    (file,) = imported(tmp_path, {"report.csv": ENGLISH}).files
    columns = "channel_group, sessions, engaged_sessions, total_users, new_users, key_events, event_count"
    assert rows(tmp_path, "web_traffic", f"CAST(date AS VARCHAR), {columns}") == VISITS
    assert (file.rows_read, file.accepted, file.footer, file.unmapped) == (4, 3, 1, ())
    assert rows(tmp_path, "web_traffic", "source_ref")[0] == ("report.csv#13",)


def test_a_month_without_days_counts_on_its_first_day(tmp_path: Path) -> None:
    imported(
        tmp_path,
        {
            "july.csv": MONTH,
            "one-day.csv": MONTH.replace("01\n", "03\n").replace("31\n", "03\n").replace("07", "08"),
        },
    )
    assert rows(tmp_path, "web_traffic", "CAST(date AS VARCHAR), sessions") == [
        ("2026-07-01", 100),
        ("2026-08-03", 100),
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param(
            MONTH.replace("0731", "0815"),
            "its rows are sums from 2026-07-01 to 2026-08-15 and tell no day: export it with the dimension Date, "
            "or for one day or one calendar month at a time",
            id="a sum over six weeks has no day",
        ),
        pytest.param(
            MONTH.replace("group,", "group,Nth week,").replace("Direct,", "Direct,0001,"),
            "the rows are split by 'Nth week' and tell no day",
            id="weeks are no days",
        ),
        pytest.param(
            "# Channels\n# Start date: 20260701\n\n" + MONTH.partition("\n\n")[2],
            "no mapping explains its columns",
            id="no end date: not recognised",
        ),
        pytest.param(
            MONTH.replace("Sessions", "Active users"),
            "'Sessions'",
            id="a report without sessions names what it lacks",
        ),
        pytest.param(
            MONTH.replace("group,", "group,Device category,").replace(
                "Direct,100", "Direct,mobile,60\nDirect,desktop,40"
            ),
            "web_traffic",
            id="split by something else: the rows of one channel contradict each other",
        ),
        pytest.param(
            "event_date,event_name,user_pseudo_id\n20260701,page_view,A\n",
            "the events do not name their session (ga_session_id): export event_params, or ga_session_id as a column",
            id="events without a session",
        ),
    ],
)
def test_what_cannot_be_counted_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ReadError) as refused:
        imported(tmp_path, {"report.csv": text})
    assert sentence in str(refused.value)
    assert "report.csv" in str(refused.value)


SNAPSHOT = """\
# Reports snapshot
# Start date: 20260701
# End date: 20260731

Nth day,Active users
0000,70
0001,80

Session default channel group,Sessions
Grand total,150
Direct,100
Organic Search,50

Session source / medium,Sessions
google / organic,50
(direct) / (none),100

Country,Active users
"""


def test_of_several_tables_below_each_other_the_visits_are_counted_once(tmp_path: Path) -> None:
    result = imported(tmp_path, {"snapshot.csv": SNAPSHOT})
    assert rows(tmp_path, "web_traffic", "channel_group, sessions") == [
        ("Direct", 100),
        ("Organic Search", 50),
    ]
    assert [(f.file, f.table, f.accepted, f.excluded, f.footer) for f in result.files] == [
        ("snapshot.csv [table 1]", None, 0, 2, 0),
        ("snapshot.csv [table 2]", "web_traffic", 2, 0, 1),
        ("snapshot.csv [table 3]", None, 0, 2, 0),
        ("snapshot.csv [table 4]", None, 0, 0, 0),
    ]
    assert balanced(result)


def test_tables_of_several_months_in_one_file_all_count(tmp_path: Path) -> None:
    august = MONTH.replace("202607", "202608").replace("100", "70")
    imported(tmp_path, {"both.csv": MONTH + "\n" + august})
    assert rows(tmp_path, "web_traffic", "CAST(date AS VARCHAR), sessions") == [
        ("2026-07-01", 100),
        ("2026-08-01", 70),
    ]


@pytest.mark.parametrize(
    "text", [MONTH.partition("Direct")[0], MONTH.partition("Session")[0]], ids=["header only", "no table"]
)
def test_an_empty_report_has_no_rows(tmp_path: Path, text: str) -> None:
    imported(tmp_path, {"empty.csv": text, "august.csv": MONTH.replace("202607", "202608")})
    assert rows(tmp_path, "web_traffic", "sessions") == [(100,)]


def test_withheld_rows_are_marked(tmp_path: Path) -> None:
    imported(
        tmp_path,
        {
            "a.csv": "# Data thresholding has been applied\n" + MONTH,
            "b.csv": MONTH.replace("202607", "202608"),
        },
    )
    assert rows(tmp_path, "web_traffic", "CAST(date AS VARCHAR), is_thresholded") == [
        ("2026-07-01", True),
        ("2026-08-01", False),
    ]


def test_source_and_medium_in_one_column_are_two(tmp_path: Path) -> None:
    text = MONTH.replace("Session default channel group", "Session source / medium").replace(
        "Direct", "google / cpc"
    )
    imported(tmp_path, {"report.csv": text})
    assert rows(tmp_path, "web_traffic", "source, medium, sessions") == [("google", "cpc", 100)]


def test_the_newer_export_of_a_day_replaces_the_older_one(tmp_path: Path) -> None:
    result = imported(tmp_path, {"1.csv": ENGLISH, "2.csv": ENGLISH.replace("Search,300", "Search,310")})
    assert rows(tmp_path, "web_traffic", "sum(sessions)") == [(1550,)]
    assert [f.superseded for f in result.files] == [3, 0]


def test_reports_of_the_same_days_in_different_cuts_are_refused(tmp_path: Path) -> None:
    by_source = "Date,Session source,Sessions\n20260701,google,1240\n20260703,google,300\n"
    with pytest.raises(ReadError) as refused:
        imported(tmp_path, {"ga4/a.csv": ENGLISH, "ga4/b.csv": by_source})
    assert str(refused.value) == (
        "the visits of 2026-07-01 stand in ga4/a.csv (by channel_group) and ga4/b.csv (by source): "
        "that would count them twice; keep one of the two files in raw/"
    )
    other_days = by_source.replace("20260701", "20260704")
    imported(tmp_path / "other", {"ga4/a.csv": ENGLISH, "ga4/b.csv": other_days})
    assert len(rows(tmp_path / "other", "web_traffic", "date")) == 5


# The invented company's website.


@pytest.fixture(scope="module")
def english(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ga4")
    export(original, folder, "ga4")
    return folder


def test_the_company_with_ga4s_report_has_the_same_figures(
    english: Path, original_figures: dict[str, Any]
) -> None:
    result = import_company(english)
    (report,) = (f for f in result.files if f.system == "ga4")
    assert report.rows_read == report.accepted + 1 == report.accepted + report.footer
    assert differing(original_figures, figures(english)) == []


def test_the_german_report_gives_the_same_rows(english: Path, original: Path, tmp_path: Path) -> None:
    export(original, tmp_path / "de", "ga4", "de")
    import_company(tmp_path / "de")
    import_company(english)
    own = "* EXCLUDE (source_ref, source_system)"
    german = rows(tmp_path / "de", "web_traffic", own)
    assert german == rows(english, "web_traffic", own) == rows(original, "web_traffic", own)
    assert len(german) > 1000
