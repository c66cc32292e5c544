"""Elements of a record by their reference names: what extraction, digests and descriptions read."""

from __future__ import annotations

from typing import NamedTuple

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


def bare_code(text: str) -> str:
    """A code, or a list of codes, without blanks around and without the zero-width spaces that feeds carry in them."""
    return text.strip() if text.isascii() else text.translate(_ZERO_WIDTH).strip()
