"""The fast road of extraction: one walk over the parser's tree of a record of which there is nothing to tell.

Composites that come in the same words again and again are read once and kept by what they say. How one is read is for others
to know: the walk finds them, sees to it that no text needs a second look, and puts the facts together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Container, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any, Final

from lxml import etree
from msgspec.structs import asdict, replace

from syncengine.domain.codes import NotificationType
from syncengine.domain.ids import RecordReference
from syncengine.domain.product import Price, Product, ProductIdentifier, ProductSupply, SupplyDetail
from syncengine.domain.tags import Block
from syncengine.domain.territory import Territory
from syncengine.onix.dialect import MAX_DEPTH, reference_name
from syncengine.onix.element import bare_code
from syncengine.onix.encoding import strip_blanks
from syncengine.onix.release2 import MARK
from syncengine.onix.shapes import odd_identifier

_NOTIFICATION_TYPES: Final = frozenset(NotificationType)
_BLOCKS: Final = frozenset(block.value for block in Block if block is not Block.RECORD)
_READ_BLOCKS: Final = frozenset({Block.DESCRIPTIVE_DETAIL, Block.PUBLISHING_DETAIL, Block.PRODUCT_SUPPLY})
_RECORD: Final = _BLOCKS | {"RecordReference", "NotificationType", "ProductIdentifier"}
_IDENTIFIER: Final = frozenset({"ProductIDType", "IDValue", "IDTypeName"})
_DESCRIPTIVE: Final = frozenset(
    {
        *("ProductComposition", "ProductForm", "ProductFormDetail", "ProductFormFeature"),
        *("EpubTechnicalProtection", "TitleDetail"),
    }
)
_TITLE: Final = frozenset({"TitleType", "TitleElement"})
_MORE_OF_TITLE: Final = frozenset({"Subtitle", "PartNumber"})
_TITLE_ELEMENT: Final = _MORE_OF_TITLE | {"TitleElementLevel", "TitleText"}
_PUBLISHING: Final = frozenset(
    {
        *("Publisher", "Imprint", "PublishingStatus", "PublishingDate"),
        *("SalesRights", "ROWSalesRightsType", "SalesRestriction"),
    }
)
_SUPPLY: Final = frozenset({"MarketReference", "Market", "MarketPublishingDetail", "SupplyDetail"})
_DETAIL: Final = frozenset({"Supplier", "ProductAvailability", "SupplyDate", "UnpricedItemType", "Price"})

_SHALLOW: Final = MAX_DEPTH // 2
"""So many elements cannot be nested too deep, wherever in a record they are found."""
_IS_DEEP: Final = etree.XPath(f"boolean({'/'.join(['*'] * _SHALLOW)})")
_MOST_KEPT: Final = 4096
_MOST_PRICES: Final = 8192
_MOST_TAGS: Final = 4096
_AMOUNT: Final = re.compile(r"[0-9]{1,8}(?:\.[0-9]{1,4})?")
"""Amounts of which there is nothing to tell, whatever else a price says."""
_UNKNOWN: Final = object()

_Node = etree._Element  # noqa: SLF001 - the stubs' name of an element
_Found = dict[str, list[_Node]]
Read = Callable[[str, Sequence[_Node]], Any]


class NotPlain(Exception):
    """There may be something to tell about a record: it takes the careful road."""


class _Names(dict[str, str]):
    """Reference names by tags as the parser gives them."""

    def __missing__(self, tag: str) -> str:
        name = _name(tag)
        if len(self) < _MOST_TAGS:
            self[tag] = name
        return name


class _Fine(dict[str, Container[str | None] | None]):
    """By tags, the texts that need no second look; none where every text is. Raises NotPlain for a refused element."""

    def __init__(self, texts: Mapping[str, Container[str | None]], refused: Collection[str]) -> None:
        super().__init__()
        self._texts = texts
        self._refused = refused

    def __missing__(self, tag: str) -> Container[str | None] | None:
        name = _name(tag)
        if name in self._refused:
            raise NotPlain
        texts = self._texts.get(name)
        if len(self) < _MOST_TAGS:
            self[tag] = texts
        return texts


def _name(tag: object) -> str:
    if not isinstance(tag, str):
        raise NotPlain
    return reference_name(tag)


class Walk:
    """Takes the facts out of plain records that are read alike: by the same code lists, release and defaults.

    `texts` are those that need no second look, by reference names, any text where a name has none; `refused` are the names of
    elements that always need one. `read` gives the facts of all composites of one kind in a record, or of one of them, and raises
    NotPlain where there is something to tell.
    """

    def __init__(self, texts: Mapping[str, Container[str | None]], refused: Collection[str], read: Read) -> None:
        self._names = _Names()
        self._fine = _Fine(texts, refused)
        self._read = read
        self._kept: dict[str, Any] = {}
        self._prices: dict[str, Price] = {}
        self._makers: dict[str, Callable[..., Price]] = {}

    def product(self, root: _Node) -> Product:
        """The facts of the one record in a tree; raises NotPlain."""
        record = self._record(root)
        found = self._sorted(record, _RECORD)
        reference, kind = self._text(found, "RecordReference"), self._code(found, "NotificationType")
        blocks = found.keys() & _BLOCKS
        if kind not in _NOTIFICATION_TYPES or not blocks:
            raise NotPlain
        for name in blocks - _READ_BLOCKS:
            self._pass(_one(found[name]))
        return self._product(_reference(reference), kind or "", found)

    def _record(self, root: _Node) -> _Node:
        record = root if self._names[root.tag] == "Product" or len(root) != 1 else root[0]
        if self._names[record.tag] != "Product" or root.get(MARK) is not None:
            raise NotPlain
        return record

    def patched(self, known: Product, root: _Node, names: Sequence[str]) -> Product:
        """The facts of a known record whose tree holds but these of its elements, each a block, and all supplies where one is there.

        Raises NotPlain, also where the tree holds anything else.
        """
        record = self._record(root)
        if [self._names[child.tag] for child in record] != names:
            raise NotPlain
        found = self._sorted(record, _BLOCKS)
        for name in found.keys() - _READ_BLOCKS:
            self._pass(_one(found[name]))
        facts: dict[str, Any] = {}
        if Block.DESCRIPTIVE_DETAIL in found:
            facts |= self._described(found)
        if Block.PUBLISHING_DETAIL in found:
            facts |= self._published(found)
        if Block.PRODUCT_SUPPLY in found:
            facts |= self._supplied(found)
        return replace(known, **facts)

    def _product(self, reference: RecordReference, kind: str, found: _Found) -> Product:
        return Product(
            reference=reference,
            notification_type=kind,
            identifiers=tuple(map(self._identifier, found.get("ProductIdentifier", ()))),
            **self._described(found),
            **self._published(found),
            **self._supplied(found),
        )

    def _described(self, found: _Found) -> dict[str, Any]:
        descriptive = self._block(found, Block.DESCRIPTIVE_DETAIL, _DESCRIPTIVE)
        return {
            "composition": self._code(descriptive, "ProductComposition"),
            "form": self._code(descriptive, "ProductForm"),
            "form_details": self._codes(descriptive, "ProductFormDetail"),
            "form_features": self._each(descriptive, "ProductFormFeature"),
            "protections": self._codes(descriptive, "EpubTechnicalProtection"),
            "title": self._title(descriptive["TitleDetail"]) if "TitleDetail" in descriptive else None,
        }

    def _published(self, found: _Found) -> dict[str, Any]:
        publishing = self._block(found, Block.PUBLISHING_DETAIL, _PUBLISHING)
        publishers = [*publishing.get("Publisher", ()), *publishing.get("Imprint", ())]
        return {
            "publisher": self._facts("Publisher", publishers) if publishers else None,
            "publishing_status": self._code(publishing, "PublishingStatus"),
            "publishing_dates": self._each(publishing, "PublishingDate"),
            "sales_rights": self._each(publishing, "SalesRights"),
            "rest_of_world_rights": self._code(publishing, "ROWSalesRightsType"),
            "sales_restrictions": self._each(publishing, "SalesRestriction"),
        }

    def _supplied(self, found: _Found) -> dict[str, Any]:
        return {
            "supplies": tuple(
                [part for supply in found.get(Block.PRODUCT_SUPPLY, ()) for part in self._supplies(supply)]
            )
        }

    def _identifier(self, node: _Node) -> ProductIdentifier:
        found = self._sorted(node, _IDENTIFIER)
        scheme, value = self._code(found, "ProductIDType"), self._code(found, "IDValue")
        if not scheme or not value or odd_identifier(scheme, value) is not None:
            raise NotPlain
        if "IDTypeName" not in found:
            return ProductIdentifier(type=scheme, value=value)
        return ProductIdentifier(type=scheme, value=value, type_name=_words(self._text(found, "IDTypeName")))

    def _title(self, nodes: Sequence[_Node]) -> str | None:
        """Not kept, for no two are the same; the only text of the only title is read here, as most are."""
        found = self._sorted(nodes[0], _TITLE)
        elements = found.get("TitleElement", ())
        if len(nodes) == len(elements) == 1:
            said = self._sorted(elements[0], _TITLE_ELEMENT)
            # Asked for lest they be odd; one title needs no ranking.
            self._code(found, "TitleType")
            self._code(said, "TitleElementLevel")
            title = _words(self._text(said, "TitleText"))
            if title and _MORE_OF_TITLE.isdisjoint(said):
                return title
        read: str | None = self._read("TitleDetail", nodes)
        return read

    def _supplies(self, node: _Node) -> list[ProductSupply]:
        """Once for each channel that its markets are split into (reference/onix.md 2.12)."""
        found = self._sorted(node, _SUPPLY)
        reference = self._code(found, "MarketReference")
        channels: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Territory]] = {}
        for restrictions, outlets, area in self._each(found, "Market"):
            channels.setdefault((restrictions, outlets), []).extend(filter(None, [area]))
        published = found.get("MarketPublishingDetail")
        status, dates = self._facts("MarketPublishingDetail", [_one(published)]) if published else (None, ())
        details = tuple(map(self._supply_detail, found.get("SupplyDetail", ())))
        return [
            ProductSupply(
                market_reference=reference,
                markets=tuple(areas),
                market_restrictions=restrictions,
                market_outlets=outlets,
                market_status=status,
                market_dates=dates,
                details=details,
            )
            for (restrictions, outlets), areas in (channels or {((), ()): []}).items()
        ]

    def _supply_detail(self, node: _Node) -> SupplyDetail:
        found = self._sorted(node, _DETAIL)
        supplier = found.get("Supplier")
        role, name, identifiers = self._facts("Supplier", [_one(supplier)]) if supplier else (None, None, ())
        return SupplyDetail(
            supplier_role=role,
            supplier_name=name,
            supplier_identifiers=identifiers,
            availability=self._code(found, "ProductAvailability"),
            dates=self._each(found, "SupplyDate"),
            unpriced=self._code(found, "UnpricedItemType"),
            prices=tuple(map(self._price, found.get("Price", ()))),
        )

    # --- composites that are kept

    def _price(self, node: _Node) -> Price:
        said = _spelled(node)
        return self._prices.get(said) or self._keep_price(said, node)

    def _keep_price(self, said: str, node: _Node) -> Price:
        """Of a price that differs from a known one in nothing but its amount only that is read."""
        rest, amount = _without_amount(said)
        price = self._makers.get(rest) or self._keep_maker(rest, amount, node)
        if len(self._prices) >= _MOST_PRICES:
            self._prices.clear()
        self._prices[said] = made = price(amount=_amount(amount)) if amount else price()
        return made

    def _keep_maker(self, rest: str, amount: str, node: _Node) -> Callable[..., Price]:
        """How prices that say the same but for their amounts are made."""
        read: Price = self._read("Price", [node])
        facts = asdict(read)
        if amount and (facts.pop("amount") != _amount(amount) or _amounts_in(rest) != 1):
            raise NotPlain
        if len(self._makers) >= _MOST_KEPT:
            self._makers.clear()
        self._makers[rest] = price = partial(Price, **facts)
        return price

    def _each(self, found: _Found, name: str) -> tuple[Any, ...]:
        return tuple([self._facts(name, [node]) for node in found.get(name, ())])

    def _facts(self, name: str, nodes: Sequence[_Node]) -> Any:  # noqa: ANN401 - of whatever kind `read` gives
        key = "".join(map(_spelled, nodes))
        facts = self._kept.get(key, _UNKNOWN)
        return self._keep(key, self._read(name, nodes)) if facts is _UNKNOWN else facts

    def _keep(self, key: str, facts: Any) -> Any:  # noqa: ANN401 - the same
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[key] = facts
        return facts

    # --- what is not kept

    def _block(self, found: _Found, block: Block, wanted: Collection[str]) -> _Found:
        return self._sorted(_one(found[block]), wanted) if block in found else {}

    def _sorted(self, node: _Node, wanted: Collection[str]) -> _Found:
        """The children of these reference names; all others are passed."""
        names, found = self._names, _Found()
        for child in node:
            name = names[child.tag]
            if name not in wanted:
                self._pass(child)
            elif name in found:
                found[name].append(child)
            else:
                found[name] = [child]
        return found

    def _pass(self, node: _Node) -> None:
        """See to it that there is nothing to tell about an element, which holds no fact, and those inside."""
        fine = self._fine
        count = 0
        for count, each in enumerate(node.iter()):  # noqa: B007 - it is asked for in the end
            texts = fine[each.tag]
            if texts is not None and (text := each.text) not in texts and (text is not None or len(each)):
                raise NotPlain
        if count > _SHALLOW and _IS_DEEP(node):
            raise NotPlain

    def _code(self, found: _Found, name: str) -> str | None:
        return self._code_in(_one(found[name])) if name in found else None

    def _codes(self, found: _Found, name: str) -> tuple[str, ...]:
        return tuple(filter(None, map(self._code_in, found.get(name, ()))))

    def _code_in(self, node: _Node) -> str | None:
        text = self._text_in(node)
        if text is not None and bare_code(text) != text:
            raise NotPlain
        return text or None

    def _text(self, found: _Found, name: str) -> str | None:
        return self._text_in(_one(found[name])) if name in found else None

    def _text_in(self, node: _Node) -> str | None:
        texts, text = self._fine[node.tag], node.text
        if len(node) or (texts is not None and text is not None and text not in texts):
            raise NotPlain
        return text


def _spelled(node: _Node) -> str:
    """All that facts can hang on, attributes and namespaces as well."""
    return etree.tostring(node, encoding="unicode", with_tail=False)


def _without_amount(said: str) -> tuple[str, str]:
    """What a price says besides its amount, and that; nothing where it cannot be taken out."""
    tag = "<PriceAmount>" if "<PriceAmount>" in said else "<j151>"
    before, _, rest = said.partition(tag)
    amount, _, behind = rest.partition("<")
    return (f"{before}{tag}<{behind}", amount) if _amount(amount) is not None else (said, "")


def _amounts_in(said: str) -> float:
    """How many amounts there are, wherever; half of one is but a tag."""
    return (said.count("PriceAmount>") + said.count("j151>")) / 2


def _one(nodes: Sequence[_Node]) -> _Node:
    if len(nodes) != 1:
        raise NotPlain
    return nodes[0]


def _words(text: str | None) -> str | None:
    """A text for people, on one line."""
    return strip_blanks(" ".join(text.split())) or None if text else None


def _reference(written: str | None) -> RecordReference:
    """Stripped as the framing strips it: both must name the same record."""
    reference = strip_blanks(written or "")
    if not reference:
        raise NotPlain
    return RecordReference(reference)


@lru_cache(maxsize=4096)
def _amount(written: str) -> Decimal | None:
    return Decimal(written) if _AMOUNT.fullmatch(written) else None
