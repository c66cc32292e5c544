"""The engine as a whole: rates and pauses, settings that change, a process that dies, and what the change log tells."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from adapters.files import FileSource, OnixRules
from syncengine.delivery.spend import SpendGuard
from syncengine.domain.delivery import EntryState, Limit
from syncengine.domain.ids import Format, Isbn, SourceName, TitleKey
from syncengine.domain.order import OrderState, Reason
from syncengine.domain.passes import PassMode
from syncengine.errors import SourceUnreachable, StoreLocked, UsageInvalid
from syncengine.ports import Account, DecidedTitle, Distributor, Urgency
from syncengine.service import dispatch
from syncengine.service.intake import Intake
from syncengine.settings import GuardSettings
from tests.flow.engine import MARKETS, PATIENCE_SECONDS, SOURCE, Setup, Shop, opened_shop

S = OrderState
SECOND = timedelta(seconds=1)
CANADA_ONLY = Setup(markets=MARKETS[:1])


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory):
    """Where the first shop leaves its store for the others."""
    return tmp_path_factory.mktemp("catalogue")


@pytest.fixture
async def shop(tmp_path, catalogue):
    async with opened_shop(tmp_path, catalogue) as shop:
        yield shop


class TestThrottled:
    async def test_the_rate_rests_as_long_as_it_is_told_and_nothing_is_lost(self, shop):
        isbn = shop.isbn("on_sale")
        await shop.buy(isbn)
        shop.break_things(sale={"throttle": {"count": 3, "retry_after": "120"}})
        ids = await shop.orders(10, isbn)
        await shop.wait_until(lambda: len([row for row in shop.calls("sale") if row.status == 429]) == 3)
        refused_at = shop.clock.now()
        await asyncio.sleep(0.1)
        before = len(shop.sold())
        shop.clock.advance(115 * SECOND)
        await asyncio.sleep(0.1)
        assert before == len(shop.sold())
        shop.clock.advance(10 * SECOND)
        await shop.while_time_passes(shop.settle())
        assert {"PLACED"} == await shop.states(ids)
        assert sorted(ids) == sorted(shop.sold()[1:])
        assert 14 == len(shop.calls("sale"))
        assert all(row.at >= refused_at.isoformat() for row in shop.ledger("sale")[1 + before :])

    async def test_the_rate_that_is_set_is_kept(self, tmp_path, catalogue):
        limits = {"sale": Limit(calls=5, period_seconds=60.0, burst=2)}
        async with opened_shop(tmp_path, catalogue, Setup(limits=limits)) as shop:
            ids = await shop.orders(6, shop.isbn("on_sale"))
            for sold in range(2, 6):
                await shop.wait_until(partial(_has_sold, shop, sold))
                shop.clock.advance(12 * SECOND)
                await asyncio.sleep(0.03)
                assert sold == len(shop.sold())
                shop.clock.advance(3.1 * SECOND)
            await shop.settle()
            assert sorted(ids) == sorted(shop.sold())

    async def test_a_distributor_that_is_down_for_three_days_over_a_release_loses_nothing(self, shop):
        isbn = shop.isbn("new_preorder")
        ids = await shop.orders(8, isbn)
        await shop.settle()
        shop.break_things(**{"*": {"error_before": {"status": 503}}})
        shop.clock.advance_to(shop.release(isbn))
        for _ in range(72):
            shop.clock.advance(timedelta(hours=1))
            await asyncio.sleep(0.005)
        assert {"WAITING"} == await shop.states(ids)
        shop.mend()
        await shop.while_time_passes(shop.settle())
        for _ in range(4):
            await shop.while_time_passes(shop.pass_time(timedelta(hours=5)))
        assert {"PLACED"} == await shop.states(ids)
        assert sorted(ids) == sorted(shop.sold())

    async def test_a_resync_does_not_wait_for_a_distributor_that_is_down(self, shop):
        isbn = shop.isbn("on_sale")
        await shop.buy(isbn)
        shop.break_things(sale={"drop_before": True}, lookup={"drop_before": True})
        ids = await shop.orders(20, isbn)
        for _ in range(4):
            await shop.pass_time(20 * SECOND)
        assert shop.engine.workers[SOURCE].is_resting
        assert {"PLACING"} == await shop.states(ids)
        await asyncio.wait_for(shop.engine.settle_down(), 2)
        shop.mend()
        await shop.while_time_passes(shop.settle())
        await shop.while_time_passes(shop.pass_time(timedelta(hours=5)))
        assert sorted(ids) == sorted(shop.sold()[1:])


class TestPaused:
    async def test_refused_credentials_pause_the_source_until_a_person_has_repaired_them(self, shop):
        isbn = shop.isbn("on_sale")
        await shop.buy(isbn)
        shop.break_things(sale={"access_denied": True})
        ids = await shop.orders(5, isbn)
        await shop.settle()
        assert "refuses the credentials: access_denied" in (await shop.paused())[SOURCE]
        assert {"PLACING"} == await shop.states(ids)
        tried = len(shop.calls("sale"))
        assert 2 <= tried <= 6
        await shop.pass_time(timedelta(days=2))
        assert tried == len(shop.calls("sale"))
        shop.mend()
        assert {} == (await shop.answer("resume", name=SOURCE)).document["paused"]
        await shop.settle()
        assert sorted(ids) == sorted(shop.sold()[1:])
        assert {"PLACED"} == await shop.states(ids)

    async def test_by_hand_a_source_rests_and_goes_on(self, shop):
        answer = await shop.answer("pause", name=SOURCE, reason="stocktaking")
        assert {SOURCE: "stocktaking"} == answer.document["paused"]
        order = await shop.buy(shop.isbn("on_sale"))
        await shop.pass_time(timedelta(hours=1))
        assert [] == shop.said()
        assert (await shop.read(order.order_id)).state is S.WAITING
        await shop.resync()
        await shop.answer("resume", name=SOURCE)
        await shop.settle()
        assert [order.order_id] == shop.sold()

    async def test_due_titles_are_decided_by_the_instant_of_their_turn_at_the_store(self, shop):
        """What a command writes while trade waits for the store must not lie in the future for it."""
        key = (await shop.buy(shop.isbn("on_sale"))).key
        async with shop.store.transaction(Urgency.COMMAND) as tx:
            waiting = asyncio.create_task(shop.engine.dispatch.decide_due())
            await asyncio.sleep(0)
            shop.clock.advance(SECOND)
            await tx.titles.decide([DecidedTitle(key=key, offers=None, next_at=shop.clock.now())])
        assert 1 == await waiting

    async def test_orders_that_find_the_outbox_full_wait_in_the_register_and_follow(self, shop, monkeypatch):
        """What waits there takes another price, or a cancel, at once; other titles are decided meanwhile."""
        monkeypatch.setattr(dispatch, "MOST_UNSENT", 6)
        monkeypatch.setattr(dispatch, "ORDERS_A_CHUNK", 3)
        isbn, other = shop.isbn("on_sale"), shop.isbn("on_sale_adobe")
        await shop.buy(isbn)
        await shop.buy(other)
        await shop.answer("pause", name=SOURCE)
        ids = await shop.orders(20, isbn)
        await shop.settle()
        assert 6 == await _unsent(shop)
        assert {"PLACING"} == await shop.states(ids[:6])
        assert {"WAITING"} == await shop.states(ids[6:])
        later = await shop.orders(2, other)
        await shop.answer("orders_cancel", order_ids=[ids[19]])
        await shop.settle()
        assert {"CANCELLED"} == await shop.states(ids[19:])
        await shop.answer("resume", name=SOURCE)
        await shop.settle()
        assert {"PLACED"} == await shop.states([*ids[:19], *later])
        assert sorted([*ids[:19], *later]) == sorted(shop.sold()[2:])
        assert [] == list(shop.engine.dispatch.held)

    async def test_a_new_price_reaches_orders_that_wait_for_room_before_they_are_planned(self, shop, monkeypatch):
        monkeypatch.setattr(dispatch, "MOST_UNSENT", 4)
        monkeypatch.setattr(dispatch, "ORDERS_A_CHUNK", 2)
        isbn = shop.isbn("on_sale")
        await shop.buy(isbn)
        await shop.answer("pause", name=SOURCE)
        ids = await shop.orders(10, isbn, agreed_price="99.00")
        await shop.settle()
        shop.edit(isbn, price="12.34")
        await shop.resync()
        await shop.answer("resume", name=SOURCE)
        await shop.settle()
        assert {"PLACED"} == await shop.states(ids)
        assert {"12.34"} == {row.amount for row in shop.ledger("sale")[1:]}

    async def test_an_order_that_waits_for_room_keeps_the_price_of_the_day_it_came(self, shop, monkeypatch):
        monkeypatch.setattr(dispatch, "MOST_UNSENT", 4)
        monkeypatch.setattr(dispatch, "ORDERS_A_CHUNK", 2)
        isbn = shop.isbn("on_sale")
        await shop.buy(isbn)
        await shop.answer("pause", name=SOURCE)
        ids = await shop.orders(10, isbn)
        await shop.settle()
        late = await shop.orders(5, isbn)
        await shop.settle()
        frozen = {(await shop.read(order_id)).agreed_price for order_id in [*ids, *late]}
        assert {shop.price(isbn)} == frozen
        shop.edit(isbn, price="99.99")
        await shop.resync()
        await shop.answer("resume", name=SOURCE)
        await shop.settle()
        assert {"ATTENTION"} == await shop.states([*ids, *late])
        assert 1 == len(shop.sold())

    async def test_a_source_that_nobody_knows_can_not_be_paused(self, shop):
        with pytest.raises(UsageInvalid, match="nowhere"):
            await shop.answer("pause", name="nowhere")

    @pytest.mark.parametrize(
        ("guard", "allowed"),
        [
            (SpendGuard(max_orders_per_hour=3), 3),
            (SpendGuard(max_money_per_hour={"CAD": Decimal(100)}), 3),
            (SpendGuard(max_money_per_hour={"EUR": Decimal(1)}), 8),
        ],
    )
    async def test_the_spend_guard_stops_sales_until_a_person_has_looked(self, tmp_path, catalogue, guard, allowed):
        async with opened_shop(tmp_path, catalogue, Setup(spend_guard=guard)) as shop:
            ids = await shop.orders(8, shop.isbn("on_sale"))
            await shop.settle()
            assert allowed == len(shop.sold())
            if allowed == 8:
                assert {} == await shop.paused()
                return
            assert "spend guard" in (await shop.paused())[SOURCE]
            await shop.pass_time(timedelta(hours=3))
            assert allowed == len(shop.sold())
            for _ in range(2):
                await shop.answer("resume", name=SOURCE)
                await shop.settle()
            assert sorted(ids) == sorted(shop.sold())


class TestSettings:
    @pytest.mark.parametrize(
        "other", [Setup(organisation="1278"), Setup(address="https://elsewhere.example/api")], ids=["account", "host"]
    )
    async def test_a_store_sells_through_another_account_only_once_a_person_says_so(self, shop, other):
        isbn = shop.isbn("new_preorder")
        order = await shop.buy(isbn)
        await shop.restart(other)
        reason = (await shop.paused())[SOURCE]
        assert "was bound to demarque https://stub.example/api 1277" in reason
        await shop.pass_time_to(shop.release(isbn))
        assert [] == shop.calls("simulate", "sale")
        await shop.restart(other)
        assert SOURCE in await shop.paused()
        await shop.restart()
        await shop.answer("resume", name=SOURCE)
        await shop.settle()
        assert [order.order_id] == shop.sold()

    async def test_a_market_that_is_added_marks_every_title_due(self, tmp_path):
        async with opened_shop(tmp_path, None, CANADA_ONLY) as shop:
            await shop.resync()
            isbn = shop.isbn("on_sale")
            refused = await shop.buy(isbn, market="US/USD")
            assert (S.REFUSED, Reason.OUT_OF_TERRITORY) == (refused.state, refused.reason)
            before = await _changes(shop)
            assert {"CA/CAD"} == {change["market"] for change in before if change["market"]}
            await shop.restart(Setup(markets=MARKETS[:2]))
            await shop.settle()
            added = await _changes(shop, since=before[-1]["seq"])
            assert {"US/USD"} == {change["market"] for change in added}
            assert [("offer", None, "FOR_SALE")] == [
                (field["field"], field["old"], field["new"])
                for change in added
                if change["isbn"] == isbn
                for field in change["fields"]
                if field["field"] == "offer"
            ]
            assert (await shop.buy(isbn, market="US/USD")).state is S.PLACED

    async def test_orders_in_a_market_that_is_given_up_go_to_a_person(self, shop):
        """Nothing would wake them: the market's releases are not watched any more."""
        order = await shop.buy(shop.isbn("new_preorder"), market="US/USD")
        assert order.state is S.WAITING
        await shop.restart(CANADA_ONLY)
        found = await shop.settled(order.order_id)
        assert (S.ATTENTION, Reason.OUT_OF_TERRITORY) == (found.state, found.reason)
        assert "US/USD is not among the markets" in found.note

    async def test_a_source_that_is_left_out_for_a_while_loses_none_of_its_timers(self, shop):
        """What was due while nobody could decide it is decided once it comes back."""
        isbn = shop.isbn("new_preorder")
        order = await shop.buy(isbn)
        assert order.state is S.WAITING
        await shop.restart(Setup(is_named=False))
        await shop.pass_time_to(shop.release(isbn) + SECOND)
        await shop.pass_time(timedelta(hours=1))
        assert (await shop.read(order.order_id)).state is S.WAITING
        await shop.restart()
        assert (await shop.settled(order.order_id)).state is S.PLACED
        assert [order.order_id] == shop.sold()
        later = shop.isbn("announced")
        waiting = await shop.buy(later)
        await shop.pass_time_to(shop.release(later))
        await shop.pass_time(SECOND)
        assert (await shop.read(waiting.order_id)).state is S.PLACED

    async def test_settings_that_stay_as_they_are_decide_nothing_anew(self, shop):
        before = await _changes(shop)
        await shop.close()
        await shop.open()
        async with shop.store.transaction(Urgency.COMMAND) as tx:
            assert [] == await tx.titles.due(shop.clock.now(), 10)
        await shop.work()
        assert before == await _changes(shop)

    async def test_one_store_has_one_owner(self, shop):
        second = Shop(shop.directory, shop.sandbox, shop.clock)
        with pytest.raises(StoreLocked):
            await second.open()


class TestCrash:
    """The process dies: what is on its disk at that instant is all that another one has."""

    async def test_a_sale_that_was_on_its_way_is_looked_up_first_and_not_made_again(self, shop, tmp_path):
        shop.break_things(sale={"delay_after": {"seconds": 30}})
        order_id = await shop.order(shop.isbn("on_sale"))
        await shop.wait_until(lambda: shop.sold() == [order_id])
        other = shop.crash(tmp_path / "image")
        await _end(shop, 31 * SECOND)
        shop.mend()
        await other.open()
        try:
            assert [EntryState.UNKNOWN] == [entry.state for entry in await other.owed(order_id)]
            later = await other.order(shop.isbn("on_sale"))
            before = len(other.said())
            await other.work()
            assert (await other.settled(order_id)).state is S.PLACED
            assert ("lookup", 200, "created") == other.said()[before]
            assert 1 == other.sold().count(order_id)
            assert (await other.read(later)).state is S.PLACED
        finally:
            await other.close()

    async def test_a_sale_that_had_left_and_never_arrived_is_made_with_the_same_bytes(self, shop, tmp_path):
        shop.break_things(sale={"delay_before": {"seconds": 30}, "drop_before": True})
        order_id = await shop.order(shop.isbn("on_sale"))
        await shop.wait_until(lambda: _has_fired(shop, "sale", "delay_before"))
        other = shop.crash(tmp_path / "image")
        await _end(shop, 31 * SECOND)
        shop.mend()
        await other.open()
        try:
            await other.work()
            assert (await other.settled(order_id)).state is S.PLACED
        finally:
            await other.close()
        assert [("lookup", 404, "not_found"), ("sale", 201, "created")] == shop.said()[-2:]
        first, second = shop.calls("sale")
        assert (first.path, first.query) == (second.path, second.query)
        assert [order_id] == shop.sold()

    async def test_what_was_claimed_and_not_sent_is_sent_without_asking(self, tmp_path, catalogue):
        """It waited for its turn: surely nothing has left."""
        one_a_minute = Setup(limits={"sale": Limit(calls=1, period_seconds=60.0)})
        async with opened_shop(tmp_path, catalogue, one_a_minute) as shop:
            ids = await shop.orders(3, shop.isbn("on_sale"))
            await shop.wait_until(lambda: len(shop.sold()) == 1)
            await shop.wait_until(lambda: _are_claimed(shop, 2))
            other = shop.crash(tmp_path / "image")
            await shop.close()
            await other.open()
            try:
                await other.work()
                await other.settle()
                assert {"PLACED"} == await other.states(ids)
            finally:
                await other.close()
            assert [] == shop.calls("lookup")
            assert sorted(ids) == sorted(shop.sold())
            await shop.open()
            await shop.work()

    async def test_a_declaration_and_a_refund_that_were_on_their_way_count_once(self, shop, tmp_path):
        sold = await shop.buy(shop.isbn("on_sale"))
        shop.break_things(preorder={"delay_after": {"seconds": 30}}, refund={"delay_after": {"seconds": 30}})
        declared = await shop.order(shop.isbn("new_preorder"))
        await shop.answer("orders_refund", order_ids=[sold.order_id])
        await shop.wait_until(lambda: bool(shop.ledger("refund") and shop.ledger("preorder")))
        other = shop.crash(tmp_path / "image")
        await _end(shop, 31 * SECOND)
        shop.mend()
        await other.open()
        try:
            await other.work()
            refunded = await other.settled(sold.order_id)
            assert (S.REFUNDED, "already_refunded") == (refunded.state, refunded.note)
            assert (await other.read(declared)).state is S.WAITING
        finally:
            await other.close()
        assert (1, 1) == (len(shop.ledger("refund")), len(shop.ledger("preorder")))

    async def test_orders_are_decided_though_the_first_pass_ended_while_it_was_applied(self, tmp_path, monkeypatch):
        applying, apply_staged = asyncio.Event(), Intake._apply_staged

        async def hold(intake: Intake, work: Any) -> None:
            applying.set()
            await asyncio.sleep(PATIENCE_SECONDS)

        async with opened_shop(tmp_path, None) as shop:
            order_id = await shop.order("9780000000002")
            monkeypatch.setattr(Intake, "_apply_staged", hold)
            reading = asyncio.create_task(shop.resync())
            await asyncio.wait_for(applying.wait(), PATIENCE_SECONDS)
            shop.engine.trade_bell.ring()
            await shop.settle()
            assert (await shop.read(order_id)).state is S.RECEIVED
            other = shop.crash(tmp_path / "image")
            reading.cancel()
            monkeypatch.setattr(Intake, "_apply_staged", apply_staged)
            await shop.close()
            await other.open()
            await other.work()
            try:
                await other.resync()
                found = await other.read(order_id)
                assert (S.REFUSED, Reason.UNKNOWN_TITLE) == (found.state, found.reason)
            finally:
                await other.close()
            await shop.open()

    async def test_an_engine_that_is_stopped_lets_its_calls_end(self, shop):
        shop.break_things(sale={"delay_after": {"seconds": 5}})
        order_id = await shop.order(shop.isbn("on_sale"))
        await shop.wait_until(lambda: bool(shop.sold()))
        await _end(shop, 6 * SECOND)
        await shop.open()
        assert (await shop.read(order_id)).state is S.PLACED
        await shop.work()
        await shop.settle()
        assert [] == shop.calls("lookup")


class TestSingleReads:
    async def test_a_source_that_fails_does_not_keep_another_from_being_read_again(self, shop):
        class Unreachable:
            async def refresh(self, key: TitleKey) -> None:
                raise SourceUnreachable(f"{key}: no answer")

        await shop.close()
        await shop.open()
        other = TitleKey(source=SourceName("other"), isbn=Isbn("9782764417010"), format=Format("epub"))
        key = TitleKey(source=SOURCE, isbn=shop.isbn("on_sale"), format=Format("epub"))
        shop.engine.distributors[other.source] = shop.engine.distributors[SOURCE]
        shop.engine.intakes[other.source] = Unreachable()
        async with shop.store.transaction(Urgency.COMMAND) as tx:
            await tx.controls.ask_refresh([other, key])
        assert await shop.engine.refresh_due() is False
        async with shop.store.transaction(Urgency.COMMAND) as tx:
            assert [other] == await tx.controls.refreshes()
        assert 1 == len(shop.calls("publication"))

    async def test_a_title_that_cannot_be_read_does_not_keep_those_behind_it_from_being_read_again(self, shop):
        await shop.close()
        await shop.open()
        bad, *good = [
            TitleKey(source=SOURCE, isbn=shop.isbn(name), format=Format("epub"))
            for name in ("on_sale", "basket_first", "basket_second")
        ]
        shop.break_things(publication={"login_page": {"match": bad.isbn}})
        async with shop.store.transaction(Urgency.COMMAND) as tx:
            await tx.controls.ask_refresh([bad, *good])
        assert await shop.engine.refresh_due() is False
        async with shop.store.transaction(Urgency.COMMAND) as tx:
            assert [bad] == await tx.controls.refreshes()
        shop.mend()
        assert await shop.engine.refresh_due() is True

    async def test_a_title_that_is_withdrawn_out_of_turn_stops_nothing(self, shop):
        """A guard judges passes; one that fired here would end the engine."""
        isbn = shop.isbn("on_sale")
        for market in MARKETS:
            shop.edit(isbn, market=market, state="WITHDRAWN")
        key = TitleKey(source=SOURCE, isbn=isbn, format=Format("epub"))
        shop.engine.intake(SOURCE)._guards = GuardSettings(minimum_records=1, withdrawn_percent=0.0)
        async with shop.store.transaction(Urgency.COMMAND) as tx:
            await tx.controls.ask_refresh([key])
        shop.engine.refresh_bell.ring()
        await shop.settle()
        order = await shop.buy(isbn)
        assert (S.REFUSED, Reason.WITHDRAWN) == (order.state, order.reason)


class TestResync:
    async def test_a_source_without_its_files_stops_neither_the_others_nor_delivery(self, tmp_path, catalogue):
        async with opened_shop(tmp_path, catalogue, Setup(besides=[_backlist(tmp_path)])) as shop:
            isbn = shop.isbn("new_preorder")
            order = await shop.buy(isbn)
            shop.edit(isbn, state="FOR_SALE")
            answer = await shop.answer("resync", mode="delta")
            assert 2 == answer.exit_code
            [error] = answer.document["errors"]
            assert "backlist" == error["source"]
            assert "no file matches" in error["message"]
            assert error["hint"]
            reports = {report["source"]: report for report in answer.document["passes"]}
            assert reports[SOURCE]["complete"]
            assert not reports["backlist"]["complete"]
            assert error["message"] in reports["backlist"]["warnings"]
            assert [order.order_id] == shop.sold()
            assert 1 <= answer.document["delivery"]["settled"]

    async def test_a_full_pass_that_a_guard_stopped_is_let_through_and_followed_by_another(self, shop):
        first = (await shop.answer("resync", mode="full")).document["passes"][0]
        _raise_prices(shop)
        stopped = await shop.answer("resync", mode="full")
        assert 3 == stopped.exit_code
        assert "--allow prices-moved" in stopped.document["errors"][0]["hint"]
        allowed = await shop.answer("resync", mode="full", allow=["prices-moved"])
        assert 0 == allowed.exit_code
        [report] = allowed.document["passes"]
        assert first["records"] == report["records"]
        assert report["changed"] > 20
        again = await shop.answer("resync", mode="full")
        assert 0 == again.exit_code
        assert first["records"] == again.document["passes"][0]["records"]

    async def test_a_guard_that_does_not_exist_is_refused_with_those_that_do(self, shop):
        with pytest.raises(UsageInvalid, match="price_jump") as refused:
            await shop.answer("resync", allow=["vanished", "price_jump"])
        assert 2 == refused.value.exit_code
        for name in ("vanished", "price-jump", "older-message"):
            assert name in refused.value.hint
        assert "vanished" not in str(refused.value)


class TestDryRun:
    async def test_it_decides_no_order_and_owes_no_call(self, shop):
        isbn = shop.isbn("new_preorder")
        order = await shop.buy(isbn)
        await shop.close()
        await shop.open()
        shop.clock.advance_to(shop.release(isbn) + SECOND)
        before = await _outbox(shop)
        changes = await _changes(shop)
        answer = await shop.answer("resync", dry_run=True)
        assert [True] == [report["complete"] for report in answer.document["passes"]]
        assert before == await _outbox(shop)
        assert changes == await _changes(shop)
        assert 0 == answer.document["delivery"]["pending"]
        assert (await shop.read(order.order_id)).state is S.WAITING
        await shop.work()
        assert (await shop.settled(order.order_id)).state is S.PLACED

    async def test_one_that_fails_shows_its_own_report(self, shop):
        """Not that of the last pass, which was a good one."""
        shop.break_things(delta={"access_denied": True})
        answer = await shop.answer("resync", dry_run=True, mode="delta")
        assert 4 == answer.exit_code
        [report], [error] = answer.document["passes"], answer.document["errors"]
        assert ("delta", False, 0) == (report["mode"], report["complete"], report["records"])
        assert [error["message"]] == report["warnings"]

    async def test_one_that_a_guard_stops_shows_what_it_has_read(self, shop):
        _raise_prices(shop)
        answer = await shop.answer("resync", dry_run=True, mode="full")
        assert 3 == answer.exit_code
        [report] = answer.document["passes"]
        assert ("full", False) == (report["mode"], report["complete"])
        assert report["changed"] > 20
        assert "change their price" in report["warnings"][-1]


class TestChangeLog:
    @pytest.mark.parametrize("block", ["sent", "gone"])
    async def test_a_withdrawn_market_is_told_as_a_change_of_its_offer(self, shop, block):
        isbn = shop.isbn("basket_first")
        seen = (await _changes(shop))[-1]["seq"]
        shop.edit(isbn, market="CA/CAD", state="WITHDRAWN", block=block)
        await shop.resync(PassMode.DELTA)
        told = await _changes(shop, since=seen)
        assert {isbn} == {change["isbn"] for change in told}
        assert ["changed", "offer"] == [change["kind"] for change in told]
        offer = told[1]
        assert ("CA/CAD", SOURCE, "epub") == (offer["market"], offer["source"], offer["format"])
        assert {"field": "offer", "old": "FOR_SALE", "new": "WITHDRAWN"} in offer["fields"]

    async def test_what_changes_by_time_alone_is_told_when_it_does(self, shop):
        isbn = shop.isbn("announced")
        seen = (await _changes(shop))[-1]["seq"]
        release = shop.release(isbn)
        await shop.pass_time(timedelta(days=21))
        await shop.pass_time_to(release)
        states = [
            (change["at"], field["old"], field["new"])
            for change in await _changes(shop, since=seen)
            if (change["isbn"], change["market"]) == (isbn, "CA/CAD")
            for field in change["fields"]
            if field["field"] == "offer"
        ]
        assert ["PREORDER", "FOR_SALE"] == [new for _, _, new in states]
        assert 0 <= _instant(states[1][0]) - release.timestamp() < 5

    async def test_it_goes_on_where_a_reader_left_off(self, shop):
        every = await _changes(shop)
        assert [line["seq"] for line in every] == list(range(1, len(every) + 1))
        page, read = [], 0
        while lines := (await shop.answer("changes", since=read, limit=7)).document["changes"]:
            assert len(lines) <= 7
            page += lines
            read = lines[-1]["seq"]
        assert every == page
        assert [] == await _changes(shop, since=read)
        isbn = shop.isbn("basket_first")
        before = shop.price(isbn)
        shop.edit(isbn, market="CA/CAD", price="3.33")
        await shop.resync(PassMode.DELTA)
        prices = [
            (field["old"], field["new"])
            for change in await _changes(shop, since=read)
            for field in change["fields"]
            if field["field"] == "offer_price"
        ]
        assert [(f"{before} CAD", "3.33 CAD")] == prices


# --- parts --------------------------------------------------------------------------------------------------------------


async def _changes(shop: Shop, since: int = 0) -> list[Mapping[str, Any]]:
    lines: list[Mapping[str, Any]] = (await shop.answer("changes", since=since, limit=10_000)).document["changes"]
    return lines


def _backlist(folder: Path) -> Distributor:
    """Plain files, of which there are none."""
    source = FileSource(SourceName("backlist"), [folder / "feeds" / "*.xml"])
    account = Account(kind="onix", address="files", organisation="")
    return Distributor(source=source, rules=OnixRules(markets=(), zone=ZoneInfo("UTC")), calls=None, account=account)


def _raise_prices(shop: Shop) -> None:
    """By so much, of so many titles, that a guard asks whether that can be."""
    for row in shop.sandbox.titles():
        if row.market == "CA/CAD" and row.price:
            shop.edit(row.isbn, market=row.market, price=str(Decimal(row.price) + 1))


async def _outbox(shop: Shop) -> Mapping[str, int]:
    async with shop.store.transaction(Urgency.COMMAND) as tx:
        return await tx.outbox.counts()


def _has_sold(shop: Shop, count: int) -> bool:
    return len(shop.sold()) == count


async def _are_claimed(shop: Shop, count: int) -> bool:
    async with shop.store.transaction(Urgency.COMMAND) as tx:
        return (await tx.outbox.counts())["claimed"] == count


async def _end(shop: Shop, span: timedelta) -> None:
    """Close the engine, which waits for its calls, while that much time passes."""
    closing = asyncio.create_task(shop.close())
    await asyncio.sleep(0.05)
    shop.clock.advance(span)
    await closing


def _has_fired(shop: Shop, endpoint: str, fault: str) -> bool:
    return shop.sandbox.faults.as_document()["demarque"][endpoint][fault].fired > 0


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


async def _unsent(shop: Shop) -> int:
    async with shop.store.transaction(Urgency.COMMAND) as tx:
        return await tx.outbox.count_unsent(SOURCE, 1000)
