"""The register of orders and their histories."""

from __future__ import annotations

import builtins
import sqlite3
from collections.abc import Collection, Mapping, Sequence

from state.sqlite.codec import ORDER, from_micros, plain, to_micros
from state.sqlite.sql import Runs, listed
from state.sqlite.titles import mark_due
from syncengine.domain.ids import OrderId, TitleKey
from syncengine.domain.order import Order, OrderEvent, OrderState, Reason
from syncengine.errors import StoreFailed
from syncengine.ports import OrderQuery

_ADD = """
INSERT INTO orders (order_id, source, isbn, format, state, customer_id, updated_at, body)
VALUES (:order_id, :source, :isbn, :format, :state, :customer_id, :updated_at, :body)
"""
_SAVE = """
UPDATE orders
SET source = :source, isbn = :isbn, format = :format, state = :state, customer_id = :customer_id,
    updated_at = :updated_at, body = :body
WHERE order_id = :order_id
"""
_GET = "SELECT body FROM orders WHERE order_id IN (SELECT value FROM json_each(?))"
_OF_TITLE = """
SELECT position, body FROM orders
WHERE source = :source AND isbn = :isbn AND state = :state AND position > :after
    AND (format = :format OR format = '' OR :format = '')
ORDER BY position LIMIT :limit
"""
_LIST = "SELECT position, body FROM orders WHERE {conditions} ORDER BY position LIMIT :limit"
_COUNTS = "SELECT state, count(*) AS number FROM orders GROUP BY state"
_LOG = "INSERT INTO order_events (order_id, at, before, after, reason, note) VALUES (?, ?, ?, ?, ?, ?)"
_HISTORY = "SELECT order_id, at, before, after, reason, note FROM order_events WHERE order_id = ? ORDER BY id"


class SqliteOrders:
    """ports.Orders."""

    def __init__(self, section: Runs) -> None:
        self._section = section

    async def add(self, orders: Sequence[tuple[Order, OrderEvent]]) -> None:
        if orders:
            await self._section.write(_add, orders)

    async def get(self, ids: Collection[OrderId]) -> Mapping[OrderId, Order]:
        return await self._section.read(_get, ids)

    async def of_title(
        self, key: TitleKey, states: Collection[OrderState], *, after: int, limit: int
    ) -> Sequence[tuple[int, Order]]:
        return await self._section.read(_of_title, key, states, after, limit)

    async def list(self, query: OrderQuery) -> Sequence[tuple[int, Order]]:
        return await self._section.read(_list, query)

    async def save(self, steps: Sequence[tuple[Order, OrderEvent | None]]) -> None:
        if steps:
            await self._section.write(_save, steps)

    async def history(self, order_id: OrderId) -> Sequence[OrderEvent]:
        return await self._section.read(_history, order_id)

    async def counts(self) -> Mapping[OrderState, int]:
        return await self._section.read(_counts)


def _columns(order: Order) -> dict[str, object]:
    return {
        "order_id": order.order_id,
        "source": order.key.source,
        "isbn": order.key.isbn,
        "format": order.key.format,
        "state": order.state.value,
        "customer_id": order.request.customer_id,
        "updated_at": to_micros(order.updated_at),
        "body": ORDER.pack(order),
    }


def _add(db: sqlite3.Connection, orders: Sequence[tuple[Order, OrderEvent]]) -> None:
    db.executemany(_ADD, [_columns(order) for order, _ in orders])
    _log(db, [event for _, event in orders])
    mark_due(db, {order.key for order, _ in orders})


def _save(db: sqlite3.Connection, steps: Sequence[tuple[Order, OrderEvent | None]]) -> None:
    saved = db.executemany(_SAVE, [_columns(order) for order, _ in steps]).rowcount
    if saved != len(steps):
        raise StoreFailed(f"{len(steps) - saved} of the orders to be saved are not in the register")
    _log(db, [event for _, event in steps if event is not None])


def _log(db: sqlite3.Connection, events: Sequence[OrderEvent]) -> None:
    db.executemany(
        _LOG,
        [
            (event.order_id, to_micros(event.at), event.before, event.after, event.reason, plain(event.note))
            for event in events
        ],
    )


def _get(db: sqlite3.Connection, ids: Collection[OrderId]) -> dict[OrderId, Order]:
    found = [ORDER.unpack(row["body"]) for row in db.execute(_GET, (listed(ids),))]
    return {order.order_id: order for order in found}


def _of_title(
    db: sqlite3.Connection, key: TitleKey, states: Collection[OrderState], after: int, limit: int
) -> builtins.list[tuple[int, Order]]:
    values = {"source": key.source, "isbn": key.isbn, "format": key.format, "after": after, "limit": limit}
    return _first(db, _OF_TITLE, [{**values, "state": state.value} for state in set(states)], limit)


def _list(db: sqlite3.Connection, query: OrderQuery) -> builtins.list[tuple[int, Order]]:
    values = {"source": query.source, "isbn": query.isbn, "after": query.after, "limit": query.limit}
    conditions = ["position > :after"]
    conditions += [f"{column} = :{column}" for column in ("source", "isbn") if values[column] is not None]
    by_state = [{**values, "state": state.value} for state in set(query.states)]
    if by_state:
        conditions.append("state = :state")
    return _first(db, _LIST.format(conditions=" AND ".join(conditions)), by_state or [values], query.limit)


def _first(
    db: sqlite3.Connection, statement: str, choices: Sequence[Mapping[str, object]], limit: int
) -> builtins.list[tuple[int, Order]]:
    """The first orders of all choices by position; choice by choice, so that each walks an index in order and stops at the limit."""
    rows = [row for values in choices for row in db.execute(statement, values)]
    rows.sort(key=lambda row: int(row["position"]))
    return [(row["position"], ORDER.unpack(row["body"])) for row in rows[:limit]]


def _history(db: sqlite3.Connection, order_id: OrderId) -> builtins.list[OrderEvent]:
    return [
        OrderEvent(
            order_id=OrderId(row["order_id"]),
            at=from_micros(row["at"]),
            before=None if row["before"] is None else OrderState(row["before"]),
            after=OrderState(row["after"]),
            reason=None if row["reason"] is None else Reason(row["reason"]),
            note=row["note"],
        )
        for row in db.execute(_HISTORY, (order_id,))
    ]


def _counts(db: sqlite3.Connection) -> dict[OrderState, int]:
    return {OrderState(row["state"]): row["number"] for row in db.execute(_COUNTS)}
