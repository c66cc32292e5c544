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

    @property
    def records(self) -> int:
        """How many records were read."""
        return sum(self.outcomes.values())

    def count(self, outcome: RecordOutcome, number: int = 1) -> None:
        """Account for records."""
        self.outcomes[outcome] += number

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
            "seconds": round(self.seconds, 3),
            "changes": dict(self.changes),
        }
