"""Which consumer price is in force on a Dutch day (contract cb 5.1).

The contract goes its own way, so this is not the standard's timeline: a price with a start and an end beats one that lacks either,
and then the later start decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from syncengine.domain.codes import DateFormat, PriceDateRole, PriceType
from syncengine.domain.dates import spell
from syncengine.domain.money import with_tax
from syncengine.domain.offer import OfferPrice, RuleApplied, TaxBasis
from syncengine.domain.prices import stated_tax_rate
from syncengine.domain.product import DatedRole, Price
from syncengine.domain.territory import Market
from syncengine.domain.timeline import Period

CONSUMER_TYPES = frozenset(
    {
        PriceType.RRP_INCLUDING_TAX,
        PriceType.FIXED_INCLUDING_TAX,
        PriceType.SPECIAL_SALE_RRP_INCLUDING_TAX,
        PriceType.SPECIAL_SALE_FIXED_INCLUDING_TAX,
    }
)
"""Step 2: 02, 04, 12 and 14. Of the others 01 stands in where there is none of these, 05 to 09 are the shop's own cost."""

_DATED: frozenset[str] = frozenset(PriceDateRole)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedPrice:
    """A consumer price, tax included, and the period in which it is active."""

    amount: Decimal
    type: str
    tax_percent: Decimal | None
    period: Period

    @property
    def rank(self) -> tuple[bool, float]:
        """Step 4, the best last: bounded before open, then the latest start."""
        period = self.period
        is_bounded = period.since is not None and period.until is not None
        return is_bounded, period.since.timestamp() if period.since else float("-inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The price of an instant or none, and the rule that decided."""

    price: DatedPrice | None
    rule: RuleApplied

    def to_offer_price(self, market: Market, tax_rate: Decimal | None) -> OfferPrice | None:
        """As an offer shows it; `tax_rate` is the country's, for a price that states none."""
        if self.price is None:
            return None
        stated = self.price.tax_percent
        return OfferPrice(
            amount=self.price.amount,
            currency=market.currency,
            type=self.price.type,
            tax=TaxBasis.INCLUDED,
            tax_percent=tax_rate if stated is None else stated,
        )


def consumer_prices(prices: Iterable[Price], market: Market, zone: ZoneInfo) -> tuple[DatedPrice, ...]:
    """Steps 1 and 2, with the days that step 3 asks about; dates are days of `zone`.

    An amount of zero is left out: nothing is sold at zero by accident. So is a price with a date that cannot be read.
    """
    kept = [price for price in prices if _is_kept(price, market)]
    including = [price for price in kept if price.type in CONSUMER_TYPES]
    if including:
        read = (_including(price, zone) for price in including)
    else:
        read = (_excluding(price, zone) for price in kept if price.type == PriceType.RRP_EXCLUDING_TAX)
    return tuple(price for price in read if price is not None)


def choose(prices: Sequence[DatedPrice], at: datetime) -> Choice:
    """Steps 3 and 4: the one price in force; none where several amounts are, since nothing tells them apart."""
    active = [price for price in prices if price.period.contains(at)]
    if not active:
        says = f"no price is active at {spell(at)}" if prices else "no consumer price can be charged here"
        return Choice(price=None, rule=_rule("step3", says))
    best = max(price.rank for price in active)
    first = [price for price in active if price.rank == best]
    amounts = sorted({price.amount for price in first})
    if len(amounts) > 1:
        listed = ", ".join(map(str, amounts))
        return Choice(price=None, rule=_rule("step4", f"alert: several amounts are in force together: {listed}"))
    says = f"{first[0].amount} {'until its end' if best[0] else 'without a closed period'} (type {first[0].type})"
    return Choice(price=first[0], rule=_rule("step4", says))


def turns(prices: Iterable[DatedPrice]) -> Iterator[datetime]:
    """Step 5: the instants at which the answer may change."""
    for price in prices:
        yield from (at for at in (price.period.since, price.period.until) if at is not None)


def _is_kept(price: Price, market: Market) -> bool:
    """Step 1; terms that a plain sale does not meet (rental and its like) are no shelf price either."""
    if price.amount is None or not price.amount.is_finite() or price.amount <= 0 or price.conditions:
        return False
    if (price.currency or "").upper() != market.currency:
        return False
    return price.territory is None or price.territory.covers(market.country)


def _including(price: Price, zone: ZoneInfo) -> DatedPrice | None:
    return _dated(price, price.amount, stated_tax_rate(price), zone)


def _excluding(price: Price, zone: ZoneInfo) -> DatedPrice | None:
    """Type 01 with the tax that it states itself; without one it is no shelf price, for no rate is assumed."""
    percent = stated_tax_rate(price)
    if percent is None or price.amount is None:
        return None
    taxed = _dated(price, with_tax(price.amount, percent), percent, zone)
    return replace(taxed, type=PriceType.RRP_INCLUDING_TAX.value) if taxed else None


def _dated(price: Price, amount: Decimal | None, percent: Decimal | None, zone: ZoneInfo) -> DatedPrice | None:
    period = _period(price.dates, zone)
    if period is None or amount is None:
        return None
    return DatedPrice(amount=amount, type=price.type or "", tax_percent=percent, period=period)


def _period(dates: Iterable[DatedRole], zone: ZoneInfo) -> Period | None:
    """Step 3: both ends belong to it; none where a date cannot be read or is in a role that nobody knows."""
    since: list[datetime] = []
    until: list[datetime] = []
    for dated in dates:
        start, end = dated.date.starts_at(zone), dated.date.ends_at(zone)
        if start is None or end is None or dated.role not in _DATED or not _is_day(dated):
            return None
        if dated.role != PriceDateRole.UNTIL:
            since.append(start)
        if dated.role != PriceDateRole.FROM:
            until.append(end)
    return Period(since=max(since, default=None), until=min(until, default=None))


def _is_day(dated: DatedRole) -> bool:
    """Contract cb 4: days only; a period of role 24 is two of them."""
    allowed = {None, "", DateFormat.DAY.value}
    return dated.date.format in (
        allowed | {DateFormat.DAY_RANGE.value} if dated.role == PriceDateRole.FROM_UNTIL else allowed
    )


def _rule(name: str, says: str) -> RuleApplied:
    return RuleApplied(id=f"cb.5.1.{name}", says=says)
