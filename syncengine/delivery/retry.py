"""What an outcome means for its entry: a pure table, with no clock and no chance of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from syncengine.domain.delivery import Outcome, UnknownPolicy
from syncengine.domain.ids import EntryId
from syncengine.domain.order import Reason

MOST_ATTEMPTS = 12
"""Requests and look-ups of one entry that came to nothing, spread over about a day; then a person decides."""

FIRST_RETRY = timedelta(seconds=20)
FIRST_CONFIRMATION = timedelta(seconds=5)
FIRST_THROTTLE = timedelta(seconds=30)
LONGEST_BACKOFF = timedelta(hours=4)
LONGEST_THROTTLE = timedelta(hours=1)
"""A distributor that names a later instant is asked again after this span all the same."""

_JITTER = 0.2


class Action(StrEnum):
    """What becomes of an entry."""

    SETTLE = "settle"
    """It is done, for better or worse: the verdict says which."""
    POSTPONE = "postpone"
    """The request surely changed nothing; it is sent at `at`."""
    CONFIRM = "confirm"
    """Nobody knows what came of it; it is looked up at `at`."""
    RESEND = "resend"
    """Nobody knows what came of it; the same bytes are sent again at `at`."""
    PARK = "park"
    """A person decides; `reason` says why."""
    PAUSE = "pause"
    """The whole source rests until a person resumes it; the entry keeps its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """An action with what it needs. `note` is for people; `burns_attempt` tells whether the try counts."""

    action: Action
    at: datetime | None = None
    reason: Reason | None = None
    note: str = ""
    burns_attempt: bool = True


def decide(
    outcome: Outcome,
    attempts: int,
    now: datetime,
    *,
    entry_id: EntryId,
    policy: UnknownPolicy,
    until: datetime | None = None,
    in_doubt: bool = False,
) -> Decision:
    """What follows from the answer to a request, this one being number `attempts`.

    `in_doubt`: an earlier request of the entry may have taken effect and nothing has shown since that it did not. A refusal
    then says nothing about the earlier request, so that it cannot be believed.
    """
    match outcome:
        case Outcome.ACCEPTED | Outcome.ALREADY_DONE:
            return Decision(action=Action.SETTLE)
        case Outcome.REJECTED | Outcome.STALE_FACTS | Outcome.NOT_YET:
            return _park(Reason.OUTCOME_UNKNOWN) if in_doubt else Decision(action=Action.SETTLE)
        case Outcome.THROTTLED:
            return Decision(action=Action.POSTPONE, at=_after_throttle(attempts, now, until), burns_attempt=False)
        case Outcome.FAILED_BEFORE_SENDING:
            if attempts >= MOST_ATTEMPTS:
                return _park(Reason.OUTCOME_UNKNOWN if in_doubt else Reason.RETRIES_EXHAUSTED)
            return Decision(action=Action.POSTPONE, at=now + backoff(FIRST_RETRY, attempts, entry_id))
        case Outcome.UNAUTHORIZED:
            return Decision(action=Action.PAUSE, at=now, reason=Reason.UNAUTHORIZED, burns_attempt=False)
        case Outcome.UNKNOWN | Outcome.ABSENT:
            return _decide_unknown(attempts, now, entry_id, policy)
        case _:
            assert_never(outcome)


def decide_lookup(
    outcome: Outcome, attempts: int, now: datetime, *, entry_id: EntryId, until: datetime | None = None
) -> Decision:
    """What follows from the answer to a look-up of an unknown entry, this try being number `attempts`.

    Only "it is there" and "it is not there" are believed; whatever else was said, it stays unknown.
    """
    match outcome:
        case Outcome.ACCEPTED | Outcome.ALREADY_DONE:
            return Decision(action=Action.SETTLE)
        case Outcome.ABSENT:
            return Decision(action=Action.RESEND, at=now, burns_attempt=False)
        case Outcome.THROTTLED:
            return Decision(action=Action.CONFIRM, at=_after_throttle(attempts, now, until), burns_attempt=False)
        case Outcome.UNAUTHORIZED:
            return Decision(action=Action.PAUSE, at=now, reason=Reason.UNAUTHORIZED, burns_attempt=False)
        case Outcome.UNKNOWN | Outcome.FAILED_BEFORE_SENDING | Outcome.REJECTED | Outcome.STALE_FACTS | Outcome.NOT_YET:
            return _decide_unknown(attempts, now, entry_id, UnknownPolicy.LOOK_UP)
        case _:
            assert_never(outcome)


def backoff(first: timedelta, attempts: int, entry_id: EntryId) -> timedelta:
    """Three times longer with every attempt, four hours at most, a fifth more or less by entry and attempt.

    The spread keeps what failed together from coming back together, and is the same whenever it is computed.
    """
    span = min(first * 3.0 ** min(max(attempts, 1) - 1, 20), LONGEST_BACKOFF)
    # Multiplicative hashing: neighbouring entries land far apart.
    spread = ((entry_id * 2_654_435_761 + attempts * 40_503) % 2**32) / 2**32
    return span * (1 + _JITTER * (2 * spread - 1))


def _decide_unknown(attempts: int, now: datetime, entry_id: EntryId, policy: UnknownPolicy) -> Decision:
    if policy is UnknownPolicy.PARK or attempts >= MOST_ATTEMPTS:
        return _park(Reason.OUTCOME_UNKNOWN)
    action = Action.CONFIRM if policy is UnknownPolicy.LOOK_UP else Action.RESEND
    return Decision(action=action, at=now + backoff(FIRST_CONFIRMATION, attempts, entry_id))


def _after_throttle(attempts: int, now: datetime, until: datetime | None) -> datetime:
    if until is not None and until > now:
        return min(until, now + LONGEST_THROTTLE)
    return now + min(FIRST_THROTTLE * 2.0 ** min(max(attempts, 1) - 1, 20), LONGEST_THROTTLE)


def _park(reason: Reason) -> Decision:
    return Decision(action=Action.PARK, reason=reason)
