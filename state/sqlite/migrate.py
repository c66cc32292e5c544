"""Brings a store's schema up to this build: numbered SQL files, forward only, each in one transaction with its record.

A script may name the instant of the migration, `:at`, and use the functions `essence_of(opening, closing)` and
`frame_of(reference, fingerprint, repeated, body)`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from state.sqlite.contexts import essence_of
from state.sqlite.frames import frame_of
from syncengine.errors import StoreFailed

_HAS_MIGRATIONS = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'migrations'"
_VERSION = "SELECT coalesce(max(version), 0) FROM migrations"
_RECORD = "INSERT INTO migrations (version, name, applied_at) VALUES (?, ?, ?)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step of the schema."""

    version: int
    name: str
    script: str


def shipped() -> Sequence[Migration]:
    """The migrations of this build, in order; their numbers run from 1 without a gap."""
    files = [entry for entry in resources.files("state").joinpath("schema").iterdir() if entry.name.endswith(".sql")]
    migrations = sorted(
        (
            Migration(version=int(entry.name[:4]), name=entry.name, script=entry.read_text(encoding="utf-8"))
            for entry in files
        ),
        key=lambda migration: migration.version,
    )
    if [migration.version for migration in migrations] != list(range(1, len(migrations) + 1)):
        raise StoreFailed("the schema files of this build are incomplete", hint="install the engine again")
    return migrations


def refuse_newer(db: sqlite3.Connection, path: Path, migrations: Sequence[Migration]) -> None:
    """Raise StoreFailed for a store that a newer build has written, before anything of it is touched."""
    version = version_of(db)
    if version > len(migrations):
        raise StoreFailed(
            f"{path}: has schema {version}, this build knows {len(migrations)}",
            hint="run the newer build that wrote it, or restore a backup from before the upgrade",
        )


def migrate(db: sqlite3.Connection, migrations: Sequence[Migration], at: int) -> None:
    """Apply what is missing.

    SQLite alters a table by making it anew, for which references must not be enforced, and that cannot be changed inside a
    transaction; they are checked as a whole before each COMMIT instead.
    """
    db.create_function("essence_of", 2, essence_of, deterministic=True)
    db.create_function("frame_of", 4, frame_of, deterministic=True)
    db.execute("PRAGMA foreign_keys = OFF")
    try:
        for migration in migrations[version_of(db) :]:
            _apply(db, migration, at)
    finally:
        db.execute("PRAGMA foreign_keys = ON")


def version_of(db: sqlite3.Connection) -> int:
    """The number of the last migration the store has seen; 0 for an empty file."""
    if not db.execute(_HAS_MIGRATIONS).fetchone()[0]:
        return 0
    return int(db.execute(_VERSION).fetchone()[0])


def _apply(db: sqlite3.Connection, migration: Migration, at: int) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        for statement in _statements(migration.script):
            db.execute(statement, {"at": at})
        db.execute(_RECORD, (migration.version, migration.name, at))
        _demand_whole(db, migration)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _demand_whole(db: sqlite3.Connection, migration: Migration) -> None:
    broken = db.execute("PRAGMA foreign_key_check").fetchone()
    if broken is not None:
        raise StoreFailed(
            f"{migration.name} cannot be applied: a row of {broken[0]} would refer to one of {broken[2]} that is not there",
            hint="the store is as it was; go on with the build that wrote it, and report this",
        )


def _statements(script: str) -> Iterator[str]:
    """Statement by statement, since sqlite3's own `executescript` commits on its own account."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement
