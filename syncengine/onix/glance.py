"""The fast road to the facts: what the walk over a plain record's tree is made for, and given."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from lxml import etree

from syncengine.domain.frame import Context, MessageHeader
from syncengine.domain.product import Product
from syncengine.errors import RecordInvalid
from syncengine.onix.codelists import CodeLists
from syncengine.onix.defaults import priced
from syncengine.onix.dialect import MAX_DEPTH, element_of
from syncengine.onix.lint import lint, plain_texts, refused
from syncengine.onix.plain import Written
from syncengine.onix.reader import COMPOSITES, NOTHING, Reader, Reading
from syncengine.onix.repair import tree, wrapper_of
from syncengine.onix.walk import NotPlain, Walk

_DEEP: Final = MAX_DEPTH // 2
"""Deeper than any composite stands that facts are in."""

_Defaults = tuple[str | None, str | None, str | None]


def at_a_glance(written: Written, codes: CodeLists) -> Product | None:
    """The facts of a plain record of which there is nothing to tell; none where the record wants care."""
    if written.has_many_attributes:
        return None
    context = written.context
    root = tree(written.body, wrapper_of(context.opening, context.closing))
    if root is None:
        return None
    try:
        return walk_of(context, codes).product(root)
    except (NotPlain, RecordInvalid):
        return None


def walk_of(context: Context, codes: CodeLists) -> Walk:
    """How records of a context are walked through; raises NotPlain where its header says something odd for them."""
    header = context.header
    return _walk(codes, context.release, (header.default_price_type, header.default_currency, header.default_language))


@lru_cache(maxsize=16)
def _walk(codes: CodeLists, release: str, defaults: _Defaults) -> Walk:
    kind, currency, language = defaults
    header = MessageHeader(default_price_type=kind, default_currency=currency, default_language=language)
    texts = plain_texts(release, codes)
    for name, said in (("PriceType", kind), ("CurrencyCode", currency), ("LanguageCode", language)):
        if said and said not in texts.get(name, (said,)):
            raise NotPlain

    def read_composites(name: str, nodes: Sequence[etree._Element]) -> Any:  # noqa: ANN401 - by the table of what is read
        found = [element_of(node, _DEEP) for node in nodes]
        if name == "Price":
            found = [priced(price, header) for price in found]
        parent = NOTHING._replace(children=tuple(found))
        reader = Reader(Reading(codes=codes))
        facts = COMPOSITES[name](reader, parent)
        if reader.warnings() or lint(parent, release, codes):
            raise NotPlain
        return facts

    return Walk(texts, refused(release), read_composites)
