"""Recognition: by its reference, length and fingerprint, whether a record is the one that was applied last (design section 4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from syncengine.domain.frame import Context, Frame, FrameIndex, KnownFrame
from syncengine.domain.ids import RecordReference
from syncengine.onix.encoding import BLANKS, plain_text
from syncengine.onix.fingerprint import fingerprint, seed_for
from syncengine.onix.markup import ATTRIBUTES, PASSED, Window

_PREFIX: Final = rb"(?:[^ \t\r\n<>/:=\"'!?]++:)?+"
RECORD: Final = rb"(?:Product|product)"
_REFERENCE: Final = _PREFIX + rb"(?:RecordReference|a001)" + ATTRIBUTES
OPENING: Final = re.compile(
    rb"[ \t\r\n]*+(<" + _PREFIX + RECORD + ATTRIBUTES + rb"(?<!/)>)"
    rb"[ \t\r\n]*+<" + _REFERENCE + rb"(?<!/)>([^<]*+)</"
)
"""A record's start tag and the text of its reference, where that comes first and is plain."""

OPENING_REACH: Final = 1024
"""How many bytes of a record are waited for to find its reference, and by it the known frame."""

_FIRST_REFERENCE: Final = re.compile(
    PASSED + rb"|<" + _REFERENCE + rb"(?:(?<=/)>|>"
    rb"(?P<text>(?:[^<]++|<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>)*+)</)",
    re.DOTALL,
)
"""The same anywhere in a record, with what may not be searched for it."""

_NOT_WHOLE: Final = re.compile(
    rb"<" + _PREFIX + rb"(?:NotificationType|a002)" + ATTRIBUTES + rb">[^<0-9]*+(?:04|08|09|88|89)[^<0-9]*+</"
)
"""List 1: block updates, notices and tests, behind which the last whole record still holds."""


@dataclass(frozen=True, slots=True)
class FramedBatch:
    """What a chunk completes, in the order of the message: frames to read, and known frames that stand there unchanged."""

    frames: list[Frame]
    unchanged: list[KnownFrame]


class Recogniser:
    """Sorts records as they are met: known and unchanged, to be read now, or to be read when no later one can follow."""

    def __init__(self, store_seed: int, index: FrameIndex) -> None:
        self.batch = FramedBatch(frames=[], unchanged=[])
        self.record_count = 0
        self.superseded_count = 0
        self.last_reference = b""
        self._store_seed = store_seed
        self._seed = 0
        self._encoding = ""
        self._index = index
        self._seen: set[int] = set()
        self._deferred: dict[bytes, list[Frame]] = {}

    def open(self, context: Context) -> None:
        """Take records of this context from now on."""
        self._seed = seed_for(self._store_seed, context)
        self._encoding = context.encoding

    def deferred(self) -> list[Frame]:
        """What was kept back of each reference, in the order of the message: its last whole record and what follows that."""
        return sorted((frame for run in self._deferred.values() for frame in run), key=lambda frame: frame.offset)

    def skim(self, window: Window) -> bool:
        """Tier 1: pass over unchanged records as long as there are any; says no to wait for the rest of one.

        The bytes equal bytes that were exactly one record in the same context, so nothing in them needs to be looked at.
        """
        buffer, seed, seen, unchanged = window.buffer, self._seed, self._seen, self.batch.unchanged
        position, size, count, needed = window.position, len(buffer), len(unchanged), 0
        with memoryview(buffer) as view:
            while opening := OPENING.match(buffer, position):
                raw = opening[2].strip(BLANKS)
                known = self._index.get(raw)
                if known is None or known.repeated or (mark := hash(self.identity(raw))) in seen:
                    break
                start = opening.start(1)
                end = start + known.length
                if end > size:
                    needed = end
                    break
                if fingerprint(view[start:end], seed) != known.fingerprint:
                    break
                seen.add(mark)
                unchanged.append(known)
                position, self.last_reference = end, raw
        window.position = position
        self.record_count += len(unchanged) - count
        return not needed or window.ended or window.wait_for(needed)

    def take(self, window: Window, end: int, skipped_bytes: int, *, is_doubtful: bool) -> None:
        """Tier 2 has found the record that lies between the window's position and here.

        One that is doubtful is flagged like a repeated one, so that no prediction ever rests on it.
        """
        start = window.position
        raw = _raw_reference(window.buffer, start, end)
        identity = self.identity(raw)
        known = (self._index.get(raw) or self._index.get(identity)) if identity else None
        is_repeated = (self._is_repeated(identity, known) or is_doubtful) and bool(identity)
        self.record_count += 1
        self.last_reference = raw
        with memoryview(window.buffer) as view:
            mark = fingerprint(view[start:end], self._seed)
            if known is not None and not is_repeated and (known.length, known.fingerprint) == (end - start, mark):
                self.batch.unchanged.append(known)
                return
            body = bytes(view[start:end])
        frame = Frame(
            reference=RecordReference(identity.decode()) if identity else None,
            body=body,
            fingerprint=mark,
            offset=skipped_bytes + window.offset(start),
            line=window.line(start),
            repeated=is_repeated,
        )
        if is_repeated:
            self._defer(identity, frame)
        else:
            self.batch.frames.append(frame)

    def identity(self, raw: bytes) -> bytes:
        """A reference's text in UTF-8: two spellings of one reference are the same."""
        if raw.isascii() and b"&" not in raw and b"<" not in raw:
            return raw
        return plain_text(raw, self._encoding).encode("utf-8", "replace")

    def _is_repeated(self, identity: bytes, known: KnownFrame | None) -> bool:
        """Whether the reference stands more than once in its message, now or when last applied.

        Only its hash is remembered: where two of them collide, a frame comes later than it might, and nothing is lost.
        """
        mark = hash(identity)
        is_repeated = mark in self._seen or (known is not None and known.repeated)
        self._seen.add(mark)
        return is_repeated

    def _defer(self, identity: bytes, frame: Frame) -> None:
        """Keep the frame back; a whole record takes the place of all that came before it, anything else adds to it."""
        run = self._deferred.setdefault(identity, [])
        if not _NOT_WHOLE.search(frame.body):
            self.superseded_count += len(run)
            run.clear()
        run.append(frame)


def _raw_reference(buffer: bytearray, start: int, end: int) -> bytes:
    """The bytes between the tags of a record's reference, without blanks; empty where there are none."""
    opening = OPENING.match(buffer, start, end)
    if opening is not None:
        return opening[2].strip(BLANKS)
    for found in _FIRST_REFERENCE.finditer(buffer, start, end):
        if found["passed"] is None:
            return (found["text"] or b"").strip(BLANKS)
    return b""
