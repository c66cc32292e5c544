"""Where reading one of Bokbasen's feeds goes on: behind the last `Next` that was handed out (contract bokbasen 3)."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from syncengine.domain.passes import PassMode


class Cursor(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """`next` is the server's own, which it handed out at `next_at`; `since` an instant to ask after where it never gave one.

    `mode` is that of a pass under way, `full_at` the start of the last whole load.
    """

    next: str | None = None
    next_at: datetime | None = None
    since: datetime | None = None
    mode: PassMode | None = None
    full_at: datetime | None = None

    def encode(self) -> bytes:
        """The bytes that are committed."""
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, text: bytes | None) -> Cursor:
        """The cursor of committed bytes; one that cannot be read counts as none, which a whole load mends."""
        try:
            return msgspec.json.decode(text, type=cls) if text else cls()
        except msgspec.DecodeError:
            return cls()

    def is_usable(self, now: datetime, maximum_age: timedelta | None) -> bool:
        """Whether the server will go on from it: neither kind of place may be older than that; none = of any age."""
        place = self.next_at if self.next else self.since
        if place is None:
            return False
        return maximum_age is None or now - place < maximum_age


def after(at: datetime, zone: ZoneInfo) -> str:
    """An instant as the parameter `after` wants it, in the platform's civil time (a choice: contract 14)."""
    return f"{at.astimezone(zone):%Y%m%d%H%M%S}"
