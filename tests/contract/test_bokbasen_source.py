"""Bokbasen's feed protocol (contract 3, 4 and 9.1) against a small scripted platform on loopback HTTP."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web

from adapters.distributors import bokbasen
from adapters.distributors.bokbasen.cursor import Cursor
from adapters.distributors.bokbasen.feed import PAUSES
from adapters.distributors.bokbasen.source import INVENTORY, METADATA, ROWS, BokbasenSource, newest_entry
from syncengine.domain.ids import Isbn, SourceName, StreamName
from syncengine.domain.passes import PassMode
from syncengine.errors import (
    FullPassNeeded,
    NotOnix,
    SourceFailed,
    SourceRefused,
    SourceUnreachable,
)
from syncengine.ports import Part, PartialUpdates, PassEnd, World
from tests.clock import START, JumpClock
from tests.pace import FreePace
from tests.parts import content_of

EXPORT = "/metadata/export/onix/v3"
STOCK = "/dds/inventory/v2"
LOCAL = "%Y%m%d%H%M%S"
ISBN = Isbn("9788202416164")

Reply = Callable[[], web.StreamResponse]


def onix(number: int, *, records: int = 1) -> bytes:
    written = "".join(f"<Product><RecordReference>{number}-{n}</RecordReference></Product>" for n in range(records))
    return f'<ONIXMessage release="3.1">{written}</ONIXMessage>'.encode()


def stock(*versions: int) -> bytes:
    entries = "".join(
        f"<a:entry><a:id>urn:uuid:{version}</a:id><inv:isbn>{ISBN}</inv:isbn><inv:version>{version}</inv:version></a:entry>"
        for version in versions
    )
    return f'<a:feed xmlns:a="http://www.w3.org/2005/Atom" xmlns:inv="urn:i">{entries}</a:feed>'.encode()


def page(body: bytes, following: str | None = None, *, more: bool = False, lower: bool = False) -> Reply:
    """A page with Next, and with Link where there are `more`."""

    def reply() -> web.StreamResponse:
        headers = {} if following is None else {"Next": following}
        if more:
            headers["Link"] = f'<https://elsewhere.example/feed?next={following}>; rel="next"'
        if lower:
            headers = {name.lower(): text for name, text in headers.items()}
        return web.Response(body=body, headers=headers)

    return reply


def says(status: int, body: bytes = b"", **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda: web.Response(status=status, body=body, headers=named)


@dataclass
class Platform:
    """Gives the replies of its script one after the other, the last for ever; tokens it hands out to anybody."""

    script: list[Reply] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    held: asyncio.Event | None = None
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/oauth/token":
            return web.json_response({"access_token": "t", "expires_in": 86400, "token_type": "Bearer"})
        self.asked.append(request.raw_path)
        self.headers.append({name.lower(): text for name, text in request.headers.items()})
        if len(self.asked) > 1:
            self.came.set()
        if self.held is not None and len(self.asked) > 1:
            await self.held.wait()
        return (self.script.pop(0) if len(self.script) > 1 else self.script[0])()

    def queries(self) -> list[dict[str, str]]:
        return [{name: texts[0] for name, texts in parse_qs(urlsplit(path).query).items()} for path in self.asked]


@dataclass
class Step:
    name: str
    content: bytes
    cursor: Cursor | None
    starts_over: bool = False


@dataclass
class Bench:
    """A platform, and a source that talks to it."""

    platform: Platform
    source: BokbasenSource
    clock: JumpClock
    pace: FreePace
    settings: bokbasen.Settings

    async def read(
        self, cursor: Cursor | None = None, wanted: PassMode | None = None, *, stream: StreamName = METADATA
    ) -> list[Step]:
        steps: list[Step] = []
        await self.read_into(steps, cursor, wanted, stream=stream)
        return steps

    async def read_into(
        self, steps: list[Step], cursor: Cursor | None, wanted: PassMode | None, *, stream: StreamName = METADATA
    ) -> None:
        committed = None if cursor is None else cursor.encode()
        plan = self.source.plan(stream, committed, wanted, self.clock.now())
        async with aclosing(self.source.read(stream, plan, committed)) as passing:
            async for step in passing:
                kept = None if step.cursor is None else Cursor.decode(step.cursor)
                if isinstance(step, PassEnd):
                    steps.append(Step("end", b"", kept))
                else:
                    steps.append(Step(step.name, await content_of(step), kept, step.starts_over))


@asynccontextmanager
async def benched(*script: Reply, **settings: Any) -> AsyncIterator[Bench]:
    platform, clock, pace = Platform(script=list(script)), JumpClock(auto=True), FreePace()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", platform.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    made = bokbasen.Settings(
        kind="bokbasen",
        base_url=url,
        token_url=f"{url}/oauth/token",
        client_id="shop",
        client_secret_env="BOKBASEN_SECRET",
        allow_loopback_http=True,
        **settings,
    )
    source = bokbasen.connect(SourceName("dds"), made, World(clock=clock, pace=pace)).source
    assert isinstance(source, BokbasenSource)
    try:
        yield Bench(platform=platform, source=source, clock=clock, pace=pace, settings=made)
    finally:
        await source.aclose()
        await runner.cleanup()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert not [task for task in others if "bokbasen" in repr(task)], "no task may be left"


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOKBASEN_SECRET", "canary")


def behind(text: str, *, days: float = 0.0, **fields: Any) -> Cursor:
    """A cursor that was handed out so many days ago."""
    return Cursor(next=text, next_at=START - timedelta(days=days), **fields)


# --- the streams


async def test_two_streams_neither_of_them_a_snapshot():
    async with benched(page(onix(1))) as bench:
        source = bench.source
        assert (METADATA, INVENTORY) == source.streams
        assert (None, ROWS) == (source.rows(METADATA), source.rows(INVENTORY))
        assert not source.is_snapshot(METADATA)
        assert not source.is_snapshot(INVENTORY)
        assert PartialUpdates.WHOLE is source.conventions.partial_updates


# --- the first load


async def test_the_first_load_asks_after_nearly_180_days_ago_in_norways_time():
    async with benched(page(onix(1), "c1"), page(onix(0, records=0), "c1")) as bench:
        steps = await bench.read()
    (query,) = bench.platform.queries()
    assert {"after": "20250904140000", "subscription": "extended"} == query
    assert datetime(2025, 9, 4, 12, 0, tzinfo=UTC) == START - timedelta(days=179)
    assert [EXPORT] == [urlsplit(path).path for path in bench.platform.asked]
    assert ["metadata page 1", "end"] == [step.name for step in steps]
    assert Cursor(next="c1", next_at=START, full_at=START) == steps[-1].cursor


async def test_the_first_load_of_the_inventory_asks_after_any_time():
    async with benched(page(stock(1), "c1")) as bench:
        await bench.read(stream=INVENTORY)
    (query,) = bench.platform.queries()
    assert {"after": "20000101010000"} == query


async def test_the_inventory_may_be_bound_to_an_age_too():
    async with benched(page(stock(1), "c1"), inventory_maximum_age=timedelta(days=180)) as bench:
        await bench.read(stream=INVENTORY)
    assert "20250904140000" == bench.platform.queries()[0]["after"]


async def test_then_next_goes_on_until_no_link_is_named():
    script = (page(onix(1), "c/1+=", more=True), page(onix(2), "c2", more=True), page(onix(3), "c3"))
    async with benched(*script, page_size=500) as bench:
        steps = await bench.read()
    assert ["c/1+=", "c2"] == [query["next"] for query in bench.platform.queries()[1:]]
    assert {"500"} == {query["pagesize"] for query in bench.platform.queries()}
    assert ["metadata page 1", "metadata page 2", "metadata page 3", "end"] == [step.name for step in steps]
    assert onix(2) == steps[1].content
    assert "next=c%2F1%2B%3D" in bench.platform.asked[1], "a cursor is encoded"


async def test_each_page_commits_its_next_with_the_pass_under_way():
    async with benched(page(onix(1), "c1", more=True), page(onix(2), "c2")) as bench:
        first, second, end = await bench.read()
    assert Cursor(next="c1", next_at=START, mode=PassMode.FULL, full_at=START) == first.cursor
    assert second.cursor == end.cursor == Cursor(next="c2", next_at=START, full_at=START)


# --- where it stops


async def test_it_stops_where_next_is_the_cursor_that_was_sent():
    async with benched(page(onix(1), "c1", more=True)) as bench:
        steps = await bench.read(behind("c1"))
    assert 1 == len(bench.platform.asked)
    assert ["metadata page 1", "end"] == [step.name for step in steps]


async def test_it_stops_at_an_empty_page_and_keeps_its_next():
    async with benched(page(onix(0, records=0), "c9", more=True)) as bench:
        (end,) = await bench.read(behind("c1", full_at=START))
    assert 1 == len(bench.platform.asked)
    assert Cursor(next="c9", next_at=START, full_at=START) == end.cursor


async def test_an_answer_without_next_leaves_the_cursor_as_it_was():
    async with benched(page(onix(1))) as bench:
        part, end = await bench.read(behind("c1", days=3, full_at=START))
    assert part.cursor is None
    assert behind("c1", days=3, full_at=START) == end.cursor


async def test_a_first_load_without_any_next_goes_on_by_its_beginning():
    async with benched(page(onix(1))) as bench:
        _, end = await bench.read()
        assert Cursor(since=START, full_at=START) == end.cursor
        bench.clock.advance(86_400)
        assert end.cursor is not None
        assert PassMode.DELTA is bench.source.plan(METADATA, end.cursor.encode(), None, bench.clock.now()).mode
        await bench.read(end.cursor)
    assert f"{START - timedelta(hours=5):{LOCAL}}" == bench.platform.queries()[-1]["after"], "six hours back, one ahead"


async def test_a_feed_that_never_ends_is_cut_off():
    replies = [page(onix(number), f"c{number}", more=True) for number in range(9)]
    async with benched(*replies, most_pages=4) as bench:
        steps: list[Step] = []
        with pytest.raises(SourceFailed, match="does not end after 4 pages") as caught:
            await bench.read_into(steps, None, None)
    assert "most_pages" in caught.value.hint
    assert 4 == len(steps)
    assert steps[-1].cursor is not None
    assert ("c3", PassMode.FULL) == (steps[-1].cursor.next, steps[-1].cursor.mode)


async def test_header_names_in_lower_case():
    async with benched(page(onix(1), "c1", more=True, lower=True), page(onix(2), "c2", lower=True)) as bench:
        steps = await bench.read()
    assert 3 == len(steps)


# --- going on


async def test_a_delta_begins_with_next():
    async with benched(page(onix(1), "c2")) as bench:
        await bench.read(behind("c1", days=1))
    assert "c1" == bench.platform.queries()[0]["next"]
    assert "after" not in bench.platform.queries()[0]


@pytest.mark.parametrize(
    ("cursor", "wanted", "mode", "resumes"),
    [
        (None, None, PassMode.FULL, False),
        (Cursor(), None, PassMode.FULL, False),
        (behind("c", days=1), None, PassMode.DELTA, False),
        (behind("c", days=178), None, PassMode.DELTA, False),
        (behind("c", days=179), None, PassMode.FULL, False),
        (behind("c", days=1), PassMode.FULL, PassMode.FULL, False),
        (behind("c", mode=PassMode.FULL), None, PassMode.FULL, True),
        (behind("c", mode=PassMode.FULL), PassMode.FULL, PassMode.FULL, True),
        (behind("c", mode=PassMode.FULL), PassMode.DELTA, PassMode.DELTA, False),
        (behind("c", mode=PassMode.DELTA), None, PassMode.DELTA, True),
        (behind("c", mode=PassMode.FULL, days=180), None, PassMode.FULL, False),
        (Cursor(since=START - timedelta(days=2)), None, PassMode.DELTA, False),
    ],
)
async def test_what_the_next_pass_is(cursor, wanted, mode, resumes):
    async with benched(page(onix(1))) as bench:
        plan = bench.source.plan(METADATA, None if cursor is None else cursor.encode(), wanted, START)
    assert (mode, resumes) == (plan.mode, plan.resumes)


async def test_a_cursor_that_cannot_be_read_counts_as_none():
    async with benched(page(onix(1))) as bench:
        assert PassMode.FULL is bench.source.plan(METADATA, b"\xff", None, START).mode


async def test_an_inventory_cursor_lives_for_ever():
    async with benched(page(stock(1))) as bench:
        plan = bench.source.plan(INVENTORY, behind("c", days=400).encode(), None, START)
    assert PassMode.DELTA is plan.mode


async def test_a_whole_load_may_be_wanted_every_so_often():
    async with benched(page(onix(1)), full_every=timedelta(days=30)) as bench:
        recent, old = behind("c", full_at=START - timedelta(days=29)), behind("c", full_at=START - timedelta(days=30))
        assert PassMode.DELTA is bench.source.plan(METADATA, recent.encode(), None, START).mode
        assert PassMode.FULL is bench.source.plan(METADATA, old.encode(), None, START).mode


async def test_a_delta_needs_a_place_to_begin():
    async with benched(page(onix(1))) as bench:
        with pytest.raises(FullPassNeeded, match="no cursor"):
            await bench.read(None, PassMode.DELTA)


async def test_a_cursor_that_the_server_refuses_asks_for_a_whole_load():
    error = b"<errors><error><code>PARAMETER_ERROR</code><message>next too old</message></error></errors>"
    async with benched(says(400, error)) as bench:
        with pytest.raises(FullPassNeeded, match="PARAMETER_ERROR next too old"):
            await bench.read(behind("c1", days=1))


async def test_an_interrupted_load_whose_cursor_is_refused_starts_over():
    async with benched(says(400), page(onix(1), "c1")) as bench:
        part, end = await bench.read(behind("c7", mode=PassMode.FULL, full_at=START - timedelta(days=1)))
    assert ["next", "after"] == [next(iter(query)) for query in bench.platform.queries()]
    assert part.starts_over
    assert end.cursor is not None
    assert START == end.cursor.full_at


async def test_an_interrupted_load_goes_on_as_what_it_was():
    began = START - timedelta(hours=3)
    async with benched(page(onix(1), "c8", more=True), page(onix(2), "c9")) as bench:
        first, _, end = await bench.read(behind("c7", mode=PassMode.FULL, full_at=began))
    assert "c7" == bench.platform.queries()[0]["next"]
    assert not first.starts_over
    assert first.cursor is not None
    assert (PassMode.FULL, began) == (first.cursor.mode, first.cursor.full_at)
    assert Cursor(next="c9", next_at=START, full_at=began) == end.cursor


# --- pages that are too large


async def test_a_page_that_is_too_large_is_asked_for_in_halves():
    async with benched(says(413), says(413), page(onix(1), "c1", more=True), page(onix(2), "c2")) as bench:
        await bench.read()
    sizes = [query.get("pagesize") for query in bench.platform.queries()]
    assert [None, "500", "250", "250"] == sizes, "the rest is asked for in the size that could be had"
    assert 1 == len({query.get("after") for query in bench.platform.queries()[:3]}), "the cursor is unchanged"


async def test_a_single_record_that_is_too_large_is_a_failure():
    async with benched(says(413), page_size=3) as bench:
        with pytest.raises(SourceFailed, match="single record is too large"):
            await bench.read()
    assert ["3", "1"] == [query["pagesize"] for query in bench.platform.queries()]


# --- one request at a time


async def test_the_next_page_is_fetched_while_this_one_is_worked_on():
    async with benched(page(onix(1), "c1", more=True), page(onix(2), "c2")) as bench:
        bench.platform.held = asyncio.Event()
        plan = bench.source.plan(METADATA, None, None, START)
        async with aclosing(bench.source.read(METADATA, plan, None)) as passing:
            first = await anext(passing)
            assert isinstance(first, Part)
            await asyncio.wait_for(bench.platform.came.wait(), 5)
            assert 2 == len(bench.platform.asked), "one request, and no more"
            bench.platform.held.set()


async def test_rates_are_asked_for_by_feed():
    async with benched(page(onix(1), "c1")) as bench:
        await bench.read()
        bench.platform.script = [page(stock(1), "c1")]
        await bench.read(stream=INVENTORY)
        await bench.source.read_one(ISBN)
    assert ["metadata", "inventory", "lookup"] == bench.pace.turns


async def test_what_is_accepted_is_said():
    async with benched(page(onix(1), "c1")) as bench:
        await bench.read()
        bench.platform.script = [page(stock(1), "c1")]
        await bench.read(stream=INVENTORY)
    assert ["application/xml", "application/atom+xml"] == [headers["accept"] for headers in bench.platform.headers]
    assert {"Bearer t"} == {headers["authorization"] for headers in bench.platform.headers}


# --- what goes wrong


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_server_fault_is_waited_out(status):
    async with benched(says(status), says(status), page(onix(1), "c1")) as bench:
        steps = await bench.read()
    assert 2 == len(steps)
    assert list(PAUSES[:2]) == bench.clock.slept


async def test_a_server_that_stays_broken_is_unreachable():
    async with benched(says(500)) as bench:
        with pytest.raises(SourceUnreachable, match="out of order"):
            await bench.read()
    assert list(PAUSES) == bench.clock.slept


async def test_a_rate_that_is_refused_is_honoured():
    async with benched(says(429, Retry_After="7"), page(onix(1), "c1")) as bench:
        await bench.read()
        assert [("metadata", START + timedelta(seconds=7))] == bench.pace.slowed


async def test_a_rate_that_stays_refused_is_given_up():
    async with benched(says(429)) as bench:
        with pytest.raises(SourceUnreachable, match="429"):
            await bench.read()
    assert 3 == len(bench.platform.asked)


@pytest.mark.parametrize(
    ("status", "error", "hint"),
    [
        (403, SourceRefused, "export:onix"),
        (401, SourceRefused, "audiences"),
        (404, SourceRefused, "switched off"),
        (410, SourceRefused, "switched off"),
        (400, SourceFailed, ""),
        (406, SourceFailed, ""),
    ],
)
async def test_answers_that_stop_a_first_load(status, error, hint):
    async with benched(says(status)) as bench:
        with pytest.raises(error) as caught:
            await bench.read()
    assert not isinstance(caught.value, FullPassNeeded)
    assert hint in caught.value.hint


async def test_a_401_is_tried_once_more_with_another_token():
    async with benched(says(401), page(onix(1), "c1")) as bench:
        assert 2 == len(await bench.read())
    assert 2 == len(bench.platform.asked)


@pytest.mark.parametrize("body", [b"<!DOCTYPE html><html>login</html>", b'{"error": 1}', b"", b"<feed><entry/></feed>"])
async def test_pages_that_are_no_onix(body):
    async with benched(says(200, body)) as bench:
        with pytest.raises(NotOnix):
            await bench.read()


async def test_pages_that_are_no_inventory():
    async with benched(page(onix(1))) as bench:
        with pytest.raises(NotOnix):
            await bench.read(stream=INVENTORY)


# --- single titles


async def test_a_single_title_is_its_newest_row():
    async with benched(page(stock(1, 3, 2))) as bench:
        parts = await bench.source.read_one(ISBN)
    assert {INVENTORY} == parts.keys()
    content = await content_of(parts[INVENTORY])
    assert stock(3) == content
    assert [f"{STOCK}/{ISBN}"] == bench.platform.asked


async def test_a_title_that_the_warehouse_does_not_know():
    async with benched(page(stock())) as bench:
        assert {} == await bench.source.read_one(ISBN)


def test_the_newest_entry_of_a_feed():
    assert newest_entry(b"<feed/>") is None
    unversioned = b"<feed><entry><id>1</id></entry></feed>"
    assert unversioned == newest_entry(unversioned)
    assert b"<feed>\n<entry>2<version>10</version></entry></feed>" == newest_entry(
        b"<feed>\n<entry>1<version>9</version></entry><entry>2<version>10</version></entry></feed>"
    )


# --- the account


async def test_the_account_is_known_where_both_feeds_answer():
    async with benched(page(onix(0, records=0)), page(stock())) as bench:
        await bench.source.check_account()
    assert [EXPORT, STOCK] == [urlsplit(path).path for path in bench.platform.asked]
    assert {"1"} == {query["pagesize"] for query in bench.platform.queries()}


async def test_an_account_that_one_feed_refuses():
    async with benched(page(onix(0, records=0)), says(403)) as bench:
        with pytest.raises(SourceRefused, match="inventory"):
            await bench.source.check_account()
