"""A shop that calls the De Marque stub over real loopback HTTP, by a clock that jumps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from lxml import etree
from yarl import URL

from adapters.distributors.demarque.sandbox import ORGANISATION, DemarqueStub, User
from adapters.sandbox.server import Sandbox
from tests.clock import JumpClock

ONIX = "{http://ns.editeur.org/onix/3.0/reference}"
TITLES = 130
BUYER = {"customer_id": "c-1", "transaction_id": "t-1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back of one call."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def word(self) -> str:
        return self.body.decode()

    @property
    def said(self) -> tuple[int, str]:
        """Status and code word."""
        return self.status, self.word

    @property
    def next_link(self) -> str | None:
        """The address in the Link header."""
        link = self.headers.get("Link")
        return link.removeprefix("<").removesuffix(">; rel=next") if link else None


class Shop:
    """One bookseller at the stub."""

    def __init__(self, sandbox: Sandbox, clock: JumpClock, session: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self.clock = clock
        self.session = session
        stub = sandbox.stubs["demarque"]
        assert isinstance(stub, DemarqueStub)
        self.stub = stub
        self.headers = bearer(stub.users[0])
        self.organisation = f"{sandbox.addresses['demarque']}/organisations/{ORGANISATION}"

    # --- calls

    async def call(self, method: str, address: str, **request: Any) -> Reply:
        headers = {**self.headers, **request.pop("headers", {})}
        url = URL(address, encoded=True)
        async with self.session.request(method, url, headers=headers, **request) as answer:
            return Reply(status=answer.status, headers=answer.headers, body=await answer.read())

    async def get(self, path: str, **parameters: str) -> Reply:
        return await self.call("GET", self.organisation + path, params=parameters)

    async def post(self, path: str, **parameters: str) -> Reply:
        return await self.call("POST", self.organisation + path, params=parameters)

    async def simulate(self, isbn: str, market: str = "CA/CAD", **changes: str | None) -> Reply:
        return await self.get(f"/publications/{isbn}/sales/new", **self.parameters(isbn, market, **changes))

    async def sell(self, isbn: str, market: str = "CA/CAD", **changes: str | None) -> Reply:
        parameters = self.parameters(isbn, market, **{**BUYER, **changes})
        return await self.post(f"/publications/{isbn}/sales", **parameters)

    async def refund(self, isbn: str, amount: str, **changes: str) -> Reply:
        return await self.post(f"/publications/{isbn}/sales/cancel", **{**BUYER, "amount": amount, **changes})

    async def preorder(self, isbn: str, **changes: str) -> Reply:
        parameters = {"for": "epub", "customer_id": "c-1", **changes}
        return await self.post(f"/publications/{isbn}/preorders", **parameters)

    async def status(self, isbn: str) -> tuple[str | None, str | None]:
        """Fulfilment and refundability of the usual sale."""
        reply = await self.get(
            f"/customers/c-1/transactions/t-1/publications/{isbn}/formats/{self.format(isbn)}/status"
        )
        tree = etree.fromstring(reply.body)
        return tree.findtext(".//fulfillment"), tree.findtext(".//refundable")

    async def download(self, isbn: str, **parameters: str) -> Reply:
        return await self.get(
            f"/customers/c-1/transactions/t-1/publications/{isbn}/download_links/{self.format(isbn)}",
            **{"uname": "Anne Lectrice", **parameters},
        )

    async def fetch(self, link: Reply) -> Reply:
        return await self.call("GET", link.word)

    async def crawl(self, stream: str, **parameters: str) -> AsyncIterator[Reply]:
        """The pages of a stream, to the 404 that ends it."""
        reply = await self.get(f"/publications/{stream}", **parameters)
        while reply.status == 200:
            yield reply
            assert reply.next_link is not None
            reply = await self.call("GET", reply.next_link)
        assert reply.said == (404, "not_found")

    async def delta(self, since: str) -> list[str]:
        """The references of a whole delta."""
        return [name async for page in self.crawl("delta", **{"from": since}) for name in references(page)]

    async def record(self, isbn: str) -> etree._Element:
        reply = await self.get(f"/publications/{isbn}.onix")
        assert reply.status == 200
        (record,) = products(reply)
        return record

    # --- steering

    def isbn(self, scenario: str) -> str:
        return self.stub.scenarios[scenario]

    def format(self, isbn: str) -> str:
        return str(self.rows(isbn)[0]["format"])

    def rows(self, isbn: str) -> list[dict[str, Any]]:
        return [msgspec.to_builtins(row) for row in self.stub.titles(self.clock.now()) if row.isbn == isbn]

    def row(self, isbn: str, market: str = "CA/CAD") -> dict[str, Any]:
        return next(row for row in self.rows(isbn) if row["market"] == market)

    def parameters(self, isbn: str, market: str, **changes: str | None) -> dict[str, str]:
        """What a right simulation of the title carries, with changes; none leaves a parameter out."""
        country, currency = market.split("/")
        title = self.stub._shelf.find(isbn)
        assert title is not None
        line = title.line(country, currency)
        charge = line.shown_charge(self.clock.now()) if line else None
        lock = {"00": "none", "02": "watermark", "03": "acs4", "06": "drm"}[title.protections[0]]
        parameters: dict[str, str | None] = {
            "format": title.format,
            "cost": str(charge.amount if charge else 100),
            "protection": lock,
            "drm_type": "lcp" if lock == "drm" else None,
            "country": country,
            "currency": currency.lower(),
            "price_type": charge.type if charge else None,
        }
        return {name: value for name, value in {**parameters, **changes}.items() if value is not None}

    async def steer(self, method: str, path: str, document: object = None) -> tuple[int, Any]:
        async with self.session.request(method, f"{self.sandbox.url}/_sandbox/{path}", json=document) as answer:
            return answer.status, await answer.json()

    async def edit(self, *edits: dict[str, Any]) -> list[dict[str, Any]]:
        status, document = await self.steer("POST", "titles", list(edits))
        assert status == 200, document
        rows: list[dict[str, Any]] = document
        return rows

    async def break_things(self, **knobs: Any) -> None:
        """Set fault knobs of the stub, by endpoint class; `settings` are its own."""
        status, document = await self.steer("POST", "faults", {"demarque": knobs})
        assert status == 200, document

    async def ledger(self) -> list[dict[str, Any]]:
        _, document = await self.steer("GET", "ledger")
        rows: list[dict[str, Any]] = document
        return rows

    def since(self, **ago: float) -> str:
        """A `from` that long ago, in the basic form."""
        return f"{self.clock.now() - timedelta(**ago):%Y%m%dT%H%M%SZ}"


@asynccontextmanager
async def opened_shop(directory: Path, *, titles: int = TITLES, seed: int = 7) -> AsyncIterator[Shop]:
    """A sandbox with the stub, and a shop in front of it."""
    clock = JumpClock()
    sandbox = Sandbox(seed=seed, titles=titles, directory=directory, stubs=[DemarqueStub], clock=clock)
    await sandbox.start()
    try:
        async with aiohttp.ClientSession() as session:
            yield Shop(sandbox, clock, session)
    finally:
        await sandbox.stop()


def bearer(user: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {user.token}"}


def products(reply: Reply) -> list[etree._Element]:
    """The records of a page."""
    return list(etree.fromstring(reply.body).iterchildren(f"{ONIX}Product"))


def references(reply: Reply) -> list[str]:
    return [text(product, "RecordReference") for product in products(reply)]


def text(element: etree._Element, path: str) -> str:
    """The text of the one element at the path; fails where there is none or several."""
    (found,) = texts(element, path)
    return found


def texts(element: etree._Element, path: str) -> list[str]:
    steps = "/".join(f"{ONIX}{step}" for step in path.split("/"))
    return [found.text or "" for found in element.iterfind(steps)]
