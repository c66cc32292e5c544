"""What long work tells those who watch it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from syncengine.domain.ids import SourceName


class Progress(Protocol):
    """A watcher of passes and deliveries: a bar on a terminal, lines in a log, or nobody."""

    def reading(self, source: SourceName, part: str, *, bytes_read: int, records: int) -> None:
        """A part of a pass was read so far."""
        ...

    def applying(self, source: SourceName, *, applied: int, total: int) -> None:
        """Staged changes are being applied."""
        ...

    def deciding(self, *, decided: int, total: int) -> None:
        """Due titles are being decided, so many of a backlog."""
        ...

    def delivered(self, *, settled: int, open_count: int) -> None:
        """Calls were settled; so many are still owed."""
        ...


@dataclass(slots=True)
class Unwatched:
    """Nobody watches."""

    def reading(self, source: SourceName, part: str, *, bytes_read: int, records: int) -> None:
        """Nothing."""

    def applying(self, source: SourceName, *, applied: int, total: int) -> None:
        """Nothing."""

    def deciding(self, *, decided: int, total: int) -> None:
        """Nothing."""

    def delivered(self, *, settled: int, open_count: int) -> None:
        """Nothing."""
