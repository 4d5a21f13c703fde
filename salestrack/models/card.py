"""The model card: what was fitted on what, why this rung, how good it is, as JSON that a reader can check."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import sklearn


@dataclass(frozen=True)
class ModelCard:
    """Everything needed to judge or repeat a fit; figures only, the sentences are made by the page."""

    as_of: date
    horizon_days: int
    first_snapshot: date | None
    last_training_snapshot: date | None
    step_days: int
    deals: dict[str, int]
    snapshots: dict[str, int]
    rung: str
    why: dict[str, Any]
    gate: list[dict[str, Any]]
    scheme: str
    evaluation: list[dict[str, Any]]
    by_origin: list[dict[str, Any]]
    by_stage: list[dict[str, Any]]
    reliability: list[dict[str, Any]]
    fields: list[str]
    refused: dict[str, str]
    leak_scan: list[dict[str, Any]]
    seed: int
    data_sha256: str
    versions: dict[str, str]
    model: dict[str, Any]

    def to_json(self) -> str:
        """The card as readable text; unknown figures are null."""
        return json.dumps(plain(asdict(self)), indent=2, ensure_ascii=False)


def versions() -> dict[str, str]:
    """The libraries whose version can change a figure."""
    return {lib.__name__: str(lib.__version__) for lib in (duckdb, np, pd, sklearn)}


def fingerprint(rows: pd.DataFrame) -> str:
    """SHA-256 of a frame's values, so that two cards can be told to rest on the same data."""
    return hashlib.sha256(pd.util.hash_pandas_object(rows, index=False).to_numpy().tobytes()).hexdigest()


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A frame as JSON-ready rows."""
    return [plain({str(k): v for k, v in row.items()}) for row in frame.to_dict("records")]


def plain(value: Any) -> Any:
    """A value as JSON knows it: days as text, NaN and NaT as null, NumPy numbers as numbers.

    >>> plain({"a": np.float64("nan"), "b": (date(2026, 1, 2), np.int64(3))})
    {'a': None, 'b': ['2026-01-02', 3]}
    """
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if value is None or value is pd.NaT or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value.isoformat()[:10] if isinstance(value, date) else value
