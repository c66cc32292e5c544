"""How long the event loop keeps others waiting during a pass: `python -m bench.lag SETTINGS WORKERS` prints one JSON line.

A task that wants to wake every 5 ms stands for everything else that a daemon does: it is late by as much as a request, a timer or
a delivery would be.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

import anyio
import msgspec
import structlog

from adapters.clock import SystemClock
from adapters.distributors import onix
from bench.engine import SOURCE, STORE
from bench.once import peak_memory
from state.sqlite import open_store
from syncengine.delivery.limiter import Limiter
from syncengine.domain.ids import SourceName
from syncengine.domain.passes import PassMode, PassReport
from syncengine.onix import codelists
from syncengine.ports import World
from syncengine.service.engine import Engine, Parts
from syncengine.service.options import PassOptions
from syncengine.service.parsers import Parsers
from syncengine.settings import load

TICK_SECONDS = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """How late the ticks of one pass came, in milliseconds, and what the pass was."""

    ticks: int
    median_ms: float
    p99_ms: float
    most_ms: float
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    report: dict[str, object]


def lag_of(late_seconds: Sequence[float], report: PassReport) -> Lag:
    """Sum the ticks up; there must be at least one."""
    late = [seconds * 1000 for seconds in late_seconds]
    cuts = quantiles(late, n=100, method="inclusive") if len(late) > 1 else late * 99
    return Lag(
        ticks=len(late),
        median_ms=cuts[49],
        p99_ms=cuts[98],
        most_ms=max(late),
        seconds=report.seconds,
        cpu_seconds=time.process_time(),
        peak_bytes=peak_memory(),
        report=report.as_document(),
    )


async def measure(settings_path: Path, workers: int) -> Lag:
    """One full pass of the only source of the settings, with a ticking task beside it."""
    late: list[float] = []
    reports: list[PassReport] = []
    async with _started(settings_path, workers) as engine:
        ticking = asyncio.create_task(_tick(late))
        options = PassOptions(wanted=PassMode.FULL, allow=("prices-moved",))
        await engine.run_passes(SourceName(SOURCE), options, reports.append)
        ticking.cancel()
    return lag_of(late, reports[0])


async def _tick(late: list[float]) -> None:
    while True:
        due = time.perf_counter() + TICK_SECONDS
        await asyncio.sleep(TICK_SECONDS)
        late.append(max(0.0, time.perf_counter() - due))


@asynccontextmanager
async def _started(settings_path: Path, workers: int) -> AsyncIterator[Engine]:
    """An engine as `run.py` builds it, at work on what passes leave behind."""
    settings = load(settings_path, {"onix": onix.Settings})
    clock = SystemClock()
    store = await open_store(settings.directory / STORE, clock=clock)
    pace = Limiter({}, {}, clock, store)
    world = World(clock=clock, pace=pace, directory=settings.directory)
    source = onix.connect(SourceName(SOURCE), settings.sources[SOURCE], world)
    engine = Engine(
        Parts(
            store=store,
            clock=clock,
            pace=pace,
            distributors={SourceName(SOURCE): source},
            parsers=lambda: Parsers(workers, codelists.standard()),
            orders=settings.orders,
            guards=settings.guards,
        )
    )
    try:
        await engine.start()
        async with engine.working():
            yield engine
    finally:
        await engine.aclose()


if __name__ == "__main__":
    _settings, _workers = sys.argv[1:]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    _lag = anyio.run(measure, Path(_settings), int(_workers), backend_options={"use_uvloop": True})
    sys.stdout.buffer.write(msgspec.json.encode(_lag))
