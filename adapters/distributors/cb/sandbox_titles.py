"""The CB stub's own idea of a title: what is known of it, for sale or not, at which price; told without any feed.

Feed and files are written from this model, and the answers to checks and orders are decided by it, at the real instant. It shares
nothing with the rules an engine reads them by.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from adapters.sandbox.catalogue import Book, Moment
from syncengine.domain.money import from_hundredths, to_hundredths, with_tax
from syncengine.domain.offer import OfferState

AUDIO = "audio"
ZONE = ZoneInfo("Europe/Amsterdam")
CB_NAME = "CB"
ANNOUNCED, AVAILABLE, WITHDRAWN = "10", "20", "40"
_CONSUMER_TYPES = frozenset({"02", "04", "12", "14"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A consumer price in hundredths over Dutch days, both ends included; `type` is that of list 58.

    A net price (01) states its `tax` in percent.
    """

    amount: int
    type: str = "02"
    since: date | None = None
    until: date | None = None
    tax: int | None = None
    currency: str = "EUR"

    def is_active(self, day: date) -> bool:
        """Whether that day lies in it."""
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What the agreement message says of an e-book."""

    allowed: bool = True
    webshop: bool = True
    amount: int | None = None
    eans: tuple[str, ...] = ()
    """Further EANs in the same Product."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """One EAN. `availability` is what its record says until `release`, at which it becomes 20; none = no SupplyDetail at all.

    `status` overrules the PublishingStatus that goes with the availability. `others` are further suppliers with their availability.
    `is_told` is whether feed or files have it, `is_listed` whether the inventory has, `is_sellable` what check and order say where it
    is not the availability.
    """

    isbn: str
    format: str
    book: Book
    availability: str | None
    modified_at: datetime
    release: Moment | None = None
    status: str | None = None
    published: date | None = None
    supplied: date | None = None
    charges: tuple[Charge, ...] = ()
    others: tuple[tuple[str, str], ...] = ()
    agreement: Agreement | None = None
    is_deleted: bool = False
    is_told: bool = True
    is_listed: bool = True
    is_sellable: bool | None = None
    held_until: date | None = None
    """The day before which CB has an e-book and takes no orders for it (contract 8.4)."""
    name: str | None = None
    datestamp: str = ""
    parts: tuple[str, ...] = ()
    """EANs of the parts of a combination product (contract 8.4)."""

    @property
    def is_audio(self) -> bool:
        """Whether Luisterhuis has it."""
        return self.format == AUDIO

    def availability_at(self, at: datetime) -> str | None:
        """What its record says at an instant."""
        released = self.release is not None and self.release.passed(at)
        return AVAILABLE if released and self.availability == ANNOUNCED else self.availability

    def status_at(self, at: datetime) -> str:
        """The PublishingStatus at an instant."""
        return self.status or ("02" if self.availability_at(at) == ANNOUNCED else "04")

    def published_at(self, at: datetime) -> date | None:
        """The publication date that its record states; an e-book that is out before has come out on that day."""
        if self.is_audio or self.published is None or self.release is None or not self.release.passed(at):
            return self.published
        return min(self.published, self.release.at.astimezone(ZONE).date())

    def changed_at(self, at: datetime) -> datetime:
        """When its record last became different."""
        if self.release is not None and self.release.passed(at):
            return max(self.modified_at, self.release.at)
        return self.modified_at

    def amount_at(self, at: datetime) -> int | None:
        """What a customer pays, in hundredths: the agreement's price, else the one in force; none where there is none or several."""
        if self.agreement is not None and self.agreement.amount is not None:
            return self.agreement.amount
        day = at.astimezone(ZONE).date()
        priced = [charge for charge in self.charges if charge.currency == "EUR" and charge.is_active(day)]
        active = [charge for charge in priced if charge.type in _CONSUMER_TYPES] or [
            replace(charge, amount=_with_tax(charge))
            for charge in priced
            if charge.type == "01" and charge.tax is not None
        ]
        bounded = [charge for charge in active if charge.since and charge.until] or active
        latest = max((charge.since or date.min for charge in bounded), default=date.min)
        amounts = {charge.amount for charge in bounded if (charge.since or date.min) == latest}
        return amounts.pop() if len(amounts) == 1 else None

    def is_sold(self, at: datetime) -> bool:
        """Whether CB takes an order for it."""
        if self.is_sellable is not None:
            return self.is_sellable
        if self.is_held(at):
            return False
        allowed = self.is_audio or (self.agreement is not None and self.agreement.allowed)
        return self.availability_at(at) == AVAILABLE and allowed and not self.is_deleted

    def is_held(self, at: datetime) -> bool:
        """Whether its day has not come."""
        return self.held_until is not None and at.astimezone(ZONE).date() < self.held_until

    def state(self, at: datetime) -> OfferState:
        """What a shop should show."""
        if self.is_deleted or self.availability == WITHDRAWN:
            return OfferState.WITHDRAWN
        if not self.is_audio and (self.agreement is None or not (self.agreement.allowed and self.agreement.webshop)):
            return OfferState.UNAVAILABLE
        if not self.is_told and not self.is_audio:
            return OfferState.NOT_YET
        own = [code for name, code in self.others if name == CB_NAME and code != AVAILABLE]
        match own[0] if own else self.availability_at(at):
            case "10":
                return OfferState.ANNOUNCED if self.status_at(at) == "02" or not self.is_audio else OfferState.NOT_YET
            case "20" if self.is_held(at):
                return OfferState.NOT_YET
            case "20" if self.amount_at(at) is None:
                return OfferState.UNPRICED
            case "20" if self.is_audio and not self.is_listed:
                return OfferState.FOR_SALE if self.is_sellable else OfferState.WITHDRAWN
            case "20":
                return OfferState.FOR_SALE
            case _:
                return OfferState.UNAVAILABLE


def _with_tax(charge: Charge) -> int:
    return to_hundredths(with_tax(from_hundredths(charge.amount), Decimal(charge.tax or 0)))
