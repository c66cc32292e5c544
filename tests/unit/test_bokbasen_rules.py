"""Bokbasen's decision table, colours, dates and prices, row by row (contract bokbasen 10)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from adapters.distributors.bokbasen.colours import COLOURS, Colour, light_of
from adapters.distributors.bokbasen.inventory import InventoryRow, newest
from adapters.distributors.bokbasen.rules import EVERY_FORMAT, NORWAY
from syncengine.domain.ids import Format, RecordReference
from syncengine.domain.offer import HeldOrders, OfferState, TaxBasis
from syncengine.domain.product import Product, SalesRights
from syncengine.domain.territory import Market, Territory
from syncengine.domain.title import Remembered, Title
from tests.bokbasen_products import (
    FUTURE,
    FUTURE_START,
    IN_NORWAY,
    ISBN,
    KEY,
    PAST,
    RESID,
    TODAY,
    alerts,
    charged,
    dated,
    decided_by,
    forthcoming,
    offered,
    price,
    record,
    row,
    rules,
    supply,
    title,
    unpriced,
)
from tests.values import replace

S = OfferState


@dataclass(frozen=True, kw_only=True)
class Case:
    """A row of the table: what the sources say, and what it allows. `held` is what becomes of orders that wait."""

    number: int
    name: str
    records: tuple[Product, ...]
    state: OfferState
    sells: bool = False
    ahead: bool = False
    new: bool = False
    """Whether new orders are taken at all."""
    stops: bool = False
    once: bool = False
    removed: bool = False
    by: tuple[tuple[str, bool], ...] = ()

    @property
    def id(self) -> str:
        return f"10.1/{self.number} {self.name}"


def case(number: int, name: str, *records: Product, state: OfferState, **facts: bool) -> Case:
    switches = {"preorders_without_right", "access_is_early"}
    by = tuple((key, facts.pop(key)) for key in switches & facts.keys())
    return Case(number=number, name=name, records=records, state=state, by=by, **facts)


UNPUBLISHED = row(published="false")
OFF = supply(pa="31", mps="06")
TABLE = [
    case(1, "deleted record", record(notification_type="05"), row(), state=S.REMOVED, stops=True),
    case(1, "removed record", row(), removed=True, state=S.REMOVED, stops=True),
    case(2, "no record", row(), state=S.UNKNOWN),
    case(3, "print", record(form="BC"), row(), state=S.UNAVAILABLE),
    case(3, "no form", record(form=None), row(), state=S.UNAVAILABLE),
    case(3, "another supplier", record(supply(supplier="Forlagssentralen")), row(), state=S.UNAVAILABLE),
    case(4, "deleted at the warehouse", record(), row(deleted="2026-05-01"), state=S.WITHDRAWN, stops=True),
    case(4, "before the right", record(), row(deleted="2026-05-01", access="false"), state=S.WITHDRAWN, stops=True),
    case(5, "no right", record(), row(access="false"), state=S.UNAVAILABLE, stops=True),
    case(5, "right revoked", record(), row(access="false"), once=True, state=S.WITHDRAWN, stops=True),
    case(5, "unpublished", forthcoming(), row(access="false", published="false"), state=S.UNAVAILABLE, stops=True),
    case(6, "libraries", record(supply(market_restrictions=("06",))), row(), state=S.UNAVAILABLE, stops=True),
    case(6, "subscriptions", record(supply(market_restrictions=("13",))), row(), state=S.UNAVAILABLE, stops=True),
    case(6, "other outlets", record(supply(market_restrictions=("04",), market_outlets=("7099",))), row(), state=S.UNAVAILABLE, stops=True),
    case(6, "unnamed outlets", record(supply(market_restrictions=("04",))), row(), state=S.UNAVAILABLE, stops=True),
    case(6, "schools", record(supply(market_restrictions=("07",))), row(), state=S.UNAVAILABLE, stops=True),
    case(6, "whole record", record(sales_restrictions=("06",)), row(), state=S.UNAVAILABLE, stops=True),
    case(6, "no rights", record(sales_rights=(SalesRights(type="03", territory=IN_NORWAY),)), row(), state=S.OUT_OF_TERRITORY, stops=True),
    case(6, "market elsewhere", record(supply(markets=(Territory(countries_included=("SE",)),))), row(), state=S.OUT_OF_TERRITORY, stops=True),
    case(7, "cancelled by the supplier", record(supply(pa="01")), row(), state=S.WITHDRAWN, stops=True),
    case(7, "cancelled in the market", record(supply(mps="01")), row(), state=S.WITHDRAWN, stops=True),
    case(8, "postponed by the supplier", forthcoming(pa="09"), UNPUBLISHED, state=S.ANNOUNCED),
    case(8, "postponed in the market", forthcoming(mps="03"), UNPUBLISHED, state=S.ANNOUNCED),
    case(9, "sold out", record(supply(pa="40", mps="07")), row(), state=S.WITHDRAWN, stops=True),
    case(9, "red by one alone", record(supply(pa="21", mps="08")), row(), state=S.WITHDRAWN, stops=True),
    case(9, "not held", record(supply(pa="51")), state=S.WITHDRAWN, stops=True),
    case(10, "embargo", record(embargo=FUTURE), row(), state=S.ANNOUNCED, ahead=True, new=True),
    case(10, "expected", forthcoming(), row(), state=S.ANNOUNCED, ahead=True, new=True),
    case(10, "unpriced", record(unpriced(), embargo=FUTURE), row(), state=S.ANNOUNCED),
    case(11, "no price", record(unpriced()), row(), state=S.UNPRICED),
    case(11, "foreign price", record(supply(price("129.00", "SEK"))), row(), state=S.UNPRICED),
    case(12, "green", record(), row(), state=S.FOR_SALE, sells=True, new=True),
    case(12, "green without a day", record(first=None), row(), state=S.FOR_SALE, sells=True, new=True),
    case(12, "yellow whose day has come", forthcoming(expected=TODAY), row(), state=S.FOR_SALE, sells=True, new=True),
    case(13, "grey", record(OFF), row(), state=S.UNAVAILABLE),
    case(14, "preorder", forthcoming(), UNPUBLISHED, state=S.PREORDER, ahead=True, new=True),
    case(14, "embargo later", forthcoming(expected=PAST, embargo=FUTURE), UNPUBLISHED, state=S.PREORDER, ahead=True, new=True),
    case(14, "access not early", forthcoming(), row(published="false", access="false"), access_is_early=False, state=S.ANNOUNCED),
    case(14, "access not early, by the switch", forthcoming(), row(published="false", access="false"), access_is_early=False, preorders_without_right=True, state=S.PREORDER, ahead=True, new=True),
    case(15, "no day", forthcoming(expected=None), UNPUBLISHED, state=S.ANNOUNCED),
    case(15, "a year only", forthcoming(expected="2027"), UNPUBLISHED, state=S.ANNOUNCED),
    case(15, "late", forthcoming(expected=TODAY), UNPUBLISHED, state=S.ANNOUNCED),
    case(15, "no price", record(unpriced(pa="10", mps="02", expected=FUTURE), first=None), UNPUBLISHED, state=S.ANNOUNCED),
    case(15, "several prices", forthcoming(price("199.00"), price("249.00")), UNPUBLISHED, state=S.ANNOUNCED),
    case(16, "green", record(), UNPUBLISHED, state=S.UNAVAILABLE),
    case(16, "grey", record(OFF), UNPUBLISHED, state=S.UNAVAILABLE),
    case(17, "switch off", forthcoming(), state=S.ANNOUNCED),
    case(17, "switch on", forthcoming(), preorders_without_right=True, state=S.ANNOUNCED, ahead=True, new=True),
    case(17, "day passed", forthcoming(expected=PAST), state=S.ANNOUNCED),
    case(18, "yellow without a day", forthcoming(expected=None), preorders_without_right=True, state=S.ANNOUNCED),
    case(18, "green", record(), state=S.UNAVAILABLE),
    case(18, "grey", record(OFF), state=S.UNAVAILABLE),
    case(18, "no colour", record(supply(pa=None, mps=None)), state=S.UNAVAILABLE),
    case(19, "no colour, published", record(supply(pa="99", mps="09")), row(), state=S.UNAVAILABLE),
    case(19, "no colour, unpublished", record(supply(pa=None, mps=None)), UNPUBLISHED, state=S.UNAVAILABLE),
    case(19, "published and yellow without a day", forthcoming(expected=None), row(), state=S.UNAVAILABLE),
    case(19, "several prices", record(supply(price("199.00"), price("249.00"))), row(), state=S.UNAVAILABLE),
    case(19, "unknown availability", record(supply(pa="77")), row(), state=S.UNAVAILABLE),
    case(19, "unknown market status", record(supply(mps="77")), row(), state=S.UNAVAILABLE),
    case(19, "withdrawn by a code that is not listed", record(supply(mps="11")), row(), state=S.UNAVAILABLE),
    case(19, "unknown restriction", record(supply(market_restrictions=("ZZ",))), row(), state=S.UNAVAILABLE),
    case(19, "unknown restriction ahead", record(supply(pa="10", mps="02", expected=FUTURE, market_restrictions=("ZZ",)), first=None), UNPUBLISHED, state=S.UNAVAILABLE),
    case(19, "unknown rights", record(sales_rights=(SalesRights(type="99", territory=IN_NORWAY),)), row(), state=S.UNAVAILABLE),
    case(19, "restricted rights", record(sales_rights=(SalesRights(type="07", territory=IN_NORWAY),)), row(), state=S.UNAVAILABLE),
    case(19, "recalled by its publisher", record(publishing_status="15"), row(), state=S.UNAVAILABLE),
    case(19, "suppliers of two colours", record(supply(), supply(pa="31", mps="06")), row(), state=S.UNAVAILABLE),
    case(19, "unreadable flags", record(), row(published="maybe"), state=S.UNAVAILABLE),
    case(19, "unreadable access", record(), row(access=""), state=S.UNAVAILABLE),
    case(19, "unreadable resource", record(), row(id="urn:uuid:none"), state=S.UNAVAILABLE),
]  # fmt: skip


@pytest.mark.parametrize("row_of_table", TABLE, ids=lambda one: one.id)
def test_row(row_of_table: Case) -> None:
    one = row_of_table
    offer = offered(title(*one.records, once_deliverable=one.once, was_removed=one.removed), by=rules(**dict(one.by)))
    assert one.state is offer.state, offer.rules
    assert f"bokbasen 10.1/{one.number}" == decided_by(offer)
    assert (one.sells, one.ahead) == (offer.accepts_orders, offer.accepts_preorders)
    assert (HeldOrders.STOP if one.stops else HeldOrders.KEEP) is offer.held_orders
    assert one.new is (offer.accepts_orders or offer.accepts_preorders)
    assert (not one.new and not one.stops) is offer.takes_no_new
    assert not offer.declares_preorders


def test_every_row_is_tested():
    assert set(range(1, 20)) == {one.number for one in TABLE}


@pytest.mark.parametrize(
    "one",
    [one for one in TABLE if one.number == 19],
    ids=lambda one: one.id,
)
def test_row_19_wants_a_persons_eye(one):
    assert "bokbasen 10.1/19" in alerts(offered(title(*one.records)))


def test_one_that_stops_is_enough_and_to_sell_both_must_agree():
    assert offered(record(), row()).accepts_orders
    assert not offered(record(), row(access="false")).accepts_orders
    assert not offered(record(), UNPUBLISHED).accepts_orders
    assert not offered(record(supply(mps="07")), row()).accepts_orders


def test_the_way_of_a_title_whichever_feed_moves_first():
    """Contract 14: no order of the feeds is assumed."""
    ahead, out = forthcoming(), record(first=TODAY)
    assert (S.PREORDER, S.UNAVAILABLE) == (offered(ahead, UNPUBLISHED).state, offered(out, UNPUBLISHED).state)
    assert (S.ANNOUNCED, S.FOR_SALE) == (offered(ahead, row()).state, offered(out, row()).state)
    assert HeldOrders.KEEP is offered(out, UNPUBLISHED).held_orders


# --- colours


@pytest.mark.parametrize(
    ("pa", "mps", "colour"),
    [
        *((pa, "04", Colour.RED) for pa in ("40", "41", "42", "43", "44", "45", "46", "47", "48", "49", "51", "52")),
        *(("21", mps, Colour.RED) for mps in ("05", "07", "08", "10")),
        *((pa, None, Colour.YELLOW) for pa in ("10", "11", "12")),
        *((pa, None, Colour.GREEN) for pa in ("20", "21", "22", "23")),
        *((pa, None, Colour.GREY) for pa in ("30", "31", "32", "33", "34")),
        (None, "02", Colour.YELLOW),
        (None, "04", Colour.GREEN),
        (None, "06", Colour.GREY),
        ("99", "04", Colour.GREEN),
        ("", "", Colour.NONE),
        (None, "09", Colour.NONE),
        (None, "00", Colour.NONE),
        ("21", "02", Colour.GREEN),
        ("10", "04", Colour.YELLOW),
    ],
)
def test_colours(pa, mps, colour):
    light = light_of(pa, mps)
    assert (colour, ()) == (light.colour, light.unknown)


@pytest.mark.parametrize(("pa", "mps"), [("21", "02"), ("10", "04"), ("21", "07")])
def test_codes_of_two_colours_are_told(pa, mps):
    offer = offered(record(supply(pa=pa, mps=mps)), row())
    assert "bokbasen 10.1/colour" in alerts(offer)


def test_the_table_of_colours_can_be_replaced():
    table = replace(COLOURS, market_status={**COLOURS.market_status, "14": Colour.GREEN})
    offer = record(supply(pa=None, mps="14"))
    assert S.UNAVAILABLE is offered(offer, row()).state
    assert S.FOR_SALE is offered(offer, row(), by=rules(colours=table)).state
    assert rules().version != rules(colours=table).version


# --- restrictions


@pytest.mark.parametrize("code", ["00", "09", "12", "99"])
def test_restrictions_that_do_not_concern_the_shop(code):
    assert S.FOR_SALE is offered(record(supply(market_restrictions=(code,))), row()).state


def test_an_exclusive_title_of_this_shop():
    exclusive = record(supply(market_restrictions=("04",), market_outlets=("7001", "Norli")))
    assert S.UNAVAILABLE is offered(exclusive, row()).state
    assert S.FOR_SALE is offered(exclusive, row(), by=rules(outlets=("7001",))).state
    assert S.FOR_SALE is offered(exclusive, row(), by=rules(outlets=(" NORLI ",))).state


def test_of_several_markets_one_open_to_the_shop_is_enough():
    """One outlet a market (contract 9.2): the others' markets say nothing of this shop."""
    theirs = supply(price("149.00"), market_restrictions=("04",), market_outlets=("7099",))
    ours = supply(price("199.00"), market_restrictions=("04",), market_outlets=("7001",))
    offer = offered(record(theirs, ours), row(), by=rules(outlets=("7001",)))
    assert (S.FOR_SALE, Decimal("199.00")) == (offer.state, charged(offer).amount)


def test_a_second_supplier_says_nothing():
    other = supply(price("1.00"), pa="40", supplier="Forlagssentralen")
    assert Decimal("199.00") == charged(offered(record(other, supply()), row())).amount


def test_sales_rights_that_are_not_stated_take_nothing():
    assert S.FOR_SALE is offered(record(sales_rights=()), row()).state


def test_there_is_one_market():
    offer = offered(record(), row(), market=Market(country="SE", currency="SEK"))
    assert (S.OUT_OF_TERRITORY, "bokbasen 10.1/6") == (offer.state, decided_by(offer))


# --- dates


@pytest.mark.parametrize(
    ("made", "start"),
    [
        (forthcoming(), FUTURE_START),
        (forthcoming(first="20261101"), FUTURE_START),
        (forthcoming(expected=None, first=FUTURE), FUTURE_START),
        (forthcoming(expected="2026", first=FUTURE), FUTURE_START),
        (forthcoming(expected=PAST, embargo=FUTURE), FUTURE_START),
        (forthcoming(embargo=PAST), FUTURE_START),
        (forthcoming(expected=None, first=None, embargo=FUTURE), FUTURE_START),
        (forthcoming(expected=None, first=None), None),
        (forthcoming(expected=None, first="202609"), None),
        (forthcoming(expected="20260901T0930"), datetime(2026, 9, 1, 7, 30, tzinfo=UTC)),
        (forthcoming(expected="20261201"), datetime(2026, 11, 30, 23, 0, tzinfo=UTC)),
    ],
    ids=[
        "10.3/1 market date",
        "10.3/1 before first publication",
        "10.3/2 first publication",
        "10.3/2 the market date is only a year",
        "10.3 embargo later",
        "10.3 embargo earlier",
        "10.3 embargo alone",
        "10.3/3 none",
        "10.3/3 a month is no full date",
        "10.3/1 with a time",
        "10.3 midnight in winter",
    ],
)
def test_which_date(made, start):
    assert start == offered(made, UNPUBLISHED).starts_at


def test_an_embargo_that_cannot_be_read_keeps_the_title_shut():
    offer = offered(record(embargo="some day"), row())
    assert ("bokbasen 10.1/10", None) == (decided_by(offer), offer.next_change_at)


@pytest.mark.parametrize(
    "made",
    [
        record(supply(market_dates=(dated("02", FUTURE),))),
        record(supply(details=(replace(supply().details[0], dates=(dated("02", FUTURE),)),))),
        record(publishing_dates=(dated("11", PAST), dated("33", FUTURE))),
        record(supply(), supply(market_dates=(dated("02", FUTURE),))),
    ],
    ids=["of the market", "of the supplier", "of purchases", "of one of its markets"],
)
def test_an_embargo_binds_wherever_it_stands(made):
    """ONIX's embargoes bind on top of the inventory (row 10)."""
    offer = offered(made, row())
    assert ("bokbasen 10.1/10", False, FUTURE_START) == (decided_by(offer), offer.accepts_orders, offer.next_change_at)


def test_a_title_comes_out_at_midnight_in_norway():
    made = (record(embargo=FUTURE), row())
    assert FUTURE_START == offered(*made).next_change_at
    before = offered(*made, at=FUTURE_START - timedelta(seconds=1))
    after = offered(*made, at=FUTURE_START)
    assert (S.ANNOUNCED, S.FOR_SALE, None) == (before.state, after.state, after.next_change_at)


def test_a_preorder_is_late_from_its_day_on():
    made = (forthcoming(), UNPUBLISHED)
    assert FUTURE_START == offered(*made).next_change_at
    late = offered(*made, at=FUTURE_START)
    assert ("bokbasen 10.1/15", HeldOrders.KEEP, None) == (decided_by(late), late.held_orders, late.next_change_at)


# --- prices


def price_rules(offer):
    return [rule.id for rule in offer.rules if rule.id.startswith("bokbasen 10.2")]


def test_10_2_1_readers_prices_in_norwegian_money_count():
    prices = (
        price("499.00", qualifier="10"),
        price("149.00", qualifier="11"),
        price("99.00", qualifier=None),
        price("89.00", "SEK"),
        price("79.00", kind="01"),
        price("69.00", status="01"),
        price("59.00", conditions=True),
        price("49.00", territory=Territory(countries_included=("SE",))),
        price("0.00"),
        price(None),
        price("199.00"),
    )
    offer = offered(record(supply(*prices)), row())
    assert (Decimal("199.00"), "NOK", TaxBasis.INCLUDED) == (
        charged(offer).amount,
        charged(offer).currency,
        charged(offer).tax,
    )


@pytest.mark.parametrize(
    ("kinds", "chosen"), [(("42", "02", "04"), "04"), (("42", "02"), "02"), (("42",), "42")], ids=["04", "02", "42"]
)
def test_10_2_2_fixed_before_recommended_before_the_publishers(kinds, chosen):
    prices = [price(f"{100 + int(kind)}.00", kind=kind) for kind in kinds]
    offer = offered(record(supply(*prices)), row())
    assert (chosen, Decimal(100 + int(chosen))) == (charged(offer).type, charged(offer).amount)


def test_10_2_3_a_fixed_price_holds_through_its_last_day():
    offer = offered(record(supply(price(kind="04", until="20260701"))), row())
    assert ["bokbasen 10.2/3"] == price_rules(offer)
    assert datetime(2026, 7, 1, 22, 0, tzinfo=UTC) == offer.next_change_at


def test_10_2_4_a_fixed_price_without_an_end_holds_for_advance_sale():
    offer = offered(forthcoming(price("349.00", kind="04")), UNPUBLISHED)
    assert (S.PREORDER, "04", ["bokbasen 10.2/4"]) == (offer.state, charged(offer).type, price_rules(offer))


def test_10_2_5_the_update_behind_the_fixed_period():
    """The recommended price beside one that has ended is the one in force."""
    prices = (price("349.00", kind="04", until="20260614"), price("299.00", kind="02"))
    offer = offered(record(supply(*prices)), row())
    assert (Decimal("299.00"), "02", []) == (charged(offer).amount, charged(offer).type, alerts(offer))


def test_10_2_6_without_an_update_the_amount_stays_and_is_not_fixed():
    offer = offered(record(supply(price("349.00", kind="04", until="20260614"))), row())
    assert (S.FOR_SALE, Decimal("349.00"), "02") == (offer.state, charged(offer).amount, charged(offer).type)
    assert ["bokbasen 10.2/6"] == alerts(offer)


def test_10_2_7_of_several_prices_none_is_assumed():
    offer = offered(record(supply(price("199.00"), price("249.00"))), row())
    assert (None, "bokbasen 10.1/19") == (offer.price, decided_by(offer))
    same = offered(record(supply(price("199.00"), price("199.00"))), row())
    assert Decimal("199.00") == charged(same).amount


def test_a_price_whose_date_cannot_be_read_is_left_out():
    unreadable = replace(price("99.00"), dates=(dated("15", "soon"),))
    assert S.UNPRICED is offered(record(supply(unreadable)), row()).state


def test_a_price_from_a_later_day_waits_for_it():
    later = replace(price("249.00", kind="04"), dates=(dated("14", FUTURE),))
    offer = offered(record(supply(price("199.00"), later)), row())
    assert (Decimal("199.00"), FUTURE_START) == (charged(offer).amount, offer.next_change_at)
    assert Decimal("249.00") == charged(offered(record(supply(price("199.00"), later)), row(), at=FUTURE_START)).amount


def test_the_price_of_a_title_ahead_is_that_of_its_release():
    later = replace(price("249.00", kind="04"), dates=(dated("14", FUTURE),))
    offer = offered(forthcoming(price("199.00"), later), UNPUBLISHED)
    assert Decimal("249.00") == charged(offer).amount


def test_books_are_zero_rated():
    assert Decimal(0) == charged(offered(record(), row())).tax_percent


# --- what an order needs


def test_the_terms_of_an_order():
    offer = offered(record(), row(version="3", excerpt="true"))
    assert {
        "format": "epub",
        "resid": RESID,
        "drm": "SDRM",
        "version": "3",
        "protection": "SDRM",
        "protections": "SDRM",
        "excerpt": "true",
    } == offer.terms
    assert offer.check_first
    assert RecordReference("no.bokbasen.1") == offer.record_reference


@pytest.mark.parametrize(("drm", "letters"), [("SDRM", 2), ("NODRM", 0), ("TDRM", 0), ("LCP", 0), ("READIUM", 0)])
def test_a_watermark_takes_the_buyers_names(drm, letters):
    assert letters == offered(record(), row(drm=drm)).name_letters
    assert letters == offered(forthcoming(), row(drm=drm, published="false")).name_letters


@pytest.mark.parametrize(
    "one", [one for one in TABLE if any(product.row for product in one.records)], ids=lambda one: one.id
)
def test_a_sample_may_be_shown_in_rows_10_to_16(one):
    with_sample = tuple(
        replace(product, row=(*product.row, ("excerpt", "true"))) if product.row else product for product in one.records
    )
    offer = offered(title(*with_sample, once_deliverable=one.once, was_removed=one.removed), by=rules(**dict(one.by)))
    assert (10 <= one.number <= 16) is ("excerpt" in offer.terms)


def test_the_look_up_before_a_sale_can_be_left_out():
    assert not offered(record(), row(), by=rules(checks_first=False)).check_first


@pytest.mark.parametrize(
    ("drm", "protection", "told"),
    [
        ("SDRM", "02", []),
        ("NODRM", "00", []),
        ("TDRM", "03", []),
        ("LCP", "06", []),
        ("SDRM", "03", ["bokbasen 4/drm"]),
        ("READIUM", "06", []),
        ("UNKNOWN", "02", []),
    ],
)
def test_locks_of_both_sources_are_compared(drm, protection, told):
    """Contract 9.2; of a word that nobody knows nothing is concluded, and the title is sold (contract 14)."""
    offer = offered(record(protections=(protection,)), row(drm=drm))
    assert (S.FOR_SALE, told) == (offer.state, alerts(offer))


@pytest.mark.parametrize(
    ("form", "detail", "expected"),
    [
        ("ED", "E101", "epub"),
        ("EB", "E107", "pdf"),
        ("ED", "E144", "ebp"),
        ("AJ", "A103", "audio"),
        ("AJ", "", "audio"),
        ("ED", "E200", "ed"),
        ("BC", "", "bc"),
        (None, "", "00"),
    ],
)
def test_formats(form, detail, expected):
    assert (ISBN, Format(expected)) == rules().identify(record(form=form, form_details=(detail,)))


def test_a_row_belongs_to_every_format_of_its_isbn():
    assert (ISBN, EVERY_FORMAT) == rules().identify(row())


def test_what_has_no_isbn_belongs_to_no_title():
    assert rules().identify(record(identifiers=())) is None


# --- several records


def test_two_records_in_scope_are_not_told_apart():
    again = record(reference=RecordReference("no.bokbasen.2"))
    offer = offered(record(), again, row())
    assert ("title.ambiguous", S.UNKNOWN) == (decided_by(offer), offer.state)


def test_a_record_out_of_scope_steps_back():
    paper = record(supply(supplier="Forlagssentralen"), reference=RecordReference("no.bokbasen.2"))
    assert S.FOR_SALE is offered(paper, record(), row()).state


def test_of_several_rows_the_highest_version_counts():
    old = replace(row(version="1", published="false"), reference=RecordReference("inventory:old"))
    assert S.FOR_SALE is offered(record(), row(version="2"), old).state


def test_an_unnamed_title():
    offer = offered(Title(key=KEY))
    assert ("bokbasen 10.1/2", S.UNKNOWN) == (decided_by(offer), offer.state)


# --- the past


def test_a_right_that_was_revoked_is_remembered_until_it_comes_back():
    by = rules()
    revoked = by.remember(Remembered(), row(), row(access="false"))
    assert {"NOK": frozenset({"NO"})} == revoked.withdrawn
    assert revoked == by.remember(revoked, row(access="false"), row(access="false", version="2"))
    assert Remembered() == by.remember(revoked, row(access="false"), row())
    assert by.remembers


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (None, row(access="false")),
        (UNPUBLISHED, row(access="false")),
        (row(deleted="2026-01-01"), row(access="false")),
        (row(), UNPUBLISHED),
        (record(), record(supply(pa="40"))),
        (record(), None),
    ],
)
def test_what_never_could_be_delivered_was_never_withdrawn(old, new):
    assert Remembered() == rules().remember(Remembered(), old, new)


# --- rows of the inventory


def test_a_row_is_read():
    read = InventoryRow.of(row(drm="sdrm", version="7", deleted=" 2026-05-01 ").row)
    assert (RESID, 7, "SDRM", "EPUB", "2026-05-01") == (read.resid, read.version, read.drm, read.kind, read.deleted)
    assert read.needs_names
    assert not read.is_deliverable


@pytest.mark.parametrize(("version", "number"), [("", 0), ("x", 0), ("٣", 0), ("12", 12)])
def test_versions(version, number):
    assert number == InventoryRow.of(row(version=version).row).version


def test_the_newest_of_several_rows():
    assert newest([]) is None
    read = [InventoryRow.of(row(version=version).row) for version in ("1", "3", "2")]
    assert read[1] is newest(read)


# --- the version of the rules


@pytest.mark.parametrize(
    "changed",
    [
        rules(outlets=("7001",)),
        rules(supplier="X"),
        rules(checks_first=False),
        rules(preorders_without_right=True),
        rules(access_is_early=False),
        rules(tax_rates={"NO": Decimal(25)}),
    ],
)
def test_whatever_decides_is_in_the_version(changed):
    assert rules().version != changed.version
    assert (NORWAY,) == changed.markets
