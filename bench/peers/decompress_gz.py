"""The least that a gzip feed costs: ISA-L's inflate, all members, and nothing done with what comes out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from isal.igzip_lib import DECOMP_GZIP, IgzipDecompressor

from bench.peers.tally import Tally, decompressed

_WINDOW = 256 * 1024
_PIECE = 1024 * 1024


def run(feed: Path) -> Tally:
    """Unpack the file."""
    with feed.open("rb", buffering=0) as file:
        return decompressed(sum(map(len, _pieces(file))))


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    packed = file.read(_WINDOW)
    while packed:
        member = IgzipDecompressor(flag=DECOMP_GZIP)
        while not member.eof:
            if member.needs_input and not (packed := packed or file.read(_WINDOW)):
                raise EOFError("the gzip stream has no end")
            yield member.decompress(packed, _PIECE)
            packed = b""
        packed = member.unused_data or file.read(_WINDOW)
