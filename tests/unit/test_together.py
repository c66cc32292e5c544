"""Jobs that come up together share a section of the store, and none suffers by another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from state.sqlite import SqliteStore, open_store
from syncengine.delivery.together import Together
from syncengine.errors import StoreFailed
from syncengine.ports import Transaction, Urgency
from tests.clock import JumpClock


class Work:
    """Keeps each job's name in the store, once it may; a job named `bad…` fails."""

    def __init__(self, *, may_end: bool = True) -> None:
        self.sections: list[list[str]] = []
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        if may_end:
            self.may_end.set()

    async def __call__(self, tx: Transaction, jobs: Sequence[str]) -> None:
        self.sections.append(list(jobs))
        self.begun.set()
        await self.may_end.wait()
        for job in jobs:
            await tx.controls.set_setting(job, "kept")
            if job.startswith("bad"):
                raise ValueError(job)


@pytest.fixture
async def store(tmp_path: Path):
    opened = await open_store(tmp_path / "store.db", clock=JumpClock())
    yield opened
    await opened.aclose()


@asynccontextmanager
async def running(together: Together[str]) -> AsyncIterator[Together[str]]:
    """While it runs; at the end it is closed and has done all it was given."""
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        tasks.create_task(together.run())
        try:
            yield together
        finally:
            together.close()


async def kept(store: SqliteStore, *jobs: str) -> set[str]:
    async with store.transaction(Urgency.COMMAND) as tx:
        return {job for job in jobs if await tx.controls.setting(job) is not None}


async def test_what_is_ready_at_the_same_moment_shares_a_section(store):
    work = Work()
    async with running(Together(store, work)) as together:
        await asyncio.gather(*map(together.do, "abc"))
        assert {"a", "b", "c"} == await kept(store, "a", "b", "c")

    assert [["a", "b", "c"]] == work.sections


async def test_what_comes_while_a_section_is_under_way_shares_the_next(store):
    work = Work(may_end=False)
    async with running(Together(store, work)) as together:
        first = together.do("a")
        await work.begun.wait()
        others = [together.do(job) for job in "bcd"]
        work.may_end.set()
        await asyncio.gather(first, *others)

    assert [["a"], ["b", "c", "d"]] == work.sections


async def test_what_comes_while_its_turn_at_the_store_is_waited_for_shares_the_section(store):
    work = Work()
    async with running(Together(store, work)) as together:
        async with store.transaction(Urgency.DELIVERY):
            first = together.do("a")
            for _ in range(5):
                await asyncio.sleep(0)
            second = together.do("b")
        await asyncio.gather(first, second)

    assert [["a", "b"]] == work.sections


async def test_a_job_that_fails_is_taken_back_alone(store):
    work = Work()
    async with running(Together(store, work)) as together:
        results = await asyncio.gather(*map(together.do, ("a", "bad", "c")), return_exceptions=True)
        assert [["a", "bad", "c"], ["a"], ["bad"], ["c"]] == work.sections
        assert {"a", "c"} == await kept(store, "a", "bad", "c")
        await together.do("d")

    assert ["None", "bad", "None"] == list(map(str, results))


async def test_a_job_that_fails_alone_is_not_tried_again(store):
    work = Work()
    async with running(Together(store, work)) as together:
        with pytest.raises(ValueError, match="bad"):
            await together.do("bad")

    assert [["bad"]] == work.sections


async def test_a_store_that_fails_fails_for_all_and_nobody_waits_for_ever(store, monkeypatch):
    def broken(urgency: Urgency) -> object:
        raise StoreFailed("disk full")

    async with running(Together(store, Work())) as together:
        with monkeypatch.context() as patch:
            patch.setattr(store, "transaction", broken)
            results = await asyncio.gather(*map(together.do, "abc"), return_exceptions=True)
        await together.do("d")

    assert ["disk full"] * 3 == list(map(str, results))
    assert {"d"} == await kept(store, *"abcd")


async def test_what_was_given_is_done_though_nobody_waits_for_it_any_more(store):
    async with running(Together(store, Work())) as together:
        async with store.transaction(Urgency.DELIVERY):
            waits = [asyncio.ensure_future(together.do(job)) for job in "abc"]
            waits[0].cancel()
            waits[2].cancel()
        await waits[1]

    assert {"a", "b", "c"} == await kept(store, *"abc")


async def test_what_was_given_is_done_before_it_ends(store):
    """However it is told to end: by closing it, or by a scope around it that is cancelled."""
    together = Together(store, Work())
    with anyio.CancelScope() as scope:
        scope.cancel()
        done = together.do("a")
        together.close()
        await together.run()

    assert done.done()
    async with running(together):
        await together.do("b")
    assert {"a", "b"} == await kept(store, *"ab")


async def test_when_the_loop_itself_ends_it_nobody_is_left_waiting(store):
    """Neither who is in the section nor who comes next; the store keeps nothing of it."""
    work = Work(may_end=False)
    together = Together(store, work)
    run = asyncio.ensure_future(together.run())
    waits = [together.do("a")]
    await work.begun.wait()
    waits.append(together.do("b"))

    run.cancel()
    await asyncio.gather(run, return_exceptions=True)

    assert all(wait.cancelled() for wait in waits)
    assert set() == await kept(store, *"ab")
