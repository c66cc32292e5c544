from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from state.sqlite import SqliteStore, open_store
from syncengine.delivery.limiter import Limiter, furthest, next_slot
from syncengine.domain.delivery import Limit
from syncengine.domain.ids import SourceName
from syncengine.ports import Urgency
from tests.clock import JumpClock

ENQ = SourceName("enq")
CB = SourceName("cb")
TENTH = Limit(calls=10, period_seconds=1.0)


@pytest.fixture
async def clock():
    return JumpClock(auto=True)


@pytest.fixture
async def store(tmp_path: Path, clock: JumpClock):
    opened = await open_store(f"sqlite:{tmp_path / 'store.db'}", clock=clock)
    yield opened
    await opened.aclose()


def limiter(store: SqliteStore, clock: JumpClock, **limits: Limit) -> Limiter:
    return Limiter({ENQ: limits}, {}, clock, store)


async def turns(pace: Limiter, clock: JumpClock, count: int, name: str = "sale") -> list[float]:
    """The instants of so many turns, one after the other, from now."""
    began = clock.monotonic()
    made = []
    for _ in range(count):
        await pace.turn(ENQ, name)
        made.append(round(clock.monotonic() - began, 3))
    return made


async def kept(store: SqliteStore) -> dict[str, float]:
    async with store.transaction(Urgency.COMMAND) as tx:
        return dict(await tx.controls.slots())


def test_a_rate_never_used_is_free_at_once():
    allowed_at, tat = next_slot(None, 100.0, TENTH)

    assert allowed_at == 100.0
    assert tat == pytest.approx(100.1, abs=1e-5)


def test_a_quiet_time_earns_the_burst_and_no_more():
    limit = Limit(calls=10, period_seconds=1.0, burst=3)
    tat, now, made = 5.0, 100.0, []
    for _ in range(5):
        now, tat = next_slot(tat, now, limit)
        made.append(round(now - 100.0, 3))

    assert made == [0.0, 0.0, 0.0, 0.125, 0.25]


async def test_calls_of_one_class_are_spaced_and_its_burst_goes_first(store, clock):
    pace = limiter(store, clock, sale=Limit(calls=10, period_seconds=1.0, burst=5))

    assert await turns(pace, clock, 8) == [0.0, 0.0, 0.0, 0.0, 0.0, 0.167, 0.333, 0.5]


async def test_a_turn_that_has_come_is_taken_and_any_other_is_waited_for(store, clock):
    """With or without waiting, calls keep the one rate."""
    pace = limiter(store, clock, sale=Limit(calls=10, period_seconds=1.0, burst=3))
    assert not pace.take(ENQ, "sale"), "nobody knows yet what an earlier run took"
    await pace.turn(ENQ, "sale")
    clock.advance(0.001)

    assert [True, True, False] == [pace.take(ENQ, "sale") for _ in range(3)]
    assert [0.124, 0.249] == await turns(pace, clock, 2)
    clock.advance(0.126)
    assert [True, False] == [pace.take(ENQ, "sale") for _ in range(2)]


async def test_no_turn_is_taken_that_is_not_durable_or_that_others_wait_for(store, clock):
    pace = limiter(store, clock, sale=TENTH)
    await pace.turn(ENQ, "sale")
    reserved = (await kept(store))["enq/sale"] - clock.now().timestamp()
    clock.advance(reserved + 1)
    assert not pace.take(ENQ, "sale"), "it is to be reserved first"

    async with store.transaction(Urgency.DELIVERY):
        waiting = asyncio.ensure_future(pace.turn(ENQ, "sale"))
        await asyncio.sleep(0)
        assert not pace.take(ENQ, "sale"), "who waits comes first"
    await waiting
    clock.advance(0.2)
    assert pace.take(ENQ, "sale")


async def test_first_come_is_first_served(store, clock):
    pace = limiter(store, clock, sale=TENTH)
    served: list[int] = []

    async def caller(number: int) -> None:
        await pace.turn(ENQ, "sale")
        served.append(number)

    await asyncio.gather(*(caller(number) for number in range(20)))

    assert served == list(range(20))
    assert clock.monotonic() == pytest.approx(1.9, abs=0.001)


async def test_rates_do_not_wait_for_each_other(store, clock):
    pace = Limiter({ENQ: {"*": Limit(calls=1, period_seconds=3600.0)}}, {}, clock, store)
    await pace.turn(ENQ, "sale")
    stuck = asyncio.ensure_future(pace.turn(ENQ, "sale"))
    clock.auto = False
    await clock.settle()

    await pace.turn(ENQ, "refund")
    await pace.turn(CB, "sale")

    assert clock.monotonic() == 0.0
    assert not stuck.done()
    stuck.cancel()


@pytest.mark.parametrize(
    ("source", "name", "expected"),
    [
        (ENQ, "sale", "1/1s"),
        (ENQ, "feed", "2/1s"),
        (CB, "sale", "3/1s"),
        (CB, "refund", "4/1s"),
    ],
)
async def test_the_nearest_limit_holds(store, clock, source, name, expected):
    pace = Limiter(
        {ENQ: {"sale": Limit.parse("1/s"), "*": Limit.parse("2/s")}},
        {"sale": Limit.parse("3/s"), "*": Limit.parse("4/s")},
        clock,
        store,
    )

    assert expected == str(pace.limit(source, name))


async def test_where_all_are_silent_a_gentle_default_holds(store, clock):
    assert str(Limiter({}, {}, clock, store).limit(ENQ, "sale")) == "20/1s"


async def test_a_slot_is_durable_before_the_turn_comes(store, clock):
    pace = limiter(store, clock, feed=Limit.parse("40/h"))

    await pace.turn(ENQ, "feed")

    assert (await kept(store))["enq/feed"] >= clock.now().timestamp() + 90


async def test_a_restart_forgets_no_slot(store, clock):
    limit = Limit.parse("40/h burst 2")
    await turns(limiter(store, clock, feed=limit), clock, 3, "feed")
    spacing = limit.interval_seconds

    after = await turns(limiter(store, clock, feed=limit), clock, 2, "feed")

    assert after[0] >= round(spacing, 3), "the burst was spent before the restart"
    assert after[0] == pytest.approx(spacing, abs=1.1), "no more than the reserve is lost"
    assert after[1] - after[0] == pytest.approx(spacing, abs=0.01)


async def test_a_fast_rate_does_not_write_for_every_call(store, clock, monkeypatch):
    writes = 0
    transaction = store.transaction

    def counted(urgency):
        nonlocal writes
        writes += 1
        return transaction(urgency)

    monkeypatch.setattr(store, "transaction", counted)

    made = await turns(limiter(store, clock, sale=Limit.parse("50/s")), clock, 500)

    assert made[-1] == pytest.approx(9.98, abs=0.05)
    assert writes <= 12


async def test_what_is_kept_is_never_before_what_was_used(store, clock):
    limit = Limit.parse("7/s burst 3")
    pace = limiter(store, clock, sale=limit)
    for _ in range(40):
        await pace.turn(ENQ, "sale")
        kept_tat = (await kept(store))["enq/sale"] - clock.now().timestamp() + clock.monotonic()
        used_tat = pace._rates["enq/sale"].tat
        assert used_tat is not None
        assert kept_tat >= used_tat - 1e-6


async def test_a_clock_that_is_set_back_during_a_stop_costs_one_full_burst_at_most(store, clock):
    limit = Limit.parse("40/h burst 4")
    await turns(limiter(store, clock, feed=limit), clock, 5, "feed")
    clock.step(-86400)

    first = (await turns(limiter(store, clock, feed=limit), clock, 1, "feed"))[0]

    assert first <= furthest(0.0, limit)
    assert first == pytest.approx(limit.interval_seconds, abs=0.01), "as if every call had been made just now"


@pytest.mark.parametrize("step", [3600.0, -3600.0, 86400.0 * 3650])
async def test_a_clock_that_is_set_while_running_makes_no_burst_and_no_stall(store, clock, step):
    pace = limiter(store, clock, sale=TENTH)
    await turns(pace, clock, 3)

    clock.step(step)

    assert await turns(pace, clock, 4) == [0.1, 0.2, 0.3, 0.4]


async def test_long_waits_are_cut_into_slices(store, clock):
    pace = limiter(store, clock, feed=Limit.parse("40/h"))
    await turns(pace, clock, 2, "feed")

    assert clock.slept[:2] == [30.0, 30.0]
    assert max(clock.slept) == 30.0
    assert sum(clock.slept) == pytest.approx(90.0, abs=0.01)


async def test_a_throttled_rate_rests_then_recovers_step_by_step(store, clock):
    pace = limiter(store, clock, sale=Limit.parse("1/s"))
    await turns(pace, clock, 1)

    pace.slow_down(ENQ, "sale", clock.now() + timedelta(seconds=10))
    made = await turns(pace, clock, 40)

    assert made[0] == 10.0, "nothing before the instant"
    assert made[1] - made[0] == pytest.approx(2.0, abs=0.01), "half the rate"
    assert made[-1] - made[-2] == pytest.approx(1.0, abs=0.01), "the whole rate again after a minute"


async def test_other_rates_are_not_slowed(store, clock):
    pace = limiter(store, clock)
    pace.slow_down(ENQ, "sale", None)

    await pace.turn(ENQ, "refund")
    await pace.turn(CB, "sale")

    assert clock.monotonic() == 0.0


@pytest.mark.parametrize(
    ("until", "rest"),
    [(None, 30.0), (-5.0, 30.0), (0.0, 30.0), (90.0, 90.0), (86400.0, 3600.0)],
)
async def test_the_rest_is_what_was_asked_within_bounds(store, clock, until, rest):
    pace = limiter(store, clock)

    pace.slow_down(ENQ, "sale", None if until is None else clock.now() + timedelta(seconds=until))

    assert await turns(pace, clock, 1) == [rest]


async def test_a_storm_of_refusals_is_one_throttling(store, clock):
    pace = limiter(store, clock, sale=Limit.parse("1/s"))
    for _ in range(8):
        pace.slow_down(ENQ, "sale", None)

    made = await turns(pace, clock, 2)

    assert made == [30.0, pytest.approx(32.0, abs=0.01)]


async def test_throttlings_in_a_row_rest_longer_and_go_slower(store, clock):
    pace = limiter(store, clock, sale=Limit.parse("1/s"))
    rests = []
    for _ in range(7):
        pace.slow_down(ENQ, "sale", None)
        rests.append((await turns(pace, clock, 1))[0])

    assert rests == [30.0, 60.0, 120.0, 240.0, 480.0, 480.0, 480.0]
    assert (await turns(pace, clock, 1))[0] == pytest.approx(32.0, abs=0.01)


async def test_a_later_refusal_extends_a_rest_and_an_earlier_one_never_shortens_it(store, clock):
    pace = limiter(store, clock)
    pace.slow_down(ENQ, "sale", clock.now() + timedelta(seconds=60))
    pace.slow_down(ENQ, "sale", clock.now() + timedelta(seconds=90))
    pace.slow_down(ENQ, "sale", clock.now() + timedelta(seconds=20))
    pace.slow_down(ENQ, "sale", None)

    assert await turns(pace, clock, 1) == [90.0]


async def test_who_waits_already_is_held_back_too(store, clock):
    pace = limiter(store, clock, sale=Limit.parse("1/min"))
    await turns(pace, clock, 1)
    waiting = asyncio.ensure_future(turns(pace, clock, 1))
    await asyncio.sleep(0)

    pace.slow_down(ENQ, "sale", clock.now() + timedelta(seconds=200))

    assert await waiting == [200.0]


async def test_who_gives_up_waiting_makes_room(store, clock):
    clock.auto = False
    pace = limiter(store, clock, sale=Limit.parse("1/min"))
    await pace.turn(ENQ, "sale")
    first = asyncio.ensure_future(pace.turn(ENQ, "sale"))
    second = asyncio.ensure_future(pace.turn(ENQ, "sale"))
    await clock.settle()

    first.cancel()
    clock.auto = True
    await second

    assert first.cancelled()
    assert clock.monotonic() == pytest.approx(60.0, abs=0.01)


@pytest.mark.parametrize(
    ("ready", "left"),
    [
        pytest.param([0.0, 0.2, 0.4, 0.6], [0.0, 0.2, 0.4, 0.6], id="at their rate"),
        pytest.param([0.5] * 6, [0.5, 0.5, 0.5, 0.7, 0.9, 1.1], id="held by one commit"),
        pytest.param([0.0, 0.0, 0.0, 0.9, 0.9, 0.9], [0.0, 0.0, 0.0, 0.9, 0.9, 0.9], id="after a rest"),
        pytest.param([0.0, 0.0, 0.0, 0.3, 0.3, 0.3], [0.0, 0.0, 0.0, 0.3, 0.4, 0.6], id="soon after a burst"),
    ],
)
async def test_calls_leave_at_their_rate_however_late_after_their_turns(store, clock, ready, left):
    """A commit that takes long holds several calls, which must not leave together."""
    pace = limiter(store, clock, sale=Limit(calls=7, period_seconds=1.0, burst=3))
    departed: list[float] = []

    async def call(at: float) -> None:
        await clock.sleep(at)
        await pace.depart(ENQ, "sale")
        departed.append(round(clock.monotonic(), 3))

    await asyncio.gather(*map(call, ready))

    assert left == departed


async def test_who_gives_up_departing_makes_room(store, clock):
    clock.auto = False
    pace = limiter(store, clock, sale=Limit.parse("1/s"))
    await pace.depart(ENQ, "sale")
    first, second = (asyncio.ensure_future(pace.depart(ENQ, "sale")) for _ in range(2))
    await clock.settle()

    first.cancel()
    clock.auto = True
    await second

    assert clock.monotonic() == pytest.approx(1.0, abs=0.01)


async def test_the_estimate_is_what_then_happens(store, clock):
    pace = limiter(store, clock, sale=Limit.parse("10/s burst 4"))

    for count in (0, 1, 4, 9):
        expected = pace.estimate(ENQ, "sale", count)
        made = await turns(pace, clock, count)
        assert expected == pytest.approx(made[-1] if made else 0.0, abs=0.01)

    pace.slow_down(ENQ, "sale", clock.now() + timedelta(seconds=10))
    expected = pace.estimate(ENQ, "sale", 5)
    assert expected == pytest.approx((await turns(pace, clock, 5))[-1], abs=0.01)
