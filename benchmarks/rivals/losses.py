"""Reasons of losses by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals._common import NO_DEALS, WILSON, wilson

OTHER = (
    "other", "others", "unknown", "n/a", "misc", "miscellaneous", "sonstige", "sonstiges", "andere", "unbekannt"
)  # fmt: skip


def _loss_reasons(deals: pd.DataFrame) -> pd.DataFrame:
    lost = deals[deals["status"] == "lost"]
    cents = lost["last_open_amount_base_cents"].fillna(lost["amount_base_cents"])
    parts = pd.DataFrame({"deals": 1.0, "value": cents.astype("float64") / 100})
    counts = parts.groupby(lost["lost_reason"].fillna("")).sum().rename_axis("reason").reset_index()
    counts["reason"] = counts["reason"].str.lower()
    counts = counts[~counts["reason"].isin(NO_DEALS)]
    words = counts["reason"].str.split(";").map(lambda words: list({w.strip() for w in words} - {""}))
    words = words.map(lambda words: words or ["(missing)"])
    several = words.map(len)
    single = counts.assign(
        reason=words, deals=counts["deals"] / several, value=counts["value"] / several
    ).explode("reason")
    single["reason"] = single["reason"].where(~single["reason"].isin(OTHER), "other")
    made = single.groupby("reason", as_index=False)[["deals", "value"]].sum()
    made["first"] = made["reason"].map({"(missing)": 0, "other": 1}).fillna(2)
    made = made.sort_values(["first", "deals", "reason"], ascending=[True, False, True])
    silent, n = made["first"] < 2, made["deals"].sum()
    unknown = made["deals"][silent].sum() / n
    low, high = wilson(made["deals"], n)
    often = np.floor(made["deals"] * 1e6 + 0.5).where(~silent & (unknown <= 0.5))
    return made.assign(
        loss_reasons=made["deals"] / n,
        low=low,
        high=high,
        rank=often.rank(method="min", ascending=False),
        lost_value=made["value"],
        value_share=made["value"] / made["value"].sum(),
        unknown_share=unknown,
        n=round(n),
    )


LOSS_REASONS = f"""
SELECT deals, deals / n AS loss_reasons, {WILSON.format(k="deals", n="n")},
       CASE WHEN place = 2 AND unknown <= 0.5 * n THEN rank() OVER (ORDER BY place DESC, round(deals, 6) DESC) END AS rank,
       value / 100 AS lost_value, value / sum(value) OVER () AS value_share, unknown / n AS unknown_share, round(n) AS n
FROM (SELECT *, sum(deals) OVER () AS n, coalesce(sum(deals) FILTER (place < 2) OVER (), 0) AS unknown
      FROM (SELECT CASE WHEN word IN {OTHER} THEN 'other' ELSE word END AS reason, sum(deals / len(words)) AS deals,
                   sum(value / len(words)) AS value, CASE reason WHEN '(missing)' THEN 0 WHEN 'other' THEN 1 ELSE 2 END AS place
            FROM (SELECT deals, value, words, unnest(words) AS word
                  FROM (SELECT deals, value, CASE WHEN len(words) > 0 THEN words ELSE ['(missing)'] END AS words
                        FROM (SELECT count(*) AS deals, sum(coalesce(last_open_amount_base_cents, amount_base_cents)) AS value,
                                     list_distinct([trim(w) FOR w IN string_split(lower(lost_reason), ';') IF trim(w) <> ''])
                                     AS words
                              FROM deals WHERE status = 'lost' AND coalesce(lower(lost_reason), '') NOT IN {NO_DEALS}
                              GROUP BY lost_reason) c) f) u
            GROUP BY reason) r) s
ORDER BY place, deals DESC, reason
"""


RIVALS = {
    "loss_reasons": Rival(
        reads={"deals": ["status", "lost_reason", "amount_base_cents", "last_open_amount_base_cents"]},
        sql=LOSS_REASONS,
        pandas=_loss_reasons,
    ),
}
