"""The stub's own idea of a title: what may be sold where, when and at what price, known without any feed.

The feed is written from this model, and the answers of simulation and sale are decided by it, at the real instant. It shares
nothing with the rules an engine reads the feed by.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from adapters.sandbox.catalogue import Book, Moment
from syncengine.domain.money import from_hundredths, to_hundredths, with_tax
from syncengine.domain.offer import OfferState

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Convention(StrEnum):
    """The two ways of announcing a preorder (contract section 9)."""

    OLD = "old"
    """Negative indicators until the release, then another record (9.1)."""
    NEW = "new"
    """Positive indicators with a future start; nothing is re-sent at the release (9.2)."""


class Kind(StrEnum):
    """What a record is for."""

    RETAIL = "retail"
    LIBRARY = "library"
    """Contract section 11: to be filtered out by a shop."""


class LineStatus(StrEnum):
    """What became of a line."""

    LIVE = "live"
    UNAVAILABLE = "unavailable"
    """ProductAvailability 40 in that market (9.2)."""
    INACTIVE = "inactive"
    """MarketPublishingStatus 08 (9.2)."""
    WITHDRAWN = "withdrawn"
    """Still named, in a block with MarketPublishingStatus 11 (9.3)."""
    GONE = "gone"
    """Withdrawn, and its block is not sent any more (9.3)."""
    OUTSIDE = "outside"
    """There are no rights for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A price over a span: `amount` in hundredths as its list 58 type defines it, with or without tax.

    `since` and `until` are instants; an `until` that is a day is written as that day where the next price starts on it, or,
    `closed`, as the day before (contract section 10, role 15).
    """

    amount: int
    type: str
    since: Moment | None = None
    until: Moment | None = None
    tax_percent: Decimal | None = None
    closed: bool = False

    def holds(self, at: datetime) -> bool:
        """Whether the price is in force."""
        return (self.since is None or self.since.passed(at)) and (self.until is None or not self.until.passed(at))

    @property
    def gross(self) -> int:
        """What the customer pays, in hundredths."""
        if self.tax_percent is None or self.type in {"02", "04", "42"}:
            return self.amount
        return to_hundredths(with_tax(from_hundredths(self.amount), self.tax_percent))


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A title's terms for a group of countries in one currency; its market is the first country with the currency."""

    countries: tuple[str, ...]
    currency: str
    charges: tuple[Charge, ...] = ()
    release: Moment | None = None
    status: LineStatus = LineStatus.LIVE

    @property
    def market(self) -> str:
        """As rows name it: `CA/CAD`."""
        return f"{self.countries[0]}/{self.currency}"

    def charges_at(self, at: datetime) -> tuple[Charge, ...]:
        """The prices in force: of several of one type the one that started last."""
        latest: dict[str, Charge] = {}
        for charge in self.charges:
            known = latest.get(charge.type)
            if charge.holds(at) and (known is None or _starts(known) <= _starts(charge)):
                latest[charge.type] = charge
        return tuple(latest.values())

    def shown_charge(self, at: datetime) -> Charge | None:
        """The price that a customer is told: today's, or before the release the one that will hold then."""
        instant = self.release.at if self.release and not self.release.passed(at) else at
        return next(iter(self.charges_at(instant)), None)


def _starts(charge: Charge) -> datetime:
    return charge.since.at if charge.since else _LONG_AGO


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """One publication in one format. Every edit makes a new value with a new `modified_at`.

    `isbn` is empty for a library record that has an internal key only. `preorder_at` is the start of the preorder period.
    """

    isbn: str
    format: str
    book: Book
    lines: tuple[Line, ...]
    protections: tuple[str, ...]
    modified_at: datetime
    published: Moment
    convention: Convention = Convention.NEW
    kind: Kind = Kind.RETAIL
    preorder_at: Moment | None = None
    active: bool = True
    """The publisher's override: false writes PublishingStatus 08 with negative indicators (9.2, 9.4)."""
    withdrawn: bool = False
    """PublishingStatus 11: withdrawn everywhere."""
    deleted: bool = False
    """NotificationType 05."""
    agreement: bool = True
    """Whether the shop has an agreement with the publisher; without one nothing is told or sold."""
    premature: bool = False
    """OLD with positive indicators before the start: 9.1 second row."""
    name: str | None = None
    """Another title than the book's."""
    supply_role: str = "08"
    """The role of SupplyDate: the notice says 08, the preorder page 02 (contract section 12, 2)."""
    extended_dates: bool = False
    """Write ISO extended text with format 14, as the preorder page's example does (8.1)."""
    tricky_text: bool = False
    """The description talks about ONIX end tags."""

    @property
    def number(self) -> int:
        """The publication's internal number."""
        return self.book.number

    def line(self, country: str, currency: str) -> Line | None:
        """The terms for a country and currency; live ones before others."""
        fitting = [line for line in self.lines if line.currency == currency and country in line.countries]
        return min(fitting, key=lambda line: line.status is not LineStatus.LIVE, default=None)

    def has_rights(self, country: str) -> bool:
        """Whether any live line covers the country."""
        return any(country in line.countries and line.status in _WITH_RIGHTS for line in self.lines)

    def release_of(self, line: Line) -> Moment | None:
        """The start of sale of a line: the OLD convention has one for all, the latest."""
        if self.convention is Convention.NEW:
            return line.release
        return max((other.release for other in self.lines if other.release), default=None)

    def released(self, at: datetime) -> bool:
        """Whether the OLD start of sale has passed, or there is none."""
        release = self.release_of(self.lines[0])
        return release is None or release.passed(at)

    def changed_at(self, at: datetime) -> datetime:
        """When the record last became different: an OLD record does so by itself when its release passes (9.1)."""
        if self.convention is Convention.OLD and self.active and not self.premature:
            release = self.release_of(self.lines[0])
            if release is not None and release.passed(at):
                return max(self.modified_at, release.at)
        return self.modified_at

    def state(self, line: Line, at: datetime) -> OfferState:
        """The truth about a line at an instant, in the words of offers."""
        if self.deleted or not self.agreement:
            return OfferState.REMOVED
        if self.withdrawn or line.status in {LineStatus.WITHDRAWN, LineStatus.GONE}:
            return OfferState.WITHDRAWN
        if line.status is LineStatus.OUTSIDE:
            return OfferState.OUT_OF_TERRITORY
        release = self.release_of(line)
        waits = release is not None and not release.passed(at)
        if not self.active:
            return OfferState.ANNOUNCED if waits and self.convention is Convention.NEW else OfferState.UNAVAILABLE
        if self.kind is Kind.LIBRARY or line.status is not LineStatus.LIVE:
            return OfferState.UNAVAILABLE
        if waits:
            return self._state_before_release(at)
        return OfferState.FOR_SALE if line.charges_at(at) else OfferState.UNPRICED

    def _state_before_release(self, at: datetime) -> OfferState:
        if self.premature:
            return OfferState.NOT_YET
        if self.preorder_at is None and self.convention is Convention.OLD:
            return OfferState.UNAVAILABLE
        if self.preorder_at is not None and not self.preorder_at.passed(at):
            return OfferState.ANNOUNCED
        return OfferState.PREORDER

    def can_preorder(self, at: datetime) -> bool:
        """Whether any line is in its preorder period: the call names no market (contract 4.5)."""
        return any(self.state(line, at) is OfferState.PREORDER for line in self.lines)

    def with_lines(self, lines: Iterable[Line]) -> Title:
        """The same title on other terms."""
        return replace(self, lines=tuple(lines))


_WITH_RIGHTS = frozenset({LineStatus.LIVE, LineStatus.UNAVAILABLE, LineStatus.INACTIVE})
