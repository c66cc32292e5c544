"""Bokbasen's two feeds as one source: the ONIX export and the inventory, each a feed of changes (contract bokbasen 3, 4, 9)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

import msgspec

from adapters.distributors.bokbasen.cursor import Cursor, after
from adapters.distributors.bokbasen.feed import Feed, Page
from adapters.http.session import HttpSession
from syncengine.domain.ids import Isbn, SourceName, StreamName
from syncengine.domain.passes import PassMode
from syncengine.domain.rows import Rows
from syncengine.errors import FullPassNeeded, SourceFailed
from syncengine.ports import Clock, Conventions, Part, PartialUpdates, PassEnd, PassPlan

METADATA = StreamName("metadata")
INVENTORY = StreamName("inventory")

ROWS = Rows(root="feed", record="entry", reference="isbn", prefix="inventory:")
"""An inventory's row is known by its ISBN, so that the latest version stands in for those before (contract 4)."""

_ENTRY = re.compile(rb"<(?P<tag>(?:[\w.-]+:)?entry)[\s>].*?</(?P=tag)\s*>", re.DOTALL)
_VERSION = re.compile(rb"<(?:[\w.-]+:)?version>\s*(\d{1,9})\s*</")
_NEAR = timedelta(days=1)
"""How far from the greatest age a cursor or an instant is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One feed: how it is asked, and how far back it may be.

    `parameters` go with every request; `page_size` is asked for, none = the server's, which is `largest_page`. `since` is where
    a whole load begins, none = as far back as `maximum_age` allows; without that a cursor lives for ever.
    """

    feed: Feed
    path: str
    largest_page: int
    page_size: int | None = None
    parameters: tuple[tuple[str, str], ...] = ()
    maximum_age: timedelta | None = None
    since: datetime | None = None

    def first(self, now: datetime) -> datetime:
        """Where a whole load begins."""
        oldest = now - self.maximum_age + _NEAR if self.maximum_age else None
        if self.since is not None and (oldest is None or oldest < self.since):
            return self.since
        return oldest or now


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A place in a feed as a parameter: `after` an instant, or `next`."""

    name: str
    value: str


class BokbasenSource:
    """One shop's view of both feeds. Neither is ever a snapshot: absence means nothing, and a record may come again."""

    def __init__(
        self,
        name: SourceName,
        streams: Mapping[StreamName, Stream],
        look_ups: Feed,
        sessions: tuple[HttpSession, ...],
        clock: Clock,
        *,
        zone: ZoneInfo,
        overlap: timedelta,
        full_every: timedelta | None = None,
        most_pages: int = 10_000,
    ) -> None:
        """`look_ups` asks the inventory for single titles; `overlap` is how far `after` reaches back behind an instant."""
        self._name = name
        self._streams = streams
        self._look_ups = look_ups
        self._sessions = sessions
        self._clock = clock
        self._zone = zone
        self._overlap = overlap
        self._full_every = full_every
        self._most_pages = most_pages

    @property
    def name(self) -> SourceName:
        return self._name

    @property
    def streams(self) -> tuple[StreamName, ...]:
        return tuple(self._streams)

    @property
    def conventions(self) -> Conventions:
        return Conventions(partial_updates=PartialUpdates.WHOLE)

    def rows(self, stream: StreamName) -> Rows | None:
        return ROWS if stream == INVENTORY else None

    def is_snapshot(self, stream: StreamName) -> bool:  # noqa: ARG002 - both are feeds of changes
        return False

    def plan(self, stream: StreamName, cursor: bytes | None, wanted: PassMode | None, now: datetime) -> PassPlan:
        known = Cursor.decode(cursor)
        is_usable = known.is_usable(now, self._oldest(stream))
        if known.mode and is_usable and wanted in {None, known.mode}:
            return PassPlan(mode=known.mode, resumes=True)
        if wanted:
            return PassPlan(mode=wanted)
        interrupted_full = known.mode is PassMode.FULL
        if not is_usable or interrupted_full or self._is_full_due(known, now):
            return PassPlan(mode=PassMode.FULL)
        return PassPlan(mode=PassMode.DELTA)

    async def read(
        self, stream: StreamName, plan: PassPlan, cursor: bytes | None
    ) -> AsyncGenerator[Part | PassEnd, None]:
        """Pages until nothing follows: no Link, no other Next, or nothing in them (contract 3)."""
        began_at, known = self._clock.now(), Cursor.decode(cursor)
        size = self._streams[stream].page_size
        starts_over = False
        try:
            place = self._place(stream, plan, known, began_at)
            page, size = await self._page(stream, place, size)
        except FullPassNeeded:
            if plan.mode is not PassMode.FULL:
                raise
            starts_over = True
            place = self._after(self._streams[stream].first(began_at))
            page, size = await self._page(stream, place, size)
        begins = starts_over or (plan.mode is PassMode.FULL and not plan.resumes)
        full_at = began_at if begins else known.full_at
        # Without any Next the next pass asks after this instant; in a whole load no older cursor is gone on with.
        kept = msgspec.structs.replace(Cursor(since=began_at) if begins else known, full_at=full_at, mode=None)
        pages = 1
        while True:
            if page.next is not None:
                kept = Cursor(next=page.next, next_at=self._clock.now(), full_at=full_at)
            if page.is_empty:
                break
            following = _following(page, place)
            behind = msgspec.structs.replace(kept, mode=plan.mode) if following else kept
            part = Part(
                name=f"{stream} page {pages}",
                chunks=_whole(page.body),
                cursor=behind.encode() if page.next is not None else None,
                starts_over=starts_over and pages == 1,
            )
            if following is None:
                yield part
                break
            if pages >= self._most_pages:
                yield part
                raise self._endless(stream)
            place, coming = following, asyncio.create_task(self._page(stream, following, size))
            try:
                yield part
                page, size = await coming
            finally:
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)
            pages += 1
        yield PassEnd(cursor=kept.encode())

    async def read_one(self, isbn: Isbn) -> Mapping[StreamName, Part]:
        """The inventory's row of the highest version; the ONIX look-up is for debugging only (contract 4, 9.1)."""
        path = self._streams[INVENTORY].path
        page = await self._look_ups.page(f"{path}/{quote(isbn, safe='')}")
        newest = None if page is None or page.is_empty else newest_entry(page.body)
        return {} if newest is None else {INVENTORY: Part(name=f"inventory {isbn}", chunks=_whole(newest))}

    async def check_account(self) -> None:
        """Ask each feed for what changed in the last minutes; raises SourceRefused where the client is not let in."""
        for stream in self._streams:
            place = _Place(name="after", value=after(self._clock.now(), self._zone))
            await self._page(stream, place, 1)

    async def aclose(self) -> None:
        for session in self._sessions:
            await session.aclose()

    # --- places

    def _oldest(self, stream: StreamName) -> timedelta | None:
        age = self._streams[stream].maximum_age
        return None if age is None else age - _NEAR

    def _is_full_due(self, known: Cursor, now: datetime) -> bool:
        if self._full_every is None:
            return False
        return known.full_at is None or now - known.full_at >= self._full_every

    def _place(self, stream: StreamName, plan: PassPlan, known: Cursor, now: datetime) -> _Place:
        """Where the pass begins; raises FullPassNeeded for changes since nobody knows when."""
        if plan.mode is PassMode.FULL and not plan.resumes:
            return self._after(self._streams[stream].first(now))
        if known.is_usable(now, self._oldest(stream)):
            if known.next is not None:
                return _Place(name="next", value=known.next)
            if known.since is not None:
                return self._after(known.since - self._overlap)
        raise FullPassNeeded(
            f"{self._name}: there is no cursor of {stream} that changes could follow",
            hint="run a full pass first",
        )

    def _after(self, at: datetime) -> _Place:
        return _Place(name="after", value=after(at, self._zone))

    # --- pages

    async def _page(self, stream: StreamName, place: _Place, size: int | None) -> tuple[Page, int | None]:
        """The page at a place, and the size that it could be had in: one that is too large is asked for in halves."""
        one = self._streams[stream]
        while True:
            sized = () if size is None else (("pagesize", str(size)),)
            query = urlencode([(place.name, place.value), *sized, *one.parameters])
            page = await one.feed.page(f"{one.path}?{query}")
            if page is not None:
                return page, size
            size = (size or one.largest_page) // 2
            if size < 1:
                raise SourceFailed(
                    f"{self._name}: a page of {stream} with a single record is too large (413)",
                    hint="ask Bokbasen: nothing can be read past that record",
                )

    def _endless(self, stream: StreamName) -> SourceFailed:
        return SourceFailed(
            f"{self._name}: {stream} does not end after {self._most_pages} pages",
            hint="what came so far is kept, and the next pass goes on from there; if that is right, raise most_pages",
        )


def newest_entry(body: bytes) -> bytes | None:
    """The feed with its entry of the highest version alone; none where it has no entry that is whole."""
    entries = list(_ENTRY.finditer(body))
    if not entries:
        return None
    newest = max(entries, key=lambda entry: int(found[1]) if (found := _VERSION.search(entry[0])) else 0)
    return body[: entries[0].start()] + newest[0] + body[entries[-1].end() :]


def _following(page: Page, place: _Place) -> _Place | None:
    """The place of a further page, or none: no Link, no Next, or the Next that was sent."""
    if not page.goes_on or page.next is None or (place.name == "next" and place.value == page.next):
        return None
    return _Place(name="next", value=page.next)


async def _whole(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body
