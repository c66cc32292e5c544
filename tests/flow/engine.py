"""The whole engine in process: its real store, the real stub on loopback, and time that a test can move."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import aiohttp
import msgspec
from yarl import URL

from adapters.distributors import demarque
from adapters.distributors.demarque.calls import DeMarqueCalls
from adapters.distributors.demarque.sandbox import ORGANISATION, DemarqueStub, User
from adapters.distributors.demarque.source import DeMarqueSource
from adapters.files import FileSource, OnixRules, Pick
from adapters.files.acknowledgement import acknowledgements
from adapters.http.session import Patience
from adapters.sandbox.catalogue import TitleEdit
from adapters.sandbox.ledger import LedgerRow
from adapters.sandbox.server import CallRow, Sandbox
from state.sqlite import open_store
from state.sqlite.store import SqliteStore
from syncengine.delivery.limiter import Limiter
from syncengine.delivery.spend import SpendGuard
from syncengine.domain.delivery import Entry, Limit
from syncengine.domain.ids import Isbn, OrderId, SourceName
from syncengine.domain.order import Order, OrderEvent
from syncengine.domain.passes import PassMode, PassReport
from syncengine.domain.territory import Market
from syncengine.onix.codelists import standard
from syncengine.ports import Account, Distributor, LoggedReceipt, Urgency, World
from syncengine.service.desk import Desk
from syncengine.service.documents import Answer
from syncengine.service.engine import Engine, Parts
from syncengine.service.options import PassOptions
from syncengine.service.parsers import Parsers
from syncengine.settings import GuardSettings, OrderSettings
from tests.clock import START

SOURCE = SourceName("demarque")
TITLES = 60
MARKETS = ("CA/CAD", "US/USD", "FR/EUR")
FEEDS = frozenset({"full", "delta", "publication"})
PATIENCE_SECONDS = 20.0
"""How long, in real time, anything may take before its test fails."""

T = TypeVar("T")

_TLS = ssl.create_default_context()
"""Made once, for it takes longer than most tests; loopback is plain HTTP."""
_FAST = Limit(calls=2000, period_seconds=1.0, burst=200)
_NUDGE_SECONDS = 1.0
_POLL_SECONDS = 0.005


class MovedClock:
    """Implements `Clock`: time passes as it really does, and `advance` adds any span to it at once.

    Sockets keep real time, so a clock that stands still while they are waited for would not do. `step` sets the wall clock off
    alone, as an operator would.
    """

    def __init__(self, start: datetime = START) -> None:
        self._wall = start
        self._began = time.monotonic()
        self._ahead = 0.0
        self._moved = asyncio.Event()

    def now(self) -> datetime:
        return self._wall + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return time.monotonic() - self._began + self._ahead

    async def sleep(self, seconds: float) -> None:
        until = self.monotonic() + seconds
        while (left := until - self.monotonic()) > 0:
            try:
                async with asyncio.timeout(left):
                    await self._moved.wait()
            except TimeoutError:
                return

    def advance(self, span: timedelta) -> None:
        """Let that much time pass; who sleeps that long wakes."""
        self._ahead += span.total_seconds()
        self._moved.set()
        self._moved = asyncio.Event()

    def advance_to(self, at: datetime) -> None:
        """Let time pass until that instant; an earlier one is an error of the test."""
        assert at >= self.now(), f"{at} is past"
        self.advance(at - self.now())

    def step(self, span: timedelta) -> None:
        """Set the wall clock forward or back without any time passing."""
        self._wall += span


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What an engine is built with besides its store: the settings a test may want otherwise."""

    markets: Sequence[str] = MARKETS
    organisation: str = ORGANISATION
    address: str = "https://stub.example/api"
    """What the store is bound to; the stub's true one has another port in every run."""
    token: str | None = None
    limits: Mapping[str, Limit] = field(default_factory=dict)
    concurrency: int = 8
    tax_rates: Mapping[str, Decimal] = field(default_factory=dict)
    orders: OrderSettings = field(default_factory=OrderSettings)
    spend_guard: SpendGuard = field(default_factory=SpendGuard)
    call_seconds: float = 60.0
    is_named: bool = True
    """Whether the settings name the distributor at all."""
    besides: Sequence[Distributor] = ()
    """Other sources."""


class Shop:
    """A bookseller: an engine over one store file, and the stub it sells through."""

    def __init__(self, directory: Path, sandbox: Sandbox, clock: MovedClock) -> None:
        self.directory = directory
        self.sandbox = sandbox
        self.clock = clock
        stub = sandbox.stubs["demarque"]
        assert isinstance(stub, DemarqueStub)
        self.stub = stub
        self.file = directory / "store.db"
        self._numbers = 0
        self._running: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()

    # --- the engine's life

    async def open(self, setup: Setup | None = None) -> None:
        """Build an engine over the store and start it; nothing is traded or delivered before `work`."""
        setup = setup or Setup()
        self.store: SqliteStore = await open_store(self.file, clock=self.clock)
        settings = self._settings(setup)
        pace = Limiter({SOURCE: settings.limits}, {"*": _FAST}, self.clock, self.store)
        distributors = {one.source.name: one for one in setup.besides}
        if setup.is_named:
            distributors[SOURCE] = self._connect(setup, settings, pace)
        self.engine = Engine(
            Parts(
                store=self.store,
                clock=self.clock,
                pace=pace,
                distributors=distributors,
                parsers=Parsers,
                orders=setup.orders,
                guards=GuardSettings(),
                spend_guard=setup.spend_guard,
            )
        )
        self.engine.add_source(_files([], PassMode.DELTA))
        await self.engine.start()
        defaults = (setup.orders.price_rule, setup.orders.payment)
        self.desk = Desk(
            self.engine,
            file_source=_files,
            acknowledgements=partial(acknowledgements, clock=self.clock),
            order_defaults=defaults,
            codes=standard,
        )

    def _connect(self, setup: Setup, settings: demarque.Settings, pace: Limiter) -> Distributor:
        distributor = demarque.connect(SOURCE, settings, World(clock=self.clock, pace=pace, directory=self.directory))
        assert isinstance(distributor.calls, DeMarqueCalls)
        assert isinstance(distributor.source, DeMarqueSource)
        distributor.calls._session._patience = Patience(call_seconds=setup.call_seconds)
        for session in (distributor.calls._session, distributor.source._session):
            session._tls = _TLS
        return replace(distributor, account=replace(distributor.account, address=setup.address))

    async def work(self) -> None:
        """Trade and deliver from now on."""
        started = asyncio.Event()
        self._stop = asyncio.Event()

        async def run() -> None:
            async with self.engine.working():
                started.set()
                await self._stop.wait()

        self._running = asyncio.create_task(run())
        await started.wait()

    async def close(self) -> None:
        """Stop in good order: what is in flight ends."""
        self._stop.set()
        if self._running is not None:
            running, self._running = self._running, None
            await running
        await self.engine.aclose()

    async def restart(self, setup: Setup | None = None) -> None:
        """Close, open with those settings, and work on."""
        await self.close()
        await self.open(setup)
        await self.work()

    def crash(self, directory: Path) -> Shop:
        """The shop as its disk is at this instant: another one, over a copy of the store. This one still has to be closed."""
        directory.mkdir()
        copy_store(self.directory, directory)
        return Shop(directory, self.sandbox, self.clock)

    def _settings(self, setup: Setup) -> demarque.Settings:
        token = self.directory / "token"
        token.write_text(setup.token or self.users[0].token)
        return demarque.Settings(
            kind="demarque",
            base_url=self.sandbox.addresses["demarque"],
            organisation_id=setup.organisation,
            token_file=str(token),
            timezone="America/Toronto",
            allow_loopback_http=True,
            markets=tuple(map(Market.parse, setup.markets)),
            limits=setup.limits,
            tax_rates=setup.tax_rates,
            concurrency=setup.concurrency,
        )

    @property
    def users(self) -> tuple[User, ...]:
        """The stub's user profiles; the second may not refund."""
        return self.stub.users

    # --- what a test does

    async def resync(self, mode: PassMode | None = None, **options: Any) -> list[PassReport]:
        """One pass; then everything that follows from it."""
        reports: list[PassReport] = []
        await self.engine.run_passes(SOURCE, PassOptions(wanted=mode, **options), reports.append)
        await self.settle()
        return reports

    async def order(self, isbn: str, **fields: str) -> str:
        """Take one order without waiting for what follows; returns its id."""
        [order_id] = await self.orders(1, isbn, **fields)
        return order_id

    async def orders(self, count: int, isbn: str, **fields: str) -> list[str]:
        """Take so many orders of different customers at once."""
        numbers = range(self._numbers + 1, self._numbers + 1 + count)
        self._numbers += count
        plain = {"source": SOURCE, "isbn": isbn, "format": "epub", "market": "CA/CAD"}
        wishes = [{"order_id": f"O{n}", "customer_id": f"C{n}", **plain, **fields} for n in numbers]
        await self.answer("orders_take", rows=[{"line": 0, "fields": wish} for wish in wishes])
        return [wish["order_id"] for wish in wishes]

    async def buy(self, isbn: str, **fields: str) -> Order:
        """Take one order and let everything follow."""
        return await self.settled(await self.order(isbn, **fields))

    async def answer(self, command: str, **arguments: Any) -> Answer:
        """A command at the desk."""
        return await self.desk.answer(command, arguments)

    async def settle(self) -> None:
        """Wait until the engine by itself has nothing more to do at this instant."""
        await self._within(self._settle_down(), "the engine never comes to rest")

    async def _settle_down(self) -> None:
        """Who went to sleep just while the clock was moved sleeps by the new time; its longest sleep ends here sooner."""
        resting = asyncio.create_task(self.engine.settle_down())
        try:
            while not (await asyncio.wait([resting], timeout=_NUDGE_SECONDS))[0]:
                self.engine.ring_workers()
                self.engine.trade_bell.ring()
            resting.result()
        finally:
            resting.cancel()

    async def wait_until(self, check: Callable[[], bool | Awaitable[bool]]) -> None:
        """Wait until something is so."""
        await self._within(_become_true(check), "it never comes to pass")

    async def _within(self, work: Coroutine[Any, Any, None], failure: str) -> None:
        """Fail where the work takes too long, or where the engine ends meanwhile, with its error."""
        task = asyncio.create_task(work)
        running = [self._running] if self._running else []
        done, _ = await asyncio.wait([task, *running], timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for ended in done:
            ended.result()
        if task not in done:
            task.cancel()
            async with self.store.transaction(Urgency.COMMAND) as tx:
                raise AssertionError(f"{failure}: {dict(await tx.outbox.counts())}, calls {self.said()}")

    async def while_time_passes(self, work: Coroutine[Any, Any, T]) -> T:
        """What the work gives, which waits for time to pass again and again."""
        task = asyncio.create_task(work)
        while not task.done():
            self.clock.advance(timedelta(seconds=5))
            await asyncio.wait([task], timeout=_POLL_SECONDS)
        return await task

    async def pass_time(self, span: timedelta) -> None:
        """Let time pass, and everything that follows from it."""
        self.clock.advance(span)
        await self.settle()

    async def pass_time_to(self, at: datetime) -> None:
        """Let time pass until that instant, and everything that follows from it."""
        self.clock.advance_to(at)
        await self.settle()

    # --- what the engine knows

    async def settled(self, order_id: str) -> Order:
        """The order once nothing is to be done any more."""
        await self.settle()
        return await self.read(order_id)

    async def read(self, order_id: str) -> Order:
        """The order as it stands."""
        async with self.store.transaction(Urgency.COMMAND) as tx:
            return (await tx.orders.get([OrderId(order_id)]))[OrderId(order_id)]

    async def states(self, order_ids: Sequence[str]) -> set[str]:
        """The states in which those orders are."""
        async with self.store.transaction(Urgency.COMMAND) as tx:
            found = await tx.orders.get([OrderId(order_id) for order_id in order_ids])
        assert len(order_ids) == len(found)
        return {order.state.value for order in found.values()}

    async def history(self, order_id: str) -> Sequence[OrderEvent]:
        """Its steps."""
        async with self.store.transaction(Urgency.COMMAND) as tx:
            return await tx.orders.history(OrderId(order_id))

    async def path(self, order_id: str) -> list[str]:
        """The states it has passed."""
        return [event.after.value for event in await self.history(order_id)]

    async def owed(self, order_id: str) -> Sequence[Entry]:
        """Its open entries."""
        async with self.store.transaction(Urgency.COMMAND) as tx:
            return await tx.outbox.of_order(OrderId(order_id))

    async def receipts(self, entry: Entry) -> Sequence[LoggedReceipt]:
        """What came back of an entry's calls."""
        async with self.store.transaction(Urgency.COMMAND) as tx:
            return await tx.outbox.receipts(entry.id)

    async def paused(self) -> Mapping[SourceName, str]:
        """The sources that rest, with the reason."""
        async with self.store.transaction(Urgency.COMMAND) as tx:
            return await tx.controls.paused()

    # --- what the distributor knows

    def isbn(self, scenario: str) -> Isbn:
        """The stub's title for a named case."""
        return Isbn(self.stub.scenarios[scenario])

    def row(self, isbn: str, market: str = "CA/CAD") -> dict[str, Any]:
        """The stub's truth about a title now."""
        rows = [msgspec.to_builtins(row) for row in self.sandbox.titles()]
        [found] = [row for row in rows if (row["isbn"], row["market"]) == (isbn, market)]
        return dict(found)

    def price(self, isbn: str, market: str = "CA/CAD") -> Decimal:
        """What a customer pays."""
        return Decimal(self.row(isbn, market)["price"])

    def release(self, isbn: str, market: str = "CA/CAD") -> datetime:
        """When its sale begins."""
        return datetime.fromisoformat(self.row(isbn, market)["release_at"])

    def edit(self, isbn: str, **changes: Any) -> None:
        """Change the title at the distributor; the engine hears of it by its next pass alone."""
        self.sandbox.edit([msgspec.convert({"isbn": isbn, **changes}, TitleEdit)])

    def break_things(self, **knobs: Any) -> None:
        """Set fault knobs of the stub by endpoint class; `settings` are its own."""
        self.sandbox.set_faults({"demarque": knobs})

    def mend(self) -> None:
        """Take every fault away."""
        self.sandbox.clear_faults()

    def ledger(self, kind: str) -> list[LedgerRow]:
        """What took effect at the distributor."""
        return self.sandbox.ledger.rows(kind=kind)

    def sold(self) -> list[str]:
        """The ids of the orders that were sold, in order."""
        return [(row.reference or "").partition("-")[2] for row in self.ledger("sale")]

    def calls(self, *endpoints: str) -> list[CallRow]:
        """The calls that arrived, of those endpoint classes."""
        return [row for row in self.sandbox.calls if row.endpoint in endpoints]

    def said(self) -> list[tuple[str, int, str]]:
        """Every call but those of feeds: its class, status and word."""
        return [(row.endpoint, row.status, row.word) for row in self.sandbox.calls if row.endpoint not in FEEDS]

    def add_format(self, isbn: str, form: str) -> None:
        """Sell the same ISBN in another format besides, which no edit can do."""
        shelf = self.stub._shelf
        title = shelf.find(isbn)
        assert title is not None
        shelf._put(replace(title, format=form, modified_at=self.clock.now()))

    async def post(self, target: str) -> tuple[int, str]:
        """Make somebody else's POST with this account's token; `target` is path and query. Returns status and word."""
        return await self._ask("POST", self.sandbox.url + target)

    async def get(self, address: str) -> tuple[int, str]:
        """Follow a link as a customer would. Returns status and content."""
        return await self._ask("GET", address)

    async def _ask(self, method: str, address: str) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {self.users[0].token}"}
        url = URL(address, encoded=True)
        async with aiohttp.ClientSession() as session, session.request(method, url, headers=headers) as answer:
            return answer.status, await answer.text()


@asynccontextmanager
async def opened_shop(directory: Path, catalogue: Path | None, setup: Setup | None = None) -> AsyncIterator[Shop]:
    """A shop at work. `catalogue` is a folder in which the store of the first shop that read the catalogue is kept for all
    others; with none it has yet to be read.
    """
    clock = MovedClock()
    sandbox = Sandbox(seed=7, titles=TITLES, directory=directory / "stub", stubs=[DemarqueStub], clock=clock)
    await sandbox.start()
    shop = Shop(directory, sandbox, clock)
    is_read = catalogue is not None and copy_store(catalogue, directory)
    try:
        await shop.open(setup)
        try:
            await shop.work()
            if catalogue is not None and not is_read:
                await shop.resync()
                copy_store(directory, catalogue)
            yield shop
        finally:
            await shop.close()
    finally:
        await sandbox.stop()


async def _become_true(check: Callable[[], bool | Awaitable[bool]]) -> None:
    while not (found if isinstance(found := check(), bool) else await found):  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(_POLL_SECONDS)


def copy_store(source: Path, target: Path) -> bool:
    """Copy a store's files as they stand, a crash image where it is in use; false where there is none."""
    found = [path for path in source.glob("store.db*") if path.suffix != ".lock"]
    for path in found:
        shutil.copy(path, target)
    return bool(found)


def _files(paths: Sequence[str], mode: PassMode) -> Distributor:
    """The source `file`, from which nothing can be ordered."""
    source = FileSource(SourceName("file"), paths, mode=mode, pick=Pick.ALL)
    rules = OnixRules(markets=(), zone=ZoneInfo("UTC"))
    return Distributor(
        source=source, rules=rules, calls=None, account=Account(kind="onix", address="files", organisation="")
    )
