"""Compensation files as Xactly holds them: quotas, plans, tiers and commissions."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import source_files as sf

from salestrack.errors import ReadError

USER = "Id,Name,IsActive,UserRoleId\n005A,Ada Berg,true,\n005B,Ben Kern,true,\n"
QUOTAS = """Employee ID,Participant,Quota Name,Unit Type,Period Start Date,Period End Date,Quota Value,Position
005A,Ada Berg,Bookings,EUR,01/01/2026,01/31/2026,"120,000.00",AE South
005A,Ada Berg,Bookings,EUR,02/01/2026,02/28/2026,"130,000.00",AE South
005B,Ben Kern,New Units,Units,01/01/2026,01/31/2026,40,AE North
"""
NAMED = """Participant,Quota Name,Unit Type,Period,Quota Value
Ada Berg,Bookings,EUR,Jan-2026,"120,000.00"
ada  berg,Bookings,EUR,Feb-2026,"130,000.00"
Ben Kern,New Units,Units,2026-01,40
"""
GERMAN = """Mitarbeiter-ID;Teilnehmer;Zielname;Einheit;Periodenbeginn;Periodenende;Zielwert
005A;Ada Berg;Bookings;EUR;01.01.2026;31.01.2026;120.000,00
005A;Ada Berg;Bookings;EUR;01.02.2026;28.02.2026;130.000,00
005B;Ben Kern;New Units;Units;01.01.2026;31.01.2026;40
"""
WANTED = [
    ("005A", "bookings", date(2026, 1, 1), date(2026, 1, 31), Decimal("120000.0000"), None, "EUR"),
    ("005A", "bookings", date(2026, 2, 1), date(2026, 2, 28), Decimal("130000.0000"), None, "EUR"),
    ("005B", "units", date(2026, 1, 1), date(2026, 1, 31), None, 40.0, None),
]
PLANS = """Plan ID,Plan Name,Effective Start Date,Effective End Date,Measure,Target Incentive,Currency
P1,Account Executive 2026,01/01/2026,12/31/2026,Bookings,"40,000.00",EUR
"""
TIERS = """Plan ID,Plan Name,Tier,Attainment From,Attainment To,Rate,Tier Method
P1,Account Executive 2026,1,0%,100%,5.5%,Incremental
P1,Account Executive 2026,2,100%,,8%,Retroactive
"""
COMMISSIONS = """\
Commission ID,Employee ID,Participant,Plan ID,Period,Credit ID,Credit Amount,Commission Amount,Currency,\
Opportunity ID,Order Code,Item Code,Payment Date,Reversal Of
C1,005A,Ada Berg,P1,Jan-2026,K1,"10,000.00",550.00,EUR,006A,,,02/28/2026,
C2,005A,Ada Berg,P1,Feb-2026,K2,"-10,000.00",-550.00,EUR,006A,,,,C1
C3,005B,Ben Kern,P1,Feb-2026,K3,"2,000.00",110.00,EUR,,4711,10,03/31/2026,
Total,,,,,,"2,000.00",110.00,,,,,,
"""
QUOTA_ROW = "rep_id, metric, period_start_date, period_end_date, quota_amount, quota_quantity, currency_code"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("xactly/quotas.csv", QUOTAS, id="ids and days, under the name of our own layout"),
        pytest.param("Quota_Export.csv", NAMED, id="names and months"),
        pytest.param("Quoten 2026.csv", GERMAN, id="German headings and numbers"),
        pytest.param(
            "Quota_Export.csv", "\ufeff" + QUOTAS.replace("\n", "\r\n"), id="byte order mark and CRLF"
        ),
    ],
)
def test_quotas_are_the_same_from_every_shape(tmp_path: Path, name: str, text: str) -> None:
    result = sf.imported(tmp_path, {"User.csv": USER, name: text})
    assert sf.rows(tmp_path, "quotas", QUOTA_ROW) == WANTED
    (quotas,) = [file for file in result.files if file.table == "quotas"]
    assert (quotas.system, quotas.rows_read, quotas.accepted) == ("xactly", 3, 3)


def test_plans_and_their_tiers(tmp_path: Path) -> None:
    sf.imported(tmp_path, {"Plans.csv": PLANS, "Rate_Tiers.csv": TIERS})
    columns = "plan_id, plan_name, valid_from_date, valid_to_date, metric, target_variable, accelerator_basis"
    assert sf.rows(tmp_path, "comp_plans", columns) == [
        ("P1", "Account Executive 2026", date(2026, 1, 1), date(2026, 12, 31), "bookings", Decimal("40000.0000"), "attainment")
    ]  # fmt: skip
    assert sf.rows(tmp_path, "comp_tiers", "plan_id, from_attainment, to_attainment, rate, is_marginal") == [
        ("P1", 0.0, 1.0, 0.055, True),
        ("P1", 1.0, None, 0.08, False),
    ]


def test_commissions_claw_backs_and_the_total_below_them(tmp_path: Path) -> None:
    result = sf.imported(tmp_path, {"User.csv": USER, "Commissions.csv": COMMISSIONS})
    columns = "commission_id, rep_id, deal_id, order_line_id, period_start_date, credited_amount, commission_amount, paid_at, clawback_of"
    assert sf.rows(tmp_path, "commissions", columns) == [
        ("C1", "005A", "006A", None, date(2026, 1, 1), Decimal("10000.0000"), Decimal("550.0000"), datetime(2026, 2, 27, 23), None),
        ("C2", "005A", "006A", None, date(2026, 2, 1), Decimal("-10000.0000"), Decimal("-550.0000"), None, "C1"),
        ("C3", "005B", None, "4711-10", date(2026, 2, 1), Decimal("2000.0000"), Decimal("110.0000"), datetime(2026, 3, 30, 22), None),
    ]  # fmt: skip
    (file,) = [file for file in result.files if file.table == "commissions"]
    assert (file.rows_read, file.accepted, file.footer) == (4, 3, 1)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        pytest.param(
            "Quotas.csv",
            NAMED.replace("Jan-2026", "Q1-2026"),
            r"Quotas.csv: 1 of 3 rows cannot be used, the first is line 2: period_start_date is empty",
            id="a fiscal quarter by name: which days it has is not told",
        ),
        pytest.param(
            "Commissions.csv",
            COMMISSIONS.replace("Credit Amount,Comm", "Credited,Comm"),
            r"Commissions.csv: no mapping explains its columns .*'Credit Amount'",
            id="a column of another name",
        ),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path: Path, name: str, text: str, sentence: str) -> None:
    with pytest.raises(ReadError, match=sentence):
        sf.imported(tmp_path, {"User.csv": USER, name: text})
