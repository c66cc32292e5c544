"""Records, their index, their quarantine and their held updates."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from state.sqlite.changes import append
from state.sqlite.codec import PRODUCT, compress, expand, from_micros, plain, to_micros
from state.sqlite.sql import Runs, listed
from state.sqlite.titles import mark_due, name_titles
from syncengine.domain.frame import FrameIndex, KnownFrame
from syncengine.domain.ids import Format, Isbn, PassId, RecordId, RecordReference, SourceName, StreamName, TitleKey
from syncengine.ports import KnownRecord, PassState, Quarantined, RecordStatus, RecordWrite

_INDEX = """
SELECT CAST(reference AS BLOB), id, frame_length, fingerprint, repeated FROM records
WHERE source = ? AND status = 'live' AND fingerprint IS NOT NULL
"""
_LIVE_COUNT = "SELECT count(*) FROM records WHERE source = ? AND status = 'live'"
_KNOWN = """
SELECT records.*, opening, closing, product, body FROM records
JOIN contexts ON contexts.id = context_id JOIN record_facts ON record_id = records.id
WHERE source = ? AND reference IN (SELECT value FROM json_each(?))
"""
_BY_ID = """
SELECT records.*, opening, closing, product, body FROM records
JOIN contexts ON contexts.id = context_id JOIN record_facts ON record_id = records.id
WHERE records.id IN (SELECT value FROM json_each(?)) ORDER BY records.id
"""
_NOT_SEEN = """
SELECT id FROM records
WHERE source = ? AND stream = ? AND status = 'live' AND id <= ? AND applied_pass < ? ORDER BY id
"""
_IDS = "SELECT reference, id FROM records WHERE source = ? AND reference IN (SELECT value FROM json_each(?))"
_LAST_ID = "SELECT coalesce(max(id), 0) FROM records"
_WRITE = """
INSERT INTO records (id, source, reference, stream, status, fingerprint, frame_length, context_id, repeated, isbn, format,
    applied_pass, applied_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET stream = excluded.stream, status = excluded.status, fingerprint = excluded.fingerprint,
    frame_length = excluded.frame_length, context_id = excluded.context_id, repeated = excluded.repeated,
    isbn = excluded.isbn, format = excluded.format, applied_pass = excluded.applied_pass, applied_at = excluded.applied_at
"""
_WRITE_FACTS = """
INSERT INTO record_facts (record_id, product, body) VALUES (?, ?, ?)
ON CONFLICT (record_id) DO UPDATE SET product = excluded.product, body = excluded.body
"""
_ADD_CONTEXT = "INSERT INTO contexts (opening, closing) VALUES (?, ?) ON CONFLICT DO NOTHING"
_CONTEXT = "SELECT id FROM contexts WHERE opening = ? AND closing = ?"

_QUARANTINE = """
INSERT INTO quarantine (source, same_as, stream, part, reference, offset, line, reason, body, at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (source, same_as) DO UPDATE SET stream = excluded.stream, part = excluded.part, reference = excluded.reference,
    offset = excluded.offset, line = excluded.line, reason = excluded.reason, body = excluded.body, at = excluded.at
"""
_CLEAR_QUARANTINE = "DELETE FROM quarantine WHERE source = ? AND same_as IN (SELECT value FROM json_each(?))"
_QUARANTINED = "SELECT * FROM quarantine WHERE source = :source OR :source IS NULL ORDER BY id"
_QUARANTINED_REFERENCES = """
SELECT quarantine.reference, records.id FROM quarantine
LEFT JOIN records ON records.source = quarantine.source AND records.reference = quarantine.reference
WHERE quarantine.source = ? AND quarantine.reference IS NOT NULL
"""
_COUNT_QUARANTINED = "SELECT count(*) FROM quarantine"
_DROP_QUARANTINED = "DELETE FROM quarantine WHERE id IN (SELECT value FROM json_each(?))"
_HOLD = """
INSERT INTO held_updates (source, same_as, stream, part, reference, offset, line, reason, body, at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source, same_as) DO NOTHING
"""
_HELD = "SELECT * FROM held_updates WHERE source = :source OR :source IS NULL ORDER BY id"


class SqliteRecords:
    """ports.Records."""

    def __init__(self, section: Runs) -> None:
        self._section = section

    async def index(self, source: SourceName) -> FrameIndex:
        return await self._section.read(_index, source)

    async def live_count(self, source: SourceName) -> int:
        return await self._section.read(_live_count, source)

    async def known(
        self, source: SourceName, references: Collection[RecordReference]
    ) -> Mapping[RecordReference, KnownRecord]:
        return await self._section.read(_known, source, references)

    async def by_id(self, ids: Collection[RecordId]) -> Sequence[KnownRecord]:
        return await self._section.read(_by_id, ids)

    async def not_seen(self, state: PassState, seen: Collection[RecordId]) -> Sequence[RecordId]:
        return await self._section.read(_not_seen, state, seen)

    async def write(self, state: PassState, writes: Sequence[RecordWrite], at: datetime) -> None:
        if writes:
            await self._section.write(_write, state, writes, at)

    async def quarantine(self, frames: Sequence[Quarantined]) -> None:
        if frames:
            await self._section.write(_set_aside, _QUARANTINE, frames, _same_reference)

    async def clear_quarantine(self, source: SourceName, references: Collection[RecordReference]) -> None:
        if references:
            await self._section.write(_clear_quarantine, source, references)

    async def quarantined(self, source: SourceName | None = None) -> Sequence[Quarantined]:
        return await self._section.read(_set_aside_frames, _QUARANTINED, source)

    async def quarantined_references(self, source: SourceName) -> Mapping[RecordReference, RecordId | None]:
        return await self._section.read(_quarantined_references, source)

    async def count_quarantined(self) -> int:
        return await self._section.read(_count_quarantined)

    async def drop_quarantined(self, ids: Collection[int]) -> int:
        return await self._section.write(_drop_quarantined, ids)

    async def hold(self, frames: Sequence[Quarantined]) -> None:
        if frames:
            await self._section.write(_set_aside, _HOLD, frames, _same_bytes)

    async def held(self, source: SourceName | None = None) -> Sequence[Quarantined]:
        return await self._section.read(_set_aside_frames, _HELD, source)


def _index(db: sqlite3.Connection, source: SourceName) -> FrameIndex:
    rows = db.cursor()
    rows.row_factory = None
    rows.execute(_INDEX, (source,))
    return FrameIndex(
        frames={
            reference: KnownFrame(record_id, length, fingerprint, bool(repeated))
            for reference, record_id, length, fingerprint, repeated in rows
        }
    )


def _live_count(db: sqlite3.Connection, source: SourceName) -> int:
    return int(db.execute(_LIVE_COUNT, (source,)).fetchone()[0])


def _known(
    db: sqlite3.Connection, source: SourceName, references: Collection[RecordReference]
) -> dict[RecordReference, KnownRecord]:
    records = [_record(row) for row in db.execute(_KNOWN, (source, listed(references)))]
    return {record.reference: record for record in records}


def _by_id(db: sqlite3.Connection, ids: Collection[RecordId]) -> list[KnownRecord]:
    return [_record(row) for row in db.execute(_BY_ID, (listed(ids),))]


def _record(row: sqlite3.Row) -> KnownRecord:
    source, isbn, format_ = row["source"], row["isbn"], row["format"]
    return KnownRecord(
        id=RecordId(row["id"]),
        reference=RecordReference(row["reference"]),
        stream=StreamName(row["stream"]),
        status=RecordStatus(row["status"]),
        fingerprint=row["fingerprint"],
        opening=row["opening"],
        closing=row["closing"],
        body=expand(row["body"]),
        product=PRODUCT.unpack(row["product"]),
        key=None if isbn is None else TitleKey(source=SourceName(source), isbn=Isbn(isbn), format=Format(format_)),
        repeated=bool(row["repeated"]),
        pass_id=PassId(row["applied_pass"]),
    )


def _not_seen(db: sqlite3.Connection, state: PassState, seen: Collection[RecordId]) -> list[RecordId]:
    rows = db.execute(_NOT_SEEN, (state.source, state.stream, state.high_water, state.id))
    return [RecordId(row["id"]) for row in rows if row["id"] not in seen]


def _write(db: sqlite3.Connection, state: PassState, writes: Sequence[RecordWrite], at: datetime) -> None:
    ids = _ids_for(db, state.source, writes)
    contexts = _contexts_for(db, writes)
    applied_at = to_micros(at)
    db.executemany(
        _WRITE,
        [
            (
                ids[write.reference],
                state.source,
                write.reference,
                state.stream,
                write.status.value,
                write.fingerprint if write.status is RecordStatus.LIVE else None,
                write.frame_length,
                contexts[write.opening, write.closing],
                write.repeated,
                *((None, None) if write.key is None else (write.key.isbn, write.key.format)),
                state.id,
                applied_at,
            )
            for write in writes
        ],
    )
    db.executemany(
        _WRITE_FACTS,
        [(ids[write.reference], PRODUCT.pack(write.product), compress(write.body)) for write in writes],
    )
    _tell(db, writes)


def _ids_for(
    db: sqlite3.Connection, source: SourceName, writes: Sequence[RecordWrite]
) -> Mapping[RecordReference, RecordId]:
    """The ids of the records, new ones numbered on from the highest; records are never deleted, so no id comes twice."""
    references = dict.fromkeys(write.reference for write in writes)
    ids = {row["reference"]: RecordId(row["id"]) for row in db.execute(_IDS, (source, listed(references)))}
    last = db.execute(_LAST_ID).fetchone()[0]
    new = (reference for reference in references if reference not in ids)
    ids.update({reference: RecordId(number) for number, reference in enumerate(new, start=last + 1)})
    return ids


def _contexts_for(db: sqlite3.Connection, writes: Sequence[RecordWrite]) -> Mapping[tuple[bytes, bytes], int]:
    """The numbers of the contexts; a feed's records share one or two."""
    contexts = {(write.opening, write.closing): 0 for write in writes}
    db.executemany(_ADD_CONTEXT, list(contexts))
    return {context: db.execute(_CONTEXT, context).fetchone()["id"] for context in contexts}


def _tell(db: sqlite3.Connection, writes: Sequence[RecordWrite]) -> None:
    """Name the titles, write the change log, and have both the new and the previous title decided again."""
    named = dict.fromkeys(write.key for write in writes if write.key is not None)
    previous = dict.fromkeys(write.previous_key for write in writes if write.previous_key is not None)
    name_titles(db, named)
    append(
        db,
        [
            replace(write.change, key=write.change.key or write.key or write.previous_key)
            for write in writes
            if write.change is not None
        ],
    )
    if due := named | previous:
        mark_due(db, due)


def _same_reference(frame: Quarantined) -> str:
    return _same_bytes(frame) if frame.reference is None else _reference_mark(frame.reference)


def _reference_mark(reference: RecordReference) -> str:
    return f"reference {plain(reference)}"


def _same_bytes(frame: Quarantined) -> str:
    return f"bytes {hashlib.blake2b(frame.body, digest_size=16).hexdigest()}"


def _set_aside(
    db: sqlite3.Connection, statement: str, frames: Sequence[Quarantined], same_as: Callable[[Quarantined], str]
) -> None:
    db.executemany(
        statement,
        [
            (
                frame.source,
                same_as(frame),
                frame.stream,
                plain(frame.part),
                None if frame.reference is None else plain(frame.reference),
                frame.offset,
                frame.line,
                plain(frame.reason),
                compress(frame.body),
                to_micros(frame.at),
            )
            for frame in frames
        ],
    )


def _set_aside_frames(db: sqlite3.Connection, statement: str, source: SourceName | None) -> list[Quarantined]:
    return [
        Quarantined(
            source=SourceName(row["source"]),
            stream=StreamName(row["stream"]),
            part=row["part"],
            reference=row["reference"],
            offset=row["offset"],
            line=row["line"],
            reason=row["reason"],
            body=expand(row["body"]),
            at=from_micros(row["at"]),
            id=row["id"],
        )
        for row in db.execute(statement, {"source": source})
    ]


def _clear_quarantine(db: sqlite3.Connection, source: SourceName, references: Collection[RecordReference]) -> None:
    marks = [_reference_mark(reference) for reference in references]
    db.execute(_CLEAR_QUARANTINE, (source, listed(marks)))


def _quarantined_references(db: sqlite3.Connection, source: SourceName) -> dict[RecordReference, RecordId | None]:
    return {
        RecordReference(row["reference"]): None if row["id"] is None else RecordId(row["id"])
        for row in db.execute(_QUARANTINED_REFERENCES, (source,))
    }


def _count_quarantined(db: sqlite3.Connection) -> int:
    return int(db.execute(_COUNT_QUARANTINED).fetchone()[0])


def _drop_quarantined(db: sqlite3.Connection, ids: Collection[int]) -> int:
    return db.execute(_DROP_QUARANTINED, (listed(ids),)).rowcount
