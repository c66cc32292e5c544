"""Identifiers of products, suppliers and parties: single elements and typed composites of release 2."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from syncengine.onix.element import Element, bare_code
from syncengine.onix.release2.building import chosen, code, composite, leaf

_TYPES: Final = {"EAN13": "03", "UPC": "04", "DOI": "06"}
_SHORT_AND_LONG_TYPES: Final = {"ISBN": ("02", "15"), "ISMN": ("05", "25")}
_SUPPLIER_TYPES: Final = {"SupplierEANLocationNumber": "06", "SupplierSAN": "07"}


def product_identifiers(element: Element) -> tuple[Element, ...]:
    """The `ProductIdentifier` composites, and those that the single elements stand for where no composite says the same."""
    typed = element.all("ProductIdentifier")
    known = {(code(found, "ProductIDType"), code(found, "IDValue")) for found in typed}
    return (*typed, *(found for found in _single(element) if _key(found) not in known))


def product_identifier(number: str, name: str = "ISBN") -> Element | None:
    """The composite for the content of a single element (list 5), none where it is empty."""
    value = bare_code(number)
    if name != "DOI":
        value = value.replace("-", "").replace(" ", "")
    if not value:
        return None
    kind = _TYPES.get(name) or _SHORT_AND_LONG_TYPES[name][len(value) == 13]
    return composite("ProductIdentifier", [leaf("ProductIDType", kind), leaf("IDValue", value)])


def supplier_identifiers(element: Element) -> Iterator[Element]:
    """The `SupplierIdentifier` composites, those of the older single elements included (list 92)."""
    yield from element.all("SupplierIdentifier")
    for name, kind in _SUPPLIER_TYPES.items():
        if number := code(element, name):
            yield composite("SupplierIdentifier", [leaf("SupplierIDType", kind), leaf("IDValue", number)])


def name_identifier(element: Element, name: str, kind: str) -> Iterator[Element]:
    """An identifier of a publisher or imprint, which release 2 has as three single elements (list 44)."""
    if element.child("NameCodeValue") is not None:
        shape = f"NameCodeType={kind} NameCodeTypeName=IDTypeName NameCodeValue=IDValue"
        yield composite(name, chosen(element, shape))


def _single(element: Element) -> Iterator[Element]:
    for name in (*_TYPES, *_SHORT_AND_LONG_TYPES):
        for child in element.all(name):
            if (found := product_identifier(child.content(), name)) is not None:
                yield found


def _key(identifier: Element) -> tuple[str, str]:
    return code(identifier, "ProductIDType"), code(identifier, "IDValue")
