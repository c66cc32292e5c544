"""Due titles to offers to order steps, and receipts back to order states: each chunk one commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from anyio.lowlevel import checkpoint

from syncengine.delivery.retry import Action, Decision
from syncengine.domain.delivery import Entry, EntryState, Gate, GateState, Operation, OperationKind, Verdict
from syncengine.domain.ids import EntryId, Format, Isbn, SourceName, TitleKey
from syncengine.domain.offer import HeldOrders, Offer, OfferState, RuleApplied
from syncengine.domain.order import LIVE_STATES, Order, OrderEvent, OrderState, Reason
from syncengine.domain.territory import Market
from syncengine.domain.title import Title
from syncengine.ports import Clock, Distributor, DueMark, DueTitle, NewEntry, Store, Transaction, Urgency
from syncengine.service.progress import Progress, Unwatched
from syncengine.trade.conclusion import OrderConclusion, conclude_gate, conclude_order, park_order, refused
from syncengine.trade.due import decide_title
from syncengine.trade.planner import Circumstances, decide, gate_id, probe_due

TITLES_A_CHUNK = 200
ORDERS_A_CHUNK = 500
"""What one commit of trade deals with at most, so that a release with a million orders stays bounded."""
_BREATH = 8
"""Titles decided between two chances for other work: some milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Title:
    """A due title in the middle of its decision; the gates grow, and the lists, with each order that is decided."""

    mark: DueMark
    distributor: Distributor
    titles: Sequence[Title]
    offers: Mapping[str, Offer]
    gates: dict[str, Gate]
    refreshing: frozenset[TitleKey]
    now: Circumstances
    steps: list[tuple[Order, OrderEvent | None]] = field(default_factory=list)
    entries: list[NewEntry] = field(default_factory=list)
    revoked: list[EntryId] = field(default_factory=list)
    dropped: list[Entry] = field(default_factory=list)
    new_gates: list[Gate] = field(default_factory=list)


@dataclass(slots=True)
class _Backlog:
    """Titles that are due together: how many were decided, and how many there are as counted last."""

    decided: int = 0
    total: int = 0


class Dispatch:
    """Trade's commits: what due titles mean for orders, and what outcomes mean for them."""

    def __init__(
        self,
        distributors: Mapping[SourceName, Distributor],
        store: Store,
        clock: Clock,
        release_grace: timedelta,
        *,
        wake: Callable[[], None],
        progress: Progress | None = None,
    ) -> None:
        self._distributors = distributors
        self._store = store
        self._clock = clock
        self._grace = release_grace
        self._wake = wake
        self._progress = progress or Unwatched()
        self._backlog = _Backlog()

    async def decide_due(self) -> int:
        """Decide one chunk of due titles with their live orders; returns how many titles were in it."""
        now = self._clock.now()
        async with self._store.transaction(Urgency.TRADE) as tx:
            marks = await tx.titles.due(now, TITLES_A_CHUNK)
            unawaited = {
                due.mark: due for due in await tx.titles.unawaited(marks) if due.mark.key.source in self._distributors
            }
            budget, decided = ORDERS_A_CHUNK, len(unawaited)
            for mark in (mark for mark in marks if mark not in unawaited):
                budget -= await self._decide(tx, mark, now, budget)
                decided += 1
                if budget <= 0:
                    break
            await self._decide_unawaited(tx, list(unawaited.values()), now)
            await self._tell(tx, decided, may_be_more=len(marks) == TITLES_A_CHUNK)
        return len(marks)

    async def _tell(self, tx: Transaction, decided: int, *, may_be_more: bool) -> None:
        """How far the titles are that were due together, where they are more than a chunk."""
        backlog = self._backlog
        backlog.decided += decided
        if may_be_more and backlog.decided >= backlog.total:
            backlog.total = backlog.decided + await tx.titles.count_due()
        if decided and backlog.total:
            self._progress.deciding(decided=min(backlog.decided, backlog.total), total=backlog.total)
        if not may_be_more:
            self._backlog = _Backlog()

    async def offers(
        self, tx: Transaction, isbn: Isbn, market: Market, at: datetime, source: SourceName | None
    ) -> list[Offer]:
        """The offers of every title that carries the ISBN, of one source or of all."""
        found = []
        for key in await tx.titles.find(isbn):
            distributor = self._distributors.get(key.source)
            if distributor is not None and source in {None, key.source}:
                found += [distributor.rules.offer(title, market, at) for title in await tx.titles.read(key)]
        return found

    # --- due titles ---------------------------------------------------------------------------------------------------------

    async def _decide_unawaited(self, tx: Transaction, titles: Sequence[DueTitle], at: datetime) -> None:
        """Titles that no order waits for: after a first load that is all of them."""
        decisions = []
        for number, due in enumerate(titles):
            if number % _BREATH == 0:
                await checkpoint()
            rules = self._distributors[due.mark.key.source].rules
            decisions.append(decide_title(due.title, rules, due.offers, at))
        await tx.changes.append([change for decision in decisions for change in decision.changes])
        await tx.titles.decide([decision.kept for decision in decisions])
        await tx.titles.clear([due.mark for due in titles])

    async def _decide(self, tx: Transaction, mark: DueMark, at: datetime, budget: int) -> int:
        """One title and up to `budget` of its orders; returns how many orders were dealt with."""
        distributor = self._distributors.get(mark.key.source)
        if distributor is None:
            # Whoever brings the source back has every title of it decided anew.
            await tx.controls.set_setting(f"rules:{mark.key.source}", "")
            await tx.titles.clear([mark])
            return 0
        due = await self._open(tx, mark, distributor, at)
        orders = await tx.orders.of_title(mark.key, LIVE_STATES, after=mark.position, limit=budget)
        for _, order in orders:
            await self._step(tx, due, order)
        await tx.outbox.revoke(due.revoked)
        for entry in due.dropped:
            await tx.outbox.save(replace(entry, state=EntryState.SETTLED, note="given up: nobody needs it any more"))
        await tx.orders.save(due.steps)
        await tx.outbox.save_gates(due.new_gates)
        await tx.outbox.put(due.entries, at)
        if len(orders) == budget:
            await tx.titles.advance(mark, orders[-1][0])
        else:
            await tx.titles.clear([mark])
        return len(orders)

    async def _open(self, tx: Transaction, mark: DueMark, distributor: Distributor, at: datetime) -> _Title:
        key = mark.key
        every = await tx.titles.read(replace(key, format=Format("")))
        title = next((title for title in every if title.key == key), Title(key=key))
        decision = decide_title(title, distributor.rules, await tx.titles.known_offers(key), at)
        if mark.position == 0 and key.format and every:
            await tx.changes.append(decision.changes)
            await tx.titles.decide([decision.kept])
        gates: dict[str, Gate] = {}
        for one in {key, *(title.key for title in every)}:
            gates.update(await tx.outbox.gates(one))
        return _Title(
            mark=mark,
            distributor=distributor,
            titles=every,
            offers=decision.offers,
            gates=gates,
            refreshing=frozenset(await tx.controls.refreshes()),
            now=Circumstances(
                at=at,
                gates={},
                refreshing=False,
                sends=distributor.calls.operations if distributor.calls else frozenset(),
                known=await tx.passes.has_completed(key.source),
            ),
        )

    async def _step(self, tx: Transaction, due: _Title, order: Order) -> None:
        offer = self._offer(due, order)
        owed: Sequence[Entry] = ()
        if order.state in {OrderState.DECLARING, OrderState.PLACING}:
            owed = await tx.outbox.of_order(order.order_id)
        plan = decide(
            order,
            offer,
            replace(due.now, gates=due.gates, refreshing=offer.key in due.refreshing),
            unsent=all(map(_may_be_dropped, owed)),
        )
        if plan.revoke:
            due.revoked.extend(entry.id for entry in owed if not entry.ever_sent)
            due.dropped.extend(entry for entry in owed if entry.ever_sent)
        if plan.order != order:
            due.steps.extend((plan.order, event) for event in plan.events or (None,))
        if plan.gate is not None and plan.probe is not None:
            due.gates[plan.gate.id] = plan.gate
            due.new_gates.append(plan.gate)
            due.entries.append(NewEntry(operation=plan.probe, order_id=None, gate=plan.gate.id, due_at=due.now.at))
        if plan.operation is not None:
            gate = gate_id(offer, plan.order.protection) if plan.operation.kind is OperationKind.SALE else None
            due.entries.append(
                NewEntry(operation=plan.operation, order_id=order.order_id, gate=gate, due_at=due.now.at)
            )

    def _offer(self, due: _Title, order: Order) -> Offer:
        """The offer an order is decided by: of its own format, or of the one title it can mean."""
        rules, market, at = due.distributor.rules, order.request.market, due.now.at
        if order.key.format:
            if order.key == due.mark.key and str(market) in due.offers:
                return due.offers[str(market)]
            title = next((title for title in due.titles if title.key == order.key), Title(key=order.key))
            return self._served(rules.offer(title, market, at), due, order)
        offers = [rules.offer(title, market, at) for title in due.titles]
        able = [offer for offer in offers if _is_live(offer)]
        if len(able) == 1 or len(offers) == 1:
            return self._served((able or offers)[0], due, order)
        says = ", ".join(offer.key.format for offer in able or offers)
        rule = RuleApplied(id="title.ambiguous", says=f"the ISBN stands for several formats: {says}")
        return Offer(key=order.key, market=market, at=at, state=OfferState.UNKNOWN, rules=(rule,) if offers else ())

    def _served(self, offer: Offer, due: _Title, order: Order) -> Offer:
        """An order for a market that the shop does not serve from this source is never kept waiting: nothing would wake it."""
        if order.request.market in due.distributor.rules.markets or not _is_live(offer):
            return offer
        says = f"{order.request.market} is not among the markets of {order.request.source}"
        return replace(
            offer,
            state=OfferState.OUT_OF_TERRITORY,
            accepts_orders=False,
            accepts_preorders=False,
            held_orders=HeldOrders.STOP,
            rules=(*offer.rules, RuleApplied(id="settings.markets", says=says)),
        )

    # --- receipts -----------------------------------------------------------------------------------------------------------

    async def settle(self, tx: Transaction, entry: Entry, verdict: Verdict, decision: Decision) -> None:
        """What a call's outcome makes of its order or gate, in the commit that keeps the receipt."""
        if decision.action not in {Action.SETTLE, Action.PARK}:
            await self._reconsider(tx, entry)
            return
        if entry.operation.kind is OperationKind.PROBE:
            await self._settle_probe(tx, entry, verdict, decision)
        else:
            await self._settle_order(tx, entry, verdict, decision)
        self._wake()

    async def _reconsider(self, tx: Transaction, entry: Entry) -> None:
        """What is to be tried again may have been overtaken while it was in flight: by a cancel, or, a declaration, by the start of
        the sale.
        """
        if entry.order_id is None:
            return
        order = (await tx.orders.get([entry.order_id]))[entry.order_id]
        starts_at = await self._starts_at(tx, entry.operation)
        has_begun = starts_at is not None and starts_at <= self._clock.now()
        if order.cancel_requested or (entry.operation.kind is OperationKind.DECLARATION and has_begun):
            await tx.titles.mark_due([entry.operation.key])
            self._wake()

    async def _settle_probe(self, tx: Transaction, entry: Entry, verdict: Verdict, decision: Decision) -> None:
        key, at = entry.operation.key, self._clock.now()
        gate = (await tx.outbox.gates(key)).get(entry.gate or "")
        if gate is None:
            return
        if decision.action is Action.PARK:
            await tx.outbox.save_gates([refused(gate, decision.note, at)])
            await tx.titles.mark_due([key])
            return
        concluded = conclude_gate(gate, verdict, at, in_grace=await self._in_grace(tx, entry.operation, at))
        await tx.outbox.save_gates([concluded.gate])
        if concluded.probe_at is not None:
            again = NewEntry(operation=entry.operation, order_id=None, gate=gate.id, due_at=concluded.probe_at)
            await tx.outbox.put([again], at)
        if concluded.disputed:
            await tx.controls.ask_refresh([key])
        if concluded.gate.state in {GateState.OPEN, GateState.REFUSED}:
            await tx.titles.mark_due([key])

    async def _settle_order(self, tx: Transaction, entry: Entry, verdict: Verdict, decision: Decision) -> None:
        at = self._clock.now()
        if entry.order_id is None:
            return
        order = (await tx.orders.get([entry.order_id]))[entry.order_id]
        if decision.action is Action.PARK:
            reason = decision.reason or Reason.RETRIES_EXHAUSTED
            concluded = park_order(order, reason, decision.note, at)
            if entry.operation.kind is OperationKind.DECLARATION:
                # Nobody need decide about it, and a parked entry would hold up the sale behind it.
                await tx.outbox.save(replace(entry, state=EntryState.SETTLED))
        else:
            in_grace = await self._in_grace(tx, entry.operation, at)
            concluded = conclude_order(order, entry.operation.kind, verdict, at, in_grace=in_grace)
        await tx.orders.save([(concluded.order, event) for event in concluded.events])
        await self._follow_up(tx, entry, concluded, verdict, at)

    async def _follow_up(
        self, tx: Transaction, entry: Entry, concluded: OrderConclusion, verdict: Verdict, at: datetime
    ) -> None:
        """What an order's outcome means beyond it: a refund owed, its title's gate closed, its facts read again."""
        key = entry.operation.key
        if concluded.operation is not None:
            owed = NewEntry(operation=concluded.operation, order_id=entry.order_id, gate=None, due_at=at)
            await tx.outbox.put([owed], at)
        gate = (await tx.outbox.gates(key)).get(entry.gate or "")
        if gate is not None and concluded.not_yet and gate.state is GateState.OPEN:
            probing = replace(gate, state=GateState.PROBING, since=at, attempts=1, valid_until=None, note=verdict.word)
            await tx.outbox.save_gates([probing])
            probe = NewEntry(operation=_as_probe(entry.operation), order_id=None, gate=gate.id, due_at=probe_due(1, at))
            await tx.outbox.put([probe], at)
        if concluded.disputed:
            if gate is not None:
                await tx.outbox.save_gates([replace(gate, state=GateState.STALE, since=at, valid_until=None)])
            await tx.controls.ask_refresh([key])
        if concluded.not_yet or concluded.disputed or concluded.order.state is OrderState.WAITING:
            await tx.titles.mark_due([key])

    async def _in_grace(self, tx: Transaction, operation: Operation, at: datetime) -> bool:
        starts_at = await self._starts_at(tx, operation)
        return starts_at is not None and starts_at <= at < starts_at + self._grace

    async def _starts_at(self, tx: Transaction, operation: Operation) -> datetime | None:
        """The start of sale by the offer that was decided last."""
        known = (await tx.titles.known_offers(operation.key)).get(str(operation.market))
        return known.starts_at if known else None


def _is_live(offer: Offer) -> bool:
    return offer.accepts_orders or offer.accepts_preorders or offer.state in {OfferState.ANNOUNCED, OfferState.NOT_YET}


def _may_be_dropped(entry: Entry) -> bool:
    """Whether an entry can be given up: none of it was sent, or it is a declaration between two tries, which need not be known
    to have been heard.
    """
    if entry.operation.kind is OperationKind.DECLARATION:
        return entry.state is not EntryState.SENT
    return entry.state in {EntryState.PENDING, EntryState.CLAIMED} and not entry.ever_sent


def _as_probe(operation: Operation) -> Operation:
    return replace(operation, kind=OperationKind.PROBE)
