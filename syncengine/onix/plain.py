"""Records as they nearly always come: well-formed, in the encoding they declare, and small enough to be compared by their text.

The parser proves that a record is well-formed without building a tree; then every `<` begins a tag, and blocks can be cut out at
the speed of a search. Elements are the very same as those of the parser's tree. What is not plain is for
`dialect.read_product`, which repairs and doubts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Final

from syncengine.domain.frame import Context
from syncengine.domain.tags import Block
from syncengine.errors import RecordInvalid
from syncengine.onix.dialect import MAX_DEPTH, reference_name
from syncengine.onix.element import Element
from syncengine.onix.release2 import MARK
from syncengine.onix.repair import is_well_formed, is_windows_1252, local_name, wrapper_of

CODECS: Final = frozenset({"utf-8", "ascii", "iso8859-1", "cp1252"})
"""Encodings that the parser and Python read alike."""

MOST_BYTES: Final = 1 << 20
"""Of a record that is compared by its text."""
_MOST_ATTRIBUTES: Final = 1000

_CLOSINGS: Final = {"<!--": "-->", "<![CDATA[": "]]>", "<?": "?>"}
_OPENING: Final = re.compile(r"<!--|<!\[CDATA\[|<\?")
_ATTRIBUTES: Final = r"(?:[ \t\n](?:[^<>\"'/]++|\"[^\"]*+\"|'[^']*+')*+)?+"
_TAG: Final = re.compile(
    rf"<(?:/[^>]*+>(?P<behind>[^<]*+)"
    rf"|(?P<tag>[^ \t\n<>/]++)(?P<attributes>{_ATTRIBUTES})"
    r"(?:/>(?P<after>[^<]*+)|>(?P<text>[^<]*+)(?:</[^>]*+>(?P<tail>[^<]*+))?+))"
)
"""An end tag with the text behind it, an empty element, an element without children to its end, or a start tag."""
_ATTRIBUTE: Final = re.compile(r"([^ \t\n=]++)[ \t\n]*+=[ \t\n]*+(?:\"([^\"]*+)\"|'([^']*+)')")
_REFERENCE: Final = re.compile(r"&(?:#x([0-9A-Fa-f]++)|#([0-9]++)|([a-z]++));")
_PREDEFINED: Final = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_BLANKS_IN_ATTRIBUTES: Final = str.maketrans("\t\n", "  ")
_BLOCKS: Final = {block.value: block for block in Block}

_new: Final = tuple.__new__

Attributes = tuple[tuple[str, str], ...]


class Written:
    """The bytes of one record, and what they are read in."""

    def __init__(self, body: bytes, context: Context) -> None:
        self.body = body
        self.context = context

    @property
    def has_many_attributes(self) -> bool:
        """Whether one of its elements may have more of them than is good."""
        return self.body.count(b"=") > _MOST_ATTRIBUTES

    @cached_property
    def plain(self) -> str | None:
        """The text of a record of ONIX 3, without comments and CDATA sections; none where it is not plain."""
        body, context = self.body, self.context
        wrapper = wrapper_of(context.opening, context.closing)
        if wrapper.codec not in CODECS or MARK.encode() in context.opening or is_windows_1252(body, wrapper):
            return None
        if len(body) > MOST_BYTES or self.has_many_attributes or not is_well_formed(body, wrapper):
            return None
        try:
            return unwrapped(body.decode(wrapper.codec))
        except UnicodeDecodeError:
            return None


def unwrapped(text: str) -> str:
    """Line ends as XML has them, comments and processing instructions left out, CDATA sections spelled as text."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "<!" not in text and "<?" not in text:
        return text
    parts, at = [], 0
    while found := _OPENING.search(text, at):
        end = text.index(_CLOSINGS[found[0]], found.end())
        parts.append(text[at : found.start()])
        if found[0] == "<![CDATA[":
            parts.append(text[found.end() : end].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))
        at = end + len(_CLOSINGS[found[0]])
    return "".join((*parts, text[at:]))


def cut(text: str) -> Mapping[Block, str] | None:
    """The text of each block of a plain record, several of one kind together; what belongs to no block is block zero.

    None where the end of a block cannot be told at a glance, and for a record without any, which may be of another release.
    """
    start = _TAG.match(text)
    if (
        start is None
        or reference_name(start["tag"] or "") != "Product"
        or start["text"] is None
        or start["tail"] is not None
    ):
        return None
    parts: dict[Block, list[str]] = {}
    at = start.end()
    while (found := _TAG.match(text, at)) and (tag := found["tag"]):
        is_open = found["text"] is not None and found["tail"] is None
        end = _end_of(text, found.end(), tag) if is_open else found.end()
        if end is None:
            return None
        parts.setdefault(_BLOCKS.get(reference_name(tag), Block.RECORD), []).append(text[at:end])
        at = end
    return {block: "".join(texts) for block, texts in parts.items()} if parts.keys() - {Block.RECORD} else None


def elements(text: str) -> tuple[Element, ...]:
    """The elements of a block of `cut`; raises RecordInvalid where they are nested too deep."""
    opened: list[tuple[str, Attributes, str | None, list[Element]]] = []
    children: list[Element] = []
    at = 0
    while found := _TAG.match(text, at):
        behind, tag, written, after, inside, tail = found.groups()
        at = found.end()
        if behind is not None:
            name, attributes, before, siblings = opened.pop()
            siblings.append(_new(Element, (name, attributes, before, tuple(children), _resolved(behind))))
            children = siblings
            continue
        name, attributes = reference_name(tag), _attributes(written) if written else ()
        if tail is not None:
            children.append(_new(Element, (name, attributes, _resolved(inside), (), _resolved(tail))))
        elif after is not None:
            children.append(_new(Element, (name, attributes, None, (), _resolved(after))))
        elif len(opened) < MAX_DEPTH - 1:
            opened.append((name, attributes, _resolved(inside), children))
            children = []
        else:
            raise RecordInvalid(f"elements nested more than {MAX_DEPTH} deep")
    return tuple(children)


def _end_of(text: str, at: int, tag: str) -> int | None:
    """Where the element that was opened before `at` ends, with the text behind it; none where it holds one of its own kind."""
    end = text.find(f"</{tag}>", at)
    if end < 0 or (text.find(f"<{tag}", at, end) >= 0 and _opens(tag).search(text, at, end)):
        return None
    following = text.find("<", end + 2)
    return following if following >= 0 else len(text)


@lru_cache(maxsize=256)
def _opens(tag: str) -> re.Pattern[str]:
    return re.compile(f"<{re.escape(tag)}[ \t\n/>]")


def _attributes(written: str) -> Attributes:
    """Without declarations of namespaces, their names without prefixes."""
    found = _ATTRIBUTE.findall(written)
    return tuple(
        [
            (local_name(name), _resolved((double or single).translate(_BLANKS_IN_ATTRIBUTES)) or "")
            for name, double, single in found
            if name != "xmlns" and not name.startswith("xmlns:")
        ]
    )


def _resolved(text: str) -> str | None:
    """A text as the parser gives it; none where there is none."""
    if "&" not in text:
        return text or None
    return _REFERENCE.sub(_character, text)


def _character(reference: re.Match[str]) -> str:
    hexadecimal, decimal, name = reference.groups()
    if name is not None:
        return _PREDEFINED[name]
    return chr(int(hexadecimal, 16) if hexadecimal else int(decimal))
