"""What a batch is judged by, and what becomes of each of its frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from syncengine.domain.change import Change, FieldChange
from syncengine.domain.frame import Context, Frame
from syncengine.domain.ids import RecordId, RecordReference, SourceName, StreamName
from syncengine.domain.message import MessageMark
from syncengine.domain.passes import Noted, RecordOutcome
from syncengine.domain.product import Product
from syncengine.onix.codelists import CodeLists
from syncengine.onix.parsing import Reading
from syncengine.ports import Conventions, MissingReference, RecordWrite, Rules, SetAside


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Where a batch comes from and by whose conventions it is read.

    `at` is now, `arrived_at` when its frames came: earlier, where they were set aside and are read again. `held` has the updates
    that wait for its records, `staged` what earlier messages of the pass are going to write. `seed` is that of the frames'
    fingerprints: one and the same bytes with the same fingerprint mean the same.
    """

    source: SourceName
    stream: StreamName
    part: str
    context: Context
    mark: MessageMark
    rules: Rules
    conventions: Conventions
    codes: CodeLists
    at: datetime
    arrived_at: datetime
    seed: int
    held: Mapping[RecordReference, Sequence[SetAside]] = field(default_factory=dict)
    staged: Mapping[RecordReference, RecordWrite] = field(default_factory=dict)

    @property
    def reading(self) -> Reading:
        """How its records are read."""
        derives = self.conventions.missing_reference is MissingReference.DERIVE
        return Reading(codes=self.codes, derives_reference=derives)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one frame; `old` and `new` are the facts before and after where there are any.

    `event` is a line for the change log that belongs to the frame set aside, not to a record. `says_all` tells that the frame is
    about the whole of its record: what came before it and could not be read is missed no more.
    """

    frame: Frame
    outcome: RecordOutcome
    record_id: RecordId | None = None
    write: RecordWrite | None = None
    set_aside: SetAside | None = None
    event: Change | None = None
    says_all: bool = False
    old: Product | None = None
    new: Product | None = None
    fields: tuple[FieldChange, ...] = ()
    noted: tuple[Noted, ...] = ()

    @property
    def settles(self) -> bool:
        """Whether it tells how its record is to stand; what is unreadable, held, a test or a notice leaves it as it is."""
        return self.write is not None or self.outcome in {RecordOutcome.UNCHANGED, RecordOutcome.REMOVED}

    def superseded(self) -> Verdict:
        """The same where a later frame of the message settles the record."""
        return replace(self, outcome=RecordOutcome.DUPLICATES, write=None, old=None, new=None, fields=())
