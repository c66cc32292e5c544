"""Orders: a customer's wish for one title in one market, and the states it passes (design section 7)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from syncengine.domain.ids import CustomerId, Format, Isbn, OrderId, SourceName, TitleKey
from syncengine.domain.territory import Market


class OrderState(StrEnum):
    """Where an order stands.

    RECEIVED --> DECLARING --> WAITING --> PAYABLE --> PLACING --> PLACED --> REFUNDING --> REFUNDED
    """

    RECEIVED = "RECEIVED"
    """Taken into the register; nothing decided yet."""
    DECLARING = "DECLARING"
    """Its preorder is being declared to the distributor."""
    WAITING = "WAITING"
    """Held until the title may be sold."""
    PAYABLE = "PAYABLE"
    """The title is for sale; the shop has yet to confirm the payment of `amount`."""
    PLACING = "PLACING"
    """Its sale is in the outbox."""
    PLACED = "PLACED"
    """The distributor has recorded the sale."""
    REFUNDING = "REFUNDING"
    """Its refund is in the outbox."""
    REFUNDED = "REFUNDED"
    """The distributor has taken the sale back."""
    REFUSED = "REFUSED"
    """It cannot be sold, and never could since it was received."""
    CANCELLED = "CANCELLED"
    """Given up before a sale."""
    ATTENTION = "ATTENTION"
    """A person must decide: `reason` says why."""


class Reason(StrEnum):
    """Why an order was refused, or needs a person."""

    UNKNOWN_TITLE = "UNKNOWN_TITLE"
    AMBIGUOUS = "AMBIGUOUS"
    WITHDRAWN = "WITHDRAWN"
    OUT_OF_TERRITORY = "OUT_OF_TERRITORY"
    UNPRICED = "UNPRICED"
    UNAVAILABLE = "UNAVAILABLE"
    REMOVED = "REMOVED"
    NO_CALLS = "NO_CALLS"
    """The source is a plain file: there is nobody to order from."""
    PROTECTION_NOT_OFFERED = "PROTECTION_NOT_OFFERED"
    NAMES_MISSING = "NAMES_MISSING"
    """The file is watermarked with the customer's names, and they are not given, or shorter than the distributor takes."""
    PRICE_ABOVE_AGREED = "PRICE_ABOVE_AGREED"
    PRICE_DIFFERS = "PRICE_DIFFERS"
    NO_PRICE_AGREED = "NO_PRICE_AGREED"
    """There was no price to agree to when it was taken, and the shop gave none."""
    AMOUNT_NOT_CONVERTIBLE = "AMOUNT_NOT_CONVERTIBLE"
    FACTS_DISPUTED = "FACTS_DISPUTED"
    """The distributor refused price or availability twice, each time after its own feed was read again."""
    REJECTED = "REJECTED"
    """The distributor refused the request for a reason that a repeat will not change."""
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    """It cannot be found out whether the distributor recorded the call."""
    DUPLICATE_DIFFERS = "DUPLICATE_DIFFERS"
    """The distributor knows this reference, with other content."""
    REFUND_REFUSED = "REFUND_REFUSED"
    UNAUTHORIZED = "UNAUTHORIZED"
    RETRIES_EXHAUSTED = "RETRIES_EXHAUSTED"


class PriceRule(StrEnum):
    """What an agreed price allows when the title is sold."""

    NOT_ABOVE_AGREED = "not_above_agreed"
    CURRENT = "current"
    EXACT = "exact"


class Payment(StrEnum):
    """When the customer pays."""

    PAID = "paid"
    ON_RELEASE = "on_release"


LIVE_STATES: frozenset[OrderState] = frozenset(
    {OrderState.RECEIVED, OrderState.DECLARING, OrderState.WAITING, OrderState.PAYABLE, OrderState.PLACING}
)
"""States in which facts of the title still matter to the order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """What the shop asks for: one row of an orders file. Its content never changes; an id names it for ever."""

    order_id: OrderId
    source: SourceName
    isbn: Isbn
    format: Format
    market: Market
    customer_id: CustomerId
    agreed_price: Decimal | None = None
    price_rule: PriceRule = PriceRule.NOT_ABOVE_AGREED
    payment: Payment = Payment.PAID
    protection: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    consumer_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A request with all that became of it.

    `agreed_price` is a consumer price including tax where `agreed_basis` is none, else the price in force when the order was
    taken, frozen in its own tax basis. `amount`, `price_type` and `declared_customer_id` are what was or will be told to the
    distributor; `paid_amount` is the consumer amount the shop has confirmed.
    """

    request: OrderRequest
    state: OrderState
    key: TitleKey
    received_at: datetime
    updated_at: datetime
    reference: str
    """The transaction id the distributor sees; derived injectively from the order id."""
    reason: Reason | None = None
    note: str = ""
    agreed_price: Decimal | None = None
    agreed_basis: str | None = None
    amount: Decimal | None = None
    price_type: str | None = None
    protection: str | None = None
    declared_customer_id: str | None = None
    payable: Decimal | None = None
    """The consumer amount that the shop is to confirm (PAYABLE)."""
    paid_amount: Decimal | None = None
    stale_rounds: int = 0
    cancel_requested: bool = False
    refund_reason: str | None = None
    receipt: str | None = None
    """What the distributor gave as proof of the last effect: refund token, sale status."""

    @property
    def order_id(self) -> OrderId:
        """The shop's id."""
        return self.request.order_id


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEvent:
    """One step of an order's history."""

    order_id: OrderId
    at: datetime
    before: OrderState | None
    after: OrderState
    reason: Reason | None = None
    note: str = ""
