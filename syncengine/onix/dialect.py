"""One record's XML as elements of ONIX 3, whatever namespace, release and tag style it was written in."""

from __future__ import annotations

from functools import lru_cache

from lxml import etree

from syncengine.domain.passes import Noted, WarningKind
from syncengine.domain.tags import REFERENCE_NAMES, RELEASE_2_NAMES, Block
from syncengine.errors import RecordInvalid
from syncengine.onix.element import Element, bare_code
from syncengine.onix.release2 import MARK, RELEASE, upgraded
from syncengine.onix.repair import local_name, repair

__all__ = ["MAX_DEPTH", "Element", "bare_code", "element_of", "read_product", "reference_name"]

MAX_DEPTH = 100
"""How deep the elements of a record may be nested, the record itself being the first."""

_MAX_ATTRIBUTES = 1000
_NAMES = {**RELEASE_2_NAMES, **REFERENCE_NAMES}
_BLOCKS = frozenset(block.value for block in Block)
_ONLY_IN_RELEASE_2 = frozenset(
    {
        *("ISBN", "EAN13", "ProductForm", "Title", "DistinctiveTitle"),
        *("PublishingStatus", "PublicationDate", "SalesRights", "SupplyDetail"),
    }
)
"""What a `Product` of release 2 has itself, and one of ONIX 3 only inside its blocks or not at all."""

_MISLABELLED = Noted(WarningKind.RELEASE, "a record of ONIX 2 in a message of ONIX 3; read as 2.1")


def read_product(opening: bytes, body: bytes, closing: bytes) -> tuple[Element, tuple[Noted, ...]]:
    """The `Product` of one record, and what had to be repaired; raises RecordInvalid.

    One of release 2, which the opening tells or its own content, comes in the shape of ONIX 3.
    """
    found = repair(opening, body, closing)
    product = element_of(_product(found.root), 1)
    if found.root.get(MARK) == RELEASE:
        return upgraded(product, {str(name): str(value) for name, value in found.root.items()}), found.warnings
    if is_mislabelled(product):
        return upgraded(product), (*found.warnings, _MISLABELLED)
    return product, found.warnings


def is_mislabelled(product: Element) -> bool:
    """Whether a record of release 2 stands under another's name: read as ONIX 3 it would say nothing (reference/onix.md 2.16)."""
    names = {child.name for child in product.children}
    return _BLOCKS.isdisjoint(names) and not _ONLY_IN_RELEASE_2.isdisjoint(names)


@lru_cache(maxsize=4096)
def reference_name(tag: str) -> str:
    """The reference name of a tag in the parser's notation, which may be `{namespace}short`."""
    local = local_name(tag)
    return _NAMES.get(local, local)


def _product(root: etree._Element) -> etree._Element:
    if reference_name(str(root.tag)) == "Product":
        return root
    products = [node for node in root if reference_name(str(node.tag)) == "Product"]
    if len(products) != 1:
        raise RecordInvalid(f"{len(products) or 'no'} Product elements where one record was expected")
    return products[0]


def element_of(node: etree._Element, depth: int = 1) -> Element:
    """A node of the parser's tree with all that it holds; raises RecordInvalid where that is too much, or too deep."""
    if depth > MAX_DEPTH:
        raise RecordInvalid(f"elements nested more than {MAX_DEPTH} deep, line {node.sourceline} of the record")
    # Counted by their names first, for reading the values takes as many steps as there are attributes, squared.
    names = node.keys()
    if len(names) > _MAX_ATTRIBUTES:
        raise RecordInvalid(f"{len(names)} attributes on one element, line {node.sourceline} of the record")
    items = node.items() if names else ()
    attributes = tuple([(local_name(str(name)), str(value)) for name, value in items]) if items else ()
    children = tuple([element_of(child, depth + 1) for child in node]) if len(node) else ()
    return Element(reference_name(node.tag), attributes, node.text, children, node.tail)
