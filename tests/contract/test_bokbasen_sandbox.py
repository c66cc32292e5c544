"""The Bokbasen stub, point by point of contract section 13: tokens, feeds, the truth of its titles and how it is steered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from lxml import etree

from adapters.distributors.bokbasen.sandbox_titles import ZONE
from adapters.sandbox.catalogue import with_check_digit
from syncengine.domain.offer import OfferState
from tests.contract.bokbasen_sandbox import JSON, LONG_AGO, Shop, opened_shop, text

S = OfferState
NEW_ISBN = with_check_digit("978829999999")


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with opened_shop(tmp_path) as shop:
        yield shop


def day(shop: Shop, count: int) -> date:
    return shop.clock.now().astimezone(ZONE).date() + timedelta(days=count)


# --- 1: tokens


async def test_a_token_is_handed_out_again_with_less_of_its_life(shop: Shop) -> None:
    first = (await shop.ask_token()).document
    shop.clock.advance(1000)
    second = (await shop.ask_token()).document
    assert (86_400, 85_400, "Bearer") == (first["expires_in"], second["expires_in"], first["token_type"])
    assert first["access_token"] == second["access_token"]


async def test_no_token_has_less_than_five_minutes_left(shop: Shop) -> None:
    first = (await shop.ask_token()).document
    shop.clock.advance(86_400 - 299)
    second = (await shop.ask_token()).document
    assert 86_400 == second["expires_in"]
    assert first["access_token"] != second["access_token"]


async def test_a_token_may_be_asked_for_by_a_form(shop: Shop) -> None:
    fields = {
        "client_id": shop.stub.client.id,
        "client_secret": shop.stub.client.secret,
        "audience": "https://api.bokbasen.io/metadata/",
        "grant_type": "client_credentials",
    }
    reply = await shop.call("POST", "/oauth/token", data=fields)
    assert (200, "export:onix") == (reply.status, reply.document["scope"])


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"client_secret": "wrong"}, 401),
        ({"client_id": ""}, 401),
        ({"grant_type": "password"}, 401),
        ({"audience": ""}, 401),
        ({"audience": "https://api.bokbasen.io/reporting/"}, 403),
        ({"audience": "https://api.bokbasen.io/dds"}, 403),
    ],
)
async def test_who_is_not_let_in(shop: Shop, changes: dict[str, str], status: int) -> None:
    reply = await shop.ask_token(**changes)
    assert (status, "access_denied") == (reply.status, reply.document["error"])


async def test_a_token_opens_its_own_group_only(shop: Shop) -> None:
    headers = await shop.token("metadata")
    assert 403 == (await shop.call("GET", f"/dds/inventory/v2?after={LONG_AGO}", headers=headers)).status
    assert 200 == (await shop.inventory(after=LONG_AGO)).status


@pytest.mark.parametrize("authorization", ["", "Bearer x.y.z", "Bearer nonsense", "Boknett TGT-1"])
async def test_without_a_good_token_nothing_is_answered(shop: Shop, authorization: str) -> None:
    reply = await shop.call("GET", f"/dds/inventory/v2?after={LONG_AGO}", headers={"Authorization": authorization})
    assert 401 == reply.status


async def test_a_token_ends(shop: Shop) -> None:
    headers = await shop.token()
    shop.clock.advance(86_401)
    assert 401 == (await shop.call("GET", f"/dds/inventory/v2?after={LONG_AGO}", headers=headers)).status


async def test_tokens_can_be_made_invalid(shop: Shop) -> None:
    headers = await shop.token()
    await shop.break_things(settings={"token_generation": 1})
    assert 401 == (await shop.call("GET", f"/dds/inventory/v2?after={LONG_AGO}", headers=headers)).status
    assert 200 == (await shop.inventory(after=LONG_AGO)).status


@pytest.mark.parametrize(("fault", "status"), [("token_refused", 401), ("forbidden", 403)])
async def test_a_good_token_that_is_refused(shop: Shop, fault: str, status: int) -> None:
    await shop.break_things(inventory={fault: 1})
    assert status == (await shop.inventory(after=LONG_AGO)).status
    assert 200 == (await shop.inventory(after=LONG_AGO)).status


# --- 2: header names


async def test_header_names_in_lower_case(shop: Shop) -> None:
    await shop.break_things(settings={"lower_case_headers": True, "inventory_page": 5})
    headers = {**JSON, **await shop.token()}
    url = f"{shop.base}/dds/inventory/v2?after={LONG_AGO}"
    async with shop.session.get(url, headers=headers) as answer:
        names = {name.decode() for name, _ in answer.raw_headers}
    assert {"next", "link"} <= names
    assert not {"Next", "Link"} & names


# --- 3: the inventory


async def test_the_inventory_tells_the_latest_version_of_each_book(shop: Shop) -> None:
    isbn = shop.isbn("second_version")
    (row,) = [row for row in (await shop.inventory(after=LONG_AGO)).entries if row["isbn"] == isbn]
    assert ("2", f"urn:uuid:{shop.stub.resource_of(isbn)}") == (row["version"], row["id"])
    assert ["1", "2"] == [row["version"] for row in (await shop.look_up(isbn)).entries]


async def test_a_row_of_the_inventory(shop: Shop) -> None:
    reply = await shop.look_up(shop.isbn("row_12_on_sale"))
    assert "application/atom+xml;charset=UTF-8" == reply.headers["Content-Type"].replace("; ", ";")
    (row,) = reply.entries
    assert ("EPUB", "SDRM", "true", "true", "", "false") == tuple(
        row[name] for name in ("format", "drm", "published", "access", "deleted", "excerpt")
    )
    assert 6 == len(row["publisher"])


async def test_an_unknown_isbn_is_a_feed_without_entries(shop: Shop) -> None:
    reply = await shop.look_up("9788200000006")
    assert (200, []) == (reply.status, reply.entries)


async def test_a_look_up_tolerates_empty_parameters(shop: Shop) -> None:
    isbn = shop.isbn("row_12_on_sale")
    reply = await shop.get(f"/dds/inventory/v2/{isbn}", after="", pagesize="")
    assert 1 == len(reply.entries)


@pytest.mark.parametrize(
    ("edit", "shows"),
    [
        ({"new_version": True}, ("version", "2")),
        ({"published": False}, ("published", "false")),
        ({"agreement": False}, ("access", "false")),
        ({"state": "WITHDRAWN", "block": "gone"}, ("deleted", "2026-03-02")),
        ({"protection": ["00"]}, ("drm", "NODRM")),
    ],
)
async def test_each_change_moves_the_row_to_the_end(
    shop: Shop, edit: dict[str, object], shows: tuple[str, str]
) -> None:
    isbn = shop.isbn("row_12_on_sale")
    before = await shop.inventory(after=LONG_AGO)
    await shop.edit({"isbn": isbn, **edit})
    reply = await shop.inventory(next=before.headers["Next"])
    assert [isbn] == [row["isbn"] for row in reply.entries]
    assert shows[1] == reply.entries[0][shows[0]]
    assert isbn == (await shop.inventory(after=LONG_AGO)).entries[-1]["isbn"]


async def test_a_publisher_who_only_changes_his_mind_moves_no_row(shop: Shop) -> None:
    before = await shop.inventory(after=LONG_AGO)
    await shop.edit({"isbn": shop.isbn("row_12_on_sale"), "price": "249.00"})
    assert [] == (await shop.inventory(next=before.headers["Next"])).entries


# --- the cursor rule


async def test_pages_follow_each_other_by_next_and_the_last_names_no_link(shop: Shop) -> None:
    reply = await shop.inventory(after=LONG_AGO, pagesize="40")
    isbns = [row["isbn"] for row in reply.entries]
    while reply.link:
        assert reply.headers["Next"] in reply.link.replace("%3D", "=")
        reply = await shop.inventory(next=reply.headers["Next"], pagesize="40")
        isbns += [row["isbn"] for row in reply.entries]
    assert len(isbns) == len(set(isbns))
    known = {isbn for isbn in shop.stub.scenarios.values() if shop.stub.resource_of(isbn)}
    assert known <= set(isbns)


async def test_next_stays_as_it_is_once_there_is_nothing_new(shop: Shop) -> None:
    following = (await shop.inventory(after=LONG_AGO)).headers["Next"]
    shop.clock.advance(60)
    reply = await shop.inventory(next=following)
    assert (following, [], None) == (reply.headers["Next"], reply.entries, reply.link)


async def test_an_older_cursor_tells_the_same_again(shop: Shop) -> None:
    first = await shop.inventory(after=LONG_AGO, pagesize="10")
    once = await shop.inventory(next=first.headers["Next"], pagesize="10")
    again = await shop.inventory(next=first.headers["Next"], pagesize="10")
    assert once.entries == again.entries


async def test_after_is_norways_time(shop: Shop) -> None:
    await shop.edit({"isbn": shop.isbn("row_12_on_sale"), "new_version": True})
    local = shop.clock.now().astimezone(ZONE)
    at, behind = f"{local:%Y%m%d%H%M%S}", f"{local + timedelta(seconds=1):%Y%m%d%H%M%S}"
    assert 1 == len((await shop.inventory(after=at)).entries)
    assert 0 == len((await shop.inventory(after=behind)).entries)


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"after": LONG_AGO, "next": "MTox"},
        {"after": "2026-01-01"},
        {"after": "20261301000000"},
        {"next": "nonsense"},
        {"after": LONG_AGO, "pagesize": "0"},
        {"after": LONG_AGO, "pagesize": "10001"},
    ],
)
async def test_what_the_cursor_rule_refuses(shop: Shop, query: dict[str, str]) -> None:
    assert 400 == (await shop.inventory(**query)).status


async def test_the_export_reaches_back_180_days_and_the_inventory_any_time(shop: Shop) -> None:
    old = "20200101000000"
    assert (200, 400) == ((await shop.inventory(after=old)).status, (await shop.export(after=old)).status)
    await shop.break_things(settings={"inventory_oldest_days": 180})
    assert 400 == (await shop.inventory(after=old)).status


async def test_a_cursor_dies_after_180_days(shop: Shop) -> None:
    following = (await shop.export(after="20260101000000")).headers["Next"]
    shop.clock.advance(181 * 86_400)
    reply = await shop.export(next=following)
    assert 400 == reply.status
    assert ["errors", "error", "code", "message"] == [
        etree.QName(node).localname for node in etree.fromstring(reply.body).iter()
    ]


async def test_next_may_be_missing_where_nothing_follows_after(shop: Shop) -> None:
    shop.clock.advance(60)
    late = f"{shop.clock.now().astimezone(ZONE):%Y%m%d%H%M%S}"
    assert "Next" in (await shop.inventory(after=late)).headers
    await shop.break_things(settings={"next_on_empty": False})
    assert "Next" not in (await shop.inventory(after=late)).headers


@pytest.mark.parametrize(
    ("fault", "names"),
    [("no_next", set()), ("no_link", {"Next"}), ("same_next", {"Next", "Link"}), ("endless", {"Next", "Link"})],
)
async def test_pages_that_break_the_rule(shop: Shop, fault: str, names: set[str]) -> None:
    first = await shop.inventory(after=LONG_AGO, pagesize="10")
    await shop.break_things(inventory={fault: True})
    reply = await shop.inventory(next=first.headers["Next"], pagesize="10")
    assert names == {"Next", "Link"} & set(reply.headers)
    if fault == "same_next":
        assert first.headers["Next"] == reply.headers["Next"]
    if fault == "endless":
        assert reply.headers["Next"] != (await shop.inventory(next=first.headers["Next"])).headers["Next"]


# --- 4: the export


@pytest.mark.parametrize(
    ("version", "settings", "namespace"),
    [
        ("v1", {"versions": ["v1"]}, "http://ns.editeur.org/onix/3.0/reference"),
        ("v2", {}, "http://ns.editeur.org/onix/3.1/reference"),
        ("v2", {"namespace": "3.0"}, "http://ns.editeur.org/onix/3.0/reference"),
        ("v3", {}, "http://ns.editeur.org/onix/3.1/reference"),
    ],
)
async def test_versions_and_namespaces(shop: Shop, version: str, settings: dict[str, object], namespace: str) -> None:
    await shop.break_things(settings=settings)
    reply = await shop.export(version, after=LONG_AGO)
    assert {namespace} == {etree.QName(record).namespace for record in reply.products}


async def test_a_version_that_is_switched_off(shop: Shop) -> None:
    assert 404 == (await shop.export("v1", after=LONG_AGO)).status


async def test_deleted_records_say_little(shop: Shop) -> None:
    isbn = shop.isbn("row_1_removed")
    record = await shop.record(isbn)
    assert ["05"] == text(record, "NotificationType")
    assert {"RecordReference", "NotificationType", "RecordSourceType", "RecordSourceName", "ProductIdentifier"} == {
        etree.QName(node).localname for node in record
    }


@pytest.mark.parametrize(
    ("wanted", "kinds"), [("deleted", {"05"}), ("updated", {"02", "03"}), ("", {"02", "03", "05"})]
)
async def test_the_filter_of_notifications(shop: Shop, wanted: str, kinds: set[str]) -> None:
    reply = await shop.export(after=LONG_AGO, notificationType=wanted)
    assert kinds == {text(record, "NotificationType")[0] for record in reply.products}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"subscription": ""}, 400),
        ({"subscription": "everything"}, 400),
        ({"subscription": "school"}, 403),
        ({"notificationType": "05"}, 400),
    ],
)
async def test_what_the_export_refuses(shop: Shop, query: dict[str, str], status: int) -> None:
    assert status == (await shop.export(after=LONG_AGO, **query)).status


async def test_a_page_that_is_too_large(shop: Shop) -> None:
    await shop.break_things(settings={"largest_onix_page": 25})
    assert 413 == (await shop.export(after=LONG_AGO)).status
    assert 413 == (await shop.export(after=LONG_AGO, pagesize="26")).status
    assert 25 == len((await shop.export(after=LONG_AGO, pagesize="25")).products)


async def test_the_rest_of_the_trade_is_noise(shop: Shop) -> None:
    records = (await shop.export(after=LONG_AGO)).products
    forms = {
        text(record, "DescriptiveDetail/ProductForm")[0]
        for record in records
        if text(record, "DescriptiveDetail/ProductForm")
    }
    assert {"ED", "EB", "AJ", "BB", "BC", "PI"} == forms
    suppliers = {
        name for record in records for name in text(record, "ProductSupply/SupplyDetail/Supplier/SupplierName")
    }
    assert {"DDS", "Forlagssentralen", "Sentraldistribusjon"} == suppliers


async def test_records_in_the_shape_that_was_seen(shop: Shop) -> None:
    """Contract 9.2: what a forthcoming title has, and a title on sale."""
    ahead = await shop.record(shop.isbn("row_14_preorder"))
    out = await shop.record(shop.isbn("row_12_on_sale"))
    dates = "PublishingDetail/PublishingDate/PublishingDateRole"
    assert (["01"], ["01", "11"]) == (text(ahead, dates), text(out, dates))
    market_dates = "ProductSupply/MarketPublishingDetail/MarketDate/MarketDateRole"
    assert (["01"], []) == (text(ahead, market_dates), text(out, market_dates))
    assert f"{day(shop, 14):%Y%m%d}" in text(ahead, "ProductSupply/MarketPublishingDetail/MarketDate/Date")
    detail = "ProductSupply/SupplyDetail"
    assert (["10"], ["21"]) == (
        text(ahead, f"{detail}/ProductAvailability"),
        text(out, f"{detail}/ProductAvailability"),
    )
    own = f"{detail}/SupplierOwnCoding/SupplierCodeValue"
    assert (["DDS_N"], ["DDS_P"]) == (text(ahead, own), text(out, own))
    assert ["Z"] == text(out, f"{detail}/Price/Tax/TaxRateCode")
    assert out.findtext("{*}RecordReference", "").startswith("no.bokbasen.")


async def test_a_record_stays_the_same_until_it_changes(shop: Shop) -> None:
    isbn = shop.isbn("row_12_on_sale")
    once = etree.tostring(await shop.record(isbn))
    shop.clock.advance(5 * 86_400)
    assert once == etree.tostring(await shop.record(isbn))
    await shop.edit({"isbn": isbn, "price": "249.00"})
    assert once != etree.tostring(await shop.record(isbn))


async def test_the_outlets_of_a_restriction(shop: Shop) -> None:
    record = await shop.record(shop.isbn("row_6_other_outlet"))
    outlet = "ProductSupply/Market/SalesRestriction/SalesOutlet/SalesOutletIdentifier/IDValue"
    assert ["7099"] == text(record, outlet)


# --- the truth of titles


STATES = {
    "row_1_removed": S.REMOVED,
    "row_3_other_supplier": S.UNAVAILABLE,
    "row_4_deleted": S.WITHDRAWN,
    "row_5_no_right": S.UNAVAILABLE,
    "row_6_libraries": S.UNAVAILABLE,
    "row_6_other_outlet": S.UNAVAILABLE,
    "row_6_own_outlet": S.FOR_SALE,
    "row_6_territory": S.OUT_OF_TERRITORY,
    "row_7_cancelled": S.WITHDRAWN,
    "row_8_postponed": S.ANNOUNCED,
    "row_9_sold_out": S.WITHDRAWN,
    "row_10_embargo": S.ANNOUNCED,
    "row_10_expected": S.ANNOUNCED,
    "row_11_unpriced": S.UNPRICED,
    "row_12_on_sale": S.FOR_SALE,
    "row_12_day_passed": S.FOR_SALE,
    "row_13_temporarily_off": S.UNAVAILABLE,
    "row_14_preorder": S.PREORDER,
    "row_15_without_day": S.ANNOUNCED,
    "row_15_late": S.ANNOUNCED,
    "row_16_waiting_for_file": S.UNAVAILABLE,
    "row_17_announced": S.ANNOUNCED,
    "row_18_not_in_warehouse": S.UNAVAILABLE,
    "row_19_unsaid": S.UNAVAILABLE,
}


@pytest.mark.parametrize("scenario", STATES)
async def test_scenarios(shop: Shop, scenario: str) -> None:
    row = shop.row(shop.isbn(scenario))
    assert (STATES[scenario], "NO/NOK", "bokbasen") == (row.state, row.market, row.distributor)


async def test_every_row_of_the_table_has_a_scenario(shop: Shop) -> None:
    numbers = {int(name.split("_")[1]) for name in shop.stub.scenarios if name.startswith("row_")}
    assert set(range(1, 20)) == numbers


async def test_what_has_no_record_is_no_title(shop: Shop) -> None:
    isbn = shop.isbn("row_2_no_record")
    assert isbn not in {row.isbn for row in shop.stub.titles(shop.clock.now())}
    assert 1 == len((await shop.look_up(isbn)).entries)
    assert 404 == (await shop.get(f"/metadata/export/onix/v2/{isbn}", "metadata")).status


# --- steering


async def test_a_release_is_crossed(shop: Shop) -> None:
    """Announced for tomorrow, published some seconds from now: both feeds move at that instant."""
    (row,) = await shop.edit(
        {"isbn": NEW_ISBN, "price": "249.00", "release_at": {"in_seconds": 20}, "state": "PREORDER"}
    )
    assert ("PREORDER", "249.00", "epub") == (row["state"], row["price"], row["format"])
    assert datetime.fromisoformat(row["release_at"]) == shop.clock.now() + timedelta(seconds=20)
    inventory, export = await shop.inventory(after=LONG_AGO), await shop.export(after=LONG_AGO)
    record = await shop.record(NEW_ISBN)
    assert [f"{day(shop, 1):%Y%m%d}"] == text(record, "ProductSupply/MarketPublishingDetail/MarketDate/Date")
    shop.clock.advance(20)
    assert S.FOR_SALE is shop.row(NEW_ISBN).state
    (told,) = (await shop.inventory(next=inventory.headers["Next"])).entries
    assert (NEW_ISBN, "true") == (told["isbn"], told["published"])
    (changed,) = (await shop.export(next=export.headers["Next"])).products
    assert ["04"] == text(changed, "ProductSupply/MarketPublishingDetail/MarketPublishingStatus")


async def test_the_export_can_lag_behind(shop: Shop) -> None:
    await shop.break_things(settings={"onix_lag_seconds": 600})
    export = await shop.export(after=LONG_AGO)
    await shop.edit({"isbn": shop.isbn("row_14_preorder"), "state": "FOR_SALE"})
    assert [] == (await shop.export(next=export.headers["Next"])).products
    shop.clock.advance(600)
    assert 1 == len((await shop.export(next=export.headers["Next"])).products)


@pytest.mark.parametrize(
    ("edit", "state"),
    [
        ({"state": "FOR_SALE"}, S.FOR_SALE),
        ({"state": "PREORDER", "release_at": {"in_seconds": 3600}}, S.PREORDER),
        ({"state": "ANNOUNCED"}, S.ANNOUNCED),
        ({"state": "UNAVAILABLE"}, S.UNAVAILABLE),
        ({"state": "WITHDRAWN"}, S.WITHDRAWN),
        ({"state": "WITHDRAWN", "block": "gone"}, S.WITHDRAWN),
        ({"state": "REMOVED"}, S.REMOVED),
        ({"state": "UNPRICED"}, S.UNPRICED),
        ({"state": "OUT_OF_TERRITORY"}, S.OUT_OF_TERRITORY),
        ({"agreement": False}, S.WITHDRAWN),
        ({"published": False}, S.UNAVAILABLE),
        ({"price": "99.50"}, S.FOR_SALE),
        ({"release_at": "2026-03-20"}, S.PREORDER),
        ({"release_at": "2026-03-01"}, S.FOR_SALE),
    ],
)
async def test_edits_of_a_title_on_sale(shop: Shop, edit: dict[str, object], state: OfferState) -> None:
    isbn = shop.isbn("row_12_on_sale")
    (row,) = await shop.edit({"isbn": isbn, **edit})
    assert state == row["state"] == shop.row(isbn).state


@pytest.mark.parametrize(
    "scenario",
    ["row_1_removed", "row_4_deleted", "row_5_no_right", "row_6_territory", "row_9_sold_out", "row_14_preorder"],
)
async def test_any_title_can_be_put_on_sale(shop: Shop, scenario: str) -> None:
    (row,) = await shop.edit({"isbn": shop.isbn(scenario), "state": "FOR_SALE"})
    assert "FOR_SALE" == row["state"]


@pytest.mark.parametrize(
    "edit",
    [
        {"market": "SE/SEK"},
        {"state": "NOT_YET"},
        {"state": "PREORDER"},
        {"state": "FOR_SALE", "release_at": {"in_seconds": 60}},
        {"price_type": "41"},
        {"price": "x"},
        {"price": "9.00", "price_from": "2026-04-01"},
        {"protection": ["00", "02"]},
        {"format": "pdf"},
        {"isbn": "9788200000000"},
        {"isbn": NEW_ISBN, "format": "scroll"},
    ],
)
async def test_edits_that_make_no_sense_change_nothing(shop: Shop, edit: dict[str, object]) -> None:
    isbn = shop.isbn("row_12_on_sale")
    before = shop.row(isbn)
    status, document = await shop.steer("POST", "titles", [{"isbn": isbn, "price": "1.00"}, {"isbn": isbn, **edit}])
    assert (400, "row 1") == (status, document["error"][:5])
    assert before == shop.row(isbn)


async def test_titles_can_be_chosen_by_their_state(shop: Shop) -> None:
    rows = await shop.edit({"where": "PREORDER", "count": 2, "distributor": "bokbasen", "state": "FOR_SALE"})
    assert ["FOR_SALE", "FOR_SALE"] == [row["state"] for row in rows]


async def test_a_restart_goes_on(tmp_path: Path) -> None:
    async with opened_shop(tmp_path) as shop:
        isbn = shop.isbn("row_12_on_sale")
        await shop.edit({"isbn": isbn, "new_version": True, "price": "249.00"})
        before, at = shop.row(isbn), shop.clock.now()
        cursor = (await shop.inventory(after=LONG_AGO)).headers["Next"]
    async with opened_shop(tmp_path) as again:
        assert at == again.clock.now()
        assert before == again.row(isbn)
        assert ["1", "2"] == [row["version"] for row in (await again.look_up(isbn)).entries]
        assert [] == (await again.inventory(next=cursor)).entries


async def test_the_settings_file_leads_an_engine_here(shop: Shop) -> None:
    written = shop.sandbox.settings_path.read_text()
    assert f'base_url = "{shop.base}"' in written
    assert 'client_secret_file = "bokbasen.secret"' in written
    assert shop.stub.client.secret not in written
    secret = shop.sandbox.directory / "bokbasen.secret"
    assert (shop.stub.client.secret, 0o600) == (secret.read_text().strip(), secret.stat().st_mode & 0o777)


async def test_settings_that_do_not_exist_are_refused(shop: Shop) -> None:
    status, document = await shop.steer("POST", "faults", {"bokbasen": {"settings": {"duplicate": "500"}}})
    assert (400, True) == (status, "duplicate" in document["error"])
    status, _ = await shop.steer("POST", "faults", {"bokbasen": {"settings": {"unheard_of": 1}}})
    assert 400 == status
