"""Critical sections and the physical transactions they share."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from state.sqlite.changes import SqliteChangeLog
from state.sqlite.connection import Connection
from state.sqlite.controls import SqliteControls
from state.sqlite.orders import SqliteOrders
from state.sqlite.outbox import SqliteOutbox
from state.sqlite.passes import SqlitePasses
from state.sqlite.records import SqliteRecords
from state.sqlite.titles import SqliteTitles
from syncengine.errors import StoreFailed
from syncengine.ports import Urgency

P = ParamSpec("P")
ResultT = TypeVar("ResultT")


class Group:
    """The sections whose writes wait in one open transaction for one COMMIT."""

    def __init__(self, started: float) -> None:
        self.started = started
        self.members = 0
        self.urgency = Urgency.INTAKE
        self.error: Exception | None = None
        self._closed = asyncio.Event()

    def join(self, urgency: Urgency) -> None:
        """One section more, whose writes are in it."""
        self.members += 1
        self.urgency = min(self.urgency, urgency)

    def close(self, error: Exception | None = None) -> None:
        """Tell every member that it is durable, or that nothing of it was kept."""
        self.error = error
        self._closed.set()

    async def durable(self) -> None:
        """Return once the COMMIT is done; raises StoreFailed where it failed."""
        await self._closed.wait()
        if self.error is not None:
            hint = self.error.hint if isinstance(self.error, StoreFailed) else ""
            raise StoreFailed(f"not kept: {self.error}", hint=hint) from self.error


class Section:
    """One critical section: a savepoint, made with its first write, in a transaction that others may share."""

    def __init__(self, connection: Connection, urgency: Urgency, joined: Group | None) -> None:
        self.urgency = urgency
        self.joined = joined
        self.touched = False
        """Whether the connection must be looked at when it ends: something was written, or something failed."""
        self.failure: Exception | None = None
        """The first failure of a write: such a section cannot be kept, whatever its caller makes of the error."""
        self._connection = connection
        self._ended = False
        self._has_savepoint = False

    @property
    def records(self) -> SqliteRecords:
        """Records and what is set aside of them."""
        return SqliteRecords(self)

    @property
    def passes(self) -> SqlitePasses:
        """Passes and cursors."""
        return SqlitePasses(self)

    @property
    def titles(self) -> SqliteTitles:
        """Titles, due marks and timers."""
        return SqliteTitles(self)

    @property
    def changes(self) -> SqliteChangeLog:
        """The change log."""
        return SqliteChangeLog(self)

    @property
    def orders(self) -> SqliteOrders:
        """The register."""
        return SqliteOrders(self)

    @property
    def outbox(self) -> SqliteOutbox:
        """Entries, receipts and gates."""
        return SqliteOutbox(self)

    @property
    def controls(self) -> SqliteControls:
        """What is kept beside the data."""
        return SqliteControls(self)

    async def read(
        self, work: Callable[Concatenate[sqlite3.Connection, P], ResultT], *args: P.args, **kwargs: P.kwargs
    ) -> ResultT:
        """Run a function that writes nothing."""
        self._check()
        try:
            return await self._connection.run(work, *args, **kwargs)
        except StoreFailed:
            self.touched = True
            raise

    async def write(
        self, work: Callable[Concatenate[sqlite3.Connection, P], ResultT], *args: P.args, **kwargs: P.kwargs
    ) -> ResultT:
        """Run a function that may write; from here on the section's end waits for a COMMIT."""
        self._check()
        self.touched = True

        def inside(db: sqlite3.Connection) -> ResultT:
            try:
                self._begin(db)
                return work(db, *args, **kwargs)
            except Exception as error:
                # Noted here and not by who waits: a caller that was cancelled never hears of it.
                self.failure = self.failure or error
                raise

        return await self._connection.run(inside)

    def end(self) -> None:
        """Nothing may be asked of it any more."""
        self._ended = True

    def close(self, db: sqlite3.Connection, *, keep: bool) -> bool:
        """On the connection's thread: make what was written part of the open transaction, or take it back alone.

        Returns whether it was kept, which a section with a failure never is.
        """
        self._demand_transaction(db)
        kept = keep and self.failure is None
        if self._has_savepoint:
            if not kept:
                db.execute("ROLLBACK TO section")
            db.execute("RELEASE section")
        return kept

    def _begin(self, db: sqlite3.Connection) -> None:
        self._demand_transaction(db)
        if not self._has_savepoint:
            if not db.in_transaction:
                db.execute("BEGIN IMMEDIATE")
            db.execute("SAVEPOINT section")
            self._has_savepoint = True

    def _demand_transaction(self, db: sqlite3.Connection) -> None:
        """SQLite gives a transaction up by itself when a disk is full or fails; writing on would keep halves of sections."""
        if (self._has_savepoint or self.joined) and not db.in_transaction:
            raise StoreFailed(
                f"the transaction was lost: {self.failure or 'given up by SQLite'}",
                hint="look at the disk: space, quota, errors in the system log",
            )

    def _check(self) -> None:
        if self._ended:
            raise RuntimeError("this section of the store has ended; open a new transaction")
        if self.failure is not None:
            raise StoreFailed(f"this section of the store has failed: {self.failure}") from self.failure
