"""A pace that lets every call through and remembers what was asked of it: the pace port for tests of one distributor."""

from __future__ import annotations

from datetime import datetime

from syncengine.domain.ids import SourceName


class FreePace:
    """Implements `Pace`. `turns` is every endpoint class a call was made of, `slowed` every request to slow down, in order."""

    def __init__(self) -> None:
        self.turns: list[str] = []
        self.slowed: list[tuple[str, datetime | None]] = []

    def take(self, source: SourceName, limit: str) -> bool:
        """Every turn is waited for, however short a time."""
        return False

    async def turn(self, source: SourceName, limit: str) -> None:
        self.turns.append(limit)

    async def depart(self, source: SourceName, limit: str) -> None:
        """Whenever it likes."""

    def slow_down(self, source: SourceName, limit: str, until: datetime | None) -> None:
        self.slowed.append((limit, until))

    def estimate(self, source: SourceName, limit: str, count: int) -> float:
        return 0.0
