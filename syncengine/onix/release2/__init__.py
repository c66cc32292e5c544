"""Records of ONIX 2.1 in the shape of ONIX 3 (reference/onix.md 2.16), so that there is one way to read a product.

What ONIX 3 cannot say is left out; what release 2 leaves open is read so that nothing is sold that may not be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from syncengine.domain.tags import Block
from syncengine.errors import RecordInvalid
from syncengine.onix.element import Element
from syncengine.onix.release2.building import chosen, code, composite, filled, leaf
from syncengine.onix.release2.collateral import collateral_detail
from syncengine.onix.release2.descriptive import descriptive_detail
from syncengine.onix.release2.identifiers import product_identifiers
from syncengine.onix.release2.publishing import publishing_detail
from syncengine.onix.release2.related import related_material
from syncengine.onix.release2.supply import product_supplies

__all__ = ["DEFAULTS", "MARK", "RELEASE", "upgraded"]

RELEASE: Final = "2.1"
"""The release under which messages of every release 2.x are read."""

MARK: Final = "read-as"
"""The attribute by which the opening of a context says that its records are of release 2: their own root may say nothing."""

DEFAULTS: Final = ("DefaultClassOfTrade", "DefaultLinearUnit", "DefaultWeightUnit")
"""What records of release 2 take from their header and those of ONIX 3 do not, by its reference name."""

_BLOCKS: Final = frozenset(block.value for block in Block)
_PARTIAL: Final = {
    "04": "ONIX 2.1 has no block updates; ask for a full record",
    "12": "NotificationType 12 updates only the supply of an ONIX 2.1 record; ask for a full record",
    "13": "NotificationType 13 updates only the markets of an ONIX 2.1 record; ask for a full record",
    "14": "NotificationType 14 updates only supply and markets of an ONIX 2.1 record; ask for a full record",
}


def upgraded(product: Element, defaults: Mapping[str, str] = MappingProxyType({})) -> Element:
    """The `Product` as ONIX 3 would have it; `defaults` are those of the message's header.

    A record that has blocks is one of ONIX 3 under a wrong label, and comes back as it is. Raises RecordInvalid for records
    that are not whole.
    """
    if any(child.name in _BLOCKS for child in product.children):
        return product
    if reason := _PARTIAL.get(code(product, "NotificationType")):
        raise RecordInvalid(reason)
    return product._replace(children=(*_block_zero(product), *_blocks(product, defaults)))


def _block_zero(product: Element) -> Iterator[Element]:
    yield from chosen(product, "RecordReference NotificationType DeletionText RecordSourceType")
    yield from _record_source(product)
    yield from chosen(product, "RecordSourceName")
    yield from product_identifiers(product)


def _record_source(product: Element) -> Iterator[Element]:
    if number := code(product, "RecordSourceIdentifier"):
        kind = chosen(product, "RecordSourceIdentifierType=RecordSourceIDType")
        yield composite("RecordSourceIdentifier", [*kind, leaf("IDValue", number)])


def _blocks(product: Element, defaults: Mapping[str, str]) -> Iterator[Element]:
    yield from filled("DescriptiveDetail", descriptive_detail(product, defaults))
    yield from filled("CollateralDetail", collateral_detail(product))
    yield from filled("PublishingDetail", publishing_detail(product))
    yield from filled("RelatedMaterial", related_material(product))
    yield from product_supplies(product, defaults)
