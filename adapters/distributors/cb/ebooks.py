"""The e-book service's calls: checkOrderable, placeOrder, getContentUrl (contract cb 8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

from adapters.distributors.cb import answers, verdicts
from adapters.distributors.cb.audiobooks import within
from adapters.distributors.cb.codes import Meaning, meaning_of
from adapters.distributors.cb.settings import Ebooks
from adapters.http.session import HttpSession
from syncengine.domain.delivery import Operation, OperationKind, Receipt, Request, Verdict
from syncengine.domain.ids import SourceName
from syncengine.domain.order import Order
from syncengine.errors import SourceFailed, SourceRefused, UsageInvalid
from syncengine.ports import World

_JSON = (("Accept", "application/json"), ("Content-Type", "application/json"))
LONGEST_REFERENCE = 100
"""Of an OrderReference (contract cb 8.1)."""

_CHECK, _PLACE, _CONTENT = "checkOrderable", "placeOrder", "getContentUrl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one operation is asked for: the session of its origin, and the path below that."""

    session: HttpSession
    target: str


def origin_and_path(url: str) -> tuple[str, str]:
    """An address as the base address of a session and a target below it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}", parts.path or "/"


class EbookCalls:
    """One shop's calls. The order's reference is the key: a second order under it is an error, never a second sale (6)."""

    def __init__(self, name: SourceName, settings: Ebooks, places: Mapping[str, Place], world: World) -> None:
        """`places` are by operation."""
        self._name = name
        self._settings = settings
        self._places = places
        self._pace = world.pace

    @property
    def concurrency(self) -> int:
        """How many calls may be in flight at once."""
        return self._settings.concurrency

    def prepare(self, operation: Operation) -> Request:
        """`checkOrderable` or `placeOrder`."""
        match operation.kind:
            case OperationKind.PROBE:
                return self._request(_CHECK, {"ean": operation.key.isbn, "channel": self._settings.delivery_channel})
            case OperationKind.SALE:
                fields = {
                    "ean": operation.key.isbn,
                    "reference": within(operation.reference, LONGEST_REFERENCE),
                    "channel": self._settings.delivery_channel,
                }
                return self._request(_PLACE, fields)
            case _:
                raise UsageInvalid(f"CB's e-book service has no call for a {operation.kind.value}")

    def prepare_lookup(self, operation: Operation) -> Request:
        """`getContentUrl`."""
        return self._request(_CONTENT, {"reference": within(operation.reference, LONGEST_REFERENCE)})

    async def send(self, request: Request) -> Receipt:
        """Make the call once; its receipt keeps no link."""
        return answers.without_links(await self._place(request).session.call(request))

    def read(self, operation: Operation, receipt: Receipt) -> Verdict:
        """What the answer means."""
        settings = self._settings
        if operation.kind is OperationKind.PROBE:
            return verdicts.read_check(receipt, settings.wire, settings.meanings)
        return verdicts.read_placed(receipt, operation.key.isbn, settings.wire, settings.meanings)

    def read_lookup(self, operation: Operation, receipt: Receipt) -> Verdict:
        """Whether the reference stands for this title."""
        return verdicts.read_content(receipt, operation.key.isbn, self._settings.wire, self._settings.meanings)

    async def download_link(self, order: Order) -> str:
        """The link of a sold title, asked for anew (8.1); of several parts that with the title's own EAN."""
        settings = self._settings
        request = self._request(_CONTENT, {"reference": within(order.reference, LONGEST_REFERENCE)})
        await self._pace.turn(self._name, request.limit)
        receipt = await self._place(request).session.call(request)
        answer = answers.read(receipt.body)
        meaning, code = meaning_of(answer.errors, receipt.status, settings.meanings)
        if receipt.status == 200 and meaning is None:
            link, ean = settings.wire["link"], settings.wire["ean"]
            own = [group[link] for group in answer.groups if group.get(ean) == order.key.isbn and link in group]
            for text in (*own, *answer.texts(link)):
                if verdicts.is_link(text):
                    return text
        if meaning is Meaning.UNAUTHORIZED:
            raise SourceRefused(f"{self._name}: CB refuses the credentials ({code})", hint="check the secret")
        raise SourceFailed(
            f"{self._name}: no link for order {order.order_id} ({receipt.detail or code})",
            hint="EBS-10077 means that CB knows no such order",
        )

    async def aclose(self) -> None:
        """Give back connections."""
        for session in {id(place.session): place.session for place in self._places.values()}.values():
            await session.aclose()

    def _request(self, operation: str, fields: Mapping[str, str]) -> Request:
        """What is empty is left out: null is not taken (8.1)."""
        names = self._settings.wire
        body = msgspec.json.encode({names[key]: text for key, text in fields.items() if text})
        return Request(
            method="POST",
            target=self._places[operation].target,
            limit=operation.lower(),
            headers=_JSON,
            body=body,
        )

    def _place(self, request: Request) -> Place:
        return next(place for name, place in self._places.items() if name.lower() == request.limit)
