"""The codes of CB's answers and what each means (contract cb 8.3): decided on the code, never on its text."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum


class Meaning(Enum):
    """What a code asks of the client; the value is its name in the settings."""

    NO_SUCH_TITLE = "no_such_title"
    """Refuse, unlist, read the facts again (EBS-10003)."""
    NOT_DELIVERABLE = "not_deliverable"
    """Refuse, unlist (EBS-10004)."""
    REFERENCE_USED = "reference_used"
    """The reference was taken before: look what it stands for (EBS-10005)."""
    NOT_YET = "not_yet"
    """Cannot, or may not, be ordered yet: refuse now (EBS-10006, EBS-10009)."""
    WITHDRAWN = "withdrawn"
    """An audiobook that CB delivers no more: refuse, withdraw (EBS-10011)."""
    CREDIT_EXCEEDED = "credit_exceeded"
    """Stop all ordering; no fault of the title (EBS-10017)."""
    NOT_THIS_WAY = "not_this_way"
    """Not for this reading method: refuse, alert (EBS-10034)."""
    UNPRICED = "unpriced"
    """No price yet, and nobody knows whether the order was registered (EBS-10060)."""
    NO_SUCH_ORDER = "no_such_order"
    """Of a look-up: the reference is not known (EBS-10077)."""
    CLIENT_FAULT = "client_fault"
    """A field is missing or wrong: alert, never again."""
    UNAUTHORIZED = "unauthorized"
    """Bad login, or no right: stop, alert."""
    MISCONFIGURED = "misconfigured"
    """No such service at this address, which says nothing of a title: stop, alert."""
    FAILED = "failed"
    """Processing failed: for an order the outcome is unknown."""
    UNLISTED = "unlisted"
    """A code in no table."""


CODES: Mapping[str, Meaning] = {
    "EBS-10003": Meaning.NO_SUCH_TITLE,
    "EBS-10004": Meaning.NOT_DELIVERABLE,
    "EBS-10005": Meaning.REFERENCE_USED,
    "EBS-10006": Meaning.NOT_YET,
    "EBS-10009": Meaning.NOT_YET,
    "EBS-10011": Meaning.WITHDRAWN,
    "EBS-10017": Meaning.CREDIT_EXCEEDED,
    "EBS-10034": Meaning.NOT_THIS_WAY,
    "EBS-10060": Meaning.UNPRICED,
    "EBS-10077": Meaning.NO_SUCH_ORDER,
    "EBS-10001": Meaning.CLIENT_FAULT,
    "EBS-10050": Meaning.CLIENT_FAULT,
    "EBS-10056": Meaning.CLIENT_FAULT,
    "EBS-10073": Meaning.CLIENT_FAULT,
    "EBS-10075": Meaning.CLIENT_FAULT,
    "EBS-10076": Meaning.CLIENT_FAULT,
    "WMS-00008": Meaning.CLIENT_FAULT,
    "CEP-200": Meaning.CLIENT_FAULT,
    "CEP-002": Meaning.CLIENT_FAULT,
    "WMS-00002": Meaning.UNAUTHORIZED,
    "WMS-00004": Meaning.UNAUTHORIZED,
    "WMS-00005": Meaning.UNAUTHORIZED,
    "CEP-003": Meaning.UNAUTHORIZED,
    "CEP-004": Meaning.MISCONFIGURED,
    "EBS-11000": Meaning.FAILED,
    "EBS-11001": Meaning.FAILED,
}
"""Of both the legacy service and the new platform. Luisterhuis' own codes are not known: the same are taken to be used there, and
`codes` in the settings adds to them (contract cb 2.9).
"""


def meaning_of(errors: tuple[str, ...], status: int, codes: Mapping[str, Meaning]) -> tuple[Meaning | None, str]:
    """What an answer with these error codes and this HTTP status means, and the code that says it; none where nothing is wrong.

    Of several codes the first that is known decides. Without any, a status of the new platform stands for its code.
    """
    for code in errors:
        if code in codes:
            return codes[code], code
    if errors:
        return Meaning.UNLISTED, errors[0]
    match status:
        case 401 | 403:
            return Meaning.UNAUTHORIZED, str(status)
        case 404:
            return Meaning.MISCONFIGURED, str(status)
        case _ if status >= 500:
            return Meaning.FAILED, str(status)
        case _:
            return None, str(status)
