"""The story at a distributor of one market, told of CB and of Bokbasen: titles held, a release that only a feed tells of, and who buys."""

from __future__ import annotations

import random
import uuid
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from tests.flow import expectation_bokbasen, expectation_cb
from tests.flow.expectation import Order, Titles, by_place
from tests.flow.harness import Row, Sandbox
from tests.flow.story import CUSTOMERS, ODD_CUSTOMERS, UNKNOWN_ISBN

FAR_SECONDS = 40 * 86400
IN_DOUBT = ("ATTENTION", "OUTCOME_UNKNOWN")
"""State and reason of an order of which nobody knows whether it was taken."""


@dataclass(frozen=True, kw_only=True)
class Cast:
    """The ISBNs that play a part; those of `released` meet with nothing else but what their names say."""

    on_sale: Sequence[str]
    released: Sequence[str]
    waiting: Sequence[str]
    refused: Sequence[str]
    dearer: str
    cheaper: str
    renewed: str
    withdrawn: str
    removed: str
    postponed: str

    @property
    def special(self) -> Sequence[str]:
        """Those to which something happens."""
        return (self.dearer, self.cheaper, self.renewed, self.withdrawn, self.removed, self.postponed)


class MarketStory(ABC):
    """One run at one distributor: titles chosen by the stub's own truth and seeded chance, then edits and orders about them."""

    source: ClassVar[str]
    market: ClassVar[str]
    held: ClassVar[str]
    """The state in which titles are ordered ahead."""
    unit: ClassVar[Decimal]
    """By how much prices move."""

    def __init__(self, sandbox: Sandbox, seed: int, *, orders: int) -> None:
        self.sandbox = sandbox.of(self.source)
        self.chance = random.Random(f"{self.source} {seed}")
        self.scenarios = self.sandbox.scenarios()
        self.cast = self._choose(self.sandbox.titles(), released=max(8, orders // 40))
        self.sandbox.edit(self._prepared())
        self.before = by_place(self.sandbox.titles())
        self.orders = self._make_orders(orders)

    # --- what happens

    @property
    def paid(self) -> frozenset[str]:
        """Orders with payment on release whose payment the shop confirms: all but every fifth."""
        unpaid = [order.order_id for order in self.orders if order.payment == "on_release"]
        return frozenset(order_id for place, order_id in enumerate(unpaid) if place % 5)

    def bring_release(self, in_seconds: float) -> datetime:
        """Publishers fix the release, change prices, withdraw and remove; returns the instant of the release."""
        cast, soon = self.cast, {"in_seconds": in_seconds}
        rows = self.sandbox.edit(
            [
                *({"isbn": isbn, "release_at": soon} for isbn in (*cast.released, cast.postponed)),
                {"isbn": cast.dearer, "price": self._moved(cast.dearer, self.unit)},
                {"isbn": cast.cheaper, "price": self._moved(cast.cheaper, -self.unit)},
                {"isbn": cast.withdrawn, "state": "WITHDRAWN"},
                {"isbn": cast.removed, "state": "REMOVED"},
                *self._changed(),
            ]
        )
        return max(datetime.fromisoformat(row["release_at"]) for row in rows if row["isbn"] in cast.released)

    def postpone(self) -> None:
        """One of the releases is put off, after everybody has heard of it."""
        self.sandbox.edit([{"isbn": self.cast.postponed, "release_at": {"in_seconds": FAR_SECONDS}}])

    def is_released(self) -> bool:
        """Whether the stub sells what is released."""
        states = {row["state"] for row in self.sandbox.titles() if row["isbn"] in self.cast.released}
        return states == {"FOR_SALE"}

    def after(self) -> Titles:
        """The stub's truth now."""
        return by_place(self.sandbox.titles())

    def to_confirm(self, payable: Sequence[Row]) -> list[str]:
        """The payments that come of those asked for; the amounts asked for are those of the titles' rows."""
        titles = self.after()
        prices = {order.order_id: titles[order.place]["price"] for order in self.orders if order.place in titles}
        mine = [order for order in payable if order["source"] == self.source]
        assert [] == [order for order in mine if order["payable"] != prices[order["order_id"]]]
        return [order["order_id"] for order in mine if order["order_id"] in self.paid]

    # --- the verdict

    @abstractmethod
    def expected(self) -> Mapping[str, Row]:
        """What must have been sold, by order id."""

    @abstractmethod
    def differences(self, expected: Mapping[str, Row], ledger: Sequence[Row], in_doubt: Collection[str]) -> list[str]:
        """Everything in which the ledger is wrong, where only the orders `in_doubt` may be missing."""

    @abstractmethod
    def cannot_be_asked(self, sale: Row) -> bool:
        """Whether nobody can ask the distributor what became of such an order."""

    def judge(self, register: Sequence[Row]) -> frozenset[str]:
        """The ledger is what it must be, and the register says the same; returns the orders in doubt."""
        mine = {
            order["order_id"]: (order["state"], order["reason"]) for order in register if order["source"] == self.source
        }
        expected, ledger = self.expected(), self.sandbox.ledger()
        in_doubt = frozenset(order_id for order_id, stands in mine.items() if stands == IN_DOUBT)
        assert [] == self.differences(expected, ledger, in_doubt)
        assert set() == in_doubt - expected.keys()
        assert [] == [order_id for order_id in in_doubt if not self.cannot_be_asked(expected[order_id])]
        placed = {order_id for order_id, (state, _) in mine.items() if state == "PLACED"}
        assert expected.keys() - in_doubt == placed
        missing = len(expected) - len(ledger)
        print(
            f"{self.source}: {len(mine)} orders, {len(expected)} to be sold, {len(ledger)} in the ledger, "
            f"{len(in_doubt)} in doubt, of which {missing} are missing"
        )
        return in_doubt

    # --- who plays

    def _choose(self, rows: Sequence[Row], *, released: int) -> Cast:
        named = set(self.scenarios.values())
        crowd = [row for row in rows if row["isbn"] not in named]
        self.chance.shuffle(crowd)

        def those(*states: str) -> list[str]:
            return [
                row["isbn"] for row in crowd if row["state"] in states and (row["price"] or row["state"] in _UNSOLD)
            ]

        held = those(self.held)
        assert len(held) >= released + 5, f"only {len(held)} titles wait, {released} are to be released"
        rest = held[released:]
        return Cast(
            on_sale=those("FOR_SALE")[:60],
            released=held[:released],
            waiting=rest[3:],
            refused=those(*_UNSOLD),
            dearer=held[0],
            cheaper=held[1],
            renewed=held[2],
            withdrawn=rest[0],
            removed=rest[1],
            postponed=rest[2],
        )

    def _prepared(self) -> list[Mapping[str, Any]]:
        """Edits before anybody orders."""
        return []

    def _changed(self) -> list[Mapping[str, Any]]:
        """Further edits with the release."""
        return []

    # --- who buys

    def _make_orders(self, count: int) -> list[Order]:
        cast, chance = self.cast, self.chance
        scenarios = chance.sample(sorted(self.scenarios.values()), min(len(self.scenarios), count // 4))
        made = [self._order(isbn) for isbn in scenarios]
        made += [{**self._order(chance.choice(cast.on_sale)), "customer_id": name} for name in ODD_CUSTOMERS]
        makers = {
            lambda: self._order(chance.choice(cast.on_sale)): 28,
            lambda: self._order(chance.choice(cast.released)): 30,
            lambda: self._order(cast.released[3]): 14,
            lambda: self._order(chance.choice(cast.special)): 12,
            lambda: self._order(chance.choice(cast.waiting)): 5,
            lambda: self._order(chance.choice(cast.refused)): 6,
            lambda: self._order(UNKNOWN_ISBN): 2,
            lambda: {**self._order(chance.choice(cast.on_sale)), "market": chance.choice(["SE/SEK", "NL/NOK"])}: 2,
            lambda: {**self._order(chance.choice(cast.on_sale)), "format": "mobi"}: 1,
        }
        made += [make() for make in chance.choices(list(makers), list(makers.values()), k=count - len(made))]
        chance.shuffle(made)
        initial = self.source[0].upper()
        return [Order(**{**fields, "order_id": f"{initial}{place:05}"}) for place, fields in enumerate(made, start=1)]

    def _order(self, isbn: str) -> dict[str, Any]:
        """A wish with an agreement of some kind."""
        row = self._rows.get(isbn, {"format": "epub", "price": None})
        price = Decimal(row["price"] or "9.00")
        agreed, rule = self.chance.choices(
            [(None, ""), (price, ""), (price + self.unit, ""), (price - self.unit, ""), (price - self.unit, "current"),
             (price, "exact"), (price + self.unit, "exact")],
            [40, 20, 14, 8, 8, 6, 4],
        )[0]  # fmt: skip
        payment = self.chance.choices(["", "paid", "on_release"], [60, 34, 6])[0] if agreed is None else ""
        return {
            "source": self.source,
            "isbn": isbn,
            "format": row["format"],
            "market": self.market,
            "customer_id": f"C{self.chance.randrange(CUSTOMERS):04}",
            "agreed_price": "" if agreed is None else f"{max(agreed, Decimal(0)):.2f}",
            "price_rule": rule,
            "payment": payment,
            **self._buyer(),
        }

    def _buyer(self) -> Mapping[str, str]:
        """Who buys, as far as the distributor is told."""
        return {}

    @property
    def _rows(self) -> Mapping[str, Row]:
        return {isbn: row for (isbn, _), row in self.before.items()}

    def _moved(self, isbn: str, by: Decimal) -> str:
        return f"{Decimal(self.before[isbn, self.market]['price']) + by:.2f}"


_UNSOLD = frozenset({"WITHDRAWN", "OUT_OF_TERRITORY", "UNAVAILABLE", "UNPRICED", "REMOVED"})


class CbStory(MarketStory):
    """Audiobooks of Luisterhuis and e-books of the other service, announced until their record says that they are out."""

    source = "cb"
    market = "NL/EUR"
    held = "ANNOUNCED"
    unit = Decimal("1.00")

    def expected(self) -> Mapping[str, Row]:
        unsellable = {self.scenarios[name] for name in expectation_cb.UNSELLABLE}
        return expectation_cb.expect(self.orders, self.before, self.after(), paid=self.paid, unsellable=unsellable)

    def differences(self, expected: Mapping[str, Row], ledger: Sequence[Row], in_doubt: Collection[str]) -> list[str]:
        return expectation_cb.differences(expected, ledger, in_doubt=in_doubt) + expectation_cb.settlement_differences(
            self.sandbox, expected, ledger
        )

    def cannot_be_asked(self, sale: Row) -> bool:
        return bool(sale["format"] == expectation_cb.AUDIO)


class BokbasenStory(MarketStory):
    """Titles that are ordered ahead until the warehouse publishes them, for buyers with names and, some of them, accounts."""

    source = "bokbasen"
    market = "NO/NOK"
    held = "PREORDER"
    unit = Decimal("20.00")

    def expected(self) -> Mapping[str, Row]:
        return expectation_bokbasen.expect(self.orders, self.before, self.after(), locks=self._locks, paid=self.paid)

    def differences(self, expected: Mapping[str, Row], ledger: Sequence[Row], in_doubt: Collection[str]) -> list[str]:
        found = expectation_bokbasen.differences(expected, ledger, in_doubt=in_doubt)
        return found or expectation_bokbasen.misnamed_files(self.sandbox, expected, ledger)

    def cannot_be_asked(self, sale: Row) -> bool:
        return sale["protection"] is not None

    def _prepared(self) -> list[Mapping[str, Any]]:
        """Every title that can be sold gets a protection that is known."""
        cast = self.cast
        chosen = dict.fromkeys((*cast.on_sale, *cast.released, *cast.special, *cast.waiting))
        codes = {isbn: self.chance.choices(list(_LOCKS), list(_LOCKS.values()))[0] for isbn in chosen}
        self._locks = {isbn: expectation_bokbasen.LOCKS[code] for isbn, code in codes.items()}
        self._locks |= {isbn: _SCENARIO_LOCKS.get(name, "SDRM") for name, isbn in self.scenarios.items()}
        self.sandbox.set_faults(settings={"strict_resid": True})
        return [{"isbn": isbn, "protection": [code]} for isbn, code in codes.items()]

    def _changed(self) -> list[Mapping[str, Any]]:
        """The publisher uploads another file; orders for the first are refused from then on."""
        return [{"isbn": self.cast.renewed, "new_version": True}]

    def _buyer(self) -> Mapping[str, str]:
        first, last = self.chance.choices(_NAMES, _NAMES_OFTEN)[0]
        has_account = self.chance.random() < 0.3
        account = str(uuid.UUID(int=self.chance.getrandbits(128), version=4)) if has_account else ""
        return {"first_name": first, "last_name": last, "consumer_id": account}


_LOCKS = {"02": 70, "00": 16, "03": 7, "06": 7}
_SCENARIO_LOCKS = {"without_lock": "NODRM", "audio": "NODRM", "adobe": "TDRM", "lcp": "LCP"}
_NAMES = [
    ("Kari", "Nordmann"),
    ("Øyvind", "Ægir Åsen"),
    ("Bo", "Ng"),
    ("Zoë", "O'Hara-Ångström"),
    ("K", "Nordmann"),
    ("", ""),
]
_NAMES_OFTEN = [40, 25, 12, 12, 5, 6]
