"""A real file's history replayed version by version: every change told is one that two parsed trees show, and the other way round."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from lxml import etree

from state.sqlite import open_store
from syncengine.domain.change import ChangeKind
from syncengine.ports import Conventions
from tests.clock import JumpClock
from tests.flow.files import FileShop
from tests.records import sample_paths

VERSIONS = [path for path in sample_paths() if path.parent.name == "yy-3.0-ref"]

BLOCKS = {
    "DescriptiveDetail": "descriptive_detail",
    "CollateralDetail": "collateral_detail",
    "ContentDetail": "content_detail",
    "PublishingDetail": "publishing_detail",
    "RelatedMaterial": "related_material",
    "ProductSupply": "product_supply",
}
FIELDS_OF = {
    "descriptive_detail": {"form", "protection", "title"},
    "publishing_detail": {"publisher", "publishing_status", "publishing_date", "sales_rights", "sales_restriction"},
    "product_supply": {
        "market",
        "market_status",
        "market_date",
        "supplier",
        "availability",
        "supply_date",
        "unpriced",
        "price",
    },
}
"""The fields that a change of each block may be told by, when it is not told by the block's own name."""


def spelled(node: etree._Element) -> str:
    """An element as text, whatever the order of its children, its blanks and its comments."""
    children = sorted(spelled(child) for child in node.iterchildren("*"))
    text = re.sub(r"\s+", " ", node.text or "").strip()
    return f"<{etree.QName(node).localname} {sorted(node.attrib.items())}>{text}{''.join(children)}</>"


def blocks(product: etree._Element) -> Counter[tuple[str, str]]:
    """What a product says, by block."""
    parts = [(etree.QName(node).localname, spelled(node)) for node in product.iterchildren("*")]
    return Counter((BLOCKS.get(name, "record"), text) for name, text in parts)


def products(path: Path) -> dict[str, etree._Element]:
    found = etree.parse(path).getroot().iter("{*}Product")
    return {product.findtext("{*}RecordReference") or "": product for product in found}


def differing_blocks(before: Path, after: Path) -> dict[str, set[str]]:
    """By reference, the blocks in which two versions differ; records that are equal are left out."""
    old, new = products(before), products(after)
    assert old.keys() == new.keys()
    differing = {}
    for reference in new:
        one, other = blocks(old[reference]), blocks(new[reference])
        if names := {block for block, _ in (one - other) + (other - one)}:
            differing[reference] = names
    return differing


def block_of(field: str) -> str:
    return next((block for block, fields in FIELDS_OF.items() if field in fields), field)


@pytest.fixture
async def shop(tmp_path):
    store = await open_store(f"sqlite:{tmp_path}/store.db", clock=JumpClock())
    yield FileShop(store, JumpClock(), tmp_path, Conventions())
    await store.aclose()


async def test_every_version_changes_exactly_what_its_tree_changes(onix_samples, shop):
    await shop.read(VERSIONS[0].read_bytes())
    for before, after in pairwise(VERSIONS):
        last = (await shop.changes())[-1].sequence
        await shop.read(after.read_bytes())
        told = await shop.changes(last)
        expected = differing_blocks(before, after)
        assert set(expected) == {change.reference for change in told}
        for change in told:
            assert ChangeKind.CHANGED is change.kind
            assert expected[change.reference] == {block_of(field.field) for field in change.fields}


async def test_the_facts_that_changed_are_told_with_what_they_were_and_are(onix_samples, shop):
    told = []
    for version in VERSIONS:
        await shop.read(version.read_bytes())
    for change in await shop.changes():
        told += [(field.field, field.old, field.new) for field in change.fields if field.old or field.new]
    assert [
        ("sales_rights", None, "06 elsewhere"),
        ("sales_rights", "01 WORLD", "01 WORLD without CA US"),
        ("sales_rights", "01 WORLD without CA US", "01 WORLD AU NZ without CA US"),
    ] == told


async def test_a_version_read_backwards_is_told_too(onix_samples, shop):
    await shop.read(VERSIONS[-1].read_bytes())
    await shop.read(VERSIONS[0].read_bytes())
    [change] = [change for change in await shop.changes() if change.kind is ChangeKind.CHANGED]
    [(_, expected)] = differing_blocks(VERSIONS[-1], VERSIONS[0]).items()
    assert expected == {block_of(field.field) for field in change.fields}


def test_the_history_has_thirteen_versions(onix_samples):
    assert 13 == len(VERSIONS)
