"""The KPIs: frames of any engine in, a small pandas table out. Every public name, alphabetical."""

from salestrack.kpis._card import CARDS, Card
from salestrack.kpis.accuracy import crm_forecasts, forecast_accuracy
from salestrack.kpis.activities import activity_mix, selling_time_share
from salestrack.kpis.bookings import bookings, revenue_growth
from salestrack.kpis.bottleneck import bottleneck
from salestrack.kpis.channels import channel_yield
from salestrack.kpis.cohorts import win_rate_cohort
from salestrack.kpis.customers import customer_acquisition_cost, net_promoter_score
from salestrack.kpis.cycle import expected_sales_cycle, sales_cycle
from salestrack.kpis.distribution import attainment_distribution
from salestrack.kpis.effort import activity_rate
from salestrack.kpis.expansion import (
    expansion_rate,
    gross_revenue_retention,
    net_revenue_retention,
    new_and_expansion,
)
from salestrack.kpis.forecast import forecast_distribution
from salestrack.kpis.history import pipeline_created, push_rate
from salestrack.kpis.hygiene import concentration, pipeline_hygiene
from salestrack.kpis.landmark import activity_association, multi_threading
from salestrack.kpis.leads import lead_conversion, mql_to_sql
from salestrack.kpis.leakage import funnel_leakage
from salestrack.kpis.lifetime import customer_lifetime_value
from salestrack.kpis.losses import loss_reasons
from salestrack.kpis.payback import cac_payback
from salestrack.kpis.pipeline import open_pipeline, pipeline_coverage
from salestrack.kpis.prices import deal_size_change, discount
from salestrack.kpis.quotas import quota_attainment, share_of_reps_at_quota
from salestrack.kpis.ramp import ramp_time
from salestrack.kpis.required import required_coverage
from salestrack.kpis.response import lead_response_time
from salestrack.kpis.restatements import restatements
from salestrack.kpis.sizes import average_deal_size, average_order_value
from salestrack.kpis.stage_rates import stage_age_rates
from salestrack.kpis.stages import stage_conversion, stage_dwell
from salestrack.kpis.territories import territory_balance, territory_disruption
from salestrack.kpis.velocity import sales_velocity
from salestrack.kpis.waterfall import pipeline_waterfall
from salestrack.kpis.weighted import weighted_pipeline, weighted_pipeline_bias
from salestrack.kpis.winning import win_rate, win_rate_by_value

__all__ = [
    "CARDS",
    "Card",
    "activity_association",
    "activity_mix",
    "activity_rate",
    "attainment_distribution",
    "average_deal_size",
    "average_order_value",
    "bookings",
    "bottleneck",
    "cac_payback",
    "channel_yield",
    "concentration",
    "crm_forecasts",
    "customer_acquisition_cost",
    "customer_lifetime_value",
    "deal_size_change",
    "discount",
    "expansion_rate",
    "expected_sales_cycle",
    "forecast_accuracy",
    "forecast_distribution",
    "funnel_leakage",
    "gross_revenue_retention",
    "lead_conversion",
    "lead_response_time",
    "loss_reasons",
    "mql_to_sql",
    "multi_threading",
    "net_promoter_score",
    "net_revenue_retention",
    "new_and_expansion",
    "open_pipeline",
    "pipeline_coverage",
    "pipeline_created",
    "pipeline_hygiene",
    "pipeline_waterfall",
    "push_rate",
    "quota_attainment",
    "ramp_time",
    "required_coverage",
    "restatements",
    "revenue_growth",
    "sales_cycle",
    "sales_velocity",
    "selling_time_share",
    "share_of_reps_at_quota",
    "stage_age_rates",
    "stage_conversion",
    "stage_dwell",
    "territory_balance",
    "territory_disruption",
    "weighted_pipeline",
    "weighted_pipeline_bias",
    "win_rate",
    "win_rate_by_value",
    "win_rate_cohort",
]
