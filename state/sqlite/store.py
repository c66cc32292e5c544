"""Opens the store and gives its critical sections out, one at a time, many to a COMMIT."""

from __future__ import annotations

import asyncio
import os
import secrets
import sqlite3
import string
import uuid
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import anyio

from state.sqlite.codec import to_micros
from state.sqlite.connection import PRAGMAS, Connection, inode_of, roll_back
from state.sqlite.copying import write_copy
from state.sqlite.failures import as_store_failed
from state.sqlite.migrate import migrate, refuse_newer, shipped
from state.sqlite.owner import Ownership
from state.sqlite.section import Group, Section
from state.sqlite.turns import Turns
from syncengine.errors import StoreFailed
from syncengine.ports import Clock, StoreIdentity, Transaction, Urgency

ResultT = TypeVar("ResultT")

_SCHEME = "sqlite:"
_OLDEST_SQLITE = (3, 37, 0)
_APPLICATION_ID = 0x53594E43
"""`SYNC`, in the head of the file: tells a store from any other SQLite database."""
_GROUP_SECTIONS = 64
_GROUP_SECONDS = 0.02
_PREFIX_ALPHABET = string.ascii_lowercase + string.digits

_IDENTITY = "SELECT id, seed, prefix FROM identity"
_MAKE_IDENTITY = "INSERT INTO identity (only_row, id, seed, prefix, created_at) VALUES (1, ?, ?, ?, ?)"


async def open_store(url_or_path: str | Path, *, clock: Clock) -> SqliteStore:
    """The store at `sqlite:path` or a plain path, made where there is none.

    Raises StoreLocked while another process owns it, and StoreFailed where it cannot be opened, is damaged, is no store at all
    or was written by a newer build.
    """
    path = _path_of(url_or_path)
    _make_folder(path)
    ownership = Ownership(path)
    try:
        _make_file(path)
        connection = Connection(path)
        try:
            await connection
            identity = await connection.run(_prepare, path, to_micros(clock.now()))
        except sqlite3.Error as error:
            raise as_store_failed(path, error) from error
        except BaseException:
            await connection.close()
            raise
    except BaseException:
        ownership.release()
        raise
    return SqliteStore(connection, ownership, identity, clock)


class SqliteStore:
    """The durable state of one engine, in one file.

    Sections are given out by urgency. While others wait, a section's writes stay in the open transaction and the next section
    joins it; one COMMIT then serves them all, and none of them returns before it. A more urgent section is never kept waiting
    for the writes of a less urgent one.
    """

    def __init__(self, connection: Connection, ownership: Ownership, identity: StoreIdentity, clock: Clock) -> None:
        self._connection = connection
        self._ownership = ownership
        self._identity = identity
        self._clock = clock
        self._inode = inode_of(connection.path)
        self._turns = Turns()
        self._group: Group | None = None
        self._holder: asyncio.Task[Any] | None = None
        self._closed = False
        self._commits = 0

    @property
    def commit_count(self) -> int:
        """How many times it was written through to the disk; sections that wrote are more."""
        return self._commits

    @property
    def identity(self) -> StoreIdentity:
        """Given once, when the store was made."""
        return self._identity

    @asynccontextmanager
    async def transaction(self, urgency: Urgency) -> AsyncIterator[Transaction]:
        """One critical section; see the port. Sections do not nest."""
        section = await self._enter(urgency)
        try:
            yield section
        except BaseException:
            await _unyielding(self._leave(section, keep=False))
            raise
        if section.touched or section.joined:
            await _unyielding(self._leave(section, keep=True))
        else:
            section.end()
            self._pass_on()

    async def backup(self, path: str) -> None:
        """Write a consistent copy; sections wait meanwhile. Raises UsageInvalid where the path is taken or cannot be written."""
        section = await self._enter(Urgency.COMMAND, alone=True)
        try:
            await _unyielding(self._connection.run(write_copy, Path(path)))
        finally:
            await _unyielding(self._leave(section, keep=False))

    async def aclose(self) -> None:
        """Let the sections that wait have their turn, then close the file and give it up. More than once does no harm."""
        if self._closed:
            return
        section = await self._enter(Urgency.INTAKE, alone=True)
        self._closed = True
        section.end()
        try:
            await _unyielding(self._connection.close())
        finally:
            self._ownership.release()
            self._pass_on()

    async def _enter(self, urgency: Urgency, *, alone: bool = False) -> Section:
        """Wait for the turn; `alone` has the writes of earlier sections committed first."""
        if self._holder is not None and self._holder is asyncio.current_task():
            raise RuntimeError("a section of the store was opened inside another of the same task")
        turn = self._turns.ask(urgency)
        try:
            await turn
            if alone and self._group is not None:
                await _unyielding(self._commit_group())
        except BaseException:
            if turn.done() and not turn.cancelled():
                await _unyielding(self._leave(self._section(urgency), keep=False))
            raise
        if self._closed:
            self._pass_on()
            raise StoreFailed("the store is closed")
        self._holder = asyncio.current_task()
        return self._section(urgency)

    def _section(self, urgency: Urgency) -> Section:
        return Section(self._connection, urgency, self._group)

    async def _leave(self, section: Section, *, keep: bool) -> None:
        """End a section: keep or take back its writes, commit unless another section joins, and hand the turn on.

        With `keep`, returns once the section is durable, or raises StoreFailed.
        """
        section.end()
        try:
            kept, is_open = await self._connection.run(
                self._end, section, keep=keep, last=not self._another_joins(section)
            )
        except Exception as error:
            self._close_group(error)
            if keep:
                raise
            return
        else:
            if is_open and kept:
                self._join(section)
            elif not is_open:
                self._close_group()
            group = self._group
        finally:
            self._pass_on()
        if keep and not kept:
            raise StoreFailed(f"nothing of this section was kept: {section.failure}") from section.failure
        if kept and is_open and group is not None:
            await group.durable()

    def _end(self, db: sqlite3.Connection, section: Section, *, keep: bool, last: bool) -> tuple[bool, bool]:
        """On the connection's thread; returns whether the section was kept and whether a transaction is still open."""
        try:
            kept = section.close(db, keep=keep)
            if db.in_transaction and not kept and not section.joined:
                db.execute("ROLLBACK")
            elif db.in_transaction and last:
                self._commit(db)
        except BaseException:
            roll_back(db)
            raise
        return kept, db.in_transaction

    def _commit(self, db: sqlite3.Connection) -> None:
        """On the connection's thread."""
        path = self._connection.path
        if inode_of(path) != self._inode:
            raise StoreFailed(
                f"{path}: the file was removed or replaced while the engine used it",
                hint="stop the engine and put the store back; what is written from here on would be lost",
            )
        db.execute("COMMIT")
        self._commits += 1

    async def _commit_group(self) -> None:
        """Commit what earlier sections wrote; a failure is theirs to raise."""

        def work(db: sqlite3.Connection) -> None:
            try:
                self._commit(db)
            except BaseException:
                roll_back(db)
                raise

        try:
            await self._connection.run(work)
        except Exception as error:  # noqa: BLE001 - every member of the group raises it
            self._close_group(error)
        else:
            self._close_group()

    def _another_joins(self, section: Section) -> bool:
        """Whether who comes next writes into the same transaction: it is bounded, and nobody waits for the less urgent."""
        waiting = self._turns.next_urgency()
        group = self._group
        if waiting is None or group is None:
            return waiting is not None and waiting <= section.urgency
        return (
            group.members < _GROUP_SECTIONS - 1
            and self._clock.monotonic() - group.started < _GROUP_SECONDS
            and waiting <= min(group.urgency, section.urgency)
        )

    def _join(self, section: Section) -> None:
        if self._group is None:
            self._group = Group(self._clock.monotonic())
        self._group.join(section.urgency)

    def _close_group(self, error: Exception | None = None) -> None:
        if self._group is not None:
            self._group.close(error)
            self._group = None

    def _pass_on(self) -> None:
        self._holder = None
        self._turns.pass_on()


async def _unyielding(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """What the work gives, however often the caller is cancelled meanwhile; the cancellation is raised after its end.

    A shielded scope holds off anyio's cancellation, the loop asyncio's own.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    with anyio.CancelScope(shield=True):
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError as error:
                cancelled = error
    if cancelled is not None:
        raise cancelled from task.exception()
    return task.result()


def _path_of(url_or_path: str | Path) -> Path:
    text = str(url_or_path)
    scheme, separator, rest = text.partition("://")
    if separator and scheme != "sqlite":
        raise StoreFailed(f"{text}: this store is no SQLite file", hint='write url = "sqlite:var/syncengine.db"')
    name = rest if separator else text.removeprefix("sqlite:")
    if not name or name == ":memory:" or name.endswith("/"):
        raise StoreFailed(f"{text!r} names no file", hint='write url = "sqlite:var/syncengine.db"')
    return Path(name)


def _make_file(path: Path) -> None:
    """Make folder and file where they are missing, for this user alone; SQLite gives its side files the same rights."""
    log = path.with_name(path.name + "-wal")
    try:
        if not path.exists() and log.exists() and log.stat().st_size:
            raise StoreFailed(
                f"{path}: is missing, while its journal {log.name} is there",
                hint="put the file back or restore a backup; remove the journal only to begin with an empty store",
            )
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise _unwritable(path, error) from error


def _make_folder(path: Path) -> None:
    try:
        for folder in reversed([folder for folder in path.parents if not folder.exists()]):
            folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise _unwritable(path.parent, error) from error


def _unwritable(path: Path, error: OSError) -> StoreFailed:
    return StoreFailed(
        f"{path}: cannot be written: {error.strerror}",
        hint="the store's folder must exist and be writable for the user the engine runs as",
    )


def _prepare(db: sqlite3.Connection, path: Path, at: int) -> StoreIdentity:
    """Recognise the file, bring it up to date, and give it an identity if it has none."""
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise StoreFailed(
            f"SQLite {sqlite3.sqlite_version} is too old", hint="the interpreter needs SQLite 3.37 or newer"
        )
    _recognise(db, path)
    migrations = shipped()
    refuse_newer(db, path, migrations)
    for pragma in PRAGMAS:
        db.execute(pragma)
    if db.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        raise StoreFailed(
            f"{path}: this file system cannot hold a write-ahead log", hint="keep the store on a local disk"
        )
    migrate(db, migrations, at)
    return _identify(db, at)


def _recognise(db: sqlite3.Connection, path: Path) -> None:
    is_empty = not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    application_id = db.execute("PRAGMA application_id").fetchone()[0]
    if application_id != _APPLICATION_ID and not (is_empty and application_id == 0):
        raise StoreFailed(f"{path}: is the database of another program", hint="check [store] url in the settings")


def _identify(db: sqlite3.Connection, at: int) -> StoreIdentity:
    row = db.execute(_IDENTITY).fetchone()
    if row is None:
        prefix = "".join(secrets.choice(_PREFIX_ALPHABET) for _ in range(4))
        db.execute(_MAKE_IDENTITY, (uuid.uuid4().hex, str(secrets.randbits(64)), prefix, at))
        row = db.execute(_IDENTITY).fetchone()
    return StoreIdentity(id=row["id"], seed=int(row["seed"]), prefix=row["prefix"])
