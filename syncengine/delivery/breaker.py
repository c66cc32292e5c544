"""When a distributor cannot be reached, its calls rest: one probe at a time finds out whether it is back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

FAILURES = 5
FIRST_REST_SECONDS = 30.0
LONGEST_REST_SECONDS = 300.0


class BreakerState(StrEnum):
    """closed -> open -> half-open -> closed, or open again for longer."""

    CLOSED = "closed"
    """Calls go out."""
    OPEN = "open"
    """None goes out before `rests_until`."""
    HALF_OPEN = "half_open"
    """A single probe is out; nothing else until it has come back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """One source's state; every step gives the next one. Instants are seconds of a clock that never runs backwards.

    `failures` counts in a row while closed. `trips` counts openings since the distributor was last well, which takes as many
    successes in a row (`successes`) as it takes failures to open: so a link that comes and goes rests longer and longer
    instead of flapping.
    """

    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    successes: int = 0
    trips: int = 0
    rests_until: float = 0.0

    def room(self, at: float, wanted: int) -> int:
        """How many calls may be begun."""
        if self.state is BreakerState.CLOSED:
            return wanted
        if self.state is BreakerState.OPEN and at >= self.rests_until:
            return min(1, wanted)
        return 0

    def probing(self) -> Breaker:
        """The rest is over and a call is begun: it is the probe."""
        return replace(self, state=BreakerState.HALF_OPEN)

    def succeeded(self, *, probe: bool) -> Breaker:
        """The distributor answered. Late answers of calls begun before the breaker opened change nothing."""
        is_closed = self.state is BreakerState.CLOSED
        if (not is_closed and not probe) or (is_closed and not self.failures and not self.trips):
            return self
        successes = self.successes + 1
        trips = 0 if successes >= FAILURES else self.trips
        return replace(self, state=BreakerState.CLOSED, failures=0, successes=successes, trips=trips)

    def failed(self, at: float, *, probe: bool) -> Breaker:
        """The distributor was not reached."""
        if self.state is not BreakerState.CLOSED and not probe:
            return self
        failures = self.failures + 1
        if failures < FAILURES and not probe:
            return replace(self, failures=failures, successes=0)
        rest = min(FIRST_REST_SECONDS * 2.0 ** min(self.trips, 20), LONGEST_REST_SECONDS)
        return Breaker(state=BreakerState.OPEN, trips=self.trips + 1, rests_until=at + rest)

    def abandoned(self) -> Breaker:
        """The probe was never sent: the next call is the probe instead."""
        return replace(self, state=BreakerState.OPEN) if self.state is BreakerState.HALF_OPEN else self
