"""What is owed to distributors: entries, their receipts, and the gates of release night."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime

from state.sqlite.codec import GATE, LOGGED_RECEIPT, OPERATION, REQUEST, from_micros, plain, to_micros
from state.sqlite.sql import Runs, listed, next_number
from syncengine.domain.delivery import PRIORITY, Entry, EntryState, Gate, GateState, OperationKind
from syncengine.domain.ids import EntryId, OrderId, SourceName, TitleKey
from syncengine.errors import StoreFailed
from syncengine.ports import LoggedReceipt, NewEntry

_BODY_BOUND = 65536
"""What is kept of a body in the history of receipts; the request that may be repeated stands whole in its entry."""

_PUT = """
INSERT INTO outbox (source, state, claimed, due_at, priority, order_id, gate, attempts, ever_sent, created_at, note, operation)
VALUES (?, 'pending', 0, ?, ?, ?, ?, 0, 0, ?, '', ?)
"""
_RECOVER_CLAIMED = "UPDATE outbox SET state = 'pending', claimed = 0 WHERE state = 'claimed'"
_RECOVER_UNKNOWN = "UPDATE outbox SET claimed = 0 WHERE state = 'unknown' AND claimed = 1"
_RECOVER_SENT = "UPDATE outbox SET state = 'unknown', claimed = 0 WHERE state = 'sent'"
_READY = """
SELECT * FROM outbox AS entry INDEXED BY outbox_ready
WHERE state = :state AND source = :source AND priority <= :priority AND claimed = 0 AND due_at <= :at
AND :source NOT IN (SELECT source FROM pauses) AND NOT EXISTS (
    SELECT 1 FROM outbox AS earlier WHERE earlier.order_id = entry.order_id AND earlier.id < entry.id
) AND NOT (
    state = 'pending' AND priority = :sale
    AND EXISTS (SELECT 1 FROM gates WHERE gates.id = entry.gate AND gates.state <> :open)
)
ORDER BY priority, id LIMIT :limit
"""
_CLAIM = """
UPDATE outbox SET claimed = 1, state = CASE state WHEN 'pending' THEN 'claimed' ELSE state END
WHERE id IN (SELECT value FROM json_each(?))
"""
_SAVE = """
UPDATE outbox
SET state = :state, claimed = :claimed, due_at = :due_at, gate = :gate, attempts = :attempts, ever_sent = :ever_sent,
    note = :note, request = :request
WHERE id = :id
"""
_TO_HISTORY = """
INSERT INTO outbox_history
SELECT id, source, :state, :claimed, :due_at, priority, order_id, :gate, :attempts, :ever_sent, created_at, :note, operation, :request
FROM outbox WHERE id = :id
"""
_LEAVE = "DELETE FROM outbox WHERE id = :id"
_OWED = "SELECT id FROM outbox WHERE id IN (SELECT value FROM json_each(?)) AND state <> 'parked'"
_SENDABLE = """
SELECT id FROM outbox AS entry
WHERE id IN (SELECT value FROM json_each(:ids)) AND state <> 'parked' AND source NOT IN (SELECT source FROM pauses) AND NOT (
    priority = :sale AND ever_sent = 0
    AND EXISTS (SELECT 1 FROM gates WHERE gates.id = entry.gate AND gates.state <> :open)
)
"""
_OF_ORDER = "SELECT * FROM outbox WHERE order_id = ? ORDER BY id"
_OF_ORDERS = "SELECT * FROM outbox WHERE order_id IN (SELECT value FROM json_each(?)) ORDER BY id"
_COUNT_UNSENT = """
SELECT count(*) FROM (SELECT 1 FROM outbox WHERE state = 'pending' AND source = ? AND priority = ? LIMIT ?)
"""
_GET = "SELECT * FROM outbox WHERE id = :id UNION ALL SELECT * FROM outbox_history WHERE id = :id"
_PARKED = "SELECT * FROM outbox WHERE state = 'parked' ORDER BY id"
_REVOKE = """
DELETE FROM outbox
WHERE state IN ('pending', 'claimed') AND ever_sent = 0 AND id IN (SELECT value FROM json_each(?))
"""
_NEXT_AT = """
SELECT due_at FROM outbox AS entry
WHERE state = :state AND source = :source AND claimed = 0 AND :source NOT IN (SELECT source FROM pauses) AND NOT EXISTS (
    SELECT 1 FROM outbox AS earlier WHERE earlier.order_id = entry.order_id AND earlier.id < entry.id
)
ORDER BY due_at LIMIT 1
"""
_COUNTS = "SELECT state, count(*) AS number FROM outbox GROUP BY state"
_SETTLED = "SELECT value FROM counters WHERE name = 'settled'"
_LOG = "INSERT INTO receipts (entry_id, at, outcome, line) VALUES (?, ?, ?, ?)"
_RECEIPTS = "SELECT line FROM receipts WHERE entry_id = ? ORDER BY id"
_GATES = "SELECT id, body FROM gates WHERE source = ? AND isbn = ? AND format = ? ORDER BY id"
_SAVE_GATE = """
INSERT INTO gates (id, source, isbn, format, state, body) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET source = excluded.source, isbn = excluded.isbn, format = excluded.format,
    state = excluded.state, body = excluded.body
"""

_READY_STATES = (EntryState.UNKNOWN, EntryState.PENDING)
_CLAIMED_AS = {EntryState.UNKNOWN.value: EntryState.UNKNOWN, EntryState.PENDING.value: EntryState.CLAIMED}
_IN_HANDS = frozenset({EntryState.CLAIMED, EntryState.SENT})


class SqliteOutbox:
    """ports.Outbox. An entry that is saved as pending, unknown, parked or settled is out of its worker's hands."""

    def __init__(self, section: Runs) -> None:
        self._section = section

    async def put(self, entries: Sequence[NewEntry], at: datetime) -> None:
        if entries:
            await self._section.write(_put, entries, at)

    async def recover(self) -> int:
        return await self._section.write(_recover)

    async def claim(
        self,
        sources: Collection[SourceName],
        at: datetime,
        limit: int,
        *,
        least_urgent: OperationKind = OperationKind.REFUND,
    ) -> Sequence[Entry]:
        return await self._section.write(_claim, sources, at, limit, PRIORITY[least_urgent])

    async def save(self, *entries: Entry) -> None:
        if entries:
            await self._section.write(_save, entries)

    async def log(self, *lines: LoggedReceipt) -> None:
        if lines:
            await self._section.write(_log, lines)

    async def note(self, entries: Sequence[Entry], lines: Sequence[LoggedReceipt]) -> AbstractSet[EntryId]:
        return await self._section.write(_note, entries, lines)

    async def receipts(self, entry_id: EntryId) -> Sequence[LoggedReceipt]:
        return await self._section.read(_receipts, entry_id)

    async def of_order(self, order_id: OrderId) -> Sequence[Entry]:
        return await self._section.read(_entries, _OF_ORDER, (order_id,))

    async def of_orders(self, order_ids: Collection[OrderId]) -> Mapping[OrderId, Sequence[Entry]]:
        return await self._section.read(_of_orders, order_ids)

    async def count_unsent(self, source: SourceName, most: int) -> int:
        return await self._section.read(_count_unsent, source, most)

    async def get(self, entry_id: EntryId) -> Entry | None:
        return await self._section.read(_get, entry_id)

    async def sendable(self, entry_ids: Collection[EntryId]) -> AbstractSet[EntryId]:
        return await self._section.read(_sendable, entry_ids)

    async def parked(self) -> Sequence[Entry]:
        return await self._section.read(_entries, _PARKED, ())

    async def revoke(self, entry_ids: Collection[EntryId]) -> None:
        if entry_ids:
            await self._section.write(_revoke, entry_ids)

    async def next_at(self, sources: Collection[SourceName]) -> datetime | None:
        return await self._section.read(_next_at, sources)

    async def counts(self) -> Mapping[str, int]:
        return await self._section.read(_counts)

    async def gates(self, key: TitleKey) -> Mapping[str, Gate]:
        return await self._section.read(_gates, key)

    async def save_gates(self, gates: Sequence[Gate]) -> None:
        if gates:
            await self._section.write(_save_gates, gates)


def _entry(row: sqlite3.Row, state: EntryState | None = None) -> Entry:
    return Entry(
        id=EntryId(row["id"]),
        operation=OPERATION.unpack(row["operation"]),
        state=state or EntryState(row["state"]),
        order_id=row["order_id"],
        gate=row["gate"],
        due_at=from_micros(row["due_at"]),
        attempts=row["attempts"],
        request=None if row["request"] is None else REQUEST.unpack(row["request"]),
        ever_sent=bool(row["ever_sent"]),
        created_at=from_micros(row["created_at"]),
        note=row["note"],
    )


def _entries(db: sqlite3.Connection, statement: str, values: tuple[str, ...]) -> list[Entry]:
    return [_entry(row) for row in db.execute(statement, values)]


def _of_orders(db: sqlite3.Connection, order_ids: Collection[OrderId]) -> dict[OrderId, list[Entry]]:
    found: defaultdict[OrderId, list[Entry]] = defaultdict(list)
    for entry in _entries(db, _OF_ORDERS, (listed(order_ids),)):
        if entry.order_id is not None:
            found[entry.order_id].append(entry)
    return dict(found)


def _count_unsent(db: sqlite3.Connection, source: SourceName, most: int) -> int:
    return int(db.execute(_COUNT_UNSENT, (source, PRIORITY[OperationKind.SALE], most)).fetchone()[0])


def _put(db: sqlite3.Connection, entries: Sequence[NewEntry], at: datetime) -> None:
    created_at = to_micros(at)
    db.executemany(
        _PUT,
        [
            (
                entry.operation.key.source,
                to_micros(entry.due_at),
                PRIORITY[entry.operation.kind],
                entry.order_id,
                entry.gate,
                created_at,
                OPERATION.pack(entry.operation),
            )
            for entry in entries
        ],
    )


def _recover(db: sqlite3.Connection) -> int:
    db.execute(_RECOVER_CLAIMED)
    db.execute(_RECOVER_UNKNOWN)
    return db.execute(_RECOVER_SENT).rowcount


def _ready(
    db: sqlite3.Connection, sources: Collection[SourceName], at: datetime, limit: int, priority: int
) -> list[Entry]:
    """Entries as they are once claimed. State by state and source by source, so that each query walks its index in order and stops at the limit."""
    rows = [
        row
        for state in _READY_STATES
        for source in sorted(set(sources))
        for row in db.execute(
            _READY,
            {
                "state": state.value,
                "source": source,
                "priority": priority,
                "at": to_micros(at),
                "limit": limit,
                "sale": PRIORITY[OperationKind.SALE],
                "open": GateState.OPEN.value,
            },
        )
    ]
    rows.sort(key=lambda row: (row["priority"], row["state"] != EntryState.UNKNOWN.value, row["id"]))
    return [_entry(row, _CLAIMED_AS[row["state"]]) for row in rows[:limit]]


def _claim(
    db: sqlite3.Connection, sources: Collection[SourceName], at: datetime, limit: int, priority: int
) -> list[Entry]:
    entries = _ready(db, sources, at, limit, priority)
    if entries:
        db.execute(_CLAIM, (listed(entry.id for entry in entries),))
    return entries


def _save(db: sqlite3.Connection, entries: Sequence[Entry]) -> None:
    settled = [_columns(entry) for entry in entries if entry.state is EntryState.SETTLED]
    others = [_columns(entry) for entry in entries if entry.state is not EntryState.SETTLED]
    saved = db.executemany(_TO_HISTORY, settled).rowcount if settled else 0
    saved += db.executemany(_SAVE, others).rowcount if others else 0
    if saved != len(entries):
        raise StoreFailed(f"{len(entries) - saved} of the entries to be saved are not in the outbox any more")
    if settled:
        db.executemany(_LEAVE, settled)
        next_number(db, "settled", len(settled))


def _note(db: sqlite3.Connection, entries: Sequence[Entry], lines: Sequence[LoggedReceipt]) -> frozenset[EntryId]:
    owed = _owed(db, [entry.id for entry in entries])
    _log(db, [line for line in lines if line.entry_id in owed])
    _save(db, [entry for entry in entries if entry.id in owed])
    return owed


def _columns(entry: Entry) -> dict[str, object]:
    return {
        "id": entry.id,
        "state": entry.state.value,
        "claimed": entry.state in _IN_HANDS,
        "due_at": to_micros(entry.due_at),
        "gate": entry.gate,
        "attempts": entry.attempts,
        "ever_sent": entry.ever_sent,
        "note": plain(entry.note),
        "request": None if entry.request is None else REQUEST.pack(entry.request),
    }


def _log(db: sqlite3.Connection, lines: Sequence[LoggedReceipt]) -> None:
    db.executemany(
        _LOG,
        [
            (line.entry_id, to_micros(line.receipt.at), line.verdict.outcome.value, LOGGED_RECEIPT.pack(_bounded(line)))
            for line in lines
        ],
    )


def _bounded(line: LoggedReceipt) -> LoggedReceipt:
    if len(line.receipt.body) <= _BODY_BOUND and len(line.request.body) <= _BODY_BOUND:
        return line
    return replace(
        line,
        receipt=replace(line.receipt, body=line.receipt.body[:_BODY_BOUND]),
        request=replace(line.request, body=line.request.body[:_BODY_BOUND]),
    )


def _receipts(db: sqlite3.Connection, entry_id: EntryId) -> list[LoggedReceipt]:
    return [LOGGED_RECEIPT.unpack(row["line"]) for row in db.execute(_RECEIPTS, (entry_id,))]


def _get(db: sqlite3.Connection, entry_id: EntryId) -> Entry | None:
    row = db.execute(_GET, {"id": entry_id}).fetchone()
    return None if row is None else _entry(row)


def _owed(db: sqlite3.Connection, ids: Collection[EntryId]) -> frozenset[EntryId]:
    return frozenset(row["id"] for row in db.execute(_OWED, (listed(ids),)))


def _sendable(db: sqlite3.Connection, ids: Collection[EntryId]) -> frozenset[EntryId]:
    values = {"ids": listed(ids), "sale": PRIORITY[OperationKind.SALE], "open": GateState.OPEN.value}
    return frozenset(row["id"] for row in db.execute(_SENDABLE, values))


def _revoke(db: sqlite3.Connection, ids: Collection[EntryId]) -> None:
    db.execute(_REVOKE, (listed(ids),))


def _next_at(db: sqlite3.Connection, sources: Collection[SourceName]) -> datetime | None:
    found = [
        db.execute(_NEXT_AT, {"state": state.value, "source": source}).fetchone()
        for state in _READY_STATES
        for source in set(sources)
    ]
    return min((from_micros(row["due_at"]) for row in found if row is not None), default=None)


def _counts(db: sqlite3.Connection) -> dict[str, int]:
    counts = {state.value: 0 for state in EntryState}
    counts.update({row["state"]: row["number"] for row in db.execute(_COUNTS)})
    settled = db.execute(_SETTLED).fetchone()
    counts[EntryState.SETTLED.value] = 0 if settled is None else settled["value"]
    return counts


def _gates(db: sqlite3.Connection, key: TitleKey) -> dict[str, Gate]:
    rows = db.execute(_GATES, (key.source, key.isbn, key.format))
    return {row["id"]: GATE.unpack(row["body"]) for row in rows}


def _save_gates(db: sqlite3.Connection, gates: Sequence[Gate]) -> None:
    db.executemany(
        _SAVE_GATE,
        [
            (gate.id, gate.key.source, gate.key.isbn, gate.key.format, gate.state.value, GATE.pack(gate))
            for gate in gates
        ],
    )
