"""The words of the invented company: places, products, names. All people and companies are made up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """One country in which the company sells."""

    code: str
    territory: int
    currency: int
    weight: float
    cities: tuple[str, ...]
    forms: tuple[str, ...]


CURRENCIES = ("EUR", "CHF", "GBP", "USD")
BOOK_RATES = (1.0, 1.05, 1.17, 0.92)
"""Euros for one unit of each currency in the price book."""

TERRITORIES = ("DACH", "UK & Ireland", "Nordics", "Benelux", "France", "USA")
TERRITORY_SHARE = (0.38, 0.17, 0.11, 0.10, 0.10, 0.14)
TERRITORY_EFFECT = (0.15, 0.05, 0.20, 0.0, -0.80, -0.05)
TERRITORY_CURRENCY = (0, 2, 0, 0, 0, 3)
TERRITORY_TEAM = (0, 1, 1, 2, 2, 3)
TEAMS = ("DACH", "North", "West", "Americas")

PLACES = (
    Place(
        "DE", 0, 0, 0.68, ("Bremen", "Ulm", "Leipzig", "Kassel", "Aachen", "Rostock"), ("GmbH", "AG", "KG")
    ),
    Place("AT", 0, 0, 0.14, ("Linz", "Graz"), ("GmbH", "KG")),
    Place("CH", 0, 1, 0.18, ("Zug", "Bern", "Aarau"), ("AG", "GmbH")),
    Place("GB", 1, 2, 0.85, ("Leeds", "Bristol", "Derby", "Cardiff"), ("Ltd", "plc")),
    Place("IE", 1, 0, 0.15, ("Cork", "Galway"), ("Ltd",)),
    Place("SE", 2, 0, 0.45, ("Malmö", "Uppsala"), ("AB",)),
    Place("DK", 2, 0, 0.30, ("Aarhus", "Odense"), ("A/S",)),
    Place("FI", 2, 0, 0.25, ("Turku", "Oulu"), ("Oy",)),
    Place("NL", 3, 0, 0.62, ("Utrecht", "Breda"), ("BV",)),
    Place("BE", 3, 0, 0.38, ("Gent", "Namur"), ("NV",)),
    Place("FR", 4, 0, 1.0, ("Lyon", "Nantes", "Lille"), ("SAS", "SA")),
    Place("US", 5, 3, 1.0, ("Dayton", "Tulsa", "Boise", "Albany"), ("Inc.", "LLC")),
)

SEGMENTS = ("Enterprise", "Mid-Market", "Small Business")
SEGMENT_SHARE = (0.18, 0.44, 0.38)
SEGMENT_EFFECT = (-0.15, 0.15, -0.05)
SEGMENT_SIZE = (1.7, 1.0, 0.62)
INDUSTRIES = (
    "Machinery",
    "Logistics",
    "Food",
    "Chemicals",
    "Automotive",
    "Energy",
    "Packaging",
    "Medical Devices",
)

SOURCES = {
    "en": ("Website", "Paid Search", "Trade Show", "Customer Referral", "Partner", "Cold Outreach"),
    "de": ("Website", "Suchanzeigen", "Messe", "Empfehlung", "Partner", "Kaltakquise"),
}
SOURCE_SHARE = (0.24, 0.16, 0.14, 0.12, 0.13, 0.21)
SOURCE_EFFECT = (0.10, -0.30, 0.0, 0.75, 0.20, -0.30)
SEGMENT_SOURCE_EFFECT = ((0.0, -0.2, 0.25, 0.0, 0.2, -0.1), (0.0,) * 6, (0.1, 0.15, -0.2, 0.0, -0.1, 0.1))

FAMILIES = ("Software", "Machines", "Services")
FAMILY_SHARE = (0.46, 0.32, 0.22)
FAMILY_EFFECT = (0.10, -0.15, 0.15)
FAMILY_MEDIAN = (19_000.0, 52_000.0, 11_500.0)

STAGES = {
    "en": ("Qualification", "Needs Analysis", "Proposal", "Negotiation", "Closed Won", "Closed Lost"),
    "de": ("Qualifizierung", "Bedarfsanalyse", "Angebot", "Verhandlung", "Gewonnen", "Verloren"),
}
PROBABILITIES = (10, 30, 60, 80, 100, 0)
FORECASTS = ("Pipeline", "Pipeline", "Best Case", "Commit", "Closed", "Omitted")

LOSS_REASONS = {
    "en": ("Price", "Competitor", "No Budget", "No Decision", "Timing", "Product Gap"),
    "de": ("Preis", "Wettbewerber", "Kein Budget", "Keine Entscheidung", "Zeitpunkt", "Funktion fehlt"),
}
NEXT_STEPS = {
    "en": ("Call back", "Send offer", "Demo", "Meet the board", "Clarify contract"),
    "de": ("Rückruf", "Angebot senden", "Vorführung", "Termin Vorstand", "Vertrag klären"),
}
TYPES = (
    "Call", "Email", "Note", "Online Meeting", "Customer Visit", "Internal Meeting", "Administration",
    "Travel", "Training", "Preparation",
)  # fmt: skip
TITLES = (
    "Head of Production",
    "Einkauf",
    "Managing Director",
    "IT Manager",
    "Werkleitung",
    "Project Manager",
)


@dataclass(frozen=True)
class Product:
    """One product with its list price in euros (0: priced per project)."""

    code: str
    name: str
    family: str
    list_price: int
    unit_cost: int
    recurring: bool


PRODUCTS = (
    Product("SW-S", "Takt Seat", "Software", 390, 60, True),
    Product("SW-L", "Takt Line Licence", "Software", 3_600, 520, True),
    Product("SW-P", "Takt Plant Licence", "Software", 14_800, 2_100, True),
    Product("MA-C", "Conveyor C2", "Machines", 6_900, 4_300, False),
    Product("MA-P", "Packer P4", "Machines", 18_500, 11_400, False),
    Product("MA-R", "Robot Cell R6", "Machines", 64_000, 41_500, False),
    Product("SV-A", "Assessment Day", "Services", 980, 560, False),
    Product("SV-T", "Training Week", "Services", 4_200, 2_300, False),
    Product("SV-D", "Consulting Day", "Services", 1_280, 720, False),
    Product("SV-P", "Delivery and Set-up", "Services", 0, 0, False),
    Product("SP-K", "Spare Parts Kit", "Spare Parts", 740, 310, False),
    Product("SP-M", "Maintenance Plan", "Spare Parts", 2_900, 1_250, True),
    Product("SW-X", "Takt Classic Seat", "Software", 290, 60, True),
)
LADDERS = ((2, 1, 0), (5, 4, 3), (7, 7, 6))
"""Products that lead a deal of each family, dearest first."""
CONSULTING, SET_UP, KIT, MAINTENANCE = 8, 9, 10, 11

FIRST_NAMES = (
    "Annika", "Oliver", "Birgit", "Henry", "Carsten", "Ruth", "Dörte", "Simon", "Elif", "Marcus",
    "Friederike", "Alice", "Gregor", "Nora", "Hanno", "Isla", "Jonas", "Karla", "Lennart", "Maeve", "Nils",
    "Olga", "Pascal", "Quirin", "Rosa", "Silke", "Tobias", "Una", "Viktor", "Wiebke", "Yannick", "Zoe",
)  # fmt: skip
LAST_NAMES = (
    "Ahrendsen", "Brackwell", "Cordeshagen", "Dunmoor", "Eschenfelder", "Farnleigh", "Grotenbach",
    "Hartwick", "Immenroth", "Jessamond", "Kaltenried", "Lindqvale", "Mohrhagen", "Netherby", "Osterkamp",
    "Pellworth", "Quendler", "Rothmere", "Söhlbrandt", "Thistleby", "Uhlenbrook", "Vossberg", "Wetherhill",
    "Zarnikow", "Aldermoor", "Bickenbach", "Crosswell", "Dreesbach", "Elmsgate",
)  # fmt: skip
STEMS = (
    "Albra", "Brandhof", "Calder", "Dornwerk", "Elvona", "Fahrland", "Greyholt", "Hollmark", "Inverlin",
    "Juniper", "Kestrow", "Lindau", "Marwick", "Nordkai", "Ostara", "Pennfold", "Quarzit", "Ravenmoor",
    "Steinfeld", "Thornby", "Ulmenau", "Velmora", "Westrup", "Yarrow", "Zellbach", "Ambrina", "Birkwald",
    "Copperton", "Drosselau", "Eastmere", "Falkenau", "Gildern", "Harzau", "Ilmtal", "Jettwell", "Kronau",
    "Larkhill", "Moorland", "Nettel", "Orlbach",
)  # fmt: skip
KINDS = (
    "Technik", "Foods", "Systems", "Logistik", "Pharma", "Packaging", "Anlagen", "Energy", "Metall",
    "Motion", "Papier", "Plastics", "Robotik", "Glas", "Textil", "Chemie", "Supply", "Works", "Druck",
    "Medical", "Agrar", "Marine", "Optik", "Tools", "Bau", "Labs", "Holz", "Cycle", "Wasser",
)  # fmt: skip
