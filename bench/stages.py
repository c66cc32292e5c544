"""What each stage of intake takes by itself: `python -m bench.stages STORE SOURCE FEED` prints one JSON line of figures.

The stages run one after the other in one process over a feed that the store holds, without what joins them in a pass: seconds, and
where it explains the seconds, how many blocks of memory the interpreter had to find.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import anyio
import xxhash

from adapters.clock import SystemClock
from bench.once import peak_memory
from state.sqlite import open_store
from syncengine.domain.frame import FrameIndex
from syncengine.domain.ids import SourceName
from syncengine.onix.codelists import standard
from syncengine.onix.fingerprint import vocabulary_seed
from syncengine.onix.framing import Framer
from syncengine.onix.parsing import parse
from syncengine.ports import Urgency

PARSED = 1_000
"""So many records are parsed; it takes long, and each takes about as long as the next."""

_CHUNK = 256 * 1024
_NOBODY = SourceName("nobody")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a store knows of a source, what it knows of nobody, and the seed of its fingerprints."""

    index: FrameIndex
    nothing: FrameIndex
    seed: int


async def known(store: str, source: SourceName) -> tuple[Known, dict[str, float]]:
    """Read the index of a source, and what that took."""
    opened = await open_store(store, clock=SystemClock())
    try:
        async with opened.transaction(Urgency.INTAKE) as tx:
            started, blocks = time.perf_counter(), sys.getallocatedblocks()
            index = await tx.records.index(source)
            figures = {
                "index_seconds": time.perf_counter() - started,
                "index_blocks": float(sys.getallocatedblocks() - blocks),
            }
            nothing = await tx.records.index(_NOBODY)
        return Known(
            index=index, nothing=nothing, seed=vocabulary_seed(opened.identity.seed, standard().version)
        ), figures
    finally:
        await opened.aclose()


def stages(feed: Path, known: Known) -> dict[str, float]:
    """Read, hash, frame what is known, frame what is not, parse; raises AssertionError where the frames are not what is known."""
    figures: dict[str, float] = {}
    size = _timed("read", figures, lambda: sum(map(len, _chunks(feed))))
    _timed("hash", figures, lambda: _hash(feed))
    records, changed = _timed("frame_known", figures, lambda: _frame(feed, known.seed, known.index))
    _, read = _timed("frame_unknown", figures, lambda: _frame(feed, known.seed, known.nothing))
    if (changed, read) != (0, records):
        raise AssertionError(f"of {records} records {changed} are changed; unknown, {read} are read")
    parsed = _timed("parse", figures, lambda: _parse(feed, known))
    return figures | {"bytes": size, "records": records, "parsed": parsed}


def _timed(stage: str, figures: dict[str, float], work: Callable[[], T]) -> T:
    blocks, started = sys.getallocatedblocks(), time.perf_counter()
    done = work()
    figures[f"{stage}_seconds"] = time.perf_counter() - started
    figures[f"{stage}_blocks_left"] = max(0, sys.getallocatedblocks() - blocks)
    return done


def _chunks(feed: Path) -> Iterator[bytes]:
    with feed.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _hash(feed: Path) -> bytes:
    digest = xxhash.xxh3_128()
    for chunk in _chunks(feed):
        digest.update(chunk)
    return digest.digest()


def _frame(feed: Path, seed: int, index: FrameIndex) -> tuple[int, int]:
    """How many records there are, and how many of them would have to be read."""
    framer = Framer(seed=seed, index=index)
    read = sum(len(framer.feed(chunk).frames) for chunk in _chunks(feed)) + len(framer.close().frames)
    return framer.records, read


def _parse(feed: Path, known: Known) -> int:
    """Parse the first records; gives their number. Framing them is a small part of the time."""
    framer = Framer(seed=known.seed, index=known.nothing)
    parsed = 0
    for chunk in _chunks(feed):
        for frame in framer.feed(chunk).frames[: PARSED - parsed]:
            if framer.context is not None:
                parse(frame.body, framer.context)
                parsed += 1
        if parsed >= PARSED:
            break
    return parsed


def main(store: str, source: str, feed: str) -> dict[str, float]:
    """All figures of one run."""
    indexed, figures = anyio.run(known, store, SourceName(source))
    return figures | stages(Path(feed), indexed) | {"cpu_seconds": time.process_time(), "peak_bytes": peak_memory()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(*sys.argv[1:])) + "\n")
