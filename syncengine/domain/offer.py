"""Offers: what may be done with a title in a market at an instant, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from syncengine.domain.ids import RecordReference, TitleKey
from syncengine.domain.territory import Market


class OfferState(StrEnum):
    """The label for people; the planner reads the flags."""

    FOR_SALE = "FOR_SALE"
    PREORDER = "PREORDER"
    ANNOUNCED = "ANNOUNCED"
    NOT_YET = "NOT_YET"
    UNAVAILABLE = "UNAVAILABLE"
    WITHDRAWN = "WITHDRAWN"
    OUT_OF_TERRITORY = "OUT_OF_TERRITORY"
    UNPRICED = "UNPRICED"
    REMOVED = "REMOVED"
    UNKNOWN = "UNKNOWN"


class TaxBasis(StrEnum):
    """Whether an amount includes tax."""

    INCLUDED = "included"
    EXCLUDED = "excluded"


class HeldOrders(StrEnum):
    """What an offer that accepts no sale means for orders that already wait."""

    KEEP = "keep"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferPrice:
    """The price in force; `tax_percent` is known where the feed or the settings give a rate for the country."""

    amount: Decimal
    currency: str
    type: str
    tax: TaxBasis
    tax_percent: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleApplied:
    """A rule of a contract that took part in the decision: `demarque.9.2.1`, and what it found here."""

    id: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What may be done with a title in a market at an instant.

    `terms` are the distributor's words that a sale needs besides the price (format, protection, resource id); they are
    opaque to the engine and given to the calls of the same distributor. `next_change_at` is the next instant at which this
    offer may differ although nothing is received; `starts_at` the start of sale, past or to come. `check_first` asks for a
    simulation or a canary before the sales of a release go out in bulk. `name_letters` is how many characters the customer's first
    and last name must have each, for a watermark; 0 where it takes none. `check_holds` is how long the answer to such a question may be
    relied on, where that is shorter than it is for all. `takes_no_new` refuses orders that are new, whatever the
    state, and leaves those alone that are held.
    """

    key: TitleKey
    market: Market
    at: datetime
    state: OfferState
    record_reference: RecordReference | None = None
    accepts_orders: bool = False
    accepts_preorders: bool = False
    declares_preorders: bool = False
    takes_no_new: bool = False
    held_orders: HeldOrders = HeldOrders.KEEP
    check_first: bool = False
    check_holds: timedelta | None = None
    name_letters: int = 0
    price: OfferPrice | None = None
    terms: Mapping[str, str] = field(default_factory=dict)
    starts_at: datetime | None = None
    next_change_at: datetime | None = None
    rules: tuple[RuleApplied, ...] = ()
