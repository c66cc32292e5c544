"""The CB stub's default catalogue: every row of contract 5 and 9 by name, and a believable crowd around them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from adapters.distributors.cb.sandbox_titles import (
    ANNOUNCED,
    AUDIO,
    AVAILABLE,
    CB_NAME,
    WITHDRAWN,
    ZONE,
    Agreement,
    Charge,
    Title,
)
from adapters.sandbox.catalogue import BookMaker, with_check_digit

TEST_TITLES = ("9789084999936", "9789491259142")
"""E-books that CB's own test environment knows (contract 11.10)."""

_CROWD = (["sale", "action", "announced", "withdrawn", "unpriced", "other"], [70, 8, 12, 4, 3, 3])


@dataclass(slots=True, kw_only=True)
class Catalogue:
    """The titles as made, and the EAN of each scenario by its name."""

    titles: list[Title] = field(default_factory=list)
    scenarios: dict[str, str] = field(default_factory=dict)


class CatalogueMaker:
    """Makes the same catalogue for the same seed and instant; all of it was last changed before that instant."""

    def __init__(self, *, maker: BookMaker, first_ean: int, made_at: datetime) -> None:
        self._maker = maker
        self._first_ean = first_ean
        self._made_at = made_at.astimezone(UTC).replace(microsecond=0)
        self._today = made_at.astimezone(ZONE).date()
        self._number = 0

    def make(self, titles: int, dice: random.Random) -> Catalogue:
        """A catalogue of that many titles; never fewer than there are scenarios."""
        catalogue = Catalogue()
        for name, make in SCENARIOS.items():
            title = make(self)
            catalogue.titles.append(title)
            catalogue.scenarios[name] = title.isbn
        while len(catalogue.titles) < titles:
            catalogue.titles.append(self._one_of_the_crowd(dice))
        return catalogue

    def day(self, count: int) -> date:
        """A Dutch day that far from today."""
        return self._today + timedelta(days=count)

    def ean(self, number: int) -> str:
        """A valid EAN of the Dutch group; no two numbers share one."""
        return with_check_digit(f"97890{(number * 48271 + self._first_ean) % 10**7:07d}")

    def audio(self, **facts: Any) -> Title:
        """An audiobook for sale, but for the facts given."""
        return self._title(AUDIO, **facts)

    def ebook(self, **facts: Any) -> Title:
        """An e-book for sale, but for the facts given; `agreement` none means that there is no such record."""
        amount = self._maker.book(self._number + 1).amount
        return self._title("epub", **{"agreement": Agreement(amount=amount), **facts})

    def price(self, amount: int, **facts: Any) -> Charge:
        """A price, its dates as days from today."""
        days: dict[str, Any] = {name: self.day(facts.pop(name)) for name in ("since", "until") if name in facts}
        return Charge(amount=amount, **days, **facts)

    def _title(self, format: str, **facts: Any) -> Title:
        self._number += 1
        book = self._maker.book(self._number)
        age = timedelta(days=5 + self._number % 700, minutes=self._number % 1440)
        ordinary: dict[str, Any] = {
            "isbn": self.ean(self._number),
            "format": format,
            "book": book,
            "availability": AVAILABLE,
            "modified_at": self._made_at - age,
            "published": self.day(-30 - self._number % 900),
            "supplied": self.day(-60 - self._number % 900),
            "charges": (Charge(amount=book.amount),),
        }
        return Title(**{**ordinary, **facts})

    def _one_of_the_crowd(self, dice: random.Random) -> Title:
        make = self.audio if dice.random() < 0.5 else self.ebook
        amount = dice.randrange(4, 25) * 100 + 99
        match dice.choices(*_CROWD)[0]:
            case "action":
                charges = (
                    self.price(amount),
                    self.price(amount - 200, since=-dice.randrange(9), until=dice.randrange(1, 30)),
                )
                return make(charges=charges)
            case "announced":
                ahead = dice.randrange(10, 200)
                dates = {"published": self.day(ahead), "supplied": self.day(ahead - 30)}
                return make(availability=ANNOUNCED, **dates)
            case "withdrawn":
                return make(availability=WITHDRAWN)
            case "unpriced":
                return make(charges=(), **({} if make == self.audio else {"agreement": Agreement(webshop=False)}))
            case "other":
                return make(availability=dice.choice(["31", "42", "46", "99"]))
            case _:
                return make(charges=(self.price(amount),))


def _announced(make: CatalogueMaker, **facts: Any) -> dict[str, Any]:
    return {"availability": ANNOUNCED, "published": make.day(40), "supplied": make.day(10), **facts}


SCENARIOS: dict[str, Callable[[CatalogueMaker], Title]] = {
    # --- table 5
    "row1_deleted": lambda make: make.audio(is_deleted=True),
    "row2_withdrawn": lambda make: make.audio(availability=WITHDRAWN),
    "row2_withdrawn_forthcoming": lambda make: make.audio(**_announced(make, availability=WITHDRAWN, status="02")),
    "row3_announced": lambda make: make.audio(**_announced(make)),
    "row3_announced_unpriced": lambda make: make.audio(**_announced(make, charges=())),
    "row4_announced_active": lambda make: make.audio(**_announced(make, status="04")),
    "row5_for_sale": lambda make: make.audio(),
    "row6_for_sale_forthcoming": lambda make: make.audio(status="02"),
    "row7_unpriced": lambda make: make.audio(charges=()),
    "row7_price_over": lambda make: make.audio(charges=(make.price(999, until=-1),)),
    "row8_other": lambda make: make.audio(availability="31"),
    "row9_no_supply": lambda make: make.audio(availability=None),
    "step_a_other_supplier": lambda make: make.audio(others=(("Elders", WITHDRAWN),)),
    "step_a_not_unique": lambda make: make.audio(others=((CB_NAME, ANNOUNCED),)),
    "step_b_gone_yes": lambda make: make.audio(),
    "step_b_gone_no": lambda make: make.audio(is_sellable=False),
    "step_b_gone_unanswered": lambda make: make.audio(),
    "later_withdrawn": lambda make: make.audio(),
    "back_again": lambda make: make.audio(availability=WITHDRAWN),
    "moved_publication": lambda make: make.audio(**_announced(make)),
    "supply_before_publication": lambda make: make.audio(
        **_announced(make, published=make.day(45), supplied=make.day(15))
    ),
    "vanishes": lambda make: make.audio(),
    # --- section 5.1
    "step1_other_currency": lambda make: make.audio(charges=(make.price(500, currency="USD"), make.price(999))),
    "step2_net_only": lambda make: make.audio(charges=(make.price(1000, type="01", tax=9),)),
    "step2_cost_beside": lambda make: make.audio(charges=(make.price(999), make.price(500, type="05"))),
    "step3_over_tomorrow": lambda make: make.audio(charges=(make.price(999), make.price(599, since=-3, until=0))),
    "step4_action_beats_open": lambda make: make.audio(
        charges=(make.price(999, since=-1), make.price(599, since=-9, until=9))
    ),
    "step4_ambiguous": lambda make: make.audio(charges=(make.price(999), make.price(899))),
    "step5_action_tomorrow": lambda make: make.audio(charges=(make.price(999), make.price(599, since=1, until=5))),
    # --- table 9
    "ebook_row1_for_sale": lambda make: make.ebook(),
    "ebook_row2_not_allowed": lambda make: make.ebook(agreement=Agreement(allowed=False, amount=799)),
    "ebook_row3_not_listed": lambda make: make.ebook(agreement=Agreement(webshop=False, amount=799)),
    "ebook_row4_announced": lambda make: make.ebook(**_announced(make)),
    "ebook_row5_no_agreement": lambda make: make.ebook(agreement=None),
    "ebook_row6_no_record": lambda make: make.ebook(is_told=False),
    "ebook_withdrawn": lambda make: make.ebook(availability=WITHDRAWN),
    "ebook_price_differs": lambda make: make.ebook(charges=(make.price(1299),), agreement=Agreement(amount=799)),
    "ebook_price_by_record": lambda make: make.ebook(charges=(make.price(1299),), agreement=Agreement()),
    "ebook_a_day_ahead": lambda make: make.ebook(published=make.day(1), held_until=make.day(1)),
    "ebook_combination": lambda make: make.ebook(parts=(make.ean(900_001),)),
    "ebook_two_eans": lambda make: make.ebook(agreement=Agreement(amount=799, eans=(make.ean(900_002),))),
    "ebook_test_title": lambda make: make.ebook(isbn=TEST_TITLES[0]),
    "ebook_other_test_title": lambda make: make.ebook(isbn=TEST_TITLES[1]),
}
"""A title for every row and step by its name (contract 11.4)."""
