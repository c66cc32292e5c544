"""The machine's own time, as the clock port wants it."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime


class SystemClock:
    """Implements `Clock` for production and for the sandbox; tests bring one that jumps."""

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
