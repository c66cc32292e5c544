"""`CollateralDetail`: texts, pictures, samples and prizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from syncengine.onix.element import Element
from syncengine.onix.release2 import codes
from syncengine.onix.release2.building import chosen, code, composite, dated, leaf

_ANYBODY: Final = "00"
_SINGLE_TEXTS: Final = {"Annotation": "02", "MainDescription": "03", "ReviewQuote": "06"}
_PUBLISHED, _FROM, _UNTIL, _UPDATED = "01", "14", "15", "17"
_FRONT_COVER: Final = "01"
_LINKABLE: Final = "01"
_FILE_FORMAT: Final = "01"
_XHTML: Final = "05"
_FEATURES: Final = {"DownloadCredit": "01", "DownloadCaption": "02", "DownloadCopyrightNotice": "03"}


def collateral_detail(product: Element) -> Iterator[Element]:
    """Its children in the order of ONIX 3."""
    texts = product.all("OtherText")
    for name, kind in _SINGLE_TEXTS.items():
        for words in product.all(name):
            yield _text_content(kind, _ANYBODY, [_marked_up(words._replace(name="Text"))])
    for text in texts:
        yield from _other_text(text)
    for text in texts:
        yield from _linked_text(text)
    yield from _cover(product)
    for file in product.all("MediaFile"):
        yield from _media_file(file)
    yield from product.all("Prize")


def _other_text(text: Element) -> Iterator[Element]:
    kind = codes.TEXT_TYPES.get(code(text, "TextTypeCode"))
    if kind is None or text.child("Text") is None:
        return
    audience = codes.TEXT_AUDIENCES.get(code(text, "TextTypeCode"), _ANYBODY)
    text_format = codes.TEXT_FORMATS.get(code(text, "TextFormat"), "")
    words = [_marked_up(found, text_format) for found in text.all("Text")]
    sources = chosen(text, "TextAuthor TextSourceCorporate TextSourceTitle=SourceTitle")
    dates = [
        *dated("ContentDate", _PUBLISHED, text.child("TextPublicationDate")),
        *dated("ContentDate", _FROM, text.child("StartDate")),
        *dated("ContentDate", _UNTIL, text.child("EndDate")),
    ]
    yield _text_content(kind, audience, [*words, *sources, *dates])


def _text_content(kind: str, audience: str, parts: Sequence[Element]) -> Element:
    return composite("TextContent", [leaf("TextType", kind), leaf("ContentAudience", audience), *parts])


def _marked_up(text: Element, text_format: str = "") -> Element:
    """The text with its format as the attribute that ONIX 3 has; elements inside can only be XHTML."""
    known = _XHTML if text.children else text_format
    if not known or text.attribute("textformat") is not None:
        return text
    return text._replace(attributes=(*text.attributes, ("textformat", known)))


def _linked_text(text: Element) -> Iterator[Element]:
    kind = codes.LINKED_TEXTS.get(code(text, "TextTypeCode"))
    link = code(text, "TextLink")
    if kind and link and code(text, "TextLinkType") in codes.WEB_LINKS:
        yield _resource(kind, codes.TEXT, [leaf("ResourceLink", link)])


def _cover(product: Element) -> Iterator[Element]:
    link = code(product, "CoverImageLink")
    if link and code(product, "CoverImageLinkTypeCode") in codes.WEB_LINKS:
        formats = _file_format(code(product, "CoverImageFormatCode"))
        yield _resource(_FRONT_COVER, codes.IMAGE, [*formats, leaf("ResourceLink", link)])


def _media_file(file: Element) -> Iterator[Element]:
    kind = codes.RESOURCES.get(code(file, "MediaFileTypeCode"))
    link = code(file, "MediaFileLink")
    if not kind or not link or code(file, "MediaFileLinkTypeCode") not in codes.WEB_LINKS:
        return
    formats = _file_format(code(file, "MediaFileFormatCode"))
    updated = dated("ContentDate", _UPDATED, file.child("MediaFileDate"))
    features = [
        composite("ResourceFeature", [leaf("ResourceFeatureType", feature), words._replace(name="FeatureNote")])
        for name, feature in _FEATURES.items()
        for words in file.all(name)
    ]
    mode = codes.RESOURCE_MODES.get(code(file, "MediaFileTypeCode"), codes.IMAGE)
    yield _resource(kind, mode, [*formats, leaf("ResourceLink", link), *updated], features)


def _file_format(written: str) -> Iterator[Element]:
    if value := codes.FILE_FORMATS.get(written):
        parts = [leaf("ResourceVersionFeatureType", _FILE_FORMAT), leaf("FeatureValue", value)]
        yield composite("ResourceVersionFeature", parts)


def _resource(kind: str, mode: str, version: Sequence[Element], features: Sequence[Element] = ()) -> Element:
    return composite(
        "SupportingResource",
        [
            leaf("ResourceContentType", kind),
            leaf("ContentAudience", _ANYBODY),
            leaf("ResourceMode", mode),
            *features,
            composite("ResourceVersion", [leaf("ResourceForm", _LINKABLE), *version]),
        ],
    )
