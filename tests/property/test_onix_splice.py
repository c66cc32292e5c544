"""A record of which only the blocks that differ are read says the same, and has changed in the same, as one that is read whole."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from bench.generate import write as write_feed
from bench.plan import Change, Encoding, FeedPlan, Shape, Tags
from syncengine.catalogue.compare import compare
from syncengine.domain.frame import Context, Frame, FrameIndex, MessageHeader
from syncengine.onix.codelists import standard
from syncengine.onix.difference import Difference, Written
from syncengine.onix.framing import Framer
from syncengine.onix.parsing import parse
from syncengine.onix.splice import splice
from tests.property.test_onix_plain import SPELLINGS
from tests.property.trees import WHOLE_RECORDS, Tree, write
from tests.records import context, record

TAGS = re.compile(rb"<[^<>]*>")


def spliced(old: bytes, new: bytes, within: Context) -> bool:
    """Whether it was read in part; if so, both ways of reading and comparing must agree."""
    known = parse(old, within)
    if not known.is_plain:
        return False
    found = splice(known.product, old, Written(new, within), standard())
    if found is None:
        return False
    whole = parse(new, within)
    assert (whole.product, (), True) == (found.product, whole.warnings, whole.is_plain)
    difference = Difference(Written(old, within), Written(new, within))
    assert compare(known.product, whole.product, difference) == compare(known.product, found.product, found.differs)
    return True


def frames_of(plan: FeedPlan, folder: Path) -> tuple[Context, Sequence[Frame]]:
    framer = Framer(seed=1, index=FrameIndex())
    write_feed(folder / plan.name, plan)
    frames = [*framer.feed((folder / plan.name).read_bytes()).frames, *framer.close().frames]
    assert framer.context is not None
    return framer.context, frames


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize("tags", Tags)
@pytest.mark.parametrize("encoding", [Encoding.UTF_8, Encoding.LATIN_1])
def test_usual_changes_are_read_in_part(shape: Shape, tags: Tags, encoding: Encoding, tmp_path: Path):
    before = FeedPlan(records=40, seed=3, shape=shape, tags=tags, encoding=encoding)
    after = FeedPlan(records=40, seed=3, shape=shape, tags=tags, encoding=encoding, change=Change.EDITED, share=0.5)
    within, old = frames_of(before, tmp_path)
    _, new = frames_of(after, tmp_path)
    pairs = [(one.body, other.body) for one, other in zip(old, new, strict=True) if one.body != other.body]
    assert [True] * 20 == [spliced(one, other, within) for one, other in pairs]


def edited(data: st.DataObject, body: bytes) -> bytes:
    """A few edits of any kind: something put between tags, taken out, moved, or a character changed."""
    for _ in range(data.draw(st.integers(1, 3))):
        ends = [tag.end() for tag in TAGS.finditer(body)]
        one, other = sorted(data.draw(st.lists(st.sampled_from(ends), min_size=2, max_size=2)))
        match data.draw(st.sampled_from(["put", "take", "double", "letter", "text"])):
            case "put":
                body = body[:one] + data.draw(SPELLINGS).encode() + body[one:]
            case "take":
                body = body[:one] + body[other:]
            case "double":
                body = body[:other] + body[one:other] + body[other:]
            case "letter":
                at = data.draw(st.integers(0, len(body) - 1))
                body = (
                    body[:at] + data.draw(st.sampled_from([b"a", b"7", b"<", b">", b"&", b"!", b" "])) + body[at + 1 :]
                )
            case _:
                body = (
                    body[:one]
                    + data.draw(st.sampled_from(["another word", "word", "9.90", "\u200bEuropa"])).encode()
                    + body[one:]
                )
    return body


HEADERS = st.builds(
    MessageHeader,
    default_price_type=st.sampled_from([None, "04"]),
    default_currency=st.sampled_from([None, "EUR"]),
    default_language=st.sampled_from([None, "fre"]),
)


@given(tree=WHOLE_RECORDS, other=WHOLE_RECORDS, header=HEADERS, data=st.data())
@settings(max_examples=300)
def test_whatever_was_edited_both_ways_agree(tree: Tree, other: Tree, header: MessageHeader, data: st.DataObject):
    old, another = (etree.tostring(write(each), encoding="utf-8") for each in (tree, other))
    spliced(old, edited(data, old), context(header=header))
    spliced(old, another, context(header=header))


BLOCKS = "<DescriptiveDetail><ProductForm>ED</ProductForm></DescriptiveDetail><CollateralDetail>{}</CollateralDetail>"


def text(words: str) -> str:
    return BLOCKS.format(f"<TextContent><TextType>03</TextType><Text>{words}</Text></TextContent>")


@pytest.mark.parametrize(
    ("inside", "other"),
    [
        (text("A house by the sea"), text("A house by the river")),
        (text("A house"), text("A  house\n")),
        (text("A caf&#233;teria"), text("A caf\u00e9teria")),
        (text("<![CDATA[<p>strong</p>]]>"), text("&lt;p>strong&lt;/p>")),
        (text("<![CDATA[</CollateralDetail>]]>"), text("<![CDATA[</CollateralDetail><x>]]>")),
        (text("one<!-- </Text> -->two"), text("one<!-- <Text> -->three")),
        (text("\u200bwindow"), text("window")),
        (text('<b sourcename="nobody">window</b>'), text('<b sourcename="some>body">window</b>')),
        (
            text("a") + "<ProductSupply/><ProductSupply/>",
            text("a") + "<ProductSupply/><ProductSupply><Market/></ProductSupply>",
        ),
    ],
)
def test_only_what_differs_is_read(inside: str, other: str):
    assert spliced(record(inside), record(other), context())


@pytest.mark.parametrize(
    "changed",
    [
        record(text("a"), reference="r2"),
        record(text("a"), notification="04"),
        record(text("a") + "<PublishingDetail/>"),
        record(text("</Text></TextContent><TextContent><Text>a")).replace(b"</CollateralDetail>", b""),
        record(text("a")).replace(b"<Product", b'<Product xmlns="urn:other"'),
        record(text("N/A").replace("Text>", "TitleText>")),
        record(text("&nothing;")),
        record(text("a") + "<!-- a -- b -->"),
        record(BLOCKS.format("<Bound/>")),
        record(BLOCKS.format("<CollateralDetail></CollateralDetail>")),
        record(BLOCKS.format("</CollateralDetail><CollateralDetail>")),
        record(BLOCKS.format("<!--")),
        record(BLOCKS.format("<Text>" * 60 + "</Text>" * 60)),
        record("<RecordSourceName>" + text("a") + "</RecordSourceName>"),
    ],
)
def test_when_in_doubt_a_record_is_read_from_its_beginning(changed: bytes):
    assert not spliced(record(text("a")), changed, context())


def test_attributes_of_the_record_itself_say_nothing():
    old = record(text("a")).replace(b"<Product>", b'<Product datestamp="20260101">')
    assert spliced(old, old.replace(b"20260101", b"20260202"), context())
    assert not spliced(old, old.replace(b'datestamp="20260101"', b'datestamp="20260101" datestamp="1"'), context())


def test_blocks_that_stand_inside_another_element_are_none_of_the_record():
    old = record("<RecordSourceIdentifier>" + text("a") + "</RecordSourceIdentifier>" + text("b"))
    assert not spliced(old, old.replace(b"<Text>a<", b"<Text>c<"), context())
