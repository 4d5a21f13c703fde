"""Plain SQL for the KPIs of forecasts, weighted pipeline, hygiene and concentration."""

from __future__ import annotations

from kpis.case import AS_OF, EVERY, NO_MONTH, Case

from salestrack import kpis

LIVE = "FROM deals WHERE NOT coalesce(is_deleted, FALSE)"

WEIGHTED = f"""
SELECT {{names}} coalesce(sum(amount_base_cents), 0) / 100 AS open_value,
       CASE WHEN count(w) = 0 AND count(*) FILTER (probability IS NULL) > 0 AND open_value <> 0 THEN NULL
            ELSE coalesce(sum(w), 0) / 100 END AS weighted_pipeline,
       CASE WHEN weighted_pipeline IS NOT NULL THEN
           greatest(weighted_pipeline - 1.959963984540054 * sqrt(coalesce(sum(v), 0)) / 100, 0) END AS low,
       CASE WHEN weighted_pipeline IS NOT NULL THEN least(weighted_pipeline + 1.959963984540054 * sqrt(coalesce(sum(v), 0)) / 100,
             coalesce(sum(amount_base_cents) FILTER (probability IS NOT NULL), 0) / 100) END AS high,
       count(*) AS n, count(*) FILTER (amount_base_cents IS NULL) AS without_amount,
       count(*) FILTER (probability IS NULL) AS without_probability,
       count(*) FILTER (expected_close_date < '2026-04-20') AS past_due,
       share(max(w), sum(w)) AS top_deal_share
FROM (SELECT *, {{keys}} floor(amount_base_cents * probability + 0.5)::BIGINT AS w,
             amount_base_cents::DOUBLE * amount_base_cents * probability * (1 - probability) AS v
      {LIVE} AND status = 'open') f GROUP BY ALL
"""

PAST = """
p AS (SELECT (DATE '2026-01-01' - to_months((3 * i)::INT))::DATE AS s, s + 19 AS t,
             (s + INTERVAL 3 MONTH)::DATE - 1 AS e FROM range(8) r(i)),
v AS (SELECT *, valid_from::DATE AS f, coalesce(valid_to::DATE, DATE '9999-12-31') AS u FROM deal_versions
      WHERE valid_from::DATE <= '2026-04-20'),
here AS (SELECT v.*, s, t, {cents} AS c FROM v JOIN p ON f <= t AND u > t
         WHERE status = 'open' AND expected_close_date BETWEEN s AND e),
came AS (SELECT v.*, s, {won} AS w FROM v JOIN p ON f <= e AND u > e
         WHERE status = 'won' AND closed_date > t AND closed_date <= e),
"""


def _cents(day: str) -> str:
    """Hundredths of an amount at the newest exchange rate of a day, at the first one where there was none yet."""
    rate = f"""(SELECT coalesce(arg_max(rate, rate_date) FILTER (rate_date <= {day}), arg_min(rate, rate_date))
        FROM exchange_rates x WHERE x.from_currency_code = v.currency_code)"""
    return f"""CASE WHEN (SELECT count(*) FROM exchange_rates) = 0 THEN coalesce(amount_base_cents, amount * 100)
        WHEN currency_code = 'EUR' THEN floor(amount * 100 * (1 + 1e-15) + 0.5)
        ELSE floor(amount * {rate} * 100 * (1 + 1e-15) + 0.5) END"""


WON_CENTS = """CASE WHEN (SELECT count(*) FROM exchange_rates) = 0
    THEN coalesce(amount_base_cents, amount * 100) ELSE amount_base_cents END"""


def _past() -> str:
    return PAST.replace("{cents}", _cents("t")).replace("{won}", WON_CENTS)


def rates(by: str | None) -> str:
    """Won by the end of the past quarter, by stage and age on its 20th day."""
    names = f"h.{by}, " if by else ""
    return f"""
WITH {_past().rstrip().rstrip(",")}
SELECT {names} coalesce(h.stage_name, '(missing)') AS stage_name,
       CASE WHEN t - h.created_date >= 365 THEN 365 WHEN t - h.created_date >= 180 THEN 180
            WHEN t - h.created_date >= 90 THEN 90 WHEN t - h.created_date >= 30 THEN 30 ELSE 0 END AS age_from,
       count(c2.deal_id) AS won, count(*) AS n, share(won, n) AS stage_age_rates,
       wilson_low(won, count(*)) AS low, wilson_high(won, count(*)) AS high
FROM here h LEFT JOIN came c2 ON c2.deal_id = h.deal_id AND c2.s = h.s GROUP BY ALL
"""


def bias(by: str | None) -> str:
    """Weighted on the 20th day of past quarters against won by their end."""
    names, h, c = (f"{by}, ", f"h.{by}, ", f"c2.{by}, ") if by else ("", "", "")
    return f"""
WITH {_past()}
u AS (SELECT {h} h.s, CASE WHEN h.probability IS NOT NULL THEN c END AS a, h.probability AS q,
             c2.deal_id IS NOT NULL AS won, coalesce(c2.w, 0) AS w
      FROM here h LEFT JOIN came c2 ON c2.deal_id = h.deal_id AND c2.s = h.s
      UNION ALL SELECT {c} c2.s, NULL, NULL, TRUE, coalesce(c2.w, 0) FROM came c2
      WHERE NOT EXISTS (FROM here h WHERE h.deal_id = c2.deal_id AND h.s = c2.s)),
k AS (SELECT count(*) AS had FROM p WHERE s >= (SELECT min(s) FROM u)),
r AS (SELECT {names} s, coalesce(sum(w) FILTER (a IS NULL), 0) / 100 AS rest FROM u GROUP BY ALL),
z AS (SELECT {names} CASE WHEN had > 0 THEN sum(rest) / had END AS other_mean,
             CASE WHEN had > 1 THEN sqrt((sum(rest * rest) - had * other_mean * other_mean) / (had - 1)) END AS other_sd
      FROM r, k GROUP BY {names} had)
SELECT {names} coalesce(sum(floor(a * q + 0.5)), 0) / 100 AS forecast,
       coalesce(sum(w) FILTER (a IS NOT NULL), 0) / 100 AS won_value,
       CASE WHEN won_value > 0 THEN (forecast - won_value) / won_value END AS weighted_pipeline_bias,
       count(*) FILTER (a IS NOT NULL AND won) AS wins,
       CASE WHEN wins > 0 THEN sum(q) FILTER (a IS NOT NULL) / wins - 1 END AS count_bias,
       CASE WHEN won_value > 0 THEN coalesce(sum(a) FILTER (won), 0) / 100 / won_value - 1 END AS amount_bias,
       any_value(other_mean) AS other_mean, any_value(other_sd) AS other_sd,
       count(DISTINCT s) FILTER (a IS NOT NULL) AS periods, count(a) AS n
FROM u {f"JOIN z USING ({by})" if by else "FULL JOIN z ON TRUE"} GROUP BY ALL
""".replace("count(*) FILTER (a IS NOT NULL AND won) AS wins,", "").replace(
        "CASE WHEN wins > 0 THEN sum(q) FILTER (a IS NOT NULL) / wins - 1 END",
        "CASE WHEN count(*) FILTER (a IS NOT NULL AND won) > 0 THEN sum(q) FILTER (a IS NOT NULL)"
        " / count(*) FILTER (a IS NOT NULL AND won) - 1 END",
    )


HORIZONS = """
o AS (SELECT (DATE '2026-04-01' - to_months((3 * i)::INT))::DATE AS s, (s + INTERVAL 3 MONTH)::DATE - 1 AS e
      FROM range(9) r(i)),
h AS (SELECT s, e, unnest(['day_1', 'day_30', 't-30', 't-7']) AS horizon,
             unnest([s, s + 29, e + 1 - 30, e + 1 - 7])::DATE AS d FROM o)
"""


def made(by: str | None) -> str:
    """Won so far and weighted open value on four days of each quarter."""
    team, names = (f"v.{by}, ", f"{by}, ") if by else ("", "")
    keys = f"{names} s" if by else "s"
    return f"""
WITH {HORIZONS},
v AS (SELECT *, valid_from::DATE AS f, coalesce(valid_to::DATE, DATE '9999-12-31') AS u FROM deal_versions
      WHERE valid_from::DATE <= '2026-04-20'),
b AS (SELECT DISTINCT {team} o.s FROM v JOIN o ON CASE WHEN status = 'open' THEN expected_close_date
      WHEN status = 'won' THEN closed_date END BETWEEN o.s AND o.e),
g AS (SELECT b.*, h.* EXCLUDE (s) FROM b JOIN h ON b.s = h.s WHERE d <= '2026-04-20'),
x AS (SELECT {team} h.s, horizon,
             sum({WON_CENTS}) FILTER (status = 'won' AND closed_date BETWEEN h.s AND h.e) AS won,
             sum(floor(({_cents("d")}) * probability + 0.5))
                 FILTER (status = 'open' AND expected_close_date BETWEEN h.s AND h.e) AS w,
             count(({_cents("d")}) * probability)
                 FILTER (status = 'open' AND expected_close_date BETWEEN h.s AND h.e) AS n,
             count({_cents("d")}) FILTER (status = 'open' AND expected_close_date BETWEEN h.s AND h.e) AS open
      FROM v JOIN h ON f <= d AND u > d GROUP BY ALL)
SELECT {names} s::TIMESTAMP AS period_start_date, e::TIMESTAMP AS period_end_date, d::TIMESTAMP AS made_date,
       horizon, coalesce(won, 0) / 100 AS won_value,
       CASE WHEN coalesce(n, 0) > 0 OR coalesce(open, 0) = 0 THEN coalesce(w, 0) / 100 END AS weighted_value,
       won_value + weighted_value AS crm_forecasts, coalesce(n, 0) AS n
FROM g LEFT JOIN x USING ({keys}, horizon)
"""


def accuracy(by: str | None) -> str:
    """The last forecast of each rep up to the day of the horizon against the credits of the quarter."""
    names, part = (f"{by}, ", f"{by}, ") if by else ("", "")
    same = f"USING ({names} s)" if by else "USING (s)"
    return f"""
WITH {HORIZONS},
f AS (SELECT f.*, h.s, horizon FROM forecasts f JOIN h ON period_start_date = h.s
      WHERE forecast_category = 'commit' AND forecast_amount_base_cents IS NOT NULL AND submitted_at::DATE <= d
        AND e <= '2026-04-20'
      QUALIFY submitted_at = max(submitted_at) OVER (PARTITION BY {part} coalesce(rep_id, ''), h.s, horizon)),
a AS (SELECT {names} s, sum(amount_base_cents) / 100 AS actual FROM (SELECT *, date_trunc('quarter', credit_date)::DATE AS s
      FROM credits WHERE credit_date <= '2026-04-20') GROUP BY ALL),
l AS (SELECT * REPLACE ((s + INTERVAL 1 YEAR)::DATE AS s, actual AS actual) FROM a),
c AS (SELECT {names} s, horizon, sum(forecast_amount_base_cents) / 100 AS said FROM f GROUP BY ALL),
j AS (SELECT c.*, coalesce(a.actual, 0) AS actual,
             CASE WHEN (s - INTERVAL 1 YEAR)::DATE >= (SELECT min(s) FROM a) THEN coalesce(l.actual, 0) END AS naive
      FROM c LEFT JOIN a {same} LEFT JOIN l {same})
SELECT {names} horizon, sum(said) AS forecast, sum(j.actual) AS actual,
       share(sum(said) - sum(j.actual), sum(j.actual)) AS bias,
       share(sum(abs(said - j.actual)), sum(j.actual)) AS forecast_accuracy,
       share(sum(abs(said - j.actual)) FILTER (naive IS NOT NULL), sum(abs(naive - j.actual))) AS mase,
       share(sum(j.actual), sum(said)) AS came_true, count(*) AS n
FROM j GROUP BY ALL
"""


DISTRIBUTION = f"""
SELECT {{names}}
       coalesce(sum(amount_base_cents) FILTER (status = 'won' AND closed_date BETWEEN '2026-04-01' AND '2026-04-20'),
           0) / 100 AS won_so_far,
       coalesce(sum(a), 0) / 100 AS open_value, count(a) AS n, share(max(a), sum(a)) AS top_deal_share,
       count(*) FILTER (status = 'open' AND amount_base_cents IS NULL) AS without_amount,
       count(*) FILTER (status = 'open' AND win_probability IS NULL) AS without_probability,
       CASE WHEN count(a) > 0 OR coalesce(sum(amount_base_cents) FILTER (status = 'open'), 0) = 0
            THEN won_so_far + coalesce(sum(a * win_probability), 0) / 100 END AS expected
FROM (SELECT *, {{keys}} CASE WHEN status = 'open' AND win_probability IS NOT NULL THEN amount_base_cents END AS a
      {LIVE}) f GROUP BY ALL
"""


def hygiene(by: str | None) -> str:
    """The six checks, one after the other."""
    month = "date_trunc('month', expected_close_date)::TIMESTAMP AS month, " if by == "month" else ""
    names = f"{by}, " if by else ""
    checks = {
        "month_end": (
            "expected_close_date IS NOT NULL",
            "expected_close_date = last_day(expected_close_date)",
        ),
        "no_activity": (
            "created_date <= DATE '2026-04-20' - 30",
            "NOT EXISTS (FROM activities a WHERE a.deal_id = f.deal_id AND a.is_done"
            " AND a.started_at::DATE BETWEEN DATE '2026-03-22' AND DATE '2026-04-20')",
        ),
        "no_amount": ("TRUE", "amount_base_cents IS NULL"),
        "no_next_step": (
            f"coalesce(is_current, FALSE) AND EXISTS (SELECT 1 {LIVE} AND next_step <> '')",
            "coalesce(next_step, '') = ''",
        ),
        "past_due": ("expected_close_date IS NOT NULL", "expected_close_date < '2026-04-20'"),
        "too_old": (
            "created_date IS NOT NULL AND (SELECT count(*) FROM w) >= 20",
            "DATE '2026-04-20' - created_date > (SELECT quantile_cont(d, 0.95) FROM w)",
        ),
    }
    parts = [
        f"""SELECT {names} '{check}' AS "check", count(*) FILTER (fails) AS failing, count(*) AS every,
        coalesce(sum(amount_base_cents) FILTER (fails), 0) / 100 AS value, sum(amount_base_cents) / 100 AS of_value
        FROM (SELECT *, {fails} AS fails FROM f WHERE {applies}) GROUP BY ALL"""
        for check, (applies, fails) in checks.items()
    ]
    keys = f"{by}, " if by else ""
    return f"""
WITH f AS (SELECT *, {month} {LIVE} AND status = 'open'),
w AS (SELECT closed_date - created_date AS d {LIVE} AND status = 'won' AND closed_date >= created_date),
r AS ({" UNION ALL ".join(parts)}),
g AS (SELECT DISTINCT {names} unnest({list(checks)}) AS "check" FROM f)
SELECT {keys} "check", coalesce(failing, 0) AS failing, coalesce(every, 0) AS n, coalesce(value, 0) AS value,
       share(failing, every) AS pipeline_hygiene, wilson_low(failing, every) AS low, wilson_high(failing, every) AS high,
       share(value, of_value) AS value_share
FROM g LEFT JOIN r USING ({keys} "check")
"""


def concentration(by: str | None) -> str:
    """Squares of the shares of the accounts, by way of a self-made ranking."""
    month = "date_trunc('month', expected_close_date)::TIMESTAMP AS month, " if by == "month" else ""
    names, over = (f"{by}, ", f"PARTITION BY {by}") if by else ("", "")
    return f"""
WITH f AS (SELECT *, {month} coalesce(account_id, 'alone ' || deal_id) AS who {LIVE} AND status = 'open'),
a AS (SELECT {names} who, sum(amount_base_cents) AS c, count(*) FILTER (amount_base_cents IS NULL) AS none
      FROM f GROUP BY ALL),
s AS (SELECT *, CASE WHEN c > 0 THEN c END AS v, sum(CASE WHEN c > 0 THEN c END) OVER ({over}) AS t,
             row_number() OVER ({over} ORDER BY c DESC NULLS LAST) AS r FROM a)
SELECT {names} coalesce(sum(v), 0) / 100 AS value, coalesce(sum(v) - max(v), 0) / 100 AS value_without_top1,
       max(v / t) AS top1_share, sum(v / t) FILTER (r <= 5) AS top5_share, sum((v / t) ** 2) AS concentration,
       1 / sum((v / t) ** 2) AS effective_number, coalesce(sum(none), 0) AS without_amount, count(v) AS n
FROM s GROUP BY ALL
"""


Q2 = {"as_of": AS_OF, "period": "2026-Q2"}
CASES: dict[str, Case] = {
    "weighted_pipeline": Case(
        kpis.weighted_pipeline, WEIGHTED, "expected_close_date", {"as_of": AS_OF}, EVERY
    ),
    "stage_age_rates": Case(
        kpis.stage_age_rates, rates, "", {"as_of": AS_OF}, NO_MONTH, ("stage_name", "age_from")
    ),
    "weighted_pipeline_bias": Case(kpis.weighted_pipeline_bias, bias, "", {"as_of": AS_OF}, NO_MONTH),
    "forecast_distribution": Case(
        kpis.forecast_distribution, DISTRIBUTION, "", Q2 | {"draws": 500}, NO_MONTH
    ),
    "crm_forecasts": Case(
        kpis.crm_forecasts,
        made,
        "",
        {"as_of": AS_OF},
        NO_MONTH,
        ("period_start_date", "made_date", "horizon"),
    ),
    "forecast_accuracy": Case(kpis.forecast_accuracy, accuracy, "", {"as_of": AS_OF}, NO_MONTH, ("horizon",)),
    "pipeline_hygiene": Case(
        kpis.pipeline_hygiene, hygiene, "expected_close_date", {"as_of": AS_OF}, NO_MONTH, ("check",)
    ),
    "concentration": Case(kpis.concentration, concentration, "expected_close_date", {"as_of": AS_OF}, EVERY),
}
