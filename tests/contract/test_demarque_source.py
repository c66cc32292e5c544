"""De Marque's feed protocol (contract 3) against a small scripted platform on loopback HTTP."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from typing import Any

import pytest
from aiohttp import web

from adapters.distributors.demarque.cursor import Crawl, Cursor
from adapters.distributors.demarque.feed import PAUSES
from adapters.distributors.demarque.source import STREAM, DeMarqueSource
from adapters.http.session import HttpSession, Patience
from syncengine.domain.ids import Isbn, SourceName
from syncengine.domain.passes import PassMode
from syncengine.errors import FeedTorn, FullPassNeeded, NotOnix, SourceFailed, SourceRefused, SourceUnreachable
from syncengine.ports import Part, PartialUpdates, PassEnd, World
from tests.clock import START, JumpClock
from tests.pace import FreePace
from tests.parts import content_of

SERVER_NOW = START + timedelta(minutes=3)
MARGIN = timedelta(minutes=10)
FULL = "/api/organisations/1234/publications/full.onix"
DELTA = "/api/organisations/1234/publications/delta.onix"
PUBLISHERS = "/api/organisations/1234/publishers.json"


def page(number: int, following: str | None) -> web.Response:
    """A page of the feed, with a Link to the path `following`."""
    headers = {"Date": format_datetime(SERVER_NOW, usegmt=True)}
    if following is not None:
        headers["Link"] = f"<{following}>; rel=next"
    return web.Response(body=f"<ONIXMessage>{number}</ONIXMessage>".encode(), headers=headers)


def word(status: int, text: str = "", **headers: str) -> web.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.Response(status=status, text=text, headers={"Date": format_datetime(SERVER_NOW, usegmt=True), **named})


@dataclass
class Platform:
    """Answers by path and query: each has a list of replies, the last of which stays; `asked` is what came."""

    replies: dict[str, list[Callable[[], web.StreamResponse]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    held: dict[str, asyncio.Event] = field(default_factory=dict)
    came: defaultdict[str, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))

    def on(self, target: str, *replies: Callable[[], web.StreamResponse]) -> None:
        self.replies[target] = list(replies)

    def crawl(self, first: str, pages: int) -> None:
        """A list of so many pages: every one has a Link, and 404 comes behind the last."""
        for number in range(1, pages + 1):
            target = first if number == 1 else f"{FULL}?start={number}%3D"
            self.on(target, partial(page, number, f"{FULL}?start={number + 1}%3D"))
        self.on(f"{FULL}?start={pages + 1}%3D", lambda: word(404, "not_found"))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        target = request.raw_path
        self.asked.append(target)
        self.came[target].set()
        if target in self.held:
            await self.held[target].wait()
        if DELTA in target and target not in self.replies and "start=" not in target:
            target = DELTA
        replies = self.replies.get(target)
        if replies is None:
            return word(404, "not_found")
        return (replies.pop(0) if len(replies) > 1 else replies[0])()


@dataclass
class Bench:
    """A platform, and a source that talks to it."""

    platform: Platform
    source: DeMarqueSource
    clock: JumpClock
    pace: FreePace
    url: str

    async def read(
        self, cursor: bytes | None = None, wanted: PassMode | None = None
    ) -> list[tuple[str, bytes, bytes | None]]:
        """One pass to its end: the name, content and cursor of each part, and of the end."""
        steps: list[tuple[str, bytes, bytes | None]] = []
        await self.read_into(steps, cursor, wanted)
        return steps

    async def read_into(
        self, steps: list[tuple[str, bytes, bytes | None]], cursor: bytes | None = None, wanted: PassMode | None = None
    ) -> None:
        plan = self.source.plan(STREAM, cursor, wanted, self.clock.now())
        async with aclosing(self.source.read(STREAM, plan, cursor)) as passing:
            async for step in passing:
                if isinstance(step, PassEnd):
                    steps.append(("end", b"", step.cursor))
                else:
                    steps.append((step.name, await content_of(step), step.cursor))


QUICK = Patience(connect_seconds=1, answer_seconds=0.5, silence_seconds=0.3, watch_seconds=0.5, slowest_bytes=1)


@asynccontextmanager
async def benched(**options: Any) -> AsyncIterator[Bench]:
    platform, clock, pace = Platform(), JumpClock(auto=True), FreePace()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", platform.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    session = HttpSession(f"{url}/api", clock=clock, allow_loopback_http=True, patience=QUICK)
    source = DeMarqueSource(SourceName("enq"), "1234", session, World(clock=clock, pace=pace), margin=MARGIN, **options)
    try:
        yield Bench(platform=platform, source=source, clock=clock, pace=pace, url=url)
    finally:
        await source.aclose()
        await runner.cleanup()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert not [task for task in others if "DeMarque" in repr(task) or "Feed" in repr(task)], "no task may be left"


def between(next_from: datetime = START - timedelta(days=1), full_at: datetime | None = None) -> bytes:
    return Cursor(next_from=next_from, full_at=full_at or next_from).encode()


# --- full ------------------------------------------------------------------------------------------------------------------


async def test_a_full_pass_follows_links_to_the_404():
    async with benched() as bench:
        bench.platform.crawl(FULL, 3)
        steps = await bench.read()
    assert [name for name, _, _ in steps] == ["full page 1", "full page 2", "full page 3", "end"]
    assert steps[1][1] == b"<ONIXMessage>2</ONIXMessage>"
    assert bench.platform.asked == [FULL, *(f"{FULL}?start={number}%3D" for number in (2, 3, 4))]
    assert bench.pace.turns == ["full_delta", "page", "page", "page"], "following pages are not counted"


async def test_the_end_keeps_the_instant_of_the_first_page_on_the_servers_clock():
    async with benched() as bench:
        bench.platform.crawl(FULL, 1)
        steps = await bench.read()
    assert Cursor.decode(steps[-1][2]) == Cursor(next_from=SERVER_NOW - MARGIN, full_at=SERVER_NOW)


async def test_without_a_date_the_own_clock_counts_from_before_the_request():
    async with benched() as bench:

        def undated() -> web.Response:
            bench.clock.advance(100)
            response = page(1, f"{FULL}?start=2%3D")
            response.headers["Date"] = "gibberish"
            return response

        bench.platform.on(FULL, undated)
        steps = await bench.read()
    assert Cursor.decode(steps[-1][2]).full_at == START


async def test_each_page_commits_the_link_behind_it():
    async with benched() as bench:
        bench.platform.crawl(FULL, 2)
        steps = await bench.read(between(), PassMode.FULL)
    first = Cursor.decode(steps[0][2])
    assert first.next_from == START - timedelta(days=1), "an interrupted crawl must not lose the last delta's instant"
    assert first.crawl == Crawl(
        mode=PassMode.FULL, t0=SERVER_NOW, next=f"{bench.url}{FULL}?start=2%3D", saved_at=START, pages=1
    )


async def test_an_unknown_organisation_is_never_an_empty_catalogue():
    async with benched() as bench:
        with pytest.raises(SourceRefused, match="knows no organisation '1234'") as caught:
            await bench.read()
    assert "organisation_id" in caught.value.hint


async def test_pages_that_are_no_onix():
    async with benched() as bench:
        bench.platform.on(FULL, lambda: web.Response(text="<!DOCTYPE html><html>login</html>"))
        with pytest.raises(NotOnix, match="web page"):
            await bench.read()


async def test_the_next_page_is_fetched_while_this_one_is_worked_on():
    async with benched() as bench:
        bench.platform.crawl(FULL, 2)
        plan = bench.source.plan(STREAM, None, None, START)
        async with aclosing(bench.source.read(STREAM, plan, None)) as passing:
            await anext(passing)
            await asyncio.wait_for(bench.platform.came[f"{FULL}?start=2%3D"].wait(), 2)
    assert bench.platform.asked == [FULL, f"{FULL}?start=2%3D"]


@pytest.mark.parametrize("how", ["closed", "cancelled", "failed meanwhile"])
async def test_a_pass_given_up_leaves_no_request_behind(how):
    async with benched() as bench:
        bench.platform.crawl(FULL, 2)
        second = f"{FULL}?start=2%3D"
        if how == "failed meanwhile":
            bench.platform.on(second, lambda: word(401, "access_denied"))
        else:
            bench.platform.held[second] = asyncio.Event()
        plan = bench.source.plan(STREAM, None, None, START)
        reached = asyncio.Event()

        async def work() -> None:
            async with aclosing(bench.source.read(STREAM, plan, None)) as passing:
                await anext(passing)
                await bench.platform.came[second].wait()
                await asyncio.sleep(0.02)
                reached.set()
                if how == "cancelled":
                    await anext(passing)

        task = asyncio.create_task(work())
        await reached.wait()
        if how == "cancelled":
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await asyncio.wait([task])


# --- broken paging ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("following", "says"),
    [
        (None, "names no next page"),
        (FULL, "leads back"),
        ("https://evil.example/feed?start=2", "leads away"),
        ("//evil.example/feed", "leads away"),
        ("http://user:pw@127.0.0.1/feed", "leads away"),
        ("http://[broken/", "leads away"),
    ],
)
async def test_broken_links_keep_the_page_but_not_its_cursor(following, says):
    """What came is worked on; the pass is not complete."""
    async with benched() as bench:
        bench.platform.on(FULL, lambda: page(1, following))
        steps: list[tuple[str, bytes, bytes | None]] = []
        with pytest.raises(SourceFailed, match=says):
            await bench.read_into(steps)
    assert steps == [("full page 1", b"<ONIXMessage>1</ONIXMessage>", None)]
    assert bench.platform.asked == [FULL]


async def test_a_cycle_of_two_ends():
    async with benched() as bench:
        bench.platform.on(FULL, lambda: page(1, f"{FULL}?start=2%3D"))
        bench.platform.on(f"{FULL}?start=2%3D", lambda: page(2, f"{FULL}?start=3%3D"))
        bench.platform.on(f"{FULL}?start=3%3D", lambda: page(3, f"{FULL}?start=2%3D"))
        steps: list[tuple[str, bytes, bytes | None]] = []
        with pytest.raises(SourceFailed, match="leads back"):
            await bench.read_into(steps)
    assert len(steps) == 3


async def test_a_404_that_is_not_the_distributors_is_no_end():
    async with benched() as bench:
        bench.platform.on(FULL, lambda: page(1, f"{FULL}?start=2%3D"))
        bench.platform.on(f"{FULL}?start=2%3D", lambda: word(404, "<html>no such page</html>"))
        with pytest.raises(SourceFailed, match="404"):
            await bench.read()


# --- delta -----------------------------------------------------------------------------------------------------------------


async def test_a_delta_always_says_from_when():
    """Without `from` the server would go by its own state."""
    async with benched() as bench:
        bench.platform.on(DELTA, lambda: page(1, f"{DELTA}?start=2"))
        steps = await bench.read(between(datetime(2026, 2, 6, 2, 27, 7, tzinfo=UTC)))
    assert bench.platform.asked[0] == f"{DELTA}?from=20260206T022707Z"
    assert [name for name, _, _ in steps] == ["delta page 1", "end"]
    after = Cursor.decode(steps[-1][2])
    assert after == Cursor(next_from=SERVER_NOW - MARGIN, full_at=datetime(2026, 2, 6, 2, 27, 7, tzinfo=UTC))


async def test_no_changes_are_told_from_an_unknown_organisation_once():
    async with benched() as bench:
        bench.platform.on(PUBLISHERS, lambda: web.json_response({"publishers": [], "distributors": []}))
        first = await bench.read(between())
        second = await bench.read(first[-1][2])
    assert [name for name, _, _ in first + second] == ["end", "end"]
    assert bench.platform.asked.count(PUBLISHERS) == 1
    assert bench.pace.turns == ["full_delta", "account", "full_delta"]
    assert Cursor.decode(first[-1][2]).next_from == SERVER_NOW - MARGIN


async def test_a_delta_of_an_unknown_organisation_is_refused():
    async with benched() as bench:
        with pytest.raises(SourceRefused, match="knows no organisation"):
            await bench.read(between())


async def test_a_delta_without_anything_before_it_needs_a_full_pass():
    async with benched() as bench:
        with pytest.raises(FullPassNeeded):
            await bench.read(None, PassMode.DELTA)
    assert bench.platform.asked == []


@pytest.mark.parametrize("body", ["too_many_results", '["too_many_results"]'])
async def test_too_many_results_need_a_full_pass(body):
    async with benched() as bench:
        bench.platform.on(DELTA, lambda: word(400, body))
        with pytest.raises(FullPassNeeded):
            await bench.read(between())


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, "access_denied", SourceRefused),
        (401, "", SourceRefused),
        (403, "", SourceRefused),
        (415, "invalid_format", SourceRefused),
        (400, "invalid_from", SourceFailed),
        (418, "", SourceFailed),
    ],
)
async def test_refusals_are_told_at_once(status, body, error):
    async with benched() as bench:
        bench.platform.on(FULL, lambda: word(status, body))
        with pytest.raises(error, match=str(status)):
            await bench.read()
    assert bench.platform.asked == [FULL], "a refusal is not asked for twice"


# --- repeats ---------------------------------------------------------------------------------------------------------------


def torn() -> web.StreamResponse:
    return web.Response(body=b"\x1f\x8b\x08\x00cut", headers={"Content-Encoding": "gzip"})


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (lambda: word(500), SourceUnreachable),
        (lambda: word(503, "service_unavailable"), SourceUnreachable),
        (torn, FeedTorn),
    ],
)
async def test_what_the_network_spoils_is_repeated_a_few_times(reply, error):
    async with benched() as bench:
        bench.platform.crawl(FULL, 2)
        good = bench.platform.replies[f"{FULL}?start=2%3D"][0]
        bench.platform.on(f"{FULL}?start=2%3D", reply, reply, good)
        steps = await bench.read()
        assert [name for name, _, _ in steps] == ["full page 1", "full page 2", "end"]
        assert bench.clock.slept == list(PAUSES[:2])

        bench.platform.on(f"{FULL}?start=2%3D", reply)
        bench.platform.asked.clear()
        cut_short: list[tuple[str, bytes, bytes | None]] = []
        with pytest.raises(error):
            await bench.read_into(cut_short)
    assert len(bench.platform.asked) == 1 + 1 + len(PAUSES)
    assert Cursor.decode(cut_short[-1][2]).crawl is not None, "the next pass goes on behind what was committed"


async def test_a_refused_rate_slows_down_and_the_page_is_asked_for_again():
    async with benched() as bench:
        bench.platform.on(FULL, lambda: word(429, Retry_After="60"), lambda: page(1, f"{FULL}?start=2%3D"))
        steps = await bench.read()
        slowed_until = bench.pace.slowed
    assert [name for name, _, _ in steps] == ["full page 1", "end"]
    assert slowed_until == [("full_delta", START + timedelta(seconds=60))]
    assert bench.pace.turns == ["full_delta", "full_delta", "page"]
    assert bench.clock.slept == [], "the pace waits, not the source"


async def test_a_rate_that_stays_refused_ends_the_pass():
    """At first a default span, then the next clock hour (contract 2.3)."""
    async with benched() as bench:
        bench.platform.on(FULL, lambda: word(429))
        with pytest.raises(SourceUnreachable, match="429"):
            await bench.read()
    assert len(bench.platform.asked) == 3
    assert bench.pace.slowed[0] == ("full_delta", None)
    until = bench.pace.slowed[1][1]
    assert until is not None
    assert START + timedelta(hours=1) <= until < START + timedelta(hours=1, minutes=1)


# --- going on --------------------------------------------------------------------------------------------------------------


async def test_an_interrupted_crawl_goes_on_with_the_next_page():
    async with benched() as bench:
        bench.platform.crawl(FULL, 3)
        whole = await bench.read()
        bench.platform.asked.clear()
        bench.pace.turns.clear()
        rest = await bench.read(whole[0][2])
    assert [(name, body) for name, body, _ in rest] == [(name, body) for name, body, _ in whole[1:]]
    assert bench.platform.asked[0] == f"{FULL}?start=2%3D"
    assert bench.pace.turns == ["page"] * 3, "going on burns no first page"
    assert rest[-1][2] == whole[-1][2], "the instant is still that of the first page"


@pytest.mark.parametrize("mode", [PassMode.FULL, PassMode.DELTA])
@pytest.mark.parametrize(("status", "said"), [(404, "not_found"), (400, "invalid_start")])
async def test_a_dead_link_is_not_taken_for_the_end(mode, status, said):
    async with benched() as bench:
        bench.platform.on(f"{FULL}?start=dead", lambda: word(status, said))
        bench.platform.crawl(FULL, 2)
        bench.platform.on(DELTA, lambda: page(7, f"{DELTA}?start=2"))
        crawl = Crawl(mode=mode, t0=START, next=f"{bench.url}{FULL}?start=dead", saved_at=START, pages=9)
        cursor = Cursor(next_from=START - timedelta(days=1), crawl=crawl).encode()
        steps = await bench.read(cursor)
    names = ["full page 1", "full page 2", "end"] if mode is PassMode.FULL else ["delta page 1", "end"]
    assert [name for name, _, _ in steps] == names


@pytest.mark.parametrize(("link", "starts_over"), [("dead", [True, False]), ("2%3D", [False])])
async def test_a_crawl_that_has_to_begin_anew_says_so_with_its_first_page(link, starts_over):
    """What was counted and staged before would else count twice."""
    async with benched() as bench:
        bench.platform.crawl(FULL, 2)
        crawl = Crawl(mode=PassMode.FULL, t0=START, next=f"{bench.url}{FULL}?start={link}", saved_at=START, pages=1)
        cursor = Cursor(crawl=crawl).encode()
        plan = bench.source.plan(STREAM, cursor, None, START)
        async with aclosing(bench.source.read(STREAM, plan, cursor)) as passing:
            parts = [step async for step in passing if isinstance(step, Part)]
    assert starts_over == [part.starts_over for part in parts]


async def test_going_on_without_credentials_is_refused_not_begun_anew():
    async with benched() as bench:
        bench.platform.on(f"{FULL}?start=2", lambda: word(401, "access_denied"))
        crawl = Crawl(mode=PassMode.FULL, t0=START, next=f"{bench.url}{FULL}?start=2", saved_at=START, pages=1)
        with pytest.raises(SourceRefused):
            await bench.read(Cursor(crawl=crawl).encode())
    assert bench.platform.asked == [f"{FULL}?start=2"]


def crawling(mode: PassMode, *, age: timedelta = timedelta(hours=1), host: str = "http://127.0.0.1:1") -> bytes:
    crawl = Crawl(mode=mode, t0=START, next=f"{host}/api/x", saved_at=START - age, pages=3)
    return Cursor(next_from=START - timedelta(days=2), full_at=START - timedelta(days=2), crawl=crawl).encode()


DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("cursor", "wanted", "full_every", "mode", "resumes"),
    [
        (None, None, None, PassMode.FULL, False),
        (b"gibberish", None, None, PassMode.FULL, False),
        (between(), None, None, PassMode.DELTA, False),
        (between(), PassMode.FULL, None, PassMode.FULL, False),
        (between(full_at=START - 8 * DAY), None, 7 * DAY, PassMode.FULL, False),
        (between(full_at=START - 6 * DAY), None, 7 * DAY, PassMode.DELTA, False),
        (between(full_at=START - 8 * DAY), PassMode.DELTA, 7 * DAY, PassMode.DELTA, False),
        (crawling(PassMode.FULL), None, None, PassMode.FULL, True),
        (crawling(PassMode.DELTA), None, None, PassMode.DELTA, True),
        (crawling(PassMode.FULL), PassMode.FULL, None, PassMode.FULL, True),
        (crawling(PassMode.FULL), PassMode.DELTA, None, PassMode.DELTA, False),
        (crawling(PassMode.FULL, age=DAY), None, None, PassMode.FULL, False),
        (crawling(PassMode.DELTA, age=DAY), None, None, PassMode.DELTA, False),
        (crawling(PassMode.FULL, age=-DAY), None, None, PassMode.FULL, False),
        (crawling(PassMode.DELTA, host="https://old.example"), None, None, PassMode.DELTA, False),
    ],
)
def test_plans(cursor, wanted, full_every, mode, resumes):
    clock = JumpClock()
    session = HttpSession("http://127.0.0.1:1/api", clock=clock, allow_loopback_http=True)
    source = DeMarqueSource(
        SourceName("enq"), "1234", session, World(clock=clock, pace=FreePace()), full_every=full_every
    )
    plan = source.plan(STREAM, cursor, wanted, START)
    assert (plan.mode, plan.resumes) == (mode, resumes)


# --- single titles ---------------------------------------------------------------------------------------------------------


async def test_single_publications():
    async with benched() as bench:
        bench.platform.on("/api/organisations/1234/publications/9780000000002.onix", lambda: page(1, None))
        part = (await bench.source.read_one(Isbn("9780000000002")))[STREAM]
        assert await content_of(part) == b"<ONIXMessage>1</ONIXMessage>"
        assert part.cursor is None
        assert {} == await bench.source.read_one(Isbn("9780000000019"))
    assert bench.pace.turns == ["publication", "publication"]


async def test_what_the_source_promises():
    async with benched() as bench:
        assert bench.source.streams == (STREAM,)
        assert bench.source.is_snapshot(STREAM)
        assert bench.source.conventions.partial_updates is PartialUpdates.WHOLE
