"""Markup as bytes: start tags, and walking through an element that comes piece by piece.

Nothing here knows ONIX. Every search stops at the first thing it finds and goes on where it stopped, so that the work is
proportional to the bytes however they are cut.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from syncengine.onix.encoding import plain_text

TERMINATORS: Final = {b"<!--": b"-->", b"<![CDATA[": b"]]>", b"<?": b"?>", b'"': b'"', b"'": b"'"}
"""What is passed over as a whole, by how it begins: comments, CDATA sections, processing instructions, and quotes in a DOCTYPE."""

CONSTRUCTS: Final = rb"!--|!\[CDATA\[|\?"
"""Those of element content, as a pattern behind `<`."""

PASSED: Final = rb"(?P<passed><!--.*?(?:-->|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z)|<\?.*?(?:\?>|\Z))"
"""The same as a whole; one that is not closed runs to the end, so that a search stays linear."""

ATTRIBUTES: Final = rb"(?:[ \t\r\n/](?:[^<>\"']++|\"[^<\"]*+\"|'[^<']*+')*+)?+"
"""The rest of a start tag behind its name, as a pattern; `<` never stands in it, so a broken tag ends early."""

_TAG: Final = re.compile(rb"<([^ \t\r\n<>/=\"'!?]++)(" + ATTRIBUTES + rb")>")
_TAG_NAME: Final = re.compile(rb"<([^ \t\r\n<>/=\"'!?]*)")
# A name without a value matches too, so that nothing is tried anew from each of its letters.
_ATTRIBUTE: Final = re.compile(rb"([^ \t\r\n=/]++)(?:[ \t\r\n]*+=[ \t\r\n]*+(\"[^\"]*\"|'[^']*'))?+")
_ANGLE: Final = re.compile(rb"[<>]")
_OPENER: Final = re.compile(rb"<!--|<!\[CDATA\[|<!DOCTYPE(?=[ \t\r\n\[>])|<!|<\?|</|<|")
_OPENER_REACH: Final = 10
_LONG_OPENERS: Final = (b"<!--", b"<![CDATA[", b"<!DOCTYPE")
_NOTHING: Final = re.compile(rb"(?!)")
_GRAFT: Final = 1 << 14
"""How many bytes of a chunk are put behind the rest of the last one at first."""
_VISIBLE: Final = re.compile(rb"[^ \t\r\n]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A start tag as it stands in a buffer; one that is broken ends before the next `<` and has no attributes."""

    start: int
    end: int
    name: bytes
    attributes: tuple[tuple[bytes, bytes], ...] = ()
    """Names with their values, these still in quotes."""
    is_empty: bool = False
    is_broken: bool = False

    @property
    def local(self) -> bytes:
        return self.name.rpartition(b":")[2]

    @property
    def prefix(self) -> bytes:
        """With its colon; empty where there is none."""
        return self.name[: len(self.name) - len(self.local)]

    @property
    def namespace(self) -> str:
        """As declared in this very tag, for its own name."""
        return self.attribute(b"xmlns:" + self.prefix[:-1] if self.prefix else b"xmlns")

    def attribute(self, name: bytes) -> str:
        """The value without blanks; empty where the tag has none."""
        return next((plain_text(quoted[1:-1], "utf-8") for key, quoted in self.attributes if key == name), "")


def read_tag(buffer: bytes | bytearray, at: int) -> Tag | None:
    """The start tag at a position, or none if its end has not come yet."""
    whole = _TAG.match(buffer, at)
    if whole is not None:
        return Tag(
            start=at,
            end=whole.end(),
            name=whole[1],
            attributes=tuple((found[1], found[2]) for found in _ATTRIBUTE.finditer(whole[2]) if found[2] is not None),
            is_empty=whole[2].endswith(b"/"),
        )
    following = buffer.find(b"<", at + 1)
    name = _TAG_NAME.match(buffer, at)
    if following < 0 or name is None:
        return None
    return Tag(start=at, end=following, name=name[1], is_broken=True)


class Walk:
    """Walks through content and stops at the tags its owner asks for, in as many steps as the input takes.

    `tags` is a pattern that matches CONSTRUCTS too; `reach` is the length of the longest bytes it can match. `at` is where to go
    on; the owner moves it when it drops bytes from the buffer. `passed_count` counts what was passed over, `inside` is how the
    construct begins whose end has not come.
    """

    __slots__ = ("_reach", "_tags", "at", "inside", "passed_count")

    def __init__(self, tags: re.Pattern[bytes], *, at: int, reach: int) -> None:
        self._tags = tags
        self._reach = reach
        self.at = at
        self.inside: bytes | None = None
        self.passed_count = 0

    def next(self, buffer: bytes | bytearray) -> re.Match[bytes] | None:
        """The next tag outside of what is passed over, or none if it has not come yet."""
        while self._leave(buffer):
            found = self._tags.search(buffer, self.at)
            if found is None:
                self.at = max(self.at, len(buffer) - self._reach + 1)
                return None
            self.at = found.end()
            if found[0] not in TERMINATORS:
                return found
            self.inside = found[0]
        return None

    def tail(self, buffer: bytes | bytearray) -> int | None:
        """The end of the tag that was met last, or none if it has not come yet; a broken tag ends before the next `<`."""
        angle = _ANGLE.search(buffer, self.at)
        if angle is None:
            self.at = len(buffer)
            return None
        return angle.end() if angle[0] == b">" else angle.start()

    def _leave(self, buffer: bytes | bytearray) -> bool:
        """Whether the walk is in plain content, after passing over what it was inside of."""
        if self.inside is None:
            return True
        terminator = TERMINATORS[self.inside]
        end = buffer.find(terminator, self.at)
        if end < 0:
            self.at = max(self.at, len(buffer) - len(terminator) + 1)
            return False
        self.at = end + len(terminator)
        self.inside = None
        self.passed_count += 1
        return True


class Window:
    """The part of a message that is at hand, and the position up to which it has been read.

    Bytes before the position are dropped, so that what is kept is bounded by the largest record and a chunk. A chunk is not
    copied: only so much of it is put behind what is left of the last one that the window can go over to the chunk itself.
    """

    __slots__ = (
        "_chunk",
        "_chunk_at",
        "_counted",
        "_dropped",
        "_line",
        "_needed",
        "_taken",
        "buffer",
        "ended",
        "position",
    )

    def __init__(self) -> None:
        self.buffer: bytes | bytearray = b""
        self.position = 0
        self.ended = False
        self._chunk = b""
        """The last chunk, as long as not all of it is in the buffer."""
        self._chunk_at = 0
        """Where it begins in the buffer."""
        self._taken = 0
        """How much of it is in the buffer."""
        self._needed = 0
        self._dropped = 0
        self._line = 1
        self._counted = 0

    def take(self, chunk: bytes) -> bool:
        """Add bytes; whether there is enough now to go on. Those of the last chunk must have been taken up: see `advance`."""
        self._chunk, self._chunk_at, self._taken = chunk, len(self.buffer), 0
        return self.advance() or self.ended

    def advance(self) -> bool:
        """Bring more of the last chunk into reach; whether there is enough now to go on."""
        while self._chunk:
            if self.position >= self._chunk_at:
                self._go_over()
            else:
                self._graft()
            if len(self.buffer) >= self._needed:
                return True
        return False

    def _go_over(self) -> None:
        """All before the chunk has been read: it becomes the buffer."""
        self.buffer, self._chunk = self._chunk, b""
        self._shift(self._chunk_at)

    def _graft(self) -> None:
        """Put a piece of the chunk behind what is left of the last; each is larger, so that long records cost no more."""
        if not isinstance(self.buffer, bytearray):
            self.buffer = bytearray(self.buffer)
        more = len(self._chunk) if self.ended else max(_GRAFT, len(self.buffer), self._needed - len(self.buffer))
        self.buffer += memoryview(self._chunk)[self._taken : self._taken + more]
        self._taken += more
        if self._taken >= len(self._chunk):
            self._chunk = b""

    def wait_for(self, end: int) -> bool:
        """Go on no sooner than there are bytes up to this position, or no more are to come; says no, like a step that waits."""
        self._needed = end
        return False

    def skip_blanks(self) -> None:
        visible = _VISIBLE.search(self.buffer, self.position)
        self.position = visible.start() if visible else len(self.buffer)

    def skip_counted(self, end: int, line_count: int) -> None:
        """Go behind bytes whose lines are known; those before them have been counted."""
        self.position = self._counted = end
        self._line += line_count

    def offset(self, at: int) -> int:
        """How many bytes of the message come before a position."""
        return self._dropped + at

    def line(self, at: int) -> int:
        """The line of a position, from 1; every byte is counted once as long as positions rise."""
        if at < self._counted:
            return self._line - self.buffer.count(b"\n", at, self._counted)
        self._line += self.buffer.count(b"\n", self._counted, at)
        self._counted = at
        return self._line

    def drop(self) -> None:
        """Forget what lies before the position; every position moves by as much as `offset` does."""
        count = self.position
        if count:
            self.line(max(count, self._counted))
            self.buffer = self.buffer[count:]
            self._shift(count)

    def _shift(self, count: int) -> None:
        self.position -= count
        self._chunk_at -= count
        self._dropped += count
        self._counted -= count
        self._needed -= count


class Reader:
    """Reads what is in a window step by step.

    A step reads on from the window's position and says whether the next one may follow at once; a step that needs more input
    says no and is taken again when there is some. `inside` names for an operator what has begun and not ended.
    """

    def __init__(self, window: Window, first: Callable[[], bool]) -> None:
        self.window = window
        self.inside = ""
        self.walk = Walk(_NOTHING, at=0, reach=1)
        self._step = first
        self._then = first
        self._terminator = b""

    def read(self) -> None:
        """Take as many steps as the input allows, and forget what has been read."""
        window, more = self.window, True
        while more:
            while self._step():
                pass
            before = window.offset(0)
            window.drop()
            more = window.advance()
            self.walk.at -= window.offset(0) - before

    def enter(self, step: Callable[[], bool], inside: str = "") -> bool:
        """Go on with another step."""
        self._step = step
        self.inside = inside
        return True

    def enter_walk(self, step: Callable[[], bool], at: int, tags: tuple[re.Pattern[bytes], int], inside: str) -> bool:
        """Go on with a step that walks, from a position, through tags of a pattern with its reach."""
        self.walk = Walk(tags[0], at=at, reach=tags[1])
        return self.enter(step, inside)

    def pass_over(self, opener: bytes, then: Callable[[], bool]) -> bool:
        """Go on behind the construct that begins at the position."""
        self.window.position += len(opener)
        return self.pass_until(TERMINATORS[opener], then, "a comment" if opener == b"<!--" else "an instruction")

    def pass_until(self, terminator: bytes, then: Callable[[], bool], inside: str) -> bool:
        """Go on behind the next terminator."""
        self._terminator, self._then = terminator, then
        return self.enter(self._passing, inside)

    def opener(self) -> bytes | None:
        """How the next thing that is no blank begins: nothing for text, none if that cannot be told yet."""
        window = self.window
        window.skip_blanks()
        head = bytes(window.buffer[window.position : window.position + _OPENER_REACH])
        if not head or (head.startswith(b"<") and self._is_cut_off(head)):
            return None
        found = _OPENER.match(head)
        return found[0] if found else b""

    def _is_cut_off(self, head: bytes) -> bool:
        """Whether more input may make it another opener, or the input has ended in the middle of one."""
        if self.window.ended:
            return any(opener.startswith(head) and opener != head for opener in _LONG_OPENERS)
        return len(head) < (_OPENER_REACH if head.startswith(b"<!") else 2)

    def tag(self) -> Tag | None:
        """The start tag at the position, or none if it has not come yet."""
        found = read_tag(self.window.buffer, self.window.position)
        if found is None:
            self.wait_for_more()
        return found

    def wait_for_more(self) -> bool:
        """Wait for as many bytes again, so that looking anew at something long costs little more than looking once."""
        window = self.window
        return window.wait_for(2 * len(window.buffer) - window.position)

    def end_inside(self) -> str:
        """What the input has ended inside of; empty if that was between things."""
        window = self.window
        return self.inside or ("a tag" if window.position < len(window.buffer) else "")

    def _passing(self) -> bool:
        window = self.window
        found = window.buffer.find(self._terminator, window.position)
        if found < 0:
            window.position = max(window.position, len(window.buffer) - len(self._terminator) + 1)
            return False
        window.position = found + len(self._terminator)
        return self.enter(self._then)
