"""What a product is physically: composition, form, file format, measures and parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from syncengine.onix.element import Element, bare_code
from syncengine.onix.release2 import codes
from syncengine.onix.release2.building import chosen, code, composite, leaf, reshaped
from syncengine.onix.release2.identifiers import product_identifiers

_RETAIL_PRODUCT: Final = "00"
_OF_SEVERAL_PARTS: Final = "10"
_FORMAT_VERSION: Final = "10"
_ONLINE: Final = "EC"
_DELIVERED: Final = "EA"
_MEASURES: Final = {
    "Height": ("01", "DefaultLinearUnit"),
    "Width": ("02", "DefaultLinearUnit"),
    "Thickness": ("03", "DefaultLinearUnit"),
    "Weight": ("08", "DefaultWeightUnit"),
}
"""Elements of release 2 by their measure (list 48), and the default of the header that is their unit."""


def composition(product: Element) -> Iterator[Element]:
    """`ProductComposition` (list 2), which release 2 says by the form and by naming contents."""
    form = code(product, "ProductForm")
    if form or product.child("ContainedItem") is not None:
        whole = _OF_SEVERAL_PARTS if product.child("ContainedItem") is not None else _RETAIL_PRODUCT
        yield leaf("ProductComposition", codes.COMPOSITIONS.get(form, whole))


def form(element: Element) -> Iterator[Element]:
    """`ProductForm` (list 150) and `ProductFormDetail` (list 175)."""
    for found in element.all("ProductForm"):
        text = _electronic_form(element) or codes.FORMS.get(bare_code(found.content()), found.text)
        yield found._replace(text=text)
    details = [detail for detail in element.all("ProductFormDetail") if _is_detail(detail)]
    yield from details
    file_format = _file_format(element)
    if file_format and file_format not in {bare_code(detail.content()) for detail in details}:
        yield leaf("ProductFormDetail", file_format)


def features(element: Element) -> Iterator[Element]:
    """`ProductFormFeature` and what else describes the form in words."""
    yield from element.all("ProductFormFeature")
    if _file_format(element) and (version := code(element, "EpubTypeVersion")):
        parts = [leaf("ProductFormFeatureType", _FORMAT_VERSION), leaf("ProductFormFeatureValue", version)]
        yield composite("ProductFormFeature", parts)
    yield from chosen(element, "ProductPackaging ProductFormDescription")
    if _is_electronic(element):
        yield from chosen(element, "EpubTypeDescription=ProductFormDescription EpubTypeNote=ProductFormDescription")
    yield from chosen(element, "TradeCategory ProductContentType")


def measures(product: Element, defaults: Mapping[str, str]) -> Iterator[Element]:
    """`Measure`; a number without a unit says nothing, so single ones are taken where the header has a default."""
    known = set()
    for found in product.all("Measure"):
        known.add(code(found, "MeasureTypeCode"))
        yield reshaped(found, "Measure", "MeasureTypeCode=MeasureType Measurement MeasureUnitCode")
    for name, (kind, default) in _MEASURES.items():
        number, unit = code(product, name), defaults.get(default)
        if number and unit and kind not in known:
            parts = [leaf("MeasureType", kind), leaf("Measurement", number), leaf("MeasureUnitCode", unit)]
            yield composite("Measure", parts)


def protections(product: Element) -> Iterator[Element]:
    """`EpubTechnicalProtection` (list 144): as some senders put it in all the same, else of types that are locks."""
    stated = product.all("EpubTechnicalProtection")
    yield from stated
    locked = codes.EPUB_PROTECTIONS.get(code(product, "EpubType"))
    if locked and not stated and _is_electronic(product):
        yield leaf("EpubTechnicalProtection", locked)


def parts(product: Element) -> Iterator[Element]:
    """`ProductPart` for each thing the product contains."""
    for found in product.all("ContainedItem"):
        inside = [*product_identifiers(found), *form(found), *features(found)]
        counts = chosen(found, "NumberOfPieces=NumberOfItemsOfThisForm ItemQuantity=NumberOfCopies")
        kept = (element for element in inside if element.name != "TradeCategory")
        yield composite("ProductPart", [*kept, *counts])


def _is_electronic(element: Element) -> bool:
    """Whether list 10 has a say: real records of printed books carry it too."""
    return code(element, "ProductForm") in codes.ELECTRONIC_TEXT


def _electronic_form(element: Element) -> str | None:
    """The form of list 150 that the type of list 10 settles."""
    kind = code(element, "EpubType")
    if not kind or not _is_electronic(element):
        return None
    if kind in codes.EPUB_TYPES_ONLINE or code(element, "ProductForm") == "DH":
        return _ONLINE
    return _DELIVERED


def _file_format(element: Element) -> str | None:
    if not _is_electronic(element):
        return None
    by_type = codes.EPUB_TYPES.get(code(element, "EpubType"))
    return by_type or codes.EPUB_FORMATS.get(code(element, "EpubFormat"))


def _is_detail(detail: Element) -> bool:
    return bare_code(detail.content()) not in codes.FORM_DETAILS_GONE
