"""The CB stub's e-book service itself: every code of table 8.3 in both styles, tokens, combination products (contract cb 8, 11.9)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.distributors.cb.codes import CODES
from adapters.distributors.cb.sandbox_knobs import EBOOK_CODES
from tests.contract.cb_sandbox import Shop, opened_shop


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with opened_shop(tmp_path, titles=60) as shop:
        yield shop


def test_the_stub_knows_every_code_that_the_client_knows():
    assert set(CODES) - {"EBS-10050"} == set(EBOOK_CODES)


@pytest.mark.parametrize(("code", "statuses"), EBOOK_CODES.items())
async def test_a_code_in_both_styles(shop, code, statuses):
    """200 with a message, or the status of the new platform with its own names for fields, logins and addresses."""
    shop.break_things(placeorder={code: 2}, settings={"style": "legacy"})
    isbn = shop.isbn("ebook_row1_for_sale")
    legacy = await shop.legacy("placeOrder", EAN=isbn, OrderReference="R-1")
    shop.break_things(settings={"style": "cep"})
    cep = await shop.book("placeOrder", EAN=isbn, OrderReference="R-1")
    assert (statuses, code) == ((legacy.status, cep.status), legacy.code)
    told = {400: {"CEP-002", "CEP-200"}, 401: {"CEP-003"}, 404: {"CEP-004"}}.get(cep.status, {code})
    assert cep.code in told
    assert 0 == len(shop.sandbox.ledger)


async def test_a_title_is_checked_placed_and_fetched(shop):
    isbn = shop.isbn("ebook_row1_for_sale")
    assert {"Orderable": "Y"} == (await shop.book("checkOrderable", EAN=isbn, DeliveryChannel="CBW")).document
    placed = (await shop.book("placeOrder", EAN=isbn, OrderReference="R-1")).document
    found = (await shop.book("getContentUrl", OrderReference="R-1")).document
    assert placed == found
    assert (isbn, "CB-000001") == (placed["EAN"], placed["CbOrderReference"])
    assert placed["URL"].startswith("https://")
    [row] = shop.sandbox.ledger.rows()
    assert ("R-1", isbn, "epub", None, "CB-000001") == (
        row.reference,
        row.isbn,
        row.format,
        row.customer_id,
        row.response,
    )


@pytest.mark.parametrize(
    ("scenario", "orderable", "code"),
    [
        ("ebook_row2_not_allowed", "N", "EBS-10004"),
        ("ebook_row4_announced", "N", "EBS-10006"),
        ("ebook_row5_no_agreement", "N", "EBS-10004"),
        ("ebook_withdrawn", "N", "EBS-10004"),
        ("ebook_a_day_ahead", "N", "EBS-10006"),
    ],
)
async def test_what_is_not_sold_is_refused(shop, scenario, orderable, code):
    isbn = shop.isbn(scenario)
    if scenario == "ebook_a_day_ahead":
        held = shop.title(isbn).held_until
        assert held is not None
        shop.clock.step(-2 * 86400)
    assert orderable == (await shop.book("checkOrderable", EAN=isbn)).document["Orderable"]
    assert code == (await shop.book("placeOrder", EAN=isbn, OrderReference="R-1")).code


async def test_a_reference_is_used_once_for_whatever_title(shop):
    first, other = shop.isbn("ebook_row1_for_sale"), shop.isbn("ebook_price_differs")
    await shop.book("placeOrder", EAN=first, OrderReference="R-1")
    assert "EBS-10005" == (await shop.book("placeOrder", EAN=other, OrderReference="R-1")).code
    assert first == (await shop.book("getContentUrl", OrderReference="R-1")).document["EAN"]
    assert "EBS-10077" == (await shop.book("getContentUrl", OrderReference="R-2")).code


async def test_an_order_without_a_price_may_be_registered_all_the_same(shop):
    shop.break_things(placeorder={"unpriced_registered": 1})
    isbn = shop.isbn("ebook_row1_for_sale")
    assert "EBS-10060" == (await shop.book("placeOrder", EAN=isbn, OrderReference="R-1")).code
    assert isbn == (await shop.book("getContentUrl", OrderReference="R-1")).document["EAN"]


async def test_an_information_stands_beside_a_good_answer(shop):
    shop.break_things(checkorderable={"information": 1})
    document = (await shop.book("checkOrderable", EAN=shop.isbn("ebook_row1_for_sale"))).document
    assert ("Y", "I") == (document["Orderable"], document["MessageType"])


@pytest.mark.parametrize(
    "fields",
    [
        {"EAN": None},
        {},
        {"EAN": "978"},
        {"EAN": "9789084999936", "OrderReference": "r" * 101},
        {"EAN": "9789084999936", "DeliveryChannel": "BS"},
        {"EAN": "9789084999936", "DeliveryChannel": None},
        {"EAN": "9789084999936", "DeliveryChannel": "XX"},
    ],
)
async def test_a_field_that_is_wrong_or_null_is_not_taken(shop, fields):
    cep = await shop.book("placeOrder", **{"OrderReference": "R-1", **fields})
    shop.break_things(settings={"style": "legacy"})
    legacy = await shop.legacy("placeOrder", **{"OrderReference": "R-1", **fields})
    assert (400, "CEP-002", 200) == (cep.status, cep.code, legacy.status)
    assert legacy.code in {"EBS-10001", "EBS-10056", "EBS-10073", "EBS-10075", "EBS-10076", "WMS-00008"}
    assert 0 == len(shop.sandbox.ledger)


async def test_what_is_empty_counts_as_left_out(shop):
    reply = await shop.book("checkOrderable", EAN=shop.isbn("ebook_row1_for_sale"), DeliveryChannel="")
    assert {"Orderable": "Y"} == reply.document


async def test_who_asks_is_told_in_each_style(shop):
    cep = await shop.call("POST", "/ebooks/checkOrderable", json={"EAN": "1"}, headers={"Authorization": "Bearer no"})
    assert (401, "CEP-003") == (cep.status, cep.code)
    shop.break_things(settings={"style": "legacy"})
    codes = [
        (await shop.legacy("checkOrderable", user="", password="", EAN="1")).code,
        (await shop.legacy("checkOrderable", password="wrong", EAN="1")).code,
    ]
    shop.break_things(checkorderable={"access_denied": 1})
    codes.append((await shop.legacy("checkOrderable", EAN="1")).code)
    assert ["WMS-00005", "WMS-00002", "WMS-00004"] == codes


async def test_a_token_lives_as_long_as_it_says(shop):
    shop.break_things(settings={"token_seconds": 120.0})
    isbn = shop.isbn("ebook_row1_for_sale")
    assert 200 == (await shop.book("checkOrderable", EAN=isbn)).status
    shop.clock.advance(120)
    assert 401 == (await shop.book("checkOrderable", EAN=isbn)).status
    shop.token = ""
    assert 200 == (await shop.book("checkOrderable", EAN=isbn)).status
    shop.stub.ebooks.revoke_tokens()
    assert 401 == (await shop.book("checkOrderable", EAN=isbn)).status


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"grant_type": "client_credentials", "client_id": "boekwinkel", "client_secret": "wrong"}, 401),
        ({"grant_type": "client_credentials"}, 401),
    ],
)
async def test_a_token_is_for_the_right_client_only(shop, form, status):
    assert status == (await shop.call("POST", "/oauth2/token", data=form)).status


async def test_another_path_is_no_unknown_title(shop):
    reply = await shop.book("cancelOrder", OrderReference="R-1")
    assert (404, "CEP-004") == (reply.status, reply.code)


async def test_the_test_environment_knows_its_own_titles_only(shop):
    """Contract 11.10."""
    shop.break_things(settings={"only_test_titles": True})
    known, other = (shop.isbn(name) for name in ("ebook_test_title", "ebook_row1_for_sale"))
    assert {"Orderable": "Y"} == (await shop.book("checkOrderable", EAN=known)).document
    assert "EBS-10003" == (await shop.book("checkOrderable", EAN=other)).code


async def test_audiobooks_are_sold_here_only_where_the_settings_say_so(shop):
    isbn = shop.isbn("row5_for_sale")
    assert "EBS-10003" == (await shop.book("checkOrderable", EAN=isbn)).code
    shop.break_things(settings={"audiobooks_as_ebooks": True})
    assert {"Orderable": "Y"} == (await shop.book("checkOrderable", EAN=isbn)).document


async def test_a_combination_product_has_a_link_for_each_part(shop):
    isbn = shop.isbn("ebook_combination")
    placed = (await shop.book("placeOrder", EAN=isbn, OrderReference="R-1")).document
    assert [isbn, *shop.title(isbn).parts] == [part["EAN"] for part in placed["Items"]]
    assert 2 == len({part["URL"] for part in placed["Items"]})
