"""Orders, offers and gates for tests of trade: each builder gives a plain one, fields replace its parts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from syncengine.domain.delivery import Gate, GateState, OperationKind
from syncengine.domain.ids import CustomerId, Format, Isbn, OrderId, SourceName, TitleKey
from syncengine.domain.offer import HeldOrders, Offer, OfferPrice, OfferState, RuleApplied, TaxBasis
from syncengine.domain.order import Order, OrderRequest, OrderState
from syncengine.domain.territory import Market
from syncengine.trade.planner import Circumstances, gate_id
from tests.clock import START

SOURCE = SourceName("enq")
KEY = TitleKey(source=SOURCE, isbn=Isbn("9782764417010"), format=Format("epub"))
MARKET = Market(country="CA", currency="CAD")
PRICE = OfferPrice(amount=Decimal("12.99"), currency="CAD", type="02", tax=TaxBasis.INCLUDED)
AT = START
EVERY_CALL = frozenset(OperationKind)


def a_request(**fields: Any) -> OrderRequest:
    plain = OrderRequest(
        order_id=OrderId("A-1"),
        source=SOURCE,
        isbn=KEY.isbn,
        format=KEY.format,
        market=MARKET,
        customer_id=CustomerId("c-77"),
    )
    return replace(plain, **fields)


def an_order(state: OrderState = OrderState.RECEIVED, *, request: OrderRequest | None = None, **fields: Any) -> Order:
    asked = request or a_request()
    plain = Order(
        request=asked,
        state=state,
        key=KEY,
        received_at=AT - timedelta(days=1),
        updated_at=AT - timedelta(days=1),
        reference=f"pfx1-{asked.order_id}",
        agreed_price=asked.agreed_price,
    )
    if state is not OrderState.RECEIVED and asked.agreed_price is None:
        plain = replace(plain, agreed_price=PRICE.amount, agreed_basis=PRICE.tax.value)
    return replace(plain, **fields)


def an_offer(state: OfferState = OfferState.FOR_SALE, **fields: Any) -> Offer:
    stops = {OfferState.WITHDRAWN, OfferState.OUT_OF_TERRITORY, OfferState.REMOVED}
    plain = Offer(
        key=KEY,
        market=MARKET,
        at=AT,
        state=state,
        accepts_orders=state is OfferState.FOR_SALE,
        accepts_preorders=state is OfferState.PREORDER,
        declares_preorders=True,
        held_orders=HeldOrders.STOP if state in stops else HeldOrders.KEEP,
        check_first=True,
        price=PRICE,
        terms={"format": "epub", "protection": "watermark", "protections": "watermark,acs4"},
        rules=(RuleApplied(id="demarque.9.2.3", says=f"it is {state.value}"),),
    )
    return replace(plain, **fields)


def a_gate(state: GateState = GateState.OPEN, *, offer: Offer | None = None, **fields: Any) -> Gate:
    plain = Gate(
        id=gate_id(offer or an_offer(), "watermark"),
        key=KEY,
        market=MARKET,
        state=state,
        since=AT - timedelta(minutes=1),
        valid_until=AT + timedelta(minutes=10) if state in {GateState.OPEN, GateState.REFUSED} else None,
    )
    return replace(plain, **fields)


def circumstances(*gates: Gate, **fields: Any) -> Circumstances:
    plain = Circumstances(
        at=AT, gates={gate.id: gate for gate in gates}, refreshing=False, sends=EVERY_CALL, known=True
    )
    return replace(plain, **fields)
