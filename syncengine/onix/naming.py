"""Names: titles, the collections a product belongs to, and its contributors."""

from __future__ import annotations

from collections.abc import Sequence

from syncengine.domain.description import (
    Affiliation,
    AlternativeName,
    Collection,
    CollectionSequence,
    Contributor,
    Place,
    TitleDetail,
    TitleElement,
)
from syncengine.onix.element import Element
from syncengine.onix.wording import Wording, all_words, in_sequence, joined, plain_words, words

_DISTINCTIVE_TITLE = "01"
_PRODUCT_LEVEL = "01"
_APOSTROPHES = ("'", "\u2019", "-")
_FULL_STOPS = (".", "!", "?", "\u2026")
_PERSON_PARTS = (
    "TitlesBeforeNames",
    "NamesBeforeKey",
    "PrefixToKey",
    "KeyNames",
    "NamesAfterKey",
    "SuffixToKey",
    "LettersAfterNames",
    "TitlesAfterNames",
)
_SORTED_KEY = ("KeyNames", "NamesAfterKey", "SuffixToKey")
_SORTED_REST = ("NamesBeforeKey", "PrefixToKey")


# --- titles


def title_details(wording: Wording, element: Element) -> tuple[TitleDetail, ...]:
    """Every title of a product or a collection, in document order; those that say nothing are left out."""
    return tuple(filter(None, (_title_detail(wording, detail) for detail in element.all("TitleDetail"))))


def main_title(titles: Sequence[TitleDetail]) -> TitleDetail | None:
    """The distinctive title, else the first."""
    distinctive = (title for title in titles if title.type and title.type.code == _DISTINCTIVE_TITLE)
    return next(distinctive, titles[0] if titles else None)


def _title_detail(wording: Wording, detail: Element) -> TitleDetail | None:
    found = in_sequence(detail.all("TitleElement"))
    elements = tuple(_title_element(wording, element) for element in found)
    text = " ".join(plain_words(detail, "TitleStatement")[:1]) or _title_text(elements)
    if not text:
        return None
    own = _own(elements)
    return TitleDetail(
        type=wording.coded(detail, "TitleType"),
        text=text,
        title=own.title if own and own.title else text,
        sort_title=own.sort_title if own and own.sort_title else text,
        subtitle=own.subtitle if own else None,
        part_number=next((element.part_number for element in elements if element.part_number), None),
        language=_title_language(found),
        elements=elements,
    )


def _own(elements: Sequence[TitleElement]) -> TitleElement | None:
    """The element that names the thing itself: of the product's level, else the first that has a title."""
    titled = [element for element in elements if element.title]
    return next((element for element in titled if _is_own(element)), titled[0] if titled else None)


def _is_own(element: TitleElement) -> bool:
    return element.level is None or element.level.code == _PRODUCT_LEVEL


def _title_element(wording: Wording, element: Element) -> TitleElement:
    prefix = words(element, "TitlePrefix")
    rest = words(element, "TitleWithoutPrefix") or words(element, "TitleText")
    whole = words(element, "TitleText") or _with_prefix(prefix, rest)
    return TitleElement(
        level=wording.coded(element, "TitleElementLevel"),
        title=whole,
        sort_title=rest,
        prefix=prefix,
        subtitle=words(element, "Subtitle"),
        part_number=words(element, "PartNumber"),
        year=words(element, "YearOfAnnual"),
    )


def _with_prefix(prefix: str | None, rest: str | None) -> str | None:
    """Joined by a blank, but not behind an elision: `The Hobbit`, `L'Avare`."""
    return joined((prefix, rest), "" if prefix and prefix.endswith(_APOSTROPHES) else " ")


def _title_text(elements: Sequence[TitleElement]) -> str:
    """All levels in their order; what is but a number or a year belongs to what stands before it."""
    text = ""
    for element in elements:
        named = _followed(element.title, ": ", element.subtitle)
        part = joined((named, element.part_number, element.year), ", ")
        text = _followed(text, ". ", part) if named else joined((text, part), ", ") or ""
    return text


def _followed(before: str | None, glue: str, after: str | None) -> str:
    """One after the other; behind a full stop of its own a blank is enough."""
    if before and after and before.endswith(_FULL_STOPS):
        glue = " "
    return joined((before, after), glue) or ""


def _title_language(elements: Sequence[Element]) -> str | None:
    parts = (part for element in elements for part in element.children)
    return next(filter(None, (part.attribute("language") for part in parts)), None)


# --- collections


def collections(wording: Wording, descriptive: Element) -> tuple[Collection, ...]:
    """The collections a product belongs to, in document order."""
    return tuple(_collection(wording, found) for found in descriptive.all("Collection"))


def _collection(wording: Wording, collection: Element) -> Collection:
    titles = title_details(wording, collection)
    main = main_title(titles)
    return Collection(
        type=wording.coded(collection, "CollectionType"),
        title=_collection_title(main) if main else None,
        part_number=main.part_number if main else None,
        source_name=words(collection, "SourceName"),
        identifiers=wording.identifiers(collection, "CollectionIdentifier", "CollectionIDType"),
        sequences=_sequences(wording, collection),
        titles=titles,
        contributors=contributors(wording, collection),
    )


def _collection_title(main: TitleDetail) -> str:
    """Without the product's own part, which is no part of the collection's name, and without part numbers."""
    elements = [element for element in main.elements if element.level and element.level.code != _PRODUCT_LEVEL]
    name = ""
    for element in elements:
        name = _followed(name, ". ", _followed(element.title, ": ", element.subtitle))
    return name or main.title


def _sequences(wording: Wording, collection: Element) -> tuple[CollectionSequence, ...]:
    return tuple(
        CollectionSequence(
            type=wording.coded(found, "CollectionSequenceType"),
            number=number,
            type_name=words(found, "CollectionSequenceTypeName"),
        )
        for found in collection.all("CollectionSequence")
        if (number := words(found, "CollectionSequenceNumber"))
    )


# --- contributors


def contributors(wording: Wording, element: Element) -> tuple[Contributor, ...]:
    """The contributors of a product or a collection, in their order."""
    return tuple(_contributor(wording, found) for found in in_sequence(element.all("Contributor")))


def _contributor(wording: Wording, found: Element) -> Contributor:
    unnamed = wording.coded(found, "UnnamedPersons")
    name, sort_name = names(found)
    return Contributor(
        kind=_kind(found, is_named=name is not None),
        name=name or (unnamed.name if unnamed else None),
        sort_name=sort_name,
        roles=wording.all_coded(found, "ContributorRole"),
        name_type=wording.coded(found, "NameType"),
        unnamed=unnamed,
        from_languages=wording.all_coded(found, "FromLanguage"),
        to_languages=wording.all_coded(found, "ToLanguage"),
        identifiers=wording.identifiers(found, "NameIdentifier", "NameIDType"),
        alternative_names=tuple(_alternative_names(wording, found)),
        biographies=wording.texts(found, "BiographicalNote"),
        descriptions=plain_words(found, "ContributorDescription"),
        affiliations=_affiliations(found),
        places=_places(wording, found),
        dates=wording.dates(found, "ContributorDate"),
        websites=wording.websites(found),
    )


def _kind(found: Element, *, is_named: bool) -> str:
    if not is_named:
        return "unnamed"
    is_person = any(found.child(name) for name in ("PersonName", "PersonNameInverted", *_PERSON_PARTS))
    return "person" if is_person else "organisation"


def names(found: Element) -> tuple[str | None, str | None]:
    """How a person or an organisation is shown, and where it is sorted; of each as much as is there."""
    inverted = words(found, "PersonNameInverted")
    person = words(found, "PersonName") or joined(words(found, part) for part in _PERSON_PARTS) or _turned(inverted)
    if person:
        return person, inverted or _sorted_name(found)
    corporate, inverted = words(found, "CorporateName"), words(found, "CorporateNameInverted")
    return corporate or inverted, inverted or corporate


def _turned(inverted: str | None) -> str | None:
    """`Mankell, Henning` as it is spoken; with more than one comma nobody knows how."""
    key, comma, rest = (inverted or "").partition(", ")
    return f"{rest} {key}" if comma and "," not in rest else inverted


def _sorted_name(found: Element) -> str | None:
    key = joined(words(found, part) for part in _SORTED_KEY)
    return joined((key, joined(words(found, part) for part in _SORTED_REST)), ", ") if key else None


def _alternative_names(wording: Wording, found: Element) -> list[AlternativeName]:
    alternatives = []
    for alternative in found.all("AlternativeName"):
        name, sort_name = names(alternative)
        if name:
            identifiers = wording.identifiers(alternative, "NameIdentifier", "NameIDType")
            kind = wording.coded(alternative, "NameType")
            alternatives.append(AlternativeName(type=kind, name=name, sort_name=sort_name, identifiers=identifiers))
    return alternatives


def _affiliations(found: Element) -> tuple[Affiliation, ...]:
    return tuple(
        Affiliation(
            positions=all_words(affiliation, "ProfessionalPosition"), organisation=words(affiliation, "Affiliation")
        )
        for affiliation in found.all("ProfessionalAffiliation")
    )


def _places(wording: Wording, found: Element) -> tuple[Place, ...]:
    return tuple(
        Place(
            relator=wording.coded(place, "ContributorPlaceRelator"),
            country=wording.coded(place, "CountryCode"),
            region=wording.coded(place, "RegionCode"),
            locations=all_words(place, "LocationName"),
        )
        for place in found.all("ContributorPlace")
    )
