"""Block updates: the blocks of a partial record put into the known one (reference/onix.md 2.5)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lxml import etree

from syncengine.domain.frame import MessageHeader
from syncengine.domain.passes import Noted, WarningKind
from syncengine.domain.tags import REFERENCE_NAMES, SHORT_TAGS, Block
from syncengine.errors import RecordInvalid

_BLOCKS = tuple(block for block in Block if block is not Block.RECORD)
_BLOCK_NAMES = frozenset(block.value for block in _BLOCKS)
_MANDATORY = frozenset([Block.DESCRIPTIVE_DETAIL, Block.PUBLISHING_DETAIL, Block.PRODUCT_SUPPLY])
_IDENTIFIER = "ProductIdentifier"
_LANGUAGE_OF_TEXT = "01"
_SUPPLY_ORDER = {"MarketReference": 0, "Market": 1, "MarketPublishingDetail": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """One `Product` element as it is after an update, and what is to be told of how it came about."""

    body: bytes
    noted: tuple[Noted, ...] = ()


def merge(base: bytes, update: bytes) -> Merged:
    """The base with the update's blocks in the place of its own, in the base's names and namespace.

    Both are whole, well-formed documents of one record; the bytes are in the base document's encoding, ready to stand between
    its opening and closing. An update without blocks gives the base back. Raises RecordInvalid.
    """
    known, news = _Record.read(base, "the known record"), _Record.read(update, "the block update")
    if known.reference != news.reference:
        raise RecordInvalid(f"a block update for {news.reference} cannot be applied to {known.reference}")
    if not news.blocks:
        return Merged(body=known.serialised())
    noted = (*_replaced_markets(known, news), *_new_identifiers(known, news))
    names = _Names(known.product, news.product)
    known.rebuild([*_identifiers(known, news, names), *_merged(known, news, names)])
    return Merged(body=known.serialised(), noted=noted)


def with_explicit_defaults(document: bytes, header: MessageHeader) -> bytes:
    """A whole document of one record that says itself what it took from its message's header.

    Needed before blocks of messages with different defaults stand in one record. Raises RecordInvalid.
    """
    record = _Record.read(document, "the record")
    for price in [node for node in record.product.iter("*") if _name(node) == "Price"]:
        _make_explicit(price, header)
    for detail in record.blocks.get(Block.DESCRIPTIVE_DETAIL, ()):
        # An empty block of an update stays empty: it is to be refused.
        if header.default_language and len(detail):
            _say_language(detail, header.default_language)
    return _spelled(record.root, record.encoding, declared=True)


def _make_explicit(price: etree._Element, header: MessageHeader) -> None:
    missing = header.price_defaults({_name(child) for child in price if _text(child)})
    for place, (name, text) in enumerate(missing.items()):
        price.insert(place, _made(name, price, text))


def _say_language(detail: etree._Element, language: str) -> None:
    """The product's text is in the message's language, unless it says otherwise (list 22)."""
    stated = [node for node in detail if _name(node) == "Language"]
    if any(_name(part) == "LanguageRole" and _text(part) == _LANGUAGE_OF_TEXT for node in stated for part in node):
        return
    composite = _made("Language", detail)
    composite.extend([_made("LanguageRole", detail, _LANGUAGE_OF_TEXT), _made("LanguageCode", detail, language)])
    detail.append(composite)


def _made(name: str, beside: etree._Element, text: str | None = None) -> etree._Element:
    """A new element in the namespace and the tag style of another."""
    tag = name if _name(beside) == _local(beside) else SHORT_TAGS[name]
    namespace = _namespace(beside)
    element = beside.makeelement(f"{{{namespace}}}{tag}" if namespace else tag)
    element.text = text
    return element


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """A parsed document with its one record, block by block under the blocks' reference names."""

    root: etree._Element
    product: etree._Element
    encoding: str
    zero: Sequence[etree._Element]
    blocks: Mapping[str, Sequence[etree._Element]]

    @classmethod
    def read(cls, document: bytes, what: str) -> _Record:
        """Parse; raises RecordInvalid naming which of the two it is."""
        parser = etree.XMLParser(no_network=True, huge_tree=False, remove_comments=True, remove_pis=True)
        try:
            root = etree.fromstring(document, parser)
        except etree.XMLSyntaxError as error:
            raise RecordInvalid(f"{what} is not well-formed XML: {error.msg}") from error
        found = [root] if _name(root) == "Product" else [node for node in root if _name(node) == "Product"]
        if len(found) != 1:
            raise RecordInvalid(f"{what} has {len(found) or 'no'} Product elements")
        blocks: defaultdict[str, list[etree._Element]] = defaultdict(list)
        zero = []
        for node in found[0]:
            if _name(node) in _BLOCK_NAMES:
                blocks[_name(node)].append(node)
            else:
                zero.append(node)
        encoding = root.getroottree().docinfo.encoding or "UTF-8"
        return cls(root=root, product=found[0], encoding=encoding, zero=zero, blocks=blocks)

    @property
    def reference(self) -> str | None:
        return next((_text(node) for node in self.zero if _name(node) == "RecordReference"), None)

    def rebuild(self, children: Sequence[etree._Element]) -> None:
        """Make these the children of the `Product`, in this order."""
        for node in list(self.product):
            self.product.remove(node)
        self.product.extend(children)

    def serialised(self) -> bytes:
        """The bytes of the `Product`; namespaces declared around it are not repeated on it."""
        self.product.tail = None
        if self.product is self.root:
            return _spelled(self.root, self.encoding)
        for node in list(self.root):
            if node is not self.product:
                self.root.remove(node)
        self.root.text = None
        # The serialiser escapes ">" in attributes, so the first one ends the root's start tag.
        document = _spelled(self.root, self.encoding)
        return document[document.index(b">") + 1 : document.rindex(b"</")]


def _spelled(root: etree._Element, encoding: str, *, declared: bool = False) -> bytes:
    spelled = etree.tostring(root, encoding=encoding, xml_declaration=declared)
    return spelled if isinstance(spelled, bytes) else spelled.encode(encoding)


class _Names:
    """How the update's elements are called in the base: in its namespace, and in its tag style where the styles differ."""

    def __init__(self, base: etree._Element, update: etree._Element) -> None:
        self._base = base
        self._namespace = _namespace(base)
        self._foreign = _namespace(update)
        self._tags: Mapping[str, str] = {}
        if _is_short(base) and not _is_short(update):
            self._tags = SHORT_TAGS
        elif _is_short(update) and not _is_short(base):
            self._tags = REFERENCE_NAMES

    def adopt(self, sent: Iterable[etree._Element]) -> list[etree._Element]:
        """Copies of the update's elements, made inside the base so that they take up its prefixes."""
        return [self._copy(node, self._base) for node in sent]

    def _copy(self, node: etree._Element, parent: etree._Element) -> etree._Element:
        twin = etree.SubElement(parent, self._tag(node), {str(name): str(value) for name, value in node.items()})
        twin.text, twin.tail = node.text, node.tail
        for child in node:
            self._copy(child, twin)
        return twin

    def _tag(self, node: etree._Element) -> str:
        if _namespace(node) != self._foreign:
            return node.tag
        local = _local(node)
        local = self._tags.get(local, local)
        return f"{{{self._namespace}}}{local}" if self._namespace else local


def _merged(known: _Record, news: _Record, names: _Names) -> list[etree._Element]:
    """The blocks of the merged record in the order of the XML."""
    merged: list[etree._Element] = []
    for block in _BLOCKS:
        old, new = known.blocks.get(block, ()), news.blocks.get(block, ())
        if block is Block.PRODUCT_SUPPLY and new:
            merged.extend(_merged_supplies(old, new, names))
        elif new:
            merged.extend(names.adopt(_filled(block, new)))
        else:
            merged.extend(old)
    return merged


def _filled(block: Block, sent: Sequence[etree._Element]) -> list[etree._Element]:
    """The blocks that say something; an empty one removes what was known, where the standard lets it."""
    filled = [node for node in sent if len(node)]
    if not filled and block in _MANDATORY:
        raise RecordInvalid(f"a block update may not empty {block}")
    return filled


def _merged_supplies(
    old: Sequence[etree._Element], new: Sequence[etree._Element], names: _Names
) -> list[etree._Element]:
    """All markets together, unless every composite of both sides names its market."""
    new = _filled(Block.PRODUCT_SUPPLY, new)
    if not old or not all(_market(supply) for supply in (*old, *new)):
        return names.adopt(new)
    by_market = {_market(supply): supply for supply in old}
    for supply in new:
        before, (adopted,) = by_market.get(_market(supply)), names.adopt([supply])
        by_market[_market(supply)] = adopted if before is None else _merged_supply(before, adopted)
    return list(by_market.values())


def _merged_supply(old: etree._Element, new: etree._Element) -> etree._Element:
    """The new composite; one without SupplyDetail takes the known ones away and leaves what else is known of the market."""
    sent = {_name(node) for node in new}
    if "SupplyDetail" in sent:
        return new
    kept = [node for node in old if _name(node) not in sent and _name(node) != "SupplyDetail"]
    for node in sorted((*new, *kept), key=lambda node: _SUPPLY_ORDER.get(_name(node), len(_SUPPLY_ORDER))):
        new.append(node)
    return new


def _identifiers(known: _Record, news: _Record, names: _Names) -> list[etree._Element]:
    """Block zero with the update's identifiers, which are the current ones, in the place of the known."""
    sent = [node for node in news.zero if _name(node) == _IDENTIFIER]
    if not sent:
        return list(known.zero)
    adopted = names.adopt(sent)
    places = [index for index, node in enumerate(known.zero) if _name(node) == _IDENTIFIER]
    kept = [node for node in known.zero if _name(node) != _IDENTIFIER]
    place = places[0] if places else len(kept)
    return [*kept[:place], *adopted, *kept[place:]]


def _new_identifiers(known: _Record, news: _Record) -> Iterator[Noted]:
    """The identifiers sent are the current ones; others than the known are worth a look."""
    before, after = (
        {
            tuple(sorted((_name(part), _text(part)) for part in node))
            for node in record.zero
            if _name(node) == _IDENTIFIER
        }
        for record in (known, news)
    )
    if after and before != after:
        yield Noted(WarningKind.BLOCK_UPDATE, "the block update brings other identifiers than the known record had")


def _replaced_markets(known: _Record, news: _Record) -> Iterator[Noted]:
    """Without a reference on every market an update of one of them takes the others away, wanted or not."""
    old, new = (record.blocks.get(Block.PRODUCT_SUPPLY, ()) for record in (known, news))
    unnamed = sum(not _market(supply) for supply in (*old, *new))
    if unnamed and len(old) > len(new) > 0:
        says = (
            f"{len(new)} ProductSupply took the place of all {len(old)} known ones: {unnamed} have no MarketReference"
        )
        yield Noted(WarningKind.BLOCK_UPDATE, says)


def _market(supply: etree._Element) -> str:
    return next((_text(node) for node in supply if _name(node) == "MarketReference"), "")


def _text(node: etree._Element) -> str:
    return "".join(str(part) for part in node.itertext()).strip()


def _namespace(node: etree._Element) -> str | None:
    return etree.QName(node).namespace


def _local(node: etree._Element) -> str:
    return str(etree.QName(node).localname)


def _name(node: etree._Element) -> str:
    local = _local(node)
    return REFERENCE_NAMES.get(local, local)


def _is_short(product: etree._Element) -> bool:
    return _local(product) == SHORT_TAGS["Product"]
