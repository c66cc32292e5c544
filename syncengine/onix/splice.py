"""Records of which some blocks are as they were: only the others are read (design section 4, tier 3).

A plain record is a start tag, its elements one behind the other, and an end tag. What stands in a new frame letter for letter as
it stood in the known one means the same. Each other element is parsed in its place between the tags; where it proves to be whole
by itself, so is the record. When in doubt the record is read from its beginning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final, NamedTuple

from syncengine.domain.frame import Context
from syncengine.domain.product import Product
from syncengine.domain.tags import SHORT_TAGS, Block
from syncengine.errors import RecordInvalid
from syncengine.onix.codelists import CodeLists
from syncengine.onix.defaults import defaulted
from syncengine.onix.dialect import reference_name
from syncengine.onix.digest import digests
from syncengine.onix.element import Element
from syncengine.onix.glance import walk_of
from syncengine.onix.markup import ATTRIBUTES, CONSTRUCTS, TERMINATORS
from syncengine.onix.plain import CODECS, MOST_BYTES, Written, elements, unwrapped
from syncengine.onix.repair import Wrapper, tree, wrapper_of
from syncengine.onix.walk import NotPlain

_CONSTRUCT: Final = re.compile(rb"<(?:" + CONSTRUCTS + rb")")
_START: Final = re.compile(rb"[ \t\r\n]*+<([^ \t\r\n<>/=\"'!?]++)" + ATTRIBUTES + rb"(?<!/)>[ \t\r\n]*+")
_TAG: Final = re.compile(rb"<([^ \t\r\n<>/=\"'!?]++)" + ATTRIBUTES + rb">")
_END: Final = re.compile(rb"</([^ \t\r\n<>]++)[ \t\r\n]*+>[ \t\r\n]*+")
_BLANKS: Final = re.compile(rb"[ \t\r\n]*+")
_BLOCKS: Final = {block.value: block for block in Block if block is not Block.RECORD}
_FIRST_BLOCK: Final = re.compile(
    rb"<(?:[^ \t\r\n<>/:=\"'!?]++:)?+(?:"
    + "|".join(sorted({*_BLOCKS, *(SHORT_TAGS[name] for name in _BLOCKS)})).encode()
    + rb")(?=[ \t\r\n/>])"
)
_MARKUP: Final = re.compile(r"<(?:[^<>\"']++|\"[^\"]*+\"|'[^']*+')*+>")
_WORD: Final = re.compile(r"[^\W\d_]{6,}")
"""Longer than any code of lists that are read as sets, and than the name of an entity that XML knows."""
_WORDS_TRIED: Final = 16
_BOUND: Final = b"<Bound/>"
"""Stands between the elements that are parsed together: what it does not stand between, either, was no whole element."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spliced:
    """A record's facts, and by the bytes of the blocks that are spelled otherwise how they were and are."""

    product: Product
    before: Mapping[Block, bytes]
    after: Mapping[Block, bytes]
    context: Context
    codec: str

    def differs(self, block: Block) -> bool:
        """Whether the block's content differs; raises RecordInvalid where its elements are nested too deep."""
        if block not in self.after:
            return False
        before, after = self._text(self.before[block]), self._text(self.after[block])
        return _say_other_words(before, after) or self._digest(block, before) != self._digest(block, after)

    def _text(self, written: bytes) -> str:
        return unwrapped(written.decode(self.codec))

    def _digest(self, block: Block, text: str) -> bytes | None:
        product = Element("Product", (), None, elements(text), None)
        return digests(defaulted(product, self.context.header)).get(block.word)


def splice(known: Product, old: bytes, written: Written, codes: CodeLists) -> Spliced | None:
    """The facts of a record of which `known` and `old` are facts and bytes; none where it is to be read from its beginning.

    `old` was read at a glance, in the same context and by the same code lists and extraction.
    """
    body, context = written.body, written.context
    wrapper = wrapper_of(context.opening, context.closing)
    if wrapper.codec not in CODECS or len(body) > MOST_BYTES or written.has_many_attributes:
        return None
    parts = _parts(old, body)
    if parts is None:
        return None
    try:
        return _read(known, parts, context, wrapper, codes)
    except (NotPlain, RecordInvalid):
        return None


def _say_other_words(one: str, other: str) -> bool:
    """Whether two plain texts of a block surely differ in content: a long word stands in but one of them.

    Looked at are the tags and texts that the two do not both begin or end with. However content is spelled, it keeps the words
    of its elements; only references to characters may hide some.
    """
    head = _alike(one, other)
    tail = _alike(one[: head - 1 : -1] if head else one[::-1], other[: head - 1 : -1] if head else other[::-1])
    start = max(one.rfind("<", 0, head), 0)
    some, others = (text[start : _next_tag(text, len(text) - tail)] for text in (one, other))
    if "&#" in some or "&#" in others:
        return False
    return _has_another_word(some, others) or _has_another_word(others, some)


def _has_another_word(one: str, other: str) -> bool:
    """Whether one of the first long words of a text is nowhere in another."""
    words = islice(_WORD.finditer(_MARKUP.sub(" ", one)), _WORDS_TRIED)
    return any(word[0] not in other for word in words)


def _alike(one: str, other: str) -> int:
    """How many characters both begin with."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _next_tag(text: str, at: int) -> int:
    found = text.find("<", at)
    return len(text) if found < 0 else found


class _Part(NamedTuple):
    """An element of a record in its known and in its new spelling, with the blanks behind it."""

    name: str
    old: bytes
    new: bytes

    @property
    def block(self) -> Block:
        return _BLOCKS[self.name]


class _Parts(NamedTuple):
    """The new start and end tags, and the blocks that differ."""

    opening: bytes
    parts: list[_Part]
    closing: bytes


def _read(known: Product, found: _Parts, context: Context, wrapper: Wrapper, codes: CodeLists) -> Spliced | None:
    if any(_BOUND in part.new for part in found.parts):
        return None
    names = [name for part in found.parts for name in (part.name, "Bound")]
    bounded = b"".join([piece for part in found.parts for piece in (part.new, _BOUND)])
    root = tree(found.opening + bounded + found.closing, wrapper)
    if root is None:
        return None
    before: dict[Block, bytes] = {}
    after: dict[Block, bytes] = {}
    for part in found.parts:
        before[part.block] = before.get(part.block, b"") + part.old
        after[part.block] = after.get(part.block, b"") + part.new
    product = walk_of(context, codes).patched(known, root, names)
    return Spliced(product=product, before=before, after=after, context=context, codec=wrapper.codec)


def _parts(old: bytes, new: bytes) -> _Parts | None:
    """Where the two differ: in whole blocks, and in the attributes of the record itself; none where in anything else."""
    old_tags, new_tags = _without_constructs(old), _without_constructs(new)
    old_start, new_start = _START.match(old_tags), _START.match(new_tags)
    if old_start is None or new_start is None or not _mean_the_same(old_start[0], new_start[0]):
        return None
    at, there = old_start.end(), new_start.end()
    first = _FIRST_BLOCK.search(old_tags, at)
    if first is None or not new.startswith(old[at : first.start()], there):
        return None
    at, there = first.start(), there + first.start() - at
    parts: list[_Part] = []
    supplies: list[_Part] = []
    for name, end in _elements(old_tags, at):
        written = old[at:end]
        part = _Part(reference_name(name.decode()), written, written)
        if not new.startswith(written, there):
            twin = next(_elements(new_tags, there), None)
            if twin is None or twin[0] != name or part.name not in _BLOCKS:
                return None
            part = _Part(part.name, written, new[there : twin[1]])
            parts.append(part)
        if part.name == Block.PRODUCT_SUPPLY:
            supplies.append(part)
        at, there = end, there + len(part.new)
    # The end tag shows that it were the record's own elements, and not those of another inside it.
    rest = _END.fullmatch(old_tags, at)
    if rest is None or rest[1] != old_start[1] or old[at:] != new[there:]:
        return None
    if any(part.name == Block.PRODUCT_SUPPLY for part in parts):
        parts = [part for part in parts if part.name != Block.PRODUCT_SUPPLY] + supplies
    return _Parts(new[: new_start.end()], parts, new[there:])


def _without_constructs(body: bytes) -> bytes:
    """The bytes with blanks in the place of comments, CDATA sections and instructions, so that every `<` begins a tag."""
    # A mark is looked for many times faster than what begins with `<`.
    if not ((b"!" in body and b"<!" in body) or (b"?" in body and b"<?" in body)):
        return body
    found, pieces, at = _CONSTRUCT.search(body), [], 0
    while found is not None:
        terminator = TERMINATORS[found[0]]
        end = body.find(terminator, found.end())
        if end < 0:
            break
        end += len(terminator)
        pieces += [body[at : found.start()], b" " * (end - found.start())]
        at = end
        found = _CONSTRUCT.search(body, at)
    return b"".join((*pieces, body[at:]))


def _mean_the_same(one: bytes, other: bytes) -> bool:
    """Whether two start tags differ but in attributes that say nothing of what is inside."""
    return one == other or (one.split(None, 1)[0] == other.split(None, 1)[0] and b"xmlns" not in one + other)


def _elements(tags: bytes, at: int) -> Iterator[tuple[bytes, int]]:
    """The names of elements that stand one behind the other, and where the blanks behind them end; as far as that is plain to see."""
    while tag := _TAG.match(tags, at):
        name, end = tag[1], tag.end()
        if not tag[0].endswith(b"/>"):
            close = b"</" + name + b">"
            found = tags.find(close, end)
            if found < 0 or tags.find(b"<" + name, end, found) >= 0:
                return
            end = found + len(close)
        blanks = _BLANKS.match(tags, end)
        at = blanks.end() if blanks else end
        yield name, at
