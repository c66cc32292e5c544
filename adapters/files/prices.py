"""The retail price of one supply in a market at an instant, by the order of reference/onix.md 2.13."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from syncengine.domain.codes import PriceDateRole, PriceQualifier, PriceType
from syncengine.domain.offer import OfferPrice, TaxBasis
from syncengine.domain.product import Price, Product, SupplyDetail
from syncengine.domain.territory import Market
from syncengine.domain.timeline import Period

_BINDING_FIRST = (
    PriceType.FIXED_INCLUDING_TAX,
    PriceType.FIXED_EXCLUDING_TAX,
    PriceType.AGENCY_INCLUDING_TAX,
    PriceType.AGENCY_EXCLUDING_TAX,
    PriceType.RRP_INCLUDING_TAX,
    PriceType.RRP_EXCLUDING_TAX,
)
"""Fixed prices bind, so they go before agency and recommended ones; of a pair the one that the customer sees."""

_INCLUDING_TAX = frozenset({PriceType.FIXED_INCLUDING_TAX, PriceType.AGENCY_INCLUDING_TAX, PriceType.RRP_INCLUDING_TAX})
_FOR_ANYONE = frozenset({PriceQualifier.UNQUALIFIED, PriceQualifier.CONSUMER})
_PROVISIONAL = "01"
"""List 61."""
_FOR_EVER = timedelta.max
_ROLES: frozenset[str] = frozenset(PriceDateRole)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """A price that a consumer in the market may be charged, with its period."""

    amount: Decimal
    type: PriceType
    tax_percent: Decimal | None
    period: Period

    @property
    def precedence(self) -> tuple[bool, timedelta, float]:
        """Least first: dated before undated, narrow before wide, then the later start."""
        since, until = self.period.since, self.period.until
        span = until - since if since and until else _FOR_EVER
        return not (since or until), span, -since.timestamp() if since else 0.0

    def shown(self, market: Market, rates: Mapping[str, Decimal]) -> OfferPrice:
        """As an offer carries it."""
        return OfferPrice(
            amount=self.amount,
            currency=market.currency,
            type=self.type,
            tax=TaxBasis.INCLUDED if self.type in _INCLUDING_TAX else TaxBasis.EXCLUDED,
            tax_percent=rates.get(market.country) if self.tax_percent is None else self.tax_percent,
        )


def tariffs(product: Product, detail: SupplyDetail, market: Market, zone: ZoneInfo) -> tuple[Tariff, ...]:
    """The prices of a supply that a consumer in the market may be charged at some time.

    Left out is whatever is for others, on terms, provisional, for another lock, undated where it cannot be read, and zero: a
    zero means "free" as often as "not priced yet" (reference/onix.md 1.2).
    """
    return tuple(_tariffs(product, detail.prices, market, zone))


def in_force(all_tariffs: Iterable[Tariff], at: datetime) -> Tariff | None:
    """The tariff at an instant; none where there is none, or where two of one rank differ."""
    active = [tariff for tariff in all_tariffs if tariff.period.contains(at)]
    for kind in _BINDING_FIRST:
        of_kind = sorted((tariff for tariff in active if tariff.type is kind), key=lambda tariff: tariff.precedence)
        if of_kind:
            rivals = {tariff.amount for tariff in of_kind if tariff.precedence == of_kind[0].precedence}
            return of_kind[0] if len(rivals) == 1 else None
    return None


def _tariffs(product: Product, prices: Iterable[Price], market: Market, zone: ZoneInfo) -> Iterator[Tariff]:
    for price in prices:
        if price.type not in _BINDING_FIRST or price.amount is None or not _is_for(price, product, market):
            continue
        period = _period(price, zone)
        if period is not None and price.amount.is_finite() and price.amount > 0:
            yield Tariff(amount=price.amount, type=PriceType(price.type), tax_percent=_rate(price), period=period)


def _is_for(price: Price, product: Product, market: Market) -> bool:
    return (
        price.currency == market.currency
        and (price.qualifier or PriceQualifier.UNQUALIFIED) in _FOR_ANYONE
        and (price.territory is None or price.territory.covers(market.country))
        and price.status != _PROVISIONAL
        and not price.conditions
        and set(price.protections) <= set(product.protections)
    )


def _period(price: Price, zone: ZoneInfo) -> Period | None:
    """When it is in force, both ends of a date included; none where a date cannot be read."""
    since: list[datetime] = []
    until: list[datetime] = []
    for dated in price.dates:
        start, end = dated.date.starts_at(zone), dated.date.ends_at(zone)
        if dated.role not in _ROLES:
            continue
        if start is None or end is None:
            return None
        if dated.role != PriceDateRole.UNTIL:
            since.append(start)
        if dated.role != PriceDateRole.FROM:
            until.append(end)
    return Period(since=max(since, default=None), until=min(until, default=None))


def _rate(price: Price) -> Decimal | None:
    """The tax rate, where exactly one is stated."""
    rates = {tax.rate_percent for tax in price.taxes if tax.rate_percent is not None}
    return rates.pop() if len(rates) == 1 else None
