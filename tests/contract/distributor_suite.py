"""What every distributor's folder must do, run against its own stub.

A distributor's test states its `Profile` and takes the classes for what it has: `FeedContract`, `RulesContract` and
`SaleContract` always, `ProbeContract` (or `PricedProbeContract`), `LookupContract`, `DeclarationContract` and `RefundContract`
where there is such a call. Everything here goes through the ports and the sandbox's own steering.
"""

from __future__ import annotations

import importlib
import re
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, cast

import msgspec
import pytest

from adapters.sandbox.catalogue import InSeconds, TitleEdit, TitleRow
from adapters.sandbox.ledger import LedgerRow
from adapters.sandbox.server import Sandbox
from syncengine.domain.delivery import Operation, OperationKind, Outcome, Receipt, Request, UnknownPolicy, Verdict
from syncengine.domain.frame import FrameIndex
from syncengine.domain.ids import Format, Isbn, RecordReference, SourceName, TitleKey
from syncengine.domain.offer import Offer, OfferState
from syncengine.domain.passes import PassMode
from syncengine.domain.product import Product, ProductIdentifier
from syncengine.domain.rows import Rows
from syncengine.domain.territory import Market
from syncengine.domain.title import Title
from syncengine.errors import SourceFailed, SourceRefused, SourceUnreachable
from syncengine.onix.framing import Framer
from syncengine.onix.parsing import parse
from syncengine.ports import Calls, Distributor, DistributorKind, Part, PassEnd, SourceSettings, World
from syncengine.settings import load
from tests.clock import JumpClock
from tests.pace import FreePace
from tests.parts import content_of
from tests.values import replace

TITLE_COUNT = 130
_IDENTIFIER = re.compile(rb"<(?:IDValue|b244)>\s*(\d{13})\s*<")
_REFERENCE = re.compile(rb"<(?:RecordReference|a001)>\s*([^<]+?)\s*<")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One part of a pass as it was read; the end has no name."""

    name: str
    isbns: frozenset[str] = frozenset()
    """Every number of 13 digits that identifies something; of more than the titles themselves."""
    references: frozenset[str] = frozenset()
    cursor: bytes | None


@dataclass
class Desk:
    """One configured account and its stub."""

    profile: Profile
    settings: SourceSettings
    sandbox: Sandbox
    world: World
    clock: JumpClock
    pace: FreePace
    distributor: Distributor
    _records: dict[tuple[Isbn, Format], dict[RecordReference, Product]] = field(
        default_factory=lambda: defaultdict(dict)
    )

    @property
    def name(self) -> SourceName:
        """The account's name, which is the stub's too."""
        return self.distributor.source.name

    @property
    def calls(self) -> Calls:
        """Its calls; every distributor of this suite has them."""
        assert self.distributor.calls is not None
        return self.distributor.calls

    def connect(self, **changes: Any) -> Distributor:
        """Another account, the settings changed."""
        settings = msgspec.structs.replace(self.settings, **changes)
        return self.profile.kind.connect(self.name, settings, self.world)

    def mend(self) -> None:
        """Take all faults away."""
        self.sandbox.clear_faults()
        self.sandbox.set_faults({self.name: {"settings": self.profile.stub_settings}})

    def break_endpoint(self, endpoint: str, **faults: Any) -> None:
        """Set faults of one endpoint class."""
        self.sandbox.set_faults({self.name: {endpoint: faults}})

    def ledger(self, kind: str) -> list[LedgerRow]:
        """What took effect at the stub."""
        return self.sandbox.ledger.rows(distributor=self.name, kind=kind)

    def told(self) -> frozenset[str]:
        """The ISBNs of all titles the stub sells at retail."""
        return frozenset(row.isbn for row in self.sandbox.titles() if row.distributor == self.name)

    async def read(
        self, cursor: bytes | None = None, wanted: PassMode | None = None, distributor: Distributor | None = None
    ) -> tuple[list[Step], SourceFailed | None]:
        """One pass of the first stream: its steps, and the error that ended it before its end."""
        source = (distributor or self.distributor).source
        stream = source.streams[0]
        plan = source.plan(stream, cursor, wanted, self.clock.now())
        steps: list[Step] = []
        # The port promises an iterator; sources are generators, which a pass closes when it stops early.
        passing = cast("AsyncGenerator[Part | PassEnd, None]", source.read(stream, plan, cursor))
        async with aclosing(passing):
            try:
                async for step in passing:
                    if isinstance(step, PassEnd):
                        steps.append(Step(name="", cursor=step.cursor))
                    else:
                        content = await content_of(step)
                        steps.append(
                            Step(
                                name=step.name,
                                isbns=_found(_IDENTIFIER, content),
                                references=_found(_REFERENCE, content),
                                cursor=step.cursor,
                            )
                        )
            except SourceFailed as error:
                return steps, error
        return steps, None

    async def title(self, row: TitleRow) -> Title:
        """What whole passes of all streams tell of one of the stub's titles, as rules see it."""
        source, rules = self.distributor.source, self.distributor.rules
        if not self._records:
            for stream in source.streams:
                plan = source.plan(stream, None, PassMode.FULL, self.clock.now())
                async for step in source.read(stream, plan, None):
                    if not isinstance(step, PassEnd):
                        for product in products(await content_of(step), source.rows(stream)):
                            if named := rules.identify(product):
                                self._records[named][product.reference] = product
        key = TitleKey(source=self.name, isbn=Isbn(row.isbn), format=Format(row.format))
        of_format, of_isbn = self._records[key.isbn, key.format], self._records[key.isbn, Format("")]
        return Title(key=key, records=(*of_format.values(), *of_isbn.values()))

    async def make(self, operation: Operation, *, sent_before: bool = False) -> Verdict:
        """Prepare, send and read one call."""
        return (await self.sent(self.calls.prepare(operation), operation, sent_before=sent_before))[1]

    async def sent(
        self, request: Request, operation: Operation, *, sent_before: bool = False
    ) -> tuple[Receipt, Verdict]:
        """Send a request as it was frozen."""
        receipt = await self.calls.send(request)
        return receipt, self.calls.read(operation, receipt, sent_before=sent_before)

    async def look_up(self, operation: Operation) -> Verdict:
        """Ask whether the operation took effect."""
        receipt = await self.calls.send(self.calls.prepare_lookup(operation))
        return self.calls.read_lookup(operation, receipt)


def _found(pattern: re.Pattern[bytes], content: bytes) -> frozenset[str]:
    return frozenset(match.decode() for match in pattern.findall(content))


def products(body: bytes, rows: Rows | None) -> Iterator[Product]:
    """The records of a message, as the engine reads them."""
    framer = Framer(seed=1, index=FrameIndex(), rows=rows)
    frames = [*framer.feed(body).frames, *framer.close().frames]
    assert framer.context is not None
    for frame in frames:
        yield parse(frame.body, framer.context).product


def isbns(steps: list[Step]) -> frozenset[str]:
    return frozenset[str]().union(*(step.isbns for step in steps))


def references(steps: list[Step]) -> frozenset[str]:
    return frozenset[str]().union(*(step.references for step in steps))


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What differs between distributors.

    `kind` is the folder, and `kind_name` its name, by which its stub is found; `stub_settings` is how the stub is to behave
    throughout: pages so small that its first stream has several; `unknown_account` the settings of an account the distributor does not
    know; `secret_key` the setting that names the secret's file, `secret_file` that file in the sandbox's folder; `feed_endpoint` and
    `sale_endpoint` what the stub's routes call the first stream and the sale; `title_edit` what a new title at the stub needs besides
    ISBN, market, price and state; `sale_terms` what an operation on it needs besides the price; `customer_in_ledger` whom the
    distributor knows as the buyer.
    """

    kind: DistributorKind
    kind_name: str
    unknown_account: Mapping[str, Any]
    secret_key: str
    secret_file: str
    feed_endpoint: str
    sale_endpoint: str
    stub_settings: Mapping[str, Any] = field(default_factory=dict)
    market: Market = field(default_factory=lambda: Market(country="CA", currency="CAD"))
    title_edit: Mapping[str, Any] = field(default_factory=dict)
    sale_terms: Mapping[str, Any] = field(default_factory=dict)
    customer_in_ledger: str = "C-42"


class DistributorContract:
    """What the classes below share: the profile a distributor's test sets, the desk, and operations on a title of its own."""

    profile: ClassVar[Profile]

    isbn = Isbn("9782000000006")
    price = Decimal("19.99")

    @pytest.fixture
    async def desk(self, tmp_path: Path) -> AsyncIterator[Desk]:
        profile, clock, pace = self.profile, JumpClock(auto=True), FreePace()
        stub = importlib.import_module(f"adapters.distributors.{profile.kind_name}.sandbox").STUB
        sandbox = Sandbox(seed=7, titles=TITLE_COUNT, directory=tmp_path, stubs=[stub], clock=clock)
        await sandbox.start()
        (name,) = sandbox.stubs
        settings = load(sandbox.settings_path, {profile.kind_name: profile.kind.Settings}).sources[name]
        world = World(clock=clock, pace=pace, directory=tmp_path)
        distributor = profile.kind.connect(SourceName(name), settings, world)
        desk = Desk(
            profile=profile,
            settings=settings,
            sandbox=sandbox,
            world=world,
            clock=clock,
            pace=pace,
            distributor=distributor,
        )
        desk.mend()
        clock.advance(timedelta(days=2).total_seconds())
        try:
            yield desk
        finally:
            await close(distributor)
            await sandbox.stop()

    def put_title(self, desk: Desk, **changes: Any) -> None:
        """Add a title of known price to the stub, for sale unless the changes say otherwise."""
        edit = {
            "isbn": self.isbn,
            "market": str(self.profile.market),
            "price": str(self.price),
            "state": OfferState.FOR_SALE,
            **self.profile.title_edit,
            **changes,
        }
        desk.sandbox.edit([TitleEdit(**edit)])

    def operation(self, desk: Desk, kind: OperationKind, **changes: Any) -> Operation:
        """An operation on that title."""
        whole = Operation(
            kind=kind,
            key=TitleKey(source=desk.name, isbn=self.isbn, format=Format("epub")),
            market=self.profile.market,
            reference="T-0001",
            customer_id="C-42",
            amount=self.price,
            **self.profile.sale_terms,
        )
        return replace(whole, **changes)

    def wrong_secret(self, desk: Desk) -> Distributor:
        """The same account with a secret that is not accepted."""
        (desk.sandbox.directory / "wrong.secret").write_text("wrong-canary-secret")
        return desk.connect(**{self.profile.secret_key: "wrong.secret"})


async def close(distributor: Distributor) -> None:
    await distributor.source.aclose()
    if distributor.calls is not None:
        await distributor.calls.aclose()


class FeedContract(DistributorContract):
    """The feed: full, delta, going on, and what stops it."""

    async def test_a_full_pass_tells_every_title_and_ends(self, desk):
        steps, error = await desk.read()
        assert error is None
        assert not steps[-1].name, "the end comes last"
        assert len(steps) > 3, "a catalogue has several pages"
        assert desk.told() <= isbns(steps)
        stream = desk.distributor.source.streams[0]
        assert desk.distributor.source.plan(stream, None, None, desk.clock.now()).mode is PassMode.FULL

    async def test_a_delta_after_a_change_tells_it_and_little_else(self, desk):
        steps, _ = await desk.read()
        desk.clock.advance(timedelta(hours=2).total_seconds())
        self.put_title(desk)
        desk.clock.advance(60)
        stream = desk.distributor.source.streams[0]
        plan = desk.distributor.source.plan(stream, steps[-1].cursor, None, desk.clock.now())
        assert plan.mode is PassMode.DELTA
        changes, error = await desk.read(steps[-1].cursor)
        assert error is None
        assert self.isbn in isbns(changes)
        assert len(references(changes)) < len(references(steps)) / 2

    async def test_a_change_between_two_deltas_is_told_once_its_cursor_is_behind(self, desk):
        """A cursor never moves past what it has not told: reading twice from the same one tells the same."""
        steps, _ = await desk.read()
        desk.clock.advance(timedelta(hours=2).total_seconds())
        self.put_title(desk)
        first, _ = await desk.read(steps[-1].cursor)
        again, _ = await desk.read(steps[-1].cursor)
        assert self.isbn in isbns(first)
        assert isbns(first) == isbns(again)

    async def test_no_change_is_a_complete_pass(self, desk):
        steps, _ = await desk.read()
        desk.clock.advance(timedelta(hours=2).total_seconds())
        changes, error = await desk.read(steps[-1].cursor)
        assert error is None
        assert not changes[-1].name

    async def test_an_interrupted_pass_goes_on_where_it_was_committed(self, desk):
        desk.break_endpoint(self.profile.feed_endpoint, drop_before={"skip": 2})
        begun, error = await desk.read()
        assert isinstance(error, SourceUnreachable)
        assert error.hint
        committed = [step for step in begun if step.cursor is not None]
        assert committed
        desk.mend()
        stream = desk.distributor.source.streams[0]
        assert desk.distributor.source.plan(stream, committed[-1].cursor, None, desk.clock.now()).resumes
        rest, error = await desk.read(committed[-1].cursor)
        assert error is None
        assert not rest[-1].name
        assert desk.told() <= isbns(begun) | isbns(rest)
        assert not references(begun[:1]) & references(rest), "what was committed is not read again"

    async def test_a_torn_page_is_read_again(self, desk):
        desk.break_endpoint(self.profile.feed_endpoint, torn={"count": 1, "skip": 1})
        steps, error = await desk.read()
        assert error is None
        assert desk.told() <= isbns(steps)
        assert desk.clock.slept

    async def test_a_login_page_is_no_feed(self, desk):
        desk.break_endpoint(self.profile.feed_endpoint, login_page=True)
        steps, error = await desk.read()
        assert isinstance(error, SourceFailed)
        assert error.hint
        assert not steps

    async def test_a_refused_rate_slows_down(self, desk):
        desk.break_endpoint(self.profile.feed_endpoint, throttle={"count": 1, "retry_after": "7"})
        steps, error = await desk.read()
        assert error is None
        assert desk.told() <= isbns(steps)
        ((_, until),) = desk.pace.slowed
        assert until == desk.clock.now() + timedelta(seconds=7)

    async def test_an_unknown_account_is_refused(self, desk):
        stranger = desk.connect(**self.profile.unknown_account)
        steps, error = await desk.read(distributor=stranger)
        with pytest.raises(SourceRefused):
            await stranger.source.check_account()
        await close(stranger)
        assert isinstance(error, SourceRefused)
        assert error.hint
        assert not steps

    async def test_the_account_it_has_is_known(self, desk):
        await desk.distributor.source.check_account()

    async def test_a_wrong_secret_is_refused_and_not_told(self, desk):
        stranger = self.wrong_secret(desk)
        steps, error = await desk.read(distributor=stranger)
        with pytest.raises(SourceRefused):
            await stranger.source.check_account()
        await close(stranger)
        assert isinstance(error, SourceRefused)
        assert not steps
        assert "canary" not in f"{error!r} {error.hint} {stranger!r}"

    async def test_a_distributor_that_is_gone_is_unreachable(self, desk):
        await desk.sandbox.stop()
        steps, error = await desk.read()
        assert isinstance(error, SourceUnreachable)
        assert not steps

    async def test_a_single_title(self, desk):
        """In the stream or streams that it is read from."""
        self.put_title(desk)
        parts = await desk.distributor.source.read_one(self.isbn)
        assert parts
        assert set(desk.distributor.source.streams) >= parts.keys()
        assert all([self.isbn.encode() in await content_of(part) for part in parts.values()])
        assert {} == await desk.distributor.source.read_one(Isbn("9782000099993"))

    async def test_a_full_pass_is_due_after_so_much_time_as_the_settings_say(self, desk):
        steps, _ = await desk.read()
        patient = desk.connect(full_every=timedelta(days=3))
        stream, later = patient.source.streams[0], desk.clock.now() + timedelta(days=4)
        assert patient.source.plan(stream, steps[-1].cursor, None, later).mode is PassMode.FULL
        assert patient.source.plan(stream, steps[-1].cursor, None, desk.clock.now()).mode is PassMode.DELTA
        await close(patient)

    async def test_every_rate_it_waits_for_can_be_set(self, desk):
        self.put_title(desk)
        await desk.read()
        await desk.distributor.source.read_one(self.isbn)
        await desk.distributor.source.check_account()
        asked = {desk.calls.prepare(self.operation(desk, kind)).limit for kind in desk.calls.operations}
        assert {*desk.pace.turns, *asked} <= desk.settings.endpoint_classes


class RulesContract(DistributorContract):
    """The rules: they sell what the stub sells, and nothing that they are not told of."""

    async def test_what_the_stub_sells_is_for_sale_and_nothing_else(self, desk):
        """By whole passes of every stream, through the engine's own reading."""
        rules, now = desk.distributor.rules, desk.clock.now()
        wrong = []
        sold_count = 0
        for row in self.rows(desk):
            market = Market.parse(row.market)
            if market not in rules.markets:
                continue
            offer = rules.offer(await desk.title(row), market, now)
            assert OperationKind.PROBE in desk.calls.operations or not offer.check_first, "there is nobody to ask"
            sold_count += offer.accepts_orders
            if offer.accepts_orders is not (row.state is OfferState.FOR_SALE):
                wrong.append((row, offer.rules))
        assert [] == wrong
        assert sold_count

    async def test_what_nobody_tells_of_is_not_sold(self, desk):
        title = Title(key=self.operation(desk, OperationKind.SALE).key)
        for known in (title, replace(title, was_removed=True)):
            assert_not_sold(desk, known)

    async def test_a_record_that_says_nothing_is_not_sold(self, desk):
        key = self.operation(desk, OperationKind.SALE).key
        identifiers = (ProductIdentifier(type="15", value=self.isbn),)
        bare = Product(reference=RecordReference("r1"), notification_type="03", identifiers=identifiers)
        row = replace(bare, reference=RecordReference("rows:r1"), row=(("x", ""),))
        for records in ((bare,), (row,), (bare, row)):
            assert_not_sold(desk, Title(key=key, records=records))

    async def test_a_title_before_its_release_is_not_for_sale_and_the_trail_says_why(self, desk):
        """The instant of a change is told where the feed tells it, and never one that has passed."""
        self.put_title(desk, state=OfferState.PREORDER, release_at=InSeconds(3600))
        (row,) = (row for row in self.rows(desk) if row.isbn == self.isbn and row.market == str(self.profile.market))
        title, rules, now = await desk.title(row), desk.distributor.rules, desk.clock.now()
        before = rules.offer(title, self.profile.market, now)
        assert not before.accepts_orders
        assert before.rules
        assert before.next_change_at is None or now < before.next_change_at

    def rows(self, desk: Desk) -> Iterator[TitleRow]:
        """What the stub tells of by the streams."""
        yield from desk.sandbox.titles()


def assert_not_sold(desk: Desk, title: Title) -> None:
    rules = desk.distributor.rules
    offers: list[Offer] = [rules.offer(title, market, desk.clock.now()) for market in rules.markets]
    assert offers
    assert [] == [offer for offer in offers if offer.accepts_orders or offer.accepts_preorders]


class SaleContract(DistributorContract):
    """The sale: made once, whatever happens to its answer."""

    async def test_a_sale_is_recorded_as_it_was_decided(self, desk):
        self.put_title(desk)
        verdict = await desk.make(self.operation(desk, OperationKind.SALE))
        assert verdict.outcome is Outcome.ACCEPTED
        (row,) = desk.ledger("sale")
        assert (row.isbn, row.reference, row.customer_id) == (self.isbn, "T-0001", self.profile.customer_in_ledger)

    async def test_requests_are_deterministic_and_carry_no_secret(self, desk):
        secret = (desk.sandbox.directory / self.profile.secret_file).read_text().strip()
        for kind in desk.calls.operations:
            operation = self.operation(desk, kind)
            assert desk.calls.prepare(operation) == desk.calls.prepare(operation)
            assert secret not in repr(desk.calls.prepare(operation))

    async def test_the_same_request_again_sells_nothing_twice(self, desk):
        self.put_title(desk)
        operation = self.operation(desk, OperationKind.SALE)
        request = desk.calls.prepare(operation)
        await desk.sent(request, operation)
        _, again = await desk.sent(request, operation, sent_before=True)
        assert again.outcome is Outcome.ALREADY_DONE
        _, stranger = await desk.sent(request, operation, sent_before=False)
        assert stranger.outcome in {Outcome.UNKNOWN, Outcome.ALREADY_DONE}
        assert len(desk.ledger("sale")) == 1

    @pytest.mark.parametrize("fault", ["drop_after", "error_after", "torn", "garbage"])
    async def test_a_lost_answer_is_never_a_refusal(self, desk, fault):
        """The sale took effect; nothing may say that it did not."""
        self.put_title(desk)
        desk.break_endpoint(self.profile.sale_endpoint, **{fault: 1})
        verdict = await desk.make(self.operation(desk, OperationKind.SALE))
        assert verdict.outcome in {Outcome.UNKNOWN, Outcome.ACCEPTED}
        assert len(desk.ledger("sale")) == 1

    @pytest.mark.parametrize("fault", ["drop_before", "error_before", "unavailable", "login_page"])
    async def test_a_lost_request_is_never_a_success(self, desk, fault):
        self.put_title(desk)
        desk.break_endpoint(self.profile.sale_endpoint, **{fault: 1})
        verdict = await desk.make(self.operation(desk, OperationKind.SALE))
        assert verdict.outcome is Outcome.UNKNOWN
        assert not desk.ledger("sale")

    async def test_a_refused_rate_says_until_when(self, desk):
        self.put_title(desk)
        desk.break_endpoint(self.profile.sale_endpoint, throttle={"count": 1, "retry_after": "30"})
        verdict = await desk.make(self.operation(desk, OperationKind.SALE))
        assert verdict.outcome is Outcome.THROTTLED
        assert verdict.until == desk.clock.now() + timedelta(seconds=30)
        assert not desk.ledger("sale")

    async def test_a_wrong_secret_is_unauthorized(self, desk):
        self.put_title(desk)
        stranger = self.wrong_secret(desk)
        assert stranger.calls is not None
        operation = self.operation(desk, OperationKind.SALE)
        receipt = await stranger.calls.send(stranger.calls.prepare(operation))
        verdict = stranger.calls.read(operation, receipt, sent_before=False)
        await close(stranger)
        assert verdict.outcome is Outcome.UNAUTHORIZED
        assert "canary" not in f"{receipt!r} {verdict!r}"
        assert not desk.ledger("sale")

    async def test_a_distributor_that_is_gone_has_received_nothing(self, desk):
        await desk.sandbox.stop()
        verdict = await desk.make(self.operation(desk, OperationKind.SALE))
        assert verdict.outcome is Outcome.FAILED_BEFORE_SENDING

    async def test_an_unknown_title_is_not_sold(self, desk):
        verdict = await desk.make(self.operation(desk, OperationKind.SALE))
        assert verdict.outcome in {Outcome.REJECTED, Outcome.STALE_FACTS}

    async def test_a_title_before_its_release_is_not_sold(self, desk):
        self.put_title(desk, state=OfferState.PREORDER, release_at=InSeconds(3600))
        verdict = await desk.make(self.operation(desk, OperationKind.SALE))
        assert verdict.outcome in {Outcome.STALE_FACTS, Outcome.NOT_YET}
        desk.clock.advance(3700)
        assert (await desk.make(self.operation(desk, OperationKind.SALE))).outcome is Outcome.ACCEPTED
        assert len(desk.ledger("sale")) == 1

    def test_takes_the_classes_for_what_it_has(self, desk):
        """A distributor with a call must run that call's contract."""
        contracts = {
            OperationKind.PROBE: ProbeContract,
            OperationKind.DECLARATION: DeclarationContract,
            OperationKind.REFUND: RefundContract,
            OperationKind.SALE: SaleContract,
        }
        taken = {kind for kind, contract in contracts.items() if issubclass(type(self), contract)}
        assert taken == desk.calls.operations
        sale = self.operation(desk, OperationKind.SALE)
        looks_up = desk.calls.unknown_policy(sale) is UnknownPolicy.LOOK_UP
        assert isinstance(self, LookupContract) is looks_up


class LookupContract(DistributorContract):
    """The look-up of a sale: the answer to an unknown outcome."""

    async def test_a_sale_whose_answer_was_lost_is_found(self, desk):
        self.put_title(desk)
        desk.break_endpoint(self.profile.sale_endpoint, drop_after=1)
        operation = self.operation(desk, OperationKind.SALE)
        assert (await desk.make(operation)).outcome is Outcome.UNKNOWN
        assert (await desk.look_up(operation)).outcome is Outcome.ALREADY_DONE

    async def test_a_sale_that_never_arrived_is_absent_and_made_again(self, desk):
        self.put_title(desk)
        desk.break_endpoint(self.profile.sale_endpoint, drop_before=1)
        operation = self.operation(desk, OperationKind.SALE)
        request = desk.calls.prepare(operation)
        assert (await desk.sent(request, operation))[1].outcome is Outcome.UNKNOWN
        assert (await desk.look_up(operation)).outcome is Outcome.ABSENT
        assert (await desk.sent(request, operation, sent_before=True))[1].outcome is Outcome.ACCEPTED
        assert len(desk.ledger("sale")) == 1

    async def test_another_customers_sale_is_not_found(self, desk):
        self.put_title(desk)
        operation = self.operation(desk, OperationKind.SALE)
        await desk.make(operation)
        assert (await desk.look_up(replace(operation, reference="T-0002"))).outcome is Outcome.ABSENT

    async def test_a_look_up_that_fails_decides_nothing(self, desk):
        await desk.sandbox.stop()
        verdict = await desk.look_up(self.operation(desk, OperationKind.SALE))
        assert verdict.outcome in {Outcome.FAILED_BEFORE_SENDING, Outcome.UNKNOWN}


class ProbeContract(DistributorContract):
    """The question before a sale: it records nothing."""

    async def test_a_title_for_sale_is_valid_and_nothing_is_recorded(self, desk):
        self.put_title(desk)
        verdict = await desk.make(self.operation(desk, OperationKind.PROBE))
        assert verdict.outcome is Outcome.ACCEPTED
        assert len(desk.sandbox.ledger) == 0

    async def test_a_title_before_its_release_is_not_valid_yet(self, desk):
        self.put_title(desk, state=OfferState.PREORDER, release_at=InSeconds(3600))
        verdict = await desk.make(self.operation(desk, OperationKind.PROBE))
        assert verdict.outcome in {Outcome.STALE_FACTS, Outcome.NOT_YET}
        desk.clock.advance(3700)
        assert (await desk.make(self.operation(desk, OperationKind.PROBE))).outcome is Outcome.ACCEPTED


class PricedProbeContract(ProbeContract):
    """The same of a distributor that checks the price, too."""

    async def test_another_price_is_disputed(self, desk):
        self.put_title(desk)
        verdict = await desk.make(self.operation(desk, OperationKind.PROBE, amount=Decimal("18.99")))
        assert verdict.outcome is Outcome.STALE_FACTS


class DeclarationContract(DistributorContract):
    """The declaration of a preorder."""

    async def test_a_preorder_is_declared_once_however_often_it_is_sent(self, desk):
        self.put_title(desk, state=OfferState.PREORDER, release_at=InSeconds(3600))
        operation = self.operation(desk, OperationKind.DECLARATION)
        request = desk.calls.prepare(operation)
        assert (await desk.sent(request, operation))[1].outcome is Outcome.ACCEPTED
        _, again = await desk.sent(request, operation, sent_before=True)
        assert again.outcome in {Outcome.ACCEPTED, Outcome.ALREADY_DONE}
        (row,) = desk.ledger("preorder")
        assert (row.isbn, row.customer_id) == (self.isbn, "C-42")

    async def test_a_title_that_cannot_be_preordered_is_refused(self, desk):
        self.put_title(desk)
        verdict = await desk.make(self.operation(desk, OperationKind.DECLARATION))
        assert verdict.outcome is Outcome.REJECTED
        assert not desk.ledger("preorder")


class RefundContract(DistributorContract):
    """The refund of a sale."""

    async def test_a_sale_is_refunded_once(self, desk):
        self.put_title(desk)
        await desk.make(self.operation(desk, OperationKind.SALE))
        operation = self.operation(desk, OperationKind.REFUND)
        assert (await desk.make(operation)).outcome is Outcome.ACCEPTED
        assert (await desk.make(operation, sent_before=True)).outcome is Outcome.ALREADY_DONE
        (row,) = desk.ledger("refund")
        assert row.reference == "T-0001"

    async def test_what_was_never_sold_is_not_refunded(self, desk):
        self.put_title(desk)
        verdict = await desk.make(self.operation(desk, OperationKind.REFUND))
        assert verdict.outcome is Outcome.REJECTED
        assert not desk.ledger("refund")
