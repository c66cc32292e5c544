"""`TitleDetail` and `Collection`: the titles of a product, and the series and sets it belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from syncengine.onix.element import Element, bare_code
from syncengine.onix.release2.building import chosen, code, composite, leaf
from syncengine.onix.release2.contributors import contributors
from syncengine.onix.release2.identifiers import product_identifier

_PRODUCT, _COLLECTION, _PART = "01", "02", "03"
_DISTINCTIVE, _OTHER_LANGUAGE, _FORMER = "01", "06", "08"
_PUBLISHERS_COLLECTION: Final = "10"
_TITLE_ORDER: Final = "02"
_SEQUENCE: Final = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_PROPRIETARY, _ISSN, _ISBN = "01", "02", "15"
_TITLE_WORDS: Final = ("TitleText", "DistinctiveTitle", "TitleOfSeries", "TitleOfSet")


def title_details(product: Element) -> Iterator[Element]:
    """`TitleDetail` for the single elements, then for the composites; a title of one type stands only once."""
    composites = product.all("Title")
    if _DISTINCTIVE not in {code(title, "TitleType") for title in composites} and _has_title(product):
        yield _title_detail(_DISTINCTIVE, _element(_PRODUCT, product))
    for title in composites:
        yield _title_detail(code(title, "TitleType") or _DISTINCTIVE, _element(_PRODUCT, title))
    for kind, name in ((_OTHER_LANGUAGE, "TranslationOfTitle"), (_FORMER, "FormerTitle")):
        for words in product.all(name):
            level = leaf("TitleElementLevel", _PRODUCT)
            yield _title_detail(kind, composite("TitleElement", [level, words._replace(name="TitleText")]))


def collections(product: Element) -> Iterator[Element]:
    """`Collection` for each series and set, with the product's number in it."""
    for series in product.all("Series"):
        yield composite("Collection", _series(series))
    for whole in product.all("Set"):
        yield composite("Collection", _set(whole))
    yield from chosen(product, "NoSeries=NoCollection")


def _series(series: Element) -> Iterator[Element]:
    yield leaf("CollectionType", _PUBLISHERS_COLLECTION)
    for found in series.all("SeriesIdentifier"):
        yield composite("CollectionIdentifier", chosen(found, "SeriesIDType=CollectionIDType IDTypeName IDValue"))
    for kind, name in ((_ISSN, "SeriesISSN"), (_PROPRIETARY, "PublisherSeriesCode")):
        if value := code(series, name):
            yield _identifier(kind, value)
    number = series.child("NumberWithinSeries")
    yield from _sequence(number)
    yield from _collection_titles(series, _part_number(number))
    yield from contributors(series)


def _set(whole: Element) -> Iterator[Element]:
    yield leaf("CollectionType", _PUBLISHERS_COLLECTION)
    numbers = [code(whole, name) for name in ("ISBNOfSet", "EAN13OfSet")]
    identifiers = [*whole.all("ProductIdentifier"), *filter(None, map(product_identifier, numbers))]
    isbns = {code(found, "IDValue") for found in identifiers if len(code(found, "IDValue")) == 13}
    yield from (_identifier(_ISBN, isbn) for isbn in sorted(isbns))
    number = whole.child("ItemNumberWithinSet") or whole.child("SetPartNumber")
    yield from _sequence(number)
    part = [words._replace(name="TitleText") for words in whole.all("SetPartTitle")]
    below = [composite("TitleElement", [leaf("TitleElementLevel", _PART), *part])] if part else []
    yield from _collection_titles(whole, [*below, *_part_number(number)])


def _identifier(kind: str, number: str) -> Element:
    return composite("CollectionIdentifier", [leaf("CollectionIDType", kind), leaf("IDValue", number)])


def _sequence(number: Element | None) -> Iterator[Element]:
    """`CollectionSequence` for a plain number."""
    if number is not None and _SEQUENCE.fullmatch(bare_code(number.content())):
        kind = leaf("CollectionSequenceType", _TITLE_ORDER)
        yield composite("CollectionSequence", [kind, number._replace(name="CollectionSequenceNumber")])


def _part_number(number: Element | None) -> list[Element]:
    """The product's own part of the collection's title for what is no plain number, for example "Volume 3"."""
    if number is None or not bare_code(number.content()) or list(_sequence(number)):
        return []
    level = leaf("TitleElementLevel", _PRODUCT)
    return [composite("TitleElement", [level, number._replace(name="PartNumber")])]


def _collection_titles(collection: Element, below: Sequence[Element] = ()) -> Iterator[Element]:
    """The collection's own title, to which the part of it belongs that the product is in; then its other titles."""
    titles = collection.all("Title")
    if _has_title(collection):
        yield _title_detail(_DISTINCTIVE, _element(_COLLECTION, collection), *below)
    for title in titles:
        yield _title_detail(code(title, "TitleType") or _DISTINCTIVE, _element(_COLLECTION, title))


def _title_detail(kind: str, *elements: Element) -> Element:
    return composite("TitleDetail", [leaf("TitleType", kind), *elements])


def _has_title(element: Element) -> bool:
    return any(element.child(name) is not None for name in (*_TITLE_WORDS, "TitleWithoutPrefix"))


def _element(level: str, element: Element) -> Element:
    """A `TitleElement`: with its prefix apart where both together are the title, else with the title as it is written."""
    whole = next(filter(None, map(element.child, _TITLE_WORDS)), None)
    split = list(chosen(element, "TitlePrefix TitleWithoutPrefix"))
    words = split if len(split) == 2 and (whole is None or _words(split) == _words([whole])) else []
    if not words:
        words = [whole._replace(name="TitleText")] if whole is not None else split
    rest = chosen(element, "Subtitle")
    years = chosen(element, "YearOfAnnual")
    return composite("TitleElement", [leaf("TitleElementLevel", level), *years, *words, *rest])


def _words(elements: Sequence[Element]) -> str:
    return "".join("".join(element.content() for element in elements).split()).casefold()
