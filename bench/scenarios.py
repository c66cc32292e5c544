"""What is measured: passes of the engine, the programs it is compared with, its loop, its delivery and its start.

Everything runs in a process of its own, and says what it read, so that a run that was fast and wrong is noticed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from bench.apart import Ran, RunFailed, run_module, run_python, succeeded
from bench.engine import (
    SOURCE,
    STORE,
    House,
    check_account,
    check_census,
    expected_account,
    first_edition,
    house,
    loaded_store,
)
from bench.feeds import feed
from bench.generate import Feed
from bench.plan import Change, Compression, FeedPlan, Order

ALL_CORES = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a run of the bench is about: the catalogue, the folder of feeds, stores and temporary houses, and how many orders."""

    plan: FeedPlan
    folder: Path
    orders: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One run.

    `seconds` is the time of the work itself (of an engine's scenario, of the pass), `process_seconds` that of the whole process
    with its start and end. `figures` are what only this scenario has to tell.
    """

    seconds: float
    process_seconds: float
    cpu_seconds: float
    peak_bytes: int
    bytes: int = 0
    records: int | None = None
    digest: str | None = None
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def allowed_bytes(self) -> int:
        """The memory that the engine's main process may take for so many records, whatever their length."""
        return 120_000_000 + 250 * (self.records or 0)


class Scenario(Protocol):
    """One row of the table."""

    @property
    def says(self) -> str:
        """What it is, in a few words."""
        ...

    def why_not(self) -> str | None:
        """Why it cannot run here, if it cannot."""
        ...

    def prepare(self, setting: Setting) -> None:
        """Make what is made once."""
        ...

    def run(self, setting: Setting, *, verifies: bool) -> Sample:
        """Run once. Raises RunFailed where the outcome is wrong; `verifies` asks for the checks that take long."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EnginePass:
    """A full pass by `run.py resync`: of an edition over a store that holds the first one, or with `is_first` over none.

    `records` and `record_bytes` are numbers of its own in place of the setting's, whose records are divided by `divided_by`.
    """

    says: str
    change: Change = Change.NONE
    share: float = 0.0
    order: Order = Order.SAME
    compression: Compression = Compression.PLAIN
    workers: int = 0
    allowed: tuple[str, ...] = ()
    is_first: bool = False
    records: int | None = None
    divided_by: int = 1
    record_bytes: int | None = None

    def why_not(self) -> str | None:
        return None

    def plan(self, setting: Setting) -> FeedPlan:
        """The plan of the feed that is read."""
        return replace(
            setting.plan,
            records=self.records or setting.plan.records // self.divided_by,
            record_bytes=self.record_bytes or setting.plan.record_bytes,
            change=self.change,
            share=self.share,
            order=self.order,
            compression=self.compression,
        )

    def prepare(self, setting: Setting) -> None:
        _warm(feed(self.plan(setting), setting.folder).path)
        if not self.is_first:
            loaded_store(self.plan(setting), setting.folder)

    def run(self, setting: Setting, *, verifies: bool) -> Sample:
        made = feed(self.plan(setting), setting.folder)
        with self.house(setting) as place:
            done = place.resync(workers=workers_of(self.workers), allowed=self.allowed)
            check_account(expected_account(made, is_first=self.is_first), done.report)
            digest = _verified(made, place) if verifies else None
        return _sample(done.ran, done.report, digest)

    def house(self, setting: Setting) -> AbstractContextManager[House]:
        """Where it runs."""
        plan = self.plan(setting)
        loaded = None if self.is_first else loaded_store(plan, setting.folder)
        return house(feed(plan, setting.folder).path, beside=setting.folder, loaded=loaded)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopLag:
    """The same pass in a process that has a ticking task beside it (`bench.lag`)."""

    says: str
    of: EnginePass

    def why_not(self) -> str | None:
        return None

    def prepare(self, setting: Setting) -> None:
        self.of.prepare(setting)

    def run(self, setting: Setting, *, verifies: bool) -> Sample:
        made = feed(self.of.plan(setting), setting.folder)
        with self.of.house(setting) as place:
            ran = run_python(["-m", "bench.lag", str(place.settings), str(workers_of(self.of.workers))])
            told = json.loads(succeeded(ran, self.says).stdout)
            report = told.pop("report")
            check_account(expected_account(made, is_first=self.of.is_first), report)
            digest = _verified(made, place) if verifies else None
        late = {name: told[name] for name in ("ticks", "median_ms", "p99_ms", "most_ms")}
        return replace(_sample(ran, report, digest), figures=late)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another program over the first edition (`bench.peers`); with `again`, one that has it in its database from the day before."""

    says: str
    name: str
    compression: Compression = Compression.PLAIN
    again: bool = False

    def why_not(self) -> str | None:
        known = peers()
        return known.get(self.name, "there is no such program")

    def prepare(self, setting: Setting) -> None:
        _warm(self._feed(setting).path)
        if self.again and not self._database(setting).exists():
            self._database(setting).parent.mkdir(parents=True, exist_ok=True)
            self.run(setting, verifies=False)

    def run(self, setting: Setting, *, verifies: bool) -> Sample:
        del verifies
        made = self._feed(setting)
        kept = ["--db", str(self._database(setting))] if self.again else []
        ran = succeeded(run_python(["-m", "bench.peers", self.name, str(made.path), *kept]), self.name)
        told = json.loads(ran.stdout)
        if told["records"] not in (None, made.records) or told["bytes"] != made.bytes:
            read = f"{told['records']} records and {told['bytes']:,} bytes"
            raise RunFailed(f"{self.name} read {read} of a feed of {made.records} and {made.bytes:,}")
        return Sample(
            seconds=told["seconds"],
            process_seconds=told["process_seconds"] or ran.seconds,
            cpu_seconds=told["cpu_seconds"],
            peak_bytes=told["peak_bytes"],
            bytes=told["bytes"],
            records=told["records"],
            digest=told["digest"],
        )

    def _database(self, setting: Setting) -> Path:
        return setting.folder / "peers" / f"{self.name}-{self._feed(setting).digest}.db"

    def _feed(self, setting: Setting) -> Feed:
        return feed(replace(first_edition(setting.plan), compression=self.compression), setting.folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """A module of the bench that measures by itself and prints one JSON line of figures; with `--orders` where it takes orders."""

    says: str
    command: tuple[str, ...]
    takes_orders: bool = False
    orders: int | None = None

    def why_not(self) -> str | None:
        return None

    def prepare(self, setting: Setting) -> None:
        """Nothing is made beforehand."""

    def run(self, setting: Setting, *, verifies: bool) -> Sample:
        del verifies
        orders = self.orders or setting.orders
        asked = ("--orders", str(orders)) if self.takes_orders and orders else ()
        ran = succeeded(run_python(["-m", *self.command, "--json", *asked]), self.says)
        figures = {name: value for name, value in json.loads(ran.stdout).items() if isinstance(value, int | float)}
        return replace(_whole(ran), figures=figures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """Each stage of intake by itself over a feed that the store holds (`bench.stages`)."""

    says: str

    def why_not(self) -> str | None:
        return None

    def prepare(self, setting: Setting) -> None:
        loaded_store(setting.plan, setting.folder)

    def run(self, setting: Setting, *, verifies: bool) -> Sample:
        del verifies
        made = feed(first_edition(setting.plan), setting.folder)
        with house(made.path, beside=setting.folder, loaded=loaded_store(setting.plan, setting.folder)) as place:
            asked = [str(place.folder / STORE), SOURCE, str(made.path)]
            ran = succeeded(run_python(["-m", "bench.stages", *asked]), self.says)
        figures = json.loads(ran.stdout)
        if (figures["records"], figures["bytes"]) != (made.records, made.bytes):
            raise RunFailed(f"the stages read {figures['records']} of {made.records} records")
        return replace(_whole(ran), figures=figures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command of `run.py` that has next to nothing to do, in a house with a loaded store: how soon it starts and ends."""

    says: str
    arguments: tuple[str, ...]

    def why_not(self) -> str | None:
        return None

    def prepare(self, setting: Setting) -> None:
        loaded_store(setting.plan, setting.folder)

    def run(self, setting: Setting, *, verifies: bool) -> Sample:
        del verifies
        plan = first_edition(setting.plan)
        loaded = loaded_store(plan, setting.folder)
        with house(feed(plan, setting.folder).path, beside=setting.folder, loaded=loaded) as place:
            ran = run_python(["run.py", "--config", str(place.settings), *self.arguments])
        return _whole(succeeded(ran, self.says))


def workers_of(workers: int) -> int:
    """The number that the command line takes."""
    return (os.cpu_count() or 1) if workers == ALL_CORES else workers


@lru_cache(maxsize=1)
def peers() -> Mapping[str, str | None]:
    """The programs that the engine can be compared with, each with the reason why it cannot run here, if there is one."""
    return {peer["name"]: peer["why_not"] for peer in json.loads(run_module(["bench.peers", "--list"]))}


def _verified(made: Feed, place: House) -> str:
    census = place.census()
    check_census(made, census)
    return census.digest


def _sample(ran: Ran, report: Mapping[str, Any], digest: str | None) -> Sample:
    return Sample(
        seconds=report["seconds"],
        process_seconds=ran.seconds,
        cpu_seconds=ran.cpu_seconds,
        peak_bytes=ran.peak_bytes,
        bytes=report["bytes"],
        records=report["records"],
        digest=digest,
    )


def _whole(ran: Ran) -> Sample:
    return Sample(
        seconds=ran.seconds, process_seconds=ran.seconds, cpu_seconds=ran.cpu_seconds, peak_bytes=ran.peak_bytes
    )


def _warm(path: Path) -> None:
    """Have the file in the page cache, so that the first round meets what the others meet."""
    with path.open("rb") as file:
        while file.read(1 << 20):
            pass
