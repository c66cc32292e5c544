"""The stub's counter: orders, downloads and consumer accounts (contract 6 and 8)."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import orjson

from adapters.distributors.bokbasen.sandbox_knobs import StubSettings
from adapters.distributors.bokbasen.sandbox_shelf import Shelf
from adapters.distributors.bokbasen.sandbox_titles import MARKET, Resource, Title
from adapters.sandbox.catalogue import amount_text, instant_text, read_amount
from adapters.sandbox.ledger import Ledger, LedgerRow
from adapters.sandbox.stub import Answer, Call

AUDIO_FORMS = (
    ("audio/vnd.bokbasen.complete-public", "64"),
    ("audio/vnd.bokbasen.zipped-public", "64"),
    ("audio/vnd.bokbasen.complete-private", "64"),
    ("audio/vnd.bokbasen.zipped-private", "64"),
)
"""What an audio book can be fetched as (contract 8.1)."""

_FULFILMENTS = uuid.UUID("0b1d5a5e-8a5c-5d8a-8f54-64647320696e")
_DIGITS = re.compile(r"\d{1,12}", re.ASCII)
_LEAST_NAME = 2
_NOT_FOUND = Answer(status=404, word="not found")


@dataclass(slots=True, kw_only=True)
class Sale:
    """An order that was taken; its `fulfilment` is permanent. `order` is its whole body, none for one of an earlier run."""

    orderid: str
    isbn: str
    resid: str
    hundredths: int
    consumer: str | None
    fulfilment: str
    order: Mapping[str, Any] | None = None


@dataclass(slots=True, kw_only=True)
class _Download:
    """A status page, which is short-lived."""

    fulfilment: str
    ends_at: datetime
    polls_left: int
    fails: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Account:
    id: str
    email: str
    name: str
    surname: str


@dataclass(slots=True)
class _Accounts:
    by_id: dict[str, _Account] = field(default_factory=dict)
    by_email: dict[str, _Account] = field(default_factory=dict)

    def add(self, account: _Account) -> None:
        self.by_id[account.id] = account
        self.by_email[account.email] = account


class Counter:
    """Takes orders for one shop, writes what took effect into the ledger, and hands out files."""

    def __init__(self, *, distributor: str, shelf: Shelf, ledger: Ledger) -> None:
        self._distributor = distributor
        self._shelf = shelf
        self._ledger = ledger
        self._sales: dict[str, Sale] = {}
        self._by_fulfilment: dict[str, Sale] = {}
        self._downloads: dict[str, _Download] = {}
        self._accounts = _Accounts()

    # --- orders

    def order(self, call: Call, settings: StubSettings) -> Answer:
        """Contract 6.1. Bodies of refusals are invented words: none is documented."""
        if "json" not in call.headers.get("content-type", ""):
            return _refused(415, "CONTENT_TYPE")
        if not _takes_json(call):
            return _refused(406, "ACCEPT")
        order = _document(call.body)
        if order is None:
            return _refused(400, "PARAMETER_ERROR")
        self._shelf.pass_time(call.at)
        found = self._shelf.by_resource(str(order.get("resid", "")))
        if word := self._problem(order, found, settings):
            return _refused(400, word)
        if known := self._sales.get(order["orderid"]):
            return self._repeated(call, known, order, settings)
        if found is None:
            return _refused(400, "RESOURCE_NOT_FOUND")
        return self._take(call, order, *found, settings)

    def _problem(
        self, order: Mapping[str, Any], found: tuple[Title, Resource] | None, settings: StubSettings
    ) -> str | None:
        """What is wrong with the fields themselves, or none."""
        orderid, price, consumer = order.get("orderid"), order.get("spd"), order.get("id")
        if not isinstance(orderid, str) or not orderid.strip():
            return "ORDER_ID"
        if not _is_uuid(order.get("resid")):
            return "RESOURCE_ID"
        if isinstance(price, bool) or not isinstance(price, str | int) or not _DIGITS.fullmatch(str(price)):
            return "PRICE"
        if consumer is not None and not _is_uuid(consumer):
            return "CONSUMER_ID"
        if settings.strict_consumer and str(consumer).lower() not in self._accounts.by_id:
            return "USER_NOT_FOUND"
        names = [order.get(name) for name in ("firstname", "lastname")]
        needs_names = found is not None and found[1].drm == "SDRM"
        if needs_names and not all(isinstance(name, str) and len(name.strip()) >= _LEAST_NAME for name in names):
            return "NAME"
        return None

    def _repeated(self, call: Call, known: Sale, order: Mapping[str, Any], settings: StubSettings) -> Answer:
        """Contract 6.2: three ways to answer a repeated orderid; another order under it is refused in all of them."""
        if settings.duplicate == "409":
            return _refused(409, "ORDER_ID_NOT_UNIQUE")
        if settings.duplicate == "201" and _is_same(known, order):
            return _taken(call, known)
        return _refused(400, "ORDER_ID_NOT_UNIQUE")

    def _take(
        self, call: Call, order: Mapping[str, Any], title: Title, resource: Resource, settings: StubSettings
    ) -> Answer:
        is_sample = order.get("excerpt") is True
        if is_sample and not resource.excerpt:
            return _refused(400, "NO_EXCERPT")
        if not is_sample and (word := _why_not(title, resource, settings)):
            return _refused(400, word)
        sale = Sale(
            orderid=order["orderid"],
            isbn=title.isbn,
            resid=resource.resid,
            hundredths=int(order["spd"]),
            consumer=order.get("id"),
            fulfilment=str(uuid.uuid5(_FULFILMENTS, order["orderid"])),
            order=order,
        )
        self._keep(sale)
        answer = _taken(call, sale)
        if not is_sample:
            self._write(sale, title, resource, response=answer.headers["Location"], at=call.at)
        return answer

    def _keep(self, sale: Sale) -> None:
        self._sales[sale.orderid] = sale
        self._by_fulfilment[sale.fulfilment] = sale

    def _write(self, sale: Sale, title: Title, resource: Resource, *, response: str, at: datetime) -> None:
        country, currency = MARKET.split("/")
        self._ledger.append(
            LedgerRow(
                distributor=self._distributor,
                kind="sale",
                reference=sale.orderid,
                customer_id=sale.consumer,
                isbn=sale.isbn,
                format=title.format,
                amount=amount_text(sale.hundredths),
                currency=currency,
                country=country,
                price_type=None,
                protection=resource.drm,
                response=response,
                at=instant_text(at),
            )
        )

    def replay(self, row: LedgerRow) -> None:
        """Take back an order of an earlier run."""
        title = self._shelf.find(row.isbn)
        if title is None or title.resource is None:
            return
        self._keep(
            Sale(
                orderid=row.reference or "",
                isbn=row.isbn,
                resid=title.resource.resid,
                hundredths=read_amount(row.amount or "0"),
                consumer=row.customer_id,
                fulfilment=row.response.rpartition("/")[2],
            )
        )

    # --- downloads

    def content(self, call: Call, settings: StubSettings) -> Answer:
        """Contract 8.1: which forms there are (300), or where the status is (302)."""
        if not _takes_json(call):
            return _refused(406, "ACCEPT")
        self._shelf.pass_time(call.at)
        sale = self._by_fulfilment.get(call.path["fulfilment"])
        title = self._shelf.find(sale.isbn) if sale else None
        if sale is None or title is None or title.resource is None or not title.resource.published:
            return _NOT_FOUND
        if title.format == "audio" and (call.query.get("type"), call.query.get("bitrate")) not in AUDIO_FORMS:
            forms = [{"type": kind, "bitrate": bitrate} for kind, bitrate in AUDIO_FORMS]
            return Answer(status=300, word="forms", body=orjson.dumps(forms), content_type="application/json")
        return self._started(call, sale.fulfilment, settings)

    def sample(self, call: Call, settings: StubSettings) -> Answer:
        """A sample of an e-book, without any order."""
        self._shelf.pass_time(call.at)
        found = self._shelf.by_resource(call.path["resource"])
        if found is None or not found[1].excerpt:
            return _NOT_FOUND
        return self._started(call, f"sample-{found[1].resid}", settings)

    def _started(self, call: Call, fulfilment: str, settings: StubSettings) -> Answer:
        number = len(self._downloads) + 1
        download = hashlib.sha256(f"{fulfilment}:{number}".encode()).hexdigest()[:32]
        self._downloads[download] = _Download(
            fulfilment=fulfilment,
            ends_at=call.at + timedelta(seconds=settings.status_seconds),
            polls_left=settings.processing_polls,
            fails=call.fault("download_failed") is not None,
        )
        location = f"{_elsewhere(call.origin)}/{self._distributor}/download/{download}/status"
        return Answer(status=302, word="started", body=b"", headers={"Location": location})

    def status(self, call: Call, settings: StubSettings) -> Answer:
        """The status page, on another host; a token has no business there."""
        if call.authorization:
            return Answer(status=400, word="a token was sent to another host")
        download = self._downloads.get(call.path["download"])
        if download is None or call.at >= download.ends_at:
            return _NOT_FOUND
        if call.fault("unreadable_status"):
            return Answer(status=200, word="unreadable", body=b"<<<", content_type="application/json")
        if download.polls_left > 0:
            download.polls_left -= 1
            return _status("PROCESSING", None, settings)
        if download.fails:
            return _status("FAILED", None, settings)
        return _status("READY", f"{call.origin}/{self._distributor}/files/{call.path['download']}", settings)

    def file(self, call: Call) -> Answer:
        """The file behind a link; a watermark names its buyer (contract 6.1)."""
        download = self._downloads.get(call.path["download"])
        if download is None or call.at >= download.ends_at:
            return _NOT_FOUND
        body = f"file of {download.fulfilment}\n{self._watermark(download.fulfilment)}".encode()
        return Answer(status=200, word="file", body=body, content_type="application/octet-stream")

    def _watermark(self, fulfilment: str) -> str:
        """The buyer as the order names him, where the file sold has such a mark; nothing for samples and orders of an earlier run."""
        sale = self._by_fulfilment.get(fulfilment)
        found = self._shelf.by_resource(sale.resid) if sale else None
        if sale is None or sale.order is None or found is None or found[1].drm != "SDRM":
            return ""
        return f"for {sale.order.get('firstname', '')} {sale.order.get('lastname', '')}\n"

    # --- consumer accounts

    def account(self, call: Call, settings: StubSettings) -> Answer:  # noqa: ARG002 - a look-up has no choices
        """Contract 8.2: by id or address; an unknown one is 200 as well."""
        named = call.path["account"].lower()
        account = self._accounts.by_id.get(named) or self._accounts.by_email.get(named)
        if account is None:
            return _json(200, {"data": "USER_NOT_FOUND"}, word="USER_NOT_FOUND")
        return _json(200, {"id": account.id, "active": True}, word="found")

    def open_account(self, call: Call, settings: StubSettings) -> Answer:  # noqa: ARG002 - the same
        """A new account; an address has one at most."""
        wish = _document(call.body) or {}
        email, name, surname = (str(wish.get(key) or "").strip() for key in ("email", "name", "surname"))
        if "@" not in email or min(len(name), len(surname)) < _LEAST_NAME or email.lower() in self._accounts.by_email:
            return _json(400, {"data": "PARAMETER_ERROR"}, word="PARAMETER_ERROR")
        identity = str(uuid.uuid5(_FULFILMENTS, email.lower()))
        self._accounts.add(_Account(id=identity, email=email.lower(), name=name, surname=surname))
        return _json(200, {"id": identity, "active": True}, word="opened")


def _why_not(title: Title, resource: Resource, settings: StubSettings) -> str | None:
    """Why the warehouse does not sell the resource now, or none."""
    latest = title.resource
    if resource is not latest:
        if settings.strict_resid or latest is None:
            return "RESOURCE_REPLACED"
        resource = latest
    if resource.deleted is not None or not resource.access:
        return "NO_ACCESS"
    if not resource.published and settings.unpublished == "reject":
        return "NOT_PUBLISHED"
    return None


def _is_same(known: Sale, order: Mapping[str, Any]) -> bool:
    """Whether it is the very order that was taken; of one of an earlier run only book and price are known."""
    if known.order is not None:
        return known.order == order
    return known.resid == str(order["resid"]).lower() and known.hundredths == int(order["spd"])


def _taken(call: Call, sale: Sale) -> Answer:
    path = call.target.partition("?")[0].replace("/dds/order/v1", f"/dds/content/v1/{sale.fulfilment}")
    return Answer(status=201, word="created", body=b"", headers={"Location": call.origin + path})


def _refused(status: int, word: str) -> Answer:
    return _json(status, {"data": word}, word=word)


def _json(status: int, document: object, *, word: str) -> Answer:
    return Answer(status=status, word=word, body=orjson.dumps(document), content_type="application/json")


def _status(word: str, link: str | None, settings: StubSettings) -> Answer:
    if settings.status_form == "xml":
        url = f"<downloadURL>{link}</downloadURL>" if link else ""
        body = (
            f"<?xml version='1.0' encoding='UTF-8'?>\n<downloadStatus><status>{word}</status>{url}</downloadStatus>\n"
        )
        return Answer(status=200, word=word, body=body.encode(), content_type="application/xml")
    document: dict[str, Any] = {"status": word, **({"downloadURL": link} if link else {})}
    return _json(200, {"downloadStatus": document} if settings.status_form == "wrapped" else document, word=word)


def _elsewhere(origin: str) -> str:
    """The same machine under its other name: another host, as far as a token is concerned."""
    parts = urlsplit(origin)
    host = "127.0.0.1" if parts.hostname == "localhost" else "localhost"
    return f"{parts.scheme}://{host}:{parts.port}"


def _document(body: bytes) -> Mapping[str, Any] | None:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def _takes_json(call: Call) -> bool:
    return "json" in call.headers.get("accept", "")


def _is_uuid(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return str(uuid.UUID(value)) == value.lower()
    except ValueError:
        return False
