"""The De Marque stub's feed and doors against contract sections 2, 3, 4.8, 6.1, 8, 9 and 10, over loopback HTTP."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import orjson
import pytest
from lxml import etree

from adapters.distributors.demarque.sandbox_knobs import CONTRACT_FIRST_PAGES_PER_HOUR, CONTRACT_PUBLICATIONS_PER_HOUR
from syncengine.domain.ids import is_valid_isbn
from tests.contract.demarque_sandbox import (
    ONIX,
    TITLES,
    Shop,
    bearer,
    opened_shop,
    products,
    references,
    text,
    texts,
)

BLOCKS = (
    "RecordReference",
    "NotificationType",
    "ProductIdentifier",
    "DescriptiveDetail",
    "CollateralDetail",
    "PublishingDetail",
    "RelatedMaterial",
    "ProductSupply",
)
SUPPLY = ("Market", "MarketPublishingDetail", "SupplyDetail")
PRICE = ("PriceType", "PriceQualifier", "PriceStatus", "PriceAmount", "Tax", "CurrencyCode", "Territory", "PriceDate")


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with opened_shop(tmp_path) as opened:
        yield opened


def names(element: etree._Element) -> list[str]:
    """The children's names, comments aside."""
    return [etree.QName(child).localname for child in element.iterchildren(etree.Element)]


def stands_in_order(found: list[str], order: tuple[str, ...]) -> bool:
    places = [order.index(name) for name in found]
    return places == sorted(places)


class TestDoors:
    """Sections 2.2 and 2.3."""

    async def test_bearer_and_basic_open_and_a_wrong_or_missing_credential_does_not(self, shop):
        user = shop.stub.users[0]
        basic = base64.b64encode(f"{user.name}:{user.password}".encode()).decode()
        address = f"{shop.organisation}/publications/{shop.isbn('on_sale')}.onix"
        found = {}
        for header in (f"Bearer {user.token}", f"Basic {basic}", "Bearer nobody", "Basic bm9ib2R5", ""):
            reply = await shop.call("GET", address, headers={"Authorization": header})
            found[header] = (reply.status, reply.word if reply.status == 401 else "")
        assert list(found.values()) == [(200, ""), (200, ""), *[(401, "access_denied")] * 3]

    async def test_a_replaced_token_ends_the_old_one(self, shop):
        await shop.break_things(settings={"token": "another"})
        assert (401, "access_denied") == (await shop.get("/publishers.json")).said
        shop.headers = bearer(shop.stub.users[0])
        assert 200 == (await shop.get("/publishers.json")).status
        assert "another" == shop.stub.users[0].token

    async def test_another_organisation_is_not_found_and_credentials_are_asked_for_first(self, shop):
        elsewhere = shop.organisation.replace("/1277", "/9999")
        for path in ("/publications/full", "/publications/delta", "/publishers.json"):
            assert (404, "not_found") == (await shop.call("GET", elsewhere + path)).said
            denied = await shop.call("GET", elsewhere + path, headers={"Authorization": ""})
            assert (401, "access_denied") == denied.said

    async def test_first_pages_of_full_and_delta_share_a_quota_that_following_pages_do_not_use(self, shop):
        await shop.break_things(settings={"first_page_limit": CONTRACT_FIRST_PAGES_PER_HOUR})
        for _ in range(25):
            full = await shop.get("/publications/full")
            await shop.get("/publications/delta", **{"from": shop.since(hours=1)})
        assert (429, "") == (await shop.get("/publications/full")).said
        assert (429, "") == (await shop.get("/publications/delta", **{"from": shop.since(hours=1)})).said
        assert 200 == (await shop.call("GET", full.next_link)).status
        shop.clock.advance(3599)
        assert 429 == (await shop.get("/publications/full")).status
        shop.clock.advance(1)
        assert 200 == (await shop.get("/publications/full")).status

    async def test_single_publications_have_a_quota_of_their_own(self, shop):
        assert 5000 == CONTRACT_PUBLICATIONS_PER_HOUR
        await shop.break_things(settings={"publication_limit": 3})
        address = f"/publications/{shop.isbn('on_sale')}.onix"
        assert [200, 200, 200, 429] == [(await shop.get(address)).status for _ in range(4)]
        assert 200 == (await shop.get("/publications/full")).status


class TestFull:
    """Section 3.1."""

    async def test_pages_of_at_most_fifty_publications_lead_to_a_404(self, shop):
        pages = [page async for page in shop.crawl("full")]
        numbers = [{re.sub(r"-.*", "", name) for name in references(page)} for page in pages]
        assert [50] * (len(pages) - 1) == [len(page) for page in numbers[:-1]]
        assert 0 < len(numbers[-1]) <= 50
        assert TITLES == len({name for page in pages for name in references(page)})
        assert len(set.union(*numbers)) == sum(map(len, numbers))

    async def test_a_page_is_onix_by_default_xml_when_asked_and_nothing_else(self, shop):
        plain, named = await shop.get("/publications/full"), await shop.get("/publications/full.onix")
        assert references(plain) == references(named)
        assert "application/xml; charset=utf-8" == plain.headers["Content-Type"]
        own = await shop.get("/publications/full.xml")
        assert "publications" == etree.fromstring(own.body).tag
        assert own.next_link is not None
        for path in ("full.csv", "delta.csv", f"{shop.isbn('on_sale')}.csv"):
            assert (415, "invalid_format") == (await shop.get(f"/publications/{path}")).said

    async def test_the_cursor_is_opaque_base64_and_percent_encoded(self, shop):
        page = await shop.get("/publications/full")
        assert page.next_link is not None
        assert re.fullmatch(rf"{shop.organisation}/publications/full\?start=[A-Za-z0-9]+(%3D)*", page.next_link)

    async def test_the_date_header_tells_the_platforms_time(self, shop):
        page = await shop.get("/publications/full")
        assert f"{shop.clock.now():%a, %d %b %Y %H:%M:%S} GMT" == page.headers["Date"]

    async def test_without_an_agreement_a_publication_is_not_told_any_more(self, shop):
        isbn = shop.isbn("on_sale")
        await shop.edit({"isbn": isbn, "agreement": False})
        told = [name async for page in shop.crawl("full") for name in references(page)]
        assert "ENQC1-epub" not in told
        assert [] == await shop.delta(shop.since(hours=1))
        assert (404, "not_found") == (await shop.get(f"/publications/{isbn}.onix")).said
        assert (400, "cannot_sell") == (await shop.simulate(isbn)).said


class TestDelta:
    """Sections 3.2 to 3.4."""

    async def test_nothing_changed_is_a_404(self, shop):
        assert (404, "not_found") == (await shop.get("/publications/delta", **{"from": shop.since(hours=1)})).said

    async def test_it_tells_what_changed_since_and_nothing_else(self, shop):
        await shop.edit({"isbn": shop.isbn("basket_first"), "price": "5.00"})
        shop.clock.advance(7200)
        await shop.edit({"isbn": shop.isbn("basket_second"), "price": "6.00"})
        (first,), (second,) = (
            await shop.delta(shop.since(hours=1)),
            [text(await shop.record(shop.isbn("basket_second")), "RecordReference")],
        )
        assert second == first
        assert 2 == len(await shop.delta(shop.since(hours=3)))

    async def test_the_window_is_frozen_in_the_link_and_pages_are_numbered(self, shop):
        await shop.break_things(settings={"page_size": 1})
        await shop.edit({"where": "FOR_SALE", "count": 3, "price": "7.00"})
        since = shop.since(minutes=10)
        page = await shop.get("/publications/delta", **{"from": since})
        start, end = shop.clock.now() - timedelta(minutes=10), shop.clock.now()
        quoted = {"from": start.isoformat(), "start": "2", "to": end.isoformat()}
        query = "&".join(f"{name}={value.replace(':', '%3A').replace('+', '%2B')}" for name, value in quoted.items())
        assert f"{shop.organisation}/publications/delta?{query}" == page.next_link

    async def test_what_changes_during_a_crawl_is_left_to_the_next_delta_and_nothing_is_skipped(self, shop):
        await shop.break_things(settings={"page_size": 2})
        isbns = {row["isbn"] for row in await shop.edit({"where": "FOR_SALE", "count": 6, "price": "7.00"})}
        told = {isbn: text(await shop.record(isbn), "RecordReference") for isbn in isbns}
        since, seen, late = shop.since(minutes=5), [], ""
        async for page in shop.crawl("delta", **{"from": since}):
            seen.extend(references(page))
            if not late:
                shop.clock.advance(1)
                late = next(isbn for isbn, name in sorted(told.items()) if name not in seen)
                await shop.edit({"isbn": late, "price": "8.00"}, {"isbn": shop.isbn("free"), "price": "0.00"})
        both_formats = {name for name in seen if name not in told.values()}
        assert {name for isbn, name in told.items() if isbn != late} == set(seen) - both_formats
        assert told[late] in await shop.delta(shop.since(seconds=1))

    async def test_from_is_read_with_and_without_zone_and_anything_else_is_refused(self, shop):
        await shop.edit({"isbn": shop.isbn("on_sale"), "price": "5.00"})
        toronto = "-05:00"
        for since in (
            "20260302T115900Z",
            "2026-03-02T11:59:00+00:00",
            f"2026-03-02T06:59:00{toronto}",
            "20260302T065900",
        ):
            assert ["ENQC1-epub"] == await shop.delta(since), since
        for since in ("20260302T120100Z", "2026-03-02T12:01:00+00:00", "20260302T070100"):
            assert [] == await shop.delta(since), since
        assert (400, "invalid_from") == (await shop.get("/publications/delta", **{"from": "yesterday"})).said

    async def test_without_from_the_server_goes_by_its_own_marker(self, shop):
        await shop.get("/publications/full")
        shop.clock.advance(60)
        await shop.edit({"isbn": shop.isbn("on_sale"), "price": "5.00"})
        shop.clock.advance(60)
        assert ["ENQC1-epub"] == references(await shop.get("/publications/delta"))
        shop.clock.advance(60)
        assert (404, "not_found") == (await shop.get("/publications/delta")).said

    async def test_too_many_results(self, shop):
        await shop.edit({"where": "FOR_SALE", "count": 3, "price": "7.00"})
        since = {"from": shop.since(minutes=1)}
        await shop.break_things(settings={"too_many_results": 2})
        assert (400, "too_many_results") == (await shop.get("/publications/delta", **since)).said
        await shop.break_things(settings={"too_many_results": None}, delta={"too_many_results": 1})
        assert (400, "too_many_results") == (await shop.get("/publications/delta", **since)).said
        assert 200 == (await shop.get("/publications/delta", **since)).status

    async def test_a_new_release_crossing_sends_nothing_and_an_old_one_sends_the_record_again(self, shop):
        for scenario, expected in (("new_preorder_timed", 0), ("old_preorder_timed", 1)):
            release = datetime.fromisoformat(shop.row(shop.isbn(scenario))["release_at"])
            if release > shop.clock.now():
                shop.clock.advance_to(release + timedelta(seconds=30))
            reference = text(await shop.record(shop.isbn(scenario)), "RecordReference")
            assert expected == (await shop.delta(shop.since(minutes=1))).count(reference), scenario

    async def test_a_removed_title_comes_as_notification_05(self, shop):
        isbn = shop.isbn("on_sale")
        await shop.edit({"isbn": isbn, "state": "REMOVED"})
        (page,) = [page async for page in shop.crawl("delta", **{"from": shop.since(minutes=1)})]
        (record,) = products(page)
        assert ("ENQC1-epub", "05") == (text(record, "RecordReference"), text(record, "NotificationType"))
        assert [] == record.findall(f"{ONIX}ProductSupply")


class TestRecords:
    """The shape of section 8; the indicators of section 9; the prices of section 10."""

    async def test_every_record_has_its_blocks_in_order(self, shop):
        counted: Counter[str] = Counter()
        async for page in shop.crawl("full"):
            for record in products(page):
                found = names(record)
                assert stands_in_order(found, BLOCKS), found
                counted[text(record, "NotificationType")] += 1
                if text(record, "NotificationType") == "03":
                    assert set(found) == set(BLOCKS)
                    assert text(record, "PublishingDetail/PublishingStatus") in {"04", "08", "11"}
                    assert text(record, "DescriptiveDetail/TitleDetail/TitleElement/TitleText")
                for supply in record.iterfind(f"{ONIX}ProductSupply"):
                    assert stands_in_order(names(supply), SUPPLY)
                    assert text(supply, "SupplyDetail/ProductAvailability") in {"20", "40"}
                    unpriced = texts(supply, "SupplyDetail/UnpricedItemType")
                    prices = supply.findall(f"{ONIX}SupplyDetail/{ONIX}Price")
                    assert bool(prices) != bool(unpriced)
                    assert all(stands_in_order(names(price), PRICE) for price in prices)
        assert TITLES - 1 == counted["03"]
        assert 1 == counted["05"]

    async def test_every_isbn_is_valid_and_stands_once(self, shop):
        isbns = [
            value
            async for page in shop.crawl("full")
            for record in products(page)
            for value in texts(record, "ProductIdentifier/IDValue")[:1]
            if not value.startswith("ENQC")
        ]
        assert all(map(is_valid_isbn, isbns))
        assert {shop.isbn("library_shares_isbn")} == {isbn for isbn, count in Counter(isbns).items() if count > 1}

    async def test_the_header_names_the_platform(self, shop):
        header = etree.fromstring((await shop.get("/publications/full")).body).find(f"{ONIX}Header")
        assert header is not None
        assert ["06", "DEMARQUE_ID", "ENQC"] == [
            text(header, f"Sender/SenderIdentifier/{name}") for name in ("SenderIDType", "IDTypeName", "IDValue")
        ]
        assert "20260302T120000Z" == text(header, "SentDateTime")

    async def test_the_namespace_of_2015_can_be_asked_for(self, shop):
        await shop.break_things(settings={"namespace": "2015"})
        root = etree.fromstring((await shop.get("/publications/full")).body)
        assert "{http://www.editeur.org/onix/3.0/reference}ONIXMessage" == root.tag

    async def test_end_tags_inside_text_do_not_end_the_record(self, shop):
        reply = await shop.get(f"/publications/{shop.isbn('end_tags_in_text')}.onix")
        assert 3 == reply.body.count(b"</Product>")
        (record,) = products(reply)
        assert "</ONIXMessage>" in text(record, "CollateralDetail/TextContent/Text")

    @pytest.mark.parametrize(
        ("scenario", "status", "rights", "availability", "roles"),
        [
            ("on_sale", "04", "01", "20", {"01", "02", "19"}),
            ("no_sale_start", "04", "01", "20", {"01", "19"}),
            ("new_preorder", "04", "01", "20", {"01", "02", "09", "19"}),
            ("old_preorder", "08", "03", "40", {"01", "09", "19"}),
            ("old_not_yet", "04", "01", "20", {"01", "19"}),
            ("inactive_with_preorder_dates", "08", "03", "40", {"01", "02", "09", "19"}),
            ("legacy_unavailable", "08", "03", "40", {"01", "19"}),
            ("withdrawn_everywhere", "11", "03", "40", {"01", "02", "19"}),
        ],
    )
    async def test_indicators(self, shop, scenario, status, rights, availability, roles):
        record = await shop.record(shop.isbn(scenario))
        assert status == text(record, "PublishingDetail/PublishingStatus")
        assert rights == text(record, "PublishingDetail/SalesRights/SalesRightsType")
        assert {availability} == set(texts(record, "ProductSupply/SupplyDetail/ProductAvailability"))
        assert roles == set(texts(record, "PublishingDetail/PublishingDate/PublishingDateRole"))

    async def test_an_old_record_turns_positive_at_its_release(self, shop):
        isbn = shop.isbn("old_preorder")
        shop.clock.advance_to(datetime.fromisoformat(shop.row(isbn)["release_at"]))
        record = await shop.record(isbn)
        assert ("04", "01", "20") == (
            text(record, "PublishingDetail/PublishingStatus"),
            text(record, "PublishingDetail/SalesRights/SalesRightsType"),
            text(record, "ProductSupply/SupplyDetail/ProductAvailability"),
        )

    @pytest.mark.parametrize(
        ("scenario", "role", "form", "date"),
        [
            ("new_preorder", "08", "00", "20260316"),
            ("new_preorder_timed", "08", "14", "20260323T090000-0400"),
            ("old_preorder_role_02", "02", "00", "20260320"),
            ("old_preorder_extended_dates", "02", "14", "2026-03-21T06:00:00-04:00"),
        ],
    )
    async def test_sale_starts_are_days_instants_or_extended_text(self, shop, scenario, role, form, date):
        record = await shop.record(shop.isbn(scenario))
        supply = "ProductSupply/SupplyDetail/SupplyDate"
        assert (role, form, date) == tuple(
            text(record, f"{supply}/{name}") for name in ("SupplyDateRole", "DateFormat", "Date")
        )

    async def test_a_withdrawn_market_is_a_block_of_its_own_until_it_is_gone(self, shop):
        isbn = shop.isbn("on_sale")
        await shop.edit({"isbn": isbn, "market": "CA/CAD", "state": "WITHDRAWN"})
        record = await shop.record(isbn)
        assert {"11": "CA", "04": "AD BE CH FR GF GP LU MC MQ RE US"} == {
            text(supply, "MarketPublishingDetail/MarketPublishingStatus"): text(
                supply, "Market/Territory/CountriesIncluded"
            )
            for supply in record.iterfind(f"{ONIX}ProductSupply")
        }
        assert "CA" not in text(record, "PublishingDetail/SalesRights/Territory/CountriesIncluded").split()
        await shop.edit({"isbn": isbn, "market": "CA/CAD", "state": "WITHDRAWN", "block": "gone"})
        record = await shop.record(isbn)
        assert ["04"] == texts(record, "ProductSupply/MarketPublishingDetail/MarketPublishingStatus")
        assert "WITHDRAWN" == shop.row(isbn)["state"]

    async def test_canada_in_us_dollars_stays_when_canadian_dollars_are_withdrawn(self, shop):
        record = await shop.record(shop.isbn("withdrawn_ca_cad_only"))
        assert "CA US" == text(record, "PublishingDetail/SalesRights/Territory/CountriesIncluded")
        assert {("11", "CAD"), ("04", "USD")} == {
            (text(supply, "MarketPublishingDetail/MarketPublishingStatus"), currency)
            for supply in record.iterfind(f"{ONIX}ProductSupply")
            for currency in texts(supply, "SupplyDetail/Price/CurrencyCode")
        }

    @pytest.mark.parametrize(
        ("scenario", "until", "since"),
        [
            ("price_switch_dated", "20260312", "20260312"),
            ("price_switch_timed", "20260312T030000-0400", "20260312T030000-0400"),
            ("price_switch_closed_day", "20260311", "20260312"),
        ],
    )
    async def test_a_price_ends_where_the_next_begins(self, shop, scenario, until, since):
        record = await shop.record(shop.isbn(scenario))
        dates = {
            (text(date, "PriceDateRole"), text(date, "Date"))
            for date in record.iterfind(f"{ONIX}ProductSupply/{ONIX}SupplyDetail/{ONIX}Price/{ONIX}PriceDate")
        }
        assert {("15", until), ("14", since)} == dates

    async def test_the_old_convention_dates_the_price_in_force(self, shop):
        record = await shop.record(shop.isbn("old_preorder"))
        assert {"14"} == set(texts(record, "ProductSupply/SupplyDetail/Price/PriceDate/PriceDateRole"))
        assert {"20260220"} == set(texts(record, "ProductSupply/SupplyDetail/Price/PriceDate/Date"))

    async def test_a_price_without_tax_carries_rate_and_amounts(self, shop):
        isbn = shop.isbn("net_price_fr")
        tax = (await shop.record(isbn)).find(f"{ONIX}ProductSupply/{ONIX}SupplyDetail/{ONIX}Price/{ONIX}Tax")
        assert tax is not None
        assert ["5.5", "18.95", "1.04"] == [
            text(tax, name) for name in ("TaxRatePercent", "TaxableAmount", "TaxAmount")
        ]
        assert "19.99" == shop.row(isbn, "FR/EUR")["price"]

    async def test_both_locks_are_told_and_lcp_only_where_the_shop_may_have_it(self, shop):
        path = "DescriptiveDetail/EpubTechnicalProtection"
        assert ["03", "06"] == texts(await shop.record(shop.isbn("adobe_and_lcp")), path)
        await shop.break_things(settings={"lcp": False})
        assert ["03"] == texts(await shop.record(shop.isbn("adobe_and_lcp")), path)

    async def test_a_library_record_is_marked_as_one(self, shop):
        record = await shop.record(shop.isbn("library"))
        assert text(record, "RecordReference").endswith("-LIBRARIES")
        assert "EB" == text(record, "DescriptiveDetail/ProductForm")
        assert "06" == text(record, "PublishingDetail/SalesRestriction/SalesRestrictionType")
        assert "internal_key" in texts(record, "ProductIdentifier/IDTypeName")

    async def test_an_isbn_that_a_library_record_shares_is_the_retail_one(self, shop):
        assert "ENQC1-epub" == text(await shop.record(shop.isbn("library_shares_isbn")), "RecordReference")

    async def test_bytes_stay_the_same_until_the_record_changes(self, shop):
        before = {page.next_link: page.body.partition(b"</Header>")[2] async for page in shop.crawl("full")}
        shop.clock.advance(3600)
        after = {page.next_link: page.body.partition(b"</Header>")[2] async for page in shop.crawl("full")}
        assert before == after

    async def test_the_own_xml_says_sell_view_or_preorder(self, shop):
        words = {}
        for scenario in ("on_sale", "new_preorder", "legacy_unavailable"):
            tree = etree.fromstring((await shop.get(f"/publications/{shop.isbn(scenario)}.xml")).body)
            words[scenario] = tree.findtext(".//format/state")
        assert {"on_sale": "sell", "new_preorder": "preorder", "legacy_unavailable": "view"} == words


class TestNeighbours:
    """Sections 4.8 and 6.1."""

    async def test_contents_as_xml_and_as_js(self, shop):
        address = f"{shop.sandbox.addresses['demarque']}/publications/{shop.isbn('on_sale')}/toc"
        pages = [chapter["page"] for chapter in (await self._json(shop, f"{address}.js"))]
        tree = etree.fromstring((await shop.call("GET", f"{address}.xml")).body)
        assert pages == [int(page.text or "") for page in tree.iterfind("chapter/page")]
        assert sorted(pages) == pages
        assert (404, "not_found") == (await shop.call("GET", address.replace("toc", "x") + "/toc.xml")).said

    async def test_agreements_name_the_publishers_of_the_feed(self, shop):
        document = await self._json(shop, f"{shop.organisation}/publishers.json")
        houses = [*document["publishers"], *(h for d in document["distributors"] for h in d["publishers"])]
        told = {
            value
            async for page in shop.crawl("full")
            for record in products(page)
            for value in texts(record, "PublishingDetail/Publisher/PublisherIdentifier/IDValue")[:1]
        }
        assert told <= {house["id"] for house in houses}
        assert {"id", "name", "identifier", "website", "logo"} == set(houses[0])

    async def _json(self, shop: Shop, address: str):
        reply = await shop.call("GET", address)
        assert reply.headers["Content-Type"].startswith("application/json")
        return orjson.loads(reply.body)
