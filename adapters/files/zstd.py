"""Zstandard: what is packed in a file to plain pieces, each unpacked in one go and bounded however far the bytes would grow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Final, cast

import zstandard

from adapters.http.unpack import PIECE, RatioWatch
from syncengine.errors import FeedTorn

_WINDOW: Final = 1 << 27
"""How far back a match may reach at most, which has to be kept in memory: as far as `zstd --long` goes."""

_LONGEST_HEADER: Final = 18
_CHECKSUM_FLAG: Final = 4
_CHECKSUM_BYTES: Final = 4
_SKIPPABLE: Final = b"\x2a\x4d\x18"
"""The magic number of a frame that holds nothing to unpack, behind its first byte, of which the upper half is 5."""
_SKIPPABLE_HEADER: Final = 8
_BLOCK_HEADER: Final = 3
_REPEATED_BYTE: Final = 1


def unzstd(file: IO[bytes], name: str) -> Iterator[bytes]:
    """The plain pieces of a whole zstd stream with all its frames, each at most PIECE long; blocking.

    Raises FeedTorn where it is damaged or ends before its end, NotOnix where it grows beyond anything an ONIX message does.
    """
    ratio = RatioWatch(name)
    packed = _Packed(file, ratio)
    unpacker = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
    # Of a source it reads from, only `read` is called.
    reader = unpacker.stream_reader(cast("IO[bytes]", packed), read_size=PIECE, read_across_frames=True)
    while piece := _read(reader, name):
        ratio.count(plain=len(piece))
        yield piece
    if not packed.frames.are_whole:
        raise FeedTorn(f"{name} is cut off: its zstd stream has no end", hint="fetch or copy the file again, whole")


def _read(reader: zstandard.ZstdDecompressionReader, name: str) -> bytes:
    try:
        return reader.read(PIECE)
    except zstandard.ZstdError as error:
        raise FeedTorn(f"{name} is damaged: {error}", hint="fetch or copy the file again, whole") from error


class _Packed:
    """The packed bytes of a file, counted and followed on their way to who unpacks them."""

    def __init__(self, file: IO[bytes], ratio: RatioWatch) -> None:
        self.frames = Frames()
        self._file = file
        self._ratio = ratio

    def read(self, size: int) -> bytes:
        packed = self._file.read(size)
        self._ratio.count(packed=len(packed))
        self.frames.follow(packed)
        return packed


class Frames:
    """Follows a zstd stream from block to block by the sizes that are written there (RFC 8878, 3.1): who unpacks a stream that
    is cut off is not told so.

    Nothing is checked on the way. What is no zstd stream has no end here, and is refused by who unpacks it.
    """

    def __init__(self) -> None:
        self._head = b""
        """As much as has come of a header that is not whole."""
        self._ahead = 0
        """How many of the bytes to come belong to what has begun."""
        self._is_inside = False
        """Whether another block of the frame follows."""
        self._trailer_bytes = 0

    @property
    def are_whole(self) -> bool:
        """Whether what has come so far is whole frames."""
        return not (self._head or self._ahead or self._is_inside)

    def follow(self, packed: bytes) -> None:
        """Take in the next bytes."""
        packed = self._head + packed
        at, step = self._ahead, 1
        while step and at < len(packed):
            step = self._block(packed, at) if self._is_inside else self._opening(packed[at : at + _LONGEST_HEADER])
            at += step
        self._head, self._ahead = packed[at:], max(0, at - len(packed))

    def _block(self, packed: bytes, at: int) -> int:
        """How long the block is that begins here, with the checksum behind the last one; 0 where that cannot be told yet."""
        if at + _BLOCK_HEADER > len(packed):
            return 0
        header = int.from_bytes(packed[at : at + _BLOCK_HEADER], "little")
        is_last, kind, size = header & 1, header >> 1 & 3, header >> 3
        self._is_inside = not is_last
        content = 1 if kind == _REPEATED_BYTE else size
        return _BLOCK_HEADER + content + (self._trailer_bytes if is_last else 0)

    def _opening(self, head: bytes) -> int:
        """How long the header of a frame is, with all that a skippable one skips; 0 where that cannot be told yet."""
        if head[1:4] == _SKIPPABLE and head[0] >> 4 == 5:
            whole = len(head) >= _SKIPPABLE_HEADER
            return _SKIPPABLE_HEADER + int.from_bytes(head[4:8], "little") if whole else 0
        try:
            size = zstandard.frame_header_size(head)
        except zstandard.ZstdError:
            return 0
        if size > len(head):
            return 0
        self._is_inside = True
        self._trailer_bytes = _CHECKSUM_BYTES if head[4] & _CHECKSUM_FLAG else 0
        return size
