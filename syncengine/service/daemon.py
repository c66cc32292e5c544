"""The long-running form: passes on their schedules, while trade and delivery never stop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import anyio
import structlog

from syncengine.domain.ids import SourceName
from syncengine.errors import GuardStopped, SourceFailed
from syncengine.ports import Urgency
from syncengine.service.engine import LONGEST_SLEEP, Engine
from syncengine.service.intake import PassOptions

RETRY_FIRST = timedelta(seconds=15)
RETRY_LONGEST = timedelta(minutes=30)
"""After a pass that failed, the next try comes after the first, then twice as long up to the longest, or at its schedule."""

log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class _Turn:
    """When a source is read next, and how often it failed since it last came to its end."""

    failures: int = 0


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
        turn = _Turn()
        wait = await self._until_due(source, schedule)
        while True:
            await self._sleep(wait)
            wait = await self._pass(source, schedule, turn)

    async def _until_due(self, source: SourceName, schedule: timedelta) -> timedelta:
        """A pass that was due while nothing ran, or was interrupted, is due now."""
        intake = self._engine.intakes[source]
        async with self._engine.store.transaction(Urgency.COMMAND) as tx:
            if [stream for stream in intake.streams if await tx.passes.unfinished(source, stream)]:
                return timedelta()
            last = [(await tx.passes.stream(source, stream)).last_complete_at for stream in intake.streams]
        known = [at for at in last if at is not None]
        if len(known) < len(last):
            return timedelta()
        return max(min(known) + schedule - self._engine.clock.now(), timedelta())

    async def _pass(self, source: SourceName, schedule: timedelta, turn: _Turn) -> timedelta:
        """One pass; returns how long to wait for the next."""
        try:
            await self._engine.run_passes(source, PassOptions())
        except GuardStopped as error:
            log.warning(
                "a guard stopped the pass; nothing was applied",
                source=source,
                guard=error.guard,
                error=str(error),
                hint=error.hint,
            )
        except SourceFailed as error:
            turn.failures += 1
            wait = min(RETRY_FIRST * 2.0 ** (turn.failures - 1), RETRY_LONGEST, schedule)
            log.warning(
                "the pass failed",
                source=source,
                error=str(error),
                hint=error.hint,
                again_in_seconds=wait.total_seconds(),
            )
            return wait
        turn.failures = 0
        return schedule

    async def _sleep(self, span: timedelta) -> None:
        """In stretches, so that a stepped clock does no lasting harm."""
        clock = self._engine.clock
        until = clock.now() + span
        while (left := (until - clock.now()).total_seconds()) > 0:
            await clock.sleep(min(left, LONGEST_SLEEP))
