"""What one pass carries from batch to batch."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from anyio import CancelScope

from syncengine.catalogue.guards import Tallies
from syncengine.domain.frame import Frame, FrameIndex
from syncengine.domain.ids import RecordId, RecordReference
from syncengine.domain.message import MessageMark
from syncengine.domain.passes import PassReport
from syncengine.onix.framing import FramedBatch, Framer
from syncengine.ports import Acknowledging, KnownRecord, Part, PassState
from syncengine.service.options import PassOptions
from syncengine.service.parsers import Parsed
from syncengine.service.verdict import Setting, Verdict

BATCH_RECORDS = 256
BATCH_BYTES = 4 << 20
"""Frames are looked up, parsed and committed in batches of at most so many records or bytes."""

WORTH_RECORDS = 64
"""Frames that are there are worth a commit of their own, so that they are judged while the next stretch is framed."""

HEAVY_BYTES = 1 << 17
"""Records that take more on average are rare, and what one of them takes several times over while it is read."""


@dataclass(slots=True, kw_only=True)
class Work:
    """What one pass carries from batch to batch."""

    state: PassState
    report: PassReport
    tallies: Tallies
    options: PassOptions
    started: float
    index: FrameIndex
    seen: bytearray
    """By position in the index, whether the pass has met the record."""
    quarantined: set[RecordReference]
    """References that have a quarantined frame."""
    staged: dict[RecordId, RecordReference]
    """The stored records that the pass has staged a write of."""
    last_message: dict[str, MessageMark]
    """Per sender, the newest message so far; `stood` is what it was when the pass began."""
    stood: Mapping[str, MessageMark]
    last_full_records: int | None
    resumed: bool
    kept: tuple[PassReport, Mapping[str, int]]
    """The account as it was last committed with the records it tells of."""
    acknowledging: Acknowledging | None = None
    notes_marks: bool = False
    """Marks of what was met are noted in the store with each cursor, since an interrupted pass may be gone on with there."""
    unnoted: list[range] = field(default_factory=list)
    """Positions in the index of records that were met since."""
    unreadable: bool = False
    """A frame's reference could not be read: nothing may vanish."""
    defective: bool = False
    """A message had a defect outside of its records: the pass is not complete, and nothing may vanish."""
    torn: bool = False
    """A message ended before its end: reading may not go on behind it."""

    @property
    def marks(self) -> Mapping[str, int]:
        """The tallies with the marks that decide whether anything may vanish; read back by an interrupted pass."""
        return {**self.tallies.as_mapping(), "unreadable": int(self.unreadable), "defective": int(self.defective)}

    def see(self, unchanged: Sequence[range], references: Iterable[RecordReference | None]) -> None:
        """Mark live records as met: unchanged ones by their positions in the index, others by their references."""
        if not self.seen:
            return
        places = [self.index.find(reference.encode("utf-8", "replace")) for reference in references if reference]
        for run in (*unchanged, *(range(at, at + 1) for at in places if at >= 0)):
            self.seen[run.start : run.stop] = b"\1" * len(run)
            if self.notes_marks:
                self.unnoted.append(run)

    def take_unnoted(self) -> list[RecordId]:
        """The records to be noted as met in the store, once."""
        runs, self.unnoted = self.unnoted, []
        return [RecordId(self.index.ids[at]) for run in runs for at in run]

    def unseen(self) -> list[RecordId]:
        """The live records that the pass has not met."""
        unmet: list[RecordId] = []
        at = self.seen.find(0)
        while at >= 0:
            unmet.append(RecordId(self.index.ids[at]))
            at = self.seen.find(0, at + 1)
        return unmet


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """Frames as they were read, with what is known of their records and what they are judged by."""

    frames: Sequence[Frame]
    known: Mapping[RecordReference, KnownRecord]
    setting: Setting
    parsed: Mapping[int, Parsed]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """Frames that are judged next, and are being read; `unchanged` and `cursor` as in `Judged`."""

    frames: Sequence[Frame]
    reading: asyncio.Task[Read]
    unchanged: Sequence[range]
    cursor: bytes | None


@dataclass(slots=True, kw_only=True)
class Judged:
    """What is to be committed together: verdicts, unchanged records by their positions in the index, the cursor behind them."""

    verdicts: Sequence[Verdict] = ()
    unchanged: Sequence[range] = ()
    cursor: bytes | None = None


@dataclass(slots=True, kw_only=True)
class Batch:
    """Frames of one part that wait for their comparison."""

    part: Part
    framer: Framer
    gathered: FramedBatch = field(default_factory=FramedBatch)
    may_unstage: bool
    """Whether earlier messages of the pass have staged records, which unchanged ones of this take back."""
    ready: Ready | None = None
    """What is judged as soon as something follows it."""
    judged: Judged | None = None
    """What is to be committed beside the next."""
    mark: MessageMark | None = None
    """None until the message's header has been read."""
    is_skipped: bool = False
    """The message's place among those of its sender forbids to apply it."""
    duplicates: int = 0
    emitted_before: set[RecordReference] = field(default_factory=set)
    """References that were compared in an earlier batch of the part and stand in it again."""

    @property
    def uncommitted(self) -> frozenset[RecordReference | None]:
        """The references about which the store may not know the latest."""
        judged = () if self.judged is None else (verdict.frame.reference for verdict in self.judged.verdicts)
        ready = () if self.ready is None else (frame.reference for frame in self.ready.frames)
        return frozenset((*judged, *ready))

    @property
    def unaccounted_count(self) -> int:
        """How many records have come that no account tells of yet."""
        count = len(self.gathered.frames) + self.gathered.unchanged_count
        if self.ready is not None:
            count += len(self.ready.frames) + sum(map(len, self.ready.unchanged))
        if self.judged is not None:
            count += len(self.judged.verdicts) + sum(map(len, self.judged.unchanged))
        return count

    async def forget(self) -> None:
        """Read no more; nothing of it may use the store when the batch is gone."""
        if self.ready is not None:
            self.ready.reading.cancel()
            with CancelScope(shield=True):
                await asyncio.wait([self.ready.reading])
            self.ready = None

    @property
    def is_worth_a_commit(self) -> bool:
        return len(self.gathered.frames) >= WORTH_RECORDS or is_full(self.gathered)


def is_full(batch: FramedBatch) -> bool:
    """Whether it is time to look at what was gathered."""
    return len(batch.frames) >= BATCH_RECORDS or batch.frame_bytes >= BATCH_BYTES


def portions(frames: Sequence[Frame]) -> list[Sequence[Frame]]:
    """The frames in batches of about one size, at least one: one is committed while the next is judged.

    What was kept back to a message's end comes at once, however much it is.
    """
    count = -(-len(frames) // BATCH_RECORDS) or 1
    bounds = [len(frames) * place // count for place in range(count + 1)]
    return [frames[start:end] for start, end in pairwise(bounds)]
