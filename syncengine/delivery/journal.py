"""What a worker writes down of its entries: before a request leaves, and after its answer has come.

Entries that come to the same point at about the same time share a section of the store, and so a commit. What holds for each of
them alone holds for all: its request is durable before its first byte leaves; receipt, entry and what follows for its order are
kept together or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from syncengine.delivery.retry import Action, Decision
from syncengine.delivery.spend import SpendGuard, Spending
from syncengine.delivery.together import Together
from syncengine.delivery.trip import Trip, concluded, unclaimed
from syncengine.domain.delivery import Entry, EntryState, Gate, GateState, OperationKind, Request, Verdict
from syncengine.domain.ids import SourceName
from syncengine.logs import Logger
from syncengine.ports import Clock, Store, Transaction

_log = Logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Concluded:
    """What came of an entry: as it is now kept, what the answer meant, and what was decided."""

    entry: Entry
    verdict: Verdict
    decision: Decision


class Settlement(Protocol):
    """What the rest of the engine makes of outcomes."""

    async def __call__(self, tx: Transaction, concluded: Sequence[Concluded]) -> None:
        """Called with every decision, inside the transaction that keeps receipts and entries as given here; once more for an entry
        whose transaction failed.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Leaving:
    trip: Trip
    request: Request


@dataclass(frozen=True, slots=True)
class _Ending:
    trip: Trip
    verdict: Verdict
    decision: Decision
    is_told: bool


class Journal:
    """The written side of one source's worker. Every method is to be shielded from cancellation."""

    def __init__(
        self,
        source: SourceName,
        store: Store,
        clock: Clock,
        settle: Settlement,
        guard: SpendGuard,
        *,
        is_stopping: Callable[[], bool],
    ) -> None:
        self._source = source
        self._clock = clock
        self._settle = settle
        self._guard = guard
        self._is_stopping = is_stopping
        self._leaving: Together[_Leaving, bool] = Together(store, self._note_leaving)
        self._ending: Together[_Ending, Entry | None] = Together(store, self._note_ending)
        self._returning: Together[Trip, None] = Together(store, self._note_returning)

    async def leave(self, trip: Trip, request: Request) -> bool:
        """Whether the request may leave now: it is durable, and the entry was neither revoked nor stopped meanwhile."""
        return await self._leaving.do(_Leaving(trip, request))

    async def conclude(self, trip: Trip, verdict: Verdict, decision: Decision, *, is_told: bool = True) -> Entry | None:
        """Keep receipts, entry and what follows from them in one transaction; none where the entry had ended meanwhile.

        Unless `is_told`, nothing but receipts and entry is kept.
        """
        return await self._ending.do(_Ending(trip, verdict, decision, is_told))

    async def give_back(self, trip: Trip) -> None:
        """Keep the entry as if it had never been claimed."""
        await self._returning.do(trip)

    # --- before the first byte ------------------------------------------------------------------------------------------

    async def _note_leaving(self, tx: Transaction, jobs: Sequence[_Leaving]) -> list[bool]:
        allowed = {trip.entry.id for trip in await self._allowed(tx, [job.trip for job in jobs])}
        entries = [_journaled(job) if job.trip.entry.id in allowed else unclaimed(job.trip) for job in jobs]
        kept = await tx.outbox.note(entries, [line for job in jobs for line in job.trip.lines])
        for job, entry in zip(jobs, entries, strict=True):
            job.trip.sent = entry if entry.id in allowed & kept else None
        return [job.trip.sent is not None for job in jobs]

    async def _allowed(self, tx: Transaction, trips: Sequence[Trip]) -> list[Trip]:
        """Those that source, gates and spend guard allow to be sent."""
        if self._is_stopping() or self._source in await tx.controls.paused():
            return []
        gated = [trip.entry for trip in trips if _asks_gate(trip.entry)]
        gates: dict[str, Gate] = {}
        for key in {entry.operation.key for entry in gated}:
            gates.update(await tx.outbox.gates(key))
        return await self._affordable(tx, [trip for trip in trips if not _is_gate_closed(trip.entry, gates)])

    async def _affordable(self, tx: Transaction, trips: Sequence[Trip]) -> list[Trip]:
        """As many as the spend guard allows, in order; an entry spends once, when its request is frozen.

        A guard that fires pauses the source and starts its count anew: who resumes it has looked.
        """
        if not self._guard.is_on or not any(map(_spends, trips)):
            return list(trips)
        owed = await tx.outbox.owed([trip.entry.id for trip in trips])
        at, name = self._clock.now(), f"spending/{self._source}"
        spending = Spending.decode(await tx.controls.setting(name)).near(at)
        allowed: list[Trip] = []
        for trip in trips:
            if _spends(trip) and trip.entry.id in owed:
                objection = self._guard.objection(spending, trip.entry.operation, at)
                if objection is not None:
                    await tx.controls.set_setting(name, Spending().encode())
                    await tx.controls.pause(self._source, objection)
                    _log.warning("source paused", source=self._source, reason=objection)
                    return allowed
                spending = spending.add(trip.entry.operation, at)
            allowed.append(trip)
        await tx.controls.set_setting(name, spending.encode())
        return allowed

    # --- after the answer -----------------------------------------------------------------------------------------------

    async def _note_ending(self, tx: Transaction, jobs: Sequence[_Ending]) -> list[Entry | None]:
        entries = {job.trip.entry.id: concluded(job.trip, job.verdict, job.decision) for job in jobs}
        kept = await tx.outbox.note(list(entries.values()), [line for job in jobs for line in job.trip.lines])
        for job in jobs:
            if job.decision.action is Action.PAUSE and job.is_told and job.trip.entry.id in kept:
                await tx.controls.pause(self._source, job.decision.note)
        told = [
            Concluded(entry=entries[job.trip.entry.id], verdict=job.verdict, decision=job.decision)
            for job in jobs
            if job.is_told and job.trip.entry.id in kept
        ]
        if told:
            await self._settle(tx, told)
        return [entry if entry.id in kept else None for entry in entries.values()]

    async def _note_returning(self, tx: Transaction, trips: Sequence[Trip]) -> list[None]:
        await tx.outbox.note([unclaimed(trip) for trip in trips], ())
        return [None for _ in trips]


def _journaled(job: _Leaving) -> Entry:
    trip = job.trip
    return replace(trip.entry, state=EntryState.SENT, request=job.request, attempts=trip.attempt, ever_sent=True)


def _spends(trip: Trip) -> bool:
    return trip.entry.operation.kind is OperationKind.SALE and trip.entry.request is None


def _asks_gate(entry: Entry) -> bool:
    """Whether a gate can hold it back. What is in doubt goes on: it is asked about."""
    return entry.gate is not None and not entry.ever_sent and entry.operation.kind is OperationKind.SALE


def _is_gate_closed(entry: Entry, gates: Mapping[str, Gate]) -> bool:
    """Whether the distributor has meanwhile refused another sale of the title."""
    gate = gates.get(entry.gate or "") if _asks_gate(entry) else None
    return gate is not None and gate.state is not GateState.OPEN
