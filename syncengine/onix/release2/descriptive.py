"""`DescriptiveDetail`: what a product is, is called and is about, and who made it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from syncengine.onix.element import Element, bare_code
from syncengine.onix.release2 import codes
from syncengine.onix.release2.building import chosen, code, composite, leaf, reshaped
from syncengine.onix.release2.contributors import contributors, person_names
from syncengine.onix.release2.form import composition, features, form, measures, parts, protections
from syncengine.onix.release2.titles import collections, title_details

_SINGLE_LANGUAGES: Final = {"01": "LanguageOfText", "02": "OriginalLanguage"}
"""Elements of release 2 by their role (list 22)."""

_MAIN_PAGES, _FRONT_PAGES, _PAGES = "00", "03", "03"
_BISAC, _BIC = "10", "12"
_MAIN_SUBJECT: Final = Element("MainSubject", (), None, (), None)
_ONIX_AUDIENCE: Final = "01"


def descriptive_detail(product: Element, defaults: Mapping[str, str]) -> Iterator[Element]:
    """Its children in the order of ONIX 3."""
    yield from composition(product)
    yield from form(product)
    yield from features(product)
    yield from measures(product, defaults)
    yield from protections(product)
    yield from chosen(product, "MapScale ProductClassification")
    yield from parts(product)
    yield from collections(product)
    yield from title_details(product)
    yield from chosen(product, "ThesisType ThesisPresentedTo ThesisYear")
    yield from contributors(product)
    yield from chosen(product, "Conference EditionTypeCode=EditionType EditionNumber EditionVersionNumber")
    yield from chosen(product, "EditionStatement NoEdition")
    yield from _religious_text(product)
    yield from _languages(product)
    yield from _extents(product)
    yield from _illustrations(product)
    yield from _subjects(product)
    yield from _audiences(product)


def _religious_text(product: Element) -> Iterator[Element]:
    for found in product.all("ReligiousText"):
        shape = "Bible ReligiousTextID=ReligiousTextIdentifier ReligiousTextIdentifier ReligiousTextFeature"
        yield reshaped(found, "ReligiousText", shape)


def _languages(product: Element) -> Iterator[Element]:
    """The single elements for text and original, then the composites that say something else."""
    found = [
        *(_language(role, one) for role, name in _SINGLE_LANGUAGES.items() for one in product.all(name)),
        *(one for one in product.all("Language") if code(one, "LanguageRole") not in codes.LANGUAGE_ROLES_GONE),
    ]
    known = set()
    for language in found:
        key = (code(language, "LanguageRole"), code(language, "LanguageCode"), code(language, "CountryCode"))
        if key not in known:
            known.add(key)
            yield language


def _language(role: str, element: Element) -> Element:
    parts_of_it = [leaf("LanguageRole", role), leaf("LanguageCode", bare_code(element.content()))]
    return composite("Language", parts_of_it)


def _extents(product: Element) -> Iterator[Element]:
    stated = product.all("Extent")
    kinds = {code(extent, "ExtentType") for extent in stated}
    pages = code(product, "NumberOfPages") or code(product, "PagesArabic")
    if pages and _MAIN_PAGES not in kinds:
        yield _extent(_MAIN_PAGES, leaf("ExtentValue", pages))
    if (roman := code(product, "PagesRoman")) and _FRONT_PAGES not in kinds:
        yield _extent(_FRONT_PAGES, leaf("ExtentValueRoman", roman))
    yield from stated


def _extent(kind: str, value: Element) -> Element:
    return composite("Extent", [leaf("ExtentType", kind), value, leaf("ExtentUnit", _PAGES)])


def _illustrations(product: Element) -> Iterator[Element]:
    yield from chosen(product, "NumberOfIllustrations IllustrationsNote")
    shape = "IllustrationType=AncillaryContentType IllustrationTypeDescription=AncillaryContentDescription Number"
    for found in product.all("Illustrations"):
        yield reshaped(found, "AncillaryContent", shape)


def _subjects(product: Element) -> Iterator[Element]:
    """`Subject`, those of the main schemes flagged; then the persons and bodies that a book is about."""
    for scheme, name, version in ((_BISAC, "BASICMainSubject", "BASICVersion"), (_BIC, "BICMainSubject", "BICVersion")):
        if subject := code(product, name):
            versions = chosen(product, f"{version}=SubjectSchemeVersion")
            scheme_of_it = leaf("SubjectSchemeIdentifier", scheme)
            yield composite("Subject", [_MAIN_SUBJECT, scheme_of_it, *versions, leaf("SubjectCode", subject)])
    for found in product.all("MainSubject"):
        shape = (
            "MainSubjectSchemeIdentifier=SubjectSchemeIdentifier SubjectSchemeVersion SubjectCode SubjectHeadingText"
        )
        yield composite("Subject", [_MAIN_SUBJECT, *chosen(found, shape)])
    yield from product.all("Subject")
    for found in product.all("PersonAsSubject"):
        yield composite("NameAsSubject", person_names(found))
    for found in product.all("CorporateBodyAsSubject"):
        yield composite("NameAsSubject", [found._replace(name="CorporateName")])


def _audiences(product: Element) -> Iterator[Element]:
    for found in product.all("AudienceCode"):
        value = found._replace(name="AudienceCodeValue")
        yield composite("Audience", [leaf("AudienceCodeType", _ONIX_AUDIENCE), value])
    yield from chosen(product, "Audience AudienceRange AudienceDescription Complexity")
