from __future__ import annotations

from syncengine.delivery.breaker import FAILURES, Breaker, BreakerState


def failing(breaker: Breaker, times: int, at: float = 0.0) -> Breaker:
    for _ in range(times):
        breaker = breaker.failed(at, probe=False)
    return breaker


def opened(at: float = 0.0) -> Breaker:
    return failing(Breaker(), FAILURES, at)


def test_failures_that_are_not_in_a_row_do_not_open_it():
    breaker = Breaker()
    for _ in range(10):
        breaker = failing(breaker, FAILURES - 1).succeeded(probe=False)

    assert breaker.state is BreakerState.CLOSED
    assert breaker.room(0.0, 8) == 8


def test_it_opens_after_failures_in_a_row_and_lets_nothing_out_while_it_rests():
    assert failing(Breaker(), FAILURES - 1).state is BreakerState.CLOSED

    breaker = opened(at=100.0)

    assert breaker.state is BreakerState.OPEN
    assert breaker.room(100.0, 8) == 0
    assert breaker.room(129.9, 8) == 0


def test_after_the_rest_a_single_probe_goes_out():
    breaker = opened(at=100.0)

    assert breaker.room(130.0, 8) == 1
    assert breaker.room(130.0, 0) == 0
    assert breaker.probing().state is BreakerState.HALF_OPEN
    assert breaker.probing().room(1e9, 8) == 0


def test_a_probe_that_is_answered_closes_it():
    breaker = opened().probing().succeeded(probe=True)

    assert breaker.state is BreakerState.CLOSED
    assert breaker.room(31.0, 8) == 8
    assert failing(breaker, FAILURES - 1).state is BreakerState.CLOSED, "old failures are forgotten"


def test_each_probe_that_fails_doubles_the_rest_up_to_five_minutes():
    breaker, at, rests = opened(), 0.0, []
    for _ in range(6):
        rests.append(breaker.rests_until - at)
        at = breaker.rests_until
        breaker = breaker.probing().failed(at, probe=True)

    assert rests == [30.0, 60.0, 120.0, 240.0, 300.0, 300.0]


def test_a_link_that_comes_and_goes_rests_longer_each_time():
    breaker = opened().probing().succeeded(probe=True)

    again = failing(breaker, FAILURES, at=40.0)

    assert again.rests_until == 100.0


def test_as_many_successes_as_failures_make_it_well_again():
    breaker = opened().probing().succeeded(probe=True)
    for _ in range(FAILURES - 1):
        breaker = breaker.succeeded(probe=False)

    assert failing(breaker, FAILURES, at=40.0).rests_until == 70.0


def test_an_answer_of_a_distributor_that_is_well_changes_nothing():
    well = Breaker()

    assert well.succeeded(probe=False) is well
    assert failing(well, FAILURES - 1).succeeded(probe=False) != failing(well, FAILURES - 1)


def test_late_answers_of_earlier_calls_neither_close_it_nor_prolong_the_rest():
    breaker = opened(at=100.0)

    assert breaker.succeeded(probe=False) == breaker
    assert breaker.failed(125.0, probe=False) == breaker
    probing = breaker.probing()
    assert probing.succeeded(probe=False) == probing
    assert probing.failed(131.0, probe=False) == probing


def test_a_probe_that_was_never_sent_gives_way_to_the_next():
    breaker = opened(at=100.0).probing().abandoned()

    assert breaker.room(130.0, 8) == 1
    assert Breaker().abandoned() == Breaker()
