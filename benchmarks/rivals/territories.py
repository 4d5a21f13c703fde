"""Territories by hand."""

from __future__ import annotations

import pandas as pd

from benchmarks.rivals import Rival
from benchmarks.rivals._common import alive


def _balance(accounts: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    work = deals["account_id"][deals["status"] == "open"].value_counts()
    accounts = accounts[alive(accounts)]
    sizes = pd.DataFrame(
        {"accounts": 1, "potential": accounts["employee_count"], "workload": accounts["account_id"].map(work)}
    )
    sizes = sizes.groupby(accounts["owner_rep_id"]).sum()
    mean = sizes.mean()
    return pd.DataFrame(
        {
            "mean": mean,
            "largest": sizes.max(),
            "territory_balance": sizes.std(ddof=0) / mean.where(mean > 0),
            "n": len(sizes),
        }
    )


BALANCE = """
SELECT unnest([avg(accounts), avg(potential), avg(workload)]) AS mean, unnest([max(accounts), max(potential), max(workload)]) AS largest,
       unnest([stddev_pop(accounts) / avg(accounts), stddev_pop(potential) / avg(potential), stddev_pop(workload) / avg(workload)])
       AS territory_balance, count(*) AS n
FROM (SELECT owner_rep_id, count(*) AS accounts, coalesce(sum(employee_count), 0) AS potential, coalesce(sum(open), 0) AS workload
      FROM accounts LEFT JOIN (SELECT account_id, count(*) AS open FROM deals WHERE status = 'open' GROUP BY account_id) w
           USING (account_id)
      WHERE owner_rep_id IS NOT NULL AND is_deleted IS NOT TRUE GROUP BY owner_rep_id) t
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
        same=("mean", "largest", "territory_balance", "n"),
    ),
}
