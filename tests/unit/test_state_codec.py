"""Values survive being stored: exactly, across versions of themselves, and damaged bytes are refused."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.sqlite import codec
from state.sqlite.codec import Packed, compress, expand, from_micros, plain, to_micros
from state.sqlite.passes import RecordIds
from syncengine.domain.change import Change, ChangeKind, FieldChange
from syncengine.domain.dates import OnixDate
from syncengine.domain.delivery import (
    Arrival,
    Gate,
    GateState,
    Operation,
    OperationKind,
    Outcome,
    Receipt,
    Request,
    Verdict,
)
from syncengine.domain.frame import Context, MessageHeader, TagStyle
from syncengine.domain.ids import (
    CustomerId,
    EntryId,
    Format,
    Isbn,
    OrderId,
    RecordReference,
    SourceName,
    StreamName,
    TitleKey,
)
from syncengine.domain.message import MessageMark
from syncengine.domain.order import Order, OrderRequest, OrderState, Payment, PriceRule, Reason
from syncengine.domain.passes import PassMode, PassReport, RecordOutcome
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
from syncengine.domain.title import Remembered
from syncengine.errors import StoreFailed
from syncengine.ports import LoggedReceipt
from tests.values import replace

AT = datetime(2026, 3, 8, 4, 59, 59, 999_999, tzinfo=UTC)
KEY = TitleKey(source=SourceName("enq"), isbn=Isbn("9780000000001"), format=Format("epub"))
TERRITORY = Territory(
    countries_included=("CA", "FR"),
    regions_included=("WORLD",),
    countries_excluded=("US",),
    regions_excluded=("CA-QC",),
)
PRODUCT = Product(
    reference=RecordReference("référence 1"),
    notification_type="03",
    identifiers=(
        ProductIdentifier(type="15", value="9780000000001"),
        ProductIdentifier(type="01", value="x", type_name="y"),
    ),
    form="ED",
    form_details=("E101",),
    form_features=(("15", "101"), ("09", "00")),
    title="L'été — 雪",
    publishing_status="04",
    publishing_dates=(DatedRole(role="01", date=OnixDate(text="20260901", format="00")),),
    sales_rights=(SalesRights(type="01", territory=TERRITORY, restrictions=("09",)),),
    supplies=(
        ProductSupply(
            markets=(TERRITORY, Territory()),
            details=(
                SupplyDetail(
                    availability="20",
                    prices=(
                        Price(
                            type="04",
                            amount=Decimal("12.90"),
                            currency="CAD",
                            territory=TERRITORY,
                            taxes=(Tax(type="01", rate_percent=Decimal("5.500")),),
                            conditions=True,
                        ),
                    ),
                ),
            ),
        ),
    ),
)
MARKET = Market(country="CA", currency="CAD")
ORDER = Order(
    request=OrderRequest(
        order_id=OrderId("o/1"),
        source=KEY.source,
        isbn=KEY.isbn,
        format=Format(""),
        market=MARKET,
        customer_id=CustomerId("c"),
        agreed_price=Decimal("0E+2"),
        price_rule=PriceRule.EXACT,
        payment=Payment.ON_RELEASE,
    ),
    state=OrderState.ATTENTION,
    key=KEY,
    received_at=AT,
    updated_at=AT + timedelta(microseconds=1),
    reference="ab12-o",
    reason=Reason.AMBIGUOUS,
    amount=Decimal("19.990"),
    cancel_requested=True,
)
OPERATION = Operation(
    kind=OperationKind.REFUND,
    key=KEY,
    market=MARKET,
    reference="r",
    customer_id="c",
    amount=Decimal("1E-7"),
    terms={"resource": "12", "": "é"},
)
REQUEST = Request(method="POST", target="/a?b=%20", limit="sale", headers=(("A", "b"),), body=bytes(range(256)))
RECEIPT = Receipt(
    arrival=Arrival.UNKNOWN, at=AT, status=500, headers={"retry-after": "1"}, body=b"\xff", detail="reset"
)
REPORT = PassReport(source=KEY.source, stream=StreamName("onix"), mode=PassMode.FULL, started_at=AT)
REPORT.count(RecordOutcome.ADDED, 5)
REPORT.changes["price"] = 2
REPORT.warnings.append("odd")
CHANGE = Change(
    at=AT,
    source=KEY.source,
    kind=ChangeKind.OFFER,
    key=KEY,
    market="CA/CAD",
    fields=(FieldChange(field="price", old=None, new="1.00"),),
)
CONTEXT = Context(
    encoding="ISO-8859-1",
    release="3.1",
    style=TagStyle.SHORT,
    opening=b"<m \xe9>",
    closing=b"</m>",
    header=MessageHeader(sender="É", default_price_type="42", default_currency="CAD"),
)
VALUES: list[tuple[Packed[Any], Any]] = [
    (codec.PRODUCT, PRODUCT),
    (codec.PRODUCT, Product(reference=RecordReference(""), notification_type="")),
    (codec.CHANGE, CHANGE),
    (codec.REMEMBERED, Remembered(withdrawn={"CAD": frozenset({"CA"}), "USD": frozenset()})),
    (codec.REMEMBERED, Remembered()),
    (codec.REPORT, REPORT),
    (codec.ORDER, ORDER),
    (codec.OPERATION, OPERATION),
    (codec.REQUEST, REQUEST),
    (
        codec.LOGGED_RECEIPT,
        LoggedReceipt(
            entry_id=EntryId(3),
            receipt=RECEIPT,
            verdict=Verdict(outcome=Outcome.THROTTLED, word="w", proof="p", until=AT),
            request=REQUEST,
        ),
    ),
    (
        codec.GATE,
        Gate(id="g", key=KEY, market=MARKET, state=GateState.OPEN, since=AT, valid_until=AT, attempts=2, note="n"),
    ),
    (codec.TALLIES, {"prices": 2**63 - 1, "": -1}),
    (codec.CONTEXT, CONTEXT),
    (codec.MARKS, {"é": MessageMark(sent_at="20260302T1200", number="7"), "": MessageMark()}),
    (codec.MARKS, {"of an older build": "20260302T1200"}),
]


@pytest.mark.parametrize(("packed", "value"), VALUES, ids=lambda value: type(value).__name__)
def test_values_come_back_equal_and_of_their_own_types(packed: Packed[Any], value: Any) -> None:
    found = packed.unpack(packed.pack(value))

    assert value == found
    assert repr(value) == repr(found)


@pytest.mark.parametrize(("packed", "value"), VALUES, ids=lambda value: type(value).__name__)
def test_damaged_bytes_are_refused(packed: Packed[Any], value: Any) -> None:
    blob = packed.pack(value)

    for damaged in (b"", blob[:-1], b"\xc1" + blob, b"\x93\x01\x02\x03"):
        with pytest.raises(StoreFailed, match="cannot be read") as failure:
            packed.unpack(damaged)
        assert "backup" in failure.value.hint


def test_amounts_keep_their_digits() -> None:
    """19.990 and 19.99 are equal, yet what was read must be shown as it was."""
    found = codec.ORDER.unpack(codec.ORDER.pack(ORDER))

    assert ("19.990", "0E+2") == (str(found.amount), str(found.request.agreed_price))


def test_instants_come_back_in_utc() -> None:
    elsewhere = replace(ORDER, received_at=AT.astimezone(timezone(timedelta(hours=5, minutes=30))))

    found = codec.ORDER.unpack(codec.ORDER.pack(elsewhere))

    assert AT == found.received_at
    assert timedelta(0) == found.received_at.utcoffset()


def test_a_field_that_was_added_takes_its_default_and_one_that_is_gone_is_skipped() -> None:
    """A new build reads what an older one wrote, and the other way round where nobody misses anything."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Older:
        name: str
        dropped: int = 1

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Newer:
        name: str
        added: tuple[str, ...] = ("default",)

    assert Newer(name="x") == Packed(Newer).unpack(Packed(Older).pack(Older(name="x", dropped=9)))


def test_text_that_is_no_unicode_is_spelled_with_question_marks() -> None:
    """Headers and reasons come from outside; they must not stop a receipt from being kept."""
    receipt = replace(RECEIPT, headers={"x\udcff": "é\udcff"}, detail="\ud800")
    line = LoggedReceipt(
        entry_id=EntryId(1), receipt=receipt, verdict=Verdict(outcome=Outcome.UNKNOWN), request=REQUEST
    )

    found = codec.LOGGED_RECEIPT.unpack(codec.LOGGED_RECEIPT.pack(line))

    assert replace(line, receipt=replace(receipt, headers={"x?": "é?"}, detail="?")) == found


def test_values_of_one_content_are_packed_alike() -> None:
    assert codec.PRODUCT.pack(PRODUCT) == codec.PRODUCT.pack(replace(PRODUCT))


def test_bodies_shrink() -> None:
    body = b"<ProductIdentifier><ProductIDType>15</ProductIDType></ProductIdentifier>" * 100

    assert len(body) / 10 > len(compress(body))


def test_what_was_never_compressed_is_refused() -> None:
    with pytest.raises(StoreFailed, match="body cannot be read"):
        expand(b"<Product/>")


def test_an_instant_without_zone_is_an_error_of_the_program() -> None:
    with pytest.raises(TypeError):
        to_micros(AT.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("at", "micros"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), -1),
        (datetime(2026, 3, 8, 5, tzinfo=UTC), 1_772_946_000_000_000),
        (datetime(2026, 3, 8, 0, tzinfo=timezone(timedelta(hours=-5))), 1_772_946_000_000_000),
        (datetime.min.replace(tzinfo=UTC), -62_135_596_800_000_000),
        (datetime.max.replace(tzinfo=UTC), 253_402_300_799_999_999),
    ],
)
def test_instants_are_whole_microseconds(at: datetime, micros: int) -> None:
    assert micros == to_micros(at)
    assert at == from_micros(micros)


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_instants_keep_their_order(one: datetime, other: datetime) -> None:
    assert (one < other) == (to_micros(one) < to_micros(other))
    assert one == from_micros(to_micros(one))


@given(st.binary(max_size=5000))
def test_bodies_come_back_byte_for_byte(body: bytes) -> None:
    assert body == expand(compress(body))


@given(st.text())
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert text == plain(text)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_but_never_crash(blob: bytes) -> None:
    try:
        found = codec.OPERATION.unpack(blob)
    except StoreFailed:
        return
    assert isinstance(found, Operation)


_amounts = st.none() | st.decimals(allow_nan=False, allow_infinity=False)
_texts = st.none() | st.text(max_size=20)
_codes = st.lists(st.text(max_size=5), max_size=3).map(tuple)
_territories = st.builds(
    Territory, countries_included=_codes, regions_included=_codes, countries_excluded=_codes, regions_excluded=_codes
)
_dates = st.lists(
    st.builds(DatedRole, role=st.text(max_size=3), date=st.builds(OnixDate, text=st.text(max_size=12), format=_texts)),
    max_size=2,
).map(tuple)
_prices = st.builds(
    Price,
    type=_texts,
    amount=_amounts,
    currency=_texts,
    territory=st.none() | _territories,
    taxes=st.lists(st.builds(Tax, rate_percent=_amounts, tax_amount=_amounts), max_size=2).map(tuple),
    dates=_dates,
    conditions=st.booleans(),
)
_supplies = st.builds(
    ProductSupply,
    markets=st.lists(_territories, max_size=2).map(tuple),
    details=st.lists(
        st.builds(SupplyDetail, availability=_texts, prices=st.lists(_prices, max_size=2).map(tuple)), max_size=2
    ).map(tuple),
)
_products = st.builds(
    Product,
    reference=st.text(max_size=20).map(RecordReference),
    notification_type=st.text(max_size=3),
    title=_texts,
    form_features=st.lists(st.tuples(st.text(max_size=3), st.text(max_size=3)), max_size=2).map(tuple),
    publishing_dates=_dates,
    sales_rights=st.lists(
        st.builds(SalesRights, type=st.text(max_size=2), territory=_territories, restrictions=_codes), max_size=2
    ).map(tuple),
    supplies=st.lists(_supplies, max_size=2).map(tuple),
)


@given(_products)
def test_any_product_comes_back_as_it_was(product: Product) -> None:
    found = codec.PRODUCT.unpack(codec.PRODUCT.pack(product))

    assert product == found
    assert repr(product) == repr(found)


@given(st.builds(Remembered, withdrawn=st.dictionaries(st.text(max_size=3), st.frozensets(st.text(max_size=3)))))
def test_anything_remembered_comes_back(remembered: Remembered) -> None:
    assert remembered == codec.REMEMBERED.unpack(codec.REMEMBERED.pack(remembered))


@given(st.lists(st.lists(st.integers(0, 3000))))
def test_record_ids_are_a_set(batches: list[list[int]]) -> None:
    ids = RecordIds()
    for batch in batches:
        ids.add(batch)

    expected = {number for batch in batches for number in batch}
    assert sorted(expected) == list(ids)
    assert len(expected) == len(ids)
    assert [number in expected for number in range(-9, 3050)] == [number in ids for number in range(-9, 3050)]
    assert object() not in ids
