"""Frames: the bytes of one record each, and what they are read in."""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from enum import StrEnum
from typing import ClassVar

from xxhash import xxh3_64_intdigest

from syncengine.domain.ids import RecordReference
from syncengine.domain.rows import Rows


class TagStyle(StrEnum):
    """Reference names or short tags; the root decides, single elements may differ (reference/onix.md 2.17)."""

    REFERENCE = "reference"
    SHORT = "short"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageHeader:
    """What the header of a message says beyond its records.

    `default_*` change the meaning of every price in the message and belong to its context; `sent_at_text`, `number` and
    `repeat` (MessageRepeat) are for ordering only.
    """

    sender: str | None = None
    number: str | None = None
    repeat: str | None = None
    sent_at_text: str | None = None
    default_price_type: str | None = None
    default_currency: str | None = None
    default_language: str | None = None

    def price_defaults(self, said: Collection[str]) -> Mapping[str, str]:
        """What a price takes from it, by reference names: its type, and with an amount its currency; `said` is what it says itself."""
        defaults = {"PriceType": self.default_price_type}
        if "PriceAmount" in said:
            defaults["CurrencyCode"] = self.default_currency
        return {name: text for name, text in defaults.items() if text and name not in said}


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """All that the meaning of a frame's bytes depends on, outside of them (design section 4).

    `opening` and `closing` wrap a frame into a document of its own with the message's declaration, root and namespaces. `rows` is how
    it is written where it is no ONIX, and has no release then.
    """

    encoding: str
    release: str
    style: TagStyle
    opening: bytes
    closing: bytes
    header: MessageHeader
    rows: Rows | None = None

    @property
    def essence(self) -> Context:
        """The same without what tells one message from the next: what a record is kept with, to be read again later."""
        header = replace(self.header, sender=None, number=None, repeat=None, sent_at_text=None)
        return replace(self, header=header)

    @property
    def meaning(self) -> tuple[str | None, ...]:
        """The parts that the fingerprint's seed is made of; nothing here depends on when the message was sent."""
        rows = () if self.rows is None else astuple(self.rows)
        return (
            self.encoding,
            self.release,
            self.style.value,
            self.opening.decode("utf-8", "surrogateescape"),
            self.header.default_price_type,
            self.header.default_currency,
            self.header.default_language,
            *rows,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The bytes of one record, its reference as read from them, and their fingerprint in the message's context.

    `reference` is none where none could be read; `offset` counts bytes from the start of the (decompressed, ASCII-compatible)
    message, `line` lines from 1, `line_count` the ends of lines inside. `repeated` tells that the reference stands more than once in its message, now or when it was
    last applied: such frames come at the message's end, of each reference from the last whole record on.
    """

    reference: RecordReference | None
    body: bytes
    fingerprint: bytes
    offset: int
    line: int
    line_count: int = 0
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class KnownFrame:
    """What is remembered of the last applied frame of a live record.

    `length` counts its bytes, `line_count` the ends of lines in them. No `fingerprint`: its next frame is always to be read, as
    for a record that was put together of several. `repeated` tells that its reference stood more than once in its message.
    """

    length: int
    fingerprint: bytes | None
    line_count: int = 0
    repeated: bool = False

    def entry(self, reference: RecordReference) -> bytes:
        """The same as an entry of a FrameIndex."""
        mark = reference_mark(reference.encode("utf-8", "replace"))
        if self.repeated or self.fingerprint is None or not 0 < self.length <= _LARGEST:
            return _ENTRY.pack(_UNPREDICTABLE, mark, 0, int(self.repeated))
        return _ENTRY.pack(self.fingerprint, mark, self.length, self.line_count)


_ENTRY = struct.Struct("=16sQII")
_UNPREDICTABLE = bytes(16)
_LARGEST = (1 << 32) - 1


def reference_mark(reference: bytes) -> int:
    """64 bits by which a reference is looked up. Where two have the same, one of them is read more often than it need be."""
    return xxh3_64_intdigest(reference)


class FrameIndex:
    """The live records of one source by their last applied frames, as bytes: 40 a record, and 140 more once one is looked up.

    Records have positions, in the order of their `ids`: that in which their feed first had them, and mostly still has. `entries`
    holds one after the other what KnownFrame.entry packs. One whose next frame is always to be read has length 0 and a
    fingerprint that no bytes have; its line count tells whether its reference was repeated.
    """

    ENTRY_BYTES: ClassVar[int] = _ENTRY.size

    __slots__ = ("_marks", "_positions", "entries", "ids", "lengths", "line_counts")

    def __init__(self, entries: bytes = b"", ids: Sequence[int] = ()) -> None:
        view = memoryview(entries)
        self.entries = entries
        self.ids = ids
        self.lengths: memoryview[int] = view.cast("I")[6 :: _ENTRY.size // 4]
        self.line_counts: memoryview[int] = view.cast("I")[7 :: _ENTRY.size // 4]
        self._marks: memoryview[int] = view.cast("Q")[2 :: _ENTRY.size // 8]
        self._positions: dict[int, int] | None = None

    @classmethod
    def of(cls, frames: Mapping[RecordReference, KnownFrame]) -> FrameIndex:
        """An index of these, numbered from 0."""
        return cls(b"".join(known.entry(reference) for reference, known in frames.items()), range(len(frames)))

    def __len__(self) -> int:
        return len(self.ids)

    def find(self, reference: bytes, likely: int = -1) -> int:
        """The position of a reference, in UTF-8; -1 where it has no live record. `likely` is where to look first, if anywhere."""
        mark = reference_mark(reference)
        if 0 <= likely < len(self) and self._marks[likely] == mark:
            return likely
        if self._positions is None:
            self._positions = dict(zip(self._marks, range(len(self)), strict=True))
        return self._positions.get(mark, -1)

    def fingerprint(self, position: int) -> bytes:
        """Of the frame that is predicted there."""
        return bytes(self.entries[position * _ENTRY.size : position * _ENTRY.size + 16])

    def is_repeated(self, position: int) -> bool:
        """Whether the reference stood more than once in the message of its last applied frame."""
        return not self.lengths[position] and bool(self.line_counts[position])
