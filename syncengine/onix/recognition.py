"""Recognition: by its reference, length and fingerprint, whether a record is the one that was applied last (design section 4)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from syncengine.domain.frame import Context, Frame, FrameIndex
from syncengine.domain.ids import RecordReference
from syncengine.onix.encoding import BLANKS, plain_text
from syncengine.onix.fingerprint import fingerprint, seed_for
from syncengine.onix.markup import Window
from syncengine.onix.vocabulary import Vocabulary

OPENING_REACH: Final = 1024
"""How many bytes of a record are waited for to find its reference, and by it the known frame."""

_RUN: Final = 64
"""How many records are predicted in one go."""

_BLANK: Final = re.compile(rb"[ \t\r\n]*+")


@dataclass(slots=True)
class FramedBatch:
    """What has been completed, in the order of the message: frames to read, and the positions in the index of unchanged ones."""

    frames: list[Frame] = field(default_factory=list)
    unchanged: list[range] = field(default_factory=list)
    unchanged_count: int = 0
    frame_bytes: int = 0

    def add(self, frame: Frame) -> None:
        """A record to be read."""
        self.frames.append(frame)
        self.frame_bytes += len(frame.body)

    def add_unchanged(self, first: int, stop: int) -> None:
        """Known records that stand one behind the other, as they are known."""
        self.unchanged_count += stop - first
        if self.unchanged and self.unchanged[-1].stop == first:
            first = self.unchanged.pop().start
        self.unchanged.append(range(first, stop))

    def extend(self, more: FramedBatch) -> None:
        """Add what comes behind it."""
        self.frames += more.frames
        self.unchanged += more.unchanged
        self.unchanged_count += more.unchanged_count
        self.frame_bytes += more.frame_bytes


class Recogniser:
    """Sorts records as they are met: known and unchanged, to be read now, or to be read when no later one can follow."""

    def __init__(self, store_seed: int, index: FrameIndex, words: Vocabulary) -> None:
        self.batch = FramedBatch()
        self.record_count = 0
        self.superseded_count = 0
        self._store_seed = store_seed
        self._seed = 0
        self._encoding = ""
        self._index = index
        self._words = words
        self._known = bytearray(len(index))
        """By position in the index, whether the record has stood in the message."""
        self._unknown: set[int] = set()
        """The marks of those that stand in no index."""
        self._expected = 0
        """The position in the index that most likely comes next."""
        self._last_raw: bytes | None = b""
        self._last_frame = b""
        self._deferred: dict[bytes, list[Frame]] = {}

    def open(self, context: Context) -> None:
        """Take records of this context from now on."""
        self._seed = seed_for(self._store_seed, context)
        self._encoding = context.encoding

    def deferred(self) -> list[Frame]:
        """What was kept back of each reference, in the order of the message: its last whole record and what follows that."""
        return sorted((frame for run in self._deferred.values() for frame in run), key=lambda frame: frame.offset)

    @property
    def last_reference(self) -> bytes:
        """Of the last record, as it is written; empty where it has none."""
        if self._last_raw is None:
            self._last_raw = self._raw_reference(self._last_frame, 0, len(self._last_frame))
        return self._last_raw

    def skim(self, window: Window) -> bool:
        """Tier 1: pass over unchanged records as long as there are any; says no to wait for the rest of one.

        The bytes equal bytes that were exactly one record in the same context, so nothing in them needs to be looked at.
        """
        needed, words = 0, self._words
        with memoryview(window.buffer) as view:
            while not needed:
                self._follow(window, view)
                opening = words.opening.match(window.buffer, window.position)
                at = self._index.find(words.row_prefix + opening[2].strip(BLANKS), self._expected) if opening else -1
                if opening is None or at < 0 or self._known[at]:
                    break
                start = opening.start(1)
                end = start + self._index.lengths[at]
                if end > len(view):
                    needed = end
                elif fingerprint(view[start:end], self._seed) == self._index.fingerprint(at):
                    window.line(start)
                    self._pass(window, at, at + 1, end, self._index.line_counts[at])
                else:
                    break
        return not needed or window.ended or window.wait_for(needed)

    def _follow(self, window: Window, view: memoryview) -> None:
        """Pass over records that stand unchanged in the order of the index, with nothing but blanks between them.

        No reference is read: the fingerprint of the whole frame covers it.
        """
        while self._expected < len(self._known) and self._follow_some(window, view):
            pass

    def _follow_some(self, window: Window, view: memoryview) -> bool:
        """The next few records of the index, up to one that has stood in the message; whether they were all there.

        No further is looked ahead, here or for such a one: this is begun anew behind each record that changed.
        """
        stop = min(len(self._known), self._expected + _RUN)
        met_at = self._known.find(1, self._expected, stop)
        stop = stop if met_at < 0 else met_at
        index, seed, size, buffer, first = self._index, self._seed, len(view), window.buffer, self._expected
        entries, width = index.entries, index.ENTRY_BYTES
        begins_at = start = window.position + len(_blanks(buffer, window.position))
        at, entry, end, gap, gap_lines, blank_lines = first, first * width, 0, b"", 0, 0
        for length in index.lengths[first:stop].tolist():
            frame_end = start + length
            if frame_end > size or fingerprint(view[start:frame_end], seed) != entries[entry : entry + 16]:
                break
            at += 1
            entry += width
            blank_lines += gap_lines
            end = frame_end
            if not gap or not buffer.startswith(gap, end):
                gap = _blanks(buffer, end)
                gap_lines = gap.count(b"\n")
            start = end + len(gap)
        if at > first:
            window.line(begins_at)
            self._pass(window, first, at, end, sum(index.line_counts[first:at]) + blank_lines)
        return at == stop > first

    def _pass(self, window: Window, first: int, stop: int, end: int, line_count: int) -> None:
        """The window's position goes behind known records, whose lines need not be counted again."""
        last = end - self._index.lengths[stop - 1]
        self._last_raw, self._last_frame = None, bytes(window.buffer[last : min(end, last + OPENING_REACH)])
        self._known[first:stop] = b"\1" * (stop - first)
        self.record_count += stop - first
        self.batch.add_unchanged(first, stop)
        self._expected = stop
        window.skip_counted(end, line_count)

    def take(self, window: Window, end: int, skipped_bytes: int, *, is_doubtful: bool) -> None:
        """Tier 2 has found the record that lies between the window's position and here, behind which it goes on.

        One that is doubtful is flagged like a repeated one, so that no prediction ever rests on it.
        """
        start = window.position
        raw = self._raw_reference(window.buffer, start, end)
        identity = self.identity(raw)
        at = self._index.find(identity, self._expected) if identity else -1
        is_repeated = (self._is_repeated(identity, at) or is_doubtful) and bool(identity)
        self.record_count += 1
        self._last_raw = raw
        with memoryview(window.buffer) as view:
            mark = fingerprint(view[start:end], self._seed)
            if at >= 0:
                self._expected = at + 1
                if not is_repeated and (end - start, mark) == (self._index.lengths[at], self._index.fingerprint(at)):
                    self.batch.add_unchanged(at, at + 1)
                    window.position = end
                    return
            body = bytes(view[start:end])
        frame = Frame(
            reference=RecordReference(identity.decode()) if identity else None,
            body=body,
            fingerprint=mark,
            offset=skipped_bytes + window.offset(start),
            line=window.line(start),
            line_count=body.count(b"\n"),
            repeated=is_repeated,
        )
        window.skip_counted(end, frame.line_count)
        if is_repeated:
            self._defer(identity, frame)
        else:
            self.batch.add(frame)

    def identity(self, raw: bytes) -> bytes:
        """A record's reference in UTF-8, from its text: two spellings of one are the same. Empty where there is none."""
        if not (raw.isascii() and b"&" not in raw and b"<" not in raw):
            raw = plain_text(raw, self._encoding).encode("utf-8", "replace")
        return self._words.row_prefix + raw if raw else raw

    def _is_repeated(self, identity: bytes, at: int) -> bool:
        """Whether the reference stands more than once in its message, now or when last applied; `at` is its place in the index.

        Of those that are not in the index only a hash is remembered: where two of them collide, a frame comes later than it
        might, and nothing is lost.
        """
        if at >= 0:
            is_repeated = bool(self._known[at]) or self._index.is_repeated(at)
            self._known[at] = 1
            return is_repeated
        mark = hash(identity)
        is_repeated = mark in self._unknown
        self._unknown.add(mark)
        return is_repeated

    def _defer(self, identity: bytes, frame: Frame) -> None:
        """Keep the frame back; a whole record takes the place of all that came before it, anything else adds to it."""
        run = self._deferred.setdefault(identity, [])
        if not self._words.not_whole.search(frame.body):
            self.superseded_count += len(run)
            run.clear()
        run.append(frame)

    def _raw_reference(self, buffer: bytes | bytearray, start: int, end: int) -> bytes:
        """The bytes between the tags of a record's reference, without blanks; empty where there are none."""
        opening = self._words.opening.match(buffer, start, end)
        if opening is not None:
            return opening[2].strip(BLANKS)
        for found in self._words.reference.finditer(buffer, start, end):
            if found["passed"] is None:
                return (found["text"] or b"").strip(BLANKS)
        return b""


def _blanks(buffer: bytes | bytearray, at: int) -> bytes:
    """The blanks that begin at a position."""
    found = _BLANK.match(buffer, at)
    return found[0] if found else b""
