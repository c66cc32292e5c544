"""The De Marque stub's counter against contract sections 4, 5 and 7, over loopback HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import orjson
import pytest

from tests.contract.demarque_sandbox import BUYER, Shop, bearer, opened_shop

LEDGER_KEYS = {
    "distributor",
    "kind",
    "reference",
    "customer_id",
    "isbn",
    "format",
    "amount",
    "currency",
    "country",
    "price_type",
    "protection",
    "response",
    "at",
}


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with opened_shop(tmp_path) as opened:
        yield opened


class TestSimulation:
    """Section 4.1."""

    async def test_a_right_one_is_valid_and_records_nothing(self, shop):
        assert (200, "valid") == (await shop.simulate(shop.isbn("on_sale"))).said
        assert [] == await shop.ledger()

    @pytest.mark.parametrize(
        ("scenario", "market"),
        [
            ("on_sale", "CA/CAD"),
            ("on_sale", "US/USD"),
            ("on_sale", "FR/EUR"),
            ("pdf_watermark", "CA/CAD"),
            ("audio", "CA/CAD"),
            ("free", "CA/CAD"),
            ("agency", "CA/CAD"),
            ("net_price_fr", "FR/EUR"),
            ("no_sale_start", "US/USD"),
            ("later_market_date", "CA/CAD"),
            ("withdrawn_ca_cad_only", "CA/USD"),
            ("price_switch_timed", "CA/CAD"),
        ],
    )
    async def test_what_is_for_sale_is_valid(self, shop, scenario, market):
        assert (200, "valid") == (await shop.simulate(shop.isbn(scenario), market)).said

    @pytest.mark.parametrize(
        ("scenario", "market"),
        [
            ("new_preorder", "CA/CAD"),
            ("old_preorder", "CA/CAD"),
            ("announced", "CA/CAD"),
            ("old_not_yet", "CA/CAD"),
            ("inactive_with_preorder_dates", "CA/CAD"),
            ("legacy_unavailable", "CA/CAD"),
            ("unavailable_in_fr", "FR/EUR"),
            ("inactive_in_fr", "FR/EUR"),
            ("withdrawn_in_ca", "CA/CAD"),
            ("withdrawn_ca_cad_only", "CA/CAD"),
            ("withdrawn_everywhere", "US/USD"),
            ("out_of_territory_us", "US/USD"),
            ("later_market_date", "FR/EUR"),
            ("library", "CA/CAD"),
            ("deleted", "CA/CAD"),
            ("on_sale", "GB/GBP"),
        ],
    )
    async def test_what_is_not_cannot_be_sold(self, shop, scenario, market):
        assert (400, "cannot_sell") == (await shop.simulate(shop.isbn(scenario), market)).said

    async def test_belgium_shares_the_terms_of_france(self, shop):
        right = await shop.simulate(shop.isbn("on_sale"), "FR/EUR", country="be")
        assert (200, "valid") == right.said

    @pytest.mark.parametrize("country", ["CA", "ca", "can", "CAN"])
    async def test_countries_have_two_letters_or_three(self, shop, country):
        assert (200, "valid") == (await shop.simulate(shop.isbn("on_sale"), country=country)).said

    @pytest.mark.parametrize(
        "changes",
        [
            {"cost": "1"},
            {"cost": "19.99"},
            {"currency": "usd"},
            {"price_type": "01"},
            {"price_type": "99"},
        ],
    )
    async def test_terms_that_match_no_price(self, shop, changes):
        isbn = shop.isbn("on_sale")
        assert (400, "invalid_sale_parameters") == (await shop.simulate(isbn, **changes)).said
        await shop.break_things(simulate={"old_words": 1})
        assert (400, "invalid_cost") == (await shop.simulate(isbn, **changes)).said
        assert (400, "invalid_sale_parameters") == (await shop.simulate(isbn, **changes)).said

    async def test_the_price_type_may_be_left_out(self, shop):
        assert (200, "valid") == (await shop.simulate(shop.isbn("on_sale"), price_type=None)).said

    async def test_a_title_without_price_matches_none(self, shop):
        assert (400, "invalid_sale_parameters") == (await shop.simulate(shop.isbn("unpriced"))).said

    async def test_a_price_turns_at_its_boundary(self, shop):
        isbn = shop.isbn("price_switch_timed")
        old = shop.parameters(isbn, "CA/CAD")["cost"]
        new = str(int(old) + 200)
        boundary = shop.clock.now() + timedelta(days=10)
        shop.clock.advance_to(boundary.replace(hour=6, minute=59, second=59))
        assert (200, "valid") == (await shop.simulate(isbn, cost=old)).said
        assert 400 == (await shop.simulate(isbn, cost=new)).status
        shop.clock.advance(1)
        assert 400 == (await shop.simulate(isbn, cost=old)).status
        assert (200, "valid") == (await shop.simulate(isbn, cost=new)).said

    async def test_eden_wants_the_net_price_too(self, shop):
        isbn = shop.isbn("on_sale")
        await shop.break_things(settings={"eden": True})
        assert (400, "missing_cost_without_taxes") == (await shop.simulate(isbn, "FR/EUR")).said
        assert (200, "valid") == (await shop.simulate(isbn, "FR/EUR", cost_without_taxes="100")).said
        wrong = await shop.simulate(isbn, "FR/EUR", cost_without_taxes="999999")
        assert (400, "invalid_sale_parameters") == wrong.said

    @pytest.mark.parametrize(
        ("scenario", "protection", "drm_type", "status"),
        [
            ("on_sale", "watermark", None, 200),
            ("on_sale", "none", None, 400),
            ("on_sale", "acs4", None, 400),
            ("on_sale_unprotected", "none", None, 200),
            ("on_sale_adobe", "acs4", None, 200),
            ("on_sale_adobe", "drm", "acs", 200),
            ("on_sale_adobe", "drm", "lcp", 400),
            ("on_sale_adobe", "drm", "urms", 400),
            ("on_sale_adobe", "acs4_timelimited", None, 200),
            ("on_sale_adobe", "acs4_time_limited", None, 200),
            ("adobe_and_lcp", "acs4", None, 200),
            ("adobe_and_lcp", "drm", "lcp", 200),
            ("lcp_only", "drm", "lcp", 200),
            ("lcp_only", "acs4", None, 400),
            ("lcp_only", "sealed", None, 400),
        ],
    )
    async def test_protections(self, shop, scenario, protection, drm_type, status):
        reply = await shop.simulate(shop.isbn(scenario), protection=protection, drm_type=drm_type)
        assert (status, "valid" if status == 200 else "invalid_protection") == reply.said

    async def test_without_the_option_lcp_is_not_sold(self, shop):
        await shop.break_things(settings={"lcp": False})
        assert (400, "invalid_protection") == (await shop.simulate(shop.isbn("lcp_only"))).said


class TestSale:
    """Section 4.2."""

    async def test_it_is_created_and_stands_in_the_ledger(self, shop):
        isbn = shop.isbn("on_sale")
        assert (201, "created") == (await shop.sell(isbn)).said
        price = shop.row(isbn)["price"]
        assert [
            {
                "distributor": "demarque",
                "kind": "sale",
                "reference": "t-1",
                "customer_id": "c-1",
                "isbn": isbn,
                "format": "epub",
                "amount": price,
                "currency": "CAD",
                "country": "CA",
                "price_type": "02",
                "protection": "watermark",
                "response": "created",
                "at": "2026-03-02T12:00:00.000000+00:00",
            }
        ] == await shop.ledger()

    async def test_with_output_json_it_gives_access(self, shop):
        reply = await shop.sell(shop.isbn("on_sale"), output="json")
        assert 201 == reply.status
        document = orjson.loads(reply.body)
        assert "created" == document["status"]
        assert document["access_token"].startswith("enqcs_")
        assert document["status_document_url"].startswith(shop.sandbox.url)
        refused = await shop.sell(shop.isbn("on_sale"), output="json")
        assert (401, "duplicate") == refused.said

    async def test_each_check_comes_before_the_next(self, shop: Shop) -> None:
        """Section 12, 9: the request is mended one step at a time, and each answer names the first fault left."""
        isbn, other = shop.isbn("new_preorder"), "9782070612758"
        wrong = dict.fromkeys(shop.parameters(isbn, "CA/CAD", **BUYER), "")
        user, nobody = shop.headers, {"Authorization": "Bearer nobody"}
        address = f"{shop.organisation}/publications/{{isbn}}/sales"

        async def said(path: str = address, named: str = isbn) -> tuple[int, str]:
            return (await shop.call("POST", path.format(isbn=named), params=wrong)).said

        shop.headers = nobody
        assert (401, "access_denied") == await said(address.replace("/1277/", "/1/"), other)
        shop.headers = user
        assert (404, "not_found") == await said(address.replace("/1277/", "/1/"), other)
        assert (404, "not_found") == await said(named=other)
        for name in ("format", "cost", "protection", "country", "currency", "customer_id", "transaction_id"):
            assert (400, f"missing_{name}") == await said(), name
            wrong[name] = "mobi" if name == "format" else "wrong"
        assert (400, "invalid_format") == await said()
        wrong["format"] = "epub"
        assert (400, "invalid_protection") == await said()
        wrong["protection"] = "watermark"
        assert (400, "cannot_sell") == await said()
        wrong["country"], wrong["currency"] = "ca", "cad"
        assert (400, "cannot_sell") == await said()
        shop.clock.advance_to(datetime.fromisoformat(shop.row(isbn)["release_at"]))
        assert (400, "invalid_sale_parameters") == await said()
        wrong["cost"] = shop.parameters(isbn, "CA/CAD")["cost"]
        assert (201, "created") == await said()
        wrong["format"], wrong["cost"] = "epub", "1"
        assert (401, "duplicate") == await said()

    async def test_a_duplicate_is_told_by_customer_transaction_isbn_and_format(self, shop):
        first, second = shop.isbn("basket_first"), shop.isbn("basket_second")
        assert (201, "created") == (await shop.sell(first)).said
        assert (401, "duplicate") == (await shop.sell(first)).said
        assert (401, "duplicate") == (await shop.sell(first, cost="1")).said
        assert (201, "created") == (await shop.sell(second)).said
        assert (201, "created") == (await shop.sell(first, transaction_id="t-2")).said
        assert [("t-1", first), ("t-1", second), ("t-2", first)] == [
            (row["reference"], row["isbn"]) for row in await shop.ledger()
        ]

    async def test_a_basket_belongs_to_one_customer(self, shop):
        await shop.sell(shop.isbn("basket_first"))
        reply = await shop.sell(shop.isbn("basket_second"), customer_id="c-2")
        assert (400, "invalid_transaction_id") == reply.said

    @pytest.mark.parametrize(
        ("changes", "word"),
        [
            ({"customer_id": "a b"}, "invalid_customer_id"),
            ({"transaction_id": "a/b"}, "invalid_transaction_id"),
            ({"sale_state": "maybe"}, "invalid_sale_state"),
        ],
    )
    async def test_identifiers_are_plain(self, shop, changes, word):
        assert (400, word) == (await shop.sell(shop.isbn("on_sale"), **changes)).said

    async def test_a_test_sale_is_answered_and_not_kept(self, shop):
        isbn = shop.isbn("on_sale")
        assert (201, "created") == (await shop.sell(isbn, sale_state="test")).said
        assert [] == await shop.ledger()
        assert (201, "created") == (await shop.sell(isbn)).said

    async def test_parameters_come_in_query_form_or_json_and_the_query_wins(self, shop):
        isbn = shop.isbn("on_sale")
        address = f"{shop.organisation}/publications/{isbn}/sales"
        right = {**shop.parameters(isbn, "CA/CAD"), "customer_id": "c-1"}
        sent = [
            {"params": {**right, "transaction_id": "query"}},
            {"data": {**right, "transaction_id": "form"}},
            {"json": {**right, "cost": int(right["cost"]), "transaction_id": "json"}},
            {"params": {"transaction_id": "won"}, "data": {**right, "transaction_id": "lost"}},
        ]
        for request in sent:
            assert (201, "created") == (await shop.call("POST", address, **request)).said
        assert ["query", "form", "json", "won"] == [row["reference"] for row in await shop.ledger()]

    async def test_before_its_release_a_title_cannot_be_sold_and_from_that_instant_it_can(self, shop):
        for scenario in ("new_preorder_timed", "old_preorder_timed"):
            isbn = shop.isbn(scenario)
            await shop.edit({"isbn": isbn, "release_at": {"in_seconds": 3600}})
            shop.clock.advance(3599)
            assert (400, "cannot_sell") == (await shop.sell(isbn)).said, scenario
            shop.clock.advance(1)
            assert (201, "created") == (await shop.sell(isbn, transaction_id=scenario.replace("_", "-"))).said

    async def test_a_dead_clock_refuses_for_a_while_after_the_start(self, shop):
        isbn, other = shop.isbn("new_preorder"), shop.isbn("new_preorder_timed")
        await shop.edit(*({"isbn": name, "release_at": {"in_seconds": 10}} for name in (isbn, other)))
        await shop.break_things(settings={"dead_clock": {isbn: 20, "*": 5}})
        found = []
        for _ in range(4):
            shop.clock.advance(8)
            found.append(((await shop.simulate(isbn)).word, (await shop.simulate(other)).word))
        assert [
            ("cannot_sell", "cannot_sell"),
            ("cannot_sell", "valid"),
            ("cannot_sell", "valid"),
            ("valid", "valid"),
        ] == found

    async def test_a_changed_price_is_refused_read_again_and_valid(self, shop):
        isbn = shop.isbn("on_sale")
        stale = shop.parameters(isbn, "CA/CAD")["cost"]
        await shop.edit({"isbn": isbn, "market": "CA/CAD", "price": "3.50"})
        assert (400, "invalid_sale_parameters") == (await shop.simulate(isbn, cost=stale)).said
        assert "<PriceAmount>3.50</PriceAmount>" in (await shop.get(f"/publications/{isbn}.onix")).word
        assert (200, "valid") == (await shop.simulate(isbn, cost="350")).said


class TestLookUp:
    """Section 4.3."""

    async def test_a_declared_sale_is_found_and_another_is_not(self, shop):
        isbn = shop.isbn("on_sale")
        sold = orjson.loads((await shop.sell(isbn, output="json")).body)
        path = f"/publications/{isbn}/sales/t-1"
        found = await shop.get(path, format="epub", customer_id="c-1")
        assert 200 == found.status
        assert {name: sold[name] for name in ("status_document_url", "access_token")} == orjson.loads(found.body)
        for wrong in ({"format": "pdf"}, {"customer_id": "c-2"}):
            asked = {"format": "epub", "customer_id": "c-1", **wrong}
            assert (404, "not_found") == (await shop.get(path, **asked)).said
        elsewhere = await shop.get(f"/publications/{isbn}/sales/t-2", format="epub", customer_id="c-1")
        assert (404, "not_found") == elsewhere.said
        assert (400, "missing_format") == (await shop.get(path, customer_id="c-1")).said

    async def test_the_word_new_is_the_simulation(self, shop):
        assert (400, "missing_format") == (await shop.get(f"/publications/{shop.isbn('on_sale')}/sales/new")).said


class TestRefund:
    """Section 4.4."""

    async def test_a_sale_is_refunded_once_for_its_whole_cost(self, shop):
        isbn = shop.isbn("on_sale")
        await shop.sell(isbn)
        cost = shop.parameters(isbn, "CA/CAD")["cost"]
        assert (400, "cost_mismatch") == (await shop.refund(isbn, str(int(cost) - 1))).said
        refunded = await shop.refund(isbn, cost)
        assert 200 == refunded.status
        assert (400, "already_refunded") == (await shop.refund(isbn, cost)).said
        sale, refund = await shop.ledger()
        assert ("sale", "refund") == (sale["kind"], refund["kind"])
        assert refunded.word == refund["response"] != ""
        kept = ("reference", "customer_id", "isbn", "format", "amount", "currency", "country")
        assert [sale[key] for key in kept] == [refund[key] for key in kept]

    async def test_not_without_the_right_to(self, shop):
        isbn = shop.isbn("on_sale")
        await shop.sell(isbn)
        shop.headers = bearer(shop.stub.users[1])
        assert (401, "") == (await shop.refund(isbn, shop.parameters(isbn, "CA/CAD")["cost"])).said
        assert ["sale"] == [row["kind"] for row in await shop.ledger()]

    async def test_nothing_that_was_not_sold(self, shop):
        assert (404, "") == (await shop.refund(shop.isbn("on_sale"), "100")).said

    @pytest.mark.parametrize("name", ["customer_id", "transaction_id", "amount"])
    async def test_missing_parameters_have_words(self, shop, name):
        parameters = {**BUYER, "amount": "1"}
        del parameters[name]
        reply = await shop.post(f"/publications/{shop.isbn('on_sale')}/sales/cancel", **parameters)
        assert (400, f"missing_{name}") == reply.said

    async def test_not_once_the_file_has_left(self, shop):
        isbn = shop.isbn("on_sale")
        await shop.sell(isbn)
        link = await shop.download(isbn)
        assert ("incomplete", "true") == await shop.status(isbn)
        await shop.fetch(link)
        assert ("complete", "false") == await shop.status(isbn)
        reply = await shop.refund(isbn, shop.parameters(isbn, "CA/CAD")["cost"])
        assert (400, "refund_unauthorized") == reply.said

    async def test_a_refunded_sale_is_still_a_duplicate_and_has_no_download(self, shop):
        isbn = shop.isbn("on_sale")
        await shop.sell(isbn)
        link = await shop.download(isbn)
        await shop.refund(isbn, shop.parameters(isbn, "CA/CAD")["cost"])
        assert (401, "duplicate") == (await shop.sell(isbn)).said
        assert (404, "not_found") == (await shop.download(isbn)).said
        assert 410 == (await shop.fetch(link)).status


class TestPreorder:
    """Section 4.5."""

    @pytest.mark.parametrize("scenario", ["new_preorder", "new_preorder_without_start", "old_preorder"])
    async def test_it_is_announced_once_however_often_it_is_sent(self, shop, scenario):
        isbn = shop.isbn(scenario)
        for _ in range(3):
            assert (200, "created") == (await shop.preorder(isbn)).said
        (row,) = await shop.ledger()
        assert ("preorder", isbn, "epub", "c-1", None) == tuple(
            row[key] for key in ("kind", "isbn", "format", "customer_id", "amount")
        )
        assert LEDGER_KEYS == set(row)

    @pytest.mark.parametrize(
        "scenario",
        ["on_sale", "announced", "old_announced", "inactive_with_preorder_dates", "legacy_unavailable", "old_not_yet"],
    )
    async def test_what_is_in_no_preorder_period_cannot_be(self, shop, scenario):
        assert (400, "cannot_preorder") == (await shop.preorder(shop.isbn(scenario))).said
        assert [] == await shop.ledger()

    async def test_one_market_in_its_period_is_enough(self, shop):
        assert (200, "created") == (await shop.preorder(shop.isbn("later_market_date"))).said

    async def test_a_repeat_after_the_release_is_still_created(self, shop):
        isbn = shop.isbn("new_preorder")
        await shop.preorder(isbn)
        shop.clock.advance(30 * 86400)
        assert (200, "created") == (await shop.preorder(isbn)).said
        assert (400, "cannot_preorder") == (await shop.preorder(isbn, customer_id="c-2")).said

    async def test_it_may_name_the_internal_key(self, shop):
        isbn = shop.isbn("new_preorder")
        record = await shop.get(f"/publications/{isbn}.onix")
        key = record.word.partition("<RecordReference>")[2].partition("-")[0]
        assert (200, "created") == (await shop.preorder(key)).said
        assert (200, "created") == (await shop.preorder(isbn)).said
        assert [isbn] == [row["isbn"] for row in await shop.ledger()]

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"for": ""}, (400, "missing_for")),
            ({"for": "pdf"}, (400, "invalid_format")),
            ({"for": "audio"}, (400, "invalid_format")),
            ({"customer_id": ""}, (400, "missing_customer_id")),
            ({"customer_id": "a b"}, (400, "invalid_customer_id")),
        ],
    )
    async def test_parameters(self, shop, changes, said):
        assert said == (await shop.preorder(shop.isbn("new_preorder"), **changes)).said

    async def test_an_unknown_publication(self, shop):
        assert (404, "not_found") == (await shop.preorder("9782070612758")).said


class TestDownload:
    """Sections 4.6, 4.7 and 5.2."""

    async def test_a_link_lives_a_minute_and_another_can_be_had(self, shop):
        isbn = shop.isbn("on_sale")
        await shop.sell(isbn)
        link = await shop.download(isbn)
        assert link.word.startswith(shop.sandbox.url)
        shop.clock.advance(59)
        assert 200 == (await shop.fetch(link)).status
        shop.clock.advance(1)
        assert 410 == (await shop.fetch(link)).status
        fresh = await shop.download(isbn)
        assert fresh.word != link.word
        assert b"Anne Lectrice" in (await shop.fetch(fresh)).body

    async def test_a_link_that_was_tampered_with_is_forbidden(self, shop):
        isbn = shop.isbn("on_sale")
        await shop.sell(isbn)
        link = (await shop.download(isbn)).word
        assert 403 == (await shop.call("GET", link.replace("c-1", "c-2"))).status
        assert 403 == (await shop.call("GET", link[:-1] + ("0" if link[-1] != "0" else "1"))).status

    async def test_no_sale_no_name_no_link(self, shop):
        isbn = shop.isbn("on_sale")
        assert (404, "not_found") == (await shop.download(isbn)).said
        await shop.sell(isbn)
        assert (400, "missing_uname") == (await shop.download(isbn, uname="")).said

    async def test_adobe_is_incomplete_and_yet_not_refundable_once_its_acsm_has_left(self, shop):
        isbn = shop.isbn("on_sale_adobe")
        await shop.sell(isbn)
        await shop.fetch(await shop.download(isbn))
        assert ("incomplete", "false") == await shop.status(isbn)

    async def test_the_same_sale_can_switch_from_adobe_to_lcp_and_back(self, shop):
        isbn = shop.isbn("adobe_and_lcp")
        await shop.sell(isbn, protection="acs4")
        locks: list[dict[str, str]] = [{}, {"lcp_passphrase": "mot"}, {"protection": "drm", "drm_type": "acs"}]
        files = [await shop.fetch(await shop.download(isbn, **lock)) for lock in locks]
        assert ["acsm", "lcpl", "acsm"] == [file.word.partition(" ")[0] for file in files]
        assert ("complete", "false") == await shop.status(isbn)

    async def test_a_lock_the_title_does_not_have_is_refused(self, shop):
        isbn = shop.isbn("on_sale_adobe")
        await shop.sell(isbn)
        assert (400, "invalid_protection") == (await shop.download(isbn, lcp_passphrase="mot")).said

    async def test_the_state_of_no_sale_is_not_found(self, shop):
        path = f"/customers/c-1/transactions/t-1/publications/{shop.isbn('on_sale')}/formats/epub/status"
        assert (404, "not_found") == (await shop.get(path)).said


class TestEveryScenario:
    """Section 12.1: the truth that rows tell is what the counter does."""

    async def test_simulation_agrees_with_the_state_of_every_row(self, shop):
        words = {"FOR_SALE": "valid", "UNPRICED": "invalid_sale_parameters"}
        checked = set()
        for isbn in dict.fromkeys(shop.stub.scenarios.values()):
            for row in shop.rows(isbn):
                if shop.stub._shelf.find(isbn).kind == "library":
                    continue
                reply = await shop.simulate(isbn, row["market"])
                assert words.get(row["state"], "cannot_sell") == reply.word, row
                checked.add(row["state"])
        assert {
            "FOR_SALE",
            "PREORDER",
            "ANNOUNCED",
            "NOT_YET",
            "UNAVAILABLE",
            "WITHDRAWN",
            "OUT_OF_TERRITORY",
            "UNPRICED",
            "REMOVED",
        } == checked
