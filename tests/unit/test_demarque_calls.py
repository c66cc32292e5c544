"""De Marque's calls as values: exact requests, and the tables of contract 4 row by row."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from adapters.distributors.demarque.calls import DeMarqueCalls
from adapters.distributors.demarque.words import code_word, is_html
from adapters.http.session import HttpSession
from syncengine.domain.delivery import Arrival, Operation, OperationKind, Outcome, Receipt, UnknownPolicy, Verdict
from syncengine.domain.ids import Format, Isbn, SourceName, TitleKey
from syncengine.domain.territory import Market
from syncengine.errors import AmountInvalid
from syncengine.ports import World
from tests.clock import START, JumpClock
from tests.pace import FreePace

KEY = TitleKey(source=SourceName("enq"), isbn=Isbn("9782764625941"), format=Format("epub"))
PROBE, SALE, DECLARATION, REFUND = (
    OperationKind.PROBE,
    OperationKind.SALE,
    OperationKind.DECLARATION,
    OperationKind.REFUND,
)
BASE = "/organisations/1234/publications/9782764625941"
FACTS = "format=epub&cost=1999&protection=watermark&country=CA&currency=cad&price_type=02"


def calls(organisation_id="1234", **options) -> DeMarqueCalls:
    clock = JumpClock()
    session = HttpSession("https://www.example.org/api", clock=clock)
    return DeMarqueCalls(SourceName("enq"), organisation_id, session, World(clock=clock, pace=FreePace()), **options)


def operation(kind: OperationKind = SALE, **changes: object) -> Operation:
    whole = Operation(
        kind=kind,
        key=KEY,
        market=Market(country="CA", currency="CAD"),
        reference="T-1_a",
        customer_id="C-7",
        amount=Decimal("19.99"),
        price_type="02",
        protection="watermark",
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


# --- requests --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "method", "target", "limit"),
    [
        (PROBE, "GET", f"{BASE}/sales/new?{FACTS}", "simulate"),
        (SALE, "POST", f"{BASE}/sales?{FACTS}&customer_id=C-7&transaction_id=T-1_a", "sale"),
        (DECLARATION, "POST", f"{BASE}/preorders?for=epub&customer_id=C-7", "preorder"),
        (REFUND, "POST", f"{BASE}/sales/cancel?customer_id=C-7&transaction_id=T-1_a&amount=1999", "refund"),
    ],
)
def test_requests(kind, method, target, limit):
    request = calls().prepare(operation(kind))
    assert (request.method, request.target, request.limit) == (method, target, limit)
    assert (request.headers, request.body) == ((), b"")
    assert request == calls().prepare(operation(kind)), "the same operation gives the same bytes"


def test_lookup_request():
    request = calls().prepare_lookup(operation())
    assert (request.method, request.limit) == ("GET", "lookup")
    assert request.target == f"{BASE}/sales/T-1_a?format=epub&customer_id=C-7"


def test_parameters_as_a_form():
    """Look-ups and simulations keep theirs in the query."""
    form = calls(parameters="form")
    request = form.prepare(operation())
    assert request.target == f"{BASE}/sales"
    assert request.body == f"{FACTS}&customer_id=C-7&transaction_id=T-1_a".encode()
    assert request.headers == (("Content-Type", "application/x-www-form-urlencoded"),)
    assert form.prepare(operation(PROBE)) == calls().prepare(operation(PROBE))


def test_percent_encoding():
    request = calls("a/b c&d").prepare(operation(customer_name="Zoë O'Hara & Söhne", reason="trop cher?"))
    assert request.target.startswith("/organisations/a%2Fb%20c%26d/publications/")
    assert request.target.endswith("&uname=Zo%C3%AB%20O%27Hara%20%26%20S%C3%B6hne")
    refund = calls().prepare(operation(REFUND, reason="trop cher?"))
    assert refund.target.endswith("&amount=1999&reason=trop%20cher%3F")


@pytest.mark.parametrize(
    ("protection", "terms", "sent"),
    [
        ("none", {}, "protection=none"),
        ("watermark", {}, "protection=watermark"),
        ("acs4", {}, "protection=acs4"),
        ("drm:lcp", {}, "protection=drm&drm_type=lcp"),
        ("acs4_timelimited", {}, "protection=acs4_timelimited"),
        (None, {"protection": "drm:acs"}, "protection=drm&drm_type=acs"),
        ("watermark", {"protection": "drm:acs"}, "protection=watermark"),
        (None, {}, "protection=none"),
    ],
)
def test_protection_words(protection, terms, sent):
    """Contract 5.1; an order's own wish goes before what the title usually has."""
    request = calls().prepare(operation(protection=protection, terms=terms))
    assert f"&cost=1999&{sent}&country=CA&" in request.target


@pytest.mark.parametrize(
    ("amount", "cost"),
    [("19.99", "1999"), ("0", "0"), ("0.00", "0"), ("5", "500"), ("1E+3", "100000"), ("12.5", "1250")],
)
def test_amounts_are_exact_hundredths(amount, cost):
    assert f"&cost={cost}&" in calls().prepare(operation(amount=Decimal(amount))).target


@pytest.mark.parametrize("amount", [Decimal("19.999"), Decimal(-1), Decimal("NaN"), None])
@pytest.mark.parametrize("kind", [PROBE, SALE, REFUND])
def test_amounts_that_cannot_be_charged(kind, amount):
    with pytest.raises(AmountInvalid):
        calls().prepare(operation(kind, amount=amount))


@pytest.mark.parametrize(
    ("amount", "price_type", "tax_percent", "net"),
    [
        ("19.99", "02", Decimal(5), "1904"),
        ("19.99", "04", Decimal("5.5"), "1895"),
        ("10.50", "42", Decimal(5), "1000"),
        ("19.99", "01", None, "1999"),
        ("19.99", "03", Decimal(5), "1999"),
        ("19.99", "41", None, "1999"),
        ("0.00", "02", None, "0"),
        ("19.99", "02", Decimal(0), "1999"),
    ],
)
def test_net_prices_on_eden(amount, price_type, tax_percent, net):
    """Odd price types exclude tax already; a free title is free without any rate."""
    priced = operation(amount=Decimal(amount), price_type=price_type, tax_percent=tax_percent)
    for kind in (PROBE, SALE):
        target = calls(net_prices=True).prepare(replace(priced, kind=kind)).target
        assert f"&price_type={price_type}&cost_without_taxes={net}" in target
    assert "cost_without_taxes" not in calls().prepare(priced).target


def test_a_net_price_needs_a_rate():
    with pytest.raises(AmountInvalid, match="net price in CA") as caught:
        calls(net_prices=True).prepare(operation(tax_percent=None))
    assert "tax_rates" in caught.value.hint


def test_format_of_the_terms_goes_before_the_titles():
    assert "?format=mp3&" in calls().prepare(operation(terms={"format": "mp3"})).target
    assert "?for=mp3&" in calls().prepare(operation(DECLARATION, terms={"format": "mp3"})).target


def test_what_to_do_about_unknown_outcomes():
    policies = {kind: calls().unknown_policy(operation(kind)) for kind in OperationKind}
    assert policies == {
        PROBE: UnknownPolicy.RESEND,
        SALE: UnknownPolicy.LOOK_UP,
        DECLARATION: UnknownPolicy.RESEND,
        REFUND: UnknownPolicy.RESEND,
    }
    assert calls().operations == frozenset(OperationKind)


# --- words -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"created", "created"),
        (b" \r\ncreated\n", "created"),
        (b'"created"', "created"),
        (b"'created'", "created"),
        (b'["invalid_cost"]', "invalid_cost"),
        (b'[ "invalid_cost" ]\n', "invalid_cost"),
        (b'{"status": "created", "status_document_url": "https://x"}', "created"),
        (b'{"error": "cannot_sell"}', "cannot_sell"),
        (b'["a", "b"]', ""),
        (b'{"status": 1}', ""),
        (b"[1]", ""),
        (b"{broken", ""),
        (b"Created", "created"),
        (b"two words", ""),
        (b"<html>created</html>", ""),
        (b"\xff\xfe", ""),
        (b"x" * 5000, ""),
        (b"", ""),
    ],
)
def test_code_words(body, word):
    assert code_word(body) == word


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"<!DOCTYPE html><html>", True),
        (b"\xef\xbb\xbf \n<HTML lang=fr>", True),
        (b'<?xml version="1.0"?><ONIXMessage/>', False),
        (b"created", False),
    ],
)
def test_pages_for_people(body, told):
    assert is_html(body) is told


# --- verdicts --------------------------------------------------------------------------------------------------------------


def receipt(status: int, body: bytes | str = b"", **headers: str) -> Receipt:
    content = body.encode() if isinstance(body, str) else body
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Receipt(arrival=Arrival.ANSWERED, at=START, status=status, body=content, headers=named)


def verdict(kind: OperationKind, answer: Receipt, *, sent_before: bool = False) -> Verdict:
    return calls().read(operation(kind), answer, sent_before=sent_before)


FACT_WORDS = [
    (400, "cannot_sell", Outcome.STALE_FACTS),
    (400, "invalid_sale_parameters", Outcome.STALE_FACTS),
    (400, "invalid_cost", Outcome.STALE_FACTS),
    (400, "missing_format", Outcome.REJECTED),
    (400, "invalid_format", Outcome.REJECTED),
    (400, "missing_isbn", Outcome.REJECTED),
    (400, "missing_cost", Outcome.REJECTED),
    (400, "missing_protection", Outcome.REJECTED),
    (400, "missing_cost_without_taxes", Outcome.REJECTED),
    (400, "invalid_protection", Outcome.REJECTED),
    (401, "access_denied", Outcome.UNAUTHORIZED),
    (403, "", Outcome.UNAUTHORIZED),
    (404, "not_found", Outcome.REJECTED),
    (429, "", Outcome.THROTTLED),
]

TABLE = [
    # contract 4.1
    *[(PROBE, *row) for row in FACT_WORDS],
    (PROBE, 200, "valid", Outcome.ACCEPTED),
    (PROBE, 200, "", Outcome.UNKNOWN),
    (PROBE, 200, "cannot_sell", Outcome.STALE_FACTS),
    (PROBE, 503, "service_unavailable", Outcome.THROTTLED),
    (PROBE, 500, "", Outcome.UNKNOWN),
    # contract 4.2
    *[(SALE, *row) for row in FACT_WORDS],
    (SALE, 201, "created", Outcome.ACCEPTED),
    (SALE, 201, "", Outcome.ACCEPTED),
    (SALE, 200, "created", Outcome.UNKNOWN),
    (SALE, 201, "maintenance", Outcome.UNKNOWN),
    (SALE, 302, "", Outcome.UNKNOWN),
    (SALE, 400, "missing_customer_id", Outcome.REJECTED),
    (SALE, 400, "missing_transaction_id", Outcome.REJECTED),
    (SALE, 400, "invalid_transaction_id", Outcome.REJECTED),
    (SALE, 400, "invalid_sale_state", Outcome.REJECTED),
    (SALE, 400, "a_new_word", Outcome.REJECTED),
    (SALE, 408, "", Outcome.UNKNOWN),
    (SALE, 409, "", Outcome.UNKNOWN),
    (SALE, 413, "", Outcome.REJECTED),
    (SALE, 503, "service_unavailable", Outcome.UNKNOWN),
    (SALE, 500, "", Outcome.UNKNOWN),
    (SALE, 502, "<html>bad gateway</html>", Outcome.UNKNOWN),
    (SALE, 401, "", Outcome.UNAUTHORIZED),
    # contract 4.4
    (REFUND, 200, "tok-1", Outcome.ACCEPTED),
    (REFUND, 400, "refund_unauthorized", Outcome.REJECTED),
    (REFUND, 400, "already_refunded", Outcome.ALREADY_DONE),
    (REFUND, 400, "cost_mismatch", Outcome.REJECTED),
    (REFUND, 401, "", Outcome.REJECTED),
    (REFUND, 401, "access_denied", Outcome.UNAUTHORIZED),
    (REFUND, 403, "", Outcome.UNAUTHORIZED),
    (REFUND, 404, "", Outcome.REJECTED),
    (REFUND, 400, "missing_amount", Outcome.REJECTED),
    (REFUND, 200, "access_denied", Outcome.UNAUTHORIZED),
    (REFUND, 503, "service_unavailable", Outcome.UNKNOWN),
    (REFUND, 429, "", Outcome.THROTTLED),
    # contract 4.5
    (DECLARATION, 200, "created", Outcome.ACCEPTED),
    (DECLARATION, 201, "", Outcome.ACCEPTED),
    (DECLARATION, 204, "", Outcome.ACCEPTED),
    (DECLARATION, 401, "", Outcome.UNAUTHORIZED),
    (DECLARATION, 404, "", Outcome.REJECTED),
    (DECLARATION, 400, "cannot_preorder", Outcome.REJECTED),
    (DECLARATION, 400, "duplicate", Outcome.ALREADY_DONE),
    (DECLARATION, 500, "", Outcome.UNKNOWN),
]


@pytest.mark.parametrize(("kind", "status", "body", "outcome"), TABLE)
def test_answers(kind, status, body, outcome):
    read = verdict(kind, receipt(status, body))
    assert read.outcome is outcome
    assert read.word, "a person must see why"


@pytest.mark.parametrize("status", [400, 401, 403, 409, 422])
def test_a_duplicate_is_believed_only_of_a_request_that_was_sent_before(status):
    """With any 4xx (contract 12, no. 8)."""
    answer = receipt(status, "duplicate")
    assert verdict(SALE, answer, sent_before=True) == Verdict(outcome=Outcome.ALREADY_DONE, word="duplicate")
    assert verdict(SALE, answer) == Verdict(outcome=Outcome.UNKNOWN, word="duplicate")


@pytest.mark.parametrize("body", ['["cannot_sell"]', '"cannot_sell"', " cannot_sell\n", '{"error":"cannot_sell"}'])
def test_words_are_read_in_any_wrapping(body):
    assert verdict(SALE, receipt(400, body)) == Verdict(outcome=Outcome.STALE_FACTS, word="cannot_sell")


@pytest.mark.parametrize("kind", list(OperationKind))
def test_a_login_page_is_no_success(kind):
    assert verdict(kind, receipt(200, "<!DOCTYPE html><html>login</html>")).outcome is Outcome.UNKNOWN
    assert verdict(kind, receipt(201, "<html>login</html>")).outcome is Outcome.UNKNOWN


def test_a_sale_answered_in_json():
    body = '{"status":"created","status_document_url":"https://x/s","access_token":"enqcs_1"}'
    assert verdict(SALE, receipt(201, body)).outcome is Outcome.ACCEPTED


@pytest.mark.parametrize(("body", "proof"), [(" tok-1\n", "tok-1"), ('"tok-1"', "tok-1"), ("", None)])
def test_a_refund_keeps_its_token(body, proof):
    assert verdict(REFUND, receipt(200, body)) == Verdict(outcome=Outcome.ACCEPTED, word="refunded", proof=proof)


def test_401_without_a_word_is_worded_as_what_it_may_be():
    read = verdict(REFUND, receipt(401))
    assert "login is refused" in read.word
    assert "no right" in read.word


def test_throttled_says_until_when():
    after = START + timedelta(seconds=90)
    assert verdict(SALE, receipt(429, retry_after="90")).until == after
    assert verdict(SALE, receipt(429)).until is None
    assert verdict(PROBE, receipt(503, retry_after="90")).until == after


@pytest.mark.parametrize("kind", list(OperationKind))
@pytest.mark.parametrize(
    ("arrival", "outcome"),
    [(Arrival.NOT_SENT, Outcome.FAILED_BEFORE_SENDING), (Arrival.UNKNOWN, Outcome.UNKNOWN)],
)
def test_what_the_network_did(kind, arrival, outcome):
    unanswered = Receipt(arrival=arrival, at=START, detail="no answer in time")
    assert verdict(kind, unanswered) == Verdict(outcome=outcome, word="no answer in time")
    assert calls().read_lookup(operation(), unanswered) == Verdict(outcome=outcome, word="no answer in time")


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, '{"status_document_url":"https://x/s?sig=1","access_token":""}', Outcome.ALREADY_DONE),
        (200, '{"access_token":""}', Outcome.ALREADY_DONE),
        (200, "{}", Outcome.UNKNOWN),
        (200, "", Outcome.UNKNOWN),
        (200, "<html>login</html>", Outcome.UNKNOWN),
        (200, '{"status_document_url":7}', Outcome.UNKNOWN),
        (404, "not_found", Outcome.ABSENT),
        (404, "", Outcome.ABSENT),
        (404, "<html>no such page</html>", Outcome.UNKNOWN),
        (401, "access_denied", Outcome.UNAUTHORIZED),
        (403, "", Outcome.UNAUTHORIZED),
        (429, "", Outcome.THROTTLED),
        (503, "service_unavailable", Outcome.THROTTLED),
        (500, "", Outcome.UNKNOWN),
        (400, "missing_format", Outcome.UNKNOWN),
        (302, "", Outcome.UNKNOWN),
    ],
)
def test_lookups(status, body, outcome):
    """An absence is believed only in the distributor's own words: a proxy's 404 must not sell a title twice."""
    read = calls().read_lookup(operation(), receipt(status, body))
    assert read.outcome is outcome
    assert read.word


def test_a_lookup_gives_no_proof():
    """Address and token of the answer open the customer's file."""
    body = '{"status_document_url":"https://x.example/status/canary","access_token":"enqcs_canary"}'
    assert calls().read_lookup(operation(), receipt(200, body)) == Verdict(outcome=Outcome.ALREADY_DONE, word="found")
