"""De Marque's rules: every row of both tables of the contract, the steps before them, and what is remembered."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from syncengine.domain.dates import OnixDate
from syncengine.domain.ids import Format, RecordReference
from syncengine.domain.offer import HeldOrders, Offer, OfferState
from syncengine.domain.product import DatedRole, Price, Product, ProductIdentifier, ProductSupply, SalesRights
from syncengine.domain.territory import Market, Territory
from syncengine.domain.title import Remembered
from tests.demarque_products import (
    CA_CAD,
    CA_USD,
    CANADA,
    FUTURE,
    FUTURE_START,
    ISBN,
    KEY,
    LATER,
    LATER_START,
    NOW,
    PAST,
    US_USD,
    WORLD,
    block,
    charged,
    countries,
    dated,
    offered,
    price,
    record,
    rule_ids,
    rules,
    title,
)
from tests.values import replace

FOR_SALE, PREORDER, ANNOUNCED = OfferState.FOR_SALE, OfferState.PREORDER, OfferState.ANNOUNCED
NOT_YET, UNAVAILABLE, WITHDRAWN = OfferState.NOT_YET, OfferState.UNAVAILABLE, OfferState.WITHDRAWN
OUT_OF_TERRITORY, UNPRICED = OfferState.OUT_OF_TERRITORY, OfferState.UNPRICED

OLD, NEW = rules(convention="old"), rules(convention="new")
MINUTE = timedelta(minutes=1)


def inactive(*prices: Price, **facts: Any) -> ProductSupply:
    """A block with the negative indicators."""
    return block(*prices, **{"status": "08", "availability": "40", **facts})


# --- identify ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "details", "expected"),
    [
        ("EA", ("E101",), "epub"),
        ("EA", ("E200", "E101"), "epub"),
        ("EA", ("E107",), "pdf"),
        ("EA", ("E201", "E107"), "pdf"),
        ("EA", ("E127",), "mobi"),
        ("AJ", ("A103",), "audio"),
        ("AJ", (), "audio"),
        ("AJ", ("A107",), "audio"),
        ("EA", (), "ea"),
        ("BC", ("B101",), "bc"),
        (None, (), "00"),
        (None, ("E101",), "epub"),
    ],
)
def test_identify_reads_the_format(form, details, expected):
    assert (ISBN, expected) == rules().identify(record(form=form, form_details=details))


@pytest.mark.parametrize("identifiers", [(), (ProductIdentifier(type="01", value="ENQC1", type_name="internal_key"),)])
def test_identify_finds_no_title_without_a_number(identifiers):
    assert rules().identify(record(identifiers=identifiers)) is None


def test_identify_finds_no_title_under_an_empty_number():
    assert rules().identify(record(identifiers=(ProductIdentifier(type="15", value=" "),))) is None


# --- the title ---------------------------------------------------------------------------------------------------------


def test_a_title_without_records_is_removed_where_it_had_some_and_unknown_else():
    removed, unknown = offered(title(was_removed=True)), offered(title())
    assert (OfferState.REMOVED, HeldOrders.STOP, ["title.removed"]) == (
        removed.state,
        removed.held_orders,
        rule_ids(removed),
    )
    assert (OfferState.UNKNOWN, HeldOrders.KEEP, ["title.unknown"]) == (
        unknown.state,
        unknown.held_orders,
        rule_ids(unknown),
    )


def test_two_live_retail_records_are_ambiguous():
    offer = offered(title(record(), record(reference="ENQC2-epub")))
    assert OfferState.UNKNOWN == offer.state
    assert ["title.ambiguous"] == rule_ids(offer)
    assert "ENQC1-epub, ENQC2-epub" in offer.rules[-1].says
    assert not offer.accepts_orders
    assert offer.record_reference is None


def test_the_offer_names_its_record_and_question():
    offer = offered(record())
    assert ("ENQC1-epub", KEY, CA_CAD, NOW) == (offer.record_reference, offer.key, offer.market, offer.at)


# --- step 0: the gate --------------------------------------------------------------------------------------------------


def test_step_0_1_a_deleted_record_is_removed():
    offer = offered(record(notification_type="05"))
    assert (OfferState.REMOVED, HeldOrders.STOP) == (offer.state, offer.held_orders)
    assert ["demarque.9.step0.1"] == rule_ids(offer)


@pytest.mark.parametrize("form", ["EB", "EC", "ED"])
def test_step_0_2_library_forms_are_not_retail(form):
    offer = offered(record(form=form))
    assert (UNAVAILABLE, ["demarque.9.step0.2"]) == (offer.state, rule_ids(offer))


def test_step_0_3_libraries_only_is_not_retail():
    offer = offered(record(sales_restrictions=("06",)))
    assert (UNAVAILABLE, ["demarque.9.step0.3"]) == (offer.state, rule_ids(offer))


def test_step_0_3_not_to_libraries_is_fine_for_retail():
    assert FOR_SALE == offered(record(sales_restrictions=("09",))).state


def test_step_0_library_records_do_not_disturb_the_retail_record_of_the_same_number():
    library = record(block(price("44.97")), reference="ENQC1-LIBRARIES", form="ED", sales_restrictions=("06",))
    offer = offered(title(library, record(), replace(library, reference=RecordReference("ENQC1-LIBRARIES-2"))))
    assert (FOR_SALE, "ENQC1-epub") == (offer.state, offer.record_reference)
    assert Decimal("14.99") == charged(offer).amount


def test_step_0_beside_a_library_record_a_deleted_one_says_nothing():
    offer = offered(title(record(notification_type="05"), record(form="EB")))
    assert UNAVAILABLE == offer.state
    assert "demarque.9.step0.2" == offer.rules[-1].id


def test_a_block_for_libraries_only_is_no_candidate():
    library = block(price("44.97"), market_restrictions=("06",))
    assert Decimal("14.99") == charged(offered(record(library, block(price("14.99"))))).amount
    assert OUT_OF_TERRITORY == offered(record(library)).state


# --- the convention ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of", "says"),
    [
        (record(sale=PAST), "new convention: PublishingDate 02"),
        (record(block(price(), market_date=PAST)), "new convention: a MarketDate"),
        (record(block(price()), block(market=countries("FR"), market_date=PAST)), "new convention: a MarketDate"),
        (record(), "old convention"),
        (record(preorder=PAST), "old convention"),
        (record(block(price(), supply_date=("08", PAST))), "old convention"),
    ],
)
def test_the_convention_is_seen_in_the_record(of, says):
    rule = offered(of).rules[0]
    assert "demarque.9.convention" == rule.id
    assert rule.says.startswith(says)


def test_the_convention_may_be_forced():
    """A NEW title that its publisher made inactive reads as an OLD preorder: that is why it is told apart, not tried."""
    of = record(inactive(price()), status="08", rights=None, sale=FUTURE, preorder=PAST)
    assert ANNOUNCED == offered(of).state
    assert PREORDER == offered(of, by=OLD).state
    assert NOT_YET == offered(record(sale=FUTURE), by=OLD).state
    assert PREORDER == offered(record(block(price(), supply_date=("02", FUTURE))), by=NEW).state


# --- table 9.1 ---------------------------------------------------------------------------------------------------------


def old(
    *,
    status: str | None = "04",
    rights: Territory | None = CANADA,
    availability: str | None = "20",
    preorder: str | None = None,
    start: str | None = None,
    market_status: str | None = "04",
    at: datetime = NOW,
) -> Offer:
    """An OLD record of these facts, with one price in CA/CAD."""
    supply = ("08", start) if start else None
    sold = block(price(), status=market_status, availability=availability, supply_date=supply)
    offer = offered(record(sold, status=status, rights=rights, preorder=preorder), at=at)
    assert offer.rules[0].says.startswith("old convention")
    return offer


@pytest.mark.parametrize("preorder", [None, PAST, FUTURE])
@pytest.mark.parametrize("start", [None, PAST])
def test_row_9_1_1_for_sale(preorder, start):
    offer = old(preorder=preorder, start=start)
    assert (FOR_SALE, True, False) == (offer.state, offer.accepts_orders, offer.accepts_preorders)
    assert ["demarque.9.convention", "demarque.9.1.1", "demarque.10.in_force"] == rule_ids(offer)
    assert offer.check_first
    assert Decimal("14.99") == charged(offer).amount


@pytest.mark.parametrize("preorder", [None, PAST, FUTURE])
def test_row_9_1_2_not_yet(preorder):
    offer = old(preorder=preorder, start=FUTURE)
    assert (NOT_YET, False, False) == (offer.state, offer.accepts_orders, offer.accepts_preorders)
    assert "demarque.9.1.2" in rule_ids(offer)
    assert (HeldOrders.KEEP, FUTURE_START, FUTURE_START) == (offer.held_orders, offer.starts_at, offer.next_change_at)


@pytest.mark.parametrize("status", ["08", "11"])
@pytest.mark.parametrize("rights", [None, countries("FR")])
def test_row_9_1_3_preorder(status, rights):
    offer = old(status=status, rights=rights, availability="40", market_status="08", preorder=PAST, start=FUTURE)
    assert (PREORDER, False, True, True) == (
        offer.state,
        offer.accepts_orders,
        offer.accepts_preorders,
        offer.declares_preorders,
    )
    assert "demarque.9.1.3" in rule_ids(offer)
    assert (Decimal("14.99"), FUTURE_START, FUTURE_START) == (
        charged(offer).amount,
        offer.starts_at,
        offer.next_change_at,
    )


@pytest.mark.parametrize("status", ["08", "11"])
@pytest.mark.parametrize("rights", [None, countries("FR")])
def test_row_9_1_4_announced(status, rights):
    offer = old(status=status, rights=rights, availability="40", preorder=FUTURE, start=LATER)
    assert (ANNOUNCED, False, False) == (offer.state, offer.accepts_orders, offer.accepts_preorders)
    assert "demarque.9.1.4" in rule_ids(offer)
    assert (HeldOrders.KEEP, LATER_START, FUTURE_START) == (offer.held_orders, offer.starts_at, offer.next_change_at)


@pytest.mark.parametrize(("status", "start"), [("08", None), ("08", PAST), ("08", FUTURE), ("11", FUTURE)])
@pytest.mark.parametrize("rights", [None, countries("FR")])
def test_row_9_1_5_no_preorder_without_its_date(status, rights, start):
    offer = old(status=status, rights=rights, availability="40", start=start)
    assert (UNAVAILABLE, HeldOrders.KEEP) == (offer.state, offer.held_orders)
    assert "demarque.9.1.5" == offer.rules[-1].id
    assert offer.price is None


@pytest.mark.parametrize(
    ("status", "rights", "preorder"),
    [("08", CANADA, None), ("08", CANADA, PAST), ("08", None, PAST), ("08", None, FUTURE), ("11", None, PAST)],
)
@pytest.mark.parametrize("start", [None, PAST])
def test_row_9_1_6_not_available(status, rights, preorder, start):
    offer = old(status=status, rights=rights, availability="40", preorder=preorder, start=start)
    assert (UNAVAILABLE, HeldOrders.KEEP) == (offer.state, offer.held_orders)
    assert "demarque.9.1.6" == offer.rules[-1].id


@pytest.mark.parametrize("rights", [CANADA, None])
@pytest.mark.parametrize("start", [None, PAST])
def test_step_1_2_withdrawn_everywhere(rights, start):
    offer = old(status="11", rights=rights, availability="40", start=start)
    assert (WITHDRAWN, HeldOrders.STOP) == (offer.state, offer.held_orders)
    assert "demarque.9.step1.2" == offer.rules[-1].id


def test_step_1_2_the_clock_alone_withdraws_no_preorder():
    """Its start has passed and the record that makes it saleable is on the way: held orders must not be thrown out."""
    facts: dict[str, Any] = {"status": "11", "rights": None, "availability": "40", "preorder": PAST, "start": FUTURE}
    assert PREORDER == old(**facts, at=FUTURE_START - MINUTE).state
    after = old(**facts, at=FUTURE_START)
    assert (UNAVAILABLE, HeldOrders.KEEP) == (after.state, after.held_orders)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"rights": None}, OUT_OF_TERRITORY),
        ({"rights": countries("FR")}, OUT_OF_TERRITORY),
        ({"availability": "40"}, UNAVAILABLE),
        ({"availability": "40", "start": FUTURE, "preorder": PAST}, UNAVAILABLE),
        ({"availability": "21"}, UNAVAILABLE),
        ({"availability": None}, UNAVAILABLE),
        ({"market_status": "08"}, UNAVAILABLE),
        ({"market_status": "17"}, UNAVAILABLE),
        ({"status": "08"}, UNAVAILABLE),
        ({"status": "11"}, UNAVAILABLE),
        ({"status": "02"}, UNAVAILABLE),
        ({"status": None}, UNAVAILABLE),
        ({"status": "08", "availability": "40", "preorder": PAST, "start": FUTURE}, UNAVAILABLE),
    ],
)
def test_table_9_1_has_no_row_for_the_rest(facts, expected):
    offer = old(**facts)
    assert expected == offer.state
    assert offer.rules[-1].id in {"demarque.9.1.unlisted", "demarque.9.1.territory"}
    assert not offer.accepts_orders
    assert not offer.accepts_preorders


def test_an_old_preorder_without_a_price_for_the_market_is_display_only():
    facts: dict[str, Any] = {"status": "08", "rights": None, "preorder": PAST}
    supply: dict[str, Any] = {"supply_date": ("08", FUTURE), "market": None}
    for prices in ((), (price(currency="EUR"),), (price(territory=countries("FR")),), (price(territory=None),)):
        offer = offered(record(inactive(*prices, **supply), **facts))
        assert (ANNOUNCED, False) == (offer.state, offer.accepts_preorders)
        assert "demarque.9.1.price" == offer.rules[-1].id
    assert PREORDER == offered(record(inactive(price(), **supply), **facts)).state


def test_an_old_preorder_takes_the_country_from_the_market_where_the_price_names_none():
    of = record(inactive(price(territory=None), supply_date=("08", FUTURE)), status="08", rights=None, preorder=PAST)
    assert PREORDER == offered(of).state


def test_the_legacy_unavailable_record():
    """As really sent in July 2015: 08, rights 03 WORLD, no Market, 40, UnpricedItemType 02, no price, no date."""
    offer = offered(record(inactive(market=None, unpriced="02"), status="08", rights=None))
    assert (UNAVAILABLE, "demarque.9.1.5") == (offer.state, offer.rules[-1].id)
    assert offer.next_change_at is None
    assert offer.starts_at is None


# --- table 9.2 ---------------------------------------------------------------------------------------------------------


def new(
    *,
    status: str | None = "04",
    rights: Territory | None = CANADA,
    availability: str | None = "20",
    preorder: str | None = None,
    start: str | None = PAST,
    market_status: str | None = "04",
) -> Offer:
    """A NEW record of these facts (`start` none: by its MarketDate role 09, which starts nothing)."""
    sold = block(price(), status=market_status, availability=availability)
    if start is None:
        sold = replace(sold, market_dates=(dated("09", PAST),))
    offer = offered(record(sold, status=status, rights=rights, sale=start, preorder=preorder))
    assert offer.rules[0].says.startswith("new convention")
    return offer


@pytest.mark.parametrize("preorder", [None, PAST])
@pytest.mark.parametrize("market_status", ["04", None, "00"])
def test_row_9_2_1_preorder(preorder, market_status):
    offer = new(preorder=preorder, start=FUTURE, market_status=market_status)
    assert (PREORDER, False, True, True) == (
        offer.state,
        offer.accepts_orders,
        offer.accepts_preorders,
        offer.declares_preorders,
    )
    assert ["demarque.9.convention", "demarque.9.2.1", "demarque.10.in_force"] == rule_ids(offer)
    assert (FUTURE_START, FUTURE_START) == (offer.starts_at, offer.next_change_at)
    assert not offer.check_first


def test_row_9_2_2_announced():
    offer = new(preorder=FUTURE, start=LATER)
    assert (ANNOUNCED, False, False, HeldOrders.KEEP) == (
        offer.state,
        offer.accepts_orders,
        offer.accepts_preorders,
        offer.held_orders,
    )
    assert "demarque.9.2.2" in rule_ids(offer)
    assert (LATER_START, FUTURE_START) == (offer.starts_at, offer.next_change_at)


@pytest.mark.parametrize("preorder", [None, PAST, FUTURE])
@pytest.mark.parametrize("start", [None, PAST])
def test_row_9_2_3_for_sale(preorder, start):
    offer = new(preorder=preorder, start=start)
    assert (FOR_SALE, True, True) == (offer.state, offer.accepts_orders, offer.check_first)
    assert "demarque.9.2.3" in rule_ids(offer)


@pytest.mark.parametrize("preorder", [None, PAST, FUTURE])
@pytest.mark.parametrize("start", [None, PAST, FUTURE])
def test_row_9_2_4_unavailable_from_that_supplier(preorder, start):
    offer = new(availability="40", preorder=preorder, start=start)
    assert (UNAVAILABLE, "demarque.9.2.4") == (offer.state, offer.rules[-1].id)


@pytest.mark.parametrize("rights", [None, countries("FR")])
@pytest.mark.parametrize("availability", ["20", "40"])
@pytest.mark.parametrize("start", [None, PAST, FUTURE])
@pytest.mark.parametrize("market_status", ["04", "08"])
def test_row_9_2_5_not_in_territory(rights, availability, start, market_status):
    offer = new(rights=rights, availability=availability, start=start, market_status=market_status)
    assert (OUT_OF_TERRITORY, HeldOrders.STOP) == (offer.state, offer.held_orders)
    assert "demarque.9.2.5" == offer.rules[-1].id


@pytest.mark.parametrize("status", ["04", "08", "11"])
@pytest.mark.parametrize("rights", [CANADA, None])
@pytest.mark.parametrize("start", [PAST, FUTURE])
@pytest.mark.parametrize("availability", ["20", "40"])
def test_row_9_2_6_withdrawn_in_the_market(status, rights, start, availability):
    offer = new(status=status, rights=rights, start=start, availability=availability, market_status="11")
    assert (WITHDRAWN, HeldOrders.STOP) == (offer.state, offer.held_orders)
    assert "demarque.9.2.6" == offer.rules[-1].id
    assert offer.price is None


@pytest.mark.parametrize("preorder", [None, PAST, FUTURE])
@pytest.mark.parametrize("rights", [CANADA, None])
def test_row_9_2_7_announced_while_inactive(preorder, rights):
    offer = new(status="08", rights=rights, availability="40", preorder=preorder, start=LATER, market_status="08")
    assert (ANNOUNCED, False) == (offer.state, offer.accepts_preorders)
    assert "demarque.9.2.7" in rule_ids(offer)
    assert LATER_START == offer.next_change_at


@pytest.mark.parametrize("start", [None, PAST])
@pytest.mark.parametrize("rights", [CANADA, None])
def test_row_9_2_8_inactive(start, rights):
    offer = new(status="08", rights=rights, availability="40", preorder=PAST, start=start)
    assert (UNAVAILABLE, "demarque.9.2.8") == (offer.state, offer.rules[-1].id)


@pytest.mark.parametrize("preorder", [None, PAST, FUTURE])
def test_row_9_2_9_announced_while_11(preorder):
    offer = new(status="11", rights=None, availability="40", preorder=preorder, start=LATER)
    assert ANNOUNCED == offer.state
    assert "demarque.9.2.9" in rule_ids(offer)


@pytest.mark.parametrize("start", [None, PAST])
@pytest.mark.parametrize("availability", ["20", "40", None])
@pytest.mark.parametrize("rights", [CANADA, None])
def test_row_9_2_10_withdrawn_everywhere(start, availability, rights):
    offer = new(status="11", rights=rights, availability=availability, start=start)
    assert (WITHDRAWN, "demarque.9.2.10") == (offer.state, offer.rules[-1].id)


@pytest.mark.parametrize("availability", ["20", "40"])
@pytest.mark.parametrize("start", [None, PAST, FUTURE])
def test_row_9_2_11_inactive_in_the_market(availability, start):
    offer = new(availability=availability, start=start, market_status="08")
    assert (UNAVAILABLE, "demarque.9.2.11") == (offer.state, offer.rules[-1].id)


@pytest.mark.parametrize(
    "facts",
    [
        {"availability": "21"},
        {"availability": None},
        {"market_status": "17"},
        {"status": "08", "availability": "20"},
        {"status": "11", "availability": "20", "start": FUTURE},
        {"status": "02", "start": FUTURE},
        {"status": None},
    ],
)
def test_table_9_2_has_no_row_for_the_rest(facts):
    offer = new(**facts)
    assert (UNAVAILABLE, "demarque.9.2.unlisted") == (offer.state, offer.rules[-1].id)
    assert HeldOrders.KEEP == offer.held_orders


def test_a_trail_tells_what_was_found():
    says = new(preorder=PAST, start=FUTURE).rules[1].says
    for fact in ("PublishingStatus 04", "sales rights have CA", "ProductAvailability 20", "MarketPublishingStatus 04"):
        assert fact in says
    assert "preorders from 2026-01-01T05:00:00Z (PublishingDate 09 20260101)" in says
    assert "sale from 2026-09-01T04:00:00Z (PublishingDate 02 20260901)" in says


# --- step 1: market blocks ---------------------------------------------------------------------------------------------


def test_step_1_ca_cad_is_withdrawn_while_ca_usd_stays():
    """Withdrawal works per country and currency pair."""
    of = record(
        block(price("14.99", "CAD"), status="11"),
        block(price("11.99", "USD")),
        sale=PAST,
    )
    assert WITHDRAWN == offered(of, CA_CAD).state
    assert (FOR_SALE, Decimal("11.99")) == (offered(of, CA_USD).state, charged(offered(of, CA_USD)).amount)


def test_step_1_a_live_price_for_the_pair_outweighs_a_withdrawn_block():
    of = record(block(price("99.99"), status="11"), block(price("14.99")), sale=PAST)
    assert (FOR_SALE, Decimal("14.99")) == (offered(of).state, charged(offered(of)).amount)


@pytest.mark.parametrize("blocks", [(block(status="11"),), (block(price("11.99", "USD"), status="11"),)])
def test_step_1_a_country_with_withdrawn_blocks_only_is_withdrawn_in_every_currency(blocks):
    assert WITHDRAWN == offered(record(*blocks, sale=PAST)).state


def test_step_1_a_withdrawn_block_of_another_currency_takes_nothing_from_a_live_one():
    of = record(block(price("11.99", "USD"), status="11"), block(), sale=PAST)
    assert UNPRICED == offered(of, CA_CAD).state
    assert WITHDRAWN == offered(of, CA_USD).state


def test_step_1_of_several_withdrawn_blocks_one_for_the_pair_is_enough():
    of = record(
        block(price("14.99", "CAD"), status="11"),
        block(price("9.99", "EUR"), status="11"),
        block(price("11.99", "USD")),
    )
    assert WITHDRAWN == offered(of, CA_CAD).state
    assert FOR_SALE == offered(of, CA_USD).state


def test_step_1_a_block_may_name_several_markets():
    several = replace(block(price()), markets=(countries("FR"), CANADA, Territory()))
    assert FOR_SALE == offered(record(several)).state


def test_step_1_withdrawal_holds_in_the_old_convention():
    offer = offered(record(block(price(), status="11")))
    assert (WITHDRAWN, "demarque.9.step1.1") == (offer.state, offer.rules[-1].id)


def test_step_1_a_block_without_market_is_for_every_country():
    of = record(
        block(price(), price("11.99", "USD", territory=countries("US")), market=None), rights=countries("CA", "US")
    )
    assert Decimal("14.99") == charged(offered(of, CA_CAD)).amount
    assert Decimal("11.99") == charged(offered(of, US_USD)).amount
    assert UNPRICED == offered(of, CA_USD).state


def test_step_1_a_market_that_no_block_is_for():
    of = record(block(price(), market=countries("FR")), rights=WORLD, sale=PAST)
    offer = offered(of)
    assert (OUT_OF_TERRITORY, "demarque.9.step1.3") == (offer.state, offer.rules[-1].id)
    assert OUT_OF_TERRITORY == offered(of, by=OLD).state


def test_step_1_a_record_without_blocks_is_unavailable():
    for by in (OLD, NEW):
        assert UNAVAILABLE == offered(record(supplies=()), by=by).state


def test_step_1_countries_are_tokens_not_text():
    """`BO` is no part of `BOL` or of the end of one code and the start of the next."""
    bolivia = Market(country="BO", currency="BOB")
    sold = block(price(currency="BOB", territory=countries("GB", "OM")), market=countries("GB", "OM"))
    assert OUT_OF_TERRITORY == offered(record(sold, rights=countries("GB", "OM"), sale=PAST), bolivia).state
    sold = block(price(currency="BOB", territory=countries("AR", "BO")), market=countries("AR", "BO"))
    assert FOR_SALE == offered(record(sold, rights=countries("AR", "BO"), sale=PAST), bolivia).state


def test_step_1_of_several_supplies_the_one_that_sells_counts():
    of = record(block(price("99.99"), availability="40"), block(price("14.99")), sale=PAST)
    assert (FOR_SALE, Decimal("14.99")) == (offered(of).state, charged(offered(of)).amount)
    of = record(block(price("99.99"), status="08"), block(price("14.99")), sale=PAST)
    assert (FOR_SALE, Decimal("14.99")) == (offered(of).state, charged(offered(of)).amount)


def test_step_1_a_supply_that_sells_in_another_currency_does_not_count():
    of = record(block(price("14.99"), availability="40"), block(price("11.99", "USD")), sale=PAST)
    assert UNAVAILABLE == offered(of, CA_CAD).state
    assert FOR_SALE == offered(of, CA_USD).state


# --- sales rights ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rights", "rest", "expected"),
    [
        ([("01", CANADA)], None, FOR_SALE),
        ([("02", CANADA)], None, FOR_SALE),
        ([("01", WORLD)], None, FOR_SALE),
        ([("01", countries("FR")), ("02", CANADA)], None, FOR_SALE),
        ([("01", Territory(regions_included=("WORLD",), countries_excluded=("CA",)))], None, OUT_OF_TERRITORY),
        ([("01", CANADA), ("03", WORLD)], None, OUT_OF_TERRITORY),
        ([("01", WORLD), ("03", CANADA)], None, OUT_OF_TERRITORY),
        ([("01", WORLD), ("06", Territory(regions_included=("CA-QC",)))], None, OUT_OF_TERRITORY),
        ([("01", CANADA), ("03", countries("US"))], None, FOR_SALE),
        ([("03", countries("US"))], "01", FOR_SALE),
        ([("03", countries("US"))], "00", OUT_OF_TERRITORY),
        ([("03", CANADA)], "01", OUT_OF_TERRITORY),
        ([("01", Territory(regions_included=("CA-ON",)))], "01", OUT_OF_TERRITORY),
        ([("00", CANADA)], None, OUT_OF_TERRITORY),
        ([], None, OUT_OF_TERRITORY),
    ],
)
def test_sales_rights(rights, rest, expected):
    sold = tuple(SalesRights(type=kind, territory=territory) for kind, territory in rights)
    offer = offered(record(sale=PAST, sales_rights=sold, rest_of_world_rights=rest))
    assert expected == offer.state


def test_rights_for_libraries_only_are_no_retail_rights():
    """ONIX 3.1 writes SalesRestriction inside SalesRights."""
    library = SalesRights(type="01", territory=CANADA, restrictions=("06",))
    retail = SalesRights(type="01", territory=CANADA)
    assert OUT_OF_TERRITORY == offered(record(sale=PAST, sales_rights=(library,))).state
    assert FOR_SALE == offered(record(sale=PAST, sales_rights=(library, retail))).state


# --- step 2: the start of sale -----------------------------------------------------------------------------------------

EARLY, MIDDLE, LATE = "20260701", "20260801", "20260901"


@pytest.mark.parametrize(
    ("market", "supply", "publishing"),
    [(LATE, EARLY, MIDDLE), (EARLY, LATE, MIDDLE), (EARLY, MIDDLE, LATE), (LATE, None, EARLY), (None, LATE, EARLY)],
)
@pytest.mark.parametrize("role", ["02", "08"])
def test_step_2_the_latest_start_holds(market, supply, publishing, role):
    sold = block(price(), market_date=market, supply_date=(role, supply) if supply else None)
    offer = offered(record(sold, sale=publishing))
    assert (PREORDER, FUTURE_START) == (offer.state, offer.starts_at)


def test_step_2_other_dates_start_nothing():
    """List 163: 01 at product level is nominal, 19 the printed book's, 13 out of print; list 166: 25 a deadline."""
    sold = block(price(), supply_date=("25", LATER))
    sold = replace(sold, market_dates=(dated("01", FUTURE), dated("13", LATER)))
    dates = (dated("01", LATER), dated("19", LATER))
    assert FUTURE_START == offered(record(sold, publishing_dates=dates)).starts_at


def test_step_2_a_market_may_start_later_than_another():
    of = record(
        block(price(), market_date=FUTURE),
        block(price("11.99", "USD", territory=countries("US")), market=countries("US"), market_date=PAST),
        rights=countries("CA", "US"),
        sale=PAST,
    )
    assert (PREORDER, FUTURE_START) == (offered(of, CA_CAD).state, offered(of, CA_CAD).starts_at)
    assert FOR_SALE == offered(of, US_USD).state
    assert FOR_SALE == offered(of, CA_CAD, FUTURE_START).state


def test_step_2_the_pair_s_own_block_starts_it():
    of = record(block(price(), market_date=FUTURE), block(price("11.99", "USD"), market_date=PAST))
    assert PREORDER == offered(of, CA_CAD).state
    assert FOR_SALE == offered(of, CA_USD).state


@pytest.mark.parametrize(
    ("zone", "day", "start"),
    [
        ("America/Toronto", "20260901", datetime(2026, 9, 1, 4, tzinfo=UTC)),
        ("Europe/Paris", "20260901", datetime(2026, 8, 31, 22, tzinfo=UTC)),
        ("America/Santiago", "20260906", datetime(2026, 9, 6, 4, tzinfo=UTC)),
        ("America/Havana", "20261101", datetime(2026, 11, 1, 5, tzinfo=UTC)),
    ],
)
def test_step_2_a_day_starts_at_midnight_of_the_platform(zone, day, start):
    by = rules(zone=ZoneInfo(zone))
    of = record(sale=day)
    assert start == offered(of, by=by).starts_at
    assert PREORDER == offered(of, at=start - timedelta(microseconds=1), by=by).state
    assert FOR_SALE == offered(of, at=start, by=by).state


@pytest.mark.parametrize("text", ["20260901T003000-0400", "2026-09-01T00:30:00-04:00"])
@pytest.mark.parametrize("label", ["14", "00", None])
def test_step_2_mislabelled_dates_are_read_by_shape(text, label):
    start = DatedRole(role="02", date=OnixDate(text=text, format=label))
    offer = offered(record(publishing_dates=(start,)))
    assert datetime(2026, 9, 1, 4, 30, tzinfo=UTC) == offer.starts_at


def test_step_2_a_month_starts_on_its_last_day():
    offer = offered(record(sale="202609"))
    assert datetime(2026, 9, 30, 4, tzinfo=UTC) == offer.starts_at


def test_step_2_a_start_that_cannot_be_read_holds_the_title():
    offer = offered(record(sale="soon"))
    assert (NOT_YET, False, False, HeldOrders.KEEP) == (
        offer.state,
        offer.accepts_orders,
        offer.accepts_preorders,
        offer.held_orders,
    )
    assert (None, None) == (offer.starts_at, offer.next_change_at)
    assert "demarque.8.1" in rule_ids(offer)
    assert NOT_YET == offered(record(block(price(), market_date="?"), sale=PAST)).state


def test_a_preorder_date_that_cannot_be_read_is_still_to_come():
    assert ANNOUNCED == offered(record(sale=FUTURE, preorder="soon")).state
    assert FOR_SALE == offered(record(sale=PAST, preorder="soon")).state


# --- in time -----------------------------------------------------------------------------------------------------------


def states(of: Product) -> list[tuple[OfferState, datetime]]:
    """The states a title passes by time alone, with the instant at which each begins."""
    passed = []
    now: datetime | None = NOW
    while now is not None:
        offer = offered(of, at=now)
        passed.append((offer.state, now))
        now = offer.next_change_at
    return passed


def test_a_new_preorder_crosses_its_dates():
    assert [(ANNOUNCED, NOW), (PREORDER, FUTURE_START), (FOR_SALE, LATER_START)] == states(
        record(preorder=FUTURE, sale=LATER)
    )


def test_an_old_preorder_crosses_its_dates_and_waits_for_its_record():
    waiting = record(inactive(price(), supply_date=("08", LATER)), status="08", rights=None, preorder=FUTURE)
    assert [(ANNOUNCED, NOW), (PREORDER, FUTURE_START), (UNAVAILABLE, LATER_START)] == states(waiting)
    released = record(block(price(), supply_date=("08", LATER)), preorder=FUTURE)
    assert FOR_SALE == offered(released, at=LATER_START).state


def test_a_date_that_changes_nothing_wakes_nobody():
    """The preorder date of a title on sale, and a start that no row asks for."""
    assert offered(record(sale=PAST, preorder=FUTURE)).next_change_at is None
    assert offered(record(block(price(), availability="40"), sale=FUTURE)).next_change_at is None


# --- flags and terms ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "details", "declared"),
    [("epub", "E101", True), ("pdf", "E107", True), ("mobi", "E127", False), ("audio", "A103", False)],
)
def test_preorders_are_declared_for_epub_and_pdf_only(form, details, declared):
    of = replace(title(record(sale=FUTURE, form_details=(details,))), key=replace(KEY, format=Format(form)))
    offer = offered(of)
    assert (True, declared) == (offer.accepts_preorders, offer.declares_preorders)
    assert form == offer.terms["format"]


def test_only_preorders_are_declared():
    for of in (record(), record(sale=FUTURE, preorder=FUTURE), record(sale=PAST, status="08")):
        assert not offered(of).declares_preorders


@pytest.mark.parametrize("at", [NOW, FUTURE_START])
def test_a_format_without_a_word_cannot_be_sold(at):
    of = replace(title(record(sale=FUTURE)), key=replace(KEY, format=Format("ea")))
    offer = offered(of, at=at)
    assert (UNAVAILABLE, False, False) == (offer.state, offer.accepts_orders, offer.accepts_preorders)
    assert "demarque.4.1.format" == offer.rules[-1].id
    assert offer.price is None


@pytest.mark.parametrize(
    ("codes", "lcp", "expected"),
    [
        (("00",), False, "none"),
        (("02",), False, "watermark"),
        (("03",), False, "acs4"),
        (("06",), False, "drm:lcp"),
        (("06", "03"), False, "acs4,drm:lcp"),
        (("03", "06"), True, "drm:lcp,acs4"),
        (("06", "03", "02", "00"), False, "none,watermark,acs4,drm:lcp"),
        (("03", "02", "06"), True, "watermark,drm:lcp,acs4"),
        (("01", "02"), False, "watermark"),
        (("02", "02"), False, "watermark"),
        ((), False, "none"),
    ],
)
def test_section_5_1_protections(codes, lcp, expected):
    offer = offered(record(protections=codes), by=rules(lcp=lcp))
    assert expected == offer.terms["protections"]
    assert expected.split(",")[0] == offer.terms["protection"]


def test_section_5_1_a_lock_without_a_word_cannot_be_sold():
    offer = offered(record(protections=("01", "05")))
    assert (UNAVAILABLE, "demarque.5.1") == (offer.state, offer.rules[-1].id)
    assert {"format": "epub"} == offer.terms


def test_terms_stand_long_before_the_start():
    assert {"format": "epub", "protection": "watermark", "protections": "watermark"} == offered(
        record(sale=FUTURE, preorder=FUTURE)
    ).terms


@pytest.mark.parametrize(
    "of", [record(notification_type="05"), record(form="EB"), record(rights=None), record(status="11")]
)
def test_what_is_not_for_sale_takes_no_order(of):
    offer = offered(of)
    assert (False, False, False, False, None) == (
        offer.accepts_orders,
        offer.accepts_preorders,
        offer.declares_preorders,
        offer.check_first,
        offer.price,
    )


# --- 9.3: withdrawn markets --------------------------------------------------------------------------------------------

BOTH = record(block(price("14.99", "CAD")), block(price("11.99", "USD")), sale=PAST)
ONLY_USD = record(block(price("11.99", "USD")), sale=PAST)
CAD_AS_11 = record(block(price("14.99", "CAD"), status="11"), block(price("11.99", "USD")), sale=PAST)
NOTHING = Remembered()
CAD_GONE = Remembered(withdrawn={"CAD": frozenset({"CA"})})


def remember(*records: Product | None, remembered: Remembered = NOTHING) -> Remembered:
    """What is remembered after the records of one reference in turn."""
    for before, after in pairwise(records):
        remembered = rules().remember(remembered, before, after)
    return remembered


def test_9_3_a_market_that_becomes_11_and_then_vanishes_stays_withdrawn():
    steps = [
        remember(BOTH, CAD_AS_11),
        remember(BOTH, CAD_AS_11, ONLY_USD),
        remember(BOTH, CAD_AS_11, ONLY_USD, ONLY_USD),
    ]
    assert [CAD_GONE] * 3 == steps
    offer = offered(title(ONLY_USD, remembered=CAD_GONE))
    assert (WITHDRAWN, HeldOrders.STOP, "demarque.9.3") == (offer.state, offer.held_orders, offer.rules[-1].id)
    assert FOR_SALE == offered(title(ONLY_USD, remembered=CAD_GONE), CA_USD).state


def test_9_3_a_market_that_vanishes_without_11_is_withdrawn():
    assert CAD_GONE == remember(BOTH, ONLY_USD)
    assert UNPRICED == offered(ONLY_USD).state


def test_9_3_a_market_that_is_live_again_is_forgotten():
    assert NOTHING == remember(BOTH, CAD_AS_11, ONLY_USD, BOTH)
    assert NOTHING == remember(None, BOTH, remembered=CAD_GONE)
    assert FOR_SALE == offered(title(BOTH, remembered=CAD_GONE)).state


def test_9_3_what_was_never_live_is_not_withdrawn():
    assert NOTHING == remember(None, CAD_AS_11)
    assert NOTHING == remember(CAD_AS_11, ONLY_USD)
    assert NOTHING == remember(ONLY_USD, BOTH)


@pytest.mark.parametrize("gone", [None, replace(BOTH, notification_type="05"), replace(BOTH, form="EB")])
def test_9_3_a_record_that_goes_away_withdraws_no_market(gone):
    assert NOTHING == remember(BOTH, gone)
    assert CAD_GONE == remember(BOTH, gone, remembered=CAD_GONE)


@pytest.mark.parametrize("library", [replace(BOTH, form="ED"), replace(BOTH, sales_restrictions=("06",))])
def test_9_3_a_library_record_neither_withdraws_nor_revives(library):
    assert CAD_GONE == remember(None, library, remembered=CAD_GONE)
    assert NOTHING == remember(library, ONLY_USD)


def test_9_3_any_period_counts_as_live():
    for dates in ({"until": PAST}, {"since": LATER}):
        of = record(block(price("14.99", "CAD", **dates)), sale=PAST)
        assert NOTHING == remember(BOTH, record(*of.supplies, block(price("11.99", "USD")), sale=PAST))


def test_9_3_only_retail_prices_count_as_live():
    institutional = record(block(price("44.97", "CAD", qualifier="06")), block(price("11.99", "USD")), sale=PAST)
    assert CAD_GONE == remember(BOTH, institutional)
    assert NOTHING == remember(institutional, ONLY_USD)


def test_9_3_every_country_of_a_territory_is_remembered():
    america = countries("CA", "US")
    wide = record(block(price("11.99", "USD", territory=america), market=america), rights=america, sale=PAST)
    narrow = record(block(price("11.99", "USD", territory=america), market=CANADA), rights=america, sale=PAST)
    assert Remembered(withdrawn={"USD": frozenset({"US"})}) == remember(wide, narrow)
    world = record(block(price("11.99", "USD", territory=WORLD), market=WORLD), rights=america, sale=PAST)
    assert 248 == len(remember(world, narrow).withdrawn["USD"])


def test_9_3_a_price_without_any_territory_is_live_where_the_rights_are():
    def loose(rights: Territory) -> Product:
        return record(block(price(territory=None), market=None), rights=rights, sale=PAST)

    assert CAD_GONE == remember(loose(countries("CA", "FR")), loose(countries("FR")))
    assert WITHDRAWN == offered(title(loose(countries("FR")), remembered=CAD_GONE)).state
    assert FOR_SALE == offered(title(loose(countries("CA")), remembered=CAD_GONE)).state


def test_9_3_a_country_with_a_region_excluded_was_never_live():
    partial = Territory(regions_included=("WORLD",), regions_excluded=("CA-QC",))
    of = record(block(price(territory=partial), market=None), rights=WORLD, sale=PAST)
    assert "CA" not in remember(of, ONLY_USD).withdrawn["CAD"]
    assert "US" in remember(of, ONLY_USD).withdrawn["CAD"]


def test_9_3_memories_of_other_currencies_stay():
    remembered = Remembered(withdrawn={"EUR": frozenset({"FR"}), "CAD": frozenset({"US"})})
    expected = {"EUR": frozenset({"FR"}), "CAD": frozenset({"CA", "US"})}
    assert expected == remember(BOTH, ONLY_USD, remembered=remembered).withdrawn


# --- version -----------------------------------------------------------------------------------------------------------


def test_the_version_changes_with_every_setting():
    versions = [
        rules(),
        rules(markets=(CA_CAD,)),
        rules(zone=ZoneInfo("Europe/Paris")),
        rules(convention="new"),
        rules(convention="old"),
        rules(tax_rates={"CA": Decimal(5)}),
        rules(tax_rates={"CA": Decimal("5.5")}),
        rules(lcp=True),
    ]
    assert len(versions) == len({by.version for by in versions})


def test_the_version_does_not_depend_on_order_or_spelling():
    one = rules(markets=(CA_CAD, US_USD), tax_rates={"CA": Decimal(5), "US": Decimal(0)})
    other = rules(markets=(US_USD, CA_CAD), tax_rates={"us": Decimal("0.0"), "ca": Decimal("5.00")})
    assert one.version == other.version


def test_the_markets_are_those_given():
    assert (CA_CAD, US_USD) == rules(markets=(CA_CAD, US_USD)).markets


def test_an_empty_record_is_an_offer_too():
    empty = replace(record(), supplies=(ProductSupply(),), sales_rights=(), protections=(), form=None, form_details=())
    assert OUT_OF_TERRITORY == offered(empty, by=OLD).state
    assert UNAVAILABLE == offered(replace(empty, publishing_status=None), by=NEW).state
