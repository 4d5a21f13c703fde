"""Rows of GA4's BigQuery export, one per event: each event gets what its session tells, so that rows can be added up.

A session is a visitor's number of the session within a day, as GA4's own reports by day count it. Its origin is the
first one that any of its events names, in the scope of the session; the origin of the visitor's first visit is left alone.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from salestrack import duck
from salestrack.errors import ReadError
from salestrack.sources.decode import Decoded
from salestrack.sources.lines import cells, delimiter_of, first_lines
from salestrack.sources.mapping import literal, quoted

NEEDED = ("event_date", "event_name", "user_pseudo_id")
PARAMETERS = "event_params"
_SHAPE = '[{"key":"VARCHAR","value":{"string_value":"VARCHAR","int_value":"VARCHAR"}}]'

# Where a fact may stand, best first; a point goes into a nested column or stands for the joint of a flattened name.
_PARAMETER = ("{}", "event_params_{}", "event_param_{}", "params_{}", "param_{}", "ep_{}")
_ORIGIN = (
    "session_traffic_source_last_click.manual_campaign.{}",
    "session_{}",
    "session_manual_{}",
    "collected_traffic_source.manual_{}",
    "manual_{}",
)
_GROUP = (
    "session_traffic_source_last_click.cross_channel_campaign.default_channel_group",
    "session_default_channel_group",
    "default_channel_group",
)
_VALUE = ("ecommerce.purchase_revenue", "purchase_revenue")


def layout(text: Decoded, work: Path) -> list[tuple[str, Decoded]] | None:
    """The events with what their sessions tell, on the lines that they have; None for a text of another kind.

    Raises ReadError where the events do not name their session.
    """
    first = next(iter(first_lines(text.path, 1)), "")
    delimiter = delimiter_of(first)
    header = cells(first, delimiter)
    columns = {re.sub(r"\W+", "_", name.strip()).casefold(): name for name in header}
    if not all(name in columns for name in NEEDED):
        return None
    target = work / f"{text.sha256[:16]}-events.csv"
    with duck.connect() as con:
        query = _query(text, columns, header, delimiter)
        done = con.execute(
            f"COPY ({query}) TO {literal(str(target))} (FORMAT csv, HEADER true, QUOTE '\"')"
        ).fetchone()
    return [("", replace(text, path=target, newlines=1 + (done[0] if done else 0), ends_with_newline=True))]


def _query(text: Decoded, columns: dict[str, str], header: list[str], delimiter: str) -> str:
    """SQL for the events in their order, the first of each session marked."""
    session = _parameter(columns, "ga_session_id")
    if not session:
        cure = "export event_params, or ga_session_id as a column of its own"
        raise ReadError.incomplete(text.name, "the events do not name their session (ga_session_id)", cure)
    at = quoted(columns["event_timestamp"]) if "event_timestamp" in columns else "NULL"
    facts = {
        "event_date": quoted(columns["event_date"]),
        "event_name": quoted(columns["event_name"]),
        "_visitor": quoted(columns["user_pseudo_id"]),
        "_session": session,
        "_at": f"TRY_CAST({at} AS BIGINT)",
        "_engaged": _parameter(columns, "session_engaged") or "NULL",
        "_source": _origin(columns, "source"),
        "_medium": _origin(columns, "medium"),
        "_campaign": _origin(columns, "campaign_name", "campaign"),
        "_group": _first(columns, *_GROUP) or "NULL",
        "_value": _first(columns, *_VALUE) or "NULL",
        "_currency": _parameter(columns, "currency") or "NULL",
    }
    listed = ", ".join(f"{sql} AS {name}" for name, sql in facts.items())
    names = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in header)
    rows = (
        f"read_csv({literal(str(text.path))}, auto_detect = false, header = true, delim = {literal(delimiter)}, "
        f"quote = '\"', escape = '\"', columns = {{{names}}}, parallel = false)"
    )
    return _SESSIONS.format(rows=f"SELECT row_number() OVER () AS _row, {listed} FROM {rows}")


_SESSIONS = """
SELECT event_date, event_name,
       CASE WHEN _session IS NULL THEN NULL ELSE coalesce(first(_source) OVER origin, '(direct)') END AS "Source",
       CASE WHEN _session IS NULL THEN NULL ELSE coalesce(first(_medium) OVER origin, '(none)') END AS "Medium",
       first(_campaign) OVER origin AS "Campaign", first(_group) OVER origin AS "Channel group",
       CAST(_session IS NOT NULL AND row_number() OVER visit = 1 AS INTEGER) AS "Session of the row",
       CAST(_session IS NOT NULL AND row_number() OVER visit = 1
            AND coalesce(bool_or(_engaged IN ('1', 'true')) OVER whole, false) AS INTEGER) AS "Engaged session of the row",
       CAST(event_name IN ('first_visit', 'first_open') AS INTEGER) AS "New user",
       CAST(event_name = 'purchase' AS INTEGER) AS "Purchase",
       CASE WHEN event_name = 'purchase' THEN _value END AS "Purchase value",
       CASE WHEN event_name = 'purchase' AND _value IS NOT NULL THEN _currency END AS "Currency of the purchase"
FROM ({rows})
WINDOW visit AS (PARTITION BY event_date, _visitor, _session ORDER BY _at, _row),
       whole AS (PARTITION BY event_date, _visitor, _session),
       origin AS (PARTITION BY event_date, _visitor, _session ORDER BY (_source IS NULL), _at, _row
                  ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
ORDER BY _row
"""


def _first(columns: dict[str, str], *places: str) -> str:
    """SQL for the first of some places that has a value; empty where the file has none of them."""
    return _one_of([_place(columns, place) for place in places])


def _place(columns: dict[str, str], place: str) -> str:
    """SQL for the text at one place: a column of that name, or a part of a nested column."""
    flat, (outer, _, inner) = place.replace(".", "_"), place.partition(".")
    if flat in columns:
        return f"nullif({quoted(columns[flat])}, '')"
    if not inner or outer not in columns:
        return ""
    whole = quoted(columns[outer])
    return f"CASE WHEN json_valid({whole}) THEN json_extract_string({whole}, {literal('$.' + inner)}) END"


def _nested(columns: dict[str, str], key: str) -> str:
    """SQL for an event parameter out of the nested column."""
    if PARAMETERS not in columns:
        return ""
    found = f"list_filter(from_json({quoted(columns[PARAMETERS])}, {literal(_SHAPE)}), lambda p: p.key = {literal(key)})"
    return f"coalesce({found}[1].value.int_value, {found}[1].value.string_value)"


def _parameter(columns: dict[str, str], key: str) -> str:
    """SQL for an event parameter, from a column of its own or from the nested column."""
    found = [_first(columns, *(form.format(key) for form in _PARAMETER)), _nested(columns, key)]
    return _one_of(found)


def _origin(columns: dict[str, str], *keys: str) -> str:
    """SQL for a part of an event's origin: the session's, else what the event's own link told."""
    own = [_first(columns, *(form.format(key) for key in keys for form in _ORIGIN))]
    return _one_of([*own, _parameter(columns, keys[-1])]) or "NULL"


def _one_of(found: list[str]) -> str:
    filled = [sql for sql in found if sql]
    return f"coalesce({', '.join(filled)})" if len(filled) > 1 else "".join(filled)
