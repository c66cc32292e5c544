"""Frames that were set aside: quarantined, held, tests and notices of transfer."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from state.sqlite.codec import compress, expand, from_micros, plain, to_micros
from state.sqlite.contexts import context_of, numbers_of
from state.sqlite.sql import listed
from syncengine.domain.frame import Context
from syncengine.domain.ids import RecordId, RecordReference, SourceName, StreamName
from syncengine.domain.message import MessageMark
from syncengine.ports import AsideKind, SetAside

_REPLACED = frozenset({AsideKind.QUARANTINED, AsideKind.TEST})
"""Of these the newest frame of a reference is kept; of the other kinds each frame."""

_ALREADY_KEPT = """
SELECT source, kind, same_as FROM json_each(?) CROSS JOIN set_aside
WHERE source = json_extract(value, '$[0]') AND kind = json_extract(value, '$[1]')
    AND same_as = json_extract(value, '$[2]')
"""
_KEEP = """
INSERT INTO set_aside (source, kind, same_as, stream, part, reference, offset, line, reason, body, context_id, sent_at, number, at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (source, kind, same_as) DO UPDATE SET stream = excluded.stream, part = excluded.part,
    reference = excluded.reference, offset = excluded.offset, line = excluded.line, reason = excluded.reason,
    body = excluded.body, context_id = excluded.context_id, sent_at = excluded.sent_at, number = excluded.number,
    at = excluded.at
WHERE kind <> 'transfer'
"""
_ASIDE = """
SELECT set_aside.*, essence FROM set_aside LEFT JOIN contexts ON contexts.id = context_id
WHERE (source = :source OR :source IS NULL) AND kind IN (SELECT value FROM json_each(:kinds)) ORDER BY at, set_aside.id
"""
_BY_ID = """
SELECT set_aside.*, essence FROM set_aside LEFT JOIN contexts ON contexts.id = context_id WHERE set_aside.id = ?
"""
_HELD = """
SELECT set_aside.*, essence FROM set_aside LEFT JOIN contexts ON contexts.id = context_id
WHERE source = ? AND kind = 'held' AND reference IN (SELECT value FROM json_each(?)) ORDER BY reference, set_aside.id
"""
_RELEASE_HELD = """
DELETE FROM set_aside WHERE source = ? AND kind = 'held' AND reference IN (SELECT value FROM json_each(?))
"""
_FORGET_TESTS = "DELETE FROM set_aside WHERE source = ? AND kind = 'test' AND at < ?"
_CLEAR_QUARANTINE = """
DELETE FROM set_aside WHERE source = ? AND kind = 'quarantined' AND same_as IN (SELECT value FROM json_each(?))
"""
_QUARANTINED_REFERENCES = """
SELECT set_aside.reference, records.id FROM set_aside
LEFT JOIN records ON records.source = set_aside.source AND records.reference = set_aside.reference
WHERE set_aside.source = ? AND kind = 'quarantined' AND set_aside.reference IS NOT NULL
"""
_COUNT = "SELECT kind, count(*) AS number FROM set_aside GROUP BY kind"
_DROP = "DELETE FROM set_aside WHERE id IN (SELECT value FROM json_each(?))"


def keep(db: sqlite3.Connection, frames: Sequence[SetAside]) -> list[SetAside]:
    """Keep frames apart; returns those that were not kept yet."""
    contexts = numbers_of(db, (frame.context for frame in frames if frame.context is not None))
    marked = [((frame.source, frame.kind.value, _same_as(frame)), frame) for frame in frames]
    kept = {tuple(row) for row in db.execute(_ALREADY_KEPT, (listed(same for same, _ in marked),))}
    db.executemany(_KEEP, [(*same, *_columns(frame, contexts)) for same, frame in marked])
    first: dict[tuple[str, str, str], SetAside] = {}
    for same, frame in marked:
        if same not in kept:
            first.setdefault(same, frame)
    return list(first.values())


def clear_quarantine(db: sqlite3.Connection, source: SourceName, references: Collection[RecordReference]) -> None:
    """Forget the quarantined frames of these references."""
    marks = [_reference_mark(reference) for reference in references]
    db.execute(_CLEAR_QUARANTINE, (source, listed(marks)))


def find(db: sqlite3.Connection, source: SourceName | None, kinds: Collection[AsideKind]) -> list[SetAside]:
    """What is set aside, oldest first."""
    wanted = {"source": source, "kinds": listed(kind.value for kind in kinds)}
    return [_frame(row) for row in db.execute(_ASIDE, wanted)]


def by_id(db: sqlite3.Connection, number: int) -> SetAside | None:
    """One frame."""
    row = db.execute(_BY_ID, (number,)).fetchone()
    return None if row is None else _frame(row)


def held(
    db: sqlite3.Connection, source: SourceName, references: Collection[RecordReference]
) -> dict[RecordReference, list[SetAside]]:
    """The held updates of these references, in the order in which they first came."""
    found: dict[str, list[SetAside]] = {}
    for row in db.execute(_HELD, (source, listed({plain(reference) for reference in references}))):
        found.setdefault(row["reference"], []).append(_frame(row))
    return {reference: found[plain(reference)] for reference in references if plain(reference) in found}


def quarantined_references(db: sqlite3.Connection, source: SourceName) -> dict[RecordReference, RecordId | None]:
    """The references of quarantined frames, with their records."""
    return {
        RecordReference(row["reference"]): None if row["id"] is None else RecordId(row["id"])
        for row in db.execute(_QUARANTINED_REFERENCES, (source,))
    }


def release_held(db: sqlite3.Connection, source: SourceName, references: Collection[RecordReference]) -> None:
    """Forget the held updates of these references."""
    db.execute(_RELEASE_HELD, (source, listed(map(plain, references))))


def forget_tests(db: sqlite3.Connection, source: SourceName, before: datetime) -> None:
    """Forget older tests."""
    db.execute(_FORGET_TESTS, (source, to_micros(before)))


def count(db: sqlite3.Connection) -> dict[AsideKind, int]:
    """How many there are of each kind, also of those there are none of."""
    return dict.fromkeys(AsideKind, 0) | {AsideKind(row["kind"]): row["number"] for row in db.execute(_COUNT)}


def drop(db: sqlite3.Connection, ids: Collection[int]) -> int:
    """Forget these; returns how many there were."""
    return db.execute(_DROP, (listed(ids),)).rowcount


def _same_as(frame: SetAside) -> str:
    if frame.kind in _REPLACED and frame.reference is not None:
        return _reference_mark(frame.reference)
    return f"bytes {hashlib.blake2b(frame.body, digest_size=16).hexdigest()}"


def _reference_mark(reference: RecordReference) -> str:
    return f"reference {plain(reference)}"


def _columns(frame: SetAside, contexts: Mapping[Context, int]) -> tuple[object, ...]:
    """The columns from `stream` on."""
    return (
        frame.stream,
        plain(frame.part),
        _plain_or_none(frame.reference),
        frame.offset,
        frame.line,
        plain(frame.reason),
        compress(frame.body),
        None if frame.context is None else contexts[frame.context],
        _plain_or_none(frame.mark.sent_at),
        _plain_or_none(frame.mark.number),
        to_micros(frame.at),
    )


def _plain_or_none(text: str | None) -> str | None:
    return None if text is None else plain(text)


def _frame(row: sqlite3.Row) -> SetAside:
    reference, essence = row["reference"], row["essence"]
    return SetAside(
        kind=AsideKind(row["kind"]),
        source=SourceName(row["source"]),
        stream=StreamName(row["stream"]),
        part=row["part"],
        reference=None if reference is None else RecordReference(reference),
        offset=row["offset"],
        line=row["line"],
        reason=row["reason"],
        body=expand(row["body"]),
        context=None if essence is None else context_of(essence),
        mark=MessageMark(sent_at=row["sent_at"], number=row["number"]),
        at=from_micros(row["at"]),
        id=row["id"],
    )
