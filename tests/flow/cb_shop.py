"""A bookseller of audiobooks and e-books: the whole engine in process over the CB stub on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from adapters.distributors import cb
from adapters.distributors.cb.calls import CbCalls
from adapters.distributors.cb.sandbox import CbStub
from adapters.files.acknowledgement import acknowledgements
from adapters.sandbox.catalogue import TitleEdit
from adapters.sandbox.ledger import LedgerRow
from adapters.sandbox.server import Sandbox
from state.sqlite import open_store
from syncengine.delivery.limiter import Limiter
from syncengine.domain.delivery import Limit
from syncengine.domain.ids import Isbn, SourceName
from syncengine.domain.offer import Offer
from syncengine.domain.passes import PassMode, PassReport
from syncengine.domain.territory import Market
from syncengine.onix.codelists import standard
from syncengine.ports import Urgency, World
from syncengine.service.desk import Desk
from syncengine.service.engine import Engine, Parts
from syncengine.service.options import PassOptions
from syncengine.service.parsers import Parsers
from syncengine.settings import GuardSettings, OrderSettings, load
from tests.flow.engine import MovedClock, Shop, _files

SOURCE = SourceName("cb")
NL_EUR = Market(country="NL", currency="EUR")
TITLES = 60
_FAST = Limit(calls=2000, period_seconds=1.0, burst=200)


class CbShop(Shop):
    """An engine over one store file, and the CB stub it buys at."""

    def __init__(self, directory: Path, sandbox: Sandbox, clock: MovedClock) -> None:
        stub = sandbox.stubs["cb"]
        assert isinstance(stub, CbStub)
        self.directory = directory
        self.sandbox = sandbox
        self.clock = clock
        self.cb = stub
        self.file = directory / "store.db"
        self._numbers = 0
        self._running = None

    async def open(self, setup: object = None, **changes: Any) -> None:
        """Build an engine over the store and start it; `changes` are of the source's settings."""
        settings = load(self.sandbox.settings_path, {"cb": cb.Settings}).sources["cb"]
        self.store = await open_store(self.file, clock=self.clock)
        pace = Limiter({SOURCE: {}}, {"*": _FAST}, self.clock, self.store)
        world = World(clock=self.clock, pace=pace, directory=self.sandbox.directory)
        distributor = cb.connect(SOURCE, msgspec.structs.replace(settings, limits={}, **changes), world)
        assert isinstance(distributor.calls, CbCalls)
        self.cb_calls = distributor.calls
        orders = OrderSettings()
        self.engine = Engine(
            Parts(
                store=self.store,
                clock=self.clock,
                pace=pace,
                distributors={SOURCE: distributor},
                parsers=Parsers,
                orders=orders,
                guards=GuardSettings(),
            )
        )
        self.engine.add_source(_files([], PassMode.DELTA))
        await self.engine.start()
        self.desk = Desk(
            self.engine,
            file_source=_files,
            acknowledgements=partial(acknowledgements, clock=self.clock),
            order_defaults=(orders.price_rule, orders.payment),
            codes=standard,
        )

    async def resync(self, mode: PassMode | None = None, **options: Any) -> list[PassReport]:
        """One pass of every stream; then everything that follows from it."""
        reports: list[PassReport] = []
        await self.engine.run_passes(SOURCE, PassOptions(wanted=mode, **options), reports.append)
        await self.settle()
        return reports

    async def orders(self, count: int, isbn: str, **fields: str) -> list[str]:
        """Take so many orders of different customers at once."""
        numbers = range(self._numbers + 1, self._numbers + 1 + count)
        self._numbers += count
        plain = {"source": SOURCE, "isbn": isbn, "format": self.title(isbn).format, "market": str(NL_EUR)}
        wishes = [{"order_id": f"O{n}", "customer_id": f"C{n}", **plain, **fields} for n in numbers]
        await self.answer("orders_take", rows=[{"line": 0, "fields": wish} for wish in wishes])
        return [wish["order_id"] for wish in wishes]

    async def offer(self, isbn: str) -> Offer:
        """The one offer of a title now, of the format that the stub has."""
        async with self.store.transaction(Urgency.COMMAND) as tx:
            offers = await self.engine.dispatch.offers(tx, Isbn(isbn), NL_EUR, self.clock.now(), SOURCE)
        named = [offer for offer in offers if offer.key.format == self.title(isbn).format]
        assert len(named) == 1, offers
        return named[0]

    def title(self, isbn: str) -> Any:
        """The stub's own title."""
        title = self.cb.shelf.find(isbn)
        assert title is not None
        return title

    def isbn(self, scenario: str) -> Isbn:
        return Isbn(self.cb.scenarios[scenario])

    def edit(self, isbn: str, **changes: Any) -> None:
        self.sandbox.edit([msgspec.convert({"isbn": isbn, **changes}, TitleEdit)])

    def break_things(self, **knobs: Any) -> None:
        self.sandbox.set_faults({"cb": knobs})

    def sales(self) -> Sequence[LedgerRow]:
        """What CB has sold, in order."""
        return self.ledger("sale")


@asynccontextmanager
async def opened_cb_shop(directory: Path, *, titles: int = TITLES, **changes: Any) -> AsyncIterator[CbShop]:
    """A shop at work; nothing has been read yet."""
    clock = MovedClock()
    sandbox = Sandbox(seed=7, titles=titles, directory=directory / "stub", stubs=[CbStub], clock=clock)
    await sandbox.start()
    shop = CbShop(directory, sandbox, clock)
    try:
        await shop.open(**changes)
        try:
            await shop.work()
            yield shop
        finally:
            await shop.close()
    finally:
        await sandbox.stop()
