"""The stub's default catalogue: every case of contract section 12.1 by name, and a believable crowd around them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from adapters.distributors.demarque.sandbox_edits import standard_line
from adapters.distributors.demarque.sandbox_titles import Charge, Convention, Kind, Line, LineStatus, Title
from adapters.sandbox.catalogue import Book, BookMaker, Moment

MARKETS = ("CA/CAD", "US/USD", "FR/EUR")
"""Where nearly every title is sold."""
FURTHER_MARKETS = ("CA/USD",)
"""Where only some scenarios are."""

_FACTORS = {"CA/CAD": 100, "US/USD": 75, "FR/EUR": 70, "CA/USD": 78}
_PROTECTIONS: dict[str, tuple[Sequence[tuple[str, ...]], Sequence[int]]] = {
    "epub": ([("02",), ("03",), ("00",), ("06",), ("03", "06")], [40, 22, 12, 10, 16]),
    "pdf": ([("02",), ("03",), ("00",), ("03", "06")], [40, 30, 15, 15]),
    "audio": ([("00",), ("06",)], [60, 40]),
}
_FORMATS: tuple[Sequence[tuple[str, ...]], Sequence[int]] = (
    [("epub",), ("epub", "pdf"), ("pdf",), ("audio",)],
    [60, 22, 8, 10],
)
_CROWD: tuple[Sequence[str], Sequence[int]] = (
    [
        "on_sale",
        "new_preorder",
        "old_preorder",
        "announced",
        "withdrawn_in_ca",
        "unavailable",
        "library",
        "switch",
        "not_in_us",
    ],
    [66, 12, 6, 4, 3, 2, 1, 4, 2],
)


@dataclass(slots=True, kw_only=True)
class Catalogue:
    """The titles as made, and the ISBN of each scenario by its name."""

    titles: list[Title] = field(default_factory=list)
    scenarios: dict[str, str] = field(default_factory=dict)


class CatalogueMaker:
    """Makes the same catalogue for the same seed and instant; everything in it lies in the past or ahead of that instant."""

    def __init__(self, *, maker: BookMaker, zone: ZoneInfo, made_at: datetime) -> None:
        self._maker = maker
        self._zone = zone
        self._made_at = made_at.astimezone(UTC).replace(microsecond=0)
        self._today = made_at.astimezone(zone).date()
        self._number = 0
        self._isbns = 0

    def make(self, titles: int, chance: Callable[[str], random.Random]) -> Catalogue:
        """A catalogue of that many titles; never fewer than there are scenarios."""
        catalogue = Catalogue()
        for name, make in _SCENARIOS.items():
            made = make(self)
            catalogue.titles.extend(made)
            catalogue.scenarios[name] = made[0].isbn
        self._share_an_isbn(catalogue)
        dice = chance("crowd")
        while len(catalogue.titles) < titles:
            catalogue.titles.extend(self._publication(dice)[: titles - len(catalogue.titles)])
        return catalogue

    def _share_an_isbn(self, catalogue: Catalogue) -> None:
        """A library offer may carry the EAN of the retail book (contract section 11)."""
        retail = next(title for title in catalogue.titles if title.isbn == catalogue.scenarios["on_sale"])
        library = replace(self.title(kind=Kind.LIBRARY, protections=("03",)), isbn=retail.isbn)
        catalogue.titles.append(library)
        catalogue.scenarios["library_shares_isbn"] = retail.isbn

    # --- building stones

    def days(self, count: int) -> Moment:
        """A day that far from today; negative = past."""
        return Moment.of_day(self._today + timedelta(days=count), self._zone)

    def at(self, count: int, hour: int, minute: int = 0) -> Moment:
        """A civil time of that day."""
        day: date = self._today + timedelta(days=count)
        return Moment(at=datetime.combine(day, time(hour, minute), tzinfo=self._zone).astimezone(UTC))

    def title(self, *, format: str = "epub", book: Book | None = None, **facts: Any) -> Title:
        """A title that is for sale everywhere, but for the facts given; a new publication unless it joins one."""
        if book is None:
            self._number += 1
            book = self._maker.book(self._number)
        self._isbns += 1
        published = facts.pop("published", None) or self.days(-400 - self._isbns % 2500)
        lines = facts.pop("lines", None) or self.lines(book, release=published)
        return Title(
            isbn=self._maker.isbn(self._isbns, language=book.language),
            format=format,
            book=book,
            lines=tuple(lines),
            protections=facts.pop("protections", ("02",)),
            modified_at=self._made_at - timedelta(days=2 + self._isbns % 90, seconds=self._isbns % 86400),
            published=published,
            **facts,
        )

    def lines(
        self,
        book: Book | None = None,
        *,
        release: Moment | None = None,
        markets: Sequence[str] = MARKETS,
        amount: int = 1999,
        since: Moment | None = None,
    ) -> list[Line]:
        """The usual terms in those markets."""
        base = book.amount if book else amount
        lines = []
        for market in markets:
            line = standard_line(market, amount=max(99, base * _FACTORS[market] // 10_000 * 100 + 99))
            charges = tuple(replace(charge, since=since) for charge in line.charges)
            lines.append(replace(line, release=release, charges=charges))
        return lines

    # --- the crowd

    def _publication(self, dice: random.Random) -> list[Title]:
        formats = dice.choices(*_FORMATS)[0]
        what = dice.choices(*_CROWD)[0]
        self._number += 1
        book = self._maker.book(self._number)
        facts = self._crowd_facts(what, book, dice)
        if what == "library":
            formats = formats[:1]
        made = [
            self.title(format=form, book=book, **{"protections": _choose_protections(form, dice), **facts})
            for form in formats
        ]
        if what == "library" and dice.random() < 0.5:
            made = [replace(title, isbn="") for title in made]
        return made

    def _crowd_facts(self, what: str, book: Book, dice: random.Random) -> dict[str, Any]:
        if what == "new_preorder":
            release = self._release(dice)
            started = self.days(-dice.randrange(3, 60)) if dice.random() < 0.7 else None
            return {
                "published": release,
                "lines": self.lines(book, release=release),
                "preorder_at": started,
            }
        if what == "old_preorder":
            release = self._release(dice)
            started = self.days(-dice.randrange(3, 60))
            return {
                "convention": Convention.OLD,
                "published": release,
                "lines": self.lines(book, release=release, since=started),
                "preorder_at": started,
                "supply_role": dice.choice(["08", "02"]),
            }
        if what == "announced":
            release = self.days(dice.randrange(40, 120))
            return {
                "convention": dice.choice([Convention.NEW, Convention.OLD]),
                "published": release,
                "lines": self.lines(book, release=release, since=None),
                "preorder_at": self.days(dice.randrange(10, 30)),
            }
        if what == "withdrawn_in_ca":
            published = self.days(-dice.randrange(100, 2000))
            canada, *others = self.lines(book, release=published)
            return {"published": published, "lines": [replace(canada, status=LineStatus.WITHDRAWN), *others]}
        if what == "unavailable":
            return self._legacy_facts()
        if what == "library":
            return {"kind": Kind.LIBRARY}
        if what == "switch":
            return {"lines": self._switching(book, self._release(dice))}
        if what == "not_in_us":
            published = self.days(-dice.randrange(100, 2000))
            return {
                "published": published,
                "lines": [
                    replace(line, status=LineStatus.OUTSIDE) if line.market == "US/USD" else line
                    for line in self.lines(book, release=published)
                ],
            }
        return {"published": self.days(-dice.randrange(1, 3000))}

    def _release(self, dice: random.Random) -> Moment:
        ahead = dice.randrange(2, 60)
        return self.days(ahead) if dice.random() < 0.5 else self.at(ahead, dice.choice([0, 3, 6, 9]))

    def _legacy_facts(self) -> dict[str, Any]:
        """The unavailable record as it was really sent in July 2015 (contract section 8)."""
        return {
            "convention": Convention.OLD,
            "active": False,
            "lines": [replace(line, charges=()) for line in self.lines()],
        }

    def _switching(self, book: Book | None, start: Moment, *, closed: bool = False) -> list[Line]:
        """One price until the instant, another from it."""
        lines = []
        for line in self.lines(book, release=self.days(-300)):
            now = line.charges[0]
            later = replace(now, amount=now.amount + 200, since=start)
            lines.append(replace(line, charges=(replace(now, until=start, closed=closed), later)))
        return lines

    # --- scenarios with more to them than facts

    def net_priced(self, market: str, price_type: str, percent: str) -> list[Title]:
        """A price without tax, and the rate."""
        line = standard_line(market, amount=1895, type=price_type)
        charges = tuple(replace(charge, tax_percent=Decimal(percent)) for charge in line.charges)
        return [self.title(lines=[replace(line, charges=charges, release=self.days(-200))])]

    def later_in_france(self) -> list[Title]:
        """A market whose MarketDate is later than another's."""
        canada, states, france = self.lines(release=self.days(-20))
        return [self.title(published=self.days(-20), lines=[canada, states, replace(france, release=self.days(25))])]

    def with_status(
        self, status: LineStatus, *, market: str = "CA/CAD", markets: Sequence[str] = MARKETS
    ) -> list[Title]:
        """One market in another state than the rest."""
        published = self.days(-500)
        lines = [
            replace(line, status=status) if line.market == market else line
            for line in self.lines(release=published, markets=markets)
        ]
        return [self.title(published=published, lines=lines)]

    def waiting(self, release: Moment, **facts: Any) -> list[Title]:
        """Not released before that instant."""
        since = facts.get("preorder_at") if facts.get("convention") is Convention.OLD else None
        since = since if since is not None and since.passed(self._made_at) else None
        return [self.title(published=release, lines=self.lines(release=release, since=since), **facts)]

    def legacy(self) -> list[Title]:
        """Unavailable since 2015."""
        return [self.title(**self._legacy_facts())]

    def switching(self, start: Moment, *, closed: bool = False) -> list[Title]:
        """A price boundary to cross."""
        return [self.title(lines=self._switching(None, start, closed=closed))]

    def two_formats(self) -> list[Title]:
        """One publication, two products with an ISBN each."""
        first = self.title(protections=("03", "06"))
        return [first, self.title(format="pdf", book=first.book)]

    def free(self) -> list[Title]:
        """Price 0, sold like any other (contract section 10)."""
        lines = [replace(standard_line(market, amount=0), release=self.days(-90)) for market in MARKETS]
        return [self.title(lines=lines, protections=("00",))]

    def unpriced(self) -> list[Title]:
        """On sale by its indicators, without any price."""
        return [self.title(lines=[replace(line, charges=()) for line in self.lines(release=self.days(-90))])]

    def agency(self) -> list[Title]:
        """Types 42 in Canada and 02 in the States, as one product may mix them."""
        canada, states, france = self.lines(release=self.days(-90))
        charge: Charge = replace(canada.charges[0], type="42")
        return [self.title(lines=[replace(canada, charges=(charge,)), states, france])]


def _choose_protections(form: str, dice: random.Random) -> tuple[str, ...]:
    return dice.choices(*_PROTECTIONS[form])[0]


_SCENARIOS: dict[str, Callable[[CatalogueMaker], list[Title]]] = {
    "on_sale": lambda m: [m.title()],
    "on_sale_adobe": lambda m: [m.title(protections=("03",))],
    "on_sale_unprotected": lambda m: [m.title(protections=("00",))],
    "adobe_and_lcp": lambda m: [m.title(protections=("03", "06"))],
    "lcp_only": lambda m: [m.title(protections=("06",))],
    "pdf_watermark": lambda m: [m.title(format="pdf")],
    "audio": lambda m: [m.title(format="audio", protections=("06",))],
    "two_formats": CatalogueMaker.two_formats,
    "basket_first": lambda m: [m.title()],
    "basket_second": lambda m: [m.title()],
    "free": CatalogueMaker.free,
    "agency": CatalogueMaker.agency,
    "net_price_ca": lambda m: m.net_priced("CA/CAD", "01", "5"),
    "net_price_us": lambda m: m.net_priced("US/USD", "41", "0"),
    "net_price_fr": lambda m: m.net_priced("FR/EUR", "03", "5.5"),
    "no_sale_start": lambda m: [m.title(lines=m.lines(release=None))],
    "new_preorder": lambda m: m.waiting(m.days(14), preorder_at=m.days(-10)),
    "new_preorder_timed": lambda m: m.waiting(m.at(21, 9), preorder_at=m.days(-10)),
    "new_preorder_without_start": lambda m: m.waiting(m.days(30)),
    "old_preorder": lambda m: m.waiting(m.days(14), convention=Convention.OLD, preorder_at=m.days(-10)),
    "old_preorder_timed": lambda m: m.waiting(m.at(21, 9), convention=Convention.OLD, preorder_at=m.days(-10)),
    "old_preorder_role_02": lambda m: m.waiting(
        m.days(18), convention=Convention.OLD, preorder_at=m.days(-10), supply_role="02"
    ),
    "old_preorder_extended_dates": lambda m: m.waiting(
        m.at(19, 6), convention=Convention.OLD, preorder_at=m.days(-10), extended_dates=True, supply_role="02"
    ),
    "old_without_preorder_start": lambda m: m.waiting(m.days(30), convention=Convention.OLD),
    "old_not_yet": lambda m: m.waiting(m.days(30), convention=Convention.OLD, premature=True),
    "announced": lambda m: m.waiting(m.days(60), preorder_at=m.days(20)),
    "old_announced": lambda m: m.waiting(m.days(60), convention=Convention.OLD, preorder_at=m.days(20)),
    "inactive_with_preorder_dates": lambda m: m.waiting(m.days(30), preorder_at=m.days(-10), active=False),
    "legacy_unavailable": CatalogueMaker.legacy,
    "unavailable_in_fr": lambda m: m.with_status(LineStatus.UNAVAILABLE, market="FR/EUR"),
    "inactive_in_fr": lambda m: m.with_status(LineStatus.INACTIVE, market="FR/EUR"),
    "withdrawn_in_ca": lambda m: m.with_status(LineStatus.WITHDRAWN),
    "withdrawn_ca_cad_only": lambda m: m.with_status(LineStatus.WITHDRAWN, markets=("CA/CAD", "CA/USD", "US/USD")),
    "withdrawn_everywhere": lambda m: [m.title(withdrawn=True)],
    "out_of_territory_us": lambda m: m.with_status(LineStatus.OUTSIDE, market="US/USD"),
    "later_market_date": CatalogueMaker.later_in_france,
    "price_switch_dated": lambda m: m.switching(m.days(10)),
    "price_switch_timed": lambda m: m.switching(m.at(10, 3)),
    "price_switch_closed_day": lambda m: m.switching(m.days(10), closed=True),
    "unpriced": CatalogueMaker.unpriced,
    "library": lambda m: [m.title(kind=Kind.LIBRARY, protections=("03",))],
    "deleted": lambda m: [m.title(deleted=True)],
    "end_tags_in_text": lambda m: [m.title(tricky_text=True)],
}
