"""Changes: what a pass found to differ, record by record and offer by offer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from syncengine.domain.ids import RecordReference, SourceName, TitleKey


class ChangeKind(StrEnum):
    """What became of a record, or was told of it, or that an offer moved."""

    ADDED = "added"
    CHANGED = "changed"
    TOUCHED = "touched"
    REMOVED = "removed"
    VANISHED = "vanished"
    TRANSFERRED = "transferred"
    """A notice that the product goes to another publisher (notifications 08 and 09); the record stays as it is."""
    OFFER = "offer"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """A field of a record with its old and new value as people read them; long texts are named, not repeated."""

    field: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of the change log. Record changes name a reference, offer changes a market."""

    at: datetime
    source: SourceName
    kind: ChangeKind
    key: TitleKey | None = None
    reference: RecordReference | None = None
    market: str | None = None
    fields: tuple[FieldChange, ...] = ()
    sequence: int = 0
    """Given by the store: rises by one with every line."""
