"""Which price a reader pays (contract bokbasen 10.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from syncengine.domain.codes import PriceDateRole, PriceQualifier, PriceStatus, PriceType
from syncengine.domain.dates import spell
from syncengine.domain.offer import RuleApplied
from syncengine.domain.prices import ConsumerPrice, stated_tax_rate
from syncengine.domain.product import Price
from syncengine.domain.territory import Market
from syncengine.domain.timeline import Period

PREFERENCE = (PriceType.FIXED_INCLUDING_TAX, PriceType.RRP_INCLUDING_TAX, PriceType.AGENCY_INCLUDING_TAX)
"""Fixed, then recommended, then the publisher's; all include tax."""

_CHARGED = frozenset({None, "", PriceStatus.UNSPECIFIED.value, PriceStatus.CONFIRMED.value})
_ROLES: frozenset[str] = frozenset(PriceDateRole)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedPrice:
    """A reader's price in the market; its period ends with the last day of a fixed price (role 15)."""

    price: ConsumerPrice
    period: Period


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The price at an instant, or none, and the rules that decided; where `is_ambiguous` several are left and none is guessed."""

    price: ConsumerPrice | None = None
    is_ambiguous: bool = False
    rules: tuple[RuleApplied, ...] = ()


def dated_prices(prices: Iterable[Price], market: Market, zone: ZoneInfo) -> tuple[DatedPrice, ...]:
    """Step 1, with what can never be charged left out: no amount or none above zero, terms, a date that cannot be read."""
    return tuple(_dated(prices, market, zone))


def choose(prices: Sequence[DatedPrice], at: datetime) -> Choice:
    """Steps 2 to 7, at an instant."""
    begun = [dated for dated in prices if dated.period.since is None or dated.period.since <= at]
    running = [dated for dated in begun if dated.period.contains(at)]
    if not begun:
        return Choice(rules=(_rule("1", f"no consumer price is in force at {spell(at)}"),))
    best_type = min((dated.price.type for dated in running or begun), key=PREFERENCE.index)
    best = [dated for dated in running or begun if dated.price.type is best_type]
    amounts = sorted({dated.price.amount for dated in best})
    if len(amounts) > 1:
        listed = ", ".join(map(str, amounts))
        says = f"alert: several prices of type {best_type.value} are left, and the lowest is not assumed: {listed}"
        return Choice(is_ambiguous=True, rules=(_rule("7", says),))
    return _ended(best[0]) if not running else _running(best[0])


def _running(dated: DatedPrice) -> Choice:
    price, until = dated.price, dated.period.until
    if price.type is not PriceType.FIXED_INCLUDING_TAX:
        return Choice(price=price, rules=(_rule("2", f"{price}"),))
    if until is None:
        return Choice(price=price, rules=(_rule("4", f"{price} is fixed; its period has not begun"),))
    return Choice(price=price, rules=(_rule("3", f"{price} is fixed until {spell(until)}"),))


def _ended(dated: DatedPrice) -> Choice:
    """Step 6: the day has passed and no update came; the amount stays, and is not fixed any more."""
    price = ConsumerPrice(
        amount=dated.price.amount,
        currency=dated.price.currency,
        type=PriceType.RRP_INCLUDING_TAX,
        tax_percent=dated.price.tax_percent,
    )
    ended = spell(dated.period.until) if dated.period.until else "an end"
    return Choice(price=price, rules=(_rule("6", f"alert: {dated.price} ended at {ended}, and no update came"),))


def _dated(prices: Iterable[Price], market: Market, zone: ZoneInfo) -> Iterator[DatedPrice]:
    for price in prices:
        amount, period = price.amount, _period(price, zone)
        if period is None or amount is None or not amount.is_finite() or amount <= 0 or not _is_readers(price, market):
            continue
        yield DatedPrice(
            price=ConsumerPrice(
                amount=amount,
                currency=market.currency,
                type=PriceType(price.type or ""),
                tax_percent=stated_tax_rate(price),
            ),
            period=period,
        )


def _is_readers(price: Price, market: Market) -> bool:
    is_here = price.territory is None or price.territory.is_empty or price.territory.covers(market.country)
    return (
        (price.currency or "").upper() == market.currency
        and price.qualifier == PriceQualifier.CONSUMER
        and price.type in PREFERENCE
        and (price.status or "") in _CHARGED
        and not price.conditions
        and is_here
    )


def _period(price: Price, zone: ZoneInfo) -> Period | None:
    """None where a date cannot be read, or has a role that nobody knows."""
    since: list[datetime] = []
    until: list[datetime] = []
    for dated in price.dates:
        start, end = dated.date.starts_at(zone), dated.date.ends_at(zone)
        if start is None or end is None or dated.role not in _ROLES:
            return None
        if dated.role != PriceDateRole.UNTIL:
            since.append(start)
        if dated.role != PriceDateRole.FROM:
            until.append(end)
    return Period(since=max(since, default=None), until=min(until, default=None))


def _rule(step: str, says: str) -> RuleApplied:
    return RuleApplied(id=f"bokbasen 10.2/{step}", says=says)
