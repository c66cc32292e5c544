"""The spend guard: so many sales and so much money an hour, then the source rests until a person has looked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from syncengine.domain.delivery import Operation, OperationKind

_WINDOW_MINUTES = 60


class Minute(msgspec.Struct, frozen=True, array_like=True):
    """The sales of one minute, numbered from the epoch; money by currency."""

    number: int
    orders: int
    money: dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class Spending:
    """What a source spent of late, by minutes."""

    minutes: tuple[Minute, ...] = ()

    def near(self, at: datetime) -> Spending:
        """Only what lies within an hour of `at`: of the past, and of the future that a clock set back has left."""
        now = _minute(at)
        return Spending(tuple(each for each in self.minutes if abs(each.number - now) <= _WINDOW_MINUTES))

    def add(self, operation: Operation, at: datetime) -> Spending:
        """With one sale more."""
        minutes = {each.number: each for each in self.near(at).minutes}
        number = _minute(at)
        so_far = minutes.get(number) or Minute(number, 0, {})
        currency, amount = operation.market.currency, operation.amount or Decimal(0)
        money = {**so_far.money, currency: so_far.money.get(currency, Decimal(0)) + amount}
        minutes[number] = Minute(number, so_far.orders + 1, money)
        return Spending(tuple(minutes.values()))

    @property
    def orders(self) -> int:
        """How many sales."""
        return sum(each.orders for each in self.minutes)

    def money(self, currency: str) -> Decimal:
        """How much in that currency."""
        return sum((each.money.get(currency, Decimal(0)) for each in self.minutes), Decimal(0))

    def encode(self) -> str:
        """As text to keep."""
        return msgspec.json.encode(self.minutes).decode()

    @classmethod
    def decode(cls, text: str | None) -> Spending:
        """From text that was kept; nothing spent where there is none."""
        return cls(msgspec.json.decode(text, type=tuple[Minute, ...])) if text else cls()


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendGuard:
    """The bounds of one source; none, and a currency that is not named, are without bound.

    Money is what is told to the distributor; a sale that names no amount counts as an order only.
    """

    max_orders_per_hour: int | None = None
    max_money_per_hour: Mapping[str, Decimal] = field(default_factory=dict)

    @property
    def is_on(self) -> bool:
        """Whether anything is bounded."""
        return self.max_orders_per_hour is not None or bool(self.max_money_per_hour)

    def objection(self, spending: Spending, operation: Operation, at: datetime) -> str | None:
        """Why this operation must not be sent now; none where it may."""
        if operation.kind is not OperationKind.SALE:
            return None
        after = spending.add(operation, at)
        if self.max_orders_per_hour is not None and after.orders > self.max_orders_per_hour:
            return f"spend guard: more than {self.max_orders_per_hour} orders within an hour"
        currency = operation.market.currency
        bound = self.max_money_per_hour.get(currency)
        if bound is not None and after.money(currency) > bound:
            return f"spend guard: more than {bound} {currency} within an hour"
        return None


def _minute(at: datetime) -> int:
    return int(at.timestamp() // timedelta(minutes=1).total_seconds())
