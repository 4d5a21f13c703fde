"""Territories by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals._common import alive


def _balance(accounts: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    work = deals["account_id"][deals["status"] == "open"].value_counts()
    accounts = accounts[alive(accounts)]
    size = accounts["employee_count"]
    sizes = pd.DataFrame(
        {
            "accounts": 1,
            "potential": size,
            "workload": accounts["account_id"].map(work),
            "known": size.notna(),
        }
    )
    sizes = sizes.groupby(accounts["owner_rep_id"]).sum()
    every = sizes["accounts"].sum()
    coverage = [1.0, sizes.pop("known").sum() / every, 1.0]
    mean, largest = sizes.mean(), sizes.max()
    mean = mean.where(mean > 0)
    return pd.DataFrame(
        {
            "mean": mean,
            "largest": largest,
            "max_to_mean": largest / mean,
            "territory_balance": sizes.std(ddof=0) / mean,
            "coverage": np.array(coverage),
            "unassigned": len(accounts) - every,
            "n": len(sizes),
        }
    )


BALANCE = """
WITH t AS (SELECT owner_rep_id, count(*) AS accounts, coalesce(sum(employee_count), 0) AS potential,
                  coalesce(sum(open), 0) AS workload, count(employee_count) AS known
           FROM accounts LEFT JOIN (SELECT account_id, count(*) AS open FROM deals WHERE status = 'open' GROUP BY account_id) w
                USING (account_id)
           WHERE is_deleted IS NOT TRUE GROUP BY owner_rep_id)
SELECT mean, largest, largest / mean AS max_to_mean, deviation / mean AS territory_balance, coverage,
       coalesce((SELECT accounts FROM t WHERE owner_rep_id IS NULL), 0) AS unassigned, n
FROM (SELECT unnest([avg(accounts), avg(potential), avg(workload)]) AS mean,
             unnest([max(accounts), max(potential), max(workload)]) AS largest,
             unnest([stddev_pop(accounts), stddev_pop(potential), stddev_pop(workload)]) AS deviation,
             unnest([1, sum(known) / sum(accounts), 1]) AS coverage, count(*) AS n
      FROM t WHERE owner_rep_id IS NOT NULL) s
"""


RIVALS = {
    "territory_balance": Rival(
        reads={
            "accounts": ["account_id", "owner_rep_id", "employee_count", "is_deleted"],
            "deals": ["account_id", "status"],
        },
        options={"unit": "owner_rep_id"},
        sql=BALANCE,
        pandas=_balance,
    ),
}
