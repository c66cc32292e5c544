"""Places in flight: how many calls of an endpoint class a distributor may be asked at once, taken before anything is journaled."""

from __future__ import annotations

from collections.abc import Callable, Collection

import anyio

from syncengine.domain.ids import EntryId


class Places:
    """The places of one source's worker; an entry holds one at most. What waits for a place has not been sent, and nobody doubts it."""

    def __init__(self, count_of: Callable[[str], int]) -> None:
        """`count_of` gives how many places an endpoint class has."""
        self._count_of = count_of
        self._classes: dict[str, anyio.CapacityLimiter] = {}
        self._held: dict[EntryId, anyio.CapacityLimiter] = {}

    def take(self, entry_id: EntryId, limit: str) -> bool:
        """Whether the entry holds a place now."""
        if entry_id in self._held:
            return True
        places = self._of(limit)
        try:
            places.acquire_on_behalf_of_nowait(entry_id)
        except anyio.WouldBlock:
            return False
        self._held[entry_id] = places
        return True

    async def turn(self, entry_id: EntryId, limit: str) -> None:
        """Wait until the entry holds a place; first come, first served."""
        if entry_id not in self._held:
            places = self._of(limit)
            await places.acquire_on_behalf_of(entry_id)
            self._held[entry_id] = places

    def free(self, entry_id: EntryId) -> None:
        """Give a place back; nothing where the entry holds none."""
        if places := self._held.pop(entry_id, None):
            places.release_on_behalf_of(entry_id)

    def free_all_but(self, entry_ids: Collection[EntryId]) -> None:
        """Give back what others hold, of which nobody knows any more."""
        for entry_id in self._held.keys() - set(entry_ids):
            self.free(entry_id)

    def _of(self, limit: str) -> anyio.CapacityLimiter:
        if limit not in self._classes:
            self._classes[limit] = anyio.CapacityLimiter(self._count_of(limit))
        return self._classes[limit]
