"""The stub's default catalogue: every row of contract 10.1 by name, a believable crowd around them, and the rest of the trade."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from adapters.distributors.bokbasen.sandbox_titles import (
    ZONE,
    Charge,
    Plan,
    Resource,
    Restriction,
    Title,
    midnight,
)
from adapters.sandbox.catalogue import BookMaker, Moment, with_check_digit

OWN_OUTLET = "7001"
"""The number by which restrictions name the sandbox's shop."""
_OTHER_OUTLET = "7099"

_RESOURCES = uuid.UUID("7a6f1c52-1f2b-5d0e-9a53-6b6f6b626173")
_OLDEST = timedelta(days=150)
"""How far back the first change of the feeds lies: within the age that cursors may have (contract 3)."""
_NOISE_PERCENT = 20
_FORMATS: tuple[Sequence[str], Sequence[int]] = (["epub", "audio", "pdf", "ebp"], [70, 20, 8, 2])
_NOISE_FORMATS = ("hardback", "paperback", "workbook")
_LOCKS: tuple[Sequence[tuple[str, str]], Sequence[int]] = (
    [("02", "SDRM"), ("00", "NODRM"), ("03", "TDRM"), ("06", "LCP")],
    [80, 12, 4, 4],
)
_CROWD: tuple[Sequence[str], Sequence[int]] = (
    ["on_sale", "fixed", "preorder", "announced", "sold_out", "international", "waiting", "off"],
    [52, 10, 12, 5, 6, 10, 3, 2],
)


@dataclass(slots=True, kw_only=True)
class Catalogue:
    """Titles and noise, each with the instant it last changed, and the ISBN of each scenario by its name."""

    titles: list[tuple[Title, datetime]] = field(default_factory=list)
    noise: list[tuple[Title, datetime]] = field(default_factory=list)
    scenarios: dict[str, str] = field(default_factory=dict)


def resource_id(isbn: str, version: int) -> str:
    """The id of a file version; another for each, and the same in every run."""
    return str(uuid.uuid5(_RESOURCES, f"{isbn}:{version}"))


class CatalogueMaker:
    """Makes the same catalogue for the same seed and instant; everything in it lies in the past or ahead of that instant."""

    def __init__(self, *, maker: BookMaker, made_at: datetime, offset: int) -> None:
        self._maker = maker
        self._made_at = made_at.astimezone(UTC).replace(microsecond=0)
        self._today = made_at.astimezone(ZONE).date()
        self._offset = offset
        self._number = 0

    def make(self, titles: int, chance: Callable[[str], random.Random]) -> Catalogue:
        """A catalogue of that many titles, never fewer than there are scenarios; the rest of the trade comes on top."""
        catalogue = Catalogue()
        dice = chance("crowd")
        made = {name: make(self) for name, make in _SCENARIOS.items()}
        catalogue.scenarios = {name: title.isbn for name, title in made.items()}
        every = [*made.values(), *(self._of_crowd(dice) for _ in range(titles - len(made)))]
        noise = [self._noise(dice) for _ in range(max(3, titles * _NOISE_PERCENT // 100))]
        catalogue.titles = list(zip(every, self._instants(len(every)), strict=True))
        catalogue.noise = list(zip(noise, self._instants(len(noise)), strict=True))
        return catalogue

    def _instants(self, count: int) -> list[datetime]:
        step = (_OLDEST - timedelta(days=1)) / max(1, count)
        return [self._made_at - _OLDEST + step * place for place in range(count)]

    # --- building stones

    def days(self, count: int) -> date:
        """The day that far from today; negative = past."""
        return self._today + timedelta(days=count)

    def title(self, **facts: Any) -> Title:
        """A title that is for sale, but for the facts given."""
        self._number += 1
        book = self._maker.book(self._number)
        isbn = with_check_digit(f"97882{(self._number * 48271 + self._offset) % 10**7:07d}")
        form = facts.setdefault("format", "epub")
        first = facts.setdefault("first_published", self.days(-30 - self._number * 7 % 2500))
        lock = facts.pop("drm", "SDRM")
        held: Mapping[str, Any] = facts.pop("held", {})
        resource = Resource(
            resid=resource_id(isbn, 1), kind="MP3" if form == "audio" else form.upper(), drm=lock, **held
        )
        facts.setdefault("year", (first or self._today).year)
        facts.setdefault("charges", (Charge(amount=book.amount // 100 * 1000 + 900),))
        facts.setdefault("resource", resource)
        facts.setdefault("was_sold", facts.get("plan", Plan.ON_SALE) is Plan.ON_SALE)
        return Title(isbn=isbn, number=self._number, book=book, **facts)

    def forthcoming(self, day: int | None, **facts: Any) -> Title:
        """Not published before that day, or nobody says when."""
        held = {"published": False, **facts.pop("held", {})}
        return self.title(
            **{
                "plan": Plan.FORTHCOMING,
                "expected": None if day is None else self.days(day),
                "first_published": None,
                "held": held,
                **facts,
            }
        )

    def preorder(self, day: int, **facts: Any) -> Title:
        """To be released at the start of that day."""
        moment = Moment(at=midnight(self.days(day)), timed=False)
        return self.forthcoming(day, publishes_at=moment, **facts)

    def replaced(self) -> Title:
        """A title whose publisher uploaded a second file."""
        return _with_second_version(self.title())

    # --- the crowd

    def _of_crowd(self, dice: random.Random) -> Title:
        form = dice.choices(*_FORMATS)[0]
        protection, drm = dice.choices(*_LOCKS)[0]
        facts: dict[str, Any] = {"format": form, "protection": protection, "drm": drm}
        what = dice.choices(*_CROWD)[0]
        excerpt = {"excerpt": form != "audio" and dice.random() < 0.4}
        if what == "preorder":
            return self.preorder(dice.randrange(2, 90), held=excerpt, **facts)
        if what == "announced":
            return self.forthcoming(None, held=excerpt, **facts)
        if what == "sold_out":
            return self.title(plan=Plan.SOLD_OUT, held=excerpt, **facts)
        if what == "international":
            charges = (
                Charge(amount=dice.randrange(80, 300) * 100, currency=dice.choice(["SEK", "DKK", "EUR", "GBP"])),
            )
            return self.title(is_international=True, charges=charges, was_sold=False, held={"access": False}, **facts)
        if what == "waiting":
            return self.title(held={"published": False}, was_sold=False, **facts)
        if what == "off":
            return self.title(plan=Plan.TEMPORARILY_OFF, held=excerpt, **facts)
        if what == "fixed":
            first = self.days(-dice.randrange(1, 300))
            until = first + timedelta(days=365)
            amount = dice.randrange(149, 399) * 100
            return self.title(
                first_published=first, charges=(Charge(amount=amount, type="04", until=until),), held=excerpt, **facts
            )
        return self.title(held=excerpt, **facts)

    def _noise(self, dice: random.Random) -> Title:
        """A print book or a workbook; the warehouse has nothing of it."""
        supplier = dice.choice(["Forlagssentralen", "Sentraldistribusjon"])
        return self.title(format=dice.choice(_NOISE_FORMATS), supplier=supplier, resource=None)


def _with_second_version(title: Title) -> Title:
    first = title.resource
    if first is None:
        return title
    second = replace(first, resid=resource_id(title.isbn, 2), version=2)
    return replace(title, resource=second, earlier=(first,))


def _restricted(maker: CatalogueMaker, code: str, *outlets: str, note: str | None = None, shut: bool = True) -> Title:
    restriction = Restriction(code=code, outlets=outlets, note=note, shuts_out=shut)
    return maker.title(restrictions=(restriction,), was_sold=not shut)


_SCENARIOS: dict[str, Callable[[CatalogueMaker], Title]] = {
    "row_1_removed": lambda m: m.title(removed=True),
    "row_2_no_record": lambda m: m.title(in_export=False, was_sold=False),
    "row_3_other_supplier": lambda m: m.title(supplier="Forlagssentralen", was_sold=False),
    "row_4_deleted": lambda m: m.title(held={"deleted": m.days(-40)}),
    "row_5_no_right": lambda m: m.title(held={"access": False}, was_sold=False),
    "row_6_libraries": lambda m: _restricted(m, "06"),
    "row_6_subscription": lambda m: _restricted(m, "13"),
    "row_6_other_outlet": lambda m: _restricted(m, "04", _OTHER_OUTLET),
    "row_6_own_outlet": lambda m: _restricted(m, "04", OWN_OUTLET, shut=False),
    "row_6_territory": lambda m: m.title(territory="SE DK", was_sold=False),
    "row_6_revenue_share": lambda m: _restricted(m, "00", note="Inntektsdeling", shut=False),
    "row_6_not_to_subscriptions": lambda m: _restricted(m, "12", shut=False),
    "row_7_cancelled": lambda m: m.forthcoming(30, plan=Plan.CANCELLED),
    "row_8_postponed": lambda m: m.forthcoming(None, plan=Plan.POSTPONED),
    "row_9_sold_out": lambda m: m.title(plan=Plan.SOLD_OUT),
    "row_10_embargo": lambda m: m.title(embargo=m.days(20), was_sold=False),
    "row_10_expected": lambda m: m.forthcoming(12, held={"published": True}),
    "row_10_unpriced": lambda m: m.title(embargo=m.days(20), charges=(), was_sold=False),
    "row_11_unpriced": lambda m: m.title(charges=(), was_sold=False),
    "row_11_foreign_price": lambda m: m.title(
        charges=(Charge(amount=12900, currency="SEK"),), is_international=True, was_sold=False
    ),
    "row_12_on_sale": lambda m: m.title(),
    "row_12_day_passed": lambda m: m.forthcoming(-3, held={"published": True}),
    "row_12_contradictory": lambda m: m.title(plan=Plan.CONTRADICTORY, was_sold=True),
    "row_13_temporarily_off": lambda m: m.title(plan=Plan.TEMPORARILY_OFF),
    "row_14_preorder": lambda m: m.preorder(14),
    "row_14_preorder_embargo": lambda m: m.preorder(25, expected=m.days(5), embargo=m.days(25)),
    "row_14_preorder_excerpt": lambda m: m.preorder(30, held={"excerpt": True}),
    "row_15_without_day": lambda m: m.forthcoming(None),
    "row_15_late": lambda m: m.forthcoming(-5),
    "row_15_unpriced": lambda m: m.forthcoming(40, charges=()),
    "row_16_waiting_for_file": lambda m: m.title(held={"published": False}, was_sold=False),
    "row_16_off_and_unpublished": lambda m: m.title(plan=Plan.TEMPORARILY_OFF, held={"published": False}),
    "row_17_announced": lambda m: m.forthcoming(50, resource=None),
    "row_18_not_in_warehouse": lambda m: m.title(resource=None, was_sold=False),
    "row_18_announced_unpriced": lambda m: m.forthcoming(50, resource=None, charges=()),
    "row_19_unsaid": lambda m: m.title(plan=Plan.UNSAID, was_sold=False),
    "row_19_without_day": lambda m: m.forthcoming(None, held={"published": True}),
    "row_19_several_prices": lambda m: m.title(charges=(Charge(amount=19900), Charge(amount=24900)), was_sold=False),
    "fixed_price": lambda m: m.title(
        first_published=m.days(-100), charges=(Charge(amount=27900, type="04", until=m.days(265)),)
    ),
    "fixed_price_ends_soon": lambda m: m.title(
        first_published=m.days(-360), charges=(Charge(amount=27900, type="04", until=m.days(5)),)
    ),
    "fixed_price_ended": lambda m: m.title(
        first_published=m.days(-400), charges=(Charge(amount=27900, type="04", until=m.days(-35)),)
    ),
    "fixed_price_to_come": lambda m: m.preorder(21, charges=(Charge(amount=34900, type="04"),)),
    "publishers_price": lambda m: m.title(charges=(Charge(amount=9900, type="42"),)),
    "library_price_beside": lambda m: m.title(
        charges=(Charge(amount=19900), Charge(amount=49900, qualifier="10"), Charge(amount=14900, qualifier="11"))
    ),
    "without_lock": lambda m: m.title(protection="00", drm="NODRM"),
    "adobe": lambda m: m.title(protection="03", drm="TDRM"),
    "lcp": lambda m: m.title(protection="06", drm="LCP"),
    "pdf": lambda m: m.title(format="pdf"),
    "ebp": lambda m: m.title(format="ebp"),
    "audio": lambda m: m.title(format="audio", protection="00", drm="NODRM"),
    "second_version": CatalogueMaker.replaced,
    "international": lambda m: m.title(
        is_international=True, charges=(Charge(amount=12900, currency="SEK"),), was_sold=False, held={"access": False}
    ),
}
