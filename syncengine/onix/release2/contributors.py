"""`Contributor`: who made a product, a series or a set, and under which names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from syncengine.onix.element import Element
from syncengine.onix.release2 import codes as tables
from syncengine.onix.release2.building import chosen, codes, composite, filled, leaf, recoded

_ASSOCIATED_WITH: Final = "00"
_TRANSLATORS: Final = frozenset({"B06", "B08", "B10"})
_NAME_PARTS: Final = (
    "PersonName PersonNameInverted TitlesBeforeNames NamesBeforeKey PrefixToKey KeyNames NamesAfterKey SuffixToKey"
    " LettersAfterNames TitlesAfterNames"
)


def contributors(element: Element) -> Iterator[Element]:
    """`Contributor` in their order, and the statement or its denial."""
    for found in element.all("Contributor"):
        yield found._replace(children=tuple(_contributor(found)))
    yield from chosen(element, "ContributorStatement NoContributor")


def person_names(element: Element) -> Iterator[Element]:
    """A person's identifiers, names, and other names."""
    for found in element.all("PersonNameIdentifier"):
        kinds = [recoded(kind, "NameIDType", tables.PERSON_ID_TYPES) for kind in found.all("PersonNameIDType")]
        yield composite("NameIdentifier", [*kinds, *chosen(found, "IDTypeName IDValue")])
    yield from chosen(element, f"{_NAME_PARTS} CorporateName UnnamedPersons")
    for found in element.all("Name"):
        yield composite("AlternativeName", [*chosen(found, "PersonNameType=NameType"), *person_names(found)])


def _contributor(found: Element) -> Iterator[Element]:
    yield from chosen(found, "SequenceNumber ContributorRole")
    if not _TRANSLATORS.isdisjoint(codes(found, "ContributorRole").split()):
        yield from chosen(found, "LanguageCode=FromLanguage")
    yield from person_names(found)
    for date in found.all("PersonDate"):
        roles = [recoded(role, "ContributorDateRole", tables.PERSON_DATE_ROLES) for role in date.all("PersonDateRole")]
        yield composite("ContributorDate", [*roles, *chosen(date, "DateFormat Date")])
    yield from found.all("ProfessionalAffiliation")
    yield from filled("ProfessionalAffiliation", chosen(found, "ProfessionalPosition Affiliation"))
    yield from chosen(found, "BiographicalNote Website ContributorDescription")
    for place in chosen(found, "CountryCode RegionCode"):
        yield composite("ContributorPlace", [leaf("ContributorPlaceRelator", _ASSOCIATED_WITH), place])
