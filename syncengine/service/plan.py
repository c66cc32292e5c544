"""The plan: what would be sent, when, for how much money, and how long it takes under the limits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from syncengine.domain.ids import SourceName, TitleKey
from syncengine.domain.offer import Offer
from syncengine.domain.order import LIVE_STATES, Order
from syncengine.domain.territory import Market
from syncengine.domain.title import Title
from syncengine.ports import OrderQuery, Rules, Transaction, Urgency
from syncengine.service.documents import Document
from syncengine.service.engine import Engine

PAGE = 1000
HORIZON_STEPS = 64
"""How many changes of one title are looked at for the instant at which it goes on sale."""


@dataclass(slots=True, kw_only=True)
class _Line:
    """Sales of one title in one market that become due at one instant."""

    offer: Offer
    due_at: datetime
    orders: int = 0
    amount: Decimal = Decimal()
    states: set[str] = field(default_factory=set)


async def plan_document(engine: Engine, until: datetime | None) -> Document:
    """Every live order with the instant at which it would be sold, as far as today's facts tell; `until` leaves out later
    ones. Nothing is sent and nothing is changed.
    """
    now = engine.clock.now()
    lines: dict[tuple[TitleKey, Market], _Line | None] = {}
    waiting = 0
    async with engine.store.transaction(Urgency.COMMAND) as tx:
        async for order in _live_orders(tx):
            key = (order.key, order.request.market)
            if key not in lines:
                lines[key] = await _line(engine, tx, *key, now)
            line = lines[key]
            if line is None or (until is not None and line.due_at > until):
                waiting += 1
            else:
                line.orders += 1
                line.amount += line.offer.price.amount if line.offer.price else Decimal()
                line.states.add(order.state.value)
    sales = sorted(
        (line for line in lines.values() if line and line.orders), key=lambda line: (line.due_at, str(line.offer.key))
    )
    return {
        "at": now.isoformat(),
        "until": until and until.isoformat(),
        "sales": [_document(line) for line in sales],
        "totals": _totals(sales),
        "seconds": {source: engine.estimate(source, count) for source, count in _counts(sales).items()},
        "without_a_date": waiting,
    }


async def _live_orders(tx: Transaction) -> AsyncIterator[Order]:
    after = 0
    while rows := await tx.orders.list(OrderQuery(states=tuple(LIVE_STATES), after=after, limit=PAGE)):
        for position, order in rows:
            after = position
            yield order


async def _line(engine: Engine, tx: Transaction, key: TitleKey, market: Market, now: datetime) -> _Line | None:
    distributor = engine.distributors.get(key.source)
    titles = [title for title in await tx.titles.read(key) if title.key == key]
    if distributor is None or not titles:
        return None
    offer = first_sale(distributor.rules, titles[0], market, now)
    return _Line(offer=offer, due_at=offer.at) if offer else None


def first_sale(rules: Rules, title: Title, market: Market, at: datetime) -> Offer | None:
    """The offer at the first instant from `at` on at which the title is for sale by what is known today."""
    for _ in range(HORIZON_STEPS):
        offer = rules.offer(title, market, at)
        if offer.accepts_orders:
            return offer
        if offer.next_change_at is None:
            return None
        at = offer.next_change_at
    return None


def _document(line: _Line) -> Document:
    price = line.offer.price
    return {
        "source": line.offer.key.source,
        "isbn": line.offer.key.isbn,
        "format": line.offer.key.format,
        "market": str(line.offer.market),
        "due_at": line.due_at.isoformat(),
        "orders": line.orders,
        "price": price and str(price.amount),
        "amount": str(line.amount),
        "currency": line.offer.market.currency,
        "states": sorted(line.states),
    }


def _totals(sales: Iterable[_Line]) -> dict[str, str]:
    totals: defaultdict[str, Decimal] = defaultdict(Decimal)
    for line in sales:
        totals[line.offer.market.currency] += line.amount
    return {currency: str(amount) for currency, amount in sorted(totals.items())}


def _counts(sales: Iterable[_Line]) -> dict[SourceName, int]:
    counts: defaultdict[SourceName, int] = defaultdict(int)
    for line in sales:
        counts[line.offer.key.source] += line.orders
    return dict(counts)
