"""The stub's e-book service in both styles, and its tokens (contract 1.3, 8, with the modes of 11.9 and 11.10)."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from adapters.distributors.cb.sandbox_catalogue import TEST_TITLES
from adapters.distributors.cb.sandbox_knobs import EBOOK_CODES, StubSettings
from adapters.distributors.cb.sandbox_shelf import Shelf
from adapters.distributors.cb.sandbox_titles import ANNOUNCED, Title
from adapters.sandbox.catalogue import instant_text
from adapters.sandbox.ledger import Ledger, LedgerRow
from adapters.sandbox.stub import Answer, Call

PREFIX = "CB-"
CLIENT_ID = "boekwinkel"
USERNAME = "winkel"
_EAN = re.compile(r"\d{13}")
_ENDED_CHANNEL = "BS"
_ENDED = datetime.min.replace(tzinfo=UTC)

_Work = Callable[[Call, dict[str, Any], StubSettings], "Answer | str"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An order that was registered."""

    order_id: str
    isbn: str


class EbookService:
    """Answers checkOrderable, placeOrder and getContentUrl, and writes what took effect into the ledger."""

    def __init__(self, *, distributor: str, shelf: Shelf, ledger: Ledger, secret: bytes) -> None:
        self._distributor = distributor
        self._shelf = shelf
        self._ledger = ledger
        self._secret = secret
        self._orders: dict[str, Placed] = {}
        self._tokens: dict[str, datetime] = {}

    @property
    def client_secret(self) -> str:
        """Of the client that may have a token."""
        return self._derive("client")

    @property
    def password(self) -> str:
        """Of the user of the two headers."""
        return self._derive("password")

    # --- who asks

    def token(self, call: Call, settings: StubSettings) -> Answer:
        """Client credentials in a form (1.3)."""
        given = [call.parameters.get(name, "") for name in ("grant_type", "client_id", "client_secret")]
        if call.fault("access_denied") or given[1:] != [CLIENT_ID, self.client_secret]:
            return _json({"error": "invalid_client"}, status=401)
        if given[0] != "client_credentials":
            return _json({"error": "unsupported_grant_type"}, status=400)
        token = self._derive(f"token {len(self._tokens)}")
        self._tokens[token] = call.at + timedelta(seconds=settings.token_seconds)
        return _json({"access_token": token, "token_type": "Bearer", "expires_in": settings.token_seconds})

    def revoke_tokens(self) -> None:
        """No token that was given is good any more."""
        self._tokens = dict.fromkeys(self._tokens, _ENDED)

    def _admitted(self, call: Call, settings: StubSettings) -> str | None:
        """The code for who may not ask, or none."""
        if call.fault("access_denied"):
            return "CEP-003" if settings.style == "cep" else "WMS-00004"
        if settings.style == "cep":
            ends_at = self._tokens.get(call.authorization.removeprefix("Bearer "))
            return None if ends_at is not None and call.at < ends_at else "CEP-003"
        user, password = call.headers.get("username", ""), call.headers.get("password", "")
        if not user and not password:
            return "WMS-00005"
        return None if (user, password) == (USERNAME, self.password) else "WMS-00002"

    # --- operations

    def check(self, call: Call, settings: StubSettings) -> Answer:
        """`checkOrderable`."""
        return self._answered(call, settings, self._check)

    def place(self, call: Call, settings: StubSettings) -> Answer:
        """`placeOrder`."""
        return self._answered(call, settings, self._place)

    def content(self, call: Call, settings: StubSettings) -> Answer:
        """`getContentUrl`."""
        return self._answered(call, settings, self._content)

    def unknown(self, call: Call, settings: StubSettings) -> Answer:
        """Any other path of the service: no such resource, which says nothing of a title."""
        return self._answered(call, settings, lambda *_: "CEP-004")

    def replay(self, row: LedgerRow) -> None:
        """Take back a row of an earlier run."""
        self._orders[row.reference or ""] = Placed(order_id=row.response, isbn=row.isbn)

    def _answered(self, call: Call, settings: StubSettings, work: _Work) -> Answer:
        if code := self._admitted(call, settings):
            return self._refusal(code, settings)
        if call.fault("bare_failure"):
            return Answer(status=500, word="Internal server error")
        for code in EBOOK_CODES:
            if call.fault(code):
                return self._refusal(code, settings)
        fields = _fields(call.body)
        if fields is None:
            return self._refusal("WMS-00008" if settings.style == "legacy" else "CEP-002", settings)
        found = work(call, fields, settings)
        return found if isinstance(found, Answer) else self._refusal(found, settings)

    def _check(self, call: Call, fields: dict[str, Any], settings: StubSettings) -> Answer | str:
        if code := _wrong(fields, "EAN"):
            return code
        title = self._title(fields["EAN"], settings)
        if title is None:
            return "EBS-10003"
        return self._good(call, {"Orderable": "Y" if title.is_sold(call.at) else "N"})

    def _place(self, call: Call, fields: dict[str, Any], settings: StubSettings) -> Answer | str:
        if code := _wrong(fields, "EAN", "OrderReference"):
            return code
        reference = fields["OrderReference"]
        if reference in self._orders:
            return "EBS-10005"
        title = self._title(fields["EAN"], settings)
        if title is None:
            return "EBS-10003"
        if not title.is_sold(call.at):
            not_yet = title.availability_at(call.at) == ANNOUNCED or title.is_held(call.at)
            return "EBS-10006" if not_yet else "EBS-10004"
        placed = self._register(call, reference, title)
        if call.fault("unpriced_registered"):
            return "EBS-10060"
        return self._good(call, self._delivery(placed))

    def _content(self, call: Call, fields: dict[str, Any], _settings: StubSettings) -> Answer | str:
        if code := _wrong(fields, "OrderReference"):
            return code
        placed = self._orders.get(fields["OrderReference"])
        return "EBS-10077" if placed is None else self._good(call, self._delivery(placed))

    def _title(self, ean: str, settings: StubSettings) -> Title | None:
        title = self._shelf.find(ean)
        if title is None or (settings.only_test_titles and ean not in TEST_TITLES):
            return None
        if title.is_audio and not settings.audiobooks_as_ebooks:
            return None
        return title

    def _register(self, call: Call, reference: str, title: Title) -> Placed:
        placed = Placed(order_id=f"{PREFIX}{len(self._orders) + 1:06d}", isbn=title.isbn)
        self._orders[reference] = placed
        self._ledger.append(
            LedgerRow(
                distributor=self._distributor,
                kind="sale",
                reference=reference,
                customer_id=None,
                isbn=title.isbn,
                format=title.format,
                amount=None,
                currency=None,
                country=None,
                price_type=None,
                protection=None,
                response=placed.order_id,
                at=instant_text(call.at),
            )
        )
        return placed

    def _delivery(self, placed: Placed) -> dict[str, Any]:
        title = self._shelf.find(placed.isbn)
        first = {"EAN": placed.isbn, "URL": self._url(placed, placed.isbn)}
        parts = [{"EAN": ean, "URL": self._url(placed, ean)} for ean in (title.parts if title else ())]
        if parts:
            return {"CbOrderReference": placed.order_id, "Items": [first, *parts]}
        return {"CbOrderReference": placed.order_id, **first}

    def _url(self, placed: Placed, ean: str) -> str:
        return f"https://ep1.eboekhuis.example/wmDwld.php?uid={self._derive(placed.order_id)}&ean={ean}&r=1"

    # --- how it answers

    def _good(self, call: Call, document: Mapping[str, Any]) -> Answer:
        if call.fault("information"):
            said = {"MessageType": "I", "MessageCode": "EBS-20001", "MessageText": "maintenance tonight"}
            return _json({**document, **said}, word="ok")
        return _json(document, word="ok")

    def _refusal(self, code: str, settings: StubSettings) -> Answer:
        """The same code in either style; the new platform has names of its own for fields, logins and addresses."""
        legacy, cep = EBOOK_CODES[code]
        if settings.style == "legacy":
            document = {"MessageType": "E", "MessageCode": code, "MessageText": f"refused: {code}"}
            return _json(document, status=legacy, word=code)
        told = {400: "CEP-002" if code.startswith(("EBS", "WMS")) else code, 401: "CEP-003"}.get(cep, code)
        text = f"refused: {told}" if cep < 500 else "processing failed [b7c1-42]"
        return _json({"MessageType": "E", "MessageCode": told, "MessageText": text}, status=cep, word=told)

    def _derive(self, name: str) -> str:
        return hmac.new(self._secret, name.encode(), hashlib.sha256).hexdigest()[:40]


def _fields(body: bytes) -> dict[str, Any] | None:
    """The request; none where it is no object or holds a null, which is never taken (8.1)."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(found, dict) or any(not isinstance(value, str) for value in found.values()):
        return None
    return found


def _wrong(fields: Mapping[str, str], *required: str) -> str | None:
    """The code for a field that is missing or will not do."""
    for name in required:
        if not fields.get(name):
            return "EBS-10001"
    if "EAN" in required and not _EAN.fullmatch(fields["EAN"]):
        return "EBS-10075"
    if len(fields.get("OrderReference", "")) > 100:
        return "EBS-10076"
    if fields.get("DeliveryChannel", "") == _ENDED_CHANNEL:
        return "EBS-10056"
    return "EBS-10073" if fields.get("DeliveryChannel", "CBW") not in {"", "CBW"} else None


def _json(document: Mapping[str, Any], *, status: int = 200, word: str = "") -> Answer:
    return Answer(status=status, word=word, body=orjson.dumps(document), content_type="application/json")
