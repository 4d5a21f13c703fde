"""Deals at the age of 30 days, what was done on them until then and who won within 180 more, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals._common import AS_OF, TODAY, Z, dates_of, wilson
from benchmarks.rivals.activities import BY_PERSON, DEAL, DONE, by_person

STRATA = ["segment", "lead_source"]
POWER = 0.8416212335729143
"""Normal quantile of 80 %."""


def _compared(won1: Any, n1: Any, won0: Any, n0: Any) -> dict[str, float]:
    """Difference of two shares within strata (Mantel-Haenszel), its 95 % interval after Sato and p of the test."""
    a, n1, c, n0 = (np.asarray(v, dtype=float) for v in (won1, n1, won0, n0))
    both = (n1 > 0) & (n0 > 0)
    a, n1, c, n0 = a[both], n1[both], c[both], n0[both]
    n, won = n1 + n0, a + c
    weight = (n1 * n0 / n).sum()
    if not weight:
        return {"difference": np.nan, "low": np.nan, "high": np.nan, "p": np.nan, "compared": 0}
    difference = ((a * n0 - c * n1) / n).sum() / weight
    bent = ((n1**2 * c - n0**2 * a + n1 * n0 * (n0 - n1) / 2) / n**2).sum()
    plain = ((a * (n0 - c) + c * (n1 - a)) / (2 * n)).sum()
    half = Z * np.sqrt(max(difference * bent + plain, 0)) / weight
    low, high = max(difference - half, -1), min(difference + half, 1)
    if half < 1e-9:  # all strata went one way: the score intervals of the plain shares stand in
        low, high = _plain_interval(a.sum(), n1.sum(), c.sum(), n0.sum(), difference)
    variance = (n1 * n0 * won * (n - won) / (n**2 * np.maximum(n - 1, 1))).sum()
    return {
        "difference": difference,
        "low": low,
        "high": high,
        "p": _two_sided((a - n1 * won / n).sum(), variance),
        "compared": n.sum(),
    }


def _plain_interval(a: float, n1: float, c: float, n0: float, difference: float) -> tuple[float, float]:
    p1, p0, (l1, u1), (l0, u0) = a / n1, c / n0, wilson(a, n1), wilson(c, n0)
    low = p1 - p0 - np.hypot(p1 - l1, u0 - p0)
    return min(low, difference), max(p1 - p0 + np.hypot(u1 - p1, p0 - l0), difference)


def _two_sided(off: float, variance: float) -> float:
    from scipy.special import erfc

    return float(erfc(abs(off) / np.sqrt(2 * variance))) if variance > 0 else np.nan


def _smallest_rise(p: float, n1: float, n0: float) -> float:
    """The smallest rise above a share that a 5 % test finds with 80 % power."""
    from scipy.optimize import brentq

    def missing(rise: float) -> float:
        q = min(p + rise, 1)
        pooled = (n1 * q + n0 * p) / (n1 + n0)
        found = Z * np.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n0))
        return float(rise - found - POWER * np.sqrt(q * (1 - q) / n1 + p * (1 - p) / n0))

    return float(brentq(missing, 0, 1 - p, xtol=1e-14)) if n1 and n0 and missing(1 - p) >= 0 else np.nan


def _sides(exposed: float, exposed_won: float, n: float, won: float) -> dict[str, float]:
    """The plain shares of both sides and what they could show."""
    one = exposed_won / exposed if exposed else np.nan
    other = (won - exposed_won) / (n - exposed) if n > exposed else np.nan
    rise = _smallest_rise(other, exposed, n - exposed)
    return {"exposed_share": one, "unexposed_share": other, "minimum_detectable": rise}


def _false_finds(p: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """q after Benjamini and Hochberg."""
    order = np.argsort(np.where(np.isnan(p), np.inf, p), kind="stable")[: np.isfinite(p).sum()]
    ranked = p[order] * len(order) / np.arange(1, len(order) + 1)
    q = np.full(len(p), np.nan)
    q[order] = np.minimum(np.minimum.accumulate(ranked[::-1])[::-1], 1)
    return q


def _associated(cells: pd.DataFrame) -> pd.DataFrame:
    """One row per type of activity from the numbers of deals per stratum, type, window and activities."""
    cells = cells.fillna(dict.fromkeys(STRATA, ""))
    strata = cells[cells["k"].isna()].set_index(STRATA).sort_index()
    hits = cells[cells["k"].notna()]
    early = hits["early"].to_numpy(dtype=bool)
    n, won, placed, placed_won = (
        strata[c].to_numpy(dtype=float) for c in ("n", "won", "placed", "placed_won")
    )
    made = []
    for kind in sorted(hits.loc[early, "activity_type"].unique()):
        here = (hits["activity_type"] == kind).to_numpy()
        median, n1, a = _more_than_median(hits[here & early], n.sum(), strata.index)
        _, m1, b = _more_than_median(hits[here & ~early], placed.sum(), strata.index)
        main = _compared(a, n1, won - a, n - n1)
        control = _compared(b, m1, placed_won - b, placed - m1)
        made.append(
            {
                "activity_type": kind,
                "more_than": median,
                "exposed": n1.sum(),
                "unexposed": n.sum() - n1.sum(),
                "exposed_won": a.sum(),
                "unexposed_won": won.sum() - a.sum(),
                **_sides(n1.sum(), a.sum(), n.sum(), won.sum()),
                "activity_association": main.pop("difference"),
                **main,
                "control": control["difference"],
                "control_low": control["low"],
                "control_high": control["high"],
                "n": n.sum(),
                "too_young": strata["too_young"].sum(),
                "left_out": strata["left_out"].sum(),
            }
        )
    table = pd.DataFrame(made)
    return table.assign(q=_false_finds(table["p"].to_numpy()))


def _more_than_median(hits: pd.DataFrame, total: float, strata: pd.Index[Any]) -> tuple[float, Any, Any]:
    """Activities of the middle deal, and per stratum the deals with more and those of them that were won."""
    by_number = hits.groupby("k")["n"].sum()
    reached = total - by_number.sum() + by_number.cumsum()
    none = total - by_number.sum()
    median = 0 if none >= total / 2 else float(by_number.index[(reached >= total / 2).to_numpy()][0])
    many = hits[hits["k"] > median].groupby(STRATA)[["n", "won"]].sum().reindex(strata, fill_value=0)
    return median, many["n"].to_numpy(dtype=float), many["won"].to_numpy(dtype=float)


def _at_landmark(deals: pd.DataFrame) -> pd.DataFrame:
    """The deals with their age, whether they were open at 30 days, followed to 210, and won by then."""
    born, closed = dates_of(deals["created_date"]), dates_of(deals["closed_date"])
    lived, age = (closed - born).astype(float), (TODAY - born).astype(float)
    lived[np.isnat(closed)] = np.nan
    there = (age >= 30) & ((deals["status"] == "open").to_numpy() | (lived > 30))
    followed = there & (age >= 210)
    won = followed & (deals["status"] == "won").to_numpy() & (lived <= 210)
    return deals.assign(born=born, age=age, there=there, followed=followed, won=won)[age >= 0]


def _association(activities: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    spans = _at_landmark(deals).fillna(dict.fromkeys(STRATA, ""))
    some = spans["account_id"].notna()
    spans = spans.assign(
        placed=spans["followed"] & some,
        placed_won=spans["won"] & some,
        too_young=(spans["age"] < 30) | (spans["there"] & ~spans["followed"]),
        left_out=(spans["age"] >= 30) & ~spans["there"],
    )
    parts = ["followed", "won", "placed", "placed_won", "too_young", "left_out"]
    base = spans.groupby(STRATA)[parts].sum().reset_index().rename(columns={"followed": "n"})
    acts = by_person(activities)[["deal_id", "account_id", "activity_type", "day"]]
    own = ["deal_id", "born", "followed", "account_id"]
    acts = acts.merge(spans[own], on="deal_id", how="left", suffixes=("", "_of_deal"))
    acts["account_id"] = acts["account_id"].fillna(acts["account_id_of_deal"])
    days_in = (acts["day"] - acts["born"]).dt.days
    early = acts.loc[
        acts["followed"].eq(True) & (days_in >= 0) & (days_in <= 30), ["deal_id", "activity_type"]
    ]
    asked = spans.loc[spans["placed"], ["deal_id", "account_id", "born"]]
    met = acts.loc[acts["account_id"].notna(), ["account_id", "activity_type", "day"]].merge(
        asked, on="account_id"
    )
    ahead = (met["born"] - met["day"]).dt.days
    before = met.loc[(ahead >= 1) & (ahead <= 30), ["deal_id", "activity_type"]]
    strata = spans[["deal_id", *STRATA, "won"]]
    cells = [base]
    for window, hits in ((True, early), (False, before)):
        k = (
            hits.groupby(["deal_id", "activity_type"])
            .size()
            .rename("k")
            .reset_index()
            .merge(strata, on="deal_id")
        )
        found = k.groupby([*STRATA, "activity_type", "k"])["won"].agg(["size", "sum"]).reset_index()
        cells.append(found.rename(columns={"size": "n", "sum": "won"}).assign(early=window))
    return _associated(pd.concat(cells, ignore_index=True))


AT_LANDMARK = f"""
x AS (SELECT row_number() OVER () AS deal, deal_id, account_id, segment, lead_source, created_date AS born,
             DATE '{AS_OF}' - created_date AS age,
             age >= 30 AND coalesce(status = 'open' OR closed_date - created_date > 30, FALSE) AS there,
             there AND age >= 210 AS followed, followed AND status = 'won' AND closed_date - created_date <= 210 AS won
      FROM deals WHERE created_date <= DATE '{AS_OF}')"""


# Numbers of the rows stand for deals, whose ids are long. The account of an activity is its own, else that of its deal.
ASSOCIATION = f"""
WITH {AT_LANDMARK},
a AS (SELECT deal, coalesce(a.account_id, x.account_id) AS account_id, activity_type, started_date AS day,
             followed AND started_date BETWEEN born AND born + 30 AS early
      FROM activities a LEFT JOIN x USING (deal_id) WHERE {BY_PERSON}),
c AS (SELECT deal, activity_type, TRUE AS early, count(*) AS k FROM a WHERE early GROUP BY ALL
      UNION ALL SELECT x.deal, activity_type, FALSE, count(*) FROM a JOIN x USING (account_id)
      WHERE followed AND day BETWEEN born - 30 AND born - 1 GROUP BY ALL)
SELECT segment, lead_source, NULL AS activity_type, NULL AS early, NULL AS k,
       count(*) FILTER (followed) AS n, count(*) FILTER (won) AS won,
       count(account_id) FILTER (followed) AS placed, count(account_id) FILTER (won) AS placed_won,
       count(*) FILTER (age < 30 OR (there AND NOT followed)) AS too_young,
       count(*) FILTER (age >= 30 AND NOT there) AS left_out
FROM x GROUP BY ALL
UNION ALL SELECT segment, lead_source, activity_type, early, k, count(*), count(*) FILTER (won), NULL, NULL, NULL, NULL
FROM c JOIN x USING (deal) GROUP BY ALL
"""


def _threaded(strata: pd.DataFrame) -> pd.DataFrame:
    """The share of deals with two contacts or more, and who of them won, from the sums per stratum."""
    of = {name: float(strata[name].sum()) for name in strata.columns if name not in STRATA}
    multi, n = of["multi"], of["n"]
    low, high = wilson(multi, n)
    exposed, won = strata["exposed"], strata["exposed_won"]
    found = _compared(won, exposed, strata["won"] - won, strata["followed"] - exposed)
    kept = {"multi": multi, "without_contact": of["alone"], "n": n, "followed": of["followed"]}
    figures = {
        "contacts": of["people"] / n,
        "multi_threading": multi / n,
        "low": low,
        "high": high,
        **_sides(of["exposed"], of["exposed_won"], of["followed"], of["won"]),
        "association": found["difference"],
        "association_low": found["low"],
        "association_high": found["high"],
        "p": found["p"],
    }
    if of["alone"] == n:  # nobody records contacts
        figures = dict.fromkeys(figures, np.nan)
    return pd.DataFrame([kept | figures])


def _multi_threading(activities: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    spans = _at_landmark(deals).fillna(dict.fromkeys(STRATA, ""))
    there = spans[spans["there"]]
    acts = by_person(activities[activities["contact_id"].notna()])[["deal_id", "contact_id", "day"]]
    acts = acts.merge(there[["deal_id", "born"]], on="deal_id")
    days_in = (acts["day"] - acts["born"]).dt.days
    met = acts.loc[(days_in >= 0) & (days_in <= 30), ["deal_id", "contact_id"]].drop_duplicates()
    people = there["deal_id"].map(met["deal_id"].value_counts()).fillna(0)
    two = people >= 2
    parts = {
        "n": 1,
        "followed": there["followed"],
        "won": there["won"],
        "people": people,
        "multi": two,
        "alone": people == 0,
        "exposed": two & there["followed"],
        "exposed_won": two & there["won"],
    }
    return _threaded(pd.DataFrame(parts).groupby([there[name] for name in STRATA]).sum().reset_index())


MULTI_THREADING = f"""
WITH {AT_LANDMARK},
p AS (SELECT deal, count(*) AS people
      FROM (SELECT DISTINCT deal, contact_id FROM activities JOIN x USING (deal_id)
            WHERE contact_id IS NOT NULL AND {BY_PERSON} AND there AND started_date BETWEEN born AND born + 30) m GROUP BY deal)
SELECT segment, lead_source, count(*) AS n, count(*) FILTER (followed) AS followed, count(*) FILTER (won) AS won,
       coalesce(sum(people), 0) AS people, count(*) FILTER (people >= 2) AS multi, count(*) - count(people) AS alone,
       count(*) FILTER (people >= 2 AND followed) AS exposed, count(*) FILTER (people >= 2 AND won) AS exposed_won
FROM x LEFT JOIN p USING (deal) WHERE there GROUP BY ALL
"""


RIVALS = {
    "activity_association": Rival(
        reads={
            "activities": ["deal_id", "account_id", "activity_type", *DONE],
            "deals": [*DEAL, "account_id", *STRATA],
        },
        options={"as_of": AS_OF},
        sql=ASSOCIATION,
        finish=_associated,
        pandas=_association,
    ),
    "multi_threading": Rival(
        reads={"activities": ["deal_id", "contact_id", *DONE], "deals": [*DEAL, *STRATA]},
        options={"as_of": AS_OF},
        sql=MULTI_THREADING,
        finish=_threaded,
        pandas=_multi_threading,
    ),
}
