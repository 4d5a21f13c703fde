"""Reasons of losses by hand."""

from __future__ import annotations

import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals._common import NO_DEALS

OTHER = (
    "other", "others", "unknown", "n/a", "misc", "miscellaneous", "sonstige", "sonstiges", "andere", "unbekannt"
)  # fmt: skip


def _loss_reasons(deals: pd.DataFrame) -> pd.DataFrame:
    counts = deals["lost_reason"][deals["status"] == "lost"].fillna("").str.lower().value_counts()
    counts = counts[~counts.index.isin(NO_DEALS)].rename_axis("reason").reset_index(name="deals")
    parts = counts["reason"].str.split(";").map(lambda words: list({w.strip() for w in words} - {""}))
    parts = parts.map(lambda words: words or ["(missing)"])
    single = counts.assign(reason=parts, deals=counts["deals"] / parts.map(len)).explode("reason")
    single["reason"] = single["reason"].where(~single["reason"].isin(OTHER), "other")
    made = single.groupby("reason", as_index=False)["deals"].sum()
    made["first"] = made["reason"].map({"(missing)": 0, "other": 1}).fillna(2)
    made = made.sort_values(["first", "deals", "reason"], ascending=[True, False, True])
    return made.assign(loss_reasons=made["deals"] / made["deals"].sum(), n=made["deals"].sum())


LOSS_REASONS = f"""
SELECT reason, sum(part) AS deals, sum(part) / sum(sum(part)) OVER () AS loss_reasons, sum(sum(part)) OVER () AS n
FROM (SELECT CASE WHEN word IN {OTHER} THEN 'other' ELSE word END AS reason, deals / len(words) AS part
      FROM (SELECT deals, words, unnest(words) AS word
            FROM (SELECT deals, CASE WHEN len(words) > 0 THEN words ELSE ['(missing)'] END AS words
                  FROM (SELECT count(*) AS deals, list_distinct([trim(w) FOR w IN string_split(lower(lost_reason), ';')
                                                                 IF trim(w) <> '']) AS words
                        FROM deals WHERE status = 'lost' AND coalesce(lower(lost_reason), '') NOT IN {NO_DEALS}
                        GROUP BY lost_reason) c) f) u) s
GROUP BY reason ORDER BY CASE reason WHEN '(missing)' THEN 0 WHEN 'other' THEN 1 ELSE 2 END, deals DESC, reason
"""


RIVALS = {
    "loss_reasons": Rival(
        reads={"deals": ["status", "lost_reason"]},
        sql=LOSS_REASONS,
        pandas=_loss_reasons,
        same=("deals", "loss_reasons", "n"),
    ),
}
