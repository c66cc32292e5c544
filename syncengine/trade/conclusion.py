"""What the outcome of a call makes of its order and of its title's gate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from syncengine.domain.delivery import Gate, GateState, Operation, OperationKind, Outcome, Verdict
from syncengine.domain.order import Order, OrderEvent, OrderState, Reason
from syncengine.trade.lifecycle import move
from syncengine.trade.planner import GATE_VALID, probe_due, refund

DISPUTES = frozenset({Outcome.STALE_FACTS, Outcome.NOT_YET})
"""What the distributor says of a title that should be for sale by its feed; within the grace NOT_YET is no dispute."""

STALE_ROUNDS = 2
"""After so many disputes about the facts, each followed by reading the title again, a person decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderConclusion:
    """An order after one of its calls.

    `disputed` tells that its title must be read again before it is decided anew, `not_yet` that the title's gate must close,
    `operation` what is now owed (the refund of a sale that met a cancel).
    """

    order: Order
    events: tuple[OrderEvent, ...]
    disputed: bool = False
    not_yet: bool = False
    operation: Operation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateConclusion:
    """A gate after its probe; `probe_at` is when to ask again, none where nobody asks by time alone."""

    gate: Gate
    probe_at: datetime | None = None
    disputed: bool = False


def conclude_order(
    order: Order, kind: OperationKind, verdict: Verdict, at: datetime, *, in_grace: bool
) -> OrderConclusion:
    """The steps after a call of the order settled.

    `in_grace` tells that the title's sale began less than `release_grace` ago: a refusal of its availability then means
    "not yet" (design section 7).
    """
    match kind:
        case OperationKind.SALE:
            return _sale(order, verdict, at, in_grace=in_grace)
        case OperationKind.DECLARATION:
            return _declaration(order, verdict, at)
        case OperationKind.REFUND:
            return _refund(order, verdict, at)
        case OperationKind.PROBE:
            raise AssertionError("a probe belongs to a gate, not to an order")
        case _:
            assert_never(kind)


def conclude_gate(gate: Gate, verdict: Verdict, at: datetime, *, in_grace: bool) -> GateConclusion:
    """The gate after a probe settled."""
    said = verdict.word or verdict.outcome.value
    if verdict.outcome in {Outcome.ACCEPTED, Outcome.ALREADY_DONE}:
        return GateConclusion(
            gate=replace(
                gate, state=GateState.OPEN, since=at, valid_until=at + GATE_VALID, attempts=0, stale_rounds=0, note=""
            )
        )
    if is_not_yet(verdict, in_grace=in_grace):
        attempts = gate.attempts + 1
        return GateConclusion(
            gate=replace(gate, state=GateState.PROBING, since=at, attempts=attempts, note=said),
            probe_at=probe_due(attempts, at),
        )
    rounds = gate.stale_rounds + 1
    if verdict.outcome in DISPUTES and rounds < STALE_ROUNDS:
        return GateConclusion(
            gate=replace(gate, state=GateState.STALE, since=at, stale_rounds=rounds, note=said), disputed=True
        )
    return GateConclusion(gate=refused(gate, said, at))


def refused(gate: Gate, note: str, at: datetime) -> Gate:
    """The gate that sends the orders behind it to a person."""
    return replace(gate, state=GateState.REFUSED, since=at, valid_until=at + GATE_VALID, note=note)


def is_not_yet(verdict: Verdict, *, in_grace: bool) -> bool:
    """Whether a refusal only means that the distributor's clock has not reached the release."""
    says_so = verdict.outcome is Outcome.NOT_YET
    return in_grace and (says_so or (verdict.outcome is Outcome.STALE_FACTS and verdict.word == "cannot_sell"))


def park_order(order: Order, reason: Reason, note: str, at: datetime) -> OrderConclusion:
    """The order of an entry that was set aside: a person decides. A declaration never blocks the sale (design section 7)."""
    if order.state is OrderState.DECLARING:
        moved, event = move(order, OrderState.WAITING, at, note=f"not declared: {note}")
    else:
        moved, event = move(order, OrderState.ATTENTION, at, reason=reason, note=note)
    return OrderConclusion(order=moved, events=(event,))


def _sale(order: Order, verdict: Verdict, at: datetime, *, in_grace: bool) -> OrderConclusion:
    if order.state is not OrderState.PLACING:
        return OrderConclusion(order=order, events=())
    if verdict.outcome in {Outcome.ACCEPTED, Outcome.ALREADY_DONE}:
        placed, event = move(order, OrderState.PLACED, at, note=verdict.word, receipt=verdict.proof, stale_rounds=0)
        if not order.cancel_requested:
            return OrderConclusion(order=placed, events=(event,))
        refunding, second, operation = refund(placed, at, "cancelled while the sale was under way")
        return OrderConclusion(order=refunding, events=(event, second), operation=operation)
    if order.cancel_requested:
        waiting, event = move(order, OrderState.WAITING, at, note=f"not sold: {verdict.word or verdict.outcome.value}")
        return OrderConclusion(order=waiting, events=(event,))
    if is_not_yet(verdict, in_grace=in_grace):
        waiting, event = move(order, OrderState.WAITING, at, note=f"not yet sellable: {verdict.word}")
        return OrderConclusion(order=waiting, events=(event,), not_yet=True)
    if verdict.outcome in DISPUTES:
        rounds = order.stale_rounds + 1
        if rounds < STALE_ROUNDS:
            waiting, event = move(order, OrderState.WAITING, at, note=f"disputed: {verdict.word}", stale_rounds=rounds)
            return OrderConclusion(order=waiting, events=(event,), disputed=True)
        return _attention(order, Reason.FACTS_DISPUTED, verdict, at)
    return _attention(order, Reason.REJECTED, verdict, at)


def _attention(order: Order, reason: Reason, verdict: Verdict, at: datetime) -> OrderConclusion:
    moved, event = move(
        order, OrderState.ATTENTION, at, reason=reason, note=f"the distributor says {verdict.word or verdict.outcome}"
    )
    return OrderConclusion(order=moved, events=(event,))


def _declaration(order: Order, verdict: Verdict, at: datetime) -> OrderConclusion:
    if order.state is not OrderState.DECLARING:
        return OrderConclusion(order=order, events=())
    accepted = verdict.outcome in {Outcome.ACCEPTED, Outcome.ALREADY_DONE}
    note = "declared" if accepted else f"not declared: {verdict.word or verdict.outcome.value}"
    moved, event = move(order, OrderState.WAITING, at, note=note)
    return OrderConclusion(order=moved, events=(event,))


def _refund(order: Order, verdict: Verdict, at: datetime) -> OrderConclusion:
    if order.state is not OrderState.REFUNDING:
        return OrderConclusion(order=order, events=())
    if verdict.outcome in {Outcome.ACCEPTED, Outcome.ALREADY_DONE}:
        moved, event = move(order, OrderState.REFUNDED, at, note=verdict.word, receipt=verdict.proof)
    else:
        moved, event = move(
            order, OrderState.PLACED, at, reason=Reason.REFUND_REFUSED, note=verdict.word, cancel_requested=False
        )
    return OrderConclusion(order=moved, events=(event,))
