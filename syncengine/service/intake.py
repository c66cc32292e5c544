"""One pass of one stream: bytes to frames to changed records to the store, with guards and staging."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager, suppress
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from functools import cached_property

from anyio import create_task_group
from anyio.lowlevel import checkpoint

from syncengine.catalogue.guards import GUARDS, Tallies, judge, tally
from syncengine.domain.frame import Context, Frame, FrameIndex
from syncengine.domain.ids import PassId, RecordId, RecordReference, SourceName, StreamName, TitleKey
from syncengine.domain.message import MessageMark, MessageOrder
from syncengine.domain.passes import Noted, PassMode, PassReport, RecordOutcome, WarningKind
from syncengine.domain.rows import Rows
from syncengine.errors import FeedTorn, GuardStopped, InputUnreadable, NotOnix, SourceFailed
from syncengine.logs import Logger
from syncengine.onix.fingerprint import fingerprint, seed_for, vocabulary_seed
from syncengine.onix.framing import FramedBatch, Framer
from syncengine.ports import (
    AsideKind,
    Clock,
    Conventions,
    Distributor,
    KnownRecord,
    Part,
    PartialUpdates,
    PassEnd,
    PassPlan,
    PassState,
    RecordStatus,
    SetAside,
    Store,
    Transaction,
    Urgency,
)
from syncengine.service.applying import Applier
from syncengine.service.batch import OUTCOMES, gone, judge_batch, parse_batch, with_derived_references
from syncengine.service.options import PassOptions
from syncengine.service.parsers import Parsers
from syncengine.service.placing import mark_of, passes_over
from syncengine.service.progress import Progress, Unwatched
from syncengine.service.reading import stretches
from syncengine.service.verdict import Setting, Verdict
from syncengine.service.work import HEAVY_BYTES, Batch, Judged, Read, Ready, Work, portions
from syncengine.settings import GuardSettings

APPLY_RECORDS = 250
"""Staged records are applied in transactions of so many: delivery waits some tens of milliseconds for one."""
_WRITTEN = (RecordOutcome.ADDED, RecordOutcome.CHANGED, RecordOutcome.TOUCHED, RecordOutcome.REMOVED)

_NEVER = PassId(2**62)
"""The id of a pass that is not kept: all that is stored is older."""

_BREATH = 64
"""Records accounted for between two chances for other work."""

log = Logger(__name__)


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
        rows = (self._source.rows(stream) for stream in self._source.streams)
        self._row_prefixes = tuple(each.prefix for each in rows if each is not None)
        self._applier = Applier(self._source.name, self._source.streams, distributor.rules, clock)
        self._store = store
        self._clock = clock
        self._parsers = parsers
        self._guards = guards
        self._progress = progress or Unwatched()

    @cached_property
    def _seed(self) -> int:
        """Of fingerprints: another store or other code lists make another."""
        return vocabulary_seed(self._store.identity.seed, self._parsers.codes.version)

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
        with _acknowledged(work):
            try:
                if begun is not None:
                    begun(work.report)
                await self._conclude(work, await self._read(work, plan, cursor))
            except (SourceFailed, GuardStopped, InputUnreadable) as error:
                work.report.warn(Noted(WarningKind.BROKEN_OFF, str(error)))
                raise
            finally:
                work.report.seconds = self._clock.monotonic() - work.started
                if not work.report.complete and not options.dry_run:
                    await self._keep_account(work)
        return work.report

    async def refresh(self, key: TitleKey) -> Sequence[PassReport]:
        """Read a single title again in all its streams and mark it due; its records stay where the distributor does not know it.

        One report for each stream that it was read in.
        """
        read = [await self._read_single(stream, part) for stream, part in await self._parts_of(key)]
        async with self._store.transaction(Urgency.TRADE) as tx:
            for work in read:
                await tx.passes.finish(work.state, work.report, cursor=None, at=self._clock.now())
            await tx.controls.refreshed(key)
            await tx.titles.mark_due([key])
        return [work.report for work in read]

    async def _parts_of(self, key: TitleKey) -> Sequence[tuple[StreamName, Part]]:
        """What the distributor says of a title, in the order in which its streams are read."""
        parts = await self._source.read_one(key.isbn)
        return [(stream, parts[stream]) for stream in self._source.streams if stream in parts]

    async def _read_single(self, stream: StreamName, part: Part) -> Work:
        _, work = await self._begin_single(stream)
        await self._read_part(replace(part, cursor=None), work)
        work.report.complete = not work.defective
        return work

    async def _begin_single(self, stream: StreamName) -> tuple[PassState, Work]:
        async with self._store.transaction(Urgency.TRADE) as tx:
            state = await tx.passes.begin(self.name, stream, PassMode.SINGLE, staged=False, at=self._clock.now())
            return state, await self._begin_work(tx, state, PassOptions(stop_on_older=False, allow=GUARDS))

    async def retry(self, rows: Sequence[SetAside]) -> PassReport:
        """Read quarantined frames and held updates of one stream again: what can be read now is applied, the rest stays aside."""
        state, work = await self._begin_single(rows[0].stream)
        for row in rows:
            if row.context is None:
                _leave_aside(row, f"an earlier build kept it without its context: read {row.part} again", work)
            else:
                await self._read_aside(row, row.context, work)
        work.report.complete = True
        async with self._store.transaction(Urgency.TRADE) as tx:
            await tx.passes.finish(state, work.report, cursor=None, at=self._clock.now())
        return work.report

    async def _read_aside(self, row: SetAside, context: Context, work: Work) -> None:
        """Read one again and commit it, unless it was dealt with meanwhile, or has been overtaken by its record."""
        setting = replace(self._setting(row.part, context, row.mark, row.stream), arrived_at=row.at)
        frames = await with_derived_references([self._frame_of(row, context)], setting, self._parsers)
        [verdict] = await self._judge_frames(frames, setting, work)
        async with self._store.transaction(Urgency.TRADE) as tx:
            if await tx.records.get_aside(row.id) is None:
                return
            if verdict.write and await self._is_written_since(tx, verdict.write.reference, row.at):
                if row.reference and row.kind is AsideKind.QUARANTINED:
                    # A later whole record would have cleared it: an update of a part came, which it must not take back.
                    _leave_aside(row, "its record was updated in part since: let it be sent again", work)
                    return
                verdict = verdict.superseded()
            self._account(verdict, row.part, (), work)
            if verdict.set_aside is None or verdict.set_aside.kind is not row.kind:
                await self._applier.set_aside(tx, [verdict], work)
                await self._applier.apply(tx, work.state, [verdict.write] if verdict.write else [])
                await self._applier.supersede(tx, [verdict])
                await tx.records.drop_aside([row.id])

    async def _is_written_since(self, tx: Transaction, reference: RecordReference, at: datetime) -> bool:
        known = (await tx.records.known(self.name, [reference])).get(reference)
        return known is not None and known.applied_at > at

    def _frame_of(self, row: SetAside, context: Context) -> Frame:
        return Frame(
            reference=row.reference,
            body=row.body,
            fingerprint=fingerprint(row.body, seed_for(self._seed, context)),
            offset=row.offset,
            line=row.line,
        )

    # --- opening ------------------------------------------------------------------------------------------------------------

    async def _open(self, stream: StreamName, options: PassOptions) -> tuple[Work, PassPlan, bytes | None]:
        async with self._store.transaction(Urgency.INTAKE) as tx:
            stands = await tx.passes.stream(self.name, stream)
            plan = self._source.plan(stream, stands.cursor, options.wanted, self._clock.now())
            unfinished = await tx.passes.unfinished(self.name, stream)
            if plan.resumes and unfinished and unfinished.mode is plan.mode and not options.dry_run:
                return await self._begin_work(tx, unfinished, options, resumed=True), plan, stands.cursor
            plan = replace(plan, resumes=False)
            whole = plan.mode is PassMode.FULL or options.stage_deltas
            staged = whole and await tx.records.live_count(self.name, stream) > 0
            if options.dry_run:
                state = self._unwritten(stream, plan.mode)
            else:
                state = await tx.passes.begin(self.name, stream, plan.mode, staged=staged, at=self._clock.now())
            return await self._begin_work(tx, state, options), plan, stands.cursor

    def _unwritten(self, stream: StreamName, mode: PassMode) -> PassState:
        """The state of a pass that the store never hears of."""
        report = PassReport(source=self.name, stream=stream, mode=mode, started_at=self._clock.now())
        return PassState(
            id=_NEVER,
            source=self.name,
            stream=stream,
            mode=mode,
            staged=False,
            applying=False,
            high_water=RecordId(_NEVER),
            report=report,
        )

    async def _begin_again(self, work: Work) -> None:
        """The interrupted pass could not be gone on with: account, staged records and seen marks start from nothing."""
        async with self._store.transaction(Urgency.INTAKE) as tx:
            old = work.state
            state = await tx.passes.begin(self.name, old.stream, old.mode, staged=old.staged, at=self._clock.now())
            fresh = await self._begin_work(tx, state, replace(work.options, acknowledge=None))
        work.report.restart()
        work.state, work.tallies, work.kept = fresh.state, fresh.tallies, (deepcopy(work.report), {})
        work.staged, work.index, work.seen, work.unnoted = fresh.staged, fresh.index, fresh.seen, []
        work.unreadable = work.defective = work.resumed = False

    async def _begin_work(
        self, tx: Transaction, state: PassState, options: PassOptions, *, resumed: bool = False
    ) -> Work:
        stands = await tx.passes.stream(self.name, state.stream)
        tallies = Tallies.from_mapping(state.tallies)
        if not state.tallies:
            tallies.known = await tx.records.live_count(self.name, state.stream)
        predicts = tallies.known > 0 and (state.mode is PassMode.FULL or options.stage_deltas)
        index = await tx.records.index(self.name) if predicts else FrameIndex()
        quarantined = await tx.records.quarantined_references(self.name)
        acknowledges = options.acknowledge
        if acknowledges is not None and self._source.rows(state.stream) is not None:
            acknowledges = None  # an acknowledgement speaks of ONIX products
        return Work(
            state=state,
            report=state.report,
            tallies=tallies,
            options=options,
            started=self._clock.monotonic(),
            index=index,
            seen=_marks(index, await tx.passes.seen(state) if resumed and len(index) else ()),
            quarantined=set(quarantined),
            staged=dict(await tx.passes.staged_ids(state)) if state.staged else {},
            acknowledging=acknowledges(self.name, state.stream) if acknowledges else None,
            last_message=dict(stands.last_message),
            stood=dict(stands.last_message),
            resumed=resumed,
            kept=(deepcopy(state.report), dict(state.tallies)),
            last_full_records=stands.last_full_records,
            unreadable=bool(state.tallies.get("unreadable")),
            defective=bool(state.tallies.get("defective")),
        )

    # --- reading ------------------------------------------------------------------------------------------------------------

    async def _read(self, work: Work, plan: PassPlan, cursor: bytes | None) -> PassEnd:
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

    async def _read_part(self, part: Part, work: Work) -> None:
        framer = Framer(seed=self._seed, index=work.index, rows=self._source.rows(work.state.stream))
        batch = Batch(part=part, framer=framer, may_unstage=bool(work.staged))
        stood = dict(work.last_message)
        work.notes_marks = part.cursor is not None and self._is_of_snapshot(work.state)
        try:
            await self._read_batch(batch, work, stood)
        finally:
            await batch.forget()

    async def _read_batch(self, batch: Batch, work: Work, stood: Mapping[str, MessageMark]) -> None:
        """The part to its end; `stood` are the messages that were the newest before it."""
        part, framer = batch.part, batch.framer
        try:
            is_torn = await self._read_chunks(batch, work)
        except (SourceFailed, NotOnix):
            await self._settle(batch, work)
            raise
        if batch.is_skipped:
            await self._commit(Judged(cursor=part.cursor), work)
            return
        is_torn = is_torn or not framer.complete
        for noted in (*framer.warnings, *framer.defects):
            work.report.warn(Noted(noted.kind, f"{part.name}: {noted.says}"))
        if is_torn and part.cursor is not None:
            await self._flush(batch, work, cursor=None)
            await self._settle(batch, work)
            raise FeedTorn(
                f"{part.name}: the page is not whole; its complete records were taken",
                hint="the next pass asks for this page again",
            )
        work.torn = work.torn or is_torn
        if is_torn or framer.defects:
            work.defective = True
            if self._conventions(self._source.rows(work.state.stream)).message_order is not MessageOrder.ARRIVAL:
                # Sent again, it is no repeat.
                work.last_message = dict(stood)
        await self._flush(batch, work, cursor=part.cursor)
        await self._settle(batch, work)

    async def _read_chunks(self, batch: Batch, work: Work) -> bool:
        """Frame the message and flush full batches; whether it broke off. A message that is not to be applied is read no further."""
        part, framer = batch.part, batch.framer
        is_torn = False
        try:
            async with aclosing(stretches(part.chunks, framer)) as coming:
                async for stretch in coming:
                    work.report.bytes += stretch.bytes
                    batch.gathered.extend(stretch.batch)
                    records = work.report.records + batch.unaccounted_count
                    self._progress.reading(self.name, part.name, bytes_read=work.report.bytes, records=records)
                    if self._is_passed_over(batch, work):
                        return False
                    if batch.is_worth_a_commit:
                        await self._flush(batch, work, cursor=None)
        except FeedTorn as error:
            is_torn = True
            work.report.warn(Noted(WarningKind.TRUNCATED, f"{part.name}: {error}"))
        except NotOnix as error:
            raise NotOnix(f"{part.name}: {error}", hint=error.hint) from error
        try:
            batch.gathered.extend(framer.close())
        except NotOnix as error:
            if not is_torn:
                raise NotOnix(f"{part.name}: {error}", hint=error.hint) from error
        self._is_passed_over(batch, work)
        return is_torn

    def _is_passed_over(self, batch: Batch, work: Work) -> bool:
        """Whether the message's place forbids to apply it; settled as soon as its header has come."""
        context = batch.framer.context
        if context is not None and batch.mark is None:
            batch.mark = mark_of(context.header)
            if work.acknowledging is not None:
                work.acknowledging.message(batch.part.name, context.header)
            order = self._conventions(context.rows).message_order
            batch.is_skipped = passes_over(order, batch, context.header, work)
        return batch.is_skipped

    def _conventions(self, rows: Rows | None) -> Conventions:
        """The source's own for ONIX; rows are whole, and their messages in order where they tell when they were sent."""
        if rows is None:
            return self._source.conventions
        order = MessageOrder.SENT if rows.sent_at else MessageOrder.ARRIVAL
        return Conventions(partial_updates=PartialUpdates.WHOLE, message_order=order)

    # --- comparing ----------------------------------------------------------------------------------------------------------

    async def _flush(self, batch: Batch, work: Work, *, cursor: bytes | None) -> None:
        """Take up what was gathered, to be judged and committed beside the next of the part; `cursor` comes with the last of it."""
        gathered, batch.gathered = batch.gathered, FramedBatch()
        context = batch.framer.context
        if context is None:
            return
        setting = self._setting(batch.part.name, context, batch.mark or MessageMark(), work.state.stream)
        frames = await with_derived_references(gathered.frames, setting, self._parsers)
        if any(frame.repeated for frame in frames):
            # Whether one counts as a duplicate hangs on what those before it came to.
            await self._settle(batch, work)
        _note_repeated(frames, batch, work)
        if batch.may_unstage:
            await self._unstage_unchanged(gathered, work)
        *others, last = portions(frames)
        unchanged = gathered.unchanged
        for portion in others:
            await self._take_up(portion, setting, batch, work, unchanged=unchanged)
            unchanged = []
        await self._take_up(last, setting, batch, work, unchanged=unchanged, cursor=cursor)
        if gathered.frame_bytes > HEAVY_BYTES * len(frames):
            # Heavy records are not held in memory beside the next ones.
            await self._settle(batch, work)

    async def _take_up(
        self,
        frames: Sequence[Frame],
        setting: Setting,
        batch: Batch,
        work: Work,
        *,
        unchanged: Sequence[range],
        cursor: bytes | None = None,
    ) -> None:
        """Read frames while those before them are judged, and what was judged last is committed.

        So what is known of frames must not depend on any that stand before them and are not committed yet.
        """
        if not batch.uncommitted.isdisjoint(frame.reference for frame in frames):
            await self._settle(batch, work)
        before = batch.ready
        reading = asyncio.ensure_future(self._read_frames(frames, setting, work))
        batch.ready = Ready(frames=frames, reading=reading, unchanged=unchanged, cursor=cursor)
        if before is not None:
            await self._judge_ready(before, batch, work)

    async def _judge_ready(self, ready: Ready, batch: Batch, work: Work) -> None:
        """Judge frames while those before them are committed."""
        read = await ready.reading
        before = await self._account_judged(batch, work)
        try:
            async with create_task_group() as tasks:
                if before is not None:
                    tasks.start_soon(self._commit, before, work)
                verdicts = await judge_batch(read.frames, read.known, read.setting, read.parsed)
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        verdicts = await self._with_rekeyed(verdicts)
        batch.judged = Judged(verdicts=verdicts, unchanged=ready.unchanged, cursor=ready.cursor)

    def _setting(self, part: str, context: Context, mark: MessageMark, stream: StreamName) -> Setting:
        now = self._clock.now()
        return Setting(
            source=self.name,
            stream=stream,
            part=part,
            context=context,
            mark=mark,
            rules=self._rules,
            conventions=self._conventions(context.rows),
            codes=self._parsers.codes,
            at=now,
            arrived_at=now,
            seed=seed_for(self._seed, context),
        )

    async def _judge_frames(self, frames: Sequence[Frame], setting: Setting, work: Work) -> list[Verdict]:
        """One verdict for each."""
        read = await self._read_frames(frames, setting, work)
        return await self._with_rekeyed(await judge_batch(frames, read.known, read.setting, read.parsed))

    async def _read_frames(self, frames: Sequence[Frame], setting: Setting, work: Work) -> Read:
        known, setting = await self._look_up(frames, setting, work)
        parsed = await parse_batch(frames, known, setting, self._parsers)
        return Read(frames=frames, known=known, setting=setting, parsed=parsed)

    async def _look_up(
        self, frames: Sequence[Frame], setting: Setting, work: Work
    ) -> tuple[Mapping[RecordReference, KnownRecord], Setting]:
        """What is known of the records; with the setting, what the pass has staged of them and what waits for a base."""
        references = [frame.reference for frame in frames if frame.reference]
        async with self._store.transaction(Urgency.INTAKE) as tx:
            known = await tx.records.known(self.name, references)
            held = await tx.records.held(self.name, references)
            staged = await tx.passes.staged_of(work.state, references) if work.state.staged else {}
        return known, replace(setting, held=held, staged=staged)

    async def _with_rekeyed(self, verdicts: list[Verdict]) -> list[Verdict]:
        """Tell where a record that is new to a title finds it under another reference (reference/onix.md 2.3).

        A row has its title in common with others by nature.
        """
        arrived = {v.write.key for v in verdicts if _is_onix(v) and v.write and v.write.key != v.write.previous_key}
        titles = [key for key in arrived if key is not None]
        if not titles:
            return verdicts
        async with self._store.transaction(Urgency.INTAKE) as tx:
            live = await tx.records.references(self.name, titles)
        bearers: dict[TitleKey, set[RecordReference]] = {
            key: {reference for reference in references if not reference.startswith(self._row_prefixes)}
            for key, references in live.items()
        }
        return [_told_rekeyed(verdict, bearers) for verdict in verdicts]

    async def _unstage_unchanged(self, gathered: FramedBatch, work: Work) -> None:
        """A record that stands again as it is stored takes back what an earlier message of the pass has staged of it."""
        ids = work.index.ids
        again = (ids[at] for run in gathered.unchanged for at in run)
        stale = [work.staged.pop(RecordId(number)) for number in again if number in work.staged]
        if stale and not work.options.dry_run:
            async with self._store.transaction(Urgency.INTAKE) as tx:
                await tx.passes.unstage(work.state, stale)

    @staticmethod
    def _account(verdict: Verdict, part: str, emitted_before: Collection[RecordReference], work: Work) -> None:
        outcome = verdict.outcome
        reference = verdict.frame.reference
        if outcome in {RecordOutcome.UNCHANGED, RecordOutcome.TOUCHED} and reference in emitted_before:
            outcome = RecordOutcome.DUPLICATES
        work.report.count(outcome)
        tally(work.tallies, verdict.old, verdict.new, verdict.outcome)
        work.unreadable = work.unreadable or (reference is None and outcome is RecordOutcome.QUARANTINED)
        if outcome is RecordOutcome.CHANGED:
            for name in {change.field for change in verdict.fields}:
                work.report.changes[name] = work.report.changes.get(name, 0) + 1
        where = f"{part} line {verdict.frame.line}: {reference or 'a record'}"
        for noted in verdict.noted:
            work.report.warn(Noted(noted.kind, f"{where}: {noted.says}"))
        if work.acknowledging is not None and (verdict.noted or verdict.set_aside):
            identifiers = verdict.new.identifiers if verdict.new else ()
            work.acknowledging.record(reference, identifiers, outcome, verdict.noted)

    # --- committing ---------------------------------------------------------------------------------------------------------

    async def _settle(self, batch: Batch, work: Work) -> None:
        """Judge and commit all that was taken up of a part."""
        ready, batch.ready = batch.ready, None
        if ready is not None:
            await self._judge_ready(ready, batch, work)
        judged = await self._account_judged(batch, work)
        if judged is not None:
            await self._commit(judged, work)

    async def _account_judged(self, batch: Batch, work: Work) -> Judged | None:
        """Account for what was judged last of a part, if anything was; it is to be committed next."""
        judged, batch.judged = batch.judged, None
        if judged is None:
            return None
        work.report.count(RecordOutcome.UNCHANGED, sum(map(len, judged.unchanged)))
        for number, verdict in enumerate(judged.verdicts):
            if number % _BREATH == 0:
                await checkpoint()
            self._account(verdict, batch.part.name, batch.emitted_before, work)
        return judged

    async def _commit(self, judged: Judged, work: Work) -> None:
        """One transaction: records or staged records, quarantine, seen marks, account and cursor."""
        verdicts, unchanged, cursor = judged.verdicts, judged.unchanged, judged.cursor
        if not work.state.staged:
            self._judge(work)
        work.see(unchanged, (verdict.frame.reference for verdict in verdicts))
        if work.options.dry_run:
            return
        writes = [verdict.write for verdict in verdicts if verdict.write]
        async with self._store.transaction(Urgency.INTAKE) as tx:
            # First what is held: a whole record behind it in the batch lets it go.
            await self._applier.set_aside(tx, verdicts, work)
            if work.state.staged:
                await self._applier.stage(tx, verdicts, writes, work)
            else:
                await self._applier.apply(tx, work.state, writes)
            if work.state.mode is PassMode.SINGLE:
                await self._applier.supersede(tx, verdicts)
            await self._applier.clear_quarantine(tx, verdicts, unchanged, work)
            if cursor is not None and work.unnoted:
                await tx.passes.see(work.state, work.take_unnoted())
            # What is only staged may still be given up; its message is then to be read again.
            message = work.last_message if cursor is not None and not work.state.staged else None
            await tx.passes.progress(work.state, work.report, work.marks, cursor=cursor, message=message)
        work.kept = (deepcopy(work.report), work.marks)

    # --- the end ------------------------------------------------------------------------------------------------------------

    async def _conclude(self, work: Work, end: PassEnd) -> None:
        """Judge the whole, apply what was staged, let vanish what a complete snapshot lacks, close the pass."""
        state = work.state
        gone_ids = await self._gone(work)
        work.tallies.vanished = len(gone_ids)
        # How many records a whole load of a feed of changes has tells nothing: it has those that changed of late.
        self._judge(work, complete_full=self._is_of_snapshot(state) and not work.defective)
        work.report.vanished = len(gone_ids)
        work.report.complete = not work.defective
        if work.options.dry_run:
            return
        cursor = None if work.torn else end.cursor
        async with self._store.transaction(Urgency.INTAKE) as tx:
            await tx.passes.progress(
                state, work.report, work.marks, cursor=cursor, message=work.last_message, gone=gone_ids
            )
        await self._apply_to_the_end(work, gone_ids, cursor)

    async def _apply_to_the_end(self, work: Work, gone_ids: Sequence[RecordId], cursor: bytes | None) -> None:
        """From the judgement on: what was staged, what vanished, the end of the pass."""
        await self._apply_staged(work)
        await self._vanish(work, gone_ids)
        async with self._store.transaction(Urgency.INTAKE) as tx:
            work.report.seconds = self._clock.monotonic() - work.started
            was_known = await tx.passes.has_completed(self.name, self.streams)
            await tx.records.forget_tests(self.name, work.report.started_at)
            await tx.passes.finish(work.state, work.report, cursor=cursor, at=self._clock.now())
            if not was_known and await tx.passes.has_completed(self.name, self.streams):
                await tx.titles.mark_orders_due(self.name)

    async def _gone(self, work: Work) -> Sequence[RecordId]:
        """The records that a complete pass of a snapshot lacks."""
        if not self._may_vanish(work):
            return ()
        async with self._store.transaction(Urgency.INTAKE) as tx:
            return await tx.records.gone(work.state, work.unseen())

    def _may_vanish(self, work: Work) -> bool:
        """Absence means something only in a complete pass of a snapshot in which every reference could be read."""
        return self._is_of_snapshot(work.state) and not (work.defective or work.unreadable)

    def _is_of_snapshot(self, state: PassState) -> bool:
        return state.mode is PassMode.FULL and self._source.is_snapshot(state.stream)

    async def _apply_staged(self, work: Work) -> None:
        applied, total = 0, sum(work.report.outcomes[outcome] for outcome in _WRITTEN)
        while work.state.staged:
            async with self._store.transaction(Urgency.INTAKE) as tx:
                count = await self._applier.apply_staged(tx, work.state, APPLY_RECORDS)
            if not count:
                break
            applied += count
            self._progress.applying(self.name, applied=applied, total=total)

    async def _vanish(self, work: Work, ids: Sequence[RecordId]) -> None:
        for start in range(0, len(ids), APPLY_RECORDS):
            async with self._store.transaction(Urgency.INTAKE) as tx:
                found = await tx.records.by_id(ids[start : start + APPLY_RECORDS])
                # What was read again by itself since has not vanished.
                old = [record for record in found if record.pass_id < work.state.id]
                now = self._clock.now()
                await self._applier.apply(
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
        await self._apply_to_the_end(work, state.gone, None)

    def _judge(self, work: Work, *, complete_full: bool = False) -> None:
        work.tallies.records = work.report.records
        passed = judge(
            work.tallies,
            self._guards,
            allowed=work.options.allow,
            complete_full=complete_full,
            last_full_records=work.last_full_records,
        )
        for says in passed:
            if says not in work.report.warnings:
                work.report.warn(Noted(WarningKind.GUARD, says))
                log.warning("a guard was let through", source=self.name, says=says)

    async def _keep_account(self, work: Work) -> None:
        """What a pass that broke off committed, and why it broke off; never what was read and not committed."""
        report, tallies = work.kept
        said = work.report
        kept = replace(report, warnings=said.warnings, warning_kinds=said.warning_kinds, seconds=said.seconds)
        async with self._store.transaction(Urgency.INTAKE) as tx:
            await tx.passes.progress(work.state, kept, tallies)


@contextmanager
def _acknowledged(work: Work) -> Iterator[None]:
    """However a pass ends, its acknowledgement is written; that it cannot be hides nothing worse."""
    try:
        yield
    except BaseException:
        with suppress(InputUnreadable):
            _acknowledge(work)
        raise
    _acknowledge(work)


def _acknowledge(work: Work) -> None:
    if work.acknowledging is not None:
        work.acknowledging.conclude(work.report)


def _marks(index: FrameIndex, seen: Collection[RecordId]) -> bytearray:
    return bytearray(number in seen for number in index.ids) if seen else bytearray(len(index))


def _leave_aside(row: SetAside, says: str, work: Work) -> None:
    work.report.count(OUTCOMES[row.kind])
    work.report.warn(Noted(WarningKind.SET_ASIDE, f"r{row.id} stays aside: {says}"))


def _note_repeated(frames: Sequence[Frame], batch: Batch, work: Work) -> None:
    """Report references that stand in the message more than once, and remember which of them were compared before."""
    dropped_by_framer = batch.framer.duplicates - batch.duplicates
    batch.duplicates = batch.framer.duplicates
    work.report.count(RecordOutcome.DUPLICATES, dropped_by_framer)
    times = Counter(frame.reference for frame in frames if frame.reference)
    last = {frame.reference: frame for frame in frames if frame.reference}
    for reference, frame in last.items():
        at = work.index.find(reference.encode()) if frame.repeated else -1
        was_emitted = frame.repeated and times[reference] == 1 and not (at >= 0 and work.index.is_repeated(at))
        if was_emitted:
            batch.emitted_before.add(reference)
        if was_emitted or times[reference] > 1 or (frame.repeated and dropped_by_framer):
            says = f"{batch.part.name} line {frame.line}: {reference}: stands more than once in its message; as the last leaves it, it counts"
            work.report.warn(Noted(WarningKind.DUPLICATE_REFERENCE, says))


def _is_onix(verdict: Verdict) -> bool:
    return verdict.write is not None and verdict.write.context.rows is None


def _told_rekeyed(verdict: Verdict, bearers: dict[TitleKey, set[RecordReference]]) -> Verdict:
    """The verdict, with a warning where its title is known under other references; from now on it is under this one too."""
    write = verdict.write
    if write is None or write.key is None or write.key == write.previous_key or not _is_onix(verdict):
        return verdict
    others = sorted(bearers.setdefault(write.key, set()) - {write.reference})
    bearers[write.key].add(write.reference)
    if not others:
        return verdict
    says = f"{write.key.isbn} ({write.key.format}) is known under {', '.join(others)} already: another record, or a new key"
    return replace(verdict, noted=(*verdict.noted, Noted(WarningKind.REKEYED, says)))
