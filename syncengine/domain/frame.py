"""Frames: the bytes of one record each, and what they are read in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from syncengine.domain.ids import RecordId, RecordReference


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

    `opening` and `closing` wrap a frame into a document of its own with the message's declaration, root and namespaces.
    """

    encoding: str
    release: str
    style: TagStyle
    opening: bytes
    closing: bytes
    header: MessageHeader

    @property
    def essence(self) -> Context:
        """The same without what tells one message from the next: what a record is kept with, to be read again later."""
        header = replace(self.header, sender=None, number=None, repeat=None, sent_at_text=None)
        return replace(self, header=header)

    @property
    def meaning(self) -> tuple[str | None, ...]:
        """The parts that the fingerprint's seed is made of; nothing here depends on when the message was sent."""
        return (
            self.encoding,
            self.release,
            self.style.value,
            self.opening.decode("utf-8", "surrogateescape"),
            self.header.default_price_type,
            self.header.default_currency,
            self.header.default_language,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The bytes of one record, its reference as read from them, and their fingerprint in the message's context.

    `reference` is none where none could be read; `offset` counts bytes from the start of the (decompressed, ASCII-compatible)
    message, `line` lines from 1. `repeated` tells that the reference stands more than once in its message, now or when it was
    last applied: such frames come at the message's end, of each reference from the last whole record on.
    """

    reference: RecordReference | None
    body: bytes
    fingerprint: bytes
    offset: int
    line: int
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class KnownFrame:
    """What the index remembers of the last applied frame of a reference."""

    record_id: RecordId
    length: int
    fingerprint: bytes
    repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameIndex:
    """The references of one source, as written in its feed, with their last applied frames; empty where nothing is predicted."""

    frames: Mapping[bytes, KnownFrame] = field(default_factory=dict)

    def get(self, reference: bytes) -> KnownFrame | None:
        """The known frame of a reference, as the bytes between its tags."""
        return self.frames.get(reference)
