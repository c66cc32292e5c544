"""Framing: the bytes of a message in, the bytes of its records out, those that are known already skipped unread.

Design section 4: a record whose length and fingerprint are known is compared where it stands (tier 1); any other is followed to
its end tag (tier 2). What stands between records, before and after them is always read.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from syncengine.domain.frame import Context, FrameIndex
from syncengine.domain.passes import Noted, WarningKind
from syncengine.domain.rows import Rows
from syncengine.onix.encoding import BLANKS, Decoder
from syncengine.onix.envelope import (
    HeaderReading,
    Prolog,
    Root,
    build_context,
    read_header,
    release_of_content,
)
from syncengine.onix.markup import CONSTRUCTS, TERMINATORS, Reader, Tag, Window, read_tag
from syncengine.onix.recognition import OPENING_REACH, FramedBatch, Recogniser
from syncengine.onix.vocabulary import Vocabulary, vocabulary_of

__all__ = ["FramedBatch", "Framer"]

_END_TAG: Final = re.compile(rb"</([^ \t\r\n<>]*+)[^<>]*+(?:>|(?=<))")
_EXCERPT: Final = 40
_LESS: Final = ord("<")
_GLANCE: Final = 1 << 18
"""How far ahead a record's end is looked for before its tags are walked through; most end within."""
_NOTES_KEPT: Final = 100


class Framer:
    """Cuts one message into frames as its bytes come.

    What comes out depends on the bytes alone, never on how they were cut into chunks. `feed` and `close` raise NotOnix if the
    bytes are no ONIX message, or where `rows` are expected no message of such rows.
    """

    def __init__(self, *, seed: int, index: FrameIndex, rows: Rows | None = None) -> None:
        self._seed = seed
        self._index = index
        self._words = vocabulary_of(rows)
        self._decoder = Decoder()
        self._window = Window()
        self._prolog = Prolog(self._window, self._words)
        self._message: _Message | None = None

    def feed(self, chunk: bytes) -> FramedBatch:
        """The records that end in the chunk."""
        return self._read(self._decoder.feed(chunk))

    def close(self) -> FramedBatch:
        """The end of the input: the last records, then those whose reference stands there more than once."""
        rest = self._decoder.feed(b"", last=True)
        self._window.ended = True
        batch = self._read(rest)
        if self._message is None:
            raise self._prolog.end()
        self._message.end()
        for frame in self._message.recogniser.deferred():
            batch.add(frame)
        return batch

    def _read(self, piece: bytes) -> FramedBatch:
        batch = FramedBatch()
        if self._window.take(piece):
            if self._message is None:
                self._message = self._begin()
            if self._message is not None:
                self._message.recogniser.batch = batch
                self._message.read()
        return batch

    def _begin(self) -> _Message | None:
        self._prolog.read()
        root = self._prolog.root
        if root is None:
            return None
        recogniser = Recogniser(self._seed, self._index, self._words)
        return _Message(self._window, root, self._decoder, recogniser, self._words)

    @property
    def context(self) -> Context | None:
        """None until the first record begins or the root is closed."""
        return self._message.context if self._message else None

    @property
    def complete(self) -> bool:
        """Whether the closing tag of the root has come, and nothing after it but blanks, comments and instructions."""
        return self._message is not None and self._message.is_complete

    @property
    def defects(self) -> list[Noted]:
        """What was wrong with the message outside of its records, each with its line: something may be missing from it."""
        return self._message.defects.kept() if self._message else []

    @property
    def warnings(self) -> list[Noted]:
        """What was odd, each with its line, without any loss."""
        decoded = [Noted(WarningKind.ENCODING, says) for says in self._decoder.warnings]
        return [*decoded, *(self._message.warnings.kept() if self._message else ())]

    @property
    def records(self) -> int:
        """All records met, unchanged and repeated ones included."""
        return self._message.recogniser.record_count if self._message else 0

    @property
    def duplicates(self) -> int:
        """Frames that were dropped because a later one of their reference took their place."""
        return self._message.recogniser.superseded_count if self._message else 0


class _Notes:
    """Warnings with their lines; of very many only the first are kept."""

    def __init__(self) -> None:
        self._kept: list[Noted] = []
        self._more_count = 0

    def add(self, line: int, kind: WarningKind, says: str) -> None:
        if len(self._kept) < _NOTES_KEPT:
            self._kept.append(Noted(kind, f"line {line}: {says}"))
        else:
            self._more_count += 1

    def kept(self) -> list[Noted]:
        if not self._more_count:
            return list(self._kept)
        return [*self._kept, Noted(WarningKind.STRAY_CONTENT, f"and {self._more_count} more like these")]


class _Message(Reader):
    """Reads a message behind its root's start tag: its header, its records, and whatever stands between them."""

    def __init__(self, window: Window, root: Root, decoder: Decoder, recogniser: Recogniser, words: Vocabulary) -> None:
        super().__init__(window, self._between)
        self._words = words
        self._container: Tag | None = None
        """The element around records that is open."""
        self.context: Context | None = None
        self.recogniser = recogniser
        self.warnings = _Notes()
        self.defects = _Notes()
        self._root = root
        self._decoder = decoder
        self._header: HeaderReading | None = None
        self._is_no_product = False
        self._is_closed = root.is_empty
        self._goes_on = False
        self._is_torn = False
        self._name = b""
        self._ends_plainly = True
        """Whether end tags stand as they usually do; where one was not found nearby, none is looked for again."""
        self._depth = 0
        self._swallowed_count = 0
        for noted in root.warnings:
            self.warnings.add(root.line, noted.kind, noted.says)

    @property
    def is_complete(self) -> bool:
        return self._is_closed and not self._goes_on and not self._is_torn

    def end(self) -> None:
        """Judge how the input ends."""
        window = self.window
        inside = self.end_inside()
        line = window.line(len(window.buffer))
        if self.context is None:
            self._open_context(bytes(window.buffer[window.position :]))
        if inside:
            self._is_torn = True
            self.defects.add(line, WarningKind.TRUNCATED, f"the message ends inside {inside}; {self._account()}")
        elif not self._is_closed and not self._is_torn:
            says = f"the message ends without </{_shown(self._root.name)}>; {self._account()}"
            self.defects.add(line, WarningKind.TRUNCATED, says)
        elif self.is_complete and not self._may_be_empty and not self.recogniser.record_count:
            self.warnings.add(line, WarningKind.EMPTY, "the message holds neither a record nor NoProduct")

    @property
    def _may_be_empty(self) -> bool:
        """Whether a message without records says that there is nothing new: rows say so by none, ONIX by NoProduct."""
        return self._is_no_product or self._words.rows is not None

    def _account(self) -> str:
        return (
            f"the last complete record is {self._last()}" if self.recogniser.record_count else "no complete record came"
        )

    def _last(self) -> str:
        """The last record, for people."""
        reference = self.recogniser.identity(self.recogniser.last_reference).decode()
        return repr(reference) if reference else "without a reference"

    def _complain(self, at: int, says: str, kind: WarningKind = WarningKind.STRAY_CONTENT) -> None:
        """Note a defect; behind the root's end only that there is something."""
        if not self._is_closed:
            self.defects.add(self.window.line(at), kind, says)
        elif not self._goes_on:
            self._goes_on = True
            self.defects.add(self.window.line(at), kind, f"the message goes on behind its end: {says}")

    @property
    def _may_skim(self) -> bool:
        """Whether unchanged records are recognised here; one without a message around it ends its message, so it is walked."""
        return self.context is not None and not self._is_closed and not self._root.is_bare

    def _between(self) -> bool:
        if self._may_skim and not self.recogniser.skim(self.window):
            return False
        opener = self.opener()
        match opener:
            case None:
                return False
            case b"<!--" | b"<?":
                return self.pass_over(opener, self._between)
            case b"<![CDATA[":
                self._complain(self.window.position, "a CDATA section that belongs to no record")
                return self.pass_over(opener, self._between)
            case b"</":
                return self._end_tag()
            case b"<":
                return self._start_tag()
            case _:
                return self._stray_text()

    def _start_tag(self) -> bool:
        tag = self.tag()
        if tag is None:
            return False
        words = self._words
        if tag.local in words.records:
            return self._start_record(tag)
        if tag.local in words.roots:
            return self._start_second_message(tag)
        if tag.is_broken:
            return self._stray_text()
        if tag.local in words.headers:
            return self._start_header(tag)
        if tag.local == words.container and not self._is_closed:
            return self._start_container(tag)
        return self._start_element(tag)

    def _start_container(self, tag: Tag) -> bool:
        if not tag.is_empty:
            self._container = tag
        self.window.position = tag.end
        return True

    def _end_tag(self) -> bool:
        window = self.window
        tag = _END_TAG.match(window.buffer, window.position)
        if tag is None:
            return self.wait_for_more()
        local = tag[1].rpartition(b":")[2]
        is_root = tag[1] == self._root.name or local in self._words.roots
        if is_root and not self._is_closed:
            self._close_root(tag[1])
        elif self._container is not None and local == self._words.container:
            self._container = None
        else:
            self._complain(window.position, f"an end tag </{_shown(tag[1])}> without its start")
        window.position = tag.end()
        return True

    def _close_root(self, name: bytes) -> None:
        if name != self._root.name:
            self._complain(self.window.position, f"<{_shown(self._root.name)}> is closed by </{_shown(name)}>")
        if self._container is not None:
            self._complain(self.window.position, f"<{_shown(self._container.name)}> has no end tag")
            self._container = None
        if self.context is None:
            self._open_context()
        self._is_closed = True

    def _stray_text(self) -> bool:
        """Pass over what is neither blank nor an element, up to the next `<`."""
        window = self.window
        start, limit = window.position, window.position + _EXCERPT
        end = window.buffer.find(b"<", start + 1, limit)
        if end < 0 and len(window.buffer) < limit and not window.ended:
            return window.wait_for(limit)
        excerpt = bytes(window.buffer[start : limit if end < 0 else end]).decode("utf-8", "replace")
        self._complain(start, f"text that belongs to no record: {excerpt.strip()!r}")
        window.position = start + 1
        return self.enter(self._in_text)

    def _in_text(self) -> bool:
        window = self.window
        found = window.buffer.find(b"<", window.position)
        window.position = len(window.buffer) if found < 0 else found
        return found >= 0 and self.enter(self._between)

    def _start_second_message(self, tag: Tag) -> bool:
        """Another message behind or within the first: read on if its root is the same, since its records then mean the same."""
        is_same = self._root.is_opened_by(tag)
        says = "another message begins" if is_same else "another message begins, with another root; it was not read"
        self._complain(tag.start, says)
        self.window.position = tag.end
        return is_same or self.enter(self._in_what_is_not_read)

    def _in_what_is_not_read(self) -> bool:
        self.window.position = len(self.window.buffer)
        return False

    def _start_header(self, tag: Tag) -> bool:
        if tag.is_empty:
            self.window.position = tag.end
            self._take_header(HeaderReading(), tag.start)
            return True
        self._name = tag.name
        tags = _header_tags(self._words, tag.name, self._root.name)
        return self.enter_walk(self._in_header, tag.end, tags, "the header")

    def _in_header(self) -> bool:
        window = self.window
        found = self.walk.next(window.buffer)
        if found is None:
            return False
        closing = b"</" + self._name
        raw = bytes(window.buffer[window.position : found.start()]) + closing + b">"
        header = read_header(self._root, raw, self._decoder.encoding, self._words.rows)
        if not self._take_header(header, window.position):
            return True
        if found[0] != closing:
            self._complain(window.position, "the header has no end tag", WarningKind.HEADER)
            window.position = found.start()
            return self.enter(self._between)
        window.position = found.end()
        return self.pass_until(b">", self._between, "the header")

    def _take_header(self, found: HeaderReading, at: int) -> bool:
        """The first header counts, if it stands before all records; says no to reading on behind one with other defaults.

        Records mean what one header says. Behind another their prices might be in another currency, and so would be wrong.
        """
        line = self.window.line(at)
        if self._header is None and self.context is None:
            self._header = found
            if found.says:
                self.warnings.add(line, WarningKind.HEADER, found.says)
            return True
        if found.meaning != (self._header or HeaderReading()).meaning:
            says = "another header, with other defaults; what follows it was not read"
            self.defects.add(line, WarningKind.HEADER, says)
            self._is_torn = True
            self.enter(self._in_what_is_not_read)
            return False
        if self._is_closed:
            self._complain(at, "a header")
        else:
            self.warnings.add(line, WarningKind.HEADER, "another header was skipped")
        return True

    def _start_element(self, tag: Tag) -> bool:
        """Something that is neither header nor record: it is passed over as a whole."""
        self._note_element(tag)
        if tag.is_empty:
            self.window.position = tag.end
            return True
        self._name, self._depth, self._swallowed_count = tag.name, 1, 0
        inside = f"the element <{_shown(tag.name)}> of line {self.window.line(tag.start)}"
        return self.enter_walk(self._in_element, tag.end, _element_tags(self._words, tag.name), inside)

    def _note_element(self, tag: Tag) -> None:
        if tag.local in self._words.no_records:
            self._is_no_product = True
        elif self._is_closed:
            self._complain(tag.start, f"an element <{_shown(tag.name)}>")
        elif self._words.rows is None:
            says = f"an unknown element <{_shown(tag.name)}> was skipped"
            self.warnings.add(self.window.line(tag.start), WarningKind.STRAY_CONTENT, says)

    def _in_element(self) -> bool:
        window, walk = self.window, self.walk
        while found := walk.next(window.buffer):
            if found[0] == b"</" + self._name:
                self._depth -= 1
                if not self._depth:
                    return self._leave_element(found)
            elif found[0] == b"<" + self._name:
                tag = read_tag(window.buffer, found.start())
                if tag is None:
                    walk.at = window.position = found.start()
                    return self.wait_for_more()
                self._depth += not tag.is_empty
            else:
                self._swallowed_count += 1
        window.position = walk.at
        return False

    def _leave_element(self, found: re.Match[bytes]) -> bool:
        name = _shown(self._name)
        if self._swallowed_count:
            says = f"<{name}> was skipped with {self._swallowed_count} records inside of it"
            self._complain(found.start(), says)
        self.window.position = found.end()
        return self.pass_until(b">", self._between, f"the end tag </{name}>")

    def _open_context(self, record: bytes = b"") -> None:
        """Settle what the meaning of records depends on; a root that does not tell the release leaves it to the first one."""
        release = self._root.release
        if release is None:
            release = release_of_content(record, is_no_product=self._is_no_product)
            says = f"neither release nor namespace tell the release; {release} by the content"
            self.warnings.add(self._root.line, WarningKind.RELEASE, says)
        encoding, header = self._decoder.encoding, self._header or HeaderReading()
        self.context = build_context(
            self._root,
            release=release,
            encoding=encoding,
            header=header,
            container=self._container,
            rows=self._words.rows,
        )
        self.recogniser.open(self.context)

    def _start_record(self, tag: Tag) -> bool:
        window = self.window
        if self.context is None and self._root.release is not None:
            self._open_context()
            return True
        if self._waits_for_reference(tag):
            return window.wait_for(tag.start + OPENING_REACH)
        if self._is_closed:
            self._complain(tag.start, "a record")
        self._name = tag.name
        end, passes = (tag.end, False) if tag.is_empty else self._end_at_a_glance(tag)
        if end >= 0:
            return self._finish_record(end, passes=passes)
        inside = f"a record that begins in line {window.line(tag.start)}"
        tags = _record_tags(self._words, tag.prefix, self._root.name)
        return self.enter_walk(self._in_record, tag.end, tags, inside)

    def _end_at_a_glance(self, tag: Tag) -> tuple[int, bool]:
        """Where the record ends, if that is near and plain to see, and whether comments and the like were passed over.

        Else -1: then its tags are walked through.
        """
        buffer, closing = self.window.buffer, b"</" + tag.name + b">"
        at, limit, passes = tag.end, tag.end + _GLANCE, False
        search = self._words.record_tag.search
        while at >= 0 and self._ends_plainly and (found := search(buffer, at, limit)):
            construct = _first_construct(buffer, at, found.start())
            if construct >= 0:
                at, passes = _behind_construct(buffer, construct, limit), True
                continue
            end = found.end() + 1
            is_plain = buffer.endswith(closing, tag.end, end) and buffer.find(b"</" + self._root.name, tag.end, end) < 0
            return (end if is_plain else -1), passes
        self._ends_plainly = self._ends_plainly and len(buffer) < limit
        return -1, passes

    def _waits_for_reference(self, tag: Tag) -> bool:
        """Whether the reference has not come yet, and with it the chance that the record is unchanged."""
        window = self.window
        if window.ended or tag.is_empty or len(window.buffer) >= tag.start + OPENING_REACH:
            return False
        return self._words.opening.match(window.buffer, tag.start) is None

    def _in_record(self) -> bool:
        found = self.walk.next(self.window.buffer)
        if found is None:
            return False
        if found[0].startswith(b"</") and found[0].rpartition(b":")[2].removeprefix(b"</") in self._words.records:
            return self.enter(self._in_record_end, self.inside)
        return self._cut_record(found.start())

    def _in_record_end(self) -> bool:
        end = self.walk.tail(self.window.buffer)
        return end is not None and self._finish_record(end, passes=bool(self.walk.passed_count))

    def _cut_record(self, at: int) -> bool:
        """The end tag is missing: the record ends where something begins that cannot be part of it."""
        window = self.window
        start = window.position
        end = start + len(window.buffer[start:at].rstrip(BLANKS))
        self._finish_record(end, passes=bool(self.walk.passed_count))
        says = f"the record {self._last()} has no end tag; cut at line {window.line(at)}"
        self._complain(start, says, WarningKind.CUT_RECORD)
        return True

    def _finish_record(self, end: int, *, passes: bool) -> bool:
        """The record reaches from the position to here; `passes` tells that comments or CDATA sections were passed over in it."""
        window = self.window
        start = window.position
        if self.context is None:
            self._open_context(bytes(window.buffer[start:end]))
        swallowed_at = self._swallowed(start, end) if passes else -1
        self.recogniser.take(window, end, self._decoder.skipped, is_doubtful=swallowed_at >= 0)
        if swallowed_at >= 0:
            says = f"a comment or CDATA section in the record {self._last()} holds another record"
            self._complain(swallowed_at, says, WarningKind.CUT_RECORD)
        self._is_closed = self._is_closed or self._root.is_bare
        return self.enter(self._between)

    def _swallowed(self, start: int, end: int) -> int:
        """Where another record begins in this one, or -1.

        A comment or CDATA section that was never closed takes in whole records, up to the end of the next one.
        """
        buffer, opener, words = self.window.buffer, b"<" + self._name, self._words
        for found in words.record_tag.finditer(buffer, start + len(opener), end):
            at = found.end() - len(opener)
            if buffer.startswith(opener, at) and words.opening.match(buffer, at, end):
                return at
        return -1


@lru_cache(maxsize=64)
def _record_tags(words: Vocabulary, prefix: bytes, root_name: bytes) -> tuple[re.Pattern[bytes], int]:
    """Where a record ends or must have ended: its end tag, another record's start tag, the end tag of what it stands in.

    With the length of the longest of them, as a walk wants it.
    """
    record = re.escape(prefix) + words.record + rb"(?=[ \t\r\n/>])"
    around = re.escape(root_name)
    if words.container:
        around = rb"(?:%b|%b)" % (around, re.escape(prefix + words.container))
    pattern = rb"<(?:%b|/?%b|/%b(?=[ \t\r\n>]))" % (CONSTRUCTS, record, around)
    return re.compile(pattern), len(prefix) + len(root_name) + words.longest + 16


def _first_construct(buffer: bytes | bytearray, start: int, end: int) -> int:
    """Where a comment, a CDATA section or an instruction begins, or -1.

    Looked for by its second byte: it is rare, and single bytes are found many times faster than two.
    """
    places = [at for at in (_second(buffer, b"!", start, end), _second(buffer, b"?", start, end)) if at >= 0]
    return min(places, default=-1)


def _second(buffer: bytes | bytearray, mark: bytes, start: int, end: int) -> int:
    """Where `<` stands before a byte, or -1."""
    at = buffer.find(mark, start + 1, end)
    while at >= 0 and buffer[at - 1] != _LESS:
        at = buffer.find(mark, at + 1, end)
    return at - 1 if at >= 0 else -1


def _behind_construct(buffer: bytes | bytearray, start: int, limit: int) -> int:
    """Where the construct ends that begins there, or -1."""
    for opener in (b"<![CDATA[", b"<!--", b"<?"):
        if buffer.startswith(opener, start):
            end = buffer.find(TERMINATORS[opener], start + len(opener), limit)
            return end + len(TERMINATORS[opener]) if end >= 0 else -1
    return -1


@lru_cache(maxsize=64)
def _header_tags(words: Vocabulary, name: bytes, root_name: bytes) -> tuple[re.Pattern[bytes], int]:
    """The same for a header."""
    record = re.escape(name.rpartition(b":")[0]) + rb":?" + words.record + rb"(?=[ \t\r\n/>])"
    names = rb"/(?:%b|%b)(?=[ \t\r\n>])" % (re.escape(name), re.escape(root_name))
    reach = len(name) + len(root_name) + words.longest + 16
    return re.compile(rb"<(?:%b|%b|%b)" % (CONSTRUCTS, names, record)), reach


@lru_cache(maxsize=64)
def _element_tags(words: Vocabulary, name: bytes) -> tuple[re.Pattern[bytes], int]:
    """An element's own tags, for its depth, and the start tags of records inside of it."""
    pattern = rb"<(?:%b|/?%b(?=[ \t\r\n/>])|%b(?=[ \t\r\n/>]))" % (CONSTRUCTS, re.escape(name), words.record)
    return re.compile(pattern), len(name) + words.longest + 16


def _shown(name: bytes) -> str:
    return name[:60].decode("utf-8", "replace")
