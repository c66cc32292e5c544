"""What a worker writes down together: what ends, what leaves and what is taken up, in one section of the store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from state.sqlite import SqliteStore, open_store
from syncengine.delivery.journal import Concluded, Journal, Room
from syncengine.delivery.retry import Action, Decision
from syncengine.delivery.spend import SpendGuard
from syncengine.delivery.trip import Trip
from syncengine.domain.delivery import (
    Entry,
    EntryState,
    Gate,
    GateState,
    Operation,
    OperationKind,
    Outcome,
    Request,
    Verdict,
)
from syncengine.domain.ids import Format, Isbn, OrderId, SourceName, TitleKey
from syncengine.domain.territory import Market
from syncengine.ports import NewEntry, Transaction, Urgency
from tests.clock import JumpClock

ENQ = SourceName("enq")
KEY = TitleKey(source=ENQ, isbn=Isbn("9782764600009"), format=Format("epub"))
MARKET = Market.parse("CA/CAD")
REQUEST = Request(method="POST", target="/sale", limit="sale")
OPEN = Gate(id="g", key=KEY, market=MARKET, state=GateState.OPEN, since=JumpClock().now())


class Shop:
    """A journal over a store with three sales behind one open gate; a refusal closes it."""

    def __init__(self, store: SqliteStore, clock: JumpClock) -> None:
        self.store = store
        self.clock = clock
        self.journal = Journal(ENQ, store, clock, self.settle, SpendGuard(), is_stopping=lambda: False)

    async def settle(self, tx: Transaction, concluded: Sequence[Concluded]) -> None:
        if any(each.verdict.outcome is Outcome.NOT_YET for each in concluded):
            await tx.outbox.save_gates([replace(OPEN, state=GateState.PROBING)])

    async def owe(self, *references: str) -> None:
        now = self.clock.now()
        async with self.store.transaction(Urgency.TRADE) as tx:
            await tx.outbox.save_gates([OPEN])
            await tx.outbox.put([entry(each, gate="g", due_at=now) for each in references], now)

    async def take(self, count: int) -> list[Trip]:
        claimed = await self.journal.claim(lambda: Room(every=count, lesser=0), later)
        return [Trip(entry=each, is_probe=False) for each in claimed.entries]

    async def state(self, trip: Trip) -> EntryState:
        async with self.store.transaction(Urgency.COMMAND) as tx:
            found = await tx.outbox.get(trip.entry.id)
        assert found is not None
        return found.state


def later(entry: Entry) -> Request | None:
    """None of them is ready to leave."""
    return None


def entry(reference: str, **fields: object) -> NewEntry:
    operation = Operation(
        kind=OperationKind.SALE,
        key=KEY,
        market=MARKET,
        reference=reference,
        customer_id="c1",
        amount=Decimal("9.99"),
    )
    return NewEntry(operation=operation, order_id=OrderId(reference), **fields)  # type: ignore[arg-type]


@pytest.fixture
async def shop(tmp_path: Path):
    clock = JumpClock()
    store = await open_store(tmp_path / "store.db", clock=clock)
    made = Shop(store, clock)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(made.journal.run())
        yield made
        made.journal.close()
    await store.aclose()


@pytest.mark.parametrize("is_first", [True, False])
async def test_a_refusal_holds_back_what_would_leave_with_the_same_commit(shop, is_first):
    await shop.owe("r1", "r2")
    refused, next_one = await shop.take(2)
    assert await shop.journal.leave(refused, REQUEST)
    ending = shop.journal.conclude(refused, Verdict(outcome=Outcome.NOT_YET), Decision(action=Action.SETTLE))
    leaving = shop.journal.leave(next_one, REQUEST)

    ended, left = await asyncio.gather(ending, leaving) if is_first else reversed(await asyncio.gather(leaving, ending))

    assert isinstance(ended, Entry)
    assert (left, next_one.sent) == (False, None)
    assert [EntryState.SETTLED, EntryState.PENDING] == [await shop.state(refused), await shop.state(next_one)]


async def test_what_ends_leaves_and_is_taken_up_at_the_same_time_shares_a_commit(shop):
    await shop.owe("r1", "r2", "r3")
    first, second = await shop.take(2)
    assert await shop.journal.leave(first, REQUEST)
    commits = shop.store.commit_count

    ended, left, taken = await asyncio.gather(
        shop.journal.conclude(first, Verdict(outcome=Outcome.ACCEPTED), Decision(action=Action.SETTLE)),
        shop.journal.leave(second, REQUEST),
        shop.take(2),
    )

    assert 1 == shop.store.commit_count - commits
    assert ended.state is EntryState.SETTLED
    assert left
    assert ["r3"] == [trip.entry.operation.reference for trip in taken]


async def test_what_is_given_back_while_it_is_about_to_leave_does_not_leave(shop):
    """Its request stays frozen, for whoever sends it next."""
    await shop.owe("r1")
    [trip] = await shop.take(1)
    leaving = asyncio.ensure_future(shop.journal.leave(trip, REQUEST))
    await asyncio.sleep(0)
    leaving.cancel()

    await shop.journal.give_back(trip)

    [again] = await shop.take(1)
    assert (REQUEST, False) == (again.entry.request, again.entry.ever_sent)


async def test_what_is_ready_when_it_is_taken_up_is_journaled_with_the_same_commit(shop):
    await shop.owe("r1", "r2")
    commits = shop.store.commit_count

    claimed = await shop.journal.claim(
        lambda: Room(every=2, lesser=0), lambda entry: REQUEST if entry.operation.reference == "r1" else None
    )

    first, second = claimed.entries
    assert 1 == shop.store.commit_count - commits
    assert {first.id} == set(claimed.sent)
    assert [EntryState.SENT, EntryState.CLAIMED] == [
        await shop.state(Trip(entry=each, is_probe=False)) for each in (first, second)
    ]
    sent = claimed.sent[first.id]
    assert (REQUEST, 1, True) == (sent.request, sent.attempts, sent.ever_sent)


async def test_what_may_have_been_sent_before_does_not_leave_with_its_claim(shop):
    await shop.owe("r1")
    [trip] = await shop.take(1)
    assert await shop.journal.leave(trip, REQUEST)
    async with shop.store.transaction(Urgency.COMMAND) as tx:
        await tx.outbox.recover()

    claimed = await shop.journal.claim(lambda: Room(every=2, lesser=0), lambda entry: REQUEST)

    assert ([trip.entry.id], {}) == ([entry.id for entry in claimed.entries], claimed.sent)


async def test_entries_are_taken_for_the_room_there_is_by_then(shop):
    await shop.owe("r1", "r2", "r3")
    room = Room(every=3, lesser=0)
    async with shop.store.transaction(Urgency.DELIVERY):
        claiming = asyncio.ensure_future(shop.journal.claim(lambda: room, later))
        await asyncio.sleep(0)
        room = Room(every=1, lesser=0)

    assert ["r1"] == [each.operation.reference for each in (await claiming).entries]
    room = Room(every=0, lesser=0)
    none = await shop.journal.claim(lambda: room, later)
    assert ((), shop.clock.now()) == (none.entries, none.next_at)
