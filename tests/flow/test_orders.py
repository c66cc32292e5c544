"""Orders from their receipt to their end, with the engine's own loops, the real store and the real stub; time is moved.

What the distributor's ledger holds is what counts: the register alone could be wrong in good faith.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from syncengine.domain.ids import SourceName, escape_identifier
from syncengine.domain.order import OrderState, Reason
from syncengine.domain.passes import PassMode
from syncengine.errors import SourceUnreachable, TransitionInvalid, UsageInvalid
from syncengine.ports import Urgency
from syncengine.settings import OrderSettings
from tests.flow.engine import FEEDS, Setup, Shop, opened_shop

S = OrderState
VALID = ("simulate", 200, "valid")
CREATED = ("sale", 201, "created")
DECLARED = ("preorder", 200, "created")
SECOND = timedelta(seconds=1)
CONFIRMED_AFTER = 7 * SECOND
"""Longer than the first wait before a call of unknown outcome is looked up."""


@pytest.fixture
async def shop(tmp_path, catalogue):
    async with opened_shop(tmp_path, catalogue) as shop:
        yield shop


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory):
    """Where the first shop leaves its store for the others."""
    return tmp_path_factory.mktemp("catalogue")


class TestOnSale:
    async def test_a_title_on_sale_is_sold_at_once_after_one_simulation(self, shop):
        isbn = shop.isbn("on_sale")
        order = await shop.buy(isbn, first_name="Zoé", last_name="Roy")
        assert order.state is S.PLACED
        assert [VALID, CREATED] == shop.said()
        [row] = shop.ledger("sale")
        assert (row.reference, row.customer_id) == (order.reference, "C1")
        assert (row.isbn, row.format, row.country, row.currency) == (isbn, "epub", "CA", "CAD")
        assert (Decimal(row.amount), row.price_type, row.protection) == (shop.price(isbn), "02", "watermark")
        assert "uname=Zoé Roy" in shop.calls("sale")[0].query

    async def test_one_simulation_serves_all_orders_for_a_quarter_of_an_hour(self, shop):
        isbn = shop.isbn("on_sale")
        ids = await shop.orders(12, isbn)
        await shop.settle()
        assert {"PLACED"} == await shop.states(ids)
        assert (1, 12) == (len(shop.calls("simulate")), len(shop.calls("sale")))
        await shop.pass_time(timedelta(minutes=13))
        ids.append((await shop.buy(isbn)).order_id)
        assert 1 == len(shop.calls("simulate"))
        await shop.pass_time(timedelta(minutes=3))
        ids.append((await shop.buy(isbn)).order_id)
        assert 2 == len(shop.calls("simulate"))
        assert sorted(ids) == sorted(shop.sold())

    async def test_every_market_and_protection_is_asked_for_itself(self, shop):
        markets = ["CA/CAD", "US/USD", "FR/EUR"]
        for market in markets:
            await shop.orders(2, shop.isbn("on_sale"), market=market)
        for protection in ("acs4", "drm:lcp"):
            await shop.orders(2, shop.isbn("adobe_and_lcp"), protection=protection)
        await shop.settle()
        assert (5, 10) == (len(shop.calls("simulate")), len(shop.calls("sale")))
        rows = shop.ledger("sale")
        assert sorted(2 * markets) == sorted(f"{r.country}/{r.currency}" for r in rows if r.protection == "watermark")
        assert ["acs4", "acs4", "drm+lcp", "drm+lcp"] == sorted(
            r.protection for r in rows if r.protection != "watermark"
        )

    @pytest.mark.parametrize(
        ("scenario", "market", "amount", "price_type"),
        [
            ("free", "CA/CAD", "0.00", "02"),
            ("net_price_ca", "CA/CAD", "18.95", "01"),
            ("net_price_us", "US/USD", "18.95", "41"),
            ("net_price_fr", "FR/EUR", "18.95", "03"),
        ],
    )
    async def test_the_distributor_is_told_its_own_amount(self, shop, scenario, market, amount, price_type):
        await shop.buy(shop.isbn(scenario), market=market, agreed_price=str(shop.price(shop.isbn(scenario), market)))
        [row] = shop.ledger("sale")
        assert (amount, price_type) == (row.amount, row.price_type)


class TestPreorder:
    @pytest.mark.parametrize("scenario", ["new_preorder", "new_preorder_timed", "new_preorder_without_start"])
    async def test_is_declared_and_sold_at_its_release_by_time_alone(self, shop, scenario):
        isbn = shop.isbn(scenario)
        ids = await shop.orders(3, isbn)
        await shop.settle()
        assert {"WAITING"} == await shop.states(ids)
        assert [DECLARED] * 3 == shop.said()
        reads = len(shop.calls(*FEEDS))
        await shop.pass_time_to(shop.release(isbn) - 2 * SECOND)
        assert [DECLARED] * 3 == shop.said()
        await shop.pass_time(2 * SECOND)
        assert {"PLACED"} == await shop.states(ids)
        assert [VALID, CREATED, CREATED, CREATED] == shop.said()[3:]
        assert reads == len(shop.calls(*FEEDS))
        assert ids == sorted(shop.sold())
        assert ["RECEIVED", "DECLARING", "WAITING", "PLACING", "PLACED"] == await shop.path(ids[2])

    @pytest.mark.parametrize(("scenario", "form", "declared"), [("pdf_watermark", "pdf", 1), ("audio", "audio", 0)])
    async def test_is_declared_for_the_formats_that_can_be(self, shop, scenario, form, declared):
        isbn = shop.isbn(scenario)
        shop.edit(isbn, release_at={"in_seconds": 86400}, state="PREORDER")
        await shop.resync()
        order = await shop.buy(isbn, format=form)
        assert order.state is S.WAITING
        assert declared == len(shop.ledger("preorder")) == len(shop.calls("preorder"))
        await shop.pass_time_to(shop.release(isbn))
        assert (await shop.read(order.order_id)).state is S.PLACED
        assert [form] == [row.format for row in shop.ledger("sale")]

    async def test_an_announced_title_is_declared_when_its_preorder_period_opens_and_sold_at_its_release(self, shop):
        isbn = shop.isbn("announced")
        order = await shop.buy(isbn)
        assert order.state is S.WAITING
        assert [] == shop.said()
        reads = len(shop.calls(*FEEDS))
        await shop.pass_time(timedelta(days=19))
        assert [] == shop.said()
        await shop.pass_time(timedelta(days=1))
        assert [DECLARED] == shop.said()
        await shop.pass_time_to(shop.release(isbn))
        assert [DECLARED, VALID, CREATED] == shop.said()
        assert (await shop.read(order.order_id)).state is S.PLACED
        assert reads == len(shop.calls(*FEEDS))

    async def test_the_customer_id_of_the_declaration_is_replayed_at_the_sale(self, shop):
        isbn, odd = shop.isbn("new_preorder"), "Zoë/Å b"
        await shop.buy(isbn, customer_id=odd)
        await shop.pass_time_to(shop.release(isbn))
        [preorder], [sale] = shop.ledger("preorder"), shop.ledger("sale")
        assert escape_identifier(odd) == preorder.customer_id == sale.customer_id

    async def test_a_declaration_that_was_taken_back_unsent_is_made_when_the_period_opens_again(self, shop):
        isbn = shop.isbn("new_preorder")
        await shop.answer("pause", name="demarque")
        order = await shop.buy(isbn)
        assert order.state is S.DECLARING
        for state, follows in (("UNAVAILABLE", S.WAITING), ("PREORDER", S.DECLARING)):
            shop.edit(isbn, market="CA/CAD", state=state)
            await shop.resync(PassMode.DELTA)
            assert (await shop.read(order.order_id)).state is follows
        await shop.answer("resume", name="demarque")
        assert (await shop.settled(order.order_id)).note == "declared"
        assert 1 == len(shop.ledger("preorder")) == len(shop.calls("preorder"))

    async def test_a_declaration_that_is_refused_is_only_noted(self, shop):
        isbn = shop.isbn("new_preorder")
        shop.edit(isbn, state="ANNOUNCED", preorder_at={"in_seconds": 7 * 86400})
        order = await shop.buy(isbn)
        assert (S.WAITING, "not declared: cannot_preorder") == (order.state, order.note)
        await shop.pass_time_to(shop.release(isbn))
        assert [order.order_id] == shop.sold()
        assert [] == shop.ledger("preorder")

    async def test_a_declaration_that_is_to_be_repeated_does_not_hold_up_the_sale(self, shop):
        isbn = shop.isbn("new_preorder")
        shop.break_things(preorder={"error_before": True})
        shop.clock.advance_to(shop.release(isbn) - 150 * SECOND)
        order_id = (await shop.buy(isbn)).order_id
        for wait in (7, 20, 60):
            await shop.pass_time(wait * SECOND)
        assert 4 == len(shop.calls("preorder"))
        assert (await shop.read(order_id)).state is S.DECLARING
        await shop.pass_time_to(shop.release(isbn))
        assert (await shop.read(order_id)).state is S.PLACED
        assert [order_id] == shop.sold()
        await shop.pass_time(timedelta(days=1))
        assert 4 == len(shop.calls("preorder"))

    async def test_a_declaration_that_fails_over_the_release_is_not_repeated(self, shop):
        isbn = shop.isbn("new_preorder")
        shop.break_things(preorder={"delay_before": {"seconds": 60}, "error_before": True})
        shop.clock.advance_to(shop.release(isbn) - 30 * SECOND)
        order_id = await shop.order(isbn)
        await shop.wait_until(lambda: _has_fired(shop, "preorder", "delay_before"))
        shop.clock.advance(31 * SECOND)
        await shop.wait_until(lambda: _is_decided(shop))
        shop.clock.advance(30 * SECOND)
        assert (await shop.settled(order_id)).state is S.PLACED
        assert [("preorder", 500, ""), VALID, CREATED] == shop.said()

    async def test_a_declaration_that_failed_for_good_does_not_hold_up_the_sale_either(self, shop):
        isbn = shop.isbn("new_preorder")
        shop.break_things(preorder={"error_before": True})
        order = await shop.buy(isbn)
        await _use_up_tries(shop)
        given_up = await shop.read(order.order_id)
        assert given_up.state is S.WAITING
        assert given_up.note.startswith("not declared: ")
        assert [] == (await shop.answer("parked_list")).document["entries"]
        await shop.pass_time_to(shop.release(isbn))
        assert (await shop.read(order.order_id)).state is S.PLACED
        assert order.order_id in shop.sold()

    async def test_a_declaration_in_flight_at_the_release_is_waited_for(self, shop):
        isbn = shop.isbn("new_preorder")
        shop.break_things(preorder={"delay_after": {"seconds": 60}})
        shop.clock.advance_to(shop.release(isbn) - 30 * SECOND)
        order_id = await shop.order(isbn)
        await shop.wait_until(lambda: _has_fired(shop, "preorder", "delay_after"))
        shop.clock.advance(31 * SECOND)
        await shop.wait_until(lambda: _is_decided(shop))
        assert (await shop.read(order_id)).state is S.DECLARING
        shop.clock.advance(30 * SECOND)
        assert (await shop.settled(order_id)).state is S.PLACED
        assert [DECLARED, VALID, CREATED] == shop.said()

    async def test_a_declaration_whose_answer_was_lost_is_repeated_and_counts_once(self, shop):
        shop.break_things(preorder={"error_after": 1})
        order = await shop.buy(shop.isbn("new_preorder"))
        assert order.state is S.DECLARING
        await shop.pass_time(CONFIRMED_AFTER)
        assert (S.WAITING, "declared") == await _state_and_note(shop, order.order_id)
        first, second = shop.calls("preorder")
        assert (first.path, first.query) == (second.path, second.query)
        assert 1 == len(shop.ledger("preorder"))

    async def test_in_the_old_convention_the_next_feed_releases_it(self, shop):
        isbn = shop.isbn("old_preorder")
        order = await shop.buy(isbn)
        assert [DECLARED] == shop.said()
        await shop.pass_time_to(shop.release(isbn) + timedelta(hours=1))
        assert (await shop.read(order.order_id)).state is S.WAITING
        assert [DECLARED] == shop.said()
        await shop.resync(PassMode.DELTA)
        assert (await shop.read(order.order_id)).state is S.PLACED
        assert [order.order_id] == shop.sold()

    async def test_every_market_has_a_release_of_its_own(self, shop):
        isbn = shop.isbn("later_market_date")
        early = await shop.buy(isbn)
        late = await shop.buy(isbn, market="FR/EUR")
        assert (S.PLACED, S.WAITING) == (early.state, late.state)
        await shop.pass_time_to(shop.release(isbn, "FR/EUR"))
        assert [early.order_id, late.order_id] == shop.sold()

    async def test_a_release_that_passes_while_nothing_runs_is_made_up_for(self, shop):
        isbn = shop.isbn("new_preorder")
        ids = await shop.orders(3, isbn)
        await shop.settle()
        await shop.close()
        shop.clock.advance_to(shop.release(isbn) + timedelta(days=3))
        await shop.open()
        await shop.work()
        await shop.settle()
        assert ids == sorted(shop.sold())

    async def test_a_clock_that_is_set_back_over_the_release_sells_nothing_twice(self, shop):
        isbn = shop.isbn("new_preorder")
        ids = await shop.orders(3, isbn)
        await shop.settle()
        await shop.pass_time_to(shop.release(isbn))
        shop.clock.step(-timedelta(hours=1))
        await shop.pass_time(timedelta(hours=2))
        assert ids == sorted(shop.sold())
        assert {"PLACED"} == await shop.states(ids)


class TestReleaseNight:
    """The distributor's clock is late: it says cannot_sell after the announced instant."""

    async def test_one_probe_at_a_time_asks_until_it_sells_and_then_all_are_sold(self, shop):
        isbn = shop.isbn("new_preorder")
        ids = await shop.orders(25, isbn)
        await shop.settle()
        shop.break_things(settings={"dead_clock": {isbn: 90}})
        await shop.pass_time_to(shop.release(isbn))
        probes = 1
        for wait in (5, 15, 60, 300):
            assert probes == len(shop.calls("simulate"))
            assert {"WAITING"} == await shop.states(ids)
            await shop.pass_time(wait / 2 * SECOND)
            assert probes == len(shop.calls("simulate"))
            await shop.pass_time(wait / 2 * SECOND)
            probes += 1
        assert ["cannot_sell"] * 4 + ["valid"] == [row.word for row in shop.calls("simulate")]
        assert {"PLACED"} == await shop.states(ids)
        assert {201} == {row.status for row in shop.calls("sale")}
        assert sorted(ids) == sorted(shop.sold())
        assert [] == shop.calls("publication")

    async def test_an_order_that_comes_meanwhile_waits_with_the_others(self, shop):
        isbn = shop.isbn("new_preorder")
        first = await shop.buy(isbn)
        shop.break_things(settings={"dead_clock": {"*": 15}})
        await shop.pass_time_to(shop.release(isbn))
        second = await shop.buy(isbn)
        assert second.state is S.WAITING
        assert 1 == len(shop.calls("simulate"))
        await shop.pass_time(5 * SECOND)
        await shop.pass_time(15 * SECOND)
        assert [first.order_id, second.order_id] == sorted(shop.sold())

    async def test_sales_that_are_refused_close_the_gate_and_nobody_comes_to_a_person(self, tmp_path, catalogue):
        """The simulation said yes: no more are refused than were on their way."""
        setup = Setup(concurrency=2)
        async with opened_shop(tmp_path, catalogue, setup) as shop:
            isbn = shop.isbn("new_preorder")
            early = await shop.buy(isbn)
            await shop.pass_time_to(shop.release(isbn))
            assert [early.order_id] == shop.sold()
            shop.break_things(settings={"dead_clock": {isbn: 120}})
            ids = await shop.orders(20, isbn)
            await shop.settle()
            assert {"WAITING"} == await shop.states(ids)
            refused = [row for row in shop.calls("sale") if row.word == "cannot_sell"]
            assert 1 <= len(refused) <= setup.concurrency
            for wait in (5, 15, 60, 300):
                await shop.pass_time(wait * SECOND)
            assert {"PLACED"} == await shop.states(ids)
            assert 21 == len(set(shop.sold())) == len(shop.sold())

    async def test_after_the_grace_the_title_is_read_twice_more_and_then_a_person_decides(self, tmp_path, catalogue):
        grace = OrderSettings(release_grace=timedelta(hours=1))
        async with opened_shop(tmp_path, catalogue, Setup(orders=grace)) as shop:
            isbn = shop.isbn("new_preorder")
            ids = await shop.orders(5, isbn)
            await shop.settle()
            shop.break_things(settings={"dead_clock": {isbn: 86400}})
            await shop.pass_time_to(shop.release(isbn))
            for _ in range(14):
                await shop.pass_time(timedelta(minutes=5))
            assert {"ATTENTION"} == await shop.states(ids)
            order = await shop.read(ids[0])
            assert (Reason.FACTS_DISPUTED, "cannot_sell") == (order.reason, order.note)
            assert 1 <= len(shop.calls("publication")) <= 2
            assert [] == shop.calls("sale")
            asked = len(shop.calls("simulate"))
            await shop.pass_time(timedelta(hours=2))
            assert asked == len(shop.calls("simulate"))
            await shop.pass_time(timedelta(days=1))
            await shop.answer("orders_resolve", title=isbn, retry=True)
            await shop.settle()
            assert sorted(ids) == sorted(shop.sold())


class TestDisputedFacts:
    """The distributor refuses price or availability: its single publication is read again, and trade decides anew."""

    async def test_a_price_that_fell_unheard_is_read_again_and_charged(self, shop):
        isbn = shop.isbn("on_sale")
        shop.edit(isbn, market="CA/CAD", price="24.99")
        order = await shop.buy(isbn)
        assert order.state is S.PLACED
        assert Decimal("29.99") == order.agreed_price
        assert [("simulate", 400, "invalid_sale_parameters"), VALID, CREATED] == shop.said()
        assert 1 == len(shop.calls("publication"))
        assert ["24.99"] == [row.amount for row in shop.ledger("sale")]

    async def test_a_price_that_rose_unheard_waits_for_a_person(self, shop):
        isbn = shop.isbn("on_sale")
        shop.edit(isbn, market="CA/CAD", price="34.99")
        order = await shop.buy(isbn)
        assert (S.ATTENTION, Reason.PRICE_ABOVE_AGREED) == (order.state, order.reason)
        assert "29.99" in order.note
        assert "34.99" in order.note
        assert [] == shop.calls("sale")
        await _resolve(shop, order.order_id, retry=True)
        assert (await shop.read(order.order_id)).reason is Reason.PRICE_ABOVE_AGREED
        await _resolve(shop, order.order_id, accept_price="34.98")
        assert (await shop.read(order.order_id)).reason is Reason.PRICE_ABOVE_AGREED
        assert [] == shop.ledger("sale")
        await _resolve(shop, order.order_id, accept_price="34.99")
        assert (await shop.read(order.order_id)).state is S.PLACED
        assert ["34.99"] == [row.amount for row in shop.ledger("sale")]

    @pytest.mark.parametrize(("price", "state"), [("24.99", S.PLACED), ("34.99", S.ATTENTION)])
    async def test_a_price_that_moves_after_the_simulation_is_found_out_by_the_sale(self, shop, price, state):
        isbn = shop.isbn("on_sale")
        await shop.buy(isbn)
        shop.edit(isbn, market="CA/CAD", price=price)
        ids = await shop.orders(5, isbn)
        await shop.settle()
        assert {state.value} == await shop.states(ids)
        assert 1 == len(shop.calls("publication"))
        assert ([price] * 5 if state is S.PLACED else []) == [row.amount for row in shop.ledger("sale")[1:]]

    async def test_what_the_distributor_refuses_though_its_feed_says_otherwise_waits_for_a_person(self, shop):
        isbn = shop.isbn("on_sale")
        shop.break_things(settings={"dead_clock": {isbn: 10**9}})
        order = await shop.buy(isbn)
        assert (S.ATTENTION, Reason.FACTS_DISPUTED, "cannot_sell") == (order.state, order.reason, order.note)
        assert 1 <= len(shop.calls("publication")) <= 2
        shop.mend()
        await _resolve(shop, order.order_id, retry=True)
        assert [order.order_id] == shop.sold()

    async def test_a_title_that_cannot_be_read_again_is_waited_for(self, shop):
        isbn = shop.isbn("on_sale")
        shop.edit(isbn, market="CA/CAD", price="24.99")
        shop.break_things(publication={"error_before": True})
        order_id = await shop.order(isbn)
        for tries in range(1, 5):
            await shop.wait_until(lambda tries=tries: len(shop.calls("publication")) == tries)
            shop.clock.advance(26 * SECOND)
        await shop.settle()
        assert (await shop.read(order_id)).state is S.WAITING
        shop.mend()
        await shop.pass_time(31 * SECOND)
        assert ["24.99"] == [row.amount for row in shop.ledger("sale")]

    @pytest.mark.parametrize(
        ("way", "state", "sales"),
        [
            ({"placed": "by phone"}, S.PLACED, 0),
            ({"cancel": True}, S.CANCELLED, 0),
            ({"accept_price": "40"}, S.PLACED, 3),
        ],
    )
    async def test_a_person_decides_all_orders_of_a_title_at_once(self, shop, way, state, sales):
        isbn, other = shop.isbn("on_sale"), shop.isbn("basket_first")
        ids = await shop.orders(3, isbn, agreed_price="1.00")
        left = await shop.buy(other, agreed_price="1.00")
        assert {"ATTENTION"} == await shop.states(ids)
        await shop.answer("orders_resolve", title=isbn, **way)
        await shop.settle()
        assert {state.value} == await shop.states(ids)
        assert (await shop.read(left.order_id)).state is S.ATTENTION
        assert sales == len(shop.ledger("sale"))


class TestWithdrawn:
    @pytest.mark.parametrize(
        ("edit", "reason"),
        [
            ({"state": "WITHDRAWN", "market": "CA/CAD"}, Reason.WITHDRAWN),
            ({"state": "WITHDRAWN", "market": "CA/CAD", "block": "gone"}, Reason.WITHDRAWN),
            ({"state": "REMOVED"}, Reason.REMOVED),
        ],
    )
    async def test_before_its_release_sends_those_who_wait_to_a_person(self, shop, edit, reason):
        isbn = shop.isbn("new_preorder")
        order = await shop.buy(isbn)
        release = shop.release(isbn)
        shop.edit(isbn, **edit)
        await shop.resync(PassMode.DELTA)
        found = await shop.read(order.order_id)
        assert (S.ATTENTION, reason) == (found.state, found.reason)
        await shop.pass_time_to(release)
        assert [] == shop.ledger("sale")

    @pytest.mark.parametrize(
        ("edit", "state"),
        [
            ({"state": "WITHDRAWN"}, S.ATTENTION),
            ({"state": "REMOVED"}, S.ATTENTION),
            ({"market": "CA/CAD", "state": "UNAVAILABLE"}, S.WAITING),
            ({"release_at": {"in_seconds": 9 * 86400}}, S.DECLARING),
        ],
    )
    async def test_a_sale_that_was_not_sent_yet_is_taken_back(self, shop, edit, state):
        isbn = shop.isbn("basket_first")
        await shop.buy(isbn)
        await shop.answer("pause", name="demarque")
        order = await shop.buy(isbn)
        assert order.state is S.PLACING
        shop.edit(isbn, **edit)
        await shop.resync(PassMode.DELTA)
        assert (await shop.read(order.order_id)).state is state
        assert [] == [entry for entry in await shop.owed(order.order_id) if entry.operation.kind.value == "sale"]
        await shop.answer("resume", name="demarque")
        await shop.settle()
        assert 1 == len(shop.calls("sale"))

    async def test_a_sale_that_was_not_sent_yet_follows_the_price(self, shop):
        isbn = shop.isbn("on_sale")
        await shop.buy(isbn)
        await shop.answer("pause", name="demarque")
        order = await shop.buy(isbn)
        shop.edit(isbn, market="CA/CAD", price="24.99")
        await shop.resync(PassMode.DELTA)
        await shop.answer("resume", name="demarque")
        await shop.settle()
        assert (await shop.read(order.order_id)).state is S.PLACED
        assert ["29.99", "24.99"] == [row.amount for row in shop.ledger("sale")]
        assert {201} == {row.status for row in shop.calls("sale")}


class TestPriceRules:
    @pytest.mark.parametrize(
        ("rule", "agreed", "then", "reason"),
        [
            ("not_above_agreed", "19.99", "19.99", None),
            ("not_above_agreed", "25.00", "19.99", None),
            ("not_above_agreed", "19.99", "18.99", None),
            ("not_above_agreed", "19.99", "20.99", Reason.PRICE_ABOVE_AGREED),
            ("exact", "19.99", "19.99", None),
            ("exact", "19.99", "18.99", Reason.PRICE_DIFFERS),
            ("exact", "19.99", "20.99", Reason.PRICE_DIFFERS),
            ("current", "19.99", "99.99", None),
            ("not_above_agreed", "", "19.99", None),
            ("not_above_agreed", "", "18.99", None),
            ("not_above_agreed", "", "20.99", Reason.PRICE_ABOVE_AGREED),
        ],
    )
    async def test_what_is_agreed_is_held_against_the_price_at_the_release(self, shop, rule, agreed, then, reason):
        """Where no price was agreed, that of the day of the order is."""
        isbn = shop.isbn("new_preorder")
        assert Decimal("19.99") == shop.price(isbn)
        order = await shop.buy(isbn, price_rule=rule, agreed_price=agreed)
        shop.edit(isbn, market="CA/CAD", price=then)
        await shop.resync(PassMode.DELTA)
        assert (await shop.read(order.order_id)).state is S.WAITING
        await shop.pass_time_to(shop.release(isbn))
        found = await shop.read(order.order_id)
        assert (reason, S.ATTENTION if reason else S.PLACED) == (found.reason, found.state)
        assert ([] if reason else [then]) == [row.amount for row in shop.ledger("sale")]

    async def test_a_price_that_changes_by_time_alone_is_charged_as_it_then_is(self, shop):
        isbn = shop.isbn("price_switch_timed")
        before = shop.price(isbn)
        await shop.buy(isbn)
        await shop.pass_time(timedelta(days=11))
        after = await shop.buy(isbn)
        assert (S.PLACED, before + 2) == (after.state, shop.price(isbn))
        assert [before, before + 2] == [Decimal(row.amount) for row in shop.ledger("sale")]
        assert [200, 200] == [row.status for row in shop.calls("simulate")]

    @pytest.mark.parametrize(("agreed", "state"), [("19.90", S.PLACED), ("19.89", S.ATTENTION)])
    async def test_what_was_agreed_includes_the_tax(self, shop, agreed, state):
        order = await shop.buy(shop.isbn("net_price_ca"), agreed_price=agreed)
        assert order.state is state


class TestPaymentOnRelease:
    async def test_the_order_stops_with_the_exact_amount_until_exactly_that_is_confirmed(self, shop):
        isbn = shop.isbn("new_preorder")
        order = await shop.buy(isbn, payment="on_release")
        with pytest.raises(TransitionInvalid):
            await shop.answer("orders_confirm", order_ids=[order.order_id])
        await shop.pass_time_to(shop.release(isbn))
        asked = await shop.read(order.order_id)
        assert (S.PAYABLE, Decimal("19.99")) == (asked.state, asked.payable)
        assert [] == shop.calls("sale")
        for wrong in ("19.98", "20.00", "0"):
            with pytest.raises(UsageInvalid, match=r"19\.99"):
                await shop.answer("orders_confirm", order_ids=[order.order_id], amount=wrong)
        await shop.pass_time(timedelta(hours=5))
        assert [] == shop.calls("sale")
        await shop.answer("orders_confirm", order_ids=[order.order_id], amount="19.99")
        assert (await shop.settled(order.order_id)).state is S.PLACED
        assert ["19.99"] == [row.amount for row in shop.ledger("sale")]

    async def test_the_amount_includes_the_tax_and_the_sale_names_the_net_price(self, shop):
        order = await shop.buy(shop.isbn("net_price_ca"), payment="on_release")
        assert (S.PAYABLE, Decimal("19.90")) == (order.state, order.payable)
        await shop.answer("orders_confirm", order_ids=[order.order_id], amount="19.90")
        await shop.settle()
        assert ["18.95"] == [row.amount for row in shop.ledger("sale")]

    async def test_a_net_price_whose_tax_nobody_knows_is_never_asked_for(self, shop):
        isbn = shop.isbn("basket_first")
        shop.edit(isbn, market="CA/CAD", price="20.00", price_type="01")
        await shop.resync(PassMode.DELTA)
        order = await shop.buy(isbn, payment="on_release")
        assert (S.ATTENTION, Reason.AMOUNT_NOT_CONVERTIBLE) == (order.state, order.reason)
        await shop.restart(Setup(tax_rates={"CA": Decimal(5)}))
        await _resolve(shop, order.order_id, retry=True)
        asked = await shop.read(order.order_id)
        assert (S.PAYABLE, Decimal("21.00")) == (asked.state, asked.payable)

    async def test_a_price_that_moves_meanwhile_is_asked_for_anew(self, shop):
        isbn = shop.isbn("on_sale")
        order = await shop.buy(isbn, payment="on_release", price_rule="current")
        for price in ("24.99", "34.99"):
            shop.edit(isbn, market="CA/CAD", price=price)
            await shop.resync(PassMode.DELTA)
            moved = await shop.read(order.order_id)
            assert (S.PAYABLE, Decimal(price)) == (moved.state, moved.payable)
        with pytest.raises(UsageInvalid):
            await shop.answer("orders_confirm", order_ids=[order.order_id], amount="29.99")
        await shop.answer("orders_confirm", order_ids=[order.order_id], amount="34.99")
        await shop.settle()
        assert ["34.99"] == [row.amount for row in shop.ledger("sale")]

    async def test_a_title_that_goes_meanwhile_takes_the_request_back(self, shop):
        isbn = shop.isbn("on_sale")
        order = await shop.buy(isbn, payment="on_release")
        shop.edit(isbn, market="CA/CAD", state="UNAVAILABLE")
        await shop.resync(PassMode.DELTA)
        assert (await shop.read(order.order_id)).state is S.WAITING
        with pytest.raises(TransitionInvalid):
            await shop.answer("orders_confirm", order_ids=[order.order_id])


class TestCancel:
    @pytest.mark.parametrize(
        ("scenario", "fields", "state"),
        [
            ("new_preorder", {}, S.WAITING),
            ("announced", {}, S.WAITING),
            ("on_sale", {"payment": "on_release"}, S.PAYABLE),
        ],
    )
    async def test_where_nothing_is_owed_it_takes_effect_at_once(self, shop, scenario, fields, state):
        isbn = shop.isbn(scenario)
        order = await shop.buy(isbn, **fields)
        assert order.state is state
        await _cancel(shop, order.order_id)
        assert (await shop.read(order.order_id)).state is S.CANCELLED
        await shop.pass_time(timedelta(days=70))
        assert [] == shop.ledger("sale")
        with pytest.raises(TransitionInvalid):
            await _cancel(shop, order.order_id)

    async def test_before_the_first_pass_it_takes_effect_at_once(self, tmp_path):
        async with opened_shop(tmp_path, None) as shop:
            order = await shop.buy(shop.isbn("on_sale"))
            assert order.state is S.RECEIVED
            await _cancel(shop, order.order_id)
            await shop.resync()
            assert (await shop.read(order.order_id)).state is S.CANCELLED
            assert [] == shop.said()

    @pytest.mark.parametrize(("scenario", "state"), [("on_sale", S.PLACING), ("new_preorder", S.DECLARING)])
    async def test_what_was_not_sent_yet_is_taken_back(self, shop, scenario, state):
        isbn = shop.isbn(scenario)
        if state is S.PLACING:
            await shop.buy(isbn)
        await shop.answer("pause", name="demarque")
        order = await shop.buy(isbn)
        assert order.state is state
        said = shop.said()
        await _cancel(shop, order.order_id)
        assert (await shop.read(order.order_id)).state is S.CANCELLED
        await shop.answer("resume", name="demarque")
        await shop.settle()
        assert said == shop.said()

    async def test_that_meets_a_sale_in_flight_is_honoured_by_a_refund_after_it(self, shop):
        shop.break_things(sale={"delay_before": {"seconds": 40}})
        order_id = await shop.order(shop.isbn("on_sale"))
        await shop.wait_until(lambda: _has_fired(shop, "sale", "delay_before"))
        for _ in range(2):
            await _cancel(shop, order_id)
        assert (S.PLACING, True) == ((await shop.read(order_id)).state, (await shop.read(order_id)).cancel_requested)
        shop.clock.advance(41 * SECOND)
        order = await shop.settled(order_id)
        assert order.state is S.REFUNDED
        assert ["RECEIVED", "WAITING", "PLACING", "PLACED", "REFUNDING", "REFUNDED"] == await shop.path(order_id)
        assert [order.reference] == [row.reference for row in shop.ledger("sale")]
        assert [order.reference] == [row.reference for row in shop.ledger("refund")]
        assert order.receipt == shop.ledger("refund")[0].response

    async def test_that_meets_a_sale_which_is_refused_is_honoured_at_once(self, shop):
        """There is nothing for a person to decide: the customer wants nothing, and got nothing."""
        isbn = shop.isbn("on_sale")
        await shop.buy(isbn)
        shop.edit(isbn, protection=["03"])
        shop.break_things(sale={"delay_before": {"seconds": 40}})
        order_id = await shop.order(isbn)
        await shop.wait_until(lambda: _has_fired(shop, "sale", "delay_before"))
        await _cancel(shop, order_id)
        shop.clock.advance(41 * SECOND)
        assert (await shop.settled(order_id)).state is S.CANCELLED
        assert ("sale", 400, "invalid_protection") == shop.said()[-1]

    async def test_that_meets_a_sale_which_the_rate_refuses_is_honoured_at_once(self, shop):
        shop.break_things(sale={"delay_before": {"seconds": 40}, "throttle": True})
        order_id = await shop.order(shop.isbn("on_sale"))
        await shop.wait_until(lambda: _has_fired(shop, "sale", "delay_before"))
        await _cancel(shop, order_id)
        shop.clock.advance(41 * SECOND)
        assert (await shop.settled(order_id)).state is S.CANCELLED
        shop.mend()
        await shop.pass_time(timedelta(hours=2))
        assert [("simulate", 200, "valid"), ("sale", 429, "")] == shop.said()

    async def test_that_meets_a_sale_of_unknown_outcome_waits_for_the_answer(self, shop):
        shop.break_things(sale={"error_after": 1})
        order = await shop.buy(shop.isbn("on_sale"))
        assert order.state is S.PLACING
        await _cancel(shop, order.order_id)
        assert (await shop.read(order.order_id)).state is S.PLACING
        await shop.pass_time(CONFIRMED_AFTER)
        assert (await shop.read(order.order_id)).state is S.REFUNDED
        assert (1, 1) == (len(shop.ledger("sale")), len(shop.ledger("refund")))

    async def test_a_declaration_of_unknown_outcome_does_not_hold_it_up(self, shop):
        shop.break_things(preorder={"error_before": True})
        order = await shop.buy(shop.isbn("new_preorder"))
        assert order.state is S.DECLARING
        await _cancel(shop, order.order_id)
        assert (await shop.read(order.order_id)).state is S.CANCELLED
        await shop.pass_time(timedelta(days=1))
        assert 1 == len(shop.calls("preorder"))

    async def test_of_what_is_sold_says_that_it_takes_a_refund(self, shop):
        order = await shop.buy(shop.isbn("on_sale"))
        with pytest.raises(UsageInvalid) as caught:
            await _cancel(shop, order.order_id)
        assert f"orders refund {order.order_id}" == caught.value.hint
        assert [] == shop.ledger("refund")

    async def test_of_several_orders_stops_at_the_first_that_cannot_be_but_those_before_are_cancelled(self, shop):
        isbn = shop.isbn("on_sale")
        sold = await shop.buy(isbn)
        await shop.answer("pause", name="demarque")
        waiting = await shop.buy(isbn)
        with pytest.raises(UsageInvalid, match=sold.order_id):
            await _cancel(shop, waiting.order_id, sold.order_id)
        assert (await shop.read(waiting.order_id)).state is S.CANCELLED


class TestRefund:
    async def test_is_accepted_once(self, shop):
        order = await shop.buy(shop.isbn("on_sale"))
        await shop.answer("orders_refund", order_ids=[order.order_id], reason="bought twice")
        refunded = await shop.settled(order.order_id)
        [row] = shop.ledger("refund")
        assert (S.REFUNDED, row.response) == (refunded.state, refunded.receipt)
        assert (order.reference, "29.99") == (row.reference, row.amount)
        assert "reason=bought twice" in shop.calls("refund")[0].query
        with pytest.raises(TransitionInvalid):
            await shop.answer("orders_refund", order_ids=[order.order_id])
        assert 1 == len(shop.calls("refund"))

    async def test_is_refused_once_the_file_was_fetched(self, shop):
        order = await shop.buy(shop.isbn("on_sale"))
        link = (await shop.answer("orders_link", order_id=order.order_id)).document["url"]
        await shop.get(link)
        await shop.answer("orders_refund", order_ids=[order.order_id])
        kept = await shop.settled(order.order_id)
        assert (S.PLACED, Reason.REFUND_REFUSED, "refund_unauthorized") == (kept.state, kept.reason, kept.note)
        assert [] == shop.ledger("refund")
        assert 1 == len(shop.calls("refund"))

    @pytest.mark.parametrize("fault", ["error_after", "drop_after"])
    async def test_whose_answer_was_lost_is_asked_for_again_and_counts_once(self, shop, fault):
        order = await shop.buy(shop.isbn("on_sale"))
        shop.break_things(refund={fault: 1})
        await shop.answer("orders_refund", order_ids=[order.order_id])
        assert (await shop.settled(order.order_id)).state is S.REFUNDING
        await shop.pass_time(CONFIRMED_AFTER)
        assert (S.REFUNDED, "already_refunded") == await _state_and_note(shop, order.order_id)
        assert 1 == len(shop.ledger("refund"))

    async def test_by_a_user_without_the_right_is_refused_and_sales_go_on(self, tmp_path, catalogue):
        """The 401 without a word tells a bad login and a missing right not apart; sales show that the login is good."""
        async with opened_shop(tmp_path, catalogue) as shop:
            await shop.restart(Setup(token=shop.users[1].token))
            order = await shop.buy(shop.isbn("on_sale"))
            await shop.answer("orders_refund", order_ids=[order.order_id])
            kept = await shop.settled(order.order_id)
            assert ("refund", 401, "") == shop.said()[-1]
            assert (S.PLACED, Reason.REFUND_REFUSED) == (kept.state, kept.reason)
            assert "no right" in kept.note
            assert {} == await shop.paused()
            assert (await shop.buy(shop.isbn("on_sale"))).state is S.PLACED

    async def test_a_refund_that_waits_can_not_become_a_cancelled_order(self, shop):
        """It was sold: to say that it was given up before would be wrong."""
        order = await shop.buy(shop.isbn("on_sale"))
        shop.break_things(refund={"error_before": True})
        await shop.answer("orders_refund", order_ids=[order.order_id])
        await _use_up_tries(shop)
        parked = await shop.read(order.order_id)
        assert (S.ATTENTION, Reason.OUTCOME_UNKNOWN) == (parked.state, parked.reason)
        with pytest.raises(UsageInvalid):
            await _resolve(shop, order.order_id, cancel=True)
        shop.mend()
        await _resolve(shop, order.order_id, retry=True)
        assert (await shop.read(order.order_id)).state is S.REFUNDED
        assert 1 == len(shop.ledger("refund"))

    async def test_that_is_in_doubt_can_not_be_dropped_without_its_order(self, shop):
        """Forgotten, it would leave a sold order that could be sold again."""
        order = await shop.buy(shop.isbn("on_sale"))
        shop.break_things(refund={"error_after": True})
        await shop.answer("orders_refund", order_ids=[order.order_id])
        await _use_up_tries(shop)
        [entry] = (await shop.answer("parked_list")).document["entries"]
        with pytest.raises(UsageInvalid, match=f"belongs to order {order.order_id}") as refused:
            await shop.answer("parked_drop", id=str(entry["id"]))
        assert f"orders resolve {order.order_id} --retry" in refused.value.hint
        assert [entry] == (await shop.answer("parked_list")).document["entries"]
        shop.mend()
        before = len(shop.sold())
        await _resolve(shop, order.order_id, retry=True)
        assert (await shop.read(order.order_id)).state is S.REFUNDED
        assert (1, before) == (len(shop.ledger("refund")), len(shop.sold()))


class TestUnknownOutcome:
    @pytest.mark.parametrize("fault", ["error_after", "drop_after", "garbage", "torn"])
    async def test_a_sale_that_was_recorded_is_found_and_not_made_again(self, shop, fault):
        shop.break_things(sale={fault: 1})
        order = await shop.buy(shop.isbn("on_sale"))
        assert order.state is S.PLACING
        await shop.pass_time(CONFIRMED_AFTER)
        assert (S.PLACED, "found") == await _state_and_note(shop, order.order_id)
        assert ["simulate", "sale", "lookup"] == [endpoint for endpoint, _, _ in shop.said()]
        assert [order.order_id] == shop.sold()

    async def test_a_sale_without_an_answer_in_time_is_found(self, tmp_path, catalogue):
        async with opened_shop(tmp_path, catalogue, Setup(call_seconds=0.25)) as shop:
            shop.break_things(sale={"delay_after": {"seconds": 60, "count": 1}})
            order = await shop.buy(shop.isbn("on_sale"))
            assert order.state is S.PLACING
            await shop.pass_time(CONFIRMED_AFTER)
            assert (S.PLACED, "found") == await _state_and_note(shop, order.order_id)
            shop.clock.advance(60 * SECOND)
            await shop.wait_until(lambda: len(shop.calls("sale")) == 1)
            assert [order.order_id] == shop.sold()

    @pytest.mark.parametrize("fault", ["error_before", "drop_before", "unavailable", "login_page"])
    async def test_a_sale_that_was_not_recorded_is_made_with_the_same_bytes(self, shop, fault):
        shop.break_things(sale={fault: 1})
        order = await shop.buy(shop.isbn("on_sale"), first_name="Zoé")
        assert order.state is S.PLACING
        await shop.pass_time(CONFIRMED_AFTER)
        assert (S.PLACED, "created") == await _state_and_note(shop, order.order_id)
        assert [("lookup", 404, "not_found"), CREATED] == shop.said()[-2:]
        first, second = shop.calls("sale")
        assert (first.path, first.query) == (second.path, second.query)
        assert [order.order_id] == shop.sold()

    async def test_the_same_bytes_go_out_though_the_title_has_become_cheaper(self, shop):
        """What was frozen is repeated; the distributor then disputes it, and only that leads to another price."""
        isbn = shop.isbn("on_sale")
        shop.break_things(sale={"error_before": 1})
        order = await shop.buy(isbn)
        shop.edit(isbn, market="CA/CAD", price="24.99")
        await shop.resync(PassMode.DELTA)
        assert (await shop.read(order.order_id)).state is S.PLACING
        await shop.pass_time(CONFIRMED_AFTER)
        first, second, third = shop.calls("sale")
        assert first.query == second.query != third.query
        assert ["24.99"] == [row.amount for row in shop.ledger("sale")]

    async def test_a_duplicate_is_believed_of_a_request_that_was_sent_before(self, shop):
        """The first request arrives late, between the look-up and the second."""
        shop.break_things(sale={"drop_before": 1}, lookup={"delay_after": {"seconds": 30}})
        order = await shop.buy(shop.isbn("on_sale"))
        shop.clock.advance(CONFIRMED_AFTER)
        await shop.wait_until(lambda: _has_fired(shop, "lookup", "delay_after"))
        [late] = shop.calls("sale")
        assert (201, "created") == await shop.post(f"{late.path}?{late.query}")
        shop.clock.advance(31 * SECOND)
        await shop.settle()
        assert ("sale", 401, "duplicate") == shop.said()[-1]
        assert (S.PLACED, "duplicate") == await _state_and_note(shop, order.order_id)
        assert [order.order_id] == shop.sold()

    async def test_a_duplicate_of_a_first_request_goes_to_a_person(self, shop):
        """Somebody else has used the reference, as a store copied to another machine would."""
        isbn = shop.isbn("on_sale")
        example = await shop.buy(isbn)
        [row] = shop.calls("sale")
        taken = f"{row.path}?{row.query}".replace("O1", "O2").replace("customer_id=C1", "customer_id=C2")
        assert (201, "created") == await shop.post(taken)
        order = await shop.buy(isbn)
        assert example.order_id == "O1"
        assert (S.ATTENTION, Reason.DUPLICATE_DIFFERS) == (order.state, order.reason)
        assert ["simulate", "sale", "sale", "sale", "lookup"] == [endpoint for endpoint, _, _ in shop.said()]
        assert ["O1", "O2"] == shop.sold()
        await _resolve(shop, order.order_id, placed="it is ours after all")
        assert (S.PLACED, "it is ours after all") == (
            (await shop.read(order.order_id)).state,
            (await shop.read(order.order_id)).receipt,
        )
        assert ["O1", "O2"] == shop.sold()

    async def test_a_reference_of_another_customer_goes_to_a_person(self, shop):
        isbn = shop.isbn("on_sale")
        await shop.buy(isbn)
        [row] = shop.calls("sale")
        assert (201, "created") == await shop.post(f"{row.path}?{row.query}".replace("O1", "O2"))
        order = await shop.buy(isbn)
        assert (S.ATTENTION, Reason.REJECTED) == (order.state, order.reason)
        assert "invalid_transaction_id" in order.note

    async def test_a_sale_that_can_never_be_looked_up_is_parked_and_taken_up_by_a_person(self, shop):
        shop.break_things(sale={"error_after": 1}, lookup={"error_before": True})
        order = await shop.buy(shop.isbn("on_sale"))
        await _use_up_tries(shop)
        found = await shop.read(order.order_id)
        assert (S.ATTENTION, Reason.OUTCOME_UNKNOWN) == (found.state, found.reason)
        [entry] = (await shop.answer("parked_list")).document["entries"]
        assert order.order_id == entry["order_id"]
        with pytest.raises(UsageInvalid):
            await _resolve(shop, order.order_id, accept_price="99.00")
        shop.mend()
        await shop.answer("parked_retry", id=str(entry["id"]))
        assert (S.PLACED, "found") == await _settled_state_and_note(shop, order.order_id)
        assert 1 == shop.sold().count(order.order_id)
        assert 1 == len([row for row in shop.calls("sale") if shop.isbn("on_sale") in row.path])

    async def test_nothing_is_lost_or_doubled_where_every_second_call_goes_wrong(self, shop):
        isbn = shop.isbn("on_sale")
        odd = {"probability": 0.25}
        shop.break_things(
            simulate={"error_before": odd},
            sale={"error_before": odd, "drop_after": odd, "error_after": odd, "throttle": {"probability": 0.1}},
            lookup={"error_before": odd, "drop_before": odd},
        )
        ids = await shop.orders(30, isbn)
        for step in range(40):
            shop.clock.advance(timedelta(minutes=1 + step))
            await asyncio.sleep(0.01)
        shop.mend()
        for _ in range(8):
            await shop.pass_time(timedelta(hours=5))
        assert {"PLACED"} == await shop.states(ids)
        assert sorted(ids) == sorted(shop.sold())
        assert len(shop.calls("sale")) > 30


class TestRefused:
    @pytest.mark.parametrize(
        ("scenario", "fields", "reason", "says"),
        [
            ("on_sale", {"isbn": "9780000000002"}, Reason.UNKNOWN_TITLE, ""),
            ("on_sale", {"format": "mobi"}, Reason.UNKNOWN_TITLE, ""),
            ("on_sale", {"market": "JP/JPY"}, Reason.OUT_OF_TERRITORY, "not in territory"),
            ("withdrawn_ca_cad_only", {"market": "CA/USD"}, Reason.OUT_OF_TERRITORY, "CA/USD is not among the markets"),
            ("on_sale", {"protection": "acs4"}, Reason.PROTECTION_NOT_OFFERED, "watermark"),
            ("withdrawn_in_ca", {}, Reason.WITHDRAWN, ""),
            ("withdrawn_everywhere", {}, Reason.WITHDRAWN, ""),
            ("out_of_territory_us", {"market": "US/USD"}, Reason.OUT_OF_TERRITORY, ""),
            ("unpriced", {}, Reason.UNPRICED, ""),
            ("legacy_unavailable", {}, Reason.UNAVAILABLE, ""),
            ("library", {}, Reason.UNAVAILABLE, ""),
        ],
    )
    async def test_what_cannot_be_sold_is_refused_with_the_reason(self, shop, scenario, fields, reason, says):
        order = await shop.buy(**{"isbn": shop.isbn(scenario), **fields})
        assert (S.REFUSED, reason) == (order.state, order.reason)
        assert says in order.note
        assert [] == shop.said()

    async def test_nothing_is_decided_before_the_first_pass_has_come_to_its_end(self, tmp_path):
        async with opened_shop(tmp_path, None) as shop:
            unknown = await shop.buy("9780000000002")
            known = await shop.buy(shop.isbn("on_sale"), format="")
            assert (S.RECEIVED, S.RECEIVED) == (unknown.state, known.state)
            shop.break_things(full={"error_before": {"skip": 1}}, settings={"page_size": 20})
            with pytest.raises(SourceUnreachable):
                await shop.while_time_passes(shop.resync())
            assert S.RECEIVED is (await shop.settled(unknown.order_id)).state
            shop.mend()
            await shop.resync()
            refused = await shop.read(unknown.order_id)
            assert (S.REFUSED, Reason.UNKNOWN_TITLE) == (refused.state, refused.reason)
            assert [known.order_id] == shop.sold()

    async def test_an_open_format_is_the_one_that_can_be_had(self, shop):
        order = await shop.buy(shop.isbn("pdf_watermark"), format="")
        assert (S.PLACED, "pdf") == (order.state, order.key.format)
        assert ["pdf"] == [row.format for row in shop.ledger("sale")]
        library = await shop.buy(shop.isbn("library_shares_isbn"), format="")
        assert (S.PLACED, "epub") == (library.state, library.key.format)

    async def test_open_formats_share_the_simulation_of_their_title(self, shop):
        isbn = shop.isbn("on_sale")
        ids = []
        for form in ("", "", "epub", ""):
            ids += await shop.orders(3, isbn, format=form)
            await shop.settle()
        assert {"PLACED"} == await shop.states(ids)
        assert (1, 12) == (len(shop.calls("simulate")), len(shop.calls("sale")))

    async def test_open_formats_share_the_probes_of_a_release_night(self, shop):
        isbn = shop.isbn("new_preorder")
        ids = [*await shop.orders(3, isbn, format=""), *await shop.orders(3, isbn)]
        await shop.settle()
        shop.break_things(settings={"dead_clock": {isbn: 15}})
        await shop.pass_time_to(shop.release(isbn))
        ids += await shop.orders(2, isbn, format="")
        await shop.settle()
        assert {"WAITING"} == await shop.states(ids)
        assert 1 == len(shop.calls("simulate"))
        await shop.pass_time(5 * SECOND)
        await shop.pass_time(15 * SECOND)
        assert {"PLACED"} == await shop.states(ids)
        assert ["cannot_sell", "cannot_sell", "valid"] == [row.word for row in shop.calls("simulate")]
        assert sorted(ids) == sorted(shop.sold())

    async def test_an_open_format_that_may_be_two_is_refused(self, shop):
        isbn = shop.isbn("on_sale")
        shop.add_format(isbn, "pdf")
        await shop.resync(PassMode.DELTA)
        order = await shop.buy(isbn, format="")
        assert (S.REFUSED, Reason.AMBIGUOUS) == (order.state, order.reason)
        assert "epub" in order.note
        assert "pdf" in order.note
        assert [] == shop.said()

    async def test_a_plain_file_takes_no_orders(self, shop):
        order = await shop.buy(shop.isbn("on_sale"), source=SourceName("file"))
        assert (S.REFUSED, Reason.NO_CALLS) == (order.state, order.reason)


# --- parts --------------------------------------------------------------------------------------------------------------


async def _is_decided(shop: Shop) -> bool:
    """Whether no title is due."""
    async with shop.store.transaction(Urgency.COMMAND) as tx:
        next_at = await tx.titles.next_at()
    return next_at is None or next_at > shop.clock.now()


async def _use_up_tries(shop: Shop) -> None:
    """Let an entry fail as often as it may; other calls that succeed meanwhile show that the distributor is there."""
    for _ in range(14):
        await shop.pass_time(timedelta(hours=5))
        assert (await shop.buy(shop.isbn("basket_second"))).state is S.PLACED


def _has_fired(shop: Shop, endpoint: str, fault: str) -> bool:
    return shop.sandbox.faults.as_document()["demarque"][endpoint][fault].fired > 0


async def _cancel(shop: Shop, *order_ids: str) -> None:
    await shop.answer("orders_cancel", order_ids=list(order_ids))


async def _resolve(shop: Shop, *order_ids: str, **way: object) -> None:
    """Decide what waits for a person, and let everything follow."""
    await shop.answer("orders_resolve", order_ids=list(order_ids), **way)
    await shop.settle()


async def _state_and_note(shop: Shop, order_id: str) -> tuple[OrderState, str]:
    order = await shop.read(order_id)
    return order.state, order.note


async def _settled_state_and_note(shop: Shop, order_id: str) -> tuple[OrderState, str]:
    await shop.settle()
    return await _state_and_note(shop, order_id)
