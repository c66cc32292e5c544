"""Old and new content of one record: what became of it, and which fields say so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from syncengine.catalogue.detect import field_changes
from syncengine.domain.change import FieldChange
from syncengine.domain.passes import RecordOutcome
from syncengine.domain.product import Product
from syncengine.domain.tags import Block


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """ADDED, CHANGED or TOUCHED (equal content in other bytes), and the fields that changed."""

    outcome: RecordOutcome
    fields: tuple[FieldChange, ...] = ()


def compare(old: Product | None, new: Product, differs: Callable[[Block], bool]) -> Comparison:
    """Compare a full record with what is known of its reference; nothing known, or a removed record, is none.

    `differs` tells whether the whole content of a block does, and is asked only about blocks whose facts tell no change. The
    order of unordered repeats is no difference. Every other difference gives at least one field.
    """
    if old is None:
        return Comparison(outcome=RecordOutcome.ADDED)
    fields = field_changes(old, new, differs)
    return Comparison(outcome=RecordOutcome.CHANGED if fields else RecordOutcome.TOUCHED, fields=fields)
