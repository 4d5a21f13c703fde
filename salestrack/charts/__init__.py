"""The charts of the report: a KPI table in, a `Chart` out, with alternative text and its data as a table."""

from salestrack.charts._base import Chart
from salestrack.charts.bars import bars, forest
from salestrack.charts.columns import columns
from salestrack.charts.curves import curve
from salestrack.charts.grids import funnel, heatmap
from salestrack.charts.lines import lines
from salestrack.charts.spread import histogram, strip
from salestrack.charts.stacked import stacked

__all__ = [
    "Chart",
    "bars",
    "columns",
    "curve",
    "forest",
    "funnel",
    "heatmap",
    "histogram",
    "lines",
    "stacked",
    "strip",
]
