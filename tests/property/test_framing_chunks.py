"""However a message is cut into chunks and whatever is known of its records, it gives the records that a full parse finds."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from syncengine.domain.frame import Frame, FrameIndex, KnownFrame
from syncengine.domain.ids import RecordReference
from syncengine.domain.passes import WarningKind
from syncengine.onix import markup
from tests.property.messages import Message, messages
from tests.property.readings import (
    Reading,
    cut,
    described,
    expected,
    index_of,
    parsed_frames,
    parsed_records,
    pieces,
    place_of,
    read,
    settled_by,
)

PLACES = st.lists(st.integers(0, 1 << 20), max_size=8)
PLAIN = messages().filter(lambda message: not message.is_wide)
"""Messages in which a position is the same before and after decoding."""


def single(reading: Reading) -> list[Frame]:
    """The frames by whose reference they can be known again: there, and there once."""
    repeated = {frame.reference for frame in reading.frames if frame.repeated}
    return [frame for frame in reading.frames if frame.reference not in {None, *repeated}]


@given(message=messages(), places=PLACES)
def test_frames_are_what_a_full_parse_finds(message: Message, places: list[int]):
    """Tier 2, whole and cut anywhere."""
    whole = read([message.content])
    records = parsed_records(message.content)
    assert (True, []) == (whole.complete, whole.defects)
    assert (len(records), len(records) - len(whole.frames)) == (whole.records, whole.duplicates)
    assert expected(records) == parsed_frames(whole)
    assert whole == read(cut(message.content, places))


@given(message=messages(junk=True), places=PLACES)
def test_junk_between_records_is_told_and_takes_none_of_them(message: Message, places: list[int]):
    whole = read([message.content])
    assert expected(parsed_records(message.content)) == parsed_frames(whole)
    assert {WarningKind.STRAY_CONTENT} >= {defect.kind for defect in whole.defects}
    assert whole == read(cut(message.content, places))


@given(message=messages(junk=True), places=PLACES, graft=st.integers(1, 40), data=st.data())
def test_however_little_of_a_chunk_is_put_behind_the_last_it_reads_the_same(
    message: Message, places: list[int], graft: int, data: st.DataObject
):
    """The window goes over from one chunk to the next in the middle of anything, known or not."""
    whole = read([message.content])
    index = index_of(frame for frame in whole.frames if data.draw(st.booleans()))
    chunks = cut(message.content, places)
    expected_reading = read(chunks, index)
    with patch.object(markup, "_GRAFT", graft):
        assert expected_reading == read(chunks, index)
        assert whole == read(chunks)


@settings(max_examples=20)
@given(message=messages(junk=True))
def test_every_boundary_and_every_byte(message: Message):
    """One cut at each place, and a chunk for each byte."""
    content = message.content
    whole = read([content])
    assert whole == read(pieces(content, 1))
    assert all(whole == read([content[:place], content[place:]]) for place in range(0, len(content), 3))


@given(message=messages(), places=PLACES, chunk_size=st.integers(1, 9))
def test_a_second_reading_is_all_unchanged(message: Message, places: list[int], chunk_size: int):
    """Tier 1 agrees with tier 2; only records without reference and repeated ones are read again."""
    content = message.content
    first = read([content])
    index = index_of(first.frames)
    readings = [read(chunks, index) for chunks in ([content], cut(content, places), pieces(content, chunk_size))]
    assert [place_of(frame, index) for frame in single(first)] == readings[0].unchanged
    assert [frame for frame in readings[0].frames if frame in single(first)] == []
    assert [readings[0]] * 3 == readings


def _distorted(known: KnownFrame, how: str) -> KnownFrame:
    match how:
        case "longer" | "shorter" | "nothing" | "endless":
            change = {"longer": 1, "shorter": -1, "nothing": -known.length, "endless": 1 << 40}[how]
            return replace(known, length=known.length + change)
        case "other bytes":
            return replace(known, fingerprint=bytes(reversed(known.fingerprint or b"")))
        case "repeated":
            return replace(known, repeated=True)
        case _:
            return known


@given(message=messages(junk=True), places=PLACES, data=st.data())
def test_no_prediction_right_or_wrong_changes_what_is_read(message: Message, places: list[int], data: st.DataObject):
    """An index of some of the records in any order, of repeated ones any, each as it is or distorted, settles what it describes."""
    first = read([message.content])
    ways = st.sampled_from(["as it is"] * 3 + ["longer", "shorter", "nothing", "endless", "other bytes", "repeated"])
    known: dict[RecordReference, KnownFrame] = {}
    for frame in data.draw(st.permutations(first.frames)):
        if frame.reference is not None and data.draw(st.integers(0, 3)):
            plain = described(replace(frame, repeated=False))
            known.setdefault(frame.reference, _distorted(plain, data.draw(ways)))
    index = FrameIndex.of(known)
    reading = read(cut(message.content, places), index)
    assert settled_by(first, index) == (reading.frames, reading.unchanged)
    assert (first.records, first.complete, first.context) == (reading.records, reading.complete, reading.context)
    assert (first.defects, first.warnings) == (reading.defects, reading.warnings)
    assert reading.records == len(reading.frames) + len(reading.unchanged) + reading.duplicates


@given(message=PLAIN, places=PLACES, data=st.data())
def test_a_changed_record_is_exactly_what_is_read_again(message: Message, places: list[int], data: st.DataObject):
    """A comment more in one record; all others stay known."""
    content = message.content
    first = read([content])
    filled = [frame for frame in single(first) if b"</" in frame.body]
    if not filled:
        return
    changed = data.draw(st.sampled_from(filled))
    end = changed.offset + changed.body.rindex(b"</")
    reading = read(cut(content[:end] + b"<!-- new -->" + content[end:], places), index_of(first.frames))
    again = [frame.reference for frame in reading.frames if frame.reference in {one.reference for one in single(first)}]
    assert [changed.reference] == again
    assert len(single(first)) - 1 == len(reading.unchanged)


@given(message=PLAIN, places=PLACES, place=st.integers(0, 1 << 20), byte=st.integers(1, 255))
def test_a_record_with_another_byte_is_never_unchanged(message: Message, places: list[int], place: int, byte: int):
    """Whatever that byte makes of its record and of those around it."""
    first = read([message.content])
    if not single(first):
        return
    index = index_of(first.frames)
    damaged = bytearray(message.content)
    start = first.frames[0].offset
    place = start + place % (len(damaged) - start)
    damaged[place] ^= byte
    hit = [place_of(frame, index) for frame in single(first) if 0 <= place - frame.offset < len(frame.body)]
    reading = read(cut(bytes(damaged), places), index)
    assert [at for at in reading.unchanged if at in hit] == []
    assert read([bytes(damaged)], index) == reading


@given(message=PLAIN, place=st.integers(0, 1 << 20), places=PLACES)
def test_a_torn_message_keeps_its_complete_records(message: Message, place: int, places: list[int]):
    """Cut off behind its root, a message gives the records that are whole, and says that it is not."""
    content = message.content
    whole = read([content])
    if not whole.frames or any(frame.repeated for frame in whole.frames):
        return
    start, end = whole.frames[0].offset, content.rindex(b"</")
    torn = content[: start + place % (end - start)]
    reading = read(cut(torn, places))
    assert [frame for frame in whole.frames if frame.offset + len(frame.body) <= len(torn)] == reading.frames
    assert (False, [WarningKind.TRUNCATED]) == (reading.complete, [defect.kind for defect in reading.defects])
    assert read([torn]) == reading
