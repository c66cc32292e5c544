"""One record's XML as elements with reference names, whatever namespace, release and tag style it was written in."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from lxml import etree

from syncengine.domain.tags import REFERENCE_NAMES
from syncengine.errors import RecordInvalid
from syncengine.onix.repair import local_name, repair

_MAX_DEPTH = 100
_ZERO_WIDTH = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff"))


class Element(NamedTuple):
    """An element by its reference name, or its local name where ONIX does not know it; attributes without namespaces."""

    name: str
    attributes: tuple[tuple[str, str], ...]
    text: str | None
    children: tuple[Element, ...]
    tail: str | None

    def child(self, name: str) -> Element | None:
        """The first child of that reference name."""
        for element in self.children:
            if element.name == name:
                return element
        return None

    def all(self, name: str) -> list[Element]:
        """The children of that reference name, in document order."""
        return [element for element in self.children if element.name == name]

    def attribute(self, name: str) -> str | None:
        """The value of an attribute."""
        for known, value in self.attributes:
            if known == name:
                return value
        return None

    def content(self) -> str:
        """All text inside, markup left out."""
        if not self.children:
            return self.text or ""
        return (self.text or "") + "".join(child.content() + (child.tail or "") for child in self.children)


def read_product(opening: bytes, body: bytes, closing: bytes) -> tuple[Element, tuple[str, ...]]:
    """The `Product` of one record, and what had to be repaired; raises RecordInvalid."""
    found = repair(opening, body, closing)
    if reference_name(str(found.root.tag)) == "Product":
        return _element(found.root, 1), found.warnings
    products = [node for node in found.root if reference_name(str(node.tag)) == "Product"]
    if len(products) != 1:
        raise RecordInvalid(f"{len(products) or 'no'} Product elements where one record was expected")
    return _element(products[0], 1), found.warnings


@lru_cache(maxsize=4096)
def reference_name(tag: str) -> str:
    """The reference name of a tag in the parser's notation, which may be `{namespace}short`."""
    local = local_name(tag)
    return REFERENCE_NAMES.get(local, local)


def bare_code(text: str) -> str:
    """A code, or a list of codes, without blanks around and without the zero-width spaces that feeds carry in them."""
    return text.strip() if text.isascii() else text.translate(_ZERO_WIDTH).strip()


def _element(node: etree._Element, depth: int) -> Element:
    if depth > _MAX_DEPTH:
        raise RecordInvalid(f"elements nested more than {_MAX_DEPTH} deep, line {node.sourceline} of the record")
    items = node.items()
    attributes = tuple([(local_name(str(name)), str(value)) for name, value in items]) if items else ()
    children = tuple([_element(child, depth + 1) for child in node]) if len(node) else ()
    return Element(reference_name(node.tag), attributes, node.text, children, node.tail)
