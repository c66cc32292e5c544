"""One source's outbox, to calls, to receipts.

An entry's way: claimed, a place of its endpoint class, a turn of its rate, journaled with its frozen request, departed, sent,
concluded. Where place and turn are there already it is journaled with its claim. The journal is written before the first byte
leaves, so that after a crash an entry is surely unsent or in doubt; one in doubt is resolved as its kind's policy says before
anything else is sent for it. It departs at an instant of its rate, for the journals of several turns may become durable at once.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import datetime

import anyio
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint, checkpoint_if_cancelled

from syncengine.delivery.bell import Bell, Wake
from syncengine.delivery.breaker import Breaker, BreakerState
from syncengine.delivery.journal import Claimed, Journal, Room, Settlement
from syncengine.delivery.places import Places
from syncengine.delivery.retry import Action, Decision, decide, decide_lookup
from syncengine.delivery.spend import SpendGuard
from syncengine.delivery.trip import FIRST_DUPLICATE, Trip, explain
from syncengine.domain.delivery import (
    PRIORITY,
    Arrival,
    Entry,
    OperationKind,
    Outcome,
    Receipt,
    Request,
    UnknownPolicy,
    Verdict,
)
from syncengine.domain.ids import SourceName
from syncengine.domain.order import Reason
from syncengine.errors import StoreFailed, SyncEngineError
from syncengine.logs import Logger
from syncengine.ports import Calls, Clock, LoggedReceipt, Pace, Store

LONGEST_REST_SECONDS = 30.0
BLOCKED_REST_SECONDS = 1.0
"""How soon to look again where something is due and yet cannot be claimed."""
GRACE_SECONDS = 20.0

DUPLICATE = "duplicate"
"""The word by which calls tell that a distributor knows the reference of a first request (ports.Calls.read)."""
_SERVED = frozenset({Outcome.ACCEPTED, Outcome.ALREADY_DONE})
_log = Logger(__name__)


class Worker:
    """Delivers one source's outbox, up to `calls.concurrency` entries at a time, and of an endpoint class as many as that one takes."""

    def __init__(
        self,
        source: SourceName,
        calls: Calls,
        store: Store,
        pace: Pace,
        clock: Clock,
        settle: Settlement,
        wake: Wake,
        *,
        guard: SpendGuard | None = None,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self._source = source
        self._calls = calls
        self._pace = pace
        self._clock = clock
        self._journal = Journal(
            source, store, clock, settle, guard or SpendGuard(), is_stopping=lambda: self._is_stopping
        )
        self._wake = wake
        self._grace = grace_seconds
        self._breaker = Breaker()
        self._places = Places(calls.concurrency_of)
        self._trips: list[Trip] = []
        self._idle: list[asyncio.Future[Trip]] = []
        self._stirred = Bell()
        self._stopped_at: float | None = None
        self._failure: Exception | None = None

    @property
    def breaker(self) -> Breaker:
        """Whether the distributor is being reached."""
        return self._breaker

    @property
    def is_busy(self) -> bool:
        """Whether any entry is in its hands."""
        return bool(self._trips)

    @property
    def is_resting(self) -> bool:
        """Whether it begins nothing now, because the distributor is not being reached."""
        return self._breaker.room(self._clock.monotonic(), 1) == 0

    @property
    def _is_stopping(self) -> bool:
        return self._stopped_at is not None

    async def run(self) -> None:
        """Deliver whatever becomes due, until `stop`. Raises StoreFailed, and what cannot be laid to a single entry."""
        await self._deliver(until_idle=False)

    async def drain(self) -> None:
        """Deliver until nothing of the source is due now, or its calls rest (paused, or the distributor is down)."""
        await self._deliver(until_idle=True)

    def stop(self) -> None:
        """Claim nothing more. What waits for its turn goes back; calls in flight have the grace to finish."""
        if self._stopped_at is None:
            self._stopped_at = self._clock.monotonic()
        for trip in self._trips:
            if trip.waiting is not None:
                trip.waiting.cancel()
        self._stirred.ring()

    # --- the loop -------------------------------------------------------------------------------------------------------

    async def _deliver(self, *, until_idle: bool) -> None:
        async with anyio.create_task_group() as office:
            office.start_soon(self._journal.run)
            try:
                await self._deliver_journaled(until_idle=until_idle)
            finally:
                self._journal.close()
        if self._failure is not None:
            raise self._failure

    async def _deliver_journaled(self, *, until_idle: bool) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._relay)
            try:
                await self._loop(tasks, until_idle=until_idle)
                await self._finish()
            except Exception as error:  # noqa: BLE001 - raised by the caller, as itself and not as a group
                self._fail(error)
            tasks.cancel_scope.cancel()

    async def _loop(self, tasks: TaskGroup, *, until_idle: bool) -> None:
        while not self._is_stopping and self._failure is None:
            # Asked before the claim: what a trip puts into the outbox at its end may be too late for this one.
            is_idle = not self._trips
            # Between the claim and the start of its trip an entry is in nobody's hands.
            with anyio.CancelScope(shield=True):
                claimed, rest = await self._claim()
                for entry in claimed.entries:
                    self._start(tasks, entry, claimed.sent.get(entry.id))
            if until_idle and is_idle and not claimed.entries:
                return
            if claimed.entries:
                await checkpoint()
            else:
                await self._stirred.wait_at_most(rest, self._clock)

    async def _claim(self) -> tuple[Claimed, float]:
        """Entries to begin with, or how many seconds to rest before asking again."""
        if self._room().every < 1:
            return Claimed(), self._rest_without_room()
        claimed = await self._journal.claim(self._room, self._ready)
        # A section that failed and was written anew may have come to other entries than at first.
        self._places.free_all_but({entry.id for entry in (*claimed.entries, *(trip.entry for trip in self._trips))})
        return claimed, self._rest_until(claimed.next_at)

    def _ready(self, entry: Entry) -> Request | None:
        """The request of an entry that was just claimed, if there is a place for it and its turn has come already."""
        try:
            request = entry.request or self._calls.prepare(entry.operation)
        except Exception:  # noqa: BLE001 - met again on its trip, where it is laid to the entry
            return None
        return request if self._take(entry, request.limit) else None

    def _take(self, entry: Entry, limit: str) -> bool:
        """A place and a turn at once, or neither. The place comes first: a turn must not lapse while there is no place for it."""
        if not self._places.take(entry.id, limit):
            return False
        if not self._pace.take(self._source, limit):
            self._places.free(entry.id)
            return False
        return True

    def _room(self) -> Room:
        """Half of all places at most are for declarations and refunds, so that they never hold up sales."""
        places = self._calls.concurrency
        unserved = [trip for trip in self._trips if not trip.is_served]
        lesser = sum(PRIORITY[trip.entry.operation.kind] > PRIORITY[OperationKind.SALE] for trip in unserved)
        free = min(places - len(unserved), 2 * places - len(self._trips))
        return Room(every=self._breaker.room(self._clock.monotonic(), free), lesser=max(places // 2, 1) - lesser)

    def _rest_without_room(self) -> float:
        if self._breaker.state is not BreakerState.OPEN:
            return LONGEST_REST_SECONDS
        seconds = self._breaker.rests_until - self._clock.monotonic()
        return min(seconds, LONGEST_REST_SECONDS) if seconds > 0 else LONGEST_REST_SECONDS

    def _rest_until(self, next_at: datetime | None) -> float:
        if next_at is None:
            return LONGEST_REST_SECONDS
        seconds = (next_at - self._clock.now()).total_seconds()
        return min(seconds, LONGEST_REST_SECONDS) if seconds > 0 else BLOCKED_REST_SECONDS

    def _start(self, tasks: TaskGroup, entry: Entry, sent: Entry | None) -> None:
        is_probe = self._breaker.state is not BreakerState.CLOSED
        if is_probe:
            self._breaker = self._breaker.probing()
        trip = Trip(entry=entry, is_probe=is_probe, sent=sent)
        self._trips.append(trip)
        while self._idle:
            # One whose carrier was cancelled meanwhile takes nothing any more.
            if not (following := self._idle.pop()).done():
                following.set_result(trip)
                return
        tasks.start_soon(self._carry_on, trip)

    async def _relay(self) -> None:
        while True:
            await self._wake.wait()
            self._stirred.ring()

    async def _finish(self) -> None:
        """Let calls in flight finish; what takes longer than the grace is left to recovery."""
        began_at = self._clock.monotonic() if self._stopped_at is None else self._stopped_at
        until = began_at + self._grace
        while self._trips and self._failure is None and (left := until - self._clock.monotonic()) > 0:
            await self._stirred.wait_at_most(left, self._clock)

    def _fail(self, error: Exception) -> None:
        self._failure = self._failure or error
        self._stirred.ring()

    # --- one entry ------------------------------------------------------------------------------------------------------

    async def _carry_on(self, trip: Trip) -> None:
        """Carry one trip after the other: a task for each would cost more than all that the worker decides about it."""
        while True:
            await self._carry(trip)
            following: asyncio.Future[Trip] = asyncio.get_running_loop().create_future()
            self._idle.append(following)
            try:
                trip = await following
            except anyio.get_cancelled_exc_class():
                if following.done() and not following.cancelled():
                    await self._carry(following.result())
                raise

    async def _carry(self, trip: Trip) -> None:
        """Take an entry as far as it goes; whatever happens, it is left where it will be found again."""
        try:
            await self._advance(trip)
        except anyio.get_cancelled_exc_class():
            await self._give_back(trip)
            raise
        except StoreFailed as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - set aside with its entry, or raised by the loop
            await self._set_aside(trip, error)
        finally:
            self._places.free(trip.entry.id)
            self._trips.remove(trip)
            if trip.is_probe and not trip.told_breaker:
                self._breaker = self._breaker.abandoned()
            self._stirred.ring()

    async def _advance(self, trip: Trip) -> None:
        if trip.sent is not None and trip.sent.request is not None:
            await self._send(trip, trip.sent.request)
            return
        try:
            request = trip.entry.request or self._calls.prepare(trip.entry.operation)
        except SyncEngineError as error:
            verdict = Verdict(outcome=Outcome.REJECTED, word=str(error))
            await self._conclude(trip, verdict, Decision(action=Action.SETTLE, burns_attempt=False))
            return
        if trip.entry.ever_sent and not await self._resolve(trip):
            return
        if await self._wait_for_turn(trip, request.limit) and await self._leave(trip, request):
            await self._send(trip, request)

    async def _resolve(self, trip: Trip) -> bool:
        """An entry in doubt: whether the same request is to be sent again. If not, the entry is concluded or given back."""
        match self._policy(trip.entry):
            case UnknownPolicy.PARK:
                decision = Decision(action=Action.PARK, reason=Reason.OUTCOME_UNKNOWN, burns_attempt=False)
                await self._conclude(trip, Verdict(outcome=Outcome.UNKNOWN), decision)
                return False
            case UnknownPolicy.RESEND:
                return True
            case UnknownPolicy.LOOK_UP:
                return await self._look_up(trip)

    async def _look_up(self, trip: Trip) -> bool:
        entry = trip.entry
        request = self._calls.prepare_lookup(entry.operation)
        if not await self._wait_for_turn(trip, request.limit):
            return False
        await self._pace.depart(self._source, request.limit)
        receipt = await self._calls.send(request)
        self._places.free(entry.id)
        verdict = self._calls.read_lookup(entry.operation, receipt)
        self._note(trip, request, receipt, verdict)
        decision = decide_lookup(
            verdict.outcome, trip.countable, self._clock.now(), entry_id=entry.id, until=verdict.until
        )
        if entry.note == FIRST_DUPLICATE and decision.action in {Action.SETTLE, Action.RESEND}:
            decision = Decision(action=Action.PARK, reason=Reason.DUPLICATE_DIFFERS)
        if decision.action is Action.RESEND:
            return True
        await self._conclude(trip, verdict, decision)
        return False

    async def _wait_for_turn(self, trip: Trip, limit: str) -> bool:
        """Whether place and turn came; if the worker stops before they come, the entry is given back."""
        if not self._is_stopping and self._take(trip.entry, limit):
            return True
        with anyio.CancelScope() as trip.waiting:
            if self._is_stopping:
                trip.waiting.cancel()
            await self._places.turn(trip.entry.id, limit)
            await self._pace.turn(self._source, limit)
        came = not trip.waiting.cancelled_caught
        trip.waiting = None
        if not came:
            await self._give_back(trip)
        return came

    async def _leave(self, trip: Trip, request: Request) -> bool:
        leaves = await self._journal.leave(trip, request)
        if leaves:
            trip.lines.clear()
        return leaves

    async def _send(self, trip: Trip, request: Request) -> None:
        await self._pace.depart(self._source, request.limit)
        await checkpoint_if_cancelled()
        trip.left = True
        receipt = await self._calls.send(request)
        entry = trip.entry
        self._places.free(entry.id)
        verdict = self._calls.read(entry.operation, receipt, sent_before=entry.ever_sent)
        self._note(trip, request, receipt, verdict)
        if verdict.outcome is Outcome.UNKNOWN and verdict.word == DUPLICATE and not entry.ever_sent:
            await self._conclude(trip, verdict, self._doubt_duplicate(entry))
            return
        policy = self._policy(entry)
        decision = decide(
            verdict.outcome,
            trip.countable,
            self._clock.now(),
            entry_id=entry.id,
            policy=policy,
            until=verdict.until,
            in_doubt=entry.ever_sent and policy is UnknownPolicy.RESEND and entry.operation.kind is OperationKind.SALE,
        )
        await self._conclude(trip, verdict, decision)

    def _doubt_duplicate(self, entry: Entry) -> Decision:
        """A first request cannot be a duplicate of itself: what the distributor has is looked up, and a person compares."""
        if self._policy(entry) is UnknownPolicy.LOOK_UP:
            return Decision(action=Action.CONFIRM, at=self._clock.now(), note=FIRST_DUPLICATE)
        return Decision(action=Action.PARK, reason=Reason.DUPLICATE_DIFFERS, note=FIRST_DUPLICATE)

    def _policy(self, entry: Entry) -> UnknownPolicy:
        return self._calls.unknown_policy(entry.operation)

    def _note(self, trip: Trip, request: Request, receipt: Receipt, verdict: Verdict) -> None:
        """What an answer means beyond its entry: for the history, the rate and the breaker."""
        trip.lines.append(LoggedReceipt(entry_id=trip.entry.id, receipt=receipt, verdict=verdict, request=request))
        if verdict.outcome is Outcome.THROTTLED:
            self._pace.slow_down(self._source, request.limit, verdict.until)
        answered = receipt.arrival in {Arrival.ANSWERED, Arrival.REFUSED}
        reached = answered and (receipt.status < 500 or verdict.outcome is Outcome.THROTTLED)
        trip.is_spared = trip.is_probe and not reached
        trip.told_breaker = True
        before = self._breaker.state
        if reached:
            self._breaker = self._breaker.succeeded(probe=trip.is_probe)
        else:
            self._breaker = self._breaker.failed(self._clock.monotonic(), probe=trip.is_probe)
        if self._breaker.state is not before:
            _log.warning("breaker", source=self._source, state=self._breaker.state.value)

    # --- the end of a trip ----------------------------------------------------------------------------------------------

    async def _conclude(self, trip: Trip, verdict: Verdict, decision: Decision) -> None:
        """Keep receipts, entry and what follows from them in one transaction, which no cancellation breaks."""
        decision = replace(decision, note=decision.note or explain(trip, verdict, decision))
        if verdict.outcome in _SERVED:
            # Another may be called meanwhile. Behind a refusal none is: it may be about to close the gate of many.
            trip.is_served = True
            self._stirred.ring()
        trip.is_ending = True
        entry = await self._journal.conclude(trip, verdict, decision)
        if entry is not None:
            self._report(entry, verdict, decision)

    async def _give_back(self, trip: Trip) -> None:
        """As if it had never been claimed, unless its bytes may have left: then its journal stands for recovery to find. Nor where
        its end is being written down.
        """
        if trip.left or trip.is_ending:
            return
        try:
            with anyio.CancelScope(shield=True):
                await self._journal.give_back(trip)
        except StoreFailed as error:
            self._fail(error)

    async def _set_aside(self, trip: Trip, error: Exception) -> None:
        """An error that no rule foresees: its entry goes to a person, with its order; the others go on."""
        _log.error("entry set aside", source=self._source, entry=trip.entry.id, exc_info=error)
        in_doubt = trip.left or trip.entry.ever_sent
        verdict = Verdict(outcome=Outcome.UNKNOWN)
        decision = Decision(
            action=Action.PARK,
            reason=Reason.OUTCOME_UNKNOWN if in_doubt else Reason.RETRIES_EXHAUSTED,
            note=f"internal error: {type(error).__name__}: {error}",
        )
        try:
            await self._conclude(trip, verdict, decision)
        except Exception as second:  # noqa: BLE001 - the first error is raised by the loop
            _log.error("its order cannot be told", source=self._source, entry=trip.entry.id, exc_info=second)
            self._fail(error)
            await self._park_alone(trip, verdict, decision)

    async def _park_alone(self, trip: Trip, verdict: Verdict, decision: Decision) -> None:
        """Even the settlement fails: what is known is kept, so that a restart does not meet the same entry again."""
        try:
            await self._journal.conclude(trip, verdict, decision, is_told=False)
        except StoreFailed as error:
            self._fail(error)

    def _report(self, entry: Entry, verdict: Verdict, decision: Decision) -> None:
        loud = decision.action in {Action.PARK, Action.PAUSE}
        _log.log(
            logging.WARNING if loud else logging.DEBUG,
            decision.action.value,
            source=self._source,
            entry=entry.id,
            kind=entry.operation.kind.value,
            outcome=verdict.outcome.value,
            note=decision.note,
        )
