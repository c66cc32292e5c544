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
