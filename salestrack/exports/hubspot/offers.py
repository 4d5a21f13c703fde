"""List views of what is sold and advertised: line items, products, campaigns."""

from __future__ import annotations

from salestrack.exports.hubspot.headed_cells import number

LINES = f"""
SELECT l.deal_product_id AS "Record ID", p.product_name AS "Name", l.product_id AS "Product ID", {number("l.quantity", "Quantity")},
       {number("coalesce(l.list_price, l.unit_price)", "Unit price")}, round(100 * l.discount_share, 6) AS "Discount Percentage",
       {number("l.discount_amount / nullif(l.quantity, 0)", "Unit discount")}, {number("l.line_amount", "Net price")},
       coalesce(l.currency_code, d.currency_code) AS "Currency", l.term_months AS "Term (months)", l.billing_frequency AS "Billing frequency",
       l.starts_on_date AS "Billing start date", l.deal_id AS "Associated Deal IDs"
FROM deal_products l LEFT JOIN deals d USING (deal_id) LEFT JOIN products p USING (product_id) ORDER BY l.deal_product_id
"""
PRODUCTS = f"""
SELECT product_id AS "Record ID", product_name AS "Name", sku AS "SKU", product_family AS "Product family", {number("list_price", "Unit price")},
       {number("unit_cost", "Unit cost")}, CASE WHEN is_recurring THEN 'Monthly' END AS "Billing frequency",
       CASE WHEN is_active THEN 'Active' ELSE 'Inactive' END AS "Status"
FROM products ORDER BY product_id
"""
CAMPAIGNS = f"""
SELECT campaign_id AS "Campaign ID", campaign_name AS "Campaign name", channel AS "Campaign type", starts_on_date AS "Start date",
       ends_on_date AS "End date", {number("budget_amount", "Total budget")}, currency_code AS "Currency", utm_campaign AS "UTM campaign"
FROM campaigns ORDER BY campaign_id
"""
