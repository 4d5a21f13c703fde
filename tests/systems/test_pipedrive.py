"""Pipedrive: list views in two languages, import templates and workbooks tell the same deals, activities and other records."""

import csv
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from source_files import CONFIG, imported, rows
from systems.pipedrive_deals import LIST, USERS
from systems.same import stored, unaccounted

from salestrack.errors import ReadError

ENGLISH = """\
Deal - ID,Deal - Title,Deal - Value,Deal - Currency of Value,Deal - Stage,Deal - Status,Deal - Owner,Deal - Organization,Deal - Deal created,Deal - Expected close date,Deal - Won time,Deal - Lost time,Deal - Deal closed on,Deal - Lost reason,Deal - Probability
1,"Press, line 2",1000.5,EUR,Offer,Won,Ada Ahrens,Hüttenwerk GmbH,2026-01-05 10:00:00,2026-02-27,2026-03-02 11:30:00,,2026-03-02 11:30:00,,60
2,Conveyor,,EUR,Contact,Lost,Ben Borg,Nordkai AG,2026-01-06 10:00:00,2026-03-31,,2026-03-31 23:30:00,2026-03-31 23:30:00,Price,10
3,Robot,12000,USD,Offer,Open,Ada Ahrens,Hüttenwerk GmbH,2026-07-01 00:30:00,2026-09-30,,,,,60
"""
GERMAN_HEAD = "Deal - ID,Deal - Titel,Deal - Wert,Deal - Währung von Wert,Deal - Phase,Deal - Status,Deal - Besitzer,Deal - Organisation,Deal - Deal erstellt,Deal - Voraussichtliches Abschlussdatum,Deal - Datum des gewonnenen Deals,Deal - Datum des verlorenen Deals,Deal - Deal abgeschlossen am,Deal - Verlustgrund,Deal - Wahrscheinlichkeit"
GERMAN = "\n".join([GERMAN_HEAD, *ENGLISH.splitlines()[1:], ""])
for _english, _german in (("Won", "Gewonnen"), ("Lost", "Verloren"), ("Open", "Offen")):
    GERMAN = GERMAN.replace(f",{_english},", f",{_german},")
TEMPLATE_HEAD = "Deal - Pipedrive System ID,Deal - Title,Deal - Value,Deal - Currency of value,Deal - Stage (pipeline),Deal - Status,Deal - Owner,Organization,Deal - Creation date,Deal - Expected close date,Deal - Won time,Deal - Lost time,Deal - Closed on,Deal - Lost reason,Deal - Probability"
TEMPLATE = "\n".join([TEMPLATE_HEAD, *ENGLISH.splitlines()[1:], ""])
SEMICOLONS = (
    GERMAN.replace('"Press, line 2"', "Press@ line 2")
    .replace(",", ";")
    .replace("@", ",")
    .replace("1000.5", "1.000,50")
)
for _year, _month, _day in {
    (d[:4], d[5:7], d[8:10]) for d in SEMICOLONS.replace(" ", ";").split(";") if d[:2] == "20"
}:
    SEMICOLONS = SEMICOLONS.replace(f"{_year}-{_month}-{_day}", f"{_day}.{_month}.{_year}")
RATES = "from_currency_code,to_currency_code,rate_date,rate\nUSD,EUR,2026-01-01,0.9\n"


def workbook(path: Path, text: str, date_format: str | None) -> bytes:
    """A table as a workbook whose dates are shown as dates, or as the bare numbers behind them."""
    book = xlsxwriter.Workbook(str(path))
    sheet, form = (
        book.add_worksheet("Deals"),
        book.add_format({"num_format": date_format} if date_format else {}),
    )
    for r, cells in enumerate(csv.reader(text.splitlines())):
        for c, cell in enumerate(cells):
            if cell[:2] == "20" and cell[4:5] == "-":
                sheet.write_datetime(r, c, datetime.fromisoformat(cell), form)
            elif cell.replace(".", "").isdigit() and r:
                sheet.write_number(r, c, float(cell))
            elif cell:
                sheet.write_string(r, c, cell)
    book.close()
    return path.read_bytes()


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the English list view tells."""
    folder = tmp_path_factory.mktemp("english")
    result = imported(folder, {"deals-42-1.csv": ENGLISH, "exchange_rates.csv": RATES})
    assert [file.unmapped for file in result.files] == [(), (), ()]
    return stored(folder)


def test_a_list_view(english: dict[str, Any], tmp_path: Path) -> None:
    imported(tmp_path, {"deals-42-1.csv": ENGLISH, "exchange_rates.csv": RATES})
    columns = "deal_id, deal_name, status, CAST(amount AS DOUBLE), currency_code, stage_id, owner_rep_id, account_id, probability"
    assert rows(tmp_path, "deals", columns) == [
        ("1", "Press, line 2", "won", 1000.5, "EUR", "Offer", "Ada Ahrens", "Hüttenwerk GmbH", 0.6),
        ("2", "Conveyor", "lost", None, "EUR", "Contact", "Ben Borg", "Nordkai AG", 0.1),
        ("3", "Robot", "open", 12000, "USD", "Offer", "Ada Ahrens", "Hüttenwerk GmbH", 0.6),
    ]
    assert rows(tmp_path, "deals", "deal_id, created_at, closed_at, closed_date, expected_close_date") == [
        ("1", datetime(2026, 1, 5, 9), datetime(2026, 3, 2, 10, 30), date(2026, 3, 2), date(2026, 2, 27)),
        ("2", datetime(2026, 1, 6, 9), datetime(2026, 3, 31, 21, 30), date(2026, 3, 31), date(2026, 3, 31)),
        ("3", datetime(2026, 6, 30, 22, 30), None, None, date(2026, 9, 30)),
    ]
    assert rows(tmp_path, "stages", "stage_id, stage_type") == [("Contact", "open"), ("Offer", "open")]
    assert {name: len(found) for name, found in english.items()} == {
        "reps": 2,
        "accounts": 2,
        "stages": 2,
        "deals": 3,
        "exchange_rates": 1,
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("deals.csv", GERMAN, id="German headings and statuses, machine numbers"),
        pytest.param("deals.csv", "\ufeff" + GERMAN, id="with a byte order mark"),
        pytest.param("deals.csv", GERMAN.encode("utf-16"), id="UTF-16"),
        pytest.param("deals.csv", SEMICOLONS.encode("cp1252"), id="saved again by a German spreadsheet"),
        pytest.param("deals.csv", TEMPLATE, id="the words of the import template"),
        pytest.param("deals.csv", ENGLISH.replace("\n", "\r\n"), id="line ends of Windows"),
        pytest.param("deals.csv", ENGLISH.replace("Deal - T", "deal -  t"), id="case and spaces of headings"),
        pytest.param("deals.xlsx", "yyyy-mm-dd hh:mm:ss", id="a workbook with dates"),
        pytest.param("deals.xlsx", "", id="a workbook with the numbers of days"),
    ],
)
def test_every_shape_tells_the_same(
    english: dict[str, Any], tmp_path: Path, name: str, text: str | bytes
) -> None:
    if name.endswith(".xlsx"):
        text = workbook(tmp_path / "made.xlsx", ENGLISH, str(text) or None)
    result = imported(tmp_path, {name: text, "exchange_rates.csv": RATES})
    assert stored(tmp_path) == english
    assert unaccounted(result) == []


def test_times_are_those_of_the_zone_that_the_import_names(tmp_path: Path) -> None:
    config = CONFIG + '[import]\ntime_zone = "America/New_York"\n'
    imported(tmp_path, {"deals.csv": ENGLISH, "exchange_rates.csv": RATES}, config)
    assert rows(tmp_path, "deals", "created_at", "deal_id = '1'") == [(datetime(2026, 1, 5, 15),)]


MORE = """\
Deal - ID,Deal - Title,Deal - Status,Deal - Value,Deal - Pipeline,Deal - Stage,Deal - Deal created,Deal - Update time,Deal - Won time,Deal - Lost time,Deal - Deal closed on,Deal - Archive status,Deal - Weighted value,Person - Email,Deal - Region
1,Alpha,Lost,10,Sales,Offer,2026-01-05 09:00:00,2026-02-05 09:00:00,2026-01-20 09:00:00,2026-02-05 09:00:00,2026-02-05 09:00:00,Archived,5,c@example.org,North
2,Beta,Open,10,Partners,Offer,2026-01-05 09:00:00,2026-02-06 09:00:00,2026-01-20 09:00:00,,2026-01-20 09:00:00,Not archived,5,c@example.org,
3,Gamma,Deleted,10,Sales,Offer,2026-01-05 09:00:00,2026-02-07 09:00:00,,,,Not archived,5,c@example.org,
"""


def test_a_deal_that_was_won_once_is_closed_only_by_what_it_is_now(tmp_path: Path) -> None:
    imported(tmp_path, {"deals.csv": MORE})
    assert rows(tmp_path, "deals", "deal_id, status, closed_date", "NOT is_deleted") == [
        ("1", "lost", date(2026, 2, 5)),
        ("2", "open", None),
    ]


def test_archived_deals_are_kept_and_counted(tmp_path: Path) -> None:
    imported(tmp_path, {"deals.csv": MORE})
    assert rows(tmp_path, "deals", "deal_id, is_archived, is_deleted") == [
        ("1", True, False),
        ("2", False, False),
        ("3", False, True),
    ]
    assert rows(tmp_path, "deal_versions", "DISTINCT deal_id", "status <> 'deleted'") == [
        ("1",),
        ("2",),
        ("3",),
    ]


def test_a_list_of_deleted_deals_tells_when(tmp_path: Path) -> None:
    imported(tmp_path, {"deals.csv": MORE})
    assert rows(tmp_path, "deals", "deal_id, status, deleted_at", "is_deleted") == [
        ("3", "open", datetime(2026, 2, 7, 8))
    ]


def test_stages_of_one_name_in_two_pipelines_are_two(tmp_path: Path) -> None:
    imported(tmp_path, {"deals.csv": MORE})
    assert rows(tmp_path, "deals", "deal_id, pipeline_id, stage_id", "deal_id < '3'") == [
        ("1", "Sales", "Sales / Offer"),
        ("2", "Partners", "Partners / Offer"),
    ]
    assert rows(tmp_path, "stages", "stage_id, stage_type") == [
        ("Partners / Offer", "open"),
        ("Sales / Offer", "open"),
    ]


def test_what_has_no_meaning_is_kept_but_no_person(tmp_path: Path) -> None:
    result = imported(tmp_path, {"deals.csv": MORE})
    (deals,) = [file for file in result.files if file.table == "deals"]
    assert deals.unmapped == ("Deal - Region",)
    assert rows(tmp_path, "deals", "custom_fields") == [('{"Deal - Region":"North"}',), (None,), (None,)]


ACTIVITIES = """\
Activity - ID,Activity - Type,Activity - Subject,Activity - Done,Activity - Due date,Activity - Due time,Activity - Duration,Activity - Assigned to user,Activity - Deal ID,Activity - Contact person,Activity - Marked as done time
1,Call,Ask,Done,2026-07-01,09:30,00:20,Ada Ahrens,1,Cara Canary,2026-07-01 10:00:00
2,Internal meeting,Plan,Done,2026-07-01,,01:30,Ada Ahrens,,,
3,Customer visit,Line 2,To do,2026-12-01,14:00,02:00,Ben Borg,1,,
4,Deadline,,Done,2026-07-03,,,Ben Borg,2,,
5,Golf,,Done,2026-07-04,,10:05,Ben Borg,,,
"""
GERMAN_ACTIVITIES = (
    "Aktivität - ID,Aktivität - Typ,Aktivität - Betreff,Aktivität - Erledigt,Aktivität - Fälligkeitsdatum,Aktivität - Fälligkeitszeit,"
    "Aktivität - Dauer,Aktivität - Zugewiesen an,Aktivität - Deal-ID,Aktivität - Kontaktperson,Aktivität - Als erledigt markiert am\n"
    + ACTIVITIES.partition("\n")[2]
    .replace("Call", "Anruf")
    .replace("Internal meeting", "Interne Besprechung")
    .replace("Customer visit", "Kundenbesuch")
    .replace("Deadline", "Frist")
    .replace("Done", "Erledigt")
    .replace("To do", "Zu erledigen")
)


def test_activities(tmp_path: Path) -> None:
    imported(tmp_path, {"activities.csv": ACTIVITIES})
    columns = (
        "activity_id, activity_type, channel, is_done, started_at, due_at, duration_s, deal_id, custom_fields"
    )
    assert rows(tmp_path, "activities", columns) == [
        ("1", "call", "phone", True, datetime(2026, 7, 1, 7, 30), datetime(2026, 7, 1, 7, 30), 1200, "1", None),
        ("2", "internal_meeting", "internal", True, datetime(2026, 6, 30, 22), datetime(2026, 6, 30, 22), 5400, None, None),
        ("3", "meeting", "in_person", False, None, datetime(2026, 12, 1, 13), 7200, "1", None),
        ("4", "task", None, True, datetime(2026, 7, 2, 22), datetime(2026, 7, 2, 22), None, "2", None),
        ("5", "other", None, True, datetime(2026, 7, 3, 22), datetime(2026, 7, 3, 22), 36300, None, None),
    ]  # fmt: skip


def test_activities_in_german_tell_the_same(tmp_path: Path) -> None:
    imported(tmp_path / "en", {"activities.csv": ACTIVITIES})
    imported(tmp_path / "de", {"activities.csv": GERMAN_ACTIVITIES})
    assert stored(tmp_path / "de") == stored(tmp_path / "en")


def test_a_duration_in_other_words_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"line 3: duration_s '1.5 h' is not a number"):
        imported(tmp_path, {"activities.csv": ACTIVITIES.replace("01:30", "1.5 h")})


@pytest.mark.parametrize(
    ("text", "table", "columns", "expected"),
    [
        pytest.param(
            "Organization - ID,Organization - Name,Organization - Label,Organization - Country of Address,Organization - ZIP/Postal code of Address,Organization - Organization created,Organization - Industry\n"
            "5,Nordkai AG,\"VIP, Customer\",Germany,01067,2026-01-05 09:00:00,Energy\n",
            "accounts",
            "account_id, account_name, account_type, country_code, postal_code, industry",
            [("5", "Nordkai AG", "customer", "Germany", "01067", "Energy")],
            id="organizations",
        ),
        pytest.param(
            "Person - ID,Person - Name,Person - Email - Work,Person - Organization ID,Person - Job title,Person - Person created\n"
            "8,Cara Canary,c@example.org,5,Buyer,2026-01-05 09:00:00\n",
            "contacts",
            "contact_id, account_id, job_title, contact_name, email, custom_fields",
            [("8", "5", "Buyer", None, None, None)],
            id="people without their names",
        ),
        pytest.param(
            "Product - ID,Product - Name,Product - Product code,Product - Category,Product - Unit price,Product - Currency,Product - Billing frequency,Product - Active\n"
            "3,Seat,0042,Software,390,EUR,Monthly,Active\n4,Crane,K,Machines,9000,EUR,One-time,Inactive\n",
            "products",
            "product_id, sku, CAST(list_price AS DOUBLE), is_recurring, is_active",
            [("3", "0042", 390, True, True), ("4", "K", 9000, False, False)],
            id="products",
        ),
        pytest.param(
            "Lead - ID,Lead - Title,Lead - Labels,Lead - Organization,Lead - Source channel,Lead - Lead created,Lead - Archive status\n"
            "adf21080-0e10-11eb-879b-05d71fb426ec,X,Hot,Nordkai AG,Web,2026-01-05 09:00:00,Not archived\n"
            "bdf21080-0e10-11eb-879b-05d71fb426ec,X,,,Fair,2026-01-05 09:00:00,Archived\n",
            "leads",
            "left(lead_id, 3), lead_status, company_name, lead_source",
            [("adf", "Hot", "Nordkai AG", "Web"), ("bdf", "Archived", None, "Fair")],
            id="leads",
        ),
        pytest.param(
            "id,deal_id,product_id,item_price,quantity,discount,discount_type,sum,currency,billing_frequency\n"
            "1,7,3,100,3,10,percentage,270,EUR,one-time\n2,7,4,50,2,20,amount,80,EUR,monthly\n",
            "deal_products",
            "CAST(unit_price AS DOUBLE), CAST(list_price AS DOUBLE), discount_share, CAST(discount_amount AS DOUBLE), CAST(line_amount AS DOUBLE), billing_frequency",
            [(40, 50, None, 20, 80, "monthly"), (90, 100, 0.1, None, 270, None)],
            id="lines of deals",
        ),
        pytest.param(
            "id,name,order_nr,url_title,active\n1,Sales,1,default,true\n",
            "pipelines",
            "pipeline_id, pipeline_name",
            [("Sales", "Sales")],
            id="pipelines",
        ),
    ],
)  # fmt: skip
def test_other_entities(
    tmp_path: Path, text: str, table: str, columns: str, expected: list[tuple[Any, ...]]
) -> None:
    result = imported(tmp_path, {"pipelines.csv" if table == "pipelines" else "export.csv": text})
    assert rows(tmp_path, table, columns) == expected
    assert (unaccounted(result), [file.unmapped for file in result.files]) == ([], [()])


def test_a_list_without_ids_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="deals.csv: the deals have no id: choose the column ID"):
        imported(tmp_path, {"deals.csv": ENGLISH.replace("Deal - ID", "Deal - Number")})


def test_an_owner_of_whom_there_are_two_is_not_guessed(tmp_path: Path) -> None:
    twins = USERS + "13,Ben Borg,x@example.org,true,EUR,Europe/Berlin\n"
    with pytest.raises(
        ReadError, match=r"line 2: owner_rep_id 'Ben Borg' is the name of several reps \(12, 13\)"
    ):
        imported(tmp_path, {"deals.csv": LIST, "users.csv": twins})


def test_a_status_that_pipedrive_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="status 'Paused' is not one of the known values"):
        imported(tmp_path, {"deals.csv": LIST.replace("Open", "Paused")})
