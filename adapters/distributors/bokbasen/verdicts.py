"""What Bokbasen's answers mean (contract bokbasen 6 and 12). Bodies of errors are opaque: they are told, and decide little."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import urlsplit

import msgspec
from lxml import etree

from adapters.distributors.bokbasen.inventory import InventoryRow, newest
from adapters.http.receipts import patience_until, unanswered
from syncengine.domain.delivery import Operation, Outcome, Receipt, Verdict

DUPLICATE = "duplicate"
"""The engine's word for a reference that the distributor knew before it was first sent."""

_FULFILMENT = re.compile(r"[A-Za-z0-9._~-]{8,100}")
"""An id, and no mere part of the way to it."""
_LONGEST_WORD = 200
_ATOM_FEED = "feed"


class _Refusal(msgspec.Struct):
    """`{"data": "WORD"}`, the form seen on the account service."""

    data: str = ""


def read_order(receipt: Receipt, duplicate_words: Collection[str], *, sent_before: bool) -> Verdict:
    """The verdict on an order's answer: 201 with the address of its content is a sale, and nothing else is.

    A first request that is refused (400) has sold nothing; why, nobody can tell for sure, so the title is read again before it is
    tried once more, and then a person decides. A repeated orderid is believed where an earlier request of ours may have taken
    effect, and never on a first one.
    """
    if verdict := unanswered(receipt):
        return verdict
    said = word(receipt)
    match receipt.status:
        case 201:
            return _taken(receipt)
        case 400 | 409 if receipt.status == 409 or said in duplicate_words:
            if sent_before:
                return Verdict(outcome=Outcome.ALREADY_DONE, word=said)
            return Verdict(outcome=Outcome.UNKNOWN, word=DUPLICATE)
        case 400:
            return Verdict(outcome=Outcome.STALE_FACTS, word=said)
        case 401 | 403:
            return Verdict(outcome=Outcome.UNAUTHORIZED, word=said)
        case 429:
            return Verdict(outcome=Outcome.THROTTLED, word=said, until=patience_until(receipt))
        case 404 | 405 | 406 | 410 | 411 | 413 | 414 | 415 | 422:
            return Verdict(outcome=Outcome.REJECTED, word=said)
        case _:
            return Verdict(outcome=Outcome.UNKNOWN, word=said)


def read_probe(operation: Operation, receipt: Receipt) -> Verdict:
    """The verdict on a look-up before a sale: whether the newest file version is the one to be ordered, and is delivered.

    One that is not published is asked about again: on release night the feed may be ahead of the look-up.
    """
    if verdict := unanswered(receipt):
        return verdict
    said = word(receipt)
    match receipt.status:
        case 200:
            return _judged(operation, receipt)
        case 401 | 403:
            return Verdict(outcome=Outcome.UNAUTHORIZED, word=said)
        case 429 | 503:
            return Verdict(outcome=Outcome.THROTTLED, word=said, until=patience_until(receipt))
        case status if 400 <= status < 500:
            return Verdict(outcome=Outcome.REJECTED, word=said)
        case _:
            return Verdict(outcome=Outcome.UNKNOWN, word=said)


def rows(body: bytes) -> list[InventoryRow] | None:
    """The rows of an inventory feed; none where it is no such feed."""
    try:
        root = etree.fromstring(body, etree.XMLParser(no_network=True, resolve_entities=False, huge_tree=False))
    except etree.XMLSyntaxError:
        return None
    if etree.QName(root).localname != _ATOM_FEED:
        return None
    entries = [child for child in root.iterchildren(etree.Element) if etree.QName(child).localname == "entry"]
    return [
        InventoryRow.of((etree.QName(fact).localname, fact.text or "") for fact in entry.iterchildren(etree.Element))
        for entry in entries
    ]


def word(receipt: Receipt) -> str:
    """The word of the body where it has one; else the status with the body's beginning, for people."""
    try:
        refusal = msgspec.json.decode(receipt.body, type=_Refusal)
    except (msgspec.DecodeError, UnicodeDecodeError):
        refusal = _Refusal()
    text = " ".join(receipt.body[: 4 * _LONGEST_WORD].decode("utf-8", "replace").split())
    return refusal.data or f"{receipt.status} {text}".strip()[:_LONGEST_WORD]


def _taken(receipt: Receipt) -> Verdict:
    """The fulfilment id is the proof, and all that there ever is: without it nobody can deliver (contract 6.1)."""
    location = receipt.headers.get("location", "")
    fulfilment = urlsplit(location).path.rpartition("/")[2]
    if not _FULFILMENT.fullmatch(fulfilment):
        return Verdict(outcome=Outcome.UNKNOWN, word="201 without the address of its content")
    return Verdict(outcome=Outcome.ACCEPTED, word="201", proof=fulfilment)


def _judged(operation: Operation, receipt: Receipt) -> Verdict:
    found = rows(receipt.body)
    if found is None:
        return Verdict(outcome=Outcome.UNKNOWN, word="200 with a body that is no inventory")
    row = newest(found)
    why = "not in the inventory" if row is None else _why_not(row, operation)
    if row is not None and not why and row.published is not True:
        return Verdict(outcome=Outcome.NOT_YET, word="not published")
    if why:
        return Verdict(outcome=Outcome.STALE_FACTS, word=why)
    return Verdict(outcome=Outcome.ACCEPTED, word="deliverable")


def _why_not(row: InventoryRow, operation: Operation) -> str:
    """What of our facts the newest row disputes, its publication left aside; nothing where it agrees."""
    if row.deleted:
        return f"deleted {row.deleted}"
    if row.access is not True:
        return "no access"
    if row.resid.lower() != operation.terms.get("resid", "").lower():
        return f"replaced by version {row.version}"
    return "" if row.drm == operation.terms.get("drm", row.drm) else f"its lock is now {row.drm}"
