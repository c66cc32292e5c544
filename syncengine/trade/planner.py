"""What an order does next, from its title's offer and its gate: pure decisions, one order at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from syncengine.domain.delivery import Gate, GateState, Operation, OperationKind
from syncengine.domain.ids import TitleKey, escape_identifier
from syncengine.domain.offer import HeldOrders, Offer, OfferPrice, OfferState
from syncengine.domain.order import Order, OrderEvent, OrderState, Payment, Reason
from syncengine.trade.lifecycle import move
from syncengine.trade.pricing import consumer_amount, paid_amount, violation

GATE_VALID = timedelta(minutes=15)
"""How long one answer of a gate speaks for the orders behind it."""

PROBE_AFTER = (timedelta(seconds=5), timedelta(seconds=15), timedelta(minutes=1), timedelta(minutes=5))
"""Waits between probes of a title that is not yet sellable; the last repeats (design section 7)."""

_REFUSALS: Mapping[OfferState, Reason] = {
    OfferState.UNAVAILABLE: Reason.UNAVAILABLE,
    OfferState.WITHDRAWN: Reason.WITHDRAWN,
    OfferState.OUT_OF_TERRITORY: Reason.OUT_OF_TERRITORY,
    OfferState.UNPRICED: Reason.UNPRICED,
    OfferState.REMOVED: Reason.REMOVED,
    OfferState.UNKNOWN: Reason.UNKNOWN_TITLE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What an order's decision rests on besides its offer.

    `gates` are those of the title by id; `refreshing` tells that the title is being read again; `sends` what the distributor
    has calls for (nothing: a plain file); `known` whether the source ever completed a pass; `room` whether the outbox takes
    another sale: else the order waits, with the terms it was received on.
    """

    at: datetime
    gates: Mapping[str, Gate]
    refreshing: bool
    sends: frozenset[OperationKind]
    known: bool
    room: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An order's next steps, each with its line of history, and what is owed to the distributor for it.

    `operation` goes into the outbox; `gate` is a gate to be saved, with `probe` to be sent for it; `revoke` takes back what
    was planned for the order and never sent.
    """

    order: Order
    events: tuple[OrderEvent, ...] = ()
    operation: Operation | None = None
    gate: Gate | None = None
    probe: Operation | None = None
    revoke: bool = False


class _Steps:
    """Collects the steps of one order; each reads on from the last."""

    def __init__(self, order: Order, at: datetime) -> None:
        self.order, self.at = order, at
        self.events: list[OrderEvent] = []
        self.revoke = False

    def to(self, state: OrderState, reason: Reason | None = None, note: str = "", **facts: Any) -> None:
        self.order, event = move(self.order, state, self.at, reason=reason, note=note, **facts)
        self.events.append(event)

    def plan(
        self, *, operation: Operation | None = None, gate: Gate | None = None, probe: Operation | None = None
    ) -> Plan:
        return Plan(
            order=self.order, events=tuple(self.events), operation=operation, gate=gate, probe=probe, revoke=self.revoke
        )


def decide(order: Order, offer: Offer, now: Circumstances, *, unsent: bool = True) -> Plan:
    """The next steps of a live order.

    `unsent` tells that what is owed for the order may be taken back: nothing of it has been sent, or it need not be known what
    came of it. An order in any other state than those of `LIVE_STATES` stays as it is.
    """
    steps = _Steps(order, now.at)
    match order.state:
        case OrderState.RECEIVED:
            return _receive(steps, offer, now)
        case OrderState.DECLARING:
            if unsent and (order.cancel_requested or not offer.accepts_preorders):
                steps.revoke = True
                steps.to(OrderState.WAITING, note="its declaration was not sent any more", declared_customer_id=None)
                return _proceed(steps, offer, now)
        case OrderState.WAITING | OrderState.PAYABLE:
            return _proceed(steps, offer, now)
        case OrderState.PLACING:
            if unsent and (why := _why_not_place(order, offer, now)):
                steps.revoke = True
                steps.to(OrderState.WAITING, note=why)
                return _proceed(steps, offer, now)
        case _:
            pass
    return steps.plan()


def gate_id(offer: Offer, protection: str | None) -> str:
    """What one answer of a probe speaks for: title, market, price and protection."""
    price = f"{offer.price.amount}:{offer.price.type}" if offer.price else "-"
    return f"{offer.key}|{offer.market}|{price}|{protection or '-'}"


def probe_due(attempts: int, at: datetime) -> datetime:
    """When to probe again after that many refusals."""
    return at + PROBE_AFTER[min(attempts, len(PROBE_AFTER)) - 1]


def refund(order: Order, at: datetime, reason: str | None) -> tuple[Order, OrderEvent, Operation]:
    """Take a placed order back: the step, and the operation that carries it. Raises TransitionInvalid."""
    moved, event = move(order, OrderState.REFUNDING, at, note=reason or "", refund_reason=reason)
    return moved, event, _operation(OperationKind.REFUND, moved, moved.key, None, reason=reason)


def _receive(steps: _Steps, offer: Offer, now: Circumstances) -> Plan:
    order = steps.order
    if order.cancel_requested:
        steps.to(OrderState.CANCELLED)
        return steps.plan()
    if OperationKind.SALE not in now.sends:
        steps.to(OrderState.REFUSED, Reason.NO_CALLS, f"{order.request.source} is a plain file: nobody to order from")
        return steps.plan()
    if not now.known:
        return steps.plan()
    if refusal := _refusal(order, offer):
        steps.to(OrderState.REFUSED, refusal[0], refusal[1])
        return steps.plan()
    steps.order = replace(_freeze(order, offer.price), key=offer.key)
    return _proceed(steps, offer, now)


def _refusal(order: Order, offer: Offer) -> tuple[Reason, str] | None:
    says = offer.rules[-1].says if offer.rules else ""
    if any(rule.id == "title.ambiguous" for rule in offer.rules):
        return Reason.AMBIGUOUS, says
    wanted = order.request.protection
    if wanted and wanted not in offered_protections(offer) and offer.state not in _REFUSALS:
        return Reason.PROTECTION_NOT_OFFERED, f"{wanted} is not among {', '.join(offered_protections(offer)) or 'none'}"
    if offer.state not in _REFUSALS and (lacking := _lacking_names(order, offer)):
        return Reason.NAMES_MISSING, lacking
    if offer.accepts_orders or offer.accepts_preorders:
        return None
    if reason := _REFUSALS.get(offer.state):
        return reason, says
    return (Reason.UNAVAILABLE, says) if offer.takes_no_new else None


def _lacking_names(order: Order, offer: Offer) -> str:
    """What the watermark would lack of the customer's names; empty where it lacks nothing."""
    names = {"first_name": order.request.first_name, "last_name": order.request.last_name}
    short = [name for name, text in names.items() if len(text or "") < offer.name_letters]
    return f"the watermark takes {' and '.join(short)} of at least {offer.name_letters} letters" if short else ""


def offered_protections(offer: Offer) -> tuple[str, ...]:
    """The protections a title is sold with, the usual one first."""
    return tuple(word for word in offer.terms.get("protections", "").split(",") if word)


def _freeze(order: Order, price: OfferPrice | None) -> Order:
    """With no agreed price, the first price that is seen becomes it (design section 7)."""
    if order.agreed_price is not None or price is None:
        return order
    return replace(order, agreed_price=price.amount, agreed_basis=price.tax.value)


def _proceed(steps: _Steps, offer: Offer, now: Circumstances) -> Plan:
    """On from RECEIVED, WAITING or PAYABLE by what the offer allows."""
    order = steps.order
    if order.cancel_requested:
        steps.to(OrderState.CANCELLED)
        return steps.plan()
    if offer.accepts_orders and offer.price is not None:
        return _sell(steps, offer, offer.price, now)
    if order.state is OrderState.PAYABLE:
        steps.to(OrderState.WAITING, note=f"no longer for sale: {offer.state.value}", amount=None)
    if offer.accepts_preorders and _to_declare(steps.order, offer, now):
        return _declare(steps, offer)
    if steps.order.state is OrderState.RECEIVED:
        steps.to(OrderState.WAITING, note=offer.state.value)
    elif offer.held_orders is HeldOrders.STOP:
        says = offer.rules[-1].says if offer.rules else offer.state.value
        steps.to(OrderState.ATTENTION, _REFUSALS.get(offer.state, Reason.UNAVAILABLE), says)
    return steps.plan()


def _to_declare(order: Order, offer: Offer, now: Circumstances) -> bool:
    return offer.declares_preorders and order.declared_customer_id is None and OperationKind.DECLARATION in now.sends


def _declare(steps: _Steps, offer: Offer) -> Plan:
    customer_id = escape_identifier(steps.order.request.customer_id)
    steps.to(OrderState.DECLARING, declared_customer_id=customer_id)
    return steps.plan(operation=_operation(OperationKind.DECLARATION, steps.order, offer.key, offer))


def _sell(steps: _Steps, offer: Offer, price: OfferPrice, now: Circumstances) -> Plan:
    if found := violation(steps.order, price):
        _to_waiting(steps)
        steps.to(OrderState.ATTENTION, found[0], found[1])
        return steps.plan()
    if lacking := _lacking_names(steps.order, offer):
        _to_waiting(steps)
        steps.to(OrderState.ATTENTION, Reason.NAMES_MISSING, lacking)
        return steps.plan()
    payable = consumer_amount(price)
    unpaid = steps.order.request.payment is Payment.ON_RELEASE and steps.order.paid_amount != payable
    if unpaid and steps.order.state is OrderState.PAYABLE and steps.order.amount == price.amount:
        return steps.plan()
    protection = steps.order.request.protection or offer.terms.get("protection")
    terms: dict[str, Any] = {"amount": price.amount, "price_type": price.type, "protection": protection}
    if offer.check_first:
        closed = _behind_gate(steps, offer, protection, terms, now)
        if closed is not None:
            return closed
    if unpaid:
        _to_waiting(steps)
        steps.to(OrderState.PAYABLE, note=f"{payable} {price.currency} to be confirmed", payable=payable, **terms)
        return steps.plan()
    if not now.room:
        _to_waiting(steps)
        return steps.plan()
    steps.to(OrderState.PLACING, **terms)
    return steps.plan(operation=_operation(OperationKind.SALE, steps.order, offer.key, offer))


def _to_waiting(steps: _Steps) -> None:
    if steps.order.state in {OrderState.RECEIVED, OrderState.PAYABLE}:
        steps.to(OrderState.WAITING)


def _behind_gate(
    steps: _Steps, offer: Offer, protection: str | None, terms: Mapping[str, Any], now: Circumstances
) -> Plan | None:
    """None where the gate is open; else the order stays back, with a probe where none is under way."""
    identity = gate_id(offer, protection)
    gate = now.gates.get(identity)
    lapsed = gate is not None and _has_lapsed(gate, offer, now.at)
    if gate and gate.state is GateState.OPEN and not lapsed:
        return None
    if steps.order.state is OrderState.RECEIVED:
        steps.to(OrderState.WAITING, note="the distributor is asked first")
    if gate and gate.state is GateState.REFUSED and not lapsed:
        _to_waiting(steps)
        steps.to(OrderState.ATTENTION, Reason.FACTS_DISPUTED, gate.note)
        return steps.plan()
    if gate and (gate.state is GateState.PROBING or (gate.state is GateState.STALE and now.refreshing)):
        return steps.plan()
    rounds = gate.stale_rounds if gate and gate.state is GateState.STALE else 0
    opened = Gate(
        id=identity, key=offer.key, market=offer.market, state=GateState.PROBING, since=now.at, stale_rounds=rounds
    )
    asked = replace(steps.order, **terms)
    return steps.plan(gate=opened, probe=_operation(OperationKind.PROBE, asked, offer.key, offer))


def _has_lapsed(gate: Gate, offer: Offer, at: datetime) -> bool:
    """Whether the answer behind a gate is too old to be relied on."""
    if gate.state is GateState.OPEN and offer.check_holds is not None and gate.since + offer.check_holds <= at:
        return True
    return gate.valid_until is not None and gate.valid_until <= at


def _why_not_place(order: Order, offer: Offer, now: Circumstances) -> str | None:
    """Why a sale that was planned and not sent must not go out, or none."""
    if order.cancel_requested:
        return "cancelled before it was sent"
    if not offer.accepts_orders or offer.price is None:
        return f"no longer for sale: {offer.state.value}"
    if offer.price.amount != order.amount or offer.price.type != order.price_type:
        return f"the price moved to {offer.price.amount} {offer.price.currency}"
    gate = now.gates.get(gate_id(offer, order.protection))
    if gate is not None and gate.state is not GateState.OPEN:
        return "the distributor does not sell it yet"
    return None


def _operation(
    kind: OperationKind, order: Order, key: TitleKey, offer: Offer | None, *, reason: str | None = None
) -> Operation:
    request = order.request
    name = " ".join(part for part in (request.first_name, request.last_name) if part)
    return Operation(
        kind=kind,
        key=key,
        market=request.market,
        reference=order.reference,
        customer_id=order.declared_customer_id or escape_identifier(request.customer_id),
        amount=order.amount,
        paid=paid_amount(order, offer.price) if offer and offer.price else None,
        price_type=order.price_type,
        tax_percent=offer.price.tax_percent if offer and offer.price else None,
        protection=order.protection,
        terms=dict(offer.terms) if offer else {},
        customer_name=name or None,
        first_name=request.first_name,
        last_name=request.last_name,
        consumer_id=request.consumer_id,
        reason=reason,
    )
