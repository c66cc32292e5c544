"""Bokbasen's requests, and what its answers mean (contract bokbasen 6, 10.4 and 12)."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from adapters.distributors import bokbasen
from adapters.distributors.bokbasen import verdicts
from adapters.distributors.bokbasen.calls import BokbasenCalls
from adapters.distributors.bokbasen.rules import NORWAY
from syncengine.domain.delivery import (
    Arrival,
    Operation,
    OperationKind,
    Outcome,
    Receipt,
    UnknownPolicy,
)
from syncengine.domain.ids import SourceName
from syncengine.domain.territory import Market
from syncengine.errors import AmountInvalid, UsageInvalid
from syncengine.ports import World
from tests.bokbasen_products import ISBN, KEY, RESID
from tests.clock import START, JumpClock
from tests.pace import FreePace
from tests.values import replace

CONSUMER = "5f0c7e0e-3c7e-4a5e-8d54-1c2f5b6a7d80"
LOCATION = "https://api.bokbasen.io/dds/content/v1/66C69160-F3CF-42C9-9A27-E58A60C0D9B5"


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOKBASEN_SECRET", "canary")


def calls(**settings: Any) -> BokbasenCalls:
    made = bokbasen.Settings(kind="bokbasen", client_id="shop", client_secret_env="BOKBASEN_SECRET", **settings)
    found = bokbasen.connect(SourceName("dds"), made, World(clock=JumpClock(), pace=FreePace())).calls
    assert isinstance(found, BokbasenCalls)
    return found


def operation(kind: OperationKind = OperationKind.SALE, **changes: Any) -> Operation:
    whole = Operation(
        kind=kind,
        key=KEY,
        market=NORWAY,
        reference="pfx1-A-1",
        customer_id="c-77",
        amount=Decimal("199.00"),
        paid=Decimal("189.00"),
        price_type="02",
        terms={"resid": RESID, "drm": "SDRM"},
        first_name="Kari",
        last_name="Nordmann",
        consumer_id=CONSUMER,
    )
    return replace(whole, **changes)


def ordered(made: Operation, by: BokbasenCalls | None = None) -> dict[str, Any]:
    """The body of an order."""
    document: dict[str, Any] = msgspec.json.decode((by or calls()).prepare(made).body)
    return document


def answered(status: int, body: bytes = b"", **headers: str) -> Receipt:
    return Receipt(arrival=Arrival.ANSWERED, at=START, status=status, headers=headers, body=body)


# --- requests


def test_an_order():
    request = calls().prepare(operation())
    assert ("POST", "/dds/order/v1", "sale") == (request.method, request.target, request.limit)
    assert (("Accept", "application/json"), ("Content-Type", "application/json")) == request.headers
    assert {
        "orderid": "pfx1-A-1",
        "resid": RESID,
        "spd": "18900",
        "id": CONSUMER,
        "firstname": "Kari",
        "lastname": "Nordmann",
    } == msgspec.json.decode(request.body)


@pytest.mark.parametrize(
    ("paid", "amount", "spd"),
    [
        ("189.00", "199.00", "18900"),
        ("0.05", "199.00", "5"),
        ("1234567.89", None, "123456789"),
        ("0", "199.00", "0"),
        (None, "199.00", "19900"),
        ("199.9", None, "19990"),
    ],
)
def test_the_price_is_what_was_paid_in_oere_as_a_text(paid, amount, spd):
    made = operation(paid=paid and Decimal(paid), amount=amount and Decimal(amount))
    assert spd == ordered(made)["spd"]


@pytest.mark.parametrize("paid", ["189.005", "-1", "NaN"])
def test_a_price_that_is_no_number_of_oere(paid):
    with pytest.raises(AmountInvalid):
        calls().prepare(operation(paid=Decimal(paid)))


def test_an_order_without_any_price():
    with pytest.raises(AmountInvalid):
        calls().prepare(operation(paid=None, amount=None))


def test_requests_are_frozen_by_what_was_decided():
    assert calls().prepare(operation()) == calls().prepare(operation())
    assert calls().prepare(operation()) != calls().prepare(operation(reference="pfx1-A-2"))


@pytest.mark.parametrize("resid", ["", None])
def test_nothing_is_ordered_without_a_resource(resid):
    terms = {"drm": "SDRM"} if resid is None else {"drm": "SDRM", "resid": resid}
    with pytest.raises(UsageInvalid, match="no resource"):
        calls().prepare(operation(terms=terms))


@pytest.mark.parametrize(("first", "last"), [(None, "Nordmann"), ("Kari", None), ("K", "Nordmann"), ("Kari", " N ")])
def test_a_watermark_needs_both_names(first, last):
    with pytest.raises(UsageInvalid, match="watermark") as caught:
        calls().prepare(operation(first_name=first, last_name=last))
    assert "first_name" in caught.value.hint
    without = ordered(operation(first_name=first, last_name=last, terms={"resid": RESID, "drm": "TDRM"}))
    assert not {"firstname", "lastname"} & without.keys()


def test_names_are_told_whatever_the_lock():
    assert "Kari" == ordered(operation(terms={"resid": RESID, "drm": "LCP"}))["firstname"]


@pytest.mark.parametrize(
    ("consumer", "known", "sent"),
    [
        ("when_known", CONSUMER, CONSUMER),
        ("when_known", None, None),
        ("required", CONSUMER, CONSUMER),
        ("never", CONSUMER, None),
    ],
)
def test_the_buyers_account(consumer, known, sent):
    assert sent == ordered(operation(consumer_id=known), calls(consumer=consumer)).get("id")


def test_an_account_that_is_required_and_not_known():
    with pytest.raises(UsageInvalid, match="consumer_id"):
        calls(consumer="required").prepare(operation(consumer_id=None))


def test_the_look_up_before_a_sale():
    request = calls().prepare(operation(OperationKind.PROBE))
    assert ("GET", f"/dds/inventory/v2/{ISBN}", "probe", b"") == (
        request.method,
        request.target,
        request.limit,
        request.body,
    )


def test_paths_are_settings():
    by = calls(order_path="/dds/order/v2", inventory_path="/dds/inventory/v3")
    assert "/dds/order/v2" == by.prepare(operation()).target
    assert f"/dds/inventory/v3/{ISBN}" == by.prepare(operation(OperationKind.PROBE)).target


@pytest.mark.parametrize("kind", [OperationKind.DECLARATION, OperationKind.REFUND])
def test_what_bokbasen_has_no_call_for(kind):
    assert {OperationKind.PROBE, OperationKind.SALE} == calls().operations
    with pytest.raises(UsageInvalid, match="has no call") as caught:
        calls().prepare(operation(kind))
    assert "by hand" in caught.value.hint


def test_an_order_cannot_be_read_back():
    with pytest.raises(UsageInvalid, match="read back"):
        calls().prepare_lookup(operation())
    with pytest.raises(UsageInvalid, match="read back"):
        calls().read_lookup(operation(), answered(200))


@pytest.mark.parametrize(("setting", "policy"), [("park", UnknownPolicy.PARK), ("resend", UnknownPolicy.RESEND)])
def test_what_becomes_of_an_order_that_nobody_knows_of(setting, policy):
    by = calls(unknown_outcome=setting)
    assert policy is by.unknown_policy(operation())
    assert UnknownPolicy.RESEND is by.unknown_policy(operation(OperationKind.PROBE)), "a look-up changes nothing"
    assert UnknownPolicy.PARK is calls().unknown_policy(operation()), "the contract's choice"


# --- answers to an order


def test_a_sale_is_201_with_its_content():
    verdict = calls().read(operation(), answered(201, location=LOCATION), sent_before=False)
    assert (Outcome.ACCEPTED, "66C69160-F3CF-42C9-9A27-E58A60C0D9B5") == (verdict.outcome, verdict.proof)


@pytest.mark.parametrize(
    "location",
    [
        "",
        "https://api.bokbasen.io",
        "https://api.bokbasen.io/dds/content/v1/?id=1",
        "https://api.bokbasen.io/dds/content/v1",
    ],
)
def test_a_201_whose_content_cannot_be_told_is_in_doubt(location):
    verdict = calls().read(operation(), answered(201, location=location), sent_before=False)
    assert (Outcome.UNKNOWN, None) == (verdict.outcome, verdict.proof)


@pytest.mark.parametrize(
    ("status", "body", "first", "again"),
    [
        (400, b'{"data":"ORDER_ID_NOT_UNIQUE"}', Outcome.UNKNOWN, Outcome.ALREADY_DONE),
        (409, b"", Outcome.UNKNOWN, Outcome.ALREADY_DONE),
        (409, b'{"data":"ORDER_ID_NOT_UNIQUE"}', Outcome.UNKNOWN, Outcome.ALREADY_DONE),
        (400, b'{"data":"NOT_PUBLISHED"}', Outcome.STALE_FACTS, Outcome.STALE_FACTS),
        (400, b"", Outcome.STALE_FACTS, Outcome.STALE_FACTS),
        (400, b"<html>bad request</html>", Outcome.STALE_FACTS, Outcome.STALE_FACTS),
        (401, b"", Outcome.UNAUTHORIZED, Outcome.UNAUTHORIZED),
        (403, b"", Outcome.UNAUTHORIZED, Outcome.UNAUTHORIZED),
        (404, b"", Outcome.REJECTED, Outcome.REJECTED),
        (405, b"", Outcome.REJECTED, Outcome.REJECTED),
        (406, b"", Outcome.REJECTED, Outcome.REJECTED),
        (415, b"", Outcome.REJECTED, Outcome.REJECTED),
        (422, b"", Outcome.REJECTED, Outcome.REJECTED),
        (200, b"", Outcome.UNKNOWN, Outcome.UNKNOWN),
        (202, b"", Outcome.UNKNOWN, Outcome.UNKNOWN),
        (302, b"", Outcome.UNKNOWN, Outcome.UNKNOWN),
        (408, b"", Outcome.UNKNOWN, Outcome.UNKNOWN),
        (418, b"", Outcome.UNKNOWN, Outcome.UNKNOWN),
        (500, b'{"data":"ORDER_ID_NOT_UNIQUE"}', Outcome.UNKNOWN, Outcome.UNKNOWN),
        (502, b"", Outcome.UNKNOWN, Outcome.UNKNOWN),
        (503, b"", Outcome.UNKNOWN, Outcome.UNKNOWN),
    ],
)
def test_answers_to_an_order(status, body, first, again):
    receipt = answered(status, body)
    assert first is calls().read(operation(), receipt, sent_before=False).outcome
    assert again is calls().read(operation(), receipt, sent_before=True).outcome


def test_a_duplicate_on_a_first_sending_is_named_so_that_a_person_compares():
    verdict = calls().read(operation(), answered(409), sent_before=False)
    assert verdicts.DUPLICATE == verdict.word


def test_other_words_may_mean_a_duplicate():
    receipt = answered(400, b'{"data":"DUPLICATE_ORDER"}')
    assert Outcome.STALE_FACTS is calls().read(operation(), receipt, sent_before=True).outcome
    by = calls(duplicate_words=("DUPLICATE_ORDER",))
    assert Outcome.ALREADY_DONE is by.read(operation(), receipt, sent_before=True).outcome


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b'{"data":"PARAMETER_ERROR"}', "PARAMETER_ERROR"),
        (b'{"error":"x"}', '400 {"error":"x"}'),
        (b"not found\n in\xff here", "400 not found in\ufffd here"),
        (b"", "400"),
        (b"x" * 1000, "400 " + "x" * 196),
    ],
)
def test_opaque_bodies_are_told(body, word):
    assert word == calls().read(operation(), answered(400, body), sent_before=False).word


def test_a_refused_rate_says_until_when():
    verdict = calls().read(operation(), replace(answered(429), headers={"retry-after": "30"}), sent_before=False)
    assert (Outcome.THROTTLED, START + timedelta(seconds=30)) == (verdict.outcome, verdict.until)


@pytest.mark.parametrize(
    ("arrival", "outcome"),
    [
        (Arrival.NOT_SENT, Outcome.FAILED_BEFORE_SENDING),
        (Arrival.UNKNOWN, Outcome.UNKNOWN),
        (Arrival.REFUSED, Outcome.UNAUTHORIZED),
    ],
)
@pytest.mark.parametrize("kind", [OperationKind.SALE, OperationKind.PROBE])
def test_what_was_not_answered(arrival, outcome, kind):
    receipt = Receipt(arrival=arrival, at=START, detail="gone")
    assert outcome is calls().read(operation(kind), receipt, sent_before=False).outcome


# --- answers to a look-up


def entry(**facts: str) -> str:
    said = {
        "id": f"urn:uuid:{RESID}",
        "drm": "SDRM",
        "version": "1",
        "deleted": "",
        "published": "true",
        "access": "true",
        **facts,
    }
    written = "".join(f"<inv:{name}>{text}</inv:{name}>" for name, text in said.items() if name != "id")
    return f"<entry><id>{said['id']}</id>{written}</entry>"


def feed(*entries: str) -> bytes:
    return (
        '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:inv="http://bokbasen.no/module/inventory/1.0">'
        f"<title>x</title>{''.join(entries)}</feed>"
    ).encode()


OTHER = "urn:uuid:00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("entries", "outcome", "word"),
    [
        ([entry()], Outcome.ACCEPTED, "deliverable"),
        ([entry(id=f"URN:UUID:{RESID.upper()}")], Outcome.ACCEPTED, "deliverable"),
        ([entry(id=OTHER), entry(version="2")], Outcome.ACCEPTED, "deliverable"),
        ([entry(), entry(id=OTHER, version="2")], Outcome.STALE_FACTS, "replaced by version 2"),
        ([entry(version="2"), entry(id=OTHER, version="1")], Outcome.ACCEPTED, "deliverable"),
        ([], Outcome.STALE_FACTS, "not in the inventory"),
        ([entry(published="false")], Outcome.NOT_YET, "not published"),
        ([entry(published="")], Outcome.NOT_YET, "not published"),
        ([entry(published="false", id=OTHER)], Outcome.STALE_FACTS, "replaced by version 1"),
        ([entry(access="false")], Outcome.STALE_FACTS, "no access"),
        ([entry(deleted="2026-01-01")], Outcome.STALE_FACTS, "deleted 2026-01-01"),
        ([entry(drm="TDRM")], Outcome.STALE_FACTS, "its lock is now TDRM"),
    ],
)
def test_a_look_up_is_compared_with_our_row(entries, outcome, word):
    verdict = calls().read(operation(OperationKind.PROBE), answered(200, feed(*entries)), sent_before=False)
    assert (outcome, word) == (verdict.outcome, verdict.word)


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, b"<html>login</html>", Outcome.UNKNOWN),
        (200, b"", Outcome.UNKNOWN),
        (200, b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><feed>&e;</feed>", Outcome.STALE_FACTS),
        (400, b"", Outcome.REJECTED),
        (404, b"", Outcome.REJECTED),
        (401, b"", Outcome.UNAUTHORIZED),
        (403, b"", Outcome.UNAUTHORIZED),
        (429, b"", Outcome.THROTTLED),
        (503, b"", Outcome.THROTTLED),
        (500, b"", Outcome.UNKNOWN),
        (302, b"", Outcome.UNKNOWN),
    ],
)
def test_other_answers_to_a_look_up(status, body, outcome):
    verdict = calls().read(operation(OperationKind.PROBE), answered(status, body), sent_before=False)
    assert outcome is verdict.outcome


# --- settings


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"base_url": "http://api.bokbasen.io"}, "base_url .* is not encrypted"),
        ({"token_url": "auth"}, "token_url 'auth' is no address"),
        ({"metadata_url": "ftp://x"}, "metadata_url"),
        ({"order_path": "dds/order/v1"}, "order_path"),
        ({"inventory_path": "/dds/inventory/v2/"}, "inventory_path"),
        ({"markets": (Market(country="SE", currency="SEK"),)}, "no market but NO/NOK"),
        ({"client_id": " "}, "client_id is empty"),
        ({"client_secret_file": "x"}, "name one secret"),
        ({"client_secret_env": None}, "name one secret"),
        ({"overlap": timedelta(hours=-1)}, "overlap is negative"),
        ({"maximum_age": timedelta(hours=1)}, "maximum_age"),
        ({"inventory_since": "yesterday"}, "inventory_since"),
    ],
)
def test_settings_that_make_no_sense(changes, problem):
    fields = {"kind": "bokbasen", "client_id": "shop", "client_secret_env": "BOKBASEN_SECRET", **changes}
    with pytest.raises(ValueError, match=problem):
        bokbasen.Settings(**fields)


def test_the_defaults_are_production():
    made = bokbasen.Settings(kind="bokbasen", client_id="shop", client_secret_env="BOKBASEN_SECRET")
    assert ("https://api.bokbasen.io", "https://auth.bokbasen.io/oauth/token") == (made.base_url, made.token_url)
    assert [f"https://api.bokbasen.io/{group}/" for group in ("dds", "metadata", "bokskya")] == [
        made.audience(group) for group in ("dds", "metadata", "bokskya")
    ]
    assert ("NO/NOK", "Europe/Oslo") == (str(made.markets[0]), made.timezone)


def test_an_audience_can_be_named():
    made = bokbasen.Settings(
        kind="bokbasen", client_id="shop", client_secret_env="BOKBASEN_SECRET", dds_audience="urn:dds"
    )
    assert ("urn:dds", "https://api.bokbasen.io/metadata/") == (made.audience("dds"), made.audience("metadata"))


def test_a_store_is_bound_to_client_and_address():
    made = bokbasen.Settings(kind="bokbasen", client_id="shop", client_secret_env="BOKBASEN_SECRET")
    account = bokbasen.connect(SourceName("dds"), made, World(clock=JumpClock(), pace=FreePace())).account
    assert ("bokbasen", "https://api.bokbasen.io", "shop") == (account.kind, account.address, account.organisation)
