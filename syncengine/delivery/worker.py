"""One source's outbox, to calls, to receipts.

An entry's way: claimed, a turn of its rate, journaled with its frozen request, sent, concluded. The journal is written before
the first byte leaves, so that after a crash an entry is surely unsent or in doubt; one in doubt is resolved as its kind's
policy says before anything else is sent for it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

import anyio
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint_if_cancelled

from syncengine.delivery.bell import Bell, Wake
from syncengine.delivery.breaker import Breaker, BreakerState
from syncengine.delivery.retry import MOST_ATTEMPTS, Action, Decision, decide, decide_lookup
from syncengine.delivery.spend import SpendGuard, Spending
from syncengine.domain.delivery import (
    PRIORITY,
    Arrival,
    Entry,
    EntryState,
    GateState,
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
from syncengine.ports import Calls, Clock, LoggedReceipt, Pace, Store, Transaction, Urgency

LONGEST_REST_SECONDS = 30.0
BLOCKED_REST_SECONDS = 1.0
"""How soon to look again where something is due and yet cannot be claimed."""
GRACE_SECONDS = 20.0

DUPLICATE = "duplicate"
"""The word by which calls tell that a distributor knows the reference of a first request (ports.Calls.read)."""
FIRST_DUPLICATE = "the distributor knew this reference before the first request was sent"
"""Kept as the note of such an entry, so that it is not taken for done after a restart."""

_UNSENT = frozenset({Outcome.THROTTLED, Outcome.FAILED_BEFORE_SENDING, Outcome.UNAUTHORIZED})
"""Answers after which the request surely changed nothing."""
_ENDED = frozenset({EntryState.SETTLED, EntryState.PARKED})
_log = Logger(__name__)


class Settlement(Protocol):
    """What the rest of the engine makes of an outcome."""

    async def __call__(self, tx: Transaction, entry: Entry, verdict: Verdict, decision: Decision) -> None:
        """Called once per decision, inside the transaction that keeps the receipt and the entry as given here."""
        ...


@dataclass(slots=True)
class _Trip:
    """One entry in the worker's hands, as it was when it was claimed.

    `lines` are receipts not yet kept. `left` tells that bytes of its own request may have left. `is_spared`: this try burns no
    attempt, for it only probed whether the distributor is back, and it is not.
    """

    entry: Entry
    is_probe: bool
    lines: list[LoggedReceipt] = field(default_factory=list)
    left: bool = False
    told_breaker: bool = False
    is_spared: bool = False
    waiting: anyio.CancelScope | None = None

    @property
    def attempt(self) -> int:
        """The number of this try."""
        return self.entry.attempts + 1

    @property
    def countable(self) -> int:
        """The number by which retries are decided: a probe that failed is no fault of its entry and never the last straw."""
        return min(self.attempt, MOST_ATTEMPTS - 1) if self.is_spared else self.attempt


class Worker:
    """Delivers one source's outbox, up to `calls.concurrency` entries at a time."""

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
        self._store = store
        self._pace = pace
        self._clock = clock
        self._settle = settle
        self._wake = wake
        self._guard = guard or SpendGuard()
        self._grace = grace_seconds
        self._breaker = Breaker()
        self._trips: list[_Trip] = []
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
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._relay)
            try:
                await self._loop(tasks, until_idle=until_idle)
                await self._finish()
            except Exception as error:  # noqa: BLE001 - raised below, as itself and not as a group
                self._fail(error)
            tasks.cancel_scope.cancel()
        if self._failure is not None:
            raise self._failure

    async def _loop(self, tasks: TaskGroup, *, until_idle: bool) -> None:
        while not self._is_stopping and self._failure is None:
            # Asked before the claim: what a trip puts into the outbox at its end may be too late for this one.
            is_idle = not self._trips
            # Between the claim and the start of its trip an entry is in nobody's hands.
            with anyio.CancelScope(shield=True):
                entries, rest = await self._claim()
                for entry in entries:
                    self._start(tasks, entry)
            if until_idle and is_idle and not entries:
                return
            await self._stirred.wait_at_most(0.0 if entries else rest, self._clock)

    async def _claim(self) -> tuple[Sequence[Entry], float]:
        """Entries to begin with, or how many seconds to rest before asking again."""
        now = self._clock.monotonic()
        free = self._calls.concurrency - len(self._trips)
        room = self._breaker.room(now, free)
        if room < 1:
            is_resting = free > 0 and self._breaker.state is BreakerState.OPEN
            return (), min(
                self._breaker.rests_until - now, LONGEST_REST_SECONDS
            ) if is_resting else LONGEST_REST_SECONDS
        async with self._store.transaction(Urgency.DELIVERY) as tx:
            if self._source in await tx.controls.paused():
                return (), LONGEST_REST_SECONDS
            at = self._clock.now()
            # Calls that wait for a slow rate keep their place: a release must always find one.
            entries = list(await tx.outbox.claim([self._source], at, room, least_urgent=OperationKind.SALE))
            lesser_room = min(room - len(entries), self._lesser_room())
            if lesser_room > 0:
                entries += await tx.outbox.claim([self._source], at, lesser_room)
            return entries, self._rest_until(await tx.outbox.next_at([self._source]), at)

    def _lesser_room(self) -> int:
        """How many more declarations and refunds may be in hand: half of all places, so that they never hold up sales."""
        lesser = sum(PRIORITY[trip.entry.operation.kind] > PRIORITY[OperationKind.SALE] for trip in self._trips)
        return max(self._calls.concurrency // 2, 1) - lesser

    def _rest_until(self, next_at: datetime | None, at: datetime) -> float:
        if next_at is None:
            return LONGEST_REST_SECONDS
        seconds = (next_at - at).total_seconds()
        return min(seconds, LONGEST_REST_SECONDS) if seconds > 0 else BLOCKED_REST_SECONDS

    def _start(self, tasks: TaskGroup, entry: Entry) -> None:
        is_probe = self._breaker.state is not BreakerState.CLOSED
        if is_probe:
            self._breaker = self._breaker.probing()
        trip = _Trip(entry=entry, is_probe=is_probe)
        self._trips.append(trip)
        tasks.start_soon(self._carry, trip)

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

    async def _carry(self, trip: _Trip) -> None:
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
            self._trips.remove(trip)
            if trip.is_probe and not trip.told_breaker:
                self._breaker = self._breaker.abandoned()
            self._stirred.ring()

    async def _advance(self, trip: _Trip) -> None:
        try:
            request = trip.entry.request or self._calls.prepare(trip.entry.operation)
        except SyncEngineError as error:
            verdict = Verdict(outcome=Outcome.REJECTED, word=str(error))
            await self._conclude(trip, verdict, Decision(action=Action.SETTLE, burns_attempt=False))
            return
        if trip.entry.ever_sent and not await self._resolve(trip):
            return
        if await self._wait_for_turn(trip, request.limit) and await self._journal(trip, request):
            await self._send(trip, request)

    async def _resolve(self, trip: _Trip) -> bool:
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

    async def _look_up(self, trip: _Trip) -> bool:
        entry = trip.entry
        request = self._calls.prepare_lookup(entry.operation)
        if not await self._wait_for_turn(trip, request.limit):
            return False
        receipt = await self._calls.send(request)
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

    async def _wait_for_turn(self, trip: _Trip, limit: str) -> bool:
        """Whether the turn came; if the worker stops before it comes, the entry is given back."""
        with anyio.CancelScope() as trip.waiting:
            if self._is_stopping:
                trip.waiting.cancel()
            await self._pace.turn(self._source, limit)
        came = not trip.waiting.cancelled_caught
        trip.waiting = None
        if not came:
            await self._give_back(trip)
        return came

    async def _journal(self, trip: _Trip, request: Request) -> bool:
        """Whether the request may leave now: it is durable, and the entry was neither revoked nor stopped meanwhile."""
        with anyio.CancelScope(shield=True):
            async with self._store.transaction(Urgency.DELIVERY) as tx:
                current = await tx.outbox.get(trip.entry.id)
                if current is None or current.state in _ENDED:
                    return False
                for line in trip.lines:
                    await tx.outbox.log(line)
                if self._is_stopping or not await self._may_send(tx, trip):
                    await tx.outbox.save(_unclaimed(trip.entry, current))
                    return False
                await tx.outbox.save(
                    replace(current, state=EntryState.SENT, request=request, attempts=trip.attempt, ever_sent=True)
                )
        trip.lines.clear()
        return True

    async def _may_send(self, tx: Transaction, trip: _Trip) -> bool:
        """Whether source, gate and spend guard allow it; an entry spends once, when its request is frozen.

        A guard that fires pauses the source and starts its count anew: who resumes it has looked.
        """
        if self._source in await tx.controls.paused() or await _is_gate_closed(tx, trip.entry):
            return False
        operation = trip.entry.operation
        if not self._guard.is_on or operation.kind is not OperationKind.SALE or trip.entry.request is not None:
            return True
        at, name = self._clock.now(), f"spending/{self._source}"
        spending = Spending.decode(await tx.controls.setting(name)).near(at)
        objection = self._guard.objection(spending, operation, at)
        if objection is None:
            await tx.controls.set_setting(name, spending.add(operation, at).encode())
            return True
        await tx.controls.set_setting(name, Spending().encode())
        await tx.controls.pause(self._source, objection)
        _log.warning("source paused", source=self._source, reason=objection)
        return False

    async def _send(self, trip: _Trip, request: Request) -> None:
        await checkpoint_if_cancelled()
        trip.left = True
        receipt = await self._calls.send(request)
        entry = trip.entry
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
        return self._calls.unknown_policy(entry.operation.kind)

    def _note(self, trip: _Trip, request: Request, receipt: Receipt, verdict: Verdict) -> None:
        """What an answer means beyond its entry: for the history, the rate and the breaker."""
        trip.lines.append(LoggedReceipt(entry_id=trip.entry.id, receipt=receipt, verdict=verdict, request=request))
        if verdict.outcome is Outcome.THROTTLED:
            self._pace.slow_down(self._source, request.limit, verdict.until)
        reached = receipt.arrival is Arrival.ANSWERED and (receipt.status < 500 or verdict.outcome is Outcome.THROTTLED)
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

    async def _conclude(self, trip: _Trip, verdict: Verdict, decision: Decision) -> None:
        """Keep receipts, entry and what follows from them in one transaction, which no cancellation breaks."""
        decision = replace(decision, note=decision.note or _explain(trip, verdict, decision))
        with anyio.CancelScope(shield=True):
            async with self._store.transaction(Urgency.DELIVERY) as tx:
                current = await tx.outbox.get(trip.entry.id)
                if current is None or current.state in _ENDED:
                    return
                entry = await self._keep(tx, trip, current, verdict, decision)
                if decision.action is Action.PAUSE:
                    await tx.controls.pause(self._source, decision.note)
                await self._settle(tx, entry, verdict, decision)
        self._report(entry, verdict, decision)

    async def _keep(self, tx: Transaction, trip: _Trip, current: Entry, verdict: Verdict, decision: Decision) -> Entry:
        for line in trip.lines:
            await tx.outbox.log(line)
        entry = _concluded(trip, current, verdict, decision)
        await tx.outbox.save(entry)
        return entry

    async def _give_back(self, trip: _Trip) -> None:
        """As if it had never been claimed, unless its bytes may have left: then its journal stands for recovery to find."""
        if trip.left:
            return
        try:
            with anyio.CancelScope(shield=True):
                async with self._store.transaction(Urgency.DELIVERY) as tx:
                    current = await tx.outbox.get(trip.entry.id)
                    if current is not None and current.state not in _ENDED:
                        await tx.outbox.save(_unclaimed(trip.entry, current))
        except StoreFailed as error:
            self._fail(error)

    async def _set_aside(self, trip: _Trip, error: Exception) -> None:
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

    async def _park_alone(self, trip: _Trip, verdict: Verdict, decision: Decision) -> None:
        """Even the settlement fails: what is known is kept, so that a restart does not meet the same entry again."""
        try:
            with anyio.CancelScope(shield=True):
                async with self._store.transaction(Urgency.DELIVERY) as tx:
                    current = await tx.outbox.get(trip.entry.id)
                    if current is not None and current.state not in _ENDED:
                        await self._keep(tx, trip, current, verdict, decision)
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


async def _is_gate_closed(tx: Transaction, entry: Entry) -> bool:
    """Whether the distributor has meanwhile refused another sale of the title. What is in doubt goes on: it is asked about."""
    if entry.gate is None or entry.ever_sent or entry.operation.kind is not OperationKind.SALE:
        return False
    gate = (await tx.outbox.gates(entry.operation.key)).get(entry.gate)
    return gate is not None and gate.state is not GateState.OPEN


def _concluded(trip: _Trip, current: Entry, verdict: Verdict, decision: Decision) -> Entry:
    """The entry after a decision. What surely changed nothing leaves no doubt behind that was not there before."""
    in_doubt = trip.entry.ever_sent or (trip.left and verdict.outcome not in _UNSENT)
    match decision.action:
        case Action.SETTLE:
            state = EntryState.SETTLED
        case Action.PARK:
            state = EntryState.PARKED
        case _:
            state = EntryState.UNKNOWN if in_doubt else EntryState.PENDING
    return replace(
        current,
        state=state,
        attempts=trip.attempt if decision.burns_attempt and not trip.is_spared else trip.entry.attempts,
        ever_sent=in_doubt,
        due_at=decision.at or current.due_at,
        note=FIRST_DUPLICATE if _is_first_duplicate(current, decision) else decision.note,
    )


def _is_first_duplicate(current: Entry, decision: Decision) -> bool:
    return current.note == FIRST_DUPLICATE and decision.action in {Action.CONFIRM, Action.PAUSE}


def _unclaimed(before: Entry, current: Entry) -> Entry:
    state = EntryState.UNKNOWN if before.ever_sent else EntryState.PENDING
    return replace(current, state=state, attempts=before.attempts, ever_sent=before.ever_sent)


def _explain(trip: _Trip, verdict: Verdict, decision: Decision) -> str:
    """For people: what was decided, in the distributor's words where it had any."""
    receipt = trip.lines[-1].receipt if trip.lines else None
    status = f"HTTP {receipt.status}" if receipt is not None and receipt.status else ""
    said = verdict.word or (receipt.detail if receipt is not None else "") or status or verdict.outcome.value
    match decision.reason:
        case Reason.UNAUTHORIZED:
            return f"the distributor refuses the credentials: {said}"
        case Reason.OUTCOME_UNKNOWN:
            return f"nobody knows whether the distributor recorded it: {said}"
        case Reason.RETRIES_EXHAUSTED:
            return f"not delivered in {trip.attempt} attempts: {said}"
        case Reason.DUPLICATE_DIFFERS:
            return f"{FIRST_DUPLICATE}: {said}"
        case _:
            return said
