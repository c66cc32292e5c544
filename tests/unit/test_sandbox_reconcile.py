"""The register held against a ledger: what agrees, and how each contradiction is told."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.sandbox.ledger import LedgerRow
from adapters.sandbox.reconcile import disagreements
from adapters.sandbox.stub import Told


def order(number: int = 1, **facts: Any) -> dict[str, Any]:
    plain = {
        "order_id": f"O{number}",
        "reference": f"s-O{number}",
        "isbn": "9780306406157",
        "state": "PLACED",
        "amount": "9.99",
        "agreed_price": "10.99",
        "payment": "paid",
        "price_rule": "not_above_agreed",
    }
    return {**plain, **facts}


def row(number: int = 1, **facts: Any) -> LedgerRow:
    plain: dict[str, Any] = {
        "distributor": "demarque",
        "kind": "sale",
        "reference": f"s-O{number}",
        "customer_id": None,
        "isbn": "9780306406157",
        "format": "epub",
        "amount": "9.99",
        "currency": "CAD",
        "country": "CA",
        "price_type": None,
        "protection": None,
        "response": "created",
        "at": "2026-03-02T12:00:00.000000+00:00",
    }
    return LedgerRow(**{**plain, **facts})


def test_one_sale_for_each_sold_order_and_none_for_others_agrees():
    orders = [order(1), order(2, state="WAITING"), order(3, state="REFUNDED"), order(4, state="REFUSED", amount=None)]
    rows = [row(1), row(2, kind="preorder", amount=None), row(3), row(3, kind="refund")]
    assert [] == disagreements(orders, rows, Told.PRICE)


@pytest.mark.parametrize(
    ("orders", "rows", "says"),
    [
        ([order()], [], "order O1 is sold by the register, and not by the ledger"),
        ([], [row()], "the ledger has s-O1 as sold, the register has not"),
        ([order(state="WAITING")], [row()], "the ledger has s-O1 as sold, the register has not"),
        ([order()], [row(), row()], "order O1 was sold 2 times"),
        ([order(state="REFUNDED")], [row()], "order O1 is refunded by the register, and not by the ledger"),
        ([order()], [row(), row(kind="refund")], "the ledger has s-O1 as refunded, the register has not"),
        ([order()], [row(isbn="9783161484100")], "order O1 is for 9780306406157, and 9783161484100 was sold"),
        ([order()], [row(amount="10.99")], "order O1 is over 9.99, and was sold for 10.99"),
        ([order()], [row(amount=None)], "order O1 is over 9.99, and was sold for None"),
    ],
)
def test_a_contradiction_is_told(orders, rows, says):
    assert [says] == disagreements(orders, rows, Told.PRICE)[:1]


@pytest.mark.parametrize(
    ("facts", "amount"),
    [
        ({}, "10.99"),
        ({"price_rule": "current"}, "9.99"),
        ({"payment": "on_release"}, "9.99"),
    ],
)
def test_who_is_told_what_was_paid_is_held_to_that(facts, amount):
    assert [] == disagreements([order(**facts)], [row(amount=amount)], Told.PAID)
    assert [] != disagreements([order(**facts)], [row(amount="1.00")], Told.PAID)


def test_who_is_told_no_amount_has_none():
    assert [] == disagreements([order()], [row(amount=None)], Told.NOTHING)
    assert [] != disagreements([order()], [row()], Told.NOTHING)
