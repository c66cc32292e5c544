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

    def joined(self, other: Remembered) -> Remembered:
        """What either of them holds."""
        if not other.withdrawn or not self.withdrawn:
            return other if other.withdrawn else self
        none: frozenset[str] = frozenset()
        currencies = sorted({*self.withdrawn, *other.withdrawn})
        return Remembered(
            withdrawn={each: self.withdrawn.get(each, none) | other.withdrawn.get(each, none) for each in currencies}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """The live records of all streams of a source that share an ISBN and a format, or name no format, with what is remembered."""

    key: TitleKey
    records: tuple[Product, ...] = ()
    remembered: Remembered = Remembered()
    was_removed: bool = False
    """Whether records that name its format were known and none of them is live any more."""
