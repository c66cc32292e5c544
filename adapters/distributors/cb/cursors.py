"""Where reading CB's streams goes on: an instant for the feed, what is listed for the inventory, what was read for files."""

from __future__ import annotations

import zlib
from collections.abc import Collection
from datetime import date, datetime
from typing import TypeVar

import msgspec

C = TypeVar("C", bound=msgspec.Struct)


class FeedCursor(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """`began_at` is this shop's clock before page 1 of the last complete pass (contract cb 3.3), `full_at` of the last full one."""

    began_at: datetime | None = None
    full_at: datetime | None = None


class InventoryCursor(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """`listed` is what the last inventory had, packed; `unanswered` and `doubted` have gone from it since.

    The unanswered are asked about in every pass, the doubted, for which the check said yes, with every inventory.
    """

    read_at: datetime | None = None
    listed: bytes = b""
    unanswered: tuple[str, ...] = ()
    doubted: tuple[str, ...] = ()

    @property
    def eans(self) -> frozenset[str]:
        """What the last inventory listed."""
        return frozenset(zlib.decompress(self.listed).decode("ascii").split()) if self.listed else frozenset()


class FilesCursor(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """`read` names the files of the out box that were dealt with, `sent_at` is the newest of them by its own word.

    `warned` is the last day of which the absence of a file was told.
    """

    read: tuple[str, ...] = ()
    sent_at: datetime | None = None
    warned: date | None = None


def packed(eans: Collection[str]) -> bytes:
    """EANs as a cursor keeps them."""
    return zlib.compress(" ".join(sorted(eans)).encode("ascii"), 9)


def encode(cursor: msgspec.Struct) -> bytes:
    """The bytes that are committed."""
    return msgspec.msgpack.encode(cursor)


def decode(text: bytes | None, kind: type[C]) -> C:
    """The cursor of committed bytes; one that cannot be read counts as none, and everything is read once more."""
    try:
        return msgspec.msgpack.decode(text, type=kind) if text else kind()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return kind()
