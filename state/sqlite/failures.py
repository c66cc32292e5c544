"""SQLite's errors in the words of an operator."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from syncengine.errors import StoreFailed

_BY_NAME = {
    "SQLITE_FULL": (
        "the disk is full",
        "free some space; nothing that was committed is lost, and the engine goes on from there",
    ),
    "SQLITE_NOTADB": (
        "is no SQLite database, or its head is damaged",
        "check [store] url in the settings, or restore the last backup",
    ),
    "SQLITE_CORRUPT": ("is damaged", "stop the engine, keep the file, and restore the last backup"),
    "SQLITE_CANTOPEN": (
        "cannot be opened",
        "the folder must exist and be writable for the user the engine runs as",
    ),
    "SQLITE_PERM": ("may not be written", "give file and folder to the user the engine runs as"),
    "SQLITE_READONLY": ("may not be written", "give file and folder to the user the engine runs as"),
    "SQLITE_IOERR": (
        "reading or writing failed",
        "look at the disk: space, quota, read-only mount, errors in the system log",
    ),
    "SQLITE_BUSY": (
        "another program keeps it locked",
        "close it; a daemon and its commands share one store by its socket",
    ),
}


def as_store_failed(path: Path, error: sqlite3.Error) -> StoreFailed:
    """What happened and what to do about it; raise it `from` the error."""
    name = getattr(error, "sqlite_errorname", None) or ""
    for known, (what, hint) in _BY_NAME.items():
        if name.startswith(known):
            return StoreFailed(f"{path}: {what} ({error}, {name})", hint=hint)
    return StoreFailed(
        f"{path}: {error}" + (f" ({name})" if name else ""),
        hint="this should not happen; keep the log and report it",
    )
