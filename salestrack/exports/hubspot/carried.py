"""What HubSpot's files carry and what they cannot."""

from __future__ import annotations

from collections.abc import Collection

from salestrack.exports.hubspot.property_history import KEPT

TABLES: Collection[str] = (
    "reps",
    "accounts",
    "contacts",
    "leads",
    "lifecycle_history",
    "pipelines",
    "stages",
    "deals",
    "deal_stage_history",
    "deal_field_history",
    "deal_contacts",
    "deal_products",
    "products",
    "activities",
    "campaigns",
)
LOST: dict[str, tuple[str, str]] = {
    "reps.default_currency_code": (
        "People have no currency, no time zone and no dates of hiring.",
        "Personen haben keine Währung, keine Zeitzone und keine Daten der Einstellung.",
    ),
    "stages.forecast_category": (
        "Stages have no forecast category; only deals have one.",
        "Phasen haben keine Prognosekategorie, nur Deals haben eine.",
    ),
    "deal_stage_history.amount": (
        "An entry into a stage does not tell the amount of then; the history of the amount does.",
        "Ein Phaseneintritt nennt den damaligen Betrag nicht; das tut die Historie des Betrags.",
    ),
    "deal_field_history.changed_at": (
        f"Of each property of a deal the last {KEPT} values are kept.",
        f"Von jeder Eigenschaft eines Deals werden die letzten {KEPT} Werte aufbewahrt.",
    ),
    "deal_products.list_price": (
        "A line has one price before its discount: where none was known, it is the price paid.",
        "Eine Position hat einen Preis vor Rabatt: Wo keiner bekannt war, ist es der gezahlte Preis.",
    ),
    "leads.contact_id": (
        "A lead is a contact: it has one id, and the company of its deal is its company.",
        "Ein Lead ist ein Kontakt: Er hat eine Kennung, und das Unternehmen seines Deals ist sein Unternehmen.",
    ),
    "accounts.account_type": (
        "There are no former customers.",
        "Ehemalige Kunden gibt es nicht.",
    ),
    "activities.is_done": (
        "A meeting that was only planned counts as scheduled; why it did not take place is not told.",
        "Ein nur geplantes Meeting gilt als geplant; warum es nicht stattfand, steht nicht darin.",
    ),
    "orders": ("There are no orders.", "Es gibt keine Aufträge."),
}
