"""Old and new content of one record: what became of it, and which fields say so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from syncengine.catalogue.detect import field_changes
from syncengine.domain.change import FieldChange
from syncengine.domain.passes import RecordOutcome
from syncengine.domain.product import Product


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a record says: its facts, and a digest per block that it has."""

    product: Product
    digests: Mapping[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """ADDED, CHANGED or TOUCHED (equal content in other bytes), and the fields that changed."""

    outcome: RecordOutcome
    fields: tuple[FieldChange, ...] = ()


def compare(old: Content | None, new: Content) -> Comparison:
    """Compare a full record with what is known of its reference; nothing known, or a removed record, is none.

    The order of unordered repeats is no difference. Every other difference gives at least one field.
    """
    if old is None:
        return Comparison(outcome=RecordOutcome.ADDED)
    changed_blocks = {
        block for block in {**old.digests, **new.digests} if old.digests.get(block) != new.digests.get(block)
    }
    if not changed_blocks and old.product == new.product:
        return Comparison(outcome=RecordOutcome.TOUCHED)
    fields = field_changes(old.product, new.product, changed_blocks)
    return Comparison(outcome=RecordOutcome.CHANGED if fields else RecordOutcome.TOUCHED, fields=fields)
