"""A shop's dealings with CB, end to end: what each named title of the stub is decided to be, and orders from announcement to proof."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from syncengine.domain.offer import OfferState
from syncengine.domain.order import OrderState, Reason
from syncengine.ports import Urgency
from tests.flow.cb_shop import CbShop, opened_cb_shop
from tests.values import replace

SCENARIOS = {
    "row1_deleted": ("cb.5.row1", OfferState.WITHDRAWN),
    "row2_withdrawn": ("cb.5.row2", OfferState.WITHDRAWN),
    "row2_withdrawn_forthcoming": ("cb.5.row2", OfferState.WITHDRAWN),
    "row3_announced": ("cb.5.row3", OfferState.ANNOUNCED),
    "row3_announced_unpriced": ("cb.5.row3", OfferState.ANNOUNCED),
    "row4_announced_active": ("cb.5.row4", OfferState.NOT_YET),
    "row5_for_sale": ("cb.5.row5", OfferState.FOR_SALE),
    "row6_for_sale_forthcoming": ("cb.5.row6", OfferState.FOR_SALE),
    "row7_unpriced": ("cb.5.row7", OfferState.UNPRICED),
    "row7_price_over": ("cb.5.row7", OfferState.UNPRICED),
    "row8_other": ("cb.5.row8", OfferState.UNAVAILABLE),
    "row9_no_supply": ("cb.5.row9", OfferState.UNAVAILABLE),
    "step_a_other_supplier": ("cb.5.A", OfferState.FOR_SALE),
    "step_a_not_unique": ("cb.5.A", OfferState.NOT_YET),
    "supply_before_publication": ("cb.5.expected", OfferState.ANNOUNCED),
    "step1_other_currency": ("cb.5.row5", OfferState.FOR_SALE),
    "step2_net_only": ("cb.5.row5", OfferState.FOR_SALE),
    "step2_cost_beside": ("cb.5.row5", OfferState.FOR_SALE),
    "step3_over_tomorrow": ("cb.5.1.step4", OfferState.FOR_SALE),
    "step4_action_beats_open": ("cb.5.1.step4", OfferState.FOR_SALE),
    "step4_ambiguous": ("cb.5.1.step4", OfferState.UNPRICED),
    "step5_action_tomorrow": ("cb.5.row5", OfferState.FOR_SALE),
    "ebook_row1_for_sale": ("cb.9.row1", OfferState.FOR_SALE),
    "ebook_row2_not_allowed": ("cb.9.row2", OfferState.UNAVAILABLE),
    "ebook_row3_not_listed": ("cb.9.row3", OfferState.UNAVAILABLE),
    "ebook_row4_announced": ("cb.9.row4", OfferState.ANNOUNCED),
    "ebook_row5_no_agreement": ("cb.9.row5", OfferState.UNAVAILABLE),
    "ebook_withdrawn": ("cb.9.unlisted", OfferState.WITHDRAWN),
    "ebook_price_differs": ("cb.9.price", OfferState.FOR_SALE),
    "ebook_price_by_record": ("cb.9.row1", OfferState.FOR_SALE),
    "ebook_a_day_ahead": ("cb.8.4", OfferState.NOT_YET),
    "ebook_combination": ("cb.9.row1", OfferState.FOR_SALE),
    "ebook_two_eans": ("cb.9.row1", OfferState.FOR_SALE),
}
"""Each named title, the rule that says why, and what it is decided to be."""


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[CbShop]:
    """A shop that has read everything once."""
    async with opened_cb_shop(tmp_path) as shop:
        await shop.resync()
        yield shop


def month(shop: CbShop) -> date:
    """This month, by a day of it."""
    return shop.clock.now().date()


# --- what titles are ------------------------------------------------------------------------------------------------------


async def test_every_named_title_is_decided_by_its_row(shop):
    """Through feed, files and rows; prices are those of the stub's own truth."""
    found = {name: await shop.offer(shop.isbn(name)) for name in SCENARIOS if name != "row1_deleted"}
    decided = {name: offer.state for name, offer in found.items()}
    assert {name: state for name, (_, state) in SCENARIOS.items() if name in decided} == decided
    missing = {name for name, offer in found.items() if SCENARIOS[name][0] not in {rule.id for rule in offer.rules}}
    assert set() == missing
    truth = {row.isbn: row for row in shop.sandbox.titles()}
    for name, offer in found.items():
        if offer.accepts_orders:
            assert offer.price is not None
            assert (truth[offer.key.isbn].state, truth[offer.key.isbn].price) == (
                OfferState.FOR_SALE,
                str(offer.price.amount),
            ), name


async def test_all_titles_are_what_the_stub_says_they_are(shop):
    rows = [
        row
        for row in shop.sandbox.titles()
        if row.isbn not in {shop.isbn("row1_deleted"), shop.isbn("ebook_row6_no_record")}
    ]
    decided = {row.isbn: (await shop.offer(row.isbn)).state for row in rows}
    assert {row.isbn: row.state for row in rows} == decided
    assert len(decided) > 50


async def test_an_e_book_of_which_only_the_agreement_has_come_is_sold_once_its_record_has(shop):
    """Table 9, last row: until then it is no title that anybody could be shown."""
    isbn = shop.isbn("ebook_row6_no_record")
    async with shop.store.transaction(Urgency.COMMAND) as tx:
        assert [] == list(await tx.titles.find(isbn))
    shop.edit(isbn, state=OfferState.FOR_SALE)
    await shop.resync()
    assert "cb.9.row1" in {rule.id for rule in (await shop.offer(isbn)).rules}
    assert OrderState.PLACED is (await shop.buy(isbn)).state


async def test_passes_account_for_every_record_and_then_find_nothing_new(shop):
    again = {report.stream: report for report in await shop.resync()}
    assert ["luisterhuis", "agreement", "articles", "inventory"] == list(again)
    assert all(report.complete for report in again.values())
    assert [0] * 4 == [report.records for report in again.values()]


async def test_a_title_comes_out_and_is_withdrawn(shop):
    """10, 20, 40: bought while it could be, and stopped at once for who comes later."""
    isbn = shop.isbn("row3_announced")
    states = [(await shop.offer(isbn)).state]
    for state in (OfferState.FOR_SALE, OfferState.WITHDRAWN):
        shop.edit(isbn, state=state)
        await shop.resync()
        states.append((await shop.offer(isbn)).state)
        order = await shop.buy(isbn)
        assert (OrderState.PLACED if state is OfferState.FOR_SALE else OrderState.REFUSED) is order.state
    assert [OfferState.ANNOUNCED, OfferState.FOR_SALE, OfferState.WITHDRAWN] == states


async def test_an_older_agreement_that_comes_late_takes_nothing_back(shop):
    """Section 9: ordered by SentDateTime; the report tells which file was passed over."""
    isbn = shop.isbn("ebook_price_differs")
    folder = shop.sandbox.directory / "cb-outbox/agreement"
    shop.edit(isbn, price="6.49")
    await shop.resync()
    newest = max(folder.glob("*.xml"))
    older = newest.read_bytes().replace(b"<SentDateTime>20", b"<SentDateTime>19").replace(b"6.49", b"1.99")
    (folder / "dipragmtcs_7414440_01011999000000.xml").write_bytes(older)
    reports = {report.stream: report for report in await shop.resync()}
    assert Decimal("6.49") == (await shop.offer(isbn)).price.amount
    assert {"older_message": 1} == reports["agreement"].warning_kinds


async def test_a_page_that_was_cut_is_read_again_by_the_next_pass(shop):
    """What was whole is kept, the cursor is not: nothing of the list is lost."""
    isbn = shop.isbn("later_withdrawn")
    shop.edit(isbn, state=OfferState.WITHDRAWN)
    shop.break_things(feed={"cut_body": 1})
    cut = {report.stream: report for report in await shop.resync()}
    assert not cut["luisterhuis"].complete
    assert OfferState.FOR_SALE is (await shop.offer(isbn)).state
    whole = {report.stream: report for report in await shop.resync()}
    assert whole["luisterhuis"].complete
    assert OfferState.WITHDRAWN is (await shop.offer(isbn)).state


async def test_one_broken_record_keeps_no_other_from_being_read(shop):
    first, second = shop.isbn("later_withdrawn"), shop.isbn("row5_for_sale")
    for isbn in (first, second):
        shop.edit(isbn, price="4.44")
    shop.break_things(feed={"broken_record": 1})
    [feed, *_] = await shop.resync()
    assert (1, 1) == (feed.outcomes["quarantined"], feed.outcomes["changed"])
    amounts = {(await shop.offer(isbn)).price.amount for isbn in (first, second)}
    assert Decimal("4.44") in amounts
    assert 2 == len(amounts)


async def test_a_record_that_comes_twice_is_applied_once(shop):
    isbn = shop.isbn("row5_for_sale")
    shop.edit(isbn, price="4.44")
    shop.break_things(feed={"duplicate_records": True})
    [feed, *_] = await shop.resync()
    assert (1, 1) == (feed.outcomes["changed"], feed.outcomes["duplicates"])
    assert Decimal("4.44") == (await shop.offer(isbn)).price.amount


async def test_a_deleted_record_takes_its_title_away(shop):
    isbn = shop.isbn("later_withdrawn")
    shop.edit(isbn, state=OfferState.REMOVED)
    await shop.resync()
    offer = await shop.offer(isbn)
    assert (OfferState.WITHDRAWN, "cb.5.row1") == (offer.state, offer.rules[0].id)


async def test_a_title_comes_back(shop):
    isbn = shop.isbn("back_again")
    assert OfferState.WITHDRAWN is (await shop.offer(isbn)).state
    shop.edit(isbn, state=OfferState.FOR_SALE)
    await shop.resync()
    assert OfferState.FOR_SALE is (await shop.offer(isbn)).state


async def test_a_price_changes_on_its_day_without_any_message(shop):
    """Section 5.1, step 5: nothing is read between the two."""
    isbn = shop.isbn("step5_action_tomorrow")
    before = await shop.offer(isbn)
    assert before.next_change_at is not None
    await shop.pass_time_to(before.next_change_at)
    after = await shop.offer(isbn)
    assert [Decimal("9.99"), Decimal("5.99")] == [before.price.amount, after.price.amount]


async def test_an_agreement_alone_changes_price_and_leave_to_sell(shop):
    isbn = shop.isbn("ebook_price_differs")
    shop.edit(isbn, price="6.49")
    await shop.resync()
    assert Decimal("6.49") == (await shop.offer(isbn)).price.amount
    shop.edit(isbn, agreement=False)
    await shop.resync()
    assert OfferState.UNAVAILABLE is (await shop.offer(isbn)).state


# --- the inventory --------------------------------------------------------------------------------------------------------


async def test_what_goes_from_the_inventory_is_asked_about(shop):
    """Contract cb 5, pre-step B: yes sells on, no is as row 2, no answer suspends, and is asked again in the next pass."""
    yes, no, silent = (shop.isbn(f"step_b_gone_{answer}") for answer in ("yes", "no", "unanswered"))
    shop.break_things(
        inventory={"missing_titles": True}, availability={"error_before": {"match": silent, "status": 500}}
    )
    await shop.pass_time(timedelta(days=1))
    await shop.resync()
    offers = [await shop.offer(isbn) for isbn in (yes, no, silent)]
    assert [OfferState.FOR_SALE, OfferState.WITHDRAWN, OfferState.UNAVAILABLE] == [offer.state for offer in offers]
    assert [True] * 3 == ["cb.5.B" in {rule.id for rule in offer.rules} for offer in offers]
    shop.mend()
    shop.break_things(inventory={"missing_titles": True})
    await shop.resync()
    assert OfferState.FOR_SALE is (await shop.offer(silent)).state


async def test_a_title_that_is_listed_again_is_sold_again(shop):
    no = shop.isbn("step_b_gone_no")
    shop.break_things(inventory={"missing_titles": True})
    await shop.pass_time(timedelta(days=1))
    await shop.resync()
    shop.mend()
    await shop.pass_time(timedelta(days=1))
    await shop.resync()
    assert OfferState.FOR_SALE is (await shop.offer(no)).state


@pytest.mark.parametrize("with_40", [True, False])
async def test_a_title_vanishes_with_and_without_a_40_before(shop, with_40):
    isbn = shop.isbn("vanishes")
    if with_40:
        shop.edit(isbn, state=OfferState.WITHDRAWN)
        await shop.resync()
        assert OfferState.WITHDRAWN is (await shop.offer(isbn)).state
    shop.edit(isbn, state=OfferState.WITHDRAWN, block="gone")
    await shop.pass_time(timedelta(days=1))
    await shop.resync()
    assert OfferState.WITHDRAWN is (await shop.offer(isbn)).state


# --- orders ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("passes", [True, False], ids=["after its day", "before its day"])
@pytest.mark.parametrize("scenario", ["row3_announced", "row4_announced_active", "ebook_row4_announced"])
async def test_orders_for_an_announced_title_are_held_and_placed_when_it_is_out(shop, scenario, passes):
    """Nothing goes to CB before 20, and no date changes that; then every order is placed once, and the ledger has them all."""
    isbn = shop.isbn(scenario)
    orders = await shop.orders(5, isbn)
    await shop.settle()
    assert {"WAITING"} == await shop.states(orders)
    await shop.pass_time(timedelta(days=60 if passes else 1))
    await shop.resync()
    assert {"WAITING"} == await shop.states(orders)
    assert [] == shop.sales()

    shop.edit(isbn, state=OfferState.ANNOUNCED, release_at={"in_seconds": 60})
    await shop.resync()
    assert {"WAITING"} == await shop.states(orders)
    await shop.pass_time(timedelta(seconds=90))
    shop.sandbox.titles()
    await shop.resync()

    assert {"PLACED"} == await shop.states(orders)
    references = {(await shop.read(order)).reference: order for order in orders}
    assert sorted(references) == sorted(row.reference for row in shop.sales())
    assert {(isbn, shop.title(isbn).format)} == {(row.isbn, row.format) for row in shop.sales()}
    proofs_kept = {(await shop.read(order)).receipt for order in orders}
    assert {row.response for row in shop.sales()} == proofs_kept


async def test_an_announced_title_may_be_withdrawn_and_stops_what_waits(shop):
    isbn = shop.isbn("row3_announced")
    order = await shop.order(isbn)
    await shop.settle()
    shop.edit(isbn, state=OfferState.WITHDRAWN)
    await shop.resync()
    stopped = await shop.settled(order)
    assert (OrderState.ATTENTION, Reason.WITHDRAWN) == (stopped.state, stopped.reason)
    assert [] == shop.sales()


async def test_a_moved_publication_date_is_told_and_moves_no_sale(shop):
    isbn = shop.isbn("moved_publication")
    order = await shop.order(isbn)
    before = (await shop.offer(isbn)).starts_at
    title = shop.title(isbn)
    shop.cb.shelf.put(replace(title, published=title.published + timedelta(days=20), modified_at=shop.clock.now()))
    await shop.resync()
    assert timedelta(days=19) < (await shop.offer(isbn)).starts_at - before < timedelta(days=21)
    assert OrderState.WAITING is (await shop.settled(order)).state


async def test_a_title_withdrawn_between_check_and_order_stops_at_once(shop):
    """The check says yes, the order is refused, the title is asked about again, and a person gets the order."""
    isbn = shop.isbn("row5_for_sale")
    shop.break_things(order={"withdrawn_now": True})
    order = await shop.buy(isbn)
    assert (OrderState.ATTENTION, Reason.FACTS_DISPUTED) == (order.state, order.reason)
    assert [] == shop.sales()


@pytest.mark.parametrize("fault", ["drop_after", "error_after", "garbage", "torn"])
async def test_an_audiobook_whose_answer_is_lost_is_parked_and_the_settlement_shows_it(shop, fault):
    """Never sent again: the proof is looked for in the month's settlement, and a person says that it is placed."""
    isbn = shop.isbn("row5_for_sale")
    shop.break_things(order={fault: 1})
    order = await shop.buy(isbn)
    assert (OrderState.ATTENTION, Reason.OUTCOME_UNKNOWN) == (order.state, order.reason)
    await shop.pass_time(timedelta(days=2))
    await shop.answer("orders_resolve", order_ids=[order.order_id], retry=True)
    assert OrderState.ATTENTION is (await shop.settled(order.order_id)).state
    assert 1 == len(shop.calls("order")), "not even where a person asks for it"

    [row] = shop.sales()
    [proof] = await shop.cb_calls.audiobooks.proofs(order, month(shop))
    assert (row.response, isbn, "") == (proof.order_id, proof.isbn, proof.reference)
    assert proof.amount is not None

    await shop.answer("orders_resolve", order_ids=[order.order_id], placed=proof.order_id)
    resolved = await shop.settled(order.order_id)
    assert (OrderState.PLACED, proof.order_id) == (resolved.state, resolved.receipt)
    assert (await shop.cb_calls.download_link(resolved)).startswith("https://")


async def test_an_audiobook_that_never_arrived_is_parked_too_and_no_settlement_shows_it(shop):
    shop.break_things(order={"drop_before": 1})
    order = await shop.buy(shop.isbn("row5_for_sale"))
    assert (OrderState.ATTENTION, Reason.OUTCOME_UNKNOWN) == (order.state, order.reason)
    assert [] == await shop.cb_calls.audiobooks.proofs(order, month(shop))


async def test_our_own_reference_in_a_settlement_is_proof_by_itself(shop):
    shop.break_things(settings={"settlement_reference": True}, order={"drop_after": {"skip": 1, "count": 1}})
    isbn = shop.isbn("row5_for_sale")
    first = await shop.buy(isbn)
    lost = await shop.buy(isbn)
    assert [OrderState.PLACED, OrderState.ATTENTION] == [first.state, lost.state]
    [proof] = await shop.cb_calls.audiobooks.proofs(lost, month(shop))
    assert proof.order_id != first.receipt


@pytest.mark.parametrize("fault", ["drop_after", "error_after", "garbage", "unpriced_registered"])
async def test_an_e_book_whose_answer_is_lost_is_looked_up(shop, fault):
    isbn = shop.isbn("ebook_row1_for_sale")
    shop.break_things(placeorder={fault: 1})
    order_id = await shop.order(isbn)
    await shop.settle()
    await shop.pass_time(timedelta(seconds=10))
    order = await shop.settled(order_id)
    [row] = shop.sales()
    assert (OrderState.PLACED, row.response) == (order.state, order.receipt)
    assert 1 == len(shop.calls("placeorder"))


async def test_an_e_book_that_was_never_registered_is_sent_again_under_the_same_reference(shop):
    shop.break_things(placeorder={"error_before": 1})
    order_id = await shop.order(shop.isbn("ebook_row1_for_sale"))
    await shop.settle()
    await shop.pass_time(timedelta(seconds=10))
    order = await shop.settled(order_id)
    assert OrderState.PLACED is order.state
    assert [order.reference] == [row.reference for row in shop.sales()]


async def test_an_e_book_without_a_price_yet_is_tried_again_under_the_same_reference(shop):
    """EBS-10060: looked up, not found, sent again, and again until the next day brings the price."""
    shop.break_things(placeorder={"EBS-10060": 3})
    order_id = await shop.order(shop.isbn("ebook_row1_for_sale"))
    await shop.settle()
    for _ in range(6):
        await shop.pass_time(timedelta(hours=4))
    order = await shop.settled(order_id)
    assert OrderState.PLACED is order.state
    assert [order.reference] == [row.reference for row in shop.sales()]


async def test_the_credit_limit_pauses_the_whole_account(shop):
    """Also the audiobooks, until a person resumes it; nothing is lost meanwhile."""
    shop.break_things(placeorder={"EBS-10017": 1})
    ebook = await shop.order(shop.isbn("ebook_row1_for_sale"))
    await shop.settle()
    assert "credit limit" in (await shop.paused())["cb"]
    audio = await shop.order(shop.isbn("row5_for_sale"))
    await shop.settle()
    assert [] == shop.sales()
    await shop.answer("resume", name="cb")
    await shop.settle()
    assert {"PLACED"} == await shop.states([ebook, audio])


async def test_an_e_book_that_cb_has_a_day_ahead_is_sold_on_its_day(shop):
    """Section 8.4: held, then sold by the clock alone."""
    isbn = shop.isbn("ebook_a_day_ahead")
    order = await shop.order(isbn)
    assert OrderState.WAITING is (await shop.settled(order)).state
    offer = await shop.offer(isbn)
    await shop.pass_time_to(offer.starts_at - timedelta(seconds=1))
    assert [] == shop.sales()
    await shop.pass_time_to(offer.starts_at)
    assert OrderState.PLACED is (await shop.settled(order)).state


async def test_an_e_book_that_is_not_orderable_yet_waits_for_a_yes(shop):
    """Released by its record, still refused by CB: asked again, within the grace, until it is sold."""
    isbn = shop.isbn("ebook_row1_for_sale")
    day = datetime.combine(shop.clock.now().date(), datetime.min.time(), UTC)
    shop.cb.shelf.put(replace(shop.title(isbn), published=day.date(), modified_at=shop.clock.now()))
    await shop.resync()
    shop.break_things(placeorder={"EBS-10006": 1})
    order = await shop.order(isbn)
    assert OrderState.WAITING is (await shop.settled(order)).state
    await shop.pass_time(timedelta(minutes=1))
    assert OrderState.PLACED is (await shop.settled(order)).state


async def test_what_the_shop_keeps_opens_no_file(shop):
    """No link is in a receipt, an order, the store's file or its log."""
    audio = await shop.buy(shop.isbn("row5_for_sale"))
    ebook = await shop.buy(shop.isbn("ebook_combination"))
    assert [OrderState.PLACED] * 2 == [audio.state, ebook.state]
    links = [await shop.cb_calls.download_link(order) for order in (audio, ebook)]
    assert ["downloads.luisterhuis.example", "ep1.eboekhuis.example"] == [link.split("/")[2] for link in links]
    await shop.close()
    kept = b"".join(path.read_bytes() for path in shop.directory.glob("store.db*"))
    await shop.open()
    await shop.work()
    for secret in ("/dl/", "wmDwld"):
        assert secret.encode() not in kept
        assert secret not in repr((audio, ebook))


async def test_an_audiobook_can_be_bought_at_the_other_service(tmp_path):
    """Contract cb 8.5: one EAN is routed to the e-book service, and decided and bought there."""
    async with opened_cb_shop(tmp_path) as shop:
        isbn = shop.isbn("row5_for_sale")
        await shop.close()
        await shop.open(route={isbn: "ebooks"})
        await shop.work()
        shop.break_things(settings={"audiobooks_as_ebooks": True})
        await shop.resync()
        assert "cb.9.row5" in {rule.id for rule in (await shop.offer(isbn)).rules}
