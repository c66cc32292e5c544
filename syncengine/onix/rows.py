"""One row to facts: its reference, and the texts of its elements by their paths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lxml import etree

from syncengine.domain.codes import NotificationType, ProductIdType
from syncengine.domain.frame import Context
from syncengine.domain.ids import RecordReference
from syncengine.domain.passes import Noted, WarningKind
from syncengine.domain.product import Product, ProductIdentifier
from syncengine.domain.rows import Rows
from syncengine.errors import RecordInvalid
from syncengine.onix.dialect import MAX_DEPTH
from syncengine.onix.encoding import strip_blanks
from syncengine.onix.repair import local_name, repair

_MOST_LEAVES = 1000
"""A record with more is no row."""


def read_row(body: bytes, context: Context, rows: Rows) -> tuple[Product, tuple[Noted, ...]]:
    """The facts of one row, and what had to be repaired or is odd about it; raises RecordInvalid.

    A row is about the ISBN that is its reference. Of several references in one row the first counts; one that stands deeper before
    it would be taken for it where the message is cut into records, and so the row is not read.
    """
    found = repair(context.opening, body, context.closing)
    leaves = _counted(_leaves(_record(found.root, rows), "", 1))
    references = [text for path, text in leaves if path == rows.reference and text]
    if not references:
        raise RecordInvalid(f"the row has no {rows.reference}")
    place, _, name = next(path for path, _ in leaves if path.rpartition("/")[2] == rows.reference).rpartition("/")
    if place:
        raise RecordInvalid(f"its first {name} stands in {place}, where it is no reference")
    product = Product(
        reference=RecordReference(rows.prefix + references[0]),
        notification_type=NotificationType.CONFIRMED,
        identifiers=(ProductIdentifier(type=ProductIdType.ISBN_13, value=references[0]),),
        row=tuple(leaves),
    )
    return product, (*found.warnings, *_more_references(references, rows))


def _record(root: etree._Element, rows: Rows) -> etree._Element:
    records = [node for node in root.iter(etree.Element) if local_name(str(node.tag)) == rows.record]
    if not records:
        raise RecordInvalid(f"there is no {rows.record} where one row was expected")
    return records[0]


def _counted(leaves: Iterator[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    counted = []
    for leaf in leaves:
        counted.append(leaf)
        if len(counted) > _MOST_LEAVES:
            raise RecordInvalid(f"a row with more than {_MOST_LEAVES} elements")
    return counted


def _leaves(node: etree._Element, above: str, depth: int) -> Iterator[tuple[str, str]]:
    """Elements without children below a node; the text of one that has some is not told."""
    if depth > MAX_DEPTH:
        raise RecordInvalid(f"elements nested more than {MAX_DEPTH} deep, line {node.sourceline} of the row")
    for child in node:
        path = above + local_name(str(child.tag))
        if len(child):
            yield from _leaves(child, f"{path}/", depth + 1)
        else:
            yield path, strip_blanks(child.text or "")


def _more_references(references: Sequence[str], rows: Rows) -> Iterator[Noted]:
    if others := references[1:]:
        says = f"the row names {len(references)} times its {rows.reference}: {', '.join(others)} left out"
        yield Noted(WarningKind.INVALID_IDENTIFIER, says)
