"""The change log."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from state.sqlite.codec import CHANGE, to_micros
from state.sqlite.sql import Runs, insert_rows, rows_of
from syncengine.domain.change import Change
from syncengine.ports import RecordWrite

_APPEND = insert_rows("changes", "at", "source", "#line")
_SINCE = "SELECT sequence, line FROM changes WHERE sequence > ? ORDER BY sequence LIMIT ?"


class SqliteChangeLog:
    """ports.ChangeLog."""

    def __init__(self, section: Runs) -> None:
        self._section = section

    async def append(self, changes: Sequence[Change]) -> None:
        if changes:
            await self._section.write(append, changes)

    async def since(self, sequence: int, limit: int) -> Sequence[Change]:
        return await self._section.read(_since, sequence, limit)


def append(db: sqlite3.Connection, changes: Sequence[Change]) -> None:
    """Write lines at the log's end; their own sequence counts for nothing."""
    db.execute(_APPEND, rows_of((to_micros(change.at), change.source, CHANGE.pack(change)) for change in changes))


def line_of(write: RecordWrite) -> Change | None:
    """The write's line, under the title that its record belongs to, or belonged to; none where its content is equal."""
    change = write.change
    key = write.key or write.previous_key
    return change if change is None or change.key or key is None else replace(change, key=key)


def _since(db: sqlite3.Connection, sequence: int, limit: int) -> list[Change]:
    return [
        replace(CHANGE.unpack(row["line"]), sequence=row["sequence"]) for row in db.execute(_SINCE, (sequence, limit))
    ]
