"""The order register as people and shops use it: take, cancel, confirm, refund, resolve."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from syncengine.domain.delivery import Entry, EntryState, GateState, OperationKind
from syncengine.domain.ids import OrderId, SourceName, TitleKey, escape_identifier
from syncengine.domain.order import Order, OrderEvent, OrderRequest, OrderState
from syncengine.errors import OrderInvalid, TransitionInvalid, UsageInvalid
from syncengine.ports import Clock, NewEntry, Store, Transaction, Urgency
from syncengine.trade.lifecycle import CANCELLABLE, move
from syncengine.trade.planner import refund

TAKE_AT_ONCE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A request with where it stands in its file; line 0 for one that came by itself."""

    line: int
    request: OrderRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of a file: ids newly taken, ids that were there with the same content, and rows that cannot be taken."""

    added: tuple[OrderId, ...]
    known: tuple[OrderId, ...]
    problems: tuple[str, ...]


class Register:
    """Changes to the register that people and shops ask for; every one is a single commit."""

    def __init__(self, store: Store, clock: Clock, sources: Collection[SourceName]) -> None:
        self._store = store
        self._clock = clock
        self._sources = sources

    async def take(self, rows: Sequence[Row], problems: Sequence[str] = (), *, skip_bad: bool = False) -> Taken:
        """Take orders. Where any row has a problem nothing is taken, unless `skip_bad`; then the good ones are.

        Raises OrderInvalid naming every bad row.
        """
        async with self._store.transaction(Urgency.COMMAND) as tx:
            there = await self._there(tx, rows)
            fresh, known, found = self._sort(rows, there)
            every = [*problems, *found]
            if every and not skip_bad:
                raise OrderInvalid(
                    f"{len(every)} bad row{'s' if len(every) != 1 else ''}, nothing was taken:\n  "
                    + "\n  ".join(every),
                    hint="correct them, or take the good ones with --skip-bad",
                )
            for start in range(0, len(fresh), TAKE_AT_ONCE):
                orders = [self._received(row.request) for row in fresh[start : start + TAKE_AT_ONCE]]
                await tx.orders.add([(order, _event(order)) for order in orders])
            await tx.titles.mark_due({_key(row.request) for row in fresh})
        return Taken(added=tuple(row.request.order_id for row in fresh), known=tuple(known), problems=tuple(every))

    async def cancel(self, order_id: OrderId) -> Order:
        """Give an order up. One with a call in flight is marked, and given up, or refunded, after it."""
        async with self._store.transaction(Urgency.COMMAND) as tx:
            order = await self._one(tx, order_id)
            at = self._clock.now()
            if order.state in CANCELLABLE:
                return await _save(tx, *move(order, OrderState.CANCELLED, at))
            if order.state in {OrderState.DECLARING, OrderState.PLACING}:
                marked = replace(order, cancel_requested=True, updated_at=at)
                await tx.orders.save([(marked, None)])
                await tx.titles.mark_due([order.key])
                return marked
            if order.state is OrderState.ATTENTION:
                raise UsageInvalid(
                    f"order {order_id} waits for a decision ({order.reason})",
                    hint=f"orders resolve {order_id} --cancel",
                )
            if order.state is OrderState.PLACED:
                raise UsageInvalid(f"order {order_id} is already sold", hint=f"orders refund {order_id}")
            raise TransitionInvalid(f"order {order_id} is {order.state.value} and cannot be cancelled")

    async def confirm(self, order_id: OrderId, amount: Decimal | None) -> Order:
        """The customer has paid what a PAYABLE order asks; without an amount, exactly that."""
        async with self._store.transaction(Urgency.COMMAND) as tx:
            order = await self._one(tx, order_id)
            if order.state is not OrderState.PAYABLE:
                raise TransitionInvalid(
                    f"order {order_id} is {order.state.value}, not PAYABLE: there is nothing to confirm"
                )
            if amount is not None and amount != order.payable:
                raise UsageInvalid(
                    f"order {order_id} asks for {order.payable} {order.request.market.currency}, not {amount}",
                    hint="take the payment of exactly that amount, then confirm it",
                )
            paid = replace(order, paid_amount=order.payable, updated_at=self._clock.now())
            await tx.orders.save([(paid, None)])
            await tx.titles.mark_due([order.key])
            return paid

    async def refund(self, order_id: OrderId, reason: str | None) -> Order:
        """Ask the distributor to take a sale back."""
        async with self._store.transaction(Urgency.COMMAND) as tx:
            order = await self._one(tx, order_id)
            at = self._clock.now()
            refunding, event, operation = refund(order, at, reason)
            await tx.outbox.put([NewEntry(operation=operation, order_id=order_id, gate=None, due_at=at)], at)
            return await _save(tx, refunding, event)

    # --- ATTENTION ----------------------------------------------------------------------------------------------------------

    async def retry(self, order_id: OrderId) -> Order:
        """Try again what stopped: a parked call is taken up where it was (looked up first if it may have been sent), anything
        else is decided anew.
        """
        async with self._store.transaction(Urgency.COMMAND) as tx:
            order = await self._in_attention(tx, order_id)
            parked = await _parked(tx, order_id)
            if parked:
                return await self._retry_entry(tx, order, parked)
            await self._reopen_gates(tx, order.key)
            return await self._wait_again(tx, order, "to be tried again", stale_rounds=0)

    async def accept_price(self, order_id: OrderId, amount: Decimal) -> Order:
        """The customer agrees to pay up to `amount`, tax included."""
        async with self._store.transaction(Urgency.COMMAND) as tx:
            order = await self._in_attention(tx, order_id)
            await self._no_parked(tx, order_id)
            return await self._wait_again(tx, order, f"agreed to {amount}", agreed_price=amount, agreed_basis=None)

    async def placed(self, order_id: OrderId, proof: str) -> Order:
        """A person knows that the distributor has the sale."""
        async with self._store.transaction(Urgency.COMMAND) as tx:
            order = await self._in_attention(tx, order_id)
            await self._drop(tx, order_id, "a person says it is placed")
            return await _save(
                tx, *move(order, OrderState.PLACED, self._clock.now(), note="by a person", receipt=proof)
            )

    async def give_up(self, order_id: OrderId) -> Order:
        """Cancel an order in ATTENTION; what was parked for it is dropped."""
        async with self._store.transaction(Urgency.COMMAND) as tx:
            order = await self._in_attention(tx, order_id)
            parked = await _parked(tx, order_id)
            if parked and parked.operation.kind is OperationKind.REFUND:
                raise UsageInvalid(
                    f"order {order_id} was sold, and its refund is parked: it can no longer be cancelled",
                    hint="--retry the refund, or say --placed to leave it sold",
                )
            await self._drop(tx, order_id, "its order was cancelled by a person")
            return await _save(tx, *move(order, OrderState.CANCELLED, self._clock.now(), note="by a person"))

    # --- parts --------------------------------------------------------------------------------------------------------------

    async def _there(self, tx: Transaction, rows: Sequence[Row]) -> Mapping[OrderId, Order]:
        return await tx.orders.get([row.request.order_id for row in rows])

    def _sort(self, rows: Sequence[Row], there: Mapping[OrderId, Order]) -> tuple[list[Row], list[OrderId], list[str]]:
        """Rows to take, ids already there with the same content, and problems."""
        fresh: dict[OrderId, Row] = {}
        known: list[OrderId] = []
        problems: list[str] = []
        for row in rows:
            order_id = row.request.order_id
            earlier = fresh.get(order_id) or there.get(order_id)
            before = earlier.request if earlier else None
            if row.request.source not in self._sources:
                names = ", ".join(sorted(self._sources)) or "none"
                problems.append(f"{_where(row)}source {row.request.source!r} is not in the settings (there: {names})")
            elif before is None:
                fresh[order_id] = row
            elif before == row.request:
                known.append(order_id)
            else:
                problems.append(
                    f"{_where(row)}order {order_id} exists with other content: {_differences(before, row.request)}"
                )
        return list(fresh.values()), known, problems

    def _received(self, request: OrderRequest) -> Order:
        at = self._clock.now()
        return Order(
            request=request,
            state=OrderState.RECEIVED,
            key=_key(request),
            received_at=at,
            updated_at=at,
            reference=f"{self._store.identity.prefix}-{escape_identifier(request.order_id)}",
            agreed_price=request.agreed_price,
        )

    async def _one(self, tx: Transaction, order_id: OrderId) -> Order:
        order = (await tx.orders.get([order_id])).get(order_id)
        if order is None:
            raise UsageInvalid(f"there is no order {order_id}", hint="orders list shows the ids")
        return order

    async def _in_attention(self, tx: Transaction, order_id: OrderId) -> Order:
        order = await self._one(tx, order_id)
        if order.state is not OrderState.ATTENTION:
            raise TransitionInvalid(
                f"order {order_id} is {order.state.value}, not ATTENTION: there is nothing to resolve"
            )
        return order

    async def _no_parked(self, tx: Transaction, order_id: OrderId) -> None:
        if await _parked(tx, order_id):
            raise UsageInvalid(
                f"a call for order {order_id} is parked and may have taken effect",
                hint="first --retry it, or say --placed or --cancel",
            )

    async def _retry_entry(self, tx: Transaction, order: Order, parked: Entry) -> Order:
        at = self._clock.now()
        state = EntryState.UNKNOWN if parked.ever_sent else EntryState.PENDING
        await tx.outbox.save(replace(parked, state=state, attempts=0, due_at=at, note="taken up again by a person"))
        if parked.operation.kind is OperationKind.REFUND:
            placed, first = move(order, OrderState.PLACED, at, note="its refund is tried again")
            refunding, second = move(placed, OrderState.REFUNDING, at)
            await tx.orders.save([(placed, first), (refunding, second)])
            return refunding
        return await _save(tx, *move(order, OrderState.PLACING, at, note="to be tried again"))

    async def _wait_again(self, tx: Transaction, order: Order, note: str, **facts: Any) -> Order:
        waiting = await _save(tx, *move(order, OrderState.WAITING, self._clock.now(), note=note, **facts))
        await tx.titles.mark_due([order.key])
        return waiting

    async def _reopen_gates(self, tx: Transaction, key: TitleKey) -> None:
        """A gate that refused is asked again."""
        at = self._clock.now()
        gates = (await tx.outbox.gates(key)).values()
        lapsed = [replace(gate, valid_until=at, stale_rounds=0) for gate in gates if gate.state is GateState.REFUSED]
        await tx.outbox.save_gates(lapsed)

    async def _drop(self, tx: Transaction, order_id: OrderId, note: str) -> None:
        parked = await _parked(tx, order_id)
        if parked:
            await tx.outbox.save(replace(parked, state=EntryState.SETTLED, note=note))


async def _parked(tx: Transaction, order_id: OrderId) -> Entry | None:
    entries = await tx.outbox.of_order(order_id)
    return next((entry for entry in entries if entry.state is EntryState.PARKED), None)


async def _save(tx: Transaction, order: Order, event: OrderEvent) -> Order:
    await tx.orders.save([(order, event)])
    return order


def _key(request: OrderRequest) -> TitleKey:
    return TitleKey(source=request.source, isbn=request.isbn, format=request.format)


def _event(order: Order) -> OrderEvent:
    return OrderEvent(order_id=order.order_id, at=order.received_at, before=None, after=OrderState.RECEIVED)


def _where(row: Row) -> str:
    return f"line {row.line}: " if row.line else ""


def _differences(before: OrderRequest, after: OrderRequest) -> str:
    fields = [name for name in OrderRequest.__dataclass_fields__ if getattr(before, name) != getattr(after, name)]
    return ", ".join(f"{name} {getattr(before, name)} -> {getattr(after, name)}" for name in fields)
