"""De Marque against what every distributor must do."""

from adapters.distributors import demarque
from tests.contract.distributor_suite import (
    DeclarationContract,
    FeedContract,
    LookupContract,
    PricedProbeContract,
    Profile,
    RefundContract,
    RulesContract,
    SaleContract,
)


class TestDeMarque(
    FeedContract, RulesContract, SaleContract, LookupContract, PricedProbeContract, DeclarationContract, RefundContract
):
    profile = Profile(
        kind=demarque,
        kind_name="demarque",
        stub_settings={"page_size": 20},
        unknown_account={"organisation_id": "9999"},
        secret_key="token_file",
        secret_file="demarque.token",
        feed_endpoint="full",
        sale_endpoint="sale",
        title_edit={"format": "epub", "price_type": "02", "protection": ["02"]},
        sale_terms={"price_type": "02", "protection": "watermark"},
    )
