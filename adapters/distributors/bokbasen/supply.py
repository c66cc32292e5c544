"""What an ONIX record says of the shop's one market: scope, restrictions, colour, date and prices (contract bokbasen 9.2, 10)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from zoneinfo import ZoneInfo

from adapters.distributors.bokbasen.colours import POSTPONED_BY_SUPPLIER, ColourTable, Light, light_of, together
from adapters.distributors.bokbasen.prices import DatedPrice, dated_prices
from syncengine.domain.codes import (
    ProductAvailability,
    ProductForm,
    PublishingStatus,
    SalesRestrictionType,
)
from syncengine.domain.offer import OfferState
from syncengine.domain.openings import NamedDate, Opening, dates_of, latest, sale_opening
from syncengine.domain.product import Product, ProductSupply, SupplyDetail
from syncengine.domain.rights import Access, Rights, access, rights_in
from syncengine.domain.statuses import Standing, of_publisher
from syncengine.domain.territory import Market, covered

DIGITAL_FORMS = frozenset(
    {ProductForm.DIGITAL_DOWNLOAD, ProductForm.DIGITAL_DOWNLOAD_AND_ONLINE, ProductForm.AUDIO_DOWNLOAD}
)
"""Contract 9.2."""

FIRST_PUBLISHED = "11"
"""List 163: the date of first publication."""

_LONGEST_DAY = timedelta(hours=25)
_SHUT_OUT = frozenset({SalesRestrictionType.LIBRARIES_ONLY, SalesRestrictionType.SUBSCRIPTIONS_ONLY})
_STOPPED = frozenset({Standing.STOP, Standing.STOP_NOW})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """By what a record is read: the platform's zone, its supplier's name, and who the shop is among outlets.

    `outlets` are the shop's names and numbers as restrictions write them.
    """

    zone: ZoneInfo
    supplier: str
    outlets: frozenset[str]
    colours: ColourTable


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordView:
    """A record as the table asks it. `outside` says why it is out of scope, `shut` why the shop may not sell it; none where it may.

    `unknown` are codes and words by which nothing is sold.
    """

    outside: str = ""
    shut: tuple[OfferState, str] | None = None
    is_cancelled: bool = False
    is_postponed: bool = False
    light: Light = field(default_factory=Light)
    release: Opening = field(default_factory=Opening)
    prices: tuple[DatedPrice, ...] = ()
    unknown: tuple[str, ...] = ()
    says: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Supply:
    block: ProductSupply
    detail: SupplyDetail


def view(record: Product, market: Market, shop: Shop) -> RecordView:
    """Read the record for the market; what is out of scope or shut is not read any further."""
    supplies = [supply for supply in _supplies(record) if _is_by(supply.detail, shop.supplier)]
    if record.form not in DIGITAL_FORMS:
        return RecordView(outside=f"ProductForm {record.form or 'absent'} is not digital")
    if not supplies:
        return RecordView(outside=f"it is not supplied by {shop.supplier}")
    here = [supply for supply in supplies if not supply.block.markets or covered(supply.block.markets, market.country)]
    rights = rights_in(record, market.country)
    if not here or rights.verdict is Rights.NOT_FOR_SALE:
        says = rights.says if here else f"no market of {shop.supplier} has {market.country}"
        return RecordView(shut=(OfferState.OUT_OF_TERRITORY, says))
    granted = [code for grant in rights.grants for code in grant.restrictions]
    general = _Restrictions.of((*record.sales_restrictions, *granted), (), shop)
    found = [
        (supply, _Restrictions.of(supply.block.market_restrictions, supply.block.market_outlets, shop))
        for supply in here
    ]
    open_ = [supply for supply, restrictions in found if not restrictions.shut]
    shut = general.shut or ("; ".join(dict.fromkeys(r.shut for _, r in found)) if not open_ else "")
    if shut:
        return RecordView(shut=(OfferState.UNAVAILABLE, shut))
    stated = bool(granted or record.sales_restrictions or any(s.block.market_restrictions for s in here))
    unknown = [
        *general.unknown,
        *(word for _, restrictions in found for word in restrictions.unknown),
        *_unknown(record, rights.verdict, is_restriction_stated=stated),
    ]
    return _read(record, open_, market, shop, unknown)


def _read(
    record: Product, supplies: Sequence[_Supply], market: Market, shop: Shop, unknown: Collection[str]
) -> RecordView:
    availabilities = {supply.detail.availability for supply in supplies}
    statuses = {supply.block.market_status for supply in supplies}
    light = together(light_of(s.detail.availability, s.block.market_status, shop.colours) for s in supplies)
    listed = (("ProductAvailability", availabilities), ("MarketPublishingStatus", statuses))
    says = ", ".join(f"{name} {'/'.join(sorted(code or 'absent' for code in codes))}" for name, codes in listed)
    return RecordView(
        is_cancelled=ProductAvailability.CANCELLED in availabilities or PublishingStatus.CANCELLED in statuses,
        is_postponed=POSTPONED_BY_SUPPLIER in availabilities or PublishingStatus.POSTPONED in statuses,
        light=light,
        release=_release(record, supplies, shop.zone),
        prices=dated_prices((price for supply in supplies for price in supply.detail.prices), market, shop.zone),
        unknown=tuple(dict.fromkeys((*unknown, *light.unknown))),
        says=f"{says}: {light.colour.value}",
    )


def _release(record: Product, supplies: Sequence[_Supply], zone: ZoneInfo) -> Opening:
    """Contract 10.3: the market's full date, else that of first publication; and not before any embargo, wherever it stands."""
    of_market = [named for s in supplies for named in dates_of("MarketDate", s.block.market_dates, {"01"})]
    first = dates_of("PublishingDate", record.publishing_dates, {FIRST_PUBLISHED})
    full = _full(of_market, zone) or _full(first, zone)
    release = latest(full, zone)
    for supply in supplies:
        release = release.or_later(sale_opening(record, supply.block, supply.detail, zone))
    return release


def _full(dates: Sequence[NamedDate], zone: ZoneInfo) -> list[NamedDate]:
    """Those that name a day or an instant: a year alone is for display."""

    def is_full(named: NamedDate) -> bool:
        start, end = named[1].starts_at(zone), named[1].ends_at(zone)
        return start is not None and end is not None and end - start <= _LONGEST_DAY

    return [named for named in dates if is_full(named)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Restrictions:
    """What SalesRestrictions mean for the shop: why they shut it out, or nothing; and the codes that nobody knows."""

    shut: str
    unknown: tuple[str, ...]

    @classmethod
    def of(cls, codes: Collection[str], outlets: Collection[str], shop: Shop) -> _Restrictions:
        """Row 6: only for libraries or subscriptions, or only for outlets of which the shop is none; and what list 71 shuts."""
        shut, unknown = [], []
        for code in codes:
            if code == SalesRestrictionType.RETAILER_EXCLUSIVE:
                if not shop.outlets.intersection(outlet.casefold() for outlet in outlets):
                    shut.append(f"SalesRestriction {code} is for {', '.join(outlets) or 'outlets that are not named'}")
            elif code in _SHUT_OUT:
                shut.append(f"SalesRestriction {code}")
            elif code != SalesRestrictionType.UNSPECIFIED:
                left, says = access([code])
                if left is Access.UNKNOWN:
                    unknown.append(f"SalesRestriction {code}")
                elif left is not Access.OPEN:
                    shut.append(says)
        return cls(shut="; ".join(shut), unknown=tuple(unknown))


def _unknown(record: Product, rights: Rights, *, is_restriction_stated: bool) -> Iterator[str]:
    """What the contract's inputs leave out and what yet speaks against a sale."""
    if rights is Rights.UNKNOWN and record.sales_rights:
        yield "SalesRights in words nobody knows"
    if rights is Rights.RESTRICTED and not is_restriction_stated:
        yield "SalesRights under restrictions that are not stated"
    if of_publisher(record.publishing_status) in _STOPPED:
        yield f"PublishingStatus {record.publishing_status}"


def _supplies(record: Product) -> Iterator[_Supply]:
    for block in record.supplies:
        for detail in block.details:
            yield _Supply(block=block, detail=detail)


def _is_by(detail: SupplyDetail, supplier: str) -> bool:
    return (detail.supplier_name or "").strip().casefold() == supplier.casefold()
