"""Identifiers: each kind its own type, so that one is never passed for another."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NewType

SourceName = NewType("SourceName", str)
StreamName = NewType("StreamName", str)
RecordReference = NewType("RecordReference", str)
Isbn = NewType("Isbn", str)
Format = NewType("Format", str)
"""`epub`, `pdf`, `mobi`, `audio`, or a ProductForm code in lower case where none of them fits."""
OrderId = NewType("OrderId", str)
CustomerId = NewType("CustomerId", str)
EntryId = NewType("EntryId", int)
PassId = NewType("PassId", int)
RecordId = NewType("RecordId", int)

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPED_PREFIX = "x--"
_BLANKS_AND_HYPHENS = re.compile("[\\s\u00ad\u200b-\u200f\u2010-\u2015\u2060\u2212\ufeff-]+")
_THIRTEEN_DIGITS = re.compile("[0-9]{13}")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class TitleKey:
    """What orders and rules name: one source's ISBN in one format.

    An empty `format` names every format of the ISBN: an order that is not yet resolved has one, and a record that is about
    all of them.
    """

    source: SourceName
    isbn: Isbn
    format: Format

    def __str__(self) -> str:
        return f"{self.source}/{self.isbn}/{self.format or '*'}"


def normalise_isbn(text: str) -> Isbn:
    """The ISBN-13 or EAN-13 in its 13 digits; an ISBN-10 is converted.

    Text that is neither is given back stripped of blanks and hyphens, whatever their kind: real feeds carry proprietary and
    wrong numbers, and they stay usable as keys (reference/onix.md 2.17).
    """
    compact = _BLANKS_AND_HYPHENS.sub("", text).upper()
    if len(compact) == 10:
        from stdnum import isbn

        if isbn.is_valid(compact):
            return Isbn(isbn.to_isbn13(compact))
    return Isbn(compact)


def is_valid_isbn(text: str) -> bool:
    """Whether the text is a well-formed EAN-13 with the right check digit (every ISBN-13 is one)."""
    from stdnum import ean

    return bool(_THIRTEEN_DIGITS.fullmatch(text) and ean.is_valid(text))


def escape_identifier(text: str) -> str:
    """An injective spelling in `[A-Za-z0-9_-]+`, the alphabet of contract demarque 4.2.

    Text that is already in the alphabet stays as it is; anything else becomes `x--` and `_` with two hexadecimal digits for
    every other byte of its UTF-8.
    """
    if _PLAIN.fullmatch(text) and not text.startswith(_ESCAPED_PREFIX):
        return text
    spelled = "".join(
        chr(byte) if chr(byte).isascii() and (chr(byte).isalnum() or byte == ord("-")) else f"_{byte:02X}"
        for byte in text.encode(errors="surrogatepass")
    )
    return _ESCAPED_PREFIX + spelled
