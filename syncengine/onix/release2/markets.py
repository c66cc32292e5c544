"""`ProductSupply`: release 2 states supplies and markets side by side; ONIX 3 states what is supplied in which market."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from syncengine.domain.territory import ISO_COUNTRIES, Territory
from syncengine.onix.element import Element
from syncengine.onix.release2.building import chosen, codes, composite, filled, leaf, territory

_UNSPECIFIED: Final = "00"
_HALF_OF_THE_WORLD: Final = len(ISO_COUNTRIES) // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Representation:
    """What a publisher says of a market: where that is, and the parts of `ProductSupply` that say it."""

    area: Element
    restrictions: tuple[Element, ...]
    published: Element


def representations(product: Element) -> list[Representation]:
    """Those of `MarketRepresentation` that tell more than who represents the publisher."""
    stated = [found for found in product.all("MarketRepresentation") if _says_something(found)]
    return [
        Representation(
            area=_represented(found, [other for other in stated if other is not found]),
            restrictions=tuple(_restrictions(found)),
            published=_published(found),
        )
        for found in stated
    ]


def supplies_in(
    market: Element | None, details: Sequence[Element], represented: Sequence[Representation]
) -> Iterator[Element]:
    """`ProductSupply` for each represented part of a market, with what the publisher says of it, and for the rest of it.

    A status or an embargo that a market has must stand with every supply in it, or the supply would sell regardless.
    """
    area = market.child("Territory") if market is not None else None
    restrictions = market.all("SalesRestriction") if market is not None else []
    concerned = [found for found in represented if concerns(found, market)]
    for found in concerned:
        part = found.area if area is None else _shared(_territory(area), _territory(found.area))
        yield _supply(part, [*restrictions, *found.restrictions], [found.published, *details])
    if not concerned:
        yield _supply(area, restrictions, details)
    elif (rest := _remaining(area, concerned)) is not None:
        yield _supply(rest, restrictions, details)


def represented_alone(found: Representation) -> Element:
    """`ProductSupply` for a market in which nobody supplies."""
    return _supply(found.area, found.restrictions, [found.published])


def concerns(found: Representation, market: Element | None) -> bool:
    """Whether it is about some of the market."""
    area = market.child("Territory") if market is not None else None
    return area is None or _shared(_territory(area), _territory(found.area)) is not None


def restriction(kind: str, words: Sequence[Element]) -> Element:
    """A `SalesRestriction` (list 71) with the words of release 2 as its note."""
    notes = [found._replace(name="SalesRestrictionNote") for found in words]
    return composite("SalesRestriction", [leaf("SalesRestrictionType", kind), *notes])


def _supply(area: Element | None, restrictions: Sequence[Element], parts: Sequence[Element]) -> Element:
    market = [*filter(None, [area]), *restrictions]
    return composite("ProductSupply", [*filled("Market", market), *parts])


def _says_something(found: Element) -> bool:
    wanted = ("MarketPublishingStatus", "MarketDate", "MarketRestrictionDetail")
    return any(found.child(name) is not None for name in wanted)


def _represented(found: Element, others: Sequence[Element]) -> Element:
    """Where it is; everywhere, if it does not say."""
    elsewhere = {country for other in others for country in codes(other, "MarketCountry").split()}
    area = territory(
        codes(found, "MarketCountry"),
        codes(found, "MarketCountryExcluded"),
        regions=codes(found, "MarketTerritory"),
        named_elsewhere=elsewhere,
    )
    return area or composite("Territory", [leaf("RegionsIncluded", "WORLD")])


def _restrictions(found: Element) -> Iterator[Element]:
    """Words that nobody can decide by; list 71 has a code for them, under which an open shop does not sell."""
    if words := found.all("MarketRestrictionDetail"):
        yield restriction(_UNSPECIFIED, words)


def _published(found: Element) -> Element:
    agent = chosen(found, "AgentRole AgentIdentifier AgentName TelephoneNumber FaxNumber EmailAddress Website")
    said = chosen(found, "MarketPublishingStatus MarketDate")
    return composite("MarketPublishingDetail", [*filled("PublisherRepresentative", agent), *said])


def _territory(element: Element) -> Territory:
    def found(name: str) -> tuple[str, ...]:
        return tuple(codes(element, name).split())

    return Territory(
        countries_included=found("CountriesIncluded"),
        regions_included=found("RegionsIncluded"),
        countries_excluded=found("CountriesExcluded"),
        regions_excluded=found("RegionsExcluded"),
    )


def _shared(market: Territory, represented: Territory) -> Element | None:
    """What belongs to both; a part of a country is kept where the other has the country or the same part."""
    countries = market.countries() & represented.countries()
    parts = {
        region
        for one, other in ((market, represented), (represented, market))
        for region in _subdivisions(one)
        if region in other.regions_included or region[:2] in other.countries()
    }
    return _spelled(countries, parts, {*market.regions_excluded, *represented.regions_excluded})


def _remaining(market: Element | None, represented: Sequence[Representation]) -> Element | None:
    """The market without every country that somebody represents, even in part."""
    whole = _territory(market) if market is not None else Territory(regions_included=("WORLD",))
    covered = [_territory(found.area) for found in represented]
    countries = {country for country in whole.countries() if not any(part.touches(country) for part in covered)}
    parts = {region for region in _subdivisions(whole) if not any(part.touches(region[:2]) for part in covered)}
    return _spelled(countries, parts, set(whole.regions_excluded))


def _subdivisions(area: Territory) -> set[str]:
    return {region for region in area.regions_included if "-" in region}


def _spelled(countries: set[str] | frozenset[str], parts: set[str], no_parts: set[str]) -> Element | None:
    """A territory, its countries named or left out of the world, whichever is shorter."""
    if not countries and not parts:
        return None
    regions, no_regions = " ".join(parts), " ".join(no_parts)
    if len(countries) <= _HALF_OF_THE_WORLD:
        return territory(" ".join(countries), regions=regions, no_regions=no_regions)
    others = " ".join(ISO_COUNTRIES - countries)
    return territory("", others, regions=f"WORLD {regions}", no_regions=no_regions)
