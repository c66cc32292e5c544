"""The checker itself: it must see every way in which a ledger can be wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.flow.expectation import Order, Truth, by_place, differences, expect
from tests.flow.harness import Rate, Row, rate_violations

ISBN = "9780000000002"


def _row(state: str, price: str = "12.99") -> Row:
    return {"isbn": ISBN, "format": "epub", "market": "CA/CAD", "price": price, "state": state}


def _truth(state: str, price: str = "12.99") -> Truth:
    return Truth(titles=by_place([_row(state, price)]), terms={}, offered={})


def _order(order_id: str = "O1", **facts: str) -> Order:
    return Order(
        **{"order_id": order_id, "isbn": ISBN, "format": "epub", "market": "CA/CAD", "customer_id": "C1", **facts}
    )


def _sale(order_id: str = "O1", **facts: str) -> Row:
    return {
        "kind": "sale",
        "reference": f"abcd-{order_id}",
        "customer_id": "C1",
        "isbn": ISBN,
        "format": "epub",
        "amount": "12.99",
        "currency": "CAD",
        "country": "CA",
        "price_type": "02",
        "protection": "watermark",
        **facts,
    }


PREORDER: Row = {"kind": "preorder", "reference": None, "customer_id": "C1", "isbn": ISBN, "format": "epub"}
RIGHT = [PREORDER, _sale()]


def test_a_right_ledger_has_no_differences() -> None:
    """One declaration, one sale, for one order that waited and was released."""
    expected = expect([_order()], _truth("PREORDER"), _truth("FOR_SALE"))
    assert [] == differences(expected, RIGHT)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda rows: rows[:1], "must be sold once, and was 0 times"),
        (lambda rows: [*rows, _sale(reference="abcd-O2")], "order O2 must not be sold"),
        (lambda rows: [*rows, rows[1]], "was used 2 times"),
        (lambda rows: [rows[0], _sale(amount="13.99")], "amount must be 12.99"),
        (lambda rows: [rows[0], _sale(country="US")], "country must be CA"),
        (lambda rows: [rows[0], _sale(currency="USD")], "currency must be CAD"),
        (lambda rows: [rows[0], _sale(price_type="01")], "price_type must be 02"),
        (lambda rows: [rows[0], _sale(customer_id="C2")], "customer 'C1' was called ['C2']"),
        (lambda rows: rows[1:], "was never declared"),
        (lambda rows: [*rows, {**PREORDER, "customer_id": "C2"}], "must not be declared"),
        (lambda rows: [*rows, PREORDER], "was declared 2 times"),
    ],
)
def test_what_is_wrong_is_named(spoil: Callable[[list[Row]], list[Row]], says: str) -> None:
    """Lost, doubled, wrong and uncalled-for rows each give a line."""
    expected = expect([_order()], _truth("PREORDER"), _truth("FOR_SALE"))
    assert any(says in line for line in differences(expected, spoil(RIGHT)))


def test_a_protection_counts_where_the_order_named_one() -> None:
    """Else any that the title has will do."""
    truth = Truth(titles=_truth("FOR_SALE").titles, terms={}, offered={ISBN: ["acs4"]})
    assert [] == differences(expect([_order()], truth, truth), [_sale()])
    named = expect([_order(protection="acs4")], truth, truth)
    assert ["order O1: protection must be acs4, and is watermark"] == differences(named, [_sale()])


@pytest.mark.parametrize(
    ("facts", "before", "after", "sold"),
    [
        ({}, _truth("FOR_SALE"), _truth("WITHDRAWN"), True),
        ({}, _truth("PREORDER"), _truth("WITHDRAWN"), False),
        ({}, _truth("PREORDER"), _truth("PREORDER"), False),
        ({}, _truth("WITHDRAWN"), _truth("FOR_SALE"), False),
        ({}, _truth("PREORDER"), _truth("FOR_SALE", "13.00"), False),
        ({"price_rule": "current"}, _truth("PREORDER"), _truth("FOR_SALE", "13.00"), True),
        ({"price_rule": "exact"}, _truth("PREORDER"), _truth("FOR_SALE", "12.00"), False),
        ({"agreed_price": "12.98"}, _truth("FOR_SALE"), _truth("FOR_SALE"), False),
        ({"agreed_price": "20.00"}, _truth("FOR_SALE"), _truth("FOR_SALE"), True),
        ({"payment": "on_release"}, _truth("FOR_SALE"), _truth("FOR_SALE"), False),
        ({"market": "US/USD"}, _truth("FOR_SALE"), _truth("FOR_SALE"), False),
        ({"format": "pdf"}, _truth("FOR_SALE"), _truth("FOR_SALE"), False),
    ],
)
def test_what_is_sold(facts: dict[str, str], before: Truth, after: Truth, sold: bool) -> None:
    """By the state when it was ordered, the state in the end, the agreement and the payment."""
    assert sold == bool(expect([_order(**facts)], before, after).sales)


def test_a_rate_that_was_exceeded_is_seen() -> None:
    """Four calls within a second, where three a second are allowed and none was in flight."""
    calls = [{"at": f"2026-03-02T12:00:00.{tenths}00000+00:00"} for tenths in (0, 3, 6, 9)]
    assert [] == rate_violations(calls, Rate(4, 1.0), in_flight=0)
    assert 1 == len(rate_violations(calls, Rate(3, 1.0), in_flight=0))
