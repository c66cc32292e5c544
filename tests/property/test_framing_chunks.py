"""However a message is cut into chunks, it gives the same frames, and those that a full parse finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from syncengine.domain.frame import Context, Frame, FrameIndex, KnownFrame
from syncengine.domain.ids import RecordId
from syncengine.onix.framing import Framer

SEED = 4_711


@dataclass
class Reading:
    frames: list[Frame] = field(default_factory=list)
    unchanged: list[KnownFrame] = field(default_factory=list)
    context: Context | None = None
    complete: bool = False
    told: tuple[list[str], list[str]] = ([], [])
    counts: tuple[int, int] = (0, 0)


def read(chunks: list[bytes], index: FrameIndex | None = None) -> Reading:
    framer = Framer(seed=SEED, index=index or FrameIndex())
    reading = Reading()
    batches = [*(framer.feed(chunk) for chunk in chunks), framer.close()]
    reading.frames = [frame for batch in batches for frame in batch.frames]
    reading.unchanged = [known for batch in batches for known in batch.unchanged]
    reading.context, reading.complete = framer.context, framer.complete
    reading.told = (framer.defects, framer.warnings)
    reading.counts = (framer.records, framer.duplicates)
    return reading


def cut(content: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(content) + 1) for place in places), len(content)]
    return [content[start:end] for start, end in pairwise(bounds)]


def index_of(frames: list[Frame]) -> FrameIndex:
    """As a store would build it: by the text of the reference, each with its last frame."""
    return FrameIndex(
        frames={
            frame.reference.encode(): KnownFrame(RecordId(number), len(frame.body), frame.fingerprint, frame.repeated)
            for number, frame in enumerate(frames)
            if frame.reference is not None
        }
    )


BLANK = st.sampled_from(["", "", " ", "\n", "\r\n\t", "  \n \n"])
PASSED = st.sampled_from(
    [
        "<!-- plain -->",
        "<!--</Product><product>-->",
        "<!-- <RecordReference>no</RecordReference> -->",
        "<?pi </Product> ?>",
        "<?x?>",
        "<!---->",
    ]
)
CONTENT = st.lists(
    st.one_of(
        PASSED,
        st.sampled_from(
            [
                "<T><![CDATA[</Product>]]></T>",
                "<T><![CDATA[]]></T>",
                "<T><![CDATA[ ]] > <b> ]]]]></T>",
                "<ProductIdentifier>\n<IDValue>978</IDValue></ProductIdentifier>",
                "<ProductForm a='>' b=\"&lt;\"/>",
                "<T>\u00e9 &amp; &#233;</T>",
                "<T/>",
            ]
        ),
        st.text("abc \n\u00e9", max_size=12).map(lambda text: f"<T>{text}</T>"),
    ),
    max_size=5,
).map("".join)
REFERENCE = st.sampled_from(
    ["1", "2", "3", "4", "5", "6", "a&amp;b", "a&#38;b", "\u00e9", "<![CDATA[3]]>", "7<!-- x -->", ""]
)


@st.composite
def records(draw: st.DrawFn, prefix: str) -> str:
    is_short = draw(st.booleans())
    record, reference = ("product", "a001") if is_short else ("Product", "RecordReference")
    inner_blank, attributes = draw(BLANK), draw(st.sampled_from(["", "", ' datestamp="2026"', " a='/>' "]))
    before = draw(st.one_of(st.just(""), st.just(""), PASSED))
    number = draw(REFERENCE)
    named = f"<{prefix}{reference}>{inner_blank}{number}</{prefix}{reference}>"
    if draw(st.integers(0, 9)) == 0:
        named = draw(st.sampled_from(["", f"<{prefix}{reference}/>"]))
    content = draw(CONTENT)
    return f"<{prefix}{record}{attributes}>{before}{inner_blank}{named}{content}</{prefix}{record}{draw(BLANK)}>"


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "iso-8859-1", "utf-16"]))
    declared = encoding.removesuffix("-sig")
    prefix = draw(st.sampled_from(["", "", "o:"]))
    style = draw(st.sampled_from(["ONIXMessage", "ONIXmessage"]))
    declaration = f'<?xml version="1.0" encoding="{declared}"?>'
    doctype = draw(st.sampled_from(["", "", "<!DOCTYPE x [<!ENTITY y ']>'> <!-- ' ]> -->]>\n"]))
    namespace = f"xmlns{':' * bool(prefix)}{prefix[:-1]}='http://ns.editeur.org/onix/3.0/reference'"
    header = draw(
        st.sampled_from(["", "<{0}Header><{0}Sender><{0}SenderName>\u00e9</{0}SenderName></{0}Sender></{0}Header>"])
    )
    between = st.one_of(BLANK, PASSED, st.sampled_from(["<Foo/>", "<Foo><Foo/> x<!-- </Foo> --></Foo>"]))
    body = draw(st.lists(st.one_of(records(prefix), between), max_size=10).map("".join))
    tail = draw(st.sampled_from(["", "\n", "<!-- end -->\n", " <?end?>"]))
    root = prefix + style
    text = f"{declaration}{doctype}<{root} {namespace} release='3.0'>{header.format(prefix)}{body}</{root}>{tail}"
    return text.encode(encoding)


def local_name(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]


def canonical(element: etree._Element) -> bytes:
    element.tail = None
    return etree.tostring(element, method="c14n", exclusive=True)


def parsed_records(content: bytes) -> list[etree._Element]:
    return [child for child in etree.fromstring(content) if local_name(child) in {"Product", "product"}]


def reference_of(element: etree._Element) -> str | None:
    found = [child for child in element if local_name(child) in {"RecordReference", "a001"}]
    text = "".join([found[0].text or "", *(inner.tail or "" for inner in found[0])]).strip() if found else ""
    return text or None


def expected(elements: list[etree._Element]) -> list[tuple[str | None, bytes, bool]]:
    """First frames of each reference in order, then, of every reference met again, the last."""
    first: list[tuple[str | None, bytes, bool]] = []
    later: dict[str, tuple[str | None, bytes, bool]] = {}
    seen: set[str] = set()
    for element in elements:
        reference = reference_of(element)
        if reference is None or reference not in seen:
            first.append((reference, canonical(element), False))
            seen.update([reference] if reference else [])
            continue
        later.pop(reference, None)
        later[reference] = (reference, canonical(element), True)
    return first + list(later.values())


def parsed_frames(reading: Reading) -> list[tuple[str | None, bytes, bool]]:
    context = reading.context
    assert context is not None
    trees = [etree.fromstring(context.opening + frame.body + context.closing) for frame in reading.frames]
    assert all(len(tree) == 1 for tree in trees)
    return [
        (frame.reference, canonical(tree[0]), frame.repeated) for frame, tree in zip(reading.frames, trees, strict=True)
    ]


@given(messages(), st.lists(st.integers(0, 1 << 20), max_size=8))
def test_frames_are_what_a_full_parse_finds(content: bytes, places: list[int]):
    """Tier 2, whole and cut anywhere."""
    whole = read([content])
    elements = parsed_records(content)
    assert (whole.complete, whole.told[0]) == (True, [])
    assert len(elements) == whole.counts[0]
    assert len(elements) - len(whole.frames) == whole.counts[1]
    assert expected(elements) == parsed_frames(whole)
    assert whole == read(cut(content, places))


@settings(max_examples=20)
@given(messages())
def test_every_boundary_and_every_byte(content: bytes):
    """One cut at each place, and a chunk for each byte."""
    whole = read([content])
    assert whole == read([content[place : place + 1] for place in range(len(content))])
    assert all(whole == read([content[:place], content[place:]]) for place in range(0, len(content), 3))


@given(messages(), st.lists(st.integers(0, 1 << 20), max_size=8), st.integers(1, 9))
def test_a_second_reading_is_all_unchanged(content: bytes, places: list[int], chunk_size: int):
    """Tier 1 agrees with tier 2; only records without reference and repeated ones are read again."""
    first = read([content])
    index = index_of(first.frames)
    repeated = {frame.reference for frame in first.frames if frame.repeated}
    named = [frame.reference for frame in first.frames if frame.reference is not None]
    settled = [index.frames[reference.encode()] for reference in named if reference not in repeated]
    small = [content[start : start + chunk_size] for start in range(0, len(content), chunk_size)]
    readings = [read(chunks, index) for chunks in ([content], cut(content, places), small)]
    assert settled == readings[0].unchanged
    assert {None, *repeated} >= {frame.reference for frame in readings[0].frames}
    assert [readings[0]] * 3 == readings


@given(messages(), st.lists(st.integers(0, 1 << 20), max_size=8), st.data())
def test_a_changed_record_is_exactly_what_is_read_again(content: bytes, places: list[int], data: st.DataObject):
    """A character more in one record; all others stay known."""
    first = read([content])
    repeated = {frame.reference for frame in first.frames if frame.repeated}
    settled = [frame for frame in first.frames if frame.reference not in {None, *repeated}]
    if not settled or first.context is None or content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return
    index = index_of(first.frames)
    changed = data.draw(st.sampled_from(settled))
    end = changed.offset + changed.body.rindex(b"</")
    edited = content[:end] + b"<!-- new -->" + content[end:]
    reading = read(cut(edited, places), index)
    assert [changed.reference] == [
        frame.reference for frame in reading.frames if frame.reference not in {None, *repeated}
    ]
    assert len(settled) - 1 == len(reading.unchanged)


@given(messages(), st.integers(0, 1 << 20), st.lists(st.integers(0, 1 << 20), max_size=4))
def test_a_torn_message_keeps_its_complete_records(content: bytes, place: int, places: list[int]):
    """Cut off behind its root, a message gives the records that are whole, and says that it is not."""
    whole = read([content])
    if (
        not whole.frames
        or any(frame.repeated for frame in whole.frames)
        or content.startswith((b"\xff\xfe", b"\xfe\xff"))
    ):
        return
    start, end = whole.frames[0].offset, content.rindex(b"</")
    torn = content[: start + place % (end - start)]
    reading = read(cut(torn, places))
    assert [frame for frame in whole.frames if frame.offset + len(frame.body) <= len(torn)] == reading.frames
    assert (reading.complete, len(reading.told[0])) == (False, 1)
    assert read([torn]) == reading
