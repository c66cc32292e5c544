"""Due titles to offers to order steps, and receipts back to order states: each chunk one commit."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import takewhile

from anyio.lowlevel import checkpoint

from syncengine.delivery.journal import Concluded
from syncengine.delivery.retry import Action, Decision
from syncengine.domain.delivery import Entry, EntryState, Gate, GateState, Operation, OperationKind, Verdict
from syncengine.domain.ids import EntryId, Format, Isbn, OrderId, SourceName, TitleKey
from syncengine.domain.offer import HeldOrders, Offer, OfferState, RuleApplied
from syncengine.domain.order import LIVE_STATES, Order, OrderEvent, OrderState, Reason
from syncengine.domain.territory import Market
from syncengine.domain.title import Title
from syncengine.ports import Clock, Distributor, DueMark, DueTitle, NewEntry, Store, Transaction, Urgency
from syncengine.service.progress import Progress, Unwatched
from syncengine.trade.conclusion import DISPUTES, OrderConclusion, conclude_gate, conclude_order, park_order, refused
from syncengine.trade.due import decide_title
from syncengine.trade.planner import Circumstances, Plan, decide, gate_id, probe_due

TITLES_A_CHUNK = 200
ORDERS_A_CHUNK = 250
"""What one commit of trade deals with at most, so that a release with a million orders stays bounded."""
_BREATH = 8
"""Titles decided between two chances for other work: some milliseconds."""

MOST_UNSENT = 2000
"""Sales of one source that wait in the outbox; orders that would add to them are decided when there is room. So a stop or another
price takes effect at once on nearly all that wait, and the outbox stays small.
"""


@dataclass(slots=True, kw_only=True)
class _Title:
    """A due title in the middle of its decision; the gates grow, and the lists, with each order that is decided."""

    mark: DueMark
    distributor: Distributor
    titles: Sequence[Title]
    offers: Mapping[str, Offer]
    gates: dict[str, Gate]
    refreshing: frozenset[TitleKey]
    now: Circumstances
    owed: Mapping[OrderId, Sequence[Entry]]
    room: int
    """How many more sales the source's outbox takes."""
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
        self._held: dict[TitleKey, DueMark] = {}

    @property
    def held(self) -> Collection[DueMark]:
        """Titles whose orders wait for room in the outbox; `decide_due` leaves them alone until there is some."""
        return self._held.values()

    async def decide_due(self) -> int:
        """Decide one chunk of due titles with their live orders; returns how many titles were in it."""
        async with self._store.transaction(Urgency.TRADE) as tx:
            # Not before its turn at the store: what others have written until then must not lie in the future.
            now = self._clock.now()
            await self._release_held(tx)
            marks = await tx.titles.due(now, TITLES_A_CHUNK + len(self._held))
            # A mark that was renewed is another one: what is new about its title is decided at once.
            marks = [mark for mark in marks if not _is_same(mark, self._held.get(mark.key))][:TITLES_A_CHUNK]
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
        orders = await tx.orders.of_title(mark.key, LIVE_STATES, after=mark.position, limit=budget)
        due = await self._open(tx, mark, distributor, at, [order for _, order in orders])
        taken = list(takewhile(lambda order: self._step(due, order[1]), orders))
        position = taken[-1][0] if taken else mark.position
        dealt_with = len(taken)
        is_full = dealt_with < len(orders)
        if is_full:
            dealt_with += await self._receive(tx, due, position, budget - dealt_with)
        await self._keep(tx, due, at)
        if is_full and dealt_with < budget:
            self._held[mark.key] = mark
        if is_full or len(orders) == budget:
            await tx.titles.advance(mark, position)
        else:
            self._held.pop(mark.key, None)
            await tx.titles.clear([mark])
        return dealt_with

    async def _receive(self, tx: Transaction, due: _Title, position: int, limit: int) -> int:
        """The terms of an order are those of the day it came, wherever it stands in the queue; returns how many there were."""
        fresh = await tx.orders.of_title(due.mark.key, [OrderState.RECEIVED], after=position, limit=limit)
        for _, order in fresh:
            self._step(due, order, in_turn=False)
        return len(fresh)

    async def _keep(self, tx: Transaction, due: _Title, at: datetime) -> None:
        await tx.outbox.revoke(due.revoked)
        given_up = "given up: nobody needs it any more"
        await tx.outbox.save(*(replace(entry, state=EntryState.SETTLED, note=given_up) for entry in due.dropped))
        await tx.orders.save(due.steps)
        await tx.outbox.save_gates(due.new_gates)
        await tx.outbox.put(due.entries, at)

    async def _release_held(self, tx: Transaction) -> None:
        """Titles go on once their source's outbox has room for a chunk of them."""
        for source in {key.source for key in self._held}:
            if await tx.outbox.count_unsent(source, MOST_UNSENT) <= MOST_UNSENT - ORDERS_A_CHUNK:
                self._held = {key: mark for key, mark in self._held.items() if key.source != source}

    async def _open(
        self, tx: Transaction, mark: DueMark, distributor: Distributor, at: datetime, orders: Sequence[Order]
    ) -> _Title:
        key = mark.key
        every = await tx.titles.read(replace(key, format=Format("")))
        title = next((title for title in every if title.key == key), Title(key=key))
        decision = decide_title(title, distributor.rules, await tx.titles.known_offers(key), at)
        if mark.position == 0 and key.format and every:
            await tx.changes.append(decision.changes)
            await tx.titles.decide([decision.kept])
        gates: dict[str, Gate] = {}
        started = [order.order_id for order in orders if order.state in {OrderState.DECLARING, OrderState.PLACING}]
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
                gates=gates,
                refreshing=False,
                sends=distributor.calls.operations if distributor.calls else frozenset(),
                known=await tx.passes.has_completed(key.source, distributor.source.streams),
            ),
            owed=await tx.outbox.of_orders(started) if started else {},
            room=MOST_UNSENT - await tx.outbox.count_unsent(key.source, MOST_UNSENT) if orders else 0,
        )

    def _step(self, due: _Title, order: Order, *, in_turn: bool = True) -> bool:
        """Decide one order; false, and nothing is decided, where it has to wait for room in the outbox. One that is not in turn is
        decided without any.
        """
        offer = self._offer(due, order)
        owed = due.owed.get(order.order_id, ())
        now = due.now
        if not in_turn or offer.key in due.refreshing:
            now = replace(now, refreshing=offer.key in due.refreshing, room=in_turn)
        plan = decide(order, offer, now, unsent=all(map(_may_be_dropped, owed)))
        if _is_new_sale(plan) and due.room <= 0:
            return False
        due.room -= _is_new_sale(plan)
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
        return True

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

    async def settle(self, tx: Transaction, concluded: Sequence[Concluded]) -> None:
        """What outcomes of calls make of their orders and gates, in the commit that keeps the receipts."""
        orders = await tx.orders.get({each.entry.order_id for each in concluded if each.entry.order_id is not None})
        steps: list[tuple[Order, OrderEvent | None]] = []
        for each in concluded:
            # No two entries of one order are ever under way at once.
            order = orders[each.entry.order_id] if each.entry.order_id is not None else None
            steps += await self._settle_one(tx, each, order)
        await tx.orders.save(steps)

    async def _settle_one(
        self, tx: Transaction, concluded: Concluded, order: Order | None
    ) -> Sequence[tuple[Order, OrderEvent]]:
        entry, verdict, decision = concluded.entry, concluded.verdict, concluded.decision
        has_ended = decision.action in {Action.SETTLE, Action.PARK}
        if has_ended and entry.operation.kind is OperationKind.PROBE:
            await self._settle_probe(tx, entry, verdict, decision)
        elif has_ended and order is not None:
            return await self._settle_order(tx, entry, order, verdict, decision)
        elif order is not None:
            await self._reconsider(tx, entry, order)
        return ()

    async def _reconsider(self, tx: Transaction, entry: Entry, order: Order) -> None:
        """What is to be tried again may have been overtaken while it was in flight: by a cancel, or, a declaration, by the start of
        the sale.
        """
        has_begun = False
        if entry.operation.kind is OperationKind.DECLARATION:
            starts_at = await self._starts_at(tx, entry.operation)
            has_begun = starts_at is not None and starts_at <= self._clock.now()
        if order.cancel_requested or has_begun:
            await self._mark_due(tx, entry.operation.key)

    async def _settle_probe(self, tx: Transaction, entry: Entry, verdict: Verdict, decision: Decision) -> None:
        key, at = entry.operation.key, self._clock.now()
        gate = (await tx.outbox.gates(key)).get(entry.gate or "")
        if gate is None:
            return
        if decision.action is Action.PARK:
            await tx.outbox.save_gates([refused(gate, decision.note, at)])
            await self._mark_due(tx, key)
            return
        concluded = conclude_gate(gate, verdict, at, in_grace=await self._in_grace(tx, entry.operation, at))
        await tx.outbox.save_gates([concluded.gate])
        if concluded.probe_at is not None:
            again = NewEntry(operation=entry.operation, order_id=None, gate=gate.id, due_at=concluded.probe_at)
            await tx.outbox.put([again], at)
        if concluded.disputed:
            await self._ask_refresh(tx, key)
        if concluded.gate.state in {GateState.OPEN, GateState.REFUSED}:
            await self._mark_due(tx, key)

    async def _settle_order(
        self, tx: Transaction, entry: Entry, order: Order, verdict: Verdict, decision: Decision
    ) -> Sequence[tuple[Order, OrderEvent]]:
        """The order's steps, to be saved."""
        at = self._clock.now()
        if decision.action is Action.PARK:
            reason = decision.reason or Reason.RETRIES_EXHAUSTED
            concluded = park_order(order, reason, decision.note, at)
            if entry.operation.kind is OperationKind.DECLARATION:
                # Nobody need decide about it, and a parked entry would hold up the sale behind it.
                await tx.outbox.save(replace(entry, state=EntryState.SETTLED))
        else:
            in_grace = verdict.outcome in DISPUTES and await self._in_grace(tx, entry.operation, at)
            concluded = conclude_order(order, entry.operation.kind, verdict, at, in_grace=in_grace)
        await self._follow_up(tx, entry, concluded, verdict, at)
        return [(concluded.order, event) for event in concluded.events]

    async def _follow_up(
        self, tx: Transaction, entry: Entry, concluded: OrderConclusion, verdict: Verdict, at: datetime
    ) -> None:
        """What an order's outcome means beyond it: a refund owed, its title's gate closed, its facts read again."""
        key = entry.operation.key
        if concluded.operation is not None:
            owed = NewEntry(operation=concluded.operation, order_id=entry.order_id, gate=None, due_at=at)
            await tx.outbox.put([owed], at)
        if concluded.not_yet or concluded.disputed:
            await self._close_gate(tx, entry, concluded, verdict, at)
        if concluded.not_yet or concluded.disputed or concluded.order.state is OrderState.WAITING:
            await self._mark_due(tx, key)

    async def _close_gate(
        self, tx: Transaction, entry: Entry, concluded: OrderConclusion, verdict: Verdict, at: datetime
    ) -> None:
        """The distributor did not sell one order: the others of its gate stay back until it is asked, or its title read, again."""
        gate = (await tx.outbox.gates(entry.operation.key)).get(entry.gate or "")
        if gate is not None and concluded.not_yet and gate.state is GateState.OPEN:
            probing = replace(gate, state=GateState.PROBING, since=at, attempts=1, valid_until=None, note=verdict.word)
            await tx.outbox.save_gates([probing])
            probe = NewEntry(operation=_as_probe(entry.operation), order_id=None, gate=gate.id, due_at=probe_due(1, at))
            await tx.outbox.put([probe], at)
        if concluded.disputed:
            if gate is not None:
                await tx.outbox.save_gates([replace(gate, state=GateState.STALE, since=at, valid_until=None)])
            await self._ask_refresh(tx, entry.operation.key)

    async def _mark_due(self, tx: Transaction, key: TitleKey) -> None:
        await tx.titles.mark_due([key])
        self._wake()

    async def _ask_refresh(self, tx: Transaction, key: TitleKey) -> None:
        await tx.controls.ask_refresh([key])
        self._wake()

    async def _in_grace(self, tx: Transaction, operation: Operation, at: datetime) -> bool:
        starts_at = await self._starts_at(tx, operation)
        return starts_at is not None and starts_at <= at < starts_at + self._grace

    async def _starts_at(self, tx: Transaction, operation: Operation) -> datetime | None:
        """The start of sale by the offer that was decided last."""
        known = (await tx.titles.known_offers(operation.key)).get(str(operation.market))
        return known.starts_at if known else None


def _is_same(mark: DueMark, held: DueMark | None) -> bool:
    return held is not None and mark.sequence == held.sequence


def _is_new_sale(plan: Plan) -> bool:
    """Whether it adds to what waits in the outbox: a sale whose price has changed takes the place of the one before."""
    return plan.operation is not None and plan.operation.kind is OperationKind.SALE and not plan.revoke


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
