"""Any bytes as a message: the framing refuses or frames them, however they are cut, and agrees with a full parse where there is one."""

from __future__ import annotations

import random
import re
from zlib import crc32

from lxml import etree

from syncengine.domain.frame import Context, Frame
from syncengine.domain.passes import WarningKind
from tests.property.readings import (
    RECORDS,
    Reading,
    cut,
    expected,
    index_of,
    local_name,
    parsed_frames,
    parsed_records,
    pieces,
    read,
    settled_by,
)

_ROOTS = frozenset({"ONIXMessage", "ONIXmessage"})
_READ_ALIKE = frozenset({"UTF-8", "US-ASCII", "UTF-16", "UTF-16LE", "UTF-16BE"})
"""Encodings of which this engine and lxml understand every byte alike."""

_HIDING = re.compile(rb"<!|<\?|&|\0")
"""How an element or a digit can be written that is none, or does not look like one; the declaration is the one that may be."""

_SMALL = 300
"""Messages up to so many bytes are also given byte by byte."""


def check(content: bytes) -> None:
    """Raise AssertionError where the framing breaks a promise about these bytes."""
    whole = read([content])
    check_same_however_cut(content, whole)
    if whole.refused is None:
        _check_second_reading(content, whole)
    root = tree_of(content)
    if root is not None and is_flat(root):
        _check_full_parse(content, root, whole)


def check_same_however_cut(content: bytes, whole: Reading) -> None:
    """The places come from the bytes themselves, so that a crash can be repeated."""
    chance = random.Random(crc32(content))
    places = [chance.randrange(len(content) + 1) for _ in range(chance.randrange(1, 12))]
    assert whole == read(cut(content, places)), places
    if len(content) <= _SMALL:
        assert whole == read(pieces(content, 1))


def _check_second_reading(content: bytes, whole: Reading) -> None:
    """An index of the records that could be read settles exactly these, and changes nothing else."""
    context = whole.context
    index = index_of(frame for frame in whole.frames if context is not None and _is_readable(frame, context))
    again = read([content], index)
    assert settled_by(whole, index) == (again.frames, again.unchanged)
    assert (whole.context, whole.complete, whole.records) == (again.context, again.complete, again.records)
    assert (whole.defects, whole.warnings) == (again.defects, again.warnings)
    assert again.records - again.duplicates == len(again.frames) + len(again.unchanged)


def _is_readable(frame: Frame, context: Context) -> bool:
    """Whether it is a record as it stands: a repair may make one of what the framing had to cut off."""
    try:
        etree.fromstring(context.opening + frame.body + context.closing)
    except (etree.XMLSyntaxError, ValueError):
        return False
    return True


def _check_full_parse(content: bytes, root: etree._Element, whole: Reading) -> None:
    if whole.refused is not None:
        assert not is_surely_onix(root), whole.refused
        return
    assert whole.complete or whole.defects
    if any(defect.kind is WarningKind.HEADER for defect in whole.defects):
        return  # behind a second header that contradicts the first nothing is read
    assert len([child for child in root if local_name(child) in RECORDS]) == whole.records
    # A comment that holds a record may be one that was never closed: such a frame is kept back like a repeated one.
    is_doubtful = any(defect.kind is WarningKind.CUT_RECORD for defect in whole.defects)
    # Which of repeated records counts hangs on their NotificationType, which is looked for without a parse.
    is_doubtful |= any(frame.repeated for frame in whole.frames) and len(_HIDING.findall(content)) > 1
    if _encoding_of(root) in _READ_ALIKE and not is_doubtful:
        assert expected(parsed_records(content)) == parsed_frames(whole)


def tree_of(content: bytes) -> etree._Element | None:
    """What lxml makes of a message without a DOCTYPE; none where it accepts no such thing."""
    try:
        root = etree.fromstring(content, etree.XMLParser(no_network=True, huge_tree=False))
    except (etree.XMLSyntaxError, ValueError):
        return None
    return None if root.getroottree().docinfo.internalDTD is not None else root


def is_flat(root: etree._Element) -> bool:
    """Whether records and messages stand nowhere but where they belong: elsewhere it is a matter of judgement what they are."""
    strange = RECORDS | _ROOTS | {local_name(root)}
    inner = [element for child in root.iterchildren("*") for element in child.iterdescendants("*")]
    return (
        local_name(root) not in RECORDS
        and all(local_name(element) not in strange for element in inner)
        and all(local_name(child) not in strange - RECORDS for child in root.iterchildren("*"))
    )


def is_surely_onix(root: etree._Element) -> bool:
    """Whether a message may not be refused."""
    return str(root.tag) in _ROOTS and root.get("release") in {"3.0", "3.1"} and _encoding_of(root) in _READ_ALIKE


def _encoding_of(root: etree._Element) -> str:
    return (root.getroottree().docinfo.encoding or "UTF-8").upper()
