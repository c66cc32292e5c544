"""The register held against a distributor's ledger: what the shop believes it bought, and what was sold to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from adapters.sandbox.ledger import LedgerRow
from adapters.sandbox.stub import Told

Document = Mapping[str, Any]

SOLD = frozenset({"PLACED", "REFUNDED"})


def disagreements(orders: Collection[Document], rows: Sequence[LedgerRow], told: Told) -> list[str]:
    """Where the orders of one source, as documents, and the rows of its ledger contradict each other; empty where they agree.

    They agree where each sale of the ledger is that of one order, with the same title and amount, each order that counts as sold
    was sold once, and the same holds for refunds. Orders with a call still owed are for the caller to wait for.
    """
    sales = [row for row in rows if row.kind == "sale"]
    refunds = [row for row in rows if row.kind == "refund"]
    known = {order["reference"]: order for order in orders}
    return [
        *_one_sided("sold", [order for order in orders if order["state"] in SOLD], sales),
        *_one_sided("refunded", [order for order in orders if order["state"] == "REFUNDED"], refunds),
        *(
            problem
            for row in sales
            if (order := known.get(row.reference)) and order["state"] in SOLD
            for problem in _differences(order, row, told)
        ),
    ]


def amount_told(order: Document, told: Told) -> Decimal | None:
    """What the distributor was told of a sold order, by the register: who had paid what was agreed is told as having paid that,
    though the price has fallen since (contract of Bokbasen, 6). None where no amount is told.
    """
    if told is Told.NOTHING:
        return None
    has_paid = told is Told.PAID and order["payment"] == "paid" and order["price_rule"] != "current"
    return Decimal(order["agreed_price" if has_paid else "amount"])


def _one_sided(what: str, orders: Collection[Document], rows: Sequence[LedgerRow]) -> Iterator[str]:
    """What only one side knows, and what the ledger has twice."""
    names = {order["reference"]: order["order_id"] for order in orders}
    counts = Counter(row.reference for row in rows)
    for reference, order_id in names.items():
        if reference not in counts:
            yield f"order {order_id} is {what} by the register, and not by the ledger"
    for reference, count in counts.items():
        if reference not in names:
            yield f"the ledger has {reference} as {what}, the register has not"
        elif count > 1:
            yield f"order {names[reference]} was {what} {count} times"


def _differences(order: Document, row: LedgerRow, told: Told) -> Iterator[str]:
    if order["isbn"] != row.isbn:
        yield f"order {order['order_id']} is for {order['isbn']}, and {row.isbn} was sold"
    expected, sold_for = amount_told(order, told), None if row.amount is None else Decimal(row.amount)
    if expected != sold_for:
        yield f"order {order['order_id']} is over {expected}, and was sold for {sold_for}"
