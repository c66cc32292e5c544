"""The colour of an ONIX record: one word for two codes (contract bokbasen 10.1), as tables that can be replaced."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from syncengine.domain.codes import ProductAvailability, PublishingStatus

POSTPONED_BY_SUPPLIER = "09"
"""List 65: not yet available, postponed indefinitely."""


class Colour(Enum):
    """What the codes come to."""

    RED = "red"
    YELLOW = "yellow"
    GREEN = "green"
    GREY = "grey"
    NONE = "no colour"


def _table(codes: Mapping[Colour, str]) -> Mapping[str, Colour]:
    return {code: colour for colour, listed in codes.items() for code in listed.split()}


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourTable:
    """Codes to colours: ProductAvailability (list 65) and MarketPublishingStatus (list 68).

    The silent ones are known and have no colour. Whatever is in no table is unknown, and nothing is sold by it (contract 9.2).
    """

    availability: Mapping[str, Colour]
    market_status: Mapping[str, Colour]
    silent_availability: Collection[str]
    silent_status: Collection[str]


COLOURS = ColourTable(
    availability=_table(
        {
            Colour.RED: "40 41 42 43 44 45 46 47 48 49 51 52",
            Colour.YELLOW: "10 11 12",
            Colour.GREEN: "20 21 22 23",
            Colour.GREY: "30 31 32 33 34",
        }
    ),
    market_status=_table({Colour.RED: "05 07 08 10", Colour.YELLOW: "02", Colour.GREEN: "04", Colour.GREY: "06"}),
    silent_availability=frozenset({"", ProductAvailability.CANCELLED.value, POSTPONED_BY_SUPPLIER, "97", "98", "99"}),
    silent_status=frozenset(
        {
            "",
            PublishingStatus.UNSPECIFIED.value,
            PublishingStatus.CANCELLED.value,
            PublishingStatus.POSTPONED.value,
            PublishingStatus.UNKNOWN.value,
        }
    ),
)
"""Contract 10.1 as it stands; the breaking points of v3 may want another (9.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """The colour of a record; `alerts` are contradictions that do not change it, `unknown` the codes that no table has."""

    colour: Colour = Colour.NONE
    alerts: tuple[str, ...] = ()
    unknown: tuple[str, ...] = field(default=())


def light_of(availability: str | None, market_status: str | None, table: ColourTable = COLOURS) -> Light:
    """Red if either code says so; else that of the availability; else that of the market status (contract 10.1, 1 to 4)."""
    supplier, market = availability or "", market_status or ""
    by_supplier, by_market = table.availability.get(supplier), table.market_status.get(market)
    unknown = []
    if by_supplier is None and supplier not in table.silent_availability:
        unknown.append(f"ProductAvailability {supplier}")
    if by_market is None and market not in table.silent_status:
        unknown.append(f"MarketPublishingStatus {market}")
    colour = by_supplier or by_market or Colour.NONE
    if Colour.RED in {by_supplier, by_market}:
        colour = Colour.RED
    alerts = []
    if by_supplier and by_market and by_supplier is not by_market:
        alerts.append(
            f"ProductAvailability {supplier} is {by_supplier.value}, MarketPublishingStatus {market} {by_market.value}"
        )
    return Light(colour=colour, alerts=tuple(alerts), unknown=tuple(unknown))


def together(lights: Iterable[Light]) -> Light:
    """The colour of several supplies: red if one is, else that which all have; where they differ there is none, and an alert."""
    every = list(lights)
    colours = {light.colour for light in every}
    alerts = [alert for light in every for alert in light.alerts]
    colour = Colour.RED if Colour.RED in colours else next(iter(colours), Colour.NONE)
    if len(colours) > 1 and colour is not Colour.RED:
        listed = ", ".join(sorted(found.value for found in colours))
        return Light(alerts=(*alerts, f"its supplies have several colours: {listed}"), unknown=_unknown(every))
    return Light(colour=colour, alerts=tuple(dict.fromkeys(alerts)), unknown=_unknown(every))


def _unknown(lights: Iterable[Light]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(code for light in lights for code in light.unknown))
