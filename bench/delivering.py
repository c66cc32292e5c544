"""Delivery against the stub in a process of its own: `python -m bench.delivering NAME` prints one JSON line of figures."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import structlog

from adapters.clock import SystemClock
from adapters.distributors import demarque
from bench.once import peak_memory
from bench.orders import Wanted, placing, sale, take, waiting
from state.sqlite import SqliteStore, open_store
from syncengine.delivery.limiter import Limiter
from syncengine.domain.delivery import Limit, Receipt, Request
from syncengine.domain.ids import Format, Isbn, SourceName
from syncengine.domain.order import OrderState
from syncengine.domain.territory import Market
from syncengine.ports import Calls, Distributor, Urgency, World
from syncengine.service.engine import Engine, Parts
from syncengine.service.options import PassOptions
from syncengine.service.parsers import Parsers
from syncengine.settings import GuardSettings, OrderSettings

ROOT = Path(__file__).resolve().parents[1]
SOURCE = SourceName("demarque")
IN_FLIGHT = 64
NO_LIMIT = Limit(calls=1_000_000, period_seconds=1.0, burst=1000)
PACED = Limit.parse("204/s burst 5")
"""200 a second for as long as one likes, with bursts of 5: a limit counts the burst inside the quota, so that 200 and four more are
its bound in any second.
"""
_TITLES = 44
_MARKET = Market.parse("CA/CAD")
_STARTING_SECONDS = 30.0


class BenchFailed(Exception):
    """A run did not do what was to be measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """Calls a second of a bare client loop and of the engine, with as many in flight, against the same stub.

    `share` is the engine's rate over the bare one's. `fresh_per_second` is that of a bare loop which opens a connection for every
    call, as the engine does, and `share_of_fresh` the engine's rate over it. CPU is the client process's, a call.
    """

    calls: int
    bare_per_second: float
    fresh_per_second: float
    engine_per_second: float
    commits_per_second: float
    bare_cpu_micros: float
    fresh_cpu_micros: float
    engine_cpu_micros: float
    share: float
    share_of_fresh: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evenness:
    """How a rate is kept, by the instants of sending and by those of arrival: the fullest second, and the mean of the whole run."""

    limit: str
    calls: int
    largest_window_sent: int
    largest_window_arrived: int
    mean_per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A title with so many waiting orders is released: how soon the first call comes, and how the sales go on.

    `seconds_to_first_call` is the probe's and `seconds_to_first_sale` the first sale's, both from the instant. Memory is the most
    that the process held from shortly before the instant on.
    """

    orders: int
    limit: str
    seconds_to_first_call: float
    seconds_to_first_sale: float
    calls: int
    mean_per_second: float
    largest_window_sent: int
    largest_window_arrived: int
    peak_bytes: int
    grown_bytes: int
    most_unsent: int


# --- the stub -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Stub:
    """The stub distributors in a process of their own."""

    directory: Path
    url: str

    @property
    def address(self) -> str:
        """De Marque's."""
        return f"{self.url}/demarque/api"

    @property
    def token(self) -> str:
        """What opens it."""
        return (self.directory / "demarque.token").read_text().strip()

    def ask(self, path: str, document: object = None) -> Any:  # noqa: ANN401 - whatever its JSON says
        """What the stub says of itself, or does when it is told to."""
        body = None if document is None else json.dumps(document).encode()
        with urllib.request.urlopen(f"{self.url}/_sandbox/{path}", data=body, timeout=60) as answer:  # noqa: S310 - loopback
            return json.loads(answer.read())

    def wanted(self, scenario: str) -> Wanted:
        """The title of a named case, as one can order it."""
        isbn = self.ask("scenarios")["demarque"][scenario]
        [row] = [row for row in self.ask(f"titles?isbn={isbn}") if row["market"] == str(_MARKET)]
        return Wanted(
            isbn=Isbn(isbn),
            format=Format(row["format"]),
            market=_MARKET,
            price=Decimal(row["price"]),
            price_type="02",
            protection="none",
            source=SOURCE,
        )

    def arrivals(self, *endpoints: str) -> list[float]:
        """When calls of these classes came, in seconds of the epoch."""
        rows = self.ask("calls")
        return sorted(datetime.fromisoformat(row["at"]).timestamp() for row in rows if row["endpoint"] in endpoints)


@contextmanager
def running_stub(directory: Path) -> Iterator[Stub]:
    """A stub on a free port, ready to be called; it ends with the context."""
    command = [sys.executable, "run.py", "sandbox", "--port", "0", "--titles", str(_TITLES), "--dir", str(directory)]
    command += ["--only", "demarque"]
    with subprocess.Popen(  # noqa: S603 - our own command
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            said = process.stdout.readline() if process.stdout else b""
            yield Stub(directory=directory, url=json.loads(said)["url"])
        finally:
            process.kill()


# --- the engine ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Departures:
    """Notes when each call of a distributor was begun, by the monotonic clock, and passes everything on."""

    calls: Calls
    instants: dict[str, list[float]] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the calls have
        return getattr(self.calls, name)

    async def send(self, request: Request) -> Receipt:
        """As the port says."""
        self.instants.setdefault(request.limit, []).append(time.time())
        return await self.calls.send(request)


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """An engine over a store of its own that sells through the stub."""

    store: SqliteStore
    engine: Engine
    departures: Departures

    async def placed(self) -> int:
        """How many orders are sold."""
        async with self.store.transaction(Urgency.COMMAND) as tx:
            return (await tx.orders.counts()).get(OrderState.PLACED, 0)

    async def settled(self) -> Mapping[str, int]:
        """The outbox by states."""
        async with self.store.transaction(Urgency.COMMAND) as tx:
            return await tx.outbox.counts()


@asynccontextmanager
async def house(directory: Path, stub: Stub, limits: Mapping[str, Limit]) -> AsyncIterator[House]:
    """An engine, started; nothing is traded or delivered before `engine.working`."""
    clock = SystemClock()
    store = await open_store(directory / "store.db", clock=clock)
    pace = Limiter({SOURCE: limits}, {"*": NO_LIMIT}, clock, store)
    distributor = _connect(stub, World(clock=clock, pace=pace, directory=stub.directory))
    if distributor.calls is None:
        raise BenchFailed("the stub has no calls")
    departures = Departures(distributor.calls)
    engine = Engine(
        Parts(
            store=store,
            clock=clock,
            pace=pace,
            distributors={SOURCE: replace(distributor, calls=departures)},
            parsers=Parsers,
            orders=OrderSettings(),
            guards=GuardSettings(),
        )
    )
    await engine.start()
    try:
        yield House(store=store, engine=engine, departures=departures)
    finally:
        with anyio.CancelScope(shield=True):
            await engine.aclose()


def _connect(stub: Stub, world: World) -> Distributor:
    settings = demarque.Settings(
        kind="demarque",
        base_url=stub.address,
        organisation_id="1277",
        token_file="demarque.token",  # noqa: S106 - a file's name
        timezone="America/Toronto",
        allow_loopback_http=True,
        markets=(_MARKET,),
        concurrency=IN_FLIGHT,
    )
    return demarque.connect(SOURCE, settings, world)


# --- calls a second -----------------------------------------------------------------------------------------------------


async def throughput(calls: int) -> Throughput:
    """The same sales by a bare loop and by the engine, one after the other."""
    with tempfile.TemporaryDirectory() as name, running_stub(Path(name) / "stub") as stub:
        wanted = stub.wanted("on_sale_unprotected")
        directory = Path(name) / "engine"
        directory.mkdir()
        async with house(directory, stub, {}) as made:
            bare, bare_cpu = await _timed(lambda: _bare(made, stub, wanted, "bare", calls, fresh=False))
            fresh, fresh_cpu = await _timed(lambda: _bare(made, stub, wanted, "fresh", calls, fresh=True))
            await take(
                made.store, placing(wanted, "engine", calls, made.engine.clock.now()), made.engine.clock.now(), wanted
            )
            commits = made.store.commit_count
            seconds, cpu = await _timed(lambda: _deliver(made))
            commits = made.store.commit_count - commits
            await _check_sold(made, stub, "engine", calls)
        return Throughput(
            calls=calls,
            bare_per_second=calls / bare,
            fresh_per_second=calls / fresh,
            engine_per_second=calls / seconds,
            commits_per_second=commits / seconds,
            bare_cpu_micros=bare_cpu / calls * 1e6,
            fresh_cpu_micros=fresh_cpu / calls * 1e6,
            engine_cpu_micros=cpu / calls * 1e6,
            share=bare / seconds,
            share_of_fresh=fresh / seconds,
        )


async def _check_sold(made: House, stub: Stub, prefix: str, calls: int) -> None:
    """A fast run that loses a sale, or makes one twice, is no run."""
    ledger = [row["reference"] for row in stub.ask("ledger?kind=sale")]
    sold = [reference for reference in ledger if reference.startswith(f"bench-{prefix}")]
    placed = await made.placed()
    if not calls == placed == len(sold) == len(set(sold)):
        raise BenchFailed(f"of {calls} orders {placed} are placed, {len(sold)} were sold, {len(set(sold))} different")


async def _timed(work: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    began, began_cpu = time.perf_counter(), time.process_time()
    await work()
    return time.perf_counter() - began, time.process_time() - began_cpu


async def _deliver(made: House) -> None:
    await made.engine.workers[SOURCE].drain()


async def _bare(made: House, stub: Stub, wanted: Wanted, prefix: str, calls: int, *, fresh: bool) -> None:
    """What a plain client does: so many tasks that post one request after the other."""
    orders = placing(wanted, prefix, calls, made.engine.clock.now())
    requests = iter([made.departures.calls.prepare(sale(wanted, order)) for order in orders])
    headers = {"Authorization": f"Bearer {stub.token}"}
    connector = aiohttp.TCPConnector(limit=IN_FLIGHT, force_close=fresh)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def post_all() -> None:
            for request in requests:
                async with session.post(stub.address + request.target) as response:
                    await response.read()
                    if response.status != 201:
                        raise BenchFailed(f"the stub says {response.status} {await response.text()}")

        await asyncio.gather(*(post_all() for _ in range(IN_FLIGHT)))


# --- a rate -------------------------------------------------------------------------------------------------------------


async def evenness(calls: int, limit: Limit = PACED) -> Evenness:
    """So many sales at a limit."""
    with tempfile.TemporaryDirectory() as name, running_stub(Path(name) / "stub") as stub:
        wanted = stub.wanted("on_sale_unprotected")
        directory = Path(name) / "engine"
        directory.mkdir()
        async with house(directory, stub, {"sale": limit}) as made:
            await take(
                made.store, placing(wanted, "engine", calls, made.engine.clock.now()), made.engine.clock.now(), wanted
            )
            await _deliver(made)
            await _check_sold(made, stub, "engine", calls)
        sent = sorted(made.departures.instants["sale"])
        return Evenness(
            limit=str(limit),
            calls=calls,
            largest_window_sent=largest_window(sent, limit.period_seconds),
            largest_window_arrived=largest_window(stub.arrivals("sale"), limit.period_seconds),
            mean_per_second=mean_rate(sent),
        )


def largest_window(instants: Sequence[float], seconds: float) -> int:
    """The most instants in any half-open stretch of that length; they come sorted."""
    most = first = 0
    for last, at in enumerate(instants):
        while instants[first] + seconds <= at:
            first += 1
        most = max(most, last - first + 1)
    return most


def mean_rate(instants: Sequence[float]) -> float:
    """How many came in a second, from the first to the last."""
    span = instants[-1] - instants[0] if instants else 0.0
    return (len(instants) - 1) / span if span else 0.0


# --- release night ------------------------------------------------------------------------------------------------------


async def release(orders: int, *, limit: Limit = PACED, seconds: float = 20.0, ahead: float = 3.0) -> Release:
    """So many orders of one title wait; it is released, and delivery is watched for that many seconds, or until all are sold."""
    with tempfile.TemporaryDirectory() as name, running_stub(Path(name) / "stub") as stub:
        directory = Path(name) / "engine"
        directory.mkdir()
        async with house(directory, stub, {"sale": limit}) as made:
            wanted = await _prepared(made, stub, orders)
            async with made.engine.working():
                await made.engine.settle_down()
                release_at = await _announced(made, stub, wanted, ahead)
                before = _forget_peak()
                watched = await _watch(made, orders, release_at + seconds)
            return _release(made, stub, orders, limit, release_at, before, watched)


async def _prepared(made: House, stub: Stub, orders: int) -> Wanted:
    """A preorder title with its waiting orders, released in a year."""
    wanted = replace(stub.wanted("new_preorder_timed"), protection="")
    at = made.engine.clock.now()
    await made.engine.run_passes(SOURCE, PassOptions())
    await take(made.store, waiting(wanted, "o", orders, at), at, wanted)
    return wanted


async def _announced(made: House, stub: Stub, wanted: Wanted, ahead: float) -> float:
    """The release is brought near, and its instant given, in seconds of the epoch."""
    stub.ask("titles", [{"isbn": wanted.isbn, "release_at": {"in_seconds": ahead}}])
    await made.engine.run_passes(SOURCE, PassOptions())
    [row] = [row for row in stub.ask(f"titles?isbn={wanted.isbn}") if row["market"] == str(_MARKET)]
    return datetime.fromisoformat(row["release_at"]).timestamp()


async def _watch(made: House, orders: int, until: float) -> int:
    """Wait; the most entries that were seen unsent."""
    most = 0
    while time.time() < until:
        counts = await made.settled()
        most = max(most, counts["pending"])
        if counts["settled"] > orders:
            break
        await asyncio.sleep(0.25)
    return most


def _forget_peak() -> int:
    """Let the mark of most memory start anew; what is held now."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak_memory()


def _release(
    made: House, stub: Stub, orders: int, limit: Limit, release_at: float, before: int, most_unsent: int
) -> Release:
    peak = peak_memory()
    departures = made.departures.instants
    sales = sorted(departures.get("sale", []))
    return Release(
        orders=orders,
        limit=str(limit),
        seconds_to_first_call=min(departures["simulate"][0], sales[0]) - release_at,
        seconds_to_first_sale=sales[0] - release_at,
        calls=len(sales),
        mean_per_second=mean_rate(sales),
        largest_window_sent=largest_window(sales, limit.period_seconds),
        largest_window_arrived=largest_window(stub.arrivals("sale"), limit.period_seconds),
        peak_bytes=peak,
        grown_bytes=peak - before,
        most_unsent=most_unsent,
    )


# --- the command --------------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> None:
    """One scenario, one JSON line."""
    parser = argparse.ArgumentParser(prog="python -m bench.delivering", description=__doc__)
    parser.add_argument("name", choices=["throughput", "rate", "release"])
    parser.add_argument("--orders", type=int, help="how many (5000; 4000 for rate; 100000 for release)")
    parser.add_argument("--limit", type=Limit.parse, default=PACED, help="as in the settings (%(default)s)")
    parser.add_argument("--json", action="store_true", help="there is no other output")
    asked = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    works: dict[str, Callable[[], Awaitable[Throughput | Evenness | Release]]] = {
        "throughput": lambda: throughput(asked.orders or 5000),
        "rate": lambda: evenness(asked.orders or 4000, asked.limit),
        "release": lambda: release(asked.orders or 100_000, limit=asked.limit),
    }
    figures = anyio.run(works[asked.name], backend_options={"use_uvloop": True})
    sys.stdout.write(json.dumps(asdict(figures)) + "\n")


if __name__ == "__main__":
    main()
