"""Jobs for the store that come up at about the same time are done in one section of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import anyio
from anyio.lowlevel import checkpoint

from syncengine.errors import StoreFailed
from syncengine.ports import Store, Transaction, Urgency

JobT = TypeVar("JobT")


class _Ticket(Generic[JobT]):
    """A job that waits, and what tells its owner that it is done."""

    __slots__ = ("done", "job")

    def __init__(self, job: JobT) -> None:
        self.job = job
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def succeed(self) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class Together(Generic[JobT]):
    """Jobs that come while a section is under way, or waits for its turn at the store, share the next one.

    So nothing ever waits for company, and the busier the store, the more jobs share a commit. Jobs are done by `run`, in the order
    in which they came, whether or not their owners still wait for them. Where `work` fails at one of several, each is done again in
    a section of its own, and the failure is raised to its owner alone; a store that fails, fails for all of them.
    """

    def __init__(self, store: Store, work: Callable[[Transaction, Sequence[JobT]], Awaitable[None]]) -> None:
        self._store = store
        self._work = work
        self._waiting: list[_Ticket[JobT]] = []
        self._has_news = asyncio.Event()
        self._is_closed = False

    def do(self, job: JobT) -> asyncio.Future[None]:
        """Have the job done; what is returned is done once it is durable, and raises where it failed."""
        ticket = _Ticket(job)
        self._waiting.append(ticket)
        self._has_news.set()
        return ticket.done

    def close(self) -> None:
        """Let `run` end once nothing waits any more."""
        self._is_closed = True
        self._has_news.set()

    async def run(self) -> None:
        """Do what comes, until `close`; a scope around it that is cancelled does not end it. May be run again after it has ended."""
        with anyio.CancelScope(shield=True):
            try:
                while self._waiting or not self._is_closed:
                    self._has_news.clear()
                    if self._waiting:
                        # What becomes ready at the same turn of the loop belongs together.
                        await checkpoint()
                        await self._do_waiting()
                    else:
                        await self._has_news.wait()
            finally:
                self._is_closed = False
                _abandon(self._waiting)

    async def _do_waiting(self) -> None:
        """One section for all that wait by the time it begins."""
        taken: list[_Ticket[JobT]] = []
        try:
            await self._do_all(taken)
        except Exception as error:  # noqa: BLE001 - raised by the owners of the jobs
            if isinstance(error, StoreFailed) or len(taken) < 2:
                for ticket in taken or self._take(taken):
                    ticket.fail(error)
            else:
                await self._do_each(taken)
        finally:
            # A shield does not hold off the end of the loop itself; nobody must wait for ever.
            _abandon(taken)

    async def _do_all(self, taken: list[_Ticket[JobT]]) -> None:
        async with self._store.transaction(Urgency.DELIVERY) as tx:
            await self._work(tx, [ticket.job for ticket in self._take(taken)])
        for ticket in taken:
            ticket.succeed()

    async def _do_each(self, taken: Sequence[_Ticket[JobT]]) -> None:
        for ticket in taken:
            try:
                async with self._store.transaction(Urgency.DELIVERY) as tx:
                    await self._work(tx, [ticket.job])
            except Exception as error:  # noqa: BLE001 - raised by the owner of the job
                ticket.fail(error)
            else:
                ticket.succeed()

    def _take(self, taken: list[_Ticket[JobT]]) -> list[_Ticket[JobT]]:
        taken += self._waiting
        self._waiting.clear()
        return taken


def _abandon(tickets: Sequence[_Ticket[JobT]]) -> None:
    """Tell the owners of what is not done that it never will be."""
    for ticket in tickets:
        ticket.done.cancel()
