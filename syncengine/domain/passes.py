"""Passes: one reading of one stream, and the account of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from syncengine.domain.ids import SourceName, StreamName


class PassMode(StrEnum):
    """How much of a stream a pass reads."""

    FULL = "full"
    DELTA = "delta"
    SINGLE = "single"


class RecordOutcome(StrEnum):
    """What became of each record that was read; every record has exactly one."""

    UNCHANGED = "unchanged"
    TOUCHED = "touched"
    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"
    HELD = "held"
    IGNORED = "ignored"
    DUPLICATES = "duplicates"
    QUARANTINED = "quarantined"


class WarningKind(StrEnum):
    """What was odd about a message or a record, in the words that pass reports count by (reference/onix.md 2.17)."""

    ENCODING = "encoding"
    """Bytes that are not in the encoding the message declares."""
    CONTROL_CHARACTERS = "control_characters"
    ENTITIES = "entities"
    """Undefined, stray or double-escaped ones."""
    NAMESPACE = "namespace"
    ROOT = "root"
    """Misspelled, or a record without a message around it."""
    RELEASE = "release"
    """Missing, contradicted by the namespace, or by the content."""
    HEADER = "header"
    STRAY_CONTENT = "stray_content"
    """What stands in a message and is no record."""
    TRUNCATED = "truncated"
    """A message that ends before its end."""
    EMPTY = "empty"
    """A message that ends properly and holds neither a record nor NoProduct, which says that there is none."""
    CUT_RECORD = "cut_record"
    """A record without its end tag, or with another one swallowed in a comment."""
    DUPLICATE_REFERENCE = "duplicate_reference"
    MISSING_REFERENCE = "missing_reference"
    """Derived from an identifier."""
    INVALID_IDENTIFIER = "invalid_identifier"
    REKEYED = "rekeyed"
    """An ISBN that is known under another reference."""
    UNKNOWN_CODE = "unknown_code"
    STRIPPED_CODE = "stripped_code"
    """Blanks around or inside a code."""
    AMOUNT = "amount"
    DATE = "date"
    """One whose digits contradict its format, or that is none."""
    INCOMPLETE = "incomplete"
    """A composite left out, since what makes it say something is missing."""
    FILLER = "filler"
    """N/A and its like where a fact belongs."""
    BLOCK_UPDATE = "block_update"
    """One that could not be merged market by market, or changed the identifiers."""
    HELD = "held"
    SET_ASIDE = "set_aside"
    """Test records and notices of transfer."""
    UNKNOWN_DELETE = "unknown_delete"
    QUARANTINED = "quarantined"
    OLDER_MESSAGE = "older_message"
    REPEATED_MESSAGE = "repeated_message"
    NUMBER_GAP = "number_gap"
    GUARD = "guard"
    BROKEN_OFF = "broken_off"
    """The pass did not come to its end."""


@dataclass(frozen=True, slots=True)
class Noted:
    """A warning: its kind, and a sentence for the operator."""

    kind: WarningKind
    says: str


WARNINGS_KEPT = 100
"""Of a pass's warnings so many are kept as sentences; all are counted."""


@dataclass(slots=True, kw_only=True)
class PassReport:
    """The account of a pass, as `resync --json` prints it: the counts of `outcomes` add up to `records`."""

    source: SourceName
    stream: StreamName
    mode: PassMode
    started_at: datetime
    complete: bool = False
    bytes: int = 0
    outcomes: dict[RecordOutcome, int] = field(default_factory=lambda: dict.fromkeys(RecordOutcome, 0))
    vanished: int = 0
    seconds: float = 0.0
    changes: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    warning_kinds: dict[str, int] = field(default_factory=dict)

    @property
    def records(self) -> int:
        """How many records were read."""
        return sum(self.outcomes.values())

    def count(self, outcome: RecordOutcome, number: int = 1) -> None:
        """Account for records."""
        self.outcomes[outcome] += number

    def warn(self, noted: Noted) -> None:
        """Count a warning, and keep its sentence among the first `WARNINGS_KEPT`."""
        self.warning_kinds[noted.kind.value] = self.warning_kinds.get(noted.kind.value, 0) + 1
        if len(self.warnings) < WARNINGS_KEPT:
            self.warnings.append(noted.says)
        elif len(self.warnings) == WARNINGS_KEPT:
            self.warnings.append(f"more than {WARNINGS_KEPT} warnings; the rest are only counted")

    def restart(self) -> None:
        """Account from nothing; what was warned of stays."""
        self.bytes = self.vanished = 0
        self.outcomes = dict.fromkeys(RecordOutcome, 0)
        self.changes = {}

    def as_document(self) -> dict[str, Any]:
        """The keys of design section 10."""
        return {
            "source": self.source,
            "stream": self.stream,
            "mode": self.mode.value,
            "complete": self.complete,
            "bytes": self.bytes,
            "records": self.records,
            **{outcome.value: number for outcome, number in self.outcomes.items()},
            "vanished": self.vanished,
            "warnings": list(self.warnings),
            "warning_kinds": dict(sorted(self.warning_kinds.items())),
            "seconds": round(self.seconds, 3),
            "changes": dict(sorted(self.changes.items())),
        }
