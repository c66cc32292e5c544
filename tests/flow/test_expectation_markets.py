"""The checkers of CB and of Bokbasen: they must see every way in which those ledgers can be wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.flow import expectation_bokbasen, expectation_cb
from tests.flow.expectation import Order, Titles, by_place
from tests.flow.harness import Row

AUDIO, EBOOK, BOOK = "9789000000001", "9789000000002", "9788200000003"
ACCOUNT = "5f0c7e0e-3c7e-4a5e-8d54-1c2f5b6a7d80"
_NOTHING = dict.fromkeys(("amount", "currency", "country", "price_type", "protection"))


def _titles(state: str, price: str = "9.99") -> Titles:
    return by_place(
        [
            {"isbn": AUDIO, "format": "audio", "market": "NL/EUR", "price": price, "state": state},
            {"isbn": EBOOK, "format": "epub", "market": "NL/EUR", "price": price, "state": state},
            {"isbn": BOOK, "format": "epub", "market": "NO/NOK", "price": price, "state": state},
        ]
    )


def _order(order_id: str, isbn: str, **facts: str) -> Order:
    form = "audio" if isbn == AUDIO else "epub"
    market = "NO/NOK" if isbn == BOOK else "NL/EUR"
    buyer = {"first_name": "Kari", "last_name": "Nordmann", "consumer_id": ACCOUNT}
    return Order(
        **{"order_id": order_id, "isbn": isbn, "format": form, "market": market, "customer_id": "C1", **buyer, **facts}
    )


def _cb_sale(order_id: str, isbn: str, **facts: Any) -> Row:
    is_audio = isbn == AUDIO
    own = {"format": "audio" if is_audio else "epub", "customer_id": "C1" if is_audio else None}
    return {"kind": "sale", "reference": f"abcd-{order_id}", "isbn": isbn, **own, **_NOTHING, **facts}


def _sale(**facts: Any) -> Row:
    told = {"amount": "9.99", "currency": "NOK", "country": "NO", "price_type": None, "protection": "SDRM"}
    row = {"kind": "sale", "reference": "abcd-O1", "isbn": BOOK, "format": "epub", "customer_id": ACCOUNT}
    return {**row, **told, **facts}


CB_ORDERS = [_order("A1", AUDIO), _order("E1", EBOOK)]
CB_SALES = [_cb_sale("A1", AUDIO), _cb_sale("E1", EBOOK)]


def _cb(ledger: list[Row], **how: Any) -> list[str]:
    expected = expectation_cb.expect(CB_ORDERS, _titles("ANNOUNCED"), _titles("FOR_SALE"))
    return expectation_cb.differences(expected, ledger, **how)


def _bokbasen(ledger: list[Row], **how: Any) -> list[str]:
    orders = [_order("O1", BOOK)]
    expected = expectation_bokbasen.expect(orders, _titles("PREORDER"), _titles("FOR_SALE"), locks={BOOK: "SDRM"})
    return expectation_bokbasen.differences(expected, ledger, **how)


def test_right_ledgers_have_no_differences() -> None:
    assert [] == _cb(CB_SALES)
    assert [] == _bokbasen([_sale()])


@pytest.mark.parametrize(
    ("ledger", "says"),
    [
        (CB_SALES[:1], "order E1 must be sold once, and was 0 times"),
        ([*CB_SALES, CB_SALES[0]], "order A1 must be sold once, and was 2 times"),
        ([*CB_SALES, _cb_sale("A2", AUDIO)], "order A2 must not be sold"),
        ([_cb_sale("A1", EBOOK, format="epub"), CB_SALES[1]], f"isbn must be {AUDIO}"),
        ([_cb_sale("A1", AUDIO, customer_id="C2"), CB_SALES[1]], "customer 'C1' was called ['C2']"),
        ([CB_SALES[0], _cb_sale("E1", EBOOK, customer_id="C1")], "names the customer C1"),
        ([CB_SALES[0], _cb_sale("E1", EBOOK, amount="9.99")], "amount must be None"),
    ],
)
def test_what_is_wrong_at_cb_is_named(ledger: list[Row], says: str) -> None:
    assert any(says in line for line in _cb(ledger))


def test_an_audiobook_in_doubt_may_be_missing_and_an_e_book_may_not() -> None:
    assert [] == _cb(CB_SALES[1:], in_doubt={"A1"})
    assert 1 == len(_cb(CB_SALES[:1], in_doubt={"E1"}))
    assert any("2 times" in line for line in _cb([*CB_SALES, CB_SALES[0]], in_doubt={"A1"}))


@pytest.mark.parametrize(
    ("ledger", "says"),
    [
        ([], "order O1 must be sold once, and was 0 times"),
        ([_sale(), _sale()], "order O1 must be sold once, and was 2 times"),
        ([_sale(), _sale(reference="abcd-O2")], "order O2 must not be sold"),
        ([_sale(amount="10.99")], "amount must be 9.99"),
        ([_sale(currency="SEK")], "currency must be NOK"),
        ([_sale(country="SE")], "country must be NO"),
        ([_sale(customer_id=None)], f"customer_id must be {ACCOUNT}"),
        ([_sale(protection="NODRM")], "protection must be SDRM"),
        ([_sale(), _sale(kind="refund", reference="abcd-O1")], "a row of kind refund"),
    ],
)
def test_what_is_wrong_at_bokbasen_is_named(ledger: list[Row], says: str) -> None:
    assert any(says in line for line in _bokbasen(ledger))


def test_an_order_of_bokbasen_in_doubt_may_be_missing_and_never_doubled() -> None:
    assert [] == _bokbasen([], in_doubt={"O1"})
    assert [] != _bokbasen([_sale(), _sale()], in_doubt={"O1"})


@pytest.mark.parametrize(
    ("facts", "lock", "after", "amount"),
    [
        ({}, "SDRM", "9.99", "9.99"),
        ({}, "SDRM", "8.99", "9.99"),
        ({}, "SDRM", "10.99", None),
        ({"agreed_price": "20"}, "SDRM", "10.99", "20.00"),
        ({"agreed_price": "1.00", "price_rule": "current"}, "SDRM", "10.99", "10.99"),
        ({"agreed_price": "12.00", "price_rule": "exact"}, "SDRM", "10.99", None),
        ({"first_name": "K"}, "SDRM", "9.99", None),
        ({"first_name": "K"}, "LCP", "9.99", "9.99"),
        ({"market": "SE/SEK"}, "SDRM", "9.99", None),
        ({"payment": "on_release"}, "SDRM", "9.99", None),
    ],
)
def test_what_bokbasen_is_told_was_paid(facts: Mapping[str, str], lock: str, after: str, amount: str | None) -> None:
    """By the agreement and the names; none where nothing is sold."""
    orders = [_order("O1", BOOK, **facts)]
    expected = expectation_bokbasen.expect(orders, _titles("PREORDER"), _titles("FOR_SALE", after), locks={BOOK: lock})
    assert amount == expected.get("O1", {"amount": None})["amount"]
