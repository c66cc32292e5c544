"""The long-running form: passes on their schedules, while trade and delivery never stop."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import anyio

from syncengine.domain.ids import SourceName
from syncengine.errors import GuardStopped, InputUnreadable, SourceFailed
from syncengine.logs import Logger
from syncengine.ports import Urgency
from syncengine.service.engine import LONGEST_SLEEP, Engine
from syncengine.service.options import PassOptions

RETRY_FIRST = timedelta(seconds=15)
RETRY_LONGEST = timedelta(minutes=30)
"""After a pass that failed, the next try comes after the first, then twice as long up to the longest, or at its schedule."""

log = Logger(__name__)


def retry_after(failures: int) -> timedelta:
    """How long to wait after so many failures in a row."""
    doublings: int = min(failures - 1, 10)
    return min(RETRY_FIRST * 2.0**doublings, RETRY_LONGEST)


class Daemon:
    """Runs passes by schedule; `run` ends when it is cancelled."""

    def __init__(self, engine: Engine, schedules: Mapping[SourceName, timedelta]) -> None:
        self._engine = engine
        self._schedules = schedules

    async def run(self) -> None:
        """For ever: every scheduled source in its own rhythm."""
        async with anyio.create_task_group() as tasks:
            for source, schedule in self._schedules.items():
                tasks.start_soon(self._follow, source, schedule)
            await anyio.sleep_forever()

    async def _follow(self, source: SourceName, schedule: timedelta) -> None:
        failures = 0
        wait = await self._until_due(source, schedule)
        while True:
            await self._sleep(wait)
            is_read = await self._pass(source)
            failures = 0 if is_read else failures + 1
            wait = schedule if is_read else min(retry_after(failures), schedule)

    async def _until_due(self, source: SourceName, schedule: timedelta) -> timedelta:
        """A pass that was due while nothing ran, or was interrupted, is due now."""
        intake = self._engine.intake(source)
        async with self._engine.store.transaction(Urgency.COMMAND) as tx:
            if [stream for stream in intake.streams if await tx.passes.unfinished(source, stream)]:
                return timedelta()
            last = [(await tx.passes.stream(source, stream)).last_complete_at for stream in intake.streams]
        known = [at for at in last if at is not None]
        if len(known) < len(last):
            return timedelta()
        return max(min(known) + schedule - self._engine.clock.now(), timedelta())

    async def _pass(self, source: SourceName) -> bool:
        """One pass; false where the source could not be read, so that it is tried again before its schedule."""
        try:
            await self._engine.run_passes(source, PassOptions())
        except GuardStopped as error:
            says = "a guard stopped the pass; nothing was applied"
            log.warning(says, source=source, guard=error.guard, error=str(error), hint=error.hint)
        except (SourceFailed, InputUnreadable) as error:
            log.warning("the pass failed", source=source, error=str(error), hint=error.hint)
            return False
        return True

    async def _sleep(self, span: timedelta) -> None:
        """In stretches, so that a stepped clock does no lasting harm."""
        clock = self._engine.clock
        until = clock.now() + span
        while (left := (until - clock.now()).total_seconds()) > 0:
            await clock.sleep(min(left, LONGEST_SLEEP))
