"""CB's calls without a network: requests, what answers mean code by code, and that links never stay."""

import asyncio
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

import pytest

from adapters.distributors.cb.answers import read, without_links
from adapters.distributors.cb.audiobooks import AudiobookCalls, Settled, opaque_customer, proofs, settled_lines, within
from adapters.distributors.cb.calls import CbCalls
from adapters.distributors.cb.codes import CODES, Meaning
from adapters.distributors.cb.ebooks import EbookCalls, Place, origin_and_path
from adapters.distributors.cb.names import LUISTERHUIS_NAMES
from adapters.distributors.cb.routing import Routing, Service
from adapters.distributors.cb.settings import OPERATIONS, Ebooks, Luisterhuis
from adapters.http.session import HttpSession
from syncengine.domain.delivery import (
    Arrival,
    Operation,
    OperationKind,
    Outcome,
    Receipt,
    UnknownPolicy,
)
from syncengine.domain.ids import CustomerId, Format, Isbn, OrderId, SourceName
from syncengine.domain.order import Order, OrderRequest, OrderState
from syncengine.errors import UsageInvalid
from syncengine.ports import World
from tests.cb_products import AUDIO_KEY, BOTH, EAN, EBOOK_KEY, NL_EUR, NOW
from tests.clock import JumpClock
from tests.pace import FreePace
from tests.values import replace

PROBE, SALE, DECLARATION, REFUND = (
    OperationKind.PROBE,
    OperationKind.SALE,
    OperationKind.DECLARATION,
    OperationKind.REFUND,
)
LINK = "https://downloads.example/wmDwld.php?uid=secret-uid&ean=9789000000008&r=1"
OTHER = "9789000000015"


def calls(
    routing: Routing = BOTH, *, audio: dict[str, Any] | None = None, books: dict[str, Any] | None = None
) -> CbCalls:
    clock = JumpClock()
    world = World(clock=clock, pace=FreePace())
    name = SourceName("cb")
    shelf = Luisterhuis(base_url="https://audio.example", username="u", secret_env="S", **(audio or {}))
    ebooks = Ebooks(
        agreement=("a",), articles=("b",), base_url="https://books.example/v1", secret_env="S", **(books or {})
    )
    places = {}
    for operation in OPERATIONS:
        origin, path = origin_and_path(ebooks.url(operation))
        places[operation] = Place(session=HttpSession(origin, clock=clock), target=path)
    return CbCalls(
        name,
        routing,
        audiobooks=AudiobookCalls(name, shelf, HttpSession(shelf.base_url, clock=clock), world, asyncio.Semaphore(2)),
        ebooks=EbookCalls(name, ebooks, places, world),
    )


def operation(kind: OperationKind = SALE, *, audio: bool = False, **changes: object) -> Operation:
    whole = Operation(
        kind=kind,
        key=AUDIO_KEY if audio else EBOOK_KEY,
        market=NL_EUR,
        reference="P-O1",
        customer_id="C-42",
        amount=Decimal("9.99"),
    )
    return replace(whole, **changes)


def answered(body: object, status: int = 200, **headers: str) -> Receipt:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Receipt(arrival=Arrival.ANSWERED, at=NOW, status=status, body=content, headers=headers)


def message(code: str, kind: str = "E") -> dict[str, str]:
    return {"MessageType": kind, "MessageCode": code, "MessageText": "whatever it says"}


def xml_message(code: str, kind: str = "E") -> bytes:
    fields = "".join(f"<{name}>{text}</{name}>" for name, text in message(code, kind).items())
    return f"<Response><Message>{fields}</Message></Response>".encode()


PLACED = {"CbOrderReference": "CB-7", "EAN": EAN, "URL": LINK}
ORDERED = (
    f"<Response><OrderID>LH-7</OrderID><EAN13>{EAN}</EAN13>"
    f"<DownloadURL>{LINK.replace('&', '&amp;')}</DownloadURL></Response>"
).encode()


def outcome(receipt: Receipt, kind: OperationKind = SALE, *, audio: bool = False, sent_before: bool = False) -> Outcome:
    return calls().read(operation(kind, audio=audio), without_links(receipt), sent_before=sent_before).outcome


# --- requests -------------------------------------------------------------------------------------------------------------


def test_an_audiobook_is_ordered_by_ean_customer_and_reference_and_nothing_else():
    """Contract cb 2.4: one title, no price, no name."""
    request = calls().prepare(operation(audio=True, customer_name="Anna Jansen"))
    assert ("POST", "/v3/submitOrder", "luisterhuis") == (request.method, request.target, request.limit)
    assert {"EAN13": [EAN], "CustomerID": ["C-42"], "reference": ["P-O1"]} == parse_qs(request.body.decode())
    assert dict(request.headers)["Content-Type"] == "application/x-www-form-urlencoded"


def test_every_word_of_an_audiobook_order_is_a_setting():
    settings = {
        "order_path": "/x/order",
        "order_method": "GET",
        "names": {"ean": "e", "customer_id": "c", "reference": "r"},
    }
    request = calls(audio=settings).prepare(operation(audio=True))
    assert ("GET", f"/x/order?e={EAN}&c=C-42&r=P-O1", b"") == (request.method, request.target, request.body)


def test_an_audiobook_is_checked_by_its_ean():
    assert f"/v3/availability?ean={EAN}" == calls().prepare(operation(PROBE, audio=True)).target


def test_an_e_book_is_checked_and_placed_with_the_channel():
    check, placed = calls().prepare(operation(PROBE)), calls().prepare(operation())
    assert ("/v1/checkOrderable", "checkorderable") == (check.target, check.limit)
    assert {"EAN": EAN, "DeliveryChannel": "CBW"} == json.loads(check.body)
    assert ("/v1/placeOrder", "placeorder") == (placed.target, placed.limit)
    assert {"EAN": EAN, "OrderReference": "P-O1", "DeliveryChannel": "CBW"} == json.loads(placed.body)


def test_what_is_not_sent_is_left_out_and_never_null():
    request = calls(books={"delivery_channel": ""}).prepare(operation())
    assert {"EAN": EAN, "OrderReference": "P-O1"} == json.loads(request.body)
    assert b"null" not in request.body


def test_each_operation_may_have_an_address_of_its_own():
    urls = {"placeOrder": "https://media.example/digital/order/v1/place"}
    both = calls(books={"urls": urls})
    assert "/digital/order/v1/place" == both.prepare(operation()).target
    assert "/v1/getContentUrl" == both.prepare_lookup(operation()).target


def test_the_look_up_asks_by_the_reference_alone():
    assert {"OrderReference": "P-O1"} == json.loads(calls().prepare_lookup(operation()).body)
    with pytest.raises(UsageInvalid):
        calls().prepare_lookup(operation(audio=True))


def test_an_override_sends_an_audiobook_to_the_e_book_service():
    routing = Routing(services=frozenset(Service), overrides={EAN: Service.EBOOKS})
    both = calls(routing)
    assert "/v1/placeOrder" == both.prepare(operation(audio=True)).target
    assert UnknownPolicy.LOOK_UP is both.unknown_policy(operation(audio=True))


@pytest.mark.parametrize("kind", [REFUND, DECLARATION])
@pytest.mark.parametrize("audio", [True, False])
def test_nothing_is_taken_back_or_declared(kind, audio):
    assert frozenset({PROBE, SALE}) == calls().operations
    with pytest.raises(UsageInvalid):
        calls().prepare(operation(kind, audio=audio))


def test_unknown_outcomes_are_looked_up_for_e_books_and_parked_for_audiobooks():
    both = calls()
    assert UnknownPolicy.LOOK_UP is both.unknown_policy(operation())
    assert UnknownPolicy.PARK is both.unknown_policy(operation(audio=True))
    assert UnknownPolicy.RESEND is both.unknown_policy(operation(PROBE, audio=True))


def test_an_order_stays_with_the_service_that_it_was_decided_for():
    """A route that is set while its outcome is unknown must not have it looked up at the other service and sent again."""
    rerouted = calls(Routing(services=BOTH.services, overrides={AUDIO_KEY.isbn: Service.EBOOKS}))
    sale = operation(audio=True, terms={"service": "luisterhuis"})
    assert UnknownPolicy.PARK is rerouted.unknown_policy(sale)
    assert "luisterhuis" == rerouted.prepare(sale).limit
    assert Outcome.ACCEPTED is rerouted.read(sale, answered(ORDERED), sent_before=False).outcome


@pytest.mark.parametrize("customer", ["C-42", "a" * 64])
def test_a_plain_customer_id_is_sent_as_it_is(customer):
    assert customer == opaque_customer(customer, 64)


@pytest.mark.parametrize("customer", ["x--anna_40example_2Ecom", "a" * 65, "Anna Jansen"])
def test_a_customer_id_that_may_be_a_person_is_made_opaque(customer):
    sent = opaque_customer(customer, 64)
    assert len(sent) <= 64
    assert "anna" not in sent.lower()
    assert sent == opaque_customer(customer, 64) != opaque_customer(customer + "1", 64)


def test_references_fit_and_never_become_one():
    long = "r" * 150
    assert 100 == len(within(long + "1", 100))
    assert within(long + "1", 100) != within(long + "2", 100)
    assert "short" == within("short", 100)


# --- e-books: table 8.3 ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "status", "check", "placed", "looked_up"),
    [
        ("EBS-10003", 200, Outcome.STALE_FACTS, Outcome.STALE_FACTS, Outcome.UNKNOWN),
        ("EBS-10004", 200, Outcome.STALE_FACTS, Outcome.STALE_FACTS, Outcome.UNKNOWN),
        ("EBS-10005", 200, Outcome.REJECTED, Outcome.UNKNOWN, Outcome.UNKNOWN),
        ("EBS-10006", 200, Outcome.NOT_YET, Outcome.NOT_YET, Outcome.UNKNOWN),
        ("EBS-10009", 200, Outcome.NOT_YET, Outcome.NOT_YET, Outcome.UNKNOWN),
        ("EBS-10011", 200, Outcome.STALE_FACTS, Outcome.STALE_FACTS, Outcome.UNKNOWN),
        ("EBS-10017", 200, Outcome.UNAUTHORIZED, Outcome.UNAUTHORIZED, Outcome.UNAUTHORIZED),
        ("EBS-10034", 200, Outcome.REJECTED, Outcome.REJECTED, Outcome.UNKNOWN),
        ("EBS-10060", 200, Outcome.NOT_YET, Outcome.UNKNOWN, Outcome.UNKNOWN),
        ("EBS-10077", 200, Outcome.REJECTED, Outcome.REJECTED, Outcome.ABSENT),
        *(
            (code, status, Outcome.REJECTED, Outcome.REJECTED, Outcome.UNKNOWN)
            for code, status in (
                ("EBS-10001", 200),
                ("EBS-10056", 200),
                ("EBS-10073", 200),
                ("EBS-10075", 200),
                ("EBS-10076", 200),
                ("WMS-00008", 200),
                ("CEP-200", 400),
                ("CEP-002", 400),
            )
        ),
        *(
            (code, status, Outcome.UNAUTHORIZED, Outcome.UNAUTHORIZED, Outcome.UNAUTHORIZED)
            for code, status in (
                ("WMS-00002", 200),
                ("WMS-00004", 200),
                ("WMS-00005", 200),
                ("CEP-003", 401),
                ("CEP-004", 404),
            )
        ),
        ("EBS-11000", 200, Outcome.UNKNOWN, Outcome.UNKNOWN, Outcome.UNKNOWN),
        ("EBS-11000", 500, Outcome.UNKNOWN, Outcome.UNKNOWN, Outcome.UNKNOWN),
        ("EBS-11001", 500, Outcome.UNKNOWN, Outcome.UNKNOWN, Outcome.UNKNOWN),
        ("EBS-99999", 200, Outcome.REJECTED, Outcome.UNKNOWN, Outcome.UNKNOWN),
        ("EBS-99999", 400, Outcome.REJECTED, Outcome.UNKNOWN, Outcome.UNKNOWN),
    ],
)
def test_code_of_table_8_3(code, status, check, placed, looked_up):
    receipt = answered(message(code), status)
    assert (check, placed) == (outcome(receipt, PROBE), outcome(receipt))
    assert looked_up is calls().read_lookup(operation(), receipt).outcome


def test_every_code_of_the_table_has_a_row_above():
    assert Meaning.UNLISTED not in CODES.values()
    assert {meaning for meaning in Meaning if meaning is not Meaning.UNLISTED} == set(CODES.values())


def test_the_code_decides_and_never_the_text():
    said = {"MessageType": "E", "MessageCode": "EBS-10006", "MessageText": "see EBS-10017 about credit"}
    assert Outcome.NOT_YET is outcome(answered(said))


def test_a_used_reference_is_looked_up_whoever_used_it():
    """Section 6: also on our own first request, and never believed without the EAN."""
    receipt = answered(message("EBS-10005"))
    for sent_before in (True, False):
        verdict = calls().read(operation(), receipt, sent_before=sent_before)
        assert Outcome.UNKNOWN is verdict.outcome
        assert "duplicate" != verdict.word, "that word is for a person"


def test_an_information_beside_a_good_answer_changes_nothing():
    placed = {**PLACED, **message("EBS-20001", "I")}
    nested = {**PLACED, "Messages": [message("EBS-20001", "I")]}
    orderable = {"Orderable": "Y", **message("EBS-20001", "I")}
    assert [Outcome.ACCEPTED] * 2 == [outcome(answered(placed)), outcome(answered(nested))]
    assert Outcome.ACCEPTED is outcome(answered(orderable), PROBE)


def test_an_error_beside_a_good_answer_is_an_error():
    assert Outcome.NOT_YET is outcome(answered({**PLACED, "Messages": [message("EBS-10006")]}))


def test_the_code_of_a_failure_may_stand_in_brackets_of_a_text_or_not_at_all():
    assert Outcome.UNKNOWN is outcome(answered({"message": "Internal server error [123-abc]"}, 500))
    assert Outcome.UNKNOWN is outcome(answered(b"Internal server error", 500))


@pytest.mark.parametrize(
    ("said", "expected"), [("Y", Outcome.ACCEPTED), ("N", Outcome.NOT_YET), ("?", Outcome.UNKNOWN)]
)
def test_only_a_plain_yes_is_orderable(said, expected):
    assert expected is outcome(answered({"Orderable": said}), PROBE)


@pytest.mark.parametrize(
    "changes",
    [{"CbOrderReference": ""}, {"EAN": OTHER}, {"URL": ""}, {"URL": "http://plain.example/x"}, {"URL": "see mail"}],
)
def test_an_e_book_is_placed_only_with_number_ean_and_link(changes):
    assert Outcome.ACCEPTED is outcome(answered(PLACED))
    assert Outcome.UNKNOWN is outcome(answered({**PLACED, **changes}))


def test_a_combination_product_brings_several_parts():
    parts = [{"EAN": EAN, "URL": LINK}, {"EAN": OTHER, "URL": LINK}]
    assert Outcome.ACCEPTED is outcome(answered({"CbOrderReference": "CB-7", "Items": parts}))


def test_a_look_up_compares_the_ean():
    found = calls().read_lookup(operation(), answered(PLACED))
    other = calls().read_lookup(operation(), answered({**PLACED, "EAN": OTHER}))
    assert (Outcome.ALREADY_DONE, "CB-7") == (found.outcome, found.proof)
    assert Outcome.UNKNOWN is other.outcome
    assert OTHER in other.word


# --- Luisterhuis ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        (ORDERED, 200, Outcome.ACCEPTED),
        (ORDERED.replace(b"LH-7", b""), 200, Outcome.UNKNOWN),
        (ORDERED.replace(b"https:", b"http:"), 200, Outcome.UNKNOWN),
        (b"<Response><OrderID>LH-7</OrderID></Response>", 200, Outcome.UNKNOWN),
        (ORDERED, 201, Outcome.UNKNOWN),
        (ORDERED[:-20], 200, Outcome.UNKNOWN),
        (b"", 200, Outcome.UNKNOWN),
        (b"<!DOCTYPE html><html></html>", 200, Outcome.UNKNOWN),
        (b"fault", 500, Outcome.UNKNOWN),
        (b"fault", 503, Outcome.UNKNOWN),
        (b"syntax", 400, Outcome.UNKNOWN),
        (b"not here", 404, Outcome.UNKNOWN),
        (b"", 401, Outcome.UNAUTHORIZED),
        (xml_message("EBS-10003"), 200, Outcome.STALE_FACTS),
        (xml_message("EBS-10006"), 200, Outcome.NOT_YET),
        (xml_message("EBS-10011"), 200, Outcome.STALE_FACTS),
        (xml_message("EBS-10017"), 200, Outcome.UNAUTHORIZED),
        (xml_message("EBS-10060"), 200, Outcome.UNKNOWN),
        (xml_message("EBS-10001"), 400, Outcome.REJECTED),
        (xml_message("EBS-99999"), 200, Outcome.UNKNOWN),
    ],
)
def test_an_audiobook_is_accepted_only_as_section_2_9_wants_it(body, status, expected):
    assert expected is outcome(answered(body, status), audio=True)


def test_luisterhuis_own_codes_are_given_in_the_settings():
    told = calls(audio={"codes": {"LHS-00042": "withdrawn"}}).read(
        operation(audio=True), answered(xml_message("LHS-00042")), sent_before=False
    )
    assert Outcome.STALE_FACTS is told.outcome


def test_a_used_reference_at_luisterhuis_is_proof_only_of_our_own_earlier_request():
    receipt = answered(xml_message("EBS-10005"))
    first = calls().read(operation(audio=True), receipt, sent_before=False)
    assert (Outcome.UNKNOWN, "duplicate") == (first.outcome, first.word)
    assert Outcome.ALREADY_DONE is outcome(receipt, audio=True, sent_before=True)


@pytest.mark.parametrize(
    ("said", "code", "expected"),
    [
        ("yes", "20", Outcome.ACCEPTED),
        ("true", "20", Outcome.ACCEPTED),
        ("no", "10", Outcome.NOT_YET),
        ("no", "40", Outcome.STALE_FACTS),
        ("no", "", Outcome.STALE_FACTS),
        ("perhaps", "20", Outcome.UNKNOWN),
    ],
)
def test_the_availability_check(said, code, expected):
    body = (
        f"<Availability><Available>{said}</Available><ProductAvailability>{code}</ProductAvailability></Availability>"
    )
    assert expected is outcome(answered(body.encode()), PROBE, audio=True)


def test_a_settlement_line_with_our_reference_goes_before_all_others():
    own = Settled(order_id="LH-1", isbn=Isbn(EAN), at="", amount=Decimal(5), reference="P-O1")
    unnamed = Settled(order_id="LH-2", isbn=Isbn(EAN), at="", amount=None, reference="")
    foreign = Settled(order_id="LH-3", isbn=Isbn(EAN), at="", amount=None, reference="P-O2")
    another = Settled(order_id="LH-4", isbn=Isbn(OTHER), at="", amount=None, reference="")
    lines = [foreign, unnamed, own, another]
    assert [own] == proofs(lines, Isbn(EAN), "P-O1")
    assert [unnamed] == proofs([foreign, unnamed, another], Isbn(EAN), "P-O1")
    assert [] == proofs([foreign, another], Isbn(EAN), "P-O1")


@pytest.mark.parametrize(
    "body",
    [
        b"<S><Order><OrderID>LH-1</OrderID><EAN13>9789000000008</EAN13><NetAmount>4.50</NetAmount></Order><Total>1</Total></S>",
        b'{"orders":[{"OrderID":"LH-1","EAN13":"9789000000008","NetAmount":"4.50"}]}',
        b"OrderID;EAN13;NetAmount\nLH-1;9789000000008;4.50\n;;\n",
        b"\xef\xbb\xbfOrderID,EAN13,NetAmount\nLH-1,9789000000008,4.50\n",
    ],
)
def test_a_settlement_is_read_in_whichever_form_it_comes(body):
    [line] = settled_lines(body, LUISTERHUIS_NAMES)
    assert ("LH-1", EAN, Decimal("4.50"), "", "") == (line.order_id, line.isbn, line.amount, line.at, line.reference)


@pytest.mark.parametrize("amount", ["", "much", "NaN"])
def test_an_amount_that_is_none_is_left_open(amount):
    body = f"OrderID;EAN13;NetAmount\nLH-1;{EAN};{amount}\n".encode()
    assert [None] == [line.amount for line in settled_lines(body, LUISTERHUIS_NAMES)]


# --- what both share ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("audio", [True, False])
@pytest.mark.parametrize(
    ("receipt", "expected"),
    [
        (Receipt(arrival=Arrival.NOT_SENT, at=NOW, detail="no"), Outcome.FAILED_BEFORE_SENDING),
        (Receipt(arrival=Arrival.REFUSED, at=NOW, detail="no"), Outcome.UNAUTHORIZED),
        (Receipt(arrival=Arrival.UNKNOWN, at=NOW, detail="cut"), Outcome.UNKNOWN),
        (answered(b"", 429), Outcome.THROTTLED),
        (answered(b"", 403), Outcome.UNAUTHORIZED),
        (answered(b"<html>login</html>"), Outcome.UNKNOWN),
    ],
)
def test_what_brings_no_answer(audio, receipt, expected):
    assert expected is outcome(receipt, audio=audio)


def test_patience_is_told_until_when():
    verdict = calls().read(operation(), answered(b"", 429, **{"retry-after": "30"}), sent_before=False)
    assert datetime(2026, 6, 15, 10, 0, 30, tzinfo=UTC) == verdict.until
    assert Outcome.THROTTLED is outcome(answered(b"", 503), PROBE)


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(PLACED).encode(),
        json.dumps(PLACED).replace("/", "\\/").encode(),
        ORDERED,
        f"your link is {LINK}, keep it".encode(),
        f'<a href="{LINK}">file</a>'.encode(),
        LINK.replace("https", "HTTPS").encode(),
        b"https://downloads.example?uid=secret-uid&ean=1",
        b"https://downloads.example#secret-uid",
        b"https://shop:secret-uid@downloads.example/file",
    ],
)
def test_a_receipt_keeps_of_a_link_its_host_alone(body):
    kept = without_links(answered(body)).body
    assert b"secret-uid" not in kept
    assert b"wmDwld" not in kept
    assert b"downloads.example" in kept


def test_an_answer_is_read_from_json_and_xml_alike():
    as_json = read(json.dumps({"A": {"B": [{"C": "1"}, {"C": "2"}], "D": True, "E": None}}).encode())
    as_xml = read(b"<r xmlns='urn:x'><A><B><C>1</C></B><B><C>2</C></B><D>true</D></A></r>")
    for answer in (as_json, as_xml):
        assert (("1", "2"), "true", "") == (answer.texts("C"), answer.text("D"), answer.text("E"))
    assert ("1", "2") == read(b"<r><C>1</C><C>2</C></r>").texts("C")


@pytest.mark.parametrize("body", [b"", b"no", b"{", b"<r>", b'"text"', b"<!DOCTYPE html><html/>", b"<html>", b"[1,"])
def test_what_is_cut_or_no_answer_is_not_understood(body):
    assert not read(body).is_understood


def test_an_entity_is_never_followed():
    bomb = b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r><A>&x;</A></r>'
    assert "" == read(bomb).text("A")


@pytest.mark.parametrize("state", [state for state in OrderState if state is not OrderState.PLACED])
async def test_only_a_placed_order_has_a_file(state):
    with pytest.raises(UsageInvalid):
        await calls().download_link(order(state))


async def test_an_audiobook_without_its_order_number_has_no_link():
    with pytest.raises(UsageInvalid) as caught:
        await calls().download_link(order(OrderState.PLACED))
    assert "settlement" in caught.value.hint


def order(state: OrderState) -> Order:
    request = OrderRequest(
        order_id=OrderId("O1"),
        source=SourceName("cb"),
        isbn=Isbn(EAN),
        format=Format("audio"),
        market=NL_EUR,
        customer_id=CustomerId("C-42"),
    )
    at = datetime.combine(date(2026, 6, 1), NOW.timetz())
    return Order(request=request, state=state, key=AUDIO_KEY, received_at=at, updated_at=at, reference="P-O1")
