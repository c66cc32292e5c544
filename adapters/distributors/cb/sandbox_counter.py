"""The stub's Luisterhuis counter: orders, links, the settlement (contract 2.4 to 2.8, with the modes of 11.6 to 11.8)."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from xml.sax.saxutils import escape

from adapters.distributors.cb.sandbox_feed import SYNTAX, refusal, xml
from adapters.distributors.cb.sandbox_knobs import StubSettings
from adapters.distributors.cb.sandbox_shelf import Shelf
from adapters.distributors.cb.sandbox_titles import ANNOUNCED, WITHDRAWN, ZONE, Title
from adapters.sandbox.catalogue import amount_text, instant_text
from adapters.sandbox.ledger import Ledger, LedgerRow
from adapters.sandbox.stub import Answer, Call

PREFIX = "LH-"
_EAN = re.compile(r"\d{13}")
_NET_PERCENT = 70


@dataclass(slots=True, kw_only=True)
class Order:
    """An order that was committed; `tokens` are its links, the last of them alive, fetched so many times since it was given."""

    order_id: str
    isbn: str
    reference: str
    at: datetime
    amount: int
    tokens: list[str] = field(default_factory=list)
    fetched: int = 0
    reset_at: datetime | None = None


class Counter:
    """Takes Luisterhuis' orders and writes what took effect into the ledger."""

    def __init__(self, *, distributor: str, shelf: Shelf, ledger: Ledger, secret: bytes) -> None:
        self._distributor = distributor
        self._shelf = shelf
        self._ledger = ledger
        self._secret = secret
        self._orders: dict[str, Order] = {}
        self._by_reference: dict[str, str] = {}

    def submit(self, call: Call, settings: StubSettings) -> Answer:
        """`submitOrder`: only what has availability 20 is processed; nothing is queued (2.4)."""
        ean, customer = call.parameters.get("EAN13", ""), call.parameters.get("CustomerID", "")
        reference = call.parameters.get("reference", "")
        if call.fault("syntax") or not _EAN.fullmatch(ean):
            return SYNTAX
        if not customer or len(customer) > 64 or "@" in customer or not reference or len(reference) > 100:
            return refusal("EBS-10076")
        known = self._by_reference.get(reference)
        if known is not None and settings.duplicate == "error":
            return refusal("EBS-10005")
        if known is not None and settings.duplicate == "replay":
            return self._answer(call, self._orders[known], settings)
        if refused := self._refused(call, self._shelf.find(ean)):
            return refused
        return self._answer(call, self._accept(call, ean, customer, reference), settings)

    def cancel(self, _call: Call, _settings: StubSettings) -> Answer:
        """Not supported any more (2.7)."""
        return refusal("LHS-00001", "cancelling an order is not supported")

    def mail(self, call: Call, _settings: StubSettings) -> Answer:
        """`sendDownloadLink`; repeatable, and no part of any order (2.5)."""
        if call.parameters.get("OrderID") not in self._orders or "@" not in call.parameters.get("Email", ""):
            return refusal("EBS-10077")
        return xml({"Sent": "yes"}, word="sent")

    def reset(self, call: Call, settings: StubSettings) -> Answer:
        """`resetDownloadLinks`: the same link or a new one, to be used as often as before (2.6)."""
        order = self._orders.get(call.parameters.get("OrderID", ""))
        if order is None:
            return refusal("EBS-10077")
        order.fetched, order.reset_at = 0, call.at
        if settings.reset_link == "new":
            order.tokens.append(self._token(order))
        return self._answer(call, order, settings)

    def file(self, call: Call, settings: StubSettings) -> Answer:
        """The file behind a link, as long as it may be used."""
        token = call.path["token"]
        order = next((order for order in self._orders.values() if order.tokens and order.tokens[-1] == token), None)
        if order is None:
            return Answer(status=404, word="unknown link")
        if call.at >= (order.reset_at or order.at) + timedelta(days=settings.link_days):
            return Answer(status=410, word="link expired")
        if order.fetched >= settings.link_limit:
            return Answer(status=410, word="link used up")
        order.fetched += 1
        return Answer(status=200, body=b"PK\x05\x06" + bytes(18), content_type="application/zip")

    def settlement(self, call: Call, settings: StubSettings) -> Answer:
        """Exactly what was committed in a Dutch month, whatever came of the answers (2.8)."""
        month = call.query.get("month", "")
        if not re.fullmatch(r"\d{4}-\d{2}", month):
            return SYNTAX
        lines = [
            self._line(order, settings)
            for order in self._orders.values()
            if f"{order.at.astimezone(ZONE):%Y-%m}" == month
        ]
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Settlement>{"".join(lines)}</Settlement>\n'
        return Answer(status=200, body=body.encode(), content_type="application/xml; charset=utf-8")

    def replay(self, row: LedgerRow) -> None:
        """Take back a row of an earlier run; downloads are not in the ledger and are forgotten."""
        title = self._shelf.find(row.isbn)
        at = datetime.fromisoformat(row.at)
        self._keep(row.response, row.isbn, row.reference or "", at, (title and title.amount_at(at)) or 0)

    def _refused(self, call: Call, title: Title | None) -> Answer | None:
        if title is None or not title.is_audio:
            return refusal("EBS-10003")
        if call.fault("withdrawn_now"):
            return refusal("EBS-10011")
        if title.is_sold(call.at):
            return None
        match title.availability_at(call.at):
            case code if code == ANNOUNCED:
                return refusal("EBS-10006")
            case code if code == WITHDRAWN or title.is_deleted or title.is_sellable is False:
                return refusal("EBS-10011")
            case _:
                return refusal("EBS-10004")

    def _accept(self, call: Call, ean: str, customer: str, reference: str) -> Order:
        title = self._shelf.find(ean)
        order_id = f"{PREFIX}{len(self._orders) + 1:06d}"
        order = self._keep(order_id, ean, reference, call.at, (title and title.amount_at(call.at)) or 0)
        self._ledger.append(
            LedgerRow(
                distributor=self._distributor,
                kind="sale",
                reference=reference,
                customer_id=customer,
                isbn=ean,
                format=title.format if title else None,
                amount=None,
                currency=None,
                country=None,
                price_type=None,
                protection=None,
                response=order_id,
                at=instant_text(call.at),
            )
        )
        return order

    def _keep(self, order_id: str, ean: str, reference: str, at: datetime, amount: int) -> Order:
        order = Order(order_id=order_id, isbn=ean, reference=reference, at=at, amount=amount)
        order.tokens.append(self._token(order))
        self._orders[order_id] = order
        self._by_reference[reference] = order_id
        return order

    def _answer(self, call: Call, order: Order, settings: StubSettings) -> Answer:
        fields = {"OrderID": order.order_id, "EAN13": order.isbn}
        if not call.fault("no_link"):
            fields["DownloadURL"] = f"{settings.link_base}/dl/{order.tokens[-1]}?ean={order.isbn}"
        return xml(fields, word="ordered")

    def _line(self, order: Order, settings: StubSettings) -> str:
        fields = {
            "OrderID": order.order_id,
            "EAN13": order.isbn,
            "OrderedAt": f"{order.at.astimezone(ZONE):%Y-%m-%dT%H:%M:%S}",
            "NetAmount": amount_text(order.amount * _NET_PERCENT // 100),
        }
        if settings.settlement_reference:
            fields["Reference"] = order.reference
        return "<Order>" + "".join(f"<{name}>{escape(text)}</{name}>" for name, text in fields.items()) + "</Order>\n"

    def _token(self, order: Order) -> str:
        named = f"{order.order_id}:{len(order.tokens)}".encode()
        return hmac.new(self._secret, named, hashlib.sha256).hexdigest()[:32]
