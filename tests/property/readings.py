"""What the framing gives for some bytes, and what a full parse of the same bytes finds: two readings to hold against each other."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise

from lxml import etree

from syncengine.domain.frame import Context, Frame, FrameIndex, KnownFrame
from syncengine.domain.passes import Noted
from syncengine.errors import NotOnix
from syncengine.onix.framing import FramedBatch, Framer
from syncengine.onix.vocabulary import ONIX

SEED = 4_711
RECORDS = frozenset({"Product", "product"})
REFERENCES = frozenset({"RecordReference", "a001"})
NOTIFICATION_TYPES = frozenset({"NotificationType", "a002"})
_NOT_WHOLE_KIND = re.compile("[^0-9]*(?:04|08|09|88|89)[^0-9]*")
_BLANKS = " \t\r\n\u00a0\u200b\ufeff"

Found = tuple[str | None, Hashable, bool]
"""A record as both readings give it: its reference, its content, whether it is repeated."""


@dataclass
class Reading:
    """All that the framing says of a message; where it refuses the message, only that."""

    frames: list[Frame] = field(default_factory=list)
    unchanged: list[int] = field(default_factory=list)
    """Positions in the index."""
    context: Context | None = None
    complete: bool = False
    defects: list[Noted] = field(default_factory=list)
    warnings: list[Noted] = field(default_factory=list)
    records: int = 0
    duplicates: int = 0
    refused: str | None = None


def read(chunks: Iterable[bytes], index: FrameIndex | None = None) -> Reading:
    framer = Framer(seed=SEED, index=index or FrameIndex())
    batches: list[FramedBatch] = []
    try:
        batches.extend(framer.feed(chunk) for chunk in chunks)
        batches.append(framer.close())
    except NotOnix as refusal:
        assert not any(batch.frames or batch.unchanged for batch in batches)
        return Reading(refused=str(refusal))
    return Reading(
        frames=[frame for batch in batches for frame in batch.frames],
        unchanged=[at for batch in batches for run in batch.unchanged for at in run],
        context=framer.context,
        complete=framer.complete,
        defects=framer.defects,
        warnings=framer.warnings,
        records=framer.records,
        duplicates=framer.duplicates,
    )


def cut(content: bytes, places: Iterable[int]) -> list[bytes]:
    """The same bytes in chunks; places beyond the end wrap around."""
    bounds = [0, *sorted(place % (len(content) + 1) for place in places), len(content)]
    return [content[start:end] for start, end in pairwise(bounds)]


def pieces(content: bytes, size: int) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


# --- a second reading ---------------------------------------------------------------------------------------------------


def index_of(frames: Iterable[Frame]) -> FrameIndex:
    """As a store would build it: by the text of the reference, each with its last frame."""
    return FrameIndex.of({frame.reference: described(frame) for frame in frames if frame.reference is not None})


def described(frame: Frame) -> KnownFrame:
    lines = frame.body.count(b"\n")
    return KnownFrame(len(frame.body), frame.fingerprint, lines, repeated=frame.repeated)


def place_of(frame: Frame, index: FrameIndex) -> int:
    """Its position in the index, -1 where it has none."""
    return index.find(frame.reference.encode()) if frame.reference is not None else -1


def settled_by(whole: Reading, index: FrameIndex) -> tuple[list[Frame], list[int]]:
    """What is left of a first reading's frames for a second one that knows an index, and what that finds unchanged."""
    fresh: list[Frame] = []
    unchanged: list[int] = []
    kept_back: dict[str, list[Frame]] = {}
    for frame in whole.frames:
        at = place_of(frame, index)
        if frame.reference is not None and (frame.repeated or (at >= 0 and index.is_repeated(at))):
            before = kept_back.get(frame.reference, []) if ONIX.not_whole.search(frame.body) else []
            kept_back[frame.reference] = [*before, replace(frame, repeated=True)]
        elif at >= 0 and (index.lengths[at], index.fingerprint(at)) == (len(frame.body), frame.fingerprint):
            unchanged.append(at)
        else:
            fresh.append(frame)
    later = (frame for run in kept_back.values() for frame in run)
    return [*fresh, *sorted(later, key=lambda frame: frame.offset)], unchanged


# --- a full parse -------------------------------------------------------------------------------------------------------


def local_name(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]


def canonical(node: etree._Element) -> Hashable:
    """All that a parser sees of an element, prefixes aside; comments and instructions too."""
    if isinstance(node, (etree._Comment, etree._ProcessingInstruction)):
        return etree.tostring(node, with_tail=False)
    inside = tuple((canonical(child), child.tail or "") for child in node)
    return node.tag, tuple(sorted(node.attrib.items())), node.text or "", inside


def parsed_records(content: bytes) -> list[etree._Element]:
    return [child for child in etree.fromstring(content) if local_name(child) in RECORDS]


def reference_of(record: etree._Element) -> str | None:
    found = [child for child in record if local_name(child) in REFERENCES]
    text = "".join([found[0].text or "", *(inner.tail or "" for inner in found[0])]).strip(_BLANKS) if found else ""
    return text or None


def is_whole(record: etree._Element) -> bool:
    """Whether it is a record that replaces others, not a block update, a notice or a test."""
    kinds = [element for element in record.iterdescendants("*") if local_name(element) in NOTIFICATION_TYPES]
    return not any(_NOT_WHOLE_KIND.fullmatch(kind.text or "") for kind in kinds)


def expected(records: Iterable[etree._Element]) -> list[Found]:
    """First records of each reference in order, then, of every reference met again, the last whole one and what follows it."""
    first: list[Found] = []
    later: dict[str, list[tuple[int, Found]]] = {}
    seen: set[str] = set()
    for number, record in enumerate(records):
        reference = reference_of(record)
        if reference is None or reference not in seen:
            first.append((reference, canonical(record), False))
            seen.update([reference] if reference else [])
            continue
        before = [] if is_whole(record) else later.get(reference, [])
        later[reference] = [*before, (number, (reference, canonical(record), True))]
    return first + [
        found for _, found in sorted((one for run in later.values() for one in run), key=lambda one: one[0])
    ]


def parsed_frames(reading: Reading) -> list[Found]:
    """The frames, each parsed alone in its context."""
    context = reading.context
    if context is None:
        return []
    trees = [etree.fromstring(context.opening + frame.body + context.closing) for frame in reading.frames]
    assert all(len(tree) == 1 for tree in trees)
    return [
        (frame.reference, canonical(tree[0]), frame.repeated) for frame, tree in zip(reading.frames, trees, strict=True)
    ]
