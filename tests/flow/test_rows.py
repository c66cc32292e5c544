"""A source of two streams, ONIX and rows: whole passes over a real store, and what both streams together mean for titles and orders."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal

import pytest

from state.sqlite import open_store
from syncengine.domain.change import ChangeKind, FieldChange
from syncengine.domain.delivery import OperationKind
from syncengine.domain.ids import Format, Isbn, RecordId, StreamName, TitleKey
from syncengine.domain.offer import Offer, OfferPrice, OfferState, TaxBasis
from syncengine.domain.order import OrderEvent, OrderState, Reason
from syncengine.domain.passes import PassMode, PassReport
from syncengine.domain.title import Remembered
from syncengine.errors import FeedTorn, GuardStopped, NotOnix
from syncengine.ports import (
    Account,
    AsideKind,
    Conventions,
    Distributor,
    Part,
    PartialUpdates,
    PassEnd,
    PassPlan,
    Urgency,
)
from syncengine.service.dispatch import Dispatch
from syncengine.service.engine import Engine, Parts
from syncengine.service.intake import Intake
from syncengine.service.options import PassOptions
from syncengine.service.parsers import Parsers
from syncengine.service.titles import known_titles, title_documents
from syncengine.settings import GuardSettings, OrderSettings
from tests.clock import JumpClock
from tests.flow.pages import CA, SOURCE, STREAM, isbn, message, product
from tests.orders import a_request, an_order
from tests.pace import FreePace
from tests.rows import AGREEMENT_ROWS, STOCK_ROWS, agreement, agreements, entry, stock

STOCK, AGREEMENTS = StreamName("stock"), StreamName("agreements")
ROWS = {STREAM: None, STOCK: STOCK_ROWS, AGREEMENTS: AGREEMENT_ROWS}
EPUB = Format("epub")


@dataclass
class Streams:
    """Serves the pages that the test gives it, by stream; a page that is torn breaks off."""

    pages: dict[StreamName, list[bytes]] = field(default_factory=dict)
    single: dict[StreamName, bytes] = field(default_factory=dict)
    torn: bool = False
    name = SOURCE
    streams = tuple(ROWS)
    conventions = Conventions(partial_updates=PartialUpdates.MERGE)

    def rows(self, stream):
        return ROWS[stream]

    def is_snapshot(self, stream):
        return True

    def plan(self, stream, cursor, wanted, now):
        return PassPlan(mode=wanted or PassMode.FULL)

    async def read(self, stream, plan, cursor) -> AsyncIterator[Part | PassEnd]:
        for number, page in enumerate(self.pages.get(stream, ())):
            yield Part(name=f"{stream} {number}", chunks=self._chunks(page), cursor=str(number).encode())
        yield PassEnd(cursor=b"end")

    async def _chunks(self, page):
        yield page[: len(page) // 2]
        if self.torn:
            raise FeedTorn("the body ended before its end")
        yield page[len(page) // 2 :]

    async def read_one(self, isbn):
        return {stream: Part(name=f"{stream} {isbn}", chunks=iter([page])) for stream, page in self.single.items()}

    async def check_account(self):
        raise AssertionError("not asked here")

    async def aclose(self):
        pass


class BothRules:
    """Sells what ONIX describes and stock has published; what was published once and is gone was withdrawn."""

    version = "1"
    markets = (CA,)
    remembers = True

    def identify(self, product):
        return (product.isbn, Format("") if product.row else EPUB) if product.isbn else None

    def offer(self, title, market, at):
        rows = [dict(record.row) for record in title.records if record.row]
        described = any(not record.row for record in title.records)
        published = any(row.get("published") == "true" for row in rows)
        state = OfferState.FOR_SALE if described and published else OfferState.NOT_YET
        if title.was_removed or not described:
            state = OfferState.REMOVED if title.was_removed else OfferState.UNKNOWN
        elif title.remembered.withdrawn and not published:
            state = OfferState.WITHDRAWN
        sells = state is OfferState.FOR_SALE
        price = OfferPrice(amount=Decimal("9.99"), currency="CAD", type="02", tax=TaxBasis.INCLUDED)
        return Offer(
            key=title.key, market=market, at=at, state=state, accepts_orders=sells, price=price if sells else None
        )

    def remember(self, remembered, old, new):
        if old is None or not old.row:
            return remembered
        was, now = (dict(each.row).get("published") if each else None for each in (old, new))
        if now == "true":
            return Remembered()
        return Remembered(withdrawn={"CAD": frozenset({"CA"})}) if was == "true" else remembered


class Till:
    """Calls, as far as trade asks for them."""

    operations = frozenset(OperationKind)


class Shop:
    """A store, what reads the streams into it, and what decides its titles."""

    def __init__(self, store, clock):
        self.store, self.clock = store, clock
        self.source = Streams()
        self.distributor = Distributor(
            source=self.source,
            rules=BothRules(),
            calls=Till(),  # type: ignore[arg-type]  # nothing is delivered here
            account=Account(kind="test", address="", organisation=""),
        )
        self.dispatch = Dispatch({SOURCE: self.distributor}, store, clock, timedelta(hours=24), wake=lambda: None)
        self.guards = GuardSettings(minimum_records=5)

    def intake(self) -> Intake:
        return Intake(self.distributor, self.store, self.clock, Parsers(), self.guards)

    async def read(self, stream, *pages, mode=PassMode.FULL, **options):
        self.source.pages = {stream: list(pages)}
        return await self.intake().run(stream, PassOptions(wanted=mode, **options))

    async def read_all(self, numbers=range(8)):
        """Both streams of as many titles, and agreements that say nothing; nothing is due afterwards."""
        await self.read(STREAM, message(*map(product, numbers)))
        await self.read(STOCK, stock(*(entry(isbn(number)) for number in numbers)))
        await self.read(AGREEMENTS, agreements())
        await self.decide()

    async def decide(self):
        while await self.dispatch.decide_due():
            pass

    async def due(self):
        async with self.store.transaction(Urgency.COMMAND) as tx:
            return {mark.key for mark in await tx.titles.due(self.clock.now(), 100)}

    async def offer(self, number):
        async with self.store.transaction(Urgency.COMMAND) as tx:
            known = await tx.titles.known_offers(key(number))
        return known[str(CA)].state if known else None

    async def changes(self, kind=None):
        async with self.store.transaction(Urgency.COMMAND) as tx:
            return [change for change in await tx.changes.since(0, 1000) if kind in {None, change.kind}]

    async def live(self):
        async with self.store.transaction(Urgency.COMMAND) as tx:
            index = await tx.records.index(SOURCE)
            return {record.reference for record in await tx.records.by_id([RecordId(number) for number in index.ids])}

    async def buy(self, number, format_=EPUB):
        """An order, decided."""
        request = a_request(isbn=Isbn(isbn(number)), format=format_, agreed_price=Decimal("20"))
        order = replace(an_order(request=request), key=key(number, format_))
        async with self.store.transaction(Urgency.COMMAND) as tx:
            event = OrderEvent(order_id=order.order_id, at=order.received_at, before=None, after=order.state)
            await tx.orders.add([(order, event)])
        return await self.order()

    async def order(self):
        await self.decide()
        async with self.store.transaction(Urgency.COMMAND) as tx:
            [order] = (await tx.orders.get([a_request().order_id])).values()
        return order


@pytest.fixture
async def shop(tmp_path):
    clock = JumpClock()
    store = await open_store(f"sqlite:{tmp_path}/store.db", clock=clock)
    yield Shop(store, clock)
    await store.aclose()


def key(number: int, format_: Format = EPUB) -> TitleKey:
    return TitleKey(source=SOURCE, isbn=Isbn(isbn(number)), format=format_)


def counted(report):
    return {outcome.value: number for outcome, number in report.outcomes.items() if number}


class TestPasses:
    async def test_a_first_pass_adds_and_a_second_finds_everything_unchanged(self, shop):
        await shop.read(STREAM, message(*map(product, range(8))))
        feed = stock(*(entry(isbn(number)) for number in range(8)))
        assert {"added": 8} == counted(await shop.read(STOCK, feed))
        again = await shop.read(STOCK, feed.replace(b"next=a", b"next=b"))
        assert {"unchanged": 8} == counted(again)
        assert (True, [], {}) == (again.complete, again.warnings, again.changes)
        assert {"unchanged": 8} == counted(await shop.read(STREAM, message(*map(product, range(8)))))

    async def test_a_changed_leaf_is_told_and_the_title_is_due(self, shop):
        await shop.read_all()
        changed = stock(*(entry(isbn(number), published="false" if number == 3 else "true") for number in range(8)))
        report = await shop.read(STOCK, changed)
        assert ({"changed": 1, "unchanged": 7}, {"row/published": 1}) == (counted(report), report.changes)
        [line] = await shop.changes(ChangeKind.CHANGED)
        assert (f"stock:{isbn(3)}", key(3, Format(""))) == (line.reference, line.key)
        assert (FieldChange(field="row/published", old="true", new="false"),) == line.fields
        assert {key(3)} == await shop.due()

    async def test_the_same_content_in_other_bytes_is_touched(self, shop):
        await shop.read_all()
        spaced = stock(*(entry(isbn(number)) for number in range(8))).replace(b"<inv:drm>", b"\n  <inv:drm>", 1)
        assert {"touched": 1, "unchanged": 7} == counted(await shop.read(STOCK, spaced))
        assert not await shop.changes(ChangeKind.CHANGED)

    async def test_what_a_full_pass_lacks_vanishes_from_its_own_stream(self, shop):
        await shop.read_all()
        report = await shop.read(STOCK, stock(*(entry(isbn(number)) for number in range(7))), allow=("vanished",))
        assert (1, {"unchanged": 7}) == (report.vanished, counted(report))
        assert f"stock:{isbn(7)}" not in await shop.live()
        assert "ENQC7-epub" in await shop.live()
        assert {key(7)} == await shop.due()
        await shop.read(STREAM, message(*map(product, range(7))), allow=("vanished",))
        assert {f"stock:{isbn(number)}" for number in range(7)} < await shop.live()
        assert "ENQC7-epub" not in await shop.live()

    async def test_a_delta_lets_nothing_vanish(self, shop):
        await shop.read_all()
        report = await shop.read(STOCK, stock(entry(isbn(0), version=2)), mode=PassMode.DELTA)
        assert ({"changed": 1}, 0) == (counted(report), report.vanished)
        assert {"row/id": 1, "row/version": 1} == report.changes

    async def test_a_broken_row_is_kept_apart_until_a_good_one_comes(self, shop):
        bad = entry(isbn(1)).replace("</inv:drm>", "</inv:dmr>")
        report = await shop.read(STOCK, stock(entry(isbn(0)), bad, entry(isbn(2))))
        assert {"added": 2, "quarantined": 1} == counted(report)
        async with shop.store.transaction(Urgency.COMMAND) as tx:
            [aside] = await tx.records.aside(SOURCE, [AsideKind.QUARANTINED])
        assert (STOCK, f"stock:{isbn(1)}", bad.strip().encode()) == (aside.stream, aside.reference, aside.body)
        assert {"quarantined": 1} == counted(await shop.intake().retry([aside]))
        await shop.read(STOCK, stock(*(entry(isbn(number)) for number in range(3))))
        async with shop.store.transaction(Urgency.COMMAND) as tx:
            assert not await tx.records.aside(SOURCE)
        assert 3 == len(await shop.live())

    async def test_a_row_without_a_reference_is_kept_apart_and_lets_nothing_vanish(self, shop):
        await shop.read_all()
        nameless = entry(isbn(7)).replace("inv:isbn", "inv:nsbi")
        report = await shop.read(STOCK, stock(*(entry(isbn(number)) for number in range(7)), nameless))
        assert ({"quarantined": 1, "unchanged": 7}, 0) == (counted(report), report.vanished)
        assert "has no isbn" in report.warnings[0]

    async def test_a_page_that_breaks_off_keeps_what_was_whole(self, shop):
        shop.source.torn = True
        with pytest.raises(FeedTorn):
            await shop.read(STOCK, stock(*(entry(isbn(number)) for number in range(8))))
        assert 0 < len(await shop.live()) < 8

    async def test_a_login_page_is_told(self, shop):
        with pytest.raises(NotOnix, match="instead of a message <feed>; it looks like a login page"):
            await shop.read(STOCK, b"<html><title>Log in</title></html>")

    async def test_an_empty_message_is_a_message(self, shop):
        await shop.read(STREAM, message(*map(product, range(8))))
        for stream, page in ((STOCK, stock()), (AGREEMENTS, agreements())):
            report = await shop.read(stream, page, mode=PassMode.DELTA)
            assert (True, {}, []) == (report.complete, counted(report), report.warnings)

    async def test_a_stream_that_cannot_be_read_keeps_none_of_the_others_from_it(self, shop):
        """The first error is raised, and each pass has its account."""
        engine = Engine(
            Parts(
                store=shop.store,
                clock=shop.clock,
                pace=FreePace(),
                distributors={SOURCE: replace(shop.distributor, calls=None)},
                parsers=Parsers,
                orders=OrderSettings(),
                guards=shop.guards,
            )
        )
        shop.source.pages = {STREAM: [b"<html/>"], STOCK: [stock(entry(isbn(0)))], AGREEMENTS: [b"{}"]}
        reports: list[PassReport] = []
        with pytest.raises(NotOnix, match="an HTML page"):
            await engine.run_passes(SOURCE, PassOptions(), reports.append)
        assert [(STREAM, False), (STOCK, True), (AGREEMENTS, False)] == [
            (report.stream, report.complete) for report in reports
        ]
        assert {f"stock:{isbn(0)}"} == await shop.live()


class TestGuards:
    async def test_a_stream_is_guarded_by_what_is_known_of_itself(self, shop):
        await shop.read(STREAM, message(*map(product, range(8))))
        assert (await shop.read(STOCK, stock())).complete
        await shop.read(STOCK, stock(*(entry(isbn(number)) for number in range(8))))
        with pytest.raises(GuardStopped, match="no record, 8 are known"):
            await shop.read(STOCK, stock())
        with pytest.raises(GuardStopped, match="2 of 8 known records would vanish"):
            await shop.read(STOCK, stock(*(entry(isbn(number)) for number in range(6))))
        assert 16 == len(await shop.live())

    async def test_a_message_older_than_the_last_is_passed_over(self, shop):
        """By the SentDateTime of the agreements, whatever the source's ONIX goes by."""
        await shop.read(AGREEMENTS, agreements(agreement(isbn(0), "8.99"), sent_at="2026-11-02T06:00:00"))
        older = agreements(agreement(isbn(0), "7.99"), sent_at="2026-11-01T06:00:00")
        report = await shop.read(AGREEMENTS, older, mode=PassMode.DELTA)
        assert ({}, {"older_message": 1}) == (counted(report), report.warning_kinds)
        newer = agreements(agreement(isbn(0), "6.99"), sent_at="2026-11-03T06:00:00")
        report = await shop.read(AGREEMENTS, newer, mode=PassMode.DELTA)
        assert {"row/RetailPrice/Amount": 1} == report.changes
        with pytest.raises(GuardStopped, match="older"):
            await shop.read(AGREEMENTS, older)

    async def test_where_nothing_tells_when_it_was_sent_what_comes_later_is_newer(self, shop):
        await shop.read(STOCK, stock(entry(isbn(0)), day=2))
        report = await shop.read(STOCK, stock(entry(isbn(0), version=2), day=1), mode=PassMode.DELTA)
        assert ({"changed": 1}, []) == (counted(report), report.warnings)


class TestTitles:
    async def test_both_streams_make_the_title(self, shop):
        await shop.read_all()
        assert "FOR_SALE" == await shop.offer(3)
        unpublished = stock(entry(isbn(3), published="false"))
        await shop.read(STOCK, unpublished, mode=PassMode.DELTA)
        await shop.decide()
        assert "WITHDRAWN" == await shop.offer(3)
        await shop.read(STOCK, stock(entry(isbn(3))), mode=PassMode.DELTA)
        await shop.decide()
        assert "FOR_SALE" == await shop.offer(3)

    async def test_a_row_that_vanishes_is_remembered(self, shop):
        await shop.read_all()
        await shop.read(STOCK, stock(*(entry(isbn(number)) for number in range(7))), allow=("vanished",))
        await shop.decide()
        assert "WITHDRAWN" == await shop.offer(7)

    async def test_a_title_whose_description_is_removed_was_removed(self, shop):
        await shop.read_all()
        await shop.read(STREAM, message(product(3, kind="05")), mode=PassMode.DELTA, allow=("removed",))
        await shop.decide()
        assert "REMOVED" == await shop.offer(3)

    @pytest.mark.parametrize("format_", [EPUB, Format("")])
    async def test_a_row_alone_is_no_title_and_is_taken_up_with_the_description(self, shop, format_):
        await shop.read(STREAM, message(*map(product, range(1, 8))))
        await shop.read(STOCK, stock(*(entry(isbn(number)) for number in range(8))))
        await shop.read(AGREEMENTS, agreements())
        assert await shop.offer(0) is None
        order = await shop.buy(0, format_)
        assert (OrderState.REFUSED, Reason.UNKNOWN_TITLE) == (order.state, order.reason)
        await shop.read(STREAM, message(product(0)), mode=PassMode.DELTA)
        await shop.decide()
        assert "FOR_SALE" == await shop.offer(0)

    async def test_an_order_is_received_until_every_stream_has_been_read(self, shop):
        """Before that nobody knows what its title is."""
        await shop.read(STREAM, message(product(0)))
        assert OrderState.RECEIVED is (await shop.buy(0)).state
        await shop.read(AGREEMENTS, agreements())
        assert OrderState.RECEIVED is (await shop.order()).state
        await shop.read(STOCK, stock(entry(isbn(0))))
        assert OrderState.PLACING is (await shop.order()).state

    async def test_a_waiting_order_is_decided_by_a_row(self, shop):
        await shop.read(STREAM, message(product(0)))
        await shop.read(STOCK, stock(entry(isbn(0), published="false")))
        await shop.read(AGREEMENTS, agreements())
        assert OrderState.WAITING is (await shop.buy(0)).state
        await shop.read(STOCK, stock(entry(isbn(0))), mode=PassMode.DELTA)
        assert OrderState.PLACING is (await shop.order()).state

    async def test_a_title_is_read_again_in_all_its_streams(self, shop):
        await shop.read_all()
        shop.source.single = {
            STOCK: stock(entry(isbn(3), version=2)),
            STREAM: message(product(3, title="Autre")),
        }
        reports = await shop.intake().refresh(key(3))
        assert [(STREAM, {"changed": 1}), (STOCK, {"changed": 1})] == [
            (report.stream, counted(report)) for report in reports
        ]
        assert {key(3)} == await shop.due()
        shop.source.single = {STOCK: stock()}
        [report] = await shop.intake().refresh(key(3))
        assert (STOCK, {}) == (report.stream, counted(report))
        assert f"stock:{isbn(3)}" in await shop.live()

    async def test_no_title_is_told_to_be_known_under_a_row(self, shop):
        await shop.read(STOCK, stock(entry(isbn(0))))
        assert [] == (await shop.read(STREAM, message(product(0)))).warnings

    async def test_its_page_shows_the_rows(self, shop):
        await shop.read_all()
        async with shop.store.transaction(Urgency.COMMAND) as tx:
            titles = await known_titles(tx, {SOURCE: shop.distributor}, Isbn(isbn(0)), None, shop.clock.now())
        described, row = title_documents(titles, lambda number, code: None)
        assert ("ENQC0-epub", "3.0") == (described["record_reference"], described["release"])
        assert (f"stock:{isbn(0)}", None, None) == (row["record_reference"], row["release"], row["description"])
        assert {"path": "published", "text": "true"} in row["facts"]["row"]
        assert ["FOR_SALE"] == [offer["state"] for offer in row["offers"]]
