"""The stub's counter: simulation, sale, refund, preorder, state and download (contract section 4)."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

import orjson

from adapters.distributors.demarque.sandbox_knobs import StubSettings
from adapters.distributors.demarque.sandbox_register import Register, Sale
from adapters.distributors.demarque.sandbox_shelf import Shelf
from adapters.distributors.demarque.sandbox_titles import Charge, Line, Title
from adapters.distributors.demarque.sandbox_xml import ALPHA_3
from adapters.sandbox.catalogue import amount_text, instant_text
from adapters.sandbox.ledger import Ledger, LedgerRow
from adapters.sandbox.stub import Answer, Call
from syncengine.domain.offer import OfferState

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
_ALPHA_2 = {three: two for two, three in ALPHA_3.items()}
_NOT_FOUND = Answer(status=404, word="not_found")
_PROTECTION_CODES: dict[tuple[str, str], frozenset[str]] = {
    ("none", ""): frozenset({"00"}),
    ("watermark", ""): frozenset({"02"}),
    ("acs4", ""): frozenset({"03"}),
    ("acs4_timelimited", ""): frozenset({"03"}),
    ("acs4_time_limited", ""): frozenset({"03"}),
    ("drm", ""): frozenset({"03", "06"}),
    ("drm", "acs"): frozenset({"03"}),
    ("drm", "lcp"): frozenset({"06"}),
    ("drm_timelimited", ""): frozenset({"03", "06"}),
    ("drm_timelimited", "acs"): frozenset({"03"}),
    ("drm_timelimited", "lcp"): frozenset({"06"}),
}
"""`protection` and `drm_type` to the codes of list 144 they ask for (contract 5.1; both spellings, section 12, 4)."""
_FILE_KINDS = {"00": "file", "02": "file", "03": "acsm", "06": "lcpl"}
LCP_PARAMETERS = ("lcp_passphrase", "lcp_hint", "lcp_help_url")
"""Invented names (contract 5.2): one of them asks for an LCP licence whatever the sale's lock was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Terms:
    """What a simulation or sale asks for, once it is known to be right."""

    title: Title
    charge: Charge
    country: str
    currency: str
    cost: int
    protection: str


class Counter:
    """Takes the calls of section 4 for one organisation and writes what took effect into the ledger."""

    def __init__(self, *, distributor: str, shelf: Shelf, ledger: Ledger, secret: bytes) -> None:
        self._distributor = distributor
        self._shelf = shelf
        self._ledger = ledger
        self._secret = secret
        self.register = Register()

    # --- simulation and sale

    def simulate(self, call: Call, settings: StubSettings) -> Answer:
        """Contract 4.1; records nothing."""
        checked = self._check(call, settings, missing=self._missing(call, settings))
        return Answer(status=200, word="valid") if isinstance(checked, _Terms) else checked

    def sell(self, call: Call, settings: StubSettings) -> Answer:
        """Contract 4.2, the checks in the order of section 12, 9."""
        missing = self._missing(call, settings, "customer_id", "transaction_id")
        checked = self._check(call, settings, missing=missing or self._misfit(call), declares=True)
        if not isinstance(checked, _Terms):
            return checked
        sale = self._sale(call, checked)
        if call.parameters.get("sale_state", "active") == "active":
            self.register.add(sale)
            self._write("sale", sale, response="created", at=call.at)
        if call.parameters.get("output") == "json":
            return _json({"status": "created", **self._access(call, sale)}, status=201, word="created")
        return Answer(status=201, word="created")

    def look_up(self, call: Call, _settings: StubSettings) -> Answer:
        """Contract 4.3: the access of a sale that was declared, or 404."""
        for name in ("format", "customer_id"):
            if not call.parameters.get(name):
                return Answer(status=400, word=f"missing_{name}")
        sale = self.register.sale(
            call.parameters["customer_id"],
            call.path["transaction_id"],
            self._isbn(call.path["isbn"]),
            call.parameters["format"],
        )
        return _NOT_FOUND if sale is None else _json(self._access(call, sale), word="created")

    def _missing(self, call: Call, settings: StubSettings, *further: str) -> str | None:
        """The word for the first absent parameter, in the order of the tables."""
        net = ("cost_without_taxes",) if settings.eden else ()
        for name in ("format", "cost", "protection", "country", "currency", *net, *further):
            if not call.parameters.get(name):
                return f"missing_{name}"
        return None

    def _misfit(self, call: Call) -> str | None:
        """The word for a sale parameter of a wrong form: two of these words are invented (contract section 7)."""
        for name in ("customer_id", "transaction_id"):
            if not _PLAIN.fullmatch(call.parameters[name]):
                return f"invalid_{name}"
        if call.parameters.get("sale_state", "active") not in {"active", "test"}:
            return "invalid_sale_state"
        owner = self.register.customer_of(call.parameters["transaction_id"])
        return None if owner in {None, call.parameters["customer_id"]} else "invalid_transaction_id"

    def _check(
        self, call: Call, settings: StubSettings, *, missing: str | None, declares: bool = False
    ) -> _Terms | Answer:
        title = self._shelf.find(call.path["isbn"])
        if title is None:
            return _NOT_FOUND
        if missing:
            return Answer(status=400, word=missing)
        if declares and self._is_duplicate(call, title):
            return Answer(status=401, word="duplicate")
        if call.parameters["format"] != title.format:
            return Answer(status=400, word="invalid_format")
        if not _offers(title, call, lcp=settings.lcp):
            return Answer(status=400, word="invalid_protection")
        return self._priced(call, settings, title)

    def _is_duplicate(self, call: Call, title: Title) -> bool:
        asked = call.parameters
        return (
            self.register.sale(asked["customer_id"], asked["transaction_id"], title.isbn, asked["format"]) is not None
        )

    def _priced(self, call: Call, settings: StubSettings, title: Title) -> _Terms | Answer:
        """cannot_sell, then invalid_sale_parameters, decided by the model of the title at this instant."""
        country, currency = _country(call.parameters["country"]), call.parameters["currency"].upper()
        line = title.line(country, currency)
        if line is None and title.has_rights(country):
            return _wrong_terms(call)
        if line is None or not _can_sell(title, line, settings, call.at):
            return Answer(status=400, word="cannot_sell")
        charge = _matching(line, call)
        if charge is None or not _net_fits(call, settings, charge):
            return _wrong_terms(call)
        lock = [call.parameters["protection"], call.parameters.get("drm_type", "")]
        return _Terms(
            title=title,
            charge=charge,
            country=country,
            currency=currency,
            cost=charge.amount,
            protection="+".join(filter(None, lock)),
        )

    def _sale(self, call: Call, terms: _Terms) -> Sale:
        return Sale(
            isbn=terms.title.isbn,
            format=terms.title.format,
            customer_id=call.parameters["customer_id"],
            transaction_id=call.parameters["transaction_id"],
            cost=terms.cost,
            currency=terms.currency,
            country=terms.country,
            price_type=terms.charge.type,
            protection=terms.protection,
        )

    def _access(self, call: Call, sale: Sale) -> dict[str, str]:
        """The signed address and the token that retail sales are given with output=json (contract 4.2)."""
        signed = self._sign("/".join(sale.key))
        return {
            "status_document_url": f"{call.origin}/{self._distributor}/status_documents/{signed}",
            "access_token": f"enqcs_{self._sign('token/' + '/'.join(sale.key))[:32]}",
        }

    # --- refund and preorder

    def refund(self, call: Call, *, may_refund: bool) -> Answer:
        """Contract 4.4: the amount must be the sale's cost, and nothing may have been fetched."""
        if not may_refund:
            return Answer(status=401)
        for name in ("customer_id", "transaction_id", "amount"):
            if not call.parameters.get(name):
                return Answer(status=400, word=f"missing_{name}")
        asked = call.parameters
        sale = self.register.to_refund(asked["customer_id"], asked["transaction_id"], self._isbn(call.path["isbn"]))
        if sale is None:
            return Answer(status=404)
        if sale.refunded is not None:
            return Answer(status=400, word="already_refunded")
        if not sale.refundable:
            return Answer(status=400, word="refund_unauthorized")
        if asked["amount"] != str(sale.cost):
            return Answer(status=400, word="cost_mismatch")
        sale.refunded = f"rcpt_{self._sign('refund/' + '/'.join(sale.key))[:24]}"
        self._write("refund", sale, response=sale.refunded, at=call.at)
        return Answer(status=200, word=sale.refunded)

    def preorder(self, call: Call) -> Answer:
        """Contract 4.5: only an announcement; repeated, it is `created` again and adds no row."""
        title = self._shelf.find(call.path["isbn"])
        if title is None:
            return _NOT_FOUND
        form, customer_id = call.parameters.get("for"), call.parameters.get("customer_id")
        if not form:
            return Answer(status=400, word="missing_for")
        if not customer_id:
            return Answer(status=400, word="missing_customer_id")
        if not _PLAIN.fullmatch(customer_id):
            return Answer(status=400, word="invalid_customer_id")
        if form not in {"epub", "pdf"} or form != title.format:
            return Answer(status=400, word="invalid_format")
        if self.register.has_preorder(title.isbn, form, customer_id):
            return Answer(status=200, word="created")
        if not title.can_preorder(call.at):
            return Answer(status=400, word="cannot_preorder")
        self.register.add_preorder(title.isbn, form, customer_id)
        self._ledger.append(
            LedgerRow(
                distributor=self._distributor,
                kind="preorder",
                reference=None,
                customer_id=customer_id,
                isbn=title.isbn,
                format=form,
                amount=None,
                currency=None,
                country=None,
                price_type=None,
                protection=None,
                response="created",
                at=instant_text(call.at),
            )
        )
        return Answer(status=200, word="created")

    # --- state and download

    def status(self, call: Call, _settings: StubSettings) -> Answer:
        """Contract 4.6; `refundable` is what a refund goes by."""
        sale = self._sale_in_path(call)
        if sale is None:
            return _NOT_FOUND
        fulfilment = "complete" if sale.is_fulfilled else "incomplete"
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<status><transaction><id>{sale.transaction_id}</id><customer><id>{sale.customer_id}</id></customer>"
            f"<publications><publication><format><nature>{sale.format}</nature><keytype>isbn</keytype>"
            f"<value>{sale.isbn}</value><protectiontype>{sale.protection}</protectiontype></format>"
            f"<fulfillment>{fulfilment}</fulfillment><refundable>{str(sale.refundable).lower()}</refundable>"
            "</publication></publications></transaction></status>\n"
        )
        return Answer(status=200, word=fulfilment, body=body.encode(), content_type="application/xml; charset=utf-8")

    def download_link(self, call: Call, settings: StubSettings) -> Answer:
        """Contract 4.7: an address that lives a minute, new with every call; none after a refund.

        Any of the LCP parameters, or `protection=drm&drm_type=lcp|acs`, asks for the other lock of the same sale (5.2).
        """
        sale = self._sale_in_path(call)
        if sale is None or sale.refunded is not None:
            return _NOT_FOUND
        if not call.parameters.get("uname"):
            return Answer(status=400, word="missing_uname")
        code = self._lock(call, sale, lcp=settings.lcp)
        if code is None:
            return Answer(status=400, word="invalid_protection")
        sale.names.append(call.parameters["uname"])
        expires_at = call.at + timedelta(seconds=settings.link_seconds)
        what = "/".join([*sale.key, _FILE_KINDS[code], f"{expires_at.timestamp():.3f}"])
        address = f"{call.origin}/{self._distributor}/files/{quote(what)}?signature={self._sign(what)}"
        return Answer(status=200, word="link", body=address.encode())

    def file(self, call: Call) -> Answer:
        """What a link leads to: 403 for a wrong signature, 410 once it has expired."""
        what = call.path["what"]
        parts = what.split("/")
        if len(parts) != 6 or not hmac.compare_digest(self._sign(what), call.query.get("signature", "")):
            return Answer(status=403, word="forbidden")
        customer_id, transaction_id, isbn, form, kind, expires = parts
        sale = self.register.sale(customer_id, transaction_id, isbn, form)
        if sale is None or sale.refunded is not None or call.at.timestamp() >= float(expires):
            return Answer(status=410, word="gone")
        sale.fetched.add(kind)
        body = f"{kind} of {isbn} for {sale.names[-1] if sale.names else 'an earlier run'}\n"
        return Answer(status=200, word=kind, body=body.encode(), content_type="application/octet-stream")

    def _lock(self, call: Call, sale: Sale, *, lcp: bool) -> str | None:
        """The code of list 144 to deliver with; none where the title does not have it."""
        title = self._shelf.find(sale.isbn)
        offered = [code for code in title.protections if lcp or code != "06"] if title else []
        protection, _, drm_type = sale.protection.partition("+")
        if any(call.parameters.get(name) for name in LCP_PARAMETERS):
            protection, drm_type = "drm", "lcp"
        elif "protection" in call.parameters:
            protection, drm_type = call.parameters["protection"], call.parameters.get("drm_type", "")
        wanted = _PROTECTION_CODES.get((protection, drm_type), frozenset())
        return next((code for code in offered if code in wanted), None)

    def _sale_in_path(self, call: Call) -> Sale | None:
        path = call.path
        return self.register.sale(path["customer_id"], path["transaction_id"], self._isbn(path["isbn"]), path["format"])

    def _isbn(self, identifier: str) -> str:
        """The ISBN that an ISBN or an internal key stands for."""
        title = self._shelf.find(identifier)
        return title.isbn if title else identifier

    def _sign(self, text: str) -> str:
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()

    def _write(self, kind: str, sale: Sale, *, response: str, at: datetime) -> None:
        self._ledger.append(
            LedgerRow(
                distributor=self._distributor,
                kind=kind,
                reference=sale.transaction_id,
                customer_id=sale.customer_id,
                isbn=sale.isbn,
                format=sale.format,
                amount=amount_text(sale.cost),
                currency=sale.currency,
                country=sale.country,
                price_type=sale.price_type,
                protection=sale.protection,
                response=response,
                at=instant_text(at),
            )
        )


def _can_sell(title: Title, line: Line, settings: StubSettings, at: datetime) -> bool:
    """Whether the title is on sale there now; a dead clock goes on refusing after the start."""
    if title.state(line, at) not in {OfferState.FOR_SALE, OfferState.UNPRICED}:
        return False
    late = settings.dead_clock.get(title.isbn, settings.dead_clock.get("*", 0.0))
    release = title.release_of(line)
    return release is None or at >= release.at + timedelta(seconds=late)


def _offers(title: Title, call: Call, *, lcp: bool) -> bool:
    wanted = _PROTECTION_CODES.get((call.parameters["protection"], call.parameters.get("drm_type", "")), frozenset())
    return any(code in wanted and (lcp or code != "06") for code in title.protections)


def _matching(line: Line, call: Call) -> Charge | None:
    """The price in force that the cost, and the price type where it is given, agree with."""
    price_type, cost = call.parameters.get("price_type"), call.parameters["cost"]
    for charge in line.charges_at(call.at):
        if price_type in {None, "", charge.type} and cost == str(charge.amount):
            return charge
    return None


def _net_fits(call: Call, settings: StubSettings, charge: Charge) -> bool:
    """Eden's net amount: a whole number that is not above what is paid; its rounding is not documented."""
    if not settings.eden:
        return True
    net = call.parameters["cost_without_taxes"]
    return net.isdecimal() and int(net) <= charge.gross


def _wrong_terms(call: Call) -> Answer:
    return Answer(status=400, word="invalid_cost" if call.fault("old_words") else "invalid_sale_parameters")


def _country(text: str) -> str:
    """Alpha-2 in upper case, from either form (contract 4.1)."""
    return _ALPHA_2.get(text.lower(), text.upper())


def _json(document: object, *, status: int = 200, word: str) -> Answer:
    return Answer(status=status, word=word, body=orjson.dumps(document), content_type="application/json")
