"""The CB stub's Luisterhuis itself: feed modes, orders and their doubles, links, settlement (contract cb 11)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lxml import etree

from adapters.distributors.cb.sandbox import CbStub
from adapters.distributors.cb.sandbox_catalogue import SCENARIOS
from adapters.distributors.cb.sandbox_knobs import FAULTS
from adapters.sandbox.catalogue import EditInvalid, TitleEdit
from adapters.sandbox.faults import KnobInvalid
from adapters.sandbox.server import Sandbox
from syncengine.domain.ids import is_valid_isbn
from syncengine.domain.offer import OfferState
from tests.clock import JumpClock
from tests.contract.cb_sandbox import Reply, Shop, opened_shop, references

NEW = "9782000000006"


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with opened_shop(tmp_path, titles=60) as shop:
        yield shop


def link_of(reply: Reply) -> str:
    """The path of the link, below the stub's address."""
    return reply.fields["DownloadURL"].partition(".example")[2].partition("?")[0]


def files_in(directory: Path) -> list[str]:
    """What stands in the out box."""
    return sorted(path.name for path in (directory / "cb-outbox").rglob("*") if path.is_file())


# --- titles ---------------------------------------------------------------------------------------------------------------


def test_every_scenario_is_a_title_of_its_own(tmp_path: Path):
    made = Sandbox(seed=1, titles=5, directory=tmp_path / "1", stubs=[CbStub], clock=JumpClock())
    eans = list(made.scenarios()["cb"].values())
    assert set(SCENARIOS) == set(made.scenarios()["cb"])
    assert len(eans) == len(set(eans))
    assert all(map(is_valid_isbn, eans))


def test_the_same_seed_makes_the_same_catalogue(tmp_path: Path):
    one, two, other = (
        Sandbox(seed=seed, titles=80, directory=tmp_path / name, stubs=[CbStub], clock=JumpClock()).titles()
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert one == two
    assert {row.isbn for row in one} != {row.isbn for row in other}
    assert 80 == len(one)


async def test_settings_and_one_address_are_written_for_an_engine(shop):
    assert f"{shop.sandbox.url}/cb" == shop.sandbox.addresses["cb"]
    for name, secret in shop.stub.secrets.items():
        path = shop.sandbox.directory / name
        assert secret == path.read_text().strip()
        assert 0o600 == path.stat().st_mode & 0o777
        assert secret not in shop.sandbox.settings_path.read_text()


async def test_a_restarted_sandbox_knows_titles_files_and_orders(tmp_path: Path):
    clock = JumpClock()
    first = Sandbox(seed=1, titles=50, directory=tmp_path, stubs=[CbStub], clock=clock)
    await first.start()
    clock.advance(60)
    first.edit([TitleEdit(isbn=NEW, format="epub", price="9.99")])
    files = files_in(tmp_path)
    await first.stop()
    clock.advance(60)
    again = Sandbox(seed=1, titles=50, directory=tmp_path, stubs=[CbStub], clock=clock)
    await again.start()
    try:
        assert NEW in {row.isbn for row in again.titles()}
        assert files == files_in(tmp_path)
        clock.advance(60)
        again.edit([TitleEdit(isbn=NEW, price="8.99")])
        assert len(files) + 2 == len(files_in(tmp_path))
    finally:
        await again.stop()


@pytest.mark.parametrize(
    "edit",
    [
        {"isbn": "123"},
        {"isbn": NEW, "format": "mobi"},
        {"isbn": NEW, "market": "CA/CAD"},
        {"isbn": NEW, "state": "OUT_OF_TERRITORY"},
        {"isbn": NEW, "price_from": "2027-01-01"},
        {"isbn": NEW, "price": "9.99", "price_type": "05"},
        {"isbn": NEW, "format": "epub", "price": "9.99", "price_from": "2027-01-01"},
        {"where": "FOR_SALE", "count": 1000},
    ],
)
async def test_an_edit_that_cannot_be_changes_nothing(shop, edit):
    with pytest.raises(EditInvalid):
        shop.edit(edit.pop("isbn", NEW), **edit) if "where" not in edit else shop.sandbox.edit([TitleEdit(**edit)])
    assert shop.stub.shelf.find(NEW) is None


@pytest.mark.parametrize(
    ("form", "state", "shown"),
    [
        ("audio", "FOR_SALE", "FOR_SALE"),
        ("audio", "ANNOUNCED", "ANNOUNCED"),
        ("audio", "PREORDER", "ANNOUNCED"),
        ("audio", "NOT_YET", "NOT_YET"),
        ("audio", "UNAVAILABLE", "UNAVAILABLE"),
        ("audio", "UNPRICED", "UNPRICED"),
        ("audio", "WITHDRAWN", "WITHDRAWN"),
        ("audio", "REMOVED", "WITHDRAWN"),
        ("epub", "FOR_SALE", "FOR_SALE"),
        ("epub", "ANNOUNCED", "ANNOUNCED"),
        ("epub", "NOT_YET", "NOT_YET"),
        ("epub", "UNAVAILABLE", "UNAVAILABLE"),
        ("epub", "UNPRICED", "UNPRICED"),
        ("epub", "WITHDRAWN", "WITHDRAWN"),
    ],
)
async def test_an_edit_puts_a_title_into_a_state(shop, form, state, shown):
    [row] = shop.sandbox.edit([TitleEdit(isbn=NEW, format=form, price="9.99", state=OfferState(state))])
    assert (NEW, form, "NL/EUR", shown) == (row.isbn, row.format, row.market, row.state)


async def test_a_title_is_released_from_10_to_20(shop):
    shop.edit(NEW, format="audio", state="ANNOUNCED", release_at={"in_seconds": 60})
    assert b"<ProductAvailability>10<" in (await shop.ask("GET", "/v3/feed?limit=1000")).body.split(NEW.encode())[-1]
    assert "EBS-10006" == (await shop.order(NEW)).code
    shop.clock.advance(61)
    assert b"<ProductAvailability>20<" in (await shop.ask("GET", "/v3/feed?limit=1000")).body.split(NEW.encode())[-1]
    assert "LH-000001" == (await shop.order(NEW)).fields["OrderID"]


# --- the feed -------------------------------------------------------------------------------------------------------------


async def test_a_page_is_valid_onix_with_dates_by_attribute(shop):
    body = (await shop.ask("GET", "/v3/feed?limit=1000")).body
    root = etree.fromstring(body)
    assert "3.0" == root.get("release")
    record = next(
        each for each in root if each.findtext("{*}RecordReference") == shop.isbn("supply_before_publication")
    )
    supplied, published = (record.findall(f".//{{*}}{name}Date/{{*}}Date") for name in ("Supply", "Publishing"))
    assert {"00"} == {date.get("dateformat") for date in (*supplied, *published)}
    assert (supplied[0].text or "") < (published[0].text or "")
    order = [etree.QName(child).localname for child in record]
    assert order.index("ProductSupply") < order.index("PublishingDetail"), "as the manual has it"


async def test_modifiedfrom_is_read_in_the_zone_of_the_settings(shop):
    changed = datetime(2027, 7, 15, 12, 0, tzinfo=UTC)
    shop.clock.advance_to(changed)
    shop.edit(NEW, format="audio")
    for zone, hour in (("amsterdam", 14), ("utc+2", 14), ("utc+1", 13)):
        shop.break_things(settings={"zone": zone})
        assert NEW in await shop.feed(modifiedfrom=f"2027-07-15T{hour}:00:00")
        assert NEW not in await shop.feed(modifiedfrom=f"2027-07-15T{hour}:00:01")


async def test_an_ambiguous_time_means_the_instant_of_the_settings(shop):
    shop.clock.advance_to(datetime(2027, 10, 31, 0, 45, tzinfo=UTC))
    shop.edit(NEW, format="audio")
    found = []
    for fold in ("earlier", "later"):
        shop.break_things(settings={"fold": fold})
        found.append(NEW in await shop.feed(modifiedfrom="2027-10-31T02:30:00"))
    assert [True, False] == found


@pytest.mark.parametrize(
    "query", ["limit=x", "offset=-1", "modifiedfrom=yesterday", "modifiedfrom=2027-01-01T00:00:00Z"]
)
async def test_a_feed_call_that_is_wrong_is_a_syntax_error(shop, query):
    assert 400 == (await shop.ask("GET", f"/v3/feed?{query}")).status


async def test_default_and_cap_hold_where_limit_does_not(shop):
    shop.break_things(settings={"page_default": 7, "page_cap": 9})
    assert [7, 9, 3] == [len(await shop.feed(**query)) for query in ({}, {"limit": "50"}, {"limit": "3"})]


async def test_records_move_between_pages(shop):
    """One is missed, or comes twice, according to which way it went."""
    whole = await shop.feed(limit="30")
    shop.break_things(feed={"moving_records": True})
    turned = await shop.feed(limit="10", offset="10")
    assert (whole[15:25], 10) == (turned, len(turned))


async def test_a_page_can_be_spoilt_in_many_ways(shop):
    whole = await shop.feed(limit="10")
    shop.break_things(feed={"duplicate_records": 1})
    assert [*whole, whole[0]] == await shop.feed(limit="10")
    shop.break_things(feed={"short_page": 1})
    assert whole[:5] == await shop.feed(limit="10")
    shop.break_things(feed={"empty_page": 1})
    assert [] == await shop.feed(limit="10")
    for fault in ("broken_record", "cut_body"):
        shop.break_things(feed={fault: 1})
        with pytest.raises(etree.XMLSyntaxError):
            references((await shop.ask("GET", "/v3/feed?limit=10")).body)


async def test_one_broken_record_leaves_the_others_readable(shop):
    shop.break_things(feed={"broken_record": 1})
    body = (await shop.ask("GET", "/v3/feed?limit=10")).body
    assert 1 == body.count(b"</ NotificationType>")
    assert 10 == body.count(b"</Product>")


async def test_the_password_is_asked_for_everywhere(shop):
    for path in ("/v3/feed", "/v3/inventory", "/v3/availability?ean=1", "/v3/settlement?month=2026-01"):
        assert 401 == (await shop.call("GET", f"/luisterhuis{path}")).status
    assert 401 == (await shop.call("POST", "/luisterhuis/v3/submitOrder")).status
    by_key = await shop.call("GET", "/luisterhuis/v3/feed", headers={"X-Api-Key": shop.stub.password})
    by_parameter = await shop.call("GET", f"/luisterhuis/v3/feed?key={shop.stub.password}")
    assert [200, 200] == [by_key.status, by_parameter.status]


# --- orders ---------------------------------------------------------------------------------------------------------------


async def test_an_order_is_accepted_with_number_and_link_and_stands_in_the_ledger(shop):
    isbn = shop.isbn("row5_for_sale")
    fields = (await shop.order(isbn)).fields
    [row] = shop.sandbox.ledger.rows()
    assert ("cb", "sale", "R-1", "C-1", isbn, "audio") == (
        row.distributor,
        row.kind,
        row.reference,
        row.customer_id,
        row.isbn,
        row.format,
    )
    assert (row.response, isbn) == (fields["OrderID"], fields["EAN13"])
    assert fields["DownloadURL"].startswith("https://")


async def test_an_order_may_come_by_get_as_well(shop):
    isbn = shop.isbn("row5_for_sale")
    reply = await shop.ask("GET", f"/v3/submitOrder?EAN13={isbn}&CustomerID=C-1&reference=R-1")
    assert "LH-000001" == reply.fields["OrderID"]


@pytest.mark.parametrize(
    ("scenario", "code"),
    [
        ("row2_withdrawn", "EBS-10011"),
        ("row3_announced", "EBS-10006"),
        ("row4_announced_active", "EBS-10006"),
        ("row8_other", "EBS-10004"),
        ("row9_no_supply", "EBS-10004"),
        ("row1_deleted", "EBS-10011"),
        ("ebook_row1_for_sale", "EBS-10003"),
    ],
)
async def test_only_what_has_20_is_processed(shop, scenario, code):
    reply = await shop.order(shop.isbn(scenario))
    assert (200, code) == (reply.status, reply.code)
    assert 0 == len(shop.sandbox.ledger)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"EAN13": "978"}, 400),
        ({"CustomerID": "anna@example.com"}, 200),
        ({"CustomerID": "c" * 65}, 200),
        ({"reference": ""}, 200),
    ],
)
async def test_an_order_that_is_wrong_is_not_taken(shop, changes, status):
    reply = await shop.order(shop.isbn("row5_for_sale"), **changes)
    assert status == reply.status
    assert 0 == len(shop.sandbox.ledger)


@pytest.mark.parametrize(("mode", "sales", "code"), [("new", 2, ""), ("error", 1, "EBS-10005"), ("replay", 1, "")])
async def test_a_used_reference_does_what_the_mode_says(shop, mode, sales, code):
    """Modes A, B and C of contract 11.6."""
    shop.break_things(settings={"duplicate": mode})
    isbn = shop.isbn("row5_for_sale")
    first, second = await shop.order(isbn), await shop.order(isbn)
    assert (sales, code) == (len(shop.sandbox.ledger), second.code)
    if mode != "error":
        assert (first.fields["OrderID"] == second.fields["OrderID"]) is (mode == "replay")


async def test_a_title_is_withdrawn_between_check_and_order(shop):
    isbn = shop.isbn("row5_for_sale")
    shop.break_things(order={"withdrawn_now": 1})
    check = await shop.ask("GET", f"/v3/availability?ean={isbn}")
    assert ("yes", "EBS-10011") == (check.fields["Available"], (await shop.order(isbn)).code)


@pytest.mark.parametrize(("fault", "sales"), [("error_before", 0), ("error_after", 1), ("no_link", 1), ("syntax", 0)])
async def test_a_failure_comes_before_or_after_the_effect(shop, fault, sales):
    shop.break_things(order={fault: 1})
    reply = await shop.order(shop.isbn("row5_for_sale"))
    assert "DownloadURL" not in (reply.fields if reply.status == 200 else {})
    assert sales == len(shop.sandbox.ledger)


async def test_an_order_is_never_cancelled(shop):
    await shop.order(shop.isbn("row5_for_sale"))
    reply = await shop.ask("POST", "/v3/cancelOrder", data={"OrderID": "LH-000001"})
    assert ("E", "cancelling an order is not supported") == (reply.fields["MessageType"], reply.fields["MessageText"])
    assert ["sale"] == [row.kind for row in shop.sandbox.ledger.rows()]


async def test_a_link_can_be_mailed_again_and_again(shop):
    await shop.order(shop.isbn("row5_for_sale"))
    mail = {"OrderID": "LH-000001", "Email": "a@b.example"}
    assert ["yes"] * 2 == [(await shop.ask("POST", "/v3/sendDownloadLink", data=mail)).fields["Sent"] for _ in range(2)]
    other = await shop.ask("POST", "/v3/sendDownloadLink", data={**mail, "OrderID": "LH-2"})
    assert "EBS-10077" == other.code


# --- links ----------------------------------------------------------------------------------------------------------------


async def test_a_link_is_used_up_and_reset(shop):
    shop.break_things(settings={"link_limit": 2})
    link = link_of(await shop.order(shop.isbn("row5_for_sale")))
    assert [200, 200, 410] == [(await shop.call("GET", f"/luisterhuis{link}")).status for _ in range(3)]
    again = link_of(await shop.ask("POST", "/v3/resetDownloadLinks", data={"OrderID": "LH-000001"}))
    assert again != link
    assert [200, 404] == [(await shop.call("GET", f"/luisterhuis{each}")).status for each in (again, link)]


async def test_a_reset_may_give_the_same_link(shop):
    shop.break_things(settings={"link_limit": 1, "reset_link": "same"})
    link = link_of(await shop.order(shop.isbn("row5_for_sale")))
    assert [200, 410] == [(await shop.call("GET", f"/luisterhuis{link}")).status for _ in range(2)]
    assert link == link_of(await shop.ask("POST", "/v3/resetDownloadLinks", data={"OrderID": "LH-000001"}))
    assert 200 == (await shop.call("GET", f"/luisterhuis{link}")).status


async def test_a_link_expires(shop):
    shop.break_things(settings={"link_days": 3})
    link = link_of(await shop.order(shop.isbn("row5_for_sale")))
    shop.clock.advance(timedelta(days=3).total_seconds())
    assert 410 == (await shop.call("GET", f"/luisterhuis{link}")).status


# --- the settlement -------------------------------------------------------------------------------------------------------


async def test_a_settlement_lists_exactly_what_was_committed_in_its_dutch_month(shop):
    isbn = shop.isbn("row5_for_sale")
    shop.clock.advance_to(datetime(2027, 1, 31, 22, 59, 59, tzinfo=UTC))
    await shop.order(isbn, "R-1")
    await shop.order(shop.isbn("row3_announced"), "R-2")
    shop.clock.advance(1)
    shop.break_things(order={"error_after": 1})
    await shop.order(isbn, "R-3")
    settled = {}
    for month in ("2027-01", "2027-02", "2027-03"):
        root = etree.fromstring((await shop.ask("GET", f"/v3/settlement?month={month}")).body)
        settled[month] = [order.findtext("OrderID") for order in root]
        assert {None} >= {order.findtext("Reference") for order in root}
    assert {"2027-01": ["LH-000001"], "2027-02": ["LH-000002"], "2027-03": []} == settled


async def test_a_settlement_survives_a_restart(tmp_path: Path):
    async with opened_shop(tmp_path, titles=50) as shop:
        await shop.order(shop.isbn("row5_for_sale"))
        month, clock = f"{shop.clock.now():%Y-%m}", shop.clock
        before = (await shop.ask("GET", f"/v3/settlement?month={month}")).body
    again = Sandbox(seed=7, titles=50, directory=tmp_path, stubs=[CbStub], clock=clock)
    await again.start()
    try:
        shop.url = f"{again.url}/cb"
        async with opened_shop(tmp_path / "other", titles=50) as other:
            other.url = shop.url
            assert before == (await other.ask("GET", f"/v3/settlement?month={month}")).body
    finally:
        await again.stop()


# --- knobs ----------------------------------------------------------------------------------------------------------------


def test_every_fault_is_described():
    assert all(FAULTS.values())


@pytest.mark.parametrize("changes", [{"zone": "utc"}, {"duplicate": "d"}, {"link_limit": 0}, {"nothing": 1}])
async def test_a_setting_that_makes_no_sense_changes_nothing(shop, changes):
    before = shop.stub.settings()
    with pytest.raises(KnobInvalid):
        shop.break_things(settings=changes)
    assert before == shop.stub.settings()
