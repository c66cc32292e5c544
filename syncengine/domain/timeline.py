"""Periods of time and what holds in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A half-open stretch of time: `since` belongs to it, `until` does not; none is without end."""

    since: datetime | None = None
    until: datetime | None = None

    def contains(self, at: datetime) -> bool:
        """Whether the instant lies in it."""
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)

    def covers(self, other: Period) -> bool:
        """Whether all of the other lies in it."""
        begins = self.since is None or (other.since is not None and self.since <= other.since)
        return begins and (self.until is None or (other.until is not None and other.until <= self.until))


def next_after(instants: Iterable[datetime | None], at: datetime) -> datetime | None:
    """The earliest of the instants that lies after `at`, or none."""
    return min((instant for instant in instants if instant is not None and instant > at), default=None)


def split(instants: Iterable[datetime | None]) -> tuple[Period, ...]:
    """All of time, cut at the instants: periods in order, without gap or overlap, from the beginning to the end."""
    cuts = [None, *sorted({instant for instant in instants if instant is not None}), None]
    return tuple(Period(since=since, until=until) for since, until in pairwise(cuts))
