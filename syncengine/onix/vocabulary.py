"""The names by which a message is cut into records: those of ONIX, or those of a stream of rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from syncengine.domain.frame import TagStyle
from syncengine.domain.rows import Rows
from syncengine.onix.markup import ATTRIBUTES, PASSED

PREFIX: Final = rb"(?:[^ \t\r\n<>/:=\"'!?]++:)?+"
"""Of a name, as a pattern."""
_NAME: Final = rb"[^ \t\r\n<>/=\"'!?]++"
_BLANKS: Final = rb"[ \t\r\n]*+"
_NEVER: Final = re.compile(rb"(?!)")
_NAME_ENDS: Final = rb"(?=[ \t\r\n/>])"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Vocabulary:
    """Local names, and patterns made of them.

    `record` matches a record's name, `record_tag` its name in a tag, found by letters, for they are searched for many times faster
    than what begins with `<`. `opening` matches a record's start tag and the text of its reference, where that is met at once and
    plain; `reference` the same anywhere in a record, with what may not be searched for it. `not_whole` is found in records behind
    which an earlier one still holds, if there are any. `row_prefix` is put before references.
    """

    roots: Mapping[bytes, TagStyle]
    records: Mapping[bytes, TagStyle]
    headers: frozenset[bytes]
    no_records: frozenset[bytes]
    """Elements that say that there is no record."""
    container: bytes
    """An element around records; empty where there is none."""
    record: bytes
    record_tag: re.Pattern[bytes]
    opening: re.Pattern[bytes]
    reference: re.Pattern[bytes]
    not_whole: re.Pattern[bytes]
    row_prefix: bytes = b""
    rows: Rows | None = None

    @property
    def message(self) -> str:
        """What is expected, for people."""
        return f"a message <{self.rows.root}>" if self.rows else "an ONIX message"

    @property
    def longest(self) -> int:
        """Of the names, as bytes, without the root's."""
        return max(map(len, (*self.records, self.container)))


def _opening(record: bytes, passed_over: bytes, reference: bytes) -> re.Pattern[bytes]:
    start = rb"(<" + PREFIX + record + ATTRIBUTES + rb"(?<!/)>)"
    return re.compile(_BLANKS + start + passed_over + _BLANKS + b"<" + reference + rb"(?<!/)>([^<]*+)</")


def _first_reference(reference: bytes) -> re.Pattern[bytes]:
    text = rb"(?P<text>(?:[^<]++|<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>)*+)"
    return re.compile(PASSED + rb"|<" + reference + rb"(?:(?<=/)>|>" + text + b"</)", re.DOTALL)


_RECORD: Final = rb"(?:Product|product)"
_REFERENCE: Final = PREFIX + rb"(?:RecordReference|a001)" + ATTRIBUTES

ONIX: Final = Vocabulary(
    roots={b"ONIXMessage": TagStyle.REFERENCE, b"ONIXmessage": TagStyle.SHORT},
    records={b"Product": TagStyle.REFERENCE, b"product": TagStyle.SHORT},
    headers=frozenset({b"Header", b"header"}),
    no_records=frozenset({b"NoProduct", b"x507"}),
    container=b"",
    record=_RECORD,
    record_tag=re.compile(rb"roduct" + _NAME_ENDS + rb"(?<=[</:][Pp]roduct)"),
    opening=_opening(_RECORD, b"", _REFERENCE),
    reference=_first_reference(_REFERENCE),
    # List 1: block updates, notices and tests.
    not_whole=re.compile(
        rb"<" + PREFIX + rb"(?:NotificationType|a002)" + ATTRIBUTES + rb">[^<0-9]*+(?:04|08|09|88|89)[^<0-9]*+</"
    ),
)


@lru_cache(maxsize=64)
def vocabulary_of(rows: Rows | None) -> Vocabulary:
    """The names of a stream of rows, or of ONIX.

    A row's reference is met at once behind elements without children, for rows need not begin with it.
    """
    if rows is None:
        return ONIX
    record, container = re.escape(rows.record.encode()), (rows.container or "").encode()
    name = PREFIX + re.escape(rows.reference.encode())
    leaf = rb"<(?!" + name + rb"[ \t\r\n/>])" + _NAME + ATTRIBUTES + rb"(?:(?<=/)>|>[^<]*+</[^<>]*+>)"
    return Vocabulary(
        roots={rows.root.encode(): TagStyle.REFERENCE},
        records={rows.record.encode(): TagStyle.REFERENCE},
        headers=frozenset({rows.header.encode()} if rows.header else ()),
        no_records=frozenset(),
        container=container,
        record=record,
        record_tag=re.compile(record + _NAME_ENDS + rb"(?<=[</:]" + record + rb")"),
        opening=_opening(record, rb"(?:" + _BLANKS + leaf + rb")*+", name + ATTRIBUTES),
        reference=_first_reference(name + ATTRIBUTES),
        not_whole=_NEVER,
        row_prefix=rows.prefix.encode(),
        rows=rows,
    )
