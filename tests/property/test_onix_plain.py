"""What is read of a plain record at a glance, or from its text, is what a parser's tree and the careful look at it give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from bench.generate import write as write_feed
from bench.plan import Encoding, FeedPlan, Shape, Tags
from syncengine.domain.frame import Context, Frame, FrameIndex, MessageHeader
from syncengine.domain.tags import Block
from syncengine.errors import RecordInvalid
from syncengine.onix import parsing
from syncengine.onix.codelists import standard
from syncengine.onix.dialect import read_product
from syncengine.onix.difference import Difference, Written
from syncengine.onix.element import Element
from syncengine.onix.framing import Framer
from syncengine.onix.glance import at_a_glance
from syncengine.onix.parsing import Reading, parse
from syncengine.onix.plain import cut, elements
from syncengine.onix.reader import Reader
from tests.property.test_onix_content import ODD_TEXTS
from tests.property.trees import WHOLE_RECORDS, Tree, respell, write
from tests.records import REFERENCE_30, context, digests_in, record, sample, sample_paths, samples_folder

SHORT_30 = REFERENCE_30.replace(b"ONIXMessage", b"ONIXmessage").replace(b"reference", b"short")
PREFIXED = b'<o:ONIXMessage xmlns:o="http://ns.editeur.org/onix/3.0/reference" release="3.0">'

SPELLINGS = st.sampled_from(
    [
        *("<!-- </Product> -->", "<?pi </Price> ?>", "<![CDATA[<p>&amp; x</p>]]>", "<![CDATA[]]>", "&#233;", "&#xE9;"),
        *("&amp;eacute;", "&lt;", "]] >", "a > b", "\r\n", "\r", "é", "N/A", " 04 ", "XX", "\u200b", "", "CA US"),
        *('<b x="a>b">y</b>', "<i/>", "<TitleText>&amp;</TitleText>", "<Price>1</Price>", "<x:y xmlns:x='u'>z</x:y>"),
        *("<Date dateformat=\"05\" sourcename='a\tb'>2026</Date >", "<MarketReference/>", "<j151>1.0</j151>", "&nbsp;"),
        *("<PriceAmount>7</PriceAmount>", '<PriceAmount datestamp="20260101">9.9</PriceAmount>', "12", "<PriceType/>"),
        *("<TitleDetail><TitleElement><TitleText>a</TitleText></TitleElement></TitleDetail>", "<CurrencyCode/>"),
        *("<Subject><Subject/></Subject>", "<CollateralDetail/>", "<undeclared:a/>", "\u0001", "<ROWSalesRightsType/>"),
    ]
)
"""What may stand in a record and has to be read as the parser reads it, or not at a glance."""


def whole(tree: Element) -> Element:
    """Without what stands behind a record, which is no part of it, and behind elements that are not inside a text."""
    return settled(tree)._replace(tail=None)


def settled(tree: Element) -> Element:
    """Blanks behind elements left out; an empty CDATA section is no text."""
    tail = tree.tail if tree.tail and not tree.tail.isspace() else None
    return tree._replace(text=tree.text or None, tail=tail, children=tuple(map(settled, tree.children)))


def carefully(body: bytes, within: Context) -> parsing.ParsedRecord:
    """As it is read where nothing is seen at a glance."""
    reading = Reading()
    element, told = parsing.with_care(Written(body, within), reading.codes)
    reader = Reader(reading)
    product = reader.product(element)
    return parsing.ParsedRecord(product=product, warnings=tuple(dict.fromkeys((*told, *reader.warnings()))))


def check(body: bytes, within: Context) -> None:
    """Facts and warnings by both roads; elements from the text, as far as the record has one."""
    assert repr(outcome(carefully, body, within)) == repr(outcome(by_any_road, body, within))
    text = Written(body, within).plain
    if text is not None and cut(text) is not None:
        element, repairs = read_product(within.opening, body, within.closing)
        found = settled(Element("", (), None, elements(text), None)).children
        assert ([whole(element)], ()) == ([product._replace(tail=None) for product in found], repairs)


def by_any_road(body: bytes, within: Context) -> parsing.ParsedRecord:
    """As it is read, but for which road it was read on."""
    return replace(parse(body, within), is_plain=False)


def outcome(read: Callable[[bytes, Context], parsing.ParsedRecord], body: bytes, within: Context) -> object:
    """What is read, or why it cannot be."""
    try:
        return read(body, within)
    except RecordInvalid as error:
        return str(error)


@pytest.mark.parametrize("path", sample_paths(), ids=lambda path: path.stem)
def test_real_records_read_at_a_glance_are_as_with_care(path: Path):
    for found in sample(str(path.relative_to(samples_folder()))):
        if not found.context.release.startswith("2"):
            check(found.body, found.context)


def frames_of(plan: FeedPlan, folder: Path) -> tuple[Context, Sequence[Frame]]:
    framer = Framer(seed=1, index=FrameIndex())
    write_feed(folder / plan.name, plan)
    frames = [*framer.feed((folder / plan.name).read_bytes()).frames, *framer.close().frames]
    assert framer.context is not None
    return framer.context, frames


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize("tags", Tags)
@pytest.mark.parametrize("encoding", [Encoding.UTF_8, Encoding.LATIN_1])
def test_records_of_usual_feeds_are_read_at_a_glance_and_as_with_care(
    shape: Shape, tags: Tags, encoding: Encoding, tmp_path: Path
):
    plan = FeedPlan(records=24, seed=3, shape=shape, tags=tags, encoding=encoding)
    within, frames = frames_of(plan, tmp_path)
    glances = [at_a_glance(Written(frame.body, within), standard()) for frame in frames]
    assert [repr(carefully(frame.body, within).product) for frame in frames] == list(map(repr, glances))
    assert [()] * 24 == [carefully(frame.body, within).warnings for frame in frames]


def with_odd_spellings(tree: Tree, data: st.DataObject) -> bytes:
    """A record with a few odd spellings anywhere between its tags, in either tag style."""
    node = write(tree)
    if data.draw(st.booleans()):
        respell(data, node)
    body = etree.tostring(node, encoding="utf-8")
    places = [at + 1 for at, byte in enumerate(body[:-1]) if byte == ord(">")]
    for place in sorted(data.draw(st.lists(st.sampled_from(places), max_size=4)), reverse=True):
        body = body[:place] + data.draw(SPELLINGS).encode() + body[place:]
    return body


HEADERS = st.builds(
    MessageHeader,
    default_price_type=st.sampled_from([None, "04", "nope"]),
    default_currency=st.sampled_from([None, "EUR", "nope"]),
    default_language=st.sampled_from([None, "eng", "nope"]),
)


@given(tree=WHOLE_RECORDS, opening=st.sampled_from([REFERENCE_30, SHORT_30, PREFIXED]), header=HEADERS, data=st.data())
def test_any_record_read_at_a_glance_is_as_with_care(
    tree: Tree, opening: bytes, header: MessageHeader, data: st.DataObject
):
    closing = b"</" + opening[opening.rindex(b"<") + 1 :].split()[0] + b">"
    body = with_odd_spellings(tree, data)
    try:
        read_product(opening, body, closing)
    except RecordInvalid:
        with pytest.raises(RecordInvalid):
            parse(body, context(opening, closing, header))
    else:
        check(body, context(opening, closing, header))


@given(tree=WHOLE_RECORDS, header=HEADERS, data=st.data())
def test_any_text_in_a_record_is_read_at_a_glance_as_with_care(tree: Tree, header: MessageHeader, data: st.DataObject):
    node = write(tree)
    leaves = [inner for inner in node.iterdescendants("*") if not len(inner)]
    for leaf in data.draw(st.lists(st.sampled_from(leaves), max_size=3)):
        leaf.text = data.draw(st.sampled_from(ODD_TEXTS))
    check(etree.tostring(node), context(header=header))


def priced(*inside: str) -> bytes:
    prices = "".join(f"<Price>{price}</Price>" for price in inside)
    return record(f"<ProductSupply><SupplyDetail>{prices}</SupplyDetail></ProductSupply>")


PRICES = (
    "<PriceAmount>1</PriceAmount><CurrencyCode>EUR</CurrencyCode>",
    "<PriceAmount>1.00</PriceAmount><CurrencyCode>EUR</CurrencyCode>",
    "<PriceAmount></PriceAmount><CurrencyCode>EUR</CurrencyCode>",
    "<PriceAmount>-1</PriceAmount><CurrencyCode>EUR</CurrencyCode>",
    "<PriceAmount>9999999999</PriceAmount><CurrencyCode>EUR</CurrencyCode>",
    "<PriceAmount>1</PriceAmount>2<CurrencyCode>EUR</CurrencyCode>",
    '<PriceAmount datestamp="20260101">1</PriceAmount>1<CurrencyCode>EUR</CurrencyCode>',
    '<PriceAmount datestamp="20260101">1</PriceAmount>2<CurrencyCode>EUR</CurrencyCode>',
    "<PriceAmount>1</PriceAmount><PriceAmount>2</PriceAmount><CurrencyCode>EUR</CurrencyCode>",
    "<PriceAmount>2</PriceAmount><PriceAmount>2</PriceAmount><CurrencyCode>EUR</CurrencyCode>",
    "<Discount><PriceAmount>1</PriceAmount></Discount><PriceAmount>1</PriceAmount><CurrencyCode>EUR</CurrencyCode>",
    "<Discount><PriceAmount>2</PriceAmount></Discount><PriceAmount>1</PriceAmount><CurrencyCode>EUR</CurrencyCode>",
    "<Discount><PriceAmount>2</PriceAmount></Discount><CurrencyCode>EUR</CurrencyCode>",
    "<j151>1</j151><CurrencyCode>EUR</CurrencyCode>",
    "<j151>3</j151><PriceAmount>1</PriceAmount><CurrencyCode>EUR</CurrencyCode>",
    "<PriceAmount>1</PriceAmount>",
    "<PriceAmount>1</PriceAmount><CurrencyCode>EUR<i/></CurrencyCode>",
    "<PriceAmount>1</PriceAmount><CurrencyCode>EUR<i/>X</CurrencyCode>",
    "<PriceAmount>1</PriceAmount><CurrencyCode>EUR</CurrencyCode><TaxExempt/>",
    "<UnpricedItemType>01</UnpricedItemType>",
)
"""Prices of which some differ in little more than their amounts."""


@given(order=st.permutations(PRICES), header=HEADERS)
def test_a_price_that_is_kept_is_taken_for_no_other(order: list[str], header: MessageHeader):
    for one, other in pairwise(order):
        check(priced(one), context(header=header))
        check(priced(other, one), context(header=header))


@pytest.mark.parametrize(
    "inside",
    [
        "<DescriptiveDetail><ProductForm>ED<b/></ProductForm></DescriptiveDetail>",
        "<DescriptiveDetail><ProductForm>E<b/>D</ProductForm></DescriptiveDetail>",
        "<DescriptiveDetail><TitleDetail><TitleElement><TitleText>a<b>c</b></TitleText></TitleElement></TitleDetail></DescriptiveDetail>",
        "<DescriptiveDetail><Contributor><PersonName><b>TBC</b></PersonName></Contributor></DescriptiveDetail>",
        "<ProductSupply><MarketReference><b>1</b></MarketReference></ProductSupply>",
        "<ProductIdentifier><ProductIDType>01</ProductIDType><IDValue>1<b>2</b></IDValue></ProductIdentifier><ProductSupply/>",
        "<ProductIdentifier><ProductIDType>01</ProductIDType><IDValue> 12 </IDValue></ProductIdentifier><ProductSupply/>",
        "<ProductSupply><MarketReference>\u200b1</MarketReference></ProductSupply>",
    ],
)
def test_markup_and_blanks_in_a_text_are_read_as_with_care(inside: str):
    check(record(inside), context())


@given(tree=WHOLE_RECORDS, data=st.data())
def test_blocks_differ_where_their_digests_do(tree: Tree, data: st.DataObject):
    old, new = with_odd_spellings(tree, data), with_odd_spellings(tree, data)
    try:
        before, after = (digests_in(context(), body) for body in (old, new))
    except RecordInvalid:
        return
    differs = Difference(Written(old, context()), Written(new, context()))
    assert {block: before.get(block.word) != after.get(block.word) for block in Block} == {
        block: differs(block) for block in Block
    }


@pytest.mark.parametrize("folder", ["yy-3.0-ref"])
def test_blocks_of_successive_real_records_differ_where_their_digests_do(folder: str):
    names = sorted(path.name for path in (samples_folder() / "sequences" / folder).glob("*.xml"))
    versions = [sample(f"sequences/{folder}/{name}")[0] for name in names]
    for old, new in (*pairwise(versions), (versions[0], versions[-1])):
        before, after = digests_in(old.context, old.body), digests_in(new.context, new.body)
        differs = Difference(*(Written(found.body, found.context) for found in (old, new)))
        assert [block for block in Block if before.get(block.word) != after.get(block.word)] == [
            block for block in Block if differs(block)
        ]


def nested(depth: int) -> bytes:
    inside = b"<a>" * (depth - 3) + b"</a>" * (depth - 3)
    return (
        b"<Product><RecordReference>r1</RecordReference><NotificationType>03</NotificationType>"
        b"<CollateralDetail><TextContent>" + inside + b"</TextContent></CollateralDetail></Product>"
    )


@pytest.mark.parametrize("depth", [10, 60, 99, 100])
def test_what_is_leapt_over_may_be_as_deep_as_anything(depth: int):
    assert "r1" == parse(nested(depth), context()).product.reference


@pytest.mark.parametrize("depth", [101, 150])
def test_what_is_leapt_over_may_not_be_deeper(depth: int):
    with pytest.raises(RecordInvalid, match="nested more than 100 deep"):
        parse(nested(depth), context())
