"""A shop that reads from and calls the CB stub over real loopback HTTP, by a clock that jumps."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import aiohttp
import msgspec
from lxml import etree
from yarl import URL

from adapters.distributors import cb
from adapters.distributors.cb.cursors import decode
from adapters.distributors.cb.sandbox import USERNAME, CbStub
from adapters.distributors.cb.sandbox_titles import Title
from adapters.sandbox.catalogue import TitleEdit
from adapters.sandbox.server import CallRow, Sandbox
from syncengine.domain.ids import SourceName, StreamName
from syncengine.domain.passes import PassMode
from syncengine.errors import InputUnreadable, SourceFailed
from syncengine.ports import Distributor, Part, PassEnd, World
from syncengine.settings import load
from tests.clock import JumpClock
from tests.pace import FreePace
from tests.parts import content_of

TITLES = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back of one call."""

    status: int
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def fields(self) -> dict[str, str]:
        """The values of a flat XML answer."""
        return {child.tag: child.text or "" for child in etree.fromstring(self.body)}

    @property
    def code(self) -> str:
        """The code of the message, in either form."""
        if self.body.startswith(b"<"):
            return self.fields.get("MessageCode", "")
        return str(self.document.get("MessageCode", ""))


@dataclass
class Reading:
    """One pass of a stream as it was read; `cursor` is what its end commits, none where it broke off."""

    mode: PassMode
    parts: list[tuple[str, bytes]] = field(default_factory=list)
    cursors: list[bytes | None] = field(default_factory=list)
    cursor: bytes | None = None
    error: SourceFailed | InputUnreadable | None = None

    @property
    def content(self) -> bytes:
        """All of it."""
        return b"".join(body for _, body in self.parts)

    def has(self, *isbns: str) -> list[bool]:
        """Whether each was told."""
        return [f">{isbn}<".encode() in self.content for isbn in isbns]


class Shop:
    """One bookseller: parts of an engine, and hands of its own to call the stub with."""

    def __init__(self, sandbox: Sandbox, clock: JumpClock, session: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self.clock = clock
        self.session = session
        stub = sandbox.stubs["cb"]
        assert isinstance(stub, CbStub)
        self.stub = stub
        self.url = f"{sandbox.url}/cb"
        self.pace = FreePace()
        settings = load(sandbox.settings_path, {"cb": cb.Settings}).sources["cb"]
        assert isinstance(settings, cb.Settings)
        self.settings = settings
        self.token = ""

    # --- the engine's side

    def connect(
        self, *, audio: Mapping[str, Any] | None = None, books: Mapping[str, Any] | None = None, **changes: Any
    ) -> Distributor:
        """The account, its settings changed; whoever connects closes."""
        tables = {
            "luisterhuis": self.settings.luisterhuis
            and msgspec.structs.replace(self.settings.luisterhuis, **(audio or {})),
            "ebooks": self.settings.ebooks and msgspec.structs.replace(self.settings.ebooks, **(books or {})),
        }
        settings = msgspec.structs.replace(self.settings, **{**tables, **changes})
        world = World(clock=self.clock, pace=self.pace, directory=self.sandbox.directory)
        return cb.connect(SourceName("cb"), settings, world)

    async def read(
        self, stream: str, cursor: bytes | None = None, wanted: PassMode | None = None, **changes: Any
    ) -> Reading:
        """One pass of a stream."""
        distributor = self.connect(**changes)
        source = distributor.source
        plan = source.plan(StreamName(stream), cursor, wanted, self.clock.now())
        reading = Reading(mode=plan.mode)
        passing = cast("AsyncGenerator[Part | PassEnd, None]", source.read(StreamName(stream), plan, cursor))
        try:
            async with aclosing(passing):
                async for step in passing:
                    if isinstance(step, PassEnd):
                        reading.cursor = step.cursor
                    else:
                        reading.parts.append((step.name, await content_of(step)))
                        reading.cursors.append(step.cursor)
        except (SourceFailed, InputUnreadable) as error:
            reading.error = error
        finally:
            await close(distributor)
        return reading

    # --- the shop's own hands

    async def call(self, method: str, path: str, **request: Any) -> Reply:
        """A call as it is, `path` below the stub's address."""
        async with self.session.request(method, URL(self.url + path, encoded=True), **request) as answer:
            return Reply(status=answer.status, body=await answer.read())

    async def ask(self, method: str, path: str, **request: Any) -> Reply:
        """A call to Luisterhuis with the right password."""
        pair = base64.b64encode(f"{USERNAME}:{self.stub.password}".encode()).decode()
        return await self.call(method, f"/luisterhuis{path}", headers={"Authorization": f"Basic {pair}"}, **request)

    async def feed(self, **query: str) -> list[str]:
        """The references of one page."""
        reply = await self.ask("GET", "/v3/feed?" + "&".join(f"{name}={text}" for name, text in query.items()))
        assert reply.status == 200, reply.body
        return references(reply.body)

    async def order(self, isbn: str, reference: str = "R-1", **changes: str) -> Reply:
        """An audiobook."""
        fields = {"EAN13": isbn, "CustomerID": "C-1", "reference": reference, **changes}
        return await self.ask("POST", "/v3/submitOrder", data=fields)

    async def book(self, operation: str, **fields: Any) -> Reply:
        """A call to the e-book service with a good token, in the newer style."""
        if not self.token:
            form = {
                "grant_type": "client_credentials",
                "client_id": "boekwinkel",
                "client_secret": self.stub.ebooks.client_secret,
            }
            self.token = (await self.call("POST", "/oauth2/token", data=form)).document["access_token"]
        headers = {"Authorization": f"Bearer {self.token}"}
        return await self.call("POST", f"/ebooks/{operation}", json=fields, headers=headers)

    async def legacy(self, operation: str, user: str = "winkel", password: str | None = None, **fields: Any) -> Reply:
        """The same in the older style."""
        headers = {"UserName": user, "Password": self.stub.ebooks.password if password is None else password}
        return await self.call("POST", f"/ebooks/{operation}", json=fields, headers=headers)

    # --- steering

    def isbn(self, scenario: str) -> str:
        return self.stub.scenarios[scenario]

    def title(self, isbn: str) -> Title:
        title = self.stub.shelf.find(isbn)
        assert title is not None
        return title

    def edit(self, isbn: str, **changes: Any) -> None:
        self.sandbox.edit([msgspec.convert({"isbn": isbn, **changes}, TitleEdit)])

    def break_things(self, **knobs: Any) -> None:
        """Set fault knobs by endpoint class; `settings` are the stub's own."""
        self.sandbox.set_faults({"cb": knobs})

    def mend(self) -> None:
        self.sandbox.clear_faults()

    def calls(self, endpoint: str) -> list[CallRow]:
        return [row for row in self.sandbox.calls if row.endpoint == endpoint]

    def audiobooks(self) -> list[str]:
        """Every EAN that the feed tells."""
        return [title.isbn for title in self.stub.shelf.audiobooks() if title.is_told]


async def close(distributor: Distributor) -> None:
    await distributor.source.aclose()
    if distributor.calls is not None:
        await distributor.calls.aclose()


def references(body: bytes) -> list[str]:
    """The RecordReferences of a message, as often as they stand there."""
    root = etree.fromstring(body)
    return [found.text or "" for found in root.iter("{*}RecordReference")]


def cursor_of(reading: Reading, kind: type[msgspec.Struct]) -> Any:
    """What a pass commits."""
    return decode(reading.cursor, kind)


@asynccontextmanager
async def opened_shop(directory: Path, *, titles: int = TITLES, auto: bool = True) -> AsyncIterator[Shop]:
    """A sandbox with the stub, two days after its catalogue was made, and a shop in front of it.

    Without `auto` time stands still until the test moves it.
    """
    clock = JumpClock(auto=auto)
    sandbox = Sandbox(seed=7, titles=titles, directory=directory, stubs=[CbStub], clock=clock)
    await sandbox.start()
    clock.advance(2 * 86400)
    try:
        async with aiohttp.ClientSession() as session:
            yield Shop(sandbox, clock, session)
    finally:
        await sandbox.stop()
