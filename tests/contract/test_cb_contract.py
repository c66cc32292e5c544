"""CB against what every distributor must do: its audiobooks with the feed, and its e-books."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import replace as changed
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec

from adapters.distributors import cb
from adapters.sandbox.catalogue import TitleRow
from syncengine.domain.delivery import Operation, OperationKind, Outcome, UnknownPolicy
from syncengine.domain.ids import Format, Isbn, SourceName
from syncengine.domain.passes import PassMode
from syncengine.domain.territory import Market
from syncengine.errors import SourceRefused, SourceUnreachable
from syncengine.ports import Distributor, SourceSettings, World
from tests.contract.distributor_suite import (
    Desk,
    FeedContract,
    LookupContract,
    ProbeContract,
    Profile,
    RulesContract,
    SaleContract,
    close,
    isbns,
    references,
)
from tests.parts import content_of

NL_EUR = Market(country="NL", currency="EUR")


@dataclass(frozen=True)
class Part:
    """CB's folder as a kind of its own: one of its two services, with settings changed."""

    table: str
    changes: Mapping[str, Any]
    Settings = cb.Settings

    def connect(self, name: SourceName, settings: SourceSettings, world: World) -> Distributor:
        assert isinstance(settings, cb.Settings)
        other = "ebooks" if self.table == "luisterhuis" else "luisterhuis"
        table = msgspec.structs.replace(getattr(settings, self.table), **self.changes)
        return cb.connect(name, msgspec.structs.replace(settings, **{self.table: table, other: None}), world)


class _Cb(SaleContract, ProbeContract):
    """What the two services have in common: no price is sent, so that none can be disputed."""

    format = Format("audio")

    def operation(self, desk: Desk, kind: OperationKind, **changes: Any) -> Operation:
        whole = super().operation(desk, kind)
        return changed(whole, **{"key": changed(whole.key, format=self.format), **changes})

    def wrong_secret(self, desk: Desk) -> Distributor:
        (desk.sandbox.directory / "wrong.secret").write_text("wrong-canary-secret")
        kind = desk.profile.kind
        assert isinstance(kind, Part)
        wrong = changed(kind, changes={**kind.changes, "secret_file": "wrong.secret"})
        return wrong.connect(desk.name, desk.settings, desk.world)

    async def test_another_price_is_disputed(self, desk):
        """It cannot be: the price is no part of the question (contract cb 2.4, 8.1)."""
        self.put_title(desk)
        operation = self.operation(desk, OperationKind.PROBE)
        cheaper = changed(operation, amount=Decimal("0.01"))
        assert desk.calls.prepare(operation) == desk.calls.prepare(cheaper)
        assert (await desk.make(cheaper)).outcome is Outcome.ACCEPTED

    def test_nothing_is_declared_or_taken_back(self, desk):
        assert desk.calls.operations == {OperationKind.PROBE, OperationKind.SALE}


class TestAudiobooks(FeedContract, RulesContract, _Cb):
    profile = Profile(
        kind=Part("luisterhuis", {"page_size": 20}),
        kind_name="cb",
        stub_settings={"duplicate": "error"},
        unknown_account={},
        secret_key="luisterhuis",
        secret_file="cb.luisterhuis",
        feed_endpoint="feed",
        sale_endpoint="order",
        market=NL_EUR,
        title_edit={"format": "audio"},
    )

    async def test_an_unknown_account_is_refused(self, desk):
        table = msgspec.structs.replace(desk.settings.luisterhuis, username="nobody")
        stranger = desk.connect(luisterhuis=table)
        steps, error = await desk.read(distributor=stranger)
        await close(stranger)
        assert isinstance(error, SourceRefused)
        assert error.hint
        assert not steps

    async def test_an_interrupted_pass_goes_on_where_it_was_committed(self, desk):
        """It does not: the list may have moved, so that the cursor is kept only at the end (contract cb 3.3, 3.4)."""
        desk.break_endpoint(self.profile.feed_endpoint, drop_before={"skip": 2})
        begun, error = await desk.read()
        assert isinstance(error, SourceUnreachable)
        assert error.hint
        assert begun
        assert {step.cursor for step in begun} == {None}
        desk.mend()
        again, error = await desk.read()
        assert error is None
        assert references(begun) <= references(again)
        assert self.audiobooks(desk) <= isbns(again)

    async def test_a_single_title(self, desk):
        """There is no such call; what the availability check says stands in for it, as a row of the inventory."""
        self.put_title(desk)
        source = desk.distributor.source
        (stream, part), *others = (await source.read_one(self.isbn)).items()
        assert (stream, []) == ("inventory", others)
        assert f"<Ean>{self.isbn}</Ean>".encode() in await content_of(part)
        assert await source.read_one(Isbn("9782000099993")) == {}

    async def test_a_full_pass_tells_every_title_and_ends(self, desk):
        steps, error = await desk.read()
        assert error is None
        assert not steps[-1].name, "the end comes last"
        assert len(steps) > 3, "a catalogue has several pages"
        assert self.audiobooks(desk) <= isbns(steps)
        stream = desk.distributor.source.streams[0]
        assert desk.distributor.source.plan(stream, None, None, desk.clock.now()).mode is PassMode.FULL

    async def test_a_torn_page_is_read_again(self, desk):
        desk.break_endpoint(self.profile.feed_endpoint, torn={"count": 1, "skip": 1})
        steps, error = await desk.read()
        assert error is None
        assert self.audiobooks(desk) <= isbns(steps)
        assert desk.clock.slept

    async def test_a_refused_rate_slows_down(self, desk):
        desk.break_endpoint(self.profile.feed_endpoint, throttle={"count": 1, "retry_after": "7"})
        steps, error = await desk.read()
        assert error is None
        assert self.audiobooks(desk) <= isbns(steps)
        ((_, until),) = desk.pace.slowed
        assert until == desk.clock.now() + timedelta(seconds=7)

    def test_an_unknown_outcome_is_set_aside(self, desk):
        sale = self.operation(desk, OperationKind.SALE)
        assert desk.calls.unknown_policy(sale) is UnknownPolicy.PARK

    def rows(self, desk: Desk) -> Iterator[TitleRow]:
        """E-books come by files, which this account has none of."""
        return (row for row in desk.sandbox.titles() if row.format == "audio")

    @staticmethod
    def audiobooks(desk: Desk) -> frozenset[str]:
        """What the stub tells by this feed; the e-books come by files."""
        return frozenset(row.isbn for row in desk.sandbox.titles() if row.format == "audio")


class TestEbooks(_Cb, LookupContract):
    format = Format("epub")
    profile = Profile(
        kind=Part("ebooks", {}),
        kind_name="cb",
        unknown_account={},
        secret_key="ebooks",
        secret_file="cb.ebooks",
        feed_endpoint="feed",
        sale_endpoint="placeorder",
        market=NL_EUR,
        title_edit={"format": "epub"},
    )

    async def test_a_sale_is_recorded_as_it_was_decided(self, desk):
        """The customer is none of CB's business (contract cb 8.1)."""
        self.put_title(desk)
        verdict = await desk.make(self.operation(desk, OperationKind.SALE))
        assert verdict.outcome is Outcome.ACCEPTED
        (row,) = desk.ledger("sale")
        assert (row.isbn, row.reference, row.customer_id) == (self.isbn, "T-0001", None)
        assert verdict.proof == row.response

    async def test_the_same_request_again_sells_nothing_twice(self, desk):
        """A used reference is an error, and what it stands for is looked up, whoever used it (contract cb 6)."""
        self.put_title(desk)
        operation = self.operation(desk, OperationKind.SALE)
        request = desk.calls.prepare(operation)
        await desk.sent(request, operation)
        for sent_before in (True, False):
            _, again = await desk.sent(request, operation, sent_before=sent_before)
            assert again.outcome is Outcome.UNKNOWN
        assert (await desk.look_up(operation)).outcome is Outcome.ALREADY_DONE
        assert len(desk.ledger("sale")) == 1


class TestEbooksLegacy(TestEbooks):
    """The same in the older style: two headers, and every error with status 200 (contract cb 1.3, 8.2)."""

    profile = changed(
        TestEbooks.profile,
        kind=Part("ebooks", {"authentication": "headers", "username": "winkel", "secret_file": "cb.ebooks.password"}),
        stub_settings={"style": "legacy"},
        secret_file="cb.ebooks.password",
    )
