"""The Bokbasen stub's counter: orders, downloads and accounts (contract section 13, points 5 to 7)."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapters.distributors.bokbasen.sandbox_counter import AUDIO_FORMS
from tests.contract.bokbasen_sandbox import JSON, Reply, Shop, opened_shop

CONSUMER = "5f0c7e0e-3c7e-4a5e-8d54-1c2f5b6a7d80"


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with opened_shop(tmp_path) as shop:
        yield shop


# --- 5: orders


async def test_an_order_is_taken(shop: Shop) -> None:
    isbn = shop.isbn("row_12_on_sale")
    reply = await shop.order(isbn, id=CONSUMER)
    assert (201, b"") == (reply.status, reply.body)
    prefix, _, fulfilment = reply.headers["Location"].rpartition("/")
    assert (f"{shop.base}/dds/content/v1", fulfilment) == (prefix, str(uuid.UUID(fulfilment)))
    (row,) = await shop.ledger()
    assert {
        "distributor": "bokbasen",
        "kind": "sale",
        "reference": "O-1",
        "customer_id": CONSUMER,
        "isbn": isbn,
        "format": "epub",
        "amount": "199.00",
        "currency": "NOK",
        "country": "NO",
        "price_type": None,
        "protection": "SDRM",
        "response": reply.headers["Location"],
    }.items() <= row.items()


@pytest.mark.parametrize("spd", ["18900", 18900])
async def test_the_price_as_a_text_or_a_number(shop: Shop, spd: object) -> None:
    assert 201 == (await shop.order(shop.isbn("row_12_on_sale"), spd=spd)).status
    assert "189.00" == (await shop.ledger())[0]["amount"]


async def test_a_resource_in_capital_letters(shop: Shop) -> None:
    isbn = shop.isbn("row_12_on_sale")
    assert 201 == (await shop.order(isbn, resid=(shop.stub.resource_of(isbn) or "").upper())).status


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"orderid": None}, "ORDER_ID"),
        ({"orderid": " "}, "ORDER_ID"),
        ({"orderid": 17}, "ORDER_ID"),
        ({"resid": None}, "RESOURCE_ID"),
        ({"resid": "urn:uuid:5f0c7e0e-3c7e-4a5e-8d54-1c2f5b6a7d80"}, "RESOURCE_ID"),
        ({"resid": "17"}, "RESOURCE_ID"),
        ({"resid": "00000000-0000-4000-8000-000000000000"}, "RESOURCE_NOT_FOUND"),
        ({"spd": None}, "PRICE"),
        ({"spd": "189.00"}, "PRICE"),
        ({"spd": "-1"}, "PRICE"),
        ({"spd": True}, "PRICE"),
        ({"spd": 189.5}, "PRICE"),
        ({"firstname": None}, "NAME"),
        ({"lastname": "N"}, "NAME"),
        ({"id": "C-42"}, "CONSUMER_ID"),
        ({"excerpt": True}, "NO_EXCERPT"),
    ],
)
async def test_orders_that_are_refused(shop: Shop, changes: dict[str, Any], word: str) -> None:
    assert (400, word) == (await shop.order(shop.isbn("row_12_on_sale"), **changes)).word
    assert [] == await shop.ledger()


@pytest.mark.parametrize("scenario", ["without_lock", "adobe", "lcp"])
async def test_only_a_watermark_needs_names(shop: Shop, scenario: str) -> None:
    assert 201 == (await shop.order(shop.isbn(scenario), firstname=None, lastname=None)).status


@pytest.mark.parametrize(
    ("scenario", "word"),
    [
        ("row_14_preorder", "NOT_PUBLISHED"),
        ("row_16_waiting_for_file", "NOT_PUBLISHED"),
        ("row_5_no_right", "NO_ACCESS"),
        ("row_4_deleted", "NO_ACCESS"),
    ],
)
async def test_what_the_warehouse_does_not_deliver(shop: Shop, scenario: str, word: str) -> None:
    assert (400, word) == (await shop.order(shop.isbn(scenario))).word


async def test_the_warehouse_knows_nothing_of_colours(shop: Shop) -> None:
    """Whether a published title is still sold is in the ONIX export alone."""
    assert 201 == (await shop.order(shop.isbn("row_9_sold_out"))).status


async def test_orders_before_publication_in_the_other_mode(shop: Shop) -> None:
    await shop.break_things(settings={"unpublished": "accept"})
    isbn = shop.isbn("row_14_preorder")
    order = await shop.order(isbn)
    assert (201, 404) == (order.status, (await shop.content(order)).status)
    await shop.edit({"isbn": isbn, "state": "FOR_SALE"})
    assert 302 == (await shop.content(order)).status


@pytest.mark.parametrize(("strict", "status"), [(False, 201), (True, 400)])
async def test_the_resource_of_an_earlier_version(shop: Shop, *, strict: bool, status: int) -> None:
    await shop.break_things(settings={"strict_resid": strict})
    isbn = shop.isbn("row_12_on_sale")
    old = shop.stub.resource_of(isbn)
    await shop.edit({"isbn": isbn, "new_version": True})
    assert status == (await shop.order(isbn, resid=old)).status
    assert 201 == (await shop.order(isbn, orderid="O-2")).status


async def test_strict_consumers(shop: Shop) -> None:
    await shop.break_things(settings={"strict_consumer": True})
    isbn = shop.isbn("row_12_on_sale")
    assert (400, "USER_NOT_FOUND") == (await shop.order(isbn)).word
    assert (400, "USER_NOT_FOUND") == (await shop.order(isbn, id=CONSUMER)).word
    account = (await open_account(shop)).document["id"]
    assert 201 == (await shop.order(isbn, id=account)).status


@pytest.mark.parametrize(("mode", "status"), [("400", 400), ("409", 409), ("201", 201)])
async def test_a_repeated_orderid(shop: Shop, mode: str, status: int) -> None:
    await shop.break_things(settings={"duplicate": mode})
    isbn = shop.isbn("row_12_on_sale")
    first = await shop.order(isbn)
    again = await shop.order(isbn)
    assert status == again.status
    if mode == "201":
        assert first.headers["Location"] == again.headers["Location"]
    else:
        assert "ORDER_ID_NOT_UNIQUE" == again.document["data"]
    assert 1 == len(await shop.ledger())


@pytest.mark.parametrize("mode", ["400", "409", "201"])
async def test_another_order_under_the_same_id_is_never_taken(shop: Shop, mode: str) -> None:
    await shop.break_things(settings={"duplicate": mode})
    await shop.order(shop.isbn("row_12_on_sale"))
    assert 400 <= (await shop.order(shop.isbn("pdf"))).status < 500
    assert 1 == len(await shop.ledger())


async def test_the_connection_may_break_after_the_order_was_taken(shop: Shop) -> None:
    isbn = shop.isbn("row_12_on_sale")
    await shop.token()
    await shop.break_things(sale={"drop_after": 1})
    with pytest.raises(aiohttp.ClientError):
        await shop.order(isbn)
    assert 1 == len(await shop.ledger())
    assert (400, "ORDER_ID_NOT_UNIQUE") == (await shop.order(isbn)).word


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Accept": "*/*", "Content-Type": "application/json"}, 406), ({**JSON, "Content-Type": "text/plain"}, 415)],
)
async def test_orders_are_json(shop: Shop, headers: dict[str, str], status: int) -> None:
    reply = await shop.call("POST", "/dds/order/v1", data=b"{}", headers={**headers, **await shop.token()})
    assert status == reply.status


@pytest.mark.parametrize("body", [b"", b"{", b"[]"])
async def test_bodies_that_are_no_order(shop: Shop, body: bytes) -> None:
    headers = {**JSON, "Content-Type": "application/json", **await shop.token()}
    assert (400, "PARAMETER_ERROR") == (await shop.call("POST", "/dds/order/v1", data=body, headers=headers)).word


async def test_a_sample_is_no_sale(shop: Shop) -> None:
    isbn = shop.isbn("row_14_preorder_excerpt")
    assert 201 == (await shop.order(isbn, excerpt=True)).status
    assert [] == await shop.ledger()
    sample = await shop.get(f"/dds/content/v1/{shop.stub.resource_of(isbn)}/sample")
    assert 302 == sample.status
    none = await shop.get(f"/dds/content/v1/{shop.stub.resource_of(shop.isbn('row_12_on_sale'))}/sample")
    assert 404 == none.status


async def test_a_restarted_stub_knows_its_orders(tmp_path: Path) -> None:
    async with opened_shop(tmp_path) as shop:
        isbn = shop.isbn("row_12_on_sale")
        order = await shop.order(isbn, id=CONSUMER)
    async with opened_shop(tmp_path) as again:
        await again.break_things(settings={"duplicate": "201"})
        repeated = await again.order(isbn, id=CONSUMER)
        assert order.headers["Location"].rpartition("/")[2] == repeated.headers["Location"].rpartition("/")[2]
        assert 400 == (await again.order(isbn, id=CONSUMER, spd="100")).status
        assert 302 == (await again.content(repeated)).status
        assert 1 == len(await again.ledger())


# --- 6: content


async def downloads(shop: Shop, order: Reply, **query: str) -> list[Reply]:
    """The status pages up to the last, after a content call that starts a download."""
    content = await shop.content(order, **query)
    assert 302 == content.status
    pages = [await shop.call("GET", content.headers["Location"])]
    while pages[-1].status == 200 and b"PROCESSING" in pages[-1].body:
        pages.append(await shop.call("GET", content.headers["Location"]))
    return pages


async def test_a_book_is_fetched(shop: Shop) -> None:
    order = await shop.order(shop.isbn("row_12_on_sale"))
    first, second, last = await downloads(shop, order)
    assert {"status": "PROCESSING"} == first.document == second.document
    assert "READY" == last.document["status"]
    assert b"file of " == (await shop.call("GET", last.document["downloadURL"])).body[:8]


@pytest.mark.parametrize(("scenario", "mark"), [("row_12_on_sale", b"for Kari Nordmann\n"), ("without_lock", b"")])
async def test_a_watermark_names_the_buyer(shop: Shop, scenario: str, mark: bytes) -> None:
    *_, last = await downloads(shop, await shop.order(shop.isbn(scenario)))
    file = await shop.call("GET", last.document["downloadURL"])
    assert mark == file.body.partition(b"\n")[2]


async def test_the_status_is_on_another_host_where_no_token_belongs(shop: Shop) -> None:
    content = await shop.content(await shop.order(shop.isbn("row_12_on_sale")))
    location = content.headers["Location"]
    assert "//localhost:" in location
    assert 400 == (await shop.call("GET", location, headers=await shop.token())).status


@pytest.mark.parametrize(
    ("form", "opening"),
    [("json", b'{"status"'), ("wrapped", b'{"downloadStatus"'), ("xml", b"<?xml")],
)
async def test_forms_of_the_status_page(shop: Shop, form: str, opening: bytes) -> None:
    await shop.break_things(settings={"status_form": form, "processing_polls": 0})
    (page,) = await downloads(shop, await shop.order(shop.isbn("row_12_on_sale")))
    assert page.body.startswith(opening)
    assert b"READY" in page.body


async def test_a_download_that_fails(shop: Shop) -> None:
    order = await shop.order(shop.isbn("row_12_on_sale"))
    await shop.break_things(content={"download_failed": 1})
    assert "FAILED" == (await downloads(shop, order))[-1].document["status"]
    assert "READY" == (await downloads(shop, order))[-1].document["status"]


async def test_a_status_page_lives_for_minutes(shop: Shop) -> None:
    order = await shop.order(shop.isbn("row_12_on_sale"))
    location = (await shop.content(order)).headers["Location"]
    shop.clock.advance(299)
    assert 200 == (await shop.call("GET", location)).status
    shop.clock.advance(1)
    assert 404 == (await shop.call("GET", location)).status
    assert 302 == (await shop.content(order)).status


async def test_audio_comes_in_forms_to_choose_from(shop: Shop) -> None:
    order = await shop.order(shop.isbn("audio"), firstname=None, lastname=None)
    choice = await shop.content(order)
    assert 300 == choice.status
    assert list(AUDIO_FORMS) == [(form["type"], form["bitrate"]) for form in choice.document]
    assert 300 == (await shop.content(order, type="audio/mpeg", bitrate="128")).status
    assert "READY" == (await downloads(shop, order, **choice.document[0]))[-1].document["status"]


async def test_content_of_nobodys_order(shop: Shop) -> None:
    assert 404 == (await shop.get(f"/dds/content/v1/{CONSUMER}")).status
    assert 406 == (await shop.call("GET", f"/dds/content/v1/{CONSUMER}", headers=await shop.token())).status


# --- 7: accounts


async def open_account(shop: Shop, **changes: str) -> Reply:
    wish = {"email": "kari@example.no", "name": "Kari", "surname": "Nordmann", **changes}
    return await shop.call("POST", "/bokskya/account/v1", json=wish, headers={**JSON, **await shop.token("bokskya")})


async def test_an_account_is_opened_and_found(shop: Shop) -> None:
    opened = await open_account(shop)
    assert (200, True) == (opened.status, opened.document["active"])
    for named in (opened.document["id"], "kari@example.no", "KARI@example.no"):
        assert opened.document == (await shop.get(f"/bokskya/account/v1/{named}", "bokskya")).document


async def test_an_unknown_user_is_200(shop: Shop) -> None:
    reply = await shop.get(f"/bokskya/account/v1/{CONSUMER}", "bokskya")
    assert (200, {"data": "USER_NOT_FOUND"}) == (reply.status, reply.document)


@pytest.mark.parametrize("changes", [{"name": "K"}, {"surname": ""}, {"email": "nobody"}])
async def test_accounts_that_are_refused(shop: Shop, changes: dict[str, str]) -> None:
    assert (400, "PARAMETER_ERROR") == (await open_account(shop, **changes)).word


async def test_an_address_has_one_account(shop: Shop) -> None:
    await open_account(shop)
    assert 400 == (await open_account(shop)).status
