"""A German semicolon CSV to checked Parquet: `salestrack import` against pandas with pandera doing the same checks.

The file is what a German Excel writes: semicolons, decimal commas with points between thousands, days first. Both
sides check that ids are there and unique, days are days, amounts are numbers and currencies are three letters; both
write Parquet.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import duckdb

from benchmarks.pairs import compare, report

RIVAL = """
import sys, pandas as pd, pandera.pandas as pa
source, target = sys.argv[1:]
texts = ["deal_product_id", "deal_id", "product_id", "currency_code", "starts_on_date", "note"]
rows = pd.read_csv(source, sep=";", decimal=",", thousands=".", dtype=dict.fromkeys(texts, str))
rows["starts_on_date"] = pd.to_datetime(rows["starts_on_date"], format="%d.%m.%Y")
pa.DataFrameSchema({
    "deal_product_id": pa.Column(str, unique=True), "deal_id": pa.Column(str), "product_id": pa.Column(str),
    "quantity": pa.Column(float, coerce=True), "unit_price": pa.Column(float), "line_amount": pa.Column(float),
    "currency_code": pa.Column(str, pa.Check.str_matches("^[A-Z]{3}$")),
    "starts_on_date": pa.Column("datetime64[us]", coerce=True),
}).validate(rows).to_parquet(target)
"""
MONEY = "replace(replace(replace(format('{:,.2f}', %s / 100), ',', ' '), '.', ','), ' ', '.')"
SQL = f"""
SELECT 'L' || lpad(CAST(i AS VARCHAR), 8, '0') AS deal_product_id, 'D' || (i // 3) AS deal_id, 'P' || i % 40 AS product_id,
       1 + i % 5 AS quantity, {MONEY % "(i * 7919) % 999999"} AS unit_price,
       {MONEY % "(1 + i % 5) * ((i * 7919) % 999999)"} AS line_amount, 'EUR' AS currency_code,
       strftime(DATE '2024-01-01' + CAST(i % 1000 AS INTEGER), '%d.%m.%Y') AS starts_on_date,
       'Position ' || i || ', Müller & Söhne' AS note
FROM range(ROWS) t(i)
"""


def write(rows: int, path: Path) -> None:
    """The file with so many rows."""
    path.parent.mkdir(parents=True)
    duckdb.execute(
        f"COPY ({SQL.replace('ROWS', str(rows))}) TO '{path}' (FORMAT csv, HEADER true, DELIMITER ';')"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        company, target = Path(name) / "company", Path(name) / "deal_products.parquet"
        write(args.rows, company / "raw" / "deal_products.csv")

        def empty() -> None:
            shutil.rmtree(company / "store", ignore_errors=True)
            target.unlink(missing_ok=True)

        ours = [sys.executable, "-m", "salestrack", "import", "--data", str(company)]
        rival = [sys.executable, "-c", RIVAL, str(company / "raw" / "deal_products.csv"), str(target)]
        found = compare(ours, rival, rounds=args.rounds, before=empty)
        print(report(f"{args.rows:,} German rows: salestrack / pandas and pandera", *found))


if __name__ == "__main__":
    main()
