"""Values as documents with stable keys, and words as values: what commands print and take."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from syncengine.domain.change import Change
from syncengine.domain.delivery import Entry
from syncengine.domain.offer import Offer
from syncengine.domain.order import Order, OrderEvent
from syncengine.errors import UsageInvalid
from syncengine.ports import SetAside

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command says: a document with stable keys, and its exit code (design section 10)."""

    document: Document
    exit_code: int = 0


def required_amount(text: object, name: str) -> Decimal:
    """An amount of money. Raises UsageInvalid."""
    try:
        amount = Decimal(str(text))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise UsageInvalid(f"{name} {text!r} is no amount", hint="write it as 12.99")
    return amount


def parse_amount(text: object, name: str) -> Decimal | None:
    """An amount of money; none where nothing is given. Raises UsageInvalid."""
    return None if text is None or text == "" else required_amount(text, name)


def parse_instant(text: str) -> datetime:
    """An instant in ISO 8601 with its zone. Raises UsageInvalid."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageInvalid(f"{text!r} is no instant", hint="write it as 2026-12-01T00:00:00-05:00") from error
    if at.tzinfo is None:
        raise UsageInvalid(f"{text!r} has no zone", hint="add Z for UTC, or an offset such as -05:00")
    return at


def order_document(order: Order) -> Document:
    """An order with stable keys."""
    request = order.request
    return {
        "order_id": order.order_id,
        "state": order.state.value,
        "reason": order.reason and order.reason.value,
        "note": order.note,
        "source": request.source,
        "isbn": request.isbn,
        "format": order.key.format,
        "market": str(request.market),
        "customer_id": request.customer_id,
        "agreed_price": _text(order.agreed_price),
        "amount": _text(order.amount),
        "payable": _text(order.payable),
        "currency": request.market.currency,
        "price_type": order.price_type,
        "protection": order.protection,
        "price_rule": request.price_rule.value,
        "payment": request.payment.value,
        "reference": order.reference,
        "cancel_requested": order.cancel_requested,
        "received_at": order.received_at.isoformat(),
        "updated_at": order.updated_at.isoformat(),
    }


def offer_document(offer: Offer) -> Document:
    """An offer with exactly the keys of design section 10."""
    price = offer.price
    return {
        "isbn": offer.key.isbn,
        "format": offer.key.format,
        "source": offer.key.source,
        "record_reference": offer.record_reference,
        "market": str(offer.market),
        "at": offer.at.isoformat(),
        "state": offer.state.value,
        "price": price
        and {"amount": str(price.amount), "currency": price.currency, "type": price.type, "tax": price.tax.value},
        "starts_at": offer.starts_at and offer.starts_at.isoformat(),
        "next_change_at": offer.next_change_at and offer.next_change_at.isoformat(),
        "rules": [{"id": rule.id, "says": rule.says} for rule in offer.rules],
    }


def change_document(change: Change) -> Document:
    """One line of the change log."""
    return {
        "seq": change.sequence,
        "at": change.at.isoformat(),
        "source": change.source,
        "kind": change.kind.value,
        "isbn": change.key and change.key.isbn,
        "format": change.key and change.key.format,
        "record_reference": change.reference,
        "market": change.market,
        "fields": [{"field": field.field, "old": field.old, "new": field.new} for field in change.fields],
    }


def entry_document(entry: Entry) -> Document:
    """A row of the outbox."""
    operation = entry.operation
    return {
        "id": int(entry.id),
        "state": entry.state.value,
        "kind": operation.kind.value,
        "source": entry.source,
        "order_id": entry.order_id,
        "isbn": operation.key.isbn,
        "format": operation.key.format,
        "market": str(operation.market),
        "amount": _text(operation.amount),
        "reference": operation.reference,
        "attempts": entry.attempts,
        "ever_sent": entry.ever_sent,
        "due_at": entry.due_at.isoformat(),
        "note": entry.note,
    }


def event_document(event: OrderEvent) -> Document:
    """One line of an order's history."""
    return {
        "at": event.at.isoformat(),
        "from": event.before and event.before.value,
        "to": event.after.value,
        "reason": event.reason and event.reason.value,
        "note": event.note,
    }


def aside_document(row: SetAside) -> Document:
    """A frame that was set aside, without its bytes."""
    return {
        "id": f"r{row.id}",
        "kind": row.kind.value,
        "source": row.source,
        "part": row.part,
        "record_reference": row.reference,
        "line": row.line,
        "offset": row.offset,
        "reason": row.reason,
        "at": row.at.isoformat(),
    }


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)
