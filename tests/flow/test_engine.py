"""The engine as a whole: rates and pauses, settings that change, a process that dies, and what the change log tells."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from syncengine.delivery.spend import SpendGuard
from syncengine.domain.delivery import EntryState, Limit
from syncengine.domain.ids import Format, Isbn, SourceName, TitleKey
from syncengine.domain.order import OrderState, Reason
from syncengine.domain.passes import PassMode
from syncengine.errors import SourceUnreachable, StoreLocked, UsageInvalid
from syncengine.ports import Urgency
from tests.flow.engine import MARKETS, SOURCE, Setup, Shop, opened_shop

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
            await shop.pass_time(timedelta(hours=5))
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
        await shop.pass_time(timedelta(hours=5))
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
        shop.engine.intakes[other.source] = Unreachable()
        async with shop.store.transaction(Urgency.COMMAND) as tx:
            await tx.controls.ask_refresh([other, key])
        assert await shop.engine.refresh_due() is False
        async with shop.store.transaction(Urgency.COMMAND) as tx:
            assert [other] == await tx.controls.refreshes()
        assert 1 == len(shop.calls("publication"))


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
