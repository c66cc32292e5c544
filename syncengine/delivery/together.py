"""Jobs for the store that come up at about the same time are done in one section of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import anyio
from anyio.lowlevel import cancel_shielded_checkpoint

from syncengine.errors import StoreFailed
from syncengine.ports import Store, Transaction, Urgency

JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")


class _Ticket(Generic[JobT, ResultT]):
    """A job that waits; `called` is set once it is done, or once its owner is to see to the next section."""

    def __init__(self, job: JobT) -> None:
        self.job = job
        self.called = anyio.Event()
        self.results: list[ResultT] = []
        self.error: Exception | None = None

    @property
    def is_done(self) -> bool:
        return bool(self.results) or self.error is not None

    def result(self) -> ResultT:
        if self.error is not None:
            raise self.error
        return self.results[0]


class Together(Generic[JobT, ResultT]):
    """Jobs that come while a section is under way, or waits for its turn at the store, share the next one.

    So nothing ever waits for company, and the busier the store, the more jobs share a commit. `work` gives one result for each
    job, in their order. Where it fails at one of several, each is done again in a section of its own, and the failure is raised
    to its owner alone; a store that fails, fails for all of them.
    """

    def __init__(
        self, store: Store, work: Callable[[Transaction, Sequence[JobT]], Awaitable[Sequence[ResultT]]]
    ) -> None:
        self._store = store
        self._work = work
        self._waiting: list[_Ticket[JobT, ResultT]] = []
        self._is_led = False

    async def do(self, job: JobT) -> ResultT:
        """The job's result, once it is durable. The caller shields it from cancellation."""
        ticket: _Ticket[JobT, ResultT] = _Ticket(job)
        self._waiting.append(ticket)
        if self._is_led:
            await self._wait_for_call(ticket)
        if not ticket.is_done:
            self._is_led = True
            await self._lead(ticket)
        return ticket.result()

    async def _wait_for_call(self, ticket: _Ticket[JobT, ResultT]) -> None:
        try:
            await ticket.called.wait()
        except BaseException:
            # A shield does not hold off the end of the loop itself; who waits behind must not wait for ever.
            if ticket in self._waiting:
                self._waiting.remove(ticket)
                if ticket.called.is_set():
                    self._call_next()
            raise

    async def _lead(self, own: _Ticket[JobT, ResultT]) -> None:
        """One section for all that wait by the time it begins, the leader's own job among them."""
        taken: list[_Ticket[JobT, ResultT]] = []
        try:
            # What became ready at the same turn of the loop belongs together.
            await cancel_shielded_checkpoint()
            await self._do_all(taken)
        except Exception as error:  # noqa: BLE001 - raised by the owners of the jobs
            if isinstance(error, StoreFailed) or len(taken) < 2:
                _fail(taken or self._take(taken), error)
            else:
                await self._do_each(taken)
        finally:
            # Of a leader that was cut off all the same, the others do their jobs once more: none minds being done twice.
            undone = [ticket for ticket in taken if not ticket.is_done]
            self._waiting = [ticket for ticket in undone + self._waiting if ticket is not own]
            for ticket in taken:
                if ticket.is_done:
                    ticket.called.set()
            self._call_next()

    async def _do_all(self, taken: list[_Ticket[JobT, ResultT]]) -> None:
        async with self._store.transaction(Urgency.DELIVERY) as tx:
            results = await self._work(tx, [ticket.job for ticket in self._take(taken)])
        for ticket, result in zip(taken, results, strict=True):
            ticket.results.append(result)

    async def _do_each(self, taken: Sequence[_Ticket[JobT, ResultT]]) -> None:
        for ticket in taken:
            try:
                async with self._store.transaction(Urgency.DELIVERY) as tx:
                    ticket.results += await self._work(tx, [ticket.job])
            except Exception as error:  # noqa: BLE001 - raised by the owner of the job
                ticket.error = error

    def _take(self, taken: list[_Ticket[JobT, ResultT]]) -> list[_Ticket[JobT, ResultT]]:
        taken += self._waiting
        self._waiting.clear()
        return taken

    def _call_next(self) -> None:
        self._is_led = bool(self._waiting)
        if self._is_led:
            self._waiting[0].called.set()


def _fail(tickets: Sequence[_Ticket[JobT, ResultT]], error: Exception) -> None:
    for ticket in tickets:
        ticket.error = error
