"""Jobs that come up together share a section of the store, and none suffers by another."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from state.sqlite import SqliteStore, open_store
from syncengine.delivery.together import Together
from syncengine.errors import StoreFailed
from syncengine.ports import Transaction, Urgency
from tests.clock import JumpClock


class Work:
    """Keeps each job's name in the store and gives it back in capitals; a job named `bad…` fails."""

    def __init__(self) -> None:
        self.sections: list[list[str]] = []

    async def __call__(self, tx: Transaction, jobs: Sequence[str]) -> list[str]:
        self.sections.append(list(jobs))
        for job in jobs:
            await tx.controls.set_setting(job, "kept")
            if job.startswith("bad"):
                raise ValueError(job)
        return [job.upper() for job in jobs]


@pytest.fixture
async def store(tmp_path: Path):
    opened = await open_store(tmp_path / "store.db", clock=JumpClock())
    yield opened
    await opened.aclose()


async def kept(store: SqliteStore, *jobs: str) -> set[str]:
    async with store.transaction(Urgency.COMMAND) as tx:
        return {job for job in jobs if await tx.controls.setting(job) is not None}


async def test_what_is_ready_at_the_same_moment_shares_a_section(store):
    work = Work()
    together = Together(store, work)

    results = await asyncio.gather(*(together.do(job) for job in "abc"))

    assert ["A", "B", "C"] == results
    assert [["a", "b", "c"]] == work.sections
    assert {"a", "b", "c"} == await kept(store, "a", "b", "c")


async def test_what_comes_while_a_section_is_under_way_shares_the_next(store):
    work = Work()
    together = Together(store, work)
    async with store.transaction(Urgency.DELIVERY):
        first = asyncio.ensure_future(together.do("a"))
        await asyncio.sleep(0)
    await until_begun(work)
    others = [asyncio.ensure_future(together.do(job)) for job in "bcd"]

    assert ["A", "B", "C", "D"] == [await first, *[await other for other in others]]
    assert [["a"], ["b", "c", "d"]] == work.sections


async def test_a_job_that_fails_is_taken_back_alone(store):
    work = Work()
    together = Together(store, work)

    results = await asyncio.gather(*(together.do(job) for job in ("a", "bad", "c")), return_exceptions=True)

    assert ["A", "C"] == [results[0], results[2]]
    assert "bad" == str(results[1])
    assert [["a", "bad", "c"], ["a"], ["bad"], ["c"]] == work.sections
    assert {"a", "c"} == await kept(store, "a", "bad", "c")
    assert "D" == await together.do("d")


async def test_a_job_that_fails_alone_is_not_tried_again(store):
    work = Work()

    with pytest.raises(ValueError, match="bad"):
        await Together(store, work).do("bad")

    assert [["bad"]] == work.sections


async def test_a_store_that_fails_fails_for_all_and_nobody_waits_for_ever(store, monkeypatch):
    together = Together(store, Work())

    def broken(urgency: Urgency) -> object:
        raise StoreFailed("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(store, "transaction", broken)
        results = await asyncio.gather(*(together.do(job) for job in "abc"), return_exceptions=True)

    assert ["disk full"] * 3 == [str(result) for result in results]
    assert "D" == await together.do("d")


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_who_is_cut_off_by_the_loop_leaves_nobody_waiting(store, place):
    """A shield holds off a cancelled scope, and not the cancelling of a task itself."""
    work = Work()
    together = Together(store, work)
    async with store.transaction(Urgency.DELIVERY):
        tasks = [asyncio.ensure_future(together.do(job)) for job in "abc"]
        await asyncio.sleep(0)
        tasks[place].cancel()
        await asyncio.sleep(0)
    async with asyncio.timeout(10):
        results = await asyncio.gather(*tasks, return_exceptions=True)

    rest = [job for number, job in enumerate("abc") if number != place]
    assert [job.upper() for job in rest] == [result for result in results if isinstance(result, str)]
    assert set(rest) <= await kept(store, *"abc")


async def test_a_leader_that_is_cut_off_inside_its_section_hands_the_others_on(store):
    work = Work()
    together = Together(store, work)
    tasks: list[asyncio.Future[str]] = []

    async def cut(tx: Transaction, jobs: Sequence[str]) -> list[str]:
        if not work.sections:
            tasks[0].cancel()
        return await work(tx, jobs)

    together._work = cut
    tasks += [asyncio.ensure_future(together.do(job)) for job in "abc"]
    async with asyncio.timeout(10):
        results = await asyncio.gather(*tasks, return_exceptions=True)

    assert isinstance(results[0], asyncio.CancelledError)
    assert ["B", "C"] == results[1:]
    assert {"b", "c"} == await kept(store, "b", "c")


async def until_begun(work: Work) -> None:
    for _ in range(2000):
        if work.sections:
            return
        await asyncio.sleep(0.001)
    raise AssertionError("no section was begun")
