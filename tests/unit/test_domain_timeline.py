"""Periods: half-open, and all of time cut into them without gap or overlap."""

from datetime import UTC, datetime

import pytest

from syncengine.domain.timeline import Period, next_after, split

ONE, TWO, THREE = (datetime(2026, 9, day, tzinfo=UTC) for day in (1, 2, 3))


def period(since: datetime | None = None, until: datetime | None = None) -> Period:
    return Period(since=since, until=until)


@pytest.mark.parametrize(
    ("of", "inside"),
    [
        (period(), [ONE, TWO, THREE]),
        (period(TWO), [TWO, THREE]),
        (period(None, TWO), [ONE]),
        (period(TWO, THREE), [TWO]),
        (period(TWO, TWO), []),
    ],
)
def test_the_start_belongs_to_a_period_and_the_end_does_not(of, inside):
    assert inside == [at for at in (ONE, TWO, THREE) if of.contains(at)]


@pytest.mark.parametrize(
    ("of", "other", "expected"),
    [
        (period(), period(ONE, TWO), True),
        (period(ONE), period(ONE, TWO), True),
        (period(ONE, TWO), period(ONE, TWO), True),
        (period(ONE, THREE), period(TWO, THREE), True),
        (period(TWO), period(ONE, THREE), False),
        (period(None, TWO), period(ONE, THREE), False),
        (period(ONE, TWO), period(ONE), False),
        (period(ONE, TWO), period(None, TWO), False),
        (period(ONE), period(), False),
    ],
)
def test_a_period_covers_what_lies_in_it_whole(of, other, expected):
    assert expected is of.covers(other)


def test_time_is_cut_at_each_instant_once():
    assert (period(),) == split([])
    assert (period(),) == split([None])
    assert (period(None, ONE), period(ONE, TWO), period(TWO)) == split([TWO, None, ONE, TWO])


def test_the_next_instant_lies_after():
    assert next_after([ONE, None, THREE, TWO], ONE) == TWO
    assert next_after([ONE], ONE) is None
