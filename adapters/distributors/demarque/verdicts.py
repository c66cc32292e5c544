"""What De Marque's answers mean: the tables of contract 4.1 to 4.5, with the repeats of contract 7."""

from __future__ import annotations

import msgspec

from adapters.distributors.demarque.words import code_word, is_html
from adapters.http.receipts import patience_until, unanswered
from syncengine.domain.delivery import OperationKind, Outcome, Receipt, Verdict

_STALE_WORDS = frozenset({"cannot_sell", "invalid_sale_parameters", "invalid_cost"})
_DUPLICATE_WORDS = frozenset({"duplicate"})
_REFUNDED_WORDS = frozenset({"already_refunded"})
_REFUSED_WORDS = frozenset({"refund_unauthorized", "cost_mismatch", "not_found", "cannot_preorder"})
_REFUSED_PREFIXES = ("missing_", "invalid_")
_LONGEST_PROOF = 500
_AMBIGUOUS_401 = "401 without a word: the login is refused, or this user has no right to it"


class _KnownSale(msgspec.Struct):
    """What the look-up of a sale answers (contract 4.3); its signature and token have been taken out before."""

    status_document_url: str | None = None
    access_token: str | None = None


def read(kind: OperationKind, receipt: Receipt, *, sent_before: bool) -> Verdict:
    """The verdict on an operation's answer. Whatever is not surely a refusal of a POST leaves its outcome unknown."""
    if verdict := unanswered(receipt):
        return verdict
    word = code_word(receipt.body)
    if receipt.status == 429:
        return Verdict(outcome=Outcome.THROTTLED, word="429", until=patience_until(receipt))
    if receipt.status >= 500 or word == "service_unavailable":
        return _out_of_order(receipt, word, is_safe=kind is OperationKind.PROBE)
    if verdict := _by_word(kind, word, sent_before=sent_before):
        return verdict
    if kind is OperationKind.REFUND and receipt.status == 401 and not word:
        # Were the login bad, the next sale would say so and make the source rest; the right to refund is this user's alone.
        return Verdict(outcome=Outcome.REJECTED, word=_AMBIGUOUS_401)
    if receipt.status in {401, 403} or word == "access_denied":
        return Verdict(outcome=Outcome.UNAUTHORIZED, word=word or _said_401(receipt.status))
    if 200 <= receipt.status < 300:
        return _success(kind, receipt, word)
    if receipt.status < 400 or receipt.status in {408, 409, 425}:
        return Verdict(outcome=Outcome.UNKNOWN, word=word or str(receipt.status))
    return Verdict(outcome=Outcome.REJECTED, word=word or str(receipt.status))


def read_lookup(receipt: Receipt) -> Verdict:
    """Whether a sale is known: ALREADY_DONE, ABSENT, or why that could not be found out.

    It gives no proof: both things that the answer holds open the customer's file.
    """
    if verdict := unanswered(receipt):
        return verdict
    word = code_word(receipt.body)
    match receipt.status:
        case 200:
            return _known_sale(receipt, word)
        case 404 if word == "not_found" or not receipt.body.strip():
            return Verdict(outcome=Outcome.ABSENT, word="not_found")
        case 401 | 403:
            return Verdict(outcome=Outcome.UNAUTHORIZED, word=word or _said_401(receipt.status))
        case 429:
            return Verdict(outcome=Outcome.THROTTLED, word="429", until=patience_until(receipt))
        case status if status >= 500:
            return _out_of_order(receipt, word, is_safe=True)
        case status:
            return Verdict(outcome=Outcome.UNKNOWN, word=word or str(status))


def _out_of_order(receipt: Receipt, word: str, *, is_safe: bool) -> Verdict:
    """5xx: a POST may have taken effect; a GET that was told to wait waits."""
    if is_safe and (receipt.status == 503 or word == "service_unavailable"):
        return Verdict(outcome=Outcome.THROTTLED, word=word or "503", until=patience_until(receipt))
    return Verdict(outcome=Outcome.UNKNOWN, word=word or str(receipt.status))


def _by_word(kind: OperationKind, word: str, *, sent_before: bool) -> Verdict | None:
    """Words decide before statuses: 401 alone means three things, and a proxy may hide an error behind a 200."""
    if word in _DUPLICATE_WORDS:
        # On a first sending nobody but a look-up can tell whose sale it is.
        believed = sent_before or kind is OperationKind.DECLARATION
        return Verdict(outcome=Outcome.ALREADY_DONE if believed else Outcome.UNKNOWN, word=word)
    if word in _REFUNDED_WORDS:
        return Verdict(outcome=Outcome.ALREADY_DONE, word=word)
    if word in _STALE_WORDS:
        return Verdict(outcome=Outcome.STALE_FACTS, word=word)
    if word in _REFUSED_WORDS or word.startswith(_REFUSED_PREFIXES):
        return Verdict(outcome=Outcome.REJECTED, word=word)
    return None


def _success(kind: OperationKind, receipt: Receipt, word: str) -> Verdict:
    """A 2xx, believed only where its body is what the call answers with."""
    accepted = Verdict(outcome=Outcome.ACCEPTED, word=word or str(receipt.status))
    unknown = Verdict(outcome=Outcome.UNKNOWN, word=f"{receipt.status} {word or 'with a body that is not understood'}")
    if is_html(receipt.body):
        return unknown
    match kind:
        case OperationKind.DECLARATION:
            return accepted
        case OperationKind.REFUND:
            token = receipt.body.decode("utf-8", "replace").strip().strip('"')[:_LONGEST_PROOF]
            return Verdict(outcome=Outcome.ACCEPTED, word="refunded", proof=token or None)
        case OperationKind.SALE:
            said = word == "created" or not receipt.body.strip()
            return accepted if receipt.status == 201 and said else unknown
        case OperationKind.PROBE:
            return accepted if word == "valid" else unknown


def _known_sale(receipt: Receipt, word: str) -> Verdict:
    try:
        sale = msgspec.json.decode(receipt.body, type=_KnownSale)
    except msgspec.DecodeError:
        sale = _KnownSale()
    if sale.status_document_url is None and sale.access_token is None:
        return Verdict(outcome=Outcome.UNKNOWN, word=f"200 {word or 'with a body that is not understood'}")
    return Verdict(outcome=Outcome.ALREADY_DONE, word="found")


def _said_401(status: int) -> str:
    return _AMBIGUOUS_401 if status == 401 else str(status)
