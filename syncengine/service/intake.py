"""One pass of one stream: bytes to frames to changed records to the store, with guards and staging."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace

import structlog

from syncengine.catalogue.guards import GUARDS, Tallies, is_older, judge, normalised_sent_at, tally
from syncengine.domain.frame import Frame, FrameIndex, MessageHeader
from syncengine.domain.ids import PassId, RecordId, RecordReference, SourceName, StreamName, TitleKey
from syncengine.domain.passes import PassMode, PassReport, RecordOutcome
from syncengine.domain.title import Remembered
from syncengine.errors import FeedTorn, GuardStopped, InputUnreadable, NotOnix, SourceFailed
from syncengine.onix.framing import FramedBatch, Framer
from syncengine.ports import (
    Clock,
    Distributor,
    Part,
    PassEnd,
    PassPlan,
    PassState,
    Quarantined,
    RecordStatus,
    RecordWrite,
    Store,
    Transaction,
    Urgency,
)
from syncengine.service.batch import Setting, Verdict, gone, judge_batch
from syncengine.service.parsers import Parsers
from syncengine.service.progress import Progress, Unwatched
from syncengine.settings import GuardSettings

BATCH_RECORDS = 1000
BATCH_BYTES = 8 << 20
"""Frames are looked up, parsed and committed in batches of at most so many records or bytes."""

BATCH_UNCHANGED = 50_000
"""Records that need no look are accounted for in batches of so many."""

APPLY_RECORDS = 500
"""Staged records are applied in transactions of so many, so that delivery never waits long."""

WARNINGS_KEPT = 100

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassOptions:
    """How a pass is to be run.

    `allow` names guards that are let through this once, `dry_run` commits nothing, `stage_deltas` keeps a delta apart too until
    it is judged as a whole (files), `stop_on_older` makes a message older than the last applied a guard's matter instead of a
    warning.
    """

    wanted: PassMode | None = None
    allow: Collection[str] = ()
    dry_run: bool = False
    stage_deltas: bool = False
    stop_on_older: bool = True


@dataclass(slots=True, kw_only=True)
class _Work:
    """What one pass carries from batch to batch."""

    state: PassState
    report: PassReport
    tallies: Tallies
    options: PassOptions
    started: float
    index: FrameIndex
    quarantined: Mapping[RecordReference, RecordId | None]
    last_message: dict[str, str]
    """Per sender, the newest message so far; `stood` is what it was when the pass began."""
    stood: Mapping[str, str]
    last_full_records: int | None
    resumed: bool
    kept: tuple[PassReport, Mapping[str, int]]
    """The account as it was last committed with the records it tells of."""
    seen: set[RecordId] = field(default_factory=set)
    """Of a dry run, which leaves no marks in the store."""
    unreadable: bool = False
    """A frame's reference could not be read: nothing may vanish."""
    defective: bool = False
    """A message had a defect outside of its records: the pass is not complete, and nothing may vanish."""
    torn: bool = False
    """A message ended before its end: reading may not go on behind it."""


@dataclass(slots=True, kw_only=True)
class _Batch:
    """Frames of one part that wait for their comparison."""

    part: Part
    framer: Framer
    gathered: FramedBatch
    size: int = 0
    checked: bool = False
    duplicates: int = 0
    emitted_before: set[RecordReference] = field(default_factory=set)
    """References that were compared in an earlier batch of the part and stand in it again."""

    def take(self, more: FramedBatch) -> None:
        self.gathered.frames.extend(more.frames)
        self.gathered.unchanged.extend(more.unchanged)
        self.size += sum(len(frame.body) for frame in more.frames)

    @property
    def is_full(self) -> bool:
        gathered = self.gathered
        return (
            len(gathered.frames) >= BATCH_RECORDS
            or self.size >= BATCH_BYTES
            or len(gathered.unchanged) >= BATCH_UNCHANGED
        )


class Intake:
    """Runs the passes of one source, one at a time."""

    def __init__(
        self,
        distributor: Distributor,
        store: Store,
        clock: Clock,
        parsers: Parsers,
        guards: GuardSettings,
        progress: Progress | None = None,
    ) -> None:
        self._source = distributor.source
        self._rules = distributor.rules
        self._store = store
        self._clock = clock
        self._parsers = parsers
        self._guards = guards
        self._progress = progress or Unwatched()

    @property
    def name(self) -> SourceName:
        """The source it reads."""
        return self._source.name

    @property
    def streams(self) -> tuple[StreamName, ...]:
        """The streams of the source, in the order in which they are read."""
        return self._source.streams

    async def run(
        self, stream: StreamName, options: PassOptions, begun: Callable[[PassReport], None] | None = None
    ) -> PassReport:
        """Read the stream once and commit what it says. `begun` is given the report as soon as there is one to watch.

        The report is complete where the source came to its end without a defect. Raises SourceFailed where the source breaks off
        (what was committed stays, the cursor with it) and GuardStopped, in which case nothing of the judged part was applied.
        A pass that was being applied when its process ended is applied to its end first.
        """
        if not options.dry_run:
            await self._finish_interrupted(stream)
        work, plan, cursor = await self._open(stream, options)
        try:
            if begun is not None:
                begun(work.report)
            end = await self._read(work, plan, cursor)
            await self._conclude(work, end)
        except (SourceFailed, GuardStopped, InputUnreadable) as error:
            _warn(work.report, str(error))
            raise
        finally:
            work.report.seconds = self._clock.monotonic() - work.started
            if not work.report.complete and not options.dry_run:
                await self._keep_account(work)
        return work.report

    async def refresh(self, key: TitleKey) -> PassReport | None:
        """Read a single title again and mark it due; none where the distributor does not know it (its records stay)."""
        part = await self._source.read_one(key.isbn)
        report = None
        if part is not None:
            stream = self._source.streams[0]
            async with self._store.transaction(Urgency.TRADE) as tx:
                state = await tx.passes.begin(self.name, stream, PassMode.SINGLE, staged=False, at=self._clock.now())
                options = PassOptions(stop_on_older=False, allow=GUARDS)
                work = await self._begin_work(tx, state, options)
            await self._read_part(replace(part, cursor=None), work)
            report = work.report
            report.complete = not work.defective
        async with self._store.transaction(Urgency.TRADE) as tx:
            if report is not None:
                await tx.passes.finish(state, report, cursor=None, at=self._clock.now())
            await tx.controls.refreshed(key)
            await tx.titles.mark_due([key])
        return report

    # --- opening ------------------------------------------------------------------------------------------------------------

    async def _open(self, stream: StreamName, options: PassOptions) -> tuple[_Work, PassPlan, bytes | None]:
        async with self._store.transaction(Urgency.INTAKE) as tx:
            stands = await tx.passes.stream(self.name, stream)
            plan = self._source.plan(stream, stands.cursor, options.wanted, self._clock.now())
            unfinished = await tx.passes.unfinished(self.name, stream)
            if plan.resumes and unfinished and unfinished.mode is plan.mode and not options.dry_run:
                return await self._begin_work(tx, unfinished, options, resumed=True), plan, stands.cursor
            plan = replace(plan, resumes=False)
            whole = plan.mode is PassMode.FULL or options.stage_deltas
            staged = whole and await tx.records.live_count(self.name) > 0
            if options.dry_run:
                state = self._unwritten(stream, plan.mode)
            else:
                state = await tx.passes.begin(self.name, stream, plan.mode, staged=staged, at=self._clock.now())
            return await self._begin_work(tx, state, options), plan, stands.cursor

    def _unwritten(self, stream: StreamName, mode: PassMode) -> PassState:
        """The state of a pass that the store never hears of."""
        report = PassReport(source=self.name, stream=stream, mode=mode, started_at=self._clock.now())
        return PassState(
            id=PassId(0),
            source=self.name,
            stream=stream,
            mode=mode,
            staged=False,
            applying=False,
            high_water=RecordId(0),
            report=report,
        )

    async def _begin_again(self, work: _Work) -> None:
        """The interrupted pass could not be gone on with: account, staged records and seen marks start from nothing."""
        async with self._store.transaction(Urgency.INTAKE) as tx:
            old = work.state
            state = await tx.passes.begin(self.name, old.stream, old.mode, staged=old.staged, at=self._clock.now())
            fresh = await self._begin_work(tx, state, work.options)
        work.report.restart()
        work.state, work.tallies, work.kept = fresh.state, fresh.tallies, (deepcopy(work.report), {})
        work.unreadable = work.defective = work.resumed = False

    async def _begin_work(
        self, tx: Transaction, state: PassState, options: PassOptions, *, resumed: bool = False
    ) -> _Work:
        stands = await tx.passes.stream(self.name, state.stream)
        tallies = Tallies.from_mapping(state.tallies)
        if not state.tallies:
            tallies.known = await tx.records.live_count(self.name)
        predicts = tallies.known > 0 and (state.mode is PassMode.FULL or options.stage_deltas)
        return _Work(
            state=state,
            report=state.report,
            tallies=tallies,
            options=options,
            started=self._clock.monotonic(),
            index=await tx.records.index(self.name) if predicts else FrameIndex(),
            quarantined=await tx.records.quarantined_references(self.name),
            last_message=dict(stands.last_message),
            stood=dict(stands.last_message),
            resumed=resumed,
            kept=(deepcopy(state.report), dict(state.tallies)),
            last_full_records=stands.last_full_records,
            unreadable=bool(state.tallies.get("unreadable")),
            defective=bool(state.tallies.get("defective")),
        )

    # --- reading ------------------------------------------------------------------------------------------------------------

    async def _read(self, work: _Work, plan: PassPlan, cursor: bytes | None) -> PassEnd:
        """Every part to its end; returns what ended the pass."""
        parts = self._source.read(work.state.stream, plan, cursor)
        try:
            async for item in parts:
                if isinstance(item, PassEnd):
                    return item
                if item.starts_over and work.resumed:
                    await self._begin_again(work)
                await self._read_part(item, work)
        finally:
            if aclose := getattr(parts, "aclose", None):
                await aclose()
        raise SourceFailed(f"{self.name}: the source stopped without saying that it came to its end")

    async def _read_part(self, part: Part, work: _Work) -> None:
        framer = Framer(seed=self._store.identity.seed, index=work.index)
        batch = _Batch(part=part, framer=framer, gathered=FramedBatch(frames=[], unchanged=[]))
        is_torn = False
        try:
            async for chunk in part.chunks:
                work.report.bytes += len(chunk)
                batch.take(framer.feed(chunk))
                self._progress.reading(self.name, part.name, bytes_read=work.report.bytes, records=work.report.records)
                if batch.is_full:
                    await self._flush(batch, work, cursor=None)
        except FeedTorn as error:
            is_torn = True
            _warn(work.report, f"{part.name}: {error}")
        except NotOnix as error:
            raise NotOnix(f"{part.name}: {error}", hint=error.hint) from error
        try:
            batch.take(framer.close())
        except NotOnix as error:
            if not is_torn:
                raise NotOnix(f"{part.name}: {error}", hint=error.hint) from error
        is_torn = is_torn or not framer.complete
        for says in (*framer.warnings, *framer.defects):
            _warn(work.report, f"{part.name}: {says}")
        if is_torn and part.cursor is not None:
            await self._flush(batch, work, cursor=None)
            raise FeedTorn(
                f"{part.name}: the page is not whole; its complete records were taken",
                hint="the next pass asks for this page again",
            )
        work.torn = work.torn or is_torn
        work.defective = work.defective or is_torn or bool(framer.defects)
        await self._flush(batch, work, cursor=part.cursor)

    async def _flush(self, batch: _Batch, work: _Work, *, cursor: bytes | None) -> None:
        """Compare what was gathered and commit it, with the cursor where it is the last of its part."""
        gathered, batch.gathered, batch.size = batch.gathered, FramedBatch(frames=[], unchanged=[]), 0
        context = batch.framer.context
        if context is None:
            return
        if not batch.checked:
            batch.checked = True
            self._check_order(context.header, batch.part, work)
        frames = _drop_superseded(gathered, batch, work)
        setting = Setting(
            source=self.name,
            stream=work.state.stream,
            part=batch.part.name,
            context=context,
            rules=self._rules,
            partial_updates=self._source.partial_updates,
            at=self._clock.now(),
        )
        async with self._store.transaction(Urgency.INTAKE) as tx:
            known = await tx.records.known(self.name, [frame.reference for frame in frames if frame.reference])
        verdicts = await judge_batch(frames, known, setting, self._parsers)
        for verdict in verdicts:
            self._account(verdict, batch, work)
        work.report.count(RecordOutcome.UNCHANGED, len(gathered.unchanged))
        work.tallies.records += len(gathered.unchanged)
        seen = [found.record_id for found in gathered.unchanged] + [
            v.record_id for v in verdicts if v.record_id is not None
        ]
        await self._commit(verdicts, seen, work, cursor=cursor)

    def _check_order(self, header: MessageHeader, part: Part, work: _Work) -> None:
        """A message older than the last applied of its sender would take newer facts back (reference/onix.md 2.8)."""
        sent_at = header.sent_at_text
        sender = header.sender or ""
        last = work.stood.get(sender)
        if sent_at and last and is_older(sent_at, last):
            says = f"{part.name}: sent {sent_at}, older than the last message applied ({last})"
            if work.options.stop_on_older and "older-message" not in work.options.allow:
                raise GuardStopped("older-message", says)
            _warn(work.report, says)
        newest = work.last_message.get(sender)
        # The first message of a pass counts even where it is older and was let through; then the newest of the pass.
        if newest != last and is_older(sent_at, newest):
            return
        if sent_at and (normalised := normalised_sent_at(sent_at)):
            work.last_message[sender] = normalised

    def _account(self, verdict: Verdict, batch: _Batch, work: _Work) -> None:
        outcome = verdict.outcome
        reference = verdict.frame.reference
        if outcome in {RecordOutcome.UNCHANGED, RecordOutcome.TOUCHED} and reference in batch.emitted_before:
            outcome = RecordOutcome.DUPLICATES
        work.report.count(outcome)
        tally(work.tallies, verdict.old, verdict.new, verdict.outcome)
        work.unreadable = work.unreadable or (reference is None and outcome is RecordOutcome.QUARANTINED)
        if outcome is RecordOutcome.CHANGED:
            for name in {change.field for change in verdict.fields}:
                work.report.changes[name] = work.report.changes.get(name, 0) + 1
        for says in verdict.warnings:
            _warn(work.report, f"{batch.part.name} line {verdict.frame.line}: {reference or 'a record'}: {says}")

    # --- committing ---------------------------------------------------------------------------------------------------------

    async def _commit(
        self, verdicts: Sequence[Verdict], seen: Sequence[RecordId], work: _Work, *, cursor: bytes | None
    ) -> None:
        """One transaction: records or staged records, quarantine, seen marks, account and cursor."""
        if not work.state.staged:
            self._judge(work)
        if work.options.dry_run:
            work.seen.update(seen)
            return
        writes = [verdict.write for verdict in verdicts if verdict.write]
        aside = [verdict for verdict in verdicts if verdict.set_aside]
        async with self._store.transaction(Urgency.INTAKE) as tx:
            if work.state.staged:
                await self._stage(tx, verdicts, writes, work)
            else:
                await self._apply(tx, work.state, writes)
            if work.state.mode is PassMode.SINGLE:
                await self._supersede(tx, verdicts)
            await tx.records.quarantine(_rows(aside, RecordOutcome.QUARANTINED))
            await tx.records.hold(_rows(aside, RecordOutcome.HELD))
            await self._clear_quarantine(tx, verdicts, seen, work)
            if work.state.mode is PassMode.FULL and self._source.is_snapshot(work.state.stream):
                await tx.passes.see(work.state, seen)
            message = work.last_message if cursor is not None else None
            await tx.passes.progress(work.state, work.report, _saved(work), cursor=cursor, message=message)
        work.kept = (deepcopy(work.report), _saved(work))

    async def _stage(
        self, tx: Transaction, verdicts: Sequence[Verdict], writes: Sequence[RecordWrite], work: _Work
    ) -> None:
        """Later frames of a reference replace earlier ones, also where they say that nothing changed after all."""
        same = [v.frame.reference for v in verdicts if v.write is None and v.frame.reference]
        if same:
            await tx.passes.unstage(work.state, same)
        await tx.passes.stage(work.state, writes)

    async def _supersede(self, tx: Transaction, verdicts: Sequence[Verdict]) -> None:
        """What a pass has staged of a title is older than the title read again by itself; what it reads from now on is newer."""
        told = [v.frame.reference for v in verdicts if v.write or v.outcome is RecordOutcome.UNCHANGED]
        for stream in self.streams:
            if crawl := await tx.passes.unfinished(self.name, stream):
                await tx.passes.unstage(crawl, [reference for reference in told if reference])

    async def _clear_quarantine(
        self, tx: Transaction, verdicts: Sequence[Verdict], seen: Sequence[RecordId], work: _Work
    ) -> None:
        """A frame that could be read clears an older quarantine of its reference."""
        if not work.quarantined:
            return
        good = {v.frame.reference for v in verdicts if v.outcome is not RecordOutcome.QUARANTINED}
        bad = {v.frame.reference for v in verdicts if v.outcome is RecordOutcome.QUARANTINED}
        present = set(seen)
        cleared = [
            reference
            for reference, record_id in work.quarantined.items()
            if reference in good or (record_id in present and reference not in bad)
        ]
        await tx.records.clear_quarantine(self.name, cleared)

    async def _apply(self, tx: Transaction, state: PassState, writes: Sequence[RecordWrite]) -> None:
        """Write records, and what is to be remembered of the titles they belong or belonged to."""
        if not writes:
            return
        known = await tx.records.known(self.name, [write.reference for write in writes])
        keys = {key for write in writes for key in (write.key, write.previous_key) if key}
        memories = dict(await tx.titles.remembered(keys))
        before = dict(memories)
        for write in writes:
            old = known.get(write.reference)
            was = old.product if old and old.status is RecordStatus.LIVE else None
            new = write.product if write.status is RecordStatus.LIVE else None
            if write.key is not None and (was or new):
                memories[write.key] = self._rules.remember(memories.get(write.key, Remembered()), was, new)
        await tx.titles.remember(
            {key: memory for key, memory in memories.items() if memory != before.get(key, Remembered())}
        )
        await tx.records.write(state, writes, self._clock.now())

    # --- the end ------------------------------------------------------------------------------------------------------------

    async def _conclude(self, work: _Work, end: PassEnd) -> None:
        """Judge the whole, apply what was staged, let vanish what a complete snapshot lacks, close the pass."""
        state = work.state
        gone_ids = await self._gone(work)
        work.tallies.vanished = len(gone_ids)
        self._judge(work, complete_full=state.mode is PassMode.FULL and not work.defective)
        work.report.vanished = len(gone_ids)
        work.report.complete = not work.defective
        if work.options.dry_run:
            return
        cursor = None if work.torn else end.cursor
        async with self._store.transaction(Urgency.INTAKE) as tx:
            await tx.passes.progress(
                state, work.report, _saved(work), cursor=cursor, message=work.last_message, applying=True
            )
        await self._apply_to_the_end(work, gone_ids, cursor)

    async def _apply_to_the_end(self, work: _Work, gone_ids: Sequence[RecordId], cursor: bytes | None) -> None:
        """From the judgement on: what was staged, what vanished, the end of the pass."""
        await self._apply_staged(work)
        await self._vanish(work, gone_ids)
        async with self._store.transaction(Urgency.INTAKE) as tx:
            work.report.seconds = self._clock.monotonic() - work.started
            is_first = work.report.complete and not await tx.passes.has_completed(self.name)
            await tx.passes.finish(work.state, work.report, cursor=cursor, at=self._clock.now())
            if is_first:
                await tx.titles.mark_source_due(self.name)

    async def _gone(self, work: _Work) -> Sequence[RecordId]:
        """The records that a complete pass of a snapshot lacks."""
        if not self._may_vanish(work):
            return ()
        if work.options.dry_run:
            return [known.record_id for known in work.index.frames.values() if known.record_id not in work.seen]
        async with self._store.transaction(Urgency.INTAKE) as tx:
            return await tx.records.not_seen(work.state, await tx.passes.seen(work.state))

    def _may_vanish(self, work: _Work) -> bool:
        """Absence means something only in a complete pass of a snapshot in which every reference could be read."""
        state = work.state
        is_snapshot = state.mode is PassMode.FULL and self._source.is_snapshot(state.stream)
        return is_snapshot and not (work.defective or work.unreadable)

    async def _apply_staged(self, work: _Work) -> None:
        applied = 0
        while work.state.staged:
            async with self._store.transaction(Urgency.INTAKE) as tx:
                writes = await tx.passes.staged(work.state, APPLY_RECORDS)
                if not writes:
                    break
                await self._apply(tx, work.state, writes)
                await tx.passes.unstage(work.state, [write.reference for write in writes])
            applied += len(writes)
            self._progress.applying(self.name, applied=applied, total=work.report.records)

    async def _vanish(self, work: _Work, ids: Sequence[RecordId]) -> None:
        for start in range(0, len(ids), APPLY_RECORDS):
            async with self._store.transaction(Urgency.INTAKE) as tx:
                found = await tx.records.by_id(ids[start : start + APPLY_RECORDS])
                # What was read again by itself since has not vanished.
                old = [record for record in found if record.pass_id < work.state.id]
                now = self._clock.now()
                await self._apply(
                    tx, work.state, [gone(record, RecordStatus.VANISHED, self.name, now) for record in old]
                )

    async def _finish_interrupted(self, stream: StreamName) -> None:
        """A pass that had been judged and was being applied when its process ended."""
        async with self._store.transaction(Urgency.INTAKE) as tx:
            state = await tx.passes.unfinished(self.name, stream)
            if state is None or not state.applying:
                return
            work = await self._begin_work(tx, state, PassOptions())
        log.info("applying what an interrupted pass had staged", source=self.name, stream=stream)
        await self._apply_to_the_end(work, await self._gone(work), None)

    def _judge(self, work: _Work, *, complete_full: bool = False) -> None:
        passed = judge(
            work.tallies,
            self._guards,
            allowed=work.options.allow,
            complete_full=complete_full,
            last_full_records=work.last_full_records,
        )
        for says in passed:
            if says not in work.report.warnings:
                _warn(work.report, says)
                log.warning("a guard was let through", source=self.name, says=says)

    async def _keep_account(self, work: _Work) -> None:
        """What a pass that broke off committed, and why it broke off; never what was read and not committed."""
        report, tallies = work.kept
        kept = replace(report, warnings=work.report.warnings, seconds=work.report.seconds)
        async with self._store.transaction(Urgency.INTAKE) as tx:
            await tx.passes.progress(work.state, kept, tallies)


def _drop_superseded(gathered: FramedBatch, batch: _Batch, work: _Work) -> list[Frame]:
    """Of frames that share a reference only the last is compared; the others are counted as duplicates."""
    last = {frame.reference: frame for frame in gathered.frames if frame.repeated}
    kept = [frame for frame in gathered.frames if last.get(frame.reference, frame) is frame]
    dropped_here = {frame.reference for frame in gathered.frames if last.get(frame.reference, frame) is not frame}
    for reference in last:
        flagged = reference is not None and work.index.get(reference.encode())
        if reference and reference not in dropped_here and not (flagged and flagged.repeated):
            batch.emitted_before.add(reference)
    dropped_by_framer = batch.framer.duplicates - batch.duplicates
    batch.duplicates = batch.framer.duplicates
    work.report.count(RecordOutcome.DUPLICATES, len(gathered.frames) - len(kept) + dropped_by_framer)
    return kept


def _rows(aside: Sequence[Verdict], outcome: RecordOutcome) -> list[Quarantined]:
    return [verdict.set_aside for verdict in aside if verdict.set_aside and verdict.outcome is outcome]


def _saved(work: _Work) -> Mapping[str, int]:
    """The tallies with the marks that decide whether anything may vanish; read back by an interrupted pass."""
    return {**work.tallies.as_mapping(), "unreadable": int(work.unreadable), "defective": int(work.defective)}


def _warn(report: PassReport, says: str) -> None:
    if len(report.warnings) < WARNINGS_KEPT:
        report.warnings.append(says)
    elif len(report.warnings) == WARNINGS_KEPT:
        report.warnings.append(f"more than {WARNINGS_KEPT} warnings; the rest are not kept")
