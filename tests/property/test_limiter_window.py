"""No stretch of a limit's period ever holds more calls than the limit allows."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import example, given
from hypothesis import strategies as st

from syncengine.delivery.limiter import _Rate, furthest, next_slot
from syncengine.domain.delivery import Limit

EPOCH = 1_772_452_800.0


@st.composite
def limits(draw: st.DrawFn) -> Limit:
    calls = draw(st.integers(1, 60))
    period = draw(st.sampled_from([1.0, 7.0, 60.0, 3600.0, 86400.0]))
    return Limit(calls=calls, period_seconds=period, burst=draw(st.integers(1, calls)))


def gaps(limit: Limit) -> st.SearchStrategy[list[float]]:
    """Waits between one caller and the next: none for a crowd, or up to some periods for a quiet time."""
    longest = limit.period_seconds * 1.5
    wait = st.one_of(st.just(0.0), st.floats(0, limit.interval_seconds * 2), st.floats(0, longest))
    return st.lists(wait, min_size=1, max_size=150)


def most_in_any_window(instants: list[float], period: float) -> int:
    """The fullest half-open window; it is enough to look at those that begin with a call. Exact arithmetic."""
    exact = [Fraction(at) for at in instants]
    most = first = 0
    for last, at in enumerate(exact):
        while exact[first] + Fraction(period) <= at:
            first += 1
        most = max(most, last - first + 1)
    return most


@given(st.data(), limits(), st.floats(0, 1))
@example(None, Limit(calls=3, period_seconds=1.0), 0.1)
@example(None, Limit(calls=10, period_seconds=1.0, burst=10), 0.0)
@example(None, Limit(calls=49, period_seconds=86400.0, burst=7), 0.3)
def test_no_window_holds_more_calls_than_the_limit(data, limit, offset):
    waits = [0.0] * 300 if data is None else data.draw(gaps(limit))
    tat, now, made = None, EPOCH + offset, []
    for wait in waits:
        now += wait
        now, tat = next_slot(tat, now, limit)
        made.append(now)

    assert most_in_any_window(made, limit.period_seconds) <= limit.calls


@given(limits())
def test_a_crowd_gets_the_whole_quota_and_its_burst_at_once(limit):
    tat, now, made = None, EPOCH, []
    for _ in range(limit.calls):
        now, tat = next_slot(tat, now, limit)
        made.append(now)

    assert made[limit.burst - 1] - EPOCH <= limit.burst * 2e-6, "the burst goes out at once"
    # All but the last fit into the period; rounding takes a microsecond a call.
    assert made[-1] - EPOCH <= limit.period_seconds - limit.interval_seconds + limit.calls * 2e-6


@given(st.data(), limits())
def test_throttling_never_lets_an_extra_call_through(data, limit):
    rate, now, made = _Rate(limit=limit), EPOCH, []
    for wait in data.draw(gaps(limit)):
        now += wait
        rest = data.draw(st.sampled_from([None, None, None, 0.0, 0.5, 100.0]))
        if rest is not None:
            rate.throttles = min(rate.slowdowns(now) + 1, 5)
            rate.rests_until = now + rest
        while (slot := rate.slot(now))[0] > now:
            now = slot[0]
        rate.tat = slot[1]
        made.append(now)

    assert most_in_any_window(made, limit.period_seconds) <= limit.calls


def test_a_throttling_after_a_burst_gives_no_second_burst():
    limit = Limit(calls=4, period_seconds=60.0, burst=4)
    rate, now = _Rate(limit=limit), EPOCH
    for _ in range(4):
        now, rate.tat = rate.slot(now)

    rate.throttles, rate.rests_until = 1, now

    assert rate.slot(now)[0] >= EPOCH + 60


@given(st.data(), limits())
def test_the_clamp_after_a_restart_is_never_before_a_slot_that_was_used(data, limit):
    tat, now = None, EPOCH
    for wait in data.draw(gaps(limit)):
        now += wait
        now, tat = next_slot(tat, now, limit)
        assert tat <= furthest(now, limit) + 1e-6


def test_the_checker_sees_one_call_too_many():
    assert most_in_any_window([0.0, 0.5, 0.999, 1.0], 1.0) == 3
    assert most_in_any_window([0.0, 0.5, 0.75, 0.999], 1.0) == 4
