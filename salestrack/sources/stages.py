"""Stages that deals or their history name, but no file describes: what they mean and in which order they come.

Whether such a stage is won or lost is said by `[stages]` in salestrack.toml, else by the deals that are in it. Its
place is said by `[stages] order`, else by the probability that the source gives open deals in it; where neither
does, it has no place, and `salestrack check` says so.
"""

from __future__ import annotations

from collections.abc import Collection

import duckdb

from salestrack.config import Config
from salestrack.sources.mapping import literal
from salestrack.sources.quarantine import as_table

_USED = """
SELECT stage_id, any_value(pipeline_id) AS pipeline_id, any_value(source_system) AS source_system,
       min(source_ref) AS source_ref,
       count(*) FILTER (status = 'won') AS won, count(*) FILTER (status = 'lost') AS lost,
       count(*) FILTER (status = 'open') AS open, median(probability) FILTER (status = 'open') AS probability
FROM (SELECT stage_id, pipeline_id, source_system, source_ref, status, probability FROM deals
      UNION ALL SELECT stage_id, pipeline_id, source_system, source_ref, status, probability FROM "deals seen"
      UNION ALL SELECT to_stage_id, pipeline_id, source_system, source_ref, NULL, NULL FROM deal_stage_history)
WHERE stage_id IS NOT NULL AND stage_id NOT IN (SELECT stage_id FROM stages) GROUP BY stage_id
"""


def add_unknown_stages(con: duckdb.DuckDBPyConnection, config: Config, beside: Collection[str] = ()) -> int:
    """Adds to `stages` a row for each stage that only deals or their history name; returns how many.

    Stages of one name in several pipelines are told apart by the mapping, which makes the id. In the systems `beside`
    deals are won and lost beside their stages, so that no stage means either.
    """
    rules = config.stages
    own = f"list_position([{', '.join(literal(s) for s in rules.order)}]::VARCHAR[], stage_id)"
    con.execute(f"CREATE OR REPLACE TEMP TABLE stages_used AS {_USED}")
    added = con.execute("SELECT count(*) FROM stages_used").fetchone()
    if not added or not added[0]:
        return 0
    as_table(con, "stages")
    con.execute(
        f"""
        INSERT INTO stages BY NAME
        SELECT stage_id, pipeline_id, stage_id AS stage_name, probability, source_system, source_ref,
               CASE WHEN {_among("source_system", beside)} THEN 'open'
                    WHEN {_among("stage_id", rules.won)} THEN 'won' WHEN {_among("stage_id", rules.lost)} THEN 'lost'
                    WHEN open = 0 AND lost = 0 AND won > 0 THEN 'won' WHEN open = 0 AND won = 0 AND lost > 0 THEN 'lost'
                    ELSE 'open' END AS stage_type,
               CAST(CASE WHEN {own} IS NOT NULL THEN {own}
                         WHEN probability IS NOT NULL THEN 1 + dense_rank() OVER (ORDER BY probability)
                    END AS BIGINT) AS stage_order
        FROM stages_used
        """
    )
    return int(added[0])


def _among(column: str, names: Collection[str]) -> str:
    return f"{column} IN ({', '.join(map(literal, names))})" if names else "false"
