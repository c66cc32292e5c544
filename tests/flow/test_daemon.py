"""The daemon over real stores: sources that cannot be read for days, and those beside them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from adapters.files import FileSource, OnixRules
from state.sqlite import open_store
from syncengine.domain.ids import SourceName
from syncengine.errors import InputUnreadable, SourceFailed, SourceUnreachable, SyncEngineError
from syncengine.ports import Account, Distributor, Source, Urgency
from syncengine.service.daemon import RETRY_FIRST, RETRY_LONGEST, Daemon
from syncengine.service.engine import Engine, Parts
from syncengine.service.parsers import Parsers
from syncengine.settings import GuardSettings, OrderSettings
from tests.clock import JumpClock
from tests.flow.pages import SOURCE, Pages, message, product
from tests.pace import FreePace

BACKLIST = SourceName("backlist")
HOUR = timedelta(hours=1)


@dataclass
class Watched(Pages):
    """Notes when it is read, and fails with `trouble` while there is any."""

    clock: JumpClock = field(default_factory=JumpClock)
    trouble: SyncEngineError | None = None
    read_at: list[datetime] = field(default_factory=list)

    async def read(self, stream, plan, cursor):
        self.read_at.append(self.clock.now())
        if self.trouble is not None:
            raise self.trouble
        async for step in super().read(stream, plan, None):
            yield step


@pytest.fixture
def clock():
    return JumpClock(auto=True)


@asynccontextmanager
async def running(
    folder: Path, clock: JumpClock, *sources: Source, schedule: timedelta = HOUR
) -> AsyncIterator[Engine]:
    """A daemon that reads these sources; it must still be running at the end."""
    rules = OnixRules(markets=(), zone=ZoneInfo("UTC"))
    account = Account(kind="onix", address="files", organisation="")
    engine = Engine(
        Parts(
            store=await open_store(f"sqlite:{folder}/store.db", clock=clock),
            clock=clock,
            pace=FreePace(),
            distributors={
                source.name: Distributor(source=source, rules=rules, calls=None, account=account) for source in sources
            },
            parsers=Parsers,
            orders=OrderSettings(),
            guards=GuardSettings(),
        )
    )
    await engine.start()
    daemon = asyncio.create_task(Daemon(engine, {source.name: schedule for source in sources}).run())
    try:
        with capture_logs():
            yield engine
        assert not daemon.done()
    finally:
        daemon.cancel()
        with suppress(asyncio.CancelledError):
            await daemon
        await engine.aclose()


async def until(reached: Callable[[], bool]) -> None:
    """Wait, in real time, until something is so; the daemon's own time jumps."""
    async with asyncio.timeout(30):
        while not reached():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    "trouble", [SourceUnreachable("no answer"), SourceFailed("broken"), InputUnreadable("no file matches")]
)
async def test_a_source_that_is_down_for_days_is_tried_until_it_is_back(tmp_path, clock, trouble):
    source = Watched([message(product(0))], clock=clock, trouble=trouble)
    async with running(tmp_path, clock, source, schedule=timedelta(hours=6)):
        await until(lambda: len(source.read_at) > 60)
        waits = [later - earlier for earlier, later in pairwise(source.read_at)]
        assert RETRY_FIRST <= waits[0] < 2 * RETRY_FIRST
        assert all(RETRY_LONGEST <= wait < RETRY_LONGEST + timedelta(minutes=1) for wait in waits[10:])
        source.trouble = None
        failed = len(source.read_at)
        await until(lambda: len(source.read_at) > failed + 2)
        assert source.read_at[-1] - source.read_at[-2] >= timedelta(hours=6)
        assert source.asked


async def test_files_that_are_missing_are_waited_for_while_the_others_are_read(tmp_path, clock):
    other = Watched([message(product(0))], clock=clock)
    files = FileSource(BACKLIST, [tmp_path / "feeds" / "*.xml"])
    async with running(tmp_path, clock, files, other) as engine:
        await until(lambda: len(other.read_at) > 5)
        async with engine.store.transaction(Urgency.COMMAND) as tx:
            assert 1 == await tx.records.live_count(SOURCE)
            assert 0 == await tx.records.live_count(BACKLIST)
        (tmp_path / "feeds").mkdir()
        (tmp_path / "feeds" / "a.xml").write_bytes(message(product(1), product(2)))
        so_far = len(other.read_at)
        await until(lambda: len(other.read_at) > so_far + 2)
        async with engine.store.transaction(Urgency.COMMAND) as tx:
            assert 2 == await tx.records.live_count(BACKLIST)


async def test_two_versions_of_a_record_in_a_folder_of_changes_do_not_take_turns(tmp_path, clock):
    (tmp_path / "a.xml").write_bytes(message(product(1, title="Old")))
    (tmp_path / "b.xml").write_bytes(message(product(1, title="New")))
    other = Watched([message(product(0))], clock=clock)
    files = FileSource(BACKLIST, [tmp_path / "*.xml"])
    async with running(tmp_path, clock, files, other) as engine:
        await until(lambda: len(other.read_at) > 5)
        async with engine.store.transaction(Urgency.COMMAND) as tx:
            told = [change for change in await tx.changes.since(0, 1000) if change.source == BACKLIST]
    assert ["added", "changed"] == [change.kind.value for change in told]
