"""The loops that `bench.instructions` counts, in the process this is: `python -m bench.marked FOLDER`, under callgrind.

FOLDER holds the feed and the store that has it. What is counted lies between two calls of `getsid`, at which callgrind writes
down what it has so far: nothing else here calls it, and neither the interpreter's start nor the reading of the index is counted.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from xxhash import xxh3_128_digest

from adapters.clock import SystemClock
from state.sqlite.store import open_store
from syncengine.domain.frame import FrameIndex
from syncengine.domain.ids import SourceName
from syncengine.onix.codelists import standard
from syncengine.onix.fingerprint import vocabulary_seed
from syncengine.onix.framing import Framer
from syncengine.ports import Urgency

FEED = "feed.xml"
STORE = "store.db"
SOURCE = "bench"
_NOBODY = "nobody"
_CHUNK = 256 * 1024


def main(folder: Path, records: int) -> None:
    """Run each loop between marks, once it has run unmarked so that the interpreter knows it."""
    feed = (folder / FEED).read_bytes()
    loops = asyncio.run(_loops(folder, feed, records))
    for loop in loops:
        loop()
    for loop in loops:
        gc.collect()
        _mark()
        loop()
        _mark()


async def _loops(folder: Path, feed: bytes, records: int) -> Sequence[Callable[[], None]]:
    """Hashing alone, a pass over what is known, and one over what is not."""
    store = await open_store(folder / STORE, clock=SystemClock())
    try:
        async with store.transaction(Urgency.TRADE) as tx:
            known = await tx.records.index(SourceName(SOURCE))
            nothing = await tx.records.index(SourceName(_NOBODY))
        seed = vocabulary_seed(store.identity.seed, standard().version)
    finally:
        await store.aclose()
    length = len(feed) // records
    pieces = [memoryview(feed)[start : start + length] for start in range(0, length * records, length)]
    chunks = [feed[start : start + _CHUNK] for start in range(0, len(feed), _CHUNK)]
    return (
        lambda: _hash(pieces),
        lambda: _frame(chunks, seed, known, records, read_count=0),
        lambda: _frame(chunks, seed, nothing, records, read_count=records),
    )


def _hash(pieces: Sequence[memoryview]) -> None:
    """The least that a pass can do: hash the same bytes in as many pieces, and look at each digest.

    The pieces are cut beforehand, so that nothing here depends on where memory happens to be free.
    """
    missing = bytes(16)
    for piece in pieces:
        if xxh3_128_digest(piece, 1) == missing:
            raise AssertionError("no digest is all zeros")


def _frame(chunks: Sequence[bytes], seed: int, index: FrameIndex, records: int, *, read_count: int) -> None:
    """A pass that frames and does nothing with the frames; raises AssertionError unless so many of the records are to be read."""
    framer = Framer(seed=seed, index=index)
    found = sum(len(framer.feed(chunk).frames) for chunk in chunks) + len(framer.close().frames)
    if (framer.records, found) != (records, read_count):
        raise AssertionError(f"{found} of {framer.records} records are to be read, not {read_count} of {records}")


def _mark() -> None:
    os.getsid(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
