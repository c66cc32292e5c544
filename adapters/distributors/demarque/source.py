"""De Marque's catalogue as a source: full and delta crawls along next-links, and single publications (contract 3)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from adapters.distributors.demarque.cursor import DEFAULT_MARGIN, Crawl, Cursor
from adapters.distributors.demarque.feed import Feed
from adapters.http.headers import http_date, next_link, resolve
from adapters.http.session import Answer, HttpSession
from syncengine.domain.ids import Isbn, SourceName, StreamName
from syncengine.domain.passes import PassMode
from syncengine.domain.rows import Rows
from syncengine.errors import FullPassNeeded, SourceFailed, SourceRefused
from syncengine.ports import Conventions, Part, PartialUpdates, PassEnd, PassPlan, World

STREAM = StreamName("publications")
RESUMED_WITHIN = timedelta(hours=24)

_MOST_PAGES = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Walk:
    """A crawl in memory: what its cursors are made of."""

    mode: PassMode
    t0: datetime
    before: Cursor

    def at(self, link: str, pages: int, now: datetime) -> bytes:
        """The cursor to commit with the page before `link`."""
        crawl = Crawl(mode=self.mode, t0=self.t0, next=link, saved_at=now, pages=pages)
        return Cursor(next_from=self.before.next_from, full_at=self.before.full_at, crawl=crawl).encode()

    def end(self, margin: timedelta) -> bytes:
        """The cursor to commit with the end."""
        full_at = self.t0 if self.mode is PassMode.FULL else self.before.full_at
        return Cursor(next_from=self.t0 - margin, full_at=full_at).encode()


class DeMarqueSource:
    """One account's catalogue. Every record is whole, and a complete full pass is all there is."""

    def __init__(
        self,
        name: SourceName,
        organisation_id: str,
        session: HttpSession,
        world: World,
        *,
        margin: timedelta = DEFAULT_MARGIN,
        full_every: timedelta | None = None,
    ) -> None:
        self._name = name
        self._organisation_id = organisation_id
        self._base = f"/organisations/{quote(organisation_id, safe='')}/"
        self._session = session
        self._clock = world.clock
        self._feed = Feed(name, session, clock=world.clock, pace=world.pace)
        self._margin = margin
        self._full_every = full_every
        self._account_known = False

    @property
    def name(self) -> SourceName:
        return self._name

    @property
    def streams(self) -> tuple[StreamName, ...]:
        return (STREAM,)

    @property
    def conventions(self) -> Conventions:
        return Conventions(partial_updates=PartialUpdates.WHOLE)

    def rows(self, stream: StreamName) -> Rows | None:  # noqa: ARG002 - there is one stream
        return None

    def is_snapshot(self, stream: StreamName) -> bool:  # noqa: ARG002 - there is one stream
        return True

    def plan(
        self,
        stream: StreamName,  # noqa: ARG002 - there is one stream
        cursor: bytes | None,
        wanted: PassMode | None,
        now: datetime,
    ) -> PassPlan:
        known = Cursor.decode(cursor)
        crawl = known.crawl
        if crawl and wanted in {None, crawl.mode} and self._is_fresh(crawl, now):
            return PassPlan(mode=crawl.mode, resumes=True)
        if wanted:
            return PassPlan(mode=wanted)
        interrupted_full = crawl is not None and crawl.mode is PassMode.FULL
        if known.next_from is None or interrupted_full or self._is_full_due(known, now):
            return PassPlan(mode=PassMode.FULL)
        return PassPlan(mode=PassMode.DELTA)

    async def read(
        self,
        stream: StreamName,  # noqa: ARG002 - there is one stream
        plan: PassPlan,
        cursor: bytes | None,
    ) -> AsyncGenerator[Part | PassEnd, None]:
        walk, answer, pages = await self._opened(plan, Cursor.decode(cursor))
        visited: set[str] = set()
        while answer.status != 404:
            pages += 1
            name, chunks = f"{walk.mode.value} page {pages}", _whole(answer.body)
            try:
                link = self._following(answer, visited, pages)
            except SourceFailed:
                yield Part(name=name, chunks=chunks, starts_over=plan.resumes and pages == 1)
                raise
            coming = asyncio.create_task(self._feed.page(link, "page"))
            try:
                cursor_behind = walk.at(link, pages, self._clock.now())
                yield Part(name=name, chunks=chunks, cursor=cursor_behind, starts_over=plan.resumes and pages == 1)
                answer = await coming
            finally:
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)
        yield PassEnd(cursor=walk.end(self._margin))

    async def read_one(self, isbn: Isbn) -> Mapping[StreamName, Part]:
        answer = await self._feed.page(f"{self._base}publications/{quote(isbn, safe='')}.onix", "publication")
        if answer.status == 404:
            return {}
        return {STREAM: Part(name=f"publication {isbn}", chunks=_whole(answer.body))}

    async def check_account(self) -> None:
        """Ask for the agreements (contract 6.1), which every known organisation has; raises SourceRefused for another.

        A delta answers `404` both for an unknown organisation and for no changes, so this call must tell them apart.
        """
        if (await self._feed.page(f"{self._base}publishers.json", "account")).status == 404:
            raise self._unknown_organisation()
        self._account_known = True

    async def aclose(self) -> None:
        await self._session.aclose()

    def _is_fresh(self, crawl: Crawl, now: datetime) -> bool:
        return timedelta(0) <= now - crawl.saved_at < RESUMED_WITHIN and self._session.is_own(crawl.next)

    def _is_full_due(self, known: Cursor, now: datetime) -> bool:
        if self._full_every is None:
            return False
        return known.full_at is None or now - known.full_at >= self._full_every

    async def _opened(self, plan: PassPlan, known: Cursor) -> tuple[_Walk, Answer, int]:
        """The crawl, its next page (or the `404` that ends it), and how many pages came before."""
        if plan.resumes and known.crawl and (resumed := await self._resumed(known.crawl)):
            return _Walk(mode=known.crawl.mode, t0=known.crawl.t0, before=known), resumed, known.crawl.pages
        asked_at = self._clock.now()
        answer = await self._feed.page(self._first_address(plan.mode, known), "full_delta")
        if answer.status == 404 and plan.mode is PassMode.FULL:
            raise self._unknown_organisation()
        if answer.status == 404 and not self._account_known:
            await self.check_account()
        self._account_known = True
        t0 = http_date(answer.headers.get("date")) or asked_at
        return _Walk(mode=plan.mode, t0=t0, before=known), answer, 0

    async def _resumed(self, crawl: Crawl) -> Answer | None:
        """The page that an interrupted crawl goes on with; none where it must start over.

        How long a next-link lives is not known, and a dead one may be answered like an end. So a `404` to the very first
        request is not taken for the end, and a refusal to understand the link not for a failure of the platform.
        """
        try:
            answer = await self._feed.page(crawl.next, "page")
        except SourceFailed as error:
            if type(error) is SourceFailed:
                return None
            raise
        return None if answer.status == 404 else answer

    def _first_address(self, mode: PassMode, known: Cursor) -> str:
        """`from` is always sent: without it the server would go by a state of its own, which an aborted crawl moves."""
        if mode is PassMode.FULL:
            return f"{self._base}publications/full.onix"
        if known.next_from is None:
            raise FullPassNeeded(
                f"{self._name}: there is no complete pass yet that a delta could follow", hint="run a full pass first"
            )
        return f"{self._base}publications/delta.onix?from={known.next_from.astimezone(UTC):%Y%m%dT%H%M%SZ}"

    def _following(self, answer: Answer, visited: set[str], pages: int) -> str:
        """The address of the next page; every page names one, also the last (contract 3.3). Raises SourceFailed."""
        visited.add(answer.url)
        link = next_link(answer.headers.get("link"))
        if link is None:
            raise self._broken(f"page {pages} names no next page, which is not how a catalogue ends")
        address = resolve(answer.url, link)
        if not self._session.is_own(address):
            raise self._broken(f"page {pages} leads away from {self._session.base_url}")
        if address in visited:
            raise self._broken(f"page {pages} leads back to a page that was read")
        if pages >= _MOST_PAGES:
            raise self._broken(f"it does not end after {pages} pages")
        return address

    def _broken(self, what: str) -> SourceFailed:
        return SourceFailed(
            f"{self._name}: the catalogue's paging is broken: {what}",
            hint="what came so far is kept; the pass is not complete and nothing counts as vanished",
        )

    def _unknown_organisation(self) -> SourceRefused:
        return SourceRefused(
            f"{self._name}: the distributor knows no organisation {self._organisation_id!r} (404)",
            hint="check organisation_id and base_url; an empty catalogue is not answered like this",
        )


async def _whole(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body
