"""What CB's answers mean: section 2.9 for Luisterhuis, table 8.3 for e-books, section 6 for repeats (contract cb)."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from adapters.distributors.cb import answers
from adapters.distributors.cb.answers import Answer
from adapters.distributors.cb.codes import Meaning, meaning_of
from adapters.http.receipts import patience_until, unanswered
from syncengine.domain.codes import ProductAvailability
from syncengine.domain.delivery import Outcome, Receipt, Verdict

Codes = Mapping[str, Meaning]
Names = Mapping[str, str]

_YES = frozenset({"y", "yes", "true", "1", "ja", "j"})
_NO = frozenset({"n", "no", "false", "0", "nee"})
_ABOUT_TITLES = frozenset({Meaning.NO_SUCH_TITLE, Meaning.NOT_DELIVERABLE, Meaning.WITHDRAWN})
_STOPS = frozenset({Meaning.UNAUTHORIZED, Meaning.MISCONFIGURED, Meaning.CREDIT_EXCEEDED})
_SAYS = {
    Meaning.CREDIT_EXCEEDED: "credit limit exceeded: nothing is ordered until it is settled with CB",
    Meaning.MISCONFIGURED: "no such service at this address: check the paths in the settings",
    Meaning.NOT_THIS_WAY: "alert: not for this reading method",
    Meaning.CLIENT_FAULT: "alert: CB does not take the request as it is",
    Meaning.UNLISTED: "alert: a code in no table",
}
DUPLICATE = "duplicate"
"""The word by which the engine knows that a first request's reference was known (ports.Calls.read)."""


# --- e-books --------------------------------------------------------------------------------------------------------------


def read_check(receipt: Receipt, names: Names, codes: Codes) -> Verdict:
    """`checkOrderable`: only Y lets a sale go out; an unlisted code refuses (8.3)."""
    if verdict := _no_answer(receipt, is_safe=True):
        return verdict
    answer = answers.read(receipt.body)
    meaning, code = meaning_of(answer.errors, receipt.status, codes)
    if meaning is not None:
        return _refusal(meaning, code) or _verdict(Outcome.UNKNOWN, meaning, code)
    if receipt.status == 200 and answer.is_understood:
        orderable = answer.text(names["orderable"]).strip().lower()
        if orderable in _YES:
            return Verdict(outcome=Outcome.ACCEPTED, word="orderable")
        if orderable in _NO:
            return Verdict(outcome=Outcome.NOT_YET, word="not orderable")
    return _not_understood(receipt)


def read_placed(receipt: Receipt, ean: str, names: Names, codes: Codes) -> Verdict:
    """`placeOrder`: accepted with its order number, this EAN and a link; what is no plain refusal has to be looked up.

    A used reference is looked up as well, also where this is the first request (8.3, 6), and so is EBS-10060, which may have been
    registered. An unlisted code says nothing (8.3).
    """
    if verdict := _no_answer(receipt, is_safe=False):
        return verdict
    answer = answers.read(receipt.body)
    meaning, code = meaning_of(answer.errors, receipt.status, codes)
    if meaning is Meaning.UNLISTED or meaning is Meaning.REFERENCE_USED or meaning is Meaning.UNPRICED:
        return _verdict(Outcome.UNKNOWN, meaning, code)
    if meaning is not None:
        return _refusal(meaning, code) or _verdict(Outcome.UNKNOWN, meaning, code)
    proof = _delivered(answer, ean, names) if receipt.status == 200 else None
    if proof:
        return Verdict(outcome=Outcome.ACCEPTED, word="placed", proof=proof)
    return _not_understood(receipt)


def read_content(receipt: Receipt, ean: str, names: Names, codes: Codes) -> Verdict:
    """`getContentUrl`: ALREADY_DONE where the reference stands for this EAN, ABSENT where it stands for nothing (6).

    Another EAN under the reference is never taken for the order: a person compares.
    """
    if verdict := _no_answer(receipt, is_safe=True):
        return verdict
    answer = answers.read(receipt.body)
    meaning, code = meaning_of(answer.errors, receipt.status, codes)
    if meaning is Meaning.NO_SUCH_ORDER:
        return Verdict(outcome=Outcome.ABSENT, word=code)
    if meaning is not None:
        return _verdict(Outcome.UNAUTHORIZED if meaning in _STOPS else Outcome.UNKNOWN, meaning, code)
    if receipt.status == 200 and (eans := answer.texts(names["ean"])) and ean not in eans:
        return Verdict(outcome=Outcome.UNKNOWN, word=f"the reference stands for another title: {', '.join(eans)}")
    proof = _delivered(answer, ean, names) if receipt.status == 200 else None
    if proof:
        return Verdict(outcome=Outcome.ALREADY_DONE, word="found", proof=proof)
    return _not_understood(receipt)


def _delivered(answer: Answer, ean: str, names: Names) -> str | None:
    """CB's own order number, where it stands beside this EAN and at least one link."""
    if ean in answer.texts(names["ean"]) and has_link(answer, names):
        return answer.text(names["order_id"]) or None
    return None


# --- Luisterhuis ----------------------------------------------------------------------------------------------------------


def read_availability(receipt: Receipt, names: Names, codes: Codes) -> Verdict:
    """The availability check (2.3): yes opens the sale; no with 10 waits for the release, any other no disputes the facts."""
    if verdict := _no_answer(receipt, is_safe=True):
        return verdict
    answer = answers.read(receipt.body)
    meaning, code = meaning_of(answer.errors, receipt.status, codes)
    if meaning is not None:
        return _refusal(meaning, code) or _verdict(Outcome.UNKNOWN, meaning, code)
    is_available, availability = available(answer, names)
    if receipt.status != 200 or is_available is None:
        return _not_understood(receipt)
    said = f"ProductAvailability {availability or 'unsaid'}"
    if is_available:
        return Verdict(outcome=Outcome.ACCEPTED, word=said)
    not_yet = availability == ProductAvailability.NOT_YET_AVAILABLE
    return Verdict(outcome=Outcome.NOT_YET if not_yet else Outcome.STALE_FACTS, word=said)


def available(answer: Answer, names: Names) -> tuple[bool | None, str]:
    """Yes, no or neither, with the availability code beside it."""
    said = answer.text(names["available"]).strip().lower()
    found = True if said in _YES else False if said in _NO else None
    return found, answer.text(names["availability"])


def read_order(receipt: Receipt, names: Names, codes: Codes, *, sent_before: bool) -> Verdict:
    """`submitOrder` (2.9): accepted only with status 200, an order number and an https link; a known code refuses.

    All the rest is an unknown outcome, which no second request may resolve: a used reference proves an earlier request of the same
    entry, and on a first one it is for a person.
    """
    if verdict := _no_answer(receipt, is_safe=False):
        return verdict
    answer = answers.read(receipt.body)
    meaning, code = meaning_of(answer.errors, receipt.status, codes)
    if meaning is Meaning.REFERENCE_USED:
        return Verdict(outcome=Outcome.ALREADY_DONE if sent_before else Outcome.UNKNOWN, word=DUPLICATE)
    if (
        meaning is Meaning.UNLISTED
        or meaning is Meaning.UNPRICED
        or (meaning is Meaning.MISCONFIGURED and not answer.errors)
    ):
        return _verdict(Outcome.UNKNOWN, meaning, code)
    if meaning is not None:
        return _refusal(meaning, code) or _verdict(Outcome.UNKNOWN, meaning, code)
    order_id = answer.text(names["order_id"])
    if receipt.status == 200 and order_id and has_link(answer, names):
        return Verdict(outcome=Outcome.ACCEPTED, word="ordered", proof=order_id)
    return _not_understood(receipt)


def has_link(answer: Answer, names: Names) -> bool:
    """Whether at least one of its links is one by https, of which a receipt keeps the host."""
    return any(is_link(text) for text in answer.texts(names["link"]))


def is_link(text: str) -> bool:
    """Whether a text is one address by https."""
    try:
        parts = urlsplit(text.strip())
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname) and len(text.split()) == 1


# --- what both share ------------------------------------------------------------------------------------------------------


def _no_answer(receipt: Receipt, *, is_safe: bool) -> Verdict | None:
    """Nothing came back, or the server asks for patience; a 503 to an order may have come after its effect."""
    if verdict := unanswered(receipt):
        return verdict
    if receipt.status == 429 or (receipt.status == 503 and is_safe):
        return Verdict(outcome=Outcome.THROTTLED, word=str(receipt.status), until=patience_until(receipt))
    return None


def _refusal(meaning: Meaning, code: str) -> Verdict | None:
    """The action of table 8.3 for what surely took no effect; none for what may have."""
    if meaning in _STOPS:
        return _verdict(Outcome.UNAUTHORIZED, meaning, code)
    if meaning in _ABOUT_TITLES:
        return _verdict(Outcome.STALE_FACTS, meaning, code)
    if meaning is Meaning.NOT_YET or meaning is Meaning.UNPRICED:
        return _verdict(Outcome.NOT_YET, meaning, code)
    if meaning is Meaning.FAILED:
        return None
    return _verdict(Outcome.REJECTED, meaning, code)


def _verdict(outcome: Outcome, meaning: Meaning, code: str) -> Verdict:
    says = _SAYS.get(meaning, meaning.name.lower().replace("_", " "))
    return Verdict(outcome=outcome, word=f"{code} ({says})")


def _not_understood(receipt: Receipt) -> Verdict:
    what = "a web page" if answers.is_html(receipt.body) else "a body that is not understood"
    return Verdict(outcome=Outcome.UNKNOWN, word=f"{receipt.status} with {what}")
