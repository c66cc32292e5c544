"""Plain ONIX files as offers: the tables of reference/onix.md 2.10 to 2.13, and that nothing doubtful is sold."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.distributors import onix
from adapters.files import FileSource, OnixRules
from syncengine.domain.dates import OnixDate
from syncengine.domain.ids import Format, Isbn, RecordReference, SourceName, TitleKey
from syncengine.domain.offer import HeldOrders, Offer, OfferPrice, OfferState, TaxBasis
from syncengine.domain.passes import PassMode
from syncengine.domain.product import (
    DatedRole,
    Price,
    Product,
    ProductIdentifier,
    ProductSupply,
    SalesRights,
    SupplyDetail,
    Tax,
)
from syncengine.domain.territory import Market, Territory
from syncengine.domain.title import Remembered, Title
from syncengine.ports import World
from tests.clock import JumpClock
from tests.pace import FreePace
from tests.values import replace

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
START = datetime(2026, 8, 31, 22, 0, tzinfo=UTC)
"""Midnight of FUTURE in Paris."""
PAST, FUTURE, LATER = "20260101", "20260901", "20261101"
FR_EUR = Market(country="FR", currency="EUR")
PARIS = ZoneInfo("Europe/Paris")
WORLD = Territory(regions_included=("WORLD",))
FRANCE = Territory(countries_included=("FR",))
KEY = TitleKey(source=SourceName("backlist"), isbn=Isbn("9782070360024"), format=Format("epub"))

S = OfferState


def dated(role: str, text: str) -> DatedRole:
    return DatedRole(role=role, date=OnixDate(text=text))


def price(amount: str | None = "9.99", kind: str | None = "04", *dates: DatedRole, **facts: Any) -> Price:
    whole: dict[str, Any] = {"currency": "EUR", "qualifier": "05", **facts}
    return Price(type=kind, amount=None if amount is None else Decimal(amount), dates=dates, **whole)


def detail(
    *prices: Price, availability: str | None = "20", dates: tuple[DatedRole, ...] = (), **facts: Any
) -> SupplyDetail:
    return SupplyDetail(availability=availability, dates=dates, prices=prices or (price(),), **facts)


def supply(*details: SupplyDetail, **facts: Any) -> ProductSupply:
    return ProductSupply(details=details or (detail(),), **facts)


def record(*supplies: ProductSupply, **facts: Any) -> Product:
    whole: dict[str, Any] = {
        "publishing_status": "04",
        "sales_rights": (SalesRights(type="01", territory=WORLD),),
        "form": "EA",
        "form_details": ("E101",),
        **facts,
    }
    return Product(
        reference=RecordReference("R1"),
        notification_type=whole.pop("notification_type", "03"),
        identifiers=(ProductIdentifier(type="15", value=KEY.isbn),),
        supplies=supplies or (supply(),),
        **whole,
    )


def rules(**options: Any) -> OnixRules:
    return OnixRules(markets=(FR_EUR,), zone=PARIS, **options)


def offer(product: Product, at: datetime = NOW, market: Market = FR_EUR, **options: Any) -> Offer:
    return rules(**options).offer(Title(key=KEY, records=(product,)), market, at)


def state(product: Product, at: datetime = NOW, **options: Any) -> OfferState:
    return offer(product, at, **options).state


# --- codes -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, S.FOR_SALE),
        ("00", S.FOR_SALE),
        ("04", S.FOR_SALE),
        ("02", S.ANNOUNCED),
        ("01", S.UNAVAILABLE),
        ("03", S.UNAVAILABLE),
        ("05", S.UNAVAILABLE),
        ("06", S.UNAVAILABLE),
        ("07", S.UNAVAILABLE),
        ("08", S.UNAVAILABLE),
        ("09", S.UNKNOWN),
        ("10", S.UNAVAILABLE),
        ("11", S.WITHDRAWN),
        ("12", S.WITHDRAWN),
        ("13", S.UNAVAILABLE),
        ("15", S.WITHDRAWN),
        ("16", S.UNAVAILABLE),
        ("17", S.UNAVAILABLE),
        ("18", S.UNAVAILABLE),
        ("99", S.UNKNOWN),
    ],
)
def test_publishing_statuses(status, expected):
    """List 64, with a supplier who has it (20) and no embargo."""
    assert state(record(publishing_status=status)) is expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("04", S.FOR_SALE),
        ("14", S.FOR_SALE),
        ("12", S.UNAVAILABLE),
        ("08", S.UNAVAILABLE),
        ("11", S.WITHDRAWN),
        ("15", S.WITHDRAWN),
        ("09", S.UNKNOWN),
    ],
)
def test_the_markets_own_status_wins(status, expected):
    """List 68 differs from 64 in 12 and 14."""
    for general in ("04", "07"):
        assert state(record(supply(market_status=status), publishing_status=general)) is expected


def test_a_recall_wins_over_a_market_that_goes_on():
    assert state(record(supply(market_status="04"), publishing_status="15")) is S.WITHDRAWN
    assert state(replace(record(publishing_status="15"), supplies=())) is S.WITHDRAWN


@pytest.mark.parametrize(
    ("withdrawn", "expected"),
    [
        (supply(market_status="11"), S.WITHDRAWN),
        (supply(market_status="11", markets=(FRANCE,)), S.WITHDRAWN),
        (supply(market_status="11", markets=(Territory(regions_included=("FR-H",)),)), S.WITHDRAWN),
        (ProductSupply(market_status="11", markets=(FRANCE,)), S.WITHDRAWN),
        (supply(detail(availability="46")), S.WITHDRAWN),
        (supply(market_status="11", markets=(Territory(countries_included=("BE",)),)), S.FOR_SALE),
        (supply(market_status="11", market_restrictions=("06",)), S.FOR_SALE),
    ],
)
def test_a_withdrawal_anywhere_in_the_country_wins_over_every_supplier(withdrawn, expected):
    assert state(record(supply(), withdrawn)) is expected


def test_a_withdrawal_goes_before_the_rights():
    assert state(record(supply(market_status="11"), sales_rights=())) is S.WITHDRAWN


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        *((code, S.FOR_SALE) for code in ("20", "21", "22", "23")),
        *((code, S.ANNOUNCED) for code in ("10", "11", "12")),
        *((code, S.UNAVAILABLE) for code in ("09", "30", "31", "32", "33", "34")),
        *((code, S.UNAVAILABLE) for code in ("01", "40", "41", "42", "43", "44", "45", "47", "48", "50", "51", "52")),
        *((code, S.WITHDRAWN) for code in ("46", "49")),
        *((code, S.UNKNOWN) for code in (None, "97", "98", "99", "77")),
    ],
)
def test_availabilities(code, expected):
    """List 65, of an active product."""
    assert state(record(supply(detail(availability=code)))) is expected


@pytest.mark.parametrize(
    ("status", "availability", "held"),
    [
        ("04", "20", HeldOrders.KEEP),
        ("11", "20", HeldOrders.STOP),
        ("01", "20", HeldOrders.STOP),
        ("04", "46", HeldOrders.STOP),
        ("04", "40", HeldOrders.STOP),
        ("03", "20", HeldOrders.KEEP),
        ("04", "34", HeldOrders.KEEP),
        ("09", "20", HeldOrders.KEEP),
    ],
)
def test_what_becomes_of_held_orders(status, availability, held):
    assert offer(record(supply(detail(availability=availability)), publishing_status=status)).held_orders is held


@pytest.mark.parametrize(
    ("status", "availability", "embargo", "expected"),
    [
        ("04", "20", None, S.FOR_SALE),
        ("04", "20", PAST, S.FOR_SALE),
        ("04", "20", FUTURE, S.PREORDER),
        ("02", "20", FUTURE, S.PREORDER),
        ("02", "20", PAST, S.FOR_SALE),
        ("02", "20", None, S.ANNOUNCED),
        ("02", "10", FUTURE, S.PREORDER),
        ("02", "10", PAST, S.NOT_YET),
        ("02", "10", None, S.ANNOUNCED),
        ("04", "10", FUTURE, S.PREORDER),
        ("04", "10", PAST, S.NOT_YET),
        ("08", "20", FUTURE, S.UNAVAILABLE),
        ("02", "40", FUTURE, S.UNAVAILABLE),
    ],
)
def test_before_and_after_the_start(status, availability, embargo, expected):
    """A supplier who says "not yet" is believed after the date, too: only a new message puts the title on sale."""
    dates = (dated("02", embargo),) if embargo else ()
    product = record(supply(detail(availability=availability)), publishing_status=status, publishing_dates=dates)
    assert state(product) is expected


# --- dates -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("latest", ["product", "market", "supplier"])
def test_the_latest_embargo_wins(latest):
    places = {"product": PAST, "market": PAST, "supplier": PAST, latest: FUTURE}
    product = record(
        supply(detail(dates=(dated("02", places["supplier"]),)), market_dates=(dated("02", places["market"]),)),
        publishing_dates=(dated("02", places["product"]),),
    )
    found = offer(product)
    assert (found.state, found.starts_at) == (S.PREORDER, START)


def test_the_publication_date_is_no_embargo_unless_the_settings_say_so():
    product = record(publishing_dates=(dated("01", FUTURE),))
    assert state(product) is S.FOR_SALE
    assert state(product, publication_date_is_embargo=True) is S.PREORDER


def test_the_supplier_expects_it_on_a_day():
    product = record(supply(detail(availability="10", dates=(dated("08", FUTURE),))))
    assert (offer(product).state, offer(product).starts_at) == (S.PREORDER, START)
    assert state(product, START) is S.NOT_YET


def test_a_title_changes_with_the_clock_alone():
    product = record(publishing_dates=(dated("02", FUTURE),))
    before = offer(product)
    assert (before.accepts_orders, before.accepts_preorders, before.next_change_at) == (False, True, START)
    assert state(product, START - timedelta(seconds=1)) is S.PREORDER
    after = offer(product, START)
    assert (after.accepts_orders, after.accepts_preorders, after.next_change_at) == (True, False, None)


@pytest.mark.parametrize("roles", [("27",), ("09",), ("27", "09")])
def test_preorders_wait_for_their_own_date(roles):
    product = record(
        publishing_dates=(dated("02", LATER), *(dated(role, FUTURE) for role in roles)),
    )
    before = offer(product)
    assert (before.state, before.accepts_preorders, before.next_change_at) == (S.ANNOUNCED, False, START)
    assert state(product, START) is S.PREORDER


@pytest.mark.parametrize(
    ("text", "first_sale"),
    [
        ("202609", datetime(2026, 9, 29, 22, 0, tzinfo=UTC)),
        ("2026", datetime(2026, 12, 30, 23, 0, tzinfo=UTC)),
        ("20260901T0830Z", datetime(2026, 9, 1, 8, 30, tzinfo=UTC)),
        ("2026-09-01T10:30:00+02:00", datetime(2026, 9, 1, 8, 30, tzinfo=UTC)),
    ],
)
def test_a_vague_date_opens_on_its_last_day(text, first_sale):
    product = record(publishing_dates=(dated("02", text),))
    assert state(product, first_sale - timedelta(seconds=1)) is S.PREORDER
    assert state(product, first_sale) is S.FOR_SALE


@pytest.mark.parametrize(
    "product",
    [
        record(publishing_dates=(dated("ZZ", FUTURE),)),
        record(supply(market_dates=(dated("ZZ", FUTURE),))),
        record(supply(detail(dates=(dated("ZZ", FUTURE),)))),
        record(publishing_dates=(dated("02", PAST), dated("", FUTURE))),
    ],
)
def test_a_date_in_a_role_that_nobody_knows_is_waited_for(product):
    """It may be an embargo, on orders in advance too."""
    before = offer(product)
    assert (before.state, before.accepts_orders, before.accepts_preorders) == (S.NOT_YET, False, False)
    assert (before.starts_at, before.next_change_at) == (START, START)
    assert state(product, START) is S.FOR_SALE


@pytest.mark.parametrize("availability", ["10", "20"])
def test_no_preorders_are_taken_before_it_either(availability):
    dates = (dated("ZZ", FUTURE), dated("02", LATER), dated("01", LATER))
    product = record(supply(detail(availability=availability)), publishing_dates=dates)
    assert state(product) is S.NOT_YET
    assert state(product, START) is S.PREORDER


def test_a_date_in_a_role_that_nobody_knows_puts_nothing_on_sale():
    forthcoming = record(publishing_status="02")
    assert state(forthcoming) is S.ANNOUNCED
    assert state(replace(forthcoming, publishing_dates=(dated("ZZ", PAST),))) is S.ANNOUNCED


@pytest.mark.parametrize("role", ["09", "10"])
@pytest.mark.parametrize("embargo", [(), (dated("02", PAST),)])
def test_what_the_public_may_not_see_yet_is_not_sold(role, embargo):
    """Before 09 it is not to be shown, before 10 it is internal (list 163), whatever its supplier has."""
    product = record(publishing_dates=(dated(role, FUTURE), *embargo))
    before = offer(product)
    assert (before.state, before.accepts_orders, before.accepts_preorders) == (S.NOT_YET, False, False)
    assert (before.starts_at, before.next_change_at) == (START, START)
    assert "not to be shown before" in before.rules[0].says
    assert state(product, START) is S.FOR_SALE


def test_an_announcement_that_cannot_be_read_holds_nothing_back_that_is_out():
    assert state(record(publishing_dates=(dated("09", "soon"),))) is S.FOR_SALE


def test_an_embargo_that_cannot_be_read_holds():
    assert state(record(publishing_dates=(dated("02", "soon"),))) is S.NOT_YET
    assert state(record(supply(detail(dates=(dated("02", "soon"),))))) is S.NOT_YET
    assert state(record(publishing_dates=(dated("02", FUTURE), dated("27", "soon")))) is S.ANNOUNCED


@pytest.mark.parametrize("role", ["32", "33", "40"])
def test_a_download_waits_for_its_own_embargoes(role):
    assert state(record(publishing_dates=(dated(role, FUTURE),))) is S.PREORDER


@pytest.mark.parametrize(
    "product",
    [
        record(publishing_dates=(dated("13", FUTURE),)),
        record(supply(market_dates=(dated("13", FUTURE),))),
        record(supply(detail(dates=(dated("51", "20260831"),)))),
        record(supply(detail(dates=(dated("50", FUTURE),)))),
    ],
)
def test_a_sale_ends_with_the_clock_alone(product):
    """Out of print; the supplier's last day; the day before the next supplier's first."""
    assert (offer(product).state, offer(product).next_change_at) == (S.FOR_SALE, START)
    after = offer(product, START)
    assert (after.state, after.held_orders, after.next_change_at) == (S.UNAVAILABLE, HeldOrders.STOP, None)
    assert "has ended" in after.rules[0].says


def test_a_supplier_s_end_is_not_another_s():
    product = record(supply(detail(dates=(dated("51", PAST),)), detail()))
    assert state(product) is S.FOR_SALE


@pytest.mark.parametrize(
    ("status", "availability", "dates", "of_supplier"),
    [("16", "20", ("22", FUTURE), None), ("04", "34", ("22", FUTURE), None), ("04", "31", None, ("08", FUTURE))],
)
def test_what_is_held_back_tells_when_it_is_expected_again(status, availability, dates, of_supplier):
    """It is a message that brings it back, not the day."""
    product = record(
        supply(detail(availability=availability, dates=(dated(*of_supplier),) if of_supplier else ())),
        publishing_status=status,
        publishing_dates=(dated(*dates),) if dates else (),
    )
    found = offer(product)
    assert (found.state, found.held_orders, found.next_change_at) == (S.UNAVAILABLE, HeldOrders.KEEP, None)
    assert "expected again 2026-08-31T22:00:00Z" in found.rules[0].says
    assert state(product, START) is S.UNAVAILABLE


def test_preorders_wait_for_27_even_where_09_comes_later():
    product = record(publishing_dates=(dated("02", LATER), dated("27", PAST), dated("09", FUTURE)))
    assert state(product) is S.PREORDER


# --- rights and markets ----------------------------------------------------------------------------------------------------


def rights(kind: str, *countries: str, **territory: Any) -> SalesRights:
    return SalesRights(type=kind, territory=Territory(countries_included=countries, **territory))


@pytest.mark.parametrize(
    ("sales_rights", "rest", "expected"),
    [
        ((rights("01", "FR"),), None, S.FOR_SALE),
        ((rights("02", "FR", "BE"),), None, S.FOR_SALE),
        ((rights("01", "BE"),), None, S.OUT_OF_TERRITORY),
        ((rights("01", "BE"),), "03", S.OUT_OF_TERRITORY),
        ((rights("01", "BE"),), "02", S.FOR_SALE),
        ((rights("01", "BE"),), "00", S.UNKNOWN),
        ((), None, S.UNKNOWN),
        ((), "01", S.FOR_SALE),
        ((rights("03", "FR"),), "01", S.OUT_OF_TERRITORY),
        ((rights("06", "FR"),), None, S.OUT_OF_TERRITORY),
        ((rights("07", "FR"),), None, S.UNAVAILABLE),
        ((rights("01", "BE"),), "08", S.UNAVAILABLE),
        ((rights("01", regions_included=("WORLD",)), rights("03", "FR")), None, S.OUT_OF_TERRITORY),
        ((rights("01", regions_included=("WORLD",), countries_excluded=("FR",)),), None, S.OUT_OF_TERRITORY),
        ((rights("01", regions_included=("ECZ",)),), None, S.FOR_SALE),
        ((rights("01", regions_included=("FR-H",)),), None, S.OUT_OF_TERRITORY),
        (
            (rights("01", regions_included=("WORLD",)), rights("03", regions_included=("FR-H",))),
            None,
            S.OUT_OF_TERRITORY,
        ),
    ],
)
def test_sales_rights(sales_rights, rest, expected):
    """No rights at all are unknown, not worldwide; what contradicts itself is not for sale; 07 and 08 need a restriction."""
    assert state(record(sales_rights=sales_rights, rest_of_world_rights=rest)) is expected


@pytest.mark.parametrize(
    ("restrictions", "expected", "split"),
    [
        ((), S.FOR_SALE, S.FOR_SALE),
        (("99",), S.FOR_SALE, S.FOR_SALE),
        (("09",), S.FOR_SALE, S.FOR_SALE),
        (("06",), S.UNAVAILABLE, S.OUT_OF_TERRITORY),
        (("03",), S.UNAVAILABLE, S.OUT_OF_TERRITORY),
        (("04", "99"), S.UNAVAILABLE, S.OUT_OF_TERRITORY),
        (("ZZ",), S.UNKNOWN, S.UNKNOWN),
    ],
)
def test_sales_restrictions(restrictions, expected, split):
    """Wherever they stand; a market for libraries is no market of this shop."""
    assert state(record(sales_restrictions=restrictions)) is expected
    inside = SalesRights(type="01", territory=WORLD, restrictions=restrictions)
    assert state(record(sales_rights=(inside,))) is expected
    assert state(record(supply(market_restrictions=restrictions))) is split


@pytest.mark.parametrize(("kind", "harmless"), [("07", "09"), ("08", "99")])
def test_rights_under_restrictions_are_rights_where_the_restrictions_leave_them(kind, harmless):
    of = replace(rights(kind, "FR"), restrictions=(harmless,))
    assert state(record(sales_rights=(of,))) is S.FOR_SALE
    assert state(record(sales_rights=(rights(kind, "FR"),), sales_restrictions=(harmless,))) is S.FOR_SALE
    assert state(record(sales_rights=(replace(of, restrictions=("04",)),))) is S.UNAVAILABLE


def test_a_market_that_is_closed_to_this_shop_tells_why():
    [rule] = offer(record(supply(market_restrictions=("06",)), supply(markets=(Territory(),)))).rules
    assert "SalesRestriction 06 shuts this shop out in FR" == rule.says


def test_an_internal_title_keeps_no_orders():
    assert offer(record(sales_restrictions=("03",))).held_orders is HeldOrders.STOP
    assert offer(record(sales_restrictions=("06",))).held_orders is HeldOrders.KEEP


def test_grants_with_a_restriction_are_no_rights_however_many_there_are():
    """The standard lets no two statements speak of one country; what they contradict is not for sale."""
    library = SalesRights(type="01", territory=FRANCE, restrictions=("06",))
    assert state(record(sales_rights=(library, SalesRights(type="01", territory=WORLD)))) is S.UNAVAILABLE


def test_a_supplier_whose_share_of_the_market_is_not_known_takes_nothing_from_another():
    unknown, plain = supply(market_restrictions=("ZZ",)), supply()
    assert state(record(unknown, plain)) is S.FOR_SALE
    assert "SalesRestriction ZZ" in offer(record(unknown)).rules[0].says


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"publishing_status": "ZZ"}, S.UNKNOWN),
        ({"publishing_status": "14"}, S.UNKNOWN),
        ({"supplies": (supply(market_status="ZZ"),)}, S.UNKNOWN),
        ({"publishing_status": "ZZ", "supplies": (supply(market_status="04"),)}, S.UNKNOWN),
        ({"supplies": (supply(detail(availability="ZZ")),)}, S.UNKNOWN),
        ({"supplies": (supply(detail(availability=None)),)}, S.UNKNOWN),
        ({"sales_rights": (SalesRights(type="ZZ", territory=WORLD),)}, S.UNKNOWN),
        ({"sales_rights": (SalesRights(type="", territory=WORLD),)}, S.UNKNOWN),
        ({"sales_rights": (), "rest_of_world_rights": "ZZ"}, S.UNKNOWN),
        ({"sales_restrictions": ("ZZ",)}, S.UNKNOWN),
        ({"sales_rights": (SalesRights(type="01", territory=WORLD, restrictions=("ZZ",)),)}, S.UNKNOWN),
        ({"supplies": (supply(market_restrictions=("ZZ",)),)}, S.UNKNOWN),
        ({"supplies": (supply(detail(price(kind="ZZ"))),)}, S.UNPRICED),
        ({"supplies": (supply(detail(price(qualifier="ZZ"))),)}, S.UNPRICED),
        ({"supplies": (supply(detail(price(status="ZZ"))),)}, S.UNPRICED),
        ({"supplies": (supply(detail(price(protections=("ZZ",)))),)}, S.UNPRICED),
        ({"supplies": (supply(detail(price("9.99", "04", dated("ZZ", PAST)))),)}, S.UNPRICED),
        ({"supplies": (supply(detail(price(None, unpriced="ZZ"))),)}, S.UNPRICED),
        (
            {"supplies": (supply(detail(price(territory=Territory(regions_included=("ZZ",))))),)},
            S.UNPRICED,
        ),
        (
            {"sales_rights": (SalesRights(type="01", territory=Territory(regions_included=("ZZ",))),)},
            S.OUT_OF_TERRITORY,
        ),
        (
            {"publishing_dates": (DatedRole(role="02", date=OnixDate(text=PAST, format="ZZ")),)},
            S.NOT_YET,
        ),
        ({"composition": "ZZ"}, S.UNKNOWN),
        (
            {"sales_rights": (SalesRights(type="01", territory=replace(WORLD, countries_excluded=("UK",))),)},
            S.OUT_OF_TERRITORY,
        ),
        ({"sales_rights": (rights("01", "FR"), rights("03", "UK"))}, S.OUT_OF_TERRITORY),
    ],
)
def test_a_code_that_nobody_knows_never_sells(facts, expected):
    """One by one, in a record that is for sale but for it."""
    assert state(record()) is S.FOR_SALE
    found = offer(replace(record(), **facts))
    assert (found.state, found.accepts_orders, found.accepts_preorders) == (expected, False, False)
    assert found.held_orders is HeldOrders.KEEP


def test_markets():
    elsewhere = supply(markets=(Territory(countries_included=("CA",)),))
    assert state(record(elsewhere)) is S.OUT_OF_TERRITORY
    assert state(record(elsewhere, supply(markets=(FRANCE,)))) is S.FOR_SALE
    assert state(replace(record(), supplies=())) is S.UNAVAILABLE
    assert state(record(ProductSupply())) is S.UNAVAILABLE


def test_the_best_supplier_counts():
    product = record(supply(detail(availability="40"), detail(price("9.99"), availability="20")))
    assert state(product) is S.FOR_SALE


def test_one_supplier_who_stops_says_nothing_for_another_of_whom_nothing_is_known():
    found = offer(record(supply(detail(availability="40"), detail(availability="99"))))
    assert (found.state, found.held_orders) == (S.UNKNOWN, HeldOrders.KEEP)


def test_suppliers_who_differ_in_price_are_not_chosen_between():
    product = record(supply(detail(price("9.99")), detail(price("8.99"))))
    found = offer(product)
    assert (found.state, found.price) == (S.UNPRICED, None)
    assert "differ" in found.rules[-1].says
    assert state(record(supply(detail(price("9.99")), detail(price("9.990"))))) is S.FOR_SALE


# --- prices ----------------------------------------------------------------------------------------------------------------


def priced(*prices: Price, at: datetime = NOW, **facts: Any) -> OfferPrice | None:
    found = offer(record(supply(detail(*prices)), **facts), at)
    assert (found.price is None) is (found.state is S.UNPRICED)
    return found.price


def amount(*prices: Price, at: datetime = NOW) -> str | None:
    found = priced(*prices, at=at)
    return None if found is None else str(found.amount)


@pytest.mark.parametrize(
    "unfit",
    [
        price(None, unpriced="01"),
        price("0.00"),
        price("-1"),
        price("NaN"),
        price(currency="CAD"),
        price(currency=None),
        price(kind="05"),
        price(kind="21"),
        price(kind="36"),
        price(kind=None),
        price(qualifier="06"),
        price(qualifier="10"),
        price(qualifier="08"),
        price(status="01"),
        price(conditions=True),
        price(protections=("03",)),
        price(territory=Territory(countries_included=("BE",))),
        price("9.99", "04", dated("14", FUTURE)),
        price("9.99", "04", dated("15", PAST)),
        price("9.99", "04", dated("14", "soon")),
    ],
)
def test_prices_that_no_consumer_is_charged_today(unfit):
    found = offer(record(supply(detail(unfit))))
    assert (found.state, found.price, found.accepts_orders) == (S.UNPRICED, None, False)
    assert amount(unfit, price("12.00")) == "12.00"


@pytest.mark.parametrize("qualifier", [None, "00", "05"])
def test_prices_for_anyone(qualifier):
    assert amount(price(qualifier=qualifier)) == "9.99"


def test_fixed_prices_bind_and_the_visible_one_of_a_pair_is_shown():
    kinds = {"04": "4.00", "03": "3.00", "42": "42.00", "41": "41.00", "02": "2.00", "01": "1.00"}
    left = list(kinds)
    while left:
        assert amount(*(price(kinds[kind], kind) for kind in reversed(left))) == kinds[left[0]]
        left.pop(0)


def test_a_promotion_cuts_a_hole_into_the_normal_price():
    """Both ends of a price's dates belong to it."""
    timeline = (
        price("14.99"),
        price("7.99", "04", dated("14", "20260701"), dated("15", "20260710")),
        price("4.99", "04", dated("24", "2026070520260705")),
    )
    paris_days = {
        "20260630": "14.99",
        "20260701": "7.99",
        "20260705": "4.99",
        "20260706": "7.99",
        "20260710": "7.99",
        "20260711": "14.99",
    }
    for day, expected in paris_days.items():
        last_second = datetime.strptime(day, "%Y%m%d").replace(tzinfo=PARIS) + timedelta(
            hours=23, minutes=59, seconds=59
        )
        assert amount(*timeline, at=last_second.astimezone(UTC)) == expected
    assert offer(record(supply(detail(*timeline)))).next_change_at == datetime(2026, 6, 30, 22, 0, tzinfo=UTC)


def test_a_price_that_follows_on_the_day_the_last_one_ends():
    timeline = (price("14.99", "04", dated("15", FUTURE)), price("12.99", "04", dated("14", FUTURE)))
    assert amount(*timeline, at=START - timedelta(seconds=1)) == "14.99"
    assert amount(*timeline, at=START) == "12.99"


def test_two_prices_of_one_kind_are_not_chosen_between():
    assert amount(price("9.99"), price("8.99")) is None
    assert amount(price("9.9"), price("9.90")) is not None


def test_a_preorder_shows_the_price_of_its_first_day():
    prices = (price("14.99", "04", dated("15", "20260831")), price("12.99", "04", dated("14", FUTURE)))
    found = offer(record(supply(detail(*prices)), publishing_dates=(dated("02", FUTURE),)))
    assert (found.state, found.price and found.price.amount) == (S.PREORDER, Decimal("12.99"))


def test_a_trail_tells_why_there_is_no_price():
    says = offer(record(supply(detail(price(currency="USD"), price(kind="05"))))).rules[-1].says
    assert says == "no price is in force; left out are prices in USD; of PriceType 05"


@pytest.mark.parametrize(
    "free", [detail(price(None, None, unpriced="01")), SupplyDetail(availability="20", unpriced="01")]
)
def test_what_is_free_is_told_and_not_sold(free):
    found = offer(record(supply(free)))
    assert (found.state, found.price, found.accepts_orders) == (S.UNPRICED, None, False)
    assert "free of charge, and nothing is sold at a price of zero by accident" in found.rules[-1].says


def test_a_pre_publication_price_is_charged_until_the_publication():
    of = (price("7.99", "24"), price("9.99", "04"))
    assert amount(*of) == "9.99"
    published = {"publishing_dates": (dated("01", FUTURE),)}
    found = [priced(*of, at=at, **published) for at in (START - timedelta(seconds=1), START)]
    assert [each and str(each.amount) for each in found] == ["7.99", "9.99"]


def test_a_preorder_without_a_price_is_no_preorder():
    found = offer(record(supply(detail(price(None))), publishing_dates=(dated("02", FUTURE),)))
    assert (found.state, found.accepts_preorders) == (S.UNPRICED, False)


def test_tax():
    stated = price("9.99", "04", taxes=(Tax(rate_percent=Decimal("5.5")),))
    assert priced(stated) == OfferPrice(
        amount=Decimal("9.99"), currency="EUR", type="04", tax=TaxBasis.INCLUDED, tax_percent=Decimal("5.5")
    )
    mixed = price("9.99", "03", taxes=(Tax(rate_percent=Decimal("5.5")), Tax(rate_percent=Decimal(20))))
    found = offer(record(supply(detail(mixed))), tax_rates={"FR": Decimal(10)}).price
    assert found is not None
    assert (found.tax, found.tax_percent) == (TaxBasis.EXCLUDED, None)


# --- titles ----------------------------------------------------------------------------------------------------------------


def test_titles_without_exactly_one_live_record():
    empty = Title(key=KEY)
    assert rules().offer(empty, FR_EUR, NOW).state is S.UNKNOWN
    gone = replace(empty, was_removed=True)
    assert rules().offer(gone, FR_EUR, NOW).state is S.REMOVED
    assert rules().offer(gone, FR_EUR, NOW).held_orders is HeldOrders.STOP
    deleted = replace(empty, records=(record(notification_type="05"),))
    assert rules().offer(deleted, FR_EUR, NOW).state is S.REMOVED
    twice = replace(empty, records=(record(), replace(record(), reference=RecordReference("R2"))))
    ambiguous = rules().offer(twice, FR_EUR, NOW)
    assert ambiguous.state is S.UNKNOWN
    assert "R1, R2" in ambiguous.rules[0].says


@pytest.mark.parametrize(
    ("form", "details", "expected"),
    [
        ("EA", ("E101", "E200"), "epub"),
        ("EA", ("E107",), "pdf"),
        ("EA", ("E127",), "mobi"),
        ("AJ", ("A103",), "audio"),
        ("BB", (), "bb"),
        (None, (), "00"),
    ],
)
def test_formats(form, details, expected):
    assert rules().identify(record(form=form, form_details=details)) == (KEY.isbn, Format(expected))
    assert rules().identify(replace(record(), identifiers=())) is None


def test_the_past_has_no_meaning():
    remembered = Remembered(withdrawn={"EUR": frozenset({"FR"})})
    assert rules().remember(remembered, record(), None) == remembered
    assert offer(record()).rules[0].id.startswith("onix.2.")


def test_the_version_tells_everything_a_decision_rests_on():
    versions = {
        rules().version,
        rules(tax_rates={"FR": Decimal("5.5")}).version,
        rules(publication_date_is_embargo=True).version,
        OnixRules(markets=(), zone=PARIS).version,
        OnixRules(markets=(FR_EUR,), zone=ZoneInfo("UTC")).version,
        OnixRules(markets=(Market(country="GB", currency="EUR"),)).version,
    }
    assert len(versions) == 6


@pytest.mark.parametrize(
    ("country", "expected"),
    [
        ("FR", datetime(2026, 8, 31, 22, tzinfo=UTC)),
        ("NZ", datetime(2026, 8, 31, 12, tzinfo=UTC)),
        ("CA", datetime(2026, 9, 1, 7, tzinfo=UTC)),
    ],
)
def test_without_a_zone_a_date_begins_by_the_local_time_of_each_market(country, expected):
    embargo = DatedRole(role="02", date=OnixDate(text="20260901"))
    title = Title(key=KEY, records=(record(publishing_dates=(embargo,)),))
    at = datetime(2026, 8, 1, tzinfo=UTC)
    found = OnixRules(markets=()).offer(title, Market(country=country, currency="EUR"), at)
    assert expected == found.starts_at


def test_with_a_zone_a_date_begins_everywhere_at_once():
    embargo = DatedRole(role="02", date=OnixDate(text="20260901"))
    title = Title(key=KEY, records=(record(publishing_dates=(embargo,)),))
    found = rules().offer(title, Market(country="NZ", currency="EUR"), datetime(2026, 8, 1, tzinfo=UTC))
    assert datetime(2026, 8, 31, 22, tzinfo=UTC) == found.starts_at


codes = st.sampled_from([None, "00", "02", "04", "08", "09", "10", "11", "12", "20", "22", "31", "40", "46", "ZZ"])
texts = st.sampled_from([PAST, FUTURE, LATER, "202609", "soon", ""])
days = st.builds(dated, st.sampled_from(["01", "02", "08", "09", "14", "15", "24", "27"]), texts)
prices_ = st.builds(
    lambda amount, kind, dates, facts: price(amount, kind, *dates, **facts),
    st.sampled_from([None, "0", "9.99", "8.00"]),
    st.sampled_from([None, "01", "02", "04", "42", "05"]),
    st.lists(days, max_size=2),
    st.fixed_dictionaries({}, optional={"currency": st.sampled_from([None, "CAD"]), "qualifier": codes}),
)
details_ = st.builds(
    lambda prices, code, dates: detail(*prices, availability=code, dates=tuple(dates)),
    st.lists(prices_, max_size=3),
    codes,
    st.lists(days, max_size=2),
)
products = st.builds(
    lambda details, market_status, status, dates, kind: record(
        supply(*details, market_status=market_status),
        publishing_status=status,
        publishing_dates=tuple(dates),
        sales_rights=(rights(kind, "FR"),),
    ),
    st.lists(details_, max_size=3),
    codes,
    codes,
    st.lists(days, max_size=3),
    st.sampled_from(["01", "02", "03"]),
)


@given(products, st.integers(0, 400 * 24).map(lambda hours: datetime(2025, 12, 1, tzinfo=UTC) + timedelta(hours=hours)))
def test_every_record_gives_an_offer_that_holds_until_it_says(product, at):
    """Total; what is accepted has a price; nothing changes before `next_change_at`, and something does then."""
    found = offer(product, at)
    assert found.accepts_orders is (found.state is S.FOR_SALE)
    assert found.accepts_preorders is (found.state is S.PREORDER)
    if found.accepts_orders or found.accepts_preorders:
        assert found.price is not None
        assert found.price.amount > 0
        assert not (found.starts_at and found.accepts_orders and found.starts_at > at)
    until = found.next_change_at
    if until is None:
        late = offer(product, datetime(2028, 1, 1, tzinfo=UTC))
        assert (late.state, late.price) == (found.state, found.price)
    else:
        assert until > at
        last = offer(product, until - timedelta(microseconds=1))
        assert (last.state, last.price) == (found.state, found.price)
        then = offer(product, until)
        assert (then.state, then.price) != (found.state, found.price)


# --- the kind --------------------------------------------------------------------------------------------------------------


async def test_the_kind_for_settings(tmp_path):
    settings = onix.Settings(kind="onix", path="feeds/*.xml", markets=(FR_EUR,), timezone="Europe/Paris", pick="newest")
    world = World(clock=JumpClock(), pace=FreePace(), directory=tmp_path)
    distributor = onix.connect(SourceName("backlist"), settings, world)
    assert isinstance(distributor.source, FileSource)
    assert distributor.calls is None
    assert distributor.rules.markets == (FR_EUR,)
    assert distributor.account.address == str(tmp_path / "feeds/*.xml")
    (tmp_path / "feeds").mkdir()
    for name in ("a.xml", "b.xml"):
        (tmp_path / "feeds" / name).write_bytes(b"<ONIXMessage/>")
    (stream,) = distributor.source.streams
    plan = distributor.source.plan(stream, None, None, NOW)
    assert plan.mode is PassMode.FULL
    names = [getattr(step, "name", "end") async for step in distributor.source.read(stream, plan, None)]
    assert names == [str(tmp_path / "feeds" / "b.xml"), "end"]
