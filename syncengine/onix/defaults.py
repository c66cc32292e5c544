"""What a message's header says for records that do not say it themselves, put into the record (reference/onix.md 2.2, 2.14).

So a price means the same, and a record compares equal, wherever its price type, currency and language were written.
"""

from __future__ import annotations

from collections.abc import Callable

from syncengine.domain.frame import MessageHeader
from syncengine.onix.element import Element

_LANGUAGE_OF_TEXT = "01"
"""List 22."""


def defaulted(product: Element, header: MessageHeader) -> Element:
    """The product with the header's defaults in it; the same object where there are none."""
    if header.default_price_type or header.default_currency:
        product = _within(product, ("ProductSupply", "SupplyDetail", "Price"), lambda price: priced(price, header))
    if header.default_language:
        language = header.default_language
        product = _within(product, ("DescriptiveDetail",), lambda detail: _spoken(detail, language))
    return product


def _within(element: Element, path: tuple[str, ...], change: Callable[[Element], Element]) -> Element:
    """The element with the change made to every descendant at the path."""
    if not path:
        return change(element)
    children = tuple(_within(child, path[1:], change) if child.name == path[0] else child for child in element.children)
    return element._replace(children=children)


def priced(price: Element, header: MessageHeader) -> Element:
    """A price with the header's type and currency, where it has none; the same object where it has."""
    missing = header.price_defaults({child.name for child in price.children if child.content().strip()})
    unsaid = (_leaf(name, text) for name, text in missing.items())
    return price._replace(children=(*unsaid, *price.children)) if missing else price


def _spoken(detail: Element, language: str) -> Element:
    """The product's text is in the message's language, unless it says otherwise; an empty block says nothing and stays so."""
    if not detail.children:
        return detail
    for stated in detail.all("Language"):
        role = stated.child("LanguageRole")
        if role is not None and role.content().strip() == _LANGUAGE_OF_TEXT:
            return detail
    children = (_leaf("LanguageRole", _LANGUAGE_OF_TEXT), _leaf("LanguageCode", language))
    return detail._replace(children=(*detail.children, Element("Language", (), None, children, None)))


def _leaf(name: str, text: str) -> Element:
    return Element(name, (), text, (), None)
