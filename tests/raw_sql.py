"""The demo company's headline figures in plain SQL over its raw exports, without a line of the package."""

from __future__ import annotations

from pathlib import Path

import duckdb
from python_calamine import CalamineWorkbook

CUTOFF = "TIMESTAMP '2026-10-31 23:00:00'"  # midnight in Berlin, in UTC
MONTH = "BETWEEN DATE '2026-10-01' AND DATE '2026-10-31'"


def raw(company: Path) -> duckdb.DuckDBPyConnection:
    """The raw files as tables of text, and three views on them: rates, closed deals, open deals."""
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    for path in sorted(company.glob("raw/*/*.csv")):
        con.execute(
            f"CREATE TABLE \"{path.stem}\" AS SELECT * FROM read_csv('{path}', all_varchar = true, header = true)"
        )
    for path in sorted(company.glob("raw/manual/*.xlsx")):
        head, *body = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()
        con.execute(f"CREATE TABLE {path.stem} ({', '.join(f'{c} VARCHAR' for c in head)})")
        con.executemany(
            f"INSERT INTO {path.stem} VALUES ({', '.join('?' * len(head))})",
            [[None if v == "" else str(v) for v in r] for r in body],
        )
    con.execute(
        """
        CREATE VIEW rates AS
        SELECT from_currency_code AS code, rate_date::DATE AS day, rate::DECIMAL(18, 8) AS rate FROM exchange_rates
        UNION ALL SELECT 'EUR', DATE '2000-01-01', 1
        """
    )
    con.execute(
        f"""
        CREATE TABLE closed AS
        WITH turn AS (  -- the last entry into a closed stage tells when and how the deal ended
            SELECT OpportunityId AS Id, max(CreatedDate::TIMESTAMP) AS closed_at
            FROM OpportunityHistory WHERE StageName LIKE 'Closed%' GROUP BY ALL
        )
        SELECT o.Id, o.IsWon = 'true' AS won, (t.closed_at AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin')::DATE AS closed_date,
               o.Amount::DECIMAL(18, 4) AS amount, o.CurrencyIsoCode AS code, o.CreatedDate::TIMESTAMP AS created_at, t.closed_at
        FROM Opportunity o JOIN turn t USING (Id)
        WHERE o.IsClosed = 'true' AND o.IsDeleted = 'false' AND t.closed_at < {CUTOFF}
        """
    )
    con.execute(
        """
        CREATE VIEW closed_eur AS
        SELECT c.*, (SELECT arg_max(r.rate, r.day) FROM rates r WHERE r.code = c.code AND r.day <= c.closed_date) AS rate FROM closed c
        """
    )
    return con


def one(con: duckdb.DuckDBPyConnection, sql: str) -> tuple[object, ...]:
    """The first row of a query."""
    row = con.execute(sql).fetchone()
    assert row is not None
    return row


BOOKINGS = f"SELECT sum(round(amount * rate, 2)), count(*) FROM closed_eur WHERE won AND closed_date {MONTH}"
WIN_RATE = f"SELECT count(*) FILTER (won), count(*) FILTER (NOT won) FROM closed WHERE closed_date {MONTH}"
DEAL_SIZE = f"SELECT median(round(amount * rate, 2)) FROM closed_eur WHERE won AND amount <> 0 AND closed_date {MONTH}"
CYCLE = f"""
SELECT median((epoch(closed_at) - epoch(created_at)) / 86400.0) FROM closed WHERE won AND closed_date {MONTH}
"""
OPEN = """
SELECT sum(round(Amount::DECIMAL(18, 4) * (SELECT arg_max(r.rate, r.day) FROM rates r WHERE r.code = CurrencyIsoCode
           AND r.day <= DATE '2026-10-31'), 2)), count(*)
FROM Opportunity WHERE IsClosed = 'false' AND IsDeleted = 'false'
"""
QUOTA = """
SELECT sum(round(q.quota_amount::DECIMAL(18, 4) * (SELECT arg_max(r.rate, r.day) FROM rates r WHERE r.code = q.currency_code
           AND r.day <= q.period_start_date::DATE), 2))
FROM quotas q WHERE q.period_start_date::DATE = DATE '2026-10-01' AND q.rep_id IS NOT NULL
"""
NPS = """
SELECT count(*) FILTER (score::DOUBLE >= 9), count(*) FILTER (score::DOUBLE <= 6), count(*)
FROM (SELECT *, row_number() OVER (PARTITION BY coalesce(contact_id, account_id) ORDER BY responded_at::TIMESTAMP DESC) AS newest
      FROM surveys WHERE survey_type = 'nps' AND responded_at::DATE BETWEEN DATE '2025-11-01' AND DATE '2026-10-31')
WHERE newest = 1
"""
