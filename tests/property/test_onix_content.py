"""What the parsing, the digests, the comparison and the merging promise for every record."""

import string
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from syncengine.catalogue.blocks import merge
from syncengine.catalogue.compare import Content, compare
from syncengine.domain.dates import OnixDate
from syncengine.domain.ids import RecordReference
from syncengine.domain.passes import RecordOutcome
from syncengine.domain.product import (
    DatedRole,
    Price,
    Product,
    ProductIdentifier,
    ProductSupply,
    SalesRights,
    SupplyDetail,
    Tax,
)
from syncengine.domain.tags import SHORT_TAGS, Block
from syncengine.domain.territory import Territory
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


def _respelled(data: st.DataObject, node: etree._Element) -> None:
    """Short tags, blanks, comments, provenance, and another order of everything that is unordered."""
    node.tag = SHORT_TAGS[str(node.tag)]
    node.set("datestamp", data.draw(st.sampled_from(["20260101", "20260102"])))
    for child in node:
        _respelled(data, child)
    if len(node):
        node[:] = data.draw(st.permutations(list(node)))
        node.text = data.draw(st.sampled_from(["", "\n  "]))
        node[0].tail = data.draw(st.sampled_from(["", "\n\t"]))
        node.insert(data.draw(st.integers(0, len(node))), etree.Comment("said"))
    else:
        node.text = f"\n{node.text} "


@given(tree=_records(), data=st.data())
def test_digests_do_not_see_how_a_record_is_spelled(tree, data):
    body = _bytes(tree)
    other = _write(tree)
    _respelled(data, other)
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
    with suppress(RecordInvalid):
        assert parse(damaged, context(REFERENCE_30.replace(b"UTF-8", label))).product.reference


# --- comparison

_CODES = st.sampled_from(["01", "02", "11"])
_OPTIONAL = st.none() | _CODES
_AMOUNTS = st.none() | st.sampled_from([Decimal(0), Decimal("9.99"), Decimal("9.990"), Decimal(10)])


def _few(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(values, max_size=2).map(tuple)


_COUNTRIES = st.sampled_from([(), ("CA",), ("CA", "US")])
_TERRITORIES = st.builds(
    Territory,
    countries_included=_COUNTRIES,
    regions_included=st.sampled_from([(), ("WORLD",)]),
    countries_excluded=_COUNTRIES,
)
_DATES = _few(
    st.builds(
        DatedRole, role=_CODES, date=st.sampled_from([OnixDate(text="20260101", format="00"), OnixDate(text="2027")])
    )
)
_TAXES = st.builds(
    Tax, type=_OPTIONAL, rate_code=_OPTIONAL, rate_percent=_AMOUNTS, taxable_amount=_AMOUNTS, tax_amount=_AMOUNTS
)
_PRICES = st.builds(
    Price,
    type=_OPTIONAL,
    qualifier=_OPTIONAL,
    status=_OPTIONAL,
    amount=_AMOUNTS,
    currency=st.sampled_from([None, "CAD", "EUR"]),
    territory=st.none() | _TERRITORIES,
    taxes=_few(_TAXES),
    dates=_DATES,
    unpriced=_OPTIONAL,
    identifiers=_few(_CODES),
    protections=_few(_CODES),
    conditions=st.booleans(),
)
_DETAILS = st.builds(
    SupplyDetail,
    supplier_role=_OPTIONAL,
    supplier_name=_OPTIONAL,
    supplier_identifiers=_few(_CODES),
    availability=_OPTIONAL,
    dates=_DATES,
    unpriced=_OPTIONAL,
    prices=_few(_PRICES),
)
_SUPPLIES = st.builds(
    ProductSupply,
    market_reference=_OPTIONAL,
    markets=_few(_TERRITORIES),
    market_restrictions=_few(_CODES),
    market_status=_OPTIONAL,
    market_dates=_DATES,
    details=_few(_DETAILS),
)
_PRODUCTS = st.builds(
    Product,
    reference=st.just(RecordReference("r1")),
    notification_type=_CODES,
    identifiers=_few(st.builds(ProductIdentifier, type=_CODES, value=_CODES, type_name=_OPTIONAL)),
    composition=st.sampled_from([None, "10"]),
    form=_OPTIONAL,
    form_details=_few(_CODES),
    form_features=_few(st.tuples(_CODES, _CODES)),
    protections=_few(_CODES),
    title=_OPTIONAL,
    publisher=_OPTIONAL,
    publishing_status=_OPTIONAL,
    publishing_dates=_DATES,
    sales_rights=_few(st.builds(SalesRights, type=_CODES, territory=_TERRITORIES, restrictions=_few(_CODES))),
    rest_of_world_rights=_OPTIONAL,
    sales_restrictions=_few(_CODES),
    supplies=_few(_SUPPLIES),
)


def _turned(value: Any) -> Any:
    """The same value with every sequence the other way round."""
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _turned(getattr(value, field.name)) for field in fields(value)})
    if isinstance(value, tuple) and value and is_dataclass(value[0]):
        return tuple(_turned(each) for each in reversed(value))
    return value


def _changed_somewhere(value: Any, data: st.DataObject) -> Any:
    """The same value but for one field, somewhere inside."""
    names = [field.name for field in fields(value) if field.name != "reference"]
    name = data.draw(st.sampled_from(names))
    inner = getattr(value, name)
    if isinstance(inner, tuple) and inner and is_dataclass(inner[0]) and data.draw(st.booleans()):
        return replace(value, **{name: (_changed_somewhere(inner[0], data), *inner[1:])})
    return replace(value, **{name: getattr(data.draw(_ANY[type(value)]), name)})


_ANY = {
    Product: _PRODUCTS,
    ProductSupply: _SUPPLIES,
    SupplyDetail: _DETAILS,
    Price: _PRICES,
    Tax: _TAXES,
    SalesRights: st.builds(SalesRights, type=_CODES, territory=_TERRITORIES, restrictions=_few(_CODES)),
    Territory: _TERRITORIES,
    ProductIdentifier: st.builds(ProductIdentifier, type=_CODES, value=_CODES, type_name=_OPTIONAL),
    DatedRole: st.builds(DatedRole, role=_CODES, date=st.just(OnixDate(text="20280101"))),
}


def _unordered(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return (type(value).__name__, *(_unordered(getattr(value, field.name)) for field in fields(value)))
    if isinstance(value, tuple):
        return tuple(sorted(map(_unordered, value), key=repr))
    return str(value.normalize()) if isinstance(value, Decimal) else value


@given(product=_PRODUCTS)
def test_order_of_repeats_alone_is_touched(product):
    found = compare(Content(product=product, digests={}), Content(product=_turned(product), digests={}))
    assert (RecordOutcome.TOUCHED, ()) == (found.outcome, found.fields)


@given(product=_PRODUCTS, data=st.data())
def test_every_other_difference_is_told(product, data):
    other = _changed_somewhere(product, data)
    found = compare(Content(product=product, digests={}), Content(product=other, digests={}))
    assert (_unordered(product) != _unordered(other)) is bool(found.fields)
    assert (found.outcome is RecordOutcome.CHANGED) is bool(found.fields)
    assert all(change.old != change.new or change.old is change.new is None for change in found.fields)
