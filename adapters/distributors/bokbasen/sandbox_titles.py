"""The stub's own idea of a title: what its publisher means to do with it, and what the warehouse (DDS) holds of it.

Both feeds are written from this model, and orders are decided by it. It shares nothing with the rules an engine reads the
feeds by: codes and colours are the writer's business.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from adapters.sandbox.catalogue import Book, Moment
from syncengine.domain.offer import OfferState

ZONE = ZoneInfo("Europe/Oslo")
MARKET = "NO/NOK"
_ONE_DAY = timedelta(days=1)


class Plan(StrEnum):
    """What the publisher says of a title, whatever the warehouse holds."""

    FORTHCOMING = "forthcoming"
    ON_SALE = "on sale"
    TEMPORARILY_OFF = "temporarily off"
    SOLD_OUT = "sold out"
    CANCELLED = "cancelled"
    POSTPONED = "postponed"
    UNSAID = "unsaid"
    """In codes from which nothing follows."""
    CONTRADICTORY = "contradictory"
    """On sale by its supplier's code and forthcoming by its market's: sold, and worth an alert (contract 10.1)."""


_SOLD = frozenset({Plan.ON_SALE, Plan.CONTRADICTORY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A price: `amount` in hundredths; `until` the last day of its fixed period."""

    amount: int
    type: str = "02"
    currency: str = "NOK"
    qualifier: str = "05"
    until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Restriction:
    """A SalesRestriction with the outlets it names."""

    code: str
    outlets: tuple[str, ...] = ()
    note: str | None = None
    shuts_out: bool = False
    """Whether it keeps the sandbox's shop from selling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A file version in the warehouse, as a row of the inventory tells it (contract 4)."""

    resid: str
    version: int = 1
    kind: str = "EPUB"
    drm: str = "SDRM"
    deleted: date | None = None
    published: bool = True
    access: bool = True
    excerpt: bool = False

    @property
    def is_delivered(self) -> bool:
        """Whether downloads can be started."""
        return self.published and self.access and self.deleted is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """One ISBN. `resource` is its latest file version, none where the warehouse does not know it.

    A release lies at `publishes_at`: at that instant the warehouse publishes the file and the publisher says "on sale". Until
    then the feed tells `expected`, a day. `embargo` binds beside it. `was_sold` remembers that it could once be bought.
    """

    isbn: str
    number: int
    book: Book
    format: str = "epub"
    plan: Plan = Plan.ON_SALE
    in_export: bool = True
    """Whether the ONIX export has a record of it."""
    removed: bool = False
    """NotificationType 05 was sent (contract 9.1)."""
    supplier: str = "DDS"
    expected: date | None = None
    first_published: date | None = None
    year: int | None = None
    embargo: date | None = None
    charges: tuple[Charge, ...] = ()
    restrictions: tuple[Restriction, ...] = ()
    territory: str = "NO"
    protection: str = "02"
    is_international: bool = False
    resource: Resource | None = None
    earlier: tuple[Resource, ...] = ()
    publishes_at: Moment | None = None
    was_sold: bool = False
    name: str | None = None

    @property
    def release(self) -> date | None:
        """The day from which it may be sold, as far as the publisher's days tell."""
        day = self.expected or self.first_published
        return None if day is None else max(day, self.embargo or day)

    @property
    def price(self) -> int | None:
        """What a reader pays in NOK, in hundredths."""
        consumer = [charge for charge in self.charges if (charge.currency, charge.qualifier) == ("NOK", "05")]
        return consumer[0].amount if len(consumer) == 1 else None

    def state(self, at: datetime) -> OfferState:
        """What may be done with it at that instant: the truth of contract 10.1."""
        if self.removed:
            return OfferState.REMOVED
        if not self.in_export:
            return OfferState.UNKNOWN
        if self.supplier != "DDS":
            return OfferState.UNAVAILABLE
        resource = self.resource
        if resource is not None and resource.deleted is not None:
            return OfferState.WITHDRAWN
        if resource is not None and not resource.access:
            return OfferState.WITHDRAWN if self.was_sold else OfferState.UNAVAILABLE
        if self.territory != "NO":
            return OfferState.OUT_OF_TERRITORY
        if any(restriction.shuts_out for restriction in self.restrictions):
            return OfferState.UNAVAILABLE
        if self.plan in {Plan.CANCELLED, Plan.SOLD_OUT}:
            return OfferState.WITHDRAWN
        if self.plan is Plan.POSTPONED:
            return OfferState.ANNOUNCED
        if resource is None:
            return OfferState.ANNOUNCED if self.plan is Plan.FORTHCOMING else OfferState.UNAVAILABLE
        return self._published(at) if resource.published else self._unpublished(at)

    def _published(self, at: datetime) -> OfferState:
        if self.is_ahead(at):
            return OfferState.ANNOUNCED
        if self.price is None:
            return OfferState.UNAVAILABLE if self.charges_differ else OfferState.UNPRICED
        if self.plan in _SOLD or (self.plan is Plan.FORTHCOMING and self.release is not None):
            return OfferState.FOR_SALE
        return OfferState.UNAVAILABLE

    def _unpublished(self, at: datetime) -> OfferState:
        if self.plan is not Plan.FORTHCOMING:
            return OfferState.UNAVAILABLE
        return OfferState.PREORDER if self.is_ahead(at) and self.price is not None else OfferState.ANNOUNCED

    def is_ahead(self, at: datetime) -> bool:
        """Whether its day is still to come."""
        return self.release is not None and at.astimezone(ZONE).date() < self.release

    @property
    def charges_differ(self) -> bool:
        """Whether it has several prices for readers, and nobody says which."""
        return len({c.amount for c in self.charges if (c.currency, c.qualifier) == ("NOK", "05")}) > 1

    def released(self) -> Title:
        """The same on the day it comes out: the file published, the record in the shape of titles on sale (contract 10.3)."""
        if self.publishes_at is None:
            return self
        day = self.publishes_at.at.astimezone(ZONE).date()
        return replace(
            self,
            plan=Plan.ON_SALE,
            expected=None,
            first_published=day,
            year=day.year,
            publishes_at=None,
            resource=replace(self.resource, published=True) if self.resource else None,
            was_sold=True,
        )

    def waiting_for(self, moment: Moment) -> Title:
        """The same, to be released at that instant; its feeds tell the first day that surely is not over by then."""
        return replace(
            self,
            plan=Plan.FORTHCOMING,
            expected=expected_day(moment.at),
            first_published=None,
            publishes_at=moment,
            resource=replace(self.resource, published=False) if self.resource else None,
        )


def expected_day(at: datetime) -> date:
    """The day of a release at midnight; of any other release the day behind it, for only a day to come can be announced."""
    local = at.astimezone(ZONE)
    return local.date() if local.time() == time() else local.date() + _ONE_DAY


def midnight(day: date) -> datetime:
    """The start of a day in Norway, in UTC; Norway has one every day."""
    return datetime.combine(day, time(), tzinfo=ZONE).astimezone(UTC)
