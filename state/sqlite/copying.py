"""Backups: a consistent copy of the store in a file of its own."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from state.sqlite.failures import as_store_failed
from syncengine.errors import UsageInvalid


def write_copy(db: sqlite3.Connection, target: Path) -> None:
    """Copy what is committed; the target appears under its name only when it is whole and on the disk.

    Raises UsageInvalid where the target is taken or cannot be written, StoreFailed where the copy fails.
    """
    if target.exists():
        raise UsageInvalid(f"{target} is there already", hint="name a new file; backups never overwrite")
    partial = target.with_name(target.name + ".part")
    try:
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _fill(db, partial)
            os.fsync(descriptor)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        partial.rename(target)
        _sync_folder(target.parent)
    except OSError as error:
        raise UsageInvalid(
            f"{target} cannot be written: {error.strerror}", hint="name a file in a folder that exists and is writable"
        ) from error


def _fill(db: sqlite3.Connection, partial: Path) -> None:
    try:
        with closing(sqlite3.connect(partial, isolation_level=None)) as copy:
            db.backup(copy)
            # A copy without write-ahead log is whole in its one file and can be read from read-only media.
            copy.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise as_store_failed(partial, error) from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
