"""What the status codes mean for a sale: lists 64, 68 and 65 as classes, and the three combined (reference/onix.md 2.10)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import lru_cache

from syncengine.domain.codes import ProductAvailability, ProductComposition, PublishingStatus


class Standing(Enum):
    """What a status lets a shop do."""

    SELL = "may be sold"
    PRE = "may be ordered in advance, and not sold"
    BACK = "may be ordered, without a promise when it comes"
    DEFER = "is active; the supplier says the rest"
    HOLD = "is held back for now"
    STOP = "is not sold any more"
    STOP_NOW = "is withdrawn or recalled: not sold and not shown from now on"
    UNKNOWN = "says nothing from which anything follows"


def _table(standings: Mapping[Standing, str]) -> Mapping[str, Standing]:
    return {code: standing for standing, codes in standings.items() for code in codes.split()}


_PUBLISHING = _table(
    {
        Standing.DEFER: "04",
        Standing.PRE: "02",
        Standing.HOLD: "03 16",
        Standing.STOP: "01 05 06 07 08 10 13 17 18",
        Standing.STOP_NOW: "11 12 15",
        Standing.UNKNOWN: "00 09",
    }
)
"""List 64. 06, 07 and 08 leave residual stock to be sold, of which a download has none."""

_IN_MARKET = {**_PUBLISHING, **_table({Standing.STOP: "12", Standing.DEFER: "14"})}
"""List 68: 12 is only "not available in this market"; 14 is "active, with market restrictions", which stand beside it."""

_AVAILABILITY = _table(
    {
        Standing.SELL: "20 21 22 23",
        Standing.PRE: "10 11 12",
        Standing.BACK: "30 31 32 33",
        Standing.HOLD: "09 34",
        Standing.STOP: "01 40 41 42 43 44 45 47 48 50 51 52",
        Standing.STOP_NOW: "46 49",
        Standing.UNKNOWN: "97 98 99",
    }
)
"""List 65."""

_PUBLISHING_OF = {
    (PublishingStatus.NOT_SOLD_SEPARATELY.value, ProductComposition.SET.value): Standing.DEFER,
    (PublishingStatus.NOT_SOLD_SEPARATELY.value, ProductComposition.PACK.value): Standing.DEFER,
    (PublishingStatus.NOT_SOLD_AS_SET.value, ProductComposition.SINGLE.value): Standing.UNKNOWN,
}
_AVAILABILITY_OF = {
    (ProductAvailability.NOT_SOLD_SEPARATELY.value, ProductComposition.SET.value): Standing.UNKNOWN,
    (ProductAvailability.NOT_SOLD_SEPARATELY.value, ProductComposition.PACK.value): Standing.UNKNOWN,
    (ProductAvailability.NOT_SOLD_AS_SET.value, ProductComposition.SINGLE.value): Standing.UNKNOWN,
}
"""What depends on list 2. One thing that is sold in sets only is not orderable, nor is a set that is sold in parts only: so the
tables above. That the parts of a set are not sold separately (13) leaves the set itself as it is; the rest contradicts itself.
"""
_NOT_RETAILED = frozenset(
    {
        ProductComposition.SINGLE_NOT_SEPARATE,
        ProductComposition.COLLECTION_IN_PARTS,
        ProductComposition.TRADE_ONLY,
        ProductComposition.TRADE_PACK,
    }
)
"""List 2: records of things that are not sold to readers as such."""
_COMPOSITIONS: frozenset[str] = frozenset(ProductComposition)
_SILENT = frozenset({None, "", PublishingStatus.UNSPECIFIED.value})
_STRONGEST_FIRST = (Standing.STOP, Standing.HOLD, Standing.UNKNOWN)


def of_publisher(code: str | None) -> Standing:
    """List 64, the publisher's word for the whole world; absent is 00. A code that no issue knows is UNKNOWN."""
    return _PUBLISHING.get(code or PublishingStatus.UNSPECIFIED, Standing.UNKNOWN)


def of_market(code: str | None) -> Standing:
    """List 68, the word for one market; absent is 00."""
    return _IN_MARKET.get(code or PublishingStatus.UNSPECIFIED, Standing.UNKNOWN)


def of_supplier(code: str | None) -> Standing:
    """List 65, one supplier's word; absent is UNKNOWN."""
    return _AVAILABILITY.get(code or "", Standing.UNKNOWN)


def combine(
    *,
    publishing_status: str | None,
    market_status: str | None,
    availability: str | None,
    composition: str | None = None,
    has_embargo: bool = False,
) -> Standing:
    """What a shop may do with one supplier's offer of a product in a market; never DEFER.

    - A withdrawal or recall wins, wherever it is said. Of several suppliers one such word stops all; that, the rights and the
      choice of the best supplier are the caller's, who knows the country.
    - The market's status (68) stands in for the publisher's (64). Unspecified (00, or absent) is silence, as distinct from
      unknown (09): it leaves the word to the next, and at last to the supplier alone.
    - What publisher or supplier stops, holds back or does not know is not sold, whatever the other says.
    - A forthcoming product that its supplier already has (02 with 20) is common for downloads: its embargo gates it, and
      without one (`has_embargo`) it is but announced.
    - `composition` (list 2) tells what "not sold separately" and "not sold as set" mean for the product at hand.
    """
    return _combined(publishing_status, market_status, availability, composition, has_embargo)


@lru_cache(maxsize=4096)
def _combined(
    publishing_status: str | None,
    market_status: str | None,
    availability: str | None,
    composition: str | None,
    has_embargo: bool,
) -> Standing:
    words = [of_publisher(publishing_status), of_market(market_status), of_supplier(availability)]
    if Standing.STOP_NOW in words:
        return Standing.STOP_NOW
    publisher = _publisher(publishing_status, market_status, composition)
    supplier = _AVAILABILITY_OF.get((availability or "", composition or "")) or of_supplier(availability)
    for standing in _STRONGEST_FIRST:
        if publisher is standing or supplier is standing:
            return standing
    if composition in _NOT_RETAILED:
        return Standing.STOP
    if composition and composition not in _COMPOSITIONS:
        return Standing.UNKNOWN
    if publisher is Standing.PRE and supplier is Standing.SELL and not has_embargo:
        return Standing.PRE
    return supplier


def _publisher(publishing_status: str | None, market_status: str | None, composition: str | None) -> Standing:
    if publishing_status and publishing_status not in _PUBLISHING:
        return Standing.UNKNOWN  # a newer issue's word may be a recall, which no market outweighs
    by_table, code = (of_publisher, publishing_status) if market_status in _SILENT else (of_market, market_status)
    if code in _SILENT:
        return Standing.DEFER
    return _PUBLISHING_OF.get((code or "", composition or "")) or by_table(code)
