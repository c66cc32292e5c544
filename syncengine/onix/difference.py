"""Which blocks of two records differ in content, found out no sooner than it is asked.

Blocks that are spelled alike are alike where their headers say the same for them; only the others are digested.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from syncengine.domain.tags import Block
from syncengine.onix.defaults import defaulted
from syncengine.onix.digest import digests, digests_of
from syncengine.onix.element import Element
from syncengine.onix.plain import Written, cut, elements

__all__ = ["Difference", "Written"]


class Difference:
    """Says of a block whether two records differ in it; raises RecordInvalid where one of them cannot be read.

    Rows have no blocks: all that they say are facts.
    """

    def __init__(self, old: Written, new: Written) -> None:
        self._old = old
        self._new = new

    def __call__(self, block: Block) -> bool:
        if self._new.context.rows is not None:
            return False
        if self._texts is None:
            one, other = self._digests
            return one.get(block.word) != other.get(block.word)
        before, after = (text.get(block, "") for text in self._texts)
        if before == after and _unsaid(self._old) == _unsaid(self._new):
            return False
        return _digest(block, before, self._old) != _digest(block, after, self._new)

    @cached_property
    def _texts(self) -> tuple[Mapping[Block, str], Mapping[Block, str]] | None:
        """The texts of the blocks of both; none where one of the records is not plain."""
        old, new = _cut(self._old), _cut(self._new)
        return None if old is None or new is None else (old, new)

    @cached_property
    def _digests(self) -> tuple[Mapping[str, bytes], Mapping[str, bytes]]:
        return _digests_of(self._old), _digests_of(self._new)


def _cut(written: Written) -> Mapping[Block, str] | None:
    return None if written.plain is None else cut(written.plain)


def _unsaid(written: Written) -> tuple[str | None, ...]:
    """What a header says for its records."""
    header = written.context.header
    return header.default_price_type, header.default_currency, header.default_language


def _digest(block: Block, text: str, written: Written) -> bytes | None:
    product = Element("Product", (), None, elements(text), None)
    return digests(defaulted(product, written.context.header)).get(block.word)


def _digests_of(written: Written) -> Mapping[str, bytes]:
    context = written.context
    return digests_of(context.opening, written.body, context.closing, context.header)
