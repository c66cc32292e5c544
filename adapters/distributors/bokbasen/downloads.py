"""From an order to a link: content, its forms, and a status page on another host that is polled (contract bokbasen 8.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast
from urllib.parse import quote, urlencode, urlsplit

import orjson
from lxml import etree

from adapters.distributors.bokbasen.verdicts import word
from adapters.http.session import HttpSession
from syncengine.domain.delivery import Arrival, Receipt, Request
from syncengine.domain.ids import SourceName
from syncengine.errors import SourceFailed, SourceRefused, SourceUnreachable
from syncengine.ports import Clock, Pace

_JSON = (("Accept", "application/json"),)
_ANY_STATUS = (("Accept", "application/json, application/xml;q=0.9"),)
_MOST_FORMS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What is wanted of content: the kinds of audio, the best first, and a bitrate; how often and how long to ask for a status."""

    content_path: str
    audio_types: Sequence[str]
    bitrate: str
    poll_seconds: float
    poll_most_seconds: float


class Downloads:
    """Fetches links. The account's own session asks for content; a status page is asked by a stranger, without the token."""

    def __init__(
        self,
        name: SourceName,
        session: HttpSession,
        stranger: Callable[[str], HttpSession],
        wishes: Wishes,
        *,
        clock: Clock,
        pace: Pace,
    ) -> None:
        """`stranger` opens a session without credentials to an origin."""
        self._name = name
        self._session = session
        self._stranger = stranger
        self._wishes = wishes
        self._clock = clock
        self._pace = pace

    async def link(self, fulfilment: str, what: str) -> str:
        """A link to the file of an order, which `what` names in errors. Raises SourceFailed where there is none."""
        status_url = await self._status_address(fulfilment, what)
        parts = urlsplit(status_url)
        stranger = self._stranger(f"{parts.scheme}://{parts.netloc}")
        try:
            return await self._ready(stranger, f"{parts.path}?{parts.query}".rstrip("?"), what)
        finally:
            await stranger.aclose()

    async def _status_address(self, fulfilment: str, what: str) -> str:
        """Where the status of a fresh download is: another host, as it is given; of several forms the wished one is asked for."""
        path = f"{self._wishes.content_path}/{quote(fulfilment, safe='')}"
        target = path
        for _ in range(_MOST_FORMS):
            receipt = await self._asked(
                self._session, Request(method="GET", target=target, limit="content", headers=_JSON)
            )
            if receipt.status == 302:
                location = receipt.headers.get("location", "")
                if urlsplit(location).scheme in {"http", "https"}:
                    return location
                raise self._failed(what, "302 without an address")
            if receipt.status != 300:
                raise self._refused(what, receipt)
            form = self._form(receipt.body)
            if form is None:
                raise self._failed(what, "none of the forms it comes in is one of audio_types")
            target = f"{path}?{urlencode(form)}"
        raise self._failed(what, "none of the forms it offers is accepted")

    def _form(self, body: bytes) -> Mapping[str, str] | None:
        """The wished form among those offered: by type in the order of the wishes, by bitrate where it is told."""
        offered = list(_forms(body))
        for kind in self._wishes.audio_types:
            alike = [form for form in offered if form.get("type") == kind]
            for form in sorted(alike, key=lambda form: form.get("bitrate") != self._wishes.bitrate):
                return {name: form[name] for name in ("type", "bitrate") if name in form}
        return None

    async def _ready(self, stranger: HttpSession, target: str, what: str) -> str:
        """Poll until READY; it is given up after `poll_most_seconds` (contract 8.1: a choice)."""
        until = self._clock.monotonic() + self._wishes.poll_most_seconds
        while True:
            receipt = await self._asked(
                stranger, Request(method="GET", target=target, limit="status", headers=_ANY_STATUS)
            )
            if receipt.status != 200:
                raise self._refused(what, receipt)
            status, link = _read_status(receipt.body)
            if status == "READY" and urlsplit(link).scheme in {"http", "https"}:
                return link
            if status == "FAILED":
                raise self._failed(what, "FAILED: contact Bokbasen")
            if status != "PROCESSING":
                raise self._failed(what, f"a status that is not understood: {status[:40] or 'none'}")
            if self._clock.monotonic() >= until:
                raise SourceUnreachable(
                    f"{self._name}: the file of order {what} is still being made", hint="ask for the link again later"
                )
            await self._clock.sleep(self._wishes.poll_seconds)

    async def _asked(self, session: HttpSession, request: Request) -> Receipt:
        await self._pace.turn(self._name, request.limit)
        receipt = await session.call(request)
        if receipt.arrival is Arrival.REFUSED:
            raise SourceRefused(f"{self._name}: {receipt.detail}", hint="check client id and secret")
        if receipt.arrival is not Arrival.ANSWERED:
            raise SourceUnreachable(f"{self._name}: {receipt.detail}", hint="ask for the link again later")
        return receipt

    def _refused(self, what: str, receipt: Receipt) -> SourceFailed:
        return self._failed(what, word(receipt))

    def _failed(self, what: str, says: str) -> SourceFailed:
        return SourceFailed(f"{self._name}: no link for order {what}: {says}")


def _forms(body: bytes) -> Iterator[Mapping[str, str]]:
    """Every object with a `type` in the answer to a choice, wherever it stands: the names around it are not known (contract 14)."""
    waiting = [_document(body)]
    while waiting:
        found = waiting.pop()
        if isinstance(found, list):
            waiting.extend(reversed(found))
        elif isinstance(found, dict):
            if isinstance(found.get("type"), str):
                yield {name: str(value) for name, value in found.items() if isinstance(value, str | int)}
            else:
                waiting.extend(reversed(found.values()))


def _read_status(body: bytes) -> tuple[str, str]:
    """Status and link of a status page, in JSON, bare or wrapped, or in XML; both empty where it is neither."""
    document = _document(body)
    if isinstance(document, dict):
        inner = document.get("downloadStatus", document)
        said: Mapping[str, object] = inner if isinstance(inner, dict) else {}
    else:
        said = _elements(body)
    return str(said.get("status") or "").upper(), str(said.get("downloadURL") or "")


def _document(body: bytes) -> object:
    """What the JSON holds; none where it is none."""
    try:
        return cast("object", orjson.loads(body))
    except orjson.JSONDecodeError:
        return None


def _elements(body: bytes) -> Mapping[str, str]:
    try:
        root = etree.fromstring(body, etree.XMLParser(no_network=True, resolve_entities=False, huge_tree=False))
    except etree.XMLSyntaxError:
        return {}
    return {etree.QName(element).localname: (element.text or "").strip() for element in root.iter(etree.Element)}
