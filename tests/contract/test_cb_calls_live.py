"""CB's calls over the wire: links, mail, the settlement, tokens, and how many are under way at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.distributors.cb.calls import CbCalls
from syncengine.domain.delivery import Operation, OperationKind, Outcome
from syncengine.domain.ids import CustomerId, Format, Isbn, OrderId, SourceName, TitleKey
from syncengine.domain.order import Order, OrderRequest, OrderState
from syncengine.domain.territory import Market
from syncengine.errors import SourceFailed, SourceRefused, UsageInvalid
from tests.contract.cb_sandbox import Shop, opened_shop

NL_EUR = Market(country="NL", currency="EUR")
LONGEST_LOOK_SECONDS = 5.0


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with opened_shop(tmp_path, titles=60) as shop:
        yield shop


def calls_of(shop: Shop, **changes: Any) -> CbCalls:
    made = shop.connect(**changes).calls
    assert isinstance(made, CbCalls)
    return made


def operation(shop: Shop, scenario: str, reference: str = "P-1") -> Operation:
    isbn = shop.isbn(scenario)
    key = TitleKey(source=SourceName("cb"), isbn=Isbn(isbn), format=Format(shop.title(isbn).format))
    return Operation(
        kind=OperationKind.SALE,
        key=key,
        market=NL_EUR,
        reference=reference,
        customer_id="C-1",
        amount=Decimal("9.99"),
    )


def order(shop: Shop, sold: Operation, receipt: str | None) -> Order:
    request = OrderRequest(
        order_id=OrderId("1"),
        source=SourceName("cb"),
        isbn=sold.key.isbn,
        format=sold.key.format,
        market=NL_EUR,
        customer_id=CustomerId("C-1"),
    )
    now = shop.clock.now()
    return Order(
        request=request,
        state=OrderState.PLACED,
        key=sold.key,
        received_at=now,
        updated_at=now,
        reference=sold.reference,
        receipt=receipt,
    )


async def bought(shop: Shop, calls: CbCalls, scenario: str) -> Order:
    """An order as the engine keeps it once it is placed."""
    sale = operation(shop, scenario)
    verdict = calls.read(sale, await calls.send(calls.prepare(sale)), sent_before=False)
    assert verdict.outcome is Outcome.ACCEPTED
    return order(shop, sale, verdict.proof)


# --- links ----------------------------------------------------------------------------------------------------------------


async def test_each_link_to_an_audiobook_is_a_fresh_one(shop):
    calls = calls_of(shop)
    placed = await bought(shop, calls, "row5_for_sale")
    links = [await calls.download_link(placed) for _ in range(2)]
    assert 2 == len(set(links))
    path = links[-1].partition(".example")[2].partition("?")[0]
    assert 200 == (await shop.call("GET", f"/luisterhuis{path}")).status
    assert "/v3/resetDownloadLinks" in shop.calls("reset")[-1].path
    await calls.aclose()


async def test_a_link_to_a_combination_product_is_that_of_the_title_itself(shop):
    calls = calls_of(shop)
    placed = await bought(shop, calls, "ebook_combination")
    assert f"ean={placed.key.isbn}" in await calls.download_link(placed)
    await calls.aclose()


@pytest.mark.parametrize("scenario", ["row5_for_sale", "ebook_row1_for_sale"])
async def test_an_order_that_cb_does_not_know_has_no_link(shop, scenario):
    calls = calls_of(shop)
    with pytest.raises(SourceFailed) as caught:
        await calls.download_link(order(shop, operation(shop, scenario, "P-9"), "LH-999999"))
    assert "EBS-10077" in f"{caught.value} {caught.value.hint}"
    await calls.aclose()


@pytest.mark.parametrize(
    ("scenario", "endpoint"), [("row5_for_sale", "reset"), ("ebook_row1_for_sale", "getcontenturl")]
)
@pytest.mark.parametrize("fault", ["access_denied", "error_before", "garbage", "login_page"])
async def test_what_is_no_link_is_an_error_that_tells_none(shop, scenario, endpoint, fault):
    calls = calls_of(shop)
    placed = await bought(shop, calls, scenario)
    shop.break_things(**{endpoint: {fault: True}})
    with pytest.raises(SourceRefused if fault == "access_denied" else SourceFailed) as caught:
        await calls.download_link(placed)
    assert "://" not in f"{caught.value} {caught.value.hint}"
    await calls.aclose()


async def test_a_link_is_mailed_beside_the_order_and_fails_beside_it(shop):
    """Contract cb 2.5."""
    calls = calls_of(shop)
    placed = await bought(shop, calls, "row5_for_sale")
    await calls.audiobooks.send_link_by_mail(placed, "reader@example.com")
    shop.break_things(mail={"error_before": True})
    with pytest.raises(SourceFailed):
        await calls.audiobooks.send_link_by_mail(placed, "reader@example.com")
    assert 1 == len(shop.sandbox.ledger)
    await calls.aclose()


# --- the settlement -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", [True, False])
async def test_a_settlement_is_read_and_an_order_found_in_it(shop, named):
    shop.break_things(settings={"settlement_reference": named})
    calls = calls_of(shop)
    placed = await bought(shop, calls, "row5_for_sale")
    month = shop.clock.now().date()
    [line] = await calls.audiobooks.settlement(month)
    assert (placed.receipt, placed.key.isbn, placed.reference if named else "") == (
        line.order_id,
        line.isbn,
        line.reference,
    )
    assert line.amount is not None
    assert line.at
    assert [line] == await calls.audiobooks.proofs(placed, month)
    stranger = replace(placed, reference="P-2")
    expected = [] if named else [line]
    assert expected == await calls.audiobooks.proofs(stranger, month)
    await calls.aclose()


async def test_a_settlement_that_cannot_be_had_is_an_error(shop):
    calls = calls_of(shop)
    shop.break_things(settlement={"login_page": 1})
    with pytest.raises(SourceFailed):
        await calls.audiobooks.settlement(shop.clock.now().date())
    shop.break_things(settlement={"access_denied": 1})
    with pytest.raises(SourceRefused):
        await calls.audiobooks.settlement(shop.clock.now().date())
    await calls.aclose()


async def test_without_luisterhuis_there_is_no_settlement(shop):
    calls = calls_of(shop, luisterhuis=None)
    with pytest.raises(UsageInvalid):
        _ = calls.audiobooks
    await calls.aclose()


# --- tokens and room ------------------------------------------------------------------------------------------------------


async def test_a_token_is_fetched_once_and_again_where_it_is_refused(shop):
    calls = calls_of(shop)
    await bought(shop, calls, "ebook_row1_for_sale")
    check = replace(operation(shop, "ebook_price_differs"), kind=OperationKind.PROBE)
    assert 1 == len(shop.calls("token"))
    shop.stub.ebooks.revoke_tokens()
    verdict = calls.read(check, await calls.send(calls.prepare(check)), sent_before=False)
    assert Outcome.ACCEPTED is verdict.outcome
    assert [2, [401, 200]] == [len(shop.calls("token")), [row.status for row in shop.calls("checkorderable")]]
    await calls.aclose()


async def test_a_token_service_that_refuses_the_client_pauses_and_sends_nothing(shop):
    calls = calls_of(shop)
    shop.break_things(token={"access_denied": True})
    sale = operation(shop, "ebook_row1_for_sale")
    verdict = calls.read(sale, await calls.send(calls.prepare(sale)), sent_before=False)
    assert (Outcome.UNAUTHORIZED, []) == (verdict.outcome, shop.calls("placeorder"))
    await calls.aclose()


async def test_no_more_than_two_calls_to_luisterhuis_are_under_way(tmp_path):
    """Contract cb 3.8; whatever the worker would let go."""
    async with opened_shop(tmp_path, titles=50, auto=False) as shop:
        calls = calls_of(shop)
        shop.break_things(availability={"delay_before": {"seconds": 60}})
        check = replace(operation(shop, "row5_for_sale"), kind=OperationKind.PROBE)
        sending = [asyncio.create_task(calls.send(calls.prepare(check))) for _ in range(5)]
        most = 0
        async with asyncio.timeout(LONGEST_LOOK_SECONDS * 4):
            while not all(task.done() for task in sending):
                await asyncio.wait(sending, timeout=0.05)
                most = max(most, shop.clock.sleeper_count)
                if shop.clock.sleeper_count:
                    shop.clock.advance(60)
        assert 2 == most
        assert {200} == {task.result().status for task in sending}
        await calls.aclose()
