"""Messages: where one stands among those of its sender (reference/onix.md 2.8)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class MessageOrder(StrEnum):
    """By what a sender's messages are put in order: a policy of each source, since senders use the header as they like."""

    NUMBER = "number"
    """MessageNumber rises by one from message to message."""
    SENT = "sent"
    """SentDateTime rises."""
    ARRIVAL = "arrival"
    """The header proves nothing: what comes later is newer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageMark:
    """What a header says of a message's place: SentDateTime as `normalised_sent_at` spells it, and MessageNumber as written."""

    sent_at: str | None = None
    number: str | None = None
