"""Bokbasen's offers in time: whatever the two feeds say, an offer is given, and it holds until the instant it names."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.distributors.bokbasen.rules import NORWAY, BokbasenRules
from adapters.distributors.bokbasen.tables import Choices
from syncengine.domain.dates import OnixDate
from syncengine.domain.ids import RecordReference
from syncengine.domain.offer import HeldOrders, Offer
from syncengine.domain.product import DatedRole, Price, Product, ProductSupply, SalesRights, SupplyDetail
from syncengine.domain.territory import Territory
from syncengine.domain.title import Remembered, Title
from tests.bokbasen_products import IN_NORWAY, KEY, OSLO, RESID

DAYS = st.sampled_from(["20260328", "20260329", "20260615", "20260616", "20261024", "20261025"])
TEXTS = st.one_of(DAYS, DAYS, DAYS, st.sampled_from(["20260615T0930", "2026", "202606", "soon", "", "99991231"]))
NONSENSE = st.text(max_size=8)
INSTANTS = st.integers(0, 365 * 24 * 60).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
TERRITORIES = st.sampled_from(
    [IN_NORWAY, IN_NORWAY, Territory(countries_included=("SE", "NO")), Territory(countries_included=("SE",))]
)


def codes(*usual: str) -> st.SearchStrategy[Any]:
    """Mostly codes that mean something here; now and then none, or anything."""
    return st.one_of(st.sampled_from(usual), st.sampled_from(usual), st.none(), NONSENSE)


def dates(*roles: str) -> st.SearchStrategy[tuple[DatedRole, ...]]:
    dated = st.builds(
        DatedRole,
        role=st.one_of(st.sampled_from(roles), st.sampled_from(roles), NONSENSE),
        date=st.builds(OnixDate, text=TEXTS, format=st.sampled_from([None, "00", "05", "20"])),
    )
    return st.lists(dated, max_size=2).map(tuple)


PRICES = st.builds(
    Price,
    type=codes("02", "04", "42", "01"),
    qualifier=st.sampled_from(["05", "05", "05", "10", None]),
    amount=st.one_of(st.sampled_from([Decimal(text) for text in ("199.00", "249.00", "0", "NaN", "-1")]), st.none()),
    currency=st.sampled_from(["NOK", "NOK", "SEK", None]),
    dates=dates("15", "14", "24"),
)
BLOCKS = st.builds(
    ProductSupply,
    markets=st.lists(TERRITORIES, max_size=1).map(tuple),
    market_restrictions=st.lists(codes("00", "04", "06", "12").filter(bool), max_size=1).map(tuple),
    market_outlets=st.lists(st.sampled_from(["7001", "7099"]), max_size=1).map(tuple),
    market_status=codes("02", "04", "04", "06", "07", "03", "01"),
    market_dates=dates("01"),
    details=st.lists(
        st.builds(
            SupplyDetail,
            supplier_name=st.sampled_from(["DDS", "DDS", "DDS", "dds ", "Other", None]),
            availability=codes("10", "21", "21", "31", "40", "09", "01", "99"),
            prices=st.lists(PRICES, max_size=3).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
)
PRODUCTS = st.builds(
    Product,
    reference=st.sampled_from(["no.bokbasen.1", "no.bokbasen.2"]).map(RecordReference),
    notification_type=st.sampled_from(["02", "03", "03", "05"]),
    form=codes("ED", "ED", "AJ", "BC"),
    protections=st.lists(codes("02", "03").filter(bool), max_size=1).map(tuple),
    publishing_status=codes("04", "02", "15"),
    publishing_dates=dates("11", "02", "01"),
    sales_rights=st.lists(
        st.builds(SalesRights, type=codes("01", "03", "07").map(str), territory=TERRITORIES), max_size=1
    ).map(tuple),
    supplies=st.lists(BLOCKS, min_size=1, max_size=2).map(tuple),
)
ROWS = st.builds(
    lambda published, access, deleted, resid: Product(
        reference=RecordReference("inventory:1"),
        notification_type="03",
        row=(
            ("id", resid),
            ("drm", "SDRM"),
            ("version", "1"),
            ("published", published),
            ("access", access),
            ("deleted", deleted),
        ),
    ),
    published=st.sampled_from(["true", "true", "false", "", "yes"]),
    access=st.sampled_from(["true", "true", "true", "false", ""]),
    deleted=st.sampled_from(["", "", "", "2026-01-01"]),
    resid=st.sampled_from([f"urn:uuid:{RESID}", f"urn:uuid:{RESID}", "nonsense"]),
)
TITLES = st.builds(
    lambda records, row, remembered, was_removed: Title(
        key=KEY, records=(*records, *row), remembered=remembered, was_removed=was_removed
    ),
    records=st.lists(PRODUCTS, max_size=2),
    row=st.lists(ROWS, max_size=1),
    remembered=st.sampled_from([Remembered(), Remembered(withdrawn={"NOK": frozenset({"NO"})})]),
    was_removed=st.booleans(),
)
RULES = st.builds(
    lambda outlets, right, early: BokbasenRules(
        markets=(NORWAY,),
        zone=OSLO,
        outlets=outlets,
        choices=Choices(preorders_without_right=right, access_is_early=early),
    ),
    outlets=st.sampled_from([(), ("7001",)]),
    right=st.booleans(),
    early=st.booleans(),
)

# Titles on which time has much to do: saleable but for their dates.
LIVELY = st.builds(
    lambda published, status, expected, first, embargo, prices: Title(
        key=KEY,
        records=(
            Product(
                reference=RecordReference("no.bokbasen.1"),
                notification_type="03",
                form="ED",
                publishing_dates=tuple(
                    DatedRole(role=role, date=OnixDate(text=text))
                    for role, text in (("11", first), ("02", embargo))
                    if text
                ),
                supplies=(
                    ProductSupply(
                        markets=(IN_NORWAY,),
                        market_status=status,
                        market_dates=(DatedRole(role="01", date=OnixDate(text=expected)),) if expected else (),
                        details=(SupplyDetail(supplier_name="DDS", prices=tuple(prices)),),
                    ),
                ),
            ),
            Product(
                reference=RecordReference("inventory:1"),
                notification_type="03",
                row=(("id", f"urn:uuid:{RESID}"), ("drm", "SDRM"), ("published", published), ("access", "true")),
            ),
        ),
    ),
    published=st.sampled_from(["true", "false"]),
    status=st.sampled_from(["02", "04"]),
    expected=st.one_of(st.none(), DAYS),
    first=st.one_of(st.none(), DAYS),
    embargo=st.one_of(st.none(), DAYS),
    prices=st.lists(
        st.builds(
            lambda kind, amount, until: Price(
                type=kind,
                qualifier="05",
                amount=amount,
                currency="NOK",
                dates=(DatedRole(role="15", date=OnixDate(text=until)),) if until else (),
            ),
            kind=st.sampled_from(["02", "04"]),
            amount=st.sampled_from([Decimal("199.00"), Decimal("249.00")]),
            until=st.one_of(st.none(), DAYS),
        ),
        max_size=2,
    ),
)


def shown(offer: Offer) -> tuple[object, ...]:
    """Everything of an offer that people and planners act on."""
    return (
        offer.state,
        offer.price,
        offer.accepts_orders,
        offer.accepts_preorders,
        offer.takes_no_new,
        offer.held_orders,
        offer.check_first,
        offer.name_letters,
        offer.terms,
        offer.starts_at,
        offer.record_reference,
    )


def hold_until_next_change(by: BokbasenRules, title: Title, at: datetime, between: float) -> None:
    offer = by.offer(title, NORWAY, at)
    end = offer.next_change_at
    assert end is None or end > at
    until = end or datetime(2028, 1, 1, tzinfo=UTC)
    for moment in (at + (until - at) * between, until - timedelta(microseconds=1)):
        if at <= moment < until:
            again = by.offer(title, NORWAY, moment)
            assert shown(offer) == shown(again)
            assert end == again.next_change_at
    if end is not None:
        assert shown(offer) != shown(by.offer(title, NORWAY, end))


@settings(max_examples=200)
@given(RULES, TITLES, INSTANTS, st.floats(0, 1, exclude_max=True))
def test_any_title_gives_an_offer_that_holds_until_its_next_change(by, title, at, between):
    hold_until_next_change(by, title, at, between)


@settings(max_examples=200)
@given(RULES, LIVELY, INSTANTS, st.floats(0, 1, exclude_max=True))
def test_a_lively_title_s_offer_holds_until_its_next_change_and_then_differs(by, title, at, between):
    hold_until_next_change(by, title, at, between)


@settings(max_examples=300)
@given(RULES, st.one_of(TITLES, LIVELY), INSTANTS)
def test_flags_and_price_keep_their_word(by, title, at):
    offer = by.offer(title, NORWAY, at)
    assert offer.rules
    assert all(rule.id.startswith(("bokbasen ", "title.")) and rule.says for rule in offer.rules)
    assert not (offer.accepts_orders and offer.accepts_preorders)
    assert not (offer.takes_no_new and (offer.accepts_orders or offer.accepts_preorders))
    assert offer.check_first is offer.accepts_orders
    if offer.accepts_orders or offer.accepts_preorders:
        assert HeldOrders.KEEP is offer.held_orders
        assert offer.price is not None
        assert offer.price.amount > 0
        assert "NOK" == offer.price.currency
    if offer.accepts_orders:
        row = dict(next(product.row for product in title.records if product.row))
        assert ("true", "true", "") == (row["published"], row["access"], row.get("deleted", ""))
        assert RESID == offer.terms["resid"]
        assert offer.starts_at is None or offer.starts_at <= at
