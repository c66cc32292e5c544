"""What the status codes mean for a sale: lists 64, 68 and 65 as classes (reference/onix.md 2.10)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum


class Standing(Enum):
    """What a status lets a shop do."""

    SELL = "may be sold"
    DEFER = "is active; the supplier says the rest"
    AHEAD = "is not out yet"
    HOLD = "is held back for now"
    STOP = "is not sold any more"
    STOP_NOW = "is withdrawn or recalled"
    UNKNOWN = "says nothing"


def _table(standings: Mapping[Standing, str]) -> Mapping[str, Standing]:
    return {code: standing for standing, codes in standings.items() for code in codes.split()}


_PUBLISHING = _table(
    {
        Standing.DEFER: "00 04",
        Standing.AHEAD: "02",
        Standing.HOLD: "03 16",
        Standing.STOP: "01 05 06 07 08 10 13 17 18",
        Standing.STOP_NOW: "11 12 15",
        Standing.UNKNOWN: "09",
    }
)
"""List 64. 00 and an absent status leave the word to the supplier; 13 and 18 are not sold alone."""

_IN_MARKET = {**_PUBLISHING, **_table({Standing.STOP: "12", Standing.DEFER: "14"})}
"""List 68: 12 is only "not available in this market", 14 "active, with market restrictions", which are read beside it."""

_AVAILABILITY = _table(
    {
        Standing.SELL: "20 21 22 23",
        Standing.AHEAD: "10 11 12",
        Standing.HOLD: "09 30 31 32 33 34",
        Standing.STOP: "01 40 41 42 43 44 45 47 48 50 51 52",
        Standing.STOP_NOW: "46 49",
        Standing.UNKNOWN: "97 98 99",
    }
)
"""List 65. Out of stock and reprinting hold: no electronic product is waited for like that."""


def publishing(status: str | None, market_status: str | None) -> Standing:
    """What publisher and market say; the market's own word wins (list 68 over list 64)."""
    if market_status:
        return _IN_MARKET.get(market_status, Standing.UNKNOWN)
    return _PUBLISHING.get(status, Standing.UNKNOWN) if status else Standing.DEFER


def availability(code: str | None) -> Standing:
    """What the supplier says."""
    return _AVAILABILITY.get(code, Standing.UNKNOWN) if code else Standing.UNKNOWN


def is_withdrawn(status: str | None) -> bool:
    """Whether the publisher has withdrawn or recalled the product everywhere, whatever a market says (list 64)."""
    return publishing(status, None) is Standing.STOP_NOW
