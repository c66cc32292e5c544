"""What a run of a peer amounts to, and what it cost the process it ran in."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

RUSAGE_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Seconds of wall and of processor, and the most bytes of memory ever held.

    `process_seconds` is the wall of the whole process where that is another than this one; none where whoever started this one
    has to time it.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    process_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What a peer has read.

    `records` is none where a peer cannot tell them apart; `bytes` are those of the feed, after decompression. `digest` is the
    same for all peers that take the same out of a feed. A peer that works in a process of its own says its `cost` itself;
    `figures` are what only this peer has to tell.
    """

    records: int | None
    bytes: int
    digest: str
    cost: Cost | None = None
    figures: Mapping[str, float] = field(default_factory=dict)


def measured(run: Callable[[], Tally]) -> tuple[Tally, Cost]:
    """Run it here and say what it cost, without the start of this process."""
    started, started_cpu = time.perf_counter(), time.process_time()
    tally = run()
    cpu_seconds = time.process_time() - started_cpu
    seconds = time.perf_counter() - started
    return tally, tally.cost or Cost(seconds=seconds, cpu_seconds=cpu_seconds, peak_bytes=peak_memory())


def counted(records: int, feed: Path) -> Tally:
    """The tally of a peer that takes nothing out of the records but counts them."""
    return Tally(records=records, bytes=feed.stat().st_size, digest=f"{records} records")


def decompressed(size: int) -> Tally:
    """The tally of a peer that only unpacks; the formats' own checksums have seen to the bytes."""
    return Tally(records=None, bytes=size, digest=f"{size} bytes")


def peak_memory() -> int:
    """The most bytes of memory this process ever held.

    Linux counts the parent's memory into `ru_maxrss` of a process that was started from a large one, so its own mark is read
    where there is one.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RUSAGE_UNIT
