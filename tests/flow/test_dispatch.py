"""Titles that are due together and that no order waits for: decided in chunks, told as far as they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from adapters.distributors.demarque.rules import DeMarqueRules
from state.sqlite import open_store
from syncengine.domain.change import ChangeKind
from syncengine.domain.ids import SourceName
from syncengine.ports import Account, Distributor, Urgency
from syncengine.service import dispatch
from syncengine.service.dispatch import Dispatch
from syncengine.service.intake import Intake
from syncengine.service.options import PassOptions
from syncengine.service.parsers import Parsers
from syncengine.service.progress import Unwatched
from syncengine.settings import GuardSettings
from tests.clock import JumpClock
from tests.flow.pages import CA, SOURCE, STREAM, Pages, message, product


@dataclass(slots=True)
class Watcher(Unwatched):
    """Writes down how far the deciding was said to be."""

    told: list[tuple[int, int]] = field(default_factory=list)

    def deciding(self, *, decided: int, total: int) -> None:
        self.told.append((decided, total))


class Desk:
    """A store, and what reads a source into it and decides its titles."""

    def __init__(self, store, clock):
        self.store = store
        self.watcher = Watcher()
        self.source = Pages([])
        rules = DeMarqueRules(markets=(CA,), zone=ZoneInfo("America/Toronto"))
        account = Account(kind="test", address="", organisation="")
        self.distributor = Distributor(source=self.source, rules=rules, calls=None, account=account)
        self.intake = Intake(self.distributor, store, clock, Parsers(), GuardSettings())
        self.distributors: dict[SourceName, Distributor] = {SOURCE: self.distributor}
        self.dispatch = Dispatch(
            self.distributors, store, clock, timedelta(hours=24), wake=lambda: None, progress=self.watcher
        )

    async def read(self, *numbers: int) -> None:
        self.source.pages = [message(*map(product, numbers))]
        await self.intake.run(STREAM, PassOptions())

    async def decide(self) -> list[int]:
        """How many titles were in each chunk."""
        chunks = []
        while count := await self.dispatch.decide_due():
            chunks.append(count)
        return chunks

    async def offer_changes(self) -> int:
        async with self.store.transaction(Urgency.COMMAND) as tx:
            return sum(change.kind is ChangeKind.OFFER for change in await tx.changes.since(0, 1000))


@pytest.fixture
async def desk(tmp_path, monkeypatch):
    monkeypatch.setattr(dispatch, "TITLES_A_CHUNK", 2)
    clock = JumpClock()
    store = await open_store(f"sqlite:{tmp_path}/store.db", clock=clock)
    yield Desk(store, clock)
    await store.aclose()


async def test_a_backlog_is_decided_in_chunks_and_told_as_far_as_it_is(desk):
    await desk.read(*range(5))
    assert [2, 2, 1] == await desk.decide()
    assert [(2, 5), (4, 5), (5, 5)] == desk.watcher.told
    assert 5 == await desk.offer_changes()


async def test_less_than_a_chunk_is_not_told(desk):
    await desk.read(0)
    assert [1] == await desk.decide()
    assert [] == desk.watcher.told


async def test_a_backlog_that_grows_is_counted_again(desk):
    await desk.read(*range(4))
    await desk.dispatch.decide_due()
    await desk.read(*range(8))
    assert [2, 2, 2] == await desk.decide()
    assert [(2, 4), (4, 8), (6, 8), (8, 8)] == desk.watcher.told


async def test_what_is_decided_again_and_stays_is_not_told(desk):
    await desk.read(*range(3))
    await desk.decide()
    async with desk.store.transaction(Urgency.COMMAND) as tx:
        await tx.titles.mark_source_due(SOURCE)
    assert [2, 1] == await desk.decide()
    assert 3 == await desk.offer_changes()


async def test_titles_of_a_source_without_settings_are_left_until_it_is_back(desk):
    await desk.read(*range(3))
    del desk.distributors[SOURCE]
    assert [2, 1] == await desk.decide()
    assert 0 == await desk.offer_changes()
    async with desk.store.transaction(Urgency.COMMAND) as tx:
        assert "" == await tx.controls.setting(f"rules:{SOURCE}"), "whoever brings it back has all of it decided"
