"""`RelatedMaterial`: the work a product is of, and other products."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from syncengine.onix.element import Element
from syncengine.onix.release2 import codes
from syncengine.onix.release2.building import chosen, code, composite, leaf
from syncengine.onix.release2.form import form
from syncengine.onix.release2.identifiers import product_identifier, product_identifiers

_MANIFESTATION_OF: Final = "01"
_SINGLE: Final = {
    "ReplacesISBN": "03",
    "ReplacesEAN13": "03",
    "ReplacedByISBN": "05",
    "ReplacedByEAN13": "05",
    "AlternativeFormatISBN": "06",
    "AlternativeFormatEAN13": "06",
    "AlternativeProductISBN": "12",
    "AlternativeProductEAN13": "12",
}
"""Elements of release 2 by their relation (list 51)."""


def related_material(product: Element) -> Iterator[Element]:
    """Its children in the order of ONIX 3; a product without an identifier is none that could be found."""
    works = product.all("WorkIdentifier")
    if works:
        yield composite("RelatedWork", [leaf("WorkRelationCode", _MANIFESTATION_OF), *works])
    for found in product.all("RelatedProduct"):
        identifiers = product_identifiers(found)
        if identifiers and code(found, "RelationCode") not in codes.RELATIONS_GONE:
            relation = chosen(found, "RelationCode=ProductRelationCode")
            yield composite("RelatedProduct", [*relation, *identifiers, *form(found)])
    for name, kind in _SINGLE.items():
        identifier = product_identifier(code(product, name), "ISBN" if name.endswith("ISBN") else "EAN13")
        if identifier is not None:
            yield composite("RelatedProduct", [leaf("ProductRelationCode", kind), identifier])
