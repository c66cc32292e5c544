"""Luisterhuis' calls: availability, orders, links, the monthly settlement (contract cb 2.3 to 2.9)."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from urllib.parse import urlencode

from adapters.distributors.cb import answers, verdicts
from adapters.distributors.cb.settings import LUISTERHUIS_LIMIT, Luisterhuis
from adapters.http.receipts import patience_until
from adapters.http.session import Answer, HttpSession
from syncengine.domain.delivery import Operation, OperationKind, Receipt, Request, Verdict
from syncengine.domain.ids import Isbn, SourceName
from syncengine.domain.order import Order
from syncengine.errors import SourceFailed, SourceRefused, UsageInvalid
from syncengine.ports import World

_FORM = ("Content-Type", "application/x-www-form-urlencoded")
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPED_PREFIX = "x--"
_DIGEST_LENGTH = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """One line of a settlement: what CB says it has sold. `reference` is ours, where CB gives it back at all."""

    order_id: str
    isbn: Isbn
    at: str
    amount: Decimal | None
    reference: str


class AudiobookCalls:
    """One shop's calls to Luisterhuis. An order whose outcome is unknown is never sent again: the settlement proves it."""

    def __init__(
        self, name: SourceName, settings: Luisterhuis, session: HttpSession, world: World, room: asyncio.Semaphore
    ) -> None:
        """`room` bounds the calls and pages in flight together (contract cb 3.8)."""
        self._name = name
        self._settings = settings
        self._session = session
        self._pace = world.pace
        self._room = room

    @property
    def concurrency(self) -> int:
        """How many calls may be in flight at once."""
        return self._settings.concurrency

    def prepare(self, operation: Operation) -> Request:
        """The availability check, or the order: EAN, customer and reference, one title and one copy, no price (2.4)."""
        settings = self._settings
        if operation.kind is OperationKind.PROBE:
            query = urlencode({settings.name("check_ean"): operation.key.isbn})
            return Request(method="GET", target=f"{settings.availability_path}?{query}", limit=LUISTERHUIS_LIMIT)
        if operation.kind is not OperationKind.SALE:
            raise UsageInvalid(f"Luisterhuis has no call for a {operation.kind.value}")
        form = urlencode(
            {
                settings.name("ean"): operation.key.isbn,
                settings.name("customer_id"): opaque_customer(operation.customer_id, settings.longest_customer_id),
                settings.name("reference"): within(operation.reference, settings.longest_reference),
            }
        )
        if settings.order_method == "GET":
            return Request(method="GET", target=f"{settings.order_path}?{form}", limit=LUISTERHUIS_LIMIT)
        return Request(
            method="POST",
            target=settings.order_path,
            limit=LUISTERHUIS_LIMIT,
            headers=(_FORM,),
            body=form.encode("ascii"),
        )

    async def send(self, request: Request) -> Receipt:
        """Make the call once; its receipt keeps no link."""
        async with self._room:
            return answers.without_links(await self._session.call(request))

    def read(self, operation: Operation, receipt: Receipt, *, sent_before: bool) -> Verdict:
        """What the answer means."""
        settings = self._settings
        if operation.kind is OperationKind.PROBE:
            return verdicts.read_availability(receipt, settings.wire, settings.meanings)
        return verdicts.read_order(receipt, settings.wire, settings.meanings, sent_before=sent_before)

    async def download_link(self, order: Order) -> str:
        """Fresh links for a sold title, of which the first (2.6): CB gives them by its own order number, which the order keeps."""
        order_id = order.receipt
        if not order_id:
            raise UsageInvalid(
                f"order {order.order_id} has no order number of Luisterhuis",
                hint="look it up in the settlement of its month, then `orders resolve ID --placed NUMBER`",
            )
        answer = await self._posted(self._settings.reset_path, {"order_id": order_id}, f"order {order.order_id}")
        links = [text for text in answer.texts(self._settings.name("link")) if verdicts.is_link(text)]
        if not links:
            raise SourceFailed(f"{self._name}: Luisterhuis gave no link for order {order.order_id}")
        return links[0]

    async def send_link_by_mail(self, order: Order, address: str) -> None:
        """Let CB mail the link (2.5). It may be repeated, and is no part of an order: what fails here leaves the sale as it is."""
        fields = {"order_id": order.receipt or "", "email": address}
        await self._posted(self._settings.mail_path, fields, f"order {order.order_id}")

    async def proofs(self, order: Order, month: date) -> list[Settled]:
        """What can be this order in the settlement of a month; see `proofs`."""
        reference = within(order.reference, self._settings.longest_reference)
        return proofs(await self.settlement(month), order.key.isbn, reference)

    async def settlement(self, month: date) -> tuple[Settled, ...]:
        """What CB has sold to this shop in a month (2.8): the only proof of an order whose answer was lost."""
        settings = self._settings
        query = urlencode({settings.name("month"): f"{month:%Y-%m}"})
        page = await self._fetched(f"{settings.settlement_path}?{query}", f"the settlement of {month:%Y-%m}")
        return tuple(settled_lines(page.body, settings.wire))

    async def aclose(self) -> None:
        """Give back connections."""
        await self._session.aclose()

    async def available(self, isbn: Isbn) -> tuple[bool | None, str]:
        """The availability check by itself: yes, no, or none where no answer came; with the code beside it."""
        query = urlencode({self._settings.name("check_ean"): isbn})
        request = Request(method="GET", target=f"{self._settings.availability_path}?{query}", limit=LUISTERHUIS_LIMIT)
        await self._pace.turn(self._name, LUISTERHUIS_LIMIT)
        receipt = await self.send(request)
        if receipt.status == 429:
            self._pace.slow_down(self._name, LUISTERHUIS_LIMIT, patience_until(receipt))
        if receipt.status != 200:
            return None, ""
        answer = answers.read(receipt.body)
        return (None, "") if answer.errors else verdicts.available(answer, self._settings.wire)

    async def _posted(self, path: str, fields: Mapping[str, str], what: str) -> answers.Answer:
        """The answer to a form, its links in it: it is given to who asked and kept nowhere."""
        form = urlencode({self._settings.name(key): text for key, text in fields.items()})
        request = Request(
            method="POST", target=path, limit=LUISTERHUIS_LIMIT, headers=(_FORM,), body=form.encode("ascii")
        )
        await self._pace.turn(self._name, LUISTERHUIS_LIMIT)
        async with self._room:
            receipt = await self._session.call(request)
        answer = answers.read(receipt.body)
        if receipt.status == 200 and answer.is_understood and not answer.errors:
            return answer
        said = " ".join((str(receipt.status or receipt.detail), *answer.errors))
        raise self._failed(receipt.status, f"nothing for {what}", said)

    async def _fetched(self, address: str, what: str) -> Answer:
        await self._pace.turn(self._name, LUISTERHUIS_LIMIT)
        async with self._room:
            page = await self._session.fetch(address)
        if page.status != 200 or answers.is_html(page.body):
            raise self._failed(page.status, f"no {what.removeprefix('the ')}", str(page.status))
        return page

    def _failed(self, status: int, what: str, said: str) -> SourceFailed:
        if status in {401, 403}:
            return SourceRefused(f"{self._name}: Luisterhuis refuses the credentials ({said})", hint="check the secret")
        return SourceFailed(f"{self._name}: {what} ({said})", hint="try again later, or ask CB with the order number")


def proofs(lines: Iterable[Settled], isbn: Isbn, reference: str) -> list[Settled]:
    """The lines of a settlement that can be this order: those with its reference, else those without any of its EAN.

    Of the latter one may be another customer's: a person compares them with the orders that are known to be placed.
    """
    same = [line for line in lines if line.isbn == isbn]
    own = [line for line in same if line.reference == reference]
    return own or [line for line in same if not line.reference]


def opaque_customer(customer_id: str, most: int) -> str:
    """A stable id without a person in it, of at most so many characters: what is no plain word may be a name or an address (2.4)."""
    is_plain = _PLAIN.fullmatch(customer_id) and not customer_id.startswith(_ESCAPED_PREFIX)
    if is_plain and len(customer_id) <= most:
        return customer_id
    return f"c-{hashlib.sha256(customer_id.encode()).hexdigest()[:_DIGEST_LENGTH]}"


def within(reference: str, most: int) -> str:
    """A reference of a length that CB takes; a longer one ends in a digest of the whole, so that no two become one."""
    if len(reference) <= most:
        return reference
    digest = hashlib.sha256(reference.encode()).hexdigest()[:_DIGEST_LENGTH]
    return f"{reference[: most - _DIGEST_LENGTH - 1]}-{digest}"


def settled_lines(body: bytes, names: Mapping[str, str]) -> Iterator[Settled]:
    """The lines of a settlement, in whichever form: objects, elements, or lines with a head."""
    answer = answers.read(body)
    groups: Iterable[Mapping[str, str]] = answer.groups
    if not answer.is_understood:
        text = body.decode("utf-8-sig", "replace")
        groups = csv.DictReader(io.StringIO(text), delimiter=";" if ";" in text.partition("\n")[0] else ",")
    for group in groups:
        order_id, isbn = group.get(names["settled_order_id"]), group.get(names["settled_ean"])
        if order_id and isbn:
            yield Settled(
                order_id=order_id.strip(),
                isbn=Isbn(isbn.strip()),
                at=(group.get(names["settled_at"]) or "").strip(),
                amount=_amount(group.get(names["settled_amount"]) or ""),
                reference=(group.get(names["settled_reference"]) or "").strip(),
            )


def _amount(text: str) -> Decimal | None:
    try:
        amount = Decimal(text.strip())
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None
