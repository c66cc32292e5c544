"""CB's offers in time: whatever records and rows say, an offer is given, and it holds until the instant it names."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.distributors.cb.rules import CbRules
from syncengine.domain.dates import OnixDate
from syncengine.domain.ids import RecordReference
from syncengine.domain.offer import Offer, OfferState
from syncengine.domain.product import DatedRole, Price, Product, ProductIdentifier, ProductSupply, SupplyDetail, Tax
from syncengine.domain.territory import Territory
from syncengine.domain.title import Title
from tests.cb_products import AUDIO_KEY, EAN, EBOOK_KEY, NL_EUR, agreed, listed, rules

DAYS = ["20260328", "20260329", "20260330", "20261024", "20261025", "20261026", "20270101"]
TEXTS = st.one_of(st.sampled_from(DAYS), st.sampled_from(["202610", "", "soon", "2026032820261025", "99991231"]))
FORMATS = st.sampled_from([None, "00", "00", "06", "01"])
AMOUNTS = st.sampled_from([None, *map(Decimal, ("-1", "0", "5.99", "9.99", "12.50", "NaN"))])


def dated(*roles: str) -> st.SearchStrategy[DatedRole]:
    return st.builds(DatedRole, role=st.sampled_from(roles), date=st.builds(OnixDate, text=TEXTS, format=FORMATS))


PRICES = st.builds(
    Price,
    type=st.sampled_from([None, "01", "02", "04", "05", "06", "12", "14", "99"]),
    amount=AMOUNTS,
    currency=st.sampled_from([None, "EUR", "EUR", "eur", "USD"]),
    territory=st.sampled_from(
        [
            None,
            Territory(countries_included=("NL",)),
            Territory(regions_included=("WORLD",), countries_excluded=("NL",)),
        ]
    ),
    taxes=st.sampled_from([(), (Tax(rate_percent=Decimal(9)),), (Tax(rate_percent=Decimal("NaN")),)]),
    dates=st.lists(dated("14", "15", "24", "99"), max_size=2).map(tuple),
    conditions=st.sampled_from([False, False, True]),
)
DETAILS = st.builds(
    SupplyDetail,
    supplier_name=st.sampled_from([None, "CB", "Elders"]),
    availability=st.sampled_from([None, "10", "20", "20", "40", "31", "??"]),
    dates=st.lists(dated("08", "50"), max_size=1).map(tuple),
    prices=st.lists(PRICES, max_size=4).map(tuple),
)
RECORDS = st.builds(
    Product,
    reference=st.sampled_from([RecordReference(EAN), RecordReference("other")]),
    notification_type=st.sampled_from(["03", "04", "04", "05"]),
    identifiers=st.just((ProductIdentifier(type="03", value=EAN),)),
    form=st.sampled_from([None, "AJ", "EA", "BC"]),
    publishing_status=st.sampled_from([None, "02", "04", "11"]),
    publishing_dates=st.lists(dated("01", "02"), max_size=2).map(tuple),
    supplies=st.lists(DETAILS, max_size=3).map(lambda details: (ProductSupply(details=tuple(details)),)),
)
ROWS = st.one_of(
    st.builds(
        agreed,
        allowed=st.sampled_from(["Y", "N", "y", ""]),
        webshop=st.sampled_from(["Y", "N"]),
        amount=st.sampled_from([None, "7.99", "0", "x", "NaN", "-1", "Infinity"]),
        currency=st.sampled_from(["EUR", "USD", ""]),
    ),
    st.builds(listed, st.sampled_from(["Y", "N"]), checked=st.sampled_from([None, "yes", "no", "unanswered", "?"])),
)
TITLES = st.builds(
    Title,
    key=st.sampled_from([AUDIO_KEY, EBOOK_KEY]),
    records=st.tuples(st.lists(RECORDS, max_size=2), st.lists(ROWS, max_size=2)).map(lambda both: (*both[0], *both[1])),
    was_removed=st.booleans(),
)
INSTANTS = st.datetimes(datetime(2026, 3, 27), datetime(2027, 1, 3)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001 - the next word gives the zone
RULES = st.builds(rules, holds_until_publication=st.booleans())


def shown(offer: Offer) -> tuple[object, ...]:
    return offer.state, offer.accepts_orders, offer.price


@settings(max_examples=200)
@given(RULES, TITLES, INSTANTS, st.floats(0, 1, exclude_max=True))
def test_any_title_gives_an_offer_that_holds_until_its_next_change_and_then_differs(by, title, at, between):
    offer = by.offer(title, NL_EUR, at)
    end = offer.next_change_at
    until = end or datetime(2028, 1, 1, tzinfo=UTC)
    assert until > at
    for moment in (at + (until - at) * between, until - timedelta(microseconds=1)):
        if at <= moment < until:
            assert shown(offer) == shown(by.offer(title, NL_EUR, moment))
    if end is not None:
        assert shown(offer) != shown(by.offer(title, NL_EUR, end))


@settings(max_examples=200)
@given(RULES, TITLES, INSTANTS)
def test_flags_and_price_keep_their_word(by: CbRules, title: Title, at: datetime):
    offer = by.offer(title, NL_EUR, at)
    assert offer.rules
    assert all(rule.id.startswith(("cb.", "title.")) and rule.says for rule in offer.rules)
    assert not (offer.accepts_orders and offer.accepts_preorders)
    assert not offer.declares_preorders
    assert offer.check_first is offer.accepts_orders
    if offer.accepts_orders:
        assert offer.state is OfferState.FOR_SALE
        assert offer.price is not None
    if offer.price is not None:
        assert (NL_EUR.currency, "included") == (offer.price.currency, offer.price.tax)
        assert offer.price.amount > 0


@settings(max_examples=200)
@given(TITLES, INSTANTS)
def test_nothing_sells_an_audiobook_that_no_detail_calls_available(title, at):
    """Contract cb 5: only 20 is ever sold, whatever else is said."""
    offer = rules().offer(title, NL_EUR, at)
    said = {detail.availability for each in title.records for block in each.supplies for detail in block.details}
    if offer.accepts_orders and offer.key == AUDIO_KEY:
        assert "20" in said


@settings(max_examples=200)
@given(TITLES, INSTANTS)
def test_nothing_sells_an_e_book_without_leave(title, at):
    """Contract cb 9: no agreement, no sale."""
    offer = rules().offer(title, NL_EUR, at)
    rows = [dict(each.row) for each in title.records if each.row]
    if offer.accepts_orders and offer.key == EBOOK_KEY:
        allowed = [row["AllowedToOrder"].upper() for row in rows if "AllowedToOrder" in row]
        assert allowed
        assert {"Y"} == set(allowed)
