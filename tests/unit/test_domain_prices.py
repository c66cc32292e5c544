"""Prices: the steps of reference/onix.md 2.13 one by one, and the timeline that follows from them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from syncengine.domain.codes import PriceType
from syncengine.domain.dates import OnixDate
from syncengine.domain.offer import OfferPrice, TaxBasis
from syncengine.domain.prices import ConsumerPrice, NoPrice, PriceTimeline, Tariff, price_timeline, stated_tax_rate
from syncengine.domain.product import DatedRole, Price, Tax
from syncengine.domain.territory import Market, Territory

FR_EUR = Market(country="FR", currency="EUR")
PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
PAST, FUTURE = "20260101", "20260901"
FUTURE_START = datetime(2026, 8, 31, 22, tzinfo=UTC)
"""Midnight of FUTURE in Paris."""
DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)


def dated(role: str, text: str, form: str | None = None) -> DatedRole:
    return DatedRole(role=role, date=OnixDate(text=text, format=form))


def price(amount: str | None = "9.99", kind: str | None = "04", *dates: DatedRole, **facts: Any) -> Price:
    return Price(
        type=kind, amount=None if amount is None else Decimal(amount), dates=dates, **{"currency": "EUR", **facts}
    )


def of(*prices: Price, **terms: Any) -> PriceTimeline:
    return price_timeline(prices, FR_EUR, PARIS, **terms)


def shown(timeline: PriceTimeline, at: datetime = NOW) -> str:
    """The amount at an instant, or the name of the reason why there is none."""
    tariff = timeline.in_force(at)
    if tariff.price:
        return str(tariff.price.amount)
    return tariff.none.name if tariff.none else ""


def table(timeline: PriceTimeline) -> list[str]:
    """What holds, stretch by stretch."""
    return [shown(timeline, stretch.period.since or NOW - 100_000 * DAY) for stretch in timeline.stretches]


# --- 1 and 2: territory and currency -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "left_out"),
    [
        ({}, None),
        ({"territory": Territory(countries_included=("BE", "FR"))}, None),
        ({"territory": Territory(regions_included=("WORLD",))}, None),
        ({"territory": Territory(regions_included=("ROW",))}, None),
        ({"territory": Territory(countries_included=("BE",))}, "not for the whole of FR"),
        ({"territory": Territory(regions_included=("FR-H",))}, "not for the whole of FR"),
        ({"territory": Territory(regions_included=("WORLD",), regions_excluded=("FR-H",))}, "not for the whole of FR"),
        ({"territory": Territory(regions_included=("ATLANTIS",))}, "not for the whole of FR"),
        ({"currency": "eur"}, None),
        ({"currency": "USD"}, "in USD"),
        ({"currency": None}, "without currency"),
    ],
)
def test_the_market_is_where_a_price_holds_unless_it_names_less_and_a_currency_is_never_assumed(facts, left_out):
    timeline = of(price(**facts))
    assert ((left_out,) if left_out else ()) == timeline.left_out
    assert ("GAP" if left_out else "9.99") == shown(timeline)


def test_the_rest_of_the_world_is_where_no_other_price_is_for():
    rest = price("7.99", territory=Territory(regions_included=("ROW",)))
    assert "9.99" == shown(of(rest, price("9.99", territory=Territory(countries_included=("FR",)))))
    assert "7.99" == shown(of(rest, price("9.99", territory=Territory(countries_included=("BE",)))))
    elsewhere = price("9.99", currency="USD", territory=Territory(countries_included=("FR",)))
    assert "GAP" == shown(of(rest, elsewhere))


# --- 3: dates ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dates", "since", "until"),
    [
        ((), None, None),
        ((dated("14", FUTURE),), FUTURE_START, None),
        ((dated("15", FUTURE),), None, FUTURE_START + DAY),
        ((dated("14", FUTURE), dated("15", FUTURE)), FUTURE_START, FUTURE_START + DAY),
        ((dated("24", "2026090120260902", "06"),), FUTURE_START, FUTURE_START + 2 * DAY),
        ((dated("24", FUTURE),), FUTURE_START, FUTURE_START + DAY),
        ((dated("15", "202608", "01"),), None, FUTURE_START),
        ((dated("14", "20260901T000000+0200", "14"),), FUTURE_START, None),
        ((dated("15", "20260901T000000+0200", "14"),), None, FUTURE_START),
        ((dated("14", PAST), dated("14", FUTURE)), FUTURE_START, None),
        ((dated("15", "20270101"), dated("15", FUTURE)), None, FUTURE_START + DAY),
        ((dated("14", FUTURE), dated("15", "99991231")), FUTURE_START, None),
    ],
)
def test_both_ends_of_a_period_belong_to_it(dates, since, until):
    """A time is an instant, and so an end that is one does not."""
    timeline = of(price("9.99", "04", *dates))
    bounds = [cut for cut in (since, until) if cut]
    assert bounds == list(timeline.turns())
    for cut, before, after in ((since, "GAP", "9.99"), (until, "9.99", "GAP")):
        if cut:
            assert (before, after) == (shown(timeline, cut - MICROSECOND), shown(timeline, cut))


@pytest.mark.parametrize(
    "dates",
    [
        (dated("14", "soon"),),
        (dated("15", "20261", "04"),),
        (dated("24", "20260901-"),),
        (dated("14", FUTURE), dated("15", "N/A")),
        (dated("14", "14480319", "20"),),
        (dated("99", FUTURE),),
        (dated("02", FUTURE),),
    ],
)
def test_a_date_that_cannot_be_read_disables_its_price(dates):
    """And so does one in a role that nobody knows."""
    timeline = of(price("9.99", "04", *dates))
    assert ("GAP", ("with a PriceDate that cannot be read",)) == (shown(timeline), timeline.left_out)


def test_a_period_that_ends_before_it_begins_is_none():
    assert ["GAP"] == table(of(price("9.99", "04", dated("14", FUTURE), dated("15", PAST))))


# --- 4: qualifiers -------------------------------------------------------------------------------------------------------


LIST_59: dict[str | None, tuple[bool, bool]] = {
    **dict.fromkeys((None, "", "00", "05"), (True, True)),
    **dict.fromkeys(("07", "08", "17"), (False, True)),
    **dict.fromkeys(("01", "02", "03", "04", "06", "09", "10", "11", "12"), (False, False)),
    **dict.fromkeys(("13", "14", "15", "16", "18", "19", "20", "ZZ"), (False, False)),
}


@pytest.mark.parametrize("qualifier", LIST_59)
def test_each_qualifier_undated_and_dated(qualifier):
    """A reservation's, promotion's or introductory price must carry dates; groups and institutions are no readers."""
    undated, for_a_time = LIST_59[qualifier]
    assert ("9.99" if undated else "GAP") == shown(of(price(qualifier=qualifier)))
    assert ("9.99" if for_a_time else "GAP") == shown(of(price("9.99", "04", dated("14", PAST), qualifier=qualifier)))


def test_of_one_period_the_price_that_names_the_reader_goes_first():
    """List 59: 00 is for whoever is in no group that is named."""
    assert "8.99" == shown(of(price("9.99", qualifier="00"), price("8.99", qualifier="05")))
    assert "8.99" == shown(of(price("8.99", qualifier="05"), price("7.99")))
    promotion = price("4.99", "04", dated("14", PAST))
    assert "4.99" == shown(of(price("8.99", qualifier="05"), promotion))


# --- 5 to 8: quantity, type, terms, status -------------------------------------------------------------------------------


LIST_58: dict[str | None, str] = {
    **dict.fromkeys(("01", "02", "03", "04", "33", "34", "41", "42"), "9.99"),
    **dict.fromkeys(("05", "06", "07", "08", "09", "11", "12", "13", "14", "15", "17"), "GAP"),
    **dict.fromkeys(("21", "22", "23", "24", "25", "27", "31", "32", "35", "36", "37"), "GAP"),
    **dict.fromkeys(("00", "43", "ZZ", "", None), "GAP"),
}


@pytest.mark.parametrize("kind", LIST_58)
def test_each_price_type_after_publication(kind):
    assert LIST_58[kind] == shown(of(price(kind=kind), published_at=NOW))


@pytest.mark.parametrize("kind", ["21", "22", "23", "24"])
def test_a_pre_publication_price_ends_with_the_publication(kind):
    early = price("7.99", kind)
    assert ["7.99", "GAP"] == table(of(early, published_at=FUTURE_START))
    assert [FUTURE_START] == list(of(early, published_at=FUTURE_START).turns())
    assert ["7.99", "9.99"] == table(of(early, price("9.99", "02"), published_at=FUTURE_START))
    undated = of(early)
    assert ("GAP", ("for orders before a publication that nobody dates",)) == (shown(undated), undated.left_out)


def test_a_pre_publication_price_ends_before_if_it_says_so():
    timeline = of(price("7.99", "24", dated("15", PAST)), price("9.99"), published_at=FUTURE_START)
    assert ["7.99", "9.99"] == table(timeline)
    assert "9.99" == shown(timeline)


ORDER_OF_TYPES = ["04", "03", "34", "33", "42", "41", "02", "01"]


def test_fixed_prices_bind_then_the_publisher_s_then_the_recommended_and_of_a_pair_the_one_with_tax():
    left = list(ORDER_OF_TYPES)
    while left:
        found = of(*(price(kind, kind) for kind in reversed(left))).in_force(NOW).price
        assert found is not None
        assert left.pop(0) == found.type


BY_CONTRACT = {
    "bokbasen 10.2": (
        (PriceType.FIXED_INCLUDING_TAX,),
        (PriceType.RRP_INCLUDING_TAX,),
        (PriceType.AGENCY_INCLUDING_TAX,),
    ),
    "cb 5.1": (
        (PriceType.RRP_INCLUDING_TAX, PriceType.FIXED_INCLUDING_TAX, PriceType.SPECIAL_SALE_RRP_INCLUDING_TAX),
        (PriceType.RRP_EXCLUDING_TAX,),
    ),
}


@pytest.mark.parametrize(
    ("contract", "expected"),
    [("bokbasen 10.2", ["04", "02", "42"]), ("cb 5.1", ["02", "04", "12", "01"])],
)
def test_a_contract_may_name_other_types_in_another_order(contract, expected):
    left = [price(kind=kind) for kind in ("01", "02", "03", "04", "12", "42")]
    found = []
    while shown(of(*left, types=BY_CONTRACT[contract])) != "GAP":
        chosen = of(*left, types=BY_CONTRACT[contract]).in_force(NOW).price
        assert chosen is not None
        found.append(chosen.type.value)
        left = [each for each in left if each.type != chosen.type]
    assert expected == found


def test_a_fixed_price_binds_whatever_is_recommended_for_a_time():
    assert "9.99" == shown(of(price("9.99", "04"), price("4.99", "02", dated("14", PAST))))
    assert "9.99" == shown(of(price("9.99", "34"), price("4.99", "42", dated("14", PAST))))


def test_a_promotion_without_tax_cuts_a_hole_into_a_normal_price_with_tax():
    assert "4.73" == shown(of(price("9.99", "04"), price("4.73", "03", dated("14", PAST))))


@pytest.mark.parametrize(
    ("facts", "left_out"),
    [
        ({"conditions": True}, "on terms"),
        ({"status": "01"}, "of PriceStatus 01"),
        ({"status": "77"}, "of PriceStatus 77"),
        ({"status": "00"}, None),
        ({"status": "02"}, None),
        ({"status": None}, None),
        ({"protections": ("03",)}, "for EpubTechnicalProtection 03"),
        ({"protections": ("02",)}, None),
        ({"protections": ("02", "03")}, "for EpubTechnicalProtection 02, 03"),
    ],
)
def test_terms_a_provisional_price_and_another_lock_are_no_plain_price(facts, left_out):
    timeline = of(price(**facts), protections=("02",))
    assert ((left_out,) if left_out else ()) == timeline.left_out
    assert ("GAP" if left_out else "9.99") == shown(timeline)


@pytest.mark.parametrize("amount", ["-0.01", "NaN", "sNaN", "Infinity", None])
def test_what_is_no_amount_is_no_price(amount):
    timeline = of(price(amount))
    assert ("GAP", ("without an amount that can be charged",)) == (shown(timeline), timeline.left_out)


# --- free and unpriced ---------------------------------------------------------------------------------------------------


LIST_57 = {"01": NoPrice.FREE, **dict.fromkeys(("02", "03", "04", "05", "06", "07", "08", "ZZ"), NoPrice.UNPRICED)}


@pytest.mark.parametrize("code", LIST_57)
def test_each_reason_for_no_price_at_both_levels(code):
    """A price of its own that states it needs neither currency nor type."""
    expected = Tariff(none=LIST_57[code], detail=f"UnpricedItemType {code}")
    assert expected == of(unpriced=code).in_force(NOW)
    assert expected == of(price(None, None, currency=None, unpriced=code)).in_force(NOW)
    assert expected == of(price(None, "04", unpriced=code)).in_force(NOW)
    assert expected == of(price("9.99", "04", unpriced=code)).in_force(NOW)


@pytest.mark.parametrize("facts", [{"currency": "USD"}, {"kind": "05"}, {"qualifier": "06"}, {"conditions": True}])
def test_what_is_unpriced_for_others_says_nothing(facts):
    assert "GAP" == shown(of(price(None, unpriced="02", **facts)))


@pytest.mark.parametrize("amount", ["0", "0.00", "0E+3"])
def test_zero_is_never_a_price(amount):
    timeline = of(price(amount))
    assert "FREE_OR_UNPRICED" == shown(timeline)
    assert "free as often as not priced" in str(timeline.in_force(NOW))


@pytest.mark.parametrize(
    "silent", [price("0.00"), price(None, unpriced="01"), price(None, None, currency=None, unpriced="02")]
)
def test_a_price_of_the_same_period_goes_before_what_is_none(silent):
    assert "9.99" == shown(of(silent, price()))
    assert "9.99" == shown(of(price("9.99", "01"), silent))


def test_a_time_that_is_free_cuts_a_hole_into_the_normal_price():
    days = (dated("14", "20260701"), dated("15", "20260710"))
    for silent in (price("0.00", "04", *days), price(None, None, *days, currency=None, unpriced="01")):
        expected = "FREE" if silent.unpriced else "FREE_OR_UNPRICED"
        assert ["9.99", expected, "9.99"] == table(of(price(), silent))


def test_the_supplier_s_reason_holds_where_no_price_does():
    timeline = of(price("9.99", "04", dated("14", FUTURE)), unpriced="02")
    assert ["UNPRICED", "9.99"] == table(timeline)


def test_a_trail_tells_why():
    assert str(of().in_force(NOW)) == "no price is in force"
    assert str(of(unpriced="01").in_force(NOW)) == (
        "free of charge, and nothing is sold at a price of zero by accident: UnpricedItemType 01"
    )
    assert str(of(price()).in_force(NOW)) == "9.99 EUR (type 04) is in force"


# --- the timeline --------------------------------------------------------------------------------------------------------


def test_promotions_cut_holes_into_the_normal_price_the_narrower_into_the_wider():
    timeline = of(
        price("14.99"),
        price("7.99", "04", dated("14", "20260701"), dated("15", "20260710")),
        price("4.99", "04", dated("24", "20260705")),
    )
    assert ["14.99", "7.99", "4.99", "7.99", "14.99"] == table(timeline)
    days = ["2026-06-30", "2026-07-04", "2026-07-05", "2026-07-10"]
    assert [f"{day}T22:00:00+00:00" for day in days] == [at.isoformat() for at in timeline.turns()]


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([price("9.99", "04", dated("14", PAST))], ["14.99", "9.99"]),
        ([price("9.99", "04", dated("15", PAST))], ["9.99", "14.99"]),
        ([price("9.99", "04", dated("14", PAST)), price("8.99", "04", dated("14", FUTURE))], ["14.99", "9.99", "8.99"]),
        ([price("9.99", "04", dated("15", PAST)), price("8.99", "04", dated("15", FUTURE))], ["9.99", "8.99", "14.99"]),
        ([price("9.99", "04", dated("15", FUTURE)), price("8.99", "04", dated("14", FUTURE))], ["9.99", "8.99"]),
        ([price("14.990", "04", dated("14", PAST))], ["14.99"]),
    ],
)
def test_a_dated_price_beats_an_undated_one_and_the_later_start_the_earlier(others, expected):
    """Where one ends on the day that another begins, the day is the follower's; what does not differ does not turn."""
    assert expected == table(of(price("14.99"), *others))


def test_prices_of_one_rank_that_differ_are_ambiguous_as_long_as_they_overlap():
    days = (dated("14", "20260701"), dated("15", "20260710"))
    timeline = of(price("14.99"), price("7.99", "04", *days), price("6.99", "04", *days))
    assert ["14.99", "AMBIGUOUS", "14.99"] == table(timeline)
    assert "6.99, 7.99" == timeline.stretches[1].tariff.detail
    assert "AMBIGUOUS" == shown(of(price("9.99"), price("8.99")))
    assert "9.9" == shown(of(price("9.9"), price("9.90")))


def test_one_amount_with_two_tax_rates_is_a_price_without_a_known_rate():
    rates = [price(taxes=(Tax(rate_percent=Decimal(rate)),)) for rate in ("5.5", "20")]
    expected = ConsumerPrice(
        amount=Decimal("9.99"), currency="EUR", type=PriceType.FIXED_INCLUDING_TAX, has_several_rates=True
    )
    assert Tariff(price=expected) == of(*rates).in_force(NOW)


def test_the_country_s_rate_is_not_that_of_a_price_with_several_of_its_own():
    """Parts of a product may be taxed at different rates; nobody knows then what the whole costs with tax."""
    mixed = of(price("9.99", "03", taxes=tuple(Tax(rate_percent=Decimal(rate)) for rate in ("5.5", "20"))))
    found = mixed.in_force(NOW).price
    assert found is not None
    assert found.to_offer_price(Decimal(10)).tax_percent is None


def test_prices_that_are_left_out_are_told_once_each():
    timeline = of(price(currency="USD"), price(currency="USD"), price(kind="05"), price())
    assert ("in USD", "of PriceType 05") == timeline.left_out


def test_without_prices_all_of_time_is_one_gap():
    assert ["GAP"] == table(of())
    assert [] == list(of().turns())


# --- as an offer shows it ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [*ORDER_OF_TYPES, "21", "22", "23", "24"])
def test_even_types_include_tax(kind):
    found = of(price(kind=kind), published_at=FUTURE_START).in_force(NOW).price
    assert found is not None
    basis = TaxBasis.INCLUDED if kind in {"02", "04", "22", "24", "34", "42"} else TaxBasis.EXCLUDED
    assert OfferPrice(amount=Decimal("9.99"), currency="EUR", type=kind, tax=basis) == found.to_offer_price(None)
    assert Decimal(20) == found.to_offer_price(Decimal(20)).tax_percent


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ([], None),
        (["5.5"], "5.5"),
        (["0"], "0"),
        (["7", "7.0"], "7"),
        (["7", "19"], None),
        (["NaN"], None),
        (["-7"], None),
        (["101"], None),
        (["7", "NaN"], None),
    ],
)
def test_the_stated_tax_rate_is_the_only_one(rates, expected):
    found = stated_tax_rate(price(taxes=tuple(Tax(rate_percent=Decimal(rate)) for rate in rates)))
    assert (None if expected is None else Decimal(expected)) == found


@pytest.mark.parametrize(
    ("codes", "expected"),
    [(["Z"], "0"), (["TaxExempt"], "0"), (["S"], None), (["R"], None), (["Z", "Z"], "0"), ([None], None)],
)
def test_what_is_zero_rated_or_exempt_bears_no_tax_though_no_percentage_says_so(codes, expected):
    found = stated_tax_rate(price(taxes=tuple(Tax(rate_code=code) for code in codes)))
    assert (None if expected is None else Decimal(expected)) == found


def test_a_percentage_goes_before_its_code():
    assert Decimal("5.5") == stated_tax_rate(price(taxes=(Tax(rate_code="Z", rate_percent=Decimal("5.5")),)))
