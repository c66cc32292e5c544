"""The clock the stubs run on: real time; tests bring one that jumps."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime


class RealClock:
    """The machine's own time, as the clock port wants it."""

    def now(self) -> datetime:
        """The instant, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait that long; nothing where it is not above 0."""
        if seconds > 0:
            await asyncio.sleep(seconds)
