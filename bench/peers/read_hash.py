"""The least that any detection of changes must do: every byte once, through one buffer, and XXH3-128 of it."""

from __future__ import annotations

from pathlib import Path

from xxhash import xxh3_128

from bench.peers.tally import Tally

_WINDOW = 256 * 1024


def run(feed: Path) -> Tally:
    """Hash the file."""
    digest = xxh3_128()
    window = memoryview(bytearray(_WINDOW))
    size = 0
    with feed.open("rb", buffering=0) as file:
        while length := file.readinto(window):
            digest.update(window[:length])
            size += length
    return Tally(records=None, bytes=size, digest=digest.hexdigest())
