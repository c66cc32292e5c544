"""One entry on its way: what is known of it meanwhile, and what it is to be when it comes back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import anyio

from syncengine.delivery.retry import MOST_ATTEMPTS, Action, Decision
from syncengine.domain.delivery import Entry, EntryState, Outcome, Verdict
from syncengine.domain.order import Reason
from syncengine.ports import LoggedReceipt

FIRST_DUPLICATE = "the distributor knew this reference before the first request was sent"
"""Kept as the note of such an entry, so that it is not taken for done after a restart."""

_UNSENT = frozenset({Outcome.THROTTLED, Outcome.FAILED_BEFORE_SENDING, Outcome.UNAUTHORIZED})
"""Answers after which the request surely changed nothing."""


@dataclass(slots=True)
class Trip:
    """One entry in the worker's hands, as it was when it was claimed.

    `sent` is the entry as it was journaled, `lines` are receipts not yet kept. `left` tells that bytes of its own request may have
    left, `is_ending` that what came of it is given to be written down, and `is_served` that the distributor besides did what was
    asked. `is_spared`: this try burns no attempt, for it only probed whether the distributor is back, and it is not.
    """

    entry: Entry
    is_probe: bool
    lines: list[LoggedReceipt] = field(default_factory=list)
    left: bool = False
    is_ending: bool = False
    is_served: bool = False
    told_breaker: bool = False
    is_spared: bool = False
    waiting: anyio.CancelScope | None = None
    sent: Entry | None = None

    @property
    def attempt(self) -> int:
        """The number of this try."""
        return self.entry.attempts + 1

    @property
    def countable(self) -> int:
        """The number by which retries are decided: a probe that failed is no fault of its entry and never the last straw."""
        return min(self.attempt, MOST_ATTEMPTS - 1) if self.is_spared else self.attempt


def concluded(trip: Trip, verdict: Verdict, decision: Decision) -> Entry:
    """The entry after a decision. What surely changed nothing leaves no doubt behind that was not there before."""
    current = trip.sent or trip.entry
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


def unclaimed(trip: Trip) -> Entry:
    """The entry as if it had never been claimed, but for a request that was frozen meanwhile."""
    entry = trip.entry
    state = EntryState.UNKNOWN if entry.ever_sent else EntryState.PENDING
    return replace(entry, state=state, request=trip.sent.request if trip.sent else entry.request)


def explain(trip: Trip, verdict: Verdict, decision: Decision) -> str:
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
