"""The least that a zstd feed costs: all frames unpacked into one buffer, and nothing done with what comes out."""

from __future__ import annotations

from pathlib import Path

from zstandard import ZstdDecompressor

from bench.peers.tally import Tally, decompressed

_WINDOW = 256 * 1024
_PIECE = 1024 * 1024
_LONGEST_MATCH = 1 << 27
"""What `zstd --long` needs at most."""


def run(feed: Path) -> Tally:
    """Unpack the file."""
    piece = memoryview(bytearray(_PIECE))
    unpacker = ZstdDecompressor(max_window_size=_LONGEST_MATCH)
    with feed.open("rb", buffering=0) as file:
        pieces = unpacker.stream_reader(file, read_size=_WINDOW, read_across_frames=True)
        return decompressed(sum(iter(lambda: pieces.readinto(piece), 0)))
