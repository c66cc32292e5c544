"""The price that a reader pays for one copy in a market, at every instant of time (reference/onix.md 2.13)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from heapq import heappop, heappush
from itertools import groupby
from zoneinfo import ZoneInfo

from syncengine.domain.codes import (
    PriceDateRole,
    PriceQualifier,
    PriceStatus,
    PriceType,
    TaxRateCode,
    UnpricedItemType,
)
from syncengine.domain.offer import OfferPrice, TaxBasis
from syncengine.domain.product import Price, Tax
from syncengine.domain.territory import Market
from syncengine.domain.timeline import Period, split

RETAIL_TYPES: Sequence[Sequence[PriceType]] = (
    (
        PriceType.FIXED_INCLUDING_TAX,
        PriceType.FIXED_EXCLUDING_TAX,
        PriceType.PRE_PUBLICATION_FIXED_INCLUDING_TAX,
        PriceType.PRE_PUBLICATION_FIXED_EXCLUDING_TAX,
        PriceType.IMPORTERS_FIXED_INCLUDING_TAX,
        PriceType.IMPORTERS_FIXED_EXCLUDING_TAX,
    ),
    (PriceType.AGENCY_INCLUDING_TAX, PriceType.AGENCY_EXCLUDING_TAX),
    (
        PriceType.RRP_INCLUDING_TAX,
        PriceType.RRP_EXCLUDING_TAX,
        PriceType.PRE_PUBLICATION_RRP_INCLUDING_TAX,
        PriceType.PRE_PUBLICATION_RRP_EXCLUDING_TAX,
    ),
)
"""The retail prices (list 58) by what binds: fixed by law, set by the publisher, recommended; of a pair the one that the
customer sees goes first. What suppliers charge (05 to 09, 15, 17, 25, 27), special sales (11 to 14), freight (31, 32) and
nominal values (35 to 37) are no reader's price.
"""


def _places(types: Sequence[Sequence[PriceType]]) -> Mapping[str, tuple[int, int]]:
    """Of each type: how it binds, and its place among those that bind alike."""
    return {kind: (regime, place) for regime, kinds in enumerate(types) for place, kind in enumerate(kinds)}


_RETAIL_PLACES = _places(RETAIL_TYPES)
_PRE_PUBLICATION = frozenset(
    {
        PriceType.PRE_PUBLICATION_FIXED_INCLUDING_TAX,
        PriceType.PRE_PUBLICATION_FIXED_EXCLUDING_TAX,
        PriceType.PRE_PUBLICATION_RRP_INCLUDING_TAX,
        PriceType.PRE_PUBLICATION_RRP_EXCLUDING_TAX,
    }
)
_INCLUDING_TAX = frozenset(kind for kind in PriceType if int(kind) % 2 == 0)

_FOR_ANYONE = frozenset({"", PriceQualifier.UNQUALIFIED.value})
"""List 59: for whoever is in no group that another price names, so a price that names the reader goes before it."""
_FOR_A_TIME = frozenset({PriceQualifier.RESERVATION, PriceQualifier.PROMOTION, PriceQualifier.INTRODUCTORY})
_CHARGED = frozenset({"", PriceStatus.UNSPECIFIED.value, PriceStatus.CONFIRMED.value})
_UNTAXED: frozenset[str] = frozenset(TaxRateCode)
_PERIOD_ROLES: frozenset[str] = frozenset(PriceDateRole)

_BEGINNING = datetime.min.replace(tzinfo=UTC)
_END = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerPrice:
    """A retail price as a customer may be charged it; `tax_percent` is the rate it states, where it states exactly one.

    Where `has_several_rates`, parts of it are taxed differently, and no rate is that of the whole.
    """

    amount: Decimal
    currency: str
    type: PriceType
    tax_percent: Decimal | None = None
    has_several_rates: bool = False

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} (type {self.type.value})"

    def to_offer_price(self, tax_rate: Decimal | None) -> OfferPrice:
        """As an offer shows it; `tax_rate` is the country's, for a price that states none of its own."""
        of_country = None if self.has_several_rates else tax_rate
        return OfferPrice(
            amount=self.amount,
            currency=self.currency,
            type=self.type.value,
            tax=TaxBasis.INCLUDED if self.type in _INCLUDING_TAX else TaxBasis.EXCLUDED,
            tax_percent=of_country if self.tax_percent is None else self.tax_percent,
        )


class NoPrice(Enum):
    """Why nothing can be charged at a time. Nothing is ever sold at a price of zero by accident (reference/onix.md 1.2)."""

    GAP = "no price is in force"
    AMBIGUOUS = "several prices of one rank differ, and nothing tells them apart"
    FREE = "free of charge, and nothing is sold at a price of zero by accident"
    FREE_OR_UNPRICED = "an amount of zero, which means free as often as not priced yet"
    UNPRICED = "no price is given, for a reason"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """What holds at a time: a price, or why there is none, with the amounts or the code (list 57) that tell it."""

    price: ConsumerPrice | None = None
    none: NoPrice | None = None
    detail: str = ""

    def __str__(self) -> str:
        if self.none is None:
            return f"{self.price} is in force"
        return f"{self.none.value}: {self.detail}" if self.detail else self.none.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A period in which one tariff holds."""

    period: Period
    tariff: Tariff


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTimeline:
    """The tariffs of all time: stretches in order, without gap or overlap, of which no two neighbours are alike.

    `left_out` tells why other prices are no reader's in this market, each reason once.
    """

    stretches: tuple[Stretch, ...]
    left_out: tuple[str, ...] = ()

    def in_force(self, at: datetime) -> Tariff:
        """The tariff of an instant."""
        return self.stretches[bisect_right(self.stretches, at, key=_start) - 1].tariff

    def turns(self) -> Iterator[datetime]:
        """The instants at which one tariff gives way to the next."""
        return (stretch.period.since for stretch in self.stretches if stretch.period.since is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Terms:
    """What prices are read for."""

    market: Market
    zone: ZoneInfo
    protections: Collection[str]
    published_at: datetime | None
    places: Mapping[str, tuple[int, int]]
    """Of each type: how it binds, and its place among those that bind alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Statement:
    """A statement about a period: its price with its rank, or why it has none."""

    period: Period
    tariff: Tariff
    narrowness: tuple[timedelta, timedelta, datetime]
    rank: tuple[object, ...]
    """Least first: what binds, then the narrower period, then the reader's own price, then the one that he sees."""


def price_timeline(
    prices: Iterable[Price],
    market: Market,
    zone: ZoneInfo,
    *,
    protections: Collection[str] = (),
    published_at: datetime | None = None,
    unpriced: str | None = None,
    types: Sequence[Sequence[PriceType]] = RETAIL_TYPES,
) -> PriceTimeline:
    """The timeline of one supplier's prices in a market that it supplies, for a reader who buys one copy.

    `protections` are the product's own; `published_at` is where pre-publication prices end, which without it never hold;
    `unpriced` is the supplier's UnpricedItemType, for times at which no price is in force; `types` are the types that count,
    those that bind first, for a distributor whose contract names others than the standard's. Dates without zone are those of
    `zone`, and both ends of a period belong to it.

    A dated price beats an undated one and a narrower period a wider, so that a promotion cuts a hole into the normal price. A
    statement that there is no price cuts the same hole, but yields to a price of the same period.
    """
    terms = _Terms(
        market=market,
        zone=zone,
        protections=protections,
        published_at=published_at,
        places=_RETAIL_PLACES if types is RETAIL_TYPES else _places(types),
    )
    read = [_read(price, terms) for price in _by_country(prices, market.country)]
    statements = [found for found in read if isinstance(found, _Statement)]
    tariffs = _tariffs(statements, unpriced)
    return PriceTimeline(
        stretches=tuple(
            Stretch(period=_joined([period for _, period in alike]), tariff=tariff)
            for tariff, alike in groupby(tariffs, key=lambda pair: pair[0])
        ),
        left_out=tuple(sorted({found for found in read if isinstance(found, str)})),
    )


def stated_tax_rate(price: Price) -> Decimal | None:
    """The tax rate in percent, where the price states exactly one that makes sense."""
    return _only(_rates(price))


def _only(rates: Collection[Decimal]) -> Decimal | None:
    return next(iter(rates)) if len(rates) == 1 else None


def _rates(price: Price) -> set[Decimal]:
    """The rates that a price states for its parts; none of them where one makes no sense."""
    if not price.taxes:
        return set()
    stated = [rate for rate in map(_rate, price.taxes) if rate is not None]
    return set(stated) if all(rate.is_finite() and 0 <= rate <= 100 for rate in stated) else set()


def _rate(tax: Tax) -> Decimal | None:
    """The percentage, or none at all where the code says so."""
    if tax.rate_percent is None and tax.rate_code in _UNTAXED:
        return Decimal(0)
    return tax.rate_percent


# --- from prices to statements --------------------------------------------------------------------------------------------


def _by_country(prices: Iterable[Price], country: str) -> list[Price]:
    """Without those for 2.1's rest of the world, where another names the country."""
    stated = list(prices)
    named = [price for price in stated if price.territory is None or price.territory.named.touches(country)]
    return named if any(price.territory is not None for price in named) else stated


def _read(price: Price, terms: _Terms) -> _Statement | str:
    """What the price states, or why it is no reader's plain price for one copy in the market."""
    if why := _why_left_out(price, terms):
        return why
    period = _period(price, terms.zone)
    if period is None:
        return "with a PriceDate that cannot be read"
    if price.type in _PRE_PUBLICATION:
        if terms.published_at is None:
            return "for orders before a publication that nobody dates"
        period = replace(period, until=min(period.until or _END, terms.published_at))
    names_reader = (price.qualifier or "") not in _FOR_ANYONE
    regime, place = terms.places.get(price.type or "", (0, 0))
    narrowness = _narrowness(period)
    rank = (regime, narrowness, not names_reader, place)
    return _Statement(period=period, tariff=_stated(price), narrowness=narrowness, rank=rank)


def _narrowness(period: Period) -> tuple[timedelta, timedelta, datetime]:
    """Least first: narrow before wide, then the later start, then the earlier end; what is undated comes last."""
    since, until = period.since, period.until
    span = until - since if since and until else timedelta.max
    return span, _END - (since or _BEGINNING), until or _END


def _why_left_out(price: Price, terms: _Terms) -> str:
    """Empty where it is a reader's plain price, whatever the time; the steps of reference/onix.md 2.13 in their order.

    A currency is never assumed, and what is in codes that nobody knows is never charged. What has no amount need not say in
    which currency and of which type.
    """
    is_priced = price.amount is not None
    if price.territory is not None and not price.territory.covers(terms.market.country):
        return f"not for the whole of {terms.market.country}"
    if is_priced and not price.currency:
        return "without currency"
    if price.currency and price.currency.upper() != terms.market.currency:
        return f"in {price.currency}"
    if not _is_for_reader(price):
        return f"of PriceQualifier {price.qualifier}"
    if price.conditions:
        return "on terms"
    if (is_priced or price.type) and price.type not in terms.places:
        return f"of PriceType {price.type or 'unknown'}"
    if not set(price.protections) <= set(terms.protections):
        return f"for EpubTechnicalProtection {', '.join(sorted(price.protections))}"
    if (price.status or "") not in _CHARGED:
        return f"of PriceStatus {price.status}"
    return "" if price.unpriced or _is_amount(price.amount) else "without an amount that can be charged"


def _is_for_reader(price: Price) -> bool:
    """Whether a reader may buy at it: anyone's price and the consumer's own, and special offers that are dated."""
    if price.qualifier in _FOR_A_TIME:
        return any(dated.role in _PERIOD_ROLES for dated in price.dates)
    return (price.qualifier or "") in _FOR_ANYONE or price.qualifier == PriceQualifier.CONSUMER


def _is_amount(amount: Decimal | None) -> bool:
    return amount is not None and amount.is_finite() and amount >= 0


def _period(price: Price, zone: ZoneInfo) -> Period | None:
    """When it is in force; none where a date cannot be read, or is in a role that nobody knows.

    `99991231` and its like are no end.
    """
    since: list[datetime] = []
    until: list[datetime] = []
    for dated in price.dates:
        start, end = dated.date.starts_at(zone), dated.date.ends_at(zone)
        if start is None or end is None or dated.role not in _PERIOD_ROLES:
            return None
        if dated.role != PriceDateRole.UNTIL:
            since.append(start)
        if dated.role != PriceDateRole.FROM and end < _END:
            until.append(end)
    return Period(since=max(since, default=None), until=min(until, default=None))


def _stated(price: Price) -> Tariff:
    """Its own tariff: a price without amount is free or unpriced as it says, and an amount of zero is not believed."""
    if price.unpriced:
        return _unpriced(price.unpriced)
    if not price.amount:
        return Tariff(none=NoPrice.FREE_OR_UNPRICED)
    rates = _rates(price)
    return Tariff(
        price=ConsumerPrice(
            amount=price.amount,
            currency=(price.currency or "").upper(),
            type=PriceType(price.type or ""),
            tax_percent=_only(rates),
            has_several_rates=len(rates) > 1,
        )
    )


def _unpriced(code: str) -> Tariff:
    none = NoPrice.FREE if code == UnpricedItemType.FREE_OF_CHARGE else NoPrice.UNPRICED
    return Tariff(none=none, detail=f"UnpricedItemType {code}")


# --- from statements to tariffs -------------------------------------------------------------------------------------------


def _tariffs(statements: Sequence[_Statement], unpriced: str | None) -> Iterator[tuple[Tariff, Period]]:
    """What holds in each period that no statement begins or ends in, from the beginning of time to its end."""
    priced = _Ranking((statement.rank, statement) for statement in _by_rank(statements))
    silent = _Ranking(
        ((statement.narrowness, statement.tariff.detail), statement)
        for statement in statements
        if statement.tariff.none
    )
    for period in split(cut for statement in statements for cut in (statement.period.since, statement.period.until)):
        at = period.since or _BEGINNING
        yield _tariff(priced.first(at), silent.first(at), unpriced), period


def _by_rank(statements: Iterable[_Statement]) -> Iterator[_Statement]:
    """One statement for all prices of one rank, which are of one period."""
    alike: dict[tuple[object, ...], list[_Statement]] = {}
    for statement in statements:
        if statement.tariff.price:
            alike.setdefault(statement.rank, []).append(statement)
    for first, *others in alike.values():
        prices = [each.tariff.price for each in (first, *others) if each.tariff.price]
        yield replace(first, tariff=_of_one_rank(prices)) if others else first


class _Ranking:
    """Statements as time goes by: which of those that hold at an instant comes first. Instants must be asked for in order."""

    def __init__(self, ranked: Iterable[tuple[tuple[object, ...], _Statement]]) -> None:
        numbered = ((rank, number, statement) for number, (rank, statement) in enumerate(ranked))
        self._coming = sorted(numbered, key=lambda entry: entry[2].period.since or _BEGINNING, reverse=True)
        self._begun: list[tuple[tuple[object, ...], int, _Statement]] = []

    def first(self, at: datetime) -> _Statement | None:
        """The first by rank; none where nothing holds."""
        while self._coming and (self._coming[-1][2].period.since or _BEGINNING) <= at:
            heappush(self._begun, self._coming.pop())
        while self._begun and (self._begun[0][2].period.until or _END) <= at:
            heappop(self._begun)
        return self._begun[0][2] if self._begun else None


def _tariff(best: _Statement | None, silent: _Statement | None, unpriced: str | None) -> Tariff:
    """What holds where these are the first of the prices and of the statements that there is none."""
    if silent and (best is None or silent.narrowness < best.narrowness):
        return silent.tariff
    if best:
        return best.tariff
    return _unpriced(unpriced) if unpriced else Tariff(none=NoPrice.GAP)


def _of_one_rank(prices: Sequence[ConsumerPrice]) -> Tariff:
    amounts = sorted({price.amount for price in prices})
    if len(amounts) > 1:
        return Tariff(none=NoPrice.AMBIGUOUS, detail=", ".join(f"{amount.normalize():f}" for amount in amounts))
    rates = {price.tax_percent for price in prices}
    alike = len(rates) == 1
    return Tariff(price=prices[0] if alike else replace(prices[0], tax_percent=None, has_several_rates=True))


def _start(stretch: Stretch) -> datetime:
    return stretch.period.since or _BEGINNING


def _joined(periods: Sequence[Period]) -> Period:
    """One period for several that follow each other."""
    return Period(since=periods[0].since, until=periods[-1].until)
