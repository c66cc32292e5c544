"""Who plays in the demonstration: for each distributor its titles, its customers' orders, and what its publishers change."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from adapters.sandbox import words
from adapters.sandbox.catalogue import InSeconds, TitleEdit, TitleRow
from adapters.sandbox.stub import About, Stub
from syncengine.domain.offer import OfferState
from syncengine.errors import UsageInvalid

BOUGHT, RELEASED, LATER, REFUSED = 40, 8, 3, 4
"""How many titles are bought at once, are released, go on waiting, and of each state that does not sell are wanted in vain."""
BUYERS_A_RELEASE = 15
PRICES_MOVED = 5
UNKNOWN_ISBN = "9780000000002"
_CHEAPEST = Decimal(3)
_UNSELLABLE = (OfferState.WITHDRAWN, OfferState.OUT_OF_TERRITORY, OfferState.UNAVAILABLE, OfferState.UNPRICED)

Order = dict[str, str]
"""A row of an orders file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One distributor's part, chosen by its stub's own truth and never by what an engine thinks of it."""

    name: str
    about: About
    bought: Sequence[TitleRow]
    released: Sequence[TitleRow]
    later: Sequence[TitleRow]
    refused: Sequence[TitleRow]

    @property
    def label(self) -> str:
        """The distributor's name for people."""
        return self.about.label

    @property
    def market(self) -> str:
        """Where all of its customers are."""
        return self.about.market

    @property
    def dearer(self) -> TitleRow:
        """The released title whose price goes up before its day."""
        return self.released[0]

    @property
    def cheaper(self) -> TitleRow:
        """The one whose price goes down."""
        return self.released[1]

    @property
    def withdrawn(self) -> TitleRow:
        """The one that its publisher takes back after people have ordered it."""
        return self.released[2]

    def orders(self, chance: random.Random) -> list[Order]:
        """What customers want: titles on sale, titles to come, and some that cannot be had."""
        country = self.market.partition("/")[0]
        wishes = [
            *({**self._wish(row), "agreed_price": row.price or ""} for row in self.bought),
            *(wish for row in self.released for wish in self._preorders(row)),
            *map(self._wish, (*self.later, *self.refused)),
            {**self._wish(self.bought[0]), "market": f"{country}/JPY"},
            {**self._wish(self.bought[0]), "isbn": UNKNOWN_ISBN},
        ]
        return [
            {"order_id": f"{self.name}-{number:03}", **wish, **_customer(chance, number)}
            for number, wish in enumerate(wishes, start=1)
        ]

    def changes(self, in_seconds: float) -> list[TitleEdit]:
        """A release that comes near, two prices of it that move, one title of it withdrawn, and other prices."""
        soon = InSeconds(in_seconds=in_seconds)
        released = [
            TitleEdit(distributor=self.name, isbn=row.isbn, release_at=soon, convention="new") for row in self.released
        ]
        back = TitleEdit(
            distributor=self.name, isbn=self.withdrawn.isbn, market=self.market, state=OfferState.WITHDRAWN
        )
        return [
            *released,
            self._price(self.dearer, "2.00"),
            self._price(self.cheaper, "-1.00"),
            back,
            *(self._price(row, "0.50") for row in self.bought[-PRICES_MOVED:]),
        ]

    def _preorders(self, row: TitleRow) -> Iterator[Order]:
        """Every third customer agrees to whatever is asked today, and one pays on release."""
        for number in range(BUYERS_A_RELEASE):
            yield {
                **self._wish(row),
                "agreed_price": (row.price or "") if number % 3 else "",
                "payment": "on_release" if number == 1 else "paid",
            }

    def _wish(self, row: TitleRow) -> Order:
        return {"source": self.name, "isbn": row.isbn, "format": row.format, "market": self.market}

    def _price(self, row: TitleRow, by: str) -> TitleEdit:
        return TitleEdit(distributor=self.name, isbn=row.isbn, market=self.market, price=moved(row, by))


def choose_part(stub: Stub, at: datetime) -> Part:
    """The titles of one stub that play; raises UsageInvalid where a small catalogue has too few.

    Preorders are waited for where the distributor has them, else titles that are announced. Titles that show a case on purpose
    take no part.
    """
    about, odd = stub.about, frozenset(stub.scenarios.values())
    rows: defaultdict[OfferState, list[TitleRow]] = defaultdict(list)
    for row in stub.titles(at):
        if row.market == about.market and row.isbn not in odd:
            rows[row.state].append(row)
    waiting = _priced(rows[OfferState.PREORDER]) or _priced(rows[OfferState.ANNOUNCED])
    bought = _priced(rows[OfferState.FOR_SALE])[:BOUGHT]
    if len(waiting) < RELEASED or len(bought) < PRICES_MOVED:
        raise UsageInvalid(
            f"the catalogue of {about.label} has too few titles for a day: {len(waiting)} are to be released, "
            f"{len(bought)} are for sale",
            hint="make it larger with --titles, or take another --seed",
        )
    return Part(
        name=stub.name,
        about=about,
        bought=bought,
        released=waiting[:RELEASED],
        later=waiting[RELEASED : RELEASED + LATER],
        refused=[row for state in _UNSELLABLE for row in rows[state][:REFUSED]],
    )


def moved(row: TitleRow, by: str) -> str:
    """Its price, and so much more or less."""
    return str(Decimal(row.price or "0") + Decimal(by))


def _priced(rows: Sequence[TitleRow]) -> list[TitleRow]:
    return [row for row in rows if row.price and Decimal(row.price) > _CHEAPEST]


def _customer(chance: random.Random, number: int) -> Order:
    tongue = words.TONGUES[chance.choice(sorted(words.TONGUES))]
    return {
        "customer_id": f"C{chance.randrange(10_000):04}-{number}",
        "first_name": chance.choice(tongue.first_names),
        "last_name": chance.choice(tongue.last_names),
    }
