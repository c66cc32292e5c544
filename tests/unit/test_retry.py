from __future__ import annotations

from datetime import timedelta

import pytest

from syncengine.delivery.retry import MOST_ATTEMPTS, Action, Decision, backoff, decide, decide_lookup
from syncengine.domain.delivery import Outcome, UnknownPolicy
from syncengine.domain.ids import EntryId
from syncengine.domain.order import Reason
from tests.clock import START as NOW

ENTRY = EntryId(7)
LOOK_UP, RESEND, PARK = UnknownPolicy.LOOK_UP, UnknownPolicy.RESEND, UnknownPolicy.PARK


def told(decision: Decision) -> tuple[object, ...]:
    """What a row of the table says: action, seconds from now (rounded to what the spread leaves), reason, burned."""
    seconds = None if decision.at is None else (decision.at - NOW).total_seconds()
    return decision.action, seconds, decision.reason, decision.burns_attempt


def about(seconds: float):
    return pytest.approx(seconds, rel=0.2)


# outcome, attempts, policy, until, in doubt -> action, seconds, reason, burned
TABLE = [
    (Outcome.ACCEPTED, 1, LOOK_UP, None, False, Action.SETTLE, None, None, True),
    (Outcome.ACCEPTED, 3, RESEND, None, True, Action.SETTLE, None, None, True),
    (Outcome.ALREADY_DONE, 2, PARK, None, True, Action.SETTLE, None, None, True),
    (Outcome.REJECTED, 1, LOOK_UP, None, False, Action.SETTLE, None, None, True),
    (Outcome.STALE_FACTS, 1, LOOK_UP, None, False, Action.SETTLE, None, None, True),
    (Outcome.NOT_YET, 1, LOOK_UP, None, False, Action.SETTLE, None, None, True),
    (Outcome.REJECTED, 2, RESEND, None, True, Action.PARK, None, Reason.OUTCOME_UNKNOWN, True),
    (Outcome.STALE_FACTS, 2, RESEND, None, True, Action.PARK, None, Reason.OUTCOME_UNKNOWN, True),
    (Outcome.NOT_YET, 2, RESEND, None, True, Action.PARK, None, Reason.OUTCOME_UNKNOWN, True),
    (Outcome.THROTTLED, 1, LOOK_UP, 12.0, False, Action.POSTPONE, 12.0, None, False),
    (Outcome.THROTTLED, 1, LOOK_UP, None, False, Action.POSTPONE, 30.0, None, False),
    (Outcome.THROTTLED, 3, LOOK_UP, None, False, Action.POSTPONE, 120.0, None, False),
    (Outcome.THROTTLED, 1, LOOK_UP, -60.0, False, Action.POSTPONE, 30.0, None, False),
    (Outcome.THROTTLED, 1, LOOK_UP, 1e8, False, Action.POSTPONE, 3600.0, None, False),
    (Outcome.THROTTLED, 99, LOOK_UP, None, False, Action.POSTPONE, 3600.0, None, False),
    (Outcome.FAILED_BEFORE_SENDING, 1, LOOK_UP, None, False, Action.POSTPONE, about(20.0), None, True),
    (Outcome.FAILED_BEFORE_SENDING, 4, PARK, None, False, Action.POSTPONE, about(540.0), None, True),
    (Outcome.FAILED_BEFORE_SENDING, 11, PARK, None, False, Action.POSTPONE, about(14400.0), None, True),
    (Outcome.FAILED_BEFORE_SENDING, 12, LOOK_UP, None, False, Action.PARK, None, Reason.RETRIES_EXHAUSTED, True),
    (Outcome.FAILED_BEFORE_SENDING, 12, RESEND, None, True, Action.PARK, None, Reason.OUTCOME_UNKNOWN, True),
    (Outcome.UNAUTHORIZED, 1, LOOK_UP, None, False, Action.PAUSE, 0.0, Reason.UNAUTHORIZED, False),
    (Outcome.UNKNOWN, 1, LOOK_UP, None, False, Action.CONFIRM, about(5.0), None, True),
    (Outcome.UNKNOWN, 3, LOOK_UP, None, False, Action.CONFIRM, about(45.0), None, True),
    (Outcome.UNKNOWN, 1, RESEND, None, False, Action.RESEND, about(5.0), None, True),
    (Outcome.UNKNOWN, 12, LOOK_UP, None, False, Action.PARK, None, Reason.OUTCOME_UNKNOWN, True),
    (Outcome.UNKNOWN, 12, RESEND, None, True, Action.PARK, None, Reason.OUTCOME_UNKNOWN, True),
    (Outcome.UNKNOWN, 1, PARK, None, False, Action.PARK, None, Reason.OUTCOME_UNKNOWN, True),
    (Outcome.ABSENT, 1, LOOK_UP, None, False, Action.CONFIRM, about(5.0), None, True),
]


@pytest.mark.parametrize(
    ("outcome", "attempts", "policy", "until", "in_doubt", "action", "seconds", "reason", "burned"), TABLE
)
def test_each_row_of_the_table(outcome, attempts, policy, until, in_doubt, action, seconds, reason, burned):
    decision = decide(
        outcome,
        attempts,
        NOW,
        entry_id=ENTRY,
        policy=policy,
        until=None if until is None else NOW + timedelta(seconds=until),
        in_doubt=in_doubt,
    )

    assert (action, seconds, reason, burned) == told(decision)


def test_the_table_has_a_row_for_every_outcome():
    assert {row[0] for row in TABLE} == set(Outcome)


LOOKUPS = [
    (Outcome.ALREADY_DONE, 1, None, Action.SETTLE, None, None, True),
    (Outcome.ACCEPTED, 1, None, Action.SETTLE, None, None, True),
    (Outcome.ABSENT, 12, None, Action.RESEND, 0.0, None, False),
    (Outcome.THROTTLED, 12, 40.0, Action.CONFIRM, 40.0, None, False),
    (Outcome.THROTTLED, 2, None, Action.CONFIRM, 60.0, None, False),
    (Outcome.UNAUTHORIZED, 12, None, Action.PAUSE, 0.0, Reason.UNAUTHORIZED, False),
    (Outcome.UNKNOWN, 2, None, Action.CONFIRM, about(15.0), None, True),
    (Outcome.FAILED_BEFORE_SENDING, 2, None, Action.CONFIRM, about(15.0), None, True),
    (Outcome.REJECTED, 2, None, Action.CONFIRM, about(15.0), None, True),
    (Outcome.STALE_FACTS, 2, None, Action.CONFIRM, about(15.0), None, True),
    (Outcome.NOT_YET, 2, None, Action.CONFIRM, about(15.0), None, True),
    (Outcome.UNKNOWN, 12, None, Action.PARK, None, Reason.OUTCOME_UNKNOWN, True),
]


@pytest.mark.parametrize(("outcome", "attempts", "until", "action", "seconds", "reason", "burned"), LOOKUPS)
def test_each_row_of_the_table_of_lookups(outcome, attempts, until, action, seconds, reason, burned):
    decision = decide_lookup(
        outcome, attempts, NOW, entry_id=ENTRY, until=None if until is None else NOW + timedelta(seconds=until)
    )

    assert (action, seconds, reason, burned) == told(decision)


def test_the_table_of_lookups_has_a_row_for_every_outcome():
    assert {row[0] for row in LOOKUPS} == set(Outcome)


@pytest.mark.parametrize("entry", [1, 2, 500, 123_456_789])
def test_all_attempts_take_about_a_day(entry):
    total = sum((backoff(timedelta(seconds=20), n, EntryId(entry)) for n in range(1, MOST_ATTEMPTS)), timedelta())

    assert timedelta(hours=17) < total < timedelta(hours=28)


def test_the_spread_is_the_same_each_time_and_differs_from_entry_to_entry():
    spans = [backoff(timedelta(seconds=100), 1, EntryId(entry)).total_seconds() for entry in range(1000)]

    assert spans == [backoff(timedelta(seconds=100), 1, EntryId(entry)).total_seconds() for entry in range(1000)]
    assert 80 <= min(spans) < 82
    assert 118 < max(spans) <= 120
    assert sum(spans) / len(spans) == pytest.approx(100, abs=1)
    assert len(set(spans)) == 1000
