"""Bokbasen against what every distributor must do."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from adapters.distributors import bokbasen
from adapters.distributors.bokbasen.sandbox import BokbasenStub
from syncengine.domain.delivery import Operation, OperationKind
from syncengine.domain.territory import Market
from tests.contract.distributor_suite import Desk, FeedContract, ProbeContract, Profile, RulesContract, SaleContract

CONSUMER = "5f0c7e0e-3c7e-4a5e-8d54-1c2f5b6a7d80"
_UNKNOWN_RESOURCE = "00000000-0000-4000-8000-000000000000"


class BokbasenDesk:
    """Operations on a title name its resource, as the rules take it from the inventory."""

    profile = Profile(
        kind=bokbasen,
        kind_name="bokbasen",
        stub_settings={"onix_page": 20, "inventory_page": 20},
        unknown_account={"client_id": "nobody"},
        secret_key="client_secret_file",
        secret_file="bokbasen.secret",
        feed_endpoint="metadata",
        sale_endpoint="sale",
        market=Market(country="NO", currency="NOK"),
        title_edit={"format": "epub", "price_type": "02", "protection": ["02"]},
        sale_terms={"first_name": "Kari", "last_name": "Nordmann", "consumer_id": CONSUMER},
        customer_in_ledger=CONSUMER,
    )

    def operation(self, desk: Desk, kind: OperationKind, **changes: Any) -> Operation:
        """With the resource that the stub has now; another where it does not know the title."""
        (stub,) = desk.sandbox.stubs.values()
        assert isinstance(stub, BokbasenStub)
        whole: Operation = super().operation(desk, kind, **changes)  # type: ignore[misc]
        resid = stub.resource_of(whole.key.isbn) or _UNKNOWN_RESOURCE
        return replace(whole, terms={"resid": resid, "drm": "SDRM", **whole.terms})


class TestBokbasen(BokbasenDesk, FeedContract, RulesContract, SaleContract, ProbeContract):
    async def test_what_was_paid_is_told_whatever_the_price_is_now(self, desk):
        """Design section 7: what the customer paid, not what the feed says."""
        self.put_title(desk)
        await desk.make(self.operation(desk, OperationKind.SALE, paid=Decimal("249.50")))
        (row,) = desk.ledger("sale")
        assert row.amount == "249.50"
