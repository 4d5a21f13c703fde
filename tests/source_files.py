"""Small companies on disk for the tests of sources and imports."""

from pathlib import Path

import duckdb

from salestrack.importing import ImportResult, import_company
from salestrack.store import Store

STAGES = """Id,MasterLabel,ApiName,SortOrder,DefaultProbability,IsClosed,IsWon,ForecastCategoryName
1,Offer,Offer,1,50,false,false,Pipeline
2,Won,Won,2,100,true,true,Closed
3,Lost,Lost,3,0,true,false,Omitted
"""
DEALS = """\
Id,Name,StageName,Amount,CurrencyIsoCode,Probability,CloseDate,\
IsClosed,IsWon,OwnerId,CreatedDate,SystemModstamp
006A,Alpha,Won,1000.50,EUR,100,2026-03-02,true,true,005X,2026-01-05T09:00:00.000Z,2026-03-02T10:00:00.000Z
006B,Beta,Lost,,EUR,0,2026-03-05,true,false,005X,2026-01-06T09:00:00.000Z,2026-03-05T10:00:00.000Z
006C,Gamma,Offer,2000.00,EUR,50,2026-05-01,false,false,005X,2026-01-07T23:30:00.000Z,2026-03-06T10:00:00.000Z
"""
COSTS = """cost_id,cost_date,cost_type,amount,currency_code
K1,2026-01-01,tools,1000.50,EUR
K2,2026-02-01,tools,2000.25,EUR
K3,2026-03-01,event,3000.00,EUR
"""
CONFIG = '[company]\nname = "Test"\ncurrency = "EUR"\ntime_zone = "Europe/Berlin"\n'


def company(folder: Path, files: dict[str, str | bytes], config: str = CONFIG) -> Path:
    """A company's folder with these raw files."""
    (folder / "raw").mkdir(parents=True, exist_ok=True)
    (folder / "salestrack.toml").write_text(config, encoding="utf-8")
    for name, content in files.items():
        path = folder / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def imported(folder: Path, files: dict[str, str | bytes], config: str = CONFIG) -> ImportResult:
    """The result of importing a company made of these raw files."""
    return import_company(company(folder, files, config))


def rows(folder: Path, table: str, columns: str, where: str = "true") -> list[tuple[object, ...]]:
    """Rows of a stored table, in the order of their columns."""
    path = Store.open(folder / "store").tables[table]
    return duckdb.sql(f"SELECT {columns} FROM '{path}' WHERE {where} ORDER BY ALL").fetchall()
