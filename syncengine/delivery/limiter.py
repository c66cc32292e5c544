"""Rates: every call to a distributor waits here for its turn, and a restart forgets none that was taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import anyio

from syncengine.domain.delivery import Limit
from syncengine.domain.ids import SourceName
from syncengine.ports import Clock, Store, Urgency

ANY_CLASS = "*"
DEFAULT_LIMIT = Limit(calls=20, period_seconds=1.0)
"""For endpoint classes about which contract and settings are silent."""

SLICE_SECONDS = 30.0
RESERVE_SECONDS = 1.0
REST_SECONDS = 30.0
LONGEST_REST_SECONDS = 3600.0
RECOVERY_STEP_SECONDS = 60.0
MOST_SLOWDOWNS = 5
"""The slowest a throttled rate becomes: 2 to this power times its interval."""

_ROUNDING = 1e-6
"""Added to every interval, so that the rounding of floats in epoch seconds never lets a call in early. A burst takes so much
longer, too.
"""


def next_slot(tat: float | None, now: float, limit: Limit) -> tuple[float, float]:
    """When the next call may be made, and the theoretical arrival time (TAT) after it, all in seconds.

    The generic cell rate algorithm with the burst counted inside the quota: calls made at the instants it gives never
    exceed `limit.calls` in any half-open stretch of `limit.period_seconds`. A `tat` of none is a rate never used.
    """
    interval = limit.interval_seconds + _ROUNDING
    arrives = now if tat is None else max(tat, now)
    allowed_at = max(now, arrives - (limit.burst - 1) * limit.interval_seconds)
    return allowed_at, arrives + interval


def furthest(now: float, limit: Limit) -> float:
    """The latest TAT that calls made until now can have led to; a later one is left by a clock that was set back."""
    return now + limit.burst * (limit.interval_seconds + _ROUNDING)


def _lock() -> anyio.Lock:
    """Who finds it free goes on at once."""
    return anyio.Lock(fast_acquire=True)


@dataclass(slots=True)
class _Rate:
    """One rate in use. Its seconds are the monotonic clock's, so that a clock that is set forward or back changes nothing.

    Slots are durable up to `reserved`, which never is before `tat`. `departed` is the TAT of the calls as they left; its lock is
    their way out, one after the other. `throttles` counts how often the rate was halved.
    """

    limit: Limit
    tat: float | None = None
    reserved: float = float("-inf")
    queue: anyio.Lock = field(default_factory=_lock)
    departed: float | None = None
    exit: anyio.Lock = field(default_factory=_lock)
    rests_until: float = float("-inf")
    throttles: int = 0

    def slowdowns(self, now: float) -> int:
        """How many halvings still hold: one is taken back with every step of time after the rest."""
        if not self.throttles:
            return 0
        recovered = int(max(0.0, now - self.rests_until) // RECOVERY_STEP_SECONDS)
        return max(0, self.throttles - recovered)

    def pace(self, now: float) -> Limit:
        """The limit in force. While slowed there is no burst, so that no change of pace lets an extra call through."""
        halvings = self.slowdowns(now)
        if not halvings:
            return self.limit
        return Limit(calls=1, period_seconds=self.limit.interval_seconds * 2.0**halvings)

    def slot(self, now: float) -> tuple[float, float]:
        """As `next_slot`, after the rest."""
        allowed_at, tat = next_slot(self.tat, now, self.pace(now))
        return max(allowed_at, self.rests_until), tat

    def wait_to_depart(self, now: float) -> float:
        """How many seconds until the next call may leave; if none, it has left."""
        allowed_at, tat = next_slot(self.departed, now, self.limit)
        if allowed_at > now:
            return allowed_at - now
        self.departed = tat
        return 0.0


class Limiter:
    """Implements `Pace`: first come, first served within each rate; rates do not wait for each other.

    Taken slots are durable before `turn` returns. They are reserved a second ahead, so that fast rates do not write for
    every call; what a crash leaves reserved and unused is waited for again.
    """

    def __init__(
        self,
        limits: Mapping[SourceName, Mapping[str, Limit]],
        defaults: Mapping[str, Limit],
        clock: Clock,
        store: Store,
    ) -> None:
        self._limits = limits
        self._defaults = defaults
        self._clock = clock
        self._store = store
        self._kept: dict[str, float] | None = None
        self._loading = anyio.Lock()
        self._rates: dict[str, _Rate] = {}

    def limit(self, source: SourceName, name: str) -> Limit:
        """The limit in force for an endpoint class: the source's own, else the default of the class, else of all."""
        for limits in (self._limits.get(source, {}), self._defaults):
            for key in (name, ANY_CLASS):
                if found := limits.get(key):
                    return found
        return DEFAULT_LIMIT

    def take(self, source: SourceName, limit: str) -> bool:
        """As the port says. A slot that is not durable yet, and one that others wait for, is none that has come."""
        if self._kept is None:
            return False
        rate = self._rate(source, limit)
        if rate.queue.locked():
            return False
        now = self._clock.monotonic()
        allowed_at, tat = rate.slot(now)
        if tat > rate.reserved or allowed_at > now:
            return False
        rate.tat = tat
        return True

    async def turn(self, source: SourceName, limit: str) -> None:
        """Return once a call of that endpoint class may be made, having burned its slot durably."""
        await self._load()
        key = _key(source, limit)
        rate = self._rate(source, limit)
        async with rate.queue:
            ahead = RESERVE_SECONDS
            while True:
                now = self._clock.monotonic()
                allowed_at, tat = rate.slot(now)
                if tat > rate.reserved:
                    # A store that is slower than the reserve must not make this go on for ever.
                    await self._reserve(key, rate, tat + ahead)
                    ahead *= 2
                elif allowed_at > now:
                    await self._clock.sleep(min(allowed_at - now, SLICE_SECONDS))
                else:
                    rate.tat = tat
                    return

    async def depart(self, source: SourceName, limit: str) -> None:
        """As the port says. Kept in memory alone: what a crash cut off had its turn, which is durable."""
        rate = self._rate(source, limit)
        if not rate.exit.locked() and not rate.wait_to_depart(self._clock.monotonic()):
            return
        async with rate.exit:
            while wait := rate.wait_to_depart(self._clock.monotonic()):
                await self._clock.sleep(wait)

    def slow_down(self, source: SourceName, limit: str, until: datetime | None) -> None:
        """Nothing of that class before `until`, an hour at most; then at half the rate, restored within minutes.

        Refusals that arrive while the rate already rests belong to one and the same throttling. Without a date, or with one
        that has passed, the rest doubles from throttling to throttling until the rate has recovered.
        """
        now = self._clock.monotonic()
        rate = self._rate(source, limit)
        is_new = now >= rate.rests_until
        throttles = min(rate.slowdowns(now) + 1, MOST_SLOWDOWNS) if is_new else rate.throttles
        span = (until - self._clock.now()).total_seconds() if until is not None else 0.0
        if span <= 0:
            span = REST_SECONDS * 2.0 ** (throttles - 1) if is_new else 0.0
        rate.throttles = throttles
        rate.rests_until = max(rate.rests_until, now + min(span, LONGEST_REST_SECONDS))

    def estimate(self, source: SourceName, limit: str, count: int) -> float:
        """How many seconds from now the last of `count` calls will start, if nothing else of its class is called."""
        if count < 1:
            return 0.0
        now = self._clock.monotonic()
        rate = self._rate(source, limit)
        starts_at = max(now, rate.rests_until)
        arrives = starts_at if rate.tat is None else max(starts_at, rate.tat)
        pace = rate.pace(now)
        return max(starts_at, arrives + (count - pace.burst) * pace.interval_seconds) - now

    def _rate(self, source: SourceName, name: str) -> _Rate:
        key = _key(source, name)
        if key not in self._rates:
            self._rates[key] = _Rate(limit=self.limit(source, name))
            self._restore(key)
        return self._rates[key]

    async def _load(self) -> None:
        """Once: the slots that an earlier run took."""
        if self._kept is not None:
            return
        async with self._loading:
            if self._kept is None:
                async with self._store.transaction(Urgency.DELIVERY) as tx:
                    self._kept = dict(await tx.controls.slots())
                for key in self._rates:
                    self._restore(key)

    def _restore(self, key: str) -> None:
        kept = (self._kept or {}).get(key)
        if kept is None:
            return
        rate, now = self._rates[key], self._clock.monotonic()
        rate.tat = rate.reserved = min(kept - self._epoch_of_monotonic(), furthest(now, rate.limit))

    async def _reserve(self, key: str, rate: _Rate, tat: float) -> None:
        async with self._store.transaction(Urgency.DELIVERY) as tx:
            await tx.controls.save_slots({key: tat + self._epoch_of_monotonic()})
        rate.reserved = tat

    def _epoch_of_monotonic(self) -> float:
        """What makes epoch seconds of monotonic ones, by the clocks as they stand now."""
        return self._clock.now().timestamp() - self._clock.monotonic()


def _key(source: SourceName, name: str) -> str:
    return f"{source}/{name}"
