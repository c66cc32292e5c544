"""The store in one SQLite file, owned by one process."""

from state.sqlite.store import SqliteStore, open_store

__all__ = ["SqliteStore", "open_store"]
