"""The tables of a Book as Spark DataFrames: the same Parquet files and the same views, on a cluster."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from salestrack.errors import MissingData
from salestrack.schema import TABLES
from salestrack.store import Store

TYPES = {"VARCHAR": "STRING"}
SAYS = (  # what Spark's SQL says in other words than DuckDB's, in the views' own way of writing
    (r"\bstored\.(\w+)", r"stored_\1"),
    (r"\barg_max\(", "max_by("),
    (r"""(\w+\.\w+) ->> '\$\."([^"]+)"'""", r"get_json_object(\1, '$[\\'\2\\']')"),
    (
        r"((?:CAST)?\([^()]*(?:\([^()]*\))?[^()]*\)) AT TIME ZONE '([^']+)' AT TIME ZONE '([^']+)'",
        r"convert_timezone('\2', '\3', \1)",
    ),
)
SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.doubleQuotedIdentifiers": "true",  # names as DuckDB writes them
    "spark.sql.timestampType": "TIMESTAMP_NTZ",  # the store's timestamps are UTC without saying so
}


class SparkTables:
    """`tables.frame("deals")`: a table as of the Book's day, worked out on the cluster when somebody asks for figures."""

    def __init__(self, store: Store, views: Mapping[str, str], master: str, kept: int) -> None:
        self._store, self._views, self._kept = store, views, kept
        self._session = _session(master)
        self._made: dict[str, Any] = {}

    def frame(self, name: str) -> Any:
        """The table `name` as a Spark DataFrame; one of up to `kept` rows stays in the cluster's memory."""
        if name not in self._made:
            text = self._views[name]
            for stored in set(re.findall(r"\bstored\.(\w+)", text)):
                self._stored(stored)
            for needed in set(re.findall(r"\b(?:FROM|JOIN) (\w+)\b(?!\.)", text)) & self._views.keys():
                self.frame(needed)
            self._made[name] = self._view(name, self._session.sql(spark_sql(text)), self._rows(name))
        return self._made[name]

    def close(self) -> None:
        """Frees the cluster's memory; the session stays, it may be somebody else's."""
        for frame in self._made.values():
            frame.unpersist()
        self._made.clear()

    def _view(self, name: str, frame: Any, rows: int) -> Any:
        frame = frame.persist() if rows <= self._kept else frame
        frame.createOrReplaceTempView(name)
        return frame

    def _stored(self, name: str) -> None:
        if f"stored_{name}" in self._made:
            return
        if path := self._store.tables.get(name):
            frame = self._session.read.parquet(str(path.absolute()))
        else:
            columns = TABLES[name].columns.values()
            typed = ", ".join(f"{c.name} {TYPES.get(c.duckdb_type, c.duckdb_type)}" for c in columns)
            frame = self._session.createDataFrame([], typed)
        frame.createOrReplaceTempView(f"stored_{name}")
        self._made[f"stored_{name}"] = frame

    def _rows(self, name: str) -> int:
        return int(self._store.manifest["tables"].get(name, {}).get("rows", 0))


def spark_sql(text: str) -> str:
    r'''The SQL of a view as Spark understands it.

    >>> spark_sql("SELECT arg_max(rate, rate_date) FROM stored.exchange_rates")
    'SELECT max_by(rate, rate_date) FROM stored_exchange_rates'
    >>> spark_sql("CAST((d.created_at) AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin' AS DATE)")
    "CAST(convert_timezone('UTC', 'Europe/Berlin', (d.created_at)) AS DATE)"
    >>> print(spark_sql("""x.custom_fields ->> '$."Region"' FROM x"""))
    get_json_object(x.custom_fields, '$[\'Region\']') FROM x
    '''
    for there, here in SAYS:
        text = re.sub(there, here, text)
    return text


def _session(master: str) -> Any:
    """A session of its own on the Spark that is running here, else on the one at `master`, else on what Spark is set to."""
    try:
        from pyspark.errors import PySparkRuntimeError
        from pyspark.sql import SparkSession
    except ImportError:
        raise MissingData(
            "the engine spark needs PySpark: pip install 'salestrack[spark]', and a Java of 17 or newer"
        ) from None
    builder = SparkSession.builder.appName("salestrack")
    try:
        session = (builder.master(master) if master else builder).getOrCreate().newSession()
    except PySparkRuntimeError as error:
        raise MissingData(f"Spark does not start ({error}): is there a Java of 17 or newer?") from None
    for name, value in SETTINGS.items():
        session.conf.set(name, value)
    return session
