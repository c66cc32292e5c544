"""The steps an order may take, and what a call's outcome makes of it (design section 7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from syncengine.domain.order import Order, OrderEvent, OrderState, Reason
from syncengine.errors import TransitionInvalid

_S = OrderState

STEPS: Mapping[OrderState, frozenset[OrderState]] = {
    _S.RECEIVED: frozenset({_S.DECLARING, _S.WAITING, _S.PAYABLE, _S.PLACING, _S.REFUSED, _S.CANCELLED}),
    _S.DECLARING: frozenset({_S.WAITING, _S.CANCELLED}),
    _S.WAITING: frozenset({_S.DECLARING, _S.PAYABLE, _S.PLACING, _S.ATTENTION, _S.CANCELLED}),
    _S.PAYABLE: frozenset({_S.WAITING, _S.PLACING, _S.CANCELLED}),
    _S.PLACING: frozenset({_S.PLACED, _S.WAITING, _S.ATTENTION}),
    _S.PLACED: frozenset({_S.REFUNDING}),
    _S.REFUNDING: frozenset({_S.REFUNDED, _S.PLACED, _S.ATTENTION}),
    _S.ATTENTION: frozenset({_S.WAITING, _S.PLACING, _S.PLACED, _S.CANCELLED}),
    _S.REFUNDED: frozenset(),
    _S.REFUSED: frozenset(),
    _S.CANCELLED: frozenset(),
}
"""From each state, the states that one step may lead to."""

CANCELLABLE = frozenset({_S.RECEIVED, _S.WAITING, _S.PAYABLE})
"""States in which nothing is owed to the distributor, so that a cancel takes effect at once."""


def move(
    order: Order, after: OrderState, at: datetime, *, reason: Reason | None = None, note: str = "", **facts: Any
) -> tuple[Order, OrderEvent]:
    """Take one step: the order as it then is, and the line of its history.

    `facts` are further fields of the order that change with it. Raises TransitionInvalid for a step that `STEPS` lacks.
    """
    if after not in STEPS[order.state]:
        raise TransitionInvalid(
            f"order {order.order_id} is {order.state.value} and cannot become {after.value}",
            hint=f"from {order.state.value} it can become {_names(STEPS[order.state])}",
        )
    moved = replace(order, state=after, updated_at=at, reason=reason, note=note, **facts)
    return moved, OrderEvent(order_id=order.order_id, at=at, before=order.state, after=after, reason=reason, note=note)


def _names(states: frozenset[OrderState]) -> str:
    return ", ".join(sorted(state.value for state in states)) or "nothing more: that is its end"
