"""The engine at work: intake, trade and delivery side by side over one store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import anyio

from syncengine.delivery.bell import Bell
from syncengine.delivery.spend import SpendGuard
from syncengine.delivery.worker import Worker
from syncengine.domain.ids import SourceName, StreamName, TitleKey
from syncengine.domain.passes import PassMode, PassReport
from syncengine.errors import (
    FullPassNeeded,
    GuardStopped,
    InputUnreadable,
    SourceFailed,
    SourceRefused,
    SourceUnreachable,
    UsageInvalid,
)
from syncengine.logs import Logger
from syncengine.ports import Clock, Distributor, Pace, SetAside, Store, Transaction, Urgency
from syncengine.service.dispatch import Dispatch
from syncengine.service.options import PassOptions
from syncengine.service.progress import Progress, Unwatched
from syncengine.service.register import Register
from syncengine.settings import GuardSettings, OrderSettings

if TYPE_CHECKING:
    from syncengine.service.intake import Intake
    from syncengine.service.parsers import Parsers

MOOT_A_CHUNK = 5000
"""Marks that are forgotten in one commit, within some tens of milliseconds."""

LONGEST_SLEEP = 30.0
"""Seconds slept at a stretch, so that a clock that is stepped does no lasting harm (design section 2)."""

REFRESH_AGAIN = timedelta(seconds=30)
"""After a source could not be asked for a single title."""

IDLE_POLL_SECONDS = 0.05

ROOM_POLL_SECONDS = 0.5
"""How soon to look again whether the outbox has room for orders that wait for it."""

GRACE_SECONDS = 15.0
"""How long calls in flight may take to end when the engine is stopped."""

STOP_SECONDS = GRACE_SECONDS + 5
"""For the workers to put down what the grace has left, before they are cut off."""

log = Logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What an engine is built of; `parsers` are made for the first pass."""

    store: Store
    clock: Clock
    pace: Pace
    distributors: Mapping[SourceName, Distributor]
    parsers: Callable[[], Parsers]
    orders: OrderSettings
    guards: GuardSettings
    max_passes: int = 2
    spend_guard: SpendGuard = field(default_factory=SpendGuard)
    progress: Progress | None = None


class Engine:
    """One store's engine. `start` first; then passes at will, and `working` around all that is to be traded and delivered."""

    def __init__(self, parts: Parts) -> None:
        self.store = parts.store
        self.clock = parts.clock
        self.distributors = dict(parts.distributors)
        self.configured = tuple(parts.distributors)
        self.progress = parts.progress or Unwatched()
        self.trade_bell = Bell()
        self.refresh_bell = Bell()
        self.dispatch = Dispatch(
            self.distributors,
            parts.store,
            parts.clock,
            parts.orders.release_grace,
            wake=self._wake_after_settlement,
            progress=self.progress,
        )
        self.register = Register(parts.store, parts.clock, self.distributors.keys())
        self._parts = parts
        self.intakes: dict[SourceName, Intake] = {}
        """Those that have been asked for."""
        self._parsers: Parsers | None = None
        self._bells = {name: Bell() for name, distributor in parts.distributors.items() if distributor.calls}
        self.workers = {
            name: Worker(
                source=name,
                calls=distributor.calls,
                store=parts.store,
                pace=parts.pace,
                clock=parts.clock,
                settle=self.dispatch.settle,
                wake=self._bells[name],
                guard=parts.spend_guard,
                grace_seconds=GRACE_SECONDS,
            )
            for name, distributor in parts.distributors.items()
            if distributor.calls is not None
        }
        self._passes = anyio.Semaphore(parts.max_passes)
        self._pass_locks = {name: anyio.Lock() for name in parts.distributors}
        self._refresh_after: datetime | None = None

    def intake(self, source: SourceName) -> Intake:
        """What reads a source. It is made when it is asked for, and the reading of ONIX imported with it: few commands read."""
        from syncengine.service.intake import Intake

        if source not in self.intakes:
            parts = self._parts
            self._parsers = self._parsers or parts.parsers()
            self.intakes[source] = Intake(
                self.distributors[source], parts.store, parts.clock, self._parsers, parts.guards, self.progress
            )
        return self.intakes[source]

    def _wake_after_settlement(self) -> None:
        self.trade_bell.ring()
        self.refresh_bell.ring()

    def add_source(self, distributor: Distributor) -> SourceName:
        """Take in a source that the settings do not name: files given by hand. It replaces an earlier one of its name."""
        name = distributor.source.name
        self.distributors[name] = distributor
        self.intakes.pop(name, None)
        self._pass_locks.setdefault(name, anyio.Lock())
        return name

    async def start(self) -> None:
        """Bring the store up to these settings: recover the outbox, bind accounts, mark titles due where rules changed."""
        async with self.store.transaction(Urgency.COMMAND) as tx:
            unknown = await tx.outbox.recover()
            for name, distributor in self.distributors.items():
                await self._bind(tx, name, distributor)
                await self._note_rules(tx, name, distributor)
        if unknown:
            log.info("calls were under way when the last process ended; they are looked up first", count=unknown)

    async def _bind(self, tx: Transaction, name: SourceName, distributor: Distributor) -> None:
        """A store sells through the accounts it has always sold through; another one rests until a person says so."""
        if distributor.calls is None:
            return
        account = distributor.account
        bound = f"{account.kind} {account.address} {account.organisation}"
        before = await tx.controls.setting(f"account:{name}")
        if before is not None and before != bound:
            await tx.controls.pause(
                name, f"this store was bound to {before}, the settings say {bound}; `resume {name}` to sell there"
            )
        await tx.controls.set_setting(f"account:{name}", bound)

    async def _note_rules(self, tx: Transaction, name: SourceName, distributor: Distributor) -> None:
        version = distributor.rules.version
        if await tx.controls.setting(f"rules:{name}") != version:
            await tx.titles.mark_source_due(name)
            await tx.controls.set_setting(f"rules:{name}", version)

    # --- passes -------------------------------------------------------------------------------------------------------------

    async def run_passes(
        self, source: SourceName, options: PassOptions, begun: Callable[[PassReport], None] | None = None
    ) -> None:
        """One pass of every stream of a source, one after the other; at most `max_passes` sources at once.

        Files of one delta are kept apart until all have been read, so that only the last word of each record counts. `begun` is
        given each report as it begins, so that a pass that breaks off has one too. A stream that cannot be read, or that a guard
        stops, keeps none of the others from being read: what stops a sale may stand in any of them. Then the first error is raised.
        """
        intake = self.intake(source)
        if self.distributors[source].calls is None:
            options = replace(options, stage_deltas=True)
        async with self._pass_locks[source], self._passes:
            failure: SourceFailed | GuardStopped | InputUnreadable | None = None
            for stream in intake.streams:
                try:
                    await self._run_pass(intake, stream, options, begun)
                except (SourceFailed, GuardStopped, InputUnreadable) as error:
                    if failure is not None:
                        log.warning("another stream failed", source=source, stream=stream, error=str(error))
                    failure = failure or error
            if failure is not None:
                raise failure

    async def retry(self, rows: Sequence[SetAside]) -> PassReport:
        """Read frames of one source and stream again that were set aside. Raises UsageInvalid for a source that is not configured."""
        source = rows[0].source
        if source not in self.distributors:
            raise UsageInvalid(
                f"the settings name no source {source}", hint="its records can be dropped: quarantine drop"
            )
        async with self._pass_locks[source]:
            return await self.intake(source).retry(rows)

    async def _run_pass(
        self, intake: Intake, stream: StreamName, options: PassOptions, begun: Callable[[PassReport], None] | None
    ) -> None:
        try:
            report = await intake.run(stream, options, begun)
        except FullPassNeeded as error:
            log.info("a full pass is needed first", source=intake.name, why=str(error))
            report = await intake.run(stream, replace(options, wanted=PassMode.FULL), begun)
        finally:
            self.trade_bell.ring()
        log.info(
            "pass ended",
            **{key: value for key, value in report.as_document().items() if key not in {"changes", "warnings"}},
        )

    # --- trade and delivery ---------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Trade, single reads and delivery run while inside; leaving lets calls in flight end, then stops."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._trade)
            tasks.start_soon(self._refresh)
            stopped = []
            for worker in self.workers.values():
                done = anyio.Event()
                stopped.append(done)
                tasks.start_soon(self._deliver, worker, done)
            try:
                yield
            finally:
                with anyio.CancelScope(shield=True), anyio.move_on_after(STOP_SECONDS):
                    for worker in self.workers.values():
                        worker.stop()
                    for done in stopped:
                        await done.wait()
                tasks.cancel_scope.cancel()

    async def _deliver(self, worker: Worker, done: anyio.Event) -> None:
        """Shielded, for cancelling would cut calls off in flight: a worker ends by `stop` alone, within its own grace."""
        try:
            with anyio.CancelScope(shield=True):
                await worker.run()
        finally:
            done.set()

    async def _trade(self) -> None:
        """Decide due titles, then sleep until the next instant, or until something is new."""
        while True:
            await self.decide_due()
            async with self.store.transaction(Urgency.TRADE) as tx:
                next_at = await tx.titles.next_at(besides=self.dispatch.held)
            rest = min(self._until(next_at), ROOM_POLL_SECONDS) if self.dispatch.held else self._until(next_at)
            await self.trade_bell.wait_at_most(rest, self.clock)

    async def decide_due(self) -> None:
        """Decide due titles until none is left that can be decided now, and have delivered what they owe."""
        for name, distributor in list(self.distributors.items()):
            if not distributor.rules.markets:
                await self._clear_moot(name)
        while await self.dispatch.decide_due():
            self.ring_workers()

    async def _clear_moot(self, source: SourceName) -> None:
        """Titles that are offered nowhere need not be read to find that out: after a first load that is all of a source."""
        count = MOOT_A_CHUNK
        while count == MOOT_A_CHUNK:
            async with self.store.transaction(Urgency.TRADE) as tx:
                count = await tx.titles.clear_moot(source, MOOT_A_CHUNK)

    async def _refresh(self) -> None:
        """Read again the titles whose facts a distributor disputes."""
        while True:
            if not await self.refresh_due():
                self._refresh_after = self.clock.now() + REFRESH_AGAIN
            await self.refresh_bell.wait_at_most(REFRESH_AGAIN.total_seconds(), self.clock)

    async def refresh_due(self) -> bool:
        """Read every title that was asked for; false where a source could not be reached (it is asked again later)."""
        async with self.store.transaction(Urgency.TRADE) as tx:
            keys = await tx.controls.refreshes()
        failed: set[SourceName] = set()
        troubled = False
        for key in keys:
            if key.source in failed:
                continue
            try:
                await self._refresh_one(key)
            except SourceFailed as error:
                log.warning("a title could not be read again", title=str(key), error=str(error))
                await self._ask_last(key)
                if isinstance(error, (SourceUnreachable, SourceRefused)):
                    failed.add(key.source)
                else:
                    troubled = True
        if keys:
            self.trade_bell.ring()
        return not failed and not troubled

    async def _ask_last(self, key: TitleKey) -> None:
        """A title that cannot be read must not keep the others from it."""
        async with self.store.transaction(Urgency.TRADE) as tx:
            await tx.controls.refreshed(key)
            await tx.controls.ask_refresh([key])

    async def _refresh_one(self, key: TitleKey) -> None:
        if key.source not in self.distributors:
            async with self.store.transaction(Urgency.TRADE) as tx:
                await tx.controls.refreshed(key)
            return
        reports = await self.intake(key.source).refresh(key)
        log.info("read a single title again", title=str(key), found=bool(reports))

    def estimate(self, source: SourceName, count: int) -> float:
        """Seconds that so many sales of a source take under its limit."""
        return self._parts.pace.estimate(source, "sale", count)

    def ring_workers(self) -> None:
        """There may be something new to deliver."""
        for bell in self._bells.values():
            bell.ring()

    def _until(self, at: datetime | None) -> float:
        if at is None:
            return LONGEST_SLEEP
        return min(max((at - self.clock.now()).total_seconds(), 0.0), LONGEST_SLEEP)

    # --- rest ---------------------------------------------------------------------------------------------------------------

    async def settle_down(self) -> None:
        """Return once nothing is due any more: no title to decide, none to read again, no call to make."""
        before = await self._outbox_counts()
        while not await self.is_idle():
            counts = await self._outbox_counts()
            owed = sum(counts.get(state, 0) for state in ("pending", "claimed", "sent", "unknown"))
            self.progress.delivered(settled=counts["settled"] - before["settled"], open_count=owed)
            await self.clock.sleep(IDLE_POLL_SECONDS)

    async def _outbox_counts(self) -> Mapping[str, int]:
        async with self.store.transaction(Urgency.COMMAND) as tx:
            return {"settled": 0, **await tx.outbox.counts()}

    async def is_idle(self) -> bool:
        """Whether nothing is due at this instant; what is due later, or rests, does not count."""
        async with self.store.transaction(Urgency.COMMAND) as tx:
            now = self.clock.now()
            next_title = await tx.titles.next_at(besides=self.dispatch.held)
            if next_title is not None and next_title <= now:
                return False
            if await tx.controls.refreshes() and not (self._refresh_after and now < self._refresh_after):
                return False
            counts = await tx.outbox.counts()
            if counts.get("claimed", 0) or counts.get("sent", 0):
                return False
            paused = await tx.controls.paused()
            awake = {name for name, worker in self.workers.items() if name not in paused and not worker.is_resting}
            if awake & {mark.key.source for mark in self.dispatch.held}:
                return False
            next_entry = await tx.outbox.next_at(awake)
        is_due = next_entry is not None and next_entry <= now
        # Asked last: an entry that is being looked up stays as it was until it is sent or concluded.
        return not is_due and not any(worker.is_busy for worker in self.workers.values())

    async def aclose(self) -> None:
        """Give back connections, processes and the store."""
        if self._parsers is not None:
            self._parsers.close()
        for distributor in self.distributors.values():
            await distributor.source.aclose()
            if distributor.calls is not None:
                await distributor.calls.aclose()
        await self.store.aclose()


def select_sources(distributors: Collection[SourceName], wanted: Sequence[str]) -> list[SourceName]:
    """The named sources, or all of them. Raises UsageInvalid for one that is not in the settings."""
    unknown = [name for name in wanted if name not in distributors]
    if unknown:
        raise UsageInvalid(
            f"no source {', '.join(unknown)} in the settings",
            hint=f"there are: {', '.join(sorted(distributors)) or 'none'}",
        )
    return [SourceName(name) for name in wanted] or list(distributors)
