"""What the parsing, the digests, the comparison and the merging promise for every record."""

import string
from dataclasses import fields, is_dataclass, replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from syncengine.catalogue.blocks import merge
from syncengine.catalogue.compare import Content, compare
from syncengine.domain.dates import OnixDate
from syncengine.domain.passes import RecordOutcome
from syncengine.domain.product import Product
from syncengine.domain.tags import SHORT_TAGS, Block
from syncengine.errors import RecordInvalid
from syncengine.onix.describe import digests_of
from syncengine.onix.parsing import parse
from tests.records import CLOSING, REFERENCE_30, context

_WORDS = st.text(st.sampled_from(string.ascii_letters + "é€ '&<"), min_size=1, max_size=8).map(str.strip).filter(bool)
_LEAVES = st.sampled_from(["IDValue", "SubjectCode", "PublisherName", "FeatureNote", "PriceType", "NoEdition"])
_COMPOSITES = st.sampled_from(["Subject", "Publisher", "Website", "Price", "SupplyDetail", "Extent"])
_BLOCKS = tuple(block.value for block in Block if block is not Block.RECORD)
_OPENING_SHORT = b'<ONIXmessage xmlns="http://ns.editeur.org/onix/3.1/short" release="3.1">'
_CLOSING_SHORT = b"</ONIXmessage>"

# A tree is its name, and its text or its children.
_Tree = tuple[str, "str | list[_Tree]"]
_TREES: st.SearchStrategy[_Tree] = st.recursive(
    st.tuples(_LEAVES, _WORDS),
    lambda inside: st.tuples(_COMPOSITES, st.lists(inside, min_size=1, max_size=4)),
    max_leaves=12,
)


@st.composite
def _records(draw: st.DrawFn, notification: str = "03") -> _Tree:
    names = draw(st.lists(st.sampled_from(_BLOCKS), unique=True, max_size=4))
    blocks: list[_Tree] = [(name, draw(st.lists(_TREES, min_size=1, max_size=3))) for name in names]
    return "Product", [("RecordReference", "r1"), ("NotificationType", notification), *blocks]


def _write(tree: _Tree, parent: etree._Element | None = None) -> etree._Element:
    name, inside = tree
    node = etree.Element(name) if parent is None else etree.SubElement(parent, name)
    if isinstance(inside, str):
        node.text = inside
    else:
        for child in inside:
            _write(child, node)
    return node


def _bytes(tree: _Tree) -> bytes:
    return etree.tostring(_write(tree), encoding="utf-8")


def _respelled(draw: st.DrawFn, node: etree._Element) -> None:
    """Short tags, blanks, comments, provenance, and another order of everything that is unordered."""
    node.tag = SHORT_TAGS[str(node.tag)]
    node.set("datestamp", draw(st.sampled_from(["20260101", "20260102"])))
    for child in node:
        _respelled(draw, child)
    if len(node):
        node[:] = draw(st.permutations(list(node)))
        node.text = draw(st.sampled_from(["", "\n  "]))
        node[0].tail = draw(st.sampled_from(["", "\n\t"]))
        node.insert(draw(st.integers(0, len(node))), etree.Comment("said"))
    else:
        node.text = f"\n{node.text} "


@given(tree=_records(), data=st.data())
def test_digests_do_not_see_how_a_record_is_spelled(tree, data):
    body = _bytes(tree)
    other = _write(tree)
    _respelled(data.draw(st.just(None).map(lambda _: data.draw)), other)  # type: ignore[arg-type]
    assert digests_of(REFERENCE_30, body, CLOSING) == digests_of(_OPENING_SHORT, etree.tostring(other), _CLOSING_SHORT)


@given(one=_records(), other=_records())
def test_equal_digests_mean_equal_content(one, other):
    """Trees are compared as multisets, which is what the digests promise."""

    def settled(tree: _Tree) -> tuple[str, object]:
        name, inside = tree
        if isinstance(inside, str):
            return name, " ".join(inside.split())
        return name, tuple(sorted(map(settled, inside), key=repr))

    same = digests_of(REFERENCE_30, _bytes(one), CLOSING) == digests_of(REFERENCE_30, _bytes(other), CLOSING)
    assert (settled(one) == settled(other)) is same


@given(base=_records(), update=_records(notification="04"))
def test_a_merged_record_has_the_update_s_blocks_and_the_base_s_others(base, update):
    merged = merge(REFERENCE_30 + _bytes(base) + CLOSING, REFERENCE_30 + _bytes(update) + CLOSING)
    known, news = digests_of(REFERENCE_30, _bytes(base), CLOSING), digests_of(REFERENCE_30, _bytes(update), CLOSING)
    expected = {**known, **{block: digest for block, digest in news.items() if block != "record"}}
    assert expected == digests_of(REFERENCE_30, merged, CLOSING)


@given(
    bytes_in=st.binary(max_size=40),
    at=st.integers(0, 400),
    taken=st.integers(0, 40),
    label=st.sampled_from([b"UTF-8", b"ISO-8859-1", b"windows-1252", b"us-ascii"]),
)
def test_damaged_bytes_are_read_or_refused(bytes_in, at, taken, label):
    body = (
        b"<Product><RecordReference>r1</RecordReference><NotificationType>03</NotificationType><DescriptiveDetail>"
        b"<TitleDetail><TitleElement><TitleText>Caf&eacute; &amp; <![CDATA[x]]></TitleText></TitleElement></TitleDetail>"
        b"</DescriptiveDetail><ProductSupply><SupplyDetail><Price><PriceAmount>1.00</PriceAmount><Territory>"
        b"<CountriesIncluded>CA US</CountriesIncluded></Territory></Price></SupplyDetail></ProductSupply></Product>"
    )
    damaged = body[:at] + bytes_in + body[at + taken :]
    try:
        parsed = parse(damaged, context(REFERENCE_30.replace(b"UTF-8", label)))
    except RecordInvalid as refused:
        assert str(refused)
    else:
        assert parsed.product.reference


# --- comparison

_DATES = st.builds(OnixDate, text=st.sampled_from(["20260101", "2027"]), format=st.sampled_from([None, "00"]))
_AMOUNTS = st.sampled_from([None, Decimal(0), Decimal("9.99"), Decimal("9.990"), Decimal(10)])
_CODES = st.sampled_from(["01", "02", "CA", "US"])


def _strategy_for_decimal() -> st.SearchStrategy[Decimal]:
    return _AMOUNTS.filter(lambda amount: amount is not None)  # type: ignore[return-value]


st.register_type_strategy(OnixDate, _DATES)
_PRODUCTS = st.from_type(Product)


def _turned(value: object, draw: st.DrawFn) -> object:
    """The same value with every tuple in another order."""
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _turned(getattr(value, field.name), draw) for field in fields(value)})
    if isinstance(value, tuple) and value and is_dataclass(value[0]):
        return tuple(draw(st.permutations([_turned(each, draw) for each in value])))
    return value


@given(product=_PRODUCTS, data=st.data())
def test_order_of_repeats_alone_is_touched(product, data):
    turned = _turned(product, data.draw)  # type: ignore[arg-type]
    assert isinstance(turned, Product)
    outcome = compare(Content(product=product, digests={}), Content(product=turned, digests={})).outcome
    assert RecordOutcome.TOUCHED is outcome


@given(one=_PRODUCTS, other=_PRODUCTS)
def test_every_other_difference_is_told(one, other):
    found = compare(Content(product=one, digests={}), Content(product=other, digests={}))
    assert (found.outcome is RecordOutcome.CHANGED) is bool(found.fields)
    assert all(change.old != change.new or change.old is None for change in found.fields)
    if one.title != other.title:
        assert found.fields
