"""The engines that are not part of the package: Spark on a cluster of its own, started here and ended here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engines.cluster import HOST, JAVA_OPTIONS, Cluster, java

SETTINGS = {  # small sessions, and none of what pays off only on large data: generated code, adapting, inferring
    "spark.cores.max": "2",
    "spark.driver.extraJavaOptions": JAVA_OPTIONS,
    "spark.executor.cores": "1",
    "spark.executor.extraJavaOptions": JAVA_OPTIONS,
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.constraintPropagation.enabled": "false",
    "spark.driver.bindAddress": HOST,
    "spark.driver.host": HOST,
    "spark.executor.memory": "512m",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.adaptive.enabled": "false",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A master and two workers, each a process; its settings are found by every session that starts meanwhile."""
    pytest.importorskip("pyspark")
    if java() is None:
        pytest.skip("no Java on this machine: apt-get install default-jre-headless")
    settings = tmp_path_factory.mktemp("conf")
    lines = [f"{name} {value}\n" for name, value in SETTINGS.items()]
    (settings / "spark-defaults.conf").write_text("".join(lines), encoding="utf-8")
    _quiet(settings)
    before = {name: os.environ.get(name) for name in ("SPARK_CONF_DIR", "SPARK_LOCAL_IP")}
    with Cluster(tmp_path_factory.mktemp("cluster")) as started:
        os.environ |= {"SPARK_CONF_DIR": str(settings), "SPARK_LOCAL_IP": HOST}
        yield started
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})


@pytest.fixture(scope="session")
def session(cluster: Cluster) -> Iterator[Any]:
    """A Spark session on the cluster; its Java process ends with it."""
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    started = SparkSession.builder.master(cluster.url).appName("tests").getOrCreate()
    gateway = SparkContext._gateway
    yield started
    started.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()  # Spark's Java process lives until its standard input ends
    gateway.proc.wait(30)
    SparkContext._gateway = SparkContext._jvm = None


def _quiet(folder: Path) -> None:
    """Spark's own log at errors only, in the sessions that read this folder."""
    (folder / "log4j2.properties").write_text(
        "rootLogger.level = error\nrootLogger.appenderRef.out.ref = out\n"
        "appender.out.type = Console\nappender.out.name = out\nappender.out.target = SYSTEM_ERR\n"
        "appender.out.layout.type = PatternLayout\nappender.out.layout.pattern = %p %c: %m%n\n",
        encoding="utf-8",
    )
