"""Passes, what they stage and see, and the cursors of streams."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from state.sqlite import staging
from state.sqlite.codec import MARKS, REPORT, TALLIES, from_micros_or_none, to_micros
from state.sqlite.sql import Runs, listed
from syncengine.domain.ids import PassId, RecordId, RecordReference, SourceName, StreamName
from syncengine.domain.message import MessageMark
from syncengine.domain.passes import PassMode, PassReport
from syncengine.ports import PassState, RecordWrite, StreamState

_STREAM = "SELECT * FROM streams WHERE source = ? AND stream = ?"
_UNFINISHED = """
SELECT * FROM passes
WHERE source = ? AND stream = ? AND ended_at IS NULL AND mode <> 'single' ORDER BY id DESC LIMIT 1
"""
_TO_GIVE_UP = """
SELECT id FROM passes
WHERE source = ? AND stream = ? AND ended_at IS NULL AND (mode = 'single') = (? = 'single')
"""
_END = "UPDATE passes SET ended_at = ?, complete = ? WHERE id = ?"
_FORGET_SEEN = "DELETE FROM seen_records WHERE pass_id = ?"
_HIGH_WATER = "SELECT coalesce(max(id), 0) FROM records"
_BEGIN = """
INSERT INTO passes (source, stream, mode, staged, applying, high_water, started_at, complete, report, tallies)
VALUES (?, ?, ?, ?, 0, ?, ?, 0, ?, ?)
"""
_SEE = "INSERT INTO seen_records (pass_id, record_ids) VALUES (?, ?)"
_SEEN = "SELECT record_ids FROM seen_records WHERE pass_id = ?"
_PROGRESS = "UPDATE passes SET report = ?, tallies = ? WHERE id = ?"
_JUDGED = "UPDATE passes SET applying = 1, gone = ? WHERE id = ?"
_KEEP_REPORT = "UPDATE passes SET report = ? WHERE id = ?"
_ADD_STREAM = "INSERT INTO streams (source, stream) VALUES (?, ?) ON CONFLICT DO NOTHING"
_MOVE_CURSOR = "UPDATE streams SET cursor = ? WHERE source = ? AND stream = ?"
_KEEP_MESSAGE = "UPDATE streams SET last_message = ? WHERE source = ? AND stream = ?"
_COMPLETED = "UPDATE streams SET last_complete_at = ? WHERE source = ? AND stream = ?"
_FULLY_READ = "UPDATE streams SET last_full_at = ?, last_full_records = ? WHERE source = ? AND stream = ?"
_RECENT = "SELECT report, ended_at FROM passes ORDER BY id DESC LIMIT ?"
_COMPLETED_COUNT = """
SELECT count(*) FROM streams
WHERE source = ? AND stream IN (SELECT value FROM json_each(?)) AND last_complete_at IS NOT NULL
"""


class SqlitePasses:
    """ports.Passes. A pass of a single title neither gives up a pass of its stream nor moves the stream's marks."""

    def __init__(self, section: Runs) -> None:
        self._section = section

    async def stream(self, source: SourceName, stream: StreamName) -> StreamState:
        return await self._section.read(_stream, source, stream)

    async def unfinished(self, source: SourceName, stream: StreamName) -> PassState | None:
        return await self._section.read(_unfinished, source, stream)

    async def begin(
        self, source: SourceName, stream: StreamName, mode: PassMode, *, staged: bool, at: datetime
    ) -> PassState:
        return await self._section.write(_begin, source, stream, mode, staged, at)

    async def stage(self, state: PassState, writes: Sequence[RecordWrite]) -> None:
        if writes:
            await self._section.write(staging.stage, state, writes)

    async def staged(self, state: PassState, limit: int) -> Sequence[RecordWrite]:
        return await self._section.read(staging.staged, state, limit)

    async def staged_of(
        self, state: PassState, references: Collection[RecordReference]
    ) -> Mapping[RecordReference, RecordWrite]:
        return await self._section.read(staging.staged_of, state, references)

    async def staged_ids(self, state: PassState) -> Mapping[RecordId, RecordReference]:
        return await self._section.read(staging.staged_ids, state)

    async def unstage(self, state: PassState, references: Collection[RecordReference]) -> None:
        if references:
            await self._section.write(staging.unstage, state, references)

    async def apply_staged(self, state: PassState, limit: int, at: datetime) -> int:
        return await self._section.write(staging.apply, state, limit, at)

    async def see(self, state: PassState, ids: Collection[RecordId]) -> None:
        if ids:
            await self._section.write(_see, state, ids)

    async def seen(self, state: PassState) -> Collection[RecordId]:
        return await self._section.read(_seen, state)

    async def progress(
        self,
        state: PassState,
        report: PassReport,
        tallies: Mapping[str, int],
        *,
        cursor: bytes | None = None,
        message: Mapping[str, MessageMark] | None = None,
        gone: Sequence[RecordId] | None = None,
    ) -> None:
        await self._section.write(_progress, state, report, tallies, cursor, message, gone)

    async def finish(self, state: PassState, report: PassReport, *, cursor: bytes | None, at: datetime) -> None:
        await self._section.write(_finish, state, report, cursor, at)

    async def recent(self, limit: int) -> Sequence[tuple[PassReport, datetime | None]]:
        return await self._section.read(_recent, limit)

    async def has_completed(self, source: SourceName, streams: Collection[StreamName]) -> bool:
        return await self._section.read(_has_completed, source, streams)


class RecordIds(Collection[RecordId]):
    """A set of record ids as one bit each: ids are dense, and a catalogue has millions."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def add(self, ids: Sequence[int]) -> None:
        """Put ids in."""
        if not ids:
            return
        self._bits.extend(bytes(max(0, max(ids) // 8 + 1 - len(self._bits))))
        for number in ids:
            self._bits[number >> 3] |= 1 << (number & 7)

    def __contains__(self, number: object) -> bool:
        if not isinstance(number, int) or not 0 <= number < len(self._bits) * 8:
            return False
        return bool(self._bits[number >> 3] & 1 << (number & 7))

    def __iter__(self) -> Iterator[RecordId]:
        return (RecordId(number) for number in range(len(self._bits) * 8) if number in self)

    def __len__(self) -> int:
        return int.from_bytes(self._bits, "little").bit_count()


def _stream(db: sqlite3.Connection, source: SourceName, stream: StreamName) -> StreamState:
    row = db.execute(_STREAM, (source, stream)).fetchone()
    if row is None:
        return StreamState()
    return StreamState(
        cursor=row["cursor"],
        last_complete_at=from_micros_or_none(row["last_complete_at"]),
        last_full_at=from_micros_or_none(row["last_full_at"]),
        last_full_records=row["last_full_records"],
        last_message=_marks(row["last_message"]),
    )


def _marks(blob: bytes | None) -> dict[str, MessageMark]:
    if blob is None:
        return {}
    return {
        sender: MessageMark(sent_at=mark) if isinstance(mark, str) else mark
        for sender, mark in MARKS.unpack(blob).items()
    }


def _unfinished(db: sqlite3.Connection, source: SourceName, stream: StreamName) -> PassState | None:
    row = db.execute(_UNFINISHED, (source, stream)).fetchone()
    if row is None:
        return None
    return PassState(
        id=PassId(row["id"]),
        source=source,
        stream=stream,
        mode=PassMode(row["mode"]),
        staged=bool(row["staged"]),
        applying=bool(row["applying"]),
        high_water=RecordId(row["high_water"]),
        report=REPORT.unpack(row["report"]),
        tallies=TALLIES.unpack(row["tallies"]),
        gone=tuple(_ids(row["gone"] or b"")),
    )


def _begin(
    db: sqlite3.Connection, source: SourceName, stream: StreamName, mode: PassMode, staged: bool, at: datetime
) -> PassState:
    for row in db.execute(_TO_GIVE_UP, (source, stream, mode.value)).fetchall():
        _end(db, row["id"], at, complete=False)
    report = PassReport(source=source, stream=stream, mode=mode, started_at=at)
    high_water = RecordId(db.execute(_HIGH_WATER).fetchone()[0])
    values = (source, stream, mode.value, staged, high_water, to_micros(at), REPORT.pack(report), TALLIES.pack({}))
    pass_id = db.execute(_BEGIN, values).lastrowid
    return PassState(
        id=PassId(pass_id or 0),
        source=source,
        stream=stream,
        mode=mode,
        staged=staged,
        applying=False,
        high_water=high_water,
        report=report,
    )


def _end(db: sqlite3.Connection, pass_id: PassId, at: datetime, *, complete: bool) -> None:
    db.execute(_END, (to_micros(at), complete, pass_id))
    staging.forget(db, pass_id)
    db.execute(_FORGET_SEEN, (pass_id,))


def _see(db: sqlite3.Connection, state: PassState, ids: Collection[RecordId]) -> None:
    db.execute(_SEE, (state.id, array("q", ids).tobytes()))


def _seen(db: sqlite3.Connection, state: PassState) -> RecordIds:
    seen = RecordIds()
    for row in db.execute(_SEEN, (state.id,)):
        seen.add(_ids(row["record_ids"]))
    return seen


def _ids(packed: bytes) -> list[RecordId]:
    return [RecordId(number) for number in memoryview(packed).cast("q")]


def _progress(
    db: sqlite3.Connection,
    state: PassState,
    report: PassReport,
    tallies: Mapping[str, int],
    cursor: bytes | None,
    message: Mapping[str, MessageMark] | None,
    gone: Sequence[RecordId] | None,
) -> None:
    db.execute(_PROGRESS, (REPORT.pack(report), TALLIES.pack(tallies), state.id))
    if gone is not None:
        db.execute(_JUDGED, (array("q", gone).tobytes(), state.id))
    stream = (state.source, state.stream)
    db.execute(_ADD_STREAM, stream)
    if cursor is not None:
        db.execute(_MOVE_CURSOR, (cursor, *stream))
    if message:
        known = _stream(db, *stream).last_message
        db.execute(_KEEP_MESSAGE, (MARKS.pack({**known, **message}), *stream))


def _finish(db: sqlite3.Connection, state: PassState, report: PassReport, cursor: bytes | None, at: datetime) -> None:
    db.execute(_KEEP_REPORT, (REPORT.pack(report), state.id))
    _end(db, state.id, at, complete=report.complete)
    if not report.complete or state.mode is PassMode.SINGLE:
        return
    stream = (state.source, state.stream)
    db.execute(_ADD_STREAM, stream)
    db.execute(_COMPLETED, (to_micros(at), *stream))
    if cursor is not None:
        db.execute(_MOVE_CURSOR, (cursor, *stream))
    if state.mode is PassMode.FULL:
        db.execute(_FULLY_READ, (to_micros(at), report.records, *stream))


def _recent(db: sqlite3.Connection, limit: int) -> list[tuple[PassReport, datetime | None]]:
    rows = db.execute(_RECENT, (limit,))
    return [(REPORT.unpack(row["report"]), from_micros_or_none(row["ended_at"])) for row in rows]


def _has_completed(db: sqlite3.Connection, source: SourceName, streams: Collection[StreamName]) -> bool:
    completed = db.execute(_COMPLETED_COUNT, (source, listed(streams))).fetchone()[0]
    return int(completed) == len(set(streams))
