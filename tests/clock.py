"""A clock that jumps: the clock port for tests, in which nothing ever waits for real time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
_QUIET_ROUNDS = 50


class JumpClock:
    """Implements `Clock`. By default sleepers wait until `advance` reaches their instant.

    With `auto=True` time moves by itself: once the tasks that can run have had their turns, it jumps to the instant of the
    earliest sleeper. `step` sets the wall clock off alone, as an operator or NTP would; `monotonic` and sleepers do not see
    it. `slept` is every span that was asked for, in order.
    """

    def __init__(self, start: datetime = START, *, auto: bool = False) -> None:
        self.auto = auto
        self.slept: list[float] = []
        self._wall = start
        self._elapsed = 0.0
        self._sleepers: dict[asyncio.Event, float] = {}

    def now(self) -> datetime:
        return self._wall + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        if seconds <= 0:
            return
        self.slept.append(seconds)
        woken = asyncio.Event()
        wakes_at = self._elapsed + seconds
        self._sleepers[woken] = wakes_at
        try:
            while self.auto and not woken.is_set():
                await self._jump_when_quiet(woken, wakes_at)
            await woken.wait()
        finally:
            self._sleepers.pop(woken, None)

    def advance(self, seconds: float) -> None:
        """Let time pass; those whose instant has come wake at their next turn."""
        self._elapsed += seconds
        self._wake()

    def advance_to(self, at: datetime) -> None:
        """Let time pass until `now()` is that instant; an earlier one is an error of the test."""
        seconds = (at - self.now()).total_seconds()
        if seconds < 0:
            raise ValueError(f"{at} is {-seconds} s ago; use step to set the wall clock back")
        self.advance(seconds)

    def step(self, seconds: float) -> None:
        """Set the wall clock forward or back without any time passing."""
        self._wall += timedelta(seconds=seconds)

    @property
    def sleeper_count(self) -> int:
        """How many wait for their instant."""
        return len(self._sleepers)

    async def settle(self) -> None:
        """Give every task that can run its turns, without letting time pass."""
        for _ in range(_QUIET_ROUNDS):
            await asyncio.sleep(0)

    async def _jump_when_quiet(self, woken: asyncio.Event, wakes_at: float) -> None:
        await self.settle()
        if not woken.is_set() and wakes_at <= min(self._sleepers.values()):
            self._elapsed = max(self._elapsed, wakes_at)
            self._wake()

    def _wake(self) -> None:
        for woken, wakes_at in sorted(self._sleepers.items(), key=lambda pair: pair[1]):
            if wakes_at <= self._elapsed:
                woken.set()
