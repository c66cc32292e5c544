"""De Marque's calls against its stub: what goes beyond the contract of every distributor."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from adapters.distributors import demarque
from adapters.distributors.demarque.calls import DeMarqueCalls, DownloadState
from adapters.sandbox.catalogue import InSeconds
from syncengine.domain.delivery import OperationKind, Outcome
from syncengine.domain.ids import CustomerId, Format, OrderId, SourceName, TitleKey
from syncengine.domain.offer import OfferState
from syncengine.domain.order import Order, OrderRequest, OrderState
from syncengine.errors import SettingsInvalid, SourceFailed, SourceRefused, UsageInvalid
from syncengine.ports import Distributor
from tests.clock import START
from tests.contract.distributor_suite import DistributorContract, close
from tests.contract.test_demarque_contract import TestDeMarque as DeMarque

PROBE, SALE, REFUND = OperationKind.PROBE, OperationKind.SALE, OperationKind.REFUND


KEY = TitleKey(source=SourceName("demarque"), isbn=DistributorContract.isbn, format=Format("epub"))


def calls_of(distributor: Distributor) -> DeMarqueCalls:
    assert isinstance(distributor.calls, DeMarqueCalls)
    return distributor.calls


class TestCalls(DistributorContract):
    profile = DeMarque.profile

    def order(self, **changes: Any) -> Order:
        """The placed order whose sale `self.operation` makes."""
        request = OrderRequest(
            order_id=OrderId("1"),
            source=KEY.source,
            isbn=KEY.isbn,
            format=KEY.format,
            market=self.profile.market,
            customer_id=CustomerId("C-42"),
            first_name="Zoë",
            last_name="O'Hara & Co",
        )
        placed = Order(
            request=request,
            state=OrderState.PLACED,
            key=KEY,
            received_at=START,
            updated_at=START,
            reference="T-0001",
        )
        return replace(placed, **changes)

    @pytest.mark.parametrize("parameters", ["query", "form"])
    async def test_every_call_in_either_form(self, desk, parameters):
        self.put_title(desk)
        other = desk.connect(parameters=parameters)
        calls = calls_of(other)
        for kind, outcome in ((PROBE, Outcome.ACCEPTED), (SALE, Outcome.ACCEPTED), (REFUND, Outcome.ACCEPTED)):
            operation = self.operation(desk, kind, customer_name="Zoë & Co")
            receipt = await calls.send(calls.prepare(operation))
            assert calls.read(operation, receipt, sent_before=False).outcome is outcome
        await close(other)
        sold = [row for row in desk.sandbox.calls if row.endpoint == "sale"]
        assert [bool(row.query) for row in sold] == [parameters == "query"]

    async def test_the_ledger_shows_what_was_meant(self, desk):
        self.put_title(desk)
        await desk.make(self.operation(desk, SALE))
        (row,) = desk.ledger("sale")
        assert (row.amount, row.currency, row.country) == ("19.99", "CAD", "CA")
        assert (row.price_type, row.protection, row.format) == ("02", "watermark", "epub")

    async def test_eden_wants_the_net_price(self, desk):
        self.put_title(desk)
        desk.sandbox.set_faults({desk.name: {"settings": {"eden": True}}})
        operation = self.operation(desk, PROBE, tax_percent=Decimal(5))
        plain = await desk.make(operation)
        assert (plain.outcome, plain.word) == (Outcome.REJECTED, "missing_cost_without_taxes")
        eden = desk.connect(net_prices=True)
        calls = calls_of(eden)
        receipt = await calls.send(calls.prepare(operation))
        await close(eden)
        assert calls.read(operation, receipt, sent_before=False).outcome is Outcome.ACCEPTED

    async def test_basic_log_in(self, desk):
        self.put_title(desk)
        (stub,) = desk.sandbox.stubs.values()
        user = stub.users[0]
        (desk.sandbox.directory / "password").write_text(user.password)
        basic = desk.connect(token_file=None, username=user.name, password_file="password")
        calls = calls_of(basic)
        receipt = await calls.send(calls.prepare(self.operation(desk, PROBE)))
        await close(basic)
        assert (receipt.status, receipt.body) == (200, b"valid")

    async def test_words_in_an_array_and_of_the_old_kind(self, desk):
        self.put_title(desk)
        desk.break_endpoint("simulate", array_words=True, old_words=True)
        verdict = await desk.make(self.operation(desk, PROBE, amount=Decimal(1)))
        assert (verdict.outcome, verdict.word) == (Outcome.STALE_FACTS, "invalid_cost")

    async def test_lcp_is_asked_for_by_two_words(self, desk):
        self.put_title(desk, protection=["03", "06"])
        for protection in ("drm:lcp", "drm:acs", "acs4"):
            verdict = await desk.make(self.operation(desk, PROBE, protection=protection))
            assert verdict.outcome is Outcome.ACCEPTED
        refused = await desk.make(self.operation(desk, PROBE, protection="watermark"))
        assert (refused.outcome, refused.word) == (Outcome.REJECTED, "invalid_protection")

    async def test_a_dead_clock_after_the_release(self, desk):
        """The distributor's clock lags: the sale is disputed, then goes through."""
        self.put_title(desk, state=OfferState.PREORDER, release_at=InSeconds(10))
        desk.sandbox.set_faults({desk.name: {"settings": {"dead_clock": {self.isbn: 30.0}}}})
        desk.clock.advance(15)
        early = await desk.make(self.operation(desk, SALE))
        assert (early.outcome, early.word) == (Outcome.STALE_FACTS, "cannot_sell")
        desk.clock.advance(30)
        assert (await desk.make(self.operation(desk, SALE))).outcome is Outcome.ACCEPTED

    async def test_a_user_without_the_right_to_refund(self, desk):
        self.put_title(desk)
        await desk.make(self.operation(desk, SALE))
        (stub,) = desk.sandbox.stubs.values()
        (desk.sandbox.directory / "till.token").write_text(stub.users[1].token)
        till = desk.connect(token_file="till.token")
        calls = calls_of(till)
        operation = self.operation(desk, REFUND)
        receipt = await calls.send(calls.prepare(operation))
        await close(till)
        verdict = calls.read(operation, receipt, sent_before=False)
        assert verdict.outcome is Outcome.REJECTED
        assert "no right" in verdict.word

    async def test_a_refund_of_another_amount(self, desk):
        self.put_title(desk)
        await desk.make(self.operation(desk, SALE))
        verdict = await desk.make(self.operation(desk, REFUND, amount=Decimal("10.00")))
        assert (verdict.outcome, verdict.word) == (Outcome.REJECTED, "cost_mismatch")

    async def test_the_refunds_token_is_kept(self, desk):
        self.put_title(desk)
        await desk.make(self.operation(desk, SALE))
        verdict = await desk.make(self.operation(desk, REFUND))
        (row,) = desk.ledger("refund")
        assert verdict.proof == row.response

    async def test_what_opens_the_file_is_not_in_the_receipt(self, desk):
        self.put_title(desk)
        operation = self.operation(desk, SALE)
        await desk.make(operation)
        receipt = await desk.calls.send(desk.calls.prepare_lookup(operation))
        assert b"access_token" in receipt.body
        assert b"enqcs_" not in receipt.body
        assert b"/status_documents/" not in receipt.body

    # --- files

    async def test_a_download_link_opens_the_file_and_ends_the_right_to_refund(self, desk):
        self.put_title(desk)
        await desk.make(self.operation(desk, SALE))
        calls = calls_of(desk.distributor)
        assert await calls.download_state(self.order()) == DownloadState(complete=False, refundable=True)
        link = await calls.download_link(self.order())
        async with aiohttp.ClientSession() as browser, browser.get(link) as answer:
            assert answer.status == 200
            assert "Zoë O'Hara & Co" in await answer.text()
        assert await calls.download_state(self.order()) == DownloadState(complete=True, refundable=False)
        refused = await desk.make(self.operation(desk, REFUND))
        assert (refused.outcome, refused.word) == (Outcome.REJECTED, "refund_unauthorized")
        assert desk.pace.turns.count("download") == 3

    async def test_the_customer_of_the_declaration_is_the_customer_of_the_download(self, desk):
        self.put_title(desk)
        await desk.make(self.operation(desk, SALE, customer_id="declared"))
        link = await calls_of(desk.distributor).download_link(self.order(declared_customer_id="declared"))
        assert link.startswith(desk.sandbox.url)

    async def test_only_placed_orders_have_a_file(self, desk):
        with pytest.raises(UsageInvalid, match="WAITING"):
            await desk.calls.download_link(self.order(state=OrderState.WAITING))

    async def test_there_is_no_file_without_a_sale(self, desk):
        self.put_title(desk)
        with pytest.raises(SourceFailed, match="404 not_found"):
            await desk.calls.download_link(self.order())

    async def test_a_file_wants_credentials(self, desk):
        stranger = self.wrong_secret(desk)
        with pytest.raises(SourceRefused, match="401 access_denied"):
            await calls_of(stranger).download_link(self.order())
        await close(stranger)

    # --- the account

    async def test_the_account_can_be_checked(self, desk):
        stranger = desk.connect(organisation_id="9999")
        with pytest.raises(SourceRefused, match="9999"):
            await stranger.source.check_account()
        await close(stranger)
        await desk.distributor.source.check_account()
        assert desk.pace.turns[-1] == "account"

    async def test_what_a_store_is_bound_to(self, desk):
        account = desk.distributor.account
        assert (account.kind, account.organisation) == ("demarque", "1277")
        assert account.address == f"{desk.sandbox.url}/demarque/api"

    async def test_a_secret_that_cannot_be_read_is_named(self, desk):
        with pytest.raises(SettingsInvalid, match=r"nowhere\.token"):
            desk.connect(token_file="nowhere.token")
        (desk.sandbox.directory / "broken.token").write_text("canary\nX-Other: 1")
        with pytest.raises(SettingsInvalid) as caught:
            desk.connect(token_file="broken.token")
        assert "canary" not in str(caught.value)


GOOD: dict[str, Any] = {
    "kind": "demarque",
    "base_url": "https://www.edenlivres.fr/api",
    "organisation_id": "7",
    "token_env": "TOKEN",
}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"base_url": "http://www.edenlivres.fr/api"}, "not encrypted"),
        ({"token_env": None}, "name one secret"),
        ({"password_env": "PASSWORD"}, "name one secret"),
        ({"token_env": None, "password_env": "PASSWORD"}, "needs a username"),
        ({"username": "me"}, "without a username"),
        ({"organisation_id": " "}, "organisation_id is empty"),
        ({"base_url": "https://books.example/api"}, "timezone is missing"),
    ],
)
def test_settings_that_cannot_be(changes, says):
    with pytest.raises(ValueError, match=says):
        demarque.Settings(**{**GOOD, **changes})


def test_known_platforms_have_a_zone():
    assert demarque.Settings(**GOOD).zone_name == "Europe/Paris"
    assert demarque.Settings(**GOOD, timezone="America/Toronto").zone_name == "America/Toronto"
    elsewhere = {**GOOD, "base_url": "https://books.example/api", "timezone": "Europe/Oslo"}
    assert demarque.Settings(**elsewhere).zone_name == "Europe/Oslo"
