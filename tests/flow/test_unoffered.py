"""A source that serves no market: none of its titles is read to find out that nothing is offered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import pytest

from adapters.files import OnixRules
from state.sqlite import open_store
from syncengine.domain.ids import Format, Isbn, TitleKey
from syncengine.domain.territory import Market
from syncengine.ports import Account, Distributor, Urgency
from syncengine.service import dispatch
from syncengine.service import engine as engine_module
from syncengine.service.engine import Engine, Parts
from syncengine.service.options import PassOptions
from syncengine.service.parsers import Parsers
from syncengine.service.progress import Unwatched
from syncengine.settings import GuardSettings, OrderSettings
from tests.clock import JumpClock
from tests.flow.pages import CA, SOURCE, Pages, isbn, message, product
from tests.pace import FreePace

KEY = TitleKey(source=SOURCE, isbn=Isbn(isbn(0)), format=Format("epub"))
Opened = Callable[..., AbstractAsyncContextManager[Engine]]


@dataclass(slots=True)
class Watcher(Unwatched):
    """Writes down how many titles were said to be decided."""

    told: list[int] = field(default_factory=list)

    def deciding(self, *, decided: int, total: int) -> None:
        self.told.append(decided)


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


@pytest.fixture
def opened(tmp_path, watcher, monkeypatch) -> Opened:
    """An engine over one store and one source of five titles, which it has read."""
    monkeypatch.setattr(dispatch, "TITLES_A_CHUNK", 1)
    monkeypatch.setattr(engine_module, "MOOT_A_CHUNK", 2)

    @asynccontextmanager
    async def opened(*markets: Market) -> AsyncIterator[Engine]:
        clock = JumpClock()
        distributor = Distributor(
            source=Pages([message(*map(product, range(5)))]),
            rules=OnixRules(markets=markets, zone=ZoneInfo("UTC")),
            calls=None,
            account=Account(kind="onix", address="files", organisation=""),
        )
        engine = Engine(
            Parts(
                store=await open_store(f"sqlite:{tmp_path}/store.db", clock=clock),
                clock=clock,
                pace=FreePace(),
                distributors={SOURCE: distributor},
                parsers=Parsers,
                orders=OrderSettings(),
                guards=GuardSettings(),
                progress=watcher,
            )
        )
        await engine.start()
        await engine.run_passes(SOURCE, PassOptions())
        yield engine
        await engine.aclose()

    return opened


async def due_count(engine: Engine) -> int:
    async with engine.store.transaction(Urgency.COMMAND) as tx:
        return await tx.titles.count_due()


async def offered(engine: Engine) -> list[str]:
    """In which markets the first title is offered, as far as is kept."""
    async with engine.store.transaction(Urgency.COMMAND) as tx:
        return list(await tx.titles.known_offers(KEY))


async def test_what_is_offered_nowhere_is_not_decided_title_by_title(opened, watcher):
    async with opened() as engine:
        assert 5 == await due_count(engine)
        await engine.decide_due()
        assert 0 == await due_count(engine)
        assert [] == watcher.told


async def test_what_is_offered_somewhere_is(opened, watcher):
    async with opened(CA) as engine:
        await engine.decide_due()
        assert 0 == await due_count(engine)
        assert [1, 2, 3, 4, 5] == watcher.told
        assert [str(CA)] == await offered(engine)


async def test_offers_of_markets_that_are_served_no_more_are_forgotten(opened):
    async with opened(CA) as engine:
        await engine.decide_due()
    async with opened() as engine:
        await engine.decide_due()
        assert [] == await offered(engine)
        assert 0 == await due_count(engine)
