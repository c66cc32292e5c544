"""The one connection: functions run on its thread, one after the other, in the order they were asked for."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import aiosqlite

from state.sqlite.failures import as_store_failed

P = ParamSpec("P")
ResultT = TypeVar("ResultT")

_BUSY_SECONDS = 5.0
_STATEMENTS = 256

PRAGMAS = (
    "PRAGMA page_size = 8192",  # of a new file: at 4096 each compressed record fills a page alone, and half of another
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -24576",  # 24 MB: a first load with more is no faster, and it is part of what the engine may take
    "PRAGMA wal_autocheckpoint = 4000",
    "PRAGMA journal_size_limit = 67108864",
)


class Connection(aiosqlite.Connection):
    """An aiosqlite connection that runs a whole function on its thread, so that a port's method costs one change of threads."""

    def __init__(self, path: Path) -> None:
        super().__init__(lambda: _open(path), iter_chunk_size=64)
        # A process that ends without closing its store must still end; what was committed is safe.
        self._thread.daemon = True
        self.path = path

    async def run(
        self, work: Callable[Concatenate[sqlite3.Connection, P], ResultT], *args: P.args, **kwargs: P.kwargs
    ) -> ResultT:
        """What `work` returns, called with the raw connection. SQLite's errors become StoreFailed; a cancelled caller leaves the
        function running, and what is asked for next runs after it.
        """
        try:
            # The library has no public name for this, and leaves it untyped.
            result: ResultT = await self._execute(work, self._conn, *args, **kwargs)  # type: ignore[no-untyped-call]
        except sqlite3.Error as error:
            raise as_store_failed(self.path, error) from error
        return result


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, cached_statements=_STATEMENTS)
    db.row_factory = sqlite3.Row
    return db


def inode_of(path: Path) -> tuple[int, int] | None:
    """What tells one file from another of the same name; none where there is no such file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def roll_back(db: sqlite3.Connection) -> None:
    """Take back what is open, if SQLite has not done so by itself."""
    try:
        if db.in_transaction:
            db.execute("ROLLBACK")
    except sqlite3.Error:
        # Nothing more can be done, and nothing was committed: the caller reports the first failure.
        pass
