"""Where reading De Marque's catalogue goes on: between passes an instant, within one the address of the next page."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from syncengine.domain.passes import PassMode

DEFAULT_MARGIN = timedelta(minutes=10)
"""How far a delta reaches back behind the last pass."""


class Crawl(msgspec.Struct, kw_only=True, frozen=True):
    """A pass under way: `next` is the page behind the last committed one, `t0` when its first page was asked for."""

    mode: PassMode
    t0: datetime
    next: str
    saved_at: datetime
    pages: int


class Cursor(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """`next_from` is what the next delta asks from, `full_at` the `t0` of the last complete full pass (contract 3.4)."""

    next_from: datetime | None = None
    full_at: datetime | None = None
    crawl: Crawl | None = None

    def encode(self) -> bytes:
        """The bytes that are committed."""
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, text: bytes | None) -> Cursor:
        """The cursor of committed bytes; one that cannot be read counts as none, which a full pass mends."""
        try:
            return msgspec.json.decode(text, type=cls) if text else cls()
        except msgspec.DecodeError:
            return cls()
