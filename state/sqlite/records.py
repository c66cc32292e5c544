"""Records and their index, and what is set aside of them."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from state.sqlite import aside
from state.sqlite.changes import append, line_of
from state.sqlite.codec import PRODUCT, compress_all, expand_all, from_micros, to_micros
from state.sqlite.contexts import context_of, numbers_of
from state.sqlite.frames import frame_entry
from state.sqlite.sql import Runs, insert_rows, listed, rows_of
from state.sqlite.titles import mark_due, mark_isbns_due, name_titles
from syncengine.domain.frame import FrameIndex
from syncengine.domain.ids import Format, Isbn, PassId, RecordId, RecordReference, SourceName, StreamName, TitleKey
from syncengine.domain.product import Product
from syncengine.ports import AsideKind, KnownRecord, PassState, RecordStatus, RecordWrite, SetAside

_INDEX = "SELECT id, frame FROM records NOT INDEXED WHERE source = ? AND status = 'live' ORDER BY id"
_INDEX_ROWS = 10_000
_LIVE_COUNT = "SELECT count(*) FROM records WHERE source = ? AND status = 'live'"
_LIVE_COUNT_OF_STREAM = _LIVE_COUNT + " AND stream = ?"
_KNOWN = """
SELECT records.*, essence, product, body FROM records
JOIN contexts ON contexts.id = context_id JOIN record_facts ON record_id = records.id
WHERE source = ? AND reference IN (SELECT value FROM json_each(?))
"""
_PRODUCTS = """
SELECT reference, product FROM records JOIN record_facts ON record_id = id
WHERE source = ? AND reference IN (SELECT value FROM json_each(?)) AND status = 'live'
"""
_BY_ID = """
SELECT records.*, essence, product, body FROM records
JOIN contexts ON contexts.id = context_id JOIN record_facts ON record_id = records.id
WHERE records.id IN (SELECT value FROM json_each(?)) ORDER BY records.id
"""
_GONE = """
SELECT id FROM records WHERE id IN (SELECT value FROM json_each(?))
    AND source = ? AND stream = ? AND status = 'live' AND id <= ? AND applied_pass < ? ORDER BY id
"""
_IDS = "SELECT reference, id FROM records WHERE source = ? AND reference IN (SELECT value FROM json_each(?))"
_LAST_ID = "SELECT coalesce(max(id), 0) FROM records"
_WRITE = insert_rows(
    "records",
    *("id", "source", "reference", "stream", "status", "#fingerprint", "#frame", "context_id", "repeated", "is_plain"),
    *("isbn", "format", "applied_pass", "applied_at"),
) + (
    """
ON CONFLICT (id) DO UPDATE SET stream = excluded.stream, status = excluded.status, fingerprint = excluded.fingerprint,
    frame = excluded.frame, context_id = excluded.context_id, repeated = excluded.repeated, is_plain = excluded.is_plain,
    isbn = excluded.isbn, format = excluded.format, applied_pass = excluded.applied_pass, applied_at = excluded.applied_at
"""
)
_WRITE_FACTS = (
    insert_rows("record_facts", "record_id", "#product", "#body")
    + "ON CONFLICT (record_id) DO UPDATE SET product = excluded.product, body = excluded.body"
)
_REFERENCES = """
SELECT isbn, format, reference FROM json_each(:titles) CROSS JOIN records
WHERE source = :source AND isbn = json_extract(value, '$[0]') AND format = json_extract(value, '$[1]')
    AND status = 'live'
"""


class SqliteRecords:
    """ports.Records."""

    def __init__(self, section: Runs) -> None:
        self._section = section

    async def index(self, source: SourceName) -> FrameIndex:
        return await self._section.read(_index, source)

    async def live_count(self, source: SourceName, stream: StreamName | None = None) -> int:
        return await self._section.read(_live_count, source, stream)

    async def known(
        self, source: SourceName, references: Collection[RecordReference]
    ) -> Mapping[RecordReference, KnownRecord]:
        return await self._section.read(_known, source, references)

    async def products(
        self, source: SourceName, references: Collection[RecordReference]
    ) -> Mapping[RecordReference, Product]:
        return await self._section.read(_products, source, references)

    async def by_id(self, ids: Collection[RecordId]) -> Sequence[KnownRecord]:
        return await self._section.read(_by_id, ids)

    async def gone(self, state: PassState, unseen: Collection[RecordId]) -> Sequence[RecordId]:
        return await self._section.read(_gone, state, unseen) if unseen else ()

    async def write(self, state: PassState, writes: Sequence[RecordWrite], at: datetime) -> None:
        if writes:
            await self._section.write(_write, state, writes, at)

    async def references(
        self, source: SourceName, keys: Collection[TitleKey]
    ) -> Mapping[TitleKey, Sequence[RecordReference]]:
        return await self._section.read(_references, source, keys)

    async def set_aside(self, frames: Sequence[SetAside]) -> Sequence[SetAside]:
        return await self._section.write(aside.keep, frames) if frames else ()

    async def clear_quarantine(self, source: SourceName, references: Collection[RecordReference]) -> None:
        if references:
            await self._section.write(aside.clear_quarantine, source, references)

    async def aside(
        self, source: SourceName | None = None, kinds: Collection[AsideKind] = tuple(AsideKind)
    ) -> Sequence[SetAside]:
        return await self._section.read(aside.find, source, kinds)

    async def get_aside(self, number: int) -> SetAside | None:
        return await self._section.read(aside.by_id, number)

    async def held(
        self, source: SourceName, references: Collection[RecordReference]
    ) -> Mapping[RecordReference, Sequence[SetAside]]:
        return await self._section.read(aside.held, source, references)

    async def quarantined_references(self, source: SourceName) -> Mapping[RecordReference, RecordId | None]:
        return await self._section.read(aside.quarantined_references, source)

    async def forget_tests(self, source: SourceName, before: datetime) -> None:
        await self._section.write(aside.forget_tests, source, before)

    async def count_aside(self) -> Mapping[AsideKind, int]:
        return await self._section.read(aside.count)

    async def drop_aside(self, ids: Collection[int]) -> int:
        return await self._section.write(aside.drop, ids)


def _index(db: sqlite3.Connection, source: SourceName) -> FrameIndex:
    rows = db.cursor()
    rows.row_factory = None
    rows.execute(_INDEX, (source,))
    entries, ids = bytearray(), array("q")
    while some := rows.fetchmany(_INDEX_ROWS):
        numbers, frames = zip(*some, strict=True)
        entries += b"".join(frames)
        ids.extend(numbers)
    return FrameIndex(bytes(entries), ids)


def _live_count(db: sqlite3.Connection, source: SourceName, stream: StreamName | None) -> int:
    found = (
        db.execute(_LIVE_COUNT, (source,)) if stream is None else db.execute(_LIVE_COUNT_OF_STREAM, (source, stream))
    )
    return int(found.fetchone()[0])


def _known(
    db: sqlite3.Connection, source: SourceName, references: Collection[RecordReference]
) -> dict[RecordReference, KnownRecord]:
    records = _records(db.execute(_KNOWN, (source, listed(references))).fetchall())
    return {record.reference: record for record in records}


def _products(
    db: sqlite3.Connection, source: SourceName, references: Collection[RecordReference]
) -> dict[RecordReference, Product]:
    rows = db.execute(_PRODUCTS, (source, listed(references)))
    return {RecordReference(row["reference"]): PRODUCT.unpack(row["product"]) for row in rows}


def _by_id(db: sqlite3.Connection, ids: Collection[RecordId]) -> list[KnownRecord]:
    return _records(db.execute(_BY_ID, (listed(ids),)).fetchall())


def _records(rows: Sequence[sqlite3.Row]) -> list[KnownRecord]:
    bodies, products = expand_all([row["body"] for row in rows]), PRODUCT.unpack_all([row["product"] for row in rows])
    return list(map(_record, rows, bodies, products))


def _record(row: sqlite3.Row, body: bytes, product: Product) -> KnownRecord:
    source, isbn, format_ = row["source"], row["isbn"], row["format"]
    return KnownRecord(
        id=RecordId(row["id"]),
        reference=RecordReference(row["reference"]),
        stream=StreamName(row["stream"]),
        status=RecordStatus(row["status"]),
        fingerprint=row["fingerprint"],
        context=context_of(row["essence"]),
        body=body,
        product=product,
        key=None if isbn is None else TitleKey(source=SourceName(source), isbn=Isbn(isbn), format=Format(format_)),
        repeated=bool(row["repeated"]),
        pass_id=PassId(row["applied_pass"]),
        applied_at=from_micros(row["applied_at"]),
        is_plain=bool(row["is_plain"]),
    )


def _gone(db: sqlite3.Connection, state: PassState, unseen: Collection[RecordId]) -> list[RecordId]:
    rows = db.execute(_GONE, (listed(unseen), state.source, state.stream, state.high_water, state.id))
    return [RecordId(row["id"]) for row in rows]


def _references(
    db: sqlite3.Connection, source: SourceName, keys: Collection[TitleKey]
) -> dict[TitleKey, list[RecordReference]]:
    titles = listed((key.isbn, key.format) for key in keys if key.source == source)
    found: dict[TitleKey, list[RecordReference]] = {}
    for row in db.execute(_REFERENCES, {"source": source, "titles": titles}):
        key = TitleKey(source=source, isbn=Isbn(row["isbn"]), format=Format(row["format"]))
        found.setdefault(key, []).append(RecordReference(row["reference"]))
    return {key: sorted(references) for key, references in found.items()}


def _write(db: sqlite3.Connection, state: PassState, writes: Sequence[RecordWrite], at: datetime) -> None:
    ids = _ids_for(db, state.source, writes)
    contexts = numbers_of(db, (write.context for write in writes))
    applied_at = to_micros(at)
    db.execute(
        _WRITE,
        rows_of(
            (
                ids[write.reference],
                state.source,
                write.reference,
                state.stream,
                write.status.value,
                write.fingerprint if write.status is RecordStatus.LIVE else None,
                frame_entry(write),
                contexts[write.context],
                write.repeated,
                write.is_plain,
                *((None, None) if write.key is None else (write.key.isbn, write.key.format)),
                state.id,
                applied_at,
            )
            for write in writes
        ),
    )
    products = PRODUCT.pack_all(write.product for write in writes)
    bodies = compress_all([write.body for write in writes])
    facts = zip((ids[write.reference] for write in writes), products, bodies, strict=True)
    db.execute(_WRITE_FACTS, rows_of(facts))
    _tell(db, writes)
    live = [write.reference for write in writes if write.status is RecordStatus.LIVE]
    aside.release_held(db, state.source, live)


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


def _tell(db: sqlite3.Connection, writes: Sequence[RecordWrite]) -> None:
    """Name the titles, write the change log, and have both the new and the previous title decided again.

    Where no format is named, all titles of the ISBN are meant that records name, and there may be none yet.
    """
    named = dict.fromkeys(write.key for write in writes if write.key is not None)
    previous = dict.fromkeys(write.previous_key for write in writes if write.previous_key is not None)
    due = named | previous
    name_titles(db, [key for key in named if key.format])
    append(db, [line for line in map(line_of, writes) if line is not None])
    if titles := [key for key in due if key.format]:
        mark_due(db, titles)
    if isbns := [key for key in due if not key.format]:
        mark_isbns_due(db, isbns)
