"""`PublishingDetail`: publishers, status, dates, and where the product may be sold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from syncengine.domain.codes import PublishingDateRole, SalesRightsType
from syncengine.onix.element import Element
from syncengine.onix.release2 import codes as tables
from syncengine.onix.release2.building import chosen, code, codes, composite, dated, leaf, reshaped, territory
from syncengine.onix.release2.identifiers import name_identifier, product_identifiers

_PUBLISHER: Final = "01"
_OTHER_ROLES: Final = {"CopublisherName": "02", "SponsorName": "03", "OriginalPublisher": "04"}
_FIRST_PUBLICATION: Final = "11"
_DATES: Final = {
    "PublicationDate": PublishingDateRole.PUBLICATION,
    "AnnouncementDate": PublishingDateRole.ANNOUNCEMENT,
    "TradeAnnouncementDate": PublishingDateRole.TRADE_ANNOUNCEMENT,
    "YearFirstPublished": _FIRST_PUBLICATION,
    "OutOfPrintDate": PublishingDateRole.OUT_OF_PRINT,
}
_FOR_SALE: Final = frozenset({SalesRightsType.EXCLUSIVE, SalesRightsType.NON_EXCLUSIVE})
_WORLD, _REST = "WORLD", "ROW"


def publishing_detail(product: Element) -> Iterator[Element]:
    """Its children in the order of ONIX 3; SalesRestriction, which 3.1 has moved, stands at the end as in 3.0."""
    yield from _imprints(product)
    yield from _publishers(product)
    yield from chosen(product, "CityOfPublication CountryOfPublication PublishingStatus PublishingStatusNote")
    for name, role in _DATES.items():
        yield from dated("PublishingDate", role, product.child(name))
    yield from _copyrights(product)
    yield from _sales_rights(product)
    yield from sales_restrictions(product)


def sales_restrictions(element: Element) -> Iterator[Element]:
    """`SalesRestriction` as ONIX 3 names its parts."""
    for found in element.all("SalesRestriction"):
        shape = "SalesRestrictionType SalesOutlet SalesRestrictionDetail=SalesRestrictionNote"
        yield reshaped(found, "SalesRestriction", shape)


def _imprints(product: Element) -> Iterator[Element]:
    for name in product.all("ImprintName"):
        yield composite("Imprint", [name])
    for found in product.all("Imprint"):
        identifier = name_identifier(found, "ImprintIdentifier", "ImprintIDType")
        yield composite("Imprint", [*identifier, *chosen(found, "ImprintName")])


def _publishers(product: Element) -> Iterator[Element]:
    for name in product.all("PublisherName"):
        yield composite("Publisher", [leaf("PublishingRole", _PUBLISHER), name])
    for found in product.all("Publisher"):
        roles = list(chosen(found, "PublishingRole")) or [leaf("PublishingRole", _PUBLISHER)]
        identifier = name_identifier(found, "PublisherIdentifier", "PublisherIDType")
        yield composite("Publisher", [*roles, *identifier, *chosen(found, "PublisherName Website")])
    for single, role in _OTHER_ROLES.items():
        for name in product.all(single):
            yield composite("Publisher", [leaf("PublishingRole", role), name._replace(name="PublisherName")])


def _copyrights(product: Element) -> Iterator[Element]:
    stated = product.all("CopyrightStatement")
    yield from stated
    years = product.all("CopyrightYear")
    if years and not stated:
        yield composite("CopyrightStatement", years)


def _sales_rights(product: Element) -> Iterator[Element]:
    """`SalesRights`, bans among them, and what holds for the rest of the world.

    The countries that one composite names are no longer part of the world of another. Release 2 need not say anything of the
    rest, which is code 00 of list 46.
    """
    stated = [(code(rights, "SalesRightsType"), rights) for rights in product.all("SalesRights")]
    stated += [(SalesRightsType.NOT_FOR_SALE.value, ban) for ban in product.all("NotForSale")]
    named = {country for _, rights in stated for country in codes(rights, "RightsCountry").split()}
    for kind, rights in stated:
        if (found := _rights_territory(kind, rights, named)) is not None:
            scope = [*product_identifiers(rights), *chosen(rights, "PublisherName")]
            yield composite("SalesRights", [leaf("SalesRightsType", kind), found, *scope])
    if stated and (rest := _rest_of_world(stated)):
        yield leaf("ROWSalesRightsType", rest)


def _rights_territory(kind: str, rights: Element, named: set[str]) -> Element | None:
    countries, regions = codes(rights, "RightsCountry"), _regions(rights)
    regions.discard(_REST)
    others = named.difference(countries.split()) if kind in _FOR_SALE and _WORLD in regions else ()
    return territory(countries, " ".join(others), regions=" ".join(regions))


def _regions(rights: Element) -> set[str]:
    """Codes of list 49, those of the older list 47 among them."""
    written = codes(rights, "RightsTerritory", "RightsRegion").split()
    return {tables.RIGHTS_REGIONS.get(region, region) for region in written}


def _rest_of_world(stated: Sequence[tuple[str, Element]]) -> str | None:
    """The type that is stated for the rest, a ban before all; unknown where nothing is said of it."""
    for_rest = [kind for kind, rights in stated if _REST in _regions(rights)]
    if for_rest:
        return next((kind for kind in for_rest if kind not in _FOR_SALE), for_rest[0])
    if any(_WORLD in _regions(rights) for _, rights in stated):
        return None
    return SalesRightsType.UNKNOWN.value
