from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import cast

import anyio
import anyio.lowlevel
import pytest
from structlog.testing import capture_logs

from state.sqlite import SqliteStore, open_store
from syncengine.delivery.bell import Bell
from syncengine.delivery.breaker import FAILURES, BreakerState
from syncengine.delivery.journal import Concluded
from syncengine.delivery.limiter import Limiter
from syncengine.delivery.retry import MOST_ATTEMPTS, Action, Decision
from syncengine.delivery.spend import SpendGuard
from syncengine.delivery.trip import FIRST_DUPLICATE
from syncengine.delivery.worker import Worker
from syncengine.domain.delivery import (
    Arrival,
    Entry,
    EntryState,
    Gate,
    GateState,
    Limit,
    Operation,
    OperationKind,
    Outcome,
    Receipt,
    Request,
    UnknownPolicy,
    Verdict,
)
from syncengine.domain.ids import EntryId, Format, Isbn, OrderId, SourceName, TitleKey
from syncengine.domain.order import Order, Reason
from syncengine.domain.territory import Market
from syncengine.errors import AmountInvalid, StoreFailed
from syncengine.ports import Calls, LoggedReceipt, NewEntry, Pace, Transaction, Urgency
from tests.clock import JumpClock
from tests.pace import FreePace

ENQ = SourceName("enq")
OTHER = SourceName("other")
SALE, DECLARATION, REFUND, PROBE = (
    OperationKind.SALE,
    OperationKind.DECLARATION,
    OperationKind.REFUND,
    OperationKind.PROBE,
)
CUT = Receipt(arrival=Arrival.UNKNOWN, at=JumpClock().now(), detail="cut")
DOWN = Receipt(arrival=Arrival.NOT_SENT, at=JumpClock().now(), detail="refused")
NO_TOKEN = Receipt(arrival=Arrival.REFUSED, at=JumpClock().now(), detail="the token service refuses the client")


@dataclass
class Distributor:
    """A scripted distributor behind the calls port.

    `script` gives, per reference, what the next requests of it meet; without a script a sale is recorded once, and again is a
    `duplicate`. A step is a word for the answer, a receipt that is no answer, `"commit+cut"` for a sale that is recorded before
    the line breaks, or an error to raise. `effects` is what it has recorded, in order.
    """

    clock: JumpClock
    policies: Mapping[OperationKind, UnknownPolicy] = field(default_factory=dict)
    concurrency: int = 4
    bounds: Mapping[str, int] = field(default_factory=dict)
    operations: frozenset[OperationKind] = frozenset(OperationKind)
    script: dict[str, list[str | Receipt | Exception]] = field(default_factory=dict)
    everything: str | Receipt | Exception | None = None
    effects: list[str] = field(default_factory=list)
    sent: list[Request] = field(default_factory=list)
    sent_before: list[bool] = field(default_factory=list)
    hold: asyncio.Event | None = None
    most_at_once: int = 0
    under_way: int = 0
    until_seconds: float | None = None

    def concurrency_of(self, limit: str) -> int:
        return self.bounds.get(limit, self.concurrency)

    def prepare(self, operation: Operation) -> Request:
        if operation.amount is not None and operation.amount != operation.amount.quantize(Decimal("0.01")):
            raise AmountInvalid(f"{operation.amount} has more than two decimals")
        return Request(method="POST", target=f"/{operation.kind}/{operation.reference}", limit=operation.kind.value)

    def prepare_lookup(self, operation: Operation) -> Request:
        return Request(method="GET", target=f"/lookup/{operation.reference}", limit="lookup")

    def unknown_policy(self, operation: Operation) -> UnknownPolicy:
        return self.policies.get(operation.kind, UnknownPolicy.LOOK_UP)

    async def send(self, request: Request) -> Receipt:
        self.sent.append(request)
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            if self.hold is not None:
                await self.hold.wait()
            return self._answer(request)
        finally:
            self.under_way -= 1

    def _answer(self, request: Request) -> Receipt:
        kind, reference = request.target.split("/")[1:]
        steps = self.script.get(f"lookup:{reference}" if kind == "lookup" else reference)
        step = steps.pop(0) if steps else self.everything
        if isinstance(step, Exception):
            raise step
        if isinstance(step, Receipt):
            return step
        if step == "commit+cut":
            self.effects.append(reference)
            return CUT
        if step is None:
            step = self._default(kind, reference)
        return Receipt(arrival=Arrival.ANSWERED, at=self.clock.now(), status=200, body=step.encode())

    def _default(self, kind: str, reference: str) -> str:
        if kind == "lookup":
            return "ALREADY_DONE" if reference in self.effects else "ABSENT"
        if reference in self.effects:
            return "duplicate"
        self.effects.append(reference)
        return "ACCEPTED"

    def read(self, operation: Operation, receipt: Receipt, *, sent_before: bool) -> Verdict:
        self.sent_before.append(sent_before)
        word = receipt.body.decode()
        if word == "duplicate":
            return Verdict(outcome=Outcome.ALREADY_DONE if sent_before else Outcome.UNKNOWN, word=word)
        return self._read(receipt)

    def read_lookup(self, operation: Operation, receipt: Receipt) -> Verdict:
        return self._read(receipt)

    def _read(self, receipt: Receipt) -> Verdict:
        if receipt.arrival is Arrival.NOT_SENT:
            return Verdict(outcome=Outcome.FAILED_BEFORE_SENDING)
        if receipt.arrival is Arrival.REFUSED:
            return Verdict(outcome=Outcome.UNAUTHORIZED, word=receipt.detail)
        if receipt.arrival is Arrival.UNKNOWN:
            return Verdict(outcome=Outcome.UNKNOWN)
        word = receipt.body.decode()
        if word == "garbage":
            raise ValueError("cannot make sense of it")
        until = None if self.until_seconds is None else self.clock.now() + timedelta(seconds=self.until_seconds)
        return Verdict(outcome=Outcome(word), word=f"says {word}", until=until)

    async def download_link(self, order: Order) -> str:
        raise NotImplementedError

    async def aclose(self) -> None:
        raise NotImplementedError

    @property
    def targets(self) -> list[str]:
        return [request.target for request in self.sent]


class Register:
    """Implements `Settlement`: notes what it is told, and may do more inside the transaction."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Outcome, Action, Reason | None]] = []
        self.notes: list[str] = []
        self.also: Callable[[Transaction, Entry], object] | None = None
        self.refuses: Callable[[Entry], bool] = lambda entry: False

    async def __call__(self, tx: Transaction, concluded: Sequence[Concluded]) -> None:
        for each in concluded:
            await self._hear(tx, each.entry, each.verdict, each.decision)

    async def _hear(self, tx: Transaction, entry: Entry, verdict: Verdict, decision: Decision) -> None:
        kept = await tx.outbox.get(entry.id)
        assert kept is not None
        assert kept.state == entry.state, "the entry is saved before its settlement"
        if self.refuses(entry):
            raise ValueError(f"no such order: {entry.state}")
        if self.also is not None:
            await cast("asyncio.Future[None]", self.also(tx, entry))
        self.told.append((entry.operation.reference, verdict.outcome, decision.action, decision.reason))
        self.notes.append(decision.note)


class ShutPace(FreePace):
    """A pace at which nothing goes until it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()

    async def turn(self, source: SourceName, limit: str) -> None:
        await super().turn(source, limit)
        await self.open.wait()


class SlowPace(FreePace):
    """A pace at which nothing of some endpoint classes goes."""

    def __init__(self, *slow: str) -> None:
        super().__init__()
        self.slow = slow

    async def turn(self, source: SourceName, limit: str) -> None:
        await super().turn(source, limit)
        if limit in self.slow:
            await anyio.sleep_forever()


class ReadyPace(FreePace):
    """A pace at which every turn has come already."""

    def take(self, source: SourceName, limit: str) -> bool:
        self.turns.append(limit)
        return True


class House:
    """A store with a worker and all it needs, and a few short words for tests."""

    def __init__(self, store: SqliteStore, clock: JumpClock) -> None:
        self.store = store
        self.clock = clock
        self.distributor = Distributor(clock)
        self.register = Register()
        self.pace: Pace = FreePace()
        self.bell = Bell()
        self.guard = SpendGuard()

    def worker(self, **extra: float) -> Worker:
        calls: Calls = self.distributor
        return Worker(
            ENQ, calls, self.store, self.pace, self.clock, self.register, self.bell, guard=self.guard, **extra
        )

    async def drain(self) -> Worker:
        worker = self.worker()
        await worker.drain()
        return worker

    async def owe(
        self, *references: str, kind: OperationKind = SALE, source: SourceName = ENQ, **fields: object
    ) -> None:
        async with self.store.transaction(Urgency.TRADE) as tx:
            await tx.outbox.put([self.entry(each, kind, source, **fields) for each in references], self.clock.now())

    def entry(self, reference: str, kind: OperationKind = SALE, source: SourceName = ENQ, **fields: object) -> NewEntry:
        operation = Operation(
            kind=kind,
            key=TitleKey(source=source, isbn=Isbn("9782764600009"), format=Format("epub")),
            market=Market.parse("CA/CAD"),
            reference=reference,
            customer_id="c1",
            amount=cast("Decimal", fields.get("amount", Decimal("9.99"))),
        )
        order = OrderId(str(fields.get("order", reference)))
        seconds = cast("float", fields.get("due_in", 0.0))
        due_at = self.clock.now() + timedelta(seconds=seconds)
        gate = cast("str | None", fields.get("gate"))
        return NewEntry(operation=operation, order_id=order, gate=gate, due_at=due_at)

    async def entries(self) -> dict[str, Entry]:
        """All that ever were, by reference."""
        found: dict[str, Entry] = {}
        async with self.store.transaction(Urgency.COMMAND) as tx:
            number = 1
            while (entry := await tx.outbox.get(EntryId(number))) is not None:
                found[entry.operation.reference] = entry
                number += 1
        return found

    async def only(self) -> Entry:
        (entry,) = (await self.entries()).values()
        return entry

    async def change(self, **fields: object) -> None:
        """Set the only entry to a state that some earlier run left."""
        async with self.store.transaction(Urgency.COMMAND) as tx:
            entry = await tx.outbox.get(EntryId(1))
            assert entry is not None
            await tx.outbox.save(replace(entry, **fields))  # type: ignore[arg-type]

    async def receipts(self, entry_id: int = 1) -> Sequence[LoggedReceipt]:
        async with self.store.transaction(Urgency.COMMAND) as tx:
            return await tx.outbox.receipts(EntryId(entry_id))

    async def paused(self) -> str | None:
        async with self.store.transaction(Urgency.COMMAND) as tx:
            return (await tx.controls.paused()).get(ENQ)

    async def resume(self) -> None:
        async with self.store.transaction(Urgency.COMMAND) as tx:
            await tx.controls.resume(ENQ)

    async def later(self, entry: Entry) -> None:
        """The instant at which the entry is due."""
        self.clock.advance_to(max(entry.due_at, self.clock.now()))


async def until(reached: Callable[[], object]) -> None:
    """Give the loop and the store's thread their turns until something is true."""
    for _ in range(2000):
        if reached():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came to that")


@pytest.fixture
async def house(tmp_path: Path):
    clock = JumpClock()
    store = await open_store(f"sqlite:{tmp_path / 'store.db'}", clock=clock)
    yield House(store, clock)
    await store.aclose()


def settled(*references: str) -> list[tuple[str, Outcome, Action, Reason | None]]:
    return [(reference, Outcome.ACCEPTED, Action.SETTLE, None) for reference in references]


# --- the way of an entry ------------------------------------------------------------------------------------------------


async def test_what_is_due_is_sent_once_and_settled(house):
    await house.owe("r1", "r2", "r3")

    await house.drain()

    assert sorted(house.register.told) == settled("r1", "r2", "r3")
    assert sorted(house.distributor.effects) == ["r1", "r2", "r3"]
    assert house.distributor.sent_before == [False, False, False]
    entries = await house.entries()
    assert {entry.state for entry in entries.values()} == {EntryState.SETTLED}
    assert {entry.attempts for entry in entries.values()} == {1}


async def test_the_receipt_is_kept_with_the_request_that_it_answers(house):
    await house.owe("r1")

    await house.drain()

    (line,) = await house.receipts()
    assert line.request.target == "/sale/r1"
    assert line.verdict.outcome is Outcome.ACCEPTED
    assert line.receipt.body == b"ACCEPTED"


async def test_what_is_not_due_or_of_another_source_is_left_alone(house):
    await house.owe("later", due_in=5.0)
    await house.owe("foreign", source=OTHER)

    await house.drain()

    assert house.distributor.sent == []
    assert {entry.state for entry in (await house.entries()).values()} == {EntryState.PENDING}


async def test_what_a_settlement_puts_into_the_outbox_is_delivered_in_the_same_drain(house):
    async def owe_refund(tx: Transaction, entry: Entry) -> None:
        if entry.operation.kind is SALE:
            await tx.outbox.put([house.entry("refund-r1", REFUND, order="r1")], house.clock.now())

    house.register.also = owe_refund
    await house.owe("r1")

    await house.drain()

    assert house.distributor.targets == ["/sale/r1", "/refund/refund-r1"]
    assert house.register.told == settled("r1", "refund-r1")


async def test_no_more_calls_than_allowed_are_in_flight_at_once(house):
    house.distributor.concurrency = 3
    house.distributor.hold = asyncio.Event()
    await house.owe(*(f"r{number}" for number in range(10)))
    worker = asyncio.ensure_future(house.worker().drain())

    await until(lambda: house.distributor.under_way == 3)
    house.distributor.hold.set()
    await worker

    assert house.distributor.most_at_once == 3
    assert len(house.distributor.effects) == 10


@pytest.mark.parametrize("pace", [FreePace, ReadyPace])
async def test_what_waits_for_a_place_of_its_class_is_not_journaled(house, pace):
    """After a crash it is surely unsent: nobody has to decide about it."""
    house.pace = pace()
    house.distributor.bounds = {"sale": 2}
    house.distributor.policies = {SALE: UnknownPolicy.PARK}
    house.distributor.hold = asyncio.Event()
    await house.owe(*(f"r{number}" for number in range(6)))
    worker = asyncio.ensure_future(house.worker().drain())
    await until(lambda: house.distributor.under_way == 2)

    states = [entry.state for entry in (await house.entries()).values()]
    assert [EntryState.SENT] * 2 + [EntryState.CLAIMED] * 2 + [EntryState.PENDING] * 2 == states

    house.distributor.hold.set()
    await worker
    assert 2 == house.distributor.most_at_once
    assert 6 == len(house.distributor.effects)


async def test_a_full_class_holds_up_no_other(house):
    house.distributor.bounds = {"sale": 1}
    house.distributor.hold = asyncio.Event()
    await house.owe("r1", "r2")
    await house.owe("refund-r3", kind=REFUND)
    worker = asyncio.ensure_future(house.worker().drain())

    await until(lambda: house.distributor.under_way == 2)
    assert {"/sale/r1", "/refund/refund-r3"} == set(house.distributor.targets)
    house.distributor.hold.set()
    await worker
    assert 3 == len(house.distributor.effects)


async def test_stopping_sends_nothing_that_waits_for_a_place(house):
    house.distributor.bounds = {"sale": 1}
    house.distributor.hold = asyncio.Event()
    await house.owe("r1", "r2")
    worker = house.worker()
    running = asyncio.ensure_future(worker.run())
    await until(lambda: house.distributor.under_way == 1)

    worker.stop()
    house.distributor.hold.set()
    await running
    assert ["/sale/r1"] == house.distributor.targets
    assert EntryState.PENDING is (await house.entries())["r2"].state


async def test_a_request_is_journaled_before_its_first_byte_leaves(house):
    house.distributor.hold = asyncio.Event()
    await house.owe("r1")
    worker = asyncio.ensure_future(house.worker().drain())
    await until(lambda: house.distributor.sent)

    entry = await house.only()

    assert entry.state is EntryState.SENT
    assert entry.request == house.distributor.sent[0]
    assert (entry.attempts, entry.ever_sent) == (1, True)
    house.distributor.hold.set()
    await worker


async def test_every_call_waits_for_its_turn(house):
    await house.owe("r1")
    await house.owe("d1", kind=DECLARATION)

    await house.drain()

    assert sorted(cast("FreePace", house.pace).turns) == ["declaration", "sale"]


async def test_the_real_limiter_spaces_the_calls(house):
    house.clock.auto = True
    limiter = Limiter({ENQ: {"sale": Limit.parse("10/s")}}, {}, house.clock, house.store)
    instants = []

    class Noted(FreePace):
        async def turn(self, source: SourceName, limit: str) -> None:
            await limiter.turn(source, limit)
            instants.append(house.clock.monotonic())

    house.pace = Noted()
    await house.owe(*(f"r{number}" for number in range(12)))

    await house.drain()

    assert len(house.distributor.effects) == 12
    assert min(later - earlier for earlier, later in pairwise(instants)) >= 0.0999


async def test_an_amount_that_cannot_be_sent_is_rejected_with_its_reason_and_nothing_leaves(house):
    await house.owe("r1", amount=Decimal("9.999"))

    await house.drain()

    assert house.register.told == [("r1", Outcome.REJECTED, Action.SETTLE, None)]
    assert house.register.notes == ["9.999 has more than two decimals"]
    assert house.distributor.sent == []
    assert (await house.only()).attempts == 0


async def test_an_entry_revoked_while_it_waits_for_its_turn_is_never_sent(house):
    house.pace = ShutPace()
    await house.owe("r1", "r2")
    worker = asyncio.ensure_future(house.worker().drain())
    await until(lambda: len(house.pace.turns) == 2)

    async with house.store.transaction(Urgency.TRADE) as tx:
        await tx.outbox.revoke([EntryId(1)])
    house.pace.open.set()
    with capture_logs() as logged:
        await worker

    assert [line for line in logged if line["log_level"] != "debug"] == []
    assert house.distributor.targets == ["/sale/r2"]
    assert house.register.told == settled("r2")


async def test_entries_of_one_order_go_strictly_one_after_the_other(house):
    house.distributor.hold = asyncio.Event()
    await house.owe("sale", order="o1")
    await house.owe("refund", order="o1", kind=REFUND)
    worker = asyncio.ensure_future(house.worker().drain())
    await until(lambda: house.distributor.sent)
    await house.clock.settle()

    assert house.distributor.targets == ["/sale/sale"]
    house.distributor.hold.set()
    await worker
    assert house.distributor.targets == ["/sale/sale", "/refund/refund"]


# --- refusals -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", [Outcome.REJECTED, Outcome.STALE_FACTS, Outcome.NOT_YET, Outcome.ALREADY_DONE])
async def test_an_answer_that_ends_it_is_settled_as_it_is(house, outcome):
    house.distributor.script["r1"] = [outcome.value]
    await house.owe("r1")

    await house.drain()

    assert house.register.told == [("r1", outcome, Action.SETTLE, None)]
    assert (await house.only()).state is EntryState.SETTLED


async def test_a_throttled_call_waits_without_burning_an_attempt_and_slows_its_rate(house):
    house.distributor.script["r1"] = ["THROTTLED"]
    house.distributor.until_seconds = 40.0
    await house.owe("r1")

    await house.drain()

    entry = await house.only()
    assert (entry.state, entry.attempts, entry.ever_sent) == (EntryState.PENDING, 0, False)
    assert entry.due_at == house.clock.now() + timedelta(seconds=40)
    assert cast("FreePace", house.pace).slowed == [("sale", entry.due_at)]

    house.distributor.until_seconds = None
    await house.later(entry)
    await house.drain()

    assert house.distributor.sent[0] is not house.distributor.sent[1]
    assert house.distributor.sent[0] == house.distributor.sent[1], "the same bytes"
    assert house.distributor.sent_before == [False, False], "the first surely changed nothing"
    assert house.register.told[-1:] == settled("r1")


async def test_a_distributor_that_is_down_burns_attempts_until_a_person_is_asked(house):
    house.distributor.everything = DOWN
    await house.owe("r1")

    for _ in range(MOST_ATTEMPTS):
        await house.later(await house.only())
        await house.drain()

    entry = await house.only()
    assert (entry.state, entry.attempts) == (EntryState.PARKED, MOST_ATTEMPTS)
    assert house.register.told[-1] == ("r1", Outcome.FAILED_BEFORE_SENDING, Action.PARK, Reason.RETRIES_EXHAUSTED)
    assert entry.note == "not delivered in 12 attempts: refused"
    assert not entry.ever_sent, "it may still be cancelled: nothing was ever received"


@pytest.mark.parametrize(
    ("refusal", "says"), [("UNAUTHORIZED", "says UNAUTHORIZED"), (NO_TOKEN, "the token service refuses the client")]
)
async def test_refused_credentials_pause_the_source_and_lose_nothing(house, refusal, says):
    """Whether the distributor refuses them or whoever was to give them."""
    house.distributor.script = {"r1": [refusal], "r2": [refusal]}
    await house.owe("r1", "r2")

    await house.drain()

    assert await house.paused() == f"the distributor refuses the credentials: {says}"
    entries = await house.entries()
    assert {(entry.state, entry.attempts, entry.ever_sent) for entry in entries.values()} == {
        (EntryState.PENDING, 0, False)
    }
    await house.drain()
    assert len(house.distributor.sent) == 2, "a paused source is left alone"
    await house.resume()
    await house.drain()
    assert sorted(house.register.told[-2:]) == settled("r1", "r2")


async def test_who_is_refused_a_token_does_not_take_the_distributor_for_unreachable(house):
    references = [f"r{number}" for number in range(FAILURES)]
    house.distributor.concurrency = FAILURES
    house.distributor.everything = NO_TOKEN
    await house.owe(*references)
    worker = await house.drain()
    assert FAILURES == len(house.distributor.sent)
    assert BreakerState.CLOSED is worker.breaker.state


async def test_a_pause_holds_back_what_waits_for_its_turn(house):
    house.pace = ShutPace()
    await house.owe("r1")
    worker = asyncio.ensure_future(house.worker().drain())
    await until(lambda: house.pace.turns)

    async with house.store.transaction(Urgency.COMMAND) as tx:
        await tx.controls.pause(ENQ, "by hand")
    house.pace.open.set()
    await worker

    assert house.distributor.sent == []
    entry = await house.only()
    assert (entry.state, entry.attempts, entry.ever_sent) == (EntryState.PENDING, 0, False)


async def test_a_gate_that_closes_holds_back_sales_that_wait_for_their_turn(house):
    house.pace = ShutPace()
    await house.owe("r1", gate="g1")
    await house.owe("r2", gate="g2")
    worker = asyncio.ensure_future(house.worker().drain())
    await until(lambda: len(house.pace.turns) == 2)

    operation = house.entry("r1").operation
    gate = Gate(id="g1", key=operation.key, market=operation.market, state=GateState.PROBING, since=house.clock.now())
    async with house.store.transaction(Urgency.COMMAND) as tx:
        await tx.outbox.save_gates([gate, replace(gate, id="g2", state=GateState.OPEN)])
    house.pace.open.set()
    await worker

    assert ["/sale/r2"] == house.distributor.targets
    held = (await house.entries())["r1"]
    assert (EntryState.PENDING, 0, False) == (held.state, held.attempts, held.ever_sent)


# --- nobody knows -------------------------------------------------------------------------------------------------------


async def test_a_sale_recorded_before_the_line_broke_is_found_and_not_made_twice(house):
    house.distributor.script["r1"] = ["commit+cut"]
    await house.owe("r1")
    await house.drain()
    entry = await house.only()
    assert (entry.state, entry.ever_sent) == (EntryState.UNKNOWN, True)

    await house.later(entry)
    await house.drain()

    assert house.distributor.targets == ["/sale/r1", "/lookup/r1"]
    assert house.distributor.effects == ["r1"]
    assert house.register.told[-1] == ("r1", Outcome.ALREADY_DONE, Action.SETTLE, None)
    assert [line.request.target for line in await house.receipts()] == ["/sale/r1", "/lookup/r1"]


async def test_a_sale_that_never_arrived_is_looked_up_then_sent_again_byte_for_byte(house):
    house.distributor.script["r1"] = [CUT]
    await house.owe("r1")
    await house.drain()
    await house.later(await house.only())

    await house.drain()

    assert house.distributor.targets == ["/sale/r1", "/lookup/r1", "/sale/r1"]
    assert house.distributor.sent[0] == house.distributor.sent[2]
    assert house.distributor.effects == ["r1"]
    assert house.distributor.sent_before == [False, True]
    assert house.register.told[-1:] == settled("r1")
    assert [line.request.target for line in await house.receipts()] == house.distributor.targets


async def test_a_late_commit_makes_the_second_send_a_duplicate_which_is_success(house):
    house.distributor.script = {"r1": [CUT, "duplicate"], "lookup:r1": ["ABSENT"]}
    await house.owe("r1")
    await house.drain()
    await house.later(await house.only())

    await house.drain()

    assert house.register.told[-1] == ("r1", Outcome.ALREADY_DONE, Action.SETTLE, None)


async def test_as_long_as_the_lookup_says_nothing_it_is_looked_up_again_then_parked(house):
    house.distributor.script = {"r1": [CUT], "lookup:r1": [CUT, "REJECTED"] * 6}
    await house.owe("r1")

    for _ in range(MOST_ATTEMPTS):
        await house.later(await house.only())
        await house.drain()

    entry = await house.only()
    assert house.distributor.targets == ["/sale/r1"] + ["/lookup/r1"] * (MOST_ATTEMPTS - 1)
    assert (entry.state, entry.attempts, entry.ever_sent) == (EntryState.PARKED, MOST_ATTEMPTS, True)
    assert house.register.told[-1][2:] == (Action.PARK, Reason.OUTCOME_UNKNOWN)


async def test_a_throttled_lookup_stays_unknown_and_slows_the_rate_of_lookups(house):
    house.distributor.script = {"r1": [CUT], "lookup:r1": ["THROTTLED"]}
    await house.owe("r1")
    await house.drain()
    await house.later(await house.only())
    house.distributor.until_seconds = 70.0

    await house.drain()

    entry = await house.only()
    assert (entry.state, entry.attempts) == (EntryState.UNKNOWN, 1)
    assert entry.due_at == house.clock.now() + timedelta(seconds=70)
    assert cast("FreePace", house.pace).slowed == [("lookup", entry.due_at)]


async def test_refused_credentials_at_a_lookup_leave_it_unknown(house):
    house.distributor.script = {"r1": ["commit+cut"], "lookup:r1": ["UNAUTHORIZED"]}
    await house.owe("r1")
    await house.drain()
    await house.later(await house.only())
    await house.drain()
    assert (await house.only()).state is EntryState.UNKNOWN
    await house.resume()

    await house.drain()

    assert house.register.told[-1] == ("r1", Outcome.ALREADY_DONE, Action.SETTLE, None)
    assert house.distributor.effects == ["r1"]


async def test_after_an_unknown_outcome_a_throttled_repeat_is_looked_up_again(house):
    house.distributor.script["r1"] = [CUT, "THROTTLED"]
    await house.owe("r1")
    for _ in range(3):
        await house.later(await house.only())
        await house.drain()

    assert house.distributor.targets == ["/sale/r1", "/lookup/r1", "/sale/r1", "/lookup/r1", "/sale/r1"]
    assert house.distributor.effects == ["r1"]


async def test_where_the_policy_is_to_resend_the_same_bytes_go_again(house):
    house.distributor.policies = {REFUND: UnknownPolicy.RESEND}
    house.distributor.script["r1"] = ["commit+cut"]
    await house.owe("r1", kind=REFUND)
    await house.drain()
    await house.later(await house.only())

    await house.drain()

    assert house.distributor.targets == ["/refund/r1", "/refund/r1"]
    assert house.register.told[-1] == ("r1", Outcome.ALREADY_DONE, Action.SETTLE, None)


async def test_a_refused_repeat_of_a_sale_in_doubt_is_not_believed(house):
    house.distributor.policies = {SALE: UnknownPolicy.RESEND}
    house.distributor.script["r1"] = ["commit+cut", "REJECTED"]
    await house.owe("r1")
    await house.drain()
    await house.later(await house.only())

    await house.drain()

    assert house.register.told[-1] == ("r1", Outcome.REJECTED, Action.PARK, Reason.OUTCOME_UNKNOWN)


async def test_where_the_policy_is_to_park_nothing_is_sent_again(house):
    house.distributor.policies = {SALE: UnknownPolicy.PARK}
    house.distributor.script["r1"] = [CUT]
    await house.owe("r1")

    await house.drain()

    entry = await house.only()
    assert (entry.state, entry.ever_sent) == (EntryState.PARKED, True)
    assert house.register.told == [("r1", Outcome.UNKNOWN, Action.PARK, Reason.OUTCOME_UNKNOWN)]
    assert entry.note == "nobody knows whether the distributor recorded it: cut"
    assert len(house.distributor.sent) == 1


@pytest.mark.parametrize(
    ("policy", "targets", "outcome"),
    [
        (UnknownPolicy.LOOK_UP, ["/lookup/r1", "/sale/r1"], Outcome.ACCEPTED),
        (UnknownPolicy.RESEND, ["/sale/r1"], Outcome.ACCEPTED),
        (UnknownPolicy.PARK, [], Outcome.UNKNOWN),
    ],
)
async def test_what_a_crash_left_journaled_is_in_doubt(house, policy, targets, outcome):
    house.distributor.policies = {SALE: policy}
    await house.owe("r1")
    request = Request(method="POST", target="/sale/r1", limit="sale", body=b"frozen")
    await house.change(state=EntryState.SENT, request=request, attempts=1, ever_sent=True)
    async with house.store.transaction(Urgency.COMMAND) as tx:
        assert await tx.outbox.recover() == 1

    await house.drain()

    assert house.distributor.targets == targets
    assert all(each.body == b"frozen" for each in house.distributor.sent if each.method == "POST")
    assert [outcome] == [told[1] for told in house.register.told]


async def test_what_a_crash_left_claimed_is_surely_unsent(house):
    await house.owe("r1")
    await house.change(state=EntryState.CLAIMED)
    async with house.store.transaction(Urgency.COMMAND) as tx:
        assert await tx.outbox.recover() == 0

    await house.drain()

    assert house.distributor.targets == ["/sale/r1"]


async def test_a_duplicate_of_a_first_request_is_looked_up_and_left_to_a_person(house):
    house.distributor.effects.append("r1")
    await house.owe("r1")

    await house.drain()

    assert house.distributor.targets == ["/sale/r1", "/lookup/r1"]
    assert house.register.told[-1] == ("r1", Outcome.ALREADY_DONE, Action.PARK, Reason.DUPLICATE_DIFFERS)
    assert (await house.only()).state is EntryState.PARKED


@pytest.mark.parametrize("found", ["ABSENT", "ALREADY_DONE"])
async def test_the_doubt_about_a_first_duplicate_outlives_failed_lookups_and_restarts(house, found):
    house.distributor.script = {"r1": ["duplicate"], "lookup:r1": [CUT, "THROTTLED", "UNAUTHORIZED", found]}
    await house.owe("r1")
    for _ in range(4):
        await house.later(await house.only())
        await house.resume()
        await house.drain()

    assert house.distributor.targets == ["/sale/r1"] + ["/lookup/r1"] * 4
    assert house.register.told[-1][2:] == (Action.PARK, Reason.DUPLICATE_DIFFERS)
    assert FIRST_DUPLICATE in (await house.only()).note


async def test_without_a_lookup_a_first_duplicate_is_parked_at_once(house):
    house.distributor.policies = {SALE: UnknownPolicy.PARK}
    house.distributor.effects.append("r1")
    await house.owe("r1")

    await house.drain()

    assert house.register.told == [("r1", Outcome.UNKNOWN, Action.PARK, Reason.DUPLICATE_DIFFERS)]


# --- the breaker --------------------------------------------------------------------------------------------------------


def state(worker: Worker) -> BreakerState:
    return worker.breaker.state


async def test_an_unreachable_distributor_gets_a_rest_then_one_probe_at_a_time(house):
    house.distributor.concurrency = 1
    house.distributor.everything = DOWN
    await house.owe(*(f"r{number:02}" for number in range(20)))

    worker = await house.drain()

    assert len(house.distributor.sent) == FAILURES, "the rest of the backlog is spared"
    assert state(worker) is BreakerState.OPEN
    house.distributor.concurrency = 8
    house.clock.advance(31)
    await worker.drain()
    assert len(house.distributor.sent) == FAILURES + 1, "a single probe"
    house.clock.advance(61)
    house.distributor.everything = None
    await worker.drain()
    house.clock.advance(100)
    await worker.drain()
    assert state(worker) is BreakerState.CLOSED
    assert len(house.distributor.effects) == 20


async def test_probes_of_a_long_outage_park_nothing(house):
    house.distributor.everything = DOWN
    house.distributor.concurrency = 1
    await house.owe(*(f"r{number}" for number in range(FAILURES)))
    worker = await house.drain()
    assert state(worker) is BreakerState.OPEN

    for _ in range(3 * 24):
        house.clock.advance(3600)
        await worker.drain()

    entries = await house.entries()
    assert {entry.state for entry in entries.values()} == {EntryState.PENDING}
    assert {entry.attempts for entry in entries.values()} == {1}
    assert len(house.distributor.sent) > 3 * 24, "it kept asking"
    house.distributor.everything = None
    house.clock.advance(4 * 3600 * 1.2)
    await worker.drain()
    assert len(house.distributor.effects) == FAILURES


async def test_a_probe_that_is_never_sent_gives_way_to_the_next(house):
    house.distributor.everything = DOWN
    house.distributor.concurrency = 1
    await house.owe(*(f"r{number}" for number in range(FAILURES)))
    worker = await house.drain()
    await house.owe("odd", amount=Decimal("9.999"))
    house.distributor.everything = None
    async with house.store.transaction(Urgency.COMMAND) as tx:
        for number in range(1, FAILURES + 1):
            entry = await tx.outbox.get(EntryId(number))
            assert entry is not None
            await tx.outbox.save(replace(entry, due_at=house.clock.now() + timedelta(seconds=31)))
    house.clock.advance(30)
    await worker.drain()
    assert state(worker) is BreakerState.OPEN, "the probe was rejected before it left"

    house.clock.advance(1)
    await worker.drain()

    assert state(worker) is BreakerState.CLOSED
    assert len(house.distributor.effects) == FAILURES


# --- the spend guard ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 2, 5])
async def test_the_spend_guard_pauses_the_source_before_the_sale_that_is_too_much(house, concurrency):
    house.guard = SpendGuard(max_orders_per_hour=3)
    house.distributor.concurrency = concurrency
    await house.owe("r1", "r2", "r3", "r4", "r5")

    await house.drain()

    assert house.distributor.effects == ["r1", "r2", "r3"]
    assert await house.paused() == "spend guard: more than 3 orders within an hour"
    entries = await house.entries()
    assert {entries[each].state for each in ("r4", "r5")} == {EntryState.PENDING}
    await house.resume()
    await house.drain()
    assert len(house.distributor.effects) == 5, "who resumes it has looked: the count starts anew"


async def test_the_spend_guard_counts_across_restarts_and_each_sale_once(house):
    house.guard = SpendGuard(max_money_per_hour={"CAD": Decimal("19.98")})
    house.distributor.script["r1"] = [DOWN, DOWN]
    await house.owe("r1")
    for _ in range(3):
        await house.later(await house.only())
        await house.drain()
    assert house.distributor.effects == ["r1"]

    await house.owe("r2")
    await house.drain()
    await house.owe("r3")
    await house.drain()

    assert house.distributor.effects == ["r1", "r2"]
    assert await house.paused() == "spend guard: more than 19.98 CAD within an hour"


# --- entries that come to the same point together ------------------------------------------------------------------------


async def test_entries_that_are_ready_together_share_their_sections(house):
    house.distributor.concurrency = 20
    await house.owe(*(f"r{number}" for number in range(20)))
    steps = Steps(house)

    await house.drain()

    assert len(house.distributor.effects) == 20
    calls_and_turns = 4 * 20
    assert (steps.count - calls_and_turns) // 4 <= 8, "claims, journals and conclusions of all of them"


async def test_a_settlement_that_fails_takes_none_of_the_others_with_it(house):
    house.distributor.concurrency = 20
    failed: list[str] = []

    async def fail_once_for_r7(_tx: Transaction, entry: Entry) -> None:
        if entry.operation.reference == "r7" and entry.state is EntryState.SETTLED:
            failed.append("r7")
            raise ValueError("no such order")

    house.register.also = fail_once_for_r7
    await house.owe(*(f"r{number}" for number in range(20)))

    await house.drain()

    states = {name: entry.state for name, entry in (await house.entries()).items()}
    assert EntryState.PARKED is states.pop("r7")
    assert {EntryState.SETTLED} == set(states.values())
    assert failed, "it was tried"
    assert sorted(house.distributor.effects) == sorted(f"r{number}" for number in range(20))
    assert [1] * 20 == [len(await house.receipts(number)) for number in range(1, 21)]


async def test_what_was_revoked_while_it_waited_is_not_sent_with_the_others(house):
    house.pace = ShutPace()
    await house.owe("r1", "r2", "r3")
    running = asyncio.ensure_future(house.worker().drain())
    await until(lambda: len(house.pace.turns) == 3)
    async with house.store.transaction(Urgency.TRADE) as tx:
        await tx.outbox.revoke([EntryId(2)])

    house.pace.open.set()
    await running

    assert sorted(house.distributor.effects) == ["r1", "r3"]
    assert sorted(house.register.told) == settled("r1", "r3")


async def test_a_turn_that_has_come_is_not_waited_for(house):
    class Ready(ShutPace):
        def take(self, source: SourceName, limit: str) -> bool:
            return limit == "sale"

        async def depart(self, source: SourceName, limit: str) -> None:
            commits.append(house.store.commit_count)
            await super().depart(source, limit)

    house.pace = pace = Ready()
    house.distributor.hold = asyncio.Event()
    await house.owe("r1", "r2")
    commits = [house.store.commit_count]
    running = asyncio.ensure_future(house.drain())
    await until(lambda: len(house.distributor.sent) == 2)

    assert 1 == commits[1] - commits[0], "they leave with the commit that takes them up"
    assert {EntryState.SENT} == {entry.state for entry in (await house.entries()).values()}
    house.distributor.hold.set()
    await running
    assert ["r1", "r2"] == sorted(house.distributor.effects)
    assert [] == pace.turns


async def test_a_spend_guard_holds_what_is_ready_to_leave(house):
    house.pace = ReadyPace()
    house.guard = SpendGuard(max_orders_per_hour=2)
    await house.owe("r1", "r2", "r3")

    await house.drain()

    assert ["r1", "r2"] == sorted(house.distributor.effects)
    assert "spend guard: more than 2 orders within an hour" == await house.paused()
    assert EntryState.PENDING is (await house.entries())["r3"].state


async def test_what_cannot_be_prepared_is_laid_to_its_entry_alone(house, monkeypatch):
    def broken(operation: Operation) -> Request:
        if operation.reference == "r1":
            raise KeyError("resid")
        return prepare(operation)

    house.pace = ReadyPace()
    prepare: Callable[[Operation], Request] = house.distributor.prepare
    monkeypatch.setattr(house.distributor, "prepare", broken)
    await house.owe("r1", "r2")

    await house.drain()

    assert ["r2"] == house.distributor.effects
    assert EntryState.PARKED is (await house.entries())["r1"].state


async def test_a_journaled_call_departs_at_an_instant_of_its_rate(house):
    left: list[tuple[EntryState, ...]] = []

    class Exit(FreePace):
        async def depart(self, source: SourceName, limit: str) -> None:
            left.append(tuple(entry.state for entry in (await house.entries()).values()))
            assert house.distributor.sent == [], "it leaves only then"

    house.pace = Exit()
    await house.owe("r1")

    await house.drain()

    assert left == [(EntryState.SENT,)], "its journal is durable before"
    assert house.distributor.effects == ["r1"]


# --- running, stopping, failing -----------------------------------------------------------------------------------------


async def test_it_runs_until_stopped_and_hears_the_bell(house):
    worker = house.worker()
    running = asyncio.ensure_future(worker.run())
    await house.owe("r1")
    house.bell.ring()
    await until(lambda: house.register.told)
    await house.owe("r2")
    house.bell.ring()
    await until(lambda: len(house.register.told) == 2)

    worker.stop()
    await running

    assert house.register.told == settled("r1", "r2")


async def test_it_wakes_at_the_instant_an_entry_is_due(house):
    await house.owe("r1", due_in=12.0)
    worker = house.worker()
    running = asyncio.ensure_future(worker.run())
    await until(lambda: house.clock.sleeper_count)
    house.clock.advance(11.9)
    await house.clock.settle()
    assert house.distributor.sent == []

    house.clock.advance(0.1)
    await until(lambda: house.register.told)

    worker.stop()
    await running
    assert 12.0 in house.clock.slept


async def test_stopping_gives_back_what_waits_for_its_turn(house):
    house.pace = ShutPace()
    await house.owe("r1", "r2")
    await house.owe("r3")
    await house.change(
        state=EntryState.UNKNOWN,
        ever_sent=True,
        attempts=1,
        request=house.distributor.prepare(house.entry("r1").operation),
    )
    worker = house.worker()
    running = asyncio.ensure_future(worker.run())
    await until(lambda: len(house.pace.turns) == 3)

    worker.stop()
    await running

    assert house.distributor.sent == []
    entries = await house.entries()
    assert {name: (entry.state, entry.attempts, entry.ever_sent) for name, entry in entries.items()} == {
        "r1": (EntryState.UNKNOWN, 1, True),
        "r2": (EntryState.PENDING, 0, False),
        "r3": (EntryState.PENDING, 0, False),
    }
    house.pace.open.set()
    await house.drain()
    assert sorted(house.distributor.effects) == ["r1", "r2", "r3"], "and nothing was left claimed"


async def test_stopping_lets_calls_in_flight_finish(house):
    house.distributor.hold = asyncio.Event()
    house.distributor.concurrency = 1
    await house.owe("r1", "r2")
    worker = house.worker()
    running = asyncio.ensure_future(worker.run())
    await until(lambda: house.distributor.sent)

    worker.stop()
    await house.clock.settle()
    assert not running.done()
    house.distributor.hold.set()
    await running

    assert house.register.told == settled("r1")
    assert (await house.entries())["r2"].state is EntryState.PENDING


async def test_calls_that_outlive_the_grace_are_left_in_doubt(house):
    house.distributor.hold = asyncio.Event()
    await house.owe("r1")
    worker = house.worker(grace_seconds=20.0)
    running = asyncio.ensure_future(worker.run())
    await until(lambda: house.distributor.sent)
    worker.stop()
    await until(lambda: 20.0 in house.clock.slept)

    house.clock.advance(20)
    await running

    entry = await house.only()
    assert (entry.state, entry.ever_sent, entry.attempts) == (EntryState.SENT, True, 1)
    assert house.register.told == []


@pytest.mark.parametrize("in_flight", [False, True])
async def test_a_hard_cancel_leaves_the_journal_right(house, in_flight):
    if in_flight:
        house.distributor.hold = asyncio.Event()
    else:
        house.pace = ShutPace()
    await house.owe("r1")
    running = asyncio.ensure_future(house.worker().run())
    await until(lambda: house.distributor.sent if in_flight else house.pace.turns)

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    entry = await house.only()
    expected = (EntryState.SENT, 1, True) if in_flight else (EntryState.PENDING, 0, False)
    assert expected == (entry.state, entry.attempts, entry.ever_sent)


class Steps:
    """Counts the steps of a run (around every section of the store, turn and call) and acts at one of them."""

    def __init__(self, house: House) -> None:
        self.count = 0
        self.at = -1
        self.act: Callable[[], object] = lambda: None
        self.has_acted = False
        self.called_after = False
        transaction, send, turn = house.store.transaction, house.distributor.send, house.pace.turn

        @asynccontextmanager
        async def stepped(urgency: Urgency) -> AsyncIterator[Transaction]:
            self.step()
            async with transaction(urgency) as tx:
                self.step()
                yield tx
                self.step()
            self.step()

        async def stepped_send(request: Request) -> Receipt:
            self.called_after |= self.has_acted
            self.step()
            receipt = await send(request)
            self.step()
            await asyncio.sleep(0)
            return receipt

        async def stepped_turn(source: SourceName, limit: str) -> None:
            self.step()
            await turn(source, limit)
            await asyncio.sleep(0)
            self.step()

        house.store.transaction = stepped  # type: ignore[method-assign]
        house.distributor.send = stepped_send  # type: ignore[method-assign]
        house.pace.turn = stepped_turn  # type: ignore[method-assign]

    def step(self) -> None:
        self.count += 1
        if self.count == self.at:
            self.has_acted = True
            self.act()


async def count_settlement(tx: Transaction, entry: Entry) -> None:
    name = f"settled/{entry.operation.reference}"
    if entry.state is EntryState.SETTLED:
        await tx.controls.set_setting(name, str(int(await tx.controls.setting(name) or 0) + 1))


async def cut_off(house: House, steps: Steps, at: int, how: str) -> None:
    """Drain, but for an end that strikes at that step: by the loop, by a scope around it, or politely."""
    worker = house.worker()
    with anyio.CancelScope() as scope:
        draining = worker.drain()
        running = asyncio.ensure_future(draining) if how == "cancel" else None
        steps.act = {"cancel": running.cancel if running else scope.cancel, "scope": scope.cancel, "stop": worker.stop}[
            how
        ]
        steps.count, steps.at, steps.has_acted = 0, at, False
        await (asyncio.gather(running, return_exceptions=True) if running else draining)
    steps.at, steps.has_acted = -1, False


@pytest.mark.parametrize("pace", [FreePace, ReadyPace])
@pytest.mark.parametrize("how", ["cancel", "scope", "stop"])
async def test_wherever_it_is_cut_off_no_entry_is_lost_and_none_is_sold_twice(house, how, pace):
    house.pace = pace()
    house.register.also = count_settlement
    house.distributor.concurrency = 2
    steps = Steps(house)
    at, references = 0, []
    while steps.count >= at:
        at += 1
        new = [f"a{at}", f"b{at}", f"c{at}", f"d{at}"]
        references += new
        await house.owe(*new[:2])
        # One of them was sent before, and nobody knows what came of it.
        house.distributor.script[new[1]] = ["commit+cut"]
        await house.drain()
        await house.owe(*new[2:])
        house.clock.advance(6)

        await cut_off(house, steps, at, how)

        reached = steps.count
        async with house.store.transaction(Urgency.COMMAND) as tx:
            if how != "cancel":
                assert (await tx.outbox.counts())["claimed"] == 0, "what never left was given back"
            await tx.outbox.recover()
        house.clock.advance(3600)
        await house.drain()
        steps.count = reached

    assert at > (25 if pace is FreePace else 15), "there are many places to be cut off at"
    assert sorted(house.distributor.effects) == sorted(references)
    assert {entry.state for entry in (await house.entries()).values()} == {EntryState.SETTLED}
    async with house.store.transaction(Urgency.COMMAND) as tx:
        assert [await tx.controls.setting(f"settled/{each}") for each in references] == ["1"] * len(references)


async def test_wherever_it_is_cut_off_only_what_was_sent_needs_a_person(house):
    house.distributor.policies = {SALE: UnknownPolicy.PARK}
    steps = Steps(house)
    at = 0
    while steps.count >= at:
        at += 1
        await house.owe(f"r{at}")
        await cut_off(house, steps, at, "scope")
        reached = steps.count
        async with house.store.transaction(Urgency.COMMAND) as tx:
            await tx.outbox.recover()
        sent = set(house.distributor.targets)
        await house.drain()
        steps.count = reached
        entry = (await house.entries())[f"r{at}"]
        if entry.state is EntryState.PARKED:
            assert f"/sale/r{at}" in sent

    states = [entry.state for entry in (await house.entries()).values()]
    assert {EntryState.SETTLED, EntryState.PARKED} == set(states)
    assert not steps.called_after, "nothing leaves once it is cut off"


async def test_an_answer_that_has_come_is_kept_whatever_happens(house):
    await house.owe("r1")
    with anyio.CancelScope() as scope:

        async def end(_tx: Transaction, _entry: Entry) -> None:
            scope.cancel()
            await anyio.lowlevel.checkpoint()

        house.register.also = end
        await house.worker().run()

    assert scope.cancelled_caught
    assert (await house.only()).state is EntryState.SETTLED
    assert len(await house.receipts()) == 1


async def test_a_worker_that_stops_never_begins_to_wait_for_a_turn(house):
    house.pace = ShutPace()
    steps = Steps(house)
    for at in range(1, 6):
        await house.owe(f"r{at}")
        steps.count, steps.at = 0, at
        worker = house.worker()
        steps.act = worker.stop
        running = asyncio.ensure_future(worker.run())
        await until(running.done)
        await running

    assert house.clock.monotonic() == 0.0
    assert {entry.state for entry in (await house.entries()).values()} == {EntryState.PENDING}


async def test_an_answer_nobody_can_read_parks_its_entry_alone(house):
    house.distributor.script["r1"] = ["garbage"]
    await house.owe("r1", "r2")

    await house.drain()

    assert ("r1", Outcome.UNKNOWN, Action.PARK, Reason.OUTCOME_UNKNOWN) in house.register.told
    assert settled("r2")[0] in house.register.told
    entry = (await house.entries())["r1"]
    assert entry.note == "internal error: ValueError: cannot make sense of it"
    assert (entry.state, entry.ever_sent) == (EntryState.PARKED, True)


async def test_an_error_before_anything_was_sent_parks_its_entry_as_unsent(house, monkeypatch):
    def broken(operation: Operation) -> Request:
        raise KeyError("resid")

    monkeypatch.setattr(house.distributor, "prepare", broken)
    await house.owe("r1")

    await house.drain()

    entry = await house.only()
    assert (entry.state, entry.ever_sent) == (EntryState.PARKED, False)
    assert house.register.told == [("r1", Outcome.UNKNOWN, Action.PARK, Reason.RETRIES_EXHAUSTED)]


async def test_an_error_of_the_calls_while_sending_leaves_doubt(house):
    house.distributor.script["r1"] = [RuntimeError("session closed")]
    await house.owe("r1")

    await house.drain()

    assert house.register.told == [("r1", Outcome.UNKNOWN, Action.PARK, Reason.OUTCOME_UNKNOWN)]


async def test_a_settlement_that_fails_parks_the_entry_and_keeps_the_receipt(house):
    house.register.refuses = lambda entry: entry.state is EntryState.SETTLED
    await house.owe("r1")

    await house.drain()

    assert (await house.only()).state is EntryState.PARKED
    assert [line.verdict.outcome for line in await house.receipts()] == [Outcome.ACCEPTED]
    assert house.register.told[-1][2] is Action.PARK


async def test_a_settlement_that_always_fails_is_raised_and_its_entry_is_not_met_again(house):
    house.distributor.concurrency = 1
    house.register.refuses = lambda entry: entry.operation.reference == "r1"
    await house.owe("r1", "r2")

    with pytest.raises(ValueError, match="no such order: settled"):
        await house.drain()

    entries = await house.entries()
    assert entries["r1"].state is EntryState.PARKED
    assert [line.verdict.outcome for line in await house.receipts()] == [Outcome.ACCEPTED]
    await house.drain()
    assert house.register.told == settled("r2")


async def test_a_store_that_fails_ends_the_worker_as_itself(house, monkeypatch):
    await house.owe("r1")
    worker = house.worker()

    def broken(urgency: Urgency) -> object:
        raise StoreFailed("disk full")

    monkeypatch.setattr(house.store, "transaction", broken)

    with pytest.raises(StoreFailed, match="disk full"):
        await worker.run()


async def test_a_store_that_fails_after_the_answer_leaves_the_entry_in_doubt(house, monkeypatch):
    house.distributor.hold = asyncio.Event()
    await house.owe("r1")
    running = asyncio.ensure_future(house.worker().run())
    await until(lambda: house.distributor.sent)

    def broken(urgency: Urgency) -> object:
        raise StoreFailed("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(house.store, "transaction", broken)
        house.distributor.hold.set()
        with pytest.raises(StoreFailed, match="disk full"):
            await running

    assert (await house.only()).state is EntryState.SENT
    async with house.store.transaction(Urgency.COMMAND) as tx:
        await tx.outbox.recover()
    house.distributor.hold = None
    await house.drain()
    assert house.distributor.effects == ["r1"]


async def test_a_backlog_goes_out_by_priority(house):
    house.distributor.concurrency = 1
    await house.owe("refund", kind=REFUND)
    await house.owe("declaration", kind=DECLARATION)
    await house.owe("sale")
    await house.owe("probe", kind=PROBE)

    await house.drain()

    assert house.distributor.targets == ["/probe/probe", "/sale/sale", "/declaration/declaration", "/refund/refund"]


@pytest.mark.parametrize(("concurrency", "most"), [(2, 1), (4, 2), (5, 2), (8, 4)])
async def test_what_waits_for_a_slow_rate_leaves_half_of_the_places_to_sales(house, concurrency, most):
    """A thousand declarations at one a minute must not keep a release waiting for hours."""
    house.distributor.concurrency = concurrency
    house.pace = SlowPace("declaration", "refund")
    await house.owe(*(f"d{number}" for number in range(5)), kind=DECLARATION)
    await house.owe(*(f"f{number}" for number in range(5)), kind=REFUND)
    worker = house.worker(grace_seconds=0.0)
    running = asyncio.ensure_future(worker.run())
    await until(lambda: len(house.pace.turns) == most)
    sales = [f"s{number}" for number in range(20)]
    await house.owe(*sales, "probe")

    house.bell.ring()
    await until(lambda: len(house.distributor.effects) == 21)

    assert sorted(house.distributor.effects) == sorted([*sales, "probe"])
    assert house.pace.turns[:most] == ["declaration"] * most
    assert [turn for turn in house.pace.turns if turn != "sale"] == ["declaration"] * most
    worker.stop()
    await running
