"""Generated records as trees of names and texts, and the ways to write one down."""

from __future__ import annotations

import string

from hypothesis import strategies as st
from lxml import etree

from syncengine.domain.tags import SHORT_TAGS, Block
from syncengine.onix.digest import digests_of
from tests.records import CLOSING, REFERENCE_30

Tree = tuple[str, "str | list[Tree]"]
"""A name, and its text or its children."""

OPENING_SHORT = b'<ONIXmessage xmlns="http://ns.editeur.org/onix/3.1/short" release="3.1">'
CLOSING_SHORT = b"</ONIXmessage>"
BLOCKS = tuple(block.value for block in Block if block is not Block.RECORD)

WORDS = st.text(st.sampled_from(string.ascii_letters + "é€ '&<"), min_size=1, max_size=8).map(str.strip).filter(bool)
_LEAVES = st.sampled_from(["IDValue", "SubjectCode", "PublisherName", "FeatureNote", "PriceType", "NoEdition"])
_COMPOSITES = st.sampled_from(["Subject", "Publisher", "Website", "Price", "SupplyDetail", "Extent"])

TREES: st.SearchStrategy[Tree] = st.recursive(
    st.tuples(_LEAVES, WORDS),
    lambda inside: st.tuples(_COMPOSITES, st.lists(inside, min_size=1, max_size=4)),
    max_leaves=12,
)


@st.composite
def records(draw: st.DrawFn, notification: str = "03") -> Tree:
    """A record of some blocks, the same reference always."""
    names = draw(st.lists(st.sampled_from(BLOCKS), unique=True, max_size=4))
    return record_of([(name, draw(st.lists(TREES, min_size=1, max_size=3))) for name in names], notification)


def record_of(parts: list[Tree], notification: str = "03") -> Tree:
    """A record of these parts, its identifiers among them."""
    return "Product", [("RecordReference", "r1"), ("NotificationType", notification), *parts]


_CODES = st.sampled_from(["01", "02", "04"])
_COUNTRIES = st.sampled_from(["CA", "CA US", "DE AT CH", "WORLD"])
_DATE = st.sampled_from(["20260101", "20270131"])


def _few(parts: st.SearchStrategy[Tree]) -> st.SearchStrategy[list[Tree]]:
    return st.lists(parts, max_size=2)


def _leaf(name: str, texts: st.SearchStrategy[str]) -> st.SearchStrategy[Tree]:
    return st.tuples(st.just(name), texts)


def _composite(name: str, *parts: st.SearchStrategy[list[Tree]] | st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    """An element of all these parts; each gives one child or several."""
    flat = st.tuples(*parts).map(
        lambda drawn: [one for part in drawn for one in (part if isinstance(part, list) else [part])]
    )
    return st.tuples(st.just(name), flat)


def _dated(name: str) -> st.SearchStrategy[Tree]:
    return _composite(name, _leaf(f"{name}Role", _CODES), _leaf("Date", _DATE))


_TERRITORY = _composite("Territory", _leaf("CountriesIncluded", _COUNTRIES))
_PRICE = _composite(
    "Price",
    _leaf("PriceType", _CODES),
    _leaf("PriceAmount", st.sampled_from(["1.00", "9.9", "9.90"])),
    _leaf("CurrencyCode", st.sampled_from(["CAD", "EUR"])),
    st.lists(_TERRITORY, max_size=1),
    _few(_dated("PriceDate")),
)
_SUPPLY = _composite(
    "ProductSupply",
    _few(_composite("Market", _TERRITORY)),
    _composite("MarketPublishingDetail", _leaf("MarketPublishingStatus", _CODES), _few(_dated("MarketDate"))),
    _few(
        _composite(
            "SupplyDetail",
            _composite("Supplier", _leaf("SupplierRole", _CODES), _leaf("SupplierName", WORDS)),
            _leaf("ProductAvailability", st.sampled_from(["20", "40"])),
            _few(_dated("SupplyDate")),
            _few(_PRICE),
        )
    ),
)
WHOLE_RECORDS = st.tuples(
    _few(_composite("ProductIdentifier", _leaf("ProductIDType", _CODES), _leaf("IDValue", WORDS))),
    _composite(
        "DescriptiveDetail",
        _leaf("ProductForm", _CODES),
        _few(_leaf("ProductFormDetail", _CODES)),
        _few(_leaf("EpubTechnicalProtection", _CODES)),
        _few(_composite("Subject", _leaf("SubjectSchemeIdentifier", _CODES), _leaf("SubjectCode", WORDS))),
    ),
    _composite("CollateralDetail", _few(_composite("TextContent", _leaf("TextType", _CODES), _leaf("Text", WORDS)))),
    _composite(
        "PublishingDetail",
        _leaf("PublishingStatus", _CODES),
        _few(_dated("PublishingDate")),
        _few(_composite("SalesRights", _leaf("SalesRightsType", _CODES), _TERRITORY)),
    ),
    _few(_SUPPLY),
).map(lambda parts: record_of([*parts[0], *parts[1:4], *parts[4]]))
"""Records with facts of every kind, in an order that means nothing."""


def write(tree: Tree, parent: etree._Element | None = None) -> etree._Element:
    name, inside = tree
    node = etree.Element(name) if parent is None else etree.SubElement(parent, name)
    if isinstance(inside, str):
        node.text = inside
    else:
        for child in inside:
            write(child, node)
    return node


def spelled(tree: Tree) -> bytes:
    return etree.tostring(write(tree), encoding="utf-8")


def document(tree: Tree) -> bytes:
    return REFERENCE_30 + spelled(tree) + CLOSING


def digests(tree: Tree) -> dict[str, bytes]:
    return dict(digests_of(REFERENCE_30, spelled(tree), CLOSING))


def respell(data: st.DataObject, node: etree._Element) -> None:
    """Short tags, blanks, comments, provenance, and another order of everything that is unordered."""
    node.tag = SHORT_TAGS[str(node.tag)]
    node.set("datestamp", data.draw(st.sampled_from(["20260101", "20260102"])))
    for child in node:
        respell(data, child)
    if len(node):
        node[:] = data.draw(st.permutations(list(node)))
        node.text = data.draw(st.sampled_from(["", "\n  "]))
        node[0].tail = data.draw(st.sampled_from(["", "\n\t"]))
        node.insert(data.draw(st.integers(0, len(node))), etree.Comment("said"))
    else:
        node.text = f"\n{node.text} "
