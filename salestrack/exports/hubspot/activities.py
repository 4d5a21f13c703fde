"""List views of activities, each kind with its own: calls, meetings, emails, tasks, notes, messages."""

from __future__ import annotations

from salestrack.exports.hubspot.headed_cells import time, worded

MEETINGS = {
    "meeting digital": "Online Meeting",
    "meeting in_person": "Customer Visit",
    "internal_meeting": "Internal Meeting",
    "admin": "Administration",
    "travel": "Travel",
    "training": "Training",
    "preparation": "Preparation",
    "other": "Other",
}
DIRECTIONS = {"outbound": "Outbound", "inbound": "Inbound"}
OUTCOMES = {
    "connected": "Connected",
    "voicemail": "Left voicemail",
    "no_answer": "No answer",
    "busy": "Busy",
    "wrong_number": "Wrong number",
    "held": "Completed",
    "no_show": "No show",
    "cancelled": "Canceled",
    "bounced": "BOUNCED",
}


def _activity(zone: str, kinds: str, own: str, start: str = "Activity date") -> str:
    """An object of activities: what all have in common, and its own columns."""
    return f"""
    SELECT a.activity_id AS "Record ID", {time("a.started_at", zone, start)}, r.rep_name AS "Activity assigned to", {own},
           d.deal_name AS "Associated Deal", a.deal_id AS "Associated Deal IDs", coalesce(a.lead_id, a.contact_id) AS "Associated Contact IDs",
           a.account_id AS "Associated Company IDs"
    FROM activities a LEFT JOIN reps r ON r.rep_id = a.owner_rep_id LEFT JOIN deals d USING (deal_id)
    WHERE a.activity_type IN ({kinds}) ORDER BY a.activity_id
    """


_SPENT = 'CAST(a.duration_s / 60 AS DOUBLE) AS "Time spent (minutes)"'


def calls(zone: str) -> str:
    """Calls, with their length in milliseconds."""
    return _activity(
        zone,
        "'call'",
        f"""a.subject AS "Call Title", CAST(a.duration_s * 1000 AS BIGINT) AS "Call duration",
        {worded("a.direction", DIRECTIONS)} AS "Call direction", {worded("a.outcome", OUTCOMES)} AS "Call outcome",
        CASE WHEN a.is_done THEN 'COMPLETED' ELSE 'QUEUED' END AS "Call status" """,
    )


def meetings(zone: str) -> str:
    """Meetings, and all work inside the company that took time."""
    kind = "CASE WHEN a.activity_type = 'meeting' THEN concat_ws(' ', 'meeting', a.channel) ELSE a.activity_type END"
    end = "coalesce(a.ended_at, a.started_at + to_seconds(a.duration_s))"
    return _activity(
        zone,
        "'meeting', 'internal_meeting', 'admin', 'travel', 'training', 'preparation', 'other'",
        f"""a.subject AS "Meeting name", {time(end, zone, "Meeting end time")}, {worded(kind, MEETINGS)} AS "Call and meeting type",
        coalesce({worded("a.outcome", OUTCOMES)}, CASE WHEN NOT a.is_done THEN 'Scheduled' END) AS "Meeting outcome" """,
        start="Meeting start time",
    )


def emails(zone: str) -> str:
    """Emails."""
    directions = {"outbound": "EMAIL", "inbound": "INCOMING_EMAIL"}
    return _activity(
        zone,
        "'email'",
        f"""a.subject AS "Email subject", {worded("a.direction", directions)} AS "Email direction",
        {worded("a.outcome", OUTCOMES)} AS "Email send status", {_SPENT}""",
    )


def tasks(zone: str) -> str:
    """Tasks; the time of one is that of its completion."""
    return _activity(
        zone,
        "'task'",
        f"""a.subject AS "Task Title", CASE WHEN a.is_done THEN 'Completed' ELSE 'Not started' END AS "Task Status",
        {time("a.due_at", zone, "Due date")}, {_SPENT}""",
        start="Completed at",
    )


def notes(zone: str) -> str:
    """Notes, without their text."""
    return _activity(zone, "'note'", f"""'' AS "Note body", {_SPENT}""")


def communications(zone: str) -> str:
    """Short messages and messages of social networks."""
    channels = {"sms": "SMS", "social": "LINKEDIN_MESSAGE"}
    return _activity(
        zone, "'sms', 'social'", f"""{worded("a.activity_type", channels)} AS "Channel Type", {_SPENT}"""
    )
