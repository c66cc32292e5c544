"""A title: what orders and rules see of one ISBN in one format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from syncengine.domain.ids import TitleKey
from syncengine.domain.product import Product


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What is known of a title's past and no longer stands in its feed.

    `withdrawn` holds, per currency, the countries in which it was once live and is not any more (contract demarque 9.3).
    """

    withdrawn: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """The live records of all streams of a source that share an ISBN and a format, with what is remembered."""

    key: TitleKey
    records: tuple[Product, ...] = ()
    remembered: Remembered = Remembered()
    was_removed: bool = False
    """Whether records of it were known and none is live any more."""
