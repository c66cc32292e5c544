"""What a feed is to be like: every choice that the generator has, as one value."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum

from xxhash import xxh3_64_hexdigest


class Shape(StrEnum):
    """Whose feeds it looks like."""

    HUB = "hub"
    """Plain ONIX 3.0 of an e-book hub: one supply, prices for several markets."""
    DEMARQUE = "demarque"
    """Cantook (contracts/demarque.md 8): a supply with market, status and dates for each market, two prices in each."""
    CB = "cb"
    """CB to retailers (contracts/cb.md 10): the EAN as reference, notification 04, one supply."""
    BOKBASEN = "bokbasen"
    """Bokbasen (contracts/bokbasen.md 9): ONIX 3.1, market statuses with notes, one price in kroner."""


class Edit(StrEnum):
    """How a record of a later edition differs from that of the first."""

    PRICE = "price"
    AVAILABILITY = "availability"
    TEXT = "text"
    TOUCHED = "touched"
    """Other bytes, equal content."""
    ADDED = "added"
    """A new record behind this one, which stays as it was."""
    REMOVED = "removed"
    """A notice of removal (notification 05) in its place."""
    VANISHED = "vanished"
    """It is not there."""


class Change(StrEnum):
    """Which edits a later edition has; where there are several, they take turns."""

    NONE = "none"
    PRICE = "price"
    AVAILABILITY = "availability"
    TEXT = "text"
    EDITED = "edited"
    """Price, availability and text."""
    TOUCHED = "touched"
    ADDED = "added"
    REMOVED = "removed"
    VANISHED = "vanished"
    MIXED = "mixed"
    """Every kind there is."""

    @property
    def edits(self) -> tuple[Edit, ...]:
        """What each changed record has one of."""
        if self is Change.NONE:
            return ()
        if self is Change.EDITED:
            return (Edit.PRICE, Edit.AVAILABILITY, Edit.TEXT)
        return tuple(Edit) if self is Change.MIXED else (Edit(self.value),)


class Order(StrEnum):
    """In which order the records stand, by their numbers."""

    SAME = "same"
    SHUFFLED = "shuffled"
    REVERSED = "reversed"


class Tags(StrEnum):
    """Which names the elements have."""

    REFERENCE = "reference"
    SHORT = "short"


class Encoding(StrEnum):
    """How the characters are written, as the XML declaration names it."""

    UTF_8 = "UTF-8"
    LATIN_1 = "ISO-8859-1"
    UTF_16 = "UTF-16"


class Compression(StrEnum):
    """What the file is packed in; the value ends its name."""

    PLAIN = ""
    GZIP = ".gz"
    ZSTD = ".zst"
    ZIP = ".zip"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedPlan:
    """A feed to be made.

    Equal plans give equal bytes, and plans that differ only from `change` on give editions of one catalogue. `record_bytes` is the
    mean of a record in UTF-8 with reference names; none can be shorter than its facts, 3,000 to 9,000 bytes by shape. `reference_bytes` holds for the
    shapes whose sender has no form of its own for references.
    """

    records: int
    record_bytes: int = 10_000
    reference_bytes: int = 30
    seed: int = 1
    shape: Shape = Shape.HUB
    tags: Tags = Tags.REFERENCE
    encoding: Encoding = Encoding.UTF_8
    change: Change = Change.NONE
    share: float = 0.0
    """Of the records (0 to 1) so many have an edit; rounded."""
    order: Order = Order.SAME
    compression: Compression = Compression.PLAIN

    @property
    def changed(self) -> int:
        """How many records have an edit."""
        return round(self.records * self.share) if self.change.edits else 0

    @property
    def name(self) -> str:
        """A file name of its own for every plan."""
        told = "\n".join(f"{field.name}={getattr(self, field.name)!s}" for field in fields(self))
        words = [
            self.shape,
            str(self.records),
            *([self.change] if self.changed else []),
            xxh3_64_hexdigest(told.encode())[:8],
        ]
        return f"{'-'.join(words)}.xml{self.compression}"
