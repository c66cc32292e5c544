"""Writes that a pass keeps apart until it is judged as a whole, as the rows that they become when they are applied."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from datetime import datetime

from state.sqlite.changes import line_of
from state.sqlite.codec import CHANGE, PRODUCT, compress_all, expand, to_micros
from state.sqlite.contexts import context_of, numbers_of
from state.sqlite.frames import frame_entry
from state.sqlite.sql import insert_rows, listed, next_number, rows_of
from syncengine.domain.ids import Format, Isbn, RecordId, RecordReference, SourceName, TitleKey
from syncengine.ports import PassState, RecordStatus, RecordWrite

_STAGE = insert_rows(
    "staged_records",
    *(
        "pass_id",
        "reference",
        "record_id",
        "status",
        "#fingerprint",
        "#frame",
        "frame_length",
        "line_count",
        "context_id",
    ),
    *("repeated", "is_plain", "isbn", "format", "previous_isbn", "previous_format", "#product", "#body", "changed_at"),
    "#change",
    verb="INSERT OR REPLACE",
)
_STAGED = """
SELECT staged_records.*, essence FROM staged_records JOIN contexts ON contexts.id = context_id
WHERE pass_id = ? ORDER BY position LIMIT ?
"""
_STAGED_OF = """
SELECT staged_records.*, essence FROM staged_records JOIN contexts ON contexts.id = context_id
WHERE pass_id = ? AND reference IN (SELECT value FROM json_each(?))
"""
_STAGED_IDS = """
SELECT id, reference FROM staged_records JOIN records USING (reference) WHERE pass_id = ? AND source = ?
"""
_UNSTAGE = "DELETE FROM staged_records WHERE pass_id = ? AND reference IN (SELECT value FROM json_each(?))"
_FORGET = "DELETE FROM staged_records WHERE pass_id = ?"

_NEXT = """
SELECT count(*) AS number, max(position) AS last
FROM (SELECT position FROM staged_records WHERE pass_id = ? ORDER BY position LIMIT ?)
"""
_APPLY = (
    # A new row's id follows on the highest; records are never deleted, so no id comes twice.
    """
    INSERT INTO records (source, reference, stream, status, fingerprint, frame, context_id, repeated, is_plain, isbn,
        format, applied_pass, applied_at)
    SELECT :source, reference, :stream, status, iif(status = 'live', fingerprint, NULL), frame, context_id, repeated,
        is_plain, isbn, format, :pass_id, :at
    FROM staged_records WHERE pass_id = :pass_id AND position <= :last ORDER BY position
    ON CONFLICT (source, reference) DO UPDATE SET stream = excluded.stream, status = excluded.status,
        fingerprint = excluded.fingerprint, frame = excluded.frame, context_id = excluded.context_id,
        repeated = excluded.repeated, is_plain = excluded.is_plain, isbn = excluded.isbn, format = excluded.format,
        applied_pass = excluded.applied_pass, applied_at = excluded.applied_at
    """,
    """
    INSERT INTO record_facts (record_id, product, body)
    SELECT id, product, body FROM staged_records
    CROSS JOIN records ON source = :source AND records.reference = staged_records.reference
    WHERE pass_id = :pass_id AND position <= :last ORDER BY position
    ON CONFLICT (record_id) DO UPDATE SET product = excluded.product, body = excluded.body
    """,
    """
    INSERT INTO titles (source, isbn, format, is_named)
    SELECT :source, isbn, format, 1 FROM staged_records
    WHERE pass_id = :pass_id AND position <= :last AND isbn IS NOT NULL AND format <> ''
    ON CONFLICT (source, isbn, format) DO UPDATE SET is_named = 1 WHERE is_named = 0
    """,
    """
    INSERT INTO changes (at, source, line)
    SELECT changed_at, :source, change FROM staged_records
    WHERE pass_id = :pass_id AND position <= :last AND change IS NOT NULL ORDER BY position
    """,
    """
    INSERT INTO due_marks (source, isbn, format, sequence, position)
    SELECT :source, isbn, format, :sequence, 0 FROM (
        SELECT isbn, format FROM staged_records WHERE pass_id = :pass_id AND position <= :last
        UNION
        SELECT previous_isbn, previous_format FROM staged_records WHERE pass_id = :pass_id AND position <= :last
    )
    WHERE isbn IS NOT NULL AND format <> ''
    ON CONFLICT (source, isbn, format) DO UPDATE SET sequence = excluded.sequence, position = 0
    """,
    # What names no format is about all titles of the ISBN that records name.
    """
    INSERT INTO due_marks (source, isbn, format, sequence, position)
    SELECT source, isbn, titles.format, :sequence, 0 FROM (
        SELECT isbn FROM staged_records WHERE pass_id = :pass_id AND position <= :last AND format = ''
        UNION
        SELECT previous_isbn FROM staged_records WHERE pass_id = :pass_id AND position <= :last AND previous_format = ''
    ) CROSS JOIN titles USING (isbn)
    WHERE source = :source AND is_named = 1
    ON CONFLICT (source, isbn, format) DO UPDATE SET sequence = excluded.sequence, position = 0
    """,
    """
    DELETE FROM set_aside WHERE source = :source AND kind = 'held' AND reference IN (
        SELECT reference FROM staged_records WHERE pass_id = :pass_id AND position <= :last AND status = 'live'
    )
    """,
    "DELETE FROM staged_records WHERE pass_id = :pass_id AND position <= :last",
)


def stage(db: sqlite3.Connection, state: PassState, writes: Sequence[RecordWrite]) -> None:
    """Keep writes apart; a later one of a reference replaces the earlier."""
    contexts = numbers_of(db, (write.context for write in writes))
    products = PRODUCT.pack_all(write.product for write in writes)
    bodies = compress_all([write.body for write in writes])
    db.execute(
        _STAGE,
        rows_of(
            (
                state.id,
                write.reference,
                write.record_id,
                write.status.value,
                write.fingerprint,
                frame_entry(write),
                write.frame_length,
                write.line_count,
                contexts[write.context],
                write.repeated,
                write.is_plain,
                *_title_columns(write.key),
                *_title_columns(write.previous_key),
                product,
                body,
                *_change_columns(write),
            )
            for write, product, body in zip(writes, products, bodies, strict=True)
        ),
    )


def staged(db: sqlite3.Connection, state: PassState, limit: int) -> list[RecordWrite]:
    """The next writes to apply, in order."""
    return [_write(row, state.source) for row in db.execute(_STAGED, (state.id, limit))]


def staged_of(
    db: sqlite3.Connection, state: PassState, references: Collection[RecordReference]
) -> dict[RecordReference, RecordWrite]:
    """What is staged of these references."""
    rows = db.execute(_STAGED_OF, (state.id, listed(references)))
    return {RecordReference(row["reference"]): _write(row, state.source) for row in rows}


def staged_ids(db: sqlite3.Connection, state: PassState) -> dict[RecordId, RecordReference]:
    """The stored records that have a staged write."""
    rows = db.execute(_STAGED_IDS, (state.id, state.source))
    return {RecordId(row["id"]): RecordReference(row["reference"]) for row in rows}


def unstage(db: sqlite3.Connection, state: PassState, references: Collection[RecordReference]) -> None:
    """Forget what is staged of these references."""
    db.execute(_UNSTAGE, (state.id, listed(references)))


def forget(db: sqlite3.Connection, pass_id: int) -> None:
    """Forget all that a pass has staged."""
    db.execute(_FORGET, (pass_id,))


def apply(db: sqlite3.Connection, state: PassState, limit: int, at: datetime) -> int:
    """Make the next staged writes what is known, and take them off the stage; returns how many there were."""
    found = db.execute(_NEXT, (state.id, limit)).fetchone()
    if found["number"]:
        values = {
            "source": state.source,
            "stream": state.stream,
            "pass_id": state.id,
            "last": found["last"],
            "at": to_micros(at),
            "sequence": next_number(db, "due_sequence"),
        }
        for statement in _APPLY:
            db.execute(statement, values)
    return int(found["number"])


def _title_columns(key: TitleKey | None) -> tuple[str | None, str | None]:
    return (None, None) if key is None else (key.isbn, key.format)


def _change_columns(write: RecordWrite) -> tuple[int | None, bytes | None]:
    line = line_of(write)
    return (None, None) if line is None else (to_micros(line.at), CHANGE.pack(line))


def _write(row: sqlite3.Row, source: SourceName) -> RecordWrite:
    return RecordWrite(
        record_id=None if row["record_id"] is None else RecordId(row["record_id"]),
        reference=RecordReference(row["reference"]),
        status=RecordStatus(row["status"]),
        fingerprint=row["fingerprint"],
        frame_length=row["frame_length"],
        line_count=row["line_count"],
        context=context_of(row["essence"]),
        body=expand(row["body"]),
        product=PRODUCT.unpack(row["product"]),
        key=_key(source, row["isbn"], row["format"]),
        previous_key=_key(source, row["previous_isbn"], row["previous_format"]),
        change=None if row["change"] is None else CHANGE.unpack(row["change"]),
        repeated=bool(row["repeated"]),
        is_plain=bool(row["is_plain"]),
    )


def _key(source: SourceName, isbn: str | None, format_: str | None) -> TitleKey | None:
    if isbn is None or format_ is None:
        return None
    return TitleKey(source=source, isbn=Isbn(isbn), format=Format(format_))
