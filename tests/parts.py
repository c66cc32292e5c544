"""What a source gives, whichever way it gives it."""

from collections.abc import AsyncIterator

from syncengine.ports import Part


async def pieces_of(part: Part) -> list[bytes]:
    """The pieces of a part."""
    if isinstance(part.chunks, AsyncIterator):
        return [chunk async for chunk in part.chunks]
    return list(part.chunks)


async def content_of(part: Part) -> bytes:
    """All bytes of a part."""
    return b"".join(await pieces_of(part))
