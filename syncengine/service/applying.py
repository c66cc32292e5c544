"""What verdicts do to the store, inside a transaction of the pass: staged or applied, set aside, cleared."""

from __future__ import annotations

from collections.abc import Sequence

from syncengine.domain.ids import RecordReference, SourceName, StreamName
from syncengine.domain.passes import RecordOutcome
from syncengine.domain.title import Remembered
from syncengine.ports import Clock, PassState, RecordStatus, RecordWrite, Rules, Transaction
from syncengine.service.verdict import Verdict
from syncengine.service.work import Work


class Applier:
    """Writes for one source."""

    def __init__(self, name: SourceName, streams: Sequence[StreamName], rules: Rules, clock: Clock) -> None:
        self._name = name
        self._streams = streams
        self._rules = rules
        self._clock = clock

    async def set_aside(self, tx: Transaction, verdicts: Sequence[Verdict], work: Work) -> None:
        """Keep what is apart from the records, and tell in the change log what is told of it once."""
        rows = [verdict.set_aside for verdict in verdicts if verdict.set_aside]
        if rows:
            fresh = set(await tx.records.set_aside(rows))
            await tx.changes.append([v.event for v in verdicts if v.event and v.set_aside in fresh])
        for verdict in verdicts:
            if verdict.outcome is RecordOutcome.QUARANTINED and (reference := verdict.frame.reference):
                work.quarantined.add(reference)

    async def stage(
        self, tx: Transaction, verdicts: Sequence[Verdict], writes: Sequence[RecordWrite], work: Work
    ) -> None:
        """Later frames of a reference replace earlier ones, also where they say that nothing changed after all."""
        same = [v.frame.reference for v in verdicts if v.settles and v.write is None and v.frame.reference]
        await tx.passes.unstage(work.state, same)
        await tx.passes.stage(work.state, writes)
        for write in writes:
            if write.record_id is not None:
                work.staged[write.record_id] = write.reference

    async def supersede(self, tx: Transaction, verdicts: Sequence[Verdict]) -> None:
        """What a pass has staged of a title is older than the title read again by itself; what it reads from now on is newer."""
        told = [v.frame.reference for v in verdicts if v.write or v.outcome is RecordOutcome.UNCHANGED]
        for stream in self._streams:
            if crawl := await tx.passes.unfinished(self._name, stream):
                await tx.passes.unstage(crawl, [reference for reference in told if reference])

    async def clear_quarantine(
        self, tx: Transaction, verdicts: Sequence[Verdict], unchanged: Sequence[range], work: Work
    ) -> None:
        """A frame that could be read and says all of its record clears an older quarantine of its reference."""
        if not work.quarantined:
            return
        cleared = {reference for reference in work.quarantined if _stands_in(reference, unchanged, work)}
        for verdict in verdicts:
            reference = verdict.frame.reference
            if verdict.outcome is RecordOutcome.QUARANTINED and reference:
                cleared.discard(reference)
            elif verdict.says_all and reference in work.quarantined:
                cleared.add(reference)
        await tx.records.clear_quarantine(self._name, cleared)

    async def apply(self, tx: Transaction, state: PassState, writes: Sequence[RecordWrite]) -> None:
        """Write records, and what is to be remembered of the titles they belong to."""
        await self._remember(tx, writes)
        await tx.records.write(state, writes, self._clock.now())

    async def apply_staged(self, tx: Transaction, state: PassState, limit: int) -> int:
        """The same for the next writes that the pass has staged; returns how many there were."""
        if self._rules.remembers:
            await self._remember(tx, await tx.passes.staged(state, limit))
        return await tx.passes.apply_staged(state, limit, self._clock.now())

    async def _remember(self, tx: Transaction, writes: Sequence[RecordWrite]) -> None:
        if not writes or not self._rules.remembers:
            return
        known = await tx.records.products(self._name, [write.reference for write in writes])
        before = await tx.titles.remembered({write.key for write in writes if write.key})
        memories = dict(before)
        for write in writes:
            was = known.get(write.reference)
            new = write.product if write.status is RecordStatus.LIVE else None
            if write.key is not None and (was or new):
                memories[write.key] = self._rules.remember(memories.get(write.key, Remembered()), was, new)
        await tx.titles.remember(
            {key: memory for key, memory in memories.items() if memory != before.get(key, Remembered())}
        )


def _stands_in(reference: RecordReference, unchanged: Sequence[range], work: Work) -> bool:
    at = work.index.find(reference.encode("utf-8", "replace"))
    return any(at in run for run in unchanged)
