"""Rows of Google Analytics 4's BigQuery export are added up to visits."""

from pathlib import Path

import duckdb
import pytest
from source_files import imported, rows

# Rows of the BigQuery export: two visitors; the second one's visit goes on past midnight and counts on both days.

EVENTS = """\
event_date,event_timestamp,event_name,user_pseudo_id,ga_session_id,session_engaged,source,medium,traffic_source.source,ecommerce.purchase_revenue,currency
20260701,30,page_view,A,11,1,news,email,first,,
20260701,10,session_start,A,11,,,,first,,
20260701,20,first_visit,A,11,,,,first,,
20260701,90,session_start,B,11,0,,,first,,
20260702,95,purchase,B,11,0,,,first,120.50,EUR
20260702,96,purchase,B,11,0,,,first,79.50,EUR
20260702,97,page_view,,,,,,,,
"""
COUNTED = [
    ("2026-07-01", "(direct)", "(none)", 1, 0, 0, 1, 0, None),
    ("2026-07-01", "news", "email", 1, 1, 1, 3, 0, None),
    ("2026-07-02", "(direct)", "(none)", 1, 0, 0, 2, 2, "200.0000"),
    ("2026-07-02", None, None, 0, 0, 0, 1, 0, None),
]
OF_EVENTS = (
    "CAST(date AS VARCHAR), source, medium, sessions, engaged_sessions, new_users, event_count, transactions, "
    "CAST(purchase_revenue AS VARCHAR)"
)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(EVENTS, id="parameters as columns"),
        pytest.param(
            EVENTS.replace("ga_session_id", "event_params.ga_session_id").replace(
                ",source,medium,", ",event_params_source,event_params_medium,"
            ),
            id="parameters with their prefix",
        ),
        pytest.param(EVENTS.replace(",", ";").replace("120.50", "120.50"), id="semicolons"),
    ],
)
def test_events_are_added_up_by_session(tmp_path: Path, text: str) -> None:
    (file,) = imported(tmp_path, {"events_202607.csv": text}).files
    assert rows(tmp_path, "web_traffic", OF_EVENTS) == COUNTED
    assert (file.rows_read, file.accepted, file.quarantined, file.excluded) == (7, 7, 0, 0)
    assert rows(tmp_path, "web_traffic", "total_users, currency_code", "purchase_revenue > 0") == [
        (None, "EUR")
    ]


def test_nested_events_in_parquet_are_added_up_by_session(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "events.part").write_text(EVENTS, encoding="utf-8")
    duckdb.sql(
        f"""
        COPY (SELECT event_date, CAST(event_timestamp AS BIGINT) AS event_timestamp, event_name, user_pseudo_id,
                     [{{'key': 'currency', 'value': {{'string_value': currency, 'int_value': CAST(NULL AS BIGINT)}}}},
                      {{'key': 'session_engaged', 'value': {{'string_value': session_engaged, 'int_value': NULL}}}},
                      {{'key': 'ga_session_id', 'value': {{'string_value': NULL, 'int_value': CAST(ga_session_id AS BIGINT)}}}}]
                     AS event_params,
                     {{'manual_source': source, 'manual_medium': medium}} AS collected_traffic_source,
                     {{'source': 'first', 'medium': 'visit'}} AS traffic_source,
                     {{'purchase_revenue': CAST("ecommerce.purchase_revenue" AS DOUBLE)}} AS ecommerce
              FROM read_csv('{tmp_path / "events.part"}', all_varchar = true))
        TO '{tmp_path / "raw" / "events_202607.parquet"}' (FORMAT parquet)
        """
    )
    imported(tmp_path, {})
    assert rows(tmp_path, "web_traffic", OF_EVENTS) == COUNTED
