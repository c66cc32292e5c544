"""CB's decision tables, row by row: section 5 for audiobooks, section 9 for e-books."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from adapters.distributors.cb.routing import Routing, Service
from syncengine.domain.ids import Format, Isbn, RecordReference
from syncengine.domain.offer import HeldOrders, OfferState
from syncengine.domain.product import SalesRights
from syncengine.domain.territory import Territory
from tests.cb_products import (
    AUDIO_KEY,
    EAN,
    EBOOK_KEY,
    NL_EUR,
    NOW,
    agreed,
    dated,
    detail,
    listed,
    offered,
    price,
    record,
    rule_ids,
    rules,
    title,
)
from tests.values import replace

UNPRICED = price(None)
OTHER_CODES = [
    "01",
    "11",
    "12",
    "21",
    "22",
    "23",
    "30",
    "31",
    "32",
    "33",
    "34",
    "41",
    "42",
    "43",
    "45",
    "46",
    "47",
    "48",
    "49",
    "51",
    "52",
    "99",
]


# --- section 5 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "details", "status", "state", "sells", "preorders", "held"),
    [
        ("row2", [detail(availability="40")], "04", OfferState.WITHDRAWN, False, False, HeldOrders.STOP),
        ("row2", [detail(availability="40")], "02", OfferState.WITHDRAWN, False, False, HeldOrders.STOP),
        ("row2", [detail(UNPRICED, availability="40")], None, OfferState.WITHDRAWN, False, False, HeldOrders.STOP),
        ("row3", [detail(availability="10")], "02", OfferState.ANNOUNCED, False, True, HeldOrders.KEEP),
        ("row3", [detail(UNPRICED, availability="10")], "02", OfferState.ANNOUNCED, False, True, HeldOrders.KEEP),
        ("row4", [detail(availability="10")], "04", OfferState.NOT_YET, False, True, HeldOrders.KEEP),
        ("row4", [detail(availability="10")], None, OfferState.NOT_YET, False, True, HeldOrders.KEEP),
        ("row5", [detail()], "04", OfferState.FOR_SALE, True, False, HeldOrders.KEEP),
        ("row6", [detail()], "02", OfferState.FOR_SALE, True, False, HeldOrders.KEEP),
        ("row6", [detail()], None, OfferState.FOR_SALE, True, False, HeldOrders.KEEP),
        ("row7", [detail(UNPRICED)], "04", OfferState.UNPRICED, False, False, HeldOrders.KEEP),
        ("row7", [detail(price(until="20260601"))], "04", OfferState.UNPRICED, False, False, HeldOrders.KEEP),
        ("row9", [], "04", OfferState.UNAVAILABLE, False, False, HeldOrders.KEEP),
        ("row9", [detail(availability=None)], "04", OfferState.UNAVAILABLE, False, False, HeldOrders.KEEP),
        *(
            ("row8", [detail(availability=code)], "04", OfferState.UNAVAILABLE, False, False, HeldOrders.KEEP)
            for code in OTHER_CODES
        ),
    ],
)
def test_row_of_table_5(row, details, status, state, sells, preorders, held):
    offer = offered(record(*details, status=status))
    assert f"cb.5.{row}" in rule_ids(offer)
    assert (state, sells, preorders, held) == (
        offer.state,
        offer.accepts_orders,
        offer.accepts_preorders,
        offer.held_orders,
    )
    assert not offer.declares_preorders
    assert sells is offer.check_first, "what is sold is asked about first"
    assert sells <= (offer.price is not None)


def test_row_1_a_deleted_record_is_withdrawn():
    """Whether the deletion took the record away, or came as a record of its own."""
    for offer in (offered(was_removed=True), offered(record(detail(), notification_type="05"))):
        assert ["cb.5.row1"] == rule_ids(offer)
        assert (OfferState.WITHDRAWN, HeldOrders.STOP) == (offer.state, offer.held_orders)


def test_a_deleted_record_leaves_rows_behind_that_sell_nothing():
    """Neither what the agreement allows nor what the inventory lists stands in for the record."""
    ebook = offered(agreed(), key=EBOOK_KEY, was_removed=True)
    audio = offered(listed(), was_removed=True)
    assert [["cb.5.row1"]] * 2 == [rule_ids(ebook), rule_ids(audio)]
    assert {HeldOrders.STOP} == {ebook.held_orders, audio.held_orders}


def test_row_2_goes_before_every_other_word_of_the_record():
    offer = offered(record(detail(availability="40"), status="04", published="20300101"))
    assert OfferState.WITHDRAWN is offer.state
    assert offer.price is None


@pytest.mark.parametrize(
    ("before", "after", "state"),
    [
        ("10", "20", OfferState.FOR_SALE),
        ("20", "40", OfferState.WITHDRAWN),
        ("40", "20", OfferState.FOR_SALE),
        ("10", "40", OfferState.WITHDRAWN),
    ],
)
def test_every_transition_is_allowed(before, after, state):
    """The record alone decides, whatever it said before."""
    by = rules()
    assert state is not offered(record(detail(availability=before)), by=by).state
    assert state is offered(record(detail(availability=after)), by=by).state


@pytest.mark.parametrize("day", ["20260101", "20260615", "20270101"])
@pytest.mark.parametrize("role", ["01", "08"])
def test_no_date_sells_or_stops_an_audiobook(day, role):
    """Section 4: two dates, neither a sale switch."""
    dates = {"published": day} if role == "01" else {}
    supply = () if role == "01" else (dated("08", day),)
    announced = offered(record(detail(availability="10", dates=supply), status="02", **dates))
    sold = offered(record(detail(dates=supply), **dates))
    assert (OfferState.ANNOUNCED, OfferState.FOR_SALE) == (announced.state, sold.state)
    assert announced.next_change_at is None


def test_expected_date_is_the_publication_or_else_the_supply_date():
    supply = (dated("08", "20261005"),)
    both = offered(record(detail(availability="10", dates=supply), status="02", published="20261103"))
    one = offered(record(detail(availability="10", dates=supply), status="02"))
    assert datetime(2026, 11, 2, 23, 0, tzinfo=UTC) == both.starts_at
    assert datetime(2026, 10, 4, 22, 0, tzinfo=UTC) == one.starts_at
    assert any("expected" in rule.says for rule in both.rules)


def test_step_a_judges_the_detail_of_cb():
    offer = offered(record(detail(availability="40", supplier="Elsewhere"), detail(supplier="centraal boekhuis")))
    assert OfferState.FOR_SALE is offer.state
    assert "cb.5.A" in rule_ids(offer)


def test_step_a_knows_cb_by_its_number_in_the_settings():
    by_number = detail(supplier=None, supplier_identifiers=("8711323000018",))
    offer = offered(
        record(detail(availability="40", supplier="Elsewhere"), by_number), by=rules(suppliers=["8711323000018"])
    )
    assert OfferState.FOR_SALE is offer.state


@pytest.mark.parametrize("suppliers", [("CB", "Luisterhuis"), ("One", "Other")])
@pytest.mark.parametrize(("other", "state"), [("40", OfferState.WITHDRAWN), ("10", OfferState.NOT_YET)])
def test_step_a_takes_the_most_restrictive_where_cb_is_not_unique(suppliers, other, state):
    first, second = suppliers
    offer = offered(record(detail(supplier=first), detail(availability=other, supplier=second)))
    assert state is offer.state


@pytest.mark.parametrize(
    ("checked", "state", "sells", "held"),
    [
        ("yes", OfferState.FOR_SALE, True, HeldOrders.KEEP),
        ("no", OfferState.WITHDRAWN, False, HeldOrders.STOP),
        ("unanswered", OfferState.UNAVAILABLE, False, HeldOrders.KEEP),
        (None, OfferState.UNAVAILABLE, False, HeldOrders.KEEP),
    ],
)
def test_step_b_what_has_gone_from_the_inventory_hangs_on_the_check(checked, state, sells, held):
    offer = offered(record(detail()), listed("N", checked=checked))
    assert (state, sells, held) == (offer.state, offer.accepts_orders, offer.held_orders)
    assert "cb.5.B" in rule_ids(offer)


def test_step_b_leaves_alone_what_is_listed_and_what_is_not_for_sale():
    assert OfferState.FOR_SALE is offered(record(detail()), listed("Y")).state
    announced = record(detail(availability="10"), status="02")
    assert OfferState.ANNOUNCED is offered(announced, listed("N", checked="no")).state


def test_a_positive_check_holds_for_minutes():
    """Section 6."""
    assert timedelta(minutes=5) == offered(record(detail())).check_holds
    assert timedelta(minutes=2) == offered(record(detail()), by=rules(check_holds=timedelta(minutes=2))).check_holds


def test_an_inventory_that_says_otherwise_is_told_and_decides_nothing():
    """Section 2.2: the check before each sale does."""
    offer = offered(record(detail()), listed("Y", availability="40"))
    assert (OfferState.FOR_SALE, True) == (offer.state, offer.check_first)
    assert "cb.2.2" in rule_ids(offer)
    assert "cb.2.2" not in rule_ids(offered(record(detail()), listed("Y")))


@pytest.mark.parametrize("form", ["05", "01", "14", "12"])
def test_a_date_in_another_format_refuses_the_record(form):
    """Section 4: only format 00 is understood."""
    offer = offered(record(detail(), publishing_dates=(dated("01", "20261103", form),)))
    assert (OfferState.UNKNOWN, ["cb.4.dates"]) == (offer.state, rule_ids(offer))
    assert not offer.accepts_orders


@pytest.mark.parametrize("form", [None, "", "00"])
def test_a_day_is_understood_in_each_of_its_three_forms(form):
    """Attribute, child element, and neither all arrive as a day."""
    offer = offered(record(detail(availability="10"), publishing_dates=(dated("01", "20261103", form),), status="02"))
    assert OfferState.ANNOUNCED is offer.state


def test_a_country_without_sales_rights_is_out_of_territory():
    banned = SalesRights(type="03", territory=Territory(countries_included=("NL",)))
    offer = offered(record(detail(), sales_rights=(banned,)))
    assert (OfferState.OUT_OF_TERRITORY, HeldOrders.STOP) == (offer.state, offer.held_orders)


def test_two_records_of_one_title_are_ambiguous():
    offer = offered(record(detail()), replace(record(detail()), reference=RecordReference("other")))
    assert (OfferState.UNKNOWN, ["title.ambiguous"]) == (offer.state, rule_ids(offer))


def test_a_title_nobody_named_is_unknown():
    assert ["title.unknown"] == rule_ids(offered())


# --- section 9 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "availability", "agreement", "state", "sells", "preorders"),
    [
        *(("row1", code, agreed(), OfferState.FOR_SALE, True, False) for code in ("20", "21", "22", "23")),
        ("row2", "20", agreed(allowed="N"), OfferState.UNAVAILABLE, False, False),
        ("row2", "20", agreed(allowed="N", webshop="N"), OfferState.UNAVAILABLE, False, False),
        ("row2", "10", agreed(allowed="N"), OfferState.UNAVAILABLE, False, False),
        ("row3", "20", agreed(webshop="N"), OfferState.UNAVAILABLE, False, False),
        *(("row4", code, agreed(), OfferState.ANNOUNCED, False, True) for code in ("10", "11", "12")),
        ("row5", "20", None, OfferState.UNAVAILABLE, False, False),
        ("row5", "10", None, OfferState.UNAVAILABLE, False, False),
        ("row6", None, agreed(), OfferState.NOT_YET, False, False),
        ("unlisted", "32", agreed(), OfferState.UNAVAILABLE, False, False),
        ("unlisted", "40", agreed(), OfferState.WITHDRAWN, False, False),
    ],
)
def test_row_of_table_9(row, availability, agreement, state, sells, preorders):
    records = [] if row == "row6" else [record(detail(availability=availability), form="EA")]
    offer = offered(*records, *([agreement] if agreement else []), key=EBOOK_KEY)
    assert f"cb.9.{row}" in rule_ids(offer)
    assert (state, sells, preorders) == (offer.state, offer.accepts_orders, offer.accepts_preorders)
    assert sells is offer.check_first, "checkOrderable goes first"


def test_what_is_held_for_its_record_shows_the_agreement_s_price():
    offer = offered(agreed(amount="7.99"), key=EBOOK_KEY)
    assert offer.price is not None
    assert Decimal("7.99") == offer.price.amount


def test_the_agreement_s_price_goes_before_the_record_s():
    offer = offered(record(detail(price("12.50")), form="EA"), agreed(amount="7.99"), key=EBOOK_KEY)
    assert offer.price is not None
    assert (Decimal("7.99"), "EUR", "included") == (offer.price.amount, offer.price.currency, offer.price.tax)
    assert "cb.9.price" in rule_ids(offer)


@pytest.mark.parametrize("amount", [None, ""])
def test_the_record_s_price_stands_in_where_the_agreement_states_none(amount):
    offer = offered(record(detail(price("12.50")), form="EA"), agreed(amount=amount), key=EBOOK_KEY)
    assert offer.price is not None
    assert Decimal("12.50") == offer.price.amount


@pytest.mark.parametrize(
    "agreements",
    [
        [agreed(amount="0.00")],
        [agreed(amount="abc")],
        [agreed(amount="7.99", currency="USD")],
        [agreed(amount="7.99", currency="")],
        [agreed(amount="7.99"), agreed(amount="8.99")],
    ],
    ids=["zero", "no number", "another currency", "no currency", "two prices"],
)
def test_a_price_of_the_agreement_that_cannot_be_charged_is_replaced_by_no_other(agreements):
    """The agreement's price goes before the record's (section 9): what the shop would owe for it is not known."""
    offer = offered(record(detail(price("12.50")), form="EA"), *agreements, key=EBOOK_KEY)
    assert (OfferState.UNPRICED, False, None) == (offer.state, offer.accepts_orders, offer.price)
    assert "alert" in offer.rules[-1].says


def test_without_any_price_an_e_book_is_not_sold():
    offer = offered(record(detail(UNPRICED), form="EA"), agreed(currency="USD"), key=EBOOK_KEY)
    assert (OfferState.UNPRICED, False) == (offer.state, offer.accepts_orders)


def test_what_cb_has_a_day_ahead_is_held_until_its_day():
    """Section 8.4; the engine wakes by itself at the day's Dutch midnight."""
    ahead = record(detail(), form="EA", published="20260701")
    start = datetime(2026, 6, 30, 22, 0, tzinfo=UTC)
    held = offered(ahead, agreed(), key=EBOOK_KEY)
    assert (OfferState.NOT_YET, False, start) == (held.state, held.accepts_orders, held.next_change_at)
    assert "cb.8.4" in rule_ids(held)
    assert OfferState.FOR_SALE is offered(ahead, agreed(), key=EBOOK_KEY, at=start).state
    at_once = offered(ahead, agreed(), key=EBOOK_KEY, by=rules(holds_until_publication=False))
    assert OfferState.FOR_SALE is at_once.state


def test_only_the_day_of_publication_holds_an_e_book():
    """The day of first delivery, role 08, does not (section 8.4), and neither does a date in another format refuse the record."""
    supplied = record(detail(dates=(dated("08", "20270101"),)), form="EA")
    assert OfferState.FOR_SALE is offered(supplied, agreed(), key=EBOOK_KEY).state
    month = record(detail(), form="EA", publishing_dates=(dated("01", "202605", "01"),))
    assert OfferState.FOR_SALE is offered(month, agreed(), key=EBOOK_KEY).state


# --- section 8.5 ----------------------------------------------------------------------------------------------------------


def test_audio_goes_to_luisterhuis_and_the_rest_to_the_e_book_service():
    assert "luisterhuis" == offered(record(detail())).terms["service"]
    assert "ebooks" == offered(record(detail(), form="EA"), agreed(), key=EBOOK_KEY).terms["service"]


def test_an_ean_can_be_routed_to_the_other_service():
    routing = Routing(services=frozenset(Service), overrides={EAN: Service.EBOOKS})
    by = rules(routing=routing)
    assert "cb.9.row5" in rule_ids(offered(record(detail()), by=by))
    assert "cb.9.row1" in rule_ids(offered(record(detail()), agreed(), by=by))


def test_a_service_that_the_shop_does_not_have_sells_nothing():
    audio_only = rules(routing=Routing(services=frozenset({Service.LUISTERHUIS})))
    offer = offered(record(detail(), form="EA"), agreed(), key=EBOOK_KEY, by=audio_only)
    assert (OfferState.UNAVAILABLE, ["cb.8.5"]) == (offer.state, rule_ids(offer))


# --- identity -------------------------------------------------------------------------------------------------------------


def test_records_name_their_format_and_rows_every_format():
    assert (Isbn(EAN), Format("audio")) == rules().identify(record(detail()))
    assert (Isbn(EAN), Format("epub")) == rules().identify(record(detail(), form="EA"))
    assert (Isbn(EAN), Format("")) == rules().identify(agreed())
    assert rules().identify(record(identifiers=())) is None


def test_the_version_tells_every_setting_apart():
    made = [
        rules(),
        rules(routing=Routing(services=frozenset({Service.EBOOKS}))),
        rules(routing=Routing(services=frozenset(Service), overrides={EAN: Service.EBOOKS})),
        rules(suppliers=["1"]),
        rules(for_sale_codes=["20"]),
        rules(not_yet_codes=["10"]),
        rules(holds_until_publication=False),
        rules(tax_rates={"NL": Decimal(9)}),
    ]
    assert len(made) == len({each.version for each in made})
    assert rules(suppliers=["a", "b"]).version == rules(suppliers=["b", "a"]).version


def test_an_offer_is_about_its_title_and_market():
    by = rules()
    offer = by.offer(title(record(detail())), NL_EUR, NOW)
    assert (AUDIO_KEY, NL_EUR, EAN) == (offer.key, offer.market, offer.record_reference)
    assert (NL_EUR,) == by.markets
