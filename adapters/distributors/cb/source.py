"""CB's catalogue as a source of up to four streams: two of files, two of Luisterhuis (contract cb 2, 9, 10)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import datetime, timedelta

from adapters.distributors.cb import inventory, outbox
from adapters.distributors.cb.feed import LuisterhuisFeed
from adapters.distributors.cb.files import OutBox
from adapters.distributors.cb.routing import AUDIO, Routing, Service
from syncengine.domain.ids import Isbn, SourceName, StreamName
from syncengine.domain.passes import PassMode
from syncengine.domain.rows import Rows
from syncengine.errors import SourceFailed
from syncengine.ports import Conventions, Part, PartialUpdates, PassEnd, PassPlan

AGREEMENT = StreamName("agreement")
ARTICLES = StreamName("articles")
LUISTERHUIS = StreamName("luisterhuis")
INVENTORY = StreamName("inventory")

_ROWS: Mapping[StreamName, Rows] = {AGREEMENT: outbox.AGREEMENT_ROWS, INVENTORY: inventory.ROWS}


class CbSource:
    """One shop's relation with CB. Every record is whole, and none of the streams is a snapshot.

    The feed is a list that may change while it is paged through, so that absence from it means nothing. The inventory is read as a
    stream of rows: its lines are small and flat, they belong to the titles of the feed by their EAN, and a row is where the answer
    of the availability check about a title that has gone can stand beside its record, which is left as it is. What has gone is
    found by the source, against the list that its cursor keeps, since only there it can be asked about.
    """

    def __init__(
        self,
        name: SourceName,
        routing: Routing,
        *,
        feed: LuisterhuisFeed | None,
        files: OutBox | None,
        full_every: timedelta | None = None,
    ) -> None:
        """`feed` is none without Luisterhuis, `files` without the e-book service."""
        self._name = name
        self._routing = routing
        self._feed = feed
        self._files = files
        self._full_every = full_every

    @property
    def name(self) -> SourceName:
        return self._name

    @property
    def streams(self) -> tuple[StreamName, ...]:
        """The inventory last, for it may have to ask about many titles."""
        files = (AGREEMENT, ARTICLES) if self._files else ()
        listed = (INVENTORY,) if self._feed and self._feed.has_inventory else ()
        return (*((LUISTERHUIS,) if self._feed else ()), *files, *listed)

    @property
    def conventions(self) -> Conventions:
        return Conventions(partial_updates=PartialUpdates.WHOLE)

    def rows(self, stream: StreamName) -> Rows | None:
        return _ROWS.get(stream)

    def is_snapshot(self, stream: StreamName) -> bool:  # noqa: ARG002 - none is
        return False

    def plan(self, stream: StreamName, cursor: bytes | None, wanted: PassMode | None, now: datetime) -> PassPlan:
        """Files are read as they come, whatever is wanted. An interrupted pass of the feed starts anew (contract cb 3.3)."""
        if stream == LUISTERHUIS and self._feed:
            return PassPlan(mode=wanted or self._feed.feed_mode(cursor, self._full_every, now))
        if stream == INVENTORY and self._feed:
            return PassPlan(mode=wanted or self._feed.inventory_mode(cursor, now))
        return PassPlan(mode=PassMode.DELTA)

    async def read(
        self, stream: StreamName, plan: PassPlan, cursor: bytes | None
    ) -> AsyncGenerator[Part | PassEnd, None]:
        async with aclosing(self._steps(stream, plan, cursor)) as steps:
            async for step in steps:
                yield step

    async def read_one(self, isbn: Isbn) -> Mapping[StreamName, Part]:
        """What the availability check says of an audiobook, as its row of the inventory: there is no call for one record.

        A title that CB does not sell any more stops at once by it, until an inventory lists it again.
        """
        is_audio = self._routing.service(isbn, AUDIO) is Service.LUISTERHUIS
        if self._feed is None or not self._feed.has_inventory or not is_audio:
            return {}
        part = await self._feed.row_of(isbn)
        return {} if part is None else {INVENTORY: part}

    async def check_account(self) -> None:
        if self._feed:
            await self._feed.check()
        if self._files:
            await self._files.check()

    async def aclose(self) -> None:
        if self._feed:
            await self._feed.aclose()

    def _steps(self, stream: StreamName, plan: PassPlan, cursor: bytes | None) -> AsyncGenerator[Part | PassEnd, None]:
        match stream, self._feed, self._files:
            case ("luisterhuis", LuisterhuisFeed() as feed, _):
                return feed.feed(plan.mode, cursor)
            case ("inventory", LuisterhuisFeed() as feed, _):
                return feed.inventory(plan.mode, cursor)
            case ("agreement", _, OutBox() as files):
                return files.agreement(cursor)
            case ("articles", _, OutBox() as files):
                return files.articles(cursor)
            case _:
                raise SourceFailed(f"{self._name} has no stream {stream}")
