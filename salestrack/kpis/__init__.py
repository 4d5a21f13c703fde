"""The KPIs: frames of any engine in, a small pandas table out. Every public name, alphabetical."""

from salestrack.kpis._card import CARDS, Card
from salestrack.kpis.activities import activity_mix, selling_time_share
from salestrack.kpis.bookings import bookings, revenue_growth
from salestrack.kpis.customers import customer_acquisition_cost, net_promoter_score
from salestrack.kpis.cycle import sales_cycle
from salestrack.kpis.leads import mql_to_sql
from salestrack.kpis.leakage import funnel_leakage
from salestrack.kpis.pipeline import open_pipeline, pipeline_coverage
from salestrack.kpis.quotas import quota_attainment, share_of_reps_at_quota
from salestrack.kpis.sizes import average_deal_size, average_order_value
from salestrack.kpis.stages import stage_conversion, stage_dwell
from salestrack.kpis.winning import win_rate, win_rate_by_value

__all__ = [
    "CARDS",
    "Card",
    "activity_mix",
    "average_deal_size",
    "average_order_value",
    "bookings",
    "customer_acquisition_cost",
    "funnel_leakage",
    "mql_to_sql",
    "net_promoter_score",
    "open_pipeline",
    "pipeline_coverage",
    "quota_attainment",
    "revenue_growth",
    "sales_cycle",
    "selling_time_share",
    "share_of_reps_at_quota",
    "stage_conversion",
    "stage_dwell",
    "win_rate",
    "win_rate_by_value",
]
