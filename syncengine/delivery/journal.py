"""What a worker writes down of its entries: before a request leaves, and after its answer has come.

Whatever comes up at about the same time shares a section of the store, and so a commit: entries that leave, others that have come
back, and new ones that are taken up. What holds for each of them alone holds for all: its request is durable before its first byte
leaves; receipt, entry and what follows for its order are kept together or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from syncengine.delivery.retry import Action, Decision
from syncengine.delivery.spend import SpendGuard, Spending
from syncengine.delivery.together import Together
from syncengine.delivery.trip import Trip, concluded, unclaimed
from syncengine.domain.delivery import Entry, EntryState, OperationKind, Request, Verdict
from syncengine.domain.ids import EntryId, SourceName
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


@dataclass(slots=True)
class _Leaving:
    trip: Trip
    request: Request
    may_leave: bool = False


@dataclass(slots=True)
class _Ending:
    trip: Trip
    verdict: Verdict
    decision: Decision
    is_told: bool
    kept: Entry | None = None


@dataclass(slots=True)
class _Returning:
    trip: Trip


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How many entries may be begun, and how many of them less urgent than sales."""

    every: int
    lesser: int


Ready = Callable[[Entry], Request | None]
"""The request of an entry whose turn has come already, if it may leave at once; its turn is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """Entries to begin with; where there are none, the instant at which one may be due, if any is to come.

    `sent` are those of them whose request may leave now, as they are journaled.
    """

    entries: Sequence[Entry] = ()
    sent: Mapping[EntryId, Entry] = field(default_factory=dict)
    next_at: datetime | None = None


@dataclass(slots=True)
class _Claiming:
    room: Callable[[], Room]
    ready: Ready
    claimed: Claimed = Claimed()


_Job = _Leaving | _Ending | _Returning | _Claiming


class Journal:
    """The written side of one source's worker. Whatever it is given to write is written while it runs, though the giver be cancelled."""

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
        self._together: Together[_Job] = Together(store, self._note)

    async def run(self) -> None:
        """Write what comes, until `close` and all is written; see `Together`."""
        await self._together.run()

    def close(self) -> None:
        """Nothing more will come."""
        self._together.close()

    async def claim(self, room: Callable[[], Room], ready: Ready) -> Claimed:
        """Take entries that are due into the worker's hands, as many as there is room for by then, and journal at once what is ready
        to leave. To be shielded from cancellation, or nobody would know of them.
        """
        claiming = _Claiming(room, ready)
        await self._together.do(claiming)
        return claiming.claimed

    async def leave(self, trip: Trip, request: Request) -> bool:
        """Whether the request may leave now: it is durable, and the entry was neither revoked nor stopped meanwhile."""
        leaving = _Leaving(trip, request)
        await self._together.do(leaving)
        return leaving.may_leave

    async def conclude(self, trip: Trip, verdict: Verdict, decision: Decision, *, is_told: bool = True) -> Entry | None:
        """Keep receipts, entry and what follows from them in one transaction; none where the entry had ended meanwhile.

        Unless `is_told`, nothing but receipts and entry is kept.
        """
        ending = _Ending(trip, verdict, decision, is_told)
        await self._together.do(ending)
        return ending.kept

    async def give_back(self, trip: Trip) -> None:
        """Keep the entry as if it had never been claimed."""
        await self._together.do(_Returning(trip))

    async def _note(self, tx: Transaction, jobs: Sequence[_Job]) -> None:
        """What ends comes first: it may close a gate or pause the source before anything else leaves. What is given back may have
        been about to leave.
        """
        if endings := [job for job in jobs if isinstance(job, _Ending)]:
            await self._note_ending(tx, endings)
        if leaving := [job for job in jobs if isinstance(job, _Leaving)]:
            await self._note_leaving(tx, leaving)
        if returning := [unclaimed(job.trip) for job in jobs if isinstance(job, _Returning)]:
            await tx.outbox.note(returning, ())
        for job in jobs:
            if isinstance(job, _Claiming):
                job.claimed = await self._claim(tx, job.room(), job.ready)

    async def _claim(self, tx: Transaction, room: Room, ready: Ready) -> Claimed:
        at = self._clock.now()
        entries: list[Entry] = []
        if room.every > 0:
            # Calls that wait for a slow rate keep their place: a release must always find one.
            entries += await tx.outbox.claim([self._source], at, room.every, least_urgent=OperationKind.SALE)
        lesser = min(room.every - len(entries), room.lesser)
        if lesser > 0:
            entries += await tx.outbox.claim([self._source], at, lesser)
        if not entries:
            return Claimed(next_at=await tx.outbox.next_at([self._source]))
        return Claimed(entries=entries, sent=await self._note_ready(tx, entries, ready))

    async def _note_ready(self, tx: Transaction, claimed: Sequence[Entry], ready: Ready) -> Mapping[EntryId, Entry]:
        """What was claimed in this very section needs no second look at its source and its gate."""
        if self._is_stopping():
            return {}
        requests = {entry.id: request for entry in claimed if not entry.ever_sent and (request := ready(entry))}
        leaving = await self._affordable(tx, [entry for entry in claimed if entry.id in requests])
        sent = {entry.id: _journaled(entry, requests[entry.id]) for entry in leaving}
        if sent:
            await tx.outbox.note(list(sent.values()), ())
        return sent

    # --- before the first byte ------------------------------------------------------------------------------------------

    async def _note_leaving(self, tx: Transaction, jobs: Sequence[_Leaving]) -> None:
        allowed = {entry.id for entry in await self._allowed(tx, [job.trip.entry for job in jobs])}
        entries = [
            _journaled(job.trip.entry, job.request) if job.trip.entry.id in allowed else unclaimed(job.trip)
            for job in jobs
        ]
        kept = await tx.outbox.note(entries, [line for job in jobs for line in job.trip.lines])
        for job, entry in zip(jobs, entries, strict=True):
            job.may_leave = entry.id in allowed & kept
            job.trip.sent = entry if job.may_leave else None

    async def _allowed(self, tx: Transaction, entries: Sequence[Entry]) -> list[Entry]:
        """Those that source, gates and spend guard allow to be sent."""
        if self._is_stopping():
            return []
        sendable = await tx.outbox.sendable([entry.id for entry in entries])
        return await self._affordable(tx, [entry for entry in entries if entry.id in sendable])

    async def _affordable(self, tx: Transaction, entries: Sequence[Entry]) -> list[Entry]:
        """As many as the spend guard allows, in order; an entry spends once, when its request is frozen.

        A guard that fires pauses the source and starts its count anew: who resumes it has looked.
        """
        if not self._guard.is_on or not any(map(_spends, entries)):
            return list(entries)
        at, name = self._clock.now(), f"spending/{self._source}"
        spending = Spending.decode(await tx.controls.setting(name)).near(at)
        allowed: list[Entry] = []
        for entry in entries:
            if _spends(entry):
                objection = self._guard.objection(spending, entry.operation, at)
                if objection is not None:
                    await tx.controls.set_setting(name, Spending().encode())
                    await tx.controls.pause(self._source, objection)
                    _log.warning("source paused", source=self._source, reason=objection)
                    return allowed
                spending = spending.add(entry.operation, at)
            allowed.append(entry)
        await tx.controls.set_setting(name, spending.encode())
        return allowed

    # --- after the answer -----------------------------------------------------------------------------------------------

    async def _note_ending(self, tx: Transaction, jobs: Sequence[_Ending]) -> None:
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
        for job in jobs:
            entry = entries[job.trip.entry.id]
            job.kept = entry if entry.id in kept else None


def _journaled(entry: Entry, request: Request) -> Entry:
    return replace(entry, state=EntryState.SENT, request=request, attempts=entry.attempts + 1, ever_sent=True)


def _spends(entry: Entry) -> bool:
    return entry.operation.kind is OperationKind.SALE and entry.request is None
