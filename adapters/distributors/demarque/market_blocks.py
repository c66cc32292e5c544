"""Steps 0 to 2 of contract demarque 9: is a record retail, which blocks speak for a market, when may its sale start."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from zoneinfo import ZoneInfo

from adapters.distributors.demarque.prices import is_retail
from syncengine.domain.codes import (
    NotificationType,
    ProductAvailability,
    ProductForm,
    PublishingDateRole,
    PublishingStatus,
    SalesRestrictionType,
    SupplyDateRole,
)
from syncengine.domain.offer import OfferState, RuleApplied
from syncengine.domain.openings import NamedDate, Opening, dates_of, latest
from syncengine.domain.product import Price, Product, ProductSupply, SupplyDetail
from syncengine.domain.rights import Rights, rights_in
from syncengine.domain.territory import ISO_COUNTRIES, Market, Territory, covered

_LIBRARY_FORMS = frozenset(
    {ProductForm.DIGITAL_DOWNLOAD_AND_ONLINE, ProductForm.DIGITAL_ONLINE, ProductForm.DIGITAL_DOWNLOAD}
)
_OPEN_STATUSES = frozenset({None, "", PublishingStatus.UNSPECIFIED.value, PublishingStatus.ACTIVE.value})
_SALE_START_ROLES = frozenset({PublishingDateRole.PUBLICATION, PublishingDateRole.SALES_EMBARGO})
_SUPPLY_START_ROLES = frozenset({SupplyDateRole.SALES_EMBARGO, SupplyDateRole.EXPECTED_AVAILABILITY})


class Coverage(Enum):
    """Whether a record's market blocks speak for a country and currency."""

    LIVE = "live"
    WITHDRAWN = "withdrawn"
    """Only blocks with MarketPublishingStatus 11 do."""
    NONE = "none"
    """Blocks there are, but none is for the country."""
    SILENT = "silent"
    """The record has no blocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketView:
    """What a record's blocks say of one country and currency.

    `prices` are its retail prices of any period. `names_country` tells that one of them is tied to the country by its own
    territory or its block's Market; `has_other_currency` that the country has retail prices, and all are in other currencies.
    """

    coverage: Coverage
    market_status: str | None = None
    is_open: bool = False
    availability: str | None = None
    start: Opening = field(default_factory=Opening)
    prices: tuple[Price, ...] = ()
    names_country: bool = False
    has_other_currency: bool = False
    unpriced: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Supply:
    """One supplier's terms inside one market block, with its retail prices for the market."""

    block: ProductSupply
    detail: SupplyDetail
    prices: tuple[Price, ...]

    @property
    def is_withdrawn(self) -> bool:
        return _is_withdrawn(self.block)

    @property
    def is_open(self) -> bool:
        return self.block.market_status in _OPEN_STATUSES

    @property
    def rank(self) -> int:
        """The smaller, the more it allows."""
        if not self.is_open:
            return 2
        return 0 if self.detail.availability == ProductAvailability.AVAILABLE else 1


def retail_gate(product: Product) -> tuple[OfferState, RuleApplied] | None:
    """Step 0: why the record cannot be sold at retail at all, or none."""
    if product.notification_type == NotificationType.DELETE:
        return OfferState.REMOVED, _step(0, 1, f"NotificationType 05: {product.reference} was deleted")
    if product.form in _LIBRARY_FORMS:
        return OfferState.UNAVAILABLE, _step(
            0, 2, f"ProductForm {product.form}: {product.reference} is a library offer"
        )
    if SalesRestrictionType.LIBRARIES_ONLY in product.sales_restrictions:
        return OfferState.UNAVAILABLE, _step(0, 3, f"SalesRestriction 06: {product.reference} is for libraries only")
    return None


def has_sales_rights(product: Product, country: str) -> bool:
    """Whether SalesRights allow retail sale in the country.

    The standard's meaning, but for restrictions inside: the contract knows only "libraries only" (06), and sells retail and
    library rights of one country side by side, so that a library's right takes nothing from the shop's.
    """
    rights = rights_in(product, country)
    if rights.verdict is not Rights.FOR_SALE:
        return False
    retail = [grant for grant in rights.grants if SalesRestrictionType.LIBRARIES_ONLY not in grant.restrictions]
    return not rights.grants or covered((grant.territory for grant in retail), country)


def view(product: Product, market: Market, zone: ZoneInfo) -> MarketView:
    """Steps 1 and 2: what the blocks that speak for the market say of it.

    Of several live supplies those with a price in the currency count, and of them those that allow most; the latest start
    among these holds.
    """
    candidates = list(_candidates(product, market))
    live = [supply for supply in candidates if not supply.is_withdrawn]
    withdrawn = [supply for supply in candidates if supply.is_withdrawn]
    priced = [supply for supply in live if supply.prices]
    if withdrawn and not priced and (not live or any(supply.prices for supply in withdrawn)):
        return MarketView(coverage=Coverage.WITHDRAWN, start=_start(product, withdrawn, zone))
    if not live:
        coverage = Coverage.NONE if product.supplies else Coverage.SILENT
        return MarketView(coverage=coverage, start=_start(product, (), zone))
    best = min(supply.rank for supply in priced or live)
    chosen = [supply for supply in priced or live if supply.rank == best]
    return MarketView(
        coverage=Coverage.LIVE,
        market_status=chosen[0].block.market_status,
        is_open=chosen[0].is_open,
        availability=chosen[0].detail.availability,
        start=_start(product, chosen, zone),
        prices=tuple(price for supply in chosen for price in supply.prices),
        names_country=any(_is_tied(price, supply.block) for supply in chosen for price in supply.prices),
        has_other_currency=not priced and any(_has_prices(supply, market.country) for supply in live),
        unpriced=tuple(_unpriced(chosen)),
    )


def preorder_start(product: Product, zone: ZoneInfo) -> Opening:
    """PublishingDate 09: when the preorder period begins."""
    return latest(dates_of("PublishingDate", product.publishing_dates, {PublishingDateRole.ANNOUNCEMENT}), zone)


def announces_sale_starts(product: Product) -> str | None:
    """What marks a record of the new convention, or none: PublishingDate 02, or any MarketDate."""
    if any(dated.role == PublishingDateRole.SALES_EMBARGO for dated in product.publishing_dates):
        return "PublishingDate 02 is present"
    if any(block.market_dates for block in product.supplies):
        return "a MarketDate is present"
    return None


def live_markets(product: Product) -> Mapping[str, frozenset[str]]:
    """Per currency, the countries with a retail price of any period in a block that is not withdrawn (contract 9.3)."""
    found: dict[str, set[str]] = {}
    if retail_gate(product) is not None:
        return {}
    for block in product.supplies:
        if _is_withdrawn(block) or not _is_for_retail(block):
            continue
        for detail in block.details:
            for price in filter(is_retail, detail.prices):
                if price.currency:
                    found.setdefault(price.currency.upper(), set()).update(_countries(price, block, product))
    return {currency: frozenset(countries) for currency, countries in found.items() if countries}


def _step(step: int, row: int, says: str) -> RuleApplied:
    return RuleApplied(id=f"demarque.9.step{step}.{row}", says=says)


def _is_withdrawn(block: ProductSupply) -> bool:
    return block.market_status == PublishingStatus.WITHDRAWN


def _is_for_retail(block: ProductSupply) -> bool:
    return SalesRestrictionType.LIBRARIES_ONLY not in block.market_restrictions


def _named(block: ProductSupply) -> tuple[Territory, ...]:
    """The territories of its Market; nothing where the block names none and so speaks for every country."""
    return tuple(territory for territory in block.markets if not territory.is_empty)


def _candidates(product: Product, market: Market) -> Iterator[_Supply]:
    for block in filter(_is_for_retail, product.supplies):
        named = _named(block)
        if not named or any(territory.covers(market.country) for territory in named):
            for detail in block.details or (SupplyDetail(),):
                yield _Supply(block=block, detail=detail, prices=_prices(detail, market))


def _prices(detail: SupplyDetail, market: Market) -> tuple[Price, ...]:
    return tuple(
        price
        for price in detail.prices
        if price.currency and price.currency.upper() == market.currency
        if is_retail(price) and _applies(price, market.country)
    )


def _has_prices(supply: _Supply, country: str) -> bool:
    return any(price.currency and is_retail(price) and _applies(price, country) for price in supply.detail.prices)


def _unpriced(supplies: Iterable[_Supply]) -> Iterator[str]:
    for supply in supplies:
        reasons = (supply.detail.unpriced, *(price.unpriced for price in supply.detail.prices))
        yield from (reason for reason in reasons if reason)


def _applies(price: Price, country: str) -> bool:
    """Whether a price of a block that speaks for the country holds in it."""
    return price.territory is None or price.territory.is_empty or price.territory.covers(country)


def _is_tied(price: Price, block: ProductSupply) -> bool:
    return bool(_named(block)) or (price.territory is not None and not price.territory.is_empty)


def _start(product: Product, supplies: Iterable[_Supply], zone: ZoneInfo) -> Opening:
    """The latest of MarketDate, SupplyDate 02 or 08 and PublishingDate 02."""

    def dates() -> Iterator[NamedDate]:
        for supply in supplies:
            yield from dates_of("MarketDate", supply.block.market_dates, _SALE_START_ROLES)
            yield from dates_of("SupplyDate", supply.detail.dates, _SUPPLY_START_ROLES)
        yield from dates_of("PublishingDate", product.publishing_dates, {PublishingDateRole.SALES_EMBARGO})

    return latest(dates(), zone)


def _countries(price: Price, block: ProductSupply, product: Product) -> frozenset[str]:
    named = _named(block)
    in_market = frozenset[str]().union(*(_covered(territory) for territory in named))
    if price.territory is not None and not price.territory.is_empty:
        own = _covered(price.territory)
        return own & in_market if named else own
    if named:
        return in_market
    return frozenset(country for country in ISO_COUNTRIES if has_sales_rights(product, country))


def _covered(territory: Territory) -> frozenset[str]:
    countries = territory.countries()
    if not territory.regions_excluded:
        return countries
    return frozenset(country for country in countries if territory.covers(country))
