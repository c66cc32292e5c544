"""What the engine needs of the world: a clock, sources, rules, calls, a store. No port knows another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Protocol

from syncengine.domain.change import Change
from syncengine.domain.delivery import (
    Entry,
    Gate,
    Operation,
    OperationKind,
    Receipt,
    Request,
    UnknownPolicy,
    Verdict,
)
from syncengine.domain.frame import Context, FrameIndex, MessageHeader
from syncengine.domain.ids import (
    EntryId,
    Format,
    Isbn,
    OrderId,
    PassId,
    RecordId,
    RecordReference,
    SourceName,
    StreamName,
    TitleKey,
)
from syncengine.domain.message import MessageMark, MessageOrder
from syncengine.domain.offer import Offer
from syncengine.domain.order import Order, OrderEvent, OrderState
from syncengine.domain.passes import Noted, PassMode, PassReport, RecordOutcome
from syncengine.domain.product import Product, ProductIdentifier
from syncengine.domain.rows import Rows
from syncengine.domain.territory import Market
from syncengine.domain.title import Remembered, Title
from syncengine.settings import Secret as Secret  # noqa: PLC0414 - adapters know settings by the ports alone
from syncengine.settings import SourceSettings as SourceSettings  # noqa: PLC0414 - the same

# --- time ---------------------------------------------------------------------------------------------------------------


class Clock(Protocol):
    """The only source of instants and spans; tests bring one that jumps."""

    def now(self) -> datetime:
        """The instant, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards; for durations."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait that long; nothing where it is not above 0."""
        ...


class Pace(Protocol):
    """Rates: every call to a distributor waits here for its turn."""

    def take(self, source: SourceName, limit: str) -> bool:
        """Take a turn that has come already; false where it is to be waited for, by `turn`."""
        ...

    async def turn(self, source: SourceName, limit: str) -> None:
        """Return once a call of that endpoint class may be made, having burned its slot durably."""
        ...

    async def depart(self, source: SourceName, limit: str) -> None:
        """Return at the instant at which a call that had its turn may leave: whatever delayed calls after their turns, they keep
        the rate as they leave. A short wait, for turns are spaced already.
        """
        ...

    def slow_down(self, source: SourceName, limit: str, until: datetime | None) -> None:
        """The distributor refused the rate: nothing of that class before `until` (none = a default span), then gently."""
        ...

    def estimate(self, source: SourceName, limit: str, count: int) -> float:
        """How many seconds so many calls of that endpoint class take at its rate."""
        ...


# --- intake -------------------------------------------------------------------------------------------------------------


class PartialUpdates(StrEnum):
    """How a source means notification 04 (design section 5)."""

    MERGE = "merge"
    WHOLE = "whole"


class MissingReference(StrEnum):
    """What becomes of a record without RecordReference (reference/onix.md 2.17)."""

    QUARANTINE = "quarantine"
    DERIVE = "derive"
    """Its best identifier stands in for it: the ISBN-13, else the GTIN-13, the ISBN-10, the DOI, a proprietary number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conventions:
    """How a source's sender uses the standard where the standard, or its users, leave a choice."""

    partial_updates: PartialUpdates = PartialUpdates.MERGE
    message_order: MessageOrder = MessageOrder.ARRIVAL
    missing_reference: MissingReference = MissingReference.QUARANTINE


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One message of a pass, ONIX or rows: a page or a file.

    `chunks` gives its bytes, decompressed, in pieces of any size, and raises FeedTorn or another SourceFailed where they
    break off; what is no asynchronous iterator blocks, and is read in a thread. `cursor` is committed with the last of its records; none leaves the stream's cursor as it is.
    """

    name: str
    chunks: AsyncIterator[bytes] | Iterator[bytes]
    cursor: bytes | None = None
    starts_over: bool = False
    """The interrupted pass could not be gone on with: this is the first part of a new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassEnd:
    """The source has nothing more: the pass is complete. `cursor` is committed with its end."""

    cursor: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PassPlan:
    """What the next pass of a stream is to be: its mode, and whether it goes on with one that was interrupted."""

    mode: PassMode
    resumes: bool = False


class Source(Protocol):
    """Reads a distributor's or a folder's messages, in one or several streams."""

    @property
    def name(self) -> SourceName: ...

    @property
    def streams(self) -> tuple[StreamName, ...]:
        """The streams, in the order in which they are read."""
        ...

    @property
    def conventions(self) -> Conventions:
        """Of its streams of ONIX. Rows are whole, and in the order of their `sent_at` where they have one."""
        ...

    def rows(self, stream: StreamName) -> Rows | None:
        """How the stream's messages are written where they are rows; none for ONIX."""
        ...

    def is_snapshot(self, stream: StreamName) -> bool:
        """Whether absence from a complete full pass of the stream means that a record vanished."""
        ...

    def plan(self, stream: StreamName, cursor: bytes | None, wanted: PassMode | None, now: datetime) -> PassPlan:
        """Decide the next pass from the committed cursor; `wanted` overrides the mode."""
        ...

    def read(self, stream: StreamName, plan: PassPlan, cursor: bytes | None) -> AsyncIterator[Part | PassEnd]:
        """The messages of one pass, the next one fetched while the last is worked on; ends with PassEnd, or raises SourceFailed."""
        ...

    async def read_one(self, isbn: Isbn) -> Mapping[StreamName, Part]:
        """The messages of a single title as it is now, by the stream that each belongs to; streams are left out where the
        distributor does not know it, or that have no such call.
        """
        ...

    async def check_account(self) -> None:
        """Raise SourceFailed, or InputUnreadable, where the account or the files are not what they should be."""
        ...

    async def aclose(self) -> None:
        """Give back connections and files."""
        ...


class Acknowledging(Protocol):
    """Takes down what became of the messages and records of one pass, for an acknowledgement (reference/onix.md 2.15)."""

    def message(self, part: str, header: MessageHeader) -> None:
        """A message was begun."""
        ...

    def record(
        self,
        reference: RecordReference | None,
        identifiers: Sequence[ProductIdentifier],
        outcome: RecordOutcome,
        noted: Sequence[Noted],
    ) -> None:
        """What became of a record that was looked into; a quarantined one has its reason among `noted`."""
        ...

    def conclude(self, report: PassReport) -> None:
        """The pass has ended, complete or not as the report says: write the acknowledgement. Raises InputUnreadable."""
        ...


class Rules(Protocol):
    """A distributor's conventions: the one place where product facts become an offer. Pure; no clock, no store."""

    @property
    def version(self) -> str:
        """Changes when decisions may: every title is then due."""
        ...

    @property
    def markets(self) -> tuple[Market, ...]:
        """The markets the shop serves from this source."""
        ...

    def identify(self, product: Product) -> tuple[Isbn, Format] | None:
        """The title a record belongs to; none where it has no usable identifier.

        An empty format: the record, a row mostly, is about every title of the ISBN. It names no title by itself.
        """
        ...

    def offer(self, title: Title, market: Market, at: datetime) -> Offer:
        """Decide by the contract's tables; total: every input gives an offer."""
        ...

    @property
    def remembers(self) -> bool:
        """Whether the past of a title decides anything; where it does not, `remember` need not be asked."""
        ...

    def remember(self, remembered: Remembered, old: Product | None, new: Product | None) -> Remembered:
        """What must be kept of a title's past when `old` gives way to `new` (none = not yet, or no longer, there)."""
        ...


# --- delivery -----------------------------------------------------------------------------------------------------------


class Calls(Protocol):
    """A distributor's API: decided operations to frozen requests, receipts to verdicts. It keeps no state but its session."""

    @property
    def operations(self) -> frozenset[OperationKind]:
        """What the distributor has a call for."""
        ...

    @property
    def concurrency(self) -> int:
        """How many calls may be in flight at once."""
        ...

    def concurrency_of(self, limit: str) -> int:
        """How many of them may be of that endpoint class; a call beyond it waits before it is journaled, not in `send`."""
        ...

    def prepare(self, operation: Operation) -> Request:
        """The request that carries the operation; deterministic. Raises AmountInvalid."""
        ...

    def prepare_lookup(self, operation: Operation) -> Request:
        """The request that asks whether the operation took effect; for those whose policy is LOOK_UP."""
        ...

    def unknown_policy(self, operation: Operation) -> UnknownPolicy:
        """What to do when nobody knows whether a call of this operation took effect."""
        ...

    async def send(self, request: Request) -> Receipt:
        """Make the call once. Network failures are receipts, never exceptions."""
        ...

    def read(self, operation: Operation, receipt: Receipt, *, sent_before: bool) -> Verdict:
        """What the answer means; `sent_before` tells that an earlier request of the same entry may have taken effect."""
        ...

    def read_lookup(self, operation: Operation, receipt: Receipt) -> Verdict:
        """ALREADY_DONE, ABSENT, or why it is still unknown."""
        ...

    async def download_link(self, order: Order) -> str:
        """A fresh link to the file of a placed order; never stored. Raises SourceFailed, or UsageInvalid where there is none."""
        ...

    async def aclose(self) -> None:
        """Give back connections."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What a store is bound to: a copied or reconfigured store must not sell through another account unasked.

    `address` is the base address that sales go to; where feeds or tokens come from other hosts does not matter to it.
    """

    kind: str
    address: str
    organisation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a distributor's folder is given to build its parts with.

    Relative paths in its settings start at `directory`.
    """

    clock: Clock
    pace: Pace
    directory: Path = Path()


@dataclass(frozen=True, slots=True, kw_only=True)
class Distributor:
    """One configured source with everything a distributor's folder offers for it; `calls` is none for plain files."""

    source: Source
    rules: Rules
    calls: Calls | None
    account: Account


class DistributorKind(Protocol):
    """What the `__init__` of a distributor's folder offers: its settings and a way to connect an account."""

    @property
    def Settings(self) -> type[SourceSettings]:  # noqa: N802 - the name of a class
        """The keys of `[sources.NAME]` for this kind."""
        ...

    def connect(self, name: SourceName, settings: SourceSettings, world: World) -> Distributor:
        """Build the parts for one account; no network yet. Raises SettingsInvalid for a secret that cannot be read."""
        ...


# --- the store ----------------------------------------------------------------------------------------------------------


class Urgency(IntEnum):
    """Who goes first when several wait for the store."""

    DELIVERY = 0
    COMMAND = 1
    TRADE = 2
    INTAKE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreIdentity:
    """Given once when a store is made: `seed` for fingerprints (64 bit), `prefix` for references sent to distributors."""

    id: str
    seed: int
    prefix: str


class RecordStatus(StrEnum):
    """What the store knows of a record."""

    LIVE = "live"
    REMOVED = "removed"
    """Notification 05."""
    VANISHED = "vanished"
    """Absent at the end of a complete snapshot pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRecord:
    """A record as last applied; `body` is its raw frame, or the merged record where block updates were applied, to be read in
    `context`, which is the essence of its message's.
    """

    id: RecordId
    reference: RecordReference
    stream: StreamName
    status: RecordStatus
    fingerprint: bytes | None
    context: Context
    body: bytes
    product: Product
    key: TitleKey | None
    repeated: bool
    pass_id: PassId
    """The pass that wrote it last."""
    applied_at: datetime
    is_plain: bool = False
    """Whether `body` was read at a glance, so that nothing in any part of it is to be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordWrite:
    """One record to apply, or to stage.

    `change` is the line for the change log, none where the content is equal (touched). `fingerprint` is none where no
    prediction may rest on it. `repeated` flags a reference seen twice in one message. Of `context` the essence is kept.
    `is_plain` tells that the body was read at a glance.
    """

    record_id: RecordId | None
    reference: RecordReference
    status: RecordStatus
    fingerprint: bytes | None
    frame_length: int
    line_count: int
    context: Context
    body: bytes
    product: Product
    key: TitleKey | None
    previous_key: TitleKey | None
    change: Change | None
    repeated: bool = False
    is_plain: bool = False


class AsideKind(StrEnum):
    """Why a frame is kept apart from the live records."""

    QUARANTINED = "quarantined"
    """It cannot be read."""
    HELD = "held"
    """A block update whose base was never received whole."""
    TRANSFER = "transfer"
    """Notifications 08 and 09: the product goes to another publisher."""
    TEST = "test"
    """Notifications 88 and 89."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """A frame that was set aside: why, where it stood, and all that is needed to read it again.

    Of `context` the essence is kept; it is none where a build kept the frame that did not keep contexts. `mark` is the place of
    its message among those of the sender.
    """

    kind: AsideKind
    source: SourceName
    stream: StreamName
    part: str
    reference: RecordReference | None
    offset: int
    line: int
    reason: str
    body: bytes
    context: Context | None
    mark: MessageMark
    at: datetime
    id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamState:
    """Where a stream stands."""

    cursor: bytes | None = None
    last_complete_at: datetime | None = None
    last_full_at: datetime | None = None
    last_full_records: int | None = None
    last_message: Mapping[str, MessageMark] = field(default_factory=dict)
    """Per sender, the newest message applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassState:
    """A pass that is under way in the store.

    `staged` tells that its changes are kept apart until the guards have judged the whole, `applying` that they have.
    `high_water` is the highest record id when it began: only older records can vanish.
    """

    id: PassId
    source: SourceName
    stream: StreamName
    mode: PassMode
    staged: bool
    applying: bool
    high_water: RecordId
    report: PassReport
    tallies: Mapping[str, int] = field(default_factory=dict)
    """What the guards judge, as counted so far."""
    gone: Sequence[RecordId] = ()
    """Of one that is being applied, the records that vanish with it."""


class Records(Protocol):
    """Records, their quarantine and their held updates."""

    async def index(self, source: SourceName) -> FrameIndex:
        """Every live record, in the order of their ids, with its last applied frame where that may be predicted."""
        ...

    async def live_count(self, source: SourceName, stream: StreamName | None = None) -> int:
        """How many live records there are of the source, or of one of its streams."""
        ...

    async def known(
        self, source: SourceName, references: Collection[RecordReference]
    ) -> Mapping[RecordReference, KnownRecord]:
        """Those of the references that the store has, whatever their status."""
        ...

    async def products(
        self, source: SourceName, references: Collection[RecordReference]
    ) -> Mapping[RecordReference, Product]:
        """What the live records among these references say."""
        ...

    async def by_id(self, ids: Collection[RecordId]) -> Sequence[KnownRecord]: ...

    async def gone(self, state: PassState, unseen: Collection[RecordId]) -> Sequence[RecordId]:
        """Those of the unseen that are of the pass's stream, were live when it began and were not written since."""
        ...

    async def write(self, state: PassState, writes: Sequence[RecordWrite], at: datetime) -> None:
        """Apply: records, the index by title, the change log, due marks of the new and the previous title. A record without a
        format marks every title of its ISBN that another has named.

        The updates held for records that are live now are let go: they went into them, or were older.
        """
        ...

    async def references(
        self, source: SourceName, keys: Collection[TitleKey]
    ) -> Mapping[TitleKey, Sequence[RecordReference]]:
        """The references of the live records of these titles, sorted; titles without any are left out."""
        ...

    async def set_aside(self, frames: Sequence[SetAside]) -> Sequence[SetAside]:
        """Keep frames apart; returns those that were not kept yet.

        Of the quarantined and of tests the same reference (without one, the same bytes) replaces its older row. Of held updates
        and notices of transfer the same bytes are kept once: an update as it last came, a notice as it first did.
        """
        ...

    async def clear_quarantine(self, source: SourceName, references: Collection[RecordReference]) -> None:
        """A good frame of these references has come."""
        ...

    async def aside(
        self, source: SourceName | None = None, kinds: Collection[AsideKind] = tuple(AsideKind)
    ) -> Sequence[SetAside]:
        """What is set aside, oldest first."""
        ...

    async def get_aside(self, number: int) -> SetAside | None:
        """One of them, by its id."""
        ...

    async def held(
        self, source: SourceName, references: Collection[RecordReference]
    ) -> Mapping[RecordReference, Sequence[SetAside]]:
        """The held updates of these references, in the order in which they first came."""
        ...

    async def quarantined_references(self, source: SourceName) -> Mapping[RecordReference, RecordId | None]:
        """The references that have a quarantined frame, with their records where there are any."""
        ...

    async def forget_tests(self, source: SourceName, before: datetime) -> None:
        """Forget the tests that were set aside before an instant."""
        ...

    async def count_aside(self) -> Mapping[AsideKind, int]:
        """How many there are of each kind."""
        ...

    async def drop_aside(self, ids: Collection[int]) -> int:
        """Forget these; returns how many there were."""
        ...


class Passes(Protocol):
    """Passes and cursors."""

    async def stream(self, source: SourceName, stream: StreamName) -> StreamState: ...

    async def unfinished(self, source: SourceName, stream: StreamName) -> PassState | None:
        """The pass that was under way when the process ended, if any."""
        ...

    async def begin(
        self, source: SourceName, stream: StreamName, mode: PassMode, *, staged: bool, at: datetime
    ) -> PassState:
        """Open a pass; an unfinished one of the stream is given up with all that it staged."""
        ...

    async def stage(self, state: PassState, writes: Sequence[RecordWrite]) -> None:
        """Keep apart; a later write of a reference replaces the earlier."""
        ...

    async def staged(self, state: PassState, limit: int) -> Sequence[RecordWrite]:
        """The next writes to apply, in order."""
        ...

    async def staged_of(
        self, state: PassState, references: Collection[RecordReference]
    ) -> Mapping[RecordReference, RecordWrite]:
        """What the pass has staged of these references."""
        ...

    async def staged_ids(self, state: PassState) -> Mapping[RecordId, RecordReference]:
        """The stored records that the pass has staged a write of."""
        ...

    async def unstage(self, state: PassState, references: Collection[RecordReference]) -> None: ...

    async def apply_staged(self, state: PassState, limit: int, at: datetime) -> int:
        """Apply the next staged writes, in order and as `Records.write` does; they are staged no more. Returns how many it were."""
        ...

    async def see(self, state: PassState, ids: Collection[RecordId]) -> None:
        """Note records as present, in the commit of the page that had them."""
        ...

    async def seen(self, state: PassState) -> Collection[RecordId]: ...

    async def progress(
        self,
        state: PassState,
        report: PassReport,
        tallies: Mapping[str, int],
        *,
        cursor: bytes | None = None,
        message: Mapping[str, MessageMark] | None = None,
        gone: Sequence[RecordId] | None = None,
    ) -> None:
        """Keep the account so far; with a cursor, where reading goes on; with what is to vanish, that it is being applied."""
        ...

    async def finish(self, state: PassState, report: PassReport, *, cursor: bytes | None, at: datetime) -> None:
        """Close the pass, complete or not as the report says. A complete one moves the cursor and the stream's marks."""
        ...

    async def recent(self, limit: int) -> Sequence[tuple[PassReport, datetime | None]]:
        """The last passes, newest first, with the instant each ended."""
        ...

    async def has_completed(self, source: SourceName, streams: Collection[StreamName]) -> bool:
        """Whether a pass of each of these streams of the source ever ran to its end."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DueMark:
    """A title to be decided again; `position` is the last order already dealt with, `sequence` tells marks of one title apart."""

    key: TitleKey
    sequence: int
    position: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownOffer:
    """The last decided offer of a title in a market, as far as a change of it is told."""

    market: str
    state: str
    price: str | None
    starts_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DueTitle:
    """A due title with what it was last decided to be, by market."""

    mark: DueMark
    title: Title
    offers: Mapping[str, KnownOffer]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedTitle:
    """What a title was decided to be: its offers, none where all are as they were, and when they change by time alone."""

    key: TitleKey
    offers: Sequence[KnownOffer] | None
    next_at: datetime | None


class Titles(Protocol):
    """Titles, what is remembered of them, their due marks and timers."""

    async def read(self, key: TitleKey) -> Sequence[Title]:
        """The title; with an empty format, every title of the ISBN. Nothing where no record ever named it.

        To the records of a title belong those of its ISBN that name no format, and to what is remembered of it what is
        remembered of them.
        """
        ...

    async def find(self, isbn: Isbn) -> Sequence[TitleKey]:
        """The titles of every source that carry the ISBN."""
        ...

    async def remember(self, memories: Mapping[TitleKey, Remembered]) -> None: ...

    async def remembered(self, keys: Collection[TitleKey]) -> Mapping[TitleKey, Remembered]: ...

    async def mark_due(self, keys: Iterable[TitleKey]) -> None:
        """Ask for a decision; a mark that is being worked on starts over."""
        ...

    async def mark_source_due(self, source: SourceName) -> None:
        """Ask for a decision on every title of the source, and on every order that waits for one."""
        ...

    async def mark_orders_due(self, source: SourceName) -> None:
        """Ask for a decision on every order of the source that waits for one."""
        ...

    async def due(self, at: datetime, limit: int) -> Sequence[DueMark]:
        """Marks, and titles whose next instant has passed (each then gets a mark)."""
        ...

    async def count_due(self) -> int:
        """How many marks there are."""
        ...

    async def unawaited(self, marks: Sequence[DueMark]) -> Sequence[DueTitle]:
        """Those of the marks that stand for nothing but one named title: no live order has its ISBN. In the order of the marks."""
        ...

    async def advance(self, mark: DueMark, position: int) -> None:
        """Move the mark to a position, unless the title was marked anew since."""
        ...

    async def clear(self, marks: Sequence[DueMark]) -> None:
        """These are dealt with: forget them, but for titles that were marked anew since."""
        ...

    async def clear_moot(self, source: SourceName, limit: int) -> int:
        """Forget marks of a source that serves no market, up to so many, whose decision would change nothing: of named titles
        without kept offers, without a timer, and without a live order of their ISBN. Returns how many there were.
        """
        ...

    async def known_offers(self, key: TitleKey) -> Mapping[str, KnownOffer]:
        """By market."""
        ...

    async def decide(self, decided: Sequence[DecidedTitle]) -> None:
        """Keep the decided offers in place of all that were, and the next instants."""
        ...

    async def next_at(self, *, besides: Collection[DueMark] = ()) -> datetime | None:
        """The earliest instant at which a title is due; the past where a mark stands that is none of `besides`."""
        ...


class ChangeLog(Protocol):
    """The change log."""

    async def append(self, changes: Sequence[Change]) -> None: ...

    async def since(self, sequence: int, limit: int) -> Sequence[Change]:
        """The changes after `sequence`, in order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderQuery:
    """Which orders to list; an empty field matches all."""

    states: tuple[OrderState, ...] = ()
    source: SourceName | None = None
    isbn: Isbn | None = None
    after: int = 0
    limit: int = 1000


class Orders(Protocol):
    """The register."""

    async def add(self, orders: Sequence[tuple[Order, OrderEvent]]) -> None:
        """Take new orders; their ids must be unknown. Marks their titles due."""
        ...

    async def get(self, ids: Collection[OrderId]) -> Mapping[OrderId, Order]: ...

    async def of_title(
        self, key: TitleKey, states: Collection[OrderState], *, after: int, limit: int
    ) -> Sequence[tuple[int, Order]]:
        """Orders of the title, and orders of its ISBN whose format is open, by position."""
        ...

    async def list(self, query: OrderQuery) -> Sequence[tuple[int, Order]]: ...

    async def save(self, steps: Sequence[tuple[Order, OrderEvent | None]]) -> None:
        """Keep orders as they now are, with their history."""
        ...

    async def history(self, order_id: OrderId) -> Sequence[OrderEvent]: ...

    async def counts(self) -> Mapping[OrderState, int]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """An entry to be put into the outbox."""

    operation: Operation
    order_id: OrderId | None
    gate: str | None
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedReceipt:
    """A receipt in an entry's history."""

    entry_id: EntryId
    receipt: Receipt
    verdict: Verdict
    request: Request


class Outbox(Protocol):
    """Entries, receipts and gates."""

    async def put(self, entries: Sequence[NewEntry], at: datetime) -> None: ...

    async def recover(self) -> int:
        """After a start: claimed becomes pending, sent becomes unknown. Returns how many were sent."""
        ...

    async def claim(
        self,
        sources: Collection[SourceName],
        at: datetime,
        limit: int,
        *,
        least_urgent: OperationKind = OperationKind.REFUND,
    ) -> Sequence[Entry]:
        """Take due entries of these sources by priority, of one priority the unknown before the new, then by age; entries of one
        order in sequence. Kinds that are less urgent than `least_urgent` stay where they are, and so do paused sources, and sales
        that were not sent yet and whose gate is known and not open.
        """
        ...

    async def save(self, *entries: Entry) -> None:
        """Keep entries' states, attempts, requests and due instants; a settled one leaves the outbox for its history."""
        ...

    async def log(self, *lines: LoggedReceipt) -> None: ...

    async def note(self, entries: Sequence[Entry], lines: Sequence[LoggedReceipt]) -> AbstractSet[EntryId]:
        """Save those of the entries that are still owed, and log their lines; returns which they were."""
        ...

    async def receipts(self, entry_id: EntryId) -> Sequence[LoggedReceipt]:
        """The entry's logged receipts, oldest first; bodies are cut at a bound."""
        ...

    async def of_order(self, order_id: OrderId) -> Sequence[Entry]:
        """Its entries that are not settled."""
        ...

    async def of_orders(self, order_ids: Collection[OrderId]) -> Mapping[OrderId, Sequence[Entry]]:
        """The same for several; orders without any are left out."""
        ...

    async def count_unsent(self, source: SourceName, most: int) -> int:
        """How many sales of the source wait to be claimed for the first time or again, unsent; counted up to `most`."""
        ...

    async def get(self, entry_id: EntryId) -> Entry | None: ...

    async def sendable(self, entry_ids: Collection[EntryId]) -> AbstractSet[EntryId]:
        """Those of the entries that are neither settled nor parked nor revoked, whose source is not paused, and which no gate holds
        back: it holds back sales that were not sent yet, where it is known and not open.
        """
        ...

    async def parked(self) -> Sequence[Entry]: ...

    async def revoke(self, entry_ids: Collection[EntryId]) -> None:
        """Take back entries that were never sent."""
        ...

    async def next_at(self, sources: Collection[SourceName]) -> datetime | None:
        """The earliest instant at which an entry of these sources is due, if none of them is paused."""
        ...

    async def counts(self) -> Mapping[str, int]:
        """By state; `settled` counts all that ever were."""
        ...

    async def gates(self, key: TitleKey) -> Mapping[str, Gate]: ...

    async def save_gates(self, gates: Sequence[Gate]) -> None: ...


class Controls(Protocol):
    """What the operator and the service keep beside the data."""

    async def slots(self) -> Mapping[str, float]:
        """Per rate, the theoretical arrival time of its next call, in seconds of the epoch."""
        ...

    async def save_slots(self, slots: Mapping[str, float]) -> None: ...

    async def paused(self) -> Mapping[SourceName, str]:
        """The sources whose delivery rests, with the reason."""
        ...

    async def pause(self, source: SourceName, reason: str) -> None: ...

    async def resume(self, source: SourceName) -> None: ...

    async def ask_refresh(self, keys: Iterable[TitleKey]) -> None:
        """Ask intake to read these titles again."""
        ...

    async def refreshes(self) -> Sequence[TitleKey]: ...

    async def refreshed(self, key: TitleKey) -> None: ...

    async def setting(self, name: str) -> str | None: ...

    async def set_setting(self, name: str, value: str) -> None: ...


class Transaction(Protocol):
    """One critical section of the store: all of it or nothing."""

    @property
    def records(self) -> Records: ...

    @property
    def passes(self) -> Passes: ...

    @property
    def titles(self) -> Titles: ...

    @property
    def changes(self) -> ChangeLog: ...

    @property
    def orders(self) -> Orders: ...

    @property
    def outbox(self) -> Outbox: ...

    @property
    def controls(self) -> Controls: ...


class Store(Protocol):
    """The durable state of one engine."""

    @property
    def identity(self) -> StoreIdentity: ...

    def transaction(self, urgency: Urgency) -> AbstractAsyncContextManager[Transaction]:
        """One critical section. On return it is durable; an exception inside takes it back and passes through. Once entered it
        is shielded from cancellation at its end, so that it is never half done.
        """
        ...

    async def backup(self, path: str) -> None:
        """Write a consistent copy while the store is in use."""
        ...

    async def aclose(self) -> None: ...
