"""Digests of a record's content, block by block, blind to how it was spelled (reference/onix.md 2.14).

Each element gets a canonical spelling: reference name, attributes in order, and either its text or the sorted spellings of its
children. The separators are control characters, which no XML text can hold, so that no two contents share a spelling.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from hashlib import blake2b

from syncengine.domain.frame import MessageHeader
from syncengine.domain.tags import XHTML_NAMES, Block
from syncengine.onix.defaults import defaulted
from syncengine.onix.dialect import Element, bare_code, read_product

_ATTRIBUTE, _CONTENT, _END, _PLACE = "\x02", "\x03", "\x01", "\x04"
_PROVENANCE = frozenset(["refname", "shortname", "datestamp", "sourcename", "sourcetype", "schemaLocation"])
_BLOCKS = {block.value: block for block in Block if block is not Block.RECORD}
# Siblings of these names are read in their order, unless each has a SequenceNumber.
_ORDERED = frozenset(["Contributor", "ContributorReference", "TitleElement", "ContentItem", "TextAuthor"])
# Composites whose children belong together by where they stand: a precision, then its value.
_IN_PAIRS = frozenset(["AudienceRange"])
_MARKUP = XHTML_NAMES | {name.upper() for name in XHTML_NAMES} | {"font", "FONT"}
_BLANKS = " \t\r\n\u00a0\u200b\u200c\u200d\u2060\ufeff"
_NO_DEFAULTS = MessageHeader()
_RUN = re.compile(r"[ \t\r\n]+")
_NUMBER = re.compile(r"[0-9]{1,20}(?:\.[0-9]{0,20})?")


def digests_of(
    opening: bytes, body: bytes, closing: bytes, header: MessageHeader = _NO_DEFAULTS
) -> Mapping[str, bytes]:
    """The digests of a stored raw frame, what its message's header says for it included; raises RecordInvalid."""
    product, _ = read_product(opening, body, closing)
    return digests(defaulted(product, header))


def digests(product: Element) -> Mapping[str, bytes]:
    """A 128-bit digest per block that the record has, by the block's word; block zero is `record`, and empty blocks are none.

    All `ProductSupply` composites are one block. What belongs to no block counts as block zero.
    """
    parts: defaultdict[str, list[str]] = defaultdict(list)
    for element in product.children:
        block = _BLOCKS.get(element.name, Block.RECORD)
        if block is Block.RECORD or element.children:
            parts[block.word].append(_spell(element))
    return {word: _digest(spellings) for word, spellings in parts.items()}


def _digest(spellings: list[str]) -> bytes:
    spellings.sort()
    return blake2b("".join(spellings).encode("utf-8"), digest_size=16).digest()


def _spell(element: Element) -> str:
    name, attributes, text, children, _ = element
    if not children:
        if not attributes:
            return f"{name}{_CONTENT}{_tidy(name, text) if text else ''}{_END}"
        kept = text or "" if element.attribute("textformat") is not None else _tidy(name, text or "")
        return f"{name}{_spell_attributes(attributes)}{_CONTENT}{kept}{_END}"
    names = {child.name for child in children}
    if _is_mixed(element, names):
        return _spell_mixed(element)
    spelled = "".join(map(_spell, children)) if name in _IN_PAIRS else _spell_children(children, names)
    return f"{name}{_spell_attributes(attributes)}{_CONTENT}{spelled}{_END}"


def _is_mixed(element: Element, names: set[str]) -> bool:
    """Whether blanks and order inside belong to a text: markup, text beside elements, or a declared text format."""
    if not _MARKUP.isdisjoint(names):
        return True
    if element.attributes and element.attribute("textformat") is not None:
        return True
    beside = (element.text or "") + "".join([child.tail or "" for child in element.children])
    return bool(beside) and not beside.isspace()


def _spell_children(children: tuple[Element, ...], names: set[str]) -> str:
    if "DateFormat" in names:
        children = _with_date_format(children)
    spellings = [_spell(child) for child in children]
    if not _ORDERED.isdisjoint(names):
        for name in _ORDERED & names:
            _spell_places(name, children, spellings)
    spellings.sort()
    return "".join(spellings)


def _spell_attributes(attributes: Sequence[tuple[str, str]]) -> str:
    if not attributes:
        return ""
    return "".join([f"{_ATTRIBUTE}{name}={value}" for name, value in sorted(attributes) if name not in _PROVENANCE])


def _spell_places(name: str, children: Sequence[Element], spellings: list[str]) -> None:
    """Put the place among its like before each spelling, unless they are all numbered."""
    indexes = [index for index, child in enumerate(children) if child.name == name]
    if any(children[index].child("SequenceNumber") is None for index in indexes):
        for place, index in enumerate(indexes):
            spellings[index] = f"{name}{_PLACE}{place:06}{spellings[index]}"


def _spell_mixed(element: Element) -> str:
    inside = "".join([_spell_mixed(child) + (child.tail or "") for child in element.children])
    return f"{element.name}{_spell_attributes(element.attributes)}{_CONTENT}{element.text or ''}{inside}{_END}"


def _with_date_format(children: tuple[Element, ...]) -> tuple[Element, ...]:
    """Spell 3.0's child `DateFormat` as the attribute of its `Date` that 3.1 has; where both occur the attribute holds."""
    form = next(child for child in children if child.name == "DateFormat")
    code = ("dateformat", bare_code(form.text or ""))
    return tuple(_with_attribute(child, code) for child in children if child is not form)


def _with_attribute(child: Element, attribute: tuple[str, str]) -> Element:
    if child.name != "Date" or child.attribute(attribute[0]) is not None:
        return child
    return child._replace(attributes=(*child.attributes, attribute))


def _tidy(name: str, text: str) -> str:
    if spell := _SPECIAL.get(name):
        return spell(text)
    if text.isascii():
        return " ".join(text.split())
    return _RUN.sub(" ", text.strip(_BLANKS))


def _spell_codes(text: str) -> str:
    return " ".join(sorted(set(bare_code(text).split())))


def _spell_number(text: str) -> str:
    """`9.90` is `9.9`; what is no number stays as it is."""
    bare = bare_code(text)
    return f"{Decimal(bare).normalize():f}" if _NUMBER.fullmatch(bare) else bare


_SPECIAL: Mapping[str, Callable[[str], str]] = {
    **dict.fromkeys(["CountriesIncluded", "RegionsIncluded", "CountriesExcluded", "RegionsExcluded"], _spell_codes),
    **dict.fromkeys(["PriceAmount", "TaxableAmount", "TaxAmount", "TaxRatePercent"], _spell_number),
    **dict.fromkeys(["DiscountPercent", "DiscountAmount"], _spell_number),
}
