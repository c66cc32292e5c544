"""Luisterhuis as two streams: the feed by pages, and the nightly inventory as rows (contract cb 2.1, 2.2, 3; 5, pre-step B)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterable
from datetime import datetime, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from adapters.distributors.cb import inventory
from adapters.distributors.cb.audiobooks import AudiobookCalls
from adapters.distributors.cb.civil import modified_from
from adapters.distributors.cb.cursors import FeedCursor, InventoryCursor, decode, encode, packed
from adapters.distributors.cb.facts import Checked
from adapters.distributors.cb.inventory import Line
from adapters.distributors.cb.pages import Pages, count_records, records_of
from adapters.distributors.cb.settings import Luisterhuis
from syncengine.domain.ids import Isbn, SourceName
from syncengine.domain.passes import PassMode
from syncengine.errors import SourceFailed
from syncengine.logs import Logger
from syncengine.ports import Clock, Part, PassEnd

Steps = AsyncGenerator[Part | PassEnd, None]

_MOST_RECORDS = 2_000_000
"""A list that goes on after so many is none: a hundred times what there is."""
_FEWEST_LISTED = 20
"""An inventory of fewer titles may lose any share of them."""

log = Logger(__name__)


class LuisterhuisFeed:
    """Reads one shop's view of Luisterhuis, over sessions of its own."""

    def __init__(
        self,
        name: SourceName,
        settings: Luisterhuis,
        zone: ZoneInfo,
        pages: Pages,
        calls: AudiobookCalls,
        clock: Clock,
    ) -> None:
        self._name = name
        self._settings = settings
        self._zone = zone
        self._pages = pages
        self._calls = calls
        self._clock = clock

    @property
    def has_inventory(self) -> bool:
        """Whether inventories are read at all."""
        return self._settings.inventory

    async def check(self) -> None:
        """Ask for a single record; raises SourceFailed."""
        since = modified_from(self._clock.now(), self._zone, form=self._settings.modified_from_format)
        await self._pages.page(self._address(since, 0, size=1))

    async def aclose(self) -> None:
        """Give back connections."""
        await self._pages.aclose()
        await self._calls.aclose()

    # --- the feed -------------------------------------------------------------------------------------------------------

    def feed_mode(self, cursor: bytes | None, full_every: timedelta | None, now: datetime) -> PassMode:
        """FULL where no pass was complete yet, and where a full one is due."""
        known = decode(cursor, FeedCursor)
        is_due = full_every is not None and (known.full_at is None or now - known.full_at >= full_every)
        return PassMode.FULL if known.began_at is None or is_due else PassMode.DELTA

    async def feed(self, mode: PassMode, cursor: bytes | None) -> Steps:
        """Pages by offset to an empty or a short one. The cursor is this shop's own clock before page 1, kept only at the end (3.3)."""
        known, is_full = decode(cursor, FeedCursor), mode is PassMode.FULL
        began_at = self._clock.now()
        since = None
        if known.began_at is not None and not is_full:
            settings = self._settings
            since = modified_from(known.began_at, self._zone, settings.overlap, settings.modified_from_format)
        offset = read_count = 0
        body, before = await self._pages.page(self._address(since, offset)), b""
        number = 0
        while read_count <= _MOST_RECORDS:
            number += 1
            coming = None
            if number > 1 and (records := records_of(body)) and records == records_of(before):
                raise self._endless(f"page {number} has the records of the page before")
            count = count_records(body)
            read_count += count
            if not self._is_last(count):
                # Behind those that came, for a server may give fewer than it is asked for; what only looks like a record is none.
                offset += 1 if self._settings.offset_unit == "pages" else min(count, self._settings.page_size)
                coming = asyncio.create_task(self._pages.page(self._address(since, offset)))
            try:
                yield Part(name=f"{mode.value} page {number}", chunks=whole(body))
                if coming is None:
                    full_at = began_at if is_full else known.full_at
                    yield PassEnd(cursor=encode(FeedCursor(began_at=began_at, full_at=full_at)))
                    return
                body, before = await coming, body
            finally:
                if coming is not None:
                    coming.cancel()
                    await asyncio.gather(coming, return_exceptions=True)
        raise self._endless(f"it does not end after {_MOST_RECORDS} records")

    def _endless(self, what: str) -> SourceFailed:
        return SourceFailed(
            f"{self._name}: the feed's paging is broken: {what}",
            hint="the server may take no notice of offset: check the names in the settings",
        )

    def _is_last(self, count: int) -> bool:
        """An empty page ends the list, and so does one with fewer records than were asked for (2.1)."""
        return count == 0 or (self._settings.stop_on_short_page and count < self._settings.page_size)

    def _address(self, since: str | None, offset: int, *, size: int | None = None) -> str:
        """Limit and offset are always sent, since their defaults have changed once (2.1)."""
        settings = self._settings
        query = {settings.name("limit"): str(size or settings.page_size), settings.name("offset"): str(offset)}
        if since is not None:
            query = {settings.name("modified_from"): since, **query}
        return f"{settings.feed_path}?{urlencode(query)}"

    # --- the inventory --------------------------------------------------------------------------------------------------

    def inventory_mode(self, cursor: bytes | None, now: datetime) -> PassMode:
        """FULL reads an inventory, DELTA only asks again about titles for which no answer came."""
        known = decode(cursor, InventoryCursor)
        is_due = inventory.is_due(known.read_at, now, self._settings.inventory_hour, self._zone)
        return PassMode.FULL if is_due else PassMode.DELTA

    async def inventory(self, mode: PassMode, cursor: bytes | None) -> Steps:
        """What is listed and what has gone, as one message of rows; nothing where there is nothing to say."""
        known = decode(cursor, InventoryCursor)
        if mode is PassMode.FULL:
            read_at = self._clock.now()
            lines = await self._listed(known)
            gone = known.eans.union(known.unanswered, known.doubted) - {line.ean for line in lines}
            after = InventoryCursor(read_at=read_at, listed=packed([line.ean for line in lines]))
        else:
            lines, gone, after = [], frozenset(known.unanswered), known
        checked, codes = await self._asked(gone)
        if lines or checked:
            body = inventory.message(lines, checked, codes)
            yield Part(name=f"inventory of {len(lines)} titles", chunks=whole(body))
        yield PassEnd(cursor=encode(_after(after, checked)))

    async def row_of(self, isbn: Isbn) -> Part | None:
        """What the availability check says of one title, as its row; none where no answer came."""
        answer, code = await self._calls.available(isbn)
        if answer is None:
            return None
        checked = {str(isbn): Checked.YES if answer else Checked.NO}
        return Part(name=f"availability of {isbn}", chunks=whole(inventory.message([], checked, {isbn: code})))

    async def _listed(self, known: InventoryCursor) -> list[Line]:
        """The lines of an inventory; raises SourceFailed where too many have gone from it to be believed."""
        settings = self._settings
        body = await self._pages.page(settings.inventory_path)
        lines = inventory.read_lines(body, settings.inventory_separator, settings.wire)
        before = known.eans
        gone = len(before - {line.ean for line in lines})
        if len(before) >= _FEWEST_LISTED and gone * 100 > len(before) * settings.inventory_absent_percent:
            raise SourceFailed(
                f"{self._name}: {gone} of {len(before)} titles have gone from the inventory at once",
                hint="it may be cut short; if it is right, raise luisterhuis.inventory_absent_percent for one pass",
            )
        return lines

    async def _asked(self, gone: Collection[str]) -> tuple[dict[str, Checked], dict[str, str]]:
        """The availability check of each title that has gone (5, pre-step B), and the codes that it gave."""
        checked: dict[str, Checked] = {}
        codes: dict[str, str] = {}
        for ean in sorted(gone):
            answer, codes[ean] = await self._calls.available(Isbn(ean))
            checked[ean] = Checked.UNANSWERED if answer is None else Checked.YES if answer else Checked.NO
            log.warning("gone from the inventory", source=self._name, ean=ean, available=checked[ean].value)
        return checked, codes


def _after(cursor: InventoryCursor, checked: dict[str, Checked]) -> InventoryCursor:
    """The cursor with what the checks said: what has no answer is asked again in every pass, a yes with every inventory."""
    return InventoryCursor(
        read_at=cursor.read_at,
        listed=cursor.listed,
        unanswered=tuple(_with(checked, Checked.UNANSWERED)),
        doubted=tuple(sorted({*cursor.doubted, *_with(checked, Checked.YES)})),
    )


def _with(checked: dict[str, Checked], answer: Checked) -> Iterable[str]:
    return (ean for ean, said in checked.items() if said is answer)


async def whole(body: bytes) -> AsyncGenerator[bytes, None]:
    """A body as the one piece it is."""
    yield body
