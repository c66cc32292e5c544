from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from syncengine.delivery.spend import SpendGuard, Spending
from syncengine.domain.delivery import Operation, OperationKind
from syncengine.domain.ids import Format, Isbn, SourceName, TitleKey
from syncengine.domain.territory import Market
from tests.clock import START as NOW

SALE = Operation(
    kind=OperationKind.SALE,
    key=TitleKey(source=SourceName("enq"), isbn=Isbn("9782764600009"), format=Format("epub")),
    market=Market.parse("CA/CAD"),
    reference="r1",
    customer_id="c1",
    amount=Decimal("10.00"),
)
EUROS = replace(SALE, market=Market.parse("FR/EUR"))


def spent(count: int, operation: Operation = SALE) -> Spending:
    spending = Spending()
    for _ in range(count):
        spending = spending.add(operation, NOW)
    return spending


def test_without_bounds_nothing_is_refused():
    assert not SpendGuard().is_on
    assert SpendGuard().objection(spent(10_000), SALE, NOW) is None


def test_the_order_that_would_exceed_the_count_is_refused():
    guard = SpendGuard(max_orders_per_hour=3)

    assert guard.objection(spent(2), SALE, NOW) is None
    assert guard.objection(spent(3), SALE, NOW) == "spend guard: more than 3 orders within an hour"


def test_money_is_counted_by_currency_and_exactly():
    guard = SpendGuard(max_money_per_hour={"CAD": Decimal("30.00")})

    assert guard.objection(spent(2), SALE, NOW) is None
    assert guard.objection(spent(3), SALE, NOW) == "spend guard: more than 30.00 CAD within an hour"
    assert guard.objection(spent(3), replace(SALE, amount=Decimal("0.00")), NOW) is None
    assert guard.objection(spent(100, EUROS), SALE, NOW) is None
    assert guard.objection(spent(100, EUROS), EUROS, NOW) is None, "a currency without bound"


def test_a_sale_without_amount_counts_as_an_order_only():
    free = replace(SALE, amount=None)

    assert spent(4, free).money("CAD") == 0
    assert spent(4, free).orders == 4


@pytest.mark.parametrize("kind", [OperationKind.REFUND, OperationKind.DECLARATION, OperationKind.PROBE])
def test_only_sales_are_bounded(kind):
    guard = SpendGuard(max_orders_per_hour=1)

    assert guard.objection(spent(5), replace(SALE, kind=kind), NOW) is None


@pytest.mark.parametrize(("minutes", "remains"), [(0, 3), (59, 3), (60, 3), (61, 0), (-30, 3), (-600, 0)])
def test_an_hour_passes_by_minutes_and_a_clock_set_back_forgives_nothing_of_it(minutes, remains):
    assert spent(3).near(NOW + timedelta(minutes=minutes)).orders == remains


def test_it_is_kept_as_text_without_loss():
    spending = spent(3).add(EUROS, NOW + timedelta(minutes=5))

    assert Spending.decode(spending.encode()) == spending
    assert Spending.decode(None) == Spending()
    assert spending.money("EUR") == Decimal("10.00")
