"""What the operator and the service keep beside the data: rates, pauses, refreshes, settings."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from state.sqlite.sql import Runs
from syncengine.domain.ids import Format, Isbn, SourceName, TitleKey

_SLOTS = "SELECT name, arrival_at FROM slots"
_SAVE_SLOT = (
    "INSERT INTO slots (name, arrival_at) VALUES (?, ?)"
    " ON CONFLICT (name) DO UPDATE SET arrival_at = excluded.arrival_at"
)
_PAUSED = "SELECT source, reason FROM pauses ORDER BY source"
_PAUSE = "INSERT INTO pauses (source, reason) VALUES (?, ?) ON CONFLICT (source) DO UPDATE SET reason = excluded.reason"
_RESUME = "DELETE FROM pauses WHERE source = ?"
_ASK_REFRESH = "INSERT INTO refreshes (source, isbn, format) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_REFRESHES = "SELECT source, isbn, format FROM refreshes ORDER BY position"
_REFRESHED = "DELETE FROM refreshes WHERE source = ? AND isbn = ? AND format = ?"
_SETTING = "SELECT value FROM settings WHERE name = ?"
_SET_SETTING = (
    "INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)


class SqliteControls:
    """ports.Controls."""

    def __init__(self, section: Runs) -> None:
        self._section = section

    async def slots(self) -> Mapping[str, float]:
        return await self._section.read(_slots)

    async def save_slots(self, slots: Mapping[str, float]) -> None:
        await self._section.write(_save_slots, slots)

    async def paused(self) -> Mapping[SourceName, str]:
        return await self._section.read(_paused)

    async def pause(self, source: SourceName, reason: str) -> None:
        await self._section.write(_execute, _PAUSE, (source, reason))

    async def resume(self, source: SourceName) -> None:
        await self._section.write(_execute, _RESUME, (source,))

    async def ask_refresh(self, keys: Iterable[TitleKey]) -> None:
        await self._section.write(_ask_refresh, list(keys))

    async def refreshes(self) -> Sequence[TitleKey]:
        return await self._section.read(_refreshes)

    async def refreshed(self, key: TitleKey) -> None:
        await self._section.write(_execute, _REFRESHED, (key.source, key.isbn, key.format))

    async def setting(self, name: str) -> str | None:
        return await self._section.read(_setting, name)

    async def set_setting(self, name: str, value: str) -> None:
        await self._section.write(_execute, _SET_SETTING, (name, value))


def _execute(db: sqlite3.Connection, statement: str, values: tuple[str, ...]) -> None:
    db.execute(statement, values)


def _slots(db: sqlite3.Connection) -> dict[str, float]:
    return {row["name"]: row["arrival_at"] for row in db.execute(_SLOTS)}


def _save_slots(db: sqlite3.Connection, slots: Mapping[str, float]) -> None:
    db.executemany(_SAVE_SLOT, list(slots.items()))


def _paused(db: sqlite3.Connection) -> dict[SourceName, str]:
    return {SourceName(row["source"]): row["reason"] for row in db.execute(_PAUSED)}


def _ask_refresh(db: sqlite3.Connection, keys: Sequence[TitleKey]) -> None:
    db.executemany(_ASK_REFRESH, [(key.source, key.isbn, key.format) for key in keys])


def _refreshes(db: sqlite3.Connection) -> list[TitleKey]:
    return [
        TitleKey(source=SourceName(row["source"]), isbn=Isbn(row["isbn"]), format=Format(row["format"]))
        for row in db.execute(_REFRESHES)
    ]


def _setting(db: sqlite3.Connection, name: str) -> str | None:
    row = db.execute(_SETTING, (name,)).fetchone()
    return None if row is None else str(row["value"])
