"""The canonical tables as they were known at the end of a day, as SQL over the stored tables (`stored.*`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from salestrack.duck import local_date
from salestrack.prepare import cents

DATED = {  # plain facts: the column whose time says since when the fact is known
    "accounts": "created_at",
    "activities": "started_at",
    "campaign_members": "responded_at",
    "contacts": "created_at",
    "costs": "cost_date",
    "deal_field_history": "changed_at",
    "deal_stage_history": "entered_at",
    "deal_versions": "valid_from",
    "exchange_rates": "rate_date",
    "leads": "created_at",
    "order_lines": "order_date",
    "orders": "order_date",
    "stage_spells": "entered_at",
    "surveys": "coalesce(responded_at, sent_at)",  # an unanswered one is known since it was sent
    "web_traffic": "date",
}
MASKED = {  # milestones that a fact reaches later: unknown until they happen
    "deal_versions": ("valid_to",),
    "leads": ("mql_at", "sal_at", "sql_at", "converted_at", "disqualified_at"),
    "stage_spells": ("left_at", "forward_at", "won_at", "lost_at"),
}


OF_DEALS = ("deals", "deal_versions", "stage_spells")
"""Tables whose rows bear the company's own columns of their deal."""
MOST_CUSTOM = 100
"""Own columns of a table that can be grouped by; wider exports keep the rest in `custom_fields`."""


@dataclass(frozen=True)
class Moment:
    """The end of a day: `as_of` itself and the first instant after it, in UTC."""

    as_of: date
    cutoff: datetime

    @property
    def before(self) -> str:
        """SQL for the instant."""
        return f"TIMESTAMP '{self.cutoff:%Y-%m-%d %H:%M:%S}'"

    @property
    def day(self) -> str:
        """SQL for the day."""
        return f"DATE '{self.as_of}'"


def fact(table: str, columns: list[str], at: Moment) -> str:
    """SQL for the rows of a table that were known then, with later milestones masked.

    >>> fact("costs", ["cost_id", "cost_date"], Moment(date(2026, 10, 31), datetime(2026, 10, 31, 23)))
    "SELECT cost_id, cost_date FROM stored.costs WHERE coalesce(cost_date <= DATE '2026-10-31', TRUE)"
    """
    masked = MASKED.get(table, ())
    shown = [f"CASE WHEN {c} < {at.before} THEN {c} END AS {c}" if c in masked else c for c in columns]
    if table == "stage_spells":
        shown = [
            f"CASE WHEN left_at < {at.before} THEN exit_type END AS exit_type" if c == "exit_type" else c
            for c in shown
        ]
    known = ""
    if stamp := DATED.get(table):
        end = f"{stamp} <= {at.day}" if stamp.endswith("date") else f"{stamp} < {at.before}"
        known = f" WHERE coalesce({end}, TRUE)"
    return f"SELECT {', '.join(shown)} FROM stored.{table}{known}"


def assignment(rep: str, day: str, alias: str = "a") -> str:
    """SQL join of the team and territory that a rep had on a day."""
    return (
        f"LEFT JOIN assignment_spans {alias} ON {alias}.rep_id = {rep} "
        f"AND {day} >= {alias}.valid_from AND {day} < {alias}.valid_to"
    )


ASSIGNMENT_SPANS = """
SELECT a.rep_id, a.team_id, t.team_name AS team, a.territory_id, y.territory_name AS territory,
       coalesce(a.valid_from_date, DATE '0001-01-01') AS valid_from,
       coalesce(a.valid_to_date + 1, DATE '9999-12-31') AS valid_to
FROM stored.rep_assignments a LEFT JOIN stored.teams t USING (team_id) LEFT JOIN stored.territories y USING (territory_id)
"""


def deals(at: Moment, base: str, local_created: str) -> str:
    """SQL for one row per deal known and not deleted then, in the state of then, with its labels.

    Of next steps only the newest is known: `next_step` is NULL and `is_current` false where the record was changed after
    the day (where the source dates no changes: where its state was).
    """
    return f"""
SELECT d.deal_id, d.deal_name, d.account_id, v.credit_rep_id AS owner_rep_id, p.rep_name, a.team_id, a.team,
       coalesce(y.territory_name, a.territory) AS territory, c.segment, c.industry, c.country_code,
       d.lead_source, d.deal_type, d.campaign_id, coalesce(d.lead_id, k.lead_id) AS lead_id, s.pipeline_id, v.stage_id, s.stage_name, s.stage_order, v.status,
       v.amount, v.currency_code,
       CASE WHEN v.status = 'open' THEN {cents("v.amount", "r.rate")} ELSE v.amount_base_cents END AS amount_base_cents,
       CASE WHEN v.status <> 'open' THEN {cents("o.amount", "q.rate")} END AS last_open_amount_base_cents,
       v.probability, d.created_at, {local_created} AS created_date, v.expected_close_date, v.closed_at, v.closed_date, v.closed_at_source,
       CASE WHEN v.status = 'lost' THEN d.lost_reason END AS lost_reason, v.pushes, v.reopened,
       CASE WHEN coalesce(d.updated_at < {at.before}, v.valid_to IS NULL) THEN d.next_step END AS next_step,
       coalesce(d.updated_at < {at.before}, v.valid_to IS NULL) AS is_current,
       e.entered_at AS stage_entered_at, coalesce(l.created_at, k.created_at) AS lead_created_at
FROM (SELECT * FROM stored.deal_versions
      WHERE valid_from < {at.before} AND (valid_to IS NULL OR valid_to >= {at.before}) AND status <> 'deleted') v
JOIN stored.deals d USING (deal_id)
LEFT JOIN stored.stages s ON s.stage_id = v.stage_id
LEFT JOIN stored.accounts c ON c.account_id = d.account_id
LEFT JOIN stored.territories y ON y.territory_id = d.territory_id
LEFT JOIN stored.reps p ON p.rep_id = v.credit_rep_id
LEFT JOIN stored.leads l ON l.lead_id = d.lead_id
LEFT JOIN (SELECT converted_deal_id AS deal_id, min(created_at) AS created_at, min_by(lead_id, created_at) AS lead_id FROM stored.leads
           WHERE converted_deal_id IS NOT NULL AND created_at < {at.before} GROUP BY ALL) k ON k.deal_id = v.deal_id
LEFT JOIN (SELECT deal_id, max(entered_at) AS entered_at FROM stored.stage_spells WHERE entered_at < {at.before} GROUP BY deal_id) e
       ON e.deal_id = v.deal_id
LEFT JOIN (SELECT from_currency_code AS currency_code, arg_max(rate, rate_date) AS rate FROM stored.exchange_rates
           WHERE to_currency_code = '{base}' AND rate_date <= {at.day} AND from_currency_code <> '{base}' GROUP BY ALL
           UNION ALL SELECT '{base}', 1) r ON r.currency_code = v.currency_code
LEFT JOIN (SELECT deal_id, arg_max(amount, valid_from) AS amount FROM stored.deal_versions
           WHERE status = 'open' AND valid_from < {at.before} GROUP BY deal_id) o ON o.deal_id = v.deal_id
LEFT JOIN ({rate_spans(base)}) q ON q.currency_code = v.currency_code AND v.closed_date >= q.valid_from AND v.closed_date < q.valid_to
{assignment("v.credit_rep_id", f"coalesce(v.closed_date, {at.day})")}
"""


def rate_spans(base: str) -> str:
    """SQL for one row per currency and days in which one rate to the reporting currency holds."""
    return f"""
SELECT from_currency_code AS currency_code, rate_date AS valid_from, rate,
       coalesce(lead(rate_date) OVER (PARTITION BY from_currency_code ORDER BY rate_date), DATE '9999-12-31') AS valid_to
FROM stored.exchange_rates WHERE to_currency_code = '{base}' AND from_currency_code <> '{base}' AND rate > 0
UNION ALL SELECT '{base}', DATE '0001-01-01', 1, DATE '9999-12-31'
"""


def deal_versions(columns: list[str], at: Moment, zone: str) -> str:
    """SQL for the spans of unchanged state known then, with the labels of their deal and the team of then.

    The team is part of the state: where the owner of an open deal changes team, the span is cut at that midnight.
    `valid_from_date` and `valid_to_date` are the local days; the state at the end of a day is the row with
    valid_from_date <= day < valid_to_date.
    """
    days = f"{local_date('valid_from', zone)} AS from_date, {local_date('valid_to', zone)} AS to_date"
    ends = f"coalesce(greatest(v.to_date, v.from_date + 1), {at.day} + 1)"
    is_first = "v.status <> 'open' OR a.rep_id IS NULL OR a.valid_from <= v.from_date"
    is_last = f"v.status <> 'open' OR a.rep_id IS NULL OR a.valid_to >= {ends}"
    own = ", ".join(f"v.{c}" for c in columns if c not in ("valid_from", "valid_to"))
    return f"""
WITH team_spans AS (
  SELECT rep_id, team_id, team, territory, valid_from, valid_to FROM assignment_spans
  UNION ALL
  SELECT rep_id, NULL, NULL, NULL, ended, valid_from FROM (
    SELECT rep_id, valid_from, lag(valid_to, 1, DATE '0001-01-01') OVER (PARTITION BY rep_id ORDER BY valid_from) AS ended
    FROM assignment_spans) g WHERE ended < valid_from
  UNION ALL
  SELECT rep_id, NULL, NULL, NULL, max(valid_to), DATE '9999-12-31' FROM assignment_spans
  GROUP BY rep_id HAVING max(valid_to) < DATE '9999-12-31'
)
SELECT {own},
       CASE WHEN {is_first} THEN v.valid_from ELSE {midnight("a.valid_from", zone)} END AS valid_from,
       CASE WHEN {is_last} THEN v.valid_to ELSE {midnight("a.valid_to", zone)} END AS valid_to,
       CASE WHEN {is_first} THEN v.from_date ELSE a.valid_from END AS valid_from_date,
       CASE WHEN {is_last} THEN v.to_date ELSE a.valid_to END AS valid_to_date,
       d.account_id, s.stage_name, s.stage_order, s.pipeline_id, a.team_id, a.team,
       coalesce(y.territory_name, a.territory) AS territory, c.segment, c.industry, c.country_code, d.lead_source, d.deal_type,
       {local_date("d.created_at", zone)} AS created_date
FROM (SELECT *, {days} FROM ({fact("deal_versions", columns, at)})) v
LEFT JOIN stored.deals d USING (deal_id)
LEFT JOIN stored.stages s ON s.stage_id = v.stage_id
LEFT JOIN stored.accounts c ON c.account_id = d.account_id
LEFT JOIN stored.territories y ON y.territory_id = d.territory_id
LEFT JOIN team_spans a ON a.rep_id = v.credit_rep_id
     AND a.valid_from < CASE WHEN v.status = 'open' THEN {ends} ELSE coalesce(v.closed_date, v.from_date) + 1 END
     AND a.valid_to > CASE WHEN v.status = 'open' THEN v.from_date ELSE coalesce(v.closed_date, v.from_date) END
"""


def midnight(day: str, zone: str) -> str:
    """SQL for the UTC timestamp at which a local day begins."""
    return f"(CAST({day} AS TIMESTAMP) AT TIME ZONE '{zone}' AT TIME ZONE 'UTC')"


def stage_spells(columns: list[str], at: Moment) -> str:
    """SQL for the stays in stages known then, with the labels of their deal."""
    return f"""
SELECT s.*, d.status, d.amount_base_cents, d.account_id, d.team, d.territory, d.segment, d.lead_source, d.deal_type
FROM ({fact("stage_spells", columns, at)}) s JOIN deals d USING (deal_id)
"""


def activities(columns: list[str], at: Moment, zone: str) -> str:
    """SQL for the activities known then, with the local day, whether a time of day is known, and the rep's team on that day."""
    own = ", ".join(f"f.{c}" for c in columns)
    local = f"(started_at) AT TIME ZONE 'UTC' AT TIME ZONE '{zone}'"
    return f"""
SELECT {own}, f.started_date, f.is_timed, a.team_id, a.team, a.territory
FROM (SELECT *, CAST(local_start AS DATE) AS started_date, local_start <> CAST(local_start AS DATE) AS is_timed
      FROM (SELECT *, {local} AS local_start FROM ({fact("activities", columns, at)}) k) l) f
{assignment("f.owner_rep_id", "f.started_date")}
"""


def orders(columns: list[str], at: Moment) -> str:
    """SQL for the orders known then, with the customer's segment and the seller's team and territory."""
    return f"""
SELECT f.*, f.net_amount_base_cents AS amount_base_cents, c.segment, c.country_code, a.team_id, a.team,
       coalesce(y.territory_name, a.territory) AS territory
FROM ({fact("orders", columns, at)}) f
LEFT JOIN stored.accounts c USING (account_id)
LEFT JOIN stored.territories y ON y.territory_id = f.territory_id
{assignment("f.owner_rep_id", "f.order_date")}
"""


def order_lines(columns: list[str], at: Moment) -> str:
    """SQL for the order lines known then; a line without a cost has its product's, where that is in the order's currency."""
    own = [f"l.{c}" for c in columns if c != "unit_cost"]
    cost = "CASE WHEN l.unit_cost IS NULL AND p.currency_code = o.currency_code THEN p.unit_cost ELSE l.unit_cost END"
    return f"""
SELECT {", ".join(own)}, {cost} AS unit_cost
FROM ({fact("order_lines", columns, at)}) l
LEFT JOIN stored.orders o ON o.order_id = l.order_id LEFT JOIN stored.products p ON p.product_id = l.product_id
"""


def leads(columns: list[str], at: Moment, local_created: str) -> str:
    """SQL for the leads known then, with the local day of arrival and the owner's team and territory on that day."""
    return f"""
SELECT f.*, a.team_id, a.team, a.territory
FROM (SELECT *, {local_created} AS created_date FROM ({fact("leads", columns, at)})) f
{assignment("f.owner_rep_id", "f.created_date")}
"""


def costs(columns: list[str], at: Moment) -> str:
    """SQL for the costs known then, with the name of the team that they are booked on."""
    return f"SELECT f.*, t.team_name AS team FROM ({fact('costs', columns, at)}) f LEFT JOIN stored.teams t USING (team_id)"


def quotas(columns: list[str], at: Moment) -> str:
    """SQL for the quotas (targets are known in advance), with the rep's team at the start of the period."""
    own = [f"q.{c}" for c in columns if c not in ("team_id", "territory_id")]
    return f"""
SELECT {", ".join(own)}, coalesce(q.team_id, a.team_id) AS team_id, coalesce(t.team_name, a.team) AS team,
       coalesce(q.territory_id, a.territory_id) AS territory_id, coalesce(y.territory_name, a.territory) AS territory
FROM stored.quotas q
{assignment("q.rep_id", "q.period_start_date")}
LEFT JOIN stored.teams t ON t.team_id = q.team_id LEFT JOIN stored.territories y ON y.territory_id = q.territory_id
"""


def credits(source: str, at: Moment) -> str:
    """SQL for what counts towards quotas: won deals by the owner at closing, or orders by their seller."""
    if source == "orders":
        return """
SELECT 'order:' || order_id AS credit_id, owner_rep_id AS rep_id, team_id, team, territory, order_date AS credit_date,
       amount_base_cents, 'order' AS source FROM orders
"""
    return """
SELECT 'deal:' || deal_id AS credit_id, owner_rep_id AS rep_id, team_id, team, territory, closed_date AS credit_date,
       amount_base_cents, 'deal' AS source FROM deals WHERE status = 'won'
"""


def with_custom(table: str, sql: str, names: list[str]) -> str:
    """SQL for a table with the company's own columns of its exports, out of `custom_fields`, to group by.

    >>> print(with_custom("orders", "FROM o", ["Region"]))
    SELECT x.*, x.custom_fields ->> '$."Region"' AS "Region" FROM (FROM o) x
    """
    cells = ", ".join(f"""x.custom_fields ->> '$."{name}"' AS "{name}\"""" for name in names)
    if table in OF_DEALS:
        return f"SELECT v.*, {cells} FROM ({sql}) v LEFT JOIN stored.deals x ON x.deal_id = v.deal_id"
    return f"SELECT x.*, {cells} FROM ({sql}) x"
