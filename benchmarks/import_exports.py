"""`salestrack import` against a straightforward pandas reading of the same CSV files into Parquet."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.pairs import compare, report

RIVAL = """
import pathlib, sys, pandas as pd
raw, out = map(pathlib.Path, sys.argv[1:])
out.mkdir(exist_ok=True)
dates = {"CreatedDate", "CloseDate", "ActivityDate", "ActivityDateTime", "SystemModstamp", "LastStageChangeDate",
         "LastActivityDate", "MQL_Date__c", "SQL_Date__c", "Disqualified_Date__c", "ConvertedDate", "EffectiveDate"}
for path in sorted(raw.glob("salesforce/*.csv")):
    named = dates & set(pd.read_csv(path, nrows=0).columns)
    pd.read_csv(path, parse_dates=sorted(named), low_memory=False).to_parquet(out / f"{path.stem}.parquet")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deals", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--world", type=Path, help="a company written before by `salestrack world` (default: a new one)"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        company = args.world or Path(folder) / "company"
        if not company.exists():
            from salestrack.world import generate

            generate(company, deals=args.deals)
        parquet = Path(folder) / "parquet"

        def empty() -> None:
            shutil.rmtree(company / "store", ignore_errors=True)
            shutil.rmtree(parquet, ignore_errors=True)

        ours = [sys.executable, "-m", "salestrack", "import", "--data", str(company)]
        rival = [sys.executable, "-c", RIVAL, str(company / "raw"), str(parquet)]
        print(
            report(
                f"import of {args.deals:,} deals: salestrack / pandas",
                *compare(ours, rival, rounds=args.rounds, before=empty),
            )
        )


if __name__ == "__main__":
    main()
