"""Steering the De Marque stub over HTTP: titles, ledger, calls, faults, settings, and what survives a restart."""

from __future__ import annotations

import stat
import tomllib
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import aiohttp
import orjson
import pytest

from adapters.distributors.demarque.sandbox_knobs import FAULTS
from adapters.sandbox.catalogue import with_check_digit
from adapters.sandbox.faults import Fault
from tests.contract.demarque_sandbox import ONIX, TITLES, Shop, opened_shop, products, references, text

ROW_KEYS = {"distributor", "isbn", "format", "market", "price", "release_at", "state"}
UNKNOWN = with_check_digit("978200000001")
ANOTHER = with_check_digit("978200000002")


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with opened_shop(tmp_path) as opened:
        yield opened


class TestTitles:
    async def test_there_is_a_row_for_each_title_and_market(self, shop):
        _, document = await shop.steer("GET", "titles")
        rows = document
        assert all(ROW_KEYS == set(row) for row in rows)
        assert len(rows) == len({(row["isbn"], row["market"]) for row in rows})
        assert {"CA/CAD", "US/USD", "FR/EUR", "CA/USD"} == {row["market"] for row in rows}
        assert TITLES * 0.9 < len({row["isbn"] for row in rows}) <= TITLES

    async def test_a_row_follows_the_clock_without_any_edit(self, shop):
        isbn = shop.isbn("new_preorder")
        _, document = await shop.steer("GET", f"titles?isbn={isbn}")
        assert {"PREORDER"} == {row["state"] for row in document}
        shop.clock.advance_to(datetime.fromisoformat(document[0]["release_at"]))
        _, document = await shop.steer("GET", f"titles?isbn={isbn}")
        assert {"FOR_SALE"} == {row["state"] for row in document}

    async def test_a_release_set_by_distance_is_rounded_up_to_the_second_the_feed_can_tell(self, shop):
        shop.clock.advance(0.25)
        rows = await shop.edit({"isbn": shop.isbn("new_preorder"), "release_at": {"in_seconds": 5}})
        assert {"2026-03-02T12:00:06.000000+00:00"} == {row["release_at"] for row in rows}
        record = await shop.record(shop.isbn("new_preorder"))
        date = record.find(f"{ONIX}ProductSupply/{ONIX}MarketPublishingDetail/{ONIX}MarketDate")
        assert date is not None
        assert ("01", "14", "20260302T070006-0500") == tuple(
            text(date, name) for name in ("MarketDateRole", "DateFormat", "Date")
        )

    async def test_a_day_is_a_midnight_of_the_platform(self, shop):
        rows = await shop.edit({"isbn": shop.isbn("new_preorder"), "release_at": "2026-07-01"})
        assert {"2026-07-01T04:00:00.000000+00:00"} == {row["release_at"] for row in rows}

    async def test_one_market_is_edited_alone(self, shop):
        isbn = shop.isbn("on_sale")
        before = shop.row(isbn, "US/USD")
        (rows,) = [await shop.edit({"isbn": isbn, "market": "CA/CAD", "price": "4.25"})]
        assert {"4.25"} == {row["price"] for row in rows if row["market"] == "CA/CAD"}
        assert before == shop.row(isbn, "US/USD")

    async def test_an_unknown_isbn_adds_a_title_that_is_told_and_sold(self, shop):
        (row,) = await shop.edit({"isbn": UNKNOWN, "market": "CA/CAD", "price": "12.50", "title": "Tout neuf"})
        assert {
            "distributor": "demarque",
            "isbn": UNKNOWN,
            "format": "epub",
            "market": "CA/CAD",
            "price": "12.50",
            "release_at": row["release_at"],
            "state": "FOR_SALE",
        } == row
        assert (201, "created") == (await shop.sell(UNKNOWN)).said
        (page,) = [page async for page in shop.crawl("delta", **{"from": shop.since(minutes=1)})]
        assert ["Tout neuf"] == [
            text(record, "DescriptiveDetail/TitleDetail/TitleElement/TitleText") for record in products(page)
        ]
        told = [name async for page in shop.crawl("full") for name in references(page)]
        assert references(page)[0] in told

    @pytest.mark.parametrize(
        ("edit", "state"),
        [
            ({"release_at": {"in_seconds": 60}, "state": "PREORDER"}, "PREORDER"),
            ({"release_at": {"in_seconds": 60}, "state": "PREORDER", "convention": "old"}, "PREORDER"),
            ({"release_at": {"in_seconds": 60}}, "PREORDER"),
            ({"release_at": {"in_seconds": 60}, "state": "ANNOUNCED"}, "ANNOUNCED"),
            ({"release_at": {"in_seconds": 60}, "state": "ANNOUNCED", "convention": "old"}, "ANNOUNCED"),
            ({"release_at": {"in_seconds": 60}, "state": "NOT_YET", "convention": "old"}, "NOT_YET"),
            ({"state": "UNAVAILABLE"}, "UNAVAILABLE"),
            ({"state": "UNAVAILABLE", "convention": "old"}, "UNAVAILABLE"),
            ({"state": "WITHDRAWN"}, "WITHDRAWN"),
            ({"state": "WITHDRAWN", "block": "gone"}, "WITHDRAWN"),
            ({"state": "REMOVED"}, "REMOVED"),
            ({"agreement": False}, "REMOVED"),
        ],
    )
    async def test_states_are_steered_and_taken_back(self, shop, edit, state):
        isbn = shop.isbn("on_sale")
        rows = await shop.edit({"isbn": isbn, **edit})
        assert [state] * 3 == [row["state"] for row in rows]
        back = await shop.edit({"isbn": isbn, "state": "FOR_SALE", "agreement": True})
        assert ["FOR_SALE"] * 3 == [row["state"] for row in back]
        assert (201, "created") == (await shop.sell(isbn)).said

    async def test_a_future_price_ends_todays(self, shop):
        isbn = shop.isbn("on_sale")
        today = shop.row(isbn)["price"]
        await shop.edit({"isbn": isbn, "market": "CA/CAD", "price": "1.00", "price_from": {"in_seconds": 60}})
        assert today == shop.row(isbn)["price"]
        shop.clock.advance(60)
        assert "1.00" == shop.row(isbn)["price"]

    async def test_many_preorders_are_released_together(self, shop):
        rows = await shop.edit({"where": "PREORDER", "count": 12, "convention": "new", "release_at": {"in_seconds": 9}})
        isbns = {row["isbn"] for row in rows}
        assert 12 == len(isbns)
        assert {"PREORDER"} == {row["state"] for row in rows}
        assert not isbns & set(shop.stub.scenarios.values()), "scenarios are taken last"
        shop.clock.advance(9)
        assert {"FOR_SALE"} == {row["state"] for isbn in isbns for row in shop.rows(isbn)}

    async def test_thousands_of_rows_in_one_request(self, shop):
        isbns = [with_check_digit(f"978200{number:06d}") for number in range(3000)]
        release = {"in_seconds": 30}
        rows = await shop.edit(*({"isbn": isbn, "release_at": release, "state": "PREORDER"} for isbn in isbns))
        assert 9000 == len(rows)
        assert {"PREORDER"} == {row["state"] for row in rows}
        assert 3000 == len(await shop.delta(shop.since(minutes=1)))

    @pytest.mark.parametrize(
        ("edit", "problem"),
        [
            ({}, "row 0: an edit needs an isbn, or where with a state"),
            ({"isbn": "123"}, "row 0: '123' is no ISBN-13 with the right check digit"),
            ({"isbn": UNKNOWN, "format": "scroll"}, "row 0: 'scroll' is no format"),
            ({"isbn": UNKNOWN, "market": "CA"}, "row 0: 'CA' is no market"),
            ({"isbn": UNKNOWN, "price": "1.999"}, "row 0: '1.999' is no price with two decimals"),
            ({"isbn": UNKNOWN, "price": "-1"}, "row 0: '-1' is no price"),
            ({"isbn": UNKNOWN, "price": "dear"}, "row 0: 'dear' is no price"),
            ({"isbn": UNKNOWN, "price_from": "2026-07-01"}, "row 0: price_from needs a price"),
            ({"isbn": UNKNOWN, "price_type": "99"}, "row 0: '99' is no price type"),
            ({"isbn": UNKNOWN, "protection": ["99"]}, "row 0: protection is a list of"),
            ({"isbn": UNKNOWN, "release_at": "soon"}, "row 0: 'soon' is neither an ISO instant nor a day"),
            ({"isbn": UNKNOWN, "release_at": "2026-07-01T00:00:00"}, "names no offset"),
            ({"isbn": UNKNOWN, "state": "PREORDER"}, "row 0: that state needs a release_at in the future"),
            (
                {"isbn": UNKNOWN, "state": "FOR_SALE", "release_at": {"in_seconds": 9}},
                "row 0: a title for sale cannot have a release in the future",
            ),
            ({"isbn": UNKNOWN, "state": "OUT_OF_TERRITORY"}, "row 0: state OUT_OF_TERRITORY cannot be steered"),
            ({"isbn": UNKNOWN, "state": "GONE"}, "Invalid enum value 'GONE'"),
            ({"isbn": UNKNOWN, "colour": "red"}, "unknown field `colour`"),
            ({"where": "PREORDER", "count": 9999}, "titles that are PREORDER, not 9999"),
            ({"isbn": UNKNOWN, "distributor": "nobody"}, "no distributor 'nobody'"),
        ],
    )
    async def test_what_cannot_be_is_named_and_nothing_is_done(self, shop, edit, problem):
        for edits in ([edit], [{"isbn": ANOTHER, "price": "1.23"}, edit]):
            status, document = await shop.steer("POST", "titles", edits)
            assert 400 == status
            assert problem.removeprefix("row 0: ") in document["error"]
        assert not shop.stub.knows(UNKNOWN)
        assert not shop.stub.knows(ANOTHER)

    async def test_a_format_that_is_not_the_titles_is_refused(self, shop):
        status, document = await shop.steer("POST", "titles", {"isbn": shop.isbn("on_sale"), "format": "pdf"})
        assert (400, f"row 0: {shop.isbn('on_sale')} is epub, not pdf") == (status, document["error"])

    async def test_no_json_is_a_400_too(self, shop):
        async with shop.session.post(f"{shop.sandbox.url}/_sandbox/titles", data=b"<xml/>") as answer:
            assert 400 == answer.status
            assert "error" in await answer.json()

    async def test_scenarios_are_named(self, shop):
        _, document = await shop.steer("GET", "scenarios")
        assert shop.stub.scenarios == document["demarque"]
        assert all(shop.stub.knows(isbn) for isbn in document["demarque"].values())


class TestLedgerAndCalls:
    async def test_the_ledger_can_be_asked_by_kind(self, shop):
        await shop.sell(shop.isbn("on_sale"))
        await shop.preorder(shop.isbn("new_preorder"))
        _, document = await shop.steer("GET", "ledger?kind=preorder")
        assert ["preorder"] == [row["kind"] for row in document]

    async def test_every_call_is_listed_as_it_arrived(self, shop):
        await shop.simulate(shop.isbn("on_sale"))
        shop.clock.advance(1.5)
        await shop.sell(shop.isbn("on_sale"))
        await shop.get("/nothing/here")
        _, document = await shop.steer("GET", "calls")
        assert [
            ("simulate", "GET", 200, "valid", "2026-03-02T12:00:00.000000+00:00"),
            ("sale", "POST", 201, "created", "2026-03-02T12:00:01.500000+00:00"),
            ("unknown", "GET", 404, "not_found", "2026-03-02T12:00:01.500000+00:00"),
        ] == [tuple(row[key] for key in ("endpoint", "method", "status", "word", "at")) for row in document]
        assert document[1]["path"].endswith("/sales")
        assert "transaction_id=t-1" in document[1]["query"]
        _, later = await shop.steer("GET", "calls?since=1&endpoint=sale")
        assert ["created"] == [row["word"] for row in later]
        status, _ = await shop.steer("GET", "calls?since=yesterday")
        assert 400 == status

    async def test_no_credential_is_kept_or_shown(self, shop):
        await shop.break_things(settings={"token": "canary-token"})
        shop.headers = {"Authorization": "Bearer canary-token"}
        assert 200 == (await shop.get("/publishers.json")).status
        for path in ("calls", "ledger", "faults"):
            _, document = await shop.steer("GET", path)
            assert b"canary" not in orjson.dumps(document)


class TestFaults:
    async def test_before_the_effect(self, shop):
        isbn = shop.isbn("on_sale")
        await shop.break_things(
            sale={
                "throttle": {"count": 1, "retry_after": "7"},
                "unavailable": {"count": 1, "retry_after": "0"},
                "error_before": {"count": 1, "status": 502},
                "login_page": 1,
                "access_denied": 1,
            }
        )
        replies = [await shop.sell(isbn) for _ in range(6)]
        assert [429, 503, 502, 200, 401, 201] == [reply.status for reply in replies]
        assert ("", "7") == (replies[0].word, replies[0].headers["Retry-After"])
        assert ("service_unavailable", "0") == (replies[1].word, replies[1].headers["Retry-After"])
        assert replies[3].headers["Content-Type"].startswith("text/html")
        assert "access_denied" == replies[4].word
        assert 1 == len(await shop.ledger())

    async def test_a_broken_connection_before_and_after_the_effect(self, shop):
        isbn = shop.isbn("on_sale")
        await shop.break_things(sale={"drop_before": 1, "drop_after": 1})
        for rows in (0, 1):
            with pytest.raises(aiohttp.ClientConnectionError):
                await shop.sell(isbn)
            assert rows == len(await shop.ledger())
        assert (401, "duplicate") == (await shop.sell(isbn)).said
        assert ["drop_before", "drop_after", None] == [row.fault for row in shop.sandbox.calls]
        assert [0, 0, 401] == [row.status for row in shop.sandbox.calls]

    @pytest.mark.parametrize(
        ("knobs", "status", "body"),
        [
            ({"error_after": 1}, 500, b""),
            ({"error_after": {"count": 1, "status": 504}}, 504, b""),
            ({"empty": 1}, 201, b""),
            ({"garbage": 1}, 201, bytes(range(256)) * 4),
        ],
    )
    async def test_a_spoilt_answer_to_a_sale_that_took_effect(self, shop, knobs, status, body):
        isbn = shop.isbn("on_sale")
        await shop.break_things(sale=knobs)
        spoilt = await shop.sell(isbn)
        assert (status, body) == (spoilt.status, spoilt.body)
        assert 1 == len(await shop.ledger())
        assert (401, "duplicate") == (await shop.sell(isbn)).said
        assert ("created", next(iter(knobs))) == (shop.sandbox.calls[0].word, shop.sandbox.calls[0].fault)

    async def test_a_torn_page_promises_more_than_it_sends(self, shop):
        await shop.break_things(full={"torn": 1})
        with pytest.raises(aiohttp.ClientPayloadError):
            await shop.get("/publications/full")
        assert 200 == (await shop.get("/publications/full")).status

    async def test_delays_before_and_after_the_effect(self, tmp_path):
        async with opened_shop(tmp_path) as shop:
            shop.clock.auto = True
            await shop.break_things(
                sale={"delay_before": {"count": 1, "seconds": 30}, "delay_after": {"count": 1, "seconds": 90}}
            )
            assert (201, "created") == (await shop.sell(shop.isbn("on_sale"))).said
            assert [30.0, 90.0] == shop.clock.slept
            (row,) = await shop.ledger()
            assert "2026-03-02T12:00:30.000000+00:00" == row["at"]

    async def test_pages_with_poisoned_links(self, shop):
        await shop.break_things(full={"same_link": 1, "no_link": {"count": 1, "skip": 1}, "empty_page": 1})
        same = await shop.get("/publications/full")
        assert f"{shop.organisation}/publications/full" == same.next_link
        assert [] == references(same)
        assert (await shop.get("/publications/full")).next_link is None
        await shop.break_things(full={"foreign_link": True})
        foreign = await shop.get("/publications/full")
        assert foreign.next_link is not None
        assert foreign.next_link.startswith("http://feeds.elsewhere.example/demarque/api/")

    async def test_words_as_a_json_array(self, shop):
        await shop.break_things(**{"*": {"array_words": True}})
        reply = await shop.simulate(shop.isbn("on_sale"), cost="1")
        assert (400, b'["invalid_sale_parameters"]') == (reply.status, reply.body)
        assert (200, "valid") == (await shop.simulate(shop.isbn("on_sale"))).said

    async def test_a_fault_can_be_meant_for_one_title(self, shop):
        first, second = shop.isbn("basket_first"), shop.isbn("basket_second")
        await shop.break_things(sale={"error_before": {"match": first}})
        assert [500, 201] == [(await shop.sell(isbn)).status for isbn in (first, second)]

    async def test_they_are_shown_with_their_counts_and_cleared(self, shop):
        await shop.break_things(sale={"throttle": 3}, settings={"page_size": 10})
        await shop.sell(shop.isbn("on_sale"))
        _, document = await shop.steer("GET", "faults")
        assert {"count": 3, "fired": 1} == document["demarque"]["sale"]["throttle"]
        assert 10 == document["demarque"]["settings"]["page_size"]
        _, cleared = await shop.steer("DELETE", "faults")
        assert {"settings"} == set(cleared["demarque"])
        assert 50 == cleared["demarque"]["settings"]["page_size"]
        assert 201 == (await shop.sell(shop.isbn("on_sale"))).status

    @pytest.mark.parametrize(
        ("document", "problem"),
        [
            ({"nobody": {}}, "no distributor 'nobody'"),
            ({"demarque": {"teapot": {"throttle": 1}}}, "demarque has no endpoint 'teapot'"),
            ({"demarque": {"sale": {"explode": 1}}}, "demarque has no fault 'explode'"),
            ({"demarque": {"sale": {"throttle": {"often": 1}}}}, "demarque.sale.throttle"),
            ({"demarque": {"sale": {"throttle": {"probability": 2}}}}, "demarque.sale.throttle"),
            ({"demarque": {"settings": {"page_size": 51}}}, "settings"),
            ({"demarque": {"settings": {"pages": 5}}}, "settings"),
            ({"demarque": 5}, "demarque must be an object"),
            ([], "object"),
        ],
    )
    async def test_unknown_knobs_are_named_and_nothing_is_set(self, shop, document, problem):
        status, answer = await shop.steer("POST", "faults", document)
        assert 400 == status
        assert problem in answer["error"]
        _, after = await shop.steer("GET", "faults")
        assert {"settings"} == set(after["demarque"])

    async def test_every_fault_of_the_list_can_be_set_on_every_endpoint(self, shop):
        endpoints = {route.endpoint for route in shop.stub.routes}
        knobs = {endpoint: dict.fromkeys([*Fault, *FAULTS], 1) for endpoint in endpoints}
        await shop.break_things(**knobs)
        _, document = await shop.steer("GET", "faults")
        assert len(endpoints) * (len(Fault) + len(FAULTS)) == sum(
            len(document["demarque"][endpoint]) for endpoint in endpoints
        )


class TestRestart:
    async def test_sales_refunds_preorders_and_edits_are_known_again(self, tmp_path):
        async with opened_shop(tmp_path) as shop:
            isbn, other = shop.isbn("on_sale"), shop.isbn("basket_first")
            await shop.sell(isbn)
            await shop.sell(other, transaction_id="t-2")
            cost = shop.parameters(other, "CA/CAD")["cost"]
            await shop.refund(other, cost, transaction_id="t-2")
            await shop.preorder(shop.isbn("new_preorder"))
            await shop.edit({"isbn": isbn, "price": "2.75"}, {"isbn": UNKNOWN, "release_at": {"in_seconds": 60}})
            kept, rows = await shop.ledger(), list(shop.stub.titles(shop.clock.now()))
        async with opened_shop(tmp_path) as again:
            assert kept == await again.ledger()
            assert rows == list(again.stub.titles(again.clock.now()))
            assert (401, "duplicate") == (await again.sell(isbn)).said
            assert (400, "already_refunded") == (await again.refund(other, cost, transaction_id="t-2")).said
            assert (200, "created") == (await again.preorder(again.isbn("new_preorder"))).said
            assert kept == await again.ledger()
            assert (201, "created") == (await again.sell(again.isbn("basket_second"))).said
            assert [*kept, (await again.ledger())[-1]] == await again.ledger()

    async def test_another_seed_makes_another_catalogue(self, tmp_path):
        async with opened_shop(tmp_path / "a", seed=1) as shop:
            first = shop.isbn("on_sale")
        async with opened_shop(tmp_path / "a", seed=2) as shop:
            assert first != shop.isbn("on_sale")

    async def test_the_same_seed_makes_the_same_bytes(self, tmp_path):
        bodies = []
        for name in ("a", "b"):
            async with opened_shop(tmp_path / name) as shop:
                bodies.append([page.body async for page in shop.crawl("full.onix")])
        assert bodies[0] == bodies[1]


class TestSettingsFile:
    async def test_it_is_complete_and_its_token_opens(self, shop, tmp_path):
        document = tomllib.loads((tmp_path / "syncengine.toml").read_text(encoding="utf-8"))
        source = document["sources"]["demarque"]
        assert shop.sandbox.addresses["demarque"] == source["base_url"]
        token_file = tmp_path / source["token_file"]
        assert 0o600 == stat.S_IMODE(token_file.stat().st_mode)
        shop.headers = {"Authorization": f"Bearer {token_file.read_text(encoding='utf-8').strip()}"}
        assert 200 == (await shop.get("/publishers.json")).status
        assert {"CA/CAD", "US/USD", "FR/EUR", "CA/USD"} == set(source["markets"])
        assert source["limits"]
        assert "sqlite:var/syncengine.db" == document["store"]["url"]

    async def test_it_listens_on_loopback_only(self, shop):
        assert shop.sandbox._runner is not None
        assert ["127.0.0.1"] == [address[0] for address in shop.sandbox._runner.addresses]
