"""Guards: what a pass would do, counted, and judged before it is applied (design section 5)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from syncengine.domain.codes import ProductAvailability, PublishingStatus
from syncengine.domain.passes import RecordOutcome
from syncengine.domain.product import Product, ProductSupply
from syncengine.domain.territory import Territory
from syncengine.errors import GuardStopped
from syncengine.settings import GuardSettings

GUARDS = (
    "empty-feed",
    "shrunk",
    "removed",
    "vanished",
    "withdrawn",
    "prices-moved",
    "price-jump",
    "older-message",
)
"""The names that `--allow` takes."""

_WITHDRAWN = frozenset([PublishingStatus.WITHDRAWN, PublishingStatus.RECALLED])
_WITHDRAWN_BY_SUPPLIER = frozenset([ProductAvailability.WITHDRAWN, ProductAvailability.RECALLED])
_JUMP = 10
_FURTHEST_ZONE = timedelta(hours=14)
_SENT_AT = re.compile(
    r"(\d{4})-?(\d{2})-?(\d{2})(?:T(\d{2}):?(\d{2})(?::?(\d{2})(?:\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?", re.IGNORECASE
)


@dataclass(slots=True, kw_only=True)
class Tallies:
    """What the guards judge.

    `tally` counts what becomes of records. The caller sets `known` (live records before the pass), `records` (all that were
    read) and `vanished`. `prices_moved` and `price_jumps` count records, not prices.
    """

    records: int = 0
    known: int = 0
    removed: int = 0
    vanished: int = 0
    withdrawn: int = 0
    prices_known: int = 0
    prices_moved: int = 0
    price_jumps: int = 0

    def as_mapping(self) -> dict[str, int]:
        """The counts by name, for the store."""
        return asdict(self)

    @classmethod
    def from_mapping(cls, counts: Mapping[str, int]) -> Tallies:
        """What `as_mapping` gave; names it does not know are left out."""
        return cls(**{field.name: counts.get(field.name, 0) for field in fields(cls)})


def tally(tallies: Tallies, old: Product | None, new: Product | None, outcome: RecordOutcome) -> None:
    """Count one record that was looked into; `old` is its live content before, `new` what it is to become."""
    if outcome is RecordOutcome.REMOVED:
        tallies.removed += old is not None
    elif old is not None and new is not None:
        tallies.withdrawn += not set(_withdrawals(new)) <= set(_withdrawals(old))
        if _priced(old) == _priced(new):
            tallies.prices_known += _has_amount(new)
        else:
            _tally_prices(tallies, _amounts(old), _amounts(new))


def judge(
    tallies: Tallies,
    settings: GuardSettings,
    *,
    allowed: Collection[str],
    complete_full: bool,
    last_full_records: int | None,
) -> list[str]:
    """Raise GuardStopped for the first guard that fires; one line for each that fired and was allowed.

    `complete_full` tells that the whole of a full pass is judged rather than a page of a delta; `last_full_records` how many
    records the last one had.
    """
    let_through = []
    for guard, message in _fired(tallies, settings, complete_full, last_full_records):
        if guard not in allowed:
            raise GuardStopped(guard, message)
        let_through.append(f"guard {guard} let through: {message}")
    return let_through


def _fired(
    tallies: Tallies, settings: GuardSettings, complete_full: bool, last_full_records: int | None
) -> Iterator[tuple[str, str]]:
    if complete_full and not tallies.records and tallies.known:
        yield "empty-feed", f"the full pass has no record, {tallies.known} are known"
    least = settings.minimum_records
    if complete_full and tallies.records and last_full_records and last_full_records >= least:
        missing = last_full_records - tallies.records
        if _exceeds(missing, last_full_records, settings.shrunk_percent):
            have = f"the full pass has {tallies.records} records where the last one had {last_full_records}"
            yield (
                "shrunk",
                f"{have}: {_percent(missing, last_full_records)} fewer, the limit is {settings.shrunk_percent:g} %",
            )
    for guard, count, percent, what in (
        ("removed", tallies.removed, settings.removed_percent, "be removed"),
        ("vanished", tallies.vanished, settings.vanished_percent, "vanish"),
        ("withdrawn", tallies.withdrawn, settings.withdrawn_percent, "be withdrawn"),
        ("prices-moved", tallies.prices_moved, settings.prices_moved_percent, "change their price"),
    ):
        if tallies.known >= least and _exceeds(count, tallies.known, percent):
            would = f"{count} of {tallies.known} known records would {what}"
            yield guard, f"{would}: {_percent(count, tallies.known)}, the limit is {percent:g} %"
    if tallies.price_jumps > settings.price_jumps:
        count, limit = tallies.price_jumps, settings.price_jumps
        yield "price-jump", f"prices of {count} records would fall to zero or move tenfold, the limit is {limit}"


def _exceeds(count: int, whole: int, percent: float) -> bool:
    return count * 100 > whole * percent


def _percent(count: int, whole: int) -> str:
    return f"{count * 100 / whole:.1f} %"


# --- one record --------------------------------------------------------------------------------------------------------


def _withdrawals(product: Product) -> Iterator[tuple[str, str]]:
    """Where the record says withdrawn or recalled: by whom, and each country, `*` where no market is named."""
    if product.publishing_status in _WITHDRAWN:
        yield "publisher", "*"
    for supply in product.supplies:
        if supply.market_status in _WITHDRAWN:
            yield from (("market", country) for country in _countries(supply))
        for detail in supply.details:
            if detail.availability in _WITHDRAWN_BY_SUPPLIER:
                yield from (("supplier", country) for country in _countries(supply))


def _countries(supply: ProductSupply) -> Collection[str]:
    return frozenset().union(*(market.countries() for market in supply.markets)) or {"*"}


def _priced(product: Product) -> object:
    """All that its amounts are made of."""
    return [(supply.markets, [detail.prices for detail in supply.details]) for supply in product.supplies]


def _has_amount(product: Product) -> bool:
    prices = (price for supply in product.supplies for detail in supply.details for price in detail.prices)
    return any(price.amount is not None for price in prices)


_PriceKey = tuple[str | None, str | None, str | None, Territory | frozenset[Territory]]


def _amounts(product: Product) -> dict[_PriceKey, set[Decimal]]:
    """The amounts of each (type, qualifier, currency, territory); several where prices have periods or conditions."""
    amounts: defaultdict[_PriceKey, set[Decimal]] = defaultdict(set)
    for supply in product.supplies:
        for price in (price for detail in supply.details for price in detail.prices):
            if price.amount is not None:
                key = (price.type, price.qualifier, price.currency, price.territory or frozenset(supply.markets))
                amounts[key].add(price.amount)
    return amounts


def _tally_prices(
    tallies: Tallies, old: Mapping[_PriceKey, set[Decimal]], new: Mapping[_PriceKey, set[Decimal]]
) -> None:
    both = [(old[key], new[key]) for key in old.keys() & new.keys()]
    differing = [(before, after) for before, after in both if before != after]
    tallies.prices_known += bool(old)
    tallies.prices_moved += any(before - after and after - before for before, after in differing)
    tallies.price_jumps += any(_jumps(before, after) for before, after in differing)


def _jumps(before: set[Decimal], after: set[Decimal]) -> bool:
    """Whether a price became nothing where none was, or an amount gave way to ten times as much or as little.

    Amounts that went and amounts that came are compared in the order of size.
    """
    if min(after) <= 0 < min(before):
        return True
    return any(map(_is_jump, sorted(before - after), sorted(after - before)))


def _is_jump(before: Decimal, after: Decimal) -> bool:
    return before > 0 and (after <= 0 or after >= before * _JUMP or before >= after * _JUMP)


# --- messages out of order ---------------------------------------------------------------------------------------------


def normalised_sent_at(text: str) -> str | None:
    """A SentDateTime as `YYYYMMDD`, `YYYYMMDDThhmmss` (the sender's local time) or `YYYYMMDDThhmmssZ`; none if it is no date."""
    read = _read_sent_at(text)
    if read is None:
        return None
    at, has_time, has_zone = read
    return at.strftime("%Y%m%dT%H%M%S" if has_time else "%Y%m%d") + ("Z" if has_zone else "")


def has_time(sent_at_text: str) -> bool:
    """Whether a SentDateTime names more than a day."""
    read = _read_sent_at(sent_at_text)
    return read is not None and read[1]


def is_older(sent_at_text: str | None, last_text: str | None) -> bool:
    """Whether a message was surely sent before the last one applied (guard `older-message`).

    A day without a time may mean any of its moments, a local time any zone; what cannot be read is not older.
    """
    sent, last = _read_sent_at(sent_at_text or ""), _read_sent_at(last_text or "")
    if sent is None or last is None:
        return False
    (sent_at, has_time, sent_zone), (last_at, _, last_zone) = sent, last
    doubt = _FURTHEST_ZONE if sent_zone != last_zone else timedelta()
    # Instants are never moved: one of the year 9999 has none behind it.
    return last_at - sent_at > doubt if has_time else last_at - sent_at >= timedelta(days=1) + doubt


def _read_sent_at(text: str) -> tuple[datetime, bool, bool] | None:
    """The moment as if in UTC, whether a time was given, and whether a zone was."""
    match = _SENT_AT.fullmatch(text.strip())
    if not match:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    try:
        at = datetime(year, month, day, hour, minute, second, tzinfo=UTC) - _offset(match[7])
    except (ValueError, OverflowError):
        return None
    return at, match[4] is not None, match[7] is not None


def _offset(zone: str | None) -> timedelta:
    if not zone or zone in "Zz":
        return timedelta()
    digits = zone[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -offset if zone[0] == "-" else offset
