"""The contract of a store: every store behind `ports.Store` passes this suite, whatever it is made of.

A store's own test module subclasses `StoreSuite` and overrides the `opener` fixture.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import anyio
import pytest

from syncengine.domain.change import Change, ChangeKind, FieldChange
from syncengine.domain.dates import OnixDate
from syncengine.domain.delivery import (
    Arrival,
    Entry,
    EntryState,
    Gate,
    GateState,
    Operation,
    OperationKind,
    Outcome,
    Receipt,
    Request,
    Verdict,
)
from syncengine.domain.frame import Context, MessageHeader, TagStyle
from syncengine.domain.ids import (
    CustomerId,
    EntryId,
    Format,
    Isbn,
    OrderId,
    RecordId,
    RecordReference,
    SourceName,
    StreamName,
    TitleKey,
)
from syncengine.domain.message import MessageMark
from syncengine.domain.order import Order, OrderEvent, OrderRequest, OrderState, Reason
from syncengine.domain.passes import PassMode, PassReport, RecordOutcome
from syncengine.domain.product import DatedRole, Price, Product, ProductSupply, SupplyDetail
from syncengine.domain.rows import Rows
from syncengine.domain.territory import Market, Territory
from syncengine.domain.title import Remembered, Title
from syncengine.errors import StoreFailed, UsageInvalid
from syncengine.ports import (
    AsideKind,
    DecidedTitle,
    DueMark,
    DueTitle,
    KnownOffer,
    LoggedReceipt,
    NewEntry,
    OrderQuery,
    PassState,
    RecordStatus,
    RecordWrite,
    SetAside,
    Store,
    StreamState,
    Transaction,
    Urgency,
)
from tests.clock import START as NOW
from tests.values import replace

ENQ, OTHER = SourceName("enq"), SourceName("other")
ONIX, STOCK = StreamName("onix"), StreamName("stock")
CANADA = Market(country="CA", currency="CAD")
EPUB, PDF, OPEN_FORMAT = Format("epub"), Format("pdf"), Format("")
SECOND = timedelta(seconds=1)
LONG_AGO = NOW - timedelta(days=36500)

CONTEXT = Context(
    encoding="UTF-8",
    release="3.0",
    style=TagStyle.REFERENCE,
    opening=b"<ONIXMessage>",
    closing=b"</ONIXMessage>",
    header=MessageHeader(),
)
ROWS = replace(
    CONTEXT, release="", rows=Rows(root="feed", record="entry", reference="isbn", prefix="stock:", sent_at="updated")
)

Opener = Callable[[], Awaitable[Store]]


def key(number: int = 1, format_: Format = EPUB, source: SourceName = ENQ) -> TitleKey:
    return TitleKey(source=source, isbn=Isbn(f"978{number:010}"), format=format_)


def product(reference: str, title: str = "Title") -> Product:
    price = Price(
        type="04", amount=Decimal("12.90"), currency="CAD", territory=Territory(countries_included=("CA", "US"))
    )
    return Product(
        reference=RecordReference(reference),
        notification_type="03",
        title=title,
        publishing_dates=(DatedRole(role="01", date=OnixDate(text="20260901", format="00")),),
        supplies=(ProductSupply(details=(SupplyDetail(availability="20", prices=(price,)),)),),
    )


def record_write(reference: str = "r1", *, number: int = 1, **changed) -> RecordWrite:
    """A new live record of a title of that number."""
    given = RecordWrite(
        record_id=None,
        reference=RecordReference(reference),
        status=RecordStatus.LIVE,
        fingerprint=reference.encode().ljust(16, b".")[:16],
        frame_length=1000 + number,
        line_count=10 * number,
        context=CONTEXT,
        body=b"<Product>" + reference.encode() * 20 + b"</Product>",
        product=product(reference),
        key=key(number),
        previous_key=None,
        change=Change(at=NOW, source=ENQ, kind=ChangeKind.ADDED, reference=RecordReference(reference)),
    )
    return replace(given, **changed)


def decided(of: TitleKey, next_at: datetime | None, *offers: KnownOffer) -> DecidedTitle:
    """A title that is due again at an instant, with these offers alone."""
    return DecidedTitle(key=of, offers=offers, next_at=next_at)


def told(write: RecordWrite) -> RecordWrite:
    """The write as a stage gives it back: its line for the change log names its title."""
    return write if write.change is None else replace(write, change=replace(write.change, key=write.key))


def order(
    name: str = "o1",
    *,
    title: TitleKey | None = None,
    state: OrderState = OrderState.RECEIVED,
    **changed,
) -> Order:
    title = title or key()
    request = OrderRequest(
        order_id=OrderId(name),
        source=title.source,
        isbn=title.isbn,
        format=title.format,
        market=CANADA,
        customer_id=CustomerId("c1"),
        agreed_price=Decimal("19.90"),
    )
    given = Order(request=request, state=state, key=title, received_at=NOW, updated_at=NOW, reference=f"ab12-{name}")
    return replace(given, **changed)


def event(of: Order, before: OrderState | None = None, **changed) -> OrderEvent:
    return replace(OrderEvent(order_id=of.order_id, at=NOW, before=before, after=of.state), **changed)


def new_entry(
    reference: str = "t1",
    *,
    kind: OperationKind = OperationKind.SALE,
    order_id: str | None = None,
    due_at: datetime = NOW,
    source: SourceName = ENQ,
    gate: str | None = None,
) -> NewEntry:
    operation = Operation(
        kind=kind,
        key=key(source=source),
        market=CANADA,
        reference=reference,
        customer_id="c1",
        amount=Decimal("12.90"),
        terms={"format": "epub"},
    )
    return NewEntry(operation=operation, order_id=OrderId(order_id) if order_id else None, gate=gate, due_at=due_at)


REQUEST = Request(method="POST", target="/sales?x=%20", limit="sale", headers=(("A", "b"),), body=b"\x00{}")


def aside(reference: str | None = "r1", body: bytes = b"<bad>", **changed) -> SetAside:
    """A quarantined frame, where nothing else is asked for."""
    given = SetAside(
        kind=AsideKind.QUARANTINED,
        source=ENQ,
        stream=ONIX,
        part="page 1",
        reference=RecordReference(reference) if reference else None,
        offset=10,
        line=2,
        reason="no title",
        body=body,
        context=CONTEXT,
        mark=MessageMark(sent_at="20260302T1200", number="7"),
        at=NOW,
    )
    return replace(given, **changed)


def bare(rows) -> list[SetAside]:
    """Rows without the ids that the store gave them."""
    return [replace(row, id=0) for row in rows]


async def open_pass(
    tx: Transaction, *, source: SourceName = ENQ, stream: StreamName = ONIX, mode: PassMode = PassMode.FULL
) -> PassState:
    return await tx.passes.begin(source, stream, mode, staged=False, at=NOW)


async def apply(store: Store, *writes: RecordWrite, source: SourceName = ENQ, at: datetime = NOW) -> PassState:
    """Apply records in a pass of their own."""
    async with store.transaction(Urgency.INTAKE) as tx:
        state = await open_pass(tx, source=source, mode=PassMode.DELTA)
        await tx.records.write(state, writes, at)
    return state


async def ids_of(store: Store, *references: str, source: SourceName = ENQ) -> list[RecordId]:
    async with store.transaction(Urgency.COMMAND) as tx:
        known = await tx.records.known(source, [RecordReference(reference) for reference in references])
    return [known[RecordReference(reference)].id for reference in references]


async def drop_marks(store: Store) -> None:
    """Leave no title due."""
    async with store.transaction(Urgency.TRADE) as tx:
        for mark in await tx.titles.due(NOW, 1000):
            await tx.titles.clear([mark])


async def put(store: Store, *entries: NewEntry) -> None:
    async with store.transaction(Urgency.TRADE) as tx:
        await tx.outbox.put(entries, NOW)


async def claim(store: Store, at: datetime = NOW, limit: int = 100, sources=(ENQ,)) -> list[Entry]:
    async with store.transaction(Urgency.DELIVERY) as tx:
        return list(await tx.outbox.claim(sources, at, limit))


async def save(store: Store, entry: Entry) -> None:
    async with store.transaction(Urgency.DELIVERY) as tx:
        await tx.outbox.save(entry)


def names(entries) -> list[str]:
    return [entry.operation.reference for entry in entries]


class StoreSuite:
    """What any store must do; see the ports for the words."""

    @pytest.fixture
    def opener(self) -> Opener:
        """Opens the same store each time it is called, once the one before is closed."""
        raise NotImplementedError

    @pytest.fixture
    async def store(self, opener: Opener) -> AsyncIterator[Store]:
        store = await opener()
        yield store
        await store.aclose()

    @pytest.fixture
    async def reopen(self, store: Store, opener: Opener) -> AsyncIterator[Opener]:
        """Closes the store and opens it again."""
        opened = [store]

        async def again() -> Store:
            await opened[-1].aclose()
            opened.append(await opener())
            return opened[-1]

        yield again
        await opened[-1].aclose()

    # --- the store itself -----------------------------------------------------------------------------------------------

    async def test_identity_is_given_once(self, store: Store, reopen: Opener):
        """Seed and prefix never change: fingerprints and references that were sent depend on them."""
        identity = store.identity

        assert identity == (await reopen()).identity
        assert 0 <= identity.seed < 2**64
        assert 32 == len(identity.id)
        assert 4 == len(identity.prefix)
        assert identity.prefix.isascii()
        assert identity.prefix == identity.prefix.lower()
        assert identity.prefix.isalnum()

    async def test_a_section_is_durable_when_it_returns(self, store: Store, reopen: Opener):
        async with store.transaction(Urgency.COMMAND) as tx:
            await tx.controls.set_setting("account", "kept")

        async with (await reopen()).transaction(Urgency.COMMAND) as tx:
            assert "kept" == await tx.controls.setting("account")

    async def test_a_section_sees_its_own_writes(self, store: Store):
        async with store.transaction(Urgency.COMMAND) as tx:
            await tx.controls.set_setting("a", "1")
            assert "1" == await tx.controls.setting("a")

    async def test_an_exception_takes_the_whole_section_back_and_passes_through(self, store: Store):
        async def fail() -> None:
            async with store.transaction(Urgency.COMMAND) as tx:
                await tx.controls.set_setting("a", "1")
                await tx.orders.add([(order(), event(order()))])
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()

        async with store.transaction(Urgency.COMMAND) as tx:
            assert await tx.controls.setting("a") is None
            assert {} == await tx.orders.get([OrderId("o1")])
            assert await tx.titles.next_at() is None

    async def test_sections_run_one_at_a_time(self, store: Store):
        async def add_one() -> None:
            async with store.transaction(Urgency.TRADE) as tx:
                count = int(await tx.controls.setting("count") or 0)
                await asyncio.sleep(0)
                await tx.controls.set_setting("count", str(count + 1))

        await asyncio.gather(*(add_one() for _ in range(50)))

        async with store.transaction(Urgency.TRADE) as tx:
            assert "50" == await tx.controls.setting("count")

    async def test_a_section_that_fails_harms_none_of_its_neighbours(self, store: Store, reopen: Opener):
        """Sections that are committed together are still taken back alone."""

        async def section(number: int) -> None:
            async with store.transaction(Urgency.TRADE) as tx:
                await tx.controls.set_setting(f"first {number}", "x")
                await tx.controls.set_setting(f"second {number}", "x")
                if number % 3 == 0:
                    raise ValueError(number)

        outcomes = await asyncio.gather(*(section(number) for number in range(30)), return_exceptions=True)

        assert [number % 3 == 0 for number in range(30)] == [isinstance(o, ValueError) for o in outcomes]
        async with (await reopen()).transaction(Urgency.TRADE) as tx:
            for number in range(30):
                expected = None if number % 3 == 0 else "x"
                assert expected == await tx.controls.setting(f"first {number}")
                assert expected == await tx.controls.setting(f"second {number}")

    async def test_the_urgent_go_first_and_equals_by_age(self, store: Store):
        order_of_turns: list[str] = []
        occupied, free = asyncio.Event(), asyncio.Event()

        async def occupy() -> None:
            async with store.transaction(Urgency.INTAKE) as tx:
                await tx.controls.set_setting("a", "0")
                occupied.set()
                await free.wait()

        async def section(name: str, urgency: Urgency) -> None:
            async with store.transaction(urgency) as tx:
                order_of_turns.append(name)
                await tx.controls.set_setting("a", name)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(occupy())
            await occupied.wait()
            for name, urgency in (
                ("intake 1", Urgency.INTAKE),
                ("trade 1", Urgency.TRADE),
                ("delivery 1", Urgency.DELIVERY),
                ("command 1", Urgency.COMMAND),
                ("intake 2", Urgency.INTAKE),
                ("delivery 2", Urgency.DELIVERY),
                ("trade 2", Urgency.TRADE),
            ):
                tasks.create_task(section(name, urgency))
                await asyncio.sleep(0)
            free.set()

        assert [
            "delivery 1",
            "delivery 2",
            "command 1",
            "trade 1",
            "trade 2",
            "intake 1",
            "intake 2",
        ] == order_of_turns

    @pytest.mark.parametrize("through", ["asyncio", "anyio"])
    async def test_cancellation_leaves_nothing_half_done(self, store: Store, reopen: Opener, through: str):
        """Cancelled after any number of steps: before, inside, and while it ends, a section is whole or not there at all."""

        async def section(number: int) -> None:
            async with store.transaction(Urgency.TRADE) as tx:
                await tx.controls.set_setting(f"first {number}", "x")
                await tx.controls.set_setting(f"second {number}", "x")

        for number in range(60):
            if through == "asyncio":
                task = asyncio.create_task(section(number))
                for _ in range(number // 2):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            else:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(section, number)
                    for _ in range(number // 2):
                        await asyncio.sleep(0)
                    tasks.cancel_scope.cancel()

        async with (await reopen()).transaction(Urgency.TRADE) as tx:
            for number in range(60):
                first = await tx.controls.setting(f"first {number}")
                assert first == await tx.controls.setting(f"second {number}")
            await tx.controls.set_setting("after", "usable")

    async def test_who_is_cancelled_while_waiting_gives_the_place_up(self, store: Store):
        async with store.transaction(Urgency.TRADE) as tx:
            await tx.controls.set_setting("a", "1")
            waiting = [asyncio.create_task(self._touch(store)) for _ in range(5)]
            await asyncio.sleep(0)
            for task in waiting[:4]:
                task.cancel()
            await asyncio.gather(*waiting[:4], return_exceptions=True)

        await waiting[4]
        assert [True, True, True, True] == [task.cancelled() for task in waiting[:4]]

    @staticmethod
    async def _touch(store: Store) -> None:
        async with store.transaction(Urgency.TRADE) as tx:
            await tx.controls.set_setting("touched", "x")

    async def test_a_backup_is_a_store_of_its_own(self, store: Store, tmp_path: Path):
        async with store.transaction(Urgency.COMMAND) as tx:
            await tx.controls.set_setting("a", "1")
        target = tmp_path / "copy.db"

        await store.backup(str(target))

        assert target.stat().st_size > 0
        with pytest.raises(UsageInvalid, match="is there already"):
            await store.backup(str(target))
        with pytest.raises(UsageInvalid, match="cannot be written"):
            await store.backup(str(tmp_path / "nowhere" / "copy.db"))
        async with store.transaction(Urgency.COMMAND) as tx:
            assert "1" == await tx.controls.setting("a")

    async def test_a_closed_store_says_so(self, store: Store):
        await store.aclose()
        await store.aclose()

        with pytest.raises(StoreFailed, match="closed"):
            async with store.transaction(Urgency.COMMAND):
                pass

    # --- records --------------------------------------------------------------------------------------------------------

    async def test_a_record_comes_back_as_it_was_written(self, store: Store):
        written = record_write("référence-1", repeated=True, is_plain=True)
        await apply(store, written)

        async with store.transaction(Urgency.INTAKE) as tx:
            known = await tx.records.known(ENQ, [written.reference, RecordReference("nobody")])
            by_id = await tx.records.by_id([known[written.reference].id, RecordId(999)])
            elsewhere = await tx.records.known(OTHER, [written.reference])

        assert [written.reference] == list(known)
        record = known[written.reference]
        for name in ("reference", "status", "fingerprint", "context", "body", "product", "key", "repeated", "is_plain"):
            assert getattr(written, name) == getattr(record, name), name
        assert ONIX == record.stream
        assert [record] == list(by_id)
        assert {} == elsewhere

    async def test_writing_again_replaces_and_keeps_the_id(self, store: Store):
        await apply(store, record_write())
        [record_id] = await ids_of(store, "r1")
        later = record_write(
            body=b"<Product>new</Product>",
            product=product("r1", "New"),
            fingerprint=b"n" * 16,
            context=replace(CONTEXT, release="3.1"),
        )

        await apply(store, later)
        await apply(store, replace(later, record_id=record_id, body=b"newest"))

        async with store.transaction(Urgency.INTAKE) as tx:
            [record] = await tx.records.by_id([record_id])
            assert 1 == await tx.records.live_count(ENQ)
        assert b"newest" == record.body
        assert "3.1" == record.context.release
        assert "New" == record.product.title

    async def test_live_records_are_counted_by_stream(self, store: Store):
        async with store.transaction(Urgency.INTAKE) as tx:
            await tx.records.write(await open_pass(tx), [record_write("a"), record_write("b")], NOW)
            gone = record_write("d", status=RecordStatus.REMOVED)
            await tx.records.write(await open_pass(tx, stream=STOCK), [record_write("c"), gone], NOW)
            assert [3, 2, 1, 0] == [
                await tx.records.live_count(ENQ),
                await tx.records.live_count(ENQ, ONIX),
                await tx.records.live_count(ENQ, STOCK),
                await tx.records.live_count(OTHER, ONIX),
            ]

    async def test_the_last_of_two_writes_of_a_reference_counts(self, store: Store):
        await apply(store, record_write(body=b"old"), record_write(body=b"new"))

        async with store.transaction(Urgency.INTAKE) as tx:
            known = await tx.records.known(ENQ, [RecordReference("r1")])
        assert b"new" == known[RecordReference("r1")].body

    async def test_the_index_holds_live_records_and_predicts_those_that_may_be(self, store: Store):
        await apply(
            store,
            record_write("ré1", repeated=True),
            record_write("r2", number=2, fingerprint=None),
            record_write("r3", number=3, status=RecordStatus.REMOVED),
            record_write("r4", number=4, status=RecordStatus.VANISHED),
            record_write("r5", number=5),
        )
        await apply(store, record_write("x1"), source=OTHER)
        first, second, third = await ids_of(store, "ré1", "r2", "r5")

        async with store.transaction(Urgency.INTAKE) as tx:
            index = await tx.records.index(ENQ)
            live = await tx.records.live_count(ENQ)
            removed = await tx.records.known(ENQ, [RecordReference("r3")])

        assert [first, second, third] == list(index.ids)
        assert [0, 1, 2] == [index.find(reference.encode()) for reference in ("ré1", "r2", "r5")]
        assert {-1} == {index.find(reference) for reference in (b"r3", b"r4", b"x1", b"")}
        assert [0, 0, 1005] == list(index.lengths)
        assert [True, False, False] == [index.is_repeated(at) for at in range(3)]
        assert (record_write("r5").fingerprint, 50) == (index.fingerprint(2), index.line_counts[2])
        assert 3 == live
        record = removed[RecordReference("r3")]
        assert (RecordStatus.REMOVED, None, product("r3")) == (record.status, record.fingerprint, record.product)

    async def test_what_live_records_say_is_read_by_reference(self, store: Store):
        gone = record_write("gone", status=RecordStatus.VANISHED)
        await apply(store, record_write("r1"), record_write("ré2"), gone)
        await apply(store, record_write("elsewhere"), source=OTHER)

        async with store.transaction(Urgency.INTAKE) as tx:
            wanted = [RecordReference(name) for name in ("ré2", "gone", "elsewhere", "nobody")]
            assert {"ré2": product("ré2")} == await tx.records.products(ENQ, wanted)

    async def test_gone_is_what_vanished_of_the_unseen(self, store: Store):
        """Live when the pass began, of its stream, not seen and not written since."""
        await apply(
            store,
            record_write("seen"),
            record_write("gone", number=2),
            record_write("removed", number=3, status=RecordStatus.REMOVED),
            record_write("written", number=4),
            record_write("refreshed", number=5),
        )
        async with store.transaction(Urgency.INTAKE) as tx:
            stock = await open_pass(tx, stream=STOCK)
            await tx.records.write(stock, [record_write("of another stream", number=6)], NOW)
            older = await open_pass(tx, mode=PassMode.SINGLE)
            state = await open_pass(tx)
            await tx.records.write(older, [record_write("too new", number=8)], NOW)
            await tx.records.write(state, [record_write("written", number=4), record_write("new", number=7)], NOW)
            single = await open_pass(tx, mode=PassMode.SINGLE)
            await tx.records.write(single, [record_write("refreshed", number=5)], NOW)
        seen, gone = await ids_of(store, "seen", "gone")

        async with store.transaction(Urgency.INTAKE) as tx:
            every = [RecordId(number) for number in (await tx.records.index(ENQ)).ids]
            assert [gone] == list(await tx.records.gone(state, [number for number in every if number != seen]))
            assert [seen, gone] == list(await tx.records.gone(state, every))
            assert [] == list(await tx.records.gone(state, []))

    async def test_writing_records_tells_the_change_log_and_marks_titles_due(self, store: Store):
        moved = record_write("r1", number=2, previous_key=key(1))
        touched = record_write("r2", number=3, change=None)
        no_title = record_write("r3", key=None)
        await apply(store, moved, touched, no_title)

        async with store.transaction(Urgency.TRADE) as tx:
            changes = await tx.changes.since(0, 10)
            due = {mark.key for mark in await tx.titles.due(NOW, 10)}

        assert [("r1", key(2)), ("r3", None)] == [(change.reference, change.key) for change in changes]
        assert {key(1), key(2), key(3)} == due

    async def test_a_change_of_a_record_without_title_any_more_names_the_title_it_had(self, store: Store):
        await apply(store, record_write(key=None, previous_key=key(1)))

        async with store.transaction(Urgency.TRADE) as tx:
            [change] = await tx.changes.since(0, 10)
        assert key(1) == change.key

    async def test_many_records_in_one_section(self, store: Store):
        writes = [record_write(f"r{number}", number=number) for number in range(1500)]
        await apply(store, *writes)

        async with store.transaction(Urgency.INTAKE) as tx:
            assert 1500 == await tx.records.live_count(ENQ)
            assert 1500 == len(await tx.records.index(ENQ))
            assert 1500 == len(await tx.records.known(ENQ, [write.reference for write in writes]))

    async def test_records_are_kept_with_the_essence_of_their_context(self, store: Store):
        """What tells one message from the next is left out, all that its bytes mean nothing without is kept apart."""
        header = MessageHeader(default_price_type="42", default_currency="CAD", default_language="fre")
        short = replace(
            CONTEXT,
            encoding="ISO-8859-1",
            release="3.1",
            style=TagStyle.SHORT,
            opening=b"<ONIXmessage \xe9>",
            closing=b"</>",
        )
        message = replace(header, sender="Éditions", number="7", repeat="1", sent_at_text="20260302")
        given = {
            "bare": CONTEXT,
            "defaults": replace(CONTEXT, header=header),
            "message": replace(CONTEXT, header=message),
            "next message": replace(CONTEXT, header=replace(message, number="8")),
            "other default": replace(CONTEXT, header=replace(header, default_currency="EUR")),
            "empty default": replace(CONTEXT, header=MessageHeader(default_currency="")),
            "other release": replace(CONTEXT, release="2.1"),
            "short": short,
        }
        await apply(store, *(record_write(name, context=context) for name, context in given.items()))
        await apply(store, record_write("later", context=replace(CONTEXT, header=message)))

        async with store.transaction(Urgency.INTAKE) as tx:
            known = await tx.records.known(ENQ, [RecordReference(name) for name in (*given, "later")])
        found = {reference: record.context for reference, record in known.items()}
        defaults = replace(CONTEXT, header=header)
        assert {**given, "message": defaults, "next message": defaults, "later": defaults} == found

    async def test_rows_come_back_with_what_they_say_and_how_they_are_written(self, store: Store):
        said = replace(product("stock:1"), row=(("isbn", "1"), ("price/amount", "9.99"), ("deleted", "")))
        await apply(store, record_write("stock:1", context=ROWS, product=said, key=key(1, OPEN_FORMAT)))
        async with store.transaction(Urgency.INTAKE) as tx:
            [kept] = await tx.records.set_aside([aside("stock:2", context=ROWS)])
            found = (await tx.records.known(ENQ, [RecordReference("stock:1")]))[RecordReference("stock:1")]
            assert (said, ROWS, key(1, OPEN_FORMAT)) == (found.product, found.context, found.key)
            assert [ROWS] == [row.context for row in await tx.records.aside(ENQ)]
            assert kept.context == ROWS

    async def test_the_live_records_of_titles_are_named(self, store: Store):
        await apply(
            store,
            record_write("ré2"),
            record_write("r1"),
            record_write("r3", number=2),
            record_write("removed", status=RecordStatus.REMOVED),
            record_write("vanished", number=3, status=RecordStatus.VANISHED),
            record_write("of a pdf", key=key(1, PDF)),
            record_write("open", key=key(1, OPEN_FORMAT)),
            record_write("of no title", key=None),
        )
        await apply(store, record_write("x1", key=key(source=OTHER)), source=OTHER)

        async with store.transaction(Urgency.INTAKE) as tx:
            asked = {key(1), key(2), key(3), key(4), key(5, source=OTHER), key(source=OTHER)}
            assert {key(1): ["r1", "ré2"], key(2): ["r3"]} == {
                title: list(references) for title, references in (await tx.records.references(ENQ, asked)).items()
            }
            assert {key(1, OPEN_FORMAT): ["open"]} == await tx.records.references(ENQ, [key(1, OPEN_FORMAT)])
            assert {} == await tx.records.references(ENQ, [key(source=OTHER)])
            assert {} == await tx.records.references(ENQ, [])

    # --- what is set aside ----------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("kind", [AsideKind.QUARANTINED, AsideKind.TEST])
    async def test_of_the_quarantined_and_of_tests_the_newest_of_a_reference_is_kept(
        self, store: Store, kind: AsideKind
    ):
        """Of frames without a reference, the newest of the same bytes."""
        rows = [
            aside("r1", b"<one>", kind=kind),
            aside("r2", b"<one>", kind=kind),
            aside(None, b"<junk>", kind=kind),
            aside(None, b"<other junk>", kind=kind),
            aside("r1", b"<one>", kind=kind, source=OTHER),
        ]
        again = [
            aside(
                "r1",
                b"<two>",
                kind=kind,
                stream=STOCK,
                part="page 2",
                offset=0,
                line=1,
                reason="still no title",
                context=replace(CONTEXT, release="3.1"),
                mark=MessageMark(),
                at=NOW + SECOND,
            ),
            aside(None, b"<junk>", kind=kind, line=9, context=None),
        ]
        async with store.transaction(Urgency.INTAKE) as tx:
            assert rows == list(await tx.records.set_aside(rows))
            before = {row.body: row.id for row in await tx.records.aside(ENQ)}
            assert [] == list(await tx.records.set_aside(again))

        async with store.transaction(Urgency.COMMAND) as tx:
            of_source = await tx.records.aside(ENQ)
            assert [rows[4]] == bare(await tx.records.aside(OTHER))

        assert [rows[1], again[1], rows[3], again[0]] == bare(of_source)
        assert before[b"<junk>"] == of_source[1].id, "people know it by its number"

    @pytest.mark.parametrize("kind", [AsideKind.HELD, AsideKind.TRANSFER])
    async def test_held_updates_are_kept_once_as_they_last_came_and_notices_of_transfer_as_they_first_did(
        self, store: Store, kind: AsideKind
    ):
        rows = [aside("r1", b"<b>", kind=kind), aside("r1", b"<a>", kind=kind), aside(None, b"<c>", kind=kind)]
        again = aside("r1", b"<a>", kind=kind, reason="again", mark=MessageMark(number="8"), at=NOW + SECOND)
        later = aside("r1", b"<d>", kind=kind, at=NOW + SECOND)
        async with store.transaction(Urgency.INTAKE) as tx:
            assert rows == list(await tx.records.set_aside(rows))
            assert [later] == list(await tx.records.set_aside([again, later]))
            kept = [rows[0], rows[2], again, later] if kind is AsideKind.HELD else [*rows, later]
            assert kept == bare(await tx.records.aside(ENQ))
            elsewhere = replace(again, source=OTHER)
            assert [elsewhere] == list(await tx.records.set_aside([elsewhere]))
            assert [elsewhere] == bare(await tx.records.aside(OTHER))

    async def test_of_two_alike_set_aside_at_once_the_first_is_new(self, store: Store):
        held = [aside("r1", b"<a>", kind=AsideKind.HELD, line=line) for line in (1, 2)]
        bad = [aside("r1", b"<a>", line=line) for line in (1, 2)]
        async with store.transaction(Urgency.INTAKE) as tx:
            assert [held[0], bad[0]] == list(await tx.records.set_aside([*held, *bad]))
            assert [held[1], bad[1]] == bare(await tx.records.aside())
            assert [] == list(await tx.records.set_aside([]))

    async def test_one_frame_may_be_set_aside_for_several_reasons(self, store: Store):
        rows = [aside(kind=kind) for kind in AsideKind]
        async with store.transaction(Urgency.INTAKE) as tx:
            assert dict.fromkeys(AsideKind, 0) == await tx.records.count_aside()
            assert rows == list(await tx.records.set_aside(rows))
            await tx.records.set_aside([aside("r2"), aside("r1", source=OTHER)])
            assert {**dict.fromkeys(AsideKind, 1), AsideKind.QUARANTINED: 3} == await tx.records.count_aside()
            for row in rows:
                assert [row] == [
                    found for found in bare(await tx.records.aside(ENQ, [row.kind])) if found.reference == "r1"
                ]
            two = {AsideKind.TEST, AsideKind.HELD}
            assert two == {row.kind for row in await tx.records.aside(kinds=two)}
            assert [] == list(await tx.records.aside(kinds=()))

    async def test_what_is_set_aside_comes_oldest_first(self, store: Store):
        """A frame that replaced an older one is as old as it is itself."""
        async with store.transaction(Urgency.INTAKE) as tx:
            await tx.records.set_aside(
                [aside("r3", at=NOW + SECOND), aside("r1"), aside("r2"), aside("x", source=OTHER)]
            )
            await tx.records.set_aside([aside("r1", at=NOW + 2 * SECOND), aside("r0", kind=AsideKind.TEST)])
            assert ["r2", "x", "r0", "r3", "r1"] == [row.reference for row in await tx.records.aside()]
            assert ["r2", "r0", "r3", "r1"] == [row.reference for row in await tx.records.aside(ENQ)]

    async def test_what_is_set_aside_comes_back_whole_by_its_number(self, store: Store, reopen: Opener):
        header = MessageHeader(sender="Éditions", number="7", sent_at_text="20260302", default_price_type="42")
        given = [
            aside("référence-1", "<é>".encode() * 50, kind=AsideKind.HELD, context=replace(CONTEXT, header=header)),
            aside(None, b"", part="feed 1/é.xml", reason="— ½", mark=MessageMark(), context=None),
            aside("r3", kind=AsideKind.TRANSFER, mark=MessageMark(sent_at="20260302")),
        ]
        async with store.transaction(Urgency.INTAKE) as tx:
            await tx.records.set_aside(given)

        async with (await reopen()).transaction(Urgency.COMMAND) as tx:
            rows = await tx.records.aside()
            assert list(rows) == [await tx.records.get_aside(row.id) for row in rows]
            assert await tx.records.get_aside(max(row.id for row in rows) + 1) is None
        essence = replace(CONTEXT, header=MessageHeader(default_price_type="42"))
        assert [replace(given[0], context=essence), *given[1:]] == bare(rows)
        assert 3 == len({row.id for row in rows} - {0})

    async def test_a_good_frame_or_a_person_clears_the_quarantine(self, store: Store):
        given = [
            aside("r1"),
            aside("r2"),
            aside(None),
            aside("r1", source=OTHER),
            *(aside("r1", kind=kind) for kind in AsideKind if kind is not AsideKind.QUARANTINED),
        ]
        async with store.transaction(Urgency.INTAKE) as tx:
            await tx.records.set_aside(given)
            await tx.records.clear_quarantine(ENQ, [RecordReference("r1"), RecordReference("nobody")])
            await tx.records.clear_quarantine(ENQ, [])
            left = await tx.records.aside()
            assert given[1:] == bare(left)
            assert 2 == await tx.records.drop_aside([left[0].id, left[3].id, left[3].id, 999])
            assert 0 == await tx.records.drop_aside([left[0].id])
            assert 0 == await tx.records.drop_aside([])
            assert [left[1], left[2], *left[4:]] == list(await tx.records.aside())
            assert [given[0]] == list(await tx.records.set_aside([given[0]]))
            assert max(row.id for row in left) < max(row.id for row in await tx.records.aside()), (
                "no number comes twice"
            )

    async def test_held_updates_are_found_by_the_reference_they_wait_for(self, store: Store):
        held = [
            aside("r1", b"<b>", kind=AsideKind.HELD),
            aside("é2", b"<b2>", kind=AsideKind.HELD),
            aside("r1", b"<a>", kind=AsideKind.HELD, at=NOW + SECOND),
            aside("r3", b"<c>", kind=AsideKind.HELD),
        ]
        others = [
            aside("r1", b"<x>", kind=AsideKind.HELD, source=OTHER),
            aside("r1", b"<y>"),
            aside("r4", b"<z>", kind=AsideKind.TRANSFER),
            aside(None, b"<w>", kind=AsideKind.HELD),
        ]
        async with store.transaction(Urgency.INTAKE) as tx:
            await tx.records.set_aside([*held, *others])
            wanted = [RecordReference(name) for name in ("r1", "é2", "r4", "nobody")]
            found = await tx.records.held(ENQ, wanted)
            assert {"r1": [held[0], held[2]], "é2": [held[1]]} == {name: bare(rows) for name, rows in found.items()}
            assert {} == await tx.records.held(ENQ, [])
            gone = record_write("r3", status=RecordStatus.REMOVED)
            state = await open_pass(tx)
            await tx.records.write(state, [record_write("r1"), record_write("nobody"), gone], NOW)
            await tx.passes.stage(state, [record_write("é2"), record_write("r3", status=RecordStatus.VANISHED)])
            assert 2 == await tx.passes.apply_staged(state, 10, NOW)
            assert {"r3"} == set(await tx.records.held(ENQ, [*wanted, RecordReference("r3")]))
            assert sorted(row.body for row in [held[3], *others]) == sorted(
                row.body for row in await tx.records.aside()
            )

    async def test_tests_are_forgotten_once_they_are_old(self, store: Store):
        rows = [
            aside("r1", kind=AsideKind.TEST),
            aside("r2", kind=AsideKind.TEST, at=NOW + SECOND),
            aside("r3", kind=AsideKind.TEST, source=OTHER),
            aside("r4"),
        ]
        async with store.transaction(Urgency.INTAKE) as tx:
            await tx.records.set_aside(rows)
            await tx.records.forget_tests(ENQ, NOW + SECOND)
            assert {"r2", "r3", "r4"} == {row.reference for row in await tx.records.aside()}

    async def test_quarantined_references_come_with_their_records(self, store: Store):
        await apply(store, record_write("r1"), record_write("r5"))
        await apply(store, record_write("r2"), source=OTHER)
        [record_id] = await ids_of(store, "r1")
        async with store.transaction(Urgency.INTAKE) as tx:
            await tx.records.set_aside(
                [
                    aside("r1"),
                    aside("r2"),
                    aside(None),
                    aside("r3", source=OTHER),
                    *(aside("r5", kind=kind) for kind in AsideKind if kind is not AsideKind.QUARANTINED),
                ]
            )
            assert {"r1": record_id, "r2": None} == await tx.records.quarantined_references(ENQ)
            assert {"r3": None} == await tx.records.quarantined_references(OTHER)

    @pytest.mark.parametrize("kind", AsideKind)
    async def test_text_that_is_no_unicode_is_set_aside_all_the_same(self, store: Store, kind: AsideKind):
        odd = RecordReference("r\udcff")
        mark = MessageMark(sent_at="2026\udcff", number="\udcff")
        async with store.transaction(Urgency.INTAKE) as tx:
            await tx.records.set_aside([aside(odd, kind=kind, part="\udcff.xml", reason="bad byte \udcff", mark=mark)])
            [row] = await tx.records.aside(ENQ)
            assert ("r?", "?.xml", "bad byte ?") == (row.reference, row.part, row.reason)
            assert MessageMark(sent_at="2026?", number="?") == row.mark
            assert ({odd: [row]} if kind is AsideKind.HELD else {}) == await tx.records.held(ENQ, [odd])
            await tx.records.clear_quarantine(ENQ, [odd])
            assert ([] if kind is AsideKind.QUARANTINED else [row]) == list(await tx.records.aside(ENQ))

    # --- passes ---------------------------------------------------------------------------------------------------------

    async def test_a_stream_begins_with_nothing(self, store: Store):
        async with store.transaction(Urgency.INTAKE) as tx:
            assert StreamState() == await tx.passes.stream(ENQ, ONIX)
            assert await tx.passes.unfinished(ENQ, ONIX) is None
            assert not await tx.passes.has_completed(ENQ, [ONIX])
            assert [] == list(await tx.passes.recent(10))

    async def test_an_interrupted_pass_is_found_as_it_was(self, store: Store, reopen: Opener):
        await apply(store, record_write())
        [high_water] = await ids_of(store, "r1")
        async with store.transaction(Urgency.INTAKE) as tx:
            state = await tx.passes.begin(ENQ, ONIX, PassMode.FULL, staged=True, at=NOW)
            assert high_water == state.high_water
            assert PassReport(source=ENQ, stream=ONIX, mode=PassMode.FULL, started_at=NOW) == state.report
            state.report.count(RecordOutcome.ADDED, 3)
            state.report.changes["price"] = 2
            state.report.warnings.append("odd")
            await tx.passes.progress(
                state, state.report, {"prices": 7}, cursor=b"\x00page 2", message={"sender": MessageMark(number="7")}
            )

        store = await reopen()
        async with store.transaction(Urgency.INTAKE) as tx:
            found = await tx.passes.unfinished(ENQ, ONIX)
            assert replace(state, tallies={"prices": 7}) == found
            assert await tx.passes.unfinished(ENQ, STOCK) is None
            stream = await tx.passes.stream(ENQ, ONIX)
            assert StreamState(cursor=b"\x00page 2", last_message={"sender": MessageMark(number="7")}) == stream
            await tx.passes.progress(state, state.report, {}, gone=[RecordId(7), RecordId(1 << 40)])
            await tx.passes.progress(state, state.report, {})
            found = await tx.passes.unfinished(ENQ, ONIX)
            assert found is not None
            assert (True, [7, 1 << 40]) == (found.applying, list(found.gone))
            assert b"\x00page 2" == (await tx.passes.stream(ENQ, ONIX)).cursor

    async def test_newer_messages_of_one_sender_leave_the_others(self, store: Store):
        first, second = MessageMark(sent_at="20260302"), MessageMark(sent_at="20260303T1200", number="2\udcff")
        async with store.transaction(Urgency.INTAKE) as tx:
            state = await open_pass(tx)
            await tx.passes.progress(state, state.report, {}, message={"a": first, "é": first})
            await tx.passes.progress(state, state.report, {}, message={"é": second})
            marks = (await tx.passes.stream(ENQ, ONIX)).last_message
            assert {"a": first, "é": replace(second, number="2?")} == marks
            assert {} == (await tx.passes.stream(ENQ, STOCK)).last_message

    async def test_a_new_pass_gives_up_the_unfinished_one(self, store: Store):
        async with store.transaction(Urgency.INTAKE) as tx:
            old = await tx.passes.begin(ENQ, ONIX, PassMode.FULL, staged=True, at=NOW)
            await tx.passes.stage(old, [record_write()])
            await tx.passes.see(old, [RecordId(1)])
            elsewhere = await tx.passes.begin(ENQ, STOCK, PassMode.FULL, staged=True, at=NOW)
            await tx.passes.stage(elsewhere, [record_write()])
            new = await tx.passes.begin(ENQ, ONIX, PassMode.DELTA, staged=False, at=NOW + SECOND)

            assert new == await tx.passes.unfinished(ENQ, ONIX)
            assert elsewhere == await tx.passes.unfinished(ENQ, STOCK)
            assert [] == list(await tx.passes.staged(old, 10))
            assert [] == list(await tx.passes.seen(old))
            assert 1 == len(await tx.passes.staged(elsewhere, 10))
            ended = {report.stream: at for report, at in await tx.passes.recent(3) if report.mode is PassMode.FULL}
            assert {ONIX: NOW + SECOND, STOCK: None} == ended

    async def test_a_pass_of_a_single_title_disturbs_no_other_and_moves_no_marks(self, store: Store):
        async with store.transaction(Urgency.INTAKE) as tx:
            full = await tx.passes.begin(ENQ, ONIX, PassMode.FULL, staged=True, at=NOW)
            await tx.passes.progress(full, full.report, {}, cursor=b"page 2")
            single = await tx.passes.begin(ENQ, ONIX, PassMode.SINGLE, staged=False, at=NOW)
            assert full == await tx.passes.unfinished(ENQ, ONIX)
            single.report.complete = True
            await tx.passes.finish(single, single.report, cursor=None, at=NOW)
            assert full == await tx.passes.unfinished(ENQ, ONIX)
            assert StreamState(cursor=b"page 2") == await tx.passes.stream(ENQ, ONIX)
            assert not await tx.passes.has_completed(ENQ, [ONIX])

    async def test_staged_writes_come_back_in_order_the_later_for_the_earlier(self, store: Store):
        first, second, third = (record_write(f"r{number}", number=number) for number in (1, 2, 3))
        again = replace(first, body=b"again", change=None, fingerprint=None, key=None)
        async with store.transaction(Urgency.INTAKE) as tx:
            state = await open_pass(tx)
            await tx.passes.stage(state, [first, second])
            await tx.passes.stage(state, [again, third])
            assert [told(second), again, told(third)] == list(await tx.passes.staged(state, 10))
            assert [told(second), again] == list(await tx.passes.staged(state, 2))
            await tx.passes.unstage(state, [second.reference, RecordReference("nobody")])
            assert [again, told(third)] == list(await tx.passes.staged(state, 10))

    async def test_staged_writes_are_applied_in_order_and_as_many_as_are_asked_for(self, store: Store):
        """What comes of them is what comes of the same writes unstaged."""
        await apply(store, record_write("known", number=1), record_write("left", number=2))
        moved = record_write("known", number=3, previous_key=key(1), body=b"moved", repeated=True, is_plain=True)
        new = record_write("new", number=4, context=replace(CONTEXT, release="3.1"))
        untold = record_write("untold", key=None, change=None)
        removed = record_write("left", number=2, status=RecordStatus.REMOVED)
        writes = [moved, new, untold, removed]
        await drop_marks(store)
        async with store.transaction(Urgency.INTAKE) as tx:
            state, other = await open_pass(tx), await open_pass(tx, stream=STOCK)
            since = [change.sequence for change in await tx.changes.since(0, 10)][-1]
            await tx.passes.stage(state, writes)
            await tx.passes.stage(other, [record_write("elsewhere")])
            assert 3 == await tx.passes.apply_staged(state, 3, NOW)
            assert [told(removed)] == list(await tx.passes.staged(state, 10))
            assert RecordStatus.LIVE is (await tx.records.known(ENQ, [removed.reference]))[removed.reference].status
            assert 1 == await tx.passes.apply_staged(state, 3, NOW)
            assert 0 == await tx.passes.apply_staged(state, 3, NOW)
            assert 1 == len(await tx.passes.staged(other, 10))
        async with store.transaction(Urgency.INTAKE) as tx:
            staged = await self._outcome(tx, writes, since)
            await tx.records.write(state, writes, NOW)
            assert staged == await self._outcome(tx, writes, since + 3)
            assert {key(1), key(2), key(3), key(4)} == {mark.key for mark in await tx.titles.due(NOW, 10)}
            assert [key(4)] == list(await tx.titles.find(key(4).isbn))

    @staticmethod
    async def _outcome(tx: Transaction, writes, since: int) -> tuple[object, ...]:
        """Records with their ids, and the lines of the change log."""
        lines = [replace(change, sequence=0) for change in await tx.changes.since(since, 3)]
        return await tx.records.known(ENQ, [write.reference for write in writes]), lines

    async def test_of_a_context_that_was_staged_the_essence_comes_back(self, store: Store):
        header = MessageHeader(
            sender="Éditions", number="7", repeat="1", sent_at_text="20260302", default_currency="CAD"
        )
        written = record_write(context=replace(CONTEXT, header=header))
        async with store.transaction(Urgency.INTAKE) as tx:
            state = await open_pass(tx)
            await tx.passes.stage(state, [written])
            [found] = await tx.passes.staged(state, 10)
        assert replace(told(written), context=replace(CONTEXT, header=MessageHeader(default_currency="CAD"))) == found

    async def test_what_is_staged_is_found_by_reference(self, store: Store):
        first, second, later = (record_write(name, number=n) for n, name in enumerate(("ré1", "r2", "ré1")))
        async with store.transaction(Urgency.INTAKE) as tx:
            state, other = await open_pass(tx), await open_pass(tx, stream=STOCK)
            await tx.passes.stage(state, [first, second, later])
            await tx.passes.stage(other, [record_write("r3")])
            wanted = [RecordReference(name) for name in ("ré1", "r3", "nobody")]
            assert {later.reference: told(later)} == await tx.passes.staged_of(state, wanted)
            assert {} == await tx.passes.staged_of(state, [])
            await tx.passes.unstage(state, [later.reference])
            assert {} == await tx.passes.staged_of(state, wanted)

    async def test_stored_records_with_staged_writes_are_named_by_their_ids(self, store: Store):
        """Whether or not the write knows that its record is stored."""
        await apply(store, record_write("known"), record_write("staged elsewhere"), record_write("left"))
        await apply(store, record_write("new"), source=OTHER)
        [known] = await ids_of(store, "known")
        async with store.transaction(Urgency.INTAKE) as tx:
            state, other = await open_pass(tx), await open_pass(tx, stream=STOCK)
            await tx.passes.stage(state, [record_write("known"), record_write("new")])
            await tx.passes.stage(other, [record_write("staged elsewhere")])
            assert {known: RecordReference("known")} == await tx.passes.staged_ids(state)
            await tx.passes.unstage(state, [RecordReference("known")])
            assert {} == await tx.passes.staged_ids(state)

    async def test_seen_records_add_up(self, store: Store):
        async with store.transaction(Urgency.INTAKE) as tx:
            state, other = await open_pass(tx), await open_pass(tx, stream=STOCK)
            await tx.passes.see(state, [RecordId(1), RecordId(9)])
            await tx.passes.see(state, {RecordId(9), RecordId(200_000)})
            await tx.passes.see(state, [])
            await tx.passes.see(other, [RecordId(5)])
            seen = await tx.passes.seen(state)
            assert {1, 9, 200_000} == set(seen)
            assert 3 == len(seen)
            assert 9 in seen
            assert 8 not in seen
            assert 5 not in seen
            assert 10_000_000 not in seen

    async def test_a_complete_full_pass_moves_the_marks_of_its_stream(self, store: Store):
        async with store.transaction(Urgency.INTAKE) as tx:
            state = await tx.passes.begin(ENQ, ONIX, PassMode.FULL, staged=True, at=NOW)
            await tx.passes.stage(state, [record_write()])
            await tx.passes.see(state, [RecordId(1)])
            state.report.count(RecordOutcome.UNCHANGED, 12)
            state.report.complete = True
            await tx.passes.finish(state, state.report, cursor=b"end", at=NOW + SECOND)

            assert await tx.passes.unfinished(ENQ, ONIX) is None
            assert [] == list(await tx.passes.staged(state, 10))
            assert [] == list(await tx.passes.seen(state))
            assert StreamState(
                cursor=b"end", last_complete_at=NOW + SECOND, last_full_at=NOW + SECOND, last_full_records=12
            ) == await tx.passes.stream(ENQ, ONIX)
            assert await tx.passes.has_completed(ENQ, [ONIX])
            assert not await tx.passes.has_completed(ENQ, [ONIX, STOCK])
            assert not await tx.passes.has_completed(OTHER, [ONIX])
            assert [(state.report, NOW + SECOND)] == list(await tx.passes.recent(10))

    async def test_a_complete_delta_keeps_what_the_last_full_pass_left(self, store: Store):
        async with store.transaction(Urgency.INTAKE) as tx:
            full = await open_pass(tx)
            full.report.complete = True
            await tx.passes.finish(full, full.report, cursor=b"1", at=NOW)
            delta = await open_pass(tx, mode=PassMode.DELTA)
            delta.report.complete = True
            await tx.passes.finish(delta, delta.report, cursor=None, at=NOW + SECOND)
            assert StreamState(
                cursor=b"1", last_complete_at=NOW + SECOND, last_full_at=NOW, last_full_records=0
            ) == await tx.passes.stream(ENQ, ONIX)

    async def test_a_pass_that_was_not_complete_moves_nothing(self, store: Store):
        async with store.transaction(Urgency.INTAKE) as tx:
            state = await open_pass(tx)
            await tx.passes.finish(state, state.report, cursor=b"end", at=NOW)
            assert StreamState() == await tx.passes.stream(ENQ, ONIX)
            assert await tx.passes.unfinished(ENQ, ONIX) is None
            assert not await tx.passes.has_completed(ENQ, [ONIX])

    async def test_recent_passes_newest_first(self, store: Store):
        async with store.transaction(Urgency.INTAKE) as tx:
            for stream in (ONIX, STOCK):
                await open_pass(tx, stream=stream)
            assert [(STOCK, None), (ONIX, None)] == [(report.stream, at) for report, at in await tx.passes.recent(5)]
            assert [STOCK] == [report.stream for report, _ in await tx.passes.recent(1)]

    # --- titles ---------------------------------------------------------------------------------------------------------

    async def test_a_title_is_the_live_records_of_its_streams(self, store: Store):
        await apply(store, record_write("r1"), record_write("r2"), record_write("r3", status=RecordStatus.REMOVED))
        await apply(store, record_write("r4", key=key(1, PDF)))
        await apply(store, record_write("x1", key=key(source=OTHER)), source=OTHER)
        memory = Remembered(withdrawn={"CAD": frozenset({"CA", "US"})})

        async with store.transaction(Urgency.TRADE) as tx:
            await tx.titles.remember({key(): memory})
            [title] = await tx.titles.read(key())
            both = await tx.titles.read(key(1, OPEN_FORMAT))
            assert Title(key=key(), records=(product("r1"), product("r2")), remembered=memory) == title
            assert [key(), key(1, PDF)] == [found.key for found in both]
            assert [key(), key(1, PDF), key(source=OTHER)] == sorted(await tx.titles.find(key().isbn))
            assert {key(): memory} == await tx.titles.remembered([key(), key(1, PDF)])

    async def test_what_names_no_format_belongs_to_every_title_of_its_isbn(self, store: Store):
        """In one source, and in the order in which records were first known."""
        await apply(store, record_write("row", key=key(1, OPEN_FORMAT)), record_write("other row", number=2))
        await apply(store, record_write("r1"), record_write("r2", key=key(1, PDF)))
        await apply(store, record_write("x1", key=key(source=OTHER)), source=OTHER)

        async with store.transaction(Urgency.TRADE) as tx:
            assert [
                Title(key=key(), records=(product("row"), product("r1"))),
                Title(key=key(1, PDF), records=(product("row"), product("r2"))),
            ] == list(await tx.titles.read(key(1, OPEN_FORMAT)))
            assert [Title(key=key(), records=(product("row"), product("r1")))] == list(await tx.titles.read(key()))
            assert [Title(key=key(source=OTHER), records=(product("x1"),))] == list(
                await tx.titles.read(key(source=OTHER))
            )
            marks = [DueMark(key=of, sequence=1) for of in (key(), key(1, PDF))]
            found = await tx.titles.unawaited(marks)
            assert [(product("row"), product("r1")), (product("row"), product("r2"))] == [
                due.title.records for due in found
            ]

    @pytest.mark.parametrize("staged", [False, True])
    async def test_what_names_no_format_marks_the_titles_of_its_isbn(self, store: Store, staged: bool):
        """New, changed, under another ISBN, vanished; and none where no other record has named one."""
        row = record_write("row", key=key(1, OPEN_FORMAT))
        moved = replace(row, key=key(2, OPEN_FORMAT), previous_key=key(1, OPEN_FORMAT))
        gone = replace(moved, status=RecordStatus.VANISHED, previous_key=key(2, OPEN_FORMAT))
        await apply(store, record_write("r1"), record_write("r2", key=key(1, PDF)), record_write("r3", number=2))
        await apply(store, record_write("x1", key=key(source=OTHER)), source=OTHER)
        for write, due in ((row, {key(), key(1, PDF)}), (moved, {key(), key(1, PDF), key(2)}), (gone, {key(2)})):
            await drop_marks(store)
            await self._write(store, write, staged=staged)
            async with store.transaction(Urgency.TRADE) as tx:
                assert due == {mark.key for mark in await tx.titles.due(NOW, 10)}

    @pytest.mark.parametrize("staged", [False, True])
    async def test_what_names_no_format_is_no_title_by_itself(self, store: Store, staged: bool):
        """It is taken up as soon as a record names one."""
        await self._write(store, record_write("row", key=key(1, OPEN_FORMAT)), staged=staged)
        memory = Remembered(withdrawn={"CAD": frozenset({"CA"})})
        async with store.transaction(Urgency.TRADE) as tx:
            await tx.titles.remember({key(1, OPEN_FORMAT): memory})
            assert [] == list(await tx.titles.due(NOW, 10))
            assert [] == list(await tx.titles.find(key().isbn))
            assert [] == list(await tx.titles.read(key()))
            assert [] == list(await tx.titles.read(key(1, OPEN_FORMAT)))
            await tx.titles.mark_source_due(ENQ)
            assert [] == list(await tx.titles.due(NOW, 10))
        await self._write(store, record_write("r1"), staged=staged)
        async with store.transaction(Urgency.TRADE) as tx:
            [mark] = await tx.titles.due(NOW, 10)
            [title] = await tx.titles.read(mark.key)
            assert Title(key=key(), records=(product("row"), product("r1")), remembered=memory) == title
            assert [key()] == list(await tx.titles.find(key().isbn))

    @staticmethod
    async def _write(store: Store, write: RecordWrite, *, staged: bool) -> None:
        async with store.transaction(Urgency.INTAKE) as tx:
            state = await open_pass(tx)
            if staged:
                await tx.passes.stage(state, [write])
                assert 1 == await tx.passes.apply_staged(state, 10, NOW)
            else:
                await tx.records.write(state, [write], NOW)

    async def test_a_title_was_removed_though_what_names_no_format_is_left(self, store: Store):
        await apply(store, record_write("row", key=key(1, OPEN_FORMAT)), record_write("r1"), record_write("r2"))
        await apply(store, record_write("r1", status=RecordStatus.REMOVED))
        async with store.transaction(Urgency.TRADE) as tx:
            [title] = await tx.titles.read(key())
            assert ((product("row"), product("r2")), False) == (title.records, title.was_removed)
        await apply(store, record_write("r2", status=RecordStatus.VANISHED))
        async with store.transaction(Urgency.TRADE) as tx:
            [title] = await tx.titles.read(key())
            assert ((product("row"),), True) == (title.records, title.was_removed)
            [due] = await tx.titles.unawaited([DueMark(key=key(), sequence=1)])
            assert title == due.title

    async def test_what_is_remembered_of_an_isbn_is_remembered_of_its_titles(self, store: Store):
        own = Remembered(withdrawn={"CAD": frozenset({"CA"}), "USD": frozenset({"US"})})
        of_isbn = Remembered(withdrawn={"CAD": frozenset({"US"}), "EUR": frozenset({"FR"})})
        both = Remembered(
            withdrawn={"CAD": frozenset({"CA", "US"}), "EUR": frozenset({"FR"}), "USD": frozenset({"US"})}
        )
        await apply(store, record_write("r1"), record_write("r2", key=key(1, PDF)), record_write("r3", number=2))
        async with store.transaction(Urgency.TRADE) as tx:
            await tx.titles.remember({key(): own, key(1, OPEN_FORMAT): of_isbn})
            assert [both, of_isbn] == [title.remembered for title in await tx.titles.read(key(1, OPEN_FORMAT))]
            assert [Remembered()] == [title.remembered for title in await tx.titles.read(key(2))]
            marks = [DueMark(key=of, sequence=1) for of in (key(), key(1, PDF), key(2))]
            found = await tx.titles.unawaited(marks)
            assert [both, of_isbn, Remembered()] == [due.title.remembered for due in found]
            assert {key(): own} == await tx.titles.remembered([key()])

    async def test_a_title_whose_records_are_all_gone_was_removed(self, store: Store):
        await apply(store, record_write("r1"), record_write("r2", number=2))
        await apply(store, record_write("r1", status=RecordStatus.VANISHED), record_write("r2", number=3))

        async with store.transaction(Urgency.TRADE) as tx:
            for number, removed in ((1, True), (2, True), (3, False)):
                [title] = await tx.titles.read(key(number))
                assert (removed, 0 if removed else 1) == (title.was_removed, len(title.records))

    async def test_a_title_that_no_record_ever_named_is_not_there(self, store: Store):
        async with store.transaction(Urgency.TRADE) as tx:
            await tx.titles.decide([decided(key(), NOW)])
            await tx.titles.mark_due([key()])
            assert [] == list(await tx.titles.read(key()))
            assert [] == list(await tx.titles.read(key(1, OPEN_FORMAT)))
            assert [] == list(await tx.titles.find(key().isbn))

    async def test_titles_whose_instant_has_passed_come_before_what_merely_changed(self, store: Store):
        async with store.transaction(Urgency.TRADE) as tx:
            await tx.titles.decide([decided(key(1), NOW)])
            await tx.titles.decide([decided(key(2), NOW - SECOND)])
            await tx.titles.decide([decided(key(3), NOW + SECOND)])
            await tx.titles.decide([decided(key(4), None)])
            await tx.titles.mark_due([key(5)])
            await tx.titles.mark_due([key(1)])
            assert [key(2)] == [mark.key for mark in await tx.titles.due(NOW, 1)]
            assert [key(2), key(1)] == [mark.key for mark in await tx.titles.due(NOW, 2)]
            assert [key(2), key(1), key(5)] == [mark.key for mark in await tx.titles.due(NOW, 10)]

    async def test_a_passed_instant_goes_before_a_backlog_of_thousands(self, store: Store, reopen: Opener):
        """After new rules every title is due: a release must not wait for all of them, marked itself or not."""
        backlog = [key(number) for number in range(100, 3100)]
        async with store.transaction(Urgency.TRADE) as tx:
            await tx.titles.mark_due(backlog[:1500])
            await tx.titles.mark_due([key(1)])
            await tx.titles.mark_due(backlog[1500:])
            await tx.titles.decide([decided(key(1), NOW + SECOND)])
            await tx.titles.decide([decided(key(2), NOW + 2 * SECOND)])
            [other] = {mark.key for mark in await tx.titles.due(NOW, 1)}
            assert other in backlog
            assert key(1) == (await tx.titles.due(NOW + SECOND, 50))[0].key
            assert [key(1), key(2)] == [mark.key for mark in (await tx.titles.due(NOW + 2 * SECOND, 50))[:2]]

        async with (await reopen()).transaction(Urgency.TRADE) as tx:
            for released in (key(1), key(2)):
                await tx.titles.mark_due([released])
            for released in (key(1), key(2)):
                mark = (await tx.titles.due(NOW + 2 * SECOND, 50))[0]
                assert released == mark.key
                await tx.titles.clear([mark])
            assert set(backlog) == {mark.key for mark in await tx.titles.due(NOW + 2 * SECOND, 5000)}

    async def test_a_passed_instant_becomes_a_mark_that_survives(self, store: Store, reopen: Opener):
        async with store.transaction(Urgency.TRADE) as tx:
            await tx.titles.decide([decided(key(), NOW)])
            marks = await tx.titles.due(NOW, 10)

        async with (await reopen()).transaction(Urgency.TRADE) as tx:
            assert list(marks) == list(await tx.titles.due(NOW - SECOND, 10))
            await tx.titles.clear([marks[0]])
            assert [] == list(await tx.titles.due(NOW + SECOND, 10))

    async def test_an_instant_that_passes_while_the_title_is_worked_on_starts_it_over(self, store: Store):
        """Orders that were dealt with before a release must see it too."""
        async with store.transaction(Urgency.TRADE) as tx:
            await tx.titles.mark_due([key()])
            [mark] = await tx.titles.due(NOW, 10)
            await tx.titles.decide([decided(key(), NOW + SECOND)])
            await tx.titles.advance(mark, 500)
            assert [(key(), 500)] == [(found.key, found.position) for found in await tx.titles.due(NOW, 10)]
            [again] = await tx.titles.due(NOW + SECOND, 10)
            assert (key(), 0) == (again.key, again.position)
            await tx.titles.clear([mark])
            assert [again] == list(await tx.titles.due(NOW + SECOND, 10))

    async def test_a_mark_moves_and_is_cleared_unless_marked_anew(self, store: Store):
        async with store.transaction(Urgency.TRADE) as tx:
            await tx.titles.mark_due([key(1), key(2)])
            first, second = await tx.titles.due(NOW, 10)
            await tx.titles.advance(first, 70)
            assert {key(1): 70, key(2): 0} == {mark.key: mark.position for mark in await tx.titles.due(NOW, 10)}
            await tx.titles.mark_due(iter([key(1)]))
            renewed = {mark.key: mark for mark in await tx.titles.due(NOW, 10)}[key(1)]
            assert DueMark(key=key(1), sequence=renewed.sequence, position=0) == renewed
            assert renewed.sequence > first.sequence
            await tx.titles.advance(first, 90)
            await tx.titles.clear([first])
            await tx.titles.clear([second])
            assert [renewed] == list(await tx.titles.due(NOW, 10))
            await tx.titles.clear([renewed])
            assert [] == list(await tx.titles.due(NOW, 10))

    async def test_a_mark_made_after_an_earlier_one_was_cleared_is_another(self, store: Store):
        async with store.transaction(Urgency.TRADE) as tx:
            await tx.titles.mark_due([key()])
            [old] = await tx.titles.due(NOW, 10)
            await tx.titles.clear([old])
            await tx.titles.mark_due([key()])
            await tx.titles.clear([old])
            assert [key()] == [mark.key for mark in await tx.titles.due(NOW, 10)]

    async def test_marking_a_source_marks_its_titles_and_the_orders_that_wait(self, store: Store):
        await apply(store, record_write("r1"))
        await apply(store, record_write("x1", key=key(9, source=OTHER)), source=OTHER)
        waiting = order("o1", title=key(2, OPEN_FORMAT), state=OrderState.WAITING)
        placed = order("o2", title=key(3), state=OrderState.PLACED)
        async with store.transaction(Urgency.TRADE) as tx:
            await tx.orders.add([(waiting, event(waiting)), (placed, event(placed))])
        await drop_marks(store)

        async with store.transaction(Urgency.TRADE) as tx:
            await tx.titles.mark_due([key(1)])
            [worked_on] = await tx.titles.due(NOW, 10)
            await tx.titles.advance(worked_on, 40)
            await tx.titles.mark_source_due(ENQ)
            marks = await tx.titles.due(NOW, 10)
            assert {key(1): 0, key(2, OPEN_FORMAT): 0} == {mark.key: mark.position for mark in marks}
            await tx.titles.clear([worked_on])
            assert 2 == len(await tx.titles.due(NOW, 10))

    async def test_the_orders_of_a_source_that_wait_are_marked_without_its_titles(self, store: Store):
        await apply(store, record_write("r1"))
        waits = order("waits", title=key(2))
        gone = replace(order("gone", title=key(3)), state=OrderState.CANCELLED)
        async with store.transaction(Urgency.TRADE) as tx:
            await tx.orders.add([(waits, event(waits)), (gone, event(gone))])
        await drop_marks(store)
        async with store.transaction(Urgency.TRADE) as tx:
            await tx.titles.mark_orders_due(OTHER)
            assert [] == list(await tx.titles.due(NOW, 10))
            assert 0 == await tx.titles.count_due()
            await tx.titles.mark_orders_due(ENQ)
            assert 1 == await tx.titles.count_due()
            assert [key(2)] == [mark.key for mark in await tx.titles.due(NOW, 10)]

    async def test_marks_whose_decision_would_change_nothing_are_forgotten_so_many_at_once(self, store: Store):
        """Not those of titles with a kept offer, a timer or a live order, of unnamed ones, nor those that are being worked on."""
        await apply(store, *(record_write(f"r{number}", number=number) for number in range(1, 8)))
        await apply(store, record_write("x1", key=key(1, source=OTHER)), source=OTHER)
        waits, done = order("waits", title=key(3, OPEN_FORMAT)), order("done", title=key(4), state=OrderState.PLACED)
        async with store.transaction(Urgency.TRADE) as tx:
            await tx.titles.decide([decided(key(1), None, KnownOffer(market="CA/CAD", state="FOR_SALE", price=None))])
            await tx.titles.decide([decided(key(2), NOW + SECOND)])
            await tx.orders.add([(waits, event(waits)), (done, event(done))])
            await tx.titles.mark_due([key(9)])
            marks = {mark.key: mark for mark in await tx.titles.due(NOW, 100)}
            await tx.titles.advance(marks[key(5)], 40)
        async with store.transaction(Urgency.TRADE) as tx:
            counts = [await tx.titles.clear_moot(ENQ, 2) for _ in range(3)]
        assert [2, 1, 0] == counts
        async with store.transaction(Urgency.COMMAND) as tx:
            assert marks.keys() - {key(4), key(6), key(7)} == {mark.key for mark in await tx.titles.due(NOW, 100)}

    async def test_the_next_instant_is_the_earliest_or_the_past(self, store: Store):
        async with store.transaction(Urgency.TRADE) as tx:
            assert await tx.titles.next_at() is None
            await tx.titles.decide([decided(key(1), NOW + 2 * SECOND)])
            await tx.titles.decide([decided(key(2), NOW + timedelta(microseconds=1))])
            assert NOW + timedelta(microseconds=1) == await tx.titles.next_at()
            await tx.titles.decide([decided(key(2), None)])
            assert NOW + 2 * SECOND == await tx.titles.next_at()
            await tx.titles.mark_due([key(3)])
            past = await tx.titles.next_at()
            assert past is not None
            assert past < LONG_AGO
            assert past.tzinfo is not None

    async def test_marks_that_are_known_to_wait_do_not_make_the_next_instant_the_past(self, store: Store):
        async with store.transaction(Urgency.TRADE) as tx:
            await tx.titles.decide([decided(key(1), NOW + 2 * SECOND)])
            await tx.titles.mark_due([key(2), key(3)])
            waiting = await tx.titles.due(NOW, 10)
            assert NOW + 2 * SECOND == await tx.titles.next_at(besides=waiting)
            assert LONG_AGO > (await tx.titles.next_at(besides=waiting[:1]) or NOW)
            await tx.titles.mark_due([key(2)])
            assert LONG_AGO > (await tx.titles.next_at(besides=waiting) or NOW), (
                "a mark that was renewed is another one"
            )

    async def test_decided_offers_replace_the_ones_before(self, store: Store):
        sold = KnownOffer(market="CA/CAD", state="FOR_SALE", price="12.90 CAD", starts_at=NOW)
        planned = KnownOffer(market="US/USD", state="NOT_YET", price=None)
        async with store.transaction(Urgency.TRADE) as tx:
            assert {} == await tx.titles.known_offers(key())
            await tx.titles.decide([decided(key(), None, sold, planned), decided(key(2), None, planned)])
            assert {"CA/CAD": sold, "US/USD": planned} == await tx.titles.known_offers(key())
            await tx.titles.decide([decided(key(), None, replace(sold, state="REMOVED"))])
            assert {"CA/CAD": replace(sold, state="REMOVED")} == await tx.titles.known_offers(key())
            assert {"US/USD": planned} == await tx.titles.known_offers(key(2))
            await tx.titles.decide([DecidedTitle(key=key(2), offers=None, next_at=NOW)])
            assert {"US/USD": planned} == await tx.titles.known_offers(key(2)), "they are as they were"
            assert NOW == await tx.titles.next_at()

    # --- the change log -------------------------------------------------------------------------------------------------

    async def test_titles_that_no_order_waits_for_are_read_with_all_that_a_decision_needs(self, store: Store):
        offer = KnownOffer(market="CA/CAD", state="FOR_SALE", price="12.90 CAD", starts_at=NOW)
        memory = Remembered(withdrawn={"CAD": frozenset({"CA"})})
        await apply(
            store,
            record_write("r1"),
            record_write("ré1"),
            record_write("r2", number=2, status=RecordStatus.REMOVED),
            record_write("r3", number=3),
            record_write("of another format", key=key(3, PDF)),
            record_write("r4", number=4),
        )
        waits = order("waits", title=key(4, OPEN_FORMAT))
        done = replace(order("done", title=key(1)), state=OrderState.PLACED)
        async with store.transaction(Urgency.TRADE) as tx:
            await tx.orders.add([(waits, event(waits)), (done, event(done))])
            await tx.titles.remember({key(1): memory, key(5): memory})
            await tx.titles.decide([decided(key(1), None, offer), decided(key(2), None)])
            wanted = (key(2), key(1), key(3), key(4), key(4, OPEN_FORMAT), key(5), key(6))
            marks = [DueMark(key=of, sequence=n) for n, of in enumerate(wanted)]
            found = await tx.titles.unawaited([*marks, DueMark(key=key(3, PDF), sequence=9, position=1)])
            assert [
                DueTitle(mark=marks[0], title=Title(key=key(2), was_removed=True), offers={}),
                DueTitle(
                    mark=marks[1],
                    title=Title(key=key(1), records=(product("r1"), product("ré1")), remembered=memory),
                    offers={"CA/CAD": offer},
                ),
                DueTitle(mark=marks[2], title=Title(key=key(3), records=(product("r3"),)), offers={}),
            ] == list(found)
            assert [] == list(await tx.titles.unawaited([]))

    async def test_the_change_log_numbers_its_lines(self, store: Store, reopen: Opener):
        fields = (FieldChange(field="price", old="1.00", new=None),)
        offer = Change(
            at=NOW, source=ENQ, kind=ChangeKind.OFFER, key=key(), market="CA/CAD", fields=fields, sequence=77
        )
        removed = Change(at=NOW + SECOND, source=OTHER, kind=ChangeKind.REMOVED, reference=RecordReference("r1"))
        async with store.transaction(Urgency.TRADE) as tx:
            await tx.changes.append([offer, removed])
            await tx.changes.append([])

        async with (await reopen()).transaction(Urgency.COMMAND) as tx:
            first, second = await tx.changes.since(0, 10)
            assert [offer, removed] == [replace(first, sequence=77), replace(second, sequence=0)]
            assert 0 < first.sequence < second.sequence
            assert [second] == list(await tx.changes.since(first.sequence, 10))
            assert [first] == list(await tx.changes.since(0, 1))
            assert [] == list(await tx.changes.since(second.sequence, 10))

    # --- orders ---------------------------------------------------------------------------------------------------------

    async def test_orders_come_back_whole_and_mark_their_titles_due(self, store: Store, reopen: Opener):
        full = order("o/1 é", amount=Decimal("12.50"), paid_amount=Decimal("0E-2"), reason=Reason.AMBIGUOUS, note="n")
        async with store.transaction(Urgency.COMMAND) as tx:
            await tx.orders.add([(full, event(full, note="taken")), (order("o2"), event(order("o2")))])

        async with (await reopen()).transaction(Urgency.COMMAND) as tx:
            found = await tx.orders.get([full.order_id, OrderId("nobody")])
            assert {full.order_id: full} == found
            assert str(full.paid_amount) == str(found[full.order_id].paid_amount)
            assert [event(full, note="taken")] == list(await tx.orders.history(full.order_id))
            assert [key()] == [mark.key for mark in await tx.titles.due(NOW, 10)]

    async def test_an_order_id_is_taken_once(self, store: Store):
        async with store.transaction(Urgency.COMMAND) as tx:
            await tx.orders.add([(order("o1"), event(order("o1")))])

        with pytest.raises(StoreFailed):
            async with store.transaction(Urgency.COMMAND) as tx:
                await tx.orders.add([(order("o2"), event(order("o2"))), (order("o1"), event(order("o1")))])

        async with store.transaction(Urgency.COMMAND) as tx:
            assert [OrderId("o1")] == list(await tx.orders.get([OrderId("o1"), OrderId("o2")]))

    async def test_a_section_with_a_refused_write_is_not_kept_even_where_its_caller_goes_on(self, store: Store):
        async with store.transaction(Urgency.COMMAND) as tx:
            await tx.orders.add([(order("o1"), event(order("o1")))])

        async def go_on() -> None:
            async with store.transaction(Urgency.COMMAND) as tx:
                await tx.controls.set_setting("a", "1")
                with pytest.raises(StoreFailed):
                    await tx.orders.add([(order("o2"), event(order("o2"))), (order("o1"), event(order("o1")))])

        with pytest.raises(StoreFailed):
            await go_on()

        async with store.transaction(Urgency.COMMAND) as tx:
            assert await tx.controls.setting("a") is None

    async def test_saved_orders_move_with_their_state_and_title(self, store: Store):
        received = order("o1", title=key(1, OPEN_FORMAT))
        placed = replace(received, state=OrderState.PLACED, key=key(1, PDF), updated_at=NOW + SECOND, receipt="tok")
        moved = event(placed, before=OrderState.RECEIVED, at=NOW + SECOND, reason=Reason.UNPRICED)
        async with store.transaction(Urgency.TRADE) as tx:
            await tx.orders.add([(received, event(received))])
            await tx.orders.save([(replace(received, note="quiet"), None)])
            await tx.orders.save([(placed, moved)])
            assert {received.order_id: placed} == await tx.orders.get([received.order_id])
            assert [event(received), moved] == list(await tx.orders.history(received.order_id))
            assert {OrderState.PLACED: 1} == {s: n for s, n in (await tx.orders.counts()).items() if n}
            found = await tx.orders.of_title(key(1, PDF), [OrderState.PLACED], after=0, limit=10)
            assert [placed] == [found_order for _, found_order in found]
            assert [] == list(await tx.orders.of_title(key(1), list(OrderState), after=0, limit=10))

    async def test_saving_an_order_that_was_never_added_is_refused(self, store: Store):
        with pytest.raises(StoreFailed, match="not in the register"):
            async with store.transaction(Urgency.TRADE) as tx:
                await tx.orders.save([(order(), None)])

    async def test_the_orders_of_a_title_are_those_of_its_format_and_of_open_ones(self, store: Store):
        orders = [
            order("epub"),
            order("pdf", title=key(1, PDF)),
            order("open", title=key(1, OPEN_FORMAT)),
            order("waiting", state=OrderState.WAITING),
            order("refused", state=OrderState.REFUSED),
            order("other isbn", title=key(2)),
            order("other source", title=key(source=OTHER)),
        ]
        live = [OrderState.WAITING, OrderState.RECEIVED, OrderState.RECEIVED]
        async with store.transaction(Urgency.TRADE) as tx:
            await tx.orders.add([(each, event(each)) for each in orders])
            of_title = partial(tx.orders.of_title, states=live)
            epub = await of_title(key(), after=0, limit=10)
            assert ["epub", "open", "waiting"] == [found.order_id for _, found in epub]
            assert sorted(position for position, _ in epub) == [position for position, _ in epub]
            every = await of_title(key(1, OPEN_FORMAT), after=0, limit=10)
            assert ["epub", "pdf", "open", "waiting"] == [found.order_id for _, found in every]
            rest = await of_title(key(), after=epub[0][0], limit=1)
            assert ["open"] == [found.order_id for _, found in rest]
            assert [] == list(await of_title(key(), after=epub[-1][0], limit=10))
            assert [] == list(await tx.orders.of_title(key(), [], after=0, limit=10))

    async def test_orders_are_listed_by_what_is_asked(self, store: Store):
        orders = [
            order("1"),
            order("2", state=OrderState.ATTENTION),
            order("3", title=key(2), state=OrderState.ATTENTION),
            order("4", title=key(source=OTHER), state=OrderState.PLACED),
        ]
        async with store.transaction(Urgency.COMMAND) as tx:
            await tx.orders.add([(each, event(each)) for each in orders])

            async def listed(**query) -> list[str]:
                return [found.order_id for _, found in await tx.orders.list(OrderQuery(**query))]

            assert ["1", "2", "3", "4"] == await listed()
            assert ["2", "3"] == await listed(states=(OrderState.ATTENTION,))
            assert ["2", "3", "4"] == await listed(states=(OrderState.PLACED, OrderState.ATTENTION))
            assert ["2", "3"] == await listed(states=(OrderState.PLACED, OrderState.ATTENTION), limit=2)
            assert ["4"] == await listed(source=OTHER)
            assert ["1", "2", "4"] == await listed(isbn=key().isbn)
            assert ["2"] == await listed(isbn=key().isbn, source=ENQ, states=(OrderState.ATTENTION,))
            [(position, _)] = await tx.orders.list(OrderQuery(limit=1))
            assert ["2", "3", "4"] == await listed(after=position)
            assert {OrderState.RECEIVED: 1, OrderState.ATTENTION: 2, OrderState.PLACED: 1} == {
                state: number for state, number in (await tx.orders.counts()).items() if number
            }

    # --- the outbox -----------------------------------------------------------------------------------------------------

    async def test_an_entry_is_claimed_with_all_it_needs(self, store: Store):
        given = new_entry(order_id="o1", gate="g1")
        await put(store, given)

        [entry] = await claim(store)

        assert (
            Entry(
                id=entry.id,
                operation=given.operation,
                state=EntryState.CLAIMED,
                order_id=OrderId("o1"),
                gate="g1",
                due_at=NOW,
                created_at=NOW,
            )
            == entry
        )
        assert ENQ == entry.source
        assert [] == await claim(store)

    async def test_due_entries_come_by_priority_then_age(self, store: Store):
        await put(
            store,
            new_entry("refund", kind=OperationKind.REFUND),
            new_entry("sale 1"),
            new_entry("declaration", kind=OperationKind.DECLARATION),
            new_entry("sale 2"),
            new_entry("probe", kind=OperationKind.PROBE),
            new_entry("later", due_at=NOW + SECOND),
            new_entry("elsewhere", source=OTHER),
        )

        assert ["probe", "sale 1", "sale 2"] == names(await claim(store, limit=3))
        assert ["declaration", "refund"] == names(await claim(store))
        assert ["later"] == names(await claim(store, NOW + SECOND))
        assert ["elsewhere"] == names(await claim(store, sources=[OTHER]))

    async def test_entries_of_two_sources_share_one_order(self, store: Store):
        await put(
            store,
            new_entry("b", source=OTHER),
            new_entry("c"),
            new_entry("d", source=OTHER),
            new_entry("a", kind=OperationKind.PROBE),
        )

        assert ["a", "b", "c"] == names(await claim(store, limit=3, sources=[ENQ, OTHER]))
        assert [] == await claim(store, sources=[ENQ])
        assert [] == await claim(store, sources=[])

    async def test_of_one_priority_the_unknown_go_before_the_new_and_stay_unknown_in_hand(self, store: Store):
        await put(store, new_entry("unknown"))
        [entry] = await claim(store)
        await put(store, new_entry("new"))
        await save(store, replace(entry, state=EntryState.UNKNOWN, attempts=1, request=REQUEST, ever_sent=True))

        unknown, new = await claim(store)

        assert (EntryState.UNKNOWN, EntryState.CLAIMED) == (unknown.state, new.state)
        assert (REQUEST, True, 1) == (unknown.request, unknown.ever_sent, unknown.attempts)
        assert [] == await claim(store)

    async def test_new_sales_behind_a_closed_gate_stay_where_they_are(self, store: Store):
        await put(store, new_entry("doubted", gate="g1"))
        [doubted] = await claim(store)
        await save(store, replace(doubted, state=EntryState.UNKNOWN, attempts=1, request=REQUEST, ever_sent=True))
        await put(
            store,
            new_entry("probe", kind=OperationKind.PROBE, gate="g1"),
            new_entry("behind", gate="g1"),
            new_entry("another", gate="g2"),
            new_entry("ungated", gate="nobody asked yet"),
        )
        gate = Gate(id="g1", key=key(), market=CANADA, state=GateState.PROBING, since=NOW)
        async with store.transaction(Urgency.TRADE) as tx:
            await tx.outbox.save_gates([gate, replace(gate, id="g2", state=GateState.OPEN)])

        assert ["probe", "doubted", "another", "ungated"] == names(await claim(store))
        for state in (GateState.STALE, GateState.REFUSED):
            async with store.transaction(Urgency.TRADE) as tx:
                await tx.outbox.save_gates([replace(gate, state=state)])
            assert [] == await claim(store)
        async with store.transaction(Urgency.TRADE) as tx:
            await tx.outbox.save_gates([replace(gate, state=GateState.OPEN)])
        assert ["behind"] == names(await claim(store))

    async def test_an_unknown_refund_never_goes_before_a_new_sale(self, store: Store):
        await put(store, new_entry("refund", kind=OperationKind.REFUND))
        [entry] = await claim(store)
        await save(store, replace(entry, state=EntryState.UNKNOWN, attempts=1, request=REQUEST, ever_sent=True))
        await put(store, new_entry("sale"))

        assert ["sale", "refund"] == [found.operation.reference for found in await claim(store)]

    async def test_less_urgent_kinds_are_left_where_they_are(self, store: Store):
        await put(store, *(new_entry(kind.value, kind=kind) for kind in OperationKind))

        async with store.transaction(Urgency.DELIVERY) as tx:
            urgent = await tx.outbox.claim([ENQ], NOW, 100, least_urgent=OperationKind.SALE)

        assert ["probe", "sale"] == [found.operation.reference for found in urgent]
        assert ["declaration", "refund"] == [found.operation.reference for found in await claim(store)]

    async def test_entries_of_one_order_go_strictly_in_sequence(self, store: Store):
        await put(
            store,
            new_entry("declaration", kind=OperationKind.DECLARATION, order_id="o1"),
            new_entry("sale", order_id="o1"),
            new_entry("of another", order_id="o2"),
        )

        first = {entry.operation.reference: entry for entry in await claim(store)}
        assert {"declaration", "of another"} == set(first)
        assert [] == await claim(store)
        for state in (EntryState.SENT, EntryState.PARKED):
            await save(store, replace(first["declaration"], state=state))
            assert [] == await claim(store)
        await save(store, replace(first["declaration"], state=EntryState.SETTLED))
        assert ["sale"] == names(await claim(store))

    async def test_a_postponed_entry_is_due_again_at_its_instant(self, store: Store):
        await put(store, new_entry())
        [entry] = await claim(store)
        await save(store, replace(entry, state=EntryState.PENDING, due_at=NOW + SECOND, note="slow down \udcff"))

        assert [] == await claim(store)
        [again] = await claim(store, NOW + SECOND)
        assert (entry.id, "slow down ?") == (again.id, again.note)

    async def test_recovery_gives_claims_back_and_doubts_what_was_sent(self, store: Store, reopen: Opener):
        await put(store, *(new_entry(name) for name in ("pending", "claimed", "sent", "unknown", "parked", "settled")))
        entries = {entry.operation.reference: entry for entry in await claim(store)}
        for state in EntryState:
            if state in {
                EntryState.SENT,
                EntryState.UNKNOWN,
                EntryState.PARKED,
                EntryState.SETTLED,
                EntryState.PENDING,
            }:
                await save(store, replace(entries[state.value], state=state, request=REQUEST))
        in_hand = {entry.operation.reference: entry.state for entry in await claim(store)}
        assert {"unknown": EntryState.UNKNOWN, "pending": EntryState.CLAIMED} == in_hand

        store = await reopen()
        async with store.transaction(Urgency.DELIVERY) as tx:
            assert 1 == await tx.outbox.recover()
            assert 0 == await tx.outbox.recover()
            counts = await tx.outbox.counts()
        assert {"pending": 2, "unknown": 2, "parked": 1, "settled": 1} == {s: n for s, n in counts.items() if n}
        assert ["sent", "unknown", "pending", "claimed"] == names(await claim(store))

    async def test_a_settled_entry_leaves_for_its_history(self, store: Store):
        await put(store, new_entry("first", order_id="o1"), new_entry("second", order_id="o1"))
        [entry] = await claim(store)
        settled = replace(entry, state=EntryState.SETTLED, attempts=2, request=REQUEST, ever_sent=True, note="done")
        await save(store, settled)

        async with store.transaction(Urgency.DELIVERY) as tx:
            assert settled == await tx.outbox.get(entry.id)
            assert await tx.outbox.get(EntryId(999)) is None
            assert ["second"] == names(await tx.outbox.of_order(OrderId("o1")))
            assert [] == list(await tx.outbox.of_order(OrderId("nobody")))
            counts = await tx.outbox.counts()
            assert (1, 1, 0) == (counts["settled"], counts["pending"], counts["parked"])
        with pytest.raises(StoreFailed, match="not in the outbox"):
            await save(store, settled)

    async def test_several_entries_are_kept_at_once_or_not_at_all(self, store: Store):
        await put(store, *(new_entry(name) for name in ("settled", "unknown", "sent")))
        settled, unknown, sent = await claim(store)
        entries = [
            replace(settled, state=EntryState.SETTLED, attempts=1, request=REQUEST, ever_sent=True, note="done"),
            replace(unknown, state=EntryState.UNKNOWN, attempts=1, request=REQUEST, ever_sent=True),
            replace(sent, state=EntryState.SENT, attempts=1, request=REQUEST, ever_sent=True),
        ]
        async with store.transaction(Urgency.DELIVERY) as tx:
            await tx.outbox.save(*entries)
            await tx.outbox.save()
        async with store.transaction(Urgency.DELIVERY) as tx:
            assert entries == [await tx.outbox.get(entry.id) for entry in entries]
            assert 1 == (await tx.outbox.counts())["settled"]
        with pytest.raises(StoreFailed, match="1 of the entries"):
            async with store.transaction(Urgency.DELIVERY) as tx:
                await tx.outbox.save(replace(entries[2], state=EntryState.SETTLED), entries[0])
        async with store.transaction(Urgency.DELIVERY) as tx:
            assert EntryState.SENT is (await tx.outbox.get(sent.id)).state  # type: ignore[union-attr]

    async def test_what_has_ended_is_not_to_be_sent(self, store: Store):
        await put(store, *(new_entry(name) for name in ("settled", "parked", "sent", "claimed", "revoked", "pending")))
        settled, parked, sent, claimed, revoked = await claim(store, limit=5)
        await save(store, replace(settled, state=EntryState.SETTLED))
        await save(store, replace(parked, state=EntryState.PARKED))
        await save(store, replace(sent, state=EntryState.SENT, ever_sent=True))
        pending_id = EntryId(revoked.id + 1)
        every = [settled.id, parked.id, sent.id, claimed.id, revoked.id, pending_id, EntryId(999)]

        async with store.transaction(Urgency.DELIVERY) as tx:
            await tx.outbox.revoke([revoked.id])
            assert {sent.id, claimed.id, pending_id} == set(await tx.outbox.sendable(every))
            assert {sent.id} == set(await tx.outbox.sendable([sent.id]))
            assert set() == set(await tx.outbox.sendable([]))

    async def test_what_a_gate_holds_back_is_not_to_be_sent(self, store: Store):
        gate = Gate(id="g", key=key(), market=CANADA, state=GateState.OPEN, since=NOW)
        await put(store, new_entry("sale", gate="g"), new_entry("known", gate="g"), new_entry("ungated"))
        await put(store, new_entry("unheard of", gate="h"), new_entry("probe", kind=OperationKind.PROBE, gate="g"))
        entries = {entry.operation.reference: entry for entry in await claim(store)}
        await save(store, replace(entries["known"], state=EntryState.SENT, ever_sent=True))
        for state in GateState:
            async with store.transaction(Urgency.DELIVERY) as tx:
                await tx.outbox.save_gates([replace(gate, state=state)])
                sendable = await tx.outbox.sendable([entry.id for entry in entries.values()])
            held = {"sale"} if state is not GateState.OPEN else set()
            assert set(entries) - held == {name for name, entry in entries.items() if entry.id in sendable}

    async def test_of_a_paused_source_nothing_is_due_or_claimed_or_to_be_sent(self, store: Store):
        await put(store, new_entry("in hand"), new_entry("next"), new_entry("elsewhere", source=OTHER))
        [in_hand] = await claim(store, limit=1)
        async with store.transaction(Urgency.DELIVERY) as tx:
            await tx.controls.pause(ENQ, "by hand")
            assert set() == set(await tx.outbox.sendable([in_hand.id]))
            assert await tx.outbox.next_at([ENQ]) is None
            assert NOW == await tx.outbox.next_at([ENQ, OTHER])
            assert [] == list(await tx.outbox.claim([ENQ], NOW, 10))
            await tx.controls.resume(ENQ)
            assert {in_hand.id} == set(await tx.outbox.sendable([in_hand.id]))
        assert ["next"] == names(await claim(store))

    async def test_what_has_ended_is_noted_no_more(self, store: Store):
        await put(store, *(new_entry(name) for name in ("settled", "parked", "sent")))
        settled, parked, sent = await claim(store)
        await save(store, replace(settled, state=EntryState.SETTLED, note="before"))
        await save(store, replace(parked, state=EntryState.PARKED, note="before"))
        entries = [replace(each, state=EntryState.SETTLED, note="now") for each in (settled, parked, sent)]
        receipt = Receipt(arrival=Arrival.ANSWERED, at=NOW, status=200)
        lines = [
            LoggedReceipt(entry_id=each.id, receipt=receipt, verdict=Verdict(outcome=Outcome.ACCEPTED), request=REQUEST)
            for each in entries
        ]

        async with store.transaction(Urgency.DELIVERY) as tx:
            assert {sent.id} == set(await tx.outbox.note(entries, lines))
            assert set() == set(await tx.outbox.note([], ()))
            found = [await tx.outbox.get(each.id) for each in entries]
            assert ["before", "before", "now"] == [each.note for each in found if each]
            assert [0, 0, 1] == [len(await tx.outbox.receipts(each.id)) for each in entries]

    async def test_the_entries_of_several_orders_are_read_at_once(self, store: Store):
        await put(
            store,
            new_entry("first", order_id="o1"),
            new_entry("other", order_id="o2"),
            new_entry("second", order_id="o1"),
            new_entry("nobody's"),
        )
        async with store.transaction(Urgency.TRADE) as tx:
            found = await tx.outbox.of_orders([OrderId("o1"), OrderId("o2"), OrderId("o3")])
            assert {"o1": ["first", "second"], "o2": ["other"]} == {each: names(owed) for each, owed in found.items()}
            assert {} == await tx.outbox.of_orders([])

    async def test_unsent_sales_are_counted_up_to_a_bound(self, store: Store):
        await put(store, *(new_entry(name) for name in "abcd"), new_entry("elsewhere", source=OTHER))
        await put(store, new_entry("declared", kind=OperationKind.DECLARATION))
        await claim(store, limit=1)
        async with store.transaction(Urgency.TRADE) as tx:
            assert [3, 2, 1] == [
                await tx.outbox.count_unsent(ENQ, 10),
                await tx.outbox.count_unsent(ENQ, 2),
                await tx.outbox.count_unsent(OTHER, 10),
            ]

    async def test_parked_entries_are_listed_and_taken_up_again(self, store: Store):
        await put(store, new_entry("a"), new_entry("b"))
        first, second = await claim(store)
        await save(store, replace(second, state=EntryState.PARKED, note="a person must look"))
        await save(store, replace(first, state=EntryState.PARKED))

        async with store.transaction(Urgency.COMMAND) as tx:
            parked = await tx.outbox.parked()
            assert ["a", "b"] == names(parked)
            assert "a person must look" == parked[1].note
            await tx.outbox.save(replace(parked[1], state=EntryState.PENDING))
        assert ["b"] == names(await claim(store))

    async def test_only_what_was_never_sent_is_revoked(self, store: Store):
        await put(store, *(new_entry(name) for name in ("claimed", "sent", "postponed", "pending")))
        claimed, sent, postponed = await claim(store, limit=3)
        await save(store, replace(sent, state=EntryState.SENT))
        await save(store, replace(postponed, state=EntryState.PENDING, ever_sent=True))
        pending_id = EntryId(max(claimed.id, sent.id, postponed.id) + 1)

        async with store.transaction(Urgency.TRADE) as tx:
            await tx.outbox.revoke([claimed.id, sent.id, postponed.id, pending_id])
            await tx.outbox.revoke([])
            left = [await tx.outbox.get(each) for each in (claimed.id, sent.id, postponed.id, pending_id)]
            assert [None, "sent", "postponed", None] == [each and each.operation.reference for each in left]

    async def test_the_next_instant_leaves_out_what_cannot_go(self, store: Store):
        """Neither what is in hand nor what waits behind another entry of its order may keep the worker awake."""
        async with store.transaction(Urgency.DELIVERY) as tx:
            assert await tx.outbox.next_at([ENQ]) is None
        await put(
            store,
            new_entry("now", order_id="o1"),
            new_entry("behind", order_id="o1"),
            new_entry("later", due_at=NOW + 3 * SECOND),
            new_entry("elsewhere", source=OTHER, due_at=NOW + SECOND),
        )
        async with store.transaction(Urgency.DELIVERY) as tx:
            assert NOW == await tx.outbox.next_at([ENQ])
            assert NOW + SECOND == await tx.outbox.next_at([OTHER])
            [entry] = await tx.outbox.claim([ENQ], NOW, 10)
            assert NOW + 3 * SECOND == await tx.outbox.next_at([ENQ])
            assert NOW + SECOND == await tx.outbox.next_at([ENQ, OTHER])
            await tx.outbox.save(replace(entry, state=EntryState.UNKNOWN, due_at=NOW + 2 * SECOND))
            assert NOW + 2 * SECOND == await tx.outbox.next_at([ENQ])
            assert await tx.outbox.next_at([]) is None
            assert [entry.id] == [each.id for each in await tx.outbox.claim([ENQ], NOW + 2 * SECOND, 10)]
            assert NOW + 3 * SECOND == await tx.outbox.next_at([ENQ])

    async def test_receipts_are_logged_with_bounded_bodies(self, store: Store):
        receipt = Receipt(
            arrival=Arrival.ANSWERED, at=NOW, status=200, headers={"x": "bad \udcff"}, body=b"b" * 10_000_000
        )
        verdict = Verdict(outcome=Outcome.THROTTLED, word="slow", until=NOW + SECOND)
        line = LoggedReceipt(entry_id=EntryId(1), receipt=receipt, verdict=verdict, request=REQUEST)
        other = replace(line, entry_id=EntryId(2), receipt=replace(receipt, body=b"small", headers={}))
        async with store.transaction(Urgency.DELIVERY) as tx:
            await tx.outbox.log(line)
            await tx.outbox.log(other)
            [kept] = await tx.outbox.receipts(EntryId(1))
            assert 1000 < len(kept.receipt.body) < 1_000_000
            assert (verdict, REQUEST, {"x": "bad ?"}) == (kept.verdict, kept.request, kept.receipt.headers)
            assert [other] == list(await tx.outbox.receipts(EntryId(2)))
            assert [] == list(await tx.outbox.receipts(EntryId(3)))

    async def test_gates_are_kept_by_title(self, store: Store):
        gate = Gate(id="g1", key=key(), market=CANADA, state=GateState.PROBING, since=NOW)
        other = replace(gate, id="g2", key=key(2), valid_until=NOW + SECOND, attempts=3)
        async with store.transaction(Urgency.TRADE) as tx:
            assert {} == await tx.outbox.gates(key())
            await tx.outbox.save_gates([gate, other])
            await tx.outbox.save_gates([replace(gate, state=GateState.OPEN)])
            assert {"g1": replace(gate, state=GateState.OPEN)} == await tx.outbox.gates(key())
            assert {"g2": other} == await tx.outbox.gates(key(2))

    # --- controls -------------------------------------------------------------------------------------------------------

    async def test_slots_are_kept_exactly(self, store: Store, reopen: Opener):
        async with store.transaction(Urgency.DELIVERY) as tx:
            await tx.controls.save_slots({"enq/sale": 1772452800.123456, "enq/probe": 0.1})
            await tx.controls.save_slots({"enq/probe": 0.2})

        async with (await reopen()).transaction(Urgency.DELIVERY) as tx:
            assert {"enq/sale": 1772452800.123456, "enq/probe": 0.2} == await tx.controls.slots()

    async def test_sources_rest_until_they_are_resumed(self, store: Store):
        async with store.transaction(Urgency.COMMAND) as tx:
            await tx.controls.pause(ENQ, "by hand")
            await tx.controls.pause(OTHER, "spend guard")
            await tx.controls.pause(ENQ, "still by hand")
            assert {ENQ: "still by hand", OTHER: "spend guard"} == await tx.controls.paused()
            await tx.controls.resume(ENQ)
            await tx.controls.resume(ENQ)
            assert {OTHER: "spend guard"} == await tx.controls.paused()

    async def test_titles_are_asked_for_once_until_they_are_read_again(self, store: Store):
        async with store.transaction(Urgency.TRADE) as tx:
            await tx.controls.ask_refresh([key(2), key(1)])
            await tx.controls.ask_refresh(iter([key(1), key(3)]))
            assert [key(2), key(1), key(3)] == list(await tx.controls.refreshes())
            await tx.controls.refreshed(key(1))
            assert [key(2), key(3)] == list(await tx.controls.refreshes())

    async def test_settings_are_kept_by_name(self, store: Store):
        async with store.transaction(Urgency.COMMAND) as tx:
            assert await tx.controls.setting("account") is None
            await tx.controls.set_setting("account", "1")
            await tx.controls.set_setting("account", "é")
            assert "é" == await tx.controls.setting("account")

    async def test_instants_are_exact_and_in_utc(self, store: Store):
        at = datetime(2026, 3, 8, 4, 59, 59, 999_999, tzinfo=UTC)
        async with store.transaction(Urgency.TRADE) as tx:
            await tx.titles.decide([decided(key(), at)])
            found = await tx.titles.next_at()
        assert at == found
        assert found is not None
        assert UTC == found.tzinfo
