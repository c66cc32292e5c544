"""Bokbasen's calls against its stub: what goes beyond the contract of every distributor."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from adapters.distributors import bokbasen
from adapters.distributors.bokbasen.accounts import ConsumerAccounts
from adapters.distributors.bokbasen.sandbox import BokbasenStub
from syncengine.domain.delivery import OperationKind, Outcome, UnknownPolicy
from syncengine.domain.ids import CustomerId, Format, Isbn, OrderId, SourceName, TitleKey
from syncengine.domain.offer import OfferState
from syncengine.domain.order import Order, OrderRequest, OrderState
from syncengine.errors import SettingsInvalid, SourceFailed, SourceRefused, SourceUnreachable, UsageInvalid
from tests.clock import START
from tests.contract.distributor_suite import Desk, DistributorContract, close
from tests.contract.test_bokbasen_contract import CONSUMER, BokbasenDesk

PROBE, SALE = OperationKind.PROBE, OperationKind.SALE


def stub_of(desk: Desk) -> BokbasenStub:
    (stub,) = desk.sandbox.stubs.values()
    assert isinstance(stub, BokbasenStub)
    return stub


class TestOrders(BokbasenDesk, DistributorContract):
    async def test_the_ledger_shows_what_was_meant(self, desk):
        self.put_title(desk)
        await desk.make(self.operation(desk, SALE))
        (row,) = desk.ledger("sale")
        assert ("19.99", "NOK", "NO", "SDRM", "epub") == (
            row.amount,
            row.currency,
            row.country,
            row.protection,
            row.format,
        )

    async def test_the_proof_opens_the_content(self, desk):
        self.put_title(desk)
        verdict = await desk.make(self.operation(desk, SALE))
        (row,) = desk.ledger("sale")
        assert row.response.endswith(f"/dds/content/v1/{verdict.proof}")

    @pytest.mark.parametrize(
        ("mode", "again", "stranger"),
        [
            ("400", Outcome.ALREADY_DONE, Outcome.UNKNOWN),
            ("409", Outcome.ALREADY_DONE, Outcome.UNKNOWN),
            ("201", Outcome.ACCEPTED, Outcome.ACCEPTED),
        ],
    )
    async def test_a_repeated_orderid_in_every_mode(self, desk, mode, again, stranger):
        """In mode 201 the answer to a repeat is that of a sale, with the earlier fulfilment: nothing is sold twice in any."""
        self.put_title(desk)
        desk.sandbox.set_faults({desk.name: {"settings": {"duplicate": mode}}})
        operation = self.operation(desk, SALE)
        first = await desk.make(operation)
        assert again is (await desk.make(operation, sent_before=True)).outcome
        late = await desk.make(operation)
        assert stranger is late.outcome
        assert late.proof in {None, first.proof}
        assert 1 == len(desk.ledger("sale"))

    @pytest.mark.parametrize("mode", ["400", "409", "201"])
    async def test_another_book_under_the_same_orderid_is_never_a_success(self, desk, mode):
        self.put_title(desk)
        other = Isbn(stub_of(desk).scenarios["row_12_on_sale"])
        desk.sandbox.set_faults({desk.name: {"settings": {"duplicate": mode}}})
        operation = self.operation(desk, SALE)
        await desk.make(operation)
        key = replace(operation.key, isbn=other)
        terms = {"resid": stub_of(desk).resource_of(other) or "", "drm": "SDRM"}
        verdict = await desk.make(replace(operation, key=key, terms=terms))
        assert Outcome.UNKNOWN is verdict.outcome
        assert 1 == len(desk.ledger("sale"))

    @pytest.mark.parametrize("mode", ["400", "409", "201"])
    async def test_a_lost_answer_and_the_same_request_again(self, desk, mode):
        """Contract 6.2: the same body under the same orderid."""
        self.put_title(desk)
        desk.sandbox.set_faults({desk.name: {"settings": {"duplicate": mode}}})
        patient = desk.connect(unknown_outcome="resend")
        assert patient.calls is not None
        assert UnknownPolicy.RESEND is patient.calls.unknown_policy(self.operation(desk, SALE))
        desk.break_endpoint("sale", drop_after=1)
        operation = self.operation(desk, SALE)
        request = desk.calls.prepare(operation)
        assert Outcome.UNKNOWN is (await desk.sent(request, operation))[1].outcome
        receipt = await patient.calls.send(request)
        verdict = patient.calls.read(operation, receipt, sent_before=True)
        await close(patient)
        assert verdict.outcome in {Outcome.ACCEPTED, Outcome.ALREADY_DONE}
        assert 1 == len(desk.ledger("sale"))

    async def test_an_order_for_an_earlier_file_version(self, desk):
        """The look-up notices it, and the stub in its strict mode refuses it."""
        self.put_title(desk)
        desk.sandbox.set_faults({desk.name: {"settings": {"strict_resid": True}}})
        probe, sale = self.operation(desk, PROBE), self.operation(desk, SALE)
        self.put_title(desk, new_version=True)
        asked = await desk.make(probe)
        assert (Outcome.STALE_FACTS, "replaced by version 2") == (asked.outcome, asked.word)
        refused = await desk.make(sale)
        assert (Outcome.STALE_FACTS, "RESOURCE_REPLACED") == (refused.outcome, refused.word)
        assert Outcome.ACCEPTED is (await desk.make(self.operation(desk, SALE))).outcome

    @pytest.mark.parametrize(
        ("edit", "outcome", "word"),
        [
            ({"published": False}, Outcome.NOT_YET, "not published"),
            ({"agreement": False}, Outcome.STALE_FACTS, "no access"),
            ({"state": OfferState.WITHDRAWN, "block": "gone"}, Outcome.STALE_FACTS, "deleted 2026-03-04"),
        ],
    )
    async def test_what_a_look_up_notices(self, desk, edit, outcome, word):
        self.put_title(desk)
        probe = self.operation(desk, PROBE)
        self.put_title(desk, **{"state": OfferState.FOR_SALE, **edit})
        verdict = await desk.make(probe)
        assert (outcome, word) == (verdict.outcome, verdict.word)

    async def test_a_token_that_was_made_invalid_is_renewed_once(self, desk):
        self.put_title(desk)
        await desk.make(self.operation(desk, SALE))
        desk.sandbox.set_faults({desk.name: {"settings": {"token_generation": 1}}})
        verdict = await desk.make(self.operation(desk, SALE, reference="T-0002"))
        assert Outcome.ACCEPTED is verdict.outcome
        assert ["T-0001", "T-0002"] == [row.reference for row in desk.ledger("sale")]
        assert 2 == len([call for call in desk.sandbox.calls if call.endpoint == "token"])

    async def test_one_token_serves_many_calls(self, desk):
        self.put_title(desk)
        for number in range(5):
            await desk.make(self.operation(desk, SALE, reference=f"T-{number}"))
        assert 1 == len([call for call in desk.sandbox.calls if call.endpoint == "token"])

    async def test_a_token_that_is_refused_again_stops(self, desk):
        self.put_title(desk)
        desk.break_endpoint("sale", token_refused=True)
        assert Outcome.UNAUTHORIZED is (await desk.make(self.operation(desk, SALE))).outcome
        assert 2 == len([call for call in desk.sandbox.calls if call.endpoint == "sale"])

    async def test_a_token_of_another_audience_stops(self, desk):
        self.put_title(desk)
        other = desk.connect(dds_audience=desk.settings.audience("metadata"))
        assert other.calls is not None
        operation = self.operation(desk, SALE)
        receipt = await other.calls.send(other.calls.prepare(operation))
        await close(other)
        assert (403, Outcome.UNAUTHORIZED) == (
            receipt.status,
            other.calls.read(operation, receipt, sent_before=False).outcome,
        )

    async def test_an_audience_that_is_not_granted_stops(self, desk):
        other = desk.connect(dds_audience="https://api.bokbasen.io/reporting/")
        assert other.calls is not None
        operation = self.operation(desk, PROBE)
        receipt = await other.calls.send(other.calls.prepare(operation))
        await close(other)
        assert Outcome.UNAUTHORIZED is other.calls.read(operation, receipt, sent_before=False).outcome

    async def test_a_token_asked_for_by_a_form(self, desk):
        self.put_title(desk)
        other = desk.connect(token_encoding="form")
        assert other.calls is not None
        operation = self.operation(desk, SALE)
        receipt = await other.calls.send(other.calls.prepare(operation))
        await close(other)
        assert 201 == receipt.status

    async def test_headers_in_lower_case_carry_the_proof(self, desk):
        self.put_title(desk)
        desk.sandbox.set_faults({desk.name: {"settings": {"lower_case_headers": True}}})
        assert (await desk.make(self.operation(desk, SALE))).proof

    async def test_orders_ahead_that_the_distributor_takes_are_still_held(self, desk):
        """The other mode of the stub: the look-up says that it is not published, and no order leaves."""
        self.put_title(desk, published=False)
        desk.sandbox.set_faults({desk.name: {"settings": {"unpublished": "accept"}}})
        assert Outcome.NOT_YET is (await desk.make(self.operation(desk, PROBE))).outcome

    async def test_a_secret_that_cannot_be_read(self, desk):
        with pytest.raises(SettingsInvalid, match="nowhere"):
            desk.connect(client_secret_file="nowhere")


KEY = TitleKey(source=SourceName("bokbasen"), isbn=DistributorContract.isbn, format=Format("epub"))


class TestDownloads(BokbasenDesk, DistributorContract):
    def order(self, receipt: str | None, **changes: Any) -> Order:
        request = OrderRequest(
            order_id=OrderId("1"),
            source=KEY.source,
            isbn=KEY.isbn,
            format=KEY.format,
            market=self.profile.market,
            customer_id=CustomerId("C-42"),
        )
        placed = Order(
            request=request,
            state=OrderState.PLACED,
            key=KEY,
            received_at=START,
            updated_at=START,
            reference="T-0001",
            receipt=receipt,
        )
        return replace(placed, **changes)

    async def placed(self, desk: Desk, **edit: Any) -> Order:
        self.put_title(desk, **edit)
        verdict = await desk.make(self.operation(desk, SALE))
        return self.order(verdict.proof)

    async def test_a_link_to_the_file(self, desk):
        order = await self.placed(desk)
        link = await desk.calls.download_link(order)
        assert link.startswith("http://localhost:")
        assert [1.0, 1.0] == desk.clock.slept, "two pages say that it is being made"
        assert ["content", "status", "status", "status"] == desk.pace.turns

    async def test_every_link_is_made_afresh(self, desk):
        order = await self.placed(desk)
        assert await desk.calls.download_link(order) != await desk.calls.download_link(order)

    @pytest.mark.parametrize("form", ["json", "wrapped", "xml"])
    async def test_every_form_of_the_status_page(self, desk, form):
        order = await self.placed(desk)
        desk.sandbox.set_faults({desk.name: {"settings": {"status_form": form}}})
        assert "/files/" in await desk.calls.download_link(order)

    async def test_audio_is_asked_for_in_the_wished_form(self, desk):
        order = await self.placed(desk, isbn=self.isbn, format="audio")
        assert "/files/" in await desk.calls.download_link(order)
        asked = [call.query for call in desk.sandbox.calls if call.endpoint == "content"]
        assert ["", "type=audio/vnd.bokbasen.complete-public&bitrate=64"] == asked

    async def test_the_forms_are_wishes(self, desk):
        order = await self.placed(desk, isbn=self.isbn, format="audio")
        zipped = desk.connect(audio_types=("audio/unheard-of", "audio/vnd.bokbasen.zipped-public"))
        assert zipped.calls is not None
        assert await zipped.calls.download_link(order)
        await close(zipped)
        none = desk.connect(audio_types=("audio/unheard-of",))
        assert none.calls is not None
        with pytest.raises(SourceFailed, match="none of the forms"):
            await none.calls.download_link(order)
        await close(none)

    async def test_a_download_that_fails(self, desk):
        order = await self.placed(desk)
        desk.break_endpoint("content", download_failed=1)
        with pytest.raises(SourceFailed, match="contact Bokbasen"):
            await desk.calls.download_link(order)

    async def test_a_download_that_is_never_ready(self, desk):
        order = await self.placed(desk)
        desk.sandbox.set_faults({desk.name: {"settings": {"processing_polls": 10_000, "status_seconds": 86_400}}})
        with pytest.raises(SourceUnreachable, match="still being made"):
            await desk.calls.download_link(order)
        assert 300 <= sum(desk.clock.slept) < 302

    async def test_a_status_page_that_is_gone(self, desk):
        order = await self.placed(desk)
        desk.sandbox.set_faults({desk.name: {"settings": {"processing_polls": 100, "status_seconds": 20}}})
        with pytest.raises(SourceFailed, match="404"):
            await desk.calls.download_link(order)

    async def test_a_status_page_that_nobody_can_read(self, desk):
        order = await self.placed(desk)
        desk.break_endpoint("status", unreadable_status=1)
        with pytest.raises(SourceFailed, match="not understood"):
            await desk.calls.download_link(order)

    async def test_content_of_an_order_that_bokbasen_does_not_know(self, desk):
        with pytest.raises(SourceFailed, match="404"):
            await desk.calls.download_link(self.order(CONSUMER))

    async def test_what_was_not_placed_has_no_link(self, desk):
        with pytest.raises(UsageInvalid, match="nothing to download"):
            await desk.calls.download_link(self.order(CONSUMER, state=OrderState.WAITING))

    async def test_a_sale_whose_proof_was_lost_has_no_link(self, desk):
        """A repeat that is answered as a duplicate tells that there is a sale, and not where its content is."""
        with pytest.raises(UsageInvalid, match="was lost") as caught:
            await desk.calls.download_link(self.order(None))
        assert "T-0001" in caught.value.hint

    async def test_a_refused_client_gets_no_link(self, desk):
        order = await self.placed(desk)
        stranger = self.wrong_secret(desk)
        assert stranger.calls is not None
        with pytest.raises(SourceRefused) as caught:
            await stranger.calls.download_link(order)
        await close(stranger)
        assert "canary" not in f"{caught.value!r} {caught.value.hint}"

    async def test_a_distributor_that_is_gone_gives_no_link(self, desk):
        order = await self.placed(desk)
        await desk.sandbox.stop()
        with pytest.raises(SourceUnreachable):
            await desk.calls.download_link(order)


class TestAccounts(BokbasenDesk, DistributorContract):
    def accounts(self, desk: Desk, **changes: Any) -> ConsumerAccounts:
        settings = msgspec.structs.replace(desk.settings, **changes)
        return bokbasen.connect_accounts(desk.name, settings, desk.world)

    async def test_an_account_is_opened_and_its_id_ordered_with(self, desk):
        self.put_title(desk)
        desk.sandbox.set_faults({desk.name: {"settings": {"strict_consumer": True}}})
        accounts = self.accounts(desk)
        assert await accounts.find("kari@example.no") is None
        opened = await accounts.open(email="kari@example.no", first_name="Kari", last_name="Nordmann")
        assert opened == await accounts.find(opened.id) == await accounts.find("kari@example.no")
        await accounts.aclose()
        verdict = await desk.make(self.operation(desk, SALE, consumer_id=opened.id))
        assert Outcome.ACCEPTED is verdict.outcome
        assert opened.id == desk.ledger("sale")[0].customer_id

    async def test_accounts_that_are_refused(self, desk):
        accounts = self.accounts(desk)
        with pytest.raises(UsageInvalid, match="two letters"):
            await accounts.open(email="kari@example.no", first_name="K", last_name="Nordmann")
        with pytest.raises(SourceFailed, match="PARAMETER_ERROR"):
            await accounts.open(email="nobody", first_name="Kari", last_name="Nordmann")
        await accounts.aclose()

    async def test_a_service_that_is_out_of_order(self, desk):
        accounts = self.accounts(desk)
        desk.break_endpoint("account", error_before=1)
        with pytest.raises(SourceFailed, match="500"):
            await accounts.find(CONSUMER)
        desk.break_endpoint("account", drop_before=1)
        with pytest.raises(SourceUnreachable):
            await accounts.find(CONSUMER)
        await accounts.aclose()

    async def test_a_client_without_the_accounts(self, desk):
        accounts = self.accounts(desk, accounts_audience="https://api.bokbasen.io/reporting/")
        with pytest.raises(SourceRefused):
            await accounts.find(CONSUMER)
        await accounts.aclose()


class TestFeeds(BokbasenDesk, DistributorContract):
    async def test_the_inventory_is_a_stream_of_its_own(self, desk):
        source = desk.distributor.source
        stream = source.streams[1]
        plan = source.plan(stream, None, None, desk.clock.now())
        names = [step.name async for step in source.read(stream, plan, None) if hasattr(step, "name")]
        assert [f"inventory page {number}" for number in range(1, len(names) + 1)] == names
        assert len(names) > 4

    @pytest.mark.parametrize("version", ["v2", "v3"])
    async def test_every_version_of_the_export(self, desk, version):
        other = desk.connect(onix_version=version)
        steps, error = await desk.read(distributor=other)
        await close(other)
        assert error is None
        assert desk.told() <= frozenset[str]().union(*(step.isbns for step in steps))

    async def test_a_version_that_is_switched_off_is_told(self, desk):
        other = desk.connect(onix_version="v1")
        _, error = await desk.read(distributor=other)
        await close(other)
        assert isinstance(error, SourceRefused)
        assert "switched off" in error.hint

    async def test_a_subscription_that_was_not_agreed_on(self, desk):
        other = desk.connect(subscription="school")
        _, error = await desk.read(distributor=other)
        await close(other)
        assert isinstance(error, SourceRefused)

    async def test_pages_that_are_too_large_are_halved(self, desk):
        desk.sandbox.set_faults({desk.name: {"settings": {"onix_page": 1000, "largest_onix_page": 40}}})
        steps, error = await desk.read()
        assert error is None
        assert desk.told() <= frozenset[str]().union(*(step.isbns for step in steps))
        sizes = [call.query.rpartition("pagesize=")[2].partition("&")[0] for call in desk.sandbox.calls]
        assert ["500", "250", "125", "62", "31"] == list(dict.fromkeys(size for size in sizes if size.isdecimal()))

    async def test_the_account_is_checked_at_both_feeds(self, desk):
        await desk.distributor.source.check_account()
        assert ["metadata", "inventory"] == [call.endpoint for call in desk.sandbox.calls if call.endpoint != "token"]

    async def test_half_a_price_is_never_lost(self, desk):
        self.put_title(desk, price="0.50")
        await desk.make(self.operation(desk, SALE, paid=Decimal("0.5")))
        assert "0.50" == desk.ledger("sale")[0].amount
