"""Orders by the hundred thousand for one title, put into a store through its own ports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from syncengine.domain.delivery import Operation, OperationKind
from syncengine.domain.ids import CustomerId, Format, Isbn, OrderId, SourceName, TitleKey
from syncengine.domain.order import Order, OrderEvent, OrderRequest, OrderState
from syncengine.domain.territory import Market
from syncengine.ports import NewEntry, Store, Urgency

_AT_ONCE = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The title that everybody wants: what an order of it says, and what its sale costs in the distributor's own terms."""

    isbn: Isbn
    format: Format
    market: Market
    price: Decimal
    price_type: str
    protection: str
    source: SourceName

    @property
    def key(self) -> TitleKey:
        """The title."""
        return TitleKey(source=self.source, isbn=self.isbn, format=self.format)


def waiting(wanted: Wanted, prefix: str, count: int, at: datetime) -> Iterator[Order]:
    """So many paid orders of as many customers, declared, each waiting for the release."""
    for number in range(count):
        yield _order(wanted, prefix, number, OrderState.WAITING, at)


def placing(wanted: Wanted, prefix: str, count: int, at: datetime) -> Iterator[Order]:
    """The same on the other side of the release: decided, and owed to the distributor."""
    for number in range(count):
        yield _order(wanted, prefix, number, OrderState.PLACING, at)


def sale(wanted: Wanted, order: Order) -> Operation:
    """What is owed for one of them."""
    return Operation(
        kind=OperationKind.SALE,
        key=wanted.key,
        market=wanted.market,
        reference=order.reference,
        customer_id=order.request.customer_id,
        amount=wanted.price,
        price_type=wanted.price_type,
        protection=wanted.protection,
        terms={"format": wanted.format},
    )


async def take(store: Store, orders: Iterator[Order], at: datetime, wanted: Wanted) -> None:
    """Put orders into the register, and what the placing ones owe into the outbox, some thousand a commit."""
    while portion := _portion(orders):
        async with store.transaction(Urgency.INTAKE) as tx:
            await tx.orders.add([(order, _event(order)) for order in portion])
            await tx.outbox.put(
                [
                    NewEntry(operation=sale(wanted, order), order_id=order.order_id, gate=None, due_at=at)
                    for order in portion
                    if order.state is OrderState.PLACING
                ],
                at,
            )


def _portion(orders: Iterator[Order]) -> Sequence[Order]:
    return [order for _, order in zip(range(_AT_ONCE), orders, strict=False)]


def _order(wanted: Wanted, prefix: str, number: int, state: OrderState, at: datetime) -> Order:
    is_placing = state is OrderState.PLACING
    order_id = OrderId(f"{prefix}{number}")
    return Order(
        request=OrderRequest(
            order_id=order_id,
            source=wanted.source,
            isbn=wanted.isbn,
            format=wanted.format,
            market=wanted.market,
            customer_id=CustomerId(f"c{number}"),
        ),
        state=state,
        key=wanted.key,
        received_at=at,
        updated_at=at,
        reference=f"bench-{order_id}",
        agreed_price=wanted.price,
        agreed_basis="included",
        amount=wanted.price if is_placing else None,
        price_type=wanted.price_type if is_placing else None,
        protection=wanted.protection if is_placing else None,
        declared_customer_id=f"c{number}",
    )


def _event(order: Order) -> OrderEvent:
    return OrderEvent(order_id=order.order_id, at=order.received_at, before=None, after=order.state)
