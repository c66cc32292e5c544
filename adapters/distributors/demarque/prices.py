"""Which price is in force in a market at an instant (contract demarque 10).

The contract goes its own way, so this is not the standard's timeline: the price that began last is in force, a day that ends one
price and begins the next belongs to the next, and a price of zero is a price.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from syncengine.domain.codes import PriceDateRole, PriceQualifier, PriceType, UnpricedItemType
from syncengine.domain.dates import spell
from syncengine.domain.offer import RuleApplied
from syncengine.domain.prices import ConsumerPrice, stated_tax_rate
from syncengine.domain.product import Price
from syncengine.domain.timeline import Period

PREFERENCE: tuple[PriceType, ...] = (
    PriceType.FIXED_INCLUDING_TAX,
    PriceType.FIXED_EXCLUDING_TAX,
    PriceType.AGENCY_INCLUDING_TAX,
    PriceType.AGENCY_EXCLUDING_TAX,
    PriceType.RRP_INCLUDING_TAX,
    PriceType.RRP_EXCLUDING_TAX,
)
"""Fixed by law before agency before recommended, and of a pair the one that includes tax."""

_RETAIL_TYPES = frozenset(PREFERENCE)
_ROLES: frozenset[str] = frozenset(PriceDateRole)
_FOR_ANYONE = frozenset({None, "", PriceQualifier.UNQUALIFIED.value, PriceQualifier.CONSUMER.value})


def is_retail(price: Price) -> bool:
    """Whether it is a consumer's plain price of a type that a sale can name (list 58: 01 02 03 04 41 42)."""
    return price.qualifier in _FOR_ANYONE and price.type in _RETAIL_TYPES and not price.conditions


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedPrice:
    """A retail price of one market and the period in which it is in force."""

    price: ConsumerPrice
    period: Period


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The price chosen at an instant, or none, and the rule that decided."""

    price: ConsumerPrice | None
    rule: RuleApplied


def timeline(prices: Iterable[Price], currency: str, zone: ZoneInfo) -> tuple[DatedPrice, ...]:
    """The retail prices of one market with their periods.

    Left out is what can never be charged: no amount, an amount that is negative or no number, a date that cannot be read.
    Free of charge is an amount of 0.00 and nothing else: UnpricedItemType 01 names neither type nor currency, so that a sale
    could not state its price, and it must never become zero by accident (reference/onix.md 1.2).
    """
    usable = [
        (price, PriceType(price.type), amount, _since(price, zone))
        for price in prices
        if price.type in _RETAIL_TYPES
        if (amount := _chargeable_amount(price)) is not None and _has_readable_dates(price, zone)
    ]
    starts = frozenset(since for *_, since in usable if since is not None)
    return tuple(
        DatedPrice(
            price=ConsumerPrice(amount=amount, currency=currency, type=kind, tax_percent=stated_tax_rate(price)),
            period=Period(since=since, until=_until(price, since, starts, zone)),
        )
        for price, kind, amount, since in usable
    )


def choose(prices: Sequence[DatedPrice], at: datetime) -> Choice:
    """The price in force: of several the one that began last, then by type; amounts that still differ are not guessed."""
    active = [price for price in prices if price.period.contains(at)]
    if not active:
        return Choice(price=None, rule=_rule("none", f"no price is in force at {spell(at)}", prices))
    began = max((price.period.since for price in active if price.period.since is not None), default=None)
    latest = [price for price in active if price.period.since == began]
    best = min((dated.price for dated in latest), key=_rank)
    rivals = [dated.price for dated in latest if dated.price.amount != best.amount]
    if not rivals:
        return Choice(price=best, rule=_rule("in_force", f"{best} is in force at {spell(at)}"))
    if any(price.type is best.type for price in rivals):
        says = "several amounts of one price type are in force at the same time, and nothing tells them apart"
        return Choice(price=None, rule=_rule("ambiguous", says, latest))
    says = f"{best} is preferred by its price type to {', '.join(map(str, rivals))}"
    return Choice(price=best, rule=_rule("preference", says))


def why_unpriced(listed: int, reasons: Iterable[str]) -> RuleApplied:
    """The rule for a market without a price that can be charged.

    `listed` counts the prices that were left out, `reasons` are the feed's UnpricedItemTypes (list 57).
    """
    stated = sorted(set(reasons))
    says = f"none of {listed} prices can be charged" if listed else "no price is listed for this country and currency"
    if stated:
        says += f"; UnpricedItemType {', '.join(stated)}"
    if UnpricedItemType.FREE_OF_CHARGE in stated:
        says += " is no price either: free is an amount of 0.00"
    return _rule("not_listed", says)


def _rule(name: str, says: str, among: Sequence[DatedPrice] = ()) -> RuleApplied:
    if among:
        says += ": " + ", ".join(f"{dated.price} {_spell_period(dated.period)}" for dated in among)
    return RuleApplied(id=f"demarque.10.{name}", says=says)


def _spell_period(period: Period) -> str:
    since = f"from {spell(period.since)}" if period.since else ""
    until = f"until {spell(period.until)}" if period.until else ""
    return " ".join(part for part in (since, until) if part) or "without dates"


def _rank(price: ConsumerPrice) -> int:
    return PREFERENCE.index(price.type)


def _chargeable_amount(price: Price) -> Decimal | None:
    return price.amount if price.amount is not None and price.amount.is_finite() and price.amount >= 0 else None


def _has_readable_dates(price: Price, zone: ZoneInfo) -> bool:
    return all(dated.date.starts_at(zone) is not None for dated in price.dates if dated.role in _ROLES)


def _since(price: Price, zone: ZoneInfo) -> datetime | None:
    """The start that roles 14 and 24 give; none where the price is in force from the beginning."""
    roles = {PriceDateRole.FROM, PriceDateRole.FROM_UNTIL}
    starts = (dated.date.starts_at(zone) for dated in price.dates if dated.role in roles)
    return max((start for start in starts if start is not None), default=None)


def _until(price: Price, since: datetime | None, starts: frozenset[datetime], zone: ZoneInfo) -> datetime | None:
    """The end that roles 15 and 24 give; none where there is none.

    A role 15 without a time includes its day, unless another price of the market starts with that very day. A price that
    starts later on that day needs no such care: of two prices in force the later start wins.
    """
    ends = []
    for dated in price.dates:
        if dated.role == PriceDateRole.FROM_UNTIL:
            ends.append(dated.date.ends_at(zone))
        elif dated.role == PriceDateRole.UNTIL:
            day = dated.date.starts_at(zone)
            follows = day in starts and (since is None or since < day)
            ends.append(day if follows else dated.date.ends_at(zone))
    return min((end for end in ends if end is not None), default=None)
