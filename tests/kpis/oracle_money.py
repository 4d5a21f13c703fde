"""Plain SQL for the KPIs of growth, prices, loss reasons and customers' spending."""

from __future__ import annotations

from collections.abc import Callable

from kpis.case import EVERY, NO_MONTH, Case

from salestrack import kpis

LIVE = "NOT coalesce(is_deleted, FALSE)"


def _key(by: str | None, date: str) -> str:
    """The group as the first column of a SELECT."""
    return {"month": f"date_trunc('month', {date})::TIMESTAMP AS month,", "team": "team,", None: ""}[by]


def _name(by: str | None) -> str:
    return f"{by}," if by else ""


def _same(by: str | None, left: str, right: str) -> str:
    return f"AND {left}.{by} = {right}.{by}" if by else ""


def growth(by: str | None) -> str:
    """Every deal is converted on its own, at the rate that the deals of its currency imply for a year before."""
    part = f"PARTITION BY {_name(by)} c"
    implied = "SELECT CASE WHEN sum(a) > 0 THEN sum(b) / sum(a) END FROM old o WHERE o.k AND o.c = x.c"
    month = "AND o.month = x.month" if by == "month" else ""
    return f"""
    WITH d AS (SELECT * REPLACE (CASE WHEN status = 'won' THEN amount_base_cents END AS amount_base_cents),
                   floor(amount * 100 + 0.5)::BIGINT AS a, coalesce(status = 'won', FALSE)::INT AS won
            FROM deals WHERE {LIVE}),
    old AS (SELECT {_key(by, "closed_date + INTERVAL 12 MONTH")} currency_code AS c, a, amount_base_cents AS b, won,
                   c IS NOT NULL AND a IS NOT NULL AND b IS NOT NULL AS k
            FROM d WHERE closed_date >= '2025-01-01' AND closed_date < '2025-07-01'),
    x AS (SELECT {_key(by, "closed_date")} currency_code AS c, a, amount_base_cents AS b, won,
                 c IS NOT NULL AND a IS NOT NULL AND b IS NOT NULL AS k
          FROM d WHERE closed_date >= '2026-01-01' AND closed_date < '2026-07-01'),
    y AS (SELECT *, CASE WHEN k THEN coalesce(({implied} {month}), ({implied}), CASE WHEN sum(b) FILTER (k)
                         OVER ({part}) = sum(a) FILTER (k) OVER ({part}) THEN 1 END) END AS rate FROM x),
    n AS (SELECT {_name(by)} coalesce(sum(b), 0) AS now, sum(won) AS n, coalesce(sum(coalesce(rate * a, b)), 0) AS at_old,
                 coalesce(sum(b) FILTER (rate IS NULL), 0) AS own FROM y GROUP BY ALL),
    p AS (SELECT {_name(by)} coalesce(sum(b), 0) AS before, sum(won) AS m FROM old GROUP BY ALL)
    SELECT {_name(by)} coalesce(now, 0) / 100 AS bookings, coalesce(before, 0) / 100 AS previous,
           share(coalesce(now, 0) - before, before) AS revenue_growth, coalesce(at_old, 0) / 100 AS at_previous_rates,
           share(coalesce(at_old, 0), before) - 1 AS constant_currency, share(own, now) AS own_rate_share,
           coalesce(n, 0) AS n, coalesce(m, 0) AS previous_n
    FROM n FULL JOIN p {f"USING ({by})" if by else "ON TRUE"}
    """


def size_change(by: str | None) -> str:
    """The price effect from the segments of both times, the mix as what remains of the change."""
    using = f"USING ({by})" if by else "ON TRUE"
    sides = [
        f"""SELECT {_key(by, date)} coalesce(segment, '(missing)') AS s, amount_base_cents AS a, {now} AS now
        FROM deals WHERE {LIVE} AND status = 'won' AND amount_base_cents > 0 AND closed_date >= '{start}'
        AND closed_date < '{end}'"""
        for date, now, start, end in (
            ("closed_date", "TRUE", "2026-01-01", "2026-07-01"),
            ("closed_date + INTERVAL 12 MONTH", "FALSE", "2025-01-01", "2025-07-01"),
        )
    ]
    return f"""
    WITH f AS ({sides[0]} UNION ALL {sides[1]}),
    w AS (SELECT {_name(by)} count(*) FILTER (now) AS n, count(*) FILTER (NOT now) AS m, avg(a) FILTER (now) AS mean,
                 avg(a) FILTER (NOT now) AS old FROM f GROUP BY ALL),
    s AS (SELECT {_name(by)} s, count(*) FILTER (now) AS k, count(*) FILTER (NOT now) AS l, avg(a) FILTER (now) AS y,
                 avg(a) FILTER (NOT now) AS z FROM f GROUP BY ALL),
    e AS (SELECT {_name(by)} sum((y - z) * (k / n + l / m) / 2) FILTER (k > 0 AND l > 0) AS price
          FROM s JOIN w {using} GROUP BY ALL)
    SELECT {_name(by)} mean / 100 AS mean, old / 100 AS previous_mean, (mean - old) / 100 AS deal_size_change,
           CASE WHEN mean - old IS NOT NULL THEN coalesce(price, 0) / 100 END AS price_effect,
           deal_size_change - price_effect AS mix_effect, n, m AS previous_n FROM w LEFT JOIN e {using}
    """


def discounts(by: str | None) -> str:
    """Each line at the rate of its own deal, else of its currency."""
    return f"""
    WITH d AS (SELECT *, CASE WHEN amount > 0 THEN amount_base_cents / amount / 100 END AS own FROM deals WHERE {LIVE}),
    won AS (SELECT d.*, l.quantity, l.list_price, l.line_amount, l.currency_code AS code FROM deal_products l
            JOIN d USING (deal_id) WHERE status = 'won' AND NOT coalesce(l.is_optional, FALSE)),
    c AS (SELECT currency_code, CASE WHEN sum(amount) > 0 THEN sum(amount_base_cents) / sum(amount) / 100 END AS alike
          FROM won GROUP BY ALL),
    r AS (SELECT won.*, CASE WHEN code IS NULL OR code = won.currency_code THEN coalesce(own, alike) END AS rate
          FROM won LEFT JOIN c ON c.currency_code IS NOT DISTINCT FROM won.currency_code),
    v AS (SELECT {_key(by, "closed_date")} deal_id, floor(line_amount * rate * 100 + 0.5) AS net,
                 floor(list_price * quantity * rate * 100 + 0.5) AS list FROM r),
    k AS (SELECT {_name(by)} deal_id, sum(list) FILTER (list > 0 AND net IS NOT NULL) AS list,
                 sum(net) FILTER (list > 0 AND net IS NOT NULL) AS net, coalesce(sum(net), 0) AS sold FROM v GROUP BY ALL)
    SELECT {_name(by)} coalesce(sum(list), 0) / 100 AS list_value, coalesce(sum(net), 0) / 100 AS net_value,
           1 - sum(net) / sum(list) AS discount, median(1 - net / list) AS median,
           quantile_cont(1 - net / list, 0.9) AS p90, share(coalesce(sum(net), 0), sum(sold)) AS coverage,
           count(list) AS n FROM k GROUP BY ALL
    {"HAVING count(list) > 0 OR month IS NOT NULL" if by == "month" else ""}
    """


def reasons(by: str | None) -> str:
    """One row per deal and reason, each with its part of the deal."""
    part = f"PARTITION BY {by}" if by else ""
    return f"""
    WITH l AS (SELECT {_key(by, "closed_date")} coalesce(amount_base_cents, 0) AS cents, list_distinct(list_transform(
                   list_filter(list_transform(string_split(coalesce(lost_reason, ''), ';'), lambda x: trim(x)),
                               lambda x: x <> ''),
                   lambda x: CASE WHEN lower(x) IN ('other', 'unknown') THEN 'other' ELSE x END)) AS said
               FROM deals WHERE {LIVE} AND status = 'lost' AND coalesce(lower(lost_reason), '') <> 'duplicate'),
    u AS (SELECT * EXCLUDE (said, r), unnest(r) AS lost_reason, 1 / len(r) AS part
          FROM (SELECT *, CASE WHEN len(said) = 0 THEN ['(missing)'] ELSE said END AS r FROM l)),
    t AS (SELECT {_name(by)} lost_reason, sum(part) AS deals, sum(part * cents) / 100 AS lost_value FROM u GROUP BY ALL),
    w AS (SELECT *, lost_reason IN ('(missing)', 'other') AS silent, sum(deals) OVER ({part}) AS total,
                 coalesce(sum(deals) FILTER (lost_reason IN ('(missing)', 'other')) OVER ({part}), 0)
                     / sum(deals) OVER ({part}) AS unknown_share,
                 sum(lost_value) OVER ({part}) AS value FROM t)
    SELECT {_name(by)} lost_reason, deals, deals / total AS loss_reasons, wilson_low(deals, total) AS low,
           wilson_high(deals, total) AS high, lost_value, share(lost_value, value) AS value_share, unknown_share,
           round(total)::BIGINT AS n,
           CASE WHEN NOT silent AND unknown_share <= 0.5 + 1e-9 THEN 1 + (
               SELECT count(*) FROM w o WHERE NOT o.silent {_same(by, "o", "w")} AND o.deals > w.deals + 1e-6) END AS rank,
           CASE WHEN unknown_share > 0.5 + 1e-9 THEN 'mostly_unknown' ELSE '' END AS note
    FROM w ORDER BY {_name(by)} CASE lost_reason WHEN '(missing)' THEN 0 WHEN 'other' THEN 1 ELSE 2 END,
                    round(deals, 5) DESC, lost_reason
    """


def kinds(by: str | None) -> str:
    """By looking for an earlier deal of the account and of its family."""
    part = f"PARTITION BY {by}" if by else ""
    earlier = "SELECT 1 FROM d o WHERE (o.closed_date, o.deal_id) < (d.closed_date, d.deal_id) AND"
    return f"""
    WITH p AS (SELECT account_id, min(parent_account_id) AS up FROM accounts WHERE parent_account_id IS NOT NULL
               GROUP BY ALL),
    g AS (SELECT p.account_id, coalesce(q.up, p.up) AS top FROM p LEFT JOIN p q ON q.account_id = p.up),
    d AS (SELECT deals.*, coalesce(top, parent_account_id, deals.account_id) AS family FROM deals
          LEFT JOIN g USING (account_id) WHERE {LIVE} AND status = 'won' AND closed_date IS NOT NULL),
    k AS (SELECT *, CASE WHEN account_id IS NULL THEN '(missing)'
                         WHEN NOT EXISTS ({earlier} o.family = d.family) THEN 'first_order'
                         WHEN NOT EXISTS ({earlier} o.account_id = d.account_id) THEN 'connected_new'
                         WHEN deal_type = 'renewal' THEN 'renewal' ELSE 'expansion' END AS kind FROM d),
    t AS (SELECT {_key(by, "closed_date")} kind, coalesce(sum(amount_base_cents), 0) AS cents, count(*) AS n,
                 count(*) FILTER (amount_base_cents IS NULL) AS without_amount,
                 count(*) FILTER (kind = 'first_order' AND deal_type IN ('existing', 'renewal', 'expansion'))
                     AS typed_existing
          FROM k WHERE closed_date >= '2025-07-01' AND closed_date < '2026-07-01' GROUP BY ALL)
    SELECT {_name(by)} kind, CASE WHEN kind IN ('expansion', 'renewal') THEN 'growth' ELSE kind END AS order_type,
           cents / 100 AS new_and_expansion, share(cents, sum(cents) OVER ({part})) AS share, n, without_amount,
           typed_existing
    FROM t ORDER BY {_name(by)} list_position(['first_order', 'connected_new', 'expansion', 'renewal', '(missing)'], kind)
    """


VALID = """o AS (SELECT * FROM orders WHERE account_id IS NOT NULL AND order_date IS NOT NULL
     AND coalesce(order_status, '') NOT IN ('cancelled', 'returned'))"""


def expanded(by: str | None) -> str:
    """Customers by their last order before May, and whether any line since then was of the kind."""
    hits = {
        name: f"""EXISTS (SELECT 1 FROM o JOIN order_lines USING (order_id) WHERE o.account_id = a.account_id
        AND order_date >= '2025-05-01' AND order_date < '2025-09-01' AND {test})"""
        for name, test in (
            ("up", "sale_type = 'upsell'"),
            ("cross", "sale_type = 'cross_sell'"),
            ("told", "sale_type IS NOT NULL"),
            ("line", "TRUE"),
        )
    }
    flags = ", ".join(f"{sql} AS {'cross_' if name == 'cross' else name}" for name, sql in hits.items())
    return f"""
    WITH {VALID},
    a AS (SELECT account_id, arg_max(team, (order_date, -row)) AS team FROM (
              SELECT *, row_number() OVER (ORDER BY order_id) AS row FROM o
              WHERE order_date >= '2024-05-01' AND order_date < '2025-05-01') GROUP BY ALL),
    f AS (SELECT *, {flags} FROM a)
    SELECT {_name(by)} count(*) FILTER (up) AS upsell, count(*) FILTER (cross_) AS cross_sell,
           count(*) FILTER (up OR cross_) AS expanded, count(*) AS n,
           count(*) FILTER (line) > 0 AND count(*) FILTER (told) = 0 AS silent,
           CASE WHEN NOT silent THEN share(expanded, n) END AS expansion_rate,
           CASE WHEN NOT silent THEN wilson_low(expanded, n) END AS low,
           CASE WHEN NOT silent THEN wilson_high(expanded, n) END AS high,
           CASE WHEN NOT silent THEN share(upsell, n) END AS upsell_rate,
           CASE WHEN NOT silent THEN share(cross_sell, n) END AS cross_sell_rate FROM f GROUP BY ALL
    """


def _customers(by: str | None) -> str:
    month = "month," if by == "month" else ""
    team = "arg_max(team, (old, order_date, -row)) AS team," if by == "team" else ""
    sides = [
        f"SELECT {_key(by, date)[: None if by == 'month' else 0]} {flag} AS old, order_date, order_id, account_id, team,"
        f" coalesce(net_amount_base_cents, 0) AS cents FROM o WHERE order_date >= '{start}' AND order_date < '{end}'"
        for date, flag, start, end in (
            ("order_date", "FALSE", "2025-04-01", "2025-07-01"),
            ("order_date + INTERVAL 3 MONTH", "TRUE", "2025-01-01", "2025-04-01"),
        )
    ]
    return f"""
    WITH {VALID}, s AS ({sides[0]} UNION ALL {sides[1]}),
    c AS (SELECT {month} account_id, {team} coalesce(sum(cents) FILTER (old), 0) AS t,
                 coalesce(sum(cents) FILTER (NOT old), 0) AS w
          FROM (SELECT *, row_number() OVER (ORDER BY order_id) AS row FROM s) GROUP BY ALL)
    """


def net_retention(by: str | None) -> str:
    """From one row per customer."""
    return f"""{_customers(by)}
    SELECT {_name(by)} coalesce(sum(t) FILTER (t > 0), 0) / 100 AS previous,
           coalesce(sum(w) FILTER (t > 0), 0) / 100 AS retained, share(retained, previous) AS net_revenue_retention,
           coalesce(sum(w - t) FILTER (t > 0 AND w > t), 0) / 100 AS expansion,
           coalesce(sum(t - w) FILTER (t > 0 AND w > 0 AND w < t), 0) / 100 AS contraction,
           coalesce(sum(t - w) FILTER (t > 0 AND w <= 0), 0) / 100 AS churn,
           coalesce(sum(w - t) FILTER (t <= 0), 0) / 100 AS new, coalesce(sum(w - t), 0) / 100 AS net_new,
           count(*) FILTER (t > 0 AND w <= 0) AS churned, count(*) FILTER (t > 0) AS n FROM c GROUP BY ALL
    """


def gross_retention(by: str | None) -> str:
    """From one row per customer."""
    return f"""{_customers(by)}
    SELECT {_name(by)} coalesce(sum(t) FILTER (t > 0), 0) / 100 AS previous,
           coalesce(sum(greatest(least(w, t), 0)) FILTER (t > 0), 0) / 100 AS kept,
           share(kept, previous) AS gross_revenue_retention, count(*) FILTER (t > 0) AS n FROM c GROUP BY ALL
    """


def _without(sql: Callable[[str | None], str], *columns: str) -> Callable[[str | None], str]:
    """The SQL without columns that only help it."""
    return lambda by: f"SELECT * EXCLUDE ({', '.join(columns)}) FROM ({sql(by)})"


ORDERED = ("rows of its own, in the order of the SQL",)
HALF_YEAR = {"period": ("2026-01-01", "2026-07-01")}
QUARTER = {"period": ("2025-04-01", "2025-07-01"), "against": "quarter"}
CASES: dict[str, Case] = {
    "revenue_growth": Case(kpis.revenue_growth, growth, "closed_date", HALF_YEAR, EVERY),
    "deal_size_change": Case(kpis.deal_size_change, size_change, "closed_date", HALF_YEAR, EVERY),
    "discount": Case(kpis.discount, discounts, "closed_date", {}, EVERY),
    "loss_reasons": Case(kpis.loss_reasons, reasons, "closed_date", {}, EVERY, ORDERED),
    "new_and_expansion": Case(
        kpis.new_and_expansion, kinds, "closed_date", {"period": ("2025-07-01", "2026-07-01")}, EVERY, ORDERED
    ),
    "expansion_rate": Case(
        kpis.expansion_rate,
        _without(expanded, "silent"),
        "",
        {"period": ("2025-05-01", "2025-09-01")},
        NO_MONTH,
    ),
    "net_revenue_retention": Case(kpis.net_revenue_retention, net_retention, "order_date", QUARTER, EVERY),
    "gross_revenue_retention": Case(
        kpis.gross_revenue_retention, gross_retention, "order_date", QUARTER, EVERY
    ),
}
