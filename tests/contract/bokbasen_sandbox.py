"""A shop that calls the Bokbasen stub over real loopback HTTP, by a clock that jumps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from lxml import etree
from yarl import URL

from adapters.distributors.bokbasen.sandbox import BokbasenStub
from adapters.sandbox.catalogue import TitleRow
from adapters.sandbox.server import Sandbox
from tests.clock import JumpClock

TITLES = 90
INV = "{http://bokbasen.no/module/inventory/1.0}"
ATOM = "{http://www.w3.org/2005/Atom}"
JSON = {"Accept": "application/json"}
BUYER = {"firstname": "Kari", "lastname": "Nordmann"}
LONG_AGO = "20250915000000"
"""Before everything in the catalogue, and no more than 180 days ago."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back of one call."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def word(self) -> tuple[int, str]:
        """Status and the word of the body."""
        return self.status, self.document["data"]

    @property
    def entries(self) -> list[dict[str, str]]:
        """The rows of an inventory feed, by local names."""
        root = etree.fromstring(self.body)
        return [{etree.QName(fact).localname: fact.text or "" for fact in e} for e in root.iterchildren(f"{ATOM}entry")]

    @property
    def products(self) -> list[etree._Element]:
        """The records of an ONIX message."""
        return [node for node in etree.fromstring(self.body) if etree.QName(node).localname == "Product"]

    @property
    def link(self) -> str | None:
        """The address in the Link header."""
        found = self.headers.get("Link")
        return found.removeprefix("<").removesuffix('>; rel="next"') if found else None


class Shop:
    """One bookseller at the stub."""

    def __init__(self, sandbox: Sandbox, clock: JumpClock, session: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self.clock = clock
        self.session = session
        stub = sandbox.stubs["bokbasen"]
        assert isinstance(stub, BokbasenStub)
        self.stub = stub
        self.base = sandbox.addresses["bokbasen"]

    # --- calls

    async def call(self, method: str, address: str, **request: Any) -> Reply:
        url = address if address.startswith("http") else self.base + address
        async with self.session.request(method, URL(url, encoded=True), allow_redirects=False, **request) as answer:
            return Reply(status=answer.status, headers=answer.headers, body=await answer.read())

    async def ask_token(self, group: str = "dds", **changes: str) -> Reply:
        fields = {
            "client_id": self.stub.client.id,
            "client_secret": self.stub.client.secret,
            "audience": f"https://api.bokbasen.io/{group}/",
            "grant_type": "client_credentials",
            **changes,
        }
        return await self.call("POST", "/oauth/token", json=fields)

    async def token(self, group: str = "dds") -> dict[str, str]:
        return {"Authorization": f"Bearer {(await self.ask_token(group)).document['access_token']}"}

    async def get(self, path: str, group: str = "dds", **query: str) -> Reply:
        return await self.call("GET", path, params=query, headers={**JSON, **await self.token(group)})

    async def inventory(self, **query: str) -> Reply:
        return await self.get("/dds/inventory/v2", **query)

    async def look_up(self, isbn: str) -> Reply:
        return await self.get(f"/dds/inventory/v2/{isbn}")

    async def export(self, version: str = "v2", **query: str) -> Reply:
        asked = {"subscription": "extended", **query}
        return await self.get(f"/metadata/export/onix/{version}", "metadata", **asked)

    async def record(self, isbn: str, version: str = "v2") -> etree._Element:
        """The ONIX record of a title."""
        reply = await self.get(f"/metadata/export/onix/{version}/{isbn}", "metadata")
        (record,) = reply.products
        return record

    async def order(self, isbn: str, **changes: Any) -> Reply:
        """An order that is right in every respect, with changes; none leaves a field out."""
        fields = {"orderid": "O-1", "resid": self.stub.resource_of(isbn), "spd": "19900", **BUYER, **changes}
        order = {name: value for name, value in fields.items() if value is not None}
        return await self.call("POST", "/dds/order/v1", json=order, headers={**JSON, **await self.token()})

    async def content(self, order: Reply, **query: str) -> Reply:
        return await self.call("GET", order.headers["Location"], params=query, headers={**JSON, **await self.token()})

    # --- steering

    def isbn(self, scenario: str) -> str:
        return self.stub.scenarios[scenario]

    def row(self, isbn: str) -> TitleRow:
        return next(row for row in self.stub.titles(self.clock.now()) if row.isbn == isbn)

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
        status, document = await self.steer("POST", "faults", {"bokbasen": knobs})
        assert status == 200, document

    async def ledger(self) -> list[dict[str, Any]]:
        _, document = await self.steer("GET", "ledger")
        rows: list[dict[str, Any]] = document
        return rows


@asynccontextmanager
async def opened_shop(directory: Path, *, titles: int = TITLES, seed: int = 7) -> AsyncIterator[Shop]:
    """A sandbox with the stub, and a shop in front of it."""
    clock = JumpClock()
    sandbox = Sandbox(seed=seed, titles=titles, directory=directory, stubs=[BokbasenStub], clock=clock)
    await sandbox.start()
    try:
        async with aiohttp.ClientSession() as session:
            yield Shop(sandbox, clock, session)
    finally:
        await sandbox.stop()


def text(record: etree._Element, path: str) -> list[str]:
    """The texts at a path of local names."""
    steps = "/".join(f"*[local-name()='{step}']" for step in path.split("/"))
    found = record.xpath(steps)
    assert isinstance(found, list)
    return [node.text or "" for node in found if isinstance(node, etree._Element)]
