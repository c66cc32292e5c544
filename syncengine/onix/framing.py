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
from syncengine.onix.encoding import BLANKS, Decoder
from syncengine.onix.envelope import (
    HEADER_NAMES,
    NO_PRODUCT_NAMES,
    RECORD_NAMES,
    ROOT_NAMES,
    HeaderReading,
    Prolog,
    Root,
    build_context,
    read_header,
    release_of_content,
)
from syncengine.onix.markup import CONSTRUCTS, Reader, Tag, Window, read_tag
from syncengine.onix.recognition import OPENING, OPENING_REACH, RECORD, FramedBatch, Recogniser

__all__ = ["FramedBatch", "Framer"]

_END_TAG: Final = re.compile(rb"</([^ \t\r\n<>]*+)[^<>]*+(?:>|(?=<))")
_EXCERPT: Final = 40
_NOTES_KEPT: Final = 100


class Framer:
    """Cuts one message into frames as its bytes come.

    What comes out depends on the bytes alone, never on how they were cut into chunks. `feed` and `close` raise NotOnix if the
    bytes are no ONIX message.
    """

    def __init__(self, *, seed: int, index: FrameIndex) -> None:
        self._seed = seed
        self._index = index
        self._decoder = Decoder()
        self._window = Window()
        self._prolog = Prolog(self._window)
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
        return _Message(self._window, root, self._decoder, Recogniser(self._seed, self._index))

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

    def __init__(self, window: Window, root: Root, decoder: Decoder, recogniser: Recogniser) -> None:
        super().__init__(window, self._between)
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
        elif self.is_complete and not self.recogniser.record_count and not self._is_no_product:
            self.warnings.add(line, WarningKind.EMPTY, "the message holds neither a record nor NoProduct")

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
        if tag.local in RECORD_NAMES:
            return self._start_record(tag)
        if tag.local in ROOT_NAMES:
            return self._start_second_message(tag)
        if tag.is_broken:
            return self._stray_text()
        if tag.local in HEADER_NAMES:
            return self._start_header(tag)
        return self._start_element(tag)

    def _end_tag(self) -> bool:
        window = self.window
        tag = _END_TAG.match(window.buffer, window.position)
        if tag is None:
            return self.wait_for_more()
        is_root = tag[1] == self._root.name or tag[1].rpartition(b":")[2] in ROOT_NAMES
        if is_root and not self._is_closed:
            self._close_root(tag[1])
        else:
            self._complain(window.position, f"an end tag </{_shown(tag[1])}> without its start")
        window.position = tag.end()
        return True

    def _close_root(self, name: bytes) -> None:
        if name != self._root.name:
            self._complain(self.window.position, f"<{_shown(self._root.name)}> is closed by </{_shown(name)}>")
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
        return self.enter_walk(self._in_header, tag.end, _header_tags(tag.name, self._root.name), "the header")

    def _in_header(self) -> bool:
        window = self.window
        found = self.walk.next(window.buffer)
        if found is None:
            return False
        closing = b"</" + self._name
        raw = bytes(window.buffer[window.position : found.start()]) + closing + b">"
        if not self._take_header(read_header(self._root, raw, self._decoder.encoding), window.position):
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
        return self.enter_walk(self._in_element, tag.end, _element_tags(tag.name), inside)

    def _note_element(self, tag: Tag) -> None:
        if tag.local in NO_PRODUCT_NAMES:
            self._is_no_product = True
        elif self._is_closed:
            self._complain(tag.start, f"an element <{_shown(tag.name)}>")
        else:
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
        self.context = build_context(self._root, release=release, encoding=encoding, header=header)
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
        inside = f"a record that begins in line {window.line(tag.start)}"
        self.enter_walk(self._in_record, tag.end, _record_tags(tag.prefix, self._root.name), inside)
        return self._finish_record(tag.end) if tag.is_empty else True

    def _waits_for_reference(self, tag: Tag) -> bool:
        """Whether the reference has not come yet, and with it the chance that the record is unchanged."""
        window = self.window
        if window.ended or tag.is_empty or len(window.buffer) >= tag.start + OPENING_REACH:
            return False
        return OPENING.match(window.buffer, tag.start) is None

    def _in_record(self) -> bool:
        found = self.walk.next(self.window.buffer)
        if found is None:
            return False
        if found[0].startswith(b"</") and found[0].rpartition(b":")[2].removeprefix(b"</") in RECORD_NAMES:
            return self.enter(self._in_record_end, self.inside)
        return self._cut_record(found.start())

    def _in_record_end(self) -> bool:
        end = self.walk.tail(self.window.buffer)
        return end is not None and self._finish_record(end)

    def _cut_record(self, at: int) -> bool:
        """The end tag is missing: the record ends where something begins that cannot be part of it."""
        window = self.window
        start = window.position
        self._finish_record(start + len(window.buffer[start:at].rstrip(BLANKS)))
        says = f"the record {self._last()} has no end tag; cut at line {window.line(at)}"
        self._complain(start, says, WarningKind.CUT_RECORD)
        return True

    def _finish_record(self, end: int) -> bool:
        window = self.window
        start = window.position
        if self.context is None:
            self._open_context(bytes(window.buffer[start:end]))
        swallowed_at = self._swallowed(start, end) if self.walk.passed_count else -1
        self.recogniser.take(window, end, self._decoder.skipped, is_doubtful=swallowed_at >= 0)
        if swallowed_at >= 0:
            says = f"a comment or CDATA section in the record {self._last()} holds another record"
            self._complain(swallowed_at, says, WarningKind.CUT_RECORD)
        window.position = end
        self._is_closed = self._is_closed or self._root.is_bare
        return self.enter(self._between)

    def _swallowed(self, start: int, end: int) -> int:
        """Where another record begins in this one, or -1.

        A comment or CDATA section that was never closed takes in whole records, up to the end of the next one.
        """
        buffer, name = self.window.buffer, b"<" + self._name
        at = buffer.find(name, start + 1, end)
        while at >= 0 and not OPENING.match(buffer, at, end):
            at = buffer.find(name, at + 1, end)
        return at


@lru_cache(maxsize=64)
def _record_tags(prefix: bytes, root_name: bytes) -> tuple[re.Pattern[bytes], int]:
    """Where a record ends or must have ended: its end tag, another record's start tag, the root's end tag.

    With the length of the longest of them, as a walk wants it.
    """
    record = re.escape(prefix) + RECORD + rb"(?=[ \t\r\n/>])"
    pattern = rb"<(?:%b|/?%b|/%b(?=[ \t\r\n>]))" % (CONSTRUCTS, record, re.escape(root_name))
    return re.compile(pattern), len(prefix) + len(root_name) + 16


@lru_cache(maxsize=64)
def _header_tags(name: bytes, root_name: bytes) -> tuple[re.Pattern[bytes], int]:
    """The same for a header."""
    record = re.escape(name.rpartition(b":")[0]) + rb":?" + RECORD + rb"(?=[ \t\r\n/>])"
    names = rb"/(?:%b|%b)(?=[ \t\r\n>])" % (re.escape(name), re.escape(root_name))
    return re.compile(rb"<(?:%b|%b|%b)" % (CONSTRUCTS, names, record)), len(name) + len(root_name) + 16


@lru_cache(maxsize=64)
def _element_tags(name: bytes) -> tuple[re.Pattern[bytes], int]:
    """An element's own tags, for its depth, and the start tags of records inside of it."""
    pattern = rb"<(?:%b|/?%b(?=[ \t\r\n/>])|%b(?=[ \t\r\n/>]))" % (CONSTRUCTS, re.escape(name), RECORD)
    return re.compile(pattern), len(name) + 16


def _shown(name: bytes) -> str:
    return name[:60].decode("utf-8", "replace")
