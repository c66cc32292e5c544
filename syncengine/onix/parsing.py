"""Tier 3 of the hot path: one frame to the facts that decisions are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from syncengine.domain.frame import Context
from syncengine.domain.passes import Noted
from syncengine.domain.product import Product
from syncengine.onix.codelists import CodeLists
from syncengine.onix.defaults import defaulted
from syncengine.onix.dialect import read_product
from syncengine.onix.element import Element
from syncengine.onix.glance import at_a_glance
from syncengine.onix.lint import lint
from syncengine.onix.plain import Written
from syncengine.onix.reader import Reader, Reading
from syncengine.onix.rows import read_row

__all__ = ["ParsedRecord", "Reading", "parse", "read"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedRecord:
    """One record: its facts, and what its sender did wrong and was put right.

    `is_plain` tells that it was read at a glance: nothing had to be put right or told, in any part of it.
    """

    product: Product
    warnings: tuple[Noted, ...]
    is_plain: bool = False


def parse(body: bytes, context: Context, reading: Reading | None = None) -> ParsedRecord:
    """Read one frame in its message's context; raises RecordInvalid with the reason for which it is to be quarantined.

    Without a `reading` by the code lists that are shipped, and with quarantine for records that have no reference.
    """
    return read(Written(body, context), reading or _usual_reading())


def read(written: Written, reading: Reading) -> ParsedRecord:
    """The same for a record that may be compared, too."""
    rows = written.context.rows
    if rows is not None:
        product, noted = read_row(written.body, written.context, rows)
        return ParsedRecord(product=product, warnings=noted)
    plain = at_a_glance(written, reading.codes)
    if plain is not None:
        return ParsedRecord(product=plain, warnings=(), is_plain=True)
    element, told = with_care(written, reading.codes)
    reader = Reader(reading)
    product = reader.product(element)
    return ParsedRecord(product=product, warnings=tuple(dict.fromkeys((*told, *reader.warnings()))))


def with_care(written: Written, codes: CodeLists) -> tuple[Element, Sequence[Noted]]:
    """The whole of any record, and what had to be repaired or is odd about it."""
    context = written.context
    element, repairs = read_product(context.opening, written.body, context.closing)
    element = defaulted(element, context.header)
    return element, (*repairs, *lint(element, context.release, codes))


@lru_cache(maxsize=1)
def _usual_reading() -> Reading:
    return Reading()
