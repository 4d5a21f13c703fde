"""Products, the lines of deals, orders with upsell and cross-sell, and what customers answer in surveys."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from salestrack.world import labels, writing
from salestrack.world.parameters import Floats, Ints, Random, World, day_number
from salestrack.world.people import Market

FAMILY_OF = {"Software": 0, "Machines": 1, "Services": 2, "Spare Parts": 3}
NEW, UPSELL, CROSS_SELL, RENEWAL = range(4)
SALE_TYPES = ("New", "Upsell", "Cross-Sell", "Renewal")


@dataclass(frozen=True)
class Lines:
    """Lines of deals or orders; money in cents, `row` is the place of the deal or order."""

    row: Ints
    product: Ints
    quantity: Ints
    unit_price: Ints
    list_price: Ints
    """-1 for what is priced per project."""


def lines_of(amount: Ints, family: Ints, currency: Ints, discount: Ints) -> Lines:
    """Lines that add up to the amounts: the dearest product that fits, consulting, and a flat rest."""
    price = price_list()
    rest, parts, row = amount.copy(), [], np.arange(len(amount))
    ladder = np.array(labels.LADDERS)[family]
    off = 100 - discount
    fits = np.stack([price[currency, ladder[:, i]] * off // 100 <= rest for i in range(ladder.shape[1])])
    lead = ladder[row, np.argmax(fits, axis=0)]
    for product, share in ((lead, 100), (np.full(len(row), labels.CONSULTING), 85)):
        unit = price[currency, product] * off // 100
        quantity = rest * share // 100 // unit
        use = (quantity > 0) & ((share == 100) | (rest > 300_000))
        parts.append((row[use], product[use], quantity[use], unit[use], price[currency, product][use]))
        rest = np.where(use, rest - quantity * unit, rest)
    left = rest > 0
    flat = np.full(left.sum(), labels.SET_UP)
    parts.append((row[left], flat, np.ones_like(flat), rest[left], np.full_like(flat, -1)))
    joined = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.argsort(joined[0], kind="stable")
    return Lines(*(column[order] for column in joined))


def price_list() -> Ints:
    """List prices in cents, currencies × products."""
    euros = np.array([p.list_price for p in labels.PRODUCTS])
    return np.stack([np.floor(euros / rate + 0.5).astype(np.int64) * 100 for rate in labels.BOOK_RATES])


@dataclass
class Wins:
    """The won deals of the whole world, few columns each: all that orders need to know."""

    deal: Ints
    account: Ints
    day: Ints
    amount: Ints
    family: Ints
    currency: Ints
    discount: Ints
    owner: Ints

    @classmethod
    def join(cls, parts: list[Wins]) -> Wins:
        """All parts as one, by account and day."""
        every = {f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)}
        order = np.lexsort((every["deal"], every["day"], every["account"]))
        return cls(**{name: column[order] for name, column in every.items()})


@dataclass
class Orders:
    """Orders with their lines; `deal` is -1 for orders without a deal."""

    account: Ints
    deal: Ints
    day: Ints
    currency: Ints
    owner: Ints
    lines: Lines
    sale_type: Ints


def deal_orders(world: World, wins: Wins) -> Orders:
    """The order that follows each won deal after some days, if that day is within the recorded time."""
    day = wins.day + 2 + wins.deal % 17
    placed = day <= day_number(world.end)
    lines = lines_of(wins.amount[placed], wins.family[placed], wins.currency[placed], wins.discount[placed])
    account, family = wins.account[placed], wins.family[placed]
    first = np.concatenate([[True], account[1:] != account[:-1]]) if len(account) else np.zeros(0, bool)
    known = _seen_before(account, family)
    sale = np.where(first, NEW, np.where(known, UPSELL, CROSS_SELL))
    return Orders(account, wins.deal[placed], day[placed], wins.currency[placed], wins.owner[placed], lines,
                  sale[lines.row])  # fmt: skip


def _seen_before(account: Ints, family: Ints) -> Ints:
    """1 where the account has bought from the family in an earlier row."""
    pair = account * 4 + family
    first = np.zeros(len(pair), dtype=bool)
    first[np.unique(pair, return_index=True)[1]] = True
    return (~first).astype(np.int64)


def repeat_orders(world: World, market: Market, first_win: Ints) -> Orders:
    """Orders of spare parts, maintenance and seats that customers place without a deal."""
    random, accounts = Random(world, 30), market.accounts
    start, end = day_number(world.start), day_number(world.end)
    since = np.where(accounts.customer > 0, start, np.where(first_win >= 0, first_win + 60, end))
    mean = np.array([0.7, 0.4, 0.22])[accounts.segment] * np.maximum(end - since, 0) / 365.25
    account = np.repeat(np.arange(len(mean)), random.poisson(mean))
    size = len(account)
    day = since[account] + 1 + np.floor(random.uniform(size) * (end - since[account])).astype(np.int64)
    day = np.where((day + 3) % 7 > 4, np.maximum(day - 2, start), day)
    currency = np.array([p.currency for p in labels.PLACES])[accounts.place[account]]
    kind = random.choice(size, [0.42, 0.33, 0.25])
    product = np.array([labels.KIT, labels.MAINTENANCE, 0])[kind]
    price = price_list()[currency, product]
    quantity = 1 + np.floor(random.uniform(size) ** 2 * np.array([9, 3, 14])[kind]).astype(np.int64)
    sale = np.array([CROSS_SELL, RENEWAL, UPSELL])[kind]
    row = np.arange(size)
    extra = np.flatnonzero(random.uniform(size) < 0.25)
    kit = np.full(len(extra), labels.KIT)
    price_extra = price_list()[currency[extra], kit]
    joined = [
        np.concatenate(pair)
        for pair in (
            (row, extra), (product, kit), (quantity, np.ones_like(extra)), (price * 96 // 100, price_extra),
            (price, price_extra), (sale, np.full(len(extra), CROSS_SELL)),
        )
    ]  # fmt: skip
    order = np.argsort(joined[0], kind="stable")
    *lines, sale = (column[order] for column in joined)
    week = (day - world.monday) // 7
    owner = market.occupant[accounts.seat[account], week]
    return Orders(account, np.full(size, -1), day, currency, owner, Lines(*lines), sale)


HEADS = ("account", "deal", "day", "currency", "owner")


def by_day(orders: Orders) -> Orders:
    """The same orders, the oldest first."""
    order = np.argsort(orders.day, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    row = place[orders.lines.row]
    lines = np.argsort(row, kind="stable")
    _, *columns = (column[lines] for column in vars(orders.lines).values())
    heads = {name: getattr(orders, name)[order] for name in HEADS}
    return Orders(**heads, lines=Lines(row[lines], *columns), sale_type=orders.sale_type[lines])


def joined(first: Orders, second: Orders) -> Orders:
    """Both as one, the oldest first."""
    heads = {name: np.concatenate([getattr(first, name), getattr(second, name)]) for name in HEADS}
    sale_type = np.concatenate([first.sale_type, second.sale_type])
    row = np.concatenate([first.lines.row, len(first.account) + second.lines.row])
    pairs = zip(vars(first.lines).values(), vars(second.lines).values(), strict=True)
    _, *columns = (np.concatenate(pair) for pair in pairs)
    return by_day(Orders(**heads, lines=Lines(row, *columns), sale_type=sale_type))


def write_orders(orders: Orders, to: Path) -> None:
    """Order.csv and OrderItem.csv."""
    size, lines = len(orders.account), orders.lines
    every, total = np.arange(size), np.zeros(size, dtype=np.int64)
    np.add.at(total, lines.row, lines.quantity * lines.unit_price)
    cancelled = (every * 7919 % 1000 < 12).astype(np.int64)
    cells = {
        "Id": writing.ids("order", every),
        "OrderNumber": np.hstack([writing.always("A", size), writing.number(every + 1, 7)]),
        "AccountId": writing.ids("account", orders.account),
        "OpportunityId": writing.ids("deal", orders.deal),
        "EffectiveDate": writing.dates(orders.day),
        "Status": writing.text(["Activated", "Cancelled"], cancelled),
        "TotalAmount": writing.money(total),
        "CurrencyIsoCode": writing.text(labels.CURRENCIES, orders.currency),
        "OwnerId": writing.ids("user", orders.owner),
    }
    writing.append(to / "Order.csv", cells)
    items = {
        "Id": writing.ids("order_line", np.arange(len(lines.row))),
        "OrderId": writing.ids("order", lines.row),
        "Product2Id": writing.ids("product", lines.product),
        "Quantity": writing.number(lines.quantity),
        "UnitPrice": writing.money(lines.unit_price),
        "TotalPrice": writing.money(lines.quantity * lines.unit_price),
        "Sale_Type__c": writing.text(SALE_TYPES, orders.sale_type),
    }
    writing.append(to / "OrderItem.csv", items)


def write_products(to: Path) -> None:
    """Product2.csv."""
    every, products = np.arange(len(labels.PRODUCTS)), labels.PRODUCTS
    price = np.array([p.list_price for p in products])
    cells = {
        "Id": writing.ids("product", every),
        "Name": writing.text([p.name for p in products], every),
        "ProductCode": writing.text([p.code for p in products], every),
        "Family": writing.text([p.family for p in products], every),
        "IsActive": writing.flags(every < len(products) - 1),
        "ListPrice__c": writing.number(np.where(price > 0, price, -1)),
        "UnitCost__c": writing.number(np.where(price > 0, np.array([p.unit_cost for p in products]), -1)),
        "CurrencyIsoCode": writing.always("EUR", len(products)),
        "IsRecurring__c": writing.flags(np.array([p.recurring for p in products])),
    }
    writing.append(to / "Product2.csv", cells)


RESPONSE = 0.35
"""Share of the customers asked who answer."""
SCORES = (0.01, 0.01, 0.01, 0.03, 0.03, 0.05, 0.05, 0.12, 0.17, 0.25, 0.27)


def write_surveys(world: World, market: Market, first_win: Ints, to: Path) -> None:
    """surveys.csv: whom the question of recommendation was sent to, and the answers; France is less content."""
    random, accounts = Random(world, 31), market.accounts
    end = day_number(world.end)
    customers = np.flatnonzero(((first_win >= 0) & (first_win < end - 30)) | (accounts.customer > 0))
    size = min(world.scale(320, 0.7), 50_000) if len(customers) else 0
    account, asked = _asked(world, market, first_win, customers, random.uniform(2, size))
    score = scores(random.uniform(size), market.seat_territory[accounts.seat[account]] == 4)
    answered, minute = np.minimum(asked + random.whole(size, 1, 12), end), random.whole(size, 7 * 60, 16 * 60)
    silent = np.full(round(size * (1 / RESPONSE - 1)), -1)
    more = _asked(world, market, first_win, customers, random.uniform(2, len(silent)))
    account, asked = np.append(account, more[0]), np.append(asked, more[1])
    order = np.argsort(asked, kind="stable")
    cells = {
        "response_id": np.hstack(
            [writing.always("S", len(order)), writing.number(np.arange(len(order)) + 1, 5)]
        ),
        "survey_type": writing.always("nps", len(order)),
        "score": writing.number(np.append(score, silent)[order]),
        "responded_at": _moments(np.append(answered, silent)[order], np.append(minute, silent * 0)[order]),
        "sent_at": _moments(asked[order], np.full(len(order), 6 * 60)),
        "account_id": writing.ids("account", account[order]),
        "contact_id": writing.ids("contact", account[order]),
    }
    writing.append(to / "surveys.csv", cells)


def _asked(world: World, market: Market, first_win: Ints, customers: Ints, u: Floats) -> tuple[Ints, Ints]:
    """Who is asked, and on which day after the first purchase."""
    start, end = day_number(world.start), day_number(world.end)
    account = customers[np.floor(u[0] * len(customers)).astype(np.int64)]
    old = market.accounts.customer[account] > 0
    since = np.maximum(np.where(old, start, first_win[account] + 14), start)
    return account, since + np.floor(u[1] * (end - 12 - since)).astype(np.int64)


def scores(u: Floats, discontent: Ints) -> Ints:
    """Answers from 0 to 10."""
    score = np.searchsorted(np.cumsum(SCORES), u, side="right")
    return np.clip(np.where(discontent, score - 1, score), 0, 10)


def _moments(days: Ints, minutes: Ints) -> writing.Bytes:
    """Days and minutes as 2026-10-31 13:45; day -1 is an empty cell."""
    size = len(days)
    clock = [writing.always(" ", size), writing.number(minutes // 60, 2), writing.always(":", size)]
    cells = np.hstack([*clock, writing.number(minutes % 60, 2)])
    cells[days < 0] = 0
    return np.hstack([writing.dates(days), cells])
