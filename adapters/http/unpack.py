"""Compressed bytes to plain ones, piece by piece: the stream's end is demanded, and a bomb is not unpacked to its end."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Protocol

from isal import igzip_lib

from syncengine.errors import FeedTorn, NotOnix
from syncengine.logs import Logger

PIECE = 1 << 20
"""The largest plain piece that is given at once."""

_MOST_RATIO = 500
_RATIO_FREE_BYTES = 64 << 20

_GzipFault: type[Exception] = vars(igzip_lib)["error"]
"""Its stubs call the exception class an exception."""

_log = Logger(__name__)


class Packing(Enum):
    """How bytes are packed, told by their first ones."""

    PLAIN = b""
    GZIP = b"\x1f\x8b"
    ZSTD = b"\x28\xb5\x2f\xfd"
    ZIP = b"PK\x03\x04"
    EMPTY_ZIP = b"PK\x05\x06"
    BZIP2 = b"BZh"
    XZ = b"\xfd7zXZ\x00"

    @classmethod
    def of(cls, opening: bytes) -> Packing:
        """Recognise by content; names lie."""
        return next((packing for packing in cls if packing.value and opening.startswith(packing.value)), cls.PLAIN)


class Unpacker(Protocol):
    """Takes packed bytes in order, gives plain ones."""

    def feed(self, packed: bytes) -> Iterator[bytes]:
        """The plain pieces that these bytes complete, each at most PIECE long; to be read to their end."""
        ...

    def finish(self) -> None:
        """Nothing more comes; raises FeedTorn unless the packed stream ended too."""
        ...


class PlainUnpacker:
    """Gives back what it is fed."""

    def feed(self, packed: bytes) -> Iterator[bytes]:
        if packed:
            yield packed

    def finish(self) -> None:
        """Plain bytes have no end of their own; the closing tag is demanded further on."""


class RatioWatch:
    """Stops a stream that grows beyond anything an ONIX message does."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._packed = 0
        self._plain = 0

    def count(self, *, packed: int = 0, plain: int = 0) -> None:
        """Account for bytes; raises NotOnix once they have grown too much."""
        self._packed += packed
        self._plain += plain
        if self._plain > _RATIO_FREE_BYTES and self._plain > self._packed * _MOST_RATIO:
            raise NotOnix(
                f"{self._name} unpacks to more than {_MOST_RATIO} times its size",
                hint="no catalogue does that: look at where the file comes from",
            )


class GzipUnpacker:
    """Gzip with all its members; each member's checksum and length are checked.

    Zero padding after the last member is part of the format's practice; anything else behind it is ignored with a warning,
    since every member before it was whole.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._ratio = RatioWatch(name)
        self._member = _new_member()
        self._between = b""
        self._done = False

    def feed(self, packed: bytes) -> Iterator[bytes]:
        self._ratio.count(packed=len(packed))
        rest = self._to_member(packed)
        while rest and not self._done:
            for piece in self._inflate(rest):
                self._ratio.count(plain=len(piece))
                yield piece
            rest = self._to_member(self._member.unused_data) if self._member.eof else b""

    def finish(self) -> None:
        if not self._member.eof:
            raise FeedTorn(
                f"{self._name} is cut off: its gzip stream has no end", hint="fetch or copy the file again, whole"
            )

    def _inflate(self, packed: bytes) -> Iterator[bytes]:
        try:
            piece = self._member.decompress(packed, PIECE)
            while piece:
                yield piece
                if self._member.eof or self._member.needs_input:
                    return
                piece = self._member.decompress(b"", PIECE)
        except _GzipFault as error:
            raise FeedTorn(f"{self._name} is damaged: {error}", hint="fetch or copy the file again, whole") from error

    def _to_member(self, rest: bytes) -> bytes:
        """Open the next member where one is over; two bytes are needed to tell, so one may be kept for the next feed."""
        if not self._member.eof:
            return rest
        following = (self._between + rest).lstrip(b"\0")
        self._between = b""
        if following.startswith(Packing.GZIP.value):
            self._member = _new_member()
            return following
        if len(following) == 1 and Packing.GZIP.value.startswith(following):
            self._between = following
        elif following:
            self._done = True
            _log.warning("bytes after the gzip stream ignored", name=self._name, count=len(following))
        return b""


def _new_member() -> igzip_lib.IgzipDecompressor:
    return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
