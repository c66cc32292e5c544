"""Delivery: operations owed to a distributor, the requests that carry them, and what came of each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from syncengine.domain.ids import EntryId, OrderId, SourceName, TitleKey
from syncengine.domain.territory import Market
from syncengine.errors import UsageInvalid


class OperationKind(StrEnum):
    """What is owed to a distributor."""

    PROBE = "probe"
    """Ask whether a title may be sold now, recording nothing."""
    SALE = "sale"
    DECLARATION = "declaration"
    """Announce a preorder."""
    REFUND = "refund"


PRIORITY: Mapping[OperationKind, int] = {
    OperationKind.PROBE: 0,
    OperationKind.SALE: 1,
    OperationKind.DECLARATION: 2,
    OperationKind.REFUND: 3,
}
"""Release-day placements go before declarations before everything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A decided operation: everything a distributor's calls need, and nothing they must interpret.

    `amount` is in the distributor's own terms: the feed price of `price_type`; `tax_percent` the rate for a net amount where
    one is known. `reference` is the transaction id, in `[A-Za-z0-9_-]+`; so is `customer_id`. `consumer_id` is the customer's id
    with the distributor, where the shop knows it. `customer_name` is both names as one. `paid` is what the customer paid or is to
    pay, tax included; none where that cannot be told.
    """

    kind: OperationKind
    key: TitleKey
    market: Market
    reference: str
    customer_id: str
    amount: Decimal | None = None
    paid: Decimal | None = None
    price_type: str | None = None
    tax_percent: Decimal | None = None
    protection: str | None = None
    terms: Mapping[str, str] = field(default_factory=dict)
    customer_name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    consumer_id: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One API request, frozen before its first byte leaves and repeated byte for byte.

    It carries no credential: the session adds those when it sends. `target` is path and query below the account's base
    address, percent-encoded; `limit` names the endpoint class whose rate it burns.
    """

    method: str
    target: str
    limit: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class Arrival(StrEnum):
    """How far a request came."""

    ANSWERED = "answered"
    NOT_SENT = "not_sent"
    """Surely not received: no connection was made, or what proves who asks could not be had."""
    REFUSED = "refused"
    """Not sent: the account was refused, by a token service, what a request must carry to prove who asks."""
    UNKNOWN = "unknown"
    """Sent, wholly or in part, and no whole answer came back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What came back of one request; `body` is cut at a bound, `detail` says what failed where nothing was answered."""

    arrival: Arrival
    at: datetime
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case; only those worth keeping."""
    body: bytes = b""
    detail: str = ""


class Outcome(StrEnum):
    """What a receipt meant."""

    ACCEPTED = "ACCEPTED"
    ALREADY_DONE = "ALREADY_DONE"
    REJECTED = "REJECTED"
    STALE_FACTS = "STALE_FACTS"
    NOT_YET = "NOT_YET"
    THROTTLED = "THROTTLED"
    FAILED_BEFORE_SENDING = "FAILED_BEFORE_SENDING"
    UNAUTHORIZED = "UNAUTHORIZED"
    UNKNOWN = "UNKNOWN"
    ABSENT = "ABSENT"
    """Of a look-up: the distributor does not know the reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A receipt as its distributor's calls read it.

    `word` is the distributor's own code word or status, `proof` what it gave as a token, `until` the instant before which it
    will not take another call (THROTTLED).
    """

    outcome: Outcome
    word: str = ""
    proof: str | None = None
    until: datetime | None = None


class UnknownPolicy(StrEnum):
    """What to do about a call whose outcome is unknown (design section 8)."""

    LOOK_UP = "look_up"
    RESEND = "resend"
    PARK = "park"


class EntryState(StrEnum):
    """Where an outbox entry stands: pending -> claimed -> sent -> settled | parked; unknown -> confirming."""

    PENDING = "pending"
    CLAIMED = "claimed"
    SENT = "sent"
    """Journaled: its bytes may have left."""
    UNKNOWN = "unknown"
    """Sent, and nobody knows what came of it; it is looked up before anything else."""
    SETTLED = "settled"
    PARKED = "parked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The durable row of one operation.

    `order_id` is none for a probe, which belongs to a gate. `attempts` counts requests that were sent, never waits for a rate.
    `ever_sent` tells that some request of it was journaled at least once, so that `duplicate` can be believed or not.
    """

    id: EntryId
    operation: Operation
    state: EntryState
    order_id: OrderId | None
    gate: str | None
    due_at: datetime
    attempts: int = 0
    request: Request | None = None
    ever_sent: bool = False
    created_at: datetime | None = None
    note: str = ""

    @property
    def source(self) -> SourceName:
        """The distributor account it goes to."""
        return self.operation.key.source


class GateState(StrEnum):
    """Whether the sales of a title in a market may go out in bulk (design section 7, release night)."""

    PROBING = "probing"
    """A probe is in the outbox."""
    OPEN = "open"
    STALE = "stale"
    """The distributor disputes the facts; the title is read again, then probed again."""
    REFUSED = "refused"
    """The distributor refused these very facts twice; orders go to a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The release-night gate of one title, market, price and protection.

    An open or refused gate speaks for every order until `valid_until`; then the next order asks again.
    """

    id: str
    key: TitleKey
    market: Market
    state: GateState
    since: datetime
    valid_until: datetime | None = None
    attempts: int = 0
    stale_rounds: int = 0
    note: str = ""


_RATE = re.compile(r"\s*(\d+)\s*/\s*(\d*)\s*(s|min|h|d)\s*(?:,?\s*burst\s+(\d+))?\s*", re.IGNORECASE)
_UNIT_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A rate: at most `calls` in any stretch of `period_seconds`, the burst counted inside it."""

    calls: int
    period_seconds: float
    burst: int = 1

    @classmethod
    def parse(cls, text: str) -> Limit:
        """Read `10/s`, `40/h burst 5`, `3/10s`; raises UsageInvalid for anything else, for a rate of 0 and a burst over it."""
        match = _RATE.fullmatch(text)
        if match:
            calls, burst = int(match[1]), int(match[4] or 1)
            period = float(int(match[2] or 1) * _UNIT_SECONDS[match[3].lower()])
            if calls >= 1 and period > 0 and 1 <= burst <= calls:
                return cls(calls=calls, period_seconds=period, burst=burst)
        raise UsageInvalid(
            f"{text!r} is no rate",
            hint='write calls per span, for example "10/s", "40/h burst 5"; at least 1, burst at most calls',
        )

    @property
    def interval_seconds(self) -> float:
        """The sustained spacing that keeps the burst inside the quota."""
        return self.period_seconds / (self.calls - self.burst + 1)

    def __str__(self) -> str:
        burst = f" burst {self.burst}" if self.burst > 1 else ""
        return f"{self.calls}/{self.period_seconds:g}s{burst}"
