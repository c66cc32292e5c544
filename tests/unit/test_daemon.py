"""The daemon's patience with a source that cannot be read."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from syncengine.service.daemon import RETRY_FIRST, RETRY_LONGEST, retry_after


def test_the_wait_doubles_from_the_first_to_the_longest():
    waits = [retry_after(failures) for failures in range(1, 12)]
    assert RETRY_FIRST == waits[0]
    assert all(later == min(2 * earlier, RETRY_LONGEST) for earlier, later in pairwise(waits))
    assert RETRY_LONGEST == waits[-1]


@pytest.mark.parametrize("failures", [43, 44, 45, 1025, 10**6])
def test_a_source_may_fail_for_ever(failures):
    assert timedelta(minutes=30) == retry_after(failures)
