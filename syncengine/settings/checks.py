"""What the type of a key does not tell: zones, countries, currencies, names of call classes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from syncengine.domain.delivery import Limit
from syncengine.domain.territory import ISO_COUNTRIES, Market
from syncengine.settings.lines import KeyPath
from syncengine.settings.shape import ServiceSettings, SourceSettings, StoreSettings
from syncengine.settings.values import meant

Findings = Iterable[tuple[KeyPath, str]]
"""Where below the key something is wrong, and what to do about it."""


def check(struct: type, key: str, value: object) -> Findings:
    """What is wrong with a value that has the right type already."""
    for owner, checks in _CHECKS.items():
        if issubclass(struct, owner) and key in checks:
            yield from checks[key](struct, value)


def _zone(_struct: type, name: str) -> Findings:
    try:
        ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        yield (), f"{name!r} is no time zone; write one like America/Toronto"


def _positive(_struct: type, span: timedelta | None) -> Findings:
    if span is not None and span < timedelta(seconds=1):
        yield (), 'a second is the least; write a span like "6h"'


def _each_once(_struct: type, markets: tuple[Market, ...]) -> Findings:
    for index, market in enumerate(markets):
        if market in markets[:index]:
            yield (index,), f"{market} is named twice; remove one"


def _known_classes(struct: type[SourceSettings], limits: Mapping[str, Limit]) -> Findings:
    known = sorted(struct.endpoint_classes)
    for name in limits:
        if known and name not in known:
            yield (name,), f"there is no such class of calls{meant(name, known)}; the classes are: {', '.join(known)}"


def _percents(_struct: type, rates: Mapping[str, Decimal]) -> Findings:
    for country, rate in rates.items():
        if country not in ISO_COUNTRIES:
            yield (country,), "this is no country; write its two letters, for example CA"
        if not 0 <= rate <= 100:
            yield (country,), f"{rate} is no percentage; write a number from 0 to 100"


def _amounts(_struct: type, amounts: Mapping[str, Decimal]) -> Findings:
    for currency, amount in amounts.items():
        if not re.fullmatch("[A-Z]{3}", currency):
            yield (currency,), "this is no currency; write its three letters, for example CAD"
        if amount <= 0:
            yield (currency,), "an amount above 0 is expected; leave the currency out to have no bound"


def _store_address(_struct: type, url: str) -> Findings:
    if not re.fullmatch(r"sqlite:.+", url):
        yield (), f'{url!r} is no store; write "sqlite:" and a path'


_CHECKS: Final[Mapping[type, Mapping[str, Callable[[Any, Any], Findings]]]] = {
    SourceSettings: {
        "timezone": _zone,
        "schedule": _positive,
        "full_every": _positive,
        "markets": _each_once,
        "limits": _known_classes,
        "tax_rates": _percents,
    },
    StoreSettings: {"url": _store_address},
    ServiceSettings: {"max_money_per_hour": _amounts},
}
