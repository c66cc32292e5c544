"""De Marque's offers in time: whatever a record says, an offer is given, and it holds until the instant it names."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.distributors.demarque.rules import DeMarqueRules
from syncengine.domain.dates import OnixDate
from syncengine.domain.ids import RecordReference
from syncengine.domain.offer import Offer
from syncengine.domain.product import DatedRole, Price, Product, ProductSupply, SalesRights, SupplyDetail
from syncengine.domain.territory import Territory
from syncengine.domain.title import Remembered, Title
from tests.demarque_products import CA_CAD, CA_USD, CANADA, KEY, US_USD, WORLD, countries

MARKETS = (CA_CAD, CA_USD, US_USD)
ZONES = tuple(map(ZoneInfo, ("America/Toronto", "Europe/Paris", "America/Santiago", "Africa/Cairo", "America/Havana")))

DAYS = ["20260308", "20260329", "20260424", "20260905", "20260906", "20260907", "20261101", "20261102"]
READABLE = st.one_of(
    st.sampled_from(DAYS),
    st.builds(
        "{}T{:02}{:02}{}".format,
        st.sampled_from(DAYS),
        st.integers(0, 23),
        st.sampled_from([0, 30]),
        st.sampled_from(["", "Z", "-0400"]),
    ),
)
TEXTS = st.one_of(
    READABLE,
    READABLE,
    st.sampled_from(["202609", "2026", "soon", "", "99991231", "00010101", "2026090620261101"]),
)
NONSENSE = st.text(max_size=12)
INSTANTS = st.integers(0, 365 * 24 * 60).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
TERRITORIES = st.sampled_from(
    [
        CANADA,
        WORLD,
        countries("US", "CA"),
        countries("FR"),
        Territory(),
        Territory(regions_included=("WORLD",), regions_excluded=("CA-QC",)),
    ]
)
AMOUNTS = st.sampled_from(
    [Decimal(text) for text in ("0.00", "9.99", "9.990", "14.99", "14.999", "-1", "NaN", "1E+40")]
)


def codes(*usual: str) -> st.SearchStrategy[Any]:
    """Mostly the codes that mean something here; now and then none, or anything."""
    return st.one_of(st.sampled_from(usual), st.sampled_from(usual), st.none(), NONSENSE)


def roles(*usual: str) -> st.SearchStrategy[DatedRole]:
    return st.builds(
        DatedRole,
        role=st.one_of(st.sampled_from(usual), st.sampled_from(usual), NONSENSE),
        date=st.builds(
            OnixDate, text=st.one_of(TEXTS, TEXTS, TEXTS, NONSENSE), format=st.sampled_from([None, "00", "14", "20"])
        ),
    )


PRICES = st.builds(
    Price,
    type=codes("01", "02", "04"),
    qualifier=st.sampled_from([None, "05", "05", "06"]),
    amount=st.one_of(AMOUNTS, AMOUNTS, st.none()),
    currency=codes("CAD", "CAD", "USD"),
    territory=st.one_of(st.none(), TERRITORIES),
    dates=st.lists(roles("14", "15", "24"), max_size=2).map(tuple),
)
BLOCKS = st.builds(
    ProductSupply,
    markets=st.lists(TERRITORIES, max_size=2).map(tuple),
    market_status=codes("04", "04", "08", "11"),
    market_dates=st.lists(roles("01"), max_size=1).map(tuple),
    details=st.lists(
        st.builds(
            SupplyDetail,
            availability=codes("20", "20", "40"),
            dates=st.lists(roles("02", "08"), max_size=1).map(tuple),
            unpriced=codes("01", "02"),
            prices=st.lists(PRICES, max_size=4).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
)
PRODUCTS = st.builds(
    Product,
    reference=st.sampled_from(["ENQC1-epub", "ENQC2-epub"]).map(RecordReference),
    notification_type=st.sampled_from(["03", "03", "03", "05"]),
    form=codes("EA", "EA", "AJ", "EB"),
    form_details=st.lists(codes("E101", "E107").filter(bool), max_size=2).map(tuple),
    protections=st.lists(codes("02", "03", "06").filter(bool), max_size=2).map(tuple),
    publishing_status=codes("04", "04", "08", "11"),
    publishing_dates=st.lists(roles("02", "09"), max_size=3).map(tuple),
    sales_rights=st.lists(
        st.builds(SalesRights, type=codes("01", "01", "03").map(str), territory=TERRITORIES), max_size=2
    ).map(tuple),
    rest_of_world_rights=codes("01", "00"),
    sales_restrictions=st.lists(codes("06", "09").filter(bool), max_size=1).map(tuple),
    supplies=st.lists(BLOCKS, max_size=3).map(tuple),
)
MEMORIES = st.sampled_from([Remembered(), Remembered(withdrawn={"CAD": frozenset({"CA"})})])
TITLES = st.builds(
    Title,
    key=st.just(KEY),
    records=st.one_of(PRODUCTS.map(lambda product: (product,)), st.lists(PRODUCTS, max_size=3).map(tuple)),
    remembered=MEMORIES,
    was_removed=st.booleans(),
)
RULES = st.builds(
    DeMarqueRules,
    markets=st.just(MARKETS),
    zone=st.sampled_from(ZONES),
    convention=st.sampled_from(["auto", "auto", "new", "old"]),
    lcp=st.booleans(),
)

# Records on which time has much to do: saleable but for their dates.
LIVELY = st.builds(
    lambda sale, preorder, market, prices: Product(
        reference=RecordReference("ENQC1-epub"),
        notification_type="03",
        form_details=("E101",),
        publishing_status="04",
        publishing_dates=tuple(
            DatedRole(role=role, date=OnixDate(text=text)) for role, text in (("02", sale), ("09", preorder)) if text
        ),
        sales_rights=(SalesRights(type="01", territory=WORLD),),
        supplies=(
            ProductSupply(
                markets=(CANADA,),
                market_dates=(DatedRole(role="01", date=OnixDate(text=market)),) if market else (),
                details=(SupplyDetail(availability="20", prices=tuple(prices)),),
            ),
        ),
    ),
    sale=st.one_of(st.none(), st.none(), TEXTS),
    preorder=st.one_of(st.none(), READABLE),
    market=st.one_of(st.none(), st.none(), READABLE),
    prices=st.lists(
        st.builds(
            lambda amount, since, until: Price(
                type="02",
                amount=amount,
                currency="CAD",
                dates=tuple(
                    DatedRole(role=role, date=OnixDate(text=text))
                    for role, text in (("14", since), ("15", until))
                    if text
                ),
            ),
            amount=st.sampled_from([Decimal("9.99"), Decimal("14.99")]),
            since=st.one_of(st.none(), READABLE),
            until=st.one_of(st.none(), READABLE, READABLE),
        ),
        min_size=1,
        max_size=3,
    ),
).map(lambda product: Title(key=KEY, records=(product,)))


def shown(offer: Offer) -> tuple[object, ...]:
    """Everything of an offer that people and planners act on."""
    return (
        offer.state,
        offer.price,
        offer.accepts_orders,
        offer.accepts_preorders,
        offer.declares_preorders,
        offer.held_orders,
        offer.check_first,
        offer.terms,
        offer.starts_at,
        offer.record_reference,
    )


def hold_until_next_change(by: DeMarqueRules, title: Title, at: datetime, between: float) -> None:
    for market in MARKETS:
        offer = by.offer(title, market, at)
        end = offer.next_change_at
        assert end is None or end > at
        until = end or datetime(2028, 1, 1, tzinfo=UTC)
        inside = [at + (until - at) * between, until - timedelta(microseconds=1)]
        for moment in inside:
            if at <= moment < until:
                assert shown(offer) == shown(by.offer(title, market, moment))
                assert end == by.offer(title, market, moment).next_change_at
        if end is not None:
            assert shown(offer) != shown(by.offer(title, market, end))


@settings(max_examples=150)
@given(RULES, TITLES, INSTANTS, st.floats(0, 1, exclude_max=True))
def test_any_record_gives_an_offer_that_holds_until_its_next_change(by, title, at, between):
    hold_until_next_change(by, title, at, between)


@settings(max_examples=200)
@given(RULES, LIVELY, INSTANTS, st.floats(0, 1, exclude_max=True))
def test_a_lively_record_s_offer_holds_until_its_next_change_and_then_differs(by, title, at, between):
    hold_until_next_change(by, title, at, between)


@settings(max_examples=150)
@given(RULES, TITLES, INSTANTS, st.sampled_from(MARKETS))
def test_flags_and_price_keep_their_word(by, title, at, market):
    offer = by.offer(title, market, at)
    assert offer.rules
    assert all(rule.id.startswith(("demarque.", "title.")) and rule.says for rule in offer.rules)
    assert not (offer.accepts_orders and offer.accepts_preorders)
    assert offer.check_first is offer.accepts_orders
    assert not offer.declares_preorders or offer.accepts_preorders
    if offer.accepts_orders:
        assert offer.price is not None
        assert offer.terms["protection"] in offer.terms["protections"].split(",")
        assert offer.starts_at is None or offer.starts_at <= at
    if offer.accepts_preorders:
        assert offer.starts_at is not None
        assert offer.starts_at > at
    if offer.price is not None:
        assert market.currency == offer.price.currency
        assert offer.price.amount >= 0


@settings(max_examples=100)
@given(st.sampled_from(ZONES), MEMORIES, st.lists(st.one_of(st.none(), PRODUCTS), min_size=2, max_size=5))
def test_what_is_withdrawn_is_never_for_sale(zone, remembered, history):
    """Through any history of a record, a market is remembered as withdrawn only while its record does not list it."""
    by = DeMarqueRules(markets=MARKETS, zone=zone)
    for old, new in pairwise(history):
        remembered = by.remember(remembered, old, new)
        assert all(remembered.withdrawn.values())
        assert remembered == by.remember(remembered, new, new)
        if new is not None:
            title = Title(key=KEY, records=(new,), remembered=remembered)
            for market in MARKETS:
                offer = by.offer(title, market, datetime(2026, 9, 6, 12, tzinfo=UTC))
                without = by.offer(Title(key=KEY, records=(new,)), market, offer.at)
                if without.accepts_orders:
                    assert offer.accepts_orders
