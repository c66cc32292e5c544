"""Titles, what is remembered of them, their due marks and timers."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import NamedTuple

from state.sqlite.codec import PRODUCT, REMEMBERED, from_micros, from_micros_or_none, to_micros, to_micros_or_none
from state.sqlite.sql import Runs, insert_rows, listed, next_number, rows_of
from syncengine.domain.ids import Format, Isbn, SourceName, TitleKey
from syncengine.domain.order import LIVE_STATES
from syncengine.domain.product import Product
from syncengine.domain.title import Remembered, Title
from syncengine.ports import DecidedTitle, DueMark, DueTitle, KnownOffer

LONG_PAST = datetime.min.replace(tzinfo=UTC)

_READ = """
SELECT titles.source, titles.isbn, titles.format, titles.remembered, whole.remembered AS remembered_of_isbn
FROM titles
LEFT JOIN titles AS whole ON whole.source = titles.source AND whole.isbn = titles.isbn AND whole.format = ''
WHERE titles.source = :source AND titles.isbn = :isbn AND (titles.format = :format OR :format = '') AND titles.is_named = 1
ORDER BY titles.format
"""
_PRODUCTS = """
SELECT id, format, product FROM records JOIN record_facts ON record_id = id
WHERE source = ? AND isbn = ? AND format IN (?, '') AND status = 'live'
"""
_FIND = "SELECT source, isbn, format FROM titles WHERE isbn = ? AND is_named = 1 ORDER BY source, format"
_NAME = (
    insert_rows("titles", "source", "isbn", "format", "is_named")
    + "ON CONFLICT (source, isbn, format) DO UPDATE SET is_named = 1 WHERE is_named = 0"
)
_REMEMBER = """
INSERT INTO titles (source, isbn, format, remembered) VALUES (?, ?, ?, ?)
ON CONFLICT (source, isbn, format) DO UPDATE SET remembered = excluded.remembered
"""
_REMEMBERED = """
SELECT source, isbn, format, remembered FROM json_each(?) CROSS JOIN titles
WHERE source = json_extract(value, '$[0]') AND isbn = json_extract(value, '$[1]') AND format = json_extract(value, '$[2]')
    AND remembered IS NOT NULL
"""

_MARK = (
    insert_rows("due_marks", "source", "isbn", "format", "sequence", "position")
    + "ON CONFLICT (source, isbn, format) DO UPDATE SET sequence = excluded.sequence, position = 0"
)
_MARK_TITLES = """
INSERT INTO due_marks (source, isbn, format, sequence, position)
SELECT source, isbn, format, :sequence, 0 FROM titles WHERE source = :source AND format <> ''
ON CONFLICT (source, isbn, format) DO UPDATE SET sequence = excluded.sequence, position = 0
"""
_MARK_ISBNS = """
INSERT INTO due_marks (source, isbn, format, sequence, position)
SELECT source, isbn, format, :sequence, 0 FROM json_each(:isbns) CROSS JOIN titles
WHERE source = json_extract(value, '$[0]') AND isbn = json_extract(value, '$[1]') AND is_named = 1
ON CONFLICT (source, isbn, format) DO UPDATE SET sequence = excluded.sequence, position = 0
"""
_MARK_ORDERS = """
INSERT INTO due_marks (source, isbn, format, sequence, position)
SELECT DISTINCT source, isbn, format, :sequence, 0 FROM orders
WHERE source = :source AND state IN (SELECT value FROM json_each(:live_states))
ON CONFLICT (source, isbn, format) DO UPDATE SET sequence = excluded.sequence, position = 0
"""
_MARKS = """
SELECT source, isbn, format, sequence, position FROM due_marks
ORDER BY timed DESC, sequence, source, isbn, format LIMIT ?
"""
_PASSED_OF_MARKS = """
SELECT source, isbn, format FROM titles JOIN (
    SELECT source, isbn, format FROM due_marks ORDER BY timed DESC, sequence, source, isbn, format LIMIT :limit
) USING (source, isbn, format)
WHERE next_at <= :at
"""
_PASSED = """
SELECT source, isbn, format FROM titles
WHERE next_at <= :at AND NOT EXISTS (
    SELECT 1 FROM due_marks
    WHERE due_marks.source = titles.source AND due_marks.isbn = titles.isbn AND due_marks.format = titles.format AND timed = 1
)
ORDER BY next_at, source, isbn, format LIMIT :limit
"""
_MARK_TIMED = "UPDATE due_marks SET timed = 1 WHERE source = ? AND isbn = ? AND format = ?"
_STOP_TIMER = "UPDATE titles SET next_at = NULL WHERE source = ? AND isbn = ? AND format = ?"
_TITLES_OF_MARKS = """
SELECT titles.source, titles.isbn, titles.format, titles.remembered, whole.remembered AS remembered_of_isbn
FROM json_each(:marks) CROSS JOIN titles
LEFT JOIN titles AS whole ON whole.source = titles.source AND whole.isbn = titles.isbn AND whole.format = ''
WHERE titles.source = json_extract(value, '$[0]') AND titles.isbn = json_extract(value, '$[1]')
    AND titles.format = json_extract(value, '$[2]') AND titles.is_named = 1 AND NOT EXISTS (
        SELECT 1 FROM orders WHERE orders.source = titles.source AND orders.isbn = titles.isbn
            AND state IN (SELECT value FROM json_each(:live_states))
    )
"""
_PRODUCTS_OF_MARKS = """
SELECT source, isbn, json_extract(value, '$[2]') AS format, records.format AS own_format, record_id, product
FROM json_each(:marks) CROSS JOIN records CROSS JOIN record_facts ON record_id = records.id
WHERE source = json_extract(value, '$[0]') AND isbn = json_extract(value, '$[1]')
    AND records.format IN (json_extract(value, '$[2]'), '') AND status = 'live'
"""
_OFFERS_OF_MARKS = """
SELECT source, isbn, format, market, state, price, starts_at FROM json_each(:marks) CROSS JOIN offers
WHERE source = json_extract(value, '$[0]') AND isbn = json_extract(value, '$[1]') AND format = json_extract(value, '$[2]')
"""
_MOVE = "UPDATE due_marks SET position = ? WHERE source = ? AND isbn = ? AND format = ? AND sequence = ?"
_CLEAR = "DELETE FROM due_marks WHERE source = ? AND isbn = ? AND format = ? AND sequence = ?"
_CLEAR_MOOT = """
DELETE FROM due_marks WHERE (source, isbn, format) IN (
    SELECT source, isbn, format FROM due_marks CROSS JOIN titles USING (source, isbn, format)
    WHERE source = :source AND position = 0 AND is_named = 1 AND next_at IS NULL
        AND NOT EXISTS (
            SELECT 1 FROM offers WHERE offers.source = titles.source AND offers.isbn = titles.isbn
                AND offers.format = titles.format
        )
        AND NOT EXISTS (
            SELECT 1 FROM orders WHERE orders.source = titles.source AND orders.isbn = titles.isbn
                AND state IN (SELECT value FROM json_each(:live_states))
        )
    LIMIT :limit
)
"""
_COUNT_MARKS = "SELECT count(*) FROM due_marks"
_ANY_MARK = """
SELECT EXISTS (
    SELECT 1 FROM due_marks WHERE (source, isbn, format, sequence) NOT IN (
        SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'), json_extract(value, '$[3]')
        FROM json_each(?)
    )
)
"""
_NEXT_TIMER = "SELECT min(next_at) FROM titles WHERE next_at IS NOT NULL"

_OFFERS = (
    "SELECT market, state, price, starts_at FROM offers WHERE source = ? AND isbn = ? AND format = ? ORDER BY market"
)
_FORGET_OFFERS = "DELETE FROM offers WHERE source = ? AND isbn = ? AND format = ?"
_KEEP_OFFER = "INSERT INTO offers (source, isbn, format, market, state, price, starts_at) VALUES (?, ?, ?, ?, ?, ?, ?)"
_SET_TIMER = """
INSERT INTO titles (source, isbn, format, next_at) VALUES (?, ?, ?, ?)
ON CONFLICT (source, isbn, format) DO UPDATE SET next_at = excluded.next_at WHERE next_at IS NOT excluded.next_at
"""


_LIVE_STATES = listed(sorted(LIVE_STATES))


class SqliteTitles:
    """ports.Titles."""

    def __init__(self, section: Runs) -> None:
        self._section = section

    async def read(self, key: TitleKey) -> Sequence[Title]:
        return await self._section.read(_read, key)

    async def find(self, isbn: Isbn) -> Sequence[TitleKey]:
        return await self._section.read(_find, isbn)

    async def remember(self, memories: Mapping[TitleKey, Remembered]) -> None:
        if memories:
            await self._section.write(_remember, memories)

    async def remembered(self, keys: Collection[TitleKey]) -> Mapping[TitleKey, Remembered]:
        return await self._section.read(_remembered, keys)

    async def mark_due(self, keys: Iterable[TitleKey]) -> None:
        if marked := list(keys):
            await self._section.write(mark_due, marked)

    async def mark_source_due(self, source: SourceName) -> None:
        await self._section.write(_mark_source_due, source)

    async def mark_orders_due(self, source: SourceName) -> None:
        await self._section.write(_mark_orders_due, source)

    async def due(self, at: datetime, limit: int) -> Sequence[DueMark]:
        """Marks, then titles whose instant has passed. A title whose instant has passed while its mark was being worked on starts
        over, so that no order of it keeps a decision of before: decide at `at`, not later.
        """
        if passed := await self._section.read(_passed, at, limit):
            await self._section.write(_timers_to_marks, passed)
        return await self._section.read(_marks, limit)

    async def count_due(self) -> int:
        return await self._section.read(_count_due)

    async def unawaited(self, marks: Sequence[DueMark]) -> Sequence[DueTitle]:
        return await self._section.read(_unawaited, marks)

    async def advance(self, mark: DueMark, position: int) -> None:
        await self._section.write(_advance, mark, position)

    async def clear(self, marks: Sequence[DueMark]) -> None:
        if marks:
            await self._section.write(_clear, marks)

    async def clear_moot(self, source: SourceName, limit: int) -> int:
        return await self._section.write(_clear_moot, source, limit) if await self.count_due() else 0

    async def known_offers(self, key: TitleKey) -> Mapping[str, KnownOffer]:
        return await self._section.read(_known_offers, key)

    async def decide(self, decided: Sequence[DecidedTitle]) -> None:
        if decided:
            await self._section.write(_decide, decided)

    async def next_at(self, *, besides: Collection[DueMark] = ()) -> datetime | None:
        return await self._section.read(_next_at, besides)


def columns_of(key: TitleKey) -> tuple[str, str, str]:
    """The three columns of a title."""
    return key.source, key.isbn, key.format


def name_titles(db: sqlite3.Connection, keys: Iterable[TitleKey]) -> None:
    """Note that records name these titles."""
    db.execute(_NAME, rows_of((*columns_of(key), 1) for key in keys))


def mark_due(db: sqlite3.Connection, keys: Iterable[TitleKey]) -> None:
    """Mark each title; all get the same sequence, which no earlier mark has."""
    sequence = next_number(db, "due_sequence")
    db.execute(_MARK, rows_of((*columns_of(key), sequence, 0) for key in keys))


def mark_isbns_due(db: sqlite3.Connection, keys: Iterable[TitleKey]) -> None:
    """Mark every title that records name of the ISBNs of these keys."""
    isbns = listed((key.source, key.isbn) for key in keys)
    db.execute(_MARK_ISBNS, {"isbns": isbns, "sequence": next_number(db, "due_sequence")})


def _key(row: sqlite3.Row) -> TitleKey:
    return TitleKey(source=SourceName(row["source"]), isbn=Isbn(row["isbn"]), format=Format(row["format"]))


def _read(db: sqlite3.Connection, key: TitleKey) -> list[Title]:
    return [_title(db, row) for row in db.execute(_READ, _named(key)).fetchall()]


def _title(db: sqlite3.Connection, row: sqlite3.Row) -> Title:
    key = _key(row)
    found = [
        _Found(each["id"], each["format"], PRODUCT.unpack(each["product"]))
        for each in db.execute(_PRODUCTS, columns_of(key))
    ]
    return _title_of(key, _memory_of(row), found)


def _named(key: TitleKey) -> dict[str, str]:
    return {"source": key.source, "isbn": key.isbn, "format": key.format}


def _find(db: sqlite3.Connection, isbn: Isbn) -> list[TitleKey]:
    return [_key(row) for row in db.execute(_FIND, (isbn,))]


def _remember(db: sqlite3.Connection, memories: Mapping[TitleKey, Remembered]) -> None:
    db.executemany(_REMEMBER, [(*columns_of(key), REMEMBERED.pack(remembered)) for key, remembered in memories.items()])


def _remembered(db: sqlite3.Connection, keys: Collection[TitleKey]) -> dict[TitleKey, Remembered]:
    rows = db.execute(_REMEMBERED, (listed(map(columns_of, keys)),))
    return {_key(row): REMEMBERED.unpack(row["remembered"]) for row in rows}


def _mark_source_due(db: sqlite3.Connection, source: SourceName) -> None:
    db.execute(_MARK_TITLES, {"source": source, "sequence": next_number(db, "due_sequence")})
    _mark_orders_due(db, source)


def _mark_orders_due(db: sqlite3.Connection, source: SourceName) -> None:
    sequence = next_number(db, "due_sequence")
    db.execute(_MARK_ORDERS, {"source": source, "sequence": sequence, "live_states": _LIVE_STATES})


def _passed(db: sqlite3.Connection, at: datetime, limit: int) -> list[TitleKey]:
    """Titles whose timer has passed and must become a mark now, before all that merely changed; those at the head of the marks
    start over.
    """
    restarted = db.execute(_PASSED_OF_MARKS, {"at": to_micros(at), "limit": limit}).fetchall()
    passed = db.execute(_PASSED, {"at": to_micros(at), "limit": limit}).fetchall()
    return list({_key(row): None for row in restarted + passed})


def _timers_to_marks(db: sqlite3.Connection, keys: Sequence[TitleKey]) -> None:
    mark_due(db, keys)
    rows = [columns_of(key) for key in keys]
    db.executemany(_MARK_TIMED, rows)
    db.executemany(_STOP_TIMER, rows)


def _marks(db: sqlite3.Connection, limit: int) -> list[DueMark]:
    return [
        DueMark(key=_key(row), sequence=row["sequence"], position=row["position"])
        for row in db.execute(_MARKS, (limit,))
    ]


def _count_due(db: sqlite3.Connection) -> int:
    return int(db.execute(_COUNT_MARKS).fetchone()[0])


def _unawaited(db: sqlite3.Connection, marks: Sequence[DueMark]) -> list[DueTitle]:
    """Bulk reads: with a query or three for each title, a first load would be decided more slowly than it is read."""
    values = {"marks": listed(columns_of(mark.key) for mark in marks if not mark.position), "live_states": _LIVE_STATES}
    memories = {_key(row): _memory_of(row) for row in db.execute(_TITLES_OF_MARKS, values)}
    products: dict[TitleKey, list[_Found]] = {}
    values = {"marks": listed(map(columns_of, memories))}
    for row in db.execute(_PRODUCTS_OF_MARKS, values):
        found = _Found(row["record_id"], row["own_format"], PRODUCT.unpack(row["product"]))
        products.setdefault(_key(row), []).append(found)
    offers: dict[TitleKey, dict[str, KnownOffer]] = {}
    for row in db.execute(_OFFERS_OF_MARKS, values):
        offers.setdefault(_key(row), {})[row["market"]] = _offer(row)
    return [
        DueTitle(
            mark=mark,
            title=_title_of(mark.key, memories[mark.key], products.get(mark.key, ())),
            offers=offers.get(mark.key, {}),
        )
        for mark in marks
        if mark.key in memories
    ]


class _Found(NamedTuple):
    """A live record of a title; its own format is empty where it is about all titles of its ISBN."""

    id: int
    format: str
    product: Product


def _title_of(key: TitleKey, memory: Remembered, found: Iterable[_Found]) -> Title:
    """A title that a record named, from its live records."""
    records = sorted(found, key=itemgetter(0))
    return Title(
        key=key,
        records=tuple(record.product for record in records),
        remembered=memory,
        was_removed=not any(record.format for record in records),
    )


def _memory_of(row: sqlite3.Row) -> Remembered:
    """What is remembered of the title, and of the records that are about all titles of its ISBN."""
    kept = [REMEMBERED.unpack(blob) for blob in (row["remembered"], row["remembered_of_isbn"]) if blob is not None]
    return kept[0].joined(kept[1]) if len(kept) == 2 else (kept or [Remembered()])[0]


def _advance(db: sqlite3.Connection, mark: DueMark, position: int) -> None:
    db.execute(_MOVE, (position, *columns_of(mark.key), mark.sequence))


def _clear(db: sqlite3.Connection, marks: Sequence[DueMark]) -> None:
    db.executemany(_CLEAR, [(*columns_of(mark.key), mark.sequence) for mark in marks])


def _clear_moot(db: sqlite3.Connection, source: SourceName, limit: int) -> int:
    return db.execute(_CLEAR_MOOT, {"source": source, "limit": limit, "live_states": _LIVE_STATES}).rowcount


def _known_offers(db: sqlite3.Connection, key: TitleKey) -> dict[str, KnownOffer]:
    return {row["market"]: _offer(row) for row in db.execute(_OFFERS, columns_of(key))}


def _offer(row: sqlite3.Row) -> KnownOffer:
    return KnownOffer(
        market=row["market"],
        state=row["state"],
        price=row["price"],
        starts_at=from_micros_or_none(row["starts_at"]),
    )


def _decide(db: sqlite3.Connection, decided: Sequence[DecidedTitle]) -> None:
    moved = [(columns_of(title.key), title.offers) for title in decided if title.offers is not None]
    db.executemany(_FORGET_OFFERS, [columns for columns, _ in moved])
    db.executemany(
        _KEEP_OFFER,
        [
            (*columns, offer.market, offer.state, offer.price, to_micros_or_none(offer.starts_at))
            for columns, offers in moved
            for offer in offers
        ],
    )
    db.executemany(_SET_TIMER, [(*columns_of(title.key), to_micros_or_none(title.next_at)) for title in decided])


def _next_at(db: sqlite3.Connection, besides: Collection[DueMark]) -> datetime | None:
    if db.execute(_ANY_MARK, (listed((*columns_of(mark.key), mark.sequence) for mark in besides),)).fetchone()[0]:
        return LONG_PAST
    micros = db.execute(_NEXT_TIMER).fetchone()[0]
    return None if micros is None else from_micros(micros)
