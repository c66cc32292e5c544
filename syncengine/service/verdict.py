"""What a batch is judged by, and what becomes of each of its frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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

    `held` has the updates that wait for its records, `staged` what earlier messages of the pass are going to write.
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

    `event` is a line for the change log that belongs to the frame set aside, not to a record; `taken_up` are the held updates
    that have been dealt with.
    """

    frame: Frame
    outcome: RecordOutcome
    record_id: RecordId | None = None
    write: RecordWrite | None = None
    set_aside: SetAside | None = None
    event: Change | None = None
    taken_up: tuple[SetAside, ...] = ()
    old: Product | None = None
    new: Product | None = None
    fields: tuple[FieldChange, ...] = ()
    noted: tuple[Noted, ...] = ()
