"""Dates as gates: when a sale, a preorder, a supplier's share of it begins or ends (reference/onix.md 2.11).

What a gate's date cannot tell is never taken in favour of a sale: one that cannot be read keeps an opening shut and a closing
passed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from syncengine.domain.codes import PublishingDateRole, SupplyDateRole
from syncengine.domain.dates import OnixDate, spell
from syncengine.domain.product import DatedRole, Product, ProductSupply, SupplyDetail

NamedDate = tuple[str, OnixDate]
"""A date and the element that carries it, for the trail: `PublishingDate 02`."""

_EMBARGOES = frozenset(
    {
        PublishingDateRole.SALES_EMBARGO,
        PublishingDateRole.DOWNLOAD_EMBARGO,
        PublishingDateRole.PURCHASE_EMBARGO,
        PublishingDateRole.AVAILABILITY_EMBARGO,
    }
)
"""List 163: what a shop that sells downloads must wait for. 02 forbids retail sale. 33 forbids purchase while the title may
already be had by subscription, 32 downloading while it may already be streamed, and 40 its release by the distributor: sold
before any of them, it could not be delivered. Streaming (30), subscription (31), previews (38) and libraries (39) are not this
shop's business, so their embargoes bind nobody here.
"""

_PUBLISHING_ROLES = frozenset(
    f"{number:02}" for number in (1, 2, *range(9, 14), 16, *range(19, 24), *range(25, 34), *range(35, 43))
)
_SUPPLY_ROLES = frozenset(["02", "08", "18", "25", "29", "30", "34", "50", "51"])
"""Lists 163 and 166, whole: what is in neither is of a newer issue, and may be an embargo."""

_PUBLICATION = frozenset({PublishingDateRole.PUBLICATION})
_OUT_OF_PRINT = frozenset({PublishingDateRole.OUT_OF_PRINT})
_EXPECTED_AGAIN = frozenset({PublishingDateRole.EXPECTED_AGAIN})
_PREORDERS = frozenset({PublishingDateRole.PREORDER_EMBARGO})
_ANNOUNCEMENT = frozenset({PublishingDateRole.ANNOUNCEMENT})
_TRADE_ANNOUNCEMENT = frozenset({PublishingDateRole.TRADE_ANNOUNCEMENT})
_SUPPLIERS_EMBARGO = frozenset({SupplyDateRole.SALES_EMBARGO})
_EXPECTED = frozenset({SupplyDateRole.EXPECTED_AVAILABILITY})
_SUPPLIER_END = frozenset({SupplyDateRole.SUPPLIER_END})
_NEW_SUPPLIER = frozenset({SupplyDateRole.NEW_SUPPLIER_START})


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """When something begins: at once where no date is announced, never where one cannot be read, at the latest of several.

    `at` is none in the first two cases; `says` is for the trail of rules, empty where nothing is announced.
    """

    at: datetime | None = None
    says: str = ""
    is_unreadable: bool = False

    @property
    def is_announced(self) -> bool:
        """Whether the feed has a date for it at all."""
        return self.at is not None or self.is_unreadable

    def is_ahead(self, now: datetime) -> bool:
        """Whether it is announced and not yet reached."""
        return self.is_unreadable or (self.at is not None and now < self.at)

    def or_later(self, other: Opening) -> Opening:
        """Both together: what cannot be read goes before all, then the later."""
        if self.is_unreadable or other.at is None:
            return other if other.is_unreadable and not self.is_unreadable else self
        return other if self.at is None or self.at < other.at else self


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """When something ends: never where no date is announced, at the earliest of several, already where one cannot be read."""

    at: datetime | None = None
    says: str = ""
    is_unreadable: bool = False

    def has_passed(self, now: datetime) -> bool:
        """Whether it has come."""
        return self.is_unreadable or (self.at is not None and self.at <= now)


def dates_of(element: str, dates: Iterable[DatedRole], roles: Collection[str]) -> list[NamedDate]:
    """The dates of these roles, named after the element that carries them."""
    return [(f"{element} {dated.role}", dated.date) for dated in dates if dated.role in roles]


def latest(dates: Iterable[NamedDate], zone: ZoneInfo) -> Opening:
    """The opening that the dates announce together; a date of a month or longer opens on its last day (2.9)."""
    found = Opening()
    for name, date in dates:
        at = date.opens_at(zone)
        if at is None:
            return Opening(says=_unreadable(name, date), is_unreadable=True)
        if found.at is None or at > found.at:
            found = Opening(at=at, says=_read(at, name, date))
    return found


def sale_opening(
    product: Product,
    block: ProductSupply,
    detail: SupplyDetail,
    zone: ZoneInfo,
    *,
    publication_counts: bool = False,
) -> Opening:
    """When this supplier's sale may begin in this market: the latest embargo of product, market and supplier.

    None means at once, even before the publication date; `publication_counts` is for senders that put the start of sale there.
    """
    return latest(_embargoes(product, block, detail, publication_counts=publication_counts), zone)


def unknown_opening(product: Product, block: ProductSupply, detail: SupplyDetail, zone: ZoneInfo) -> Opening:
    """When the last date has come whose role nobody knows: what may be an embargo is waited for like one."""
    stated = (
        ("PublishingDate", product.publishing_dates, _PUBLISHING_ROLES),
        ("MarketDate", block.market_dates, _PUBLISHING_ROLES),
        ("SupplyDate", detail.dates, _SUPPLY_ROLES),
    )
    unknown = ((name, {dated.role for dated in dates} - roles, dates) for name, dates, roles in stated)
    return latest((found for name, roles, dates in unknown for found in dates_of(name, dates, roles)), zone)


def expected_opening(
    product: Product,
    block: ProductSupply,
    detail: SupplyDetail,
    zone: ZoneInfo,
    *,
    publication_counts: bool = False,
) -> Opening:
    """When a title that is not out yet is expected: on the supplier's date, else at publication, and not before an embargo."""
    expected = _supplied(detail, _EXPECTED) or _general(product, block, _PUBLICATION)
    return latest((*_embargoes(product, block, detail, publication_counts=publication_counts), *expected), zone)


def return_opening(product: Product, block: ProductSupply, detail: SupplyDetail, zone: ZoneInfo) -> Opening:
    """When a title that is held back is expected again: role 22, else the supplier's date (lists 64-16 and 65-34).

    It opens nothing: what comes back says so in a message of its own.
    """
    return latest(_general(product, block, _EXPECTED_AGAIN) or _supplied(detail, _EXPECTED), zone)


def preorder_opening(product: Product, block: ProductSupply, zone: ZoneInfo) -> Opening:
    """When orders may be taken in advance: from the preorder embargo (27), else the public announcement (09), else at once."""
    return latest(_general(product, block, _PREORDERS) or _general(product, block, _ANNOUNCEMENT), zone)


def announcement_opening(product: Product, block: ProductSupply, zone: ZoneInfo) -> Opening:
    """From when the public may see it: from its announcement (09), else from the trade's (10), before which it is internal."""
    return latest(_general(product, block, _ANNOUNCEMENT) or _general(product, block, _TRADE_ANNOUNCEMENT), zone)


def sale_closing(product: Product, block: ProductSupply, zone: ZoneInfo) -> Closing:
    """When the title goes out of print in this market: on the day that role 13 names, or the first that it may mean."""
    return _earliest((name, date, date.starts_at(zone)) for name, date in _general(product, block, _OUT_OF_PRINT))


def supply_closing(detail: SupplyDetail, zone: ZoneInfo) -> Closing:
    """When this supplier takes no more orders: after the last day that role 51 names.

    Role 50 is the first day of the supplier that follows (list 166, `NewSupplier`); where nothing names this one's last day, it
    is taken to be the day before.
    """
    ends = [(name, date, date.ends_at(zone)) for name, date in _supplied(detail, _SUPPLIER_END)]
    return _earliest(ends or ((name, date, date.starts_at(zone)) for name, date in _supplied(detail, _NEW_SUPPLIER)))


def publication_start(product: Product, block: ProductSupply, zone: ZoneInfo) -> datetime | None:
    """The first instant that may be after publication: the market's own date, else the product's; none where none is known."""
    of_market = dates_of("MarketDate", block.market_dates, _PUBLICATION)
    dates = of_market or dates_of("PublishingDate", product.publishing_dates, _PUBLICATION)
    starts = [start for _, date in dates if (start := date.starts_at(zone)) is not None]
    return min(starts, default=None) if len(starts) == len(dates) else None


def _embargoes(
    product: Product, block: ProductSupply, detail: SupplyDetail, *, publication_counts: bool
) -> list[NamedDate]:
    roles = _EMBARGOES | _PUBLICATION if publication_counts else _EMBARGOES
    return _general(product, block, roles) + _supplied(detail, _SUPPLIERS_EMBARGO)


def _general(product: Product, block: ProductSupply, roles: Collection[str]) -> list[NamedDate]:
    of_product = dates_of("PublishingDate", product.publishing_dates, roles)
    return of_product + dates_of("MarketDate", block.market_dates, roles) if block.market_dates else of_product


def _supplied(detail: SupplyDetail, roles: Collection[str]) -> list[NamedDate]:
    return dates_of("SupplyDate", detail.dates, roles)


def _earliest(dates: Iterable[tuple[str, OnixDate, datetime | None]]) -> Closing:
    found = Closing()
    for name, date, at in dates:
        if at is None:
            return Closing(says=_unreadable(name, date), is_unreadable=True)
        if found.at is None or at < found.at:
            found = Closing(at=at, says=_read(at, name, date))
    return found


def _read(at: datetime, name: str, date: OnixDate) -> str:
    return f"{spell(at)} ({name} {date.text})"


def _unreadable(name: str, date: OnixDate) -> str:
    return f"{name} {date.text!r} cannot be read"
