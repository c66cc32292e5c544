"""Whose turn it is at the store: one holder at a time, the urgent first."""

from __future__ import annotations

import asyncio
import heapq
from itertools import count

from syncengine.ports import Urgency


class Turns:
    """A lock with a queue by urgency, and by age within one urgency. The caller holds the turn once its future is done."""

    def __init__(self) -> None:
        self._held = False
        self._ticket = count()
        self._waiting: list[tuple[Urgency, int, asyncio.Future[None]]] = []

    def ask(self, urgency: Urgency) -> asyncio.Future[None]:
        """A future that is done when the turn comes. Cancelling it before gives the place up; once done, `pass_on` is owed."""
        turn = asyncio.get_running_loop().create_future()
        if self._held:
            heapq.heappush(self._waiting, (urgency, next(self._ticket), turn))
        else:
            self._held = True
            turn.set_result(None)
        return turn

    def next_urgency(self) -> Urgency | None:
        """The urgency of who comes next; none where nobody waits."""
        while self._waiting and self._waiting[0][2].cancelled():
            heapq.heappop(self._waiting)
        return self._waiting[0][0] if self._waiting else None

    def pass_on(self) -> None:
        """Give the turn to who comes next, or back."""
        if self.next_urgency() is None:
            self._held = False
        else:
            heapq.heappop(self._waiting)[2].set_result(None)
