"""A message's bytes to its frames, off the event loop where the bytes come from a disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import dataclass, field

from anyio import CancelScope, to_thread

from syncengine.onix.framing import FramedBatch, Framer
from syncengine.service.work import is_full

STRETCH_BYTES = 32 << 20
"""After so many bytes at most a thread comes back, so that progress is seen and an interrupt is heard."""


@dataclass(slots=True)
class Stretch:
    """A part of a message: how many bytes were read, and the frames that they completed."""

    bytes: int = 0
    batch: FramedBatch = field(default_factory=FramedBatch)


async def stretches(chunks: AsyncIterator[bytes] | Iterator[bytes], framer: Framer) -> AsyncGenerator[Stretch, None]:
    """Frame a message to the end of its bytes, without closing it. Raises what breaks it off, behind all that came before.

    Bytes that come asynchronously are framed as they come. Those that block are read and framed in a thread, many at a time, and
    the next while the last ones are looked at: what is asked of the framer meanwhile may be ahead of what was given.
    """
    if isinstance(chunks, AsyncIterator):
        async for chunk in chunks:
            yield Stretch(len(chunk), framer.feed(chunk))
        return
    coming: asyncio.Task[tuple[Stretch, Exception | None]] | None = _begin(chunks, framer)
    end: Exception | None = None
    try:
        while coming is not None:
            stretch, end = await coming
            coming = _begin(chunks, framer) if end is None else None
            yield stretch
    finally:
        if coming is not None:
            # No thread may use the framer when it is closed.
            with CancelScope(shield=True):
                await asyncio.wait([coming])
    if end is not None and not isinstance(end, _AtEnd):
        raise end


def _begin(chunks: Iterator[bytes], framer: Framer) -> asyncio.Task[tuple[Stretch, Exception | None]]:
    return asyncio.ensure_future(to_thread.run_sync(_read, chunks, framer))


class _AtEnd(Exception):
    """The bytes have come to their end."""


def _read(chunks: Iterator[bytes], framer: Framer) -> tuple[Stretch, Exception | None]:
    """A stretch, and what ended it for good."""
    stretch = Stretch()
    try:
        while stretch.bytes < STRETCH_BYTES and not is_full(stretch.batch):
            chunk = next(chunks, None)
            if chunk is None:
                return stretch, _AtEnd()
            stretch.bytes += len(chunk)
            stretch.batch.extend(framer.feed(chunk))
    except Exception as error:  # noqa: BLE001 - raised once what came before it is kept
        return stretch, error
    return stretch, None
