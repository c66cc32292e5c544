"""Characters: the bytes of a message in an encoding whose markup is plain ASCII, and the text that raw bytes stand for."""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from html.entities import html5
from typing import Final

from lxml import etree

from syncengine.errors import NotOnix

BLANKS: Final = b" \t\r\n"

_INVISIBLE: Final = " \t\r\n\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
_MARKUP_IN_TEXT: Final = re.compile(
    r"<!--.*?-->|<\?.*?\?>|<!\[CDATA\[(?P<cdata>.*?)\]\]>"
    r"|&(?:#0*(?P<decimal>[0-9]{1,7})|#x0*(?P<hexadecimal>[0-9A-Fa-f]{1,6})|(?P<entity>[A-Za-z][A-Za-z0-9]*));",
    re.DOTALL,
)
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f]")


def strip_blanks(text: str) -> str:
    """Without blanks at both ends, the zero-width ones included: they stand in references and codes of real feeds."""
    return text.strip(_INVISIBLE)


def decode_text(raw: bytes, encoding: str) -> str:
    """The text of raw bytes; never fails.

    What the encoding does not know is windows-1252 under a wrong label, and so are 0x80 to 0x9F under ISO-8859-1
    (reference/onix.md 2.17).
    """
    labelled = "windows-1252" if _codec_name(encoding) == "iso8859-1" else encoding
    for candidate in (labelled, "windows-1252"):
        try:
            return raw.decode(candidate)
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1")


def is_encoded(raw: bytes, encoding: str) -> bool:
    """Whether raw bytes are what their label says."""
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def plain_text(raw: bytes, encoding: str) -> str:
    """What stands between two tags as a reader sees it: entities resolved, CDATA unwrapped, comments dropped, blanks stripped.

    An entity that neither XML nor HTML knows stays as it is written.
    """
    return strip_blanks(_MARKUP_IN_TEXT.sub(_resolve, decode_text(raw, encoding)))


def is_text(head: bytes) -> bool:
    """Whether bytes hold no control characters that no text has."""
    return not _CONTROL.search(head)


def _resolve(markup: re.Match[str]) -> str:
    if markup["entity"]:
        return html5.get(f"{markup['entity']};", markup[0])
    if not markup[0].startswith("&"):
        return markup["cdata"] or ""
    number = int(markup["decimal"] or markup["hexadecimal"], 10 if markup["decimal"] else 16)
    return chr(number) if 0 < number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF else markup[0]


def _codec_name(encoding: str) -> str:
    return codecs.lookup(encoding).name


_DECLARATION_LIMIT: Final = 1024
_DECLARATION: Final = re.compile(rb"[ \t\r\n]*<\?xml[ \t\r\n][^<>]*?\?>")
_DECLARED_ENCODING: Final = re.compile(rb"[ \t\r\n]encoding[ \t\r\n]*=[ \t\r\n]*[\"']([^\"'<>]*)[\"']")
_BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDE: Final = (
    (re.compile(rb"[< \t\r\n]\0\0\0"), "utf-32-le"),
    (re.compile(rb"\0\0\0[< \t\r\n]"), "utf-32-be"),
    (re.compile(rb"[< \t\r\n]\0[^\0]\0"), "utf-16-le"),
    (re.compile(rb"\0[< \t\r\n]\0[^\0]"), "utf-16-be"),
)
_SHIFTING: Final = ("iso2022", "hz")
"""Encodings in which ASCII bytes stand for other characters after an escape."""

_NO_CHARACTER_SETS: Final = frozenset({"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape"})


class Decoder:
    """Turns the bytes of a message into an encoding in which markup is plain ASCII.

    Bytes that are so already pass through as they come; anything else becomes UTF-8. `encoding` is what comes out, settled
    with the first byte that does; `skipped` counts the bytes of a mark that was taken off what passes through.
    """

    def __init__(self) -> None:
        self.encoding = "UTF-8"
        self.skipped = 0
        self.warnings: list[str] = []
        self._head: bytearray | None = bytearray()
        self._source = ""
        self._transcoder: codecs.IncrementalDecoder | None = None

    def feed(self, chunk: bytes, *, last: bool = False) -> bytes:
        """The next bytes, as far as they can be told yet. Raises NotOnix for an encoding that nobody knows."""
        if self._head is not None:
            self._head += chunk
            if not last and not self._is_decidable(self._head):
                return b""
            chunk = self._settle(bytes(self._head))
            self._head = None
        if self._transcoder is None:
            return chunk
        return self._transcode(self._transcoder, chunk, last=last)

    def _transcode(self, transcoder: codecs.IncrementalDecoder, chunk: bytes, *, last: bool) -> bytes:
        text = transcoder.decode(chunk, last)
        if "\ufffd" in text and not self.warnings:
            self.warnings.append(f"the message holds bytes that are not valid {self._source}; they were replaced")
        return text.encode("utf-8", "replace")

    @staticmethod
    def _is_decidable(head: bytearray) -> bool:
        if len(head) >= _DECLARATION_LIMIT:
            return True
        visible = bytes(head.removeprefix(codecs.BOM_UTF8).lstrip(BLANKS))
        if len(head) < 4 or not visible:
            return False
        return b"\0" in head[:4] or not visible.startswith(b"<?xml"[: len(visible)]) or b"?>" in visible

    def _settle(self, head: bytes) -> bytes:
        """Choose how to read on; gives the head back without its mark."""
        for mark, name in _BYTE_ORDER_MARKS:
            if head.startswith(mark):
                self._settle_marked(head[len(mark) :], mark, name)
                return head[len(mark) :]
        for pattern, name in _WIDE:
            if pattern.match(head):
                self._read_as(name)
                return head
        self._settle_declared(_declared_encoding(head))
        return head

    def _settle_marked(self, head: bytes, mark: bytes, name: str) -> None:
        if name != "utf-8":
            self._read_as(name)
            return
        self.skipped = len(mark)
        declared = _declared_encoding(head)
        if declared is not None and not _is_utf8(declared):
            self.warnings.append(f"line 1: the byte order mark says UTF-8, the declaration {declared}; read as UTF-8")

    def _settle_declared(self, declared: str | None) -> None:
        if declared is None or _is_utf8(declared):
            return
        if not _is_character_set(declared):
            raise NotOnix(
                f"the message declares the encoding {declared!r}, which is not known",
                hint="ask the sender for UTF-8",
            )
        if _codec_name(declared).startswith(("utf-16", "utf-32")):
            self.warnings.append(f"line 1: the declaration says {declared}, but the bytes are not; read as UTF-8")
        elif _keeps_markup_plain(declared):
            self.encoding = declared.upper()
        else:
            self._read_as(declared)

    def _read_as(self, name: str) -> None:
        self._source = name
        self._transcoder = codecs.getincrementaldecoder(name)("replace")


def _declared_encoding(head: bytes) -> str | None:
    declaration = _DECLARATION.match(head, 0, _DECLARATION_LIMIT)
    stated = _DECLARED_ENCODING.search(declaration[0]) if declaration else None
    return stated[1].decode("latin-1").strip() or None if stated else None


def _is_utf8(name: str) -> bool:
    return _is_character_set(name) and _codec_name(name) in {"utf-8", "utf-8-sig"}


@lru_cache(maxsize=64)
def _is_character_set(name: str) -> bool:
    try:
        b" ".decode(name, "replace")
        return _codec_name(name) not in _NO_CHARACTER_SETS
    except (LookupError, ValueError):
        return False


@lru_cache(maxsize=64)
def _keeps_markup_plain(name: str) -> bool:
    """Whether every ASCII byte always is that character, never part of another, and the parser knows the encoding too."""
    if _codec_name(name).startswith(_SHIFTING):
        return False
    ascii_bytes = bytes(range(128))
    try:
        is_ascii = ascii_bytes.decode(name) == ascii_bytes.decode("ascii")
        etree.fromstring(f'<?xml version="1.0" encoding="{name.upper()}"?><a/>'.encode())
    except (UnicodeDecodeError, etree.XMLSyntaxError):
        return False
    pairs = ((lead, follower) for lead in range(128, 256) for follower in b"<>&?!-]A")
    return is_ascii and all(bytes(pair).decode(name, "replace").endswith(chr(pair[1])) for pair in pairs)
