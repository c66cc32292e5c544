"""The story that every test tells: who buys what, what publishers change, and a release that is crossed."""

from __future__ import annotations

import csv
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.flow.expectation import COLUMNS, DECLARED_FORMATS, Order, Place, Truth, by_place, differences, expect
from tests.flow.harness import Engine, Row, Sandbox

SOURCE = "demarque"
MARKETS = ("CA/CAD", "US/USD", "FR/EUR")
UNKNOWN_ISBN = "9780000000002"
CUSTOMERS = 400
ODD_CUSTOMERS = ("Zoë Ångström", "7/b c", "x--already", "ünïcode_é")
WORDS = {"00": "none", "02": "watermark", "03": "acs4", "06": "drm:lcp"}
"""The protections of list 144 in the words of orders."""

_SCENARIO_TERMS: Mapping[str, tuple[str, str, str]] = {
    "net_price_ca": ("CA/CAD", "18.95", "01"),
    "net_price_us": ("US/USD", "18.95", "41"),
    "net_price_fr": ("FR/EUR", "18.95", "03"),
}
"""Scenarios priced without tax: the cost is the feed's own amount, and its type is told."""
_SCENARIO_PROTECTIONS = {
    "adobe_and_lcp": ("03", "06"),
    "pdf_watermark": ("02",),
    "on_sale_unprotected": ("00",),
    "lcp_only": ("06",),
}


@dataclass(frozen=True, kw_only=True)
class Cast:
    """The ISBNs that play a part; everything else stays as it is.

    `new` and `old` are released in the two conventions, `announced` without ever having been open for preorders. Of the first,
    some meet with something before: see the names.
    """

    on_sale: Sequence[str]
    new: Sequence[str]
    old: Sequence[str]
    announced: Sequence[str]
    waiting: Sequence[str]
    refused: Sequence[Place]
    dearer: str
    cheaper: str
    withdrawn: str
    removed: str
    postponed: str
    locked: str
    """Offered with two protections."""

    @property
    def timed(self) -> Sequence[str]:
        """What is sold by the clock alone."""
        return (*self.new, *self.announced)

    @property
    def released(self) -> Sequence[str]:
        """All that is released in the end."""
        return (*self.timed, *self.old)


class Story:
    """One run: titles chosen by the stub's own truth and seeded chance, then edits and orders about them."""

    def __init__(self, sandbox: Sandbox, seed: int, *, orders: int) -> None:
        self._sandbox = sandbox
        self._chance = random.Random(f"story {seed}")
        self._scenarios = sandbox.scenarios()
        rows = sandbox.titles()
        self.cast = self._choose(rows, released=max(12, orders // 40))
        sandbox.edit([{"isbn": self.cast.locked, "protection": ["02", "03"]}])
        self.truth = self._truth(sandbox.titles())
        self.orders = self._make_orders(orders)

    # --- what happens

    def write_orders(self, path: Path) -> Path:
        """The orders file."""
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(asdict(order) for order in self.orders)
        return path

    @property
    def paid(self) -> frozenset[str]:
        """Orders with payment on release whose payment the shop confirms: all but every fifth."""
        unpaid = [order.order_id for order in self.orders if order.payment == "on_release"]
        return frozenset(order_id for place, order_id in enumerate(unpaid) if place % 5)

    def bring_release(self, in_seconds: float) -> datetime:
        """Publishers fix the release, change prices, withdraw and remove; returns the instant of the release."""
        cast, soon = self.cast, {"in_seconds": in_seconds}
        yesterday = {"in_seconds": -86400}
        market = MARKETS[0]
        rows = self._sandbox.edit(
            [
                *({"isbn": isbn, "convention": "new", "release_at": soon} for isbn in (*cast.timed, cast.postponed)),
                *(
                    {"isbn": isbn, "convention": "old", "preorder_at": yesterday, "release_at": soon}
                    for isbn in cast.old
                ),
                {"isbn": cast.dearer, "market": market, "price": self._moved(cast.dearer, "2.00")},
                {"isbn": cast.cheaper, "market": market, "price": self._moved(cast.cheaper, "-1.00")},
                {"isbn": cast.withdrawn, "market": market, "state": "WITHDRAWN"},
                {"isbn": cast.removed, "state": "REMOVED"},
            ]
        )
        return max(datetime.fromisoformat(row["release_at"]) for row in rows if row["isbn"] in cast.timed)

    def postpone(self) -> None:
        """One of the releases is put off, after everybody has heard of it."""
        self._sandbox.edit([{"isbn": self.cast.postponed, "release_at": {"in_seconds": 40 * 86400}}])

    def after(self) -> Truth:
        """The stub's truth now."""
        return self.truth.now(self._sandbox.titles())

    def to_confirm(self, payable: Sequence[Row]) -> list[str]:
        """The payments that come of those asked for; the amounts asked for are those of the titles' rows."""
        titles = self.after().titles
        prices = {order.order_id: titles[order.place]["price"] for order in self.orders if order.place in titles}
        mine = [order for order in payable if order["source"] == SOURCE]
        assert [] == [order for order in mine if order["payable"] != prices[order["order_id"]]]
        return [order["order_id"] for order in mine if order["order_id"] in self.paid]

    def confirm_payments(self, engine: Engine) -> None:
        """The shop confirms what was asked for."""
        if wanted := self.to_confirm(engine.orders("PAYABLE")):
            engine.run("orders", "confirm", *wanted)

    def judge(self, register: Sequence[Row]) -> None:
        """The ledger is what it must be, and the register says the same."""
        expected = expect(self.orders, self.truth, self.after(), paid=self.paid)
        ledger = self._sandbox.ledger()
        assert [] == differences(expected, ledger)
        placed = {order["order_id"] for order in register if (order["source"], order["state"]) == (SOURCE, "PLACED")}
        assert expected.sales.keys() == placed
        print(f"{SOURCE}: {len(self.orders)} orders, {len(expected.sales)} sales, {len(expected.declared)} preorders")

    def check(self, engine: Engine) -> None:
        """The ledger and the register are what they must be, and nothing is owed."""
        self.judge(engine.orders())
        delivery = engine.status()["delivery"]
        assert {} == {state: count for state, count in delivery.items() if count and state != "settled"}

    def is_released(self) -> bool:
        """Whether the stub sells what is released."""
        states = {row["state"] for row in self._sandbox.titles() if row["isbn"] == self.cast.timed[-1]}
        return states == {"FOR_SALE"}

    def buy_at_once(self, count: int) -> None:
        """Instead of all other orders, one for each of some titles on sale."""
        self.orders = [Order(order_id=f"B{isbn}", **self._at(isbn, MARKETS[0])) for isbn in self.cast.on_sale[:count]]

    # --- who plays

    def _choose(self, rows: Sequence[Row], *, released: int) -> Cast:
        named = set(self._scenarios.values())
        by_isbn: dict[str, list[Row]] = {}
        for row in rows:
            if row["isbn"] not in named:
                by_isbn.setdefault(row["isbn"], []).append(row)
        self._chance.shuffle(isbns := sorted(by_isbn))

        def those(state: str, *formats: str) -> list[str]:
            return [
                isbn
                for isbn in isbns
                if {row["state"] for row in by_isbn[isbn]} == {state}
                and (not formats or by_isbn[isbn][0]["format"] in formats)
                and all(row["price"] and Decimal(row["price"]) > 3 for row in by_isbn[isbn])
            ]

        preorders, announced = those("PREORDER", *DECLARED_FORMATS), those("ANNOUNCED")
        assert len(preorders) >= released + 8, f"only {len(preorders)} titles wait, {released} are to be released"
        new, rest = preorders[: released * 2 // 3], preorders[released * 2 // 3 :]
        old, rest = rest[: released // 3], rest[released // 3 :]
        unsellable = {"WITHDRAWN", "OUT_OF_TERRITORY", "UNAVAILABLE", "UNPRICED", "REMOVED"}
        return Cast(
            on_sale=those("FOR_SALE"),
            new=[*new, *those("PREORDER", "audio")[:2]],
            old=old,
            announced=announced[: max(2, released // 8)],
            waiting=[*rest[2:], *announced[-2:]],
            refused=[(row["isbn"], row["market"]) for row in rows if row["state"] in unsellable],
            dearer=new[0],
            cheaper=new[1],
            withdrawn=new[2],
            removed=rest[0],
            postponed=rest[1],
            locked=new[3],
        )

    def _truth(self, rows: Sequence[Row]) -> Truth:
        terms = {
            (self._scenarios[name], market): (amount, kind) for name, (market, amount, kind) in _SCENARIO_TERMS.items()
        }
        titles = by_place(rows)
        agency = (self._scenarios["agency"], "CA/CAD")
        terms[agency] = (titles[agency]["price"], "42")
        offered = {
            self._scenarios[name]: [WORDS[code] for code in codes] for name, codes in _SCENARIO_PROTECTIONS.items()
        }
        return Truth(titles=titles, terms=terms, offered={**offered, self.cast.locked: ["watermark", "acs4"]})

    # --- who buys

    def _make_orders(self, count: int) -> list[Order]:
        cast, chance = self.cast, self._chance
        special = (cast.dearer, cast.cheaper, cast.withdrawn, cast.removed, cast.postponed)
        bestseller = cast.new[4]
        made = [self._scenario(isbn) for isbn in dict.fromkeys(self._scenarios.values())]
        made += [self._locked() for _ in range(8)]
        made += [{**self._at(chance.choice(cast.on_sale), MARKETS[0]), "customer_id": name} for name in ODD_CUSTOMERS]
        makers = {
            lambda: self._order(chance.choice(cast.on_sale)): 26,
            lambda: self._order(chance.choice(cast.timed)): 22,
            lambda: self._order(bestseller, market="CA/CAD"): 14,
            lambda: self._order(chance.choice(cast.old)): 9,
            lambda: self._order(chance.choice(special), market="CA/CAD"): 12,
            lambda: self._order(chance.choice(cast.waiting)): 5,
            lambda: self._at(*chance.choice(cast.refused)): 6,
            lambda: self._at(UNKNOWN_ISBN, chance.choice(MARKETS), format="epub"): 2,
            lambda: self._at(chance.choice(cast.on_sale), chance.choice(["CA/USD", "US/CAD", "JP/JPY"])): 2,
            lambda: self._order(chance.choice(cast.on_sale), format="mobi"): 1,
            lambda: self._order(chance.choice(cast.on_sale), format=""): 1,
        }
        made += [make() for make in chance.choices(list(makers), list(makers.values()), k=count - len(made))]
        chance.shuffle(made)
        return [Order(**{**fields, "order_id": f"O{number:05}"}) for number, fields in enumerate(made, start=1)]

    def _order(self, isbn: str, *, market: str | None = None, format: str | None = None) -> dict[str, Any]:
        """A wish with an agreement of some kind."""
        market = market or self._chance.choices(MARKETS, [70, 15, 15])[0]
        fields = self._at(isbn, market, format=format)
        price = self.truth.titles[isbn, market]["price"]
        rule, by = self._chance.choices(
            [
                ("", None),
                ("", "0"),
                ("", "1.00"),
                ("", "-1.00"),
                ("current", "-1.00"),
                ("exact", "0"),
                ("exact", "1.00"),
            ],
            [36, 24, 12, 10, 8, 6, 4],
        )[0]
        agreed = "" if by is None else str(max(Decimal(price) + Decimal(by), Decimal("0.00")))
        payment = self._chance.choices(["", "paid", "on_release"], [60, 35, 5])[0]
        return {**fields, "agreed_price": agreed, "price_rule": rule, "payment": payment}

    def _at(self, isbn: str, market: str, *, format: str | None = None) -> dict[str, Any]:
        rows = [row for (other, _), row in self.truth.titles.items() if other == isbn] if format is None else []
        text = f"{isbn[:3]}-{isbn[3:4]}-{isbn[4:]}" if self._chance.random() < 0.03 else isbn
        return {
            "isbn": text,
            "market": market,
            "format": rows[0]["format"] if rows else format,
            "customer_id": self._customer(),
        }

    def _scenario(self, isbn: str) -> dict[str, Any]:
        """One wish for each named case, in one of the markets that its rows know."""
        markets = [market for other, market in self.truth.titles if other == isbn]
        return self._at(isbn, self._chance.choice(markets or MARKETS), format=None if markets else "epub")

    def _locked(self) -> dict[str, Any]:
        """A wish with a protection: one that the title has, or, one time in three, not."""
        isbns = [isbn for isbn in self.truth.offered if (isbn, MARKETS[0]) in self.truth.titles]
        isbn = self._chance.choice([self.cast.locked, *isbns])
        words = [*self.truth.offered[isbn], *self.truth.offered[isbn], self._chance.choice(list(WORDS.values()))]
        return {**self._at(isbn, MARKETS[0]), "protection": self._chance.choice(words)}

    def _customer(self) -> str:
        if self._chance.random() < 0.03:
            return self._chance.choice(ODD_CUSTOMERS)
        return f"C{self._chance.randrange(CUSTOMERS):04}"

    def _moved(self, isbn: str, by: str) -> str:
        return str(Decimal(self.truth.titles[isbn, MARKETS[0]]["price"]) + Decimal(by))
