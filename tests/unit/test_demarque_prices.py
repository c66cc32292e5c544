"""Section 10 of De Marque's contract: which price is in force, from when, until when, and what it says of tax."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from syncengine.domain.offer import OfferPrice, OfferState, TaxBasis
from syncengine.domain.product import Price, Product, Tax
from syncengine.domain.territory import Market, Territory
from tests.demarque_products import (
    CA_CAD,
    CA_USD,
    CANADA,
    FUTURE,
    FUTURE_START,
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
    rules,
)
from tests.values import replace

FOR_SALE, PREORDER, UNPRICED = OfferState.FOR_SALE, OfferState.PREORDER, OfferState.UNPRICED
SECOND = timedelta(seconds=1)
MIDNIGHT = datetime(2026, 7, 1, 4, tzinfo=UTC)
"""The first of July begins in Toronto."""
NEXT_MIDNIGHT = MIDNIGHT + timedelta(days=1)


def on_sale(*prices: Price, **facts: Any) -> Product:
    """A title on sale in Canada at these prices."""
    return record(block(*prices), sale=PAST, **facts)


def amount(of: Product, at: datetime = NOW, market: Market = CA_CAD) -> str | None:
    """What it costs, as text; none where no price is in force."""
    found = offered(of, market, at)
    assert (found.price is None) is (found.state is UNPRICED)
    return None if found.price is None else str(found.price.amount)


def last_rule(of: Product, at: datetime = NOW) -> str:
    return offered(of, at=at).rules[-1].id


# --- what counts as a price of the market ------------------------------------------------------------------------------


@pytest.mark.parametrize("qualifier", ["05", None, "", "00"])
def test_a_consumer_s_price_counts(qualifier):
    assert "14.99" == amount(on_sale(price(qualifier=qualifier)))


@pytest.mark.parametrize(
    "facts",
    [
        {"qualifier": "06"},
        {"qualifier": "10"},
        {"qualifier": "07"},
        {"kind": "05"},
        {"kind": "11"},
        {"kind": "21"},
        {"kind": None},
        {"conditions": True},
        {"currency": "EUR"},
        {"currency": None},
        {"territory": countries("FR")},
        {"territory": Territory(regions_included=("CA-QC",))},
        {"territory": Territory(regions_included=("WORLD",), regions_excluded=("CA-QC",))},
    ],
)
def test_other_prices_do_not(facts):
    offer = offered(on_sale(price(**facts)))
    assert (UNPRICED, False, None) == (offer.state, offer.accepts_orders, offer.price)
    assert "demarque.10.not_listed" == offer.rules[-1].id


@pytest.mark.parametrize("territory", [None, Territory(), CANADA, WORLD, countries("FR", "CA")])
def test_the_price_s_territory_else_the_block_s_market(territory):
    assert "14.99" == amount(on_sale(price(territory=territory)))


def test_each_country_has_its_own_price():
    both = countries("CA", "US")
    of = record(
        block(
            price("14.99", "CAD", territory=CANADA),
            price("9.99", "USD", territory=CANADA),
            price("8.99", "USD", territory=countries("US")),
            market=both,
        ),
        rights=both,
        sale=PAST,
    )
    assert ["14.99", "9.99", "8.99"] == [amount(of, market=market) for market in (CA_CAD, CA_USD, US_USD)]


def test_currencies_are_compared_whatever_their_case():
    assert "CAD" == charged(offered(on_sale(price(currency="cad")))).currency


@pytest.mark.parametrize("text", ["-0.01", "NaN", "sNaN", "Infinity"])
def test_an_amount_that_cannot_be_charged_is_no_price(text):
    assert amount(on_sale(price(text))) is None
    assert "14.99" == amount(on_sale(price(text), price("14.99")))


def test_free_is_an_amount_of_zero():
    offer = offered(on_sale(price("0.00")))
    assert (FOR_SALE, Decimal(0)) == (offer.state, charged(offer).amount)


@pytest.mark.parametrize("code", ["01", "02"])
def test_unpriced_is_not_free(code):
    """UnpricedItemType 01 says free, but names neither type nor currency: never zero by accident."""
    for of in (record(block(unpriced=code), sale=PAST), on_sale(price(None, unpriced=code))):
        offer = offered(of)
        assert (UNPRICED, "demarque.10.not_listed") == (offer.state, offer.rules[-1].id)
        assert f"UnpricedItemType {code}" in offer.rules[-1].says
        assert ("free is an amount of 0.00" in offer.rules[-1].says) is (code == "01")


# --- what the offer says of it -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "basis"),
    [
        ("01", TaxBasis.EXCLUDED),
        ("02", TaxBasis.INCLUDED),
        ("03", TaxBasis.EXCLUDED),
        ("04", TaxBasis.INCLUDED),
        ("41", TaxBasis.EXCLUDED),
        ("42", TaxBasis.INCLUDED),
    ],
)
def test_the_type_tells_whether_tax_is_included(kind, basis):
    expected = OfferPrice(amount=Decimal("14.99"), currency="CAD", type=kind, tax=basis)
    assert expected == offered(on_sale(price(kind=kind))).price


@pytest.mark.parametrize(
    ("taxes", "expected"),
    [
        ((), "5"),
        ((Tax(type="02", rate_percent=Decimal("9.975")),), "9.975"),
        ((Tax(rate_percent=Decimal(0)),), "0"),
        ((Tax(rate_percent=Decimal(7)), Tax(rate_percent=Decimal("7.0"))), "7"),
        ((Tax(rate_percent=Decimal(7)), Tax(rate_percent=Decimal(19))), "5"),
        ((Tax(rate_code="S"),), "5"),
        ((Tax(rate_percent=Decimal("sNaN")),), "5"),
        ((Tax(rate_percent=Decimal(-7)),), "5"),
        ((Tax(rate_percent=Decimal(100)),), "100"),
        ((Tax(rate_percent=Decimal(101)),), "5"),
        ((Tax(rate_percent=Decimal(7)), Tax(rate_percent=Decimal("NaN"))), "5"),
    ],
)
def test_the_feed_s_only_rate_goes_before_the_settings(taxes, expected):
    by = rules(tax_rates={"CA": Decimal(5), "US": Decimal(8)})
    assert Decimal(expected) == charged(offered(on_sale(price(taxes=taxes)), by=by)).tax_percent


def test_a_rate_that_nobody_gives_is_not_known():
    assert charged(offered(on_sale(price()), by=rules(tax_rates={"US": Decimal(8)}))).tax_percent is None


# --- periods -----------------------------------------------------------------------------------------------------------


def test_a_dated_switch_leaves_no_gap_and_no_overlap():
    """15 names the day on which the other's 14 begins: exclusive."""
    of = on_sale(price("14.99", until="20260701"), price("9.99", since="20260701"))
    assert ["14.99", "9.99"] == [amount(of, MIDNIGHT - SECOND), amount(of, MIDNIGHT)]
    assert MIDNIGHT == offered(of).next_change_at
    assert offered(of, at=MIDNIGHT).next_change_at is None


def test_a_dated_end_is_exclusive_even_where_its_follower_ends_that_day():
    of = on_sale(price("14.99", until="20260701"), price("9.99", since="20260701", until="20260701T120000-0400"))
    noon = MIDNIGHT + timedelta(hours=12)
    assert ["14.99", "9.99", None] == [amount(of, at) for at in (MIDNIGHT - SECOND, noon - SECOND, noon)]


def test_a_dated_end_includes_its_day_where_nothing_follows():
    of = on_sale(price("14.99", until="20260701"))
    assert ["14.99", "14.99", None] == [amount(of, at) for at in (MIDNIGHT, NEXT_MIDNIGHT - SECOND, NEXT_MIDNIGHT)]
    assert NEXT_MIDNIGHT == offered(of).next_change_at
    assert "demarque.10.none" == last_rule(of, NEXT_MIDNIGHT)
    says = offered(of, at=NEXT_MIDNIGHT).rules[-1].says
    assert "at 2026-07-02T04:00:00Z: 14.99 CAD (type 02) until 2026-07-02T04:00:00Z" in says


def test_a_dated_end_includes_its_day_where_the_next_begins_after_it():
    of = on_sale(price("14.99", until="20260701"), price("9.99", since="20260702"))
    assert ["14.99", "9.99"] == [amount(of, NEXT_MIDNIGHT - SECOND), amount(of, NEXT_MIDNIGHT)]


def test_a_dated_end_is_not_moved_by_a_price_of_another_market():
    of = on_sale(price("14.99", until="20260701"), price("9.99", "USD", since="20260701"))
    assert "14.99" == amount(of, NEXT_MIDNIGHT - SECOND)


def test_a_timed_start_on_the_last_day_leaves_no_gap():
    of = on_sale(price("14.99", until="20260701"), price("9.99", since="20260701T060000-0400"))
    switch = datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert ["14.99", "14.99", "9.99"] == [amount(of, at) for at in (MIDNIGHT, switch - SECOND, switch)]
    assert switch == offered(of).next_change_at


def test_a_timed_switch_is_exclusive():
    at = datetime(2026, 7, 1, 14, 30, tzinfo=UTC)
    of = on_sale(price("14.99", until="20260701T103000-0400"), price("9.99", since="2026-07-01T10:30:00-04:00"))
    assert ["14.99", "9.99"] == [amount(of, at - SECOND), amount(of, at)]
    assert at == offered(of).next_change_at


def test_a_timed_end_without_a_follower_is_exclusive():
    of = on_sale(price("14.99", until="20260701T000000-0400"))
    assert ["14.99", None] == [amount(of, MIDNIGHT - SECOND), amount(of, MIDNIGHT)]


def test_a_switch_at_the_platform_s_midnight():
    of = on_sale(price("14.99", until="20260701"), price("9.99", since="20260701"))
    paris = rules(zone=ZoneInfo("Europe/Paris"))
    midnight = datetime(2026, 6, 30, 22, tzinfo=UTC)
    assert midnight == offered(of, by=paris).next_change_at
    assert Decimal("9.99") == charged(offered(of, at=midnight, by=paris)).amount


def test_a_promotion_of_one_day_lasts_that_day():
    of = on_sale(price("14.99"), price("4.99", since="20260701", until="20260701"))
    passed = [amount(of, at) for at in (MIDNIGHT - SECOND, MIDNIGHT, NEXT_MIDNIGHT - SECOND, NEXT_MIDNIGHT)]
    assert ["14.99", "4.99", "4.99", "14.99"] == passed
    assert [MIDNIGHT, NEXT_MIDNIGHT] == [offered(of).next_change_at, offered(of, at=MIDNIGHT).next_change_at]


def test_a_promotion_sent_in_two_types_lasts_as_long():
    day = {"since": "20260701", "until": "20260701"}
    of = on_sale(price("4.99", kind="02", **day), price("4.75", kind="01", **day))
    assert ["4.99", None] == [amount(of, MIDNIGHT), amount(of, NEXT_MIDNIGHT)]


def test_a_promotion_cuts_a_hole_in_a_dated_price():
    of = on_sale(price("14.99", since=PAST), price("9.99", since="20260601", until="20260630"))
    assert ["9.99", "14.99"] == [amount(of, NOW), amount(of, MIDNIGHT)]


def test_role_24_names_both_days():
    of = on_sale(price("4.99", dates=(dated("24", "2026070120260702", "06"),)))
    passed = [amount(of, at) for at in (NOW, MIDNIGHT, NEXT_MIDNIGHT, NEXT_MIDNIGHT + timedelta(days=1))]
    assert [None, "4.99", "4.99", None] == passed


def test_a_price_that_is_still_to_come_is_waited_for():
    of = on_sale(price("14.99", since="20260701"))
    assert (UNPRICED, MIDNIGHT) == (offered(of).state, offered(of).next_change_at)
    assert FOR_SALE == offered(of, at=MIDNIGHT).state


def test_a_period_that_ends_before_it_begins_is_none():
    assert amount(on_sale(price("14.99", since=FUTURE, until=PAST)), FUTURE_START) is None


@pytest.mark.parametrize("dates", [{"since": "soon"}, {"until": "soon"}, {"dates": (dated("24", "20260701-"),)}])
def test_a_price_whose_period_cannot_be_read_is_never_charged(dates):
    assert amount(on_sale(price("9.99", **dates))) is None
    assert "14.99" == amount(on_sale(price("9.99", **dates), price("14.99")))
    assert "none of 1 prices can be charged" in offered(on_sale(price("9.99", **dates))).rules[-1].says


def test_other_roles_of_a_price_date_bound_nothing():
    assert "14.99" == amount(on_sale(price(dates=(dated("99", "soon"),))))


def test_a_role_sent_twice_bounds_the_period_twice():
    dates = (dated("14", "20260701"), dated("14", PAST), dated("15", FUTURE), dated("15", "20260701"))
    of = on_sale(price(dates=dates))
    assert [None, "14.99", None] == [amount(of, at) for at in (NOW, MIDNIGHT, NEXT_MIDNIGHT)]


def test_the_end_of_the_calendar_is_no_end():
    assert "14.99" == amount(on_sale(price(since="00010101", until="99991231")))


# --- several at once ---------------------------------------------------------------------------------------------------


def test_the_latest_start_wins():
    of = on_sale(price("14.99", since=PAST), price("9.99", since="20260301"), price("19.99"))
    assert "9.99" == amount(of)


def test_equal_amounts_are_fine():
    offer = offered(on_sale(price("14.99"), price("14.990"), price("14.99", identifiers=("2",))))
    assert (FOR_SALE, "demarque.10.in_force") == (offer.state, offer.rules[-1].id)


@pytest.mark.parametrize(
    ("better", "worse"),
    [("04", "03"), ("03", "42"), ("42", "41"), ("41", "02"), ("02", "01"), ("04", "01")],
)
def test_types_are_preferred_fixed_then_agency_then_recommended_with_tax_first(better, worse):
    for prices in (
        (price("10.00", kind=better), price("12.00", kind=worse)),
        (price("12.00", kind=worse), price("10.00", kind=better)),
    ):
        offer = offered(on_sale(*prices))
        assert (better, Decimal("10.00")) == (charged(offer).type, charged(offer).amount)
        assert "demarque.10.preference" == offer.rules[-1].id


def test_a_later_start_outweighs_a_preferred_type():
    assert "12.00" == amount(on_sale(price("10.00", kind="04"), price("12.00", kind="01", since=PAST)))


def test_amounts_that_nothing_tells_apart_are_not_guessed():
    offer = offered(on_sale(price("14.99"), price("9.99")))
    assert (UNPRICED, "demarque.10.ambiguous") == (offer.state, offer.rules[-1].id)
    assert not offer.accepts_orders


def test_a_lesser_type_among_the_rivals_does_not_settle_it():
    of = on_sale(price("10.00", kind="04"), price("12.00", kind="04"), price("9.00", kind="01"))
    assert "demarque.10.ambiguous" == last_rule(of)
    assert offered(of).rules[-1].says.endswith("12.00 CAD (type 04) without dates, 9.00 CAD (type 01) without dates")


def test_a_rival_of_a_lesser_type_does_not_make_it_ambiguous():
    assert "10.00" == amount(on_sale(price("10.00", kind="04"), price("9.00", kind="01"), price("8.00", kind="01")))


# --- before the start --------------------------------------------------------------------------------------------------


def test_before_the_start_the_price_at_the_start_is_shown():
    launch = price("9.99", until="20260930")
    regular = price("14.99", since="20261001")
    today = price("19.99", until="20260630")
    of = record(block(today, launch, regular), sale=FUTURE)
    assert (PREORDER, Decimal("9.99")) == (offered(of).state, charged(offered(of)).amount)
    assert FUTURE_START == offered(of).next_change_at
    later = record(block(price("14.99", until="20260831"), price("9.99", since="20260901")), sale=FUTURE)
    assert Decimal("9.99") == charged(offered(later)).amount


def test_an_announced_title_shows_its_price_at_the_start():
    of = record(
        block(price("14.99", until="20260831"), price("9.99", since="20260901")), sale=FUTURE, preorder="20260801"
    )
    assert (OfferState.ANNOUNCED, Decimal("9.99")) == (offered(of).state, charged(offered(of)).amount)


def test_a_preorder_may_lack_its_price():
    """To be announced: the preorder carries no price, and none of the country's currencies is ruled out."""
    offer = offered(record(block(unpriced="02"), sale=FUTURE))
    assert (PREORDER, True, None) == (offer.state, offer.accepts_preorders, offer.price)


def test_a_preorder_needs_its_currency_once_the_country_has_prices():
    of = record(block(price("9.99", "USD")), sale=FUTURE)
    assert PREORDER == offered(of, CA_USD).state
    offer = offered(of, CA_CAD)
    assert (UNPRICED, False, "demarque.10.currency") == (offer.state, offer.accepts_preorders, offer.rules[-1].id)


def test_a_preorder_without_its_currency_is_seen_across_blocks():
    of = record(block(), block(price("9.99", "USD")), sale=FUTURE)
    assert UNPRICED == offered(of, CA_CAD).state


@pytest.mark.parametrize(
    "facts", [{"qualifier": "06"}, {"territory": countries("FR")}, {"currency": None}, {"kind": "05"}]
)
def test_a_price_that_is_not_the_country_s_rules_no_preorder_out(facts):
    of = record(block(price(**{"currency": "USD", **facts})), sale=FUTURE)
    assert PREORDER == offered(of, CA_CAD).state


def test_a_market_date_holds_a_price_back():
    """NEW prices carry no role 14: they are active at once, unless the block's MarketDate lies ahead."""
    of = record(block(price("9.99"), market_date=FUTURE), sale=PAST)
    assert PREORDER == offered(of).state
    assert (FOR_SALE, Decimal("9.99")) == (
        offered(of, at=FUTURE_START).state,
        charged(offered(of, at=FUTURE_START)).amount,
    )


def test_a_switch_in_the_past_of_the_start_wakes_nobody():
    of = record(block(price("14.99", until="20260630"), price("9.99", since="20260701")), sale=FUTURE)
    assert FUTURE_START == offered(of).next_change_at


def test_a_switch_between_equal_amounts_wakes_nobody():
    of = on_sale(price("14.99", until="20260701"), price("14.990", since="20260701"), price("9.99", since=FUTURE))
    assert FUTURE_START == offered(of).next_change_at


def test_prices_are_exact_decimals():
    chile = Market(country="CL", currency="CLP")
    of = record(
        block(price("19.99", "CLP", kind="42", territory=countries("CL")), market=WORLD), rights=WORLD, sale=PAST
    )
    assert Decimal("19.99") == charged(offered(of, chile)).amount
    assert "42" == charged(offered(of, chile)).type


def test_a_price_of_a_supply_that_does_not_sell_is_not_charged():
    cheap = block(price("1.99", since=PAST), availability="40")
    of = record(cheap, block(price("14.99")), sale=PAST)
    assert "14.99" == amount(of)
    assert offered(replace(of, supplies=(cheap,))).price is None
