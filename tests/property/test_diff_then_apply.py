"""What differs between two records is all that differs: applied to the old one it gives the new one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from hypothesis import assume, given
from hypothesis import strategies as st
from lxml import etree

from syncengine.catalogue import detect
from syncengine.catalogue.blocks import merge
from syncengine.catalogue.compare import Comparison, compare
from syncengine.domain.change import FieldChange
from syncengine.domain.passes import RecordOutcome
from syncengine.domain.product import Product
from syncengine.domain.tags import Block
from syncengine.onix.difference import Difference, Written
from syncengine.onix.digest import digests_of
from syncengine.onix.parsing import parse
from tests.property.products import PRODUCTS, changed_somewhere, settled, turned
from tests.property.trees import (
    BLOCKS,
    TREES,
    WHOLE_RECORDS,
    WORDS,
    Tree,
    digests,
    document,
    record_of,
    records,
    respell,
    write,
)
from tests.records import CLOSING, REFERENCE_30, context
from tests.values import replace

# --- blocks -------------------------------------------------------------------------------------------------------------

Parts = dict[str, list[Tree]]
"""The composites of each block that a record has; a block has one, `ProductSupply` one for each market."""

STAYS = frozenset({"DescriptiveDetail", "PublishingDetail", "ProductSupply"})
"""Blocks that no update can take away."""

_INSIDE = st.lists(TREES, min_size=1, max_size=2)


@st.composite
def _supplies(draw: st.DrawFn, markets: list[str]) -> list[Tree]:
    """A composite for each market; an unnamed one has no MarketReference."""
    supplies: list[Tree] = []
    for name in markets:
        reference: list[Tree] = [("MarketReference", name)] if name else []
        supplies.append(("ProductSupply", [*reference, ("SupplyDetail", draw(_INSIDE)), *draw(_INSIDE)]))
    return supplies


@st.composite
def _successions(draw: st.DrawFn) -> tuple[Parts, Parts]:
    """A record and what became of it: blocks and markets that stayed, changed, came or went, and other identifiers."""
    old: Parts = {}
    new: Parts = {}
    for name in BLOCKS[:-1]:
        composite: st.SearchStrategy[Tree] = st.tuples(st.just(name), _INSIDE)
        old[name] = draw(st.lists(composite, max_size=1))
        new[name] = draw(st.just(old[name]) | st.lists(composite, max_size=1))
        if name in STAYS and not new[name]:
            new[name] = old[name]
    markets = draw(st.sampled_from([["m1", "m2", "m3"], ["m1", "m2", "m3"], ["", ""]]))
    known = draw(st.integers(0, len(markets)))
    old["ProductSupply"] = draw(_supplies(markets[:known]))
    stayed = [supply for supply in old["ProductSupply"] if draw(st.booleans())] if markets[0] else []
    names = {_market(supply) for supply in stayed}
    new["ProductSupply"] = [*stayed, *draw(_supplies([name for name in markets if name not in names]))]
    for parts in (old, new):
        identifier: Tree = ("ProductIdentifier", [("IDValue", draw(st.sampled_from(["1", "2"])))])
        parts["ProductIdentifier"] = [identifier]
    return old, new


def _market(supply: Tree) -> str:
    parts = [part for part in supply[1] if isinstance(part, tuple)]
    return next((str(inside) for name, inside in parts if name == "MarketReference"), "")


def _record(parts: Parts, notification: str = "03") -> Tree:
    return record_of([tree for name in ("ProductIdentifier", *BLOCKS) for tree in parts.get(name, [])], notification)


def _difference(old: Parts, new: Parts) -> Parts:
    """The update that carries the identifiers, the blocks that differ by their digests, and of the markets those that do."""
    before, after = digests(_record(old)), digests(_record(new))
    update = {"ProductIdentifier": new["ProductIdentifier"]}
    for name in BLOCKS:
        word = Block(name).word
        if before.get(word) != after.get(word):
            named = all(map(_market, (*old[name], *new[name])))
            sent = [tree for tree in new[name] if name != "ProductSupply" or not named or tree not in old[name]]
            update[name] = sent or [(name, [])]
    return update


@given(succession=_successions())
def test_an_update_of_the_blocks_that_differ_gives_the_new_record(succession: tuple[Parts, Parts]):
    old, new = succession
    update = _difference(old, new)
    assume(len(update) > 1)  # an update without blocks says nothing, identifiers included
    merged = merge(document(_record(old)), document(_record(update, "04"))).body
    assert digests(_record(new)) == digests_of(REFERENCE_30, merged, CLOSING)


@given(base=records(), update=records(notification="04"))
def test_a_merged_record_has_the_update_s_blocks_and_the_base_s_others(base: Tree, update: Tree):
    merged = merge(document(base), document(update)).body
    sent = {block: digest for block, digest in digests(update).items() if block != "record"}
    assert {**digests(base), **sent} == digests_of(REFERENCE_30, merged, CLOSING)


# --- fields -------------------------------------------------------------------------------------------------------------

_MOVED = re.compile(r" \([+-][^)]*\)$")


def _compared(old: Product, new: Product) -> Comparison:
    return compare(old, new, lambda block: False)


def _lines(product: Product) -> Counter[tuple[str, str]]:
    """All that the fields of a product say."""
    side, _ = detect._sides(product, replace(product, supplies=()))
    return Counter((field.name, line.text) for field in detect._FIELDS for line in field.lines(side))


def _said(changes: Iterable[FieldChange], side: str) -> Counter[tuple[str, str]]:
    """What left or came, without the account of a territory's codes behind it."""
    texts = ((change.field, getattr(change, side)) for change in changes)
    return Counter((name, _MOVED.sub("", text)) for name, text in texts if text is not None)


@given(old=PRODUCTS.map(settled), new=PRODUCTS.map(settled))
def test_lines_that_left_and_came_make_the_new_product_of_the_old(old: Product, new: Product):
    changes = detect.field_changes(old, new, lambda block: False)
    assume(all(len(text) <= detect._SHOWN_CHARACTERS for _, text in (*_lines(old), *_lines(new))))
    left, came = _said(changes, "old"), _said(changes, "new")
    assert left - _lines(old) == Counter()
    assert _lines(new) == _lines(old) - left + came


@given(product=PRODUCTS)
def test_order_of_repeats_alone_is_touched(product: Product):
    found = _compared(product, turned(product))
    assert (RecordOutcome.TOUCHED, ()) == (found.outcome, found.fields)


@given(product=PRODUCTS, data=st.data())
def test_every_other_difference_is_told(product: Product, data: st.DataObject):
    other = changed_somewhere(product, data)
    found = _compared(product, other)
    assert (settled(product) != settled(other)) is bool(found.fields)
    assert (found.outcome is RecordOutcome.CHANGED) is bool(found.fields)
    assert all(change.old != change.new or change.old is None or "…" in change.old for change in found.fields)


# --- whole records ------------------------------------------------------------------------------------------------------


def _compared_as_read(old: etree._Element, new: etree._Element) -> Comparison:
    one, other = (Written(etree.tostring(node), context()) for node in (old, new))
    before, after = (parse(written.body, written.context).product for written in (one, other))
    return compare(before, after, Difference(one, other))


@given(tree=WHOLE_RECORDS, data=st.data())
def test_a_record_in_another_order_and_spelling_is_touched(tree: Tree, data: st.DataObject):
    other = write(tree)
    respell(data, other)
    found = _compared_as_read(write(tree), other)
    assert (RecordOutcome.TOUCHED, ()) == (found.outcome, found.fields)


@given(
    tree=WHOLE_RECORDS,
    names=st.lists(WORDS, min_size=2, max_size=4, unique=True),
    numbered=st.booleans(),
    data=st.data(),
)
def test_contributors_in_another_order_are_changed_unless_they_are_numbered(
    tree: Tree, names: list[str], numbered: bool, data: st.DataObject
):
    contributors: list[Tree] = [
        ("Contributor", [*([("SequenceNumber", str(number))] if numbered else []), ("PersonName", name)])
        for number, name in enumerate(names, 1)
    ]
    moved = data.draw(st.permutations(contributors).filter(lambda order: order != contributors))
    old, new = (write(tree) for _ in "ab")
    for node, order in ((old, contributors), (new, moved)):
        [descriptive] = node.findall("DescriptiveDetail")
        for contributor in order:
            write(contributor, descriptive)
    found = _compared_as_read(old, new)
    assert (RecordOutcome.TOUCHED if numbered else RecordOutcome.CHANGED) is found.outcome
    assert ([] if numbered else ["descriptive_detail"]) == [change.field for change in found.fields]
