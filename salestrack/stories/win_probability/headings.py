"""Headings of the columns that only the tables of the win probability have."""

LABELS = {
    "against_base": {
        "en": "Gain on the base rate (95% interval)",
        "de": "Gewinn gegen Grundrate (95-%-Intervall)",
    },
    "against_stage": {
        "en": "Gain on the stage rate (95% interval)",
        "de": "Gewinn gegen Phasenrate (95-%-Intervall)",
    },
    "share": {"en": "Won", "de": "Gewonnen"},
    "model_share": {"en": "Model said", "de": "Modell sagte"},
    "crm_share": {"en": "CRM says now", "de": "CRM sagt jetzt"},
    "where": {"en": "Stage, age", "de": "Phase, Alter"},
    "reasons": {"en": "Main reasons (percentage points)", "de": "Hauptgründe (Prozentpunkte)"},
    "basis": {"en": "Counted as", "de": "Zählweise"},
    "open_share": {"en": "Share of the open value", "de": "Anteil am offenen Wert"},
    "fact": {"en": "Fact", "de": "Angabe"},
    "told": {"en": "Value", "de": "Wert"},
}
