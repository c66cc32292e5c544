"""How a worker learns that there may be something to do."""

from __future__ import annotations

from typing import Protocol

import anyio

from syncengine.ports import Clock


class Wake(Protocol):
    """Whoever puts entries into the outbox, or resumes a source, tells its worker."""

    async def wait(self) -> None:
        """Return once something may have become due since the last return."""
        ...


class Bell:
    """Implements `Wake`. A ring that nobody waits for is heard by the next to wait; several rings are one."""

    def __init__(self) -> None:
        self._rung = anyio.Event()

    def ring(self) -> None:
        """Wake who waits, or who comes next."""
        self._rung.set()

    async def wait(self) -> None:
        """Return after a ring."""
        await self._rung.wait()
        self._rung = anyio.Event()

    async def wait_at_most(self, seconds: float, clock: Clock) -> None:
        """Return after a ring or that long, whichever is first."""
        async with anyio.create_task_group() as tasks:

            async def nap() -> None:
                await clock.sleep(seconds)
                tasks.cancel_scope.cancel()

            tasks.start_soon(nap)
            await self.wait()
            tasks.cancel_scope.cancel()
