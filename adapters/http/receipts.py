"""What receipts mean at every distributor: those that bring no answer, and until when an answer asks for patience."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from adapters.http.headers import http_date, retry_after
from syncengine.domain.delivery import Arrival, Outcome, Receipt, Verdict


def unanswered(receipt: Receipt) -> Verdict | None:
    """The verdict on a call that brought no answer; none where there is one to be read."""
    match receipt.arrival:
        case Arrival.NOT_SENT:
            return Verdict(outcome=Outcome.FAILED_BEFORE_SENDING, word=receipt.detail)
        case Arrival.REFUSED:
            return Verdict(outcome=Outcome.UNAUTHORIZED, word=receipt.detail)
        case Arrival.UNKNOWN:
            return Verdict(outcome=Outcome.UNKNOWN, word=receipt.detail)
        case Arrival.ANSWERED:
            return None
        case _:
            assert_never(receipt.arrival)


def patience_until(receipt: Receipt) -> datetime | None:
    """The instant before which the answer's `Retry-After` wants no other call; none where it says nothing that can be read."""
    headers = receipt.headers
    return retry_after(headers.get("retry-after"), now=receipt.at, server_now=http_date(headers.get("date")))
