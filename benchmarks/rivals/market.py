"""Where leads come from and what customers say, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals._common import Z, alive, dates_of


def _answers(surveys: pd.DataFrame) -> pd.DataFrame:
    asked = surveys[(surveys["survey_type"] == "nps") & alive(surveys)]
    sent, answered = asked["sent_at"].notna(), asked["score"].notna()
    given = asked[answered]
    given = given.assign(day=dates_of(given["responded_at"])).sort_values(
        ["day", "score"], ascending=[False, True]
    )
    given = given[given["contact_id"].isna() | ~given["contact_id"].duplicated()]
    up, down = (given["score"] >= 9).to_numpy(), (given["score"] < 7).to_numpy()
    account = pd.factorize(given["account_id"].fillna(given["response_id"]))[0]
    t, b = np.bincount(account, weights=up * 1.0 - down), np.bincount(account).astype(float)
    sums = {"promoters": up.sum(), "detractors": down.sum(), "n": len(given)}
    sums |= {"tt": t @ t, "tb": t @ b, "bb": b @ b, "sent": sent.sum(), "back": (sent & answered).sum()}
    return _score(pd.DataFrame([sums]))


def _score(sums: pd.DataFrame) -> pd.DataFrame:
    """The score with its adjusted Wald interval, for fewer answers where those of an account resemble each other."""
    up, down, n, tt, tb, bb = (
        float(sums[c].iloc[0]) for c in ("promoters", "detractors", "n", "tt", "tb", "bb")
    )
    mean = (up - down) / n
    alone = up + down - mean**2 * n
    effect = max((tt - 2 * mean * tb + mean**2 * bb) / alone, 1) if alone > 0 else 1
    size = n / effect + 3
    more, less = (up / effect + 0.75) / size, (down / effect + 0.75) / size
    middle = more - less
    half = Z * np.sqrt((more + less - middle**2) / size)
    return sums.assign(
        passives=n - up - down,
        net_promoter_score=100 * mean,
        low=100 * max(middle - half, -1),
        high=100 * min(middle + half, 1),
        response_rate=sums["back"] / sums["sent"],
    )


PROMOTERS = """
WITH s AS MATERIALIZED (SELECT response_id, contact_id, account_id, responded_at::DATE AS day, sent_at IS NOT NULL AS sent, score
                        FROM surveys WHERE survey_type = 'nps' AND is_deleted IS NOT TRUE)
SELECT promoters, detractors, n, tt, tb, bb, sent, back
FROM (SELECT sum(up) AS promoters, sum(down) AS detractors, sum(b) AS n, sum((up - down) * (up - down)) AS tt,
             sum((up - down) * b) AS tb, sum(b * b) AS bb
      FROM (SELECT count(*) FILTER (score >= 9) AS up, count(*) FILTER (score < 7) AS down, count(*) AS b
            FROM (SELECT score, coalesce(account_id, response_id) AS account FROM s WHERE score IS NOT NULL
                  QUALIFY contact_id IS NULL
                  OR row_number() OVER (PARTITION BY contact_id ORDER BY day DESC NULLS LAST, score) = 1) p
            GROUP BY account) a) t,
     (SELECT count(*) FILTER (sent) AS sent, count(score) FILTER (sent) AS back FROM s) r
"""


def _channels(web_traffic: pd.DataFrame, leads: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    won = deals[(deals["status"] == "won") & deals["lead_id"].notna()]
    won = won.groupby("lead_id")["amount_base_cents"].sum()
    leads = leads[alive(leads)]
    value = leads["lead_id"].map(won)
    parts: dict[str, Any] = {"leads": 1, "sql": leads["sql_at"].notna(), "won": value.notna()}
    parts["value"] = value.fillna(0) / 100
    crm = pd.DataFrame(parts).groupby(leads["lead_source"].fillna("(missing)")).sum()
    visits = web_traffic[alive(web_traffic)]
    visits = visits.groupby(visits["channel_group"].fillna("(missing)"))["sessions"].sum()
    both = crm.join(visits, how="outer").sort_index()
    both = both.fillna({"leads": 0, "sql": 0, "won": 0, "value": 0})
    sessions, seen = both["sessions"].where(both["sessions"] > 0), both["leads"][both["sessions"].notna()]
    return both.assign(
        lead_rate=both["leads"] / sessions,
        channel_yield=both["value"] / both["leads"].where(both["leads"] > 0),
        value_per_session=both["value"] / sessions,
        join_rate=seen.sum() / both["leads"].sum(),
        n=both["leads"],
    )


CHANNELS = """
SELECT sessions, leads, leads AS n, sql, won, value, leads / nullif(sessions, 0) AS lead_rate,
       value / nullif(leads, 0) AS channel_yield, value / nullif(sessions, 0) AS value_per_session,
       coalesce(sum(leads) FILTER (sessions IS NOT NULL) OVER (), 0) / sum(leads) OVER () AS join_rate
FROM (SELECT channel, sessions, coalesce(leads, 0) AS leads, coalesce(sql, 0) AS sql, coalesce(won, 0) AS won,
             coalesce(value, 0) AS value
      FROM (SELECT coalesce(lead_source, '(missing)') AS channel, count(*) AS leads, count(sql_at) AS sql,
                   count(w.lead_id) AS won, coalesce(sum(cents), 0) / 100 AS value
            FROM leads l LEFT JOIN (SELECT lead_id, sum(amount_base_cents) AS cents FROM deals
                                    WHERE status = 'won' AND lead_id IS NOT NULL GROUP BY lead_id) w ON w.lead_id = l.lead_id
            WHERE is_deleted IS NOT TRUE GROUP BY ALL) c
      FULL JOIN (SELECT coalesce(channel_group, '(missing)') AS channel, sum(sessions) AS sessions FROM web_traffic
                 WHERE is_deleted IS NOT TRUE GROUP BY ALL) v USING (channel)) b
ORDER BY channel
"""


SURVEYS = [
    "survey_type",
    "score",
    "contact_id",
    "account_id",
    "response_id",
    "responded_at",
    "sent_at",
    "is_deleted",
]
RIVALS = {
    "net_promoter_score": Rival(
        reads={"surveys": SURVEYS},
        sql=PROMOTERS,
        finish=_score,
        pandas=_answers,
    ),
    "channel_yield": Rival(
        reads={
            "web_traffic": ["channel_group", "sessions", "is_deleted"],
            "leads": ["lead_id", "lead_source", "sql_at", "is_deleted"],
            "deals": ["lead_id", "status", "amount_base_cents"],
        },
        sql=CHANNELS,
        pandas=_channels,
    ),
}
